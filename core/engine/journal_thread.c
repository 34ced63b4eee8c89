#include "engine/journal_thread.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/shard.h"
#include "runtime/thread.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    /* Batches are bounded by the bytes in flight, checkpoints by one a shard: never full in
       practice. */
    MAILBOX_COUNT_MAX = 1 << 20,
    FULL_DISK_RETRY_MS = 250,
    TEND_LOOK_MS = 50,
    EXIT_JOURNAL_FAILED = 70, /* EX_SOFTWARE of sysexits.h */
};

struct rwd_journal_thread {
    struct rwd_journal_writer *writer;
    struct rwd_clock clock;
    struct rwd_mailbox *mailbox;
    struct rwd_mailbox *tend_mailbox;
    struct rwd_mailbox *projector;
    _Atomic uint64_t *end;
    struct rwd_journal_metrics metrics;
    uint64_t appended; /* records since the last commit */
    bool stopping;
};

struct rwd_journal_thread *rwd_journal_thread_create(struct rwd_journal_writer *writer,
    struct rwd_clock clock, struct rwd_mailbox *projector, _Atomic uint64_t *end)
{
    struct rwd_journal_thread *journal = rwd_new(sizeof *journal);
    journal->writer = writer;
    journal->clock = clock;
    journal->projector = projector;
    journal->end = end;
    journal->mailbox = rwd_mailbox_create(MAILBOX_COUNT_MAX);
    journal->tend_mailbox = rwd_mailbox_create(1);
    return journal;
}

void rwd_journal_thread_destroy(struct rwd_journal_thread *journal)
{
    if (journal != NULL) {
        rwd_mailbox_destroy(journal->mailbox);
        rwd_mailbox_destroy(journal->tend_mailbox);
        rwd_free(journal);
    }
}

struct rwd_mailbox *rwd_journal_thread_mailbox(struct rwd_journal_thread *journal)
{
    return journal->mailbox;
}

struct rwd_mailbox *rwd_journal_thread_tend_mailbox(struct rwd_journal_thread *journal)
{
    return journal->tend_mailbox;
}

struct rwd_journal_metrics *rwd_journal_thread_metrics(struct rwd_journal_thread *journal)
{
    return &journal->metrics;
}

static void commit(struct rwd_journal_thread *journal)
{
    if (journal->appended == 0) {
        return;
    }
    struct rwd_error error;
    int64_t begin_ns = rwd_clock_monotonic_ns(&journal->clock);
    uint64_t before = rwd_journal_durable(journal->writer);
    if (rwd_journal_commit(journal->writer, &error) != RWD_OK) {
        rwd_log(RWD_LOG_ERROR, "journal",
            "msg=\"%s; stopping: what was not synced was promised to nobody\"", error.text);
        _exit(EXIT_JOURNAL_FAILED);
    }
    int64_t taken_ns = rwd_clock_monotonic_ns(&journal->clock) - begin_ns;
    rwd_histogram_add(&journal->metrics.commit_ns, (uint64_t)taken_ns, 1);
    rwd_count(&journal->metrics.commits, 1);
    rwd_count(&journal->metrics.records, journal->appended);
    uint64_t end = rwd_journal_durable(journal->writer);
    rwd_count(&journal->metrics.bytes, end - before);
    atomic_store_explicit(&journal->metrics.end_position, end, memory_order_relaxed);
    atomic_store(journal->end, end);
    journal->appended = 0;
}

/* False: there is no room for the segment after this one; try again soon. */
static bool prepare(struct rwd_journal_thread *journal)
{
    struct rwd_error error;
    bool full = rwd_journal_prepare(journal->writer, &error) != RWD_OK;
    if (full != atomic_load_explicit(&journal->metrics.full, memory_order_relaxed)) {
        if (full) {
            rwd_log(RWD_LOG_ERROR, "journal", "msg=\"%s; taking no events until there is room\"",
                error.text);
        } else {
            rwd_log(RWD_LOG_INFO, "journal", "msg=\"there is room again: taking events\"");
        }
        atomic_store_explicit(&journal->metrics.full, full, memory_order_relaxed);
    }
    return !full;
}

static void append_record(
    struct rwd_journal_thread *journal, struct rwd_record *record, const struct rwd_text *parts)
{
    /* BUSY: the commit is full, what is in it goes first; nobody hears of it before the whole
     * batch is durable. UNAVAILABLE: the disk is full; what was decided waits for room. */
    while (rwd_journal_append(journal->writer, record, parts, 2) != RWD_OK) {
        commit(journal);
        if (!prepare(journal)) {
            (void)poll(NULL, 0, FULL_DISK_RETRY_MS);
        }
    }
    journal->appended++;
}

static void append(struct rwd_journal_thread *journal, struct rwd_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct rwd_input *input = &batch->inputs[i];
        if (input->record.type != 0) {
            append_record(journal, &input->record, input->parts);
        }
        for (struct rwd_followup *at = input->followups; at != NULL; at = at->next) {
            append_record(journal, &at->record, at->parts);
        }
    }
}

static void send_on(struct rwd_journal_thread *journal, struct rwd_message *message)
{
    if (message->kind == RWD_SHARD_CHECKPOINT) {
        rwd_mailbox_return(journal->projector, message);
        return;
    }
    struct rwd_batch *batch = (struct rwd_batch *)message;
    message->kind = batch->home_kind;
    rwd_mailbox_return(batch->home, message);
}

static void handle(struct rwd_journal_thread *journal, struct rwd_message *messages)
{
    struct rwd_message *home = NULL;
    struct rwd_message **home_last = &home;
    while (messages != NULL) {
        struct rwd_message *message = messages;
        messages = message->next;
        message->next = NULL;
        if (message->kind == RWD_JOURNAL_STOP) {
            journal->stopping = true;
            rwd_free(message);
            continue;
        }
        if (message->kind == RWD_SHARD_CHECKPOINT) {
            ((struct rwd_checkpoint_message *)message)->stamp = rwd_journal_end(journal->writer);
        } else {
            append(journal, (struct rwd_batch *)message);
        }
        *home_last = message;
        home_last = &message->next;
    }
    commit(journal);
    RWD_FAULT_POINT("ack.before");
    while (home != NULL) {
        struct rwd_message *message = home;
        home = message->next;
        send_on(journal, message);
    }
    RWD_FAULT_POINT("ack.after");
}

bool rwd_journal_thread_turn(struct rwd_journal_thread *journal, bool wait)
{
    int timeout_ms = prepare(journal) ? -1 : FULL_DISK_RETRY_MS;
    struct rwd_message *messages = rwd_mailbox_wait(journal->mailbox, wait ? timeout_ms : 0);
    if (messages != NULL) {
        handle(journal, messages);
    }
    return !journal->stopping;
}

void rwd_journal_thread_run(void *context)
{
    while (rwd_journal_thread_turn(context, true)) {
    }
}

void rwd_journal_thread_tend(void *context)
{
    struct rwd_journal_thread *journal = context;
    rwd_thread_step_back();
    struct rwd_message *stop = NULL;
    while (stop == NULL) {
        /* As long a pause as each piece took, so that it has half of what the disk can do at most.
         */
        int64_t begin_ns = rwd_clock_monotonic_ns(&journal->clock);
        bool tended = rwd_journal_tend(journal->writer);
        int64_t taken_ns = rwd_clock_monotonic_ns(&journal->clock) - begin_ns;
        stop = rwd_mailbox_wait(
            journal->tend_mailbox, tended ? (int)(taken_ns / 1000000) + 1 : TEND_LOOK_MS);
    }
    rwd_free(stop);
}
