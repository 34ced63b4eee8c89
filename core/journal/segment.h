/*
 * segment: the journal's bytes, for the room's own files: segment headers, frames, seals, names.
 *
 * Segment header, 96 bytes, little-endian as all else: magic 8, version u32, flags u32, segment
 * size u64, base position u64, end of the segment before u64 (a position), largest sequence before
 * u64, created i64, chain 32, reserved u32, CRC-32C u32 over the 92 bytes before it. A segment is
 * made ("prepared") with a header of zeros; the first commit in it writes the header along with its
 * records, in one write, and the chain covers both. So a segment that holds anything has a header.
 *
 * Record: CRC-32C u32 over all that follows up to the next record, size u32 (header and body,
 * without padding), type u8, flags u8, reserved u16, key id u32, sequence u64, time i64, user u64,
 * event u64, body, zeros up to a multiple of 8. A size of 0 is where nothing was written yet.
 *
 * Seal: a record with the chain's new hash as its body. Its other fields hold what belongs to the
 * commit: key id: how many records, sequence: the largest so far, time: the last record's, user:
 * the position where the commit begins, event: the seal's own position. So a seal that was moved,
 * or stands behind the wrong records, contradicts itself. The hash is SHA-256 over the hash before
 * and every byte since the last seal up to the end of this seal's header, its CRC taken as zeros.
 */
#ifndef RWD_JOURNAL_SEGMENT_H
#define RWD_JOURNAL_SEGMENT_H

#include "journal/journal.h"

enum {
    RWD_SEGMENT_VERSION = 1,
    RWD_SEGMENT_HEADER_SIZE = 96,
    RWD_SEGMENT_NAME_SIZE = 32,
    RWD_SEGMENT_SIZE_MIN = 1 << 20,
    RWD_RECORD_HEADER_SIZE = 48,
    RWD_SEAL_SIZE = RWD_RECORD_HEADER_SIZE + RWD_JOURNAL_CHAIN_SIZE,
    RWD_SECTOR_SIZE = 512,
    RWD_BLOCK_SIZE = 4096, /* direct writes begin and end at multiples, in file and memory */
};

struct rwd_segment_header {
    uint64_t size;
    uint64_t base;
    uint64_t previous_end;
    uint64_t sequence_before;
    int64_t created_ms;
    uint8_t chain[RWD_JOURNAL_CHAIN_SIZE];
};

enum rwd_header_state {
    RWD_HEADER_VALID,
    RWD_HEADER_ZERO, /* prepared, nothing in it yet */
    RWD_HEADER_BAD,
    RWD_HEADER_VERSION, /* well formed, of a version that we do not know */
};

void rwd_segment__put_header(const struct rwd_segment_header *header, char *out);
enum rwd_header_state rwd_segment__get_header(const char *in, struct rwd_segment_header *header);
uint32_t rwd_segment__header_crc(const char *in);
uint32_t rwd_segment__header_crc_stored(const char *in);

/* "00000000001000f0.journal" */
void rwd_segment__name(uint64_t base, const char *suffix, char out[RWD_SEGMENT_NAME_SIZE]);

struct rwd_segment_file {
    uint64_t base; /* by its name */
    uint64_t size; /* by its header; of a file without a good one, its length */
    enum rwd_header_state state;
    struct rwd_segment_header header;
};

struct rwd_segment_list {
    struct rwd_segment_file *files; /* by base */
    size_t count;
    size_t capacity;
};

/* The segments in the folder with their headers; removes left-over temporary files where asked. */
RWD_MUST_USE enum rwd_status rwd_segment__list(
    const char *dir, bool remove_temporary, struct rwd_segment_list *list, struct rwd_error *error);
void rwd_segment__list_finish(struct rwd_segment_list *list);
/* -1: errno says why. */
int rwd_segment__open(const char *dir, uint64_t base, int flags);
/* The bytes at offset; what lies behind the file's end reads as zeros. False: errno. */
RWD_MUST_USE bool rwd_segment__read(int fd, uint64_t offset, char *out, size_t size);
RWD_MUST_USE bool rwd_segment__write(int fd, uint64_t offset, const char *data, size_t size);
/* From here on what is written goes past the page cache, while the file system can: a commit costs
 * two thirds of the CPU, zeros ahead of it a fortieth (measured on ext4), and a journal that nobody
 * reads pushes nothing out of memory. Whole aligned blocks may be written either way. */
void rwd_segment__go_direct(int fd);
/* Makes a segment of zeros, preallocated and durable under its name, or nothing. */
RWD_MUST_USE enum rwd_status rwd_segment__create(
    const char *dir, uint64_t base, uint64_t size, int *fd, struct rwd_error *error);
RWD_MUST_USE bool rwd_segment__sync_folder(const char *dir);
/* The next stretch [*from, *to) in [offset, end) that was written; *from is end if there is none.
 * Passes over holes and unwritten extents without reading them. False: errno. */
RWD_MUST_USE bool rwd_segment__next_data(
    int fd, uint64_t offset, uint64_t end, uint64_t *from, uint64_t *to);
/* The first byte that is not zero in [offset, end), or end. False: errno. */
RWD_MUST_USE bool rwd_segment__next_nonzero(int fd, uint64_t offset, uint64_t end, uint64_t *found);

/* ---- frames ---- */

enum rwd_frame {
    RWD_FRAME_WHOLE,
    RWD_FRAME_ZERO,
    RWD_FRAME_BAD,
    RWD_FRAME_SHORT, /* record->size_on_disk bytes are needed to tell */
};

static inline size_t rwd_frame_padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* Writes header and padding around a body that is in its place behind it. */
void rwd_frame__put(char *at, const struct rwd_record *record, size_t body_size);
/* Reads the frame at `at` and checks its CRC. record->body is borrowed from there. */
enum rwd_frame rwd_frame__get(const char *at, size_t available, struct rwd_record *record);
/* Header only; false where the size cannot be one. */
bool rwd_frame__get_header(const char *at, struct rwd_record *record);
uint32_t rwd_frame__crc(const char *at, size_t padded);
/* SHA-256 over chain, the commit's `size` bytes and the seal's header. */
void rwd_frame__chain(const uint8_t before[RWD_JOURNAL_CHAIN_SIZE], const char *commit, size_t size,
    uint8_t out[RWD_JOURNAL_CHAIN_SIZE]);

#endif
