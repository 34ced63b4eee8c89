/* The room against a plain list that does the same. */
#include "engine/waiting_room.h"

#include "../chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { USER_COUNT = 300 };

struct plain {
    int64_t since_ms[USER_COUNT];
    size_t count[USER_COUNT];
};

static void put(struct rwd_waiting_room *room, unsigned user, int64_t since_ms, size_t count)
{
    char name[16];
    (void)snprintf(name, sizeof name, "u%u", user);
    /* Users share fingerprints, and fingerprints buckets. */
    const struct rwd_waiting_guest guest = {.user_id = rwd_text_of(name),
        .fingerprint = (uint64_t)(user / 3) << 12,
        .since_ms = since_ms,
        .count = count};
    rwd_waiting_room_put(room, &guest);
}

static void assert_same(const struct rwd_waiting_room *room, const struct plain *plain)
{
    const struct rwd_waiting_guest *guests[USER_COUNT];
    size_t events = 0;
    size_t due = 0;
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; i < USER_COUNT; i++) {
        if (plain->count[i] > 0) {
            events += plain->count[i];
            due += plain->since_ms[i] <= 500;
            first_ms = plain->since_ms[i] < first_ms ? plain->since_ms[i] : first_ms;
        }
    }
    assert_int_equal(rwd_waiting_room_event_count(room), events);
    const struct rwd_waiting_guest *first = rwd_waiting_room_first(room);
    assert_int_equal(first != NULL ? first->since_ms : INT64_MAX, first_ms);
    assert_int_equal(rwd_waiting_room_due(room, 500, guests, USER_COUNT), due);
    for (size_t i = 0; i < due; i++) {
        assert_true(guests[i]->since_ms <= 500);
    }
    assert_int_equal(rwd_waiting_room_due(room, 500, guests, 2), due < 2 ? due : 2);
}

static void like_a_plain_list(void **state)
{
    (void)state;
    struct rwd_waiting_room *room = rwd_waiting_room_create();
    static struct plain plain;
    struct chance chance = {11};
    assert_null(rwd_waiting_room_first(room));
    for (int i = 0; i < 20000; i++) {
        unsigned user = chance_below(&chance, USER_COUNT);
        plain.since_ms[user] = chance_between(&chance, 0, 1000);
        /* It fills, and empties again. */
        plain.count[user] =
            chance_one_in(&chance, i % 4000 < 2000 ? 5 : 2) ? 0 : 1 + chance_below(&chance, 9);
        put(room, user, plain.since_ms[user], plain.count[user]);
        if (i % 50 == 0) {
            assert_same(room, &plain);
        }
    }
    for (unsigned user = 0; user < USER_COUNT; user++) {
        plain.count[user] = 0;
        put(room, user, 0, 0);
    }
    assert_same(room, &plain);
    rwd_waiting_room_destroy(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_a_plain_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
