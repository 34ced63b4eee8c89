/*
 * memory: the heap, in one place. Running out of it aborts here, so no caller tests for NULL; a
 * size that comes from outside is checked against a limit by its reader before it gets here.
 */
#ifndef RWD_BASE_MEMORY_H
#define RWD_BASE_MEMORY_H

#include <stddef.h>

/* Zeroed. */
__attribute__((malloc, returns_nonnull)) void *rwd_new(size_t size);
__attribute__((returns_nonnull)) void *rwd_grow(void *memory, size_t size);
/* For direct I/O: begins at a multiple of alignment, a power of two; not zeroed. */
__attribute__((malloc, returns_nonnull)) void *rwd_new_aligned(size_t size, size_t alignment);
/* NUL-terminated copy. */
__attribute__((malloc, returns_nonnull)) char *rwd_copy(const void *data, size_t size);
void rwd_free(void *memory);

/* Makes room for one more in a vector that doubles:
 *     items = rwd_room_for(items, count, &capacity, sizeof items[0]); items[count++] = ...; */
__attribute__((returns_nonnull)) void *rwd_room_for(
    void *items, size_t count, size_t *capacity, size_t item_size);

#endif
