#include "engine/inquiry.h"

#include "base/check.h"
#include "base/memory.h"

enum { CHUNK_SIZE = 16 << 10, ARENA_SIZE_MAX = 256 << 20 };

struct rwd_inquiry *rwd_inquiry_create(enum rwd_inquiry_kind kind, void *origin)
{
    struct rwd_inquiry *inquiry = rwd_new(sizeof *inquiry);
    inquiry->kind = kind;
    inquiry->origin = origin;
    rwd_arena_init(&inquiry->arena, CHUNK_SIZE, ARENA_SIZE_MAX);
    return inquiry;
}

void rwd_inquiry_destroy(struct rwd_inquiry *inquiry)
{
    if (inquiry != NULL) {
        rwd_arena_finish(&inquiry->arena);
        rwd_buffer_finish(&inquiry->json);
        rwd_free(inquiry);
    }
}

struct rwd_text rwd_inquiry_text(struct rwd_inquiry *inquiry, struct rwd_text text)
{
    /* Bounded by the request it came in, which is far below the arena's limit. */
    char *copy = rwd_arena_copy(&inquiry->arena, text.data, text.size);
    RWD_REQUIRE(copy != NULL);
    return (struct rwd_text){.data = copy, .size = text.size};
}

struct rwd_inquiry_file *rwd_inquiry_files(
    struct rwd_inquiry *inquiry, const struct rwd_inquiry_file *files, size_t count)
{
    struct rwd_inquiry_file *copies = rwd_arena_alloc(&inquiry->arena, count * sizeof copies[0]);
    RWD_REQUIRE(copies != NULL);
    for (size_t i = 0; i < count; i++) {
        copies[i].name = rwd_inquiry_text(inquiry, files[i].name);
        copies[i].source = rwd_inquiry_text(inquiry, files[i].source);
    }
    return copies;
}
