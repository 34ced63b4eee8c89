/* A thread has its name, its stack, and no signals. */
#include "runtime/thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    char name[16];
    size_t stack_size;
    sigset_t blocked;
};

static void look(void *context)
{
    struct seen *seen = context;
    pthread_attr_t attributes;
    (void)pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
    (void)pthread_getattr_np(pthread_self(), &attributes);
    (void)pthread_attr_getstacksize(&attributes, &seen->stack_size);
    (void)pthread_attr_destroy(&attributes);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
}

static void as_it_was_asked_for(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, (size_t)256 << 20};
    for (size_t i = 0; i < 2; i++) {
        struct seen seen = {0};
        struct rwd_thread thread;
        struct rwd_error error;
        sigset_t before;
        sigset_t after;
        (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
        assert_int_equal(
            rwd_thread_start(&thread, "a_name_that_is_too_long", sizes[i], look, &seen, &error),
            RWD_OK);
        rwd_thread_join(&thread);
        (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
        assert_string_equal(seen.name, "a_name_that_is_");
        assert_true(seen.stack_size >= sizes[i]);
        assert_int_equal(sigismember(&seen.blocked, SIGTERM), 1);
        assert_int_equal(sigismember(&seen.blocked, SIGINT), 1);
        assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
    }
}

static void too_much_is_an_answer(void **state)
{
    (void)state;
    struct rwd_thread thread;
    struct rwd_error error;
    assert_int_equal(
        rwd_thread_start(&thread, "huge", (size_t)1 << 60, look, NULL, &error), RWD_UNAVAILABLE);
    assert_non_null(strstr(error.text, "huge"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_it_was_asked_for),
        cmocka_unit_test(too_much_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
