/*
 * loop: one thread's event loop: timers, descriptors, and what happens at the end of each turn.
 *
 * A turn waits for something to happen, runs every callback that is due, then the turn-end
 * functions. Work that gains from being done in bulk (a batch of the turn's requests, one hand-over
 * per mailbox) belongs in a turn-end function.
 *
 * Threads:   everything here is called from the loop's own thread; the way in from another thread
 * is a mailbox, whose descriptor is watched. create may run before that thread starts. Ownership:
 * timers and watches belong to their creator and are destroyed before the loop. Each may be
 * destroyed inside its own callback: its memory lives until the next turn is over.
 */
#ifndef RWD_RUNTIME_LOOP_H
#define RWD_RUNTIME_LOOP_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct rwd_loop;
struct rwd_timer;
struct rwd_watch;

typedef void rwd_loop_callback(void *context);

/* RWD_UNAVAILABLE: the system gave no descriptor for it. */
RWD_MUST_USE enum rwd_status rwd_loop_create(struct rwd_loop **loop, struct rwd_error *error);
/* Takes NULL. Frees what was deferred. Not inside a callback. */
void rwd_loop_destroy(struct rwd_loop *loop);

/* Turns until stop is called; a stop before run makes it return at once. */
void rwd_loop_run(struct rwd_loop *loop);
/* One turn: callbacks that are due, then the turn-end functions. With wait it first sleeps until
 * something is due. */
void rwd_loop_turn(struct rwd_loop *loop, bool wait);
/* The running turn is the last one; it still ends properly. */
void rwd_loop_stop(struct rwd_loop *loop);

/* Monotonic, cheap, and up to 4 ms behind: for deadlines, not for measuring. */
int64_t rwd_loop_now_ms(const struct rwd_loop *loop);

/* Runs at the end of every turn, in order of registration. */
void rwd_loop_at_turn_end(struct rwd_loop *loop, rwd_loop_callback *callback, void *context);
/* Forgets that pair; no harm if it was never registered. */
void rwd_loop_forget_turn_end(struct rwd_loop *loop, rwd_loop_callback *callback, void *context);

/* Takes memory that came from base/memory.h and frees it when the next turn is over: for objects
 * with an event in them, since a callback that is still on the stack may look at them. */
void rwd_loop_defer_free(struct rwd_loop *loop, void *memory);

struct rwd_timer *rwd_timer_create(
    struct rwd_loop *loop, rwd_loop_callback *callback, void *context);
/* Once, after delay_ms; starting a started timer moves it. */
void rwd_timer_start(struct rwd_timer *timer, int64_t delay_ms);
/* Every period_ms until stopped. */
void rwd_timer_start_periodic(struct rwd_timer *timer, int64_t period_ms);
void rwd_timer_stop(struct rwd_timer *timer);
/* Takes NULL. */
void rwd_timer_destroy(struct rwd_timer *timer);

enum { RWD_WATCH_READ = 1, RWD_WATCH_WRITE = 2 };

/* ready: the RWD_WATCH_ bits that hold now. */
typedef void rwd_watch_callback(void *context, int fd, unsigned ready);

/* Calls back in every turn in which fd is ready for any of the events, until changed or destroyed.
 * The descriptor stays the caller's, and is closed after the watch is destroyed. */
struct rwd_watch *rwd_watch_create(
    struct rwd_loop *loop, int fd, unsigned events, rwd_watch_callback *callback, void *context);
void rwd_watch_change(struct rwd_watch *watch, unsigned events);
/* Takes NULL. */
void rwd_watch_destroy(struct rwd_watch *watch);

/* For transport/, which puts its sockets on the base itself. Borrowed until destroy. */
struct event_base *rwd_loop_base(struct rwd_loop *loop);

#endif
