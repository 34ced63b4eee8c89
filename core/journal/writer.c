#include "journal/filler.h"
#include "journal/recover.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SEGMENT_SIZE_DEFAULT = 256 << 20,
    BLOCKS_SIZE_FIRST = 256 << 10,
};

struct rwd_journal_writer {
    char *dir;
    int lock_fd;
    uint64_t segment_size;
    bool poisoned;

    /* The segment being written. */
    int fd;
    uint64_t base;
    uint64_t size;
    uint64_t offset; /* where the commit goes; all before it is durable */
    uint64_t previous_end;
    struct rwd_journal_filler *filler;
    int next_fd; /* -1: not prepared */
    uint64_t next_size;

    uint64_t sequence; /* the largest, of what is in the buffer too */
    uint64_t sequence_at_open;
    uint8_t chain[RWD_JOURNAL_CHAIN_SIZE];
    _Atomic uint64_t durable; /* read by any thread */

    /* Whole blocks, as they are written: what the last commit left of its last block, once more,
     * then the commit: [segment header], records. */
    char *blocks;
    size_t capacity;
    size_t carried_size;
    size_t commit_size;
    uint32_t record_count;
    int64_t time_ms;
};

/* Room for a commit of that size, what is carried before it and zeros to the end of its block. */
static void make_room(struct rwd_journal_writer *writer, size_t commit_size)
{
    size_t needed = writer->carried_size + commit_size + RWD_BLOCK_SIZE;
    size_t capacity = writer->capacity == 0 ? BLOCKS_SIZE_FIRST : writer->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    if (capacity != writer->capacity) {
        char *blocks = rwd_new_aligned(capacity, RWD_BLOCK_SIZE);
        if (writer->blocks != NULL) {
            memcpy(blocks, writer->blocks, writer->carried_size + writer->commit_size);
        }
        rwd_free(writer->blocks);
        writer->blocks = blocks;
        writer->capacity = capacity;
    }
}

static char *commit_at(const struct rwd_journal_writer *writer, size_t offset)
{
    return writer->blocks + writer->carried_size + offset;
}

/* ---- opening ---- */

static enum rwd_status lock_folder(struct rwd_journal_writer *writer, struct rwd_error *error)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/lock", writer->dir);
    if (size < 0 || (size_t)size >= sizeof path) {
        return rwd_fail(error, RWD_INVALID, "journal %s: the path is too long", writer->dir);
    }
    writer->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (writer->lock_fd < 0) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: %s", path, strerror(errno));
    }
    char pid[32] = "";
    if (flock(writer->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        int failed = errno;
        ssize_t got = pread(writer->lock_fd, pid, sizeof pid - 1, 0);
        pid[got > 0 ? got : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        if (failed != EWOULDBLOCK) {
            return rwd_fail(error, RWD_UNAVAILABLE, "%s: %s", path, strerror(failed));
        }
        return rwd_fail(error, RWD_CONFLICT, "journal %s is being written by process %s",
            writer->dir, pid[0] != '\0' ? pid : "unknown");
    }
    int length = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(writer->lock_fd, 0) != 0 ||
        pwrite(writer->lock_fd, pid, (size_t)length, 0) != length) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: %s", path, strerror(errno));
    }
    return RWD_OK;
}

static enum rwd_status make_folder(const char *dir, struct rwd_error *error)
{
    char parent[4096];
    int size = snprintf(parent, sizeof parent, "%s/..", dir);
    if (size < 0 || (size_t)size >= sizeof parent) {
        return rwd_fail(error, RWD_INVALID, "journal %s: the path is too long", dir);
    }
    /* The folder's name is to be on the disk, too, and so what its owner has put beside it. */
    if ((mkdir(dir, 0750) != 0 && errno != EEXIST) || !rwd_segment__sync_folder(parent)) {
        return rwd_fail(error, RWD_UNAVAILABLE, "journal %s: %s", dir, strerror(errno));
    }
    return RWD_OK;
}

static enum rwd_status find_end(struct rwd_journal_writer *writer, struct rwd_error *error)
{
    struct rwd_journal_end end = {.base = 0};
    enum rwd_status status = rwd_journal__recover(writer->dir, &end, error);
    if (status == RWD_NOT_FOUND) {
        end = (struct rwd_journal_end){.size = writer->segment_size};
        status = rwd_segment__create(writer->dir, 0, end.size, &writer->fd, error);
    } else if (status == RWD_OK) {
        writer->fd = rwd_segment__open(writer->dir, end.base, O_RDWR);
        if (writer->fd < 0) {
            status =
                rwd_fail(error, RWD_UNAVAILABLE, "journal %s: %s", writer->dir, strerror(errno));
        }
    }
    if (status != RWD_OK) {
        return status;
    }
    rwd_segment__go_direct(writer->fd);
    writer->base = end.base;
    writer->size = end.size;
    writer->offset = end.offset;
    writer->carried_size = end.offset % RWD_BLOCK_SIZE;
    make_room(writer, 0);
    if (!rwd_segment__read(
            writer->fd, end.offset - writer->carried_size, writer->blocks, RWD_BLOCK_SIZE)) {
        return rwd_fail(error, RWD_UNAVAILABLE, "journal %s: %s", writer->dir, strerror(errno));
    }
    writer->previous_end = end.previous_end;
    writer->sequence = end.sequence;
    writer->sequence_at_open = end.sequence;
    memcpy(writer->chain, end.chain, sizeof writer->chain);
    atomic_store(&writer->durable, writer->base + writer->offset);
    return RWD_OK;
}

enum rwd_status rwd_journal_open(const struct rwd_journal_options *options,
    struct rwd_journal_writer **writer, struct rwd_error *error)
{
    uint64_t segment_size =
        options->segment_size != 0 ? options->segment_size : (uint64_t)SEGMENT_SIZE_DEFAULT;
    if (segment_size < RWD_SEGMENT_SIZE_MIN || segment_size > (uint64_t)1 << 40) {
        return rwd_fail(error, RWD_INVALID, "journal segments are 1 MiB to 1 TiB, not %llu bytes",
            (unsigned long long)segment_size);
    }
    struct rwd_journal_writer *opened = rwd_new(sizeof *opened);
    opened->dir = rwd_copy(options->dir, strlen(options->dir));
    opened->segment_size = segment_size & ~(uint64_t)4095;
    opened->lock_fd = -1;
    opened->fd = -1;
    opened->next_fd = -1;
    opened->filler = rwd_journal__filler_create(opened->dir);
    enum rwd_status status = make_folder(opened->dir, error);
    if (status == RWD_OK) {
        status = lock_folder(opened, error);
    }
    if (status == RWD_OK) {
        status = find_end(opened, error);
    }
    if (status != RWD_OK) {
        rwd_journal_close(opened);
        return status;
    }
    *writer = opened;
    return RWD_OK;
}

void rwd_journal_close(struct rwd_journal_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    const int fds[] = {writer->fd, writer->next_fd, writer->lock_fd};
    for (size_t i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    rwd_journal__filler_destroy(writer->filler);
    rwd_free(writer->blocks);
    rwd_free(writer->dir);
    rwd_free(writer);
}

/* ---- segments ---- */

enum rwd_status rwd_journal_prepare(struct rwd_journal_writer *writer, struct rwd_error *error)
{
    if (writer->next_fd >= 0) {
        return RWD_OK;
    }
    uint64_t base = writer->base + writer->size;
    struct stat status;
    int fd = rwd_segment__open(writer->dir, base, O_RDWR);
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size >= RWD_SEGMENT_SIZE_MIN &&
        status.st_size % 8 == 0) {
        /* Left from before the start; recovery has seen to it that it holds nothing. Or it was made
         * just now, and its name did not reach the disk. */
        if (!rwd_segment__sync_folder(writer->dir)) {
            (void)close(fd);
            return rwd_fail(error, RWD_UNAVAILABLE, "journal %s: %s", writer->dir, strerror(errno));
        }
        writer->next_fd = fd;
        writer->next_size = (uint64_t)status.st_size;
    } else {
        if (fd >= 0) {
            (void)close(fd);
        }
        writer->next_size = writer->segment_size;
        enum rwd_status made =
            rwd_segment__create(writer->dir, base, writer->segment_size, &writer->next_fd, error);
        if (made != RWD_OK) {
            return made;
        }
    }
    rwd_segment__go_direct(writer->next_fd);
    rwd_journal__filler_offer(writer->filler, base, writer->next_size);
    return RWD_OK;
}

bool rwd_journal_tend(struct rwd_journal_writer *writer)
{
    return rwd_journal__filler_fill(writer->filler);
}

/* In memory; the disk hears of it with the first commit. */
static void roll(struct rwd_journal_writer *writer)
{
    (void)close(writer->fd);
    writer->previous_end = writer->base + writer->offset;
    writer->base += writer->size;
    writer->size = writer->next_size;
    writer->fd = writer->next_fd;
    writer->offset = 0;
    writer->carried_size = 0;
    writer->next_fd = -1;
}

/* ---- appending ---- */

/* The first record of a commit: decides which segment the commit goes to. */
static enum rwd_status begin_commit(
    struct rwd_journal_writer *writer, size_t padded, int64_t time_ms)
{
    size_t header = writer->offset == 0 ? RWD_SEGMENT_HEADER_SIZE : 0;
    if (header + padded + RWD_SEAL_SIZE > writer->size - writer->offset) {
        uint64_t next = writer->next_fd >= 0 ? writer->next_size : writer->segment_size;
        if (header != 0 || RWD_SEGMENT_HEADER_SIZE + padded + RWD_SEAL_SIZE > next) {
            return RWD_LIMIT;
        }
        if (writer->next_fd < 0) {
            return RWD_UNAVAILABLE;
        }
        roll(writer);
        header = RWD_SEGMENT_HEADER_SIZE;
    }
    if (header != 0) {
        struct rwd_segment_header first = {.size = writer->size,
            .base = writer->base,
            .previous_end = writer->previous_end,
            .sequence_before = writer->sequence,
            .created_ms = time_ms};
        memcpy(first.chain, writer->chain, sizeof first.chain);
        rwd_segment__put_header(&first, commit_at(writer, 0));
    }
    writer->commit_size = header;
    return RWD_OK;
}

enum rwd_status rwd_journal_append(struct rwd_journal_writer *writer, struct rwd_record *record,
    const struct rwd_text *parts, size_t part_count)
{
    size_t body_size = 0;
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].size > RWD_RECORD_BODY_SIZE_MAX) {
            return RWD_LIMIT;
        }
        body_size += parts[i].size;
    }
    if (body_size > RWD_RECORD_BODY_SIZE_MAX) {
        return RWD_LIMIT;
    }
    RWD_REQUIRE(record->type != RWD_RECORD_SEAL && record->type != 0);
    if (writer->poisoned) {
        return RWD_UNAVAILABLE;
    }
    size_t padded = rwd_frame_padded(RWD_RECORD_HEADER_SIZE + body_size);
    if (writer->record_count == 0) {
        enum rwd_status status = begin_commit(writer, padded, record->time_ms);
        if (status != RWD_OK) {
            return status;
        }
    }
    size_t full = writer->commit_size + padded + RWD_SEAL_SIZE;
    if (full > RWD_COMMIT_SIZE_MAX || full > writer->size - writer->offset) {
        return RWD_BUSY;
    }
    make_room(writer, full);
    char *at = commit_at(writer, writer->commit_size);
    char *body = at + RWD_RECORD_HEADER_SIZE;
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].size > 0) {
            memcpy(body, parts[i].data, parts[i].size);
            body += parts[i].size;
        }
    }
    rwd_frame__put(at, record, body_size);
    record->position = writer->base + writer->offset + writer->commit_size;
    record->size_on_disk = (uint32_t)padded;
    writer->commit_size += padded;
    writer->record_count++;
    writer->time_ms = record->time_ms;
    if (record->sequence > writer->sequence) {
        writer->sequence = record->sequence;
    }
    return RWD_OK;
}

/* ---- committing ---- */

static void put_seal(struct rwd_journal_writer *writer)
{
    char *at = commit_at(writer, writer->commit_size);
    uint64_t begin = writer->base + writer->offset;
    struct rwd_record seal = {.type = RWD_RECORD_SEAL,
        .key_id = writer->record_count,
        .sequence = writer->sequence,
        .time_ms = writer->time_ms,
        .user_fingerprint = begin,
        .event_fingerprint = begin + writer->commit_size};
    /* Twice: the hash covers the header, the header's CRC covers the hash. */
    memset(at + RWD_RECORD_HEADER_SIZE, 0, RWD_JOURNAL_CHAIN_SIZE);
    rwd_frame__put(at, &seal, RWD_JOURNAL_CHAIN_SIZE);
    rwd_frame__chain(writer->chain, commit_at(writer, 0), writer->commit_size, writer->chain);
    memcpy(at + RWD_RECORD_HEADER_SIZE, writer->chain, RWD_JOURNAL_CHAIN_SIZE);
    rwd_frame__put(at, &seal, RWD_JOURNAL_CHAIN_SIZE);
    writer->commit_size += RWD_SEAL_SIZE;
}

/* The last block is written whole, with zeros behind the commit. The next commit writes it again,
 * with the same bytes before its own: a write that is torn leaves them as they are. */
static bool write_blocks(const struct rwd_journal_writer *writer)
{
    size_t used = writer->carried_size + writer->commit_size;
    size_t padding = -used % RWD_BLOCK_SIZE;
    memset(writer->blocks + used, 0, padding);
    return rwd_segment__write(
        writer->fd, writer->offset - writer->carried_size, writer->blocks, used + padding);
}

static void carry_last_block(struct rwd_journal_writer *writer)
{
    size_t used = writer->carried_size + writer->commit_size;
    writer->carried_size = used % RWD_BLOCK_SIZE;
    memmove(writer->blocks, writer->blocks + used - writer->carried_size, writer->carried_size);
    writer->offset += writer->commit_size;
    writer->commit_size = 0;
    writer->record_count = 0;
}

enum rwd_status rwd_journal_commit(struct rwd_journal_writer *writer, struct rwd_error *error)
{
    if (writer->poisoned) {
        return rwd_fail(error, RWD_UNAVAILABLE,
            "journal %s: an earlier write or sync failed; the process must stop", writer->dir);
    }
    if (writer->record_count == 0) {
        return RWD_OK;
    }
    put_seal(writer);
    rwd_journal__filler_claim(
        writer->filler, writer->base, writer->size, writer->offset, writer->commit_size);
    const char *what = "write";
    RWD_FAULT_POINT("journal.write.before");
    bool good = !RWD_FAULT_ERROR("journal.write") && write_blocks(writer);
    RWD_FAULT_POINT("journal.write.after");
    if (good) {
        what = "sync";
        RWD_FAULT_POINT("journal.sync.before");
        good = !RWD_FAULT_ERROR("journal.sync") && fdatasync(writer->fd) == 0;
        RWD_FAULT_POINT("journal.sync.after");
    }
    if (!good) {
        int failed = errno;
        writer->poisoned = true;
        return rwd_fail(error, RWD_UNAVAILABLE,
            "journal %s: %s at position %llu: %s; nothing more is written, the process must stop",
            writer->dir, what, (unsigned long long)writer->base + writer->offset, strerror(failed));
    }
    carry_last_block(writer);
    atomic_store_explicit(&writer->durable, writer->base + writer->offset, memory_order_release);
    return RWD_OK;
}

uint64_t rwd_journal_end(const struct rwd_journal_writer *writer)
{
    return writer->base + writer->offset + writer->commit_size;
}

uint64_t rwd_journal_durable(const struct rwd_journal_writer *writer)
{
    return atomic_load_explicit(&writer->durable, memory_order_acquire);
}

uint64_t rwd_journal_sequence_last(const struct rwd_journal_writer *writer)
{
    return writer->sequence_at_open;
}
