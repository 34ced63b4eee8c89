#include "domain/rollout.h"

#include "base/digest.h"

uint32_t rwd_rollout_place(
    struct rwd_text rule_id, struct rwd_text version, struct rwd_text user_id)
{
    static const uint8_t salt[RWD_SIPHASH_KEY_SIZE] = "rewardd.rollout";
    /* Folded one after the other: no two triples share their bytes. */
    uint64_t parts[2] = {rwd_siphash(salt, rule_id.data, rule_id.size),
        rwd_siphash(salt, version.data, version.size)};
    uint64_t key[2] = {
        rwd_siphash(salt, parts, sizeof parts), rwd_siphash(salt, user_id.data, user_id.size)};
    return (uint32_t)(rwd_siphash(salt, key, sizeof key) % RWD_ROLLOUT_PLACE_COUNT);
}
