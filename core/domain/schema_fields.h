/*
 * schema_fields: what an event's schemas say of one field, for those who read rules rather than
 * events.
 *
 * All versions of the event count together: a rule that reads a field which any of them declares is
 * right.
 *
 * Threads: pure; the registry never changes.
 */
#ifndef RWD_DOMAIN_SCHEMA_FIELDS_H
#define RWD_DOMAIN_SCHEMA_FIELDS_H

#include "domain/schema.h"

struct rwd_schema_field {
    bool event_known; /* there is a schema of an event of that name */
    bool closed;      /* the object it should be a member of names its members */
    bool declared;
    uint8_t types; /* a bit for each enum rwd_json_type that any version lets through */
};

/* path: "payload.bet". */
struct rwd_schema_field rwd_schema_field(
    const struct rwd_schema_registry *registry, struct rwd_text event_name, struct rwd_text path);

/* The members that the object at path names ("" for the event itself), at most count_max; a name
 * that several versions have may come twice. */
size_t rwd_schema_members(const struct rwd_schema_registry *registry, struct rwd_text event_name,
    struct rwd_text path, struct rwd_text *names, size_t count_max);

/* The events that have schemas, by name; NULL past the last. */
const char *rwd_schema_event_at(const struct rwd_schema_registry *registry, size_t index);

#endif
