#include "base/log_line.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

/* For what ends a line: '..."', ' suppressed=4294967295' and the line break. */
enum { END_SIZE_MAX = 32, NO_PRECISION = -1 };

/* va_list may be an array, which would not pass through a pointer. */
struct arguments {
    va_list list;
};

struct conversion {
    bool zeros; /* the width is filled with them */
    int width;
    int precision;
    char length; /* 'l', 'q' for ll, 'z', or 0 */
    char kind;
};

/* All of it or nothing, so that no escape and no character is cut in two. */
static void put(struct rwd_log_line *line, const char *data, size_t size)
{
    if (line->cut || size > sizeof line->data - END_SIZE_MAX - line->size) {
        line->cut = true;
        return;
    }
    memcpy(line->data + line->size, data, size);
    line->size += size;
}

static void put_char(struct rwd_log_line *line, char character)
{
    put(line, &character, 1);
}

/* ---- texts ---- */

static void put_escape(struct rwd_log_line *line, unsigned char byte)
{
    char escape[8];
    switch (byte) {
    case '"':
        put(line, "\\\"", 2);
        break;
    case '\\':
        put(line, "\\\\", 2);
        break;
    case '\n':
        put(line, "\\n", 2);
        break;
    case '\r':
        put(line, "\\r", 2);
        break;
    case '\t':
        put(line, "\\t", 2);
        break;
    default:
        (void)snprintf(escape, sizeof escape, "\\x%02x", byte);
        put(line, escape, 4);
        break;
    }
}

/* C1 controls steer terminals as C0 ones do: 0xc2 0x80 to 0xc2 0x9f. */
static bool is_c1(const char *data, size_t size)
{
    return size == 2 && (unsigned char)data[0] == 0xc2 && (unsigned char)data[1] < 0xa0;
}

static void put_escaped(struct rwd_log_line *line, const char *data, size_t size)
{
    size_t i = 0;
    while (i < size && !line->cut) {
        unsigned char byte = (unsigned char)data[i];
        size_t length = byte < 0x80 ? 1 : rwd_utf8_sequence(data + i, size - i);
        bool plain = byte >= 0x80 ? length > 0 && !is_c1(data + i, length)
                                  : byte >= 0x20 && byte != 0x7f && byte != '"' && byte != '\\';
        if (plain) {
            put(line, data + i, length);
            i += length;
        } else {
            put_escape(line, byte);
            i++;
        }
    }
}

/* Can stand without quotes: nothing in it ends a value or begins a key. */
static bool is_bare(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte <= 0x20 || byte >= 0x7f || byte == '"' || byte == '\\' || byte == '=') {
            return false;
        }
    }
    return size > 0;
}

static void put_text(struct rwd_log_line *line, const char *text, int precision)
{
    text = text != NULL ? text : "(null)";
    size_t size = precision == NO_PRECISION ? strlen(text) : strnlen(text, (size_t)precision);
    if (line->in_quotes) {
        put_escaped(line, text, size);
    } else if (is_bare(text, size)) {
        put(line, text, size);
    } else {
        put_char(line, '"');
        line->in_quotes = !line->cut;
        put_escaped(line, text, size);
        if (!line->cut) {
            put_char(line, '"');
            line->in_quotes = line->cut;
        }
    }
}

/* ---- numbers ---- */

static void put_number(struct rwd_log_line *line, const struct conversion *conversion,
    unsigned long long number, bool negative)
{
    char digits[32];
    int size = snprintf(digits, sizeof digits, conversion->kind == 'x' ? "%llx" : "%llu", number);
    for (int i = size + negative; i < conversion->width && !line->cut; i++) {
        put_char(line, conversion->zeros ? '0' : ' ');
    }
    if (negative) {
        put_char(line, '-');
    }
    put(line, digits, (size_t)size);
}

static long long signed_of(char length, struct arguments *arguments)
{
    if (length == 'l') {
        return va_arg(arguments->list, long);
    }
    if (length == 'q') {
        return va_arg(arguments->list, long long);
    }
    if (length == 'z') {
        return va_arg(arguments->list, ssize_t);
    }
    return va_arg(arguments->list, int);
}

static unsigned long long unsigned_of(char length, struct arguments *arguments)
{
    if (length == 'l') {
        return va_arg(arguments->list, unsigned long);
    }
    if (length == 'q') {
        return va_arg(arguments->list, unsigned long long);
    }
    if (length == 'z') {
        return va_arg(arguments->list, size_t);
    }
    return va_arg(arguments->list, unsigned);
}

/* ---- formats ---- */

static int read_digits(const char **at)
{
    int number = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        number = number < 10000 ? number * 10 + (**at - '0') : number;
    }
    return number;
}

/* *at is behind the '%', and then behind the conversion. */
static struct conversion read_conversion(const char **at, struct arguments *arguments)
{
    struct conversion conversion = {.zeros = **at == '0', .precision = NO_PRECISION};
    conversion.width = read_digits(at);
    if (**at == '.' && (*at)[1] == '*') {
        int precision = va_arg(arguments->list, int);
        conversion.precision = precision < 0 ? NO_PRECISION : precision;
        *at += 2;
    } else if (**at == '.') {
        (*at)++;
        conversion.precision = read_digits(at);
    }
    if (**at == 'l' || **at == 'z') {
        conversion.length = *(*at)++;
        if (conversion.length == 'l' && **at == 'l') {
            conversion.length = 'q';
            (*at)++;
        }
    }
    conversion.kind = **at;
    *at += **at != '\0';
    return conversion;
}

/* False: not known, so nobody can tell which argument comes next. */
static bool put_conversion(
    struct rwd_log_line *line, const struct conversion *conversion, struct arguments *arguments)
{
    switch (conversion->kind) {
    case '%':
        put_char(line, '%');
        return true;
    case 's':
        put_text(line, va_arg(arguments->list, const char *), conversion->precision);
        return true;
    case 'd': {
        long long number = signed_of(conversion->length, arguments);
        unsigned long long size =
            number < 0 ? 0 - (unsigned long long)number : (unsigned long long)number;
        put_number(line, conversion, size, number < 0);
        return true;
    }
    case 'u':
    case 'x':
        put_number(line, conversion, unsigned_of(conversion->length, arguments), false);
        return true;
    default:
        put(line, "%?", 2);
        return false;
    }
}

void rwd_log_line_put(struct rwd_log_line *line, const char *format, va_list arguments)
{
    struct arguments rest;
    va_copy(rest.list, arguments);
    bool known = true;
    for (const char *at = format; *at != '\0' && known && !line->cut;) {
        if (*at == '%') {
            at++;
            struct conversion conversion = read_conversion(&at, &rest);
            known = put_conversion(line, &conversion, &rest);
            continue;
        }
        put_char(line, *at);
        if (*at == '"' && !line->cut) {
            line->in_quotes = !line->in_quotes;
        }
        at++;
    }
    va_end(rest.list);
}

void rwd_log_line_end(struct rwd_log_line *line, unsigned suppressed)
{
    char *end = line->data + line->size;
    int size =
        snprintf(end, END_SIZE_MAX, "%s%s", line->cut ? "..." : "", line->in_quotes ? "\"" : "");
    if (suppressed > 0) {
        size += snprintf(end + size, (size_t)(END_SIZE_MAX - size), " suppressed=%u", suppressed);
    }
    end[size++] = '\n';
    line->size += (size_t)size;
}
