#include "ctl/rule_files.h"

#include "base/memory.h"
#include "decide/rule_test.h"
#include "runtime/thread.h"
#include "script/sandbox.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RULE_FILE_SIZE_MAX = 1 << 20, PATH_SIZE_MAX = 4096 };

struct check {
    char *path;
    bool verbose;
    bool whole_folder; /* path is a rules folder */
    struct rwd_sandbox_limits limits;
    size_t passed_count;
    size_t failed_count;
    size_t rule_count;
};

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    size_t end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static enum rwd_status read_file(
    const char *path, struct rwd_buffer *source, struct rwd_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return rwd_fail(error, errno == ENOENT ? RWD_NOT_FOUND : RWD_UNAVAILABLE, "%s: %s", path,
            strerror(errno));
    }
    char bytes[16384];
    size_t size = 0;
    while ((size = fread(bytes, 1, sizeof bytes, file)) > 0 && source->size <= RULE_FILE_SIZE_MAX) {
        rwd_buffer_put(source, bytes, size);
    }
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed || source->size > RULE_FILE_SIZE_MAX) {
        return rwd_fail(error, failed ? RWD_UNAVAILABLE : RWD_LIMIT,
            failed ? "%s: cannot be read" : "%s: larger than a rule file may be (1 MiB)", path);
    }
    return RWD_OK;
}

static void fail(struct check *check, const char *text)
{
    check->failed_count++;
    (void)printf("%s\n", text);
}

/* The file's place names the version that it holds: <id>/<version>.lua. */
static bool is_at_its_place(const char *path, const struct rwd_rule *rule)
{
    struct rwd_buffer place = {0};
    rwd_buffer_put_format(&place, "%s/%s.lua", rule->id, rule->version);
    const char *wanted = rwd_buffer_c_string(&place);
    size_t size = strlen(path);
    bool is = ends_with(path, wanted) && (size == place.size || path[size - place.size - 1] == '/');
    rwd_buffer_finish(&place);
    return is;
}

/* "<version>.lua" -> "<version>_test.lua". */
static void put_test_path(struct rwd_buffer *out, const char *path)
{
    rwd_buffer_put(out, path, strlen(path) - strlen(".lua"));
    rwd_buffer_put_string(out, "_test.lua");
}

/* One at a time, so that each can be told of by name. */
static void run_case(
    struct check *check, const struct rwd_rule *rule, struct rwd_rule_test_case *test_case)
{
    const struct rwd_rule_tests one = {.cases = test_case, .case_count = 1};
    struct rwd_buffer report = {0};
    size_t failed = 0;
    enum rwd_status status = rwd_rule_test_run(rule, &one, &report, &failed);
    if (status == RWD_OK && failed == 0) {
        check->passed_count++;
        if (check->verbose) {
            (void)printf("  ok: %s\n", test_case->name);
        }
    } else {
        check->failed_count++;
        (void)printf("  FAILED: %s%s%s\n", test_case->name, status != RWD_OK ? ": " : "",
            status != RWD_OK ? rwd_status_name(status) : "");
        (void)fwrite(report.data, 1, report.size, stdout);
    }
    rwd_buffer_finish(&report);
}

static void run_tests(struct check *check, const struct rwd_rule *rule, const char *path)
{
    struct rwd_buffer test_path = {0};
    struct rwd_buffer source = {0};
    struct rwd_error error = {0};
    struct rwd_rule_tests *tests = NULL;
    put_test_path(&test_path, path);
    const char *name = rwd_buffer_c_string(&test_path);
    enum rwd_status status = read_file(name, &source, &error);
    if (status == RWD_NOT_FOUND) {
        (void)printf("%s: no tests; write them in %s\n", path, name);
        goto finish;
    }
    if (status == RWD_OK) {
        status =
            rwd_rule_tests_load(rwd_buffer_text(&source), name, &check->limits, &tests, &error);
    }
    if (status != RWD_OK) {
        fail(check, error.text);
        goto finish;
    }
    for (size_t i = 0; i < tests->case_count; i++) {
        run_case(check, rule, &tests->cases[i]);
    }
finish:
    rwd_rule_tests_destroy(tests);
    rwd_buffer_finish(&source);
    rwd_buffer_finish(&test_path);
}

/* Only a whole folder can tell: a file alone may belong to any. */
static bool lacks_experiment(const struct check *check, const struct rwd_rule *rule)
{
    char path[PATH_SIZE_MAX];
    (void)snprintf(path, sizeof path, "%s/experiments/%s", check->path, rule->experiment);
    return check->whole_folder && rule->experiment[0] != '\0' && access(path, F_OK) != 0;
}

static void check_rule(struct check *check, const char *path)
{
    struct rwd_buffer source = {0};
    struct rwd_error error = {0};
    struct rwd_rule *rule = NULL;
    check->rule_count++;
    if (read_file(path, &source, &error) != RWD_OK ||
        rwd_rule_load(rwd_buffer_text(&source), path, &check->limits, &rule, &error) != RWD_OK) {
        fail(check, error.text);
    } else if (!is_at_its_place(path, rule)) {
        (void)snprintf(error.text, sizeof error.text, "%s: holds %s %s, so it belongs in %s/%s.lua",
            path, rule->id, rule->version, rule->id, rule->version);
        fail(check, error.text);
    } else if (lacks_experiment(check, rule)) {
        (void)snprintf(error.text, sizeof error.text,
            "%s: there is no experiment '%s'; it belongs in experiments/%s/<version>.lua", path,
            rule->experiment, rule->experiment);
        fail(check, error.text);
    } else {
        check->passed_count++;
        if (check->verbose) {
            (void)printf("%s: loads\n", path);
        }
        if (rule->declares == NULL) {
            run_tests(check, rule, path);
        }
    }
    rwd_rule_destroy(rule);
    rwd_buffer_finish(&source);
}

static bool is_rule_file(const char *name)
{
    return ends_with(name, ".lua") && !ends_with(name, "_test.lua") && name[0] != '.';
}

/* Formulas and schemas live beside the rules and are none; nor is what is hidden. */
static bool is_other_folder(const FTSENT *entry)
{
    if (entry->fts_level > 0 && entry->fts_name[0] == '.') {
        return true;
    }
    static const char *const others[] = {"formulas", "schemas"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (entry->fts_level == 1 && strcmp(entry->fts_name, others[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void check_folder(struct check *check)
{
    char *const roots[] = {check->path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (walk == NULL) {
        fail(check, strerror(errno));
        return;
    }
    FTSENT *entry = NULL;
    while ((entry = fts_read(walk)) != NULL) {
        if (entry->fts_info == FTS_D && is_other_folder(entry)) {
            (void)fts_set(walk, entry, FTS_SKIP);
        } else if (entry->fts_info == FTS_F && is_rule_file(entry->fts_name)) {
            check_rule(check, entry->fts_path);
        } else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR) {
            (void)printf("%s: %s\n", entry->fts_path, strerror(entry->fts_errno));
            check->failed_count++;
        }
    }
    (void)fts_close(walk);
}

static void run_check(void *context)
{
    struct check *check = context;
    struct stat about;
    if (stat(check->path, &about) != 0) {
        (void)printf("%s: %s\n", check->path, strerror(errno));
        check->failed_count++;
    } else if (S_ISDIR(about.st_mode)) {
        check->whole_folder = true;
        check_folder(check);
    } else if (ends_with(check->path, "_test.lua")) {
        /* The rule that the test is of. */
        size_t size = strlen(check->path) - strlen("_test.lua");
        memcpy(check->path + size, ".lua", sizeof ".lua");
        check_rule(check, check->path);
    } else {
        check_rule(check, check->path);
    }
}

int rwd_rule_files_check(struct rwd_ctl *ctl, const char *path, bool verbose)
{
    const struct rwd_config *config = ctl->config;
    struct check check = {.path = rwd_copy(path, strlen(path)),
        .verbose = verbose,
        .limits = {.instruction_count_max = (uint32_t)config->sandbox_instruction_count_max,
            .memory_size_max = (uint32_t)(config->sandbox_memory_size_max_mib << 20),
            .deadline_ms = (uint32_t)config->sandbox_deadline_ms}};
    struct rwd_thread thread;
    struct rwd_error error = {0};
    if (rwd_thread_start(&thread, "rules", RWD_SANDBOX_STACK_SIZE, run_check, &check, &error) !=
        RWD_OK) {
        rwd_free(check.path);
        return rwd_ctl_fail(RWD_CTL_FAILED, "%s", error.text);
    }
    rwd_thread_join(&thread);
    if (check.rule_count == 0 && check.failed_count == 0) {
        (void)printf("%s: there is no rule in it; rules are <id>/<version>.lua\n", check.path);
        check.failed_count++;
    }
    (void)printf("%zu passed, %zu failed\n", check.passed_count, check.failed_count);
    rwd_free(check.path);
    return check.failed_count > 0 ? RWD_CTL_FAILED : RWD_CTL_OK;
}
