#include "engine/keeper_uses.h"

#include "domain/experiment.h"
#include "experiment/arm.h"

#include <stdio.h>
#include <string.h>

enum { ID_SIZE_MAX = RWD_RULE_ID_SIZE_MAX + sizeof(RWD_EXPERIMENT_ID_PREFIX) };

/* ---- formulas ---- */

static bool is_formula(const char *rule_id, struct rwd_text id)
{
    return rwd_rule_kind_of(rwd_text_of(rule_id)) == RWD_KIND_FORMULA &&
           rwd_text_equal(id, rwd_rule_bare_id(rule_id));
}

static const struct rwd_keeper_arrival *arriving(
    const struct rwd_keeper_outlook *outlook, const char *rule_id, struct rwd_text version)
{
    for (size_t i = 0; i < outlook->arrival_count; i++) {
        const struct rwd_keeper_arrival *arrival = &outlook->arrivals[i];
        if (strcmp(arrival->rule_id, rule_id) == 0 && rwd_text_is(version, arrival->version)) {
            return arrival;
        }
    }
    return NULL;
}

/* Those there are, and those that come in. */
static enum rwd_status unknown(const struct rwd_keeper_outlook *outlook, struct rwd_text id,
    struct rwd_text version, struct rwd_error *error)
{
    struct rwd_buffer known = {0};
    for (size_t i = 0; i < outlook->versions->count; i++) {
        const struct rwd_directory_entry *names = &outlook->versions->all[i].names;
        if (is_formula(names->rule_id, id)) {
            rwd_buffer_put_format(&known, "%s%s", known.size > 0 ? ", " : "", names->version);
        }
    }
    for (size_t i = 0; i < outlook->arrival_count; i++) {
        const struct rwd_keeper_arrival *arrival = &outlook->arrivals[i];
        if (is_formula(arrival->rule_id, id) &&
            rwd_keeper_version_find(outlook->versions, rwd_text_of(arrival->rule_id),
                rwd_text_of(arrival->version)) == NULL) {
            rwd_buffer_put_format(&known, "%s%s", known.size > 0 ? ", " : "", arrival->version);
        }
    }
    enum rwd_status status = rwd_formula_unknown(id, version, rwd_buffer_text(&known), error);
    rwd_buffer_finish(&known);
    return status;
}

static enum rwd_status find(void *context, struct rwd_text id, struct rwd_text version,
    struct rwd_text *source, struct rwd_error *error)
{
    const struct rwd_keeper_outlook *outlook = context;
    char rule_id[ID_SIZE_MAX];
    (void)snprintf(rule_id, sizeof rule_id, RWD_FORMULA_ID_PREFIX "%.*s", RWD_TEXT_ARGS(id));
    const struct rwd_keeper_version *known =
        rwd_keeper_version_find(outlook->versions, rwd_text_of(rule_id), version);
    const struct rwd_keeper_arrival *arrival = arriving(outlook, rule_id, version);
    if (known != NULL) {
        *source = (struct rwd_text){.data = known->source, .size = known->source_size};
        return RWD_OK;
    }
    if (arrival == NULL) {
        return unknown(outlook, id, version, error);
    }
    if (arrival->rule == NULL) {
        return rwd_fail(error, RWD_NOT_FOUND, "formula %.*s@%.*s comes with it and is refused",
            RWD_TEXT_ARGS(id), RWD_TEXT_ARGS(version));
    }
    *source = (struct rwd_text){.data = arrival->rule->source, .size = arrival->rule->source_size};
    return RWD_OK;
}

struct rwd_formula_shelf rwd_keeper_shelf(const struct rwd_keeper_outlook *outlook)
{
    return (struct rwd_formula_shelf){.find = find, .context = (void *)outlook};
}

/* ---- what a version names ---- */

static bool is_known_experiment(const struct rwd_keeper_outlook *outlook, const char *key)
{
    char id[ID_SIZE_MAX];
    int size = snprintf(id, sizeof id, RWD_EXPERIMENT_ID_PREFIX "%s", key);
    bool known = rwd_keeper_rule_no(
                     outlook->versions, (struct rwd_text){.data = id, .size = (size_t)size}) != 0;
    for (size_t i = 0; !known && i < outlook->arrival_count; i++) {
        known = strcmp(outlook->arrivals[i].rule_id, id) == 0;
    }
    return known;
}

enum rwd_status rwd_keeper_check_uses(
    const struct rwd_keeper_outlook *outlook, const struct rwd_rule *rule, struct rwd_error *error)
{
    for (size_t i = 0; i < rule->formula_count; i++) {
        const struct rwd_rule_formula *formula = &rule->formulas[i];
        struct rwd_text version = rwd_text_of(formula->version);
        const struct rwd_keeper_version *known =
            rwd_keeper_version_find(outlook->versions, rwd_text_of(formula->id), version);
        if (known != NULL && known->state == RWD_KEEPER_RETIRED &&
            arriving(outlook, formula->id, version) == NULL) {
            return rwd_fail(error, RWD_CONFLICT,
                "%s: %s@%s, which it takes, is retired; activate that first", rule->source_name,
                formula->id, formula->version);
        }
    }
    if (rule->experiment[0] != '\0' && !is_known_experiment(outlook, rule->experiment)) {
        return rwd_fail(error, RWD_NOT_FOUND,
            "%s: there is no experiment '%s'; it belongs in experiments/%s/<version>.lua",
            rule->source_name, rule->experiment, rule->experiment);
    }
    return RWD_OK;
}

/* Another version of the same id comes into force in its place. */
static bool is_replaced(const struct rwd_keeper_outlook *outlook, const char *rule_id)
{
    bool replaced = false;
    for (size_t i = 0; i < outlook->arrival_count && !replaced; i++) {
        replaced =
            outlook->arrivals[i].activates && strcmp(outlook->arrivals[i].rule_id, rule_id) == 0;
    }
    return replaced;
}

static enum rwd_status check_pair(
    const struct rwd_rule *rule, const struct rwd_rule *other, struct rwd_error *error)
{
    if (other == NULL || other->declares == NULL ||
        !rwd_experiments_collide(rule->declares, other->declares)) {
        return RWD_OK;
    }
    return rwd_fail(error, RWD_CONFLICT,
        "%s: experiment '%s' is in force and has %.0f to %.0f %% of group '%s'; give this one "
        "another slice: group = { name = \"%s\", from = ..., to = ... }",
        rule->source_name, other->declares->key, 100 * other->declares->group_begin,
        100 * other->declares->group_end, rule->declares->group, rule->declares->group);
}

enum rwd_status rwd_keeper_check_group(
    const struct rwd_keeper_outlook *outlook, const struct rwd_rule *rule, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    if (rule->declares == NULL) {
        return RWD_OK;
    }
    for (size_t i = 0; status == RWD_OK && i < outlook->versions->count; i++) {
        const struct rwd_keeper_version *other = &outlook->versions->all[i];
        if (rwd_keeper_in_force(other) && other->shared != NULL &&
            !is_replaced(outlook, other->names.rule_id)) {
            status = check_pair(rule, rwd_shared_rule_get(other->shared), error);
        }
    }
    for (size_t i = 0; status == RWD_OK && i < outlook->arrival_count; i++) {
        if (outlook->arrivals[i].activates) {
            status = check_pair(rule, outlook->arrivals[i].rule, error);
        }
    }
    return status;
}

/* ---- what is named ---- */

bool rwd_keeper_uses(
    const struct rwd_keeper_version *version, const struct rwd_keeper_version *used)
{
    const struct rwd_rule *rule = rwd_keeper_in_force(version) && version->shared != NULL
                                      ? rwd_shared_rule_get(version->shared)
                                      : NULL;
    enum rwd_rule_kind kind = rwd_keeper_kind(used);
    if (rule == NULL || kind == RWD_KIND_RULE) {
        return false;
    }
    if (kind == RWD_KIND_EXPERIMENT) {
        return rwd_keeper_in_force(used) &&
               rwd_text_is(rwd_rule_bare_id(used->names.rule_id), rule->experiment);
    }
    for (size_t i = 0; i < rule->formula_count; i++) {
        if (strcmp(rule->formulas[i].id, used->names.rule_id) == 0 &&
            strcmp(rule->formulas[i].version, used->names.version) == 0) {
            return true;
        }
    }
    return false;
}

enum rwd_status rwd_keeper_check_unused(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_version *version, struct rwd_error *error)
{
    for (size_t i = 0; i < versions->count; i++) {
        const struct rwd_directory_entry *user = &versions->all[i].names;
        if (rwd_keeper_uses(&versions->all[i], version)) {
            struct rwd_text id = rwd_rule_bare_id(version->names.rule_id);
            return rwd_fail(error, RWD_CONFLICT,
                "%s '%.*s' is used by rule %s@%s, which is in force",
                rwd_rule_kind_name(rwd_keeper_kind(version)), RWD_TEXT_ARGS(id), user->rule_id,
                user->version);
        }
    }
    return RWD_OK;
}
