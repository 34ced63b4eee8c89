#include "journal/recover.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct recovery {
    const char *dir;
    struct rwd_segment_list list;
    struct rwd_scan scan;
    struct rwd_error *error;
};

static enum rwd_status io_failed(struct recovery *recovery, uint64_t base)
{
    return rwd_fail(recovery->error, RWD_UNAVAILABLE, "%s/%016llx.journal: %s", recovery->dir,
        (unsigned long long)base, strerror(errno));
}

enum rwd_status rwd_journal__check_order(
    const char *dir, const struct rwd_segment_list *list, struct rwd_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct rwd_segment_file *file = &list->files[i];
        if (file->state == RWD_HEADER_VERSION) {
            return rwd_fail(error, RWD_INVALID,
                "%s/%016llx.journal: made by another version of rewardd", dir,
                (unsigned long long)file->base);
        }
        if (file->state == RWD_HEADER_VALID && file->header.base != file->base) {
            return rwd_fail(error, RWD_CORRUPT,
                "%s/%016llx.journal holds the segment that was written as %016llx.journal: files "
                "were renamed or swapped",
                dir, (unsigned long long)file->base, (unsigned long long)file->header.base);
        }
        if (i == 0) {
            continue;
        }
        const struct rwd_segment_file *before = &list->files[i - 1];
        uint64_t expected = before->base + before->size;
        bool unknown = before->state == RWD_HEADER_BAD;
        if (!unknown && file->base > expected) {
            return rwd_fail(error, RWD_CORRUPT,
                "%s/%016llx.journal is missing: the one before ends there, the next is "
                "%016llx.journal",
                dir, (unsigned long long)expected, (unsigned long long)file->base);
        }
        if (!unknown && file->base < expected) {
            return rwd_fail(error, RWD_CORRUPT,
                "%s/%016llx.journal begins inside the segment before it, which ends at %016llx",
                dir, (unsigned long long)file->base, (unsigned long long)expected);
        }
    }
    return RWD_OK;
}

/* Zeros from offset to the segment's end, durable. */
static bool zero_from(int fd, uint64_t offset, uint64_t size)
{
    struct stat status;
    uint64_t nonzero = 0;
    if (fstat(fd, &status) != 0 || !rwd_segment__next_nonzero(fd, offset, size, &nonzero)) {
        return false;
    }
    bool whole = (uint64_t)status.st_size >= size;
    if (whole && nonzero >= size) {
        return true;
    }
    if (!whole) {
        int failed = posix_fallocate(fd, 0, (off_t)size);
        if (failed != 0) {
            errno = failed;
            return false;
        }
    }
    if (nonzero < size &&
        fallocate(fd, FALLOC_FL_ZERO_RANGE, (off_t)offset, (off_t)(size - offset)) != 0) {
        /* Not every file system can: write them. */
        enum { BLOCK_SIZE = 1 << 16 };
        char *zeros = rwd_new(BLOCK_SIZE);
        bool good = true;
        for (uint64_t at = offset; good && at < size; at += BLOCK_SIZE) {
            uint64_t rest = size - at;
            good = rwd_segment__write(fd, at, zeros, rest < BLOCK_SIZE ? (size_t)rest : BLOCK_SIZE);
        }
        rwd_free(zeros);
        if (!good) {
            return false;
        }
    }
    return fsync(fd) == 0;
}

/* Cuts what stands behind scan->offset, unless it is damage. */
static enum rwd_status cut_tail(struct recovery *recovery, bool later_known)
{
    struct rwd_scan *scan = &recovery->scan;
    enum rwd_tail tail = RWD_TAIL_CLEAN;
    enum rwd_status status = rwd_damage__judge(scan, later_known, true, &tail, recovery->error);
    if (status != RWD_OK) {
        return status;
    }
    if (tail == RWD_TAIL_DAMAGED) {
        struct rwd_error what = {.text = ""};
        if (recovery->error != NULL) {
            what = *recovery->error;
        }
        return rwd_fail(recovery->error, RWD_CORRUPT,
            "%.300s. This was acknowledged and is not a torn tail: restore the file, or put the "
            "byte back; see rewardctl journal verify",
            what.text);
    }
    if (tail == RWD_TAIL_TORN) {
        rwd_log(RWD_LOG_WARN, "journal",
            "segment=%016llx.journal offset=%llu msg=\"torn tail behind the last seal cut: a "
            "write was under way when the process or machine stopped\"",
            (unsigned long long)scan->base, (unsigned long long)scan->offset);
    }
    RWD_FAULT_POINT("journal.recover.before_zero");
    return zero_from(scan->fd, scan->offset, scan->size) ? RWD_OK : io_failed(recovery, scan->base);
}

/* A segment behind the last one with a good header: nothing durable may be in it. */
static enum rwd_status wipe_unbegun(
    struct recovery *recovery, const struct rwd_segment_file *file, const uint8_t *chain)
{
    char in[RWD_SEGMENT_HEADER_SIZE];
    struct rwd_commit commit;
    int fd = rwd_segment__open(recovery->dir, file->base, O_RDWR);
    if (fd < 0 || !rwd_segment__read(fd, 0, in, sizeof in)) {
        enum rwd_status failed = io_failed(recovery, file->base);
        if (fd >= 0) {
            (void)close(fd);
        }
        return failed;
    }
    struct rwd_scan *scan = &recovery->scan;
    rwd_scan__start(scan, fd, file->base, file->size, 0);
    scan->check_chain = true;
    memcpy(scan->chain, chain, RWD_JOURNAL_CHAIN_SIZE);
    enum rwd_status status = rwd_scan__next(scan, &commit, recovery->error);
    if (file->state == RWD_HEADER_BAD && (status == RWD_OK || scan->stop == RWD_SCAN_CHAIN)) {
        /* Whole records under a header that does not hold: the header was changed. */
        status = rwd_damage__describe_header(in, file->base, recovery->error);
    } else if (status == RWD_OK || status == RWD_NOT_FOUND) {
        rwd_scan__start(scan, fd, file->base, file->size, 0);
        status = cut_tail(recovery, false);
    }
    (void)close(fd);
    return status;
}

/* Walks a segment to its last good seal and cuts the tail. end->offset 0: no commit was in it.
 * known_end: the position where a later segment says that this one ends; 0: unknown. */
static enum rwd_status find_end(struct recovery *recovery, const struct rwd_segment_file *file,
    uint64_t known_end, struct rwd_journal_end *end)
{
    struct rwd_scan *scan = &recovery->scan;
    int fd = rwd_segment__open(recovery->dir, file->base, O_RDWR);
    if (fd < 0) {
        return io_failed(recovery, file->base);
    }
    *end = (struct rwd_journal_end){.base = file->base,
        .size = file->size,
        .previous_end = file->header.previous_end,
        .sequence = file->header.sequence_before};
    rwd_scan__start(scan, fd, file->base, file->size, 0);
    scan->check_chain = true;
    memcpy(scan->chain, file->header.chain, sizeof scan->chain);
    struct rwd_commit commit;
    enum rwd_status status = RWD_OK;
    while ((status = rwd_scan__next(scan, &commit, recovery->error)) == RWD_OK) {
        end->sequence = commit.sequence;
    }
    if (status == RWD_NOT_FOUND) {
        status = cut_tail(recovery, known_end != 0 && known_end != file->base + scan->offset);
    }
    end->offset = scan->offset;
    memcpy(end->chain, scan->chain, sizeof end->chain);
    /* A process that died between its last write and the sync has left a whole commit that may not
     * be on the disk yet. From here on it counts, and the store may come to rest on it, so it is
     * made durable now. */
    if (status == RWD_OK && (RWD_FAULT_ERROR("journal.recover.sync") || fdatasync(fd) != 0)) {
        status = io_failed(recovery, file->base);
    }
    (void)close(fd);
    return status;
}

/* The last seal of the segment before, as this header remembers it. */
static enum rwd_status check_join(struct recovery *recovery, const struct rwd_segment_file *before,
    const struct rwd_segment_file *after)
{
    char in[RWD_SEAL_SIZE];
    struct rwd_record seal;
    uint64_t end = after->header.previous_end;
    bool inside = end >= before->base + RWD_SEGMENT_HEADER_SIZE + RWD_SEAL_SIZE &&
                  end <= before->base + before->size;
    if (inside) {
        int fd = rwd_segment__open(recovery->dir, before->base, O_RDONLY);
        bool good =
            fd >= 0 && rwd_segment__read(fd, end - before->base - RWD_SEAL_SIZE, in, sizeof in);
        enum rwd_status status = good ? RWD_OK : io_failed(recovery, before->base);
        if (fd >= 0) {
            (void)close(fd);
        }
        if (!good) {
            return status;
        }
    }
    if (!inside || rwd_frame__get(in, sizeof in, &seal) != RWD_FRAME_WHOLE ||
        seal.type != RWD_RECORD_SEAL || seal.body.size != RWD_JOURNAL_CHAIN_SIZE ||
        memcmp(seal.body.data, after->header.chain, RWD_JOURNAL_CHAIN_SIZE) != 0) {
        return rwd_fail(recovery->error, RWD_CORRUPT,
            "%s: the chain does not pass from %016llx.journal to %016llx.journal: the last seal of "
            "the first, before position %llu, is not the one that the second was begun after; see "
            "rewardctl journal verify",
            recovery->dir, (unsigned long long)before->base, (unsigned long long)after->base,
            (unsigned long long)end);
    }
    return RWD_OK;
}

static size_t last_begun(const struct rwd_segment_list *list)
{
    size_t count = list->count;
    while (count > 0 && list->files[count - 1].state != RWD_HEADER_VALID) {
        count--;
    }
    return count; /* one behind it */
}

static enum rwd_status check_headers(struct recovery *recovery, size_t begun)
{
    const struct rwd_segment_list *list = &recovery->list;
    enum rwd_status status = rwd_journal__check_order(recovery->dir, list, recovery->error);
    if (status != RWD_OK) {
        return status;
    }
    for (size_t i = 0; i < begun; i++) {
        if (list->files[i].state != RWD_HEADER_VALID) {
            return rwd_fail(recovery->error, RWD_CORRUPT,
                "%s/%016llx.journal: the header does not hold, yet later segments were begun; see "
                "rewardctl journal verify",
                recovery->dir, (unsigned long long)list->files[i].base);
        }
    }
    if (begun == 0 && list->files[0].base != 0) {
        return rwd_fail(recovery->error, RWD_CORRUPT,
            "%s: the first segment, %016llx.journal, holds nothing and those before it are missing",
            recovery->dir, (unsigned long long)list->files[0].base);
    }
    return RWD_OK;
}

static enum rwd_status recover_end(
    struct recovery *recovery, size_t begun, struct rwd_journal_end *end)
{
    const struct rwd_segment_file *files = recovery->list.files;
    static const uint8_t genesis[RWD_JOURNAL_CHAIN_SIZE];
    enum rwd_status status = RWD_OK;
    *end = (struct rwd_journal_end){.base = files[0].base, .size = files[0].size};
    if (begun > 0) {
        status = find_end(recovery, &files[begun - 1], 0, end);
    }
    if (status == RWD_OK && begun > 1 && end->offset == 0) {
        /* Begun, but its first commit was torn: the end is in the one before. */
        status = find_end(recovery, &files[begun - 2], end->previous_end, end);
    } else if (status == RWD_OK && begun > 1) {
        status = check_join(recovery, &files[begun - 2], &files[begun - 1]);
    }
    const uint8_t *chain = begun > 0 ? end->chain : genesis;
    for (size_t i = begun; status == RWD_OK && i < recovery->list.count; i++) {
        status = wipe_unbegun(recovery, &files[i], chain);
    }
    if (status == RWD_OK && end->offset == 0) {
        uint64_t base = end->base;
        uint64_t size = end->size;
        *end = (struct rwd_journal_end){.base = base, .size = size, .previous_end = base};
    }
    return status;
}

enum rwd_status rwd_journal__recover(
    const char *dir, struct rwd_journal_end *end, struct rwd_error *error)
{
    struct recovery recovery = {.dir = dir, .error = error};
    rwd_scan__init(&recovery.scan);
    enum rwd_status status = rwd_segment__list(dir, true, &recovery.list, error);
    if (status == RWD_OK && recovery.list.count == 0) {
        status = RWD_NOT_FOUND;
    }
    if (status == RWD_OK) {
        size_t begun = last_begun(&recovery.list);
        status = check_headers(&recovery, begun);
        if (status == RWD_OK) {
            status = recover_end(&recovery, begun, end);
        }
        /* Who made the last of them may have died before its name was on the disk. */
        if (status == RWD_OK && !rwd_segment__sync_folder(dir)) {
            status = rwd_fail(error, RWD_UNAVAILABLE, "journal %s: %s", dir, strerror(errno));
        }
    }
    rwd_scan__finish(&recovery.scan);
    rwd_segment__list_finish(&recovery.list);
    return status;
}
