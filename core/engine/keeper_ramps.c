#include "engine/keeper_ramps.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

bool rwd_keeper_has_ramps(const struct rwd_keeper_versions *versions)
{
    for (size_t i = 0; i < versions->count; i++) {
        enum rwd_ramp_state state = versions->all[i].ramp.state;
        if (state == RWD_RAMP_RUNNING || state == RWD_RAMP_HELD) {
            return true;
        }
    }
    return false;
}

static struct rwd_rule_sums sums_of(
    const struct rwd_keeper_options *options, const struct rwd_keeper_version *version)
{
    return rwd_rule_stats_sum(
        options->rule_counters, options->shard_count, version->names.version_no);
}

static struct rwd_ramp_side side_of(
    const struct rwd_rule_sums *now, const struct rwd_rule_sums *mark)
{
    return (struct rwd_ramp_side){.calls = now->calls - mark->calls,
        .errors = now->errors - mark->errors,
        .cost_p99_ns = now->cost_p99_ns,
        .tasks = now->tasks - mark->tasks,
        .tasks_held = now->tasks_held - mark->tasks_held,
        .money_minor = (int64_t)(now->money_minor - mark->money_minor)};
}

static const char *currency_of(
    const struct rwd_keeper_options *options, const struct rwd_keeper_version *version)
{
    const struct rwd_rule *rule =
        version->shared != NULL ? rwd_shared_rule_get(version->shared) : NULL;
    uint32_t pool_no = rule != NULL && rule->budget[0] != '\0'
                           ? rwd_pools_find(options->pools, rwd_text_of(rule->budget))
                           : 0;
    return pool_no != 0 ? rwd_pool_terms(options->pools, pool_no)->currency.code : "";
}

/* A step's counts begin when it is looked at first. */
static bool is_marked(struct rwd_keeper_version *version, const struct rwd_rule_sums *now,
    const struct rwd_rule_sums *base)
{
    if (version->marked_ms == version->ramp.since_ms) {
        return true;
    }
    version->marked_ms = version->ramp.since_ms;
    version->mark = *now;
    version->base_mark = *base;
    return false;
}

static enum rwd_ramp_verdict judge(const struct rwd_keeper_options *options,
    const struct rwd_keeper_versions *versions, struct rwd_keeper_version *version, int64_t now_ms,
    char *why)
{
    const struct rwd_keeper_version *base =
        rwd_keeper_in_role(versions, version->names.rule_no, RWD_RULEBOOK_ACTIVE);
    struct rwd_rule_sums now = sums_of(options, version);
    struct rwd_rule_sums base_now = {0};
    if (base != NULL) {
        base_now = sums_of(options, base);
    }
    if (!is_marked(version, &now, &base_now)) {
        return RWD_RAMP_WAIT;
    }
    struct rwd_ramp_side canary_side = side_of(&now, &version->mark);
    struct rwd_ramp_side base_side = side_of(&base_now, &version->base_mark);
    const struct rwd_rule_users users = rwd_rule_stats_users(
        options->rule_counters, options->shard_count, version->names.version_no, version->share);
    canary_side.users = users.canary;
    base_side.users = users.other;
    struct rwd_ramp ramp = version->ramp;
    if (base != NULL && strcmp(currency_of(options, version), currency_of(options, base)) != 0) {
        ramp.guards.money_percent_max = 0; /* two currencies cannot be compared */
    }
    return rwd_ramp_judge(&ramp, &canary_side, base != NULL ? &base_side : NULL, now_ms, why);
}

bool rwd_keeper_ramps_tend(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, struct rwd_keeper_cause *cause,
    char why[RWD_RAMP_WHY_SIZE_MAX])
{
    for (size_t i = 0; i < versions->count; i++) {
        struct rwd_keeper_version *version = &versions->all[i];
        enum rwd_ramp_state state = version->ramp.state;
        if (state != RWD_RAMP_RUNNING && state != RWD_RAMP_HELD) {
            continue;
        }
        (void)snprintf(why, RWD_RAMP_WHY_SIZE_MAX, "step %u of %u is over", version->ramp.step + 1,
            version->ramp.step_count);
        enum rwd_ramp_verdict verdict = judge(options, versions, version, cause->now_ms, why);
        if (verdict == RWD_RAMP_WAIT) {
            continue;
        }
        if (verdict != RWD_RAMP_GROW) {
            rwd_log(RWD_LOG_ERROR, "keeper", "rule=%s version=%s msg=\"ALERT: its ramp %s: %s\"",
                version->names.rule_id, version->names.version,
                verdict == RWD_RAMP_HOLD ? "is held" : "is rolled back", why);
        }
        cause->reason = rwd_text_of(why);
        rwd_keeper_ramp_follow(versions, version, verdict, cause);
        return true;
    }
    return false;
}
