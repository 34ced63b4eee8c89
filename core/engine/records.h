/*
 * records: what the bodies of journal records mean. Written by shards, read by recovery, explain
 * and `rewardctl journal cat`.
 *
 *   EVENT, RELEASE      user id, decision, then the event's raw bytes to the end
 *   TASK                user id, decision, command (kind, attempt, actor, note, http status,
 *                       endpoint)
 *   RULE                a version as it was registered, a draft: one store row
 *   RULEBOOK            the rules asked from here on, and every version whose state is new
 *   all others          one store row, field by field
 *
 * Pure. Decoded texts are borrowed from the body.
 */
#ifndef RWD_ENGINE_RECORDS_H
#define RWD_ENGINE_RECORDS_H

#include "engine/batch.h"

struct rwd_event_body {
    struct rwd_text user_id;
    struct rwd_text decision; /* see rwd_decision_decode */
    struct rwd_text raw;
};

struct rwd_task_body {
    struct rwd_text user_id;
    struct rwd_text decision;
    struct rwd_task_command command; /* without task */
};

/* Everything but the raw bytes, which the journal copies straight from the request. */
void rwd_event_body_encode(
    struct rwd_text user_id, const struct rwd_decision *decision, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_event_body_decode(
    struct rwd_text body, struct rwd_event_body *decoded);

void rwd_task_body_encode(const struct rwd_task_command *command,
    const struct rwd_decision *decision, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_task_body_decode(
    struct rwd_text body, struct rwd_task_body *decoded);

void rwd_dead_letter_encode(const struct rwd_dead_letter_row *row, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_dead_letter_decode(
    struct rwd_text body, struct rwd_dead_letter_row *row);
void rwd_budget_encode(const struct rwd_budget_row *row, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_budget_decode(struct rwd_text body, struct rwd_budget_row *row);
/* INVALID: it names no budget, currency or period there is. */
RWD_MUST_USE enum rwd_status rwd_budget_terms(
    const struct rwd_budget_row *row, struct rwd_pool_terms *terms, struct rwd_error *error);
void rwd_rule_version_encode(const struct rwd_rule_version_row *row, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_rule_version_decode(
    struct rwd_text body, struct rwd_rule_version_row *row);
void rwd_rulebook_encode(const struct rwd_rulebook_row *row, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_rulebook_decode(
    struct rwd_text body, struct rwd_rulebook_row *row);

/* A version's new state, as the record of the rulebook that follows from it says: one record, so
 * that any set of versions changes in one step or not at all. */
struct rwd_rulebook_change {
    uint32_t version_no;
    struct rwd_text state;
    uint32_t share;
    int64_t since_ms;
    int64_t active_ms;
    struct rwd_text ramp;
};
void rwd_rulebook_put_change(const struct rwd_rule_version_row *row, struct rwd_buffer *changes);
/* Takes the first of them. NOT_FOUND: there is no more. CORRUPT: not written by put_change. */
RWD_MUST_USE enum rwd_status rwd_rulebook_next_change(
    struct rwd_text *changes, struct rwd_rulebook_change *change);

#endif
