/*
 * dsl: what is being loaded while a file of Lua runs. Internal to script/.
 */
#ifndef RWD_SCRIPT_DSL_H
#define RWD_SCRIPT_DSL_H

#include "script/fields.h"

struct rwd_dsl {
    struct rwd_text source;
    struct rwd_rule *rule; /* to be filled; NULL: only the functions are wanted */
    struct rwd_rule_tests *tests;
    bool want_tests; /* the file must return tests{...}, not rule{...} */
    bool done;
};

/* Runs the file in vm: rule{...} fills *dsl and leaves its functions in their slots, frozen. */
RWD_MUST_USE enum rwd_status rwd_dsl_run(
    struct rwd_vm *vm, struct rwd_dsl *dsl, struct rwd_error *error);
/* Everything in rule{...} but the functions; raises. */
void rwd_dsl_read_rule(const struct rwd_fields *fields, struct rwd_rule *rule);
/* Everything in experiment{...}; raises. */
void rwd_dsl_read_experiment(const struct rwd_fields *fields, struct rwd_rule *rule);
/* experiment{...}, for the environment. */
int rwd_dsl_experiment(lua_State *L);

/* What a rule and an experiment have in common; each raises. */
void rwd_dsl_read_id(
    const struct rwd_fields *fields, const char *key, bool required, char *out, size_t size);
void rwd_dsl_read_event_name(const struct rwd_fields *fields, const char *key, char *out);
void rwd_dsl_read_version(const struct rwd_fields *fields, struct rwd_rule *rule);
void rwd_dsl_read_active(const struct rwd_fields *parent, struct rwd_rule *rule);
/* key: "where" or "eligible". */
void rwd_dsl_read_where(
    const struct rwd_fields *parent, const char *key, struct rwd_rule_where *where);

/* Does this reward take something from a budget? */
bool rwd_dsl_pays(const struct rwd_reward *reward);
/* NULL, or what law a reward of this rule breaks. */
const char *rwd_dsl_broken_law(const struct rwd_rule *rule, const struct rwd_reward *reward);

#endif
