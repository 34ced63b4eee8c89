/*
 * ingest_answer: what POST /v1/events answers (spec 10). Private to the edge.
 */
#ifndef RWD_EDGE_INGEST_ANSWER_H
#define RWD_EDGE_INGEST_ANSWER_H

#include "engine/batch.h"
#include "engine/directory.h"

struct rwd_http_request;

struct rwd_ingest_answer {
    struct rwd_input *const *inputs; /* in input order */
    size_t count;
    const struct rwd_directory *directory;
    bool minimal;   /* Prefer: return=minimal */
    bool is_single; /* the body was one event, not a list of them */
    size_t accepted;
    size_t duplicates;
    size_t rejected;
};

void rwd_ingest_count(struct rwd_ingest_answer *answer);
bool rwd_ingest_wants_minimal(const struct rwd_http_request *request);
/* One element of results. */
void rwd_ingest_put_result(
    const struct rwd_ingest_answer *answer, const struct rwd_input *input, struct rwd_buffer *out);
/* 200; 400 where nothing in the body was JSON, 413 where it is one event over a limit, 503 where
 * every event was turned away. */
void rwd_ingest_respond(const struct rwd_ingest_answer *answer, struct rwd_http_request *request,
    struct rwd_buffer *scratch);
void rwd_ingest_respond_player(const struct rwd_input *input, struct rwd_http_request *request);

#endif
