/*
 * sim: a whole engine in one thread, from one seed. See sim_engine.c.
 *
 *   house.c     opens it, loses it, and what a power cut leaves of the disk
 *   install.c   budgets, rules and configuration
 *   clients.c   users, who act, and repeat what was not answered
 *   partner.c   the dispatcher's part, and a partner with books of its own
 *   people.c    who drop dead letters, approve or reject what is held for review, raise a budget
 *   books.c     what must hold at the end, worked out from the events alone
 *
 * Threads: one. Errors: MUST ends the program and says which seed repeats it.
 */
#ifndef RWD_TESTS_SIM_H
#define RWD_TESTS_SIM_H

#include "../unit/chance.h"
#include "engine/engine_private.h"
#include "engine/records.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    USER_COUNT = 100,
    EVENT_COUNT_MAX = 4000,
    DELIVERY_COUNT_MAX = 64, /* under way at the same time */
    TASK_COUNT_MAX = 4000,
    BATCH_COUNT_MAX = 256,
    BATCH_EVENT_COUNT_MAX = 6,
    SEGMENT_SIZE = 1 << 20,
    WIDE_SOFT_CAP_MINOR = 400,
    SHARD_HOT_COUNT_MAX = 32, /* of engine.hot_player_count_max, half */
    TIGHT_CAP_MINOR = 15,     /* at first; a spin costs 10 */
};

static const int64_t noon_ms = 1763208000000; /* 2025-11-15T12:00:00Z */

enum { RULE_COUNT = 3 };

enum kind { BET, KYC, EXCLUSION, LIFTED };

struct sim_event {
    enum kind kind;
    uint32_t user;
    int64_t time_ms;
    int64_t stake;
    bool under_way; /* in a batch, unanswered */
    bool answered;  /* accepted or known */
};

struct sim_user {
    bool excluded; /* the exclusion was answered, and no lifting was sent since */
    const struct sim_event *rg_event; /* sent and not answered yet: either may be true */
    bool verified;
};

enum delivery_state { FREE, CLAIMING, SENDING, REPORTING };

struct delivery {
    enum delivery_state state;
    struct rwd_task_id id;
    uint32_t user;
    uint32_t attempts;
    bool excluded; /* when the claim was posted */
    enum rwd_task_command_kind result;
};

/* What the partner knows: its own books, which no crash of ours touches. */
struct request {
    struct rwd_task_id id;
    uint32_t times;
    bool paid;
    bool refused;
};

struct sim {
    uint64_t seed;
    struct chance chance;
    int64_t passed_ns;
    char folder[64];
    struct rwd_config *config;
    struct rwd_shared_rule *rules[RULE_COUNT];
    struct rwd_engine *engine;
    struct rwd_mailbox *client;
    struct rwd_mailbox *desk;   /* the dispatcher's part */
    struct rwd_mailbox *office; /* people's */
    struct rwd_batch *batches[BATCH_COUNT_MAX];
    size_t batch_count;
    struct sim_event *events;
    size_t event_count;
    struct sim_user users[USER_COUNT];
    struct delivery deliveries[DELIVERY_COUNT_MAX];
    struct request *requests;
    size_t request_count;
    int64_t tight_cap_minor; /* as it was answered last; it only grows */
    bool cap_under_way;
    struct rwd_arena arena;
    struct rwd_error error;
    uint64_t crashes, torn, stores_lost, sent;
};

#define MUST(sim, condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "sim: seed %llu: ", (unsigned long long)(sim)->seed);            \
            (void)fprintf(stderr, __VA_ARGS__);                                                    \
            (void)fprintf(stderr, " (%s)\n", #condition);                                          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
#define MUST_OK(sim, call) MUST(sim, (call) == RWD_OK, "%s", (sim)->error.text)

/* house.c */
int64_t sim_wall_ms(void *sim);
void sim_pass_ms(struct sim *sim, int64_t ms);
/* Opened and recovered as the process does it; no room has had a turn yet. */
void sim_open_house(struct sim *sim);
/* Gives the shards their rules, as the keeper does once their record is durable. */
void sim_tell_shards(struct sim *sim);
/* Every room once, along the way of the data. */
void sim_walk(struct sim *sim);
/* Everything in memory is gone: what the rooms hold, and what was on its way between them. */
void sim_lose_memory(struct sim *sim);
void sim_lose_store(struct sim *sim);
/* The power fails, maybe in the middle of a commit, and comes back. */
void sim_crash(struct sim *sim, bool with_store);
/* Known until free, so that a crash finds it wherever it is. */
struct rwd_batch *sim_new_batch(struct sim *sim, uint32_t shard, struct rwd_mailbox *home);
void sim_free_batch(struct sim *sim, struct rwd_batch *batch);
void sim_submit(struct sim *sim, struct rwd_batch *batch);

/* install.c */
void sim_load_config(struct sim *sim);
void sim_load_rules(struct sim *sim);
void sim_put_budget(
    struct sim *sim, struct rwd_text pool_id, int64_t hard_cap_minor, int64_t soft_cap_minor);
void sim_put_rules(struct sim *sim);
const char *sim_rule_id(uint32_t rule_no);

/* clients.c */
struct sim_event *sim_new_event(struct sim *sim, enum kind kind, uint32_t user);
void sim_act(struct sim *sim);
void sim_send_events(struct sim *sim);
void sim_read_answers(struct sim *sim);
/* id: "u" and the number. */
uint64_t sim_fingerprint_of(const struct sim *sim, uint32_t user, char id[8]);

/* partner.c */
void sim_dispatch(struct sim *sim);
struct request *sim_request_of(struct sim *sim, struct rwd_task_id id);

/* people.c */
void sim_people(struct sim *sim);
/* All dead letters that the store has, end to end. */
struct rwd_buffer sim_letter_bytes(struct sim *sim);

/* books.c */
void sim_check_caps(struct sim *sim);
void sim_check_books(struct sim *sim);
/* What the store has of every player, end to end. */
struct rwd_buffer sim_player_bytes(struct sim *sim);

#endif
