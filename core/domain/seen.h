/*
 * seen: the event fingerprints of one player, over the dedupe window.
 *
 * An open-addressing set of 8-byte entries: 56 bits of the keyed fingerprint and the event's hour
 * modulo 256. A false "duplicate" needs two of a player's ids to agree in 56 bits: 10^-12 an event
 * for a player with 10^5 events in the window. The hour lets a rebuild forget what is older than
 * the window.
 *
 * What is stored follows from the events alone, never from when a checkpoint came by: a tail that
 * is full becomes a row at once and waits for the next checkpoint, so a replayed journal gives
 * byte-equal players.
 *
 * Private to the domain room; the public face is rwd_player_has_seen and its neighbours.
 */
#ifndef RWD_DOMAIN_SEEN_H
#define RWD_DOMAIN_SEEN_H

#include "domain/player.h"

/* The newest hour in which a row of fingerprints was spilled under a sequence. */
struct rwd_seen_spill {
    uint32_t hour;
    uint64_t sequence;
};

/* A full tail, waiting for a checkpoint to take it. */
struct rwd_seen_row_waiting {
    struct rwd_seen_row_waiting *next;
    uint64_t sequence;
    uint32_t hour;
    uint32_t count;
    uint64_t entries[];
};

struct rwd_seen {
    uint64_t *slots; /* 0: free */
    uint32_t capacity;
    uint32_t count;
    uint32_t newest_hour;
    uint32_t pruned_hour; /* newest_hour when what was too old was last dropped */
    uint64_t *tail;       /* entries no spilled row holds yet, in the order they came */
    uint32_t tail_count;
    uint32_t tail_capacity;
    struct rwd_seen_spill *spills; /* one an hour, ascending */
    uint32_t spill_count;
    uint32_t spill_capacity;
    /* For the next checkpoint; not stored. */
    struct rwd_seen_row_waiting *waiting;
    uint64_t drop_below;
};

void rwd_seen__destroy(struct rwd_seen *seen);
void rwd_seen__encode(const struct rwd_seen *seen, struct rwd_buffer *out);
struct rwd_seen *rwd_seen__decode(struct rwd_wire *wire);

#endif
