/*
 * support: a player, rules, pools and events in a few lines, for the tests of decide/ and engine/.
 */
#ifndef RWD_TESTS_DECIDE_SUPPORT_H
#define RWD_TESTS_DECIDE_SUPPORT_H

#include "../chance.h"
#include "base/clock.h"
#include "base/memory.h"
#include "decide/apply.h"
#include "decide/decide.h"
#include "decide/task_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    SECOND_MS = 1000,
    MINUTE_MS = 60 * SECOND_MS,
    HOUR_MS = 60 * MINUTE_MS,
    DAY_MS = 24 * HOUR_MS,
    WORLD_RULE_COUNT_MAX = 64,
};
/* 2025-11-15T12:00:00Z, a Saturday. */
static const int64_t noon_ms = 1763208000000;

struct world {
    struct rwd_arena arena;
    struct rwd_pools *pools;
    struct rwd_gates gates;
    struct rwd_shared_rule *rules[WORLD_RULE_COUNT_MAX];
    size_t rule_count;
    char ids[WORLD_RULE_COUNT_MAX][RWD_RULE_ID_SIZE_MAX]; /* by rule_no - 1 */
    uint32_t id_count;
    uint32_t version_count;
    uint32_t rulebook_count;
    struct rwd_rulebook *rulebook;
    struct rwd_ruleset *ruleset;
    struct rwd_player *player;
    uint64_t sequence;
    size_t failures;
    struct rwd_error failure;
    struct rwd_event event;
    struct rwd_decision decision;
    struct rwd_problem problem;
    struct rwd_error error;
};

static const struct rwd_price_config world_prices[] = {
    {.kind = RWD_REWARD_FREESPINS, .label = (char *)(uintptr_t) "", .cost = {10, {"EUR"}}},
    {.kind = RWD_REWARD_LOOT, .label = (char *)(uintptr_t) "rare", .cost = {500, {"EUR"}}},
    {.kind = RWD_REWARD_LOOT, .label = (char *)(uintptr_t) "", .cost = {100, {"EUR"}}},
    {.kind = RWD_REWARD_COUPON, .label = (char *)(uintptr_t) "yen", .cost = {100, {"JPY"}}},
};

static inline void world_pool(struct world *w, const char *id, enum rwd_pool_period period,
    int64_t hard_minor, int64_t soft_minor)
{
    struct rwd_pool_terms terms = {.currency = {"EUR"},
        .period = period,
        .hard_cap_minor = hard_minor,
        .soft_cap_minor = soft_minor};
    uint32_t pool_no = 0;
    (void)snprintf(terms.id, sizeof terms.id, "%s", id);
    assert_int_equal(rwd_pools_put(w->pools, &terms, 0, &pool_no, &w->error), RWD_OK);
}

static inline void world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    rwd_arena_init(&w->arena, 1 << 16, 64 << 20);
    w->pools = rwd_pools_create();
    w->gates = (struct rwd_gates){.large_reward = RWD_TEXT("50.00"),
        .hold_expires_ms = (int64_t)90 * DAY_MS,
        .reorder_window_ms = MINUTE_MS,
        .waiting_event_count_max = 8,
        .prices = world_prices,
        .price_count = sizeof world_prices / sizeof world_prices[0]};
    w->player = rwd_player_create(RWD_TEXT("u1"), 1);
    (void)snprintf(w->player->profile.geo, sizeof w->player->profile.geo, "TR");
    world_pool(w, "season", RWD_POOL_SEASON, 100000000, 90000000);
}

static inline void world_close(struct world *w)
{
    rwd_ruleset_destroy(w->ruleset);
    rwd_rulebook_release(w->rulebook);
    for (size_t i = 0; i < w->rule_count; i++) {
        rwd_shared_rule_release(w->rules[i]);
    }
    rwd_player_destroy(w->player);
    rwd_pools_destroy(w->pools);
    rwd_arena_finish(&w->arena);
}

static inline uint32_t world_rule_no(struct world *w, const char *id)
{
    for (uint32_t i = 0; i < w->id_count; i++) {
        if (strcmp(w->ids[i], id) == 0) {
            return i + 1;
        }
    }
    assert_true(w->id_count < WORLD_RULE_COUNT_MAX);
    (void)snprintf(w->ids[w->id_count], sizeof w->ids[0], "%s", id);
    return ++w->id_count;
}

static inline struct rwd_ruleset_limits world_limits(void)
{
    struct rwd_ruleset_limits limits = rwd_ruleset_limits_default();
    limits.sandbox.deadline_ms = 1000; /* only exact limits in tests */
    return limits;
}

/* These rules are in force from here on, in place of those before. */
static inline void world_rules(struct world *w, const char *const *sources, size_t count)
{
    const struct rwd_ruleset_limits limits = world_limits();
    struct rwd_shared_rule *made[WORLD_RULE_COUNT_MAX];
    assert_true(count <= WORLD_RULE_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        struct rwd_rule *rule = NULL;
        if (rwd_rule_load(rwd_text_of(sources[i]), "r.lua", &limits.sandbox, &rule, &w->error) !=
            RWD_OK) {
            fail_msg("%s\n%s", w->error.text, sources[i]);
        }
        rule->rule_no = world_rule_no(w, rule->id);
        rule->version_no = ++w->version_count;
        made[i] = rwd_shared_rule_create(&rule);
    }
    struct rwd_rulebook *rulebook = rwd_rulebook_create(++w->rulebook_count, made, count);
    struct rwd_ruleset *ruleset = NULL;
    assert_int_equal(
        rwd_ruleset_create(rulebook, &limits, &w->ruleset, &ruleset, &w->error), RWD_OK);
    rwd_rulebook_release(w->rulebook);
    for (size_t i = 0; i < w->rule_count; i++) {
        rwd_shared_rule_release(w->rules[i]);
    }
    memcpy(w->rules, made, count * sizeof made[0]);
    w->rule_count = count;
    w->rulebook = rulebook;
    w->ruleset = ruleset;
}

static inline void world_rule(struct world *w, const char *source)
{
    world_rules(w, &source, 1);
}

/* A rule 'r' 1.0.0 on bets with this in its table. */
static inline void world_rule_of(struct world *w, const char *fields)
{
    char source[4096];
    (void)snprintf(source, sizeof source,
        "return rule { id = 'r', version = '1.0.0', on = 'bet', %s }", fields);
    world_rule(w, source);
}

static const uint8_t world_key[RWD_SIPHASH_KEY_SIZE] = {9, 9, 9};

/* Reads JSON into w->event; it lives until the arena is reset. */
static inline void world_read(struct world *w, const char *raw)
{
    static const struct rwd_json_limits limits = {
        .depth_max = 32, .node_count_max = 20000, .size_max = 1 << 20};
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    struct rwd_text text = {
        .data = rwd_arena_copy(&w->arena, raw, strlen(raw)), .size = strlen(raw)};
    if (rwd_json_scan(text, &limits, &w->arena, &json, &consumed, &fault) != RWD_OK ||
        rwd_event_read(text, &json, world_key, noon_ms, &w->event, &w->problem) != RWD_OK) {
        fail_msg("%s", raw);
    }
}

/* user: fields behind the id, with a comma before; payload: a JSON object. */
static inline void world_event(struct world *w, const char *id, const char *name, int64_t time_ms,
    const char *user, const char *payload)
{
    char time_text[RWD_TIME_TEXT_SIZE];
    char raw[4096];
    rwd_time_format(time_ms, time_text);
    (void)snprintf(raw, sizeof raw,
        "{\"event_id\":\"%s\",\"event_name\":\"%s\",\"version\":\"1.0.0\",\"ts\":\"%s\","
        "\"user\":{\"id\":\"u1\"%s},\"payload\":%s}",
        id, name, time_text, user, payload);
    world_read(w, raw);
}

static inline void world_rule_failed(
    void *context, const struct rwd_rule *rule, const struct rwd_error *error, bool suspended)
{
    (void)rule;
    (void)suspended;
    struct world *w = context;
    w->failures++;
    w->failure = *error;
}

static inline struct rwd_decide_facts world_facts(struct world *w, int64_t now_ms)
{
    return (struct rwd_decide_facts){.ruleset = w->ruleset,
        .pools = w->pools,
        .gates = &w->gates,
        .now_ms = now_ms,
        .rule_failed = world_rule_failed,
        .context = w};
}

/* Decides w->event at a time of the house. */
static inline enum rwd_status world_decide_at(struct world *w, int64_t now_ms)
{
    const struct rwd_decide_facts facts = world_facts(w, now_ms);
    return rwd_decide(&facts, &w->event, w->player, &w->arena, &w->decision, &w->problem);
}

static inline void world_apply(struct world *w)
{
    rwd_apply(w->player, &w->decision, ++w->sequence, w->pools, false);
}

/* Decides and applies w->event, now being its own time. */
static inline enum rwd_status world_take(struct world *w)
{
    enum rwd_status status = world_decide_at(w, w->event.time_ms);
    if (status == RWD_OK) {
        world_apply(w);
    }
    return status;
}

static inline enum rwd_status world_send(struct world *w, const char *id, const char *name,
    int64_t time_ms, const char *user, const char *payload)
{
    world_event(w, id, name, time_ms, user, payload);
    return world_take(w);
}

/* A bet with an id of its own. */
static inline void world_bet(struct world *w, int64_t time_ms, const char *payload)
{
    char id[32];
    (void)snprintf(id, sizeof id, "auto-%llu", (unsigned long long)w->sequence);
    assert_int_equal(world_send(w, id, "bet", time_ms, "", payload), RWD_OK);
}

static inline uint64_t world_total(struct world *w, const char *rule_id)
{
    const struct rwd_player_rule *rule = rwd_player_rule_find(w->player, world_rule_no(w, rule_id));
    return rule != NULL ? rule->total : 0;
}

static inline enum rwd_rule_verdict world_verdict(const struct world *w, size_t index)
{
    assert_true(index < w->decision.verdict_count);
    return (enum rwd_rule_verdict)w->decision.verdicts[index];
}

static inline struct rwd_pool_sums world_sums(const struct world *w)
{
    return rwd_pool_read(w->pools, 1, 0);
}

static inline enum rwd_status world_command(
    struct world *w, struct rwd_task_command *command, int64_t now_ms)
{
    command->user_id = RWD_TEXT("u1");
    enum rwd_status status = rwd_decide_task(
        &w->gates, w->pools, command, w->player, now_ms, &w->arena, &w->decision, &w->error);
    if (status == RWD_OK) {
        world_apply(w);
    }
    return status;
}

/* The only task, or the newest. */
static inline struct rwd_task *world_task(const struct world *w)
{
    assert_true(w->player->task_count > 0);
    return &w->player->tasks[w->player->task_count - 1];
}

static inline void assert_task(
    const struct rwd_task *task, enum rwd_task_status status, enum rwd_task_reason reason)
{
    if (task->status != status || task->reason != reason) {
        fail_msg("task is %s (%s), expected %s (%s)", rwd_task_status_name(task->status),
            rwd_task_reason_name(task->reason), rwd_task_status_name(status),
            rwd_task_reason_name(reason));
    }
}

static inline struct rwd_buffer world_bytes(const struct rwd_player *player)
{
    struct rwd_buffer bytes = {0};
    rwd_player_encode(player, &bytes);
    return bytes;
}

static inline void assert_players_equal(const struct rwd_player *a, const struct rwd_player *b)
{
    struct rwd_buffer left = world_bytes(a);
    struct rwd_buffer right = world_bytes(b);
    assert_int_equal(left.size, right.size);
    assert_memory_equal(left.data, right.data, left.size);
    rwd_buffer_finish(&left);
    rwd_buffer_finish(&right);
}

#endif
