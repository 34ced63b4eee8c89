/*
 * rule: one version of one rule as plain data: everything of rule{...} but its functions.
 *
 * Written once by script/ when a file is loaded, then never changed and read by every shard.
 * Rules that can be refused by event name, active or where never enter Lua: those are here as data.
 */
#ifndef RWD_DOMAIN_RULE_H
#define RWD_DOMAIN_RULE_H

#include "base/digest.h"
#include "domain/event.h"
#include "domain/reward.h"
#include "domain/rule_kind.h"

enum {
    RWD_RULE_ID_SIZE_MAX = 64,
    RWD_RULE_VERSION_SIZE_MAX = 24,
    RWD_RULE_EVENT_COUNT_MAX = 16,
    RWD_RULE_MILESTONE_COUNT_MAX = 32,
    RWD_RULE_AGGREGATE_COUNT_MAX = 8,
    RWD_RULE_STATE_COUNT_MAX = 16,
    RWD_RULE_FORMULA_COUNT_MAX = 8,
    RWD_RULE_PATH_SIZE_MAX = 64,
    RWD_STATE_TEXT_SIZE_MAX = 64,
    RWD_ARM_NAME_SIZE_MAX = 32,
};

/* where = { geo = ..., ... }: each key a list; an absent key lets everything through. */
struct rwd_rule_where {
    struct rwd_text *geos;
    size_t geo_count;
    struct rwd_text *platforms;
    size_t platform_count;
    struct rwd_text *segments;
    size_t segment_count;
    struct rwd_text *currencies; /* of payload.currency */
    size_t currency_count;
    enum rwd_tristate payer; /* UNKNOWN: not asked */
    uint8_t weekday_mask;    /* bit 0 Monday .. bit 6 Sunday, UTC; 0: not asked */
    uint32_t hour_mask;      /* bit 0 .. 23, UTC; 0: not asked */
};

struct rwd_rule_milestone {
    uint64_t at; /* the user's total for the rule, over all its versions */
    struct rwd_reward reward;
};

enum rwd_aggregate_operation {
    RWD_AGGREGATE_COUNT,
    RWD_AGGREGATE_SUM,
    RWD_AGGREGATE_MIN,
    RWD_AGGREGATE_MAX,
    RWD_AGGREGATE_LAST,
};

/* 1m, 1h, 1d: the UTC minute, hour, day of the event time. 7d: that day and the six before it. */
enum rwd_window {
    RWD_WINDOW_MINUTE,
    RWD_WINDOW_HOUR,
    RWD_WINDOW_DAY,
    RWD_WINDOW_WEEK,
    RWD_WINDOW_ALL,
};

/* Counts the events that are in on, inside active, and pass where; the event itself included,
 * before when is asked. */
struct rwd_rule_aggregate {
    char name[RWD_RULE_PATH_SIZE_MAX];
    char path[RWD_RULE_PATH_SIZE_MAX]; /* "payload.bet"; "" for count */
    enum rwd_aggregate_operation operation;
    enum rwd_window window;
    /* SipHash with a zero key of "sum:payload.bet:1d": a new version with the same line goes on. */
    uint64_t key;
};

enum rwd_scalar_type {
    RWD_SCALAR_NIL,
    RWD_SCALAR_BOOLEAN,
    RWD_SCALAR_NUMBER,
    RWD_SCALAR_TEXT,
};

struct rwd_scalar {
    enum rwd_scalar_type type;
    bool boolean;
    double number;
    struct rwd_text text; /* borrowed; at most RWD_STATE_TEXT_SIZE_MAX bytes */
};

struct rwd_rule_state {
    char name[RWD_RULE_PATH_SIZE_MAX];
    struct rwd_scalar initial;
};

/* A formula's version that a rule names. Its file is kept beside the rule's own: every new VM of
 * the rule is made from the bytes it was loaded with. */
struct rwd_rule_formula {
    char id[RWD_RULE_ID_SIZE_MAX]; /* "formulas/win_multiple" */
    char version[RWD_RULE_VERSION_SIZE_MAX];
    char *source;
    size_t source_size;
};

enum { RWD_CAP_NONE_SET = -1 };

/* In which order a rule sees one player's events. */
enum rwd_rule_order {
    RWD_ORDER_ARRIVAL,
    RWD_ORDER_EVENT_TIME, /* each waits for the reorder window: domain/waiting.h */
};

struct rwd_experiment;

struct rwd_rule {
    char id[RWD_RULE_ID_SIZE_MAX];
    char version[RWD_RULE_VERSION_SIZE_MAX];
    uint8_t content_hash[RWD_SHA256_SIZE]; /* of the file's bytes */
    char *title;
    char *owner;
    char *source; /* the file, for new VMs */
    size_t source_size;
    char *source_name; /* "rules/points_winmult/2.0.0.lua", for messages */

    char on[RWD_RULE_EVENT_COUNT_MAX][RWD_RULE_ID_SIZE_MAX];
    size_t on_count;
    int64_t active_from_ms; /* half open: from <= event time < to */
    int64_t active_to_ms;
    struct rwd_rule_where where;
    int32_t priority; /* larger first; ties by id */
    enum rwd_rule_order order;

    bool has_when;
    bool has_score;
    bool has_grant;

    /* Points; RWD_CAP_NONE_SET: no such cap. */
    int64_t cap_per_event;
    int64_t cap_per_minute;
    int64_t cap_per_hour;
    int64_t cap_per_day;
    struct rwd_rule_milestone milestones[RWD_RULE_MILESTONE_COUNT_MAX]; /* by at, ascending */
    size_t milestone_count;

    struct rwd_rule_aggregate aggregates[RWD_RULE_AGGREGATE_COUNT_MAX];
    size_t aggregate_count;
    struct rwd_rule_state states[RWD_RULE_STATE_COUNT_MAX]; /* by name, ascending */
    size_t state_count;

    int kyc_min_level;            /* -1: not said, the kind's default holds */
    bool rg;                      /* guards.rg; true unless said otherwise */
    struct rwd_text *geo_allowed; /* guards.geo */
    size_t geo_allowed_count;
    char budget[RWD_RULE_ID_SIZE_MAX]; /* "": pays nothing */
    char experiment[RWD_RULE_ID_SIZE_MAX];
    struct rwd_rule_formula *formulas; /* owned */
    size_t formula_count;
    struct rwd_experiment *declares; /* owned; NULL but for an experiment's file: experiment.h */

    /* Numbers given once, when the version is registered, and kept for ever: what journal and
     * players call it. rule_no: one per id. version_no: one per (id, version). 0: not registered
     * yet. */
    uint32_t rule_no;
    uint32_t version_no;
    /* It failed too often: it keeps its place, is asked no more, and says so, until it is activated
     * again. */
    bool suspended;
};

void rwd_rule_destroy(struct rwd_rule *rule);

#endif
