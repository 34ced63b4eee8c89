/*
 * task_command: what happens to one reward task, decided like an event: pure, journaled, then
 * applied.
 *
 * The dispatcher claims before it sends and reports what came of it; people approve and reject;
 * time ticks.
 */
#ifndef RWD_DECIDE_TASK_COMMAND_H
#define RWD_DECIDE_TASK_COMMAND_H

#include "decide/gates.h"

enum rwd_task_command_kind {
    RWD_TASK_CLAIM,     /* may it be sent now? pending -> dispatching, or held, denied */
    RWD_TASK_SUCCESS,   /* the partner took it */
    RWD_TASK_RETRY,     /* worth another try: pending again, or failed when the tries are used up */
    RWD_TASK_REFUSED,   /* not to be retried: failed */
    RWD_TASK_APPROVE,   /* a person lets a reviewed hold go */
    RWD_TASK_REJECT,    /* a person does not */
    RWD_TASK_TICK,      /* time has come to look at a hold again */
    RWD_TASK_REPROCESS, /* a failed one from the dead letters starts anew */
    RWD_TASK_DROP,      /* or is given up: what was still reserved for it is free again */
};
const char *rwd_task_command_name(enum rwd_task_command_kind kind);

struct rwd_task_command {
    enum rwd_task_command_kind kind;
    struct rwd_task_id id;
    struct rwd_text user_id;
    uint32_t attempt; /* SUCCESS, RETRY, REFUSED: which claim this answers */
    uint32_t attempt_count_max;
    int64_t retry_at_ms;       /* RETRY */
    struct rwd_text payout_id; /* of any answer that named one */
    struct rwd_text actor;     /* APPROVE, REJECT, REPROCESS, DROP: who */
    struct rwd_text note;      /* and why; for a delivery: what came back, in words */
    int64_t http_status;       /* a delivery's answer; 0: none came */
    struct rwd_text endpoint;
    const struct rwd_task *task; /* REPROCESS, DROP: the failed task as stored */
};

/* OK: *decision. NOT_FOUND: the player has no such open task. CONFLICT: its status does not allow
 * it; error says which status it has. LIMIT: the arena is full. */
RWD_MUST_USE enum rwd_status rwd_decide_task(const struct rwd_gates *gates, struct rwd_pools *pools,
    const struct rwd_task_command *command, const struct rwd_player *player, int64_t now_ms,
    struct rwd_arena *arena, struct rwd_decision *decision, struct rwd_error *error);

#endif
