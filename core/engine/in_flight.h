/*
 * in_flight: which rule version each shard is in the middle of, in a file that outlives the
 * process, so that a rule that kills it is found out and does not kill it for ever.
 *
 * The file is mapped: entering and leaving a rule are two plain stores into the shard's cell, no
 * system call. When the process dies of its own doing (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT:
 * a broken invariant too), a handler marks the cell of the thread that died, and only that one: the
 * rules that other shards were in are not to blame. Nor is any rule where somebody else ended the
 * process (kill -9, out of memory, power): the cell is then not marked.
 *
 * On the next start the marked cells become crashes in the file's history, and a version that has
 * RWD_IN_FLIGHT_CRASH_COUNT of them within RWD_IN_FLIGHT_WINDOW_MS is to be quarantined: the keeper
 * suspends it, in the journal, before anything is decided, then settles it here. History keeps the
 * last RWD_IN_FLIGHT_HISTORY_COUNT crashes. It is no truth: a file that is lost, cut short or not
 * ours is begun anew.
 *
 * Threads:   open, and what it says of crashes, on the main thread before others run, then settle
 *            on the keeper's. A cell belongs to its shard: guard and unguard on its thread.
 * Ownership: open/close.
 */
#ifndef RWD_ENGINE_IN_FLIGHT_H
#define RWD_ENGINE_IN_FLIGHT_H

#include "base/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RWD_IN_FLIGHT_CRASH_COUNT = 2,
    RWD_IN_FLIGHT_WINDOW_MS = 10 * 60 * 1000,
    RWD_IN_FLIGHT_HISTORY_COUNT = 64,
    RWD_IN_FLIGHT_SHARD_COUNT_MAX = 64,
};

struct rwd_in_flight;

/* Maps <data_dir>/in_flight, takes over what the last process left in it, and clears the cells.
 * UNAVAILABLE: the file cannot be made. */
RWD_MUST_USE enum rwd_status rwd_in_flight_open(const char *data_dir, int64_t now_ms,
    struct rwd_in_flight **in_flight, struct rwd_error *error);
/* NULL is ignored. The file stays. */
void rwd_in_flight_close(struct rwd_in_flight *in_flight);

/* Where a shard writes the version number that it calls, and 0 when it is back. */
_Atomic uint32_t *rwd_in_flight_cell(struct rwd_in_flight *in_flight, uint32_t shard);

/* Makes the calling thread's death mark the shard's cell, from a stack of its own: a stack that
 * overflowed is no place for a handler. unguard before the thread ends. */
void rwd_in_flight_guard(struct rwd_in_flight *in_flight, uint32_t shard);
void rwd_in_flight_unguard(struct rwd_in_flight *in_flight, uint32_t shard);

/* A crash of the history. */
struct rwd_in_flight_crash {
    int64_t time_ms;
    uint32_t version_no;
    uint32_t shard;
    uint32_t signal;
    bool settled; /* its version was quarantined because of it */
};

/* How many crashes the last process left: 0 or, one shard dying at a time, 1. */
size_t rwd_in_flight_new_count(const struct rwd_in_flight *in_flight);
/* Newest first; false: there are no more. */
bool rwd_in_flight_crash(
    const struct rwd_in_flight *in_flight, size_t index, struct rwd_in_flight_crash *crash);

/* The versions to be quarantined, one after the other: 0 where there is none after this one (0:
 * the first). */
uint32_t rwd_in_flight_next(const struct rwd_in_flight *in_flight, uint32_t after_version_no);
/* It is suspended, durably; it may be activated again and begins with a clean slate. */
void rwd_in_flight_settle(struct rwd_in_flight *in_flight, uint32_t version_no);

#endif
