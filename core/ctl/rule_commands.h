/*
 * rule_commands: the author's commands below `rewardctl rules`, each in a file of its own.
 *
 * They read files, or ask the daemon where it says so; argv[0] is the command's own name, and each
 * prints its help for --help.
 */
#ifndef RWD_CTL_RULE_COMMANDS_H
#define RWD_CTL_RULE_COMMANDS_H

#include "base/text.h"
#include "ctl/ctl.h"

int rwd_ctl_rules_new(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules_bench(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules_diff(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules_backtest(struct rwd_ctl *ctl, int argc, char **argv);

/* Of "ID@VERSION" the file below rules_dir; of anything else itself. */
void rwd_ctl_rule_path(const char *rules_dir, const char *word, struct rwd_buffer *path);

#endif
