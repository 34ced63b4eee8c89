/*
 * ruleset: one shard's VMs for one rulebook, and how each of its rules fares.
 *
 * Made aside from the rulebook that comes, then put in the old one's place between two batches. The
 * VMs and counters of versions that stay are taken over, so a reload of one rule costs one VM.
 *
 * The breaker: a rule that failed breaker_error_count times in its last breaker_call_count calls,
 * or once by a hard stop (sandbox.h), is suspended here, until somebody resumes it or another
 * version comes; the caller then asks it no more. It guards the rest of the shard's time, so it is
 * per shard.
 *
 * Threads:   the shard's, which needs RWD_SANDBOX_STACK_SIZE; counters may be read from any thread.
 * Ownership: create/destroy; holds a reference on the book and on every rule a VM runs.
 */
#ifndef RWD_SCRIPT_RULESET_H
#define RWD_SCRIPT_RULESET_H

#include "script/rulebook.h"
#include "script/sandbox.h"

enum { RWD_BREAKER_ERROR_COUNT_MAX = 64 };

struct rwd_ruleset_limits {
    struct rwd_sandbox_limits sandbox;
    uint32_t breaker_error_count; /* 1..RWD_BREAKER_ERROR_COUNT_MAX */
    uint32_t breaker_call_count;
    _Atomic uint32_t *in_flight; /* see rwd_sandbox_watch; NULL: nobody watches */
};

/* The sandbox's defaults; 5 errors in 100 calls. */
struct rwd_ruleset_limits rwd_ruleset_limits_default(void);

struct rwd_ruleset;

/* previous: NULL, or the ruleset that is being replaced. OK: its VMs have moved, it is destroyed
 * and *previous is NULL. Any failure: nothing has changed, *previous goes on. SCRIPT: a rule's VM
 * could not be made. */
RWD_MUST_USE enum rwd_status rwd_ruleset_create(struct rwd_rulebook *rulebook,
    const struct rwd_ruleset_limits *limits, struct rwd_ruleset **previous,
    struct rwd_ruleset **ruleset, struct rwd_error *error);
void rwd_ruleset_destroy(struct rwd_ruleset *ruleset);

const struct rwd_rulebook *rwd_ruleset_rulebook(const struct rwd_ruleset *ruleset);
/* Borrowed until the ruleset goes. index: of rwd_rulebook_entry. */
struct rwd_sandbox *rwd_ruleset_sandbox(struct rwd_ruleset *ruleset, size_t index);

/* Notes how asking a rule about an event went; all its functions count as one call, and the last of
 * them was the sandbox's last call. True: this failure suspended it - log and count it now. */
bool rwd_ruleset_note(struct rwd_ruleset *ruleset, size_t index, bool failed);
bool rwd_ruleset_suspended(const struct rwd_ruleset *ruleset, size_t index);
/* Lifts a suspension and forgets the errors that led to it. */
void rwd_ruleset_resume(struct rwd_ruleset *ruleset, size_t index);

struct rwd_rule_health {
    uint64_t call_count;
    uint64_t error_count;
    uint32_t consecutive_error_count;
    bool suspended;
};
struct rwd_rule_health rwd_ruleset_health(const struct rwd_ruleset *ruleset, size_t index);
/* The same with the calls and errors since the last taking: for sums that outlive the VM. */
struct rwd_rule_health rwd_ruleset_take_health(struct rwd_ruleset *ruleset, size_t index);

/* What its calls cost: one of sixteen is measured, since reading a clock costs as much as a small
 * rule. wants: the next one is. p99: 0 where none was. */
bool rwd_ruleset_wants_cost(const struct rwd_ruleset *ruleset, size_t index);
void rwd_ruleset_note_cost(struct rwd_ruleset *ruleset, size_t index, uint64_t cost_ns);
uint64_t rwd_ruleset_cost_p99_ns(const struct rwd_ruleset *ruleset, size_t index);

#endif
