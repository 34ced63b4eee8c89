/* The client against small raw servers in the test's own thread. */
#include "base/check.h"
#include "base/memory.h"
#include "runtime/loop.h"
#include "transport/http_client.h"

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

enum { PATIENCE_MS = 20000, PEER_COUNT_MAX = 8, TICK_MS = 2 };

/* One raw server: it records what it is sent, and once a whole request is there says answer, then
 * drip a byte a tick for ever, or flood as fast as it is taken. */
struct peer {
    int listen_fd;
    int port;
    int fds[PEER_COUNT_MAX];
    size_t fd_count;
    struct rwd_buffer heard;
    const char *answer;
    bool drips;
    bool floods;
    size_t answered;
    uint64_t flooded;
};

struct fixture {
    struct rwd_loop *loop;
    struct rwd_timer *tick;
    struct rwd_http_client *client;
    struct peer peer;
    struct rwd_http_call call;
    char url[64];
    size_t done_count;
    enum rwd_status status;
    int http_status;
    int64_t retry_after_ms;
    struct rwd_buffer body;
    struct rwd_buffer error;
    bool posts_again;
};

static void serve(struct peer *peer)
{
    int fd = accept4(peer->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        RWD_REQUIRE(peer->fd_count < PEER_COUNT_MAX);
        peer->fds[peer->fd_count++] = fd;
    }
    for (size_t i = 0; i < peer->fd_count; i++) {
        char bytes[4096];
        ssize_t size = recv(peer->fds[i], bytes, sizeof bytes, 0);
        if (size > 0) {
            rwd_buffer_put(&peer->heard, bytes, (size_t)size);
            /* Each request of these tests ends in its body, "{}". */
            if (peer->answer != NULL && memcmp(bytes + size - 2, "{}", 2) == 0) {
                (void)send(peer->fds[i], peer->answer, strlen(peer->answer), MSG_NOSIGNAL);
                peer->answered++;
            }
        }
        if (peer->drips && peer->answered > 0) {
            (void)send(peer->fds[i], "x", 1, MSG_NOSIGNAL);
        }
        memset(bytes, 'f', sizeof bytes);
        while (peer->floods && peer->answered > 0) {
            ssize_t sent = send(peer->fds[i], bytes, sizeof bytes, MSG_NOSIGNAL);
            if (sent <= 0) {
                break;
            }
            peer->flooded += (uint64_t)sent;
        }
    }
}

static void on_tick(void *context)
{
    struct fixture *fixture = context;
    serve(&fixture->peer);
}

static void on_done(void *context, const struct rwd_http_result *result)
{
    struct fixture *fixture = context;
    fixture->done_count++;
    fixture->status = result->status;
    fixture->http_status = result->http_status;
    fixture->retry_after_ms = result->retry_after_ms;
    fixture->body.size = 0;
    rwd_buffer_put_text(&fixture->body, result->body);
    (void)rwd_buffer_c_string(&fixture->body);
    fixture->error.size = 0;
    rwd_buffer_put_string(&fixture->error, result->error);
    (void)rwd_buffer_c_string(&fixture->error);
    if (fixture->posts_again) {
        fixture->posts_again = false;
        assert_int_equal(
            rwd_http_client_post(fixture->client, &fixture->call, on_done, fixture, NULL), RWD_OK);
    }
}

static int set_up(void **state)
{
    struct fixture *fixture = rwd_new(sizeof *fixture);
    assert_int_equal(rwd_loop_create(&fixture->loop, NULL), RWD_OK);
    fixture->tick = rwd_timer_create(fixture->loop, on_tick, fixture);
    rwd_timer_start_periodic(fixture->tick, TICK_MS);
    struct rwd_http_client_options options = rwd_http_client_defaults();
    options.call_count_max = 4;
    assert_int_equal(
        rwd_http_client_create(fixture->loop, &options, &fixture->client, NULL), RWD_OK);
    struct peer *peer = &fixture->peer;
    peer->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(peer->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(peer->listen_fd, 16), 0);
    assert_int_equal(getsockname(peer->listen_fd, (struct sockaddr *)&address, &size), 0);
    peer->port = ntohs(address.sin_port);
    (void)snprintf(fixture->url, sizeof fixture->url, "http://127.0.0.1:%d/pay", peer->port);
    fixture->call = (struct rwd_http_call){.url = fixture->url,
        .header_lines = RWD_TEXT("webhook-id: 1\r\nX-Other: a: b\r\n"),
        .body = RWD_TEXT("{}"),
        .timeout_ms = PATIENCE_MS,
        .connect_timeout_ms = PATIENCE_MS,
        .response_size_max = 1000,
        .allow_private = true};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    rwd_http_client_destroy(fixture->client);
    rwd_timer_destroy(fixture->tick);
    for (size_t i = 0; i < fixture->peer.fd_count; i++) {
        (void)close(fixture->peer.fds[i]);
    }
    (void)close(fixture->peer.listen_fd);
    rwd_loop_destroy(fixture->loop);
    rwd_buffer_finish(&fixture->peer.heard);
    rwd_buffer_finish(&fixture->body);
    rwd_buffer_finish(&fixture->error);
    rwd_free(fixture);
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void turn_until_done(struct fixture *fixture, size_t count)
{
    int64_t give_up_ms = now_ms() + 2 * PATIENCE_MS;
    while (fixture->done_count < count) {
        assert_true(now_ms() < give_up_ms);
        rwd_loop_turn(fixture->loop, true);
    }
}

static void post(struct fixture *fixture)
{
    size_t before = fixture->done_count;
    struct rwd_error error = {0};
    enum rwd_status status =
        rwd_http_client_post(fixture->client, &fixture->call, on_done, fixture, &error);
    if (status != RWD_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(fixture->done_count, before);
    turn_until_done(fixture, before + 1);
}

static void posts_and_reuses_the_connection(void **state)
{
    struct fixture *fixture = *state;
    fixture->peer.answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";
    for (int i = 0; i < 3; i++) {
        post(fixture);
        assert_int_equal(fixture->status, RWD_OK);
        assert_int_equal(fixture->http_status, 200);
        assert_int_equal(fixture->retry_after_ms, -1);
        assert_string_equal(fixture->body.data, "done");
        assert_string_equal(fixture->error.data, "");
    }
    assert_int_equal(fixture->peer.fd_count, 1);
    const char *heard = rwd_buffer_c_string(&fixture->peer.heard);
    assert_memory_equal(heard, "POST /pay HTTP/1.1\r\n", 20);
    assert_non_null(strstr(heard, "\r\nwebhook-id: 1\r\n"));
    assert_non_null(strstr(heard, "\r\nX-Other: a: b\r\n"));
    assert_non_null(strstr(heard, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(heard, "\r\nContent-Length: 2\r\n"));
    assert_null(strstr(heard, "Expect:"));
    fixture->posts_again = true;
    post(fixture);
    turn_until_done(fixture, 5);
}

static void passes_on_what_the_partner_says(void **state)
{
    struct fixture *fixture = *state;
    fixture->peer.answer = "HTTP/1.1 500 Oops\r\nRetry-After: 120\r\nContent-Length: 1\r\n\r\nx";
    post(fixture);
    assert_int_equal(fixture->status, RWD_OK);
    assert_int_equal(fixture->http_status, 500);
    assert_int_equal(fixture->retry_after_ms, 120000);
    /* A redirect is an answer like any other, and nobody goes there. */
    char answer[160];
    (void)snprintf(answer, sizeof answer,
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/else\r\nContent-Length: 0\r\n\r\n",
        fixture->peer.port);
    fixture->peer.answer = answer;
    post(fixture);
    assert_int_equal(fixture->status, RWD_OK);
    assert_int_equal(fixture->http_status, 302);
    assert_int_equal(fixture->peer.answered, 2);
    assert_null(strstr(rwd_buffer_c_string(&fixture->peer.heard), "/else"));
}

static void slow_partners_end_at_the_timeout(void **state)
{
    struct fixture *fixture = *state;
    fixture->call.timeout_ms = 150;
    int64_t began_ms = now_ms();
    post(fixture); /* silence */
    assert_int_equal(fixture->status, RWD_TIMEOUT);
    assert_int_equal(fixture->http_status, 0);
    assert_true(fixture->error.size > 0);
    fixture->peer.answer = "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n";
    fixture->peer.drips = true;
    post(fixture); /* a byte a tick would take 900 ticks */
    assert_int_equal(fixture->status, RWD_TIMEOUT);
    assert_true(now_ms() - began_ms < 900 * TICK_MS);
}

static void giant_answers_are_cut_short(void **state)
{
    struct fixture *fixture = *state;
    fixture->peer.answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
    fixture->peer.floods = true;
    post(fixture);
    assert_int_equal(fixture->status, RWD_LIMIT);
    assert_int_equal(fixture->http_status, 200);
    assert_int_equal(fixture->body.size, 1000);
    assert_true(fixture->peer.flooded < 100000000);
    /* A head without end. */
    fixture->peer.answer = "HTTP/1.1 200 OK\r\nX: ";
    post(fixture);
    assert_true(fixture->status == RWD_LIMIT || fixture->status == RWD_UNAVAILABLE);
    /* Exactly the limit is inside it. */
    fixture->peer.floods = false;
    fixture->peer.answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1234";
    fixture->call.response_size_max = 4;
    post(fixture);
    assert_int_equal(fixture->status, RWD_OK);
    fixture->call.response_size_max = 3;
    post(fixture);
    assert_int_equal(fixture->status, RWD_LIMIT);
}

static void private_targets_are_refused(void **state)
{
    struct fixture *fixture = *state;
    fixture->peer.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    /* Leaves a connection behind that must not be reused by the next call. */
    post(fixture);
    assert_int_equal(fixture->status, RWD_OK);
    fixture->call.allow_private = false;
    post(fixture);
    assert_int_equal(fixture->status, RWD_DENIED);
    assert_int_equal(fixture->peer.answered, 1);
    /* By name, so that only the resolved address tells. */
    (void)snprintf(fixture->url, sizeof fixture->url, "http://localhost:%d/", fixture->peer.port);
    post(fixture);
    assert_int_equal(fixture->status, RWD_DENIED);
    assert_int_equal(fixture->peer.answered, 1);
}

static void addresses_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool is_private;
    } cases[] = {{"0.0.0.0", true}, {"10.1.2.3", true}, {"100.64.0.1", true},
        {"100.63.255.255", false}, {"100.128.0.0", false}, {"127.9.9.9", true},
        {"169.254.169.254", true}, {"172.15.0.1", false}, {"172.16.0.1", true},
        {"172.31.255.255", true}, {"172.32.0.1", false}, {"192.168.1.1", true}, {"192.0.0.8", true},
        {"192.0.1.1", false}, {"198.18.0.1", true}, {"198.20.0.1", false}, {"224.0.0.1", true},
        {"255.255.255.255", true}, {"8.8.8.8", false}, {"::", true}, {"::1", true},
        {"::ffff:127.0.0.1", true}, {"::ffff:8.8.8.8", false}, {"::127.0.0.1", true},
        {"64:ff9b::10.0.0.1", true}, {"64:ff9b::8.8.8.8", false}, {"2002:7f00:1::", true},
        {"2002:808:808::", false}, {"fe80::1", true}, {"fec0::1", true}, {"fd00::1", true},
        {"ff02::1", true}, {"2001::1", true}, {"2001:4860:4860::8888", false}, {"2a00::1", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
        bool is_v4 = inet_pton(AF_INET, cases[i].address, &v4.sin_addr) == 1;
        assert_true(is_v4 || inet_pton(AF_INET6, cases[i].address, &v6.sin6_addr) == 1);
        bool found =
            rwd_http_address_is_private(is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6);
        if (found != cases[i].is_private) {
            fail_msg("%s", cases[i].address);
        }
    }
    struct sockaddr other = {.sa_family = AF_UNIX};
    assert_true(rwd_http_address_is_private(&other));
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    int64_t now = 1761305841000; /* 2025-10-24T11:37:21Z */
    static const struct {
        const char *value;
        int64_t wait_ms;
    } cases[] = {{"0", 0}, {"120", 120000}, {"20250101", 20250101000}, {"-1", -1}, {"1.5", -1},
        {"", -1}, {"soon", -1}, {"Fri, 24 Oct 2025 11:37:51 GMT", 30000},
        {"Fri, 24 Oct 2025 11:00:00 GMT", 0}, {"Sunday, 06-Nov-94 08:49:37 GMT", 0},
        {"Fri, 99 Oct 2025 11:37:51 GMT", -1}, {"99999999999999999999", -1},
        {"9999999999999", 31536000000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t found = rwd_http_retry_after_ms(rwd_text_of(cases[i].value), now);
        if (found != cases[i].wait_ms) {
            fail_msg("\"%s\": %lld", cases[i].value, (long long)found);
        }
    }
}

static void unusable_calls_are_not_begun(void **state)
{
    struct fixture *fixture = *state;
    static const char *const urls[] = {"", "ftp://h/", "file:///etc/passwd", "gopher://h/",
        "http://", "http://u:p@127.0.0.1/", "no url"};
    struct rwd_error error;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        fixture->call.url = urls[i];
        if (rwd_http_client_post(fixture->client, &fixture->call, on_done, fixture, &error) !=
            RWD_INVALID) {
            fail_msg("%s", urls[i]);
        }
    }
    fixture->call.url = fixture->url;
    static const char *const lines[] = {"a: b", "a\r\n", "\r\n", "a: b\nc: d\r\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        fixture->call.header_lines = rwd_text_of(lines[i]);
        assert_int_equal(
            rwd_http_client_post(fixture->client, &fixture->call, on_done, fixture, &error),
            RWD_INVALID);
    }
    fixture->call.header_lines = (struct rwd_text){0};
    fixture->call.timeout_ms = 0;
    assert_int_equal(
        rwd_http_client_post(fixture->client, &fixture->call, on_done, fixture, &error),
        RWD_INVALID);
    assert_int_equal(fixture->done_count, 0);
}

static void partners_that_are_away_are_unavailable(void **state)
{
    struct fixture *fixture = *state;
    (void)close(fixture->peer.listen_fd);
    fixture->peer.listen_fd = -1;
    post(fixture);
    assert_int_equal(fixture->status, RWD_UNAVAILABLE);
    fixture->call.url = "http://no.such.host.invalid/";
    post(fixture);
    assert_int_equal(fixture->status, RWD_UNAVAILABLE);
}

static void destroy_ends_what_runs(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            rwd_http_client_post(fixture->client, &fixture->call, on_done, fixture, NULL), RWD_OK);
    }
    struct rwd_error error;
    assert_int_equal(
        rwd_http_client_post(fixture->client, &fixture->call, on_done, fixture, &error), RWD_BUSY);
    while (fixture->peer.fd_count < 4) {
        rwd_loop_turn(fixture->loop, true);
    }
    assert_int_equal(rwd_http_client_call_count(fixture->client), 4);
    rwd_http_client_destroy(fixture->client);
    fixture->client = NULL;
    assert_int_equal(fixture->done_count, 4);
    assert_int_equal(fixture->status, RWD_UNAVAILABLE);
    rwd_loop_turn(fixture->loop, true);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(posts_and_reuses_the_connection),
        CASE(passes_on_what_the_partner_says),
        CASE(slow_partners_end_at_the_timeout),
        CASE(giant_answers_are_cut_short),
        CASE(private_targets_are_refused),
        cmocka_unit_test(addresses_are_told_apart),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        CASE(unusable_calls_are_not_begun),
        CASE(partners_that_are_away_are_unavailable),
        CASE(destroy_ends_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
