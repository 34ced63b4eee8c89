#include "decide/task_command.h"

#include <string.h>

const char *rwd_task_command_name(enum rwd_task_command_kind kind)
{
    static const char *const names[] = {
        "claim", "success", "retry", "refused", "approve", "reject", "tick", "reprocess", "drop"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

static enum rwd_status not_allowed(
    const struct rwd_task *task, const struct rwd_task_command *command, struct rwd_error *error)
{
    char id[RWD_TASK_ID_TEXT_SIZE];
    rwd_task_id_format(task->id, id);
    return rwd_fail(error, RWD_CONFLICT, "%s is %s%s%s: it takes no %s", id,
        rwd_task_status_name(task->status), task->reason != RWD_REASON_NONE ? ", " : "",
        rwd_task_reason_name(task->reason), rwd_task_command_name(command->kind));
}

/* The gates once more: what changed since the decision counts. A person's approval lifts a review,
 * never RG, KYC or geo. */
static enum rwd_status claim(const struct rwd_gates *gates, const struct rwd_pools *pools,
    const struct rwd_player *player, const struct rwd_task *task, int64_t now_ms,
    struct rwd_task_change *change)
{
    int64_t until_ms = 0;
    enum rwd_task_reason reason = rwd_gate_player(gates, &player->profile, task, now_ms, &until_ms);
    if (reason == RWD_REASON_NONE) {
        change->status = RWD_TASK_DISPATCHING;
        change->attempts = task->attempts + 1;
        change->next_attempt_ms = 0;
    } else {
        rwd_gate_release(gates, pools, task, reason, until_ms, now_ms, change);
        if (change->status == RWD_TASK_EXPIRED) {
            /* Only a hold expires: a tick will see to it in due course. */
            change->status = RWD_TASK_HELD;
            change->reason = reason;
            change->next_attempt_ms = rwd_gate_hold_end_ms(gates, task);
        }
    }
    return RWD_OK;
}

static bool payout_differs(const struct rwd_task *task, const struct rwd_task_command *command)
{
    return task->payout_id[0] != '\0' && command->payout_id.size > 0 &&
           !rwd_text_is(command->payout_id, task->payout_id);
}

static enum rwd_status result(const struct rwd_task *task, const struct rwd_task_command *command,
    struct rwd_task_change *change)
{
    change->next_attempt_ms = 0;
    if (payout_differs(task, command)) {
        change->status = RWD_TASK_HELD;
        change->reason = RWD_REASON_PAYOUT_MISMATCH;
        return RWD_OK;
    }
    if (command->payout_id.size > 0 && command->payout_id.size <= RWD_PAYOUT_ID_SIZE_MAX) {
        memcpy(change->payout_id, command->payout_id.data, command->payout_id.size);
        change->payout_id[command->payout_id.size] = '\0';
    }
    if (command->kind == RWD_TASK_SUCCESS) {
        change->status = RWD_TASK_SUCCEEDED;
        change->reason = RWD_REASON_NONE;
    } else if (command->kind == RWD_TASK_REFUSED) {
        change->status = RWD_TASK_FAILED;
        change->reason = RWD_REASON_PARTNER_REFUSED;
    } else if (task->attempts >= command->attempt_count_max) {
        change->status = RWD_TASK_FAILED;
        change->reason = RWD_REASON_ATTEMPTS_USED_UP;
    } else {
        change->status = RWD_TASK_PENDING;
        change->reason = RWD_REASON_RETRY;
        change->next_attempt_ms = command->retry_at_ms;
    }
    return RWD_OK;
}

static enum rwd_status tick(const struct rwd_gates *gates, const struct rwd_pools *pools,
    const struct rwd_player *player, const struct rwd_task *task, int64_t now_ms,
    struct rwd_task_change *change)
{
    int64_t end_ms = rwd_gate_hold_end_ms(gates, task);
    if (now_ms >= end_ms) {
        change->status = RWD_TASK_EXPIRED;
        change->reason = RWD_REASON_HOLD_EXPIRED;
        change->next_attempt_ms = 0;
        return RWD_OK;
    }
    if (!rwd_gate_lifts(task->reason)) {
        change->next_attempt_ms = end_ms != INT64_MAX ? end_ms : 0;
        return RWD_OK;
    }
    int64_t until_ms = 0;
    enum rwd_task_reason reason = rwd_gate_player(gates, &player->profile, task, now_ms, &until_ms);
    rwd_gate_release(gates, pools, task, reason, until_ms, now_ms, change);
    return RWD_OK;
}

/* By the command, from the statuses it may come upon. */
static enum rwd_status change_of(const struct rwd_gates *gates, const struct rwd_pools *pools,
    const struct rwd_task_command *command, const struct rwd_player *player,
    const struct rwd_task *task, int64_t now_ms, struct rwd_task_change *change,
    struct rwd_error *error)
{
    bool reviewed = task->status == RWD_TASK_HELD && !rwd_gate_lifts(task->reason);
    switch (command->kind) {
    case RWD_TASK_CLAIM:
        if (task->status == RWD_TASK_PENDING || task->status == RWD_TASK_DISPATCHING) {
            return claim(gates, pools, player, task, now_ms, change);
        }
        break;
    case RWD_TASK_SUCCESS:
    case RWD_TASK_RETRY:
    case RWD_TASK_REFUSED:
        if (task->status == RWD_TASK_DISPATCHING && task->attempts == command->attempt) {
            return result(task, command, change);
        }
        break;
    case RWD_TASK_APPROVE:
        if (reviewed) {
            change->status = RWD_TASK_PENDING;
            change->reason = RWD_REASON_APPROVED;
            change->next_attempt_ms = now_ms;
            return RWD_OK;
        }
        break;
    case RWD_TASK_REJECT:
        if (task->status == RWD_TASK_HELD) {
            change->status = RWD_TASK_DENIED;
            change->reason = RWD_REASON_REJECTED;
            change->next_attempt_ms = 0;
            return RWD_OK;
        }
        break;
    case RWD_TASK_TICK:
        if (task->status == RWD_TASK_HELD && task->next_attempt_ms > 0 &&
            task->next_attempt_ms <= now_ms) {
            return tick(gates, pools, player, task, now_ms, change);
        }
        break;
    case RWD_TASK_REPROCESS:
        if (task->status == RWD_TASK_FAILED) {
            change->status = RWD_TASK_PENDING;
            change->reason = RWD_REASON_RETRY;
            change->attempts = 0;
            change->next_attempt_ms = now_ms;
            return RWD_OK;
        }
        break;
    case RWD_TASK_DROP:
        if (task->status == RWD_TASK_FAILED) {
            change->status = RWD_TASK_CANCELLED;
            change->reason = RWD_REASON_REJECTED;
            change->next_attempt_ms = 0;
            return RWD_OK;
        }
        break;
    }
    return not_allowed(task, command, error);
}

/* A failed task that gave its money back when it was settled, and left the player: the decision
 * carries it whole. */
static enum rwd_status revive(struct rwd_pools *pools, const struct rwd_task_command *command,
    int64_t now_ms, struct rwd_arena *arena, struct rwd_decision *decision, struct rwd_error *error)
{
    if (command->task->status != RWD_TASK_FAILED) {
        return not_allowed(command->task, command, error);
    }
    bool drop = command->kind == RWD_TASK_DROP;
    struct rwd_task *task = rwd_arena_alloc(arena, sizeof *task);
    if (task == NULL) {
        return RWD_LIMIT;
    }
    *task = *command->task;
    if (!drop && task->pool_no != 0 &&
        rwd_pool_reserve(pools, task->pool_no, task->pool_period, task->reward.cost.minor, false) ==
            RWD_POOL_REFUSED) {
        return rwd_fail(
            error, RWD_CONFLICT, "the budget has no room left for this reward; raise its hard cap");
    }
    task->status = drop ? RWD_TASK_CANCELLED : RWD_TASK_PENDING;
    task->reason = drop ? RWD_REASON_REJECTED : RWD_REASON_RETRY;
    task->attempts = drop ? task->attempts : 0;
    task->sent_before = rwd_task_may_be_paid(command->task);
    task->next_attempt_ms = drop ? 0 : now_ms;
    task->updated_ms = now_ms;
    decision->tasks = task;
    decision->task_count = 1;
    return RWD_OK;
}

enum rwd_status rwd_decide_task(const struct rwd_gates *gates, struct rwd_pools *pools,
    const struct rwd_task_command *command, const struct rwd_player *player, int64_t now_ms,
    struct rwd_arena *arena, struct rwd_decision *decision, struct rwd_error *error)
{
    *decision = (struct rwd_decision){.now_ms = now_ms};
    const struct rwd_task *task = rwd_player_task_find(player, command->id);
    bool of_failed = command->kind == RWD_TASK_REPROCESS || command->kind == RWD_TASK_DROP;
    /* What the asker saw may be old: what the player knows counts. */
    if (of_failed &&
        (task == NULL || (task->status == RWD_TASK_FAILED && rwd_task_settled(task)))) {
        return revive(pools, command, now_ms, arena, decision, error);
    }
    if (task == NULL) {
        char id[RWD_TASK_ID_TEXT_SIZE];
        rwd_task_id_format(command->id, id);
        return rwd_fail(error, RWD_NOT_FOUND, "%s is not an open reward task of this player", id);
    }
    struct rwd_task_change *change = rwd_arena_alloc(arena, sizeof *change);
    if (change == NULL) {
        return RWD_LIMIT;
    }
    *change = rwd_task_change_of(task);
    enum rwd_status status = change_of(gates, pools, command, player, task, now_ms, change, error);
    if (status == RWD_OK) {
        decision->changes = change;
        decision->change_count = 1;
    }
    return status;
}
