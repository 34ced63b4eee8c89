/* Lists over 1,000 rows with every filter, page by page, against the same question asked of the
 * rows in memory; cursors; and the order in which tasks come due. */
#include "fixture.h"

enum { ROW_COUNT = 1000 };

static const char *const statuses[] = {"pending", "held", "dispatching", "succeeded"};

static struct rwd_task_row tasks[ROW_COUNT];
static struct rwd_ledger_row ledger[ROW_COUNT];
static struct rwd_dead_letter_row letters[ROW_COUNT];

static void fill_rows(struct fixture *f)
{
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        tasks[i] = task_row(f, i, statuses[i % 4]);
        tasks[i].user_id = text_of(f, "u%u", i % 7);
        tasks[i].rule_id = text_of(f, "r%u", i % 5);
        tasks[i].pool_id = text_of(f, "p%u", i % 3);
        tasks[i].reason = text_of(f, "reason%u", i % 2);
        tasks[i].created_ms = 1700000000000 + (i * 37 % ROW_COUNT) / 4; /* four of each */
        fill_row(f, &rwd_store__ledger_rows, i, &ledger[i]);
        ledger[i].task_id = tasks[i].task_id;
        ledger[i].user_id = tasks[i].user_id;
        ledger[i].pool_id = tasks[i].pool_id;
        ledger[i].rule_id = tasks[i].rule_id;
        ledger[i].posted_ms = tasks[i].created_ms;
        letters[i] = letter_row(f, i, i % 3 == 0 ? "deliveries" : "events",
            i % 4 == 0   ? "dropped"
            : i % 4 == 1 ? "reprocessed"
                         : "open");
        letters[i].user_id = tasks[i].user_id;
        letters[i].reason = tasks[i].reason;
        letters[i].created_ms = tasks[i].created_ms;
    }
}

static int setup(void **state)
{
    struct fixture *f = rwd_new(sizeof *f);
    fixture_init(f);
    fill_rows(f);
    struct rwd_checkpoint checkpoint = {.tasks = tasks,
        .task_count = ROW_COUNT,
        .ledger = ledger,
        .ledger_count = ROW_COUNT,
        .dead_letters = letters,
        .dead_letter_count = ROW_COUNT};
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_finish(*state);
    rwd_free(*state);
    return 0;
}

/* One entry of any of the lists, as the filters see it. */
struct entry {
    int64_t at_ms;
    struct rwd_text id;
    struct rwd_text user_id;
    struct rwd_text status;
    struct rwd_text rule_id;
    struct rwd_text pool_id;
    struct rwd_text lane;
    struct rwd_text reason;
};

static struct entry entry_of_task(const struct rwd_task_row *row)
{
    return (struct entry){.at_ms = row->created_ms,
        .id = row->task_id,
        .user_id = row->user_id,
        .status = row->status,
        .rule_id = row->rule_id,
        .pool_id = row->pool_id,
        .reason = row->reason};
}

static struct entry entry_of_ledger(const struct rwd_ledger_row *row)
{
    return (struct entry){.at_ms = row->posted_ms,
        .id = row->task_id,
        .user_id = row->user_id,
        .rule_id = row->rule_id,
        .pool_id = row->pool_id};
}

static struct entry entry_of_letter(const struct rwd_dead_letter_row *row)
{
    return (struct entry){.at_ms = row->created_ms,
        .id = row->letter_id,
        .user_id = row->user_id,
        .status = row->status,
        .lane = row->lane,
        .reason = row->reason};
}

/* A page of the list as entries. */
static enum rwd_status page(struct fixture *f, enum rwd_store__list list,
    const struct rwd_store_filter *filter, struct entry *entries, size_t *count,
    struct rwd_text *next)
{
    enum rwd_status status = RWD_OK;
    if (list == RWD_STORE__TASKS) {
        struct rwd_task_row *rows = NULL;
        status = rwd_store_tasks(f->reader, filter, &f->arena, &rows, count, next, &f->error);
        for (size_t i = 0; status == RWD_OK && i < *count; i++) {
            entries[i] = entry_of_task(&rows[i]);
        }
    } else if (list == RWD_STORE__LEDGER) {
        struct rwd_ledger_row *rows = NULL;
        status = rwd_store_ledger(f->reader, filter, &f->arena, &rows, count, next, &f->error);
        for (size_t i = 0; status == RWD_OK && i < *count; i++) {
            entries[i] = entry_of_ledger(&rows[i]);
        }
    } else {
        struct rwd_dead_letter_row *rows = NULL;
        status =
            rwd_store_dead_letters(f->reader, filter, &f->arena, &rows, count, next, &f->error);
        for (size_t i = 0; status == RWD_OK && i < *count; i++) {
            entries[i] = entry_of_letter(&rows[i]);
        }
    }
    return status;
}

static struct entry entry_at(enum rwd_store__list list, size_t i)
{
    return list == RWD_STORE__TASKS    ? entry_of_task(&tasks[i])
           : list == RWD_STORE__LEDGER ? entry_of_ledger(&ledger[i])
                                       : entry_of_letter(&letters[i]);
}

static bool asked(struct rwd_text wanted, struct rwd_text value)
{
    return wanted.size == 0 || value.data == NULL || rwd_text_equal(wanted, value);
}

static int newest_first(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    if (a->at_ms != b->at_ms) {
        return a->at_ms > b->at_ms ? -1 : 1;
    }
    return -rwd_text_compare(a->id, b->id);
}

static void check_list(struct fixture *f, enum rwd_store__list list, struct rwd_store_filter filter)
{
    static struct entry wanted[ROW_COUNT];
    static struct entry found[ROW_COUNT];
    size_t wanted_count = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct entry entry = entry_at(list, i);
        if (asked(filter.user_id, entry.user_id) && asked(filter.status, entry.status) &&
            asked(filter.rule_id, entry.rule_id) && asked(filter.pool_id, entry.pool_id) &&
            asked(filter.lane, entry.lane) && asked(filter.reason, entry.reason)) {
            wanted[wanted_count++] = entry;
        }
    }
    qsort(wanted, wanted_count, sizeof wanted[0], newest_first);
    size_t found_count = 0;
    size_t page_count = 0;
    do {
        size_t count = 0;
        struct rwd_text next = {0};
        ASSERT_OK(f, page(f, list, &filter, found + found_count, &count, &next));
        assert_true(count <= filter.limit);
        assert_true(next.size == 0 || count == filter.limit);
        found_count += count;
        page_count++;
        filter.cursor = next;
    } while (filter.cursor.size > 0 && page_count <= ROW_COUNT);
    assert_int_equal(found_count, wanted_count);
    for (size_t i = 0; i < wanted_count; i++) {
        assert_int_equal(found[i].at_ms, wanted[i].at_ms);
        assert_true(rwd_text_equal(found[i].id, wanted[i].id));
    }
    rwd_arena_reset(&f->arena, SIZE_MAX);
}

static void test_every_filter_and_every_pair(void **state)
{
    struct fixture *f = *state;
    const struct rwd_text values[] = {RWD_TEXT("u3"), RWD_TEXT("held"), RWD_TEXT("r2"),
        RWD_TEXT("p1"), RWD_TEXT("events"), RWD_TEXT("reason1"), RWD_TEXT("succeeded"),
        RWD_TEXT("open")};
    for (int list = RWD_STORE__TASKS; list <= RWD_STORE__DEAD_LETTERS; list++) {
        for (unsigned mask = 0; mask < 256; mask++) {
            if ((mask >> 1 & 1) + (mask >> 6 & 1) + (mask >> 7 & 1) > 1) {
                continue; /* one status at a time */
            }
            struct rwd_store_filter filter = {.limit = 60};
            struct rwd_text *const places[] = {&filter.user_id, &filter.status, &filter.rule_id,
                &filter.pool_id, &filter.lane, &filter.reason, &filter.status, &filter.status};
            for (size_t i = 0; i < 8; i++) {
                if ((mask >> i & 1) != 0) {
                    *places[i] = values[i];
                }
            }
            check_list(f, (enum rwd_store__list)list, filter);
        }
        check_list(f, (enum rwd_store__list)list, (struct rwd_store_filter){.limit = 1000});
        check_list(f, (enum rwd_store__list)list, (struct rwd_store_filter){.limit = 500});
        check_list(f, (enum rwd_store__list)list,
            (struct rwd_store_filter){.limit = 1, .user_id = RWD_TEXT("u1")});
        check_list(f, (enum rwd_store__list)list,
            (struct rwd_store_filter){.limit = 5, .user_id = RWD_TEXT("nobody")});
    }
}

static void test_limit_is_cut(void **state)
{
    struct fixture *f = *state;
    static struct entry entries[ROW_COUNT + 1];
    size_t count = 0;
    struct rwd_text next;
    ASSERT_OK(f,
        page(f, RWD_STORE__TASKS, &(struct rwd_store_filter){.limit = 0}, entries, &count, &next));
    assert_int_equal(count, 1);
    ASSERT_OK(f, page(f, RWD_STORE__TASKS, &(struct rwd_store_filter){.limit = SIZE_MAX}, entries,
                     &count, &next));
    assert_int_equal(count, RWD_STORE_LIST_COUNT_MAX);
    assert_int_equal(next.size, 0);
}

static void expect_no_cursor(
    struct fixture *f, enum rwd_store__list list, struct rwd_store_filter filter)
{
    struct entry entries[10];
    size_t count = 0;
    struct rwd_text next;
    assert_int_equal(page(f, list, &filter, entries, &count, &next), RWD_INVALID);
    assert_int_equal(count, 0);
}

static void test_only_our_cursors(void **state)
{
    struct fixture *f = *state;
    struct entry entries[10];
    size_t count = 0;
    struct rwd_store_filter filter = {.limit = 10, .user_id = RWD_TEXT("u1")};
    struct rwd_text next;
    ASSERT_OK(f, page(f, RWD_STORE__TASKS, &filter, entries, &count, &next));
    assert_true(next.size > 0);
    static const char *const alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_int_equal(strspn(next.data, alphabet), next.size);

    filter.cursor = next;
    expect_no_cursor(f, RWD_STORE__LEDGER, filter); /* another list */
    filter.user_id = RWD_TEXT("u2");
    expect_no_cursor(f, RWD_STORE__TASKS, filter); /* another filter */
    filter.user_id = RWD_TEXT("u1");
    for (size_t size = 1; size < next.size; size++) {
        filter.cursor = (struct rwd_text){.data = next.data, .size = size};
        expect_no_cursor(f, RWD_STORE__TASKS, filter);
    }
    char *altered = rwd_copy(next.data, next.size);
    for (size_t i = 0; i + 1 < next.size; i++) { /* the last letter has bits of nothing */
        altered[i] = altered[i] == 'A' ? 'B' : 'A';
        filter.cursor = (struct rwd_text){.data = altered, .size = next.size};
        expect_no_cursor(f, RWD_STORE__TASKS, filter);
        altered[i] = next.data[i];
    }
    rwd_free(altered);
    static const char *const strange[] = {"=", "*", "AAAA", "AAAAAAAAAAAA", "a+b/", "\xff\xff\xff"};
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        filter.cursor = rwd_text_of(strange[i]);
        expect_no_cursor(f, RWD_STORE__TASKS, filter);
    }
    static char huge[5000];
    memset(huge, 'A', sizeof huge);
    filter.cursor = (struct rwd_text){.data = huge, .size = sizeof huge};
    expect_no_cursor(f, RWD_STORE__TASKS, filter);
}

/* No list sorts or walks a whole table: each plan searches or scans along its index. */
static void test_plans_use_their_index(void **state)
{
    struct fixture *f = *state;
    sqlite3_stmt *plan = NULL;
    ASSERT_OK(f, rwd_store__prepare(fixture_db(f),
                     "EXPLAIN QUERY PLAN SELECT * FROM reward_tasks INDEXED BY reward_tasks_user "
                     "WHERE user_id = ? AND status = ? AND (created_ms, task_id) < (?, ?) "
                     "ORDER BY created_ms DESC, task_id DESC LIMIT 10",
                     &plan, &f->error));
    assert_int_equal(sqlite3_step(plan), SQLITE_ROW);
    const char *text = (const char *)sqlite3_column_text(plan, 3);
    assert_non_null(strstr(text, "(user_id=? AND (created_ms,task_id)<(?,?))"));
    assert_int_equal(sqlite3_step(plan), SQLITE_DONE); /* no "USE TEMP B-TREE" line */
    (void)sqlite3_finalize(plan);
}

/* ---- due tasks ---- */

static void test_due_order(void **state)
{
    struct fixture *f = *state;
    int64_t now_ms = 5000;
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        tasks[i].next_attempt_ms = i * 7919 % 100 == 0 ? 0 : i * 7919 % 10000;
    }
    struct rwd_checkpoint checkpoint = {.tasks = tasks, .task_count = ROW_COUNT};
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    size_t wanted = 0;
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        bool pending = i % 4 == 0;
        bool held = i % 4 == 1 && tasks[i].next_attempt_ms > 0;
        wanted += (pending || held) && tasks[i].next_attempt_ms <= now_ms;
    }
    struct rwd_task_row *due = NULL;
    size_t count = 0;
    ASSERT_OK(f, rwd_store_tasks_due(
                     f->reader, now_ms, NULL, 0, SIZE_MAX, &f->arena, &due, &count, &f->error));
    assert_int_equal(count, wanted);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || due[i - 1].next_attempt_ms <= due[i].next_attempt_ms);
        assert_true(due[i].next_attempt_ms <= now_ms);
        assert_true(rwd_text_is(due[i].status, "pending") ||
                    (rwd_text_is(due[i].status, "held") && due[i].next_attempt_ms > 0));
    }
    struct rwd_task_row *first = NULL;
    size_t first_count = 0;
    ASSERT_OK(f, rwd_store_tasks_due(
                     f->reader, now_ms, NULL, 0, 10, &f->arena, &first, &first_count, &f->error));
    assert_int_equal(first_count, 10);
    for (size_t i = 0; i < first_count; i++) {
        assert_row_equal(&rwd_store__tasks, &due[i], &first[i]);
    }
    ASSERT_OK(f, rwd_store_tasks_due(
                     f->reader, now_ms, NULL, 0, 0, &f->arena, &first, &first_count, &f->error));
    assert_int_equal(first_count, 0);
}

static void test_dispatching(void **state)
{
    struct fixture *f = *state;
    struct rwd_task_row *found = NULL;
    size_t count = 0;
    ASSERT_OK(f, rwd_store_tasks_dispatching(f->reader, &f->arena, &found, &count, &f->error));
    assert_int_equal(count, ROW_COUNT / 4);
    for (size_t i = 0; i < count; i++) {
        assert_true(rwd_text_is(found[i].status, "dispatching"));
    }
}

int main(void)
{
    const struct CMUnitTest tests_of_file[] = {
        cmocka_unit_test_setup_teardown(test_every_filter_and_every_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_our_cursors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plans_use_their_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_due_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dispatching, setup, teardown),
    };
    return cmocka_run_group_tests(tests_of_file, NULL, NULL);
}
