/*
 * keeper_versions: the table of all rule versions there ever were, and where each is in its life.
 * Private to the engine; keeper_life has the ways from state to state.
 *
 * A version is numbered by its place and stays for good: journal and players name it by number.
 * What is new of it is marked, for the keeper to journal it and switch the shards.
 *
 * Threads:   the keeper's; restore before it runs.
 * Ownership: init (zeroed memory) and finish. A version is borrowed until the next one is added.
 */
#ifndef RWD_ENGINE_KEEPER_VERSIONS_H
#define RWD_ENGINE_KEEPER_VERSIONS_H

#include "engine/directory.h"
#include "engine/ramp.h"
#include "engine/records.h"
#include "engine/rule_stats.h"
#include "script/rulebook.h"
#include "script/sandbox.h"

enum rwd_keeper_state {
    RWD_KEEPER_DRAFT,     /* registered, decides nothing */
    RWD_KEEPER_SHADOW,    /* decides beside the others, gives nothing */
    RWD_KEEPER_CANARY,    /* for a share of the players */
    RWD_KEEPER_ACTIVE,    /* for all others */
    RWD_KEEPER_RETIRED,   /* was in force, or was tried */
    RWD_KEEPER_SUSPENDED, /* failed too often: rests until somebody acts */
};
const char *rwd_keeper_state_name(enum rwd_keeper_state state);

struct rwd_keeper_version {
    struct rwd_directory_entry names;
    enum rwd_keeper_state state;
    char *source;
    size_t source_size;
    char *source_name;
    int64_t registered_ms;
    int64_t since_ms;  /* in this state, with this share */
    int64_t active_ms; /* when it became the active one last; 0: never */
    /* Per cent of the players: canary 1..99, active 100. A suspended version that was active keeps
     * its place and its 100; one that was a canary or a shadow has left the rulebook, with 0. */
    uint32_t share;
    struct rwd_ramp ramp;
    /* What had been counted when the ramp's step began, of it and of the version it replaces; a
     * restart counts anew. */
    int64_t marked_ms; /* the step's since_ms; else there is no mark yet */
    struct rwd_rule_sums mark;
    struct rwd_rule_sums base_mark;
    char *actor; /* who brought it here, and why */
    char *reason;
    struct rwd_shared_rule *shared; /* NULL: not loaded */
    bool registered;                /* the journal knows it */
    bool changed;                   /* its state is not journaled yet */
};

static inline enum rwd_rule_kind rwd_keeper_kind(const struct rwd_keeper_version *version)
{
    return rwd_rule_kind_of(rwd_text_of(version->names.rule_id));
}
/* Has a place in the rulebook, and which; a formula's is in the rules that take it. */
bool rwd_keeper_in_force(const struct rwd_keeper_version *version);
enum rwd_rulebook_role rwd_keeper_role(const struct rwd_keeper_version *version);

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
/* The rule's version in that role; NULL: none is. */
struct rwd_keeper_version *rwd_keeper_in_role(
    const struct rwd_keeper_versions *versions, uint32_t rule_no, enum rwd_rulebook_role role);

/* Adds the rule, which is given, as a version of these bytes. */
struct rwd_keeper_version *rwd_keeper_version_add(struct rwd_keeper_versions *versions,
    struct rwd_rule **rule, struct rwd_text source, const char *source_name, int64_t now_ms);
/* Loads it from its source, where it is not loaded. As rwd_rule_load_with. */
RWD_MUST_USE enum rwd_status rwd_keeper_version_load(struct rwd_keeper_version *version,
    const struct rwd_formula_shelf *shelf, const struct rwd_sandbox_limits *limits,
    struct rwd_error *error);

/* A version, or its new state, from a row of the store or the journal. *is_new: it is to be told to
 * the directory. CORRUPT: it does not fit the others. */
RWD_MUST_USE enum rwd_status rwd_keeper_version_restore(struct rwd_keeper_versions *versions,
    const struct rwd_rule_version_row *row, const struct rwd_keeper_version **version, bool *is_new,
    struct rwd_error *error);
/* The same for what a rulebook's record says of versions that are known. */
RWD_MUST_USE enum rwd_status rwd_keeper_version_restore_change(struct rwd_keeper_versions *versions,
    const struct rwd_rulebook_change *change, const struct rwd_rulebook_row *row,
    struct rwd_error *error);
/* Its row; texts are borrowed from the version and from ramp, which is filled. */
void rwd_keeper_version_row(const struct rwd_keeper_version *version, struct rwd_buffer *ramp,
    struct rwd_rule_version_row *row);

#endif
