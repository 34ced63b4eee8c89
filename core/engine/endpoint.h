/*
 * endpoint: one partner as the dispatcher sees it: how many requests may run, and its breaker.
 *
 *   closed --(failures in a row)--> open --(breaker_open_ms)--> half open: one request --> closed |
 * open
 *
 * Pure but for its own counters; time is handed in.
 */
#ifndef RWD_ENGINE_ENDPOINT_H
#define RWD_ENGINE_ENDPOINT_H

#include "domain/config.h"

struct rwd_endpoint {
    const struct rwd_endpoint_config *config;
    int64_t running;
    int64_t failures;      /* in a row */
    int64_t open_until_ms; /* 0: closed */
};

/* How many more requests may begin now. */
int64_t rwd_endpoint_room(const struct rwd_endpoint *endpoint, int64_t now_ms);
bool rwd_endpoint_is_open(const struct rwd_endpoint *endpoint, int64_t now_ms);
/* A request ended; healthy: the partner answered and meant it, whatever it said. */
void rwd_endpoint_note(struct rwd_endpoint *endpoint, bool healthy, int64_t now_ms);

/* What an answer means. http_status 0: none came. */
enum rwd_delivery_outcome {
    RWD_DELIVERY_DONE,
    RWD_DELIVERY_RETRY,
    RWD_DELIVERY_REFUSED,
};
enum rwd_delivery_outcome rwd_delivery_outcome_of(int http_status);

/* Full jitter: anywhere from 0 to base x 2^(attempt - 1), at most max; random is uniform in
 * 0..2^64-1. A Retry-After (below 0: none) is the least, up to a day, even past max. */
int64_t rwd_delivery_pause_ms(
    int64_t base_ms, int64_t max_ms, uint32_t attempt, int64_t retry_after_ms, uint64_t random);

#endif
