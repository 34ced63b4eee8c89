/*
 * api_call: one request of the API on its way, and what all handlers share. Private to the API.
 *
 * A handler either answers (rwd_api__answer*, which ends the call) or sends one message and names
 * the step that goes on when it is home. After either the call is no longer the handler's to touch.
 */
#ifndef RWD_EDGE_API_CALL_H
#define RWD_EDGE_API_CALL_H

#include "edge/api.h"

enum {
    RWD_API_PARAMETER_COUNT_MAX = 2,
    RWD_API_REASON_SIZE_MAX = 512,
    RWD_API_ACTOR_SIZE_MAX = 64,
};

struct rwd_api__call;
struct rwd_api__letter; /* api_letters.c's memory of what the store may not have yet */

typedef void rwd_api__step(struct rwd_api__call *call);

struct rwd_api {
    struct rwd_api_options options;
    size_t open_count;
    struct rwd_api__letter *letters;
    size_t letter_count;
    size_t letter_size; /* bytes they hold */
};

struct rwd_api__call {
    struct rwd_api *api;
    struct rwd_http_request *request;
    struct rwd_text parameters[RWD_API_PARAMETER_COUNT_MAX]; /* {id}, {version}: in the request */
    struct rwd_arena arena;
    rwd_api__step *step;         /* goes on here when the message is home */
    struct rwd_inquiry *inquiry; /* the last that came home; owned */
    struct rwd_inquiry *earlier; /* one kept beside it; owned */
    struct rwd_batch *batch;     /* the last that came home; owned */
    int answer_status;           /* what to answer with when the next step succeeds */
    bool needs_ok;               /* the step wants an inquiry that succeeded */

    /* Dead letters and reward tasks: the action asked for. */
    enum rwd_task_command_kind command;
    struct rwd_text reason;
    struct rwd_dead_letter_row letter;
    struct rwd_buffer letter_bytes; /* what letter borrows from, where not from the inquiry */
    char letter_id[64];             /* "": holds no letter */
    struct rwd_problem problem;     /* of a reprocessed event that was refused again */
    bool refused;
};

/* ---- answers: each ends the call ---- */

void rwd_api__answer_json(struct rwd_api__call *call, int status, struct rwd_text json);
void rwd_api__answer_typed(
    struct rwd_api__call *call, int status, const char *content_type, struct rwd_text body);
void rwd_api__answer_problem(struct rwd_api__call *call, int http_status, const char *format, ...)
    RWD_PRINTF(3, 4);
/* The status' place in HTTP; error NULL or empty: the status' own name. */
void rwd_api__answer_failure(
    struct rwd_api__call *call, enum rwd_status status, const struct rwd_error *error);

/* ---- messages ---- */

struct rwd_inquiry *rwd_api__inquiry(struct rwd_api__call *call, enum rwd_inquiry_kind kind);
/* Gives the inquiry away; step runs when it is home with RWD_OK, every other status is answered. */
void rwd_api__ask(struct rwd_api__call *call, struct rwd_inquiry *inquiry, rwd_api__step *step);
/* The same, but step runs whatever the status is, and otherwise where nobody can be asked. */
void rwd_api__ask_anyhow(struct rwd_api__call *call, struct rwd_inquiry *inquiry,
    rwd_api__step *step, rwd_api__step *otherwise);
/* A batch with room for one input. */
struct rwd_batch *rwd_api__batch(struct rwd_api__call *call);
/* Gives the batch to the shard that has the user (none: shard 0); step runs when it is durable. */
void rwd_api__submit(struct rwd_api__call *call, struct rwd_batch *batch, struct rwd_text user_id,
    rwd_api__step *step);
/* False, and answered: no commands can be taken just now. */
bool rwd_api__can_write(struct rwd_api__call *call);
/* Answers with the JSON of the inquiry that is home, and call->answer_status. */
void rwd_api__answer_inquiry(struct rwd_api__call *call);

/* ---- reading requests ---- */

/* The body as a JSON object (an empty body is an empty one). False, and answered: it is none, or
 * has a member not in names (NULL-terminated; NULL: any may be there). */
bool rwd_api__read_object(
    struct rwd_api__call *call, const char *const *names, struct rwd_json *json);
/* A string member; data NULL: not there. False, and answered: of another type, or too long. */
bool rwd_api__read_text(struct rwd_api__call *call, const struct rwd_json *json, const char *name,
    size_t size_max, struct rwd_text *text);
/* {"reason":"..."}, required, into call->reason. */
bool rwd_api__read_reason(struct rwd_api__call *call);
/* limit and cursor of the query. False, answered, and the inquiry gone: a limit that is none. */
bool rwd_api__read_page(struct rwd_api__call *call, struct rwd_inquiry *inquiry);
/* A filter of the query; empty where it is not there. */
struct rwd_text rwd_api__query(
    struct rwd_api__call *call, struct rwd_inquiry *inquiry, const char *name);
/* A copy that lives as long as the inquiry; an empty text stays one. */
struct rwd_text rwd_api__keep(struct rwd_inquiry *inquiry, struct rwd_text text);
/* Memory that lives as long as the call. */
void *rwd_api__alloc(struct rwd_api__call *call, size_t size);
/* Who acts: X-Actor's word, journaled with the command; "api" where there is none. It names, it
 * does not prove: whoever may call may say any name. In the request. */
struct rwd_text rwd_api__actor(const struct rwd_api__call *call);
/* Whether X-Actor, where it is there, is 1 to RWD_API_ACTOR_SIZE_MAX printable ASCII characters. */
bool rwd_api__actor_is_good(const struct rwd_api__call *call);

/* Handlers, one a route. */
#define RWD_API_HANDLER(name) void rwd_api__##name(struct rwd_api__call *call)
RWD_API_HANDLER(list_decisions);
RWD_API_HANDLER(get_decision);
RWD_API_HANDLER(list_tasks);
RWD_API_HANDLER(get_task);
RWD_API_HANDLER(approve_task);
RWD_API_HANDLER(reject_task);
RWD_API_HANDLER(list_ledger);
RWD_API_HANDLER(list_budgets);
RWD_API_HANDLER(get_budget);
RWD_API_HANDLER(put_budget);
RWD_API_HANDLER(list_letters);
RWD_API_HANDLER(get_letter);
RWD_API_HANDLER(put_letter);
RWD_API_HANDLER(reprocess_letter);
RWD_API_HANDLER(drop_letter);
RWD_API_HANDLER(list_rules);
RWD_API_HANDLER(get_rule);
RWD_API_HANDLER(upload_rule);
RWD_API_HANDLER(activate_rule);
RWD_API_HANDLER(retire_rule);
RWD_API_HANDLER(rollback_rule);
RWD_API_HANDLER(shadow_rule);
RWD_API_HANDLER(ramp_rule);
RWD_API_HANDLER(deploy_rules);
RWD_API_HANDLER(list_experiments);
RWD_API_HANDLER(get_experiment_results);
RWD_API_HANDLER(health);
RWD_API_HANDLER(ready);
RWD_API_HANDLER(metrics);
RWD_API_HANDLER(openapi);
#undef RWD_API_HANDLER

/* A call ends: its letter is free for the next action. */
void rwd_api__letter_release(struct rwd_api__call *call);
void rwd_api__letters_destroy(struct rwd_api *api);

#endif
