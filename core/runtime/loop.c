#include "runtime/loop.h"

#include "base/check.h"
#include "base/memory.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stddef.h>
#include <time.h>

enum { TIMER_MAGIC = 0x74696d65, WATCH_MAGIC = 0x77617463 };

struct turn_end {
    rwd_loop_callback *callback;
    void *context;
};

/* Memory waiting for the turn after the one it was given in. */
struct dead_list {
    void **items;
    size_t count;
    size_t capacity;
};

struct rwd_loop {
    struct event_base *base;
    struct turn_end *turn_ends;
    size_t turn_end_count;
    size_t turn_end_capacity;
    struct dead_list dead_now;
    struct dead_list dead_before;
    bool stopping;
};

struct rwd_timer {
    uint32_t magic;
    struct rwd_loop *loop;
    rwd_loop_callback *callback;
    void *context;
    struct event event;
};

struct rwd_watch {
    uint32_t magic;
    struct rwd_loop *loop;
    rwd_watch_callback *callback;
    void *context;
    int fd;
    struct event event;
};

enum rwd_status rwd_loop_create(struct rwd_loop **loop, struct rwd_error *error)
{
    struct event_config *config = event_config_new();
    RWD_REQUIRE(config != NULL);
    /* One thread per base: its locks would only cost. */
    RWD_REQUIRE(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    if (base == NULL) {
        return rwd_fail(error, RWD_UNAVAILABLE, "no event loop: the system gave no descriptor");
    }
    *loop = rwd_new(sizeof **loop);
    (*loop)->base = base;
    return RWD_OK;
}

static void bury(struct dead_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        rwd_free(list->items[i]);
    }
    list->count = 0;
}

void rwd_loop_destroy(struct rwd_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    event_base_free(loop->base);
    bury(&loop->dead_before);
    bury(&loop->dead_now);
    rwd_free(loop->dead_before.items);
    rwd_free(loop->dead_now.items);
    rwd_free(loop->turn_ends);
    rwd_free(loop);
}

void rwd_loop_turn(struct rwd_loop *loop, bool wait)
{
    int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | (wait ? 0 : EVLOOP_NONBLOCK);
    RWD_REQUIRE(event_base_loop(loop->base, flags) >= 0);
    for (size_t i = 0; i < loop->turn_end_count; i++) {
        loop->turn_ends[i].callback(loop->turn_ends[i].context);
    }
    bury(&loop->dead_before);
    struct dead_list empty = loop->dead_before;
    loop->dead_before = loop->dead_now;
    loop->dead_now = empty;
}

void rwd_loop_run(struct rwd_loop *loop)
{
    while (!loop->stopping) {
        rwd_loop_turn(loop, true);
    }
    loop->stopping = false;
}

void rwd_loop_stop(struct rwd_loop *loop)
{
    loop->stopping = true;
}

int64_t rwd_loop_now_ms(const struct rwd_loop *loop)
{
    (void)loop;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void rwd_loop_at_turn_end(struct rwd_loop *loop, rwd_loop_callback *callback, void *context)
{
    loop->turn_ends = rwd_room_for(
        loop->turn_ends, loop->turn_end_count, &loop->turn_end_capacity, sizeof loop->turn_ends[0]);
    loop->turn_ends[loop->turn_end_count++] =
        (struct turn_end){.callback = callback, .context = context};
}

void rwd_loop_forget_turn_end(struct rwd_loop *loop, rwd_loop_callback *callback, void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < loop->turn_end_count; i++) {
        if (loop->turn_ends[i].callback != callback || loop->turn_ends[i].context != context) {
            loop->turn_ends[kept++] = loop->turn_ends[i];
        }
    }
    loop->turn_end_count = kept;
}

void rwd_loop_defer_free(struct rwd_loop *loop, void *memory)
{
    struct dead_list *list = &loop->dead_now;
    list->items = rwd_room_for(list->items, list->count, &list->capacity, sizeof list->items[0]);
    list->items[list->count++] = memory;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct rwd_timer *timer = context;
    RWD_REQUIRE(timer->magic == TIMER_MAGIC);
    timer->callback(timer->context);
}

struct rwd_timer *rwd_timer_create(
    struct rwd_loop *loop, rwd_loop_callback *callback, void *context)
{
    struct rwd_timer *timer = rwd_new(sizeof *timer);
    *timer = (struct rwd_timer){
        .magic = TIMER_MAGIC, .loop = loop, .callback = callback, .context = context};
    RWD_REQUIRE(event_assign(&timer->event, loop->base, -1, 0, on_timer, timer) == 0);
    return timer;
}

static void timer_add(struct rwd_timer *timer, int64_t delay_ms, short flags)
{
    if (delay_ms < 0) {
        delay_ms = 0;
    }
    struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000};
    (void)event_del(&timer->event);
    RWD_REQUIRE(event_assign(&timer->event, timer->loop->base, -1, flags, on_timer, timer) == 0);
    RWD_REQUIRE(event_add(&timer->event, &delay) == 0);
}

void rwd_timer_start(struct rwd_timer *timer, int64_t delay_ms)
{
    timer_add(timer, delay_ms, 0);
}

void rwd_timer_start_periodic(struct rwd_timer *timer, int64_t period_ms)
{
    timer_add(timer, period_ms, EV_PERSIST);
}

void rwd_timer_stop(struct rwd_timer *timer)
{
    (void)event_del(&timer->event);
}

void rwd_timer_destroy(struct rwd_timer *timer)
{
    if (timer == NULL) {
        return;
    }
    RWD_REQUIRE(timer->magic == TIMER_MAGIC);
    (void)event_del(&timer->event);
    timer->magic = 0;
    rwd_loop_defer_free(timer->loop, timer);
}

static void on_ready(evutil_socket_t fd, short what, void *context)
{
    struct rwd_watch *watch = context;
    RWD_REQUIRE(watch->magic == WATCH_MAGIC);
    unsigned ready = ((what & EV_READ) != 0 ? RWD_WATCH_READ : 0U) |
                     ((what & EV_WRITE) != 0 ? RWD_WATCH_WRITE : 0U);
    watch->callback(watch->context, fd, ready);
}

void rwd_watch_change(struct rwd_watch *watch, unsigned events)
{
    RWD_REQUIRE(watch->magic == WATCH_MAGIC);
    short flags = (short)(EV_PERSIST | ((events & RWD_WATCH_READ) != 0 ? EV_READ : 0) |
                          ((events & RWD_WATCH_WRITE) != 0 ? EV_WRITE : 0));
    (void)event_del(&watch->event);
    if (events != 0) {
        RWD_REQUIRE(
            event_assign(&watch->event, watch->loop->base, watch->fd, flags, on_ready, watch) == 0);
        RWD_REQUIRE(event_add(&watch->event, NULL) == 0);
    }
}

struct rwd_watch *rwd_watch_create(
    struct rwd_loop *loop, int fd, unsigned events, rwd_watch_callback *callback, void *context)
{
    struct rwd_watch *watch = rwd_new(sizeof *watch);
    *watch = (struct rwd_watch){
        .magic = WATCH_MAGIC, .loop = loop, .callback = callback, .context = context, .fd = fd};
    RWD_REQUIRE(event_assign(&watch->event, loop->base, fd, EV_PERSIST, on_ready, watch) == 0);
    rwd_watch_change(watch, events);
    return watch;
}

void rwd_watch_destroy(struct rwd_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    RWD_REQUIRE(watch->magic == WATCH_MAGIC);
    (void)event_del(&watch->event);
    watch->magic = 0;
    rwd_loop_defer_free(watch->loop, watch);
}

struct event_base *rwd_loop_base(struct rwd_loop *loop)
{
    return loop->base;
}
