/* Lines as they reach standard error: shape, level, suppression, cut. */
#include "base/log.h"

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

/* A value from outside must not make a second line, which could say anything. */
static void a_line_break_in_a_value_makes_no_line(void **state)
{
    (void)state;
    capture_begin();
    rwd_log(RWD_LOG_INFO, "test", "agent=\"%s\"", "a\nts=forged\r\x1b[2J");
    capture_end();
    assert_int_equal(lines(), 1);
    assert_null(strchr(captured, '\r'));
    assert_null(strchr(captured, '\x1b'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_its_keys),
        cmocka_unit_test(a_busy_site_is_suppressed_and_says_so),
        cmocka_unit_test(a_long_line_is_cut_and_ends),
        cmocka_unit_test(a_line_break_in_a_value_makes_no_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
