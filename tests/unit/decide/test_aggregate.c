/* aggregates = {...}: every operation over every window, in any order of events. */
#include "decide/aggregate.h"
#include "support.h"

#include <math.h>

enum { EVENTS = 60 };

struct fact {
    int64_t time_ms;
    bool has;
    int64_t cents;
};

static const char *const operations[] = {"count", "sum", "min", "max", "last"};
static const char *const windows[] = {"1m", "1h", "1d", "7d", "all"};
static const int64_t sizes_ms[] = {MINUTE_MS, HOUR_MS, DAY_MS, DAY_MS, 0};

/* Does the window of an event at `at_ms` hold one at `time_ms`? */
static bool inside(size_t window, int64_t at_ms, int64_t time_ms)
{
    if (window == 4) {
        return true;
    }
    int64_t here = at_ms / sizes_ms[window];
    int64_t there = time_ms / sizes_ms[window];
    return there <= here && there >= here - (window == 3 ? 6 : 0);
}

/* The value a rule should see at facts[now]; NAN: nil. By the plain words of the spec. */
static double expected(size_t operation, size_t window, const struct fact *facts, size_t now)
{
    double sum = 0;
    double least = NAN;
    double most = NAN;
    double last = NAN;
    int64_t last_ms = -1;
    int64_t count = 0;
    for (size_t i = 0; i <= now; i++) {
        if (!inside(window, facts[now].time_ms, facts[i].time_ms)) {
            continue;
        }
        count++;
        if (!facts[i].has) {
            continue;
        }
        double value = (double)facts[i].cents / 100;
        sum += (double)facts[i].cents;
        least = isnan(least) || value < least ? value : least;
        most = isnan(most) || value > most ? value : most;
        if (i < now && facts[i].time_ms >= last_ms) {
            last_ms = facts[i].time_ms;
            last = value;
        }
    }
    const double values[] = {(double)count, sum / 100, least, most, last};
    return values[operation];
}

static void run_life(struct chance *chance, size_t operation, size_t window, bool in_order)
{
    struct world w;
    char fields[512];
    char call[64];
    struct fact facts[EVENTS];
    int64_t newest_ms = noon_ms;
    (void)snprintf(call, sizeof call, operation == 0 ? "%s('%s')" : "%s('payload.s', '%s')",
        operations[operation], windows[window]);
    /* The value leaves the rule as the name of a badge. */
    (void)snprintf(fields, sizeof fields,
        "aggregates = { v = %s }, grant = function(event, player)\n"
        "return badge { name = player.agg.v and string.format('%%.6f', player.agg.v) or 'nil' } "
        "end",
        call);
    world_open(&w);
    world_rule_of(&w, fields);
    for (size_t i = 0; i < EVENTS; i++) {
        char payload[64];
        newest_ms += chance_between(chance, 0,
            window == 0   ? 40000
            : window == 1 ? 2000000
                          : 40000000);
        int64_t back_ms = window == 0 ? 200000 : 60 * (int64_t)HOUR_MS;
        facts[i] = (struct fact){
            .time_ms = in_order ? newest_ms : newest_ms - chance_between(chance, 0, back_ms),
            .has = !chance_one_in(chance, 5),
            .cents = chance_between(chance, -1000, 100000)};
        /* The latest of `last` hides what is older: asked only in order. */
        (void)snprintf(payload, sizeof payload, facts[i].has ? "{\"s\":%.2f}" : "{\"x\":%.2f}",
            (double)facts[i].cents / 100);
        world_bet(&w, facts[i].time_ms, payload);
        double value = expected(operation, window, facts, i);
        char text[64];
        (void)snprintf(text, sizeof text, "%.6f", value == 0 ? 0 : value);
        const char *seen = world_task(&w)->reward.label;
        if (w.failures != 0 || strcmp(seen, isnan(value) ? "nil" : text) != 0) {
            fail_msg(
                "%s, event %zu: rule saw %s, expected %s %s", call, i, seen, text, w.failure.text);
        }
        rwd_arena_reset(&w.arena, 1 << 16);
    }
    world_close(&w);
}

static void every_operation_over_every_window(void **state)
{
    (void)state;
    struct chance chance = {1};
    for (size_t operation = 0; operation < 5; operation++) {
        for (size_t window = 0; window < 5; window++) {
            for (int round = 0; round < 4; round++) {
                run_life(&chance, operation, window, operation == 4 || round % 2 == 0);
            }
        }
    }
}

/* Two names for the same thing are one thing. */
static void the_same_line_under_two_names(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "aggregates = { a = count('1h'), b = count('1h'), c = sum('payload.s', "
                      "'all'), d = sum('payload.s', 'all') },\n"
                      "score = function(event, player) return player.agg.a * 1000 + player.agg.b * "
                      "100 + player.agg.c * 10 + player.agg.d end");
    world_bet(&w, noon_ms, "{\"s\":1}");
    assert_int_equal(world_total(&w, "r"), 1111);
    world_bet(&w, noon_ms, "{\"s\":1}");
    assert_int_equal(world_total(&w, "r"), 1111 + 2222);
    world_bet(&w, noon_ms, "{\"s\":1}");
    assert_int_equal(world_total(&w, "r"), 1111 + 2222 + 3333);
    world_close(&w);
}

/* Counted before when is asked; a version with the same line goes on with the count. */
static void counted_before_when_and_over_versions(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "aggregates = { n = count('all') }, when = function(event) return "
                      "event.payload.w end,\n"
                      "score = function(event, player) return player.agg.n end");
    world_bet(&w, noon_ms, "{\"w\":false}");
    world_bet(&w, noon_ms, "{\"w\":false}");
    assert_int_equal(world_total(&w, "r"), 0);
    world_bet(&w, noon_ms, "{\"w\":true}");
    assert_int_equal(world_total(&w, "r"), 3);
    world_rule(&w, "return rule { id = 'r', version = '2.0.0', on = 'bet', aggregates = { m = "
                   "count('all') }, score = function(event, player) return player.agg.m end }");
    world_bet(&w, noon_ms, "{}");
    assert_int_equal(world_total(&w, "r"), 7);
    world_close(&w);
}

static void what_can_be_summed(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        const char *sum;
    } rows[] = {
        {"{\"s\":0.1}", "0.100000"},
        {"{\"s\":\"0.20\"}", "0.300000"},
        {"{\"s\":true}", "0.300000"},
        {"{\"s\":null}", "0.300000"},
        {"{\"s\":\"x\"}", "0.300000"},
        {"{\"s\":[1]}", "0.300000"},
        {"{}", "0.300000"},
        {"{\"s\":0.0000009}", "0.300000"}, /* under the scale: cut */
        {"{\"s\":-0.3}", "0.000000"},
    };
    struct world w;
    world_open(&w);
    world_rule_of(&w, "aggregates = { v = sum('payload.s', 'all') }, grant = function(event, "
                      "player) return badge { name = string.format('%.6f', player.agg.v) } end");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        world_bet(&w, noon_ms, rows[i].payload);
        assert_string_equal(world_task(&w)->reward.label, rows[i].sum);
    }
    world_close(&w);
}

static void last_keeps_its_type(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "aggregates = { l = last('payload.l', 'all') }, grant = function(event, "
                      "player) return badge { name = type(player.agg.l) .. ' ' .. "
                      "tostring(player.agg.l) } end");
    static const char *const payloads[] = {"{\"l\":\"wolf\"}", "{\"l\":2.5}", "{\"l\":true}",
        "{\"l\":false}", "{\"l\":null}", "{\"l\":{}}", "{}"};
    static const char *const before[] = {"nil nil", "string wolf", "number 2.5", "boolean true",
        "boolean false", "boolean false", "boolean false"};
    for (size_t i = 0; i < 7; i++) {
        world_bet(&w, noon_ms + (int64_t)i, payloads[i]);
        assert_string_equal(world_task(&w)->reward.label, before[i]);
    }
    /* One that comes late does not become the last. */
    world_bet(&w, noon_ms - HOUR_MS, "{\"l\":\"old\"}");
    world_bet(&w, noon_ms + 100, "{}");
    assert_string_equal(world_task(&w)->reward.label, "boolean false");
    world_close(&w);
}

/* Sums saturate; they do not wrap. */
static void sums_do_not_wrap(void **state)
{
    (void)state;
    struct rwd_player_rule rule = {0};
    const struct rwd_aggregate_update update = {
        .key = 1, .operation = RWD_AGGREGATE_SUM, .window = RWD_WINDOW_ALL, .value = INT64_MAX - 1};
    rwd_aggregate_apply(&rule, &update, noon_ms);
    rwd_aggregate_apply(&rule, &update, noon_ms);
    assert_int_equal(rule.aggregates[0].value, INT64_MAX);
    rwd_free(rule.aggregates);
}

/* The first week of 1970 has no week before it. */
static void the_first_days_of_time(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "aggregates = { n = count('7d') }, score = function(event, player) return "
                      "player.agg.n end");
    world_bet(&w, HOUR_MS, "{}");
    world_bet(&w, DAY_MS + HOUR_MS, "{}");
    assert_int_equal(world_total(&w, "r"), 3);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_over_every_window),
        cmocka_unit_test(the_same_line_under_two_names),
        cmocka_unit_test(counted_before_when_and_over_versions),
        cmocka_unit_test(what_can_be_summed),
        cmocka_unit_test(last_keeps_its_type),
        cmocka_unit_test(sums_do_not_wrap),
        cmocka_unit_test(the_first_days_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
