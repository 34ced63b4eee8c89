/*
 * result: what a backtest found, as plain data: for text, JSON and pages alike.
 *
 * A side is one book on all the events: the version that was asked about is side 0, the one it is
 * compared with side 1. "The rule" is always the one that was asked about; a side's money counts
 * all rules of its book, with the rule's own part beside it.
 *
 * Pure data; nothing in it depends on the number of threads.
 */
#ifndef RWD_BACKTEST_RESULT_H
#define RWD_BACKTEST_RESULT_H

#include "domain/decision.h"
#include "domain/pool.h"

enum {
    RWD_BACKTEST_PLAYER_COUNT_MAX = 8 * 1024 * 1024,
    RWD_BACKTEST_TOP_COUNT_MAX = 10,
    RWD_BACKTEST_BAR_COUNT_MAX = 32,
    RWD_BACKTEST_SIDE_COUNT_MAX = 2,
};

/* One UTC day of one pool, by event time. */
struct rwd_backtest_pool_day {
    uint32_t pool_no;
    int32_t day; /* since 1970 */
    uint64_t reward_count;
    int64_t cost_minor;      /* granted, held ones included */
    int64_t rule_cost_minor; /* the rule's part of it */
    int64_t returned_minor;  /* given back that day: rejected, expired, failed, denied later */
};

struct rwd_backtest_day {
    int32_t day;
    uint64_t event_count; /* that the rule was asked about */
    uint64_t points;
};

/* One period of a pool, as it stood at the end. */
struct rwd_backtest_pool_period {
    uint32_t pool_no;
    int32_t period;
    struct rwd_pool_sums sums;
};

struct rwd_backtest_milestone {
    uint64_t at;
    uint64_t fired_count;
    uint64_t held_count; /* of the fired ones */
    uint64_t denied_count;
};

/* The first event that met a cap of a pool. */
struct rwd_backtest_breach {
    bool there;
    uint64_t event_no; /* in the order of the source, from 1 */
    int64_t event_ms;
    int64_t cost_minor;
    char event_id[RWD_EVENT_ID_SIZE_MAX + 1];
    char user_id[RWD_USER_ID_SIZE_MAX + 1];
    char rule_id[RWD_RULE_ID_SIZE_MAX]; /* whose reward it was */
};

struct rwd_backtest_pool {
    struct rwd_pool_terms terms;     /* caps: those it had in the end */
    struct rwd_backtest_breach soft; /* a large reward went to review */
    struct rwd_backtest_breach hard; /* a reward was refused */
};

/* Points per player who has any: players with from <= points <= to. */
struct rwd_backtest_bar {
    uint64_t from;
    uint64_t to;
    uint64_t player_count;
};

struct rwd_backtest_side {
    char version[RWD_RULE_VERSION_SIZE_MAX];
    char budget[RWD_RULE_ID_SIZE_MAX]; /* of the rule; "": it pays nothing */
    uint32_t budget_pool_no;           /* 0: there is no such budget */
    struct rwd_currency currency;      /* of that pool */
    uint64_t verdicts[RWD_RULE_VERDICT_COUNT];
    uint64_t points;
    uint64_t points_raw;                       /* before caps */
    uint64_t player_count;                     /* with points or a reward from the rule */
    uint64_t reward_count;                     /* the rule's tasks, denied ones included */
    uint64_t by_status[RWD_TASK_STATUS_COUNT]; /* as decided */
    uint64_t by_reason[RWD_TASK_REASON_COUNT];
    int64_t cost_minor; /* of the rule's tasks that were not denied */
    uint64_t error_count;
    uint64_t first_error_no; /* which event, in the order of the source */
    struct rwd_error first_error;
    uint64_t points_median, points_p90, points_p99, points_max; /* of players who have any */
    struct rwd_backtest_bar bars[RWD_BACKTEST_BAR_COUNT_MAX];
    size_t bar_count;
    struct rwd_backtest_milestone *milestones;
    size_t milestone_count;
    struct rwd_backtest_day *days;
    size_t day_count;
    struct rwd_backtest_pool_day *pool_days;
    size_t pool_day_count;
    struct rwd_backtest_pool_period *periods;
    size_t period_count;
    struct rwd_backtest_pool *pools; /* by pool_no - 1 */
    size_t pool_count;
};

/* What a player has from the rule on either side; side 1 is zero where there is one side. */
struct rwd_backtest_player {
    char user_id[RWD_USER_ID_SIZE_MAX + 1];
    uint64_t points[RWD_BACKTEST_SIDE_COUNT_MAX];
    int64_t cost_minor[RWD_BACKTEST_SIDE_COUNT_MAX];
    uint64_t reward_count[RWD_BACKTEST_SIDE_COUNT_MAX]; /* not denied */
};

struct rwd_backtest_result {
    char rule_id[RWD_RULE_ID_SIZE_MAX];
    size_t other_rule_count;
    uint64_t event_count;  /* decided */
    uint64_t before_count; /* before since: for the players' state alone */
    uint64_t after_count;  /* at or after until: not looked at */
    uint64_t duplicate_count;
    uint64_t late_count;              /* refused: further behind than the dedupe window */
    uint64_t command_count;           /* task commands of the journal that were carried out */
    uint64_t command_unmatched_count; /* on tasks that side 0 has not */
    int64_t first_event_ms;           /* by event time, of those decided */
    int64_t last_event_ms;
    uint64_t player_count;
    struct rwd_backtest_side sides[RWD_BACKTEST_SIDE_COUNT_MAX];
    size_t side_count;
    /* Money decides, then points; money is compared where both sides' is of one currency. Against
     * nothing, who has anything is a winner. */
    uint64_t winner_count;
    uint64_t loser_count;
    uint64_t same_count;
    struct rwd_backtest_player winners[RWD_BACKTEST_TOP_COUNT_MAX]; /* most first */
    size_t winners_shown;
    struct rwd_backtest_player losers[RWD_BACKTEST_TOP_COUNT_MAX];
    size_t losers_shown;
    uint32_t thread_count; /* of these the result knows nothing else */
    int64_t elapsed_ns;
};

void rwd_backtest_result_free(struct rwd_backtest_result *result);

#endif
