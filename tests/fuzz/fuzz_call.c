// room: script
/*
 * Every function that a rule can reach, called with any values. The functions are found by walking
 * the environment and all that hangs on it, so that a new one is called from the day it is there;
 * the input's bytes choose function, arguments and what is done with the results, which become
 * arguments in turn. A call may fail in words; it must end within its budget, keep the memory cap,
 * hand out nothing that a rule must not hold, and leave the environment as it was.
 */
#include "base/check.h"
#include "base/memory.h"
#include "script/dsl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    FUNCTION_COUNT_MAX = 256,
    NAME_SIZE_MAX = 64,
    KEPT_COUNT = 8,  /* results that later calls may take */
    STEP_COUNT = 48, /* calls of one input */
    DEPTH_MAX = 3,   /* of a table that is made up */
    OPERATION_COUNT = 13,
};

struct function {
    char name[NAME_SIZE_MAX];
    const void *pointer;
    uint64_t call_count; /* over all inputs */
};

/* What was found, in the registry under FUNCTIONS at the same index. */
struct functions {
    struct function all[FUNCTION_COUNT_MAX];
    size_t count;
};

static struct functions known; /* of the first VM; every other one must have the same */
static uint64_t calls_made;

/* A rule with something in each place a call can touch; its three functions are arguments too, and
 * when is what the language itself does with values. */
static const char source[] =
    "local LIST = { 3, 1, 2, n = { 'x' } }\n"
    "return rule { id = 'fuzz', version = '1.0.0', on = { 'bet', 'win' }, priority = 1,\n"
    "state = { s = 'x', n = 1, b = true },\n"
    "aggregates = { a = sum('payload.bet', '1d'), l = last('payload.game_id') },\n"
    "caps = { per_day = 5 }, guards = { budget = 'b', kyc_min_level = 2 },\n"
    "when = function(operation, a, b, c)\n"
    "  if operation == 1 then return a[b], a.n end\n"
    "  if operation == 2 then a[b] = c return a[b] end\n"
    "  if operation == 3 then return #a end\n"
    "  if operation == 4 then return a == b, a ~= b, not a end\n"
    "  if operation == 5 then return a < b, a <= b end\n"
    "  if operation == 6 then return a .. b end\n"
    "  if operation == 7 then return a + b, a * b, -a, a % b, a ^ b end\n"
    "  if operation == 8 then return a(b, c) end\n"
    "  if operation == 9 then for k, v in pairs(a) do b = k end return b end\n"
    "  if operation == 10 then for i, v in ipairs(a) do c = v end return c end\n"
    "  if operation == 11 then return a:has(b) end\n"
    "  if operation == 12 then return a[b][c] end\n"
    "  error('on purpose')\n"
    "end,\n"
    "score = function(...) while true do local x = { ... } end end,\n"
    "grant = function(a, b, c) return LIST, a, b, c, LIST.n end }\n";

static const char raw[] =
    "{\"event_id\":\"e\",\"event_name\":\"bet\",\"version\":\"1.0.0\",\"user\":{\"id\":\"u\","
    "\"attributes\":{\"a\":1}},\"payload\":{\"bet\":1.5,\"win\":2,\"currency\":\"EUR\","
    "\"game_id\":\"wolf\",\"list\":[1,{\"x\":null},[true,\"y\"]]}}";

/* Words that open doors: names of fields, currencies, formats and patterns. */
static const char *const words[] = {"amount", "currency", "count", "game", "wagering", "cost",
    "expires_in", "code", "percent", "rarity", "name", "text", "EUR", "JPY", "2.00", "0.005", "-1",
    "1e300", "nan", "7d", "bet", "payload.bet", "1d", "all", "id", "version", "1.0.0", "on",
    "score", "grant", "when", "milestones", "at", "reward", "guards", "budget", "kyc_min_level",
    "state", "aggregates", "caps", "per_day", "where", "geo", "TR", "active", "from",
    "2025-11-01T00:00:00Z", "events", "expect", "points", "player", "%d %s %5.2f %q %x", "%99d",
    "%n", "(%a+)=(%d*)", "[^a-z]+", "%b()", "%f[%w]", "(.-)(.-)", "a?a?a?", "^%s*$", "%1", "#", "n",
    "s", "x", "__index", "__gc", "", "\x1bLJ\x02", "has", "agg", "segments", "payload", "user",
    "attributes", "list", "a", "l", "b", "arm", "vip", "formula", "experiment", "control"};
enum { WORD_COUNT = sizeof words / sizeof words[0] };

struct input {
    const uint8_t *data;
    size_t size;
    size_t at;
    size_t steps;
    struct rwd_vm *vm;
    const struct functions *functions;
    struct rwd_dsl dsl;
    struct rwd_rule_tests *tests;
};

static unsigned byte(struct input *input)
{
    return input->at < input->size ? input->data[input->at++] : 0;
}

/* ---- finding the functions ---- */

static const char functions_key = 0; /* their place in the registry, by its address */

static void push_functions(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&functions_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

static void visit(lua_State *L, struct functions *found, const char *path, int depth);

/* The function on top of the stack. */
static void take_function(lua_State *L, struct functions *found, const char *path)
{
    const void *pointer = lua_topointer(L, -1);
    for (size_t i = 0; i < found->count; i++) {
        if (found->all[i].pointer == pointer) {
            /* The first of its names, or the walk's order would decide. */
            if (strcmp(path, found->all[i].name) < 0) {
                (void)snprintf(found->all[i].name, NAME_SIZE_MAX, "%s", path);
            }
            return;
        }
    }
    RWD_REQUIRE(found->count < FUNCTION_COUNT_MAX);
    struct function *function = &found->all[found->count++];
    (void)snprintf(function->name, sizeof function->name, "%s", path);
    function->pointer = pointer;
    push_functions(L);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, (int)found->count);
    lua_pop(L, 1);
}

/* The table on top of the stack. */
static void visit_table(lua_State *L, struct functions *found, const char *path, int depth)
{
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        char name[NAME_SIZE_MAX];
        (void)snprintf(name, sizeof name, "%s%s%s", path, path[0] != '\0' ? "." : "",
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[]");
        visit(L, found, name, depth + 1);
        lua_pop(L, 1);
    }
}

/* The value on top of the stack, and what a rule reaches from it: fields, what stands behind a
 * read-only table, what __index leads to. Not the metamethods: those a rule cannot take in hand,
 * and when calls them as the language does. */
static void visit(lua_State *L, struct functions *found, const char *path, int depth)
{
    luaL_checkstack(L, 10, NULL);
    if (depth > 6) {
        return;
    }
    if (lua_type(L, -1) == LUA_TFUNCTION) {
        take_function(L, found, path);
        return;
    }
    if (lua_type(L, -1) == LUA_TTABLE) {
        visit_table(L, found, path, depth);
    } else if (lua_type(L, -1) == LUA_TUSERDATA) {
        lua_getfenv(L, -1);
        const struct rwd_object *object = rwd_vm_object(L, -2);
        if (object != NULL && object->kind == RWD_OBJECT_READ_ONLY) {
            visit(L, found, path, depth);
        }
        lua_pop(L, 1);
    }
    if (lua_type(L, -1) != LUA_TTABLE && lua_getmetatable(L, -1)) {
        lua_getfield(L, -1, "__index");
        if (lua_type(L, -1) != LUA_TFUNCTION) {
            visit(L, found, path, depth + 1);
        }
        lua_pop(L, 2);
    }
}

static int find_functions(lua_State *L)
{
    struct functions *found = lua_touserdata(L, 1);
    static const int roots[] = {
        RWD_SLOT_ENVIRONMENT, RWD_SLOT_EVENT, RWD_SLOT_PLAYER, RWD_SLOT_STATE};
    static const char *const names[] = {"", "event", "player", "state"};
    lua_pushlightuserdata(L, (void *)(uintptr_t)&functions_key);
    lua_newtable(L);
    lua_rawset(L, LUA_REGISTRYINDEX);
    for (size_t i = 0; i < 4; i++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, roots[i]);
        visit(L, found, names[i], 0);
        lua_pop(L, 1);
    }
    lua_pushliteral(L, "");
    visit(L, found, "text", 0);
    lua_pop(L, 1);
    lua_pushnil(L);
    visit(L, found, "nil", 0);
    lua_pop(L, 1);
    return 0;
}

/* ---- making values up ---- */

static double number(struct input *input)
{
    static const double special[] = {0, -0.0, 1, -1, 2, 0.5, 1.5, -0.005, 255, 256, 65535, 65536,
        2147483647.0, 2147483648.0, -2147483648.0, 4294967296.0, 9007199254740992.0,
        9007199254740993.0, 9.3e18, 1e300, -1e300, 5e-324, 12.345, 1e9, 1e12};
    enum { SPECIAL_COUNT = sizeof special / sizeof special[0] };
    unsigned choice = byte(input) % (SPECIAL_COUNT + 6);
    switch (choice) {
    case SPECIAL_COUNT:
        return NAN;
    case SPECIAL_COUNT + 1:
        return INFINITY;
    case SPECIAL_COUNT + 2:
        return -INFINITY;
    case SPECIAL_COUNT + 3:
    case SPECIAL_COUNT + 4:
        return (int)byte(input) - 100;
    case SPECIAL_COUNT + 5: {
        uint64_t bits = 0;
        double any = 0;
        for (int i = 0; i < 8; i++) {
            bits = bits << 8 | byte(input);
        }
        memcpy(&any, &bits, sizeof any);
        return isnan(any) ? NAN : any; /* a NaN with a payload looks like another type to LuaJIT */
    }
    default:
        return special[choice];
    }
}

static void push_text(lua_State *L, struct input *input)
{
    static const size_t long_sizes[] = {63, 64, 65, 256, 257, 1000, 60000, 65536, 65537, 200000};
    char text[32];
    unsigned choice = byte(input) % 8;
    if (choice < 5) {
        lua_pushstring(L, words[byte(input) % WORD_COUNT]);
    } else if (choice < 7) {
        size_t size = byte(input) % sizeof text;
        for (size_t i = 0; i < size; i++) {
            text[i] = (char)byte(input);
        }
        lua_pushlstring(L, text, size);
    } else {
        size_t size = long_sizes[byte(input) % (sizeof long_sizes / sizeof long_sizes[0])];
        char *area = rwd_vm_work_area(L, size);
        memset(area, (int)('!' + byte(input) % 90), size);
        lua_pushlstring(L, area, size);
        lua_remove(L, -2);
    }
}

static void push_value(lua_State *L, struct input *input, int kept, int depth);

static void push_table(lua_State *L, struct input *input, int kept, int depth)
{
    unsigned list = byte(input) % 5;
    unsigned fields = byte(input) % 5;
    lua_newtable(L);
    for (unsigned i = 1; i <= list; i++) {
        push_value(L, input, kept, depth + 1);
        lua_rawseti(L, -2, (int)i);
    }
    for (unsigned i = 0; i < fields; i++) {
        if (byte(input) % 8 == 0) {
            lua_pushnumber(L, (double)(byte(input) % 50) / 2);
        } else {
            lua_pushstring(L, words[byte(input) % WORD_COUNT]);
        }
        push_value(L, input, kept, depth + 1);
        lua_rawset(L, -3);
    }
}

/* kept: where on the stack the table of earlier results is. */
static void push_value(lua_State *L, struct input *input, int kept, int depth)
{
    luaL_checkstack(L, 10, NULL);
    switch (byte(input) % 12) {
    case 0:
        lua_pushnil(L);
        break;
    case 1:
        lua_pushboolean(L, (int)byte(input) % 2);
        break;
    case 2:
    case 3:
        lua_pushnumber(L, number(input));
        break;
    case 4:
    case 5:
    case 6:
        push_text(L, input);
        break;
    case 7:
    case 8:
        if (depth < DEPTH_MAX) {
            push_table(L, input, kept, depth);
        } else {
            lua_newtable(L);
        }
        break;
    case 9:
        lua_rawgeti(L, kept, KEPT_COUNT + 1 + (int)(byte(input) % RWD_SLOT_KEPT_COUNT));
        break;
    case 10:
        push_functions(L);
        lua_rawgeti(L, -1, 1 + (int)(byte(input) % input->functions->count));
        lua_remove(L, -2);
        break;
    default:
        lua_rawgeti(L, kept, 1 + (int)(byte(input) % KEPT_COUNT));
        break;
    }
}

/* ---- calling ---- */

/* Nothing that a rule must never hold. */
static void check_result(lua_State *L, int index)
{
    int type = lua_type(L, index);
    RWD_REQUIRE(type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER ||
                type == LUA_TSTRING || type == LUA_TTABLE || type == LUA_TFUNCTION ||
                type == LUA_TUSERDATA);
    RWD_REQUIRE(type != LUA_TUSERDATA || rwd_vm_object(L, index) != NULL);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_ENVIRONMENT);
    RWD_REQUIRE(!lua_rawequal(L, -1, index));
    lua_pushvalue(L, LUA_REGISTRYINDEX);
    RWD_REQUIRE(!lua_rawequal(L, -1, index));
    lua_pop(L, 2);
    RWD_REQUIRE(type != LUA_TTABLE || !lua_getmetatable(L, index));
}

static void begin_file(struct input *input, bool want_tests)
{
    rwd_rule_destroy(input->dsl.rule);
    rwd_rule_tests_destroy(input->tests);
    input->tests = rwd_new(sizeof *input->tests);
    input->dsl = (struct rwd_dsl){.source = {.data = source, .size = sizeof source - 1},
        .rule = rwd_new(sizeof *input->dsl.rule),
        .tests = input->tests,
        .want_tests = want_tests};
}

/* One call; its results are checked, and the first is kept. */
static void step(lua_State *L, struct input *input, int kept)
{
    int base = lua_gettop(L);
    unsigned choice = byte(input);
    unsigned count = byte(input) % 5;
    /* Every other call stands inside a rule's file or a test file, every other inside a rule. */
    begin_file(input, choice % 4 == 3);
    input->vm->dsl = choice % 2 == 1 ? &input->dsl : NULL;
    size_t index = byte(input) % (input->functions->count + OPERATION_COUNT);
    if (index < input->functions->count) {
        known.all[index].call_count++;
        push_functions(L);
        lua_rawgeti(L, -1, (int)index + 1);
        lua_remove(L, -2);
    } else {
        lua_rawgeti(L, kept, KEPT_COUNT + RWD_SLOT_WHEN);
        lua_pushinteger(L, (lua_Integer)(index - input->functions->count));
        count = 3;
    }
    for (unsigned i = 0; i < count; i++) {
        push_value(L, input, kept, 0);
    }
    calls_made++;
    int status = lua_pcall(L, lua_gettop(L) - base - 1, LUA_MULTRET, 0);
    input->vm->dsl = NULL;
    if (input->vm->stop != RWD_VM_RUNS || status == LUA_ERRMEM) {
        (void)lua_error(L); /* a rule would not get any further either */
    }
    for (int i = base + 1; i <= lua_gettop(L); i++) {
        check_result(L, i);
    }
    if (lua_gettop(L) > base) {
        lua_pushvalue(L, base + 1);
        lua_rawseti(L, kept, 1 + (int)(input->steps % KEPT_COUNT));
    }
    lua_settop(L, base);
}

static int run_steps(lua_State *L)
{
    struct input *input = lua_touserdata(L, 1);
    lua_newtable(L);
    /* rule { ... } puts others in their slots. */
    for (int slot = 1; slot <= RWD_SLOT_KEPT_COUNT; slot++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, slot);
        lua_rawseti(L, -2, KEPT_COUNT + slot);
    }
    for (input->steps = 0; input->at < input->size && input->steps < STEP_COUNT; input->steps++) {
        step(L, input, 2);
    }
    return 0;
}

/* ---- one input ---- */

static uint64_t points_of(void *context, struct rwd_text rule_id)
{
    (void)context;
    return rule_id.size;
}

static struct rwd_vm *open_vm(const struct rwd_sandbox_limits *limits, const struct rwd_rule *rule)
{
    struct rwd_vm *vm = NULL;
    struct rwd_error error;
    struct rwd_dsl dsl = {.source = {.data = source, .size = sizeof source - 1}};
    if (rwd_vm_create(limits, "fuzz.lua", &vm, &error) != RWD_OK ||
        rwd_dsl_run(vm, &dsl, &error) != RWD_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        RWD_REQUIRE(!"the rule of this target loads");
    }
    for (int slot = 1; slot <= RWD_SLOT_KEPT_COUNT; slot++) {
        lua_rawgeti(vm->lua, LUA_REGISTRYINDEX, slot);
    }
    vm->rule = rule;
    return vm;
}

/* In name order, or the same input would call other functions in the next VM: hash order differs.
 */
static void sort_functions(struct rwd_vm *vm, struct functions *functions)
{
    lua_State *L = vm->lua;
    push_functions(L);
    for (size_t i = 1; i < functions->count; i++) {
        for (size_t j = i; j > 0 && strcmp(functions->all[j - 1].name, functions->all[j].name) > 0;
             j--) {
            struct function moved = functions->all[j];
            functions->all[j] = functions->all[j - 1];
            functions->all[j - 1] = moved;
            lua_rawgeti(L, -1, (int)j + 1);
            lua_rawgeti(L, -2, (int)j);
            lua_rawseti(L, -3, (int)j + 1);
            lua_rawseti(L, -2, (int)j);
        }
    }
    lua_pop(L, 1);
}

static void check_environment(struct rwd_vm *vm, const struct functions *functions)
{
    struct functions now = {.count = 0};
    struct rwd_error error;
    RWD_REQUIRE(rwd_vm_run(vm, find_functions, &now, false, &error) == RWD_OK);
    sort_functions(vm, &now);
    RWD_REQUIRE(now.count == functions->count);
    for (size_t i = 0; i < now.count; i++) {
        RWD_REQUIRE(now.all[i].pointer == functions->all[i].pointer);
    }
}

static void run_input(struct input *input, const struct rwd_sandbox_limits *limits,
    const struct rwd_rule *rule, const struct rwd_event *event, struct rwd_arena *arena)
{
    const struct rwd_profile profile = {
        .kyc_level = 2, .geo = "TR", .segment_count = 2, .segments = {"vip", "night"}};
    struct rwd_scalar aggregates[RWD_RULE_AGGREGATE_COUNT_MAX] = {0};
    struct rwd_scalar state[RWD_RULE_STATE_COUNT_MAX] = {0};
    struct functions functions = {.count = 0};
    struct rwd_error error = {{0}};
    for (size_t i = 0; i < rule->state_count; i++) {
        state[i] = rule->states[i].initial;
    }
    struct rwd_sandbox_call call = {.event = event,
        .profile = &profile,
        .user_id = RWD_TEXT("u"),
        .aggregates = aggregates,
        .state = state,
        .points = points_of,
        .seed = 1,
        .arena = arena};
    struct rwd_vm *vm = open_vm(limits, rule);
    RWD_REQUIRE(rwd_vm_run(vm, find_functions, &functions, false, &error) == RWD_OK);
    sort_functions(vm, &functions);
    if (known.count == 0) {
        known = functions;
    }
    RWD_REQUIRE(known.count == functions.count);
    vm->call = &call;
    rwd_event_views_begin(vm);
    rwd_state_begin(vm);
    input->vm = vm;
    input->functions = &functions;
    if (rwd_vm_run(vm, run_steps, input, true, &error) != RWD_OK) {
        RWD_REQUIRE(error.text[0] != '\0');
        RWD_REQUIRE(vm->stop != RWD_VM_RUNS);
    } else {
        RWD_REQUIRE(rwd_state_commit(vm, &call) == RWD_OK);
        for (size_t i = 0; i < rule->state_count; i++) {
            RWD_REQUIRE(state[i].type != RWD_SCALAR_NUMBER || isfinite(state[i].number));
            RWD_REQUIRE(state[i].text.size <= RWD_STATE_TEXT_SIZE_MAX);
        }
        check_environment(vm, &functions);
    }
    RWD_REQUIRE(vm->memory.size <= vm->memory.size_max);
    vm->call = NULL;
    vm->dsl = NULL;
    rwd_vm_destroy(vm);
    rwd_rule_destroy(input->dsl.rule);
    rwd_rule_tests_destroy(input->tests);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rwd_json_limits json_limits = {
        .depth_max = 8, .node_count_max = 64, .size_max = sizeof raw};
    const struct rwd_sandbox_limits limits = {.instruction_count_max = 50000,
        .memory_size_max = 4 << 20,
        .deadline_ms = 1000,
        .deadline_hard_ms = 1000};
    struct rwd_arena arena;
    struct rwd_event event = {.raw = {.data = raw, .size = sizeof raw - 1}};
    struct rwd_json_fault fault;
    struct rwd_rule *rule = NULL;
    struct rwd_error error;
    size_t consumed = 0;
    struct input input = {.data = data, .size = size};
    rwd_arena_init(&arena, 4096, 65536);
    RWD_REQUIRE(
        rwd_json_scan(event.raw, &json_limits, &arena, &event.json, &consumed, &fault) == RWD_OK);
    event.user = rwd_json_member(&event.json, event.json.nodes, RWD_TEXT("user"));
    event.payload = rwd_json_member(&event.json, event.json.nodes, RWD_TEXT("payload"));
    RWD_REQUIRE(rwd_rule_load((struct rwd_text){.data = source, .size = sizeof source - 1},
                    "fuzz.lua", &limits, &rule, &error) == RWD_OK);
    run_input(&input, &limits, rule, &event, &arena);
    rwd_rule_destroy(rule);
    rwd_arena_finish(&arena);
    return 0;
}
