/*
 * arena: memory for one batch, freed at a stroke.
 *
 * Bounded: past its limit alloc answers NULL, which the caller turns into RWD_LIMIT; it never
 * aborts. Chunks are kept over a reset, so a recycled batch allocates nothing.
 *
 * Threads:   the arena belongs to whoever owns the batch.
 * Ownership: memory is borrowed until reset, or until rewind to a mark taken before it.
 */
#ifndef RWD_BASE_ARENA_H
#define RWD_BASE_ARENA_H

#include <stddef.h>

struct rwd_arena_chunk;

struct rwd_arena {
    struct rwd_arena_chunk *first;
    struct rwd_arena_chunk *current;
    size_t chunk_size;
    size_t size;
    size_t size_max;
};

struct rwd_arena_mark {
    struct rwd_arena_chunk *chunk;
    size_t used;
};

void rwd_arena_init(struct rwd_arena *arena, size_t chunk_size, size_t size_max);
void rwd_arena_finish(struct rwd_arena *arena);

/* 16-byte aligned, not zeroed. NULL: the limit is reached. */
void *rwd_arena_alloc(struct rwd_arena *arena, size_t size);
/* Gives the unused end of the newest allocation back. */
void rwd_arena_trim(struct rwd_arena *arena, void *newest, size_t size, size_t used);
/* NUL-terminated copy, or NULL at the limit. */
char *rwd_arena_copy(struct rwd_arena *arena, const void *data, size_t size);

struct rwd_arena_mark rwd_arena_mark(const struct rwd_arena *arena);
void rwd_arena_rewind(struct rwd_arena *arena, struct rwd_arena_mark mark);
/* Forgets everything; keeps at most keep_size bytes of chunks for the next use. */
void rwd_arena_reset(struct rwd_arena *arena, size_t keep_size);

#endif
