/*
 * events_body: cuts the body of POST /v1/events into single events.
 *
 *   application/json       one object, or an array of them
 *   application/x-ndjson   one object a line; empty lines are passed over
 *   application/cloudevents+json, application/cloudevents-batch+json, and application/json with
 *   ce- headers: see cloudevents.h
 *
 * Cutting is not judging: an element that is no good event is handed on like any other and refused
 * by who reads it, so that the good ones beside it go on. Only a body that cannot be cut is refused
 * here.
 *
 * Pure but for the request's getters.
 */
#ifndef RWD_EDGE_EVENTS_BODY_H
#define RWD_EDGE_EVENTS_BODY_H

#include "base/text.h"

struct rwd_http_request;

struct rwd_events_body {
    const char *at;
    const char *end;
    bool lines; /* else elements of an array, or one event */
    bool array;
    bool cloudevents;
    bool binary; /* one CloudEvent, whose attributes are headers */
};

/* 200, or the HTTP status of the refusal with *error: 400 nothing in it, 413 more events than
 * event_count_max, 415 another content type. */
int rwd_events_body_open(struct rwd_events_body *body, const struct rwd_http_request *request,
    size_t event_count_max, struct rwd_error *error);
/* The next event's bytes; false: there is none. No bytes: here the array is broken, by a comma too
 * many or by an end that is not the body's. */
bool rwd_events_body_next(struct rwd_events_body *body, struct rwd_text *event);
/* Behind the object or array that begins at begin, in text that was scanned and found good. */
const char *rwd_events_body_value_end(const char *begin, const char *end);

#endif
