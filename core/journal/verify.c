#include "journal/recover.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct check {
    const char *dir;
    struct rwd_segment_list list;
    struct rwd_scan scan;
    struct rwd_journal_verdict *verdict;
    struct rwd_error *error;
};

static enum rwd_status io_failed(struct check *check, uint64_t base)
{
    return rwd_fail(check->error, RWD_UNAVAILABLE, "%s/%016llx.journal: %s", check->dir,
        (unsigned long long)base, strerror(errno));
}

/* What the header says must be what the segment before it left. */
static enum rwd_status check_header(
    struct check *check, size_t i, uint64_t previous_end, const uint8_t *chain)
{
    const struct rwd_segment_file *file = &check->list.files[i];
    if (i == 0) {
        return RWD_OK;
    }
    if (file->header.previous_end != previous_end) {
        return rwd_fail(check->error, RWD_CORRUPT,
            "%016llx.journal ends at position %llu, but went on to %llu when %016llx.journal was "
            "begun: commits are missing from its end",
            (unsigned long long)check->list.files[i - 1].base, (unsigned long long)previous_end,
            (unsigned long long)file->header.previous_end, (unsigned long long)file->base);
    }
    if (memcmp(file->header.chain, chain, RWD_JOURNAL_CHAIN_SIZE) != 0) {
        return rwd_fail(check->error, RWD_CORRUPT,
            "%016llx.journal: the chain breaks between it and the segment before it: one of the "
            "two was replaced as a whole",
            (unsigned long long)file->base);
    }
    return RWD_OK;
}

/* A finished segment is zeros from its last seal to its end. */
static enum rwd_status check_unused(struct check *check)
{
    struct rwd_scan *scan = &check->scan;
    struct stat status;
    uint64_t nonzero = 0;
    char byte = 0;
    if (fstat(scan->fd, &status) != 0 ||
        !rwd_segment__next_nonzero(scan->fd, scan->offset, scan->size, &nonzero) ||
        (nonzero < scan->size && !rwd_segment__read(scan->fd, nonzero, &byte, 1))) {
        return io_failed(check, scan->base);
    }
    if (nonzero < scan->size) {
        return rwd_fail(check->error, RWD_CORRUPT,
            "%016llx.journal: byte at file offset %llu is 0x%02x and should be 0x00 (the "
            "segment's unused end)",
            (unsigned long long)scan->base, (unsigned long long)nonzero, (unsigned)(uint8_t)byte);
    }
    if ((uint64_t)status.st_size != scan->size) {
        return rwd_fail(check->error, RWD_CORRUPT,
            "%016llx.journal is %llu bytes long and should be %llu (its unused end was changed)",
            (unsigned long long)scan->base, (unsigned long long)status.st_size,
            (unsigned long long)scan->size);
    }
    return RWD_OK;
}

/* Behind the last commit of the last segment: torn bytes are told, damage fails. */
static enum rwd_status check_tail(struct check *check, bool *again)
{
    struct rwd_scan *scan = &check->scan;
    enum rwd_tail tail = RWD_TAIL_CLEAN;
    enum rwd_status status = rwd_damage__judge(scan, false, true, &tail, check->error);
    if (status != RWD_OK || tail == RWD_TAIL_CLEAN) {
        return status;
    }
    if (tail == RWD_TAIL_DAMAGED) {
        /* Once more, in case that a live writer came by while we looked. */
        *again = !*again;
        return *again ? RWD_OK : RWD_CORRUPT;
    }
    uint64_t at = scan->offset;
    uint64_t last = at;
    while (at < scan->size) {
        if (!rwd_segment__next_nonzero(scan->fd, at, scan->size, &at)) {
            return io_failed(check, scan->base);
        }
        if (at < scan->size) {
            /* Sector by sector is enough, and bounded by what is there. */
            at = (at | (RWD_SECTOR_SIZE - 1)) + 1;
            last = at < scan->size ? at : scan->size;
        }
    }
    check->verdict->torn_bytes += last - scan->offset;
    *again = false;
    return RWD_OK;
}

/* One segment, commit by commit, with scan->chain as it was before. */
static enum rwd_status walk(
    struct check *check, const struct rwd_segment_file *file, bool later_known)
{
    struct rwd_scan *scan = &check->scan;
    struct rwd_commit commit;
    bool again = false;
    for (;;) {
        enum rwd_status status = rwd_scan__next(scan, &commit, check->error);
        if (status == RWD_OK) {
            check->verdict->records += commit.count;
            check->verdict->commits++;
            again = false;
            continue;
        }
        if (status != RWD_NOT_FOUND) {
            return status;
        }
        if (later_known) {
            return RWD_OK;
        }
        status = check_tail(check, &again);
        if (status != RWD_OK || !again) {
            check->verdict->bytes += scan->offset;
            return status;
        }
        rwd_scan__start(scan, scan->fd, file->base, file->size, scan->offset);
    }
}

static enum rwd_status check_begun(struct check *check, size_t i, bool last, uint64_t *end)
{
    const struct rwd_segment_file *file = &check->list.files[i];
    struct rwd_scan *scan = &check->scan;
    enum rwd_status status = check_header(check, i, *end, scan->chain);
    if (status != RWD_OK) {
        return status;
    }
    if (i == 0) {
        memcpy(scan->chain, file->header.chain, sizeof scan->chain);
    }
    int fd = rwd_segment__open(check->dir, file->base, O_RDONLY);
    if (fd < 0) {
        return io_failed(check, file->base);
    }
    rwd_scan__start(scan, fd, file->base, file->size, 0);
    scan->check_chain = true;
    check->verdict->segments++;
    status = walk(check, file, !last);
    *end = file->base + scan->offset;
    if (status == RWD_OK && !last) {
        check->verdict->bytes += file->size;
        bool ends = check->list.files[i + 1].header.previous_end == *end;
        status = ends ? check_unused(check) : rwd_damage__describe(scan, check->error);
    }
    (void)close(fd);
    return status;
}

/* Bytes in a segment whose header does not hold, behind the last one that was begun. */
static enum rwd_status check_unbegun(struct check *check, const struct rwd_segment_file *file)
{
    char in[RWD_SEGMENT_HEADER_SIZE];
    struct rwd_scan *scan = &check->scan;
    int fd = rwd_segment__open(check->dir, file->base, O_RDONLY);
    if (fd < 0) {
        return io_failed(check, file->base);
    }
    uint64_t bytes = check->verdict->bytes;
    rwd_scan__start(scan, fd, file->base, file->size, 0);
    scan->check_chain = true;
    struct rwd_commit commit;
    struct rwd_segment_header header;
    enum rwd_status status = RWD_OK;
    if (!rwd_segment__read(fd, 0, in, sizeof in)) {
        status = io_failed(check, file->base);
    } else if (rwd_segment__get_header(in, &header) == RWD_HEADER_VALID) {
        status = RWD_OK; /* a live writer has just begun it */
    } else {
        bool whole =
            rwd_scan__next(scan, &commit, check->error) == RWD_OK || scan->stop == RWD_SCAN_CHAIN;
        rwd_scan__start(scan, fd, file->base, file->size, 0);
        status = whole ? rwd_damage__describe_header(in, file->base, check->error)
                       : walk(check, file, false);
    }
    check->verdict->bytes = bytes;
    (void)close(fd);
    return status;
}

static enum rwd_status check_all(struct check *check)
{
    size_t begun = check->list.count;
    while (begun > 0 && check->list.files[begun - 1].state != RWD_HEADER_VALID) {
        begun--;
    }
    for (size_t i = 0; i < begun; i++) {
        const struct rwd_segment_file *file = &check->list.files[i];
        if (file->state == RWD_HEADER_BAD || file->state == RWD_HEADER_ZERO) {
            char in[RWD_SEGMENT_HEADER_SIZE];
            int fd = rwd_segment__open(check->dir, file->base, O_RDONLY);
            bool good = fd >= 0 && rwd_segment__read(fd, 0, in, sizeof in);
            enum rwd_status status = good
                                         ? rwd_damage__describe_header(in, file->base, check->error)
                                         : io_failed(check, file->base);
            if (fd >= 0) {
                (void)close(fd);
            }
            return status;
        }
    }
    uint64_t end = 0;
    enum rwd_status status = RWD_OK;
    for (size_t i = 0; status == RWD_OK && i < check->list.count; i++) {
        status = i < begun ? check_begun(check, i, i + 1 == begun, &end)
                           : check_unbegun(check, &check->list.files[i]);
    }
    return status;
}

enum rwd_status rwd_journal_verify(
    const char *dir, struct rwd_journal_verdict *verdict, struct rwd_error *error)
{
    *verdict = (struct rwd_journal_verdict){.records = 0};
    struct check check = {.dir = dir, .verdict = verdict, .error = error};
    rwd_scan__init(&check.scan);
    enum rwd_status status = rwd_segment__list(dir, false, &check.list, error);
    if (status == RWD_OK && check.list.count == 0) {
        status = rwd_fail(error, RWD_NOT_FOUND, "journal %s: there is no segment", dir);
    }
    if (status == RWD_OK) {
        status = rwd_journal__check_order(dir, &check.list, error);
    }
    if (status == RWD_OK) {
        verdict->position_first = check.list.files[0].base;
        status = check_all(&check);
    }
    memcpy(verdict->chain, check.scan.chain, sizeof verdict->chain);
    rwd_scan__finish(&check.scan);
    rwd_segment__list_finish(&check.list);
    return status;
}
