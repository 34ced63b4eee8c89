#include "experiment/arm.h"

#include "base/check.h"
#include "experiment/assign.h"

#include <stdio.h>
#include <string.h>

enum { HASH_VERSION = 2, SEED_SIZE_MAX = RWD_RULE_ID_SIZE_MAX + 16 };

static double place_of(const char *salt, const char *seed, struct rwd_text user_id)
{
    char text[SEED_SIZE_MAX];
    double n = 0;
    int size = snprintf(text, sizeof text, "%s%s", salt, seed);
    bool known = rwd_assign_hash(
        (struct rwd_text){.data = text, .size = (size_t)size}, user_id, HASH_VERSION, &n);
    RWD_REQUIRE(known);
    return n;
}

/* A group's holdout is seeded with the group, so that its members keep the same users out. A colon
 * stands in no key: the salt meets no experiment's seed. */
static bool is_held_out(const struct rwd_experiment *experiment, struct rwd_text user_id)
{
    const char *seed = experiment->group[0] != '\0' ? experiment->group : experiment->key;
    return experiment->holdout > 0 && place_of("holdout:", seed, user_id) < experiment->holdout;
}

int rwd_experiment_arm_find(const struct rwd_experiment *experiment, struct rwd_text name)
{
    for (size_t i = 0; i < experiment->arm_count; i++) {
        if (rwd_text_is(name, experiment->arms[i].name)) {
            return (int)i;
        }
    }
    return RWD_ASSIGN_NOWHERE;
}

int rwd_experiment_arm(
    const struct rwd_experiment *experiment, struct rwd_text user_id, const char *known)
{
    if (experiment->group[0] != '\0' &&
        !rwd_assign_in_namespace(user_id, rwd_text_of(experiment->group), experiment->group_begin,
            experiment->group_end)) {
        return RWD_ASSIGN_NOWHERE;
    }
    int kept = rwd_experiment_arm_find(experiment, rwd_text_of(known));
    if (kept != RWD_ASSIGN_NOWHERE) {
        return kept;
    }
    if (experiment->holdout > 0 && strcmp(known, RWD_EXPERIMENT_HOLDOUT) == 0) {
        return RWD_EXPERIMENT_HELD_OUT;
    }
    double weights[RWD_EXPERIMENT_ARM_COUNT_MAX];
    struct rwd_bucket_range ranges[RWD_EXPERIMENT_ARM_COUNT_MAX];
    for (size_t i = 0; i < experiment->arm_count; i++) {
        weights[i] = experiment->arms[i].weight;
    }
    rwd_assign_bucket_ranges(
        experiment->arm_count, experiment->coverage, weights, experiment->arm_count, ranges);
    int arm =
        rwd_assign_choose(place_of("", experiment->key, user_id), ranges, experiment->arm_count);
    return arm != RWD_ASSIGN_NOWHERE && is_held_out(experiment, user_id) ? RWD_EXPERIMENT_HELD_OUT
                                                                         : arm;
}

bool rwd_experiments_collide(const struct rwd_experiment *a, const struct rwd_experiment *b)
{
    return a->group[0] != '\0' && strcmp(a->group, b->group) == 0 && strcmp(a->key, b->key) != 0 &&
           a->group_begin < b->group_end && b->group_begin < a->group_end;
}
