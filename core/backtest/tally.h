/*
 * tally: what one worker of a backtest counts on one side, and how the workers' counts become one.
 *
 * All of it are sums, or the first of something by the order of the source: merging is the same in
 * any order.
 *
 * Threads:   a tally is its worker's until that has ended.
 * Ownership: init/finish; what has been taken out is the taker's.
 */
#ifndef RWD_BACKTEST_TALLY_H
#define RWD_BACKTEST_TALLY_H

#include "backtest/book.h"
#include "backtest/result.h"

struct rwd_backtest_tally {
    struct rwd_backtest_side side;
    size_t day_capacity;
    size_t day_at; /* the day of the last event: mostly the next one's too */
    size_t pool_day_capacity;
    const struct rwd_rule *rule;
    const struct rwd_rulebook *rulebook;
    struct rwd_pools *pools;
};

void rwd_backtest_tally_init(struct rwd_backtest_tally *tally, const struct rwd_backtest_book *book,
    struct rwd_pools *pools);
void rwd_backtest_tally_finish(struct rwd_backtest_tally *tally);

enum { RWD_BACKTEST_NOT_ASKED = -1 };

/* An event was decided for good. verdict: what became of the rule, enum rwd_rule_verdict, or
 * NOT_ASKED: it does not want events of that name. reward_count and cost_minor are added to:
 * the player's. */
void rwd_backtest_tally_decision(struct rwd_backtest_tally *tally, uint64_t event_no,
    const struct rwd_event *event, const struct rwd_decision *decision, int verdict,
    uint64_t *reward_count, int64_t *cost_minor);
/* Money of a task went back to its pool. */
void rwd_backtest_tally_returned(
    struct rwd_backtest_tally *tally, const struct rwd_task *task, int64_t time_ms);
void rwd_backtest_tally_error(
    struct rwd_backtest_tally *tally, uint64_t event_no, const struct rwd_error *error);

void rwd_backtest_tally_merge(
    struct rwd_backtest_tally *into, const struct rwd_backtest_tally *from);
/* All are in: fills in what follows from the whole (periods of the pools), and gives the side away.
 */
void rwd_backtest_tally_take(struct rwd_backtest_tally *tally, struct rwd_backtest_side *side);

#endif
