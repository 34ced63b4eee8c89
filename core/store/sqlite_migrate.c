#include "store/sqlite.h"

#include "base/digest.h"
#include "base/log.h"

#include <inttypes.h>

static void checksum_of(struct rwd_text sql, struct rwd_buffer *hex)
{
    uint8_t digest[RWD_SHA256_SIZE];
    rwd_sha256(sql, digest);
    hex->size = 0;
    rwd_buffer_put_hex(hex, digest, sizeof digest);
}

static struct rwd_text column_text(sqlite3_stmt *statement, int index)
{
    const char *data = (const char *)sqlite3_column_text(statement, index);
    return (struct rwd_text){.data = data, .size = (size_t)sqlite3_column_bytes(statement, index)};
}

/* Is the applied migration the statement stands on the one this program would apply there? */
static enum rwd_status check_row(sqlite3_stmt *row, size_t applied,
    const struct rwd_store__migrations *migrations, struct rwd_error *error)
{
    int64_t version = sqlite3_column_int64(row, 0);
    struct rwd_text name = column_text(row, 1);
    if (applied >= migrations->count) {
        return rwd_fail(error, RWD_INVALID,
            "store is at migration %" PRId64 " (%.*s), this program knows %zu: it is newer than "
            "the program, start the program that wrote it",
            version, RWD_TEXT_ARGS(name), migrations->count);
    }
    const struct rwd_store__migration *ours = &migrations->items[applied];
    struct rwd_buffer checksum = {0};
    checksum_of(ours->sql, &checksum);
    bool same = ours->version == version && rwd_text_is(name, ours->name) &&
                rwd_text_equal(rwd_buffer_text(&checksum), column_text(row, 2));
    rwd_buffer_finish(&checksum);
    if (!same) {
        return rwd_fail(error, RWD_INVALID,
            "store has migration %" PRId64 " (%.*s) applied, which differs from this program's "
            "%" PRId64 " (%s): an applied migration never changes",
            version, RWD_TEXT_ARGS(name), ours->version, ours->name);
    }
    return RWD_OK;
}

/* How many are applied; all of them as this program has them. */
static enum rwd_status count_applied(sqlite3 *db, const struct rwd_store__migrations *migrations,
    size_t *applied, struct rwd_error *error)
{
    sqlite3_stmt *rows = NULL;
    enum rwd_status status = rwd_store__prepare(
        db, "SELECT version, name, checksum FROM schema_migrations ORDER BY version", &rows, error);
    *applied = 0;
    while (status == RWD_OK) {
        int code = sqlite3_step(rows);
        if (code == SQLITE_DONE) {
            break;
        }
        if (code == SQLITE_ROW) {
            status = check_row(rows, *applied, migrations, error);
            (*applied)++;
        } else {
            status = rwd_store__fail(db, code, "read schema_migrations", error);
        }
    }
    (void)sqlite3_finalize(rows);
    return status;
}

static enum rwd_status record(
    sqlite3 *db, const struct rwd_store__migration *migration, struct rwd_error *error)
{
    sqlite3_stmt *insert = NULL;
    enum rwd_status status = rwd_store__prepare(db,
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) "
        "VALUES (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
        &insert, error);
    if (status != RWD_OK) {
        return status;
    }
    struct rwd_buffer checksum = {0};
    checksum_of(migration->sql, &checksum);
    (void)sqlite3_bind_int64(insert, 1, migration->version);
    rwd_store__bind_text(insert, 2, rwd_text_of(migration->name));
    rwd_store__bind_text(insert, 3, rwd_buffer_text(&checksum));
    int code = sqlite3_step(insert);
    if (code != SQLITE_DONE) {
        status = rwd_store__fail(db, code, "write schema_migrations", error);
    }
    (void)sqlite3_finalize(insert);
    rwd_buffer_finish(&checksum);
    return status;
}

/* The next missing one, under the write lock, so that two programs cannot apply it twice. */
static enum rwd_status apply_next(sqlite3 *db, const struct rwd_store__migrations *migrations,
    bool *done, struct rwd_error *error)
{
    size_t applied = 0;
    enum rwd_status status = rwd_store__run(db, "BEGIN IMMEDIATE", error);
    if (status != RWD_OK) {
        return status;
    }
    status = count_applied(db, migrations, &applied, error);
    *done = applied >= migrations->count;
    if (status == RWD_OK && !*done) {
        const struct rwd_store__migration *migration = &migrations->items[applied];
        status = rwd_store__run(db, migration->sql.data, error);
        if (status == RWD_OK) {
            status = record(db, migration, error);
        }
    }
    if (status == RWD_OK) {
        status = rwd_store__run(db, "COMMIT", error);
    }
    if (status != RWD_OK) {
        rwd_store__roll_back(db);
    } else if (!*done) {
        rwd_log(RWD_LOG_INFO, "store", "migration=%" PRId64 " name=%s msg=\"applied\"",
            migrations->items[applied].version, migrations->items[applied].name);
    }
    return status;
}

enum rwd_status rwd_store__migrate(
    sqlite3 *db, const struct rwd_store__migrations *migrations, struct rwd_error *error)
{
    for (size_t i = 0; i < migrations->count; i++) {
        if (migrations->items[i].version != (int64_t)i + 1) {
            return rwd_fail(error, RWD_INVALID,
                "migration %" PRId64 " (%s) stands where %zu should: versions run without a gap",
                migrations->items[i].version, migrations->items[i].name, i + 1);
        }
    }
    enum rwd_status status = rwd_store__run(db,
        "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL, "
        "name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL, "
        "PRIMARY KEY (version)) STRICT",
        error);
    bool done = false;
    while (status == RWD_OK && !done) {
        status = apply_next(db, migrations, &done, error);
    }
    return status;
}

enum rwd_status rwd_store__migrated(
    sqlite3 *db, const struct rwd_store__migrations *migrations, struct rwd_error *error)
{
    size_t applied = 0;
    enum rwd_status status = count_applied(db, migrations, &applied, error);
    if (status == RWD_OK && applied < migrations->count) {
        return rwd_fail(error, RWD_INVALID,
            "store is at migration %zu, this program reads %zu: rewardd brings it up at its start",
            applied, migrations->count);
    }
    return status;
}
