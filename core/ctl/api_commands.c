/* The commands that list or change what the running daemon holds: one table of columns each. */
#include "ctl/api.h"
#include "ctl/explain.h"
#include "ctl/http.h"
#include "ctl/options.h"
#include "ctl/table.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { COLUMN_COUNT_MAX = 11, LIST_LIMIT_DEFAULT = 100, LIST_LIMIT_MAX = 100000 };

/* One column: its heading and the member it shows; "origin.rule_id" goes one level down. */
struct column {
    const char *heading;
    const char *path;
};

static const struct cJSON *member_at(const struct cJSON *item, const char *path)
{
    const char *dot = strchr(path, '.');
    if (dot == NULL) {
        return rwd_ctl_member(item, path);
    }
    char first[32];
    (void)snprintf(first, sizeof first, "%.*s", (int)(dot - path), path);
    return rwd_ctl_member(rwd_ctl_member(item, first), dot + 1);
}

static void put_cell(
    struct rwd_ctl_table *table, const struct cJSON *item, const struct column *column)
{
    struct rwd_buffer cell = {0};
    const struct cJSON *value = member_at(item, column->path);
    if (strcmp(column->path, "reason") == 0 && cJSON_IsString(value)) {
        rwd_buffer_put_string(&cell, rwd_explain_reason(cJSON_GetStringValue(value)));
    } else {
        rwd_ctl_value_put(&cell, value);
    }
    rwd_ctl_table_put(table, rwd_buffer_text(&cell));
    rwd_buffer_finish(&cell);
}

static void print_items(
    const struct cJSON *items, const struct column *columns, size_t column_count)
{
    const char *headings[COLUMN_COUNT_MAX];
    for (size_t i = 0; i < column_count; i++) {
        headings[i] = columns[i].heading;
    }
    struct rwd_ctl_table *table = rwd_ctl_table_create(headings, column_count);
    const struct cJSON *item = NULL;
    cJSON_ArrayForEach(item, items)
    {
        for (size_t i = 0; i < column_count; i++) {
            put_cell(table, item, &columns[i]);
        }
    }
    struct rwd_buffer text = {0};
    rwd_ctl_table_write(table, &text);
    (void)fwrite(text.data, 1, text.size, stdout);
    rwd_buffer_finish(&text);
    rwd_ctl_table_destroy(table);
}

/* Prints a list, or a line that says it is empty. */
static int print_list(struct rwd_ctl *ctl, const char *path, size_t limit,
    const struct column *columns, size_t column_count, const char *nothing)
{
    struct cJSON *items = NULL;
    int code = rwd_ctl_api_list(ctl, path, limit, &items);
    if (code != RWD_CTL_OK) {
        return code;
    }
    if (cJSON_GetArraySize(items) == 0) {
        (void)printf("%s\n", nothing);
    } else {
        print_items(items, columns, column_count);
    }
    if ((size_t)cJSON_GetArraySize(items) == limit) {
        (void)printf("(the newest %zu; --limit N shows more)\n", limit);
    }
    rwd_ctl_api_free(items);
    return RWD_CTL_OK;
}

/* "name=value" into a query, where the option was given. */
static void put_query(struct rwd_buffer *path, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    rwd_buffer_put_format(
        path, "%c%s=", memchr(path->data, '?', path->size) != NULL ? '&' : '?', name);
    rwd_ctl_url_put(path, value);
}

static int read_limit(const char *text, size_t *limit)
{
    uint64_t value = LIST_LIMIT_DEFAULT;
    if (text != NULL &&
        (!rwd_text_to_u64(rwd_text_of(text), &value) || value == 0 || value > LIST_LIMIT_MAX)) {
        return rwd_ctl_fail(
            RWD_CTL_USAGE, "--limit %s: must be a number from 1 to %d", text, LIST_LIMIT_MAX);
    }
    *limit = value;
    return RWD_CTL_OK;
}

static const struct column task_columns[] = {{"TASK", "reward_task_id"}, {"PLAYER", "user_id"},
    {"RULE", "origin.rule_id"}, {"VERSION", "origin.version"}, {"ARM", "origin.arm"},
    {"AT", "origin.threshold"}, {"REWARD", "reward.type"}, {"COST", "cost"}, {"STATUS", "status"},
    {"UPDATED", "updated_at"}, {"WHY", "reason"}};

static int list_tasks(
    struct rwd_ctl *ctl, struct rwd_ctl_option *options, const char *status, const char *nothing)
{
    struct rwd_buffer path = {0};
    size_t limit = 0;
    int code = read_limit(options[1].value, &limit);
    rwd_buffer_put_string(&path, "/v1/reward-tasks");
    put_query(&path, "user_id", options[0].value);
    put_query(&path, "status", status);
    if (code == RWD_CTL_OK) {
        code = print_list(ctl, rwd_buffer_c_string(&path), limit, task_columns,
            sizeof task_columns / sizeof task_columns[0], nothing);
    }
    rwd_buffer_finish(&path);
    return code;
}

int rwd_ctl_tasks(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl tasks [--user U] [--status S] [--limit N]\n"
        "\n"
        "Lists reward tasks, newest first. S is one of pending, held, dispatching, succeeded,\n"
        "failed, denied, expired, cancelled.\n";
    struct rwd_ctl_option options[] = {{.name = "user"}, {.name = "limit"}, {.name = "status"}};
    struct rwd_ctl_line line = {.usage = usage, .options = options, .option_count = 3};
    int code = rwd_ctl_options(argc, argv, &line);
    return code != RWD_CTL_GO_ON
               ? code
               : list_tasks(ctl, options, options[2].value, "no such reward tasks");
}

int rwd_ctl_holds(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] = "usage: rewardctl holds [--user U] [--limit N]\n"
                                "\n"
                                "Lists the reward tasks that are held, and what each waits for. "
                                "Those that wait for KYC or\n"
                                "responsible gaming go on by themselves when the cause is gone; "
                                "those under review wait for\n"
                                "rewardctl approve or rewardctl reject.\n";
    struct rwd_ctl_option options[] = {{.name = "user"}, {.name = "limit"}};
    struct rwd_ctl_line line = {.usage = usage, .options = options, .option_count = 2};
    int code = rwd_ctl_options(argc, argv, &line);
    return code != RWD_CTL_GO_ON ? code : list_tasks(ctl, options, "held", "nothing is held");
}

static int review(struct rwd_ctl *ctl, int argc, char **argv, const char *usage, const char *verb)
{
    struct rwd_ctl_option options[] = {{.name = "reason"}};
    struct rwd_ctl_line line = {.usage = usage,
        .options = options,
        .option_count = 1,
        .word_count_min = 1,
        .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    if (options[0].value == NULL || options[0].value[0] == '\0') {
        return rwd_ctl_fail(
            RWD_CTL_USAGE, "--reason is needed: it is kept in the journal beside your decision");
    }
    struct rwd_buffer path = {0};
    struct rwd_buffer body = {0};
    struct cJSON *task = NULL;
    rwd_buffer_put_string(&path, "/v1/reward-tasks/");
    rwd_ctl_url_put(&path, line.words[0]);
    rwd_buffer_put_format(&path, "/%s", verb);
    rwd_buffer_put_string(&body, "{\"reason\":");
    rwd_buffer_put_json(&body, rwd_text_of(options[0].value));
    rwd_buffer_put_char(&body, '}');
    code =
        rwd_ctl_api_call(ctl, rwd_buffer_c_string(&path), rwd_buffer_c_string(&body), &task, NULL);
    if (code == RWD_CTL_OK) {
        struct cJSON *items = cJSON_CreateArray();
        (void)cJSON_AddItemToArray(items, task);
        print_items(items, task_columns, sizeof task_columns / sizeof task_columns[0]);
        rwd_ctl_api_free(items);
    }
    rwd_buffer_finish(&path);
    rwd_buffer_finish(&body);
    return code;
}

int rwd_ctl_approve(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl approve TASK_ID --reason TEXT\n"
        "\n"
        "Lets a reward that is held for review go to its player. The reason is kept for the "
        "audit.\n"
        "A reward held for KYC or responsible gaming cannot be approved: it waits for its cause.\n";
    return review(ctl, argc, argv, usage, "approve");
}

int rwd_ctl_reject(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl reject TASK_ID --reason TEXT\n"
        "\n"
        "Refuses a reward that is held; its money goes back to the budget. The reason is kept for\n"
        "the audit.\n";
    return review(ctl, argc, argv, usage, "reject");
}

int rwd_ctl_dead_letters(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl dead-letters [--lane events|deliveries] [--reason R] [--limit N]\n"
        "\n"
        "Lists what could not be taken in (lane events) and what no partner took (lane\n"
        "deliveries), newest first; both lanes where none is named. The raw bodies are in\n"
        "GET /v1/dead-letters, the actions in the HTTP API: reprocess, drop, fix.\n";
    static const struct column columns[] = {{"LETTER", "dead_letter_id"}, {"REASON", "reason"},
        {"PLAYER", "user_id"}, {"OF", "reference"}, {"STATUS", "status"}, {"TRIES", "attempts"},
        {"CREATED", "created_at"}, {"AT", "pointer"}, {"DETAIL", "detail"}};
    struct rwd_ctl_option options[] = {{.name = "lane"}, {.name = "reason"}, {.name = "limit"}};
    struct rwd_ctl_line line = {.usage = usage, .options = options, .option_count = 3};
    size_t limit = 0;
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    code = read_limit(options[2].value, &limit);
    static const char *const lanes[] = {"events", "deliveries"};
    for (size_t i = 0; code == RWD_CTL_OK && i < 2; i++) {
        const char *lane = options[0].value != NULL ? options[0].value : lanes[i];
        struct rwd_buffer path = {0};
        rwd_buffer_put_string(&path, "/v1/dead-letters");
        put_query(&path, "lane", lane);
        put_query(&path, "reason", options[1].value);
        (void)printf("%slane %s\n", i > 0 ? "\n" : "", lane);
        code = print_list(ctl, rwd_buffer_c_string(&path), limit, columns,
            sizeof columns / sizeof columns[0], "no dead letters");
        rwd_buffer_finish(&path);
        if (options[0].value != NULL) {
            break;
        }
    }
    return code;
}

static int add_budget(struct rwd_ctl *ctl, const char *pool, struct cJSON *items)
{
    struct rwd_buffer path = {0};
    struct cJSON *budget = NULL;
    rwd_buffer_put_string(&path, "/v1/budgets/");
    rwd_ctl_url_put(&path, pool);
    int code = rwd_ctl_api_call(ctl, rwd_buffer_c_string(&path), NULL, &budget, NULL);
    if (code == RWD_CTL_OK) {
        (void)cJSON_AddItemToArray(items, budget);
    }
    rwd_buffer_finish(&path);
    return code;
}

int rwd_ctl_budgets(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl budgets [POOL ...]\n"
        "\n"
        "Shows what is spent, reserved and free in each budget; without names, those of\n"
        "engine.conf.\n";
    static const struct column columns[] = {{"BUDGET", "pool_id"}, {"PERIOD", "period"},
        {"CURRENCY", "currency"}, {"HARD CAP", "hard_cap"}, {"SOFT CAP", "soft_cap"},
        {"SPENT", "spent"}, {"RESERVED", "reserved"}, {"FREE", "free"}};
    struct rwd_ctl_line line = {.usage = usage, .word_count_max = RWD_POOL_COUNT_MAX};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    code = RWD_CTL_OK;
    struct cJSON *items = cJSON_CreateArray();
    for (int i = 0; code == RWD_CTL_OK && i < line.word_count; i++) {
        code = add_budget(ctl, line.words[i], items);
    }
    for (size_t i = 0; code == RWD_CTL_OK && line.word_count == 0 && i < ctl->config->budget_count;
         i++) {
        code = add_budget(ctl, ctl->config->budgets[i].id, items);
    }
    if (code == RWD_CTL_OK && cJSON_GetArraySize(items) == 0) {
        (void)printf("engine.conf has no budget; name one that was made over the API\n");
    } else if (code == RWD_CTL_OK) {
        print_items(items, columns, sizeof columns / sizeof columns[0]);
    }
    rwd_ctl_api_free(items);
    return code;
}
