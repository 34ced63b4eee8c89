/* Faults by name and count. */
#include "base/fault.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void errors_come_when_told(void **state)
{
    (void)state;
#if defined(RWD_FAULTS)
    bool once[4];
    bool later[4];
    for (int i = 0; i < 4; i++) {
        once[i] = RWD_FAULT_ERROR("once");
        later[i] = RWD_FAULT_ERROR("later");
        assert_false(RWD_FAULT_ERROR("on"));
        RWD_FAULT_POINT("once");
    }
    assert_true(once[0] && !once[1] && !once[2] && !once[3]);
    assert_true(!later[0] && !later[1] && later[2] && later[3]);
#else
    assert_false(RWD_FAULT_ERROR("once"));
#endif
}

static void kills_come_when_told(void **state)
{
    (void)state;
#if defined(RWD_FAULTS)
    pid_t child = fork();
    if (child == 0) {
        RWD_FAULT_POINT("kill");
        if (RWD_FAULT_ERROR("kill")) {
            _exit(1);
        }
        RWD_FAULT_POINT("kill");
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
#endif
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void slow_ones_take_their_time(void **state)
{
    (void)state;
#if defined(RWD_FAULTS)
    for (int i = 0; i < 2; i++) {
        int64_t began_ms = now_ms();
        RWD_FAULT_POINT("slow");
        assert_true(now_ms() - began_ms >= 20);
        assert_false(RWD_FAULT_ERROR("slow"));
    }
#else
    (void)now_ms();
#endif
}

/* Faults are read from the environment once, before anything else in this process. */
__attribute__((constructor)) static void set_environment(void)
{
    (void)setenv("REWARDD_FAULT", "once:error,later:error:3+,kill:kill:2,slow:slow:21", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_come_when_told),
        cmocka_unit_test(slow_ones_take_their_time),
        cmocka_unit_test(kills_come_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
