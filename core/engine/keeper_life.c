#include "engine/keeper_life.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/rule_folder.h"

#include <stdio.h>

enum { SHARE_ALL = 100 };

static void note_cause(struct rwd_keeper_version *version, const struct rwd_keeper_cause *cause)
{
    rwd_free(version->actor);
    rwd_free(version->reason);
    version->actor = rwd_copy(cause->actor.size > 0 ? cause->actor.data : "", cause->actor.size);
    version->reason =
        rwd_copy(cause->reason.size > 0 ? cause->reason.data : "", cause->reason.size);
    version->changed = true;
}

static bool ramp_lives(const struct rwd_keeper_version *version)
{
    return version->ramp.state == RWD_RAMP_RUNNING || version->ramp.state == RWD_RAMP_HELD;
}

static void end_ramp(struct rwd_keeper_version *version, enum rwd_ramp_state state,
    const struct rwd_keeper_cause *cause)
{
    if (ramp_lives(version)) {
        version->ramp.state = state;
        (void)snprintf(version->ramp.why, sizeof version->ramp.why, "%.*s%s%.*s",
            RWD_TEXT_ARGS(cause->actor), cause->reason.size > 0 ? ": " : "",
            RWD_TEXT_ARGS(cause->reason));
    }
}

static void set_state(struct rwd_keeper_version *version, enum rwd_keeper_state state,
    uint32_t share, const struct rwd_keeper_cause *cause)
{
    /* Whether it rests is said in the rule itself, which never changes: it is made anew. */
    if (version->state == RWD_KEEPER_SUSPENDED || state == RWD_KEEPER_SUSPENDED) {
        rwd_shared_rule_release(version->shared);
        version->shared = NULL;
    }
    version->state = state;
    version->share = share;
    version->since_ms = cause->now_ms;
    if (state == RWD_KEEPER_ACTIVE) {
        version->active_ms = cause->now_ms;
    }
    note_cause(version, cause);
    rwd_log(RWD_LOG_INFO, "keeper",
        "rule=%s version=%s state=%s share=%u hash=%.12s actor=\"%.*s\" reason=\"%.*s\"",
        version->names.rule_id, version->names.version, rwd_keeper_state_name(state), share,
        version->names.content_hash, RWD_TEXT_ARGS(cause->actor), RWD_TEXT_ARGS(cause->reason));
}

/* ---- activation ---- */

/* Shares, shadows and ramps are ways to try a rule. */
static enum rwd_status check_is_rule(
    const struct rwd_keeper_version *version, struct rwd_error *error)
{
    switch (rwd_keeper_kind(version)) {
    case RWD_KIND_FORMULA:
        return rwd_fail(error, RWD_CONFLICT,
            "%s@%s is for all or for none: its versions stand side by side. Try it in a version of "
            "a rule that takes it, and give that one a share",
            version->names.rule_id, version->names.version);
    case RWD_KIND_EXPERIMENT:
        return rwd_fail(error, RWD_CONFLICT,
            "%s@%s is for all or for none: who takes part is said by its own coverage and arms. "
            "Give it the coverage it is to have, and activate it",
            version->names.rule_id, version->names.version);
    case RWD_KIND_RULE:
        break;
    }
    return RWD_OK;
}

static enum rwd_status check_share(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_version *version, uint32_t share, struct rwd_error *error)
{
    const struct rwd_keeper_version *canary =
        rwd_keeper_in_role(versions, version->names.rule_no, RWD_RULEBOOK_CANARY);
    bool in_place = rwd_keeper_in_force(version) && version->state != RWD_KEEPER_SHADOW;
    enum rwd_status status = share < SHARE_ALL ? check_is_rule(version, error) : RWD_OK;
    if (status != RWD_OK) {
        return status;
    }
    if (share < SHARE_ALL && in_place && version->share > share) {
        return rwd_fail(error, RWD_CONFLICT,
            "%s@%s has %u %% of the players, and a share only grows: whoever has it would lose it. "
            "To take it from all of them, roll back",
            version->names.rule_id, version->names.version, version->share);
    }
    if (share < SHARE_ALL && canary != NULL && canary != version) {
        return rwd_fail(error, RWD_CONFLICT,
            "%s@%s is the rule's canary; roll it back or activate it before another is tried",
            canary->names.rule_id, canary->names.version);
    }
    return RWD_OK;
}

static void activate_for_all(struct rwd_keeper_versions *versions,
    struct rwd_keeper_version *version, const struct rwd_keeper_cause *cause)
{
    static const enum rwd_rulebook_role leave[] = {RWD_RULEBOOK_ACTIVE, RWD_RULEBOOK_CANARY};
    bool alone = rwd_keeper_kind(version) != RWD_KIND_FORMULA;
    for (size_t i = 0; i < sizeof leave / sizeof leave[0] && alone; i++) {
        struct rwd_keeper_version *before =
            rwd_keeper_in_role(versions, version->names.rule_no, leave[i]);
        if (before != NULL && before != version) {
            rwd_keeper_retire(before, cause);
        }
    }
    set_state(version, RWD_KEEPER_ACTIVE, SHARE_ALL, cause);
}

enum rwd_status rwd_keeper_activate(struct rwd_keeper_versions *versions,
    struct rwd_keeper_version *version, uint32_t share, const struct rwd_keeper_cause *cause,
    struct rwd_error *error)
{
    RWD_REQUIRE(share >= 1 && share <= SHARE_ALL);
    enum rwd_status status = check_share(versions, version, share, error);
    if (status != RWD_OK) {
        return status;
    }
    end_ramp(version, RWD_RAMP_STOPPED, cause);
    if (share == SHARE_ALL) {
        activate_for_all(versions, version, cause);
    } else {
        set_state(version, RWD_KEEPER_CANARY, share, cause);
    }
    return RWD_OK;
}

static bool activate_formulas(
    struct rwd_keeper_versions *versions, const struct rwd_keeper_cause *cause)
{
    bool any = false;
    for (size_t i = 0; i < versions->count; i++) {
        struct rwd_keeper_version *version = &versions->all[i];
        if (rwd_keeper_kind(version) == RWD_KIND_FORMULA && version->state == RWD_KEEPER_DRAFT) {
            activate_for_all(versions, version, cause);
            any = true;
        }
    }
    return any;
}

bool rwd_keeper_activate_new(struct rwd_keeper_versions *versions,
    bool (*may)(void *context, struct rwd_keeper_version *version), void *context,
    const struct rwd_keeper_cause *cause)
{
    bool any = activate_formulas(versions, cause);
    for (uint32_t rule_no = 1; rule_no <= versions->rule_count; rule_no++) {
        struct rwd_keeper_version *newest = NULL;
        bool is_new = true;
        for (size_t i = 0; i < versions->count; i++) {
            struct rwd_keeper_version *version = &versions->all[i];
            if (version->names.rule_no != rule_no) {
                continue;
            }
            is_new = is_new && version->state == RWD_KEEPER_DRAFT;
            if (newest == NULL ||
                rwd_rule_version_compare(version->names.version, newest->names.version) > 0) {
                newest = version;
            }
        }
        if (is_new && newest != NULL && may(context, newest)) {
            activate_for_all(versions, newest, cause);
            any = true;
        }
    }
    return any;
}

/* ---- the other ways ---- */

enum rwd_status rwd_keeper_shadow(struct rwd_keeper_versions *versions,
    struct rwd_keeper_version *version, const struct rwd_keeper_cause *cause,
    struct rwd_error *error)
{
    const struct rwd_keeper_version *other =
        rwd_keeper_in_role(versions, version->names.rule_no, RWD_RULEBOOK_SHADOW);
    enum rwd_status status = check_is_rule(version, error);
    if (status != RWD_OK) {
        return status;
    }
    if (rwd_keeper_in_force(version) && version != other) {
        return rwd_fail(error, RWD_CONFLICT,
            "%s@%s is %s: players have it already, and a shadow gives nothing",
            version->names.rule_id, version->names.version, rwd_keeper_state_name(version->state));
    }
    if (other != NULL && other != version) {
        return rwd_fail(error, RWD_CONFLICT, "%s@%s is the rule's shadow; retire it first",
            other->names.rule_id, other->names.version);
    }
    set_state(version, RWD_KEEPER_SHADOW, 0, cause);
    return RWD_OK;
}

void rwd_keeper_retire(struct rwd_keeper_version *version, const struct rwd_keeper_cause *cause)
{
    end_ramp(version, RWD_RAMP_ROLLED_BACK, cause);
    set_state(version, RWD_KEEPER_RETIRED, 0, cause);
}

/* The version of that rule that was active last before the one that is; NULL: none was. */
static struct rwd_keeper_version *active_before(
    const struct rwd_keeper_versions *versions, struct rwd_text rule_id)
{
    struct rwd_keeper_version *target = NULL;
    for (size_t i = 0; i < versions->count; i++) {
        struct rwd_keeper_version *version = &versions->all[i];
        if (rwd_text_is(rule_id, version->names.rule_id) && version->active_ms > 0 &&
            version->state == RWD_KEEPER_RETIRED &&
            (target == NULL || version->since_ms >= target->since_ms)) {
            target = version;
        }
    }
    return target;
}

struct rwd_keeper_version *rwd_keeper_rollback_target(
    const struct rwd_keeper_versions *versions, struct rwd_text rule_id)
{
    uint32_t rule_no = rwd_keeper_rule_no(versions, rule_id);
    return rule_no != 0 && rwd_keeper_in_role(versions, rule_no, RWD_RULEBOOK_CANARY) == NULL
               ? active_before(versions, rule_id)
               : NULL;
}

enum rwd_status rwd_keeper_rollback(struct rwd_keeper_versions *versions, struct rwd_text rule_id,
    const struct rwd_keeper_cause *cause, struct rwd_keeper_version **version,
    struct rwd_error *error)
{
    uint32_t rule_no = rwd_keeper_rule_no(versions, rule_id);
    if (rule_no == 0) {
        return rwd_fail(error, RWD_NOT_FOUND, "there is no rule '%.*s'", RWD_TEXT_ARGS(rule_id));
    }
    if (rwd_rule_kind_of(rule_id) == RWD_KIND_FORMULA) {
        return rwd_fail(error, RWD_CONFLICT,
            "%.*s: a formula's versions stand side by side; roll back the rule that takes it",
            RWD_TEXT_ARGS(rule_id));
    }
    struct rwd_keeper_version *canary = rwd_keeper_in_role(versions, rule_no, RWD_RULEBOOK_CANARY);
    if (canary != NULL) {
        rwd_keeper_retire(canary, cause);
        *version = rwd_keeper_in_role(versions, rule_no, RWD_RULEBOOK_ACTIVE);
        *version = *version != NULL ? *version : canary;
        return RWD_OK;
    }
    *version = active_before(versions, rule_id);
    if (*version == NULL) {
        return rwd_fail(error, RWD_CONFLICT,
            "rule '%.*s' has no canary, and no version that was active before",
            RWD_TEXT_ARGS(rule_id));
    }
    activate_for_all(versions, *version, cause);
    return RWD_OK;
}

bool rwd_keeper_suspend(struct rwd_keeper_version *version, const struct rwd_keeper_cause *cause)
{
    if (!rwd_keeper_in_force(version) || version->state == RWD_KEEPER_SUSPENDED) {
        return false;
    }
    end_ramp(version, RWD_RAMP_ROLLED_BACK, cause);
    bool keeps_place = version->state == RWD_KEEPER_ACTIVE;
    set_state(version, RWD_KEEPER_SUSPENDED, keeps_place ? SHARE_ALL : 0, cause);
    return true;
}

/* ---- ramps ---- */

static void begin_step(struct rwd_keeper_versions *versions, struct rwd_keeper_version *version,
    const struct rwd_keeper_cause *cause)
{
    struct rwd_ramp *ramp = &version->ramp;
    uint32_t share = ramp->steps[ramp->step];
    ramp->state = RWD_RAMP_RUNNING;
    ramp->since_ms = cause->now_ms;
    ramp->why[0] = '\0';
    if (share < SHARE_ALL) {
        set_state(version, RWD_KEEPER_CANARY, share, cause);
    } else {
        activate_for_all(versions, version, cause);
        ramp->state = RWD_RAMP_DONE;
    }
}

enum rwd_status rwd_keeper_ramp(struct rwd_keeper_versions *versions,
    struct rwd_keeper_version *version, const struct rwd_ramp *plan,
    const struct rwd_keeper_cause *cause, struct rwd_error *error)
{
    uint32_t step = 0;
    enum rwd_status status = check_is_rule(version, error);
    if (status != RWD_OK) {
        return status;
    }
    while (step < plan->step_count && plan->steps[step] < version->share) {
        step++;
    }
    if (version->state == RWD_KEEPER_ACTIVE || step == plan->step_count) {
        return rwd_fail(error, RWD_CONFLICT,
            "%s@%s has %u %% of the players: no step of this ramp is larger",
            version->names.rule_id, version->names.version, version->share);
    }
    status = check_share(versions, version, plan->steps[step], error);
    if (status == RWD_OK) {
        version->ramp = *plan;
        version->ramp.step = step;
        begin_step(versions, version, cause);
    }
    return status;
}

void rwd_keeper_ramp_follow(struct rwd_keeper_versions *versions,
    struct rwd_keeper_version *version, enum rwd_ramp_verdict verdict,
    const struct rwd_keeper_cause *cause)
{
    struct rwd_ramp *ramp = &version->ramp;
    if (verdict == RWD_RAMP_ROLL_BACK) {
        rwd_keeper_retire(version, cause);
    } else if (verdict == RWD_RAMP_HOLD) {
        ramp->state = RWD_RAMP_HELD;
        (void)snprintf(ramp->why, sizeof ramp->why, "%.*s", RWD_TEXT_ARGS(cause->reason));
        note_cause(version, cause);
    } else if (verdict == RWD_RAMP_GROW && ramp->step + 1 < ramp->step_count) {
        ramp->step++;
        begin_step(versions, version, cause);
    } else if (verdict == RWD_RAMP_GROW) {
        ramp->state = RWD_RAMP_DONE; /* its last share is not all */
        note_cause(version, cause);
    }
}
