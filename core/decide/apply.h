/*
 * apply: the only code that changes a player. Live traffic and replay both go through it.
 *
 * Threads:   the player's shard.
 */
#ifndef RWD_DECIDE_APPLY_H
#define RWD_DECIDE_APPLY_H

#include "domain/decision.h"
#include "domain/pool.h"

/* Carries out a decision under the sequence of its record. New tasks and changes post to or void
 * from the pools; replaying says whether the reservations of new tasks are to be made too (live
 * they were made by decide). A decision that waits puts its event into the player's waiting list, a
 * release takes it out. */
void rwd_apply(struct rwd_player *player, const struct rwd_decision *decision, uint64_t sequence,
    struct rwd_pools *pools, bool replaying);

/* One effect on one player's counters of that rule: for what is tried and never kept. */
void rwd_apply_effect(
    struct rwd_player_rule *rule, const struct rwd_rule_effect *effect, int64_t event_ms);

#endif
