// room: journal
/*
 * bench_journal: what a commit takes, with and without zeros written ahead; what a record costs the
 * journal thread; how fast it is read back, verified, recovered; what preparing a segment takes.
 *
 *     bench_journal FOLDER [seconds per case, default 2 [only this many records a commit]]
 */
#include "base/check.h"
#include "base/histogram.h"
#include "base/memory.h"
#include "journal/index.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BODY_SIZE = 472 }; /* with its header 520 bytes */

static int64_t clock_ns(clockid_t id)
{
    struct timespec time;
    (void)clock_gettime(id, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void require(enum rwd_status status, const struct rwd_error *error)
{
    if (status != RWD_OK) {
        (void)fprintf(stderr, "%s: %s\n", rwd_status_name(status), error->text);
        exit(1);
    }
}

static void remove_folder(const char *dir)
{
    DIR *folder = opendir(dir);
    for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
         entry = readdir(folder)) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0);
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    (void)rmdir(dir);
}

struct bench {
    const char *dir;
    struct rwd_journal_writer *writer;
    struct rwd_error error;
    struct rwd_histogram commits;
    struct rwd_histogram prepares;
    char body[2][BODY_SIZE / 2];
    uint64_t records;
    _Atomic bool stopping; /* the thread that writes zeros ahead */
};

static void append(struct bench *bench)
{
    struct rwd_record record = {.type = RWD_RECORD_EVENT,
        .sequence = bench->records,
        .time_ms = 1700000000000,
        .user_fingerprint = bench->records * 0x9e3779b97f4a7c15U,
        .event_fingerprint = bench->records * 0xbf58476d1ce4e5b9U + 1};
    memcpy(bench->body[0], &bench->records, sizeof bench->records);
    const struct rwd_text parts[] = {{.data = bench->body[0], .size = sizeof bench->body[0]},
        {.data = bench->body[1], .size = sizeof bench->body[1]}};
    require(rwd_journal_append(bench->writer, &record, parts, 2), &bench->error);
    bench->records++;
}

static void prepare(struct bench *bench)
{
    int64_t start = clock_ns(CLOCK_MONOTONIC);
    require(rwd_journal_prepare(bench->writer, &bench->error), &bench->error);
    int64_t took = clock_ns(CLOCK_MONOTONIC) - start;
    if (took > 20000) {
        rwd_histogram_add(&bench->prepares, (uint64_t)took, 1);
    }
}

static void *fill(void *argument)
{
    struct bench *bench = argument;
    while (!atomic_load(&bench->stopping)) {
        if (!rwd_journal_tend(bench->writer)) {
            (void)poll(NULL, 0, 1);
        }
    }
    return NULL;
}

static void run(struct bench *bench, size_t each, bool zero_ahead, double seconds)
{
    const struct rwd_journal_options options = {.dir = bench->dir};
    memset(&bench->commits, 0, sizeof bench->commits);
    memset(&bench->prepares, 0, sizeof bench->prepares);
    bench->records = 0;
    remove_folder(bench->dir);
    require(rwd_journal_open(&options, &bench->writer, &bench->error), &bench->error);
    pthread_t filler;
    atomic_store(&bench->stopping, !zero_ahead);
    RWD_REQUIRE(pthread_create(&filler, NULL, fill, bench) == 0);
    int64_t start = clock_ns(CLOCK_MONOTONIC);
    int64_t start_cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    int64_t now = start;
    while ((double)(now - start) < seconds * 1e9) {
        prepare(bench);
        /* A commit that does not fit its segment any more is cut in two by BUSY elsewhere; here
         * commits are counted, so it is avoided by committing early. */
        uint64_t left = (256U << 20) - rwd_journal_durable(bench->writer) % (256U << 20);
        size_t count = each * 520 + 200 > left ? 1 : each;
        for (size_t i = 0; i < count; i++) {
            append(bench);
        }
        int64_t before = clock_ns(CLOCK_MONOTONIC);
        require(rwd_journal_commit(bench->writer, &bench->error), &bench->error);
        now = clock_ns(CLOCK_MONOTONIC);
        if (count == each) {
            rwd_histogram_add(&bench->commits, (uint64_t)(now - before), 1);
        }
    }
    double wall = (double)(now - start) / 1e9;
    double cpu = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_cpu) / 1e3;
    (void)printf("%5zu a commit, zeros ahead %-3s: p50 %6.0f us p99 %6.0f us max %6.0f us  "
                 "%8.0f records/s  %.3f us CPU a record; prepare p50 %.2f ms max %.2f ms\n",
        each, zero_ahead ? "on" : "off", (double)rwd_histogram_quantile(&bench->commits, 0.5) / 1e3,
        (double)rwd_histogram_quantile(&bench->commits, 0.99) / 1e3,
        (double)rwd_histogram_quantile(&bench->commits, 1) / 1e3, (double)bench->records / wall,
        cpu / (double)bench->records, (double)rwd_histogram_quantile(&bench->prepares, 0.5) / 1e6,
        (double)rwd_histogram_quantile(&bench->prepares, 1) / 1e6);
    (void)fflush(stdout);
    atomic_store(&bench->stopping, true);
    (void)pthread_join(filler, NULL);
    rwd_journal_close(bench->writer);
}

static void read_back(struct bench *bench)
{
    struct rwd_journal_reader *reader = NULL;
    struct rwd_record record;
    uint64_t count = 0;
    int64_t start = clock_ns(CLOCK_MONOTONIC);
    require(rwd_journal_reader_open(bench->dir, 0, &reader, &bench->error), &bench->error);
    while (rwd_journal_reader_next(reader, &record, &bench->error) == RWD_OK) {
        count++;
    }
    rwd_journal_reader_close(reader);
    double took = (double)(clock_ns(CLOCK_MONOTONIC) - start);
    (void)printf("read %llu records: %.3f us a record\n", (unsigned long long)count,
        took / 1e3 / (double)count);

    struct rwd_journal_verdict verdict;
    start = clock_ns(CLOCK_MONOTONIC);
    require(rwd_journal_verify(bench->dir, &verdict, &bench->error), &bench->error);
    took = (double)(clock_ns(CLOCK_MONOTONIC) - start);
    (void)printf("verify: %.3f us a record, %.2f GB/s\n", took / 1e3 / (double)verdict.records,
        (double)verdict.bytes / took);

    const struct rwd_journal_options options = {.dir = bench->dir};
    start = clock_ns(CLOCK_MONOTONIC);
    require(rwd_journal_open(&options, &bench->writer, &bench->error), &bench->error);
    (void)printf("open (last segment holds %llu MiB): %.1f ms\n",
        (unsigned long long)(rwd_journal_durable(bench->writer) % (256U << 20)) >> 20,
        (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e6);
    rwd_journal_close(bench->writer);
}

static void look_up(struct bench *bench)
{
    enum { LOOKUP_COUNT = 1000 };
    struct rwd_journal_index *index = NULL;
    uint64_t positions[16];
    size_t count = 0;
    size_t found = 0;
    int64_t start = clock_ns(CLOCK_MONOTONIC);
    require(rwd_journal_index_open(bench->dir, &index, &bench->error), &bench->error);
    require(rwd_journal_index_follow(index, &bench->error), &bench->error);
    (void)printf("index of %llu records made: %.3f us a record\n",
        (unsigned long long)bench->records,
        (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e3 / (double)bench->records);
    start = clock_ns(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < LOOKUP_COUNT; i++) {
        uint64_t record = i * 7919 % bench->records;
        rwd_journal_index_by_event(index, record * 0xbf58476d1ce4e5b9U + 1, positions, 16, &count);
        found += count;
    }
    (void)printf("look-up by event: %.1f us, %zu of %d found\n",
        (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e3 / LOOKUP_COUNT, found, LOOKUP_COUNT);
    rwd_journal_index_close(index);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s FOLDER [SECONDS]\n", argv[0]);
        return 2;
    }
    double seconds = argc > 2 ? atof(argv[2]) : 2;
    struct bench *bench = rwd_new(sizeof *bench);
    bench->dir = argv[1];
    for (size_t i = 0; i < sizeof bench->body[1]; i++) {
        bench->body[0][i] = (char)('a' + i % 26);
        bench->body[1][i] = (char)('A' + i % 26);
    }
    const size_t sizes[] = {1, 64, 512, 4096};
    size_t only = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    if (only != 0) {
        run(bench, only, false, seconds);
        run(bench, only, true, seconds);
    }
    for (size_t i = 0; only == 0 && i < sizeof sizes / sizeof sizes[0]; i++) {
        run(bench, sizes[i], false, seconds);
        run(bench, sizes[i], true, seconds);
    }
    read_back(bench);
    look_up(bench);
    remove_folder(bench->dir);
    rwd_free(bench);
    return 0;
}
