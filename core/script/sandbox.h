/*
 * sandbox: one LuaJIT VM with one rule in it, and nothing else.
 *
 * A rule may be a mistake or an attack. Its VM has a memory cap of its own, every call an exact
 * instruction budget and a deadline, and its environment is built from nothing: the DSL, math,
 * bounded string and table functions written here; no stock library is ever opened, the JIT library
 * least of all (compiled loops ignore hooks). A call that goes over any limit ends in bounded time
 * with RWD_SCRIPT; the VM is then thrown away and made anew from the rule's source, so nothing a
 * failed call did is left.
 *
 * Same event, same facts, same answer, in every VM: pairs walks in sorted order (LuaJIT's own
 * follows a seed that each VM draws anew), math.random draws from the event, no address can be
 * seen. What is left is # of a list with holes, and decide/order_check.h looks for that.
 *
 * Threads:   a VM belongs to the thread that made it (a shard), which needs a big stack: see
 *            RWD_SANDBOX_STACK_SIZE.
 * Ownership: create/destroy; the rule is borrowed for the VM's life; what a call returns is copied
 * into the call's arena.
 */
#ifndef RWD_SCRIPT_SANDBOX_H
#define RWD_SCRIPT_SANDBOX_H

#include "domain/decision.h"
#include "script/coverage.h"

#include <stdatomic.h>

/* Deep C recursion in LuaJIT's own library code was measured to need this; it is virtual memory. */
#define RWD_SANDBOX_STACK_SIZE ((size_t)256 << 20)

struct rwd_sandbox_limits {
    uint32_t instruction_count_max; /* of one call; config rule_instruction_count_max */
    uint32_t memory_size_max;       /* of one VM, bytes */
    /* CPU time of one call. Past the first it is stopped, one error among others. Past the second,
     * which a call can only reach inside a piece of C that no hook interrupts, it is a hard stop:
     * even an answer that came is dropped, and the breaker opens at once. 0, or below the first:
     * there is no second. */
    uint32_t deadline_ms;
    uint32_t deadline_hard_ms;
    struct rwd_coverage *coverage; /* is told which lines run; NULL: nobody asks */
};

struct rwd_sandbox_limits rwd_sandbox_limits_default(void);

struct rwd_formula_shelf;

/* Runs the file of one rule, experiment or formula and reads what it declares, in a VM that is
 * thrown away. SCRIPT: error says "file:line: what" - a syntax error, an unknown or mistyped field,
 * a formula that is not on the shelf (formula.h), a law of the house broken (pays and names no
 * budget; cash without a KYC guard). name is for messages, e.g. "rules/a/1.0.0.lua".
 */
RWD_MUST_USE enum rwd_status rwd_rule_load_with(struct rwd_text source, const char *name,
    const struct rwd_formula_shelf *shelf, const struct rwd_sandbox_limits *limits,
    struct rwd_rule **rule, struct rwd_error *error);
/* The same where there are no formulas. */
RWD_MUST_USE enum rwd_status rwd_rule_load(struct rwd_text source, const char *name,
    const struct rwd_sandbox_limits *limits, struct rwd_rule **rule, struct rwd_error *error);

struct rwd_sandbox;

RWD_MUST_USE enum rwd_status rwd_sandbox_create(const struct rwd_rule *rule,
    const struct rwd_sandbox_limits *limits, struct rwd_sandbox **sandbox, struct rwd_error *error);
void rwd_sandbox_destroy(struct rwd_sandbox *sandbox);
/* From here on the rule's version number stands in *in_flight while its code runs, and 0 after it.
 * Borrowed for the sandbox's life. */
void rwd_sandbox_watch(struct rwd_sandbox *sandbox, _Atomic uint32_t *in_flight);

/* What a rule's functions see. All borrowed for the call. */
struct rwd_sandbox_call {
    const struct rwd_event *event;
    const struct rwd_profile *profile; /* as of this event */
    struct rwd_text user_id;
    const struct rwd_scalar *aggregates; /* one for each of rule->aggregates */
    struct rwd_scalar *state;            /* in and out, one for each of rule->states */
    uint64_t (*points)(void *context, struct rwd_text rule_id); /* player.points("...") */
    void *points_context;
    /* player.arm() and by_arm, of the experiment the rule names; empty: in none. NULL: none runs.
     */
    struct rwd_text (*arm)(void *context, struct rwd_text experiment);
    void *arm_context;
    uint64_t seed; /* of math.random, from the event's fingerprint */
    struct rwd_arena *arena;
};

/* SCRIPT: the call failed (error, budget, deadline, memory, nonsense returned); *error says
 * file:line and why; state is as it was before the call. */
RWD_MUST_USE enum rwd_status rwd_sandbox_when(struct rwd_sandbox *sandbox,
    struct rwd_sandbox_call *call, bool *holds, struct rwd_error *error);
/* floor(score), 0..1e9. */
RWD_MUST_USE enum rwd_status rwd_sandbox_score(struct rwd_sandbox *sandbox,
    struct rwd_sandbox_call *call, uint64_t *points, struct rwd_error *error);
/* *has_reward false: the function returned nil or false. */
RWD_MUST_USE enum rwd_status rwd_sandbox_grant(struct rwd_sandbox *sandbox,
    struct rwd_sandbox_call *call, bool *has_reward, struct rwd_reward *reward,
    struct rwd_error *error);

/* Instructions the last call used, in steps of the hook's grain; the same on every run and in every
 * VM, and so is the place where a call that uses too many is stopped. Only time can end a call
 * elsewhere. */
uint32_t rwd_sandbox_instructions_used(const struct rwd_sandbox *sandbox);
/* The last call was a hard stop: see deadline_hard_ms. */
bool rwd_sandbox_stopped_hard(const struct rwd_sandbox *sandbox);

/* Runs the attack list (architecture.md's table) against a fresh VM. SCRIPT with the name of the
 * first attack that got through: the daemon then refuses to start. */
RWD_MUST_USE enum rwd_status rwd_sandbox_self_test(struct rwd_error *error);

/*
 * A rule's tests, <version>_test.lua beside it:
 *     return tests {
 *       { name = "three times the win", player = { kyc_level = 2, geo = "TR" },
 *         events = { { event_name = "bet", payload = { bet = 1, win = 2 } } },
 *         expect = { points = 6, rewards = 0 } },
 *     }
 * Loaded here to plain data; run by decide/rule_test.h through the real decide and apply.
 */
struct rwd_rule_test_case {
    char *name;
    char *player;  /* JSON object text */
    char **events; /* JSON object texts; user, ids, version and times may be left out */
    size_t event_count;
    char *expect; /* JSON object text */
    int line;
};
struct rwd_rule_tests {
    struct rwd_rule_test_case *cases;
    size_t case_count;
};
RWD_MUST_USE enum rwd_status rwd_rule_tests_load(struct rwd_text source, const char *name,
    const struct rwd_sandbox_limits *limits, struct rwd_rule_tests **tests,
    struct rwd_error *error);
void rwd_rule_tests_destroy(struct rwd_rule_tests *tests);

#endif
