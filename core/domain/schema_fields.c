#include "domain/schema_fields.h"

#include "domain/schema_program.h"

/* The first part of a path; *rest is what follows it. */
static struct rwd_text first_part(struct rwd_text path, struct rwd_text *rest)
{
    size_t size = 0;
    while (size < path.size && path.data[size] != '.') {
        size++;
    }
    size_t skipped = size < path.size ? size + 1 : size;
    *rest = (struct rwd_text){.data = path.data + skipped, .size = path.size - skipped};
    return (struct rwd_text){.data = path.data, .size = size};
}

static const struct rwd_schema_shape *member(
    const struct rwd_schema_shape *shape, struct rwd_text name)
{
    for (; shape != NULL; shape = shape->also) {
        for (size_t i = 0; i < shape->property_count; i++) {
            if (rwd_text_equal(shape->properties[i].name, name)) {
                return shape->properties[i].shape;
            }
        }
    }
    return NULL;
}

static bool names_members(const struct rwd_schema_shape *shape)
{
    for (; shape != NULL; shape = shape->also) {
        if (shape->property_count > 0) {
            return true;
        }
    }
    return false;
}

static uint8_t types_of(const struct rwd_schema_shape *shape)
{
    uint8_t types = RWD_SCHEMA_ALL_TYPES;
    for (; shape != NULL; shape = shape->also) {
        types &= shape->types;
    }
    return types;
}

/* Follows path as far as members are declared; *whole: to its end. */
static const struct rwd_schema_shape *follow(
    const struct rwd_schema_shape *shape, struct rwd_text path, bool *whole)
{
    while (path.size > 0) {
        struct rwd_text rest;
        const struct rwd_schema_shape *next = member(shape, first_part(path, &rest));
        if (next == NULL) {
            *whole = false;
            return shape;
        }
        shape = next;
        path = rest;
    }
    *whole = true;
    return shape;
}

struct rwd_schema_field rwd_schema_field(
    const struct rwd_schema_registry *registry, struct rwd_text event_name, struct rwd_text path)
{
    struct rwd_schema_field field = {0};
    const struct rwd_schema *schema = NULL;
    for (size_t i = 0; (schema = rwd_schema__version(registry, event_name, i)) != NULL; i++) {
        bool whole = false;
        const struct rwd_schema_shape *shape = follow(schema->root, path, &whole);
        field.event_known = true;
        if (whole) {
            field.declared = true;
            field.types |= types_of(shape);
        }
        /* An object that one version leaves open may hold anything. */
        bool closed = whole || names_members(shape);
        field.closed = i == 0 ? closed : field.closed && closed;
    }
    return field;
}

size_t rwd_schema_members(const struct rwd_schema_registry *registry, struct rwd_text event_name,
    struct rwd_text path, struct rwd_text *names, size_t count_max)
{
    size_t count = 0;
    const struct rwd_schema *schema = NULL;
    for (size_t v = 0; (schema = rwd_schema__version(registry, event_name, v)) != NULL; v++) {
        bool whole = false;
        const struct rwd_schema_shape *shape = follow(schema->root, path, &whole);
        for (; whole && shape != NULL; shape = shape->also) {
            for (size_t i = 0; i < shape->property_count && count < count_max; i++) {
                names[count++] = shape->properties[i].name;
            }
        }
    }
    return count;
}
