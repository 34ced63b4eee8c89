/* Ids that never change, the table of statuses, and what a task means to its pool. */
#include "domain/task.h"

#include "../chance.h"
#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_id(struct rwd_task_id id, const char *expected)
{
    char text[RWD_TASK_ID_TEXT_SIZE];
    struct rwd_task_id parsed;
    rwd_task_id_format(id, text);
    assert_string_equal(text, expected);
    assert_int_equal(rwd_task_id_parse(rwd_text_of(text), &parsed), RWD_OK);
    assert_true(rwd_task_id_equal(parsed, id));
}

/* Made with Python's hashlib: an id that changes is a second payout. */
static void ids_are_the_known_ones(void **state)
{
    (void)state;
    char longest[RWD_EVENT_ID_SIZE_MAX + 1];
    memset(longest, 'x', RWD_EVENT_ID_SIZE_MAX);
    longest[RWD_EVENT_ID_SIZE_MAX] = '\0';
    assert_id(rwd_task_id_of_milestone(RWD_TEXT("points_winmult"), RWD_TEXT("u_123"), 100),
        "rt_9d57212287eca3b950b854ae09d7017b");
    assert_id(
        rwd_task_id_of_milestone(RWD_TEXT("points_winmult"), RWD_TEXT("u_123"), 1000000000000),
        "rt_e6220e01c1ac91607942ce8ecb02e10e");
    assert_id(rwd_task_id_of_milestone(RWD_TEXT("r"), RWD_TEXT("u"), UINT64_MAX),
        "rt_4604d142243c23058403ca248fd374a6");
    assert_id(rwd_task_id_of_event(RWD_TEXT("login_streak"), RWD_TEXT("\xc3\xbc_1"),
                  RWD_TEXT("d9e8-5c2"), 1763208000000),
        "rt_bec5c522a569a38981657fae3fb7db9a");
    assert_id(rwd_task_id_of_event(RWD_TEXT("r"), RWD_TEXT("u"), rwd_text_of(longest), 0),
        "rt_3267a36e108e630c423760ba85fae03b");
}

/* No two causes share an id, however their parts run together. */
static void causes_do_not_run_together(void **state)
{
    (void)state;
    const struct rwd_task_id ids[] = {
        rwd_task_id_of_milestone(RWD_TEXT("ab"), RWD_TEXT("c"), 1),
        rwd_task_id_of_milestone(RWD_TEXT("a"), RWD_TEXT("bc"), 1),
        rwd_task_id_of_milestone(RWD_TEXT("a"), RWD_TEXT("b"), 1),
        rwd_task_id_of_milestone(RWD_TEXT("a"), RWD_TEXT("b"), 11),
        rwd_task_id_of_event(RWD_TEXT("a"), RWD_TEXT("b"), RWD_TEXT("1"), 1),
        rwd_task_id_of_event(RWD_TEXT("a"), RWD_TEXT("b"), RWD_TEXT("m1"), 1),
        rwd_task_id_of_event(RWD_TEXT("a"), RWD_TEXT("b"), RWD_TEXT("1"), 11),
        rwd_task_id_of_event(RWD_TEXT("a"), RWD_TEXT("b"), RWD_TEXT("1:1"), 1),
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_false(rwd_task_id_equal(ids[i], ids[j]));
        }
    }
}

static void text_that_is_no_id_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "rt_", "9d57212287eca3b950b854ae09d7017b",
        "rt_9d57212287eca3b950b854ae09d7017", "rt_9d57212287eca3b950b854ae09d7017b0",
        "rt_9D57212287eca3b950b854ae09d7017b", "rt_9d57212287eca3b950b854ae09d7017g",
        "dl_9d57212287eca3b950b854ae09d7017b", "rt_ 9d57212287eca3b950b854ae09d7017"};
    struct rwd_task_id id;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(rwd_task_id_parse(rwd_text_of(bad[i]), &id), RWD_INVALID);
    }
}

static void every_transition(void **state)
{
    (void)state;
    /* Rows: from; columns: to, in the order of the enum. */
    static const char *const allowed[RWD_TASK_STATUS_COUNT] = {
        /*               PHDSFDXC */
        /* pending     */ ".xx..x.x",
        /* held        */ "xx...xxx",
        /* dispatching */ "xxxxx...",
        /* succeeded   */ "........",
        /* failed      */ "x......x",
        /* denied      */ "........",
        /* expired     */ "........",
        /* cancelled   */ "........",
    };
    for (int from = 0; from < RWD_TASK_STATUS_COUNT; from++) {
        for (int to = 0; to < RWD_TASK_STATUS_COUNT; to++) {
            bool expected = allowed[from][to] == 'x';
            if (rwd_task_status_allowed((enum rwd_task_status)from, (enum rwd_task_status)to) !=
                expected) {
                fail_msg("%s -> %s", rwd_task_status_name((enum rwd_task_status)from),
                    rwd_task_status_name((enum rwd_task_status)to));
            }
        }
    }
}

static void settled_is_what_leaves_the_budget(void **state)
{
    (void)state;
    static const struct {
        bool settled;
        enum rwd_task_budget budget;
    } expected[RWD_TASK_STATUS_COUNT] = {
        [RWD_TASK_PENDING] = {false, RWD_BUDGET_RESERVED},
        [RWD_TASK_HELD] = {false, RWD_BUDGET_RESERVED},
        [RWD_TASK_DISPATCHING] = {false, RWD_BUDGET_RESERVED},
        [RWD_TASK_SUCCEEDED] = {true, RWD_BUDGET_SPENT},
        [RWD_TASK_FAILED] = {true, RWD_BUDGET_NOTHING},
        [RWD_TASK_DENIED] = {true, RWD_BUDGET_NOTHING},
        [RWD_TASK_EXPIRED] = {true, RWD_BUDGET_NOTHING},
        [RWD_TASK_CANCELLED] = {true, RWD_BUDGET_NOTHING},
    };
    for (int i = 0; i < RWD_TASK_STATUS_COUNT; i++) {
        struct rwd_task task = {.status = (enum rwd_task_status)i, .pool_no = 1};
        assert_int_equal(rwd_task_settled(&task), expected[i].settled);
        assert_int_equal(rwd_task_budget_of(&task), expected[i].budget);
        task.pool_no = 0;
        assert_int_equal(rwd_task_budget_of(&task), RWD_BUDGET_NOTHING);
    }
    static const struct {
        enum rwd_task_reason reason;
        uint32_t attempts;
        bool sent_before;
        bool settled;
    } failed[] = {
        {RWD_REASON_PARTNER_REFUSED, 1, false, true},
        {RWD_REASON_PARTNER_REFUSED, 2, false, false}, /* nobody heard what the first one brought */
        {RWD_REASON_PARTNER_REFUSED, 1, true, false},
        {RWD_REASON_ATTEMPTS_USED_UP, 1, false, false},
        {RWD_REASON_ATTEMPTS_USED_UP, 8, true, false},
    };
    for (size_t i = 0; i < sizeof failed / sizeof failed[0]; i++) {
        struct rwd_task task = {.status = RWD_TASK_FAILED,
            .pool_no = 1,
            .reason = failed[i].reason,
            .attempts = failed[i].attempts,
            .sent_before = failed[i].sent_before};
        assert_int_equal(rwd_task_settled(&task), failed[i].settled);
        assert_int_equal(rwd_task_budget_of(&task),
            failed[i].settled ? RWD_BUDGET_NOTHING : RWD_BUDGET_RESERVED);
        task.pool_no = 0;
        assert_true(rwd_task_settled(&task));
    }
}

static void names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < RWD_TASK_STATUS_COUNT; i++) {
        enum rwd_task_status parsed;
        const char *name = rwd_task_status_name((enum rwd_task_status)i);
        assert_int_equal(rwd_task_status_parse(rwd_text_of(name), &parsed), RWD_OK);
        assert_int_equal(parsed, i);
    }
    enum rwd_task_status status;
    assert_int_equal(rwd_task_status_parse(RWD_TEXT("paid"), &status), RWD_INVALID);
    assert_string_equal(rwd_task_status_name((enum rwd_task_status)99), "unknown");
    assert_string_equal(rwd_task_reason_name((enum rwd_task_reason)99), "unknown");
    for (int i = 0; i < RWD_TASK_REASON_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(rwd_task_reason_name((enum rwd_task_reason)i),
                rwd_task_reason_name((enum rwd_task_reason)j));
        }
    }
}

static struct rwd_task random_task(struct chance *chance)
{
    struct rwd_task task = {.rule_no = chance_below(chance, 1000),
        .version_no = (uint32_t)chance_u64(chance),
        .threshold = chance_u64(chance) >> chance_below(chance, 64),
        .pool_no = chance_below(chance, 3),
        .pool_period = (int32_t)chance_between(chance, -5, 30000),
        .kyc_min_level = (uint8_t)chance_below(chance, 4),
        .status = (enum rwd_task_status)chance_below(chance, RWD_TASK_STATUS_COUNT),
        .reason = (enum rwd_task_reason)chance_below(chance, RWD_TASK_REASON_COUNT),
        .attempts = chance_below(chance, 100),
        .next_attempt_ms = chance_one_in(chance, 2) ? 0 : (int64_t)(chance_u64(chance) >> 20),
        .created_ms = (int64_t)(chance_u64(chance) >> 20),
        .updated_ms = (int64_t)(chance_u64(chance) >> 20)};
    for (size_t i = 0; i < sizeof task.id.bytes; i++) {
        task.id.bytes[i] = (uint8_t)chance_u64(chance);
    }
    memset(task.event_id, 'e', chance_below(chance, RWD_EVENT_ID_SIZE_MAX + 1));
    memset(task.schema_id, 's', chance_below(chance, RWD_SCHEMA_ID_SIZE_MAX + 1));
    if (task.schema_id[0] != '\0' && chance_one_in(chance, 2)) {
        task.experiment_version_no = (uint32_t)chance_u64(chance);
        memset(task.arm, 'a', chance_below(chance, RWD_ARM_NAME_SIZE_MAX));
    }
    memset(task.payout_id, 'p', chance_below(chance, RWD_PAYOUT_ID_SIZE_MAX + 1));
    memset(task.reward.label, 'l', chance_below(chance, RWD_REWARD_LABEL_SIZE_MAX));
    task.reward.kind = (enum rwd_reward_kind)chance_below(chance, RWD_REWARD_KIND_COUNT);
    task.reward.money = (struct rwd_money){(int64_t)chance_u64(chance), {"EUR"}};
    task.reward.cost = (struct rwd_money){(int64_t)(chance_u64(chance) >> 30), {"JPY"}};
    task.reward.has_cost = chance_one_in(chance, 2);
    task.reward.count = (uint32_t)chance_u64(chance);
    task.reward.wagering = chance_below(chance, 100);
    task.reward.expires_in_s = (uint32_t)chance_u64(chance);
    task.rg_waived = chance_one_in(chance, 2);
    task.sent_before = chance_one_in(chance, 2);
    task.approved = chance_one_in(chance, 2);
    for (uint32_t i = chance_below(chance, 4); i > 0; i--) {
        const char code[] = {(char)('A' + chance_below(chance, 26)), (char)('A' + i)};
        (void)rwd_country_set_add(&task.geo_allowed, (struct rwd_text){.data = code, .size = 2});
    }
    return task;
}

static void tasks_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct chance chance = {1};
    struct rwd_buffer bytes = {0};
    for (int round = 0; round < 2000; round++) {
        struct rwd_task task = random_task(&chance);
        struct rwd_task read;
        bytes.size = 0;
        rwd_task_encode(&task, &bytes);
        struct rwd_wire wire = rwd_wire_of(bytes.data, bytes.size);
        rwd_task_decode(&wire, &read);
        assert_true(rwd_wire_done(&wire));
        size_t size = bytes.size;
        rwd_task_encode(&read, &bytes);
        assert_int_equal(bytes.size, 2 * size);
        assert_memory_equal(bytes.data, bytes.data + size, size);
        assert_int_equal(read.reward.cost.minor, task.reward.cost.minor);
        assert_string_equal(read.event_id, task.event_id);
        assert_string_equal(read.schema_id, task.schema_id);
        assert_int_equal(read.experiment_version_no, task.experiment_version_no);
        assert_string_equal(read.arm, task.arm);
        assert_int_equal(read.kyc_min_level, task.kyc_min_level);
        assert_int_equal(read.rg_waived, task.rg_waived);
        assert_int_equal(read.sent_before, task.sent_before);
        assert_int_equal(read.approved, task.approved);
        assert_memory_equal(&read.geo_allowed, &task.geo_allowed, sizeof read.geo_allowed);
        assert_int_equal(read.status, task.status);
        assert_int_equal(read.pool_period, task.pool_period);
        if (round % 50 == 0) {
            for (size_t cut = 0; cut < size; cut++) {
                wire = rwd_wire_of(bytes.data, cut);
                rwd_task_decode(&wire, &read);
                assert_true(wire.failed);
            }
        }
    }
    rwd_buffer_finish(&bytes);
}

/* Bytes written by the program before tasks knew their schema and arm: read as a task that has
 * neither, and written again as they were, or a replayed journal would not give the same store. */
static void tasks_of_older_records_are_read(void **state)
{
    (void)state;
    static const uint8_t old[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, /* id */
        3, 4, 100, 2, 'e', '1', /* rule, version, threshold, event */
        RWD_REWARD_CASH, 0x90, 0x03, 'E', 'U', 'R', 1, 0x90, 0x03, 'E', 'U', 'R', 0, 0, 0,
        0,                      /* the reward: 2.00, no label */
        1, 2, 2, 1, 0, 5, 0,    /* pool, period, guards: KYC 2, held, attempts, next */
        0x80, 0x01, 0x82, 0x01, /* created, updated */
        0};
    struct rwd_task task;
    struct rwd_buffer again = {0};
    struct rwd_wire wire = rwd_wire_of((const char *)old, sizeof old);
    rwd_task_decode(&wire, &task);
    assert_true(rwd_wire_done(&wire));
    assert_string_equal(task.event_id, "e1");
    assert_int_equal(task.reward.money.minor, 200);
    assert_int_equal(task.kyc_min_level, 2);
    assert_int_equal(task.status, RWD_TASK_HELD);
    assert_int_equal(task.updated_ms, 65);
    assert_string_equal(task.schema_id, "");
    assert_string_equal(task.arm, "");
    rwd_task_encode(&task, &again);
    assert_int_equal(again.size, sizeof old);
    assert_memory_equal(again.data, old, sizeof old);
    rwd_buffer_finish(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_the_known_ones),
        cmocka_unit_test(causes_do_not_run_together),
        cmocka_unit_test(text_that_is_no_id_is_refused),
        cmocka_unit_test(every_transition),
        cmocka_unit_test(settled_is_what_leaves_the_budget),
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(tasks_are_read_as_they_were_written),
        cmocka_unit_test(tasks_of_older_records_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
