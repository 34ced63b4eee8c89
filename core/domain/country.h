/*
 * country: a set of countries, by their ISO 3166 codes of two capitals.
 *
 * Plain data of a fixed size, so that it can lie in what is copied and journaled. All zero: empty.
 */
#ifndef RWD_DOMAIN_COUNTRY_H
#define RWD_DOMAIN_COUNTRY_H

#include "base/wire.h"

enum { RWD_COUNTRY_SET_SIZE = (26 * 26 + 7) / 8 };

struct rwd_country_set {
    uint8_t bits[RWD_COUNTRY_SET_SIZE];
};

/* False: not two capitals; nothing is added. */
bool rwd_country_set_add(struct rwd_country_set *set, struct rwd_text code);
/* False too where code is no code, "" for instance. */
bool rwd_country_set_has(const struct rwd_country_set *set, const char *code);
bool rwd_country_set_empty(const struct rwd_country_set *set);

void rwd_country_set_encode(const struct rwd_country_set *set, struct rwd_buffer *out);
/* Failure shows in wire->failed. */
void rwd_country_set_decode(struct rwd_wire *wire, struct rwd_country_set *set);

#endif
