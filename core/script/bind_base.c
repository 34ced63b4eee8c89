/***
 * Basic functions.
 *
 *   assert(v [, message])    error(message [, level])    pcall(f, ...)
 *   type(v)  tostring(v)  tonumber(v [, base])  select(n, ...)  unpack(list [, i [, j]])
 *   ipairs(list)             1, 2, 3 ... up to the first nil
 *   pairs(table)             every key, always in the same order: numbers rising, then texts
 *                            bytewise, then false and true
 *
 *     local total = 0
 *     for name, amount in pairs(event.payload.parts) do total = total + amount end
 *
 * What is different from stock Lua: pairs is sorted and takes at most 4096 keys, which must be
 * numbers, texts or booleans; it and ipairs also walk event.payload, player.segments and so on;
 * tostring of a table says "table", never an address; pcall cannot catch the end of the budget;
 * reading a field of nil gives nil. There is no next, xpcall, load, setmetatable, coroutine.
 */
#include "script/vm.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAIRS_COUNT_MAX = 4096,
    UNPACK_COUNT_MAX = 256,
    NUMBER_TEXT_SIZE_MAX = 64,
    /* Keys up to this long are compared for what a key costs anyhow. */
    SHORT_KEY_SIZE_MAX = 64,
};

static int base_assert(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_toboolean(L, 1)) {
        return lua_gettop(L);
    }
    if (lua_gettop(L) >= 2) {
        lua_settop(L, 2);
        return lua_error(L);
    }
    return luaL_error(L, "assertion failed");
}

static int base_error(lua_State *L)
{
    int level = lua_isnoneornil(L, 2) ? 1 : (int)rwd_vm_integer(L, 2, "error: level");
    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING && level > 0 && level < 100) {
        luaL_where(L, level);
        lua_pushvalue(L, 1);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int base_type(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushstring(L, rwd_vm_type_name(L, 1));
    return 1;
}

int rwd_base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    switch (lua_type(L, 1)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
        lua_settop(L, 1);
        (void)lua_tostring(L, 1);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, 1) ? "true" : "false");
        break;
    default:
        lua_pushstring(L, rwd_vm_type_name(L, 1));
        break;
    }
    return 1;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

static int base_tonumber(lua_State *L)
{
    luaL_checkany(L, 1);
    int base = lua_isnoneornil(L, 2) ? 10 : (int)rwd_vm_integer(L, 2, "tonumber: base");
    if (base < 2 || base > 36) {
        return luaL_error(L, "tonumber: base must be 2 to 36");
    }
    size_t size = 0;
    const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &size) : NULL;
    if (base == 10 && (text == NULL || size <= NUMBER_TEXT_SIZE_MAX)) {
        if (lua_isnumber(L, 1)) {
            lua_pushnumber(L, lua_tonumber(L, 1));
            return 1;
        }
    } else if (text != NULL && size > 0 && size <= NUMBER_TEXT_SIZE_MAX) {
        double value = 0;
        for (size_t i = 0; i < size; i++) {
            int digit = digit_of(text[i]);
            if (digit >= base) {
                lua_pushnil(L);
                return 1;
            }
            value = value * base + digit;
        }
        lua_pushnumber(L, value);
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

static int base_select(lua_State *L)
{
    int count = lua_gettop(L) - 1;
    rwd_vm_charge(L, 1 + (size_t)(count > 0 ? count : 0) / 8);
    if (lua_type(L, 1) == LUA_TSTRING && strcmp(lua_tostring(L, 1), "#") == 0) {
        lua_pushinteger(L, count);
        return 1;
    }
    int64_t from = rwd_vm_integer(L, 1, "select: index");
    if (from < 0) {
        from = count + from + 1;
    }
    if (from < 1) {
        return luaL_error(L, "select: index out of range");
    }
    return from > count ? 0 : count - (int)from + 1;
}

static int base_unpack(lua_State *L)
{
    lua_settop(L, 3);
    rwd_vm_push_table(L, 1, "unpack: list");
    int64_t first = lua_isnil(L, 2) ? 1 : rwd_vm_integer(L, 2, "unpack: first");
    int64_t last =
        lua_isnil(L, 3) ? (int64_t)lua_objlen(L, 4) : rwd_vm_integer(L, 3, "unpack: last");
    if (last < first) {
        return 0;
    }
    if (last - first >= UNPACK_COUNT_MAX || first < -PAIRS_COUNT_MAX || last > INT32_MAX) {
        return luaL_error(L, "unpack: more than %d values", UNPACK_COUNT_MAX);
    }
    int count = (int)(last - first) + 1;
    rwd_vm_charge(L, 1 + (size_t)count / 8);
    luaL_checkstack(L, count, "unpack");
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, 4, (int)first + i);
    }
    return count;
}

static int ipairs_step(lua_State *L)
{
    int64_t i = rwd_vm_integer(L, 2, "ipairs: index") + 1;
    if (i < 1 || i > INT32_MAX) {
        return 0;
    }
    if (lua_type(L, 1) == LUA_TTABLE) {
        lua_rawgeti(L, 1, (int)i);
    } else if (rwd_vm_object(L, 1) != NULL) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_gettable(L, 1);
    } else {
        lua_pushnil(L);
    }
    if (lua_isnil(L, -1)) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)i);
    lua_insert(L, -2);
    return 2;
}

static bool is_table_like(lua_State *L, int index)
{
    return strcmp(rwd_vm_type_name(L, index), "table") == 0;
}

static int base_ipairs(lua_State *L)
{
    if (!is_table_like(L, 1)) {
        return luaL_error(L, "ipairs: a table is needed, not a %s", rwd_vm_type_name(L, 1));
    }
    lua_settop(L, 1);
    lua_pushcfunction(L, ipairs_step);
    lua_insert(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

/* pairs */

struct key {
    union {
        double number;
        const char *text;
    } of;
    uint32_t size;
    uint32_t rank; /* 0 number, 1 text, 2 false, 3 true */
};

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left;
    const struct key *b = right;
    if (a->rank != b->rank) {
        return a->rank < b->rank ? -1 : 1;
    }
    if (a->rank == 0) {
        return a->of.number < b->of.number ? -1 : a->of.number > b->of.number;
    }
    return a->rank == 1 ? rwd_text_compare((struct rwd_text){.data = a->of.text, .size = a->size},
                              (struct rwd_text){.data = b->of.text, .size = b->size})
                        : 0;
}

static void take_key(lua_State *L, int index, struct key *key)
{
    size_t size = 0;
    *key = (struct key){0};
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        key->of.number = lua_tonumber(L, index);
        break;
    case LUA_TSTRING:
        key->of.text = lua_tolstring(L, index, &size);
        key->size = (uint32_t)size;
        key->rank = 1;
        break;
    case LUA_TBOOLEAN:
        key->rank = lua_toboolean(L, index) ? 3 : 2;
        break;
    default:
        (void)luaL_error(
            L, "pairs: a key that is a %s has no place in an order", rwd_vm_type_name(L, index));
    }
}

static void push_key(lua_State *L, const struct key *key)
{
    if (key->rank == 0) {
        lua_pushnumber(L, key->of.number);
    } else if (key->rank == 1) {
        lua_pushlstring(L, key->of.text, key->size);
    } else {
        lua_pushboolean(L, key->rank == 3);
    }
}

/* Replaces the table on top of the stack by a list of its keys, in order. */
static void push_sorted_keys(lua_State *L)
{
    int table = lua_gettop(L);
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        if (++count > PAIRS_COUNT_MAX) {
            (void)luaL_error(L, "pairs: more than %d keys", PAIRS_COUNT_MAX);
        }
    }
    /* What sorting may take, whether the hash order happens to be sorted or not: that differs from
     * VM to VM, and the count must not. */
    rwd_vm_charge(L, 1 + count / 2 + count * 2);
    struct key *keys = (struct key *)(void *)rwd_vm_work_area(L, (count + 1) * sizeof *keys);
    bool sorted = true;
    size_t i = 0;
    size_t long_size = 0;
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        take_key(L, -1, &keys[i]);
        long_size += keys[i].size > SHORT_KEY_SIZE_MAX ? keys[i].size : 0;
        i++;
    }
    /* Long texts that begin alike are read to their ends at each of a dozen comparisons. */
    rwd_vm_charge(L, long_size * 12 / RWD_VM_BYTES_A_UNIT);
    for (i = 1; i < count && sorted; i++) {
        sorted = compare_keys(&keys[i - 1], &keys[i]) < 0;
    }
    if (!sorted) {
        qsort(keys, count, sizeof *keys, compare_keys);
    }
    lua_createtable(L, (int)count, 0);
    for (i = 0; i < count; i++) {
        push_key(L, &keys[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_replace(L, table);
    lua_settop(L, table);
}

/* Upvalues: what is walked, its keys, how far we are. Values are read as the walk gets there. */
static int pairs_step(lua_State *L)
{
    int i = (int)lua_tointeger(L, lua_upvalueindex(3));
    int count = (int)lua_objlen(L, lua_upvalueindex(2));
    bool view = lua_type(L, lua_upvalueindex(1)) != LUA_TTABLE;
    while (i < count) {
        lua_rawgeti(L, lua_upvalueindex(2), ++i);
        lua_pushvalue(L, -1);
        if (view) {
            lua_gettable(L, lua_upvalueindex(1));
        } else {
            lua_rawget(L, lua_upvalueindex(1));
        }
        if (!lua_isnil(L, -1)) {
            lua_pushinteger(L, i);
            lua_replace(L, lua_upvalueindex(3));
            return 2;
        }
        lua_pop(L, 2);
        rwd_vm_charge(L, 1);
    }
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

static void push_view_keys(lua_State *L, struct rwd_object *object)
{
    const struct rwd_vm *vm = rwd_vm_of(L);
    switch (object->kind) {
    case RWD_OBJECT_READ_ONLY:
        lua_getfenv(L, 1);
        push_sorted_keys(L);
        break;
    case RWD_OBJECT_JSON:
        rwd_view_push_keys(L, (struct rwd_view *)(void *)object);
        push_sorted_keys(L);
        break;
    case RWD_OBJECT_SEGMENTS:
        lua_newtable(L);
        for (int i = 0; vm->call != NULL && i < vm->call->profile->segment_count; i++) {
            lua_pushinteger(L, i + 1);
            lua_rawseti(L, -2, i + 1);
        }
        break;
    case RWD_OBJECT_STATE:
        lua_newtable(L);
        for (size_t i = 0; vm->rule != NULL && i < vm->rule->state_count; i++) {
            lua_pushstring(L, vm->rule->states[i].name);
            lua_rawseti(L, -2, (int)i + 1);
        }
        break;
    default:
        (void)luaL_error(L, "pairs: this view cannot be walked; name its fields");
    }
}

static int base_pairs(lua_State *L)
{
    lua_settop(L, 1);
    struct rwd_object *object = rwd_vm_object(L, 1);
    if (lua_type(L, 1) == LUA_TTABLE) {
        lua_pushvalue(L, 1);
        push_sorted_keys(L);
    } else if (object != NULL && is_table_like(L, 1)) {
        push_view_keys(L, object);
    } else {
        return luaL_error(L, "pairs: a table is needed, not a %s", rwd_vm_type_name(L, 1));
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_step, 3);
    return 1;
}

void rwd_bind_base(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"assert", base_assert},
        {"error", base_error},
        {"ipairs", base_ipairs},
        {"pairs", base_pairs},
        {"pcall", rwd_vm_pcall},
        {"select", base_select},
        {"tonumber", base_tonumber},
        {"tostring", rwd_base_tostring},
        {"type", base_type},
        {"unpack", base_unpack},
        {NULL, NULL},
    };
    for (const luaL_Reg *function = functions; function->name != NULL; function++) {
        lua_pushcfunction(L, function->func);
        lua_setfield(L, -2, function->name);
    }
}
