/*
 * formula_folder: the formulas of rules folders, for tools that read files: a shelf (formula.h)
 * that finds <dir>/formulas/<id>/<version>.lua.
 *
 * Threads:   one at a time.
 * Ownership: init and finish; the folders' names are borrowed.
 */
#ifndef RWD_ENGINE_FORMULA_FOLDER_H
#define RWD_ENGINE_FORMULA_FOLDER_H

#include "script/formula.h"

struct rwd_formula_folder {
    const char *dirs[2]; /* rules folders, the first that has it; the second may be NULL */
    struct rwd_buffer source;
};

void rwd_formula_folder_init(
    struct rwd_formula_folder *folder, const char *rules_dir, const char *other_dir);
void rwd_formula_folder_finish(struct rwd_formula_folder *folder);

/* A rule's file from disk: its formulas stand in the folder that its own folder is in, or else in
 * other_dir. As rwd_rule_load_with. */
RWD_MUST_USE enum rwd_status rwd_rule_load_beside(struct rwd_text source, const char *path,
    const char *other_dir, const struct rwd_sandbox_limits *limits, struct rwd_rule **rule,
    struct rwd_error *error);

/* NOT_FOUND names the versions that there are; UNAVAILABLE and so on as rwd_rule_file_read. */
struct rwd_formula_shelf rwd_formula_folder_shelf(struct rwd_formula_folder *folder);

#endif
