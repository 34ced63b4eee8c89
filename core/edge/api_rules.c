/* Rules: every question and command goes to the keeper, who owns them. */
#include "base/check.h"
#include "edge/api_call.h"
#include "transport/http_reader.h"

enum { SOURCE_SIZE_MAX = 1 << 20 };

/* What the keeper says, and beside it what the shards have counted since the start. */
static void answer_with_health(struct rwd_api__call *call)
{
    struct rwd_buffer *json = &call->inquiry->json;
    RWD_REQUIRE(json->size > 0 && json->data[json->size - 1] == '}');
    json->size--;
    rwd_buffer_put_string(json, ",\"health\":");
    rwd_engine_put_rule_health(call->api->options.engine, call->parameters[0], json);
    rwd_buffer_put_char(json, '}');
    rwd_api__answer_inquiry(call);
}

void rwd_api__list_rules(struct rwd_api__call *call)
{
    rwd_api__ask(call, rwd_api__inquiry(call, RWD_INQUIRY_RULES), answer_with_health);
}

void rwd_api__get_rule(struct rwd_api__call *call)
{
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_RULE);
    inquiry->id = rwd_api__keep(inquiry, call->parameters[0]);
    rwd_api__ask(call, inquiry, answer_with_health);
}

/* The Lua text itself, or {"source":"..."}. False, and answered: neither. */
static bool read_source(struct rwd_api__call *call, struct rwd_text *source)
{
    struct rwd_text type = rwd_http_request_content_type(call->request);
    if (rwd_http_text_is(type, "text/x-lua") || rwd_http_text_is(type, "application/x-lua")) {
        *source = rwd_http_request_body(call->request);
    } else if (rwd_http_text_is(type, "application/json")) {
        static const char *const names[] = {"source", "reason", NULL};
        struct rwd_json json;
        if (!rwd_api__read_object(call, names, &json) ||
            !rwd_api__read_text(call, &json, "source", SOURCE_SIZE_MAX, source) ||
            !rwd_api__read_text(call, &json, "reason", RWD_API_REASON_SIZE_MAX, &call->reason)) {
            return false;
        }
    } else {
        rwd_api__answer_problem(
            call, 415, "a rule is sent as text/x-lua, or as application/json {\"source\":\"...\"}");
        return false;
    }
    if (source->size == 0 || source->size > SOURCE_SIZE_MAX) {
        rwd_api__answer_problem(call, source->size == 0 ? 400 : 413,
            "a rule's source has 1 to %d bytes", SOURCE_SIZE_MAX);
        return false;
    }
    return true;
}

void rwd_api__upload_rule(struct rwd_api__call *call)
{
    struct rwd_text source = {0};
    if (!rwd_api__can_write(call) || !read_source(call, &source)) {
        return;
    }
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_RULE_UPLOAD);
    inquiry->body = rwd_api__keep(inquiry, source);
    inquiry->reason = rwd_api__keep(inquiry, call->reason);
    call->answer_status = 201;
    rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
}

/* A whole number of per cent; what is not there is all. */
static bool read_share(struct rwd_api__call *call, const struct rwd_json *json, uint32_t *share)
{
    const struct rwd_json_node *node = rwd_json_member(json, &json->nodes[0], RWD_TEXT("share"));
    int64_t value = 100;
    if (node != NULL && (node->type != RWD_JSON_NUMBER || !rwd_json_integer(node, &value) ||
                            value < 1 || value > 100)) {
        rwd_api__answer_problem(call, 400,
            "/share must be a whole number from 1 to 100, the per cent of players who get the "
            "version");
        return false;
    }
    *share = (uint32_t)value;
    return true;
}

static void change_rule(struct rwd_api__call *call, enum rwd_inquiry_kind kind, bool has_share)
{
    static const char *const with_share[] = {"share", "reason", NULL};
    struct rwd_json json;
    uint32_t share = 100;
    if (!rwd_api__can_write(call) ||
        !rwd_api__read_object(call, has_share ? with_share : with_share + 1, &json) ||
        !rwd_api__read_text(call, &json, "reason", RWD_API_REASON_SIZE_MAX, &call->reason) ||
        (has_share && !read_share(call, &json, &share))) {
        return;
    }
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, kind);
    inquiry->id = rwd_api__keep(inquiry, call->parameters[0]);
    inquiry->version = rwd_api__keep(inquiry, call->parameters[1]);
    inquiry->reason = rwd_api__keep(inquiry, call->reason);
    inquiry->share = share;
    rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
}

void rwd_api__activate_rule(struct rwd_api__call *call)
{
    change_rule(call, RWD_INQUIRY_RULE_ACTIVATE, true);
}

void rwd_api__retire_rule(struct rwd_api__call *call)
{
    change_rule(call, RWD_INQUIRY_RULE_RETIRE, false);
}

void rwd_api__rollback_rule(struct rwd_api__call *call)
{
    change_rule(call, RWD_INQUIRY_RULE_ROLLBACK, false);
}
