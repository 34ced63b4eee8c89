#include "backtest/tally.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 24 * 3600 * 1000 };

/* Those there are by now, with the caps they have now: a journal may bring more. */
static void know_pools(struct rwd_backtest_tally *tally)
{
    struct rwd_backtest_side *side = &tally->side;
    size_t known = side->pool_count;
    side->pool_count = rwd_pools_count(tally->pools);
    side->pools = rwd_grow(side->pools, side->pool_count * sizeof side->pools[0]);
    for (size_t i = known; i < side->pool_count; i++) {
        uint32_t pool_no = (uint32_t)i + 1;
        const struct rwd_pool_sums now = rwd_pool_read(tally->pools, pool_no, 0);
        side->pools[i] =
            (struct rwd_backtest_pool){.terms = *rwd_pool_terms(tally->pools, pool_no)};
        side->pools[i].terms.hard_cap_minor = now.hard_cap_minor;
        side->pools[i].terms.soft_cap_minor = now.soft_cap_minor;
    }
}

void rwd_backtest_tally_init(
    struct rwd_backtest_tally *tally, const struct rwd_backtest_book *book, struct rwd_pools *pools)
{
    *tally =
        (struct rwd_backtest_tally){.rule = book->rule, .rulebook = book->rulebook, .pools = pools};
    struct rwd_backtest_side *side = &tally->side;
    const struct rwd_rule *rule = book->rule;
    (void)snprintf(side->version, sizeof side->version, "%s", rule->version);
    (void)snprintf(side->budget, sizeof side->budget, "%s", rule->budget);
    side->budget_pool_no = rwd_pools_find(pools, rwd_text_of(rule->budget));
    if (side->budget_pool_no != 0) {
        side->currency = rwd_pool_terms(pools, side->budget_pool_no)->currency;
    }
    side->milestone_count = rule->milestone_count;
    side->milestones = rwd_new(rule->milestone_count * sizeof side->milestones[0]);
    for (size_t i = 0; i < rule->milestone_count; i++) {
        side->milestones[i].at = rule->milestones[i].at;
    }
    know_pools(tally);
}

void rwd_backtest_tally_finish(struct rwd_backtest_tally *tally)
{
    rwd_free(tally->side.milestones);
    rwd_free(tally->side.days);
    rwd_free(tally->side.pool_days);
    rwd_free(tally->side.pools);
    *tally = (struct rwd_backtest_tally){0};
}

/* ---- days ---- */

static struct rwd_backtest_day *day_of(struct rwd_backtest_tally *tally, int32_t day)
{
    struct rwd_backtest_side *side = &tally->side;
    if (tally->day_at < side->day_count && side->days[tally->day_at].day == day) {
        return &side->days[tally->day_at];
    }
    size_t at = side->day_count;
    while (at > 0 && side->days[at - 1].day > day) {
        at--;
    }
    if (at > 0 && side->days[at - 1].day == day) {
        tally->day_at = at - 1;
        return &side->days[at - 1];
    }
    side->days =
        rwd_room_for(side->days, side->day_count, &tally->day_capacity, sizeof side->days[0]);
    memmove(side->days + at + 1, side->days + at, (side->day_count - at) * sizeof side->days[0]);
    side->days[at] = (struct rwd_backtest_day){.day = day};
    side->day_count++;
    tally->day_at = at;
    return &side->days[at];
}

/* By day, then pool. */
static struct rwd_backtest_pool_day *pool_day_of(
    struct rwd_backtest_tally *tally, uint32_t pool_no, int32_t day)
{
    struct rwd_backtest_side *side = &tally->side;
    size_t at = side->pool_day_count;
    while (at > 0 &&
           (side->pool_days[at - 1].day > day ||
               (side->pool_days[at - 1].day == day && side->pool_days[at - 1].pool_no > pool_no))) {
        at--;
    }
    if (at > 0 && side->pool_days[at - 1].day == day &&
        side->pool_days[at - 1].pool_no == pool_no) {
        return &side->pool_days[at - 1];
    }
    side->pool_days = rwd_room_for(side->pool_days, side->pool_day_count, &tally->pool_day_capacity,
        sizeof side->pool_days[0]);
    memmove(side->pool_days + at + 1, side->pool_days + at,
        (side->pool_day_count - at) * sizeof side->pool_days[0]);
    side->pool_days[at] = (struct rwd_backtest_pool_day){.pool_no = pool_no, .day = day};
    side->pool_day_count++;
    return &side->pool_days[at];
}

/* ---- one decision ---- */

static const struct rwd_rule *rule_of(const struct rwd_backtest_tally *tally, uint32_t rule_no)
{
    size_t i = 0;
    while (rwd_rulebook_at(tally->rulebook, i)->rule_no != rule_no) {
        i++; /* what decided is in the book */
    }
    return rwd_rulebook_at(tally->rulebook, i);
}

/* A task that was refused is charged to no pool: its rule tells which refused it. */
static void note_breach(struct rwd_backtest_tally *tally, const struct rwd_task *task,
    uint64_t event_no, const struct rwd_event *event)
{
    bool hard = task->reason == RWD_REASON_BUDGET_HARD_CAP;
    if (!hard && task->reason != RWD_REASON_BUDGET_REVIEW) {
        return;
    }
    const struct rwd_rule *rule = rule_of(tally, task->rule_no);
    uint32_t pool_no = rwd_pools_find(tally->pools, rwd_text_of(rule->budget));
    if (pool_no > tally->side.pool_count) {
        know_pools(tally);
    }
    struct rwd_backtest_pool *pool = &tally->side.pools[pool_no - 1];
    struct rwd_backtest_breach *breach = hard ? &pool->hard : &pool->soft;
    if (breach->there) {
        return;
    }
    *breach = (struct rwd_backtest_breach){.there = true,
        .event_no = event_no,
        .event_ms = event->time_ms,
        .cost_minor = task->reward.cost.minor};
    (void)snprintf(
        breach->event_id, sizeof breach->event_id, "%.*s", RWD_TEXT_ARGS(event->event_id));
    (void)snprintf(breach->user_id, sizeof breach->user_id, "%.*s", RWD_TEXT_ARGS(event->user_id));
    (void)snprintf(breach->rule_id, sizeof breach->rule_id, "%s", rule->id);
}

static void note_milestone(struct rwd_backtest_side *side, const struct rwd_task *task)
{
    for (size_t i = 0; i < side->milestone_count; i++) {
        struct rwd_backtest_milestone *milestone = &side->milestones[i];
        if (milestone->at == task->threshold) {
            milestone->fired_count++;
            milestone->held_count += task->status == RWD_TASK_HELD;
            milestone->denied_count += task->status == RWD_TASK_DENIED;
        }
    }
}

static void note_task(struct rwd_backtest_tally *tally, const struct rwd_task *task,
    uint64_t event_no, const struct rwd_event *event, uint64_t *reward_count, int64_t *cost_minor)
{
    struct rwd_backtest_side *side = &tally->side;
    bool is_rules = task->rule_no == tally->rule->rule_no;
    bool given = task->status != RWD_TASK_DENIED;
    int64_t cost = rwd_task_budget_of(task) != RWD_BUDGET_NOTHING ? task->reward.cost.minor : 0;
    if (task->pool_no != 0) {
        struct rwd_backtest_pool_day *day =
            pool_day_of(tally, task->pool_no, (int32_t)(event->time_ms / DAY_MS));
        day->reward_count += given;
        day->cost_minor += cost;
        day->rule_cost_minor += is_rules ? cost : 0;
    }
    note_breach(tally, task, event_no, event);
    if (is_rules) {
        side->reward_count++;
        side->by_status[task->status]++;
        side->by_reason[task->reason]++;
        side->cost_minor += cost;
        *reward_count += given;
        *cost_minor += cost;
        if (task->threshold > 0) {
            note_milestone(side, task);
        }
    }
}

void rwd_backtest_tally_decision(struct rwd_backtest_tally *tally, uint64_t event_no,
    const struct rwd_event *event, const struct rwd_decision *decision, int verdict,
    uint64_t *reward_count, int64_t *cost_minor)
{
    struct rwd_backtest_side *side = &tally->side;
    if (verdict != RWD_BACKTEST_NOT_ASKED) {
        struct rwd_backtest_day *day = day_of(tally, (int32_t)(event->time_ms / DAY_MS));
        side->verdicts[verdict]++;
        day->event_count++;
        for (size_t i = 0; i < decision->effect_count; i++) {
            const struct rwd_rule_effect *effect = &decision->effects[i];
            if (effect->rule_no == tally->rule->rule_no) {
                side->points += effect->points;
                side->points_raw += effect->points_raw;
                day->points += effect->points;
            }
        }
    }
    for (size_t i = 0; i < decision->task_count; i++) {
        note_task(tally, &decision->tasks[i], event_no, event, reward_count, cost_minor);
    }
}

void rwd_backtest_tally_returned(
    struct rwd_backtest_tally *tally, const struct rwd_task *task, int64_t time_ms)
{
    if (task->pool_no != 0) {
        pool_day_of(tally, task->pool_no, (int32_t)(time_ms / DAY_MS))->returned_minor +=
            task->reward.cost.minor;
    }
}

void rwd_backtest_tally_error(
    struct rwd_backtest_tally *tally, uint64_t event_no, const struct rwd_error *error)
{
    struct rwd_backtest_side *side = &tally->side;
    if (side->error_count++ == 0) {
        side->first_error_no = event_no;
        side->first_error = *error;
    }
}

/* ---- the whole ---- */

static void merge_breach(struct rwd_backtest_breach *into, const struct rwd_backtest_breach *from)
{
    if (from->there && (!into->there || from->event_no < into->event_no)) {
        *into = *from;
    }
}

static void merge_lists(struct rwd_backtest_tally *into, const struct rwd_backtest_side *side)
{
    for (size_t i = 0; i < side->milestone_count; i++) {
        struct rwd_backtest_milestone *milestone = &into->side.milestones[i];
        milestone->fired_count += side->milestones[i].fired_count;
        milestone->held_count += side->milestones[i].held_count;
        milestone->denied_count += side->milestones[i].denied_count;
    }
    for (size_t i = 0; i < side->day_count; i++) {
        struct rwd_backtest_day *day = day_of(into, side->days[i].day);
        day->event_count += side->days[i].event_count;
        day->points += side->days[i].points;
    }
    for (size_t i = 0; i < side->pool_day_count; i++) {
        const struct rwd_backtest_pool_day *from = &side->pool_days[i];
        struct rwd_backtest_pool_day *day = pool_day_of(into, from->pool_no, from->day);
        day->reward_count += from->reward_count;
        day->cost_minor += from->cost_minor;
        day->rule_cost_minor += from->rule_cost_minor;
        day->returned_minor += from->returned_minor;
    }
    for (size_t i = 0; i < side->pool_count; i++) {
        merge_breach(&into->side.pools[i].soft, &side->pools[i].soft);
        merge_breach(&into->side.pools[i].hard, &side->pools[i].hard);
    }
}

void rwd_backtest_tally_merge(
    struct rwd_backtest_tally *into, const struct rwd_backtest_tally *from)
{
    struct rwd_backtest_side *side = &into->side;
    const struct rwd_backtest_side *more = &from->side;
    for (size_t i = 0; i < RWD_RULE_VERDICT_COUNT; i++) {
        side->verdicts[i] += more->verdicts[i];
    }
    for (size_t i = 0; i < RWD_TASK_STATUS_COUNT; i++) {
        side->by_status[i] += more->by_status[i];
    }
    for (size_t i = 0; i < RWD_TASK_REASON_COUNT; i++) {
        side->by_reason[i] += more->by_reason[i];
    }
    side->points += more->points;
    side->points_raw += more->points_raw;
    side->reward_count += more->reward_count;
    side->cost_minor += more->cost_minor;
    if (more->error_count > 0 &&
        (side->error_count == 0 || more->first_error_no < side->first_error_no)) {
        side->first_error_no = more->first_error_no;
        side->first_error = more->first_error;
    }
    side->error_count += more->error_count;
    merge_lists(into, more);
}

static int compare_periods(const void *left, const void *right)
{
    const struct rwd_backtest_pool_period *a = left;
    const struct rwd_backtest_pool_period *b = right;
    if (a->pool_no != b->pool_no) {
        return a->pool_no < b->pool_no ? -1 : 1;
    }
    return a->period < b->period ? -1 : a->period > b->period;
}

static void add_periods(const struct rwd_backtest_tally *tally, struct rwd_backtest_side *side)
{
    side->periods = rwd_new(side->pool_day_count * sizeof side->periods[0]);
    size_t count = 0;
    for (size_t i = 0; i < side->pool_day_count; i++) {
        const struct rwd_backtest_pool_day *day = &side->pool_days[i];
        if (day->returned_minor != 0 && day->reward_count == 0) {
            continue; /* money came back that day, of a period before */
        }
        int32_t period = rwd_pool_period_at(tally->pools, day->pool_no, (int64_t)day->day * DAY_MS);
        side->periods[count++] = (struct rwd_backtest_pool_period){.pool_no = day->pool_no,
            .period = period,
            .sums = rwd_pool_read(tally->pools, day->pool_no, period)};
    }
    if (count > 0) {
        qsort(side->periods, count, sizeof side->periods[0], compare_periods);
    }
    for (size_t i = 0; i < count; i++) {
        if (side->period_count == 0 ||
            compare_periods(&side->periods[side->period_count - 1], &side->periods[i]) != 0) {
            side->periods[side->period_count++] = side->periods[i];
        }
    }
}

void rwd_backtest_tally_take(struct rwd_backtest_tally *tally, struct rwd_backtest_side *side)
{
    *side = tally->side;
    add_periods(tally, side);
    tally->side = (struct rwd_backtest_side){0};
}
