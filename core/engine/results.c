#include "engine/results.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/wire.h"
#include "engine/records.h"
#include "engine/shard_inputs.h"
#include "experiment/report.h"
#include "journal/journal.h"
#include "runtime/thread.h"
#include "script/sandbox.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MAILBOX_COUNT_MAX = 256,
    FOLLOW_MS = 500, /* how often it looks for news when nobody asks */
    ANSWER_WAIT_MS_MAX = 2000,
    SAVE_MS = 10000,
    RECORDS_A_STEP = 16384, /* between two looks into the mailbox */
    ARENA_CHUNK = 256 << 10,
    ARENA_MAX = 64 << 20,
    PATH_SIZE_MAX = 2048,
    FILE_MAGIC = 0x32534552, /* "RES2" */
    FILE_HEAD_SIZE = 16,
};
#define FILE_SIZE_MAX ((size_t)4 << 30)

static const struct rwd_json_limits event_limits = {64, 1 << 16, RWD_RECORD_BODY_SIZE_MAX};

/* A version of an experiment, and the record that has its source. */
struct registration {
    uint32_t version_no;
    uint64_t position;
};

struct rwd_results {
    struct rwd_results_options options;
    struct rwd_mailbox *mailbox;
    char path[PATH_SIZE_MAX];
    struct rwd_tally *tally;
    struct registration *registrations;
    size_t registration_count;
    size_t registration_capacity;
    struct rwd_journal_reader *reader;
    struct rwd_arena arena; /* of one record */
    uint64_t position;      /* behind the last record taken in */
    uint64_t seen_end;      /* all that was durable below is taken in */
    struct rwd_record held; /* read, and not durable yet */
    bool has_held;
    int64_t saved_ns;
    uint64_t saved_position;
    uint32_t known_count; /* versions in the directory that were looked at */
    bool wanted;          /* one of them is an experiment's */
    bool stopping;
    bool broken; /* the journal could not be read: said once, and no more is read */
};

struct rwd_results *rwd_results_create(const struct rwd_results_options *options)
{
    struct rwd_results *results = rwd_new(sizeof *results);
    results->options = *options;
    results->mailbox = rwd_mailbox_create(MAILBOX_COUNT_MAX);
    results->tally = rwd_tally_create();
    rwd_arena_init(&results->arena, ARENA_CHUNK, ARENA_MAX);
    (void)snprintf(
        results->path, sizeof results->path, "%s/experiments.results", options->config->data_dir);
    return results;
}

void rwd_results_destroy(struct rwd_results *results)
{
    if (results != NULL) {
        rwd_journal_reader_close(results->reader);
        rwd_tally_destroy(results->tally);
        rwd_free(results->registrations);
        rwd_arena_finish(&results->arena);
        rwd_mailbox_destroy(results->mailbox);
        rwd_free(results);
    }
}

struct rwd_mailbox *rwd_results_mailbox(struct rwd_results *results)
{
    return results->mailbox;
}

static int64_t now_ns(void)
{
    struct rwd_clock clock = rwd_clock_system();
    return rwd_clock_monotonic_ns(&clock);
}

static void add_registration(struct rwd_results *results, uint32_t version_no, uint64_t position)
{
    results->registrations = rwd_room_for(results->registrations, results->registration_count,
        &results->registration_capacity, sizeof results->registrations[0]);
    results->registrations[results->registration_count++] =
        (struct registration){.version_no = version_no, .position = position};
}

/* ---- the file ---- */

static void put_registrations(const struct rwd_results *results, struct rwd_buffer *out)
{
    rwd_wire_put_u32(out, (uint32_t)results->registration_count);
    for (size_t i = 0; i < results->registration_count; i++) {
        rwd_wire_put_u32(out, results->registrations[i].version_no);
        rwd_wire_put_u64(out, results->registrations[i].position);
    }
}

/* The bytes behind them, which are the tally's; NULL data: this is no such file. */
static struct rwd_text read_registrations(struct rwd_results *results, struct rwd_text body)
{
    struct rwd_wire wire = rwd_wire_of(body.data, body.size);
    uint32_t count = rwd_wire_u32(&wire);
    size_t size = sizeof count + count * (sizeof(uint32_t) + sizeof(uint64_t));
    if (body.size < sizeof count || size > body.size) {
        return (struct rwd_text){0};
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t version_no = rwd_wire_u32(&wire);
        add_registration(results, version_no, rwd_wire_u64(&wire));
    }
    return (struct rwd_text){.data = body.data + size, .size = body.size - size};
}

static bool read_file(const char *path, struct rwd_buffer *bytes)
{
    FILE *file = fopen(path, "rbe");
    char piece[65536];
    size_t size = 0;
    while (file != NULL && bytes->size < FILE_SIZE_MAX &&
           (size = fread(piece, 1, sizeof piece, file)) > 0) {
        rwd_buffer_put(bytes, piece, size);
    }
    bool good = file != NULL && ferror(file) == 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    return good;
}

static void load(struct rwd_results *results)
{
    struct rwd_buffer bytes = {0};
    struct rwd_tally *tally = NULL;
    if (read_file(results->path, &bytes) && bytes.size >= FILE_HEAD_SIZE) {
        struct rwd_wire head = rwd_wire_of(bytes.data, FILE_HEAD_SIZE);
        uint32_t magic = rwd_wire_u32(&head);
        uint32_t crc = rwd_wire_u32(&head);
        uint64_t position = rwd_wire_u64(&head);
        struct rwd_text body = {
            .data = bytes.data + FILE_HEAD_SIZE, .size = bytes.size - FILE_HEAD_SIZE};
        if (magic == FILE_MAGIC && crc == rwd_crc32c(0, body.data, body.size) &&
            position <= atomic_load(results->options.journal_end) &&
            rwd_tally_decode(read_registrations(results, body), &tally) == RWD_OK) {
            rwd_tally_destroy(results->tally);
            results->tally = tally;
            results->position = position;
            results->saved_position = position;
            rwd_log(RWD_LOG_INFO, "results",
                "position=%" PRIu64 " msg=\"goes on where its file ends\"", position);
        } else {
            results->registration_count = 0;
            rwd_log(RWD_LOG_WARN, "results",
                "file=%s msg=\"not of this journal and program; counted anew\"", results->path);
        }
    }
    rwd_buffer_finish(&bytes);
}

/* Whole or not at all; that it reached the disk is not waited for, the checksum tells. */
static void save(struct rwd_results *results)
{
    char aside[PATH_SIZE_MAX + 8];
    struct rwd_buffer body = {0};
    struct rwd_buffer head = {0};
    (void)snprintf(aside, sizeof aside, "%s.new", results->path);
    put_registrations(results, &body);
    rwd_tally_encode(results->tally, &body);
    rwd_wire_put_u32(&head, FILE_MAGIC);
    rwd_wire_put_u32(&head, rwd_crc32c(0, body.data, body.size));
    rwd_wire_put_u64(&head, results->position);
    FILE *file = fopen(aside, "wbe");
    bool written = file != NULL && fwrite(head.data, 1, head.size, file) == head.size &&
                   fwrite(body.data, 1, body.size, file) == body.size;
    written = file != NULL && fclose(file) == 0 && written;
    if (written && rename(aside, results->path) == 0) {
        results->saved_position = results->position;
    } else {
        (void)unlink(aside);
        rwd_log(RWD_LOG_WARN, "results",
            "file=%s msg=\"cannot be written; after a restart all is counted anew\"",
            results->path);
    }
    results->saved_ns = now_ns();
    rwd_buffer_finish(&body);
    rwd_buffer_finish(&head);
}

/* ---- records ---- */

/* States in which a version decides; a suspended one still has its users. */
static bool is_in_force(struct rwd_text state)
{
    return rwd_text_is(state, "active") || rwd_text_is(state, "canary") ||
           rwd_text_is(state, "suspended");
}

static bool is_experiment(struct rwd_text rule_id)
{
    const struct rwd_text prefix = RWD_TEXT(RWD_EXPERIMENT_ID_PREFIX);
    return rule_id.size > prefix.size && memcmp(rule_id.data, prefix.data, prefix.size) == 0;
}

static void count_version(
    struct rwd_results *results, const struct rwd_rule_version_row *row, bool in_force)
{
    const struct rwd_sandbox_limits limits = rwd_engine__sandbox_limits(results->options.config);
    struct rwd_rule *rule = NULL;
    struct rwd_error error;
    char name[256];
    (void)snprintf(name, sizeof name, "%.*s", RWD_TEXT_ARGS(row->source_name));
    enum rwd_status status = rwd_rule_load(row->source, name, &limits, &rule, &error);
    if (status == RWD_OK && rule->declares != NULL) {
        rule->rule_no = row->rule_no;
        rule->version_no = row->version_no;
        status = rwd_tally_version(results->tally, rule, in_force, row->registered_ms);
        (void)snprintf(error.text, sizeof error.text, "there are more than %d experiments",
            RWD_TALLY_EXPERIMENT_COUNT_MAX);
    }
    if (status != RWD_OK) {
        rwd_log(RWD_LOG_ERROR, "results", "experiment=%.*s msg=\"not counted: %s\"",
            RWD_TEXT_ARGS(row->rule_id), error.text);
    }
    rwd_rule_destroy(rule);
}

static void take_version(struct rwd_results *results, const struct rwd_record *record)
{
    struct rwd_rule_version_row row;
    if (rwd_rule_version_decode(record->body, &row) == RWD_OK && is_experiment(row.rule_id)) {
        add_registration(results, row.version_no, record->position);
        count_version(results, &row, is_in_force(row.state));
    }
}

/* A switch names versions by number; what they are stands where they were registered. */
static void take_change(struct rwd_results *results, const struct rwd_rulebook_change *change)
{
    for (size_t i = 0; is_in_force(change->state) && i < results->registration_count; i++) {
        struct rwd_record record;
        struct rwd_rule_version_row row;
        struct rwd_error error;
        if (results->registrations[i].version_no != change->version_no) {
            continue;
        }
        enum rwd_status status = rwd_journal_reader_at(
            results->reader, results->registrations[i].position, &record, &error);
        if (status == RWD_OK && rwd_rule_version_decode(record.body, &row) == RWD_OK) {
            count_version(results, &row, true);
        } else {
            rwd_log(RWD_LOG_ERROR, "results", "version_no=%u msg=\"not counted: %s\"",
                change->version_no, status != RWD_OK ? error.text : "its record cannot be read");
        }
        return;
    }
}

static void take_rulebook(struct rwd_results *results, const struct rwd_record *record)
{
    struct rwd_rulebook_row row;
    struct rwd_rulebook_change change;
    if (rwd_rulebook_decode(record->body, &row) != RWD_OK) {
        return;
    }
    while (rwd_rulebook_next_change(&row.changes, &change) == RWD_OK) {
        take_change(results, &change);
    }
}

static bool is_event(const struct rwd_record *record)
{
    return record->type == RWD_RECORD_EVENT || record->type == RWD_RECORD_RELEASE;
}

static void take_event(
    struct rwd_results *results, struct rwd_tally_experiment *only, const struct rwd_record *record)
{
    struct rwd_event_body body;
    struct rwd_decision decision;
    struct rwd_event event;
    struct rwd_json json;
    struct rwd_json_fault fault;
    struct rwd_problem problem;
    size_t consumed = 0;
    rwd_arena_reset(&results->arena, ARENA_CHUNK);
    if (rwd_event_body_decode(record->body, &body) == RWD_OK &&
        rwd_decision_decode(body.decision, &results->arena, &decision) == RWD_OK &&
        rwd_tally_wants(results->tally, record->user_fingerprint, &decision) &&
        rwd_json_scan(body.raw, &event_limits, &results->arena, &json, &consumed, &fault) ==
            RWD_OK &&
        rwd_event_read(body.raw, &json, results->options.fingerprint_key, 0, &event, &problem) ==
            RWD_OK) {
        (record->type == RWD_RECORD_RELEASE ? rwd_tally_release : rwd_tally_event)(
            results->tally, only, record->user_fingerprint, &decision, &event);
    }
}

/* ---- mail ---- */

static void answer(struct rwd_results *results, struct rwd_inquiry *inquiry)
{
    struct rwd_buffer *out = &inquiry->json;
    inquiry->status = RWD_OK;
    if (inquiry->kind == RWD_INQUIRY_EXPERIMENTS) {
        bool first = true;
        rwd_buffer_put_string(out, "{\"items\":[");
        for (size_t i = 0; i < rwd_tally_count(results->tally); i++) {
            const struct rwd_tally_experiment *experiment = rwd_tally_at(results->tally, i);
            if (experiment->version[0] != '\0' && !experiment->missed) {
                rwd_buffer_put_string(out, first ? "" : ",");
                rwd_report_put_line(experiment, out);
                first = false;
            }
        }
        rwd_buffer_put_string(out, "],\"next_cursor\":null}");
    } else {
        const struct rwd_tally_experiment *experiment = rwd_tally_find(results->tally, inquiry->id);
        if (experiment == NULL || experiment->missed) {
            inquiry->status =
                rwd_fail(&inquiry->error, experiment == NULL ? RWD_NOT_FOUND : RWD_BUSY,
                    experiment == NULL ? "there is no experiment '%.*s' that was ever in force"
                                       : "experiment '%.*s' is just being counted; ask again",
                    RWD_TEXT_ARGS(inquiry->id));
        } else {
            rwd_report_put(experiment, out);
            out->size--;
            rwd_buffer_put_format(out,
                ",\"journal_position\":%" PRIu64 ",\"behind_bytes\":%" PRIu64 "}",
                results->position,
                inquiry->wanted_end > results->seen_end ? inquiry->wanted_end - results->seen_end
                                                        : 0);
        }
    }
    inquiry->message.kind = inquiry->home_kind;
    rwd_mailbox_return(inquiry->home, &inquiry->message);
}

/* ---- following ---- */

static void take_mail(struct rwd_results *results, struct rwd_message *messages, bool fresh);

/* Feeds one experiment what it missed, from the journal's beginning up to here. Cut short by a
 * stop, it is begun anew after the next start. */
static void feed_again(struct rwd_results *results, struct rwd_tally_experiment *experiment)
{
    struct rwd_journal_reader *reader = NULL;
    struct rwd_record record;
    struct rwd_error error;
    uint64_t count = 0;
    enum rwd_status status =
        rwd_journal_reader_open(results->options.journal_dir, 0, &reader, &error);
    experiment->missed = true; /* whoever asks meanwhile is told so */
    while (status == RWD_OK && !results->stopping) {
        status = rwd_journal_reader_next(reader, &record, &error);
        if (status != RWD_OK || record.position >= results->position) {
            break;
        }
        if (is_event(&record)) {
            take_event(results, experiment, &record);
        }
        if (++count % RECORDS_A_STEP == 0) {
            take_mail(results, rwd_mailbox_take(results->mailbox), false);
        }
    }
    rwd_journal_reader_close(reader);
    if (results->stopping) {
        return;
    }
    experiment->missed = false;
    if (status != RWD_OK && status != RWD_NOT_FOUND) {
        rwd_log(RWD_LOG_ERROR, "results", "experiment=%s msg=\"not counted whole: %s\"",
            experiment->terms.key, error.text);
        return;
    }
    rwd_log(RWD_LOG_INFO, "results",
        "experiment=%s records=%" PRIu64 " msg=\"counted from the "
        "journal's beginning\"",
        experiment->terms.key, count);
}

static void take_in(struct rwd_results *results, const struct rwd_record *record)
{
    if (record->type == RWD_RECORD_RULE) {
        take_version(results, record);
    } else if (record->type == RWD_RECORD_RULEBOOK) {
        take_rulebook(results, record);
    } else if (is_event(record) && rwd_tally_count(results->tally) > 0) {
        take_event(results, NULL, record);
    }
    results->position = record->position + record->size_on_disk;
}

/* Is there anything to count? Reading a busy journal for nothing would cost a tenth of a core. */
static bool is_wanted(struct rwd_results *results)
{
    const struct rwd_directory *directory = results->options.directory;
    uint32_t count = rwd_directory_count(directory);
    while (!results->wanted && results->known_count < count) {
        const struct rwd_directory_entry *entry =
            rwd_directory_version(directory, ++results->known_count);
        const size_t prefix_size = sizeof RWD_EXPERIMENT_ID_PREFIX - 1;
        results->wanted = strncmp(entry->rule_id, RWD_EXPERIMENT_ID_PREFIX, prefix_size) == 0;
    }
    return results->wanted;
}

/* The reader reads ahead: its first end may be that of a while ago, which it then forgets. Only a
 * second one tells that nothing was written before we looked at where the journal ends. */
static enum rwd_status next_record(struct rwd_results *results, struct rwd_error *error)
{
    enum rwd_status status = rwd_journal_reader_next(results->reader, &results->held, error);
    return status == RWD_NOT_FOUND ? rwd_journal_reader_next(results->reader, &results->held, error)
                                   : status;
}

/* Up to count_max records that are durable. False: there are none left. */
static bool step(struct rwd_results *results, size_t count_max)
{
    struct rwd_error error;
    uint64_t end = atomic_load(results->options.journal_end);
    if (!is_wanted(results)) {
        return false;
    }
    if (results->reader == NULL && rwd_journal_reader_open(results->options.journal_dir,
                                       results->position, &results->reader, &error) != RWD_OK) {
        return false;
    }
    for (size_t i = 0; i < count_max; i++) {
        struct rwd_tally_experiment *missed = rwd_tally_missed(results->tally);
        if (missed != NULL) {
            feed_again(results, missed);
            return true;
        }
        if (!results->has_held) {
            enum rwd_status status = next_record(results, &error);
            if (status != RWD_OK && status != RWD_NOT_FOUND && !results->broken) {
                rwd_log(RWD_LOG_ERROR, "results", "msg=\"%s\"", error.text);
                results->broken = true;
            }
            if (status != RWD_OK) {
                results->seen_end = status == RWD_NOT_FOUND ? end : results->seen_end;
                return false;
            }
            results->has_held = true;
        }
        if (results->held.position >= end) {
            results->seen_end = end;
            return false;
        }
        take_in(results, &results->held);
        results->has_held = false;
        results->seen_end = results->position;
    }
    return true;
}

/* Takes in what is wanted for an answer, as far as a person waits. */
static void catch_up(struct rwd_results *results, uint64_t wanted_end)
{
    int64_t deadline_ns = now_ns() + (int64_t)ANSWER_WAIT_MS_MAX * 1000000;
    while (
        results->seen_end < wanted_end && now_ns() < deadline_ns && step(results, RECORDS_A_STEP)) {
    }
}

/* fresh: an answer waits for what is durable by now. */
static void take_mail(struct rwd_results *results, struct rwd_message *messages, bool fresh)
{
    while (messages != NULL) {
        struct rwd_message *message = messages;
        messages = message->next;
        if (message->kind == RWD_RESULTS_STOP) {
            results->stopping = true;
            rwd_free(message);
            continue;
        }
        struct rwd_inquiry *inquiry = (struct rwd_inquiry *)message;
        inquiry->wanted_end = atomic_load(results->options.journal_end);
        if (fresh) {
            catch_up(results, inquiry->wanted_end);
        }
        answer(results, inquiry);
    }
}

void rwd_results_run(void *context)
{
    struct rwd_results *results = context;
    rwd_thread_step_back();
    load(results);
    results->saved_ns = now_ns();
    bool more = true;
    while (!results->stopping) {
        take_mail(results, rwd_mailbox_wait(results->mailbox, more ? 0 : FOLLOW_MS), true);
        more = !results->stopping && step(results, RECORDS_A_STEP);
        if (results->position != results->saved_position &&
            now_ns() - results->saved_ns > (int64_t)SAVE_MS * 1000000) {
            save(results);
        }
    }
    if (results->position != results->saved_position) {
        save(results);
    }
}
