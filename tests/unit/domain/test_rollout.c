/* A share of the players: as large as it says, sticky, growing without moving anyone back. */
#include "domain/rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { USER_COUNT = 100000 };

static uint32_t place_of(const char *rule_id, const char *version, unsigned user)
{
    char user_id[32];
    int size = snprintf(user_id, sizeof user_id, "u_%u", user);
    struct rwd_text text = {.data = user_id, .size = (size_t)size};
    return rwd_rollout_place(rwd_text_of(rule_id), rwd_text_of(version), text);
}

static void shares_are_as_large_as_they_say(void **state)
{
    (void)state;
    static const char *const rules[][2] = {
        {"points_winmult", "2.0.0"}, {"points_winmult", "2.0.1"}, {"a", "1.0.0"}};
    for (size_t rule = 0; rule < 3; rule++) {
        unsigned in[101] = {0};
        for (unsigned user = 0; user < USER_COUNT; user++) {
            in[place_of(rules[rule][0], rules[rule][1], user) / 100 + 1]++;
        }
        /* The sums are the shares: whoever is in at s is in at every share above it. */
        for (unsigned share = 1; share <= 100; share++) {
            in[share] += in[share - 1];
            assert_in_range(in[share], share < 1 ? 0 : (share - 1) * USER_COUNT / 100,
                (share + 1) * USER_COUNT / 100);
        }
        assert_int_equal(in[100], USER_COUNT);
    }
}

static void a_place_is_kept(void **state)
{
    (void)state;
    for (unsigned user = 0; user < 1000; user++) {
        assert_int_equal(place_of("r", "1.0.0", user), place_of("r", "1.0.0", user));
    }
    /* Written down once: a player's place outlives this program. */
    assert_int_equal(place_of("points_winmult", "2.0.0", 123), 4329);
}

/* Of those that one version has, another has as many as of all. */
static void versions_and_rules_draw_apart(void **state)
{
    (void)state;
    static const char *const others[][2] = {{"r", "1.0.1"}, {"s", "1.0.0"}, {"r1", ".0.0"}};
    for (size_t other = 0; other < 3; other++) {
        unsigned first = 0;
        unsigned both = 0;
        for (unsigned user = 0; user < USER_COUNT; user++) {
            bool in = place_of("r", "1.0.0", user) < 2000;
            first += in;
            both += in && place_of(others[other][0], others[other][1], user) < 2000;
        }
        assert_in_range(both, first * 18 / 100, first * 22 / 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_as_large_as_they_say),
        cmocka_unit_test(a_place_is_kept),
        cmocka_unit_test(versions_and_rules_draw_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
