/*
 * pattern: Lua's patterns, bounded. Compiled to a flat list first, so that what is not allowed is
 * an error before anything runs; matched with a count of steps, so that a bad one ends.
 *
 * Threads: pure.
 */
#ifndef RWD_SCRIPT_PATTERN_H
#define RWD_SCRIPT_PATTERN_H

#include "base/text.h"

enum {
    RWD_PATTERN_SUBJECT_SIZE_MAX = 256,
    RWD_PATTERN_SIZE_MAX = 64,
    RWD_PATTERN_QUANTIFIER_COUNT_MAX = 2,
    RWD_PATTERN_CAPTURE_COUNT_MAX = 8,
};

struct rwd_pattern_item {
    uint8_t type; /* of pattern.c */
    char quantifier;
    uint8_t capture;
    uint64_t set[4]; /* one bit a byte value */
};

struct rwd_pattern {
    struct rwd_pattern_item items[RWD_PATTERN_SIZE_MAX];
    unsigned item_count;
    unsigned capture_count;
    bool anchored;
};

/* INVALID or LIMIT, with what is wrong in *error. */
RWD_MUST_USE enum rwd_status rwd_pattern_compile(
    struct rwd_text text, struct rwd_pattern *pattern, struct rwd_error *error);

struct rwd_pattern_match {
    size_t start;
    size_t end;
    struct {
        size_t start;
        size_t end;
    } captures[RWD_PATTERN_CAPTURE_COUNT_MAX];
    uint64_t steps;     /* taken so far; the caller sets it to 0 once */
    uint64_t steps_max; /* the match gives up there */
};

/* OK: matched. NOT_FOUND. LIMIT: steps_max were not enough. */
RWD_MUST_USE enum rwd_status rwd_pattern_find(const struct rwd_pattern *pattern,
    struct rwd_text subject, size_t from, struct rwd_pattern_match *match);

#endif
