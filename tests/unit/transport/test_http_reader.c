/* Which bytes are a request, which are refused and with what, and that no cut changes the answer.
 */
#include "base/memory.h"
#include "transport/http_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BODY_SIZE_MAX = 1000 };

/* Everything the reader found, as text, so that two readings compare in one go. */
static void describe(const struct rwd_http_reader *reader, const char *data, struct rwd_buffer *out)
{
    if (reader->step == RWD_HTTP_STEP_REFUSED) {
        rwd_buffer_put_format(out, "%d %s", reader->refusal_status, reader->refusal_detail);
        return;
    }
    if (reader->step == RWD_HTTP_STEP_HEAD) {
        rwd_buffer_put_string(out, "head");
        return;
    }
    struct rwd_text path = rwd_http_reader_path(reader, data);
    struct rwd_text type = rwd_http_reader_content_type(reader, data);
    rwd_buffer_put_format(out, "%s %d %.*s type=%.*s keep=%d continue=%d body=%llu",
        reader->step == RWD_HTTP_STEP_BODY ? "body" : "complete", (int)reader->method,
        RWD_TEXT_ARGS(path), RWD_TEXT_ARGS(type), reader->keep_alive, reader->wants_continue,
        (unsigned long long)reader->body_size);
    assert_memory_equal(data + reader->head_size - 4, "\r\n\r\n", 4);
    for (size_t i = 0; i < reader->segment_count; i++) {
        struct rwd_text segment = rwd_http_reader_segment(reader, data, i);
        rwd_buffer_put_format(out, " [%.*s]", RWD_TEXT_ARGS(segment));
    }
    for (size_t i = 0; i < reader->query_count; i++) {
        rwd_buffer_put_format(out, " %.*s=%.*s", reader->queries[i].name.size,
            data + reader->queries[i].name.at, reader->queries[i].value.size,
            data + reader->queries[i].value.at);
    }
    for (size_t i = 0; i < reader->header_count; i++) {
        rwd_buffer_put_format(out, " %.*s:%.*s", reader->headers[i].name.size,
            data + reader->headers[i].name.at, reader->headers[i].value.size,
            data + reader->headers[i].value.at);
    }
}

/* Feeds first bytes at once, then step bytes at a time; each time in a piece that has moved. */
static void read_cut(
    const char *bytes, size_t size, size_t first, size_t step, struct rwd_buffer *out)
{
    struct rwd_http_reader reader;
    rwd_http_reader_init(&reader, BODY_SIZE_MAX);
    char *data = rwd_copy(bytes, 0);
    size_t have = 0;
    for (size_t next = first; have < size && reader.step < RWD_HTTP_STEP_COMPLETE; next += step) {
        size_t now = next < size ? next : size;
        char *moved = rwd_grow(NULL, now + 1);
        memcpy(moved, data, have);
        memcpy(moved + have, bytes + have, now - have);
        rwd_free(data);
        data = moved;
        have = now;
        (void)rwd_http_reader_feed(&reader, data, have);
    }
    describe(&reader, data, out);
    rwd_free(data);
}

/* Reads at once, in two pieces cut anywhere, and byte by byte; asserts that all agree. */
static void read_all_ways(const char *bytes, size_t size, struct rwd_buffer *out)
{
    out->size = 0;
    read_cut(bytes, size, size, 1, out);
    struct rwd_buffer other = {0};
    size_t cuts = size < 2000 ? size : 0;
    for (size_t cut = 1; cut < cuts; cut++) {
        other.size = 0;
        read_cut(bytes, size, cut, size, &other);
        assert_string_equal(rwd_buffer_c_string(out), rwd_buffer_c_string(&other));
    }
    other.size = 0;
    read_cut(bytes, size, 1, size < 2000 ? 1 : 61, &other);
    assert_string_equal(rwd_buffer_c_string(out), rwd_buffer_c_string(&other));
    rwd_buffer_finish(&other);
}

static void accepts_requests(void **state)
{
    (void)state;
#define HOST "Host: h\r\n"
    static const struct {
        const char *bytes;
        const char *found;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", "complete 0 / type= keep=1 continue=0 body=0 [] Host:h"},
        {"HEAD /healthz HTTP/1.0\r\n\r\n",
            "complete 1 /healthz type= keep=0 continue=0 body=0 [healthz]"},
        {"POST /v1/events HTTP/1.1\r\n" HOST
         "Content-Type: application/json ; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}",
            "complete 2 /v1/events type=application/json keep=1 continue=0 body=2 [v1] [events]"
            " Host:h Content-Type:application/json ; charset=utf-8 Content-Length:2"},
        {"PUT /a HTTP/1.1\r\n" HOST "content-LENGTH:\t 0003 \t\r\n\r\nabc",
            "complete 3 /a type= keep=1 continue=0 body=3 [a] Host:h content-LENGTH:0003"},
        {"DELETE /a HTTP/1.1\r\n" HOST "Connection: Keep-Alive, CLOSE\r\n\r\n",
            "complete 4 /a type= keep=0 continue=0 body=0 [a] Host:h "
            "Connection:Keep-Alive, CLOSE"},
        {"GET /a HTTP/1.1\r\n" HOST "Connection: x\r\nConnection: close\r\n\r\n",
            "complete 0 /a type= keep=0 continue=0 body=0 [a] Host:h Connection:x "
            "Connection:close"},
        {"GET /a HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n",
            "complete 0 /a type= keep=1 continue=0 body=0 [a] Host:h Connection:closed"},
        {"GET /v1/players/a%2Fb%20c/x?limit=10&cursor=a%2Bb%3D+c&flag&=v&& HTTP/1.1\r\n" HOST
         "\r\n",
            "complete 0 /v1/players/a/b c/x type= keep=1 continue=0 body=0 [v1] [players] "
            "[a/b c] [x] limit=10 cursor=a+b= c flag= =v Host:h"},
        {"GET /%e2%82%ac/ HTTP/1.1\r\n" HOST "\r\n",
            "complete 0 /\xe2\x82\xac/ type= keep=1 continue=0 body=0 [\xe2\x82\xac] [] Host:h"},
        {"GET /%0a%7F%41?a=%09 HTTP/1.1\r\n" HOST "\r\n", "complete 0 /\n\x7f"
                                                          "A type= keep=1 continue=0 body=0 [\n\x7f"
                                                          "A] a=\t Host:h"},
        {"GET /...//.a?.. HTTP/1.1\r\n" HOST "\r\n",
            "complete 0 /...//.a type= keep=1 continue=0 body=0 [...] [] [.a] ..= Host:h"},
        {"POST /a HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n",
            "body 2 /a type= keep=1 continue=1 body=5 [a] Host:[::1]:80 Expect:100-Continue "
            "Content-Length:5"},
        {"POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
            "complete 2 /a type= keep=0 continue=0 body=1 [a] Expect:100-continue "
            "Content-Length:1"},
        {"POST /a HTTP/1.1\r\n" HOST "\r\n",
            "complete 2 /a type= keep=1 continue=0 body=0 [a] Host:h"},
        {"POST /a HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n",
            "body 2 /a type= keep=1 continue=0 body=1000 [a] Host:h Content-Length:1000"},
        {"GET / HTTP/1.1\r\nHost:\r\nX: \x80\xff\t~\r\n\r\n",
            "complete 0 / type= keep=1 continue=0 body=0 [] Host: X:\x80\xff\t~"},
        {"GET / HTTP/1.1\r\nHost: h", "head"},
        {"", "head"},
    };
    struct rwd_buffer out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_all_ways(cases[i].bytes, strlen(cases[i].bytes), &out);
        assert_string_equal(rwd_buffer_c_string(&out), cases[i].found);
    }
    rwd_buffer_finish(&out);
}

#define GET "GET / HTTP/1.1\r\n" HOST
#define BYTES(literal) literal, sizeof(literal) - 1
static const struct {
    const char *bytes;
    size_t size;
    int status;
} refused[] = {
    /* the request line */
    {BYTES("\r\nGET / HTTP/1.1\r\n"), 400},
    {BYTES(" GET / HTTP/1.1\r\n"), 400},
    {BYTES("GET  / HTTP/1.1\r\n"), 400},
    {BYTES("GET /  HTTP/1.1\r\n"), 400},
    {BYTES("GET / HTTP/1.1 \r\n"), 400},
    {BYTES("GET /a b HTTP/1.1\r\n"), 400},
    {BYTES("GET\t/ HTTP/1.1\r\n"), 400},
    {BYTES("GET /\r\n"), 400},
    {BYTES("GET\r\n"), 400},
    {BYTES("GET / http/1.1\r\n"), 400},
    {BYTES("GET / HTTP/1.10\r\n"), 400},
    {BYTES("GET / HTTP/11\r\n"), 400},
    {BYTES("GET / HTTP/1.2\r\n"), 505},
    {BYTES("GET / HTTP/2.0\r\n"), 505},
    {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 501},
    {BYTES("get / HTTP/1.1\r\n"), 501},
    {BYTES("PATCH / HTTP/1.1\r\n"), 501},
    {BYTES("CONNECT h:80 HTTP/1.1\r\n"), 501},
    {BYTES("G(T / HTTP/1.1\r\n"), 400},
    {BYTES("GET http://h/ HTTP/1.1\r\n"), 400},
    {BYTES("GET * HTTP/1.1\r\n"), 400},
    {BYTES("GET a HTTP/1.1\r\n"), 400},
    {BYTES("GET / HTTP/1.1\n"), 400},
    {BYTES("GET / HTTP/1.1\r\r\n"), 400},
    {BYTES("GET /\0 HTTP/1.1\r\n"), 400},
    {BYTES("GET /\x7f HTTP/1.1\r\n"), 400},
    {BYTES("GET /\xc3\xa4 HTTP/1.1\r\n"), 400},
    {BYTES("GET /a#b HTTP/1.1\r\n"), 400},
    {BYTES("GET /%00 HTTP/1.1\r\n"), 400},
    {BYTES("GET /%ff HTTP/1.1\r\n"), 400},
    {BYTES("GET /a%c3/%bc HTTP/1.1\r\n"), 400},
    {BYTES("GET /%ed%a0%80 HTTP/1.1\r\n"), 400},
    {BYTES("GET /%c0%af HTTP/1.1\r\n"), 400},
    {BYTES("GET /?a=%c3 HTTP/1.1\r\n"), 400},
    {BYTES("GET /?%c3=%bc HTTP/1.1\r\n"), 400},
    {BYTES("GET /?a=%c3&b=%bc HTTP/1.1\r\n"), 400},
    {BYTES("GET /% HTTP/1.1\r\n"), 400},
    {BYTES("GET /%4 HTTP/1.1\r\n"), 400},
    {BYTES("GET /%4g HTTP/1.1\r\n"), 400},
    {BYTES("GET /%%41 HTTP/1.1\r\n"), 400},
    {BYTES("GET /?a=%00 HTTP/1.1\r\n"), 400},
    {BYTES("GET /?a=%4 HTTP/1.1\r\n"), 400},
    {BYTES("GET /?a=%4&b=1 HTTP/1.1\r\n"), 400},
    {BYTES("GET /. HTTP/1.1\r\n"), 400},
    {BYTES("GET /.. HTTP/1.1\r\n"), 400},
    {BYTES("GET /a/../b HTTP/1.1\r\n"), 400},
    {BYTES("GET /a/./b HTTP/1.1\r\n"), 400},
    {BYTES("GET /a/%2e%2E/b HTTP/1.1\r\n"), 400},
    {BYTES("GET /a/..%2fb HTTP/1.1\r\n"), 400},
    {BYTES("GET /a%2f.. HTTP/1.1\r\n"), 400},
    {BYTES("GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17 HTTP/1.1\r\n"), 414},
    /* the lines of the head */
    {BYTES("GET / HTTP/1.1\r\n\r\n"), 400},
    {BYTES(GET "Host: h\r\n"), 400},
    {BYTES("GET / HTTP/1.1\r\nHost: a b\r\n"), 400},
    {BYTES("GET / HTTP/1.1\r\nHost: u@h\r\n"), 400},
    {BYTES("GET / HTTP/1.1\r\nHost: h/x\r\n"), 400},
    {BYTES(GET " X: folded\r\n"), 400},
    {BYTES(GET "X: a\r\n\tfolded\r\n"), 400},
    {BYTES(GET "X : a\r\n"), 400},
    {BYTES(GET ": a\r\n"), 400},
    {BYTES(GET "X\r\n"), 400},
    {BYTES(GET "X[]: a\r\n"), 400},
    {BYTES(GET "X: a\nY: b\r\n"), 400},
    {BYTES(GET "X: a\rY: b\r\n"), 400},
    {BYTES(GET "X: a\0b\r\n"), 400},
    {BYTES(GET "X\0: a\r\n"), 400},
    {BYTES(GET "X: \x01\r\n"), 400},
    {BYTES(GET "X: \x7f\r\n"), 400},
    {BYTES(GET "\n"), 400},
    {BYTES(GET "\r\r\n"), 400},
    {BYTES(GET "Authorization: a\r\nauthorization: a\r\n"), 400},
    {BYTES(GET "webhook-id: a\r\nWebhook-Id: a\r\n"), 400},
    {BYTES(GET "webhook-timestamp: a\r\nwebhook-timestamp: a\r\n"), 400},
    {BYTES(GET "webhook-signature: a\r\nwebhook-signature: a\r\n"), 400},
    {BYTES(GET "X-Signature: a\r\nx-signature: a\r\n"), 400},
    {BYTES(GET "X-Timestamp: a\r\nX-Timestamp: a\r\n"), 400},
    {BYTES(GET "X-Request-Id: a\r\nX-Request-Id: a\r\n"), 400},
    {BYTES(GET "Content-Type: a/b\r\nContent-Type: a/b\r\n"), 400},
    {BYTES(GET "Idempotency-Key: a\r\nIdempotency-Key: a\r\n"), 400},
    {BYTES(GET "X-Actor: a\r\nx-actor: b\r\n"), 400},
    {BYTES(GET "Content-Encoding: identity\r\nContent-Encoding: identity\r\n"), 400},
    {BYTES(GET "Expect: 200-ok\r\n"), 417},
    /* the body's length */
    {BYTES(GET "Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
    {BYTES(GET "Content-Length: 1, 1\r\n"), 400},
    {BYTES(GET "Content-Length: +1\r\n"), 400},
    {BYTES(GET "Content-Length: -1\r\n"), 400},
    {BYTES(GET "Content-Length: 0x5\r\n"), 400},
    {BYTES(GET "Content-Length: 1 1\r\n"), 400},
    {BYTES(GET "Content-Length: 1.0\r\n"), 400},
    {BYTES(GET "Content-Length:\r\n"), 400},
    {BYTES(GET "Content-Length: 1001\r\n"), 413},
    {BYTES(GET "Content-Length: 18446744073709551616\r\n"), 413},
    {BYTES(GET "Content-Length: 99999999999999999999999999\r\n"), 413},
    {BYTES(GET "Transfer-Encoding: chunked\r\n"), 501},
    {BYTES(GET "transfer-encoding:\r\n"), 501},
    {BYTES(GET "Content-Length: 3\r\nTransfer-Encoding: identity\r\n"), 501},
    {BYTES(GET "Content-Encoding: gzip\r\n"), 415},
    {BYTES(GET "content-encoding: BR\r\nContent-Length: 3\r\n"), 415},
    {BYTES(GET "Content-Encoding: identity, gzip\r\n"), 415},
    {BYTES(GET "Content-Encoding: identit\r\n"), 415},
    {BYTES(GET "Content-Encoding:\r\n"), 415},
};

static void refuses_requests(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char status[8];
        (void)snprintf(status, sizeof status, "%d ", refused[i].status);
        read_all_ways(refused[i].bytes, refused[i].size, &out);
        if (memcmp(rwd_buffer_c_string(&out), status, strlen(status)) != 0) {
            fail_msg("wanted %s for \"%.*s\", got \"%s\"", status, (int)refused[i].size,
                refused[i].bytes, rwd_buffer_c_string(&out));
        }
    }
    rwd_buffer_finish(&out);
}

static void fill(struct rwd_buffer *buffer, char c, size_t until)
{
    while (buffer->size < until) {
        rwd_buffer_put_char(buffer, c);
    }
}

static void counts_and_sizes_have_limits(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    struct rwd_buffer bytes = {0};
    static const char line_end[] = " HTTP/1.1\r\n";
    /* A request line of exactly 8 KiB with its CR LF, and one byte more. */
    for (size_t more = 0; more < 2; more++) {
        bytes.size = 0;
        rwd_buffer_put_string(&bytes, "GET /");
        fill(&bytes, 'a', 8192 - (sizeof line_end - 1) + more);
        rwd_buffer_put_string(&bytes, line_end);
        rwd_buffer_put_string(&bytes, HOST "\r\n");
        read_all_ways(bytes.data, bytes.size, &out);
        assert_memory_equal(
            rwd_buffer_c_string(&out), more == 0 ? "complete" : "414 request line is longer", 8);
    }
    /* A head of exactly 16 KiB, and one byte more, in one long header. */
    for (size_t more = 0; more < 2; more++) {
        bytes.size = 0;
        rwd_buffer_put_string(&bytes, GET "X: ");
        fill(&bytes, 'a', 16384 - 4 + more);
        rwd_buffer_put_string(&bytes, "\r\n\r\n");
        read_all_ways(bytes.data, bytes.size, &out);
        assert_memory_equal(
            rwd_buffer_c_string(&out), more == 0 ? "complete" : "431 head is larger", 8);
    }
    /* 64 headers, and one more. */
    for (int more = 0; more < 2; more++) {
        bytes.size = 0;
        rwd_buffer_put_string(&bytes, GET);
        for (int i = 1; i < 64 + more; i++) {
            rwd_buffer_put_string(&bytes, "X: y\r\n");
        }
        rwd_buffer_put_string(&bytes, "\r\n");
        read_all_ways(bytes.data, bytes.size, &out);
        assert_memory_equal(
            rwd_buffer_c_string(&out), more == 0 ? "complete" : "431 request has", 8);
    }
    /* 32 parameters, and one more. */
    for (int more = 0; more < 2; more++) {
        bytes.size = 0;
        rwd_buffer_put_string(&bytes, "GET /?a");
        for (int i = 1; i < 32 + more; i++) {
            rwd_buffer_put_string(&bytes, "&a=1");
        }
        rwd_buffer_put_string(&bytes, " HTTP/1.1\r\n" HOST "\r\n");
        read_all_ways(bytes.data, bytes.size, &out);
        assert_memory_equal(rwd_buffer_c_string(&out), more == 0 ? "complete" : "414 query", 8);
    }
    /* A line without an end is refused as soon as it is too long, not when it ends. */
    bytes.size = 0;
    fill(&bytes, 'G', 8192);
    read_all_ways(bytes.data, bytes.size, &out);
    assert_memory_equal(rwd_buffer_c_string(&out), "414 ", 4);
    rwd_buffer_finish(&bytes);
    rwd_buffer_finish(&out);
}

static void pipelined_requests_are_told_apart(void **state)
{
    (void)state;
    char bytes[] = "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nGET"
                   "GET /2 HTTP/1.1\r\n" HOST "\r\n"
                   "GET /3 HTTP/1.1\r\n";
    size_t size = sizeof bytes - 1;
    struct rwd_http_reader reader;
    rwd_http_reader_init(&reader, BODY_SIZE_MAX);
    assert_int_equal(rwd_http_reader_feed(&reader, bytes, size), RWD_HTTP_STEP_COMPLETE);
    size_t used = reader.head_size + reader.body_size;
    assert_true(rwd_text_is(rwd_http_reader_path(&reader, bytes), "/1"));
    assert_memory_equal(bytes + reader.head_size, "GETGET /2", 9);

    rwd_http_reader_init(&reader, BODY_SIZE_MAX);
    assert_int_equal(
        rwd_http_reader_feed(&reader, bytes + used, size - used), RWD_HTTP_STEP_COMPLETE);
    assert_true(rwd_text_is(rwd_http_reader_path(&reader, bytes + used), "/2"));
    assert_null(rwd_http_reader_header(&reader, bytes + used, "content-length").data);
    used += reader.head_size;

    rwd_http_reader_init(&reader, BODY_SIZE_MAX);
    assert_int_equal(rwd_http_reader_feed(&reader, bytes + used, size - used), RWD_HTTP_STEP_HEAD);
}

static void getters_find_what_is_there(void **state)
{
    (void)state;
    char bytes[] = "GET /p?a=1&b&a=2 HTTP/1.1\r\nhOST: h\r\nX-Long-Name:  v w \r\nEmpty:\r\n\r\n";
    struct rwd_http_reader reader;
    rwd_http_reader_init(&reader, BODY_SIZE_MAX);
    assert_int_equal(
        rwd_http_reader_feed(&reader, bytes, sizeof bytes - 1), RWD_HTTP_STEP_COMPLETE);
    assert_true(rwd_text_is(rwd_http_reader_query(&reader, bytes, "a"), "1"));
    struct rwd_text b = rwd_http_reader_query(&reader, bytes, "b");
    assert_true(b.data != NULL && b.size == 0);
    assert_null(rwd_http_reader_query(&reader, bytes, "A").data);
    assert_true(rwd_text_is(rwd_http_reader_header(&reader, bytes, "Host"), "h"));
    assert_true(rwd_text_is(rwd_http_reader_header(&reader, bytes, "x-long-name"), "v w"));
    struct rwd_text empty = rwd_http_reader_header(&reader, bytes, "EMPTY");
    assert_true(empty.data != NULL && empty.size == 0);
    assert_null(rwd_http_reader_header(&reader, bytes, "x-long-nam").data);
    assert_null(rwd_http_reader_segment(&reader, bytes, 1).data);
    assert_null(rwd_http_reader_content_type(&reader, bytes).data);
    assert_true(rwd_http_text_is(RWD_TEXT("Text/HTML"), "text/html"));
    assert_false(rwd_http_text_is(RWD_TEXT("text/htm"), "text/html"));
    assert_false(rwd_http_text_is(RWD_TEXT("text/htmlx"), "text/html"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_requests),
        cmocka_unit_test(refuses_requests),
        cmocka_unit_test(counts_and_sizes_have_limits),
        cmocka_unit_test(pipelined_requests_are_told_apart),
        cmocka_unit_test(getters_find_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
