/*
 * arm: which arm of an experiment a user is in, all of its terms taken together.
 *
 * In this order: outside the experiment's slice of its exclusion group -> none; exposed to an arm
 * that still exists -> that arm; outside what the coverage takes of the hash (assign.h) -> none;
 * held out -> kept apart; else what the hash says. The seed is the experiment's key: every version
 * of it gives the same arms where its weights are the same, and who was once exposed stays,
 * whatever shares become. So does who was once held out, while there is a holdout at all.
 *
 * The held-out are those who would be in an arm, and another hash keeps them out: they and those
 * who take part are drawn from the same users, so the one is what the other would be without the
 * experiment.
 *
 * Strata do not enter the hash: that keeps SDKs in agreement and nobody changes arms by becoming a
 * payer. A hash is independent of payer, geo and platform, so each stratum is split as the whole
 * is; statistics.h's SRM test watches every one.
 *
 * Threads: pure.
 */
#ifndef RWD_EXPERIMENT_ARM_H
#define RWD_EXPERIMENT_ARM_H

#include "domain/experiment.h"

enum { RWD_EXPERIMENT_HELD_OUT = -2 };

/* Of a user that is eligible while the experiment is active. known: the arm the user was exposed to
 * before, or RWD_EXPERIMENT_HOLDOUT; "": none. The arm's index, RWD_EXPERIMENT_HELD_OUT or
 * RWD_ASSIGN_NOWHERE. */
int rwd_experiment_arm(
    const struct rwd_experiment *experiment, struct rwd_text user_id, const char *known);

/* The arm of that name; RWD_ASSIGN_NOWHERE: there is none. */
int rwd_experiment_arm_find(const struct rwd_experiment *experiment, struct rwd_text name);

/* Do the two share a group and overlap in it, so that one user could be in both? */
bool rwd_experiments_collide(const struct rwd_experiment *a, const struct rwd_experiment *b);

#endif
