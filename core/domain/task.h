/*
 * task: one reward on its way to one player, from grant to payout.
 *
 *   pending -> held | dispatching -> succeeded | failed | denied | expired | cancelled
 *
 * Its id derives from the cause (rule id, user, milestone or event), so the same cause can never
 * make a second task, and it is the idempotency key towards the partner on every retry.
 *
 * Owner: the player it belongs to, thus one shard. The dispatcher holds copies and asks before it
 * acts.
 */
#ifndef RWD_DOMAIN_TASK_H
#define RWD_DOMAIN_TASK_H

#include "domain/country.h"
#include "domain/event.h"
#include "domain/reward.h"
#include "domain/rule.h"

enum rwd_task_status {
    RWD_TASK_PENDING,
    RWD_TASK_HELD,
    RWD_TASK_DISPATCHING,
    RWD_TASK_SUCCEEDED,
    RWD_TASK_FAILED,
    RWD_TASK_DENIED,
    RWD_TASK_EXPIRED,
    RWD_TASK_CANCELLED,
};
enum { RWD_TASK_STATUS_COUNT = RWD_TASK_CANCELLED + 1 };

enum rwd_task_reason {
    RWD_REASON_NONE,
    RWD_REASON_SELF_EXCLUDED,
    RWD_REASON_COOL_OFF,
    RWD_REASON_DEPOSIT_LIMIT,
    RWD_REASON_KYC_LEVEL,
    RWD_REASON_GEO_UNKNOWN,
    RWD_REASON_GEO_NOT_ALLOWED,
    RWD_REASON_BUDGET_HARD_CAP,
    RWD_REASON_BUDGET_REVIEW, /* large reward above the soft cap: a person decides */
    RWD_REASON_BUDGET_UNKNOWN,
    RWD_REASON_BUDGET_CURRENCY, /* the reward's cost is in another currency than the pool's */
    RWD_REASON_PRICE_UNKNOWN,
    RWD_REASON_PAYOUT_MISMATCH, /* partner named another payout for the same request: alert */
    RWD_REASON_PARTNER_REFUSED, /* 4xx that is not to be retried */
    RWD_REASON_ATTEMPTS_USED_UP,
    RWD_REASON_REJECTED, /* by a person */
    RWD_REASON_APPROVED, /* by a person */
    RWD_REASON_RETRY,
    RWD_REASON_HOLD_EXPIRED,
};
enum { RWD_TASK_REASON_COUNT = RWD_REASON_HOLD_EXPIRED + 1 };

const char *rwd_task_status_name(enum rwd_task_status status);
RWD_MUST_USE enum rwd_status rwd_task_status_parse(
    struct rwd_text name, enum rwd_task_status *status);
const char *rwd_task_reason_name(enum rwd_task_reason reason);
/* May a task go from one to the other? The only table of it. */
bool rwd_task_status_allowed(enum rwd_task_status from, enum rwd_task_status to);

enum {
    RWD_TASK_ID_SIZE = 16,
    RWD_TASK_ID_TEXT_SIZE = 3 + 2 * RWD_TASK_ID_SIZE + 1, /* "rt_", hex, NUL */
    RWD_PAYOUT_ID_SIZE_MAX = 64,
    RWD_SCHEMA_ID_SIZE_MAX = RWD_EVENT_NAME_SIZE_MAX + 1 + RWD_EVENT_VERSION_SIZE_MAX,
};

struct rwd_task_id {
    uint8_t bytes[RWD_TASK_ID_SIZE];
};

/* What the store's sums have of a task: its budget's, and its rule version's. */
struct rwd_task_known {
    uint8_t budget; /* enum rwd_task_budget */
    bool given;
    bool held;
};

struct rwd_task {
    struct rwd_task_id id;
    uint32_t rule_no;
    uint32_t version_no;
    uint64_t threshold; /* the milestone; 0: granted by the event itself */
    char event_id[RWD_EVENT_ID_SIZE_MAX + 1];
    /* The event's schema, "bet/1.2.0", and the experiment (a version of it) whose arm the rule was
     * told. "" and 0: in no arm, or granted before tasks said so. */
    char schema_id[RWD_SCHEMA_ID_SIZE_MAX + 1];
    uint32_t experiment_version_no;
    char arm[RWD_ARM_NAME_SIZE_MAX];
    struct rwd_reward reward; /* cost filled in */
    uint32_t pool_no;         /* 0: costs nothing */
    int32_t pool_period;      /* which period of the pool the cost is charged to */
    /* What its rule's guards ask, settled when it was granted: the rule may be gone when it is
     * delivered. */
    uint8_t kyc_min_level;
    bool rg_waived;                     /* guards.rg = false, and it costs nothing */
    struct rwd_country_set geo_allowed; /* guards.geo; empty: the rule does not ask */
    bool approved;                      /* a person has let it go: it wants no second review */
    bool sent_before; /* it failed and was taken up again: attempts begin anew, payments do not */
    enum rwd_task_status status;
    enum rwd_task_reason reason;
    uint32_t attempts;       /* deliveries begun */
    int64_t next_attempt_ms; /* pending: not before; held: look again then, 0 never by time alone */
    int64_t created_ms;
    int64_t updated_ms;
    char payout_id[RWD_PAYOUT_ID_SIZE_MAX + 1]; /* the partner's first answer */
    /* Not stored: changed since the last checkpoint took it, and what that one told the store. */
    bool dirty;
    struct rwd_task_known known;
};

/* What a task means to its pool: follows from the task alone. */
enum rwd_task_budget {
    RWD_BUDGET_NOTHING, /* not known to the pool yet, or void */
    RWD_BUDGET_RESERVED,
    RWD_BUDGET_SPENT,
};
enum rwd_task_budget rwd_task_budget_of(const struct rwd_task *task);
/* Given: paid, on its way however long it is held, or failed while it may be paid. */
struct rwd_task_known rwd_task_known_of(const struct rwd_task *task);

/* Nothing is to come: its reservation is posted or void, and it leaves its player. A failed one is
 * a dead letter and may be taken up again; while it may be paid it stays, as does its money. */
bool rwd_task_settled(const struct rwd_task *task);

/* A request for it has left for the partner, and its answer was no clear refusal. Neither time nor
 * failure gives its money back: a person does, who has asked the partner. */
bool rwd_task_may_be_paid(const struct rwd_task *task);

/* First 16 bytes of SHA-256("rewardd.task\0" rule_id "\0" user_id "\0" "m" threshold | "e" event_ms
 * ":" event_id). The time is part of the cause: an id that comes again when its first event has
 * left the dedupe window is another event, and must not take the first one's task. */
struct rwd_task_id rwd_task_id_of_milestone(
    struct rwd_text rule_id, struct rwd_text user_id, uint64_t threshold);
struct rwd_task_id rwd_task_id_of_event(
    struct rwd_text rule_id, struct rwd_text user_id, struct rwd_text event_id, int64_t event_ms);
void rwd_task_id_format(struct rwd_task_id id, char out[RWD_TASK_ID_TEXT_SIZE]);
RWD_MUST_USE enum rwd_status rwd_task_id_parse(struct rwd_text text, struct rwd_task_id *id);
struct rwd_wire;
void rwd_task_encode(const struct rwd_task *task, struct rwd_buffer *out);
/* Failure shows in wire->failed. */
void rwd_task_decode(struct rwd_wire *wire, struct rwd_task *task);
static inline bool rwd_task_id_equal(struct rwd_task_id a, struct rwd_task_id b)
{
    return __builtin_memcmp(a.bytes, b.bytes, RWD_TASK_ID_SIZE) == 0;
}

#endif
