/*
 * keeper_answers: the keeper's rules as JSON, and what they are kept as. Private to the engine.
 */
#ifndef RWD_ENGINE_KEEPER_ANSWERS_H
#define RWD_ENGINE_KEEPER_ANSWERS_H

#include "engine/directory.h"
#include "script/rulebook.h"

enum rwd_keeper_state {
    RWD_KEEPER_REGISTERED,
    RWD_KEEPER_ACTIVE,
    RWD_KEEPER_RETIRED,
    RWD_KEEPER_SUSPENDED, /* active, but resting after too many errors */
};
const char *rwd_keeper_state_name(enum rwd_keeper_state state);
/* What is not known is registered: it decides nothing. */
enum rwd_keeper_state rwd_keeper_state_parse(struct rwd_text name);

/* Has its rule's place in the rulebook. */
bool rwd_keeper_in_force(enum rwd_keeper_state state);

struct rwd_keeper_version {
    struct rwd_directory_entry names;
    enum rwd_keeper_state state;
    char *source;
    size_t source_size;
    char *source_name;
    int64_t registered_ms;
    int64_t since_ms;
    struct rwd_shared_rule *shared; /* NULL: not loaded */
};

struct rwd_keeper_error {
    char *file;
    char *text;
};

void rwd_keeper_put_version(const struct rwd_keeper_version *version, struct rwd_buffer *out);
/* False: no such rule. */
bool rwd_keeper_put_rule(const struct rwd_keeper_version *versions, size_t count,
    struct rwd_text rule_id, struct rwd_buffer *out);
/* {"items":[...],"errors":[{"file","error"}]} */
void rwd_keeper_put_rules(const struct rwd_keeper_version *versions, size_t count,
    const struct rwd_keeper_error *errors, size_t error_count, struct rwd_buffer *out);

#endif
