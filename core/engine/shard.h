/*
 * shard: one thread that owns some of the players and decides for them.
 *
 * Every user id is hashed to one shard, so one user is always handled in order by one thread. A
 * shard takes batches, decides and applies each input in memory, writes the records the journal is
 * to keep, and passes the batch on to the journal; nobody is told anything before the batch is
 * home, durable. Every checkpoint_interval it hands changed players to the projector, which walk
 * the same way.
 *
 * Threads:   post to its mailbox from any thread; replay before it runs; all else is its own.
 * Ownership: create/destroy; what options point to is borrowed and outlives the shard.
 */
#ifndef RWD_ENGINE_SHARD_H
#define RWD_ENGINE_SHARD_H

#include "base/clock.h"
#include "domain/config.h"
#include "engine/batch.h"
#include "engine/checkpoint.h"
#include "engine/directory.h"
#include "engine/in_flight.h"
#include "engine/metrics.h"
#include "engine/rule_stats.h"
#include "script/ruleset.h"

#include <stdatomic.h>

enum rwd_shard_message {
    RWD_SHARD_BATCH,      /* struct rwd_batch */
    RWD_SHARD_DURABLE,    /* struct rwd_batch of budgets: journaled, and on its way home */
    RWD_SHARD_CHECKPOINT, /* struct rwd_checkpoint_message, committed and on its way home */
    RWD_SHARD_RULEBOOK,   /* struct rwd_rulebook_message */
    RWD_SHARD_RELEASED,   /* struct rwd_batch of the shard's own: journaled */
    RWD_SHARD_STOP,       /* struct rwd_message: store everything, then end */
};

/* Gives the shard a reference to the rulebook. */
struct rwd_rulebook_message {
    struct rwd_message message;
    struct rwd_rulebook *rulebook;
};

struct rwd_shard_options {
    uint32_t index;
    const struct rwd_config *config;
    const struct rwd_gates *gates;
    struct rwd_pools *pools;
    const struct rwd_directory *directory;
    const char *store_url;
    struct rwd_clock clock;
    uint8_t fingerprint_key[RWD_SIPHASH_KEY_SIZE];
    struct rwd_mailbox *journal;
    struct rwd_mailbox *keeper;      /* is told of suspensions */
    _Atomic uint64_t *sequence;      /* of the last record, over all shards */
    _Atomic uint64_t *journal_end;   /* the journal's end, as published */
    uint64_t replay_position;        /* where the store stood at start */
    struct rwd_in_flight *in_flight; /* NULL: a crash tells nobody which rule it was in */
};

struct rwd_shard;

/* UNAVAILABLE: the store cannot be read. */
RWD_MUST_USE enum rwd_status rwd_shard_create(
    const struct rwd_shard_options *options, struct rwd_shard **shard, struct rwd_error *error);
void rwd_shard_destroy(struct rwd_shard *shard);

struct rwd_mailbox *rwd_shard_mailbox(struct rwd_shard *shard);
struct rwd_shard_metrics *rwd_shard_metrics(struct rwd_shard *shard);
/* RWD_RULE_COUNTER_COUNT of them; versions past that are not counted. Any thread may read. */
const struct rwd_rule_counters *rwd_shard_rule_counters(const struct rwd_shard *shard);

/* Applies a record of the journal's tail to this shard's players, where the player has not got it
 * yet. Before the shard runs. CORRUPT: the record cannot be read. */
RWD_MUST_USE enum rwd_status rwd_shard_replay(
    struct rwd_shard *shard, const struct rwd_record *record, struct rwd_error *error);

/* A rule version in a state that a replayed rulebook gave it. Before the shard runs. */
void rwd_shard_replay_rule_version(struct rwd_shard *shard, const struct rwd_rule_version_row *row);

/* A player of this shard with waiting events, as the store has it. Before the tail is replayed. */
void rwd_shard_replay_waiting(
    struct rwd_shard *shard, const struct rwd_waiting_row *row, uint64_t user_fingerprint);

/* Writes all that was replayed into the store, then keeps no more players than its hot limit.
 * Before the shard runs. */
RWD_MUST_USE enum rwd_status rwd_shard_store_replayed(
    struct rwd_shard *shard, struct rwd_store *store, struct rwd_error *error);

/* The store has everything before position. Before the shard runs. */
void rwd_shard_stored_to(struct rwd_shard *shard, uint64_t position);

/* One turn: takes what came, waiting for it *wait_ms at most (below 0: for ever), decides, and
 * tends the checkpoint. *wait_ms: how long the next turn may wait. False: stopped, and all is
 * stored. */
RWD_MUST_USE bool rwd_shard_turn(struct rwd_shard *shard, int *wait_ms);
/* The thread's function: turns until RWD_SHARD_STOP. */
void rwd_shard_run(void *shard);

#endif
