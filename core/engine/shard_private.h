/*
 * shard_private: what the parts of a shard share: shard.c, which decides and hands over
 * checkpoints, shard_waiting.c, which releases what waited, and shard_replay.c, which brings one
 * back before it runs.
 */
#ifndef RWD_ENGINE_SHARD_PRIVATE_H
#define RWD_ENGINE_SHARD_PRIVATE_H

#include "engine/players.h"
#include "engine/rule_watch.h"
#include "engine/shard.h"
#include "engine/waiting_room.h"

enum {
    /* A record in the journal. Below RWD_RECORD_BODY_SIZE_MAX by the headers of the smallest
     * segment: what the journal cannot take must be refused here, for there it is decided already.
     */
    RWD_SHARD_RECORD_SIZE_MAX = RWD_RECORD_BODY_SIZE_MAX - (16 << 10),
};

/* Where the journal stood when checkpoint `epoch` passed it. */
struct stamp {
    uint64_t epoch;
    uint64_t position;
};

struct rwd_shard {
    struct rwd_shard_options options;
    struct rwd_mailbox *mailbox;
    struct rwd_store_reader *reader;
    struct rwd_players *players;
    struct rwd_ruleset *ruleset;
    struct rwd_shard_metrics metrics;
    struct rwd_rule_watch *watch;
    struct rwd_buffer scratch;
    struct rwd_arena replay_arena;
    size_t hot_count_max;

    struct rwd_waiting_room *waiting_room;
    struct rwd_arena release_arena; /* of one release */
    struct rwd_batch *due_batch;    /* made at its first use */
    bool due_out;                   /* the journal has it */
    int64_t due_retry_ms;           /* the store was away: not before */

    struct rwd_message *waiting; /* taken from the mailbox, not handled yet */
    struct rwd_message *waiting_last;

    struct rwd_checkpoint_message *filling;
    struct rwd_checkpoint_message *spare; /* NULL while one is on its way */
    int64_t taken;                        /* players in filling */
    uint64_t epoch;                       /* checkpoints posted */
    uint64_t committed_epoch;
    bool idle;            /* no batch came since the last checkpoint was posted */
    uint64_t round_epoch; /* who was dirty by then is stored before there is a pause */
    int64_t next_checkpoint_ns;
    uint64_t last_stamp;
    struct stamp *stamps; /* of the epochs a dirty player may date from, ascending */
    size_t stamp_count;
    size_t stamp_capacity;
    uint32_t unsettled_count; /* batches of budgets that the journal has */
    bool stopping;
};

/* What decide needs to know. */
struct rwd_decide_facts rwd_shard__facts(struct rwd_shard *shard, int64_t now_ms);
/* Applies it in memory, ahead of the journal; dies with the process if the journal fails. */
void rwd_shard__apply(struct rwd_shard *shard, struct rwd_player *player,
    const struct rwd_decision *decision, uint64_t sequence);
/* Anything a checkpoint should not keep waiting? */
bool rwd_shard__has_open_change(const struct rwd_decision *decision);
/* How a delivery went, for the table that people read. */
void rwd_shard__add_delivery(struct rwd_shard *shard, const struct rwd_task_command *command,
    uint32_t attempt, int64_t now_ms);
/* At most count players; how many there were. */
int64_t rwd_shard__add_dirty_players(
    struct rwd_shard *shard, struct rwd_checkpoint_message *message, int64_t count);

#endif
