/*
 * life: a random life of one player: events, deliveries, people, time. For property tests.
 */
#ifndef RWD_TESTS_DECIDE_LIFE_H
#define RWD_TESTS_DECIDE_LIFE_H

#include "support.h"

static const char *const life_rules[] = {
    "return rule { id = 'a', version = '1.0.0', on = 'bet', guards = { budget = 'season', "
    "kyc_min_level = 1 },\n"
    "state = { n = 0 }, aggregates = { n = count('1h'), l = last('payload.g', 'all'), s = "
    "sum('payload.s', '7d'), m = max('payload.s', '1m') },\n"
    "score = function(event) return event.payload.s end, caps = { per_minute = 90, per_hour = "
    "300 },\n"
    "grant = function(event, player, state) state.n = state.n + 1\n"
    "if state.n % 3 == 0 then return freespins { count = state.n, game = 'g' } end end,\n"
    "milestones = { { at = 100, reward = bonus_cash { amount = '60.00', currency = 'EUR' } },\n"
    "{ at = 1000, reward = loot { rarity = 'rare' } }, { at = 1500, reward = badge { name = 'b' } "
    "} } }",
    "return rule { id = 'b', version = '1.0.0', on = { 'bet', 'win' }, guards = { budget = "
    "'daily', kyc_min_level = 2, geo = { 'TR' } },\n"
    "experiment = 'e', when = function(event, player) return event.payload.s > 20 and "
    "player.arm() ~= nil end,\n"
    "grant = function(event, player) if event.payload.s == 59 then error('x') end\n"
    "return bonus_cash { amount = event.payload.s .. '.00', currency = 'EUR' } end }",
    "return experiment { key = 'e', version = '1.0.0', strata = { 'geo' },\n"
    "arms = { control = 1, treatment = 1 }, metrics = { primary = { event = 'win' } } }",
};

struct life {
    struct world w;
    struct chance chance;
    int64_t now_ms;
    struct rwd_task failed[64]; /* as the store would have them */
    size_t failed_count;
    uint32_t event_count;
    struct rwd_buffer last; /* the encoded decision of the last step */
};

static inline void life_open(struct life *life, uint32_t seed)
{
    memset(life, 0, sizeof *life);
    world_open(&life->w);
    world_pool(&life->w, "season", RWD_POOL_SEASON, 40000, 10000);
    world_pool(&life->w, "daily", RWD_POOL_DAY, 9000, 5000);
    world_rules(&life->w, life_rules, 3);
    life->chance.state = seed;
    life->now_ms = noon_ms;
}

static inline void life_close(struct life *life)
{
    rwd_buffer_finish(&life->last);
    world_close(&life->w);
}

static inline enum rwd_status life_event(struct life *life)
{
    struct chance *chance = &life->chance;
    static const char *const rg[] = {"self_exclusion", "cool_off", "deposit_limit_reached",
        "lifted", "lifted", "lifted", "lifted"};
    static const char *const users[] = {"", "", ",\"geo\":\"TR\"", ",\"geo\":\"DE\"",
        ",\"platform\":\"ios\",\"segments\":[\"vip\"]"};
    char id[24];
    char payload[96];
    uint32_t what = chance_below(chance, 20);
    const char *name = what < 12   ? "bet"
                       : what < 17 ? "win"
                       : what < 18 ? "rg_event"
                                   : "kyc_status_changed";
    if (what < 17) {
        (void)snprintf(payload, sizeof payload, "{\"s\":%u,\"g\":\"game%u\"}",
            chance_below(chance, 60), chance_below(chance, 4));
    } else if (what < 18) {
        char until[RWD_TIME_TEXT_SIZE];
        rwd_time_format(life->now_ms + chance_between(chance, 0, 3 * (int64_t)DAY_MS), until);
        (void)snprintf(payload, sizeof payload,
            chance_one_in(chance, 3) ? "{\"type\":\"%s\"}" : "{\"type\":\"%s\",\"until\":\"%s\"}",
            rg[chance_below(chance, 7)], until);
    } else {
        (void)snprintf(payload, sizeof payload, "{\"level\":%u}", chance_below(chance, 4));
    }
    (void)snprintf(id, sizeof id, "e%u",
        chance_one_in(chance, 8) ? chance_below(chance, life->event_count + 1)
                                 : life->event_count++);
    int64_t time_ms =
        life->now_ms - (chance_one_in(chance, 4) ? chance_between(chance, 0, 80LL * HOUR_MS) : 0);
    world_event(&life->w, id, name, time_ms, users[chance_below(chance, 5)], payload);
    return world_decide_at(&life->w, life->now_ms);
}

static inline enum rwd_status life_command(struct life *life)
{
    struct chance *chance = &life->chance;
    struct world *w = &life->w;
    struct rwd_task_command command = {
        .kind = (enum rwd_task_command_kind)chance_below(chance, RWD_TASK_DROP + 1),
        .user_id = RWD_TEXT("u1"),
        .attempt_count_max = 3,
        .retry_at_ms = life->now_ms + 1000,
        .payout_id = chance_one_in(chance, 2)   ? RWD_TEXT("p1")
                     : chance_one_in(chance, 2) ? RWD_TEXT("p2")
                                                : RWD_TEXT("")};
    if (command.kind == RWD_TASK_REPROCESS || command.kind == RWD_TASK_DROP) {
        if (life->failed_count == 0) {
            return RWD_NOT_FOUND;
        }
        command.task = &life->failed[chance_below(chance, (uint32_t)life->failed_count)];
        command.id = command.task->id;
        /* The shard looks into player and store first: what is no longer failed is not offered. */
        const struct rwd_task *known = rwd_player_task_find(w->player, command.id);
        if (known != NULL && known->status != RWD_TASK_FAILED) {
            return RWD_CONFLICT;
        }
    } else if (w->player->task_count > 0) {
        const struct rwd_task *task =
            &w->player->tasks[chance_below(chance, w->player->task_count)];
        command.id = task->id;
        command.attempt = task->attempts;
    }
    return rwd_decide_task(
        &w->gates, w->pools, &command, w->player, life->now_ms, &w->arena, &w->decision, &w->error);
}

/* The store's list of failed tasks follows every decision. */
static inline void life_note(struct life *life)
{
    struct world *w = &life->w;
    for (size_t i = 0; i < w->decision.change_count; i++) {
        const struct rwd_task *task = rwd_player_task_find(w->player, w->decision.changes[i].id);
        if (task != NULL && task->status == RWD_TASK_FAILED && life->failed_count < 64) {
            life->failed[life->failed_count++] = *task;
        }
    }
    for (size_t i = 0; i < w->decision.task_count; i++) {
        for (size_t f = 0; f < life->failed_count; f++) {
            if (rwd_task_id_equal(life->failed[f].id, w->decision.tasks[i].id)) {
                life->failed[f] = life->failed[--life->failed_count];
            }
        }
    }
}

/* One input, decided and applied; life->last holds the decision. False: nothing came of it. */
static inline bool life_step(struct life *life)
{
    struct chance *chance = &life->chance;
    static const int64_t steps_ms[] = {0, 0, 1, 1000, 30000, HOUR_MS, DAY_MS, 40LL * DAY_MS};
    rwd_arena_reset(&life->w.arena, 1 << 16);
    life->now_ms += steps_ms[chance_below(chance, chance_one_in(chance, 20) ? 8 : 6)];
    bool is_event = chance_one_in(chance, 2);
    enum rwd_status status = is_event ? life_event(life) : life_command(life);
    if (status != RWD_OK) {
        return false;
    }
    life->last.size = 0;
    rwd_decision_encode(&life->w.decision, &life->last);
    world_apply(&life->w);
    life_note(life);
    return true;
}

/* What a checkpoint does to a player's list of tasks. */
static inline void life_drop_settled(struct rwd_player *player)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < player->task_count; i++) {
        if (!rwd_task_settled(&player->tasks[i])) {
            player->tasks[open++] = player->tasks[i];
        }
    }
    player->task_count = open;
}

#endif
