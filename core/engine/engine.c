#include "engine/engine_private.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/dispatcher.h"
#include "engine/journal_thread.h"
#include "engine/keeper.h"
#include "engine/projector.h"
#include "engine/query.h"
#include "engine/recovery.h"
#include "engine/results.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening ---- */

static enum rwd_status make_folder(const char *path, struct rwd_error *error)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return rwd_fail(error, RWD_UNAVAILABLE, "cannot make folder %s: %s", path, strerror(errno));
    }
    return RWD_OK;
}

/* The key of all fingerprints: made once, lives and dies with the data. Without it no event of the
 * journal could be told from a new one, so a journal without its key is not opened. */
static enum rwd_status load_key(struct rwd_engine *engine, struct rwd_error *error)
{
    char path[RWD_ENGINE_PATH_SIZE_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/fingerprint.key", engine->config->data_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t size = read(fd, engine->fingerprint_key, sizeof engine->fingerprint_key);
        (void)close(fd);
        return size == (ssize_t)sizeof engine->fingerprint_key
                   ? RWD_OK
                   : rwd_fail(
                         error, RWD_CORRUPT, "%s is cut short; restore it from a backup", path);
    }
    if (access(engine->journal_dir, F_OK) == 0) {
        return rwd_fail(error, RWD_CORRUPT,
            "%s is missing beside an existing journal; restore it from a backup", path);
    }
    rwd_random_bytes(engine->fingerprint_key, sizeof engine->fingerprint_key);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written =
        fd >= 0 &&
        write(fd, engine->fingerprint_key, RWD_SIPHASH_KEY_SIZE) == RWD_SIPHASH_KEY_SIZE &&
        fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return written ? RWD_OK
                   : rwd_fail(error, RWD_UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
}

static enum rwd_status open_in_flight(struct rwd_engine *engine, struct rwd_error *error)
{
    enum rwd_status status = rwd_in_flight_open(
        engine->config->data_dir, rwd_clock_wall_ms(&engine->clock), &engine->in_flight, error);
    struct rwd_in_flight_crash crash;
    for (size_t i = 0; status == RWD_OK && i < rwd_in_flight_new_count(engine->in_flight); i++) {
        if (rwd_in_flight_crash(engine->in_flight, i, &crash)) {
            rwd_log(RWD_LOG_ERROR, "engine",
                "version_no=%u shard=%u signal=%u msg=\"the last process died in a rule; twice "
                "within ten minutes, and the rule is quarantined\"",
                crash.version_no, crash.shard, crash.signal);
        }
    }
    return status;
}

static enum rwd_status open_data(struct rwd_engine *engine, struct rwd_error *error)
{
    const struct rwd_config *config = engine->config;
    char schemas_dir[RWD_ENGINE_PATH_SIZE_MAX];
    (void)snprintf(schemas_dir, sizeof schemas_dir, "%s%s",
        config->schemas_dir[0] != '\0' ? config->schemas_dir : config->rules_dir,
        config->schemas_dir[0] != '\0' ? "" : "/schemas");
    (void)snprintf(engine->journal_dir, sizeof engine->journal_dir, "%s/journal", config->data_dir);
    if (config->store_url[0] != '\0') {
        (void)snprintf(engine->store_url, sizeof engine->store_url, "%s", config->store_url);
    } else {
        (void)snprintf(engine->store_url, sizeof engine->store_url, "sqlite:%s/rewardd.sqlite3",
            config->data_dir);
    }
    enum rwd_status status = rwd_schema_registry_load(schemas_dir, &engine->schemas, error);
    if (status == RWD_OK) {
        status = make_folder(config->data_dir, error);
    }
    if (status == RWD_OK) {
        status = load_key(engine, error);
    }
    if (status == RWD_OK) {
        status = rwd_store_open(engine->store_url, &engine->store, error);
    }
    if (status == RWD_OK) {
        status = rwd_store_reader_open(engine->store_url, &engine->reader, error);
    }
    const struct rwd_journal_options journal = {.dir = engine->journal_dir,
        .segment_size = (uint64_t)config->journal_segment_size_mib << 20};
    if (status == RWD_OK) {
        status = rwd_journal_open(&journal, &engine->writer, error);
    }
    /* Behind the journal, which is locked: another process's cells are not ours to clear. */
    return status == RWD_OK ? open_in_flight(engine, error) : status;
}

static enum rwd_status make_shards(
    struct rwd_engine *engine, uint64_t replay_position, struct rwd_error *error)
{
    struct rwd_shard_options options = {.config = engine->config,
        .gates = &engine->gates,
        .pools = engine->pools,
        .directory = engine->directory,
        .store_url = engine->store_url,
        .clock = engine->clock,
        .journal = rwd_journal_thread_mailbox(engine->journal),
        .keeper = rwd_keeper_mailbox(engine->keeper),
        .sequence = &engine->sequence,
        .journal_end = &engine->journal_end,
        .replay_position = replay_position,
        .in_flight = engine->in_flight};
    memcpy(options.fingerprint_key, engine->fingerprint_key, sizeof options.fingerprint_key);
    for (uint32_t i = 0; i < engine->shard_count; i++) {
        options.index = i;
        enum rwd_status status = rwd_shard_create(&options, &engine->shards[i], error);
        if (status != RWD_OK) {
            return status;
        }
        engine->shard_mailboxes[i] = rwd_shard_mailbox(engine->shards[i]);
        engine->rule_counters[i] = rwd_shard_rule_counters(engine->shards[i]);
    }
    return RWD_OK;
}

static enum rwd_status make_rooms(
    struct rwd_engine *engine, uint64_t position, struct rwd_error *error)
{
    const struct rwd_dispatcher_options dispatcher = {.config = engine->config,
        .clock = engine->clock,
        .store_url = engine->store_url,
        .directory = engine->directory,
        .fingerprint_key = engine->fingerprint_key,
        .shards = engine->shard_mailboxes,
        .shard_count = engine->shard_count};
    enum rwd_status status = rwd_dispatcher_create(&dispatcher, &engine->dispatcher, error);
    if (status == RWD_OK) {
        engine->projector = rwd_projector_create(engine->store, engine->clock, engine->shard_count,
            position, rwd_dispatcher_mailbox(engine->dispatcher), RWD_DISPATCHER_WAKE);
        engine->journal = rwd_journal_thread_create(engine->writer, engine->clock,
            rwd_projector_mailbox(engine->projector), &engine->journal_end);
        status = make_shards(engine, position, error);
    }
    if (status == RWD_OK) {
        const struct rwd_query_options query = {.store_url = engine->store_url,
            .journal_dir = engine->journal_dir,
            .directory = engine->directory,
            .fingerprint_key = engine->fingerprint_key,
            .reorder_window_ms = engine->gates.reorder_window_ms,
            .journal_end = &engine->journal_end,
            .stored_end = &rwd_projector_metrics(engine->projector)->stored_end,
            .stored_position = &rwd_projector_metrics(engine->projector)->position,
            .keeper = rwd_keeper_mailbox(engine->keeper)};
        status = rwd_query_create(&query, &engine->query, error);
        const struct rwd_results_options results = {.config = engine->config,
            .journal_dir = engine->journal_dir,
            .directory = engine->directory,
            .fingerprint_key = engine->fingerprint_key,
            .journal_end = &engine->journal_end};
        engine->results = rwd_results_create(&results);
    }
    return status;
}

static enum rwd_status recover(struct rwd_engine *engine, struct rwd_error *error)
{
    uint64_t position = 0;
    uint64_t sequence = 0;
    enum rwd_status status = rwd_store_position(engine->reader, &position, &sequence, error);
    if (status != RWD_OK) {
        return status;
    }
    uint64_t journaled = rwd_journal_sequence_last(engine->writer);
    atomic_store(&engine->sequence, journaled > sequence ? journaled : sequence);
    atomic_store(&engine->journal_end, rwd_journal_durable(engine->writer));
    status = make_rooms(engine, position, error);
    if (status != RWD_OK) {
        return status;
    }
    const struct rwd_recovery recovery = {.journal_dir = engine->journal_dir,
        .store = engine->store,
        .reader = engine->reader,
        .pools = engine->pools,
        .directory = engine->directory,
        .keeper = engine->keeper,
        .shards = engine->shards,
        .fingerprint_key = engine->fingerprint_key,
        .shard_count = engine->shard_count,
        .checkpoint_record_count =
            (uint64_t)engine->config->engine_recovery_checkpoint_record_count,
        .position = position,
        .journal_end = rwd_journal_durable(engine->writer)};
    uint64_t records = 0;
    uint64_t stored = 0;
    int64_t begin_ns = rwd_clock_monotonic_ns(&engine->clock);
    status = rwd_recover_tables(&recovery, error);
    if (status == RWD_OK) {
        status = rwd_recover_tail(&recovery, &records, &stored, error);
    }
    if (status == RWD_OK) {
        rwd_projector_stored_to(engine->projector, stored);
        rwd_log(RWD_LOG_INFO, "recovery",
            "store_position=%" PRIu64 " journal_end=%" PRIu64 " records=%" PRIu64
            " took_ms=%" PRId64,
            position, recovery.journal_end, records,
            (rwd_clock_monotonic_ns(&engine->clock) - begin_ns) / 1000000);
    }
    return status;
}

enum rwd_status rwd_engine_create(const struct rwd_config *config, struct rwd_clock clock,
    struct rwd_engine **engine, struct rwd_error *error)
{
    struct rwd_engine *made = rwd_new(sizeof *made);
    made->config = config;
    made->clock = clock;
    made->gates = rwd_gates_of(config);
    made->shard_count = (uint32_t)config->engine_shards;
    RWD_REQUIRE(made->shard_count > 0 && made->shard_count <= RWD_ENGINE_SHARD_COUNT_MAX);
    made->pools = rwd_pools_create();
    made->directory = rwd_directory_create();
    const struct rwd_keeper_options keeper = {.config = config,
        .gates = &made->gates,
        .pools = made->pools,
        .clock = clock,
        .directory = made->directory,
        .shards = made->shard_mailboxes,
        .rule_counters = made->rule_counters,
        .shard_count = made->shard_count,
        .started_ms = rwd_clock_wall_ms(&clock),
        .ready = &made->ready,
        .in_flight = &made->in_flight};
    made->keeper = rwd_keeper_create(&keeper);
    enum rwd_status status = open_data(made, error);
    if (status == RWD_OK) {
        status = recover(made, error);
    }
    if (status != RWD_OK) {
        rwd_engine_destroy(made);
        return status;
    }
    *engine = made;
    return RWD_OK;
}

void rwd_engine_destroy(struct rwd_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    rwd_keeper_destroy(engine->keeper);
    for (uint32_t i = 0; i < engine->shard_count; i++) {
        rwd_shard_destroy(engine->shards[i]);
    }
    rwd_journal_thread_destroy(engine->journal);
    rwd_projector_destroy(engine->projector);
    rwd_dispatcher_destroy(engine->dispatcher);
    rwd_query_destroy(engine->query);
    rwd_results_destroy(engine->results);
    rwd_journal_close(engine->writer);
    rwd_store_reader_close(engine->reader);
    rwd_store_close(engine->store);
    rwd_schema_registry_destroy(engine->schemas);
    rwd_directory_destroy(engine->directory);
    rwd_pools_destroy(engine->pools);
    rwd_in_flight_close(engine->in_flight);
    rwd_free(engine);
}

/* ---- running ---- */

enum rwd_status rwd_engine_start(
    struct rwd_engine *engine, const struct rwd_engine_io *io, struct rwd_error *error)
{
    engine->io = *io;
    enum rwd_status status = rwd_thread_start(
        &engine->journal_thread, "journal", 0, rwd_journal_thread_run, engine->journal, error);
    if (status == RWD_OK) {
        status = rwd_thread_start(
            &engine->tender_thread, "tender", 0, rwd_journal_thread_tend, engine->journal, error);
    }
    if (status == RWD_OK) {
        status = rwd_thread_start(
            &engine->projector_thread, "projector", 0, rwd_projector_run, engine->projector, error);
    }
    for (uint32_t i = 0; status == RWD_OK && i < engine->shard_count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "shard%u", i);
        status = rwd_thread_start(&engine->shard_threads[i], name, RWD_SANDBOX_STACK_SIZE,
            rwd_shard_run, engine->shards[i], error);
    }
    if (status == RWD_OK) {
        status = rwd_thread_start(&engine->keeper_thread, "keeper", RWD_SANDBOX_STACK_SIZE,
            rwd_keeper_run, engine->keeper, error);
    }
    if (status == RWD_OK) {
        status = rwd_thread_start(&engine->dispatcher_thread, "dispatcher", 0, rwd_dispatcher_run,
            engine->dispatcher, error);
    }
    if (status == RWD_OK) {
        status = rwd_thread_start(
            &engine->query_thread, "query", 0, rwd_query_run, engine->query, error);
    }
    if (status == RWD_OK) {
        status = rwd_thread_start(&engine->results_thread, "results", RWD_SANDBOX_STACK_SIZE,
            rwd_results_run, engine->results, error);
    }
    if (status == RWD_OK) {
        status = rwd_thread_start(&engine->io_thread, "io", 0, io->run, io->context, error);
    }
    return status;
}

static void stop_thread(struct rwd_mailbox *mailbox, uint32_t kind, struct rwd_thread *thread)
{
    struct rwd_message *stop = rwd_new(sizeof *stop);
    stop->kind = kind;
    rwd_mailbox_return(mailbox, stop);
    rwd_thread_join(thread);
}

/* Along the way of the data: nothing is stopped before all that could still send to it. */
static void stop(struct rwd_engine *engine)
{
    atomic_store(&engine->draining, true);
    engine->io.stop(engine->io.context);
    rwd_thread_join(&engine->io_thread);
    stop_thread(rwd_query_mailbox(engine->query), RWD_QUERY_STOP, &engine->query_thread);
    stop_thread(rwd_keeper_mailbox(engine->keeper), RWD_KEEPER_STOP, &engine->keeper_thread);
    stop_thread(rwd_dispatcher_mailbox(engine->dispatcher), RWD_DISPATCHER_STOP,
        &engine->dispatcher_thread);
    stop_thread(rwd_results_mailbox(engine->results), RWD_RESULTS_STOP, &engine->results_thread);
    for (uint32_t i = 0; i < engine->shard_count; i++) {
        stop_thread(engine->shard_mailboxes[i], RWD_SHARD_STOP, &engine->shard_threads[i]);
    }
    stop_thread(
        rwd_journal_thread_tend_mailbox(engine->journal), RWD_JOURNAL_STOP, &engine->tender_thread);
    stop_thread(
        rwd_journal_thread_mailbox(engine->journal), RWD_JOURNAL_STOP, &engine->journal_thread);
    stop_thread(
        rwd_projector_mailbox(engine->projector), RWD_PROJECTOR_STOP, &engine->projector_thread);
}

void rwd_engine_run(struct rwd_engine *engine)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC);
    RWD_REQUIRE(fd >= 0);
    for (bool running = true; running;) {
        struct signalfd_siginfo signal_info;
        if (read(fd, &signal_info, sizeof signal_info) != (ssize_t)sizeof signal_info) {
            continue;
        }
        if (signal_info.ssi_signo == SIGHUP) {
            struct rwd_message *scan = rwd_new(sizeof *scan);
            scan->kind = RWD_KEEPER_SCAN;
            rwd_mailbox_return(rwd_keeper_mailbox(engine->keeper), scan);
        } else {
            rwd_log(RWD_LOG_INFO, "main", "signal=%u msg=\"draining\"", signal_info.ssi_signo);
            running = false;
        }
    }
    (void)close(fd);
    stop(engine);
}

/* ---- for the io thread ---- */

bool rwd_engine_is_ready(const struct rwd_engine *engine)
{
    return rwd_engine_refusal(engine) == NULL;
}

const char *rwd_engine_refusal(const struct rwd_engine *engine)
{
    if (atomic_load_explicit(&engine->draining, memory_order_relaxed)) {
        return "draining";
    }
    if (!atomic_load_explicit(&engine->ready, memory_order_acquire)) {
        return "starting";
    }
    if (atomic_load_explicit(
            &rwd_journal_thread_metrics(engine->journal)->full, memory_order_relaxed)) {
        return "journal_full";
    }
    return NULL;
}

const struct rwd_config *rwd_engine_config(const struct rwd_engine *engine)
{
    return engine->config;
}

const struct rwd_schema_registry *rwd_engine_schemas(const struct rwd_engine *engine)
{
    return engine->schemas;
}

const struct rwd_directory *rwd_engine_directory(const struct rwd_engine *engine)
{
    return engine->directory;
}

const struct rwd_pools *rwd_engine_pools(const struct rwd_engine *engine)
{
    return engine->pools;
}

const uint8_t *rwd_engine_fingerprint_key(const struct rwd_engine *engine)
{
    return engine->fingerprint_key;
}

struct rwd_clock rwd_engine_clock(const struct rwd_engine *engine)
{
    return engine->clock;
}

uint32_t rwd_engine_shard_count(const struct rwd_engine *engine)
{
    return engine->shard_count;
}

uint32_t rwd_engine_shard_of(const struct rwd_engine *engine, uint64_t user_fingerprint)
{
    return (uint32_t)(user_fingerprint % engine->shard_count);
}

enum rwd_status rwd_engine_submit(struct rwd_engine *engine, struct rwd_batch *batch)
{
    struct rwd_message *message = &batch->message;
    message->kind = RWD_SHARD_BATCH;
    return rwd_mailbox_post(engine->shard_mailboxes[batch->shard], &message);
}

enum rwd_status rwd_engine_ask(struct rwd_engine *engine, struct rwd_inquiry *inquiry)
{
    struct rwd_message *message = &inquiry->message;
    if (inquiry->kind == RWD_INQUIRY_EXPERIMENTS ||
        inquiry->kind == RWD_INQUIRY_EXPERIMENT_RESULTS) {
        message->kind = RWD_RESULTS_INQUIRY;
        return rwd_mailbox_post(rwd_results_mailbox(engine->results), &message);
    }
    bool for_keeper = inquiry->kind >= RWD_INQUIRY_RULE_UPLOAD;
    message->kind = for_keeper ? (uint32_t)RWD_KEEPER_INQUIRY : (uint32_t)RWD_QUERY_INQUIRY;
    return rwd_mailbox_post(
        for_keeper ? rwd_keeper_mailbox(engine->keeper) : rwd_query_mailbox(engine->query),
        &message);
}

/* ---- metrics ---- */

struct rwd_shard_metrics *rwd_engine_shard_metrics(struct rwd_engine *engine, uint32_t shard)
{
    return rwd_shard_metrics(engine->shards[shard]);
}

struct rwd_journal_metrics *rwd_engine_journal_metrics(struct rwd_engine *engine)
{
    return rwd_journal_thread_metrics(engine->journal);
}

struct rwd_projector_metrics *rwd_engine_projector_metrics(struct rwd_engine *engine)
{
    return rwd_projector_metrics(engine->projector);
}

struct rwd_dispatcher_metrics *rwd_engine_dispatcher_metrics(struct rwd_engine *engine)
{
    return rwd_dispatcher_metrics(engine->dispatcher);
}

size_t rwd_engine_queue_count(const struct rwd_engine *engine)
{
    return engine->shard_count + 6;
}

size_t rwd_engine_queue_depth(struct rwd_engine *engine, size_t index, char name[16])
{
    if (index < engine->shard_count) {
        (void)snprintf(name, 16, "shard%zu", index);
        return rwd_mailbox_depth(engine->shard_mailboxes[index]);
    }
    const struct {
        const char *name;
        struct rwd_mailbox *mailbox;
    } others[] = {
        {"journal", rwd_journal_thread_mailbox(engine->journal)},
        {"projector", rwd_projector_mailbox(engine->projector)},
        {"dispatcher", rwd_dispatcher_mailbox(engine->dispatcher)},
        {"query", rwd_query_mailbox(engine->query)},
        {"keeper", rwd_keeper_mailbox(engine->keeper)},
        {"results", rwd_results_mailbox(engine->results)},
    };
    index -= engine->shard_count;
    (void)snprintf(name, 16, "%s", others[index].name);
    return rwd_mailbox_depth(others[index].mailbox);
}

void rwd_engine_put_rule_metrics(struct rwd_engine *engine, struct rwd_buffer *out)
{
    static const char *const families[][2] = {
        {"rewardd_rule_calls_total", "Events a rule's functions were asked about."},
        {"rewardd_rule_errors_total", "Calls that failed; their effects were dropped."},
        {"rewardd_rule_suspended", "Shards in which the rule is suspended after errors."},
    };
    for (size_t family = 0; family < 3; family++) {
        rwd_buffer_put_format(out, "# HELP %s %s\n# TYPE %s %s\n", families[family][0],
            families[family][1], families[family][0], family < 2 ? "counter" : "gauge");
        for (uint32_t no = 1;
             no <= rwd_directory_count(engine->directory) && no < RWD_RULE_COUNTER_COUNT; no++) {
            const struct rwd_directory_entry *entry = rwd_directory_version(engine->directory, no);
            struct rwd_rule_sums sums =
                rwd_rule_stats_sum(engine->rule_counters, engine->shard_count, no);
            rwd_buffer_put_format(out, "%s{rule=\"%s\",version=\"%s\"} %" PRIu64 "\n",
                families[family][0], entry->rule_id, entry->version,
                family == 0   ? sums.calls
                : family == 1 ? sums.errors
                              : sums.suspended);
        }
    }
}
