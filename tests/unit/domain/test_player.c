/* A player is what it was after encode and decode, and damage never gets through as a crash. */
#include "domain/player.h"

#include "../chance.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void random_series(struct chance *chance, struct rwd_series *series, uint32_t count_max)
{
    uint32_t bucket = chance_below(chance, 30000000);
    uint32_t count = chance_below(chance, count_max + 5);
    for (uint32_t i = 0; i < count; i++) {
        bool is_new = false;
        bucket += 1 + chance_below(chance, 3);
        *rwd_series_at(series, bucket, count_max, &is_new) =
            (int64_t)chance_u64(chance) >> chance_below(chance, 64);
    }
}

static void random_text(struct chance *chance, char *out, size_t size_max)
{
    size_t size = chance_below(chance, (uint32_t)size_max + 1);
    for (size_t i = 0; i < size; i++) {
        out[i] = (char)(1 + chance_below(chance, 255));
    }
    out[size] = '\0';
}

static void random_profile(struct chance *chance, struct rwd_profile *profile)
{
    profile->kyc_level = (uint8_t)chance_below(chance, 4);
    profile->self_excluded_until_ms = chance_one_in(chance, 2) ? INT64_MAX : 0;
    profile->cool_off_until_ms = (int64_t)(chance_u64(chance) >> 20);
    profile->deposit_limit_until_ms = (int64_t)(chance_u64(chance) >> 20);
    random_text(chance, profile->geo, 2);
    random_text(chance, profile->platform, RWD_PLAYER_PLATFORM_SIZE_MAX);
    profile->payer = (enum rwd_tristate)chance_below(chance, 3);
    profile->segment_count = (uint8_t)chance_below(chance, RWD_PLAYER_SEGMENT_COUNT_MAX + 1);
    for (size_t i = 0; i < profile->segment_count; i++) {
        random_text(chance, profile->segments[i], RWD_PLAYER_SEGMENT_SIZE_MAX);
    }
    profile->kyc_ms = (int64_t)(chance_u64(chance) >> 20);
    profile->self_excluded_ms = (int64_t)(chance_u64(chance) >> 20);
    profile->cool_off_ms = (int64_t)(chance_u64(chance) >> 20);
    profile->deposit_limit_ms = (int64_t)(chance_u64(chance) >> 20);
    profile->lifted_ms = (int64_t)(chance_u64(chance) >> 20);
}

static void random_rule(struct chance *chance, struct rwd_player_rule *rule)
{
    rule->total = chance_u64(chance) >> chance_below(chance, 64);
    random_series(chance, &rule->minutes, 8);
    random_series(chance, &rule->hours, 8);
    random_series(chance, &rule->days, 8);
    uint32_t fired = chance_below(chance, 6);
    for (uint32_t i = 0; i < fired; i++) {
        size_t capacity = rule->fired_capacity;
        rule->fired = rwd_room_for(rule->fired, rule->fired_count, &capacity, sizeof(uint64_t));
        rule->fired_capacity = (uint32_t)capacity;
        rule->fired[rule->fired_count++] = chance_u64(chance);
    }
    rule->aggregate_count = chance_below(chance, 4);
    rule->aggregates = rwd_new((rule->aggregate_count + 1) * sizeof rule->aggregates[0]);
    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        struct rwd_player_aggregate *aggregate = &rule->aggregates[i];
        aggregate->key = chance_u64(chance);
        aggregate->value = (int64_t)chance_u64(chance);
        aggregate->has_value = chance_one_in(chance, 2);
        random_series(chance, &aggregate->series, 5);
        aggregate->last_type = (enum rwd_scalar_type)chance_below(chance, 4);
        if (aggregate->last_type != RWD_SCALAR_NIL) {
            aggregate->last_ms = (int64_t)(chance_u64(chance) >> 20);
            aggregate->last_number = (double)chance_between(chance, -1000, 1000) / 7;
            random_text(chance, aggregate->last_text, RWD_STATE_TEXT_SIZE_MAX);
        }
    }
    rule->state_size = chance_below(chance, 100);
    rule->state = rule->state_size > 0 ? rwd_new(rule->state_size) : NULL;
    for (uint32_t i = 0; i < rule->state_size; i++) {
        rule->state[i] = (char)chance_u64(chance);
    }
}

static struct rwd_player *random_player(struct chance *chance)
{
    struct rwd_player *player = rwd_player_create(RWD_TEXT("u_\xc3\xbc"), 99);
    uint32_t seen = chance_below(chance, 300);
    for (uint32_t i = 0; i < seen; i++) {
        player->sequence++;
        rwd_player_saw(player, chance_u64(chance), 1763208000000 + (int64_t)i * 100000);
    }
    player->sequence += chance_u64(chance) >> 32;
    player->newest_event_ms = (int64_t)(chance_u64(chance) >> 20);
    random_profile(chance, &player->profile);
    uint32_t rules = chance_below(chance, 6);
    for (uint32_t i = 0; i < rules; i++) {
        uint32_t rule_no = 1 + chance_below(chance, 10);
        if (rwd_player_rule_find(player, rule_no) == NULL) {
            random_rule(chance, rwd_player_rule_of(player, rule_no));
        }
    }
    uint32_t exposures = chance_below(chance, 4);
    for (uint32_t i = 0; i < exposures; i++) {
        rwd_player_expose(player, 1 + chance_below(chance, 5), RWD_TEXT("treatment"));
    }
    player->task_count = chance_below(chance, 5);
    player->tasks = rwd_new((player->task_count + 1) * sizeof player->tasks[0]);
    for (uint32_t i = 0; i < player->task_count; i++) {
        struct rwd_task *task = &player->tasks[i];
        memset(task->id.bytes, (int)i + 1, sizeof task->id.bytes);
        task->status = (enum rwd_task_status)chance_below(chance, RWD_TASK_STATUS_COUNT);
        task->pool_no = 1;
        task->reward.cost.minor = 5;
        (void)snprintf(task->event_id, sizeof task->event_id, "e%u", i);
    }
    return player;
}

static void rules_are_kept_in_order(void **state)
{
    (void)state;
    struct chance chance = {1};
    struct rwd_player *player = rwd_player_create(RWD_TEXT("u"), 1);
    for (int i = 0; i < 200; i++) {
        uint32_t rule_no = 1 + chance_below(&chance, 50);
        assert_int_equal(rwd_player_rule_of(player, rule_no)->rule_no, rule_no);
        assert_non_null(rwd_player_rule_find(player, rule_no));
    }
    for (uint32_t i = 1; i < player->rule_count; i++) {
        assert_true(player->rules[i - 1].rule_no < player->rules[i].rule_no);
    }
    assert_null(rwd_player_rule_find(player, 51));
    assert_null(rwd_player_rule_find(player, 0));
    assert_false(rwd_player_rule_fired(NULL, 1));
    rwd_player_destroy(player);
    rwd_player_destroy(NULL);
}

static void decoded_is_encoded_again_the_same(void **state)
{
    (void)state;
    struct chance chance = {2};
    for (int round = 0; round < 500; round++) {
        struct rwd_player *player = random_player(&chance);
        struct rwd_player *read = NULL;
        struct rwd_buffer first = {0};
        struct rwd_buffer second = {0};
        uint32_t open = 0;
        rwd_player_encode(player, &first);
        assert_int_equal(
            rwd_player_decode(RWD_TEXT("u_\xc3\xbc"), 99, rwd_buffer_text(&first), &read), RWD_OK);
        rwd_player_encode(read, &second);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        for (uint32_t i = 0; i < player->task_count; i++) {
            open += !rwd_task_settled(&player->tasks[i]);
        }
        assert_int_equal(read->task_count, open);
        assert_int_equal(read->rule_count, player->rule_count);
        assert_int_equal(read->sequence, player->sequence);
        for (uint32_t i = 0; i < read->task_count; i++) {
            assert_int_equal(read->tasks[i].known.budget, RWD_BUDGET_RESERVED);
            assert_false(read->tasks[i].dirty);
        }
        rwd_buffer_finish(&first);
        rwd_buffer_finish(&second);
        rwd_player_destroy(player);
        rwd_player_destroy(read);
    }
}

/* Decodes; what decodes can be encoded, asked and destroyed. */
static bool try_bytes(const char *data, size_t size)
{
    struct rwd_player *read = NULL;
    struct rwd_text bytes = {.data = data, .size = size};
    if (rwd_player_decode(RWD_TEXT("u"), 1, bytes, &read) != RWD_OK) {
        return false;
    }
    struct rwd_buffer again = {0};
    rwd_player_encode(read, &again);
    (void)rwd_player_has_seen(read, 1);
    rwd_buffer_finish(&again);
    rwd_player_destroy(read);
    return true;
}

static void damage_is_refused_or_harmless(void **state)
{
    (void)state;
    struct chance chance = {3};
    for (int round = 0; round < 30; round++) {
        struct rwd_player *player = random_player(&chance);
        struct rwd_buffer bytes = {0};
        rwd_player_encode(player, &bytes);
        for (size_t cut = 0; cut < bytes.size; cut++) {
            /* A copy of its own size, so that a sanitizer sees a read past its end. */
            char *copy = rwd_copy(bytes.data, cut);
            assert_false(try_bytes(copy, cut));
            rwd_free(copy);
        }
        for (int flip = 0; flip < 2000; flip++) {
            char *copy = rwd_copy(bytes.data, bytes.size);
            uint32_t count = 1 + chance_below(&chance, 3);
            for (uint32_t i = 0; i < count; i++) {
                copy[chance_below(&chance, (uint32_t)bytes.size)] ^=
                    (char)(1 << chance_below(&chance, 8));
            }
            (void)try_bytes(copy, bytes.size);
            rwd_free(copy);
        }
        rwd_buffer_put_char(&bytes, 'x');
        assert_false(try_bytes(bytes.data, bytes.size));
        rwd_buffer_finish(&bytes);
        rwd_player_destroy(player);
    }
}

static void the_oldest_exposure_goes(void **state)
{
    (void)state;
    struct rwd_player *player = rwd_player_create(RWD_TEXT("u1"), 1);
    for (uint32_t no = 1; no <= RWD_PLAYER_EXPOSURE_COUNT_MAX + 1; no++) {
        rwd_player_expose(player, no, RWD_TEXT("control"));
        rwd_player_expose(player, no, RWD_TEXT("treatment")); /* the first counts */
    }
    assert_int_equal(player->exposure_count, RWD_PLAYER_EXPOSURE_COUNT_MAX);
    assert_string_equal(rwd_player_arm(player, 1), "");
    assert_string_equal(rwd_player_arm(player, 2), "control");
    assert_string_equal(rwd_player_arm(player, RWD_PLAYER_EXPOSURE_COUNT_MAX + 1), "control");
    rwd_player_destroy(player);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_exposure_goes),
        cmocka_unit_test(rules_are_kept_in_order),
        cmocka_unit_test(decoded_is_encoded_again_the_same),
        cmocka_unit_test(damage_is_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
