/*
 * rule_commands: the author's commands below `rewardctl rules`, each in a file of its own.
 *
 * They read files, or ask the daemon where it says so; argv[0] is the command's own name, and each
 * prints its help for --help.
 */
#ifndef RWD_CTL_RULE_COMMANDS_H
#define RWD_CTL_RULE_COMMANDS_H

#include "ctl/ctl.h"

int rwd_ctl_rules_new(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules_backtest(struct rwd_ctl *ctl, int argc, char **argv);

#endif
