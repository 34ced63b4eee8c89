/* Rules in event time: what waits, when it is released, and what is decided then. */
#include "support.h"

#include "decide/release.h"

/* Points for a win that follows a loss, in the order the rule sees them. */
static const char after_loss[] =
    "return rule { id = 'streak', version = '1.0.0', on = 'bet', order = 'event_time', %s\n"
    "state = { lost = false },\n"
    "score = function(event, player, state)\n"
    "  local lost = state.lost\n"
    "  state.lost = event.payload.win == 0\n"
    "  return lost and event.payload.win or 0\n"
    "end }";

static void use_streak(struct world *w, const char *fields)
{
    char source[1024];
    (void)snprintf(source, sizeof source, after_loss, fields);
    world_rule(w, source);
}

/* Reads and decides the foremost; the cause it was released for. */
static enum rwd_release release_at(struct world *w, int64_t now_ms, int64_t clock_ms)
{
    enum rwd_release release = rwd_release_due(&w->gates, w->player, clock_ms);
    if (release == RWD_RELEASE_NONE) {
        return release;
    }
    const struct rwd_decide_facts facts = world_facts(w, now_ms);
    const struct rwd_waiting_event *waiting = &w->player->waiting->events[0];
    struct rwd_text raw = {.data = rwd_arena_copy(&w->arena, waiting->raw.data, waiting->raw.size),
        .size = waiting->raw.size};
    assert_int_equal(rwd_release_read(waiting, raw, &w->arena, &w->event), RWD_OK);
    assert_int_equal(
        rwd_decide_release(&facts, waiting, &w->event, release, w->player, &w->arena, &w->decision),
        RWD_OK);
    world_apply(w);
    return release;
}

static size_t release_all(struct world *w, int64_t clock_ms)
{
    size_t count = 0;
    while (release_at(w, noon_ms, clock_ms) != RWD_RELEASE_NONE) {
        count++;
    }
    return count;
}

static void bet(struct world *w, const char *id, int64_t after_ms, const char *payload)
{
    assert_int_equal(world_send(w, id, "bet", noon_ms + after_ms, "", payload), RWD_OK);
}

static void an_event_waits_and_gives_nothing_yet(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    use_streak(&w, "");
    bet(&w, "loss", 0, "{\"win\":0}");
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_WAITING);
    assert_int_equal(w.decision.effect_count, 0);
    assert_int_equal(rwd_waiting_count(w.player), 1);
    assert_int_equal(rwd_release_due(&w.gates, w.player, RWD_RELEASE_NO_CLOCK), RWD_RELEASE_NONE);
    /* A repeat is a duplicate though nothing was decided yet. */
    assert_int_equal(world_send(&w, "loss", "bet", noon_ms, "", "{\"win\":0}"), RWD_CONFLICT);
    /* Exactly the window ahead is not more than it. */
    bet(&w, "win", MINUTE_MS, "{\"win\":5}");
    assert_int_equal(release_all(&w, RWD_RELEASE_NO_CLOCK), 0);
    assert_int_equal(world_send(&w, "l", "login", noon_ms + MINUTE_MS + 1, "", "{}"), RWD_OK);
    assert_int_equal(release_at(&w, noon_ms, RWD_RELEASE_NO_CLOCK), RWD_RELEASE_ORDER);
    assert_int_equal(w.decision.event_ms, noon_ms);
    assert_int_equal(rwd_waiting_count(w.player), 1);
    assert_int_equal(world_total(&w, "streak"), 0);
    assert_int_equal(world_send(&w, "m", "login", noon_ms + 3 * MINUTE_MS, "", "{}"), RWD_OK);
    assert_int_equal(release_all(&w, RWD_RELEASE_NO_CLOCK), 1);
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_FIRED);
    assert_int_equal(world_total(&w, "streak"), 5);
    assert_null(w.player->waiting);
    world_close(&w);
}

/* The promise: within the window, whatever order events come in gives the same player. */
static void any_order_within_the_window_is_the_same(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    uint64_t expected = 0;
    for (uint32_t seed = 0; seed < 30; seed++) {
        struct world w;
        struct chance chance = {seed + 1};
        size_t order[COUNT];
        int64_t at_ms[COUNT];
        int64_t arrival[COUNT];
        world_open(&w);
        w.gates.waiting_event_count_max = COUNT;
        use_streak(&w, "caps = { per_minute = 9 },");
        for (size_t i = 0; i < COUNT; i++) {
            /* Pairs have the same time: the id decides. */
            at_ms[i] = (int64_t)(i / 2) * 5 * SECOND_MS;
            arrival[i] = at_ms[i] + (seed == 0 ? 0 : chance_between(&chance, 0, MINUTE_MS));
            order[i] = i;
        }
        for (size_t i = 1; i < COUNT; i++) {
            for (size_t n = i; n > 0 && arrival[order[n - 1]] > arrival[order[n]]; n--) {
                size_t swap = order[n];
                order[n] = order[n - 1];
                order[n - 1] = swap;
            }
        }
        for (size_t i = 0; i < COUNT; i++) {
            char id[16];
            char payload[32];
            (void)snprintf(id, sizeof id, "e%02zu", order[i]);
            (void)snprintf(payload, sizeof payload, "{\"win\":%zu}", order[i] * 7 % 5);
            bet(&w, id, at_ms[order[i]], payload);
            (void)release_all(&w, RWD_RELEASE_NO_CLOCK);
        }
        (void)release_all(&w, INT64_MAX);
        assert_true(world_total(&w, "streak") > 0);
        expected = seed == 0 ? world_total(&w, "streak") : expected;
        assert_int_equal(world_total(&w, "streak"), expected);
        world_close(&w);
    }
}

static void a_silent_player_is_released_by_time(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    use_streak(&w, "");
    /* world_take decides at the event's own time, which is when it comes here. */
    bet(&w, "win", 2 * SECOND_MS, "{\"win\":5}");
    bet(&w, "loss", 0, "{\"win\":0}");
    assert_int_equal(rwd_waiting_since_ms(w.player), noon_ms);
    int64_t due_ms = noon_ms + MINUTE_MS;
    assert_int_equal(rwd_release_due(&w.gates, w.player, due_ms - 1), RWD_RELEASE_NONE);
    assert_int_equal(release_at(&w, due_ms, due_ms), RWD_RELEASE_TIME);
    assert_int_equal(w.decision.event_ms, noon_ms);
    /* The other one came two seconds later. */
    assert_int_equal(release_at(&w, due_ms, due_ms), RWD_RELEASE_NONE);
    assert_int_equal(release_at(&w, due_ms, due_ms + 2 * SECOND_MS), RWD_RELEASE_TIME);
    assert_int_equal(world_total(&w, "streak"), 5);
    world_close(&w);
}

static void too_many_waiting_are_decided_early(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    use_streak(&w, "");
    for (int i = 0; i < 8; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "e%d", i);
        bet(&w, id, (int64_t)i * SECOND_MS, i % 2 == 0 ? "{\"win\":0}" : "{\"win\":2}");
        assert_int_equal(release_all(&w, RWD_RELEASE_NO_CLOCK), 0);
    }
    bet(&w, "e8", 8 * SECOND_MS, "{\"win\":0}");
    assert_int_equal(release_at(&w, noon_ms, RWD_RELEASE_NO_CLOCK), RWD_RELEASE_FULL);
    assert_int_equal(w.decision.event_ms, noon_ms);
    assert_int_equal(release_all(&w, RWD_RELEASE_NO_CLOCK), 0);
    assert_int_equal(rwd_waiting_count(w.player), 8);
    /* By bytes, too: one monster alone is more than there may be. */
    char *big = rwd_new(RWD_WAITING_SIZE_MAX + 64);
    int size = snprintf(big, 32, "{\"win\":2,\"note\":\"");
    memset(big + size, 'x', RWD_WAITING_SIZE_MAX);
    memcpy(big + size + RWD_WAITING_SIZE_MAX, "\"}", 3);
    char *raw = rwd_new(RWD_WAITING_SIZE_MAX + 512);
    (void)snprintf(raw, RWD_WAITING_SIZE_MAX + 512,
        "{\"event_id\":\"big\",\"event_name\":\"bet\",\"version\":\"1.0.0\","
        "\"ts\":\"2025-11-15T12:00:09Z\",\"user\":{\"id\":\"u1\"},\"payload\":%s}",
        big);
    world_read(&w, raw);
    assert_int_equal(world_take(&w), RWD_OK);
    assert_int_equal(release_all(&w, RWD_RELEASE_NO_CLOCK), 9);
    assert_int_equal(world_total(&w, "streak"), 10);
    rwd_free(big);
    rwd_free(raw);
    world_close(&w);
}

static void what_comes_late_is_decided_at_once(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    use_streak(&w, "");
    bet(&w, "now", 5 * MINUTE_MS, "{\"win\":5}");
    bet(&w, "late", 0, "{\"win\":0}");
    assert_true(w.decision.late);
    assert_int_equal(release_at(&w, noon_ms, RWD_RELEASE_NO_CLOCK), RWD_RELEASE_ORDER);
    assert_int_equal(w.decision.event_ms, noon_ms);
    assert_int_equal(rwd_waiting_count(w.player), 1);
    world_close(&w);
}

static void only_who_waits_is_asked_again(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    static const char *const both[] = {
        "return rule { id = 'now', version = '1.0.0', on = 'bet', score = function() return 3 end "
        "}",
        "return rule { id = 'then', version = '1.0.0', on = 'bet', order = 'event_time',\n"
        "score = function(event, player) return 10 + player.points('now') end }",
        "return rule { id = 'over', version = '1.0.0', on = 'bet', order = 'event_time',\n"
        "active = { to = '2025-01-01T00:00:00Z' }, score = function() return 1 end }"};
    world_rules(&w, both, 3);
    bet(&w, "e1", 0, "{}");
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_FIRED);
    assert_int_equal(world_verdict(&w, 1), RWD_RULE_NOT_ACTIVE);
    assert_int_equal(world_verdict(&w, 2), RWD_RULE_WAITING);
    assert_int_equal(release_all(&w, INT64_MAX), 1);
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_NOT_WAITING);
    assert_int_equal(world_verdict(&w, 1), RWD_RULE_NOT_WAITING);
    assert_int_equal(world_verdict(&w, 2), RWD_RULE_FIRED);
    assert_int_equal(world_total(&w, "now"), 3);
    assert_int_equal(world_total(&w, "then"), 13);
    world_close(&w);
}

/* The rules in force when it leaves decide it, each rule once, whatever its order became. */
static void a_switch_while_an_event_waits(void **state)
{
    (void)state;
    static const char *const before[] = {
        "return rule { id = 'a', version = '1.0.0', on = 'bet', order = 'event_time', score = "
        "function() return 1 end }",
        "return rule { id = 'b', version = '1.0.0', on = 'bet', score = function() return 1 end }",
        "return rule { id = 'c', version = '1.0.0', on = 'bet', order = 'event_time', score = "
        "function() return 1 end }"};
    static const char *const after[] = {
        "return rule { id = 'a', version = '1.1.0', on = 'bet', score = function() return 20 end }",
        "return rule { id = 'b', version = '1.1.0', on = 'bet', order = 'event_time', score = "
        "function() return 20 end }",
        "return rule { id = 'd', version = '1.0.0', on = 'bet', order = 'event_time', score = "
        "function() return 20 end }"};
    struct world w;
    world_open(&w);
    world_rules(&w, before, 3);
    bet(&w, "e1", 0, "{}");
    world_rules(&w, after, 3);
    assert_int_equal(release_all(&w, INT64_MAX), 1);
    assert_int_equal(world_total(&w, "a"), 20);
    assert_int_equal(world_total(&w, "b"), 1);
    assert_int_equal(world_total(&w, "c"), 0);
    assert_int_equal(world_total(&w, "d"), 0);
    world_close(&w);
}

/* Gates and profile are those of the release; tasks are the event's, so none is made twice. */
static void gates_are_those_of_the_release(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule(&w, "return rule { id = 'r', version = '1.0.0', on = 'bet', order = 'event_time',\n"
                   "guards = { budget = 'season', kyc_min_level = 2 },\n"
                   "grant = function() return cash { amount = '1.00', currency = 'EUR' } end }");
    bet(&w, "e1", 0, "{}");
    assert_int_equal(
        world_send(&w, "k", "kyc_status_changed", noon_ms + 1, "", "{\"level\":2}"), RWD_OK);
    assert_int_equal(release_at(&w, noon_ms + 77, INT64_MAX), RWD_RELEASE_TIME);
    assert_task(world_task(&w), RWD_TASK_PENDING, RWD_REASON_NONE);
    assert_int_equal(world_task(&w)->created_ms, noon_ms + 77);
    assert_string_equal(world_task(&w)->event_id, "e1");
    struct rwd_task_id id =
        rwd_task_id_of_event(RWD_TEXT("r"), RWD_TEXT("u1"), RWD_TEXT("e1"), noon_ms);
    assert_true(rwd_task_id_equal(world_task(&w)->id, id));
    assert_int_equal(world_sums(&w).reserved_minor, 100);
    world_close(&w);
}

/* Decisions through their bytes give the same player, byte for byte, at every step. */
static void replay_is_equal(void **state)
{
    (void)state;
    struct world w;
    struct chance chance = {5};
    world_open(&w);
    use_streak(&w, "caps = { per_hour = 50 },");
    struct rwd_player *twin = rwd_player_create(RWD_TEXT("u1"), 1);
    twin->profile = w.player->profile;
    struct rwd_pools *pools = rwd_pools_create();
    for (int i = 0; i < 300; i++) {
        struct rwd_buffer bytes = {0};
        struct rwd_decision read;
        struct rwd_text raw = {0};
        if (release_at(&w, noon_ms, chance_one_in(&chance, 4) ? INT64_MAX : INT64_MIN) ==
            RWD_RELEASE_NONE) {
            char id[16];
            char payload[32];
            (void)snprintf(id, sizeof id, "e%d", i);
            (void)snprintf(payload, sizeof payload, "{\"win\":%u}", chance_below(&chance, 3));
            bet(&w, id, i * 8000LL - chance_between(&chance, 0, 2 * MINUTE_MS), payload);
            raw = w.event.raw;
        }
        rwd_decision_encode(&w.decision, &bytes);
        assert_int_equal(
            rwd_decision_waits(rwd_buffer_text(&bytes)), w.decision.waits != NULL ? 1 : 0);
        assert_int_equal(rwd_decision_decode(rwd_buffer_text(&bytes), &w.arena, &read), RWD_OK);
        if (read.waits != NULL) {
            read.waits->raw = raw;
        }
        rwd_apply(twin, &read, w.sequence, pools, true);
        assert_players_equal(w.player, twin);
        rwd_buffer_finish(&bytes);
    }
    assert_true(world_total(&w, "streak") > 0);
    rwd_player_destroy(twin);
    rwd_pools_destroy(pools);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_waits_and_gives_nothing_yet),
        cmocka_unit_test(any_order_within_the_window_is_the_same),
        cmocka_unit_test(a_silent_player_is_released_by_time),
        cmocka_unit_test(too_many_waiting_are_decided_early),
        cmocka_unit_test(what_comes_late_is_decided_at_once),
        cmocka_unit_test(only_who_waits_is_asked_again),
        cmocka_unit_test(a_switch_while_an_event_waits),
        cmocka_unit_test(gates_are_those_of_the_release),
        cmocka_unit_test(replay_is_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
