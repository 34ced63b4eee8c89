/* Counters by time bucket: any order, a limit, and no silence about what was lost. */
#include "base/memory.h"
#include "domain/player.h"

#include "../chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add(struct rwd_series *series, uint32_t bucket, uint32_t count_max, int64_t value)
{
    bool is_new = false;
    int64_t *place = rwd_series_at(series, bucket, count_max, &is_new);
    if (place != NULL) {
        *place += value;
    }
}

static int64_t get(const struct rwd_series *series, uint32_t bucket)
{
    bool lost = true;
    int64_t value = rwd_series_get(series, bucket, &lost);
    assert_false(lost);
    return value;
}

static void any_order_gives_the_same_sums(void **state)
{
    (void)state;
    struct chance chance = {2};
    for (int round = 0; round < 200; round++) {
        struct rwd_series series = {0};
        int64_t sums[50] = {0};
        for (int i = 0; i < 300; i++) {
            uint32_t bucket = chance_below(&chance, 50);
            int64_t value = chance_between(&chance, -9, 9);
            sums[bucket] += value;
            add(&series, 1000 + bucket, 64, value);
        }
        for (uint32_t i = 0; i < 50; i++) {
            assert_int_equal(get(&series, 1000 + i), sums[i]);
        }
        for (uint32_t i = 1; i < series.count; i++) {
            assert_true(series.points[i - 1].bucket < series.points[i].bucket);
        }
        assert_false(series.cut);
        rwd_free(series.points);
    }
}

static void a_new_place_is_zero_and_said_so(void **state)
{
    (void)state;
    struct rwd_series series = {0};
    bool is_new = false;
    int64_t *place = rwd_series_at(&series, 7, 4, &is_new);
    assert_true(is_new);
    assert_int_equal(*place, 0);
    *place = 5;
    place = rwd_series_at(&series, 7, 4, &is_new);
    assert_false(is_new);
    assert_int_equal(*place, 5);
    rwd_free(series.points);
}

static void the_oldest_goes_first_and_its_absence_is_told(void **state)
{
    (void)state;
    struct rwd_series series = {0};
    bool lost = false;
    for (uint32_t bucket = 10; bucket < 16; bucket++) {
        add(&series, bucket, 4, bucket);
    }
    assert_int_equal(series.count, 4);
    for (uint32_t bucket = 12; bucket < 16; bucket++) {
        assert_int_equal(get(&series, bucket), bucket);
    }
    (void)rwd_series_get(&series, 11, &lost);
    assert_true(lost);
    (void)rwd_series_get(&series, 16, &lost);
    assert_false(lost);
    bool is_new = false;
    assert_null(rwd_series_at(&series, 11, 4, &is_new));
    /* A hole inside what is kept is no loss. */
    add(&series, 20, 4, 1);
    assert_int_equal(get(&series, 17), 0);
    rwd_free(series.points);
}

/* What found no place must not be asked for as if it were nought, or a cap is passed again and
 * again. */
static void full_but_not_cut_then_older(void **state)
{
    (void)state;
    struct rwd_series series = {0};
    bool is_new = false;
    bool lost = false;
    for (uint32_t bucket = 10; bucket < 14; bucket++) {
        add(&series, bucket, 4, 1);
    }
    assert_null(rwd_series_at(&series, 5, 4, &is_new));
    (void)rwd_series_get(&series, 5, &lost);
    assert_true(lost);
    rwd_free(series.points);
}

/* Against a plain model: what is kept is right, what is not kept is told. */
static void never_wrong_in_silence(void **state)
{
    (void)state;
    enum { MAX = 8, SPAN = 64 };
    struct chance chance = {3};
    for (int round = 0; round < 2000; round++) {
        struct rwd_series series = {0};
        int64_t sums[SPAN] = {0};
        uint32_t newest = 12;
        for (int i = 0; i < 60; i++) {
            newest += chance_below(&chance, 2);
            uint32_t back = chance_below(&chance, 12);
            uint32_t bucket = newest > back ? newest - back : 0;
            sums[bucket]++;
            add(&series, bucket, MAX, 1);
            for (uint32_t b = 0; b < SPAN; b++) {
                bool lost = false;
                int64_t value = rwd_series_get(&series, b, &lost);
                assert_true(lost || value == sums[b]);
            }
            assert_true(series.count <= MAX);
        }
        rwd_free(series.points);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_gives_the_same_sums),
        cmocka_unit_test(a_new_place_is_zero_and_said_so),
        cmocka_unit_test(the_oldest_goes_first_and_its_absence_is_told),
        cmocka_unit_test(full_but_not_cut_then_older),
        cmocka_unit_test(never_wrong_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
