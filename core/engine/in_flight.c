#include "engine/in_flight.h"

#include "base/check.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MAGIC = 0x52574631, PATH_SIZE_MAX = 4096, HANDLER_STACK_SIZE = 64 << 10 };

/* A cache line each: shards must not wait for one another. */
struct cell {
    _Atomic uint32_t version_no;
    _Atomic uint32_t signal; /* 0: the thread did not die in a rule */
    int64_t time_ms;
    char padding[48];
};

/* The file, as it lies on disk: of this machine, for this machine. */
struct file {
    uint32_t magic;
    uint32_t size;
    uint64_t crash_count; /* of all times; the ring keeps the last */
    struct rwd_in_flight_crash crashes[RWD_IN_FLIGHT_HISTORY_COUNT];
    struct cell cells[RWD_IN_FLIGHT_SHARD_COUNT_MAX];
};

struct rwd_in_flight {
    struct file *file;
    int64_t now_ms;
    size_t new_count;
    char *stacks[RWD_IN_FLIGHT_SHARD_COUNT_MAX];
};

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
enum { SIGNAL_COUNT = sizeof fatal_signals / sizeof fatal_signals[0] };

/* What a signal handler can reach. */
static _Thread_local struct cell *own_cell;
static struct sigaction before[SIGNAL_COUNT];

/* Marks the cell, then lets die what was dying, the way it would have without us. */
static void on_fatal(int number, siginfo_t *info, void *context)
{
    (void)context;
    struct cell *cell = own_cell;
    if (cell != NULL && atomic_load_explicit(&cell->version_no, memory_order_relaxed) != 0) {
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        cell->time_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
        atomic_store(&cell->signal, (uint32_t)number);
    }
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (fatal_signals[i] == number) {
            (void)sigaction(number, &before[i], NULL);
        }
    }
    /* The instruction that faulted will fault again; what was only sent must be sent again. */
    if (info->si_code <= 0) {
        (void)raise(number);
    }
}

static void watch_signals(bool watch)
{
    struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (watch) {
            (void)sigaction(fatal_signals[i], &action, &before[i]);
        } else {
            (void)sigaction(fatal_signals[i], &before[i], NULL);
        }
    }
}

/* What the last process left becomes history. */
static void take_over(struct rwd_in_flight *in_flight)
{
    struct file *file = in_flight->file;
    for (uint32_t shard = 0; shard < RWD_IN_FLIGHT_SHARD_COUNT_MAX; shard++) {
        struct cell *cell = &file->cells[shard];
        if (atomic_load(&cell->signal) != 0 && atomic_load(&cell->version_no) != 0) {
            file->crashes[file->crash_count % RWD_IN_FLIGHT_HISTORY_COUNT] =
                (struct rwd_in_flight_crash){.time_ms = cell->time_ms,
                    .version_no = atomic_load(&cell->version_no),
                    .shard = shard,
                    .signal = atomic_load(&cell->signal)};
            file->crash_count++;
            in_flight->new_count++;
        }
        atomic_store(&cell->signal, 0);
        atomic_store(&cell->version_no, 0);
    }
}

static enum rwd_status map(
    struct rwd_in_flight *in_flight, const char *path, int fd, struct rwd_error *error)
{
    if (ftruncate(fd, (off_t)sizeof(struct file)) != 0) {
        return rwd_fail(error, RWD_UNAVAILABLE, "cannot size %s: %s", path, strerror(errno));
    }
    void *mapped = mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        return rwd_fail(error, RWD_UNAVAILABLE, "cannot map %s: %s", path, strerror(errno));
    }
    in_flight->file = mapped;
    if (in_flight->file->magic != MAGIC || in_flight->file->size != sizeof(struct file)) {
        memset(in_flight->file, 0, sizeof(struct file));
        in_flight->file->magic = MAGIC;
        in_flight->file->size = sizeof(struct file);
    }
    return RWD_OK;
}

enum rwd_status rwd_in_flight_open(
    const char *data_dir, int64_t now_ms, struct rwd_in_flight **in_flight, struct rwd_error *error)
{
    char path[PATH_SIZE_MAX];
    (void)snprintf(path, sizeof path, "%s/in_flight", data_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return rwd_fail(error, RWD_UNAVAILABLE, "cannot open %s: %s", path, strerror(errno));
    }
    struct rwd_in_flight *made = rwd_new(sizeof *made);
    made->now_ms = now_ms;
    enum rwd_status status = map(made, path, fd, error);
    (void)close(fd);
    if (status != RWD_OK) {
        rwd_free(made);
        return status;
    }
    take_over(made);
    watch_signals(true);
    *in_flight = made;
    return RWD_OK;
}

void rwd_in_flight_close(struct rwd_in_flight *in_flight)
{
    if (in_flight == NULL) {
        return;
    }
    watch_signals(false);
    (void)munmap(in_flight->file, sizeof(struct file));
    for (size_t i = 0; i < RWD_IN_FLIGHT_SHARD_COUNT_MAX; i++) {
        rwd_free(in_flight->stacks[i]);
    }
    rwd_free(in_flight);
}

_Atomic uint32_t *rwd_in_flight_cell(struct rwd_in_flight *in_flight, uint32_t shard)
{
    RWD_REQUIRE(shard < RWD_IN_FLIGHT_SHARD_COUNT_MAX);
    return &in_flight->file->cells[shard].version_no;
}

void rwd_in_flight_guard(struct rwd_in_flight *in_flight, uint32_t shard)
{
    RWD_REQUIRE(shard < RWD_IN_FLIGHT_SHARD_COUNT_MAX && in_flight->stacks[shard] == NULL);
    in_flight->stacks[shard] = rwd_new(HANDLER_STACK_SIZE);
    const stack_t stack = {.ss_sp = in_flight->stacks[shard], .ss_size = HANDLER_STACK_SIZE};
    RWD_REQUIRE(sigaltstack(&stack, NULL) == 0);
    own_cell = &in_flight->file->cells[shard];
}

void rwd_in_flight_unguard(struct rwd_in_flight *in_flight, uint32_t shard)
{
    const stack_t none = {.ss_flags = SS_DISABLE};
    own_cell = NULL;
    RWD_REQUIRE(sigaltstack(&none, NULL) == 0);
    rwd_free(in_flight->stacks[shard]);
    in_flight->stacks[shard] = NULL;
}

size_t rwd_in_flight_new_count(const struct rwd_in_flight *in_flight)
{
    return in_flight->new_count;
}

bool rwd_in_flight_crash(
    const struct rwd_in_flight *in_flight, size_t index, struct rwd_in_flight_crash *crash)
{
    const struct file *file = in_flight->file;
    if (index >= file->crash_count || index >= RWD_IN_FLIGHT_HISTORY_COUNT) {
        return false;
    }
    *crash = file->crashes[(file->crash_count - 1 - index) % RWD_IN_FLIGHT_HISTORY_COUNT];
    return true;
}

/* Its crashes that are not settled and not older than the window. */
static uint32_t count_crashes(const struct rwd_in_flight *in_flight, uint32_t version_no)
{
    struct rwd_in_flight_crash crash;
    uint32_t count = 0;
    for (size_t i = 0; rwd_in_flight_crash(in_flight, i, &crash); i++) {
        count += crash.version_no == version_no && !crash.settled &&
                 in_flight->now_ms - crash.time_ms <= RWD_IN_FLIGHT_WINDOW_MS;
    }
    return count;
}

uint32_t rwd_in_flight_next(const struct rwd_in_flight *in_flight, uint32_t after_version_no)
{
    struct rwd_in_flight_crash crash;
    uint32_t next = 0;
    for (size_t i = 0; rwd_in_flight_crash(in_flight, i, &crash); i++) {
        if (crash.version_no > after_version_no && (next == 0 || crash.version_no < next) &&
            count_crashes(in_flight, crash.version_no) >= RWD_IN_FLIGHT_CRASH_COUNT) {
            next = crash.version_no;
        }
    }
    return next;
}

void rwd_in_flight_settle(struct rwd_in_flight *in_flight, uint32_t version_no)
{
    for (size_t i = 0; i < RWD_IN_FLIGHT_HISTORY_COUNT; i++) {
        if (in_flight->file->crashes[i].version_no == version_no) {
            in_flight->file->crashes[i].settled = true;
        }
    }
}
