#include "backtest/compare.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct comparing {
    struct rwd_backtest_result *result;
    uint32_t rule_no;
    bool same_currency;
    uint64_t *points[RWD_BACKTEST_SIDE_COUNT_MAX]; /* of players who have any */
    size_t count[RWD_BACKTEST_SIDE_COUNT_MAX];
    size_t capacity[RWD_BACKTEST_SIDE_COUNT_MAX];
};

static int64_t difference_of_points(const struct rwd_backtest_player *player)
{
    return (int64_t)player->points[0] - (int64_t)player->points[1];
}

static int64_t difference_of_cost(
    const struct comparing *comparing, const struct rwd_backtest_player *player)
{
    return comparing->same_currency ? player->cost_minor[0] - player->cost_minor[1] : 0;
}

/* Above 0: a won more than b. Ties by name, so that the list is the same on every run. */
static int compare_gain(const struct comparing *comparing, const struct rwd_backtest_player *a,
    const struct rwd_backtest_player *b)
{
    int64_t cost_a = difference_of_cost(comparing, a);
    int64_t cost_b = difference_of_cost(comparing, b);
    if (cost_a != cost_b) {
        return cost_a > cost_b ? 1 : -1;
    }
    int64_t points_a = difference_of_points(a);
    int64_t points_b = difference_of_points(b);
    return points_a != points_b ? (points_a > points_b ? 1 : -1) : 0;
}

/* Keeps the list's best, best first; sign 1: who gained most, -1: who lost most. */
static void keep_top(const struct comparing *comparing, struct rwd_backtest_player *list,
    size_t *count, const struct rwd_backtest_player *player, int sign)
{
    size_t at = *count;
    while (at > 0) {
        int order = sign * compare_gain(comparing, player, &list[at - 1]);
        if (order < 0 || (order == 0 && strcmp(player->user_id, list[at - 1].user_id) > 0)) {
            break;
        }
        at--;
    }
    if (at == RWD_BACKTEST_TOP_COUNT_MAX) {
        return;
    }
    size_t moved = (*count < RWD_BACKTEST_TOP_COUNT_MAX ? *count : *count - 1) - at;
    memmove(&list[at + 1], &list[at], moved * sizeof list[0]);
    list[at] = *player;
    *count += *count < RWD_BACKTEST_TOP_COUNT_MAX;
}

static void add_points(struct comparing *comparing, size_t side, uint64_t points)
{
    comparing->points[side] = rwd_room_for(
        comparing->points[side], comparing->count[side], &comparing->capacity[side], sizeof points);
    comparing->points[side][comparing->count[side]++] = points;
}

static void visit(void *context, const struct rwd_backtest_user *user)
{
    struct comparing *comparing = context;
    struct rwd_backtest_result *result = comparing->result;
    struct rwd_backtest_player player = {0};
    for (size_t side = 0; side < result->side_count; side++) {
        const struct rwd_player_rule *rule =
            rwd_player_rule_find(user->players[side], comparing->rule_no);
        player.points[side] = rule != NULL ? rule->total : 0;
        player.cost_minor[side] = user->cost_minor[side];
        player.reward_count[side] = user->reward_count[side];
        if (player.points[side] > 0) {
            add_points(comparing, side, player.points[side]);
        }
        result->sides[side].player_count +=
            player.points[side] > 0 || player.reward_count[side] > 0;
    }
    result->player_count++;
    bool has_any = player.points[0] > 0 || player.reward_count[0] > 0;
    const struct rwd_backtest_player nothing = {0};
    int gain = compare_gain(comparing, &player, &nothing);
    if (gain == 0 && result->side_count == 1 && has_any) {
        gain = 1; /* a badge costs nothing and is something */
    }
    if (gain == 0) {
        result->same_count++;
        return;
    }
    (void)snprintf(player.user_id, sizeof player.user_id, "%.*s",
        RWD_TEXT_ARGS(rwd_player_user_id(user->players[0])));
    if (gain > 0) {
        result->winner_count++;
        keep_top(comparing, result->winners, &result->winners_shown, &player, 1);
    } else {
        result->loser_count++;
        keep_top(comparing, result->losers, &result->losers_shown, &player, -1);
    }
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* The value that a part of 1000 of all are at or below. */
static uint64_t quantile(const uint64_t *sorted, size_t count, size_t per_mille)
{
    size_t rank = (count * per_mille + 999) / 1000;
    return sorted[rank > 0 ? rank - 1 : 0];
}

/* 1, 2, 5, 10, 20, 50, ... */
static uint64_t next_bound(uint64_t bound)
{
    uint64_t ten = 1;
    while (ten <= bound / 10) {
        ten *= 10;
    }
    return bound / ten == 2 ? ten * 5 : bound / ten == 5 ? ten * 10 : ten * 2;
}

static void spread(struct rwd_backtest_side *side, uint64_t *points, size_t count)
{
    if (count == 0) {
        return;
    }
    qsort(points, count, sizeof points[0], compare_u64);
    side->points_median = quantile(points, count, 500);
    side->points_p90 = quantile(points, count, 900);
    side->points_p99 = quantile(points, count, 990);
    side->points_max = points[count - 1];
    uint64_t from = 1;
    for (size_t i = 0; i < count && side->bar_count < RWD_BACKTEST_BAR_COUNT_MAX;) {
        uint64_t next = next_bound(from);
        bool last = side->bar_count == RWD_BACKTEST_BAR_COUNT_MAX - 1;
        struct rwd_backtest_bar bar = {.from = from, .to = last ? UINT64_MAX : next - 1};
        while (i < count && points[i] <= bar.to) {
            bar.player_count++;
            i++;
        }
        from = next;
        /* Bars begin where the first player is. */
        if (side->bar_count > 0 || bar.player_count > 0) {
            side->bars[side->bar_count++] = bar;
        }
    }
}

void rwd_backtest_compare(const struct rwd_backtest_crowd *const *crowds, size_t crowd_count,
    uint32_t rule_no, struct rwd_backtest_result *result)
{
    struct comparing comparing = {.result = result,
        .rule_no = rule_no,
        .same_currency = result->side_count == 1 ||
                         rwd_currency_equal(result->sides[0].currency, result->sides[1].currency)};
    for (size_t i = 0; i < crowd_count; i++) {
        rwd_backtest_crowd_each(crowds[i], visit, &comparing);
    }
    for (size_t side = 0; side < result->side_count; side++) {
        spread(&result->sides[side], comparing.points[side], comparing.count[side]);
        rwd_free(comparing.points[side]);
    }
}
