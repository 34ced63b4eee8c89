#include "journal/reader.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct rwd_journal_reader {
    char *dir;
    struct rwd_scan scan;
    int fd;      /* of scan's segment; -1: not there yet */
    int next_fd; /* of the segment after it */
    uint64_t position_least;
    struct rwd_commit commit; /* the one being handed out */
    uint64_t at;              /* offset of its next record; commit.seal: none left */
    char *single;             /* for reader_at */
    int single_fd;
    uint64_t single_base;
    uint64_t single_size;
};

static enum rwd_status io_failed(
    const struct rwd_journal_reader *reader, uint64_t base, struct rwd_error *error)
{
    return rwd_fail(error, RWD_UNAVAILABLE, "%s/%016llx.journal: %s", reader->dir,
        (unsigned long long)base, strerror(errno));
}

/* Opens the segment named by base if it was begun. NOT_FOUND: it was not; *fd may be kept open to
 * look again cheaply. */
static enum rwd_status open_begun(const struct rwd_journal_reader *reader, uint64_t base, int *fd,
    struct rwd_segment_header *header, struct rwd_error *error)
{
    char in[RWD_SEGMENT_HEADER_SIZE];
    if (*fd < 0) {
        *fd = rwd_segment__open(reader->dir, base, O_RDONLY);
    }
    if (*fd < 0) {
        return errno == ENOENT ? RWD_NOT_FOUND : io_failed(reader, base, error);
    }
    if (!rwd_segment__read(*fd, 0, in, sizeof in)) {
        return io_failed(reader, base, error);
    }
    /* A bad header may be one that is being written or that a crash cut; no data can be behind it
     * for us then. Where the segment is damaged, verify and the writer's recovery say so. */
    if (rwd_segment__get_header(in, header) != RWD_HEADER_VALID || header->base != base) {
        return RWD_NOT_FOUND;
    }
    return RWD_OK;
}

/* ---- finding the place to start ---- */

/* Whether a record or the end of a seal stands at offset, so that scanning may start there. */
static bool starts_at(struct rwd_journal_reader *reader, uint64_t offset, bool *midway)
{
    struct rwd_scan *scan = &reader->scan;
    struct rwd_record record;
    char seal[RWD_SEAL_SIZE];
    if (offset % 8 != 0 || offset < RWD_SEGMENT_HEADER_SIZE + RWD_SEAL_SIZE ||
        offset + RWD_RECORD_HEADER_SIZE > scan->size) {
        return false;
    }
    *midway = false;
    if (!rwd_segment__read(reader->fd, offset - RWD_SEAL_SIZE, seal, sizeof seal)) {
        return false;
    }
    if (rwd_frame__get(seal, sizeof seal, &record) == RWD_FRAME_WHOLE &&
        record.type == RWD_RECORD_SEAL &&
        record.event_fingerprint + RWD_SEAL_SIZE == scan->base + offset) {
        return true;
    }
    *midway = true;
    rwd_scan__start(scan, reader->fd, scan->base, scan->size, offset);
    enum rwd_frame frame = RWD_FRAME_SHORT;
    record.size_on_disk = RWD_RECORD_HEADER_SIZE;
    while (frame == RWD_FRAME_SHORT && record.size_on_disk <= scan->size - offset &&
           rwd_scan__load(scan, offset, record.size_on_disk)) {
        frame = rwd_frame__get(rwd_scan__at(scan, offset), scan->data_size, &record);
    }
    return frame == RWD_FRAME_WHOLE && record.type != RWD_RECORD_SEAL;
}

static enum rwd_status start_in(
    struct rwd_journal_reader *reader, const struct rwd_segment_file *file, struct rwd_error *error)
{
    reader->fd = rwd_segment__open(reader->dir, file->base, O_RDONLY);
    if (reader->fd < 0) {
        return io_failed(reader, file->base, error);
    }
    uint64_t offset = 0;
    bool midway = false;
    rwd_scan__start(&reader->scan, reader->fd, file->base, file->size, 0);
    if (reader->position_least > file->base && reader->position_least - file->base < file->size &&
        starts_at(reader, reader->position_least - file->base, &midway)) {
        offset = reader->position_least - file->base;
    }
    rwd_scan__start(&reader->scan, reader->fd, file->base, file->size, offset);
    reader->scan.midway = offset != 0 && midway;
    return RWD_OK;
}

enum rwd_status rwd_journal_reader_open(
    const char *dir, uint64_t position, struct rwd_journal_reader **reader, struct rwd_error *error)
{
    struct rwd_segment_list list = {.files = NULL};
    struct rwd_journal_reader *opened = rwd_new(sizeof *opened);
    opened->dir = rwd_copy(dir, strlen(dir));
    opened->fd = -1;
    opened->next_fd = -1;
    opened->single_fd = -1;
    opened->position_least = position;
    rwd_scan__init(&opened->scan);
    enum rwd_status status = rwd_segment__list(dir, false, &list, error);
    if (status == RWD_OK && list.count == 0) {
        status = rwd_fail(error, RWD_NOT_FOUND, "journal %s: there is no segment", dir);
    }
    if (status == RWD_OK) {
        /* The last segment that was begun, or else exists, at or before the position. */
        size_t chosen = 0;
        for (size_t i = 1; i < list.count && list.files[i].base <= position; i++) {
            chosen = list.files[i].state != RWD_HEADER_ZERO ? i : chosen;
        }
        status = start_in(opened, &list.files[chosen], error);
    }
    rwd_segment__list_finish(&list);
    if (status != RWD_OK) {
        rwd_journal_reader_close(opened);
        return status;
    }
    *reader = opened;
    return RWD_OK;
}

void rwd_journal_reader_close(struct rwd_journal_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    const int fds[] = {reader->fd, reader->next_fd, reader->single_fd};
    for (size_t i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    rwd_scan__finish(&reader->scan);
    rwd_free(reader->single);
    rwd_free(reader->dir);
    rwd_free(reader);
}

uint64_t rwd_journal__reader_segment(const struct rwd_journal_reader *reader)
{
    return reader->scan.base;
}

/* ---- going on ---- */

/* Whether the first commit in a segment is whole. Before it is, a crash can undo the roll, and the
 * segment before would grow again behind the back of a reader that had left it. */
static bool begun_for_good(int fd, uint64_t base, uint64_t size)
{
    struct rwd_scan scan;
    struct rwd_commit commit;
    rwd_scan__init(&scan);
    rwd_scan__start(&scan, fd, base, size, 0);
    bool good = rwd_scan__next(&scan, &commit, NULL) == RWD_OK;
    rwd_scan__finish(&scan);
    return good;
}

/* No commit here. Either the next segment was begun, and then it says where this one ends; or this
 * is the end for now; or it is damage. *again: something came or is to be read anew. */
static enum rwd_status pass_on(
    struct rwd_journal_reader *reader, bool suspected, bool *again, struct rwd_error *error)
{
    struct rwd_scan *scan = &reader->scan;
    struct rwd_segment_header header = {0};
    uint64_t here = scan->base + scan->offset;
    uint64_t next = scan->base + scan->size;
    *again = false;
    enum rwd_status status = open_begun(reader, next, &reader->next_fd, &header, error);
    if (status == RWD_OK && !begun_for_good(reader->next_fd, next, header.size)) {
        status = RWD_NOT_FOUND;
    }
    if (status == RWD_OK && header.previous_end == here) {
        (void)close(reader->fd);
        reader->fd = reader->next_fd;
        reader->next_fd = -1;
        rwd_scan__start(scan, reader->fd, next, header.size, 0);
        *again = true;
        return RWD_OK;
    }
    bool later_known = status == RWD_OK;
    if (status != RWD_OK && status != RWD_NOT_FOUND) {
        return status;
    }
    if (!later_known && scan->stop == RWD_SCAN_ZERO) {
        return RWD_NOT_FOUND;
    }
    enum rwd_tail tail = RWD_TAIL_CLEAN;
    status = rwd_damage__judge(scan, later_known, false, &tail, error);
    if (status != RWD_OK) {
        return status;
    }
    if (tail != RWD_TAIL_DAMAGED) {
        return RWD_NOT_FOUND;
    }
    /* A live writer may have come by between our looking at the record and at what is behind it:
     * what we then found proves that the record is there by now, so a second look decides. */
    *again = !suspected;
    return suspected ? RWD_CORRUPT : RWD_OK;
}

static enum rwd_status next_commit(struct rwd_journal_reader *reader, struct rwd_error *error)
{
    struct rwd_scan *scan = &reader->scan;
    bool suspected = false;
    for (;;) {
        enum rwd_status status = rwd_scan__next(scan, &reader->commit, error);
        if (status == RWD_OK) {
            reader->at = reader->commit.records;
            return RWD_OK;
        }
        bool again = false;
        uint64_t base = scan->base;
        if (status == RWD_NOT_FOUND) {
            status = pass_on(reader, suspected, &again, error);
        }
        rwd_scan__forget(scan);
        reader->commit = (struct rwd_commit){.begin = 0};
        reader->at = 0;
        if (status != RWD_OK || !again) {
            return status;
        }
        suspected = base == scan->base;
    }
}

enum rwd_status rwd_journal_reader_next(
    struct rwd_journal_reader *reader, struct rwd_record *record, struct rwd_error *error)
{
    for (;;) {
        while (reader->at == reader->commit.seal) {
            enum rwd_status status = next_commit(reader, error);
            if (status != RWD_OK) {
                return status;
            }
        }
        /* The scan has checked its CRC, and that it is in memory whole. */
        (void)rwd_frame__get_header(rwd_scan__at(&reader->scan, reader->at), record);
        record->position = reader->scan.base + reader->at;
        reader->at += record->size_on_disk;
        if (record->position >= reader->position_least) {
            return RWD_OK;
        }
    }
}

/* ---- one record ---- */

static enum rwd_status find_single(
    struct rwd_journal_reader *reader, uint64_t position, struct rwd_error *error)
{
    struct rwd_segment_list list = {.files = NULL};
    struct rwd_segment_header header = {0};
    if (reader->single_fd >= 0 && position >= reader->single_base &&
        position - reader->single_base < reader->single_size) {
        return RWD_OK;
    }
    if (reader->single_fd >= 0) {
        (void)close(reader->single_fd);
        reader->single_fd = -1;
    }
    enum rwd_status status = rwd_segment__list(reader->dir, false, &list, error);
    size_t i = list.count;
    while (status == RWD_OK && i > 0 && list.files[i - 1].base > position) {
        i--;
    }
    if (status == RWD_OK && i == 0) {
        status = rwd_fail(error, RWD_NOT_FOUND, "journal %s: position %llu is not kept",
            reader->dir, (unsigned long long)position);
    }
    if (status == RWD_OK) {
        reader->single_base = list.files[i - 1].base;
        status = open_begun(reader, reader->single_base, &reader->single_fd, &header, error);
        reader->single_size = status == RWD_OK ? header.size : 0;
    }
    rwd_segment__list_finish(&list);
    return status;
}

enum rwd_status rwd_journal_reader_at(struct rwd_journal_reader *reader, uint64_t position,
    struct rwd_record *record, struct rwd_error *error)
{
    enum { FIRST_READ = 4096, SINGLE_SIZE_MAX = RWD_RECORD_BODY_SIZE_MAX + 64 };
    enum rwd_status status = find_single(reader, position, error);
    if (status != RWD_OK) {
        return status;
    }
    uint64_t offset = position - reader->single_base;
    uint64_t rest = reader->single_size > offset ? reader->single_size - offset : 0;
    if (rest < RWD_RECORD_HEADER_SIZE) {
        return rwd_fail(error, RWD_NOT_FOUND, "journal %s: nothing at position %llu", reader->dir,
            (unsigned long long)position);
    }
    if (reader->single == NULL) {
        reader->single = rwd_grow(NULL, SINGLE_SIZE_MAX);
    }
    size_t have = rest < FIRST_READ ? (size_t)rest : FIRST_READ;
    enum rwd_frame frame = RWD_FRAME_BAD;
    if (offset >= RWD_SEGMENT_HEADER_SIZE && offset % 8 == 0) {
        if (!rwd_segment__read(reader->single_fd, offset, reader->single, have)) {
            return io_failed(reader, reader->single_base, error);
        }
        frame = rwd_frame__get(reader->single, have, record);
    }
    if (frame == RWD_FRAME_SHORT && record->size_on_disk <= rest) {
        have = record->size_on_disk;
        if (!rwd_segment__read(reader->single_fd, offset, reader->single, have)) {
            return io_failed(reader, reader->single_base, error);
        }
        frame = rwd_frame__get(reader->single, have, record);
    }
    if (frame == RWD_FRAME_ZERO) {
        return rwd_fail(error, RWD_NOT_FOUND, "journal %s: nothing at position %llu", reader->dir,
            (unsigned long long)position);
    }
    if (frame != RWD_FRAME_WHOLE) {
        return rwd_fail(error, RWD_CORRUPT,
            "%s/%016llx.journal: no whole record at file offset %llu (position %llu)", reader->dir,
            (unsigned long long)reader->single_base, (unsigned long long)offset,
            (unsigned long long)position);
    }
    record->position = position;
    return RWD_OK;
}
