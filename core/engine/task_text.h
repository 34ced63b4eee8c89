/*
 * task_text: a reward task as JSON: for its row, the API and the partner.
 */
#ifndef RWD_ENGINE_TASK_TEXT_H
#define RWD_ENGINE_TASK_TEXT_H

#include "domain/task.h"

/* {"type":"bonus_cash","amount":"2.00","currency":"EUR","wagering":15} */
void rwd_reward_put_json(const struct rwd_reward *reward, struct rwd_buffer *out);
/* What the partner may hold the player to: {"wagering":15,"expires_in":86400} */
void rwd_constraints_put_json(const struct rwd_reward *reward, struct rwd_buffer *out);
/* "2.00", or "0" where it costs nothing. */
void rwd_cost_put(const struct rwd_reward *reward, struct rwd_buffer *out);

#endif
