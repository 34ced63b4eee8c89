#include "decide/gates.h"

#include <string.h>

struct rwd_gates rwd_gates_of(const struct rwd_config *config)
{
    return (struct rwd_gates){
        .large_reward = rwd_text_of(config->gates_large_reward),
        .geo_allowed = rwd_text_of(config->gates_geo_allowed),
        .hold_expires_ms = config->gates_hold_expires_days * 24 * 3600 * 1000,
        .reorder_window_ms = config->ingest_reorder_window_s * 1000,
        .waiting_event_count_max = (size_t)config->engine_waiting_event_count_max,
        .prices = config->prices,
        .price_count = config->price_count,
    };
}

static bool geo_in_list(struct rwd_text list, const char *geo)
{
    for (size_t at = 0; at + 2 <= list.size; at++) {
        bool begins = at == 0 || list.data[at - 1] == ',' || list.data[at - 1] == ' ';
        bool ends = at + 2 == list.size || list.data[at + 2] == ',' || list.data[at + 2] == ' ';
        if (begins && ends && memcmp(list.data + at, geo, 2) == 0) {
            return true;
        }
    }
    return false;
}

static enum rwd_task_reason rg_stop(
    const struct rwd_profile *profile, int64_t now_ms, int64_t *until_ms)
{
    if (profile->self_excluded_until_ms > now_ms) {
        *until_ms = profile->self_excluded_until_ms;
        return RWD_REASON_SELF_EXCLUDED;
    }
    if (profile->cool_off_until_ms > now_ms) {
        *until_ms = profile->cool_off_until_ms;
        return RWD_REASON_COOL_OFF;
    }
    if (profile->deposit_limit_until_ms > now_ms) {
        *until_ms = profile->deposit_limit_until_ms;
        return RWD_REASON_DEPOSIT_LIMIT;
    }
    return RWD_REASON_NONE;
}

static enum rwd_task_reason geo_stop(
    const struct rwd_gates *gates, const struct rwd_profile *profile, const struct rwd_task *task)
{
    bool costs = task->reward.cost.minor > 0;
    bool rule_asks = !rwd_country_set_empty(&task->geo_allowed);
    if ((costs || rule_asks) && profile->geo[0] == '\0') {
        return RWD_REASON_GEO_UNKNOWN;
    }
    if ((rule_asks && !rwd_country_set_has(&task->geo_allowed, profile->geo)) ||
        (costs && gates->geo_allowed.size > 0 && !geo_in_list(gates->geo_allowed, profile->geo))) {
        return RWD_REASON_GEO_NOT_ALLOWED;
    }
    return RWD_REASON_NONE;
}

enum rwd_task_reason rwd_gate_player(const struct rwd_gates *gates,
    const struct rwd_profile *profile, const struct rwd_task *task, int64_t now_ms,
    int64_t *until_ms)
{
    *until_ms = 0;
    enum rwd_task_reason reason =
        task->rg_waived ? RWD_REASON_NONE : rg_stop(profile, now_ms, until_ms);
    if (reason == RWD_REASON_NONE && profile->kyc_level < task->kyc_min_level) {
        reason = RWD_REASON_KYC_LEVEL;
    }
    return reason != RWD_REASON_NONE ? reason : geo_stop(gates, profile, task);
}

bool rwd_gate_lifts(enum rwd_task_reason reason)
{
    return reason == RWD_REASON_SELF_EXCLUDED || reason == RWD_REASON_COOL_OFF ||
           reason == RWD_REASON_DEPOSIT_LIMIT || reason == RWD_REASON_KYC_LEVEL;
}

uint8_t rwd_gate_kyc_default(enum rwd_reward_kind kind, bool large)
{
    if (large || kind == RWD_REWARD_CASH || kind == RWD_REWARD_BONUS_CASH) {
        return 2;
    }
    return kind == RWD_REWARD_FREESPINS ? 1 : 0;
}

/* The price of exactly this label beats the price of the kind. */
static const struct rwd_price_config *find_price(
    const struct rwd_gates *gates, const struct rwd_reward *reward)
{
    const struct rwd_price_config *found = NULL;
    for (size_t i = 0; i < gates->price_count; i++) {
        const struct rwd_price_config *price = &gates->prices[i];
        if (price->kind != reward->kind) {
            continue;
        }
        if (strcmp(price->label, reward->label) == 0 && price->label[0] != '\0') {
            return price;
        }
        if (price->label[0] == '\0') {
            found = price;
        }
    }
    return found;
}

static bool is_large(const struct rwd_gates *gates, struct rwd_money cost)
{
    /* In a currency that no amount is named for nothing is small: a person looks. */
    int64_t large_minor = 0;
    return rwd_money_listed(gates->large_reward, cost.currency, &large_minor) != RWD_OK ||
           cost.minor >= large_minor;
}

enum rwd_task_reason rwd_gate_price(const struct rwd_gates *gates,
    const struct rwd_pool_terms *terms, struct rwd_reward *reward, bool *large)
{
    *large = false;
    if (!reward->has_cost) {
        if (reward->kind == RWD_REWARD_CASH || reward->kind == RWD_REWARD_BONUS_CASH) {
            reward->cost = reward->money;
        } else if (reward->kind == RWD_REWARD_FREESPINS || reward->kind == RWD_REWARD_COUPON ||
                   reward->kind == RWD_REWARD_LOOT) {
            const struct rwd_price_config *price = find_price(gates, reward);
            int64_t units = reward->kind == RWD_REWARD_FREESPINS ? (int64_t)reward->count : 1;
            if (price == NULL ||
                __builtin_mul_overflow(price->cost.minor, units, &reward->cost.minor)) {
                return RWD_REASON_PRICE_UNKNOWN;
            }
            reward->cost.currency = price->cost.currency;
        } else {
            reward->cost = (struct rwd_money){0};
            return RWD_REASON_NONE;
        }
    }
    if (reward->cost.minor == 0) {
        return RWD_REASON_NONE;
    }
    if (terms == NULL) {
        return RWD_REASON_BUDGET_UNKNOWN;
    }
    if (!rwd_currency_equal(reward->cost.currency, terms->currency)) {
        return RWD_REASON_BUDGET_CURRENCY;
    }
    *large = is_large(gates, reward->cost);
    return RWD_REASON_NONE;
}

struct rwd_task_change rwd_task_change_of(const struct rwd_task *task)
{
    struct rwd_task_change change = {
        .id = task->id,
        .status = task->status,
        .reason = task->reason,
        .attempts = task->attempts,
        .next_attempt_ms = task->next_attempt_ms,
    };
    memcpy(change.payout_id, task->payout_id, sizeof change.payout_id);
    return change;
}

int64_t rwd_gate_hold_end_ms(const struct rwd_gates *gates, const struct rwd_task *task)
{
    return rwd_task_may_be_paid(task) ? INT64_MAX : task->created_ms + gates->hold_expires_ms;
}

static int64_t look_again_ms(
    const struct rwd_gates *gates, const struct rwd_task *task, int64_t until_ms)
{
    int64_t end_ms = rwd_gate_hold_end_ms(gates, task);
    if (until_ms > 0 && until_ms < end_ms) {
        return until_ms;
    }
    return end_ms != INT64_MAX ? end_ms : 0;
}

/* Its money is reserved already, so it is part of the sum that is compared. An approval holds: what
 * RG or KYC stopped after it does not go back to the person who gave it. */
static bool wants_review(
    const struct rwd_gates *gates, const struct rwd_pools *pools, const struct rwd_task *task)
{
    struct rwd_pool_sums sums = rwd_pool_read(pools, task->pool_no, task->pool_period);
    return !task->approved && task->pool_no != 0 && is_large(gates, task->reward.cost) &&
           sums.reserved_minor + sums.spent_minor > sums.soft_cap_minor;
}

void rwd_gate_release(const struct rwd_gates *gates, const struct rwd_pools *pools,
    const struct rwd_task *task, enum rwd_task_reason reason, int64_t until_ms, int64_t now_ms,
    struct rwd_task_change *change)
{
    *change = rwd_task_change_of(task);
    change->status = RWD_TASK_HELD;
    change->reason = reason;
    change->next_attempt_ms = look_again_ms(gates, task, until_ms);
    if (reason == RWD_REASON_NONE && wants_review(gates, pools, task)) {
        change->reason = RWD_REASON_BUDGET_REVIEW;
    } else if (reason == RWD_REASON_NONE) {
        change->status = RWD_TASK_PENDING;
        change->next_attempt_ms = now_ms;
    } else if (!rwd_gate_lifts(reason) && !rwd_task_may_be_paid(task)) {
        change->status = RWD_TASK_DENIED;
        change->next_attempt_ms = 0;
    } else if (now_ms >= rwd_gate_hold_end_ms(gates, task)) {
        change->status = RWD_TASK_EXPIRED;
        change->reason = RWD_REASON_HOLD_EXPIRED;
        change->next_attempt_ms = 0;
    }
}

static void set_status(
    struct rwd_task *task, enum rwd_task_status status, enum rwd_task_reason reason)
{
    task->status = status;
    task->reason = reason;
    if (status == RWD_TASK_DENIED) {
        task->next_attempt_ms = 0;
    }
}

void rwd_gate_task(const struct rwd_gates *gates, struct rwd_pools *pools,
    const struct rwd_rule *rule, const struct rwd_profile *profile, int64_t event_ms,
    int64_t now_ms, struct rwd_task *task)
{
    uint32_t pool_no =
        rule->budget[0] != '\0' ? rwd_pools_find(pools, rwd_text_of(rule->budget)) : 0;
    bool large = false;
    enum rwd_task_reason price_reason =
        rwd_gate_price(gates, rwd_pool_terms(pools, pool_no), &task->reward, &large);
    bool costs = task->reward.cost.minor > 0;
    task->kyc_min_level = rule->kyc_min_level >= 0 ? (uint8_t)rule->kyc_min_level
                                                   : rwd_gate_kyc_default(task->reward.kind, large);
    task->rg_waived = !rule->rg && !costs;
    for (size_t i = 0; i < rule->geo_allowed_count; i++) {
        (void)rwd_country_set_add(&task->geo_allowed, rule->geo_allowed[i]);
    }
    task->next_attempt_ms = now_ms;

    int64_t until_ms = 0;
    enum rwd_task_reason reason = rwd_gate_player(gates, profile, task, now_ms, &until_ms);
    if (reason != RWD_REASON_NONE && !rwd_gate_lifts(reason)) {
        set_status(task, RWD_TASK_DENIED, reason);
        return;
    }
    if (price_reason != RWD_REASON_NONE) {
        set_status(task, RWD_TASK_DENIED, price_reason);
        return;
    }
    enum rwd_pool_verdict verdict = RWD_POOL_RESERVED;
    if (costs) {
        task->pool_period = rwd_pool_period_at(pools, pool_no, event_ms);
        verdict =
            rwd_pool_reserve(pools, pool_no, task->pool_period, task->reward.cost.minor, large);
        if (verdict == RWD_POOL_REFUSED) {
            set_status(task, RWD_TASK_DENIED, RWD_REASON_BUDGET_HARD_CAP);
            return;
        }
        task->pool_no = pool_no;
    }
    if (reason == RWD_REASON_NONE && verdict == RWD_POOL_RESERVED_FOR_REVIEW) {
        reason = RWD_REASON_BUDGET_REVIEW;
    }
    if (reason == RWD_REASON_NONE) {
        set_status(task, RWD_TASK_PENDING, reason);
        return;
    }
    task->next_attempt_ms = look_again_ms(gates, task, until_ms);
    set_status(task, RWD_TASK_HELD, reason);
}
