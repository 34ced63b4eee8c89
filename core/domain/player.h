/*
 * player: all the engine remembers of one player.
 *
 * Deduplication, compliance, points, caps, milestones, rule state, aggregates and open reward
 * tasks: what decide reads and apply alone changes. It moves, caches and is stored as one: encode
 * and decode are exact opposites, and a replayed journal gives byte-equal bytes.
 *
 * Threads:   a player belongs to its shard.
 * Ownership: everything below a player is owned by it; create/destroy.
 */
#ifndef RWD_DOMAIN_PLAYER_H
#define RWD_DOMAIN_PLAYER_H

#include "domain/rule.h"
#include "domain/task.h"

enum {
    RWD_DEDUPE_WINDOW_HOURS = 72,
    RWD_PLAYER_SEGMENT_COUNT_MAX = 16,
    RWD_PLAYER_SEGMENT_SIZE_MAX = 32,
    RWD_PLAYER_PLATFORM_SIZE_MAX = 32,
    /* Experiments a player remembers; beyond, the oldest goes, which has ended long ago. */
    RWD_PLAYER_EXPOSURE_COUNT_MAX = 128,
    /* How many buckets a series keeps. Hours and days outlast the dedupe window of 72 h (days also
     * the 7d window behind it); minutes are many, so an event that is late by more than the minutes
     * kept finds no counter, and a rule with a minute cap then gives it nothing rather than too
     * much. */
    RWD_SERIES_MINUTE_COUNT_MAX = 256,
    RWD_SERIES_HOUR_COUNT_MAX = 80,
    RWD_SERIES_DAY_COUNT_MAX = 12,
    /* Fingerprints that travel in the player's own row; a full set of them is spilled to rows of
     * its own, so that a busy player's row stays small however many events it saw. */
    RWD_SEEN_TAIL_COUNT_MAX = 128,
};

struct rwd_profile {
    uint8_t kyc_level;
    /* Exclusions hold while now < until; INT64_MAX: no end; 0: none. */
    int64_t self_excluded_until_ms;
    int64_t cool_off_until_ms;
    int64_t deposit_limit_until_ms;
    char geo[3]; /* "": unknown */
    char platform[RWD_PLAYER_PLATFORM_SIZE_MAX + 1];
    enum rwd_tristate payer;
    uint8_t segment_count;
    char segments[RWD_PLAYER_SEGMENT_COUNT_MAX][RWD_PLAYER_SEGMENT_SIZE_MAX + 1];
    /* Event times of the news above: an event that comes late must not undo a newer one. Geo,
     * platform, payer and segments are those of the player's newest event. */
    int64_t kyc_ms;
    int64_t self_excluded_ms;
    int64_t cool_off_ms;
    int64_t deposit_limit_ms;
    int64_t lifted_ms;
};

/* Values by time bucket (minutes, hours or days since 1970), ascending. */
struct rwd_series_point {
    uint32_t bucket;
    int64_t value;
};

struct rwd_series {
    struct rwd_series_point *points;
    uint32_t count;
    uint32_t capacity;
    bool cut; /* something older than points[0] was dropped to stay within the limit */
};

struct rwd_player_aggregate {
    uint64_t key;
    int64_t value;            /* window all; count plain, others scaled by 10^6 */
    bool has_value;           /* min, max: anything seen yet */
    struct rwd_series series; /* other windows: by minute, hour or day */
    int64_t last_ms;          /* last: event time of */
    enum rwd_scalar_type last_type;
    double last_number;
    char last_text[RWD_STATE_TEXT_SIZE_MAX + 1];
};

/* Points that the store does not know of yet: a day's sum, and what of it one version added. */
struct rwd_unsaved_points {
    uint32_t day;
    uint32_t version_no;
    int64_t day_sum;
    int64_t added;
};

struct rwd_player_rule {
    uint32_t rule_no;
    uint64_t total; /* points over all versions and time */
    struct rwd_series minutes;
    struct rwd_series hours;
    struct rwd_series days;
    uint64_t *fired; /* milestones, in the order they fired */
    uint32_t fired_count;
    uint32_t fired_capacity;
    struct rwd_player_aggregate *aggregates;
    uint32_t aggregate_count;
    char *state; /* encoded by decision.h's state codec; NULL: the rule's initial state */
    uint32_t state_size;
    struct rwd_unsaved_points *unsaved; /* not encoded */
    uint32_t unsaved_count;
    uint32_t unsaved_capacity;
};

/* What a player was shown of an experiment stays: it is journaled once, and keeps the arm. */
struct rwd_player_exposure {
    uint32_t experiment_no;
    char arm[RWD_ARM_NAME_SIZE_MAX];
};

struct rwd_seen;    /* the fingerprints of the events of the dedupe window */
struct rwd_waiting; /* the events that rules in event time have yet to decide: waiting.h */

struct rwd_player {
    struct rwd_player *next_in_bucket; /* of the shard's table */
    struct rwd_player *newer;          /* in the shard's dirty list or its clean list */
    struct rwd_player *older;
    uint64_t fingerprint;
    char *user_id;
    uint32_t user_id_size;
    uint64_t sequence;           /* of the last record applied */
    int64_t newest_event_ms;     /* order and lateness are judged against it */
    struct rwd_waiting *waiting; /* NULL: nothing waits */
    struct rwd_profile profile;
    struct rwd_player_rule *rules; /* by rule_no, ascending */
    uint32_t rule_count;
    struct rwd_player_exposure *exposures; /* in the order they came */
    uint32_t exposure_count;
    struct rwd_task *tasks; /* open ones, and settled ones no checkpoint has taken yet */
    uint32_t task_count;
    uint32_t task_capacity;
    struct rwd_seen *seen;
    /* The shard's bookkeeping; not stored. */
    uint64_t dirty_epoch;
    uint64_t saved_epoch;
    bool dirty;
    bool urgent; /* has tasks to store: goes first */
};

struct rwd_player *rwd_player_create(struct rwd_text user_id, uint64_t fingerprint);
void rwd_player_destroy(struct rwd_player *player);
static inline struct rwd_text rwd_player_user_id(const struct rwd_player *player)
{
    return (struct rwd_text){.data = player->user_id, .size = player->user_id_size};
}

/* Deduplication. Event times tell which fingerprints may be forgotten: those of hours more than the
 * window behind the player's newest event. */
/* Brings near what has_seen will look at, a step at a time: memory is what an event waits for. */
void rwd_player_seen_foresee(const struct rwd_player *player);
void rwd_player_seen_foresee_slot(const struct rwd_player *player, uint64_t event_fingerprint);
bool rwd_player_has_seen(const struct rwd_player *player, uint64_t event_fingerprint);
void rwd_player_saw(struct rwd_player *player, uint64_t event_fingerprint, int64_t event_ms);
size_t rwd_player_seen_count(const struct rwd_player *player);
/* Takes a full set of fingerprints that waits to be stored as a row of its own under *sequence;
 * false: none waits. Rows are given back through seen_load, in any order, when the player is
 * loaded. */
bool rwd_player_seen_spill(struct rwd_player *player, struct rwd_buffer *row, uint64_t *sequence);
RWD_MUST_USE enum rwd_status rwd_player_seen_load(struct rwd_player *player, struct rwd_text row);
/* Rows of lower sequence hold nothing of the window any more; 0: none since the last call. */
uint64_t rwd_player_seen_drop_below(struct rwd_player *player);

const struct rwd_player_rule *rwd_player_rule_find(
    const struct rwd_player *player, uint32_t rule_no);
struct rwd_player_rule *rwd_player_rule_of(struct rwd_player *player, uint32_t rule_no);
struct rwd_task *rwd_player_task_find(const struct rwd_player *player, struct rwd_task_id id);
bool rwd_player_rule_fired(const struct rwd_player_rule *rule, uint64_t at);
/* A copy that owns all below it, but for what waits for the store; to is overwritten. */
void rwd_player_rule_copy(const struct rwd_player_rule *from, struct rwd_player_rule *to);
void rwd_player_rule_finish(struct rwd_player_rule *rule);
/* The arm of that experiment the player was exposed to; "": not yet. */
const char *rwd_player_arm(const struct rwd_player *player, uint32_t experiment_no);
/* The first exposure counts: a second to the same experiment changes nothing. Where there are
 * RWD_PLAYER_EXPOSURE_COUNT_MAX, the oldest goes. */
void rwd_player_expose(struct rwd_player *player, uint32_t experiment_no, struct rwd_text arm);

/* Series. get: 0 where nothing is there; *lost tells where the bucket may have been dropped. */
int64_t rwd_series_get(const struct rwd_series *series, uint32_t bucket, bool *lost);
/* The place of a bucket, made with value 0 where *is_new. NULL: older than all that a full series
 * keeps. */
int64_t *rwd_series_at(
    struct rwd_series *series, uint32_t bucket, uint32_t count_max, bool *is_new);

/* Exact opposites. CORRUPT: these bytes were not written by encode. */
void rwd_player_encode(const struct rwd_player *player, struct rwd_buffer *out);
RWD_MUST_USE enum rwd_status rwd_player_decode(struct rwd_text user_id, uint64_t fingerprint,
    struct rwd_text bytes, struct rwd_player **player);

#endif
