#include "edge/api_call.h"

#include "base/check.h"
#include "base/memory.h"
#include "edge/io_message.h"
#include "transport/http_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BODY_DEPTH_MAX = 32, BODY_NODE_COUNT_MAX = 1 << 16, BODY_SIZE_MAX = 8 << 20 };

static const char retry_soon[] = "Retry-After: 1\r\n";

static void end(struct rwd_api__call *call)
{
    struct rwd_api *api = call->api;
    rwd_api__letter_release(call);
    rwd_inquiry_destroy(call->inquiry);
    rwd_inquiry_destroy(call->earlier);
    rwd_batch_destroy(call->batch);
    rwd_buffer_finish(&call->letter_bytes);
    rwd_arena_finish(&call->arena);
    rwd_free(call);
    RWD_REQUIRE(api->open_count > 0);
    api->open_count--;
}

/* ---- answers ---- */

void rwd_api__answer_json(struct rwd_api__call *call, int status, struct rwd_text json)
{
    rwd_api__answer_typed(call, status, "application/json", json);
}

void rwd_api__answer_typed(
    struct rwd_api__call *call, int status, const char *content_type, struct rwd_text body)
{
    rwd_http_respond(call->request, status, content_type, NULL, body);
    end(call);
}

void rwd_api__answer_problem(struct rwd_api__call *call, int http_status, const char *format, ...)
{
    char detail[RWD_ERROR_TEXT_SIZE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    bool later = http_status == 503 || http_status == 429;
    rwd_http_respond_problem(call->request, http_status, later ? retry_soon : NULL, detail);
    end(call);
}

static int http_status_of(enum rwd_status status)
{
    switch (status) {
    case RWD_OK:
        return 200;
    case RWD_INVALID:
        return 400;
    case RWD_NOT_FOUND:
        return 404;
    case RWD_CONFLICT:
        return 409;
    case RWD_LIMIT:
        return 413;
    case RWD_BUSY:
    case RWD_UNAVAILABLE:
        return 503;
    case RWD_TIMEOUT:
        return 504;
    case RWD_DENIED:
        return 403;
    case RWD_SCRIPT:
        return 422;
    case RWD_CORRUPT:
        break;
    }
    return 500;
}

void rwd_api__answer_failure(
    struct rwd_api__call *call, enum rwd_status status, const struct rwd_error *error)
{
    bool has_text = error != NULL && error->text[0] != '\0';
    rwd_api__answer_problem(
        call, http_status_of(status), "%s", has_text ? error->text : rwd_status_name(status));
}

void rwd_api__answer_inquiry(struct rwd_api__call *call)
{
    rwd_api__answer_json(call, call->answer_status, rwd_buffer_text(&call->inquiry->json));
}

/* ---- messages ---- */

struct rwd_inquiry *rwd_api__inquiry(struct rwd_api__call *call, enum rwd_inquiry_kind kind)
{
    struct rwd_inquiry *inquiry = rwd_inquiry_create(kind, call);
    inquiry->home = call->api->options.home;
    inquiry->home_kind = RWD_IO_INQUIRY;
    inquiry->actor = rwd_api__keep(inquiry, rwd_api__actor(call));
    return inquiry;
}

static void busy(struct rwd_api__call *call)
{
    rwd_api__answer_problem(call, 503, "too many questions wait already; ask again");
}

void rwd_api__ask_anyhow(struct rwd_api__call *call, struct rwd_inquiry *inquiry,
    rwd_api__step *step, rwd_api__step *otherwise)
{
    call->step = step;
    if (rwd_engine_ask(call->api->options.engine, inquiry) != RWD_OK) {
        rwd_inquiry_destroy(inquiry);
        otherwise(call);
    }
}

void rwd_api__ask(struct rwd_api__call *call, struct rwd_inquiry *inquiry, rwd_api__step *step)
{
    call->needs_ok = true;
    rwd_api__ask_anyhow(call, inquiry, step, busy);
}

void rwd_api_inquiry_home(struct rwd_api *api, struct rwd_inquiry *inquiry)
{
    struct rwd_api__call *call = inquiry->origin;
    RWD_REQUIRE(call != NULL && call->api == api);
    rwd_inquiry_destroy(call->earlier);
    call->earlier = call->inquiry;
    call->inquiry = inquiry;
    bool needs_ok = call->needs_ok;
    call->needs_ok = false;
    if (needs_ok && inquiry->status != RWD_OK) {
        rwd_api__answer_failure(call, inquiry->status, &inquiry->error);
    } else {
        call->step(call);
    }
}

bool rwd_api__can_write(struct rwd_api__call *call)
{
    const char *refusal = rwd_engine_refusal(call->api->options.engine);
    if (refusal != NULL) {
        rwd_api__answer_problem(call, 503, "no commands can be taken just now: %s", refusal);
    }
    return refusal == NULL;
}

struct rwd_batch *rwd_api__batch(struct rwd_api__call *call)
{
    struct rwd_batch *batch = call->batch != NULL ? call->batch : rwd_batch_create(1);
    call->batch = NULL;
    rwd_batch_reset(batch);
    batch->home = call->api->options.home;
    batch->home_kind = RWD_IO_API_BATCH;
    return batch;
}

void rwd_api__submit(struct rwd_api__call *call, struct rwd_batch *batch, struct rwd_text user_id,
    rwd_api__step *step)
{
    struct rwd_engine *engine = call->api->options.engine;
    struct rwd_clock clock = rwd_engine_clock(engine);
    struct rwd_input *input = &batch->inputs[0];
    RWD_REQUIRE(batch->count == 1);
    if (user_id.size > 0) {
        input->user_fingerprint = rwd_fingerprint(rwd_engine_fingerprint_key(engine), user_id);
        batch->shard = rwd_engine_shard_of(engine, input->user_fingerprint);
    } else {
        batch->shard = 0;
    }
    input->origin = call;
    batch->posted_ns = rwd_clock_monotonic_ns(&clock);
    call->step = step;
    if (rwd_engine_submit(engine, batch) != RWD_OK) {
        rwd_batch_destroy(batch);
        rwd_api__answer_problem(call, 503, "too many commands wait already; send it again");
    }
}

void rwd_api_batch_home(struct rwd_api *api, struct rwd_batch *batch)
{
    RWD_REQUIRE(batch->count == 1);
    struct rwd_api__call *call = batch->inputs[0].origin;
    RWD_REQUIRE(call != NULL && call->api == api);
    call->batch = batch;
    call->step(call);
}

/* ---- reading ---- */

struct rwd_text rwd_api__actor(const struct rwd_api__call *call)
{
    struct rwd_text named = rwd_http_request_header(call->request, "x-actor");
    return named.data != NULL ? named : RWD_TEXT("api");
}

bool rwd_api__actor_is_good(const struct rwd_api__call *call)
{
    struct rwd_text actor = rwd_api__actor(call);
    bool good = actor.size > 0 && actor.size <= RWD_API_ACTOR_SIZE_MAX;
    for (size_t i = 0; i < actor.size && good; i++) {
        good = actor.data[i] >= ' ' && actor.data[i] <= '~';
    }
    return good;
}

void *rwd_api__alloc(struct rwd_api__call *call, size_t size)
{
    /* Bounded by the request it came in, which is far below the arena's limit. */
    void *memory = rwd_arena_alloc(&call->arena, size);
    RWD_REQUIRE(memory != NULL);
    memset(memory, 0, size);
    return memory;
}

struct rwd_text rwd_api__keep(struct rwd_inquiry *inquiry, struct rwd_text text)
{
    return text.size > 0 ? rwd_inquiry_text(inquiry, text) : (struct rwd_text){0};
}

static bool is_listed(const char *const *names, struct rwd_text key)
{
    for (; *names != NULL; names++) {
        if (rwd_text_is(key, *names)) {
            return true;
        }
    }
    return false;
}

bool rwd_api__read_object(
    struct rwd_api__call *call, const char *const *names, struct rwd_json *json)
{
    static const struct rwd_json_limits limits = {
        BODY_DEPTH_MAX, BODY_NODE_COUNT_MAX, BODY_SIZE_MAX};
    struct rwd_text body = rwd_http_request_body(call->request);
    body = body.size > 0 ? body : RWD_TEXT("{}");
    struct rwd_json_fault fault;
    size_t consumed = 0;
    enum rwd_status status = rwd_json_scan(body, &limits, &call->arena, json, &consumed, &fault);
    if (status != RWD_OK || consumed != body.size) {
        rwd_api__answer_problem(call, status == RWD_LIMIT ? 413 : 400,
            "the body is not one JSON object: %s at byte %zu",
            status != RWD_OK ? fault.detail : "something follows it",
            status != RWD_OK ? fault.offset : consumed);
        return false;
    }
    const struct rwd_json_node *object = &json->nodes[0];
    if (object->type != RWD_JSON_OBJECT) {
        rwd_api__answer_problem(call, 400, "the body is not a JSON object");
        return false;
    }
    for (const struct rwd_json_node *node = rwd_json_first(json, object);
         node != NULL && names != NULL; node = rwd_json_next(json, object, node)) {
        if (!is_listed(names, rwd_json_key(node))) {
            rwd_api__answer_problem(call, 400, "/%.*s is not a member this call knows",
                (int)(node->key_size < 64 ? node->key_size : 64), node->key);
            return false;
        }
    }
    return true;
}

bool rwd_api__read_text(struct rwd_api__call *call, const struct rwd_json *json, const char *name,
    size_t size_max, struct rwd_text *text)
{
    const struct rwd_json_node *node = rwd_json_member(json, &json->nodes[0], rwd_text_of(name));
    *text = (struct rwd_text){0};
    if (node == NULL || node->type == RWD_JSON_NULL) {
        return true;
    }
    if (node->type != RWD_JSON_STRING || node->size > size_max) {
        rwd_api__answer_problem(
            call, 400, "/%s must be a string of at most %zu bytes", name, size_max);
        return false;
    }
    *text = rwd_json_text(node);
    return true;
}

/* Blanks are no reason. */
static bool says_something(struct rwd_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] > ' ') {
            return true;
        }
    }
    return false;
}

bool rwd_api__read_reason(struct rwd_api__call *call)
{
    static const char *const names[] = {"reason", NULL};
    struct rwd_json json;
    if (!rwd_api__read_object(call, names, &json) ||
        !rwd_api__read_text(call, &json, "reason", RWD_API_REASON_SIZE_MAX, &call->reason)) {
        return false;
    }
    if (!says_something(call->reason)) {
        rwd_api__answer_problem(
            call, 400, "/reason is missing: say in a few words why, it is kept with the action");
        return false;
    }
    return true;
}

struct rwd_text rwd_api__query(
    struct rwd_api__call *call, struct rwd_inquiry *inquiry, const char *name)
{
    return rwd_api__keep(inquiry, rwd_http_request_query(call->request, name));
}

bool rwd_api__read_page(struct rwd_api__call *call, struct rwd_inquiry *inquiry)
{
    struct rwd_text limit = rwd_http_request_query(call->request, "limit");
    uint64_t count = 0;
    if (limit.data != NULL && (!rwd_text_to_u64(limit, &count) || count < 1 || count > 500)) {
        rwd_inquiry_destroy(inquiry);
        rwd_api__answer_problem(call, 400, "limit must be a number from 1 to 500");
        return false;
    }
    inquiry->filter.limit = (size_t)count;
    inquiry->filter.cursor = rwd_api__query(call, inquiry, "cursor");
    return true;
}
