/*
 * keeper_experiments: what must hold between rules and experiments, and between experiments of one
 * exclusion group. Private to the engine.
 *
 * A rule that names an experiment which nobody has loaded would send every player its default and
 * measure nothing, so it does not load. Two experiments in force whose slices of a group overlap
 * could both take one player, so the second is refused. An experiment stays while a rule in force
 * names it.
 *
 * Threads: the keeper's.
 */
#ifndef RWD_ENGINE_KEEPER_EXPERIMENTS_H
#define RWD_ENGINE_KEEPER_EXPERIMENTS_H

#include "engine/keeper_versions.h"

/* Before a rule or an experiment is taken in or activated. NOT_FOUND: the rule's experiment is not
 * known. CONFLICT: the experiment overlaps one in force. */
RWD_MUST_USE enum rwd_status rwd_keeper_check_experiments(
    const struct rwd_keeper_versions *versions, const struct rwd_rule *rule,
    struct rwd_error *error);

/* Before a version is retired. CONFLICT: it is an experiment that a rule in force names. */
RWD_MUST_USE enum rwd_status rwd_keeper_check_unused(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_version *version, struct rwd_error *error);

#endif
