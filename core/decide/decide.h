/*
 * decide: what an event means for a player under the rules in force. Pure but for the pools it
 * asks.
 *
 *     (event, player, rules, pools, gates, now) -> decision
 *
 * It reads no clock, changes no player and does no I/O; the same inputs give the same decision bit
 * for bit. Pools answer a reservation, and the answer stands in the decision; a backtest hands in
 * play money, replay asks nobody.
 *
 * Threads:   a shard's, with its own ruleset.
 * Ownership: the decision hangs in the arena.
 */
#ifndef RWD_DECIDE_DECIDE_H
#define RWD_DECIDE_DECIDE_H

#include "decide/gates.h"
#include "script/ruleset.h"

struct rwd_decide_facts {
    struct rwd_ruleset *ruleset;
    struct rwd_pools *pools;
    const struct rwd_gates *gates;
    int64_t now_ms;
    /* A clock for what a rule's calls cost, which is counted and is no part of the decision; NULL:
     * nobody counts. */
    int64_t (*cost_clock_ns)(void *context);
    /* Told of a rule's failure, for log and counters; NULL: nobody cares. Changes nothing. */
    void (*rule_failed)(
        void *context, const struct rwd_rule *rule, const struct rwd_error *error, bool suspended);
    void *context;
    /* Instead of the rulebook's experiments, which then expose nobody: for tests and what-ifs.
     * NULL: they decide. */
    struct rwd_text (*arm)(void *context, struct rwd_text experiment);
    void *arm_context;
};

/* OK: *decision; rules in event time do not decide yet, decision->waits names them (release.h).
 * CONFLICT: a duplicate, nothing changes. INVALID: *problem, type "late": further
 * behind than the dedupe window, so a repeat could no longer be told. LIMIT: the arena is full,
 * nothing is reserved; try again with an empty one. */
RWD_MUST_USE enum rwd_status rwd_decide(const struct rwd_decide_facts *facts,
    const struct rwd_event *event, const struct rwd_player *player, struct rwd_arena *arena,
    struct rwd_decision *decision, struct rwd_problem *problem);

/* What one version, a shadow, would have decided beside a decision that was made: its effect, if
 * any, and its tasks in *decision, the verdict in *verdict. own stands for the player's counters of
 * that rule; the player is asked for all else, profile for how the event leaves it. facts->pools is
 * play money: what is reserved there is never given back. LIMIT: the arena is full. */
RWD_MUST_USE enum rwd_status rwd_decide_shadow(const struct rwd_decide_facts *facts,
    const struct rwd_rulebook_entry *shadow, const struct rwd_event *event,
    const struct rwd_player *player, const struct rwd_profile *profile,
    const struct rwd_player_rule *own, struct rwd_arena *arena, struct rwd_decision *decision,
    enum rwd_rule_verdict *verdict);

/* Gives back what a decision that will not be applied has reserved. */
void rwd_decide_undo(const struct rwd_decide_facts *facts, const struct rwd_decision *decision);

#endif
