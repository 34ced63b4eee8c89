#include "backtest/source.h"

#include "backtest/ticks.h"
#include "base/memory.h"
#include "domain/decision.h"
#include "domain/schema.h"
#include "engine/records.h"
#include "journal/journal.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NODE_COUNT_MAX = 4096 };

struct rwd_backtest_source {
    struct rwd_journal_reader *journal;
    uint64_t position_first;
    bool begun;
    uint64_t bytes;
    uint64_t bytes_total;
    struct rwd_backtest_ticks *ticks; /* NULL: no rule waits */

    struct rwd_record held; /* read, and not in a block yet */
    bool has_held;

    FILE *file;
    char *path;
    uint64_t line_no;
    size_t line_size_max;
    struct rwd_buffer line;
    bool has_line; /* read, and not in a block yet */
    struct rwd_schema_registry *schemas;
    bool allow_unknown;
    struct rwd_json_limits limits;
};

/* Where the last segment begins. */
static uint64_t last_segment(const char *dir)
{
    uint64_t last = 0;
    DIR *folder = opendir(dir);
    for (struct dirent *entry = folder != NULL ? readdir(folder) : NULL; entry != NULL;
         entry = readdir(folder)) {
        char *end = NULL;
        uint64_t base = strtoull(entry->d_name, &end, 16);
        if (end != entry->d_name && strcmp(end, ".journal") == 0 && base > last) {
            last = base;
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return last;
}

/* Segments are preallocated, so only reading tells where the journal ends. */
static enum rwd_status measure_journal(const char *dir, uint64_t *end, struct rwd_error *error)
{
    struct rwd_journal_reader *reader = NULL;
    enum rwd_status status = rwd_journal_reader_open(dir, last_segment(dir), &reader, error);
    while (status == RWD_OK) {
        struct rwd_record record;
        status = rwd_journal_reader_next(reader, &record, error);
        if (status == RWD_OK) {
            *end = record.position + record.size_on_disk;
        }
    }
    rwd_journal_reader_close(reader);
    return status == RWD_NOT_FOUND ? RWD_OK : status;
}

enum rwd_status rwd_backtest_source_open_journal(
    const char *dir, bool measure, struct rwd_backtest_source **source, struct rwd_error *error)
{
    struct rwd_backtest_source *made = rwd_new(sizeof *made);
    enum rwd_status status = rwd_journal_reader_open(dir, 0, &made->journal, error);
    if (status == RWD_OK && measure) {
        status = measure_journal(dir, &made->bytes_total, error);
    }
    if (status != RWD_OK) {
        rwd_backtest_source_close(made);
        return status;
    }
    *source = made;
    return RWD_OK;
}

enum rwd_status rwd_backtest_source_open_ndjson(const char *path, const char *schemas_dir,
    const struct rwd_config *config, struct rwd_backtest_source **source, struct rwd_error *error)
{
    struct rwd_backtest_source *made = rwd_new(sizeof *made);
    struct stat about = {0};
    enum rwd_status status = RWD_OK;
    made->file = fopen(path, "rbe");
    if (made->file == NULL || fstat(fileno(made->file), &about) != 0) {
        status = rwd_fail(error, errno == ENOENT ? RWD_NOT_FOUND : RWD_UNAVAILABLE, "%s: %s", path,
            strerror(errno));
    } else if (S_ISDIR(about.st_mode)) {
        status = rwd_fail(error, RWD_UNAVAILABLE, "%s: is a folder; name a file of NDJSON", path);
    }
    if (status == RWD_OK && schemas_dir != NULL) {
        status = rwd_schema_registry_load(schemas_dir, &made->schemas, error);
    }
    if (status != RWD_OK) {
        rwd_backtest_source_close(made);
        return status;
    }
    made->bytes_total = (uint64_t)about.st_size;
    made->path = rwd_copy(path, strlen(path));
    made->allow_unknown = config->schemas_allow_unknown;
    made->line_size_max = (size_t)config->ingest_event_size_max_kib * 1024;
    made->limits = (struct rwd_json_limits){.depth_max = (uint32_t)config->ingest_depth_max,
        .node_count_max = NODE_COUNT_MAX,
        .size_max = (uint32_t)made->line_size_max};
    *source = made;
    return RWD_OK;
}

void rwd_backtest_source_close(struct rwd_backtest_source *source)
{
    if (source == NULL) {
        return;
    }
    rwd_journal_reader_close(source->journal);
    rwd_backtest_ticks_destroy(source->ticks);
    if (source->file != NULL) {
        (void)fclose(source->file);
    }
    rwd_schema_registry_destroy(source->schemas);
    rwd_buffer_finish(&source->line);
    rwd_free(source->path);
    rwd_free(source);
}

uint64_t rwd_backtest_source_bytes(const struct rwd_backtest_source *source)
{
    return source->bytes;
}

uint64_t rwd_backtest_source_bytes_total(const struct rwd_backtest_source *source)
{
    return source->bytes_total;
}

void rwd_backtest_source_keep_time(struct rwd_backtest_source *source, int64_t window_ms)
{
    source->ticks = rwd_backtest_ticks_create(window_ms);
}

/* ---- time ---- */

/* Ticks due by clock_ms. OK: all of them are in, and there is room for one more input. BUSY: there
 * is not; it goes on with the next block. */
static enum rwd_status add_ticks(struct rwd_backtest_source *source,
    struct rwd_backtest_block *block, int64_t clock_ms, struct rwd_error *error)
{
    while (source->ticks != NULL && rwd_backtest_ticks_due(source->ticks, clock_ms)) {
        if (rwd_backtest_block_full(block)) {
            return RWD_BUSY;
        }
        const struct rwd_backtest_tick tick = rwd_backtest_ticks_take(source->ticks);
        char *copy = rwd_arena_copy(&block->arena, tick.user_id.data, tick.user_id.size);
        if (copy == NULL) {
            return rwd_fail(error, RWD_LIMIT, "a user id is too large");
        }
        struct rwd_backtest_item *item = rwd_backtest_block_add(block, tick.user_fingerprint);
        item->kind = RWD_BACKTEST_TICK;
        item->waited = tick.is_last;
        item->now_ms = tick.due_ms;
        item->body = (struct rwd_text){.data = copy, .size = tick.user_id.size};
    }
    return block->count == RWD_BACKTEST_BLOCK_ITEM_COUNT ? RWD_BUSY : RWD_OK;
}

/* History has ended: what waits is due. OK: the block is full. NOT_FOUND: that was all. */
static enum rwd_status add_last_ticks(
    struct rwd_backtest_source *source, struct rwd_backtest_block *block, struct rwd_error *error)
{
    enum rwd_status status = add_ticks(source, block, INT64_MAX, error);
    return status == RWD_OK ? RWD_NOT_FOUND : status == RWD_BUSY ? RWD_OK : status;
}

/* ---- a journal ---- */

static enum rwd_status add_record(struct rwd_backtest_source *source,
    struct rwd_backtest_block *block, const struct rwd_record *record, struct rwd_error *error)
{
    struct rwd_text body = record->body;
    bool waited = false;
    if (record->type != RWD_RECORD_TASK) {
        struct rwd_event_body event;
        if (rwd_event_body_decode(body, &event) != RWD_OK) {
            return rwd_fail(error, RWD_CORRUPT, "the event at position %" PRIu64 " cannot be read",
                record->position);
        }
        body = event.raw;
        waited = rwd_decision_waits(event.decision);
        if (source->ticks != NULL && record->type == RWD_RECORD_EVENT) {
            rwd_backtest_ticks_event(
                source->ticks, event.user_id, record->user_fingerprint, record->time_ms, waited);
        } else if (source->ticks != NULL) {
            rwd_backtest_ticks_release(source->ticks, event.user_id, record->user_fingerprint);
        }
    }
    char *copy = rwd_arena_copy(&block->arena, body.data, body.size);
    if (copy == NULL) {
        return rwd_fail(
            error, RWD_LIMIT, "the record at position %" PRIu64 " is too large", record->position);
    }
    struct rwd_backtest_item *item = rwd_backtest_block_add(block, record->user_fingerprint);
    item->kind = record->type == RWD_RECORD_EVENT  ? RWD_BACKTEST_EVENT
                 : record->type == RWD_RECORD_TASK ? RWD_BACKTEST_COMMAND
                                                   : RWD_BACKTEST_RELEASE;
    item->waited = waited;
    item->now_ms = record->time_ms;
    item->position = record->position;
    item->body = (struct rwd_text){.data = copy, .size = body.size};
    return RWD_OK;
}

static enum rwd_status add_budget(
    struct rwd_backtest_block *block, const struct rwd_record *record, struct rwd_error *error)
{
    struct rwd_budget_row row;
    struct rwd_error own;
    struct rwd_pool_terms *terms = rwd_arena_alloc(&block->arena, sizeof *terms);
    if (terms == NULL || rwd_budget_decode(record->body, &row) != RWD_OK ||
        rwd_budget_terms(&row, terms, &own) != RWD_OK) {
        return rwd_fail(error, RWD_CORRUPT, "the budget at position %" PRIu64 " cannot be read",
            record->position);
    }
    struct rwd_backtest_item *item = rwd_backtest_block_add(block, 0);
    item->kind = RWD_BACKTEST_BUDGET;
    item->position = record->position;
    item->terms = terms;
    block->has_budgets = true;
    return RWD_OK;
}

static bool is_input(const struct rwd_backtest_source *source, uint8_t type)
{
    return type == RWD_RECORD_EVENT || type == RWD_RECORD_TASK || type == RWD_RECORD_BUDGET ||
           (type == RWD_RECORD_RELEASE && source->ticks != NULL);
}

/* The next record that is an input, into source->held. */
static enum rwd_status read_record(struct rwd_backtest_source *source, struct rwd_error *error)
{
    struct rwd_record *record = &source->held;
    while (!source->has_held) {
        enum rwd_status status = rwd_journal_reader_next(source->journal, record, error);
        if (status != RWD_OK) {
            return status;
        }
        if (!source->begun) {
            source->begun = true;
            source->position_first = record->position;
            source->bytes_total -= source->bytes_total > 0 ? record->position : 0;
        }
        source->bytes = record->position + record->size_on_disk - source->position_first;
        source->has_held = is_input(source, record->type);
    }
    return RWD_OK;
}

static enum rwd_status fill_from_journal(
    struct rwd_backtest_source *source, struct rwd_backtest_block *block, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    while (status == RWD_OK && !rwd_backtest_block_full(block)) {
        status = read_record(source, error);
        if (status == RWD_NOT_FOUND) {
            return add_last_ticks(source, block, error);
        }
        if (status == RWD_OK) {
            status = add_ticks(source, block, source->held.time_ms, error);
        }
        if (status == RWD_OK) {
            status = source->held.type == RWD_RECORD_BUDGET
                         ? add_budget(block, &source->held, error)
                         : add_record(source, block, &source->held, error);
            source->has_held = false;
        }
    }
    return status == RWD_BUSY ? RWD_OK : status;
}

/* ---- lines ---- */

/* The next line that is not blank, without its end. NOT_FOUND: the file's end. */
static enum rwd_status read_line(struct rwd_backtest_source *source, struct rwd_error *error)
{
    for (;;) {
        int letter = 0;
        bool blank = true;
        source->line.size = 0;
        source->line_no++;
        while ((letter = getc_unlocked(source->file)) != EOF && letter != '\n') {
            if (source->line.size == source->line_size_max) {
                return rwd_fail(error, RWD_INVALID,
                    "%s:%" PRIu64 ": longer than an event may be (%zu KiB)", source->path,
                    source->line_no, source->line_size_max / 1024);
            }
            blank = blank && (letter == ' ' || letter == '\t' || letter == '\r');
            rwd_buffer_put_char(&source->line, (char)letter);
        }
        source->bytes += source->line.size + (letter == '\n');
        if (letter == EOF && ferror(source->file) != 0) {
            return rwd_fail(error, RWD_UNAVAILABLE, "%s: %s", source->path, strerror(errno));
        }
        if (!blank) {
            return RWD_OK;
        }
        if (letter == EOF) {
            return RWD_NOT_FOUND;
        }
    }
}

static enum rwd_status bad_line(const struct rwd_backtest_source *source,
    const struct rwd_problem *problem, struct rwd_error *error)
{
    return rwd_fail(error, RWD_INVALID, "%s:%" PRIu64 ": %s%s%s", source->path, source->line_no,
        problem->pointer, problem->pointer[0] != '\0' ? ": " : "", problem->detail);
}

static enum rwd_status scan_line(const struct rwd_backtest_source *source, struct rwd_text raw,
    struct rwd_arena *arena, struct rwd_json *json, struct rwd_problem *problem)
{
    struct rwd_json_fault fault;
    size_t consumed = 0;
    enum rwd_status status = rwd_json_scan(raw, &source->limits, arena, json, &consumed, &fault);
    if (status == RWD_OK && consumed != raw.size) {
        status = RWD_INVALID;
        fault = (struct rwd_json_fault){
            .offset = consumed, .detail = "something stands behind the event"};
    } else if (status == RWD_OK && json->nodes[0].type != RWD_JSON_OBJECT) {
        status = RWD_INVALID;
        fault = (struct rwd_json_fault){.detail = "an event is a JSON object"};
    }
    if (status != RWD_OK) {
        rwd_problem_set(
            problem, "invalid_json", "", "%s (at byte %zu)", fault.detail, fault.offset);
    }
    return status;
}

static enum rwd_status check_schema(const struct rwd_backtest_source *source,
    const struct rwd_event *event, struct rwd_problem *problem)
{
    bool name_known = false;
    if (source->schemas == NULL) {
        return RWD_OK;
    }
    const struct rwd_schema *schema =
        rwd_schema_find(source->schemas, event->name, event->version, &name_known);
    if (schema != NULL) {
        return rwd_schema_check(schema, &event->json, problem);
    }
    if (source->allow_unknown) {
        return RWD_OK;
    }
    rwd_problem_set(problem, "schema", name_known ? "/version" : "/event_name",
        "no schema for %.*s %.*s is registered", RWD_TEXT_ARGS(event->name),
        RWD_TEXT_ARGS(event->version));
    return RWD_INVALID;
}

static enum rwd_status add_line(
    struct rwd_backtest_source *source, struct rwd_backtest_block *block, struct rwd_error *error)
{
    /* Only has to tell players and events apart within this run. */
    static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = {0};
    struct rwd_event *event = rwd_arena_alloc(&block->arena, sizeof *event);
    const char *copy = rwd_arena_copy(&block->arena, source->line.data, source->line.size);
    if (event == NULL || copy == NULL) {
        return rwd_fail(
            error, RWD_LIMIT, "%s:%" PRIu64 ": too large", source->path, source->line_no);
    }
    struct rwd_text raw = {.data = copy, .size = source->line.size};
    struct rwd_json json;
    struct rwd_problem problem;
    enum rwd_status status = scan_line(source, raw, &block->arena, &json, &problem);
    if (status == RWD_OK) {
        status = rwd_event_read(raw, &json, key, 0, event, &problem);
    }
    if (status == RWD_OK) {
        status = check_schema(source, event, &problem);
    }
    if (status != RWD_OK) {
        return bad_line(source, &problem, error);
    }
    status = add_ticks(source, block, event->time_ms, error);
    if (status != RWD_OK) {
        return status; /* BUSY: the line is read again for the next block */
    }
    source->has_line = false;
    if (source->ticks != NULL) {
        rwd_backtest_ticks_event(
            source->ticks, event->user_id, event->user_fingerprint, event->time_ms, false);
    }
    struct rwd_backtest_item *item = rwd_backtest_block_add(block, event->user_fingerprint);
    item->now_ms = event->time_ms;
    item->body = raw;
    item->event = event;
    return RWD_OK;
}

static enum rwd_status fill_from_lines(
    struct rwd_backtest_source *source, struct rwd_backtest_block *block, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    while (status == RWD_OK && !rwd_backtest_block_full(block)) {
        status = source->has_line ? RWD_OK : read_line(source, error);
        if (status == RWD_NOT_FOUND) {
            return add_last_ticks(source, block, error);
        }
        if (status == RWD_OK) {
            source->has_line = true;
            status = add_line(source, block, error);
        }
    }
    return status == RWD_BUSY ? RWD_OK : status;
}

enum rwd_status rwd_backtest_source_fill(
    struct rwd_backtest_source *source, struct rwd_backtest_block *block, struct rwd_error *error)
{
    return source->journal != NULL ? fill_from_journal(source, block, error)
                                   : fill_from_lines(source, block, error);
}
