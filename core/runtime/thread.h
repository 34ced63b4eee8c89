/*
 * thread: a named thread with a stack of a given size. Created by the supervisor alone.
 *
 * Signals are blocked in it; the main thread takes them.
 */
#ifndef RWD_RUNTIME_THREAD_H
#define RWD_RUNTIME_THREAD_H

#include "base/status.h"

#include <pthread.h>
#include <stddef.h>

struct rwd_thread {
    pthread_t id;
    void (*run)(void *context);
    void *context;
    char name[16];
};

/* stack_size 0: the system's own. UNAVAILABLE: the system has no more threads or memory. */
RWD_MUST_USE enum rwd_status rwd_thread_start(struct rwd_thread *thread, const char *name,
    size_t stack_size, void (*run)(void *context), void *context, struct rwd_error *error);
void rwd_thread_join(struct rwd_thread *thread);
/* The calling thread steps back (nice 19) where cores are short: for work that nobody waits for. */
void rwd_thread_step_back(void);

#endif
