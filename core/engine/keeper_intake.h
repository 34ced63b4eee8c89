/*
 * keeper_intake: what must hold before a source becomes a version: it loads in the sandbox, agrees
 * with its file's place, has the budgets and prices it needs, passes its tests, and is not a known
 * version with other bytes. Private to the engine.
 *
 * What is taken in is registered and nothing more: it decides nothing until it is activated. What
 * is not leaves no trace but the error, which names file and line.
 *
 * Threads: the keeper's.
 */
#ifndef RWD_ENGINE_KEEPER_INTAKE_H
#define RWD_ENGINE_KEEPER_INTAKE_H

#include "engine/keeper.h"
#include "engine/keeper_versions.h"
#include "engine/rule_folder.h"

enum { RWD_KEEPER_SOURCE_SIZE_MAX = 64 << 10 };

/* What a rule needs of the house before it may decide about money. NOT_FOUND: its budget is not
 * there. INVALID: a milestone cannot be paid from it. */
RWD_MUST_USE enum rwd_status rwd_keeper_check_house(
    const struct rwd_keeper_options *options, const struct rwd_rule *rule, struct rwd_error *error);

/* Registers a source that is new, and tells the directory. file, with its tests: where it lies;
 * NULL: it was sent. *version: its place. CONFLICT: registered before with other bytes; OK with
 * *is_new false: registered before with the same. */
RWD_MUST_USE enum rwd_status rwd_keeper_take_in(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, struct rwd_text source, const struct rwd_rule_file *file,
    struct rwd_keeper_version **version, bool *is_new, struct rwd_error *error);

/* Reads a file and takes it in; one whose bytes are known is not even loaded. */
RWD_MUST_USE enum rwd_status rwd_keeper_take_in_file(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, const struct rwd_rule_file *file,
    struct rwd_error *error);

#endif
