/*
 * keeper_intake: what must hold before a source becomes a version: it loads in the sandbox, agrees
 * with its file's place, has the budgets and prices it needs, passes its tests, and is not a known
 * version with other bytes; and what it names is there (keeper_uses). Private to the engine.
 *
 * What is taken in is registered and nothing more: it decides nothing until it is activated. What
 * is not leaves no trace but the error, which names file and line.
 *
 * Threads: the keeper's.
 */
#ifndef RWD_ENGINE_KEEPER_INTAKE_H
#define RWD_ENGINE_KEEPER_INTAKE_H

#include "engine/keeper.h"
#include "engine/keeper_uses.h"
#include "engine/rule_folder.h"

enum {
    RWD_KEEPER_SOURCE_SIZE_MAX = 64 << 10,
    /* Taken in together: of numbers for versions so many are kept free. */
    RWD_KEEPER_FILE_COUNT_MAX = 4000,
};

/* What a rule needs of the house before it may decide about money. NOT_FOUND: its budget is not
 * there. INVALID: a milestone cannot be paid from it. */
RWD_MUST_USE enum rwd_status rwd_keeper_check_house(
    const struct rwd_keeper_options *options, const struct rwd_rule *rule, struct rwd_error *error);

/* A source that is to become a version. */
struct rwd_keeper_candidate {
    struct rwd_text source;
    const char *name;    /* for messages */
    const char *rule_id; /* what its place says it is; NULL: it has none */
    const char *version;
    struct rwd_text test;
    const char *test_name; /* NULL: it has no tests */
};

/* Everything that must hold of the file alone, and nothing registered. OK: *rule is what it
 * declares, the caller's, and *known the version that has the same bytes; NULL: it is new.
 * CONFLICT: known with others. */
RWD_MUST_USE enum rwd_status rwd_keeper_examine(const struct rwd_keeper_options *options,
    const struct rwd_keeper_outlook *outlook, const struct rwd_keeper_candidate *candidate,
    struct rwd_rule **rule, struct rwd_keeper_version **known, struct rwd_error *error);
/* Registers what was examined, and tells the directory. Takes the rule. */
struct rwd_keeper_version *rwd_keeper_register(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, struct rwd_rule **rule,
    const struct rwd_keeper_candidate *candidate);

/* Both, for one that comes alone, with what it names looked for. *version: its place; *is_new: it
 * was registered just now. */
RWD_MUST_USE enum rwd_status rwd_keeper_take_in(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, const struct rwd_keeper_candidate *candidate,
    struct rwd_keeper_version **version, bool *is_new, struct rwd_error *error);

/* Reads a file and takes it in; one whose bytes are known is not even loaded. */
RWD_MUST_USE enum rwd_status rwd_keeper_take_in_file(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, const struct rwd_rule_file *file,
    struct rwd_error *error);

#endif
