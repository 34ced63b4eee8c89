/*
 * decision: what one input means for one player, as data that can be stored and applied again.
 *
 * decide makes one from an event, a task's command makes a small one; apply is the only reader that
 * changes a player, live and in replay. It carries results, never code: to replay a journal no rule
 * is run and no rule file is needed. For explain it also keeps one byte for every rule that was
 * asked.
 *
 * Ownership: everything hangs in the arena it was made or decoded in.
 */
#ifndef RWD_DOMAIN_DECISION_H
#define RWD_DOMAIN_DECISION_H

#include "domain/player.h"

/* Why a rule did or did not give anything. One byte in the journal: append only. */
enum rwd_rule_verdict {
    RWD_RULE_FIRED,
    RWD_RULE_NOT_ACTIVE,
    RWD_RULE_WHERE_GEO,
    RWD_RULE_WHERE_PLATFORM,
    RWD_RULE_WHERE_PAYER,
    RWD_RULE_WHERE_SEGMENT,
    RWD_RULE_WHERE_CURRENCY,
    RWD_RULE_WHERE_WEEKDAY,
    RWD_RULE_WHERE_HOUR,
    RWD_RULE_WHEN_FALSE,
    RWD_RULE_SCORE_ZERO,
    RWD_RULE_CAPPED, /* a cap left nothing */
    RWD_RULE_GRANT_NIL,
    RWD_RULE_ERROR,
    RWD_RULE_SUSPENDED,
    RWD_RULE_COUNTED,       /* no points and no grant of its own: aggregates or state only */
    RWD_RULE_OTHER_VERSION, /* another version of the rule is this player's; not asked */
    RWD_RULE_WAITING,       /* in event time: decided when the event is released */
    RWD_RULE_NOT_WAITING,   /* of a release: the rule did not wait for this event */
};
enum { RWD_RULE_VERDICT_COUNT = RWD_RULE_NOT_WAITING + 1 };
/* "where.geo"; never NULL. */
const char *rwd_rule_verdict_name(enum rwd_rule_verdict verdict);

enum rwd_cap {
    RWD_CAP_NONE,
    RWD_CAP_EVENT,
    RWD_CAP_MINUTE,
    RWD_CAP_HOUR,
    RWD_CAP_DAY,
};
const char *rwd_cap_name(enum rwd_cap cap);

struct rwd_aggregate_update {
    uint64_t key;
    enum rwd_aggregate_operation operation;
    enum rwd_window window;
    int64_t value;            /* count: 1; sum, min, max: scaled by 10^6 */
    struct rwd_scalar scalar; /* last */
};

/* Which counters beside the day's a rule's caps need: bits of rwd_rule_effect.counted. */
enum {
    RWD_COUNTED_BY_MINUTE = 1,
    RWD_COUNTED_BY_HOUR = 2,
};

/* What one rule gave. */
struct rwd_rule_effect {
    uint32_t rule_no;
    uint32_t version_no;
    uint64_t points_raw;
    uint64_t points;  /* after caps */
    enum rwd_cap cap; /* the last that clipped */
    uint8_t counted;
    bool has_state;
    struct rwd_text state; /* encoded; see rwd_state_encode */
    struct rwd_aggregate_update *updates;
    size_t update_count;
    uint64_t *milestones; /* that this event fired */
    size_t milestone_count;
    /* Of the rule's experiment, where it asked, or RWD_EXPERIMENT_HOLDOUT; empty: none, or not
     * asked. */
    struct rwd_text arm;
};

/* Why an event that waited was decided. One byte in the journal: append only. */
enum rwd_release {
    RWD_RELEASE_NONE,  /* not a release: the event's own decision, at its arrival */
    RWD_RELEASE_ORDER, /* the player's newest event is more than the reorder window ahead */
    RWD_RELEASE_TIME,  /* it, or one behind it in the order, came the reorder window ago */
    RWD_RELEASE_FULL,  /* too many wait */
};
enum { RWD_RELEASE_COUNT = RWD_RELEASE_FULL + 1 };
/* "order"; never NULL. */
const char *rwd_release_name(enum rwd_release release);

struct rwd_waiting_event; /* waiting.h */

/* The first time that a rule asked for this player's arm of an experiment. */
struct rwd_exposure {
    uint32_t experiment_no; /* its rule_no and version_no: an experiment is numbered as rules are */
    uint32_t version_no;
    struct rwd_text arm;     /* or RWD_EXPERIMENT_HOLDOUT: kept out of all of them */
    struct rwd_text stratum; /* "payer=yes,geo=TR,platform=ios", of what the experiment names */
};

/* A new status of a task the player already has. */
struct rwd_task_change {
    struct rwd_task_id id;
    enum rwd_task_status status;
    enum rwd_task_reason reason;
    uint32_t attempts;
    int64_t next_attempt_ms;
    char payout_id[RWD_PAYOUT_ID_SIZE_MAX + 1];
};

struct rwd_decision {
    bool late;        /* more than the reorder window behind the player's newest event */
    bool has_event;   /* false: a task's command */
    int64_t event_ms; /* with has_event */
    int64_t now_ms;   /* when it was decided, journal time */
    uint64_t event_fingerprint;
    enum rwd_release release; /* of an event that waited: its second decision */
    /* NULL: no rule waits. Its raw bytes are not encoded: they stand behind the decision in the
     * record, and whoever decodes it to apply it puts them in. */
    struct rwd_waiting_event *waits;
    const struct rwd_profile *profile; /* the new one; NULL: unchanged */
    uint32_t rulebook_no; /* whose rules, in its order for the event's name, verdicts speak of */
    const uint8_t *verdicts;
    size_t verdict_count;
    struct rwd_rule_effect *effects;
    size_t effect_count;
    struct rwd_task *tasks; /* new ones */
    size_t task_count;
    struct rwd_task_change *changes;
    size_t change_count;
    struct rwd_exposure *exposures;
    size_t exposure_count;
};

void rwd_decision_encode(const struct rwd_decision *decision, struct rwd_buffer *out);
/* CORRUPT: these bytes were not written by encode. LIMIT: the arena is full. */
RWD_MUST_USE enum rwd_status rwd_decision_decode(
    struct rwd_text bytes, struct rwd_arena *arena, struct rwd_decision *decision);
/* Does a rule wait, by an encoded decision? */
bool rwd_decision_waits(struct rwd_text bytes);

/* A rule's state as bytes: pairs of name and scalar, by name. decode fills values[i] for
 * rule->states[i], with the initial value where the bytes do not name it (another version may have
 * had other fields). */
void rwd_state_encode(
    const struct rwd_rule *rule, const struct rwd_scalar *values, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_state_decode(
    const struct rwd_rule *rule, struct rwd_text bytes, struct rwd_scalar *values);

#endif
