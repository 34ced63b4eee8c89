#include "support.h"

#include "base/log.h"

/* Error must name this file, offset and both bytes. */
static void expect_byte(struct rig *rig, uint64_t base, uint64_t offset, uint8_t is, uint8_t was)
{
    struct rwd_journal_verdict verdict;
    char expected[128];
    if (verify(rig, &verdict) != RWD_CORRUPT) {
        fail_msg("offset %llu: not seen", (unsigned long long)offset);
    }
    (void)snprintf(expected, sizeof expected,
        "%016llx.journal: byte at file offset %llu is 0x%02x and should be 0x%02x",
        (unsigned long long)base, (unsigned long long)offset, is, was);
    if (strncmp(rig->error.text, expected, strlen(expected)) != 0) {
        fail_msg("expected: %s\nfound: %s", expected, rig->error.text);
    }
}

static void flip_each(struct rig *rig, uint64_t base, uint64_t from, uint64_t to, uint64_t step)
{
    int fd = segment_fd(rig, base);
    for (uint64_t at = from; at < to; at += step) {
        uint8_t was = byte_at(fd, at);
        uint8_t change = at % 3 == 0 ? 0xff : (uint8_t)(1U << (at % 8));
        if (at % 5 == 0 && was != 0) {
            change = was; /* to zero */
        }
        put_byte(fd, at, was ^ change);
        expect_byte(rig, base, at, was ^ change, was);
        put_byte(fd, at, was);
    }
    (void)close(fd);
}

static void every_byte(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    for (size_t i = 0; i < 6; i++) {
        rig_append(&rig, i * 21);
        rig_append(&rig, 64);
        rig_commit(&rig);
    }
    uint64_t end = rwd_journal_durable(rig.writer);
    rig_close(&rig);
    flip_each(&rig, 0, 0, end, 1);
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    rig_remove(&rig);
}

/* Across segments, in the unused ends, in headers, in large records. */
static void every_place(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    rig_fill(&rig, 3, 1, 300000);
    uint64_t first_end = rwd_journal_durable(rig.writer);
    rig_fill(&rig, 2, 2, 400000);
    rig_fill(&rig, 3, 2, 900);
    uint64_t end = rwd_journal_durable(rig.writer) - SEGMENT_SIZE;
    assert_true(end > 0 && end < SEGMENT_SIZE);
    rig_close(&rig);
    flip_each(&rig, 0, 0, 96, 1);
    flip_each(&rig, 0, 96, first_end, 40009);
    flip_each(&rig, 0, 300144, 300144 + 240, 1); /* a seal and the header behind it */
    flip_each(&rig, 0, first_end, first_end + 16, 1);
    flip_each(&rig, 0, first_end, SEGMENT_SIZE, 20011);
    flip_each(&rig, SEGMENT_SIZE, 0, 96, 1);
    flip_each(&rig, SEGMENT_SIZE, 96, end, 40009);
    flip_each(&rig, SEGMENT_SIZE, end - 200, end, 1);
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    assert_int_equal(verdict.records, 8);
    rig_remove(&rig);
}

static void expect_corrupt(struct rig *rig, const char *words)
{
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(rig, &verdict), RWD_CORRUPT);
    if (strstr(rig->error.text, words) == NULL) {
        fail_msg("expected: %s\nfound: %s", words, rig->error.text);
    }
}

static void segments_missing_and_swapped(void **state)
{
    (void)state;
    struct rig rig;
    char first[PATH_SIZE];
    char second[PATH_SIZE];
    char aside[PATH_SIZE];
    rig_make(&rig);
    rig_open(&rig);
    rig_fill(&rig, 8, 1, 500000);
    rig_close(&rig);
    path_of_segment(&rig, SEGMENT_SIZE, first);
    path_of_segment(&rig, 2 * SEGMENT_SIZE, second);
    (void)snprintf(aside, sizeof aside, "%s/aside", rig.dir);
    assert_int_equal(rename(first, aside), 0);
    expect_corrupt(&rig, "0000000000100000.journal is missing");
    assert_int_equal(rig_try_open(&rig), RWD_CORRUPT);
    assert_int_equal(rename(second, first), 0);
    assert_int_equal(rename(aside, second), 0);
    expect_corrupt(&rig, "files were renamed or swapped");
    assert_int_equal(rig_try_open(&rig), RWD_CORRUPT);
    assert_int_equal(rename(second, aside), 0);
    assert_int_equal(rename(first, second), 0);
    assert_int_equal(rename(aside, first), 0);
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    /* The oldest may go (retention); it is told where what is kept begins. */
    path_of_segment(&rig, 0, first);
    assert_int_equal(unlink(first), 0);
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    assert_int_equal(verdict.position_first, SEGMENT_SIZE);
    rig_open(&rig);
    rig_remove(&rig);
}

/* A segment of another journal under the same name: good in itself, but not of this chain. */
static void segment_replaced(void **state)
{
    (void)state;
    struct rig rig;
    struct rig other;
    char from[PATH_SIZE];
    char to[PATH_SIZE];
    rig_make(&rig);
    rig_make(&other);
    rig_open(&rig);
    rig_open(&other);
    rig_fill(&rig, 6, 1, 500000);
    other.sequence = 1;
    rig_fill(&other, 6, 1, 500000);
    rig_close(&rig);
    rig_close(&other);
    path_of_segment(&other, SEGMENT_SIZE, from);
    path_of_segment(&rig, SEGMENT_SIZE, to);
    assert_int_equal(rename(from, to), 0);
    expect_corrupt(&rig, "the chain breaks");
    assert_int_equal(rig_try_open(&rig), RWD_CORRUPT);
    rig_remove(&other);
    rig_remove(&rig);
}

/* Whole records or commits cut out of the middle, all else moved up. */
static void records_cut_out(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t positions[10];
    rig_make(&rig);
    rig_open(&rig);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(rig_try_append(&rig, 50, &positions[i]), RWD_OK);
        if (i % 3 == 2) {
            rig_commit(&rig);
        }
    }
    rig_close(&rig);
    int fd = segment_fd(&rig, 0);
    char *whole = malloc(SEGMENT_SIZE);
    assert_int_equal(pread(fd, whole, SEGMENT_SIZE, 0), SEGMENT_SIZE);
    const struct {
        uint64_t from;
        uint64_t to;
        const char *words;
    } cuts[] = {
        {positions[4], positions[5], "104 bytes of records are missing from the commit"},
        {positions[3], positions[6], "is missing, moved or doubled"},
        {positions[0], positions[1], "104 bytes of records are missing from the commit"},
    };
    for (size_t i = 0; i < 3; i++) {
        size_t rest = (size_t)(SEGMENT_SIZE - cuts[i].to);
        assert_int_equal(pwrite(fd, whole + cuts[i].to, rest, (off_t)cuts[i].from), rest);
        expect_corrupt(&rig, cuts[i].words);
        assert_int_equal(rig_try_open(&rig), RWD_CORRUPT);
        assert_int_equal(pwrite(fd, whole, SEGMENT_SIZE, 0), SEGMENT_SIZE);
    }
    free(whole);
    (void)close(fd);
    rig_remove(&rig);
}

/* Someone who mends the CRC after changing a record is caught by the chain. */
static void chain_catches_what_crc_does_not(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t position = 0;
    rig_make(&rig);
    rig_open(&rig);
    rig_append(&rig, 40);
    rig_commit(&rig);
    assert_int_equal(rig_try_append(&rig, 40, &position), RWD_OK);
    rig_commit(&rig);
    rig_close(&rig);
    int fd = segment_fd(&rig, 0);
    char record[88];
    assert_int_equal(pread(fd, record, sizeof record, (off_t)position), sizeof record);
    record[60] ^= 1;
    uint32_t crc = rwd_crc32c(0, record + 4, sizeof record - 4);
    memcpy(record, &crc, sizeof crc);
    assert_int_equal(pwrite(fd, record, sizeof record, (off_t)position), sizeof record);
    (void)close(fd);
    expect_corrupt(&rig, "the chain breaks in the commit");
    assert_int_equal(rig_try_open(&rig), RWD_CORRUPT);
    rig_remove(&rig);
}

int main(void)
{
    rwd_log_set_level(RWD_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte),
        cmocka_unit_test(every_place),
        cmocka_unit_test(segments_missing_and_swapped),
        cmocka_unit_test(segment_replaced),
        cmocka_unit_test(records_cut_out),
        cmocka_unit_test(chain_catches_what_crc_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
