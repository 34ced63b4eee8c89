/*
 * sqlite: the inside of the SQLite house. sqlite3.h is seen by core/store/sqlite* alone.
 *
 * Rows and tables have the same shape: a struct rwd_store__table says once which member is which
 * column, and binding, loading, comparing and the text of the statements follow from it.
 */
#ifndef RWD_STORE_SQLITE_H
#define RWD_STORE_SQLITE_H

#include "store/cursor.h"
#include "store/house.h"
#include "store/migration.h"

#include <sqlite3.h>

/* ---- tables ---- */

enum rwd_store__kind { RWD_STORE__TEXT, RWD_STORE__BLOB, RWD_STORE__I64, RWD_STORE__U32 };
enum rwd_store__role {
    RWD_STORE__KEY,
    RWD_STORE__FIXED, /* written with the row, never changed after */
    RWD_STORE__PLAIN,
};

struct rwd_store__field {
    const char *name; /* of the column and of the member */
    enum rwd_store__kind kind;
    enum rwd_store__role role;
    size_t offset;
};

struct rwd_store__table {
    const char *name;
    const struct rwd_store__field *fields;
    size_t field_count;
    size_t row_size;
};

extern const struct rwd_store__table rwd_store__players;
extern const struct rwd_store__table rwd_store__waiting;
extern const struct rwd_store__table rwd_store__seen;
extern const struct rwd_store__table rwd_store__points;
extern const struct rwd_store__table rwd_store__tasks;
extern const struct rwd_store__table rwd_store__ledger_rows;
extern const struct rwd_store__table rwd_store__deliveries;
extern const struct rwd_store__table rwd_store__dead_letters;
extern const struct rwd_store__table rwd_store__budgets;
extern const struct rwd_store__table rwd_store__budget_sums;
extern const struct rwd_store__table rwd_store__version_sums;
extern const struct rwd_store__table rwd_store__rule_versions;
extern const struct rwd_store__table rwd_store__rulebooks;

/* Texts of statements, appended. Parameter ?n is always the table's nth field; in an update, keys
 * and plain fields only. */
void rwd_store__put_columns(const struct rwd_store__table *table, struct rwd_buffer *sql);
void rwd_store__put_insert(const struct rwd_store__table *table, struct rwd_buffer *sql);
void rwd_store__put_update(const struct rwd_store__table *table, struct rwd_buffer *sql);
void rwd_store__put_upsert(const struct rwd_store__table *table, struct rwd_buffer *sql);

/* Every field of the row to the parameter of its number; texts stay borrowed until the statement is
 * bound again. */
void rwd_store__bind(
    sqlite3_stmt *statement, const struct rwd_store__table *table, const void *row);
void rwd_store__bind_text(sqlite3_stmt *statement, int parameter, struct rwd_text text);
/* All columns (as of put_columns) of the row the statement stands on. LIMIT: the arena is full. */
RWD_MUST_USE enum rwd_status rwd_store__load(sqlite3_stmt *statement,
    const struct rwd_store__table *table, struct rwd_arena *arena, void *row,
    struct rwd_error *error);
/* The first field that differs between row and the row the statement stands on; NULL: none. Plain
 * fields are left out where only_fixed is true. */
const char *rwd_store__difference(sqlite3_stmt *statement, const struct rwd_store__table *table,
    const void *row, bool only_fixed);

/* ---- connections ---- */

enum {
    RWD_STORE__BUSY_TIMEOUT_MS = 1000, /* an outside shell that writes holds us no longer */
    RWD_STORE__PAGE_SIZE = 4096,
};

/* Opens one connection with our settings. create: make the file where there is none. */
RWD_MUST_USE enum rwd_status rwd_store__connect(
    const char *path, bool write, sqlite3 **db, struct rwd_error *error);
/* What SQLite said last, as a status and a text that says what to do about it. */
enum rwd_status rwd_store__fail(sqlite3 *db, int code, const char *what, struct rwd_error *error);
RWD_MUST_USE enum rwd_status rwd_store__run(sqlite3 *db, const char *sql, struct rwd_error *error);
/* Ends the transaction, where one is open. */
void rwd_store__roll_back(sqlite3 *db);
RWD_MUST_USE enum rwd_status rwd_store__prepare(
    sqlite3 *db, const char *sql, sqlite3_stmt **statement, struct rwd_error *error);

/* Brings the tables to the newest of these migrations, each in a transaction of its own. */
RWD_MUST_USE enum rwd_status rwd_store__migrate(
    sqlite3 *db, const struct rwd_store__migrations *migrations, struct rwd_error *error);
/* INVALID where the tables do not stand exactly at the newest of these migrations. */
RWD_MUST_USE enum rwd_status rwd_store__migrated(
    sqlite3 *db, const struct rwd_store__migrations *migrations, struct rwd_error *error);

/* ---- the writing side ---- */

enum rwd_store__write {
    RWD_STORE__BEGIN,
    RWD_STORE__COMMIT,
    RWD_STORE__POSITION,
    RWD_STORE__SET_META,
    RWD_STORE__ADD_COUNT,
    RWD_STORE__PLAYER_UPDATE,
    RWD_STORE__PLAYER_INSERT,
    RWD_STORE__SEEN_PUT,
    RWD_STORE__SEEN_DROP,
    RWD_STORE__POINTS_PUT,
    RWD_STORE__TASK_OLD,
    RWD_STORE__TASK_UPDATE,
    RWD_STORE__TASK_INSERT,
    RWD_STORE__LEDGER_OLD,
    RWD_STORE__LEDGER_INSERT,
    RWD_STORE__DELIVERY_PUT,
    RWD_STORE__LETTER_OLD,
    RWD_STORE__LETTER_UPDATE,
    RWD_STORE__LETTER_INSERT,
    RWD_STORE__BUDGET_PUT,
    RWD_STORE__DIFFERENCE_UPDATE,
    RWD_STORE__DIFFERENCE_INSERT,
    RWD_STORE__VERSION_SUM_UPDATE,
    RWD_STORE__VERSION_SUM_INSERT,
    RWD_STORE__RULE_VERSION_PUT,
    RWD_STORE__RULEBOOK_PUT,
    RWD_STORE__WRITE_COUNT,
};

struct rwd_sqlite_store {
    struct rwd_store base;
    sqlite3 *db;
    sqlite3_stmt *statements[RWD_STORE__WRITE_COUNT];
    const void **order; /* rows of the checkpoint by key; owned, grows */
    size_t order_capacity;
    int wal_page_count;        /* after the last commit */
    int wal_page_count_due;    /* copy the log back into the file from here on */
    int wal_page_count_forced; /* and wait for readers from here on */
    bool sync_failed;
};

RWD_MUST_USE enum rwd_status rwd_store__prepare_writes(
    struct rwd_sqlite_store *store, struct rwd_error *error);
enum rwd_status rwd_store__checkpoint(
    struct rwd_store *base, const struct rwd_checkpoint *checkpoint, struct rwd_error *error);

/* ---- the reading side ---- */

enum rwd_store__read {
    RWD_STORE__READ_HOLD,
    RWD_STORE__READ_RELEASE,
    RWD_STORE__READ_POSITION,
    RWD_STORE__READ_PLAYER,
    RWD_STORE__READ_WAITING,
    RWD_STORE__READ_DUE,
    RWD_STORE__READ_DISPATCHING,
    RWD_STORE__READ_TASK,
    RWD_STORE__READ_LETTER,
    RWD_STORE__READ_DELIVERIES,
    RWD_STORE__READ_BUDGETS,
    RWD_STORE__READ_SUMS,
    RWD_STORE__READ_VERSION_SUMS,
    RWD_STORE__READ_RULE_VERSIONS,
    RWD_STORE__READ_RULEBOOK,
    RWD_STORE__READ_COUNTS,
    RWD_STORE__READ_COUNT,
};

struct rwd_sqlite_reader {
    struct rwd_store_reader base;
    sqlite3 *db;
    sqlite3_stmt *statements[RWD_STORE__READ_COUNT]; /* prepared at first use */
};

/* Runs a bound statement to its end: every row into an array that grows in the arena, at most
 * count_max. *more (may be NULL): there were more. Resets the statement. */
RWD_MUST_USE enum rwd_status rwd_store__collect(sqlite3 *db, sqlite3_stmt *statement,
    const struct rwd_store__table *table, size_t count_max, struct rwd_arena *arena, void **rows,
    size_t *count, bool *more, struct rwd_error *error);

enum rwd_status rwd_store__reader_open(
    const char *path, struct rwd_store_reader **reader, struct rwd_error *error);
void rwd_store__reader_close(struct rwd_store_reader *base);
void rwd_store__reader_hold(struct rwd_store_reader *base);
void rwd_store__reader_release(struct rwd_store_reader *base);
enum rwd_status rwd_store__read_position(struct rwd_store_reader *base, uint64_t *journal_position,
    uint64_t *sequence, struct rwd_error *error);
enum rwd_status rwd_store__read_player(struct rwd_store_reader *base, struct rwd_text user_id,
    struct rwd_arena *arena, struct rwd_player_row *player, struct rwd_seen_row **seen,
    size_t *seen_count, struct rwd_error *error);
enum rwd_status rwd_store__read_tasks_due(struct rwd_store_reader *base, int64_t now_ms,
    const struct rwd_text *kinds, size_t kind_count, size_t count_max, struct rwd_arena *arena,
    struct rwd_task_row **tasks, size_t *count, struct rwd_error *error);
enum rwd_status rwd_store__read_tasks_dispatching(struct rwd_store_reader *base,
    struct rwd_arena *arena, struct rwd_task_row **tasks, size_t *count, struct rwd_error *error);
enum rwd_status rwd_store__read_task(struct rwd_store_reader *base, struct rwd_text task_id,
    struct rwd_arena *arena, struct rwd_task_row *task, struct rwd_error *error);
enum rwd_status rwd_store__read_dead_letter(struct rwd_store_reader *base,
    struct rwd_text letter_id, struct rwd_arena *arena, struct rwd_dead_letter_row *row,
    struct rwd_error *error);
enum rwd_status rwd_store__read_deliveries(struct rwd_store_reader *base, struct rwd_text task_id,
    struct rwd_arena *arena, struct rwd_delivery_row **rows, size_t *count,
    struct rwd_error *error);
enum rwd_status rwd_store__read_waiting(struct rwd_store_reader *base, struct rwd_arena *arena,
    struct rwd_waiting_row **rows, size_t *count, struct rwd_error *error);
enum rwd_status rwd_store__read_budgets(struct rwd_store_reader *base, struct rwd_arena *arena,
    struct rwd_budget_row **budgets, size_t *budget_count, struct rwd_budget_sum **sums,
    size_t *sum_count, struct rwd_error *error);
enum rwd_status rwd_store__read_rule_versions(struct rwd_store_reader *base,
    struct rwd_arena *arena, struct rwd_rule_version_row **rows, size_t *count,
    struct rwd_error *error);
enum rwd_status rwd_store__read_version_sums(struct rwd_store_reader *base, struct rwd_arena *arena,
    struct rwd_version_sum **sums, size_t *count, struct rwd_error *error);
enum rwd_status rwd_store__read_rulebook(struct rwd_store_reader *base, uint32_t rulebook_no,
    struct rwd_arena *arena, struct rwd_rulebook_row *row, struct rwd_error *error);
enum rwd_status rwd_store__read_counts(
    struct rwd_store_reader *base, struct rwd_store_counts *counts, struct rwd_error *error);

enum rwd_status rwd_store__list_tasks(struct rwd_store_reader *base,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, struct rwd_task_row **tasks,
    size_t *count, struct rwd_text *next_cursor, struct rwd_error *error);
enum rwd_status rwd_store__list_ledger(struct rwd_store_reader *base,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, struct rwd_ledger_row **rows,
    size_t *count, struct rwd_text *next_cursor, struct rwd_error *error);
enum rwd_status rwd_store__list_dead_letters(struct rwd_store_reader *base,
    const struct rwd_store_filter *filter, struct rwd_arena *arena,
    struct rwd_dead_letter_row **rows, size_t *count, struct rwd_text *next_cursor,
    struct rwd_error *error);

/* "pending" ... in the order of enum rwd_task_status. */
extern const char *const rwd_store__task_statuses[8];

#endif
