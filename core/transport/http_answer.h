/*
 * http_answer: the bytes of an HTTP answer's head, and RFC 9457 problems. Pure: writes to a buffer.
 */
#ifndef RWD_TRANSPORT_HTTP_ANSWER_H
#define RWD_TRANSPORT_HTTP_ANSWER_H

#include "base/text.h"

#include <stdbool.h>

/* "Not Found" for 404 and so on; "Unknown" for what we never send. */
const char *rwd_http_reason(int status);

/* Appends status line, Content-Type, Content-Length (not for 204 and 304), the extra lines (each
 * ending in CR LF; NULL: none), Connection: close unless keep_alive, and the empty line. */
void rwd_http_put_head(struct rwd_buffer *buffer, int status, const char *content_type,
    const char *extra_header_lines, size_t body_size, bool keep_alive);

/* Appends {"type":"about:blank","title":reason,"status":status,"detail":detail}. */
void rwd_http_put_problem(struct rwd_buffer *buffer, int status, const char *detail);

#endif
