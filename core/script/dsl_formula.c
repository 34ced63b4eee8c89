/***
 * The DSL of a formula's file, rules/formulas/<id>/<version>.lua: it returns formula { ... }.
 *
 *   id, version    required; "win_multiple", "1.0.0"      title, owner   texts
 *   compute        required: the function
 *
 *     return formula {
 *       id = "win_multiple", version = "1.0.0",
 *       compute = function(win, bet) return bet > 0 and win / bet or 0 end,
 *     }
 *
 * A rule takes it, with its exact version, at the top of its file:
 *
 *     local win_multiple = formula "win_multiple@1.0.0"
 *     return rule { ..., score = function(event)
 *       return win_multiple(event.payload.win, event.payload.bet)
 *     end }
 *
 * A formula sees its arguments, math without random, string, table, the basic functions, money and
 * percent_of. It remembers nothing between calls, and what it does counts in the rule's call. A
 * rule takes at most 8, with 64 KiB together, a formula none.
 */
#include "base/memory.h"
#include "script/dsl.h"
#include "script/formula.h"

#include <stdio.h>
#include <string.h>

enum { REFERENCE_SIZE_MAX = RWD_RULE_ID_SIZE_MAX + RWD_RULE_VERSION_SIZE_MAX };

/* ---- shelves ---- */

static enum rwd_status find_in_rule(void *context, struct rwd_text id, struct rwd_text version,
    struct rwd_text *source, struct rwd_error *error)
{
    const struct rwd_rule *rule = context;
    for (size_t i = 0; i < rule->formula_count; i++) {
        const struct rwd_rule_formula *formula = &rule->formulas[i];
        if (rwd_text_equal(id, rwd_rule_bare_id(formula->id)) &&
            rwd_text_is(version, formula->version)) {
            *source = (struct rwd_text){.data = formula->source, .size = formula->source_size};
            return RWD_OK;
        }
    }
    return rwd_formula_unknown(id, version, (struct rwd_text){0}, error);
}

struct rwd_formula_shelf rwd_formula_shelf_of(const struct rwd_rule *rule)
{
    return (struct rwd_formula_shelf){.find = find_in_rule, .context = (void *)rule};
}

enum rwd_status rwd_formula_unknown(
    struct rwd_text id, struct rwd_text version, struct rwd_text versions, struct rwd_error *error)
{
    if (versions.size > 0) {
        return rwd_fail(error, RWD_NOT_FOUND,
            "there is no formula %.*s@%.*s; of %.*s there are %.*s", RWD_TEXT_ARGS(id),
            RWD_TEXT_ARGS(version), RWD_TEXT_ARGS(id), RWD_TEXT_ARGS(versions));
    }
    return rwd_fail(error, RWD_NOT_FOUND,
        "there is no formula '%.*s'; it belongs in formulas/%.*s/%.*s.lua", RWD_TEXT_ARGS(id),
        RWD_TEXT_ARGS(id), RWD_TEXT_ARGS(version));
}

/* ---- what a formula sees ---- */

/* math, but for random: the same arguments give the same value. */
static void push_math(lua_State *L, int environment)
{
    lua_getfield(L, environment, "math");
    lua_getfenv(L, -1);
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, -3) != 0) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_pushnil(L);
    lua_setfield(L, -2, "random");
    rwd_vm_make_read_only(L);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* Made once a VM needs it: most rules take no formula. */
static void make_environment(lua_State *L)
{
    static const char *const names[] = {"assert", "error", "ipairs", "pairs", "pcall", "select",
        "tonumber", "tostring", "type", "unpack", "string", "table", "money", "percent_of",
        "formula"};
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_FORMULA_ENVIRONMENT);
    bool made = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (made) {
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_ENVIRONMENT);
    int whole = lua_gettop(L);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        lua_getfield(L, whole, names[i]);
        lua_setfield(L, -2, names[i]);
    }
    push_math(L, whole);
    lua_setfield(L, -2, "math");
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_FORMULA_ENVIRONMENT);
    lua_pop(L, 1);
}

enum rwd_vm_slot rwd_dsl_environment(lua_State *L, const struct rwd_dsl *dsl)
{
    struct rwd_text source = dsl->source;
    bool declares =
        dsl->wanted != NULL ||
        (!dsl->want_tests && rwd_source_find_call(source, 0, RWD_TEXT("formula")) < source.size &&
            rwd_source_find_call(source, 0, RWD_TEXT("rule")) == source.size &&
            rwd_source_find_call(source, 0, RWD_TEXT("experiment")) == source.size);
    if (!declares) {
        return RWD_SLOT_ENVIRONMENT;
    }
    make_environment(L);
    return RWD_SLOT_FORMULA_ENVIRONMENT;
}

/* ---- formula { ... } ---- */

static int declare(lua_State *L, struct rwd_dsl *dsl)
{
    static const char *const keys[] = {"id", "version", "title", "owner", "compute", NULL};
    char id[RWD_FORMULA_ID_SIZE_MAX];
    char version[RWD_RULE_VERSION_SIZE_MAX];
    char reference[REFERENCE_SIZE_MAX];
    if (dsl == NULL || dsl->done || rwd_vm_of(L)->environment != RWD_SLOT_FORMULA_ENVIRONMENT) {
        return luaL_error(L, "formula { ... } belongs, once, to a file of its own, "
                             "formulas/<id>/<version>.lua");
    }
    dsl->done = true;
    lua_settop(L, 1);
    struct rwd_fields fields = rwd_fields_open(L, 1, "", keys);
    fields.source = dsl->source;
    fields.offset = rwd_source_find_call(dsl->source, 0, RWD_TEXT("formula"));
    rwd_fields_check(&fields);
    rwd_dsl_read_id(&fields, "id", true, id, sizeof id);
    rwd_fields_copy(&fields, "version", true, version, sizeof version);
    (void)snprintf(reference, sizeof reference, "%s@%s", id, version);
    if (dsl->wanted != NULL && strcmp(reference, dsl->wanted) != 0) {
        rwd_fields_fail(&fields, "id", "declares %s in the place of %s", reference, dsl->wanted);
    }
    rwd_fields_require(&fields, "compute");
    (void)rwd_dsl_take_function(&fields, "compute", RWD_SLOT_COMPUTE);
    if (dsl->rule != NULL) {
        (void)snprintf(dsl->rule->id, sizeof dsl->rule->id, RWD_FORMULA_ID_PREFIX "%s", id);
        rwd_dsl_read_version(&fields, dsl->rule);
        rwd_dsl_decides_nothing(dsl->rule);
    }
    rwd_dsl_push_declared(L);
    return 1;
}

/* ---- formula "id@version" ---- */

/* What is set aside while a formula's file is loaded in the middle of a rule's. */
struct aside {
    const char *name;
    struct rwd_text source;
    enum rwd_vm_slot environment;
    struct rwd_dsl *dsl;
    struct rwd_coverage *coverage; /* of the rule's lines */
};

static int load_wanted(lua_State *L)
{
    rwd_dsl_run_file(L, lua_touserdata(L, 1));
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_COMPUTE);
    return 1;
}

/* The function is on the stack, or what was raised; then false. */
static bool load(lua_State *L, struct rwd_dsl *dsl, const char *name)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    const struct aside aside = {
        vm->name, vm->source, vm->environment, vm->dsl, vm->limits.coverage};
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_MENTIONED);
    vm->name = name;
    vm->dsl = dsl;
    vm->limits.coverage = NULL;
    lua_pushcfunction(L, load_wanted);
    lua_pushlightuserdata(L, dsl);
    int status = lua_pcall(L, 1, 1, 0);
    vm->name = aside.name;
    vm->source = aside.source;
    vm->environment = aside.environment;
    vm->dsl = aside.dsl;
    vm->limits.coverage = aside.coverage;
    if (status == LUA_ERRMEM && vm->stop == RWD_VM_RUNS) {
        vm->stop = RWD_VM_STOP_MEMORY;
    }
    if (vm->stop != RWD_VM_RUNS) {
        (void)lua_error(L);
    }
    lua_insert(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_MENTIONED);
    return status == 0;
}

/* Whoever catches the error: a file that does without its formula today would be another rule when
 * there is one. run_file raises it again. */
static int fail(lua_State *L, struct rwd_dsl *dsl, const char *reference, const char *what)
{
    rwd_vm_push_where(L, "formula");
    (void)rwd_fail(&dsl->broken, RWD_SCRIPT, "%s%s%s%s", lua_tostring(L, -1), reference,
        reference[0] != '\0' ? ": " : "", what);
    lua_pushstring(L, dsl->broken.text);
    return lua_error(L);
}

static void record(
    struct rwd_rule *rule, struct rwd_text id, struct rwd_text version, struct rwd_text source)
{
    rule->formulas = rwd_grow(rule->formulas, (rule->formula_count + 1) * sizeof rule->formulas[0]);
    struct rwd_rule_formula *formula = &rule->formulas[rule->formula_count++];
    *formula = (struct rwd_rule_formula){
        .source = rwd_copy(source.data, source.size), .source_size = source.size};
    (void)snprintf(
        formula->id, sizeof formula->id, RWD_FORMULA_ID_PREFIX "%.*s", RWD_TEXT_ARGS(id));
    (void)snprintf(formula->version, sizeof formula->version, "%.*s", RWD_TEXT_ARGS(version));
}

/* "win_multiple@1.0.0", cut in two. */
static bool read_reference(struct rwd_text text, struct rwd_text *id, struct rwd_text *version)
{
    const char *at = memchr(text.data, '@', text.size);
    char copy[RWD_RULE_VERSION_SIZE_MAX];
    if (at == NULL) {
        return false;
    }
    *id = (struct rwd_text){.data = text.data, .size = (size_t)(at - text.data)};
    *version = (struct rwd_text){.data = at + 1, .size = text.size - id->size - 1};
    (void)snprintf(copy, sizeof copy, "%.*s", RWD_TEXT_ARGS(*version));
    return id->size < RWD_FORMULA_ID_SIZE_MAX && rwd_dsl_is_id(*id) &&
           version->size < sizeof copy && rwd_dsl_is_version(copy);
}

/* The table of those taken before, by reference. */
static void push_taken(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_FORMULAS);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_FORMULAS);
    }
}

static int take(lua_State *L, struct rwd_dsl *dsl)
{
    struct rwd_text id;
    struct rwd_text version;
    struct rwd_text source = {0};
    struct rwd_error error = {{0}};
    char name[REFERENCE_SIZE_MAX + 16];
    char reference[REFERENCE_SIZE_MAX];
    lua_settop(L, 1);
    if (!read_reference(rwd_vm_text(L, 1, "formula"), &id, &version)) {
        return fail(L, dsl, "",
            "a formula is named with its exact version, like formula \"win_multiple@1.0.0\"");
    }
    push_taken(L);
    lua_pushvalue(L, 1);
    lua_rawget(L, 2);
    if (!lua_isnil(L, -1)) {
        return 1;
    }
    if (dsl->formula_count == RWD_RULE_FORMULA_COUNT_MAX) {
        return fail(L, dsl, "", "a rule takes at most 8 formulas");
    }
    if (dsl->shelf == NULL ||
        dsl->shelf->find(dsl->shelf->context, id, version, &source, &error) != RWD_OK) {
        if (dsl->shelf == NULL) {
            (void)rwd_formula_unknown(id, version, (struct rwd_text){0}, &error);
        }
        return fail(L, dsl, "", error.text);
    }
    /* A VM is made anew after every stop, and no hook sees the compiler. */
    dsl->formula_size += source.size;
    if (dsl->formula_size > RWD_VM_SOURCE_SIZE_MAX) {
        return fail(L, dsl, "", "a rule's formulas have at most 65536 bytes together");
    }
    (void)snprintf(reference, sizeof reference, "%s", lua_tostring(L, 1));
    (void)snprintf(name, sizeof name, RWD_FORMULA_ID_PREFIX "%.*s/%.*s.lua", RWD_TEXT_ARGS(id),
        RWD_TEXT_ARGS(version));
    struct rwd_dsl wanted = {.source = source, .wanted = reference};
    if (!load(L, &wanted, name)) {
        const char *what = lua_tostring(L, -1);
        return fail(L, dsl, reference, what != NULL ? what : "raised a value instead of a text");
    }
    dsl->formula_count++;
    if (dsl->rule != NULL) {
        record(dsl->rule, id, version, source);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, 2);
    return 1;
}

int rwd_dsl_formula(lua_State *L)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    if (lua_type(L, 1) == LUA_TTABLE) {
        return declare(L, vm->dsl);
    }
    if (vm->environment == RWD_SLOT_FORMULA_ENVIRONMENT) {
        return luaL_error(L, "a formula takes no other formula: what both need stands in one");
    }
    if (vm->dsl == NULL || vm->dsl->want_tests || vm->dsl->done) {
        return luaL_error(L, "formula \"id@version\" belongs at the top of a rule's file");
    }
    return take(L, vm->dsl);
}
