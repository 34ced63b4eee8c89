/*
 * formula: functions that rules share, each version in a file of its own,
 * formulas/<id>/<version>.lua: where rules find them, and their tests.
 *
 * A formula is a function of its arguments and nothing else: its environment has no rewards, no DSL
 * and no chance in it, it uses no other formula, and what it can reach is frozen as a rule's is. A
 * rule names it with its exact version when its file is loaded; it then runs in the rule's VM,
 * under the rule's budget. dsl_formula.c has the author's view.
 *
 * Threads: pure; needs the sandbox's stack.
 */
#ifndef RWD_SCRIPT_FORMULA_H
#define RWD_SCRIPT_FORMULA_H

#include "script/sandbox.h"

enum { RWD_FORMULA_ID_SIZE_MAX = RWD_RULE_ID_SIZE_MAX - sizeof(RWD_FORMULA_ID_PREFIX) + 1 };

/* Finds the file of a formula while a rule that names it is loaded. */
struct rwd_formula_shelf {
    /* id: "win_multiple". *source: borrowed until the next question. Any failure: the rule does not
     * load, with the words of error. */
    enum rwd_status (*find)(void *context, struct rwd_text id, struct rwd_text version,
        struct rwd_text *source, struct rwd_error *error);
    void *context;
};

/* The formulas that the rule was loaded with, as they were then. */
struct rwd_formula_shelf rwd_formula_shelf_of(const struct rwd_rule *rule);
/* The answer of a shelf that has no such version. versions: those it has of the id, "1.0.0, 1.1.0";
 * empty: none. Returns NOT_FOUND. */
enum rwd_status rwd_formula_unknown(
    struct rwd_text id, struct rwd_text version, struct rwd_text versions, struct rwd_error *error);

/* Is told of each case, in order. what: "file:line: name: what", where it failed. */
typedef void rwd_formula_case_told(void *context, const char *name, bool passed, const char *what);

/* Runs a formula's tests, each case in a VM of its own:
 *     return tests { { name = "four times", args = { 4, 1 }, expect = 4 },
 *                    { name = "no stake", args = { 4, 0 }, error = "stake" } }
 * and then again, as decide/order_check.h does with rules. test: data NULL, there are none; then
 * only the latter, with sample numbers. SCRIPT: the tests do not load, or it answers differently in
 * different runs; that a case failed is no error here. */
RWD_MUST_USE enum rwd_status rwd_formula_test(const struct rwd_rule *formula, struct rwd_text test,
    const char *test_name, const struct rwd_sandbox_limits *limits, rwd_formula_case_told *told,
    void *context, struct rwd_error *error);

#endif
