/*
 * status: what a fallible call answers, and the words that go with it.
 *
 * Each status tells the caller what to do, so a caller rarely needs the text: INVALID fix the
 * input, NOT_FOUND ignore or create, CONFLICT look again, LIMIT shrink, BUSY slow the source and
 * retry, TIMEOUT and UNAVAILABLE retry later, DENIED stop, SCRIPT blame the rule, CORRUPT raise the
 * alarm.
 *
 * Threads: an rwd_error is fixed-size and caller-owned; it is copied with a batch, never shared.
 */
#ifndef RWD_BASE_STATUS_H
#define RWD_BASE_STATUS_H

#define RWD_MUST_USE __attribute__((warn_unused_result))
#define RWD_PRINTF(format_index, first_index)                                                      \
    __attribute__((format(printf, format_index, first_index)))

enum rwd_status {
    RWD_OK = 0,
    RWD_INVALID,
    RWD_NOT_FOUND,
    RWD_CONFLICT,
    RWD_LIMIT,
    RWD_BUSY,
    RWD_TIMEOUT,
    RWD_UNAVAILABLE,
    RWD_DENIED,
    RWD_SCRIPT,
    RWD_CORRUPT,
};

enum { RWD_ERROR_TEXT_SIZE_MAX = 512 };

struct rwd_error {
    char text[RWD_ERROR_TEXT_SIZE_MAX];
};

/* "not_found" for RWD_NOT_FOUND and so on; never NULL. */
const char *rwd_status_name(enum rwd_status status);

/* Writes the text (cut to fit; error may be NULL) and returns status, so that a failure is one
 * line: return rwd_fail(error, RWD_LIMIT, "body is %zu bytes, limit is %zu", size, limit); */
enum rwd_status rwd_fail(struct rwd_error *error, enum rwd_status status, const char *format, ...)
    RWD_PRINTF(3, 4);

#endif
