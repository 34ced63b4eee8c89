#include "journal/scan.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    SEARCH_SIZE = 1 << 20,
    CANDIDATE_COUNT_MAX = 64,
};

/* ---- one changed byte, found through the CRC ---- */

/*
 * CRC is linear: a record whose byte at distance d from its end was changed by v has a CRC that
 * differs by "v, then d zero bytes" whatever the rest is. So the difference is taken back one zero
 * byte at a time, and where it equals what one v alone gives, that byte and that v explain it.
 */
struct crc_table {
    uint32_t forward[256];
    uint8_t by_top[256]; /* the only index whose entry has this top byte */
};

struct candidate {
    size_t at; /* in the bytes looked at */
    uint8_t change;
};

struct candidates {
    struct candidate items[CANDIDATE_COUNT_MAX];
    size_t count;
};

static void make_table(struct crc_table *table)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82f63b78U & (0U - (crc & 1U)));
        }
        table->forward[i] = crc;
        table->by_top[crc >> 24] = (uint8_t)i;
    }
}

static void add_candidate(struct candidates *candidates, size_t at, uint8_t change)
{
    if (candidates->count < CANDIDATE_COUNT_MAX) {
        candidates->items[candidates->count++] = (struct candidate){.at = at, .change = change};
    }
}

/* Bytes in [from, to) of which one, changed, makes up for this difference of CRCs. */
static void explain_crc(const struct crc_table *table, uint32_t difference, size_t from, size_t to,
    struct candidates *candidates)
{
    for (size_t at = to; at > from; at--) {
        uint8_t index = table->by_top[difference >> 24];
        if (table->forward[index] == difference) {
            add_candidate(candidates, at - 1, index);
        }
        difference = ((difference ^ table->forward[index]) << 8) | index;
    }
}

/* Where the stored CRC differs in one byte only, that byte may be the changed one. */
static void explain_stored(uint32_t difference, size_t crc_at, struct candidates *candidates)
{
    for (unsigned i = 0; i < 4; i++) {
        uint32_t byte = difference >> (8 * i);
        if (byte != 0 && byte <= 0xff && difference == byte << (8 * i)) {
            add_candidate(candidates, crc_at + i, (uint8_t)byte);
        }
    }
}

/* Candidates for the frame at data[at]: its bytes under the size it states, then other sizes. */
static void explain_frame(char *data, size_t size, size_t at, struct candidates *candidates)
{
    struct crc_table table;
    make_table(&table);
    struct rwd_record record;
    if (size - at < RWD_RECORD_HEADER_SIZE) {
        return;
    }
    if (rwd_frame__get_header(data + at, &record) && record.size_on_disk <= size - at) {
        uint32_t difference = record.crc ^ rwd_frame__crc(data + at, record.size_on_disk);
        explain_stored(difference, at, candidates);
        explain_crc(&table, difference, at + 4, at + record.size_on_disk, candidates);
    }
    for (size_t i = 4; i < 8; i++) {
        for (unsigned change = 1; change < 256; change++) {
            data[at + i] = (char)(data[at + i] ^ (char)change);
            if (rwd_frame__get(data + at, size - at, &record) == RWD_FRAME_WHOLE) {
                add_candidate(candidates, at + i, (uint8_t)change);
            }
            data[at + i] = (char)(data[at + i] ^ (char)change);
        }
    }
}

/* Whether the bytes begin with a whole commit that stands at `start` and continues the chain. */
static bool commit_holds(const char *data, size_t size, uint64_t start, bool has_header,
    const uint8_t chain[RWD_JOURNAL_CHAIN_SIZE])
{
    size_t at = has_header ? RWD_SEGMENT_HEADER_SIZE : 0;
    struct rwd_record record;
    for (uint32_t count = 0; at < size; count++) {
        if (rwd_frame__get(data + at, size - at, &record) != RWD_FRAME_WHOLE) {
            return false;
        }
        if (record.type == RWD_RECORD_SEAL) {
            uint8_t found[RWD_JOURNAL_CHAIN_SIZE];
            if (record.body.size != sizeof found || record.user_fingerprint != start ||
                record.event_fingerprint != start + at || record.key_id != count) {
                return false;
            }
            rwd_frame__chain(chain, data, at, found);
            return memcmp(found, record.body.data, sizeof found) == 0;
        }
        at += record.size_on_disk;
    }
    return false;
}

/* True: the one byte that, changed back, makes the commit at scan->offset whole. */
static bool find_changed_byte(struct rwd_scan *scan, uint64_t *offset, uint8_t *change)
{
    uint64_t rest = scan->size - scan->offset;
    size_t size = rest < RWD_COMMIT_SIZE_MAX ? (size_t)rest : RWD_COMMIT_SIZE_MAX;
    if (!scan->check_chain || scan->stop_offset - scan->offset >= size ||
        !rwd_scan__load(scan, scan->offset, size)) {
        return false;
    }
    struct stat status;
    if (fstat(scan->fd, &status) != 0) {
        return false;
    }
    char *data = rwd_scan__at(scan, scan->offset);
    struct candidates candidates = {.count = 0};
    explain_frame(data, size, (size_t)(scan->stop_offset - scan->offset), &candidates);
    for (size_t i = 0; i < candidates.count; i++) {
        const struct candidate *candidate = &candidates.items[i];
        if (scan->offset + candidate->at >= (uint64_t)status.st_size) {
            continue; /* cut off, not changed */
        }
        data[candidate->at] = (char)(data[candidate->at] ^ (char)candidate->change);
        bool holds =
            commit_holds(data, size, scan->base + scan->offset, scan->offset == 0, scan->chain);
        data[candidate->at] = (char)(data[candidate->at] ^ (char)candidate->change);
        if (holds) {
            *offset = scan->offset + candidate->at;
            *change = candidate->change;
            return true;
        }
    }
    return false;
}

/* ---- words for it ---- */

static enum rwd_status changed_byte(struct rwd_error *error, uint64_t base, uint64_t offset,
    uint8_t is, uint8_t change, const char *part)
{
    return rwd_fail(error, RWD_CORRUPT,
        "%016llx.journal: byte at file offset %llu is 0x%02x and should be 0x%02x (%s)",
        (unsigned long long)base, (unsigned long long)offset, is, is ^ change, part);
}

static enum rwd_status describe_moved(struct rwd_scan *scan, struct rwd_error *error)
{
    uint64_t here = scan->base + scan->stop_offset;
    uint64_t own = scan->seal.event_fingerprint;
    uint64_t begin = scan->base + scan->offset;
    if (scan->seal.user_fingerprint == begin && own > here) {
        return rwd_fail(error, RWD_CORRUPT,
            "%016llx.journal: %llu bytes of records are missing from the commit at file offset "
            "%llu (its seal closes %u records and stands %llu bytes too early)",
            (unsigned long long)scan->base, (unsigned long long)(own - here),
            (unsigned long long)scan->offset, scan->seal.key_id, (unsigned long long)(own - here));
    }
    return rwd_fail(error, RWD_CORRUPT,
        "%016llx.journal: the commit at file offset %llu (position %llu) is not the one that was "
        "written there: its seal is of a commit at position %llu; what stood between is missing, "
        "moved or doubled",
        (unsigned long long)scan->base, (unsigned long long)scan->offset, (unsigned long long)begin,
        (unsigned long long)scan->seal.user_fingerprint);
}

enum rwd_status rwd_damage__describe(struct rwd_scan *scan, struct rwd_error *error)
{
    uint64_t offset = 0;
    uint8_t change = 0;
    if (scan->stop == RWD_SCAN_CHAIN) {
        return rwd_fail(error, RWD_CORRUPT,
            "%016llx.journal: the chain breaks in the commit at file offset %llu (position %llu): "
            "its records hold their checksums, but are not those that were sealed here, or what "
            "went before is not",
            (unsigned long long)scan->base, (unsigned long long)scan->offset,
            (unsigned long long)scan->base + scan->offset);
    }
    if (find_changed_byte(scan, &offset, &change)) {
        return changed_byte(error, scan->base, offset, (uint8_t)*rwd_scan__at(scan, offset), change,
            "a record's; nothing else in its commit was changed");
    }
    if (scan->stop == RWD_SCAN_MOVED) {
        return describe_moved(scan, error);
    }
    return rwd_fail(error, RWD_CORRUPT,
        "%016llx.journal: the record at file offset %llu (position %llu), in the commit at %llu, "
        "%s; more than one byte was changed",
        (unsigned long long)scan->base, (unsigned long long)scan->stop_offset,
        (unsigned long long)scan->base + scan->stop_offset, (unsigned long long)scan->offset,
        scan->stop == RWD_SCAN_ZERO ? "is missing" : "does not hold its checksum");
}

enum rwd_status rwd_damage__describe_header(const char *in, uint64_t base, struct rwd_error *error)
{
    struct crc_table table;
    struct candidates candidates = {.count = 0};
    make_table(&table);
    uint32_t difference = rwd_segment__header_crc(in) ^ rwd_segment__header_crc_stored(in);
    explain_stored(difference, RWD_SEGMENT_HEADER_SIZE - 4, &candidates);
    explain_crc(&table, difference, 0, RWD_SEGMENT_HEADER_SIZE - 4, &candidates);
    for (size_t i = 0; i < candidates.count; i++) {
        const struct candidate *candidate = &candidates.items[i];
        char mended[RWD_SEGMENT_HEADER_SIZE];
        struct rwd_segment_header header;
        memcpy(mended, in, sizeof mended);
        mended[candidate->at] = (char)(mended[candidate->at] ^ (char)candidate->change);
        if (rwd_segment__get_header(mended, &header) == RWD_HEADER_VALID && header.base == base) {
            return changed_byte(error, base, candidate->at, (uint8_t)in[candidate->at],
                candidate->change, "the segment's header");
        }
    }
    return rwd_fail(error, RWD_CORRUPT, "%016llx.journal: the segment's header does not hold",
        (unsigned long long)base);
}

/* ---- torn or damaged ---- */

struct seals {
    uint64_t own;   /* the seal of the commit at scan->offset; 0: not there */
    uint64_t later; /* the first seal of a later commit; 0: none */
};

static void look_for_seals(const struct rwd_scan *scan, const char *block, size_t size,
    uint64_t offset, struct seals *seals)
{
    struct rwd_record record;
    for (size_t i = 0; i + RWD_SEAL_SIZE <= size && seals->later == 0; i += 8) {
        const char *at = block + i;
        if (at[8] != RWD_RECORD_SEAL || !rwd_frame__get_header(at, &record) ||
            record.size_on_disk != RWD_SEAL_SIZE ||
            record.event_fingerprint != scan->base + offset + i ||
            rwd_frame__crc(at, RWD_SEAL_SIZE) != record.crc) {
            continue;
        }
        if (record.user_fingerprint == scan->base + scan->offset) {
            seals->own = offset + i;
        } else if (record.user_fingerprint > scan->base + scan->offset) {
            seals->later = offset + i;
        }
    }
}

static bool find_seals(const struct rwd_scan *scan, struct seals *seals)
{
    char *block = rwd_new(SEARCH_SIZE);
    uint64_t offset = scan->offset;
    bool good = true;
    (void)posix_fadvise(scan->fd, 0, 0, POSIX_FADV_RANDOM);
    while (good && seals->later == 0 && offset < scan->size) {
        /* No seal reaches into what was never written: its hash would be zeros there. */
        uint64_t to = 0;
        good = rwd_segment__next_data(scan->fd, offset, scan->size, &offset, &to);
        if (!good || offset >= scan->size) {
            break;
        }
        offset &= ~(uint64_t)7;
        size_t size = to - offset < SEARCH_SIZE ? (size_t)(to - offset) : SEARCH_SIZE;
        good = rwd_segment__read(scan->fd, offset, block, size);
        if (good) {
            look_for_seals(scan, block, size, offset, seals);
        }
        offset += offset + size == to ? size : size - RWD_SEAL_SIZE;
    }
    (void)posix_fadvise(scan->fd, 0, 0, POSIX_FADV_NORMAL);
    rwd_free(block);
    return good;
}

/* Whether a sector of the commit, or the commit's part of it, is all zeros. */
static bool lost_a_sector(const struct rwd_scan *scan, uint64_t end, bool *lost)
{
    static const char zeros[RWD_SECTOR_SIZE];
    uint64_t at = scan->offset;
    *lost = false;
    while (at < end && !*lost) {
        char sector[RWD_SECTOR_SIZE];
        uint64_t next = (at | (RWD_SECTOR_SIZE - 1)) + 1;
        size_t size = (size_t)((next < end ? next : end) - at);
        if (!rwd_segment__read(scan->fd, at, sector, size)) {
            return false;
        }
        *lost = memcmp(sector, zeros, size) == 0;
        at += size;
    }
    return true;
}

enum rwd_status rwd_damage__judge(struct rwd_scan *scan, bool later_known, bool thorough,
    enum rwd_tail *tail, struct rwd_error *error)
{
    uint64_t nonzero = 0;
    bool read = rwd_segment__next_nonzero(scan->fd, scan->offset, scan->size, &nonzero);
    if (read && !later_known && nonzero == scan->size) {
        *tail = RWD_TAIL_CLEAN;
        return RWD_OK;
    }
    struct seals seals = {.own = 0};
    bool lost = false;
    bool damaged = later_known || scan->stop == RWD_SCAN_CHAIN || scan->stop == RWD_SCAN_MOVED;
    if (read && !damaged) {
        read = find_seals(scan, &seals);
        damaged = seals.later != 0;
    }
    if (read && !damaged && seals.own != 0) {
        read = lost_a_sector(scan, seals.own + RWD_SEAL_SIZE, &lost);
        damaged = !lost;
    }
    if (!read) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%016llx.journal: %s",
            (unsigned long long)scan->base, strerror(errno));
    }
    uint64_t offset = 0;
    uint8_t change = 0;
    if (!damaged && thorough) {
        damaged = find_changed_byte(scan, &offset, &change);
    }
    *tail = damaged ? RWD_TAIL_DAMAGED : RWD_TAIL_TORN;
    if (damaged) {
        (void)rwd_damage__describe(scan, error);
    }
    return RWD_OK;
}
