/*
 * http_client: POSTs to partners, many at a time, none of which can hurt us.
 *
 * A partner may be slow, endless, lying or pointing inward. So every call has a total timeout, the
 * answer's size is bounded while it comes in, redirects are not followed, proxies of the
 * environment are ignored, and the address that is really connected to must be a public one unless
 * the call allows private ones. Connections are reused, but never between calls that do and do not
 * allow that.
 *
 * Threads:   the loop's. Names are looked up in threads of libcurl's own, which never touch our
 * data. Ownership: everything in a call is copied; a result and its texts are borrowed for the
 * callback. Each accepted call ends in exactly one callback, never inside rwd_http_client_post.
 */
#ifndef RWD_TRANSPORT_HTTP_CLIENT_H
#define RWD_TRANSPORT_HTTP_CLIENT_H

#include "base/clock.h"
#include "base/text.h"

struct rwd_loop;
struct rwd_http_client;
struct sockaddr;

struct rwd_http_client_options {
    size_t call_count_max;       /* running at the same time; one more is RWD_BUSY */
    size_t connection_count_max; /* kept open for reuse */
    struct rwd_clock clock;      /* for Retry-After given as a date */
    const char *ca_file;         /* NULL: the system's certificates */
};

struct rwd_http_call {
    const char *url;              /* http or https, without user and password */
    const char *content_type;     /* NULL: application/json */
    struct rwd_text header_lines; /* each ending in CR LF; may be empty */
    struct rwd_text body;
    int64_t timeout_ms;         /* for everything, from now on; > 0 */
    int64_t connect_timeout_ms; /* of it, until connected; > 0 */
    size_t response_size_max;   /* of the body */
    bool allow_private;
};

/* status RWD_OK: an answer came, whatever its http_status (a redirect is one, too).
 * RWD_TIMEOUT, RWD_UNAVAILABLE (not resolved, not connected, cut, bad TLS, client destroyed):
 * retry. RWD_DENIED: the target is private. RWD_LIMIT: the answer outgrew response_size_max;
 * http_status and the beginning of the body are there. */
struct rwd_http_result {
    enum rwd_status status;
    int http_status; /* 0 where no answer's head came */
    struct rwd_text body;
    int64_t retry_after_ms; /* -1: none given or not understood */
    const char *error;      /* a sentence; "" when status is RWD_OK */
};

typedef void rwd_http_done(void *context, const struct rwd_http_result *result);

/* 256 calls, 256 connections, the system's clock. */
struct rwd_http_client_options rwd_http_client_defaults(void);

/* RWD_UNAVAILABLE: libcurl cannot start. */
RWD_MUST_USE enum rwd_status rwd_http_client_create(struct rwd_loop *loop,
    const struct rwd_http_client_options *options, struct rwd_http_client **client,
    struct rwd_error *error);
/* Takes NULL. Running calls end here, with RWD_UNAVAILABLE. Not inside a done callback. */
void rwd_http_client_destroy(struct rwd_http_client *client);

/* RWD_OK: done will be called. RWD_INVALID: url, header lines or timeouts are unusable. RWD_BUSY:
 * call_count_max are running. */
RWD_MUST_USE enum rwd_status rwd_http_client_post(struct rwd_http_client *client,
    const struct rwd_http_call *call, rwd_http_done *done, void *context, struct rwd_error *error);

size_t rwd_http_client_call_count(const struct rwd_http_client *client);

/* Loopback, private, link-local, multicast, reserved, and IPv6 forms that carry such an IPv4
 * address; also whatever is neither IPv4 nor IPv6. */
bool rwd_http_address_is_private(const struct sockaddr *address);

/* The value of Retry-After, seconds or an HTTP date -> ms from now, at least 0; -1: neither. */
int64_t rwd_http_retry_after_ms(struct rwd_text value, int64_t now_ms);

#endif
