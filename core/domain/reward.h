/*
 * reward: what a player can be given, as plain data.
 */
#ifndef RWD_DOMAIN_REWARD_H
#define RWD_DOMAIN_REWARD_H

#include "domain/money.h"

enum rwd_reward_kind {
    RWD_REWARD_POINTS,
    RWD_REWARD_CASH,
    RWD_REWARD_BONUS_CASH,
    RWD_REWARD_FREESPINS,
    RWD_REWARD_COUPON,
    RWD_REWARD_LOOT,
    RWD_REWARD_BADGE,
    RWD_REWARD_NOTIFY,
};

enum { RWD_REWARD_KIND_COUNT = RWD_REWARD_NOTIFY + 1, RWD_REWARD_LABEL_SIZE_MAX = 64 };

/* "bonus_cash"; never NULL. */
const char *rwd_reward_kind_name(enum rwd_reward_kind kind);
RWD_MUST_USE enum rwd_status rwd_reward_kind_parse(
    struct rwd_text name, enum rwd_reward_kind *kind);

/*
 * One reward. Which fields a kind uses:
 *   points      count                        cash        money
 *   bonus_cash  money, wagering              freespins   count, label = game
 *   coupon      label = code, or percent     loot        label = rarity
 *   badge       label = name                 notify      label = text key
 * cost: what it takes from the pool, in cost.currency. Cash and bonus_cash cost their amount;
 * others what the rule says (cost = "1.20", currency = "EUR") or, has_cost being false, the price
 * book's.
 */
struct rwd_reward {
    enum rwd_reward_kind kind;
    struct rwd_money money;
    struct rwd_money cost;
    bool has_cost;
    uint32_t count;
    uint32_t wagering;
    uint32_t expires_in_s; /* 0: never */
    char label[RWD_REWARD_LABEL_SIZE_MAX];
};

#endif
