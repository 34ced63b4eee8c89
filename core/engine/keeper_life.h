/*
 * keeper_life: the ways of a rule version from state to state. Private to the engine.
 *
 *   draft -> shadow -> canary (share) -> active -> retired
 *
 * and from any of shadow, canary, active to suspended. Steps may be left out; a retired version may
 * be taken up again. Of a rule one version at most is active, one a canary, one a shadow. A share
 * only grows: whoever has a version keeps it, unless it is taken from all of them.
 *
 * What rules name has a shorter life, draft -> active -> retired. Who takes part in an experiment
 * is said by its own arms and coverage, so it is no canary and no shadow. A formula's versions
 * stand side by side, each active until it is retired: rules name the one they use.
 *
 * Changes the table alone and marks what is new; the keeper journals and switches. A failure
 * changes nothing.
 *
 * Threads: the keeper's.
 */
#ifndef RWD_ENGINE_KEEPER_LIFE_H
#define RWD_ENGINE_KEEPER_LIFE_H

#include "engine/keeper_versions.h"

/* Who wants it, why, and when. */
struct rwd_keeper_cause {
    struct rwd_text actor;
    struct rwd_text reason;
    int64_t now_ms;
};

/* share 100: active; the one that was retires, and so does a canary. Less: a canary of that share.
 * A ramp of it ends. CONFLICT: its share is larger already, or another version is the canary; or it
 * is no rule, and not for all. */
RWD_MUST_USE enum rwd_status rwd_keeper_activate(struct rwd_keeper_versions *versions,
    struct rwd_keeper_version *version, uint32_t share, const struct rwd_keeper_cause *cause,
    struct rwd_error *error);
/* CONFLICT: it is in force, or the rule has another shadow, or it is no rule. */
RWD_MUST_USE enum rwd_status rwd_keeper_shadow(struct rwd_keeper_versions *versions,
    struct rwd_keeper_version *version, const struct rwd_keeper_cause *cause,
    struct rwd_error *error);
void rwd_keeper_retire(struct rwd_keeper_version *version, const struct rwd_keeper_cause *cause);
/* The version that a rollback would bring back into force; NULL: none, or a canary goes first. */
struct rwd_keeper_version *rwd_keeper_rollback_target(
    const struct rwd_keeper_versions *versions, struct rwd_text rule_id);
/* A canary is taken from all its players; where there is none, the version that was active before
 * comes back. *version: the one that has its players now. NOT_FOUND: no such rule. CONFLICT: there
 * is nothing to go back to. */
RWD_MUST_USE enum rwd_status rwd_keeper_rollback(struct rwd_keeper_versions *versions,
    struct rwd_text rule_id, const struct rwd_keeper_cause *cause,
    struct rwd_keeper_version **version, struct rwd_error *error);
/* The active one keeps its place and is asked no more; a canary's players go back to the active
 * one, and a shadow ends. False: it is none of these. */
bool rwd_keeper_suspend(struct rwd_keeper_version *version, const struct rwd_keeper_cause *cause);
/* Every draft of a formula, which decides nothing by itself; and of every rule and experiment that
 * has nothing but drafts, its newest version, where may(context, it). True: there were some. */
bool rwd_keeper_activate_new(struct rwd_keeper_versions *versions,
    bool (*may)(void *context, struct rwd_keeper_version *version), void *context,
    const struct rwd_keeper_cause *cause);

/* Begins a plan at its first step that is no smaller than the share it has. CONFLICT: as activate,
 * or it is active, or no rule. */
RWD_MUST_USE enum rwd_status rwd_keeper_ramp(struct rwd_keeper_versions *versions,
    struct rwd_keeper_version *version, const struct rwd_ramp *plan,
    const struct rwd_keeper_cause *cause, struct rwd_error *error);
/* The verdict of a guard, or of time, on a ramp that runs. */
void rwd_keeper_ramp_follow(struct rwd_keeper_versions *versions,
    struct rwd_keeper_version *version, enum rwd_ramp_verdict verdict,
    const struct rwd_keeper_cause *cause);

#endif
