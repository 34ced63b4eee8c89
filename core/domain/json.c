#include "domain/json.h"

#include "base/digest.h"
#include "domain/money.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    NODE_COUNT_FIRST = 64,  /* a usual event has about 20 values: one allocation, then trimmed */
    KEYS_COMPARED_MAX = 16, /* more keys than this in one object are hashed */
    DIGITS_EXACT_MAX = 18,  /* digits that fit uint64 whatever they are */
    POWER_EXACT_MAX = 22,   /* 10^22 is the last power of ten that a double holds exactly */
    DOUBLE_EXPONENT10_MAX = 308,
};

#define NO_PARENT UINT32_MAX
#define DOUBLE_EXACT_MAX (UINT64_C(1) << 53)

struct scan {
    const char *begin;
    const char *end;
    struct rwd_arena *arena;
    const struct rwd_json_limits *limits;
    struct rwd_json_fault *fault;
    struct rwd_json_node *nodes;
    uint32_t count;
    uint32_t capacity;
    bool nodes_newest; /* nothing was taken from the arena since: nodes may be trimmed or grown */
    bool clipped;      /* end is where size_max is reached, the text goes on */
};

/* Answers NULL, which every step of the scan passes on. */
__attribute__((cold, noinline)) static const char *fail(
    struct scan *scan, const char *at, enum rwd_status status, const char *detail)
{
    *scan->fault = (struct rwd_json_fault){
        .offset = (size_t)(at - scan->begin), .detail = detail, .status = status};
    return NULL;
}

__attribute__((cold, noinline)) static const char *fail_at_end(
    struct scan *scan, const char *detail)
{
    return scan->clipped ? fail(scan, scan->end, RWD_LIMIT, "document is larger than the limit")
                         : fail(scan, scan->end, RWD_INVALID, detail);
}

static inline const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (unsigned char)*at <= ' ' &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

static inline bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static inline const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at)) {
        at++;
    }
    return at;
}

/* The first byte that is not plain: quote, backslash, control character, or part of a UTF-8
 * sequence; end where there is none. */
static inline const char *skip_plain(const char *at, const char *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i blank = _mm_set1_epi8(' ');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* As signed bytes, both control characters and bytes from 0x80 on are below a blank. */
        __m128i special = _mm_or_si128(_mm_cmplt_epi8(bytes, blank),
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
    }
#endif
    while (at < end && (unsigned char)*at >= ' ' && (unsigned char)*at < 0x80 && *at != '"' &&
           *at != '\\') {
        at++;
    }
    return at;
}

/* Length of the UTF-8 sequence at at, which is not ASCII (Unicode, table 3-7); 0: it is none. */
static size_t utf8_length(const char *at, const char *end)
{
    const unsigned char *byte = (const unsigned char *)at;
    unsigned lead = byte[0];
    size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length == 0 || (size_t)(end - at) < length) {
        return 0;
    }
    unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte[1] < low || byte[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((byte[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static inline uint64_t load64(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint32_t load32(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Reads both ends of the key, so that no byte of a key up to 16 long is left out. The factor is the
 * 64-bit golden ratio; the upper bits of the product hold the mixed ones. */
static inline uint16_t key_hash(const char *key, uint32_t size)
{
    uint64_t head = 0;
    uint64_t tail = 0;
    if (size >= 8) {
        head = load64(key);
        tail = load64(key + size - 8);
    } else if (size >= 4) {
        head = load32(key);
        tail = load32(key + size - 4);
    } else if (size > 0) {
        head = (unsigned char)key[0];
        tail = (uint64_t)(unsigned char)key[size / 2] << 8 | (unsigned char)key[size - 1];
    }
    uint64_t mixed = (head ^ (tail << 29 | tail >> 35) ^ size) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint16_t)(mixed >> 48);
}

uint16_t rwd_json_key_hash(struct rwd_text key)
{
    return key_hash(key.data, (uint32_t)key.size);
}

static inline bool same_bytes(const char *a, const char *b, uint32_t size)
{
    return size == 0 || memcmp(a, b, size) == 0;
}

static inline bool same_key(const struct rwd_json_node *a, const struct rwd_json_node *b)
{
    return a->key_hash == b->key_hash && a->key_size == b->key_size &&
           same_bytes(a->key, b->key, a->key_size);
}

/* Four hex digits; UINT32_MAX where one is missing. */
static uint32_t read_hex4(const char *at, const char *end)
{
    uint32_t value = 0;
    if (end - at < 4) {
        return UINT32_MAX;
    }
    for (int i = 0; i < 4; i++) {
        unsigned char byte = (unsigned char)at[i];
        unsigned letter = (byte | 0x20U) - 'a';
        if (is_digit((char)byte)) {
            value = value << 4 | (byte - (uint32_t)'0');
        } else if (letter < 6) {
            value = value << 4 | (letter + 10);
        } else {
            return UINT32_MAX;
        }
    }
    return value;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* One escape; at is at its backslash. *out moves on; the text never grows by unescaping. */
static const char *read_escape(struct scan *scan, const char *at, const char *end, char **out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *start = at++;
    const char *name = at < end && *at != '\0' ? strchr(names, *at) : NULL;
    if (name != NULL) {
        *(*out)++ = meanings[name - names];
        return at + 1;
    }
    if (at == end || *at != 'u') {
        return fail(scan, start, RWD_INVALID, "unknown escape in a string");
    }
    uint32_t code = read_hex4(at + 1, end);
    if (code == UINT32_MAX) {
        return fail(scan, start, RWD_INVALID, "\\u needs four hex digits");
    }
    at += 5;
    if (code >= 0xd800 && code <= 0xdfff) {
        uint32_t low = end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? read_hex4(at + 2, end) : 0;
        if (code >= 0xdc00 || low < 0xdc00 || low > 0xdfff) {
            return fail(scan, start, RWD_INVALID, "unpaired surrogate in a string");
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    *out = put_utf8(*out, code);
    return at;
}

/* A string with escapes: find its end, then write it unescaped into the arena. */
__attribute__((noinline)) static const char *scan_escaped(
    struct scan *scan, const char *start, const char *first, const char **data, uint32_t *size)
{
    const char *quote = first;
    for (bool escaped = false; quote < scan->end && (escaped || *quote != '"'); quote++) {
        escaped = !escaped && *quote == '\\';
    }
    if (quote == scan->end) {
        return fail_at_end(scan, "string does not end");
    }
    size_t room = (size_t)(quote - start);
    char *unescaped = rwd_arena_alloc(scan->arena, room);
    if (unescaped == NULL) {
        return fail(scan, start, RWD_LIMIT, "no memory left for this batch");
    }
    scan->nodes_newest = false;
    char *out = unescaped;
    const char *at = start;
    while (at < quote) {
        const char *plain = skip_plain(at, quote);
        memcpy(out, at, (size_t)(plain - at));
        out += plain - at;
        at = plain;
        if (at == quote) {
            break;
        }
        if (*at == '\\') {
            at = read_escape(scan, at, quote, &out);
            if (at == NULL) {
                return NULL;
            }
        } else if ((unsigned char)*at < ' ') {
            return fail(scan, at, RWD_INVALID, "control character in a string");
        } else {
            size_t length = utf8_length(at, quote);
            if (length == 0) {
                return fail(scan, at, RWD_INVALID, "bytes in a string are not UTF-8");
            }
            memcpy(out, at, length);
            out += length;
            at += length;
        }
    }
    *data = unescaped;
    *size = (uint32_t)(out - unescaped);
    rwd_arena_trim(scan->arena, unescaped, room, *size);
    return quote + 1;
}

/* at is behind the opening quote; answers what is behind the closing one. */
static inline const char *scan_string(
    struct scan *scan, const char *at, const char **data, uint32_t *size)
{
    const char *start = at;
    for (;;) {
        at = skip_plain(at, scan->end);
        if (at == scan->end) {
            return fail_at_end(scan, "string does not end");
        }
        if (*at == '"') {
            *data = start;
            *size = (uint32_t)(at - start);
            return at + 1;
        }
        if (*at == '\\') {
            return scan_escaped(scan, start, at, data, size);
        }
        if ((unsigned char)*at < ' ') {
            return fail(scan, at, RWD_INVALID, "control character in a string");
        }
        do {
            size_t length = utf8_length(at, scan->end);
            if (length == 0) {
                return fail(scan, at, RWD_INVALID, "bytes in a string are not UTF-8");
            }
            at += length;
        } while (at < scan->end && (unsigned char)*at >= 0x80);
    }
}

static double slow_double(const char *text, size_t size)
{
    char copy[RWD_JSON_NUMBER_SIZE_MAX + 1];
    memcpy(copy, text, size);
    copy[size] = '\0';
    return strtod(copy, NULL);
}

/* The exponent behind e, kept within what a number's text can shift it by. */
static long read_exponent(const char *at, const char *end)
{
    const long far = 1000000;
    bool negative = *at == '-';
    long exponent = 0;
    for (at += *at == '-' || *at == '+'; at < end; at++) {
        exponent = exponent < far ? exponent * 10 + (*at - '0') : exponent;
    }
    return negative ? -exponent : exponent;
}

/* Whether a well-formed number is a finite double: its decimal magnitude says so, but for those
 * that begin at 10^308, where the digits decide. */
static bool is_finite(const char *text, const char *point, const char *end)
{
    const char *first = text + (*text == '-');
    long magnitude = point - first - 1;
    while (first < end && (*first == '0' || *first == '.')) {
        magnitude -= *first == '0';
        first++;
    }
    if (first == end || !is_digit(*first)) {
        return true; /* zero, whatever its exponent */
    }
    for (const char *at = first; at < end; at++) {
        if (*at == 'e' || *at == 'E') {
            magnitude += read_exponent(at + 1, end);
            break;
        }
    }
    if (magnitude != DOUBLE_EXPONENT10_MAX) {
        return magnitude < DOUBLE_EXPONENT10_MAX;
    }
    return isfinite(slow_double(text, (size_t)(end - text)));
}

static inline const char *scan_number(
    struct scan *scan, struct rwd_json_node *node, const char *start)
{
    const char *end = scan->end;
    const char *at = start + (*start == '-');
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits) {
        return fail(scan, at, RWD_INVALID, "number needs a digit here");
    }
    if (*digits == '0' && at - digits > 1) {
        return fail(scan, digits, RWD_INVALID, "number has a leading zero");
    }
    const char *point = at;
    bool exponent = false;
    if (at < end && *at == '.') {
        digits = at + 1;
        at = skip_digits(digits, end);
        if (at == digits) {
            return fail(scan, at, RWD_INVALID, "number needs a digit behind its point");
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        digits = at + 1;
        digits += digits < end && (*digits == '-' || *digits == '+');
        exponent = true;
        at = skip_digits(digits, end);
        if (at == digits) {
            return fail(scan, at, RWD_INVALID, "number needs a digit in its exponent");
        }
    }
    if (at - start > RWD_JSON_NUMBER_SIZE_MAX) {
        return fail(scan, start, RWD_LIMIT, "number has too many digits");
    }
    if ((exponent || point - start > DOUBLE_EXPONENT10_MAX) && !is_finite(start, point, at)) {
        return fail(scan, start, RWD_INVALID, "number does not fit a double");
    }
    node->data = start;
    node->size = (uint32_t)(at - start);
    node->type = RWD_JSON_NUMBER;
    node->integer = at == point;
    return at;
}

static const char *scan_word(
    struct scan *scan, struct rwd_json_node *node, const char *at, struct rwd_text word)
{
    size_t left = (size_t)(scan->end - at);
    if (left < word.size || memcmp(at, word.data, word.size) != 0) {
        return left < word.size && scan->clipped ? fail_at_end(scan, "")
                                                 : fail(scan, at, RWD_INVALID, "unknown word");
    }
    node->data = at;
    node->size = (uint32_t)word.size;
    return at + word.size;
}

/* A value that is no container. */
static inline const char *scan_scalar(struct scan *scan, struct rwd_json_node *node, const char *at)
{
    node->integer = false;
    if (*at == '"') {
        node->type = RWD_JSON_STRING;
        return scan_string(scan, at + 1, &node->data, &node->size);
    }
    if (is_digit(*at) || *at == '-') {
        return scan_number(scan, node, at);
    }
    switch (*at) {
    case 't':
        node->type = RWD_JSON_TRUE;
        return scan_word(scan, node, at, RWD_TEXT("true"));
    case 'f':
        node->type = RWD_JSON_FALSE;
        return scan_word(scan, node, at, RWD_TEXT("false"));
    case 'n':
        node->type = RWD_JSON_NULL;
        return scan_word(scan, node, at, RWD_TEXT("null"));
    default:
        return fail(scan, at, RWD_INVALID, "a value is expected here");
    }
}

/* "key" and its colon; at is where the quote must be. */
static inline const char *scan_key(struct scan *scan, struct rwd_json_node *node, const char *at)
{
    if (at == scan->end) {
        return fail_at_end(scan, "object does not end");
    }
    if (*at != '"') {
        return fail(scan, at, RWD_INVALID, "a key in double quotes is expected here");
    }
    at = scan_string(scan, at + 1, &node->key, &node->key_size);
    if (at == NULL) {
        return NULL;
    }
    node->key_hash = key_hash(node->key, node->key_size);
    at = skip_blanks(at, scan->end);
    if (at == scan->end) {
        return fail_at_end(scan, "object does not end");
    }
    if (*at != ':') {
        return fail(scan, at, RWD_INVALID, "a colon is expected here");
    }
    return skip_blanks(at + 1, scan->end);
}

__attribute__((cold, noinline)) static bool fail_doubled(
    struct scan *scan, const struct rwd_json_node *object, const struct rwd_json_node *member)
{
    bool in_text = (uintptr_t)member->key >= (uintptr_t)scan->begin &&
                   (uintptr_t)member->key < (uintptr_t)scan->end;
    (void)fail(
        scan, in_text ? member->key : object->data, RWD_INVALID, "doubled key in one object");
    return false;
}

/* The table is keyed with addresses, which a sender cannot know: it cannot be flooded on purpose.
 * The outcome does not depend on them. */
__attribute__((noinline)) static bool check_many_keys(struct scan *scan, uint32_t object)
{
    const struct rwd_json_node *nodes = scan->nodes;
    uint32_t member_count = nodes[object].size;
    size_t slot_count = 64;
    while (slot_count < (size_t)member_count * 2) {
        slot_count *= 2;
    }
    struct rwd_arena_mark mark = rwd_arena_mark(scan->arena);
    uint32_t *slots = rwd_arena_alloc(scan->arena, slot_count * sizeof slots[0]);
    if (slots == NULL) {
        (void)fail(scan, nodes[object].data, RWD_LIMIT, "no memory left for this batch");
        return false;
    }
    memset(slots, 0, slot_count * sizeof slots[0]);
    const void *secret[2] = {slots, scan};
    uint8_t key[RWD_SIPHASH_KEY_SIZE] = {0};
    memcpy(key, secret, sizeof secret < sizeof key ? sizeof secret : sizeof key);
    bool good = true;
    uint32_t member = object + 1;
    for (uint32_t i = 0; i < member_count && good; i++, member = nodes[member].next) {
        size_t slot = (size_t)rwd_siphash(key, nodes[member].key, nodes[member].key_size);
        slot &= slot_count - 1;
        while (slots[slot] != 0 && !same_key(&nodes[slots[slot]], &nodes[member])) {
            slot = (slot + 1) & (slot_count - 1);
        }
        if (slots[slot] != 0) {
            good = fail_doubled(scan, &nodes[object], &nodes[member]);
        }
        slots[slot] = member;
    }
    rwd_arena_rewind(scan->arena, mark);
    return good;
}

/* A 64-bit filter over the hashes: only a key whose bit is taken is compared with those before. */
static inline bool check_keys(struct scan *scan, uint32_t object)
{
    const struct rwd_json_node *nodes = scan->nodes;
    uint32_t member_count = nodes[object].size;
    if (member_count > KEYS_COMPARED_MAX) {
        return check_many_keys(scan, object);
    }
    uint64_t taken = 0;
    uint32_t member = object + 1;
    for (uint32_t i = 0; i < member_count; i++, member = nodes[member].next) {
        uint64_t bit = UINT64_C(1) << (nodes[member].key_hash & 63);
        if ((taken & bit) != 0) {
            for (uint32_t other = object + 1; other < member; other = nodes[other].next) {
                if (same_key(&nodes[other], &nodes[member])) {
                    return fail_doubled(scan, &nodes[object], &nodes[member]);
                }
            }
        }
        taken |= bit;
    }
    return true;
}

/* Twice the room, in place where the arena goes on behind the nodes. */
__attribute__((cold, noinline)) static bool grow(struct scan *scan, const char *at)
{
    uint32_t limit = scan->limits->node_count_max;
    if (scan->count >= limit) {
        (void)fail(scan, at, RWD_LIMIT, "more values than the limit");
        return false;
    }
    size_t used = scan->capacity * sizeof scan->nodes[0];
    uint32_t capacity = scan->capacity > limit / 2 ? limit : scan->capacity * 2;
    if (scan->capacity == 0) {
        capacity = limit < NODE_COUNT_FIRST ? limit : NODE_COUNT_FIRST;
    }
    size_t more = capacity * sizeof scan->nodes[0] - used;
    struct rwd_json_node *room = rwd_arena_alloc(scan->arena, more);
    if (room != NULL && scan->capacity > 0 && room == scan->nodes + scan->capacity) {
        scan->capacity = capacity;
        return true;
    }
    if (room != NULL && scan->capacity > 0) {
        rwd_arena_trim(scan->arena, room, more, 0);
        room = rwd_arena_alloc(scan->arena, used + more);
    }
    if (room == NULL) {
        (void)fail(scan, at, RWD_LIMIT, "no memory left for this batch");
        return false;
    }
    if (used > 0) {
        memcpy(room, scan->nodes, used);
    }
    scan->nodes = room;
    scan->capacity = capacity;
    scan->nodes_newest = true;
    return true;
}

/*
 * Depth costs no C stack: while a container is open, its next holds the index of the container
 * around it. All of it in one loop, since every byte of every event comes through here.
 */
/* NOLINTNEXTLINE(readability-function-cognitive-complexity) */
static const char *scan_document(struct scan *scan, const char *at)
{
    uint32_t parent = NO_PARENT;
    uint32_t depth = 0;
    bool in_object = false;
    for (;;) {
        if (scan->count == scan->capacity && !grow(scan, at)) {
            return NULL;
        }
        struct rwd_json_node *node = &scan->nodes[scan->count++];
        if (in_object) {
            at = scan_key(scan, node, at);
            if (at == NULL) {
                return NULL;
            }
        } else {
            node->key = NULL;
            node->key_size = 0;
            node->key_hash = 0;
        }
        if (at == scan->end) {
            return fail_at_end(scan, "a value is expected here");
        }
        if (*at == '{' || *at == '[') {
            if (depth++ >= scan->limits->depth_max) {
                return fail(scan, at, RWD_LIMIT, "nesting is deeper than the limit");
            }
            in_object = *at == '{';
            *node = (struct rwd_json_node){.key = node->key,
                .key_size = node->key_size,
                .key_hash = node->key_hash,
                .data = at,
                .next = parent,
                .type = in_object ? RWD_JSON_OBJECT : RWD_JSON_ARRAY};
            parent = scan->count - 1;
            at = skip_blanks(at + 1, scan->end);
            if (at == scan->end || *at != (in_object ? '}' : ']')) {
                continue;
            }
        } else {
            at = scan_scalar(scan, node, at);
            if (at == NULL) {
                return NULL;
            }
            node->next = scan->count;
            if (parent == NO_PARENT) {
                return at;
            }
            scan->nodes[parent].size++;
        }
        for (;;) { /* behind a value: close what ends here */
            at = skip_blanks(at, scan->end);
            if (at == scan->end) {
                return fail_at_end(scan, in_object ? "object does not end" : "array does not end");
            }
            if (*at == ',') {
                at = skip_blanks(at + 1, scan->end);
                break;
            }
            if (*at++ != (in_object ? '}' : ']')) {
                return fail(scan, at - 1, RWD_INVALID, "a comma or the end is expected here");
            }
            uint32_t closed = parent;
            parent = scan->nodes[closed].next;
            scan->nodes[closed].next = scan->count;
            if (in_object && scan->nodes[closed].size > 1 && !check_keys(scan, closed)) {
                return NULL;
            }
            if (parent == NO_PARENT) {
                return at;
            }
            depth--;
            scan->nodes[parent].size++;
            in_object = scan->nodes[parent].type == RWD_JSON_OBJECT;
        }
    }
}

enum rwd_status rwd_json_scan(struct rwd_text text, const struct rwd_json_limits *limits,
    struct rwd_arena *arena, struct rwd_json *json, size_t *consumed, struct rwd_json_fault *fault)
{
    const char *text_end = text.size > 0 ? text.data + text.size : text.data;
    const char *start = skip_blanks(text.data, text_end);
    bool clipped = (size_t)(text_end - start) > limits->size_max;
    struct scan scan = {.begin = text.data,
        .end = clipped ? start + limits->size_max : text_end,
        .arena = arena,
        .limits = limits,
        .fault = fault,
        .clipped = clipped};
    struct rwd_arena_mark mark = rwd_arena_mark(arena);
    *json = (struct rwd_json){0};
    *consumed = 0;
    const char *at = scan_document(&scan, start);
    if (at != NULL && at == scan.end && clipped && scan.nodes[0].type == RWD_JSON_NUMBER) {
        at = fail_at_end(&scan, ""); /* its digits may go on behind the limit */
    }
    if (at == NULL) {
        rwd_arena_rewind(arena, mark);
        return fault->status;
    }
    if (scan.nodes_newest) {
        rwd_arena_trim(arena, scan.nodes, scan.capacity * sizeof scan.nodes[0],
            scan.count * sizeof scan.nodes[0]);
    }
    *json = (struct rwd_json){.nodes = scan.nodes, .count = scan.count};
    *consumed = (size_t)(skip_blanks(at, text_end) - text.data);
    return RWD_OK;
}

const struct rwd_json_node *rwd_json_first(
    const struct rwd_json *json, const struct rwd_json_node *container)
{
    (void)json;
    bool has_children = container != NULL && container->type >= RWD_JSON_ARRAY;
    return has_children && container->size > 0 ? container + 1 : NULL;
}

const struct rwd_json_node *rwd_json_next(const struct rwd_json *json,
    const struct rwd_json_node *container, const struct rwd_json_node *child)
{
    return child->next < container->next ? &json->nodes[child->next] : NULL;
}

const struct rwd_json_node *rwd_json_member(
    const struct rwd_json *json, const struct rwd_json_node *object, struct rwd_text name)
{
    if (object == NULL || object->type != RWD_JSON_OBJECT || name.size > UINT32_MAX) {
        return NULL;
    }
    uint16_t hash = key_hash(name.data, (uint32_t)name.size);
    const struct rwd_json_node *member = object + 1;
    for (uint32_t i = 0; i < object->size; i++, member = &json->nodes[member->next]) {
        if (member->key_hash == hash && member->key_size == name.size &&
            same_bytes(member->key, name.data, member->key_size)) {
            return member;
        }
    }
    return NULL;
}

const struct rwd_json_node *rwd_json_path(
    const struct rwd_json *json, const struct rwd_json_node *object, struct rwd_text dotted_path)
{
    const char *at = dotted_path.data;
    const char *end = at + dotted_path.size;
    for (;;) {
        const char *dot = at;
        while (dot < end && *dot != '.') {
            dot++;
        }
        struct rwd_text name = {.data = at, .size = (size_t)(dot - at)};
        object = rwd_json_member(json, object, name);
        if (object == NULL || dot == end) {
            return object;
        }
        at = dot + 1;
    }
}

double rwd_json_number(const struct rwd_json_node *node)
{
    static const double powers[POWER_EXACT_MAX + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8,
        1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (node->size > DIGITS_EXACT_MAX) {
        return slow_double(node->data, node->size);
    }
    const char *end = node->data + node->size;
    const char *at = node->data + (*node->data == '-');
    uint64_t digits = 0;
    long power = 0;
    bool fraction = false;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
        } else {
            digits = digits * 10 + (uint64_t)(*at - '0');
            power -= fraction;
        }
    }
    if (at < end) {
        power += read_exponent(at + 1, end);
    }
    /* Both operands exact: one rounding, the correct one. */
    if (digits > DOUBLE_EXACT_MAX || power > POWER_EXACT_MAX || power < -POWER_EXACT_MAX) {
        return slow_double(node->data, node->size);
    }
    double value = (double)digits;
    value = power < 0 ? value / powers[-power] : value * powers[power];
    return *node->data == '-' ? -value : value;
}

bool rwd_json_integer(const struct rwd_json_node *node, int64_t *value)
{
    return node->type == RWD_JSON_NUMBER &&
           rwd_decimal_exact(rwd_json_text(node), 0, value) == RWD_OK;
}

bool rwd_json_is_whole(const struct rwd_json_node *node)
{
    int64_t value;
    return node->type == RWD_JSON_NUMBER &&
           (node->integer || rwd_decimal_exact(rwd_json_text(node), 0, &value) != RWD_INVALID);
}
