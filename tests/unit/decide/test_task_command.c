/* Every command on every status, and the lives that come of them. */
#include "support.h"

enum { KINDS = RWD_TASK_DROP + 1, TRIES_MAX = 3 };

static void add_task(struct world *w, enum rwd_task_status status, enum rwd_task_reason reason)
{
    struct rwd_player *player = w->player;
    player->tasks = rwd_grow(player->tasks, (player->task_count + 1) * sizeof player->tasks[0]);
    struct rwd_task *task = &player->tasks[player->task_count++];
    player->task_capacity = player->task_count;
    *task = (struct rwd_task){.rule_no = 1,
        .version_no = 1,
        .pool_no = 1,
        .kyc_min_level = 2,
        .status = status,
        .reason = reason,
        .attempts = 2,
        .next_attempt_ms = status == RWD_TASK_HELD ? noon_ms : 0,
        .created_ms = noon_ms - DAY_MS,
        .reward = {.kind = RWD_REWARD_CASH, .cost = {700, {"EUR"}}, .money = {700, {"EUR"}}}};
    memset(task->id.bytes, (int)player->task_count, sizeof task->id.bytes);
    rwd_pool_account(w->pools, 1, 0, 700, RWD_BUDGET_NOTHING, rwd_task_budget_of(task));
}

/* A world with one task in it, of a player who may be paid. */
static void open_with(struct world *w, enum rwd_task_status status, enum rwd_task_reason reason)
{
    world_open(w);
    w->player->profile.kyc_level = 2;
    add_task(w, status, reason);
}

static struct rwd_task_command command_of(const struct world *w, enum rwd_task_command_kind kind)
{
    return (struct rwd_task_command){.kind = kind,
        .id = world_task(w)->id,
        .attempt = 2,
        .attempt_count_max = TRIES_MAX,
        .retry_at_ms = noon_ms + 77,
        .task = world_task(w)};
}

static void every_command_on_every_status(void **state)
{
    (void)state;
    /* "": CONFLICT; else the status afterwards. Rows by command, columns by status: pending, held
     * for RG, dispatching, succeeded, failed, denied, expired, cancelled, held for review. */
    static const char *const after[KINDS][9] = {
        [RWD_TASK_CLAIM] = {"dispatching", "", "dispatching", "", "", "", "", "", ""},
        [RWD_TASK_SUCCESS] = {"", "", "succeeded", "", "", "", "", "", ""},
        [RWD_TASK_RETRY] = {"", "", "pending", "", "", "", "", "", ""},
        [RWD_TASK_REFUSED] = {"", "", "failed", "", "", "", "", "", ""},
        [RWD_TASK_APPROVE] = {"", "", "", "", "", "", "", "", "pending"},
        [RWD_TASK_REJECT] = {"", "denied", "", "", "", "", "", "", "denied"},
        [RWD_TASK_TICK] = {"", "pending", "", "", "", "", "", "", "held"},
        [RWD_TASK_REPROCESS] = {"", "", "", "", "pending", "", "", "", ""},
        [RWD_TASK_DROP] = {"", "", "", "", "cancelled", "", "", "", ""},
    };
    for (int kind = 0; kind < KINDS; kind++) {
        for (int column = 0; column < 9; column++) {
            enum rwd_task_status status =
                column == 8 ? RWD_TASK_HELD : (enum rwd_task_status)column;
            struct world w;
            open_with(&w, status,
                column == 8               ? RWD_REASON_BUDGET_REVIEW
                : status == RWD_TASK_HELD ? RWD_REASON_COOL_OFF
                                          : RWD_REASON_NONE);
            struct rwd_task_command command = command_of(&w, (enum rwd_task_command_kind)kind);
            struct rwd_buffer before = world_bytes(w.player);
            enum rwd_status answer = world_command(&w, &command, noon_ms);
            const char *expected = after[kind][column];
            const char *found = rwd_task_status_name(world_task(&w)->status);
            if (answer != (expected[0] != '\0' ? RWD_OK : RWD_CONFLICT) ||
                (answer == RWD_OK && strcmp(found, expected) != 0)) {
                fail_msg("%s on %s: %s, %s", rwd_task_command_name(command.kind),
                    rwd_task_status_name(status), rwd_status_name(answer), found);
            }
            if (answer != RWD_OK) {
                struct rwd_buffer same = world_bytes(w.player);
                assert_memory_equal(before.data, same.data, before.size);
                rwd_buffer_finish(&same);
                assert_non_null(strstr(w.error.text, rwd_task_status_name(status)));
            }
            struct rwd_pool_sums sums = world_sums(&w);
            enum rwd_task_budget budget = rwd_task_budget_of(world_task(&w));
            assert_int_equal(sums.reserved_minor, budget == RWD_BUDGET_RESERVED ? 700 : 0);
            assert_int_equal(sums.spent_minor, budget == RWD_BUDGET_SPENT ? 700 : 0);
            rwd_buffer_finish(&before);
            world_close(&w);
        }
    }
}

static void a_task_nobody_knows(void **state)
{
    (void)state;
    struct world w;
    open_with(&w, RWD_TASK_PENDING, RWD_REASON_NONE);
    for (int kind = 0; kind < RWD_TASK_REPROCESS; kind++) {
        struct rwd_task_command command = command_of(&w, (enum rwd_task_command_kind)kind);
        command.id.bytes[0] ^= 1;
        assert_int_equal(world_command(&w, &command, noon_ms), RWD_NOT_FOUND);
    }
    struct rwd_arena none;
    rwd_arena_init(&none, 16, 0);
    struct rwd_task_command command = command_of(&w, RWD_TASK_CLAIM);
    assert_int_equal(rwd_decide_task(&w.gates, w.pools, &command, w.player, noon_ms, &none,
                         &w.decision, &w.error),
        RWD_LIMIT);
    rwd_arena_finish(&none);
    world_close(&w);
}

/* An answer to another claim than the last says nothing. */
static void an_old_answer_is_no_answer(void **state)
{
    (void)state;
    for (uint32_t attempt = 0; attempt < 5; attempt++) {
        struct world w;
        open_with(&w, RWD_TASK_DISPATCHING, RWD_REASON_NONE);
        struct rwd_task_command command = command_of(&w, RWD_TASK_SUCCESS);
        command.attempt = attempt;
        assert_int_equal(
            world_command(&w, &command, noon_ms), attempt == 2 ? RWD_OK : RWD_CONFLICT);
        world_close(&w);
    }
}

/* The gates once more, just before delivery. */
static void a_claim_asks_the_gates(void **state)
{
    (void)state;
    static const struct {
        enum rwd_task_status from;
        int64_t excluded_until_ms;
        int kyc_level;
        const char *geo;
        enum rwd_task_status to;
        enum rwd_task_reason reason;
        bool never_sent;
    } rows[] = {
        {RWD_TASK_PENDING, 0, 2, "TR", RWD_TASK_DISPATCHING, RWD_REASON_NONE, false},
        {RWD_TASK_PENDING, INT64_MAX, 2, "TR", RWD_TASK_HELD, RWD_REASON_SELF_EXCLUDED, false},
        {RWD_TASK_PENDING, noon_ms + 1, 2, "TR", RWD_TASK_HELD, RWD_REASON_SELF_EXCLUDED, false},
        {RWD_TASK_PENDING, noon_ms, 2, "TR", RWD_TASK_DISPATCHING, RWD_REASON_NONE, false},
        {RWD_TASK_PENDING, 0, 1, "TR", RWD_TASK_HELD, RWD_REASON_KYC_LEVEL, false},
        {RWD_TASK_PENDING, noon_ms + 1, 2, "TR", RWD_TASK_HELD, RWD_REASON_SELF_EXCLUDED, true},
        {RWD_TASK_PENDING, 0, 1, "TR", RWD_TASK_HELD, RWD_REASON_KYC_LEVEL, true},
        {RWD_TASK_PENDING, 0, 2, "DE", RWD_TASK_DENIED, RWD_REASON_GEO_NOT_ALLOWED, true},
        {RWD_TASK_PENDING, 0, 2, "", RWD_TASK_DENIED, RWD_REASON_GEO_UNKNOWN, true},
        /* It may have been paid: a person looks at it. */
        {RWD_TASK_PENDING, 0, 2, "DE", RWD_TASK_HELD, RWD_REASON_GEO_NOT_ALLOWED, false},
        {RWD_TASK_DISPATCHING, 0, 2, "DE", RWD_TASK_HELD, RWD_REASON_GEO_NOT_ALLOWED, false},
        {RWD_TASK_DISPATCHING, INT64_MAX, 2, "TR", RWD_TASK_HELD, RWD_REASON_SELF_EXCLUDED, false},
        {RWD_TASK_DISPATCHING, 0, 2, "TR", RWD_TASK_DISPATCHING, RWD_REASON_NONE, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int old = 0; old < 2; old++) {
            struct world w;
            open_with(&w, rows[i].from, RWD_REASON_NONE);
            w.gates.geo_allowed = RWD_TEXT("TR");
            w.player->profile.self_excluded_until_ms = rows[i].excluded_until_ms;
            w.player->profile.kyc_level = (uint8_t)rows[i].kyc_level;
            (void)snprintf(w.player->profile.geo, 3, "%s", rows[i].geo);
            uint32_t attempts = rows[i].never_sent ? 0 : 2;
            world_task(&w)->attempts = attempts;
            if (old != 0) {
                world_task(&w)->created_ms = noon_ms - w.gates.hold_expires_ms - 5;
            }
            struct rwd_task_command command = command_of(&w, RWD_TASK_CLAIM);
            assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
            assert_task(world_task(&w), rows[i].to, rows[i].reason);
            assert_int_equal(
                world_task(&w)->attempts, attempts + (rows[i].to == RWD_TASK_DISPATCHING ? 1 : 0));
            /* No hold of what was never sent is for ever: some tick will find it, and give its
             * money back. What may be paid keeps it, and is looked at when RG's own time ends. */
            int64_t again_ms = world_task(&w)->next_attempt_ms;
            if (rows[i].to == RWD_TASK_HELD && !rows[i].never_sent) {
                assert_int_equal(again_ms, rows[i].reason == RWD_REASON_SELF_EXCLUDED &&
                                                   rows[i].excluded_until_ms != INT64_MAX
                                               ? rows[i].excluded_until_ms
                                               : 0);
            } else if (rows[i].to == RWD_TASK_HELD) {
                assert_true(again_ms > 0);
                w.player->profile.self_excluded_until_ms = INT64_MAX;
                int64_t end_ms = world_task(&w)->created_ms + w.gates.hold_expires_ms;
                command.kind = RWD_TASK_TICK;
                assert_int_equal(
                    world_command(&w, &command, end_ms > noon_ms ? end_ms : noon_ms), RWD_OK);
                assert_task(world_task(&w), RWD_TASK_EXPIRED, RWD_REASON_HOLD_EXPIRED);
                assert_int_equal(world_sums(&w).reserved_minor, 0);
            }
            world_close(&w);
        }
    }
}

static void retries_are_used_up(void **state)
{
    (void)state;
    struct world w;
    open_with(&w, RWD_TASK_PENDING, RWD_REASON_NONE);
    world_task(&w)->attempts = 0;
    for (uint32_t attempt = 1; attempt <= TRIES_MAX; attempt++) {
        struct rwd_task_command command = command_of(&w, RWD_TASK_CLAIM);
        assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
        command.kind = RWD_TASK_RETRY;
        command.attempt = attempt;
        assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
        if (attempt < TRIES_MAX) {
            assert_task(world_task(&w), RWD_TASK_PENDING, RWD_REASON_RETRY);
            assert_int_equal(world_task(&w)->next_attempt_ms, noon_ms + 77);
        }
    }
    /* One of them may have been paid: the money stays reserved, for however long. */
    assert_task(world_task(&w), RWD_TASK_FAILED, RWD_REASON_ATTEMPTS_USED_UP);
    assert_int_equal(world_sums(&w).reserved_minor, 700);
    assert_false(rwd_task_settled(world_task(&w)));
    /* From the dead letters it starts anew; no room is needed that it has. */
    struct rwd_task_command command = command_of(&w, RWD_TASK_REPROCESS);
    world_pool(&w, "season", RWD_POOL_SEASON, 700, 600);
    assert_int_equal(world_command(&w, &command, noon_ms + 5), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_PENDING, RWD_REASON_RETRY);
    assert_int_equal(world_task(&w)->attempts, 0);
    assert_int_equal(world_task(&w)->next_attempt_ms, noon_ms + 5);
    assert_true(rwd_task_may_be_paid(world_task(&w)));
    assert_int_equal(world_sums(&w).reserved_minor, 700);
    assert_int_equal(w.player->task_count, 1);
    /* And not twice. */
    assert_int_equal(world_command(&w, &command, noon_ms + 6), RWD_CONFLICT);
    assert_int_equal(world_sums(&w).reserved_minor, 700);
    /* A refusal now says nothing of the requests before it. A person gives the money back. */
    command.kind = RWD_TASK_CLAIM;
    assert_int_equal(world_command(&w, &command, noon_ms + 7), RWD_OK);
    command.kind = RWD_TASK_REFUSED;
    command.attempt = 1;
    assert_int_equal(world_command(&w, &command, noon_ms + 8), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_FAILED, RWD_REASON_PARTNER_REFUSED);
    assert_int_equal(world_sums(&w).reserved_minor, 700);
    command.kind = RWD_TASK_DROP;
    assert_int_equal(world_command(&w, &command, noon_ms + 9), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_CANCELLED, RWD_REASON_REJECTED);
    assert_int_equal(world_sums(&w).reserved_minor, 0);
    world_close(&w);
}

/* A clear no to the only request: the money is free at once, and the player done with it. */
static void what_was_refused_at_once_is_settled(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct world w;
        open_with(&w, RWD_TASK_DISPATCHING, RWD_REASON_NONE);
        world_task(&w)->attempts = 1;
        struct rwd_task_command command = command_of(&w, RWD_TASK_REFUSED);
        command.attempt = 1;
        assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
        assert_task(world_task(&w), RWD_TASK_FAILED, RWD_REASON_PARTNER_REFUSED);
        assert_true(rwd_task_settled(world_task(&w)));
        assert_int_equal(world_sums(&w).reserved_minor, 0);
        struct rwd_task failed = *world_task(&w);
        command.task = &failed;
        w.player->task_count = (uint32_t)known;
        /* It starts anew if the budget still has room. */
        command.kind = RWD_TASK_REPROCESS;
        world_pool(&w, "season", RWD_POOL_SEASON, 699, 600);
        assert_int_equal(world_command(&w, &command, noon_ms + 5), RWD_CONFLICT);
        assert_non_null(strstr(w.error.text, "budget"));
        world_pool(&w, "season", RWD_POOL_SEASON, 700, 600);
        assert_int_equal(world_command(&w, &command, noon_ms + 5), RWD_OK);
        assert_task(world_task(&w), RWD_TASK_PENDING, RWD_REASON_RETRY);
        assert_int_equal(world_task(&w)->attempts, 0);
        assert_false(rwd_task_may_be_paid(world_task(&w)));
        assert_int_equal(world_sums(&w).reserved_minor, 700);
        assert_int_equal(w.player->task_count, 1);
        command.kind = RWD_TASK_CLAIM;
        assert_int_equal(world_command(&w, &command, noon_ms + 6), RWD_OK);
        command.kind = RWD_TASK_REFUSED;
        assert_int_equal(world_command(&w, &command, noon_ms + 7), RWD_OK);
        failed = *world_task(&w);
        w.player->task_count = (uint32_t)known;
        command.kind = RWD_TASK_DROP;
        assert_int_equal(world_command(&w, &command, noon_ms + 8), RWD_OK);
        assert_task(world_task(&w), RWD_TASK_CANCELLED, RWD_REASON_REJECTED);
        assert_int_equal(world_sums(&w).reserved_minor, 0);
        world_close(&w);
    }
}

/* What the asker saw of it may be old: what the player knows counts. */
static void reprocess_goes_by_what_the_player_knows(void **state)
{
    (void)state;
    static const enum rwd_task_status settled[] = {
        RWD_TASK_SUCCEEDED, RWD_TASK_DENIED, RWD_TASK_EXPIRED, RWD_TASK_CANCELLED};
    for (size_t i = 0; i < 4; i++) {
        struct world w;
        open_with(&w, settled[i], RWD_REASON_NONE);
        struct rwd_task old = *world_task(&w);
        struct rwd_task_command command = command_of(&w, RWD_TASK_REPROCESS);
        int64_t reserved = world_sums(&w).reserved_minor;
        old.status = RWD_TASK_FAILED;
        command.task = &old;
        assert_int_equal(world_command(&w, &command, noon_ms), RWD_CONFLICT);
        assert_int_equal(world_task(&w)->status, settled[i]);
        assert_int_equal(world_sums(&w).reserved_minor, reserved);
        world_close(&w);
    }
}

static void payout_ids(void **state)
{
    (void)state;
    struct world w;
    open_with(&w, RWD_TASK_DISPATCHING, RWD_REASON_NONE);
    struct rwd_task_command command = command_of(&w, RWD_TASK_RETRY);
    command.payout_id = RWD_TEXT("p-1");
    assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
    assert_string_equal(world_task(&w)->payout_id, "p-1");
    command.kind = RWD_TASK_CLAIM;
    assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
    /* Another payout for the same request: alert and hold; the money stays reserved. */
    command.kind = RWD_TASK_SUCCESS;
    command.attempt = 3;
    command.payout_id = RWD_TEXT("p-2");
    assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_PAYOUT_MISMATCH);
    assert_string_equal(world_task(&w)->payout_id, "p-1");
    assert_int_equal(world_sums(&w).reserved_minor, 700);
    assert_int_equal(world_task(&w)->next_attempt_ms, 0);
    /* News of the player does not lift it; a person does. */
    command.kind = RWD_TASK_APPROVE;
    assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_PENDING, RWD_REASON_APPROVED);
    command.kind = RWD_TASK_CLAIM;
    assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
    command.kind = RWD_TASK_SUCCESS;
    command.attempt = 4;
    command.payout_id = RWD_TEXT("p-1");
    assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_SUCCEEDED, RWD_REASON_NONE);
    assert_int_equal(world_sums(&w).spent_minor, 700);
    assert_int_equal(world_sums(&w).reserved_minor, 0);
    world_close(&w);
}

/* A request has left and nobody knows what became of it: whatever holds it, for however long, its
 * money stays reserved until a person has decided. */
static void a_hold_of_what_may_be_paid_does_not_expire(void **state)
{
    (void)state;
    static const enum rwd_task_reason reasons[] = {RWD_REASON_PAYOUT_MISMATCH,
        RWD_REASON_GEO_NOT_ALLOWED, RWD_REASON_BUDGET_REVIEW, RWD_REASON_SELF_EXCLUDED,
        RWD_REASON_KYC_LEVEL};
    for (size_t i = 0; i < 2 * sizeof reasons / sizeof reasons[0]; i++) {
        enum rwd_task_reason reason = reasons[i / 2];
        struct world w;
        open_with(&w, RWD_TASK_HELD, reason);
        world_rule_of(&w, "score = function() return 0 end");
        if (i % 2 == 1) {
            world_task(&w)->attempts = 0;
            world_task(&w)->sent_before = true;
        }
        w.player->profile.self_excluded_until_ms =
            reason == RWD_REASON_SELF_EXCLUDED ? INT64_MAX : 0;
        w.player->profile.kyc_level = reason == RWD_REASON_KYC_LEVEL ? 1 : 2;
        int64_t late_ms = noon_ms + 10 * w.gates.hold_expires_ms;
        struct rwd_task_command command = command_of(&w, RWD_TASK_TICK);
        assert_int_equal(world_command(&w, &command, late_ms), RWD_OK);
        assert_task(world_task(&w), RWD_TASK_HELD, reason);
        /* An open end lies further ahead than any clock. */
        assert_int_equal(world_task(&w)->next_attempt_ms, 0);
        assert_int_equal(world_sums(&w).reserved_minor, 700);
        /* The cause goes, but the country is not allowed: still not for time or rule to say. */
        if (rwd_gate_lifts(reason)) {
            w.gates.geo_allowed = RWD_TEXT("BR");
            w.player->profile.self_excluded_until_ms = 0;
            w.player->profile.kyc_level = 1;
            assert_int_equal(
                world_send(&w, "k", "kyc_status_changed", late_ms, "", "{\"level\":2}"), RWD_OK);
            assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_GEO_NOT_ALLOWED);
            assert_int_equal(world_sums(&w).reserved_minor, 700);
        }
        command.kind = i % 2 == 0 ? RWD_TASK_APPROVE : RWD_TASK_REJECT;
        assert_int_equal(world_command(&w, &command, late_ms), RWD_OK);
        assert_int_equal(world_sums(&w).reserved_minor, i % 2 == 0 ? 700 : 0);
        world_close(&w);
    }
}

static void a_tick_at_each_time(void **state)
{
    (void)state;
    struct world w;
    open_with(&w, RWD_TASK_HELD, RWD_REASON_SELF_EXCLUDED);
    world_task(&w)->attempts = 0;
    int64_t end_ms = world_task(&w)->created_ms + w.gates.hold_expires_ms;
    struct rwd_task_command command = command_of(&w, RWD_TASK_TICK);
    w.player->profile.self_excluded_until_ms = noon_ms + 100;
    assert_int_equal(world_command(&w, &command, noon_ms - 1), RWD_CONFLICT);
    assert_int_equal(world_command(&w, &command, noon_ms), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_SELF_EXCLUDED);
    assert_int_equal(world_task(&w)->next_attempt_ms, noon_ms + 100);
    w.player->profile.cool_off_until_ms = INT64_MAX;
    assert_int_equal(world_command(&w, &command, noon_ms + 100), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_COOL_OFF);
    assert_int_equal(world_task(&w)->next_attempt_ms, end_ms);
    assert_int_equal(world_command(&w, &command, end_ms), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_EXPIRED, RWD_REASON_HOLD_EXPIRED);
    assert_int_equal(world_sums(&w).reserved_minor, 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_on_every_status),
        cmocka_unit_test(a_task_nobody_knows),
        cmocka_unit_test(an_old_answer_is_no_answer),
        cmocka_unit_test(a_claim_asks_the_gates),
        cmocka_unit_test(retries_are_used_up),
        cmocka_unit_test(what_was_refused_at_once_is_settled),
        cmocka_unit_test(reprocess_goes_by_what_the_player_knows),
        cmocka_unit_test(payout_ids),
        cmocka_unit_test(a_hold_of_what_may_be_paid_does_not_expire),
        cmocka_unit_test(a_tick_at_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
