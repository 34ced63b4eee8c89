/* A decision is what it was after encode and decode; damage fails or decodes, and never crashes. */
#include "domain/decision.h"

#include "../chance.h"
#include "base/memory.h"
#include "domain/waiting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct rwd_arena arena;

static void *take(size_t count, size_t size)
{
    void *memory = rwd_arena_alloc(&arena, (count + 1) * size);
    assert_non_null(memory);
    memset(memory, 0, (count + 1) * size);
    return memory;
}

static struct rwd_text random_text(struct chance *chance, uint32_t size_max)
{
    uint32_t size = chance_below(chance, size_max + 1);
    char *text = take(size, 1);
    for (uint32_t i = 0; i < size; i++) {
        text[i] = (char)chance_u64(chance);
    }
    return (struct rwd_text){.data = text, .size = size};
}

static struct rwd_scalar random_scalar(struct chance *chance)
{
    struct rwd_scalar scalar = {.type = (enum rwd_scalar_type)chance_below(chance, 4)};
    scalar.boolean = chance_one_in(chance, 2);
    scalar.number = (double)chance_between(chance, INT32_MIN, INT32_MAX) / 3;
    scalar.text = random_text(chance, RWD_STATE_TEXT_SIZE_MAX);
    return scalar;
}

static void random_effect(struct chance *chance, struct rwd_rule_effect *effect)
{
    *effect = (struct rwd_rule_effect){.rule_no = chance_below(chance, 1000),
        .version_no = chance_below(chance, 100000),
        .points_raw = chance_below(chance, 1000000001),
        .points = chance_below(chance, 1000000001),
        .cap = (enum rwd_cap)chance_below(chance, 5),
        .counted = (uint8_t)chance_below(chance, 4),
        .has_state = chance_one_in(chance, 2)};
    if (effect->has_state) {
        effect->state = random_text(chance, 300);
    }
    effect->update_count = chance_below(chance, 4);
    effect->updates = take(effect->update_count, sizeof effect->updates[0]);
    for (size_t i = 0; i < effect->update_count; i++) {
        effect->updates[i] = (struct rwd_aggregate_update){.key = chance_u64(chance),
            .operation = (enum rwd_aggregate_operation)chance_below(chance, 5),
            .window = (enum rwd_window)chance_below(chance, 5),
            .value = (int64_t)chance_u64(chance),
            .scalar = random_scalar(chance)};
    }
    effect->milestone_count = chance_below(chance, 4);
    effect->milestones = take(effect->milestone_count, sizeof effect->milestones[0]);
    for (size_t i = 0; i < effect->milestone_count; i++) {
        effect->milestones[i] = chance_u64(chance) >> chance_below(chance, 64);
    }
    effect->arm = random_text(chance, RWD_ARM_NAME_SIZE_MAX - 1);
}

static struct rwd_decision random_decision(struct chance *chance)
{
    struct rwd_decision decision = {.late = chance_one_in(chance, 2),
        .has_event = !chance_one_in(chance, 4),
        .now_ms = (int64_t)(chance_u64(chance) >> 22)};
    if (decision.has_event) {
        decision.event_ms = (int64_t)(chance_u64(chance) >> 22);
        decision.event_fingerprint = chance_u64(chance);
        decision.rulebook_no = (uint32_t)chance_u64(chance);
        struct rwd_text verdicts = random_text(chance, 300);
        decision.verdicts = (const uint8_t *)verdicts.data;
        decision.verdict_count = verdicts.size;
    }
    if (chance_one_in(chance, 3)) {
        struct rwd_profile *profile = take(1, sizeof *profile);
        profile->kyc_level = 2;
        profile->cool_off_until_ms = (int64_t)(chance_u64(chance) >> 22);
        (void)snprintf(profile->geo, sizeof profile->geo, "TR");
        profile->segment_count = 1;
        (void)snprintf(profile->segments[0], sizeof profile->segments[0], "vip");
        decision.profile = profile;
    }
    if (decision.has_event && chance_one_in(chance, 3)) {
        decision.waits = take(1, sizeof *decision.waits);
        decision.waits->event_id = random_text(chance, 40);
        decision.waits->rule_count = 1 + chance_below(chance, 4);
        decision.waits->rule_nos = take(decision.waits->rule_count, sizeof(uint32_t));
        for (size_t i = 0; i < decision.waits->rule_count; i++) {
            decision.waits->rule_nos[i] = chance_below(chance, 1000);
        }
    } else if (decision.has_event && chance_one_in(chance, 3)) {
        decision.release = (enum rwd_release)(1 + chance_below(chance, RWD_RELEASE_COUNT - 1));
    }
    decision.effect_count = chance_below(chance, 5);
    decision.effects = take(decision.effect_count, sizeof decision.effects[0]);
    for (size_t i = 0; i < decision.effect_count; i++) {
        random_effect(chance, &decision.effects[i]);
    }
    decision.task_count = chance_below(chance, 3);
    decision.tasks = take(decision.task_count, sizeof decision.tasks[0]);
    for (size_t i = 0; i < decision.task_count; i++) {
        struct rwd_task *task = &decision.tasks[i];
        memset(task->id.bytes, (int)chance_below(chance, 256), sizeof task->id.bytes);
        task->status = (enum rwd_task_status)chance_below(chance, RWD_TASK_STATUS_COUNT);
        task->reward.cost.minor = (int64_t)(chance_u64(chance) >> 20);
        (void)snprintf(task->event_id, sizeof task->event_id, "event");
    }
    decision.change_count = chance_below(chance, 3);
    decision.changes = take(decision.change_count, sizeof decision.changes[0]);
    for (size_t i = 0; i < decision.change_count; i++) {
        struct rwd_task_change *change = &decision.changes[i];
        change->status = (enum rwd_task_status)chance_below(chance, RWD_TASK_STATUS_COUNT);
        change->reason = (enum rwd_task_reason)chance_below(chance, RWD_TASK_REASON_COUNT);
        change->attempts = chance_below(chance, 100);
        change->next_attempt_ms = (int64_t)(chance_u64(chance) >> 22);
        memset(change->payout_id, 'p', chance_below(chance, RWD_PAYOUT_ID_SIZE_MAX + 1));
    }
    decision.exposure_count = chance_below(chance, 3);
    decision.exposures = take(decision.exposure_count, sizeof decision.exposures[0]);
    for (size_t i = 0; i < decision.exposure_count; i++) {
        decision.exposures[i] = (struct rwd_exposure){.experiment_no = chance_below(chance, 1000),
            .version_no = chance_below(chance, 1000),
            .arm = i == 0 ? RWD_TEXT("control") : RWD_TEXT("treatment_2"),
            .stratum = random_text(chance, 80)};
    }
    return decision;
}

static int open_arena(void **state)
{
    (void)state;
    rwd_arena_init(&arena, 1 << 16, 64 << 20);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    rwd_arena_finish(&arena);
    return 0;
}

static void random_decisions_go_both_ways(void **state)
{
    (void)state;
    struct chance chance = {1};
    struct rwd_buffer first = {0};
    struct rwd_buffer second = {0};
    for (int round = 0; round < 3000; round++) {
        rwd_arena_reset(&arena, 1 << 20);
        struct rwd_decision decision = random_decision(&chance);
        struct rwd_decision read;
        first.size = 0;
        second.size = 0;
        rwd_decision_encode(&decision, &first);
        assert_int_equal(rwd_decision_decode(rwd_buffer_text(&first), &arena, &read), RWD_OK);
        rwd_decision_encode(&read, &second);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        assert_int_equal(read.late, decision.late);
        assert_int_equal(read.has_event, decision.has_event);
        assert_int_equal(read.event_ms, decision.event_ms);
        assert_int_equal(read.now_ms, decision.now_ms);
        assert_int_equal(read.verdict_count, decision.verdict_count);
        assert_int_equal(read.release, decision.release);
        assert_int_equal(read.waits != NULL, decision.waits != NULL);
        assert_int_equal(rwd_decision_waits(rwd_buffer_text(&first)), decision.waits != NULL);
        if (read.waits != NULL) {
            assert_int_equal(read.waits->event_ms, decision.event_ms);
            assert_int_equal(read.waits->ingest_ms, decision.now_ms);
            assert_int_equal(read.waits->fingerprint, decision.event_fingerprint);
            assert_int_equal(read.waits->rule_count, decision.waits->rule_count);
        }
        assert_int_equal(read.effect_count, decision.effect_count);
        assert_int_equal(read.task_count, decision.task_count);
        assert_int_equal(read.change_count, decision.change_count);
        for (size_t i = 0; i < read.effect_count; i++) {
            assert_int_equal(read.effects[i].points, decision.effects[i].points);
            assert_int_equal(read.effects[i].has_state, decision.effects[i].has_state);
            assert_int_equal(read.effects[i].milestone_count, decision.effects[i].milestone_count);
        }
    }
    rwd_buffer_finish(&first);
    rwd_buffer_finish(&second);
}

static void damage_fails_or_decodes(void **state)
{
    (void)state;
    struct chance chance = {2};
    struct rwd_buffer bytes = {0};
    struct rwd_buffer again = {0};
    struct rwd_decision read;
    for (int round = 0; round < 60; round++) {
        rwd_arena_reset(&arena, 1 << 20);
        struct rwd_decision decision = random_decision(&chance);
        bytes.size = 0;
        rwd_decision_encode(&decision, &bytes);
        struct rwd_arena_mark mark = rwd_arena_mark(&arena);
        for (size_t cut = 0; cut < bytes.size; cut++) {
            char *copy = rwd_copy(bytes.data, cut);
            struct rwd_text text = {.data = copy, .size = cut};
            assert_int_equal(rwd_decision_decode(text, &arena, &read), RWD_CORRUPT);
            rwd_free(copy);
            rwd_arena_rewind(&arena, mark);
        }
        for (int flip = 0; flip < 1000; flip++) {
            char *copy = rwd_copy(bytes.data, bytes.size);
            copy[chance_below(&chance, (uint32_t)bytes.size)] ^=
                (char)(1 << chance_below(&chance, 8));
            struct rwd_text text = {.data = copy, .size = bytes.size};
            enum rwd_status status = rwd_decision_decode(text, &arena, &read);
            if (status == RWD_OK) {
                again.size = 0;
                rwd_decision_encode(&read, &again);
            } else {
                assert_int_equal(status, RWD_CORRUPT);
            }
            rwd_free(copy);
            rwd_arena_rewind(&arena, mark);
        }
    }
    rwd_buffer_finish(&bytes);
    rwd_buffer_finish(&again);
}

/* A full arena is the reader's trouble, not the journal's. */
static void a_full_arena_is_no_corruption(void **state)
{
    (void)state;
    struct chance chance = {3};
    struct rwd_buffer bytes = {0};
    struct rwd_decision read;
    for (int round = 0; round < 300; round++) {
        rwd_arena_reset(&arena, 1 << 20);
        struct rwd_decision decision = random_decision(&chance);
        bytes.size = 0;
        rwd_decision_encode(&decision, &bytes);
        enum rwd_status status = RWD_LIMIT;
        for (size_t size = 64; status != RWD_OK; size += 64) {
            struct rwd_arena small;
            rwd_arena_init(&small, 64, size);
            status = rwd_decision_decode(rwd_buffer_text(&bytes), &small, &read);
            assert_true(status == RWD_OK || status == RWD_LIMIT);
            rwd_arena_finish(&small);
        }
    }
    rwd_buffer_finish(&bytes);
}

static void names_of_verdicts_and_caps(void **state)
{
    (void)state;
    for (int i = 0; i < RWD_RULE_VERDICT_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(rwd_rule_verdict_name((enum rwd_rule_verdict)i),
                rwd_rule_verdict_name((enum rwd_rule_verdict)j));
        }
    }
    assert_string_equal(rwd_rule_verdict_name(RWD_RULE_WHERE_GEO), "where.geo");
    assert_string_equal(rwd_rule_verdict_name(RWD_RULE_COUNTED), "counted");
    assert_string_equal(rwd_rule_verdict_name(RWD_RULE_OTHER_VERSION), "other_version");
    assert_string_equal(rwd_rule_verdict_name((enum rwd_rule_verdict)200), "unknown");
    assert_string_equal(rwd_cap_name(RWD_CAP_DAY), "per_day");
    assert_string_equal(rwd_cap_name((enum rwd_cap)200), "unknown");
}

static struct rwd_rule *rule_with_states(const char *const *names, size_t count)
{
    struct rwd_rule *rule = rwd_new(sizeof *rule);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(rule->states[i].name, sizeof rule->states[i].name, "%s", names[i]);
        rule->states[i].initial =
            (struct rwd_scalar){.type = RWD_SCALAR_NUMBER, .number = -(double)(i + 1)};
    }
    rule->state_count = count;
    return rule;
}

/* Another version may have other fields: what it shares is kept, the rest begins anew. */
static void states_over_versions(void **state)
{
    (void)state;
    static const char *const old_names[] = {"a", "c", "e"};
    static const char *const new_names[] = {"b", "c", "d", "e", "f"};
    struct rwd_rule *old_rule = rule_with_states(old_names, 3);
    struct rwd_rule *new_rule = rule_with_states(new_names, 5);
    struct rwd_scalar values[RWD_RULE_STATE_COUNT_MAX] = {
        {.type = RWD_SCALAR_BOOLEAN, .boolean = true},
        {.type = RWD_SCALAR_TEXT, .text = RWD_TEXT("kept")},
        {.type = RWD_SCALAR_NUMBER, .number = 42}};
    struct rwd_buffer bytes = {0};
    rwd_state_encode(old_rule, values, &bytes);
    assert_int_equal(rwd_state_decode(new_rule, rwd_buffer_text(&bytes), values), RWD_OK);
    assert_true(values[0].number == -1);
    assert_true(rwd_text_is(values[1].text, "kept"));
    assert_true(values[2].number == -3);
    assert_true(values[3].number == 42);
    assert_true(values[4].number == -5);
    assert_int_equal(rwd_state_decode(old_rule, (struct rwd_text){0}, values), RWD_OK);
    assert_true(values[2].number == -3);
    for (size_t cut = 1; cut < bytes.size; cut++) {
        struct rwd_text text = {.data = bytes.data, .size = cut};
        assert_int_equal(rwd_state_decode(new_rule, text, values), RWD_CORRUPT);
    }
    rwd_buffer_finish(&bytes);
    rwd_free(old_rule);
    rwd_free(new_rule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_decisions_go_both_ways),
        cmocka_unit_test(damage_fails_or_decodes),
        cmocka_unit_test(a_full_arena_is_no_corruption),
        cmocka_unit_test(names_of_verdicts_and_caps),
        cmocka_unit_test(states_over_versions),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
