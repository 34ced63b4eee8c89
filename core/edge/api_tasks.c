/* Reward tasks: one of them, and what people may do to it. */
#include "edge/api_call.h"

#include "engine/query_text.h"
#include "engine/task_text.h"

static void look_at_task(struct rwd_api__call *call, rwd_api__step *step)
{
    struct rwd_task_id id;
    if (rwd_task_id_parse(call->parameters[0], &id) != RWD_OK) {
        rwd_api__answer_problem(
            call, 404, "there is no such reward task: an id is rt_ and 32 hex digits");
        return;
    }
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_TASK);
    inquiry->id = rwd_api__keep(inquiry, call->parameters[0]);
    rwd_api__ask(call, inquiry, step);
}

void rwd_api__get_task(struct rwd_api__call *call)
{
    look_at_task(call, rwd_api__answer_inquiry);
}

/* The task as the shard left it: newer than what the store has. */
static void put_task(const struct rwd_api__call *call, const struct rwd_task *task,
    struct rwd_text user_id, struct rwd_buffer *out)
{
    const struct rwd_engine *engine = call->api->options.engine;
    const struct rwd_directory_entry *entry =
        rwd_directory_version(rwd_engine_directory(engine), task->version_no);
    const struct rwd_pool_terms *terms = rwd_pool_terms(rwd_engine_pools(engine), task->pool_no);
    struct rwd_buffer reward = {0};
    char id[RWD_TASK_ID_TEXT_SIZE];
    rwd_task_id_format(task->id, id);
    rwd_reward_put_json(&task->reward, &reward);
    const struct rwd_task_row row = {
        .task_id = rwd_text_of(id),
        .user_id = user_id,
        .rule_id = rwd_text_of(entry != NULL ? entry->rule_id : ""),
        .version = rwd_text_of(entry != NULL ? entry->version : ""),
        .content_hash = rwd_text_of(entry != NULL ? entry->content_hash : ""),
        .threshold = task->threshold,
        .event_id = rwd_text_of(task->event_id),
        .schema_id = rwd_text_of(task->schema_id),
        .experiment =
            rwd_directory_experiment(rwd_engine_directory(engine), task->experiment_version_no),
        .arm = rwd_text_of(task->arm),
        .reward = rwd_buffer_text(&reward),
        .pool_id = rwd_text_of(terms != NULL ? terms->id : ""),
        .cost_minor = task->reward.cost.minor,
        .currency = rwd_text_of(task->reward.cost.currency.code),
        .status = rwd_text_of(rwd_task_status_name(task->status)),
        .reason = rwd_text_of(rwd_task_reason_name(task->reason)),
        .attempts = task->attempts,
        .next_attempt_ms = task->next_attempt_ms,
        .payout_id = rwd_text_of(task->payout_id),
        .created_ms = task->created_ms,
        .updated_ms = task->updated_ms,
    };
    rwd_query__put_task(&row, NULL, 0, out);
    rwd_buffer_finish(&reward);
}

static void command_done(struct rwd_api__call *call)
{
    const struct rwd_input *input = &call->batch->inputs[0];
    const struct rwd_inquiry *inquiry = call->inquiry;
    if (input->outcome == RWD_OUTCOME_FAILED && input->status == RWD_NOT_FOUND) {
        /* The store knows it, its player does not: it is settled and has been written away. */
        rwd_api__answer_problem(call, 409, "%.*s is %s: it takes no %s", RWD_TEXT_ARGS(inquiry->id),
            rwd_task_status_name(inquiry->task.status), rwd_task_command_name(call->command));
    } else if (input->outcome == RWD_OUTCOME_FAILED) {
        rwd_api__answer_failure(call, input->status, input->error);
    } else {
        struct rwd_buffer json = {0};
        put_task(call, input->task, inquiry->user_id, &json);
        rwd_api__answer_json(call, 200, rwd_buffer_text(&json));
        rwd_buffer_finish(&json);
    }
}

static void send_command(struct rwd_api__call *call)
{
    const struct rwd_inquiry *inquiry = call->inquiry;
    struct rwd_task_command *command = rwd_api__alloc(call, sizeof *command);
    command->kind = call->command;
    command->id = inquiry->task.id;
    command->user_id = inquiry->user_id;
    command->actor = rwd_api__actor(call);
    command->note = call->reason;
    struct rwd_batch *batch = rwd_api__batch(call);
    rwd_batch_add(batch, RWD_INPUT_TASK)->command = command;
    rwd_api__submit(call, batch, inquiry->user_id, command_done);
}

static void command_task(struct rwd_api__call *call, enum rwd_task_command_kind kind)
{
    call->command = kind;
    if (rwd_api__can_write(call) && rwd_api__read_reason(call)) {
        look_at_task(call, send_command);
    }
}

void rwd_api__approve_task(struct rwd_api__call *call)
{
    command_task(call, RWD_TASK_APPROVE);
}

void rwd_api__reject_task(struct rwd_api__call *call)
{
    command_task(call, RWD_TASK_REJECT);
}
