/*
 * keeper: keeps the rules: reads their files, registers versions, switches them, tells the shards.
 *
 * A version is immutable: the same id and version with other bytes is refused. A new file is loaded
 * aside, its tests run, the budgets and prices it needs are looked for; then it is registered,
 * journaled, and, where it is the newest of a rule that has nothing but drafts, activated. All that
 * one look at the folder finds is switched in one step: a new rulebook goes to every shard between
 * two batches, work in flight ends on the old one. A failed load changes nothing and says why, with
 * file and line, in the log and in GET /v1/rules.
 *
 * A switch is one record of the journal: the rules asked from there on and every version whose
 * state is new. A crash leaves all of it or nothing; drafts that are journaled before it do no
 * harm.
 *
 * Here are the thread, its questions, the rulebook and its switch. keeper_versions has the versions
 * and keeper_life the ways between their states, keeper_ramps the plans by which shares grow,
 * keeper_intake what must hold of a new version, keeper_uses what between those that name one
 * another, keeper_deploy many at once, rule_folder the files, keeper_answers the JSON.
 *
 * Threads: one of its own, with the sandbox's stack. Its mailbox takes messages from any thread;
 * restore before it runs.
 */
#ifndef RWD_ENGINE_KEEPER_H
#define RWD_ENGINE_KEEPER_H

#include "base/clock.h"
#include "decide/gates.h"
#include "engine/directory.h"
#include "engine/in_flight.h"
#include "engine/inquiry.h"

#include <stdatomic.h>

struct rwd_rule_counters;
struct rwd_rulebook_change;

enum rwd_keeper_message {
    RWD_KEEPER_INQUIRY, /* struct rwd_inquiry; goes back to its home */
    RWD_KEEPER_BATCH,   /* its own batch, home and durable */
    RWD_KEEPER_SUSPEND, /* struct rwd_suspension_message, freed here */
    RWD_KEEPER_SCAN,    /* struct rwd_message, freed here: look at the folder now */
    RWD_KEEPER_STOP,    /* struct rwd_message, freed here */
};

/* A shard's breaker opened: the version is to rest everywhere, over a restart too. */
struct rwd_suspension_message {
    struct rwd_message message;
    uint32_t version_no;
    struct rwd_error error; /* the last one: the reason that is journaled */
};

struct rwd_keeper_options {
    const struct rwd_config *config;
    const struct rwd_gates *gates;
    const struct rwd_pools *pools;
    struct rwd_clock clock;
    struct rwd_directory *directory;
    struct rwd_mailbox **shards;                          /* filled in before the keeper runs */
    const struct rwd_rule_counters *const *rule_counters; /* of each shard; filled in likewise */
    uint32_t shard_count;
    int64_t started_ms;               /* what the shards count is since then */
    _Atomic bool *ready;              /* set when the rules are in force for the first time */
    struct rwd_in_flight **in_flight; /* filled in before the keeper runs; which rules crashed */
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
/* One of the changes that a rulebook's record names. *version: the whole row it makes, borrowed
 * until the next call; ramp is its memory. CORRUPT: there is no such version. */
RWD_MUST_USE enum rwd_status rwd_keeper_restore_change(struct rwd_keeper *keeper,
    const struct rwd_rulebook_change *change, const struct rwd_rulebook_row *row,
    struct rwd_buffer *ramp, struct rwd_rule_version_row *version, struct rwd_error *error);

/* The thread's function. First the last rulebook comes back in force (a version that a stricter
 * program no longer loads is left out, one that in_flight.h blames for the last crashes is
 * suspended, and the log says so) and configured budgets that are new are
 * made; then the folder is read and watched. Ends at RWD_KEEPER_STOP. */
void rwd_keeper_run(void *keeper);

#endif
