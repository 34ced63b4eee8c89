/*
 * schema_program: what a schema file compiles to. Shared by the schema_*.c files and nobody else.
 *
 * Each subschema becomes a shape: a mask of the types it lets through and, where a type needs more
 * than that, the bounds, names and values to hold it against. $ref is followed when compiling, so a
 * check is a walk over shapes side by side with the tape.
 *
 * Ownership: everything lives in the schema's arena, next to the file's text and tape.
 */
#ifndef RWD_DOMAIN_SCHEMA_PROGRAM_H
#define RWD_DOMAIN_SCHEMA_PROGRAM_H

#include "domain/schema.h"

enum rwd_schema_format {
    RWD_SCHEMA_FORMAT_NONE,
    RWD_SCHEMA_FORMAT_DATE_TIME,
    RWD_SCHEMA_FORMAT_UUID,
    RWD_SCHEMA_FORMAT_IPV4,
    RWD_SCHEMA_FORMAT_AMOUNT,
};

enum {
    RWD_SCHEMA_ALL_TYPES = (1 << (RWD_JSON_OBJECT + 1)) - 1,
    RWD_SCHEMA_REQUIRED_COUNT_MAX = 64, /* bits of a mask */
    RWD_SCHEMA_PROPERTY_COUNT_MAX = 4096,
};

struct rwd_schema_value {
    struct rwd_text text; /* a string's */
    double number;
    uint8_t type;
};

struct rwd_schema_property {
    struct rwd_text name;
    const struct rwd_schema_shape *shape;
    uint64_t required_bit; /* 0: optional */
    uint16_t key_hash;
    uint16_t next; /* the next property of the same slot, plus one; 0: none */
};

struct rwd_schema_shape {
    uint8_t types;   /* a bit for each enum rwd_json_type let through */
    uint8_t checked; /* those of them that need a look past the type */
    bool whole;      /* a number must be an integer */
    uint8_t format;
    uint32_t length_min; /* in code points */
    uint32_t length_max;
    uint32_t item_count_min;
    uint32_t item_count_max;
    double minimum; /* infinite: not given; so are the next three */
    double maximum;
    double exclusive_minimum;
    double exclusive_maximum;
    const struct rwd_schema_value *values; /* enum, const; NULL: not given */
    size_t value_count;
    const struct rwd_schema_shape *also;       /* $ref beside other keywords; NULL: none */
    const struct rwd_schema_shape *items;      /* NULL: anything */
    const struct rwd_schema_shape *additional; /* NULL: anything */
    struct rwd_schema_property *properties;
    const uint16_t *slots; /* key_hash & slot_mask -> property, plus one; 0: none */
    uint64_t required;     /* the bits of all required properties */
    uint16_t property_count;
    uint16_t slot_mask;
};

struct rwd_schema {
    struct rwd_arena arena;
    const struct rwd_schema_shape *root;
};

/* The JSON pointer of a node, with one more member behind it unless that is NULL; cut to whole
 * steps where it does not fit. */
void rwd_schema__pointer(const struct rwd_json *json, const struct rwd_json_node *node,
    const struct rwd_text *member, char *out, size_t out_size);

const char *rwd_schema__format_name(unsigned format);

/* An event's versions, oldest first; NULL past the last. */
const struct rwd_schema *rwd_schema__version(
    const struct rwd_schema_registry *registry, struct rwd_text event_name, size_t index);

/* For a value that is no container. */
bool rwd_schema__accepts(const struct rwd_schema_shape *shape, const struct rwd_json_node *node);

/* INVALID with error set where next plainly refuses what earlier accepts. */
RWD_MUST_USE enum rwd_status rwd_schema__compare(const struct rwd_schema *earlier,
    const struct rwd_schema *next, const char *name, struct rwd_error *error);

#endif
