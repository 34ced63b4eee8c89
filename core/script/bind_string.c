/***
 * string: texts, as bytes. Every function is also a method: event.ts:sub(1, 10).
 *
 *   len(s) sub(s, first [, last]) upper(s) lower(s) reverse(s) byte(s [, first [, last]]) char(...)
 *   rep(s, count [, separator])       up to 64 KiB
 *   format(f, ...)                    %d %i %u %c %x %X %o %e %E %f %g %G %q %s %%; width and
 *                                     precision of at most two digits
 *   find(s, pattern [, first [, plain]]) match(s, pattern [, first]) gmatch(s, pattern)
 *   gsub(s, pattern, text or table [, count])
 *
 *     local provider, game = event.payload.game_id:match("^(%a+)_(%w+)$")
 *
 * Patterns: subject up to 256 bytes, pattern up to 64, at most two of * + - ? in it; classes, sets,
 * anchors and captures as in Lua, but no %b, %f, position captures or back references, and a search
 * ends in an error after 100,000 steps. gsub takes no function. A plain find may search 64 KiB.
 * upper and lower change ASCII letters only.
 */
#include "script/vm.h"

#include <string.h>

static int string_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)rwd_vm_text(L, 1, "string.len: text").size);
    return 1;
}

/* Lua's positions, negative ones from the end, as a half-open range inside the text. */
static void range(int64_t first, int64_t last, size_t size, size_t *from, size_t *to)
{
    int64_t length = (int64_t)size;
    first = first < 0 ? length + first + 1 : first;
    last = last < 0 ? length + last + 1 : last;
    first = first < 1 ? 1 : first;
    last = last > length ? length : last;
    *from = first > last ? 0 : (size_t)first - 1;
    *to = first > last ? 0 : (size_t)last;
}

static int64_t position(lua_State *L, int index, int64_t standard)
{
    return lua_isnoneornil(L, index) ? standard : rwd_vm_integer(L, index, "string: position");
}

static int string_sub(lua_State *L)
{
    struct rwd_text text = rwd_vm_text(L, 1, "string.sub: text");
    size_t from = 0;
    size_t to = 0;
    range(rwd_vm_integer(L, 2, "string.sub: first"), position(L, 3, -1), text.size, &from, &to);
    rwd_vm_charge(L, (to - from) / RWD_VM_BYTES_A_UNIT);
    lua_pushlstring(L, text.data + from, to - from);
    return 1;
}

static int change_case(lua_State *L, char first, char last, int shift)
{
    struct rwd_text text = rwd_vm_text(L, 1, "string: text");
    rwd_vm_charge_bytes(L, text.size);
    char *out = rwd_vm_work_area(L, text.size + 1);
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        out[i] = c >= first && c <= last ? (char)(c + shift) : c;
    }
    lua_pushlstring(L, out, text.size);
    return 1;
}

static int string_upper(lua_State *L)
{
    return change_case(L, 'a', 'z', 'A' - 'a');
}

static int string_lower(lua_State *L)
{
    return change_case(L, 'A', 'Z', 'a' - 'A');
}

static int string_reverse(lua_State *L)
{
    struct rwd_text text = rwd_vm_text(L, 1, "string.reverse: text");
    rwd_vm_charge_bytes(L, text.size);
    char *out = rwd_vm_work_area(L, text.size + 1);
    for (size_t i = 0; i < text.size; i++) {
        out[i] = text.data[text.size - 1 - i];
    }
    lua_pushlstring(L, out, text.size);
    return 1;
}

static int string_byte(lua_State *L)
{
    enum { COUNT_MAX = 256 };
    struct rwd_text text = rwd_vm_text(L, 1, "string.byte: text");
    int64_t first = position(L, 2, 1);
    size_t from = 0;
    size_t to = 0;
    range(first, position(L, 3, first), text.size, &from, &to);
    if (to - from > COUNT_MAX) {
        return luaL_error(L, "string.byte: more than %d bytes", COUNT_MAX);
    }
    luaL_checkstack(L, COUNT_MAX, "string.byte");
    for (size_t i = from; i < to; i++) {
        lua_pushinteger(L, (unsigned char)text.data[i]);
    }
    return (int)(to - from);
}

static int string_char(lua_State *L)
{
    enum { COUNT_MAX = 256 };
    char out[COUNT_MAX];
    int count = lua_gettop(L);
    if (count > COUNT_MAX) {
        return luaL_error(L, "string.char: more than %d bytes", COUNT_MAX);
    }
    for (int i = 0; i < count; i++) {
        int64_t value = rwd_vm_integer(L, i + 1, "string.char: byte");
        if (value < 0 || value > 255) {
            return luaL_error(L, "string.char: a byte is 0 to 255");
        }
        out[i] = (char)value;
    }
    lua_pushlstring(L, out, (size_t)count);
    return 1;
}

static int string_rep(lua_State *L)
{
    struct rwd_text text = rwd_vm_text(L, 1, "string.rep: text");
    int64_t count = rwd_vm_integer(L, 2, "string.rep: count");
    struct rwd_text separator =
        lua_isnoneornil(L, 3) ? RWD_TEXT("") : rwd_vm_text(L, 3, "string.rep: separator");
    size_t each = text.size + separator.size;
    if (count <= 0 || each == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((uint64_t)count > RWD_VM_TEXT_SIZE_MAX / each) {
        return luaL_error(L, "string.rep: the text is longer than %d bytes", RWD_VM_TEXT_SIZE_MAX);
    }
    size_t size = each * (size_t)count - separator.size;
    rwd_vm_charge_bytes(L, size + (size_t)count * 8);
    char *out = rwd_vm_work_area(L, size + 1);
    for (size_t used = 0; used < size;) {
        memcpy(out + used, text.data, text.size);
        used += text.size;
        if (used < size) {
            memcpy(out + used, separator.data, separator.size);
            used += separator.size;
        }
    }
    lua_pushlstring(L, out, size);
    return 1;
}

void rwd_bind_string(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"byte", string_byte},
        {"char", string_char},
        {"find", rwd_string_find},
        {"format", rwd_string_format},
        {"gmatch", rwd_string_gmatch},
        {"gsub", rwd_string_gsub},
        {"len", string_len},
        {"lower", string_lower},
        {"match", rwd_string_match},
        {"rep", string_rep},
        {"reverse", string_reverse},
        {"sub", string_sub},
        {"upper", string_upper},
        {NULL, NULL},
    };
    lua_newtable(L);
    for (const luaL_Reg *function = functions; function->name != NULL; function++) {
        lua_pushcfunction(L, function->func);
        lua_setfield(L, -2, function->name);
    }
    /* ("x").rep goes past any environment: it must find our functions, and only read them. */
    lua_pushliteral(L, "");
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
    rwd_vm_make_read_only(L);
    lua_setfield(L, -2, "string");
}
