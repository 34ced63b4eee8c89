#include "script/ruleset.h"

#include "base/check.h"
#include "base/histogram.h"
#include "base/memory.h"

struct member {
    struct rwd_shared_rule *rule; /* of the VM: with a VM taken over, the one it was made from */
    struct rwd_sandbox *sandbox;
    _Atomic uint64_t calls;
    _Atomic uint64_t errors;
    _Atomic uint64_t consecutive;
    _Atomic uint64_t suspended;
    /* When the last errors were, as counts of calls, in a ring: the oldest of them tells how many
     * calls the last breaker_error_count errors are spread over. */
    uint64_t error_calls[RWD_BREAKER_ERROR_COUNT_MAX];
    uint64_t errors_noted; /* since the last resume */
    uint64_t calls_taken;
    uint64_t errors_taken;
    struct rwd_histogram *cost; /* NULL: none measured yet */
};

struct rwd_ruleset {
    struct rwd_rulebook *rulebook;
    struct rwd_ruleset_limits limits;
    struct member *members; /* in the book's order */
};

struct rwd_ruleset_limits rwd_ruleset_limits_default(void)
{
    return (struct rwd_ruleset_limits){.sandbox = rwd_sandbox_limits_default(),
        .breaker_error_count = 5,
        .breaker_call_count = 100};
}

/* Which member of the old set runs the same version, if any. */
static struct member *same_version(struct rwd_ruleset *previous, const struct rwd_rule *rule)
{
    size_t count = previous != NULL ? rwd_rulebook_count(previous->rulebook) : 0;
    for (size_t i = 0; i < count; i++) {
        const struct rwd_rule *other = rwd_shared_rule_get(previous->members[i].rule);
        if (other == rule || (rule->version_no != 0 && other->version_no == rule->version_no)) {
            return &previous->members[i];
        }
    }
    return NULL;
}

/* Same limits, or the old VMs would go on under the old ones. */
static bool same_limits(const struct rwd_ruleset *previous, const struct rwd_ruleset_limits *limits)
{
    const struct rwd_sandbox_limits *a = &previous->limits.sandbox;
    const struct rwd_sandbox_limits *b = &limits->sandbox;
    return a->instruction_count_max == b->instruction_count_max &&
           a->memory_size_max == b->memory_size_max && a->deadline_ms == b->deadline_ms &&
           a->deadline_hard_ms == b->deadline_hard_ms;
}

static void take_over(struct member *to, struct member *from, bool same_ring)
{
    *to = *from;
    to->errors_noted = same_ring ? from->errors_noted : 0;
    to->rule = rwd_shared_rule_acquire(from->rule);
    from->sandbox = NULL;
    from->cost = NULL;
}

enum rwd_status rwd_ruleset_create(struct rwd_rulebook *rulebook,
    const struct rwd_ruleset_limits *limits, struct rwd_ruleset **previous,
    struct rwd_ruleset **out, struct rwd_error *error)
{
    RWD_REQUIRE(limits->breaker_error_count >= 1 &&
                limits->breaker_error_count <= RWD_BREAKER_ERROR_COUNT_MAX);
    struct rwd_ruleset *old = previous != NULL ? *previous : NULL;
    if (old != NULL && !same_limits(old, limits)) {
        old = NULL;
    }
    size_t count = rwd_rulebook_count(rulebook);
    struct rwd_ruleset *ruleset = rwd_new(sizeof *ruleset);
    ruleset->rulebook = rwd_rulebook_acquire(rulebook);
    ruleset->limits = *limits;
    ruleset->members = rwd_new(count * sizeof ruleset->members[0]);
    /* What can fail first; only then is anything taken from the old set. */
    for (size_t i = 0; i < count; i++) {
        struct member *member = &ruleset->members[i];
        const struct rwd_rule *rule = rwd_rulebook_at(rulebook, i);
        if (same_version(old, rule) != NULL) {
            continue;
        }
        if (rule->declares != NULL) {
            /* An experiment is all data: nothing of it is ever called. */
            member->rule = rwd_shared_rule_acquire(rwd_rulebook_shared_at(rulebook, i));
            continue;
        }
        enum rwd_status status =
            rwd_sandbox_create(rule, &limits->sandbox, &member->sandbox, error);
        if (status == RWD_OK) {
            rwd_sandbox_watch(member->sandbox, limits->in_flight);
        }
        if (status != RWD_OK) {
            rwd_ruleset_destroy(ruleset);
            return status;
        }
        member->rule = rwd_shared_rule_acquire(rwd_rulebook_shared_at(rulebook, i));
    }
    for (size_t i = 0; i < count; i++) {
        if (ruleset->members[i].rule == NULL) {
            RWD_REQUIRE(old != NULL);
            take_over(&ruleset->members[i], same_version(old, rwd_rulebook_at(rulebook, i)),
                old->limits.breaker_error_count == limits->breaker_error_count);
        }
    }
    if (previous != NULL) {
        rwd_ruleset_destroy(*previous);
        *previous = NULL;
    }
    *out = ruleset;
    return RWD_OK;
}

void rwd_ruleset_destroy(struct rwd_ruleset *ruleset)
{
    if (ruleset == NULL) {
        return;
    }
    for (size_t i = 0; i < rwd_rulebook_count(ruleset->rulebook); i++) {
        rwd_sandbox_destroy(ruleset->members[i].sandbox);
        rwd_shared_rule_release(ruleset->members[i].rule);
        rwd_free(ruleset->members[i].cost);
    }
    rwd_free(ruleset->members);
    rwd_rulebook_release(ruleset->rulebook);
    rwd_free(ruleset);
}

static struct member *member_at(const struct rwd_ruleset *ruleset, size_t index)
{
    RWD_REQUIRE(index < rwd_rulebook_count(ruleset->rulebook));
    return &ruleset->members[index];
}

const struct rwd_rulebook *rwd_ruleset_rulebook(const struct rwd_ruleset *ruleset)
{
    return ruleset->rulebook;
}

struct rwd_sandbox *rwd_ruleset_sandbox(struct rwd_ruleset *ruleset, size_t index)
{
    return member_at(ruleset, index)->sandbox;
}

bool rwd_ruleset_note(struct rwd_ruleset *ruleset, size_t index, bool failed)
{
    struct member *member = member_at(ruleset, index);
    rwd_count(&member->calls, 1);
    if (!failed) {
        if (rwd_counted(&member->consecutive) != 0) {
            atomic_store_explicit(&member->consecutive, 0, memory_order_relaxed);
        }
        return false;
    }
    rwd_count(&member->errors, 1);
    rwd_count(&member->consecutive, 1);
    uint32_t limit = ruleset->limits.breaker_error_count;
    uint64_t now = rwd_counted(&member->calls);
    member->error_calls[member->errors_noted++ % limit] = now;
    /* The ring's next place holds the oldest of the last limit errors. */
    uint64_t oldest = member->error_calls[member->errors_noted % limit];
    bool trips =
        rwd_sandbox_stopped_hard(member->sandbox) ||
        (member->errors_noted >= limit && now - oldest < ruleset->limits.breaker_call_count);
    if (!trips || rwd_counted(&member->suspended) != 0) {
        return false;
    }
    atomic_store_explicit(&member->suspended, 1, memory_order_relaxed);
    return true;
}

bool rwd_ruleset_suspended(const struct rwd_ruleset *ruleset, size_t index)
{
    return rwd_counted(&member_at(ruleset, index)->suspended) != 0;
}

void rwd_ruleset_resume(struct rwd_ruleset *ruleset, size_t index)
{
    struct member *member = member_at(ruleset, index);
    member->errors_noted = 0;
    atomic_store_explicit(&member->consecutive, 0, memory_order_relaxed);
    atomic_store_explicit(&member->suspended, 0, memory_order_relaxed);
}

struct rwd_rule_health rwd_ruleset_health(const struct rwd_ruleset *ruleset, size_t index)
{
    const struct member *member = member_at(ruleset, index);
    return (struct rwd_rule_health){.call_count = rwd_counted(&member->calls),
        .error_count = rwd_counted(&member->errors),
        .consecutive_error_count = (uint32_t)rwd_counted(&member->consecutive),
        .suspended = rwd_counted(&member->suspended) != 0};
}

struct rwd_rule_health rwd_ruleset_take_health(struct rwd_ruleset *ruleset, size_t index)
{
    struct member *member = member_at(ruleset, index);
    struct rwd_rule_health health = rwd_ruleset_health(ruleset, index);
    uint64_t calls = health.call_count;
    uint64_t errors = health.error_count;
    health.call_count -= member->calls_taken;
    health.error_count -= member->errors_taken;
    member->calls_taken = calls;
    member->errors_taken = errors;
    return health;
}

enum { COST_STRIDE = 16 };

bool rwd_ruleset_wants_cost(const struct rwd_ruleset *ruleset, size_t index)
{
    return rwd_counted(&member_at(ruleset, index)->calls) % COST_STRIDE == 0;
}

void rwd_ruleset_note_cost(struct rwd_ruleset *ruleset, size_t index, uint64_t cost_ns)
{
    struct member *member = member_at(ruleset, index);
    if (member->cost == NULL) {
        member->cost = rwd_new(sizeof *member->cost);
    }
    rwd_histogram_add(member->cost, cost_ns, 1);
}

uint64_t rwd_ruleset_cost_p99_ns(const struct rwd_ruleset *ruleset, size_t index)
{
    const struct member *member = member_at(ruleset, index);
    return member->cost != NULL ? rwd_histogram_quantile(member->cost, 0.99) : 0;
}
