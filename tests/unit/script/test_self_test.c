/*
 * Every attack ends as it must, in bounded time, and the self-test as a whole is quick enough for
 * every start.
 */
#include "script/self_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

/* Of this thread: other work on the machine is not the sandbox's. */
static double cpu_ms(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void each_attack_ends_in_time(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < rwd_attack_count; i++) {
        struct rwd_error error = {{0}};
        double start = cpu_ms();
        enum rwd_status status = rwd_attack_run(&rwd_attacks[i], &error);
        double took = cpu_ms() - start;
        if (status != RWD_OK || took >= 25) {
            print_error("%s: %.1f ms; %s\n", rwd_attacks[i].name, took, error.text);
            wrong++;
        }
        if (took > 2) {
            print_message("%s: %.1f ms\n", rwd_attacks[i].name, took);
        }
    }
    assert_int_equal(wrong, 0);
    assert_true(rwd_attack_count >= 60);
}

static void the_self_test_is_quick(void **state)
{
    (void)state;
    struct rwd_error error = {{0}};
    double start = cpu_ms();
    assert_int_equal(rwd_sandbox_self_test(&error), RWD_OK);
    double took = cpu_ms() - start;
    print_message("self-test: %.1f ms\n", took);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(took < 100);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_attack_ends_in_time),
        cmocka_unit_test(the_self_test_is_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
