/*
 * rule_new: a rule and its test from a template, to start from.
 *
 * Templates are scripts/templates/<name>.lua and <name>_test.lua, with @ID@ where the rule's id
 * goes; they are built into the program.
 *
 * Pure data.
 */
#ifndef RWD_CTL_RULE_NEW_H
#define RWD_CTL_RULE_NEW_H

struct rwd_rule_template {
    const char *name; /* NULL: past the last */
    const char *rule;
    const char *tests;
};

extern const struct rwd_rule_template rwd_rule_templates[];

#endif
