/* A backtest on a folder of rules and a file of lines made here. The journal, and equality with a
 * live daemon, are in tests/integration/test_backtest.py. */
#include "backtest/backtest.h"

#include "../chance.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 256, USER_COUNT = 40, EVENT_COUNT = 6000 };

struct rig {
    char dir[64];
    char lines[PATH_SIZE];
    char rules[PATH_SIZE];
    struct rwd_config *config;
    struct rwd_error error;
};

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void write_rule(const struct rig *rig, const char *id, const char *version, const char *body)
{
    char path[PATH_SIZE * 2];
    char source[2048];
    (void)snprintf(path, sizeof path, "%s/%s", rig->rules, id);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof path, "%s/%s/%s.lua", rig->rules, id, version);
    int size = snprintf(source, sizeof source,
        "return rule { id = '%s', version = '%s', title = 't', owner = 'o', on = { 'bet' },\n"
        "active = { from = '2020-01-01T00:00:00Z', to = '2100-01-01T00:00:00Z' }, %s }\n",
        id, version, body);
    write_file(path, source, (size_t)size);
}

static void put_event(struct rwd_buffer *out, unsigned serial, unsigned user, unsigned bet)
{
    /* Half an hour apart: some four months of days. */
    unsigned minute = serial * 30;
    rwd_buffer_put_format(out,
        "{\"event_id\":\"e%u\",\"event_name\":\"bet\",\"version\":\"1.2.0\","
        "\"ts\":\"2025-0%u-%02uT%02u:%02u:00Z\",\"user\":{\"id\":\"u%u\",\"geo\":\"TR\"},"
        "\"payload\":{\"bet\":%u,\"currency\":\"EUR\"}}\n",
        serial, minute / 40320 + 1, minute / 1440 % 28 + 1, minute / 60 % 24, minute % 60, user,
        bet);
}

static int open_rig(void **state)
{
    struct rig *rig = rwd_new(sizeof *rig);
    (void)snprintf(rig->dir, sizeof rig->dir, "/tmp/rwd_backtest_XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    (void)snprintf(rig->lines, sizeof rig->lines, "%s/lines.ndjson", rig->dir);
    (void)snprintf(rig->rules, sizeof rig->rules, "%s/rules", rig->dir);
    assert_int_equal(mkdir(rig->rules, 0700), 0);
    char conf[PATH_SIZE];
    (void)snprintf(conf, sizeof conf, "%s/engine.conf", rig->dir);
    static const char text[] =
        "price \"freespins\" { cost = \"0.10\" currency = \"EUR\" }\n"
        "budget \"daily\" { currency = \"EUR\" period = \"day\" hard_cap = \"9.00\" "
        "soft_cap = \"9.00\" }\n"
        "budget \"season\" { currency = \"EUR\" period = \"season\" hard_cap = \"300.00\" "
        "soft_cap = \"100.00\" }\n"
        "gates { large_reward = \"1.00\" }\n";
    write_file(conf, text, sizeof text - 1);
    if (rwd_config_load(conf, NULL, 0, &rig->config, &rig->error) != RWD_OK) {
        fail_msg("%s", rig->error.text);
    }
    write_rule(rig, "spins", "1.0.0",
        "grant = function(event) if event.payload.bet > 3 then return freespins { count = "
        "event.payload.bet, game = 'g' } end end, guards = { kyc_min_level = 0, budget = 'daily' "
        "}");
    write_rule(rig, "spins", "2.0.0",
        "score = function(event) return event.payload.bet end, caps = { per_day = 15 },\n"
        "milestones = { { at = 100, reward = freespins { count = 20, game = 'g' } },\n"
        "{ at = 300, reward = freespins { count = 15, game = 'g' } } },\n"
        "guards = { kyc_min_level = 0, budget = 'season' }");
    write_rule(rig, "other", "1.0.0",
        "grant = function(event) if event.payload.bet == 9 then return freespins { count = 12, "
        "game = 'g' } end end, guards = { kyc_min_level = 0, budget = 'season' }");
    *state = rig;
    return 0;
}

static int close_rig(void **state)
{
    struct rig *rig = *state;
    char command[PATH_SIZE];
    rwd_config_destroy(rig->config);
    static const char *const files[] = {"lines.ndjson", "engine.conf", "rules/spins/1.0.0.lua",
        "rules/spins/2.0.0.lua", "rules/spins/3.0.0.lua", "rules/other/1.0.0.lua"};
    static const char *const folders[] = {"rules/spins", "rules/other", "rules", ""};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(command, sizeof command, "%s/%s", rig->dir, files[i]);
        (void)unlink(command);
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        (void)snprintf(command, sizeof command, "%s/%s", rig->dir, folders[i]);
        assert_int_equal(rmdir(command), 0);
    }
    rwd_free(rig);
    return 0;
}

static void write_lives(const struct rig *rig)
{
    struct chance chance = {7};
    struct rwd_buffer lines = {0};
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        put_event(&lines, i, chance_below(&chance, USER_COUNT), chance_below(&chance, 10));
    }
    write_file(rig->lines, lines.data, lines.size);
    rwd_buffer_finish(&lines);
}

static struct rwd_backtest_options options_of(const struct rig *rig, uint32_t thread_count)
{
    return (struct rwd_backtest_options){.config = rig->config,
        .ndjson_path = rig->lines,
        .rules_dir = rig->rules,
        .rule_id = "spins",
        .version = "1.0.0",
        .against = "2.0.0",
        .since_ms = INT64_MIN,
        .until_ms = INT64_MAX,
        .thread_count = thread_count};
}

static struct rwd_backtest_result *run(struct rig *rig, const struct rwd_backtest_options *options)
{
    struct rwd_backtest_result *result = NULL;
    if (rwd_backtest_run(options, &result, &rig->error) != RWD_OK) {
        fail_msg("%s", rig->error.text);
    }
    return result;
}

static void assert_same_side(const struct rwd_backtest_side *a, const struct rwd_backtest_side *b)
{
    assert_int_equal(a->points, b->points);
    assert_int_equal(a->cost_minor, b->cost_minor);
    assert_memory_equal(a->by_status, b->by_status, sizeof a->by_status);
    assert_memory_equal(a->by_reason, b->by_reason, sizeof a->by_reason);
    assert_memory_equal(a->verdicts, b->verdicts, sizeof a->verdicts);
    assert_int_equal(a->pool_day_count, b->pool_day_count);
    assert_memory_equal(a->pool_days, b->pool_days, a->pool_day_count * sizeof a->pool_days[0]);
    assert_int_equal(a->period_count, b->period_count);
    assert_memory_equal(a->periods, b->periods, a->period_count * sizeof a->periods[0]);
    assert_memory_equal(a->milestones, b->milestones, a->milestone_count * sizeof a->milestones[0]);
    for (size_t i = 0; i < a->pool_count; i++) {
        assert_int_equal(a->pools[i].hard.event_no, b->pools[i].hard.event_no);
        assert_int_equal(a->pools[i].soft.event_no, b->pools[i].soft.event_no);
        assert_string_equal(a->pools[i].hard.event_id, b->pools[i].hard.event_id);
    }
}

/* Daily budgets that are used up every day, a season's that meets both caps: whoever is first gets
 * it, so any disorder between threads would show. */
static void threads_do_not_matter(void **state)
{
    struct rig *rig = *state;
    write_lives(rig);
    struct rwd_backtest_options options = options_of(rig, 1);
    struct rwd_backtest_result *alone = run(rig, &options);
    assert_int_equal(alone->event_count, EVENT_COUNT);
    assert_int_equal(alone->player_count, USER_COUNT);
    assert_int_equal(alone->other_rule_count, 1);
    assert_true(alone->sides[0].by_reason[RWD_REASON_BUDGET_HARD_CAP] > 100);
    assert_true(alone->sides[0].pools[1].hard.there && alone->sides[0].pools[1].soft.there);
    assert_true(alone->sides[1].pools[1].hard.there);
    for (size_t i = 0; i < alone->sides[0].period_count; i++) {
        const struct rwd_backtest_pool_period *period = &alone->sides[0].periods[i];
        int64_t cap_minor = period->pool_no == 1 ? 900 : 30000;
        assert_true(period->sums.reserved_minor + period->sums.spent_minor <= cap_minor);
    }
    static const uint32_t counts[] = {2, 3, 8};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        options.thread_count = counts[i];
        struct rwd_backtest_result *split = run(rig, &options);
        for (size_t side = 0; side < 2; side++) {
            assert_same_side(&alone->sides[side], &split->sides[side]);
        }
        assert_int_equal(alone->winner_count, split->winner_count);
        assert_int_equal(alone->loser_count, split->loser_count);
        assert_memory_equal(alone->winners, split->winners, sizeof alone->winners);
        assert_memory_equal(alone->losers, split->losers, sizeof alone->losers);
        rwd_backtest_result_free(split);
    }
    rwd_backtest_result_free(alone);
}

static void sums_follow_from_their_parts(void **state)
{
    struct rig *rig = *state;
    write_lives(rig);
    struct rwd_backtest_options options = options_of(rig, 2);
    struct rwd_backtest_result *result = run(rig, &options);
    for (size_t i = 0; i < 2; i++) {
        const struct rwd_backtest_side *side = &result->sides[i];
        uint64_t verdicts = 0;
        uint64_t players = 0;
        uint64_t rewards = 0;
        int64_t cost_minor = 0;
        for (size_t v = 0; v < RWD_RULE_VERDICT_COUNT; v++) {
            verdicts += side->verdicts[v];
        }
        for (size_t b = 0; b < side->bar_count; b++) {
            players += side->bars[b].player_count;
        }
        for (size_t d = 0; d < side->pool_day_count; d++) {
            cost_minor += side->pool_days[d].rule_cost_minor;
        }
        for (size_t s = 0; s < RWD_TASK_STATUS_COUNT; s++) {
            rewards += side->by_status[s];
        }
        assert_int_equal(verdicts, EVENT_COUNT);
        assert_int_equal(cost_minor, side->cost_minor);
        assert_int_equal(rewards, side->reward_count);
        assert_int_equal(players, side->points > 0 ? USER_COUNT : 0);
    }
    assert_int_equal(result->winner_count + result->loser_count + result->same_count, USER_COUNT);
    assert_true(result->sides[1].milestones[0].fired_count > 0);
    rwd_backtest_result_free(result);
}

static void alone_is_without_the_others(void **state)
{
    struct rig *rig = *state;
    write_lives(rig);
    struct rwd_backtest_options options = options_of(rig, 2);
    options.alone = true;
    options.against = NULL;
    struct rwd_backtest_result *result = run(rig, &options);
    assert_int_equal(result->side_count, 1);
    assert_int_equal(result->other_rule_count, 0);
    for (size_t i = 0; i < result->sides[0].pool_day_count; i++) {
        const struct rwd_backtest_pool_day *day = &result->sides[0].pool_days[i];
        assert_int_equal(day->pool_no, 1);
        assert_int_equal(day->cost_minor, day->rule_cost_minor);
    }
    rwd_backtest_result_free(result);
}

static void failures_of_the_rule_are_counted(void **state)
{
    struct rig *rig = *state;
    write_lives(rig);
    write_rule(rig, "spins", "3.0.0",
        "score = function(event) if event.payload.bet == 4 then error('four') end return 1 end");
    struct rwd_backtest_options options = options_of(rig, 1);
    options.version = "3.0.0";
    options.against = NULL;
    struct rwd_backtest_result *one = run(rig, &options);
    options.thread_count = 3;
    struct rwd_backtest_result *three = run(rig, &options);
    const struct rwd_backtest_side *side = &one->sides[0];
    assert_true(side->error_count > 100);
    assert_int_equal(side->error_count, side->verdicts[RWD_RULE_ERROR]);
    assert_int_equal(side->error_count + side->points, EVENT_COUNT);
    assert_non_null(strstr(side->first_error.text, "four"));
    assert_int_equal(three->sides[0].error_count, side->error_count);
    assert_int_equal(three->sides[0].first_error_no, side->first_error_no);
    rwd_backtest_result_free(one);
    rwd_backtest_result_free(three);
}

/* Three seconds apart; each comes up to `late_s` seconds after its time. */
static void write_busy_hours(const struct rig *rig, unsigned late_s)
{
    struct chance chance = {8};
    struct chance shuffle = {9};
    struct rwd_buffer lines = {0};
    static unsigned order[EVENT_COUNT];
    static unsigned arrival_s[EVENT_COUNT];
    static unsigned users[EVENT_COUNT];
    static unsigned bets[EVENT_COUNT];
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        users[i] = chance_below(&chance, USER_COUNT);
        bets[i] = chance_below(&chance, 10);
        arrival_s[i] = 3 * i + chance_below(&shuffle, late_s + 1);
        unsigned at = i;
        for (; at > 0 && arrival_s[order[at - 1]] > arrival_s[i]; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        unsigned no = order[i];
        rwd_buffer_put_format(&lines,
            "{\"event_id\":\"e%u\",\"event_name\":\"bet\",\"version\":\"1.2.0\","
            "\"ts\":\"2025-01-02T%02u:%02u:%02uZ\",\"user\":{\"id\":\"u%u\",\"geo\":\"TR\"},"
            "\"payload\":{\"bet\":%u,\"currency\":\"EUR\"}}\n",
            no, no / 1200, no / 20 % 60, no * 3 % 60, users[no], bets[no]);
    }
    write_file(rig->lines, lines.data, lines.size);
    rwd_buffer_finish(&lines);
}

/* The rule sees each player's events in order, however the file has them; every event is decided in
 * the end, and money is asked for in one order, however many threads there are. */
static void event_time_does_not_see_the_shuffle(void **state)
{
    struct rig *rig = *state;
    write_rule(rig, "spins", "3.0.0",
        "order = 'event_time', state = { n = 0 }, score = function(event, player, state)\n"
        "state.n = state.n + 1 return event.payload.bet * (state.n % 5) end,\n"
        "milestones = { { at = 60, reward = freespins { count = 20, game = 'g' } },\n"
        "{ at = 150, reward = freespins { count = 90, game = 'g' } } },\n"
        "guards = { kyc_min_level = 0, budget = 'season' }");
    struct rwd_backtest_options options = options_of(rig, 1);
    options.version = "3.0.0";
    options.against = NULL;
    write_busy_hours(rig, 0);
    struct rwd_backtest_result *sorted = run(rig, &options);
    write_busy_hours(rig, 60);
    struct rwd_backtest_result *shuffled = run(rig, &options);
    const struct rwd_backtest_side *side = &shuffled->sides[0];
    uint64_t verdicts = 0;
    for (size_t v = 0; v < RWD_RULE_VERDICT_COUNT; v++) {
        verdicts += side->verdicts[v];
    }
    assert_int_equal(verdicts, EVENT_COUNT);
    assert_int_equal(side->verdicts[RWD_RULE_WAITING], 0);
    assert_int_equal(shuffled->late_count, 0);
    assert_true(side->points > EVENT_COUNT / 2);
    assert_int_equal(side->points, sorted->sides[0].points);
    assert_memory_equal(side->verdicts, sorted->sides[0].verdicts, sizeof side->verdicts);
    assert_int_equal(side->milestones[0].fired_count, sorted->sides[0].milestones[0].fired_count);
    assert_true(side->pools[1].hard.there);
    static const uint32_t counts[] = {2, 3, 8};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        options.thread_count = counts[i];
        struct rwd_backtest_result *split = run(rig, &options);
        assert_same_side(side, &split->sides[0]);
        assert_memory_equal(shuffled->winners, split->winners, sizeof split->winners);
        rwd_backtest_result_free(split);
    }
    rwd_backtest_result_free(sorted);
    rwd_backtest_result_free(shuffled);
}

static void expect_error(struct rig *rig, const struct rwd_backtest_options *options,
    enum rwd_status status, const char *words)
{
    struct rwd_backtest_result *result = NULL;
    assert_int_equal(rwd_backtest_run(options, &result, &rig->error), status);
    assert_null(result);
    if (strstr(rig->error.text, words) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", words, rig->error.text);
    }
}

static void errors_say_what_to_do(void **state)
{
    struct rig *rig = *state;
    write_lives(rig);
    struct rwd_backtest_options options = options_of(rig, 2);
    options.version = "4.0.0";
    expect_error(rig, &options, RWD_NOT_FOUND, "there are: 1.0.0, 2.0.0");
    options = options_of(rig, 2);
    options.until_ms = 1000;
    expect_error(rig, &options, RWD_NOT_FOUND, "there are events from 2025-01-01T00:00:00Z to");
    options = options_of(rig, 2);
    options.ndjson_path = rig->dir;
    expect_error(rig, &options, RWD_UNAVAILABLE, "is a folder");
    options.journal_dir = rig->dir;
    options.ndjson_path = NULL;
    expect_error(rig, &options, RWD_NOT_FOUND, "journal");
    write_rule(rig, "other", "1.0.0", "score = 5");
    options = options_of(rig, 2);
    expect_error(rig, &options, RWD_SCRIPT, "other/1.0.0.lua:");
}

/* Deep in the file, so that workers are in the middle of blocks when the run ends. */
static void a_bad_line_ends_the_run(void **state)
{
    struct rig *rig = *state;
    struct rwd_buffer lines = {0};
    for (unsigned i = 0; i < 5000; i++) {
        put_event(&lines, i, i % 7, i % 10);
    }
    rwd_buffer_put_string(&lines, "\n{\"event_id\":\"x\"}\n");
    write_file(rig->lines, lines.data, lines.size);
    rwd_buffer_finish(&lines);
    struct rwd_backtest_options options = options_of(rig, 3);
    expect_error(rig, &options, RWD_INVALID, "lines.ndjson:5002: ");
}

/* Blocks that are handed on for their size, again and again. */
static void large_events_go_through(void **state)
{
    struct rig *rig = *state;
    struct rwd_buffer lines = {0};
    for (unsigned i = 0; i < 5000; i++) {
        put_event(&lines, i, i % 7, 9);
        lines.size -= 3; /* "}}" and the line's end */
        rwd_buffer_put_string(&lines, ",\"note\":\"");
        for (unsigned n = 0; n < 300; n++) {
            rwd_buffer_put_string(&lines, "0123456789abcdef0123456789");
        }
        rwd_buffer_put_string(&lines, "\"}}\n");
    }
    write_file(rig->lines, lines.data, lines.size);
    rwd_buffer_finish(&lines);
    struct rwd_backtest_options options = options_of(rig, 2);
    struct rwd_backtest_result *result = run(rig, &options);
    assert_int_equal(result->event_count, 5000);
    rwd_backtest_result_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_do_not_matter, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(sums_follow_from_their_parts, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(alone_is_without_the_others, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(failures_of_the_rule_are_counted, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(event_time_does_not_see_the_shuffle, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(errors_say_what_to_do, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(a_bad_line_ends_the_run, open_rig, close_rig),
        cmocka_unit_test_setup_teardown(large_events_go_through, open_rig, close_rig),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
