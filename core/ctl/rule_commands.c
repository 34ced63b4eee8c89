/* rules list asks the daemon, rules check and test read files; rule_life has what changes them. */
#include "ctl/rule_commands.h"

#include "ctl/api.h"
#include "ctl/options.h"
#include "ctl/rule_files.h"
#include "ctl/rule_life.h"
#include "ctl/table.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

static const char usage_all[] =
    "usage: rewardctl rules COMMAND ...; each has --help\n"
    "\n"
    "write a rule: on files, whether rewardd runs or not\n"
    "  new ID [--template NAME]        a rule and its test, to start from\n"
    "  check [DIR|FILE]                does it load, read what events have, and pass its tests?\n"
    "  test [DIR|FILE] [--coverage]    the same, test by test\n"
    "  bench ID@VERSION|FILE           what a call costs\n"
    "  backtest ID@VERSION --from journal|FILE.ndjson [--against VERSION]\n"
    "                                  what it would have given and cost on past events\n"
    "  diff ID@A ID@B                  what differs between two versions\n"
    "\n"
    "bring it to players: asks the running rewardd\n"
    "  list                            every version, and files that did not load\n"
    "  status [ID]                     what each version gave, and how it runs\n"
    "  shadow ID@VERSION               decide beside the active version, and give nothing\n"
    "  activate ID@VERSION [--share N] put it in force, for all players or N per cent\n"
    "  ramp ID@VERSION --steps 10,50,100 --every 2h\n"
    "                                  let its share grow by itself, with guards\n"
    "  rollback ID                     one step back\n"
    "  retire ID@VERSION               take it out of force\n"
    "  deploy DIR                      a whole folder of rules: all or none\n"
    "  explain EVENT_ID|--user USER_ID why a reward was given, or not\n";

static void put_value(struct rwd_ctl_table *table, const struct cJSON *object, const char *name)
{
    struct rwd_buffer cell = {0};
    rwd_ctl_value_put(&cell, rwd_ctl_member(object, name));
    rwd_ctl_table_put(table, rwd_buffer_text(&cell));
    rwd_buffer_finish(&cell);
}

/* "formulas/half@1.0.0, experiments/ab" */
static void put_list(struct rwd_ctl_table *table, const struct cJSON *list)
{
    struct rwd_buffer cell = {0};
    const struct cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        rwd_buffer_put_string(&cell, cell.size > 0 ? ", " : "");
        rwd_ctl_value_put(&cell, item);
    }
    rwd_ctl_table_put(table, rwd_buffer_text(&cell));
    rwd_buffer_finish(&cell);
}

static void put_version(
    struct rwd_ctl_table *table, const struct cJSON *rule, const struct cJSON *version)
{
    struct rwd_text hash = rwd_text_of(rwd_ctl_string(version, "content_hash"));
    hash.size = hash.size > 12 ? 12 : hash.size;
    put_value(table, rule, "rule_id");
    put_value(table, version, "version");
    put_value(table, version, "state");
    rwd_ctl_put_share(table, rule, version);
    put_value(table, version, "since");
    rwd_ctl_table_put(table, hash);
    put_list(table, rwd_ctl_member(version, "uses"));
    put_list(table, rwd_ctl_member(version, "used_by"));
    put_value(table, version, "file");
}

/* Files that did not load: the daemon goes on with what it has and says why here. */
static void print_load_errors(const struct cJSON *errors)
{
    const struct cJSON *item = NULL;
    cJSON_ArrayForEach(item, errors)
    {
        struct rwd_buffer plain = {0};
        rwd_ctl_put_plain(&plain, rwd_text_of(rwd_ctl_string(item, "file")));
        rwd_buffer_put_string(&plain, " is not loaded: ");
        rwd_ctl_put_plain(&plain, rwd_text_of(rwd_ctl_string(item, "error")));
        (void)printf("%s\n", rwd_buffer_c_string(&plain));
        rwd_buffer_finish(&plain);
    }
}

static int list(struct rwd_ctl *ctl, int argc, char **argv)
{
    static const char usage[] =
        "usage: rewardctl rules list\n"
        "\n"
        "Lists every version of every rule, formula and experiment that the daemon knows, the\n"
        "state it is in and since when; the formulas and the experiment that a rule uses, and the\n"
        "rules in force that use a formula or an experiment; and the files that did not load, "
        "with\n"
        "the reason.\n";
    static const char *const headings[] = {
        "RULE", "VERSION", "STATE", "SHARE", "SINCE", "HASH", "USES", "USED BY", "FILE"};
    struct rwd_ctl_line line = {.usage = usage};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    struct cJSON *answer = NULL;
    code = rwd_ctl_api_call(ctl, "/v1/rules", NULL, &answer, NULL);
    if (code != RWD_CTL_OK) {
        return code;
    }
    struct rwd_ctl_table *table =
        rwd_ctl_table_create(headings, sizeof headings / sizeof headings[0]);
    const struct cJSON *rule = NULL;
    const struct cJSON *version = NULL;
    cJSON_ArrayForEach(rule, rwd_ctl_member(answer, "items"))
    {
        cJSON_ArrayForEach(version, rwd_ctl_member(rule, "versions"))
        {
            put_version(table, rule, version);
        }
    }
    struct rwd_buffer text = {0};
    rwd_ctl_table_write(table, &text);
    (void)fwrite(text.data, 1, text.size, stdout);
    print_load_errors(rwd_ctl_member(answer, "errors"));
    rwd_buffer_finish(&text);
    rwd_ctl_table_destroy(table);
    rwd_ctl_api_free(answer);
    return RWD_CTL_OK;
}

static int check(struct rwd_ctl *ctl, int argc, char **argv, bool verbose)
{
    static const char usage[] =
        "usage: rewardctl rules check [DIR|FILE]\n"
        "       rewardctl rules test [DIR|FILE] [--coverage] [--threshold PERCENT]\n"
        "\n"
        "Loads rules, and the formulas and experiments that they name, as the daemon would, in "
        "the\n"
        "same sandbox, and runs the tests beside "
        "them\n"
        "(<version>_test.lua) through the real decide and apply. Both hold what a rule reads of\n"
        "events (event.payload.x, paths of aggregates) against the schemas of the events in its\n"
        "`on`: fields that no version declares, text compared with a number and the like. check\n"
        "tells what is wrong, as FILE:LINE:COLUMN: WHAT; did you mean ...?, test tells of every\n"
        "test. DIR: default rules.dir of engine.conf; schemas: schemas.dir, else DIR/schemas, "
        "else\n"
        "those of rules.dir. The last line counts: N passed, N failed.\n"
        "\n"
        "  --coverage           test: also which lines of a rule its tests ran, in the sandbox\n"
        "  --threshold PERCENT  and fail a rule below it; default 0\n"
        "\n"
        "Exit code 0: all is well; 1: a rule does not load, reads what is not there, or a test\n"
        "fails; 2: the command line was not understood.\n";
    struct rwd_ctl_option options[] = {
        {.name = "coverage", .is_flag = true}, {.name = "threshold"}};
    struct rwd_ctl_line line = {
        .usage = usage, .options = options, .option_count = verbose ? 2 : 0, .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    const char *path = line.word_count > 0 ? line.words[0] : ctl->config->rules_dir;
    uint64_t threshold = 0;
    if (options[1].value != NULL &&
        (!rwd_text_to_u64(rwd_text_of(options[1].value), &threshold) || threshold > 100)) {
        return rwd_ctl_fail(RWD_CTL_USAGE, "--threshold %s: from 0 to 100", options[1].value);
    }
    /* A threshold of nothing measured would always be kept. */
    if (options[0].value != NULL || options[1].value != NULL) {
        return rwd_rule_files_cover(ctl, path, (unsigned)threshold);
    }
    return rwd_rule_files_check(ctl, path, verbose);
}

/* The author's loop. */
static const struct {
    const char *name;
    int (*run)(struct rwd_ctl *ctl, int argc, char **argv);
} authors[] = {
    {"new", rwd_ctl_rules_new},
    {"bench", rwd_ctl_rules_bench},
    {"backtest", rwd_ctl_rules_backtest},
    {"diff", rwd_ctl_rules_diff},
    {"explain", rwd_ctl_explain},
};

int rwd_ctl_rules(struct rwd_ctl *ctl, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "list") == 0) {
        return list(ctl, argc - 1, argv + 1);
    }
    static const struct {
        const char *name;
        int (*run)(struct rwd_ctl *ctl, int argc, char **argv);
    } life[] = {{"status", rwd_ctl_rules_status}, {"activate", rwd_ctl_rules_activate},
        {"shadow", rwd_ctl_rules_shadow}, {"retire", rwd_ctl_rules_retire},
        {"rollback", rwd_ctl_rules_rollback}, {"ramp", rwd_ctl_rules_ramp},
        {"deploy", rwd_ctl_rules_deploy}};
    for (size_t i = 0; i < sizeof life / sizeof life[0]; i++) {
        if (strcmp(what, life[i].name) == 0) {
            return life[i].run(ctl, argc - 1, argv + 1);
        }
    }
    if (strcmp(what, "check") == 0 || strcmp(what, "test") == 0) {
        return check(ctl, argc - 1, argv + 1, strcmp(what, "test") == 0);
    }
    for (size_t i = 0; i < sizeof authors / sizeof authors[0]; i++) {
        if (strcmp(what, authors[i].name) == 0) {
            return authors[i].run(ctl, argc - 1, argv + 1);
        }
    }
    bool asked = strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0;
    if (!asked && what[0] != '\0') {
        return rwd_ctl_fail(RWD_CTL_USAGE,
            "there is no command \"rules %s\"; rewardctl rules --help lists them", what);
    }
    (void)fputs(usage_all, asked ? stdout : stderr);
    return asked ? RWD_CTL_OK : RWD_CTL_USAGE;
}
