/*
 * cloudevents: CloudEvents 1.0 (structured mode) to our own envelope.
 *
 * Where data is an event of our own (it has an event_name), data is the event. Else data is the
 * payload: id -> event_id, time -> ts, subject -> user.id, the last dotted part of type ->
 * event_name, the extension attribute eventversion (or the last part of dataschema) -> version.
 * Binary mode needs nothing: there the body is the event, and the ce- headers repeat what it says.
 *
 * Pure. Ownership: the converted event hangs in the arena, or lies inside the given text.
 */
#ifndef RWD_EDGE_CLOUDEVENTS_H
#define RWD_EDGE_CLOUDEVENTS_H

#include "domain/event.h"

/* INVALID with *problem: no CloudEvent, or an attribute that is needed is missing. */
RWD_MUST_USE enum rwd_status rwd_cloudevent_convert(struct rwd_text text,
    const struct rwd_json_limits *limits, struct rwd_arena *arena, struct rwd_text *event,
    struct rwd_problem *problem);

#endif
