#include "support.h"

#include "base/log.h"

#include <time.h>

static void write_range(int fd, uint64_t offset, const char *data, size_t size)
{
    assert_int_equal(pwrite(fd, data, size, (off_t)offset), size);
}

/* How the bytes of the last commit from `cut` on are spoilt. */
enum spoil { CUT_FILE, ZEROS, GARBAGE, GARBAGE_AND_MORE, SPOIL_COUNT };

static void spoil_tail(int fd, enum spoil spoil, uint64_t cut, uint64_t end)
{
    char junk[4096];
    size_t size = (size_t)(end - cut);
    for (size_t i = 0; i < sizeof junk; i++) {
        junk[i] = spoil == ZEROS ? 0 : (char)(0x81 + i * 13);
    }
    if (spoil == CUT_FILE) {
        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
    } else {
        write_range(fd, cut, junk, spoil == GARBAGE_AND_MORE ? size + 1000 : size);
    }
}

/* Commits `before` records one by one, then one commit of three; spoils that one at every byte. */
static void torn_at_every_byte(size_t before, enum spoil spoil)
{
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    for (size_t i = 0; i < before; i++) {
        rig_append(&rig, 50);
        rig_commit(&rig);
    }
    uint64_t begin = rwd_journal_durable(rig.writer);
    for (int i = 0; i < 3; i++) {
        rig_append(&rig, 13);
    }
    rig_commit(&rig);
    uint64_t end = rwd_journal_durable(rig.writer);
    rig_close(&rig);
    int fd = segment_fd(&rig, 0);
    char *whole = malloc((size_t)end);
    assert_int_equal(pread(fd, whole, (size_t)end, 0), end);
    for (uint64_t cut = begin; cut < end; cut++) {
        spoil_tail(fd, spoil, cut, end);
        struct rwd_journal_verdict verdict;
        rig.sequence = before;
        if (cut == end - 1 && spoil != CUT_FILE) {
            /* One byte changed is proven by the chain: it is damage, and which byte is known. */
            assert_int_equal(verify(&rig, &verdict), RWD_CORRUPT);
            assert_int_equal(rig_try_open(&rig), RWD_CORRUPT);
        } else {
            if (verify(&rig, &verdict) != RWD_OK) {
                fail_msg("cut at %llu: %s", (unsigned long long)cut, rig.error.text);
            }
            assert_int_equal(verdict.records, before);
            assert_int_equal(read_all(&rig), before);
            rig_open(&rig);
            assert_int_equal(rwd_journal_durable(rig.writer), begin);
            assert_int_equal(rwd_journal_sequence_last(rig.writer), before);
            assert_int_equal(verify(&rig, &verdict), RWD_OK);
            assert_int_equal(verdict.torn_bytes, 0);
            rig_append(&rig, 33);
            rig_commit(&rig);
            rig_close(&rig);
            assert_int_equal(read_all(&rig), before + 1);
            assert_int_equal(verify(&rig, &verdict), RWD_OK);
        }
        char zeros[8192] = {0};
        write_range(fd, begin, zeros, sizeof zeros);
        write_range(fd, 0, whole, (size_t)end);
    }
    free(whole);
    (void)close(fd);
    rig_remove(&rig);
}

static void torn_later_commit(void **state)
{
    (void)state;
    for (int spoil = 0; spoil < SPOIL_COUNT; spoil++) {
        torn_at_every_byte(4, (enum spoil)spoil);
    }
}

static void torn_first_commit(void **state)
{
    (void)state;
    for (int spoil = 0; spoil < SPOIL_COUNT; spoil++) {
        torn_at_every_byte(0, (enum spoil)spoil);
    }
}

/* A lost sector in the last commit is torn; the same with a commit behind it is damage. */
static void lost_sector(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        struct rig rig;
        rig_make(&rig);
        rig_open(&rig);
        rig_append(&rig, 100);
        rig_commit(&rig);
        for (int i = 0; i < 20; i++) {
            rig_append(&rig, 300);
        }
        rig_commit(&rig);
        if (later) {
            rig_append(&rig, 1);
            rig_commit(&rig);
        }
        rig_close(&rig);
        int fd = segment_fd(&rig, 0);
        char zeros[512] = {0};
        write_range(fd, 2048, zeros, sizeof zeros);
        (void)close(fd);
        struct rwd_journal_verdict verdict;
        assert_int_equal(verify(&rig, &verdict), later ? RWD_CORRUPT : RWD_OK);
        assert_int_equal(rig_try_open(&rig), later ? RWD_CORRUPT : RWD_OK);
        if (!later) {
            assert_true(verdict.torn_bytes > 0);
            assert_int_equal(read_all(&rig), 1);
        } else {
            struct rwd_journal_reader *reader = NULL;
            uint64_t sequence = 0;
            assert_int_equal(rwd_journal_reader_open(rig.dir, 0, &reader, NULL), RWD_OK);
            assert_int_equal(read_on(reader, &sequence, &rig.error), RWD_CORRUPT);
            assert_int_equal(sequence, 1);
            rwd_journal_reader_close(reader);
        }
        rig_remove(&rig);
    }
}

/* Two changed bytes, a record with its seal standing: damage, not a tail. */
static void damaged_last_commit(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    uint64_t position = 0;
    rig_append(&rig, 100);
    rig_commit(&rig);
    assert_int_equal(rig_try_append(&rig, 100, &position), RWD_OK);
    rig_commit(&rig);
    rig_close(&rig);
    int fd = segment_fd(&rig, 0);
    put_byte(fd, position + 60, (uint8_t)~byte_at(fd, position + 60));
    put_byte(fd, position + 90, (uint8_t)~byte_at(fd, position + 90));
    (void)close(fd);
    assert_int_equal(rig_try_open(&rig), RWD_CORRUPT);
    assert_non_null(strstr(rig.error.text, "not a torn tail"));
    rig_remove(&rig);
}

/* The first commit of the second segment is torn: the end is in the first one. */
static void torn_after_roll(void **state)
{
    (void)state;
    for (uint64_t keep = 0; keep < 400; keep += 24) {
        struct rig rig;
        rig_make(&rig);
        rig_open(&rig);
        rig_append(&rig, SEGMENT_SIZE - 2000);
        rig_commit(&rig);
        uint64_t durable = rwd_journal_durable(rig.writer);
        rig_prepare(&rig);
        rig_append(&rig, 3000);
        rig_prepare(&rig); /* a third one is there already */
        rig_commit(&rig);
        rig_close(&rig);
        int fd = segment_fd(&rig, SEGMENT_SIZE);
        char zeros[8192] = {0};
        write_range(fd, keep, zeros, sizeof zeros);
        (void)close(fd);
        rig_open(&rig);
        rig.sequence = 1;
        assert_int_equal(rwd_journal_durable(rig.writer), durable);
        rig_prepare(&rig);
        rig_append(&rig, 3000);
        rig_commit(&rig);
        rig_close(&rig);
        rig_open(&rig);
        assert_int_equal(read_all(&rig), 2);
        struct rwd_journal_verdict verdict;
        assert_int_equal(verify(&rig, &verdict), RWD_OK);
        assert_int_equal(verdict.segments, 2);
        rig_remove(&rig);
    }
}

int main(void)
{
    rwd_log_set_level(RWD_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torn_later_commit),
        cmocka_unit_test(torn_first_commit),
        cmocka_unit_test(lost_sector),
        cmocka_unit_test(damaged_last_commit),
        cmocka_unit_test(torn_after_roll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
