/*
 * shadow: one version that decides beside the others on live events, in one shard, and what would
 * be different if it were the active one. Private to the engine.
 *
 * What it sees: the event, the player as the event leaves it, and, of its own rule, counters of its
 * own (points, caps, milestones, aggregates, state): a copy of the player's when it meets the
 * player first, from then on its own. So a milestone it brings fires once for it, as it would live.
 * Nothing it does reaches the player, the journal or a budget: it reserves play money, from budgets
 * without an end. A call that fails counts as an error of it, and no more.
 *
 * Bounded: it meets the players of a sample; all of them at first, and when there are too many,
 * half of them leave with all that was counted of them. Sums are scaled up by what was left out.
 *
 * Threads:   the shard's; the counters may be read from any thread.
 * Ownership: create/destroy.
 */
#ifndef RWD_ENGINE_SHADOW_H
#define RWD_ENGINE_SHADOW_H

#include "decide/decide.h"
#include "engine/rule_stats.h"

enum { RWD_SHADOW_USER_COUNT_MAX = 4096 };

struct rwd_shadow;

struct rwd_shadow *rwd_shadow_create(uint32_t version_no);
void rwd_shadow_destroy(struct rwd_shadow *shadow);
uint32_t rwd_shadow_version_no(const struct rwd_shadow *shadow);

/* An event was decided and is not applied yet. Where the rule's version in force waits for it in
 * event time, so does the shadow: it is asked when the event is released; else at its arrival,
 * whatever its own order says. facts: those of the decision; entry: the shadow's in the ruleset's
 * book of now. */
void rwd_shadow_decide(struct rwd_shadow *shadow, const struct rwd_decide_facts *facts,
    const struct rwd_rulebook_entry *entry, const struct rwd_event *event,
    uint64_t user_fingerprint, const struct rwd_player *player,
    const struct rwd_decision *decision);

void rwd_shadow_publish(const struct rwd_shadow *shadow, struct rwd_shadow_counters *counters);

#endif
