#include "engine/task_text.h"

static void put_amount(struct rwd_money money, struct rwd_buffer *out)
{
    char amount[RWD_MONEY_TEXT_SIZE];
    rwd_money_format(money.minor, money.currency, amount);
    rwd_buffer_put_format(
        out, ",\"amount\":\"%s\",\"currency\":\"%s\"", amount, money.currency.code);
}

static const char *label_name(enum rwd_reward_kind kind)
{
    switch (kind) {
    case RWD_REWARD_FREESPINS:
        return "game";
    case RWD_REWARD_COUPON:
        return "code";
    case RWD_REWARD_LOOT:
        return "rarity";
    case RWD_REWARD_BADGE:
        return "name";
    case RWD_REWARD_NOTIFY:
        return "text";
    case RWD_REWARD_POINTS:
    case RWD_REWARD_CASH:
    case RWD_REWARD_BONUS_CASH:
        break;
    }
    return "label";
}

void rwd_reward_put_json(const struct rwd_reward *reward, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, "{\"type\":\"%s\"", rwd_reward_kind_name(reward->kind));
    if (reward->kind == RWD_REWARD_CASH || reward->kind == RWD_REWARD_BONUS_CASH) {
        put_amount(reward->money, out);
    }
    if (reward->count > 0) {
        rwd_buffer_put_format(out, ",\"count\":%u", reward->count);
    }
    if (reward->label[0] != '\0') {
        rwd_buffer_put_format(out, ",\"%s\":", label_name(reward->kind));
        rwd_buffer_put_json(out, rwd_text_of(reward->label));
    }
    if (reward->wagering > 0) {
        rwd_buffer_put_format(out, ",\"wagering\":%u", reward->wagering);
    }
    if (reward->expires_in_s > 0) {
        rwd_buffer_put_format(out, ",\"expires_in\":%u", reward->expires_in_s);
    }
    rwd_buffer_put_char(out, '}');
}

void rwd_constraints_put_json(const struct rwd_reward *reward, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, "{\"wagering\":%u,\"expires_in\":", reward->wagering);
    if (reward->expires_in_s > 0) {
        rwd_buffer_put_u64(out, reward->expires_in_s);
    } else {
        rwd_buffer_put_string(out, "null");
    }
    rwd_buffer_put_char(out, '}');
}

void rwd_cost_put(const struct rwd_reward *reward, struct rwd_buffer *out)
{
    if (reward->cost.minor == 0) {
        rwd_buffer_put_char(out, '0');
        return;
    }
    char amount[RWD_MONEY_TEXT_SIZE];
    rwd_money_format(reward->cost.minor, reward->cost.currency, amount);
    rwd_buffer_put_string(out, amount);
}
