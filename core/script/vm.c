#include "script/vm.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/memory.h"
#include "script/fields.h"

#include <luajit.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    VM_MAGIC = 0x564d3031,
    OBJECT_MAGIC = 0x4f424a31,
    MEMORY_SIZE_MIN = 1 << 20,
    COMPILE_DEADLINES = 3,
    UNWIND_UNITS = 50, /* an error that is caught takes about a microsecond of unwinding */
};

struct rwd_sandbox_limits rwd_sandbox_limits_default(void)
{
    return (struct rwd_sandbox_limits){.instruction_count_max = 100000,
        .memory_size_max = 16 << 20,
        .deadline_ms = 5,
        .deadline_hard_ms = 20};
}

/* "rules/a/1.0.0.lua:12: " of the innermost function that stands in a rule's file. */
static void where_in_rule(lua_State *L, char *out, size_t size)
{
    lua_Debug frame;
    out[0] = '\0';
    for (int level = 0; level < 16 && lua_getstack(L, level, &frame) == 1; level++) {
        if (lua_getinfo(L, "Sl", &frame) != 0 && frame.source[0] == '@' && frame.currentline > 0) {
            (void)snprintf(out, size, "%s:%d: ", frame.short_src, frame.currentline);
            return;
        }
    }
}

static void hook(lua_State *L, lua_Debug *debug);

/* Notes once why and where a call must end. */
static void note_stop(struct rwd_vm *vm, enum rwd_vm_stop why, const char *where)
{
    vm->stop = why;
    if (why == RWD_VM_STOP_INSTRUCTIONS) {
        (void)snprintf(vm->stop_text, sizeof vm->stop_text,
            "%sstopped: more than %u instructions in one call", where,
            vm->limits.instruction_count_max);
    } else {
        bool hard = why == RWD_VM_STOP_HARD;
        (void)snprintf(vm->stop_text, sizeof vm->stop_text,
            "%sstopped: more than %u ms in one call%s", where,
            hard ? vm->limits.deadline_hard_ms : vm->limits.deadline_ms,
            hard ? ", the hard limit" : "");
    }
}

__attribute__((noreturn)) static void stop(lua_State *L, enum rwd_vm_stop why)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    if (vm->stop == RWD_VM_RUNS) {
        char where[128];
        where_in_rule(L, where, sizeof where);
        note_stop(vm, why, where);
        (void)lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    }
    lua_pushliteral(L, "stopped");
    (void)lua_error(L);
    __builtin_unreachable();
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    (void)clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* The deadline that has passed, if any. The clock that is cheap to read says when the one that is
 * fair is worth a system call; a call of less than one grain needs neither. */
static enum rwd_vm_stop look_at_clock(struct rwd_vm *vm)
{
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    int64_t soft_ns = (int64_t)vm->limits.deadline_ms * 1000000;
    int64_t hard_ns = (int64_t)vm->limits.deadline_hard_ms * 1000000;
    if (!vm->timed) {
        vm->timed = true;
        vm->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        vm->monotonic_ns = now_ns + soft_ns;
        return RWD_VM_RUNS;
    }
    if (now_ns < vm->monotonic_ns) {
        return RWD_VM_RUNS;
    }
    int64_t used_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - vm->cpu_ns;
    vm->monotonic_ns = now_ns + soft_ns - used_ns;
    if (hard_ns >= soft_ns && used_ns >= hard_ns) {
        return RWD_VM_STOP_HARD;
    }
    return used_ns >= soft_ns ? RWD_VM_STOP_DEADLINE : RWD_VM_RUNS;
}

/* For tests: C that keeps the processor busy past the hard deadline. */
static void stall(const struct rwd_vm *vm)
{
    int64_t until_ns =
        clock_ns(CLOCK_THREAD_CPUTIME_ID) + (int64_t)vm->limits.deadline_hard_ms * 1000000;
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until_ns) {
    }
}

static void account(lua_State *L, struct rwd_vm *vm, size_t units)
{
    uint32_t before = vm->used;
    vm->used = units > UINT32_MAX - before ? UINT32_MAX : before + (uint32_t)units;
    if (vm->stop != RWD_VM_RUNS || vm->used > vm->limits.instruction_count_max) {
        stop(L, RWD_VM_STOP_INSTRUCTIONS);
    }
    if (before / vm->grain != vm->used / vm->grain) {
        enum rwd_vm_stop passed = look_at_clock(vm);
        if (passed != RWD_VM_RUNS) {
            stop(L, passed);
        }
    }
}

/* Of the rule's own file: the sandbox's Lua runs under the same hook. */
static void note_line(lua_State *L, const struct rwd_vm *vm, lua_Debug *debug)
{
    if (lua_getinfo(L, "S", debug) != 0 && debug->source[0] == '@' &&
        strcmp(debug->source + 1, vm->name) == 0) {
        rwd_coverage_note(vm->limits.coverage, debug->currentline, RWD_COVERAGE_RAN);
    }
}

static void hook(lua_State *L, lua_Debug *debug)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    if (debug->event == LUA_HOOKLINE) {
        note_line(L, vm, debug);
        return;
    }
    account(L, vm, vm->grain);
}

static void set_hook(struct rwd_vm *vm, uint32_t grain)
{
    int lines = vm->limits.coverage != NULL ? LUA_MASKLINE : 0;
    vm->grain = grain;
    (void)lua_sethook(vm->lua, hook, LUA_MASKCOUNT | lines, (int)grain);
}

/* Setting the hook anew restarts its count, so what ran since the last one is booked as if it were
 * all of it: the same on every run. */
void rwd_vm_note_large(struct rwd_vm *vm)
{
    if (vm->lua == NULL || vm->grain == RWD_VM_GRAIN_LARGE || vm->stop != RWD_VM_RUNS ||
        lua_gethookmask(vm->lua) == 0) {
        return;
    }
    vm->large_kept |= vm->rule == NULL;
    vm->used = vm->used > UINT32_MAX - vm->grain ? UINT32_MAX : vm->used + vm->grain;
    set_hook(vm, RWD_VM_GRAIN_LARGE);
}

void rwd_vm_charge(lua_State *L, size_t units)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    if (lua_gethookmask(L) != 0) {
        account(L, vm, units);
    }
}

uint32_t rwd_vm_units_left(const struct rwd_vm *vm)
{
    return vm->used < vm->limits.instruction_count_max ? vm->limits.instruction_count_max - vm->used
                                                       : 0;
}

static void begin(struct rwd_vm *vm)
{
    vm->used = 0;
    vm->timed = false;
    vm->pcall_depth = 0;
    vm->memory.call_bytes = 0;
    /* Setting the hook anew also restarts its count: hence the same number on every run. */
    set_hook(vm, vm->large_kept ? RWD_VM_GRAIN_LARGE : RWD_VM_GRAIN);
}

void rwd_vm_push_where(lua_State *L, const char *callee)
{
    const struct rwd_vm *vm = rwd_vm_of(L);
    luaL_where(L, 1);
    if (lua_objlen(L, -1) > 0 || callee == NULL || vm->source.data == NULL) {
        return;
    }
    struct rwd_text name = rwd_text_of(callee);
    size_t first = rwd_source_find_call(vm->source, 0, name);
    if (first < vm->source.size &&
        rwd_source_find_call(vm->source, first + name.size, name) == vm->source.size) {
        lua_pop(L, 1);
        lua_pushfstring(L, "%s:%d: ", vm->name, rwd_source_line(vm->source, first));
    }
}

/* A tail call leaves no trace, so its error may name no line: then the function's first one. */
static void explain_text(struct rwd_vm *vm, const char *text, struct rwd_error *error)
{
    lua_Debug debug = {0};
    size_t size = strlen(vm->name);
    const char *tail = vm->name + (size > 40 ? size - 40 : 0);
    const char *found = strstr(text, tail);
    if (found != NULL && found[strlen(tail)] == ':') {
        (void)rwd_fail(error, RWD_SCRIPT, "%s", text);
        return;
    }
    int line = 1;
    if (vm->running != 0) {
        lua_pushvalue(vm->lua, (int)vm->running);
        line = lua_getinfo(vm->lua, ">S", &debug) != 0 ? debug.linedefined : 1;
    }
    (void)rwd_fail(error, RWD_SCRIPT, "%s:%d: %s", vm->name, line, text);
}

/* What is on top of the stack after a failed pcall, as text, taken off. */
static enum rwd_status explain(struct rwd_vm *vm, int status, struct rwd_error *error)
{
    lua_State *L = vm->lua;
    if (vm->stop == RWD_VM_RUNS && status == LUA_ERRMEM) {
        vm->stop = RWD_VM_STOP_MEMORY;
    }
    if (vm->stop == RWD_VM_STOP_MEMORY) {
        (void)rwd_fail(error, RWD_SCRIPT,
            "%s: stopped: out of memory (a VM may hold %u bytes, one value %d, one call may make "
            "%d)",
            vm->name, vm->limits.memory_size_max, (int)RWD_VM_BLOCK_SIZE_MAX,
            (int)RWD_VM_CALL_BYTES_MAX);
    } else if (vm->stop != RWD_VM_RUNS) {
        (void)rwd_fail(error, RWD_SCRIPT, "%s", vm->stop_text);
    } else if (lua_type(L, -1) == LUA_TSTRING) {
        explain_text(vm, lua_tostring(L, -1), error);
    } else {
        explain_text(vm,
            lua_type(L, -1) == LUA_TNIL ? "error raised with nil instead of a text"
                                        : "error raised with a value instead of a text",
            error);
    }
    lua_pop(L, 1);
    return RWD_SCRIPT;
}

enum rwd_status rwd_vm_run(
    struct rwd_vm *vm, lua_CFunction body, void *context, bool limited, struct rwd_error *error)
{
    int height = lua_gettop(vm->lua);
    vm->running = 0;
    if (limited) {
        begin(vm);
    } else {
        (void)lua_sethook(vm->lua, NULL, 0, 0);
    }
    int status = lua_cpcall(vm->lua, body, context);
    enum rwd_status result = status == 0 ? RWD_OK : explain(vm, status, error);
    RWD_REQUIRE(lua_gettop(vm->lua) == height);
    return result;
}

enum rwd_status rwd_vm_call(struct rwd_vm *vm, enum rwd_vm_slot slot, struct rwd_error *error)
{
    lua_State *L = vm->lua;
    RWD_REQUIRE(vm->magic == VM_MAGIC && lua_gettop(L) == RWD_SLOT_KEPT_COUNT);
    vm->running = slot;
    lua_pushvalue(L, (int)slot);
    lua_pushvalue(L, RWD_SLOT_EVENT);
    lua_pushvalue(L, RWD_SLOT_PLAYER);
    lua_pushvalue(L, RWD_SLOT_STATE);
    begin(vm);
    int status = lua_pcall(L, 3, 1, 0);
    if (RWD_FAULT_ERROR("script.stall")) {
        stall(vm);
    }
    if (status == 0 && vm->timed && look_at_clock(vm) == RWD_VM_STOP_HARD) {
        char where[RWD_ERROR_TEXT_SIZE_MAX / 2];
        (void)snprintf(where, sizeof where, "%s: ", vm->name);
        note_stop(vm, RWD_VM_STOP_HARD, where);
        status = LUA_ERRRUN; /* the answer stands on top where an error would */
    }
    if (status == 0) {
        RWD_REQUIRE(lua_gettop(L) == RWD_SLOT_KEPT_COUNT + 1);
        return RWD_OK;
    }
    enum rwd_status result = explain(vm, status, error);
    RWD_REQUIRE(lua_gettop(L) == RWD_SLOT_KEPT_COUNT);
    return result;
}

void rwd_vm_drop_result(struct rwd_vm *vm)
{
    lua_settop(vm->lua, RWD_SLOT_KEPT_COUNT);
}

int rwd_vm_pcall(lua_State *L)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    luaL_checkany(L, 1);
    if (vm->pcall_depth >= RWD_VM_PCALL_DEPTH_MAX) {
        return luaL_error(L, "pcall inside pcall, more than %d deep", RWD_VM_PCALL_DEPTH_MAX);
    }
    rwd_vm_charge(L, 5 + (size_t)lua_gettop(L) / 16);
    vm->pcall_depth++;
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    vm->pcall_depth--;
    if (status == LUA_ERRMEM && vm->stop == RWD_VM_RUNS) {
        vm->stop = RWD_VM_STOP_MEMORY;
    }
    if (vm->stop != RWD_VM_RUNS) {
        return lua_error(L); /* a rule cannot swallow its own end */
    }
    if (status != 0) {
        rwd_vm_charge(L, UNWIND_UNITS);
    }
    luaL_checkstack(L, 1, "pcall: too many results");
    lua_pushboolean(L, status == 0);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* Values */

static const char *what_or(const char *what)
{
    return what != NULL ? what : "argument";
}

double rwd_vm_number(lua_State *L, int index, const char *what)
{
    if (lua_type(L, index) != LUA_TNUMBER) {
        (void)luaL_error(
            L, "%s must be a number, not a %s", what_or(what), rwd_vm_type_name(L, index));
    }
    return lua_tonumber(L, index);
}

int64_t rwd_vm_integer(lua_State *L, int index, const char *what)
{
    double number = rwd_vm_number(L, index, what);
    /* 2^53: beyond it a double no longer holds every integer. */
    if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0) ||
        number != (double)(int64_t)number) {
        (void)luaL_error(L, "%s must be a whole number", what_or(what));
    }
    return (int64_t)number;
}

struct rwd_text rwd_vm_text(lua_State *L, int index, const char *what)
{
    struct rwd_text text = {0};
    if (lua_type(L, index) != LUA_TSTRING) {
        (void)luaL_error(
            L, "%s must be a text, not a %s", what_or(what), rwd_vm_type_name(L, index));
    }
    text.data = lua_tolstring(L, index, &text.size);
    if (text.size > RWD_VM_TEXT_SIZE_MAX) {
        (void)luaL_error(L, "%s is longer than %d bytes", what_or(what), RWD_VM_TEXT_SIZE_MAX);
    }
    return text;
}

struct rwd_object *rwd_vm_object(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA) {
        return NULL;
    }
    struct rwd_object *object = lua_touserdata(L, index);
    return object->magic == OBJECT_MAGIC ? object : NULL;
}

void *rwd_vm_new_object(lua_State *L, size_t size, enum rwd_object_kind kind)
{
    struct rwd_object *object = lua_newuserdata(L, size);
    memset(object, 0, size);
    object->magic = OBJECT_MAGIC;
    object->kind = kind;
    return object;
}

const char *rwd_vm_type_name(lua_State *L, int index)
{
    const struct rwd_object *object = rwd_vm_object(L, index);
    if (object == NULL) {
        return lua_type(L, index) == LUA_TNONE ? "nil" : lua_typename(L, lua_type(L, index));
    }
    switch (object->kind) {
    case RWD_OBJECT_REWARD:
        return "reward";
    case RWD_OBJECT_AGGREGATE:
        return "aggregate";
    case RWD_OBJECT_RULE:
        return "rule";
    case RWD_OBJECT_TESTS:
        return "tests";
    default:
        return "table";
    }
}

void rwd_vm_push_table(lua_State *L, int index, const char *what)
{
    const struct rwd_object *object = rwd_vm_object(L, index);
    if (lua_type(L, index) == LUA_TTABLE) {
        lua_pushvalue(L, index);
    } else if (object != NULL && object->kind == RWD_OBJECT_READ_ONLY) {
        lua_getfenv(L, index);
    } else {
        (void)luaL_error(L, "%s must be a table, not a %s", what_or(what),
            object != NULL ? "view of the event or the player" : rwd_vm_type_name(L, index));
    }
}

char *rwd_vm_work_area(lua_State *L, size_t size)
{
    char *area =
        lua_newuserdata(L, size < sizeof(struct rwd_object) ? sizeof(struct rwd_object) : size);
    memset(area, 0, sizeof(struct rwd_object)); /* never mistaken for one of our objects */
    return area;
}

void rwd_vm_push_text(lua_State *L, struct rwd_text text)
{
    lua_pushlstring(L, text.data != NULL ? text.data : "", text.size);
}

void rwd_vm_push_scalar(lua_State *L, const struct rwd_scalar *scalar)
{
    switch (scalar->type) {
    case RWD_SCALAR_BOOLEAN:
        lua_pushboolean(L, scalar->boolean);
        break;
    case RWD_SCALAR_NUMBER:
        lua_pushnumber(L, scalar->number);
        break;
    case RWD_SCALAR_TEXT:
        rwd_vm_push_text(L, scalar->text);
        break;
    default:
        lua_pushnil(L);
        break;
    }
}

/* Changes of one letter that lead from a to b, up to 3. */
static unsigned distance(struct rwd_text a, struct rwd_text b)
{
    unsigned row[34];
    if (a.size > 32 || b.size > 32) {
        return 3;
    }
    for (unsigned j = 0; j <= b.size; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a.size; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.size; j++) {
            unsigned change = diagonal + (a.data[i - 1] != b.data[j - 1]);
            unsigned skip = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < skip ? change : skip;
        }
    }
    return row[b.size] < 3 ? row[b.size] : 3;
}

const char *rwd_vm_nearest(struct rwd_text wrong, const char *const *names)
{
    const char *nearest = NULL;
    unsigned best = 3;
    for (; *names != NULL; names++) {
        unsigned far = distance(wrong, rwd_text_of(*names));
        if (far < best && far < wrong.size) {
            best = far;
            nearest = *names;
        }
    }
    return nearest;
}

/* Making one */

static int open_environment(lua_State *L)
{
    (void)luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_newtable(L);
    rwd_bind_base(L);
    rwd_bind_math(L);
    rwd_bind_string(L);
    rwd_bind_table(L);
    rwd_bind_reward(L);
    rwd_bind_dsl(L);
    rwd_bind_tests(L);
    rwd_bind_event(L);
    rwd_bind_player(L);
    rwd_bind_state(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_ENVIRONMENT);

    /* "A missing field is nil at any depth": reading a field of nothing, or of a value that has no
     * fields, gives nil. Strings keep their methods. */
    lua_newtable(L);
    lua_newtable(L);
    lua_setfield(L, -2, "__index");
    lua_pushnil(L);
    lua_pushvalue(L, -2);
    lua_setmetatable(L, -2);
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -3);
    lua_setmetatable(L, -2);
    lua_pushnumber(L, 0);
    lua_pushvalue(L, -4);
    lua_setmetatable(L, -2);
    return 0;
}

__attribute__((noreturn)) static int panic(lua_State *L)
{
    (void)L;
    RWD_REQUIRE(!"a Lua error outside a protected call");
    __builtin_unreachable();
}

enum rwd_status rwd_vm_create(const struct rwd_sandbox_limits *limits, const char *name,
    struct rwd_vm **out, struct rwd_error *error)
{
    struct rwd_vm *vm = rwd_new(sizeof *vm);
    size_t size_max = limits->memory_size_max;
    rwd_vm_memory_init(&vm->memory, size_max < MEMORY_SIZE_MIN ? MEMORY_SIZE_MIN : size_max);
    vm->magic = VM_MAGIC;
    vm->limits = *limits;
    vm->name = name;
    vm->generation = 1;
    vm->environment = RWD_SLOT_ENVIRONMENT;
    vm->grain = RWD_VM_GRAIN;
    vm->lua = lua_newstate(rwd_vm_memory_get, &vm->memory);
    enum rwd_status status =
        vm->lua != NULL ? RWD_OK : rwd_fail(error, RWD_SCRIPT, "%s: no memory for a VM", name);
    if (status == RWD_OK) {
        (void)lua_atpanic(vm->lua, panic);
        status = rwd_vm_run(vm, open_environment, NULL, false, error);
    }
    if (status == RWD_OK) {
        vm->memory.call_bytes_max = RWD_VM_CALL_BYTES_MAX;
        *out = vm;
    } else {
        rwd_vm_destroy(vm);
    }
    return status;
}

void rwd_vm_destroy(struct rwd_vm *vm)
{
    if (vm != NULL) {
        RWD_REQUIRE(vm->magic == VM_MAGIC);
        vm->magic = 0;
        rwd_buffer_finish(&vm->scratch);
        rwd_vm_memory_finish(&vm->memory);
        rwd_free(vm);
    }
}

/* Compiling */

/* LuaJIT's compiler walks the whole list of open jumps for each new one: 10000 'and' in a row take
 * 100 ms, outside any hook. A rule has a few dozen. */
static void check_jump_words(lua_State *L, struct rwd_text source)
{
    static const char *const words[] = {"and", "or", "goto", "break", "elseif"};
    enum { WORD_COUNT_MAX = 2000 };
    unsigned count = 0;
    for (size_t i = 0; i < source.size;) {
        size_t start = i;
        while (i < source.size && source.data[i] >= 'a' && source.data[i] <= 'z') {
            i++;
        }
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
            count += i - start == strlen(words[w]) &&
                     memcmp(source.data + start, words[w], i - start) == 0;
        }
        i += i == start;
    }
    if (count > WORD_COUNT_MAX) {
        (void)luaL_error(L, "%s: more than %d and, or, goto, break, elseif in one file",
            rwd_vm_of(L)->name, WORD_COUNT_MAX);
    }
}

/* What goes into texts, the journal and answers must be text; and the compiler's own words end at a
 * NUL. */
static void check_text(lua_State *L, struct rwd_text source)
{
    int line = 1;
    for (size_t i = 0; i < source.size;) {
        unsigned char byte = (unsigned char)source.data[i];
        size_t size = byte < 0x80 ? 1 : rwd_utf8_sequence(source.data + i, source.size - i);
        if (byte == 0 || size == 0) {
            (void)luaL_error(L, "%s:%d: %s: is that a text file, saved as UTF-8?",
                rwd_vm_of(L)->name, line,
                byte == 0 ? "there is a NUL character" : "there are bytes that are not UTF-8");
        }
        line += byte == '\n';
        i += size;
    }
}

void rwd_vm_load(lua_State *L, struct rwd_text source)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    if (source.size > RWD_VM_SOURCE_SIZE_MAX) {
        (void)luaL_error(
            L, "%s: the file is longer than %d bytes", vm->name, RWD_VM_SOURCE_SIZE_MAX);
    }
    check_text(L, source);
    check_jump_words(L, source);
    vm->source = source;
    lua_pushfstring(L, "@%s", vm->name);
    int64_t start_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (luaL_loadbufferx(L, source.data != NULL ? source.data : "", source.size,
            lua_tostring(L, -1), "t") != 0) {
        (void)lua_error(L);
    }
    /* No hook sees the compiler. A rule takes a fraction of a millisecond; one that was made to
     * take long would do so again whenever its VM is rebuilt. */
    int64_t limit_ns = (int64_t)vm->limits.deadline_ms * COMPILE_DEADLINES * 1000000;
    if (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns > limit_ns) {
        (void)luaL_error(L, "%s: the file takes more than %d ms to compile", vm->name,
            (int)(limit_ns / 1000000));
    }
    lua_remove(L, -2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, (int)vm->environment);
    (void)lua_setfenv(L, -2);
    rwd_vm_inspect_chunk(L);
}
