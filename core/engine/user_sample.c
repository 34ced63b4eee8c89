#include "engine/user_sample.h"

#include "base/memory.h"

/* At most half full. */
enum { SLOT_COUNT = 2 * RWD_USER_SAMPLE_COUNT_MAX };

/* Fingerprints modulo something choose the shard: what samples go by must not be part of that.
 * The finaliser of MurmurHash3, which every bit goes through (public domain, A. Appleby). */
uint64_t rwd_user_sample_place(uint64_t user_fingerprint)
{
    uint64_t place = user_fingerprint;
    place = (place ^ (place >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    place = (place ^ (place >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return place ^ (place >> 33);
}

void rwd_user_sample_finish(struct rwd_user_sample *sample)
{
    rwd_free(sample->slots);
    *sample = (struct rwd_user_sample){0};
}

static uint64_t *slot_of(uint64_t *slots, uint64_t key)
{
    /* The upper bits decide who is in, the lower ones where. */
    size_t at = (size_t)(key >> 1) % SLOT_COUNT;
    while (slots[at] != 0 && (slots[at] | 1) != (key | 1)) {
        at = (at + 1) % SLOT_COUNT;
    }
    return &slots[at];
}

static void thin_out(struct rwd_user_sample *sample)
{
    uint64_t *old = sample->slots;
    sample->slots = rwd_new(SLOT_COUNT * sizeof sample->slots[0]);
    sample->count[0] = 0;
    sample->count[1] = 0;
    sample->halvings++;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        if (old[i] != 0 && rwd_user_sample_has(old[i], sample->halvings)) {
            *slot_of(sample->slots, old[i]) = old[i];
            sample->count[old[i] & 1]++;
        }
    }
    rwd_free(old);
}

void rwd_user_sample_add(struct rwd_user_sample *sample, uint64_t user_fingerprint, bool side)
{
    uint64_t place = rwd_user_sample_place(user_fingerprint);
    if (!rwd_user_sample_has(place, sample->halvings)) {
        return;
    }
    if (sample->slots == NULL) {
        sample->slots = rwd_new(SLOT_COUNT * sizeof sample->slots[0]);
    }
    /* Bit 1 keeps a key from being 0. */
    uint64_t key = ((place | 2) & ~UINT64_C(1)) | side;
    uint64_t *slot = slot_of(sample->slots, key);
    if (*slot != 0) {
        return;
    }
    *slot = key;
    sample->count[side]++;
    while (sample->count[0] + sample->count[1] >= RWD_USER_SAMPLE_COUNT_MAX) {
        thin_out(sample);
    }
}
