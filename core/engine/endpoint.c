#include "engine/endpoint.h"

/* A partner that asks for more patience than a day is asked again after one. */
enum { RETRY_AFTER_MS_MAX = 24 * 3600 * 1000 };

bool rwd_endpoint_is_open(const struct rwd_endpoint *endpoint, int64_t now_ms)
{
    return endpoint->open_until_ms > now_ms;
}

int64_t rwd_endpoint_room(const struct rwd_endpoint *endpoint, int64_t now_ms)
{
    if (rwd_endpoint_is_open(endpoint, now_ms)) {
        return 0;
    }
    /* Half open: one request finds out for all. */
    int64_t most = endpoint->open_until_ms != 0 ? 1 : endpoint->config->concurrency_max;
    return most > endpoint->running ? most - endpoint->running : 0;
}

void rwd_endpoint_note(struct rwd_endpoint *endpoint, bool healthy, int64_t now_ms)
{
    if (healthy) {
        endpoint->failures = 0;
        endpoint->open_until_ms = 0;
        return;
    }
    endpoint->failures++;
    if (endpoint->failures >= endpoint->config->breaker_failure_count) {
        endpoint->open_until_ms = now_ms + endpoint->config->breaker_open_ms;
    }
}

enum rwd_delivery_outcome rwd_delivery_outcome_of(int http_status)
{
    if (http_status >= 200 && http_status < 300) {
        return RWD_DELIVERY_DONE;
    }
    if (http_status == 0 || http_status >= 500 || http_status == 408 || http_status == 409 ||
        http_status == 425 || http_status == 429) {
        return RWD_DELIVERY_RETRY;
    }
    return RWD_DELIVERY_REFUSED;
}

int64_t rwd_delivery_pause_ms(
    int64_t base_ms, int64_t max_ms, uint32_t attempt, int64_t retry_after_ms, uint64_t random)
{
    int64_t ceiling = max_ms;
    if (attempt >= 1 && attempt < 32 && base_ms <= max_ms >> (attempt - 1)) {
        ceiling = base_ms << (attempt - 1);
    }
    int64_t pause = (int64_t)(random % (uint64_t)(ceiling + 1));
    int64_t asked = retry_after_ms < RETRY_AFTER_MS_MAX ? retry_after_ms : RETRY_AFTER_MS_MAX;
    return pause > asked ? pause : asked;
}
