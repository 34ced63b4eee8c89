/* rules new: writes files; no daemon is asked. */
#include "ctl/rule_new.h"

#include "ctl/options.h"
#include "ctl/rule_commands.h"
#include "domain/rule.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: rewardctl rules new ID [--template NAME] [--rules DIR]\n"
    "\n"
    "Writes DIR/ID/1.0.0.lua and 1.0.0_test.lua beside it, to start from: a rule that loads and\n"
    "passes its tests. Existing files are left alone. DIR: default rules.dir of engine.conf. A\n"
    "daemon that watches the folder takes the rule up at once: where that is not wanted, write it\n"
    "elsewhere.\n"
    "\n"
    "  --template NAME  score (the default), milestone, streak, mission, deposit_bonus, cashback;\n"
    "                   or formula, which goes to DIR/formulas/ID\n"
    "\n"
    "Exit code 0: written; 1: it could not be; 2: not understood.\n"
    "Next: rewardctl rules test, then rewardctl rules backtest ID@1.0.0 --from journal.\n";

/* As the DSL wants it: see script/dsl_rule.c. */
static bool is_id(const char *id)
{
    if (!islower((unsigned char)id[0]) || strlen(id) >= RWD_RULE_ID_SIZE_MAX) {
        return false;
    }
    for (const char *at = id; *at != '\0'; at++) {
        if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '_' &&
            *at != '-') {
            return false;
        }
    }
    return true;
}

static const struct rwd_rule_template *find_template(const char *name)
{
    const struct rwd_rule_template *at = rwd_rule_templates;
    while (at->name != NULL && strcmp(at->name, name) != 0) {
        at++;
    }
    return at->name != NULL ? at : NULL;
}

static void put_filled(struct rwd_buffer *out, const char *text, const char *id)
{
    static const char mark[] = "@ID@";
    for (const char *found = strstr(text, mark); found != NULL; found = strstr(text, mark)) {
        rwd_buffer_put(out, text, (size_t)(found - text));
        rwd_buffer_put_string(out, id);
        text = found + sizeof mark - 1;
    }
    rwd_buffer_put_string(out, text);
}

static int write_file(const char *path, const char *text, const char *id)
{
    struct rwd_buffer filled = {0};
    put_filled(&filled, text, id);
    FILE *file = fopen(path, "wxe"); /* x: never over something that is there */
    bool written = file != NULL && fwrite(filled.data, 1, filled.size, file) == filled.size;
    int failed = errno;
    if (file != NULL && fclose(file) != 0) {
        written = false;
    }
    rwd_buffer_finish(&filled);
    if (!written) {
        return failed == EEXIST
                   ? rwd_ctl_fail(RWD_CTL_FAILED,
                         "%s is there already; a change is a new version: copy it to 1.1.0", path)
                   : rwd_ctl_fail(RWD_CTL_FAILED, "%s: %s", path, strerror(failed));
    }
    (void)printf("%s\n", path);
    return RWD_CTL_OK;
}

static int make_folder(struct rwd_buffer *path)
{
    const char *name = rwd_buffer_c_string(path);
    return mkdir(name, 0777) == 0 || errno == EEXIST
               ? RWD_CTL_OK
               : rwd_ctl_fail(RWD_CTL_FAILED, "%s: %s", name, strerror(errno));
}

static int write_rule(const char *dir, const char *id, const struct rwd_rule_template *template)
{
    struct rwd_buffer folder = {0};
    struct rwd_buffer rule = {0};
    struct rwd_buffer tests = {0};
    int code = RWD_CTL_OK;
    rwd_buffer_put_format(&folder, "%s/", dir);
    if (strcmp(template->name, rwd_rule_kind_name(RWD_KIND_FORMULA)) == 0) {
        rwd_buffer_put_string(&folder, RWD_FORMULA_ID_PREFIX);
        code = make_folder(&folder);
    }
    rwd_buffer_put_string(&folder, id);
    if (code == RWD_CTL_OK) {
        code = make_folder(&folder);
    }
    rwd_buffer_put_format(&rule, "%s/1.0.0.lua", rwd_buffer_c_string(&folder));
    rwd_buffer_put_format(&tests, "%s/1.0.0_test.lua", rwd_buffer_c_string(&folder));
    /* The test first: a daemon that watches must not see the rule without it. */
    if (code == RWD_CTL_OK) {
        code = write_file(rwd_buffer_c_string(&tests), template->tests, id);
    }
    if (code == RWD_CTL_OK) {
        code = write_file(rwd_buffer_c_string(&rule), template->rule, id);
    }
    if (code == RWD_CTL_OK) {
        (void)printf("next: rewardctl rules test %s\n", rwd_buffer_c_string(&rule));
    }
    rwd_buffer_finish(&folder);
    rwd_buffer_finish(&rule);
    rwd_buffer_finish(&tests);
    return code;
}

int rwd_ctl_rules_new(struct rwd_ctl *ctl, int argc, char **argv)
{
    struct rwd_ctl_option options[] = {{.name = "template"}, {.name = "rules"}};
    struct rwd_ctl_line line = {.usage = usage,
        .options = options,
        .option_count = 2,
        .word_count_min = 1,
        .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    if (!is_id(line.words[0])) {
        return rwd_ctl_fail(RWD_CTL_USAGE,
            "%s: an id is a lower-case letter, then letters, digits, _ or -", line.words[0]);
    }
    const char *name = options[0].value != NULL ? options[0].value : "score";
    const struct rwd_rule_template *template = find_template(name);
    if (template == NULL) {
        struct rwd_buffer names = {0};
        for (const struct rwd_rule_template *at = rwd_rule_templates; at->name != NULL; at++) {
            rwd_buffer_put_format(&names, "%s%s", names.size > 0 ? ", " : "", at->name);
        }
        code = rwd_ctl_fail(
            RWD_CTL_USAGE, "--template %s: there are %s", name, rwd_buffer_c_string(&names));
        rwd_buffer_finish(&names);
        return code;
    }
    return write_rule(options[1].value != NULL ? options[1].value : ctl->config->rules_dir,
        line.words[0], template);
}
