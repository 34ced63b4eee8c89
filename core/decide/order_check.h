/*
 * order_check: does a rule answer the same when its tables lie differently in memory?
 *
 * LuaJIT draws a new seed for its string hashes with every VM, so where a table's keys lie differs
 * from shard to shard and from restart to restart. pairs hides that, being sorted; what it cannot
 * hide is # of a list with holes, which is any place where a hole begins, and which one depends on
 * where the keys lie. A rule with that in it would pay one player and not the next, and a replay or
 * a backtest would tell another story than the day itself.
 *
 * So a version is run RWD_ORDER_RUN_COUNT times over the events of its tests, or, where it has
 * none, over sample events of the names it is on, every time in VMs of its own; decisions, byte for
 * byte, and the instructions they took must be the same. That finds what differs often; what
 * differs in one VM of a hundred may slip through.
 *
 * Threads: pure; needs the sandbox's stack.
 */
#ifndef RWD_DECIDE_ORDER_CHECK_H
#define RWD_DECIDE_ORDER_CHECK_H

#include "decide/rule_test.h"

enum { RWD_ORDER_RUN_COUNT = 4 };

/* tests: NULL, there are none. SCRIPT: the rule answers differently, or does not load any more. */
RWD_MUST_USE enum rwd_status rwd_order_check(
    const struct rwd_rule *rule, const struct rwd_rule_tests *tests, struct rwd_error *error);

#endif
