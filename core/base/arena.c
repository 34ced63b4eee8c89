#include "base/arena.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum { ALIGNMENT = 16 };

struct rwd_arena_chunk {
    struct rwd_arena_chunk *next;
    size_t capacity;
    size_t used;
    size_t padding;
    unsigned char data[];
};

void rwd_arena_init(struct rwd_arena *arena, size_t chunk_size, size_t size_max)
{
    *arena = (struct rwd_arena){.chunk_size = chunk_size, .size_max = size_max};
}

void rwd_arena_finish(struct rwd_arena *arena)
{
    struct rwd_arena_chunk *chunk = arena->first;
    while (chunk != NULL) {
        struct rwd_arena_chunk *next = chunk->next;
        ASAN_UNPOISON_MEMORY_REGION(chunk->data, chunk->capacity);
        rwd_free(chunk);
        chunk = next;
    }
    *arena = (struct rwd_arena){0};
}

/* The next chunk that has room: one kept from an earlier use, or a new one inside the limit. */
static struct rwd_arena_chunk *advance(struct rwd_arena *arena, size_t size)
{
    struct rwd_arena_chunk *current = arena->current;
    struct rwd_arena_chunk *kept = current != NULL ? current->next : arena->first;
    if (kept != NULL && kept->capacity >= size) {
        kept->used = 0;
        arena->current = kept;
        return kept;
    }
    size_t capacity = size > arena->chunk_size ? size : arena->chunk_size;
    /* Kept chunks that are too small must not take the room of one that is not: what the arena held
     * in an earlier use may not decide whether something fits now. */
    while (
        kept != NULL && capacity <= arena->size_max && arena->size > arena->size_max - capacity) {
        struct rwd_arena_chunk *next = kept->next;
        arena->size -= kept->capacity;
        ASAN_UNPOISON_MEMORY_REGION(kept->data, kept->capacity);
        rwd_free(kept);
        kept = next;
    }
    if (current != NULL) {
        current->next = kept;
    } else {
        arena->first = kept;
    }
    if (capacity > arena->size_max || arena->size > arena->size_max - capacity) {
        return NULL;
    }
    struct rwd_arena_chunk *chunk = rwd_grow(NULL, sizeof *chunk + capacity);
    *chunk = (struct rwd_arena_chunk){.next = kept, .capacity = capacity};
    ASAN_POISON_MEMORY_REGION(chunk->data, capacity);
    if (current != NULL) {
        current->next = chunk;
    } else {
        arena->first = chunk;
    }
    arena->size += capacity;
    arena->current = chunk;
    return chunk;
}

void *rwd_arena_alloc(struct rwd_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct rwd_arena_chunk *chunk = arena->current;
    if (chunk == NULL || chunk->capacity - chunk->used < rounded) {
        chunk = advance(arena, rounded);
        if (chunk == NULL) {
            return NULL;
        }
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += rounded;
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
    return memory;
}

void rwd_arena_trim(struct rwd_arena *arena, void *newest, size_t size, size_t used)
{
    struct rwd_arena_chunk *chunk = arena->current;
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    size_t kept = (used + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    RWD_REQUIRE(used <= size && chunk != NULL);
    RWD_REQUIRE((unsigned char *)newest + rounded == chunk->data + chunk->used);
    chunk->used -= rounded - kept;
    ASAN_POISON_MEMORY_REGION((unsigned char *)newest + used, rounded - used);
}

char *rwd_arena_copy(struct rwd_arena *arena, const void *data, size_t size)
{
    char *copy = rwd_arena_alloc(arena, size + 1);
    if (copy != NULL) {
        if (size > 0) {
            memcpy(copy, data, size);
        }
        copy[size] = '\0';
    }
    return copy;
}

struct rwd_arena_mark rwd_arena_mark(const struct rwd_arena *arena)
{
    return (struct rwd_arena_mark){
        .chunk = arena->current, .used = arena->current != NULL ? arena->current->used : 0};
}

void rwd_arena_rewind(struct rwd_arena *arena, struct rwd_arena_mark mark)
{
    arena->current = mark.chunk;
    if (mark.chunk != NULL) {
        ASAN_POISON_MEMORY_REGION(mark.chunk->data + mark.used, mark.chunk->capacity - mark.used);
        mark.chunk->used = mark.used;
    }
}

void rwd_arena_reset(struct rwd_arena *arena, size_t keep_size)
{
    struct rwd_arena_chunk **link = &arena->first;
    size_t kept = 0;
    while (*link != NULL) {
        struct rwd_arena_chunk *chunk = *link;
        if (kept + chunk->capacity <= keep_size) {
            kept += chunk->capacity;
            chunk->used = 0;
            ASAN_POISON_MEMORY_REGION(chunk->data, chunk->capacity);
            link = &chunk->next;
        } else {
            *link = chunk->next;
            ASAN_UNPOISON_MEMORY_REGION(chunk->data, chunk->capacity);
            rwd_free(chunk);
        }
    }
    arena->current = NULL;
    arena->size = kept;
}
