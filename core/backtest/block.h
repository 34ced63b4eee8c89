/*
 * block: some thousand inputs of a backtest in one piece of memory, as they go from the reader to
 * the workers and back.
 *
 * Every worker gets every block, and reads those inputs that are its own; nobody changes a block on
 * its way. The last worker that is done with it sends it home.
 *
 * Threads:   filled by the reader; read by all workers; done by each worker once.
 * Ownership: create/destroy, the reader's; all texts of its items hang in its arena.
 */
#ifndef RWD_BACKTEST_BLOCK_H
#define RWD_BACKTEST_BLOCK_H

#include "domain/event.h"
#include "domain/pool.h"
#include "runtime/mailbox.h"

#include <stdatomic.h>

enum {
    RWD_BACKTEST_BLOCK_ITEM_COUNT = 2048,
    /* Past it a block is handed on however few inputs it has. */
    RWD_BACKTEST_BLOCK_SIZE_MAX = 8 << 20,
    RWD_BACKTEST_WORKER_COUNT_MAX = 64,
    RWD_BACKTEST_NO_ITEM = -1,
};

enum rwd_backtest_item_kind {
    RWD_BACKTEST_EVENT,
    RWD_BACKTEST_COMMAND, /* on a reward task, of the journal */
    RWD_BACKTEST_BUDGET,  /* the caps of a pool from here on, of the journal; the first worker's */
    RWD_BACKTEST_RELEASE, /* the journal's record that an event which waited was decided */
    RWD_BACKTEST_TICK,    /* time makes what waits of a player due: ticks.h */
};

struct rwd_backtest_item {
    enum rwd_backtest_item_kind kind;
    bool waited;  /* EVENT: a record of its release follows. TICK: see is_last */
    int32_t next; /* of the same worker; RWD_BACKTEST_NO_ITEM: none */
    uint64_t user_fingerprint;
    int64_t now_ms;       /* journal time, or the event's own */
    uint64_t position;    /* in the journal */
    struct rwd_text body; /* the event's raw bytes, the command's record body, a TICK's user id */
    const struct rwd_event *event;      /* read already; NULL: the worker reads it */
    const struct rwd_pool_terms *terms; /* of a budget */
};

struct rwd_backtest_block;

/* How a block lies in one worker's mailbox. */
struct rwd_backtest_handover {
    struct rwd_message message;
    struct rwd_backtest_block *block;
};

struct rwd_backtest_block {
    struct rwd_message home_message;
    struct rwd_mailbox *home;
    struct rwd_arena arena;
    uint64_t first_no; /* of items[0], in the order of the source, from 1 */
    size_t count;
    bool has_budgets;
    uint32_t worker_count;
    _Atomic uint32_t open_count; /* workers that are not done with it */
    int32_t first[RWD_BACKTEST_WORKER_COUNT_MAX];
    int32_t last[RWD_BACKTEST_WORKER_COUNT_MAX];
    struct rwd_backtest_handover handovers[RWD_BACKTEST_WORKER_COUNT_MAX];
    struct rwd_backtest_item items[RWD_BACKTEST_BLOCK_ITEM_COUNT];
};

struct rwd_backtest_block *rwd_backtest_block_create(
    struct rwd_mailbox *home, uint32_t worker_count);
void rwd_backtest_block_destroy(struct rwd_backtest_block *block);

/* Empty again, for the inputs from first_no on. */
void rwd_backtest_block_begin(struct rwd_backtest_block *block, uint64_t first_no);
bool rwd_backtest_block_full(const struct rwd_backtest_block *block);
/* One more input, zeroed, for the worker that the user's fingerprint says. Not on a full one. */
struct rwd_backtest_item *rwd_backtest_block_add(
    struct rwd_backtest_block *block, uint64_t user_fingerprint);
/* A worker will read it no more. */
void rwd_backtest_block_done(struct rwd_backtest_block *block);

#endif
