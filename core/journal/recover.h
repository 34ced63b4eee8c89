/*
 * recover: finds the journal's end when it is opened, and makes what is behind it zeros again.
 */
#ifndef RWD_JOURNAL_RECOVER_H
#define RWD_JOURNAL_RECOVER_H

#include "journal/scan.h"

struct rwd_journal_end {
    uint64_t base; /* of the segment to go on in */
    uint64_t size;
    uint64_t offset; /* in it; 0: its header is still to be written */
    uint64_t previous_end;
    uint64_t sequence;
    uint8_t chain[RWD_JOURNAL_CHAIN_SIZE];
};

/* Removes temporary files, checks headers and how the last segments join, zeroes a torn tail, and
 * makes what is before it durable. NOT_FOUND: no segment is there. CORRUPT, UNAVAILABLE: see
 * rwd_journal_open. */
RWD_MUST_USE enum rwd_status rwd_journal__recover(
    const char *dir, struct rwd_journal_end *end, struct rwd_error *error);
/* Each segment names itself and begins where the one before ends: CORRUPT where not. */
RWD_MUST_USE enum rwd_status rwd_journal__check_order(
    const char *dir, const struct rwd_segment_list *list, struct rwd_error *error);

#endif
