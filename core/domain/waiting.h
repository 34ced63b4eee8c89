/*
 * waiting: the events of one player that rules with order = "event_time" have yet to decide.
 *
 * A list of the player's own, by event time and, at the same time, by event id: the order in which
 * such rules see them, however they arrived. It is stored with the player; apply alone changes it,
 * live and in replay. When an event leaves it is decide/release.h's business.
 *
 * Threads:   a player belongs to its shard.
 * Ownership: the list owns its events; what find and oldest answer is borrowed until it changes.
 */
#ifndef RWD_DOMAIN_WAITING_H
#define RWD_DOMAIN_WAITING_H

#include "base/wire.h"
#include "domain/player.h"

struct rwd_waiting_event {
    int64_t event_ms;
    int64_t ingest_ms;    /* when it came: it waits the reorder window from then on at most */
    uint64_t fingerprint; /* of its id */
    struct rwd_text event_id;
    struct rwd_text raw; /* the event's bytes as they came */
    /* Who waits, in the order the rules were asked: exactly these decide it when it leaves, so that
     * a switch of rules meanwhile lets none decide it twice. */
    uint32_t *rule_nos;
    size_t rule_count;
    bool held; /* see hold; not stored */
};

/* Behind player->waiting, which is NULL where nothing waits. */
struct rwd_waiting {
    struct rwd_waiting_event *events;
    size_t count;
    size_t capacity;
    size_t size; /* bytes of all raw events */
};

/* Copies all of the event. */
void rwd_waiting_add(struct rwd_player *player, const struct rwd_waiting_event *event);
/* It has to be there. */
void rwd_waiting_remove(struct rwd_player *player, int64_t event_ms, uint64_t fingerprint);
/* Time alone does not make it due, if it waits at all: for history that knows when it was. */
void rwd_waiting_hold(struct rwd_player *player, int64_t event_ms, uint64_t fingerprint);
/* NULL: it does not wait. */
const struct rwd_waiting_event *rwd_waiting_find(
    const struct rwd_player *player, int64_t event_ms, uint64_t fingerprint);
size_t rwd_waiting_count(const struct rwd_player *player);
/* When the one that has waited longest came; 0: nothing waits, INT64_MAX: all of it is held. */
int64_t rwd_waiting_since_ms(const struct rwd_player *player);
bool rwd_waiting_has_rule(const struct rwd_waiting_event *event, uint32_t rule_no);

void rwd_waiting__encode(const struct rwd_waiting *waiting, struct rwd_buffer *out);
/* Sets player->waiting. */
void rwd_waiting__decode(struct rwd_wire *wire, struct rwd_player *player);
void rwd_waiting__destroy(struct rwd_waiting *waiting);

#endif
