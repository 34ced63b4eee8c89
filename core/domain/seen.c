#include "domain/seen.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/wire.h"

#include <string.h>

enum {
    HOUR_MS = 3600 * 1000,
    HOUR_MASK = 0xff,
    /* Entries may stay this long past the window before a rebuild drops them; window + slack must
     * stay under 256, so that an hour modulo 256 is never mistaken for another. */
    PRUNE_SLACK_HOURS = 64,
    CAPACITY_LEAST = 8,
};

static uint64_t entry_of(uint64_t fingerprint, uint32_t hour)
{
    uint64_t bits = fingerprint & ~(uint64_t)HOUR_MASK;
    /* All zero means free, at any hour. */
    return (bits != 0 ? bits : (uint64_t)1 << 8) | (hour & HOUR_MASK);
}

static uint64_t mark_of(uint64_t fingerprint)
{
    return entry_of(fingerprint, 0) | HOUR_MASK;
}

/* The hour an entry stands for, seen from an hour at most 255 after it. */
static uint32_t hour_of(uint64_t entry, uint32_t from_hour)
{
    return from_hour - ((from_hour - (uint32_t)entry) & HOUR_MASK);
}

static uint32_t slot_of(const struct rwd_seen *seen, uint64_t mark)
{
    uint32_t slot = (uint32_t)(mark >> 8) & (seen->capacity - 1);
    while (seen->slots[slot] != 0 && (seen->slots[slot] | HOUR_MASK) != mark) {
        slot = (slot + 1) & (seen->capacity - 1);
    }
    return slot;
}

static bool within_window(uint64_t entry, uint32_t from_hour, uint32_t newest_hour)
{
    return newest_hour - hour_of(entry, from_hour) <= RWD_DEDUPE_WINDOW_HOURS + 1;
}

/* A new table with room for one more, without what is too old at newest_hour. */
static void rebuild(struct rwd_seen *seen, uint32_t newest_hour)
{
    uint64_t *old = seen->slots;
    uint32_t old_capacity = seen->capacity;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < old_capacity; i++) {
        kept += old[i] != 0 && within_window(old[i], seen->newest_hour, newest_hour);
    }
    uint32_t capacity = CAPACITY_LEAST;
    while ((uint64_t)(kept + 1) * 4 > (uint64_t)capacity * 3) {
        capacity *= 2;
    }
    seen->slots = rwd_new(capacity * sizeof seen->slots[0]);
    seen->capacity = capacity;
    seen->count = kept;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i] != 0 && within_window(old[i], seen->newest_hour, newest_hour)) {
            seen->slots[slot_of(seen, old[i] | HOUR_MASK)] = old[i];
        }
    }
    rwd_free(old);
}

static void prune_tail(struct rwd_seen *seen, uint32_t newest_hour)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < seen->tail_count; i++) {
        if (within_window(seen->tail[i], seen->newest_hour, newest_hour)) {
            seen->tail[kept++] = seen->tail[i];
        }
    }
    seen->tail_count = kept;
}

/* Forgets which rows were spilled in hours that have left the window; the rows go with the next
 * checkpoint. */
static void prune_spills(struct rwd_seen *seen, uint32_t newest_hour)
{
    uint32_t old = 0;
    while (old < seen->spill_count &&
           newest_hour - seen->spills[old].hour > RWD_DEDUPE_WINDOW_HOURS + 1) {
        old++;
    }
    if (old > 0) {
        seen->drop_below = seen->spills[old - 1].sequence + 1;
        memmove(
            seen->spills, seen->spills + old, (seen->spill_count - old) * sizeof seen->spills[0]);
        seen->spill_count -= old;
    }
}

static void advance(struct rwd_seen *seen, uint32_t hour)
{
    if (hour <= seen->newest_hour) {
        return;
    }
    prune_spills(seen, hour);
    if (hour - seen->pruned_hour > PRUNE_SLACK_HOURS) {
        if (hour - seen->newest_hour > RWD_DEDUPE_WINDOW_HOURS + 1) {
            memset(seen->slots, 0, seen->capacity * sizeof seen->slots[0]);
            seen->tail_count = 0;
        }
        prune_tail(seen, hour);
        rebuild(seen, hour);
        seen->pruned_hour = hour;
    }
    seen->newest_hour = hour;
}

static bool insert(struct rwd_seen *seen, uint64_t entry)
{
    if ((uint64_t)(seen->count + 1) * 4 > (uint64_t)seen->capacity * 3) {
        rebuild(seen, seen->newest_hour);
    }
    uint32_t slot = slot_of(seen, entry | HOUR_MASK);
    if (seen->slots[slot] != 0 &&
        within_window(seen->slots[slot], seen->newest_hour, seen->newest_hour)) {
        return false;
    }
    seen->count += seen->slots[slot] == 0;
    seen->slots[slot] = entry;
    return true;
}

/* The tail is full: it becomes a row under the sequence of the record being applied. */
static void spill(struct rwd_seen *seen, uint64_t sequence)
{
    size_t size = seen->tail_count * sizeof seen->tail[0];
    struct rwd_seen_row_waiting *row = rwd_grow(NULL, sizeof *row + size);
    *row = (struct rwd_seen_row_waiting){.next = seen->waiting,
        .sequence = sequence,
        .hour = seen->newest_hour,
        .count = seen->tail_count};
    memcpy(row->entries, seen->tail, size);
    seen->waiting = row;
    seen->tail_count = 0;
    if (seen->spill_count == 0 || seen->spills[seen->spill_count - 1].hour != row->hour) {
        size_t capacity = seen->spill_capacity;
        seen->spills =
            rwd_room_for(seen->spills, seen->spill_count, &capacity, sizeof seen->spills[0]);
        seen->spill_capacity = (uint32_t)capacity;
        seen->spills[seen->spill_count++].hour = row->hour;
    }
    seen->spills[seen->spill_count - 1].sequence = sequence;
}

void rwd_player_seen_foresee(const struct rwd_player *player)
{
    __builtin_prefetch(player->seen);
}

void rwd_player_seen_foresee_slot(const struct rwd_player *player, uint64_t event_fingerprint)
{
    const struct rwd_seen *seen = player->seen;
    if (seen != NULL) {
        __builtin_prefetch(&seen->slots[(uint32_t)(event_fingerprint >> 8) & (seen->capacity - 1)]);
        __builtin_prefetch(&seen->tail[seen->tail_count]);
    }
}

bool rwd_player_has_seen(const struct rwd_player *player, uint64_t event_fingerprint)
{
    const struct rwd_seen *seen = player->seen;
    if (seen == NULL) {
        return false;
    }
    /* What is too old may lie here until the next rebuild, but not in a player that was stored and
     * loaded: the answer must not tell the two apart. */
    uint64_t entry = seen->slots[slot_of(seen, mark_of(event_fingerprint))];
    return entry != 0 && within_window(entry, seen->newest_hour, seen->newest_hour);
}

void rwd_player_saw(struct rwd_player *player, uint64_t event_fingerprint, int64_t event_ms)
{
    uint32_t hour = (uint32_t)(event_ms / HOUR_MS);
    struct rwd_seen *seen = player->seen;
    if (seen == NULL) {
        seen = rwd_new(sizeof *seen);
        seen->newest_hour = hour;
        seen->pruned_hour = hour;
        seen->capacity = CAPACITY_LEAST;
        seen->slots = rwd_new(CAPACITY_LEAST * sizeof seen->slots[0]);
        player->seen = seen;
    }
    advance(seen, hour);
    uint64_t entry = entry_of(event_fingerprint, hour);
    if (insert(seen, entry)) {
        size_t capacity = seen->tail_capacity;
        seen->tail = rwd_room_for(seen->tail, seen->tail_count, &capacity, sizeof seen->tail[0]);
        seen->tail_capacity = (uint32_t)capacity;
        seen->tail[seen->tail_count++] = entry;
        if (seen->tail_count == RWD_SEEN_TAIL_COUNT_MAX) {
            spill(seen, player->sequence);
        }
    }
}

size_t rwd_player_seen_count(const struct rwd_player *player)
{
    return player->seen != NULL ? player->seen->count : 0;
}

bool rwd_player_seen_spill(struct rwd_player *player, struct rwd_buffer *row, uint64_t *sequence)
{
    struct rwd_seen_row_waiting *waiting = player->seen != NULL ? player->seen->waiting : NULL;
    if (waiting == NULL) {
        return false;
    }
    rwd_wire_put_u32(row, waiting->hour);
    rwd_buffer_put(row, waiting->entries, waiting->count * sizeof waiting->entries[0]);
    *sequence = waiting->sequence;
    player->seen->waiting = waiting->next;
    rwd_free(waiting);
    return true;
}

enum rwd_status rwd_player_seen_load(struct rwd_player *player, struct rwd_text row)
{
    struct rwd_wire wire = rwd_wire_of(row.data, row.size);
    uint32_t row_hour = rwd_wire_u32(&wire);
    struct rwd_seen *seen = player->seen;
    if (wire.failed || seen == NULL || (row.size - sizeof row_hour) % 8 != 0) {
        return RWD_CORRUPT;
    }
    while (wire.at < wire.end) {
        uint64_t entry = rwd_wire_u64(&wire);
        if (entry != 0 && within_window(entry, row_hour, seen->newest_hour)) {
            (void)insert(seen, entry);
        }
    }
    return RWD_OK;
}

uint64_t rwd_player_seen_drop_below(struct rwd_player *player)
{
    struct rwd_seen *seen = player->seen;
    uint64_t below = seen != NULL ? seen->drop_below : 0;
    if (below != 0) {
        seen->drop_below = 0;
    }
    return below;
}

void rwd_seen__destroy(struct rwd_seen *seen)
{
    if (seen != NULL) {
        while (seen->waiting != NULL) {
            struct rwd_seen_row_waiting *next = seen->waiting->next;
            rwd_free(seen->waiting);
            seen->waiting = next;
        }
        rwd_free(seen->slots);
        rwd_free(seen->tail);
        rwd_free(seen->spills);
        rwd_free(seen);
    }
}

void rwd_seen__encode(const struct rwd_seen *seen, struct rwd_buffer *out)
{
    rwd_wire_put_u8(out, seen != NULL);
    if (seen == NULL) {
        return;
    }
    rwd_wire_put_varint(out, seen->newest_hour);
    rwd_wire_put_varint(out, seen->pruned_hour);
    rwd_wire_put_varint(out, seen->tail_count);
    rwd_buffer_put(out, seen->tail, seen->tail_count * sizeof seen->tail[0]);
    rwd_wire_put_varint(out, seen->spill_count);
    for (uint32_t i = 0; i < seen->spill_count; i++) {
        rwd_wire_put_varint(out, seen->spills[i].hour);
        rwd_wire_put_varint(out, seen->spills[i].sequence);
    }
}

struct rwd_seen *rwd_seen__decode(struct rwd_wire *wire)
{
    if (rwd_wire_u8(wire) == 0) {
        return NULL;
    }
    struct rwd_seen *seen = rwd_new(sizeof *seen);
    seen->newest_hour = (uint32_t)rwd_wire_varint(wire);
    seen->pruned_hour = (uint32_t)rwd_wire_varint(wire);
    uint32_t tail_count = (uint32_t)rwd_wire_count(wire, sizeof seen->tail[0]);
    uint32_t capacity = CAPACITY_LEAST;
    while ((uint64_t)tail_count * 4 > (uint64_t)capacity * 3) {
        capacity *= 2;
    }
    seen->capacity = capacity;
    seen->slots = rwd_new(capacity * sizeof seen->slots[0]);
    if (tail_count > 0) {
        seen->tail = rwd_grow(NULL, tail_count * sizeof seen->tail[0]);
        seen->tail_capacity = tail_count;
    }
    for (uint32_t i = 0; i < tail_count; i++) {
        uint64_t entry = rwd_wire_u64(wire);
        wire->failed |= entry == 0;
        if (!wire->failed) {
            seen->tail[seen->tail_count++] = entry;
            (void)insert(seen, entry);
        }
    }
    seen->spill_count = (uint32_t)rwd_wire_count(wire, 2);
    seen->spill_capacity = seen->spill_count;
    seen->spills =
        seen->spill_count > 0 ? rwd_new(seen->spill_count * sizeof seen->spills[0]) : NULL;
    for (uint32_t i = 0; i < seen->spill_count; i++) {
        seen->spills[i].hour = (uint32_t)rwd_wire_varint(wire);
        seen->spills[i].sequence = rwd_wire_varint(wire);
    }
    return seen;
}
