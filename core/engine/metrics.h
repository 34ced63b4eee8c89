/*
 * metrics: what each thread counts. One writer a field; the metrics page reads them all at any
 * time.
 */
#ifndef RWD_ENGINE_METRICS_H
#define RWD_ENGINE_METRICS_H

#include "base/histogram.h"
#include "domain/decision.h"

#include <stdbool.h>

struct rwd_shard_metrics {
    _Atomic uint64_t accepted;
    _Atomic uint64_t duplicates;
    _Atomic uint64_t rejected;
    _Atomic uint64_t late;
    _Atomic uint64_t tasks_created;
    _Atomic uint64_t points_granted;
    _Atomic uint64_t hot_players;
    _Atomic uint64_t dirty_players;
    _Atomic uint64_t players_loaded;
    _Atomic uint64_t players_evicted;
    _Atomic uint64_t waiting_events;              /* for rules in event time */
    _Atomic uint64_t released[RWD_RELEASE_COUNT]; /* those decided, by cause */
    struct rwd_histogram decide_ns;               /* one event */
};

struct rwd_journal_metrics {
    _Atomic uint64_t records;
    _Atomic uint64_t bytes;
    _Atomic uint64_t commits;
    _Atomic uint64_t end_position;
    struct rwd_histogram commit_ns;
    _Atomic bool full; /* no room for another segment: the edge answers 503 */
};

struct rwd_projector_metrics {
    _Atomic uint64_t checkpoints;
    _Atomic uint64_t failures;
    _Atomic uint64_t players;
    _Atomic uint64_t position;   /* the store is complete up to here */
    _Atomic uint64_t stored_end; /* tasks, ledger, budgets and dead letters are in up to here */
    _Atomic uint64_t last_ns;    /* how long the last checkpoint took */
    _Atomic int64_t last_at_ms;  /* and when it was */
    struct rwd_histogram checkpoint_ns;
};

struct rwd_dispatcher_metrics {
    _Atomic uint64_t succeeded;
    _Atomic uint64_t retried;
    _Atomic uint64_t failed;
    _Atomic uint64_t held;
    _Atomic uint64_t mismatched;
    _Atomic uint64_t in_flight;
    _Atomic uint64_t breakers_open;
    struct rwd_histogram delivery_ns;
};

#endif
