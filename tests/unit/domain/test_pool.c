/* The hard cap is never passed, by any race; post and void add up. */
#include "domain/pool.h"

#include "../chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

enum { DAY_MS = 24 * 3600 * 1000 };

static struct rwd_pool_terms terms_of(
    const char *id, enum rwd_pool_period period, int64_t hard, int64_t soft)
{
    struct rwd_pool_terms terms = {
        .currency = {"EUR"}, .period = period, .hard_cap_minor = hard, .soft_cap_minor = soft};
    (void)snprintf(terms.id, sizeof terms.id, "%s", id);
    return terms;
}

static uint32_t put(struct rwd_pools *pools, const struct rwd_pool_terms *terms)
{
    uint32_t pool_no = 0;
    struct rwd_error error;
    assert_int_equal(rwd_pools_put(pools, terms, 0, &pool_no, &error), RWD_OK);
    return pool_no;
}

static void assert_sums(const struct rwd_pools *pools, uint32_t pool_no, int32_t period,
    int64_t reserved, int64_t spent)
{
    struct rwd_pool_sums sums = rwd_pool_read(pools, pool_no, period);
    assert_int_equal(sums.reserved_minor, reserved);
    assert_int_equal(sums.spent_minor, spent);
}

static void terms_are_kept_to(void **state)
{
    (void)state;
    struct rwd_pools *pools = rwd_pools_create();
    struct rwd_error error;
    uint32_t pool_no = 0;
    struct rwd_pool_terms a = terms_of("a", RWD_POOL_SEASON, 1000, 900);
    struct rwd_pool_terms b = terms_of("b", RWD_POOL_DAY, 10, 10);
    assert_int_equal(put(pools, &a), 1);
    assert_int_equal(put(pools, &b), 2);
    assert_int_equal(rwd_pools_find(pools, RWD_TEXT("b")), 2);
    assert_int_equal(rwd_pools_find(pools, RWD_TEXT("c")), 0);
    assert_int_equal(rwd_pools_count(pools), 2);
    assert_null(rwd_pool_terms(pools, 0));
    assert_null(rwd_pool_terms(pools, 3));
    assert_string_equal(rwd_pool_terms(pools, 2)->id, "b");
    a.hard_cap_minor = 2000;
    assert_int_equal(put(pools, &a), 1);
    assert_int_equal(rwd_pool_read(pools, 1, 0).hard_cap_minor, 2000);
    struct rwd_pool_terms other = a;
    memcpy(other.currency.code, "JPY", 4);
    assert_int_equal(rwd_pools_put(pools, &other, 0, &pool_no, &error), RWD_CONFLICT);
    other = a;
    other.period = RWD_POOL_DAY;
    assert_int_equal(rwd_pools_put(pools, &other, 0, &pool_no, &error), RWD_CONFLICT);
    static const int64_t bad[][2] = {{-1, 0}, {10, -1}, {10, 11}};
    for (size_t i = 0; i < 3; i++) {
        other = terms_of("c", RWD_POOL_DAY, bad[i][0], bad[i][1]);
        assert_int_equal(rwd_pools_put(pools, &other, 0, &pool_no, &error), RWD_INVALID);
    }
    assert_int_equal(rwd_pools_count(pools), 2);
    for (int i = 2; i < RWD_POOL_COUNT_MAX; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "pool-%d", i);
        other = terms_of(id, RWD_POOL_SEASON, 1, 1);
        assert_int_equal(put(pools, &other), i + 1);
    }
    other = terms_of("one_more", RWD_POOL_SEASON, 1, 1);
    assert_int_equal(rwd_pools_put(pools, &other, 0, &pool_no, &error), RWD_LIMIT);
    rwd_pools_destroy(pools);
    rwd_pools_destroy(NULL);
}

static void assert_caps(const struct rwd_pools *pools, int64_t hard, int64_t soft)
{
    struct rwd_pool_sums sums = rwd_pool_read(pools, 1, 0);
    assert_int_equal(sums.hard_cap_minor, hard);
    assert_int_equal(sums.soft_cap_minor, soft);
}

/* Lower at once, higher when durable; of several on their way the last one holds in the end. */
static void caps_rise_when_they_are_durable(void **state)
{
    (void)state;
    struct rwd_pools *pools = rwd_pools_create();
    struct rwd_error error;
    uint32_t pool_no = 0;
    struct rwd_pool_terms made = terms_of("a", RWD_POOL_SEASON, 100, 90);
    struct rwd_pool_terms more = terms_of("a", RWD_POOL_SEASON, 200, 50);
    struct rwd_pool_terms less = terms_of("a", RWD_POOL_SEASON, 70, 70);
    assert_int_equal(rwd_pools_announce(pools, &made, &pool_no, &error), RWD_OK);
    assert_int_equal(pool_no, 1);
    assert_caps(pools, 0, 0);
    assert_int_equal(rwd_pool_reserve(pools, 1, 0, 1, false), RWD_POOL_REFUSED);
    rwd_pools_settle(pools, &made);
    assert_caps(pools, 100, 90);
    assert_int_equal(rwd_pool_reserve(pools, 1, 0, 100, false), RWD_POOL_RESERVED);
    assert_int_equal(rwd_pools_announce(pools, &more, &pool_no, &error), RWD_OK);
    assert_caps(pools, 100, 50);
    assert_int_equal(rwd_pool_reserve(pools, 1, 0, 1, false), RWD_POOL_REFUSED);
    rwd_pools_settle(pools, &more);
    assert_caps(pools, 200, 50);
    assert_int_equal(rwd_pool_reserve(pools, 1, 0, 1, false), RWD_POOL_RESERVED);
    /* Up and down again before the first is durable: it is never up. */
    assert_int_equal(rwd_pools_announce(pools, &made, &pool_no, &error), RWD_OK);
    assert_int_equal(rwd_pools_announce(pools, &more, &pool_no, &error), RWD_OK);
    assert_int_equal(rwd_pools_announce(pools, &less, &pool_no, &error), RWD_OK);
    assert_caps(pools, 70, 50);
    rwd_pools_settle(pools, &made);
    rwd_pools_settle(pools, &more);
    assert_caps(pools, 70, 50);
    rwd_pools_settle(pools, &less);
    assert_caps(pools, 70, 70);
    /* What is refused announces nothing. */
    less.soft_cap_minor = 71;
    assert_int_equal(rwd_pools_announce(pools, &less, &pool_no, &error), RWD_INVALID);
    less.period = RWD_POOL_DAY;
    less.soft_cap_minor = 1;
    assert_int_equal(rwd_pools_announce(pools, &less, &pool_no, &error), RWD_CONFLICT);
    assert_caps(pools, 70, 70);
    rwd_pools_destroy(pools);
}

static void periods_begin_where_the_calendar_says(void **state)
{
    (void)state;
    struct rwd_pools *pools = rwd_pools_create();
    const struct rwd_pool_terms terms[] = {terms_of("d", RWD_POOL_DAY, 1, 1),
        terms_of("w", RWD_POOL_WEEK, 1, 1), terms_of("s", RWD_POOL_SEASON, 1, 1)};
    for (size_t i = 0; i < 3; i++) {
        (void)put(pools, &terms[i]);
    }
    /* 2025-11-16 was a Sunday, day 20408. */
    const int64_t sunday_end_ms = (int64_t)20409 * DAY_MS - 1;
    assert_int_equal(rwd_pool_period_at(pools, 1, sunday_end_ms), 20408);
    assert_int_equal(rwd_pool_period_at(pools, 1, sunday_end_ms + 1), 20409);
    int32_t week = rwd_pool_period_at(pools, 2, sunday_end_ms);
    assert_int_equal(rwd_pool_period_at(pools, 2, sunday_end_ms + 1), week + 1);
    assert_int_equal(rwd_pool_period_at(pools, 2, sunday_end_ms - 6 * (int64_t)DAY_MS), week);
    assert_int_equal(rwd_pool_period_at(pools, 2, sunday_end_ms - 7 * (int64_t)DAY_MS), week - 1);
    assert_int_equal(rwd_pool_period_at(pools, 3, sunday_end_ms), 0);
    assert_int_equal(rwd_pool_period_at(pools, 3, 0), 0);
    assert_int_equal(rwd_pool_period_at(pools, 9, sunday_end_ms), 0);
    enum rwd_pool_period period;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rwd_pool_period_parse(
                             rwd_text_of(rwd_pool_period_name((enum rwd_pool_period)i)), &period),
            RWD_OK);
        assert_int_equal(period, i);
    }
    assert_int_equal(rwd_pool_period_parse(RWD_TEXT("month"), &period), RWD_INVALID);
    rwd_pools_destroy(pools);
}

static void caps_to_the_last_minor_unit(void **state)
{
    (void)state;
    struct rwd_pools *pools = rwd_pools_create();
    const struct rwd_pool_terms terms = terms_of("a", RWD_POOL_DAY, 100, 90);
    uint32_t no = put(pools, &terms);
    assert_int_equal(rwd_pool_reserve(pools, no, 1, 90, true), RWD_POOL_RESERVED);
    assert_int_equal(rwd_pool_reserve(pools, no, 1, 11, false), RWD_POOL_REFUSED);
    assert_int_equal(rwd_pool_reserve(pools, no, 1, 1, true), RWD_POOL_RESERVED_FOR_REVIEW);
    assert_int_equal(rwd_pool_reserve(pools, no, 1, 8, false), RWD_POOL_RESERVED);
    assert_int_equal(rwd_pool_reserve(pools, no, 1, 2, false), RWD_POOL_REFUSED);
    assert_int_equal(rwd_pool_reserve(pools, no, 1, 1, false), RWD_POOL_RESERVED);
    assert_int_equal(rwd_pool_reserve(pools, no, 1, 0, false), RWD_POOL_RESERVED);
    assert_sums(pools, no, 1, 100, 0);
    assert_int_equal(rwd_pool_reserve(pools, no, 2, 100, false), RWD_POOL_RESERVED);
    assert_int_equal(rwd_pool_reserve(pools, no, 2, INT64_MAX, false), RWD_POOL_REFUSED);
    assert_int_equal(rwd_pool_reserve(pools, no, 3, -1, false), RWD_POOL_REFUSED);
    assert_int_equal(rwd_pool_reserve(pools, 0, 0, 1, false), RWD_POOL_REFUSED);
    assert_int_equal(rwd_pool_reserve(pools, 7, 0, 1, false), RWD_POOL_REFUSED);
    /* Post, void: what came back can be given again. */
    rwd_pool_account(pools, no, 1, 40, RWD_BUDGET_RESERVED, RWD_BUDGET_SPENT);
    assert_sums(pools, no, 1, 60, 40);
    rwd_pool_account(pools, no, 1, 60, RWD_BUDGET_RESERVED, RWD_BUDGET_NOTHING);
    assert_sums(pools, no, 1, 0, 40);
    assert_int_equal(rwd_pool_reserve(pools, no, 1, 61, false), RWD_POOL_REFUSED);
    assert_int_equal(rwd_pool_reserve(pools, no, 1, 60, false), RWD_POOL_RESERVED);
    /* A cap lowered under what is used refuses; it takes nothing back. */
    struct rwd_pool_terms lower = terms_of("a", RWD_POOL_DAY, 50, 0);
    (void)put(pools, &lower);
    assert_int_equal(rwd_pool_reserve(pools, no, 1, 1, false), RWD_POOL_REFUSED);
    assert_sums(pools, no, 1, 60, 40);
    rwd_pools_destroy(pools);
}

static void sums_follow_a_model(void **state)
{
    (void)state;
    enum { TASKS = 200 };
    struct chance chance = {1};
    struct rwd_pools *pools = rwd_pools_create();
    const struct rwd_pool_terms terms = terms_of("a", RWD_POOL_WEEK, 100000, 90000);
    uint32_t no = put(pools, &terms);
    struct {
        int64_t cost;
        int32_t period;
        enum rwd_task_budget budget;
    } tasks[TASKS] = {0};
    for (int i = 0; i < 20000; i++) {
        size_t at = chance_below(&chance, TASKS);
        if (tasks[at].budget == RWD_BUDGET_NOTHING) {
            tasks[at].cost = chance_between(&chance, 0, 2000);
            tasks[at].period = (int32_t)chance_below(&chance, 4);
            if (rwd_pool_reserve(pools, no, tasks[at].period, tasks[at].cost, false) !=
                RWD_POOL_REFUSED) {
                tasks[at].budget = RWD_BUDGET_RESERVED;
            }
        } else if (tasks[at].budget == RWD_BUDGET_RESERVED) {
            enum rwd_task_budget to = (enum rwd_task_budget)chance_below(&chance, 3);
            rwd_pool_account(pools, no, tasks[at].period, tasks[at].cost, RWD_BUDGET_RESERVED, to);
            tasks[at].budget = to;
        }
        int64_t reserved[4] = {0};
        int64_t spent[4] = {0};
        for (size_t t = 0; i % 100 == 0 && t < TASKS; t++) {
            reserved[tasks[t].period] += tasks[t].budget == RWD_BUDGET_RESERVED ? tasks[t].cost : 0;
            spent[tasks[t].period] += tasks[t].budget == RWD_BUDGET_SPENT ? tasks[t].cost : 0;
        }
        for (int32_t period = 0; i % 100 == 0 && period < 4; period++) {
            assert_sums(pools, no, period, reserved[period], spent[period]);
            assert_true(reserved[period] + spent[period] <= 100000);
        }
    }
    rwd_pools_destroy(pools);
}

static void no_room_for_another_period_is_a_refusal(void **state)
{
    (void)state;
    struct rwd_pools *pools = rwd_pools_create();
    const struct rwd_pool_terms terms = terms_of("a", RWD_POOL_DAY, 100, 90);
    uint32_t no = put(pools, &terms);
    for (int32_t period = 0; period < RWD_POOL_PERIOD_COUNT_MAX; period++) {
        /* Not one after the other: places collide. */
        assert_int_equal(rwd_pool_reserve(pools, no, period * 512, 1, false), RWD_POOL_RESERVED);
    }
    assert_int_equal(rwd_pool_reserve(pools, no, 7, 1, false), RWD_POOL_REFUSED);
    assert_int_equal(rwd_pool_reserve(pools, no, 512, 1, false), RWD_POOL_RESERVED);
    assert_sums(pools, no, 512, 2, 0);
    assert_sums(pools, no, 7, 0, 0);
    rwd_pools_destroy(pools);
}

struct racer {
    struct rwd_pools *pools;
    uint32_t seed;
    int64_t reserved;
    int64_t spent;
    _Atomic bool *passed;
};

enum { RACE_CAP = 5000, RACE_PERIODS = 3 };

static void *race(void *context)
{
    struct racer *racer = context;
    struct chance chance = {racer->seed};
    for (int i = 0; i < 60000; i++) {
        int64_t cost = chance_between(&chance, 1, 300);
        int32_t period = (int32_t)chance_below(&chance, RACE_PERIODS);
        if (rwd_pool_reserve(racer->pools, 1, period, cost, chance_one_in(&chance, 2)) !=
            RWD_POOL_REFUSED) {
            if (chance_one_in(&chance, 100)) {
                rwd_pool_account(
                    racer->pools, 1, period, cost, RWD_BUDGET_RESERVED, RWD_BUDGET_SPENT);
                racer->spent += cost;
            } else if (chance_one_in(&chance, 50)) {
                racer->reserved += cost;
            } else {
                rwd_pool_account(
                    racer->pools, 1, period, cost, RWD_BUDGET_RESERVED, RWD_BUDGET_NOTHING);
            }
        }
        struct rwd_pool_sums sums = rwd_pool_read(racer->pools, 1, period);
        if (sums.reserved_minor + sums.spent_minor > RACE_CAP || sums.reserved_minor < 0) {
            atomic_store(racer->passed, true);
        }
    }
    return NULL;
}

static void four_threads_never_pass_the_cap(void **state)
{
    (void)state;
    struct rwd_pools *pools = rwd_pools_create();
    const struct rwd_pool_terms terms = terms_of("a", RWD_POOL_DAY, RACE_CAP, RACE_CAP / 2);
    _Atomic bool passed = false;
    struct racer racers[4];
    pthread_t threads[4];
    (void)put(pools, &terms);
    for (uint32_t i = 0; i < 4; i++) {
        racers[i] = (struct racer){.pools = pools, .seed = i + 1, .passed = &passed};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    int64_t reserved = 0;
    int64_t spent = 0;
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        reserved += racers[i].reserved;
        spent += racers[i].spent;
    }
    assert_false(atomic_load(&passed));
    for (int32_t period = 0; period < RACE_PERIODS; period++) {
        struct rwd_pool_sums sums = rwd_pool_read(pools, 1, period);
        reserved -= sums.reserved_minor;
        spent -= sums.spent_minor;
    }
    assert_int_equal(reserved, 0);
    assert_int_equal(spent, 0);
    rwd_pools_destroy(pools);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_are_kept_to),
        cmocka_unit_test(caps_rise_when_they_are_durable),
        cmocka_unit_test(periods_begin_where_the_calendar_says),
        cmocka_unit_test(caps_to_the_last_minor_unit),
        cmocka_unit_test(sums_follow_a_model),
        cmocka_unit_test(no_room_for_another_period_is_a_refusal),
        cmocka_unit_test(four_threads_never_pass_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
