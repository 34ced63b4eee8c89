/*
 * arms: what a rule is told when it asks for the player's arm, and the exposures that come of it.
 *
 * A player is exposed the first time that a rule learns the arm: the exposure then stands in the
 * decision, beside what the rule made of it, and apply has the player remember it. Who is held out
 * is recorded the same way and at the same moment, as RWD_EXPERIMENT_HOLDOUT, though the rule hears
 * of no arm: both groups then count from the same kind of event on, and can be compared. A rule
 * that fails was told nothing: its exposures go with the rest of what it did.
 *
 * Threads:   pure, but for the lists, which hang in the arena.
 * Ownership: all is borrowed for the decision.
 */
#ifndef RWD_DECIDE_ARMS_H
#define RWD_DECIDE_ARMS_H

#include "domain/decision.h"
#include "script/rulebook.h"

struct rwd_arms {
    const struct rwd_rulebook *rulebook;
    const struct rwd_event *event;
    const struct rwd_player *player;
    const struct rwd_profile *profile; /* as of this event */
    struct rwd_arena *arena;
    struct rwd_exposure *exposures; /* new ones */
    size_t exposure_count;
    size_t exposure_capacity;
    /* What the last question found: an arm, or RWD_EXPERIMENT_HOLDOUT; the caller clears it before
     * a rule. */
    struct rwd_text asked;
    uint32_t asked_version_no; /* of the experiment it is an arm of; 0: none, or not a real one */
    bool full;                 /* the arena is: the decision has to be made anew */
};

/* The arm's name, borrowed from the rulebook; empty: the player is in none, or the experiment is
 * not in force, not active at the event's time, or not for this player. */
struct rwd_text rwd_arms_tell(struct rwd_arms *arms, struct rwd_text key);

#endif
