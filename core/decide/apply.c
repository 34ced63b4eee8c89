#include "decide/apply.h"

#include "base/check.h"
#include "base/memory.h"
#include "decide/aggregate.h"
#include "domain/waiting.h"

#include <string.h>

enum { POINTS_MAX = 1000000000 };

/* The bucket's sum afterwards; 0 where it is no longer kept. */
static int64_t add_points(
    struct rwd_series *series, uint32_t bucket, uint32_t count_max, int64_t more)
{
    bool is_new = false;
    int64_t *place = rwd_series_at(series, bucket, count_max, &is_new);
    if (place == NULL) {
        return 0;
    }
    *place += more;
    return *place;
}

/* A day's sum is one, whichever versions it comes from. */
static void note_unsaved(struct rwd_player_rule *rule, uint32_t version_no, uint32_t day,
    int64_t day_sum, int64_t points)
{
    struct rwd_unsaved_points *own = NULL;
    for (uint32_t i = 0; i < rule->unsaved_count; i++) {
        struct rwd_unsaved_points *unsaved = &rule->unsaved[i];
        if (unsaved->day == day) {
            unsaved->day_sum = day_sum;
            own = unsaved->version_no == version_no ? unsaved : own;
        }
    }
    if (own == NULL) {
        size_t capacity = rule->unsaved_capacity;
        rule->unsaved =
            rwd_room_for(rule->unsaved, rule->unsaved_count, &capacity, sizeof rule->unsaved[0]);
        rule->unsaved_capacity = (uint32_t)capacity;
        own = &rule->unsaved[rule->unsaved_count++];
        *own =
            (struct rwd_unsaved_points){.day = day, .version_no = version_no, .day_sum = day_sum};
    }
    own->added += points;
}

static void apply_points(
    struct rwd_player_rule *rule, const struct rwd_rule_effect *effect, int64_t event_ms)
{
    int64_t points = (int64_t)effect->points;
    uint32_t day = rwd_window_bucket(RWD_WINDOW_DAY, event_ms);
    rule->total += effect->points;
    int64_t day_sum = add_points(&rule->days, day, RWD_SERIES_DAY_COUNT_MAX, points);
    note_unsaved(rule, effect->version_no, day, day_sum, points);
    if ((effect->counted & RWD_COUNTED_BY_MINUTE) != 0) {
        (void)add_points(&rule->minutes, rwd_window_bucket(RWD_WINDOW_MINUTE, event_ms),
            RWD_SERIES_MINUTE_COUNT_MAX, points);
    }
    if ((effect->counted & RWD_COUNTED_BY_HOUR) != 0) {
        (void)add_points(&rule->hours, rwd_window_bucket(RWD_WINDOW_HOUR, event_ms),
            RWD_SERIES_HOUR_COUNT_MAX, points);
    }
}

void rwd_apply_effect(
    struct rwd_player_rule *rule, const struct rwd_rule_effect *effect, int64_t event_ms)
{
    RWD_REQUIRE(effect->points <= POINTS_MAX);
    for (size_t i = 0; i < effect->update_count; i++) {
        rwd_aggregate_apply(rule, &effect->updates[i], event_ms);
    }
    if (effect->has_state) {
        rule->state = rwd_grow(rule->state, effect->state.size);
        memcpy(rule->state, effect->state.data, effect->state.size);
        rule->state_size = (uint32_t)effect->state.size;
    }
    if (effect->points > 0) {
        apply_points(rule, effect, event_ms);
    }
    for (size_t i = 0; i < effect->milestone_count; i++) {
        size_t capacity = rule->fired_capacity;
        rule->fired =
            rwd_room_for(rule->fired, rule->fired_count, &capacity, sizeof rule->fired[0]);
        rule->fired_capacity = (uint32_t)capacity;
        rule->fired[rule->fired_count++] = effect->milestones[i];
    }
}

static void account(struct rwd_pools *pools, const struct rwd_task *task, enum rwd_task_budget from,
    enum rwd_task_budget to)
{
    if (task->pool_no != 0) {
        rwd_pool_account(
            pools, task->pool_no, task->pool_period, task->reward.cost.minor, from, to);
    }
}

/* A failed task that starts anew may still be here, or come back whole. Either way it stands last:
 * the order must not tell whether a checkpoint came by between. */
static void add_task(struct rwd_player *player, const struct rwd_task *task)
{
    struct rwd_task_known store_knows = {.budget = RWD_BUDGET_NOTHING};
    struct rwd_task *known = rwd_player_task_find(player, task->id);
    if (known != NULL) {
        store_knows = known->known;
        player->task_count--;
        memmove(
            known, known + 1, (size_t)(player->tasks + player->task_count - known) * sizeof *known);
    }
    size_t capacity = player->task_capacity;
    player->tasks =
        rwd_room_for(player->tasks, player->task_count, &capacity, sizeof player->tasks[0]);
    player->task_capacity = (uint32_t)capacity;
    struct rwd_task *added = &player->tasks[player->task_count++];
    *added = *task;
    added->dirty = true;
    added->known = store_knows;
}

static void apply_change(struct rwd_player *player, const struct rwd_task_change *change,
    int64_t now_ms, struct rwd_pools *pools)
{
    struct rwd_task *task = rwd_player_task_find(player, change->id);
    RWD_REQUIRE(task != NULL);
    RWD_REQUIRE(rwd_task_status_allowed(task->status, change->status));
    enum rwd_task_budget before = rwd_task_budget_of(task);
    task->sent_before |= task->status == RWD_TASK_FAILED;
    task->status = change->status;
    task->reason = change->reason;
    task->approved |= change->reason == RWD_REASON_APPROVED;
    task->attempts = change->attempts;
    task->next_attempt_ms = change->next_attempt_ms;
    task->updated_ms = now_ms;
    memcpy(task->payout_id, change->payout_id, sizeof task->payout_id);
    task->dirty = true;
    account(pools, task, before, rwd_task_budget_of(task));
}

void rwd_apply(struct rwd_player *player, const struct rwd_decision *decision, uint64_t sequence,
    struct rwd_pools *pools, bool replaying)
{
    RWD_REQUIRE(sequence > player->sequence);
    player->sequence = sequence;
    bool arrives = decision->has_event && decision->release == RWD_RELEASE_NONE;
    if (arrives) {
        rwd_player_saw(player, decision->event_fingerprint, decision->event_ms);
        if (decision->event_ms > player->newest_event_ms) {
            player->newest_event_ms = decision->event_ms;
        }
    }
    if (decision->waits != NULL) {
        rwd_waiting_add(player, decision->waits);
    }
    if (decision->profile != NULL) {
        player->profile = *decision->profile;
    }
    for (size_t i = 0; i < decision->exposure_count; i++) {
        rwd_player_expose(player, decision->exposures[i].experiment_no, decision->exposures[i].arm);
    }
    for (size_t i = 0; i < decision->effect_count; i++) {
        rwd_apply_effect(rwd_player_rule_of(player, decision->effects[i].rule_no),
            &decision->effects[i], decision->event_ms);
    }
    for (size_t i = 0; i < decision->task_count; i++) {
        const struct rwd_task *task = &decision->tasks[i];
        add_task(player, task);
        if (replaying) {
            account(pools, task, RWD_BUDGET_NOTHING, rwd_task_budget_of(task));
        }
    }
    for (size_t i = 0; i < decision->change_count; i++) {
        apply_change(player, &decision->changes[i], decision->now_ms, pools);
    }
    /* Last: texts of the decision may lie in the bytes that waited. */
    if (decision->release != RWD_RELEASE_NONE) {
        rwd_waiting_remove(player, decision->event_ms, decision->event_fingerprint);
    }
}
