/* Lines as they reach standard error: shape, level, suppression, cut. */
#include "base/log.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { CAPTURE_SIZE = 65536 };

static char captured[CAPTURE_SIZE];
static FILE *capture_file;
static int saved_fd;

static void capture_begin(void)
{
    capture_file = tmpfile();
    assert_non_null(capture_file);
    saved_fd = dup(STDERR_FILENO);
    assert_true(dup2(fileno(capture_file), STDERR_FILENO) >= 0);
}

static void capture_end(void)
{
    (void)dup2(saved_fd, STDERR_FILENO);
    (void)close(saved_fd);
    rewind(capture_file);
    captured[fread(captured, 1, sizeof captured - 1, capture_file)] = '\0';
    (void)fclose(capture_file);
}

static size_t lines(void)
{
    size_t count = 0;
    for (const char *at = captured; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    return count;
}

static void a_line_has_its_keys(void **state)
{
    (void)state;
    capture_begin();
    rwd_log(RWD_LOG_WARN, "test", "user=%s n=%d", "u1", 3);
    rwd_log(RWD_LOG_DEBUG, "test", "hidden=1");
    capture_end();
    assert_int_equal(lines(), 1);
    assert_memory_equal(captured, "ts=20", 5);
    assert_non_null(strstr(captured, " level=warn module=test user=u1 n=3\n"));
    enum rwd_log_level level = RWD_LOG_INFO;
    assert_int_equal(rwd_log_level_parse("debug", &level), RWD_OK);
    assert_int_equal(level, RWD_LOG_DEBUG);
    assert_int_equal(rwd_log_level_parse("loud", &level), RWD_INVALID);
    rwd_log_set_level(level);
    capture_begin();
    rwd_log(RWD_LOG_DEBUG, "test", "shown=1");
    capture_end();
    assert_int_equal(lines(), 1);
    rwd_log_set_level(RWD_LOG_INFO);
}

static void a_busy_site_is_suppressed_and_says_so(void **state)
{
    (void)state;
    struct rwd_log_site site = {0};
    /* All of it inside one second; where the second changed meanwhile, once more. */
    time_t began = 0;
    do {
        began = time(NULL);
        site = (struct rwd_log_site){0};
        capture_begin();
        for (int i = 0; i < 100; i++) {
            rwd_log_write(&site, RWD_LOG_INFO, "test", "i=%d", i);
        }
        capture_end();
    } while (time(NULL) != began);
    assert_int_equal(lines(), 10);
    assert_int_equal(site.suppressed, 90);
    site.second--; /* as if the next one came a second later */
    capture_begin();
    rwd_log_write(&site, RWD_LOG_INFO, "test", "again=1");
    capture_end();
    assert_int_equal(lines(), 1);
    assert_non_null(strstr(captured, "again=1 suppressed=90\n"));
}

static void a_long_line_is_cut_and_ends(void **state)
{
    (void)state;
    struct rwd_log_site site = {.second = 1, .suppressed = 4000000000U};
    capture_begin();
    rwd_log_write(&site, RWD_LOG_INFO, "test", "%5000d", 1);
    capture_end();
    assert_int_equal(lines(), 1);
    assert_true(strlen(captured) < 2048);
    assert_non_null(strstr(captured, " suppressed=4000000000\n"));
}

/* One line with one value; what stands behind "module=test ". */
RWD_PRINTF(1, 2)
static const char *said(const char *format, ...)
{
    struct rwd_log_site site = {0};
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    capture_begin();
    rwd_log_write(&site, RWD_LOG_INFO, "test", "id=%s n=%d msg=\"%s\"", text, 7, text);
    capture_end();
    assert_int_equal(lines(), 1);
    captured[strlen(captured) - 1] = '\0';
    return strstr(captured, "module=test ") + strlen("module=test ");
}

static void values_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(said("u_1/a.b@c"), "id=u_1/a.b@c n=7 msg=\"u_1/a.b@c\"");
    assert_string_equal(said("a b"), "id=\"a b\" n=7 msg=\"a b\"");
    assert_string_equal(said("a=b"), "id=\"a=b\" n=7 msg=\"a=b\"");
    assert_string_equal(said("%s", ""), "id=\"\" n=7 msg=\"\"");
    assert_string_equal(said("a\"b"), "id=\"a\\\"b\" n=7 msg=\"a\\\"b\"");
    assert_string_equal(said("a\\"), "id=\"a\\\\\" n=7 msg=\"a\\\\\"");
    assert_string_equal(said("a\nb\rc\td"), "id=\"a\\nb\\rc\\td\" n=7 msg=\"a\\nb\\rc\\td\"");
    assert_string_equal(said("\x1b[2J\x7f"), "id=\"\\x1b[2J\\x7f\" n=7 msg=\"\\x1b[2J\\x7f\"");
    /* UTF-8 is kept; C1 controls, and what only looks like it, are not. */
    assert_string_equal(said("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"),
        "id=\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\" n=7 "
        "msg=\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\"");
    assert_string_equal(
        said("\xc2\x9b\xff\xc3"), "id=\"\\xc2\\x9b\\xff\\xc3\" n=7 msg=\"\\xc2\\x9b\\xff\\xc3\"");
}

/* What an attacker would send to forge keys, lines, or the end of the quotes. */
static void a_value_forges_nothing(void **state)
{
    (void)state;
    static const char forged[] =
        "x\" level=error msg=\"owned\"\nts=2025-01-01T00:00:00.000Z level=info";
    assert_string_equal(said("%s", forged),
        "id=\"x\\\" level=error msg=\\\"owned\\\"\\nts=2025-01-01T00:00:00.000Z level=info\" n=7 "
        "msg=\"x\\\" level=error msg=\\\"owned\\\"\\nts=2025-01-01T00:00:00.000Z level=info\"");
}

static void every_conversion_is_known(void **state)
{
    (void)state;
    struct rwd_log_site site = {0};
    capture_begin();
    rwd_log_write(&site, RWD_LOG_INFO, "test", "a=%d b=%u c=%x d=%5d e=%05u f=%-1d", -12, 12U,
        0xabU, 7, 7U, 1);
    rwd_log_write(&site, RWD_LOG_INFO, "test", "a=%ld b=%lu c=%lld d=%llu e=%zu f=%016llx g=%zd %%",
        -1L, 1UL, -9223372036854775807LL - 1, 18446744073709551615ULL, (size_t)3, 0xabcULL,
        (ssize_t)-4);
    rwd_log_write(
        &site, RWD_LOG_INFO, "test", "a=%.2s b=%.*s c=%.*s d=%s", "xyz", 1, "xyz", 0, "", "end");
    capture_end();
    assert_non_null(strstr(captured, " a=-12 b=12 c=ab d=    7 e=00007 f=%?\n"));
    assert_non_null(strstr(captured,
        " a=-1 b=1 c=-9223372036854775808 d=18446744073709551615 e=3 f=0000000000000abc g=-4 %\n"));
    assert_non_null(strstr(captured, " a=xy b=x c=\"\" d=end\n"));
}

/* However long: cut between two characters or escapes, and the quotes are closed. */
static void a_cut_value_ends_its_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *piece;
        const char *logged;
    } cases[] = {{"x", "x"}, {"\n", "\\n"}, {"\x01", "\\x01"}, {"\"", "\\\""},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"}};
    for (size_t i = 0; i < 8 * sizeof cases / sizeof cases[0]; i++) {
        const char *piece = cases[i / 8].piece;
        const char *logged = cases[i / 8].logged;
        struct rwd_buffer text = {0};
        for (size_t shift = 0; shift < i % 8; shift++) {
            rwd_buffer_put_char(&text, '-');
        }
        while (text.size < 2500) {
            rwd_buffer_put_string(&text, piece);
        }
        struct rwd_log_site site = {.second = 1, .suppressed = 4000000000U};
        capture_begin();
        rwd_log_write(
            &site, RWD_LOG_INFO, "test", "msg=\"%s\" never=1", rwd_buffer_c_string(&text));
        capture_end();
        rwd_buffer_finish(&text);
        assert_int_equal(lines(), 1);
        assert_true(strlen(captured) <= 2048 && strlen(captured) > 2048 - 48);
        const char *end = strstr(captured, "...\" suppressed=4000000000\n");
        assert_non_null(end);
        assert_memory_equal(end - strlen(logged), logged, strlen(logged));
        assert_null(strstr(captured, "never"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_its_keys),
        cmocka_unit_test(a_busy_site_is_suppressed_and_says_so),
        cmocka_unit_test(a_long_line_is_cut_and_ends),
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(a_value_forges_nothing),
        cmocka_unit_test(every_conversion_is_known),
        cmocka_unit_test(a_cut_value_ends_its_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
