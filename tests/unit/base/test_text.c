/* Slices and buffers. */
#include "base/text.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void compares(void **state)
{
    (void)state;
    assert_true(rwd_text_equal(RWD_TEXT(""), (struct rwd_text){0}));
    assert_true(rwd_text_is(RWD_TEXT("a"), "a"));
    assert_false(rwd_text_is(RWD_TEXT("a"), "ab"));
    assert_false(rwd_text_is(RWD_TEXT("a\0b"), "a"));
    assert_true(rwd_text_compare(RWD_TEXT("a"), RWD_TEXT("ab")) < 0);
    assert_true(rwd_text_compare(RWD_TEXT("b"), RWD_TEXT("ab")) > 0);
    assert_true(rwd_text_compare(RWD_TEXT("\xff"), RWD_TEXT("a")) > 0);
    assert_int_equal(rwd_text_compare(RWD_TEXT("ab"), RWD_TEXT("ab")), 0);
    assert_true(rwd_text_compare((struct rwd_text){0}, RWD_TEXT("a")) < 0);
    assert_int_equal(rwd_text_of(NULL).size, 0);
}

static void reads_numbers_strictly(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_true(rwd_text_to_u64(RWD_TEXT("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(rwd_text_to_u64(RWD_TEXT("007"), &value));
    assert_int_equal(value, 7);
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1e3", "1.0",
        "18446744073709551616", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(rwd_text_to_u64(rwd_text_of(bad[i]), &value));
    }
    assert_false(rwd_text_to_u64(RWD_TEXT("1\0"), &value));
    assert_int_equal(value, 7);
}

static void buffers_grow(void **state)
{
    (void)state;
    struct rwd_buffer buffer = {0};
    rwd_buffer_put(&buffer, NULL, 0);
    assert_string_equal(rwd_buffer_c_string(&buffer), "");
    rwd_buffer_put_i64(&buffer, INT64_MIN);
    rwd_buffer_put_char(&buffer, ' ');
    rwd_buffer_put_u64(&buffer, 0);
    rwd_buffer_put_hex(&buffer, "\x00\xaf", 2);
    rwd_buffer_put_format(&buffer, "%s%d", "x", 5);
    assert_string_equal(rwd_buffer_c_string(&buffer), "-9223372036854775808 000afx5");
    for (int i = 0; i < 1000; i++) {
        rwd_buffer_put_string(&buffer, "0123456789");
    }
    assert_int_equal(buffer.size, 28 + 10000);
    assert_int_equal(strlen(rwd_buffer_c_string(&buffer)), buffer.size);
    rwd_buffer_finish(&buffer);
    assert_null(buffer.data);
}

static void json_is_escaped_and_repaired(void **state)
{
    (void)state;
    static const struct {
        struct rwd_text text;
        const char *json;
    } cases[] = {{RWD_TEXT("a\"\\\n\t\x01\x7f"), "\"a\\\"\\\\\\n\\u0009\\u0001\\u007f\""},
        {RWD_TEXT("\0"), "\"\\u0000\""},
        {RWD_TEXT("\xc3\xa4\xf0\x9f\x98\x80"), "\"\xc3\xa4\xf0\x9f\x98\x80\""},
        {RWD_TEXT("\xff"), "\"\xef\xbf\xbd\""}, {RWD_TEXT("\xc3"), "\"\xef\xbf\xbd\""},
        {RWD_TEXT("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {RWD_TEXT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {RWD_TEXT("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {RWD_TEXT(""), "\"\""}};
    struct rwd_buffer buffer = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer.size = 0;
        rwd_buffer_put_json(&buffer, cases[i].text);
        assert_string_equal(rwd_buffer_c_string(&buffer), cases[i].json);
    }
    rwd_buffer_finish(&buffer);
}

static void statuses_have_names_and_texts(void **state)
{
    (void)state;
    assert_string_equal(rwd_status_name(RWD_OK), "ok");
    assert_string_equal(rwd_status_name(RWD_NOT_FOUND), "not_found");
    assert_string_equal(rwd_status_name(RWD_CORRUPT), "corrupt");
    assert_string_equal(rwd_status_name((enum rwd_status)99), "unknown");
    struct rwd_error error;
    assert_int_equal(rwd_fail(&error, RWD_LIMIT, "%d of %d", 3, 2), RWD_LIMIT);
    assert_string_equal(error.text, "3 of 2");
    assert_int_equal(rwd_fail(&error, RWD_LIMIT, "%1000d", 3), RWD_LIMIT);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_int_equal(rwd_fail(NULL, RWD_BUSY, "x"), RWD_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(reads_numbers_strictly),
        cmocka_unit_test(buffers_grow),
        cmocka_unit_test(json_is_escaped_and_repaired),
        cmocka_unit_test(statuses_have_names_and_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
