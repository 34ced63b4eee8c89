/*
 * cloudevents: CloudEvents 1.0 to our own envelope.
 *
 * Where data is an event of our own (it has an event_name), data is the event. Else data is the
 * payload: id -> event_id, time -> ts, subject -> user.id, the last dotted part of type ->
 * event_name, the extension attribute eventversion (or the last part of dataschema) -> version.
 * In binary mode the body is the data, and ce- headers are the attributes.
 *
 * Pure but for the request's getters. Ownership: the converted event hangs in the arena, or lies
 * inside the given text.
 */
#ifndef RWD_EDGE_CLOUDEVENTS_H
#define RWD_EDGE_CLOUDEVENTS_H

#include "domain/event.h"

struct rwd_http_request;

/* INVALID with *problem: no CloudEvent, or an attribute that is needed is missing. */
RWD_MUST_USE enum rwd_status rwd_cloudevent_convert(struct rwd_text text,
    const struct rwd_json_limits *limits, struct rwd_arena *arena, struct rwd_text *event,
    struct rwd_problem *problem);
/* The same in binary mode. A body that is no JSON object is handed on as it is, to be refused like
 * any other. */
RWD_MUST_USE enum rwd_status rwd_cloudevent_convert_binary(const struct rwd_http_request *request,
    struct rwd_text body, const struct rwd_json_limits *limits, struct rwd_arena *arena,
    struct rwd_text *event, struct rwd_problem *problem);

#endif
