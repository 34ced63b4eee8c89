#include "transport/http_reader.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Headers of which there may be one, and those that steer the reader. */
enum {
    SEEN_HOST = 1 << 0,
    SEEN_CONTENT_LENGTH = 1 << 1,
    SEEN_AUTHORIZATION = 1 << 2,
    SEEN_CONTENT_TYPE = 1 << 3,
    SEEN_CONTENT_ENCODING = 1 << 4,
    SEEN_WEBHOOK_ID = 1 << 5,
    SEEN_WEBHOOK_TIMESTAMP = 1 << 6,
    SEEN_WEBHOOK_SIGNATURE = 1 << 7,
    SEEN_X_SIGNATURE = 1 << 8,
    SEEN_X_TIMESTAMP = 1 << 9,
    SEEN_X_REQUEST_ID = 1 << 10,
    SEEN_IDEMPOTENCY_KEY = 1 << 11,
    SEEN_EXPECT = 1 << 12,
    SEEN_TRANSFER_ENCODING = 1 << 13,
    SEEN_CONNECTION = 1 << 14, /* may come again */
    SEEN_X_ACTOR = 1 << 15,
};

/* Bit n of word n / 64: RFC 9110's tchar, and what may stand in a Host (RFC 3986's host and port).
 */
static const uint64_t token_bits[2] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe};
static const uint64_t host_bits[2] = {0x2fff7ff200000000, 0x47fffffeaffffffe};

static bool has_bit(const uint64_t bits[2], unsigned char byte)
{
    return byte < 128 && ((bits[byte >> 6] >> (byte & 63)) & 1) != 0;
}

static bool is_control(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7f;
}

/* Tabs may be in a header's value, no other control character. Eight bytes at a time, and one by
 * one only from where some byte of the eight is below a blank or DEL. */
static bool has_control(const char *data, size_t size)
{
    const uint64_t ones = 0x0101010101010101;
    const uint64_t high = 0x8080808080808080;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, data + i, sizeof word);
        uint64_t del = word ^ (ones * 0x7f);
        if (((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & high) != 0) {
            break;
        }
    }
    for (; i < size; i++) {
        if (is_control((unsigned char)data[i]) && data[i] != '\t') {
            return true;
        }
    }
    return false;
}

RWD_PRINTF(3, 4)
static bool refuse(struct rwd_http_reader *reader, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reader->refusal_detail, sizeof reader->refusal_detail, format, arguments);
    va_end(arguments);
    reader->refusal_status = status;
    reader->step = RWD_HTTP_STEP_REFUSED;
    return false;
}

static struct rwd_http_span span_of(size_t at, size_t end)
{
    return (struct rwd_http_span){.at = (uint16_t)at, .size = (uint16_t)(end - at)};
}

static struct rwd_text text_of(const char *data, struct rwd_http_span span)
{
    return (struct rwd_text){.data = data + span.at, .size = span.size};
}

/* For ASCII letters, digits and '-', which is what the names we look for are made of: no other
 * tchar becomes one of them by setting this bit. */
static bool name_is(const char *name, const char *lower_case, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((name[i] | 0x20) != (lower_case[i] | 0x20)) {
            return false;
        }
    }
    return true;
}

bool rwd_http_text_is(struct rwd_text text, const char *lower_case)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (lower_case[i] == '\0' || (c >= 'A' && c <= 'Z' ? c + 32 : c) != lower_case[i]) {
            return false;
        }
    }
    return lower_case[text.size] == '\0';
}

void rwd_http_reader_init(struct rwd_http_reader *reader, uint64_t body_size_max)
{
    /* Not the tables: their counts say how much of them is there. */
    memset(reader, 0, offsetof(struct rwd_http_reader, segments));
    reader->refusal_detail[0] = '\0';
    reader->body_size_max = body_size_max;
    reader->keep_alive = true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* data[at] is '%'. */
static bool unescape(
    struct rwd_http_reader *reader, const char *data, size_t at, size_t end, unsigned char *byte)
{
    int high = at + 1 < end ? hex_digit(data[at + 1]) : -1;
    int low = at + 2 < end ? hex_digit(data[at + 2]) : -1;
    if (high < 0 || low < 0) {
        return refuse(reader, 400, "target has a '%%' without two hex digits after it");
    }
    *byte = (unsigned char)(high * 16 + low);
    if (*byte == 0) {
        return refuse(reader, 400, "target has %%00 in it");
    }
    return true;
}

/* data[at, end) is unescaped. All that is asked for by path or query came in as UTF-8, so other
 * bytes are nobody's id. */
static bool check_utf8(struct rwd_http_reader *reader, const char *data, size_t at, size_t end)
{
    while (at < end) {
        bool ascii = (unsigned char)data[at] < 0x80;
        size_t size = ascii ? 1 : rwd_utf8_sequence(data + at, end - at);
        if (size == 0) {
            return refuse(reader, 400, "target has escaped bytes that are not UTF-8");
        }
        at += size;
    }
    return true;
}

/* Also where the dots or the slash were escaped, and "//./". */
static bool has_dot_segment(const char *path, size_t size)
{
    for (size_t i = 1; i <= size; i++) {
        if (i < size && path[i] != '/') {
            continue;
        }
        size_t at = i;
        while (at > 0 && path[at - 1] != '/') {
            at--;
        }
        if ((i - at == 1 && path[at] == '.') || (i - at == 2 && memcmp(path + at, "..", 2) == 0)) {
            return true;
        }
    }
    return false;
}

static bool read_path(struct rwd_http_reader *reader, char *data, size_t at, size_t end)
{
    size_t out = at;
    size_t segment_at = at + 1;
    bool escaped = false; /* bytes that are not ASCII; unescaped ones do not come this far */
    for (size_t i = at; i <= end; i++) {
        if (i > at && (i == end || data[i] == '/')) {
            if (reader->segment_count == RWD_HTTP_SEGMENT_COUNT_MAX) {
                return refuse(reader, 414, "path has more than %d segments, the limit",
                    RWD_HTTP_SEGMENT_COUNT_MAX);
            }
            reader->segments[reader->segment_count++] = span_of(segment_at, out);
            segment_at = out + 1;
        }
        if (i == end) {
            break;
        }
        unsigned char byte = (unsigned char)data[i];
        if (byte == '%') {
            if (!unescape(reader, data, i, end, &byte)) {
                return false;
            }
            escaped |= byte >= 0x80;
            i += 2;
        }
        data[out++] = (char)byte;
    }
    reader->path = span_of(at, out);
    if (has_dot_segment(data + at, out - at)) {
        return refuse(reader, 400, "path has a '.' or '..' segment");
    }
    return !escaped || check_utf8(reader, data, at, out);
}

/* One parameter, data[at, end), which is not empty. */
static bool read_query(struct rwd_http_reader *reader, char *data, size_t at, size_t end)
{
    size_t out = at;
    size_t name_end = 0;
    bool in_value = false;
    bool escaped = false;
    for (size_t i = at; i < end; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte == '=' && !in_value) {
            in_value = true;
            name_end = out;
        } else if (byte == '+') {
            byte = ' ';
        } else if (byte == '%') {
            if (!unescape(reader, data, i, end, &byte)) {
                return false;
            }
            escaped |= byte >= 0x80;
            i += 2;
        }
        data[out++] = (char)byte;
    }
    reader->queries[reader->query_count++] =
        (struct rwd_http_pair){.name = span_of(at, in_value ? name_end : out),
            .value = in_value ? span_of(name_end + 1, out) : span_of(out, out)};
    return !escaped || check_utf8(reader, data, at, out);
}

static bool read_queries(struct rwd_http_reader *reader, char *data, size_t at, size_t end)
{
    while (at < end) {
        const char *ampersand = memchr(data + at, '&', end - at);
        size_t next = ampersand != NULL ? (size_t)(ampersand - data) : end;
        if (reader->query_count == RWD_HTTP_QUERY_COUNT_MAX) {
            return refuse(reader, 414, "query has more than %d parameters, the limit",
                RWD_HTTP_QUERY_COUNT_MAX);
        }
        if (next > at && !read_query(reader, data, at, next)) {
            return false;
        }
        at = next + 1;
    }
    return true;
}

static bool read_method(struct rwd_http_reader *reader, const char *line, size_t size)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == size && memcmp(line, names[i], size) == 0) {
            reader->method = (enum rwd_http_method)i;
            return true;
        }
    }
    for (size_t i = 0; i < size; i++) {
        if (!has_bit(token_bits, (unsigned char)line[i])) {
            return refuse(reader, 400, "method is not a token");
        }
    }
    if (size == 0) {
        return refuse(reader, 400, "request line is empty or begins with a blank");
    }
    return refuse(reader, 501, "method is none of GET, HEAD, POST, PUT, DELETE");
}

static bool read_version(struct rwd_http_reader *reader, const char *version, size_t size)
{
    if (size == 8 && memcmp(version, "HTTP/1.1", 8) == 0) {
        return true;
    }
    if (size == 8 && memcmp(version, "HTTP/1.0", 8) == 0) {
        reader->is_http_1_0 = true;
        reader->keep_alive = false;
        return true;
    }
    if (size == 8 && memcmp(version, "HTTP/", 5) == 0 && version[5] >= '0' && version[5] <= '9' &&
        version[6] == '.' && version[7] >= '0' && version[7] <= '9') {
        return refuse(reader, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    return refuse(reader, 400, "request line does not end in a blank and HTTP/1.1");
}

/* The line is data[0, end), without its CR LF. */
static bool read_request_line(struct rwd_http_reader *reader, char *data, size_t end)
{
    const char *blank = memchr(data, ' ', end);
    if (!read_method(reader, data, blank != NULL ? (size_t)(blank - data) : end)) {
        return false;
    }
    size_t target_at = blank != NULL ? (size_t)(blank - data) + 1 : end;
    const char *second = memchr(data + target_at, ' ', end - target_at);
    size_t target_end = second != NULL ? (size_t)(second - data) : end;
    size_t version_at = second != NULL ? target_end + 1 : end;
    if (!read_version(reader, data + version_at, end - version_at)) {
        return false;
    }
    if (target_at == target_end || data[target_at] != '/') {
        return refuse(reader, 400, "target does not begin with '/'");
    }
    size_t path_end = target_end;
    for (size_t i = target_at; i < target_end; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte <= 0x20 || byte >= 0x7f || byte == '#') {
            return refuse(reader, 400, "target has a character that must be escaped");
        }
        if (byte == '?' && path_end == target_end) {
            path_end = i;
        }
    }
    if (!read_path(reader, data, target_at, path_end)) {
        return false;
    }
    return path_end == target_end || read_queries(reader, data, path_end + 1, target_end);
}

/* 0 for a header that means nothing to the reader. */
static uint32_t known_header(const char *name, size_t size)
{
    static const struct {
        const char *name;
        uint32_t seen;
    } table[] = {{"host", SEEN_HOST}, {"expect", SEEN_EXPECT}, {"x-actor", SEEN_X_ACTOR},
        {"connection", SEEN_CONNECTION}, {"webhook-id", SEEN_WEBHOOK_ID},
        {"x-signature", SEEN_X_SIGNATURE}, {"x-timestamp", SEEN_X_TIMESTAMP},
        {"content-type", SEEN_CONTENT_TYPE}, {"x-request-id", SEEN_X_REQUEST_ID},
        {"authorization", SEEN_AUTHORIZATION}, {"content-length", SEEN_CONTENT_LENGTH},
        {"idempotency-key", SEEN_IDEMPOTENCY_KEY}, {"content-encoding", SEEN_CONTENT_ENCODING},
        {"webhook-signature", SEEN_WEBHOOK_SIGNATURE},
        {"webhook-timestamp", SEEN_WEBHOOK_TIMESTAMP},
        {"transfer-encoding", SEEN_TRANSFER_ENCODING}};
    /* The first row whose name is that long; rows of one length stand together. */
    static const unsigned char first_of_size[] = {[4] = 1,
        [6] = 2,
        [7] = 3,
        [10] = 4,
        [11] = 6,
        [12] = 8,
        [13] = 10,
        [14] = 11,
        [15] = 12,
        [16] = 13,
        [17] = 14};
    if (size >= sizeof first_of_size || first_of_size[size] == 0) {
        return 0;
    }
    for (size_t i = first_of_size[size] - 1U; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].name[size] != '\0') {
            break;
        }
        if (name_is(name, table[i].name, size)) {
            return table[i].seen;
        }
    }
    return 0;
}

static bool read_content_length(struct rwd_http_reader *reader, struct rwd_text value)
{
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return refuse(reader, 400, "Content-Length is not plain digits");
        }
    }
    if (value.size == 0) {
        return refuse(reader, 400, "Content-Length is empty");
    }
    if (!rwd_text_to_u64(value, &reader->body_size) || reader->body_size > reader->body_size_max) {
        return refuse(reader, 413, "body is larger than %llu bytes, the limit",
            (unsigned long long)reader->body_size_max);
    }
    return true;
}

static void read_connection(struct rwd_http_reader *reader, struct rwd_text value)
{
    size_t at = 0;
    while (at < value.size) {
        const char *comma = memchr(value.data + at, ',', value.size - at);
        size_t next = comma != NULL ? (size_t)(comma - value.data) : value.size;
        size_t end = next;
        while (at < end && (value.data[at] == ' ' || value.data[at] == '\t')) {
            at++;
        }
        while (end > at && (value.data[end - 1] == ' ' || value.data[end - 1] == '\t')) {
            end--;
        }
        if (rwd_http_text_is(
                (struct rwd_text){.data = value.data + at, .size = end - at}, "close")) {
            reader->keep_alive = false;
        }
        at = next + 1;
    }
}

static bool read_known_header(
    struct rwd_http_reader *reader, uint32_t seen, const char *data, struct rwd_http_pair pair)
{
    struct rwd_text value = text_of(data, pair.value);
    if ((reader->headers_seen & seen & ~(uint32_t)SEEN_CONNECTION) != 0) {
        struct rwd_text name = text_of(data, pair.name);
        return refuse(reader, 400, "header %.*s is there twice", RWD_TEXT_ARGS(name));
    }
    reader->headers_seen |= seen;
    switch (seen) {
    case SEEN_CONTENT_LENGTH:
        return read_content_length(reader, value);
    case SEEN_TRANSFER_ENCODING:
        return refuse(reader, 501, "Transfer-Encoding is not supported: send a Content-Length");
    case SEEN_CONTENT_ENCODING:
        /* Bytes that were packed must not be read as if they were plain. */
        return rwd_http_text_is(value, "identity") ||
               refuse(reader, 415,
                   "Content-Encoding '%.*s' is not taken: send the body as it is, without this "
                   "header",
                   (int)(value.size < 32 ? value.size : 32), value.data);
    case SEEN_EXPECT:
        if (!rwd_http_text_is(value, "100-continue")) {
            return refuse(reader, 417, "Expect is not 100-continue");
        }
        reader->wants_continue = !reader->is_http_1_0;
        return true;
    case SEEN_CONNECTION:
        read_connection(reader, value);
        return true;
    case SEEN_HOST:
        for (size_t i = 0; i < value.size; i++) {
            if (!has_bit(host_bits, (unsigned char)value.data[i])) {
                return refuse(reader, 400, "Host has a character that cannot be in it");
            }
        }
        return true;
    case SEEN_CONTENT_TYPE: {
        const char *parameters = memchr(value.data, ';', value.size);
        size_t size = parameters != NULL ? (size_t)(parameters - value.data) : value.size;
        while (size > 0 && (value.data[size - 1] == ' ' || value.data[size - 1] == '\t')) {
            size--;
        }
        reader->content_type = span_of(pair.value.at, pair.value.at + size);
        return true;
    }
    default:
        return true;
    }
}

/* The line is data[at, end), without its CR LF, and not empty. */
static bool read_header_line(
    struct rwd_http_reader *reader, const char *data, size_t at, size_t end)
{
    size_t colon = at;
    while (colon < end && has_bit(token_bits, (unsigned char)data[colon])) {
        colon++;
    }
    if (colon == at && (data[at] == ' ' || data[at] == '\t')) {
        return refuse(reader, 400, "header line begins with a blank: folded lines are refused");
    }
    if (colon == at || colon == end || data[colon] != ':') {
        return refuse(reader, 400, "header line is not a name and a colon");
    }
    if (has_control(data + colon + 1, end - colon - 1)) {
        return refuse(reader, 400, "header value has a control character");
    }
    if (reader->header_count == RWD_HTTP_HEADER_COUNT_MAX) {
        return refuse(
            reader, 431, "request has more than %d headers, the limit", RWD_HTTP_HEADER_COUNT_MAX);
    }
    size_t value_at = colon + 1;
    while (value_at < end && (data[value_at] == ' ' || data[value_at] == '\t')) {
        value_at++;
    }
    while (end > value_at && (data[end - 1] == ' ' || data[end - 1] == '\t')) {
        end--;
    }
    struct rwd_http_pair pair = {.name = span_of(at, colon), .value = span_of(value_at, end)};
    reader->headers[reader->header_count++] = pair;
    uint32_t seen = known_header(data + at, colon - at);
    return seen == 0 || read_known_header(reader, seen, data, pair);
}

static bool end_head(struct rwd_http_reader *reader)
{
    if (!reader->is_http_1_0 && (reader->headers_seen & SEEN_HOST) == 0) {
        return refuse(reader, 400, "HTTP/1.1 request has no Host header");
    }
    reader->head_size = reader->scanned;
    reader->step = RWD_HTTP_STEP_BODY;
    return true;
}

/* One line of the head; false where there is none yet or the request is refused. */
static bool read_line(struct rwd_http_reader *reader, char *data, size_t size)
{
    size_t limit = reader->line_read ? RWD_HTTP_HEAD_SIZE_MAX : RWD_HTTP_REQUEST_LINE_SIZE_MAX;
    size_t window = size < limit ? size : limit;
    const char *newline = memchr(data + reader->scanned, '\n', window - reader->scanned);
    if (newline == NULL) {
        reader->scanned = window;
        if (size < limit) {
            return false;
        }
        return reader->line_read
                   ? refuse(reader, 431, "head is larger than %zu bytes, the limit", limit)
                   : refuse(reader, 414, "request line is longer than %zu bytes, the limit", limit);
    }
    size_t at = reader->line_at;
    size_t end = (size_t)(newline - data);
    reader->scanned = end + 1;
    reader->line_at = end + 1;
    if (end == at || data[end - 1] != '\r') {
        return refuse(reader, 400, "line ends in LF without CR");
    }
    end--;
    if (!reader->line_read) {
        reader->line_read = true;
        return read_request_line(reader, data, end);
    }
    return end == at ? end_head(reader) : read_header_line(reader, data, at, end);
}

enum rwd_http_step rwd_http_reader_feed(struct rwd_http_reader *reader, char *data, size_t size)
{
    RWD_REQUIRE(size >= reader->scanned);
    while (reader->step == RWD_HTTP_STEP_HEAD && size > reader->scanned &&
           read_line(reader, data, size)) {
    }
    if (reader->step == RWD_HTTP_STEP_BODY && size - reader->head_size >= reader->body_size) {
        reader->step = RWD_HTTP_STEP_COMPLETE;
    }
    return reader->step;
}

struct rwd_text rwd_http_reader_path(const struct rwd_http_reader *reader, const char *data)
{
    return text_of(data, reader->path);
}

struct rwd_text rwd_http_reader_segment(
    const struct rwd_http_reader *reader, const char *data, size_t index)
{
    return index < reader->segment_count ? text_of(data, reader->segments[index])
                                         : (struct rwd_text){0};
}

struct rwd_text rwd_http_reader_query(
    const struct rwd_http_reader *reader, const char *data, const char *name)
{
    for (size_t i = 0; i < reader->query_count; i++) {
        if (rwd_text_is(text_of(data, reader->queries[i].name), name)) {
            return text_of(data, reader->queries[i].value);
        }
    }
    return (struct rwd_text){0};
}

struct rwd_text rwd_http_reader_header(
    const struct rwd_http_reader *reader, const char *data, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < reader->header_count; i++) {
        const struct rwd_http_pair *pair = &reader->headers[i];
        if (pair->name.size == size && name_is(data + pair->name.at, name, size)) {
            return text_of(data, pair->value);
        }
    }
    return (struct rwd_text){0};
}

struct rwd_text rwd_http_reader_content_type(const struct rwd_http_reader *reader, const char *data)
{
    return (reader->headers_seen & SEEN_CONTENT_TYPE) != 0 ? text_of(data, reader->content_type)
                                                           : (struct rwd_text){0};
}
