#include "base/fault.h"

#if defined(RWD_FAULTS)

#include "base/check.h"
#include "base/text.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FAULT_COUNT_MAX = 16, NAME_SIZE_MAX = 64 };

struct fault {
    char name[NAME_SIZE_MAX];
    bool kills;
    bool from_then_on;
    uint64_t slow_ms; /* 0: it is no slow one */
    uint64_t nth;
    uint64_t passed;
};

static struct fault faults[FAULT_COUNT_MAX];
static size_t fault_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void read_environment(void)
{
    const char *at = getenv("REWARDD_FAULT");
    while (at != NULL && *at != '\0') {
        size_t size = strcspn(at, ",");
        const char *action = memchr(at, ':', size);
        RWD_REQUIRE(action != NULL && "REWARDD_FAULT is name:kill|error[:nth[+]] or name:slow:ms");
        size_t name_size = (size_t)(action - at);
        RWD_REQUIRE(fault_count < FAULT_COUNT_MAX && name_size < NAME_SIZE_MAX);
        struct fault *fault = &faults[fault_count++];
        memcpy(fault->name, at, name_size);
        fault->kills = strncmp(action, ":kill", 5) == 0;
        fault->nth = 1;
        const char *nth = memchr(action + 1, ':', size - name_size - 1);
        if (nth != NULL) {
            char *end = NULL;
            fault->nth = strtoull(nth + 1, &end, 10);
            fault->from_then_on = *end == '+';
        }
        if (strncmp(action, ":slow", 5) == 0) {
            fault->slow_ms = fault->nth;
            fault->nth = 0; /* never due */
        }
        at += size + (at[size] == ',');
    }
}

static bool due(const char *name, bool kills)
{
    (void)pthread_once(&once, read_environment);
    bool is_due = false;
    for (size_t i = 0; i < fault_count; i++) {
        struct fault *fault = &faults[i];
        if (fault->kills == kills && strcmp(fault->name, name) == 0) {
            (void)pthread_mutex_lock(&mutex);
            fault->passed++;
            is_due |=
                fault->passed == fault->nth || (fault->from_then_on && fault->passed > fault->nth);
            (void)pthread_mutex_unlock(&mutex);
        }
    }
    return is_due;
}

static void slow_down(const char *name)
{
    for (size_t i = 0; i < fault_count; i++) {
        if (faults[i].slow_ms > 0 && strcmp(faults[i].name, name) == 0) {
            const struct timespec pause = {.tv_sec = (time_t)(faults[i].slow_ms / 1000),
                .tv_nsec = (long)(faults[i].slow_ms % 1000) * 1000000};
            (void)nanosleep(&pause, NULL);
        }
    }
}

void rwd_fault_point(const char *name)
{
    if (due(name, true)) {
        (void)kill(getpid(), SIGKILL);
    }
    slow_down(name);
}

bool rwd_fault_error(const char *name)
{
    return due(name, false);
}

#endif
