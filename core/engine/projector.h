/*
 * projector: writes checkpoints into the store, one transaction each, and sends them home.
 *
 * A store that is away is waited for: the checkpoint is tried again, ingest goes on from memory and
 * journal until the shards' limits are met. A store that contradicts itself stops the process.
 *
 * Threads: post to its mailbox from any; all else is its own.
 */
#ifndef RWD_ENGINE_PROJECTOR_H
#define RWD_ENGINE_PROJECTOR_H

#include "base/clock.h"
#include "engine/checkpoint.h"
#include "engine/metrics.h"

enum { RWD_PROJECTOR_STOP = 2000 }; /* struct rwd_message, freed here; else RWD_SHARD_CHECKPOINT */

struct rwd_projector;

/* store is borrowed. wake is posted to (an empty message of wake_kind) when due tasks were
 * committed. */
struct rwd_projector *rwd_projector_create(struct rwd_store *store, struct rwd_clock clock,
    uint32_t shard_count, uint64_t position, struct rwd_mailbox *wake, uint32_t wake_kind);
/* As position of create, where recovery has moved it on. Before the projector runs. */
void rwd_projector_stored_to(struct rwd_projector *projector, uint64_t position);
void rwd_projector_destroy(struct rwd_projector *projector);
struct rwd_mailbox *rwd_projector_mailbox(struct rwd_projector *projector);
struct rwd_projector_metrics *rwd_projector_metrics(struct rwd_projector *projector);
/* One turn: writes the checkpoints that wait; waits for them where told to. False: stopped. */
RWD_MUST_USE bool rwd_projector_turn(struct rwd_projector *projector, bool wait);
/* The thread's function: turns until RWD_PROJECTOR_STOP. */
void rwd_projector_run(void *projector);

#endif
