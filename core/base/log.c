#include "base/log.h"

#include "base/clock.h"
#include "base/log_line.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { LINES_PER_SECOND_MAX = 10 };

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

RWD_PRINTF(2, 3)
static void put(struct rwd_log_line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    rwd_log_line_put(line, format, arguments);
    va_end(arguments);
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

    va_list arguments;
    va_start(arguments, format);
    uint32_t suppressed = 0;
    (void)pthread_mutex_lock(&mutex);
    if (admit(site, now_ms / 1000, &suppressed)) {
        struct rwd_log_line line = {.size = 0};
        put(&line, "ts=%s level=%s module=%s ", time_text, level_names[level], module);
        rwd_log_line_put(&line, format, arguments);
        rwd_log_line_end(&line, suppressed);
        ssize_t written = write(STDERR_FILENO, line.data, line.size);
        (void)written;
    }
    (void)pthread_mutex_unlock(&mutex);
    va_end(arguments);
}
