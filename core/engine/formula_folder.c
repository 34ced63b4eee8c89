#include "engine/formula_folder.h"

#include "engine/rule_folder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE_MAX = 4096, FILE_SIZE_MAX = 64 << 10 };

void rwd_formula_folder_init(
    struct rwd_formula_folder *folder, const char *rules_dir, const char *other_dir)
{
    *folder = (struct rwd_formula_folder){.dirs = {rules_dir, other_dir}};
}

void rwd_formula_folder_finish(struct rwd_formula_folder *folder)
{
    rwd_buffer_finish(&folder->source);
}

/* "1.0.0, 1.1.0": those of that id in a folder. */
static void put_versions(const char *dir, struct rwd_text id, struct rwd_buffer *out)
{
    struct rwd_rule_file *files = NULL;
    size_t count = 0;
    struct rwd_error error;
    if (rwd_rule_folder_list(dir, &files, &count, &error) != RWD_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (rwd_rule_kind_of(rwd_text_of(files[i].rule_id)) == RWD_KIND_FORMULA &&
            rwd_text_equal(id, rwd_rule_bare_id(files[i].rule_id))) {
            rwd_buffer_put_format(out, "%s%s", out->size > 0 ? ", " : "", files[i].version);
        }
    }
    rwd_rule_files_free(files, count);
}

static enum rwd_status find(void *context, struct rwd_text id, struct rwd_text version,
    struct rwd_text *source, struct rwd_error *error)
{
    struct rwd_formula_folder *folder = context;
    struct rwd_buffer known = {0};
    for (size_t i = 0; i < 2 && folder->dirs[i] != NULL; i++) {
        char path[PATH_SIZE_MAX];
        (void)snprintf(path, sizeof path, "%s/" RWD_FORMULA_ID_PREFIX "%.*s/%.*s.lua",
            folder->dirs[i], RWD_TEXT_ARGS(id), RWD_TEXT_ARGS(version));
        if (access(path, F_OK) == 0) {
            rwd_buffer_finish(&known);
            enum rwd_status status =
                rwd_rule_file_read(path, FILE_SIZE_MAX, &folder->source, error);
            *source = rwd_buffer_text(&folder->source);
            return status;
        }
        put_versions(folder->dirs[i], id, &known);
    }
    enum rwd_status status = rwd_formula_unknown(id, version, rwd_buffer_text(&known), error);
    rwd_buffer_finish(&known);
    return status;
}

struct rwd_formula_shelf rwd_formula_folder_shelf(struct rwd_formula_folder *folder)
{
    return (struct rwd_formula_shelf){.find = find, .context = folder};
}

enum rwd_status rwd_rule_load_beside(struct rwd_text source, const char *path,
    const char *other_dir, const struct rwd_sandbox_limits *limits, struct rwd_rule **rule,
    struct rwd_error *error)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_SIZE_MAX];
    struct rwd_formula_folder folder;
    (void)snprintf(dir, sizeof dir, "%.*s..", slash != NULL ? (int)(slash - path) + 1 : 0, path);
    rwd_formula_folder_init(&folder, dir, other_dir);
    const struct rwd_formula_shelf shelf = rwd_formula_folder_shelf(&folder);
    enum rwd_status status = rwd_rule_load_with(source, path, &shelf, limits, rule, error);
    rwd_formula_folder_finish(&folder);
    return status;
}
