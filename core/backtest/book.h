/*
 * book: the rules of one side of a backtest, loaded from a folder.
 *
 * The version that is asked for, and the newest version of each other rule. Rules get numbers here
 * by id, in the order of their names, so that both sides of a comparison agree on them.
 *
 * Threads:   load from a thread with RWD_SANDBOX_STACK_SIZE; what is loaded never changes.
 * Ownership: load/release.
 */
#ifndef RWD_BACKTEST_BOOK_H
#define RWD_BACKTEST_BOOK_H

#include "script/ruleset.h"

struct rwd_backtest_book {
    struct rwd_rulebook *rulebook;
    const struct rwd_rule *rule; /* the one that was asked for; borrowed from the book */
};

/* NOT_FOUND: no such rule or version; error names those there are. SCRIPT, UNAVAILABLE: a file of
 * the book does not load; error has its name and line. */
RWD_MUST_USE enum rwd_status rwd_backtest_book_load(const char *rules_dir, const char *rule_id,
    const char *version, bool alone, const struct rwd_sandbox_limits *limits,
    struct rwd_backtest_book *book, struct rwd_error *error);
void rwd_backtest_book_release(struct rwd_backtest_book *book);

#endif
