/*
 * filler: zeros written ahead of the journal's writer.
 *
 * Why: a preallocated extent becomes a written one at its first sync, which costs a small commit
 * twice its time (bench_journal). So zeros go ahead of the commits, the whole of the segment in use
 * and then the whole of the next. They are written past the page cache (a fortieth of the CPU) and
 * synced a piece at a time by a thread of their own: a commit that carried a megabyte of them made
 * one ack in a hundred wait for milliseconds. Where commits are large, or nothing has been written
 * yet, nothing is filled: it would be for nothing.
 *
 * Safety: the writer claims every byte before it writes it. The filler keeps well behind what is
 * claimed, and a claim that meets a piece in the making waits for it.
 *
 * Threads: claim and offer from the writer's, fill from one other.
 * Errors:  none that matter: the filler has a descriptor of its own, so that a failed sync is told
 *          to the writer's own as well, which then stops the process. fill says false.
 */
#ifndef RWD_JOURNAL_FILLER_H
#define RWD_JOURNAL_FILLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rwd_journal_filler;

/* dir is borrowed. */
struct rwd_journal_filler *rwd_journal__filler_create(const char *dir);
void rwd_journal__filler_destroy(struct rwd_journal_filler *filler);
/* The commit of this size, of the segment at base, is about to be written at offset. */
void rwd_journal__filler_claim(struct rwd_journal_filler *filler, uint64_t base, uint64_t size,
    uint64_t offset, size_t commit);
/* The segment after the one in use is there. */
void rwd_journal__filler_offer(struct rwd_journal_filler *filler, uint64_t base, uint64_t size);
/* Writes one piece and syncs it; false: nothing is to be filled now. */
bool rwd_journal__filler_fill(struct rwd_journal_filler *filler);

#endif
