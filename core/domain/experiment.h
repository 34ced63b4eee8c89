/*
 * experiment: one version of one experiment as plain data: what experiment{...} says beside the
 * head, active and eligible, which it shares with rules.
 *
 * An experiment is versioned, journaled and switched as a rule is: its file becomes a struct
 * rwd_rule that listens to no event, has no functions, and declares one of these. Its id is
 * "experiments/<key>", which no rule's can be.
 *
 * Threads:   written once when the file is loaded, then read by every shard.
 * Ownership: of the rule that declares it.
 */
#ifndef RWD_DOMAIN_EXPERIMENT_H
#define RWD_DOMAIN_EXPERIMENT_H

#include "domain/rule.h"

#define RWD_EXPERIMENT_ID_PREFIX "experiments/"
/* What stands for the arm of a user who is held out, in exposures and books: no arm is called so.
 */
#define RWD_EXPERIMENT_HOLDOUT "holdout"

enum {
    RWD_EXPERIMENT_KEY_SIZE_MAX = RWD_RULE_ID_SIZE_MAX - sizeof(RWD_EXPERIMENT_ID_PREFIX) + 1,
    RWD_EXPERIMENT_ARM_COUNT_MAX = 8,
    RWD_EXPERIMENT_GUARDRAIL_COUNT_MAX = 8,
};

/* The key in "experiments/<key>"; the whole text where it is another's id. */
static inline struct rwd_text rwd_experiment_key_of(const char *rule_id)
{
    struct rwd_text id = rwd_text_of(rule_id);
    const struct rwd_text prefix = RWD_TEXT(RWD_EXPERIMENT_ID_PREFIX);
    size_t skipped =
        id.size > prefix.size &&
                rwd_text_equal(prefix, (struct rwd_text){.data = id.data, .size = prefix.size})
            ? prefix.size
            : 0;
    return (struct rwd_text){.data = id.data + skipped, .size = id.size - skipped};
}

struct rwd_experiment_arm {
    char name[RWD_ARM_NAME_SIZE_MAX];
    double weight; /* all of them sum to 1 */
};

enum rwd_metric_kind {
    RWD_METRIC_CONVERSION, /* share of users with at least one such event */
    RWD_METRIC_MEAN,       /* sum of a field, a user */
    RWD_METRIC_RATIO,      /* sum of a field by sum of another */
};

/* Taken from a user's events behind the first exposure. */
struct rwd_metric {
    char name[RWD_RULE_ID_SIZE_MAX];
    enum rwd_metric_kind kind;
    char event_name[RWD_RULE_ID_SIZE_MAX];
    char path[RWD_RULE_PATH_SIZE_MAX];     /* "payload.bet"; "" for a conversion */
    char per_path[RWD_RULE_PATH_SIZE_MAX]; /* of a ratio */
};

struct rwd_experiment {
    char key[RWD_EXPERIMENT_KEY_SIZE_MAX];
    /* The control first: the arm of that name, or else the first by name; the others by name. */
    struct rwd_experiment_arm arms[RWD_EXPERIMENT_ARM_COUNT_MAX];
    size_t arm_count;
    double coverage; /* 0..1 of those who may take part */
    double holdout;  /* 0..1 kept out of every arm; the same users all over a group */
    char group[RWD_RULE_ID_SIZE_MAX]; /* exclusion group, "": none */
    double group_begin;               /* this experiment's slice of it, half open */
    double group_end;
    bool by_payer; /* strata */
    bool by_geo;
    bool by_platform;
    struct rwd_metric primary;
    struct rwd_metric guardrails[RWD_EXPERIMENT_GUARDRAIL_COUNT_MAX];
    size_t guardrail_count;
};

#endif
