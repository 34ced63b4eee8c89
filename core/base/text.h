/*
 * text: a borrowed slice of bytes, and a buffer that grows.
 *
 * A slice owns nothing and need not end in NUL; who hands it out says until when it is good. A
 * buffer owns its bytes; it grows through rwd_grow, so what is put into it must be bounded by its
 * caller.
 */
#ifndef RWD_BASE_TEXT_H
#define RWD_BASE_TEXT_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rwd_text {
    const char *data;
    size_t size;
};

#define RWD_TEXT(literal) ((struct rwd_text){.data = "" literal, .size = sizeof(literal) - 1})
/* For printf: ("%.*s", RWD_TEXT_ARGS(text)). */
#define RWD_TEXT_ARGS(text) (int)(text).size, (text).data != NULL ? (text).data : ""

struct rwd_text rwd_text_of(const char *c_string);
bool rwd_text_equal(struct rwd_text a, struct rwd_text b);
bool rwd_text_is(struct rwd_text a, const char *c_string);
/* Bytewise order, shorter first on a tie: the order of the store's keys. */
int rwd_text_compare(struct rwd_text a, struct rwd_text b);
/* Plain decimal digits, no sign, no blanks; false where it is anything else or does not fit. */
RWD_MUST_USE bool rwd_text_to_u64(struct rwd_text text, uint64_t *value);

/* Length of the UTF-8 sequence of two to four bytes at bytes; 0 where it is not one. size > 0. */
size_t rwd_utf8_sequence(const char *bytes, size_t size);

struct rwd_buffer {
    char *data;
    size_t size;
    size_t capacity;
};

void rwd_buffer_finish(struct rwd_buffer *buffer);
void rwd_buffer_reserve(struct rwd_buffer *buffer, size_t more);
void rwd_buffer_put(struct rwd_buffer *buffer, const void *data, size_t size);
void rwd_buffer_put_text(struct rwd_buffer *buffer, struct rwd_text text);
void rwd_buffer_put_string(struct rwd_buffer *buffer, const char *c_string);
void rwd_buffer_put_char(struct rwd_buffer *buffer, char character);
void rwd_buffer_put_i64(struct rwd_buffer *buffer, int64_t value);
void rwd_buffer_put_u64(struct rwd_buffer *buffer, uint64_t value);
void rwd_buffer_put_hex(struct rwd_buffer *buffer, const void *data, size_t size);
void rwd_buffer_put_format(struct rwd_buffer *buffer, const char *format, ...) RWD_PRINTF(2, 3);
/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void rwd_buffer_put_json(struct rwd_buffer *buffer, struct rwd_text text);
/* NUL-terminates without counting the NUL, and returns data. */
char *rwd_buffer_c_string(struct rwd_buffer *buffer);
static inline struct rwd_text rwd_buffer_text(const struct rwd_buffer *buffer)
{
    return (struct rwd_text){.data = buffer->data, .size = buffer->size};
}

#endif
