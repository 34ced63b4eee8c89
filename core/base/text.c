#include "base/text.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct rwd_text rwd_text_of(const char *c_string)
{
    return (struct rwd_text){.data = c_string, .size = c_string != NULL ? strlen(c_string) : 0};
}

bool rwd_text_equal(struct rwd_text a, struct rwd_text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool rwd_text_is(struct rwd_text a, const char *c_string)
{
    return rwd_text_equal(a, rwd_text_of(c_string));
}

int rwd_text_compare(struct rwd_text a, struct rwd_text b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    if (order != 0 || a.size == b.size) {
        return order;
    }
    return a.size < b.size ? -1 : 1;
}

bool rwd_text_to_u64(struct rwd_text text, uint64_t *value)
{
    uint64_t sum = 0;
    if (text.size == 0) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(sum, (uint64_t)10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)digit, &sum)) {
            return false;
        }
    }
    *value = sum;
    return true;
}

void rwd_buffer_finish(struct rwd_buffer *buffer)
{
    rwd_free(buffer->data);
    *buffer = (struct rwd_buffer){0};
}

void rwd_buffer_reserve(struct rwd_buffer *buffer, size_t more)
{
    /* One byte over, so that c_string always has room for its NUL. */
    size_t needed = buffer->size + more + 1;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
        while (capacity < needed) {
            capacity *= 2;
        }
        buffer->data = rwd_grow(buffer->data, capacity);
        buffer->capacity = capacity;
    }
}

void rwd_buffer_put(struct rwd_buffer *buffer, const void *data, size_t size)
{
    rwd_buffer_reserve(buffer, size);
    if (size > 0) {
        memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
    }
}

void rwd_buffer_put_text(struct rwd_buffer *buffer, struct rwd_text text)
{
    rwd_buffer_put(buffer, text.data, text.size);
}

void rwd_buffer_put_string(struct rwd_buffer *buffer, const char *c_string)
{
    rwd_buffer_put(buffer, c_string, strlen(c_string));
}

void rwd_buffer_put_char(struct rwd_buffer *buffer, char character)
{
    rwd_buffer_put(buffer, &character, 1);
}

void rwd_buffer_put_u64(struct rwd_buffer *buffer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    rwd_buffer_put(buffer, digits + at, sizeof digits - at);
}

void rwd_buffer_put_i64(struct rwd_buffer *buffer, int64_t value)
{
    if (value < 0) {
        rwd_buffer_put_char(buffer, '-');
    }
    rwd_buffer_put_u64(buffer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void rwd_buffer_put_hex(struct rwd_buffer *buffer, const void *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    rwd_buffer_reserve(buffer, size * 2);
    for (size_t i = 0; i < size; i++) {
        buffer->data[buffer->size++] = digits[bytes[i] >> 4];
        buffer->data[buffer->size++] = digits[bytes[i] & 15];
    }
}

void rwd_buffer_put_format(struct rwd_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size > 0) {
        rwd_buffer_reserve(buffer, (size_t)size);
        (void)vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}

size_t rwd_utf8_sequence(const char *bytes, size_t size)
{
    /* RFC 3629, table 3-7 of Unicode. */
    const unsigned char *data = (const unsigned char *)bytes;
    unsigned lead = data[0];
    size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length == 0 || size < length) {
        return 0;
    }
    unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (data[1] < low || data[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

void rwd_buffer_put_json(struct rwd_buffer *buffer, struct rwd_text text)
{
    rwd_buffer_reserve(buffer, text.size + 2);
    rwd_buffer_put_char(buffer, '"');
    for (size_t i = 0; i < text.size;) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte >= 0x80) {
            size_t length = rwd_utf8_sequence(text.data + i, text.size - i);
            if (length == 0) {
                rwd_buffer_put_string(buffer, "\xef\xbf\xbd");
                i++;
            } else {
                rwd_buffer_put(buffer, text.data + i, length);
                i += length;
            }
            continue;
        }
        if (byte == '"' || byte == '\\') {
            rwd_buffer_put_char(buffer, '\\');
            rwd_buffer_put_char(buffer, (char)byte);
        } else if (byte == '\n') {
            rwd_buffer_put_string(buffer, "\\n");
        } else if (byte < 0x20 || byte == 0x7f) {
            rwd_buffer_put_format(buffer, "\\u%04x", byte);
        } else {
            rwd_buffer_put_char(buffer, (char)byte);
        }
        i++;
    }
    rwd_buffer_put_char(buffer, '"');
}

char *rwd_buffer_c_string(struct rwd_buffer *buffer)
{
    rwd_buffer_reserve(buffer, 0);
    buffer->data[buffer->size] = '\0';
    return buffer->data;
}
