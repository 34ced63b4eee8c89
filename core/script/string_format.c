/*
 * string.format with a list of what is allowed instead of a list of what is not: one flag set, two
 * digits of width, two of precision, the conversions below. printf never sees a rule's text as its
 * format, only one that was put together here.
 */
#include "script/vm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    PIECE_SIZE_MAX = 512, /* %99.99f of 1e308 is 410 */
    /* Digits of a number are dear: 410 of them take 8 microseconds. */
    DIGITS_A_UNIT = 4,
};

struct output {
    lua_State *L;
    luaL_Buffer buffer;
    size_t size;
};

static void put(struct output *out, const char *data, size_t size)
{
    out->size += size;
    if (out->size > RWD_VM_TEXT_SIZE_MAX) {
        (void)luaL_error(
            out->L, "string.format: the text is longer than %d bytes", RWD_VM_TEXT_SIZE_MAX);
    }
    luaL_addlstring(&out->buffer, data, size);
}

struct spec {
    char flags[6];
    int width;
    int precision; /* -1: none */
    char conversion;
};

static int two_digits(const char **at, const char *end)
{
    int value = 0;
    for (int i = 0; i < 2 && *at < end && **at >= '0' && **at <= '9'; i++) {
        value = value * 10 + (*(*at)++ - '0');
    }
    return value;
}

static struct spec read_spec(lua_State *L, const char **at, const char *end)
{
    struct spec spec = {.precision = -1};
    size_t flag_count = 0;
    while (*at < end && **at != '\0' && strchr("-+ #0", **at) != NULL) {
        if (flag_count == sizeof spec.flags - 1) {
            (void)luaL_error(L, "string.format: repeated flags");
        }
        spec.flags[flag_count++] = *(*at)++;
    }
    spec.width = two_digits(at, end);
    if (*at < end && **at == '.') {
        (*at)++;
        spec.precision = two_digits(at, end);
    }
    if (*at >= end || **at == '\0' || strchr("diucxXoeEfgGqs", **at) == NULL) {
        (void)luaL_error(L,
            "string.format: after %% only %s, with at most two digits of width and "
            "precision",
            "d i u c x X o e E f g G q s %");
    }
    spec.conversion = *(*at)++;
    return spec;
}

static void put_quoted(struct output *out, struct rwd_text text)
{
    put(out, "\"", 1);
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '"' || c == '\\') {
            put(out, "\\", 1);
            put(out, &c, 1);
        } else if (c == '\n') {
            put(out, "\\n", 2);
        } else if (c == '\r') {
            put(out, "\\r", 2);
        } else if (c == '\0') {
            put(out, "\\000", 4);
        } else {
            put(out, &c, 1);
        }
    }
    put(out, "\"", 1);
}

static void put_number(struct output *out, const struct spec *spec, int index)
{
    char format[48];
    char piece[PIECE_SIZE_MAX];
    char width[16] = "";
    char precision[16] = "";
    if (spec->width > 0) {
        (void)snprintf(width, sizeof width, "%d", spec->width);
    }
    if (spec->precision >= 0) {
        (void)snprintf(precision, sizeof precision, ".%d", spec->precision);
    }
    bool whole = strchr("diucxXo", spec->conversion) != NULL;
    (void)snprintf(format, sizeof format, "%%%s%s%s%s%c", spec->flags, width, precision,
        whole && spec->conversion != 'c' ? "ll" : "", spec->conversion);
    int size;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (spec->conversion == 'c') {
        int64_t value = rwd_vm_integer(out->L, index, "string.format: %c");
        size = snprintf(piece, sizeof piece, "%c", (int)(value & 0xff));
    } else if (whole) {
        int64_t value = rwd_vm_integer(out->L, index, "string.format: %d");
        size = snprintf(piece, sizeof piece, format, (long long)value);
    } else {
        double value = rwd_vm_number(out->L, index, "string.format: %f");
        size = snprintf(piece, sizeof piece, format, isnan(value) ? NAN : value);
    }
#pragma GCC diagnostic pop
    put(out, piece, size < 0 ? 0 : (size_t)size);
    rwd_vm_charge(out->L, size < 0 ? 0 : (size_t)size / DIGITS_A_UNIT);
}

static void put_text(struct output *out, const struct spec *spec, struct rwd_text text)
{
    size_t size = text.size;
    if (spec->precision >= 0 && (size_t)spec->precision < size) {
        size = (size_t)spec->precision;
    }
    bool left = strchr(spec->flags, '-') != NULL;
    size_t blanks = (size_t)spec->width > size ? (size_t)spec->width - size : 0;
    for (size_t i = 0; !left && i < blanks; i++) {
        put(out, " ", 1);
    }
    put(out, text.data, size);
    for (size_t i = 0; left && i < blanks; i++) {
        put(out, " ", 1);
    }
}

/* The argument as text, put in the place of the argument itself so that it stays alive. */
static struct rwd_text argument_text(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TNONE) {
        (void)luaL_error(L, "string.format: too few values");
    }
    lua_pushcfunction(L, rwd_base_tostring);
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    lua_replace(L, index);
    return rwd_vm_text(L, index, "string.format: value");
}

int rwd_string_format(lua_State *L)
{
    struct rwd_text format = rwd_vm_text(L, 1, "string.format: format");
    int argument = 1;
    int count = lua_gettop(L);
    /* Texts first: the buffer below owns the top of the stack. */
    for (int i = 2; i <= count; i++) {
        if (lua_type(L, i) != LUA_TNUMBER) {
            (void)argument_text(L, i);
        }
    }
    struct output out = {.L = L};
    luaL_buffinit(L, &out.buffer);
    const char *end = format.data + format.size;
    for (const char *at = format.data; at < end;) {
        const char *percent = memchr(at, '%', (size_t)(end - at));
        size_t plain = percent == NULL ? (size_t)(end - at) : (size_t)(percent - at);
        put(&out, at, plain);
        at += plain;
        if (at == end) {
            break;
        }
        at++;
        if (at < end && *at == '%') {
            put(&out, at++, 1);
            continue;
        }
        struct spec spec = read_spec(L, &at, end);
        if (++argument > count) {
            return luaL_error(L, "string.format: too few values");
        }
        if (spec.conversion != 's' && spec.conversion != 'q') {
            put_number(&out, &spec, argument);
            continue;
        }
        char digits[32];
        struct rwd_text text = {.data = digits};
        if (lua_type(L, argument) == LUA_TNUMBER) {
            /* Lua's own way to write a number. */
            text.size = (size_t)snprintf(digits, sizeof digits, "%.14g", lua_tonumber(L, argument));
        } else {
            text = rwd_vm_text(L, argument, "string.format: value");
        }
        if (spec.conversion == 'q') {
            put_quoted(&out, text);
        } else {
            put_text(&out, &spec, text);
        }
    }
    luaL_pushresult(&out.buffer);
    rwd_vm_charge_bytes(L, out.size);
    return 1;
}
