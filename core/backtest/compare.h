/*
 * compare: from the players of all workers to who won, who lost, and how points are spread.
 *
 * Threads: one, when the workers have ended.
 */
#ifndef RWD_BACKTEST_COMPARE_H
#define RWD_BACKTEST_COMPARE_H

#include "backtest/crowd.h"

/* Fills in winners, losers, player counts and the spread of points of the result, whose sides are
 * there with their rule's currency. rule_no: of the rule in question. */
void rwd_backtest_compare(const struct rwd_backtest_crowd *const *crowds, size_t crowd_count,
    uint32_t rule_no, struct rwd_backtest_result *result);

#endif
