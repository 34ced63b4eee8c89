/*
 * keeper_versions: the table of all rule versions there ever were, and the life of each: registered
 * -> active -> retired, or suspended where it fails too often. Private to the engine.
 *
 * A version is numbered by its place and stays for good: journal and players name it by number. A
 * change of state is marked, for the keeper to journal it and switch the shards.
 *
 * Threads:   the keeper's; restore before it runs.
 * Ownership: init (zeroed memory) and finish. A version is borrowed until the next one is added.
 */
#ifndef RWD_ENGINE_KEEPER_VERSIONS_H
#define RWD_ENGINE_KEEPER_VERSIONS_H

#include "engine/directory.h"
#include "script/rulebook.h"
#include "script/sandbox.h"
#include "store/store.h"

enum rwd_keeper_state {
    RWD_KEEPER_REGISTERED,
    RWD_KEEPER_ACTIVE,
    RWD_KEEPER_RETIRED,
    RWD_KEEPER_SUSPENDED, /* active, but resting after too many errors */
};
const char *rwd_keeper_state_name(enum rwd_keeper_state state);

/* Has its rule's place in the rulebook. */
bool rwd_keeper_in_force(enum rwd_keeper_state state);

struct rwd_keeper_version {
    struct rwd_directory_entry names;
    enum rwd_keeper_state state;
    char *source;
    size_t source_size;
    char *source_name;
    int64_t registered_ms;
    int64_t since_ms;
    struct rwd_shared_rule *shared; /* NULL: not loaded */
    bool changed;                   /* new, or in a new state that is not journaled yet */
};

struct rwd_keeper_versions {
    struct rwd_keeper_version *all; /* by version number, from 1 */
    size_t count;
    size_t capacity;
    uint32_t rule_count;
};

void rwd_keeper_versions_finish(struct rwd_keeper_versions *versions);

/* NULL: no such version. */
struct rwd_keeper_version *rwd_keeper_version_find(
    const struct rwd_keeper_versions *versions, struct rwd_text rule_id, struct rwd_text version);
/* 0: no version of that rule was ever registered. */
uint32_t rwd_keeper_rule_no(const struct rwd_keeper_versions *versions, struct rwd_text rule_id);
/* The version of that rule that was active last before the one that is; NULL: none was. */
struct rwd_keeper_version *rwd_keeper_rollback_target(
    const struct rwd_keeper_versions *versions, struct rwd_text rule_id);

/* Adds the rule, which is given, as a version of these bytes. */
struct rwd_keeper_version *rwd_keeper_version_add(struct rwd_keeper_versions *versions,
    struct rwd_rule **rule, struct rwd_text source, const char *source_name, int64_t now_ms);
/* Loads it from its source, where it is not loaded. As rwd_rule_load. */
RWD_MUST_USE enum rwd_status rwd_keeper_version_load(struct rwd_keeper_version *version,
    const struct rwd_sandbox_limits *limits, struct rwd_error *error);

void rwd_keeper_set_state(
    struct rwd_keeper_version *version, enum rwd_keeper_state state, int64_t now_ms);
/* The one that was active before retires. */
void rwd_keeper_activate(
    struct rwd_keeper_versions *versions, struct rwd_keeper_version *version, int64_t now_ms);
/* Of every rule with a number above rule_count_before, its newest version. */
void rwd_keeper_activate_new_rules(
    struct rwd_keeper_versions *versions, uint32_t rule_count_before, int64_t now_ms);

/* A version, or its new state, from a row of the store or the journal. *is_new: it is to be told to
 * the directory. CORRUPT: it does not fit the others. */
RWD_MUST_USE enum rwd_status rwd_keeper_version_restore(struct rwd_keeper_versions *versions,
    const struct rwd_rule_version_row *row, const struct rwd_keeper_version **version, bool *is_new,
    struct rwd_error *error);
/* Its row; texts are borrowed from the version. */
void rwd_keeper_version_row(
    const struct rwd_keeper_version *version, struct rwd_rule_version_row *row);

#endif
