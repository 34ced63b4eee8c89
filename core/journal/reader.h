/*
 * reader: what the index needs of a reader beyond journal.h.
 */
#ifndef RWD_JOURNAL_READER_H
#define RWD_JOURNAL_READER_H

#include "journal/scan.h"

/* Base position of the segment that the last record came from, or in which the next is awaited. */
uint64_t rwd_journal__reader_segment(const struct rwd_journal_reader *reader);

#endif
