/*
 * coverage: which lines of a rule's file hold code, and which of them ran.
 *
 * Named in a sandbox's limits, it is filled while VMs with those limits run: the file's own lines
 * when it is loaded, its functions' when they are called. Lines that hold only `end` or `}` and the
 * like are no code. It slows calls down, and is for tests.
 *
 * Threads:   one VM's thread at a time.
 * Ownership: the caller's.
 */
#ifndef RWD_SCRIPT_COVERAGE_H
#define RWD_SCRIPT_COVERAGE_H

#include <stdint.h>

enum {
    RWD_COVERAGE_LINE_COUNT_MAX = 64 << 10, /* a file has no more bytes */
    RWD_COVERAGE_CODE = 1,
    RWD_COVERAGE_RAN = 2,
};

struct rwd_coverage {
    uint8_t lines[RWD_COVERAGE_LINE_COUNT_MAX + 1]; /* by line, from 1: bits of the two above */
};

static inline void rwd_coverage_note(struct rwd_coverage *coverage, int64_t line, unsigned bit)
{
    if (coverage != 0 && line >= 1 && line <= RWD_COVERAGE_LINE_COUNT_MAX) {
        coverage->lines[line] |= (uint8_t)bit;
    }
}

#endif
