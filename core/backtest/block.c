#include "backtest/block.h"

#include "base/check.h"
#include "base/memory.h"

enum {
    CHUNK_SIZE = 1 << 20,
    /* What is added when the block is just short of full: the largest record, or line, and its
     * tape. */
    ARENA_SIZE_MAX = RWD_BACKTEST_BLOCK_SIZE_MAX + (64 << 20),
};

struct rwd_backtest_block *rwd_backtest_block_create(
    struct rwd_mailbox *home, uint32_t worker_count)
{
    RWD_REQUIRE(worker_count >= 1 && worker_count <= RWD_BACKTEST_WORKER_COUNT_MAX);
    struct rwd_backtest_block *block = rwd_new(sizeof *block);
    rwd_arena_init(&block->arena, CHUNK_SIZE, ARENA_SIZE_MAX);
    block->home = home;
    block->worker_count = worker_count;
    return block;
}

void rwd_backtest_block_destroy(struct rwd_backtest_block *block)
{
    if (block != NULL) {
        rwd_arena_finish(&block->arena);
        rwd_free(block);
    }
}

void rwd_backtest_block_begin(struct rwd_backtest_block *block, uint64_t first_no)
{
    /* What is kept counts as used: all of it, and the block would be full before it begins. */
    rwd_arena_reset(&block->arena, RWD_BACKTEST_BLOCK_SIZE_MAX / 2);
    block->first_no = first_no;
    block->count = 0;
    block->has_budgets = false;
    atomic_store_explicit(&block->open_count, block->worker_count, memory_order_relaxed);
    for (uint32_t i = 0; i < block->worker_count; i++) {
        block->first[i] = RWD_BACKTEST_NO_ITEM;
        block->last[i] = RWD_BACKTEST_NO_ITEM;
        block->handovers[i].block = block;
    }
}

bool rwd_backtest_block_full(const struct rwd_backtest_block *block)
{
    return block->count == RWD_BACKTEST_BLOCK_ITEM_COUNT ||
           block->arena.size >= RWD_BACKTEST_BLOCK_SIZE_MAX;
}

struct rwd_backtest_item *rwd_backtest_block_add(
    struct rwd_backtest_block *block, uint64_t user_fingerprint)
{
    RWD_REQUIRE(block->count < RWD_BACKTEST_BLOCK_ITEM_COUNT);
    int32_t index = (int32_t)block->count++;
    struct rwd_backtest_item *item = &block->items[index];
    *item = (struct rwd_backtest_item){
        .next = RWD_BACKTEST_NO_ITEM, .user_fingerprint = user_fingerprint};
    uint32_t worker = (uint32_t)(user_fingerprint % block->worker_count);
    if (block->first[worker] == RWD_BACKTEST_NO_ITEM) {
        block->first[worker] = index;
    } else {
        block->items[block->last[worker]].next = index;
    }
    block->last[worker] = index;
    return item;
}

void rwd_backtest_block_done(struct rwd_backtest_block *block)
{
    if (atomic_fetch_sub_explicit(&block->open_count, 1, memory_order_acq_rel) == 1) {
        rwd_mailbox_return(block->home, &block->home_message);
    }
}
