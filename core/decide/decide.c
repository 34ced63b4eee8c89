#include "decide/decide.h"

#include "base/memory.h"
#include "decide/aggregate.h"
#include "decide/arms.h"
#include "decide/profile.h"
#include "decide/release.h"
#include "decide/where.h"

#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

/* One decision in the making. */
struct making {
    const struct rwd_decide_facts *facts;
    const struct rwd_event *event;
    const struct rwd_player *player;
    const struct rwd_profile *profile;
    const struct rwd_player_rule *own;        /* a shadow's; NULL: the player's own */
    const struct rwd_waiting_event *released; /* NULL: the event has just arrived */
    struct rwd_arena *arena;
    uint64_t seed;
    struct rwd_decision *decision;
    struct rwd_arms arms;
    uint8_t *verdicts;
    size_t effect_capacity;
    size_t task_capacity;
    size_t change_capacity;
    size_t waiting_capacity;
};

/* Room for one more in a list that hangs in the arena; NULL: the arena is full. */
static void *room(struct rwd_arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return items;
    }
    size_t wider = *capacity == 0 ? 4 : *capacity * 2;
    void *moved = rwd_arena_alloc(arena, wider * size);
    if (moved != NULL && count > 0) {
        memcpy(moved, items, count * size);
    }
    *capacity = wider;
    return moved;
}

static const struct rwd_player_rule *counters_of(const struct making *making, uint32_t rule_no)
{
    return making->own != NULL && making->own->rule_no == rule_no
               ? making->own
               : rwd_player_rule_find(making->player, rule_no);
}

static uint64_t points_of_rule(void *context, struct rwd_text rule_id)
{
    const struct making *making = context;
    const struct rwd_rule *rule =
        rwd_rulebook_find(rwd_ruleset_rulebook(making->facts->ruleset), rule_id);
    const struct rwd_player_rule *known = rule != NULL ? counters_of(making, rule->rule_no) : NULL;
    return known != NULL ? known->total : 0;
}

static struct rwd_text arm_of(void *context, struct rwd_text experiment)
{
    struct making *making = context;
    const struct rwd_decide_facts *facts = making->facts;
    if (facts->arm == NULL) {
        return rwd_arms_tell(&making->arms, experiment);
    }
    making->arms.asked = facts->arm(facts->arm_context, experiment);
    return making->arms.asked;
}

struct cap_clip {
    enum rwd_cap cap;
    int64_t limit;
    const struct rwd_series *series;
    uint32_t bucket;
};

/* Each cap in turn clips to what is left in its bucket. A bucket that is no longer kept leaves
 * nothing: too little is mended by a person, too much is not. */
static uint64_t clip(const struct rwd_rule *rule, const struct rwd_player_rule *known,
    int64_t event_ms, uint64_t points, enum rwd_cap *clipped_by)
{
    static const struct rwd_series empty = {0};
    const struct cap_clip clips[] = {
        {RWD_CAP_EVENT, rule->cap_per_event, &empty, 0},
        {RWD_CAP_MINUTE, rule->cap_per_minute, known != NULL ? &known->minutes : &empty,
            rwd_window_bucket(RWD_WINDOW_MINUTE, event_ms)},
        {RWD_CAP_HOUR, rule->cap_per_hour, known != NULL ? &known->hours : &empty,
            rwd_window_bucket(RWD_WINDOW_HOUR, event_ms)},
        {RWD_CAP_DAY, rule->cap_per_day, known != NULL ? &known->days : &empty,
            rwd_window_bucket(RWD_WINDOW_DAY, event_ms)},
    };
    int64_t left = (int64_t)points;
    for (size_t i = 0; i < sizeof clips / sizeof clips[0]; i++) {
        if (clips[i].limit == RWD_CAP_NONE_SET) {
            continue;
        }
        bool lost = false;
        int64_t used = rwd_series_get(clips[i].series, clips[i].bucket, &lost);
        int64_t room_left = lost || used >= clips[i].limit ? 0 : clips[i].limit - used;
        if (left > room_left) {
            left = room_left;
            *clipped_by = clips[i].cap;
        }
    }
    return (uint64_t)left;
}

static enum rwd_status add_task(struct making *making, const struct rwd_rule *rule,
    const struct rwd_reward *reward, uint64_t at)
{
    struct rwd_decision *decision = making->decision;
    const struct rwd_event *event = making->event;
    /* What is there already stays reachable: undo has to give its money back. */
    struct rwd_task *tasks = room(making->arena, decision->tasks, decision->task_count,
        &making->task_capacity, sizeof decision->tasks[0]);
    if (tasks == NULL) {
        return RWD_LIMIT;
    }
    decision->tasks = tasks;
    struct rwd_text rule_id = rwd_text_of(rule->id);
    struct rwd_task *task = &decision->tasks[decision->task_count];
    *task = (struct rwd_task){
        .id = at > 0
                  ? rwd_task_id_of_milestone(rule_id, event->user_id, at)
                  : rwd_task_id_of_event(rule_id, event->user_id, event->event_id, event->time_ms),
        .rule_no = rule->rule_no,
        .version_no = rule->version_no,
        .threshold = at,
        .experiment_version_no = making->arms.asked_version_no,
        .reward = *reward,
        .created_ms = making->facts->now_ms,
        .updated_ms = making->facts->now_ms,
    };
    memcpy(task->event_id, event->event_id.data, event->event_id.size);
    (void)snprintf(task->schema_id, sizeof task->schema_id, "%.*s/%.*s", RWD_TEXT_ARGS(event->name),
        RWD_TEXT_ARGS(event->version));
    (void)snprintf(task->arm, sizeof task->arm, "%.*s", RWD_TEXT_ARGS(making->arms.asked));
    rwd_gate_task(making->facts->gates, making->facts->pools, rule, making->profile, event->time_ms,
        making->facts->now_ms, task);
    decision->task_count++;
    return RWD_OK;
}

static enum rwd_status add_milestones(struct making *making, const struct rwd_rule *rule,
    const struct rwd_player_rule *known, struct rwd_rule_effect *effect)
{
    uint64_t total = (known != NULL ? known->total : 0) + effect->points;
    size_t capacity = 0;
    for (size_t i = 0; i < rule->milestone_count; i++) {
        const struct rwd_rule_milestone *milestone = &rule->milestones[i];
        if (milestone->at > total || rwd_player_rule_fired(known, milestone->at)) {
            continue;
        }
        effect->milestones = room(making->arena, effect->milestones, effect->milestone_count,
            &capacity, sizeof effect->milestones[0]);
        if (effect->milestones == NULL ||
            add_task(making, rule, &milestone->reward, milestone->at) != RWD_OK) {
            return RWD_LIMIT;
        }
        effect->milestones[effect->milestone_count++] = milestone->at;
    }
    return RWD_OK;
}

static enum rwd_status read_aggregates(const struct making *making, const struct rwd_rule *rule,
    const struct rwd_player_rule *known, struct rwd_rule_effect *effect, struct rwd_scalar *values)
{
    if (rule->aggregate_count == 0) {
        return RWD_OK;
    }
    effect->updates =
        rwd_arena_alloc(making->arena, rule->aggregate_count * sizeof effect->updates[0]);
    if (effect->updates == NULL) {
        return RWD_LIMIT;
    }
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        bool has_update = false;
        rwd_aggregate_read(&rule->aggregates[i], making->event, known,
            &effect->updates[effect->update_count], &has_update, &values[i]);
        /* Two names for the same line are one aggregate, and it takes the event once. */
        bool twice = false;
        for (size_t other = 0; other < effect->update_count; other++) {
            twice |= effect->updates[other].key == rule->aggregates[i].key;
        }
        effect->update_count += has_update && !twice;
    }
    return RWD_OK;
}

/* The state as the calls left it, where that differs from what the player has. */
static enum rwd_status save_state(const struct making *making, const struct rwd_rule *rule,
    const struct rwd_player_rule *known, const struct rwd_scalar *values,
    struct rwd_rule_effect *effect)
{
    if (rule->state_count == 0) {
        return RWD_OK;
    }
    struct rwd_buffer bytes = {0};
    rwd_state_encode(rule, values, &bytes);
    struct rwd_text before = {
        .data = known != NULL ? known->state : NULL, .size = known != NULL ? known->state_size : 0};
    enum rwd_status status = RWD_OK;
    if (!rwd_text_equal(before, rwd_buffer_text(&bytes))) {
        char *copy = rwd_arena_copy(making->arena, bytes.data, bytes.size);
        effect->has_state = true;
        effect->state = (struct rwd_text){.data = copy, .size = bytes.size};
        status = copy != NULL ? RWD_OK : RWD_LIMIT;
    }
    rwd_buffer_finish(&bytes);
    return status;
}

/* Calls the rule's functions. SCRIPT: one of them failed. */
static enum rwd_status call_rule(const struct rwd_rule *rule, struct rwd_sandbox *sandbox,
    struct rwd_sandbox_call *call, struct rwd_rule_effect *effect, bool *granted,
    struct rwd_reward *reward, enum rwd_rule_verdict *verdict, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    *granted = false;
    *verdict = RWD_RULE_COUNTED;
    if (rule->has_when) {
        bool holds = false;
        status = rwd_sandbox_when(sandbox, call, &holds, error);
        if (status != RWD_OK || !holds) {
            *verdict = RWD_RULE_WHEN_FALSE;
            return status;
        }
    }
    if (rule->has_score) {
        status = rwd_sandbox_score(sandbox, call, &effect->points_raw, error);
        *verdict = effect->points_raw > 0 ? RWD_RULE_FIRED : RWD_RULE_SCORE_ZERO;
    }
    if (status == RWD_OK && rule->has_grant) {
        status = rwd_sandbox_grant(sandbox, call, granted, reward, error);
        if (*granted) {
            *verdict = RWD_RULE_FIRED;
        } else if (!rule->has_score) {
            *verdict = RWD_RULE_GRANT_NIL;
        }
    }
    return status;
}

/* A reward that its rule's budget can never pay, being in another currency, is the rule's mistake:
 * it is told at once instead of becoming a task that nobody can settle. What a milestone names was
 * looked at when the rule was loaded. */
static enum rwd_status check_currency(const struct making *making, const struct rwd_rule *rule,
    const struct rwd_reward *reward, struct rwd_error *error)
{
    const struct rwd_pools *pools = making->facts->pools;
    const struct rwd_pool_terms *terms =
        reward->has_cost ? rwd_pool_terms(pools, rwd_pools_find(pools, rwd_text_of(rule->budget)))
                         : NULL;
    if (terms == NULL || rwd_currency_equal(reward->cost.currency, terms->currency)) {
        return RWD_OK;
    }
    return rwd_fail(error, RWD_SCRIPT,
        "%s: grant: %s costs %s, but budget '%s' is in %s; name a budget in that currency",
        rule->source_name, rwd_reward_kind_name(reward->kind), reward->cost.currency.code,
        rule->budget, terms->currency.code);
}

static enum rwd_status add_effect(struct making *making, const struct rwd_rule_effect *effect)
{
    struct rwd_decision *decision = making->decision;
    if (effect->update_count == 0 && !effect->has_state && effect->points_raw == 0 &&
        effect->milestone_count == 0) {
        return RWD_OK;
    }
    decision->effects = room(making->arena, decision->effects, decision->effect_count,
        &making->effect_capacity, sizeof decision->effects[0]);
    if (decision->effects == NULL) {
        return RWD_LIMIT;
    }
    decision->effects[decision->effect_count++] = *effect;
    return RWD_OK;
}

/* call_rule, and now and then what it cost. */
static enum rwd_status measure_rule(const struct making *making,
    const struct rwd_rulebook_entry *entry, struct rwd_sandbox_call *call,
    struct rwd_rule_effect *effect, bool *granted, struct rwd_reward *reward,
    enum rwd_rule_verdict *verdict, struct rwd_error *error)
{
    const struct rwd_decide_facts *facts = making->facts;
    struct rwd_ruleset *ruleset = facts->ruleset;
    bool measured = facts->cost_clock_ns != NULL && rwd_ruleset_wants_cost(ruleset, entry->index);
    int64_t begin_ns = measured ? facts->cost_clock_ns(facts->context) : 0;
    enum rwd_status status = call_rule(entry->rule, rwd_ruleset_sandbox(ruleset, entry->index),
        call, effect, granted, reward, verdict, error);
    if (measured) {
        rwd_ruleset_note_cost(
            ruleset, entry->index, (uint64_t)(facts->cost_clock_ns(facts->context) - begin_ns));
    }
    return status;
}

/* The rule decides this event in event time, once it is released. What lies outside its active
 * period waits for nothing: no later event changes that. A shadow keeps no list of its own. */
static bool must_wait(const struct making *making, const struct rwd_rule *rule)
{
    return rule->order == RWD_ORDER_EVENT_TIME && making->released == NULL && making->own == NULL &&
           making->event->time_ms >= rule->active_from_ms &&
           making->event->time_ms < rule->active_to_ms;
}

static enum rwd_status wait(struct making *making, const struct rwd_rule *rule)
{
    struct rwd_waiting_event *waits = making->decision->waits;
    if (waits == NULL) {
        const struct rwd_event *event = making->event;
        waits = rwd_arena_alloc(making->arena, sizeof *waits);
        if (waits == NULL) {
            return RWD_LIMIT;
        }
        *waits = (struct rwd_waiting_event){.event_ms = event->time_ms,
            .ingest_ms = making->facts->now_ms,
            .fingerprint = event->event_fingerprint,
            .event_id = event->event_id,
            .raw = event->raw};
        making->decision->waits = waits;
    }
    waits->rule_nos = room(making->arena, waits->rule_nos, waits->rule_count,
        &making->waiting_capacity, sizeof waits->rule_nos[0]);
    if (waits->rule_nos == NULL) {
        return RWD_LIMIT;
    }
    waits->rule_nos[waits->rule_count++] = rule->rule_no;
    return RWD_OK;
}

/* False: not now, for the reason in *verdict. */
static bool is_asked(const struct making *making, const struct rwd_rulebook_entry *entry,
    enum rwd_rule_verdict *verdict)
{
    const struct rwd_rule *rule = entry->rule;
    if (!rwd_rulebook_takes(entry, making->event->user_id)) {
        *verdict = RWD_RULE_OTHER_VERSION;
    } else if (must_wait(making, rule)) {
        *verdict = RWD_RULE_WAITING;
    } else if (making->released != NULL && !rwd_waiting_has_rule(making->released, rule->rule_no)) {
        *verdict = RWD_RULE_NOT_WAITING;
    } else if (rwd_where_holds(rule, making->event, making->profile, verdict)) {
        if (!rule->suspended && !rwd_ruleset_suspended(making->facts->ruleset, entry->index)) {
            return true;
        }
        *verdict = RWD_RULE_SUSPENDED;
    }
    return false;
}

/* One rule's part of the decision. OK or LIMIT; a rule's own failure is a verdict. */
static enum rwd_status decide_rule(
    struct making *making, const struct rwd_rulebook_entry *entry, enum rwd_rule_verdict *verdict)
{
    const struct rwd_rule *rule = entry->rule;
    struct rwd_ruleset *ruleset = making->facts->ruleset;
    const struct rwd_event *event = making->event;
    if (!is_asked(making, entry, verdict)) {
        return *verdict == RWD_RULE_WAITING ? wait(making, rule) : RWD_OK;
    }
    const struct rwd_player_rule *known = counters_of(making, rule->rule_no);
    struct rwd_rule_effect effect = {.rule_no = rule->rule_no,
        .version_no = rule->version_no,
        .counted =
            (uint8_t)((rule->cap_per_minute != RWD_CAP_NONE_SET ? RWD_COUNTED_BY_MINUTE : 0) |
                      (rule->cap_per_hour != RWD_CAP_NONE_SET ? RWD_COUNTED_BY_HOUR : 0))};
    struct rwd_scalar aggregates[RWD_RULE_AGGREGATE_COUNT_MAX];
    struct rwd_scalar state[RWD_RULE_STATE_COUNT_MAX];
    struct rwd_text state_bytes = {
        .data = known != NULL ? known->state : NULL, .size = known != NULL ? known->state_size : 0};
    if (read_aggregates(making, rule, known, &effect, aggregates) != RWD_OK) {
        return RWD_LIMIT;
    }
    if (rwd_state_decode(rule, state_bytes, state) != RWD_OK) {
        *verdict = RWD_RULE_ERROR;
        return RWD_OK;
    }
    struct rwd_sandbox_call call = {.event = event,
        .profile = making->profile,
        .user_id = event->user_id,
        .aggregates = aggregates,
        .state = state,
        .points = points_of_rule,
        .points_context = making,
        .arm = arm_of,
        .arm_context = making,
        .seed = making->seed,
        .arena = making->arena};
    struct rwd_error error;
    error.text[0] = '\0'; /* not all 512 bytes: that was 4 % of deciding with 200 rules */
    struct rwd_reward reward = {0};
    bool granted = false;
    size_t exposed = making->arms.exposure_count;
    making->arms.asked = (struct rwd_text){0};
    making->arms.asked_version_no = 0;
    enum rwd_status status =
        measure_rule(making, entry, &call, &effect, &granted, &reward, verdict, &error);
    if (status == RWD_OK && granted) {
        status = check_currency(making, rule, &reward, &error);
    }
    bool suspended = rwd_ruleset_note(ruleset, entry->index, status != RWD_OK);
    effect.arm = making->arms.asked;
    if (making->arms.full) {
        return RWD_LIMIT;
    }
    if (status != RWD_OK) {
        making->arms.exposure_count = exposed;
        *verdict = RWD_RULE_ERROR;
        if (making->facts->rule_failed != NULL) {
            making->facts->rule_failed(making->facts->context, rule, &error, suspended);
        }
        return RWD_OK;
    }
    effect.points = clip(rule, known, event->time_ms, effect.points_raw, &effect.cap);
    if (*verdict == RWD_RULE_FIRED && effect.points == 0 && !granted) {
        *verdict = RWD_RULE_CAPPED;
    }
    if (save_state(making, rule, known, state, &effect) != RWD_OK ||
        (effect.points > 0 && add_milestones(making, rule, known, &effect) != RWD_OK) ||
        (granted && add_task(making, rule, &reward, 0) != RWD_OK)) {
        return RWD_LIMIT;
    }
    return add_effect(making, &effect);
}

/* A cause of holds may have gone with this event's news, or another one come. */
static enum rwd_status review_holds(struct making *making)
{
    struct rwd_decision *decision = making->decision;
    const struct rwd_player *player = making->player;
    int64_t now_ms = making->facts->now_ms;
    for (uint32_t i = 0; decision->profile != NULL && i < player->task_count; i++) {
        const struct rwd_task *task = &player->tasks[i];
        if (task->status != RWD_TASK_HELD || !rwd_gate_lifts(task->reason)) {
            continue;
        }
        int64_t until_ms = 0;
        enum rwd_task_reason reason =
            rwd_gate_player(making->facts->gates, making->profile, task, now_ms, &until_ms);
        if (reason == task->reason && until_ms == 0) {
            continue;
        }
        decision->changes = room(making->arena, decision->changes, decision->change_count,
            &making->change_capacity, sizeof decision->changes[0]);
        if (decision->changes == NULL) {
            return RWD_LIMIT;
        }
        rwd_gate_release(making->facts->gates, making->facts->pools, task, reason, until_ms, now_ms,
            &decision->changes[decision->change_count++]);
    }
    return RWD_OK;
}

void rwd_decide_undo(const struct rwd_decide_facts *facts, const struct rwd_decision *decision)
{
    for (size_t i = 0; i < decision->task_count; i++) {
        const struct rwd_task *task = &decision->tasks[i];
        rwd_pool_account(facts->pools, task->pool_no, task->pool_period, task->reward.cost.minor,
            rwd_task_budget_of(task), RWD_BUDGET_NOTHING);
    }
}

static void begin_arms(struct making *making)
{
    making->arms = (struct rwd_arms){.rulebook = rwd_ruleset_rulebook(making->facts->ruleset),
        .event = making->event,
        .player = making->player,
        .profile = making->profile,
        .arena = making->arena};
}

static enum rwd_status decide_rules(struct making *making)
{
    size_t count = 0;
    const struct rwd_rulebook *rulebook = rwd_ruleset_rulebook(making->facts->ruleset);
    const struct rwd_rulebook_entry *entries =
        rwd_rulebook_for(rulebook, making->event->name, &count);
    making->decision->rulebook_no = rwd_rulebook_no(rulebook);
    begin_arms(making);
    if (count == 0) {
        return RWD_OK;
    }
    making->verdicts = rwd_arena_alloc(making->arena, count);
    if (making->verdicts == NULL) {
        return RWD_LIMIT;
    }
    making->decision->verdicts = making->verdicts;
    for (size_t i = 0; i < count; i++) {
        enum rwd_rule_verdict verdict = RWD_RULE_FIRED;
        if (decide_rule(making, &entries[i], &verdict) != RWD_OK) {
            return RWD_LIMIT;
        }
        making->verdicts[making->decision->verdict_count++] = (uint8_t)verdict;
    }
    making->decision->exposures = making->arms.exposures;
    making->decision->exposure_count = making->arms.exposure_count;
    return RWD_OK;
}

/* From the event id alone: the same on every installation. */
static uint64_t seed_of(const struct rwd_event *event)
{
    static const uint8_t no_key[RWD_SIPHASH_KEY_SIZE] = {0};
    return rwd_siphash(no_key, event->event_id.data, event->event_id.size);
}

enum rwd_status rwd_decide_shadow(const struct rwd_decide_facts *facts,
    const struct rwd_rulebook_entry *shadow, const struct rwd_event *event,
    const struct rwd_player *player, const struct rwd_profile *profile,
    const struct rwd_player_rule *own, struct rwd_arena *arena, struct rwd_decision *decision,
    enum rwd_rule_verdict *verdict)
{
    *decision = (struct rwd_decision){
        .has_event = true, .event_ms = event->time_ms, .now_ms = facts->now_ms};
    struct making making = {.facts = facts,
        .event = event,
        .player = player,
        .profile = profile,
        .own = own,
        .arena = arena,
        .seed = seed_of(event),
        .decision = decision};
    begin_arms(&making); /* it is told the arm; nobody is exposed by a shadow */
    return decide_rule(&making, shadow, verdict);
}

enum rwd_status rwd_decide(const struct rwd_decide_facts *facts, const struct rwd_event *event,
    const struct rwd_player *player, struct rwd_arena *arena, struct rwd_decision *decision,
    struct rwd_problem *problem)
{
    if (rwd_player_has_seen(player, event->event_fingerprint)) {
        return RWD_CONFLICT;
    }
    int64_t behind_ms = player->newest_event_ms - event->time_ms;
    if (behind_ms > (int64_t)RWD_DEDUPE_WINDOW_HOURS * HOUR_MS) {
        rwd_problem_set(problem, "late", "/ts",
            "%lld h behind this player's newest event; past %d h a repeat could not be told",
            (long long)(behind_ms / HOUR_MS), RWD_DEDUPE_WINDOW_HOURS);
        return RWD_INVALID;
    }
    *decision = (struct rwd_decision){
        .has_event = true,
        .late = behind_ms > facts->gates->reorder_window_ms,
        .event_ms = event->time_ms,
        .now_ms = facts->now_ms,
        .event_fingerprint = event->event_fingerprint,
    };
    struct making making = {.facts = facts,
        .event = event,
        .player = player,
        .profile = rwd_profile_after(event, player, arena),
        .arena = arena,
        .seed = seed_of(event),
        .decision = decision};
    if (making.profile == NULL) {
        return RWD_LIMIT;
    }
    if (making.profile != &player->profile) {
        decision->profile = making.profile;
    }
    if (review_holds(&making) != RWD_OK || decide_rules(&making) != RWD_OK) {
        rwd_decide_undo(facts, decision);
        decision->task_count = 0;
        return RWD_LIMIT;
    }
    return RWD_OK;
}

enum rwd_status rwd_decide_release(const struct rwd_decide_facts *facts,
    const struct rwd_waiting_event *waiting, const struct rwd_event *event,
    enum rwd_release release, const struct rwd_player *player, struct rwd_arena *arena,
    struct rwd_decision *decision)
{
    rwd_decide_release_nothing(facts, waiting, release, decision);
    struct making making = {.facts = facts,
        .event = event,
        .player = player,
        .profile = &player->profile,
        .released = waiting,
        .arena = arena,
        .seed = seed_of(event),
        .decision = decision};
    if (decide_rules(&making) != RWD_OK) {
        rwd_decide_undo(facts, decision);
        decision->task_count = 0;
        return RWD_LIMIT;
    }
    return RWD_OK;
}
