/*
 * clock: the seam to time, and RFC 3339 both ways.
 *
 * Nothing below the engine reads a clock: it is handed a time. The engine reads it through struct
 * rwd_clock, so a simulator can hold the hands.
 */
#ifndef RWD_BASE_CLOCK_H
#define RWD_BASE_CLOCK_H

#include "base/text.h"

#include <stdint.h>

struct rwd_clock {
    int64_t (*wall_ms)(void *context);
    int64_t (*monotonic_ns)(void *context);
    void *context;
};

struct rwd_clock rwd_clock_system(void);

static inline int64_t rwd_clock_wall_ms(const struct rwd_clock *clock)
{
    return clock->wall_ms(clock->context);
}

static inline int64_t rwd_clock_monotonic_ns(const struct rwd_clock *clock)
{
    return clock->monotonic_ns(clock->context);
}

enum { RWD_TIME_TEXT_SIZE = 25 };

/* RFC 3339 date-time -> ms since 1970, UTC. Fractions past the millisecond are cut; a leap second
 * (:60) counts as the second after. False: not a date-time, or outside the years 1970 to 9999. */
RWD_MUST_USE bool rwd_time_parse(struct rwd_text text, int64_t *time_ms);
/* "2025-10-24T11:37:21Z", with ".123" where there are milliseconds. */
void rwd_time_format(int64_t time_ms, char out[RWD_TIME_TEXT_SIZE]);

#endif
