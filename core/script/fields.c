#include "script/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Past a comment or a string that begins at i; i itself where none does. */
static size_t skip_quiet(struct rwd_text source, size_t i)
{
    const char *data = source.data;
    if (data[i] == '-' && i + 1 < source.size && data[i + 1] == '-') {
        bool block = i + 3 < source.size && data[i + 2] == '[' && data[i + 3] == '[';
        const char *end = block ? memmem(data + i, source.size - i, "]]", 2)
                                : memchr(data + i, '\n', source.size - i);
        return end == NULL ? source.size : (size_t)(end - data) + 1;
    }
    if (data[i] != '"' && data[i] != '\'') {
        return i;
    }
    size_t end = i + 1;
    while (end < source.size && data[end] != data[i] && data[end] != '\n') {
        end += data[end] == '\\' ? 2 : 1;
    }
    return end < source.size ? end + 1 : source.size;
}

/* The next word that equals wanted and stands before an assignment, or before a call. */
static size_t find_word(struct rwd_text source, size_t from, struct rwd_text wanted, bool call)
{
    for (size_t i = from; i < source.size;) {
        size_t quiet = skip_quiet(source, i);
        if (quiet != i) {
            i = quiet;
            continue;
        }
        if (!is_name_byte(source.data[i])) {
            i++;
            continue;
        }
        size_t start = i;
        while (i < source.size && is_name_byte(source.data[i])) {
            i++;
        }
        size_t behind = i;
        while (behind < source.size && strchr(" \t\r\n", source.data[behind]) != NULL) {
            behind++;
        }
        char next = behind < source.size ? source.data[behind] : ' ';
        bool assigned = next == '=' && behind + 1 < source.size && source.data[behind + 1] != '=';
        if ((call ? next == '{' || next == '(' : assigned) && i - start == wanted.size &&
            memcmp(source.data + start, wanted.data, wanted.size) == 0) {
            return start;
        }
    }
    return source.size;
}

size_t rwd_source_find_key(struct rwd_text source, size_t from, struct rwd_text key)
{
    return find_word(source, from, key, false);
}

size_t rwd_source_find_call(struct rwd_text source, size_t from, struct rwd_text name)
{
    return find_word(source, from, name, true);
}

int rwd_source_line(struct rwd_text source, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset && i < source.size; i++) {
        line += source.data[i] == '\n';
    }
    return line;
}

static void push_where(const struct rwd_fields *fields, const char *key)
{
    if (fields->source.data == NULL) {
        rwd_vm_push_where(fields->L, fields->path);
        return;
    }
    size_t at = fields->source.size;
    if (key != NULL) {
        at = rwd_source_find_key(fields->source, fields->offset, rwd_text_of(key));
    }
    lua_pushfstring(fields->L, "%s:%d: ", rwd_vm_of(fields->L)->name,
        rwd_source_line(fields->source, at < fields->source.size ? at : fields->offset));
}

void rwd_fields_fail(const struct rwd_fields *fields, const char *key, const char *format, ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    push_where(fields, key);
    if (key == NULL) {
        lua_pushfstring(fields->L, "%s: %s", fields->path[0] != '\0' ? fields->path : "rule", what);
    } else {
        lua_pushfstring(
            fields->L, "%s%s%s: %s", fields->path, fields->path[0] != '\0' ? "." : "", key, what);
    }
    lua_concat(fields->L, 2);
    (void)lua_error(fields->L);
    __builtin_unreachable();
}

void rwd_fields_check(const struct rwd_fields *fields)
{
    lua_State *L = fields->L;
    luaL_checkstack(L, 8, NULL);
    lua_pushnil(L);
    while (lua_next(L, fields->table) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            rwd_fields_fail(fields, NULL, "has an element without a name; only name = value");
        }
        const char *key = lua_tostring(L, -1);
        bool known = fields->keys == NULL;
        for (const char *const *name = fields->keys; !known && *name != NULL; name++) {
            known = strcmp(*name, key) == 0;
        }
        if (!known) {
            const char *near = rwd_vm_nearest(rwd_text_of(key), fields->keys);
            if (near != NULL) {
                rwd_fields_fail(fields, key, "unknown field; did you mean '%s'?", near);
            }
            rwd_fields_fail(fields, key, "unknown field");
        }
    }
}

struct rwd_fields rwd_fields_open(
    lua_State *L, int index, const char *path, const char *const *keys)
{
    struct rwd_fields fields = {.L = L, .table = index, .path = path, .keys = keys};
    if (lua_type(L, index) != LUA_TTABLE) {
        rwd_fields_fail(
            &fields, NULL, "needs a table { ... }, not a %s", rwd_vm_type_name(L, index));
    }
    return fields;
}

bool rwd_fields_enter(const struct rwd_fields *parent, const char *key, const char *const *keys,
    struct rwd_fields *fields)
{
    lua_State *L = parent->L;
    luaL_checkstack(L, 8, NULL);
    lua_getfield(L, parent->table, key);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    if (lua_type(L, -1) != LUA_TTABLE) {
        rwd_fields_fail(parent, key, "must be a table { ... }, not a %s", rwd_vm_type_name(L, -1));
    }
    *fields = (struct rwd_fields){.L = L,
        .table = lua_gettop(L),
        .path = key,
        .source = parent->source,
        .offset = parent->offset,
        .keys = keys};
    if (parent->source.data != NULL) {
        size_t at = rwd_source_find_key(parent->source, parent->offset, rwd_text_of(key));
        fields->offset = at < parent->source.size ? at : parent->offset;
    }
    rwd_fields_check(fields);
    return true;
}

/* A source is UTF-8, but escapes and string.sub make any bytes; and texts go out as JSON. */
static bool is_utf8(struct rwd_text text)
{
    for (size_t i = 0; i < text.size;) {
        bool ascii = (unsigned char)text.data[i] < 0x80;
        size_t size = ascii ? 1 : rwd_utf8_sequence(text.data + i, text.size - i);
        if (size == 0) {
            return false;
        }
        i += size;
    }
    return true;
}

bool rwd_fields_text(
    const struct rwd_fields *fields, const char *key, size_t size_max, struct rwd_text *text)
{
    lua_State *L = fields->L;
    lua_getfield(L, fields->table, key);
    bool there = !lua_isnil(L, -1);
    if (there) {
        if (lua_type(L, -1) != LUA_TSTRING) {
            rwd_fields_fail(fields, key, "must be a text, not a %s", rwd_vm_type_name(L, -1));
        }
        text->data = lua_tolstring(L, -1, &text->size);
        if (text->size == 0 || text->size > size_max) {
            rwd_fields_fail(fields, key, "must be 1 to %zu bytes long", size_max);
        }
        if (memchr(text->data, '\0', text->size) != NULL) {
            rwd_fields_fail(fields, key, "must not hold a NUL byte");
        }
        if (!is_utf8(*text)) {
            rwd_fields_fail(fields, key, "must be UTF-8; was a character cut in two?");
        }
    }
    lua_pop(L, 1);
    return there;
}

bool rwd_fields_integer(
    const struct rwd_fields *fields, const char *key, int64_t least, int64_t most, int64_t *value)
{
    lua_State *L = fields->L;
    lua_getfield(L, fields->table, key);
    bool there = !lua_isnil(L, -1);
    if (there) {
        double number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0.5;
        if (!(number >= (double)least && number <= (double)most) ||
            number != (double)(int64_t)number) {
            rwd_fields_fail(fields, key, "must be a whole number from %lld to %lld",
                (long long)least, (long long)most);
        }
        *value = (int64_t)number;
    }
    lua_pop(L, 1);
    return there;
}

bool rwd_fields_boolean(const struct rwd_fields *fields, const char *key, bool *value)
{
    lua_State *L = fields->L;
    lua_getfield(L, fields->table, key);
    bool there = !lua_isnil(L, -1);
    if (there && lua_type(L, -1) != LUA_TBOOLEAN) {
        rwd_fields_fail(fields, key, "must be true or false, not a %s", rwd_vm_type_name(L, -1));
    }
    if (there) {
        *value = lua_toboolean(L, -1) != 0;
    }
    lua_pop(L, 1);
    return there;
}

void rwd_fields_require(const struct rwd_fields *fields, const char *key)
{
    lua_getfield(fields->L, fields->table, key);
    if (lua_isnil(fields->L, -1)) {
        rwd_fields_fail(fields, key, "is missing");
    }
    lua_pop(fields->L, 1);
}

void rwd_fields_copy(
    const struct rwd_fields *fields, const char *key, bool required, char *out, size_t size)
{
    struct rwd_text text = {0};
    if (required) {
        rwd_fields_require(fields, key);
    }
    if (rwd_fields_text(fields, key, size - 1, &text)) {
        memcpy(out, text.data, text.size);
        out[text.size] = '\0';
    }
}

size_t rwd_fields_each(const struct rwd_fields *fields, const char *key, size_t count_max,
    void (*visit)(const struct rwd_fields *fields, const char *key, size_t i, void *context),
    void *context)
{
    lua_State *L = fields->L;
    luaL_checkstack(L, 8, NULL);
    lua_getfield(L, fields->table, key);
    size_t count = lua_isnil(L, -1) ? 0 : 1;
    if (lua_type(L, -1) == LUA_TTABLE) {
        count = lua_objlen(L, -1);
        size_t keys = 0;
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
            lua_pop(L, 1);
            keys++;
        }
        if (count == 0 || keys != count || count > count_max) {
            rwd_fields_fail(fields, key, "must be a list of 1 to %zu values", count_max);
        }
        for (size_t i = 0; i < count; i++) {
            lua_rawgeti(L, -1, (int)i + 1);
            visit(fields, key, i, context);
            lua_pop(L, 1);
        }
    } else if (count == 1) {
        visit(fields, key, 0, context);
    }
    lua_pop(L, 1);
    return count;
}
