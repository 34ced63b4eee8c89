/*
 * Makes what a rule's functions share immutable, once, when the file is loaded.
 *
 * A function sees the chunk's locals as upvalues. One that assigned to such a variable, or wrote
 * into a table held by one, would remember something from call to call, and the same event would no
 * longer give the same decision. So every table that when, score and grant can reach from outside
 * is replaced by a read-only stand-in (reads go through it at native speed), and a function that
 * assigns to a variable of its surroundings does not load. A call then costs nothing extra, and
 * nothing has to be undone after one.
 */
#include "script/vm.h"

#include <string.h>

enum { DEPTH_MAX = 24, OBJECT_COUNT_MAX = 4096 };

static int refuse_write(lua_State *L)
{
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "an element";
    return luaL_error(L,
        "cannot set '%s': this table is read-only; a rule remembers nothing between calls: use "
        "state, or a table made in this call",
        key);
}

static int length(lua_State *L)
{
    lua_getfenv(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_objlen(L, -1));
    return 1;
}

void rwd_vm_make_read_only(lua_State *L)
{
    (void)rwd_vm_new_object(L, sizeof(struct rwd_object), RWD_OBJECT_READ_ONLY);
    lua_pushvalue(L, -2);
    (void)lua_setfenv(L, -2);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, length);
    lua_setfield(L, -2, "__len");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

/* Pushes what the registry's table in slot has for the value on top of the stack. */
static void look_up(lua_State *L, enum rwd_vm_slot slot)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, (int)slot);
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

static void freeze_value(lua_State *L, unsigned depth, unsigned *count);

static void freeze_table(lua_State *L, unsigned depth, unsigned *count)
{
    look_up(L, RWD_SLOT_FROZEN);
    if (!lua_isnil(L, -1)) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    int table = lua_gettop(L);
    lua_pushvalue(L, table);
    rwd_vm_make_read_only(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_FROZEN);
    lua_pushvalue(L, table);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        int key_type = lua_type(L, -2);
        if (key_type == LUA_TTABLE || key_type == LUA_TFUNCTION) {
            (void)luaL_error(L, "%s: a table outside the functions has a %s as a key",
                rwd_vm_of(L)->name, lua_typename(L, key_type));
        }
        freeze_value(L, depth + 1, count);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, table);
    }
    lua_remove(L, table);
}

static void freeze_function(lua_State *L, unsigned depth, unsigned *count)
{
    int function = lua_gettop(L);
    look_up(L, RWD_SLOT_VISITED);
    bool visited = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (visited) {
        return;
    }
    if (lua_iscfunction(L, function)) {
        if (lua_getupvalue(L, function, 1) != NULL) {
            (void)luaL_error(L, "%s: an iterator of pairs or gmatch cannot be kept outside a call",
                rwd_vm_of(L)->name);
        }
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_VISITED);
    lua_pushvalue(L, function);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    lua_Debug debug;
    lua_pushvalue(L, function);
    if (lua_getinfo(L, ">S", &debug) == 0) {
        return;
    }
    if (debug.source[0] == '@') {
        rwd_vm_inspect_closure(L);
    } else if (strcmp(debug.source, "=by_arm") != 0) {
        return; /* the prelude's; by_arm's closures hold the rule's own parts */
    }
    for (int i = 1; lua_getupvalue(L, function, i) != NULL; i++) {
        freeze_value(L, depth + 1, count);
        (void)lua_setupvalue(L, function, i);
    }
}

/* The value on top of the stack is replaced by what rules may see of it. */
static void freeze_value(lua_State *L, unsigned depth, unsigned *count)
{
    int type = lua_type(L, -1);
    if (type != LUA_TTABLE && type != LUA_TFUNCTION) {
        return;
    }
    *count += 1;
    if (depth > DEPTH_MAX || *count > OBJECT_COUNT_MAX) {
        (void)luaL_error(L,
            "%s: tables and functions outside the functions of the file: more than %d, or more "
            "than %d "
            "inside one another",
            rwd_vm_of(L)->name, OBJECT_COUNT_MAX, DEPTH_MAX);
    }
    luaL_checkstack(L, 10, NULL);
    if (type == LUA_TTABLE) {
        freeze_table(L, depth, count);
    } else {
        freeze_function(L, depth, count);
    }
}

void rwd_vm_freeze(lua_State *L, enum rwd_vm_slot first, enum rwd_vm_slot last)
{
    unsigned count = 0;
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_FROZEN);
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_VISITED);
    for (int slot = (int)first; slot <= (int)last; slot++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, slot);
        freeze_value(L, 0, &count);
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_FROZEN);
    lua_pushnil(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, RWD_SLOT_VISITED);
}
