/*
 * rulebook: which rules are in force, as one immutable set that is swapped whole.
 *
 * Of one rule id a book may hold several versions: the active one, a canary for a share of the
 * players, and a shadow, which decides beside them and gives nothing. Each player is exactly one of
 * the first two's.
 *
 * Two levels, both counted. A shared rule owns one struct rwd_rule, so that a version that is in
 * force before and after a reload exists once. A rulebook holds shared rules, sorted by priority
 * (larger first), then id, and answers which of them want an event of a given name.
 *
 * Threads:   immutable once created; acquire and release from any thread.
 * Ownership: create answers with one reference; the last release frees.
 */
#ifndef RWD_SCRIPT_RULEBOOK_H
#define RWD_SCRIPT_RULEBOOK_H

#include "domain/rule.h"

struct rwd_shared_rule;

/* Takes the rule: *rule is NULL afterwards. */
struct rwd_shared_rule *rwd_shared_rule_create(struct rwd_rule **rule);
struct rwd_shared_rule *rwd_shared_rule_acquire(struct rwd_shared_rule *shared);
/* NULL is ignored. */
void rwd_shared_rule_release(struct rwd_shared_rule *shared);
const struct rwd_rule *rwd_shared_rule_get(const struct rwd_shared_rule *shared);

/* A rule and its place in the whole book, which is also its place in a ruleset. It is asked for the
 * players whose place in `rollout`'s order lies in from <= place < to (domain/rollout.h): all of
 * them, where no canary shares the rule. */
struct rwd_rulebook_entry {
    const struct rwd_rule *rule;
    uint32_t index;
    uint32_t from;
    uint32_t to;
    const struct rwd_rule *rollout; /* the canary that divides the players; NULL: none does */
};

enum rwd_rulebook_role {
    RWD_RULEBOOK_ACTIVE,
    RWD_RULEBOOK_CANARY,
    RWD_RULEBOOK_SHADOW,
};

/* How a version stands in a book. share: of a canary, per cent of the players, 1..99. */
struct rwd_rulebook_seat {
    struct rwd_shared_rule *rule;
    enum rwd_rulebook_role role;
    uint32_t share;
};

struct rwd_rulebook;

/* The rules are shared: the book takes references of its own. All of them are active. */
struct rwd_rulebook *rwd_rulebook_create(
    uint32_t rulebook_no, struct rwd_shared_rule *const *rules, size_t count);
/* Of one rule id at most one is active and one a canary. */
struct rwd_rulebook *rwd_rulebook_create_seated(
    uint32_t rulebook_no, const struct rwd_rulebook_seat *seats, size_t count);
struct rwd_rulebook *rwd_rulebook_acquire(struct rwd_rulebook *rulebook);
/* NULL is ignored. */
void rwd_rulebook_release(struct rwd_rulebook *rulebook);

uint32_t rwd_rulebook_no(const struct rwd_rulebook *rulebook);
size_t rwd_rulebook_count(const struct rwd_rulebook *rulebook);
const struct rwd_rule *rwd_rulebook_at(const struct rwd_rulebook *rulebook, size_t index);
/* For a ruleset, which keeps a reference as long as a VM runs the rule. */
struct rwd_shared_rule *rwd_rulebook_shared_at(const struct rwd_rulebook *rulebook, size_t index);

/* The rules that have this name in on, in order, but for shadows; a hash lookup. NULL and *count 0:
 * none. */
const struct rwd_rulebook_entry *rwd_rulebook_for(
    const struct rwd_rulebook *rulebook, struct rwd_text event_name, size_t *count);
/* Is this player the entry's? */
bool rwd_rulebook_takes(const struct rwd_rulebook_entry *entry, struct rwd_text user_id);
/* The shadows, whatever events they want. */
const struct rwd_rulebook_entry *rwd_rulebook_shadows(
    const struct rwd_rulebook *rulebook, size_t *count);
/* The experiment of that key, a rule with declares set: its one active version. NULL: none is. */
const struct rwd_rule *rwd_rulebook_experiment(
    const struct rwd_rulebook *rulebook, struct rwd_text key);
/* The first rule in order with this id that is no shadow, or NULL. */
const struct rwd_rule *rwd_rulebook_find(
    const struct rwd_rulebook *rulebook, struct rwd_text rule_id);

#endif
