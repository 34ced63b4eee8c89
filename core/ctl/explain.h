/*
 * explain: a decision of the API as sentences: what each rule made of an event, and why.
 *
 * Pure: JSON text in, text out, so that it can be tested without a daemon.
 */
#ifndef RWD_CTL_EXPLAIN_H
#define RWD_CTL_EXPLAIN_H

#include "base/text.h"

/* decision: the answer of GET /v1/decisions/{event_id}. INVALID: it is none. */
RWD_MUST_USE enum rwd_status rwd_explain_put(
    struct rwd_text decision, struct rwd_buffer *out, struct rwd_error *error);

/* "the player has excluded themselves" for "self_excluded"; the name itself where it is a new one.
 */
const char *rwd_explain_reason(const char *reason_name);

#endif
