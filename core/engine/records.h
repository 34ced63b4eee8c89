/*
 * records: what the bodies of journal records mean. Written by shards, read by recovery, explain
 * and `rewardctl journal cat`.
 *
 *   EVENT               user id, decision, then the event's raw bytes to the end
 *   TASK                user id, decision, command (kind, attempt, actor, note, http status,
 * endpoint) all others          one store row, field by field
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
void rwd_rule_version_encode(const struct rwd_rule_version_row *row, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_rule_version_decode(
    struct rwd_text body, struct rwd_rule_version_row *row);
void rwd_rulebook_encode(const struct rwd_rulebook_row *row, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_rulebook_decode(
    struct rwd_text body, struct rwd_rulebook_row *row);

#endif
