#include "domain/schema.h"

#include "base/clock.h"
#include "domain/money.h"
#include "domain/schema_program.h"

#include <stdio.h>
#include <string.h>

enum fault_kind {
    FAULT_TYPE,
    FAULT_WHOLE,
    FAULT_BOUND,
    FAULT_LENGTH,
    FAULT_FORMAT,
    FAULT_ITEM_COUNT,
    FAULT_REQUIRED,
    FAULT_VALUE,
};

/* Written by the innermost step that fails, told in words at the end. */
struct check {
    const struct rwd_json *json;
    const struct rwd_schema_shape *shape;
    const struct rwd_json_node *node;
    struct rwd_text missing;
    enum fault_kind kind;
};

__attribute__((cold, noinline)) static bool refuse(struct check *check, enum fault_kind kind,
    const struct rwd_schema_shape *shape, const struct rwd_json_node *node)
{
    check->kind = kind;
    check->shape = shape;
    check->node = node;
    return false;
}

static bool is_hex(char character)
{
    return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'f') ||
           (character >= 'A' && character <= 'F');
}

/* RFC 9562, section 4: 8-4-4-4-12 hex digits. */
static bool is_uuid(struct rwd_text text)
{
    if (text.size != 36) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.data[i] != '-' : !is_hex(text.data[i])) {
            return false;
        }
    }
    return true;
}

/* Four numbers 0 to 255 without leading zeros, which some readers take for octal. */
static bool is_ipv4(struct rwd_text text)
{
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (at >= text.size || text.data[at++] != '.')) {
            return false;
        }
        size_t start = at;
        int value = 0;
        while (at < text.size && at - start < 3 && text.data[at] >= '0' && text.data[at] <= '9') {
            value = value * 10 + (text.data[at++] - '0');
        }
        if (at == start || value > 255 || (text.data[start] == '0' && at - start > 1)) {
            return false;
        }
    }
    return at == text.size;
}

static bool is_amount(struct rwd_text text)
{
    int64_t value;
    return text.size > 0 && text.data[0] != '-' && rwd_decimal_scaled(text, 0, &value) == RWD_OK;
}

static bool has_format(unsigned format, struct rwd_text text)
{
    int64_t time_ms;
    switch (format) {
    case RWD_SCHEMA_FORMAT_DATE_TIME:
        return rwd_time_parse(text, &time_ms);
    case RWD_SCHEMA_FORMAT_UUID:
        return is_uuid(text);
    case RWD_SCHEMA_FORMAT_IPV4:
        return is_ipv4(text);
    case RWD_SCHEMA_FORMAT_AMOUNT:
        return is_amount(text);
    default:
        return true;
    }
}

/* Code points never outnumber bytes and are never fewer than a quarter of them, so most lengths are
 * settled without counting. */
static bool has_length(const struct rwd_schema_shape *shape, const struct rwd_json_node *node)
{
    if (node->size <= shape->length_max && node->size / 4 >= shape->length_min) {
        return true;
    }
    uint32_t length = 0;
    for (uint32_t i = 0; i < node->size; i++) {
        length += ((unsigned char)node->data[i] & 0xc0) != 0x80;
    }
    return length >= shape->length_min && length <= shape->length_max;
}

static bool equals(const struct rwd_schema_value *value, const struct rwd_json_node *node)
{
    if (value->type != node->type) {
        return false;
    }
    if (node->type == RWD_JSON_STRING) {
        return rwd_text_equal(value->text, rwd_json_text(node));
    }
    /* As doubles, so that 1 is 1.0. */
    return node->type != RWD_JSON_NUMBER || value->number == rwd_json_number(node);
}

static bool has_value(const struct rwd_schema_shape *shape, const struct rwd_json_node *node)
{
    for (size_t i = 0; i < shape->value_count; i++) {
        if (equals(&shape->values[i], node)) {
            return true;
        }
    }
    return false;
}

static inline const struct rwd_schema_property *find_property(
    const struct rwd_schema_shape *shape, const struct rwd_json_node *member)
{
    unsigned next = shape->slots[member->key_hash & shape->slot_mask];
    while (next != 0) {
        const struct rwd_schema_property *property = &shape->properties[next - 1];
        if (property->key_hash == member->key_hash && property->name.size == member->key_size &&
            memcmp(property->name.data, member->key, member->key_size) == 0) {
            return property;
        }
        next = property->next;
    }
    return NULL;
}

static bool check_node(
    struct check *check, const struct rwd_schema_shape *shape, const struct rwd_json_node *node);

static bool check_number(
    struct check *check, const struct rwd_schema_shape *shape, const struct rwd_json_node *node)
{
    if (shape->whole && !rwd_json_is_whole(node)) {
        return refuse(check, FAULT_WHOLE, shape, node);
    }
    double value = rwd_json_number(node);
    if (value < shape->minimum || value > shape->maximum || value <= shape->exclusive_minimum ||
        value >= shape->exclusive_maximum) {
        return refuse(check, FAULT_BOUND, shape, node);
    }
    return true;
}

static bool check_string(
    struct check *check, const struct rwd_schema_shape *shape, const struct rwd_json_node *node)
{
    if (!has_length(shape, node)) {
        return refuse(check, FAULT_LENGTH, shape, node);
    }
    if (shape->format != RWD_SCHEMA_FORMAT_NONE &&
        !has_format(shape->format, rwd_json_text(node))) {
        return refuse(check, FAULT_FORMAT, shape, node);
    }
    return true;
}

static bool check_array(
    struct check *check, const struct rwd_schema_shape *shape, const struct rwd_json_node *node)
{
    if (node->size < shape->item_count_min || node->size > shape->item_count_max) {
        return refuse(check, FAULT_ITEM_COUNT, shape, node);
    }
    if (shape->items == NULL) {
        return true;
    }
    const struct rwd_json_node *item = node + 1;
    for (uint32_t i = 0; i < node->size; i++, item = &check->json->nodes[item->next]) {
        if (!check_node(check, shape->items, item)) {
            return false;
        }
    }
    return true;
}

static bool check_object(
    struct check *check, const struct rwd_schema_shape *shape, const struct rwd_json_node *node)
{
    uint64_t missing = shape->required;
    const struct rwd_json_node *member = node + 1;
    for (uint32_t i = 0; i < node->size; i++, member = &check->json->nodes[member->next]) {
        const struct rwd_schema_shape *expected = shape->additional;
        const struct rwd_schema_property *property = find_property(shape, member);
        if (property != NULL) {
            expected = property->shape;
            missing &= ~property->required_bit;
        }
        if (expected != NULL && !check_node(check, expected, member)) {
            return false;
        }
    }
    if (missing == 0) {
        return true;
    }
    for (size_t i = 0; i < shape->property_count; i++) {
        if ((shape->properties[i].required_bit & missing) != 0) {
            check->missing = shape->properties[i].name;
            break;
        }
    }
    return refuse(check, FAULT_REQUIRED, shape, node);
}

/* As deep as the schema at most, and a schema does not contain itself: recursion is bounded. */
static bool check_node(
    struct check *check, const struct rwd_schema_shape *shape, const struct rwd_json_node *node)
{
    unsigned bit = 1U << node->type;
    if ((shape->types & bit) == 0) {
        return refuse(check, FAULT_TYPE, shape, node);
    }
    if ((shape->checked & bit) == 0) {
        return true;
    }
    if (shape->also != NULL && !check_node(check, shape->also, node)) {
        return false;
    }
    if (shape->values != NULL && !has_value(shape, node)) {
        return refuse(check, FAULT_VALUE, shape, node);
    }
    switch (node->type) {
    case RWD_JSON_NUMBER:
        return check_number(check, shape, node);
    case RWD_JSON_STRING:
        return check_string(check, shape, node);
    case RWD_JSON_ARRAY:
        return check_array(check, shape, node);
    case RWD_JSON_OBJECT:
        return check_object(check, shape, node);
    default:
        return true;
    }
}

bool rwd_schema__accepts(const struct rwd_schema_shape *shape, const struct rwd_json_node *node)
{
    struct check check = {0};
    return check_node(&check, shape, node);
}

/* Appends as far as there is room. */
static void put(char *out, size_t out_size, const char *text)
{
    size_t used = strlen(out);
    (void)snprintf(out + used, out_size - used, "%s", text);
}

static const char *type_name(unsigned type)
{
    static const char *const names[] = {
        "null", "boolean", "boolean", "a number", "a string", "an array", "an object"};
    return names[type];
}

static void describe_types(unsigned types, bool whole, char *out, size_t out_size)
{
    put(out, out_size, "must be ");
    const char *between = "";
    for (unsigned type = 0; type <= RWD_JSON_OBJECT; type++) {
        if ((types & (1U << type)) == 0 || (type == RWD_JSON_TRUE && (types & (1U << 1)) != 0)) {
            continue;
        }
        put(out, out_size, between);
        put(out, out_size, type == RWD_JSON_NUMBER && whole ? "an integer" : type_name(type));
        between = " or ";
    }
}

static void describe_bounds(const struct rwd_schema_shape *shape, char *out, size_t out_size)
{
    const struct {
        const char *words;
        double bound;
    } bounds[] = {{"at least ", shape->minimum}, {"above ", shape->exclusive_minimum},
        {"at most ", shape->maximum}, {"below ", shape->exclusive_maximum}};
    put(out, out_size, "must be ");
    const char *between = "";
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        if (bounds[i].bound - bounds[i].bound == 0) { /* finite: given */
            char number[40];
            (void)snprintf(number, sizeof number, "%.15g", bounds[i].bound);
            put(out, out_size, between);
            put(out, out_size, bounds[i].words);
            put(out, out_size, number);
            between = " and ";
        }
    }
}

static void describe_values(const struct rwd_schema_shape *shape, char *out, size_t out_size)
{
    put(out, out_size, shape->value_count == 1 ? "must be " : "must be one of ");
    for (size_t i = 0; i < shape->value_count; i++) {
        static const char *const words[] = {"null", "false", "true"};
        const struct rwd_schema_value *value = &shape->values[i];
        char text[RWD_PROBLEM_DETAIL_SIZE_MAX];
        if (value->type == RWD_JSON_STRING) {
            (void)snprintf(text, sizeof text, "\"%.*s\"", RWD_TEXT_ARGS(value->text));
        } else if (value->type == RWD_JSON_NUMBER) {
            (void)snprintf(text, sizeof text, "%.15g", value->number);
        } else {
            (void)snprintf(text, sizeof text, "%s", words[value->type]);
        }
        put(out, out_size, i > 0 ? ", " : "");
        put(out, out_size, text);
    }
}

static void describe_range(const char *what, uint32_t min, uint32_t max, char *out, size_t out_size)
{
    if (max == UINT32_MAX) {
        (void)snprintf(out, out_size, "must have at least %u %s", min, what);
    } else {
        (void)snprintf(out, out_size, "must have %u to %u %s", min, max, what);
    }
}

static void describe(const struct check *check, char *out, size_t out_size)
{
    const struct rwd_schema_shape *shape = check->shape;
    out[0] = '\0';
    switch (check->kind) {
    case FAULT_TYPE:
        if (shape->types == 0) {
            put(out, out_size, "is not allowed here");
            return;
        }
        describe_types(shape->types, shape->whole, out, out_size);
        put(out, out_size, ", is ");
        put(out, out_size, type_name(check->node->type));
        return;
    case FAULT_WHOLE:
        put(out, out_size, "must be an integer");
        return;
    case FAULT_BOUND:
        describe_bounds(shape, out, out_size);
        return;
    case FAULT_LENGTH:
        describe_range("characters", shape->length_min, shape->length_max, out, out_size);
        return;
    case FAULT_ITEM_COUNT:
        describe_range("items", shape->item_count_min, shape->item_count_max, out, out_size);
        return;
    case FAULT_FORMAT:
        (void)snprintf(
            out, out_size, "must have the format %s", rwd_schema__format_name(shape->format));
        return;
    case FAULT_REQUIRED:
        put(out, out_size, "is required");
        return;
    case FAULT_VALUE:
        describe_values(shape, out, out_size);
        return;
    }
}

enum rwd_status rwd_schema_check(
    const struct rwd_schema *schema, const struct rwd_json *json, struct rwd_problem *problem)
{
    struct check check = {.json = json};
    if (check_node(&check, schema->root, &json->nodes[0])) {
        return RWD_OK;
    }
    char detail[RWD_PROBLEM_DETAIL_SIZE_MAX];
    describe(&check, detail, sizeof detail);
    rwd_problem_set(problem, "schema", "", "%s", detail);
    rwd_schema__pointer(json, check.node, check.kind == FAULT_REQUIRED ? &check.missing : NULL,
        problem->pointer, sizeof problem->pointer);
    return RWD_INVALID;
}

/* One step of a JSON pointer (RFC 6901: ~0 for ~, ~1 for /); false: it does not fit. A control
 * character becomes ?, so that the pointer stays one line of text. */
static bool put_step(char *out, size_t out_size, size_t *used, struct rwd_text name)
{
    size_t at = *used;
    if (at + 2 > out_size) {
        return false;
    }
    out[at++] = '/';
    for (size_t i = 0; i < name.size; i++) {
        char character = name.data[i];
        bool escaped = character == '~' || character == '/';
        if (at + 1 + escaped >= out_size) {
            out[*used] = '\0';
            return false;
        }
        if (escaped) {
            out[at++] = '~';
            character = character == '~' ? '0' : '1';
        }
        out[at++] = (unsigned char)character < ' ' ? '?' : character;
    }
    out[at] = '\0';
    *used = at;
    return true;
}

void rwd_schema__pointer(const struct rwd_json *json, const struct rwd_json_node *node,
    const struct rwd_text *member, char *out, size_t out_size)
{
    uint32_t target = (uint32_t)(node - json->nodes);
    const struct rwd_json_node *around = &json->nodes[0];
    size_t used = 0;
    out[0] = '\0';
    while (around != node) {
        const struct rwd_json_node *child = around + 1;
        unsigned position = 0;
        for (; child->next <= target; child = &json->nodes[child->next]) {
            position++;
        }
        char digits[16];
        (void)snprintf(digits, sizeof digits, "%u", position);
        bool in_object = around->type == RWD_JSON_OBJECT;
        if (!put_step(
                out, out_size, &used, in_object ? rwd_json_key(child) : rwd_text_of(digits))) {
            return;
        }
        around = child;
    }
    if (member != NULL) {
        (void)put_step(out, out_size, &used, *member);
    }
}
