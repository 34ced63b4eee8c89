#include "runtime/thread.h"

#include "base/check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static void *enter(void *argument)
{
    struct rwd_thread *thread = argument;
    (void)pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->context);
    return NULL;
}

enum rwd_status rwd_thread_start(struct rwd_thread *thread, const char *name, size_t stack_size,
    void (*run)(void *context), void *context, struct rwd_error *error)
{
    *thread = (struct rwd_thread){.run = run, .context = context};
    (void)snprintf(thread->name, sizeof thread->name, "%s", name);
    pthread_attr_t attributes;
    RWD_REQUIRE(pthread_attr_init(&attributes) == 0);
    if (stack_size > 0) {
        RWD_REQUIRE(pthread_attr_setstacksize(&attributes, stack_size) == 0);
    }
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread->id, &attributes, enter, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (failed != 0) {
        return rwd_fail(
            error, RWD_UNAVAILABLE, "cannot start thread %s: %s", name, strerror(failed));
    }
    return RWD_OK;
}

void rwd_thread_join(struct rwd_thread *thread)
{
    RWD_REQUIRE(pthread_join(thread->id, NULL) == 0);
}

void rwd_thread_step_back(void)
{
    /* Linux keeps a nice value for each thread; PRIO_PROCESS with 0 is the caller's. Not being
     * allowed to is no fault: it is a courtesy. */
    (void)setpriority(PRIO_PROCESS, 0, 19);
}
