/*
 * Dead letters: look, fix, drop, send in again.
 *
 * An action reads the letter from the store, does its work, journals the letter's new state, and
 * answers with it. The store shows that state one checkpoint later; until then it is remembered
 * here, and an action holds its letter, so whoever comes second sees what the first one did. A
 * remembered letter is forgotten once the projector has passed its record.
 */
#include "edge/api_call.h"

#include "base/check.h"
#include "base/memory.h"
#include "engine/query_text.h"
#include "engine/records.h"
#include "transport/http_answer.h"

#include <stdio.h>
#include <string.h>

enum {
    LETTER_COUNT_MAX = 1024,
    LETTER_SIZE_MAX = 64 << 20,
    /* Of a letter's own words; the trail of actions is added behind them. */
    DETAIL_SIZE_MAX = 2048,
};

struct rwd_api__letter {
    char id[sizeof((struct rwd_api__call *)0)->letter_id];
    bool busy;             /* a call holds it */
    uint64_t position;     /* of the record that changed it */
    int64_t updated_ms;    /* of row */
    struct rwd_buffer row; /* encoded; empty: the store has it all */
};

/* ---- what the store may not have yet ---- */

static struct rwd_api__letter *find(struct rwd_api *api, struct rwd_text id)
{
    for (size_t i = 0; i < api->letter_count; i++) {
        if (rwd_text_is(id, api->letters[i].id)) {
            return &api->letters[i];
        }
    }
    return NULL;
}

static void forget(struct rwd_api *api, struct rwd_api__letter *letter)
{
    api->letter_size -= letter->row.size;
    rwd_buffer_finish(&letter->row);
    *letter = api->letters[--api->letter_count];
}

/* A letter that a call holds stays: its call has asked the store before the checkpoint came. */
static void forget_stored(struct rwd_api *api)
{
    const struct rwd_projector_metrics *projector =
        rwd_engine_projector_metrics(api->options.engine);
    uint64_t stored = rwd_counted(&projector->position);
    for (size_t i = api->letter_count; i > 0; i--) {
        struct rwd_api__letter *letter = &api->letters[i - 1];
        if (!letter->busy && letter->position < stored) {
            forget(api, letter);
        }
    }
}

void rwd_api__letters_destroy(struct rwd_api *api)
{
    while (api->letter_count > 0) {
        forget(api, &api->letters[api->letter_count - 1]);
    }
    rwd_free(api->letters);
}

/* The letter is this call's until it ends. False, and answered: it cannot be. */
static bool hold(struct rwd_api__call *call)
{
    struct rwd_api *api = call->api;
    struct rwd_text id = call->parameters[0];
    if (id.size >= sizeof call->letter_id) {
        rwd_api__answer_problem(call, 404, "there is no such dead letter");
        return false;
    }
    forget_stored(api);
    struct rwd_api__letter *letter = find(api, id);
    if (letter != NULL && letter->busy) {
        rwd_api__answer_problem(call, 409, "another action on this dead letter is under way");
        return false;
    }
    if (letter == NULL) {
        if (api->letter_count == LETTER_COUNT_MAX || api->letter_size > LETTER_SIZE_MAX) {
            rwd_api__answer_problem(
                call, 503, "too many changed dead letters wait for the store; try again");
            return false;
        }
        if (api->letters == NULL) {
            api->letters = rwd_new(LETTER_COUNT_MAX * sizeof api->letters[0]);
        }
        letter = &api->letters[api->letter_count++];
        *letter = (struct rwd_api__letter){0};
        memcpy(letter->id, id.data, id.size);
    }
    letter->busy = true;
    memcpy(call->letter_id, letter->id, sizeof call->letter_id);
    return true;
}

void rwd_api__letter_release(struct rwd_api__call *call)
{
    if (call->letter_id[0] == '\0') {
        return;
    }
    struct rwd_api__letter *letter = find(call->api, rwd_text_of(call->letter_id));
    RWD_REQUIRE(letter != NULL && letter->busy);
    letter->busy = false;
    if (letter->row.size == 0) {
        forget(call->api, letter);
    }
}

static void remember(struct rwd_api__call *call)
{
    struct rwd_api__letter *letter = find(call->api, rwd_text_of(call->letter_id));
    RWD_REQUIRE(letter != NULL);
    call->api->letter_size -= letter->row.size;
    letter->row.size = 0;
    rwd_dead_letter_encode(&call->letter, &letter->row);
    call->api->letter_size += letter->row.size;
    letter->position = call->batch->inputs[0].record.position;
    letter->updated_ms = call->letter.updated_ms;
}

/* call->letter: as the store has it, or as this process left it, whichever is newer. */
static void load(struct rwd_api__call *call)
{
    call->letter = call->inquiry->letter;
    const struct rwd_api__letter *letter = find(call->api, call->inquiry->id);
    if (letter != NULL && letter->row.size > 0 && letter->updated_ms >= call->letter.updated_ms) {
        call->letter_bytes.size = 0;
        rwd_buffer_put_text(&call->letter_bytes, rwd_buffer_text(&letter->row));
        RWD_REQUIRE(
            rwd_dead_letter_decode(rwd_buffer_text(&call->letter_bytes), &call->letter) == RWD_OK);
    }
}

/* ---- reading ---- */

void rwd_api__list_letters(struct rwd_api__call *call)
{
    struct rwd_text lane = rwd_http_request_query(call->request, "lane");
    struct rwd_text status = rwd_http_request_query(call->request, "status");
    if (lane.size > 0 && !rwd_text_is(lane, "events") && !rwd_text_is(lane, "deliveries")) {
        rwd_api__answer_problem(call, 400, "lane must be events or deliveries");
        return;
    }
    if (status.size > 0 && !rwd_text_is(status, "open") && !rwd_text_is(status, "reprocessed") &&
        !rwd_text_is(status, "dropped") && !rwd_text_is(status, "all")) {
        rwd_api__answer_problem(call, 400, "status must be open, reprocessed, dropped or all");
        return;
    }
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_DEAD_LETTERS);
    inquiry->filter.lane = rwd_api__keep(inquiry, lane);
    if (status.size == 0) {
        inquiry->filter.status = RWD_TEXT("open");
    } else if (!rwd_text_is(status, "all")) {
        inquiry->filter.status = rwd_api__keep(inquiry, status);
    }
    inquiry->filter.reason = rwd_api__query(call, inquiry, "reason");
    inquiry->filter.user_id = rwd_api__query(call, inquiry, "user_id");
    if (rwd_api__read_page(call, inquiry)) {
        rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
    }
}

static void answer_letter(struct rwd_api__call *call)
{
    struct rwd_buffer json = {0};
    rwd_query__put_dead_letter(&call->letter, &json);
    rwd_api__answer_json(call, 200, rwd_buffer_text(&json));
    rwd_buffer_finish(&json);
}

static void show(struct rwd_api__call *call)
{
    load(call);
    answer_letter(call);
}

static void look(struct rwd_api__call *call, rwd_api__step *step)
{
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_DEAD_LETTER);
    inquiry->id = rwd_api__keep(inquiry, call->parameters[0]);
    rwd_api__ask(call, inquiry, step);
}

void rwd_api__get_letter(struct rwd_api__call *call)
{
    look(call, show);
}

/* ---- changing ---- */

/* A problem as POST /v1/events gives it for one event, under the status of this call. */
static void answer_refused(struct rwd_api__call *call)
{
    const struct rwd_problem *problem = &call->problem;
    struct rwd_buffer json = {0};
    rwd_buffer_put_string(&json, "{\"type\":");
    rwd_buffer_put_json(&json, rwd_text_of(problem->type));
    rwd_buffer_put_string(
        &json, ",\"title\":\"The event was refused again\",\"status\":422,\"detail\":");
    rwd_buffer_put_json(&json, rwd_text_of(problem->detail));
    rwd_buffer_put_string(&json, ",\"errors\":[{\"pointer\":");
    rwd_buffer_put_json(&json, rwd_text_of(problem->pointer));
    rwd_buffer_put_string(&json, ",\"detail\":");
    rwd_buffer_put_json(&json, rwd_text_of(problem->detail));
    rwd_buffer_put_string(&json, "}],\"dead_letter\":");
    rwd_query__put_dead_letter(&call->letter, &json);
    rwd_buffer_put_char(&json, '}');
    rwd_api__answer_typed(call, 422, "application/problem+json", rwd_buffer_text(&json));
    rwd_buffer_finish(&json);
}

static void changed(struct rwd_api__call *call)
{
    const struct rwd_input *input = &call->batch->inputs[0];
    if (input->outcome == RWD_OUTCOME_FAILED) {
        rwd_api__answer_failure(call, input->status, input->error);
        return;
    }
    remember(call);
    if (call->refused) {
        answer_refused(call);
    } else {
        answer_letter(call);
    }
}

/* Journals the letter as it is in call->letter now, with who did what and why behind its detail:
 * that record is the audit. The player's shard takes it, so that it keeps its order with what else
 * that shard writes about the letter. */
static void change(struct rwd_api__call *call, const char *status, const char *action)
{
    struct rwd_clock clock = rwd_engine_clock(call->api->options.engine);
    struct rwd_dead_letter_row *row = &call->letter;
    struct rwd_text actor = rwd_api__actor(call);
    struct rwd_buffer detail = {0};
    size_t kept = row->detail.size < DETAIL_SIZE_MAX ? row->detail.size : DETAIL_SIZE_MAX;
    rwd_buffer_put_format(&detail, "%.*s%s%s by %.*s%s%.*s", (int)kept,
        kept > 0 ? row->detail.data : "", kept > 0 ? " | " : "", action, RWD_TEXT_ARGS(actor),
        call->reason.size > 0 ? ": " : "", RWD_TEXT_ARGS(call->reason));
    char *copy = rwd_api__alloc(call, detail.size);
    memcpy(copy, detail.data, detail.size);
    row->detail = (struct rwd_text){.data = copy, .size = detail.size};
    rwd_buffer_finish(&detail);
    row->status = rwd_text_of(status);
    row->updated_ms = rwd_clock_wall_ms(&clock);
    struct rwd_batch *batch = rwd_api__batch(call);
    rwd_batch_add(batch, RWD_INPUT_DEAD_LETTER_CHANGE)->dead_letter = row;
    rwd_api__submit(call, batch, row->user_id, changed);
}

/* False, and answered: only an open letter can be acted on. */
static bool is_open(struct rwd_api__call *call)
{
    load(call);
    if (!rwd_text_is(call->letter.status, "open")) {
        rwd_api__answer_problem(
            call, 409, "%s is %.*s already", call->letter_id, RWD_TEXT_ARGS(call->letter.status));
        return false;
    }
    return true;
}

static void act(struct rwd_api__call *call, rwd_api__step *step)
{
    if (rwd_api__can_write(call) && rwd_api__read_reason(call) && hold(call)) {
        look(call, step);
    }
}

static void fix(struct rwd_api__call *call)
{
    if (!is_open(call)) {
        return;
    }
    if (!rwd_text_is(call->letter.lane, "events")) {
        rwd_api__answer_problem(call, 409,
            "%s is a delivery: there is no body to fix, only to send again", call->letter_id);
        return;
    }
    call->letter.body = rwd_http_request_body(call->request);
    change(call, "open", "fixed");
}

void rwd_api__put_letter(struct rwd_api__call *call)
{
    struct rwd_json json;
    if (rwd_http_request_body(call->request).size == 0) {
        rwd_api__answer_problem(call, 400, "the fixed event is missing: send it as the body");
        return;
    }
    if (rwd_api__can_write(call) && rwd_api__read_object(call, NULL, &json) && hold(call)) {
        look(call, fix);
    }
}

/* ---- sending in again ---- */

static void resubmitted(void *context, const struct rwd_resubmitted *result)
{
    struct rwd_api__call *call = context;
    if (result->status != RWD_OK || result->outcome == RWD_OUTCOME_FAILED) {
        rwd_api__answer_failure(
            call, result->status != RWD_OK ? result->status : RWD_UNAVAILABLE, result->error);
        return;
    }
    if (result->problem != NULL && (strcmp(result->problem->type, "busy") == 0 ||
                                       strcmp(result->problem->type, "store_unavailable") == 0)) {
        rwd_api__answer_problem(call, 503, "%s", result->problem->detail);
        return;
    }
    call->letter.attempts++;
    if (result->outcome != RWD_OUTCOME_REJECTED) {
        change(call, "reprocessed",
            result->outcome == RWD_OUTCOME_DUPLICATE ? "reprocessed (a duplicate)" : "reprocessed");
        return;
    }
    RWD_REQUIRE(result->problem != NULL);
    call->refused = true;
    call->problem = *result->problem;
    call->letter.reason = rwd_text_of(call->problem.type);
    call->letter.pointer = rwd_text_of(call->problem.pointer);
    call->letter.detail = rwd_text_of(call->problem.detail);
    change(call, "open", "refused again when reprocessed");
}

/* ---- failed tasks ---- */

static void task_done(struct rwd_api__call *call)
{
    const struct rwd_input *input = &call->batch->inputs[0];
    bool drop = call->command == RWD_TASK_DROP;
    if (input->outcome == RWD_OUTCOME_FAILED) {
        rwd_api__answer_failure(call, input->status, input->error);
    } else {
        change(call, drop ? "dropped" : "reprocessed", drop ? "dropped" : "reprocessed");
    }
}

/* The failed task starts anew, or is given up. One that is not failed any more had the one or the
 * other done to it before, by a call that did not live to say so in the letter. */
static void command_task(struct rwd_api__call *call)
{
    const struct rwd_inquiry *inquiry = call->inquiry;
    if (inquiry->task.status == RWD_TASK_CANCELLED) {
        change(call, "dropped", "found dropped already");
        return;
    }
    if (inquiry->task.status != RWD_TASK_FAILED) {
        change(call, "reprocessed", "found reprocessed already");
        return;
    }
    struct rwd_task_command *command = rwd_api__alloc(call, sizeof *command);
    command->kind = call->command;
    command->id = inquiry->task.id;
    command->user_id = inquiry->user_id;
    command->actor = rwd_api__actor(call);
    command->note = call->reason;
    command->task = &inquiry->task;
    struct rwd_batch *batch = rwd_api__batch(call);
    rwd_batch_add(batch, RWD_INPUT_TASK)->command = command;
    rwd_api__submit(call, batch, inquiry->user_id, task_done);
}

static void ask_task(struct rwd_api__call *call, enum rwd_task_command_kind kind)
{
    call->command = kind;
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, RWD_INQUIRY_TASK);
    inquiry->id = rwd_api__keep(inquiry, call->letter.reference);
    rwd_api__ask(call, inquiry, command_task);
}

static void drop(struct rwd_api__call *call)
{
    if (!is_open(call)) {
        return;
    }
    if (rwd_text_is(call->letter.lane, "events")) {
        change(call, "dropped", "dropped");
    } else {
        ask_task(call, RWD_TASK_DROP);
    }
}

void rwd_api__drop_letter(struct rwd_api__call *call)
{
    act(call, drop);
}

static void reprocess(struct rwd_api__call *call)
{
    if (!is_open(call)) {
        return;
    }
    if (!rwd_text_is(call->letter.lane, "events")) {
        ask_task(call, RWD_TASK_REPROCESS);
        return;
    }
    const struct rwd_api_options *options = &call->api->options;
    struct rwd_error error = {.text = ""};
    enum rwd_status status =
        options->resubmit(options->resubmit_context, call->letter.body, resubmitted, call, &error);
    if (status != RWD_OK) {
        rwd_api__answer_failure(call, status, &error);
    }
}

void rwd_api__reprocess_letter(struct rwd_api__call *call)
{
    act(call, reprocess);
}
