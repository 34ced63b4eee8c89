#include "support.h"

#include "base/log.h"
#include "journal/index.h"

enum { RECORD_COUNT = 12000 };

static uint64_t positions_of[RECORD_COUNT + 1];

static void append_some(struct rig *rig, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rig_prepare(rig);
        uint64_t *position = &positions_of[rig->sequence + 1];
        if (rig_try_append(rig, 250, position) == RWD_BUSY) {
            rig_commit(rig);
            assert_int_equal(rig_try_append(rig, 250, position), RWD_OK);
        }
        if (i % 11 == 0) {
            rig_commit(rig);
        }
    }
    rig_commit(rig);
}

/* Every event is found where it was written; every user's records, newest first. */
static void check_index(struct rwd_journal_index *index, uint64_t sequence_max)
{
    uint64_t found[64];
    size_t count = 0;
    for (uint64_t sequence = 1; sequence <= sequence_max; sequence += 7) {
        rwd_journal_index_by_event(index, sequence * 1000003, found, 64, &count);
        assert_int_equal(count, 1);
        assert_int_equal(found[0], positions_of[sequence]);
    }
    rwd_journal_index_by_event(index, 12345, found, 64, &count);
    assert_int_equal(count, 0);
    rwd_journal_index_by_user(index, 0, UINT64_MAX, found, 64, &count);
    assert_int_equal(count, 0); /* no user is nobody's history */
    uint64_t before = UINT64_MAX;
    uint64_t expected = sequence_max - (sequence_max - 3) % 5;
    for (;;) {
        rwd_journal_index_by_user(index, 3, before, found, 64, &count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(found[i], positions_of[expected]);
            expected -= 5;
        }
        if (count < 64) {
            break;
        }
        before = found[count - 1];
    }
    assert_int_equal(expected, (uint64_t)3 - 5);
}

static void path_of_sidecar(const struct rig *rig, uint64_t base, char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "%s/%016llx.index", rig->dir, (unsigned long long)base);
}

static void follows_and_finds(void **state)
{
    (void)state;
    struct rig rig;
    struct rwd_journal_index *index = NULL;
    rig_make(&rig);
    rig_open(&rig);
    assert_int_equal(rwd_journal_index_open(rig.dir, &index, &rig.error), RWD_OK);
    assert_int_equal(rwd_journal_index_follow(index, &rig.error), RWD_OK);
    for (uint64_t part = 1; part <= 4; part++) {
        append_some(&rig, RECORD_COUNT / 4);
        assert_int_equal(rwd_journal_index_follow(index, &rig.error), RWD_OK);
        check_index(index, part * RECORD_COUNT / 4);
    }
    rwd_journal_index_close(index);
    char path[PATH_SIZE];
    path_of_sidecar(&rig, 0, path);
    assert_int_equal(access(path, F_OK), 0);

    /* Opened again: sidecars as they are, one missing, one damaged in its head, one in a block. */
    for (int spoil = 0; spoil < 4; spoil++) {
        path_of_sidecar(&rig, spoil == 1 ? 0 : SEGMENT_SIZE, path);
        if (spoil == 1) {
            assert_int_equal(unlink(path), 0);
        } else if (spoil > 1) {
            int fd = open(path, O_RDWR);
            assert_true(fd >= 0);
            uint64_t offset = spoil == 2 ? 40 : 4096 + 100;
            put_byte(fd, offset, (uint8_t)~byte_at(fd, offset));
            (void)close(fd);
        }
        assert_int_equal(rwd_journal_index_open(rig.dir, &index, &rig.error), RWD_OK);
        assert_int_equal(rwd_journal_index_follow(index, &rig.error), RWD_OK);
        check_index(index, RECORD_COUNT);
        rwd_journal_index_close(index);
    }
    rig_remove(&rig);
}

static void waits_for_a_journal(void **state)
{
    (void)state;
    struct rig rig;
    struct rwd_journal_index *index = NULL;
    uint64_t found[2];
    size_t count = 9;
    rig_make(&rig);
    assert_int_equal(rwd_journal_index_open(rig.dir, &index, &rig.error), RWD_OK);
    assert_int_equal(rwd_journal_index_follow(index, &rig.error), RWD_OK);
    rwd_journal_index_by_event(index, 1000003, found, 2, &count);
    assert_int_equal(count, 0);
    rig_open(&rig);
    append_some(&rig, 10);
    assert_int_equal(rwd_journal_index_follow(index, &rig.error), RWD_OK);
    rwd_journal_index_by_event(index, 1000003, found, 2, &count);
    assert_int_equal(count, 1);
    rwd_journal_index_close(index);
    rig_remove(&rig);
}

int main(void)
{
    rwd_log_set_level(RWD_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_and_finds),
        cmocka_unit_test(waits_for_a_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
