/*
 * http_request_private: what a request is made of, for http_server.c and http_request.c alone.
 */
#ifndef RWD_TRANSPORT_HTTP_REQUEST_PRIVATE_H
#define RWD_TRANSPORT_HTTP_REQUEST_PRIVATE_H

#include "transport/http_server.h"

struct connection;

struct rwd_http_request {
    struct connection *connection;
    const char *head; /* in the connection's input; the reader's spans count from here */
    struct rwd_text body;
    void *user;
    bool is_abandoned;
    struct rwd_http_reader reader;
};

#endif
