/*
 * keeper_answers: the keeper's rules as JSON. Private to the engine.
 */
#ifndef RWD_ENGINE_KEEPER_ANSWERS_H
#define RWD_ENGINE_KEEPER_ANSWERS_H

#include "engine/keeper.h"
#include "engine/keeper_versions.h"

struct rwd_keeper_error {
    bool in_force; /* a version that is in force and does not load; else of the folder */
    char *file;
    char *text;
};

/* Where and what it is, and what it uses: the answer to whoever changed it. */
void rwd_keeper_put_version(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_version *version, struct rwd_buffer *out);
/* With what its versions gave, which the inquiry brings along, and how they fare. False: no such
 * rule. */
bool rwd_keeper_put_rule(const struct rwd_keeper_options *options,
    const struct rwd_keeper_versions *versions, struct rwd_text rule_id,
    struct rwd_inquiry *inquiry);
/* {"items":[...],"errors":[{"file","error"}]} */
void rwd_keeper_put_rules(const struct rwd_keeper_options *options,
    const struct rwd_keeper_versions *versions, const struct rwd_keeper_error *errors,
    size_t error_count, struct rwd_inquiry *inquiry);

#endif
