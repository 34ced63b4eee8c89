/*
 * cursor: where a list goes on, as an opaque text for the caller.
 *
 * base64url of the last row's key, closed by a checksum over list, filter and key: a cursor that
 * was altered, or belongs to another list or another filter, is told from one we made. It keeps
 * honest clients from mistakes; it is no secret, and every list checks access on its own.
 */
#ifndef RWD_STORE_CURSOR_H
#define RWD_STORE_CURSOR_H

#include "store/store.h"

enum rwd_store__list { RWD_STORE__TASKS = 1, RWD_STORE__LEDGER, RWD_STORE__DEAD_LETTERS };

struct rwd_store__key {
    int64_t at_ms;
    struct rwd_text id;
};

/* The text hangs in the arena. LIMIT: the arena is full. */
RWD_MUST_USE enum rwd_status rwd_store__cursor_write(enum rwd_store__list list,
    const struct rwd_store_filter *filter, struct rwd_store__key key, struct rwd_arena *arena,
    struct rwd_text *cursor, struct rwd_error *error);
/* filter->cursor -> the key, in the arena. INVALID: not a cursor of this list and filter. */
RWD_MUST_USE enum rwd_status rwd_store__cursor_read(enum rwd_store__list list,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, struct rwd_store__key *key,
    struct rwd_error *error);

#endif
