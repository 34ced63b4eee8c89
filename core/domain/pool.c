#include "domain/pool.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <string.h>

enum { DAY_MS = 24 * 3600 * 1000 };

struct period_slot {
    _Atomic int64_t key; /* period + 1; 0: free */
    _Atomic int64_t used_minor;
    _Atomic int64_t spent_minor;
};

struct pool {
    struct rwd_pool_terms terms;
    _Atomic int64_t hard_cap_minor;
    _Atomic int64_t soft_cap_minor;
    uint32_t announced; /* and not settled yet; of the thread that puts */
    struct period_slot *slots;
    size_t slot_count;
};

struct rwd_pools {
    struct pool pools[RWD_POOL_COUNT_MAX];
    _Atomic uint32_t count;
};

static const char *const period_names[] = {"day", "week", "season"};

const char *rwd_pool_period_name(enum rwd_pool_period period)
{
    return (unsigned)period < 3 ? period_names[period] : "unknown";
}

enum rwd_status rwd_pool_period_parse(struct rwd_text name, enum rwd_pool_period *period)
{
    for (int i = RWD_POOL_DAY; i <= RWD_POOL_SEASON; i++) {
        if (rwd_text_is(name, period_names[i])) {
            *period = (enum rwd_pool_period)i;
            return RWD_OK;
        }
    }
    return RWD_INVALID;
}

struct rwd_pools *rwd_pools_create(void)
{
    return rwd_new(sizeof(struct rwd_pools));
}

void rwd_pools_destroy(struct rwd_pools *pools)
{
    if (pools != NULL) {
        for (uint32_t i = 0; i < rwd_pools_count(pools); i++) {
            rwd_free(pools->pools[i].slots);
        }
        rwd_free(pools);
    }
}

uint32_t rwd_pools_count(const struct rwd_pools *pools)
{
    return atomic_load_explicit(&pools->count, memory_order_acquire);
}

static const struct pool *pool_of(const struct rwd_pools *pools, uint32_t pool_no)
{
    return pool_no > 0 && pool_no <= rwd_pools_count(pools) ? &pools->pools[pool_no - 1] : NULL;
}

uint32_t rwd_pools_find(const struct rwd_pools *pools, struct rwd_text id)
{
    uint32_t count = rwd_pools_count(pools);
    for (uint32_t i = 0; i < count; i++) {
        if (rwd_text_is(id, pools->pools[i].terms.id)) {
            return i + 1;
        }
    }
    return 0;
}

const struct rwd_pool_terms *rwd_pool_terms(const struct rwd_pools *pools, uint32_t pool_no)
{
    const struct pool *pool = pool_of(pools, pool_no);
    return pool != NULL ? &pool->terms : NULL;
}

static void set_caps(struct pool *pool, const struct rwd_pool_terms *terms)
{
    atomic_store(&pool->hard_cap_minor, terms->hard_cap_minor);
    atomic_store(&pool->soft_cap_minor, terms->soft_cap_minor);
}

static void lower(_Atomic int64_t *cap_minor, int64_t to_minor)
{
    if (to_minor < atomic_load(cap_minor)) {
        atomic_store(cap_minor, to_minor);
    }
}

/* The pool of these terms' id, made with caps of zero where it is new. */
static enum rwd_status pool_for(struct rwd_pools *pools, const struct rwd_pool_terms *terms,
    uint32_t *pool_no, struct rwd_error *error)
{
    if (terms->hard_cap_minor < 0 || terms->soft_cap_minor < 0 ||
        terms->soft_cap_minor > terms->hard_cap_minor) {
        return rwd_fail(
            error, RWD_INVALID, "budget '%s': caps must be 0 <= soft_cap <= hard_cap", terms->id);
    }
    uint32_t known = rwd_pools_find(pools, rwd_text_of(terms->id));
    if (known != 0) {
        const struct pool *pool = &pools->pools[known - 1];
        if (!rwd_currency_equal(pool->terms.currency, terms->currency) ||
            pool->terms.period != terms->period) {
            return rwd_fail(error, RWD_CONFLICT,
                "budget '%s' is in %s by %s: currency and period of a budget never change; make "
                "a new one",
                terms->id, pool->terms.currency.code, rwd_pool_period_name(pool->terms.period));
        }
        *pool_no = known;
        return RWD_OK;
    }
    uint32_t count = rwd_pools_count(pools);
    if (count == RWD_POOL_COUNT_MAX) {
        return rwd_fail(error, RWD_LIMIT, "there are %u budgets, the limit", count);
    }
    struct pool *pool = &pools->pools[count];
    pool->terms = *terms;
    pool->slot_count = terms->period == RWD_POOL_SEASON ? 1 : RWD_POOL_PERIOD_COUNT_MAX;
    /* Zeroed memory that is never touched is never there: a pool takes the pages its periods lie
     * in. */
    pool->slots = rwd_new(pool->slot_count * sizeof pool->slots[0]);
    atomic_store_explicit(&pools->count, count + 1, memory_order_release);
    *pool_no = count + 1;
    return RWD_OK;
}

enum rwd_status rwd_pools_put(struct rwd_pools *pools, const struct rwd_pool_terms *terms,
    uint32_t pool_no_wanted, uint32_t *pool_no, struct rwd_error *error)
{
    enum rwd_status status = pool_for(pools, terms, pool_no, error);
    if (status == RWD_OK) {
        RWD_REQUIRE(pool_no_wanted == 0 || pool_no_wanted == *pool_no);
        set_caps(&pools->pools[*pool_no - 1], terms);
    }
    return status;
}

enum rwd_status rwd_pools_announce(struct rwd_pools *pools, const struct rwd_pool_terms *terms,
    uint32_t *pool_no, struct rwd_error *error)
{
    enum rwd_status status = pool_for(pools, terms, pool_no, error);
    if (status == RWD_OK) {
        struct pool *pool = &pools->pools[*pool_no - 1];
        pool->announced++;
        /* The soft one first: it never shows above the hard one. */
        lower(&pool->soft_cap_minor, terms->soft_cap_minor);
        lower(&pool->hard_cap_minor, terms->hard_cap_minor);
    }
    return status;
}

void rwd_pools_settle(struct rwd_pools *pools, const struct rwd_pool_terms *terms)
{
    uint32_t pool_no = rwd_pools_find(pools, rwd_text_of(terms->id));
    RWD_REQUIRE(pool_no != 0 && pools->pools[pool_no - 1].announced > 0);
    struct pool *pool = &pools->pools[pool_no - 1];
    if (--pool->announced == 0) {
        set_caps(pool, terms);
    }
}

int32_t rwd_pool_period_at(const struct rwd_pools *pools, uint32_t pool_no, int64_t time_ms)
{
    const struct rwd_pool_terms *terms = rwd_pool_terms(pools, pool_no);
    int64_t day = time_ms / DAY_MS;
    if (terms == NULL || terms->period == RWD_POOL_SEASON) {
        return 0;
    }
    /* 1970-01-01 was a Thursday: three days after a Monday. */
    return (int32_t)(terms->period == RWD_POOL_DAY ? day : (day + 3) / 7);
}

/* The slot of a period; claimed for it where it is new. NULL: all are taken by other periods. */
static struct period_slot *slot_of(const struct pool *pool, int32_t period)
{
    int64_t key = (int64_t)period + 1;
    for (size_t i = 0; i < pool->slot_count; i++) {
        struct period_slot *slot = &pool->slots[((size_t)key + i) % pool->slot_count];
        int64_t found = 0;
        if (atomic_compare_exchange_strong(&slot->key, &found, key) || found == key) {
            return slot;
        }
    }
    return NULL;
}

enum rwd_pool_verdict rwd_pool_reserve(
    struct rwd_pools *pools, uint32_t pool_no, int32_t period, int64_t cost_minor, bool large)
{
    const struct pool *pool = pool_of(pools, pool_no);
    struct period_slot *slot = pool != NULL ? slot_of(pool, period) : NULL;
    if (slot == NULL || cost_minor < 0) {
        return RWD_POOL_REFUSED;
    }
    int64_t used = atomic_load(&slot->used_minor);
    int64_t after = 0;
    do {
        if (__builtin_add_overflow(used, cost_minor, &after) ||
            after > atomic_load(&pool->hard_cap_minor)) {
            return RWD_POOL_REFUSED;
        }
    } while (!atomic_compare_exchange_weak(&slot->used_minor, &used, after));
    return large && after > atomic_load(&pool->soft_cap_minor) ? RWD_POOL_RESERVED_FOR_REVIEW
                                                               : RWD_POOL_RESERVED;
}

void rwd_pool_account(struct rwd_pools *pools, uint32_t pool_no, int32_t period, int64_t cost_minor,
    enum rwd_task_budget from, enum rwd_task_budget to)
{
    const struct pool *pool = pool_of(pools, pool_no);
    if (pool == NULL || from == to) {
        return;
    }
    struct period_slot *slot = slot_of(pool, period);
    RWD_REQUIRE(slot != NULL);
    int64_t used = (to != RWD_BUDGET_NOTHING) - (from != RWD_BUDGET_NOTHING);
    int64_t spent = (to == RWD_BUDGET_SPENT) - (from == RWD_BUDGET_SPENT);
    atomic_fetch_add(&slot->used_minor, used * cost_minor);
    atomic_fetch_add(&slot->spent_minor, spent * cost_minor);
}

struct rwd_pool_sums rwd_pool_read(const struct rwd_pools *pools, uint32_t pool_no, int32_t period)
{
    const struct pool *pool = pool_of(pools, pool_no);
    struct rwd_pool_sums sums = {0};
    if (pool == NULL) {
        return sums;
    }
    sums.hard_cap_minor = atomic_load(&pool->hard_cap_minor);
    sums.soft_cap_minor = atomic_load(&pool->soft_cap_minor);
    int64_t key = (int64_t)period + 1;
    for (size_t i = 0; i < pool->slot_count; i++) {
        const struct period_slot *slot = &pool->slots[((size_t)key + i) % pool->slot_count];
        int64_t found = atomic_load(&slot->key);
        if (found == key) {
            /* Spent first: it only grows out of used, so reserved never shows below zero. */
            sums.spent_minor = atomic_load(&slot->spent_minor);
            sums.reserved_minor = atomic_load(&slot->used_minor) - sums.spent_minor;
        }
        if (found == key || found == 0) {
            break;
        }
    }
    return sums;
}
