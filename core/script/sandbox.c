#include "script/sandbox.h"

#include "base/fault.h"
#include "base/memory.h"
#include "script/dsl.h"
#include "script/formula.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS_MAX = 1000000000 };

struct rwd_sandbox {
    const struct rwd_rule *rule;
    struct rwd_sandbox_limits limits;
    uint64_t seed;     /* of the rule's id */
    struct rwd_vm *vm; /* NULL: thrown away; made anew by the next call */
    uint32_t used;     /* of the last call */
    bool stopped_hard;
    _Atomic uint32_t *in_flight; /* NULL: nobody watches */
};

/* Loading */

enum rwd_status rwd_rule_load(struct rwd_text source, const char *name,
    const struct rwd_sandbox_limits *limits, struct rwd_rule **out, struct rwd_error *error)
{
    return rwd_rule_load_with(source, name, NULL, limits, out, error);
}

enum rwd_status rwd_rule_load_with(struct rwd_text source, const char *name,
    const struct rwd_formula_shelf *shelf, const struct rwd_sandbox_limits *limits,
    struct rwd_rule **out, struct rwd_error *error)
{
    struct rwd_vm *vm = NULL;
    struct rwd_rule *rule = rwd_new(sizeof *rule);
    struct rwd_dsl dsl = {.source = source, .rule = rule, .shelf = shelf};
    enum rwd_status status = rwd_vm_create(limits, name, &vm, error);
    if (status == RWD_OK) {
        status = rwd_dsl_run(vm, &dsl, error);
    }
    rwd_vm_destroy(vm);
    if (status != RWD_OK) {
        rwd_rule_destroy(rule);
        return status;
    }
    rwd_sha256(source, rule->content_hash);
    rule->source = rwd_copy(source.data, source.size);
    rule->source_size = source.size;
    rule->source_name = rwd_copy(name, strlen(name));
    *out = rule;
    return RWD_OK;
}

/* One rule's VM */

static enum rwd_status build(struct rwd_sandbox *sandbox, struct rwd_error *error)
{
    const struct rwd_rule *rule = sandbox->rule;
    struct rwd_vm *vm = NULL;
    const struct rwd_formula_shelf shelf = rwd_formula_shelf_of(rule);
    struct rwd_dsl dsl = {
        .source = {.data = rule->source, .size = rule->source_size}, .shelf = &shelf};
    enum rwd_status status = rwd_vm_create(&sandbox->limits, rule->source_name, &vm, error);
    if (status == RWD_OK) {
        status = rwd_dsl_run(vm, &dsl, error);
    }
    if (status != RWD_OK) {
        rwd_vm_destroy(vm);
        return status;
    }
    /* None of these can raise: the registry has them, the stack has room. */
    for (int slot = 1; slot <= RWD_SLOT_KEPT_COUNT; slot++) {
        lua_rawgeti(vm->lua, LUA_REGISTRYINDEX, slot);
    }
    vm->rule = rule;
    sandbox->vm = vm;
    return RWD_OK;
}

enum rwd_status rwd_sandbox_create(const struct rwd_rule *rule,
    const struct rwd_sandbox_limits *limits, struct rwd_sandbox **out, struct rwd_error *error)
{
    static const uint8_t zero[RWD_SIPHASH_KEY_SIZE];
    struct rwd_sandbox *sandbox = rwd_new(sizeof *sandbox);
    sandbox->rule = rule;
    sandbox->limits = *limits;
    sandbox->seed = rwd_siphash(zero, rule->id, strlen(rule->id));
    enum rwd_status status = build(sandbox, error);
    if (status != RWD_OK) {
        rwd_free(sandbox);
        return status;
    }
    *out = sandbox;
    return RWD_OK;
}

void rwd_sandbox_destroy(struct rwd_sandbox *sandbox)
{
    if (sandbox != NULL) {
        rwd_vm_destroy(sandbox->vm);
        rwd_free(sandbox);
    }
}

/* Calls */

void rwd_sandbox_watch(struct rwd_sandbox *sandbox, _Atomic uint32_t *in_flight)
{
    sandbox->in_flight = in_flight;
}

/* A plain store: what reads it is the next process, or this thread's own handler. */
static void mark_in_flight(const struct rwd_sandbox *sandbox, uint32_t version_no)
{
    if (sandbox->in_flight != NULL) {
        atomic_store_explicit(sandbox->in_flight, version_no, memory_order_relaxed);
    }
}

static void drop(struct rwd_sandbox *sandbox)
{
    rwd_vm_destroy(sandbox->vm);
    sandbox->vm = NULL;
}

/* Ends a call: what it used is noted, its views go stale, a VM that was stopped is thrown away, and
 * one that grew large too, so that every call begins with about the same memory. */
static void end(struct rwd_sandbox *sandbox)
{
    struct rwd_vm *vm = sandbox->vm;
    sandbox->used = vm->used;
    sandbox->stopped_hard = vm->stop == RWD_VM_STOP_HARD;
    vm->call = NULL;
    if (vm->stop != RWD_VM_RUNS || vm->memory.size > vm->memory.size_max / 4) {
        drop(sandbox);
    }
    mark_in_flight(sandbox, 0);
}

/* OK: the function's result is on the stack, and finish or fail must follow. */
static enum rwd_status begin(struct rwd_sandbox *sandbox, struct rwd_sandbox_call *call,
    enum rwd_vm_slot slot, struct rwd_error *error)
{
    mark_in_flight(sandbox, sandbox->rule->version_no);
    if (sandbox->vm == NULL) {
        enum rwd_status status = build(sandbox, error);
        if (status != RWD_OK) {
            mark_in_flight(sandbox, 0);
            sandbox->used = 0;
            sandbox->stopped_hard = false;
            return status;
        }
    }
    struct rwd_vm *vm = sandbox->vm;
    vm->call = call;
    vm->random = call->seed ^ (sandbox->seed + (uint64_t)slot);
    rwd_event_views_begin(vm);
    if (sandbox->rule->state_count > 0) {
        rwd_state_begin(vm);
    }
    /* For tests: where a shard runs the rule, not in the self-test or a rule's own tests. */
    if (sandbox->in_flight != NULL && RWD_FAULT_ERROR("script.crash")) {
        abort();
    }
    enum rwd_status status = rwd_vm_call(vm, slot, error);
    if (status != RWD_OK) {
        end(sandbox);
    }
    return status;
}

static enum rwd_status finish(
    struct rwd_sandbox *sandbox, struct rwd_sandbox_call *call, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    rwd_vm_drop_result(sandbox->vm);
    if (sandbox->rule->state_count > 0 && rwd_state_commit(sandbox->vm, call) != RWD_OK) {
        status = rwd_fail(error, RWD_LIMIT, "%s: no room in the batch for the rule's state",
            sandbox->rule->source_name);
    }
    end(sandbox);
    return status;
}

/* What came back is not what this function may return. */
static enum rwd_status nonsense(
    struct rwd_sandbox *sandbox, const char *function, const char *wanted, struct rwd_error *error)
{
    lua_State *L = sandbox->vm->lua;
    lua_Debug debug = {0};
    struct rwd_error got;
    if (lua_type(L, -1) == LUA_TNUMBER) {
        (void)rwd_fail(&got, RWD_SCRIPT, "%.14g", lua_tonumber(L, -1));
    } else {
        (void)rwd_fail(&got, RWD_SCRIPT, "a %s", rwd_vm_type_name(L, -1));
    }
    lua_pushvalue(L, (int)sandbox->vm->running);
    (void)lua_getinfo(L, ">S", &debug);
    rwd_vm_drop_result(sandbox->vm);
    end(sandbox);
    return rwd_fail(error, RWD_SCRIPT, "%s:%d: %s must return %s, not %.40s",
        sandbox->rule->source_name, debug.linedefined, function, wanted, got.text);
}

enum rwd_status rwd_sandbox_when(struct rwd_sandbox *sandbox, struct rwd_sandbox_call *call,
    bool *holds, struct rwd_error *error)
{
    *holds = true;
    if (!sandbox->rule->has_when) {
        return RWD_OK;
    }
    enum rwd_status status = begin(sandbox, call, RWD_SLOT_WHEN, error);
    if (status != RWD_OK) {
        return status;
    }
    int type = lua_type(sandbox->vm->lua, -1);
    if (type != LUA_TBOOLEAN && type != LUA_TNIL) {
        return nonsense(sandbox, "when", "true or false", error);
    }
    *holds = lua_toboolean(sandbox->vm->lua, -1) != 0;
    return finish(sandbox, call, error);
}

enum rwd_status rwd_sandbox_score(struct rwd_sandbox *sandbox, struct rwd_sandbox_call *call,
    uint64_t *points, struct rwd_error *error)
{
    *points = 0;
    if (!sandbox->rule->has_score) {
        return RWD_OK;
    }
    enum rwd_status status = begin(sandbox, call, RWD_SLOT_SCORE, error);
    if (status != RWD_OK) {
        return status;
    }
    lua_State *L = sandbox->vm->lua;
    double score = lua_type(L, -1) == LUA_TNUMBER ? floor(lua_tonumber(L, -1)) : -1;
    if (!(score >= 0 && score <= POINTS_MAX)) {
        return nonsense(sandbox, "score", "a number from 0 to 1e9", error);
    }
    *points = (uint64_t)score;
    return finish(sandbox, call, error);
}

enum rwd_status rwd_sandbox_grant(struct rwd_sandbox *sandbox, struct rwd_sandbox_call *call,
    bool *has_reward, struct rwd_reward *reward, struct rwd_error *error)
{
    *has_reward = false;
    if (!sandbox->rule->has_grant) {
        return RWD_OK;
    }
    enum rwd_status status = begin(sandbox, call, RWD_SLOT_GRANT, error);
    if (status != RWD_OK) {
        return status;
    }
    lua_State *L = sandbox->vm->lua;
    const struct rwd_object *object = rwd_vm_object(L, -1);
    if (object == NULL && !lua_toboolean(L, -1)) {
        return finish(sandbox, call, error);
    }
    if (object == NULL || object->kind != RWD_OBJECT_REWARD) {
        return nonsense(sandbox, "grant", "a reward like badge { ... }, or nil", error);
    }
    *reward = ((const struct rwd_reward_object *)(const void *)object)->reward;
    const char *law = rwd_dsl_broken_law(sandbox->rule, reward);
    if (law != NULL) {
        rwd_vm_drop_result(sandbox->vm);
        end(sandbox);
        return rwd_fail(error, RWD_SCRIPT, "%s: grant: %s", sandbox->rule->source_name, law);
    }
    status = finish(sandbox, call, error);
    *has_reward = status == RWD_OK;
    return status;
}

uint32_t rwd_sandbox_instructions_used(const struct rwd_sandbox *sandbox)
{
    return sandbox->used;
}

bool rwd_sandbox_stopped_hard(const struct rwd_sandbox *sandbox)
{
    return sandbox->stopped_hard;
}
