#include "backtest/crowd.h"

#include "base/memory.h"

enum { BUCKET_COUNT_LEAST = 1024 };

struct rwd_backtest_crowd {
    struct rwd_backtest_user **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    size_t side_count;
};

struct rwd_backtest_crowd *rwd_backtest_crowd_create(size_t side_count)
{
    struct rwd_backtest_crowd *crowd = rwd_new(sizeof *crowd);
    crowd->bucket_count = BUCKET_COUNT_LEAST;
    crowd->buckets = rwd_new(crowd->bucket_count * sizeof(struct rwd_backtest_user *));
    crowd->side_count = side_count;
    return crowd;
}

static void destroy_user(struct rwd_backtest_user *user)
{
    for (size_t side = 0; side < RWD_BACKTEST_SIDE_COUNT_MAX; side++) {
        rwd_player_destroy(user->players[side]);
    }
    rwd_free(user);
}

void rwd_backtest_crowd_destroy(struct rwd_backtest_crowd *crowd)
{
    if (crowd == NULL) {
        return;
    }
    for (size_t i = 0; i < crowd->bucket_count; i++) {
        while (crowd->buckets[i] != NULL) {
            struct rwd_backtest_user *next = crowd->buckets[i]->next;
            destroy_user(crowd->buckets[i]);
            crowd->buckets[i] = next;
        }
    }
    rwd_free(crowd->buckets);
    rwd_free(crowd);
}

/* The low bits chose the worker: within one they say little. */
static size_t bucket_of(const struct rwd_backtest_crowd *crowd, uint64_t fingerprint)
{
    return (size_t)(fingerprint >> 16) & (crowd->bucket_count - 1);
}

static void grow(struct rwd_backtest_crowd *crowd)
{
    size_t old_count = crowd->bucket_count;
    struct rwd_backtest_user **old = crowd->buckets;
    crowd->bucket_count = old_count * 2;
    crowd->buckets = rwd_new(crowd->bucket_count * sizeof(struct rwd_backtest_user *));
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct rwd_backtest_user *user = old[i];
            struct rwd_backtest_user **bucket =
                &crowd->buckets[bucket_of(crowd, user->fingerprint)];
            old[i] = user->next;
            user->next = *bucket;
            *bucket = user;
        }
    }
    rwd_free(old);
}

struct rwd_backtest_user *rwd_backtest_crowd_find(
    const struct rwd_backtest_crowd *crowd, struct rwd_text user_id, uint64_t fingerprint)
{
    struct rwd_backtest_user *user = crowd->buckets[bucket_of(crowd, fingerprint)];
    while (user != NULL && !(user->fingerprint == fingerprint &&
                               rwd_text_equal(rwd_player_user_id(user->players[0]), user_id))) {
        user = user->next;
    }
    return user;
}

struct rwd_backtest_user *rwd_backtest_crowd_get(
    struct rwd_backtest_crowd *crowd, struct rwd_text user_id, uint64_t fingerprint)
{
    struct rwd_backtest_user *user = rwd_backtest_crowd_find(crowd, user_id, fingerprint);
    if (user != NULL) {
        return user;
    }
    if (crowd->count >= crowd->bucket_count) {
        grow(crowd);
    }
    user = rwd_new(sizeof *user);
    user->fingerprint = fingerprint;
    for (size_t side = 0; side < crowd->side_count; side++) {
        user->players[side] = rwd_player_create(user_id, fingerprint);
    }
    struct rwd_backtest_user **bucket = &crowd->buckets[bucket_of(crowd, fingerprint)];
    user->next = *bucket;
    *bucket = user;
    crowd->count++;
    return user;
}

void rwd_backtest_crowd_foresee(
    const struct rwd_backtest_crowd *crowd, uint64_t fingerprint, unsigned step)
{
    struct rwd_backtest_user *const *bucket = &crowd->buckets[bucket_of(crowd, fingerprint)];
    if (step == 0) {
        __builtin_prefetch(bucket);
    } else if (*bucket != NULL) {
        __builtin_prefetch(*bucket);
    }
}

size_t rwd_backtest_crowd_count(const struct rwd_backtest_crowd *crowd)
{
    return crowd->count;
}

void rwd_backtest_crowd_each(const struct rwd_backtest_crowd *crowd,
    void (*visit)(void *context, const struct rwd_backtest_user *user), void *context)
{
    for (size_t i = 0; i < crowd->bucket_count; i++) {
        for (const struct rwd_backtest_user *user = crowd->buckets[i]; user != NULL;
             user = user->next) {
            visit(context, user);
        }
    }
}
