/* Quantiles within 6 %, and nothing lost at the ends. */
#include "base/histogram.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void quantiles_are_close(void **state)
{
    (void)state;
    struct rwd_histogram *histogram = rwd_new(sizeof *histogram);
    assert_int_equal(rwd_histogram_quantile(histogram, 0.5), 0);
    for (uint64_t i = 1; i <= 100000; i++) {
        rwd_histogram_add(histogram, i, 1);
    }
    static const double quantiles[] = {0.01, 0.5, 0.95, 0.99, 1};
    for (size_t i = 0; i < 5; i++) {
        double wanted = quantiles[i] * 100000;
        double found = (double)rwd_histogram_quantile(histogram, quantiles[i]);
        assert_true(found >= wanted && found <= wanted * 1.07);
    }
    assert_int_equal(rwd_counted(&histogram->count), 100000);
    assert_int_equal(rwd_counted(&histogram->sum), 5000050000);
    uint64_t below = rwd_histogram_count_below(histogram, 50000);
    assert_true(below <= 50000 && below >= 46000);
    assert_int_equal(rwd_histogram_count_below(histogram, UINT64_MAX), 100000);
    rwd_free(histogram);
}

static void small_and_huge_values_have_a_place(void **state)
{
    (void)state;
    struct rwd_histogram *histogram = rwd_new(sizeof *histogram);
    for (uint64_t i = 0; i < 16; i++) {
        memset(histogram, 0, sizeof *histogram);
        rwd_histogram_add(histogram, i, 3);
        assert_int_equal(rwd_histogram_quantile(histogram, 0.5), i);
        assert_int_equal(rwd_histogram_count_below(histogram, i), 3);
    }
    memset(histogram, 0, sizeof *histogram);
    rwd_histogram_add(histogram, UINT64_MAX, 1);
    assert_int_equal(rwd_counted(&histogram->count), 1);
    assert_true(rwd_histogram_quantile(histogram, 1) > 1ULL << 40);
    for (uint64_t value = 1; value < 1ULL << 44; value += value / 7 + 1) {
        memset(histogram, 0, sizeof *histogram);
        rwd_histogram_add(histogram, value, 1);
        uint64_t edge = rwd_histogram_quantile(histogram, 0.5);
        assert_true(edge >= value && edge - value <= value / 16);
    }
    rwd_free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_close),
        cmocka_unit_test(small_and_huge_values_have_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
