/*
 * query: answers the API's questions from the store and the journal, away from the io thread.
 *
 * All answers are as fresh as the last ack: decisions come from the journal; a list waits for the
 * checkpoint that takes in what was journaled before it was asked for (checkpoint_interval_ms), or
 * answers what is stored where the store is late.
 *
 * Questions about rules go on to the keeper from here, with what the store says of them. They want
 * points, too, which a checkpoint may leave for the next ones, and wait for that a moment less.
 *
 * Threads: post to its mailbox from any; all else is its own.
 */
#ifndef RWD_ENGINE_QUERY_H
#define RWD_ENGINE_QUERY_H

#include "base/digest.h"
#include "engine/directory.h"
#include "engine/inquiry.h"

enum rwd_query_message {
    RWD_QUERY_INQUIRY, /* struct rwd_inquiry; goes back to its home, or on to the keeper */
    RWD_QUERY_STOP,    /* struct rwd_message, freed here */
};

struct rwd_query_options {
    const char *store_url;
    const char *journal_dir;
    const struct rwd_directory *directory;
    const uint8_t *fingerprint_key;
    int64_t reorder_window_ms; /* an event waits so long at most */
    /* The journal's end, and up to where the store has its tasks; both NULL: answer what is stored.
     */
    const _Atomic uint64_t *journal_end;
    const _Atomic uint64_t *stored_end;
    /* Where the store is complete, points included; NULL likewise. */
    const _Atomic uint64_t *stored_position;
    struct rwd_mailbox *keeper;
};

struct rwd_query;

RWD_MUST_USE enum rwd_status rwd_query_create(
    const struct rwd_query_options *options, struct rwd_query **query, struct rwd_error *error);
void rwd_query_destroy(struct rwd_query *query);
struct rwd_mailbox *rwd_query_mailbox(struct rwd_query *query);
/* The thread's function; ends at RWD_QUERY_STOP. */
void rwd_query_run(void *query);

#endif
