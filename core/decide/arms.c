#include "decide/arms.h"

#include "decide/where.h"
#include "experiment/arm.h"
#include "experiment/assign.h"

#include <string.h>

/* Exposed by an earlier rule of the same event; "": no. */
static struct rwd_text told_before(const struct rwd_arms *arms, uint32_t experiment_no)
{
    for (size_t i = 0; i < arms->exposure_count; i++) {
        if (arms->exposures[i].experiment_no == experiment_no) {
            return arms->exposures[i].arm;
        }
    }
    return (struct rwd_text){0};
}

static void put_part(struct rwd_buffer *out, const char *name, const char *value)
{
    rwd_buffer_put_format(out, "%s%s=%s", out->size > 0 ? "," : "", name, value);
}

/* What the player is counted under; unknown is a stratum too. */
static struct rwd_text stratum_of(struct rwd_arms *arms, const struct rwd_experiment *experiment)
{
    static const char *const payers[] = {[RWD_UNKNOWN] = "", [RWD_NO] = "no", [RWD_YES] = "yes"};
    const struct rwd_profile *profile = arms->profile;
    struct rwd_buffer text = {0};
    struct rwd_text stratum = {0};
    if (experiment->by_payer) {
        put_part(&text, "payer", payers[profile->payer]);
    }
    if (experiment->by_geo) {
        put_part(&text, "geo", profile->geo);
    }
    if (experiment->by_platform) {
        put_part(&text, "platform", profile->platform);
    }
    if (text.size > 0) {
        stratum.data = rwd_arena_copy(arms->arena, text.data, text.size);
        stratum.size = stratum.data != NULL ? text.size : 0;
        arms->full |= stratum.data == NULL;
    }
    rwd_buffer_finish(&text);
    return stratum;
}

static void expose(struct rwd_arms *arms, const struct rwd_rule *rule, struct rwd_text arm)
{
    if (arms->exposure_count == arms->exposure_capacity) {
        size_t wider = arms->exposure_capacity == 0 ? 4 : 2 * arms->exposure_capacity;
        struct rwd_exposure *moved =
            rwd_arena_alloc(arms->arena, wider * sizeof arms->exposures[0]);
        if (moved == NULL) {
            arms->full = true;
            return;
        }
        if (arms->exposure_count > 0) {
            memcpy(moved, arms->exposures, arms->exposure_count * sizeof moved[0]);
        }
        arms->exposures = moved;
        arms->exposure_capacity = wider;
    }
    arms->exposures[arms->exposure_count++] = (struct rwd_exposure){.experiment_no = rule->rule_no,
        .version_no = rule->version_no,
        .arm = arm,
        .stratum = stratum_of(arms, rule->declares)};
}

/* The held-out hear nothing: to a rule they are in no arm. */
static struct rwd_text tell(struct rwd_arms *arms, const struct rwd_rule *rule, struct rwd_text arm)
{
    arms->asked = arm;
    arms->asked_version_no = rule->version_no;
    if (rwd_text_is(arm, RWD_EXPERIMENT_HOLDOUT)) {
        return (struct rwd_text){0};
    }
    return arm;
}

struct rwd_text rwd_arms_tell(struct rwd_arms *arms, struct rwd_text key)
{
    const struct rwd_rule *rule = rwd_rulebook_experiment(arms->rulebook, key);
    enum rwd_rule_verdict refusal = RWD_RULE_FIRED;
    arms->asked = (struct rwd_text){0};
    arms->asked_version_no = 0;
    if (rule == NULL || rule->suspended ||
        !rwd_where_holds(rule, arms->event, arms->profile, &refusal)) {
        return arms->asked;
    }
    struct rwd_text told = told_before(arms, rule->rule_no);
    if (told.size > 0) {
        return tell(arms, rule, told);
    }
    const char *known = rwd_player_arm(arms->player, rule->rule_no);
    int arm = rwd_experiment_arm(rule->declares, arms->event->user_id, known);
    if (arm == RWD_ASSIGN_NOWHERE) {
        return arms->asked;
    }
    told = arm == RWD_EXPERIMENT_HELD_OUT ? RWD_TEXT(RWD_EXPERIMENT_HOLDOUT)
                                          : rwd_text_of(rule->declares->arms[arm].name);
    if (known[0] == '\0') {
        expose(arms, rule, told);
    }
    return tell(arms, rule, told);
}
