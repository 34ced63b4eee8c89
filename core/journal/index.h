/*
 * index: where in the journal an event or a player's history stands.
 *
 * The active segment's entries are kept in memory (24 bytes a record, searched from the end); a
 * finished segment gets a sidecar <base>.index with its entries sorted twice, by event and by user
 * fingerprint (16 bytes each), looked up by binary search on the mapped file. A lost or damaged
 * sidecar is made anew from its segment; nothing is lost with it.
 *
 * Threads: a struct rwd_journal_index belongs to one thread (the query thread), which feeds it the
 *          records it follows with its own reader.
 */
#ifndef RWD_JOURNAL_INDEX_H
#define RWD_JOURNAL_INDEX_H

#include "journal/journal.h"

struct rwd_journal_index;

/* Opens the sidecars that are there and makes those that are missing for finished segments. */
RWD_MUST_USE enum rwd_status rwd_journal_index_open(
    const char *dir, struct rwd_journal_index **index, struct rwd_error *error);
void rwd_journal_index_close(struct rwd_journal_index *index);
/* Follows the journal to its present end: takes new records in, writes the sidecar of each segment
 * that was finished meanwhile. Call it before a look-up; it costs what is new. */
RWD_MUST_USE enum rwd_status rwd_journal_index_follow(
    struct rwd_journal_index *index, struct rwd_error *error);

/* Positions of records with that event fingerprint, newest first, at most count_max; how many there
 * are is returned in *count. */
void rwd_journal_index_by_event(struct rwd_journal_index *index, uint64_t event_fingerprint,
    uint64_t *positions, size_t count_max, size_t *count);
/* Positions of records of that user before position `before` (UINT64_MAX: from the end), newest
 * first. */
void rwd_journal_index_by_user(struct rwd_journal_index *index, uint64_t user_fingerprint,
    uint64_t before, uint64_t *positions, size_t count_max, size_t *count);

#endif
