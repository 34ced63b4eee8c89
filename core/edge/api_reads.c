/* Lists and single things that the query thread or the keeper answers whole. */
#include "edge/api_call.h"

void rwd_api__list_decisions(struct rwd_api__call *call)
{
    if (call->parameters[0].size > RWD_USER_ID_SIZE_MAX) {
        rwd_api__answer_problem(call, 400, "a user id has at most %d bytes", RWD_USER_ID_SIZE_MAX);
        return;
    }
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_DECISIONS);
    inquiry->filter.user_id = rwd_api__keep(inquiry, call->parameters[0]);
    if (rwd_api__read_page(call, inquiry)) {
        rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
    }
}

void rwd_api__get_decision(struct rwd_api__call *call)
{
    if (call->parameters[0].size > RWD_EVENT_ID_SIZE_MAX) {
        rwd_api__answer_problem(
            call, 400, "an event id has at most %d bytes", RWD_EVENT_ID_SIZE_MAX);
        return;
    }
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_DECISION);
    inquiry->id = rwd_api__keep(inquiry, call->parameters[0]);
    inquiry->filter.user_id = rwd_api__query(call, inquiry, "user_id");
    rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
}

void rwd_api__list_tasks(struct rwd_api__call *call)
{
    struct rwd_text name = rwd_http_request_query(call->request, "status");
    enum rwd_task_status status;
    if (name.size > 0 && rwd_task_status_parse(name, &status) != RWD_OK) {
        rwd_api__answer_problem(call, 400,
            "status must be pending, held, dispatching, succeeded, failed, denied, expired or "
            "cancelled");
        return;
    }
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_TASKS);
    inquiry->filter.status = rwd_api__query(call, inquiry, "status");
    inquiry->filter.user_id = rwd_api__query(call, inquiry, "user_id");
    inquiry->filter.rule_id = rwd_api__query(call, inquiry, "rule_id");
    inquiry->filter.pool_id = rwd_api__query(call, inquiry, "pool_id");
    inquiry->filter.reason = rwd_api__query(call, inquiry, "reason");
    if (rwd_api__read_page(call, inquiry)) {
        rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
    }
}

void rwd_api__list_ledger(struct rwd_api__call *call)
{
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_LEDGER);
    inquiry->filter.user_id = rwd_api__query(call, inquiry, "user_id");
    inquiry->filter.pool_id = rwd_api__query(call, inquiry, "pool_id");
    inquiry->filter.rule_id = rwd_api__query(call, inquiry, "rule_id");
    if (rwd_api__read_page(call, inquiry)) {
        rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
    }
}
