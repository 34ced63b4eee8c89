/*
 * aggregate: what a rule's aggregates = {...} are worth at one event, and what the event adds to
 * them.
 *
 * Sums, minima and maxima are kept as whole numbers scaled by 10^6, so they do not depend on the
 * order in which events come. Pure; apply_aggregate is for apply alone.
 */
#ifndef RWD_DECIDE_AGGREGATE_H
#define RWD_DECIDE_AGGREGATE_H

#include "domain/decision.h"

/* *has_update false: the event has nothing at that path. */
void rwd_aggregate_read(const struct rwd_rule_aggregate *declared, const struct rwd_event *event,
    const struct rwd_player_rule *rule, struct rwd_aggregate_update *update, bool *has_update,
    struct rwd_scalar *value);

void rwd_aggregate_apply(
    struct rwd_player_rule *rule, const struct rwd_aggregate_update *update, int64_t event_ms);

/* Minutes, hours or days since 1970. */
uint32_t rwd_window_bucket(enum rwd_window window, int64_t time_ms);

#endif
