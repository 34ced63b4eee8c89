/*
 * The look-ups: each is one statement, thus one picture of the last commit, and ends its read
 * before it returns unless held, so that no reader keeps the log from being started over.
 */
#include "store/sqlite.h"

#include "base/memory.h"
#include "domain/task.h"

#include <string.h>

enum { START_COUNT = 8 };

/* ---- statements ---- */

static void put_select(
    const struct rwd_store__table *table, const char *rest, struct rwd_buffer *sql)
{
    rwd_buffer_put_string(sql, "SELECT ");
    rwd_store__put_columns(table, sql);
    rwd_buffer_put_format(sql, " FROM %s %s", table->name, rest);
}

static void put_sql(enum rwd_store__read read, struct rwd_buffer *sql)
{
    static const struct {
        const struct rwd_store__table *table;
        const char *rest;
    } selects[RWD_STORE__READ_COUNT] = {
        /* The condition is the index's own, word for word, or SQLite does not see that it fits. */
        [RWD_STORE__READ_DUE] = {&rwd_store__tasks,
            "INDEXED BY reward_tasks_due "
            "WHERE (status = 'pending' OR (status = 'held' AND next_attempt_ms > 0)) "
            "AND next_attempt_ms <= ?1 AND (?3 = '' OR instr(?3, ',' || kind || ',') > 0) "
            "ORDER BY next_attempt_ms, task_id LIMIT ?2"},
        [RWD_STORE__READ_WAITING] = {&rwd_store__waiting,
            "INDEXED BY players_waiting WHERE waiting_count > 0 ORDER BY waiting_since_ms"},
        [RWD_STORE__READ_DISPATCHING] = {&rwd_store__tasks,
            "INDEXED BY reward_tasks_status WHERE status = 'dispatching' "
            "ORDER BY created_ms, task_id"},
        [RWD_STORE__READ_TASK] = {&rwd_store__tasks, "WHERE task_id = ?1"},
        [RWD_STORE__READ_LETTER] = {&rwd_store__dead_letters, "WHERE letter_id = ?1"},
        [RWD_STORE__READ_DELIVERIES] = {&rwd_store__deliveries,
            "WHERE task_id = ?1 ORDER BY attempt"},
        [RWD_STORE__READ_BUDGETS] = {&rwd_store__budgets, "ORDER BY pool_id"},
        [RWD_STORE__READ_SUMS] = {&rwd_store__budget_sums, "ORDER BY pool_id, period"},
        [RWD_STORE__READ_VERSION_SUMS] = {&rwd_store__version_sums, "ORDER BY version_no"},
        [RWD_STORE__READ_RULE_VERSIONS] = {&rwd_store__rule_versions, "ORDER BY version_no"},
        [RWD_STORE__READ_RULEBOOK] = {&rwd_store__rulebooks,
            "WHERE ?1 = 0 OR rulebook_no = ?1 ORDER BY rulebook_no DESC LIMIT 1"},
    };
    if (read == RWD_STORE__READ_HOLD) {
        rwd_buffer_put_string(sql, "BEGIN");
    } else if (read == RWD_STORE__READ_RELEASE) {
        rwd_buffer_put_string(sql, "COMMIT");
    } else if (read == RWD_STORE__READ_POSITION) {
        rwd_buffer_put_string(sql,
            "SELECT (SELECT value FROM meta WHERE name = 'journal_position'), "
            "(SELECT value FROM meta WHERE name = 'sequence')");
    } else if (read == RWD_STORE__READ_COUNTS) {
        rwd_buffer_put_string(sql, "SELECT kind, name, n FROM counts");
    } else if (read == RWD_STORE__READ_PLAYER) {
        /* The player's row comes once per spilled set; its columns are read off the first. */
        rwd_buffer_put_string(sql, "SELECT ");
        rwd_store__put_columns(&rwd_store__players, sql);
        rwd_buffer_put_string(sql, ", player_seen.sequence, player_seen.fingerprints FROM players "
                                   "LEFT JOIN player_seen ON player_seen.user_id = players.user_id "
                                   "WHERE players.user_id = ?1");
    } else {
        put_select(selects[read].table, selects[read].rest, sql);
    }
}

static enum rwd_status statement_of(struct rwd_sqlite_reader *reader, enum rwd_store__read read,
    sqlite3_stmt **statement, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    if (reader->statements[read] == NULL) {
        struct rwd_buffer sql = {0};
        put_sql(read, &sql);
        status = rwd_store__prepare(
            reader->db, rwd_buffer_c_string(&sql), &reader->statements[read], error);
        rwd_buffer_finish(&sql);
    }
    *statement = reader->statements[read];
    return status;
}

/* ---- rows ---- */

/* Room for one more in an array of the arena; NULL: the arena is full. */
static void *room(
    struct rwd_arena *arena, void *rows, size_t count, size_t *capacity, size_t row_size)
{
    if (count < *capacity) {
        return rows;
    }
    size_t more = *capacity == 0 ? START_COUNT : *capacity * 2;
    void *grown = rwd_arena_alloc(arena, more * row_size);
    if (grown != NULL) {
        *capacity = more;
        if (count > 0) {
            memcpy(grown, rows, count * row_size);
        }
    }
    return grown;
}

enum rwd_status rwd_store__collect(sqlite3 *db, sqlite3_stmt *statement,
    const struct rwd_store__table *table, size_t count_max, struct rwd_arena *arena, void **rows,
    size_t *count, bool *more, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    size_t capacity = 0;
    int code = SQLITE_ROW;
    *rows = NULL;
    *count = 0;
    while (
        status == RWD_OK && (code = sqlite3_step(statement)) == SQLITE_ROW && *count < count_max) {
        void *grown = room(arena, *rows, *count, &capacity, table->row_size);
        if (grown == NULL) {
            status = rwd_fail(error, RWD_LIMIT, "store: the arena is full at %zu rows of %s",
                *count, table->name);
        } else {
            *rows = grown;
            status = rwd_store__load(
                statement, table, arena, (char *)grown + *count * table->row_size, error);
            (*count)++;
        }
    }
    if (status == RWD_OK && code != SQLITE_ROW && code != SQLITE_DONE) {
        status = rwd_store__fail(db, code, table->name, error);
    }
    if (more != NULL) {
        *more = status == RWD_OK && code == SQLITE_ROW;
    }
    (void)sqlite3_reset(statement);
    return status;
}

static enum rwd_status collect_all(struct rwd_sqlite_reader *reader, sqlite3_stmt *statement,
    const struct rwd_store__table *table, struct rwd_arena *arena, void **rows, size_t *count,
    struct rwd_error *error)
{
    return rwd_store__collect(
        reader->db, statement, table, SIZE_MAX, arena, rows, count, NULL, error);
}

/* The one row of a statement; NOT_FOUND: it has none. */
static enum rwd_status load_one(struct rwd_sqlite_reader *reader, sqlite3_stmt *statement,
    const struct rwd_store__table *table, struct rwd_arena *arena, void *row,
    struct rwd_error *error)
{
    int code = sqlite3_step(statement);
    enum rwd_status status = RWD_OK;
    if (code == SQLITE_ROW) {
        status = rwd_store__load(statement, table, arena, row, error);
    } else if (code == SQLITE_DONE) {
        status = rwd_fail(error, RWD_NOT_FOUND, "not in %s", table->name);
    } else {
        status = rwd_store__fail(reader->db, code, table->name, error);
    }
    (void)sqlite3_reset(statement);
    return status;
}

static enum rwd_status load_by_id(struct rwd_sqlite_reader *reader, enum rwd_store__read read,
    const struct rwd_store__table *table, struct rwd_text id, struct rwd_arena *arena, void *row,
    struct rwd_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum rwd_status status = statement_of(reader, read, &statement, error);
    if (status != RWD_OK) {
        return status;
    }
    rwd_store__bind_text(statement, 1, id);
    return load_one(reader, statement, table, arena, row, error);
}

static enum rwd_status collect_table(struct rwd_sqlite_reader *reader, enum rwd_store__read read,
    const struct rwd_store__table *table, struct rwd_arena *arena, void **rows, size_t *count,
    struct rwd_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum rwd_status status = statement_of(reader, read, &statement, error);
    if (status != RWD_OK) {
        return status;
    }
    return collect_all(reader, statement, table, arena, rows, count, error);
}

/* ---- the house's functions ---- */

enum rwd_status rwd_store__reader_open(
    const char *path, struct rwd_store_reader **out, struct rwd_error *error)
{
    struct rwd_sqlite_reader *reader = rwd_new(sizeof *reader);
    reader->base.house = &rwd_store__sqlite;
    enum rwd_status status = rwd_store__connect(path, false, &reader->db, error);
    if (status == RWD_OK) {
        status = rwd_store__migrated(reader->db, &rwd_store__sqlite_migrations, error);
    }
    if (status != RWD_OK) {
        rwd_store__reader_close(&reader->base);
        return status;
    }
    *out = &reader->base;
    return RWD_OK;
}

void rwd_store__reader_close(struct rwd_store_reader *base)
{
    struct rwd_sqlite_reader *reader = (struct rwd_sqlite_reader *)base;
    for (size_t i = 0; i < RWD_STORE__READ_COUNT; i++) {
        (void)sqlite3_finalize(reader->statements[i]);
    }
    (void)sqlite3_close(reader->db);
    rwd_free(reader);
}

/* Should it fail, each read takes its own locks, as without it. */
static void run(struct rwd_store_reader *base, enum rwd_store__read read)
{
    sqlite3_stmt *statement = NULL;
    struct rwd_error error;
    if (statement_of((struct rwd_sqlite_reader *)base, read, &statement, &error) == RWD_OK) {
        (void)sqlite3_step(statement);
        (void)sqlite3_reset(statement);
    }
}

void rwd_store__reader_hold(struct rwd_store_reader *base)
{
    run(base, RWD_STORE__READ_HOLD);
}

void rwd_store__reader_release(struct rwd_store_reader *base)
{
    run(base, RWD_STORE__READ_RELEASE);
}

enum rwd_status rwd_store__read_position(struct rwd_store_reader *base, uint64_t *journal_position,
    uint64_t *sequence, struct rwd_error *error)
{
    struct rwd_sqlite_reader *reader = (struct rwd_sqlite_reader *)base;
    sqlite3_stmt *statement = NULL;
    enum rwd_status status = statement_of(reader, RWD_STORE__READ_POSITION, &statement, error);
    if (status != RWD_OK) {
        return status;
    }
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *journal_position = (uint64_t)sqlite3_column_int64(statement, 0);
        *sequence = (uint64_t)sqlite3_column_int64(statement, 1);
    } else {
        status = rwd_store__fail(reader->db, code, "meta", error);
    }
    (void)sqlite3_reset(statement);
    return status;
}

static struct rwd_text copy_column(sqlite3_stmt *statement, int index, struct rwd_arena *arena)
{
    const void *data = sqlite3_column_blob(statement, index);
    size_t size = (size_t)sqlite3_column_bytes(statement, index);
    return (struct rwd_text){.data = rwd_arena_copy(arena, data, size), .size = size};
}

/* The spilled sets, from the row the statement stands on to the last. */
static enum rwd_status load_seen(struct rwd_sqlite_reader *reader, sqlite3_stmt *statement,
    struct rwd_text user_id, struct rwd_arena *arena, struct rwd_seen_row **seen, size_t *count,
    struct rwd_error *error)
{
    int at = (int)rwd_store__players.field_count;
    int code = SQLITE_ROW;
    size_t capacity = 0;
    while (code == SQLITE_ROW && sqlite3_column_type(statement, at) != SQLITE_NULL) {
        struct rwd_seen_row *grown = room(arena, *seen, *count, &capacity, sizeof **seen);
        struct rwd_text fingerprints = copy_column(statement, at + 1, arena);
        if (grown == NULL || fingerprints.data == NULL) {
            return rwd_fail(error, RWD_LIMIT, "store: the arena is full at a row of player_seen");
        }
        *seen = grown;
        grown[(*count)++] = (struct rwd_seen_row){.user_id = user_id,
            .sequence = (uint64_t)sqlite3_column_int64(statement, at),
            .fingerprints = fingerprints};
        code = sqlite3_step(statement);
    }
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? RWD_OK
               : rwd_store__fail(reader->db, code, "player_seen", error);
}

enum rwd_status rwd_store__read_player(struct rwd_store_reader *base, struct rwd_text user_id,
    struct rwd_arena *arena, struct rwd_player_row *player, struct rwd_seen_row **seen,
    size_t *seen_count, struct rwd_error *error)
{
    struct rwd_sqlite_reader *reader = (struct rwd_sqlite_reader *)base;
    sqlite3_stmt *statement = NULL;
    *seen = NULL;
    *seen_count = 0;
    enum rwd_status status = statement_of(reader, RWD_STORE__READ_PLAYER, &statement, error);
    if (status != RWD_OK) {
        return status;
    }
    rwd_store__bind_text(statement, 1, user_id);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        status = rwd_store__load(statement, &rwd_store__players, arena, player, error);
        if (status == RWD_OK) {
            status = load_seen(reader, statement, player->user_id, arena, seen, seen_count, error);
        }
    } else if (code == SQLITE_DONE) {
        /* No text: a new player is an everyday answer on the hot path. */
        status = RWD_NOT_FOUND;
    } else {
        status = rwd_store__fail(reader->db, code, "players", error);
    }
    (void)sqlite3_reset(statement);
    return status;
}

enum rwd_status rwd_store__read_tasks_due(struct rwd_store_reader *base, int64_t now_ms,
    const struct rwd_text *kinds, size_t kind_count, size_t count_max, struct rwd_arena *arena,
    struct rwd_task_row **tasks, size_t *count, struct rwd_error *error)
{
    struct rwd_sqlite_reader *reader = (struct rwd_sqlite_reader *)base;
    sqlite3_stmt *statement = NULL;
    enum rwd_status status = statement_of(reader, RWD_STORE__READ_DUE, &statement, error);
    if (status != RWD_OK) {
        return status;
    }
    (void)sqlite3_bind_int64(statement, 1, now_ms);
    (void)sqlite3_bind_int64(statement, 2, count_max > INT32_MAX ? INT32_MAX : (int64_t)count_max);
    /* The kinds as one text, ",cash,loot,": a list of any length for one statement. */
    struct rwd_buffer wanted = {0};
    for (size_t i = 0; i < kind_count; i++) {
        rwd_buffer_put_string(&wanted, i == 0 ? "," : "");
        rwd_buffer_put_text(&wanted, kinds[i]);
        rwd_buffer_put_char(&wanted, ',');
    }
    rwd_store__bind_text(statement, 3, rwd_buffer_text(&wanted));
    void *rows = NULL;
    status = collect_all(reader, statement, &rwd_store__tasks, arena, &rows, count, error);
    rwd_buffer_finish(&wanted);
    *tasks = rows;
    return status;
}

enum rwd_status rwd_store__read_tasks_dispatching(struct rwd_store_reader *base,
    struct rwd_arena *arena, struct rwd_task_row **tasks, size_t *count, struct rwd_error *error)
{
    void *rows = NULL;
    enum rwd_status status = collect_table((struct rwd_sqlite_reader *)base,
        RWD_STORE__READ_DISPATCHING, &rwd_store__tasks, arena, &rows, count, error);
    *tasks = rows;
    return status;
}

enum rwd_status rwd_store__read_task(struct rwd_store_reader *base, struct rwd_text task_id,
    struct rwd_arena *arena, struct rwd_task_row *task, struct rwd_error *error)
{
    return load_by_id((struct rwd_sqlite_reader *)base, RWD_STORE__READ_TASK, &rwd_store__tasks,
        task_id, arena, task, error);
}

enum rwd_status rwd_store__read_dead_letter(struct rwd_store_reader *base,
    struct rwd_text letter_id, struct rwd_arena *arena, struct rwd_dead_letter_row *row,
    struct rwd_error *error)
{
    return load_by_id((struct rwd_sqlite_reader *)base, RWD_STORE__READ_LETTER,
        &rwd_store__dead_letters, letter_id, arena, row, error);
}

enum rwd_status rwd_store__read_deliveries(struct rwd_store_reader *base, struct rwd_text task_id,
    struct rwd_arena *arena, struct rwd_delivery_row **rows, size_t *count, struct rwd_error *error)
{
    struct rwd_sqlite_reader *reader = (struct rwd_sqlite_reader *)base;
    sqlite3_stmt *statement = NULL;
    enum rwd_status status = statement_of(reader, RWD_STORE__READ_DELIVERIES, &statement, error);
    if (status != RWD_OK) {
        return status;
    }
    rwd_store__bind_text(statement, 1, task_id);
    void *collected = NULL;
    status =
        collect_all(reader, statement, &rwd_store__deliveries, arena, &collected, count, error);
    *rows = collected;
    return status;
}

enum rwd_status rwd_store__read_budgets(struct rwd_store_reader *base, struct rwd_arena *arena,
    struct rwd_budget_row **budgets, size_t *budget_count, struct rwd_budget_sum **sums,
    size_t *sum_count, struct rwd_error *error)
{
    struct rwd_sqlite_reader *reader = (struct rwd_sqlite_reader *)base;
    void *rows = NULL;
    void *sum_rows = NULL;
    /* Two statements, one picture. */
    enum rwd_status status = rwd_store__run(reader->db, "BEGIN", error);
    if (status != RWD_OK) {
        return status;
    }
    status = collect_table(
        reader, RWD_STORE__READ_BUDGETS, &rwd_store__budgets, arena, &rows, budget_count, error);
    if (status == RWD_OK) {
        status = collect_table(reader, RWD_STORE__READ_SUMS, &rwd_store__budget_sums, arena,
            &sum_rows, sum_count, error);
    }
    rwd_store__roll_back(reader->db);
    *budgets = rows;
    *sums = sum_rows;
    return status;
}

enum rwd_status rwd_store__read_waiting(struct rwd_store_reader *base, struct rwd_arena *arena,
    struct rwd_waiting_row **rows, size_t *count, struct rwd_error *error)
{
    void *collected = NULL;
    enum rwd_status status = collect_table((struct rwd_sqlite_reader *)base,
        RWD_STORE__READ_WAITING, &rwd_store__waiting, arena, &collected, count, error);
    *rows = collected;
    return status;
}

enum rwd_status rwd_store__read_rule_versions(struct rwd_store_reader *base,
    struct rwd_arena *arena, struct rwd_rule_version_row **rows, size_t *count,
    struct rwd_error *error)
{
    void *collected = NULL;
    enum rwd_status status = collect_table((struct rwd_sqlite_reader *)base,
        RWD_STORE__READ_RULE_VERSIONS, &rwd_store__rule_versions, arena, &collected, count, error);
    *rows = collected;
    return status;
}

enum rwd_status rwd_store__read_version_sums(struct rwd_store_reader *base, struct rwd_arena *arena,
    struct rwd_version_sum **sums, size_t *count, struct rwd_error *error)
{
    void *collected = NULL;
    enum rwd_status status = collect_table((struct rwd_sqlite_reader *)base,
        RWD_STORE__READ_VERSION_SUMS, &rwd_store__version_sums, arena, &collected, count, error);
    *sums = collected;
    return status;
}

enum rwd_status rwd_store__read_rulebook(struct rwd_store_reader *base, uint32_t rulebook_no,
    struct rwd_arena *arena, struct rwd_rulebook_row *row, struct rwd_error *error)
{
    struct rwd_sqlite_reader *reader = (struct rwd_sqlite_reader *)base;
    sqlite3_stmt *statement = NULL;
    enum rwd_status status = statement_of(reader, RWD_STORE__READ_RULEBOOK, &statement, error);
    if (status != RWD_OK) {
        return status;
    }
    (void)sqlite3_bind_int64(statement, 1, rulebook_no);
    return load_one(reader, statement, &rwd_store__rulebooks, arena, row, error);
}

static void take_count(
    struct rwd_store_counts *counts, struct rwd_text kind, struct rwd_text name, uint64_t value)
{
    if (rwd_text_is(kind, "players")) {
        counts->players = value;
    } else if (rwd_text_is(kind, "dead_letters")) {
        *(rwd_text_is(name, "events") ? &counts->dead_letters_events
                                      : &counts->dead_letters_deliveries) = value;
    } else {
        for (size_t i = 0; i < RWD_TASK_STATUS_COUNT; i++) {
            if (rwd_text_is(name, rwd_store__task_statuses[i])) {
                counts->tasks_by_status[i] = value;
            }
        }
    }
}

enum rwd_status rwd_store__read_counts(
    struct rwd_store_reader *base, struct rwd_store_counts *counts, struct rwd_error *error)
{
    struct rwd_sqlite_reader *reader = (struct rwd_sqlite_reader *)base;
    sqlite3_stmt *statement = NULL;
    *counts = (struct rwd_store_counts){0};
    enum rwd_status status = statement_of(reader, RWD_STORE__READ_COUNTS, &statement, error);
    if (status != RWD_OK) {
        return status;
    }
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct rwd_text kind = rwd_text_of((const char *)sqlite3_column_text(statement, 0));
        struct rwd_text name = rwd_text_of((const char *)sqlite3_column_text(statement, 1));
        take_count(counts, kind, name, (uint64_t)sqlite3_column_int64(statement, 2));
    }
    if (code != SQLITE_DONE) {
        status = rwd_store__fail(reader->db, code, "counts", error);
    }
    (void)sqlite3_reset(statement);
    return status;
}
