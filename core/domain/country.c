#include "domain/country.h"

#include <string.h>

enum { LETTERS = 26 };

/* -1: not two capitals. */
static int place_of(const char *code)
{
    bool capitals = code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z';
    return capitals ? (code[0] - 'A') * LETTERS + (code[1] - 'A') : -1;
}

bool rwd_country_set_add(struct rwd_country_set *set, struct rwd_text code)
{
    int place = code.size == 2 ? place_of(code.data) : -1;
    if (place >= 0) {
        set->bits[place / 8] = (uint8_t)(set->bits[place / 8] | 1U << place % 8);
    }
    return place >= 0;
}

static bool has(const struct rwd_country_set *set, int place)
{
    return (set->bits[place / 8] >> place % 8 & 1U) != 0;
}

bool rwd_country_set_has(const struct rwd_country_set *set, const char *code)
{
    int place = strlen(code) == 2 ? place_of(code) : -1;
    return place >= 0 && has(set, place);
}

bool rwd_country_set_empty(const struct rwd_country_set *set)
{
    static const struct rwd_country_set empty = {0};
    return memcmp(set, &empty, sizeof empty) == 0;
}

void rwd_country_set_encode(const struct rwd_country_set *set, struct rwd_buffer *out)
{
    char codes[2 * LETTERS * LETTERS];
    size_t size = 0;
    for (int place = 0; place < LETTERS * LETTERS; place++) {
        if (has(set, place)) {
            codes[size++] = (char)('A' + place / LETTERS);
            codes[size++] = (char)('A' + place % LETTERS);
        }
    }
    rwd_wire_put_text(out, (struct rwd_text){.data = codes, .size = size});
}

void rwd_country_set_decode(struct rwd_wire *wire, struct rwd_country_set *set)
{
    struct rwd_text codes = rwd_wire_text(wire);
    *set = (struct rwd_country_set){0};
    wire->failed |= codes.size % 2 != 0;
    for (size_t at = 0; at < codes.size && !wire->failed; at += 2) {
        wire->failed |=
            !rwd_country_set_add(set, (struct rwd_text){.data = codes.data + at, .size = 2});
    }
}
