/* The breaker, what an answer means, and the pause before the next try. */
#include "engine/endpoint.h"

#include "../chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct rwd_endpoint_config config = {
    .concurrency_max = 4, .breaker_failure_count = 3, .breaker_open_ms = 1000};

static void the_breaker(void **state)
{
    (void)state;
    struct rwd_endpoint endpoint = {.config = &config};
    assert_int_equal(rwd_endpoint_room(&endpoint, 0), 4);
    endpoint.running = 3;
    assert_int_equal(rwd_endpoint_room(&endpoint, 0), 1);
    endpoint.running = 5;
    assert_int_equal(rwd_endpoint_room(&endpoint, 0), 0);
    endpoint.running = 0;
    /* Failures in a row open it; a healthy answer between begins the row anew. */
    rwd_endpoint_note(&endpoint, false, 10);
    rwd_endpoint_note(&endpoint, false, 10);
    rwd_endpoint_note(&endpoint, true, 10);
    rwd_endpoint_note(&endpoint, false, 10);
    rwd_endpoint_note(&endpoint, false, 10);
    assert_false(rwd_endpoint_is_open(&endpoint, 10));
    rwd_endpoint_note(&endpoint, false, 10);
    assert_true(rwd_endpoint_is_open(&endpoint, 10));
    assert_true(rwd_endpoint_is_open(&endpoint, 1009));
    assert_int_equal(rwd_endpoint_room(&endpoint, 1009), 0);
    /* Half open: one request finds out for all. */
    assert_false(rwd_endpoint_is_open(&endpoint, 1010));
    assert_int_equal(rwd_endpoint_room(&endpoint, 1010), 1);
    endpoint.running = 1;
    assert_int_equal(rwd_endpoint_room(&endpoint, 1010), 0);
    rwd_endpoint_note(&endpoint, false, 1500);
    assert_int_equal(rwd_endpoint_room(&endpoint, 2499), 0);
    endpoint.running = 0;
    assert_int_equal(rwd_endpoint_room(&endpoint, 2500), 1);
    rwd_endpoint_note(&endpoint, true, 2600);
    assert_int_equal(rwd_endpoint_room(&endpoint, 2600), 4);
    assert_int_equal(endpoint.failures, 0);
}

/* Spec 6, over every status there is. */
static void what_answers_mean(void **state)
{
    (void)state;
    for (int status = 0; status < 1000; status++) {
        enum rwd_delivery_outcome expected = RWD_DELIVERY_REFUSED;
        if (status >= 200 && status <= 299) {
            expected = RWD_DELIVERY_DONE;
        } else if (status == 0 || status >= 500 || status == 408 || status == 409 ||
                   status == 425 || status == 429) {
            expected = RWD_DELIVERY_RETRY;
        }
        assert_int_equal(rwd_delivery_outcome_of(status), expected);
    }
}

static void pauses(void **state)
{
    (void)state;
    struct chance chance = {1};
    static const struct {
        uint32_t attempt;
        int64_t most;
    } rows[] = {{1, 1000}, {2, 2000}, {3, 4000}, {6, 32000}, {7, 60000}, {8, 60000}, {31, 60000},
        {32, 60000}, {100, 60000}, {UINT32_MAX, 60000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t largest = 0;
        int64_t smallest = INT64_MAX;
        for (int n = 0; n < 5000; n++) {
            int64_t pause =
                rwd_delivery_pause_ms(1000, 60000, rows[i].attempt, -1, chance_u64(&chance));
            assert_in_range(pause, 0, rows[i].most);
            largest = pause > largest ? pause : largest;
            smallest = pause < smallest ? pause : smallest;
        }
        /* Full jitter: the whole range is used. */
        assert_true(largest > rows[i].most * 95 / 100);
        assert_true(smallest < rows[i].most * 5 / 100);
    }
    assert_int_equal(rwd_delivery_pause_ms(1000, 60000, 3, -1, 0), 0);
    assert_int_equal(rwd_delivery_pause_ms(1000, 60000, 3, -1, 4000), 4000);
    assert_int_equal(rwd_delivery_pause_ms(1000, 60000, 3, -1, 4001), 0);
    /* A Retry-After is the least. */
    assert_int_equal(rwd_delivery_pause_ms(1000, 60000, 3, 3000, 4000), 4000);
    assert_int_equal(rwd_delivery_pause_ms(1000, 60000, 3, 5000, 4000), 5000);
    assert_int_equal(rwd_delivery_pause_ms(1000, 60000, 3, 0, 0), 0);
    /* And never more than a day, however long the partner asks. */
    assert_int_equal(
        rwd_delivery_pause_ms(1000, 60000, 3, INT64_MAX, 0), 24 * 3600 * (int64_t)1000);
    /* A base above the longest pause, and none at all. */
    for (int n = 0; n < 1000; n++) {
        assert_in_range(rwd_delivery_pause_ms(5000, 1000, 1, -1, chance_u64(&chance)), 0, 1000);
        assert_in_range(
            rwd_delivery_pause_ms(INT64_MAX / 4, INT64_MAX / 2, 31, -1, chance_u64(&chance)), 0,
            INT64_MAX / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_breaker),
        cmocka_unit_test(what_answers_mean),
        cmocka_unit_test(pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
