/*
 * dispatcher: delivers rewards: claims due tasks, sends them, reports what came of it.
 *
 *   store (due) -> claim: shard -> journal -> here -> partner -> result: shard -> journal -> here
 *
 * It only sends what a checkpoint has committed and what a durable claim allows, under the same
 * request id on every try, so a crash anywhere repeats a request and never invents one. Each
 * endpoint has a limit of concurrent requests and a breaker: one slow or dead partner parks its own
 * tasks and slows nobody else.
 *
 * Retry: 5xx, no answer, 408, 409, 425, 429: exponential backoff with full jitter (M. Brooker,
 * "Exponential Backoff And Jitter"), Retry-After honoured. Redirects are not followed. Everything
 * else fails. Threads: post to its mailbox from any; all else is its own.
 */
#ifndef RWD_ENGINE_DISPATCHER_H
#define RWD_ENGINE_DISPATCHER_H

#include "base/clock.h"
#include "domain/config.h"
#include "engine/batch.h"
#include "engine/directory.h"
#include "engine/metrics.h"

enum rwd_dispatcher_message {
    RWD_DISPATCHER_BATCH, /* claims and results, home and durable */
    RWD_DISPATCHER_WAKE,  /* struct rwd_message, freed here: due tasks were stored */
    RWD_DISPATCHER_STOP,  /* struct rwd_message, freed here */
};

struct rwd_dispatcher_options {
    const struct rwd_config *config;
    struct rwd_clock clock;
    const char *store_url;
    const struct rwd_directory *directory;
    const uint8_t *fingerprint_key;
    struct rwd_mailbox *const *shards;
    uint32_t shard_count;
};

struct rwd_dispatcher;

RWD_MUST_USE enum rwd_status rwd_dispatcher_create(const struct rwd_dispatcher_options *options,
    struct rwd_dispatcher **dispatcher, struct rwd_error *error);
void rwd_dispatcher_destroy(struct rwd_dispatcher *dispatcher);
struct rwd_mailbox *rwd_dispatcher_mailbox(struct rwd_dispatcher *dispatcher);
struct rwd_dispatcher_metrics *rwd_dispatcher_metrics(struct rwd_dispatcher *dispatcher);
/* Ends at RWD_DISPATCHER_STOP, when no batch of its own is under way. Requests that are still
 * running are dropped: their claims stand, and the next start repeats them. */
void rwd_dispatcher_run(void *dispatcher);

#endif
