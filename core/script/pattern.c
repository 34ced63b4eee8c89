#include "script/pattern.h"

#include <string.h>

enum item_type {
    ITEM_SET,
    ITEM_OPEN,
    ITEM_CLOSE,
    ITEM_END,
};

static void add(uint64_t set[4], unsigned byte)
{
    set[byte / 64] |= (uint64_t)1 << byte % 64;
}

static bool holds(const uint64_t set[4], unsigned byte)
{
    return (set[byte / 64] >> byte % 64 & 1) != 0;
}

static bool is_letter(unsigned c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(unsigned c)
{
    return c >= '0' && c <= '9';
}

/* The C locale's classes, spelled out: the same on every machine. *known: there is such a class. */
static bool in_class(unsigned c, char class, bool *known)
{
    switch (class) {
    case 'a':
        return is_letter(c);
    case 'd':
        return is_digit(c);
    case 'l':
        return c >= 'a' && c <= 'z';
    case 'u':
        return c >= 'A' && c <= 'Z';
    case 's':
        return c == ' ' || (c >= '\t' && c <= '\r');
    case 'w':
        return is_letter(c) || is_digit(c);
    case 'x':
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    case 'p':
        return c > ' ' && c < 127 && !is_letter(c) && !is_digit(c);
    case 'c':
        return c < ' ' || c == 127;
    default:
        *known = false;
        return false;
    }
}

/* %x at the escape character; adds what it stands for. False: %b, %f, %1 and the like. */
static bool add_escape(uint64_t set[4], char escape)
{
    if (!is_letter((unsigned char)escape)) {
        if (is_digit((unsigned char)escape)) {
            return false;
        }
        add(set, (unsigned char)escape);
        return true;
    }
    bool complement = escape >= 'A' && escape <= 'Z';
    bool known = true;
    for (unsigned c = 0; c < 256; c++) {
        if (in_class(c, complement ? (char)(escape - 'A' + 'a') : escape, &known) != complement) {
            add(set, c);
        }
    }
    return known;
}

/* [...] from the byte behind the bracket; the byte behind its end, or NULL. */
static const char *read_set(const char *at, const char *end, uint64_t set[4])
{
    bool complement = at < end && *at == '^';
    at += complement;
    for (bool first = true; at < end && (*at != ']' || first); first = false) {
        if (*at == '%') {
            if (end - at < 2 || !add_escape(set, at[1])) {
                return NULL;
            }
            at += 2;
        } else if (end - at >= 3 && at[1] == '-' && at[2] != ']') {
            for (unsigned c = (unsigned char)at[0]; c <= (unsigned char)at[2]; c++) {
                add(set, c);
            }
            at += 3;
        } else {
            add(set, (unsigned char)*at++);
        }
    }
    for (unsigned i = 0; complement && i < 4; i++) {
        set[i] = ~set[i];
    }
    return at < end ? at + 1 : NULL;
}

/* One single-byte item; the byte behind it, or NULL. */
static const char *read_single(const char *at, const char *end, uint64_t set[4])
{
    if (*at == '%') {
        return end - at >= 2 && add_escape(set, at[1]) ? at + 2 : NULL;
    }
    if (*at == '[') {
        return read_set(at + 1, end, set);
    }
    if (*at == '.') {
        memset(set, 0xff, 4 * sizeof set[0]);
    } else {
        add(set, (unsigned char)*at);
    }
    return at + 1;
}

/* ( and ): keeps the stack of those that are open. */
static bool read_capture(struct rwd_pattern *pattern, struct rwd_pattern_item *item, char bracket,
    uint8_t *open, unsigned *open_count)
{
    if (bracket == '(') {
        if (pattern->capture_count == RWD_PATTERN_CAPTURE_COUNT_MAX) {
            return false;
        }
        item->type = ITEM_OPEN;
        item->capture = (uint8_t)pattern->capture_count++;
        open[(*open_count)++] = item->capture;
        return true;
    }
    if (*open_count == 0) {
        return false;
    }
    item->type = ITEM_CLOSE;
    item->capture = open[--*open_count];
    return true;
}

/* False: one too many. */
static bool read_quantifier(
    struct rwd_pattern_item *item, const char **at, const char *end, unsigned *count)
{
    if (*at < end && **at != '\0' && strchr("*+-?", **at) != NULL) {
        item->quantifier = *(*at)++;
        (*count)++;
    }
    return *count <= RWD_PATTERN_QUANTIFIER_COUNT_MAX;
}

enum rwd_status rwd_pattern_compile(
    struct rwd_text text, struct rwd_pattern *pattern, struct rwd_error *error)
{
    if (text.size > RWD_PATTERN_SIZE_MAX) {
        return rwd_fail(
            error, RWD_LIMIT, "a pattern is at most %d bytes long", RWD_PATTERN_SIZE_MAX);
    }
    memset(pattern, 0, sizeof *pattern);
    uint8_t open[RWD_PATTERN_CAPTURE_COUNT_MAX];
    unsigned open_count = 0;
    unsigned quantifier_count = 0;
    const char *at = text.data;
    const char *end = text.data + text.size;
    if (at < end && *at == '^') {
        pattern->anchored = true;
        at++;
    }
    while (at < end) {
        struct rwd_pattern_item *item = &pattern->items[pattern->item_count++];
        if (*at == '(' || *at == ')') {
            if (end - at >= 2 && at[0] == '(' && at[1] == ')') {
                return rwd_fail(error, RWD_INVALID, "a pattern has no position captures '()'");
            }
            if (!read_capture(pattern, item, *at++, open, &open_count)) {
                return rwd_fail(error, RWD_INVALID,
                    "a pattern has at most %d captures, opened and closed in pairs",
                    RWD_PATTERN_CAPTURE_COUNT_MAX);
            }
            continue;
        }
        if (*at == '$' && at + 1 == end) {
            item->type = ITEM_END;
            at++;
            continue;
        }
        item->type = ITEM_SET;
        at = read_single(at, end, item->set);
        if (at == NULL) {
            return rwd_fail(error, RWD_INVALID,
                "a pattern knows %%a %%c %%d %%l %%p %%s %%u %%w %%x, their capitals, %% before "
                "punctuation, and sets that are closed");
        }
        if (!read_quantifier(item, &at, end, &quantifier_count)) {
            return rwd_fail(error, RWD_LIMIT, "a pattern has at most %d of * + - ?",
                RWD_PATTERN_QUANTIFIER_COUNT_MAX);
        }
    }
    return open_count == 0 ? RWD_OK
                           : rwd_fail(error, RWD_INVALID, "a capture of the pattern is not closed");
}

struct matcher {
    const struct rwd_pattern *pattern;
    struct rwd_text subject;
    struct rwd_pattern_match *match;
    bool given_up;
};

static bool step(struct matcher *matcher)
{
    if (++matcher->match->steps > matcher->match->steps_max) {
        matcher->given_up = true;
    }
    return !matcher->given_up;
}

static bool here(const struct matcher *matcher, const struct rwd_pattern_item *item, size_t at)
{
    return at < matcher->subject.size && holds(item->set, (unsigned char)matcher->subject.data[at]);
}

static bool match_from(struct matcher *matcher, unsigned i, size_t at);

/* As many as there are, then fewer. */
static bool match_greedy(struct matcher *matcher, unsigned i, size_t at, size_t least, size_t most)
{
    const struct rwd_pattern_item *item = &matcher->pattern->items[i];
    size_t count = 0;
    while (count < most && here(matcher, item, at + count) && step(matcher)) {
        count++;
    }
    for (;; count--) {
        if (count < least || matcher->given_up) {
            return false;
        }
        if (match_from(matcher, i + 1, at + count)) {
            return true;
        }
        if (count == 0) {
            return false;
        }
    }
}

static bool match_lazy(struct matcher *matcher, unsigned i, size_t at)
{
    const struct rwd_pattern_item *item = &matcher->pattern->items[i];
    for (;; at++) {
        if (match_from(matcher, i + 1, at)) {
            return true;
        }
        if (matcher->given_up || !here(matcher, item, at)) {
            return false;
        }
    }
}

static bool match_from(struct matcher *matcher, unsigned i, size_t at)
{
    const struct rwd_pattern *pattern = matcher->pattern;
    for (; i < pattern->item_count; i++) {
        const struct rwd_pattern_item *item = &pattern->items[i];
        if (!step(matcher)) {
            return false;
        }
        if (item->type == ITEM_OPEN) {
            matcher->match->captures[item->capture].start = at;
        } else if (item->type == ITEM_CLOSE) {
            matcher->match->captures[item->capture].end = at;
        } else if (item->type == ITEM_END) {
            if (at != matcher->subject.size) {
                return false;
            }
        } else if (item->quantifier == '\0') {
            if (!here(matcher, item, at)) {
                return false;
            }
            at++;
        } else if (item->quantifier == '-') {
            return match_lazy(matcher, i, at);
        } else {
            return match_greedy(matcher, i, at, item->quantifier == '+' ? 1 : 0,
                item->quantifier == '?' ? 1 : SIZE_MAX);
        }
    }
    matcher->match->end = at;
    return true;
}

enum rwd_status rwd_pattern_find(const struct rwd_pattern *pattern, struct rwd_text subject,
    size_t from, struct rwd_pattern_match *match)
{
    struct matcher matcher = {.pattern = pattern, .subject = subject, .match = match};
    for (size_t start = from; start <= subject.size; start++) {
        match->start = start;
        if (match_from(&matcher, 0, start)) {
            return RWD_OK;
        }
        if (matcher.given_up) {
            return RWD_LIMIT;
        }
        if (pattern->anchored) {
            break;
        }
    }
    return RWD_NOT_FOUND;
}
