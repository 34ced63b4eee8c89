/*
 * Statistics: textbook numbers, the ends of what they are asked, and A/A: a thousand experiments in
 * which nothing differs must look like it. tests/integration/test_statistics.py holds every
 * function against scipy and statsmodels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../chance.h"
#include "experiment/arm.h"
#include "experiment/assign.h"
#include "experiment/distribution.h"
#include "experiment/statistics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SEED_COUNT = 1000, USER_COUNT = 1000, DRAW_COUNT = 10 };

#define NEAR(a, b, off) assert_true(fabs((a) - (b)) <= (off))

static void known_quantiles(void **state)
{
    (void)state;
    NEAR(rwd_normal_quantile(0.975), 1.959963984540054, 1e-12);
    NEAR(rwd_normal_quantile(0.5), 0, 1e-12);
    NEAR(rwd_normal_quantile(0.025), -rwd_normal_quantile(0.975), 1e-14);
    NEAR(rwd_t_quantile(0.975, 1), 12.706204736432095, 1e-9);
    NEAR(rwd_t_quantile(0.975, 10), 2.2281388519649385, 1e-10);
    NEAR(rwd_t_quantile(0.975, 1e9), rwd_normal_quantile(0.975), 1e-7);
    NEAR(rwd_chi_square_tail(3.841458820694124, 1), 0.05, 1e-12);
    NEAR(rwd_chi_square_tail(18.307038053275146, 10), 0.05, 1e-12);
    assert_true(rwd_chi_square_tail(0, 3) == 1);
    assert_true(isnan(rwd_normal_quantile(0)) && isnan(rwd_normal_quantile(1)));
    assert_true(isnan(rwd_t_quantile(1, 5)) && isnan(rwd_t_quantile(0.5, 0)));
    /* Far out there are still digits. */
    NEAR(rwd_chi_square_tail(200, 1) / 2.0884875837625446e-45, 1, 1e-9);
}

static double uniform(struct chance *chance)
{
    return ((double)(chance_u64(chance) >> 11) + 0.5) * 0x1p-53;
}

static double normal(struct chance *chance)
{
    return rwd_normal_quantile(uniform(chance));
}

static void moments_in_any_order_and_in_parts(void **state)
{
    (void)state;
    struct chance chance = {.state = 7};
    struct rwd_moments whole = {0};
    struct rwd_moments parts[3] = {{0}};
    for (int i = 0; i < 1000; i++) {
        /* A large mean: sums of squares would have lost their digits. */
        double y = 1e9 + normal(&chance);
        double x = 1e6 + normal(&chance) + (y - 1e9);
        rwd_moments_add(&whole, y, x);
        rwd_moments_add(&parts[i % 3], y, x);
    }
    struct rwd_moments merged = {0};
    for (int i = 0; i < 3; i++) {
        rwd_moments_merge(&merged, &parts[i]);
    }
    assert_int_equal(merged.count, whole.count);
    NEAR(merged.mean_y, whole.mean_y, 1e-6);
    NEAR(rwd_moments_variance(&merged), rwd_moments_variance(&whole), 1e-6);
    NEAR(merged.product, whole.product, 1e-3);
    NEAR(rwd_moments_variance(&whole), 1, 0.2);
}

static void too_little_is_not_valid(void **state)
{
    (void)state;
    struct rwd_moments none = {0};
    struct rwd_moments one = {0};
    struct rwd_moments same = {0};
    rwd_moments_add(&one, 1, 1);
    rwd_moments_add(&same, 2, 1);
    rwd_moments_add(&same, 2, 1);
    assert_false(rwd_stat_welch(&none, &none, 0.95).valid);
    assert_false(rwd_stat_welch(&one, &one, 0.95).valid);
    assert_false(rwd_stat_welch(&same, &same, 0.95).valid); /* no spread: nothing to judge by */
    assert_false(rwd_stat_lift(&none, &same, 0.95).valid);
    assert_false(rwd_stat_ratio(&none, &same, 0.95).valid);
    assert_false(rwd_stat_cuped(&one, &same, 0.95).valid);
    assert_false(rwd_stat_proportions(0, 100, 0, 100, 0.95).valid);
    assert_false(rwd_stat_proportions(0, 0, 0, 0, 0.95).valid);
    const struct rwd_estimate invalid = {0};
    assert_false(rwd_stat_sequential(&invalid, 10, 10, 0.95).valid);
    assert_true(rwd_stat_cuped_reduction(&none, &none) == 0);
}

static void srm_counts_empty_arms(void **state)
{
    (void)state;
    const double even[] = {0.5, 0.5};
    const double three[] = {1, 1, 1};
    const double never[] = {1, 1, 0};
    const uint64_t split[] = {5000, 5000};
    const uint64_t broken[] = {10000, 0};
    const uint64_t lost[] = {500, 500, 0};
    const uint64_t leaked[] = {500, 500, 1};
    const uint64_t nobody[] = {0, 0};
    struct rwd_srm srm = rwd_stat_srm(split, even, 2);
    assert_true(srm.valid && srm.p == 1 && srm.degrees == 1);
    assert_true(rwd_stat_srm(broken, even, 2).p < 1e-100);
    srm = rwd_stat_srm(lost, three, 3);
    assert_int_equal(srm.degrees, 2);
    NEAR(srm.chi_square, 500, 1e-9);
    assert_true(srm.p < 1e-100);
    srm = rwd_stat_srm(lost, never, 3);
    assert_true(srm.valid && srm.p == 1 && srm.degrees == 1);
    assert_true(rwd_stat_srm(leaked, never, 3).p == 0);
    assert_false(rwd_stat_srm(nobody, even, 2).valid);
}

static struct rwd_text text_of(char *buffer, size_t size, const char *format, unsigned i)
{
    int length = snprintf(buffer, size, "%s%u", format, i);
    return (struct rwd_text){.data = buffer, .size = (size_t)length};
}

/* What the users of one A/A experiment do, drawn from one law for both arms. */
struct draw {
    uint64_t counts[2];
    uint64_t hits[2];
    struct rwd_moments skewed[2]; /* y exponential, x a covariate it follows */
    struct rwd_moments ratios[2]; /* y money, x bets */
};

/* Real assignment. */
static void assign(unsigned seed, int *arms)
{
    struct rwd_bucket_range ranges[2];
    char key_buffer[32];
    char user_buffer[32];
    struct rwd_text key = text_of(key_buffer, sizeof key_buffer, "aa_", seed);
    rwd_assign_bucket_ranges(2, 1, NULL, 0, ranges);
    for (unsigned user = 0; user < USER_COUNT; user++) {
        double n = 0;
        assert_true(
            rwd_assign_hash(key, text_of(user_buffer, sizeof user_buffer, "user_", user), 2, &n));
        arms[user] = rwd_assign_choose(n, ranges, 2);
        assert_true(arms[user] >= 0);
    }
}

static void run_draw(struct chance *chance, const int *arms, struct draw *draw)
{
    *draw = (struct draw){.counts = {0}};
    for (unsigned user = 0; user < USER_COUNT; user++) {
        int arm = arms[user];
        double before = -log(uniform(chance));
        double bets = 1 + floor(10 * uniform(chance));
        draw->counts[arm]++;
        draw->hits[arm] += uniform(chance) < 0.1;
        rwd_moments_add(&draw->skewed[arm], 0.7 * before - log(uniform(chance)), before);
        rwd_moments_add(&draw->ratios[arm], bets * (0.5 + uniform(chance)), bets);
    }
}

static bool covers(const struct rwd_estimate *estimate, double truth)
{
    assert_true(estimate->valid);
    return estimate->low <= truth && truth <= estimate->high;
}

static void a_thousand_aa_experiments(void **state)
{
    (void)state;
    enum { METHOD_COUNT = 5, INTERVAL_COUNT = SEED_COUNT * DRAW_COUNT };
    const double even[] = {0.5, 0.5};
    unsigned alarms = 0;
    unsigned low_p = 0;
    unsigned covered[METHOD_COUNT] = {0};
    double plain_error = 0;
    double cuped_error = 0;
    for (unsigned seed = 1; seed <= SEED_COUNT; seed++) {
        struct chance chance = {.state = seed};
        int arms[USER_COUNT];
        assign(seed, arms);
        for (int i = 0; i < DRAW_COUNT; i++) {
            struct draw draw;
            run_draw(&chance, arms, &draw);
            if (i == 0) {
                double p = rwd_stat_srm(draw.counts, even, 2).p;
                alarms += p < 0.001;
                low_p += p < 0.05;
            }
            const struct rwd_estimate estimates[METHOD_COUNT] = {
                rwd_stat_welch(&draw.skewed[0], &draw.skewed[1], 0.95),
                rwd_stat_lift(&draw.skewed[0], &draw.skewed[1], 0.95),
                rwd_stat_ratio(&draw.ratios[0], &draw.ratios[1], 0.95),
                rwd_stat_proportions(
                    draw.hits[0], draw.counts[0], draw.hits[1], draw.counts[1], 0.95),
                rwd_stat_cuped(&draw.skewed[0], &draw.skewed[1], 0.95),
            };
            for (int k = 0; k < METHOD_COUNT; k++) {
                covered[k] += covers(&estimates[k], 0);
            }
            plain_error += estimates[0].standard_error;
            cuped_error += estimates[4].standard_error;
        }
    }
    print_message("srm: %u of %d below 0.001, %u below 0.05; covered of %d: welch %u, lift %u, "
                  "ratio %u, proportions %u, cuped %u\n",
        alarms, SEED_COUNT, low_p, INTERVAL_COUNT, covered[0], covered[1], covered[2], covered[3],
        covered[4]);
    assert_true(alarms <= SEED_COUNT / 1000);
    /* The alarm can ring: were p stuck at 1, this would tell. 5 % within four standard errors. */
    assert_true(low_p >= 22 && low_p <= 78);
    for (int k = 0; k < METHOD_COUNT; k++) {
        assert_in_range(covered[k], INTERVAL_COUNT * 94 / 100, INTERVAL_COUNT * 96 / 100);
    }
    assert_true(cuped_error < 0.9 * plain_error);
}

/* A thousand experiments with 20 % held out and two strata, by the assignment that decides: the
 * groups are what they were planned to be, in each stratum too (at p < 0.001 by their number, as
 * the report has it), and the intervals around what the program brings cover the nothing there is.
 */
static void a_thousand_aa_experiments_with_a_holdout(void **state)
{
    (void)state;
    enum { HELD_OUT = 2, GROUP_COUNT = 3, STRATUM_COUNT = 2, METHOD_COUNT = 2 };
    const double planned[GROUP_COUNT] = {0.4, 0.4, 0.2};
    unsigned alarms[2] = {0};
    unsigned low_p = 0;
    unsigned covered[METHOD_COUNT] = {0};
    for (unsigned seed = 1; seed <= SEED_COUNT; seed++) {
        struct chance chance = {.state = seed};
        struct rwd_experiment terms = {.arms = {{"control", 0.5}, {"treatment", 0.5}},
            .arm_count = 2,
            .coverage = 1,
            .holdout = 0.2,
            .group_end = 1};
        (void)snprintf(terms.key, sizeof terms.key, "aa_%u", seed);
        uint64_t whole[GROUP_COUNT] = {0};
        uint64_t strata[STRATUM_COUNT][GROUP_COUNT] = {{0}};
        int groups[USER_COUNT];
        for (unsigned user = 0; user < USER_COUNT; user++) {
            char buffer[32];
            int arm = rwd_experiment_arm(&terms, text_of(buffer, sizeof buffer, "user_", user), "");
            groups[user] = arm == RWD_EXPERIMENT_HELD_OUT ? HELD_OUT : arm;
            assert_true(groups[user] >= 0);
            whole[groups[user]]++;
            strata[user % 4 == 0][groups[user]]++;
        }
        double p = rwd_stat_srm(whole, planned, GROUP_COUNT).p;
        alarms[0] += p < RWD_STAT_SRM_P_MIN;
        low_p += p < 0.05;
        for (int i = 0; i < STRATUM_COUNT; i++) {
            p = rwd_stat_srm(strata[i], planned, GROUP_COUNT).p;
            alarms[1] += p < RWD_STAT_SRM_P_MIN / STRATUM_COUNT;
        }
        for (int i = 0; i < DRAW_COUNT; i++) {
            struct rwd_moments sides[2] = {{0}}; /* held out, taking part */
            for (unsigned user = 0; user < USER_COUNT; user++) {
                double before = -log(uniform(&chance));
                rwd_moments_add(
                    &sides[groups[user] != HELD_OUT], 0.7 * before - log(uniform(&chance)), before);
            }
            const struct rwd_estimate estimates[METHOD_COUNT] = {
                rwd_stat_welch(&sides[0], &sides[1], 0.95),
                rwd_stat_cuped(&sides[0], &sides[1], 0.95)};
            for (int k = 0; k < METHOD_COUNT; k++) {
                covered[k] += covers(&estimates[k], 0);
            }
        }
    }
    print_message("srm: %u of %d below 0.001, %u below 0.05; strata: %u; covered: welch %u, cuped "
                  "%u\n",
        alarms[0], SEED_COUNT, low_p, alarms[1], covered[0], covered[1]);
    assert_true(alarms[0] <= SEED_COUNT / 1000 && alarms[1] <= SEED_COUNT / 1000);
    assert_true(low_p >= 22 && low_p <= 78);
    for (int k = 0; k < METHOD_COUNT; k++) {
        assert_in_range(
            covered[k], SEED_COUNT * DRAW_COUNT * 94 / 100, SEED_COUNT * DRAW_COUNT * 96 / 100);
    }
}

/* Whoever looks twenty times and stops at the first difference is wrong far too often with the
 * plain interval, and not with the sequential one. */
static void peeking_is_corrected(void **state)
{
    (void)state;
    enum { LOOK_COUNT = 20, LOOK_USER_COUNT = 100, RUN_COUNT = 400 };
    unsigned plain = 0;
    unsigned corrected = 0;
    for (unsigned seed = 1; seed <= RUN_COUNT; seed++) {
        struct chance chance = {.state = seed};
        struct rwd_moments arms[2] = {{0}};
        bool plain_fired = false;
        bool corrected_fired = false;
        for (int look = 0; look < LOOK_COUNT; look++) {
            for (int i = 0; i < LOOK_USER_COUNT; i++) {
                rwd_moments_add(&arms[i % 2], normal(&chance), 0);
            }
            struct rwd_estimate estimate = rwd_stat_welch(&arms[0], &arms[1], 0.95);
            struct rwd_estimate always = rwd_stat_sequential(
                &estimate, arms[0].count + arms[1].count, LOOK_COUNT * LOOK_USER_COUNT, 0.95);
            plain_fired |= !covers(&estimate, 0);
            corrected_fired |= !covers(&always, 0);
            assert_true(always.low < estimate.low && always.high > estimate.high);
            assert_int_equal(always.p < 0.05, !covers(&always, 0));
        }
        plain += plain_fired;
        corrected += corrected_fired;
    }
    print_message(
        "wrong of %d when peeking: plain %u, sequential %u\n", RUN_COUNT, plain, corrected);
    assert_true(plain > RUN_COUNT * 15 / 100);
    assert_true(corrected <= RUN_COUNT * 5 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_quantiles),
        cmocka_unit_test(moments_in_any_order_and_in_parts),
        cmocka_unit_test(too_little_is_not_valid),
        cmocka_unit_test(srm_counts_empty_arms),
        cmocka_unit_test(a_thousand_aa_experiments),
        cmocka_unit_test(a_thousand_aa_experiments_with_a_holdout),
        cmocka_unit_test(peeking_is_corrected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
