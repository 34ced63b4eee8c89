/*
 * migration: one step of the tables' shape, as a file of migrations/ carries it into the program.
 *
 * Versions run 1, 2, 3 ... without a gap; a step that has been applied anywhere never changes.
 */
#ifndef RWD_STORE_MIGRATION_H
#define RWD_STORE_MIGRATION_H

#include "base/text.h"

struct rwd_store__migration {
    int64_t version;
    const char *name;
    struct rwd_text sql;
};

struct rwd_store__migrations {
    const struct rwd_store__migration *items;
    size_t count;
};

extern const struct rwd_store__migrations rwd_store__sqlite_migrations;

#endif
