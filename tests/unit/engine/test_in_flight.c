/*
 * A real process dies in a rule, and the next one reads of it.
 */
#include "engine/in_flight.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MINUTE_MS = 60 * 1000, SHARD = 3 };
static const int64_t begin_ms = 1763208000000;

struct folder {
    char path[64];
};

static struct folder make_folder(void)
{
    struct folder folder;
    (void)snprintf(folder.path, sizeof folder.path, "/tmp/in_flight.XXXXXX");
    assert_non_null(mkdtemp(folder.path));
    return folder;
}

static void remove_folder(const struct folder *folder)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/in_flight", folder->path);
    (void)unlink(path);
    assert_int_equal(rmdir(folder->path), 0);
}

static struct rwd_in_flight *open_at(const struct folder *folder, int64_t now_ms)
{
    struct rwd_in_flight *in_flight = NULL;
    struct rwd_error error;
    if (rwd_in_flight_open(folder->path, now_ms, &in_flight, &error) != RWD_OK) {
        fail_msg("%s", error.text);
    }
    return in_flight;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum death { EXIT, ABORT, FAULT, RAISE, KILL, OVERFLOW, OUTSIDE };

static int overflow(volatile char *above)
{
    volatile char here[4096];
    here[0] = above[0];
    /* Never 0, which the compiler does not know. */
    return here[0] == 0 ? 0 : overflow(here) + here[0];
}

static void die(enum death death)
{
    volatile char first = 1;
    volatile uintptr_t nowhere = 8;
    switch (death) {
    case ABORT:
    case OUTSIDE:
        abort();
    case FAULT:
        *(volatile int *)nowhere = 1;
        break;
    case RAISE:
        (void)raise(SIGFPE);
        break;
    case KILL:
        (void)kill(getpid(), SIGKILL);
        break;
    case OVERFLOW:
        _exit(overflow(&first));
    case EXIT:
        break;
    }
    _exit(0);
}

/* A life: rule version_no is called on SHARD while another shard is in rule 99; it ends like this.
 * Returns the signal that ended it. */
static int live(const struct folder *folder, uint32_t version_no, enum death death)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, STDERR_FILENO); /* a sanitizer's report of what is meant to happen */
        for (size_t i = 0; i < 5; i++) {
            static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
            (void)signal(signals[i], SIG_DFL); /* not cmocka's */
        }
        struct rwd_in_flight *in_flight = NULL;
        struct rwd_error error;
        if (rwd_in_flight_open(folder->path, wall_ms(), &in_flight, &error) != RWD_OK) {
            _exit(1);
        }
        rwd_in_flight_guard(in_flight, SHARD);
        atomic_store(rwd_in_flight_cell(in_flight, SHARD + 1), 99);
        atomic_store(rwd_in_flight_cell(in_flight, SHARD), death == OUTSIDE ? 0 : version_no);
        die(death);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void only_its_own_death_is_a_rules_crash(void **state)
{
    (void)state;
    static const struct {
        enum death death;
        int signal; /* 0: no crash of a rule */
    } rows[] = {{EXIT, 0}, {ABORT, SIGABRT}, {FAULT, SIGSEGV}, {RAISE, SIGFPE}, {KILL, 0},
        {OVERFLOW, SIGSEGV}, {OUTSIDE, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct folder folder = make_folder();
        int ended = live(&folder, 7, rows[i].death);
        if (rows[i].signal != 0) {
            assert_int_equal(ended, rows[i].signal);
        }
        struct rwd_in_flight *in_flight = open_at(&folder, wall_ms());
        struct rwd_in_flight_crash crash;
        assert_int_equal(rwd_in_flight_new_count(in_flight), rows[i].signal != 0 ? 1 : 0);
        assert_int_equal(rwd_in_flight_crash(in_flight, 0, &crash), rows[i].signal != 0);
        if (rows[i].signal != 0) {
            assert_int_equal(crash.version_no, 7);
            assert_int_equal(crash.shard, SHARD);
            assert_int_equal(crash.signal, rows[i].signal);
            assert_true(wall_ms() - crash.time_ms < MINUTE_MS);
        }
        assert_false(rwd_in_flight_crash(in_flight, 1, &crash));
        assert_int_equal(rwd_in_flight_next(in_flight, 0), 0);
        /* The cells are clear again, and a start without a crash adds none. */
        assert_int_equal(atomic_load(rwd_in_flight_cell(in_flight, SHARD)), 0);
        assert_int_equal(atomic_load(rwd_in_flight_cell(in_flight, SHARD + 1)), 0);
        rwd_in_flight_close(in_flight);
        in_flight = open_at(&folder, wall_ms());
        assert_int_equal(rwd_in_flight_new_count(in_flight), 0);
        rwd_in_flight_close(in_flight);
        remove_folder(&folder);
    }
}

static void two_crashes_within_the_window_are_quarantined_once(void **state)
{
    (void)state;
    struct folder folder = make_folder();
    assert_int_equal(live(&folder, 7, ABORT), SIGABRT);
    assert_int_equal(live(&folder, 5, ABORT), SIGABRT);
    struct rwd_in_flight *in_flight = open_at(&folder, wall_ms());
    assert_int_equal(rwd_in_flight_next(in_flight, 0), 0);
    rwd_in_flight_close(in_flight);
    assert_int_equal(live(&folder, 7, ABORT), SIGABRT);
    assert_int_equal(live(&folder, 5, ABORT), SIGABRT);
    /* Too long ago by now. */
    in_flight = open_at(&folder, wall_ms() + 11 * MINUTE_MS);
    assert_int_equal(rwd_in_flight_next(in_flight, 0), 0);
    rwd_in_flight_close(in_flight);
    in_flight = open_at(&folder, wall_ms());
    assert_int_equal(rwd_in_flight_next(in_flight, 0), 5);
    assert_int_equal(rwd_in_flight_next(in_flight, 5), 7);
    assert_int_equal(rwd_in_flight_next(in_flight, 7), 0);
    rwd_in_flight_settle(in_flight, 7);
    rwd_in_flight_close(in_flight);
    /* Settled is settled, over a start too; what is not is found again. */
    in_flight = open_at(&folder, wall_ms());
    assert_int_equal(rwd_in_flight_next(in_flight, 0), 5);
    assert_int_equal(rwd_in_flight_next(in_flight, 5), 0);
    struct rwd_in_flight_crash crash;
    assert_true(rwd_in_flight_crash(in_flight, 1, &crash));
    assert_int_equal(crash.version_no, 7);
    assert_true(crash.settled);
    rwd_in_flight_close(in_flight);
    /* Activated again, it takes two new crashes. */
    assert_int_equal(live(&folder, 7, ABORT), SIGABRT);
    in_flight = open_at(&folder, wall_ms());
    assert_int_equal(rwd_in_flight_next(in_flight, 5), 0);
    rwd_in_flight_close(in_flight);
    assert_int_equal(live(&folder, 7, ABORT), SIGABRT);
    in_flight = open_at(&folder, wall_ms());
    assert_int_equal(rwd_in_flight_next(in_flight, 5), 7);
    rwd_in_flight_close(in_flight);
    remove_folder(&folder);
}

static void history_is_a_ring(void **state)
{
    (void)state;
    enum { CRASH_COUNT = RWD_IN_FLIGHT_HISTORY_COUNT + 5 };
    struct folder folder = make_folder();
    for (uint32_t i = 1; i <= CRASH_COUNT; i++) {
        assert_int_equal(live(&folder, i, ABORT), SIGABRT);
    }
    struct rwd_in_flight *in_flight = open_at(&folder, wall_ms());
    struct rwd_in_flight_crash crash;
    uint32_t count = 0;
    while (rwd_in_flight_crash(in_flight, count, &crash)) {
        assert_int_equal(crash.version_no, CRASH_COUNT - count);
        count++;
    }
    assert_int_equal(count, RWD_IN_FLIGHT_HISTORY_COUNT);
    rwd_in_flight_close(in_flight);
    remove_folder(&folder);
}

static void a_file_that_is_not_ours_is_begun_anew(void **state)
{
    (void)state;
    static const char *const contents[] = {"", "x", "something else that is longer than a header"};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        struct folder folder = make_folder();
        char path[128];
        (void)snprintf(path, sizeof path, "%s/in_flight", folder.path);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        (void)fputs(contents[i], file);
        (void)fclose(file);
        struct rwd_in_flight *in_flight = open_at(&folder, begin_ms);
        struct rwd_in_flight_crash crash;
        assert_false(rwd_in_flight_crash(in_flight, 0, &crash));
        assert_int_equal(rwd_in_flight_next(in_flight, 0), 0);
        rwd_in_flight_close(in_flight);
        assert_int_equal(live(&folder, 2, ABORT), SIGABRT);
        in_flight = open_at(&folder, begin_ms);
        assert_int_equal(rwd_in_flight_new_count(in_flight), 1);
        rwd_in_flight_close(in_flight);
        remove_folder(&folder);
    }
    struct rwd_in_flight *in_flight = NULL;
    struct rwd_error error = {{0}};
    assert_int_equal(rwd_in_flight_open("/nowhere/at/all", 0, &in_flight, &error), RWD_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/nowhere/at/all/in_flight"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_own_death_is_a_rules_crash),
        cmocka_unit_test(two_crashes_within_the_window_are_quarantined_once),
        cmocka_unit_test(history_is_a_ring),
        cmocka_unit_test(a_file_that_is_not_ours_is_begun_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
