/*
 * journal: the truth. One append-only file of records, checksummed, hash-chained, synced.
 *
 * Everything rewardd must not forget is a record here before anyone is told "accepted"; all tables
 * are projections of it. The journal knows frames, not meanings: what a record's body says is its
 * writer's.
 *
 * On disk: <dir>/<base position, 16 hex digits>.journal, each a segment of fixed, preallocated
 * size: header  96 bytes: magic, version, size, base position, where the segment before ended,
 * largest sequence before, created, the chain's hash before the first record, CRC-32C record  48
 * bytes of header (struct rwd_record), body, padding to 8 bytes; CRC-32C over all of it seal    a
 * record of type RWD_RECORD_SEAL; its body is the chain's hash: SHA-256 over the hash before and
 * every byte since the last seal zeros   not written yet, or unused: the next segment's header says
 * where this one ends A commit is a run of records closed by one seal, in one segment, at most 32
 * MiB, made durable by one fdatasync. What follows the last good seal was never promised to anyone;
 * how a torn tail is told from damage is in scan.h. A position is a byte offset over all segments:
 * base position + offset in the file. Positions order records as written; sequences (given by the
 * engine) order what happened to one player. Byte by byte it is described in segment.h.
 *
 * Threads:   a writer belongs to the journal thread, but for rwd_journal_tend. Readers are
 * independent and may follow a live journal from any thread or process: they see whole commits
 * only. Errors:    a failed write or sync is final: the writer refuses everything from then on and
 * the process must stop (never retry an fsync). A full disk is met when a segment is prepared,
 * before anything is decided: UNAVAILABLE from rwd_journal_prepare, and it may be called again.
 */
#ifndef RWD_JOURNAL_JOURNAL_H
#define RWD_JOURNAL_JOURNAL_H

#include "base/digest.h"

enum rwd_record_type {
    RWD_RECORD_SEAL = 1,
    RWD_RECORD_EVENT = 2, /* an accepted event and its decision */
    RWD_RECORD_TASK = 3,  /* a command on a reward task: claim, result, approve, reject, tick */
    RWD_RECORD_DEAD_LETTER = 4, /* a refused event with its raw body */
    RWD_RECORD_DEAD_LETTER_CHANGE = 5,
    RWD_RECORD_BUDGET = 6,
    RWD_RECORD_RULE = 7,     /* a rule version was registered */
    RWD_RECORD_RULEBOOK = 8, /* the set of versions in force from here on */
    RWD_RECORD_RELEASE = 9,  /* what rules in event time made of an event that waited for them */
};

enum {
    RWD_RECORD_BODY_SIZE_MAX = 1 << 20,
    RWD_JOURNAL_CHAIN_SIZE = RWD_SHA256_SIZE,
};

/* Sealed bodies (encrypted per user, so that erasure is the loss of a key) come later; their place
 * in the format is kept: flag and key id are there from the first version on. */
enum { RWD_RECORD_FLAG_ENCRYPTED = 1 };

struct rwd_record {
    uint8_t type;
    uint8_t flags;
    uint32_t key_id;
    uint64_t sequence;
    int64_t time_ms;
    uint64_t user_fingerprint;  /* 0: no user */
    uint64_t event_fingerprint; /* 0: no event */
    struct rwd_text body;
    uint64_t position; /* filled in by append and by readers */
    uint32_t crc;      /* as stored; by readers */
    uint32_t size_on_disk;
};

struct rwd_journal_options {
    const char *dir;
    uint64_t segment_size; /* of new segments; default 256 MiB, at least 1 MiB */
};

struct rwd_journal_writer;

/* Opens or makes the journal, finds the end behind the last good seal and syncs what is before it,
 * cuts a torn tail (zeroes it, and says so in the log) and locks the folder against a second writer
 * (CONFLICT). CORRUPT: damage before the last seal; error names file, position and what to do.
 * UNAVAILABLE: folder or disk. INVALID: segment_size, or segments of another format version. The
 * folder's parent must exist. */
RWD_MUST_USE enum rwd_status rwd_journal_open(const struct rwd_journal_options *options,
    struct rwd_journal_writer **writer, struct rwd_error *error);
/* Without a commit. */
void rwd_journal_close(struct rwd_journal_writer *writer);

/* Makes sure that the segment after the current one exists, preallocated. Call it before deciding;
 * while it answers OK, a whole segment's worth of appends cannot meet a full disk. UNAVAILABLE:
 * disk full. */
RWD_MUST_USE enum rwd_status rwd_journal_prepare(
    struct rwd_journal_writer *writer, struct rwd_error *error);

/* A piece of what is done beside the commits: zeros ahead of them (filler.h). False: there is
 * nothing to do now. From one thread, any, besides the writer's own. */
bool rwd_journal_tend(struct rwd_journal_writer *writer);

/* Appends to memory; body is given in parts, copied at once. Sets record->position. Never blocks on
 * the disk. LIMIT: body over RWD_RECORD_BODY_SIZE_MAX, or over what a segment holds. BUSY: the
 * commit is full (32 MiB, or what is left of the segment, which no commit may cross): commit, then
 * append again. UNAVAILABLE: the segment is full and the next is not prepared, or the writer is
 * poisoned. Where it does not answer OK, nothing has changed. */
RWD_MUST_USE enum rwd_status rwd_journal_append(struct rwd_journal_writer *writer,
    struct rwd_record *record, const struct rwd_text *parts, size_t part_count);

/* Seals what was appended, writes it and syncs; nothing appended: does nothing. OK: durable.
 * Anything else: stop the process. */
RWD_MUST_USE enum rwd_status rwd_journal_commit(
    struct rwd_journal_writer *writer, struct rwd_error *error);

/* Behind the last appended record. */
uint64_t rwd_journal_end(const struct rwd_journal_writer *writer);
/* Behind the last durable seal, so never less than the end before its commit. From any thread. */
uint64_t rwd_journal_durable(const struct rwd_journal_writer *writer);
/* The largest sequence in the journal, as found at open; 0 in an empty one. */
uint64_t rwd_journal_sequence_last(const struct rwd_journal_writer *writer);

/* ---- reading ---- */

struct rwd_journal_reader;

/* Starts at the first record at or behind position (0: the beginning of what is kept). NOT_FOUND:
 * there is no journal in dir. */
RWD_MUST_USE enum rwd_status rwd_journal_reader_open(const char *dir, uint64_t position,
    struct rwd_journal_reader **reader, struct rwd_error *error);
void rwd_journal_reader_close(struct rwd_journal_reader *reader);
/* The next record of a sealed commit; seals are passed over. record->body is borrowed until the
 * next call. NOT_FOUND: the end, for now; call again later. CORRUPT: error names file and position.
 * Checks every CRC, not the chain. A commit may be seen a moment before its sync is done: who must
 * not run ahead of the disk compares with rwd_journal_durable. */
RWD_MUST_USE enum rwd_status rwd_journal_reader_next(
    struct rwd_journal_reader *reader, struct rwd_record *record, struct rwd_error *error);
/* The record that begins exactly at position (as an index gave it), with its CRC checked, sealed or
 * not. Does not move the reader; body is borrowed until the next call of this function. NOT_FOUND:
 * nothing was written there, or it is no longer kept. */
RWD_MUST_USE enum rwd_status rwd_journal_reader_at(struct rwd_journal_reader *reader,
    uint64_t position, struct rwd_record *record, struct rwd_error *error);

/* ---- verifying ---- */

struct rwd_journal_verdict {
    uint64_t records;
    uint64_t commits;
    uint64_t segments;
    uint64_t bytes;
    uint8_t chain[RWD_JOURNAL_CHAIN_SIZE]; /* at the end */
    uint64_t torn_bytes; /* unsealed bytes behind the last commit, in whole sectors; no damage */
    uint64_t position_first; /* where what is kept begins: not 0 when old segments were removed */
};

/* Reads everything, every CRC and every link of the chain, across segments. CORRUPT: error names
 * the file, the first changed byte where one byte was changed (found through the CRC), else the
 * record or commit that does not hold, or the segment that is missing. Whole commits removed from
 * the journal's very end leave a good chain: to see that, keep position and chain elsewhere. */
RWD_MUST_USE enum rwd_status rwd_journal_verify(
    const char *dir, struct rwd_journal_verdict *verdict, struct rwd_error *error);

#endif
