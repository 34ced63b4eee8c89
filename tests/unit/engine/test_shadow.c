/* What a shadow sees, counts and leaves alone. */
#include "engine/shadow.h"

#include "../decide/support.h"
#include "decide/release.h"

static const char *const sources[] = {
    "return rule { id = 'r', version = '1.0.0', on = 'bet', guards = { budget = 'season', "
    "kyc_min_level = 0 },\n"
    "score = function(event) return 10 end,\n"
    "milestones = { { at = 10, reward = freespins { count = 1, game = 'g' } } } }",
    "return rule { id = 'r', version = '2.0.0', on = { 'bet', 'win' }, guards = { budget = "
    "'season', kyc_min_level = 0 },\n"
    "state = { n = 0 }, aggregates = { c = count('1d') },\n"
    "score = function(event, player, state) state.n = state.n + 1\n"
    "  if event.payload.fail then error('no') end\n"
    "  return event.payload.s + state.n * 1000000 + player.agg.c * 1000 end,\n"
    "caps = { per_event = 1000000000 },\n"
    "milestones = { { at = 10, reward = freespins { count = 1, game = 'g' } },\n"
    "  { at = 20, reward = loot { rarity = 'rare' } } } }"};

struct stage {
    struct world w;
    struct rwd_shared_rule *rules[2];
    struct rwd_shadow *shadow;
    struct rwd_shadow_counters counters;
};

/* 1.0.0 is active and 2.0.0 its shadow. */
static void stage_open_with(struct stage *stage, const char *const *rules)
{
    memset(stage, 0, sizeof *stage);
    struct world *w = &stage->w;
    world_open(w);
    const struct rwd_ruleset_limits limits = world_limits();
    struct rwd_rulebook_seat seats[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct rwd_rule *rule = NULL;
        if (rwd_rule_load(rwd_text_of(rules[i]), "r.lua", &limits.sandbox, &rule, &w->error) !=
            RWD_OK) {
            fail_msg("%s", w->error.text);
        }
        rule->rule_no = 1;
        rule->version_no = i + 1;
        stage->rules[i] = rwd_shared_rule_create(&rule);
        seats[i] = (struct rwd_rulebook_seat){
            stage->rules[i], i == 0 ? RWD_RULEBOOK_ACTIVE : RWD_RULEBOOK_SHADOW, 0};
    }
    w->rulebook = rwd_rulebook_create_seated(1, seats, 2);
    assert_int_equal(
        rwd_ruleset_create(w->rulebook, &limits, NULL, &w->ruleset, &w->error), RWD_OK);
    stage->shadow = rwd_shadow_create(2);
}

static void stage_open(struct stage *stage)
{
    stage_open_with(stage, sources);
}

static void stage_close(struct stage *stage)
{
    rwd_shadow_destroy(stage->shadow);
    rwd_shared_rule_release(stage->rules[0]);
    rwd_shared_rule_release(stage->rules[1]);
    world_close(&stage->w);
}

/* Decides w->event, asks the shadow, applies. */
static void step(struct stage *stage, uint64_t fingerprint)
{
    struct world *w = &stage->w;
    size_t count = 0;
    const struct rwd_rulebook_entry *entry = rwd_rulebook_shadows(w->rulebook, &count);
    assert_int_equal(count, 1);
    assert_int_equal(world_decide_at(w, w->event.time_ms), RWD_OK);
    struct rwd_buffer before = world_bytes(w->player);
    struct rwd_pool_sums sums = world_sums(w);
    const struct rwd_decide_facts facts = world_facts(w, w->event.time_ms);
    rwd_shadow_decide(
        stage->shadow, &facts, entry, &w->event, fingerprint, w->player, &w->decision);
    struct rwd_buffer after = world_bytes(w->player);
    assert_true(rwd_text_equal(rwd_buffer_text(&before), rwd_buffer_text(&after)));
    assert_true(sums.reserved_minor == world_sums(w).reserved_minor);
    rwd_buffer_finish(&before);
    rwd_buffer_finish(&after);
    world_apply(w);
    rwd_shadow_publish(stage->shadow, &stage->counters);
}

static void event(struct stage *stage, const char *name, const char *payload)
{
    char id[32];
    (void)snprintf(id, sizeof id, "e-%llu", (unsigned long long)stage->w.sequence);
    world_event(&stage->w, id, name, noon_ms + (int64_t)stage->w.sequence, "", payload);
}

static void it_goes_on_with_counters_of_its_own(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage);
    struct rwd_shadow_counters *counters = &stage.counters;
    /* The active version alone: the shadow is not there yet. */
    event(&stage, "bet", "{\"s\":1}");
    assert_int_equal(world_take(&stage.w), RWD_OK);
    assert_int_equal(world_total(&stage.w, "r"), 10);
    /* It meets a player with 10 points whose first milestone has fired; its own comes at 20. */
    event(&stage, "bet", "{\"s\":1}");
    step(&stage, 1);
    assert_int_equal(counters->users, 1);
    assert_int_equal(counters->points_would, 1000000 + 1000 + 1);
    assert_int_equal(counters->points_got, 10);
    assert_int_equal(counters->tasks_would, 1);
    assert_int_equal(counters->money_would, 500);
    assert_int_equal(counters->tasks_got, 0);
    assert_int_equal(counters->winners, 1);
    /* State and aggregates are its own, and a milestone fires once. */
    event(&stage, "bet", "{\"s\":2}");
    step(&stage, 1);
    assert_int_equal(counters->points_would, 1001001 + 2000000 + 2000 + 2);
    assert_int_equal(counters->tasks_would, 1);
    /* An event that only it wants. */
    event(&stage, "win", "{\"s\":0}");
    step(&stage, 1);
    assert_int_equal(counters->points_would, 3003003 + 3000000 + 3000);
    assert_int_equal(counters->points_got, 20);
    assert_int_equal(world_total(&stage.w, "r"), 30);
    assert_int_equal(stage.w.player->task_count, 1);
    /* A failure is its own. */
    event(&stage, "bet", "{\"s\":0,\"fail\":true}");
    step(&stage, 1);
    assert_int_equal(stage.w.failures, 1);
    assert_int_equal(world_total(&stage.w, "r"), 40);
    assert_int_equal(rwd_ruleset_health(stage.w.ruleset, 0).error_count, 0);
    assert_int_equal(rwd_ruleset_health(stage.w.ruleset, 1).error_count, 1);
    stage_close(&stage);
}

/* Asked when the rule that it may replace is: at the release of what that one waits for. */
static void it_waits_with_its_rule(void **state)
{
    (void)state;
    static const char *const waiting[] = {
        "return rule { id = 'r', version = '1.0.0', on = 'bet', order = 'event_time',\n"
        "score = function() return 10 end }",
        "return rule { id = 'r', version = '2.0.0', on = 'bet', state = { last = 0 },\n"
        "score = function(event, player, state) local last = state.last\n"
        "state.last = event.payload.s return event.payload.s > last and 3 or 0 end }"};
    struct stage stage;
    stage_open_with(&stage, waiting);
    struct world *w = &stage.w;
    const struct rwd_decide_facts facts = world_facts(w, noon_ms);
    size_t count = 0;
    const struct rwd_rulebook_entry *entry = rwd_rulebook_shadows(w->rulebook, &count);
    world_event(w, "b", "bet", noon_ms + 2, "", "{\"s\":9}");
    step(&stage, 1);
    world_event(w, "a", "bet", noon_ms + 1, "", "{\"s\":4}");
    step(&stage, 1);
    assert_int_equal(stage.counters.points_would, 0);
    while (w->player->waiting != NULL) {
        const struct rwd_waiting_event *first = &w->player->waiting->events[0];
        struct rwd_text raw = {.data = rwd_arena_copy(&w->arena, first->raw.data, first->raw.size),
            .size = first->raw.size};
        assert_int_equal(rwd_release_read(first, raw, &w->arena, &w->event), RWD_OK);
        assert_int_equal(rwd_decide_release(&facts, first, &w->event, RWD_RELEASE_TIME, w->player,
                             &w->arena, &w->decision),
            RWD_OK);
        rwd_shadow_decide(stage.shadow, &facts, entry, &w->event, 1, w->player, &w->decision);
        world_apply(w);
    }
    rwd_shadow_publish(stage.shadow, &stage.counters);
    assert_int_equal(stage.counters.points_would, 6);
    assert_int_equal(stage.counters.points_got, 20);
    stage_close(&stage);
}

static void many_players_are_a_sample(void **state)
{
    (void)state;
    enum { USER_COUNT = 20000 };
    struct stage stage;
    struct chance chance = {3};
    stage_open(&stage);
    for (int user = 0; user < USER_COUNT; user++) {
        /* For one in four it fails, who so would get nothing. */
        event(&stage, "bet", user % 4 == 0 ? "{\"s\":0,\"fail\":true}" : "{\"s\":1}");
        struct rwd_player *player = rwd_player_create(RWD_TEXT("u1"), 1);
        rwd_player_destroy(stage.w.player);
        stage.w.player = player;
        size_t count = 0;
        const struct rwd_rulebook_entry *entry = rwd_rulebook_shadows(stage.w.rulebook, &count);
        const struct rwd_decide_facts facts = world_facts(&stage.w, noon_ms);
        assert_int_equal(world_decide_at(&stage.w, noon_ms), RWD_OK);
        rwd_ruleset_resume(stage.w.ruleset, 1); /* its breaker is another test's */
        rwd_shadow_decide(stage.shadow, &facts, entry, &stage.w.event,
            (uint64_t)chance_below(&chance, UINT32_MAX) << 32 | chance_below(&chance, UINT32_MAX),
            player, &stage.w.decision);
        stage.w.sequence++;
        rwd_arena_reset(&stage.w.arena, 1 << 16);
    }
    rwd_shadow_publish(stage.shadow, &stage.counters);
    uint64_t sample = stage.counters.sample;
    assert_true(sample >= 8);
    assert_in_range(stage.counters.users / sample, 1, RWD_SHADOW_USER_COUNT_MAX);
    assert_in_range(stage.counters.users, USER_COUNT * 9 / 10, USER_COUNT * 11 / 10);
    assert_in_range(stage.counters.losers, USER_COUNT * 20 / 100, USER_COUNT * 30 / 100);
    assert_in_range(stage.counters.winners, USER_COUNT * 65 / 100, USER_COUNT * 85 / 100);
    assert_in_range(stage.counters.points_got, USER_COUNT * 9, USER_COUNT * 11);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_on_with_counters_of_its_own),
        cmocka_unit_test(it_waits_with_its_rule),
        cmocka_unit_test(many_players_are_a_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
