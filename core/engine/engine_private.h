/*
 * engine_private: the supervisor's rooms. For engine.c, and for the simulator (tests/sim), which
 * opens and recovers an engine as the process does and then takes the rooms' turns itself, in one
 * thread.
 *
 * Threads and ownership: as engine.h says.
 */
#ifndef RWD_ENGINE_ENGINE_PRIVATE_H
#define RWD_ENGINE_ENGINE_PRIVATE_H

#include "decide/gates.h"
#include "engine/engine.h"
#include "runtime/thread.h"

enum { RWD_ENGINE_PATH_SIZE_MAX = 2048, RWD_ENGINE_SHARD_COUNT_MAX = 64 };

struct rwd_engine {
    const struct rwd_config *config;
    struct rwd_clock clock;
    struct rwd_gates gates;
    uint8_t fingerprint_key[RWD_SIPHASH_KEY_SIZE];
    char journal_dir[RWD_ENGINE_PATH_SIZE_MAX];
    char store_url[RWD_ENGINE_PATH_SIZE_MAX];
    struct rwd_schema_registry *schemas;
    struct rwd_pools *pools;
    struct rwd_directory *directory;
    struct rwd_journal_writer *writer;
    struct rwd_store *store;
    struct rwd_store_reader *reader;
    struct rwd_journal_thread *journal;
    struct rwd_projector *projector;
    struct rwd_dispatcher *dispatcher;
    struct rwd_query *query;
    struct rwd_keeper *keeper;
    struct rwd_in_flight *in_flight;
    struct rwd_results *results;
    uint32_t shard_count;
    struct rwd_shard *shards[RWD_ENGINE_SHARD_COUNT_MAX];
    struct rwd_mailbox *shard_mailboxes[RWD_ENGINE_SHARD_COUNT_MAX];
    const struct rwd_rule_counters *rule_counters[RWD_ENGINE_SHARD_COUNT_MAX];
    struct rwd_thread shard_threads[RWD_ENGINE_SHARD_COUNT_MAX];
    struct rwd_thread journal_thread;
    struct rwd_thread tender_thread;
    struct rwd_thread projector_thread;
    struct rwd_thread dispatcher_thread;
    struct rwd_thread query_thread;
    struct rwd_thread keeper_thread;
    struct rwd_thread results_thread;
    struct rwd_thread io_thread;
    struct rwd_engine_io io;
    _Atomic uint64_t sequence;
    _Atomic uint64_t journal_end;
    _Atomic bool ready;
    _Atomic bool draining;
};

#endif
