#include "backtest/book.h"

#include "base/memory.h"
#include "engine/formula_folder.h"
#include "engine/rule_folder.h"

#include <stdio.h>
#include <string.h>

enum { RULE_FILE_SIZE_MAX = 1 << 20 };

/* "there is no 3.0.0 of points_winmult in rules; there are 1.0.0, 2.0.0". */
static enum rwd_status unknown(const char *rules_dir, const char *rule_id, const char *version,
    const struct rwd_rule_file *files, size_t count, struct rwd_error *error)
{
    struct rwd_buffer known = {0};
    for (size_t i = 0; i < count; i++) {
        bool same_rule = strcmp(files[i].rule_id, rule_id) == 0;
        rwd_buffer_put_format(&known, "%s%s", same_rule && known.size > 0 ? ", " : "",
            same_rule ? files[i].version : "");
    }
    enum rwd_status status = RWD_OK;
    if (known.size > 0) {
        status =
            rwd_fail(error, RWD_NOT_FOUND, "%s has no version %s of the rule %s; there are: %s",
                rules_dir, version, rule_id, rwd_buffer_c_string(&known));
    } else {
        for (size_t i = 0; i < count; i++) {
            bool again = i > 0 && strcmp(files[i].rule_id, files[i - 1].rule_id) == 0;
            rwd_buffer_put_format(&known, "%s%s", !again && known.size > 0 ? ", " : "",
                again ? "" : files[i].rule_id);
        }
        status = rwd_fail(error, RWD_NOT_FOUND, "%s has no rule %s; there are: %s", rules_dir,
            rule_id, count > 0 ? rwd_buffer_c_string(&known) : "none");
    }
    rwd_buffer_finish(&known);
    return status;
}

static enum rwd_status load_rule(const struct rwd_rule_file *file,
    const struct rwd_formula_shelf *shelf, const struct rwd_sandbox_limits *limits,
    struct rwd_rule **rule, struct rwd_error *error)
{
    struct rwd_buffer source = {0};
    enum rwd_status status = rwd_rule_file_read(file->path, RULE_FILE_SIZE_MAX, &source, error);
    if (status == RWD_OK) {
        status =
            rwd_rule_load_with(rwd_buffer_text(&source), file->path, shelf, limits, rule, error);
    }
    rwd_buffer_finish(&source);
    if (status == RWD_OK &&
        (strcmp((*rule)->id, file->rule_id) != 0 || strcmp((*rule)->version, file->version) != 0)) {
        status = rwd_fail(error, RWD_SCRIPT, "%s: holds %s %s, so it belongs in %s/%s.lua",
            file->path, (*rule)->id, (*rule)->version, (*rule)->id, (*rule)->version);
        rwd_rule_destroy(*rule);
        *rule = NULL;
    }
    return status;
}

/* Which of the sorted files are in the book: of each rule the last, of the wanted one the wanted.
 * Formulas are in the rules that take them. */
static bool is_chosen(const struct rwd_rule_file *files, size_t count, size_t i,
    const char *rule_id, const char *version, bool alone)
{
    if (rwd_rule_kind_of(rwd_text_of(files[i].rule_id)) == RWD_KIND_FORMULA) {
        return false;
    }
    if (strcmp(files[i].rule_id, rule_id) == 0) {
        return strcmp(files[i].version, version) == 0;
    }
    return !alone && (i + 1 == count || strcmp(files[i].rule_id, files[i + 1].rule_id) != 0);
}

enum rwd_status rwd_backtest_book_load(const char *rules_dir, const char *rule_id,
    const char *version, bool alone, const struct rwd_sandbox_limits *limits,
    struct rwd_backtest_book *book, struct rwd_error *error)
{
    struct rwd_rule_file *files = NULL;
    size_t file_count = 0;
    *book = (struct rwd_backtest_book){0};
    if (rwd_rule_kind_of(rwd_text_of(rule_id)) != RWD_KIND_RULE) {
        return rwd_fail(error, RWD_INVALID,
            "%s is no rule: what it gives is seen in a rule that names it", rule_id);
    }
    enum rwd_status status = rwd_rule_folder_list(rules_dir, &files, &file_count, error);
    if (status != RWD_OK) {
        return status;
    }
    struct rwd_formula_folder folder;
    rwd_formula_folder_init(&folder, rules_dir, NULL);
    const struct rwd_formula_shelf shelf = rwd_formula_folder_shelf(&folder);
    struct rwd_shared_rule **shared = rwd_new((file_count + 1) * sizeof(struct rwd_shared_rule *));
    size_t count = 0;
    uint32_t rule_no = 0;
    bool found = false;
    for (size_t i = 0; status == RWD_OK && i < file_count; i++) {
        rule_no += i == 0 || strcmp(files[i].rule_id, files[i - 1].rule_id) != 0;
        if (!is_chosen(files, file_count, i, rule_id, version, alone)) {
            continue;
        }
        struct rwd_rule *rule = NULL;
        status = load_rule(&files[i], &shelf, limits, &rule, error);
        if (status == RWD_OK && rule != NULL) {
            rule->rule_no = rule_no;
            rule->version_no = (uint32_t)i + 1;
            found |= strcmp(rule->id, rule_id) == 0;
            shared[count++] = rwd_shared_rule_create(&rule);
        }
    }
    if (status == RWD_OK && !found) {
        status = unknown(rules_dir, rule_id, version, files, file_count, error);
    }
    if (status == RWD_OK) {
        book->rulebook = rwd_rulebook_create(1, shared, count);
        book->rule = rwd_rulebook_find(book->rulebook, rwd_text_of(rule_id));
    }
    for (size_t i = 0; i < count; i++) {
        rwd_shared_rule_release(shared[i]);
    }
    rwd_free(shared);
    rwd_formula_folder_finish(&folder);
    rwd_rule_files_free(files, file_count);
    return status;
}

void rwd_backtest_book_release(struct rwd_backtest_book *book)
{
    rwd_rulebook_release(book->rulebook);
    *book = (struct rwd_backtest_book){0};
}
