#include "backtest/backtest.h"

#include "backtest/compare.h"
#include "backtest/source.h"
#include "backtest/worker.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "runtime/thread.h"

#include <stdio.h>

enum {
    /* How far the reader, and with it the fastest worker, may be ahead of the slowest. */
    BLOCK_COUNT = 8,
    HOME_COUNT_MAX = 64,
    /* A call is held to its instructions, not to this machine's speed. */
    CALL_DEADLINE_MS = 60000,
};

/* A run in the making. */
struct run {
    const struct rwd_backtest_options *options;
    struct rwd_backtest_course *course;
    struct rwd_backtest_source *source;
    struct rwd_mailbox *home;
    struct rwd_backtest_block *blocks[BLOCK_COUNT];
    struct rwd_backtest_block *idle[BLOCK_COUNT];
    size_t idle_count;
    struct rwd_backtest_worker *workers[RWD_BACKTEST_WORKER_COUNT_MAX];
    struct rwd_thread threads[RWD_BACKTEST_WORKER_COUNT_MAX];
    struct rwd_message stops[RWD_BACKTEST_WORKER_COUNT_MAX];
    uint32_t started_count;
    uint64_t item_count;
};

/* ---- what is in force ---- */

static struct rwd_ruleset_limits limits_of(const struct rwd_config *config)
{
    struct rwd_ruleset_limits limits = rwd_ruleset_limits_default();
    limits.sandbox.instruction_count_max = (uint32_t)config->sandbox_instruction_count_max;
    limits.sandbox.memory_size_max = (uint32_t)config->sandbox_memory_size_max_mib << 20;
    limits.sandbox.deadline_ms = CALL_DEADLINE_MS;
    limits.breaker_call_count = 0; /* so many errors within no calls: never */
    return limits;
}

static enum rwd_status make_pools(
    const struct rwd_config *config, struct rwd_pools **pools, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    *pools = rwd_pools_create();
    for (size_t i = 0; status == RWD_OK && i < config->budget_count; i++) {
        uint32_t pool_no = 0;
        status = rwd_pools_put(*pools, &config->budgets[i], 0, &pool_no, error);
    }
    return status;
}

struct loading {
    struct run *run;
    enum rwd_status status;
    struct rwd_error *error;
};

/* In a thread with the stack that rule code needs. */
static void load_books(void *context)
{
    struct loading *loading = context;
    struct rwd_backtest_course *course = loading->run->course;
    const struct rwd_backtest_options *options = loading->run->options;
    for (size_t i = 0; loading->status == RWD_OK && i < course->side_count; i++) {
        loading->status = rwd_backtest_book_load(options->rules_dir, options->rule_id,
            i == 0 ? options->version : options->against, options->alone, &course->limits.sandbox,
            &course->books[i], loading->error);
    }
}

static enum rwd_status prepare(struct run *run, struct rwd_error *error)
{
    struct rwd_backtest_course *course = run->course;
    struct loading loading = {.run = run, .status = RWD_OK, .error = error};
    struct rwd_thread thread;
    enum rwd_status status =
        rwd_thread_start(&thread, "books", RWD_SANDBOX_STACK_SIZE, load_books, &loading, error);
    if (status != RWD_OK) {
        return status;
    }
    rwd_thread_join(&thread);
    status = loading.status;
    for (size_t i = 0; status == RWD_OK && i < course->side_count; i++) {
        status = make_pools(run->options->config, &course->pools[i], error);
    }
    return status;
}

/* Is any rule in event time? */
static bool waits(const struct run *run)
{
    bool waits = false;
    for (size_t side = 0; side < run->course->side_count; side++) {
        const struct rwd_rulebook *rulebook = run->course->books[side].rulebook;
        for (size_t i = 0; i < rwd_rulebook_count(rulebook); i++) {
            waits |= rwd_rulebook_at(rulebook, i)->order == RWD_ORDER_EVENT_TIME;
        }
    }
    return waits;
}

static enum rwd_status open_source(struct run *run, struct rwd_error *error)
{
    const struct rwd_backtest_options *options = run->options;
    if (options->journal_dir != NULL) {
        return rwd_backtest_source_open_journal(
            options->journal_dir, options->progress != NULL, &run->source, error);
    }
    return rwd_backtest_source_open_ndjson(
        options->ndjson_path, options->schemas_dir, options->config, &run->source, error);
}

/* ---- threads ---- */

static enum rwd_status start_workers(struct run *run, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    for (uint32_t i = 0; status == RWD_OK && i < run->course->worker_count; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "backtest%u", i);
        run->workers[i] = rwd_backtest_worker_create(run->course, i);
        status = rwd_thread_start(&run->threads[i], name, RWD_SANDBOX_STACK_SIZE,
            rwd_backtest_worker_run, run->workers[i], error);
        run->started_count += status == RWD_OK;
    }
    return status;
}

static void stop_workers(struct run *run)
{
    for (uint32_t i = 0; i < run->started_count; i++) {
        run->stops[i].kind = RWD_BACKTEST_STOP;
        rwd_mailbox_return(rwd_backtest_worker_mailbox(run->workers[i]), &run->stops[i]);
    }
    for (uint32_t i = 0; i < run->started_count; i++) {
        rwd_thread_join(&run->threads[i]);
    }
    /* All blocks are home: each worker has done all it was given. */
    (void)rwd_mailbox_take(run->home);
}

/* A block that nobody reads; waits for one where all are on their way. */
static struct rwd_backtest_block *idle_block(struct run *run)
{
    if (run->idle_count == 0) {
        for (struct rwd_message *message = rwd_mailbox_wait(run->home, -1); message != NULL;) {
            struct rwd_message *next = message->next;
            run->idle[run->idle_count++] = (struct rwd_backtest_block *)message;
            message = next;
        }
    }
    return run->idle[--run->idle_count];
}

static void hand_out(struct run *run, struct rwd_backtest_block *block)
{
    for (uint32_t i = 0; i < run->course->worker_count; i++) {
        block->handovers[i].message.kind = RWD_BACKTEST_BLOCK;
        rwd_mailbox_return(
            rwd_backtest_worker_mailbox(run->workers[i]), &block->handovers[i].message);
    }
}

static void tell_progress(const struct run *run)
{
    const struct rwd_backtest_progress progress = {.events = run->item_count,
        .bytes = rwd_backtest_source_bytes(run->source),
        .bytes_total = rwd_backtest_source_bytes_total(run->source)};
    if (run->options->progress != NULL) {
        run->options->progress(run->options->context, &progress);
    }
}

static enum rwd_status read_all(struct run *run, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    while (status == RWD_OK && !atomic_load(&run->course->failed)) {
        struct rwd_backtest_block *block = idle_block(run);
        rwd_backtest_block_begin(block, run->item_count + 1);
        status = rwd_backtest_source_fill(run->source, block, error);
        if (status != RWD_OK && status != RWD_NOT_FOUND) {
            /* Nothing more is looked at, and nobody waits for what was not handed out. */
            atomic_store(&run->course->failed, true);
        }
        run->item_count += block->count;
        hand_out(run, block);
        tell_progress(run);
    }
    return status == RWD_NOT_FOUND ? RWD_OK : status;
}

/* ---- the result ---- */

static enum rwd_status worker_failure(const struct run *run, struct rwd_error *error)
{
    for (uint32_t i = 0; i < run->started_count; i++) {
        struct rwd_error own = {0};
        enum rwd_status status = rwd_backtest_worker_status(run->workers[i], &own);
        /* One that only gave up waiting has nothing to say. */
        if (status != RWD_OK && own.text[0] != '\0') {
            *error = own;
            return status;
        }
    }
    RWD_REQUIRE(!atomic_load(&run->course->failed));
    return RWD_OK;
}

static enum rwd_status add_counts(
    const struct run *run, struct rwd_backtest_result *result, struct rwd_error *error)
{
    int64_t seen_first_ms = INT64_MAX;
    int64_t seen_last_ms = INT64_MIN;
    result->first_event_ms = INT64_MAX;
    result->last_event_ms = INT64_MIN;
    for (uint32_t i = 0; i < run->started_count; i++) {
        const struct rwd_backtest_counts *counts = rwd_backtest_worker_counts(run->workers[i]);
        result->event_count += counts->events;
        result->before_count += counts->before;
        result->after_count += counts->after;
        result->duplicate_count += counts->duplicates;
        result->late_count += counts->late;
        result->command_count += counts->commands;
        result->command_unmatched_count += counts->commands_unmatched;
        result->first_event_ms = counts->first_event_ms < result->first_event_ms
                                     ? counts->first_event_ms
                                     : result->first_event_ms;
        result->last_event_ms = counts->last_event_ms > result->last_event_ms
                                    ? counts->last_event_ms
                                    : result->last_event_ms;
        seen_first_ms =
            counts->seen_first_ms < seen_first_ms ? counts->seen_first_ms : seen_first_ms;
        seen_last_ms = counts->seen_last_ms > seen_last_ms ? counts->seen_last_ms : seen_last_ms;
    }
    if (result->event_count > 0) {
        return RWD_OK;
    }
    if (seen_first_ms == INT64_MAX) {
        return rwd_fail(error, RWD_NOT_FOUND, "%s: there is no event in it",
            run->options->journal_dir != NULL ? run->options->journal_dir
                                              : run->options->ndjson_path);
    }
    char first[RWD_TIME_TEXT_SIZE];
    char last[RWD_TIME_TEXT_SIZE];
    rwd_time_format(seen_first_ms, first);
    rwd_time_format(seen_last_ms, last);
    return rwd_fail(error, RWD_NOT_FOUND,
        "no event lies in that range: there are events from %s to %s", first, last);
}

static enum rwd_status make_result(
    const struct run *run, struct rwd_backtest_result *result, struct rwd_error *error)
{
    const struct rwd_backtest_course *course = run->course;
    enum rwd_status status = add_counts(run, result, error);
    if (status != RWD_OK) {
        return status;
    }
    (void)snprintf(result->rule_id, sizeof result->rule_id, "%s", run->options->rule_id);
    result->other_rule_count = rwd_rulebook_count(course->books[0].rulebook) - 1;
    result->side_count = course->side_count;
    result->thread_count = course->worker_count;
    for (size_t side = 0; side < course->side_count; side++) {
        struct rwd_backtest_tally whole;
        rwd_backtest_tally_init(&whole, &course->books[side], course->pools[side]);
        for (uint32_t i = 0; i < course->worker_count; i++) {
            rwd_backtest_tally_merge(&whole, rwd_backtest_worker_tally(run->workers[i], side));
        }
        rwd_backtest_tally_take(&whole, &result->sides[side]);
        rwd_backtest_tally_finish(&whole);
    }
    const struct rwd_backtest_crowd *crowds[RWD_BACKTEST_WORKER_COUNT_MAX];
    for (uint32_t i = 0; i < course->worker_count; i++) {
        crowds[i] = rwd_backtest_worker_crowd(run->workers[i]);
    }
    rwd_backtest_compare(crowds, course->worker_count, course->books[0].rule->rule_no, result);
    return RWD_OK;
}

void rwd_backtest_result_free(struct rwd_backtest_result *result)
{
    if (result == NULL) {
        return;
    }
    for (size_t i = 0; i < RWD_BACKTEST_SIDE_COUNT_MAX; i++) {
        rwd_free(result->sides[i].milestones);
        rwd_free(result->sides[i].days);
        rwd_free(result->sides[i].pool_days);
        rwd_free(result->sides[i].periods);
        rwd_free(result->sides[i].pools);
    }
    rwd_free(result);
}

/* ---- from end to end ---- */

static void open_run(struct run *run, const struct rwd_backtest_options *options)
{
    struct rwd_backtest_course *course = rwd_new(sizeof *course);
    *run = (struct run){.options = options, .course = course};
    course->gates = rwd_gates_of(options->config);
    course->limits = limits_of(options->config);
    course->since_ms = options->since_ms;
    course->until_ms = options->until_ms;
    course->side_count = options->against != NULL ? 2 : 1;
    course->worker_count = options->thread_count;
    run->home = rwd_mailbox_create(HOME_COUNT_MAX);
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        run->blocks[i] = rwd_backtest_block_create(run->home, options->thread_count);
        run->idle[run->idle_count++] = run->blocks[i];
    }
}

static void close_run(struct run *run)
{
    struct rwd_backtest_course *course = run->course;
    for (uint32_t i = 0; i < course->worker_count; i++) {
        rwd_backtest_worker_destroy(run->workers[i]);
    }
    for (size_t i = 0; i < BLOCK_COUNT; i++) {
        rwd_backtest_block_destroy(run->blocks[i]);
    }
    rwd_mailbox_destroy(run->home);
    rwd_backtest_source_close(run->source);
    for (size_t i = 0; i < course->side_count; i++) {
        rwd_backtest_book_release(&course->books[i]);
        rwd_pools_destroy(course->pools[i]);
    }
    rwd_free(course);
}

enum rwd_status rwd_backtest_run(const struct rwd_backtest_options *options,
    struct rwd_backtest_result **result, struct rwd_error *error)
{
    const struct rwd_clock clock = rwd_clock_system();
    int64_t begun_ns = rwd_clock_monotonic_ns(&clock);
    struct run run;
    open_run(&run, options);
    enum rwd_status status = prepare(&run, error);
    if (status == RWD_OK) {
        status = open_source(&run, error);
    }
    if (status == RWD_OK && waits(&run)) {
        rwd_backtest_source_keep_time(run.source, run.course->gates.reorder_window_ms);
    }
    if (status == RWD_OK) {
        status = start_workers(&run, error);
        if (status == RWD_OK) {
            status = read_all(&run, error);
        }
        stop_workers(&run);
    }
    if (status == RWD_OK) {
        status = worker_failure(&run, error);
    }
    struct rwd_backtest_result *made = NULL;
    if (status == RWD_OK) {
        made = rwd_new(sizeof *made);
        status = make_result(&run, made, error);
    }
    close_run(&run);
    if (status != RWD_OK) {
        rwd_backtest_result_free(made);
        return status;
    }
    made->elapsed_ns = rwd_clock_monotonic_ns(&clock) - begun_ns;
    *result = made;
    return RWD_OK;
}
