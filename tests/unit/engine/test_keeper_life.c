/* The ways of a version from state to state, and what a restart finds. */
#include "engine/keeper_life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct table {
    struct rwd_keeper_versions versions;
    struct rwd_keeper_cause cause;
    struct rwd_error error;
};

#define RULE                                                                                       \
    "return rule { id = 'r', version = '%u.0.0', on = 'bet', score = function() return 1 end }"
#define FORMULA "return formula { id = 'f', version = '%u.0.0', compute = function() return 1 end }"
#define EXPERIMENT                                                                                 \
    "return experiment { key = 'ab', version = '%u.0.0', arms = { control = 1, treatment = 1 }, "  \
    "metrics = { primary = { event = 'bet' } } }"

/* Versions 1.0.0 .. of what form makes, drafts. */
static void table_open_of(struct table *table, unsigned count, const char *form)
{
    *table = (struct table){
        .cause = {.actor = RWD_TEXT("ann"), .reason = RWD_TEXT("why"), .now_ms = 1000}};
    const struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    for (unsigned i = 0; i < count; i++) {
        struct rwd_buffer text = {0};
        struct rwd_rule *rule = NULL;
        const char *number = strchr(form, '%');
        rwd_buffer_put(&text, form, (size_t)(number - form));
        rwd_buffer_put_format(&text, "%u%s", i + 1, number + 2);
        const char *source = rwd_buffer_c_string(&text);
        assert_int_equal(
            rwd_rule_load(rwd_text_of(source), "r.lua", &limits, &rule, &table->error), RWD_OK);
        (void)rwd_keeper_version_add(&table->versions, &rule, rwd_text_of(source), "r.lua", 10 + i);
        rwd_buffer_finish(&text);
    }
}

static void table_open(struct table *table, unsigned count)
{
    table_open_of(table, count, RULE);
}

static void table_close(struct table *table)
{
    rwd_keeper_versions_finish(&table->versions);
}

static struct rwd_keeper_version *at(struct table *table, unsigned number)
{
    return &table->versions.all[number - 1];
}

static enum rwd_status activate(struct table *table, unsigned number, uint32_t share)
{
    table->cause.now_ms++;
    return rwd_keeper_activate(
        &table->versions, at(table, number), share, &table->cause, &table->error);
}

static void assert_state(
    struct table *table, unsigned number, enum rwd_keeper_state state, uint32_t share)
{
    const struct rwd_keeper_version *version = at(table, number);
    if (version->state != state || version->share != share) {
        fail_msg("%u.0.0 is %s with %u, expected %s with %u", number,
            rwd_keeper_state_name(version->state), version->share, rwd_keeper_state_name(state),
            share);
    }
}

static struct rwd_ramp plan_of(int64_t first, int64_t second, int64_t third)
{
    const int64_t steps[] = {first, second, third};
    struct rwd_ramp ramp;
    struct rwd_error error;
    assert_int_equal(rwd_ramp_plan(steps, 3, 60000, &ramp, &error), RWD_OK);
    return ramp;
}

static void a_share_grows_and_does_not_shrink(void **state)
{
    (void)state;
    struct table t;
    table_open(&t, 3);
    assert_state(&t, 1, RWD_KEEPER_DRAFT, 0);
    assert_int_equal(activate(&t, 1, 100), RWD_OK);
    assert_int_equal(activate(&t, 2, 10), RWD_OK);
    assert_state(&t, 1, RWD_KEEPER_ACTIVE, 100);
    assert_state(&t, 2, RWD_KEEPER_CANARY, 10);
    assert_int_equal(activate(&t, 2, 50), RWD_OK);
    assert_int_equal(activate(&t, 2, 10), RWD_CONFLICT);
    assert_int_equal(activate(&t, 3, 10), RWD_CONFLICT); /* one canary at a time */
    assert_int_equal(activate(&t, 1, 50), RWD_CONFLICT); /* it has everybody */
    assert_state(&t, 2, RWD_KEEPER_CANARY, 50);
    assert_string_equal(at(&t, 2)->actor, "ann");
    assert_string_equal(at(&t, 2)->reason, "why");
    assert_true(at(&t, 2)->since_ms > at(&t, 1)->since_ms);
    assert_int_equal(activate(&t, 2, 100), RWD_OK);
    assert_state(&t, 1, RWD_KEEPER_RETIRED, 0);
    assert_state(&t, 2, RWD_KEEPER_ACTIVE, 100);
    /* Another for all takes the place of active and canary alike. */
    assert_int_equal(activate(&t, 3, 10), RWD_OK);
    assert_int_equal(activate(&t, 1, 100), RWD_OK);
    assert_state(&t, 1, RWD_KEEPER_ACTIVE, 100);
    assert_state(&t, 2, RWD_KEEPER_RETIRED, 0);
    assert_state(&t, 3, RWD_KEEPER_RETIRED, 0);
    table_close(&t);
}

static enum rwd_status roll_back(struct table *table, unsigned *number)
{
    struct rwd_keeper_version *version = NULL;
    table->cause.now_ms++;
    enum rwd_status status = rwd_keeper_rollback(
        &table->versions, RWD_TEXT("r"), &table->cause, &version, &table->error);
    *number = status == RWD_OK ? version->names.version_no : 0;
    return status;
}

static void rollback_is_one_step(void **state)
{
    (void)state;
    struct table t;
    unsigned number = 0;
    table_open(&t, 3);
    assert_int_equal(activate(&t, 1, 100), RWD_OK);
    assert_int_equal(roll_back(&t, &number), RWD_CONFLICT);
    assert_int_equal(activate(&t, 2, 100), RWD_OK);
    assert_int_equal(activate(&t, 3, 20), RWD_OK);
    assert_int_equal(roll_back(&t, &number), RWD_OK); /* the canary, and nothing else */
    assert_int_equal(number, 2);
    assert_state(&t, 3, RWD_KEEPER_RETIRED, 0);
    assert_int_equal(roll_back(&t, &number), RWD_OK); /* not the canary, which never was active */
    assert_int_equal(number, 1);
    assert_state(&t, 2, RWD_KEEPER_RETIRED, 0);
    assert_int_equal(roll_back(&t, &number), RWD_OK);
    assert_int_equal(number, 2);
    struct rwd_keeper_version *none = NULL;
    assert_int_equal(
        rwd_keeper_rollback(&t.versions, RWD_TEXT("s"), &t.cause, &none, &t.error), RWD_NOT_FOUND);
    table_close(&t);
}

static void a_shadow_is_nobodys_version(void **state)
{
    (void)state;
    struct table t;
    table_open(&t, 3);
    assert_int_equal(activate(&t, 1, 100), RWD_OK);
    assert_int_equal(rwd_keeper_shadow(&t.versions, at(&t, 1), &t.cause, &t.error), RWD_CONFLICT);
    assert_int_equal(rwd_keeper_shadow(&t.versions, at(&t, 2), &t.cause, &t.error), RWD_OK);
    assert_int_equal(rwd_keeper_shadow(&t.versions, at(&t, 3), &t.cause, &t.error), RWD_CONFLICT);
    assert_state(&t, 2, RWD_KEEPER_SHADOW, 0);
    assert_true(rwd_keeper_in_force(at(&t, 2)));
    assert_int_equal(rwd_keeper_role(at(&t, 2)), RWD_RULEBOOK_SHADOW);
    assert_state(&t, 1, RWD_KEEPER_ACTIVE, 100);
    assert_int_equal(activate(&t, 2, 5), RWD_OK); /* it warms up further */
    assert_state(&t, 2, RWD_KEEPER_CANARY, 5);
    table_close(&t);
}

static void only_the_active_one_rests_in_its_place(void **state)
{
    (void)state;
    struct table t;
    table_open(&t, 3);
    assert_int_equal(activate(&t, 1, 100), RWD_OK);
    assert_int_equal(activate(&t, 2, 10), RWD_OK);
    assert_int_equal(rwd_keeper_shadow(&t.versions, at(&t, 3), &t.cause, &t.error), RWD_OK);
    for (unsigned number = 1; number <= 3; number++) {
        assert_true(rwd_keeper_suspend(at(&t, number), &t.cause));
        assert_false(rwd_keeper_suspend(at(&t, number), &t.cause));
        assert_state(&t, number, RWD_KEEPER_SUSPENDED, number == 1 ? 100 : 0);
        assert_int_equal(rwd_keeper_in_force(at(&t, number)), number == 1);
    }
    assert_int_equal(activate(&t, 1, 100), RWD_OK);
    assert_state(&t, 1, RWD_KEEPER_ACTIVE, 100);
    table_close(&t);
}

static void a_ramp_goes_step_by_step(void **state)
{
    (void)state;
    struct table t;
    table_open(&t, 2);
    struct rwd_ramp ramp = plan_of(10, 50, 100);
    struct rwd_keeper_version *two = at(&t, 2);
    assert_int_equal(activate(&t, 1, 100), RWD_OK);
    assert_int_equal(activate(&t, 2, 20), RWD_OK);
    /* It has 20 already: nobody is moved back. */
    assert_int_equal(rwd_keeper_ramp(&t.versions, two, &ramp, &t.cause, &t.error), RWD_OK);
    assert_state(&t, 2, RWD_KEEPER_CANARY, 50);
    assert_int_equal(two->ramp.step, 1);
    t.cause.reason = RWD_TEXT("cost: too slow");
    rwd_keeper_ramp_follow(&t.versions, two, RWD_RAMP_HOLD, &t.cause);
    assert_int_equal(two->ramp.state, RWD_RAMP_HELD);
    assert_string_equal(two->ramp.why, "cost: too slow");
    assert_state(&t, 2, RWD_KEEPER_CANARY, 50);
    assert_int_equal(rwd_keeper_ramp(&t.versions, two, &ramp, &t.cause, &t.error), RWD_OK);
    assert_int_equal(two->ramp.state, RWD_RAMP_RUNNING);
    rwd_keeper_ramp_follow(&t.versions, two, RWD_RAMP_GROW, &t.cause);
    assert_state(&t, 2, RWD_KEEPER_ACTIVE, 100);
    assert_state(&t, 1, RWD_KEEPER_RETIRED, 0);
    assert_int_equal(two->ramp.state, RWD_RAMP_DONE);
    assert_int_equal(rwd_keeper_ramp(&t.versions, two, &ramp, &t.cause, &t.error), RWD_CONFLICT);
    table_close(&t);
}

static void a_ramp_ends_by_guard_and_by_hand(void **state)
{
    (void)state;
    struct table t;
    unsigned number = 0;
    table_open(&t, 2);
    struct rwd_ramp ramp = plan_of(10, 50, 60);
    struct rwd_keeper_version *two = at(&t, 2);
    assert_int_equal(activate(&t, 1, 100), RWD_OK);
    assert_int_equal(rwd_keeper_ramp(&t.versions, two, &ramp, &t.cause, &t.error), RWD_OK);
    rwd_keeper_ramp_follow(&t.versions, two, RWD_RAMP_ROLL_BACK, &t.cause);
    assert_state(&t, 2, RWD_KEEPER_RETIRED, 0);
    assert_int_equal(two->ramp.state, RWD_RAMP_ROLLED_BACK);
    assert_int_equal(rwd_keeper_ramp(&t.versions, two, &ramp, &t.cause, &t.error), RWD_OK);
    assert_int_equal(roll_back(&t, &number), RWD_OK);
    assert_int_equal(two->ramp.state, RWD_RAMP_ROLLED_BACK);
    assert_int_equal(number, 1);
    assert_int_equal(rwd_keeper_ramp(&t.versions, two, &ramp, &t.cause, &t.error), RWD_OK);
    assert_int_equal(activate(&t, 2, 30), RWD_OK);
    assert_int_equal(two->ramp.state, RWD_RAMP_STOPPED);
    assert_int_equal(rwd_keeper_ramp(&t.versions, two, &ramp, &t.cause, &t.error), RWD_OK);
    assert_state(&t, 2, RWD_KEEPER_CANARY, 50);
    rwd_keeper_ramp_follow(&t.versions, two, RWD_RAMP_GROW, &t.cause);
    assert_state(&t, 2, RWD_KEEPER_CANARY, 60);
    rwd_keeper_ramp_follow(&t.versions, two, RWD_RAMP_GROW, &t.cause);
    assert_state(&t, 2, RWD_KEEPER_CANARY, 60);
    assert_int_equal(two->ramp.state, RWD_RAMP_DONE);
    assert_true(rwd_keeper_suspend(two, &t.cause));
    table_close(&t);
}

static bool as_told(void *context, struct rwd_keeper_version *version)
{
    (void)version;
    return *(const bool *)context;
}

static bool activate_new(struct table *table, bool may)
{
    return rwd_keeper_activate_new(&table->versions, as_told, &may, &table->cause);
}

static void first_versions_activate_by_themselves(void **state)
{
    (void)state;
    struct table t;
    table_open(&t, 12);
    assert_false(activate_new(&t, false));
    assert_true(activate_new(&t, true));
    assert_state(&t, 12, RWD_KEEPER_ACTIVE, 100);
    assert_state(&t, 9, RWD_KEEPER_DRAFT, 0);
    assert_false(activate_new(&t, true));
    rwd_keeper_retire(at(&t, 12), &t.cause);
    assert_false(activate_new(&t, true));
    table_close(&t);
}

/* Whoever takes 1.0.0 goes on with it when 2.0.0 comes. */
static void formulas_stand_side_by_side(void **state)
{
    (void)state;
    struct table t;
    table_open_of(&t, 3, FORMULA);
    assert_true(activate_new(&t, false));
    for (unsigned number = 1; number <= 3; number++) {
        assert_state(&t, number, RWD_KEEPER_ACTIVE, 100);
    }
    rwd_keeper_retire(at(&t, 2), &t.cause);
    assert_false(activate_new(&t, true));
    assert_state(&t, 2, RWD_KEEPER_RETIRED, 0);
    assert_int_equal(activate(&t, 2, 100), RWD_OK);
    assert_state(&t, 1, RWD_KEEPER_ACTIVE, 100);
    assert_state(&t, 2, RWD_KEEPER_ACTIVE, 100);
    struct rwd_keeper_version *version = NULL;
    assert_int_equal(
        rwd_keeper_rollback(&t.versions, RWD_TEXT("formulas/f"), &t.cause, &version, &t.error),
        RWD_CONFLICT);
    table_close(&t);
}

static void only_rules_are_tried_on_some(void **state)
{
    (void)state;
    static const char *const forms[] = {FORMULA, EXPERIMENT};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct table t;
        table_open_of(&t, 2, forms[i]);
        assert_int_equal(activate(&t, 1, 100), RWD_OK);
        assert_int_equal(activate(&t, 2, 10), RWD_CONFLICT);
        assert_non_null(strstr(t.error.text, "@2.0.0 is for all or for none"));
        assert_int_equal(
            rwd_keeper_shadow(&t.versions, at(&t, 2), &t.cause, &t.error), RWD_CONFLICT);
        const struct rwd_ramp plan = plan_of(10, 50, 100);
        assert_int_equal(
            rwd_keeper_ramp(&t.versions, at(&t, 2), &plan, &t.cause, &t.error), RWD_CONFLICT);
        assert_state(&t, 1, RWD_KEEPER_ACTIVE, 100);
        assert_state(&t, 2, RWD_KEEPER_DRAFT, 0);
        assert_int_equal(activate(&t, 2, 100), RWD_OK);
        assert_state(&t, 1, i == 0 ? RWD_KEEPER_ACTIVE : RWD_KEEPER_RETIRED, i == 0 ? 100 : 0);
        table_close(&t);
    }
}

/* Rows and changes bring a table back as it was. */
static void a_restart_finds_it_as_it_was(void **state)
{
    (void)state;
    struct table t;
    struct table again;
    table_open(&t, 3);
    table_open(&again, 0);
    struct rwd_ramp ramp = plan_of(10, 50, 100);
    struct rwd_buffer text = {0};
    struct rwd_buffer changes = {0};
    struct rwd_rule_version_row row;
    const struct rwd_keeper_version *restored = NULL;
    bool is_new = false;
    for (unsigned number = 1; number <= 3; number++) {
        rwd_keeper_version_row(at(&t, number), &text, &row);
        assert_int_equal(
            rwd_keeper_version_restore(&again.versions, &row, &restored, &is_new, &again.error),
            RWD_OK);
        assert_true(is_new && restored->registered);
    }
    assert_int_equal(activate(&t, 1, 100), RWD_OK);
    assert_int_equal(rwd_keeper_ramp(&t.versions, at(&t, 2), &ramp, &t.cause, &t.error), RWD_OK);
    assert_true(rwd_keeper_suspend(at(&t, 1), &t.cause));
    for (unsigned number = 1; number <= 2; number++) {
        assert_true(at(&t, number)->changed);
        rwd_keeper_version_row(at(&t, number), &text, &row);
        rwd_rulebook_put_change(&row, &changes);
    }
    const struct rwd_rulebook_row book = {.actor = RWD_TEXT("ann"), .reason = RWD_TEXT("why")};
    struct rwd_text rest = rwd_buffer_text(&changes);
    struct rwd_rulebook_change change;
    while (rwd_rulebook_next_change(&rest, &change) == RWD_OK) {
        assert_int_equal(
            rwd_keeper_version_restore_change(&again.versions, &change, &book, &again.error),
            RWD_OK);
    }
    for (unsigned number = 1; number <= 3; number++) {
        struct rwd_rule_version_row other;
        struct rwd_buffer other_text = {0};
        rwd_keeper_version_row(at(&t, number), &text, &row);
        rwd_keeper_version_row(at(&again, number), &other_text, &other);
        struct rwd_buffer a = {0};
        struct rwd_buffer b = {0};
        rwd_rule_version_encode(&row, &a);
        rwd_rule_version_encode(&other, &b);
        assert_true(rwd_text_equal(rwd_buffer_text(&a), rwd_buffer_text(&b)));
        rwd_buffer_finish(&a);
        rwd_buffer_finish(&b);
        rwd_buffer_finish(&other_text);
    }
    assert_state(&again, 1, RWD_KEEPER_SUSPENDED, 100);
    assert_int_equal(at(&again, 2)->ramp.state, RWD_RAMP_RUNNING);
    change.version_no = 9;
    assert_int_equal(
        rwd_keeper_version_restore_change(&again.versions, &change, &book, &again.error),
        RWD_CORRUPT);
    rwd_buffer_finish(&text);
    rwd_buffer_finish(&changes);
    table_close(&t);
    table_close(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_grows_and_does_not_shrink),
        cmocka_unit_test(rollback_is_one_step),
        cmocka_unit_test(a_shadow_is_nobodys_version),
        cmocka_unit_test(only_the_active_one_rests_in_its_place),
        cmocka_unit_test(a_ramp_goes_step_by_step),
        cmocka_unit_test(a_ramp_ends_by_guard_and_by_hand),
        cmocka_unit_test(first_versions_activate_by_themselves),
        cmocka_unit_test(formulas_stand_side_by_side),
        cmocka_unit_test(only_rules_are_tried_on_some),
        cmocka_unit_test(a_restart_finds_it_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
