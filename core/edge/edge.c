#include "edge/edge.h"

#include "base/log.h"
#include "base/memory.h"
#include "edge/api.h"
#include "edge/ingest.h"
#include "edge/io_message.h"
#include "runtime/loop.h"
#include "transport/http_server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_SIZE_MAX = 2048,
    MAILBOX_COUNT_MAX = 1 << 20, /* what comes home is bounded by what was sent */
    DRAIN_CHECK_MS = 20,
    /* A client that never sends the rest of its body must not hold the process. */
    DRAIN_MS_MAX = 10000,
};

struct rwd_edge {
    struct rwd_engine *engine;
    struct rwd_loop *loop;
    struct rwd_mailbox *mailbox;
    struct rwd_watch *watch;
    struct rwd_timer *drain_timer;
    struct rwd_http_server *server;
    struct rwd_ingest *ingest;
    struct rwd_api *api;
    char port_path[PATH_SIZE_MAX];
    int64_t drain_begun_ms;
};

static bool is_players(struct rwd_http_request *request)
{
    return rwd_http_request_segment_count(request) == 3 &&
           rwd_text_is(rwd_http_request_segment(request, 0), "v1") &&
           rwd_text_is(rwd_http_request_segment(request, 1), "players");
}

static bool is_events(struct rwd_http_request *request)
{
    return rwd_http_request_segment_count(request) == 2 &&
           rwd_text_is(rwd_http_request_segment(request, 1), "events") &&
           rwd_text_is(rwd_http_request_segment(request, 0), "v1");
}

/* The two hot calls are answered here; the API's table has all others. */
static void handle(void *context, struct rwd_http_request *request)
{
    struct rwd_edge *edge = context;
    enum rwd_http_method method = rwd_http_request_method(request);
    if (is_events(request)) {
        if (method == RWD_HTTP_POST) {
            rwd_ingest_post_events(edge->ingest, request);
        } else {
            rwd_http_respond_problem(request, 405, "Allow: POST\r\n", "events are sent with POST");
        }
    } else if (is_players(request)) {
        if (method == RWD_HTTP_GET || method == RWD_HTTP_HEAD) {
            rwd_ingest_get_player(edge->ingest, request, rwd_http_request_segment(request, 2));
        } else {
            rwd_http_respond_problem(request, 405, "Allow: GET\r\n", "a player is read with GET");
        }
    } else if (!rwd_api_handle(edge->api, request)) {
        rwd_http_respond_problem(
            request, 404, NULL, "there is nothing here; GET /openapi.json lists what is");
    }
}

static void stop_when_drained(void *context)
{
    struct rwd_edge *edge = context;
    const struct rwd_http_server_counters *counters = rwd_http_server_counters(edge->server);
    bool late = rwd_loop_now_ms(edge->loop) - edge->drain_begun_ms > DRAIN_MS_MAX;
    /* What we sent into the house comes back, however long the store lets it wait: the rooms behind
     * us do not stop before that either, and would find nobody at home. */
    if (rwd_ingest_open_count(edge->ingest) == 0 && rwd_api_open_count(edge->api) == 0 &&
        (rwd_counted(&counters->requests_open) == 0 || late)) {
        rwd_loop_stop(edge->loop);
    }
}

static void begin_drain(struct rwd_edge *edge)
{
    edge->drain_begun_ms = rwd_loop_now_ms(edge->loop);
    rwd_http_server_stop_accepting(edge->server);
    rwd_timer_start_periodic(edge->drain_timer, DRAIN_CHECK_MS);
}

static void on_mail(void *context, int fd, unsigned ready)
{
    (void)fd;
    (void)ready;
    struct rwd_edge *edge = context;
    struct rwd_message *messages = rwd_mailbox_take(edge->mailbox);
    while (messages != NULL) {
        struct rwd_message *message = messages;
        messages = message->next;
        switch ((enum rwd_io_message)message->kind) {
        case RWD_IO_BATCH:
            rwd_ingest_batch_home(edge->ingest, (struct rwd_batch *)message);
            break;
        case RWD_IO_API_BATCH:
            rwd_api_batch_home(edge->api, (struct rwd_batch *)message);
            break;
        case RWD_IO_INQUIRY:
            rwd_api_inquiry_home(edge->api, (struct rwd_inquiry *)message);
            break;
        case RWD_IO_STOP:
            rwd_free(message);
            begin_drain(edge);
            break;
        }
    }
}

static void on_turn_end(void *context)
{
    struct rwd_edge *edge = context;
    rwd_ingest_turn_end(edge->ingest);
}

static struct rwd_http_server_options server_options(const struct rwd_config *config)
{
    struct rwd_http_server_options options = rwd_http_server_defaults();
    options.listen = config->server_listen;
    options.connection_count_max = (size_t)config->server_connection_count_max;
    options.body_size_max = (size_t)config->ingest_body_size_max_kib * 1024;
    options.inflight_size_max = (size_t)config->server_inflight_size_max_mib << 20;
    options.head_timeout_ms = config->server_head_timeout_ms;
    options.body_timeout_ms = config->server_body_timeout_ms;
    options.idle_timeout_ms = config->server_idle_timeout_ms;
    return options;
}

/* Written aside and renamed: who waits for the file reads a whole line. */
static enum rwd_status write_port(struct rwd_edge *edge, struct rwd_error *error)
{
    const char *listen = rwd_engine_config(edge->engine)->server_listen;
    const char *colon = strrchr(listen, ':');
    int host_size = colon != NULL ? (int)(colon - listen) : (int)strlen(listen);
    char aside[PATH_SIZE_MAX + 8];
    (void)snprintf(aside, sizeof aside, "%s.tmp", edge->port_path);
    FILE *file = fopen(aside, "we");
    bool written = file != NULL && fprintf(file, "%.*s:%d\n", host_size, listen,
                                       rwd_http_server_port(edge->server)) > 0;
    if (file != NULL) {
        written = fclose(file) == 0 && written;
    }
    if (!written || rename(aside, edge->port_path) != 0) {
        return rwd_fail(error, RWD_UNAVAILABLE, "cannot write %s", edge->port_path);
    }
    rwd_log(RWD_LOG_INFO, "edge", "listen=%.*s:%d", host_size, listen,
        rwd_http_server_port(edge->server));
    return RWD_OK;
}

static void give_counters(void *context, struct rwd_api_counters *counters)
{
    struct rwd_edge *edge = context;
    counters->http = rwd_http_server_counters(edge->server);
    counters->ingest_ns = &rwd_ingest_metrics(edge->ingest)->request_ns;
}

enum rwd_status rwd_edge_create(
    struct rwd_engine *engine, struct rwd_edge **edge, struct rwd_error *error)
{
    struct rwd_edge *made = rwd_new(sizeof *made);
    const struct rwd_config *config = rwd_engine_config(engine);
    made->engine = engine;
    (void)snprintf(made->port_path, sizeof made->port_path, "%s/rewardd.port", config->data_dir);
    (void)unlink(made->port_path);
    made->mailbox = rwd_mailbox_create(MAILBOX_COUNT_MAX);
    made->ingest = rwd_ingest_create(engine, made->mailbox);
    enum rwd_status status = rwd_loop_create(&made->loop, error);
    if (status == RWD_OK) {
        const struct rwd_http_server_options options = server_options(config);
        status = rwd_http_server_create(made->loop, &options, handle, made, &made->server, error);
    }
    if (status == RWD_OK && !rwd_http_server_is_loopback(made->server)) {
        status = rwd_fail(error, RWD_DENIED,
            "server.listen = \"%s\" can be reached by others and no tokens are configured: listen "
            "on 127.0.0.1 or [::1]",
            config->server_listen);
    }
    if (status == RWD_OK) {
        status = write_port(made, error);
    }
    if (status != RWD_OK) {
        rwd_edge_destroy(made);
        return status;
    }
    const struct rwd_api_options api = {.engine = engine,
        .home = made->mailbox,
        .resubmit = rwd_ingest_resubmit,
        .resubmit_context = made->ingest,
        .counters = give_counters,
        .counters_context = made};
    made->api = rwd_api_create(&api);
    made->watch =
        rwd_watch_create(made->loop, rwd_mailbox_fd(made->mailbox), RWD_WATCH_READ, on_mail, made);
    made->drain_timer = rwd_timer_create(made->loop, stop_when_drained, made);
    rwd_loop_at_turn_end(made->loop, on_turn_end, made);
    *edge = made;
    return RWD_OK;
}

void rwd_edge_destroy(struct rwd_edge *edge)
{
    if (edge == NULL) {
        return;
    }
    rwd_http_server_destroy(edge->server);
    rwd_api_destroy(edge->api);
    rwd_ingest_destroy(edge->ingest);
    rwd_timer_destroy(edge->drain_timer);
    rwd_watch_destroy(edge->watch);
    rwd_loop_destroy(edge->loop);
    rwd_mailbox_destroy(edge->mailbox);
    (void)unlink(edge->port_path);
    rwd_free(edge);
}

void rwd_edge_run(void *context)
{
    struct rwd_edge *edge = context;
    rwd_loop_run(edge->loop);
}

void rwd_edge_stop(void *context)
{
    struct rwd_edge *edge = context;
    struct rwd_message *stop = rwd_new(sizeof *stop);
    stop->kind = RWD_IO_STOP;
    rwd_mailbox_return(edge->mailbox, stop);
}
