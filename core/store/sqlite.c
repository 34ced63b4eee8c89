/*
 * The SQLite house: connections, their settings and their errors.
 *
 * WAL and synchronous=NORMAL: a commit is not synced. After a power cut SQLite loses a suffix of
 * the commits, whole ones, and the rest stays consistent. That is harmless here: the tables are a
 * projection, journal_position is lost together with what it speaks of, and at start the journal is
 * replayed from the position that survived. A task that was sent and whose commit is lost comes
 * back under the same id (it derives from its cause), and the id is the partner's idempotency key.
 * kill -9 loses nothing: what was written to the log is in the kernel.
 *
 * No mmap: in a prototype on bare SQLite (2 cores, 100 k players of 300 B, 4 runs each) it took a
 * look-up from 4.9-5.2 to 4.2-5.5 us and a checkpoint's CPU from 32.9-34.2 to 33.5-36.8 ms; and an
 * I/O error would be a SIGBUS instead of a status.
 */
#include "store/sqlite.h"

#include "base/log.h"
#include "base/memory.h"

#include <string.h>

static enum rwd_status status_of(int code, const char **advice)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return RWD_OK;
    case SQLITE_FULL:
        *advice = "the disk is full: make room, it goes on by itself";
        return RWD_UNAVAILABLE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        *advice = "another process holds it locked: is a sqlite3 shell in a transaction?";
        return RWD_UNAVAILABLE;
    case SQLITE_CANTOPEN:
        *advice = "does the folder exist, and may we write there?";
        return RWD_UNAVAILABLE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        *advice = "we may not write it";
        return RWD_UNAVAILABLE;
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_CORRUPTFS) {
            *advice = "the file system is damaged";
            return RWD_CORRUPT;
        }
        *advice = "the disk failed";
        return RWD_UNAVAILABLE;
    case SQLITE_NOMEM:
        *advice = "out of memory";
        return RWD_UNAVAILABLE;
    case SQLITE_INTERRUPT:
    case SQLITE_PROTOCOL:
        *advice = "try again";
        return RWD_UNAVAILABLE;
    case SQLITE_TOOBIG:
        *advice = "a value is too large";
        return RWD_LIMIT;
    case SQLITE_NOTADB:
        *advice = "the file is no SQLite database";
        return RWD_CORRUPT;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        *advice = "the books refuse this row";
        return RWD_CORRUPT;
    default:
        *advice = "the tables are damaged: move them away, they are rebuilt from the journal";
        return RWD_CORRUPT;
    }
}

enum rwd_status rwd_store__fail(sqlite3 *db, int code, const char *what, struct rwd_error *error)
{
    const char *advice = "";
    int extended = db != NULL ? sqlite3_extended_errcode(db) : code;
    /* The connection may have moved on to another error; the code handed to us is the one. */
    if ((extended & 0xff) != (code & 0xff)) {
        extended = code;
    }
    enum rwd_status status = status_of(extended, &advice);
    const char *path = db != NULL ? sqlite3_db_filename(db, "main") : NULL;
    int number = db != NULL ? sqlite3_system_errno(db) : 0;
    bool outside = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
    char system_text[64] = "";
    if (outside && number != 0) {
        (void)sqlite3_snprintf(sizeof system_text, system_text, " (errno %d)", number);
    }
    return rwd_fail(error, status, "store %s: %s: %s [sqlite %d]%s; %s",
        path != NULL ? path : "sqlite", what,
        db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code), extended, system_text, advice);
}

enum rwd_status rwd_store__run(sqlite3 *db, const char *sql, struct rwd_error *error)
{
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        return RWD_OK;
    }
    char what[80];
    (void)sqlite3_snprintf(sizeof what, what, "%s", sql);
    return rwd_store__fail(db, code, what, error);
}

void rwd_store__roll_back(sqlite3 *db)
{
    /* Some errors have rolled back by themselves already; where this fails, so will the next begin.
     */
    if (sqlite3_get_autocommit(db) == 0) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
}

enum rwd_status rwd_store__prepare(
    sqlite3 *db, const char *sql, sqlite3_stmt **statement, struct rwd_error *error)
{
    int code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    return code == SQLITE_OK ? RWD_OK : rwd_store__fail(db, code, "prepare", error);
}

/*
 * Writer: a page is 4096 bytes, since a checkpoint touches players at random and each touched page
 * goes to the log whole (8192 took 37.3-38.4 ms of CPU against 32.9-34.2, same prototype).
 * cache_spill off: what a checkpoint changes is written once, at its commit. The log is copied back
 * by sqlite_checkpoint.c, so that it is told apart from a commit. The schema is ours, and no
 * application function runs in it.
 */
static enum rwd_status configure(sqlite3 *db, bool write, struct rwd_error *error)
{
    static const char writer_settings[] = "PRAGMA page_size = 4096;"
                                          "PRAGMA journal_mode = WAL;"
                                          "PRAGMA synchronous = NORMAL;"
                                          "PRAGMA cache_size = -65536;"
                                          "PRAGMA cache_spill = OFF;"
                                          "PRAGMA temp_store = MEMORY;"
                                          "PRAGMA trusted_schema = OFF;"
                                          "PRAGMA wal_autocheckpoint = 0;"
                                          "PRAGMA journal_size_limit = 134217728;";
    static const char reader_settings[] = "PRAGMA cache_size = -4096;"
                                          "PRAGMA temp_store = MEMORY;"
                                          "PRAGMA trusted_schema = OFF;"
                                          "PRAGMA query_only = ON;";
    _Static_assert(RWD_STORE__PAGE_SIZE == 4096, "the setting above");
    int code = sqlite3_busy_timeout(db, RWD_STORE__BUSY_TIMEOUT_MS);
    if (code != SQLITE_OK) {
        return rwd_store__fail(db, code, "busy_timeout", error);
    }
    return rwd_store__run(db, write ? writer_settings : reader_settings, error);
}

enum rwd_status rwd_store__connect(
    const char *path, bool write, sqlite3 **db, struct rwd_error *error)
{
    /* No mutex: a connection has one owner. No URI: the path is a path. */
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    *db = NULL;
    int code = sqlite3_open_v2(path, db, flags, NULL);
    enum rwd_status status = code == SQLITE_OK ? configure(*db, write, error)
                                               : rwd_store__fail(*db, code, "open", error);
    if (status != RWD_OK) {
        (void)sqlite3_close(*db);
        *db = NULL;
    }
    return status;
}

static int remember_wal_size(void *context, sqlite3 *db, const char *name, int page_count)
{
    (void)db;
    (void)name;
    ((struct rwd_sqlite_store *)context)->wal_page_count = page_count;
    return SQLITE_OK;
}

static void close_store(struct rwd_store *base)
{
    struct rwd_sqlite_store *store = (struct rwd_sqlite_store *)base;
    for (size_t i = 0; i < RWD_STORE__WRITE_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]);
    }
    int code = sqlite3_close(store->db);
    if (code != SQLITE_OK) {
        rwd_log(RWD_LOG_ERROR, "store", "msg=\"close failed\" reason=\"%s\"", sqlite3_errstr(code));
    }
    rwd_free(store->order);
    rwd_free(store);
}

static enum rwd_status open_store(const char *path, struct rwd_store **out, struct rwd_error *error)
{
    struct rwd_sqlite_store *store = rwd_new(sizeof *store);
    store->base.house = &rwd_store__sqlite;
    enum rwd_status status = rwd_store__connect(path, true, &store->db, error);
    if (status == RWD_OK) {
        status = rwd_store__migrate(store->db, &rwd_store__sqlite_migrations, error);
    }
    if (status == RWD_OK) {
        status = rwd_store__prepare_writes(store, error);
    }
    if (status != RWD_OK) {
        close_store(&store->base);
        return status;
    }
    (void)sqlite3_wal_hook(store->db, remember_wal_size, store);
    *out = &store->base;
    return RWD_OK;
}

const struct rwd_store_house rwd_store__sqlite = {
    .scheme = "sqlite:",
    .open = open_store,
    .close = close_store,
    .checkpoint = rwd_store__checkpoint,
    .reader_open = rwd_store__reader_open,
    .reader_close = rwd_store__reader_close,
    .hold = rwd_store__reader_hold,
    .release = rwd_store__reader_release,
    .position = rwd_store__read_position,
    .player = rwd_store__read_player,
    .tasks_due = rwd_store__read_tasks_due,
    .tasks_dispatching = rwd_store__read_tasks_dispatching,
    .task = rwd_store__read_task,
    .tasks = rwd_store__list_tasks,
    .ledger = rwd_store__list_ledger,
    .dead_letters = rwd_store__list_dead_letters,
    .dead_letter = rwd_store__read_dead_letter,
    .deliveries = rwd_store__read_deliveries,
    .budgets = rwd_store__read_budgets,
    .rule_versions = rwd_store__read_rule_versions,
    .version_sums = rwd_store__read_version_sums,
    .rulebook = rwd_store__read_rulebook,
    .waiting = rwd_store__read_waiting,
    .count = rwd_store__read_counts,
};
