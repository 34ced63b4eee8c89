/*
 * backtest: what a rule would have given, and cost, on events that have already happened.
 *
 * The same C core as live: decide and apply, with caps, milestones, gates and budgets on. What is
 * not live: the pools hold play money, whole at the beginning; the clock is the events' own (a
 * journal's record time, else the event's time), and nobody is paid or told. A budget has the caps
 * that the journal gives it, from where it gives them on; engine.conf's are for those that the
 * journal does not have, and for lines, which bring none.
 *
 * What is in force: the version that is asked for, and beside it the newest version in the folder
 * of every other rule, since rules share budgets and points; alone leaves those out. With
 * `against` every event is decided twice, by two books that differ in the one version.
 *
 * Before since, events tell only who the players are (KYC, exclusions, geo); rules begin there.
 * What became of reward tasks is taken from the journal: a claim, a result, an approval, a
 * rejection or a hold that time ended is carried out on the task of the same cause, where there is
 * one and its status allows it. Tasks the journal knows nothing of stay as they were decided; their
 * money stays reserved, so a cost is never told too small.
 *
 * Rules in event time wait here as they do live. What waited when it happened is decided where the
 * journal says it was; other events, of a rule that was not there yet or of a file, when the clock
 * of history passes; and what still waits at the end, at the end.
 *
 * Threads and determinism: players are split over threads by the fingerprint of their id, so each
 * player's events stay in order. Whatever touches a pool waits until every event before it, of any
 * player, is done: money is asked for in the order of the journal, and the result does not depend
 * on how many threads there are, or which was faster. (A daemon of several shards has no such
 * order: only where a cap is met can it differ from this, by who came first or, where a cap was
 * raised in mid-traffic, by who was under way.)
 * What makes a task is rare, so threads seldom wait. For the same reason the CPU deadline of a call
 * is far off here and the breaker that suspends a failing rule is off: errors are counted and told.
 *
 * Ownership: the result is the caller's, freed with rwd_backtest_result_free.
 */
#ifndef RWD_BACKTEST_BACKTEST_H
#define RWD_BACKTEST_BACKTEST_H

#include "backtest/result.h"
#include "domain/config.h"

enum { RWD_BACKTEST_THREAD_COUNT_MAX = 64 };

struct rwd_backtest_progress {
    uint64_t events;
    uint64_t bytes;
    uint64_t bytes_total; /* 0: not known */
};

struct rwd_backtest_options {
    const struct rwd_config *config; /* gates, prices, budgets, limits of sandbox and ingest */
    const char *journal_dir;         /* one of the two */
    const char *ndjson_path;
    const char *rules_dir;
    const char *schemas_dir; /* NDJSON lines are checked against it; NULL: they are not */
    const char *rule_id;
    const char *version;
    const char *against; /* the other version; NULL: against nothing */
    bool alone;
    int64_t since_ms; /* half open, event time */
    int64_t until_ms;
    uint32_t thread_count; /* 1..RWD_BACKTEST_THREAD_COUNT_MAX */
    /* Told now and then, from the calling thread; NULL: nobody asks. */
    void (*progress)(void *context, const struct rwd_backtest_progress *progress);
    void *context;
};

/* From one thread, which reads while others decide. NOT_FOUND: no such version (error lists those
 * there are), no journal, no file, or no event in the range (error says what range there is).
 * UNAVAILABLE: a file cannot be read. INVALID: a line that is no event (file:line), or budgets that
 * contradict themselves or the journal's (currency, period). SCRIPT: a rule does not load. CORRUPT:
 * the journal is damaged. LIMIT: more players than RWD_BACKTEST_PLAYER_COUNT_MAX. */
RWD_MUST_USE enum rwd_status rwd_backtest_run(const struct rwd_backtest_options *options,
    struct rwd_backtest_result **result, struct rwd_error *error);

#endif
