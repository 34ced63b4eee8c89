#include "domain/reward.h"

#include "base/check.h"

static const char *const kind_names[RWD_REWARD_KIND_COUNT] = {
    [RWD_REWARD_POINTS] = "points",
    [RWD_REWARD_CASH] = "cash",
    [RWD_REWARD_BONUS_CASH] = "bonus_cash",
    [RWD_REWARD_FREESPINS] = "freespins",
    [RWD_REWARD_COUPON] = "coupon",
    [RWD_REWARD_LOOT] = "loot",
    [RWD_REWARD_BADGE] = "badge",
    [RWD_REWARD_NOTIFY] = "notify",
};

const char *rwd_reward_kind_name(enum rwd_reward_kind kind)
{
    RWD_REQUIRE((unsigned)kind < RWD_REWARD_KIND_COUNT);
    return kind_names[kind];
}

enum rwd_status rwd_reward_kind_parse(struct rwd_text name, enum rwd_reward_kind *kind)
{
    for (unsigned i = 0; i < RWD_REWARD_KIND_COUNT; i++) {
        if (rwd_text_is(name, kind_names[i])) {
            *kind = (enum rwd_reward_kind)i;
            return RWD_OK;
        }
    }
    return RWD_INVALID;
}
