/*
 * user_sample: how many of the players seen belong to either of two sides, in bounded memory.
 *
 * Which players are in the sample follows from their fingerprints alone: all of them at first; when
 * the sample is full, half of them leave for good, and so on. Both sides are thinned alike, so
 * their proportion stays what it is. Counts are of players, not of events, and exact for those in
 * the sample.
 *
 * Threads:   its owner's.
 * Ownership: init (zeroed memory) and finish.
 */
#ifndef RWD_ENGINE_USER_SAMPLE_H
#define RWD_ENGINE_USER_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RWD_USER_SAMPLE_COUNT_MAX = 8192 };

struct rwd_user_sample {
    uint64_t *slots; /* open addressing; bit 0 is the side; 0: free */
    uint32_t count[2];
    unsigned halvings;
};

void rwd_user_sample_finish(struct rwd_user_sample *sample);
/* Nothing where the player is known already, or not in the sample. */
void rwd_user_sample_add(struct rwd_user_sample *sample, uint64_t user_fingerprint, bool side);

/* A player's place in samples; those with a place below 2^(64 - halvings) are in. */
uint64_t rwd_user_sample_place(uint64_t user_fingerprint);
static inline bool rwd_user_sample_has(uint64_t place, unsigned halvings)
{
    return halvings == 0 || place >> (64 - halvings) == 0;
}

#endif
