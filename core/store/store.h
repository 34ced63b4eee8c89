/*
 * store: the tables. A projection of the journal that people and the dispatcher read.
 *
 * One checkpoint is one transaction: what changed in players, tasks, points, ledger, budgets and
 * dead letters, together with the journal position up to which the tables are complete. The sums of
 * budgets and of rule versions are written as differences that follow from the tasks and points of
 * the same checkpoint, so reserved + spent always equals the sum of the tasks, whichever players a
 * checkpoint holds.
 *
 * Threads:   one struct rwd_store (the writing one) belongs to the projector; every reading thread
 * opens a struct rwd_store_reader of its own, which sees the last commit and never blocks a writer.
 * Ownership: texts in a checkpoint are borrowed for the call; texts a reader returns hang in the
 * arena given to it.
 * Errors:    UNAVAILABLE: the disk or the server is away, nothing was committed, try the same
 * checkpoint again; CORRUPT: the store contradicts itself, or is asked to; LIMIT: the arena is
 * full.
 */
#ifndef RWD_STORE_STORE_H
#define RWD_STORE_STORE_H

#include "base/arena.h"
#include "base/text.h"

/* ---- rows: plain data, names written out, so that the sqlite3 shell shows readable tables ---- */

struct rwd_player_row {
    struct rwd_text user_id;
    int64_t kyc_level;
    int64_t self_excluded_until_ms;
    int64_t cool_off_until_ms;
    int64_t deposit_limit_until_ms;
    struct rwd_text geo;
    struct rwd_text platform;
    int64_t newest_event_ms;
    uint64_t sequence;
    struct rwd_text state;    /* player.h's encoding */
    int64_t waiting_count;    /* events in it that wait for rules in event time */
    int64_t waiting_since_ms; /* when the one of them came that has waited longest */
};

/* A player who has any, as far as a start has to know. */
struct rwd_waiting_row {
    struct rwd_text user_id;
    int64_t waiting_count;
    int64_t waiting_since_ms;
};

/* A spilled set of event fingerprints of a player; only ever added, or dropped when all are old: a
 * row without fingerprints drops the user's sets up to its sequence. */
struct rwd_seen_row {
    struct rwd_text user_id;
    uint64_t sequence; /* makes it unique within the user */
    struct rwd_text fingerprints;
};

struct rwd_points_row {
    struct rwd_text user_id;
    struct rwd_text rule_id;
    uint32_t day; /* days since 1970-01-01, UTC */
    int64_t points;
};

/* What tells the cause (user, rule, version, hash, threshold, event, schema, experiment, arm) and
 * created_ms never changes: CORRUPT from a checkpoint that would. */
struct rwd_task_row {
    struct rwd_text task_id; /* "rt_..." */
    struct rwd_text user_id;
    struct rwd_text rule_id;
    struct rwd_text version;
    struct rwd_text content_hash; /* hex */
    uint64_t threshold;
    struct rwd_text event_id;
    struct rwd_text schema_id;  /* "bet/1.2.0"; empty in rows from before there was one */
    struct rwd_text experiment; /* its key; empty: in no arm */
    struct rwd_text arm;
    struct rwd_text kind;
    struct rwd_text reward; /* JSON as in the API: {"type":...,"amount":...} */
    struct rwd_text state;  /* the task as player.h encodes it, to take it up again */
    struct rwd_text pool_id;
    int64_t pool_period;
    int64_t cost_minor;
    struct rwd_text currency;
    struct rwd_text status;
    struct rwd_text reason;
    int64_t attempts;
    int64_t next_attempt_ms; /* 0: never by time alone */
    struct rwd_text payout_id;
    int64_t created_ms;
    int64_t updated_ms;
};

struct rwd_ledger_row {
    struct rwd_text
        task_id; /* at most one row a task: the same row again is nothing, another CORRUPT */
    struct rwd_text user_id;
    struct rwd_text pool_id;
    struct rwd_text rule_id;
    struct rwd_text version;
    struct rwd_text content_hash; /* this and the next three: as in the task */
    struct rwd_text schema_id;
    struct rwd_text experiment;
    struct rwd_text arm;
    struct rwd_text kind;
    struct rwd_text reward;
    int64_t cost_minor;
    struct rwd_text currency;
    struct rwd_text payout_id;
    int64_t posted_ms;
};

struct rwd_delivery_row {
    struct rwd_text task_id;
    int64_t attempt;
    int64_t at_ms;
    struct rwd_text endpoint;
    int64_t http_status; /* 0: none came */
    struct rwd_text outcome;
    struct rwd_text detail;
};

struct rwd_dead_letter_row {
    struct rwd_text letter_id; /* "dl_..." */
    struct rwd_text lane;      /* events, deliveries */
    struct rwd_text reason;
    struct rwd_text pointer;
    struct rwd_text detail;
    struct rwd_text user_id;
    struct rwd_text reference; /* event id or task id */
    struct rwd_text body;      /* raw */
    int64_t attempts;
    struct rwd_text status; /* open, reprocessed, dropped */
    int64_t created_ms;
    int64_t updated_ms;
};

struct rwd_budget_row {
    struct rwd_text pool_id;
    uint32_t pool_no;
    struct rwd_text currency;
    struct rwd_text period; /* day, week, season */
    int64_t hard_cap_minor;
    int64_t soft_cap_minor;
    /* Of the journal's record, the audit; not in the table. */
    struct rwd_text actor;
    struct rwd_text reason; /* may be empty */
};

/* What one period of a pool gained or lost in this checkpoint. */
struct rwd_budget_difference {
    struct rwd_text pool_id;
    int64_t period;
    int64_t reserved_minor;
    int64_t spent_minor;
};

struct rwd_budget_sum {
    struct rwd_text pool_id;
    int64_t period;
    int64_t reserved_minor;
    int64_t spent_minor;
};

/* What a rule version has given from its first event on; in a checkpoint, what it gained or lost.
 * Rewards are those paid or on their way, their money what budgets hold for them. */
struct rwd_version_sum {
    uint32_t version_no;
    int64_t points;
    int64_t tasks;
    int64_t tasks_held;
    int64_t reserved_minor;
    int64_t spent_minor;
    struct rwd_text currency; /* of its budget; empty: no money yet */
};

struct rwd_rule_version_row {
    struct rwd_text rule_id;
    struct rwd_text version;
    uint32_t rule_no;
    uint32_t version_no;
    struct rwd_text content_hash; /* hex */
    struct rwd_text state;        /* draft, shadow, canary, active, retired, suspended */
    struct rwd_text source;
    struct rwd_text source_name;
    int64_t registered_ms;
    int64_t since_ms;
    struct rwd_text actor;  /* who brought it into its state */
    struct rwd_text reason; /* may be empty */
    uint32_t share;         /* per cent of the players */
    int64_t active_ms;      /* when it became the active one last; 0: never */
    struct rwd_text ramp;   /* JSON of how its ramp stands; empty: none */
};

/* The rules asked for one event name under one rulebook, in order: what verdict bytes speak of. */
struct rwd_rulebook_row {
    uint32_t rulebook_no;
    struct rwd_text versions; /* JSON: {"bet":[version_no, ...], ...} */
    int64_t since_ms;
    /* Of the journal's record; not in the table, where the versions' own rows say it. */
    struct rwd_text actor;
    struct rwd_text reason;
    struct rwd_text changes; /* the versions in a new state: see rwd_rulebook_next_change */
    const struct rwd_rule_version_row *changed; /* the same live, as whole rows; not encoded */
    size_t changed_count;
};

struct rwd_checkpoint {
    uint64_t journal_position;
    uint64_t sequence; /* the largest given out so far */
    const struct rwd_player_row *players;
    size_t player_count;
    const struct rwd_seen_row *seen;
    size_t seen_count;
    const struct rwd_points_row *points;
    size_t points_count;
    const struct rwd_task_row *tasks;
    size_t task_count;
    const struct rwd_ledger_row *ledger;
    size_t ledger_count;
    const struct rwd_delivery_row *deliveries;
    size_t delivery_count;
    const struct rwd_dead_letter_row *dead_letters; /* inserted, or updated by letter_id */
    size_t dead_letter_count;
    const struct rwd_budget_row *budgets;
    size_t budget_count;
    const struct rwd_budget_difference *differences;
    size_t difference_count;
    const struct rwd_version_sum *version_sums; /* differences; those without one are skipped */
    size_t version_sum_count;
    const struct rwd_rule_version_row *rule_versions;
    size_t rule_version_count;
    const struct rwd_rulebook_row *rulebooks;
    size_t rulebook_count;
};

struct rwd_store;
struct rwd_store_reader;

/* url: "sqlite:<path>". Applies the migrations that are missing, each in its own transaction, named
 * in the log. INVALID: a migration changed after it was applied, or the store is newer than this
 * program. */
RWD_MUST_USE enum rwd_status rwd_store_open(
    const char *url, struct rwd_store **store, struct rwd_error *error);
void rwd_store_close(struct rwd_store *store);
/* All or nothing. Writing the same checkpoint twice gives the same tables (but for differences,
 * which a failed call has not applied). Rows in any order; players by user_id, points by day, user
 * and rule spare the sorting. CORRUPT: journal_position is before the store's own, a sum would fall
 * below zero, a ledger row or a task contradicts the one that is there. */
RWD_MUST_USE enum rwd_status rwd_store_checkpoint(
    struct rwd_store *store, const struct rwd_checkpoint *checkpoint, struct rwd_error *error);

RWD_MUST_USE enum rwd_status rwd_store_reader_open(
    const char *url, struct rwd_store_reader **reader, struct rwd_error *error);
void rwd_store_reader_close(struct rwd_store_reader *reader);

/* All reads until release see one picture, and share the locks that each would take. Not for long:
 * while it is held the log cannot be started over. */
void rwd_store_reader_hold(struct rwd_store_reader *reader);
void rwd_store_reader_release(struct rwd_store_reader *reader);

/* Where the tables stand. Zeroes in a new store. */
RWD_MUST_USE enum rwd_status rwd_store_position(struct rwd_store_reader *reader,
    uint64_t *journal_position, uint64_t *sequence, struct rwd_error *error);

/* The hot look-up of a shard. NOT_FOUND: no such player. seen rows in any order. */
RWD_MUST_USE enum rwd_status rwd_store_player(struct rwd_store_reader *reader,
    struct rwd_text user_id, struct rwd_arena *arena, struct rwd_player_row *player,
    struct rwd_seen_row **seen, size_t *seen_count, struct rwd_error *error);

/* Tasks that time makes due: pending with next_attempt_ms <= now, and held with 0 < next_attempt_ms
 * <= now; by next_attempt_ms, at most count_max. */
RWD_MUST_USE enum rwd_status rwd_store_tasks_due(struct rwd_store_reader *reader, int64_t now_ms,
    const struct rwd_text *kinds, size_t kind_count, size_t count_max, struct rwd_arena *arena,
    struct rwd_task_row **tasks, size_t *count, struct rwd_error *error);
/* Tasks a crash left in dispatching: to be taken up again at start. */
RWD_MUST_USE enum rwd_status rwd_store_tasks_dispatching(struct rwd_store_reader *reader,
    struct rwd_arena *arena, struct rwd_task_row **tasks, size_t *count, struct rwd_error *error);
RWD_MUST_USE enum rwd_status rwd_store_task(struct rwd_store_reader *reader,
    struct rwd_text task_id, struct rwd_arena *arena, struct rwd_task_row *task,
    struct rwd_error *error);

/* Lists: newest first. An empty text in a filter asks for anything, fields a list has no column for
 * are not looked at; cursor is opaque, empty for the first page, and goes with the filter it came
 * from; next_cursor is empty at the end; limit is cut to 1..RWD_STORE_LIST_COUNT_MAX. INVALID: a
 * cursor this call did not make. */
enum { RWD_STORE_LIST_COUNT_MAX = 1000 };
struct rwd_store_filter {
    struct rwd_text user_id;
    struct rwd_text status;
    struct rwd_text rule_id;
    struct rwd_text pool_id;
    struct rwd_text lane;
    struct rwd_text reason;
    struct rwd_text cursor;
    size_t limit;
};
RWD_MUST_USE enum rwd_status rwd_store_tasks(struct rwd_store_reader *reader,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, struct rwd_task_row **tasks,
    size_t *count, struct rwd_text *next_cursor, struct rwd_error *error);
RWD_MUST_USE enum rwd_status rwd_store_ledger(struct rwd_store_reader *reader,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, struct rwd_ledger_row **rows,
    size_t *count, struct rwd_text *next_cursor, struct rwd_error *error);
RWD_MUST_USE enum rwd_status rwd_store_dead_letters(struct rwd_store_reader *reader,
    const struct rwd_store_filter *filter, struct rwd_arena *arena,
    struct rwd_dead_letter_row **rows, size_t *count, struct rwd_text *next_cursor,
    struct rwd_error *error);
RWD_MUST_USE enum rwd_status rwd_store_dead_letter(struct rwd_store_reader *reader,
    struct rwd_text letter_id, struct rwd_arena *arena, struct rwd_dead_letter_row *row,
    struct rwd_error *error);
/* Delivery attempts of one task, oldest first. */
RWD_MUST_USE enum rwd_status rwd_store_deliveries(struct rwd_store_reader *reader,
    struct rwd_text task_id, struct rwd_arena *arena, struct rwd_delivery_row **rows, size_t *count,
    struct rwd_error *error);

/* All players with waiting events, for the start. */
RWD_MUST_USE enum rwd_status rwd_store_waiting(struct rwd_store_reader *reader,
    struct rwd_arena *arena, struct rwd_waiting_row **rows, size_t *count, struct rwd_error *error);
/* Everything of the small tables, for the start. */
RWD_MUST_USE enum rwd_status rwd_store_budgets(struct rwd_store_reader *reader,
    struct rwd_arena *arena, struct rwd_budget_row **budgets, size_t *budget_count,
    struct rwd_budget_sum **sums, size_t *sum_count, struct rwd_error *error);
RWD_MUST_USE enum rwd_status rwd_store_rule_versions(struct rwd_store_reader *reader,
    struct rwd_arena *arena, struct rwd_rule_version_row **rows, size_t *count,
    struct rwd_error *error);
/* By version_no, ascending; a version that never gave anything has none. */
RWD_MUST_USE enum rwd_status rwd_store_version_sums(struct rwd_store_reader *reader,
    struct rwd_arena *arena, struct rwd_version_sum **sums, size_t *count, struct rwd_error *error);
/* NOT_FOUND: no such rulebook. rulebook_no 0: the newest. */
RWD_MUST_USE enum rwd_status rwd_store_rulebook(struct rwd_store_reader *reader,
    uint32_t rulebook_no, struct rwd_arena *arena, struct rwd_rulebook_row *row,
    struct rwd_error *error);
/* Counts for the metrics page: tasks by status, open dead letters by lane, players. */
struct rwd_store_counts {
    uint64_t tasks_by_status[8]; /* in the order of enum rwd_task_status */
    uint64_t dead_letters_events;
    uint64_t dead_letters_deliveries;
    uint64_t players;
};
RWD_MUST_USE enum rwd_status rwd_store_count(
    struct rwd_store_reader *reader, struct rwd_store_counts *counts, struct rwd_error *error);

#endif
