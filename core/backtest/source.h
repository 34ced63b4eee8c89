/*
 * source: where a backtest's events come from: a journal, or a file of NDJSON.
 *
 * A journal's events were checked when they were taken in, and its records name the user's
 * fingerprint: they are passed on unread. Of its commands those on reward tasks and budgets are
 * inputs too. A line of NDJSON is read, and checked like one that is sent to the daemon, but for
 * the wall clock.
 *
 * Threads:   one, the reader's.
 * Ownership: open/close. What fill adds to a block hangs in the block.
 */
#ifndef RWD_BACKTEST_SOURCE_H
#define RWD_BACKTEST_SOURCE_H

#include "backtest/block.h"
#include "domain/config.h"

struct rwd_backtest_source;

/* measure: the size of the whole is wanted, for a bar of progress; the journal's last segment is
 * then read twice. NOT_FOUND: no journal there, or no such file. UNAVAILABLE: it cannot be read.
 * CORRUPT: the journal is damaged. */
RWD_MUST_USE enum rwd_status rwd_backtest_source_open_journal(
    const char *dir, bool measure, struct rwd_backtest_source **source, struct rwd_error *error);
/* schemas_dir NULL: lines are not held against schemas. INVALID: the schemas are wrong. */
RWD_MUST_USE enum rwd_status rwd_backtest_source_open_ndjson(const char *path,
    const char *schemas_dir, const struct rwd_config *config, struct rwd_backtest_source **source,
    struct rwd_error *error);
void rwd_backtest_source_close(struct rwd_backtest_source *source);

/* There are rules in event time: ticks stand among the inputs, with this window. Before the first
 * fill. */
void rwd_backtest_source_keep_time(struct rwd_backtest_source *source, int64_t window_ms);

/* Fills the block. OK: full, there may be more. NOT_FOUND: the end; the block may have some.
 * INVALID: a line is no event, error begins "file:line: ". CORRUPT, UNAVAILABLE as above. */
RWD_MUST_USE enum rwd_status rwd_backtest_source_fill(
    struct rwd_backtest_source *source, struct rwd_backtest_block *block, struct rwd_error *error);

uint64_t rwd_backtest_source_bytes(const struct rwd_backtest_source *source);
/* 0: not known. */
uint64_t rwd_backtest_source_bytes_total(const struct rwd_backtest_source *source);

#endif
