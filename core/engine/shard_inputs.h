/*
 * shard_inputs: the shard's dealings that are not about deciding. Private to the engine.
 */
#ifndef RWD_ENGINE_SHARD_INPUTS_H
#define RWD_ENGINE_SHARD_INPUTS_H

#include "domain/config.h"
#include "engine/batch.h"
#include "engine/directory.h"
#include "script/ruleset.h"

struct rwd_sandbox_limits rwd_engine__sandbox_limits(const struct rwd_config *config);
struct rwd_ruleset_limits rwd_engine__ruleset_limits(const struct rwd_config *config);

/* GET /v1/players/{id}'s answer (spec 10). */
void rwd_engine__put_player(
    const struct rwd_player *player, const struct rwd_directory *directory, struct rwd_buffer *out);

/* Puts a pool, as a restart finds it, and fills in row->pool_no. INVALID, CONFLICT, LIMIT: see
 * rwd_pools_put. */
RWD_MUST_USE enum rwd_status rwd_engine__put_budget(
    struct rwd_pools *pools, struct rwd_budget_row *row, struct rwd_error *error);
/* The same before the row is journaled, and, for all that were accepted of a batch, when it is
 * durable: see rwd_pools_announce. */
RWD_MUST_USE enum rwd_status rwd_engine__announce_budget(
    struct rwd_pools *pools, struct rwd_budget_row *row, struct rwd_error *error);
void rwd_engine__settle_budgets(struct rwd_pools *pools, const struct rwd_batch *batch);

#endif
