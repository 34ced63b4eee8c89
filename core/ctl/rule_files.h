/*
 * rule_files: rule files on disk, loaded and tested as the daemon would, but with no daemon.
 *
 * Threads: runs rules in a thread of its own with the stack they need (script/sandbox.h).
 */
#ifndef RWD_CTL_RULE_FILES_H
#define RWD_CTL_RULE_FILES_H

#include "ctl/ctl.h"

/* path: a folder of <id>/<version>.lua, with the formulas and experiments that they name, or one
 * such file. What rules name is looked for beside them, then in rules.dir. Prints file:line for
 * every error, the report of tests that fail (with verbose: of all), and last "N passed, N failed",
 * where a rule that loads is one and each of its tests is one. RWD_CTL_FAILED where anything
 * failed. */
int rwd_rule_files_check(struct rwd_ctl *ctl, const char *path, bool verbose);

/* The same, verbose, and how much of each rule's file its tests ran: the lines that did not, and
 * the part that did. RWD_CTL_FAILED too where one is below threshold per cent; a rule without tests
 * is measured like one whose tests run nothing. */
int rwd_rule_files_cover(struct rwd_ctl *ctl, const char *path, unsigned threshold);

#endif
