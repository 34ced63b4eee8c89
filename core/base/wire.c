#include "base/wire.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "wire.c copies numbers as they lie in memory and expects a little-endian machine"
#endif

void rwd_wire_put_u8(struct rwd_buffer *buffer, uint8_t value)
{
    rwd_buffer_put(buffer, &value, sizeof value);
}

void rwd_wire_put_u32(struct rwd_buffer *buffer, uint32_t value)
{
    rwd_buffer_put(buffer, &value, sizeof value);
}

void rwd_wire_put_u64(struct rwd_buffer *buffer, uint64_t value)
{
    rwd_buffer_put(buffer, &value, sizeof value);
}

void rwd_wire_put_varint(struct rwd_buffer *buffer, uint64_t value)
{
    unsigned char bytes[10];
    size_t count = 0;
    while (value >= 0x80) {
        bytes[count++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    bytes[count++] = (unsigned char)value;
    rwd_buffer_put(buffer, bytes, count);
}

void rwd_wire_put_signed(struct rwd_buffer *buffer, int64_t value)
{
    rwd_wire_put_varint(buffer, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void rwd_wire_put_text(struct rwd_buffer *buffer, struct rwd_text text)
{
    rwd_wire_put_varint(buffer, text.size);
    rwd_buffer_put_text(buffer, text);
}

struct rwd_wire rwd_wire_of(const void *data, size_t size)
{
    return (struct rwd_wire){.at = data, .end = (const unsigned char *)data + size};
}

static bool take(struct rwd_wire *wire, void *value, size_t size)
{
    if (wire->failed || (size_t)(wire->end - wire->at) < size) {
        wire->failed = true;
        return false;
    }
    memcpy(value, wire->at, size);
    wire->at += size;
    return true;
}

uint8_t rwd_wire_u8(struct rwd_wire *wire)
{
    uint8_t value = 0;
    (void)take(wire, &value, sizeof value);
    return value;
}

uint32_t rwd_wire_u32(struct rwd_wire *wire)
{
    uint32_t value = 0;
    (void)take(wire, &value, sizeof value);
    return value;
}

uint64_t rwd_wire_u64(struct rwd_wire *wire)
{
    uint64_t value = 0;
    (void)take(wire, &value, sizeof value);
    return value;
}

uint64_t rwd_wire_varint(struct rwd_wire *wire)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = rwd_wire_u8(wire);
        if (shift == 63 && byte > 1) {
            break; /* more than 64 bits */
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return wire->failed ? 0 : value;
        }
    }
    wire->failed = true;
    return 0;
}

int64_t rwd_wire_signed(struct rwd_wire *wire)
{
    uint64_t value = rwd_wire_varint(wire);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

struct rwd_text rwd_wire_text(struct rwd_wire *wire)
{
    uint64_t size = rwd_wire_varint(wire);
    if (wire->failed || size > (uint64_t)(wire->end - wire->at)) {
        wire->failed = true;
        return (struct rwd_text){0};
    }
    struct rwd_text text = {.data = (const char *)wire->at, .size = size};
    wire->at += size;
    return text;
}

size_t rwd_wire_count(struct rwd_wire *wire, size_t item_size_min)
{
    uint64_t count = rwd_wire_varint(wire);
    if (wire->failed || count > (uint64_t)(wire->end - wire->at) / item_size_min) {
        wire->failed = true;
        return 0;
    }
    return count;
}
