/*
 * Looks into a chunk's bytecode before it runs.
 *
 * A rule must not remember anything between calls, and what it may read is a short list. Both can
 * be seen in the code itself: LuaJIT has opcodes of their own for writing a global (GSET), reading
 * one (GGET) and assigning a local of an enclosing function (USET*). So a stray global is an error
 * with its line when the file is loaded, not a surprise in production, and nothing has to be
 * checked during a call. Constants that would wake the FFI library (1LL, 1i) are refused here too.
 *
 * The format is LuaJIT 2.1's own dump (version 2, see its lj_bcdump.h), taken from lua_dump of code
 * that was compiled here a moment ago, so it is trusted to be whole; still, every read is bounded.
 * The self-test refuses to start where the numbers below are not this LuaJIT's.
 */
#include "base/wire.h"
#include "script/vm.h"

#include <string.h>

enum {
    OP_USETV = 46,
    OP_USETP = 49,
    OP_GGET = 54,
    OP_GSET = 55,
    OP_RET0 = 75,
    DUMP_VERSION = 2,
    DUMP_STRIPPED = 2,
    CONSTANT_CHILD = 0,
    CONSTANT_TABLE = 1,
    CONSTANT_COMPLEX = 4,
    CONSTANT_TEXT = 5,
    UPVALUE_COUNT_MAX = 60,
    UPVALUE_LOCAL = 0x8000,
    CONSTANT_COUNT_MAX = 1 << 16,
};

/* Which of its upvalues a function, or one inside it, assigns to. */
struct function {
    uint64_t assigned;
    uint32_t line; /* of such an assignment */
    uint32_t upvalue_count;
    const unsigned char *upvalues; /* where each comes from: the parent's local or upvalue */
};

/* Lives on the C stack; its vectors are userdata at fixed places of the Lua stack, so that an error
 * leaks nothing. */
struct inspection {
    lua_State *L;
    bool globals; /* a chunk as it is loaded: check names too, not only assignments */
    struct rwd_wire wire;
    const unsigned char *start;
    struct function *functions; /* a stack, as the dump is: children before their parent */
    size_t function_count;
    size_t function_capacity;
    uint32_t *constants; /* of one function: where in the dump a text begins; 0: no text */
    size_t constant_capacity;
};
enum { FUNCTIONS_INDEX = 1, CONSTANTS_INDEX = 2 };

#define UNKNOWN_FORM "bytecode of an unknown form: is this LuaJIT 2.1?"

static int write_dump(lua_State *L, const void *data, size_t size, void *context)
{
    (void)L;
    rwd_buffer_put(context, data, size);
    return 0;
}

static void refuse(struct inspection *at, uint32_t line, const char *what, struct rwd_text name)
{
    lua_State *L = at->L;
    lua_pushfstring(L, "%s:%d: ", rwd_vm_of(L)->name, (int)line);
    rwd_vm_push_text(L, name);
    lua_pushfstring(L, what, lua_tostring(L, -1));
    lua_remove(L, -2);
    lua_concat(L, 2);
    (void)lua_error(L);
}

static void skip_number_or_text(struct rwd_wire *wire, uint64_t type)
{
    if (type == 3) {
        (void)rwd_wire_varint(wire);
    } else if (type == 4) {
        (void)rwd_wire_varint(wire);
        (void)rwd_wire_varint(wire);
    } else if (type >= CONSTANT_TEXT) {
        for (uint64_t i = CONSTANT_TEXT; i < type && !wire->failed; i++) {
            (void)rwd_wire_u8(wire);
        }
    }
}

/* Where its text begins, or 0; *child counts functions. */
static uint32_t read_constant(struct inspection *at, size_t *child_count)
{
    struct rwd_wire *wire = &at->wire;
    uint32_t offset = (uint32_t)(wire->at - at->start);
    uint64_t type = rwd_wire_varint(wire);
    if (type >= CONSTANT_TEXT) {
        skip_number_or_text(wire, type);
        return offset;
    }
    if (type == CONSTANT_TABLE) {
        uint64_t array_count = rwd_wire_varint(wire);
        uint64_t hash_count = rwd_wire_varint(wire);
        for (uint64_t i = 0; i < array_count + 2 * hash_count && !wire->failed; i++) {
            skip_number_or_text(wire, rwd_wire_varint(wire));
        }
    } else if (type == CONSTANT_CHILD) {
        *child_count += 1;
    } else {
        refuse(at, 1, "numbers written with LL, ULL or i are not numbers of the sandbox%s",
            RWD_TEXT(""));
    }
    return 0;
}

static struct rwd_text constant_text(const struct inspection *at, uint32_t offset)
{
    struct rwd_wire wire = {.at = at->start + offset, .end = at->wire.end};
    uint64_t type = rwd_wire_varint(&wire);
    return (struct rwd_text){.data = (const char *)wire.at, .size = type - CONSTANT_TEXT};
}

struct prototype {
    uint32_t upvalue_count;
    uint32_t constant_count;
    uint32_t number_count;
    uint32_t code_count;
    uint32_t debug_size;
    uint32_t first_line;
    uint32_t line_span;
    const unsigned char *code;
    const unsigned char *upvalues;
    const unsigned char *lines; /* with debug_size > 0 */
};

/* Line of instruction i, from the debug block behind the prototype. */
static uint32_t line_of(const struct prototype *proto, size_t i)
{
    unsigned shift = proto->line_span < 256 ? 0 : proto->line_span < 65536 ? 1 : 2;
    uint32_t line = 0;
    if (((i + 1) << shift) <= proto->debug_size) {
        memcpy(&line, proto->lines + (i << shift), (size_t)1 << shift);
    }
    return proto->first_line + line;
}

/* is_chunk: the code is the file's own, not a function's in it. */
static void check_global(
    struct inspection *at, unsigned op, struct rwd_text name, uint32_t line, bool is_chunk)
{
    lua_State *L = at->L;
    enum rwd_vm_slot environment = rwd_vm_of(L)->environment;
    if (op == OP_GSET) {
        refuse(at, line, "a rule has no globals between calls: make '%s' local", name);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, (int)environment);
    rwd_vm_push_text(L, name);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
        refuse(at, line,
            environment == RWD_SLOT_ENVIRONMENT
                ? "unknown name '%s': the sandbox has no such function or library"
                : "unknown name '%s': a formula sees its arguments and plain Lua, nothing else",
            name);
    }
    if (!is_chunk && rwd_text_is(name, "formula")) {
        refuse(
            at, line, "%s \"id@version\" belongs at the top of the file, not in a function", name);
    }
    lua_pop(L, 2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_MENTIONED);
    rwd_vm_push_text(L, name);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static void read_head(struct inspection *at, struct prototype *proto, const unsigned char *end)
{
    struct rwd_wire *wire = &at->wire;
    (void)rwd_wire_u8(wire); /* flags */
    (void)rwd_wire_u8(wire); /* parameters */
    (void)rwd_wire_u8(wire); /* frame size */
    proto->upvalue_count = rwd_wire_u8(wire);
    proto->constant_count = (uint32_t)rwd_wire_varint(wire);
    proto->number_count = (uint32_t)rwd_wire_varint(wire);
    proto->code_count = (uint32_t)rwd_wire_varint(wire);
    proto->debug_size = (uint32_t)rwd_wire_varint(wire);
    if (proto->debug_size > 0) {
        proto->first_line = (uint32_t)rwd_wire_varint(wire);
        proto->line_span = (uint32_t)rwd_wire_varint(wire);
    }
    size_t left = (size_t)(end - wire->at);
    size_t used = 4 * (size_t)proto->code_count + 2 * (size_t)proto->upvalue_count;
    if (wire->failed || used + proto->debug_size > left ||
        proto->constant_count > CONSTANT_COUNT_MAX || proto->upvalue_count > UPVALUE_COUNT_MAX) {
        (void)luaL_error(at->L, UNKNOWN_FORM);
    }
    proto->code = wire->at;
    proto->upvalues = wire->at + 4 * (size_t)proto->code_count;
    proto->lines = proto->debug_size > 0 ? end - proto->debug_size : NULL;
    wire->at += used;
}

/* A vector that doubles, held by the Lua stack. */
static void *grown(
    lua_State *L, int index, void *old, size_t count, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity) {
        return old;
    }
    size_t more = *capacity == 0 ? 16 : *capacity;
    while (more < needed) {
        more *= 2;
    }
    void *area = rwd_vm_work_area(L, more * size);
    if (count > 0) {
        memcpy(area, old, count * size);
    }
    lua_replace(L, index);
    *capacity = more;
    return area;
}

static void read_constants(
    struct inspection *at, const struct prototype *proto, size_t *child_count)
{
    at->constants = grown(at->L, CONSTANTS_INDEX, at->constants, 0, &at->constant_capacity,
        proto->constant_count, sizeof at->constants[0]);
    for (uint32_t i = 0; i < proto->constant_count; i++) {
        at->constants[i] = read_constant(at, child_count);
    }
    if (at->wire.failed || *child_count > at->function_count) {
        (void)luaL_error(at->L, UNKNOWN_FORM);
    }
}

static void read_code(
    struct inspection *at, const struct prototype *proto, bool is_chunk, struct function *self)
{
    for (uint32_t i = 0; i < proto->code_count; i++) {
        const unsigned char *word = proto->code + 4 * (size_t)i;
        unsigned op = word[0];
        unsigned d = word[2] + 256U * word[3];
        uint32_t line = line_of(proto, i);
        /* The return at the very end stands on the line of `end`, which mostly is no code. */
        if (at->globals && (i + 1 < proto->code_count || op != OP_RET0)) {
            rwd_coverage_note(rwd_vm_of(at->L)->limits.coverage, line, RWD_COVERAGE_CODE);
        }
        if ((op == OP_GGET || op == OP_GSET) && at->globals) {
            /* Constants count backwards from the operand. */
            if (d >= proto->constant_count || at->constants[proto->constant_count - 1 - d] == 0) {
                (void)luaL_error(at->L, UNKNOWN_FORM);
            }
            check_global(at, op, constant_text(at, at->constants[proto->constant_count - 1 - d]),
                line, is_chunk);
        } else if (op >= OP_USETV && op <= OP_USETP && word[1] < UPVALUE_COUNT_MAX) {
            self->line = self->assigned == 0 ? line : self->line;
            self->assigned |= (uint64_t)1 << word[1];
        }
    }
}

/* An assignment in a child to what is no local of ours is an assignment of ours. */
static void inherit(struct function *self, const struct function *child)
{
    for (unsigned i = 0; i < child->upvalue_count; i++) {
        unsigned from = child->upvalues[2 * (size_t)i] + 256U * child->upvalues[2 * (size_t)i + 1];
        unsigned target = from & 0xff;
        if ((child->assigned & (uint64_t)1 << i) != 0 && (from & UPVALUE_LOCAL) == 0 &&
            target < UPVALUE_COUNT_MAX) {
            self->line = self->assigned == 0 ? child->line : self->line;
            self->assigned |= (uint64_t)1 << target;
        }
    }
}

static void read_function(struct inspection *at, const unsigned char *end)
{
    struct prototype proto = {0};
    size_t child_count = 0;
    read_head(at, &proto, end);
    read_constants(at, &proto, &child_count);
    struct function self = {.upvalue_count = proto.upvalue_count, .upvalues = proto.upvalues};
    /* The last one of the dump, before its closing zero. */
    read_code(at, &proto, end + 1 == at->wire.end, &self);
    for (; child_count > 0; child_count--) {
        inherit(&self, &at->functions[--at->function_count]);
    }
    at->functions = grown(at->L, FUNCTIONS_INDEX, at->functions, at->function_count,
        &at->function_capacity, at->function_count + 1, sizeof at->functions[0]);
    at->functions[at->function_count++] = self;
    at->wire.at = end;
}

/* The function on top of the stack and all in it; answers what the outermost assigns to. Runs as a
 * C function of its own, so that the stack's first places are its. */
static int inspect(lua_State *L)
{
    struct inspection at = {.L = L, .globals = lua_toboolean(L, 2) != 0};
    struct rwd_vm *vm = rwd_vm_of(L);
    lua_settop(L, 1);
    vm->scratch.size = 0;
    if (lua_dump(L, write_dump, &vm->scratch) != 0) {
        return luaL_error(L, UNKNOWN_FORM);
    }
    lua_settop(L, 0);
    lua_settop(L, CONSTANTS_INDEX);
    at.wire = rwd_wire_of(vm->scratch.data, vm->scratch.size);
    at.start = at.wire.at;
    static const uint8_t magic[] = {0x1b, 'L', 'J', DUMP_VERSION};
    bool known = true;
    for (size_t i = 0; i < sizeof magic; i++) {
        known = rwd_wire_u8(&at.wire) == magic[i] && known;
    }
    if (!known || (rwd_wire_varint(&at.wire) & DUMP_STRIPPED) != 0) {
        return luaL_error(L, UNKNOWN_FORM);
    }
    (void)rwd_wire_text(&at.wire); /* the chunk's name */
    for (;;) {
        uint64_t size = rwd_wire_varint(&at.wire);
        if (size == 0 || at.wire.failed || size > (size_t)(at.wire.end - at.wire.at)) {
            break;
        }
        read_function(&at, at.wire.at + size);
    }
    if (at.function_count != 1 || !rwd_wire_done(&at.wire)) {
        return luaL_error(L, UNKNOWN_FORM);
    }
    unsigned first = 0;
    while (first < UPVALUE_COUNT_MAX && (at.functions[0].assigned & (uint64_t)1 << first) == 0) {
        first++;
    }
    lua_pushinteger(L, at.functions[0].assigned != 0 ? (lua_Integer)first + 1 : 0);
    lua_pushinteger(L, at.functions[0].line);
    return 2;
}

void rwd_vm_inspect_chunk(lua_State *L)
{
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_MENTIONED);
    lua_pushcfunction(L, inspect);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_call(L, 2, 0);
}

void rwd_vm_inspect_closure(lua_State *L)
{
    lua_pushcfunction(L, inspect);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 0);
    lua_call(L, 2, 2);
    int upvalue = (int)lua_tointeger(L, -2);
    int line = (int)lua_tointeger(L, -1);
    lua_pop(L, 2);
    if (upvalue > 0) {
        const char *name = lua_getupvalue(L, -1, upvalue);
        (void)luaL_error(L,
            "%s:%d: '%s' is assigned in a function but made outside of it; a rule remembers "
            "nothing between calls: use state",
            rwd_vm_of(L)->name, line, name != NULL ? name : "?");
    }
}

bool rwd_vm_mentions(lua_State *L, const char *name)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_MENTIONED);
    lua_getfield(L, -1, name);
    bool mentioned = lua_toboolean(L, -1) != 0;
    lua_pop(L, 2);
    return mentioned;
}
