#include "engine/waiting_room.h"

#include "base/memory.h"

#include <string.h>

enum { BUCKET_COUNT_LEAST = 64 };

struct entry {
    struct entry *next; /* in its bucket */
    size_t place;       /* in the heap */
    struct rwd_waiting_guest guest;
};

struct rwd_waiting_room {
    struct entry **buckets; /* as many as a power of two, at least as many as entries */
    size_t bucket_count;
    struct entry **heap; /* the least since_ms first */
    size_t count;
    size_t capacity;
    size_t event_count;
};

struct rwd_waiting_room *rwd_waiting_room_create(void)
{
    struct rwd_waiting_room *room = rwd_new(sizeof *room);
    room->bucket_count = BUCKET_COUNT_LEAST;
    room->buckets = rwd_new(room->bucket_count * sizeof(struct entry *));
    return room;
}

static void free_entry(struct entry *entry)
{
    rwd_free((char *)(uintptr_t)entry->guest.user_id.data);
    rwd_free(entry);
}

void rwd_waiting_room_destroy(struct rwd_waiting_room *room)
{
    if (room == NULL) {
        return;
    }
    for (size_t i = 0; i < room->count; i++) {
        free_entry(room->heap[i]);
    }
    rwd_free(room->heap);
    rwd_free(room->buckets);
    rwd_free(room);
}

/* ---- who is there ---- */

static struct entry **bucket_of(const struct rwd_waiting_room *room, uint64_t fingerprint)
{
    /* The low bits chose the shard. */
    return &room->buckets[(fingerprint >> 8) & (room->bucket_count - 1)];
}

static void widen(struct rwd_waiting_room *room)
{
    rwd_free(room->buckets);
    room->bucket_count *= 2;
    room->buckets = rwd_new(room->bucket_count * sizeof(struct entry *));
    for (size_t i = 0; i < room->count; i++) {
        struct entry **bucket = bucket_of(room, room->heap[i]->guest.fingerprint);
        room->heap[i]->next = *bucket;
        *bucket = room->heap[i];
    }
}

/* The link that leads to the player's entry; to NULL where there is none. */
static struct entry **link_of(
    const struct rwd_waiting_room *room, const struct rwd_waiting_guest *guest)
{
    struct entry **link = bucket_of(room, guest->fingerprint);
    while (*link != NULL && ((*link)->guest.fingerprint != guest->fingerprint ||
                                !rwd_text_equal((*link)->guest.user_id, guest->user_id))) {
        link = &(*link)->next;
    }
    return link;
}

/* ---- since when ---- */

static void set_place(struct rwd_waiting_room *room, size_t place, struct entry *entry)
{
    room->heap[place] = entry;
    entry->place = place;
}

/* Up or down from where it stands to where it belongs. */
static void settle(struct rwd_waiting_room *room, struct entry *entry)
{
    size_t at = entry->place;
    while (at > 0 && room->heap[(at - 1) / 2]->guest.since_ms > entry->guest.since_ms) {
        set_place(room, at, room->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (size_t child = 2 * at + 1; child < room->count; child = 2 * at + 1) {
        if (child + 1 < room->count &&
            room->heap[child + 1]->guest.since_ms < room->heap[child]->guest.since_ms) {
            child++;
        }
        if (room->heap[child]->guest.since_ms >= entry->guest.since_ms) {
            break;
        }
        set_place(room, at, room->heap[child]);
        at = child;
    }
    set_place(room, at, entry);
}

static struct entry *add(struct rwd_waiting_room *room, const struct rwd_waiting_guest *guest)
{
    if (room->count == room->bucket_count) {
        widen(room);
    }
    struct entry *entry = rwd_new(sizeof *entry);
    entry->guest = *guest;
    entry->guest.user_id.data = rwd_copy(guest->user_id.data, guest->user_id.size);
    struct entry **bucket = bucket_of(room, guest->fingerprint);
    entry->next = *bucket;
    *bucket = entry;
    room->heap = rwd_room_for(room->heap, room->count, &room->capacity, sizeof(struct entry *));
    set_place(room, room->count++, entry);
    return entry;
}

static void leave(struct rwd_waiting_room *room, struct entry **link)
{
    struct entry *entry = *link;
    *link = entry->next;
    struct entry *last = room->heap[--room->count];
    if (last != entry) {
        set_place(room, entry->place, last);
        settle(room, last);
    }
    free_entry(entry);
}

void rwd_waiting_room_put(struct rwd_waiting_room *room, const struct rwd_waiting_guest *guest)
{
    struct entry **link = link_of(room, guest);
    struct entry *entry = *link;
    room->event_count -= entry != NULL ? entry->guest.count : 0;
    room->event_count += guest->count;
    if (guest->count == 0) {
        if (entry != NULL) {
            leave(room, link);
        }
        return;
    }
    if (entry == NULL) {
        entry = add(room, guest);
    }
    entry->guest.count = guest->count;
    entry->guest.since_ms = guest->since_ms;
    settle(room, entry);
}

/* ---- questions ---- */

/* A heap's entries at or below a bound are a tree at its top. */
static void collect(const struct rwd_waiting_room *room, size_t place, int64_t since_max_ms,
    const struct rwd_waiting_guest **guests, size_t *count, size_t count_max)
{
    if (place < room->count && room->heap[place]->guest.since_ms <= since_max_ms &&
        *count < count_max) {
        guests[(*count)++] = &room->heap[place]->guest;
        collect(room, 2 * place + 1, since_max_ms, guests, count, count_max);
        collect(room, 2 * place + 2, since_max_ms, guests, count, count_max);
    }
}

size_t rwd_waiting_room_due(const struct rwd_waiting_room *room, int64_t since_max_ms,
    const struct rwd_waiting_guest **guests, size_t count_max)
{
    size_t count = 0;
    collect(room, 0, since_max_ms, guests, &count, count_max);
    return count;
}

const struct rwd_waiting_guest *rwd_waiting_room_find(
    const struct rwd_waiting_room *room, struct rwd_text user_id, uint64_t fingerprint)
{
    const struct rwd_waiting_guest wanted = {.user_id = user_id, .fingerprint = fingerprint};
    const struct entry *entry = *link_of(room, &wanted);
    return entry != NULL ? &entry->guest : NULL;
}

const struct rwd_waiting_guest *rwd_waiting_room_first(const struct rwd_waiting_room *room)
{
    return room->count > 0 ? &room->heap[0]->guest : NULL;
}

size_t rwd_waiting_room_event_count(const struct rwd_waiting_room *room)
{
    return room->event_count;
}
