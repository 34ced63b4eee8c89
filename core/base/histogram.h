/*
 * histogram: how long things took, in log-linear buckets (16 to an octave: within 6 %).
 *
 * Threads: one writer, its owner; any thread may read at any time and sees a slightly older
 * picture.
 */
#ifndef RWD_BASE_HISTOGRAM_H
#define RWD_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { RWD_HISTOGRAM_BUCKET_COUNT = 16 * 42 };

struct rwd_histogram {
    _Atomic uint64_t buckets[RWD_HISTOGRAM_BUCKET_COUNT];
    _Atomic uint64_t count;
    _Atomic uint64_t sum;
};

/* A counter with one writer: an ordinary add that others may read. */
static inline void rwd_count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

static inline uint64_t rwd_counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void rwd_histogram_add(struct rwd_histogram *histogram, uint64_t value, uint64_t times);
/* The upper edge of the bucket that holds the quantile (0..1); 0 where nothing was added. */
uint64_t rwd_histogram_quantile(const struct rwd_histogram *histogram, double quantile);
/* How many added values lie in buckets that end at or below value. */
uint64_t rwd_histogram_count_below(const struct rwd_histogram *histogram, uint64_t value);

#endif
