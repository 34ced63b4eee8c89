/*
 * player_codec: the piece of a player's encoding that decisions share. Private to the domain room.
 */
#ifndef RWD_DOMAIN_PLAYER_CODEC_H
#define RWD_DOMAIN_PLAYER_CODEC_H

#include "base/wire.h"
#include "domain/player.h"

void rwd_profile__encode(const struct rwd_profile *profile, struct rwd_buffer *out);
void rwd_profile__decode(struct rwd_wire *wire, struct rwd_profile *profile);
/* A counted string into a fixed array; one that does not fit fails the wire. */
void rwd_wire__string(struct rwd_wire *wire, char *out, size_t capacity);

#endif
