#include "engine/players.h"

#include "base/check.h"
#include "base/memory.h"

#include <string.h>

enum { BUCKET_COUNT_LEAST = 1024, LOAD_ARENA_CHUNK = 64 << 10, LOAD_ARENA_MAX = 256 << 20 };

/* Doubly linked through older and newer; first is the oldest. */
struct list {
    struct rwd_player *first;
    struct rwd_player *last;
    size_t count;
};

struct rwd_players {
    struct rwd_store_reader *reader;
    struct rwd_player **buckets;
    size_t bucket_count;
    size_t count;
    struct list urgent;
    struct list dirty;
    struct list clean; /* by last use */
    struct rwd_arena arena;
    uint64_t loaded;
};

static void push(struct list *list, struct rwd_player *player)
{
    player->older = list->last;
    player->newer = NULL;
    if (list->last != NULL) {
        list->last->newer = player;
    } else {
        list->first = player;
    }
    list->last = player;
    list->count++;
}

static void cut(struct list *list, struct rwd_player *player)
{
    *(player->older != NULL ? &player->older->newer : &list->first) = player->newer;
    *(player->newer != NULL ? &player->newer->older : &list->last) = player->older;
    list->count--;
}

static struct list *list_of(struct rwd_players *players, const struct rwd_player *player)
{
    return player->urgent ? &players->urgent : player->dirty ? &players->dirty : &players->clean;
}

struct rwd_players *rwd_players_create(struct rwd_store_reader *reader)
{
    struct rwd_players *players = rwd_new(sizeof *players);
    players->reader = reader;
    players->bucket_count = BUCKET_COUNT_LEAST;
    players->buckets = rwd_new(players->bucket_count * sizeof(struct rwd_player *));
    rwd_arena_init(&players->arena, LOAD_ARENA_CHUNK, LOAD_ARENA_MAX);
    return players;
}

void rwd_players_destroy(struct rwd_players *players)
{
    if (players == NULL) {
        return;
    }
    for (size_t i = 0; i < players->bucket_count; i++) {
        struct rwd_player *player = players->buckets[i];
        while (player != NULL) {
            struct rwd_player *next = player->next_in_bucket;
            rwd_player_destroy(player);
            player = next;
        }
    }
    rwd_arena_finish(&players->arena);
    rwd_free(players->buckets);
    rwd_free(players);
}

static struct rwd_player **bucket_of(const struct rwd_players *players, uint64_t fingerprint)
{
    /* The low bits chose the shard. */
    return &players->buckets[(fingerprint >> 8) & (players->bucket_count - 1)];
}

static void widen(struct rwd_players *players)
{
    struct rwd_player **old = players->buckets;
    size_t old_count = players->bucket_count;
    players->bucket_count *= 2;
    players->buckets = rwd_new(players->bucket_count * sizeof(struct rwd_player *));
    for (size_t i = 0; i < old_count; i++) {
        struct rwd_player *player = old[i];
        while (player != NULL) {
            struct rwd_player *next = player->next_in_bucket;
            struct rwd_player **bucket = bucket_of(players, player->fingerprint);
            player->next_in_bucket = *bucket;
            *bucket = player;
            player = next;
        }
    }
    rwd_free(old);
}

static void add(struct rwd_players *players, struct rwd_player *player)
{
    if (players->count >= players->bucket_count) {
        widen(players);
    }
    struct rwd_player **bucket = bucket_of(players, player->fingerprint);
    player->next_in_bucket = *bucket;
    *bucket = player;
    players->count++;
    push(&players->clean, player);
}

static enum rwd_status load(struct rwd_players *players, struct rwd_text user_id,
    uint64_t fingerprint, struct rwd_player **player, struct rwd_error *error)
{
    struct rwd_player_row row;
    struct rwd_seen_row *seen = NULL;
    size_t seen_count = 0;
    enum rwd_status status = rwd_store_player(
        players->reader, user_id, &players->arena, &row, &seen, &seen_count, error);
    if (status == RWD_OK) {
        status = rwd_player_decode(user_id, fingerprint, row.state, player);
        for (size_t i = 0; status == RWD_OK && i < seen_count; i++) {
            status = rwd_player_seen_load(*player, seen[i].fingerprints);
            if (status != RWD_OK) {
                rwd_player_destroy(*player);
            }
        }
        if (status != RWD_OK) {
            (void)rwd_fail(error, status,
                "the store's row of player '%.*s' cannot be read: rebuild the store from the "
                "journal",
                RWD_TEXT_ARGS(user_id));
        } else {
            add(players, *player);
            players->loaded++;
        }
    }
    rwd_arena_reset(&players->arena, LOAD_ARENA_CHUNK);
    return status;
}

enum rwd_status rwd_players_find(struct rwd_players *players, struct rwd_text user_id,
    uint64_t fingerprint, struct rwd_player **player, struct rwd_error *error)
{
    for (struct rwd_player *at = *bucket_of(players, fingerprint); at != NULL;
         at = at->next_in_bucket) {
        if (at->fingerprint == fingerprint && rwd_text_equal(rwd_player_user_id(at), user_id)) {
            if (!at->dirty && players->clean.last != at) {
                cut(&players->clean, at);
                push(&players->clean, at);
            }
            *player = at;
            return RWD_OK;
        }
    }
    return load(players, user_id, fingerprint, player, error);
}

void rwd_players_foresee(const struct rwd_players *players, uint64_t fingerprint,
    uint64_t event_fingerprint, unsigned step)
{
    struct rwd_player **bucket = bucket_of(players, fingerprint);
    if (step == 0) {
        __builtin_prefetch(bucket);
        return;
    }
    /* The first of a bucket is mostly the only one. */
    const struct rwd_player *player = *bucket;
    if (player == NULL) {
        return;
    }
    if (step == 1) {
        __builtin_prefetch(player);
        __builtin_prefetch(&player->rules);
        __builtin_prefetch(&player->dirty);
    } else if (step == 2) {
        __builtin_prefetch(player->user_id);
        __builtin_prefetch(player->rules);
        rwd_player_seen_foresee(player);
    } else {
        rwd_player_seen_foresee_slot(player, event_fingerprint);
    }
}

enum rwd_status rwd_players_get(struct rwd_players *players, struct rwd_text user_id,
    uint64_t fingerprint, struct rwd_player **player, struct rwd_error *error)
{
    enum rwd_status status = rwd_players_find(players, user_id, fingerprint, player, error);
    if (status == RWD_NOT_FOUND) {
        *player = rwd_player_create(user_id, fingerprint);
        add(players, *player);
        return RWD_OK;
    }
    return status;
}

void rwd_players_mark_dirty(
    struct rwd_players *players, struct rwd_player *player, uint64_t epoch, bool urgent)
{
    if (player->dirty && (player->urgent || !urgent)) {
        return;
    }
    cut(list_of(players, player), player);
    if (!player->dirty) {
        player->dirty_epoch = epoch;
    }
    player->dirty = true;
    player->urgent |= urgent;
    push(list_of(players, player), player);
}

/* Both lists are in the order of becoming dirty, so one that was taken already has only such behind
 * it, or newcomers that can wait. */
static struct rwd_player *first_not_taken(const struct list *list, uint64_t epoch)
{
    return list->first != NULL && list->first->saved_epoch != epoch ? list->first : NULL;
}

struct rwd_player *rwd_players_take_dirty(struct rwd_players *players, uint64_t epoch)
{
    struct rwd_player *player = first_not_taken(&players->urgent, epoch);
    if (player == NULL) {
        player = first_not_taken(&players->dirty, epoch);
    }
    if (player != NULL) {
        cut(list_of(players, player), player);
        player->dirty = false;
        player->urgent = false;
        player->saved_epoch = epoch;
        push(&players->clean, player);
    }
    return player;
}

uint64_t rwd_players_dirty_since(const struct rwd_players *players, uint64_t none)
{
    /* The dirty list is in order; an urgent player may have been dirty for long. */
    uint64_t since = players->dirty.first != NULL ? players->dirty.first->dirty_epoch : none;
    for (const struct rwd_player *at = players->urgent.first; at != NULL; at = at->newer) {
        since = at->dirty_epoch < since ? at->dirty_epoch : since;
    }
    return since;
}

size_t rwd_players_evict(struct rwd_players *players, size_t count_max, uint64_t committed_epoch)
{
    size_t evicted = 0;
    struct rwd_player *player = players->clean.first;
    while (players->count > count_max && player != NULL) {
        struct rwd_player *newer = player->newer;
        if (player->saved_epoch <= committed_epoch) {
            struct rwd_player **link = bucket_of(players, player->fingerprint);
            while (*link != player) {
                link = &(*link)->next_in_bucket;
            }
            *link = player->next_in_bucket;
            cut(&players->clean, player);
            players->count--;
            rwd_player_destroy(player);
            evicted++;
        }
        player = newer;
    }
    return evicted;
}

size_t rwd_players_count(const struct rwd_players *players)
{
    return players->count;
}

size_t rwd_players_dirty_count(const struct rwd_players *players)
{
    return players->urgent.count + players->dirty.count;
}

size_t rwd_players_urgent_count(const struct rwd_players *players)
{
    return players->urgent.count;
}

uint64_t rwd_players_loaded_count(const struct rwd_players *players)
{
    return players->loaded;
}
