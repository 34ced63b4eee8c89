/*
 * log_line: one line of the log, made from a printf format and its arguments. Private to log.c.
 *
 * Why not vsnprintf: a value may come from outside (a rule's error, a partner's answer, a file's
 * name), and must not look like keys, values or lines of our own. Only what the format itself says
 * is ours, so the texts that are put in (%s) are escaped here, at the one place that can tell them
 * apart:
 *     inside quotes of the format   " and \ get a \ before them; control characters (C0, DEL, C1)
 *                                   become \n, \r, \t or \xNN, as do bytes that are not UTF-8
 *     elsewhere                     as it stands where it is plain; else in quotes, and escaped
 *
 * Threads: none of its own. Nothing is allocated: a line that is too long is cut between two
 * characters, marked with "..." and its quotes closed.
 */
#ifndef RWD_BASE_LOG_LINE_H
#define RWD_BASE_LOG_LINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum { RWD_LOG_LINE_SIZE_MAX = 2048 };

struct rwd_log_line {
    size_t size;
    bool in_quotes;
    bool cut;
    char data[RWD_LOG_LINE_SIZE_MAX];
};

/* Empty before the first: {.size = 0}. Knows %s %d %u %x with l, ll, z, a width, and a precision
 * (also .*) for %s; tests/tidy checks that the formats of rwd_log have no others. */
void rwd_log_line_put(struct rwd_log_line *line, const char *format, va_list arguments);
/* Ends it with suppressed=N where N > 0, and the line break. */
void rwd_log_line_end(struct rwd_log_line *line, unsigned suppressed);

#endif
