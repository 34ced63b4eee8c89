/*
 * schema_compare: does a later version still accept what an earlier one of its major accepts?
 *
 * Told from the two schemas alone, place by place. Not proven: a new optional property with a type
 * refuses documents that had something else under that name, and is still what a minor version is
 * for. Everything that plainly takes something away is found.
 */
#include "domain/schema_program.h"

#include <stdio.h>
#include <string.h>

enum { STEP_COUNT_MAX = 100000, WHERE_SIZE_MAX = 160 };

struct comparison {
    char where[WHERE_SIZE_MAX]; /* of the place looked at; of the fault, once why is set */
    const char *why;            /* NULL: nothing found so far */
    unsigned step_count;
};

static void compare(struct comparison *comparison, const struct rwd_schema_shape *earlier,
    const struct rwd_schema_shape *next);

static void found(struct comparison *comparison, const char *why)
{
    if (comparison->why == NULL) {
        comparison->why = why;
    }
}

static void compare_at(struct comparison *comparison, const char *step, struct rwd_text name,
    const struct rwd_schema_shape *earlier, const struct rwd_schema_shape *next)
{
    static const struct rwd_schema_shape anything = {.types = RWD_SCHEMA_ALL_TYPES};
    if (next == NULL || comparison->why != NULL) {
        return;
    }
    size_t used = strlen(comparison->where);
    (void)snprintf(comparison->where + used, sizeof comparison->where - used, "%s%.*s", step,
        RWD_TEXT_ARGS(name));
    if (earlier == NULL || earlier->checked == 0) {
        /* Anything of its types was let through: bounds of the later one are new. */
        struct rwd_schema_shape open = anything;
        open.types = earlier != NULL ? earlier->types : anything.types;
        open.length_max = UINT32_MAX;
        open.item_count_max = UINT32_MAX;
        open.minimum = open.exclusive_minimum = -__builtin_inf();
        open.maximum = open.exclusive_maximum = __builtin_inf();
        compare(comparison, &open, next);
    } else {
        compare(comparison, earlier, next);
    }
    if (comparison->why == NULL) {
        comparison->where[used] = '\0';
    }
}

/* An earlier version that lists its values is compared by them alone. */
static void compare_values(struct comparison *comparison, const struct rwd_schema_shape *earlier,
    const struct rwd_schema_shape *next)
{
    for (size_t i = 0; i < earlier->value_count; i++) {
        const struct rwd_schema_value *value = &earlier->values[i];
        const struct rwd_json_node node = {
            .data = value->text.data, .size = (uint32_t)value->text.size, .type = value->type};
        if (rwd_schema__accepts(earlier, &node) && !rwd_schema__accepts(next, &node)) {
            found(comparison, "a value that was listed is refused");
            return;
        }
    }
}

/* Bounds count only where the earlier one let that type through at all. */
static void compare_bounds(struct comparison *comparison, const struct rwd_schema_shape *earlier,
    const struct rwd_schema_shape *next)
{
    if ((earlier->types & (1U << RWD_JSON_NUMBER)) != 0) {
        if (next->whole && !earlier->whole) {
            found(comparison, "number became integer");
        }
        /* x > 5 lies within x >= 5, so the one may become the other, but not back. */
        bool minimum =
            next->minimum > earlier->minimum && next->minimum > earlier->exclusive_minimum;
        bool maximum =
            next->maximum < earlier->maximum && next->maximum < earlier->exclusive_maximum;
        bool above = next->exclusive_minimum > earlier->exclusive_minimum &&
                     next->exclusive_minimum >= earlier->minimum;
        bool below = next->exclusive_maximum < earlier->exclusive_maximum &&
                     next->exclusive_maximum <= earlier->maximum;
        if (minimum || maximum || above || below) {
            found(comparison, "a bound got narrower");
        }
    }
    if ((earlier->types & (1U << RWD_JSON_STRING)) != 0) {
        if (next->length_min > earlier->length_min || next->length_max < earlier->length_max) {
            found(comparison, "a length got narrower");
        }
        if (next->format != RWD_SCHEMA_FORMAT_NONE && next->format != earlier->format) {
            found(comparison, "format is new or another");
        }
    }
    if ((earlier->types & (1U << RWD_JSON_ARRAY)) != 0) {
        if (next->item_count_min > earlier->item_count_min ||
            next->item_count_max < earlier->item_count_max) {
            found(comparison, "an item count got narrower");
        }
        compare_at(comparison, "/items", RWD_TEXT(""), earlier->items, next->items);
    }
}

static const struct rwd_schema_property *find(
    const struct rwd_schema_shape *shape, struct rwd_text name)
{
    for (size_t i = 0; i < shape->property_count; i++) {
        if (rwd_text_equal(shape->properties[i].name, name)) {
            return &shape->properties[i];
        }
    }
    return NULL;
}

static bool accepts_nothing(const struct rwd_schema_shape *shape)
{
    return shape != NULL && shape->types == 0;
}

static void compare_objects(struct comparison *comparison, const struct rwd_schema_shape *earlier,
    const struct rwd_schema_shape *next)
{
    for (size_t i = 0; i < next->property_count && comparison->why == NULL; i++) {
        const struct rwd_schema_property *property = &next->properties[i];
        const struct rwd_schema_property *before = find(earlier, property->name);
        if (property->required_bit != 0 && (before == NULL || before->required_bit == 0)) {
            (void)snprintf(comparison->where + strlen(comparison->where),
                sizeof comparison->where - strlen(comparison->where), "/properties/%.*s",
                RWD_TEXT_ARGS(property->name));
            found(comparison, "a property became required");
            return;
        }
        if (before != NULL) {
            compare_at(comparison, "/properties/", property->name, before->shape, property->shape);
        } else if (accepts_nothing(property->shape) && !accepts_nothing(earlier->additional)) {
            compare_at(comparison, "/properties/", property->name, NULL, property->shape);
        }
    }
    for (size_t i = 0; i < earlier->property_count && comparison->why == NULL; i++) {
        const struct rwd_schema_property *property = &earlier->properties[i];
        if (find(next, property->name) == NULL) {
            compare_at(
                comparison, "/properties/", property->name, property->shape, next->additional);
        }
    }
    compare_at(
        comparison, "/additionalProperties", RWD_TEXT(""), earlier->additional, next->additional);
}

static void compare(struct comparison *comparison, const struct rwd_schema_shape *earlier,
    const struct rwd_schema_shape *next)
{
    if (comparison->why != NULL || earlier == next || earlier->types == 0) {
        return;
    }
    if (++comparison->step_count > STEP_COUNT_MAX) {
        found(comparison, "the schemas are too large to be compared");
        return;
    }
    if (earlier->values != NULL) {
        compare_values(comparison, earlier, next);
        return;
    }
    if ((earlier->types & ~next->types) != 0) {
        found(comparison, next->types == 0 ? "is no longer allowed" : "a type was taken away");
        return;
    }
    if (next->checked == 0) {
        return;
    }
    if (next->values != NULL) {
        found(comparison, "enum or const is new");
    }
    compare_bounds(comparison, earlier, next);
    if ((earlier->types & (1U << RWD_JSON_OBJECT)) != 0) {
        compare_objects(comparison, earlier, next);
    }
    if (next->also != NULL) {
        compare_at(comparison, "/$ref", RWD_TEXT(""),
            earlier->also != NULL ? earlier->also : earlier, next->also);
    }
}

enum rwd_status rwd_schema__compare(const struct rwd_schema *earlier, const struct rwd_schema *next,
    const char *name, struct rwd_error *error)
{
    struct comparison comparison = {0};
    compare_at(&comparison, "", RWD_TEXT(""), earlier->root, next->root);
    if (comparison.why == NULL) {
        return RWD_OK;
    }
    return rwd_fail(error, RWD_INVALID,
        "%s: \"%s\": refuses what the version before it accepts (%s); that needs a new major", name,
        comparison.where, comparison.why);
}
