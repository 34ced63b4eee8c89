/*
 * keeper_ramps: looks at the ramps that live, with what the shards have counted, and does what
 * their plans and guards say. Private to the engine.
 *
 * Threads: the keeper's.
 */
#ifndef RWD_ENGINE_KEEPER_RAMPS_H
#define RWD_ENGINE_KEEPER_RAMPS_H

#include "engine/keeper.h"
#include "engine/keeper_life.h"

bool rwd_keeper_has_ramps(const struct rwd_keeper_versions *versions);

/* The first ramp whose guard or time has come is moved. True: publish it, then ask again.
 * cause->reason then says why, in the memory of why. */
bool rwd_keeper_ramps_tend(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, struct rwd_keeper_cause *cause,
    char why[RWD_RAMP_WHY_SIZE_MAX]);

#endif
