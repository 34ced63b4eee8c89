/*
 * The world goes wrong: a child of our own, started anew with REWARDD_FAULT set, appends, tells
 * what it was promised over a pipe, and is killed or refused at the named place.
 */
#include "support.h"

#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { CHILD_RECORD_COUNT = 60, CHILD_BODY_SIZE = 60000 };

/* Appends from where the journal is, one commit each; after each writes the sequence to stdout. */
static int append_and_tell(struct rig *rig)
{
    if (rig_try_open(rig) != RWD_OK) {
        return 10;
    }
    rig->sequence = rwd_journal_sequence_last(rig->writer);
    for (int i = 0; i < CHILD_RECORD_COUNT; i++) {
        if (rwd_journal_prepare(rig->writer, &rig->error) != RWD_OK) {
            return 11;
        }
        enum rwd_status status = rig_try_append(rig, CHILD_BODY_SIZE, NULL);
        if (status == RWD_OK) {
            status = rwd_journal_commit(rig->writer, &rig->error);
        }
        if (status != RWD_OK) {
            /* Poisoned: everything is refused from here on. */
            bool refused = rwd_journal_commit(rig->writer, NULL) == RWD_UNAVAILABLE &&
                           rig_try_append(rig, 1, NULL) == RWD_UNAVAILABLE;
            return refused ? 12 : 13;
        }
        if (write(STDOUT_FILENO, &rig->sequence, sizeof rig->sequence) < 0) {
            return 14;
        }
    }
    return 0;
}

static int child_appends(const char *dir)
{
    struct rig rig = {.sequence = 0};
    (void)snprintf(rig.dir, sizeof rig.dir, "%s", dir);
    int answer = append_and_tell(&rig);
    rig_close(&rig);
    return answer;
}

/* Runs the child; answers its wait status and the last sequence that it was promised. */
static int run_child(const char *dir, const char *fault, uint64_t *promised)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)setenv("REWARDD_FAULT", fault, 1);
        (void)execl("/proc/self/exe", "test_faults", "--child", dir, (char *)NULL);
        _exit(99);
    }
    assert_true(pid > 0);
    (void)close(ends[1]);
    uint64_t sequence = 0;
    while (read(ends[0], &sequence, sizeof sequence) == sizeof sequence) {
        *promised = sequence;
    }
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* All that was promised is there, at most one more; it verifies and goes on. */
static void check_after(struct rig *rig, uint64_t promised)
{
    struct rwd_journal_verdict verdict;
    rig_open(rig);
    uint64_t last = rwd_journal_sequence_last(rig->writer);
    assert_true(last == promised || last == promised + 1);
    assert_int_equal(read_all(rig), last);
    if (verify(rig, &verdict) != RWD_OK) {
        fail_msg("%s", rig->error.text);
    }
    assert_int_equal(verdict.torn_bytes, 0);
    rig->sequence = last;
    rig_fill(rig, 3, 1, CHILD_BODY_SIZE);
    assert_int_equal(read_all(rig), last + 3);
    rig_close(rig);
}

/* Builds without fault points have nothing to test here. */
static void need_faults(void)
{
#if !defined(RWD_FAULTS)
    skip();
#endif
}

static void killed_anywhere(void **state)
{
    (void)state;
    need_faults();
    static const char *const points[] = {"journal.write.before", "journal.write.after",
        "journal.sync.before", "journal.sync.after", "journal.create.before_rename",
        "journal.create.after", "journal.recover.before_zero"};
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        struct rig rig;
        rig_make(&rig);
        uint64_t promised = 0;
        for (int nth = 1; nth < 40; nth += 6) {
            char fault[96];
            (void)snprintf(fault, sizeof fault, "%s:kill:%d", points[i], nth);
            int status = run_child(rig.dir, fault, &promised);
            assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
                        (WIFEXITED(status) && WEXITSTATUS(status) == 0));
            check_after(&rig, promised);
            promised = rig.sequence;
        }
        rig_remove(&rig);
    }
}

static void refused_then_poisoned(void **state)
{
    (void)state;
    need_faults();
    static const char *const faults[] = {"journal.write:error:20", "journal.sync:error:20"};
    for (size_t i = 0; i < 2; i++) {
        struct rig rig;
        uint64_t promised = 0;
        rig_make(&rig);
        int status = run_child(rig.dir, faults[i], &promised);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 12);
        assert_int_equal(promised, 19);
        check_after(&rig, promised);
        rig_remove(&rig);
    }
}

/* The commit that a killed process had written and not synced counts from the next open on: that
 * open syncs it, and is refused where it cannot. */
static void durable_before_it_counts(void **state)
{
    (void)state;
    need_faults();
    struct rig rig;
    uint64_t promised = 0;
    rig_make(&rig);
    int status = run_child(rig.dir, "journal.sync.before:kill:20", &promised);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(promised, 19);
    status = run_child(rig.dir, "journal.recover.sync:error:1", &promised);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 10);
    check_after(&rig, promised);
    rig_remove(&rig);
}

/* A segment whose name may not be on the disk takes no commit: what was promised would be in a file
 * that a power cut can take away. */
static void named_durably_before_it_is_used(void **state)
{
    (void)state;
    need_faults();
    struct rig rig;
    uint64_t promised = 0;
    rig_make(&rig);
    /* The one it lies in is synced, so is the folder for the first segment, not for the second. */
    int status = run_child(rig.dir, "journal.folder.sync:error:3+", &promised);
    assert_int_equal(WEXITSTATUS(status), 11);
    /* Both are there; the open asks again, then whoever takes up the second one. */
    for (int nth = 1; nth <= 3; nth++) {
        char fault[64];
        (void)snprintf(fault, sizeof fault, "journal.folder.sync:error:%d+", nth);
        status = run_child(rig.dir, fault, &promised);
        assert_int_equal(WEXITSTATUS(status), nth < 3 ? 10 : 11);
    }
    assert_int_equal(promised, 0);
    check_after(&rig, 0);
    rig_remove(&rig);
}

/* A file system that takes no direct writes, in turns with one that does: the bytes are the same.
 */
static void buffered_where_it_must_be(void **state)
{
    (void)state;
    need_faults();
    struct rig rig;
    uint64_t promised = 0;
    rig_make(&rig);
    for (int i = 0; i < 4; i++) {
        int status = run_child(rig.dir,
            i % 2 == 0 ? "journal.direct:error:1+" : "journal.sync.after:kill:30", &promised);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        check_after(&rig, promised);
        promised = rig.sequence;
    }
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    rig_remove(&rig);
}

static void no_room_for_a_segment(void **state)
{
    (void)state;
    need_faults();
    struct rig rig;
    uint64_t promised = 0;
    rig_make(&rig);
    int status = run_child(rig.dir, "journal.preallocate:error:1", &promised);
    assert_int_equal(WEXITSTATUS(status), 10);
    status = run_child(rig.dir, "journal.preallocate:error:2+", &promised);
    assert_int_equal(WEXITSTATUS(status), 11);
    assert_int_equal(promised, 0);
    check_after(&rig, 0);
    rig_remove(&rig);
}

/* A real refusal by the system; it is survived, and goes on once there is room. */
static void disk_full_and_room_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    struct rlimit kept;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
    struct rlimit low = {.rlim_cur = SEGMENT_SIZE / 2, .rlim_max = kept.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    enum rwd_status first = rwd_journal_prepare(rig.writer, &rig.error);
    enum rwd_status second = rwd_journal_prepare(rig.writer, &rig.error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
    assert_int_equal(first, RWD_UNAVAILABLE);
    assert_int_equal(second, RWD_UNAVAILABLE);
    rig_append(&rig, 700000); /* what is prepared can still be used */
    rig_commit(&rig);
    assert_int_equal(rig_try_append(&rig, 700000, NULL), RWD_UNAVAILABLE);
    rig_prepare(&rig);
    rig_append(&rig, 700000);
    rig_commit(&rig);
    assert_int_equal(read_all(&rig), 2);
    rig_remove(&rig);
}

int main(int argc, char **argv)
{
    rwd_log_set_level(RWD_LOG_ERROR);
    if (argc == 3 && strcmp(argv[1], "--child") == 0) {
        return child_appends(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_anywhere),
        cmocka_unit_test(refused_then_poisoned),
        cmocka_unit_test(durable_before_it_counts),
        cmocka_unit_test(named_durably_before_it_is_used),
        cmocka_unit_test(buffered_where_it_must_be),
        cmocka_unit_test(no_room_for_a_segment),
        cmocka_unit_test(disk_full_and_room_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
