/*
 * json: a strict one-pass JSON scanner (RFC 8259) that writes a tape.
 *
 * Why our own: events decide money. The usual parsers keep doubled keys, pass bad UTF-8, round
 * numbers and turn 1e999 into infinity. Here all that is refused, and a number keeps its text, so
 * money stays exact. The tape is a flat array in document order: a value's children follow it, and
 * next jumps over them, so reading a field is a short walk over memory that is already warm.
 *
 * Refused: anything outside RFC 8259, bytes that are not UTF-8, unpaired surrogates, doubled keys
 * in one object, numbers that do not fit a finite double, nesting, counts or number texts over the
 * limits. An escaped NUL is no fault of a string in general; who needs C strings refuses it.
 *
 * Threads:   pure; no state.
 * Ownership: nodes and unescaped strings live in the arena, all other text points into the input;
 * both must outlive the tape.
 */
#ifndef RWD_DOMAIN_JSON_H
#define RWD_DOMAIN_JSON_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* One number's text; what is longer says nothing more about a double or an amount. */
enum { RWD_JSON_NUMBER_SIZE_MAX = 1024 };

enum rwd_json_type {
    RWD_JSON_NULL,
    RWD_JSON_FALSE,
    RWD_JSON_TRUE,
    RWD_JSON_NUMBER,
    RWD_JSON_STRING,
    RWD_JSON_ARRAY,
    RWD_JSON_OBJECT,
};

struct rwd_json_node {
    const char *key;  /* member of an object: its name, unescaped; else NULL */
    const char *data; /* string: unescaped bytes; number: its text; container: its first byte */
    uint32_t key_size;
    uint32_t size;     /* string, number: bytes of data; container: how many children */
    uint32_t next;     /* index of the node behind this one and all it contains */
    uint8_t type;      /* enum rwd_json_type */
    bool integer;      /* number without fraction or exponent */
    uint16_t key_hash; /* rwd_json_key_hash of key: names are told apart without reading them */
};

struct rwd_json {
    const struct rwd_json_node *nodes; /* nodes[0] is the document */
    uint32_t count;
};

struct rwd_json_limits {
    uint32_t depth_max;      /* containers inside one another; the 32 */
    uint32_t node_count_max; /* values in one document */
    uint32_t size_max;       /* bytes of one document */
};

struct rwd_json_fault {
    size_t offset;          /* where in the text it went wrong */
    const char *detail;     /* static text: what is wrong, in words */
    enum rwd_status status; /* INVALID, or LIMIT where a limit was met */
};

/* Scans one value at the start of text (blanks around it allowed). *consumed: bytes read, blanks
 * behind the value included. INVALID or LIMIT with *fault set; LIMIT too when the arena is full. */
RWD_MUST_USE enum rwd_status rwd_json_scan(struct rwd_text text,
    const struct rwd_json_limits *limits, struct rwd_arena *arena, struct rwd_json *json,
    size_t *consumed, struct rwd_json_fault *fault);

/* Not keyed and not for storage: a filter in front of comparing names within this process. */
uint16_t rwd_json_key_hash(struct rwd_text key);

/* The member of that name, or NULL; NULL too where object is NULL or no object. */
const struct rwd_json_node *rwd_json_member(
    const struct rwd_json *json, const struct rwd_json_node *object, struct rwd_text name);
/* "payload.game_id": member by member; NULL where any step is missing. */
const struct rwd_json_node *rwd_json_path(
    const struct rwd_json *json, const struct rwd_json_node *object, struct rwd_text dotted_path);
/* The first child of a container, or NULL; then each next sibling until NULL. */
const struct rwd_json_node *rwd_json_first(
    const struct rwd_json *json, const struct rwd_json_node *container);
const struct rwd_json_node *rwd_json_next(const struct rwd_json *json,
    const struct rwd_json_node *container, const struct rwd_json_node *child);

static inline struct rwd_text rwd_json_text(const struct rwd_json_node *node)
{
    return (struct rwd_text){.data = node->data, .size = node->size};
}
static inline struct rwd_text rwd_json_key(const struct rwd_json_node *node)
{
    return (struct rwd_text){.data = node->key, .size = node->key_size};
}
/* The double nearest to the number's text (correctly rounded; a fast exact path for the short
 * numbers that events hold, strtod for the rest). */
double rwd_json_number(const struct rwd_json_node *node);
/* The number as an integer ("2", "2.0" and "2e0" are all 2); false where it has a fraction, does
 * not fit, or node is no number. */
RWD_MUST_USE bool rwd_json_integer(const struct rwd_json_node *node, int64_t *value);
/* Whether the number's value is whole, however large: JSON Schema's "integer". */
bool rwd_json_is_whole(const struct rwd_json_node *node);

#endif
