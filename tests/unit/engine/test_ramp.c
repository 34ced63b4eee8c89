/* When a canary's share grows by itself, and what holds it or takes it back. */
#include "engine/ramp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { HOUR = 3600 * 1000 };

static struct rwd_ramp plan(void)
{
    static const int64_t steps[] = {10, 50, 100};
    struct rwd_ramp ramp;
    struct rwd_error error;
    assert_int_equal(rwd_ramp_plan(steps, 3, 2 * (int64_t)HOUR, &ramp, &error), RWD_OK);
    ramp.since_ms = 1000;
    return ramp;
}

/* Two versions that do the same: at 10 per cent one has a ninth of the other's. */
static const struct rwd_ramp_side canary_side = {.calls = 1000,
    .errors = 10,
    .cost_p99_ns = 50000,
    .users = 100,
    .tasks = 100,
    .tasks_held = 5,
    .money_minor = 1000};
static const struct rwd_ramp_side base_side = {.calls = 9000,
    .errors = 0,
    .cost_p99_ns = 30000,
    .users = 900,
    .tasks = 900,
    .tasks_held = 45,
    .money_minor = 9000};

static enum rwd_ramp_verdict judge(
    const struct rwd_ramp *ramp, const struct rwd_ramp_side *canary, int64_t after_ms, char *why)
{
    why[0] = '\0';
    return rwd_ramp_judge(ramp, canary, &base_side, ramp->since_ms + after_ms, why);
}

static void plans_are_checked(void **state)
{
    (void)state;
    static const struct {
        int64_t steps[3];
        size_t count;
        int64_t every_ms;
    } bad[] = {{{10}, 0, HOUR}, {{0, 50}, 2, HOUR}, {{10, 10}, 2, HOUR}, {{50, 10}, 2, HOUR},
        {{10, 101}, 2, HOUR}, {{-5, 10}, 2, HOUR}, {{10, 100}, 2, RWD_RAMP_EVERY_MS_MIN - 1}};
    struct rwd_ramp ramp;
    struct rwd_error error;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(
            rwd_ramp_plan(bad[i].steps, bad[i].count, bad[i].every_ms, &ramp, &error), RWD_INVALID);
    }
    int64_t many[RWD_RAMP_STEP_COUNT_MAX + 1];
    for (int i = 0; i <= RWD_RAMP_STEP_COUNT_MAX; i++) {
        many[i] = i + 1;
    }
    assert_int_equal(
        rwd_ramp_plan(many, RWD_RAMP_STEP_COUNT_MAX + 1, HOUR, &ramp, &error), RWD_INVALID);
    assert_int_equal(rwd_ramp_plan(many, RWD_RAMP_STEP_COUNT_MAX, HOUR, &ramp, &error), RWD_OK);
}

static void it_grows_when_its_time_has_come(void **state)
{
    (void)state;
    struct rwd_ramp ramp = plan();
    char why[RWD_RAMP_WHY_SIZE_MAX];
    assert_int_equal(judge(&ramp, &canary_side, 0, why), RWD_RAMP_WAIT);
    assert_int_equal(judge(&ramp, &canary_side, 2 * (int64_t)HOUR - 1, why), RWD_RAMP_WAIT);
    assert_int_equal(judge(&ramp, &canary_side, 2 * (int64_t)HOUR, why), RWD_RAMP_GROW);
    /* Of too little seen nothing is known, good or bad. */
    struct rwd_ramp_side few = canary_side;
    few.calls = 99;
    few.errors = 99;
    assert_int_equal(judge(&ramp, &few, 5 * (int64_t)HOUR, why), RWD_RAMP_WAIT);
    ramp.guards.call_count_min = 99;
    assert_int_equal(judge(&ramp, &few, 0, why), RWD_RAMP_ROLL_BACK);
    for (int i = RWD_RAMP_DONE; i <= RWD_RAMP_STOPPED; i++) {
        ramp = plan();
        ramp.state = (enum rwd_ramp_state)i;
        assert_int_equal(judge(&ramp, &canary_side, 9 * (int64_t)HOUR, why), RWD_RAMP_WAIT);
    }
}

static void each_guard_has_its_verdict(void **state)
{
    (void)state;
    static const struct {
        struct rwd_ramp_side canary;
        enum rwd_ramp_verdict verdict;
        const char *why;
    } cases[] = {
        {{.calls = 1000, .errors = 10, .users = 100, .tasks = 100, .money_minor = 1000},
            RWD_RAMP_WAIT, ""},
        {{.calls = 1000, .errors = 11, .users = 100}, RWD_RAMP_ROLL_BACK, "errors"},
        {{.calls = 1000, .users = 100, .tasks = 100, .money_minor = 1500}, RWD_RAMP_WAIT, ""},
        {{.calls = 1000, .users = 100, .tasks = 100, .money_minor = 1501}, RWD_RAMP_ROLL_BACK,
            "money"},
        {{.calls = 1000, .users = 100, .tasks = RWD_RAMP_TASK_COUNT_MIN - 1, .money_minor = 99999},
            RWD_RAMP_WAIT, ""},
        {{.calls = 1000, .users = 100, .cost_p99_ns = 60000}, RWD_RAMP_WAIT, ""},
        {{.calls = 1000, .users = 100, .cost_p99_ns = 60001}, RWD_RAMP_HOLD, "cost"},
        {{.calls = 1000, .users = 100, .tasks = 100, .tasks_held = 15}, RWD_RAMP_WAIT, ""},
        {{.calls = 1000, .users = 100, .tasks = 100, .tasks_held = 16}, RWD_RAMP_HOLD, "held"},
        /* scipy.stats.chisquare of these and 900 others: p = 0.00110, 0.00079, 0.00103, 0.00072 */
        {{.calls = 1000, .users = 135}, RWD_RAMP_WAIT, ""},
        {{.calls = 1000, .users = 136}, RWD_RAMP_HOLD,
            "srm: 136 of 1036 players seen have it, 104 were to (p = 0.00079)"},
        {{.calls = 1000, .users = 66}, RWD_RAMP_WAIT, ""},
        {{.calls = 1000, .users = 65}, RWD_RAMP_HOLD, "srm"},
        {{.calls = 1000, .users = 0}, RWD_RAMP_HOLD, "srm"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[RWD_RAMP_WHY_SIZE_MAX];
        struct rwd_ramp ramp = plan();
        if (judge(&ramp, &cases[i].canary, HOUR, why) != cases[i].verdict ||
            strncmp(why, cases[i].why, strlen(cases[i].why)) != 0) {
            fail_msg("case %zu: %s", i, why);
        }
        /* One that is held is held no further, but still taken back. */
        ramp.state = RWD_RAMP_HELD;
        assert_int_equal(judge(&ramp, &cases[i].canary, 9 * (int64_t)HOUR, why),
            cases[i].verdict == RWD_RAMP_ROLL_BACK ? RWD_RAMP_ROLL_BACK : RWD_RAMP_WAIT);
        /* Guards that are off say nothing. */
        ramp = plan();
        ramp.guards = (struct rwd_ramp_guards){0};
        assert_int_equal(judge(&ramp, &cases[i].canary, HOUR, why), RWD_RAMP_WAIT);
    }
}

/* At the same share the same money per player is fine, whatever the share is. */
static void money_is_of_players_and_hours(void **state)
{
    (void)state;
    struct rwd_ramp ramp = plan();
    char why[RWD_RAMP_WHY_SIZE_MAX];
    struct rwd_ramp_side canary = {.calls = 1000, .tasks = 50, .money_minor = 9000};
    struct rwd_ramp_side base = {.calls = 1000, .tasks = 50, .money_minor = 9000};
    assert_int_equal(
        rwd_ramp_judge(&ramp, &canary, &base, ramp.since_ms + HOUR, why), RWD_RAMP_ROLL_BACK);
    ramp.step = 1;
    assert_int_equal(
        rwd_ramp_judge(&ramp, &canary, &base, ramp.since_ms + HOUR, why), RWD_RAMP_WAIT);
    /* Where the other gives nothing any money is more; where there is none, nothing is compared. */
    base.money_minor = 0;
    assert_int_equal(
        rwd_ramp_judge(&ramp, &canary, &base, ramp.since_ms + HOUR, why), RWD_RAMP_ROLL_BACK);
    assert_int_equal(
        rwd_ramp_judge(&ramp, &canary, NULL, ramp.since_ms + HOUR, why), RWD_RAMP_WAIT);
}

static void text_is_exact(void **state)
{
    (void)state;
    struct rwd_ramp ramp = plan();
    struct rwd_ramp read;
    struct rwd_buffer text = {0};
    ramp.state = RWD_RAMP_HELD;
    ramp.step = 2;
    ramp.guards.srm = false;
    ramp.guards.held_points_max = 0;
    (void)strncpy(ramp.why, "cost: \"too much\" \\ of it", sizeof ramp.why - 1);
    rwd_ramp_encode(&ramp, &text);
    assert_int_equal(rwd_ramp_decode(rwd_buffer_text(&text), &read), RWD_OK);
    struct rwd_buffer again = {0};
    rwd_ramp_encode(&read, &again);
    assert_true(rwd_text_equal(rwd_buffer_text(&text), rwd_buffer_text(&again)));
    assert_int_equal(read.state, RWD_RAMP_HELD);
    assert_int_equal(read.step, 2);
    assert_int_equal(read.steps[1], 50);
    assert_false(read.guards.srm);
    assert_string_equal(read.why, ramp.why);
    for (size_t cut = 1; cut < text.size; cut++) {
        assert_int_equal(
            rwd_ramp_decode((struct rwd_text){.data = text.data, .size = cut}, &read), RWD_CORRUPT);
    }
    assert_int_equal(rwd_ramp_decode(RWD_TEXT("{}"), &read), RWD_CORRUPT);
    assert_int_equal(rwd_ramp_decode((struct rwd_text){0}, &read), RWD_OK);
    assert_int_equal(read.state, RWD_RAMP_NONE);
    text.size = 0;
    rwd_ramp_encode(&read, &text);
    assert_int_equal(text.size, 0);
    rwd_buffer_finish(&text);
    rwd_buffer_finish(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_are_checked),
        cmocka_unit_test(it_grows_when_its_time_has_come),
        cmocka_unit_test(each_guard_has_its_verdict),
        cmocka_unit_test(money_is_of_players_and_hours),
        cmocka_unit_test(text_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
