/*
 * rule_kind: what a file of the rules folder declares: a rule, or something that rules name.
 *
 * All kinds live one life: a file becomes a struct rwd_rule that is tested, numbered, journaled and
 * switched. Each kind but rules has a folder of its own, whose name begins its ids, which no rule's
 * can: "formulas/win_multiple", "experiments/double_points".
 *
 * Pure.
 */
#ifndef RWD_DOMAIN_RULE_KIND_H
#define RWD_DOMAIN_RULE_KIND_H

#include "base/text.h"

/* In the order in which they are taken in: who names another comes behind it. */
enum rwd_rule_kind {
    RWD_KIND_FORMULA,    /* a function that rules call; its versions stand side by side */
    RWD_KIND_EXPERIMENT, /* arms that rules ask for: domain/experiment.h */
    RWD_KIND_RULE,
};
enum { RWD_KIND_COUNT = RWD_KIND_RULE + 1 };

#define RWD_FORMULA_ID_PREFIX "formulas/"
#define RWD_EXPERIMENT_ID_PREFIX "experiments/"

enum rwd_rule_kind rwd_rule_kind_of(struct rwd_text rule_id);
/* "formula", "experiment", "rule" */
const char *rwd_rule_kind_name(enum rwd_rule_kind kind);
/* "formulas/", "experiments/", "" */
const char *rwd_rule_kind_prefix(enum rwd_rule_kind kind);
/* "win_multiple" in "formulas/win_multiple"; borrowed from rule_id. */
struct rwd_text rwd_rule_bare_id(const char *rule_id);

#endif
