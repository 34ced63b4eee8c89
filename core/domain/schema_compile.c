/*
 * schema_compile: a schema's text becomes its program.
 */
#include "base/memory.h"
#include "domain/schema_program.h"

#include <math.h>
#include <string.h>

enum {
    ARENA_CHUNK_SIZE = 16 * 1024,
    ARENA_SIZE_MAX = 64 * 1024 * 1024,
    DEFINITION_COUNT_MAX = 256,
};

static const struct rwd_json_limits schema_limits = {
    .depth_max = 64, .node_count_max = 100000, .size_max = 1024 * 1024};

static const struct rwd_schema_shape shape_nothing = {.types = 0};
static const struct rwd_schema_shape shape_anything = {.types = RWD_SCHEMA_ALL_TYPES};

enum definition_state {
    DEFINITION_NEW,
    DEFINITION_OPEN, /* being compiled: a $ref to it now would be a schema within itself */
    DEFINITION_DONE,
};

struct definition {
    const struct rwd_json_node *node;
    const struct rwd_schema_shape *shape;
    enum definition_state state;
};

struct compiler {
    struct rwd_json json;
    struct rwd_arena *arena;
    const char *name;
    struct rwd_error *error;
    struct definition *definitions;
    size_t definition_count;
};

static enum rwd_status fail(
    struct compiler *compiler, const struct rwd_json_node *node, const char *what)
{
    char pointer[RWD_ERROR_TEXT_SIZE_MAX / 2];
    rwd_schema__pointer(&compiler->json, node, NULL, pointer, sizeof pointer);
    return rwd_fail(compiler->error, RWD_INVALID, "%s: \"%s\": %s", compiler->name, pointer, what);
}

static enum rwd_status fail_full(struct compiler *compiler)
{
    return rwd_fail(compiler->error, RWD_LIMIT, "%s: schema is too large", compiler->name);
}

static void *take(struct compiler *compiler, size_t count, size_t size)
{
    void *memory = rwd_arena_alloc(compiler->arena, count * size);
    return memory != NULL ? memset(memory, 0, count * size) : NULL;
}

static enum rwd_status compile_shape(struct compiler *compiler, const struct rwd_json_node *node,
    const struct rwd_schema_shape **shape);

/* Keywords: each one reads its value into the shape. */
typedef enum rwd_status keyword_reader(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape);

static enum rwd_status read_type_name(
    struct compiler *compiler, const struct rwd_json_node *node, unsigned *types, bool *integer)
{
    static const struct {
        const char *name;
        unsigned types;
    } names[] = {{"null", 1U << RWD_JSON_NULL},
        {"boolean", 1U << RWD_JSON_FALSE | 1U << RWD_JSON_TRUE}, {"number", 1U << RWD_JSON_NUMBER},
        {"integer", 1U << RWD_JSON_NUMBER}, {"string", 1U << RWD_JSON_STRING},
        {"array", 1U << RWD_JSON_ARRAY}, {"object", 1U << RWD_JSON_OBJECT}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (node->type == RWD_JSON_STRING && rwd_text_is(rwd_json_text(node), names[i].name)) {
            *types = names[i].types;
            *integer = rwd_text_is(rwd_json_text(node), "integer");
            return RWD_OK;
        }
    }
    return fail(compiler, node, "is no type of JSON Schema");
}

static enum rwd_status read_type(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    unsigned all = 0;
    bool any_integer = false;
    bool any_number = false;
    bool list = node->type == RWD_JSON_ARRAY;
    const struct rwd_json_node *name = list ? rwd_json_first(&compiler->json, node) : node;
    if (name == NULL) {
        return fail(compiler, node, "needs at least one type");
    }
    while (name != NULL) {
        unsigned types = 0;
        bool integer = false;
        enum rwd_status status = read_type_name(compiler, name, &types, &integer);
        if (status != RWD_OK) {
            return status;
        }
        all |= types;
        any_integer = any_integer || integer;
        any_number = any_number || (!integer && types == 1U << RWD_JSON_NUMBER);
        name = list ? rwd_json_next(&compiler->json, node, name) : NULL;
    }
    shape->types = (uint8_t)all;
    shape->whole = any_integer && !any_number;
    return RWD_OK;
}

static enum rwd_status read_double(
    struct compiler *compiler, const struct rwd_json_node *node, double *value)
{
    if (node->type != RWD_JSON_NUMBER) {
        return fail(compiler, node, "must be a number");
    }
    *value = rwd_json_number(node);
    return RWD_OK;
}

static enum rwd_status read_count(
    struct compiler *compiler, const struct rwd_json_node *node, uint32_t *count)
{
    int64_t value;
    if (!rwd_json_integer(node, &value) || value < 0 || value >= UINT32_MAX) {
        return fail(compiler, node, "must be an integer from 0 on");
    }
    *count = (uint32_t)value;
    return RWD_OK;
}

static enum rwd_status read_minimum(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    return read_double(compiler, node, &shape->minimum);
}

static enum rwd_status read_maximum(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    return read_double(compiler, node, &shape->maximum);
}

static enum rwd_status read_exclusive_minimum(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    return read_double(compiler, node, &shape->exclusive_minimum);
}

static enum rwd_status read_exclusive_maximum(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    return read_double(compiler, node, &shape->exclusive_maximum);
}

static enum rwd_status read_min_length(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    return read_count(compiler, node, &shape->length_min);
}

static enum rwd_status read_max_length(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    return read_count(compiler, node, &shape->length_max);
}

static enum rwd_status read_min_items(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    return read_count(compiler, node, &shape->item_count_min);
}

static enum rwd_status read_max_items(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    return read_count(compiler, node, &shape->item_count_max);
}

static const char *const format_names[] = {"", "date-time", "uuid", "ipv4", "amount"};

const char *rwd_schema__format_name(unsigned format)
{
    return format_names[format];
}

static enum rwd_status read_format(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    for (unsigned i = 1; i < sizeof format_names / sizeof format_names[0]; i++) {
        if (node->type == RWD_JSON_STRING && rwd_text_is(rwd_json_text(node), format_names[i])) {
            shape->format = (uint8_t)i;
            return RWD_OK;
        }
    }
    return fail(compiler, node, "must be date-time, uuid, ipv4 or amount");
}

static enum rwd_status read_value(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_value *value)
{
    if (node->type >= RWD_JSON_ARRAY) {
        return fail(compiler, node, "must be a string, number, boolean or null");
    }
    value->type = node->type;
    value->text = rwd_json_text(node);
    value->number = node->type == RWD_JSON_NUMBER ? rwd_json_number(node) : 0;
    return RWD_OK;
}

static enum rwd_status read_enum(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    if (node->type != RWD_JSON_ARRAY || node->size == 0) {
        return fail(compiler, node, "must be a list of at least one value");
    }
    if (shape->values != NULL) {
        return fail(compiler, node, "enum and const exclude each other");
    }
    struct rwd_schema_value *values = take(compiler, node->size, sizeof values[0]);
    if (values == NULL) {
        return fail_full(compiler);
    }
    const struct rwd_json_node *item = rwd_json_first(&compiler->json, node);
    for (size_t i = 0; item != NULL; i++, item = rwd_json_next(&compiler->json, node, item)) {
        enum rwd_status status = read_value(compiler, item, &values[i]);
        if (status != RWD_OK) {
            return status;
        }
    }
    shape->values = values;
    shape->value_count = node->size;
    return RWD_OK;
}

static enum rwd_status read_const(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    struct rwd_schema_value *value = take(compiler, 1, sizeof *value);
    if (value == NULL) {
        return fail_full(compiler);
    }
    if (shape->values != NULL) {
        return fail(compiler, node, "enum and const exclude each other");
    }
    shape->values = value;
    shape->value_count = 1;
    return read_value(compiler, node, value);
}

static enum rwd_status read_items(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    return compile_shape(compiler, node, &shape->items);
}

static enum rwd_status compile_definition(
    struct compiler *compiler, struct definition *definition, const struct rwd_json_node *at)
{
    if (definition->state == DEFINITION_OPEN) {
        return fail(compiler, at, "a schema may not contain itself");
    }
    if (definition->state == DEFINITION_DONE) {
        return RWD_OK;
    }
    definition->state = DEFINITION_OPEN;
    enum rwd_status status = compile_shape(compiler, definition->node, &definition->shape);
    definition->state = DEFINITION_DONE;
    return status;
}

static enum rwd_status read_ref(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    const struct rwd_text prefix = RWD_TEXT("#/$defs/");
    struct rwd_text target = rwd_json_text(node);
    if (node->type != RWD_JSON_STRING || target.size <= prefix.size ||
        memcmp(target.data, prefix.data, prefix.size) != 0) {
        return fail(compiler, node, "must be a string \"#/$defs/...\"");
    }
    target.data += prefix.size;
    target.size -= prefix.size;
    for (size_t i = 0; i < compiler->definition_count; i++) {
        struct definition *definition = &compiler->definitions[i];
        if (rwd_text_equal(rwd_json_key(definition->node), target)) {
            enum rwd_status status = compile_definition(compiler, definition, node);
            shape->also = definition->shape;
            return status;
        }
    }
    return fail(compiler, node, "names nothing that is in $defs");
}

static enum rwd_status read_note(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    (void)shape;
    return node->type == RWD_JSON_STRING ? RWD_OK : fail(compiler, node, "must be a string");
}

static enum rwd_status read_examples(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    (void)shape;
    return node->type == RWD_JSON_ARRAY ? RWD_OK : fail(compiler, node, "must be an array");
}

static enum rwd_status read_dialect(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    (void)shape;
    bool known = node->type == RWD_JSON_STRING &&
                 rwd_text_is(rwd_json_text(node), "https://json-schema.org/draft/2020-12/schema");
    return known ? RWD_OK
                 : fail(compiler, node, "must be https://json-schema.org/draft/2020-12/schema");
}

/* Read elsewhere, in an order of their own, or not at all. */
static enum rwd_status read_nothing(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    (void)compiler;
    (void)node;
    (void)shape;
    return RWD_OK;
}

static const struct keyword {
    const char *name;
    keyword_reader *read;
    bool checks;   /* says something about a document */
    bool top_only; /* would mean something else further down */
} keywords[] = {
    {"$schema", read_dialect, false, true},
    {"$id", read_note, false, true},
    {"$defs", read_nothing, false, true},
    {"$comment", read_note, false, false},
    {"title", read_note, false, false},
    {"description", read_note, false, false},
    {"examples", read_examples, false, false},
    {"default", read_nothing, false, false},
    {"$ref", read_ref, false, false},
    {"type", read_type, true, false},
    {"enum", read_enum, true, false},
    {"const", read_const, true, false},
    {"minimum", read_minimum, true, false},
    {"maximum", read_maximum, true, false},
    {"exclusiveMinimum", read_exclusive_minimum, true, false},
    {"exclusiveMaximum", read_exclusive_maximum, true, false},
    {"minLength", read_min_length, true, false},
    {"maxLength", read_max_length, true, false},
    {"format", read_format, true, false},
    {"minItems", read_min_items, true, false},
    {"maxItems", read_max_items, true, false},
    {"items", read_items, true, false},
    {"properties", read_nothing, true, false},
    {"additionalProperties", read_nothing, true, false},
    {"required", read_nothing, true, false},
};

static const struct keyword *find_keyword(struct rwd_text name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (rwd_text_is(name, keywords[i].name)) {
            return &keywords[i];
        }
    }
    return NULL;
}

static struct rwd_schema_property *add_property(
    struct rwd_schema_shape *shape, struct rwd_text name, const struct rwd_schema_shape *value)
{
    struct rwd_schema_property *property = &shape->properties[shape->property_count++];
    *property = (struct rwd_schema_property){
        .name = name, .shape = value, .key_hash = rwd_json_key_hash(name)};
    return property;
}

static enum rwd_status read_properties(
    struct compiler *compiler, const struct rwd_json_node *list, struct rwd_schema_shape *shape)
{
    const struct rwd_json_node *node = rwd_json_first(&compiler->json, list);
    for (; node != NULL; node = rwd_json_next(&compiler->json, list, node)) {
        const struct rwd_schema_shape *value = NULL;
        enum rwd_status status = compile_shape(compiler, node, &value);
        if (status != RWD_OK) {
            return status;
        }
        (void)add_property(shape, rwd_json_key(node), value);
    }
    return RWD_OK;
}

static enum rwd_status read_required(
    struct compiler *compiler, const struct rwd_json_node *list, struct rwd_schema_shape *shape)
{
    const struct rwd_json_node *node = rwd_json_first(&compiler->json, list);
    for (unsigned bit = 0; node != NULL; bit++, node = rwd_json_next(&compiler->json, list, node)) {
        if (node->type != RWD_JSON_STRING || bit >= RWD_SCHEMA_REQUIRED_COUNT_MAX) {
            return fail(compiler, node, "must be a string, one of at most 64");
        }
        struct rwd_schema_property *property = NULL;
        for (size_t i = 0; i < shape->property_count && property == NULL; i++) {
            if (rwd_text_equal(shape->properties[i].name, rwd_json_text(node))) {
                property = &shape->properties[i];
            }
        }
        if (property == NULL) {
            /* Required but not described: what holds for additional ones holds for it. */
            property = add_property(shape, rwd_json_text(node), shape->additional);
        }
        if (property->required_bit != 0) {
            return fail(compiler, node, "is required twice");
        }
        property->required_bit = UINT64_C(1) << bit;
        shape->required |= property->required_bit;
    }
    return RWD_OK;
}

static enum rwd_status build_slots(struct compiler *compiler, struct rwd_schema_shape *shape)
{
    size_t slot_count = 1;
    while (slot_count < (size_t)shape->property_count * 2) {
        slot_count *= 2;
    }
    uint16_t *slots = take(compiler, slot_count, sizeof slots[0]);
    if (slots == NULL) {
        return fail_full(compiler);
    }
    shape->slot_mask = (uint16_t)(slot_count - 1);
    for (uint16_t i = 0; i < shape->property_count; i++) {
        uint16_t *slot = &slots[shape->properties[i].key_hash & shape->slot_mask];
        shape->properties[i].next = *slot;
        *slot = (uint16_t)(i + 1);
    }
    shape->slots = slots;
    return RWD_OK;
}

static enum rwd_status read_object_keywords(
    struct compiler *compiler, const struct rwd_json_node *node, struct rwd_schema_shape *shape)
{
    const struct rwd_json_node *properties =
        rwd_json_member(&compiler->json, node, RWD_TEXT("properties"));
    const struct rwd_json_node *required =
        rwd_json_member(&compiler->json, node, RWD_TEXT("required"));
    const struct rwd_json_node *additional =
        rwd_json_member(&compiler->json, node, RWD_TEXT("additionalProperties"));
    if (properties != NULL && properties->type != RWD_JSON_OBJECT) {
        return fail(compiler, properties, "must be an object");
    }
    if (required != NULL && required->type != RWD_JSON_ARRAY) {
        return fail(compiler, required, "must be a list of names");
    }
    size_t count_max = (properties != NULL ? (size_t)properties->size : 0) +
                       (required != NULL ? (size_t)required->size : 0);
    if (count_max > RWD_SCHEMA_PROPERTY_COUNT_MAX) {
        return fail(compiler, node, "has too many properties");
    }
    shape->properties = take(compiler, count_max, sizeof shape->properties[0]);
    if (shape->properties == NULL) {
        return fail_full(compiler);
    }
    enum rwd_status status = RWD_OK;
    if (additional != NULL) {
        status = compile_shape(compiler, additional, &shape->additional);
    }
    if (status == RWD_OK && properties != NULL) {
        status = read_properties(compiler, properties, shape);
    }
    if (status == RWD_OK && required != NULL) {
        status = read_required(compiler, required, shape);
    }
    return status == RWD_OK ? build_slots(compiler, shape) : status;
}

/* Which types need a look past the type itself. */
static unsigned checked_types(const struct rwd_schema_shape *shape)
{
    unsigned checked = 0;
    if (shape->values != NULL || shape->also != NULL) {
        return RWD_SCHEMA_ALL_TYPES;
    }
    if (shape->whole || isfinite(shape->minimum) || isfinite(shape->maximum) ||
        isfinite(shape->exclusive_minimum) || isfinite(shape->exclusive_maximum)) {
        checked |= 1U << RWD_JSON_NUMBER;
    }
    if (shape->length_min > 0 || shape->length_max < UINT32_MAX || shape->format != 0) {
        checked |= 1U << RWD_JSON_STRING;
    }
    if (shape->item_count_min > 0 || shape->item_count_max < UINT32_MAX || shape->items != NULL) {
        checked |= 1U << RWD_JSON_ARRAY;
    }
    if (shape->property_count > 0 || shape->additional != NULL) {
        checked |= 1U << RWD_JSON_OBJECT;
    }
    return checked;
}

static enum rwd_status read_keywords(struct compiler *compiler, const struct rwd_json_node *node,
    struct rwd_schema_shape *shape, bool *checks)
{
    const struct rwd_json_node *member = rwd_json_first(&compiler->json, node);
    for (; member != NULL; member = rwd_json_next(&compiler->json, node, member)) {
        const struct keyword *keyword = find_keyword(rwd_json_key(member));
        if (keyword == NULL) {
            return fail(compiler, member, "is no supported keyword");
        }
        if (keyword->top_only && node != &compiler->json.nodes[0]) {
            return fail(compiler, member, "is supported at the top only");
        }
        enum rwd_status status = keyword->read(compiler, member, shape);
        if (status != RWD_OK) {
            return status;
        }
        *checks = *checks || keyword->checks;
    }
    return RWD_OK;
}

static enum rwd_status compile_shape(struct compiler *compiler, const struct rwd_json_node *node,
    const struct rwd_schema_shape **result)
{
    if (node->type == RWD_JSON_TRUE || node->type == RWD_JSON_FALSE) {
        *result = node->type == RWD_JSON_TRUE ? &shape_anything : &shape_nothing;
        return RWD_OK;
    }
    if (node->type != RWD_JSON_OBJECT) {
        return fail(compiler, node, "a schema is an object or a boolean");
    }
    struct rwd_schema_shape *shape = take(compiler, 1, sizeof *shape);
    if (shape == NULL) {
        return fail_full(compiler);
    }
    *shape = (struct rwd_schema_shape){.types = RWD_SCHEMA_ALL_TYPES,
        .length_max = UINT32_MAX,
        .item_count_max = UINT32_MAX,
        .minimum = -INFINITY,
        .maximum = INFINITY,
        .exclusive_minimum = -INFINITY,
        .exclusive_maximum = INFINITY};
    bool checks = false;
    enum rwd_status status = read_keywords(compiler, node, shape, &checks);
    if (status == RWD_OK) {
        status = read_object_keywords(compiler, node, shape);
    }
    if (status != RWD_OK) {
        return status;
    }
    shape->checked = (uint8_t)checked_types(shape);
    /* A $ref that stands alone is the thing it points to. */
    *result = shape->also != NULL && !checks ? shape->also : shape;
    return RWD_OK;
}

static enum rwd_status compile_root(struct compiler *compiler, struct rwd_schema *schema)
{
    const struct rwd_json_node *root = &compiler->json.nodes[0];
    const struct rwd_json_node *list = rwd_json_member(&compiler->json, root, RWD_TEXT("$defs"));
    if (list != NULL && (list->type != RWD_JSON_OBJECT || list->size > DEFINITION_COUNT_MAX)) {
        return fail(compiler, list, "must be an object with at most 256 members");
    }
    compiler->definition_count = list != NULL ? list->size : 0;
    compiler->definitions =
        take(compiler, compiler->definition_count, sizeof compiler->definitions[0]);
    if (compiler->definitions == NULL) {
        return fail_full(compiler);
    }
    const struct rwd_json_node *node = rwd_json_first(&compiler->json, list);
    for (size_t i = 0; node != NULL; i++, node = rwd_json_next(&compiler->json, list, node)) {
        compiler->definitions[i].node = node;
    }
    /* All of them, also those that nothing refers to: a fault in one is found at once. */
    for (size_t i = 0; i < compiler->definition_count; i++) {
        struct definition *definition = &compiler->definitions[i];
        enum rwd_status status = compile_definition(compiler, definition, definition->node);
        if (status != RWD_OK) {
            return status;
        }
    }
    return compile_shape(compiler, root, &schema->root);
}

enum rwd_status rwd_schema_compile(
    struct rwd_text text, const char *name, struct rwd_schema **result, struct rwd_error *error)
{
    struct rwd_schema *schema = rwd_new(sizeof *schema);
    rwd_arena_init(&schema->arena, ARENA_CHUNK_SIZE, ARENA_SIZE_MAX);
    struct compiler compiler = {.arena = &schema->arena, .name = name, .error = error};
    struct rwd_json_fault fault = {0};
    size_t consumed = 0;
    enum rwd_status status;
    if (text.size > schema_limits.size_max) {
        status = rwd_fail(error, RWD_INVALID, "%s: is larger than 1 MiB", name);
        goto finish;
    }
    struct rwd_text kept = {
        .data = rwd_arena_copy(&schema->arena, text.data, text.size), .size = text.size};
    if (kept.data == NULL) {
        status = fail_full(&compiler);
        goto finish;
    }
    status = rwd_json_scan(kept, &schema_limits, &schema->arena, &compiler.json, &consumed, &fault);
    if (status != RWD_OK) {
        status = rwd_fail(error, RWD_INVALID, "%s: byte %zu: %s", name, fault.offset, fault.detail);
    } else if (consumed != kept.size) {
        status = rwd_fail(
            error, RWD_INVALID, "%s: byte %zu: something behind the schema", name, consumed);
    } else {
        status = compile_root(&compiler, schema);
    }
finish:
    if (status != RWD_OK) {
        rwd_schema_destroy(schema);
        schema = NULL;
    }
    *result = schema;
    return status;
}

void rwd_schema_destroy(struct rwd_schema *schema)
{
    if (schema != NULL) {
        rwd_arena_finish(&schema->arena);
        rwd_free(schema);
    }
}
