/*
 * checkpoint: what one shard hands to the projector: rows, ready to be written.
 *
 *   shard -> journal (stamps it) -> projector (one transaction) -> shard
 *
 * It walks through the journal like a batch, so whatever the rows came from is durable before they
 * are written: the shard may run ahead, the store never. A checkpoint need not hold every dirty
 * player: those left behind keep the epoch they became dirty in, and the position the store records
 * is where the oldest of them began, so recovery replays from there and each player's own sequence
 * tells what it has already.
 *
 * Ownership: rows and texts hang in the message's arena until the shard takes it back.
 */
#ifndef RWD_ENGINE_CHECKPOINT_H
#define RWD_ENGINE_CHECKPOINT_H

#include "domain/player.h"
#include "domain/pool.h"
#include "engine/directory.h"
#include "runtime/mailbox.h"
#include "store/store.h"

/* No position: 0 is one, the journal's beginning. */
#define RWD_CHECKPOINT_AT_STAMP UINT64_MAX

struct rwd_checkpoint_message {
    struct rwd_message message;
    uint32_t shard;
    uint64_t epoch; /* the shard's how manieth */
    uint64_t stamp; /* the journal's end when it passed */
    uint64_t
        replay_position; /* where recovery is to begin; RWD_CHECKPOINT_AT_STAMP: at the stamp */
    bool has_all_tasks;  /* no changed task was left for the next one */
    bool has_due_tasks;  /* the dispatcher has something to look at */
    int64_t taken_ns;    /* how long the transaction took */
    struct rwd_mailbox *home;
    struct rwd_arena arena;
    size_t size; /* of the rows and texts taken in */
    struct rwd_checkpoint rows;
    size_t capacity[11]; /* of the lists in rows, in their order */
};

struct rwd_checkpoint_message *rwd_checkpoint_message_create(void);
void rwd_checkpoint_message_destroy(struct rwd_checkpoint_message *message);
void rwd_checkpoint_message_reset(struct rwd_checkpoint_message *message);
/* Serialises the player and all it has to store: its row, spilled fingerprints, points by day,
 * changed tasks with their ledger rows and dead letters, and what all that means to pools and rule
 * versions. Settled tasks leave the player. */
void rwd_checkpoint_add_player(struct rwd_checkpoint_message *message, struct rwd_player *player,
    const struct rwd_directory *directory, const struct rwd_pools *pools);

/* Rows that belong to no player; texts are copied. */
void rwd_checkpoint_add_dead_letter(
    struct rwd_checkpoint_message *message, const struct rwd_dead_letter_row *row);
void rwd_checkpoint_add_delivery(
    struct rwd_checkpoint_message *message, const struct rwd_delivery_row *row);
void rwd_checkpoint_add_budget(
    struct rwd_checkpoint_message *message, const struct rwd_budget_row *row);
void rwd_checkpoint_add_rule_version(
    struct rwd_checkpoint_message *message, const struct rwd_rule_version_row *row);
void rwd_checkpoint_add_rulebook(
    struct rwd_checkpoint_message *message, const struct rwd_rulebook_row *row);

#endif
