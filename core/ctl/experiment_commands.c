/* rewardctl experiments: what is measured, and what it says, in plain words. */
#include "ctl/api.h"
#include "ctl/http.h"
#include "ctl/options.h"
#include "ctl/table.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char usage_all[] =
    "usage: rewardctl experiments list\n"
    "       rewardctl experiments results KEY [--json]\n"
    "\n"
    "Experiments are files, rules/experiments/<key>/<version>.lua. Each command has --help.\n";

static double number_of(const struct cJSON *object, const char *name)
{
    const struct cJSON *value = rwd_ctl_member(object, name);
    return cJSON_IsNumber(value) ? cJSON_GetNumberValue(value) : NAN;
}

static void put_cell(struct rwd_ctl_table *table, const char *text)
{
    rwd_ctl_table_put(table, rwd_text_of(text));
}

static void put_number(struct rwd_ctl_table *table, const char *format, double value)
{
    char text[64] = "-";
    if (isfinite(value)) {
        (void)snprintf(text, sizeof text, "%.*f%s", strcmp(format, "count") == 0 ? 0 : 4, value,
            strcmp(format, "percent") == 0 ? " %" : "");
    }
    put_cell(table, text);
}

static void print_table(struct rwd_ctl_table *table)
{
    struct rwd_buffer text = {0};
    rwd_ctl_table_write(table, &text);
    (void)fwrite(text.data, 1, text.size, stdout);
    rwd_buffer_finish(&text);
    rwd_ctl_table_destroy(table);
}

static int list(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] = "usage: rewardctl experiments list\n"
                                "\n"
                                "Lists every experiment that was ever in force: its version, how "
                                "many users it has, and\n"
                                "what can be said of it.\n";
    static const char *const headings[] = {"EXPERIMENT", "VERSION", "USERS", "VERDICT", "SAYS"};
    struct rwd_ctl_line line = {.usage = usage};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    struct cJSON *answer = NULL;
    code = rwd_ctl_api_call(ctl, "/v1/experiments", NULL, &answer, NULL);
    if (code != RWD_CTL_OK) {
        return code;
    }
    const struct cJSON *items = rwd_ctl_member(answer, "items");
    if (cJSON_GetArraySize(items) == 0) {
        (void)puts("no experiment was ever in force");
        rwd_ctl_api_free(answer);
        return RWD_CTL_OK;
    }
    struct rwd_ctl_table *table =
        rwd_ctl_table_create(headings, sizeof headings / sizeof headings[0]);
    const struct cJSON *item = NULL;
    cJSON_ArrayForEach(item, items)
    {
        const struct cJSON *verdict = rwd_ctl_member(item, "verdict");
        put_cell(table, rwd_ctl_string(item, "key"));
        put_cell(table, rwd_ctl_string(item, "version"));
        put_number(table, "count", number_of(item, "users"));
        put_cell(table, rwd_ctl_string(verdict, "code"));
        put_cell(table, rwd_ctl_string(verdict, "text"));
    }
    print_table(table);
    rwd_ctl_api_free(answer);
    return RWD_CTL_OK;
}

/* "+3.1 % (+1.0 to +5.2 %)", or "-". */
static void put_lift(struct rwd_ctl_table *table, const struct cJSON *lift)
{
    char text[96] = "-";
    if (cJSON_IsObject(lift)) {
        (void)snprintf(text, sizeof text, "%+.2f %% (%+.2f to %+.2f %%)",
            100 * number_of(lift, "value"), 100 * number_of(lift, "low"),
            100 * number_of(lift, "high"));
    }
    put_cell(table, text);
}

/* "0.12 (0.01 to 0.23)", or "-". */
static void put_interval(struct rwd_ctl_table *table, const struct cJSON *estimate)
{
    char text[128] = "-";
    if (cJSON_IsObject(estimate)) {
        (void)snprintf(text, sizeof text, "%.4g (%.4g to %.4g)", number_of(estimate, "value"),
            number_of(estimate, "low"), number_of(estimate, "high"));
    }
    put_cell(table, text);
}

/* The house's guardrails are rare things: a thousand users say more than one. */
static void put_value(struct rwd_ctl_table *table, const struct cJSON *arm)
{
    char text[64];
    double per_1000 = number_of(arm, "per_1000_users");
    if (isfinite(per_1000)) {
        (void)snprintf(text, sizeof text, "%.2f per 1k", per_1000);
        put_cell(table, text);
    } else {
        put_number(table, "value", number_of(arm, "value"));
    }
}

static void print_arm(struct rwd_ctl_table *table, const struct cJSON *metric,
    const struct cJSON *arm, const struct cJSON *comparison)
{
    put_cell(table, rwd_ctl_string(metric, "name"));
    put_cell(table, rwd_ctl_string(arm, "arm"));
    put_number(table, "count", number_of(arm, "users"));
    put_number(table, "percent", 100 * number_of(arm, "conversion"));
    put_value(table, arm);
    put_lift(table, rwd_ctl_member(comparison, "lift"));
    put_interval(table, rwd_ctl_member(comparison, "sequential"));
    put_interval(table, rwd_ctl_member(comparison, "cuped"));
}

static const struct cJSON *comparison_of(const struct cJSON *metric, const char *arm)
{
    const struct cJSON *comparison = NULL;
    cJSON_ArrayForEach(comparison, rwd_ctl_member(metric, "comparisons"))
    {
        if (strcmp(rwd_ctl_string(comparison, "arm"), arm) == 0) {
            return comparison;
        }
    }
    return NULL;
}

static void print_metrics(const struct cJSON *answer)
{
    static const char *const headings[] = {"METRIC", "ARM", "USERS", "CONVERSION", "VALUE",
        "LIFT (95 %)", "DIFFERENCE (AT EVERY LOOK)", "CUPED (95 %)"};
    struct rwd_ctl_table *table =
        rwd_ctl_table_create(headings, sizeof headings / sizeof headings[0]);
    const struct cJSON *metric = NULL;
    const struct cJSON *arm = NULL;
    cJSON_ArrayForEach(metric, rwd_ctl_member(answer, "metrics"))
    {
        cJSON_ArrayForEach(arm, rwd_ctl_member(metric, "arms"))
        {
            print_arm(table, metric, arm, comparison_of(metric, rwd_ctl_string(arm, "arm")));
        }
        const struct cJSON *program = rwd_ctl_member(metric, "program");
        const struct cJSON *comparison = rwd_ctl_member(program, "comparison");
        cJSON_ArrayForEach(arm, rwd_ctl_member(program, "arms"))
        {
            bool is_compared =
                strcmp(rwd_ctl_string(arm, "arm"), rwd_ctl_string(comparison, "arm")) == 0;
            print_arm(table, metric, arm, is_compared ? comparison : NULL);
        }
    }
    print_table(table);
}

static void print_split(const struct cJSON *answer)
{
    const struct cJSON *srm = rwd_ctl_member(answer, "srm");
    const struct cJSON *stratum = NULL;
    double p = number_of(srm, "p");
    if (isfinite(p)) {
        (void)printf("\nsplit: p = %.4g (%s)\n", p,
            cJSON_IsFalse(rwd_ctl_member(srm, "ok")) ? "not as planned" : "as planned");
    }
    cJSON_ArrayForEach(stratum, rwd_ctl_member(answer, "strata"))
    {
        if (cJSON_IsFalse(rwd_ctl_member(stratum, "ok"))) {
            struct rwd_buffer plain = {0};
            rwd_ctl_put_plain(&plain, rwd_text_of(rwd_ctl_string(stratum, "stratum")));
            (void)printf("split in %s: p = %.4g (not as planned)\n", rwd_buffer_c_string(&plain),
                number_of(stratum, "p"));
            rwd_buffer_finish(&plain);
        }
    }
}

static void print_results(const struct cJSON *answer)
{
    const struct cJSON *verdict = rwd_ctl_member(answer, "verdict");
    struct rwd_buffer plain = {0};
    rwd_ctl_put_plain(&plain, rwd_text_of(rwd_ctl_string(answer, "key")));
    rwd_buffer_put_char(&plain, ' ');
    rwd_ctl_put_plain(&plain, rwd_text_of(rwd_ctl_string(answer, "version")));
    rwd_buffer_put_string(&plain, "\n");
    rwd_ctl_put_plain(&plain, rwd_text_of(rwd_ctl_string(verdict, "text")));
    (void)printf("%s\n\n", rwd_buffer_c_string(&plain));
    rwd_buffer_finish(&plain);
    print_metrics(answer);
    print_split(answer);
    if (number_of(answer, "behind_bytes") > 0) {
        (void)printf("(%.0f bytes of the journal are not counted in yet)\n",
            number_of(answer, "behind_bytes"));
    }
}

static int results(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl experiments results KEY [--json]\n"
        "\n"
        "Says what an experiment has shown: a verdict in words, then for every metric and arm the\n"
        "users, how many of them did it at all, the value, and the difference to the control with\n"
        "its interval. LIFT is right for one look at the end. DIFFERENCE holds however often you\n"
        "look, and is what the verdict goes by. CUPED takes away what users did before the\n"
        "experiment began. A split that is not as planned means: trust none of it.\n"
        "Where the experiment has a holdout, \"all arms\" are compared with \"holdout\", the "
        "users\n"
        "that are kept out of it: what the whole program brings.\n"
        "--json prints what GET /v1/experiments/KEY/results answers.\n";
    struct rwd_ctl_option options[] = {{.name = "json", .is_flag = true}};
    struct rwd_ctl_line line = {.usage = usage,
        .options = options,
        .option_count = 1,
        .word_count_min = 1,
        .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    struct rwd_buffer path = {0};
    struct cJSON *answer = NULL;
    rwd_buffer_put_string(&path, "/v1/experiments/");
    rwd_ctl_url_put(&path, line.words[0]);
    rwd_buffer_put_string(&path, "/results");
    code = rwd_ctl_api_call(ctl, rwd_buffer_c_string(&path), NULL, &answer, NULL);
    if (code == RWD_CTL_OK && options[0].value != NULL) {
        char *text = cJSON_Print(answer);
        (void)puts(text);
        cJSON_free(text);
    } else if (code == RWD_CTL_OK) {
        print_results(answer);
    }
    rwd_ctl_api_free(answer);
    rwd_buffer_finish(&path);
    return code;
}

int rwd_ctl_experiments(struct rwd_ctl *ctl, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "list") == 0) {
        return list(ctl, argc - 1, argv + 1);
    }
    if (strcmp(what, "results") == 0) {
        return results(ctl, argc - 1, argv + 1);
    }
    bool asked = strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0;
    (void)fputs(usage_all, asked ? stdout : stderr);
    return asked ? RWD_CTL_OK : RWD_CTL_USAGE;
}
