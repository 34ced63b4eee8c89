#include "engine/keeper_experiments.h"

#include "domain/experiment.h"
#include "experiment/arm.h"

#include <stdio.h>
#include <string.h>

static bool is_known(const struct rwd_keeper_versions *versions, const char *key)
{
    char id[RWD_RULE_ID_SIZE_MAX + sizeof RWD_EXPERIMENT_ID_PREFIX];
    int size = snprintf(id, sizeof id, RWD_EXPERIMENT_ID_PREFIX "%s", key);
    return rwd_keeper_rule_no(versions, (struct rwd_text){.data = id, .size = (size_t)size}) != 0;
}

enum rwd_status rwd_keeper_check_experiments(const struct rwd_keeper_versions *versions,
    const struct rwd_rule *rule, struct rwd_error *error)
{
    if (rule->experiment[0] != '\0' && !is_known(versions, rule->experiment)) {
        return rwd_fail(error, RWD_NOT_FOUND,
            "%s: there is no experiment '%s'; it belongs in experiments/%s/<version>.lua",
            rule->source_name, rule->experiment, rule->experiment);
    }
    for (size_t i = 0; rule->declares != NULL && i < versions->count; i++) {
        const struct rwd_keeper_version *other = &versions->all[i];
        const struct rwd_rule *loaded = rwd_keeper_in_force(other) && other->shared != NULL
                                            ? rwd_shared_rule_get(other->shared)
                                            : NULL;
        if (loaded != NULL && loaded->declares != NULL &&
            rwd_experiments_collide(rule->declares, loaded->declares)) {
            return rwd_fail(error, RWD_CONFLICT,
                "%s: experiment '%s' is in force and has %.0f to %.0f %% of group '%s'; give this "
                "one another slice: group = { name = \"%s\", from = ..., to = ... }",
                rule->source_name, loaded->declares->key, 100 * loaded->declares->group_begin,
                100 * loaded->declares->group_end, rule->declares->group, rule->declares->group);
        }
    }
    return RWD_OK;
}

enum rwd_status rwd_keeper_check_unused(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_version *version, struct rwd_error *error)
{
    const char *prefix = RWD_EXPERIMENT_ID_PREFIX;
    if (strncmp(version->names.rule_id, prefix, strlen(prefix)) != 0) {
        return RWD_OK;
    }
    const char *key = version->names.rule_id + strlen(prefix);
    for (size_t i = 0; i < versions->count; i++) {
        const struct rwd_keeper_version *other = &versions->all[i];
        if (rwd_keeper_in_force(other) && other->shared != NULL &&
            strcmp(rwd_shared_rule_get(other->shared)->experiment, key) == 0) {
            return rwd_fail(error, RWD_CONFLICT,
                "experiment '%s' is used by rule %s@%s, which is in force", key,
                other->names.rule_id, other->names.version);
        }
    }
    return RWD_OK;
}
