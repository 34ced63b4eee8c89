/*
 * waiting_room: which players have events that wait for rules in event time, and since when.
 *
 * Of all players of a shard, in memory or not: that time alone makes an event due must not depend
 * on whether its player is still hot. One entry a player with waiting events, a heap by the time
 * since when the longest waits; empty where no rule asks for it.
 *
 * Threads:   its owner's.
 * Ownership: create/destroy; texts are copied.
 */
#ifndef RWD_ENGINE_WAITING_ROOM_H
#define RWD_ENGINE_WAITING_ROOM_H

#include "base/text.h"

struct rwd_waiting_guest {
    struct rwd_text user_id;
    uint64_t fingerprint; /* of the user */
    int64_t since_ms;     /* when the event that has waited longest came */
    size_t count;         /* events that wait; 0: the player leaves */
};

struct rwd_waiting_room;

struct rwd_waiting_room *rwd_waiting_room_create(void);
void rwd_waiting_room_destroy(struct rwd_waiting_room *room);
/* What waits of this player from here on, in place of what was known. */
void rwd_waiting_room_put(struct rwd_waiting_room *room, const struct rwd_waiting_guest *guest);
/* Players whose longest waiting event came at since_max_ms or before: at most count_max, who has
 * waited longest among them; borrowed until the next put. */
size_t rwd_waiting_room_due(const struct rwd_waiting_room *room, int64_t since_max_ms,
    const struct rwd_waiting_guest **guests, size_t count_max);
/* NULL: nothing of this player waits. */
const struct rwd_waiting_guest *rwd_waiting_room_find(
    const struct rwd_waiting_room *room, struct rwd_text user_id, uint64_t fingerprint);
/* Who has waited longest; NULL: nobody waits. */
const struct rwd_waiting_guest *rwd_waiting_room_first(const struct rwd_waiting_room *room);
/* Events, over all players. */
size_t rwd_waiting_room_event_count(const struct rwd_waiting_room *room);

#endif
