/***
 * The DSL of a rule's test file: it returns tests { ... }.
 *
 *     return tests {
 *       { name = "three times the win", player = { kyc_level = 2, geo = "TR" },
 *         events = { { event_name = "bet", payload = { bet = 1, win = 2 } } },
 *         expect = { points = 6, rewards = 0 } },
 *     }
 *
 * Becomes plain data: JSON texts with sorted keys. A table with the keys 1..n is an array, an empty
 * one or one with names an object. name, events and expect are required.
 */
#include "base/memory.h"
#include "script/dsl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CASE_COUNT_MAX = 256,
    EVENT_COUNT_MAX = 256,
    DEPTH_MAX = 16,
    TEXT_SIZE_MAX = 64 << 10,
};

static void put_json(lua_State *L, int index, struct rwd_buffer *out, unsigned depth);

static void put_number(lua_State *L, double number, struct rwd_buffer *out)
{
    char text[40];
    if (!isfinite(number)) {
        (void)luaL_error(L, "tests: a number must be finite");
    }
    /* The shortest text that reads back as the same number. */
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    rwd_buffer_put_string(out, text);
}

static void put_object(lua_State *L, int index, struct rwd_buffer *out, unsigned depth)
{
    /* The sandbox's own pairs has the order. */
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_ENVIRONMENT);
    lua_getfield(L, -1, "pairs");
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    int iterator = lua_gettop(L);
    bool first = true;
    rwd_buffer_put_char(out, '{');
    for (;;) {
        lua_pushvalue(L, iterator);
        lua_call(L, 0, 2);
        if (lua_isnil(L, -2)) {
            break;
        }
        if (lua_type(L, -2) != LUA_TSTRING) {
            (void)luaL_error(L, "tests: a table is either a list or has names for keys");
        }
        struct rwd_text key;
        key.data = lua_tolstring(L, -2, &key.size);
        if (!first) {
            rwd_buffer_put_char(out, ',');
        }
        first = false;
        rwd_buffer_put_json(out, key);
        rwd_buffer_put_char(out, ':');
        put_json(L, lua_gettop(L), out, depth + 1);
        lua_pop(L, 2);
    }
    rwd_buffer_put_char(out, '}');
    lua_settop(L, iterator - 2);
}

static void put_array(lua_State *L, int index, size_t count, struct rwd_buffer *out, unsigned depth)
{
    rwd_buffer_put_char(out, '[');
    for (size_t i = 1; i <= count; i++) {
        if (i > 1) {
            rwd_buffer_put_char(out, ',');
        }
        lua_rawgeti(L, index, (int)i);
        put_json(L, lua_gettop(L), out, depth + 1);
        lua_pop(L, 1);
    }
    rwd_buffer_put_char(out, ']');
}

static void put_json(lua_State *L, int index, struct rwd_buffer *out, unsigned depth)
{
    luaL_checkstack(L, 10, NULL);
    rwd_vm_charge(L, 2);
    if (depth > DEPTH_MAX || out->size > TEXT_SIZE_MAX) {
        (void)luaL_error(L, "tests: a value is larger than %d bytes or deeper than %d",
            TEXT_SIZE_MAX, DEPTH_MAX);
    }
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        rwd_buffer_put_string(out, "null");
        break;
    case LUA_TBOOLEAN:
        rwd_buffer_put_string(out, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TNUMBER:
        put_number(L, lua_tonumber(L, index), out);
        break;
    case LUA_TSTRING:
        rwd_buffer_put_json(out, rwd_vm_text(L, index, "tests: text"));
        break;
    case LUA_TTABLE:
        if (lua_objlen(L, index) > 0) {
            put_array(L, index, lua_objlen(L, index), out, depth);
        } else {
            put_object(L, index, out, depth);
        }
        break;
    default:
        (void)luaL_error(L, "tests: a %s is no data", rwd_vm_type_name(L, index));
    }
}

void rwd_dsl_put_json(lua_State *L, int index, struct rwd_buffer *out)
{
    put_json(L, index, out, 0);
}

/* The value on top of the stack, as text of the caller's. */
static char *take_json(lua_State *L)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    vm->scratch.size = 0;
    put_json(L, lua_gettop(L), &vm->scratch, 0);
    return rwd_copy(vm->scratch.data, vm->scratch.size);
}

static char *take_field(const struct rwd_fields *fields, const char *key, const char *standard)
{
    lua_State *L = fields->L;
    lua_getfield(L, fields->table, key);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return rwd_copy(standard, strlen(standard));
    }
    if (lua_type(L, -1) != LUA_TTABLE) {
        rwd_fields_fail(fields, key, "must be a table { ... }, not a %s", rwd_vm_type_name(L, -1));
    }
    char *text = take_json(L);
    lua_pop(L, 1);
    return text;
}

static void visit_event(const struct rwd_fields *fields, const char *key, size_t i, void *context)
{
    struct rwd_rule_test_case *test = context;
    if (lua_type(fields->L, -1) != LUA_TTABLE || lua_objlen(fields->L, -1) > 0) {
        rwd_fields_fail(fields, key, "must be a list of events { { event_name = ... }, ... }");
    }
    test->events = rwd_grow(test->events, (i + 1) * sizeof test->events[0]);
    test->events[i] = NULL;
    test->event_count = i + 1;
    test->events[i] = take_json(fields->L);
}

static void read_name(const struct rwd_fields *fields, struct rwd_rule_test_case *test)
{
    struct rwd_text name = {0};
    rwd_fields_require(fields, "name");
    (void)rwd_fields_text(fields, "name", 200, &name);
    test->name = rwd_copy(name.data, name.size);
    size_t at = rwd_source_find_key(fields->source, fields->offset, RWD_TEXT("name"));
    test->line = rwd_source_line(fields->source, at < fields->source.size ? at : fields->offset);
}

/* Of a formula: its values stay what they are, in the VM. */
static void check_arguments(const struct rwd_fields *fields)
{
    lua_State *L = fields->L;
    struct rwd_text error = {0};
    rwd_fields_require(fields, "args");
    lua_getfield(L, fields->table, "args");
    lua_getfield(L, fields->table, "expect");
    if (lua_type(L, -2) != LUA_TTABLE) {
        rwd_fields_fail(
            fields, "args", "must be a list { 4, 2 }, not a %s", rwd_vm_type_name(L, -2));
    }
    if (rwd_fields_text(fields, "error", 200, &error) != lua_isnil(L, -1)) {
        rwd_fields_fail(fields, NULL, "takes one of expect = value and error = \"its words\"");
    }
    lua_pop(L, 2);
}

static void read_case(const struct rwd_fields *fields, struct rwd_rule_test_case *test)
{
    read_name(fields, test);
    test->player = take_field(fields, "player", "{}");
    rwd_fields_require(fields, "events");
    (void)rwd_fields_each(fields, "events", EVENT_COUNT_MAX, visit_event, test);
    rwd_fields_require(fields, "expect");
    test->expect = take_field(fields, "expect", "{}");
}

static int tests_call(lua_State *L)
{
    static const char *const keys[] = {"name", "player", "events", "expect", NULL};
    static const char *const keys_of_formula[] = {"name", "args", "expect", "error", NULL};
    struct rwd_dsl *dsl = rwd_vm_of(L)->dsl;
    if (dsl == NULL || !dsl->want_tests || dsl->done) {
        return luaL_error(L, "tests { ... } belongs, once, to a test file");
    }
    dsl->done = true;
    lua_settop(L, 1);
    struct rwd_fields list = rwd_fields_open(L, 1, "tests", NULL);
    list.source = dsl->source;
    list.offset = rwd_source_find_call(dsl->source, 0, RWD_TEXT("tests"));
    size_t count = lua_objlen(L, 1);
    if (count == 0 || count > CASE_COUNT_MAX) {
        rwd_fields_fail(&list, NULL, "must be a list of 1 to %d cases", CASE_COUNT_MAX);
    }
    dsl->tests->cases = rwd_new(count * sizeof dsl->tests->cases[0]);
    size_t offset = list.offset;
    for (size_t i = 0; i < count; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "tests[%zu]", i + 1);
        lua_rawgeti(L, 1, (int)i + 1);
        if (lua_type(L, -1) != LUA_TTABLE) {
            rwd_fields_fail(&list, NULL, "must be a list of cases { name = ... }");
        }
        struct rwd_fields fields =
            rwd_fields_open(L, lua_gettop(L), path, dsl->of_formula ? keys_of_formula : keys);
        fields.source = dsl->source;
        fields.offset = offset;
        rwd_fields_check(&fields);
        dsl->tests->case_count = i + 1;
        if (dsl->of_formula) {
            read_name(&fields, &dsl->tests->cases[i]);
            check_arguments(&fields);
        } else {
            read_case(&fields, &dsl->tests->cases[i]);
        }
        size_t at = rwd_source_find_key(
            dsl->source, offset, dsl->of_formula ? RWD_TEXT("args") : RWD_TEXT("expect"));
        offset = at < dsl->source.size ? at + 1 : offset;
        lua_settop(L, 1);
    }
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_CASES);
    (void)rwd_vm_new_object(L, sizeof(struct rwd_object), RWD_OBJECT_TESTS);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_OPAQUE_META);
    lua_setmetatable(L, -2);
    return 1;
}

enum rwd_status rwd_rule_tests_load(struct rwd_text source, const char *name,
    const struct rwd_sandbox_limits *limits, struct rwd_rule_tests **out, struct rwd_error *error)
{
    struct rwd_vm *vm = NULL;
    struct rwd_rule_tests *tests = rwd_new(sizeof *tests);
    struct rwd_dsl dsl = {.source = source, .tests = tests, .want_tests = true};
    enum rwd_status status = rwd_vm_create(limits, name, &vm, error);
    if (status == RWD_OK) {
        status = rwd_dsl_run(vm, &dsl, error);
    }
    rwd_vm_destroy(vm);
    if (status != RWD_OK) {
        rwd_rule_tests_destroy(tests);
        return status;
    }
    *out = tests;
    return RWD_OK;
}

void rwd_rule_tests_destroy(struct rwd_rule_tests *tests)
{
    if (tests == NULL) {
        return;
    }
    for (size_t i = 0; i < tests->case_count; i++) {
        struct rwd_rule_test_case *test = &tests->cases[i];
        for (size_t e = 0; e < test->event_count; e++) {
            rwd_free(test->events[e]);
        }
        rwd_free(test->events);
        rwd_free(test->name);
        rwd_free(test->player);
        rwd_free(test->expect);
    }
    rwd_free(tests->cases);
    rwd_free(tests);
}

void rwd_bind_tests(lua_State *L)
{
    lua_pushcfunction(L, tests_call);
    lua_setfield(L, -2, "tests");
}
