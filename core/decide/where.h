/*
 * where: does a rule's declarative part let this event through? Asked before Lua is entered. Pure.
 */
#ifndef RWD_DECIDE_WHERE_H
#define RWD_DECIDE_WHERE_H

#include "domain/decision.h"

/* False with the first key that refuses in *verdict. geo and platform are the event's own, or else
 * the player's last known. */
bool rwd_where_holds(const struct rwd_rule *rule, const struct rwd_event *event,
    const struct rwd_profile *profile, enum rwd_rule_verdict *verdict);

#endif
