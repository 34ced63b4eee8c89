/*
 * dsl: what is being loaded while a file of Lua runs. Internal to script/.
 */
#ifndef RWD_SCRIPT_DSL_H
#define RWD_SCRIPT_DSL_H

#include "script/fields.h"

struct rwd_formula_shelf;

struct rwd_dsl {
    struct rwd_text source;
    struct rwd_rule *rule; /* to be filled; NULL: only the functions are wanted */
    struct rwd_rule_tests *tests;
    bool want_tests; /* the file must return tests{...}, not rule{...} */
    bool of_formula; /* and they are a formula's: their table goes to RWD_SLOT_CASES */
    bool done;
    const struct rwd_formula_shelf *shelf; /* NULL: there are no formulas */
    size_t formula_count;                  /* taken so far */
    size_t formula_size;                   /* of their files */
    const char *wanted;      /* "id@version" of the formula that a rule takes; NULL: none does */
    struct rwd_error broken; /* a formula could not be taken; "": none */
};

/* Runs the file in vm: rule{...} fills *dsl and leaves its functions in their slots, frozen. */
RWD_MUST_USE enum rwd_status rwd_dsl_run(
    struct rwd_vm *vm, struct rwd_dsl *dsl, struct rwd_error *error);
/* The same inside a protected call; raises. */
void rwd_dsl_run_file(lua_State *L, struct rwd_dsl *dsl);
/* Everything in rule{...} but the functions; raises. */
void rwd_dsl_read_rule(const struct rwd_fields *fields, struct rwd_rule *rule);
/* Everything in experiment{...}; raises. */
void rwd_dsl_read_experiment(const struct rwd_fields *fields, struct rwd_rule *rule);
/* experiment{...}, for the environment. */
int rwd_dsl_experiment(lua_State *L);
/* formula{...} and formula "id@version", for the environment. */
int rwd_dsl_formula(lua_State *L);
/* The names that the file sees: a formula's are fewer. */
enum rwd_vm_slot rwd_dsl_environment(lua_State *L, const struct rwd_dsl *dsl);
/* What rule{...} and its like return. */
void rwd_dsl_push_declared(lua_State *L);
/* The field's function goes into slot; false: there is none. Raises where it is no function. */
bool rwd_dsl_take_function(const struct rwd_fields *fields, const char *key, enum rwd_vm_slot slot);

/* Lower-case names of files and keys: no dots, no slashes, nothing to escape. */
bool rwd_dsl_is_id(struct rwd_text text);
/* "2.0.0": three numbers without leading zeros. */
bool rwd_dsl_is_version(const char *text);
/* The value at index as JSON with sorted keys; raises where it is no data. */
void rwd_dsl_put_json(lua_State *L, int index, struct rwd_buffer *out);

/* What is no rule asks for no event, and guards nothing. */
void rwd_dsl_decides_nothing(struct rwd_rule *rule);

/* What the kinds have in common; each raises. */
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
