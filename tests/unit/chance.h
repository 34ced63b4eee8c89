/*
 * chance: numbers that look random and are the same on every run, for property tests.
 */
#ifndef RWD_TESTS_CHANCE_H
#define RWD_TESTS_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

/* SplitMix64 (G. L. Steele, D. Lea, C. H. Flood). */
static inline uint64_t chance_u64(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* 0 .. below - 1 */
static inline uint32_t chance_below(struct chance *chance, uint32_t below)
{
    return (uint32_t)((chance_u64(chance) >> 32) * below >> 32);
}

static inline int64_t chance_between(struct chance *chance, int64_t least, int64_t most)
{
    return least + (int64_t)(chance_u64(chance) % (uint64_t)(most - least + 1));
}

static inline bool chance_one_in(struct chance *chance, uint32_t many)
{
    return chance_below(chance, many) == 0;
}

static inline void chance_shuffle(struct chance *chance, size_t *order, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = chance_below(chance, (uint32_t)i);
        size_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

#endif
