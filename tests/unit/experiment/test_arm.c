/*
 * An experiment's terms together: group, holdout, coverage, what was seen before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "domain/rollout.h"
#include "experiment/arm.h"
#include "experiment/assign.h"
#include "experiment/statistics.h"

#include <math.h>
#include <stdio.h>

enum { USER_COUNT = 20000 };

static struct rwd_experiment experiment_of(const char *key)
{
    struct rwd_experiment experiment = {.arms = {{"control", 0.5}, {"treatment", 0.5}},
        .arm_count = 2,
        .coverage = 1,
        .group_end = 1};
    (void)snprintf(experiment.key, sizeof experiment.key, "%s", key);
    return experiment;
}

static int arm_of(const struct rwd_experiment *experiment, unsigned user, const char *known)
{
    char id[32];
    int size = snprintf(id, sizeof id, "player-%u", user);
    return rwd_experiment_arm(
        experiment, (struct rwd_text){.data = id, .size = (size_t)size}, known);
}

static void who_was_exposed_stays(void **state)
{
    (void)state;
    struct rwd_experiment before = experiment_of("scoring");
    struct rwd_experiment after = before;
    after.arms[0].weight = 0.1;
    after.arms[1].weight = 0.9;
    after.coverage = 0.2;
    after.holdout = 0.5;
    unsigned moved = 0;
    for (unsigned user = 0; user < USER_COUNT; user++) {
        int arm = arm_of(&before, user, "");
        assert_true(arm >= 0);
        assert_int_equal(arm_of(&after, user, before.arms[arm].name), arm);
        moved += arm_of(&after, user, "") != arm;
        /* An arm that is gone is forgotten. */
        assert_int_equal(arm_of(&before, user, "third"), arm);
    }
    assert_true(moved > USER_COUNT / 4); /* the hash alone would have moved many */
}

static void a_holdout_is_in_no_arm_and_takes_evenly(void **state)
{
    (void)state;
    const double even[] = {0.5, 0.5};
    const double planned[] = {0.475, 0.475, 0.05};
    struct rwd_experiment all = experiment_of("season_bonus");
    struct rwd_experiment held = all;
    held.holdout = 0.05;
    uint64_t out[2] = {0};
    uint64_t in[2] = {0};
    for (unsigned user = 0; user < USER_COUNT; user++) {
        int arm = arm_of(&all, user, "");
        int now = arm_of(&held, user, "");
        assert_true(now == arm || now == RWD_EXPERIMENT_HELD_OUT);
        if (now == RWD_EXPERIMENT_HELD_OUT) {
            out[arm]++;
        } else {
            in[now]++;
        }
    }
    const uint64_t groups[] = {in[0], in[1], out[0] + out[1]};
    assert_true(rwd_stat_srm(groups, planned, 3).p > 0.001);
    assert_true(rwd_stat_srm(out, even, 2).p > 0.001);
    assert_true(rwd_stat_srm(in, even, 2).p > 0.001);
}

/* Held out is only who would be in an arm: both come from the same users, whatever the coverage. */
static void a_holdout_is_drawn_from_those_covered(void **state)
{
    (void)state;
    struct rwd_experiment all = experiment_of("season_bonus");
    all.coverage = 0.4;
    struct rwd_experiment held = all;
    held.holdout = 0.2;
    for (unsigned user = 0; user < USER_COUNT; user++) {
        int arm = arm_of(&all, user, "");
        int now = arm_of(&held, user, "");
        assert_true(now == arm || (arm >= 0 && now == RWD_EXPERIMENT_HELD_OUT));
    }
}

static void who_was_held_out_stays_while_there_is_a_holdout(void **state)
{
    (void)state;
    struct rwd_experiment before = experiment_of("season_bonus");
    before.holdout = 0.5;
    struct rwd_experiment after = before;
    after.holdout = 0.01;
    after.coverage = 0.5;
    struct rwd_experiment ended = before;
    ended.holdout = 0;
    unsigned moved = 0;
    for (unsigned user = 0; user < USER_COUNT; user++) {
        if (arm_of(&before, user, "") == RWD_EXPERIMENT_HELD_OUT) {
            const char *known = RWD_EXPERIMENT_HOLDOUT;
            assert_int_equal(arm_of(&after, user, known), RWD_EXPERIMENT_HELD_OUT);
            moved += arm_of(&after, user, "") != RWD_EXPERIMENT_HELD_OUT;
            /* As with an arm that is gone: the hash says. */
            assert_int_equal(arm_of(&ended, user, known), arm_of(&ended, user, ""));
            assert_true(arm_of(&ended, user, known) >= 0);
        }
    }
    assert_true(moved > USER_COUNT / 4);
}

static void a_group_excludes_and_shares_its_holdout(void **state)
{
    (void)state;
    struct rwd_experiment first = experiment_of("first");
    struct rwd_experiment second = experiment_of("second");
    (void)snprintf(first.group, sizeof first.group, "season");
    (void)snprintf(second.group, sizeof second.group, "season");
    assert_true(rwd_experiments_collide(&first, &second));
    first.group_end = 0.5;
    second.group_begin = 0.5;
    assert_false(rwd_experiments_collide(&first, &second));
    assert_false(rwd_experiments_collide(&first, &first)); /* versions of one are one */
    unsigned both = 0;
    unsigned none = 0;
    for (unsigned user = 0; user < USER_COUNT; user++) {
        int a = arm_of(&first, user, "");
        int b = arm_of(&second, user, "");
        both += a >= 0 && b >= 0;
        none += a < 0 && b < 0;
        /* Not even who was exposed before may be in two. */
        assert_true(arm_of(&first, user, "treatment") < 0 || arm_of(&second, user, "control") < 0);
    }
    assert_int_equal(both, 0);
    assert_int_equal(none, 0);
    first.holdout = second.holdout = 0.1;
    struct rwd_experiment a = first;
    struct rwd_experiment b = second;
    a.group_begin = b.group_begin = 0;
    a.group_end = b.group_end = 1;
    for (unsigned user = 0; user < USER_COUNT; user++) {
        assert_int_equal(arm_of(&a, user, "") < 0, arm_of(&b, user, "") < 0);
    }
}

/* Whoever has a canary of a rule is no likelier to be in one arm than in the other, nor to be held
 * out: the salts differ, even where rule and experiment share a name. */
static void the_rollout_draws_apart(void **state)
{
    (void)state;
    const double planned[] = {0.45, 0.45, 0.1};
    struct rwd_experiment experiment = experiment_of("points_winmult");
    experiment.holdout = 0.1;
    uint64_t counts[2][3] = {{0}};
    for (unsigned user = 0; user < USER_COUNT; user++) {
        char id[32];
        int size = snprintf(id, sizeof id, "player-%u", user);
        struct rwd_text text = {.data = id, .size = (size_t)size};
        uint32_t place = rwd_rollout_place(RWD_TEXT("points_winmult"), RWD_TEXT("2.0.0"), text);
        int arm = rwd_experiment_arm(&experiment, text, "");
        counts[place < RWD_ROLLOUT_PLACE_COUNT / 4][arm == RWD_EXPERIMENT_HELD_OUT ? 2 : arm]++;
    }
    for (int in = 0; in < 2; in++) {
        assert_true(rwd_stat_srm(counts[in], planned, 3).p > 0.001);
    }
}

/* Three arms over made-up strata: no stratum is split otherwise than the whole. */
static void strata_are_balanced(void **state)
{
    (void)state;
    struct rwd_experiment experiment = experiment_of("scoring_ab_2025w45");
    experiment.arm_count = 3;
    (void)snprintf(experiment.arms[2].name, sizeof experiment.arms[2].name, "zeta");
    const double weights[] = {0.5, 0.25, 0.25};
    for (size_t i = 0; i < 3; i++) {
        experiment.arms[i].weight = weights[i];
    }
    for (unsigned modulus = 2; modulus < 8; modulus++) {
        for (unsigned stratum = 0; stratum < modulus; stratum++) {
            uint64_t counts[3] = {0};
            for (unsigned user = stratum; user < USER_COUNT; user += modulus) {
                counts[arm_of(&experiment, user, "")]++;
            }
            assert_true(rwd_stat_srm(counts, weights, 3).p > 0.0001);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_exposed_stays),
        cmocka_unit_test(a_holdout_is_in_no_arm_and_takes_evenly),
        cmocka_unit_test(a_holdout_is_drawn_from_those_covered),
        cmocka_unit_test(who_was_held_out_stays_while_there_is_a_holdout),
        cmocka_unit_test(a_group_excludes_and_shares_its_holdout),
        cmocka_unit_test(the_rollout_draws_apart),
        cmocka_unit_test(strata_are_balanced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
