/*
 * vm: one LuaJIT state in its own memory, with a budget. Internal to script/; the only room that
 * may include lua.h.
 *
 * How a call is kept in bounds:
 *   memory        every block comes from rwd_vm_memory: a cap on the VM, one on a single block (so
 *                 that no string operation is slow), one on all blocks of a call
 *   instructions  a count hook every RWD_VM_GRAIN bytecodes, closer where one bytecode may take
 *                 long (RWD_VM_LARGE_SIZE); host functions charge their own work
 *                 to the same account, so the sum is exact and the same on every run
 *   time          at the hook, the thread's CPU time: a busy machine is not the rule's fault. Two
 *                 deadlines: every loop passes a hook, so the soft one ends it; the hard one is for
 *                 C that took far longer than its charge said, and is looked at when a call comes
 *                 back too
 * Once a limit is passed the VM is stopped: the hook fires on every instruction and the host's
 * pcall hands the error on, so no rule can swallow it. Its owner throws the VM away: chunks are
 * freed as they are, without a walk over the heap (nothing in it has a finalizer).
 *
 * Threads:   a VM belongs to one thread.
 * Ownership: create/destroy. A function here that takes a lua_State may raise a Lua error and must
 * run inside rwd_vm_run or rwd_vm_call; what it allocates outside Lua hangs in the VM.
 */
#ifndef RWD_SCRIPT_VM_H
#define RWD_SCRIPT_VM_H

#include "base/text.h"
#include "script/sandbox.h"

#include <lauxlib.h>
#include <lua.h>

enum {
    RWD_VM_GRAIN = 100, /* instructions from hook to hook */
    /* And in a call that has made or met a block larger than this: the language reads texts as
     * numbers by itself, and one instruction then takes up to 0.8 ms. */
    RWD_VM_LARGE_SIZE = 32 << 10,
    RWD_VM_GRAIN_LARGE = 4,
    RWD_VM_SOURCE_SIZE_MAX = 64 << 10,
    RWD_VM_BLOCK_SIZE_MAX = 256 << 10,
    RWD_VM_CALL_BYTES_MAX = 64 << 20, /* allocated by one call, freed or not */
    RWD_VM_TEXT_SIZE_MAX = 64 << 10,  /* made or read by a host string function */
    RWD_VM_PCALL_DEPTH_MAX = 32,
    RWD_VM_BYTES_A_UNIT = 64, /* bytes of plain work that cost as much as one instruction */
    RWD_VM_CLASS_COUNT = 64,
    RWD_VM_SMALL_SIZE_MAX = RWD_VM_CLASS_COUNT * 16,
    RWD_VM_POOL_COUNT = 32, /* views of nested containers kept for reuse */
};

/* Why a VM must not go on. */
enum rwd_vm_stop {
    RWD_VM_RUNS,
    RWD_VM_STOP_INSTRUCTIONS,
    RWD_VM_STOP_DEADLINE,
    RWD_VM_STOP_HARD, /* past the hard deadline too */
    RWD_VM_STOP_MEMORY,
};

/* Places in the registry. Functions, event, player and state are also kept on the state's own stack
 * in this order, where a call reaches them without a lookup. */
enum rwd_vm_slot {
    RWD_SLOT_WHEN = 1,
    RWD_SLOT_SCORE,
    RWD_SLOT_GRANT,
    RWD_SLOT_EVENT,
    RWD_SLOT_PLAYER,
    RWD_SLOT_STATE,
    RWD_SLOT_ENVIRONMENT,
    RWD_SLOT_VIEW_META,
    RWD_SLOT_POOL,
    RWD_SLOT_OPAQUE_META,
    RWD_SLOT_FROZEN, /* original table -> its read-only stand-in, while a chunk is frozen */
    RWD_SLOT_VISITED,
    RWD_SLOT_MENTIONED, /* set of the globals that the loaded chunk reads */
    RWD_SLOT_FORMULA_ENVIRONMENT,
    RWD_SLOT_FORMULAS, /* "id@version" -> function, of those that the rule took */
    RWD_SLOT_COMPUTE,  /* a formula's function */
    RWD_SLOT_CASES,    /* of a formula's tests */
};
enum { RWD_SLOT_KEPT_COUNT = RWD_SLOT_STATE };

/* Every userdata a rule can hold starts with this. */
enum rwd_object_kind {
    RWD_OBJECT_READ_ONLY, /* its environment is the table behind it */
    RWD_OBJECT_EVENT,
    RWD_OBJECT_JSON,
    RWD_OBJECT_PLAYER,
    RWD_OBJECT_SEGMENTS,
    RWD_OBJECT_AGGREGATES,
    RWD_OBJECT_STATE,
    RWD_OBJECT_REWARD,
    RWD_OBJECT_AGGREGATE,
    RWD_OBJECT_RULE,
    RWD_OBJECT_TESTS,
};
struct rwd_object {
    uint32_t magic;
    enum rwd_object_kind kind;
};

/* A container of the event's tape. */
struct rwd_view {
    struct rwd_object object;
    uint64_t generation;              /* of the call it was made in */
    const struct rwd_json_node *node; /* NULL: the event has no such block */
    const struct rwd_json_node *last; /* array: the element read last, and which one it was */
    uint32_t last_index;
};

struct rwd_reward_object {
    struct rwd_object object;
    struct rwd_reward reward;
};

struct rwd_aggregate_object {
    struct rwd_object object;
    enum rwd_aggregate_operation operation;
    enum rwd_window window;
    char path[RWD_RULE_PATH_SIZE_MAX];
};

struct rwd_vm_chunk;
struct rwd_vm_block;
struct rwd_vm_memory {
    struct rwd_vm_chunk *chunks;
    struct rwd_vm_block *blocks; /* too large for a chunk */
    char *at;
    char *end;
    void *freed[RWD_VM_CLASS_COUNT];
    size_t size; /* taken from the process */
    size_t size_max;
    size_t call_bytes;
    size_t call_bytes_max;
};

void rwd_vm_memory_init(struct rwd_vm_memory *memory, size_t size_max);
void rwd_vm_memory_finish(struct rwd_vm_memory *memory);
/* lua_Alloc with memory as its first argument, which is a VM's. */
void *rwd_vm_memory_get(void *memory, void *block, size_t old_size, size_t new_size);

/* A rule's state during a call: changed here, copied out when the call went well. */
struct rwd_vm_state {
    struct rwd_scalar values[RWD_RULE_STATE_COUNT_MAX];
    char texts[RWD_RULE_STATE_COUNT_MAX][RWD_STATE_TEXT_SIZE_MAX];
    uint32_t changed; /* bit i: values[i] was written */
};

struct rwd_dsl;

struct rwd_vm {
    struct rwd_vm_memory memory; /* first: the allocator's argument is the VM too */
    uint32_t magic;
    lua_State *lua;
    struct rwd_sandbox_limits limits;
    const char *name;             /* borrowed; the file's, for messages */
    struct rwd_text source;       /* borrowed: of the chunk that was loaded */
    enum rwd_vm_slot environment; /* what a chunk sees that is loaded now */
    enum rwd_vm_slot running;     /* which function; 0: none */

    uint32_t used; /* instructions and charges of this call */
    uint32_t grain;
    bool large_kept; /* the file made a large block, which its functions may still have */
    bool timed;
    int64_t monotonic_ns; /* when the clock is looked at next */
    int64_t cpu_ns;       /* the thread's, where this call began */
    enum rwd_vm_stop stop;
    char stop_text[RWD_ERROR_TEXT_SIZE_MAX];
    unsigned pcall_depth;

    const struct rwd_rule *rule;
    const struct rwd_sandbox_call *call; /* NULL: outside a call */
    uint64_t generation;
    uint64_t random;
    struct rwd_vm_state state;
    struct rwd_view *event_user;
    struct rwd_view *event_context;
    struct rwd_view *event_payload;
    struct rwd_view *attributes;
    struct rwd_view *pool[RWD_VM_POOL_COUNT];
    unsigned pool_used;

    struct rwd_dsl *dsl;       /* while a file is loaded */
    struct rwd_buffer scratch; /* bytecode under inspection */
};

/* A VM with the environment of rules in it. SCRIPT: not even that fits the limits. */
RWD_MUST_USE enum rwd_status rwd_vm_create(const struct rwd_sandbox_limits *limits,
    const char *name, struct rwd_vm **vm, struct rwd_error *error);
void rwd_vm_destroy(struct rwd_vm *vm);
/* A block of more than RWD_VM_LARGE_SIZE is made. */
void rwd_vm_note_large(struct rwd_vm *vm);

/* Runs body(L) protected, with context as light userdata at index 1, under a fresh budget where
 * limited. SCRIPT: it raised; *error has the text. */
RWD_MUST_USE enum rwd_status rwd_vm_run(
    struct rwd_vm *vm, lua_CFunction body, void *context, bool limited, struct rwd_error *error);
/* The one way into a rule's function: calls what stands in slot with (event, player, state) under a
 * fresh budget, leaving one result on the stack, which the caller reads and drops with
 * rwd_vm_drop_result. SCRIPT: it raised, nothing is on the stack. */
RWD_MUST_USE enum rwd_status rwd_vm_call(
    struct rwd_vm *vm, enum rwd_vm_slot slot, struct rwd_error *error);
void rwd_vm_drop_result(struct rwd_vm *vm);
/* Compiles source (UTF-8 text only), inspects its bytecode and leaves the function on the stack. */
void rwd_vm_load(lua_State *L, struct rwd_text source);

/* The VM of a state: its allocator's argument. */
static inline struct rwd_vm *rwd_vm_of(lua_State *L)
{
    void *vm = NULL;
    (void)lua_getallocf(L, &vm);
    return vm;
}

/* Books work done by a host function; raises when the budget is used up. */
void rwd_vm_charge(lua_State *L, size_t units);
static inline void rwd_vm_charge_bytes(lua_State *L, size_t size)
{
    rwd_vm_charge(L, 1 + size / RWD_VM_BYTES_A_UNIT);
}
/* Units that are left. */
uint32_t rwd_vm_units_left(const struct rwd_vm *vm);
/* "file:line: " of the rule's code that runs, or "" where it cannot be told. callee: what the code
 * called, found by its name where the call was the last thing a function did (a tail call leaves no
 * trace); may be NULL. */
void rwd_vm_push_where(lua_State *L, const char *callee);
/* pcall for rules. */
int rwd_vm_pcall(lua_State *L);

/* Arguments, strictly: "12" is not 12 and 12 is not "12". */
double rwd_vm_number(lua_State *L, int index, const char *what);
int64_t rwd_vm_integer(lua_State *L, int index, const char *what);
struct rwd_text rwd_vm_text(lua_State *L, int index, const char *what);
/* The table at index, or the one behind a read-only stand-in, is pushed. */
void rwd_vm_push_table(lua_State *L, int index, const char *what);
/* NULL: no userdata of ours. */
struct rwd_object *rwd_vm_object(lua_State *L, int index);
void *rwd_vm_new_object(lua_State *L, size_t size, enum rwd_object_kind kind);
/* "table" for what a rule uses like one. */
const char *rwd_vm_type_name(lua_State *L, int index);
/* Bytes to work in; stays on the stack as a userdata. */
char *rwd_vm_work_area(lua_State *L, size_t size);
void rwd_vm_push_text(lua_State *L, struct rwd_text text);
void rwd_vm_push_scalar(lua_State *L, const struct rwd_scalar *scalar);
/* The known name nearest to a wrong one, or NULL where none is near. names ends with NULL. */
const char *rwd_vm_nearest(struct rwd_text wrong, const char *const *names);

/* The table on top becomes a read-only stand-in for it. */
void rwd_vm_make_read_only(lua_State *L);
/* Makes all that the functions in these slots can reach from outside read-only; raises where one of
 * them keeps something between calls. */
void rwd_vm_freeze(lua_State *L, enum rwd_vm_slot first, enum rwd_vm_slot last);

/* What bytecode.c found in a chunk; see there. */
void rwd_vm_inspect_chunk(lua_State *L);
/* Raises where the Lua function on top assigns to a variable from outside of it. */
void rwd_vm_inspect_closure(lua_State *L);
/* Does the chunk that was loaded mention this global? */
bool rwd_vm_mentions(lua_State *L, const char *name);

/* Each adds its names to the environment (the table on top of the stack). */
void rwd_bind_base(lua_State *L);
void rwd_bind_math(lua_State *L);
void rwd_bind_string(lua_State *L);
void rwd_bind_table(lua_State *L);
void rwd_bind_event(lua_State *L);
void rwd_bind_player(lua_State *L);
void rwd_bind_state(lua_State *L);
void rwd_bind_reward(lua_State *L);
void rwd_bind_dsl(lua_State *L);
void rwd_bind_tests(lua_State *L);

/* bind_string.c takes these from their own files. */
int rwd_string_format(lua_State *L);
int rwd_string_find(lua_State *L);
int rwd_string_match(lua_State *L);
int rwd_string_gmatch(lua_State *L);
int rwd_string_gsub(lua_State *L);
int rwd_base_tostring(lua_State *L);

/* Points the views at a call, and away from it. */
void rwd_event_views_begin(struct rwd_vm *vm);
/* A member of an event's container, or nil, is pushed. */
void rwd_view_push_node(lua_State *L, const struct rwd_json_node *node);
/* The keys or elements of a view, for pairs; raises where it is stale. */
void rwd_view_push_keys(lua_State *L, struct rwd_view *view);
void rwd_state_begin(struct rwd_vm *vm);
/* LIMIT: the call's arena is full. */
RWD_MUST_USE enum rwd_status rwd_state_commit(struct rwd_vm *vm, struct rwd_sandbox_call *call);

#endif
