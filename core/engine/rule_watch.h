/*
 * rule_watch: what one shard counts of its rules: calls, errors and cost, what was given, how
 * players divide between a canary and the version it replaces, what shadows would have given.
 * Private to the engine.
 *
 * Threads:   the shard's; the counters may be read from any thread.
 * Ownership: create/destroy.
 */
#ifndef RWD_ENGINE_RULE_WATCH_H
#define RWD_ENGINE_RULE_WATCH_H

#include "decide/decide.h"
#include "engine/rule_stats.h"

struct rwd_rule_watch;

struct rwd_rule_watch *rwd_rule_watch_create(void);
void rwd_rule_watch_destroy(struct rwd_rule_watch *watch);
/* RWD_RULE_COUNTER_COUNT of them. */
const struct rwd_rule_counters *rwd_rule_watch_counters(const struct rwd_rule_watch *watch);

/* Makes the ruleset's news readable: health each time, cost now and then, for quantiles are too
 * dear for every round of the loop. Also before a ruleset goes, or its last calls are lost. */
void rwd_rule_watch_publish(
    struct rwd_rule_watch *watch, struct rwd_ruleset *ruleset, int64_t now_ns);
/* Another rulebook is in force. */
void rwd_rule_watch_switched(struct rwd_rule_watch *watch, const struct rwd_ruleset *ruleset);
/* An event was decided and is not applied yet. */
void rwd_rule_watch_decided(struct rwd_rule_watch *watch, const struct rwd_decide_facts *facts,
    const struct rwd_event *event, uint64_t user_fingerprint, const struct rwd_player *player,
    const struct rwd_decision *decision);

#endif
