/*
 * explain_player: a player's latest decisions as sentences: events and what rules made of them,
 * and what became of rewards, oldest first, as one tells a story.
 *
 * Pure: JSON text in, text out.
 */
#ifndef RWD_CTL_EXPLAIN_PLAYER_H
#define RWD_CTL_EXPLAIN_PLAYER_H

#include "base/text.h"

/* items: the array of GET /v1/players/{id}/decisions, newest first. INVALID: it is none. */
RWD_MUST_USE enum rwd_status rwd_explain_put_player(
    struct rwd_text items, struct rwd_buffer *out, struct rwd_error *error);

#endif
