/*
 * http: one HTTP request to the daemon, and its answer; blocking, for a command line.
 *
 * Redirects are not followed and proxies of the environment are ignored: the address is the one
 * that was named. The answer's size and time are bounded.
 */
#ifndef RWD_CTL_HTTP_H
#define RWD_CTL_HTTP_H

#include "base/text.h"

struct rwd_ctl_answer {
    long http_status;
    struct rwd_buffer body; /* owned by the caller */
};

/* body NULL: GET, else a POST of JSON in the name of actor (X-Actor). RWD_OK: an answer came,
 * whatever its http_status. UNAVAILABLE, TIMEOUT: none came. INVALID: not a URL. LIMIT: the answer
 * is too large. */
RWD_MUST_USE enum rwd_status rwd_ctl_http(const char *url, const char *body, const char *actor,
    struct rwd_ctl_answer *answer, struct rwd_error *error);

/* Percent-encodes all but RFC 3986's unreserved characters. */
void rwd_ctl_url_put(struct rwd_buffer *out, const char *text);

#endif
