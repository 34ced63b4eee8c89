// room: transport
/* bench_http: one server thread answering 420-byte POSTs with 202 on 64 keep-alive connections,
 * which a second thread keeps busy, one request at a time each. First argument: seconds (3). Prints
 * JSON lines; the server thread's own CPU time per request tells more than the rate on a shared
 * machine. */
#include "base/check.h"
#include "base/memory.h"
#include "runtime/loop.h"
#include "transport/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTION_COUNT = 64, BODY_SIZE = 420, HELD_COUNT_MAX = 4096 };

struct bench {
    struct rwd_loop *loop;
    struct rwd_http_server *server;
    bool in_batches; /* answer at the end of the turn, as ingest does */
    struct rwd_http_request *held[HELD_COUNT_MAX];
    size_t held_count;
    uint64_t turns;
    int64_t cpu_ns;
    _Atomic bool stops;
};

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void answer(struct rwd_http_request *request)
{
    rwd_http_respond(request, 202, "application/json", NULL,
        RWD_TEXT("{\"accepted\":1,\"duplicates\":0,\"rejected\":0,\"results\":[]}"));
}

static void handle(void *context, struct rwd_http_request *request)
{
    struct bench *bench = context;
    if (bench->in_batches && bench->held_count < HELD_COUNT_MAX) {
        bench->held[bench->held_count++] = request;
    } else {
        answer(request);
    }
}

static void on_turn_end(void *context)
{
    struct bench *bench = context;
    for (size_t i = 0; i < bench->held_count; i++) {
        answer(bench->held[i]);
    }
    bench->held_count = 0;
    bench->turns++;
    if (bench->stops) {
        rwd_loop_stop(bench->loop);
    }
}

static void *serve(void *context)
{
    struct bench *bench = context;
    rwd_loop_run(bench->loop);
    bench->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

static int dial(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    RWD_REQUIRE(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static uint64_t drive(int port, double seconds)
{
    struct rwd_buffer request = {0};
    rwd_buffer_put_format(&request,
        "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench/1\r\n"
        "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n",
        port, BODY_SIZE);
    for (int i = 0; i < BODY_SIZE; i++) {
        rwd_buffer_put_char(&request, 'e');
    }
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < CONNECTION_COUNT; i++) {
        int fd = dial(port);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        RWD_REQUIRE(epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
        RWD_REQUIRE(send(fd, request.data, request.size, 0) == (ssize_t)request.size);
    }
    uint64_t answered = 0;
    int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e9);
    while (clock_ns(CLOCK_MONOTONIC) < end_ns) {
        struct epoll_event events[CONNECTION_COUNT];
        int count = epoll_wait(poll_fd, events, CONNECTION_COUNT, 100);
        for (int i = 0; i < count; i++) {
            char bytes[4096];
            ssize_t size = recv(events[i].data.fd, bytes, sizeof bytes, 0);
            RWD_REQUIRE(size > 12 && memcmp(bytes, "HTTP/1.1 202", 12) == 0);
            RWD_REQUIRE(bytes[size - 1] == '}');
            answered++;
            RWD_REQUIRE(
                send(events[i].data.fd, request.data, request.size, 0) == (ssize_t)request.size);
        }
    }
    (void)close(poll_fd);
    rwd_buffer_finish(&request);
    return answered;
}

static void run(bool in_batches, double seconds)
{
    struct bench *bench = rwd_new(sizeof *bench);
    bench->in_batches = in_batches;
    struct rwd_http_server_options options = rwd_http_server_defaults();
    options.listen = "127.0.0.1:0";
    RWD_REQUIRE(rwd_loop_create(&bench->loop, NULL) == RWD_OK);
    RWD_REQUIRE(rwd_http_server_create(
                    bench->loop, &options, handle, bench, &bench->server, NULL) == RWD_OK);
    rwd_loop_at_turn_end(bench->loop, on_turn_end, bench);
    pthread_t thread;
    RWD_REQUIRE(pthread_create(&thread, NULL, serve, bench) == 0);
    uint64_t answered = drive(rwd_http_server_port(bench->server), seconds);
    bench->stops = true;
    /* Wakes the loop up. */
    (void)close(dial(rwd_http_server_port(bench->server)));
    (void)pthread_join(thread, NULL);
    const char *name = in_batches ? "http_turn_end" : "http_at_once";
    (void)printf("{\"name\":\"%s_requests\",\"value\":%.0f,\"unit\":\"1/s\"}\n", name,
        (double)answered / seconds);
    (void)printf("{\"name\":\"%s_server_cpu\",\"value\":%.0f,\"unit\":\"ns/request\"}\n", name,
        (double)bench->cpu_ns / (double)answered);
    (void)printf("{\"name\":\"%s_per_turn\",\"value\":%.1f,\"unit\":\"requests\"}\n", name,
        (double)answered / (double)bench->turns);
    rwd_http_server_destroy(bench->server);
    rwd_loop_destroy(bench->loop);
    rwd_free(bench);
}

static void run_reader(void)
{
    static const char head[] =
        "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1\r\n"
        "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n"
        "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n";
    enum { TURN_COUNT = 2000000 };
    char bytes[sizeof head];
    memcpy(bytes, head, sizeof head);
    struct rwd_http_reader reader;
    int64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < TURN_COUNT; i++) {
        rwd_http_reader_init(&reader, 1000);
        RWD_REQUIRE(
            rwd_http_reader_feed(&reader, bytes, sizeof bytes - 1) == RWD_HTTP_STEP_COMPLETE);
    }
    (void)printf("{\"name\":\"http_reader\",\"value\":%.0f,\"unit\":\"ns/request\"}\n",
        (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns) / TURN_COUNT);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;
    run_reader();
    run(false, seconds);
    run(true, seconds);
    return 0;
}
