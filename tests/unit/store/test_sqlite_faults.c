/* The world goes wrong: disk full, file too large, locked, kill -9 at and around the commit. After
 * each the tables are whole, at the position they name, and the same checkpoint goes through. */
#include "fixture.h"

#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { PLAYER_COUNT = 200 };

static int setup(void **state)
{
    struct fixture *f = rwd_new(sizeof *f);
    fixture_init(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_finish(*state);
    rwd_free(*state);
    return 0;
}

/* Checkpoint number n: the position, all players, the tasks n has made so far and the pool's sums
 * all say n. */
static enum rwd_status write_numbered(struct fixture *f, uint64_t n)
{
    static struct rwd_player_row players[PLAYER_COUNT];
    static char state[900];
    memset(state, (int)n, sizeof state);
    rwd_arena_reset(&f->rows, SIZE_MAX);
    for (unsigned i = 0; i < PLAYER_COUNT; i++) {
        fill_row(f, &rwd_store__players, i, &players[i]);
        players[i].sequence = n;
        players[i].state = (struct rwd_text){.data = state, .size = sizeof state};
    }
    struct rwd_task_row task = task_row(f, (unsigned)n, "pending");
    struct rwd_budget_difference difference = {
        .pool_id = RWD_TEXT("pool"), .reserved_minor = 10, .spent_minor = 1};
    struct rwd_checkpoint checkpoint = {.journal_position = n,
        .sequence = n,
        .players = players,
        .player_count = PLAYER_COUNT,
        .tasks = &task,
        .task_count = 1,
        .differences = &difference,
        .difference_count = 1};
    return rwd_store_checkpoint(f->store, &checkpoint, &f->error);
}

/* Returns n, after looking whether everything says so. */
static uint64_t check_numbered(struct fixture *f)
{
    int64_t n = fixture_number(f, "SELECT value FROM meta WHERE name = 'journal_position'");
    assert_int_equal(
        fixture_number(f, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = "
                          "'ok'"),
        1);
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM reward_tasks"), n);
    assert_int_equal(fixture_number(f, "SELECT n FROM counts WHERE name = 'pending'"), n);
    if (n > 0) {
        assert_int_equal(fixture_number(f, "SELECT min(sequence) FROM players"), n);
        assert_int_equal(fixture_number(f, "SELECT max(sequence) FROM players"), n);
        assert_int_equal(fixture_number(f, "SELECT count(*) FROM players"), PLAYER_COUNT);
        assert_int_equal(fixture_number(f, "SELECT reserved_minor FROM budget_periods"), 10 * n);
        assert_int_equal(fixture_number(f, "SELECT spent_minor FROM budget_periods"), n);
    } else {
        assert_int_equal(fixture_number(f, "SELECT count(*) FROM players"), 0);
    }
    return (uint64_t)n;
}

static void test_full_database(void **state)
{
    struct fixture *f = *state;
    ASSERT_OK(f, write_numbered(f, 1));
    int64_t pages = fixture_number(f, "PRAGMA page_count");
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %d", (int)pages);
    (void)fixture_number(f, sql);
    struct rwd_player_row players[100] = {0};
    static const char big[4000];
    for (unsigned i = 0; i < 100; i++) {
        fill_row(f, &rwd_store__players, 1000 + i, &players[i]);
        players[i].state = (struct rwd_text){.data = big, .size = sizeof big};
    }
    struct rwd_checkpoint checkpoint = {
        .journal_position = 2, .players = players, .player_count = 100};
    assert_int_equal(rwd_store_checkpoint(f->store, &checkpoint, &f->error), RWD_UNAVAILABLE);
    assert_non_null(strstr(f->error.text, "full"));
    assert_int_equal(check_numbered(f), 1);
    (void)fixture_number(f, "PRAGMA max_page_count = 1000000");
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM players"), PLAYER_COUNT + 100);
}

/* The log itself cannot grow: what a full disk looks like in WAL mode. */
static void test_file_too_large(void **state)
{
    struct fixture *f = *state;
    struct rlimit before;
    ASSERT_OK(f, write_numbered(f, 1));
    /* Else it may just have been copied back, and start over in the file that is there. */
    assert_int_equal(fixture_number(f, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    /* Whether the log goes on at its end or has just been started over. */
    struct rlimit small = {.rlim_cur = (rlim_t)3 * 4096, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum rwd_status status[2] = {write_numbered(f, 2), write_numbered(f, 2)};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(status[0], RWD_UNAVAILABLE);
    assert_int_equal(status[1], RWD_UNAVAILABLE);
    assert_int_equal(check_numbered(f), 1);
    ASSERT_OK(f, write_numbered(f, 2));
    assert_int_equal(check_numbered(f), 2);
    fixture_reopen(f);
    assert_int_equal(check_numbered(f), 2);
}

static void test_locked_by_a_shell(void **state)
{
    struct fixture *f = *state;
    ASSERT_OK(f, write_numbered(f, 1));
    sqlite3 *shell = NULL;
    assert_int_equal(sqlite3_open(f->path, &shell), SQLITE_OK);
    assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_busy_timeout(fixture_db(f), 10);
    assert_int_equal(write_numbered(f, 2), RWD_UNAVAILABLE);
    assert_non_null(strstr(f->error.text, "locked"));
    uint64_t position = 0;
    uint64_t sequence = 0;
    ASSERT_OK(f, rwd_store_position(f->reader, &position, &sequence, &f->error));
    assert_int_equal(position, 1);
    assert_int_equal(sqlite3_exec(shell, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ASSERT_OK(f, write_numbered(f, 2));
    (void)sqlite3_close(shell);
    assert_int_equal(check_numbered(f), 2);
}

static long wal_size(struct fixture *f)
{
    char wal[112];
    struct stat info;
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    assert_int_equal(stat(wal, &info), 0);
    return (long)info.st_size;
}

/* The log starts over again and again; a shell that keeps an old picture makes it grow and fails
 * nothing; when it lets go, the log starts over. */
static void test_log_starts_over(void **state)
{
    struct fixture *f = *state;
    struct rwd_sqlite_store *store = (struct rwd_sqlite_store *)f->store;
    store->wal_page_count_due = 1;
    uint64_t n = 0;
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(f, write_numbered(f, ++n));
    }
    long steady = wal_size(f);
    for (int i = 0; i < 20; i++) {
        ASSERT_OK(f, write_numbered(f, ++n));
    }
    assert_true(wal_size(f) <= steady);
    sqlite3 *shell = NULL;
    assert_int_equal(sqlite3_open(f->path, &shell), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(shell, "BEGIN; SELECT count(*) FROM players", NULL, NULL, NULL), SQLITE_OK);
    store->wal_page_count_forced = 1;
    for (int i = 0; i < 20; i++) {
        ASSERT_OK(f, write_numbered(f, ++n));
    }
    assert_true(wal_size(f) > 5 * steady);
    assert_true(store->wal_page_count_forced > 1000); /* not waited for at every commit */
    assert_int_equal(sqlite3_exec(shell, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(shell);
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(f, write_numbered(f, ++n));
    }
    assert_true(store->wal_page_count * 4096L <= steady);
    assert_int_equal(check_numbered(f), n);
}

static void test_damaged_page(void **state)
{
    struct fixture *f = *state;
    ASSERT_OK(f, write_numbered(f, 1));
    fixture_close(f);
    FILE *file = fopen(f->path, "r+");
    assert_non_null(file);
    static const char zero[4096];
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    for (long at = 4096 * 8; at + 4096 <= size; at += 4096) {
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_equal(fwrite(zero, sizeof zero, 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
    enum rwd_status status = rwd_store_open(f->url, &f->store, &f->error);
    if (status == RWD_OK) {
        status = write_numbered(f, 2);
    }
    assert_int_equal(status, RWD_CORRUPT);
}

/* ---- kill -9: this program once more, as a child that writes until it is gone ---- */

static int child(const char *url, uint64_t first, uint64_t last)
{
    struct fixture f = {0};
    rwd_arena_init(&f.rows, 1 << 16, 1 << 24);
    if (rwd_store_open(url, &f.store, &f.error) != RWD_OK) {
        return 2;
    }
    for (uint64_t n = first; n <= last; n++) {
        enum rwd_status status = write_numbered(&f, n);
        /* An injected error leaves nothing behind, and the same checkpoint goes through. */
        if (status == RWD_UNAVAILABLE) {
            status = write_numbered(&f, n);
        }
        if (status != RWD_OK) {
            return 3;
        }
        char byte = 1;
        if (write(STDOUT_FILENO, &byte, 1) != 1) {
            return 4;
        }
    }
    rwd_store_close(f.store);
    rwd_arena_finish(&f.rows);
    return 0;
}

/* Runs the child from first on. Kills it after it has told of kill_after checkpoints (0: it is left
 * alone). Returns how many it told of. */
static uint64_t run_child(struct fixture *f, const char *faults, uint64_t first, uint64_t last,
    uint64_t kill_after, int *wait_status)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    char from[24];
    char to[24];
    (void)snprintf(from, sizeof from, "%d", (int)first);
    (void)snprintf(to, sizeof to, "%d", (int)last);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)setenv("REWARDD_FAULT", faults, 1);
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execl("/proc/self/exe", "child", f->url, from, to, (char *)NULL);
        _exit(5);
    }
    (void)close(ends[1]);
    uint64_t told = 0;
    char byte;
    while (read(ends[0], &byte, 1) == 1) {
        told++;
        if (told == kill_after) {
            (void)kill(pid, SIGKILL);
        }
    }
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, wait_status, 0), pid);
    return told;
}

static uint64_t reopen_and_check(struct fixture *f)
{
    ASSERT_OK(f, rwd_store_open(f->url, &f->store, &f->error));
    ASSERT_OK(f, rwd_store_reader_open(f->url, &f->reader, &f->error));
    uint64_t n = check_numbered(f);
    fixture_close(f);
    return n;
}

static void test_kill_at_the_commit(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    fixture_close(f);
    uint64_t told = run_child(f, "checkpoint.commit.before:kill:4", 1, 100, 0, &status);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(told, 3);
    assert_int_equal(reopen_and_check(f), 3);
    told = run_child(f, "checkpoint.commit.after:kill:4", 4, 100, 0, &status);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(told, 3);
    assert_int_equal(reopen_and_check(f), 7);
    told = run_child(f, "checkpoint.commit:error:2", 8, 12, 0, &status);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(told, 5);
    assert_int_equal(reopen_and_check(f), 12);
}

static void test_kill_anywhere(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    uint64_t n = 0;
    for (uint64_t round = 1; round <= 15; round++) {
        int status = 0;
        uint64_t told = run_child(f, "", n + 1, n + 100000, 1 + round * 5 % 7, &status);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        uint64_t now = reopen_and_check(f);
        /* All it told of is there, and perhaps the one it had no time to tell of. */
        assert_true(now == n + told || now == n + told + 1);
        n = now;
    }
}

int main(int count, char **arguments)
{
    if (count == 4) {
        return child(
            arguments[1], strtoull(arguments[2], NULL, 10), strtoull(arguments[3], NULL, 10));
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locked_by_a_shell, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_starts_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_anywhere, setup, teardown),
#if defined(RWD_FAULTS)
        cmocka_unit_test_setup_teardown(test_kill_at_the_commit, setup, teardown),
#endif
    };
    (void)test_kill_at_the_commit;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
