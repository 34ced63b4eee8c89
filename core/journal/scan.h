/*
 * scan: walks one segment commit by commit; and judges what stands behind the last good one.
 *
 * A commit is taken only when every record of it holds its CRC, its seal says what was found, and,
 * where asked, the chain holds. Bytes are read ahead in chunks that grow while there is data, so a
 * poll at a live end costs one small read.
 *
 * What is not a commit is torn or damaged, and the difference matters: torn bytes were promised to
 * nobody and are cut, damaged ones were promised. A write that a crash cut short loses whole
 * sectors, which read as zeros, since everything behind the end is kept zero. So it is damage
 *   - when a later commit is there: it was begun only after this one was synced;
 *   - when the commit's own seal is there and no sector of it is zeros;
 *   - when changing back one byte makes the whole commit hold, chain and all (which is a proof).
 * All else is a torn tail. So two or more changed bytes in the very last commit, its seal among
 * them, pass for one: only what the outside remembers of the journal's end can tell.
 *
 * Threads: none of its own; a scan belongs to whoever holds it.
 */
#ifndef RWD_JOURNAL_SCAN_H
#define RWD_JOURNAL_SCAN_H

#include "journal/segment.h"

enum {
    RWD_COMMIT_SIZE_MAX = 32 << 20, /* header, records and seal */
};

enum rwd_scan_stop {
    RWD_SCAN_ZERO,    /* nothing was written here */
    RWD_SCAN_BAD,     /* a record that does not hold */
    RWD_SCAN_MOVED,   /* a good seal which contradicts where it stands or what it closes */
    RWD_SCAN_CHAIN,   /* all records hold, the chain does not */
    RWD_SCAN_ENDLESS, /* no seal up to the segment's end or the largest commit's size */
};

struct rwd_scan {
    int fd; /* borrowed */
    uint64_t base;
    uint64_t size;
    uint64_t offset; /* in the file, where the next commit begins */
    bool midway;     /* offset may be inside a commit; for the first one only */
    bool check_chain;
    uint8_t chain[RWD_JOURNAL_CHAIN_SIZE]; /* before the next commit */
    enum rwd_scan_stop stop;
    uint64_t stop_offset;
    struct rwd_record seal; /* where stop is MOVED */

    char *data;
    size_t capacity;
    size_t data_size;
    uint64_t data_offset;
    size_t chunk;
};

struct rwd_commit {
    uint64_t begin; /* offsets in the file */
    uint64_t records;
    uint64_t seal;
    uint64_t end;
    uint64_t count;
    uint64_t sequence; /* the largest up to here */
};

void rwd_scan__init(struct rwd_scan *scan);
void rwd_scan__finish(struct rwd_scan *scan);
/* Goes to another segment or place; keeps the memory. */
void rwd_scan__start(struct rwd_scan *scan, int fd, uint64_t base, uint64_t size, uint64_t offset);
/* Forgets what was read, so that it is read anew. */
void rwd_scan__forget(struct rwd_scan *scan);
/* OK: a commit; its bytes stay in memory until the next call. NOT_FOUND: none, scan->stop says why.
 * UNAVAILABLE: reading failed. */
RWD_MUST_USE enum rwd_status rwd_scan__next(
    struct rwd_scan *scan, struct rwd_commit *commit, struct rwd_error *error);
/* Has [offset, offset + size) in memory; scan->offset must not be behind offset. */
RWD_MUST_USE bool rwd_scan__load(struct rwd_scan *scan, uint64_t offset, size_t size);
static inline char *rwd_scan__at(struct rwd_scan *scan, uint64_t offset)
{
    return scan->data + (offset - scan->data_offset);
}

/* ---- damage.c ---- */

enum rwd_tail {
    RWD_TAIL_CLEAN, /* zeros to the end */
    RWD_TAIL_TORN,
    RWD_TAIL_DAMAGED,
};

/* After rwd_scan__next answered NOT_FOUND. later_known: a later segment proves that more commits
 * were made here. thorough: look for a single changed byte, too (up to 0.1 s). DAMAGED: error says
 * what and where. */
RWD_MUST_USE enum rwd_status rwd_damage__judge(struct rwd_scan *scan, bool later_known,
    bool thorough, enum rwd_tail *tail, struct rwd_error *error);
/* Fails with CORRUPT: the first changed byte where there is one such, else the record. */
enum rwd_status rwd_damage__describe(struct rwd_scan *scan, struct rwd_error *error);
/* The same for a segment's header that does not hold. */
enum rwd_status rwd_damage__describe_header(const char *in, uint64_t base, struct rwd_error *error);

#endif
