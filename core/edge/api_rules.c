/* Rules: every question and command goes to the keeper, who owns them. Their life: api_rule_life.
 */
#include "edge/api_call.h"
#include "transport/http_reader.h"

enum { SOURCE_SIZE_MAX = 1 << 20 };

void rwd_api__list_rules(struct rwd_api__call *call)
{
    rwd_api__ask(call, rwd_api__inquiry(call, RWD_INQUIRY_RULES), rwd_api__answer_inquiry);
}

void rwd_api__get_rule(struct rwd_api__call *call)
{
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_RULE);
    inquiry->id = rwd_api__keep(inquiry, call->parameters[0]);
    rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
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
