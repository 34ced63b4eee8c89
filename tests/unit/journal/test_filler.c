#include "support.h"

#include "base/log.h"
#include "journal/segment.h"

#include <pthread.h>
#include <stdatomic.h>

enum { FILLED_SEGMENT_SIZE = 8 << 20, SMALL_BODY_SIZE = 4000, ENOUGH_BODIES = 300 };

static void open_wide(struct rig *rig)
{
    const struct rwd_journal_options options = {
        .dir = rig->dir, .segment_size = FILLED_SEGMENT_SIZE};
    assert_int_equal(rwd_journal_open(&options, &rig->writer, &rig->error), RWD_OK);
    assert_int_equal(rwd_journal_prepare(rig->writer, &rig->error), RWD_OK);
}

/* Whether the file has written extents, be they zeros, all the way from there to its end. */
static bool is_written_from(const struct rig *rig, uint64_t base, off_t offset)
{
    int fd = rwd_segment__open(rig->dir, base, O_RDONLY);
    assert_true(fd >= 0);
    off_t hole = lseek(fd, offset, SEEK_HOLE);
    (void)close(fd);
    return hole == FILLED_SEGMENT_SIZE;
}

static void nothing_before_it_is_wanted(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    open_wide(&rig);
    assert_false(rwd_journal_tend(rig.writer));
    rig_append(&rig, SMALL_BODY_SIZE);
    rig_commit(&rig);
    assert_false(rwd_journal_tend(rig.writer)); /* used too little yet */
    for (int i = 0; i < ENOUGH_BODIES; i++) {
        rig_append(&rig, SMALL_BODY_SIZE);
    }
    rig_commit(&rig);
    assert_false(rwd_journal_tend(rig.writer)); /* the commit was large */
    rig_append(&rig, SMALL_BODY_SIZE);
    rig_commit(&rig);
    assert_true(rwd_journal_tend(rig.writer));
    rig_remove(&rig);
}

static void fills_both_segments(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    open_wide(&rig);
    for (int i = 0; i < ENOUGH_BODIES; i++) {
        rig_append(&rig, SMALL_BODY_SIZE);
        rig_commit(&rig);
    }
    off_t ahead = (off_t)rwd_journal_durable(rig.writer) + (1 << 20);
    bool tells_holes = !is_written_from(&rig, 0, ahead);
    while (rwd_journal_tend(rig.writer)) {
    }
    if (tells_holes) { /* some file systems do not */
        assert_true(is_written_from(&rig, 0, ahead));
        assert_true(is_written_from(&rig, FILLED_SEGMENT_SIZE, 0));
    }
    assert_int_equal(read_all(&rig), ENOUGH_BODIES);
    rig_close(&rig);
    open_wide(&rig); /* zeros are no damage */
    assert_int_equal(rwd_journal_sequence_last(rig.writer), ENOUGH_BODIES);
    rig_remove(&rig);
}

static _Atomic bool writer_done;

static void *fill_until_done(void *context)
{
    uint64_t filled = 0;
    while (!atomic_load(&writer_done)) {
        filled += rwd_journal_tend(context);
    }
    return (void *)(uintptr_t)filled;
}

/* A commit that a piece of zeros ran over would be found by reading all back. */
static void a_race_through_segments(void **state)
{
    (void)state;
    enum { COMMIT_COUNT = 3000 };
    struct rig rig;
    rig_make(&rig);
    open_wide(&rig);
    atomic_store(&writer_done, false);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fill_until_done, rig.writer), 0);
    for (uint64_t i = 0; i < COMMIT_COUNT; i++) {
        assert_int_equal(rwd_journal_prepare(rig.writer, &rig.error), RWD_OK);
        /* Mostly small, now and then one that leaps into what is being filled. */
        uint64_t count = i % 500 == 499 ? 400 : 1;
        for (uint64_t n = 0; n < count; n++) {
            if (rig_try_append(&rig, SMALL_BODY_SIZE, NULL) != RWD_OK) {
                rig_commit(&rig);
                assert_int_equal(rwd_journal_prepare(rig.writer, &rig.error), RWD_OK);
                rig_append(&rig, SMALL_BODY_SIZE);
            }
        }
        rig_commit(&rig);
    }
    atomic_store(&writer_done, true);
    void *filled = NULL;
    assert_int_equal(pthread_join(thread, &filled), 0);
    assert_true((uintptr_t)filled > 0);
    assert_int_equal(read_all(&rig), rig.sequence);
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    assert_int_equal(verdict.records, rig.sequence);
    assert_true(verdict.segments > 2);
    rig_remove(&rig);
}

int main(void)
{
    rwd_log_set_level(RWD_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_before_it_is_wanted),
        cmocka_unit_test(fills_both_segments),
        cmocka_unit_test(a_race_through_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
