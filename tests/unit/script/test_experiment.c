/*
 * experiment{...} as data, its mistakes, and what a rule sees of it: player.arm and by_arm.
 */
#include "support.h"

#include "domain/experiment.h"

#include <math.h>

#define HEAD "return experiment { key = 'ab_2025w45', version = '1.2.0',\n"
#define ARMS "arms = { control = 50, treatment = 50 },\n"
#define METRICS "metrics = { primary = { event = 'deposit' } },\n"

static void every_field_is_read(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    assert_loads(
        try_rule(&f,
            HEAD "title = 'Double points', owner = 'growth', unit = 'user',\n"
                 "active = { from = '2025-11-01T00:00:00Z', to = '2025-12-01T00:00:00Z' },\n"
                 "eligible = { geo = { 'TR', 'BR' }, payer = true },\n"
                 "arms = { zeta = 20, control = 60, alpha = 20 }, coverage = 80, holdout = 5,\n"
                 "group = { name = 'season', from = 25, to = 75 },\n"
                 "strata = { 'payer', 'platform' },\n"
                 "metrics = { primary = { event = 'bet', sum = 'payload.win', per = 'payload.bet' "
                 "},\n"
                 "  guardrails = { { event = 'refund', name = 'refunds' },\n"
                 "                 { event = 'deposit', sum = 'payload.amount' } } } }"),
        f.error);
    const struct rwd_rule *rule = f.rule;
    const struct rwd_experiment *experiment = rule->declares;
    assert_non_null(experiment);
    assert_string_equal(rule->id, "experiments/ab_2025w45");
    assert_string_equal(rule->version, "1.2.0");
    assert_int_equal(rule->on_count, 0);
    assert_int_equal(rule->where.geo_count, 2);
    assert_int_equal(rule->where.payer, RWD_YES);
    assert_true(rule->active_to_ms > rule->active_from_ms && rule->active_from_ms > 0);
    assert_string_equal(experiment->key, "ab_2025w45");
    assert_int_equal(experiment->arm_count, 3);
    assert_string_equal(experiment->arms[0].name, "control");
    assert_string_equal(experiment->arms[1].name, "alpha");
    assert_string_equal(experiment->arms[2].name, "zeta");
    assert_true(fabs(experiment->arms[0].weight - 0.6) < 1e-12);
    assert_true(experiment->coverage == 0.8 && experiment->holdout == 0.05);
    assert_string_equal(experiment->group, "season");
    assert_true(experiment->group_begin == 0.25 && experiment->group_end == 0.75);
    assert_true(experiment->by_payer && experiment->by_platform && !experiment->by_geo);
    assert_int_equal(experiment->primary.kind, RWD_METRIC_RATIO);
    assert_string_equal(experiment->primary.per_path, "payload.bet");
    assert_int_equal(experiment->guardrail_count, 2);
    assert_string_equal(experiment->guardrails[0].name, "refunds");
    assert_int_equal(experiment->guardrails[0].kind, RWD_METRIC_CONVERSION);
    assert_int_equal(experiment->guardrails[1].kind, RWD_METRIC_MEAN);
    close_fixture(&f);
}

static void what_is_left_out_has_a_default(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    assert_loads(try_rule(&f, HEAD ARMS METRICS "group = 'season' }"), f.error);
    const struct rwd_experiment *experiment = f.rule->declares;
    assert_true(experiment->coverage == 1 && experiment->holdout == 0);
    assert_true(experiment->group_begin == 0 && experiment->group_end == 1);
    assert_string_equal(experiment->primary.name, "deposit");
    assert_int_equal(f.rule->active_to_ms, INT64_MAX);
    close_fixture(&f);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        const char *told;
    } mistakes[] = {
        {HEAD METRICS "}", "r.lua:1: arms: is missing"},
        {HEAD ARMS "}", "r.lua:1: metrics: is missing"},
        {HEAD "arms = { control = 1 },\n" METRICS "}",
            "r.lua:2: arms: must be two or more, like { control = 50, treatment = 50 }"},
        {HEAD "arms = { control = 1, otherwise = 1 },\n" METRICS "}",
            "r.lua:2: arms.otherwise: is what by_arm calls those in no arm"},
        {HEAD "arms = { control = 1, holdout = 1 },\n" METRICS "}",
            "r.lua:2: arms.holdout: is what results call those that holdout keeps out"},
        {HEAD "arms = { control = 1, ['A B'] = 1 },\n" METRICS "}", "r.lua:2: arms: 'A B' is no"},
        {HEAD "arms = { control = 1, b = 0.5 },\n" METRICS "}",
            "r.lua:2: arms.b: must be a whole number from 0 to 1000000"},
        {HEAD ARMS METRICS "unit = 'session' }", "unit: must be \"user\""},
        {HEAD ARMS METRICS "holdout = 51 }", "holdout: must be a whole number from 0 to 50"},
        {HEAD ARMS METRICS "strata = 'age' }", "strata: must be of \"payer\", \"geo\""},
        {HEAD ARMS METRICS "group = { name = 'g', from = 50, to = 50 } }",
            "group.to: must be more than from"},
        {HEAD ARMS METRICS "weights = 5 }", "weights: unknown field"},
        {HEAD ARMS "metrics = { primary = { event = 'bet', per = 'payload.bet' } } }",
            "primary.per: needs sum"},
        {HEAD ARMS "metrics = { primary = { sum = 'payload.bet' } } }",
            "primary.event: is missing"},
        {HEAD ARMS METRICS "on = 'bet' }", "on: unknown field"},
        {"local e = " ARMS "return 1", "r.lua:"},
    };
    struct fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        assert_int_equal(try_rule(&f, mistakes[i].source), RWD_SCRIPT);
        if (strstr(f.error.text, mistakes[i].told) == NULL) {
            fail_msg("%s: not %s", f.error.text, mistakes[i].told);
        }
    }
    close_fixture(&f);
}

static struct rwd_text arm_of(void *context, struct rwd_text experiment)
{
    assert_true(rwd_text_is(experiment, "ab"));
    return rwd_text_of(context);
}

static uint64_t score_in(struct fixture *f, const char *arm)
{
    uint64_t points = 0;
    f->call.arm = arm_of;
    f->call.arm_context = (void *)arm;
    if (rwd_sandbox_score(f->sandbox, &f->call, &points, &f->error) != RWD_OK) {
        return UINT64_MAX;
    }
    return points;
}

#define RULE "return rule { id = 'r', version = '1.0.0', on = 'bet', experiment = 'ab',\n"

static void by_arm_takes_the_part_of_the_arm(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    open_rule(&f, RULE "score = by_arm { control = 1, treatment = function(event, player)\n"
                       "return 10 * event.payload.bet + #player.segments end } }");
    assert_int_equal(score_in(&f, "control"), 1);
    assert_int_equal(score_in(&f, "treatment"), 7);
    assert_int_equal(score_in(&f, ""), 1); /* in no arm: the control's */
    assert_int_equal(score_in(&f, "third"), UINT64_MAX);
    assert_non_null(strstr(f.error.text, "by_arm has nothing for the arm 'third'"));
    open_rule(&f, RULE "score = by_arm { treatment = 3, otherwise = 4 } }");
    assert_int_equal(score_in(&f, "treatment"), 3);
    assert_int_equal(score_in(&f, "third"), 4);
    assert_int_equal(score_in(&f, ""), 4);
    open_rule(&f, RULE "when = by_arm { control = false, treatment = true },\n"
                       "score = function(event, player)\n"
                       "return player.arm('ab') == player:arm() and 5 or 6 end }");
    bool holds = true;
    f.call.arm_context = (void *)"control";
    assert_int_equal(rwd_sandbox_when(f.sandbox, &f.call, &holds, &f.error), RWD_OK);
    assert_false(holds);
    f.call.arm_context = (void *)"treatment";
    assert_int_equal(rwd_sandbox_when(f.sandbox, &f.call, &holds, &f.error), RWD_OK);
    assert_true(holds);
    assert_int_equal(score_in(&f, "treatment"), 5);
    close_fixture(&f);
}

/* What hangs in by_arm is reached from outside like any table: nothing is kept between calls. */
static void by_arm_keeps_nothing_between_calls(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    open_rule(&f, "local seen = {}\n" RULE "score = by_arm { control = function()\n"
                  "seen[1] = 1 return 1 end } }");
    assert_int_equal(score_in(&f, "control"), UINT64_MAX);
    assert_non_null(strstr(f.error.text, "this table is read-only"));
    assert_int_equal(try_rule(&f, "local seen = 0\n" RULE "score = by_arm { control = function()\n"
                                  "seen = seen + 1 return seen end } }"),
        RWD_SCRIPT);
    open_rule(&f, "local parts = { control = 1, treatment = 2 }\n" RULE
                  "score = function(event, player) return 1 end, when = by_arm(parts) }");
    close_fixture(&f);
}

static void a_rule_asks_for_its_own_experiment_only(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    open_rule(
        &f, RULE "score = function(event, player)\nlocal arm = player.arm('cd') return 1 end }");
    assert_int_equal(score_in(&f, "control"), UINT64_MAX);
    assert_non_null(strstr(f.error.text, "r.lua:3: player.arm: the rule must name its experiment"));
    assert_int_equal(try_rule(&f, "return rule { id = 'r', version = '1.0.0', on = 'bet',\n"
                                  "score = by_arm { control = 1 } }"),
        RWD_SCRIPT);
    assert_non_null(strstr(f.error.text, "experiment: must be named"));
    assert_int_equal(try_rule(&f, RULE "score = by_arm { treatment = 1 } }"), RWD_SCRIPT);
    assert_non_null(strstr(f.error.text, "by_arm needs control or otherwise"));
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(what_is_left_out_has_a_default),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(by_arm_takes_the_part_of_the_arm),
        cmocka_unit_test(by_arm_keeps_nothing_between_calls),
        cmocka_unit_test(a_rule_asks_for_its_own_experiment_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
