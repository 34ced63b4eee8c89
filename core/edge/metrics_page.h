/*
 * metrics_page: GET /metrics: everything the rooms count, as Prometheus text.
 *
 * Names begin with rewardd_ (process_ for what every process has), units are seconds and bytes, no
 * label ever holds a user id. Amounts are in whole currency units.
 *
 * Threads:   the io thread's; the counters belong to other threads and are read as they stand.
 */
#ifndef RWD_EDGE_METRICS_PAGE_H
#define RWD_EDGE_METRICS_PAGE_H

#include "edge/api.h"

/* counts NULL: the store could not be asked; the page says so and leaves its figures out. */
void rwd_metrics_page_put(struct rwd_engine *engine, const struct rwd_api_counters *counters,
    const struct rwd_store_counts *counts, struct rwd_buffer *out);

/* One histogram over the sum of several, in seconds; what is added must be nanoseconds. */
void rwd_metrics_page_put_histogram(const char *name, const char *help,
    const struct rwd_histogram *const *histograms, size_t count, struct rwd_buffer *out);

#endif
