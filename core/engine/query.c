#include "engine/query.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/wire.h"
#include "engine/keeper.h"
#include "engine/query_decision.h"
#include "engine/query_text.h"
#include "engine/records.h"
#include "journal/index.h"
#include "runtime/thread.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    MAILBOX_COUNT_MAX = 1024,
    LIMIT_DEFAULT = 50,
    LIMIT_MAX = 500,
    /* Records under one event id: refusals of it, and the same id from other users. So many that a
     * sender who repeats what is refused does not hide what was accepted before. */
    SAME_EVENT_COUNT_MAX = 4096,
    CURSOR_SIZE = 17, /* "p" and a position in hex */
    FRESH_CHECK_MS = 5,
    FRESH_WAIT_MS_MAX = 5000,
    POINTS_WAIT_MS_MAX = 1000,
};

struct rwd_query {
    struct rwd_query_options options;
    char *journal_dir;
    uint8_t fingerprint_key[RWD_SIPHASH_KEY_SIZE];
    struct rwd_mailbox *mailbox;
    struct rwd_store_reader *store;
    struct rwd_journal_index *index; /* NULL until the first look into the journal */
    struct rwd_journal_reader *journal;
    struct rwd_message *waiting; /* inquiries that came before the store had what they ask about */
    bool stopped;
};

enum rwd_status rwd_query_create(
    const struct rwd_query_options *options, struct rwd_query **query, struct rwd_error *error)
{
    struct rwd_store_reader *store = NULL;
    enum rwd_status status = rwd_store_reader_open(options->store_url, &store, error);
    if (status != RWD_OK) {
        return status;
    }
    struct rwd_query *made = rwd_new(sizeof *made);
    made->options = *options;
    made->options.store_url = NULL; /* used up; the rest is kept as copies or outlives us */
    made->journal_dir = rwd_copy(options->journal_dir, strlen(options->journal_dir));
    made->options.journal_dir = made->journal_dir;
    memcpy(made->fingerprint_key, options->fingerprint_key, sizeof made->fingerprint_key);
    made->mailbox = rwd_mailbox_create(MAILBOX_COUNT_MAX);
    made->store = store;
    *query = made;
    return RWD_OK;
}

void rwd_query_destroy(struct rwd_query *query)
{
    if (query != NULL) {
        rwd_journal_reader_close(query->journal);
        rwd_journal_index_close(query->index);
        rwd_store_reader_close(query->store);
        rwd_mailbox_destroy(query->mailbox);
        rwd_free(query->journal_dir);
        rwd_free(query);
    }
}

struct rwd_mailbox *rwd_query_mailbox(struct rwd_query *query)
{
    return query->mailbox;
}

/* ---- lists of the store ---- */

static enum rwd_status check_limit(struct rwd_inquiry *inquiry)
{
    struct rwd_store_filter *filter = &inquiry->filter;
    if (filter->limit > LIMIT_MAX) {
        return rwd_fail(&inquiry->error, RWD_INVALID, "limit is %zu; it must be 1 to %d",
            filter->limit, LIMIT_MAX);
    }
    filter->limit = filter->limit == 0 ? LIMIT_DEFAULT : filter->limit;
    return RWD_OK;
}

static void end_list(struct rwd_buffer *out, struct rwd_text next_cursor)
{
    rwd_buffer_put_string(out, "],\"next_cursor\":");
    rwd_query__put_text(next_cursor, out);
    rwd_buffer_put_char(out, '}');
}

static void begin_item(struct rwd_buffer *out, size_t index)
{
    rwd_buffer_put_string(out, index == 0 ? "{\"items\":[" : ",");
}

static void no_items(struct rwd_buffer *out, size_t count)
{
    if (count == 0) {
        rwd_buffer_put_string(out, "{\"items\":[");
    }
}

static enum rwd_status answer_tasks(struct rwd_query *query, struct rwd_inquiry *inquiry)
{
    struct rwd_task_row *rows = NULL;
    struct rwd_text next = {0};
    size_t count = 0;
    enum rwd_status status = rwd_store_tasks(
        query->store, &inquiry->filter, &inquiry->arena, &rows, &count, &next, &inquiry->error);
    if (status == RWD_OK) {
        for (size_t i = 0; i < count; i++) {
            begin_item(&inquiry->json, i);
            rwd_query__put_task(&rows[i], NULL, 0, &inquiry->json);
        }
        no_items(&inquiry->json, count);
        end_list(&inquiry->json, next);
    }
    return status;
}

static enum rwd_status answer_ledger(struct rwd_query *query, struct rwd_inquiry *inquiry)
{
    struct rwd_ledger_row *rows = NULL;
    struct rwd_text next = {0};
    size_t count = 0;
    enum rwd_status status = rwd_store_ledger(
        query->store, &inquiry->filter, &inquiry->arena, &rows, &count, &next, &inquiry->error);
    if (status == RWD_OK) {
        for (size_t i = 0; i < count; i++) {
            begin_item(&inquiry->json, i);
            rwd_query__put_ledger(&rows[i], &inquiry->json);
        }
        no_items(&inquiry->json, count);
        end_list(&inquiry->json, next);
    }
    return status;
}

static enum rwd_status answer_dead_letters(struct rwd_query *query, struct rwd_inquiry *inquiry)
{
    struct rwd_dead_letter_row *rows = NULL;
    struct rwd_text next = {0};
    size_t count = 0;
    enum rwd_status status = rwd_store_dead_letters(
        query->store, &inquiry->filter, &inquiry->arena, &rows, &count, &next, &inquiry->error);
    if (status == RWD_OK) {
        for (size_t i = 0; i < count; i++) {
            begin_item(&inquiry->json, i);
            rwd_query__put_dead_letter(&rows[i], &inquiry->json);
        }
        no_items(&inquiry->json, count);
        end_list(&inquiry->json, next);
    }
    return status;
}

/* ---- one row ---- */

static enum rwd_status answer_task(struct rwd_query *query, struct rwd_inquiry *inquiry)
{
    static const struct rwd_delivery_row none;
    struct rwd_task_row row;
    struct rwd_delivery_row *deliveries = NULL;
    size_t delivery_count = 0;
    enum rwd_status status =
        rwd_store_task(query->store, inquiry->id, &inquiry->arena, &row, &inquiry->error);
    if (status == RWD_NOT_FOUND) {
        return rwd_fail(
            &inquiry->error, status, "there is no reward task '%.*s'", RWD_TEXT_ARGS(inquiry->id));
    }
    if (status == RWD_OK) {
        status = rwd_store_deliveries(query->store, inquiry->id, &inquiry->arena, &deliveries,
            &delivery_count, &inquiry->error);
    }
    if (status != RWD_OK) {
        return status;
    }
    struct rwd_wire wire = rwd_wire_of(row.state.data, row.state.size);
    rwd_task_decode(&wire, &inquiry->task);
    if (!rwd_wire_done(&wire)) {
        return rwd_fail(&inquiry->error, RWD_CORRUPT, "the stored state of %.*s cannot be read",
            RWD_TEXT_ARGS(inquiry->id));
    }
    inquiry->user_id = row.user_id;
    rwd_query__put_task(
        &row, deliveries != NULL ? deliveries : &none, delivery_count, &inquiry->json);
    return RWD_OK;
}

static enum rwd_status answer_dead_letter(struct rwd_query *query, struct rwd_inquiry *inquiry)
{
    enum rwd_status status = rwd_store_dead_letter(
        query->store, inquiry->id, &inquiry->arena, &inquiry->letter, &inquiry->error);
    if (status == RWD_NOT_FOUND) {
        return rwd_fail(
            &inquiry->error, status, "there is no dead letter '%.*s'", RWD_TEXT_ARGS(inquiry->id));
    }
    if (status == RWD_OK) {
        rwd_query__put_dead_letter(&inquiry->letter, &inquiry->json);
    }
    return status;
}

/* ---- decisions of the journal ---- */

/* Brings the index up to the journal's present end, which is the last ack. */
static enum rwd_status follow(struct rwd_query *query, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    if (query->index == NULL) {
        status = rwd_journal_index_open(query->journal_dir, &query->index, error);
    }
    if (status == RWD_OK && query->journal == NULL) {
        status = rwd_journal_reader_open(query->journal_dir, 0, &query->journal, error);
    }
    if (status == RWD_NOT_FOUND) {
        return rwd_fail(error, RWD_UNAVAILABLE, "there is no journal yet");
    }
    return status == RWD_OK ? rwd_journal_index_follow(query->index, error) : status;
}

static struct rwd_query__teller teller_of(struct rwd_query *query, struct rwd_inquiry *inquiry)
{
    return (struct rwd_query__teller){.directory = query->options.directory,
        .store = query->store,
        .fingerprint_key = query->fingerprint_key,
        .reorder_window_ms = query->options.reorder_window_ms,
        .arena = &inquiry->arena,
        .error = &inquiry->error};
}

static enum rwd_status put_at(struct rwd_query *query, struct rwd_inquiry *inquiry,
    uint64_t position, uint8_t type, const struct rwd_query__wanted *wanted)
{
    struct rwd_record record;
    const struct rwd_query__teller teller = teller_of(query, inquiry);
    enum rwd_status status =
        rwd_journal_reader_at(query->journal, position, &record, &inquiry->error);
    if (status != RWD_OK) {
        return status;
    }
    if (type != 0 && record.type != type) {
        return RWD_NOT_FOUND;
    }
    struct rwd_arena_mark mark = rwd_arena_mark(&inquiry->arena);
    inquiry->error.text[0] = '\0';
    status = rwd_query__put_record(&teller, &record, wanted, &inquiry->json);
    rwd_arena_rewind(&inquiry->arena, mark);
    if (status != RWD_OK && status != RWD_NOT_FOUND) {
        return rwd_fail(&inquiry->error, status,
            "the journal's record at position %" PRIu64 " cannot be read", position);
    }
    return status;
}

/* The first of these records that is of this type and wanted, and where it stands. */
static enum rwd_status put_first(struct rwd_query *query, struct rwd_inquiry *inquiry,
    const uint64_t *positions, size_t count, uint8_t type, const struct rwd_query__wanted *wanted,
    uint64_t *found)
{
    enum rwd_status status = RWD_NOT_FOUND;
    for (size_t i = 0; status == RWD_NOT_FOUND && i < count; i++) {
        *found = positions[i];
        status = put_at(query, inquiry, positions[i], type, wanted);
    }
    return status;
}

/* Behind the own decision of an event, which stands at `position`: what rules in event time made of
 * it, once they did. Of the same user: an id may be used by several. */
static enum rwd_status put_released(struct rwd_query *query, struct rwd_inquiry *inquiry,
    const uint64_t *positions, size_t count, uint64_t position)
{
    struct rwd_record record;
    struct rwd_event_body body;
    enum rwd_status status =
        rwd_journal_reader_at(query->journal, position, &record, &inquiry->error);
    if (status != RWD_OK || rwd_event_body_decode(record.body, &body) != RWD_OK) {
        return status;
    }
    const struct rwd_query__wanted wanted = {
        .event_id = inquiry->id, .user_id = rwd_inquiry_text(inquiry, body.user_id), .whole = true};
    inquiry->json.size--; /* the object goes on */
    rwd_buffer_put_string(&inquiry->json, ",\"released\":");
    status = put_first(query, inquiry, positions, count, RWD_RECORD_RELEASE, &wanted, &position);
    rwd_buffer_put_string(&inquiry->json, status == RWD_NOT_FOUND ? "null}" : "}");
    return status == RWD_NOT_FOUND ? RWD_OK : status;
}

/* An event that was refused first and accepted later is an accepted one. */
static enum rwd_status answer_decision(struct rwd_query *query, struct rwd_inquiry *inquiry)
{
    uint64_t positions[SAME_EVENT_COUNT_MAX];
    size_t count = 0;
    const struct rwd_query__wanted wanted = {
        .event_id = inquiry->id, .user_id = inquiry->filter.user_id, .whole = true};
    enum rwd_status status = follow(query, &inquiry->error);
    if (status != RWD_OK) {
        return status;
    }
    rwd_journal_index_by_event(query->index, rwd_fingerprint(query->fingerprint_key, inquiry->id),
        positions, SAME_EVENT_COUNT_MAX, &count);
    uint64_t found = 0;
    status = put_first(query, inquiry, positions, count, RWD_RECORD_EVENT, &wanted, &found);
    if (status == RWD_OK) {
        return put_released(query, inquiry, positions, count, found);
    }
    if (status == RWD_NOT_FOUND) {
        status =
            put_first(query, inquiry, positions, count, RWD_RECORD_DEAD_LETTER, &wanted, &found);
    }
    if (status != RWD_NOT_FOUND) {
        return status;
    }
    return rwd_fail(&inquiry->error, RWD_NOT_FOUND, "no event '%.*s' was ever taken in",
        RWD_TEXT_ARGS(inquiry->id));
}

static enum rwd_status read_cursor(struct rwd_inquiry *inquiry, uint64_t *before)
{
    struct rwd_text cursor = inquiry->filter.cursor;
    *before = UINT64_MAX;
    if (cursor.size == 0) {
        return RWD_OK;
    }
    bool good = cursor.size == CURSOR_SIZE && cursor.data[0] == 'p';
    uint64_t position = 0;
    for (size_t i = 1; good && i < CURSOR_SIZE; i++) {
        char digit = cursor.data[i];
        good = (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f');
        position = position << 4 | (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    *before = position;
    return good ? RWD_OK
                : rwd_fail(&inquiry->error, RWD_INVALID,
                      "cursor is not one that this list gave; leave it out for the first page");
}

static enum rwd_status answer_decisions(struct rwd_query *query, struct rwd_inquiry *inquiry)
{
    uint64_t positions[LIMIT_MAX + 1];
    uint64_t before = 0;
    const struct rwd_query__wanted wanted = {.user_id = inquiry->filter.user_id};
    enum rwd_status status = read_cursor(inquiry, &before);
    if (status == RWD_OK) {
        status = follow(query, &inquiry->error);
    }
    if (status != RWD_OK) {
        return status;
    }
    uint64_t user = rwd_fingerprint(query->fingerprint_key, inquiry->filter.user_id);
    size_t shown = 0;
    size_t count = 0;
    size_t used = 0;
    bool more = false;
    rwd_buffer_put_string(&inquiry->json, "{\"items\":[");
    do {
        /* One more than the page, which tells whether there is a next one. */
        size_t wish = inquiry->filter.limit - shown + 1;
        rwd_journal_index_by_user(query->index, user, before, positions, wish, &count);
        more = count == wish;
        for (used = 0; used < count && shown < inquiry->filter.limit; used++) {
            size_t size = inquiry->json.size;
            if (shown > 0) {
                rwd_buffer_put_char(&inquiry->json, ',');
            }
            status = put_at(query, inquiry, positions[used], 0, &wanted);
            before = positions[used];
            if (status == RWD_OK) {
                shown++;
            } else if (status == RWD_NOT_FOUND) {
                inquiry->json.size = size; /* somebody else's, or nothing to tell */
            } else {
                return status;
            }
        }
    } while (more && shown < inquiry->filter.limit);
    char cursor[CURSOR_SIZE + 1] = "";
    if (used < count || more) {
        (void)snprintf(cursor, sizeof cursor, "p%016" PRIx64, before);
    }
    end_list(&inquiry->json, rwd_text_of(cursor));
    return RWD_OK;
}

/* ---- the thread ---- */

static bool asks_about_rules(const struct rwd_inquiry *inquiry)
{
    return inquiry->kind == RWD_INQUIRY_RULES || inquiry->kind == RWD_INQUIRY_RULE;
}

/* What the store lacks of what the question is to know. */
static uint64_t behind(const struct rwd_query *query, const struct rwd_inquiry *inquiry)
{
    const _Atomic uint64_t *stored =
        asks_about_rules(inquiry) ? query->options.stored_position : query->options.stored_end;
    uint64_t end = stored != NULL ? atomic_load(stored) : inquiry->wanted_end;
    return inquiry->wanted_end > end ? inquiry->wanted_end - end : 0;
}

static enum rwd_status answer(struct rwd_query *query, struct rwd_inquiry *inquiry)
{
    enum rwd_status status = check_limit(inquiry);
    if (status != RWD_OK) {
        return status;
    }
    switch (inquiry->kind) {
    case RWD_INQUIRY_TASKS:
        return answer_tasks(query, inquiry);
    case RWD_INQUIRY_TASK:
        return answer_task(query, inquiry);
    case RWD_INQUIRY_LEDGER:
        return answer_ledger(query, inquiry);
    case RWD_INQUIRY_DEAD_LETTERS:
        return answer_dead_letters(query, inquiry);
    case RWD_INQUIRY_DEAD_LETTER:
        return answer_dead_letter(query, inquiry);
    case RWD_INQUIRY_DECISION:
        return answer_decision(query, inquiry);
    case RWD_INQUIRY_DECISIONS:
        return answer_decisions(query, inquiry);
    case RWD_INQUIRY_COUNTS:
        return rwd_store_count(query->store, &inquiry->counts, &inquiry->error);
    case RWD_INQUIRY_RULES:
    case RWD_INQUIRY_RULE:
        inquiry->behind_bytes = behind(query, inquiry);
        return rwd_store_version_sums(query->store, &inquiry->arena, &inquiry->version_sums,
            &inquiry->version_sum_count, &inquiry->error);
    default:
        break; /* the keeper's */
    }
    return rwd_fail(&inquiry->error, RWD_INVALID, "this is not a question for store or journal");
}

static void answer_and_send(struct rwd_query *query, struct rwd_inquiry *inquiry)
{
    inquiry->status = answer(query, inquiry);
    if (inquiry->status == RWD_CORRUPT) {
        rwd_log(RWD_LOG_ERROR, "query", "msg=\"%s\"", inquiry->error.text);
    }
    bool to_keeper = asks_about_rules(inquiry) && inquiry->status == RWD_OK;
    inquiry->message.kind = to_keeper ? (uint32_t)RWD_KEEPER_INQUIRY : inquiry->home_kind;
    rwd_mailbox_return(to_keeper ? query->options.keeper : inquiry->home, &inquiry->message);
}

static bool reads_tables(const struct rwd_inquiry *inquiry)
{
    return inquiry->kind == RWD_INQUIRY_TASKS || inquiry->kind == RWD_INQUIRY_TASK ||
           inquiry->kind == RWD_INQUIRY_LEDGER || inquiry->kind == RWD_INQUIRY_DEAD_LETTERS ||
           inquiry->kind == RWD_INQUIRY_DEAD_LETTER || asks_about_rules(inquiry);
}

static void take(struct rwd_query *query, struct rwd_message *messages)
{
    struct rwd_clock clock = rwd_clock_system();
    while (messages != NULL) {
        struct rwd_message *message = messages;
        messages = message->next;
        message->next = NULL;
        if (message->kind == RWD_QUERY_STOP) {
            rwd_free(message);
            query->stopped = true;
            continue;
        }
        RWD_REQUIRE(message->kind == RWD_QUERY_INQUIRY);
        struct rwd_inquiry *inquiry = (struct rwd_inquiry *)message;
        if (query->options.stored_end != NULL && reads_tables(inquiry)) {
            inquiry->wanted_end = atomic_load(query->options.journal_end);
            int64_t wait_ms = asks_about_rules(inquiry) ? (int64_t)POINTS_WAIT_MS_MAX
                                                        : (int64_t)FRESH_WAIT_MS_MAX;
            inquiry->deadline_ns = rwd_clock_monotonic_ns(&clock) + wait_ms * 1000000;
            if (behind(query, inquiry) > 0) {
                message->next = query->waiting;
                query->waiting = message;
                continue;
            }
        }
        answer_and_send(query, inquiry);
    }
}

static void answer_waiting(struct rwd_query *query)
{
    struct rwd_clock clock = rwd_clock_system();
    struct rwd_message **link = &query->waiting;
    while (*link != NULL) {
        struct rwd_inquiry *inquiry = (struct rwd_inquiry *)*link;
        if (query->stopped || behind(query, inquiry) == 0 ||
            rwd_clock_monotonic_ns(&clock) > inquiry->deadline_ns) {
            *link = inquiry->message.next;
            answer_and_send(query, inquiry);
        } else {
            link = &(*link)->next;
        }
    }
}

void rwd_query_run(void *context)
{
    struct rwd_query *query = context;
    struct rwd_error error;
    rwd_thread_step_back();
    /* The index of a long journal takes a moment to open; nobody waits for it yet. A failure is
     * told to whoever asks. */
    if (follow(query, &error) != RWD_OK) {
        rwd_log(RWD_LOG_WARN, "query", "msg=\"%s\"", error.text);
    }
    while (!query->stopped) {
        take(query, rwd_mailbox_wait(query->mailbox, query->waiting != NULL ? FRESH_CHECK_MS : -1));
        answer_waiting(query);
    }
    take(query, rwd_mailbox_take(query->mailbox));
    answer_waiting(query);
}
