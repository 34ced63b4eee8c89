/*
 * ingest: POST /v1/events and GET /v1/players/{id}: from a request's bytes to batches, and back to
 * an answer.
 *
 * Every event becomes one input of a batch, good or bad, so that its verdict comes home in its
 * place; bad ones are journaled as dead letters. Batches are filled over one turn of the loop,
 * whichever requests their events came in, and posted at its end. A request is answered when its
 * last event is home, durable.
 *
 * The request's body is never copied: events point into it, and it lives until the answer.
 *
 * Threads: the io thread's.
 */
#ifndef RWD_EDGE_INGEST_H
#define RWD_EDGE_INGEST_H

#include "edge/api.h"

/* One writer, the io thread. */
struct rwd_ingest_metrics {
    _Atomic uint64_t requests;
    _Atomic uint64_t accepted;
    _Atomic uint64_t duplicates;
    _Atomic uint64_t rejected;
    _Atomic uint64_t busy;           /* events turned away because a shard was full */
    struct rwd_histogram request_ns; /* from the complete request to its answer */
};

struct rwd_ingest;

/* home: the io thread's mailbox. */
struct rwd_ingest *rwd_ingest_create(struct rwd_engine *engine, struct rwd_mailbox *home);
void rwd_ingest_destroy(struct rwd_ingest *ingest);
struct rwd_ingest_metrics *rwd_ingest_metrics(struct rwd_ingest *ingest);

void rwd_ingest_post_events(struct rwd_ingest *ingest, struct rwd_http_request *request);
void rwd_ingest_get_player(
    struct rwd_ingest *ingest, struct rwd_http_request *request, struct rwd_text user_id);

/* A dead letter's event once more; see api.h. raw is copied. */
enum rwd_status rwd_ingest_resubmit(void *ingest, struct rwd_text raw, rwd_resubmit_done *done,
    void *done_context, struct rwd_error *error);

/* At the end of each turn of the loop: posts what was filled. */
void rwd_ingest_turn_end(struct rwd_ingest *ingest);
/* A batch of RWD_IO_BATCH is home. */
void rwd_ingest_batch_home(struct rwd_ingest *ingest, struct rwd_batch *batch);
/* Requests that are not answered yet. */
size_t rwd_ingest_open_count(const struct rwd_ingest *ingest);

#endif
