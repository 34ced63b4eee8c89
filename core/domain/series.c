#include "domain/player.h"

#include "base/memory.h"

#include <string.h>

/* Index of the first point at or behind the bucket. News is nearly always at the end. */
static uint32_t lower_bound(const struct rwd_series *series, uint32_t bucket)
{
    uint32_t at = series->count;
    while (at > 0 && series->points[at - 1].bucket >= bucket) {
        at--;
    }
    return at;
}

int64_t rwd_series_get(const struct rwd_series *series, uint32_t bucket, bool *lost)
{
    uint32_t at = lower_bound(series, bucket);
    bool found = at < series->count && series->points[at].bucket == bucket;
    *lost = !found && at == 0 && series->cut;
    return found ? series->points[at].value : 0;
}

int64_t *rwd_series_at(struct rwd_series *series, uint32_t bucket, uint32_t count_max, bool *is_new)
{
    uint32_t at = lower_bound(series, bucket);
    *is_new = false;
    if (at < series->count && series->points[at].bucket == bucket) {
        return &series->points[at].value;
    }
    if (at == 0 && (series->cut || (series->count > 0 && series->count == count_max))) {
        series->cut = true; /* what finds no place is lost too */
        return NULL;
    }
    if (series->count == count_max) {
        at--;
        memmove(series->points, series->points + 1, at * sizeof series->points[0]);
        series->cut = true;
    } else {
        size_t capacity = series->capacity;
        series->points =
            rwd_room_for(series->points, series->count, &capacity, sizeof series->points[0]);
        series->capacity = (uint32_t)capacity;
        memmove(series->points + at + 1, series->points + at,
            (series->count - at) * sizeof series->points[0]);
        series->count++;
    }
    series->points[at] = (struct rwd_series_point){.bucket = bucket};
    *is_new = true;
    return &series->points[at].value;
}
