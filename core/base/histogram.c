#include "base/histogram.h"

static unsigned bucket_of(uint64_t value)
{
    if (value < 16) {
        return (unsigned)value;
    }
    unsigned octave = 63U - (unsigned)__builtin_clzll(value);
    unsigned bucket = (octave - 3) * 16 + (unsigned)((value >> (octave - 4)) & 15);
    return bucket < RWD_HISTOGRAM_BUCKET_COUNT ? bucket : RWD_HISTOGRAM_BUCKET_COUNT - 1;
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_edge(unsigned bucket)
{
    if (bucket < 16) {
        return bucket;
    }
    unsigned octave = bucket / 16 + 3;
    return ((uint64_t)(16 + bucket % 16 + 1) << (octave - 4)) - 1;
}

void rwd_histogram_add(struct rwd_histogram *histogram, uint64_t value, uint64_t times)
{
    rwd_count(&histogram->buckets[bucket_of(value)], times);
    rwd_count(&histogram->count, times);
    rwd_count(&histogram->sum, value * times);
}

uint64_t rwd_histogram_quantile(const struct rwd_histogram *histogram, double quantile)
{
    uint64_t count = rwd_counted(&histogram->count);
    double rank = quantile * (double)count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < RWD_HISTOGRAM_BUCKET_COUNT; i++) {
        seen += rwd_counted(&histogram->buckets[i]);
        if (seen > 0 && (double)seen >= rank) {
            return bucket_edge(i);
        }
    }
    return 0;
}

uint64_t rwd_histogram_count_below(const struct rwd_histogram *histogram, uint64_t value)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < RWD_HISTOGRAM_BUCKET_COUNT && bucket_edge(i) <= value; i++) {
        seen += rwd_counted(&histogram->buckets[i]);
    }
    return seen;
}
