/* rewardctl: the command line of rewardd. */
#include "ctl/ctl.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: rewardctl [-c engine.conf] [--url http://127.0.0.1:8080] COMMAND ...\n"
    "\n"
    "read files; rewardd may be running or not\n"
    "  journal verify        every checksum and every link of the chain\n"
    "  journal cat           the journal's records as JSON, one a line\n"
    "  rules new, check, test, bench, backtest, diff\n"
    "                        write a rule and try it: rewardctl rules --help\n"
    "\n"
    "ask the running rewardd\n"
    "  rules list, status    rules, the state of their versions, what each gave\n"
    "  rules shadow, activate, ramp, rollback, retire, deploy\n"
    "                        bring a version to players, or take it back\n"
    "  experiments           what is measured, and what it says\n"
    "  explain EVENT_ID      why a reward was or was not given; --user ID: a player's latest\n"
    "  tasks                 reward tasks\n"
    "  holds                 rewards that wait, and for what\n"
    "  approve, reject       decide on a reward under review\n"
    "  dead-letters          what could not be taken in or delivered\n"
    "  budgets               what is spent, reserved and free\n"
    "\n"
    "  -c, --config FILE     default: engine.conf here, where there is one\n"
    "  --url URL             default: what <data.dir>/rewardd.port says\n"
    "  --version, --help     also: rewardctl COMMAND --help\n";

static const struct {
    const char *name;
    int (*run)(struct rwd_ctl *ctl, int argc, char **argv);
} commands[] = {
    {"journal", rwd_ctl_journal},
    {"rules", rwd_ctl_rules},
    {"experiments", rwd_ctl_experiments},
    {"explain", rwd_ctl_explain},
    {"tasks", rwd_ctl_tasks},
    {"holds", rwd_ctl_holds},
    {"approve", rwd_ctl_approve},
    {"reject", rwd_ctl_reject},
    {"dead-letters", rwd_ctl_dead_letters},
    {"budgets", rwd_ctl_budgets},
};

static int run_command(struct rwd_ctl *ctl, int argc, char **argv)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, argv[0]) == 0) {
            return commands[i].run(ctl, argc, argv);
        }
    }
    return rwd_ctl_fail(
        RWD_CTL_USAGE, "there is no command \"%s\"; rewardctl --help lists them", argv[0]);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
        {"url", required_argument, NULL, 'u'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'}, {0}};
    struct rwd_ctl ctl = {0};
    const char *path = access("engine.conf", R_OK) == 0 ? "engine.conf" : NULL;
    int letter = 0;
    /* '+': what follows the command is the command's. */
    while ((letter = getopt_long(argc, argv, "+c:hV", longs, NULL)) != -1) {
        switch (letter) {
        case 'c':
            path = optarg;
            break;
        case 'u':
            ctl.url = optarg;
            break;
        case 'h':
            (void)fputs(usage, stdout);
            return RWD_CTL_OK;
        case 'V':
            (void)puts("rewardctl " RWD_VERSION);
            return RWD_CTL_OK;
        default:
            (void)fputs(usage, stderr);
            return RWD_CTL_USAGE;
        }
    }
    if (optind == argc) {
        (void)fputs(usage, stderr);
        return RWD_CTL_USAGE;
    }
    struct rwd_config *config = NULL;
    struct rwd_error error = {0};
    if (rwd_config_load(path, NULL, 0, &config, &error) != RWD_OK) {
        return rwd_ctl_fail(RWD_CTL_USAGE, "%s", error.text);
    }
    ctl.config = config;
    int code = run_command(&ctl, argc - optind, argv + optind);
    rwd_config_destroy(config);
    if (fflush(stdout) != 0 && code == RWD_CTL_OK) {
        code = rwd_ctl_fail(RWD_CTL_FAILED, "the output could not be written");
    }
    return code;
}
