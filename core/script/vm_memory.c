/*
 * The memory of one VM: sixteen-byte classes cut from chunks, larger blocks from the heap. What
 * counts against the cap is what was taken from the process, so that filling one class, freeing it
 * and filling the next gains nothing. Freed whole, however many objects are in it: closing a full
 * 16 MiB heap the ordinary way takes longer than a call may.
 */
#include "base/memory.h"
#include "script/vm.h"

#include <string.h>

enum { CHUNK_SIZE = 32 << 10 };

struct rwd_vm_chunk {
    struct rwd_vm_chunk *next;
    size_t size; /* keeps what follows 16-byte aligned */
};

struct rwd_vm_block {
    struct rwd_vm_block *next;
    struct rwd_vm_block *previous;
    size_t size;
    size_t padding;
};

void rwd_vm_memory_init(struct rwd_vm_memory *memory, size_t size_max)
{
    *memory = (struct rwd_vm_memory){.size_max = size_max, .call_bytes_max = SIZE_MAX};
}

void rwd_vm_memory_finish(struct rwd_vm_memory *memory)
{
    for (struct rwd_vm_chunk *chunk = memory->chunks; chunk != NULL;) {
        struct rwd_vm_chunk *next = chunk->next;
        rwd_free(chunk);
        chunk = next;
    }
    for (struct rwd_vm_block *block = memory->blocks; block != NULL;) {
        struct rwd_vm_block *next = block->next;
        rwd_free(block);
        block = next;
    }
    *memory = (struct rwd_vm_memory){0};
}

static size_t class_of(size_t size)
{
    return (size - 1) / 16;
}

static void *get_small(struct rwd_vm_memory *memory, size_t size)
{
    size_t class = class_of(size);
    size_t rounded = (class + 1) * 16;
    void *block = memory->freed[class];
    if (block != NULL) {
        memcpy(&memory->freed[class], block, sizeof(void *));
        return block;
    }
    if ((size_t)(memory->end - memory->at) < rounded) {
        if (memory->size + CHUNK_SIZE > memory->size_max) {
            return NULL;
        }
        /* The rest of the old chunk serves a smaller class. */
        size_t rest = (size_t)(memory->end - memory->at);
        if (rest >= 16) {
            /* cppcheck-suppress pointerSize ; a free block holds the address of the next */
            memcpy(memory->at, &memory->freed[class_of(rest)], sizeof(void *));
            memory->freed[class_of(rest)] = memory->at;
        }
        struct rwd_vm_chunk *chunk = rwd_grow(NULL, CHUNK_SIZE);
        *chunk = (struct rwd_vm_chunk){.next = memory->chunks, .size = CHUNK_SIZE};
        memory->chunks = chunk;
        memory->size += CHUNK_SIZE;
        memory->at = (char *)(chunk + 1);
        memory->end = (char *)chunk + CHUNK_SIZE;
    }
    block = memory->at;
    memory->at += rounded;
    return block;
}

static void *get_large(struct rwd_vm_memory *memory, size_t size)
{
    size_t whole = size + sizeof(struct rwd_vm_block);
    if (memory->size + whole > memory->size_max) {
        return NULL;
    }
    struct rwd_vm_block *block = rwd_grow(NULL, whole);
    *block = (struct rwd_vm_block){.next = memory->blocks, .size = whole};
    if (memory->blocks != NULL) {
        memory->blocks->previous = block;
    }
    memory->blocks = block;
    memory->size += whole;
    return block + 1;
}

static void put(struct rwd_vm_memory *memory, void *data, size_t size)
{
    if (size <= RWD_VM_SMALL_SIZE_MAX) {
        memcpy(data, &memory->freed[class_of(size)], sizeof(void *));
        memory->freed[class_of(size)] = data;
        return;
    }
    struct rwd_vm_block *block = (struct rwd_vm_block *)data - 1;
    if (block->next != NULL) {
        block->next->previous = block->previous;
    }
    if (block->previous != NULL) {
        block->previous->next = block->next;
    } else {
        memory->blocks = block->next;
    }
    memory->size -= block->size;
    rwd_free(block);
}

void *rwd_vm_memory_get(void *context, void *data, size_t old_size, size_t new_size)
{
    struct rwd_vm_memory *memory = context;
    if (data == NULL) {
        old_size = 0;
    }
    if (new_size == 0) {
        if (old_size > 0) {
            put(memory, data, old_size);
        }
        return NULL;
    }
    if (new_size > old_size) {
        memory->call_bytes += new_size - old_size;
        if (new_size > RWD_VM_BLOCK_SIZE_MAX || memory->call_bytes > memory->call_bytes_max) {
            return NULL;
        }
        if (new_size > RWD_VM_LARGE_SIZE) {
            rwd_vm_note_large((struct rwd_vm *)context);
        }
    }
    if (old_size > 0 && old_size <= RWD_VM_SMALL_SIZE_MAX && new_size <= RWD_VM_SMALL_SIZE_MAX &&
        class_of(old_size) == class_of(new_size)) {
        return data;
    }
    void *moved = new_size <= RWD_VM_SMALL_SIZE_MAX ? get_small(memory, new_size)
                                                    : get_large(memory, new_size);
    if (moved == NULL) {
        /* Even where it was to shrink: LuaJIT raises, and the VM is dropped. */
        return NULL;
    }
    if (old_size > 0) {
        memcpy(moved, data, old_size < new_size ? old_size : new_size);
        put(memory, data, old_size);
    }
    return moved;
}
