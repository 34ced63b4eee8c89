/*
 * fields: reads a table of the DSL strictly - known keys only, each of its type and within its
 * bounds - and says where in the file it is wrong.
 *
 * A Lua table does not remember the line of a field. A constructor is a call, so its own line is
 * right; inside rule{...} the line is found by looking for "key =" in the source, past comments and
 * strings.
 *
 * Everything here may raise a Lua error. Texts are borrowed from the table.
 */
#ifndef RWD_SCRIPT_FIELDS_H
#define RWD_SCRIPT_FIELDS_H

#include "script/vm.h"

struct rwd_fields {
    lua_State *L;
    int table;               /* absolute index */
    const char *path;        /* "caps", for messages; "" at the top */
    struct rwd_text source;  /* data NULL: errors name the line of the running call */
    size_t offset;           /* where in source this table begins */
    const char *const *keys; /* known ones, ends with NULL */
};

/* Checks that the value at index is a table with no keys but these (keys NULL: any text). */
struct rwd_fields rwd_fields_open(
    lua_State *L, int index, const char *path, const char *const *keys);
/* The same for the table under key of parent, which is pushed and stays on the stack; false, with
 * nothing pushed: there is none. */
bool rwd_fields_enter(const struct rwd_fields *parent, const char *key, const char *const *keys,
    struct rwd_fields *fields);
/* After source and offset are set: raises on a key that is not known. */
void rwd_fields_check(const struct rwd_fields *fields);

__attribute__((noreturn)) void rwd_fields_fail(
    const struct rwd_fields *fields, const char *key, const char *format, ...) RWD_PRINTF(3, 4);

/* False: not there. */
bool rwd_fields_text(
    const struct rwd_fields *fields, const char *key, size_t size_max, struct rwd_text *text);
bool rwd_fields_integer(
    const struct rwd_fields *fields, const char *key, int64_t least, int64_t most, int64_t *value);
bool rwd_fields_boolean(const struct rwd_fields *fields, const char *key, bool *value);
/* Copies a text into out of size; it must be there where required. */
void rwd_fields_copy(
    const struct rwd_fields *fields, const char *key, bool required, char *out, size_t size);
void rwd_fields_require(const struct rwd_fields *fields, const char *key);
/* A value alone or a list of them: each is on top of the stack when visit is called. 0: not
 * there. */
size_t rwd_fields_each(const struct rwd_fields *fields, const char *key, size_t count_max,
    void (*visit)(const struct rwd_fields *fields, const char *key, size_t i, void *context),
    void *context);

/* Where "key =" begins at or behind from; source.size where it does not. */
size_t rwd_source_find_key(struct rwd_text source, size_t from, struct rwd_text key);
/* Where name is called the first time at or behind from: "name {", "name(". */
size_t rwd_source_find_call(struct rwd_text source, size_t from, struct rwd_text name);
int rwd_source_line(struct rwd_text source, size_t offset);

#endif
