#include "backtest/ticks.h"

#include "base/check.h"
#include "base/memory.h"
#include "engine/waiting_room.h"

#include <string.h>

struct rwd_backtest_ticks {
    int64_t window_ms;
    int64_t newest_ms;               /* the clock so far */
    struct rwd_backtest_tick *queue; /* in the order of the events; texts are owned */
    size_t first;
    size_t count; /* first included */
    size_t capacity;
    struct rwd_waiting_room *recorded; /* players whose events wait for a record */
    struct rwd_text given;             /* the text of the tick that was taken last */
};

struct rwd_backtest_ticks *rwd_backtest_ticks_create(int64_t window_ms)
{
    struct rwd_backtest_ticks *ticks = rwd_new(sizeof *ticks);
    ticks->window_ms = window_ms;
    ticks->recorded = rwd_waiting_room_create();
    return ticks;
}

static void free_text(struct rwd_text text)
{
    rwd_free((char *)(uintptr_t)text.data);
}

void rwd_backtest_ticks_destroy(struct rwd_backtest_ticks *ticks)
{
    if (ticks == NULL) {
        return;
    }
    for (size_t i = ticks->first; i < ticks->count; i++) {
        free_text(ticks->queue[i].user_id);
    }
    free_text(ticks->given);
    rwd_free(ticks->queue);
    rwd_waiting_room_destroy(ticks->recorded);
    rwd_free(ticks);
}

static struct rwd_text copy_of(struct rwd_text text)
{
    return (struct rwd_text){.data = rwd_copy(text.data, text.size), .size = text.size};
}

/* One more or one less of the player's events waits for a record. */
static void add_recorded(struct rwd_backtest_ticks *ticks, struct rwd_text user_id,
    uint64_t user_fingerprint, bool one_more)
{
    const struct rwd_waiting_guest *known =
        rwd_waiting_room_find(ticks->recorded, user_id, user_fingerprint);
    struct rwd_waiting_guest guest = {.user_id = user_id,
        .fingerprint = user_fingerprint,
        .since_ms = known != NULL ? known->since_ms : ticks->newest_ms,
        .count = known != NULL ? known->count : 0};
    if (one_more) {
        guest.count++;
    } else if (guest.count > 0) {
        guest.count--;
    }
    rwd_waiting_room_put(ticks->recorded, &guest);
}

void rwd_backtest_ticks_event(struct rwd_backtest_ticks *ticks, struct rwd_text user_id,
    uint64_t user_fingerprint, int64_t now_ms, bool waited)
{
    ticks->newest_ms = now_ms;
    if (waited) {
        add_recorded(ticks, user_id, user_fingerprint, true);
        return;
    }
    if (ticks->first > 0 && ticks->first * 2 >= ticks->count) {
        ticks->count -= ticks->first;
        memmove(ticks->queue, ticks->queue + ticks->first, ticks->count * sizeof ticks->queue[0]);
        ticks->first = 0;
    }
    ticks->queue =
        rwd_room_for(ticks->queue, ticks->count, &ticks->capacity, sizeof ticks->queue[0]);
    ticks->queue[ticks->count++] = (struct rwd_backtest_tick){.user_id = copy_of(user_id),
        .user_fingerprint = user_fingerprint,
        .due_ms = now_ms + ticks->window_ms};
}

void rwd_backtest_ticks_release(
    struct rwd_backtest_ticks *ticks, struct rwd_text user_id, uint64_t user_fingerprint)
{
    add_recorded(ticks, user_id, user_fingerprint, false);
}

bool rwd_backtest_ticks_due(const struct rwd_backtest_ticks *ticks, int64_t clock_ms)
{
    return (ticks->first < ticks->count && ticks->queue[ticks->first].due_ms <= clock_ms) ||
           (clock_ms == INT64_MAX && rwd_waiting_room_first(ticks->recorded) != NULL);
}

struct rwd_backtest_tick rwd_backtest_ticks_take(struct rwd_backtest_ticks *ticks)
{
    free_text(ticks->given);
    if (ticks->first < ticks->count) {
        struct rwd_backtest_tick tick = ticks->queue[ticks->first++];
        ticks->given = tick.user_id;
        return tick;
    }
    const struct rwd_waiting_guest *guest = rwd_waiting_room_first(ticks->recorded);
    RWD_REQUIRE(guest != NULL);
    ticks->given = copy_of(guest->user_id);
    struct rwd_waiting_guest gone = {.user_id = ticks->given, .fingerprint = guest->fingerprint};
    rwd_waiting_room_put(ticks->recorded, &gone);
    return (struct rwd_backtest_tick){.user_id = gone.user_id,
        .user_fingerprint = gone.fingerprint,
        .due_ms = ticks->newest_ms + ticks->window_ms,
        .is_last = true};
}
