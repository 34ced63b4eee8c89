/*
 * ctl: what the commands of rewardctl share: where things are, and how a command ends.
 *
 * Two kinds of command: those that read files (journal, rules check) work with the daemon running,
 * stopped or broken; the others ask the running daemon over its HTTP API.
 *
 * Threads:   one, but for rules check, which needs a big stack for rule code.
 * Ownership: main owns the context; commands borrow it.
 */
#ifndef RWD_CTL_CTL_H
#define RWD_CTL_CTL_H

#include "domain/config.h"

enum rwd_ctl_exit {
    RWD_CTL_OK = 0,
    RWD_CTL_FAILED = 1, /* the answer is no, or there is none */
    RWD_CTL_USAGE = 2,  /* not understood: nothing was done */
};

struct rwd_ctl {
    const struct rwd_config *config; /* of -c, else of ./engine.conf, else the defaults */
    const char *url;                 /* of --url; NULL: ask the port file */
};

/* argv[0] is the command's own name; each prints its own help for --help. */
int rwd_ctl_journal(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_experiments(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_explain(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_tasks(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_holds(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_approve(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_reject(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_dead_letters(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_budgets(struct rwd_ctl *ctl, int argc, char **argv);

/* Prints "rewardctl: ..." on stderr and returns code. */
int rwd_ctl_fail(int code, const char *format, ...) RWD_PRINTF(2, 3);

#endif
