/***
 * The DSL of an experiment's file, rules/experiments/<key>/<version>.lua: it returns
 * experiment { ... }.
 *
 *   key, version   required; "scoring_ab_2025w45", "1.0.0"      title, owner   texts
 *   unit           "user", which is also the default: the only one there is
 *   active         { from = time, to = time }, half open, event time; either may be left out
 *   eligible       as a rule's where: who may take part, looked at whenever the arm is asked for
 *   arms           { name = weight, ... }: 2 to 8, weights are whole numbers in proportion; the
 *                  control is the arm "control", or else the first by name
 *   coverage       per cent of those eligible, 0 to 100 (100): growing it moves nobody
 *   holdout        per cent kept out of every arm, 0 to 50 (0): the same users all over a group;
 *                  results compare them with those who take part
 *   group          "season", or { name = "season", from = 0, to = 50 }: per cent of the exclusion
 *                  group that are this experiment's; experiments in force must not overlap
 *   strata         list of "payer", "geo", "platform": the split is watched in each
 *   metrics        { primary = metric, guardrails = { metric, ... } }
 *
 * A metric is { event = "deposit" }: the share of users with one; { event = "bet", sum =
 * "payload.bet" }: a sum a user; { event = "bet", sum = "payload.win", per = "payload.bet" }: a sum
 * by another. name may name it. It takes what a user does from the first exposure on.
 *
 *     return experiment {
 *       key = "double_points", version = "1.0.0", strata = { "payer" },
 *       arms = { control = 50, treatment = 50 },
 *       metrics = { primary = { event = "bet", sum = "payload.bet" } },
 *     }
 *
 * A rule names the experiment and asks for the arm:
 *
 *     experiment = "double_points",
 *     score = by_arm {
 *       control = function(event, player) return event.payload.bet end,
 *       treatment = function(event, player) return 2 * event.payload.bet end,
 *     }
 */
#include "base/memory.h"
#include "domain/experiment.h"
#include "script/dsl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_MAX = 1000000, HOLDOUT_PERCENT_MAX = 50 };

static int compare_arms(const void *left, const void *right)
{
    const struct rwd_experiment_arm *a = left;
    const struct rwd_experiment_arm *b = right;
    int a_later = strcmp(a->name, "control") != 0;
    int b_later = strcmp(b->name, "control") != 0;
    return a_later != b_later ? a_later - b_later : strcmp(a->name, b->name);
}

static void read_arms(const struct rwd_fields *parent, struct rwd_experiment *experiment)
{
    struct rwd_fields fields;
    double total = 0;
    rwd_fields_require(parent, "arms");
    (void)rwd_fields_enter(parent, "arms", NULL, &fields);
    lua_State *L = fields.L;
    lua_pushnil(L);
    while (lua_next(L, fields.table) != 0) {
        size_t size = 0;
        const char *name = lua_tolstring(L, -2, &size);
        bool good = size > 0 && size < RWD_ARM_NAME_SIZE_MAX &&
                    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == size;
        if (!good) {
            rwd_fields_fail(&fields, NULL,
                "'%.40s' is no name for an arm: small letters, digits and _, at most %d", name,
                RWD_ARM_NAME_SIZE_MAX - 1);
        }
        if (strcmp(name, "otherwise") == 0) {
            rwd_fields_fail(&fields, name, "is what by_arm calls those in no arm");
        }
        if (strcmp(name, RWD_EXPERIMENT_HOLDOUT) == 0) {
            rwd_fields_fail(&fields, name, "is what results call those that holdout keeps out");
        }
        if (experiment->arm_count == RWD_EXPERIMENT_ARM_COUNT_MAX) {
            rwd_fields_fail(&fields, NULL, "are more than %d", RWD_EXPERIMENT_ARM_COUNT_MAX);
        }
        int64_t weight = 0;
        (void)rwd_fields_integer(&fields, name, 0, WEIGHT_MAX, &weight);
        struct rwd_experiment_arm *arm = &experiment->arms[experiment->arm_count++];
        (void)snprintf(arm->name, sizeof arm->name, "%s", name);
        arm->weight = (double)weight;
        total += arm->weight;
        lua_pop(L, 1);
    }
    if (experiment->arm_count < 2 || total <= 0) {
        rwd_fields_fail(
            &fields, NULL, "must be two or more, like { control = 50, treatment = 50 }");
    }
    for (size_t i = 0; i < experiment->arm_count; i++) {
        experiment->arms[i].weight /= total;
    }
    qsort(experiment->arms, experiment->arm_count, sizeof experiment->arms[0], compare_arms);
    lua_pop(L, 1);
}

static double read_percent(
    const struct rwd_fields *fields, const char *key, int64_t most, int64_t otherwise)
{
    (void)rwd_fields_integer(fields, key, 0, most, &otherwise);
    return (double)otherwise / 100;
}

static void read_group(const struct rwd_fields *parent, struct rwd_experiment *experiment)
{
    static const char *const keys[] = {"name", "from", "to", NULL};
    lua_State *L = parent->L;
    experiment->group_end = 1;
    lua_getfield(L, parent->table, "group");
    bool is_slice = lua_type(L, -1) == LUA_TTABLE;
    lua_pop(L, 1);
    if (!is_slice) {
        rwd_dsl_read_id(parent, "group", false, experiment->group, sizeof experiment->group);
        return;
    }
    struct rwd_fields fields;
    (void)rwd_fields_enter(parent, "group", keys, &fields);
    rwd_dsl_read_id(&fields, "name", true, experiment->group, sizeof experiment->group);
    experiment->group_begin = read_percent(&fields, "from", 100, 0);
    experiment->group_end = read_percent(&fields, "to", 100, 100);
    if (experiment->group_begin >= experiment->group_end) {
        rwd_fields_fail(&fields, "to", "must be more than from");
    }
    lua_pop(L, 1);
}

static void visit_stratum(const struct rwd_fields *fields, const char *key, size_t i, void *context)
{
    struct rwd_experiment *experiment = context;
    bool *strata[] = {&experiment->by_payer, &experiment->by_geo, &experiment->by_platform};
    static const char *const names[] = {"payer", "geo", "platform"};
    (void)i;
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        if (lua_type(fields->L, -1) == LUA_TSTRING &&
            strcmp(lua_tostring(fields->L, -1), names[k]) == 0) {
            *strata[k] = true;
            return;
        }
    }
    rwd_fields_fail(fields, key, "must be of \"payer\", \"geo\", \"platform\"");
}

static void read_path(const struct rwd_fields *fields, const char *key, char *out)
{
    rwd_fields_copy(fields, key, false, out, RWD_RULE_PATH_SIZE_MAX);
    if (out[0] == '.' || strstr(out, "..") != NULL ||
        (out[0] != '\0' && out[strlen(out) - 1] == '.')) {
        rwd_fields_fail(fields, key, "must be names joined by dots, like \"payload.bet\"");
    }
}

/* The table is open in fields. */
static void read_metric(const struct rwd_fields *fields, struct rwd_metric *metric)
{
    rwd_fields_check(fields);
    rwd_dsl_read_event_name(fields, "event", metric->event_name);
    read_path(fields, "sum", metric->path);
    read_path(fields, "per", metric->per_path);
    if (metric->per_path[0] != '\0' && metric->path[0] == '\0') {
        rwd_fields_fail(fields, "per", "needs sum: what is divided by it");
    }
    metric->kind = metric->per_path[0] != '\0' ? RWD_METRIC_RATIO
                   : metric->path[0] != '\0'   ? RWD_METRIC_MEAN
                                               : RWD_METRIC_CONVERSION;
    rwd_dsl_read_id(fields, "name", false, metric->name, sizeof metric->name);
    if (metric->name[0] == '\0') {
        (void)snprintf(metric->name, sizeof metric->name, "%s", metric->event_name);
    }
}

static const char *const metric_keys[] = {"name", "event", "sum", "per", NULL};

static void visit_guardrail(
    const struct rwd_fields *parent, const char *key, size_t i, void *context)
{
    struct rwd_experiment *experiment = context;
    lua_State *L = parent->L;
    if (lua_type(L, -1) != LUA_TTABLE) {
        rwd_fields_fail(parent, key, "must be a list of metrics like { event = \"refund\" }");
    }
    struct rwd_fields fields = rwd_fields_open(L, lua_gettop(L), "guardrails", metric_keys);
    fields.source = parent->source;
    fields.offset = rwd_source_find_key(parent->source, parent->offset, rwd_text_of(key));
    read_metric(&fields, &experiment->guardrails[i]);
    for (size_t other = 0; other < i; other++) {
        if (strcmp(experiment->guardrails[other].name, experiment->guardrails[i].name) == 0) {
            rwd_fields_fail(&fields, NULL, "two are called '%s': give each a name",
                experiment->guardrails[i].name);
        }
    }
    experiment->guardrail_count = i + 1;
}

static void read_metrics(const struct rwd_fields *parent, struct rwd_experiment *experiment)
{
    static const char *const keys[] = {"primary", "guardrails", NULL};
    struct rwd_fields fields;
    struct rwd_fields primary;
    rwd_fields_require(parent, "metrics");
    (void)rwd_fields_enter(parent, "metrics", keys, &fields);
    rwd_fields_require(&fields, "primary");
    (void)rwd_fields_enter(&fields, "primary", metric_keys, &primary);
    read_metric(&primary, &experiment->primary);
    lua_pop(fields.L, 1);
    lua_getfield(fields.L, fields.table, "guardrails");
    bool is_empty = lua_type(fields.L, -1) == LUA_TTABLE && lua_objlen(fields.L, -1) == 0;
    lua_pop(fields.L, 1);
    if (!is_empty) {
        (void)rwd_fields_each(
            &fields, "guardrails", RWD_EXPERIMENT_GUARDRAIL_COUNT_MAX, visit_guardrail, experiment);
    }
    lua_pop(fields.L, 1);
}

void rwd_dsl_read_experiment(const struct rwd_fields *fields, struct rwd_rule *rule)
{
    struct rwd_experiment *experiment = rwd_new(sizeof *experiment);
    rule->declares = experiment; /* the rule's from here on, so that an error leaks nothing */
    rwd_dsl_read_id(fields, "key", true, experiment->key, sizeof experiment->key);
    (void)snprintf(rule->id, sizeof rule->id, RWD_EXPERIMENT_ID_PREFIX "%s", experiment->key);
    rwd_dsl_read_version(fields, rule);
    struct rwd_text unit = RWD_TEXT("user");
    (void)rwd_fields_text(fields, "unit", 16, &unit);
    if (!rwd_text_is(unit, "user")) {
        rwd_fields_fail(fields, "unit", "must be \"user\": experiments assign users");
    }
    rwd_dsl_read_active(fields, rule);
    rwd_dsl_read_where(fields, "eligible", &rule->where);
    read_arms(fields, experiment);
    experiment->coverage = read_percent(fields, "coverage", 100, 100);
    experiment->holdout = read_percent(fields, "holdout", HOLDOUT_PERCENT_MAX, 0);
    read_group(fields, experiment);
    (void)rwd_fields_each(fields, "strata", 3, visit_stratum, experiment);
    read_metrics(fields, experiment);
    rule->kyc_min_level = -1;
    rule->rg = true;
    rule->cap_per_event = rule->cap_per_minute = RWD_CAP_NONE_SET;
    rule->cap_per_hour = rule->cap_per_day = RWD_CAP_NONE_SET;
}

int rwd_dsl_experiment(lua_State *L)
{
    static const char *const keys[] = {"key", "version", "title", "owner", "unit", "active",
        "eligible", "arms", "coverage", "holdout", "group", "strata", "metrics", NULL};
    struct rwd_dsl *dsl = rwd_vm_of(L)->dsl;
    if (dsl == NULL || dsl->want_tests || dsl->done) {
        return luaL_error(L, "experiment { ... } belongs to an experiment's file, once");
    }
    lua_settop(L, 1);
    struct rwd_fields fields = rwd_fields_open(L, 1, "", keys);
    fields.source = dsl->source;
    fields.offset = rwd_source_find_call(dsl->source, 0, RWD_TEXT("experiment"));
    rwd_fields_check(&fields);
    if (dsl->rule != NULL) {
        rwd_dsl_read_experiment(&fields, dsl->rule);
    }
    dsl->done = true;
    (void)rwd_vm_new_object(L, sizeof(struct rwd_object), RWD_OBJECT_RULE);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_OPAQUE_META);
    lua_setmetatable(L, -2);
    return 1;
}
