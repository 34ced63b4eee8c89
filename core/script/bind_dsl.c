/***
 * The DSL of a rule's file: it returns rule { ... }.
 *
 *   id, version           required; "points_winmult", "2.0.0"        title, owner   texts
 *   on                    required; an event name or a list
 *   active                { from = time, to = time }, half open, either may be left out
 *   where                 { geo, platform, payer, segment, currency, weekday, hour }, each a value
 * or a list; checked before any function is called when, score, grant    functions of (event,
 * player, state) caps                  { per_event, per_minute, per_hour, per_day } of points
 *   milestones            list of { at = points, reward = reward }
 *   guards                { kyc_min_level = 0..3, rg = true, budget = pool, geo = list }
 *   state, aggregates     what is remembered of a player; priority  larger goes first
 *   order                 "arrival", or "event_time": each event waits for the reorder window, and
 * the rule sees them in the order of their times
 *   experiment            key of the one whose arms player.arm() and by_arm { ... } tell: by_arm
 * makes a function of a part for each arm, functions or plain values: score = by_arm { control = 1,
 * treatment = 2 }; players in no arm get the part "otherwise", or else the control's
 *
 *     return rule {
 *       id = "ten_bets", version = "1.0.0", on = "bet",
 *       aggregates = { bets = count("1d") },
 *       grant = function(event, player)
 *         if player.agg.bets == 10 then return badge { name = "ten" } end
 *       end,
 *     }
 *
 * formula "id@version" at the top of the file takes a formula: see dsl_formula.c.
 *
 * Aggregates: count(window), sum(path, window), min(path, window), max(path, window),
 * last(path [, window]); windows are "1m" "1h" "1d" "7d" "all", by UTC and event time.
 *
 * A rule that pays must name guards.budget, and one that pays cash a guards.kyc_min_level of at
 * least 1; guards.rg = false is only for rules that pay nothing. Unknown fields are errors.
 */
#include "script/dsl.h"

#include <string.h>

/* scripts/by_arm.lua, embedded by CMake. */
extern const char rwd_script_by_arm[];
extern const size_t rwd_script_by_arm_size;

static int make_aggregate(
    lua_State *L, enum rwd_aggregate_operation operation, bool path_needed, const char *name)
{
    static const char *const windows[] = {"1m", "1h", "1d", "7d", "all", NULL};
    int window_index = path_needed ? 2 : 1;
    lua_settop(L, window_index);
    struct rwd_aggregate_object *made = rwd_vm_new_object(L, sizeof *made, RWD_OBJECT_AGGREGATE);
    made->operation = operation;
    made->window = RWD_WINDOW_ALL;
    if (path_needed) {
        struct rwd_text path = rwd_vm_text(L, 1, name);
        bool good = path.size > 0 && path.size < sizeof made->path;
        for (size_t i = 0; good && i < path.size; i++) {
            char c = path.data[i];
            bool dot = c == '.';
            good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_' || c == '-' ||
                   (dot && i > 0 && i + 1 < path.size && path.data[i - 1] != '.');
        }
        if (!good) {
            return luaL_error(
                L, "%s: the path must be names joined by dots, like \"payload.bet\"", name);
        }
        memcpy(made->path, path.data, path.size);
    }
    if (!lua_isnil(L, window_index)) {
        struct rwd_text window = rwd_vm_text(L, window_index, name);
        int i = 0;
        while (windows[i] != NULL && !rwd_text_is(window, windows[i])) {
            i++;
        }
        if (windows[i] == NULL) {
            return luaL_error(
                L, "%s: the window must be \"1m\", \"1h\", \"1d\", \"7d\" or \"all\"", name);
        }
        made->window = (enum rwd_window)i;
    } else if (operation != RWD_AGGREGATE_LAST) {
        return luaL_error(
            L, "%s: a window is needed: \"1m\", \"1h\", \"1d\", \"7d\" or \"all\"", name);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_OPAQUE_META);
    lua_setmetatable(L, -2);
    return 1;
}

static int make_count(lua_State *L)
{
    return make_aggregate(L, RWD_AGGREGATE_COUNT, false, "count");
}

static int make_sum(lua_State *L)
{
    return make_aggregate(L, RWD_AGGREGATE_SUM, true, "sum");
}

static int make_min(lua_State *L)
{
    return make_aggregate(L, RWD_AGGREGATE_MIN, true, "min");
}

static int make_max(lua_State *L)
{
    return make_aggregate(L, RWD_AGGREGATE_MAX, true, "max");
}

static int make_last(lua_State *L)
{
    return make_aggregate(L, RWD_AGGREGATE_LAST, true, "last");
}

/* The function on top: not the sandbox's, and no formula itself. by_arm's are as good as its own.
 */
static bool is_of_this_file(lua_State *L)
{
    lua_Debug debug;
    lua_pushvalue(L, -1);
    (void)lua_getinfo(L, ">S", &debug);
    return strcmp(debug.source, "=by_arm") == 0 ||
           (debug.source[0] == '@' && strcmp(debug.source + 1, rwd_vm_of(L)->name) == 0);
}

bool rwd_dsl_take_function(const struct rwd_fields *fields, const char *key, enum rwd_vm_slot slot)
{
    lua_State *L = fields->L;
    lua_getfield(L, fields->table, key);
    bool there = !lua_isnil(L, -1);
    if (there && lua_type(L, -1) != LUA_TFUNCTION) {
        rwd_fields_fail(fields, key, "must be a function, not a %s", rwd_vm_type_name(L, -1));
    }
    if (there && !is_of_this_file(L)) {
        rwd_fields_fail(fields, key, "must be a function written in this file");
    }
    lua_rawseti(L, LUA_REGISTRYINDEX, (int)slot);
    return there;
}

bool rwd_dsl_pays(const struct rwd_reward *reward)
{
    switch (reward->kind) {
    case RWD_REWARD_CASH:
    case RWD_REWARD_BONUS_CASH:
    case RWD_REWARD_FREESPINS:
    case RWD_REWARD_COUPON:
    case RWD_REWARD_LOOT:
        return true;
    default:
        return reward->has_cost;
    }
}

static const char *broken_law(const struct rwd_rule *rule, bool pays, bool cash)
{
    if (pays && rule->budget[0] == '\0') {
        return "a rule that pays must name guards.budget";
    }
    if (pays && !rule->rg) {
        return "guards.rg = false is only for rules that pay nothing";
    }
    if (cash && rule->kyc_min_level < 1) {
        return "a rule that pays cash must name guards.kyc_min_level, at least 1";
    }
    return NULL;
}

const char *rwd_dsl_broken_law(const struct rwd_rule *rule, const struct rwd_reward *reward)
{
    return broken_law(rule, rwd_dsl_pays(reward), reward->kind == RWD_REWARD_CASH);
}

/* What grant will return is known only when it runs, but it can return no cash where the file never
 * mentions cash: a constructor is reached by its name alone. */
static void check_laws(const struct rwd_fields *fields, const struct rwd_rule *rule)
{
    static const char *const paying[] = {"cash", "bonus_cash", "freespins", "coupon", "loot"};
    if (rule->experiment[0] == '\0' && rwd_vm_mentions(fields->L, "by_arm")) {
        rwd_fields_fail(fields, "experiment", "must be named: by_arm asks for its arms");
    }
    for (size_t i = 0; i < rule->milestone_count; i++) {
        const char *law = rwd_dsl_broken_law(rule, &rule->milestones[i].reward);
        if (law != NULL) {
            rwd_fields_fail(fields, "milestones", "%s", law);
        }
    }
    for (size_t i = 0; rule->has_grant && i < sizeof paying / sizeof paying[0]; i++) {
        const char *law = rwd_vm_mentions(fields->L, paying[i])
                              ? broken_law(rule, true, strcmp(paying[i], "cash") == 0)
                              : NULL;
        if (law != NULL) {
            rwd_fields_fail(fields, "grant", "%s", law);
        }
    }
}

static int rule_call(lua_State *L)
{
    static const char *const keys[] = {"id", "version", "title", "owner", "on", "active", "where",
        "when", "score", "grant", "caps", "milestones", "guards", "experiment", "state",
        "aggregates", "priority", "order", NULL};
    struct rwd_dsl *dsl = rwd_vm_of(L)->dsl;
    if (dsl == NULL || dsl->want_tests || dsl->done) {
        return luaL_error(L, dsl != NULL && dsl->done
                                 ? "one file is one rule: rule { ... } was called twice"
                                 : "rule { ... } belongs to a rule's file");
    }
    /* Also where it fails: a rule that is half read is not read on, whoever catches the error. */
    dsl->done = true;
    lua_settop(L, 1);
    struct rwd_fields fields = rwd_fields_open(L, 1, "", keys);
    fields.source = dsl->source;
    fields.offset = rwd_source_find_call(dsl->source, 0, RWD_TEXT("rule"));
    rwd_fields_check(&fields);
    bool has_when = rwd_dsl_take_function(&fields, "when", RWD_SLOT_WHEN);
    bool has_score = rwd_dsl_take_function(&fields, "score", RWD_SLOT_SCORE);
    bool has_grant = rwd_dsl_take_function(&fields, "grant", RWD_SLOT_GRANT);
    if (dsl->rule != NULL) {
        dsl->rule->has_when = has_when;
        dsl->rule->has_score = has_score;
        dsl->rule->has_grant = has_grant;
        rwd_dsl_read_rule(&fields, dsl->rule);
        check_laws(&fields, dsl->rule);
    }
    rwd_dsl_push_declared(L);
    return 1;
}

void rwd_dsl_push_declared(lua_State *L)
{
    (void)rwd_vm_new_object(L, sizeof(struct rwd_object), RWD_OBJECT_RULE);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_OPAQUE_META);
    lua_setmetatable(L, -2);
}

void rwd_dsl_run_file(lua_State *L, struct rwd_dsl *dsl)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    enum rwd_object_kind wanted = dsl->want_tests ? RWD_OBJECT_TESTS : RWD_OBJECT_RULE;
    vm->environment = rwd_dsl_environment(L, dsl);
    bool is_formula = vm->environment == RWD_SLOT_FORMULA_ENVIRONMENT;
    rwd_vm_load(L, dsl->source);
    lua_call(L, 0, 1);
    if (dsl->broken.text[0] != '\0') {
        (void)luaL_error(L, "%s", dsl->broken.text);
    }
    const struct rwd_object *object = rwd_vm_object(L, -1);
    if (object == NULL || object->kind != wanted) {
        (void)luaL_error(L, "%s:%d: the file must end with return %s { ... }", vm->name,
            rwd_source_line(dsl->source, dsl->source.size),
            dsl->want_tests ? "tests"
            : is_formula    ? "formula"
                            : "rule");
    }
    if (is_formula) {
        rwd_vm_freeze(L, RWD_SLOT_COMPUTE, RWD_SLOT_COMPUTE);
    } else if (!dsl->want_tests) {
        rwd_vm_freeze(L, RWD_SLOT_WHEN, RWD_SLOT_GRANT);
    }
}

static int run_file(lua_State *L)
{
    rwd_dsl_run_file(L, lua_touserdata(L, 1));
    return 0;
}

enum rwd_status rwd_dsl_run(struct rwd_vm *vm, struct rwd_dsl *dsl, struct rwd_error *error)
{
    vm->dsl = dsl;
    enum rwd_status status = rwd_vm_run(vm, run_file, dsl, true, error);
    vm->dsl = NULL;
    return status;
}

/* In trusted Lua: a closure over the parts, which freeze looks into like into any other. */
static void bind_by_arm(lua_State *L)
{
    if (luaL_loadbufferx(L, rwd_script_by_arm, rwd_script_by_arm_size, "=by_arm", "t") != 0) {
        (void)lua_error(L);
    }
    lua_pushvalue(L, -2);
    (void)lua_setfenv(L, -2);
    lua_call(L, 0, 1);
    lua_setfield(L, -2, "by_arm");
}

void rwd_bind_dsl(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"rule", rule_call},
        {"experiment", rwd_dsl_experiment},
        {"formula", rwd_dsl_formula},
        {"count", make_count},
        {"sum", make_sum},
        {"min", make_min},
        {"max", make_max},
        {"last", make_last},
        {NULL, NULL},
    };
    for (const luaL_Reg *function = functions; function->name != NULL; function++) {
        lua_pushcfunction(L, function->func);
        lua_setfield(L, -2, function->name);
    }
    bind_by_arm(L);
}
