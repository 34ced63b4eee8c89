/*
 * players: the players of one shard that are in memory.
 *
 * A player is found here or loaded from the store or made; it is dirty from its first change until
 * a checkpoint takes it, and may be evicted once the checkpoint that took it last is committed.
 * Dirty players wait in the order they became dirty, those with reward tasks to store before all
 * others.
 *
 * Threads: the shard's.
 */
#ifndef RWD_ENGINE_PLAYERS_H
#define RWD_ENGINE_PLAYERS_H

#include "domain/player.h"
#include "store/store.h"

struct rwd_players;

/* reader is borrowed. */
struct rwd_players *rwd_players_create(struct rwd_store_reader *reader);
void rwd_players_destroy(struct rwd_players *players);

/* NOT_FOUND: neither in memory nor in the store. CORRUPT, UNAVAILABLE: the store's word. */
RWD_MUST_USE enum rwd_status rwd_players_find(struct rwd_players *players, struct rwd_text user_id,
    uint64_t fingerprint, struct rwd_player **player, struct rwd_error *error);
/* Like find, but makes a new player where there is none. */
RWD_MUST_USE enum rwd_status rwd_players_get(struct rwd_players *players, struct rwd_text user_id,
    uint64_t fingerprint, struct rwd_player **player, struct rwd_error *error);

/* For the events that come after the one at hand: step 0 a good while before, to the last step
 * shortly before. Each brings near what the next one reads; none changes anything. */
enum { RWD_PLAYERS_FORESEE_STEPS = 4 };
void rwd_players_foresee(const struct rwd_players *players, uint64_t fingerprint,
    uint64_t event_fingerprint, unsigned step);

/* The player changed while the shard had posted `epoch` checkpoints. */
void rwd_players_mark_dirty(
    struct rwd_players *players, struct rwd_player *player, uint64_t epoch, bool urgent);
/* The dirty player to be stored next, now clean and saved by checkpoint `epoch`; NULL: none. A
 * player that became dirty again since this checkpoint took it waits for the next one. */
struct rwd_player *rwd_players_take_dirty(struct rwd_players *players, uint64_t epoch);
/* The smallest epoch a dirty player became dirty in; `none` where there is none. */
uint64_t rwd_players_dirty_since(const struct rwd_players *players, uint64_t none);

/* Drops clean players, longest unused first, down to count_max; only those whose last checkpoint is
 * committed. Returns how many. */
size_t rwd_players_evict(struct rwd_players *players, size_t count_max, uint64_t committed_epoch);

size_t rwd_players_count(const struct rwd_players *players);
size_t rwd_players_dirty_count(const struct rwd_players *players);
size_t rwd_players_urgent_count(const struct rwd_players *players);
uint64_t rwd_players_loaded_count(const struct rwd_players *players);

#endif
