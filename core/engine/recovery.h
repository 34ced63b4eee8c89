/*
 * recovery: from what is on disk to where the process left off. Runs before any thread but the main
 * one.
 *
 * The tables stand at a position; the journal's tail behind it is replayed through apply (rules are
 * not run again), and each player's own sequence tells which records it has already. A lost store
 * is a position of zero: the whole journal is replayed, with checkpoints on the way so that memory
 * stays bounded.
 */
#ifndef RWD_ENGINE_RECOVERY_H
#define RWD_ENGINE_RECOVERY_H

#include "engine/keeper.h"
#include "engine/shard.h"

struct rwd_recovery {
    const char *journal_dir;
    struct rwd_store *store;
    struct rwd_store_reader *reader;
    struct rwd_pools *pools;
    struct rwd_directory *directory;
    struct rwd_keeper *keeper;
    struct rwd_shard **shards;
    const uint8_t *fingerprint_key;
    uint32_t shard_count;
    uint64_t position; /* where the store stands */
    uint64_t journal_end;
    uint64_t checkpoint_record_count; /* replayed between two checkpoints */
};

/* Pools, rules, rulebooks, and who has waiting events, as the store has them. */
RWD_MUST_USE enum rwd_status rwd_recover_tables(
    const struct rwd_recovery *recovery, struct rwd_error *error);
/* The journal's tail. *record_count: how many records it had; *position: where the store stands
 * now, which the shards know of. */
RWD_MUST_USE enum rwd_status rwd_recover_tail(const struct rwd_recovery *recovery,
    uint64_t *record_count, uint64_t *position, struct rwd_error *error);

#endif
