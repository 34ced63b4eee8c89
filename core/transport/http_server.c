#include "transport/http_server.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "runtime/loop.h"
#include "transport/http_answer.h"
#include "transport/http_listen.h"
#include "transport/http_request_private.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    SERVER_MAGIC = 0x68747376,
    CONNECTION_MAGIC = 0x6874636e,
    /* Any head, and most bodies behind it. */
    INPUT_SIZE = RWD_HTTP_HEAD_SIZE_MAX + 4096,
    /* Buffers kept for the next connection that has something to say. */
    SPARE_INPUT_COUNT_MAX = 256,
    /* How many over the limit may be told so at the same time. */
    OVER_LIMIT_COUNT_MAX = 64,
    ACCEPTS_PER_TURN_MAX = 64,
    /* One connection's share of a turn while a big body comes in. */
    BODY_BYTES_PER_TURN_MAX = 1024 * 1024,
    LINGER_TIMEOUT_MS = 2000,
    /* Below this, copying a body behind its head costs less than a second part for the kernel. */
    COALESCED_SIZE_MAX = 2048,
    SWEEP_PERIOD_MIN_MS = 5,
    SWEEP_PERIOD_MAX_MS = 250,
};

enum state {
    STATE_READING,   /* waiting for a request, or in the middle of one */
    STATE_BIG_BODY,  /* reading a body into its own buffer */
    STATE_HANDLING,  /* the request is the handler's */
    STATE_WRITING,   /* the answer does not fit into the socket yet */
    STATE_LINGERING, /* answered for the last time; waits for the peer to have read it */
    STATE_ZOMBIE,    /* the peer is gone, the request is still the handler's */
    STATE_CLOSED,    /* to be freed when the turn is over */
};

struct connection {
    uint32_t magic;
    enum state state;
    int fd;
    bool reads;           /* read_event is added */
    bool processing;      /* process() is on the stack */
    bool started;         /* the request's first byte is here, its deadline stands */
    bool reserved;        /* its body counts as in flight */
    size_t reserved_size; /* and with how much: what has come of it */
    bool keep;            /* go on after the answer that is being written */
    bool peer_done;       /* no more bytes will come */
    bool over_limit;
    struct rwd_http_server *server;
    struct connection *next;
    struct connection **link;
    int64_t deadline_ms;
    char *input; /* NULL while there is nothing in it */
    size_t input_at;
    size_t input_end;
    char *big_body;
    size_t big_body_size;
    struct rwd_buffer output;
    size_t output_at;
    struct event read_event;
    struct event write_event;
    struct rwd_http_request request;
};

struct rwd_http_server {
    uint32_t magic;
    struct rwd_loop *loop;
    struct rwd_http_server_options options;
    rwd_http_handler *handler;
    void *context;
    int listen_fd;
    bool listens;
    bool draining;
    bool is_loopback;
    int port;
    size_t connection_count;
    size_t over_limit_count;
    size_t inflight_size;
    struct connection *connections;
    struct rwd_timer *sweep_timer;
    int64_t sweep_period_ms;
    char *spare_inputs[SPARE_INPUT_COUNT_MAX];
    size_t spare_input_count;
    struct rwd_buffer scratch;
    struct event listen_event;
    struct rwd_http_server_counters counters;
};

struct rwd_http_server_options rwd_http_server_defaults(void)
{
    return (struct rwd_http_server_options){.listen = "127.0.0.1:8080",
        .connection_count_max = 1024,
        .body_size_max = (size_t)4 * 1024 * 1024,
        .inflight_size_max = (size_t)64 * 1024 * 1024,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .idle_timeout_ms = 60000,
        .write_timeout_ms = 30000};
}

static void gauge(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static void set_deadline(struct connection *connection, int64_t timeout_ms)
{
    connection->deadline_ms = rwd_loop_now_ms(connection->server->loop) + timeout_ms;
}

/* ---- memory and life of a connection ---- */

static void take_input(struct connection *connection)
{
    struct rwd_http_server *server = connection->server;
    connection->input = server->spare_input_count > 0
                            ? server->spare_inputs[--server->spare_input_count]
                            : rwd_grow(NULL, INPUT_SIZE);
    connection->input_at = 0;
    connection->input_end = 0;
}

static void drop_input(struct connection *connection)
{
    struct rwd_http_server *server = connection->server;
    if (connection->input == NULL) {
        return;
    }
    if (server->spare_input_count < SPARE_INPUT_COUNT_MAX) {
        server->spare_inputs[server->spare_input_count++] = connection->input;
    } else {
        rwd_free(connection->input);
    }
    connection->input = NULL;
    connection->input_at = 0;
    connection->input_end = 0;
}

static void drop_body(struct connection *connection)
{
    struct rwd_http_server *server = connection->server;
    if (connection->reserved) {
        server->inflight_size -= connection->reserved_size;
        gauge(&server->counters.inflight_size, server->inflight_size);
        connection->reserved = false;
        connection->reserved_size = 0;
    }
    rwd_free(connection->big_body);
    connection->big_body = NULL;
    connection->big_body_size = 0;
}

static void want_reads(struct connection *connection, bool wanted)
{
    if (wanted != connection->reads) {
        if (wanted) {
            RWD_REQUIRE(event_add(&connection->read_event, NULL) == 0);
        } else {
            (void)event_del(&connection->read_event);
        }
        connection->reads = wanted;
    }
}

static void want_accepts(struct rwd_http_server *server)
{
    if (!server->listens && !server->draining) {
        RWD_REQUIRE(event_add(&server->listen_event, NULL) == 0);
        server->listens = true;
    }
}

static void close_socket(struct connection *connection)
{
    (void)event_del(&connection->read_event);
    (void)event_del(&connection->write_event);
    connection->reads = false;
    (void)close(connection->fd);
    connection->fd = -1;
}

static void close_connection(struct connection *connection)
{
    struct rwd_http_server *server = connection->server;
    RWD_REQUIRE(connection->state != STATE_CLOSED && connection->state != STATE_HANDLING);
    if (connection->fd >= 0) {
        close_socket(connection);
    }
    drop_body(connection);
    drop_input(connection);
    rwd_buffer_finish(&connection->output);
    *connection->link = connection->next;
    if (connection->next != NULL) {
        connection->next->link = connection->link;
    }
    server->connection_count--;
    server->over_limit_count -= connection->over_limit;
    gauge(&server->counters.connections_open, server->connection_count);
    connection->state = STATE_CLOSED;
    connection->magic = 0;
    rwd_loop_defer_free(server->loop, connection);
    if (server->connection_count == 0) {
        rwd_timer_stop(server->sweep_timer);
    }
    want_accepts(server);
}

/* The socket is of no more use. */
static void peer_gone(struct connection *connection)
{
    if (connection->state == STATE_HANDLING) {
        close_socket(connection);
        connection->request.is_abandoned = true;
        connection->state = STATE_ZOMBIE;
    } else {
        close_connection(connection);
    }
}

/* Says that nothing more comes, and reads on for a while: closing with bytes unread would make the
 * kernel send a reset, which can take the answer out of the peer's hands. */
static void linger(struct connection *connection)
{
    drop_input(connection);
    if (connection->peer_done || shutdown(connection->fd, SHUT_WR) != 0) {
        close_connection(connection);
        return;
    }
    connection->state = STATE_LINGERING;
    set_deadline(connection, LINGER_TIMEOUT_MS);
    want_reads(connection, true);
}

/* ---- answers ---- */

/* The answer is out. */
static void answer_sent(struct connection *connection)
{
    if (!connection->keep) {
        linger(connection);
        return;
    }
    connection->state = STATE_READING;
    connection->started = false;
    rwd_http_reader_init(&connection->request.reader, connection->server->options.body_size_max);
    set_deadline(connection, connection->server->options.idle_timeout_ms);
    if (connection->processing) {
        return;
    }
    if (connection->input_at < connection->input_end) {
        /* The next request is here already; it has its own turn, so that answering never nests. */
        event_active(&connection->read_event, EV_READ, 1);
    } else if (connection->peer_done) {
        close_connection(connection);
    } else {
        drop_input(connection);
        want_reads(connection, true);
    }
}

/* Writes what it can and keeps the rest; false: the peer is gone. */
static bool send_parts(struct connection *connection, struct iovec *parts, int part_count)
{
    size_t sent = 0;
    if (connection->output.size == 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)part_count};
        ssize_t size = part_count == 1
                           ? send(connection->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                           : sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        if (size < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        sent = size > 0 ? (size_t)size : 0;
        rwd_count(&connection->server->counters.bytes_out, sent);
    }
    bool waits = connection->output.size > 0;
    for (int i = 0; i < part_count; i++) {
        size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        sent -= skip;
        if (skip < parts[i].iov_len) {
            rwd_buffer_put(
                &connection->output, (char *)parts[i].iov_base + skip, parts[i].iov_len - skip);
        }
    }
    if (!waits && connection->output.size > 0) {
        RWD_REQUIRE(event_add(&connection->write_event, NULL) == 0);
    }
    return true;
}

static void send_answer(struct connection *connection, int status, const char *content_type,
    const char *extra_header_lines, struct rwd_text body)
{
    struct rwd_http_server *server = connection->server;
    struct rwd_buffer *head = &server->scratch;
    head->size = 0;
    rwd_http_put_head(head, status, content_type, extra_header_lines, body.size, connection->keep);
    bool has_body = body.size > 0 && status != 204 && status != 304 &&
                    !(connection->state == STATE_HANDLING &&
                        connection->request.reader.method == RWD_HTTP_HEAD);
    if (has_body && body.size <= COALESCED_SIZE_MAX) {
        rwd_buffer_put_text(head, body);
        has_body = false;
    }
    struct iovec parts[2] = {{.iov_base = head->data, .iov_len = head->size},
        {.iov_base = (void *)(uintptr_t)body.data, .iov_len = body.size}};
    rwd_count(&server->counters.answers[status / 100 < 6 ? status / 100 : 5], 1);
    connection->state = STATE_WRITING;
    if (!send_parts(connection, parts, has_body ? 2 : 1)) {
        close_connection(connection);
    } else if (connection->output.size == 0) {
        answer_sent(connection);
    } else {
        set_deadline(connection, server->options.write_timeout_ms);
    }
}

void rwd_http_respond(struct rwd_http_request *request, int status, const char *content_type,
    const char *extra_header_lines, struct rwd_text body)
{
    struct connection *connection = request->connection;
    struct rwd_http_server *server = connection->server;
    RWD_REQUIRE(connection->magic == CONNECTION_MAGIC && server->magic == SERVER_MAGIC);
    RWD_REQUIRE(connection->state == STATE_HANDLING || connection->state == STATE_ZOMBIE);
    RWD_REQUIRE(status >= 200 && status <= 599);
    gauge(&server->counters.requests_open, rwd_counted(&server->counters.requests_open) - 1);
    if (connection->state == STATE_ZOMBIE) {
        close_connection(connection);
        return;
    }
    const struct rwd_http_reader *reader = &request->reader;
    connection->keep = reader->keep_alive && !server->draining;
    connection->input_at += reader->head_size;
    if (connection->big_body == NULL) {
        connection->input_at += reader->body_size;
    }
    /* The answer may be made of the request's own bytes, so those go last. */
    char *big_body = connection->big_body;
    connection->big_body = NULL;
    drop_body(connection);
    send_answer(connection, status, content_type, extra_header_lines, body);
    rwd_free(big_body);
}

void rwd_http_respond_problem(struct rwd_http_request *request, int status,
    const char *extra_header_lines, const char *detail)
{
    struct rwd_buffer body = {0};
    rwd_http_put_problem(&body, status, detail);
    rwd_http_respond(
        request, status, "application/problem+json", extra_header_lines, rwd_buffer_text(&body));
    rwd_buffer_finish(&body);
}

static void refuse(
    struct connection *connection, int status, const char *extra_header_lines, const char *detail)
{
    struct rwd_buffer body = {0};
    rwd_http_put_problem(&body, status, detail);
    drop_body(connection);
    connection->keep = false;
    rwd_count(&connection->server->counters.requests_refused, 1);
    connection->started = true;
    send_answer(
        connection, status, "application/problem+json", extra_header_lines, rwd_buffer_text(&body));
    rwd_buffer_finish(&body);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct connection *connection = context;
    RWD_REQUIRE(connection->magic == CONNECTION_MAGIC);
    struct rwd_buffer *output = &connection->output;
    ssize_t size = send(fd, output->data + connection->output_at,
        output->size - connection->output_at, MSG_NOSIGNAL);
    if (size < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            peer_gone(connection);
        }
        return;
    }
    rwd_count(&connection->server->counters.bytes_out, (uint64_t)size);
    connection->output_at += (size_t)size;
    if (connection->output_at < output->size) {
        return;
    }
    rwd_buffer_finish(output);
    connection->output_at = 0;
    (void)event_del(&connection->write_event);
    if (connection->state == STATE_WRITING) {
        answer_sent(connection);
    }
}

/* ---- requests ---- */

static void refuse_full(struct connection *connection)
{
    refuse(connection, 503, "Retry-After: 1\r\n",
        "the bodies being worked on have reached inflight_size_max");
}

static void count_body(struct connection *connection, size_t more)
{
    struct rwd_http_server *server = connection->server;
    connection->reserved_size += more;
    server->inflight_size += more;
    gauge(&server->counters.inflight_size, server->inflight_size);
}

/* The head is there: account for the body and give it room. False: refused. */
static bool begin_body(struct connection *connection, size_t have)
{
    struct rwd_http_server *server = connection->server;
    const struct rwd_http_reader *reader = &connection->request.reader;
    if (connection->reserved) {
        return true;
    }
    if (reader->body_size > server->options.inflight_size_max - server->inflight_size) {
        refuse_full(connection);
        return false;
    }
    /* Counted as it comes: who announces much and sends little must not keep the others out. */
    connection->reserved = true;
    count_body(connection, have - reader->head_size < reader->body_size ? have - reader->head_size
                                                                        : reader->body_size);
    if (reader->step == RWD_HTTP_STEP_COMPLETE) {
        return true;
    }
    set_deadline(connection, server->options.body_timeout_ms);
    if (reader->head_size + reader->body_size > INPUT_SIZE) {
        connection->big_body = rwd_grow(NULL, reader->body_size);
        connection->big_body_size = have - reader->head_size;
        memcpy(connection->big_body, connection->input + connection->input_at + reader->head_size,
            connection->big_body_size);
        connection->input_end = connection->input_at + reader->head_size;
        connection->state = STATE_BIG_BODY;
    }
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec part = {.iov_base = (void *)(uintptr_t)go_on, .iov_len = sizeof go_on - 1};
    if (reader->wants_continue && !send_parts(connection, &part, 1)) {
        close_connection(connection);
        return false;
    }
    return true;
}

static void hand_over(struct connection *connection)
{
    struct rwd_http_server *server = connection->server;
    struct rwd_http_request *request = &connection->request;
    const struct rwd_http_reader *reader = &request->reader;
    connection->state = STATE_HANDLING;
    request->head = connection->input + connection->input_at;
    request->body =
        (struct rwd_text){.data = connection->big_body != NULL ? connection->big_body
                                                               : request->head + reader->head_size,
            .size = reader->body_size};
    request->user = NULL;
    rwd_count(&server->counters.requests, 1);
    rwd_count(&server->counters.requests_open, 1);
    server->handler(server->context, request);
}

/* Takes one step with the bytes that are there; false: no further one without more bytes. */
static bool advance(struct connection *connection)
{
    struct rwd_http_request *request = &connection->request;
    size_t have = connection->input_end - connection->input_at;
    if (have == 0) {
        return false;
    }
    enum rwd_http_step step =
        rwd_http_reader_feed(&request->reader, connection->input + connection->input_at, have);
    switch (step) {
    case RWD_HTTP_STEP_HEAD:
        if (!connection->started) {
            connection->started = true;
            set_deadline(connection, connection->server->options.head_timeout_ms);
        }
        return false;
    case RWD_HTTP_STEP_BODY:
        connection->started = true;
        (void)begin_body(connection, have);
        return false;
    case RWD_HTTP_STEP_COMPLETE:
        if (begin_body(connection, have)) {
            hand_over(connection);
        }
        return true;
    case RWD_HTTP_STEP_REFUSED:
        refuse(connection, request->reader.refusal_status,
            request->reader.refusal_status == 415 ? "Accept-Encoding: identity\r\n" : NULL,
            request->reader.refusal_detail);
        return false;
    }
    return false;
}

static void process(struct connection *connection)
{
    connection->processing = true;
    while (connection->state == STATE_READING && advance(connection)) {
    }
    connection->processing = false;
    if (connection->state != STATE_READING) {
        return;
    }
    if (connection->peer_done) {
        close_connection(connection);
    } else if (connection->input_at == connection->input_end) {
        drop_input(connection);
    } else if (connection->input_at > 0) {
        /* Nobody looks into the buffer now, and the request's whole room must lie behind it. */
        memmove(connection->input, connection->input + connection->input_at,
            connection->input_end - connection->input_at);
        connection->input_end -= connection->input_at;
        connection->input_at = 0;
    }
    if (connection->state == STATE_READING) {
        want_reads(connection, true);
    }
}

/* 0 where nothing came; peer_done or a closed connection where nothing will. */
static size_t receive(struct connection *connection, char *into, size_t room)
{
    ssize_t size = recv(connection->fd, into, room, 0);
    if (size > 0) {
        rwd_count(&connection->server->counters.bytes_in, (uint64_t)size);
        return (size_t)size;
    }
    if (size == 0) {
        connection->peer_done = true;
        want_reads(connection, false);
    } else if (errno != EAGAIN && errno != EINTR) {
        peer_gone(connection);
    }
    return 0;
}

static void read_input(struct connection *connection)
{
    if (connection->input == NULL) {
        take_input(connection);
    }
    size_t room = INPUT_SIZE - connection->input_end;
    if (room == 0) {
        /* Pipelined requests fill the buffer behind an open one: the rest waits in the kernel. */
        want_reads(connection, false);
    } else if (!connection->peer_done) {
        connection->input_end +=
            receive(connection, connection->input + connection->input_end, room);
    }
    if (connection->state == STATE_READING) {
        process(connection);
    }
}

static void read_big_body(struct connection *connection)
{
    size_t wanted = connection->request.reader.body_size;
    size_t budget = BODY_BYTES_PER_TURN_MAX;
    while (connection->big_body_size < wanted && budget > 0) {
        size_t room = wanted - connection->big_body_size;
        room = room < budget ? room : budget;
        size_t size = receive(connection, connection->big_body + connection->big_body_size, room);
        if (size == 0) {
            break;
        }
        connection->big_body_size += size;
        budget -= size;
        count_body(connection, size);
    }
    if (connection->state != STATE_BIG_BODY) {
        return;
    }
    if (connection->server->inflight_size > connection->server->options.inflight_size_max) {
        refuse_full(connection);
        return;
    }
    if (connection->big_body_size == wanted) {
        connection->processing = true;
        hand_over(connection);
        process(connection);
    } else if (connection->peer_done) {
        close_connection(connection);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct connection *connection = context;
    RWD_REQUIRE(connection->magic == CONNECTION_MAGIC);
    if (connection->state == STATE_BIG_BODY) {
        read_big_body(connection);
    } else if (connection->state == STATE_LINGERING) {
        char waste[INPUT_SIZE];
        (void)receive(connection, waste, sizeof waste);
        if (connection->state == STATE_LINGERING && connection->peer_done) {
            close_connection(connection);
        }
    } else {
        read_input(connection);
    }
}

/* ---- the server ---- */

static void expire(struct connection *connection)
{
    if (connection->state == STATE_BIG_BODY ||
        (connection->state == STATE_READING && connection->started)) {
        rwd_count(&connection->server->counters.timeouts, 1);
        bool in_body = connection->request.reader.step == RWD_HTTP_STEP_BODY;
        refuse(connection, 408, NULL,
            in_body ? "the body was not complete within body_timeout_ms"
                    : "the head was not complete within head_timeout_ms");
    } else {
        close_connection(connection);
    }
}

/* Deadlines are absolute times, looked at a few times a second: nothing to pay per request. */
static void on_sweep(void *context)
{
    struct rwd_http_server *server = context;
    int64_t now_ms = rwd_loop_now_ms(server->loop);
    struct connection *next = NULL;
    for (struct connection *connection = server->connections; connection != NULL;
         connection = next) {
        next = connection->next;
        if (connection->deadline_ms <= now_ms && connection->state != STATE_HANDLING &&
            connection->state != STATE_ZOMBIE) {
            expire(connection);
        }
    }
    if (server->connection_count < server->options.connection_count_max + OVER_LIMIT_COUNT_MAX) {
        want_accepts(server);
    }
}

static void add_connection(struct rwd_http_server *server, int fd)
{
    struct connection *connection = rwd_new(sizeof *connection);
    connection->magic = CONNECTION_MAGIC;
    connection->fd = fd;
    connection->server = server;
    connection->next = server->connections;
    connection->link = &server->connections;
    connection->request.connection = connection;
    if (connection->next != NULL) {
        connection->next->link = &connection->next;
    }
    server->connections = connection;
    struct event_base *base = rwd_loop_base(server->loop);
    RWD_REQUIRE(event_assign(&connection->read_event, base, fd, EV_READ | EV_PERSIST, on_readable,
                    connection) == 0);
    RWD_REQUIRE(event_assign(&connection->write_event, base, fd, EV_WRITE | EV_PERSIST, on_writable,
                    connection) == 0);
    rwd_http_reader_init(&connection->request.reader, server->options.body_size_max);
    set_deadline(connection, server->options.head_timeout_ms);
    if (server->connection_count++ == 0) {
        rwd_timer_start_periodic(server->sweep_timer, server->sweep_period_ms);
    }
    gauge(&server->counters.connections_open, server->connection_count);
    rwd_count(&server->counters.connections_accepted, 1);
    want_reads(connection, true);
    if (server->connection_count - server->over_limit_count >
        server->options.connection_count_max) {
        connection->over_limit = true;
        server->over_limit_count++;
        rwd_count(&server->counters.connections_refused, 1);
        refuse(connection, 503, "Retry-After: 1\r\n",
            "as many connections are open as connection_count_max allows");
    }
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *context)
{
    (void)what;
    struct rwd_http_server *server = context;
    RWD_REQUIRE(server->magic == SERVER_MAGIC);
    for (int i = 0; i < ACCEPTS_PER_TURN_MAX; i++) {
        bool full = server->over_limit_count >= OVER_LIMIT_COUNT_MAX;
        int fd = full ? -1 : accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            add_connection(server, fd);
            continue;
        }
        if (full || errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* Callers wait in the kernel until a connection closes or the next sweep. */
            rwd_log(RWD_LOG_WARN, "http", "msg=\"cannot accept\" open=%zu reason=\"%s\"",
                server->connection_count, full ? "connection_count_max" : strerror(errno));
            (void)event_del(&server->listen_event);
            server->listens = false;
            rwd_timer_start_periodic(server->sweep_timer, server->sweep_period_ms);
        }
        return;
    }
}

static int64_t shortest_timeout(const struct rwd_http_server_options *options)
{
    int64_t shortest = options->head_timeout_ms;
    shortest = options->body_timeout_ms < shortest ? options->body_timeout_ms : shortest;
    shortest = options->idle_timeout_ms < shortest ? options->idle_timeout_ms : shortest;
    return options->write_timeout_ms < shortest ? options->write_timeout_ms : shortest;
}

enum rwd_status rwd_http_server_create(struct rwd_loop *loop,
    const struct rwd_http_server_options *options, rwd_http_handler *handler, void *context,
    struct rwd_http_server **server, struct rwd_error *error)
{
    struct rwd_http_listener listener;
    enum rwd_status status =
        rwd_http_listen(options->listen, options->reuse_port, &listener, error);
    if (status != RWD_OK) {
        return status;
    }
    struct rwd_http_server *made = rwd_new(sizeof *made);
    made->magic = SERVER_MAGIC;
    made->loop = loop;
    made->options = *options;
    made->options.listen = NULL;
    made->handler = handler;
    made->context = context;
    made->listen_fd = listener.fd;
    made->port = listener.port;
    made->is_loopback = listener.is_loopback;
    int64_t period_ms = shortest_timeout(options) / 8;
    made->sweep_period_ms = period_ms < SWEEP_PERIOD_MIN_MS   ? SWEEP_PERIOD_MIN_MS
                            : period_ms > SWEEP_PERIOD_MAX_MS ? SWEEP_PERIOD_MAX_MS
                                                              : period_ms;
    made->sweep_timer = rwd_timer_create(loop, on_sweep, made);
    RWD_REQUIRE(event_assign(&made->listen_event, rwd_loop_base(loop), made->listen_fd,
                    EV_READ | EV_PERSIST, on_acceptable, made) == 0);
    want_accepts(made);
    *server = made;
    return RWD_OK;
}

void rwd_http_server_stop_accepting(struct rwd_http_server *server)
{
    if (server->draining) {
        return;
    }
    server->draining = true;
    (void)event_del(&server->listen_event);
    (void)close(server->listen_fd);
    server->listen_fd = -1;
    struct connection *next = NULL;
    for (struct connection *connection = server->connections; connection != NULL;
         connection = next) {
        next = connection->next;
        if (connection->state == STATE_READING && connection->input == NULL) {
            close_connection(connection);
        }
    }
}

void rwd_http_server_destroy(struct rwd_http_server *server)
{
    if (server == NULL) {
        return;
    }
    RWD_REQUIRE(server->magic == SERVER_MAGIC);
    rwd_http_server_stop_accepting(server);
    while (server->connections != NULL) {
        if (server->connections->state == STATE_HANDLING) {
            server->connections->state = STATE_READING;
        }
        close_connection(server->connections);
    }
    rwd_timer_destroy(server->sweep_timer);
    for (size_t i = 0; i < server->spare_input_count; i++) {
        rwd_free(server->spare_inputs[i]);
    }
    rwd_buffer_finish(&server->scratch);
    server->magic = 0;
    rwd_loop_defer_free(server->loop, server);
}

int rwd_http_server_port(const struct rwd_http_server *server)
{
    return server->port;
}

bool rwd_http_server_is_loopback(const struct rwd_http_server *server)
{
    return server->is_loopback;
}

const struct rwd_http_server_counters *rwd_http_server_counters(
    const struct rwd_http_server *server)
{
    return &server->counters;
}
