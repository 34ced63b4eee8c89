/*
 * A rule whose answer depends on how a table lies in memory is found; one that only looks like it
 * is not.
 */
#include "support.h"

#include "decide/order_check.h"

static struct rwd_rule *load(const char *source)
{
    const struct rwd_ruleset_limits limits = world_limits();
    struct rwd_rule *rule = NULL;
    struct rwd_error error;
    if (rwd_rule_load(rwd_text_of(source), "r.lua", &limits.sandbox, &rule, &error) != RWD_OK) {
        fail_msg("%s", error.text);
    }
    return rule;
}

static enum rwd_status check(const char *source, const char *tests_source, struct rwd_error *error)
{
    const struct rwd_ruleset_limits limits = world_limits();
    struct rwd_rule *rule = load(source);
    struct rwd_rule_tests *tests = NULL;
    if (tests_source != NULL) {
        assert_int_equal(rwd_rule_tests_load(rwd_text_of(tests_source), "r_test.lua",
                             &limits.sandbox, &tests, error),
            RWD_OK);
    }
    error->text[0] = '\0';
    enum rwd_status status = rwd_order_check(rule, tests, error);
    rwd_rule_tests_destroy(tests);
    rwd_rule_destroy(rule);
    return status;
}

/* # of lists with holes beside names that come and go: where the list seems to end follows from
 * which names collide. Many of them, so that two VMs hardly ever agree. */
#define HOLES                                                                                      \
    "local function lengths()\n"                                                                   \
    "  local sum = 0\n"                                                                            \
    "  for round = 1, 40 do\n"                                                                     \
    "    local t = {}\n"                                                                           \
    "    for i = 1, 11 do\n"                                                                       \
    "      t[round .. 'k' .. i] = i\n"                                                             \
    "      if i % 2 == 0 then t[round .. 'k' .. (i - 1)] = nil end\n"                              \
    "      if i % 3 ~= 0 then t[i] = i end\n"                                                      \
    "    end\n"                                                                                    \
    "    sum = sum * 3 % 1000003 + #t\n"                                                           \
    "  end\n"                                                                                      \
    "  return sum\n"                                                                               \
    "end\n"

static void a_length_with_holes_is_found(void **state)
{
    (void)state;
    struct rwd_error error;
    assert_int_equal(check(HOLES "return rule { id = 'r', version = '1.0.0', on = 'bet',\n"
                                 "score = function() return lengths() end }",
                         NULL, &error),
        RWD_SCRIPT);
    assert_non_null(strstr(error.text, "r.lua: the same events get different answers"));
    assert_non_null(strstr(error.text, "# of a list with holes"));
}

/* Its answer is the same, but not the way to it: it would be stopped in one VM and not in another.
 */
static void the_work_counts_too(void **state)
{
    (void)state;
    struct rwd_error error;
    assert_int_equal(check(HOLES "return rule { id = 'r', version = '1.0.0', on = 'bet',\n"
                                 "score = function() for i = 1, lengths() % 20000 do end return 1 "
                                 "end }",
                         NULL, &error),
        RWD_SCRIPT);
}

/* Only an event that its tests have leads there. */
static void the_tests_events_are_used(void **state)
{
    (void)state;
    static const char source[] =
        HOLES "return rule { id = 'r', version = '1.0.0', on = 'bet',\n"
              "score = function(event) return event.payload.bet == 77 and lengths() or 1 end }";
    struct rwd_error error;
    assert_int_equal(check(source, NULL, &error), RWD_OK);
    assert_int_equal(check(source,
                         "return tests { { name = 'a', events = { { event_name = 'bet', payload = "
                         "{ bet = 5 } } }, expect = {} } }",
                         &error),
        RWD_OK);
    assert_int_equal(check(source,
                         "return tests { { name = 'a', events = { { event_name = 'bet', payload = "
                         "{ bet = 5 } } }, expect = {} }, { name = 'b', events = { { event_name = "
                         "'bet', payload = { bet = 77 } } }, expect = {} } }",
                         &error),
        RWD_SCRIPT);
}

/* pairs in its fixed order, names that come and go, chance, state, errors: all the same. */
static void what_is_only_many_is_no_offence(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "return rule { id = 'r', version = '1.0.0', on = { 'bet', 'deposit' },\n"
        "state = { n = 0, s = '' },\n"
        "score = function(event, player, state)\n"
        "  local t, out = {}, {}\n"
        "  for i = 1, 300 do\n"
        "    t['k' .. i * 7919 % 301] = i\n"
        "    if i % 7 == 0 then t['k' .. i % 50] = nil end\n"
        "    t[i * 3 % 97] = i\n"
        "  end\n"
        "  for k, v in pairs(t) do out[#out + 1] = tostring(k) .. v end\n"
        "  state.s = table.concat(out, ''):sub(1, 60)\n"
        "  state.n = state.n + #out\n"
        "  local sum = 0\n"
        "  for i, s in ipairs(out) do sum = (sum * 31 + s:byte(-1) + i) % 100003 end\n"
        "  for k in pairs(event.payload) do sum = sum + #k end\n"
        "  return sum + math.random(100)\n"
        "end }",
        "return rule { id = 'r', version = '1.0.0', on = 'bet', score = function() while true do "
        "end end }",
        "return rule { id = 'r', version = '1.0.0', on = 'bet', score = function() local s = 'x' "
        "while true do s = s .. s end end }",
        "return rule { id = 'r', version = '1.0.0', on = 'bet', score = function() error('no') end "
        "}",
        "return rule { id = 'r', version = '1.0.0', on = 'bet', guards = { budget = 'b', "
        "kyc_min_level = 1 }, grant = function(event) return cash { amount = money(event.payload."
        "bet or 1, 'EUR'), currency = 'EUR' } end }",
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        struct rwd_error error;
        for (int round = 0; round < 5; round++) {
            if (check(sources[i], NULL, &error) != RWD_OK) {
                fail_msg("%s\n%s", error.text, sources[i]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_length_with_holes_is_found),
        cmocka_unit_test(the_work_counts_too),
        cmocka_unit_test(the_tests_events_are_used),
        cmocka_unit_test(what_is_only_many_is_no_offence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
