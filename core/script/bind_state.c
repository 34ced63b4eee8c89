/***
 * state: what a rule remembers of one player, the third argument of when, score and grant.
 *
 *     state = { streak = 0, last_day = "" },              -- declares the fields and how they begin
 *     grant = function(event, player, state)
 *       state.streak = state.last_day == event.day and state.streak or state.streak + 1
 *
 * Up to 16 fields; a value is nil, true or false, a finite number, or a text of at most 64 bytes.
 * Only declared fields exist. What a call wrote is saved with the event, or dropped where the call
 * failed.
 */
#include "script/vm.h"

#include <math.h>
#include <string.h>

static size_t field_of(lua_State *L, const struct rwd_vm *vm)
{
    const char *names[RWD_RULE_STATE_COUNT_MAX + 1] = {NULL};
    struct rwd_text name = RWD_TEXT("?");
    if (lua_type(L, 2) == LUA_TSTRING) {
        name.data = lua_tolstring(L, 2, &name.size);
    }
    const char *wanted = name.data;
    if (vm->call == NULL) {
        (void)luaL_error(L, "state is there only inside when, score and grant");
    }
    for (size_t i = 0; i < vm->rule->state_count; i++) {
        if (rwd_text_is(name, vm->rule->states[i].name)) {
            return i;
        }
        names[i] = vm->rule->states[i].name;
    }
    const char *near = rwd_vm_nearest(rwd_text_of(wanted), names);
    if (near != NULL) {
        (void)luaL_error(L, "state has no field '%s'; did you mean '%s'?", wanted, near);
    }
    (void)luaL_error(
        L, "state has no field '%s': declare it, state = { %s = ... }", wanted, wanted);
    return 0;
}

static int state_index(lua_State *L)
{
    const struct rwd_vm *vm = rwd_vm_of(L);
    rwd_vm_push_scalar(L, &vm->state.values[field_of(L, vm)]);
    return 1;
}

static int state_newindex(lua_State *L)
{
    struct rwd_vm *vm = rwd_vm_of(L);
    size_t i = field_of(L, vm);
    struct rwd_scalar *value = &vm->state.values[i];
    struct rwd_scalar written = {0};
    switch (lua_type(L, 3)) {
    case LUA_TNIL:
        break;
    case LUA_TBOOLEAN:
        written.type = RWD_SCALAR_BOOLEAN;
        written.boolean = lua_toboolean(L, 3) != 0;
        break;
    case LUA_TNUMBER:
        written.type = RWD_SCALAR_NUMBER;
        written.number = lua_tonumber(L, 3);
        if (!isfinite(written.number)) {
            return luaL_error(L, "state.%s must be a finite number", lua_tostring(L, 2));
        }
        break;
    case LUA_TSTRING:
        written.type = RWD_SCALAR_TEXT;
        written.text.data = lua_tolstring(L, 3, &written.text.size);
        if (written.text.size > RWD_STATE_TEXT_SIZE_MAX) {
            return luaL_error(
                L, "state.%s is longer than %d bytes", lua_tostring(L, 2), RWD_STATE_TEXT_SIZE_MAX);
        }
        memcpy(vm->state.texts[i], written.text.data, written.text.size);
        written.text.data = vm->state.texts[i];
        break;
    default:
        return luaL_error(L, "state.%s must be nil, a boolean, a number or a text, not a %s",
            lua_tostring(L, 2), rwd_vm_type_name(L, 3));
    }
    *value = written;
    vm->state.changed |= 1U << i;
    return 0;
}

void rwd_state_begin(struct rwd_vm *vm)
{
    vm->state.changed = 0;
    if (vm->call->state != NULL) {
        memcpy(
            vm->state.values, vm->call->state, vm->rule->state_count * sizeof vm->state.values[0]);
    } else {
        for (size_t i = 0; i < vm->rule->state_count; i++) {
            vm->state.values[i] = vm->rule->states[i].initial;
        }
    }
}

enum rwd_status rwd_state_commit(struct rwd_vm *vm, struct rwd_sandbox_call *call)
{
    if (vm->state.changed == 0 || call->state == NULL) {
        return RWD_OK;
    }
    /* Texts first: all or nothing. */
    for (size_t i = 0; i < vm->rule->state_count; i++) {
        struct rwd_scalar *value = &vm->state.values[i];
        if ((vm->state.changed >> i & 1) != 0 && value->type == RWD_SCALAR_TEXT) {
            value->text.data = rwd_arena_copy(call->arena, value->text.data, value->text.size);
            if (value->text.data == NULL) {
                return RWD_LIMIT;
            }
        }
    }
    memcpy(call->state, vm->state.values, vm->rule->state_count * sizeof call->state[0]);
    return RWD_OK;
}

void rwd_bind_state(lua_State *L)
{
    (void)rwd_vm_new_object(L, sizeof(struct rwd_object), RWD_OBJECT_STATE);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, state_index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, state_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_STATE);
}
