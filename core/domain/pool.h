/*
 * pool: budgets. A pool has a currency, caps and a period; a period has a sum that never passes the
 * cap.
 *
 * Spend is reserve -> post | void. A reservation is part of the decision that makes the task; the
 * sum that is compared with the caps counts reserved and spent money alike, in one atomic word, so
 * no race between shards can pass the hard cap. What a task means to its pool follows from the
 * task alone (rwd_task_budget_of), so replay restores the sums by looking at tasks.
 *
 * A command that gives a pool new caps is announced before it is journaled and settled when it is
 * durable. A lower cap holds at once, a higher one, and any cap of a new pool, only then: a
 * decision that rests on it could else stand in the journal before it, and a crash between the two
 * would leave more spent than the cap that survived.
 *
 * Threads:   reserve, account and read from any thread; put, announce and settle from one thread at
 *            a time.
 * Ownership: create/destroy.
 */
#ifndef RWD_DOMAIN_POOL_H
#define RWD_DOMAIN_POOL_H

#include "domain/task.h"

enum {
    RWD_POOL_COUNT_MAX = 256,
    /* Day or week periods one pool can hold in memory, 24 bytes each: history may be loaded in any
     * order, and a daily pool runs for 179 years. */
    RWD_POOL_PERIOD_COUNT_MAX = 64 * 1024,
};

enum rwd_pool_period {
    RWD_POOL_DAY,
    RWD_POOL_WEEK, /* from Monday, UTC */
    RWD_POOL_SEASON,
};
const char *rwd_pool_period_name(enum rwd_pool_period period);
RWD_MUST_USE enum rwd_status rwd_pool_period_parse(
    struct rwd_text name, enum rwd_pool_period *period);

struct rwd_pool_terms {
    char id[RWD_REWARD_LABEL_SIZE_MAX];
    struct rwd_currency currency;
    enum rwd_pool_period period;
    int64_t hard_cap_minor;
    int64_t soft_cap_minor; /* above it large rewards wait for a person */
};

enum rwd_pool_verdict {
    RWD_POOL_RESERVED,
    RWD_POOL_RESERVED_FOR_REVIEW, /* large, and above the soft cap */
    RWD_POOL_REFUSED,             /* the hard cap, or no room for another period */
};

struct rwd_pools;

struct rwd_pools *rwd_pools_create(void);
void rwd_pools_destroy(struct rwd_pools *pools);

/* Adds a pool under the next number, or gives a known one new caps. CONFLICT: currency or period of
 * a known pool cannot change. INVALID: caps below zero or soft above hard. LIMIT: too many pools.
 * pool_no_wanted: the number it had before (restart); 0: the next free one. */
RWD_MUST_USE enum rwd_status rwd_pools_put(struct rwd_pools *pools,
    const struct rwd_pool_terms *terms, uint32_t pool_no_wanted, uint32_t *pool_no,
    struct rwd_error *error);
/* As put, but caps are not raised before settle, which is called once for each announcement, in
 * their order, with the same terms. Of several on their way the last one's caps come to hold. */
RWD_MUST_USE enum rwd_status rwd_pools_announce(struct rwd_pools *pools,
    const struct rwd_pool_terms *terms, uint32_t *pool_no, struct rwd_error *error);
void rwd_pools_settle(struct rwd_pools *pools, const struct rwd_pool_terms *terms);
/* 0: no such pool. */
uint32_t rwd_pools_find(const struct rwd_pools *pools, struct rwd_text id);
uint32_t rwd_pools_count(const struct rwd_pools *pools);
/* NULL: no such number. Borrowed for the pools' life; caps are to be read through rwd_pool_caps. */
const struct rwd_pool_terms *rwd_pool_terms(const struct rwd_pools *pools, uint32_t pool_no);

/* Which period a time falls into: days or weeks since 1970, 0 for a season. */
int32_t rwd_pool_period_at(const struct rwd_pools *pools, uint32_t pool_no, int64_t time_ms);

enum rwd_pool_verdict rwd_pool_reserve(
    struct rwd_pools *pools, uint32_t pool_no, int32_t period, int64_t cost_minor, bool large);
/* A task of that cost went from one meaning to another. Restores sums on replay, posts and voids
 * live. */
void rwd_pool_account(struct rwd_pools *pools, uint32_t pool_no, int32_t period, int64_t cost_minor,
    enum rwd_task_budget from, enum rwd_task_budget to);

struct rwd_pool_sums {
    int64_t hard_cap_minor;
    int64_t soft_cap_minor;
    int64_t reserved_minor;
    int64_t spent_minor;
};
struct rwd_pool_sums rwd_pool_read(const struct rwd_pools *pools, uint32_t pool_no, int32_t period);

#endif
