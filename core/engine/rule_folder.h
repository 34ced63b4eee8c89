/*
 * rule_folder: finds rule files, <dir>/<id>/<version>.lua, and tells when the folder changes.
 *
 * What rules name are files too: <dir>/formulas/<id>/<version>.lua of rule id "formulas/<id>", and
 * <dir>/experiments/<key>/<version>.lua. They come first. schemas/, dot files and *_test.lua are
 * passed over.
 */
#ifndef RWD_ENGINE_RULE_FOLDER_H
#define RWD_ENGINE_RULE_FOLDER_H

#include "domain/rule.h"

struct rwd_rule_file {
    char *path;      /* to open */
    char *test_path; /* of <version>_test.lua; NULL: there is none */
    char rule_id[RWD_RULE_ID_SIZE_MAX];
    char version[RWD_RULE_VERSION_SIZE_MAX];
};

/* By kind, rule id, then version as numbers, ascending. UNAVAILABLE: dir cannot be read. */
RWD_MUST_USE enum rwd_status rwd_rule_folder_list(
    const char *dir, struct rwd_rule_file **files, size_t *count, struct rwd_error *error);
void rwd_rule_files_free(struct rwd_rule_file *files, size_t count);

/* "1.10.0" after "1.9.0". */
int rwd_rule_version_compare(const char *a, const char *b);

/* At most size_max bytes of a path of the listing; never waits. LIMIT: more. INVALID: a folder,
 * FIFO or device. DENIED: a link that leads out of dir (links inside it are followed: a deployment
 * may switch whole folders by one). UNAVAILABLE: whatever else keeps it from being read. All with
 * the path in error. */
RWD_MUST_USE enum rwd_status rwd_rule_file_read(
    const char *path, size_t size_max, struct rwd_buffer *bytes, struct rwd_error *error);

/* An inotify descriptor on dir and its folders; -1 with the reason in the log: it is not watched.
 */
int rwd_rule_folder_watch(const char *dir);
/* Reads what happened and watches folders that are new. */
void rwd_rule_folder_changed(int fd, const char *dir);

#endif
