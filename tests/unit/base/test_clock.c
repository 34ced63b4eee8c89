/* RFC 3339 both ways. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void reads_date_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t time_ms;
    } cases[] = {{"1970-01-01T00:00:00Z", 0}, {"2025-10-24T11:37:21Z", 1761305841000},
        {"2025-10-24t13:37:21.5+02:00", 1761305841500},
        {"2025-10-24T06:07:21.0019-05:30", 1761305841001}, {"2024-02-29T00:00:00z", 1709164800000},
        {"2000-02-29T23:59:59.999Z", 951868799999}, {"2016-12-31T23:59:60Z", 1483228800000},
        {"9999-12-31T23:59:59.999Z", 253402300799999}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t time_ms = -1;
        assert_true(rwd_time_parse(rwd_text_of(cases[i].text), &time_ms));
        assert_true(time_ms == cases[i].time_ms);
    }
    static const char *const bad[] = {"", "2025-10-24", "2025-10-24 11:37:21Z",
        "2025-10-24T11:37:21", "2025-10-24T11:37Z", "2025-13-01T00:00:00Z", "2025-00-01T00:00:00Z",
        "2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2025-04-31T00:00:00Z",
        "2025-01-00T00:00:00Z", "2025-01-01T24:00:00Z", "2025-01-01T00:60:00Z",
        "2025-01-01T00:00:61Z", "2025-01-01T00:00:00.Z", "2025-01-01T00:00:00+0100",
        "2025-01-01T00:00:00+24:00", "2025-01-01T00:00:00ZZ", "+025-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01",
        "2025-01-01T00:00:00.123456789012345678901Z", "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t time_ms = 0;
        if (rwd_time_parse(rwd_text_of(bad[i]), &time_ms)) {
            fail_msg("%s is accepted", bad[i]);
        }
    }
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    char text[RWD_TIME_TEXT_SIZE];
    rwd_time_format(1761305841000, text);
    assert_string_equal(text, "2025-10-24T11:37:21Z");
    rwd_time_format(1761305841007, text);
    assert_string_equal(text, "2025-10-24T11:37:21.007Z");
    rwd_time_format(-1, text);
    assert_string_equal(text, "invalid");
    rwd_time_format(INT64_MAX, text);
    assert_string_equal(text, "invalid");
    for (int64_t time_ms = 0; time_ms < 253402300800000; time_ms += 12345678901) {
        int64_t again = -1;
        rwd_time_format(time_ms, text);
        assert_true(rwd_time_parse(rwd_text_of(text), &again) && again == time_ms);
    }
}

static int64_t fixed(void *context)
{
    return *(int64_t *)context;
}

static void clocks_are_a_seam(void **state)
{
    (void)state;
    int64_t time = 5;
    struct rwd_clock clock = {.wall_ms = fixed, .monotonic_ns = fixed, .context = &time};
    assert_int_equal(rwd_clock_wall_ms(&clock), 5);
    assert_int_equal(rwd_clock_monotonic_ns(&clock), 5);
    clock = rwd_clock_system();
    assert_true(rwd_clock_wall_ms(&clock) > 1700000000000);
    int64_t before = rwd_clock_monotonic_ns(&clock);
    assert_true(rwd_clock_monotonic_ns(&clock) >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_date_times),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(clocks_are_a_seam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
