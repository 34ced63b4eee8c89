#include "ctl/rule_files.h"

#include "base/memory.h"
#include "decide/order_check.h"
#include "engine/formula_folder.h"
#include "runtime/thread.h"
#include "script/lint.h"
#include "script/sandbox.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RULE_FILE_SIZE_MAX = 1 << 20, PATH_SIZE_MAX = 4096 };

struct check {
    char *path;
    bool verbose;
    bool whole_folder; /* path is a rules folder */
    struct rwd_sandbox_limits limits;
    const struct rwd_config *config;
    struct rwd_schema_registry *schemas; /* NULL: there are none */
    bool covers;
    unsigned threshold; /* per cent of a file's lines that have code */
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

/* "file:3: what" -> "file:3:5: what": loading knows lines, and a line's column is where it begins.
 */
static void fail_with_column(
    struct check *check, const char *path, struct rwd_text source, const struct rwd_error *error)
{
    /* Lua shortens long names at their beginning. */
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *place = strstr(error->text, name);
    char *end = NULL;
    bool has_line = place != NULL && place[strlen(name)] == ':';
    long line = has_line ? strtol(place + strlen(name) + 1, &end, 10) : 0;
    if (line < 1 || *end != ':') {
        fail(check, error->text);
        return;
    }
    check->failed_count++;
    (void)printf("%s:%ld:%d%s\n", path, line, rwd_lint_column(source, (int)line), end);
}

static void lint_rule(struct check *check, const struct rwd_rule *rule, const char *path)
{
    struct rwd_lint_finding findings[RWD_LINT_COUNT_MAX];
    size_t count = check->schemas == NULL ? 0
                                          : rwd_lint_rule(rule, check->schemas,
                                                check->config->schemas_allow_unknown, findings);
    for (size_t i = 0; i < count; i++) {
        check->failed_count++;
        (void)printf(
            "%s:%d:%d: %s\n", path, findings[i].line, findings[i].column, findings[i].text);
    }
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

static void tell_case(struct check *check, const char *name, bool passed, struct rwd_text report)
{
    check->passed_count += passed;
    check->failed_count += !passed;
    if (!passed) {
        (void)printf("  FAILED: %s\n%.*s", name, RWD_TEXT_ARGS(report));
    } else if (check->verbose) {
        (void)printf("  ok: %s\n", name);
    }
}

/* One at a time, so that each can be told of by name. */
static void run_case(struct check *check, const struct rwd_rule *rule,
    struct rwd_rule_test_case *test_case, struct rwd_coverage *coverage)
{
    const struct rwd_rule_tests one = {.cases = test_case, .case_count = 1};
    struct rwd_buffer report = {0};
    size_t failed = 0;
    enum rwd_status status = rwd_rule_test_cover(rule, &one, coverage, &report, &failed);
    tell_case(check, test_case->name, status == RWD_OK && failed == 0, rwd_buffer_text(&report));
    rwd_buffer_finish(&report);
}

static void tell_formula_case(void *context, const char *name, bool passed, const char *what)
{
    struct rwd_buffer report = {0};
    rwd_buffer_put_format(&report, "%s\n", what);
    tell_case(context, name, passed, rwd_buffer_text(&report));
    rwd_buffer_finish(&report);
}

static void check_order(
    struct check *check, const struct rwd_rule *rule, const struct rwd_rule_tests *tests)
{
    struct rwd_error error;
    if (rwd_order_check(rule, tests, &error) != RWD_OK) {
        fail(check, error.text);
    }
}

static void run_rule_tests(struct check *check, const struct rwd_rule *rule, struct rwd_text source,
    const char *name, struct rwd_coverage *coverage)
{
    struct rwd_error error;
    struct rwd_rule_tests *tests = NULL;
    if (rwd_rule_tests_load(source, name, &check->limits, &tests, &error) != RWD_OK) {
        fail_with_column(check, name, source, &error);
        return;
    }
    for (size_t i = 0; i < tests->case_count; i++) {
        run_case(check, rule, &tests->cases[i], coverage);
    }
    check_order(check, rule, tests);
    rwd_rule_tests_destroy(tests);
}

/* source: data NULL, there are none. */
static void run_formula_tests(struct check *check, const struct rwd_rule *formula,
    struct rwd_text source, const char *name, struct rwd_coverage *coverage)
{
    struct rwd_error error;
    struct rwd_sandbox_limits limits = check->limits;
    limits.coverage = source.data != NULL ? coverage : NULL; /* samples are no tests */
    if (rwd_formula_test(formula, source, name, &limits, tell_formula_case, check, &error) !=
        RWD_OK) {
        fail(check, error.text);
    }
}

static void run_tests(struct check *check, const struct rwd_rule *rule, const char *path,
    struct rwd_coverage *coverage)
{
    bool is_formula = rwd_rule_kind_of(rwd_text_of(rule->id)) == RWD_KIND_FORMULA;
    struct rwd_buffer test_path = {0};
    struct rwd_buffer source = {0};
    struct rwd_error error = {0};
    put_test_path(&test_path, path);
    const char *name = rwd_buffer_c_string(&test_path);
    enum rwd_status status = read_file(name, &source, &error);
    bool has_tests = status != RWD_NOT_FOUND;
    rwd_buffer_reserve(&source, 1); /* an empty file is no missing one */
    struct rwd_text text = has_tests ? rwd_buffer_text(&source) : (struct rwd_text){0};
    if (!has_tests) {
        (void)printf("%s: no tests; write them in %s\n", path, name);
    }
    if (has_tests && status != RWD_OK) {
        fail(check, error.text);
    } else if (is_formula) {
        run_formula_tests(check, rule, text, name, coverage);
    } else if (has_tests) {
        run_rule_tests(check, rule, text, name, coverage);
    } else {
        check_order(check, rule, NULL);
    }
    rwd_buffer_finish(&source);
    rwd_buffer_finish(&test_path);
}

/* "  lines 4, 9-12 never ran" and the part that did. */
static void tell_coverage(struct check *check, const char *path, struct rwd_coverage *coverage)
{
    static const uint8_t whole = RWD_COVERAGE_CODE | RWD_COVERAGE_RAN;
    struct rwd_buffer missed = {0};
    unsigned code_count = 0;
    unsigned ran_count = 0;
    for (int line = 1; line <= RWD_COVERAGE_LINE_COUNT_MAX; line++) {
        if ((coverage->lines[line] & RWD_COVERAGE_CODE) == 0) {
            continue;
        }
        code_count++;
        ran_count += coverage->lines[line] == whole;
        if (coverage->lines[line] == whole) {
            continue;
        }
        int first = line;
        while (
            line < RWD_COVERAGE_LINE_COUNT_MAX && coverage->lines[line + 1] == RWD_COVERAGE_CODE) {
            line++;
            code_count++;
        }
        rwd_buffer_put_format(&missed, missed.size > 0 ? ", %d" : "%d", first);
        if (line > first) {
            rwd_buffer_put_format(&missed, "-%d", line);
        }
    }
    /* Rounded down: nearly all is not all. */
    unsigned percent = code_count > 0 ? ran_count * 100 / code_count : 0;
    (void)printf("%s: tests ran %u of %u lines, %u %%%s%s\n", path, ran_count, code_count, percent,
        missed.size > 0 ? "; never: " : "", missed.size > 0 ? rwd_buffer_c_string(&missed) : "");
    if (percent < check->threshold) {
        check->failed_count++;
        (void)printf(
            "%s: %u %% is below the threshold of %u %%\n", path, percent, check->threshold);
    }
    rwd_buffer_finish(&missed);
}

/* What loading alone runs, so that a file without tests has lines to miss. */
static void load_covered(
    struct check *check, const struct rwd_rule *rule, struct rwd_coverage *coverage)
{
    const struct rwd_formula_shelf shelf = rwd_formula_shelf_of(rule);
    struct rwd_sandbox_limits limits = check->limits;
    struct rwd_rule *again = NULL;
    struct rwd_error error;
    limits.coverage = coverage;
    if (rwd_rule_load_with((struct rwd_text){.data = rule->source, .size = rule->source_size},
            rule->source_name, &shelf, &limits, &again, &error) != RWD_OK) {
        fail(check, error.text);
    }
    rwd_rule_destroy(again);
}

/* Only a whole folder can tell, or rules.dir: a file alone may belong to any. */
static bool lacks_experiment(const struct check *check, const struct rwd_rule *rule)
{
    const char *const dirs[] = {check->path, check->config->rules_dir};
    bool found = !check->whole_folder || rule->experiment[0] == '\0';
    for (size_t i = 0; !found && i < sizeof dirs / sizeof dirs[0]; i++) {
        char path[PATH_SIZE_MAX];
        (void)snprintf(
            path, sizeof path, "%s/" RWD_EXPERIMENT_ID_PREFIX "%s", dirs[i], rule->experiment);
        found = access(path, F_OK) == 0;
    }
    return !found;
}

static void check_rule(struct check *check, const char *path)
{
    struct rwd_buffer source = {0};
    struct rwd_error error = {0};
    struct rwd_rule *rule = NULL;
    check->rule_count++;
    if (read_file(path, &source, &error) != RWD_OK) {
        fail(check, error.text);
    } else if (rwd_rule_load_beside(rwd_buffer_text(&source), path, check->config->rules_dir,
                   &check->limits, &rule, &error) != RWD_OK) {
        fail_with_column(check, path, rwd_buffer_text(&source), &error);
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
        lint_rule(check, rule, path);
        struct rwd_coverage *coverage =
            check->covers && rule->declares == NULL ? rwd_new(sizeof *coverage) : NULL;
        if (coverage != NULL) {
            load_covered(check, rule, coverage);
        }
        if (rule->declares == NULL) {
            run_tests(check, rule, path, coverage);
        }
        if (coverage != NULL) {
            tell_coverage(check, path, coverage);
        }
        rwd_free(coverage);
    }
    rwd_rule_destroy(rule);
    rwd_buffer_finish(&source);
}

static bool is_rule_file(const char *name)
{
    return ends_with(name, ".lua") && !ends_with(name, "_test.lua") && name[0] != '.';
}

/* Schemas live beside the rules and are none; nor is what is hidden. */
static bool is_other_folder(const FTSENT *entry)
{
    return (entry->fts_level > 0 && entry->fts_name[0] == '.') ||
           (entry->fts_level == 1 && strcmp(entry->fts_name, "schemas") == 0);
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

/* Of engine.conf; else beside the rules; of a rule's file, two folders up; else of rules.dir. */
static void put_schemas_dir(const struct check *check, struct rwd_buffer *dir)
{
    const struct rwd_config *config = check->config;
    struct stat about;
    const char *slash = strrchr(check->path, '/');
    bool is_file = stat(check->path, &about) == 0 && !S_ISDIR(about.st_mode);
    if (config->schemas_dir[0] != '\0') {
        rwd_buffer_put_string(dir, config->schemas_dir);
        return;
    }
    if (is_file) {
        size_t size = slash != NULL ? (size_t)(slash - check->path) : 0;
        rwd_buffer_put(dir, check->path, size);
        rwd_buffer_put_string(dir, size > 0 ? "/../schemas" : "../schemas");
    } else {
        rwd_buffer_put_format(dir, "%s/schemas", check->path);
    }
    if (stat(rwd_buffer_c_string(dir), &about) != 0) {
        dir->size = 0;
        rwd_buffer_put_format(dir, "%s/schemas", config->rules_dir);
    }
}

static void load_schemas(struct check *check)
{
    struct rwd_buffer dir = {0};
    struct rwd_error error = {0};
    struct stat about;
    put_schemas_dir(check, &dir);
    const char *path = rwd_buffer_c_string(&dir);
    if (stat(path, &about) != 0) {
        (void)printf(
            "%s: there are no schemas, so what rules read of events is not checked\n", path);
    } else if (rwd_schema_registry_load(path, &check->schemas, &error) != RWD_OK) {
        fail(check, error.text);
    }
    rwd_buffer_finish(&dir);
}

static int check_files(
    struct rwd_ctl *ctl, const char *path, bool verbose, bool covers, unsigned threshold)
{
    const struct rwd_config *config = ctl->config;
    struct check check = {.covers = covers,
        .threshold = threshold,
        .path = rwd_copy(path, strlen(path)),
        .verbose = verbose,
        .config = config,
        .limits = {.instruction_count_max = (uint32_t)config->sandbox_instruction_count_max,
            .memory_size_max = (uint32_t)(config->sandbox_memory_size_max_mib << 20),
            .deadline_ms = (uint32_t)config->sandbox_deadline_ms,
            .deadline_hard_ms = (uint32_t)config->sandbox_deadline_hard_ms}};
    struct rwd_thread thread;
    struct rwd_error error = {0};
    load_schemas(&check);
    if (rwd_thread_start(&thread, "rules", RWD_SANDBOX_STACK_SIZE, run_check, &check, &error) !=
        RWD_OK) {
        rwd_schema_registry_destroy(check.schemas);
        rwd_free(check.path);
        return rwd_ctl_fail(RWD_CTL_FAILED, "%s", error.text);
    }
    rwd_thread_join(&thread);
    if (check.rule_count == 0 && check.failed_count == 0) {
        (void)printf("%s: there is no rule in it; rules are <id>/<version>.lua\n", check.path);
        check.failed_count++;
    }
    (void)printf("%zu passed, %zu failed\n", check.passed_count, check.failed_count);
    rwd_schema_registry_destroy(check.schemas);
    rwd_free(check.path);
    return check.failed_count > 0 ? RWD_CTL_FAILED : RWD_CTL_OK;
}

int rwd_rule_files_check(struct rwd_ctl *ctl, const char *path, bool verbose)
{
    return check_files(ctl, path, verbose, false, 0);
}

int rwd_rule_files_cover(struct rwd_ctl *ctl, const char *path, unsigned threshold)
{
    return check_files(ctl, path, true, true, threshold);
}
