/*
 * journal_thread: makes batches durable and sends them home.
 *
 * Takes all that waits, appends it, and pays one fdatasync for the lot. A checkpoint passing
 * through is stamped with the journal's end, so what its rows came from is durable before the
 * projector sees them.
 *
 * Errors: a failed write or sync ends the process at once, with status 70: memory that ran ahead
 * dies with it, and nobody was told otherwise. A full disk is met one segment ahead: metrics->full
 * makes the edge answer 503 while the segment at hand has room for all that is under way. Threads:
 * post to its mailbox from any; all else is its own.
 */
#ifndef RWD_ENGINE_JOURNAL_THREAD_H
#define RWD_ENGINE_JOURNAL_THREAD_H

#include "base/clock.h"
#include "engine/metrics.h"
#include "journal/journal.h"
#include "runtime/mailbox.h"

enum rwd_journal_message {
    /* Kinds of messages are the receiver's, but a shard's pass through here as they are:
     * RWD_SHARD_BATCH and RWD_SHARD_CHECKPOINT. */
    RWD_JOURNAL_STOP = 1000, /* struct rwd_message, freed here */
};

struct rwd_journal_thread;

/* writer and projector are borrowed. */
struct rwd_journal_thread *rwd_journal_thread_create(struct rwd_journal_writer *writer,
    struct rwd_clock clock, struct rwd_mailbox *projector, _Atomic uint64_t *end);
void rwd_journal_thread_destroy(struct rwd_journal_thread *journal);
struct rwd_mailbox *rwd_journal_thread_mailbox(struct rwd_journal_thread *journal);
struct rwd_journal_metrics *rwd_journal_thread_metrics(struct rwd_journal_thread *journal);
/* One turn: takes what waits and makes it durable; waits for it where told to. False: stopped. */
RWD_MUST_USE bool rwd_journal_thread_turn(struct rwd_journal_thread *journal, bool wait);
/* The thread's function: turns until RWD_JOURNAL_STOP. */
void rwd_journal_thread_run(void *journal);
/* A second thread's: what is done beside the commits, until RWD_JOURNAL_STOP comes to its mailbox.
 */
void rwd_journal_thread_tend(void *journal);
struct rwd_mailbox *rwd_journal_thread_tend_mailbox(struct rwd_journal_thread *journal);

#endif
