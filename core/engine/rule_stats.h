/*
 * rule_stats: how each rule version fares, counted by the shards, read by everybody. Since the
 * process began: they are for watching, and for guards that compare two versions over the same
 * time; what a version has given in all is in the store, as struct rwd_version_sum.
 *
 * Threads: a shard writes its own counters; any thread may read them.
 */
#ifndef RWD_ENGINE_RULE_STATS_H
#define RWD_ENGINE_RULE_STATS_H

#include "base/histogram.h"
#include "domain/decision.h"

#include <stdbool.h>

/* By version number; versions past that are not counted. */
enum { RWD_RULE_COUNTER_COUNT = 4096 };

/* Of a shadow: what it would have given to the players it met, and what they got by its rule. */
struct rwd_shadow_counters {
    _Atomic uint64_t sample; /* it meets one of so many players, and counts each as so many */
    _Atomic uint64_t users;
    _Atomic uint64_t winners; /* would have more: of money, or where that is the same of points */
    _Atomic uint64_t losers;
    _Atomic uint64_t points_would;
    _Atomic uint64_t points_got;
    _Atomic uint64_t tasks_would;
    _Atomic uint64_t tasks_got;
    _Atomic uint64_t money_would;
    _Atomic uint64_t money_got;
};

struct rwd_rule_counters {
    _Atomic uint64_t calls;
    _Atomic uint64_t errors;
    _Atomic bool suspended;
    _Atomic uint64_t cost_p99_ns; /* of a call of its functions; a sixteenth of them is measured */
    _Atomic uint64_t tasks;       /* reward tasks that were not denied */
    _Atomic uint64_t tasks_held;  /* those of them that wait for something */
    _Atomic uint64_t money_minor;
    /* Of a canary: players seen that have it, and that have the version it is to replace, by
     * user_sample.h; since it has users_share per cent. */
    _Atomic uint64_t users;
    _Atomic uint64_t users_other;
    _Atomic uint64_t users_share;
    struct rwd_shadow_counters shadow;
};

struct rwd_rule_sums {
    uint64_t calls;
    uint64_t errors;
    uint64_t suspended;   /* shards in which it rests */
    uint64_t cost_p99_ns; /* the worst shard's */
    uint64_t tasks;
    uint64_t tasks_held;
    uint64_t money_minor;
};

/* What a decision gave, into one shard's counters. */
void rwd_rule_stats_count(struct rwd_rule_counters *counters, const struct rwd_decision *decision);
struct rwd_rule_sums rwd_rule_stats_sum(
    const struct rwd_rule_counters *const *shards, uint32_t shard_count, uint32_t version_no);

/* How the players of a canary with that share divide; shards that do not have the share yet say
 * nothing. */
struct rwd_rule_users {
    uint64_t canary;
    uint64_t other;
};
struct rwd_shadow_sums {
    uint64_t sample; /* the coarsest shard's */
    uint64_t users;
    uint64_t winners;
    uint64_t losers;
    uint64_t points_would;
    uint64_t points_got;
    uint64_t tasks_would;
    uint64_t tasks_got;
    uint64_t money_would;
    uint64_t money_got;
};
struct rwd_shadow_sums rwd_rule_stats_shadow(
    const struct rwd_rule_counters *const *shards, uint32_t shard_count, uint32_t version_no);
struct rwd_rule_users rwd_rule_stats_users(const struct rwd_rule_counters *const *shards,
    uint32_t shard_count, uint32_t version_no, uint32_t share);

#endif
