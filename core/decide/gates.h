/*
 * gates: may this reward go to this player now? RG -> KYC -> geo -> budget.
 *
 * Asked at the decision and again just before delivery; compliance beats promotion, so RG and KYC
 * postpone a reward (held) and only geo and budget refuse it.
 *
 * Threads: pure, but for the pools, whose sums are atomic.
 */
#ifndef RWD_DECIDE_GATES_H
#define RWD_DECIDE_GATES_H

#include "domain/config.h"
#include "domain/decision.h"

/* The house's terms, from engine.conf. Borrowed for the life of whatever holds it. */
struct rwd_gates {
    struct rwd_text large_reward; /* as rwd_money_listed reads it */
    struct rwd_text geo_allowed;  /* "TR,BR"; empty: everywhere */
    int64_t hold_expires_ms;
    int64_t reorder_window_ms;
    size_t waiting_event_count_max; /* of one player, for rules in event time */
    const struct rwd_price_config *prices;
    size_t price_count;
};

struct rwd_gates rwd_gates_of(const struct rwd_config *config);

/* May the player have this reward now? RG, KYC, geo, by the guards that the task carries: the one
 * answer at the decision, when a hold is looked at again, and just before delivery.
 *
 * A rule may waive RG (guards.rg = false) for what costs nothing: a message to a player who has
 * excluded himself, say. KYC and geo are asked all the same. Geo: the rule's own list for whatever
 * it gives, the house's list for what costs.
 *
 * *until_ms: when to look again, for a hold that time lifts; 0: time does not. NONE: the way is
 * free. */
enum rwd_task_reason rwd_gate_player(const struct rwd_gates *gates,
    const struct rwd_profile *profile, const struct rwd_task *task, int64_t now_ms,
    int64_t *until_ms);

/* self_excluded, cool_off, deposit_limit or kyc_level: lifted by itself when its cause goes. */
bool rwd_gate_lifts(enum rwd_task_reason reason);

/* The KYC level a reward of that kind needs where its rule does not say (spec 5). */
uint8_t rwd_gate_kyc_default(enum rwd_reward_kind kind, bool large);

/* Fills reward->cost in the pool's currency: its own amount, the rule's word, or the price book's.
 * BUDGET_CURRENCY or PRICE_UNKNOWN where that cannot be. */
enum rwd_task_reason rwd_gate_price(const struct rwd_gates *gates,
    const struct rwd_pool_terms *terms, struct rwd_reward *reward, bool *large);

/* Decides a new task's guards, status and reason, reserving its cost from the pool. */
void rwd_gate_task(const struct rwd_gates *gates, struct rwd_pools *pools,
    const struct rwd_rule *rule, const struct rwd_profile *profile, int64_t event_ms,
    int64_t now_ms, struct rwd_task *task);

/* When a hold on it expires and its money goes back to the budget. INT64_MAX: never by time, for it
 * may be paid already; it waits for a person, or for its cause to go. */
int64_t rwd_gate_hold_end_ms(const struct rwd_gates *gates, const struct rwd_task *task);

/* The change of a held task whose gates were asked again: free -> pending, or held for review where
 * it is large and its pool above the soft cap; another lifting cause -> held for it, a refusing one
 * -> denied, past its time -> expired. What may be paid already is held in place of both. */
void rwd_gate_release(const struct rwd_gates *gates, const struct rwd_pools *pools,
    const struct rwd_task *task, enum rwd_task_reason reason, int64_t until_ms, int64_t now_ms,
    struct rwd_task_change *change);

/* A change that leaves the task as it is, to be altered. */
struct rwd_task_change rwd_task_change_of(const struct rwd_task *task);

#endif
