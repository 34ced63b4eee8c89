/*
 * mailbox: the only way one thread of rewardd hands work to another.
 *
 * Why: shards share nothing, so a hand-over is a message that changes owner. Bounded: a queue
 * without a limit turns a slow journal into an OOM kill. The receiver takes the whole list at once,
 * and is woken only when empty becomes non-empty, so under load a wake-up serves many messages.
 *
 * Threads:   post and depth from any thread; all else from the receiving thread.
 * Ownership: post takes the message only when it returns RWD_OK.
 */
#ifndef RWD_RUNTIME_MAILBOX_H
#define RWD_RUNTIME_MAILBOX_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* First member of whatever is posted. */
struct rwd_message {
    struct rwd_message *next;
    uint32_t kind; /* the receiver's own numbering */
};

struct rwd_mailbox;

struct rwd_mailbox *rwd_mailbox_create(size_t message_count_max);
/* Messages still inside are the caller's to have taken out before. */
void rwd_mailbox_destroy(struct rwd_mailbox *mailbox);

/* RWD_OK: *message is now NULL. RWD_BUSY: full, the caller keeps it and slows its source. */
RWD_MUST_USE enum rwd_status rwd_mailbox_post(
    struct rwd_mailbox *mailbox, struct rwd_message **message);
/* For messages whose number is bounded by other means (a batch on its way home): cannot be full. */
void rwd_mailbox_return(struct rwd_mailbox *mailbox, struct rwd_message *message);

/* All messages, oldest first; NULL: none. */
struct rwd_message *rwd_mailbox_take(struct rwd_mailbox *mailbox);
/* Waits for messages and takes them; NULL after timeout_ms (below 0: for ever). */
struct rwd_message *rwd_mailbox_wait(struct rwd_mailbox *mailbox, int timeout_ms);
/* Readable when messages wait: for an event loop, which then calls take. */
int rwd_mailbox_fd(const struct rwd_mailbox *mailbox);
size_t rwd_mailbox_depth(struct rwd_mailbox *mailbox);

#endif
