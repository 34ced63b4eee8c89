/* runtime/loop: timers, watches, turn ends and late frees. */
#include "base/memory.h"
#include "runtime/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct rwd_loop *loop;
    struct rwd_timer *timer;
    struct rwd_watch *watch;
    int pipe[2];
    char order[64];
    int fired;
    int stop_after;
    unsigned ready;
};

static void note(struct fixture *fixture, char what)
{
    size_t size = strlen(fixture->order);
    if (size < sizeof fixture->order - 1) {
        fixture->order[size] = what;
    }
}

static void on_timer(void *context)
{
    struct fixture *fixture = context;
    note(fixture, 't');
    if (++fixture->fired == fixture->stop_after) {
        rwd_loop_stop(fixture->loop);
    }
}

static void on_turn_end(void *context)
{
    note(context, 'e');
}

static void on_second_turn_end(void *context)
{
    note(context, 'f');
}

static void on_ready(void *context, int fd, unsigned ready)
{
    struct fixture *fixture = context;
    note(fixture, 'r');
    fixture->ready = ready;
    char byte = 0;
    if ((ready & RWD_WATCH_READ) != 0) {
        assert_int_equal(read(fd, &byte, 1), 1);
    }
    if (byte == 'd') {
        rwd_watch_destroy(fixture->watch);
        fixture->watch = NULL;
    }
}

static int set_up(void **state)
{
    struct fixture *fixture = rwd_new(sizeof *fixture);
    assert_int_equal(rwd_loop_create(&fixture->loop, NULL), RWD_OK);
    fixture->timer = rwd_timer_create(fixture->loop, on_timer, fixture);
    assert_int_equal(pipe(fixture->pipe), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    rwd_watch_destroy(fixture->watch);
    rwd_timer_destroy(fixture->timer);
    rwd_loop_destroy(fixture->loop);
    (void)close(fixture->pipe[0]);
    (void)close(fixture->pipe[1]);
    rwd_free(fixture);
    return 0;
}

static void timers_fire_once_or_always(void **state)
{
    struct fixture *fixture = *state;
    struct timespec began;
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    fixture->stop_after = 1;
    rwd_timer_start(fixture->timer, 5000);
    rwd_timer_start(fixture->timer, 20); /* moves it */
    rwd_loop_run(fixture->loop);
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t waited_ms =
        (now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000;
    assert_true(waited_ms >= 15 && waited_ms < 5000);
    rwd_loop_turn(fixture->loop, false);
    assert_int_equal(fixture->fired, 1);
    fixture->stop_after = 4;
    rwd_timer_start_periodic(fixture->timer, 1);
    rwd_loop_run(fixture->loop);
    assert_int_equal(fixture->fired, 4);
    rwd_timer_stop(fixture->timer);
    rwd_timer_stop(fixture->timer);
    /* A stop before run counts. */
    rwd_loop_stop(fixture->loop);
    rwd_loop_run(fixture->loop);
    assert_true(rwd_loop_now_ms(fixture->loop) > 0);
}

static void turns_end_after_all_callbacks(void **state)
{
    struct fixture *fixture = *state;
    rwd_loop_at_turn_end(fixture->loop, on_turn_end, fixture);
    rwd_loop_at_turn_end(fixture->loop, on_second_turn_end, fixture);
    fixture->watch =
        rwd_watch_create(fixture->loop, fixture->pipe[0], RWD_WATCH_READ, on_ready, fixture);
    assert_int_equal(write(fixture->pipe[1], "ab", 2), 2);
    rwd_loop_turn(fixture->loop, true);
    rwd_loop_turn(fixture->loop, true);
    rwd_loop_turn(fixture->loop, false);
    assert_string_equal(fixture->order, "refrefef");
    rwd_loop_forget_turn_end(fixture->loop, on_turn_end, fixture);
    rwd_loop_turn(fixture->loop, false);
    assert_string_equal(fixture->order, "refrefeff");
}

static void watches_change_and_die_inside_their_callback(void **state)
{
    struct fixture *fixture = *state;
    fixture->watch = rwd_watch_create(fixture->loop, fixture->pipe[0], 0, on_ready, fixture);
    assert_int_equal(write(fixture->pipe[1], "dd", 2), 2);
    rwd_loop_turn(fixture->loop, false);
    assert_string_equal(fixture->order, "");
    rwd_watch_change(fixture->watch, RWD_WATCH_READ);
    rwd_loop_turn(fixture->loop, true);
    assert_int_equal(fixture->ready, RWD_WATCH_READ);
    assert_null(fixture->watch);
    rwd_loop_turn(fixture->loop, false);
    assert_string_equal(fixture->order, "r");
    fixture->watch =
        rwd_watch_create(fixture->loop, fixture->pipe[1], RWD_WATCH_WRITE, on_ready, fixture);
    rwd_loop_turn(fixture->loop, true);
    assert_int_equal(fixture->ready, RWD_WATCH_WRITE);
}

static void deferred_memory_lives_through_the_next_turn(void **state)
{
    struct fixture *fixture = *state;
    char *memory = rwd_copy("x", 1);
    rwd_loop_defer_free(fixture->loop, memory);
    rwd_loop_turn(fixture->loop, false);
    assert_string_equal(memory, "x");
    rwd_loop_turn(fixture->loop, false);
    rwd_loop_defer_free(fixture->loop, rwd_copy("y", 1));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(timers_fire_once_or_always),
        CASE(turns_end_after_all_callbacks),
        CASE(watches_change_and_die_inside_their_callback),
        CASE(deferred_memory_lives_through_the_next_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
