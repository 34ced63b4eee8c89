#include "ctl/rule_life.h"

#include "ctl/api.h"
#include "ctl/http.h"
#include "ctl/options.h"
#include "ctl/table.h"
#include "engine/rule_folder.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARE_ALL = 100, SOURCE_SIZE_MAX = 64 << 10 };

/* ---- status ---- */

static void put_value(struct rwd_ctl_table *table, const struct cJSON *object, const char *name)
{
    struct rwd_buffer cell = {0};
    rwd_ctl_value_put(&cell, rwd_ctl_member(object, name));
    rwd_ctl_table_put(table, rwd_buffer_text(&cell));
    rwd_buffer_finish(&cell);
}

/* NULL: it has none, or one that was given up before it became active all the same. */
static const struct cJSON *ramp_of(const struct cJSON *version)
{
    const struct cJSON *ramp = rwd_ctl_member(version, "ramp");
    bool is_over = strcmp(rwd_ctl_string(version, "state"), "active") == 0 &&
                   strcmp(rwd_ctl_string(ramp, "state"), "done") != 0;
    return cJSON_IsObject(ramp) && !is_over ? ramp : NULL;
}

/* "rolled_back" -> "rolled back". */
static void put_ramp_state(struct rwd_buffer *out, const struct cJSON *ramp)
{
    for (const char *at = rwd_ctl_string(ramp, "state"); *at != '\0'; at++) {
        rwd_buffer_put_char(out, *at == '_' ? ' ' : *at);
    }
}

/* "running 2 of 3: 50 %", "held 1 of 3: 10 %". */
static void put_ramp(struct rwd_ctl_table *table, const struct cJSON *ramp)
{
    const struct cJSON *steps = rwd_ctl_member(ramp, "steps");
    int step = (int)cJSON_GetNumberValue(rwd_ctl_member(ramp, "step"));
    struct rwd_buffer cell = {0};
    if (ramp != NULL) {
        put_ramp_state(&cell, ramp);
        rwd_buffer_put_format(&cell, " %d of %d: %d %%", step + 1, cJSON_GetArraySize(steps),
            (int)cJSON_GetNumberValue(cJSON_GetArrayItem(steps, step)));
    }
    rwd_ctl_table_put(table, rwd_buffer_text(&cell));
    rwd_buffer_finish(&cell);
}

void rwd_ctl_put_share(
    struct rwd_ctl_table *table, const struct cJSON *rule, const struct cJSON *version)
{
    int share = (int)cJSON_GetNumberValue(rwd_ctl_member(version, "share"));
    bool is_active = strcmp(rwd_ctl_string(version, "state"), "active") == 0;
    const struct cJSON *other = NULL;
    cJSON_ArrayForEach(other, rwd_ctl_member(rule, "versions"))
    {
        bool is_canary = strcmp(rwd_ctl_string(other, "state"), "canary") == 0;
        share -=
            is_active && is_canary ? (int)cJSON_GetNumberValue(rwd_ctl_member(other, "share")) : 0;
    }
    char cell[16];
    (void)snprintf(cell, sizeof cell, "%d %%", share);
    rwd_ctl_table_put(table, rwd_text_of(cell));
}

/* "12.50 EUR". */
static void put_money(struct rwd_ctl_table *table, const struct cJSON *given)
{
    struct rwd_buffer cell = {0};
    if (cJSON_IsString(rwd_ctl_member(given, "money"))) {
        rwd_ctl_value_put(&cell, rwd_ctl_member(given, "money"));
        rwd_buffer_put_char(&cell, ' ');
        rwd_ctl_value_put(&cell, rwd_ctl_member(given, "currency"));
    }
    rwd_ctl_table_put(table, rwd_buffer_text(&cell));
    rwd_buffer_finish(&cell);
}

static void put_version(
    struct rwd_ctl_table *table, const struct cJSON *rule, const struct cJSON *version)
{
    const struct cJSON *given = rwd_ctl_member(version, "given");
    const struct cJSON *health = rwd_ctl_member(version, "health");
    struct rwd_text hash = rwd_text_of(rwd_ctl_string(version, "content_hash"));
    hash.size = hash.size > 12 ? 12 : hash.size;
    put_value(table, rule, "rule_id");
    put_value(table, version, "version");
    put_value(table, version, "state");
    rwd_ctl_put_share(table, rule, version);
    put_value(table, version, "since");
    rwd_ctl_table_put(table, hash);
    put_value(table, given, "points");
    put_value(table, given, "reward_tasks");
    put_value(table, given, "held");
    put_money(table, given);
    put_value(table, health, "calls");
    put_value(table, health, "errors");
    put_value(table, health, "cost_p99_us");
    put_ramp(table, ramp_of(version));
    put_value(table, version, "actor");
}

static void put_rule(struct rwd_ctl_table *table, const struct cJSON *rule)
{
    const struct cJSON *version = NULL;
    cJSON_ArrayForEach(version, rwd_ctl_member(rule, "versions"))
    {
        put_version(table, rule, version);
    }
}

static void put_number(struct rwd_buffer *line, const struct cJSON *object, const char *name)
{
    rwd_ctl_value_put(line, rwd_ctl_member(object, name));
}

static void put_signed(struct rwd_buffer *line, const struct cJSON *object, const char *name)
{
    struct rwd_buffer value = {0};
    put_number(&value, object, name);
    rwd_buffer_put_string(line, rwd_buffer_c_string(&value)[0] == '-' ? "" : "+");
    rwd_buffer_put_text(line, rwd_buffer_text(&value));
    rwd_buffer_finish(&value);
}

/* What would be different if the shadow were the active version. */
static void print_shadow(const struct cJSON *rule, const struct cJSON *version)
{
    const struct cJSON *shadow = rwd_ctl_member(version, "shadow");
    const struct cJSON *pool = NULL;
    struct rwd_buffer line = {0};
    if (!cJSON_IsString(rwd_ctl_member(shadow, "since"))) {
        return; /* it is none, or none any more */
    }
    rwd_ctl_put_plain(&line, rwd_text_of(rwd_ctl_string(rule, "rule_id")));
    rwd_buffer_put_char(&line, '@');
    rwd_ctl_put_plain(&line, rwd_text_of(rwd_ctl_string(version, "version")));
    rwd_buffer_put_string(&line, " as a shadow since ");
    put_number(&line, shadow, "since");
    rwd_buffer_put_string(&line, ": of ");
    put_number(&line, shadow, "players");
    rwd_buffer_put_string(&line, " players ");
    put_number(&line, shadow, "winners");
    rwd_buffer_put_string(&line, " would win, ");
    put_number(&line, shadow, "losers");
    rwd_buffer_put_string(&line, " would lose; points ");
    put_signed(&line, shadow, "points_difference");
    rwd_buffer_put_string(&line, ", rewards ");
    put_signed(&line, shadow, "reward_tasks_difference");
    cJSON_ArrayForEach(pool, rwd_ctl_member(shadow, "pools"))
    {
        rwd_buffer_put_string(&line, ", ");
        rwd_ctl_put_plain(&line, rwd_text_of(rwd_ctl_string(pool, "pool_id")));
        rwd_buffer_put_char(&line, ' ');
        put_signed(&line, pool, "difference");
        rwd_buffer_put_char(&line, ' ');
        rwd_ctl_put_plain(&line, rwd_text_of(rwd_ctl_string(pool, "currency")));
    }
    if (cJSON_GetNumberValue(rwd_ctl_member(shadow, "one_player_of")) > 1) {
        rwd_buffer_put_string(&line, "; one player of ");
        put_number(&line, shadow, "one_player_of");
        rwd_buffer_put_string(&line, " is asked");
    }
    (void)printf("%s\n", rwd_buffer_c_string(&line));
    rwd_buffer_finish(&line);
}

/* "points@1.0.0 uses formulas/half@1.0.0, experiments/ab" */
static void print_list(
    const struct cJSON *rule, const struct cJSON *version, const char *name, const char *words)
{
    const struct cJSON *item = NULL;
    struct rwd_buffer line = {0};
    cJSON_ArrayForEach(item, rwd_ctl_member(version, name))
    {
        rwd_buffer_put_string(&line, line.size > 0 ? ", " : "");
        rwd_ctl_value_put(&line, item);
    }
    if (line.size > 0) {
        struct rwd_buffer who = {0};
        rwd_ctl_put_plain(&who, rwd_text_of(rwd_ctl_string(rule, "rule_id")));
        rwd_buffer_put_char(&who, '@');
        rwd_ctl_put_plain(&who, rwd_text_of(rwd_ctl_string(version, "version")));
        (void)printf("%s %s %s\n", rwd_buffer_c_string(&who), words, rwd_buffer_c_string(&line));
        rwd_buffer_finish(&who);
    }
    rwd_buffer_finish(&line);
}

/* What a table has no room for: why a ramp stands still, what a shadow would have done, and who
 * uses whom. */
static void print_news(const struct cJSON *rule)
{
    const struct cJSON *version = NULL;
    cJSON_ArrayForEach(version, rwd_ctl_member(rule, "versions"))
    {
        const struct cJSON *ramp = ramp_of(version);
        struct rwd_buffer line = {0};
        if (rwd_ctl_string(ramp, "why")[0] != '\0') {
            rwd_ctl_put_plain(&line, rwd_text_of(rwd_ctl_string(rule, "rule_id")));
            rwd_buffer_put_char(&line, '@');
            rwd_ctl_put_plain(&line, rwd_text_of(rwd_ctl_string(version, "version")));
            rwd_buffer_put_string(&line, ": ramp ");
            put_ramp_state(&line, ramp);
            rwd_buffer_put_string(&line, ": ");
            rwd_ctl_put_plain(&line, rwd_text_of(rwd_ctl_string(ramp, "why")));
            (void)printf("%s\n", rwd_buffer_c_string(&line));
        }
        rwd_buffer_finish(&line);
        print_shadow(rule, version);
        print_list(rule, version, "uses", "uses");
        print_list(rule, version, "used_by", "is used by");
    }
}

/* The earliest: versions that came later count from then on. */
static const char *least_since(const char *least, const struct cJSON *rule)
{
    const struct cJSON *version = NULL;
    cJSON_ArrayForEach(version, rwd_ctl_member(rule, "versions"))
    {
        const char *since = rwd_ctl_string(rwd_ctl_member(version, "health"), "since");
        least = least == NULL || strcmp(since, least) < 0 ? since : least;
    }
    return least;
}

static void print_status(const struct cJSON *answer)
{
    static const char *const headings[] = {"RULE", "VERSION", "STATE", "SHARE", "SINCE", "HASH",
        "POINTS", "REWARDS", "HELD", "MONEY", "CALLS", "ERRORS", "P99 US", "RAMP", "BY"};
    struct rwd_ctl_table *table =
        rwd_ctl_table_create(headings, sizeof headings / sizeof headings[0]);
    struct rwd_buffer text = {0};
    const struct cJSON *items = rwd_ctl_member(answer, "items");
    const struct cJSON *rules = items != NULL ? items->child : answer;
    const char *since = NULL;
    for (const struct cJSON *rule = rules; rule != NULL; rule = rule->next) {
        put_rule(table, rule);
        since = least_since(since, rule);
    }
    rwd_ctl_table_write(table, &text);
    (void)fwrite(text.data, 1, text.size, stdout);
    for (const struct cJSON *rule = rules; rule != NULL; rule = rule->next) {
        print_news(rule);
    }
    if (cJSON_GetNumberValue(rwd_ctl_member(answer, "behind_bytes")) > 0) {
        (void)puts("The store is late: points, rewards and money of the last moments are missing.");
    }
    if (since != NULL) {
        (void)printf(
            "Calls, errors and p99 are counted since %s, the rest from the beginning.\n", since);
    }
    rwd_buffer_finish(&text);
    rwd_ctl_table_destroy(table);
}

int rwd_ctl_rules_status(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl rules status [ID]\n"
        "\n"
        "Shows every version of one rule, or of all: the state it is in (draft, shadow, canary,\n"
        "active, retired, suspended), its share of the players, since when and by whom, its\n"
        "content's hash, and the step of its ramp. Below: the formulas and the experiment it "
        "uses,\n"
        "and, of those, as in formulas/ID, the rules in force that use them.\n"
        "\n"
        "What it has given counts from its first event on: points, rewards that are paid or on\n"
        "their way (HELD: those of them that wait for something), and their money. How it runs is\n"
        "counted since the daemon started: calls, errors, and the 99th percentile of a call's\n"
        "cost in microseconds. So is what a shadow would have given.\n";
    struct rwd_ctl_line line = {.usage = usage, .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    struct rwd_buffer path = {0};
    struct cJSON *answer = NULL;
    rwd_buffer_put_string(&path, "/v1/rules");
    if (line.word_count > 0) {
        rwd_buffer_put_char(&path, '/');
        rwd_ctl_url_put(&path, line.words[0]);
    }
    code = rwd_ctl_api_call(ctl, rwd_buffer_c_string(&path), NULL, &answer, NULL);
    if (code == RWD_CTL_OK) {
        print_status(answer);
    }
    rwd_ctl_api_free(answer);
    rwd_buffer_finish(&path);
    return code;
}

/* ---- commands ---- */

static const struct {
    const char *unit;
    uint64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

/* "points@2.0.0", cut in two. NULL, and said so: it is not written like that. */
static char *version_in(char *word)
{
    char *at = strrchr(word, '@');
    if (at == NULL || at == word || at[1] == '\0') {
        (void)rwd_ctl_fail(
            RWD_CTL_USAGE, "%s: write it as ID@VERSION, as in points_winmult@2.0.0", word);
        return NULL;
    }
    *at = '\0';
    return at + 1;
}

/* "2h", "90s": as --every takes it. */
static void put_duration(struct rwd_buffer *out, uint64_t ms)
{
    size_t i = sizeof units / sizeof units[0] - 1;
    while (i > 0 && ms % units[i].ms != 0) {
        i--;
    }
    rwd_buffer_put_format(out, "%" PRIu64 "%s", ms / units[i].ms, units[i].unit);
}

/* ", 50 % in 2h" */
static void put_next_step(struct rwd_buffer *out, const struct cJSON *ramp)
{
    int next = (int)cJSON_GetNumberValue(rwd_ctl_member(ramp, "step")) + 1;
    const struct cJSON *share = cJSON_GetArrayItem(rwd_ctl_member(ramp, "steps"), next);
    if (strcmp(rwd_ctl_string(ramp, "state"), "running") == 0 && share != NULL) {
        rwd_buffer_put_format(out, "; %d %% in ", (int)cJSON_GetNumberValue(share));
        put_duration(out, (uint64_t)cJSON_GetNumberValue(rwd_ctl_member(ramp, "every_ms")));
        rwd_buffer_put_string(out, " if no guard objects");
    }
}

/* What is in force is what the daemon answers, not what it was asked for. */
static void print_version(const struct cJSON *version)
{
    const char *state = rwd_ctl_string(version, "state");
    bool is_canary = strcmp(state, "canary") == 0;
    bool is_shadow = strcmp(state, "shadow") == 0;
    struct rwd_buffer text = {0};
    rwd_ctl_put_plain(&text, rwd_text_of(rwd_ctl_string(version, "rule_id")));
    rwd_buffer_put_char(&text, ' ');
    rwd_ctl_put_plain(&text, rwd_text_of(rwd_ctl_string(version, "version")));
    rwd_buffer_put_string(&text, is_canary || is_shadow ? " is a " : " is ");
    rwd_ctl_put_plain(&text, rwd_text_of(state));
    if (is_canary) {
        rwd_buffer_put_string(&text, " for ");
        rwd_ctl_value_put(&text, rwd_ctl_member(version, "share"));
        rwd_buffer_put_string(&text, " % of players");
        put_next_step(&text, rwd_ctl_member(version, "ramp"));
    }
    rwd_buffer_put_string(&text, is_shadow ? " and gives nothing\n" : "\n");
    if (is_canary || is_shadow) {
        rwd_buffer_put_string(&text, "watch it: rewardctl rules status ");
        rwd_ctl_put_plain(&text, rwd_text_of(rwd_ctl_string(version, "rule_id")));
        rwd_buffer_put_char(&text, '\n');
    }
    (void)fputs(rwd_buffer_c_string(&text), stdout);
    rwd_buffer_finish(&text);
}

/* Members go into body behind the reason; the daemon says what became of it. */
static int command(struct rwd_ctl *ctl, const char *path, const char *reason, const char *members)
{
    struct rwd_buffer body = {0};
    struct cJSON *answer = NULL;
    rwd_buffer_put_string(&body, "{\"reason\":");
    rwd_buffer_put_json(&body, rwd_text_of(reason != NULL ? reason : ""));
    rwd_buffer_put_format(&body, "%s}", members);
    int code = rwd_ctl_api_call(ctl, path, rwd_buffer_c_string(&body), &answer, NULL);
    if (code == RWD_CTL_OK) {
        print_version(answer);
    }
    rwd_ctl_api_free(answer);
    rwd_buffer_finish(&body);
    return code;
}

static int version_command(
    struct rwd_ctl *ctl, char *word, const char *what, const char *reason, const char *members)
{
    const char *version = version_in(word);
    if (version == NULL) {
        return RWD_CTL_USAGE;
    }
    struct rwd_buffer path = {0};
    rwd_buffer_put_string(&path, "/v1/rules/");
    rwd_ctl_url_put(&path, word);
    rwd_buffer_put_string(&path, "/versions/");
    rwd_ctl_url_put(&path, version);
    rwd_buffer_put_format(&path, "/%s", what);
    int code = command(ctl, rwd_buffer_c_string(&path), reason, members);
    rwd_buffer_finish(&path);
    return code;
}

int rwd_ctl_rules_activate(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl rules activate ID@VERSION [--share PERCENT] [--reason WHY]\n"
        "\n"
        "Puts a loaded version of a rule in force, for all players or, as a canary, for a share "
        "of\n"
        "them. The share is sticky: whoever has the version keeps it while the share grows; to\n"
        "take it from all of them, roll back. With all players the version before it retires. It\n"
        "switches between two batches, and no event is lost or judged twice.\n";
    struct rwd_ctl_option options[] = {{.name = "share"}, {.name = "reason"}};
    struct rwd_ctl_line line = {.usage = usage,
        .options = options,
        .option_count = 2,
        .word_count_min = 1,
        .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    uint64_t share = SHARE_ALL;
    if (options[0].value != NULL && (!rwd_text_to_u64(rwd_text_of(options[0].value), &share) ||
                                        share < 1 || share > SHARE_ALL)) {
        return rwd_ctl_fail(RWD_CTL_USAGE, "--share %s: from 1 to 100", options[0].value);
    }
    char members[32];
    (void)snprintf(members, sizeof members, ",\"share\":%u", (unsigned)share);
    return version_command(ctl, line.words[0], "activate", options[1].value, members);
}

static int plain_command(
    struct rwd_ctl *ctl, int argc, char **argv, const char *usage, const char *what)
{
    struct rwd_ctl_option options[] = {{.name = "reason"}};
    struct rwd_ctl_line line = {.usage = usage,
        .options = options,
        .option_count = 1,
        .word_count_min = 1,
        .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    return code != RWD_CTL_GO_ON ? code
                                 : version_command(ctl, line.words[0], what, options[0].value, "");
}

int rwd_ctl_rules_shadow(struct rwd_ctl *ctl, int argc, char **argv)
{
    return plain_command(ctl, argc, argv,
        "usage: rewardctl rules shadow ID@VERSION [--reason WHY]\n"
        "\n"
        "Lets a version decide on live events beside the active one. It gives nothing; what it\n"
        "would have given is counted, and rewardctl rules status shows the difference.\n",
        "shadow");
}

int rwd_ctl_rules_retire(struct rwd_ctl *ctl, int argc, char **argv)
{
    return plain_command(ctl, argc, argv,
        "usage: rewardctl rules retire ID@VERSION [--reason WHY]\n"
        "\n"
        "Takes a version out of force, whatever it is: active, canary or shadow. A formula or\n"
        "experiment that a rule in force uses stays.\n",
        "retire");
}

int rwd_ctl_rules_rollback(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl rules rollback ID [--reason WHY]\n"
        "\n"
        "One step back: a canary is taken from all its players, and its ramp ends; where there is\n"
        "none, the version that was active before comes back.\n";
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
    struct rwd_buffer path = {0};
    rwd_buffer_put_string(&path, "/v1/rules/");
    rwd_ctl_url_put(&path, line.words[0]);
    rwd_buffer_put_string(&path, "/rollback");
    code = command(ctl, rwd_buffer_c_string(&path), options[0].value, "");
    rwd_buffer_finish(&path);
    return code;
}

/* ---- ramps ---- */

/* "2h", "30m", "90s", "500ms". 0: none of these. */
static uint64_t duration_ms(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t count = 0;
    if (!rwd_text_to_u64((struct rwd_text){.data = text, .size = digits}, &count) ||
        count > 1000000) {
        return 0;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].unit) == 0) {
            return count * units[i].ms;
        }
    }
    return 0;
}

int rwd_ctl_rules_ramp(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl rules ramp ID@VERSION --steps 10,50,100 --every 2h [--calls N]\n"
        "           [--errors N] [--money PERCENT] [--cost PERCENT] [--held POINTS] [--reason "
        "WHY]\n"
        "\n"
        "Lets a version's share of the players grow by itself, a step each time (90s, 30m, 2h, "
        "1d).\n"
        "It is looked at all the while, beside the version it is to replace:\n"
        "  --errors 10    more failed calls than this in 1000: taken back from all players\n"
        "  --money 150    more money a player and hour than this per cent of the other's: taken "
        "back\n"
        "  --cost 200     p99 of a call's cost above this per cent of the other's: held\n"
        "  --held 10      so many points more of its rewards held than of the other's: held\n"
        "  --calls 100    fewer calls than this in a step tell nothing, and it does not grow\n"
        "0 switches a guard off. A ramp that is held keeps its share; ramp again to go on from "
        "it,\n"
        "or rollback. The plan is in the journal and goes on after a restart.\n";
    struct rwd_ctl_option options[] = {{.name = "steps"}, {.name = "every"}, {.name = "reason"},
        {.name = "errors"}, {.name = "money"}, {.name = "cost"}, {.name = "held"},
        {.name = "calls"}};
    static const char *const guards[] = {
        "errors_per_mille", "money_percent", "cost_percent", "held_points", "calls_min"};
    struct rwd_ctl_line line = {.usage = usage,
        .options = options,
        .option_count = 8,
        .word_count_min = 1,
        .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    const char *steps = options[0].value;
    uint64_t every_ms = options[1].value != NULL ? duration_ms(options[1].value) : 0;
    if (steps == NULL || steps[strspn(steps, "0123456789,")] != '\0' || every_ms == 0) {
        return rwd_ctl_fail(
            RWD_CTL_USAGE, "a ramp needs --steps, as in 10,50,100, and --every, as in 30m or 2h");
    }
    struct rwd_buffer members = {0};
    rwd_buffer_put_format(&members, ",\"steps\":[%s],\"every_ms\":%llu,\"guards\":{", steps,
        (unsigned long long)every_ms);
    const char *separator = "";
    for (size_t i = 0; i < sizeof guards / sizeof guards[0] && code == RWD_CTL_GO_ON; i++) {
        const char *value = options[3 + i].value;
        if (value != NULL && (value[0] == '\0' || value[strspn(value, "0123456789")] != '\0')) {
            code =
                rwd_ctl_fail(RWD_CTL_USAGE, "--%s %s: a whole number", options[3 + i].name, value);
        } else if (value != NULL) {
            rwd_buffer_put_format(&members, "%s\"%s\":%s", separator, guards[i], value);
            separator = ",";
        }
    }
    rwd_buffer_put_char(&members, '}');
    if (code == RWD_CTL_GO_ON) {
        code = version_command(
            ctl, line.words[0], "ramp", options[2].value, rwd_buffer_c_string(&members));
    }
    rwd_buffer_finish(&members);
    return code;
}

/* ---- deploy ---- */

static int put_file(struct rwd_buffer *body, const char *id, const char *version, const char *end,
    const char *path, bool first)
{
    struct rwd_buffer source = {0};
    struct rwd_error error;
    if (rwd_rule_file_read(path, SOURCE_SIZE_MAX, &source, &error) != RWD_OK) {
        rwd_buffer_finish(&source);
        return rwd_ctl_fail(RWD_CTL_FAILED, "%s", error.text);
    }
    rwd_buffer_put_format(
        body, "%s{\"name\":\"%s/%s%s\",\"source\":", first ? "" : ",", id, version, end);
    rwd_buffer_put_json(body, rwd_buffer_text(&source));
    rwd_buffer_put_char(body, '}');
    rwd_buffer_finish(&source);
    return RWD_CTL_OK;
}

static void print_deployed(const struct cJSON *answer)
{
    const struct cJSON *version = NULL;
    cJSON_ArrayForEach(version, rwd_ctl_member(answer, "activated"))
    {
        struct rwd_buffer line = {0};
        rwd_ctl_put_plain(&line, rwd_text_of(rwd_ctl_string(version, "rule_id")));
        rwd_buffer_put_char(&line, ' ');
        rwd_ctl_put_plain(&line, rwd_text_of(rwd_ctl_string(version, "version")));
        (void)printf("%s is active\n", rwd_buffer_c_string(&line));
        rwd_buffer_finish(&line);
    }
}

int rwd_ctl_rules_deploy(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl rules deploy DIR [--reason WHY]\n"
        "\n"
        "Sends all rules of a folder, <id>/<version>.lua with their _test.lua, and the formulas\n"
        "and experiments in it, and switches to the newest version of each in one step: all of\n"
        "them are loaded and tested aside, and where anything is wrong with one of them nothing\n"
        "changes. Of formulas every version is in force: rules name the one they use.\n";
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
    struct rwd_rule_file *files = NULL;
    struct rwd_error error;
    size_t count = 0;
    if (rwd_rule_folder_list(line.words[0], &files, &count, &error) != RWD_OK) {
        return rwd_ctl_fail(RWD_CTL_FAILED, "%s", error.text);
    }
    struct rwd_buffer body = {0};
    code = count > 0 ? RWD_CTL_OK
                     : rwd_ctl_fail(RWD_CTL_FAILED,
                           "%s holds no rules: they lie as <id>/<version>.lua", line.words[0]);
    rwd_buffer_put_string(&body, "{\"reason\":");
    rwd_buffer_put_json(&body, rwd_text_of(options[0].value != NULL ? options[0].value : ""));
    rwd_buffer_put_string(&body, ",\"files\":[");
    for (size_t i = 0; i < count && code == RWD_CTL_OK; i++) {
        code = put_file(&body, files[i].rule_id, files[i].version, ".lua", files[i].path, i == 0);
        if (code == RWD_CTL_OK && files[i].test_path != NULL) {
            code = put_file(
                &body, files[i].rule_id, files[i].version, "_test.lua", files[i].test_path, false);
        }
    }
    rwd_buffer_put_string(&body, "]}");
    rwd_rule_files_free(files, count);
    struct cJSON *answer = NULL;
    if (code == RWD_CTL_OK) {
        code = rwd_ctl_api_call(ctl, "/v1/deploys", rwd_buffer_c_string(&body), &answer, NULL);
    }
    if (code == RWD_CTL_OK) {
        print_deployed(answer);
    }
    rwd_ctl_api_free(answer);
    rwd_buffer_finish(&body);
    return code;
}
