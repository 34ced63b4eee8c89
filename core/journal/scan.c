#include "journal/scan.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>

enum {
    CHUNK_SIZE_MIN = 4096,
    CHUNK_SIZE_MAX = 1 << 20,
};

void rwd_scan__init(struct rwd_scan *scan)
{
    *scan = (struct rwd_scan){.fd = -1, .chunk = CHUNK_SIZE_MIN};
}

void rwd_scan__finish(struct rwd_scan *scan)
{
    rwd_free(scan->data);
    rwd_scan__init(scan);
}

void rwd_scan__start(struct rwd_scan *scan, int fd, uint64_t base, uint64_t size, uint64_t offset)
{
    scan->fd = fd;
    scan->base = base;
    scan->size = size;
    scan->offset = offset;
    scan->midway = false;
    rwd_scan__forget(scan);
}

void rwd_scan__forget(struct rwd_scan *scan)
{
    scan->data_size = 0;
    scan->data_offset = scan->offset;
    scan->chunk = CHUNK_SIZE_MIN;
}

bool rwd_scan__load(struct rwd_scan *scan, uint64_t offset, size_t size)
{
    if (offset + size <= scan->data_offset + scan->data_size) {
        return true;
    }
    /* What was consumed is dropped; the rest of a commit moves to the front. */
    size_t drop = (size_t)(scan->offset - scan->data_offset);
    if (drop >= scan->data_size) {
        scan->data_offset = scan->offset;
        scan->data_size = 0;
    } else if (drop > 0) {
        scan->data_size -= drop;
        memmove(scan->data, scan->data + drop, scan->data_size);
        scan->data_offset = scan->offset;
    }
    uint64_t end = scan->data_offset + scan->data_size;
    size_t missing = (size_t)(offset + size - end);
    size_t want = missing > scan->chunk ? missing : scan->chunk;
    if (want > scan->size - end) {
        want = (size_t)(scan->size - end);
    }
    if (want < missing) {
        errno = EINVAL;
        return false;
    }
    if (scan->data_size + want > scan->capacity) {
        size_t capacity = scan->capacity == 0 ? CHUNK_SIZE_MIN : scan->capacity;
        while (capacity < scan->data_size + want) {
            capacity *= 2;
        }
        scan->data = rwd_grow(scan->data, capacity);
        scan->capacity = capacity;
    }
    if (!rwd_segment__read(scan->fd, end, scan->data + scan->data_size, want)) {
        return false;
    }
    scan->data_size += want;
    scan->chunk = scan->chunk < CHUNK_SIZE_MAX ? scan->chunk * 2 : CHUNK_SIZE_MAX;
    return true;
}

static enum rwd_status stop_at(struct rwd_scan *scan, enum rwd_scan_stop stop, uint64_t offset)
{
    scan->stop = stop;
    scan->stop_offset = offset;
    return RWD_NOT_FOUND;
}

static enum rwd_status close_commit(
    struct rwd_scan *scan, struct rwd_commit *commit, const struct rwd_record *seal)
{
    uint64_t start = scan->base + commit->begin;
    bool starts = scan->midway ? seal->user_fingerprint <= start : seal->user_fingerprint == start;
    bool counts = seal->key_id == (uint32_t)commit->count || scan->midway;
    if (!starts || !counts || seal->body.size != RWD_JOURNAL_CHAIN_SIZE ||
        seal->event_fingerprint != scan->base + commit->seal) {
        scan->seal = *seal;
        return stop_at(scan, RWD_SCAN_MOVED, commit->seal);
    }
    if (scan->check_chain) {
        uint8_t chain[RWD_JOURNAL_CHAIN_SIZE];
        rwd_frame__chain(scan->chain, rwd_scan__at(scan, commit->begin),
            (size_t)(commit->seal - commit->begin), chain);
        if (memcmp(chain, seal->body.data, sizeof chain) != 0) {
            return stop_at(scan, RWD_SCAN_CHAIN, commit->begin);
        }
    }
    memcpy(scan->chain, seal->body.data, RWD_JOURNAL_CHAIN_SIZE);
    commit->sequence = seal->sequence;
    commit->end = commit->seal + RWD_SEAL_SIZE;
    scan->offset = commit->end;
    scan->midway = false;
    return RWD_OK;
}

enum rwd_status rwd_scan__next(
    struct rwd_scan *scan, struct rwd_commit *commit, struct rwd_error *error)
{
    *commit = (struct rwd_commit){.begin = scan->offset};
    uint64_t at = scan->offset == 0 ? RWD_SEGMENT_HEADER_SIZE : scan->offset;
    commit->records = at;
    for (;;) {
        uint64_t room = scan->size - at;
        uint64_t loaded = scan->data_offset + scan->data_size;
        struct rwd_record record;
        enum rwd_frame frame = RWD_FRAME_SHORT;
        record.size_on_disk = RWD_RECORD_HEADER_SIZE;
        if (at < loaded) {
            frame = rwd_frame__get(rwd_scan__at(scan, at), (size_t)(loaded - at), &record);
        }
        if (frame == RWD_FRAME_SHORT) {
            if (record.size_on_disk > room) {
                /* Less than a header is left: the segment is full up to here. */
                bool full = room < RWD_RECORD_HEADER_SIZE && at == commit->records;
                return stop_at(scan, full ? RWD_SCAN_ZERO : RWD_SCAN_ENDLESS, at);
            }
            if (!rwd_scan__load(scan, at, record.size_on_disk)) {
                return rwd_fail(error, RWD_UNAVAILABLE, "%016llx.journal: read at %llu: %s",
                    (unsigned long long)scan->base, (unsigned long long)at, strerror(errno));
            }
            continue;
        }
        if (frame != RWD_FRAME_WHOLE) {
            return stop_at(scan, frame == RWD_FRAME_ZERO ? RWD_SCAN_ZERO : RWD_SCAN_BAD, at);
        }
        if (record.type == RWD_RECORD_SEAL) {
            commit->seal = at;
            return close_commit(scan, commit, &record);
        }
        at += record.size_on_disk;
        commit->count++;
        if (at - commit->begin > RWD_COMMIT_SIZE_MAX) {
            return stop_at(scan, RWD_SCAN_ENDLESS, at);
        }
    }
}
