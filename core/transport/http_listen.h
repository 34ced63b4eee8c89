/*
 * http_listen: "host:port" -> a listening socket. Called at start, since a name may ask the
 * resolver.
 */
#ifndef RWD_TRANSPORT_HTTP_LISTEN_H
#define RWD_TRANSPORT_HTTP_LISTEN_H

#include "base/status.h"

#include <stdbool.h>

struct rwd_http_listener {
    int fd; /* owned by the caller; non-blocking */
    int port;
    bool is_loopback;
};

/* "127.0.0.1:8080", "[::1]:0", "localhost:80", "*:80" (every address). RWD_INVALID: not an address.
 * RWD_UNAVAILABLE: the port is taken or may not be had. */
RWD_MUST_USE enum rwd_status rwd_http_listen(const char *address, bool reuse_port,
    struct rwd_http_listener *listener, struct rwd_error *error);

#endif
