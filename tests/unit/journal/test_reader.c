#include "support.h"

#include "base/log.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { LIVE_RECORD_COUNT = 30000 };

struct follower {
    const char *dir;
    _Atomic uint64_t seen;
    enum rwd_status ended;
    struct rwd_error error;
};

/* Follows until it has seen all; every record in order and whole, by read_on's checks. */
static void *follow(void *context)
{
    struct follower *follower = context;
    struct rwd_journal_reader *reader = NULL;
    uint64_t sequence = 0;
    follower->ended = rwd_journal_reader_open(follower->dir, 0, &reader, &follower->error);
    while (follower->ended == RWD_OK && sequence < LIVE_RECORD_COUNT) {
        struct rwd_record record;
        enum rwd_status status = rwd_journal_reader_next(reader, &record, &follower->error);
        if (status == RWD_NOT_FOUND) {
            (void)sched_yield();
        } else if (status != RWD_OK || record.sequence != sequence + 1) {
            follower->ended = status == RWD_OK ? RWD_CONFLICT : status;
        } else {
            sequence++;
        }
        atomic_store(&follower->seen, sequence);
    }
    rwd_journal_reader_close(reader);
    return NULL;
}

static void live_follow(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    struct follower follower = {.dir = rig.dir};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, follow, &follower), 0);
    size_t made = 0;
    for (size_t each = 1; made < LIVE_RECORD_COUNT; each = each % 200 + 13) {
        size_t count = LIVE_RECORD_COUNT - made < each ? LIVE_RECORD_COUNT - made : each;
        rig_fill(&rig, count, count, 90 + made % 500);
        made += count;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (follower.ended != RWD_OK) {
        fail_msg("%s: %s", rwd_status_name(follower.ended), follower.error.text);
    }
    assert_int_equal(atomic_load(&follower.seen), LIVE_RECORD_COUNT);
    rig_remove(&rig);
}

/* Larger commits than the chunks that are read ahead, and records of all sizes. */
static void large_commits(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    const struct rwd_journal_options options = {.dir = rig.dir, .segment_size = 16 << 20};
    assert_int_equal(rwd_journal_open(&options, &rig.writer, &rig.error), RWD_OK);
    for (size_t size = 0; size < 1 << 20; size = size * 5 / 4 + 1) {
        rig_append(&rig, size);
    }
    rig_append(&rig, RWD_RECORD_BODY_SIZE_MAX);
    rig_commit(&rig);
    assert_int_equal(read_all(&rig), rig.sequence);
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    assert_int_equal(verdict.commits, 1);
    rig_remove(&rig);
}

/* A damaged record with commits behind it is told; one in an earlier segment, too. */
static void damage_is_told(void **state)
{
    (void)state;
    for (uint64_t segment = 0; segment < 2; segment++) {
        struct rig rig;
        struct rwd_journal_reader *reader = NULL;
        rig_make(&rig);
        rig_open(&rig);
        rig_fill(&rig, 30, 2, 50000);
        rig_close(&rig);
        int fd = segment_fd(&rig, segment * SEGMENT_SIZE);
        put_byte(fd, 300000, (uint8_t)~byte_at(fd, 300000));
        (void)close(fd);
        uint64_t sequence = 0;
        assert_int_equal(rwd_journal_reader_open(rig.dir, 0, &reader, NULL), RWD_OK);
        assert_int_equal(read_on(reader, &sequence, &rig.error), RWD_CORRUPT);
        assert_true(sequence >= 4 && sequence < 30 && sequence % 2 == 0);
        assert_int_equal(read_on(reader, &sequence, &rig.error), RWD_CORRUPT);
        rwd_journal_reader_close(reader);
        rig_remove(&rig);
    }
}

int main(void)
{
    rwd_log_set_level(RWD_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_follow),
        cmocka_unit_test(large_commits),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
