#include "engine/batch.h"

#include "base/check.h"
#include "base/memory.h"

enum {
    CHUNK_SIZE = 256 << 10,
    /* 256 events of 64 KiB with 4096 values each: a tape of 128 KiB an event, and its decision. */
    ARENA_SIZE_MAX = 64 << 20,
    KEEP_SIZE = 1 << 20,
};

struct rwd_batch *rwd_batch_create(size_t capacity)
{
    struct rwd_batch *batch = rwd_new(sizeof *batch);
    rwd_arena_init(&batch->arena, CHUNK_SIZE, ARENA_SIZE_MAX);
    batch->inputs = rwd_new(capacity * sizeof batch->inputs[0]);
    batch->capacity = capacity;
    return batch;
}

void rwd_batch_destroy(struct rwd_batch *batch)
{
    if (batch != NULL) {
        rwd_arena_finish(&batch->arena);
        rwd_free(batch->inputs);
        rwd_free(batch);
    }
}

void rwd_batch_reset(struct rwd_batch *batch)
{
    rwd_arena_reset(&batch->arena, KEEP_SIZE);
    batch->count = 0;
    batch->held = 0;
    batch->next = NULL;
}

struct rwd_input *rwd_batch_add(struct rwd_batch *batch, enum rwd_input_kind kind)
{
    RWD_REQUIRE(batch->count < batch->capacity);
    struct rwd_input *input = &batch->inputs[batch->count++];
    *input = (struct rwd_input){.kind = kind, .batch = batch};
    return input;
}
