/*
 * http_reader: a strict, incremental reader of HTTP/1.1 requests. Bytes in, a request or a refusal
 * out.
 *
 * Why our own: whatever two HTTP readers understand differently lets one request hide in another.
 * So there is one reading of each byte here, and no repair of what is wrong: one Content-Length of
 * plain digits, no Transfer-Encoding, no Content-Encoding but identity, no folded lines, no bare
 * LF, no control characters, no second Host, no dot segments. The answer depends on the bytes
 * alone, never on how they were cut.
 *
 * The owner keeps all bytes of the request, from its first on, in one piece, and feeds that piece
 * again whenever it has grown; bytes already looked at are not looked at again. The piece may move.
 * Target and query are percent-decoded in place, so the request line changes under the reader.
 *
 * Threads:   the reader belongs to whoever owns the bytes.
 * Ownership: nothing is allocated. Every text handed out lies in the bytes (data), borrowed as long
 *            as they are; it is found by span, hence the data argument of the getters.
 */
#ifndef RWD_TRANSPORT_HTTP_READER_H
#define RWD_TRANSPORT_HTTP_READER_H

#include "base/status.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RWD_HTTP_HEAD_SIZE_MAX = 16 * 1024,
    RWD_HTTP_REQUEST_LINE_SIZE_MAX = 8 * 1024,
    RWD_HTTP_HEADER_COUNT_MAX = 64,
    RWD_HTTP_QUERY_COUNT_MAX = 32,
    RWD_HTTP_SEGMENT_COUNT_MAX = 16,
    RWD_HTTP_DETAIL_SIZE_MAX = 160,
};

enum rwd_http_method {
    RWD_HTTP_GET,
    RWD_HTTP_HEAD,
    RWD_HTTP_POST,
    RWD_HTTP_PUT,
    RWD_HTTP_DELETE,
};

enum rwd_http_step {
    RWD_HTTP_STEP_HEAD,     /* the head is not complete: feed more */
    RWD_HTTP_STEP_BODY,     /* head_size, body_size and the getters are good: feed more */
    RWD_HTTP_STEP_COMPLETE, /* head_size + body_size bytes are this request's, the rest the next's
                             */
    RWD_HTTP_STEP_REFUSED,  /* refusal_status and refusal_detail say why; close the connection */
};

/* Where a text lies, counted from the first byte of the request. */
struct rwd_http_span {
    uint16_t at;
    uint16_t size;
};

struct rwd_http_pair {
    struct rwd_http_span name;
    struct rwd_http_span value;
};

struct rwd_http_reader {
    enum rwd_http_step step;
    enum rwd_http_method method;
    bool keep_alive;
    bool wants_continue; /* Expect: 100-continue: send 100 before waiting for the body */
    bool is_http_1_0;
    bool line_read;
    size_t scanned;
    size_t line_at;
    uint32_t headers_seen;
    uint64_t body_size_max;
    uint64_t body_size;
    size_t head_size;
    int refusal_status;
    struct rwd_http_span path;
    struct rwd_http_span content_type;
    size_t segment_count;
    size_t query_count;
    size_t header_count;
    struct rwd_http_span segments[RWD_HTTP_SEGMENT_COUNT_MAX];
    struct rwd_http_pair queries[RWD_HTTP_QUERY_COUNT_MAX];
    struct rwd_http_pair headers[RWD_HTTP_HEADER_COUNT_MAX];
    char refusal_detail[RWD_HTTP_DETAIL_SIZE_MAX];
};

/* Ready for a new request. A body may be up to body_size_max bytes: one more is refused with 413.
 */
void rwd_http_reader_init(struct rwd_http_reader *reader, uint64_t body_size_max);

/* data: the request's bytes so far, size of them, never fewer than last time. */
enum rwd_http_step rwd_http_reader_feed(struct rwd_http_reader *reader, char *data, size_t size);

/* The getters are good from RWD_HTTP_STEP_BODY on; data is what was fed. An absent text has data
 * NULL, an empty one has not. */

/* Percent-decoded, without the query: UTF-8, begins with '/', has no dot segments and no NUL. Like
 * segments and queries it may have any other character, control characters included: an id is
 * asked for as it is. */
struct rwd_text rwd_http_reader_path(const struct rwd_http_reader *reader, const char *data);
/* "/v1/players/a%2Fb" has the segments "v1", "players" and "a/b": route by these, not by the path.
 */
struct rwd_text rwd_http_reader_segment(
    const struct rwd_http_reader *reader, const char *data, size_t index);
/* Percent-decoded UTF-8, '+' is a blank; the first of that name. */
struct rwd_text rwd_http_reader_query(
    const struct rwd_http_reader *reader, const char *data, const char *name);
/* The first of that name, whatever the case, without blanks around it. */
struct rwd_text rwd_http_reader_header(
    const struct rwd_http_reader *reader, const char *data, const char *name);
/* The media type without its parameters: "application/json". */
struct rwd_text rwd_http_reader_content_type(
    const struct rwd_http_reader *reader, const char *data);

/* ASCII letters of either case are equal. */
bool rwd_http_text_is(struct rwd_text text, const char *lower_case);

#endif
