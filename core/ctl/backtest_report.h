/*
 * backtest_report: a backtest's result as text for a terminal, as JSON for programs, and as one
 * page with plots for a meeting.
 *
 * Pure: result in, bytes out. None of it tells how long the run took or on how many threads: the
 * same run gives the same bytes.
 */
#ifndef RWD_CTL_BACKTEST_REPORT_H
#define RWD_CTL_BACKTEST_REPORT_H

#include "backtest/result.h"

void rwd_backtest_put_text(const struct rwd_backtest_result *result, struct rwd_buffer *out);
/* One object; money as decimal strings beside its currency. rewardctl rules backtest --help says
 * what is in it. */
void rwd_backtest_put_json(const struct rwd_backtest_result *result, struct rwd_buffer *out);
/* Self-contained: styles and SVG inside, nothing fetched, no script. */
void rwd_backtest_put_page(const struct rwd_backtest_result *result, struct rwd_buffer *out);

/* ---- what the three share ---- */

/* "2025-11-01" of days since 1970. */
enum { RWD_DAY_TEXT_SIZE = 11 };
void rwd_backtest_day_text(int32_t day, char out[RWD_DAY_TEXT_SIZE]);
/* "2025-11-01" or "week of 2025-10-27"; "season". */
void rwd_backtest_put_period(enum rwd_pool_period kind, int32_t period, struct rwd_buffer *out);
/* "12.50", in the currency's own digits. */
void rwd_backtest_put_money(int64_t minor, struct rwd_currency currency, struct rwd_buffer *out);
/* With its sign. */
void rwd_backtest_put_difference(
    int64_t minor, struct rwd_currency currency, struct rwd_buffer *out);

#endif
