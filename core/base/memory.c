#include "base/memory.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void *rwd_new(size_t size)
{
    void *memory = calloc(1, size == 0 ? 1 : size);
    RWD_REQUIRE(memory != NULL && "out of memory");
    return memory;
}

void *rwd_grow(void *memory, size_t size)
{
    void *grown = realloc(memory, size == 0 ? 1 : size);
    RWD_REQUIRE(grown != NULL && "out of memory");
    return grown;
}

void *rwd_new_aligned(size_t size, size_t alignment)
{
    void *memory = NULL;
    RWD_REQUIRE(posix_memalign(&memory, alignment, size) == 0 && "out of memory");
    return memory;
}

char *rwd_copy(const void *data, size_t size)
{
    char *copy = rwd_grow(NULL, size + 1);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    copy[size] = '\0';
    return copy;
}

void rwd_free(void *memory)
{
    free(memory);
}

void *rwd_room_for(void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity) {
        RWD_REQUIRE(items != NULL);
        return items;
    }
    *capacity = *capacity == 0 ? 4 : *capacity * 2;
    return rwd_grow(items, *capacity * item_size);
}
