#include "engine/shadow.h"

#include "base/memory.h"
#include "decide/apply.h"
#include "domain/waiting.h"
#include "engine/user_sample.h"

#include <stdio.h>
#include <string.h>

enum {
    SLOT_COUNT = 2 * RWD_SHADOW_USER_COUNT_MAX, /* at most half full */
    ARENA_CHUNK_SIZE = 16 << 10,
    ARENA_SIZE_MAX = 4 << 20,
};

/* What was given, or would have been. */
struct gift {
    int64_t points;
    int64_t tasks;
    int64_t money_minor;
};

/* One player: its counters under the shadow, and both sides' gifts since they met. */
struct user {
    uint64_t place; /* of the sample; bit 0 set, so 0 is a free slot */
    struct rwd_player_rule own;
    struct gift would;
    struct gift got;
};

struct rwd_shadow {
    uint32_t version_no;
    struct user *users; /* open addressing */
    size_t user_count;
    unsigned halvings;
    struct rwd_pools *play; /* the budgets it would pay from, without an end */
    struct rwd_arena arena;
};

struct rwd_shadow *rwd_shadow_create(uint32_t version_no)
{
    struct rwd_shadow *shadow = rwd_new(sizeof *shadow);
    shadow->version_no = version_no;
    shadow->users = rwd_new(SLOT_COUNT * sizeof shadow->users[0]);
    shadow->play = rwd_pools_create();
    rwd_arena_init(&shadow->arena, ARENA_CHUNK_SIZE, ARENA_SIZE_MAX);
    return shadow;
}

void rwd_shadow_destroy(struct rwd_shadow *shadow)
{
    if (shadow == NULL) {
        return;
    }
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        rwd_player_rule_finish(&shadow->users[i].own);
    }
    rwd_free(shadow->users);
    rwd_pools_destroy(shadow->play);
    rwd_arena_finish(&shadow->arena);
    rwd_free(shadow);
}

uint32_t rwd_shadow_version_no(const struct rwd_shadow *shadow)
{
    return shadow->version_no;
}

/* ---- players ---- */

static struct user *slot_of(struct user *users, uint64_t place)
{
    size_t at = (size_t)(place >> 1) % SLOT_COUNT;
    while (users[at].place != 0 && users[at].place != place) {
        at = (at + 1) % SLOT_COUNT;
    }
    return &users[at];
}

static void thin_out(struct rwd_shadow *shadow)
{
    struct user *old = shadow->users;
    shadow->users = rwd_new(SLOT_COUNT * sizeof shadow->users[0]);
    shadow->user_count = 0;
    shadow->halvings++;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        if (old[i].place == 0) {
            continue;
        }
        if (rwd_user_sample_has(old[i].place, shadow->halvings)) {
            *slot_of(shadow->users, old[i].place) = old[i];
            shadow->user_count++;
        } else {
            rwd_player_rule_finish(&old[i].own);
        }
    }
    rwd_free(old);
}

/* NULL: not in the sample. */
static struct user *meet(struct rwd_shadow *shadow, uint64_t user_fingerprint,
    const struct rwd_player *player, uint32_t rule_no)
{
    uint64_t place = rwd_user_sample_place(user_fingerprint) | 1;
    while (rwd_user_sample_has(place, shadow->halvings)) {
        struct user *user = slot_of(shadow->users, place);
        if (user->place != 0) {
            return user;
        }
        if (shadow->user_count < RWD_SHADOW_USER_COUNT_MAX) {
            const struct rwd_player_rule *known = rwd_player_rule_find(player, rule_no);
            shadow->user_count++;
            *user = (struct user){.place = place, .own = {.rule_no = rule_no}};
            if (known != NULL) {
                rwd_player_rule_copy(known, &user->own);
            }
            return user;
        }
        thin_out(shadow);
    }
    return NULL;
}

/* ---- deciding ---- */

static bool wants(const struct rwd_rule *rule, struct rwd_text event_name)
{
    for (size_t i = 0; i < rule->on_count; i++) {
        if (rwd_text_is(event_name, rule->on[i])) {
            return true;
        }
    }
    return false;
}

/* A shadow keeps no list of events of its own: it is asked when the rule it may replace is. */
static bool is_its_turn(
    const struct rwd_player *player, const struct rwd_decision *decision, uint32_t rule_no)
{
    if (decision->release != RWD_RELEASE_NONE) {
        const struct rwd_waiting_event *waited =
            rwd_waiting_find(player, decision->event_ms, decision->event_fingerprint);
        return waited != NULL && rwd_waiting_has_rule(waited, rule_no);
    }
    return decision->waits == NULL || !rwd_waiting_has_rule(decision->waits, rule_no);
}

/* What a decision gives by one rule. */
static struct gift gift_of(const struct rwd_decision *decision, uint32_t rule_no)
{
    struct gift gift = {0};
    for (size_t i = 0; i < decision->effect_count; i++) {
        if (decision->effects[i].rule_no == rule_no) {
            gift.points += (int64_t)decision->effects[i].points;
        }
    }
    for (size_t i = 0; i < decision->task_count; i++) {
        const struct rwd_task *task = &decision->tasks[i];
        if (task->rule_no == rule_no && task->status != RWD_TASK_DENIED) {
            gift.tasks++;
            gift.money_minor += task->reward.cost.minor;
        }
    }
    return gift;
}

static void add_gift(struct gift *sum, struct gift gift)
{
    sum->points += gift.points;
    sum->tasks += gift.tasks;
    sum->money_minor += gift.money_minor;
}

/* The budget of play money that stands for the rule's real one. */
static void make_play_money(
    struct rwd_shadow *shadow, const struct rwd_pools *pools, const struct rwd_rule *rule)
{
    struct rwd_text budget = rwd_text_of(rule->budget);
    uint32_t pool_no = budget.size > 0 ? rwd_pools_find(pools, budget) : 0;
    if (pool_no != 0 && rwd_pools_find(shadow->play, budget) == 0) {
        struct rwd_pool_terms terms = *rwd_pool_terms(pools, pool_no);
        struct rwd_error error;
        terms.period = RWD_POOL_SEASON; /* one sum without an end */
        terms.hard_cap_minor = INT64_MAX / 2;
        terms.soft_cap_minor = INT64_MAX / 2;
        /* Where it cannot be made its rewards are denied, and count for nothing. */
        (void)!rwd_pools_put(shadow->play, &terms, 0, &pool_no, &error);
    }
}

static void decide(struct rwd_shadow *shadow, const struct rwd_decide_facts *facts,
    const struct rwd_rulebook_entry *entry, const struct rwd_event *event,
    const struct rwd_player *player, const struct rwd_profile *profile, struct user *user)
{
    struct rwd_decide_facts own_facts = *facts;
    struct rwd_decision decision;
    enum rwd_rule_verdict verdict = RWD_RULE_FIRED;
    own_facts.pools = shadow->play;
    make_play_money(shadow, facts->pools, entry->rule);
    enum rwd_status status = rwd_decide_shadow(
        &own_facts, entry, event, player, profile, &user->own, &shadow->arena, &decision, &verdict);
    if (status == RWD_OK) {
        for (size_t i = 0; i < decision.effect_count; i++) {
            rwd_apply_effect(&user->own, &decision.effects[i], event->time_ms);
        }
        user->own.unsaved_count = 0; /* no store waits for them */
        add_gift(&user->would, gift_of(&decision, entry->rule->rule_no));
    }
    rwd_arena_reset(&shadow->arena, ARENA_CHUNK_SIZE);
}

void rwd_shadow_decide(struct rwd_shadow *shadow, const struct rwd_decide_facts *facts,
    const struct rwd_rulebook_entry *entry, const struct rwd_event *event,
    uint64_t user_fingerprint, const struct rwd_player *player, const struct rwd_decision *decision)
{
    uint32_t rule_no = entry->rule->rule_no;
    struct gift got = gift_of(decision, rule_no);
    bool asked = wants(entry->rule, event->name) && is_its_turn(player, decision, rule_no);
    if (!asked && got.points == 0 && got.tasks == 0) {
        return;
    }
    struct user *user = meet(shadow, user_fingerprint, player, rule_no);
    if (user == NULL) {
        return;
    }
    add_gift(&user->got, got);
    if (asked) {
        decide(shadow, facts, entry, event, player,
            decision->profile != NULL ? decision->profile : &player->profile, user);
    }
}

/* ---- counting ---- */

/* Money first: it is what a player counts; points where money is the same. */
static int64_t advantage(const struct user *user)
{
    int64_t money = user->would.money_minor - user->got.money_minor;
    return money != 0 ? money : user->would.points - user->got.points;
}

static void set(_Atomic uint64_t *counter, int64_t value, unsigned halvings)
{
    atomic_store_explicit(counter, (uint64_t)value << halvings, memory_order_relaxed);
}

void rwd_shadow_publish(const struct rwd_shadow *shadow, struct rwd_shadow_counters *counters)
{
    struct gift would = {0};
    struct gift got = {0};
    int64_t winners = 0;
    int64_t losers = 0;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        const struct user *user = &shadow->users[i];
        add_gift(&would, user->would);
        add_gift(&got, user->got);
        winners += advantage(user) > 0;
        losers += advantage(user) < 0;
    }
    set(&counters->sample, 1, shadow->halvings);
    set(&counters->users, (int64_t)shadow->user_count, shadow->halvings);
    set(&counters->winners, winners, shadow->halvings);
    set(&counters->losers, losers, shadow->halvings);
    set(&counters->points_would, would.points, shadow->halvings);
    set(&counters->points_got, got.points, shadow->halvings);
    set(&counters->tasks_would, would.tasks, shadow->halvings);
    set(&counters->tasks_got, got.tasks, shadow->halvings);
    set(&counters->money_would, would.money_minor, shadow->halvings);
    set(&counters->money_got, got.money_minor, shadow->halvings);
}
