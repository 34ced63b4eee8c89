#include "edge/api.h"

#include "base/check.h"
#include "base/memory.h"
#include "edge/api_call.h"

#include <stdio.h>
#include <string.h>

enum { CALL_CHUNK_SIZE = 4096, CALL_SIZE_MAX = 32 << 20 };

/* Every path and method of the daemon. handler NULL: the caller's own. Those that read or write
 * rules ask the keeper, those that read the store the query thread, those on experiments their
 * follower, commands go to a shard. */
static const struct {
    enum rwd_http_method method;
    const char *pattern;
    rwd_api__step *handler;
} routes[] = {
    {RWD_HTTP_POST, "/v1/events", NULL},
    {RWD_HTTP_GET, "/v1/players/{id}", NULL},
    {RWD_HTTP_GET, "/v1/players/{id}/decisions", rwd_api__list_decisions},
    {RWD_HTTP_GET, "/v1/decisions/{event_id}", rwd_api__get_decision},
    {RWD_HTTP_GET, "/v1/reward-tasks", rwd_api__list_tasks},
    {RWD_HTTP_GET, "/v1/reward-tasks/{id}", rwd_api__get_task},
    {RWD_HTTP_POST, "/v1/reward-tasks/{id}/approve", rwd_api__approve_task},
    {RWD_HTTP_POST, "/v1/reward-tasks/{id}/reject", rwd_api__reject_task},
    {RWD_HTTP_GET, "/v1/budgets", rwd_api__list_budgets},
    {RWD_HTTP_GET, "/v1/budgets/{pool}", rwd_api__get_budget},
    {RWD_HTTP_PUT, "/v1/budgets/{pool}", rwd_api__put_budget},
    {RWD_HTTP_GET, "/v1/ledger", rwd_api__list_ledger},
    {RWD_HTTP_GET, "/v1/dead-letters", rwd_api__list_letters},
    {RWD_HTTP_GET, "/v1/dead-letters/{id}", rwd_api__get_letter},
    {RWD_HTTP_PUT, "/v1/dead-letters/{id}", rwd_api__put_letter},
    {RWD_HTTP_POST, "/v1/dead-letters/{id}/reprocess", rwd_api__reprocess_letter},
    {RWD_HTTP_POST, "/v1/dead-letters/{id}/drop", rwd_api__drop_letter},
    {RWD_HTTP_GET, "/v1/rules", rwd_api__list_rules},
    {RWD_HTTP_POST, "/v1/rules", rwd_api__upload_rule},
    {RWD_HTTP_GET, "/v1/rules/{id}", rwd_api__get_rule},
    {RWD_HTTP_POST, "/v1/rules/{id}/rollback", rwd_api__rollback_rule},
    {RWD_HTTP_POST, "/v1/rules/{id}/versions/{v}/shadow", rwd_api__shadow_rule},
    {RWD_HTTP_POST, "/v1/rules/{id}/versions/{v}/ramp", rwd_api__ramp_rule},
    {RWD_HTTP_POST, "/v1/deploys", rwd_api__deploy_rules},
    {RWD_HTTP_POST, "/v1/rules/{id}/versions/{v}/activate", rwd_api__activate_rule},
    {RWD_HTTP_POST, "/v1/rules/{id}/versions/{v}/retire", rwd_api__retire_rule},
    {RWD_HTTP_GET, "/v1/experiments", rwd_api__list_experiments},
    {RWD_HTTP_GET, "/v1/experiments/{key}/results", rwd_api__get_experiment_results},
    {RWD_HTTP_GET, "/healthz", rwd_api__health},
    {RWD_HTTP_GET, "/readyz", rwd_api__ready},
    {RWD_HTTP_GET, "/metrics", rwd_api__metrics},
    {RWD_HTTP_GET, "/openapi.json", rwd_api__openapi},
};
enum { ROUTE_COUNT = sizeof routes / sizeof routes[0] };

size_t rwd_api_route_count(void)
{
    return ROUTE_COUNT;
}

struct rwd_api_route rwd_api_route(size_t index)
{
    RWD_REQUIRE(index < ROUTE_COUNT);
    return (struct rwd_api_route){routes[index].method, routes[index].pattern};
}

const char *rwd_api_method_name(enum rwd_http_method method)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
    return (unsigned)method < sizeof names / sizeof names[0] ? names[method] : "UNKNOWN";
}

struct rwd_api *rwd_api_create(const struct rwd_api_options *options)
{
    struct rwd_api *api = rwd_new(sizeof *api);
    api->options = *options;
    return api;
}

void rwd_api_destroy(struct rwd_api *api)
{
    if (api != NULL) {
        rwd_api__letters_destroy(api);
        rwd_free(api);
    }
}

size_t rwd_api_open_count(const struct rwd_api *api)
{
    return api->open_count;
}

/* ---- routing ---- */

/* The next segment of a pattern; false at its end. */
static bool next_segment(const char **at, struct rwd_text *segment)
{
    if (**at != '/') {
        return false;
    }
    const char *begin = *at + 1;
    size_t size = strcspn(begin, "/");
    *segment = (struct rwd_text){.data = begin, .size = size};
    *at = begin + size;
    return true;
}

/* {names} take any segment but an empty one. */
static bool matches(const char *pattern, const struct rwd_http_request *request,
    struct rwd_text parameters[RWD_API_PARAMETER_COUNT_MAX])
{
    size_t count = rwd_http_request_segment_count(request);
    size_t parameter = 0;
    size_t index = 0;
    struct rwd_text expected;
    while (next_segment(&pattern, &expected)) {
        if (index == count) {
            return false;
        }
        struct rwd_text found = rwd_http_request_segment(request, index++);
        if (expected.size > 0 && expected.data[0] == '{') {
            if (found.size == 0) {
                return false;
            }
            parameters[parameter++] = found;
        } else if (!rwd_text_equal(expected, found)) {
            return false;
        }
    }
    return index == count;
}

static void refuse_method(struct rwd_http_request *request, const bool *allowed)
{
    struct rwd_buffer lines = {0};
    rwd_buffer_put_string(&lines, "Allow:");
    const char *separator = " ";
    for (int method = RWD_HTTP_GET; method <= RWD_HTTP_DELETE; method++) {
        if (allowed[method]) {
            rwd_buffer_put_format(
                &lines, "%s%s", separator, rwd_api_method_name((enum rwd_http_method)method));
            separator = ", ";
        }
    }
    rwd_buffer_put_string(&lines, "\r\n");
    char detail[128];
    (void)snprintf(detail, sizeof detail, "%s is not a method of this path",
        rwd_api_method_name(rwd_http_request_method(request)));
    rwd_http_respond_problem(request, 405, rwd_buffer_c_string(&lines), detail);
    rwd_buffer_finish(&lines);
}

static void begin_call(struct rwd_api *api, struct rwd_http_request *request,
    rwd_api__step *handler, const struct rwd_text parameters[RWD_API_PARAMETER_COUNT_MAX])
{
    struct rwd_api__call *call = rwd_new(sizeof *call);
    call->api = api;
    call->request = request;
    call->answer_status = 200;
    memcpy(call->parameters, parameters, sizeof call->parameters);
    rwd_arena_init(&call->arena, CALL_CHUNK_SIZE, CALL_SIZE_MAX);
    api->open_count++;
    if (rwd_api__actor_is_good(call)) {
        handler(call);
    } else {
        rwd_api__answer_problem(call, 400,
            "X-Actor must be 1 to %d printable ASCII characters: who asks for it, for the journal",
            RWD_API_ACTOR_SIZE_MAX);
    }
}

bool rwd_api_handle(struct rwd_api *api, struct rwd_http_request *request)
{
    enum rwd_http_method method = rwd_http_request_method(request);
    bool allowed[RWD_HTTP_DELETE + 1] = {false};
    bool known = false;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        struct rwd_text parameters[RWD_API_PARAMETER_COUNT_MAX] = {{0}};
        if (!matches(routes[i].pattern, request, parameters)) {
            continue;
        }
        bool head = method == RWD_HTTP_HEAD && routes[i].method == RWD_HTTP_GET;
        if (routes[i].method == method || head) {
            if (routes[i].handler == NULL) {
                return false;
            }
            begin_call(api, request, routes[i].handler, parameters);
            return true;
        }
        known = true;
        allowed[routes[i].method] = true;
        allowed[RWD_HTTP_HEAD] |= routes[i].method == RWD_HTTP_GET;
    }
    if (known) {
        refuse_method(request, allowed);
    } else {
        rwd_http_respond_problem(
            request, 404, NULL, "there is nothing at this path; GET /openapi.json lists all paths");
    }
    return true;
}

/* ---- health ---- */

void rwd_api__health(struct rwd_api__call *call)
{
    rwd_api__answer_json(
        call, 200, RWD_TEXT("{\"status\":\"alive\",\"version\":\"" RWD_VERSION "\"}"));
}

void rwd_api__ready(struct rwd_api__call *call)
{
    const struct rwd_engine *engine = call->api->options.engine;
    const char *refusal = rwd_engine_refusal(engine);
    if (refusal == NULL && !rwd_engine_is_ready(engine)) {
        refusal = "starting";
    }
    if (refusal == NULL) {
        rwd_api__answer_json(call, 200, RWD_TEXT("{\"status\":\"ready\"}"));
    } else {
        rwd_api__answer_problem(call, 503, "no events can be taken just now: %s", refusal);
    }
}

void rwd_api__openapi(struct rwd_api__call *call)
{
    rwd_api__answer_json(call, 200, rwd_api_openapi());
}
