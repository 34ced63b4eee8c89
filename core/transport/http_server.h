/*
 * http_server: HTTP/1.1 for one loop: strict requests in, answers out, memory flat whoever calls.
 *
 * One request at a time per connection; pipelined ones wait in the connection's buffer or in the
 * kernel. What the reader refuses gets a problem+json, and the connection is closed in a way that
 * lets the peer read it. Deadlines for head and body are absolute, so a byte a second does not
 * help.
 *
 * Memory: a connection holds a 20 KiB buffer only while it has unread bytes or an open request; a
 * body that does not fit there gets a buffer of exactly Content-Length. Body bytes count against
 * inflight_size_max as they come, so who announces much and sends little keeps nobody out; past it
 * a request gets 503 with Retry-After, before it is read where its length alone is too much.
 *
 * Threads:   everything is called from the loop's thread; counters may be read from any.
 * Ownership: a request, and every text it hands out, is borrowed from the call of the handler until
 *            rwd_http_respond, even if the peer has long gone. Every request needs one respond.
 */
#ifndef RWD_TRANSPORT_HTTP_SERVER_H
#define RWD_TRANSPORT_HTTP_SERVER_H

#include "base/histogram.h"
#include "base/text.h"
#include "transport/http_reader.h"

struct rwd_loop;
struct rwd_http_server;
struct rwd_http_request;

struct rwd_http_server_options {
    const char *listen;          /* "127.0.0.1:8080", "[::1]:0", "*:80"; port 0: any free one */
    size_t connection_count_max; /* one more is told 503 and closed */
    size_t body_size_max;        /* of one request; one byte more is 413 */
    size_t inflight_size_max;    /* body bytes of all requests not yet answered */
    int64_t head_timeout_ms;     /* from connecting, or a request's first byte, to its empty line */
    int64_t body_timeout_ms;     /* from the empty line to the last byte of the body */
    int64_t idle_timeout_ms;     /* between an answer and the next request's first byte */
    int64_t write_timeout_ms;    /* for the peer to take an answer */
    bool reuse_port;             /* several servers, each with its loop, share one port */
};

/* One writer, the loop; see rwd_counted. */
struct rwd_http_server_counters {
    _Atomic uint64_t connections_open;
    _Atomic uint64_t connections_accepted;
    _Atomic uint64_t connections_refused; /* over connection_count_max */
    _Atomic uint64_t requests;            /* handed to the handler */
    _Atomic uint64_t requests_refused;    /* by the reader or a limit, before the handler */
    _Atomic uint64_t requests_open;       /* handed over and not yet answered */
    _Atomic uint64_t timeouts;
    _Atomic uint64_t inflight_size; /* body bytes received and not yet answered */
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t bytes_out;
    _Atomic uint64_t answers[6]; /* by status / 100 */
};

/* The request is complete. Respond here, or later from the loop's thread. */
typedef void rwd_http_handler(void *context, struct rwd_http_request *request);

/* 1024 connections, 4 MiB a body, 64 MiB in flight, 10 s head, 30 s body, 60 s idle, 30 s write. */
struct rwd_http_server_options rwd_http_server_defaults(void);

/* Listens at once. RWD_INVALID: listen is not an address. RWD_UNAVAILABLE: it cannot be had. */
RWD_MUST_USE enum rwd_status rwd_http_server_create(struct rwd_loop *loop,
    const struct rwd_http_server_options *options, rwd_http_handler *handler, void *context,
    struct rwd_http_server **server, struct rwd_error *error);
/* Takes NULL. Closes everything; requests still open are gone and must not be answered any more, so
 * an orderly end waits for requests_open to be 0 first. */
void rwd_http_server_destroy(struct rwd_http_server *server);

int rwd_http_server_port(const struct rwd_http_server *server);
/* Only this machine can connect. */
bool rwd_http_server_is_loopback(const struct rwd_http_server *server);
/* Drains: no new connections, idle ones close now, busy ones with their next answer. */
void rwd_http_server_stop_accepting(struct rwd_http_server *server);
const struct rwd_http_server_counters *rwd_http_server_counters(
    const struct rwd_http_server *server);

/* Ends the request, which is gone when this returns; body and lines are copied or sent by then.
 * extra_header_lines: NULL, or lines that each end in CR LF. content_type: NULL for no body. */
void rwd_http_respond(struct rwd_http_request *request, int status, const char *content_type,
    const char *extra_header_lines, struct rwd_text body);
/* The same with a problem+json of that detail. */
void rwd_http_respond_problem(struct rwd_http_request *request, int status,
    const char *extra_header_lines, const char *detail);

enum rwd_http_method rwd_http_request_method(const struct rwd_http_request *request);
/* See http_reader.h for what these texts are; data NULL where there is none. */
struct rwd_text rwd_http_request_path(const struct rwd_http_request *request);
struct rwd_text rwd_http_request_segment(const struct rwd_http_request *request, size_t index);
size_t rwd_http_request_segment_count(const struct rwd_http_request *request);
struct rwd_text rwd_http_request_query(const struct rwd_http_request *request, const char *name);
struct rwd_text rwd_http_request_header(const struct rwd_http_request *request, const char *name);
struct rwd_text rwd_http_request_content_type(const struct rwd_http_request *request);
struct rwd_text rwd_http_request_body(const struct rwd_http_request *request);
/* The peer hung up or was reset: an answer would reach nobody. */
bool rwd_http_request_is_abandoned(const struct rwd_http_request *request);

/* A pointer of the handler's own; NULL at first. */
void rwd_http_request_set_user(struct rwd_http_request *request, void *user);
void *rwd_http_request_user(const struct rwd_http_request *request);

#endif
