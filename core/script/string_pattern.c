/*
 * find, match, gmatch and gsub of the sandbox, over pattern.h. See bind_string.c for their limits.
 */
#include "script/pattern.h"
#include "script/vm.h"

#include <string.h>

enum {
    STEPS_A_UNIT = 4,
    /* Of one search, half a millisecond: no hook comes before it is over. */
    STEP_COUNT_MAX = 100000,
};

static struct rwd_text subject_of(lua_State *L)
{
    struct rwd_text subject = rwd_vm_text(L, 1, "string: text");
    if (subject.size > RWD_PATTERN_SUBJECT_SIZE_MAX) {
        (void)luaL_error(L, "a text searched with a pattern is at most %d bytes long",
            RWD_PATTERN_SUBJECT_SIZE_MAX);
    }
    return subject;
}

static void compile(lua_State *L, struct rwd_text text, struct rwd_pattern *pattern)
{
    struct rwd_error error;
    if (rwd_pattern_compile(text, pattern, &error) != RWD_OK) {
        (void)luaL_error(L, "%s", error.text);
    }
    rwd_vm_charge(L, 4);
}

/* Searches, and books the steps it took. */
static bool search(lua_State *L, const struct rwd_pattern *pattern, struct rwd_text subject,
    size_t from, struct rwd_pattern_match *match)
{
    match->steps = 0;
    uint64_t left = (uint64_t)rwd_vm_units_left(rwd_vm_of(L)) * STEPS_A_UNIT + STEPS_A_UNIT;
    match->steps_max = left < STEP_COUNT_MAX ? left : STEP_COUNT_MAX;
    enum rwd_status status = rwd_pattern_find(pattern, subject, from, match);
    rwd_vm_charge(L, 1 + match->steps / STEPS_A_UNIT);
    if (status == RWD_LIMIT) {
        (void)luaL_error(L, "the pattern takes too long");
    }
    return status == RWD_OK;
}

static size_t first_position(lua_State *L, int index, size_t size)
{
    int64_t first = lua_isnoneornil(L, index) ? 1 : rwd_vm_integer(L, index, "string: first");
    first = first < 0 ? (int64_t)size + first + 1 : first;
    first = first < 1 ? 1 : first;
    return first > (int64_t)size + 1 ? size + 1 : (size_t)first - 1;
}

static void push_capture(
    lua_State *L, struct rwd_text subject, const struct rwd_pattern_match *match, unsigned i)
{
    lua_pushlstring(L, subject.data + match->captures[i].start,
        match->captures[i].end - match->captures[i].start);
}

/* The captures, or the whole match where there are none. */
static int push_captures(lua_State *L, const struct rwd_pattern *pattern, struct rwd_text subject,
    const struct rwd_pattern_match *match, bool whole)
{
    if (pattern->capture_count == 0 && whole) {
        lua_pushlstring(L, subject.data + match->start, match->end - match->start);
        return 1;
    }
    for (unsigned i = 0; i < pattern->capture_count; i++) {
        push_capture(L, subject, match, i);
    }
    return (int)pattern->capture_count;
}

static int find_plain(lua_State *L, struct rwd_text subject, struct rwd_text wanted)
{
    size_t from = first_position(L, 3, subject.size);
    rwd_vm_charge_bytes(L, subject.size * 4);
    const char *found = from > subject.size ? NULL
                                            : memmem(subject.data + from, subject.size - from,
                                                  wanted.data, wanted.size);
    if (found == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - subject.data + 1);
    lua_pushinteger(L, found - subject.data + (lua_Integer)wanted.size);
    return 2;
}

int rwd_string_find(lua_State *L)
{
    struct rwd_text wanted = rwd_vm_text(L, 2, "string.find: pattern");
    if (lua_toboolean(L, 4)) {
        return find_plain(L, rwd_vm_text(L, 1, "string.find: text"), wanted);
    }
    struct rwd_pattern pattern;
    struct rwd_pattern_match match;
    struct rwd_text subject = subject_of(L);
    compile(L, wanted, &pattern);
    size_t from = first_position(L, 3, subject.size);
    if (from > subject.size || !search(L, &pattern, subject, from, &match)) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer)match.start + 1);
    lua_pushinteger(L, (lua_Integer)match.end);
    return 2 + push_captures(L, &pattern, subject, &match, false);
}

int rwd_string_match(lua_State *L)
{
    struct rwd_pattern pattern;
    struct rwd_pattern_match match;
    struct rwd_text subject = subject_of(L);
    compile(L, rwd_vm_text(L, 2, "string.match: pattern"), &pattern);
    size_t from = first_position(L, 3, subject.size);
    if (from > subject.size || !search(L, &pattern, subject, from, &match)) {
        lua_pushnil(L);
        return 1;
    }
    return push_captures(L, &pattern, subject, &match, true);
}

/* Upvalues: subject, pattern, where to go on. */
static int gmatch_step(lua_State *L)
{
    struct rwd_pattern pattern;
    struct rwd_pattern_match match;
    struct rwd_text subject = rwd_vm_text(L, lua_upvalueindex(1), NULL);
    size_t from = (size_t)lua_tointeger(L, lua_upvalueindex(3));
    compile(L, rwd_vm_text(L, lua_upvalueindex(2), NULL), &pattern);
    if (from > subject.size || !search(L, &pattern, subject, from, &match)) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)(match.end > match.start ? match.end : match.end + 1));
    lua_replace(L, lua_upvalueindex(3));
    return push_captures(L, &pattern, subject, &match, true);
}

int rwd_string_gmatch(lua_State *L)
{
    struct rwd_pattern pattern;
    (void)subject_of(L);
    compile(L, rwd_vm_text(L, 2, "string.gmatch: pattern"), &pattern);
    if (pattern.anchored) {
        return luaL_error(L, "string.gmatch: a pattern with ^ matches only once; use match");
    }
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, gmatch_step, 3);
    return 1;
}

/* What one match is replaced by: on top of the stack as a text. */
static void push_replacement(lua_State *L, const struct rwd_pattern *pattern,
    struct rwd_text subject, const struct rwd_pattern_match *match)
{
    if (lua_type(L, 3) != LUA_TSTRING) {
        if (pattern->capture_count > 0) {
            push_capture(L, subject, match, 0);
        } else {
            lua_pushlstring(L, subject.data + match->start, match->end - match->start);
        }
        lua_pushvalue(L, -1);
        lua_gettable(L, 3);
        if (!lua_toboolean(L, -1)) {
            lua_pop(L, 2);
            lua_pushlstring(L, subject.data + match->start, match->end - match->start);
        } else {
            lua_remove(L, -2);
        }
        if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER) {
            (void)luaL_error(L, "string.gsub: the table gives a %s", rwd_vm_type_name(L, -1));
        }
        return;
    }
    struct rwd_text with = rwd_vm_text(L, 3, NULL);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (size_t i = 0; i < with.size; i++) {
        if (with.data[i] != '%') {
            luaL_addchar(&buffer, with.data[i]);
            continue;
        }
        unsigned char next = i + 1 < with.size ? (unsigned char)with.data[++i] : 0;
        if (next == '%') {
            luaL_addchar(&buffer, '%');
        } else if (next == '0' || (next == '1' && pattern->capture_count == 0)) {
            luaL_addlstring(&buffer, subject.data + match->start, match->end - match->start);
        } else if (next > '0' && next <= '0' + pattern->capture_count) {
            unsigned capture = next - '1';
            luaL_addlstring(&buffer, subject.data + match->captures[capture].start,
                match->captures[capture].end - match->captures[capture].start);
        } else {
            (void)luaL_error(L, "string.gsub: after %% only a capture's number or %%");
        }
    }
    luaL_pushresult(&buffer);
}

int rwd_string_gsub(lua_State *L)
{
    struct rwd_pattern pattern;
    struct rwd_pattern_match match;
    struct rwd_text subject = subject_of(L);
    compile(L, rwd_vm_text(L, 2, "string.gsub: pattern"), &pattern);
    int64_t count_max =
        lua_isnoneornil(L, 4) ? INT32_MAX : rwd_vm_integer(L, 4, "string.gsub: count");
    if (lua_type(L, 3) == LUA_TFUNCTION) {
        return luaL_error(L, "string.gsub: takes a text or a table, not a function");
    }
    if (lua_type(L, 3) == LUA_TSTRING) {
        if (rwd_vm_text(L, 3, NULL).size > RWD_PATTERN_SUBJECT_SIZE_MAX) {
            return luaL_error(L, "string.gsub: the replacement is at most %d bytes long",
                RWD_PATTERN_SUBJECT_SIZE_MAX);
        }
    } else {
        rwd_vm_push_table(L, 3, "string.gsub: replacement");
        lua_replace(L, 3);
    }
    lua_settop(L, 3);
    int64_t count = 0;
    size_t from = 0;
    lua_pushliteral(L, ""); /* 4: what was made so far */
    while (
        count < count_max && from <= subject.size && search(L, &pattern, subject, from, &match)) {
        count++;
        lua_pushlstring(L, subject.data + from, match.start - from);
        push_replacement(L, &pattern, subject, &match);
        size_t next = match.end;
        if (match.end == match.start) {
            size_t one = match.end < subject.size ? 1 : 0;
            lua_pushlstring(L, subject.data + match.end, one);
            next = match.end + 1;
        } else {
            lua_pushliteral(L, "");
        }
        lua_concat(L, 4);
        size_t size = lua_objlen(L, 4);
        if (size > RWD_VM_TEXT_SIZE_MAX) {
            return luaL_error(
                L, "string.gsub: the text is longer than %d bytes", RWD_VM_TEXT_SIZE_MAX);
        }
        rwd_vm_charge_bytes(L, size);
        from = next;
        if (pattern.anchored) {
            break;
        }
    }
    if (from < subject.size) {
        lua_pushlstring(L, subject.data + from, subject.size - from);
        lua_concat(L, 2);
    }
    lua_pushinteger(L, (lua_Integer)count);
    return 2;
}
