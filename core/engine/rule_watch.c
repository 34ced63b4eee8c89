#include "engine/rule_watch.h"

#include "base/memory.h"
#include "domain/rollout.h"
#include "engine/shadow.h"
#include "engine/user_sample.h"

#include <string.h>

enum { COST_PUBLISH_NS = 250000000, CANARY_COUNT_MAX = 64, SHADOW_COUNT_MAX = 64 };

/* A canary and how players divide between it and the other version, since it has this share. */
struct division {
    struct rwd_rulebook_entry canary;
    const struct rwd_rule *active; /* NULL: there is none */
    uint32_t version_no;
    struct rwd_user_sample sample;
};

struct rwd_rule_watch {
    struct rwd_rule_counters counters[RWD_RULE_COUNTER_COUNT];
    int64_t next_cost_ns;
    struct division divisions[CANARY_COUNT_MAX]; /* more canaries are not judged by it */
    size_t division_count;
    struct rwd_shadow *shadows[SHADOW_COUNT_MAX]; /* as the rulebook has them; others rest */
    size_t shadow_count;
};

struct rwd_rule_watch *rwd_rule_watch_create(void)
{
    return rwd_new(sizeof(struct rwd_rule_watch));
}

void rwd_rule_watch_destroy(struct rwd_rule_watch *watch)
{
    for (size_t i = 0; watch != NULL && i < watch->division_count; i++) {
        rwd_user_sample_finish(&watch->divisions[i].sample);
    }
    for (size_t i = 0; watch != NULL && i < watch->shadow_count; i++) {
        rwd_shadow_destroy(watch->shadows[i]);
    }
    rwd_free(watch);
}

const struct rwd_rule_counters *rwd_rule_watch_counters(const struct rwd_rule_watch *watch)
{
    return watch->counters;
}

static void set(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static void publish_shadows(struct rwd_rule_watch *watch);

/* ---- how the ruleset fares ---- */

void rwd_rule_watch_publish(
    struct rwd_rule_watch *watch, struct rwd_ruleset *ruleset, int64_t now_ns)
{
    const struct rwd_rulebook *rulebook = rwd_ruleset_rulebook(ruleset);
    bool cost_due = now_ns >= watch->next_cost_ns;
    watch->next_cost_ns = cost_due ? now_ns + COST_PUBLISH_NS : watch->next_cost_ns;
    for (size_t i = 0; i < rwd_rulebook_count(rulebook); i++) {
        const struct rwd_rule *rule = rwd_rulebook_at(rulebook, i);
        if (rule->version_no >= RWD_RULE_COUNTER_COUNT) {
            continue;
        }
        struct rwd_rule_counters *counters = &watch->counters[rule->version_no];
        struct rwd_rule_health health = rwd_ruleset_take_health(ruleset, i);
        rwd_count(&counters->calls, health.call_count);
        rwd_count(&counters->errors, health.error_count);
        atomic_store_explicit(
            &counters->suspended, health.suspended || rule->suspended, memory_order_relaxed);
        if (cost_due) {
            set(&counters->cost_p99_ns, rwd_ruleset_cost_p99_ns(ruleset, i));
        }
    }
    if (cost_due) {
        publish_shadows(watch);
    }
    for (size_t i = 0; cost_due && i < watch->division_count; i++) {
        const struct division *division = &watch->divisions[i];
        struct rwd_rule_counters *counters = &watch->counters[division->version_no];
        set(&counters->users_share, division->canary.to / (RWD_ROLLOUT_PLACE_COUNT / 100));
        set(&counters->users, division->sample.count[1]);
        set(&counters->users_other, division->sample.count[0]);
    }
}

/* ---- shadows ---- */

static void publish_shadows(struct rwd_rule_watch *watch)
{
    for (size_t i = 0; i < watch->shadow_count; i++) {
        rwd_shadow_publish(
            watch->shadows[i], &watch->counters[rwd_shadow_version_no(watch->shadows[i])].shadow);
    }
}

/* Those that stay go on; the others' last sums stay readable. */
static void switch_shadows(struct rwd_rule_watch *watch, const struct rwd_rulebook *rulebook)
{
    struct rwd_shadow *old[SHADOW_COUNT_MAX];
    size_t old_count = watch->shadow_count;
    size_t count = 0;
    const struct rwd_rulebook_entry *entries = rwd_rulebook_shadows(rulebook, &count);
    publish_shadows(watch);
    memcpy(old, watch->shadows, sizeof old);
    watch->shadow_count = 0;
    for (size_t n = 0; n < count && n < SHADOW_COUNT_MAX; n++) {
        uint32_t version_no = entries[n].rule->version_no;
        struct rwd_shadow *shadow = NULL;
        if (version_no >= RWD_RULE_COUNTER_COUNT) {
            break; /* what cannot be counted need not be asked */
        }
        for (size_t i = 0; i < old_count; i++) {
            if (old[i] != NULL && rwd_shadow_version_no(old[i]) == version_no) {
                shadow = old[i];
                old[i] = NULL;
            }
        }
        watch->shadows[watch->shadow_count++] =
            shadow != NULL ? shadow : rwd_shadow_create(version_no);
    }
    for (size_t i = 0; i < old_count; i++) {
        rwd_shadow_destroy(old[i]);
    }
}

static void ask_shadows(struct rwd_rule_watch *watch, const struct rwd_decide_facts *facts,
    const struct rwd_event *event, uint64_t user_fingerprint, const struct rwd_player *player,
    const struct rwd_decision *decision)
{
    size_t count = 0;
    const struct rwd_rulebook_entry *entries =
        rwd_rulebook_shadows(rwd_ruleset_rulebook(facts->ruleset), &count);
    for (size_t i = 0; i < watch->shadow_count; i++) {
        rwd_shadow_decide(
            watch->shadows[i], facts, &entries[i], event, user_fingerprint, player, decision);
    }
}

/* ---- how players divide ---- */

/* The sample of a canary that goes on with the share it has. */
static struct rwd_user_sample take_sample(
    struct division *old, size_t count, const struct rwd_rulebook_entry *canary)
{
    struct rwd_user_sample sample = {0};
    for (size_t i = 0; i < count; i++) {
        if (old[i].version_no == canary->rule->version_no && old[i].canary.to == canary->to) {
            sample = old[i].sample;
            old[i].sample = (struct rwd_user_sample){0};
        }
    }
    return sample;
}

static const struct rwd_rule *active_beside(
    const struct rwd_rulebook *rulebook, const struct rwd_rulebook_entry *canary)
{
    size_t count = 0;
    const struct rwd_rulebook_entry *entries =
        rwd_rulebook_for(rulebook, rwd_text_of(canary->rule->on[0]), &count);
    for (size_t i = 0; i < count; i++) {
        if (entries[i].rollout == canary->rule && entries[i].rule != canary->rule) {
            return entries[i].rule;
        }
    }
    return NULL;
}

void rwd_rule_watch_switched(struct rwd_rule_watch *watch, const struct rwd_ruleset *ruleset)
{
    const struct rwd_rulebook *rulebook = rwd_ruleset_rulebook(ruleset);
    struct division old[CANARY_COUNT_MAX];
    size_t old_count = watch->division_count;
    memcpy(old, watch->divisions, old_count * sizeof old[0]);
    watch->division_count = 0;
    for (size_t i = 0; i < rwd_rulebook_count(rulebook); i++) {
        const struct rwd_rule *rule = rwd_rulebook_at(rulebook, i);
        size_t count = 0;
        const struct rwd_rulebook_entry *entries =
            rwd_rulebook_for(rulebook, rwd_text_of(rule->on[0]), &count);
        for (size_t n = 0; n < count && watch->division_count < CANARY_COUNT_MAX; n++) {
            if (entries[n].rule == rule && entries[n].rollout == rule &&
                rule->version_no < RWD_RULE_COUNTER_COUNT) {
                watch->divisions[watch->division_count++] = (struct division){.canary = entries[n],
                    .active = active_beside(rulebook, &entries[n]),
                    .version_no = rule->version_no,
                    .sample = take_sample(old, old_count, &entries[n])};
            }
        }
    }
    for (size_t i = 0; i < old_count; i++) {
        rwd_user_sample_finish(&old[i].sample);
    }
    switch_shadows(watch, rulebook);
}

static bool wants(const struct rwd_rule *rule, struct rwd_text event_name)
{
    for (size_t i = 0; i < rule->on_count; i++) {
        if (rwd_text_is(event_name, rule->on[i])) {
            return true;
        }
    }
    return false;
}

/* Only by events that both versions want: by others one of them would see more players. */
static void divide(
    struct division *division, const struct rwd_event *event, uint64_t user_fingerprint)
{
    if (division->active != NULL && wants(division->canary.rule, event->name) &&
        wants(division->active, event->name)) {
        rwd_user_sample_add(&division->sample, user_fingerprint,
            rwd_rulebook_takes(&division->canary, event->user_id));
    }
}

void rwd_rule_watch_decided(struct rwd_rule_watch *watch, const struct rwd_decide_facts *facts,
    const struct rwd_event *event, uint64_t user_fingerprint, const struct rwd_player *player,
    const struct rwd_decision *decision)
{
    rwd_rule_stats_count(watch->counters, decision);
    for (size_t i = 0; i < watch->division_count; i++) {
        divide(&watch->divisions[i], event, user_fingerprint);
    }
    ask_shadows(watch, facts, event, user_fingerprint, player, decision);
}
