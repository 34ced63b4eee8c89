/*
 * crowd: the players of one worker of a backtest, and what each got from the rule.
 *
 * Threads:   the worker's.
 * Ownership: create/destroy; players are the crowd's.
 */
#ifndef RWD_BACKTEST_CROWD_H
#define RWD_BACKTEST_CROWD_H

#include "backtest/result.h"
#include "domain/player.h"

struct rwd_backtest_user {
    struct rwd_backtest_user *next; /* in its bucket */
    uint64_t fingerprint;
    struct rwd_player *players[RWD_BACKTEST_SIDE_COUNT_MAX]; /* one a side */
    uint64_t reward_count[RWD_BACKTEST_SIDE_COUNT_MAX];      /* of the rule, not denied */
    int64_t cost_minor[RWD_BACKTEST_SIDE_COUNT_MAX];
};

struct rwd_backtest_crowd;

struct rwd_backtest_crowd *rwd_backtest_crowd_create(size_t side_count);
void rwd_backtest_crowd_destroy(struct rwd_backtest_crowd *crowd);

/* NULL: not met yet. */
struct rwd_backtest_user *rwd_backtest_crowd_find(
    const struct rwd_backtest_crowd *crowd, struct rwd_text user_id, uint64_t fingerprint);
/* The user, made where it is new. */
struct rwd_backtest_user *rwd_backtest_crowd_get(
    struct rwd_backtest_crowd *crowd, struct rwd_text user_id, uint64_t fingerprint);
/* Brings near what get will look at: steps 0 and 1, a good while and shortly before. */
void rwd_backtest_crowd_foresee(
    const struct rwd_backtest_crowd *crowd, uint64_t fingerprint, unsigned step);

size_t rwd_backtest_crowd_count(const struct rwd_backtest_crowd *crowd);
/* In no order that means anything. */
void rwd_backtest_crowd_each(const struct rwd_backtest_crowd *crowd,
    void (*visit)(void *context, const struct rwd_backtest_user *user), void *context);

#endif
