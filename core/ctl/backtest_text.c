#include "base/clock.h"
#include "ctl/backtest_report.h"
#include "ctl/explain.h"
#include "ctl/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BAR_SIZE_MAX = 40, DAY_MS = 24 * 3600 * 1000 };

void rwd_backtest_day_text(int32_t day, char out[RWD_DAY_TEXT_SIZE])
{
    char text[RWD_TIME_TEXT_SIZE];
    rwd_time_format((int64_t)day * DAY_MS, text);
    memcpy(out, text, RWD_DAY_TEXT_SIZE - 1);
    out[RWD_DAY_TEXT_SIZE - 1] = '\0';
}

void rwd_backtest_put_period(enum rwd_pool_period kind, int32_t period, struct rwd_buffer *out)
{
    char day[RWD_DAY_TEXT_SIZE];
    if (kind == RWD_POOL_SEASON) {
        rwd_buffer_put_string(out, "season");
        return;
    }
    /* Weeks begin on Mondays; the first of 1970 began three days before it. */
    int32_t first = kind == RWD_POOL_DAY ? period : period * 7 - 3;
    rwd_backtest_day_text(first > 0 ? first : 0, day);
    rwd_buffer_put_format(out, "%s%s", kind == RWD_POOL_WEEK ? "week of " : "", day);
}

void rwd_backtest_put_money(int64_t minor, struct rwd_currency currency, struct rwd_buffer *out)
{
    char text[RWD_MONEY_TEXT_SIZE];
    rwd_money_format(minor, currency, text);
    rwd_buffer_put_string(out, text);
}

void rwd_backtest_put_difference(
    int64_t minor, struct rwd_currency currency, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, minor >= 0 ? "+" : "");
    rwd_backtest_put_money(minor, currency, out);
}

/* ---- cells ---- */

static void put_cell(struct rwd_ctl_table *table, const char *format, ...) RWD_PRINTF(2, 3);
static void put_cell(struct rwd_ctl_table *table, const char *format, ...)
{
    char cell[RWD_CTL_CELL_SIZE_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(cell, sizeof cell, format, arguments);
    va_end(arguments);
    rwd_ctl_table_put(table, rwd_text_of(cell));
}

static void put_money_cell(struct rwd_ctl_table *table, int64_t minor, struct rwd_currency currency)
{
    char text[RWD_MONEY_TEXT_SIZE];
    rwd_money_format(minor, currency, text);
    rwd_ctl_table_put(table, rwd_text_of(text));
}

static void write_table(struct rwd_ctl_table *table, struct rwd_buffer *out)
{
    rwd_ctl_table_write(table, out);
    rwd_ctl_table_destroy(table);
}

/* ---- parts ---- */

static void put_head(const struct rwd_backtest_result *result, struct rwd_buffer *out)
{
    char first[RWD_TIME_TEXT_SIZE];
    char last[RWD_TIME_TEXT_SIZE];
    rwd_time_format(result->first_event_ms, first);
    rwd_time_format(result->last_event_ms, last);
    rwd_buffer_put_format(out, "%s %s", result->rule_id, result->sides[0].version);
    if (result->side_count > 1) {
        rwd_buffer_put_format(out, " against %s", result->sides[1].version);
    }
    rwd_buffer_put_format(out, " on %" PRIu64 " events of %" PRIu64 " players, %s to %s\n%s",
        result->event_count, result->player_count, first, last,
        result->other_rule_count > 0 ? "beside it: the newest version of " : "");
    if (result->other_rule_count > 0) {
        rwd_buffer_put_format(out, "%zu other rule%s\n", result->other_rule_count,
            result->other_rule_count > 1 ? "s" : "");
    }
    const struct {
        uint64_t count;
        const char *what;
    } notes[] = {
        {result->before_count, "events before --since: who the players are was learned from them"},
        {result->after_count, "events at or behind --until: not looked at"},
        {result->duplicate_count, "events that were there already"},
        {result->late_count, "events too late to be told from repeats: refused"},
        {result->command_count, "payouts, approvals and the like carried out as in the journal"},
    };
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        if (notes[i].count > 0) {
            rwd_buffer_put_format(out, "%" PRIu64 " %s\n", notes[i].count, notes[i].what);
        }
    }
}

static void put_number_row(struct rwd_ctl_table *table, const char *name,
    const struct rwd_backtest_result *result, uint64_t a, uint64_t b)
{
    put_cell(table, "%s", name);
    put_cell(table, "%" PRIu64, a);
    if (result->side_count > 1) {
        put_cell(table, "%" PRIu64, b);
        put_cell(table, "%+" PRId64, (int64_t)(a - b));
    }
}

static void put_cost_row(struct rwd_ctl_table *table, const struct rwd_backtest_result *result)
{
    const struct rwd_backtest_side *a = &result->sides[0];
    const struct rwd_backtest_side *b = &result->sides[1];
    put_cell(table, "cost, %s", a->currency.code[0] != '\0' ? a->currency.code : "none");
    put_money_cell(table, a->cost_minor, a->currency);
    if (result->side_count > 1) {
        bool same = rwd_currency_equal(a->currency, b->currency);
        put_money_cell(table, b->cost_minor, b->currency);
        if (same) {
            struct rwd_buffer difference = {0};
            rwd_backtest_put_difference(a->cost_minor - b->cost_minor, a->currency, &difference);
            rwd_ctl_table_put(table, rwd_buffer_text(&difference));
            rwd_buffer_finish(&difference);
        } else {
            put_cell(table, "%s", b->currency.code[0] != '\0' ? b->currency.code : "-");
        }
    }
}

static void put_sums(const struct rwd_backtest_result *result, struct rwd_buffer *out)
{
    const struct rwd_backtest_side *a = &result->sides[0];
    const struct rwd_backtest_side *b = &result->sides[1];
    const char *headings[] = {"WHAT", a->version, b->version, "DIFFERENCE"};
    struct rwd_ctl_table *table = rwd_ctl_table_create(headings, result->side_count > 1 ? 4 : 2);
    put_number_row(table, "players with something", result, a->player_count, b->player_count);
    put_number_row(table, "points", result, a->points, b->points);
    put_number_row(table, "points before caps", result, a->points_raw, b->points_raw);
    put_number_row(table, "rewards", result, a->reward_count, b->reward_count);
    for (size_t i = 0; i < RWD_TASK_STATUS_COUNT; i++) {
        if (a->by_status[i] + b->by_status[i] > 0) {
            char name[32];
            (void)snprintf(
                name, sizeof name, "  %s", rwd_task_status_name((enum rwd_task_status)i));
            put_number_row(table, name, result, a->by_status[i], b->by_status[i]);
        }
    }
    put_cost_row(table, result);
    put_number_row(table, "rule errors", result, a->error_count, b->error_count);
    rwd_buffer_put_char(out, '\n');
    write_table(table, out);
}

static void put_verdicts(const struct rwd_backtest_result *result, struct rwd_buffer *out)
{
    const struct rwd_backtest_side *a = &result->sides[0];
    const struct rwd_backtest_side *b = &result->sides[1];
    const char *headings[] = {"THE RULE, EVENT BY EVENT", a->version, b->version, "DIFFERENCE"};
    struct rwd_ctl_table *table = rwd_ctl_table_create(headings, result->side_count > 1 ? 4 : 2);
    for (size_t i = 0; i < RWD_RULE_VERDICT_COUNT; i++) {
        if (a->verdicts[i] + b->verdicts[i] > 0) {
            put_number_row(table, rwd_rule_verdict_name((enum rwd_rule_verdict)i), result,
                a->verdicts[i], b->verdicts[i]);
        }
    }
    rwd_buffer_put_char(out, '\n');
    write_table(table, out);
}

static void put_pools(const struct rwd_backtest_result *result,
    const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    if (side->pool_day_count == 0) {
        rwd_buffer_put_format(out, "\n%s asks no budget for anything\n", side->version);
        return;
    }
    char of_rule[RWD_RULE_ID_SIZE_MAX + 8];
    (void)snprintf(of_rule, sizeof of_rule, "BY %s", result->rule_id);
    const char *headings[] = {
        "DAY", "BUDGET", "REWARDS", "COST", of_rule, "GIVEN BACK", "CURRENCY"};
    struct rwd_ctl_table *table = rwd_ctl_table_create(headings, 7);
    for (size_t i = 0; i < side->pool_day_count; i++) {
        const struct rwd_backtest_pool_day *row = &side->pool_days[i];
        const struct rwd_pool_terms *terms = &side->pools[row->pool_no - 1].terms;
        char day[RWD_DAY_TEXT_SIZE];
        rwd_backtest_day_text(row->day, day);
        put_cell(table, "%s", day);
        put_cell(table, "%s", terms->id);
        put_cell(table, "%" PRIu64, row->reward_count);
        put_money_cell(table, row->cost_minor, terms->currency);
        put_money_cell(table, row->rule_cost_minor, terms->currency);
        put_money_cell(table, row->returned_minor, terms->currency);
        put_cell(table, "%s", terms->currency.code);
    }
    rwd_buffer_put_format(
        out, "\ncost by day, all rules, with %s %s\n", result->rule_id, side->version);
    write_table(table, out);
    rwd_buffer_put_format(
        out, "\nbudgets at the end, with %s %s\n", result->rule_id, side->version);
    const char *ends[] = {"BUDGET", "PERIOD", "USED", "HARD CAP", "CURRENCY"};
    table = rwd_ctl_table_create(ends, 5);
    for (size_t i = 0; i < side->period_count; i++) {
        const struct rwd_backtest_pool_period *row = &side->periods[i];
        const struct rwd_pool_terms *terms = &side->pools[row->pool_no - 1].terms;
        struct rwd_buffer period = {0};
        rwd_backtest_put_period(terms->period, row->period, &period);
        put_cell(table, "%s", terms->id);
        rwd_ctl_table_put(table, rwd_buffer_text(&period));
        put_money_cell(table, row->sums.reserved_minor + row->sums.spent_minor, terms->currency);
        put_money_cell(table, terms->hard_cap_minor, terms->currency);
        put_cell(table, "%s", terms->currency.code);
        rwd_buffer_finish(&period);
    }
    write_table(table, out);
}

static void put_breach(const struct rwd_backtest_pool *pool,
    const struct rwd_backtest_breach *breach, const char *what, struct rwd_buffer *out)
{
    char time[RWD_TIME_TEXT_SIZE];
    rwd_time_format(breach->event_ms, time);
    rwd_buffer_put_format(out, "  %s: %s at %s, event ", pool->terms.id, what, time);
    rwd_ctl_put_plain(out, rwd_text_of(breach->event_id));
    rwd_buffer_put_string(out, " of player ");
    rwd_ctl_put_plain(out, rwd_text_of(breach->user_id));
    rwd_buffer_put_format(out, " (the source's %" PRIu64 ".), ", breach->event_no);
    rwd_backtest_put_money(breach->cost_minor, pool->terms.currency, out);
    rwd_buffer_put_format(out, " %s by %s\n", pool->terms.currency.code, breach->rule_id);
}

static void put_breaches(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    size_t begin = out->size;
    rwd_buffer_put_format(out, "\nfirst breach of each budget, with %s\n", side->version);
    size_t empty = out->size;
    for (size_t i = 0; i < side->pool_count; i++) {
        const struct rwd_backtest_pool *pool = &side->pools[i];
        if (pool->soft.there) {
            put_breach(pool, &pool->soft, "a large reward went to review above the soft cap", out);
        }
        if (pool->hard.there) {
            put_breach(pool, &pool->hard, "the hard cap refused a reward", out);
        }
    }
    if (out->size == empty) {
        out->size = begin;
        rwd_buffer_put_format(out, "\nno budget met a cap, with %s\n", side->version);
    }
    if (side->budget[0] != '\0' && side->budget_pool_no == 0) {
        rwd_buffer_put_format(out,
            "its budget %s is neither in engine.conf nor in the journal: every reward was denied\n",
            side->budget);
    }
}

static void put_reasons(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    for (size_t i = RWD_REASON_NONE + 1; i < RWD_TASK_REASON_COUNT; i++) {
        if (side->by_reason[i] > 0) {
            rwd_buffer_put_format(out, "  %" PRIu64 " not paid at once: %s\n", side->by_reason[i],
                rwd_explain_reason(rwd_task_reason_name((enum rwd_task_reason)i)));
        }
    }
}

static void put_milestones(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    if (side->milestone_count == 0) {
        return;
    }
    static const char *const headings[] = {"MILESTONE", "FIRED", "HELD", "DENIED"};
    struct rwd_ctl_table *table = rwd_ctl_table_create(headings, 4);
    for (size_t i = 0; i < side->milestone_count; i++) {
        const struct rwd_backtest_milestone *milestone = &side->milestones[i];
        put_cell(table, "%" PRIu64, milestone->at);
        put_cell(table, "%" PRIu64, milestone->fired_count);
        put_cell(table, "%" PRIu64, milestone->held_count);
        put_cell(table, "%" PRIu64, milestone->denied_count);
    }
    rwd_buffer_put_format(out, "\nmilestones, with %s\n", side->version);
    write_table(table, out);
}

static void put_bars(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    uint64_t most = 0;
    for (size_t i = 0; i < side->bar_count; i++) {
        most = side->bars[i].player_count > most ? side->bars[i].player_count : most;
    }
    if (most == 0) {
        rwd_buffer_put_format(out, "\nno player has points, with %s\n", side->version);
        return;
    }
    rwd_buffer_put_format(out,
        "\npoints a player, with %s: median %" PRIu64 ", p90 %" PRIu64 ", p99 %" PRIu64
        ", most %" PRIu64 "\n",
        side->version, side->points_median, side->points_p90, side->points_p99, side->points_max);
    for (size_t i = 0; i < side->bar_count; i++) {
        const struct rwd_backtest_bar *bar = &side->bars[i];
        char range[48];
        (void)snprintf(range, sizeof range, "%" PRIu64 "..%" PRIu64, bar->from,
            bar->to == UINT64_MAX ? side->points_max : bar->to);
        /* Whoever is there is seen. */
        int size = (int)((bar->player_count * BAR_SIZE_MAX + most - 1) / most);
        static const char full[] = "########################################";
        rwd_buffer_put_format(out, "  %-22s %-*.*s %" PRIu64 "\n", range, BAR_SIZE_MAX, size, full,
            bar->player_count);
    }
}

static void put_players(const struct rwd_backtest_result *result,
    const struct rwd_backtest_player *players, size_t count, const char *what,
    struct rwd_buffer *out)
{
    if (count == 0) {
        return;
    }
    static const char *const headings[] = {
        "PLAYER", "POINTS", "BEFORE", "REWARDS", "BEFORE", "COST", "BEFORE"};
    static const char *const alone[] = {"PLAYER", "POINTS", "REWARDS", "COST"};
    bool compared = result->side_count > 1;
    struct rwd_ctl_table *table =
        rwd_ctl_table_create(compared ? headings : alone, compared ? 7 : 4);
    for (size_t i = 0; i < count; i++) {
        const struct rwd_backtest_player *player = &players[i];
        put_cell(table, "%s", player->user_id);
        for (size_t side = 0; side < result->side_count; side++) {
            put_cell(table, "%" PRIu64, player->points[side]);
        }
        for (size_t side = 0; side < result->side_count; side++) {
            put_cell(table, "%" PRIu64, player->reward_count[side]);
        }
        for (size_t side = 0; side < result->side_count; side++) {
            put_money_cell(table, player->cost_minor[side], result->sides[side].currency);
        }
    }
    rwd_buffer_put_format(out, "\n%s\n", what);
    write_table(table, out);
}

static void put_winners(const struct rwd_backtest_result *result, struct rwd_buffer *out)
{
    if (result->side_count > 1) {
        rwd_buffer_put_format(out,
            "\n%" PRIu64 " players win, %" PRIu64 " lose, %" PRIu64 " have the same as with %s\n",
            result->winner_count, result->loser_count, result->same_count,
            result->sides[1].version);
    } else {
        rwd_buffer_put_format(out, "\n%" PRIu64 " players get something, %" PRIu64 " nothing\n",
            result->winner_count, result->same_count);
    }
    put_players(result, result->winners, result->winners_shown, "who wins most", out);
    put_players(result, result->losers, result->losers_shown, "who loses most", out);
}

void rwd_backtest_put_text(const struct rwd_backtest_result *result, struct rwd_buffer *out)
{
    put_head(result, out);
    put_sums(result, out);
    put_reasons(&result->sides[0], out);
    put_verdicts(result, out);
    for (size_t i = 0; i < result->side_count; i++) {
        const struct rwd_backtest_side *side = &result->sides[i];
        put_pools(result, side, out);
        put_breaches(side, out);
        put_milestones(side, out);
        put_bars(side, out);
        if (side->error_count > 0) {
            rwd_buffer_put_format(out,
                "\n%s failed on %" PRIu64 " events; live, 5 failures in 100 calls suspend it. "
                "First: ",
                side->version, side->error_count);
            rwd_ctl_put_plain(out, rwd_text_of(side->first_error.text));
            rwd_buffer_put_char(out, '\n');
        }
    }
    put_winners(result, out);
}
