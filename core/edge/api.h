/*
 * api: the HTTP API but for events in and the player page: one table of routes, and the
 * conversations behind them.
 *
 *   request -> inquiry -> query thread | keeper -> io -> answer
 *   request -> batch -> shard -> journal -> io -> answer       (a command: durable before it is
 * told) request -> inquiry -> batch -> answer                      (a command on something stored)
 *
 * A call is one request on its way. It waits for one message at a time and moves on when that
 * message is home. The store is as fresh as the last checkpoint; changes of dead letters are
 * remembered here until the store has them, so that two actions on one letter see each other.
 *
 * Threads:   the io thread's.
 * Ownership: a call owns its inquiry or batch while it is here; a request is answered exactly once.
 */
#ifndef RWD_EDGE_API_H
#define RWD_EDGE_API_H

#include "engine/batch.h"
#include "engine/engine.h"
#include "transport/http_server.h"

/* What became of an event that was sent in again. problem: with REJECTED, borrowed for the call.
 * status other than OK: it could not be tried (error, may be empty, says why). */
struct rwd_resubmitted {
    enum rwd_status status;
    enum rwd_outcome outcome;
    const struct rwd_problem *problem;
    const struct rwd_error *error;
};
typedef void rwd_resubmit_done(void *context, const struct rwd_resubmitted *result);

/* Takes raw in as if it were posted to /v1/events as one object, but makes no new dead letter where
 * it is refused: the one it comes from stays. raw is borrowed until done is called, which happens
 * once, durable, on the io thread, perhaps before this returns. Anything but OK: not taken, done is
 * not called. */
typedef enum rwd_status rwd_resubmit(void *context, struct rwd_text raw, rwd_resubmit_done *done,
    void *done_context, struct rwd_error *error);

/* What the edge counts itself, for the metrics page. Either may be NULL. */
struct rwd_api_counters {
    const struct rwd_http_server_counters *http;
    const struct rwd_histogram *ingest_ns; /* from a request's last byte to its answer */
};

struct rwd_api_options {
    struct rwd_engine *engine;
    struct rwd_mailbox *home; /* the io thread's: see io_message.h */
    rwd_resubmit *resubmit;
    void *resubmit_context;
    void (*counters)(void *context, struct rwd_api_counters *counters); /* NULL: none */
    void *counters_context;
};

struct rwd_api;

struct rwd_api *rwd_api_create(const struct rwd_api_options *options);
/* Takes NULL. Calls still open are given up with the process: their messages are under way in other
 * threads, so what they hold is not freed. */
void rwd_api_destroy(struct rwd_api *api);
/* Calls that wait for a message; an orderly end waits for 0. */
size_t rwd_api_open_count(const struct rwd_api *api);

/* False: POST /v1/events or GET /v1/players/{id}, which are the caller's. Everything else is
 * answered here, now or later: unknown paths with 404, known ones with another method with 405. */
bool rwd_api_handle(struct rwd_api *api, struct rwd_http_request *request);

/* Messages that came home with RWD_IO_INQUIRY and RWD_IO_API_BATCH. */
void rwd_api_inquiry_home(struct rwd_api *api, struct rwd_inquiry *inquiry);
void rwd_api_batch_home(struct rwd_api *api, struct rwd_batch *batch);

/* The table of routes, for the test that holds it against openapi.json: every path and method of
 * the daemon. pattern: "/v1/players/{id}". */
struct rwd_api_route {
    enum rwd_http_method method;
    const char *pattern;
};
size_t rwd_api_route_count(void);
struct rwd_api_route rwd_api_route(size_t index);
const char *rwd_api_method_name(enum rwd_http_method method);

/* The OpenAPI document, as embedded at build time. */
struct rwd_text rwd_api_openapi(void);

#endif
