/* Forward only: each step once, in order, never changed after; a newer store is left alone. */
#include "fixture.h"

#define STEP(number, title, text)                                                                  \
    {                                                                                              \
        .version = number, .name = title, .sql = {.data = "" text, .size = sizeof(text) - 1 }      \
    }

static const struct rwd_store__migration steps[] = {
    STEP(1, "first", "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);"),
    STEP(2, "second", "CREATE TABLE b (x INTEGER);"),
    STEP(3, "third", "CREATE TABLE c (x INTEGER);"),
};

static int setup(void **state)
{
    struct fixture *f = rwd_new(sizeof *f);
    fixture_folder(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_finish(*state);
    rwd_free(*state);
    return 0;
}

static sqlite3 *connect(struct fixture *f)
{
    sqlite3 *db = NULL;
    ASSERT_OK(f, rwd_store__connect(f->path, true, &db, &f->error));
    return db;
}

static enum rwd_status migrate(
    struct fixture *f, sqlite3 *db, const struct rwd_store__migration *items, size_t count)
{
    return rwd_store__migrate(db, &(struct rwd_store__migrations){items, count}, &f->error);
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(rwd_store__prepare(db, sql, &statement, NULL), RWD_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t found = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return found;
}

static void test_step_by_step(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = connect(f);
    ASSERT_OK(f, migrate(f, db, steps, 1));
    ASSERT_OK(f, migrate(f, db, steps, 3));
    ASSERT_OK(f, migrate(f, db, steps, 3));
    assert_int_equal(number(db, "SELECT count(*) FROM a"), 1);
    assert_int_equal(number(db, "SELECT count(*) FROM schema_migrations"), 3);
    assert_int_equal(
        number(db, "SELECT min(length(checksum)) = 64 AND min(applied_at) > '2020' FROM "
                   "schema_migrations"),
        1);
    (void)sqlite3_close(db);
}

static void test_changed_is_refused(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = connect(f);
    ASSERT_OK(f, migrate(f, db, steps, 2));
    struct rwd_store__migration changed[3];
    memcpy(changed, steps, sizeof changed);
    changed[0].sql = RWD_TEXT("CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (2);");
    assert_int_equal(migrate(f, db, changed, 3), RWD_INVALID);
    assert_non_null(strstr(f->error.text, "1 (first)"));
    memcpy(changed, steps, sizeof changed);
    changed[1].name = "renamed";
    assert_int_equal(migrate(f, db, changed, 3), RWD_INVALID);
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'c'"), 0);
    (void)sqlite3_close(db);
}

static void test_newer_is_refused(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = connect(f);
    ASSERT_OK(f, migrate(f, db, steps, 3));
    assert_int_equal(migrate(f, db, steps, 2), RWD_INVALID);
    assert_non_null(strstr(f->error.text, "newer"));
    (void)sqlite3_close(db);
}

static void test_gap_is_refused(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = connect(f);
    const struct rwd_store__migration gap[] = {steps[0], steps[2]};
    assert_int_equal(migrate(f, db, gap, 2), RWD_INVALID);
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'a'"), 0);
    (void)sqlite3_close(db);
}

/* A step that fails half-way leaves nothing of itself, and those before it stay. */
static void test_failing_step_is_rolled_back(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = connect(f);
    struct rwd_store__migration failing[3];
    memcpy(failing, steps, sizeof failing);
    failing[1].sql = RWD_TEXT("CREATE TABLE b (x INTEGER); INSERT INTO nowhere VALUES (1);");
    assert_int_equal(migrate(f, db, failing, 3), RWD_CORRUPT);
    assert_int_equal(number(db, "SELECT max(version) FROM schema_migrations"), 1);
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'b'"), 0);
    ASSERT_OK(f, migrate(f, db, steps, 3));
    (void)sqlite3_close(db);
}

/* ---- through store.h ---- */

static void test_real_store(void **state)
{
    struct fixture *f = *state;
    struct rwd_store_reader *reader = NULL;
    sqlite3 *db = connect(f);
    ASSERT_OK(f, migrate(f, db, rwd_store__sqlite_migrations.items, 1));
    assert_int_equal(rwd_store_reader_open(f->url, &reader, &f->error), RWD_INVALID);
    ASSERT_OK(f, rwd_store_open(f->url, &f->store, &f->error));
    ASSERT_OK(f, rwd_store_reader_open(f->url, &f->reader, &f->error));
    fixture_close(f);
    ASSERT_OK(f, rwd_store__run(db, "INSERT INTO schema_migrations VALUES (99, 'future', 'x', 'y')",
                     &f->error));
    assert_int_equal(rwd_store_open(f->url, &f->store, &f->error), RWD_INVALID);
    assert_non_null(strstr(f->error.text, "newer"));
    assert_int_equal(rwd_store_reader_open(f->url, &reader, &f->error), RWD_INVALID);
    ASSERT_OK(f, rwd_store__run(db,
                     "DELETE FROM schema_migrations WHERE version = 99; "
                     "UPDATE schema_migrations SET checksum = 'x' WHERE version = 1",
                     &f->error));
    assert_int_equal(rwd_store_open(f->url, &f->store, &f->error), RWD_INVALID);
    assert_non_null(strstr(f->error.text, "never changes"));
    (void)sqlite3_close(db);
}

/* A paid reward from before 0004: what nobody knew of it is empty, its hash comes from the task. */
static void test_rows_from_before_arms(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = connect(f);
    ASSERT_OK(f, migrate(f, db, rwd_store__sqlite_migrations.items, 3));
    ASSERT_OK(f, rwd_store__run(db,
                     "INSERT INTO reward_tasks VALUES ('rt_1', 'u', 'r', '1.0.0', 'abc', 0, 'e1',"
                     " 'cash', '{}', x'00', 'p', 0, 200, 'EUR', 'succeeded', '', 1, 0, 'w', 5, 6);"
                     "INSERT INTO reward_ledger VALUES ('rt_1', 'u', 'p', 'r', '1.0.0', 'cash',"
                     " '{}', 200, 'EUR', 'w', 6);"
                     "INSERT INTO reward_ledger VALUES ('rt_2', 'u', 'p', 'r', '1.0.0', 'cash',"
                     " '{}', 200, 'EUR', 'w', 6)",
                     &f->error));
    ASSERT_OK(f, rwd_store_open(f->url, &f->store, &f->error));
    ASSERT_OK(f, rwd_store_reader_open(f->url, &f->reader, &f->error));
    const struct rwd_store_filter all = {.limit = 10};
    struct rwd_task_row task;
    struct rwd_ledger_row *rows = NULL;
    struct rwd_text next;
    size_t count = 0;
    ASSERT_OK(f, rwd_store_task(f->reader, RWD_TEXT("rt_1"), &f->arena, &task, &f->error));
    assert_true(rwd_text_is(task.content_hash, "abc") && rwd_text_is(task.event_id, "e1"));
    assert_int_equal(task.schema_id.size + task.experiment.size + task.arm.size, 0);
    ASSERT_OK(f, rwd_store_ledger(f->reader, &all, &f->arena, &rows, &count, &next, &f->error));
    assert_int_equal(count, 2);
    assert_true(rwd_text_is(rows[0].task_id, "rt_2") && rows[0].content_hash.size == 0);
    assert_true(rwd_text_is(rows[1].content_hash, "abc"));
    assert_int_equal(rows[1].schema_id.size + rows[1].arm.size, 0);
    assert_int_equal(
        number(db, "SELECT count(*) FROM v_ledger WHERE arm = '' AND cost = '2.00'"), 2);
    (void)sqlite3_close(db);
}

static void test_other_files_are_refused(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++) {
        assert_true(fputs("this is no database ", file) >= 0);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rwd_store_open(f->url, &f->store, &f->error), RWD_CORRUPT);
    struct rwd_store_reader *reader = NULL;
    assert_int_equal(rwd_store_reader_open(f->url, &reader, &f->error), RWD_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_step_by_step, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gap_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failing_step_is_rolled_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_real_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows_from_before_arms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_files_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
