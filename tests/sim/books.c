#include "sim.h"

#include <string.h>

/* The rules of install.c, in words of our own. */
enum { CAP_PER_EVENT = 60, CAP_PER_MINUTE = 100, GRANT_STAKE = 7 };
static const uint64_t milestones[] = {50, 200, 400};

void sim_check_caps(struct sim *sim)
{
    struct rwd_pool_sums sums =
        rwd_pool_read(sim->engine->pools, rwd_pools_find(sim->engine->pools, RWD_TEXT("tight")), 0);
    MUST(sim, sums.hard_cap_minor >= sim->tight_cap_minor, "a cap of %lld was answered and is %lld",
        (long long)sim->tight_cap_minor, (long long)sums.hard_cap_minor);
    MUST(sim, sums.reserved_minor + sums.spent_minor <= sums.hard_cap_minor,
        "%lld are reserved and %lld spent of %lld", (long long)sums.reserved_minor,
        (long long)sums.spent_minor, (long long)sums.hard_cap_minor);
}

/* Points, by the rule's words and nothing else: what a minute takes in is clipped, in any order. */
static uint64_t points_due(const struct sim *sim, uint32_t user)
{
    uint64_t total = 0;
    for (size_t i = 0; i < sim->event_count; i++) {
        const struct sim_event *first = &sim->events[i];
        uint64_t sum = 0;
        bool is_first = first->kind == BET && first->user == user;
        for (size_t k = 0; is_first && k < sim->event_count; k++) {
            const struct sim_event *event = &sim->events[k];
            if (event->kind == BET && event->user == user &&
                event->time_ms / 60000 == first->time_ms / 60000) {
                is_first = k >= i;
                sum += (uint64_t)(event->stake < CAP_PER_EVENT ? event->stake : CAP_PER_EVENT);
            }
        }
        total += !is_first ? 0 : sum < CAP_PER_MINUTE ? sum : CAP_PER_MINUTE;
    }
    return total;
}

/* The task as the store has it; false: there is none. */
static bool read_task(struct sim *sim, struct rwd_task_id id, struct rwd_task_row *row)
{
    char text[RWD_TASK_ID_TEXT_SIZE];
    rwd_task_id_format(id, text);
    enum rwd_status status =
        rwd_store_task(sim->engine->reader, rwd_text_of(text), &sim->arena, row, &sim->error);
    MUST(sim, status == RWD_OK || status == RWD_NOT_FOUND, "%s", sim->error.text);
    return status == RWD_OK;
}

/* What tasks have taken from a pool at the end, where none is on its way any more. */
struct sums {
    int64_t spent_minor;
    int64_t reserved_minor;
};

/* Settled as the partner's own books say, or failed and nobody knows. */
static void check_task(
    struct sim *sim, struct rwd_task_id id, bool may_be_denied, struct sums *sums)
{
    char text[RWD_TASK_ID_TEXT_SIZE];
    struct rwd_task_row row;
    rwd_task_id_format(id, text);
    MUST(sim, read_task(sim, id, &row), "%s is missing", text);
    const struct request *request = sim_request_of(sim, id);
    if (rwd_text_is(row.status, "succeeded")) {
        MUST(sim, request->paid && !request->refused, "%s succeeded and was not paid", text);
        sums->spent_minor += row.cost_minor;
        return;
    }
    bool denied = may_be_denied && rwd_text_is(row.status, "denied") && request->times == 0;
    bool used_up = rwd_text_is(row.reason, "attempts_used_up") && request->times > 0;
    MUST(sim, denied || (rwd_text_is(row.status, "failed") && (request->refused || used_up)),
        "%s is %.*s (%.*s)", text, RWD_TEXT_ARGS(row.status), RWD_TEXT_ARGS(row.reason));
    bool unsure = !denied && (used_up || row.attempts > 1);
    MUST(sim, unsure || !request->paid, "%s is %.*s and was paid", text, RWD_TEXT_ARGS(row.status));
    sums->reserved_minor += unsure ? row.cost_minor : 0;
}

static void check_pool(struct sim *sim, struct rwd_text pool_id, const struct sums *due)
{
    struct rwd_budget_row *budgets = NULL;
    struct rwd_budget_sum *sums = NULL;
    size_t budget_count = 0;
    size_t sum_count = 0;
    MUST_OK(sim, rwd_store_budgets(sim->engine->reader, &sim->arena, &budgets, &budget_count, &sums,
                     &sum_count, &sim->error));
    struct sums stored = {0};
    for (size_t i = 0; i < sum_count; i++) {
        if (rwd_text_equal(sums[i].pool_id, pool_id)) {
            stored.spent_minor += sums[i].spent_minor;
            stored.reserved_minor += sums[i].reserved_minor;
        }
    }
    struct rwd_pool_sums live =
        rwd_pool_read(sim->engine->pools, rwd_pools_find(sim->engine->pools, pool_id), 0);
    MUST(sim, stored.spent_minor == due->spent_minor && live.spent_minor == due->spent_minor,
        "%.*s: the tasks have cost %lld, the store says %lld, the pool %lld",
        RWD_TEXT_ARGS(pool_id), (long long)due->spent_minor, (long long)stored.spent_minor,
        (long long)live.spent_minor);
    MUST(sim,
        stored.reserved_minor == due->reserved_minor && live.reserved_minor == due->reserved_minor,
        "%.*s: %lld may be paid, the store reserves %lld, the pool %lld", RWD_TEXT_ARGS(pool_id),
        (long long)due->reserved_minor, (long long)stored.reserved_minor,
        (long long)live.reserved_minor);
}

/* Every bet waited, was released once, and counted once. */
static void check_released(struct sim *sim, uint32_t user)
{
    char user_id[8];
    struct rwd_player_row row;
    struct rwd_seen_row *seen = NULL;
    size_t seen_count = 0;
    struct rwd_player *player = NULL;
    uint64_t bets = 0;
    uint64_t fingerprint = sim_fingerprint_of(sim, user, user_id);
    for (size_t i = 0; i < sim->event_count; i++) {
        bets += sim->events[i].kind == BET && sim->events[i].user == user;
    }
    MUST_OK(sim, rwd_store_player(sim->engine->reader, rwd_text_of(user_id), &sim->arena, &row,
                     &seen, &seen_count, &sim->error));
    MUST(sim, row.waiting_count == 0, "%s has %lld waiting events", user_id,
        (long long)row.waiting_count);
    MUST(sim, rwd_player_decode(rwd_text_of(user_id), fingerprint, row.state, &player) == RWD_OK,
        "%s cannot be read", user_id);
    const struct rwd_player_rule *rule = rwd_player_rule_find(player, 3);
    uint64_t points = rule != NULL ? rule->total : 0;
    MUST(sim, points == bets, "%s made %llu bets, and %llu were released", user_id,
        (unsigned long long)bets, (unsigned long long)points);
    rwd_player_destroy(player);
}

void sim_check_books(struct sim *sim)
{
    sim_check_caps(sim);
    size_t expected = 0;
    struct sums wide = {0};
    struct sums tight = {0};
    struct rwd_task_row unexpected;
    for (uint32_t user = 0; user < USER_COUNT; user++) {
        char user_id[8];
        (void)sim_fingerprint_of(sim, user, user_id);
        check_released(sim, user);
        uint64_t points = points_due(sim, user);
        for (size_t i = 0; i < sizeof milestones / sizeof milestones[0]; i++) {
            struct rwd_task_id id = rwd_task_id_of_milestone(
                rwd_text_of(sim_rule_id(1)), rwd_text_of(user_id), milestones[i]);
            if (points >= milestones[i]) {
                /* The first is too small for anybody to look at it. */
                check_task(sim, id, i > 0, &wide);
                expected++;
            } else {
                MUST(sim, !read_task(sim, id, &unexpected),
                    "u%u has %llu points and milestone %llu", user, (unsigned long long)points,
                    (unsigned long long)milestones[i]);
            }
        }
    }
    for (size_t i = 0; i < sim->event_count; i++) {
        const struct sim_event *event = &sim->events[i];
        if (event->kind == BET && event->stake == GRANT_STAKE) {
            char user_id[8];
            char event_id[24];
            (void)sim_fingerprint_of(sim, event->user, user_id);
            (void)snprintf(event_id, sizeof event_id, "e%zu", i);
            check_task(sim,
                rwd_task_id_of_event(rwd_text_of(sim_rule_id(2)), rwd_text_of(user_id),
                    rwd_text_of(event_id), event->time_ms),
                true, &tight);
            expected++;
        }
    }
    struct rwd_store_counts counts;
    MUST_OK(sim, rwd_store_count(sim->engine->reader, &counts, &sim->error));
    uint64_t tasks = 0;
    for (int i = 0; i < RWD_TASK_STATUS_COUNT; i++) {
        tasks += counts.tasks_by_status[i];
    }
    MUST(sim, tasks == expected, "%llu tasks instead of %zu", (unsigned long long)tasks, expected);
    check_pool(sim, RWD_TEXT("wide"), &wide);
    check_pool(sim, RWD_TEXT("tight"), &tight);
    const struct rwd_store_filter filter = {.limit = RWD_STORE_LIST_COUNT_MAX};
    struct rwd_ledger_row *ledger = NULL;
    size_t count = 0;
    struct rwd_text cursor;
    MUST_OK(sim, rwd_store_ledger(sim->engine->reader, &filter, &sim->arena, &ledger, &count,
                     &cursor, &sim->error));
    MUST(sim, count == counts.tasks_by_status[RWD_TASK_SUCCEEDED],
        "%zu ledger rows for %llu paid tasks", count,
        (unsigned long long)counts.tasks_by_status[RWD_TASK_SUCCEEDED]);
    struct rwd_journal_verdict verdict;
    MUST_OK(sim, rwd_journal_verify(sim->engine->journal_dir, &verdict, &sim->error));
}

struct rwd_buffer sim_player_bytes(struct sim *sim)
{
    struct rwd_buffer bytes = {0};
    for (uint32_t user = 0; user < USER_COUNT; user++) {
        char user_id[8];
        struct rwd_player_row row;
        struct rwd_seen_row *seen = NULL;
        size_t seen_count = 0;
        (void)sim_fingerprint_of(sim, user, user_id);
        MUST_OK(sim, rwd_store_player(sim->engine->reader, rwd_text_of(user_id), &sim->arena, &row,
                         &seen, &seen_count, &sim->error));
        rwd_buffer_put_text(&bytes, row.state);
    }
    return bytes;
}
