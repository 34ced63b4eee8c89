#include "engine/keeper_intake.h"

#include "base/check.h"
#include "decide/order_check.h"
#include "engine/shard_inputs.h"

#include <string.h>

enum rwd_status rwd_keeper_check_house(
    const struct rwd_keeper_options *options, const struct rwd_rule *rule, struct rwd_error *error)
{
    uint32_t pool_no =
        rule->budget[0] != '\0' ? rwd_pools_find(options->pools, rwd_text_of(rule->budget)) : 0;
    if (rule->budget[0] != '\0' && pool_no == 0) {
        return rwd_fail(error, RWD_NOT_FOUND,
            "%s: there is no budget '%s'; add it to engine.conf or PUT /v1/budgets/%s",
            rule->source_name, rule->budget, rule->budget);
    }
    for (size_t i = 0; i < rule->milestone_count; i++) {
        struct rwd_reward reward = rule->milestones[i].reward;
        bool large = false;
        enum rwd_task_reason reason = rwd_gate_price(
            options->gates, rwd_pool_terms(options->pools, pool_no), &reward, &large);
        if (reason != RWD_REASON_NONE) {
            return rwd_fail(error, RWD_INVALID,
                "%s: the milestone at %llu cannot be paid from budget '%s': %s (a price is given "
                "in engine.conf: price \"%s\" { cost = \"0.10\" currency = \"EUR\" })",
                rule->source_name, (unsigned long long)rule->milestones[i].at, rule->budget,
                rwd_task_reason_name(reason), rwd_reward_kind_name(reward.kind));
        }
    }
    return RWD_OK;
}

/* What came of tests. */
struct outcome {
    struct rwd_buffer report;
    size_t failed;
};

static enum rwd_status judge(
    struct outcome *outcome, enum rwd_status status, struct rwd_error *error)
{
    if (outcome->failed > 0) {
        status = rwd_fail(error, RWD_SCRIPT, "%zu of its tests failed: %s", outcome->failed,
            rwd_buffer_c_string(&outcome->report));
    }
    rwd_buffer_finish(&outcome->report);
    return status;
}

static void note_case(void *context, const char *name, bool passed, const char *what)
{
    struct outcome *outcome = context;
    (void)name;
    if (!passed) {
        outcome->failed++;
        rwd_buffer_put_format(&outcome->report, "%s\n", what);
    }
}

static enum rwd_status test_formula(const struct rwd_rule *formula,
    const struct rwd_keeper_candidate *candidate, const struct rwd_sandbox_limits *limits,
    struct rwd_error *error)
{
    struct outcome outcome = {.failed = 0};
    struct rwd_text test = candidate->test_name != NULL ? candidate->test : (struct rwd_text){0};
    if (candidate->test_name != NULL && test.data == NULL) {
        test = RWD_TEXT(""); /* an empty file is no missing one */
    }
    enum rwd_status status =
        rwd_formula_test(formula, test, candidate->test_name, limits, note_case, &outcome, error);
    return judge(&outcome, status, error);
}

static enum rwd_status test_rule(const struct rwd_rule *rule,
    const struct rwd_keeper_candidate *candidate, const struct rwd_sandbox_limits *limits,
    struct rwd_error *error)
{
    struct outcome outcome = {.failed = 0};
    struct rwd_rule_tests *tests = NULL;
    enum rwd_status status =
        rwd_rule_tests_load(candidate->test, candidate->test_name, limits, &tests, error);
    if (status == RWD_OK) {
        status = rwd_rule_test_run(rule, tests, &outcome.report, &outcome.failed);
        if (status != RWD_OK) {
            (void)rwd_fail(error, status, "%s", rwd_buffer_c_string(&outcome.report));
        }
    }
    if (status == RWD_OK && outcome.failed == 0) {
        status = rwd_order_check(rule, tests, error);
    }
    rwd_rule_tests_destroy(tests);
    return judge(&outcome, status, error);
}

static enum rwd_status run_tests(const struct rwd_keeper_options *options,
    const struct rwd_rule *rule, const struct rwd_keeper_candidate *candidate,
    struct rwd_error *error)
{
    const struct rwd_sandbox_limits limits = rwd_engine__sandbox_limits(options->config);
    if (rwd_rule_kind_of(rwd_text_of(rule->id)) == RWD_KIND_FORMULA) {
        return test_formula(rule, candidate, &limits, error);
    }
    return candidate->test_name != NULL ? test_rule(rule, candidate, &limits, error)
                                        : rwd_order_check(rule, NULL, error);
}

static bool same_bytes(const struct rwd_keeper_version *version, struct rwd_text source)
{
    return version->source_size == source.size &&
           memcmp(version->source, source.data, source.size) == 0;
}

enum rwd_status rwd_keeper_examine(const struct rwd_keeper_options *options,
    const struct rwd_keeper_outlook *outlook, const struct rwd_keeper_candidate *candidate,
    struct rwd_rule **made, struct rwd_keeper_version **known, struct rwd_error *error)
{
    const struct rwd_sandbox_limits limits = rwd_engine__sandbox_limits(options->config);
    const struct rwd_formula_shelf shelf = rwd_keeper_shelf(outlook);
    const char *name = candidate->name;
    struct rwd_rule *rule = NULL;
    *made = NULL;
    *known = NULL;
    enum rwd_status status =
        rwd_rule_load_with(candidate->source, name, &shelf, &limits, &rule, error);
    if (status != RWD_OK) {
        return status;
    }
    if (candidate->rule_id != NULL && (strcmp(rule->id, candidate->rule_id) != 0 ||
                                          strcmp(rule->version, candidate->version) != 0)) {
        status = rwd_fail(error, RWD_INVALID,
            "%s: declares %s %s; the file's place says %s %s, and both must agree", name, rule->id,
            rule->version, candidate->rule_id, candidate->version);
    }
    if (status == RWD_OK) {
        *known = rwd_keeper_version_find(
            outlook->versions, rwd_text_of(rule->id), rwd_text_of(rule->version));
        if (*known != NULL && !same_bytes(*known, candidate->source)) {
            status = rwd_fail(error, RWD_CONFLICT,
                "%s: this version was registered with other bytes; a version never changes: give "
                "the file a new version",
                name);
        }
    }
    if (status == RWD_OK && *known == NULL &&
        rwd_directory_count(options->directory) + RWD_KEEPER_FILE_COUNT_MAX >=
            RWD_DIRECTORY_VERSION_COUNT_MAX) {
        status = rwd_fail(error, RWD_LIMIT, "%s: there are too many rule versions", name);
    }
    if (status == RWD_OK) {
        status = rwd_keeper_check_house(options, rule, error);
    }
    if (status == RWD_OK && *known == NULL) {
        status = run_tests(options, rule, candidate, error);
    }
    if (status != RWD_OK) {
        rwd_rule_destroy(rule);
        return status;
    }
    *made = rule;
    return RWD_OK;
}

struct rwd_keeper_version *rwd_keeper_register(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, struct rwd_rule **rule,
    const struct rwd_keeper_candidate *candidate)
{
    struct rwd_keeper_version *version = rwd_keeper_version_add(
        versions, rule, candidate->source, candidate->name, rwd_clock_wall_ms(&options->clock));
    enum rwd_status status = rwd_directory_add(options->directory, &version->names);
    RWD_REQUIRE(status == RWD_OK);
    return version;
}

enum rwd_status rwd_keeper_take_in(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, const struct rwd_keeper_candidate *candidate,
    struct rwd_keeper_version **version, bool *is_new, struct rwd_error *error)
{
    const struct rwd_keeper_outlook outlook = {.versions = versions};
    struct rwd_rule *rule = NULL;
    enum rwd_status status =
        rwd_keeper_examine(options, &outlook, candidate, &rule, version, error);
    bool known = status == RWD_OK && *version != NULL;
    if (status == RWD_OK && !known) {
        status = rwd_keeper_check_uses(&outlook, rule, error);
    }
    if (status == RWD_OK && !known) {
        status = rwd_keeper_check_group(&outlook, rule, error);
    }
    *is_new = status == RWD_OK && !known;
    if (*is_new) {
        *version = rwd_keeper_register(options, versions, &rule, candidate);
    }
    rwd_rule_destroy(rule);
    return status;
}

enum rwd_status rwd_keeper_take_in_file(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, const struct rwd_rule_file *file, struct rwd_error *error)
{
    struct rwd_buffer source = {0};
    struct rwd_buffer test = {0};
    enum rwd_status status =
        rwd_rule_file_read(file->path, RWD_KEEPER_SOURCE_SIZE_MAX, &source, error);
    struct rwd_keeper_version *version =
        rwd_keeper_version_find(versions, rwd_text_of(file->rule_id), rwd_text_of(file->version));
    bool is_known = version != NULL && same_bytes(version, rwd_buffer_text(&source));
    if (status == RWD_OK && !is_known && file->test_path != NULL) {
        status = rwd_rule_file_read(file->test_path, RWD_KEEPER_SOURCE_SIZE_MAX, &test, error);
    }
    if (status == RWD_OK && !is_known) {
        const struct rwd_keeper_candidate candidate = {.source = rwd_buffer_text(&source),
            .name = file->path,
            .rule_id = file->rule_id,
            .version = file->version,
            .test = rwd_buffer_text(&test),
            .test_name = file->test_path};
        bool is_new = false;
        status = rwd_keeper_take_in(options, versions, &candidate, &version, &is_new, error);
    }
    rwd_buffer_finish(&source);
    rwd_buffer_finish(&test);
    return status;
}
