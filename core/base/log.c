#include "base/log.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINES_PER_SECOND_MAX = 10, LINE_SIZE_MAX = 2048 };

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static _Atomic int level_least = RWD_LOG_INFO;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void rwd_log_set_level(enum rwd_log_level level)
{
    atomic_store_explicit(&level_least, (int)level, memory_order_relaxed);
}

enum rwd_status rwd_log_level_parse(const char *name, enum rwd_log_level *level)
{
    for (int i = RWD_LOG_DEBUG; i <= RWD_LOG_ERROR; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum rwd_log_level)i;
            return RWD_OK;
        }
    }
    return RWD_INVALID;
}

/* Under the mutex. False: this line is one too many for its second. */
static bool admit(struct rwd_log_site *site, int64_t second, uint32_t *suppressed)
{
    *suppressed = 0;
    if (site->second != second) {
        *suppressed = site->suppressed;
        *site = (struct rwd_log_site){.second = second};
    }
    if (site->printed >= LINES_PER_SECOND_MAX) {
        site->suppressed++;
        return false;
    }
    site->printed++;
    return true;
}

void rwd_log_write(struct rwd_log_site *site, enum rwd_log_level level, const char *module,
    const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&level_least, memory_order_relaxed)) {
        return;
    }
    struct rwd_clock clock = rwd_clock_system();
    int64_t now_ms = rwd_clock_wall_ms(&clock);
    char time_text[RWD_TIME_TEXT_SIZE];
    rwd_time_format(now_ms, time_text);

    char line[LINE_SIZE_MAX];
    va_list arguments;
    va_start(arguments, format);
    uint32_t suppressed = 0;
    (void)pthread_mutex_lock(&mutex);
    if (admit(site, now_ms / 1000, &suppressed)) {
        int size = snprintf(
            line, sizeof line, "ts=%s level=%s module=%s ", time_text, level_names[level], module);
        int more = vsnprintf(line + size, sizeof line - (size_t)size - 32, format, arguments);
        size += more < (int)(sizeof line - (size_t)size - 32) ? more : (int)sizeof line - size - 33;
        if (suppressed > 0) {
            size += snprintf(line + size, sizeof line - (size_t)size, " suppressed=%u", suppressed);
        }
        /* A value from outside must not begin a line of its own, or steer a terminal. */
        for (int i = 0; i < size; i++) {
            if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) {
                line[i] = '?';
            }
        }
        line[size++] = '\n';
        ssize_t written = write(STDERR_FILENO, line, (size_t)size);
        (void)written;
    }
    (void)pthread_mutex_unlock(&mutex);
    va_end(arguments);
}
