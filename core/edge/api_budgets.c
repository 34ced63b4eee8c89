/* Budgets: read from the pools' own sums, so as fresh as they are; changed through the journal. */
#include "edge/api_call.h"

#include "engine/query_text.h"

#include <string.h>

static void put_budget(const struct rwd_api__call *call, uint32_t pool_no, struct rwd_buffer *out)
{
    const struct rwd_engine *engine = call->api->options.engine;
    const struct rwd_pools *pools = rwd_engine_pools(engine);
    const struct rwd_pool_terms *terms = rwd_pool_terms(pools, pool_no);
    struct rwd_clock clock = rwd_engine_clock(engine);
    int32_t period = rwd_pool_period_at(pools, pool_no, rwd_clock_wall_ms(&clock));
    struct rwd_pool_sums sums = rwd_pool_read(pools, pool_no, period);
    struct rwd_text currency = rwd_text_of(terms->currency.code);
    const struct {
        const char *name;
        int64_t minor;
    } amounts[] = {{"hard_cap", sums.hard_cap_minor}, {"soft_cap", sums.soft_cap_minor},
        {"reserved", sums.reserved_minor}, {"spent", sums.spent_minor},
        /* Below zero where the cap was lowered under what is spent already. */
        {"free", sums.hard_cap_minor - sums.reserved_minor - sums.spent_minor}};
    rwd_buffer_put_string(out, "{\"pool_id\":");
    rwd_buffer_put_json(out, rwd_text_of(terms->id));
    rwd_buffer_put_format(out, ",\"currency\":\"%s\",\"period\":\"%s\"", terms->currency.code,
        rwd_pool_period_name(terms->period));
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        rwd_buffer_put_format(out, ",\"%s\":", amounts[i].name);
        rwd_query__put_money(amounts[i].minor, currency, out);
    }
    rwd_buffer_put_char(out, '}');
}

static void answer_budget(struct rwd_api__call *call, uint32_t pool_no)
{
    struct rwd_buffer json = {0};
    put_budget(call, pool_no, &json);
    rwd_api__answer_json(call, call->answer_status, rwd_buffer_text(&json));
    rwd_buffer_finish(&json);
}

void rwd_api__list_budgets(struct rwd_api__call *call)
{
    /* At most RWD_POOL_COUNT_MAX of them: one page. */
    uint32_t count = rwd_pools_count(rwd_engine_pools(call->api->options.engine));
    struct rwd_buffer json = {0};
    rwd_buffer_put_string(&json, "{\"items\":[");
    for (uint32_t pool_no = 1; pool_no <= count; pool_no++) {
        if (pool_no > 1) {
            rwd_buffer_put_char(&json, ',');
        }
        put_budget(call, pool_no, &json);
    }
    rwd_buffer_put_string(&json, "],\"next_cursor\":null}");
    rwd_api__answer_json(call, 200, rwd_buffer_text(&json));
    rwd_buffer_finish(&json);
}

void rwd_api__get_budget(struct rwd_api__call *call)
{
    uint32_t pool_no =
        rwd_pools_find(rwd_engine_pools(call->api->options.engine), call->parameters[0]);
    if (pool_no == 0) {
        rwd_api__answer_problem(
            call, 404, "there is no budget '%.*s'", RWD_TEXT_ARGS(call->parameters[0]));
    } else {
        answer_budget(call, pool_no);
    }
}

static bool is_pool_id(struct rwd_text id)
{
    static const char others[] = "_-.";
    if (id.size == 0 || id.size >= RWD_REWARD_LABEL_SIZE_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.size; i++) {
        char c = id.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return true;
}

/* An amount of that currency, as a decimal string or a number; never below zero. */
static bool read_amount(struct rwd_api__call *call, const struct rwd_json *json, const char *name,
    struct rwd_currency currency, int64_t *minor)
{
    const struct rwd_json_node *node = rwd_json_member(json, &json->nodes[0], rwd_text_of(name));
    bool typed = node != NULL && (node->type == RWD_JSON_STRING || node->type == RWD_JSON_NUMBER);
    if (!typed || rwd_money_parse(rwd_json_text(node), currency, minor) != RWD_OK || *minor < 0) {
        rwd_api__answer_problem(call, 400,
            "/%s must be an amount in %s, not below zero and no finer than %u decimals, as a "
            "decimal string",
            name, currency.code, rwd_currency_exponent(currency));
        return false;
    }
    return true;
}

static bool read_terms(
    struct rwd_api__call *call, const struct rwd_json *json, struct rwd_budget_row *row)
{
    struct rwd_currency currency;
    enum rwd_pool_period period;
    if (!rwd_api__read_text(call, json, "currency", 3, &row->currency) ||
        !rwd_api__read_text(call, json, "period", 16, &row->period)) {
        return false;
    }
    if (rwd_currency_parse(row->currency, &currency) != RWD_OK) {
        rwd_api__answer_problem(call, 400, "/currency must be an ISO 4217 code such as EUR");
        return false;
    }
    if (rwd_pool_period_parse(row->period, &period) != RWD_OK) {
        rwd_api__answer_problem(call, 400, "/period must be day, week or season");
        return false;
    }
    if (!read_amount(call, json, "hard_cap", currency, &row->hard_cap_minor)) {
        return false;
    }
    if (rwd_json_member(json, &json->nodes[0], RWD_TEXT("soft_cap")) == NULL) {
        /* 90 % where it is not said (spec 5), without a product that could overflow. */
        row->soft_cap_minor = row->hard_cap_minor - row->hard_cap_minor / 10;
    } else if (!read_amount(call, json, "soft_cap", currency, &row->soft_cap_minor)) {
        return false;
    }
    if (row->soft_cap_minor > row->hard_cap_minor) {
        rwd_api__answer_problem(call, 400, "/soft_cap must not be above hard_cap");
        return false;
    }
    return true;
}

static void budget_put(struct rwd_api__call *call)
{
    const struct rwd_input *input = &call->batch->inputs[0];
    if (input->outcome == RWD_OUTCOME_FAILED) {
        rwd_api__answer_failure(call, input->status, input->error);
    } else {
        answer_budget(
            call, rwd_pools_find(rwd_engine_pools(call->api->options.engine), call->parameters[0]));
    }
}

void rwd_api__put_budget(struct rwd_api__call *call)
{
    static const char *const names[] = {
        "currency", "period", "hard_cap", "soft_cap", "pool_id", "reason", NULL};
    struct rwd_json json;
    struct rwd_text pool_id;
    struct rwd_budget_row *row = rwd_api__alloc(call, sizeof *row);
    row->pool_id = call->parameters[0];
    row->actor = rwd_api__actor(call);
    if (!rwd_api__can_write(call) || !rwd_api__read_object(call, names, &json) ||
        !rwd_api__read_text(call, &json, "pool_id", RWD_REWARD_LABEL_SIZE_MAX, &pool_id) ||
        !rwd_api__read_text(call, &json, "reason", RWD_API_REASON_SIZE_MAX, &row->reason) ||
        !read_terms(call, &json, row)) {
        return;
    }
    if (!is_pool_id(row->pool_id) || (pool_id.size > 0 && !rwd_text_equal(pool_id, row->pool_id))) {
        rwd_api__answer_problem(call, 400,
            "a budget's id is 1 to %d letters, digits, '_', '-' or '.', the same in path and body",
            RWD_REWARD_LABEL_SIZE_MAX - 1);
        return;
    }
    bool known = rwd_pools_find(rwd_engine_pools(call->api->options.engine), row->pool_id) != 0;
    call->answer_status = known ? 200 : 201;
    struct rwd_batch *batch = rwd_api__batch(call);
    rwd_batch_add(batch, RWD_INPUT_BUDGET)->budget = row;
    rwd_api__submit(call, batch, (struct rwd_text){0}, budget_put);
}
