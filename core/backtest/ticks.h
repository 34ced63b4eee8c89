/*
 * ticks: when time alone makes a player's waiting events due, on the clock of history.
 *
 * For books with rules in event time. Who waits is the workers' to know; here every player whose
 * events came the reorder window ago gets a tick, in the one order that all workers keep to. Events
 * that waited when they happened, too, are not released by a tick: the journal has a record of
 * that, and what it gives is to be what was given then. Only those that the journal's end found
 * waiting get a last tick.
 *
 * Threads:   the reader's.
 * Ownership: create/destroy; a tick's text is borrowed until the next call.
 */
#ifndef RWD_BACKTEST_TICKS_H
#define RWD_BACKTEST_TICKS_H

#include "base/text.h"

struct rwd_backtest_tick {
    struct rwd_text user_id;
    uint64_t user_fingerprint;
    int64_t due_ms;
    bool is_last; /* whatever waits of the player */
};

struct rwd_backtest_ticks;

struct rwd_backtest_ticks *rwd_backtest_ticks_create(int64_t window_ms);
/* NULL is ignored. */
void rwd_backtest_ticks_destroy(struct rwd_backtest_ticks *ticks);

/* An event came. waited: a record of its release follows. */
void rwd_backtest_ticks_event(struct rwd_backtest_ticks *ticks, struct rwd_text user_id,
    uint64_t user_fingerprint, int64_t now_ms, bool waited);
/* That record. */
void rwd_backtest_ticks_release(
    struct rwd_backtest_ticks *ticks, struct rwd_text user_id, uint64_t user_fingerprint);
/* Is one due by clock_ms? INT64_MAX: history has ended. */
bool rwd_backtest_ticks_due(const struct rwd_backtest_ticks *ticks, int64_t clock_ms);
/* Takes the next; there has to be one. */
struct rwd_backtest_tick rwd_backtest_ticks_take(struct rwd_backtest_ticks *ticks);

#endif
