/*
 * load: how many events a second rewardd takes over HTTP, and how long an answer takes.
 *
 * Why a program of our own: the events must be new ones (ids, times, users by Zipf's law), the
 * answers must be checked, and on two cores the generator may cost next to nothing beside the
 * daemon. A request is a template whose ids, user and amounts are patched in place.
 *
 *     load -H 127.0.0.1 -p 8080 -c 64 -d 10                one event a request, closed loop
 *     load -p 8080 -b 100 -c 8 -m -d 10                    NDJSON, 100 a request, return=minimal
 *     load -p 8080 -b 100 -c 8 -r 500000 -d 10             open loop at 500,000 events/s
 *     load -p 8080 -b 1000 -n 5000000 -u 5000000 -D -a 172800   preload 5 M users over two days
 *
 * Open loop: latency runs from the moment a request was due, whether or not a connection was free
 * then, so that a stall is charged to every request it delayed (no coordinated omission).
 *
 * Threads:   -t N threads share nothing; each has its connections, epoll and samples.
 * Ownership: main owns all workers and reads their results after joining them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    ANSWER_SIZE_MAX = 16 * 1024 * 1024,
    ANSWER_SIZE_START = 64 * 1024,
    CONNECTIONS_MAX = 4096,
    THREADS_MAX = 64,
    EVENTS_PER_REQUEST_MAX = 10000,
    HEAD_SIZE_MAX = 512,
    EVENT_SIZE_MAX = 512,
    PICKS_COUNT = 1 << 20,
    BUCKETS_PER_OCTAVE = 64,
    BUCKETS_COUNT = 64 * BUCKETS_PER_OCTAVE,
    EVENT_ID_DIGITS = 12,
    USER_DIGITS = 8,
};

static const uint64_t ns_per_s = 1000000000;

struct options {
    const char *host;
    const char *token;
    uint16_t port;
    uint32_t connections, threads, batch, user_count;
    uint64_t event_count_max;
    double duration_s, warmup_s, rate, zipf_s;
    uint64_t age_s;
    bool minimal, distinct_users, print_first;
};

/* Log-linear: 64 buckets per power of two keep every percentile within 1.6 %. */
struct histogram {
    uint64_t count, max;
    uint32_t buckets[BUCKETS_COUNT];
};

struct totals {
    uint64_t requests, events, accepted, duplicates, rejected, overloaded, errors;
};

/* Where the changing parts of one event sit, counted from the start of the event. */
struct places {
    size_t id, user, ts, bet, win, size;
};

struct connection {
    int fd;
    bool busy, wants_write;
    uint64_t due_ns;
    char *request;
    size_t request_size, sent;
    char *answer;
    size_t answer_size, answer_room;
};

struct worker {
    const struct options *options;
    pthread_t thread;
    uint32_t index;
    int epoll_fd, timer_fd;
    struct connection *connections;
    uint32_t *idle;
    uint32_t connection_count, idle_count;
    const uint32_t *picks;
    uint64_t pick_at, random, next_id, event_count_left;
    char *event;
    struct places places;
    size_t head_size;
    uint64_t started_ns, measured_from_ns, ends_ns, finished_ns;
    double interval_ns;
    uint64_t scheduled;
    uint64_t spread_ns, clock_s;
    char clock_text[21];
    struct totals totals;
    struct histogram *latency;
    const char *trouble;
};

static uint64_t now_ns(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * ns_per_s + (uint64_t)at.tv_nsec;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        die("memory");
    }
    return memory;
}

/* ---- random users and numbers */

/* splitmix64: short, and the same seed gives the same load. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A long table of users drawn by Zipf's law beforehand: a draw is then one load. */
static uint32_t *make_picks(uint32_t user_count, double s)
{
    double *sums = room(user_count, sizeof *sums);
    double sum = 0;
    for (uint32_t i = 0; i < user_count; i++) {
        sum += 1.0 / pow((double)i + 1.0, s);
        sums[i] = sum;
    }
    uint32_t *picks = room(PICKS_COUNT, sizeof *picks);
    uint64_t state = 1;
    for (uint32_t i = 0; i < PICKS_COUNT; i++) {
        double at = (double)(next_random(&state) >> 11) * 0x1p-53 * sum;
        uint32_t low = 0;
        uint32_t high = user_count - 1;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (sums[middle] < at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        picks[i] = low;
    }
    free(sums);
    return picks;
}

/* ---- histogram */

static uint32_t bucket_of(uint64_t value)
{
    if (value < BUCKETS_PER_OCTAVE) {
        return (uint32_t)value;
    }
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(value) - 6;
    return shift * BUCKETS_PER_OCTAVE + (uint32_t)(value >> shift);
}

static uint64_t bucket_top(uint32_t bucket)
{
    if (bucket < 2 * BUCKETS_PER_OCTAVE) {
        return bucket;
    }
    uint32_t shift = bucket / BUCKETS_PER_OCTAVE - 1;
    return ((uint64_t)(bucket - shift * BUCKETS_PER_OCTAVE) + 1) << shift;
}

static void record(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

static void merge(struct histogram *into, const struct histogram *from)
{
    for (uint32_t i = 0; i < BUCKETS_COUNT; i++) {
        into->buckets[i] += from->buckets[i];
    }
    into->count += from->count;
    into->max = from->max > into->max ? from->max : into->max;
}

static double quantile_us(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)ceil(share * (double)histogram->count);
    uint64_t passed = 0;
    for (uint32_t i = 0; i < BUCKETS_COUNT; i++) {
        passed += histogram->buckets[i];
        if (passed >= wanted && passed > 0) {
            uint64_t top = bucket_top(i);
            return (double)(top < histogram->max ? top : histogram->max) / 1000.0;
        }
    }
    return 0;
}

/* ---- requests */

static void put_digits(char *at, uint64_t value, uint32_t count)
{
    while (count-- > 0) {
        at[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* One event of about 384 bytes, as the field sends it. */
static void make_event(struct worker *worker)
{
    static const char text[] =
        "{\"event_id\":\"ld-RRRRRRRR-000000000000\",\"event_name\":\"bet\",\"version\":\"1.2.0\","
        "\"ts\":\"2025-10-24T11:37:21Z\",\"user\":{\"id\":\"u_00000000\",\"geo\":\"TR\","
        "\"platform\":\"android\",\"payer_flag\":true,\"risk_flags\":[\"vp_nightly\"]},"
        "\"context\":{\"session_id\":\"s_7890123456\",\"device_fp\":\"fp_1a2b3c4d5e6f\","
        "\"ip\":\"203.0.113.24\"},\"payload\":{\"game_id\":\"slot_wolf\",\"bet\":00.50,"
        "\"win\":00.25,\"currency\":\"EUR\",\"provider\":\"GameCo\"}}\n";
    worker->event = room(1, sizeof text);
    memcpy(worker->event, text, sizeof text);
    struct places *places = &worker->places;
    places->size = sizeof text - 1;
    places->id = (size_t)(strstr(text, "000000000000") - text);
    places->user = (size_t)(strstr(text, "u_0000") - text) + 2;
    places->ts = (size_t)(strstr(text, "2025-10") - text);
    places->bet = (size_t)(strstr(text, "00.50") - text);
    places->win = (size_t)(strstr(text, "00.25") - text);
    /* Eight characters of the run keep the ids of two runs apart; two of them are the thread. */
    struct timespec at;
    (void)clock_gettime(CLOCK_REALTIME, &at);
    uint64_t run = (uint64_t)at.tv_sec % 1000000;
    char *run_at = worker->event + places->id - 9;
    put_digits(run_at, run, 6);
    put_digits(run_at + 6, worker->index, 2);
    /* JSON has no leading zeros: a space before the number is as good and keeps the width. */
    worker->event[places->bet] = ' ';
    worker->event[places->win] = ' ';
}

static size_t make_head(const struct options *options, char *head, size_t body_size)
{
    char authorization[160] = "";
    if (options->token != NULL) {
        (void)snprintf(
            authorization, sizeof authorization, "Authorization: Bearer %s\r\n", options->token);
    }
    int size = snprintf(head, HEAD_SIZE_MAX,
        "POST /v1/events HTTP/1.1\r\nHost: %s:%u\r\nContent-Type: %s\r\n%s%sContent-Length: "
        "%zu\r\n\r\n",
        options->host, options->port,
        options->batch == 1 ? "application/json" : "application/x-ndjson",
        options->minimal ? "Prefer: return=minimal\r\n" : "", authorization, body_size);
    if (size < 0 || size >= HEAD_SIZE_MAX) {
        errno = EMSGSIZE;
        die("request head");
    }
    return (size_t)size;
}

/* Formats a time only when its second changes: gmtime costs more than all else of an event. */
static const char *clock_text(struct worker *worker, uint64_t unix_s)
{
    if (unix_s != worker->clock_s) {
        time_t at = (time_t)unix_s;
        struct tm parts;
        (void)gmtime_r(&at, &parts);
        (void)strftime(worker->clock_text, sizeof worker->clock_text, "%Y-%m-%dT%H:%M:%SZ", &parts);
        worker->clock_s = unix_s;
    }
    return worker->clock_text;
}

/*
 * The time of the events of one request. With -a the run walks from now - age to now, by the share
 * of the events (or of the time) that is behind it, so that every player's history is in order.
 */
static uint64_t event_time_s(const struct worker *worker, uint64_t now)
{
    uint64_t wall = (uint64_t)time(NULL);
    const struct options *options = worker->options;
    if (options->age_s == 0) {
        return wall;
    }
    double share;
    if (options->event_count_max > 0) {
        share = 1.0 - (double)worker->event_count_left /
                          ((double)options->event_count_max / options->threads);
    } else {
        share = (double)(now - worker->started_ns) / (double)worker->spread_ns;
    }
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return wall - options->age_s + (uint64_t)((double)options->age_s * share);
}

static uint32_t pick_user(struct worker *worker)
{
    const struct options *options = worker->options;
    if (options->distinct_users) {
        uint64_t serial = worker->next_id * options->threads + worker->index;
        return (uint32_t)(serial % options->user_count);
    }
    return worker->picks[worker->pick_at++ & (PICKS_COUNT - 1)];
}

static void fill_request(struct worker *worker, struct connection *connection, uint64_t now)
{
    const struct places *places = &worker->places;
    const char *ts = clock_text(worker, event_time_s(worker, now));
    char *at = connection->request + worker->head_size;
    for (uint32_t i = 0; i < worker->options->batch; i++, at += places->size) {
        uint32_t user = pick_user(worker);
        uint64_t chance = next_random(&worker->random);
        put_digits(at + places->id, worker->next_id++, EVENT_ID_DIGITS);
        put_digits(at + places->user, user, USER_DIGITS);
        memcpy(at + places->ts, ts, 20);
        /* Stakes 1.00 to 4.99, won twice over in three of eight. */
        uint32_t stake = 1 + (chance & 3);
        uint32_t fraction = (uint32_t)(chance >> 8) % 100;
        at[places->bet + 1] = (char)('0' + stake);
        put_digits(at + places->bet + 3, fraction, 2);
        bool wins = ((chance >> 32) & 7) < 3;
        at[places->win + 1] = (char)('0' + (wins ? stake * 2 : 0));
        put_digits(at + places->win + 3, wins ? fraction : 0, 2);
    }
}

/* ---- answers */

/* The value of "name":<digits> in the text, or -1. The counts come first, before the results. */
static int64_t count_in(const char *text, const char *end, const char *name, size_t name_size)
{
    const char *at = memmem(text, (size_t)(end - text), name, name_size);
    if (at == NULL) {
        return -1;
    }
    at += name_size;
    while (at < end && (*at == ' ' || *at == ':')) {
        at++;
    }
    int64_t value = 0;
    const char *first = at;
    while (at < end && *at >= '0' && *at <= '9') {
        value = value * 10 + (*at++ - '0');
    }
    return at > first ? value : -1;
}

static const char *header_value(const char *head, const char *end, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = memchr(head, '\n', (size_t)(end - head)); line != NULL;
         line = memchr(line, '\n', (size_t)(end - line))) {
        line++;
        if ((size_t)(end - line) > size && line[size] == ':' &&
            strncasecmp(line, name, size) == 0) {
            for (line += size + 1; line < end && *line == ' '; line++) {
            }
            return line;
        }
    }
    return NULL;
}

/* 1 a whole answer is there (its size in *whole), 0 not yet, -1 not an answer we can read. */
static int answer_ready(const struct connection *connection, size_t *head_size, size_t *whole)
{
    const char *text = connection->answer;
    const char *end = memmem(text, connection->answer_size, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    *head_size = (size_t)(end - text) + 4;
    const char *length = header_value(text, end + 2, "content-length");
    if (length == NULL) {
        return -1;
    }
    *whole = *head_size + strtoull(length, NULL, 10);
    if (*whole > ANSWER_SIZE_MAX) {
        return -1;
    }
    return connection->answer_size >= *whole;
}

/* Counts an answer; the daemon must account for every event that was sent. */
static void judge(struct worker *worker, const char *text, size_t head_size, size_t whole)
{
    struct totals *totals = &worker->totals;
    uint32_t batch = worker->options->batch;
    totals->requests++;
    int status = whole > 12 ? (text[9] - '0') * 100 + (text[10] - '0') * 10 + text[11] - '0' : 0;
    if (status == 503 || status == 429) {
        totals->overloaded++;
        return;
    }
    const char *body = text + head_size;
    const char *end = text + whole;
    int64_t accepted = count_in(body, end, "\"accepted\"", 10);
    int64_t duplicates = count_in(body, end, "\"duplicates\"", 12);
    int64_t rejected = count_in(body, end, "\"rejected\"", 10);
    if (status != 200 || accepted < 0 || duplicates < 0 || rejected < 0 ||
        accepted + duplicates + rejected != (int64_t)batch) {
        if (totals->errors++ == 0) {
            (void)fprintf(
                stderr, "load: first bad answer: %.*s\n", (int)(whole < 800 ? whole : 800), text);
        }
        return;
    }
    totals->events += batch;
    totals->accepted += (uint64_t)accepted;
    totals->duplicates += (uint64_t)duplicates;
    totals->rejected += (uint64_t)rejected;
}

/* ---- connections */

static void watch(
    struct worker *worker, struct connection *connection, int operation, uint32_t mask)
{
    struct epoll_event event = {.events = mask, .data = {.ptr = connection}};
    if (epoll_ctl(worker->epoll_fd, operation, connection->fd, &event) != 0) {
        die("epoll_ctl");
    }
}

static void open_connection(struct worker *worker, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(worker->options->port)};
    if (inet_pton(AF_INET, worker->options->host, &address.sin_addr) != 1) {
        errno = EINVAL;
        die("-H takes an IPv4 address");
    }
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("connect");
    }
    int yes = 1;
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)fcntl(connection->fd, F_SETFL, fcntl(connection->fd, F_GETFL) | O_NONBLOCK);
    connection->answer_size = 0;
    connection->wants_write = false;
    watch(worker, connection, EPOLL_CTL_ADD, EPOLLIN);
}

static void reopen(struct worker *worker, struct connection *connection)
{
    (void)close(connection->fd);
    open_connection(worker, connection);
}

/* A connection broke under a request: that is an error, and its events are of unknown fate. */
static void fail(struct worker *worker, struct connection *connection)
{
    if (connection->busy) {
        worker->totals.errors++;
        worker->totals.requests++;
        connection->busy = false;
        worker->idle[worker->idle_count++] = (uint32_t)(connection - worker->connections);
    }
    reopen(worker, connection);
}

static void flush(struct worker *worker, struct connection *connection)
{
    while (connection->sent < connection->request_size) {
        ssize_t size = send(connection->fd, connection->request + connection->sent,
            connection->request_size - connection->sent, MSG_NOSIGNAL);
        if (size > 0) {
            connection->sent += (size_t)size;
        } else if (errno == EAGAIN) {
            if (!connection->wants_write) {
                connection->wants_write = true;
                watch(worker, connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            }
            return;
        } else if (errno != EINTR) {
            fail(worker, connection);
            return;
        }
    }
    if (connection->wants_write) {
        connection->wants_write = false;
        watch(worker, connection, EPOLL_CTL_MOD, EPOLLIN);
    }
}

static void send_request(struct worker *worker, uint64_t due_ns, uint64_t now)
{
    struct connection *connection = &worker->connections[worker->idle[--worker->idle_count]];
    fill_request(worker, connection, now);
    if (worker->options->event_count_max > 0) {
        worker->event_count_left -= worker->options->batch;
    }
    connection->busy = true;
    connection->due_ns = due_ns;
    connection->sent = 0;
    flush(worker, connection);
}

static bool more_to_send(const struct worker *worker, uint64_t now)
{
    if (worker->options->event_count_max > 0) {
        return worker->event_count_left >= worker->options->batch;
    }
    return now < worker->ends_ns;
}

/* Sends whatever is due and has a free connection. Open loop: the plan does not wait for answers.
 */
static void send_due(struct worker *worker, uint64_t now)
{
    while (worker->idle_count > 0 && more_to_send(worker, now)) {
        uint64_t due;
        if (worker->interval_ns > 0) {
            due = worker->started_ns + (uint64_t)((double)worker->scheduled * worker->interval_ns);
            if (due > now) {
                return;
            }
            worker->scheduled++;
        } else {
            due = now_ns();
        }
        send_request(worker, due, now);
    }
}

static void finish_answer(struct worker *worker, struct connection *connection, size_t head_size,
    size_t whole, uint64_t now)
{
    bool measured = connection->due_ns >= worker->measured_from_ns;
    struct totals before = worker->totals;
    judge(worker, connection->answer, head_size, whole);
    if (measured) {
        record(worker->latency, now - connection->due_ns);
    } else if (worker->totals.errors == before.errors) {
        worker->totals = before;
    }
    /* The daemon closes after a 4xx or when it drains; then a new connection is due. */
    const char *head_end = connection->answer + head_size - 2;
    const char *wish = header_value(connection->answer, head_end, "connection");
    connection->busy = false;
    worker->idle[worker->idle_count++] = (uint32_t)(connection - worker->connections);
    connection->answer_size = 0;
    if (wish != NULL && strncasecmp(wish, "close", 5) == 0) {
        reopen(worker, connection);
    }
}

static void receive(struct worker *worker, struct connection *connection)
{
    for (;;) {
        if (connection->answer_size == connection->answer_room) {
            connection->answer_room *= 2;
            connection->answer = realloc(connection->answer, connection->answer_room);
            if (connection->answer == NULL || connection->answer_room > 2 * ANSWER_SIZE_MAX) {
                errno = ENOMEM;
                die("answer");
            }
        }
        size_t space = connection->answer_room - connection->answer_size;
        ssize_t size = recv(connection->fd, connection->answer + connection->answer_size, space, 0);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0 && errno == EAGAIN) {
            return;
        }
        if (size <= 0) {
            fail(worker, connection);
            return;
        }
        connection->answer_size += (size_t)size;
        size_t head_size = 0;
        size_t whole = 0;
        int ready = answer_ready(connection, &head_size, &whole);
        if (ready < 0 || (ready > 0 && !connection->busy)) {
            fail(worker, connection);
            return;
        }
        if (ready > 0) {
            finish_answer(worker, connection, head_size, whole, now_ns());
            return;
        }
        if ((size_t)size < space) {
            return;
        }
    }
}

/* ---- one thread's run */

/* The open loop looks at its plan this often: a wake-up for every request would take the daemon's
 * cores. Latencies count from when a request was due, so they have the wait in them. */
static const uint64_t tick_ns = 100000;

static void arm_timer(struct worker *worker)
{
    if (worker->interval_ns <= 0 || worker->idle_count == 0) {
        return;
    }
    uint64_t due = worker->started_ns + (uint64_t)((double)worker->scheduled * worker->interval_ns);
    due += tick_ns - due % tick_ns;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(due / ns_per_s), .tv_nsec = (long)(due % ns_per_s)}};
    (void)timerfd_settime(worker->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void prepare(struct worker *worker)
{
    const struct options *options = worker->options;
    make_event(worker);
    size_t body_size = worker->places.size * options->batch;
    char head[HEAD_SIZE_MAX];
    worker->head_size = make_head(options, head, body_size);
    worker->connections = room(worker->connection_count, sizeof *worker->connections);
    worker->idle = room(worker->connection_count, sizeof *worker->idle);
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (worker->epoll_fd < 0 || worker->timer_fd < 0) {
        die("epoll");
    }
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
    (void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->timer_fd, &event);
    for (uint32_t i = 0; i < worker->connection_count; i++) {
        struct connection *connection = &worker->connections[i];
        connection->request_size = worker->head_size + body_size;
        connection->request = room(1, connection->request_size);
        memcpy(connection->request, head, worker->head_size);
        for (uint32_t k = 0; k < options->batch; k++) {
            memcpy(connection->request + worker->head_size + k * worker->places.size, worker->event,
                worker->places.size);
        }
        connection->answer_room = ANSWER_SIZE_START;
        connection->answer = room(1, connection->answer_room);
        open_connection(worker, connection);
        worker->idle[worker->idle_count++] = i;
    }
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    struct epoll_event events[256];
    worker->started_ns = now_ns();
    worker->measured_from_ns =
        worker->started_ns + (uint64_t)(worker->options->warmup_s * (double)ns_per_s);
    worker->spread_ns =
        (uint64_t)((worker->options->warmup_s + worker->options->duration_s) * (double)ns_per_s) +
        1;
    worker->ends_ns = worker->started_ns + worker->spread_ns;
    uint64_t gives_up_ns = 0;
    for (;;) {
        uint64_t now = now_ns();
        send_due(worker, now);
        if (!more_to_send(worker, now)) {
            if (worker->idle_count == worker->connection_count) {
                break;
            }
            gives_up_ns = gives_up_ns == 0 ? now + 30 * ns_per_s : gives_up_ns;
            if (now > gives_up_ns) {
                worker->totals.errors += worker->connection_count - worker->idle_count;
                break;
            }
        } else {
            arm_timer(worker);
        }
        int count = epoll_wait(worker->epoll_fd, events, 256, 100);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection == NULL) {
                uint64_t ticks;
                (void)!read(worker->timer_fd, &ticks, sizeof ticks);
                continue;
            }
            if ((events[i].events & EPOLLOUT) != 0) {
                flush(worker, connection);
            }
            if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
                receive(worker, connection);
            }
        }
    }
    worker->finished_ns = now_ns();
    return NULL;
}

/* ---- the outside */

static void usage(void)
{
    (void)fprintf(stderr,
        "load [-H host] -p port [-c connections] [-t threads] [-b events a request]\n"
        "     [-d seconds | -n events] [-w warm-up seconds] [-r events/s: open loop]\n"
        "     [-u users] [-z zipf exponent] [-D: users in turn, not by Zipf] [-a age seconds]\n"
        "     [-m: Prefer: return=minimal] [-T bearer token] [-1: print one request and end]\n"
        "prints one line of JSON; exit code 1 when any answer was wrong\n");
    exit(2);
}

static struct options read_options(int argc, char **argv)
{
    struct options options = {.host = "127.0.0.1",
        .connections = 32,
        .threads = 1,
        .batch = 1,
        .user_count = 100000,
        .duration_s = 10,
        .warmup_s = 1,
        .zipf_s = 1.0};
    int letter;
    while ((letter = getopt(argc, argv, "H:p:c:t:b:d:n:w:r:u:z:Da:mT:1h")) != -1) {
        // clang-format off
        switch (letter) {
        case 'H': options.host = optarg; break;
        case 'p': options.port = (uint16_t)strtoul(optarg, NULL, 10); break;
        case 'c': options.connections = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 't': options.threads = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'b': options.batch = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'd': options.duration_s = strtod(optarg, NULL); break;
        case 'n': options.event_count_max = strtoull(optarg, NULL, 10); break;
        case 'w': options.warmup_s = strtod(optarg, NULL); break;
        case 'r': options.rate = strtod(optarg, NULL); break;
        case 'u': options.user_count = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'z': options.zipf_s = strtod(optarg, NULL); break;
        case 'D': options.distinct_users = true; break;
        case 'a': options.age_s = strtoull(optarg, NULL, 10); break;
        case 'm': options.minimal = true; break;
        case 'T': options.token = optarg; break;
        case '1': options.print_first = true; break;
        default: usage();
        }
        // clang-format on
    }
    if (options.event_count_max > 0) {
        options.warmup_s = 0;
    }
    bool wrong = optind != argc || (options.port == 0 && !options.print_first) ||
                 options.threads == 0 || options.threads > THREADS_MAX ||
                 options.connections < options.threads || options.connections > CONNECTIONS_MAX ||
                 options.batch == 0 || options.batch > EVENTS_PER_REQUEST_MAX ||
                 options.user_count == 0 || options.user_count > 99999999;
    if (wrong) {
        usage();
    }
    return options;
}

/* Shows what would be sent, so that a person (or a test) can look at it. */
static int print_first(struct worker *worker)
{
    make_event(worker);
    size_t body_size = worker->places.size * worker->options->batch;
    struct connection connection = {.request = room(1, HEAD_SIZE_MAX + body_size)};
    worker->head_size = make_head(worker->options, connection.request, body_size);
    for (uint32_t i = 0; i < worker->options->batch; i++) {
        memcpy(connection.request + worker->head_size + i * worker->places.size, worker->event,
            worker->places.size);
    }
    worker->spread_ns = 1;
    uint64_t from = now_ns();
    enum { FILLS = 1000 };
    for (uint32_t i = 0; i < FILLS; i++) {
        fill_request(worker, &connection, from);
    }
    double cost_ns = (double)(now_ns() - from) / FILLS / worker->options->batch;
    (void)fwrite(connection.request, 1, worker->head_size + body_size, stdout);
    (void)fprintf(
        stderr, "load: %zu bytes an event, %.0f ns to fill one\n", worker->places.size, cost_ns);
    return 0;
}

static double cpu_s(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int report(const struct options *options, const struct worker *workers)
{
    struct totals sum = {0};
    struct histogram *latency = room(1, sizeof *latency);
    uint64_t from = UINT64_MAX;
    uint64_t until = 0;
    for (uint32_t i = 0; i < options->threads; i++) {
        const struct totals *one = &workers[i].totals;
        sum.requests += one->requests;
        sum.events += one->events;
        sum.accepted += one->accepted;
        sum.duplicates += one->duplicates;
        sum.rejected += one->rejected;
        sum.overloaded += one->overloaded;
        sum.errors += one->errors;
        from = workers[i].measured_from_ns < from ? workers[i].measured_from_ns : from;
        until = workers[i].finished_ns > until ? workers[i].finished_ns : until;
        merge(latency, workers[i].latency);
    }
    double seconds = until > from ? (double)(until - from) / 1e9 : 1e-9;
    printf("{\"events_per_s\":%.0f,\"requests_per_s\":%.0f,\"seconds\":%.3f,\"events\":%llu,"
           "\"requests\":%llu,\"accepted\":%llu,\"duplicates\":%llu,\"rejected\":%llu,"
           "\"overloaded\":%llu,\"errors\":%llu,\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,"
           "\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f},\"events_per_request\":%u,"
           "\"connections\":%u,\"threads\":%u,\"open_loop_rate\":%.0f,\"generator_cpu_s\":%.2f}\n",
        (double)sum.accepted / seconds, (double)sum.requests / seconds, seconds,
        (unsigned long long)sum.events, (unsigned long long)sum.requests,
        (unsigned long long)sum.accepted, (unsigned long long)sum.duplicates,
        (unsigned long long)sum.rejected, (unsigned long long)sum.overloaded,
        (unsigned long long)sum.errors, quantile_us(latency, 0.5), quantile_us(latency, 0.9),
        quantile_us(latency, 0.99), quantile_us(latency, 0.999), (double)latency->max / 1000.0,
        options->batch, options->connections, options->threads, options->rate, cpu_s());
    free(latency);
    return sum.errors > 0 || sum.accepted == 0;
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    uint32_t *picks = make_picks(options.user_count, options.zipf_s);
    struct worker *workers = room(options.threads, sizeof *workers);
    for (uint32_t i = 0; i < options.threads; i++) {
        struct worker *worker = &workers[i];
        worker->options = &options;
        worker->index = i;
        worker->picks = picks;
        worker->pick_at = (uint64_t)i * (PICKS_COUNT / options.threads);
        worker->random = 1000 + i;
        worker->connection_count =
            options.connections / options.threads + (i < options.connections % options.threads);
        worker->event_count_left = options.event_count_max / options.threads;
        worker->interval_ns =
            options.rate > 0 ? 1e9 * options.batch * options.threads / options.rate : 0;
        worker->latency = room(1, sizeof *worker->latency);
        if (options.print_first) {
            return print_first(worker);
        }
        prepare(worker);
    }
    for (uint32_t i = 0; i < options.threads; i++) {
        if (pthread_create(&workers[i].thread, NULL, run, &workers[i]) != 0) {
            die("thread");
        }
    }
    for (uint32_t i = 0; i < options.threads; i++) {
        (void)pthread_join(workers[i].thread, NULL);
    }
    return report(&options, workers);
}
