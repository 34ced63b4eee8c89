#include "edge/ingest.h"

#include "base/check.h"
#include "base/memory.h"
#include "edge/cloudevents.h"
#include "edge/events_body.h"
#include "edge/ingest_answer.h"
#include "edge/io_message.h"

#include <string.h>

enum {
    SHARD_COUNT_MAX = 64,
    /* An open batch this large is posted before more goes in: tapes of odd events are large. */
    BATCH_SIZE_MAX = 8 << 20,
    FREE_BATCH_COUNT_MAX = 64,
    NODE_COUNT_MAX = 4096,
    CONVERTED_CHUNK_SIZE = 64 << 10,
    CONVERTED_SIZE_MAX = 64 << 20,
};

/* One request, or one event submitted from elsewhere. */
struct ingest_request {
    struct rwd_http_request *http; /* NULL: submitted */
    rwd_resubmit_done *done;
    void *context;
    char *copy;                 /* of a submitted event's bytes */
    struct rwd_arena converted; /* events made from CloudEvents */
    struct rwd_input **inputs;
    size_t count;
    size_t capacity;
    size_t outstanding;
    bool complete;  /* all its events are in batches */
    bool is_single; /* the body was one event */
    int64_t begun_ns;
    struct rwd_input *first[1]; /* most requests hold one event */
};

struct rwd_ingest {
    struct rwd_engine *engine;
    const struct rwd_config *config;
    struct rwd_mailbox *home;
    struct rwd_clock clock;
    struct rwd_json_limits limits;
    uint32_t shard_count;
    uint32_t guess; /* the shard the last event went to */
    struct rwd_batch *open[SHARD_COUNT_MAX];
    struct rwd_batch *free_batches;
    size_t free_count;
    struct rwd_buffer answer;
    size_t open_count;
    int64_t now_ms; /* of the request at hand */
    struct rwd_ingest_metrics metrics;
};

struct rwd_ingest *rwd_ingest_create(struct rwd_engine *engine, struct rwd_mailbox *home)
{
    struct rwd_ingest *ingest = rwd_new(sizeof *ingest);
    const struct rwd_config *config = rwd_engine_config(engine);
    ingest->engine = engine;
    ingest->config = config;
    ingest->home = home;
    ingest->clock = rwd_engine_clock(engine);
    ingest->shard_count = rwd_engine_shard_count(engine);
    ingest->limits = (struct rwd_json_limits){.depth_max = (uint32_t)config->ingest_depth_max,
        .node_count_max = NODE_COUNT_MAX,
        .size_max = (uint32_t)config->ingest_event_size_max_kib * 1024};
    return ingest;
}

void rwd_ingest_destroy(struct rwd_ingest *ingest)
{
    if (ingest == NULL) {
        return;
    }
    for (uint32_t i = 0; i < ingest->shard_count; i++) {
        rwd_batch_destroy(ingest->open[i]);
    }
    while (ingest->free_batches != NULL) {
        struct rwd_batch *next = ingest->free_batches->next;
        rwd_batch_destroy(ingest->free_batches);
        ingest->free_batches = next;
    }
    rwd_buffer_finish(&ingest->answer);
    rwd_free(ingest);
}

struct rwd_ingest_metrics *rwd_ingest_metrics(struct rwd_ingest *ingest)
{
    return &ingest->metrics;
}

size_t rwd_ingest_open_count(const struct rwd_ingest *ingest)
{
    return ingest->open_count;
}

/* ---- requests ---- */

static struct ingest_request *open_request(struct rwd_ingest *ingest)
{
    struct ingest_request *request = rwd_new(sizeof *request);
    request->inputs = request->first;
    request->capacity = 1;
    request->begun_ns = rwd_clock_monotonic_ns(&ingest->clock);
    ingest->now_ms = rwd_clock_wall_ms(&ingest->clock);
    ingest->open_count++;
    return request;
}

static void add_input(struct ingest_request *request, struct rwd_input *input)
{
    if (request->count == request->capacity) {
        size_t capacity = request->capacity * 4;
        struct rwd_input **wider =
            rwd_grow(request->inputs == request->first ? NULL : request->inputs,
                capacity * sizeof(struct rwd_input *));
        if (request->inputs == request->first) {
            wider[0] = request->first[0];
        }
        request->inputs = wider;
        request->capacity = capacity;
    }
    request->inputs[request->count++] = input;
    request->outstanding++;
    input->origin = request;
}

static void recycle(struct rwd_ingest *ingest, struct rwd_batch *batch)
{
    if (ingest->free_count == FREE_BATCH_COUNT_MAX) {
        rwd_batch_destroy(batch);
        return;
    }
    rwd_batch_reset(batch); /* now: what a flood made it grow to is not kept until the next one */
    batch->next = ingest->free_batches;
    ingest->free_batches = batch;
    ingest->free_count++;
}

static void close_request(struct rwd_ingest *ingest, struct ingest_request *request)
{
    for (size_t i = 0; i < request->count; i++) {
        struct rwd_batch *batch = request->inputs[i]->batch;
        if (--batch->held == 0) {
            recycle(ingest, batch);
        }
    }
    if (request->inputs != request->first) {
        rwd_free(request->inputs);
    }
    rwd_free(request->copy);
    rwd_arena_finish(&request->converted);
    rwd_free(request);
    ingest->open_count--;
}

static void finish_request(struct rwd_ingest *ingest, struct ingest_request *request)
{
    struct rwd_ingest_answer answer = {.inputs = request->inputs,
        .count = request->count,
        .directory = rwd_engine_directory(ingest->engine)};
    rwd_ingest_count(&answer);
    rwd_count(&ingest->metrics.accepted, answer.accepted);
    rwd_count(&ingest->metrics.duplicates, answer.duplicates);
    rwd_count(&ingest->metrics.rejected, answer.rejected);
    if (request->http == NULL) {
        const struct rwd_resubmitted result = {.status = RWD_OK,
            .outcome = request->inputs[0]->outcome,
            .problem = request->inputs[0]->problem};
        request->done(request->context, &result);
    } else {
        ingest->answer.size = 0;
        answer.minimal = rwd_ingest_wants_minimal(request->http);
        answer.is_single = request->is_single;
        rwd_ingest_respond(&answer, request->http, &ingest->answer);
        rwd_histogram_add(&ingest->metrics.request_ns,
            (uint64_t)(rwd_clock_monotonic_ns(&ingest->clock) - request->begun_ns), 1);
    }
    close_request(ingest, request);
}

static void input_done(struct rwd_ingest *ingest, struct rwd_input *input)
{
    struct ingest_request *request = input->origin;
    if (--request->outstanding == 0 && request->complete) {
        finish_request(ingest, request);
    }
}

/* ---- batches ---- */

static struct rwd_batch *new_batch(struct rwd_ingest *ingest, uint32_t shard)
{
    struct rwd_batch *batch = ingest->free_batches;
    if (batch != NULL) {
        ingest->free_batches = batch->next;
        ingest->free_count--;
    } else {
        batch = rwd_batch_create((size_t)ingest->config->engine_batch_event_count_max);
    }
    batch->home = ingest->home;
    batch->home_kind = RWD_IO_BATCH;
    batch->shard = shard;
    return batch;
}

/* The shard takes no more just now: its events are turned away, unharmed. */
static void turn_away(struct rwd_ingest *ingest, struct rwd_batch *batch)
{
    static const struct rwd_problem busy = {
        .type = "busy", .detail = "the engine is full; send the event again"};
    rwd_count(&ingest->metrics.busy, batch->count);
    size_t count = batch->count;
    for (size_t i = 0; i < count; i++) {
        batch->inputs[i].outcome = RWD_OUTCOME_REJECTED;
        batch->inputs[i].problem = &busy;
    }
    for (size_t i = 0; i < count; i++) {
        input_done(ingest, &batch->inputs[i]);
    }
}

static void post(struct rwd_ingest *ingest, uint32_t shard)
{
    struct rwd_batch *batch = ingest->open[shard];
    if (batch == NULL || batch->count == 0) {
        return;
    }
    ingest->open[shard] = NULL;
    batch->held = batch->count;
    batch->posted_ns = rwd_clock_monotonic_ns(&ingest->clock);
    if (rwd_engine_submit(ingest->engine, batch) != RWD_OK) {
        turn_away(ingest, batch);
    }
}

/* With room for one more event. */
static struct rwd_batch *batch_for(struct rwd_ingest *ingest, uint32_t shard)
{
    struct rwd_batch *batch = ingest->open[shard];
    if (batch != NULL && (batch->count == batch->capacity || batch->arena.size > BATCH_SIZE_MAX)) {
        post(ingest, shard);
        batch = NULL;
    }
    if (batch == NULL) {
        batch = new_batch(ingest, shard);
        ingest->open[shard] = batch;
    }
    return batch;
}

void rwd_ingest_turn_end(struct rwd_ingest *ingest)
{
    for (uint32_t i = 0; i < ingest->shard_count; i++) {
        post(ingest, i);
    }
}

void rwd_ingest_batch_home(struct rwd_ingest *ingest, struct rwd_batch *batch)
{
    /* The last input done may recycle the batch. */
    size_t count = batch->count;
    for (size_t i = 0; i < count; i++) {
        struct rwd_input *input = &batch->inputs[i];
        if (input->kind == RWD_INPUT_PLAYER) {
            rwd_ingest_respond_player(input, input->origin);
            if (--batch->held == 0) {
                recycle(ingest, batch);
            }
        } else {
            input_done(ingest, input);
        }
    }
}

/* ---- events ---- */

static enum rwd_status scan(struct rwd_ingest *ingest, struct rwd_text raw, struct rwd_arena *arena,
    struct rwd_json *json, struct rwd_problem *problem)
{
    struct rwd_json_fault fault;
    size_t consumed = 0;
    enum rwd_status status = rwd_json_scan(raw, &ingest->limits, arena, json, &consumed, &fault);
    if (raw.size == 0) {
        fault.detail = "an event is missing, or the array does not end where the body does";
    } else if (status == RWD_OK && consumed != raw.size) {
        status = RWD_INVALID;
        fault = (struct rwd_json_fault){
            .offset = consumed, .detail = "something stands behind the event"};
    } else if (status == RWD_OK && json->nodes[0].type != RWD_JSON_OBJECT) {
        status = RWD_INVALID;
        fault = (struct rwd_json_fault){.detail = "an event is a JSON object"};
    }
    if (status != RWD_OK) {
        rwd_problem_set(problem, status == RWD_LIMIT ? "limit" : "invalid_json", "",
            "%s (at byte %zu; limits: %lld KiB, %lld levels, %d values an event)", fault.detail,
            fault.offset, (long long)ingest->config->ingest_event_size_max_kib,
            (long long)ingest->config->ingest_depth_max, NODE_COUNT_MAX);
    }
    return status;
}

static enum rwd_status check_schema(
    struct rwd_ingest *ingest, const struct rwd_event *event, struct rwd_problem *problem)
{
    bool name_known = false;
    const struct rwd_schema *schema = rwd_schema_find(
        rwd_engine_schemas(ingest->engine), event->name, event->version, &name_known);
    if (schema != NULL) {
        return rwd_schema_check(schema, &event->json, problem);
    }
    if (ingest->config->schemas_allow_unknown) {
        return RWD_OK;
    }
    if (name_known) {
        rwd_problem_set(problem, "unknown_version", "/version",
            "no schema for %.*s %.*s is registered", RWD_TEXT_ARGS(event->name),
            RWD_TEXT_ARGS(event->version));
    } else {
        rwd_problem_set(problem, "unknown_event", "/event_name",
            "no event of the name '%.*s' is registered", RWD_TEXT_ARGS(event->name));
    }
    return RWD_INVALID;
}

static enum rwd_status check_time(
    const struct rwd_ingest *ingest, const struct rwd_event *event, struct rwd_problem *problem)
{
    int64_t ahead_ms = event->time_ms - ingest->now_ms;
    if (ahead_ms <= ingest->config->ingest_future_max_s * 1000) {
        return RWD_OK;
    }
    rwd_problem_set(problem, "ts_in_future", "/ts",
        "%lld s ahead of the clock; at most %lld s (ingest.future_max_s) are taken",
        (long long)(ahead_ms / 1000), (long long)ingest->config->ingest_future_max_s);
    return RWD_INVALID;
}

/* Reads one event into the arena of a batch. */
static enum rwd_status read_event(struct rwd_ingest *ingest, struct rwd_text raw,
    struct rwd_arena *arena, struct rwd_event *event, struct rwd_problem *problem)
{
    struct rwd_json json;
    *event = (struct rwd_event){.raw = raw};
    enum rwd_status status = scan(ingest, raw, arena, &json, problem);
    return status == RWD_OK ? rwd_event_read(raw, &json, rwd_engine_fingerprint_key(ingest->engine),
                                  ingest->now_ms, event, problem)
                            : status;
}

/* An event that was read into the batch, or a refusal of it, becomes an input. */
static void add_read_event(struct ingest_request *request, struct rwd_batch *batch,
    const struct rwd_event *event, enum rwd_status status, const struct rwd_problem *problem)
{
    struct rwd_input *input =
        rwd_batch_add(batch, status == RWD_OK ? RWD_INPUT_EVENT : RWD_INPUT_REFUSED);
    input->event = *event;
    input->user_fingerprint = event->user_fingerprint;
    input->is_retry = request->http == NULL;
    if (status != RWD_OK) {
        struct rwd_problem *kept = rwd_arena_alloc(&batch->arena, sizeof *kept);
        RWD_REQUIRE(kept != NULL);
        *kept = *problem;
        input->problem = kept;
    }
    add_input(request, input);
}

static void add_event(
    struct rwd_ingest *ingest, struct ingest_request *request, struct rwd_text raw)
{
    struct rwd_problem problem;
    struct rwd_event event;
    /* Which shard it is for stands inside the event: it is scanned into the batch of the last one's
     * shard, and once more where the guess was wrong, which is cheaper than moving a tape. */
    struct rwd_batch *batch = batch_for(ingest, ingest->guess);
    struct rwd_arena_mark mark = rwd_arena_mark(&batch->arena);
    enum rwd_status status = read_event(ingest, raw, &batch->arena, &event, &problem);
    uint32_t shard =
        status == RWD_OK ? rwd_engine_shard_of(ingest->engine, event.user_fingerprint) : 0;
    if (status == RWD_OK && shard != ingest->guess) {
        rwd_arena_rewind(&batch->arena, mark);
        ingest->guess = shard;
        batch = batch_for(ingest, shard);
        status = read_event(ingest, raw, &batch->arena, &event, &problem);
    }
    if (status == RWD_OK) {
        status = check_schema(ingest, &event, &problem);
    }
    if (status == RWD_OK) {
        status = check_time(ingest, &event, &problem);
    }
    add_read_event(request, batch, &event, status, &problem);
}

static void add_cloudevent(struct rwd_ingest *ingest, struct ingest_request *request,
    const struct rwd_events_body *body, struct rwd_text raw)
{
    struct rwd_problem problem;
    struct rwd_text converted;
    if (request->converted.size_max == 0) {
        rwd_arena_init(&request->converted, CONVERTED_CHUNK_SIZE, CONVERTED_SIZE_MAX);
    }
    enum rwd_status status = body->binary
                                 ? rwd_cloudevent_convert_binary(request->http, raw,
                                       &ingest->limits, &request->converted, &converted, &problem)
                                 : rwd_cloudevent_convert(raw, &ingest->limits, &request->converted,
                                       &converted, &problem);
    if (status == RWD_OK) {
        add_event(ingest, request, converted);
        return;
    }
    const struct rwd_event event = {.raw = raw};
    add_read_event(request, batch_for(ingest, ingest->guess), &event, status, &problem);
}

void rwd_ingest_post_events(struct rwd_ingest *ingest, struct rwd_http_request *http)
{
    const char *refusal = rwd_engine_refusal(ingest->engine);
    if (refusal != NULL) {
        rwd_http_respond_problem(http, 503, "Retry-After: 1\r\n", refusal);
        return;
    }
    struct rwd_events_body body;
    struct rwd_error error;
    int http_status =
        rwd_events_body_open(&body, http, (size_t)ingest->config->ingest_event_count_max, &error);
    if (http_status != 200) {
        rwd_http_respond_problem(http, http_status, NULL, error.text);
        return;
    }
    rwd_count(&ingest->metrics.requests, 1);
    struct ingest_request *request = open_request(ingest);
    request->http = http;
    request->is_single = !body.lines && !body.array;
    struct rwd_text raw;
    while (rwd_events_body_next(&body, &raw)) {
        if (body.cloudevents || body.binary) {
            add_cloudevent(ingest, request, &body, raw);
        } else {
            add_event(ingest, request, raw);
        }
    }
    request->complete = true;
    if (request->outstanding == 0) {
        finish_request(ingest, request); /* turned away whole, or empty */
    }
}

enum rwd_status rwd_ingest_resubmit(void *context, struct rwd_text raw, rwd_resubmit_done *done,
    void *done_context, struct rwd_error *error)
{
    struct rwd_ingest *ingest = context;
    const char *refusal = rwd_engine_refusal(ingest->engine);
    if (refusal != NULL) {
        return rwd_fail(error, RWD_UNAVAILABLE, "no events are taken: %s", refusal);
    }
    struct ingest_request *request = open_request(ingest);
    request->done = done;
    request->context = done_context;
    request->copy = rwd_copy(raw.data, raw.size);
    add_event(ingest, request, (struct rwd_text){.data = request->copy, .size = raw.size});
    request->complete = true;
    if (request->outstanding == 0) {
        finish_request(ingest, request);
    }
    return RWD_OK;
}

void rwd_ingest_get_player(
    struct rwd_ingest *ingest, struct rwd_http_request *http, struct rwd_text user_id)
{
    uint64_t fingerprint = rwd_fingerprint(rwd_engine_fingerprint_key(ingest->engine), user_id);
    struct rwd_batch *batch = batch_for(ingest, rwd_engine_shard_of(ingest->engine, fingerprint));
    struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_PLAYER);
    /* Borrowed from the request, which lives until its answer. */
    input->user_id = user_id;
    input->user_fingerprint = fingerprint;
    input->origin = http;
}
