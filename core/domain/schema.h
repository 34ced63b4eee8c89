/*
 * schema: JSON Schema (2020-12) files compiled to a flat checker, and their registry.
 *
 * One file is one version of one event: <dir>/<event_name>/<major.minor.patch>.json; it describes
 * the whole event. Supported: type, required, properties, enum, const, minimum, maximum,
 * exclusiveMinimum, exclusiveMaximum, minLength, maxLength (in code points), minItems, maxItems,
 * format (date-time, uuid, ipv4; and "amount", ours, a decimal string from 0 on: to other tools an
 * annotation), items, additionalProperties (boolean or schema), $ref to
 * "#/$defs/...", plus the annotations $schema, $id, $defs, $comment, title, description, examples,
 * default. Any other keyword is a load error with file and JSON pointer: a keyword that is ignored
 * is a check that somebody believes in. A schema may not contain itself by $ref. date-time is what
 * base/clock reads: from 1970 on. Numbers are compared as doubles.
 *
 * Threads:   a registry is built by one thread and read by many; it never changes once built.
 * Ownership: create/destroy; lookups are borrowed until destroy.
 */
#ifndef RWD_DOMAIN_SCHEMA_H
#define RWD_DOMAIN_SCHEMA_H

#include "domain/event.h"

struct rwd_schema;
struct rwd_schema_registry;

/* Loads every file under dir. INVALID with the file and the pointer in error: bad JSON, unsupported
 * keyword, bad name, or a minor or patch version that plainly refuses what an earlier one of its
 * major accepts (a new required property, a type, enum or bound that got narrower,
 * additionalProperties closed). UNAVAILABLE: dir or a file in it cannot be read. Dot files are left
 * out; whatever else does not belong there is an error. */
RWD_MUST_USE enum rwd_status rwd_schema_registry_load(
    const char *dir, struct rwd_schema_registry **registry, struct rwd_error *error);
void rwd_schema_registry_destroy(struct rwd_schema_registry *registry);
size_t rwd_schema_registry_count(const struct rwd_schema_registry *registry);

/* NULL: not registered. *name_known tells an unknown version from an unknown name. */
const struct rwd_schema *rwd_schema_find(const struct rwd_schema_registry *registry,
    struct rwd_text event_name, struct rwd_text version, bool *name_known);

/* Checks the document. INVALID with *problem (type "schema", pointer, what would be right). */
RWD_MUST_USE enum rwd_status rwd_schema_check(
    const struct rwd_schema *schema, const struct rwd_json *json, struct rwd_problem *problem);

/* One schema from text, for tests and the registry; name is used in errors. */
RWD_MUST_USE enum rwd_status rwd_schema_compile(
    struct rwd_text text, const char *name, struct rwd_schema **schema, struct rwd_error *error);
void rwd_schema_destroy(struct rwd_schema *schema);

#endif
