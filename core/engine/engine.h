/*
 * engine: the supervisor. Opens store and journal, recovers, makes the rooms and their threads,
 * stops them.
 *
 *   journal    one      appends, syncs, sends batches home
 *   shard/N    some     decide and apply
 *   projector  one      checkpoints into the store
 *   dispatcher one      delivers rewards
 *   query      one      answers the API from store and journal
 *   results    one      follows the journal for the statistics of experiments
 *   main       the process's own: signals, and the keeper of rules
 *   io         the edge's, started through rwd_engine_start
 *
 * Threads are created here and nowhere else. What this header hands out may be used from the io
 * thread.
 *
 * Ownership: create/destroy. Accessors are borrowed until destroy.
 */
#ifndef RWD_ENGINE_ENGINE_H
#define RWD_ENGINE_ENGINE_H

#include "domain/schema.h"
#include "engine/inquiry.h"
#include "engine/shard.h"

struct rwd_engine;

/* Opens everything and replays the journal's tail. INVALID: something in the configuration or the
 * data folder; CORRUPT: damage, error says where and what to do; CONFLICT: another process has the
 * journal. */
RWD_MUST_USE enum rwd_status rwd_engine_create(const struct rwd_config *config,
    struct rwd_clock clock, struct rwd_engine **engine, struct rwd_error *error);
void rwd_engine_destroy(struct rwd_engine *engine);

/* Starts all threads, then reads the rules folder. The edge's thread runs io_run(io_context) until
 * rwd_engine_stop has told it to end through io_stop, called from the main thread. */
struct rwd_engine_io {
    void (*run)(void *context);
    void (*stop)(void *context);
    void *context;
};
RWD_MUST_USE enum rwd_status rwd_engine_start(
    struct rwd_engine *engine, const struct rwd_engine_io *io, struct rwd_error *error);
/* Serves the main thread: signals and the keeper, until SIGTERM or SIGINT; then drains and joins
 * all. */
void rwd_engine_run(struct rwd_engine *engine);

/* Rules are loaded and events can be taken. */
bool rwd_engine_is_ready(const struct rwd_engine *engine);
/* Why no events can be taken just now ("journal_full", "draining", "starting"); NULL: they can. */
const char *rwd_engine_refusal(const struct rwd_engine *engine);

const struct rwd_config *rwd_engine_config(const struct rwd_engine *engine);
const struct rwd_schema_registry *rwd_engine_schemas(const struct rwd_engine *engine);
const struct rwd_directory *rwd_engine_directory(const struct rwd_engine *engine);
const struct rwd_pools *rwd_engine_pools(const struct rwd_engine *engine);
const uint8_t *rwd_engine_fingerprint_key(const struct rwd_engine *engine);
struct rwd_clock rwd_engine_clock(const struct rwd_engine *engine);

uint32_t rwd_engine_shard_count(const struct rwd_engine *engine);
uint32_t rwd_engine_shard_of(const struct rwd_engine *engine, uint64_t user_fingerprint);
/* Gives the batch to its shard; it comes back to batch->home. BUSY: the shard's mailbox is full. */
RWD_MUST_USE enum rwd_status rwd_engine_submit(struct rwd_engine *engine, struct rwd_batch *batch);
/* Gives the inquiry to who can answer it; it comes back to inquiry->home. BUSY: too many wait. */
RWD_MUST_USE enum rwd_status rwd_engine_ask(struct rwd_engine *engine, struct rwd_inquiry *inquiry);

/* What threads counted; see metrics.h. */
struct rwd_shard_metrics *rwd_engine_shard_metrics(struct rwd_engine *engine, uint32_t shard);
struct rwd_journal_metrics *rwd_engine_journal_metrics(struct rwd_engine *engine);
struct rwd_projector_metrics *rwd_engine_projector_metrics(struct rwd_engine *engine);
struct rwd_dispatcher_metrics *rwd_engine_dispatcher_metrics(struct rwd_engine *engine);
/* Messages that wait: "shard0".."shardN", "journal", "projector", "dispatcher", "query", "keeper",
 * "results".
 */
size_t rwd_engine_queue_depth(struct rwd_engine *engine, size_t index, char name[16]);
size_t rwd_engine_queue_count(const struct rwd_engine *engine);
/* Rule counters for the metrics page, one row a registered version with calls: text in Prometheus
 * form. */
void rwd_engine_put_rule_metrics(struct rwd_engine *engine, struct rwd_buffer *out);

#endif
