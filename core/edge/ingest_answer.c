#include "edge/ingest_answer.h"

#include "transport/http_server.h"

#include <string.h>
#include <strings.h>

static const char json_type[] = "application/json";

void rwd_ingest_count(struct rwd_ingest_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        enum rwd_outcome outcome = answer->inputs[i]->outcome;
        answer->accepted += outcome == RWD_OUTCOME_ACCEPTED;
        answer->duplicates += outcome == RWD_OUTCOME_DUPLICATE;
        answer->rejected += outcome == RWD_OUTCOME_REJECTED;
    }
}

bool rwd_ingest_wants_minimal(const struct rwd_http_request *request)
{
    static const char wanted[] = "return=minimal";
    struct rwd_text prefer = rwd_http_request_header(request, "prefer");
    for (size_t at = 0; at + sizeof wanted - 1 <= prefer.size; at++) {
        if (strncasecmp(prefer.data + at, wanted, sizeof wanted - 1) == 0) {
            return true;
        }
    }
    return false;
}

static void put_problem(const struct rwd_problem *problem, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out,
        ",\"problem\":{\"type\":\"%s\",\"title\":\"event rejected\",\"status\":422,\"detail\":",
        problem->type);
    rwd_buffer_put_json(out, rwd_text_of(problem->detail));
    rwd_buffer_put_string(out, ",\"errors\":[{\"pointer\":");
    rwd_buffer_put_json(out, rwd_text_of(problem->pointer));
    rwd_buffer_put_string(out, ",\"detail\":");
    rwd_buffer_put_json(out, rwd_text_of(problem->detail));
    rwd_buffer_put_string(out, "}]}");
}

static void put_decision(const struct rwd_ingest_answer *answer,
    const struct rwd_decision *decision, struct rwd_buffer *out)
{
    bool first = true;
    rwd_buffer_put_string(out, ",\"points\":[");
    for (size_t i = 0; i < decision->effect_count; i++) {
        const struct rwd_rule_effect *effect = &decision->effects[i];
        const struct rwd_directory_entry *entry =
            rwd_directory_version(answer->directory, effect->version_no);
        if (effect->points == 0 || entry == NULL) {
            continue;
        }
        rwd_buffer_put_string(out, first ? "{\"rule_id\":\"" : ",{\"rule_id\":\"");
        first = false;
        rwd_buffer_put_string(out, entry->rule_id);
        rwd_buffer_put_string(out, "\",\"version\":\"");
        rwd_buffer_put_string(out, entry->version);
        rwd_buffer_put_string(out, "\",\"points\":");
        rwd_buffer_put_u64(out, effect->points);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_string(out, "],\"reward_tasks\":[");
    for (size_t i = 0; i < decision->task_count; i++) {
        char task_id[RWD_TASK_ID_TEXT_SIZE];
        rwd_task_id_format(decision->tasks[i].id, task_id);
        rwd_buffer_put_string(out, i == 0 ? "\"" : ",\"");
        rwd_buffer_put_string(out, task_id);
        rwd_buffer_put_char(out, '"');
    }
    rwd_buffer_put_char(out, ']');
}

void rwd_ingest_put_result(
    const struct rwd_ingest_answer *answer, const struct rwd_input *input, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, "{\"event_id\":");
    if (input->event.event_id.data != NULL) {
        rwd_buffer_put_json(out, input->event.event_id);
    } else {
        rwd_buffer_put_string(out, "null");
    }
    switch (input->outcome) {
    case RWD_OUTCOME_ACCEPTED:
        rwd_buffer_put_string(out, ",\"status\":\"accepted\"");
        put_decision(answer, &input->decision, out);
        break;
    case RWD_OUTCOME_DUPLICATE:
        rwd_buffer_put_string(out, ",\"status\":\"duplicate\",\"points\":[],\"reward_tasks\":[]");
        break;
    case RWD_OUTCOME_NONE:
    case RWD_OUTCOME_FAILED:
    case RWD_OUTCOME_REJECTED:
        rwd_buffer_put_string(out, ",\"status\":\"rejected\",\"points\":[],\"reward_tasks\":[]");
        put_problem(input->problem, out);
        break;
    }
    rwd_buffer_put_char(out, '}');
}

/* Were all of them refused, and for that reason? */
static bool all_refused_as(const struct rwd_ingest_answer *answer, const char *type)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->inputs[i]->outcome != RWD_OUTCOME_REJECTED ||
            strcmp(answer->inputs[i]->problem->type, type) != 0) {
            return false;
        }
    }
    return true;
}

void rwd_ingest_respond(const struct rwd_ingest_answer *answer, struct rwd_http_request *request,
    struct rwd_buffer *scratch)
{
    if (answer->count == 0) {
        rwd_http_respond_problem(request, 400, NULL, "the body holds no event");
        return;
    }
    if (answer->rejected == answer->count && all_refused_as(answer, "busy")) {
        rwd_http_respond_problem(
            request, 503, "Retry-After: 1\r\n", "the engine is full; send the events again");
        return;
    }
    if (answer->rejected == answer->count && all_refused_as(answer, "invalid_json")) {
        rwd_http_respond_problem(request, 400, NULL, answer->inputs[0]->problem->detail);
        return;
    }
    if (answer->is_single && answer->rejected == 1 && all_refused_as(answer, "limit")) {
        rwd_http_respond_problem(request, 413, NULL, answer->inputs[0]->problem->detail);
        return;
    }
    rwd_buffer_put_string(scratch, "{\"accepted\":");
    rwd_buffer_put_u64(scratch, answer->accepted);
    rwd_buffer_put_string(scratch, ",\"duplicates\":");
    rwd_buffer_put_u64(scratch, answer->duplicates);
    rwd_buffer_put_string(scratch, ",\"rejected\":");
    rwd_buffer_put_u64(scratch, answer->rejected);
    rwd_buffer_put_string(scratch, ",\"results\":[");
    bool first = true;
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->minimal && answer->inputs[i]->outcome != RWD_OUTCOME_REJECTED) {
            continue;
        }
        if (!first) {
            rwd_buffer_put_char(scratch, ',');
        }
        first = false;
        rwd_ingest_put_result(answer, answer->inputs[i], scratch);
    }
    rwd_buffer_put_string(scratch, "]}");
    rwd_http_respond(request, 200, json_type,
        answer->minimal ? "Preference-Applied: return=minimal\r\n" : NULL,
        rwd_buffer_text(scratch));
}

void rwd_ingest_respond_player(const struct rwd_input *input, struct rwd_http_request *request)
{
    if (input->outcome == RWD_OUTCOME_ACCEPTED) {
        rwd_http_respond(request, 200, json_type, NULL, input->json);
    } else {
        rwd_http_respond_problem(request, input->status == RWD_NOT_FOUND ? 404 : 503,
            input->status == RWD_NOT_FOUND ? NULL : "Retry-After: 1\r\n", input->error->text);
    }
}
