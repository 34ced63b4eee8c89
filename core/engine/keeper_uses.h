/*
 * keeper_uses: what must hold between versions that name one another, and between experiments of
 * one exclusion group. Private to the engine.
 *
 * A rule that takes a formula which nobody has loaded cannot run, and one that names such an
 * experiment would send every player its default and measure nothing: neither loads. What a rule in
 * force names stays. Two experiments in force whose slices of a group overlap could both take one
 * player, so the second is refused.
 *
 * What comes in together may name one another: it is looked at as it will be when all of it is in.
 *
 * Threads: the keeper's.
 */
#ifndef RWD_ENGINE_KEEPER_USES_H
#define RWD_ENGINE_KEEPER_USES_H

#include "engine/keeper_versions.h"
#include "script/formula.h"

/* A version that comes in with others. */
struct rwd_keeper_arrival {
    const char *rule_id;
    const char *version;
    const struct rwd_rule *rule; /* NULL: not loaded yet, or something is wrong with it */
    bool activates; /* it will be in force; a rule or experiment, as the one of its id */
};

/* What there will be: all that is registered, and what comes in. Borrowed. */
struct rwd_keeper_outlook {
    const struct rwd_keeper_versions *versions;
    const struct rwd_keeper_arrival *arrivals;
    size_t arrival_count;
};

/* The formulas that rules may take. Retired ones are on it too: a rule that is known was made with
 * its own; rwd_keeper_check_uses asks. */
struct rwd_formula_shelf rwd_keeper_shelf(const struct rwd_keeper_outlook *outlook);

/* Before a version is taken in or activated. NOT_FOUND: the rule's experiment is not known.
 * CONFLICT: a formula it takes is retired. */
RWD_MUST_USE enum rwd_status rwd_keeper_check_uses(
    const struct rwd_keeper_outlook *outlook, const struct rwd_rule *rule, struct rwd_error *error);
/* Before an experiment is put in force. CONFLICT: it overlaps one that is, or will be. */
RWD_MUST_USE enum rwd_status rwd_keeper_check_group(
    const struct rwd_keeper_outlook *outlook, const struct rwd_rule *rule, struct rwd_error *error);

/* Does this version, which is in force, name the other? An experiment is named by its key: what is
 * named is its version in force. */
bool rwd_keeper_uses(
    const struct rwd_keeper_version *version, const struct rwd_keeper_version *used);
/* Before a version is retired. CONFLICT: a rule in force names it. */
RWD_MUST_USE enum rwd_status rwd_keeper_check_unused(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_version *version, struct rwd_error *error);

#endif
