/*
 * wire: little-endian numbers, varints and counted bytes, written to a buffer and read with bounds.
 *
 * Used for what rewardd alone writes and reads: decisions in the journal, players in the store.
 * A reader never runs past its end: the first read that would sets failed, and from then on every
 * read answers zero, so a decoder checks once, at its end.
 */
#ifndef RWD_BASE_WIRE_H
#define RWD_BASE_WIRE_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

void rwd_wire_put_u8(struct rwd_buffer *buffer, uint8_t value);
void rwd_wire_put_u32(struct rwd_buffer *buffer, uint32_t value);
void rwd_wire_put_u64(struct rwd_buffer *buffer, uint64_t value);
/* LEB128; the signed form is zigzag. */
void rwd_wire_put_varint(struct rwd_buffer *buffer, uint64_t value);
void rwd_wire_put_signed(struct rwd_buffer *buffer, int64_t value);
/* A varint size, then the bytes. */
void rwd_wire_put_text(struct rwd_buffer *buffer, struct rwd_text text);

struct rwd_wire {
    const unsigned char *at;
    const unsigned char *end;
    bool failed;
};

struct rwd_wire rwd_wire_of(const void *data, size_t size);
uint8_t rwd_wire_u8(struct rwd_wire *wire);
uint32_t rwd_wire_u32(struct rwd_wire *wire);
uint64_t rwd_wire_u64(struct rwd_wire *wire);
uint64_t rwd_wire_varint(struct rwd_wire *wire);
int64_t rwd_wire_signed(struct rwd_wire *wire);
/* Borrowed from the bytes being read. */
struct rwd_text rwd_wire_text(struct rwd_wire *wire);
/* A count of things each at least item_size_min bytes long: fails where they cannot be there, so a
 * damaged count never becomes a huge allocation. */
size_t rwd_wire_count(struct rwd_wire *wire, size_t item_size_min);
static inline bool rwd_wire_done(const struct rwd_wire *wire)
{
    return !wire->failed && wire->at == wire->end;
}

#endif
