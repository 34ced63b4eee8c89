#include "base/clock.h"
#include "ctl/backtest_report.h"

#include <inttypes.h>

static void put_text(struct rwd_buffer *out, const char *name, const char *text)
{
    rwd_buffer_put_format(out, "\"%s\":", name);
    rwd_buffer_put_json(out, rwd_text_of(text));
}

static void put_number(struct rwd_buffer *out, const char *name, uint64_t number)
{
    rwd_buffer_put_format(out, ",\"%s\":%" PRIu64, name, number);
}

static void put_time(struct rwd_buffer *out, const char *name, int64_t time_ms)
{
    char text[RWD_TIME_TEXT_SIZE];
    rwd_time_format(time_ms, text);
    rwd_buffer_put_format(out, ",\"%s\":\"%s\"", name, text);
}

static void put_money(
    struct rwd_buffer *out, const char *name, int64_t minor, struct rwd_currency currency)
{
    rwd_buffer_put_format(out, ",\"%s\":\"", name);
    rwd_backtest_put_money(minor, currency, out);
    rwd_buffer_put_char(out, '"');
}

static void put_period(struct rwd_buffer *out, const struct rwd_pool_terms *terms, int32_t period)
{
    rwd_buffer_put_string(out, ",\"period\":\"");
    rwd_backtest_put_period(terms->period, period, out);
    rwd_buffer_put_char(out, '"');
}

/* Names that count something: only those that do. */
static void put_counts(struct rwd_buffer *out, const char *name, const uint64_t *counts,
    size_t count, const char *(*name_of)(size_t index))
{
    bool first = true;
    rwd_buffer_put_format(out, ",\"%s\":{", name);
    for (size_t i = 0; i < count; i++) {
        if (counts[i] > 0) {
            rwd_buffer_put_format(
                out, "%s\"%s\":%" PRIu64, first ? "" : ",", name_of(i), counts[i]);
            first = false;
        }
    }
    rwd_buffer_put_char(out, '}');
}

static const char *verdict_name(size_t index)
{
    return rwd_rule_verdict_name((enum rwd_rule_verdict)index);
}

static const char *status_name(size_t index)
{
    return rwd_task_status_name((enum rwd_task_status)index);
}

static const char *reason_name(size_t index)
{
    return rwd_task_reason_name((enum rwd_task_reason)(index + 1));
}

static void put_days(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    char day[RWD_DAY_TEXT_SIZE];
    rwd_buffer_put_string(out, ",\"days\":[");
    for (size_t i = 0; i < side->day_count; i++) {
        rwd_backtest_day_text(side->days[i].day, day);
        rwd_buffer_put_format(out,
            "%s{\"day\":\"%s\",\"events\":%" PRIu64 ",\"points\":%" PRIu64 "}", i > 0 ? "," : "",
            day, side->days[i].event_count, side->days[i].points);
    }
    rwd_buffer_put_string(out, "],\"pool_days\":[");
    for (size_t i = 0; i < side->pool_day_count; i++) {
        const struct rwd_backtest_pool_day *row = &side->pool_days[i];
        const struct rwd_pool_terms *terms = &side->pools[row->pool_no - 1].terms;
        rwd_backtest_day_text(row->day, day);
        rwd_buffer_put_format(out, "%s{\"day\":\"%s\",", i > 0 ? "," : "", day);
        put_text(out, "pool_id", terms->id);
        rwd_buffer_put_format(out, ",\"currency\":\"%s\"", terms->currency.code);
        put_number(out, "rewards", row->reward_count);
        put_money(out, "cost", row->cost_minor, terms->currency);
        put_money(out, "rule_cost", row->rule_cost_minor, terms->currency);
        put_money(out, "given_back", row->returned_minor, terms->currency);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_char(out, ']');
}

static void put_breach(const char *name, const struct rwd_backtest_breach *breach,
    struct rwd_currency currency, struct rwd_buffer *out)
{
    if (!breach->there) {
        rwd_buffer_put_format(out, ",\"%s\":null", name);
        return;
    }
    rwd_buffer_put_format(out, ",\"%s\":{\"event_no\":%" PRIu64, name, breach->event_no);
    put_time(out, "at", breach->event_ms);
    rwd_buffer_put_char(out, ',');
    put_text(out, "event_id", breach->event_id);
    rwd_buffer_put_char(out, ',');
    put_text(out, "user_id", breach->user_id);
    rwd_buffer_put_char(out, ',');
    put_text(out, "rule_id", breach->rule_id);
    put_money(out, "cost", breach->cost_minor, currency);
    rwd_buffer_put_char(out, '}');
}

static void put_pools(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, ",\"pools\":[");
    for (size_t i = 0; i < side->pool_count; i++) {
        const struct rwd_backtest_pool *pool = &side->pools[i];
        rwd_buffer_put_string(out, i > 0 ? ",{" : "{");
        put_text(out, "pool_id", pool->terms.id);
        rwd_buffer_put_format(out, ",\"currency\":\"%s\"", pool->terms.currency.code);
        put_money(out, "hard_cap", pool->terms.hard_cap_minor, pool->terms.currency);
        put_money(out, "soft_cap", pool->terms.soft_cap_minor, pool->terms.currency);
        put_breach("first_soft_breach", &pool->soft, pool->terms.currency, out);
        put_breach("first_hard_breach", &pool->hard, pool->terms.currency, out);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_string(out, "],\"periods\":[");
    for (size_t i = 0; i < side->period_count; i++) {
        const struct rwd_backtest_pool_period *row = &side->periods[i];
        const struct rwd_pool_terms *terms = &side->pools[row->pool_no - 1].terms;
        rwd_buffer_put_string(out, i > 0 ? ",{" : "{");
        put_text(out, "pool_id", terms->id);
        put_period(out, terms, row->period);
        put_money(out, "reserved", row->sums.reserved_minor, terms->currency);
        put_money(out, "spent", row->sums.spent_minor, terms->currency);
        put_money(out, "used", row->sums.reserved_minor + row->sums.spent_minor, terms->currency);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_char(out, ']');
}

static void put_spread(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, ",\"milestones\":[");
    for (size_t i = 0; i < side->milestone_count; i++) {
        const struct rwd_backtest_milestone *row = &side->milestones[i];
        rwd_buffer_put_format(out, "%s{\"at\":%" PRIu64, i > 0 ? "," : "", row->at);
        put_number(out, "fired", row->fired_count);
        put_number(out, "held", row->held_count);
        put_number(out, "denied", row->denied_count);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_format(out, "],\"points_per_player\":{\"median\":%" PRIu64, side->points_median);
    put_number(out, "p90", side->points_p90);
    put_number(out, "p99", side->points_p99);
    put_number(out, "most", side->points_max);
    rwd_buffer_put_string(out, ",\"bars\":[");
    for (size_t i = 0; i < side->bar_count; i++) {
        const struct rwd_backtest_bar *bar = &side->bars[i];
        rwd_buffer_put_format(out, "%s{\"from\":%" PRIu64, i > 0 ? "," : "", bar->from);
        put_number(out, "to", bar->to == UINT64_MAX ? side->points_max : bar->to);
        put_number(out, "players", bar->player_count);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_string(out, "]}");
}

static void put_side(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    rwd_buffer_put_char(out, '{');
    put_text(out, "version", side->version);
    put_number(out, "players", side->player_count);
    put_number(out, "points", side->points);
    put_number(out, "points_raw", side->points_raw);
    put_number(out, "rewards", side->reward_count);
    put_money(out, "cost", side->cost_minor, side->currency);
    rwd_buffer_put_format(out, ",\"currency\":\"%s\",", side->currency.code);
    put_text(out, "budget", side->budget);
    rwd_buffer_put_format(
        out, ",\"budget_known\":%s", side->budget_pool_no != 0 ? "true" : "false");
    put_counts(out, "verdicts", side->verdicts, RWD_RULE_VERDICT_COUNT, verdict_name);
    put_counts(out, "statuses", side->by_status, RWD_TASK_STATUS_COUNT, status_name);
    /* The first reason is that there is none. */
    put_counts(out, "reasons", side->by_reason + 1, RWD_TASK_REASON_COUNT - 1, reason_name);
    put_number(out, "errors", side->error_count);
    rwd_buffer_put_char(out, ',');
    put_text(out, "first_error", side->first_error.text);
    put_days(side, out);
    put_pools(side, out);
    put_spread(side, out);
    rwd_buffer_put_char(out, '}');
}

static void put_players(const struct rwd_backtest_result *result, const char *name,
    const struct rwd_backtest_player *players, size_t count, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        rwd_buffer_put_string(out, i > 0 ? ",{" : "{");
        put_text(out, "user_id", players[i].user_id);
        rwd_buffer_put_string(out, ",\"sides\":[");
        for (size_t side = 0; side < result->side_count; side++) {
            rwd_buffer_put_format(
                out, "%s{\"points\":%" PRIu64, side > 0 ? "," : "", players[i].points[side]);
            put_number(out, "rewards", players[i].reward_count[side]);
            put_money(out, "cost", players[i].cost_minor[side], result->sides[side].currency);
            rwd_buffer_put_char(out, '}');
        }
        rwd_buffer_put_string(out, "]}");
    }
    rwd_buffer_put_char(out, ']');
}

void rwd_backtest_put_json(const struct rwd_backtest_result *result, struct rwd_buffer *out)
{
    rwd_buffer_put_char(out, '{');
    put_text(out, "rule_id", result->rule_id);
    put_number(out, "other_rules", result->other_rule_count);
    put_number(out, "events", result->event_count);
    put_number(out, "events_before", result->before_count);
    put_number(out, "events_after", result->after_count);
    put_number(out, "duplicates", result->duplicate_count);
    put_number(out, "late", result->late_count);
    put_number(out, "task_commands", result->command_count);
    put_number(out, "task_commands_unmatched", result->command_unmatched_count);
    put_time(out, "first_event", result->first_event_ms);
    put_time(out, "last_event", result->last_event_ms);
    put_number(out, "players", result->player_count);
    rwd_buffer_put_string(out, ",\"sides\":[");
    for (size_t i = 0; i < result->side_count; i++) {
        rwd_buffer_put_string(out, i > 0 ? "," : "");
        put_side(&result->sides[i], out);
    }
    rwd_buffer_put_char(out, ']');
    put_number(out, "winners", result->winner_count);
    put_number(out, "losers", result->loser_count);
    put_number(out, "same", result->same_count);
    put_players(result, "top_winners", result->winners, result->winners_shown, out);
    put_players(result, "top_losers", result->losers, result->losers_shown, out);
    rwd_buffer_put_string(out, "}\n");
}
