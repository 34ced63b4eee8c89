/*
 * profile: what an event says about the player itself: KYC level, exclusions, geo, platform. Pure.
 */
#ifndef RWD_DECIDE_PROFILE_H
#define RWD_DECIDE_PROFILE_H

#include "domain/decision.h"

/* The profile as of the event: the player's own where nothing changes, else a new one in the arena.
 * NULL: the arena is full. */
const struct rwd_profile *rwd_profile_after(
    const struct rwd_event *event, const struct rwd_player *player, struct rwd_arena *arena);

#endif
