/*
 * One checkpoint, one transaction. The players and points are the hot path: rows are taken in the
 * order of their keys, so that a page is looked for once, and sorted here where they do not come
 * that way.
 */
#include "store/sqlite.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    /* The log is copied back into the file, and both are synced, when it has grown to this, 512 KB.
     * The sync shares the disk with the journal's: p99 of single posts at half load was 36 ms at
     * 64 MB, 8 ms at 8 MB, and is what it is without a store at this. Larger means less copying. */
    WAL_PAGE_COUNT_DUE = 128,
    /* A reader that keeps an old picture open (a shell in a transaction) keeps the log from being
     * started over; past this, 32 MB, the projector waits for readers, but not long. */
    WAL_PAGE_COUNT_FORCED = 8192,
    FORCED_TIMEOUT_MS = 50,
    LANE_COUNT = 2,
};

static const char *const lanes[LANE_COUNT] = {"events", "deliveries"};

/* What the metrics page counts, as differences of this checkpoint. */
struct count_differences {
    int64_t players;
    int64_t tasks[8];
    int64_t letters[LANE_COUNT]; /* open ones */
};

/* ---- statements ---- */

static void put_old(const struct rwd_store__table *table, const char *key, struct rwd_buffer *sql)
{
    rwd_buffer_put_string(sql, "SELECT ");
    rwd_store__put_columns(table, sql);
    rwd_buffer_put_format(sql, " FROM %s WHERE %s = ?1", table->name, key);
}

/* The text of a statement, for those that follow from a table; false: it is in fixed_sql. */
static bool put_sql(enum rwd_store__write write, struct rwd_buffer *sql)
{
    switch (write) {
    case RWD_STORE__PLAYER_UPDATE:
        rwd_store__put_update(&rwd_store__players, sql);
        return true;
    case RWD_STORE__PLAYER_INSERT:
        rwd_store__put_insert(&rwd_store__players, sql);
        return true;
    case RWD_STORE__SEEN_PUT:
        rwd_store__put_upsert(&rwd_store__seen, sql);
        return true;
    case RWD_STORE__POINTS_PUT:
        rwd_store__put_upsert(&rwd_store__points, sql);
        return true;
    case RWD_STORE__TASK_OLD:
        put_old(&rwd_store__tasks, "task_id", sql);
        return true;
    case RWD_STORE__TASK_UPDATE:
        rwd_store__put_update(&rwd_store__tasks, sql);
        return true;
    case RWD_STORE__TASK_INSERT:
        rwd_store__put_insert(&rwd_store__tasks, sql);
        return true;
    case RWD_STORE__LEDGER_OLD:
        put_old(&rwd_store__ledger_rows, "task_id", sql);
        return true;
    case RWD_STORE__LEDGER_INSERT:
        rwd_store__put_insert(&rwd_store__ledger_rows, sql);
        return true;
    case RWD_STORE__DELIVERY_PUT:
        rwd_store__put_upsert(&rwd_store__deliveries, sql);
        return true;
    case RWD_STORE__LETTER_OLD:
        put_old(&rwd_store__dead_letters, "letter_id", sql);
        return true;
    case RWD_STORE__LETTER_UPDATE:
        rwd_store__put_update(&rwd_store__dead_letters, sql);
        return true;
    case RWD_STORE__LETTER_INSERT:
        rwd_store__put_insert(&rwd_store__dead_letters, sql);
        return true;
    case RWD_STORE__BUDGET_PUT:
        rwd_store__put_upsert(&rwd_store__budgets, sql);
        return true;
    case RWD_STORE__VERSION_SUM_INSERT:
        rwd_store__put_insert(&rwd_store__version_sums, sql);
        return true;
    case RWD_STORE__RULE_VERSION_PUT:
        rwd_store__put_upsert(&rwd_store__rule_versions, sql);
        return true;
    case RWD_STORE__RULEBOOK_PUT:
        rwd_store__put_upsert(&rwd_store__rulebooks, sql);
        return true;
    default:
        return false;
    }
}

enum rwd_status rwd_store__prepare_writes(struct rwd_sqlite_store *store, struct rwd_error *error)
{
    /* Differences are an update, then an insert: an upsert would check the difference itself
     * against "not below zero" before it saw the row it adds to. */
    static const char *const fixed_sql[RWD_STORE__WRITE_COUNT] = {
        [RWD_STORE__BEGIN] = "BEGIN IMMEDIATE",
        [RWD_STORE__COMMIT] = "COMMIT",
        [RWD_STORE__POSITION] = "SELECT value FROM meta WHERE name = 'journal_position'",
        [RWD_STORE__SET_META] = "UPDATE meta SET value = ?2 WHERE name = ?1",
        [RWD_STORE__ADD_COUNT] = "UPDATE counts SET n = n + ?3 WHERE kind = ?1 AND name = ?2",
        [RWD_STORE__SEEN_DROP] = "DELETE FROM player_seen WHERE user_id = ?1 AND sequence <= ?2",
        [RWD_STORE__DIFFERENCE_UPDATE] =
            /* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one statement on two lines */
        "UPDATE budget_periods SET reserved_minor = reserved_minor + ?3, "
        "spent_minor = spent_minor + ?4 WHERE pool_id = ?1 AND period = ?2",
        [RWD_STORE__DIFFERENCE_INSERT] =
            "INSERT INTO budget_periods (pool_id, period, reserved_minor, spent_minor) "
            "VALUES (?1, ?2, ?3, ?4)",
        [RWD_STORE__VERSION_SUM_UPDATE] =
            /* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one statement on four lines */
        "UPDATE version_sums SET points = points + ?2, tasks = tasks + ?3, "
        "tasks_held = tasks_held + ?4, reserved_minor = reserved_minor + ?5, "
        "spent_minor = spent_minor + ?6, "
        "currency = iif(?7 = '', currency, ?7) WHERE version_no = ?1",
    };
    struct rwd_buffer sql = {0};
    enum rwd_status status = RWD_OK;
    for (size_t i = 0; i < RWD_STORE__WRITE_COUNT && status == RWD_OK; i++) {
        sql.size = 0;
        const char *text =
            put_sql((enum rwd_store__write)i, &sql) ? rwd_buffer_c_string(&sql) : fixed_sql[i];
        status = rwd_store__prepare(store->db, text, &store->statements[i], error);
    }
    rwd_buffer_finish(&sql);
    store->wal_page_count_due = WAL_PAGE_COUNT_DUE;
    store->wal_page_count_forced = WAL_PAGE_COUNT_FORCED;
    return status;
}

/* Runs a statement that gives no rows. */
static enum rwd_status step(struct rwd_sqlite_store *store, enum rwd_store__write write,
    const char *what, struct rwd_error *error)
{
    sqlite3_stmt *statement = store->statements[write];
    int code = sqlite3_step(statement);
    enum rwd_status status =
        code == SQLITE_DONE ? RWD_OK : rwd_store__fail(store->db, code, what, error);
    (void)sqlite3_reset(statement);
    return status;
}

static enum rwd_status put(struct rwd_sqlite_store *store, enum rwd_store__write write,
    const struct rwd_store__table *table, const void *row, struct rwd_error *error)
{
    rwd_store__bind(store->statements[write], table, row);
    return step(store, write, table->name, error);
}

static enum rwd_status put_all(struct rwd_sqlite_store *store, enum rwd_store__write write,
    const struct rwd_store__table *table, const void *rows, size_t count, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    for (size_t i = 0; i < count && status == RWD_OK; i++) {
        status = put(store, write, table, (const char *)rows + i * table->row_size, error);
    }
    return status;
}

/* ---- order ---- */

/* The same key twice: as they came, so that the last one stays. Rows lie in one array. */
static int by_place(const void *a, const void *b)
{
    return a < b ? -1 : a > b;
}

static int player_order(const void *left, const void *right)
{
    const struct rwd_player_row *a = *(const struct rwd_player_row *const *)left;
    const struct rwd_player_row *b = *(const struct rwd_player_row *const *)right;
    int order = rwd_text_compare(a->user_id, b->user_id);
    return order != 0 ? order : by_place(a, b);
}

static int points_order(const void *left, const void *right)
{
    const struct rwd_points_row *a = *(const struct rwd_points_row *const *)left;
    const struct rwd_points_row *b = *(const struct rwd_points_row *const *)right;
    if (a->day != b->day) {
        return a->day < b->day ? -1 : 1;
    }
    int order = rwd_text_compare(a->user_id, b->user_id);
    order = order != 0 ? order : rwd_text_compare(a->rule_id, b->rule_id);
    return order != 0 ? order : by_place(a, b);
}

/* The rows by key; good until the next call. */
static const void **ordered(struct rwd_sqlite_store *store, const void *rows, size_t count,
    size_t row_size, int (*compare)(const void *, const void *))
{
    if (count > store->order_capacity) {
        store->order = rwd_grow(store->order, count * sizeof store->order[0]);
        store->order_capacity = count;
    }
    bool sorted = true;
    for (size_t i = 0; i < count; i++) {
        store->order[i] = (const char *)rows + i * row_size;
        sorted = sorted && (i == 0 || compare(&store->order[i - 1], &store->order[i]) < 0);
    }
    if (!sorted) {
        qsort(store->order, count, sizeof store->order[0], compare);
    }
    return store->order;
}

/* ---- rows ---- */

static enum rwd_status put_players(struct rwd_sqlite_store *store,
    const struct rwd_checkpoint *checkpoint, int64_t *new_players, struct rwd_error *error)
{
    const void **rows = ordered(store, checkpoint->players, checkpoint->player_count,
        sizeof *checkpoint->players, player_order);
    enum rwd_status status = RWD_OK;
    for (size_t i = 0; i < checkpoint->player_count && status == RWD_OK; i++) {
        status = put(store, RWD_STORE__PLAYER_UPDATE, &rwd_store__players, rows[i], error);
        if (status == RWD_OK && sqlite3_changes(store->db) == 0) {
            status = put(store, RWD_STORE__PLAYER_INSERT, &rwd_store__players, rows[i], error);
            (*new_players)++;
        }
    }
    return status;
}

static enum rwd_status put_seen(struct rwd_sqlite_store *store,
    const struct rwd_checkpoint *checkpoint, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    for (size_t i = 0; i < checkpoint->seen_count && status == RWD_OK; i++) {
        const struct rwd_seen_row *row = &checkpoint->seen[i];
        if (row->fingerprints.size > 0) {
            status = put(store, RWD_STORE__SEEN_PUT, &rwd_store__seen, row, error);
        } else {
            sqlite3_stmt *drop = store->statements[RWD_STORE__SEEN_DROP];
            rwd_store__bind_text(drop, 1, row->user_id);
            (void)sqlite3_bind_int64(drop, 2, (int64_t)row->sequence);
            status = step(store, RWD_STORE__SEEN_DROP, "player_seen", error);
        }
    }
    return status;
}

static enum rwd_status put_points(struct rwd_sqlite_store *store,
    const struct rwd_checkpoint *checkpoint, struct rwd_error *error)
{
    const void **rows = ordered(store, checkpoint->points, checkpoint->points_count,
        sizeof *checkpoint->points, points_order);
    enum rwd_status status = RWD_OK;
    for (size_t i = 0; i < checkpoint->points_count && status == RWD_OK; i++) {
        status = put(store, RWD_STORE__POINTS_PUT, &rwd_store__points, rows[i], error);
    }
    return status;
}

/* Looks for the row of the same key. OK with *found: it stands on it, to be reset by the caller;
 * CORRUPT where it differs in what never changes. */
static enum rwd_status find_old(struct rwd_sqlite_store *store, enum rwd_store__write write,
    const struct rwd_store__table *table, struct rwd_text id, const void *row, bool *found,
    struct rwd_error *error)
{
    sqlite3_stmt *old = store->statements[write];
    rwd_store__bind_text(old, 1, id);
    int code = sqlite3_step(old);
    *found = code == SQLITE_ROW;
    if (!*found) {
        return code == SQLITE_DONE ? RWD_OK : rwd_store__fail(store->db, code, table->name, error);
    }
    const char *field = rwd_store__difference(old, table, row, true);
    if (field != NULL) {
        return rwd_fail(error, RWD_CORRUPT, "store: %s has %.*s already, with another %s",
            table->name, RWD_TEXT_ARGS(id), field);
    }
    return RWD_OK;
}

static size_t place_of(struct rwd_text name, const char *const *names, size_t count)
{
    size_t place = 0;
    while (place < count && !rwd_text_is(name, names[place])) {
        place++;
    }
    return place;
}

static struct rwd_text old_text(sqlite3_stmt *old, const char *name)
{
    for (int i = 0; i < sqlite3_column_count(old); i++) {
        if (rwd_text_is(rwd_text_of(name), sqlite3_column_name(old, i))) {
            return rwd_text_of((const char *)sqlite3_column_text(old, i));
        }
    }
    return (struct rwd_text){0};
}

static enum rwd_status put_task(struct rwd_sqlite_store *store, const struct rwd_task_row *row,
    struct count_differences *counts, struct rwd_error *error)
{
    const size_t status_count = sizeof counts->tasks / sizeof counts->tasks[0];
    size_t new_status = place_of(row->status, rwd_store__task_statuses, status_count);
    if (new_status == status_count) {
        return rwd_fail(error, RWD_CORRUPT, "store: task %.*s has no status \"%.*s\"",
            RWD_TEXT_ARGS(row->task_id), RWD_TEXT_ARGS(row->status));
    }
    sqlite3_stmt *old = store->statements[RWD_STORE__TASK_OLD];
    bool found = false;
    enum rwd_status status =
        find_old(store, RWD_STORE__TASK_OLD, &rwd_store__tasks, row->task_id, row, &found, error);
    bool same = false;
    if (status == RWD_OK && found) {
        size_t old_status =
            place_of(old_text(old, "status"), rwd_store__task_statuses, status_count);
        counts->tasks[old_status % status_count]--;
        same = rwd_store__difference(old, &rwd_store__tasks, row, false) == NULL;
    }
    (void)sqlite3_reset(old);
    counts->tasks[new_status]++;
    if (status != RWD_OK || same) {
        return status;
    }
    return put(store, found ? RWD_STORE__TASK_UPDATE : RWD_STORE__TASK_INSERT, &rwd_store__tasks,
        row, error);
}

static enum rwd_status put_ledger(
    struct rwd_sqlite_store *store, const struct rwd_ledger_row *row, struct rwd_error *error)
{
    bool found = false;
    enum rwd_status status = find_old(
        store, RWD_STORE__LEDGER_OLD, &rwd_store__ledger_rows, row->task_id, row, &found, error);
    (void)sqlite3_reset(store->statements[RWD_STORE__LEDGER_OLD]);
    if (status != RWD_OK || found) {
        return status;
    }
    return put(store, RWD_STORE__LEDGER_INSERT, &rwd_store__ledger_rows, row, error);
}

static enum rwd_status put_letter(struct rwd_sqlite_store *store,
    const struct rwd_dead_letter_row *row, struct count_differences *counts,
    struct rwd_error *error)
{
    sqlite3_stmt *old = store->statements[RWD_STORE__LETTER_OLD];
    bool found = false;
    enum rwd_status status = find_old(
        store, RWD_STORE__LETTER_OLD, &rwd_store__dead_letters, row->letter_id, row, &found, error);
    size_t lane = place_of(row->lane, lanes, LANE_COUNT);
    if (status == RWD_OK && lane < LANE_COUNT) {
        bool was_open = found && rwd_text_is(old_text(old, "status"), "open");
        counts->letters[lane] += (int64_t)rwd_text_is(row->status, "open") - (int64_t)was_open;
    }
    (void)sqlite3_reset(old);
    if (status != RWD_OK) {
        return status;
    }
    return put(store, found ? RWD_STORE__LETTER_UPDATE : RWD_STORE__LETTER_INSERT,
        &rwd_store__dead_letters, row, error);
}

static enum rwd_status put_difference(struct rwd_sqlite_store *store,
    const struct rwd_budget_difference *difference, struct rwd_error *error)
{
    static const enum rwd_store__write writes[] = {
        RWD_STORE__DIFFERENCE_UPDATE, RWD_STORE__DIFFERENCE_INSERT};
    enum rwd_status status = RWD_OK;
    for (size_t i = 0; i < 2 && status == RWD_OK; i++) {
        sqlite3_stmt *statement = store->statements[writes[i]];
        rwd_store__bind_text(statement, 1, difference->pool_id);
        (void)sqlite3_bind_int64(statement, 2, difference->period);
        (void)sqlite3_bind_int64(statement, 3, difference->reserved_minor);
        (void)sqlite3_bind_int64(statement, 4, difference->spent_minor);
        status = step(store, writes[i], "budget_periods", error);
        if (status == RWD_OK && sqlite3_changes(store->db) > 0) {
            break;
        }
    }
    return status;
}

static enum rwd_status put_version_sum(
    struct rwd_sqlite_store *store, const struct rwd_version_sum *sum, struct rwd_error *error)
{
    if (sum->points == 0 && sum->tasks == 0 && sum->tasks_held == 0 && sum->reserved_minor == 0 &&
        sum->spent_minor == 0) {
        return RWD_OK;
    }
    enum rwd_status status =
        put(store, RWD_STORE__VERSION_SUM_UPDATE, &rwd_store__version_sums, sum, error);
    return status == RWD_OK && sqlite3_changes(store->db) == 0
               ? put(store, RWD_STORE__VERSION_SUM_INSERT, &rwd_store__version_sums, sum, error)
               : status;
}

/* ---- the transaction ---- */

static enum rwd_status add_count(struct rwd_sqlite_store *store, const char *kind, const char *name,
    int64_t difference, struct rwd_error *error)
{
    if (difference == 0) {
        return RWD_OK;
    }
    sqlite3_stmt *add = store->statements[RWD_STORE__ADD_COUNT];
    rwd_store__bind_text(add, 1, rwd_text_of(kind));
    rwd_store__bind_text(add, 2, rwd_text_of(name));
    (void)sqlite3_bind_int64(add, 3, difference);
    return step(store, RWD_STORE__ADD_COUNT, "counts", error);
}

static enum rwd_status put_counts(
    struct rwd_sqlite_store *store, const struct count_differences *counts, struct rwd_error *error)
{
    enum rwd_status status = add_count(store, "players", "all", counts->players, error);
    for (size_t i = 0; i < sizeof counts->tasks / sizeof counts->tasks[0] && status == RWD_OK;
         i++) {
        status = add_count(store, "tasks", rwd_store__task_statuses[i], counts->tasks[i], error);
    }
    for (size_t i = 0; i < LANE_COUNT && status == RWD_OK; i++) {
        status = add_count(store, "dead_letters", lanes[i], counts->letters[i], error);
    }
    return status;
}

static enum rwd_status set_meta(
    struct rwd_sqlite_store *store, const char *name, uint64_t value, struct rwd_error *error)
{
    sqlite3_stmt *set = store->statements[RWD_STORE__SET_META];
    rwd_store__bind_text(set, 1, rwd_text_of(name));
    (void)sqlite3_bind_int64(set, 2, (int64_t)value);
    return step(store, RWD_STORE__SET_META, "meta", error);
}

/* A checkpoint from before the tables' own position would undo players that were paid since. */
static enum rwd_status check_position(
    struct rwd_sqlite_store *store, uint64_t position, struct rwd_error *error)
{
    sqlite3_stmt *select = store->statements[RWD_STORE__POSITION];
    int code = sqlite3_step(select);
    enum rwd_status status = RWD_OK;
    if (code != SQLITE_ROW) {
        status = rwd_store__fail(store->db, code, "meta", error);
    } else if ((uint64_t)sqlite3_column_int64(select, 0) > position) {
        status = rwd_fail(error, RWD_CORRUPT,
            "store stands at journal position %" PRIu64 ", a checkpoint is at %" PRIu64
            ": two writers, or another journal",
            (uint64_t)sqlite3_column_int64(select, 0), position);
    }
    (void)sqlite3_reset(select);
    return status;
}

static enum rwd_status put_tasks_and_books(struct rwd_sqlite_store *store,
    const struct rwd_checkpoint *checkpoint, struct count_differences *counts,
    struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    for (size_t i = 0; i < checkpoint->task_count && status == RWD_OK; i++) {
        status = put_task(store, &checkpoint->tasks[i], counts, error);
    }
    for (size_t i = 0; i < checkpoint->ledger_count && status == RWD_OK; i++) {
        status = put_ledger(store, &checkpoint->ledger[i], error);
    }
    if (status == RWD_OK) {
        status = put_all(store, RWD_STORE__DELIVERY_PUT, &rwd_store__deliveries,
            checkpoint->deliveries, checkpoint->delivery_count, error);
    }
    for (size_t i = 0; i < checkpoint->dead_letter_count && status == RWD_OK; i++) {
        status = put_letter(store, &checkpoint->dead_letters[i], counts, error);
    }
    if (status == RWD_OK) {
        status = put_all(store, RWD_STORE__BUDGET_PUT, &rwd_store__budgets, checkpoint->budgets,
            checkpoint->budget_count, error);
    }
    for (size_t i = 0; i < checkpoint->difference_count && status == RWD_OK; i++) {
        status = put_difference(store, &checkpoint->differences[i], error);
    }
    for (size_t i = 0; i < checkpoint->version_sum_count && status == RWD_OK; i++) {
        status = put_version_sum(store, &checkpoint->version_sums[i], error);
    }
    return status;
}

static enum rwd_status put_rules(struct rwd_sqlite_store *store,
    const struct rwd_checkpoint *checkpoint, struct rwd_error *error)
{
    enum rwd_status status = put_all(store, RWD_STORE__RULE_VERSION_PUT, &rwd_store__rule_versions,
        checkpoint->rule_versions, checkpoint->rule_version_count, error);
    if (status == RWD_OK) {
        status = put_all(store, RWD_STORE__RULEBOOK_PUT, &rwd_store__rulebooks,
            checkpoint->rulebooks, checkpoint->rulebook_count, error);
    }
    return status;
}

static enum rwd_status put_everything(struct rwd_sqlite_store *store,
    const struct rwd_checkpoint *checkpoint, struct rwd_error *error)
{
    struct count_differences counts = {0};
    enum rwd_status status = check_position(store, checkpoint->journal_position, error);
    if (status == RWD_OK) {
        status = put_players(store, checkpoint, &counts.players, error);
    }
    if (status == RWD_OK) {
        status = put_seen(store, checkpoint, error);
    }
    if (status == RWD_OK) {
        status = put_points(store, checkpoint, error);
    }
    if (status == RWD_OK) {
        status = put_tasks_and_books(store, checkpoint, &counts, error);
    }
    if (status == RWD_OK) {
        status = put_rules(store, checkpoint, error);
    }
    if (status == RWD_OK) {
        status = put_counts(store, &counts, error);
    }
    if (status == RWD_OK) {
        status = set_meta(store, "journal_position", checkpoint->journal_position, error);
    }
    return status == RWD_OK ? set_meta(store, "sequence", checkpoint->sequence, error) : status;
}

/* Copies the log back into the file. The commit stands whatever comes of this; only a failed sync
 * is remembered, since after it nobody knows what the disk holds. */
static void tend_wal(struct rwd_sqlite_store *store)
{
    if (store->wal_page_count < store->wal_page_count_due) {
        return;
    }
    bool forced = store->wal_page_count >= store->wal_page_count_forced;
    int page_count = 0;
    int copied_count = 0;
    if (forced) {
        (void)sqlite3_busy_timeout(store->db, FORCED_TIMEOUT_MS);
    }
    int code = sqlite3_wal_checkpoint_v2(store->db, NULL,
        forced ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, &page_count, &copied_count);
    if (forced) {
        (void)sqlite3_busy_timeout(store->db, RWD_STORE__BUSY_TIMEOUT_MS);
    }
    if (code != SQLITE_OK || (forced && copied_count < page_count)) {
        /* Wait not again at every commit: when a good deal more has come. */
        store->wal_page_count_forced = store->wal_page_count + WAL_PAGE_COUNT_FORCED / 4;
        store->sync_failed = store->sync_failed || code == SQLITE_IOERR_FSYNC;
        rwd_log(RWD_LOG_WARN, "store",
            "wal_pages=%d copied=%d reason=\"%s\" msg=\"the log cannot be copied back\"",
            page_count, copied_count, sqlite3_errstr(code));
    } else if (forced) {
        store->wal_page_count_forced = WAL_PAGE_COUNT_FORCED;
    }
}

enum rwd_status rwd_store__checkpoint(
    struct rwd_store *base, const struct rwd_checkpoint *checkpoint, struct rwd_error *error)
{
    struct rwd_sqlite_store *store = (struct rwd_sqlite_store *)base;
    if (store->sync_failed) {
        return rwd_fail(error, RWD_CORRUPT,
            "store: a sync failed, what the disk holds is unknown: start again");
    }
    enum rwd_status status = step(store, RWD_STORE__BEGIN, "begin", error);
    if (status != RWD_OK) {
        return status;
    }
    status = put_everything(store, checkpoint, error);
    if (status == RWD_OK) {
        RWD_FAULT_POINT("checkpoint.commit.before");
        status = RWD_FAULT_ERROR("checkpoint.commit")
                     ? rwd_fail(error, RWD_UNAVAILABLE, "store: injected fault at the commit")
                     : step(store, RWD_STORE__COMMIT, "commit", error);
        RWD_FAULT_POINT("checkpoint.commit.after");
    }
    if (status != RWD_OK) {
        rwd_store__roll_back(store->db);
        return status;
    }
    tend_wal(store);
    return RWD_OK;
}
