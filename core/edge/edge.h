/*
 * edge: the io thread: the loop, the HTTP server, and who answers what.
 *
 * Without configured tokens it serves this machine only: an address others can reach is refused at
 * start.
 *
 * Threads: create and destroy from the main thread while run does not run; stop from the main
 * thread.
 */
#ifndef RWD_EDGE_EDGE_H
#define RWD_EDGE_EDGE_H

#include "engine/engine.h"

struct rwd_edge;

/* Listens at once; events are answered 503 until the engine is ready. <data.dir>/rewardd.port gets
 * one line "host:port" for those who asked for any free port. INVALID, UNAVAILABLE: see
 * http_server.h; DENIED: the address is not loopback. */
RWD_MUST_USE enum rwd_status rwd_edge_create(
    struct rwd_engine *engine, struct rwd_edge **edge, struct rwd_error *error);
void rwd_edge_destroy(struct rwd_edge *edge);

/* The thread's function: serves until stop, then answers what is open and ends. */
void rwd_edge_run(void *edge);
void rwd_edge_stop(void *edge);

#endif
