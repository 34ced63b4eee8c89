/*
 * Amounts: digits in, minor units out, and never a rounding nobody asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "domain/money.h"
#include "domain/reward.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct rwd_currency currency(const char *code)
{
    struct rwd_currency parsed;
    assert_int_equal(rwd_currency_parse(rwd_text_of(code), &parsed), RWD_OK);
    assert_string_equal(parsed.code, code);
    return parsed;
}

static void currencies(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        unsigned exponent;
    } known[] = {{"EUR", 2}, {"USD", 2}, {"TRY", 2}, {"JPY", 0}, {"KRW", 0}, {"KWD", 3}, {"BHD", 3},
        {"CLF", 4}, {"UYW", 4}, {"AED", 2}, {"ZWG", 2}, {"XOF", 0}, {"XCG", 2}, {"ISK", 0}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        assert_int_equal(rwd_currency_exponent(currency(known[i].code)), known[i].exponent);
    }
    static const char *const unknown[] = {
        "", "E", "EU", "EURO", "eur", "Eur", "XXX", "XAU", "XTS", "DEM", "HRK", "AAA", "ZZZ", "€"};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        struct rwd_currency parsed;
        assert_int_equal(rwd_currency_parse(rwd_text_of(unknown[i]), &parsed), RWD_INVALID);
    }
    assert_int_equal(rwd_currency_exponent((struct rwd_currency){0}), 0);
    assert_true(rwd_currency_equal(currency("EUR"), currency("EUR")));
    assert_false(rwd_currency_equal(currency("EUR"), currency("USD")));
}

struct money_case {
    const char *text;
    const char *code;
    enum rwd_status status;
    int64_t minor;
};

static const struct money_case money_cases[] = {
    {"0", "EUR", RWD_OK, 0},
    {"-0", "EUR", RWD_OK, 0},
    {"0.00", "EUR", RWD_OK, 0},
    {"2", "EUR", RWD_OK, 200},
    {"2.00", "EUR", RWD_OK, 200},
    {"-0.5", "EUR", RWD_OK, -50},
    {"0.5", "EUR", RWD_OK, 50},
    {"1.25", "EUR", RWD_OK, 125},
    {"2.000000", "EUR", RWD_OK, 200},
    {"1e2", "EUR", RWD_OK, 10000},
    {"1E+2", "EUR", RWD_OK, 10000},
    {"125e-2", "EUR", RWD_OK, 125},
    {"0.0125e2", "EUR", RWD_OK, 125},
    {"1000e-3", "EUR", RWD_OK, 100},
    {"0e99999999999999999999", "EUR", RWD_OK, 0},
    {"0.000e-500", "EUR", RWD_OK, 0},
    {"0.1", "EUR", RWD_OK, 10},
    {"0.29", "EUR", RWD_OK, 29},
    {"1.15", "EUR", RWD_OK, 115},
    {"4503599627370497.01", "EUR", RWD_OK, INT64_C(450359962737049701)},
    {"92233720368547758.07", "EUR", RWD_OK, INT64_MAX},
    {"-92233720368547758.08", "EUR", RWD_OK, INT64_MIN},
    {"92233720368547758.08", "EUR", RWD_LIMIT, 0},
    {"-92233720368547758.09", "EUR", RWD_LIMIT, 0},
    {"1e17", "EUR", RWD_LIMIT, 0},
    {"1e16", "EUR", RWD_OK, INT64_C(1000000000000000000)},
    {"1e999999999999", "EUR", RWD_LIMIT, 0},
    {"184467440737095516.16", "EUR", RWD_LIMIT, 0},
    {"99999999999999999999999", "EUR", RWD_LIMIT, 0},
    {"0.005", "EUR", RWD_INVALID, 0},
    {"1.001", "EUR", RWD_INVALID, 0},
    {"1e-3", "EUR", RWD_INVALID, 0},
    {"1e-999999999999", "EUR", RWD_INVALID, 0},
    {"100", "JPY", RWD_OK, 100},
    {"100.0", "JPY", RWD_OK, 100},
    {"100.5", "JPY", RWD_INVALID, 0},
    {"15e-1", "JPY", RWD_INVALID, 0},
    {"1.234", "KWD", RWD_OK, 1234},
    {"1.2345", "KWD", RWD_INVALID, 0},
    {"0.0001", "CLF", RWD_OK, 1},
    {"", "EUR", RWD_INVALID, 0},
    {"-", "EUR", RWD_INVALID, 0},
    {"+1", "EUR", RWD_INVALID, 0},
    {".5", "EUR", RWD_INVALID, 0},
    {"5.", "EUR", RWD_INVALID, 0},
    {"01", "EUR", RWD_INVALID, 0},
    {"1,5", "EUR", RWD_INVALID, 0},
    {"1 ", "EUR", RWD_INVALID, 0},
    {" 1", "EUR", RWD_INVALID, 0},
    {"1e", "EUR", RWD_INVALID, 0},
    {"1e+", "EUR", RWD_INVALID, 0},
    {"e1", "EUR", RWD_INVALID, 0},
    {"0x10", "EUR", RWD_INVALID, 0},
    {"1.2.3", "EUR", RWD_INVALID, 0},
    {"NaN", "EUR", RWD_INVALID, 0},
    {"--1", "EUR", RWD_INVALID, 0},
    {"1e2e3", "EUR", RWD_INVALID, 0},
    {"1.5EUR", "EUR", RWD_INVALID, 0},
    {"-.5", "EUR", RWD_INVALID, 0},
};

static void money_is_parsed_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(money_cases); i++) {
        const struct money_case *expected = &money_cases[i];
        int64_t minor = 77;
        enum rwd_status status =
            rwd_money_parse(rwd_text_of(expected->text), currency(expected->code), &minor);
        if (status != expected->status || (status == RWD_OK && minor != expected->minor)) {
            fail_msg("\"%s\" %s: %s, %lld", expected->text, expected->code, rwd_status_name(status),
                (long long)minor);
        }
    }
}

static void money_is_formatted(void **state)
{
    (void)state;
    static const struct {
        int64_t minor;
        const char *code;
        const char *text;
    } cases[] = {{200, "EUR", "2.00"}, {0, "EUR", "0.00"}, {5, "EUR", "0.05"}, {-5, "EUR", "-0.05"},
        {-12345, "EUR", "-123.45"}, {100, "JPY", "100"}, {0, "JPY", "0"}, {-7, "JPY", "-7"},
        {1234, "KWD", "1.234"}, {1, "CLF", "0.0001"}, {INT64_MAX, "EUR", "92233720368547758.07"},
        {INT64_MIN, "EUR", "-92233720368547758.08"}, {INT64_MIN, "JPY", "-9223372036854775808"},
        {INT64_MIN, "CLF", "-922337203685477.5808"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[RWD_MONEY_TEXT_SIZE];
        rwd_money_format(cases[i].minor, currency(cases[i].code), text);
        assert_string_equal(text, cases[i].text);
    }
}

/* format and parse undo one another, over amounts of every size. */
static void money_round_trips(void **state)
{
    (void)state;
    static const char *const codes[] = {"JPY", "EUR", "KWD", "CLF"};
    uint64_t seed = 7;
    for (int i = 0; i < 100000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        int64_t minor = (int64_t)seed >> (i % 64);
        int64_t again = 0;
        char text[RWD_MONEY_TEXT_SIZE];
        struct rwd_currency of = currency(codes[i % 4]);
        rwd_money_format(minor, of, text);
        assert_int_equal(rwd_money_parse(rwd_text_of(text), of, &again), RWD_OK);
        assert_int_equal(again, minor);
    }
}

static void decimals_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned scale;
        int64_t value;
    } cases[] = {{"1.239", 2, 123}, {"-1.239", 2, -123}, {"0.009", 2, 0}, {"-0.009", 2, 0},
        {"12", 0, 12}, {"12.9", 0, 12}, {"0.15e-1", 0, 0}, {"15e-1", 0, 1}, {"1.5e-1", 1, 1},
        {"123.456", 1, 1234}, {"1e3", 4, 10000000}, {"1e400", 2, INT64_MAX},
        {"-1e400", 2, INT64_MIN}, {"1e-400", 6, 0}, {"0e400", 6, 0},
        {"9223372036854775807", 0, INT64_MAX}, {"9223372036854775808", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN}, {"-9223372036854775809", 0, INT64_MIN},
        {"9223372036854.775807", 6, INT64_MAX}, {"10", 18, INT64_MAX},
        {"9", 18, INT64_C(9000000000000000000)}, {"99999999999999999999999e-20", 2, 99999},
        {"1e20", 0, INT64_MAX}, {"100.00", 0, 100}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t value = 0;
        assert_int_equal(
            rwd_decimal_scaled(rwd_text_of(cases[i].text), cases[i].scale, &value), RWD_OK);
        if (value != cases[i].value) {
            fail_msg("%s: %lld", cases[i].text, (long long)value);
        }
    }
    int64_t value = 0;
    assert_int_equal(rwd_decimal_scaled(RWD_TEXT("1."), 2, &value), RWD_INVALID);
    assert_int_equal(rwd_decimal_scaled(RWD_TEXT("x"), 2, &value), RWD_INVALID);
    assert_int_equal(rwd_decimal_scaled((struct rwd_text){0}, 2, &value), RWD_INVALID);
}

static void reward_kinds(void **state)
{
    (void)state;
    for (int i = 0; i < RWD_REWARD_KIND_COUNT; i++) {
        enum rwd_reward_kind kind = RWD_REWARD_POINTS;
        const char *name = rwd_reward_kind_name((enum rwd_reward_kind)i);
        assert_int_equal(rwd_reward_kind_parse(rwd_text_of(name), &kind), RWD_OK);
        assert_int_equal(kind, i);
    }
    enum rwd_reward_kind kind;
    assert_string_equal(rwd_reward_kind_name(RWD_REWARD_BONUS_CASH), "bonus_cash");
    assert_int_equal(rwd_reward_kind_parse(RWD_TEXT("Cash"), &kind), RWD_INVALID);
    assert_int_equal(rwd_reward_kind_parse(RWD_TEXT(""), &kind), RWD_INVALID);
}

static void amounts_by_currency(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *code;
        enum rwd_status status;
        int64_t minor;
    } rows[] = {
        {"50.00", "EUR", RWD_OK, 5000},
        {"50.00", "JPY", RWD_OK, 50},
        {"50.00", "KWD", RWD_OK, 50000},
        {"49.99", "EUR", RWD_OK, 4999},
        {"49.99", "JPY", RWD_NOT_FOUND, 0},
        {"EUR:50.00,JPY:8000", "EUR", RWD_OK, 5000},
        {"EUR:50.00,JPY:8000", "JPY", RWD_OK, 8000},
        {" EUR : 50.00 , JPY : 8000 ", "JPY", RWD_OK, 8000},
        {"EUR:50.00,JPY:8000", "GBP", RWD_NOT_FOUND, 0},
        {"40.5,JPY:8000", "JPY", RWD_OK, 8000},
        {"JPY:8000,40.5", "JPY", RWD_OK, 8000},
        {"JPY:8000,40.5", "GBP", RWD_OK, 4050},
        {"0", "EUR", RWD_OK, 0},
        {"", "EUR", RWD_INVALID, 0},
        {" ", "EUR", RWD_INVALID, 0},
        {",", "EUR", RWD_INVALID, 0},
        {"50.00,", "EUR", RWD_INVALID, 0},
        {"fifty", "EUR", RWD_INVALID, 0},
        {"-1", "EUR", RWD_INVALID, 0},
        {"EUR:-1", "EUR", RWD_INVALID, 0},
        {"EUR:", "EUR", RWD_INVALID, 0},
        {":5", "EUR", RWD_INVALID, 0},
        {"EURO:5", "EUR", RWD_INVALID, 0},
        {"EUR:5,JPY:0.5", "EUR", RWD_INVALID, 0},
        {"EUR 5", "EUR", RWD_INVALID, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t minor = 0;
        enum rwd_status status =
            rwd_money_listed(rwd_text_of(rows[i].list), currency(rows[i].code), &minor);
        if (status != rows[i].status || (status == RWD_OK && minor != rows[i].minor)) {
            fail_msg("\"%s\" for %s: %s, %lld", rows[i].list, rows[i].code, rwd_status_name(status),
                (long long)minor);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(currencies),
        cmocka_unit_test(amounts_by_currency),
        cmocka_unit_test(money_is_parsed_exactly),
        cmocka_unit_test(money_is_formatted),
        cmocka_unit_test(money_round_trips),
        cmocka_unit_test(decimals_are_cut),
        cmocka_unit_test(reward_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
