#include "support.h"

#include "base/log.h"
#include "journal/segment.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { COUNT = 2000 };

static size_t pages_in_memory(const struct rig *rig)
{
    static unsigned char pages[SEGMENT_SIZE / 4096];
    int fd = rwd_segment__open(rig->dir, 0, O_RDONLY);
    assert_true(fd >= 0);
    void *map = mmap(NULL, SEGMENT_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mincore(map, SEGMENT_SIZE, pages), 0);
    size_t count = 0;
    for (size_t i = 0; i < sizeof pages; i++) {
        count += pages[i] & 1;
    }
    assert_int_equal(munmap(map, SEGMENT_SIZE), 0);
    (void)close(fd);
    return count;
}

static bool takes_direct_writes(const struct rig *rig)
{
    int fd = rwd_segment__open(rig->dir, 0, O_RDWR);
    assert_true(fd >= 0);
    rwd_segment__go_direct(fd);
    bool direct = (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    (void)close(fd);
    return direct;
}

static void leaves_the_page_cache_alone(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    if (!takes_direct_writes(&rig)) {
        rig_remove(&rig);
        skip();
    }
    rig_fill(&rig, COUNT, 7, 300);
    rig_commit(&rig);
    assert_true(rwd_journal_durable(rig.writer) > SEGMENT_SIZE / 2);
    /* The header's page was read when it was opened. */
    assert_true(pages_in_memory(&rig) <= 8);
    rig_remove(&rig);
}

/* What the file system will not write directly, as here half a block, goes through the cache. */
static void refused_blocks_are_written_all_the_same(void **state)
{
    (void)state;
    static const char block[RWD_BLOCK_SIZE / 2] = "half a block";
    char read[sizeof block];
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    rig_close(&rig);
    int fd = rwd_segment__open(rig.dir, 0, O_RDWR);
    rwd_segment__go_direct(fd);
    assert_true(rwd_segment__write(fd, RWD_BLOCK_SIZE + 100, block, sizeof block));
    assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT, 0);
    assert_true(rwd_segment__read(fd, RWD_BLOCK_SIZE + 100, read, sizeof read));
    assert_memory_equal(read, block, sizeof block);
    (void)close(fd);
    rig_remove(&rig);
}

/* Each time it is opened, the last block is carried over from the disk. */
static void reopened_inside_of_a_block(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    for (uint64_t i = 1; i <= 200; i++) {
        rig_open(&rig);
        rig_append(&rig, i * 13 % 5000);
        rig_commit(&rig);
        rig_append(&rig, 9); /* not committed: must not come back */
        rig_close(&rig);
        rig.sequence = i;
    }
    assert_int_equal(read_all(&rig), 200);
    struct rwd_journal_verdict verdict;
    assert_int_equal(verify(&rig, &verdict), RWD_OK);
    assert_int_equal(verdict.commits, 200);
    rig_remove(&rig);
}

struct follower {
    struct rwd_journal_reader *reader;
    uint64_t seen;
    bool good;
};

static void *follow(void *context)
{
    struct follower *follower = context;
    struct rwd_record record;
    struct rwd_error error;
    static char expected[512];
    while (follower->good && follower->seen < COUNT) {
        enum rwd_status status = rwd_journal_reader_next(follower->reader, &record, &error);
        if (status == RWD_NOT_FOUND) {
            continue;
        }
        follower->seen++;
        follower->good = status == RWD_OK && record.sequence == follower->seen &&
                         record.body.size == body_of(record.sequence, 300, expected) &&
                         memcmp(record.body.data, expected, record.body.size) == 0;
    }
    return NULL;
}

/* Commits that write the same block again and again beside a reader of that block, which goes by
 * the page cache. */
static void followed_while_it_is_written(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig);
    rig_open(&rig);
    struct follower follower = {.good = true};
    assert_int_equal(rwd_journal_reader_open(rig.dir, 0, &follower.reader, &rig.error), RWD_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, follow, &follower), 0);
    rig_fill(&rig, COUNT, 1, 300);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(follower.good);
    assert_int_equal(follower.seen, COUNT);
    rwd_journal_reader_close(follower.reader);
    rig_remove(&rig);
}

int main(void)
{
    rwd_log_set_level(RWD_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_the_page_cache_alone),
        cmocka_unit_test(refused_blocks_are_written_all_the_same),
        cmocka_unit_test(reopened_inside_of_a_block),
        cmocka_unit_test(followed_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
