/*
 * tally: what the users of every experiment did, summed a user, from decisions and events as the
 * journal has them.
 *
 * A projection: the same journal gives the same sums, so it can be thrown away and made anew. A
 * user counts from the first exposure on, the event of the exposure included; what happened in the
 * two weeks before the experiment began is kept apart, for CUPED. Those who are held out count the
 * same way, from the record of it on, under RWD_EXPERIMENT_HOLDOUT as their arm. What is asked of
 * the sums is report.h's.
 *
 * Which metrics are summed says the newest version that was in force. One with other metrics needs
 * the journal from its beginning: the tally then says so (rwd_tally_missed) and is fed again.
 *
 * Threads:   its owner's.
 * Ownership: create/destroy; copies what it keeps.
 */
#ifndef RWD_EXPERIMENT_TALLY_H
#define RWD_EXPERIMENT_TALLY_H

#include "domain/decision.h"
#include "domain/experiment.h"

enum {
    RWD_TALLY_EXPERIMENT_COUNT_MAX = 256,
    RWD_TALLY_ARM_COUNT_MAX = 16, /* over all versions of one, the holdout among them */
    RWD_TALLY_STRATUM_COUNT_MAX = 128,
    RWD_TALLY_STRATUM_SIZE_MAX = 96,
    RWD_TALLY_VERSION_COUNT_MAX = 64,
    RWD_TALLY_USER_COUNT_MAX =
        2000000, /* of one experiment; the rest is not counted, and said so */
    RWD_TALLY_BEFORE_DAYS = 14,
    /* The house's own guardrails, behind the primary and the declared ones. */
    RWD_TALLY_COMPLAINTS = 0, /* feedback with a rating of 2 or less */
    RWD_TALLY_FRAUD,          /* users with a risk flag: who plays more is not flagged more */
    RWD_TALLY_RG,             /* self-exclusions, cool-offs, deposit limits reached */
    RWD_TALLY_HOUSE_COUNT,
    RWD_TALLY_METRIC_COUNT_MAX = 1 + RWD_EXPERIMENT_GUARDRAIL_COUNT_MAX + RWD_TALLY_HOUSE_COUNT,
};

struct rwd_tally_sum {
    double y;
    double x; /* what a ratio divides by */
};

struct rwd_tally_user {
    uint64_t fingerprint;
    int64_t exposed_ms;
    uint32_t arm;
    struct rwd_tally_sum sums[]; /* metric_count */
};

/* Users by fingerprint: open addressing, rows of one size, a fingerprint of 0 is free. */
struct rwd_tally_table {
    char *rows;
    size_t row_size;
    size_t slot_count; /* a power of two, or 0 */
    size_t count;
    bool cut; /* somebody did not fit any more */
};

struct rwd_tally_stratum {
    char name[RWD_TALLY_STRATUM_SIZE_MAX];
    uint64_t counts[RWD_TALLY_ARM_COUNT_MAX];
    double expected[RWD_TALLY_ARM_COUNT_MAX];
};

struct rwd_tally_weights {
    uint32_t version_no;
    double weights[RWD_TALLY_ARM_COUNT_MAX];
};

struct rwd_tally_experiment {
    uint32_t experiment_no;
    char version[RWD_RULE_VERSION_SIZE_MAX]; /* whose terms hold */
    struct rwd_experiment terms;
    int64_t begin_ms; /* active.from, or when the first version was registered */
    int64_t registered_ms;
    bool missed; /* needs the journal from its beginning */
    size_t metric_count;
    size_t arm_count;
    char arms[RWD_TALLY_ARM_COUNT_MAX][RWD_ARM_NAME_SIZE_MAX];
    size_t version_count;
    struct rwd_tally_weights versions[RWD_TALLY_VERSION_COUNT_MAX];
    uint64_t exposures;             /* to arms */
    struct rwd_tally_stratum whole; /* all users, whatever their stratum */
    size_t stratum_count;
    struct rwd_tally_stratum strata[RWD_TALLY_STRATUM_COUNT_MAX];
    bool strata_cut;
    struct rwd_tally_table users;
    struct rwd_tally_table before; /* struct rwd_tally_user with the primary's sum alone */
};

struct rwd_tally;

struct rwd_tally *rwd_tally_create(void);
void rwd_tally_destroy(struct rwd_tally *tally);

/* A version of an experiment as the journal has it: declares is set, and so are its numbers. LIMIT:
 * there are too many experiments; this one is not counted. */
RWD_MUST_USE enum rwd_status rwd_tally_version(
    struct rwd_tally *tally, const struct rwd_rule *rule, bool in_force, int64_t registered_ms);

/* Is anything of this event worth being read? */
bool rwd_tally_wants(
    const struct rwd_tally *tally, uint64_t user_fingerprint, const struct rwd_decision *decision);
/* Records in the journal's order. only: for this experiment alone, which is fed again; NULL: for
 * all that have missed nothing. */
void rwd_tally_event(struct rwd_tally *tally, struct rwd_tally_experiment *only,
    uint64_t user_fingerprint, const struct rwd_decision *decision, const struct rwd_event *event);

/* The same of an event that waited for rules in event time and was decided: it was told of when it
 * came. Here it counts for experiments alone whose arm it was the first to tell; other events that
 * came while it waited count for them no more, in no arm. */
void rwd_tally_release(struct rwd_tally *tally, struct rwd_tally_experiment *only,
    uint64_t user_fingerprint, const struct rwd_decision *decision, const struct rwd_event *event);

/* The next that has missed something, emptied and ready to be fed from the journal's beginning up
 * to where the tally stands; NULL: none. */
struct rwd_tally_experiment *rwd_tally_missed(struct rwd_tally *tally);

size_t rwd_tally_count(const struct rwd_tally *tally);
const struct rwd_tally_experiment *rwd_tally_at(const struct rwd_tally *tally, size_t index);
/* How many users are recorded as held out. */
uint64_t rwd_tally_held_out(const struct rwd_tally_experiment *experiment);
/* NULL: none of that key has been in force. */
const struct rwd_tally_experiment *rwd_tally_find(
    const struct rwd_tally *tally, struct rwd_text key);

/* Where the next row is; begin with *slot 0. NULL: that was the last. */
const struct rwd_tally_user *rwd_tally_next(const struct rwd_tally_table *table, size_t *slot);
/* NULL: not there. */
const struct rwd_tally_user *rwd_tally_user(
    const struct rwd_tally_table *table, uint64_t user_fingerprint);

/* For a file of this machine and this program: structs as they lie in memory, which decode refuses
 * (CORRUPT) where they were written by another build. */
void rwd_tally_encode(const struct rwd_tally *tally, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_tally_decode(struct rwd_text bytes, struct rwd_tally **tally);

#endif
