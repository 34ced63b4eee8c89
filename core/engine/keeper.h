/*
 * keeper: keeps the rules: reads their files, registers versions, switches them, tells the shards.
 *
 * A version is immutable: the same id and version with other bytes is refused. A new file is loaded
 * aside, its tests run, the budgets and prices it needs are looked for; then it is registered,
 * journaled, and, where it is the first of its rule, activated. All that one look at the folder
 * finds is switched in one step: a new rulebook goes to every shard between two batches, work in
 * flight ends on the old one. A failed load changes nothing and says why, with file and line, in
 * the log and in GET /v1/rules.
 *
 * Threads: the main thread's. Its mailbox takes inquiries from any.
 */
#ifndef RWD_ENGINE_KEEPER_H
#define RWD_ENGINE_KEEPER_H

#include "base/clock.h"
#include "decide/gates.h"
#include "engine/directory.h"
#include "engine/inquiry.h"

enum rwd_keeper_message {
    RWD_KEEPER_INQUIRY, /* struct rwd_inquiry; goes back to its home */
    RWD_KEEPER_BATCH,   /* its own batch, home and durable */
};

struct rwd_keeper_options {
    const struct rwd_config *config;
    const struct rwd_gates *gates;
    const struct rwd_pools *pools;
    struct rwd_clock clock;
    struct rwd_directory *directory;
    struct rwd_mailbox *const *shards;
    uint32_t shard_count;
};

struct rwd_keeper;

struct rwd_keeper *rwd_keeper_create(const struct rwd_keeper_options *options);
void rwd_keeper_destroy(struct rwd_keeper *keeper);
struct rwd_mailbox *rwd_keeper_mailbox(struct rwd_keeper *keeper);

/* Recovery: a version, or its new state, as the store or the journal has it. LIMIT: too many
 * versions. */
RWD_MUST_USE enum rwd_status rwd_keeper_restore(
    struct rwd_keeper *keeper, const struct rwd_rule_version_row *row, struct rwd_error *error);
void rwd_keeper_restore_rulebook(struct rwd_keeper *keeper, const struct rwd_rulebook_row *row);

/* With the threads running: brings the last rulebook back in force. A version that no longer loads
 * (a stricter program) is left out and said so. */
void rwd_keeper_resume(struct rwd_keeper *keeper);
/* Looks at the rules folder and the configured budgets; takes in what is new. */
void rwd_keeper_scan(struct rwd_keeper *keeper);
/* The folder's inotify descriptor, -1: not watched. Readable: call rwd_keeper_folder_changed, then
 * scan when it has been quiet for a moment. */
int rwd_keeper_watch_fd(struct rwd_keeper *keeper);
void rwd_keeper_folder_changed(struct rwd_keeper *keeper);
/* Answers what is in the mailbox. */
void rwd_keeper_handle_mail(struct rwd_keeper *keeper);

#endif
