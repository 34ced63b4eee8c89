#include "store/cursor.h"

#include "base/digest.h"
#include "base/wire.h"

enum { CURSOR_SIZE_MAX = 1024, CHECKSUM_SIZE = 4 };

static uint32_t checksum(
    enum rwd_store__list list, const struct rwd_store_filter *filter, struct rwd_text key)
{
    const struct rwd_text parts[] = {filter->user_id, filter->status, filter->rule_id,
        filter->pool_id, filter->lane, filter->reason, key};
    struct rwd_buffer bytes = {0};
    rwd_wire_put_u8(&bytes, (uint8_t)list);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        rwd_wire_put_text(&bytes, parts[i]);
    }
    uint32_t crc = rwd_crc32c(0, bytes.data, bytes.size);
    rwd_buffer_finish(&bytes);
    return crc;
}

enum rwd_status rwd_store__cursor_write(enum rwd_store__list list,
    const struct rwd_store_filter *filter, struct rwd_store__key key, struct rwd_arena *arena,
    struct rwd_text *cursor, struct rwd_error *error)
{
    struct rwd_buffer bytes = {0};
    rwd_wire_put_signed(&bytes, key.at_ms);
    rwd_buffer_put_text(&bytes, key.id);
    rwd_wire_put_u32(&bytes, checksum(list, filter, rwd_buffer_text(&bytes)));
    struct rwd_buffer text = {0};
    rwd_base64_put(&text, rwd_buffer_text(&bytes));
    /* The url's alphabet (RFC 4648, 5), without padding. */
    while (text.data[text.size - 1] == '=') {
        text.size--;
    }
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        text.data[i] = (char)(c == '+' ? '-' : c == '/' ? '_' : c);
    }
    *cursor = (struct rwd_text){rwd_arena_copy(arena, text.data, text.size), text.size};
    rwd_buffer_finish(&text);
    rwd_buffer_finish(&bytes);
    return cursor->data != NULL ? RWD_OK : rwd_fail(error, RWD_LIMIT, "store: arena is full");
}

static bool decode(struct rwd_text cursor, struct rwd_buffer *bytes)
{
    if (cursor.size > CURSOR_SIZE_MAX) {
        return false;
    }
    struct rwd_buffer text = {0};
    bool plain = true;
    for (size_t i = 0; i < cursor.size; i++) {
        char c = cursor.data[i];
        plain = plain && c != '+' && c != '/' && c != '=';
        rwd_buffer_put_char(&text, (char)(c == '-' ? '+' : c == '_' ? '/' : c));
    }
    while (text.size % 4 != 0) {
        rwd_buffer_put_char(&text, '=');
    }
    bool good = plain && rwd_base64_read(rwd_buffer_text(&text), bytes);
    rwd_buffer_finish(&text);
    return good && bytes->size > CHECKSUM_SIZE;
}

enum rwd_status rwd_store__cursor_read(enum rwd_store__list list,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, struct rwd_store__key *key,
    struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    struct rwd_buffer bytes = {0};
    bool good = decode(filter->cursor, &bytes);
    if (good) {
        struct rwd_text body = {.data = bytes.data, .size = bytes.size - CHECKSUM_SIZE};
        struct rwd_wire end = rwd_wire_of(bytes.data + body.size, CHECKSUM_SIZE);
        struct rwd_wire wire = rwd_wire_of(body.data, body.size);
        key->at_ms = rwd_wire_signed(&wire);
        key->id.size = (size_t)(wire.end - wire.at);
        good = rwd_wire_u32(&end) == checksum(list, filter, body) && !wire.failed;
        if (good) {
            key->id.data = rwd_arena_copy(arena, wire.at, key->id.size);
            status =
                key->id.data != NULL ? RWD_OK : rwd_fail(error, RWD_LIMIT, "store: arena is full");
        }
    }
    if (!good) {
        status = rwd_fail(error, RWD_INVALID, "cursor is not one of this list and filter");
    }
    rwd_buffer_finish(&bytes);
    return status;
}
