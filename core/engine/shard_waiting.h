/*
 * shard_waiting: a shard's part in rules that decide in event time: releases what waits of a
 * player, when an event made it due and when time alone did. Private to the engine.
 *
 * A release is a record of its own (RWD_RECORD_RELEASE), journaled behind the input that brought it
 * about, in the order in which both were applied. What time brings about is such an input too:
 * RWD_INPUT_RELEASE, of one player, in batches of the shard's own.
 *
 * Threads: the shard's.
 */
#ifndef RWD_ENGINE_SHARD_WAITING_H
#define RWD_ENGINE_SHARD_WAITING_H

#include "engine/shard_private.h"

/* The shard's room knows what waits of the player, after a decision that changed it was applied. */
void rwd_shard__note_waiting(struct rwd_shard *shard, const struct rwd_player *player);
/* Releases what is due of a player who has waiting events. clock_ms: RWD_RELEASE_NO_CLOCK, or what
 * time it is for events that only time makes due. */
void rwd_shard__release_due(struct rwd_shard *shard, struct rwd_input *input,
    struct rwd_player *player, int64_t now_ms, int64_t clock_ms);
/* RWD_INPUT_RELEASE. */
void rwd_shard__handle_release(struct rwd_shard *shard, struct rwd_input *input, int64_t now_ms);
/* A batch of the players whom time made due, to be handled like any other; NULL: none, and there is
 * nothing to do for *timeout_ms (-1: until something happens). */
struct rwd_batch *rwd_shard__due_batch(struct rwd_shard *shard, int *timeout_ms);
/* It is durable. */
void rwd_shard__due_batch_home(struct rwd_shard *shard);

#endif
