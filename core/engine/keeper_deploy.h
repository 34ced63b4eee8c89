/*
 * keeper_deploy: many files at once, rules, formulas and experiments, all or none of them. Private
 * to the engine.
 *
 * All are loaded aside, their tests run, and what they need of the house and of one another looked
 * for, in whatever order they came; only when nothing is wrong with any of them are they
 * registered, and of each rule and experiment among them the newest version is activated, of
 * formulas all. The caller journals and switches that in one step.
 *
 * Threads:   the keeper's.
 * Ownership: files are borrowed; deploy_finish frees the rest.
 */
#ifndef RWD_ENGINE_KEEPER_DEPLOY_H
#define RWD_ENGINE_KEEPER_DEPLOY_H

#include "engine/keeper.h"
#include "engine/keeper_life.h"

struct rwd_keeper_deploy {
    /* At most RWD_KEEPER_FILE_COUNT_MAX. */
    /* "<id>/<version>.lua" and "<id>/<version>_test.lua"; ids as in rule_kind.h. */
    const struct rwd_inquiry_file *files;
    size_t file_count;
    uint32_t *activated; /* version numbers */
    size_t activated_count;
};

/* The error names every file that is wrong, up to its size. INVALID, SCRIPT, NOT_FOUND, CONFLICT:
 * as take_in; CONFLICT too where a rule has a canary that is not deployed. Nothing has changed. */
RWD_MUST_USE enum rwd_status rwd_keeper_deploy(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, struct rwd_keeper_deploy *deploy,
    const struct rwd_keeper_cause *cause, struct rwd_error *error);
void rwd_keeper_deploy_finish(struct rwd_keeper_deploy *deploy);

/* {"activated":[{"rule_id","version","content_hash"}],"files":n} */
void rwd_keeper_put_deployed(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_deploy *deploy, struct rwd_buffer *out);

#endif
