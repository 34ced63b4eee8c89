/*
 * ramp: a plan by which a canary's share grows by itself, and the guards that hold it or take it
 * back.
 *
 * Pure: what was counted and what time it is come in, a verdict goes out. The keeper asks, journals
 * what follows, and does it. Counts are of the step in force alone: each step is judged by itself,
 * against the version that is to be replaced, over the same time and the same events.
 */
#ifndef RWD_ENGINE_RAMP_H
#define RWD_ENGINE_RAMP_H

#include "base/text.h"

enum {
    RWD_RAMP_STEP_COUNT_MAX = 16,
    RWD_RAMP_WHY_SIZE_MAX = 192,
    RWD_RAMP_EVERY_MS_MIN = 100,
    /* Fewer rewards than this tell nothing of money or holds. */
    RWD_RAMP_TASK_COUNT_MIN = 20,
    /* Below it one call's cost is noise of the clock and the caches, whatever the ratio. */
    RWD_RAMP_COST_FLOOR_NS = 20000,
};

enum rwd_ramp_state {
    RWD_RAMP_NONE,
    RWD_RAMP_RUNNING,
    RWD_RAMP_HELD, /* a guard: the share stays, until somebody ramps or activates it */
    RWD_RAMP_DONE,
    RWD_RAMP_ROLLED_BACK, /* a guard, or a person */
    RWD_RAMP_STOPPED,     /* a person set the share by hand */
};
const char *rwd_ramp_state_name(enum rwd_ramp_state state);

/* 0: that guard is off. */
struct rwd_ramp_guards {
    uint32_t call_count_min;      /* of the canary in a step, before it is judged or grows */
    uint32_t error_per_mille_max; /* more: back */
    uint32_t money_percent_max;   /* of what the other version gives a player an hour; more: back */
    uint32_t cost_percent_max;    /* of the other version's p99; more: hold */
    uint32_t held_points_max;     /* per cent of rewards held above the other's; more: hold */
    bool srm;                     /* players must divide as the share says; else hold */
};
/* 100 calls; 1 % errors; 150 % money; 200 % cost; 10 points of holds; SRM at p < 0.001. */
struct rwd_ramp_guards rwd_ramp_guards_default(void);

struct rwd_ramp {
    enum rwd_ramp_state state;
    uint32_t steps[RWD_RAMP_STEP_COUNT_MAX]; /* per cent, ascending */
    uint32_t step_count;
    uint32_t step; /* the one in force */
    int64_t every_ms;
    int64_t since_ms; /* when that step began */
    struct rwd_ramp_guards guards;
    char why[RWD_RAMP_WHY_SIZE_MAX]; /* of the state: which guard, or who */
};

/* One version in one step. */
struct rwd_ramp_side {
    uint64_t calls;
    uint64_t errors;
    uint64_t cost_p99_ns; /* since it was loaded; 0: not known */
    uint64_t users;       /* of the sample, see user_sample.h */
    uint64_t tasks;
    uint64_t tasks_held;
    int64_t money_minor;
};

enum rwd_ramp_verdict {
    RWD_RAMP_WAIT,
    RWD_RAMP_GROW, /* the next step is due */
    RWD_RAMP_HOLD,
    RWD_RAMP_ROLL_BACK,
};

/* A plan as somebody asked for it, with the default guards. INVALID: not 1 to 16 shares from 1 to
 * 100, ascending, or every_ms below its least. */
RWD_MUST_USE enum rwd_status rwd_ramp_plan(const int64_t *steps, size_t count, int64_t every_ms,
    struct rwd_ramp *ramp, struct rwd_error *error);

/* base NULL: no version is being replaced, and nothing compared. A held ramp can still be taken
 * back. *why is set for HOLD and ROLL_BACK. */
enum rwd_ramp_verdict rwd_ramp_judge(const struct rwd_ramp *ramp,
    const struct rwd_ramp_side *canary, const struct rwd_ramp_side *base, int64_t now_ms,
    char why[RWD_RAMP_WHY_SIZE_MAX]);

/* How the ramp stands, as the journal and the store keep it: one JSON object; nothing for NONE. */
void rwd_ramp_encode(const struct rwd_ramp *ramp, struct rwd_buffer *out);
/* CORRUPT: not written by encode. An empty text is no ramp. */
RWD_MUST_USE enum rwd_status rwd_ramp_decode(struct rwd_text text, struct rwd_ramp *ramp);

#endif
