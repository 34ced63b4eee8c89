/*
 * rollout: which players a version that is not for everybody is for.
 *
 * A player's place follows from the version and the player alone, in ten thousandths, so a share
 * that grows keeps whoever is in. Each version draws anew: no player is always the first to try
 * things. The salt is the rollout's own; an experiment's arms are drawn independently of it.
 *
 * Pure.
 */
#ifndef RWD_DOMAIN_ROLLOUT_H
#define RWD_DOMAIN_ROLLOUT_H

#include "base/text.h"

enum { RWD_ROLLOUT_PLACE_COUNT = 10000 };

/* 0 .. RWD_ROLLOUT_PLACE_COUNT - 1. A share of s per cent takes the places below s * 100. */
uint32_t rwd_rollout_place(
    struct rwd_text rule_id, struct rwd_text version, struct rwd_text user_id);

#endif
