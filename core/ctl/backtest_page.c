#include "ctl/backtest_report.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { PLOT_WIDTH = 760, PLOT_HEIGHT = 180, LABEL_COUNT_MAX = 12 };

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;color:#1d2733;max-width:820px;margin:2rem auto;"
    "padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:right;"
    "border-bottom:1px solid #e3e8ee}td:first-child,th:first-child{text-align:left}"
    ".a{fill:#2563a8}.b{fill:#d98e2b}.key i{display:inline-block;width:.8em;height:.8em;"
    "margin:0 .4em 0 1em}.key "
    "i:first-child{margin-left:0}text{font-size:11px;fill:#5a6876}svg{width:100%;height:auto}"
    ".warn{background:#fdf1e0;padding:.5rem .8rem;border-left:4px solid #d98e2b}";

/* Text of a file or an event, made harmless. */
static void put_escaped(struct rwd_buffer *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        switch (*at) {
        case '&':
            rwd_buffer_put_string(out, "&amp;");
            break;
        case '<':
            rwd_buffer_put_string(out, "&lt;");
            break;
        case '>':
            rwd_buffer_put_string(out, "&gt;");
            break;
        case '"':
            rwd_buffer_put_string(out, "&quot;");
            break;
        default:
            rwd_buffer_put_char(out, *at);
            break;
        }
    }
}

/* ---- plots: bars side by side, one or two series over the same labels ---- */

struct plot {
    size_t count;
    size_t series_count;
    double (*value)(const struct rwd_backtest_result *result, size_t side, size_t index);
    void (*label)(const struct rwd_backtest_result *result, size_t index, struct rwd_buffer *out);
    const char *unit;
    unsigned digits;     /* behind the point */
    size_t first_series; /* whose colour the first has */
};

static double top_of(const struct rwd_backtest_result *result, const struct plot *plot)
{
    double top = 0;
    for (size_t side = 0; side < plot->series_count; side++) {
        for (size_t i = 0; i < plot->count; i++) {
            double value = plot->value(result, side, i);
            top = value > top ? value : top;
        }
    }
    return top;
}

static void put_plot(
    const struct rwd_backtest_result *result, const struct plot *plot, struct rwd_buffer *out)
{
    double top = top_of(result, plot);
    if (plot->count == 0 || top <= 0) {
        rwd_buffer_put_string(out, "<p>nothing</p>\n");
        return;
    }
    double slot = (double)PLOT_WIDTH / (double)plot->count;
    double width = slot * 0.8 / (double)plot->series_count;
    size_t every = (plot->count + LABEL_COUNT_MAX - 1) / LABEL_COUNT_MAX;
    rwd_buffer_put_format(
        out, "<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", PLOT_WIDTH, PLOT_HEIGHT + 36);
    rwd_buffer_put_format(
        out, "<text x=\"0\" y=\"11\">%.*f %s</text>\n", (int)plot->digits, top, plot->unit);
    for (size_t i = 0; i < plot->count; i++) {
        double left = slot * (double)i + slot * 0.1;
        for (size_t side = 0; side < plot->series_count; side++) {
            double value = plot->value(result, side, i);
            double height = value / top * (PLOT_HEIGHT - 20);
            rwd_buffer_put_format(out,
                "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>",
                plot->first_series + side == 0 ? "a" : "b", left + width * (double)side,
                PLOT_HEIGHT - height, width, height);
            plot->label(result, i, out);
            rwd_buffer_put_format(
                out, ": %.*f %s</title></rect>\n", (int)plot->digits, value, plot->unit);
        }
        if (i % every == 0) {
            rwd_buffer_put_format(out, "<text x=\"%.1f\" y=\"%d\">", left, PLOT_HEIGHT + 16);
            plot->label(result, i, out);
            rwd_buffer_put_string(out, "</text>\n");
        }
    }
    rwd_buffer_put_format(out,
        "<line x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"#5a6876\"/></svg>\n", PLOT_WIDTH,
        PLOT_HEIGHT, PLOT_HEIGHT);
}

/* Both sides saw the same events, so the days of side 0 are those of side 1 too. */
static const struct rwd_backtest_day *day_at(const struct rwd_backtest_side *side, int32_t day)
{
    for (size_t i = 0; i < side->day_count; i++) {
        if (side->days[i].day == day) {
            return &side->days[i];
        }
    }
    return NULL;
}

static double points_of_day(const struct rwd_backtest_result *result, size_t side, size_t index)
{
    const struct rwd_backtest_day *day =
        day_at(&result->sides[side], result->sides[0].days[index].day);
    return day != NULL ? (double)day->points : 0;
}

static double cost_of_day(const struct rwd_backtest_result *result, size_t side, size_t index)
{
    const struct rwd_backtest_side *rows = &result->sides[side];
    int32_t day = result->sides[0].days[index].day;
    int64_t cost_minor = 0;
    for (size_t i = 0; i < rows->pool_day_count; i++) {
        const struct rwd_backtest_pool_day *row = &rows->pool_days[i];
        cost_minor += row->day == day ? row->rule_cost_minor : 0;
    }
    double unit = 1;
    for (unsigned i = rwd_currency_exponent(rows->currency); i > 0; i--) {
        unit *= 10;
    }
    return (double)cost_minor / unit;
}

static void put_day_label(
    const struct rwd_backtest_result *result, size_t index, struct rwd_buffer *out)
{
    char day[RWD_DAY_TEXT_SIZE];
    rwd_backtest_day_text(result->sides[0].days[index].day, day);
    rwd_buffer_put_string(out, day);
}

static double players_of_bar(const struct rwd_backtest_result *result, size_t side, size_t index)
{
    return (double)result->sides[side].bars[index].player_count;
}

static void put_range(const struct rwd_backtest_bar *bar, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, "%" PRIu64, bar->from);
    if (bar->to > bar->from) {
        rwd_buffer_put_format(out, " to %" PRIu64, bar->to);
    }
}

static void put_bar_label(
    const struct rwd_backtest_result *result, size_t index, struct rwd_buffer *out)
{
    put_range(&result->sides[0].bars[index], out);
}

/* The two sides' bars may begin at different points: they are then drawn apart. */
static double players_of_other_bar(
    const struct rwd_backtest_result *result, size_t side, size_t index)
{
    (void)side;
    return (double)result->sides[1].bars[index].player_count;
}

static void put_other_bar_label(
    const struct rwd_backtest_result *result, size_t index, struct rwd_buffer *out)
{
    put_range(&result->sides[1].bars[index], out);
}

/* ---- the page ---- */

static void put_row(struct rwd_buffer *out, const struct rwd_backtest_result *result,
    const char *name, uint64_t a, uint64_t b)
{
    rwd_buffer_put_format(out, "<tr><td>%s</td><td>%" PRIu64 "</td>", name, a);
    if (result->side_count > 1) {
        rwd_buffer_put_format(
            out, "<td>%" PRIu64 "</td><td>%+" PRId64 "</td>", b, (int64_t)(a - b));
    }
    rwd_buffer_put_string(out, "</tr>\n");
}

static void put_sums(const struct rwd_backtest_result *result, struct rwd_buffer *out)
{
    const struct rwd_backtest_side *a = &result->sides[0];
    const struct rwd_backtest_side *b = &result->sides[1];
    rwd_buffer_put_format(out, "<table><tr><th></th><th>%s</th>", a->version);
    if (result->side_count > 1) {
        rwd_buffer_put_format(out, "<th>%s</th><th>difference</th>", b->version);
    }
    rwd_buffer_put_string(out, "</tr>\n");
    put_row(out, result, "players with something", a->player_count, b->player_count);
    put_row(out, result, "points", a->points, b->points);
    put_row(out, result, "rewards", a->reward_count, b->reward_count);
    put_row(out, result, "denied", a->by_status[RWD_TASK_DENIED], b->by_status[RWD_TASK_DENIED]);
    put_row(out, result, "held", a->by_status[RWD_TASK_HELD], b->by_status[RWD_TASK_HELD]);
    put_row(out, result, "rule errors", a->error_count, b->error_count);
    rwd_buffer_put_string(out, "<tr><td>cost</td>");
    for (size_t side = 0; side < result->side_count; side++) {
        rwd_buffer_put_string(out, "<td>");
        rwd_backtest_put_money(result->sides[side].cost_minor, result->sides[side].currency, out);
        rwd_buffer_put_format(out, " %s</td>", result->sides[side].currency.code);
    }
    if (result->side_count > 1) {
        rwd_buffer_put_string(out, "<td>");
        if (rwd_currency_equal(a->currency, b->currency)) {
            rwd_backtest_put_difference(a->cost_minor - b->cost_minor, a->currency, out);
        }
        rwd_buffer_put_string(out, "</td>");
    }
    rwd_buffer_put_string(out, "</tr></table>\n");
}

static void put_breaches(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    for (size_t i = 0; i < side->pool_count; i++) {
        const struct rwd_backtest_pool *pool = &side->pools[i];
        const struct rwd_backtest_breach *breaches[] = {&pool->soft, &pool->hard};
        for (size_t b = 0; b < 2; b++) {
            if (!breaches[b]->there) {
                continue;
            }
            char time[RWD_TIME_TEXT_SIZE];
            rwd_time_format(breaches[b]->event_ms, time);
            rwd_buffer_put_string(out, "<p class=\"warn\">");
            put_escaped(out, pool->terms.id);
            rwd_buffer_put_format(out, ", with %s: %s first at %s, event ", side->version,
                b == 0 ? "soft cap met, a large reward went to review"
                       : "hard cap met, a reward was refused",
                time);
            put_escaped(out, breaches[b]->event_id);
            rwd_buffer_put_string(out, " of player ");
            put_escaped(out, breaches[b]->user_id);
            rwd_buffer_put_string(out, "</p>\n");
        }
    }
}

static void put_pool_days(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out,
        "<h2>Cost by budget and day, all rules, with %s</h2>\n<table><tr><th>day</th>"
        "<th>budget</th><th>rewards</th><th>cost</th><th>by this rule</th><th>given back</th>"
        "</tr>\n",
        side->version);
    for (size_t i = 0; i < side->pool_day_count; i++) {
        const struct rwd_backtest_pool_day *row = &side->pool_days[i];
        const struct rwd_pool_terms *terms = &side->pools[row->pool_no - 1].terms;
        const int64_t sums[] = {row->cost_minor, row->rule_cost_minor, row->returned_minor};
        char day[RWD_DAY_TEXT_SIZE];
        rwd_backtest_day_text(row->day, day);
        rwd_buffer_put_format(out, "<tr><td>%s</td><td>", day);
        put_escaped(out, terms->id);
        rwd_buffer_put_format(out, "</td><td>%" PRIu64 "</td>", row->reward_count);
        for (size_t sum = 0; sum < 3; sum++) {
            rwd_buffer_put_string(out, "<td>");
            rwd_backtest_put_money(sums[sum], terms->currency, out);
            rwd_buffer_put_format(out, " %s</td>", terms->currency.code);
        }
        rwd_buffer_put_string(out, "</tr>\n");
    }
    rwd_buffer_put_string(out, "</table>\n");
}

static void put_milestones(const struct rwd_backtest_side *side, struct rwd_buffer *out)
{
    if (side->milestone_count == 0) {
        return;
    }
    rwd_buffer_put_format(out,
        "<h2>Milestones, with %s</h2>\n<table><tr><th>at</th><th>fired</th><th>held</th>"
        "<th>denied</th></tr>\n",
        side->version);
    for (size_t i = 0; i < side->milestone_count; i++) {
        const struct rwd_backtest_milestone *row = &side->milestones[i];
        rwd_buffer_put_format(out,
            "<tr><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64
            "</td></tr>\n",
            row->at, row->fired_count, row->held_count, row->denied_count);
    }
    rwd_buffer_put_string(out, "</table>\n");
}

static void put_players(const struct rwd_backtest_result *result, const char *title,
    const struct rwd_backtest_player *players, size_t count, struct rwd_buffer *out)
{
    if (count == 0) {
        return;
    }
    rwd_buffer_put_format(out, "<h2>%s</h2>\n<table><tr><th>player</th>", title);
    for (size_t side = 0; side < result->side_count; side++) {
        rwd_buffer_put_format(out, "<th>points, %s</th><th>cost, %s</th>",
            result->sides[side].version, result->sides[side].version);
    }
    rwd_buffer_put_string(out, "</tr>\n");
    for (size_t i = 0; i < count; i++) {
        rwd_buffer_put_string(out, "<tr><td>");
        put_escaped(out, players[i].user_id);
        rwd_buffer_put_string(out, "</td>");
        for (size_t side = 0; side < result->side_count; side++) {
            rwd_buffer_put_format(out, "<td>%" PRIu64 "</td><td>", players[i].points[side]);
            rwd_backtest_put_money(players[i].cost_minor[side], result->sides[side].currency, out);
            rwd_buffer_put_string(out, "</td>");
        }
        rwd_buffer_put_string(out, "</tr>\n");
    }
    rwd_buffer_put_string(out, "</table>\n");
}

static void put_plots(const struct rwd_backtest_result *result, struct rwd_buffer *out)
{
    const struct rwd_backtest_side *a = &result->sides[0];
    const struct plot cost = {a->day_count, result->side_count, cost_of_day, put_day_label,
        a->currency.code, rwd_currency_exponent(a->currency), 0};
    const struct plot points = {
        a->day_count, result->side_count, points_of_day, put_day_label, "points", 0, 0};
    const struct plot spread = {a->bar_count, 1, players_of_bar, put_bar_label, "players", 0, 0};
    const struct plot other = {
        result->sides[1].bar_count, 1, players_of_other_bar, put_other_bar_label, "players", 0, 1};
    rwd_buffer_put_string(out, "<h2>Cost of the rule by day</h2>\n");
    put_plot(result, &cost, out);
    rwd_buffer_put_string(out, "<h2>Points by day</h2>\n");
    put_plot(result, &points, out);
    rwd_buffer_put_format(out, "<h2>Players by their points, with %s</h2>\n", a->version);
    put_plot(result, &spread, out);
    if (result->side_count > 1) {
        rwd_buffer_put_format(
            out, "<h2>Players by their points, with %s</h2>\n", result->sides[1].version);
        put_plot(result, &other, out);
    }
}

void rwd_backtest_put_page(const struct rwd_backtest_result *result, struct rwd_buffer *out)
{
    char first[RWD_TIME_TEXT_SIZE];
    char last[RWD_TIME_TEXT_SIZE];
    char versions[2 * RWD_RULE_VERSION_SIZE_MAX + 16];
    rwd_time_format(result->first_event_ms, first);
    rwd_time_format(result->last_event_ms, last);
    (void)snprintf(versions, sizeof versions, "%s%s%s", result->sides[0].version,
        result->side_count > 1 ? " against " : "",
        result->side_count > 1 ? result->sides[1].version : "");
    rwd_buffer_put_format(out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Backtest of %s "
        "%s</title>\n<style>%s</style></head><body>\n<h1>Backtest of %s %s</h1>\n",
        result->rule_id, versions, style, result->rule_id, versions);
    rwd_buffer_put_format(out,
        "<p>%" PRIu64 " events of %" PRIu64 " players, %s to %s; other rules beside it: %zu.</p>\n",
        result->event_count, result->player_count, first, last, result->other_rule_count);
    if (result->side_count > 1) {
        rwd_buffer_put_format(out,
            "<p class=\"key\"><i style=\"background:#2563a8\"></i>%s<i "
            "style=\"background:#d98e2b\"></i>%s</p>\n",
            result->sides[0].version, result->sides[1].version);
    }
    put_sums(result, out);
    if (result->side_count > 1) {
        rwd_buffer_put_format(out,
            "<p>%" PRIu64 " players win, %" PRIu64 " lose, %" PRIu64 " have the same.</p>\n",
            result->winner_count, result->loser_count, result->same_count);
    }
    for (size_t side = 0; side < result->side_count; side++) {
        put_breaches(&result->sides[side], out);
    }
    put_plots(result, out);
    for (size_t side = 0; side < result->side_count; side++) {
        put_milestones(&result->sides[side], out);
        put_pool_days(&result->sides[side], out);
    }
    put_players(result, "Who wins most", result->winners, result->winners_shown, out);
    put_players(result, "Who loses most", result->losers, result->losers_shown, out);
    rwd_buffer_put_string(out, "</body></html>\n");
}
