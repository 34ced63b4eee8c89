/* The list of waiting events: its order, its bytes, and what damage does to them. */
#include "domain/waiting.h"

#include "../chance.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void add(struct rwd_player *player, int64_t event_ms, const char *id, int64_t ingest_ms)
{
    uint32_t rule_nos[] = {7, 3};
    char raw[64];
    (void)snprintf(raw, sizeof raw, "{\"event_id\":\"%s\"}", id);
    const struct rwd_waiting_event event = {.event_ms = event_ms,
        .ingest_ms = ingest_ms,
        .fingerprint = (uint64_t)event_ms * 31 + (unsigned char)id[0],
        .event_id = rwd_text_of(id),
        .raw = rwd_text_of(raw),
        .rule_nos = rule_nos,
        .rule_count = 2};
    rwd_waiting_add(player, &event);
}

static void take(struct rwd_player *player, int64_t event_ms, const char *id)
{
    rwd_waiting_remove(player, event_ms, (uint64_t)event_ms * 31 + (unsigned char)id[0]);
}

static void assert_ids(const struct rwd_player *player, const char *ids)
{
    assert_int_equal(rwd_waiting_count(player), strlen(ids));
    for (size_t i = 0; i < strlen(ids); i++) {
        assert_int_equal(player->waiting->events[i].event_id.data[0], ids[i]);
    }
}

static void by_time_then_by_id(void **state)
{
    (void)state;
    struct rwd_player *player = rwd_player_create(RWD_TEXT("u"), 1);
    assert_null(player->waiting);
    assert_int_equal(rwd_waiting_since_ms(player), 0);
    add(player, 300, "c", 1000);
    add(player, 100, "z", 1001);
    add(player, 200, "b", 999);
    add(player, 200, "a", 1002);
    assert_ids(player, "zabc");
    assert_int_equal(rwd_waiting_since_ms(player), 999);
    assert_int_equal(player->waiting->size, 4 * strlen("{\"event_id\":\"c\"}"));
    assert_true(rwd_waiting_has_rule(&player->waiting->events[0], 3));
    assert_false(rwd_waiting_has_rule(&player->waiting->events[0], 4));
    take(player, 200, "b");
    assert_ids(player, "zac");
    assert_int_equal(rwd_waiting_since_ms(player), 1000);
    rwd_waiting_hold(player, 300, 300 * 31 + 'c');
    assert_int_equal(rwd_waiting_since_ms(player), 1001);
    assert_int_equal(player->waiting->events[2].ingest_ms, 1000);
    take(player, 100, "z");
    take(player, 300, "c");
    take(player, 200, "a");
    assert_null(player->waiting);
    rwd_player_destroy(player);
}

static struct rwd_player *random_player(struct chance *chance)
{
    struct rwd_player *player = rwd_player_create(RWD_TEXT("u"), 1);
    for (uint32_t i = 1 + chance_below(chance, 6); i > 0; i--) {
        char id[2] = {(char)('a' + chance_below(chance, 26)), '\0'};
        add(player, chance_between(chance, 1, 1000), id, chance_between(chance, 1, 1000));
    }
    return player;
}

static void the_list_moves_with_its_player(void **state)
{
    (void)state;
    struct chance chance = {3};
    for (int round = 0; round < 300; round++) {
        struct rwd_player *player = random_player(&chance);
        struct rwd_player *read = NULL;
        struct rwd_buffer first = {0};
        struct rwd_buffer second = {0};
        rwd_player_encode(player, &first);
        assert_int_equal(
            rwd_player_decode(RWD_TEXT("u"), 1, rwd_buffer_text(&first), &read), RWD_OK);
        rwd_player_encode(read, &second);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        assert_int_equal(read->waiting->size, player->waiting->size);
        rwd_player_destroy(read);
        for (size_t cut = 0; cut < first.size; cut++) {
            char *copy = rwd_copy(first.data, cut);
            assert_int_equal(rwd_player_decode(RWD_TEXT("u"), 1,
                                 (struct rwd_text){.data = copy, .size = cut}, &read),
                RWD_CORRUPT);
            rwd_free(copy);
        }
        first.data[chance_below(&chance, (uint32_t)first.size)] ^=
            (char)(1 << chance_below(&chance, 8));
        if (rwd_player_decode(RWD_TEXT("u"), 1, rwd_buffer_text(&first), &read) == RWD_OK) {
            rwd_player_destroy(read);
        }
        rwd_player_destroy(player);
        rwd_buffer_finish(&first);
        rwd_buffer_finish(&second);
    }
}

/* Stores of before the list came are read as they are, and rules in order of arrival cost nothing.
 */
static void who_waits_for_nothing_is_written_as_ever(void **state)
{
    (void)state;
    struct rwd_player *player = rwd_player_create(RWD_TEXT("u"), 1);
    struct rwd_buffer before = {0};
    struct rwd_buffer after = {0};
    rwd_player_encode(player, &before);
    assert_int_equal(before.data[0], 2);
    add(player, 100, "a", 1);
    take(player, 100, "a");
    rwd_player_encode(player, &after);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    rwd_player_destroy(player);
    rwd_buffer_finish(&before);
    rwd_buffer_finish(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_time_then_by_id),
        cmocka_unit_test(the_list_moves_with_its_player),
        cmocka_unit_test(who_waits_for_nothing_is_written_as_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
