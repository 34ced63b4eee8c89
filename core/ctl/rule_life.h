/*
 * rule_life: rewardctl's commands on the life of rule versions; all of them ask the daemon.
 */
#ifndef RWD_CTL_RULE_LIFE_H
#define RWD_CTL_RULE_LIFE_H

#include "ctl/ctl.h"

struct cJSON;
struct rwd_ctl_table;

/* "90 %": of the active version what its canary leaves it. */
void rwd_ctl_put_share(
    struct rwd_ctl_table *table, const struct cJSON *rule, const struct cJSON *version);

int rwd_ctl_rules_status(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules_activate(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules_shadow(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules_retire(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules_rollback(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules_ramp(struct rwd_ctl *ctl, int argc, char **argv);
int rwd_ctl_rules_deploy(struct rwd_ctl *ctl, int argc, char **argv);

#endif
