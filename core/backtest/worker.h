/*
 * worker: one thread of a backtest: decides and applies the events of its players, on each side.
 *
 * An event is decided with pools that refuse nothing. Most decisions ask no pool, and that was it.
 * One that makes a task, or looks again at a hold, is thrown away, waits until all inputs before it
 * are done by whoever owns them, and is made anew with the pools that count: so these are asked in
 * the order of the source. What decides whether a pool is asked depends on no pool, hence the two
 * decisions agree on it. With one worker all is in order already, and nothing is decided twice.
 *
 * Rules in event time: what waits of a player is decided here as it is live, behind the event that
 * made it due, or at the inputs that stand for time (source.h).
 *
 * Threads:   run is the thread's function; create, destroy and the accessors are the reader's,
 *            before it runs and after it has ended.
 * Ownership: create/destroy; the course outlives its workers.
 */
#ifndef RWD_BACKTEST_WORKER_H
#define RWD_BACKTEST_WORKER_H

#include "backtest/backtest.h"
#include "backtest/block.h"
#include "backtest/book.h"
#include "backtest/crowd.h"
#include "backtest/tally.h"
#include "decide/gates.h"

/* How far a worker is: all its inputs below it are done. Far enough from the next one's that they
 * do not share a cache line. */
struct rwd_backtest_place {
    _Atomic uint64_t done;
    char apart[120];
};

/* What the workers of a run share. */
struct rwd_backtest_course {
    struct rwd_gates gates;
    struct rwd_ruleset_limits limits;
    int64_t since_ms;
    int64_t until_ms;
    size_t side_count;
    struct rwd_backtest_book books[RWD_BACKTEST_SIDE_COUNT_MAX];
    struct rwd_pools *pools[RWD_BACKTEST_SIDE_COUNT_MAX];
    uint32_t worker_count;
    struct rwd_backtest_place places[RWD_BACKTEST_WORKER_COUNT_MAX];
    _Atomic uint64_t player_count;
    _Atomic bool failed; /* somebody cannot go on: nobody waits any more */
};

enum rwd_backtest_message {
    RWD_BACKTEST_BLOCK, /* struct rwd_backtest_handover */
    RWD_BACKTEST_STOP,  /* struct rwd_message */
};

/* Of one worker; those of all are added up. */
struct rwd_backtest_counts {
    uint64_t events;
    uint64_t before;
    uint64_t after;
    uint64_t duplicates;
    uint64_t late;
    uint64_t commands;
    uint64_t commands_unmatched;
    int64_t first_event_ms; /* of all events but those before since and after until */
    int64_t last_event_ms;
    int64_t seen_first_ms; /* of all: what range there would have been */
    int64_t seen_last_ms;
};

struct rwd_backtest_worker;

struct rwd_backtest_worker *rwd_backtest_worker_create(
    struct rwd_backtest_course *course, uint32_t index);
void rwd_backtest_worker_destroy(struct rwd_backtest_worker *worker);
struct rwd_mailbox *rwd_backtest_worker_mailbox(struct rwd_backtest_worker *worker);
/* Needs RWD_SANDBOX_STACK_SIZE. Returns after RWD_BACKTEST_STOP. */
void rwd_backtest_worker_run(void *worker);

/* Anything but OK: it could not go on, *error says at which input. */
enum rwd_status rwd_backtest_worker_status(
    const struct rwd_backtest_worker *worker, struct rwd_error *error);
const struct rwd_backtest_counts *rwd_backtest_worker_counts(
    const struct rwd_backtest_worker *worker);
const struct rwd_backtest_tally *rwd_backtest_worker_tally(
    const struct rwd_backtest_worker *worker, size_t side);
const struct rwd_backtest_crowd *rwd_backtest_worker_crowd(
    const struct rwd_backtest_worker *worker);

#endif
