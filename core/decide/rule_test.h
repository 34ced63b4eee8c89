/*
 * rule_test: runs a rule's own tests (see sandbox.h) through the real decide and apply.
 *
 * Each case starts with a new player and plenty of play money; prices are one minor unit. Left out
 * of an event: event_id, version, ts (a minute after the one before, from noon of the rule's first
 * active day), user. player takes kyc_level, geo (left out: one the rule
 * lets through), platform, payer, self_excluded, arm (of the rule's experiment; left out: in
 * none). expect takes
 * points (the rule's total), rewards (tasks not denied), held, milestones (how many fired), errors
 * (0 where it is not said).
 *
 * A rule in event time is given a case's events in the order of their times: what has not been
 * decided when the last one is in is decided then.
 *
 * With coverage it also tells which lines of the rule ran, loading it included.
 *
 * Threads: pure; needs the sandbox's stack.
 */
#ifndef RWD_DECIDE_RULE_TEST_H
#define RWD_DECIDE_RULE_TEST_H

#include "script/sandbox.h"

/* One line a failed case goes into report, with file and line; *failed counts them. SCRIPT: the
 * rule does not load any more. */
RWD_MUST_USE enum rwd_status rwd_rule_test_run(const struct rwd_rule *rule,
    const struct rwd_rule_tests *tests, struct rwd_buffer *report, size_t *failed);

/* The same, noting in coverage what runs. */
RWD_MUST_USE enum rwd_status rwd_rule_test_cover(const struct rwd_rule *rule,
    const struct rwd_rule_tests *tests, struct rwd_coverage *coverage, struct rwd_buffer *report,
    size_t *failed);

/* One event of a test as its rule sees it, what it leaves out filled in; it hangs in the arena.
 * False: it is none, and report says why. */
RWD_MUST_USE bool rwd_rule_test_event(const struct rwd_rule *rule,
    const struct rwd_rule_test_case *test, size_t index, struct rwd_arena *arena,
    struct rwd_event *event, struct rwd_buffer *report);

/* What the cases come to, for comparison with another run: every decision, as bytes, and how many
 * instructions it took, are added to trace. Nothing is expected, and only exact limits hold.
 * SCRIPT: the rule does not load any more. */
RWD_MUST_USE enum rwd_status rwd_rule_test_trace(const struct rwd_rule *rule,
    const struct rwd_rule_tests *tests, struct rwd_buffer *trace, struct rwd_error *error);

#endif
