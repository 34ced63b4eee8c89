#include "journal/segment.h"

#include "base/fault.h"
#include "base/memory.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = {'R', 'W', 'D', 'J', 'R', 'N', 'L', '\n'};

enum {
    AT_VERSION = 8,
    AT_SIZE = 16,
    AT_BASE = 24,
    AT_PREVIOUS_END = 32,
    AT_SEQUENCE = 40,
    AT_CREATED = 48,
    AT_CHAIN = 56,
    AT_CRC = 92,
    READ_SIZE = 1 << 18,
    DROP_SIZE = 4 << 20,
};

static void put32(char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static void put64(char *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

static uint32_t get32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static uint64_t get64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

/* ---- segment headers ---- */

uint32_t rwd_segment__header_crc(const char *in)
{
    return rwd_crc32c(0, in, AT_CRC);
}

uint32_t rwd_segment__header_crc_stored(const char *in)
{
    return get32(in + AT_CRC);
}

void rwd_segment__put_header(const struct rwd_segment_header *header, char *out)
{
    memset(out, 0, RWD_SEGMENT_HEADER_SIZE);
    memcpy(out, magic, sizeof magic);
    put32(out + AT_VERSION, RWD_SEGMENT_VERSION);
    put64(out + AT_SIZE, header->size);
    put64(out + AT_BASE, header->base);
    put64(out + AT_PREVIOUS_END, header->previous_end);
    put64(out + AT_SEQUENCE, header->sequence_before);
    put64(out + AT_CREATED, (uint64_t)header->created_ms);
    memcpy(out + AT_CHAIN, header->chain, sizeof header->chain);
    put32(out + AT_CRC, rwd_segment__header_crc(out));
}

static bool all_zero(const char *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

enum rwd_header_state rwd_segment__get_header(const char *in, struct rwd_segment_header *header)
{
    if (all_zero(in, RWD_SEGMENT_HEADER_SIZE)) {
        return RWD_HEADER_ZERO;
    }
    if (memcmp(in, magic, sizeof magic) != 0 || get32(in + AT_CRC) != rwd_segment__header_crc(in)) {
        return RWD_HEADER_BAD;
    }
    header->size = get64(in + AT_SIZE);
    header->base = get64(in + AT_BASE);
    header->previous_end = get64(in + AT_PREVIOUS_END);
    header->sequence_before = get64(in + AT_SEQUENCE);
    header->created_ms = (int64_t)get64(in + AT_CREATED);
    memcpy(header->chain, in + AT_CHAIN, sizeof header->chain);
    if (get32(in + AT_VERSION) != RWD_SEGMENT_VERSION) {
        return RWD_HEADER_VERSION;
    }
    bool sane = header->size >= RWD_SEGMENT_SIZE_MIN && header->size % 8 == 0 &&
                header->size <= INT64_MAX && header->base <= (uint64_t)INT64_MAX - header->size &&
                header->previous_end <= header->base;
    return sane ? RWD_HEADER_VALID : RWD_HEADER_BAD;
}

/* ---- files ---- */

void rwd_segment__name(uint64_t base, const char *suffix, char out[RWD_SEGMENT_NAME_SIZE])
{
    (void)snprintf(out, RWD_SEGMENT_NAME_SIZE, "%016llx.%s", (unsigned long long)base, suffix);
}

static bool path_of(const char *dir, const char *name, char path[PATH_MAX])
{
    int size = snprintf(path, PATH_MAX, "%s/%s", dir, name);
    if (size < 0 || size >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

int rwd_segment__open(const char *dir, uint64_t base, int flags)
{
    char name[RWD_SEGMENT_NAME_SIZE];
    char path[PATH_MAX];
    rwd_segment__name(base, "journal", name);
    return path_of(dir, name, path) ? open(path, flags | O_CLOEXEC) : -1;
}

bool rwd_segment__read(int fd, uint64_t offset, char *out, size_t size)
{
    while (size > 0) {
        ssize_t got = pread(fd, out, size, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            memset(out, 0, size);
            return true;
        }
        out += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

/* True: it was direct until now. */
static bool go_buffered(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT) != 0 && fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

bool rwd_segment__write(int fd, uint64_t offset, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t put = pwrite(fd, data, size, (off_t)offset);
        /* EINVAL: a file system that reads such blocks directly and does not write them, or one
         * that has written a part of a block. Nothing of this was written: the cache takes it. */
        if (put < 0 && (errno == EINTR || (errno == EINVAL && go_buffered(fd)))) {
            continue;
        }
        if (put <= 0) {
            errno = put == 0 ? EIO : errno;
            return false;
        }
        data += put;
        offset += (uint64_t)put;
        size -= (size_t)put;
    }
    return true;
}

void rwd_segment__go_direct(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || RWD_FAULT_ERROR("journal.direct") ||
        fcntl(fd, F_SETFL, flags | O_DIRECT) != 0) {
        return;
    }
    /* Some take the flag and refuse the blocks. */
    char *block = rwd_new_aligned(RWD_BLOCK_SIZE, RWD_BLOCK_SIZE);
    if (pread(fd, block, RWD_BLOCK_SIZE, 0) < 0) {
        (void)fcntl(fd, F_SETFL, flags);
    }
    rwd_free(block);
}

bool rwd_segment__sync_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && !RWD_FAULT_ERROR("journal.folder.sync") && fsync(fd) == 0;
    int kept = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = kept;
    return good;
}

enum rwd_status rwd_segment__create(
    const char *dir, uint64_t base, uint64_t size, int *fd, struct rwd_error *error)
{
    char name[RWD_SEGMENT_NAME_SIZE];
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    rwd_segment__name(base, "journal", name);
    bool fits = path_of(dir, name, path);
    rwd_segment__name(base, "temp", name);
    if (!fits || !path_of(dir, name, temporary)) {
        return rwd_fail(error, RWD_INVALID, "journal %s: the path is too long", dir);
    }
    int made = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (made < 0) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: %s", temporary, strerror(errno));
    }
    int failed =
        RWD_FAULT_ERROR("journal.preallocate") ? ENOSPC : posix_fallocate(made, 0, (off_t)size);
    if (failed == 0 && fsync(made) != 0) {
        failed = errno;
    }
    RWD_FAULT_POINT("journal.create.before_rename");
    if (failed == 0 && (rename(temporary, path) != 0 || !rwd_segment__sync_folder(dir))) {
        failed = errno;
    }
    if (failed != 0) {
        (void)close(made);
        (void)unlink(temporary);
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: %llu bytes for the next journal segment: %s",
            path, (unsigned long long)size, strerror(failed));
    }
    RWD_FAULT_POINT("journal.create.after");
    *fd = made;
    return RWD_OK;
}

bool rwd_segment__next_data(int fd, uint64_t offset, uint64_t end, uint64_t *from, uint64_t *to)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return false;
    }
    uint64_t file_end = (uint64_t)status.st_size < end ? (uint64_t)status.st_size : end;
    *from = end;
    *to = end;
    if (offset >= file_end) {
        return true;
    }
    off_t data = lseek(fd, (off_t)offset, SEEK_DATA);
    if (data < 0 && errno == ENXIO) {
        return true;
    }
    /* A file system without SEEK_DATA has data everywhere. */
    uint64_t at = data < 0 ? offset : (uint64_t)data;
    if (at >= file_end) {
        return true;
    }
    off_t hole = lseek(fd, (off_t)at, SEEK_HOLE);
    *from = at;
    *to = hole > (off_t)at && (uint64_t)hole < file_end ? (uint64_t)hole : file_end;
    return true;
}

bool rwd_segment__next_nonzero(int fd, uint64_t offset, uint64_t end, uint64_t *found)
{
    char *block = rwd_new(READ_SIZE);
    bool good = true;
    *found = end;
    /* Zeros of unwritten extents that read-ahead has brought into the page cache count as data:
     * 256 MiB of them, if every step brings more. So no more are brought, and many are dropped. */
    bool dropped = false;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    while (good && *found == end && offset < end) {
        uint64_t to = end;
        good = rwd_segment__next_data(fd, offset, end, &offset, &to);
        if (!good || offset >= end) {
            break;
        }
        if (!dropped && to - offset > DROP_SIZE) {
            (void)posix_fadvise(fd, (off_t)offset, 0, POSIX_FADV_DONTNEED);
            dropped = true;
            continue;
        }
        size_t size = to - offset < READ_SIZE ? (size_t)(to - offset) : READ_SIZE;
        good = rwd_segment__read(fd, offset, block, size);
        if (good && !all_zero(block, size)) {
            size_t i = 0;
            while (block[i] == 0) {
                i++;
            }
            *found = offset + i;
        }
        offset += size;
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL);
    rwd_free(block);
    return good;
}

/* ---- the folder ---- */

static bool parse_name(const char *name, const char *suffix, uint64_t *base)
{
    if (strlen(name) != 16 + 1 + strlen(suffix) || name[16] != '.' ||
        strcmp(name + 17, suffix) != 0 || strspn(name, "0123456789abcdef") != 16) {
        return false;
    }
    *base = strtoull(name, NULL, 16);
    return true;
}

static int by_base(const void *a, const void *b)
{
    const struct rwd_segment_file *left = a;
    const struct rwd_segment_file *right = b;
    return left->base < right->base ? -1 : left->base > right->base;
}

static enum rwd_status read_file_header(
    const char *dir, struct rwd_segment_file *file, struct rwd_error *error)
{
    char in[RWD_SEGMENT_HEADER_SIZE];
    struct stat status;
    int fd = rwd_segment__open(dir, file->base, O_RDONLY);
    bool good = fd >= 0 && fstat(fd, &status) == 0 && rwd_segment__read(fd, 0, in, sizeof in);
    int kept = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (!good) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s/%016llx.journal: %s", dir,
            (unsigned long long)file->base, strerror(kept));
    }
    file->state = rwd_segment__get_header(in, &file->header);
    file->size = (uint64_t)status.st_size & ~(uint64_t)7;
    if (file->state == RWD_HEADER_VALID) {
        file->size = file->header.size;
    } else if (file->size < RWD_SEGMENT_SIZE_MIN) {
        file->size = RWD_SEGMENT_SIZE_MIN; /* cut short; reads as zeros, recovery mends it */
    }
    return RWD_OK;
}

enum rwd_status rwd_segment__list(
    const char *dir, bool remove_temporary, struct rwd_segment_list *list, struct rwd_error *error)
{
    DIR *folder = opendir(dir);
    if (folder == NULL) {
        enum rwd_status status = errno == ENOENT ? RWD_NOT_FOUND : RWD_UNAVAILABLE;
        return rwd_fail(error, status, "journal %s: %s", dir, strerror(errno));
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        uint64_t base = 0;
        if (parse_name(entry->d_name, "journal", &base)) {
            list->files =
                rwd_room_for(list->files, list->count, &list->capacity, sizeof list->files[0]);
            list->files[list->count++] = (struct rwd_segment_file){.base = base};
        } else if (remove_temporary && parse_name(entry->d_name, "temp", &base)) {
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
        }
    }
    (void)closedir(folder);
    if (list->count > 0) {
        qsort(list->files, list->count, sizeof list->files[0], by_base);
    }
    for (size_t i = 0; i < list->count; i++) {
        enum rwd_status status = read_file_header(dir, &list->files[i], error);
        if (status != RWD_OK) {
            return status;
        }
    }
    return RWD_OK;
}

void rwd_segment__list_finish(struct rwd_segment_list *list)
{
    rwd_free(list->files);
    *list = (struct rwd_segment_list){.files = NULL};
}

/* ---- frames ---- */

uint32_t rwd_frame__crc(const char *at, size_t padded)
{
    return rwd_crc32c(0, at + 4, padded - 4);
}

void rwd_frame__put(char *at, const struct rwd_record *record, size_t body_size)
{
    size_t size = RWD_RECORD_HEADER_SIZE + body_size;
    size_t padded = rwd_frame_padded(size);
    put32(at + 4, (uint32_t)size);
    at[8] = (char)record->type;
    at[9] = (char)record->flags;
    at[10] = 0;
    at[11] = 0;
    put32(at + 12, record->key_id);
    put64(at + 16, record->sequence);
    put64(at + 24, (uint64_t)record->time_ms);
    put64(at + 32, record->user_fingerprint);
    put64(at + 40, record->event_fingerprint);
    memset(at + size, 0, padded - size);
    put32(at, rwd_frame__crc(at, padded));
}

bool rwd_frame__get_header(const char *at, struct rwd_record *record)
{
    uint32_t size = get32(at + 4);
    if (size < RWD_RECORD_HEADER_SIZE || size > RWD_RECORD_HEADER_SIZE + RWD_RECORD_BODY_SIZE_MAX) {
        return false;
    }
    record->crc = get32(at);
    record->type = (uint8_t)at[8];
    record->flags = (uint8_t)at[9];
    record->key_id = get32(at + 12);
    record->sequence = get64(at + 16);
    record->time_ms = (int64_t)get64(at + 24);
    record->user_fingerprint = get64(at + 32);
    record->event_fingerprint = get64(at + 40);
    record->body = (struct rwd_text){
        .data = at + RWD_RECORD_HEADER_SIZE, .size = size - RWD_RECORD_HEADER_SIZE};
    record->size_on_disk = (uint32_t)rwd_frame_padded(size);
    return true;
}

enum rwd_frame rwd_frame__get(const char *at, size_t available, struct rwd_record *record)
{
    if (available < RWD_RECORD_HEADER_SIZE) {
        record->size_on_disk = RWD_RECORD_HEADER_SIZE;
        return RWD_FRAME_SHORT;
    }
    if (get32(at + 4) == 0) {
        return RWD_FRAME_ZERO;
    }
    if (!rwd_frame__get_header(at, record)) {
        return RWD_FRAME_BAD;
    }
    if (record->size_on_disk > available) {
        return RWD_FRAME_SHORT;
    }
    return rwd_frame__crc(at, record->size_on_disk) == record->crc ? RWD_FRAME_WHOLE
                                                                   : RWD_FRAME_BAD;
}

void rwd_frame__chain(const uint8_t before[RWD_JOURNAL_CHAIN_SIZE], const char *commit, size_t size,
    uint8_t out[RWD_JOURNAL_CHAIN_SIZE])
{
    static const char zeros[4];
    const char *seal = commit + size;
    const struct rwd_text parts[] = {
        {.data = (const char *)before, .size = RWD_JOURNAL_CHAIN_SIZE},
        {.data = commit, .size = size},
        {.data = zeros, .size = sizeof zeros},
        {.data = seal + 4, .size = RWD_RECORD_HEADER_SIZE - 4},
    };
    rwd_sha256_parts(parts, 4, out);
}
