/* Players counted once, in bounded memory, and two sides in their proportion. */
#include "engine/user_sample.h"

#include "../chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void few_players_are_counted_exactly(void **state)
{
    (void)state;
    struct rwd_user_sample sample = {0};
    for (int round = 0; round < 3; round++) {
        for (uint64_t user = 1; user <= 1000; user++) {
            rwd_user_sample_add(&sample, user * UINT64_C(0x9e3779b97f4a7c15), user % 10 == 0);
        }
    }
    assert_int_equal(sample.count[0], 900);
    assert_int_equal(sample.count[1], 100);
    assert_int_equal(sample.halvings, 0);
    rwd_user_sample_finish(&sample);
}

static void many_players_stay_in_proportion_and_in_bounds(void **state)
{
    (void)state;
    struct rwd_user_sample sample = {0};
    struct chance chance = {7};
    for (int i = 0; i < 300000; i++) {
        /* Two shards: one has the even fingerprints. */
        uint64_t user = ((uint64_t)chance_below(&chance, UINT32_MAX) << 32 | (uint32_t)(i * 2));
        rwd_user_sample_add(&sample, user, user % 5 == 0);
        assert_true(sample.count[0] + sample.count[1] < RWD_USER_SAMPLE_COUNT_MAX);
    }
    double all = sample.count[0] + sample.count[1];
    assert_true(all >= RWD_USER_SAMPLE_COUNT_MAX / 2 - 400);
    /* Estimated from the sample: within a few standard deviations of 300000, and of a fifth. */
    double estimate = all * (double)(1U << sample.halvings);
    assert_true(estimate > 280000 && estimate < 320000);
    assert_true(sample.count[1] / all > 0.17 && sample.count[1] / all < 0.23);
    rwd_user_sample_finish(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_players_are_counted_exactly),
        cmocka_unit_test(many_players_stay_in_proportion_and_in_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
