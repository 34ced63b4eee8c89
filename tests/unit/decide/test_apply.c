/* Replay: the decisions alone, applied again, give the same player and the same sums. */
#include "life.h"

static void replay(struct rwd_player *player, struct rwd_pools *pools, struct rwd_arena *arena,
    struct rwd_text bytes, uint64_t sequence)
{
    struct rwd_decision decision;
    rwd_arena_reset(arena, 1 << 16);
    assert_int_equal(rwd_decision_decode(bytes, arena, &decision), RWD_OK);
    rwd_apply(player, &decision, sequence, pools, true);
}

/* Sums by hand, of the tasks as they are. */
static void assert_sums_of_tasks(const struct life *life, const struct rwd_pools *pools,
    int64_t paid[2], int32_t first_day, int32_t last_day)
{
    int64_t reserved[2] = {0};
    const struct rwd_player *player = life->w.player;
    for (uint32_t i = 0; i < player->task_count; i++) {
        const struct rwd_task *task = &player->tasks[i];
        if (rwd_task_budget_of(task) == RWD_BUDGET_RESERVED) {
            reserved[task->pool_no - 1] += task->reward.cost.minor;
        }
    }
    struct rwd_pool_sums season = rwd_pool_read(pools, 1, 0);
    assert_int_equal(season.reserved_minor, reserved[0]);
    assert_int_equal(season.spent_minor, paid[0]);
    assert_true(season.reserved_minor + season.spent_minor <= season.hard_cap_minor);
    int64_t daily_reserved = 0;
    int64_t daily_spent = 0;
    for (int32_t day = first_day; day <= last_day; day++) {
        struct rwd_pool_sums sums = rwd_pool_read(pools, 2, day);
        assert_true(sums.reserved_minor + sums.spent_minor <= sums.hard_cap_minor);
        daily_reserved += sums.reserved_minor;
        daily_spent += sums.spent_minor;
    }
    assert_int_equal(daily_reserved, reserved[1]);
    assert_int_equal(daily_spent, paid[1]);
}

/* One player lives; a second only hears the decisions, goes through the store at moments of its own
 * and forgets its settled tasks at other moments than the first. */
static void replayed_is_lived(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 25; seed++) {
        struct life life;
        struct rwd_arena arena;
        struct chance chance = {seed * 7919};
        int64_t paid[2] = {0};
        uint32_t statuses = 0;
        life_open(&life, seed);
        struct world second; /* its pools and its player alone */
        world_open(&second);
        world_pool(&second, "season", RWD_POOL_SEASON, 40000, 10000);
        world_pool(&second, "daily", RWD_POOL_DAY, 9000, 5000);
        rwd_arena_init(&arena, 1 << 16, 16 << 20);
        for (int step = 0; step < 3000; step++) {
            if (!life_step(&life)) {
                continue;
            }
            replay(
                second.player, second.pools, &arena, rwd_buffer_text(&life.last), life.w.sequence);
            for (size_t i = 0; i < life.w.decision.change_count; i++) {
                const struct rwd_task *task =
                    rwd_player_task_find(life.w.player, life.w.decision.changes[i].id);
                statuses |= 1U << task->status;
                paid[0] += task->status == RWD_TASK_SUCCEEDED && task->pool_no == 1
                               ? task->reward.cost.minor
                               : 0;
                paid[1] += task->status == RWD_TASK_SUCCEEDED && task->pool_no == 2
                               ? task->reward.cost.minor
                               : 0;
            }
            if (chance_one_in(&chance, 20)) {
                life_drop_settled(life.w.player);
            }
            if (chance_one_in(&chance, 60)) {
                life_drop_settled(second.player);
            }
            if (step % 25 == 0) {
                assert_players_equal(life.w.player, second.player);
            }
            if (step % 200 == 0) {
                int32_t day = (int32_t)(noon_ms / DAY_MS);
                int32_t last_day = (int32_t)(life.now_ms / DAY_MS);
                assert_sums_of_tasks(&life, life.w.pools, paid, day - 5, last_day);
                assert_sums_of_tasks(&life, second.pools, paid, day - 5, last_day);
            }
        }
        assert_players_equal(life.w.player, second.player);
        /* A life worth the name. */
        assert_true(life.w.player->rule_count >= 1 && life.event_count > 500);
        assert_true((statuses & 1U << RWD_TASK_SUCCEEDED) != 0);
        world_close(&second);
        rwd_arena_finish(&arena);
        life_close(&life);
    }
}

/* No lives of the random kind leave a transition untried. */
static void the_lives_are_rich(void **state)
{
    (void)state;
    uint32_t statuses = 0;
    uint32_t reasons = 0;
    for (uint32_t seed = 1; seed <= 10; seed++) {
        struct life life;
        life_open(&life, seed);
        for (int step = 0; step < 2000; step++) {
            if (life_step(&life)) {
                for (uint32_t i = 0; i < life.w.player->task_count; i++) {
                    statuses |= 1U << life.w.player->tasks[i].status;
                    reasons |= 1U << life.w.player->tasks[i].reason;
                }
                if (step % 30 == 0) {
                    life_drop_settled(life.w.player);
                }
            }
        }
        life_close(&life);
    }
    for (int i = 0; i < RWD_TASK_CANCELLED; i++) {
        if ((statuses & 1U << i) == 0) {
            fail_msg("no task was ever %s", rwd_task_status_name((enum rwd_task_status)i));
        }
    }
    static const enum rwd_task_reason expected[] = {RWD_REASON_SELF_EXCLUDED, RWD_REASON_COOL_OFF,
        RWD_REASON_DEPOSIT_LIMIT, RWD_REASON_KYC_LEVEL, RWD_REASON_GEO_NOT_ALLOWED,
        RWD_REASON_BUDGET_HARD_CAP, RWD_REASON_BUDGET_REVIEW, RWD_REASON_PAYOUT_MISMATCH,
        RWD_REASON_PARTNER_REFUSED, RWD_REASON_ATTEMPTS_USED_UP, RWD_REASON_REJECTED,
        RWD_REASON_APPROVED, RWD_REASON_RETRY, RWD_REASON_HOLD_EXPIRED};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if ((reasons & 1U << expected[i]) == 0) {
            fail_msg("no task had the reason %s", rwd_task_reason_name(expected[i]));
        }
    }
}

/* The days' sums for the store follow the points; what of them is new is told by version. */
static void unsaved_points(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "score = function(event) return event.payload.s end");
    world_bet(&w, noon_ms, "{\"s\":3}");
    world_bet(&w, noon_ms + DAY_MS, "{\"s\":5}");
    world_bet(&w, noon_ms + 1, "{\"s\":4}");
    world_bet(&w, noon_ms + 2, "{\"s\":0}");
    struct rwd_player_rule *rule = &w.player->rules[0];
    const struct rwd_rule_effect next = {.rule_no = 1, .version_no = 2, .points = 10};
    rwd_apply_effect(rule, &next, noon_ms + 3);
    const struct rwd_unsaved_points expected[] = {{noon_ms / DAY_MS, 1, 17, 7},
        {noon_ms / DAY_MS + 1, 1, 5, 5}, {noon_ms / DAY_MS, 2, 17, 10}};
    assert_int_equal(rule->unsaved_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rule->unsaved[i].day, expected[i].day);
        assert_int_equal(rule->unsaved[i].version_no, expected[i].version_no);
        assert_int_equal(rule->unsaved[i].day_sum, expected[i].day_sum);
        assert_int_equal(rule->unsaved[i].added, expected[i].added);
    }
    assert_int_equal(w.player->newest_event_ms, noon_ms + DAY_MS);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replayed_is_lived),
        cmocka_unit_test(the_lives_are_rich),
        cmocka_unit_test(unsaved_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
