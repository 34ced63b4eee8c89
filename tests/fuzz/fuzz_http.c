// room: transport
/* fuzz_http: any bytes, cut in two different ways, must be read the same, and whatever is found
 * must lie inside the bytes. The input's first byte seeds the cuts. */
#include "base/check.h"
#include "base/memory.h"
#include "transport/http_reader.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_SIZE_MAX = 4096 };

static void check_span(struct rwd_http_span span, size_t head_size)
{
    RWD_REQUIRE((size_t)span.at + span.size <= head_size);
}

static void check_found(const struct rwd_http_reader *reader, const char *bytes)
{
    RWD_REQUIRE(reader->head_size <= RWD_HTTP_HEAD_SIZE_MAX);
    RWD_REQUIRE(reader->body_size <= BODY_SIZE_MAX);
    RWD_REQUIRE(memcmp(bytes + reader->head_size - 4, "\r\n\r\n", 4) == 0);
    struct rwd_text path = rwd_http_reader_path(reader, bytes);
    check_span(reader->path, reader->head_size);
    RWD_REQUIRE(path.size > 0 && path.data[0] == '/' && memchr(path.data, 0, path.size) == NULL);
    RWD_REQUIRE(memmem(path.data, path.size, "/../", 4) == NULL);
    RWD_REQUIRE(reader->segment_count > 0);
    for (size_t i = 0; i < reader->segment_count; i++) {
        check_span(reader->segments[i], reader->head_size);
    }
    for (size_t i = 0; i < reader->query_count; i++) {
        check_span(reader->queries[i].name, reader->head_size);
        check_span(reader->queries[i].value, reader->head_size);
    }
    size_t length_count = 0;
    for (size_t i = 0; i < reader->header_count; i++) {
        struct rwd_http_pair pair = reader->headers[i];
        check_span(pair.name, reader->head_size);
        check_span(pair.value, reader->head_size);
        const char *value = bytes + pair.value.at;
        for (size_t j = 0; j < pair.value.size; j++) {
            unsigned char byte = (unsigned char)value[j];
            RWD_REQUIRE((byte >= 0x20 || byte == '\t') && byte != 0x7f);
        }
        struct rwd_text name = {.data = bytes + pair.name.at, .size = pair.name.size};
        length_count += rwd_http_text_is(name, "content-length");
        RWD_REQUIRE(!rwd_http_text_is(name, "transfer-encoding"));
        RWD_REQUIRE(!rwd_http_text_is(name, "content-encoding") ||
                    rwd_http_text_is(
                        (struct rwd_text){.data = value, .size = pair.value.size}, "identity"));
    }
    RWD_REQUIRE(length_count <= 1 && (length_count == 1 || reader->body_size == 0));
    (void)rwd_http_reader_content_type(reader, bytes);
    (void)rwd_http_reader_header(reader, bytes, "host");
}

/* One request from bytes, in pieces of 1 to 8 * seed bytes; seed 0: all at once. Each feed sees a
 * copy of exactly what has come, so that a look past its end is a look past an allocation. */
static char *read_one(
    struct rwd_http_reader *reader, const uint8_t *bytes, size_t size, unsigned seed)
{
    rwd_http_reader_init(reader, BODY_SIZE_MAX);
    char *have = rwd_grow(NULL, 1);
    size_t have_size = 0;
    while (have_size < size && reader->step < RWD_HTTP_STEP_COMPLETE) {
        size_t piece = seed == 0 ? size : 1 + (have_size * 7 + seed) % (8 * (size_t)seed);
        piece = piece < size - have_size ? piece : size - have_size;
        char *more = rwd_grow(NULL, have_size + piece);
        memcpy(more, have, have_size);
        memcpy(more + have_size, bytes + have_size, piece);
        rwd_free(have);
        have = more;
        have_size += piece;
        (void)rwd_http_reader_feed(reader, have, have_size);
    }
    return have;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    unsigned seed = data[0];
    const uint8_t *at = data + 1;
    const uint8_t *end = data + size;
    while (at < end) {
        struct rwd_http_reader whole;
        struct rwd_http_reader cut;
        char *whole_bytes = read_one(&whole, at, (size_t)(end - at), 0);
        char *cut_bytes = read_one(&cut, at, (size_t)(end - at), seed % 32 + 1);
        RWD_REQUIRE(whole.step == cut.step);
        bool goes_on = whole.step == RWD_HTTP_STEP_COMPLETE;
        if (whole.step == RWD_HTTP_STEP_REFUSED) {
            RWD_REQUIRE(whole.refusal_status == cut.refusal_status);
            RWD_REQUIRE(whole.refusal_status >= 400 && whole.refusal_detail[0] != '\0');
            RWD_REQUIRE(strcmp(whole.refusal_detail, cut.refusal_detail) == 0);
        } else if (whole.step != RWD_HTTP_STEP_HEAD) {
            RWD_REQUIRE(whole.head_size == cut.head_size && whole.body_size == cut.body_size);
            RWD_REQUIRE(whole.header_count == cut.header_count);
            RWD_REQUIRE(memcmp(whole_bytes, cut_bytes, whole.head_size) == 0);
            check_found(&whole, whole_bytes);
            check_found(&cut, cut_bytes);
            at += whole.head_size + (goes_on ? whole.body_size : 0);
        }
        rwd_free(whole_bytes);
        rwd_free(cut_bytes);
        if (!goes_on) {
            break;
        }
    }
    return 0;
}
