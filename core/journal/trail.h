/*
 * trail: takes what the journal has written out of the page cache, well behind the writer.
 *
 * Why: nobody reads the journal but for its last megabytes, and the system would keep all of it in
 * memory. That pushes out the store's pages, and every new page costs more than one used over: with
 * five million events in, commits took three times the CPU they took in the beginning, and a fourth
 * of the throughput was gone.
 *
 * Threads: follow from any one; not the writer's, for it takes a while.
 * Errors:  none; what cannot be let go of stays until the system wants the memory.
 */
#ifndef RWD_JOURNAL_TRAIL_H
#define RWD_JOURNAL_TRAIL_H

#include <stdbool.h>
#include <stdint.h>

struct rwd_journal_trail;

/* dir is borrowed. Begins at a position inside of an existing segment. */
struct rwd_journal_trail *rwd_journal__trail_create(
    const char *dir, uint64_t segment_base, uint64_t offset);
void rwd_journal__trail_destroy(struct rwd_journal_trail *trail);
/* All before durable is synced. False: there is nothing to let go of yet. */
bool rwd_journal__trail_follow(struct rwd_journal_trail *trail, uint64_t durable);

#endif
