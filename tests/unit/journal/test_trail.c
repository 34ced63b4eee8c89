#include "support.h"

#include "base/log.h"
#include "journal/segment.h"

#include <sys/mman.h>
#include <sys/vfs.h>

enum {
    TRAIL_SEGMENT_SIZE = 16 << 20,
    TRAIL_BODY_SIZE = 1000 << 10,
    TRAIL_COUNT = 100,
    TMPFS_MAGIC_NUMBER = 0x01021994,
};

/* The part of a segment that is in memory, in percent. */
static size_t resident_percent(const struct rig *rig, uint64_t base)
{
    static unsigned char pages[TRAIL_SEGMENT_SIZE / 4096];
    int fd = rwd_segment__open(rig->dir, base, O_RDONLY);
    assert_true(fd >= 0);
    void *map = mmap(NULL, TRAIL_SEGMENT_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mincore(map, TRAIL_SEGMENT_SIZE, pages), 0);
    size_t count = 0;
    for (size_t i = 0; i < sizeof pages; i++) {
        count += pages[i] & 1;
    }
    assert_int_equal(munmap(map, TRAIL_SEGMENT_SIZE), 0);
    (void)close(fd);
    return count * 100 / sizeof pages;
}

static void lets_go_of_what_is_far_behind(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    const struct rwd_journal_options options = {.dir = rig.dir, .segment_size = TRAIL_SEGMENT_SIZE};
    assert_int_equal(rwd_journal_open(&options, &rig.writer, &rig.error), RWD_OK);
    assert_false(rwd_journal_tend(rig.writer));
    for (int i = 0; i < TRAIL_COUNT; i++) {
        assert_int_equal(rwd_journal_prepare(rig.writer, &rig.error), RWD_OK);
        rig_append(&rig, TRAIL_BODY_SIZE);
        rig_commit(&rig);
    }
    struct statfs status;
    assert_int_equal(statfs(rig.dir, &status), 0);
    bool lets_go = status.f_type != TMPFS_MAGIC_NUMBER; /* it is nowhere but in memory */
    assert_true(resident_percent(&rig, 0) > 80);
    assert_true(rwd_journal_tend(rig.writer));
    while (rwd_journal_tend(rig.writer)) {
    }
    if (lets_go) {
        assert_true(resident_percent(&rig, 0) < 20);
    }
    /* The last 64 MB stay. */
    assert_true(resident_percent(&rig, 4 * TRAIL_SEGMENT_SIZE) > 80);
    assert_int_equal(read_all(&rig), TRAIL_COUNT);
    rig_remove(&rig);
}

int main(void)
{
    rwd_log_set_level(RWD_LOG_ERROR);
    const struct CMUnitTest tests[] = {cmocka_unit_test(lets_go_of_what_is_far_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
