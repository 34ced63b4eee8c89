#include "engine/query_text.h"

#include "base/clock.h"
#include "domain/money.h"

void rwd_query__put_time(int64_t time_ms, struct rwd_buffer *out)
{
    if (time_ms == 0) {
        rwd_buffer_put_string(out, "null");
        return;
    }
    char text[RWD_TIME_TEXT_SIZE];
    rwd_time_format(time_ms, text);
    rwd_buffer_put_format(out, "\"%s\"", text);
}

void rwd_query__put_text(struct rwd_text text, struct rwd_buffer *out)
{
    if (text.size == 0) {
        rwd_buffer_put_string(out, "null");
    } else {
        rwd_buffer_put_json(out, text);
    }
}

void rwd_query__put_money(int64_t minor, struct rwd_text currency_code, struct rwd_buffer *out)
{
    struct rwd_currency currency;
    if (rwd_currency_parse(currency_code, &currency) != RWD_OK) {
        rwd_buffer_put_format(out, "\"%lld\"", (long long)minor);
        return;
    }
    char amount[RWD_MONEY_TEXT_SIZE];
    rwd_money_format(minor, currency, amount);
    rwd_buffer_put_format(out, "\"%s\"", amount);
}

static void put_name(const char *name, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, ",\"%s\":", name);
}

static void put_field(const char *name, struct rwd_text text, struct rwd_buffer *out)
{
    put_name(name, out);
    rwd_query__put_text(text, out);
}

static void put_time_field(const char *name, int64_t time_ms, struct rwd_buffer *out)
{
    put_name(name, out);
    rwd_query__put_time(time_ms, out);
}

/* A reward is JSON already, in the row. */
static void put_reward(struct rwd_text reward, struct rwd_buffer *out)
{
    put_name("reward", out);
    rwd_buffer_put_text(out, reward.size > 0 ? reward : RWD_TEXT("null"));
}

static void put_deliveries(
    const struct rwd_delivery_row *rows, size_t count, struct rwd_buffer *out)
{
    put_name("deliveries", out);
    rwd_buffer_put_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        rwd_buffer_put_format(
            out, "%s{\"attempt\":%lld", i > 0 ? "," : "", (long long)rows[i].attempt);
        put_time_field("at", rows[i].at_ms, out);
        put_field("endpoint", rows[i].endpoint, out);
        put_name("http_status", out);
        if (rows[i].http_status > 0) {
            rwd_buffer_put_i64(out, rows[i].http_status);
        } else {
            rwd_buffer_put_string(out, "null");
        }
        put_field("outcome", rows[i].outcome, out);
        put_field("detail", rows[i].detail, out);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_char(out, ']');
}

void rwd_query__put_task(const struct rwd_task_row *row, const struct rwd_delivery_row *deliveries,
    size_t delivery_count, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, "{\"reward_task_id\":");
    rwd_buffer_put_json(out, row->task_id);
    put_field("user_id", row->user_id, out);
    rwd_buffer_put_string(out, ",\"origin\":{\"rule_id\":");
    rwd_buffer_put_json(out, row->rule_id);
    put_field("version", row->version, out);
    put_field("content_hash", row->content_hash, out);
    put_name("threshold", out);
    if (row->threshold > 0) {
        rwd_buffer_put_u64(out, row->threshold);
    } else {
        rwd_buffer_put_string(out, "null");
    }
    put_field("event_id", row->event_id, out);
    put_field("schema_id", row->schema_id, out);
    put_field("experiment", row->experiment, out);
    put_field("arm", row->arm, out);
    rwd_buffer_put_char(out, '}');
    put_reward(row->reward, out);
    put_field("pool_id", row->pool_id, out);
    put_name("cost", out);
    rwd_query__put_money(row->cost_minor, row->currency, out);
    put_field("currency", row->currency, out);
    put_field("status", row->status, out);
    put_field("reason", row->reason, out);
    put_name("attempts", out);
    rwd_buffer_put_i64(out, row->attempts);
    put_time_field("next_attempt_at", row->next_attempt_ms, out);
    put_field("payout_id", row->payout_id, out);
    put_time_field("created_at", row->created_ms, out);
    put_time_field("updated_at", row->updated_ms, out);
    if (deliveries != NULL) {
        put_deliveries(deliveries, delivery_count, out);
    }
    rwd_buffer_put_char(out, '}');
}

void rwd_query__put_ledger(const struct rwd_ledger_row *row, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, "{\"reward_task_id\":");
    rwd_buffer_put_json(out, row->task_id);
    put_field("user_id", row->user_id, out);
    put_field("pool_id", row->pool_id, out);
    put_field("rule_id", row->rule_id, out);
    put_field("version", row->version, out);
    put_field("content_hash", row->content_hash, out);
    put_field("schema_id", row->schema_id, out);
    put_field("experiment", row->experiment, out);
    put_field("arm", row->arm, out);
    put_field("kind", row->kind, out);
    put_reward(row->reward, out);
    put_name("cost", out);
    rwd_query__put_money(row->cost_minor, row->currency, out);
    put_field("currency", row->currency, out);
    put_field("payout_id", row->payout_id, out);
    put_time_field("posted_at", row->posted_ms, out);
    rwd_buffer_put_char(out, '}');
}

void rwd_query__put_dead_letter(const struct rwd_dead_letter_row *row, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, "{\"dead_letter_id\":");
    rwd_buffer_put_json(out, row->letter_id);
    put_field("lane", row->lane, out);
    put_field("status", row->status, out);
    put_field("reason", row->reason, out);
    put_name("pointer", out);
    rwd_buffer_put_json(out, row->pointer);
    put_field("detail", row->detail, out);
    put_field("user_id", row->user_id, out);
    put_field("reference", row->reference, out);
    put_name("body", out);
    rwd_buffer_put_json(out, row->body);
    put_name("attempts", out);
    rwd_buffer_put_i64(out, row->attempts);
    put_time_field("created_at", row->created_ms, out);
    put_time_field("updated_at", row->updated_ms, out);
    rwd_buffer_put_char(out, '}');
}
