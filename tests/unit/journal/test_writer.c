#include "support.h"

#include "base/log.h"
#include "journal/segment.h"

#include <sys/wait.h>

static void append_commit_reopen(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    assert_int_equal(rwd_journal_durable(rig.writer), 0);
    assert_int_equal(rwd_journal_sequence_last(rig.writer), 0);
    rig_commit(&rig); /* nothing appended: nothing written */
    assert_int_equal(rwd_journal_durable(rig.writer), 0);
    for (int i = 0; i < 10; i++) {
        rig_append(&rig, (size_t)i * 37);
    }
    uint64_t end = rwd_journal_end(rig.writer);
    assert_int_equal(rwd_journal_durable(rig.writer), 0);
    assert_int_equal(read_all(&rig), 0); /* not sealed, not seen */
    rig_commit(&rig);
    assert_true(rwd_journal_durable(rig.writer) >= end);
    assert_int_equal(read_all(&rig), 10);
    rig_append(&rig, 5); /* never committed */
    rig_close(&rig);
    rig_open(&rig);
    assert_int_equal(rwd_journal_sequence_last(rig.writer), 10);
    rig.sequence = 10;
    for (int i = 0; i < 10; i++) {
        rig_append(&rig, 100);
        rig_commit(&rig);
    }
    rig_close(&rig);
    assert_int_equal(read_all(&rig), 20);
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    assert_int_equal(verdict.records, 20);
    assert_int_equal(verdict.commits, 11);
    assert_int_equal(verdict.segments, 1);
    assert_int_equal(verdict.torn_bytes, 0);
    rig_remove(&rig);
}

static void fields_survive(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    struct rwd_record record = {.type = RWD_RECORD_DEAD_LETTER,
        .flags = RWD_RECORD_FLAG_ENCRYPTED,
        .key_id = 0xfedcba98,
        .sequence = UINT64_MAX - 1,
        .time_ms = -5,
        .user_fingerprint = UINT64_MAX,
        .event_fingerprint = 0x0102030405060708};
    const struct rwd_text parts[] = {RWD_TEXT("a\0b"), {.data = NULL, .size = 0}, RWD_TEXT("c")};
    assert_int_equal(rwd_journal_append(rig.writer, &record, parts, 3), RWD_OK);
    rig_commit(&rig);
    struct rwd_journal_reader *reader = NULL;
    assert_int_equal(rwd_journal_reader_open(rig.dir, 0, &reader, &rig.error), RWD_OK);
    struct rwd_record read;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(i == 0 ? rwd_journal_reader_next(reader, &read, &rig.error)
                                : rwd_journal_reader_at(reader, record.position, &read, &rig.error),
            RWD_OK);
        assert_int_equal(read.type, record.type);
        assert_int_equal(read.flags, record.flags);
        assert_int_equal(read.key_id, record.key_id);
        assert_int_equal(read.sequence, record.sequence);
        assert_int_equal(read.time_ms, record.time_ms);
        assert_int_equal(read.user_fingerprint, record.user_fingerprint);
        assert_int_equal(read.event_fingerprint, record.event_fingerprint);
        assert_int_equal(read.position, record.position);
        assert_int_equal(read.size_on_disk, record.size_on_disk);
        assert_true(rwd_text_equal(read.body, (struct rwd_text){.data = "a\0bc", .size = 4}));
    }
    assert_int_equal(rwd_journal_reader_at(reader, record.position + 8, &read, NULL), RWD_CORRUPT);
    assert_int_equal(rwd_journal_reader_at(reader, 4096, &read, NULL), RWD_NOT_FOUND);
    assert_int_equal(rwd_journal_reader_at(reader, 1ULL << 40, &read, NULL), RWD_NOT_FOUND);
    rwd_journal_reader_close(reader);
    rig_remove(&rig);
}

static void limits(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    assert_int_equal(rig_try_append(&rig, RWD_RECORD_BODY_SIZE_MAX + 1, NULL), RWD_LIMIT);
    /* 1 MiB of body does not fit a segment of 1 MiB. */
    assert_int_equal(rig_try_append(&rig, RWD_RECORD_BODY_SIZE_MAX, NULL), RWD_LIMIT);
    size_t most = SEGMENT_SIZE - 96 - 80 - 48;
    assert_int_equal(rig_try_append(&rig, most + 1, NULL), RWD_LIMIT);
    rig_append(&rig, most);
    assert_int_equal(rig_try_append(&rig, 0, NULL), RWD_BUSY);
    rig_commit(&rig);
    assert_int_equal(rig_try_append(&rig, 0, NULL), RWD_UNAVAILABLE);
    rig_prepare(&rig);
    rig_append(&rig, 0);
    rig_commit(&rig);
    assert_int_equal(read_all(&rig), 2);
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    assert_int_equal(verdict.segments, 2);
    rig_remove(&rig);
}

static void rolling(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    uint64_t total = 0;
    for (int round = 0; round < 4; round++) {
        rig_fill(&rig, 3000, 17, 300);
        total += 3000;
        assert_int_equal(read_all(&rig), total);
        rig_close(&rig);
        rig_open(&rig);
        assert_int_equal(rwd_journal_sequence_last(rig.writer), total);
    }
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    assert_int_equal(verdict.records, total);
    assert_true(verdict.segments >= 4);
    /* A segment that is filled to the byte. */
    uint64_t rest = SEGMENT_SIZE - rwd_journal_durable(rig.writer) % SEGMENT_SIZE;
    rig_append(&rig, (size_t)rest - 80 - 48);
    rig_commit(&rig);
    assert_int_equal(rwd_journal_durable(rig.writer) % SEGMENT_SIZE, 0);
    rig_close(&rig);
    rig_open(&rig);
    rig_prepare(&rig);
    rig_append(&rig, 9);
    rig_commit(&rig);
    assert_int_equal(read_all(&rig), total + 2);
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    rig_remove(&rig);
}

static void start_anywhere(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    enum { COUNT = 9000 };
    static uint64_t positions[COUNT + 1];
    for (size_t i = 1; i <= COUNT; i++) {
        rig_prepare(&rig);
        if (rig_try_append(&rig, i % 400, &positions[i]) == RWD_BUSY) {
            rig_commit(&rig);
            assert_int_equal(rig_try_append(&rig, i % 400, &positions[i]), RWD_OK);
        }
        if (i % 7 == 0) {
            rig_commit(&rig);
        }
    }
    rig_commit(&rig);
    struct rwd_journal_reader *reader = NULL;
    struct rwd_record record;
    for (size_t i = 1; i <= COUNT; i += 13) {
        for (uint64_t back = 0; back < 9; back += 4) {
            assert_int_equal(
                rwd_journal_reader_open(rig.dir, positions[i] - back, &reader, NULL), RWD_OK);
            assert_int_equal(rwd_journal_reader_next(reader, &record, &rig.error), RWD_OK);
            /* Behind a seal or a roll there is a gap, so a few bytes back is still before it. */
            assert_int_equal(record.position, positions[i]);
            rwd_journal_reader_close(reader);
        }
    }
    /* At the end, and past it: nothing yet, then what comes. */
    assert_int_equal(
        rwd_journal_reader_open(rig.dir, rwd_journal_durable(rig.writer), &reader, NULL), RWD_OK);
    assert_int_equal(rwd_journal_reader_next(reader, &record, NULL), RWD_NOT_FOUND);
    uint64_t sequence = COUNT;
    rig_fill(&rig, 5000, 100, 300);
    assert_int_equal(read_on(reader, &sequence, NULL), RWD_NOT_FOUND);
    assert_int_equal(sequence, COUNT + 5000);
    rwd_journal_reader_close(reader);
    rig_remove(&rig);
}

static void lock_conflict(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    struct rig other = rig;
    assert_int_equal(rig_try_open(&other), RWD_CONFLICT);
    char pid[32];
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(other.error.text, pid));
    rig_close(&rig);
    rig_open(&rig);
    rig_remove(&rig);
}

static void bad_options(void **state)
{
    (void)state;
    struct rwd_journal_writer *writer = NULL;
    struct rwd_journal_options options = {.dir = "/nowhere/at/all"};
    assert_int_equal(rwd_journal_open(&options, &writer, NULL), RWD_UNAVAILABLE);
    options = (struct rwd_journal_options){.dir = "/tmp", .segment_size = 5};
    assert_int_equal(rwd_journal_open(&options, &writer, NULL), RWD_INVALID);
    struct rwd_journal_reader *reader = NULL;
    assert_int_equal(rwd_journal_reader_open("/nowhere", 0, &reader, NULL), RWD_NOT_FOUND);
    struct rwd_journal_verdict verdict;
    assert_int_equal(rwd_journal_verify("/nowhere", &verdict, NULL), RWD_NOT_FOUND);
}

static void temporary_files_go(void **state)
{
    (void)state;
    struct rig rig;
    char path[PATH_SIZE];
    rig_make(&rig);
    (void)snprintf(path, sizeof path, "%s/0000000000000000.temp", rig.dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    rig_open(&rig);
    assert_int_equal(access(path, F_OK), -1);
    rig_append(&rig, 10);
    rig_commit(&rig);
    assert_int_equal(read_all(&rig), 1);
    rig_remove(&rig);
}

int main(void)
{
    rwd_log_set_level(RWD_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_commit_reopen),
        cmocka_unit_test(fields_survive),
        cmocka_unit_test(limits),
        cmocka_unit_test(rolling),
        cmocka_unit_test(start_anywhere),
        cmocka_unit_test(lock_conflict),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(temporary_files_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
