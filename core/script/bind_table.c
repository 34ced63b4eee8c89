/***
 * table: lists.
 *
 *   insert(list, v), insert(list, position, v)    remove(list [, position])
 *   sort(list [, before])    stable; before(a, b) may be any function, a bad one only sorts badly
 *   concat(list [, separator [, first [, last]]])
 *   unpack(list [, first [, last]])    at most 256 values
 *
 *     table.sort(wins, function(a, b) return a > b end)
 *
 * Differences from stock Lua: positions are checked, sort is stable and cannot fail on a comparator
 * that contradicts itself. insert, remove and sort are written in Lua (scripts/prelude.lua), where
 * the instruction budget can interrupt them.
 */
#include "script/vm.h"

#include <string.h>

/* scripts/prelude.lua, embedded by CMake. */
extern const char rwd_script_prelude[];
extern const size_t rwd_script_prelude_size;

static int table_concat(lua_State *L)
{
    lua_settop(L, 4);
    rwd_vm_push_table(L, 1, "table.concat: list");
    struct rwd_text separator =
        lua_isnil(L, 2) ? RWD_TEXT("") : rwd_vm_text(L, 2, "table.concat: separator");
    int64_t first = lua_isnil(L, 3) ? 1 : rwd_vm_integer(L, 3, "table.concat: first");
    int64_t last =
        lua_isnil(L, 4) ? (int64_t)lua_objlen(L, 5) : rwd_vm_integer(L, 4, "table.concat: last");
    if (first < 1 || last > RWD_VM_TEXT_SIZE_MAX) {
        return luaL_error(L, "table.concat: positions must be 1 to %d", RWD_VM_TEXT_SIZE_MAX);
    }
    size_t size = 0;
    for (int64_t i = first; i <= last; i++) {
        lua_rawgeti(L, 5, (int)i);
        if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER) {
            return luaL_error(
                L, "table.concat: element %d is a %s", (int)i, rwd_vm_type_name(L, -1));
        }
        size_t element_size = 32; /* a number's longest text, less one */
        if (lua_type(L, -1) == LUA_TSTRING) {
            (void)lua_tolstring(L, -1, &element_size);
        }
        lua_pop(L, 1);
        size += element_size + separator.size;
        if (size > RWD_VM_TEXT_SIZE_MAX) {
            return luaL_error(
                L, "table.concat: the text is longer than %d bytes", RWD_VM_TEXT_SIZE_MAX);
        }
    }
    rwd_vm_charge(L, 1 + (size_t)(last > first ? last - first : 0) / 4);
    rwd_vm_charge_bytes(L, size);
    char *out = rwd_vm_work_area(L, size + 1);
    size_t used = 0;
    for (int64_t i = first; i <= last; i++) {
        size_t element_size = 0;
        lua_rawgeti(L, 5, (int)i);
        const char *element = lua_tolstring(L, -1, &element_size);
        memcpy(out + used, element, element_size);
        used += element_size;
        if (i < last) {
            memcpy(out + used, separator.data, separator.size);
            used += separator.size;
        }
        lua_pop(L, 1);
    }
    lua_pushlstring(L, out, used);
    return 1;
}

void rwd_bind_table(lua_State *L)
{
    int environment = lua_gettop(L);
    if (luaL_loadbufferx(L, rwd_script_prelude, rwd_script_prelude_size, "=prelude", "t") != 0) {
        (void)lua_error(L);
    }
    lua_pushvalue(L, environment);
    (void)lua_setfenv(L, -2);
    lua_call(L, 0, 1);
    lua_pushcfunction(L, table_concat);
    lua_setfield(L, -2, "concat");
    lua_getfield(L, environment, "unpack");
    lua_setfield(L, -2, "unpack");
    rwd_vm_make_read_only(L);
    lua_setfield(L, environment, "table");
}
