/*
 * log: one line per event on stderr, key=value, safe from any thread.
 *
 *     rwd_log(RWD_LOG_WARN, "dispatcher", "endpoint=%s msg=\"breaker open\" failures=%u", ...);
 * gives
 *     ts=2025-11-01T10:00:00.123Z level=warn module=dispatcher endpoint=wallet msg="breaker open"
 * ...
 *
 * Texts that are put in (%s) may come from outside: quotes, backslashes and control characters in
 * them are escaped, and a text that stands without quotes in the format gets them where it needs
 * them. So no value can look like a key or a line of its own. A line is at most 2 KiB.
 *
 * A call site that would print more than 10 lines a second is silenced until the second is over;
 * its next line says suppressed=N. No secrets and no full payloads go in here.
 */
#ifndef RWD_BASE_LOG_H
#define RWD_BASE_LOG_H

#include "base/status.h"

#include <stdint.h>

enum rwd_log_level {
    RWD_LOG_DEBUG,
    RWD_LOG_INFO,
    RWD_LOG_WARN,
    RWD_LOG_ERROR,
};

struct rwd_log_site {
    int64_t second;
    uint32_t printed;
    uint32_t suppressed;
};

#define rwd_log(level, module, ...)                                                                \
    do {                                                                                           \
        static struct rwd_log_site rwd_log_site_here;                                              \
        rwd_log_write(&rwd_log_site_here, level, module, __VA_ARGS__);                             \
    } while (0)

void rwd_log_set_level(enum rwd_log_level level);
/* "debug", "info", "warn" or "error". */
RWD_MUST_USE enum rwd_status rwd_log_level_parse(const char *name, enum rwd_log_level *level);
void rwd_log_write(struct rwd_log_site *site, enum rwd_log_level level, const char *module,
    const char *format, ...) RWD_PRINTF(4, 5);

#endif
