/* The server on real sockets; the clients are in the test's own thread, the loop turns in between.
 */
#include "base/check.h"
#include "base/memory.h"
#include "runtime/loop.h"
#include "transport/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000, HELD_COUNT_MAX = 16 };

struct fixture {
    struct rwd_loop *loop;
    struct rwd_timer *tick;
    struct rwd_http_server *server;
    struct rwd_http_server_options options;
    bool hold; /* the handler keeps requests for later */
    struct rwd_http_request *held[HELD_COUNT_MAX];
    size_t held_count;
    size_t handled;
    size_t depth;
    size_t depth_max;
    struct rwd_buffer big;
};

static void on_tick(void *context)
{
    (void)context;
}

static void echo(struct fixture *fixture, struct rwd_http_request *request)
{
    struct rwd_text path = rwd_http_request_path(request);
    struct rwd_text body = rwd_http_request_body(request);
    if (rwd_text_is(path, "/big")) {
        rwd_http_respond(request, 200, "text/plain", NULL, rwd_buffer_text(&fixture->big));
    } else if (rwd_text_is(path, "/none")) {
        rwd_http_respond(request, 204, NULL, "X-Extra: 1\r\n", (struct rwd_text){0});
    } else if (rwd_text_is(path, "/problem")) {
        rwd_http_respond_problem(request, 429, "Retry-After: 7\r\n", "say \"please\"");
    } else {
        rwd_http_respond(request, 200, "text/plain", NULL, body.size > 0 ? body : path);
    }
}

static void handle(void *context, struct rwd_http_request *request)
{
    struct fixture *fixture = context;
    fixture->handled++;
    fixture->depth++;
    fixture->depth_max = fixture->depth > fixture->depth_max ? fixture->depth : fixture->depth_max;
    assert_null(rwd_http_request_user(request));
    if (fixture->hold) {
        RWD_REQUIRE(fixture->held_count < HELD_COUNT_MAX);
        rwd_http_request_set_user(request, fixture);
        fixture->held[fixture->held_count++] = request;
    } else {
        echo(fixture, request);
    }
    fixture->depth--;
}

static void start(struct fixture *fixture)
{
    fixture->options.listen = "127.0.0.1:0";
    assert_int_equal(rwd_http_server_create(
                         fixture->loop, &fixture->options, handle, fixture, &fixture->server, NULL),
        RWD_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = rwd_new(sizeof *fixture);
    assert_int_equal(rwd_loop_create(&fixture->loop, NULL), RWD_OK);
    fixture->tick = rwd_timer_create(fixture->loop, on_tick, NULL);
    rwd_timer_start_periodic(fixture->tick, 2);
    fixture->options = rwd_http_server_defaults();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    rwd_http_server_destroy(fixture->server);
    rwd_timer_destroy(fixture->tick);
    rwd_loop_destroy(fixture->loop);
    rwd_buffer_finish(&fixture->big);
    rwd_free(fixture);
    return 0;
}

static uint64_t counted(const struct fixture *fixture, size_t offset)
{
    const char *counters = (const char *)rwd_http_server_counters(fixture->server);
    return rwd_counted((const _Atomic uint64_t *)(const void *)(counters + offset));
}
#define COUNTED(fixture, name) counted(fixture, offsetof(struct rwd_http_server_counters, name))

static int dial(const struct fixture *fixture)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)rwd_http_server_port(fixture->server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Sends all, turning the loop whenever the socket is full. */
static void say(const struct fixture *fixture, int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        } else {
            assert_true(sent < 0 && errno == EAGAIN);
            rwd_loop_turn(fixture->loop, true);
        }
    }
}

static void say_string(const struct fixture *fixture, int fd, const char *text)
{
    say(fixture, fd, text, strlen(text));
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Turns until the peer's bytes are count in number and end in suffix, or until it closes where both
 * are absent. False: it was reset. */
static bool hear(const struct fixture *fixture, int fd, size_t count, const char *suffix,
    struct rwd_buffer *heard)
{
    int64_t give_up_ms = now_ms() + PATIENCE_MS;
    heard->size = 0;
    while (now_ms() < give_up_ms) {
        char bytes[65536];
        ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size > 0) {
            rwd_buffer_put(heard, bytes, (size_t)size);
        } else if (size == 0) {
            if (suffix != NULL) {
                fail_msg("closed after \"%s\"", rwd_buffer_c_string(heard));
            }
            (void)rwd_buffer_c_string(heard);
            return true;
        } else if (errno != EAGAIN) {
            return false;
        }
        size_t tail = suffix != NULL ? strlen(suffix) : 0;
        if (suffix != NULL && heard->size >= count && heard->size >= tail &&
            memcmp(heard->data + heard->size - tail, suffix, tail) == 0) {
            (void)rwd_buffer_c_string(heard);
            return true;
        }
        rwd_loop_turn(fixture->loop, true);
    }
    fail_msg("nothing more came after \"%s\"", rwd_buffer_c_string(heard));
    return false;
}

static void turn_until_handled(const struct fixture *fixture, size_t count)
{
    int64_t give_up_ms = now_ms() + PATIENCE_MS;
    while (fixture->handled < count) {
        assert_true(now_ms() < give_up_ms);
        rwd_loop_turn(fixture->loop, true);
    }
}

#define HOST " HTTP/1.1\r\nHost: h\r\n"

static void answers_and_keeps_the_connection(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    assert_true(rwd_http_server_is_loopback(fixture->server));
    int fd = dial(fixture);
    struct rwd_buffer heard = {0};
    for (int i = 0; i < 3; i++) {
        say_string(fixture, fd, "POST /a" HOST "Content-Length: 5\r\n\r\nhello");
        assert_true(hear(fixture, fd, 1, "hello", &heard));
        assert_string_equal(heard.data,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    }
    say_string(fixture, fd, "HEAD /a" HOST "\r\n");
    assert_true(hear(fixture, fd, 1, "Content-Length: 2\r\n\r\n", &heard));
    say_string(fixture, fd, "GET /none" HOST "\r\n");
    assert_true(hear(fixture, fd, 1, "\r\n\r\n", &heard));
    assert_string_equal(heard.data, "HTTP/1.1 204 No Content\r\nX-Extra: 1\r\n\r\n");
    say_string(fixture, fd, "GET /problem" HOST "Connection: close\r\n\r\n");
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    assert_string_equal(heard.data,
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\n"
        "Content-Length: 89\r\nRetry-After: 7\r\nConnection: close\r\n\r\n"
        "{\"type\":\"about:blank\",\"title\":\"Too Many Requests\",\"status\":429,"
        "\"detail\":\"say \\\"please\\\"\"}");
    (void)close(fd);
    assert_int_equal(COUNTED(fixture, answers[2]), 5);
    assert_int_equal(COUNTED(fixture, answers[4]), 1);
    assert_int_equal(COUNTED(fixture, requests), 6);
    assert_int_equal(COUNTED(fixture, requests_open), 0);
    assert_int_equal(COUNTED(fixture, inflight_size), 0);
    rwd_buffer_finish(&heard);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    int fd = dial(fixture);
    struct rwd_buffer sent = {0};
    struct rwd_buffer heard = {0};
    for (int i = 0; i < 5000; i++) {
        rwd_buffer_put_format(&sent, "POST /a" HOST "Content-Length: 6\r\n\r\n[%04d]", i);
    }
    rwd_buffer_put_string(&sent, "POST /a" HOST "Content-Length: 4\r\n\r\nlast");
    say(fixture, fd, sent.data, sent.size);
    assert_true(hear(fixture, fd, 1, "last", &heard));
    const char *at = heard.data;
    for (int i = 0; i < 5000; i++) {
        char wanted[8];
        (void)snprintf(wanted, sizeof wanted, "[%04d]", i);
        at = strstr(at, "\r\n\r\n");
        assert_memory_equal(at + 4, wanted, 6);
        at += 4;
    }
    assert_int_equal(fixture->depth_max, 1);
    (void)close(fd);
    rwd_buffer_finish(&sent);
    rwd_buffer_finish(&heard);
}

static void later_answers_take_up_what_waits(void **state)
{
    struct fixture *fixture = *state;
    fixture->hold = true;
    start(fixture);
    int fd = dial(fixture);
    struct rwd_buffer heard = {0};
    struct rwd_buffer sent = {0};
    /* More than the connection's buffer holds, all behind one request that is not answered. */
    for (int i = 0; i < 1000; i++) {
        rwd_buffer_put_format(&sent, "GET /%04d" HOST "\r\n", i);
    }
    say(fixture, fd, sent.data, sent.size);
    for (size_t i = 0; i < 1000; i++) {
        turn_until_handled(fixture, i + 1);
        assert_int_equal(fixture->held_count, 1);
        fixture->held_count = 0;
        echo(fixture, fixture->held[0]);
        assert_int_equal(fixture->handled, i + 1);
    }
    assert_true(hear(fixture, fd, 1, "/0999", &heard));
    assert_int_equal(fixture->depth_max, 1);
    (void)close(fd);
    rwd_buffer_finish(&sent);
    rwd_buffer_finish(&heard);
}

static void requests_outlive_their_peer(void **state)
{
    struct fixture *fixture = *state;
    fixture->hold = true;
    start(fixture);
    int fd = dial(fixture);
    say_string(fixture, fd, "POST /a" HOST "Content-Length: 5\r\n\r\nhello");
    turn_until_handled(fixture, 1);
    /* A reset, so that the server notices while the request is open. */
    struct linger hard = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    (void)close(fd);
    while (!rwd_http_request_is_abandoned(fixture->held[0])) {
        rwd_loop_turn(fixture->loop, true);
    }
    assert_true(rwd_text_is(rwd_http_request_body(fixture->held[0]), "hello"));
    assert_true(rwd_text_is(rwd_http_request_path(fixture->held[0]), "/a"));
    assert_ptr_equal(rwd_http_request_user(fixture->held[0]), fixture);
    assert_int_equal(COUNTED(fixture, connections_open), 1);
    echo(fixture, fixture->held[0]);
    assert_int_equal(COUNTED(fixture, connections_open), 0);
    assert_int_equal(COUNTED(fixture, inflight_size), 0);
    /* A peer that only stopped sending still gets its answer. */
    fd = dial(fixture);
    say_string(fixture, fd, "GET /half" HOST "\r\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    turn_until_handled(fixture, 2);
    rwd_loop_turn(fixture->loop, true);
    echo(fixture, fixture->held[1]);
    struct rwd_buffer heard = {0};
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    assert_string_equal(heard.data + heard.size - 5, "/half");
    (void)close(fd);
    rwd_buffer_finish(&heard);
}

static void big_bodies_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    int fd = dial(fixture);
    struct rwd_buffer body = {0};
    struct rwd_buffer heard = {0};
    while (body.size < 3000000) {
        rwd_buffer_put_format(&body, "%zu,", body.size);
    }
    struct rwd_buffer sent = {0};
    for (int i = 0; i < 2; i++) {
        sent.size = 0;
        rwd_buffer_put_format(&sent, "POST /a" HOST "Content-Length: %zu\r\n\r\n", body.size);
        rwd_buffer_put_text(&sent, rwd_buffer_text(&body));
        rwd_buffer_put_string(&sent, "GET /behind" HOST "\r\n");
        say(fixture, fd, sent.data, sent.size);
        assert_true(hear(fixture, fd, body.size, "/behind", &heard));
        const char *answer = strstr(heard.data, "\r\n\r\n") + 4;
        assert_memory_equal(answer, body.data, body.size);
    }
    assert_int_equal(COUNTED(fixture, inflight_size), 0);
    (void)close(fd);
    rwd_buffer_finish(&sent);
    rwd_buffer_finish(&body);
    rwd_buffer_finish(&heard);
}

static void expect_is_answered_before_the_body(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    int fd = dial(fixture);
    struct rwd_buffer heard = {0};
    say_string(
        fixture, fd, "POST /a" HOST "Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
    assert_true(hear(fixture, fd, 1, "HTTP/1.1 100 Continue\r\n\r\n", &heard));
    char *body = rwd_new(100000);
    memset(body, 'x', 100000);
    say(fixture, fd, body, 100000);
    assert_true(hear(fixture, fd, 100000, "x", &heard));
    (void)close(fd);
    fd = dial(fixture);
    say_string(
        fixture, fd, "POST /a" HOST "Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n");
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    assert_memory_equal(heard.data, "HTTP/1.1 413 ", 13);
    (void)close(fd);
    rwd_free(body);
    rwd_buffer_finish(&heard);
}

static void refusals_reach_a_peer_that_goes_on_sending(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    int fd = dial(fixture);
    struct rwd_buffer heard = {0};
    char *body = rwd_new(5000000);
    say_string(fixture, fd, "POST /a" HOST "Content-Length: 5000000\r\n\r\n");
    say(fixture, fd, body, 5000000);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    assert_memory_equal(heard.data, "HTTP/1.1 413 Content Too Large\r\n", 32);
    assert_non_null(strstr(heard.data, "Connection: close\r\n"));
    assert_non_null(strstr(heard.data, "\"detail\":\"body is larger than 4194304 bytes"));
    (void)close(fd);
    fd = dial(fixture);
    say_string(fixture, fd, "GET / HTTP/1.1\nHost: h\n\n");
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    assert_memory_equal(heard.data, "HTTP/1.1 400 Bad Request\r\n", 26);
    (void)close(fd);
    assert_int_equal(fixture->handled, 0);
    assert_int_equal(COUNTED(fixture, requests_refused), 2);
    rwd_free(body);
    rwd_buffer_finish(&heard);
}

static void slow_peers_are_cut(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.head_timeout_ms = 60;
    fixture->options.body_timeout_ms = 60;
    fixture->options.idle_timeout_ms = 60;
    start(fixture);
    struct rwd_buffer heard = {0};
    /* A header every turn, for ever: each one would push a timeout per read further away. */
    int fd = dial(fixture);
    say_string(fixture, fd, "GET /" HOST);
    int64_t give_up_ms = now_ms() + PATIENCE_MS;
    while (COUNTED(fixture, timeouts) == 0) {
        assert_true(now_ms() < give_up_ms);
        (void)send(fd, "X: y\r\n", 6, MSG_NOSIGNAL);
        rwd_loop_turn(fixture->loop, true);
        if (COUNTED(fixture, requests_refused) > 0) {
            break; /* machines differ: 64 headers may come first */
        }
    }
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    (void)close(fd);
    /* A body that stops. */
    fd = dial(fixture);
    say_string(fixture, fd, "POST /" HOST "Content-Length: 9\r\n\r\nx");
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    assert_memory_equal(heard.data, "HTTP/1.1 408 Request Timeout\r\n", 30);
    assert_non_null(strstr(heard.data, "body_timeout_ms"));
    (void)close(fd);
    fd = dial(fixture);
    say_string(fixture, fd, "POST /" HOST "Content-Length: 99999\r\n\r\nx");
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    assert_memory_equal(heard.data, "HTTP/1.1 408 ", 13);
    (void)close(fd);
    /* A head that stops. */
    fd = dial(fixture);
    say_string(fixture, fd, "GET /");
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    assert_non_null(strstr(heard.data, "head_timeout_ms"));
    (void)close(fd);
    /* Nothing at all, and nothing more: closed without a word. */
    fd = dial(fixture);
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    assert_int_equal(heard.size, 0);
    (void)close(fd);
    fd = dial(fixture);
    say_string(fixture, fd, "GET /a" HOST "\r\n");
    assert_true(hear(fixture, fd, 1, NULL, &heard));
    assert_string_equal(heard.data + heard.size - 2, "/a");
    (void)close(fd);
    assert_int_equal(COUNTED(fixture, inflight_size), 0);
    rwd_buffer_finish(&heard);
}

static void bodies_in_flight_have_a_limit(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.inflight_size_max = 10;
    fixture->hold = true;
    start(fixture);
    struct rwd_buffer heard = {0};
    int first = dial(fixture);
    say_string(fixture, first, "POST /" HOST "Content-Length: 6\r\n\r\nabcdef");
    turn_until_handled(fixture, 1);
    int second = dial(fixture);
    say_string(fixture, second, "POST /" HOST "Content-Length: 5\r\n\r\nabcde");
    assert_true(hear(fixture, second, 1, NULL, &heard));
    assert_memory_equal(heard.data, "HTTP/1.1 503 Service Unavailable\r\n", 34);
    assert_non_null(strstr(heard.data, "\r\nRetry-After: 1\r\n"));
    assert_int_equal(COUNTED(fixture, inflight_size), 6);
    echo(fixture, fixture->held[0]);
    assert_true(hear(fixture, first, 1, "abcdef", &heard));
    say_string(fixture, first, "POST /" HOST "Content-Length: 10\r\n\r\n0123456789");
    turn_until_handled(fixture, 2);
    echo(fixture, fixture->held[1]);
    assert_true(hear(fixture, first, 1, "0123456789", &heard));
    (void)close(first);
    (void)close(second);
    rwd_buffer_finish(&heard);
}

/* Who announces a large body and sends none of it holds nothing, so others are served. */
static void an_announced_body_keeps_nobody_out(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.inflight_size_max = 100000;
    start(fixture);
    struct rwd_buffer heard = {0};
    int slow = dial(fixture);
    say_string(fixture, slow, "POST /" HOST "Content-Length: 90000\r\n\r\na");
    int other = dial(fixture);
    for (int i = 0; i < 3; i++) {
        say_string(fixture, other, "POST /" HOST "Content-Length: 20000\r\n\r\n");
        for (int chunk = 0; chunk < 2000; chunk++) {
            say_string(fixture, other, "0123456789");
        }
        assert_true(hear(fixture, other, 20000, "0123456789", &heard));
        assert_memory_equal(heard.data, "HTTP/1.1 200 OK\r\n", 17);
    }
    (void)close(slow);
    (void)close(other);
    rwd_buffer_finish(&heard);
}

static void connections_have_a_limit(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.connection_count_max = 2;
    start(fixture);
    struct rwd_buffer heard = {0};
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(fixture);
    }
    say_string(fixture, fds[2], "GET /" HOST "\r\n");
    assert_true(hear(fixture, fds[2], 1, NULL, &heard));
    assert_memory_equal(heard.data, "HTTP/1.1 503 ", 13);
    (void)close(fds[2]);
    assert_int_equal(COUNTED(fixture, connections_refused), 1);
    say_string(fixture, fds[1], "GET /ok" HOST "\r\n");
    assert_true(hear(fixture, fds[1], 1, "/ok", &heard));
    (void)close(fds[0]);
    (void)close(fds[1]);
    while (COUNTED(fixture, connections_open) > 0) {
        rwd_loop_turn(fixture->loop, true);
    }
    int fd = dial(fixture);
    say_string(fixture, fd, "GET /again" HOST "\r\n");
    assert_true(hear(fixture, fd, 1, "/again", &heard));
    (void)close(fd);
    rwd_buffer_finish(&heard);
}

static void big_answers_wait_for_a_slow_reader(void **state)
{
    struct fixture *fixture = *state;
    while (fixture->big.size < 8000000) {
        rwd_buffer_put_format(&fixture->big, "%zu,", fixture->big.size);
    }
    start(fixture);
    int fd = dial(fixture);
    struct rwd_buffer heard = {0};
    say_string(fixture, fd, "GET /big" HOST "\r\nGET /next" HOST "\r\n");
    turn_until_handled(fixture, 1);
    assert_int_equal(fixture->handled, 1);
    assert_true(hear(fixture, fd, fixture->big.size, "/next", &heard));
    const char *answer = strstr(heard.data, "\r\n\r\n") + 4;
    assert_memory_equal(answer, fixture->big.data, fixture->big.size);
    (void)close(fd);
    rwd_buffer_finish(&heard);
}

static void drains_on_stop(void **state)
{
    struct fixture *fixture = *state;
    fixture->hold = true;
    start(fixture);
    struct rwd_buffer heard = {0};
    int idle = dial(fixture);
    int busy = dial(fixture);
    say_string(fixture, busy, "GET /busy" HOST "\r\n");
    turn_until_handled(fixture, 1);
    while (COUNTED(fixture, connections_open) < 2) {
        rwd_loop_turn(fixture->loop, true);
    }
    rwd_http_server_stop_accepting(fixture->server);
    assert_true(hear(fixture, idle, 1, NULL, &heard));
    assert_int_equal(COUNTED(fixture, requests_open), 1);
    echo(fixture, fixture->held[0]);
    assert_true(hear(fixture, busy, 1, NULL, &heard));
    assert_non_null(strstr(heard.data, "Connection: close\r\n"));
    (void)close(idle);
    (void)close(busy);
    rwd_buffer_finish(&heard);
}

static void dies_with_requests_open(void **state)
{
    struct fixture *fixture = *state;
    fixture->hold = true;
    start(fixture);
    int fd = dial(fixture);
    say_string(fixture, fd, "POST /" HOST "Content-Length: 100000\r\n\r\n");
    int other = dial(fixture);
    say_string(fixture, other, "GET /" HOST "\r\n");
    turn_until_handled(fixture, 1);
    (void)close(fd);
    (void)close(other);
}

static void addresses_are_checked(void **state)
{
    struct fixture *fixture = *state;
    static const char *const bad[] = {"", "1", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
        "127.0.0.1:99999", "::1:80", "[::1:80", "[]:80", "no.such.host.invalid:80"};
    struct rwd_error error;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fixture->options.listen = bad[i];
        assert_int_equal(rwd_http_server_create(fixture->loop, &fixture->options, handle, fixture,
                             &fixture->server, &error),
            RWD_INVALID);
    }
    start(fixture);
    char taken[32];
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%d", rwd_http_server_port(fixture->server));
    fixture->options.listen = taken;
    struct rwd_http_server *second = NULL;
    assert_int_equal(
        rwd_http_server_create(fixture->loop, &fixture->options, handle, fixture, &second, &error),
        RWD_UNAVAILABLE);
    fixture->options.listen = "0.0.0.0:0";
    assert_int_equal(
        rwd_http_server_create(fixture->loop, &fixture->options, handle, fixture, &second, &error),
        RWD_OK);
    assert_false(rwd_http_server_is_loopback(second));
    rwd_http_server_destroy(second);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(answers_and_keeps_the_connection),
        CASE(pipelined_requests_are_answered_in_order),
        CASE(later_answers_take_up_what_waits),
        CASE(requests_outlive_their_peer),
        CASE(big_bodies_come_and_go),
        CASE(expect_is_answered_before_the_body),
        CASE(refusals_reach_a_peer_that_goes_on_sending),
        CASE(slow_peers_are_cut),
        CASE(bodies_in_flight_have_a_limit),
        CASE(an_announced_body_keeps_nobody_out),
        CASE(connections_have_a_limit),
        CASE(big_answers_wait_for_a_slow_reader),
        CASE(drains_on_stop),
        CASE(dies_with_requests_open),
        CASE(addresses_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
