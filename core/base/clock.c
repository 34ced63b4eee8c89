#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* 9999-12-31T23:59:59.999Z: an offset or a leap second can carry the last day of that year over. */
static const int64_t time_ms_max = 253402300799999;

static int64_t system_wall_ms(void *context)
{
    (void)context;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_monotonic_ns(void *context)
{
    (void)context;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct rwd_clock rwd_clock_system(void)
{
    return (struct rwd_clock){.wall_ms = system_wall_ms, .monotonic_ns = system_monotonic_ns};
}

/* Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-compatible low-level
 * date algorithms", days_from_civil). */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* count digits at *at; -1 where one is missing. */
static int digits(const char *at, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return -1;
        }
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

static bool parse_offset(const char *at, size_t size, int64_t *offset_minutes)
{
    if (size == 1 && (at[0] == 'Z' || at[0] == 'z')) {
        *offset_minutes = 0;
        return true;
    }
    if (size != 6 || (at[0] != '+' && at[0] != '-') || at[3] != ':') {
        return false;
    }
    int hours = digits(at + 1, 2);
    int minutes = digits(at + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        return false;
    }
    *offset_minutes = (at[0] == '-' ? -1 : 1) * ((int64_t)hours * 60 + minutes);
    return true;
}

bool rwd_time_parse(struct rwd_text text, int64_t *time_ms)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *at = text.data;
    if (text.size < 20 || text.size > 40 || at[4] != '-' || at[7] != '-' ||
        (at[10] != 'T' && at[10] != 't') || at[13] != ':' || at[16] != ':') {
        return false;
    }
    int year = digits(at, 4);
    int month = digits(at + 5, 2);
    int day = digits(at + 8, 2);
    int hour = digits(at + 11, 2);
    int minute = digits(at + 14, 2);
    int second = digits(at + 17, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > month_days[month - 1] ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return false;
    }
    bool leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month == 2 && day == 29 && !leap_year) {
        return false;
    }
    size_t next = 19;
    int64_t milliseconds = 0;
    if (at[next] == '.') {
        int64_t scale = 100;
        size_t first = ++next;
        for (; next < text.size && at[next] >= '0' && at[next] <= '9'; next++) {
            milliseconds += (at[next] - '0') * scale;
            scale /= 10;
        }
        if (next == first) {
            return false;
        }
    }
    int64_t offset_minutes = 0;
    if (!parse_offset(at + next, text.size - next, &offset_minutes)) {
        return false;
    }
    int64_t seconds = days_from_civil(year, month, day) * 86400 + (int64_t)hour * 3600 +
                      (int64_t)minute * 60 + second;
    *time_ms = (seconds - offset_minutes * 60) * 1000 + milliseconds;
    return *time_ms >= 0 && *time_ms <= time_ms_max;
}

void rwd_time_format(int64_t time_ms, char out[RWD_TIME_TEXT_SIZE])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    if (time_ms < 0 || gmtime_r(&seconds, &parts) == NULL || parts.tm_year + 1900 > 9999) {
        (void)snprintf(out, RWD_TIME_TEXT_SIZE, "invalid");
        return;
    }
    size_t size = strftime(out, RWD_TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    if (time_ms % 1000 != 0) {
        (void)snprintf(out + size, RWD_TIME_TEXT_SIZE - size, ".%03dZ", (int)(time_ms % 1000));
    } else {
        (void)snprintf(out + size, RWD_TIME_TEXT_SIZE - size, "Z");
    }
}
