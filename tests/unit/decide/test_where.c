/* Every key of where = {...}: the event's own word, else the player's last known. */
#include "support.h"

static void every_key(void **state)
{
    (void)state;
    static const struct {
        const char *where;
        const char *known; /* user fields of an event before, or NULL: none */
        const char *user;  /* of the event asked about */
        const char *payload;
        int64_t after_ms;
        enum rwd_rule_verdict verdict;
    } rows[] = {
        {"geo = 'TR'", NULL, ",\"geo\":\"TR\"", "{}", 0, RWD_RULE_COUNTED},
        {"geo = 'TR'", NULL, "", "{}", 0, RWD_RULE_WHERE_GEO},
        {"geo = 'TR'", NULL, ",\"geo\":\"DE\"", "{}", 0, RWD_RULE_WHERE_GEO},
        {"geo = { 'TR', 'BR' }", NULL, ",\"geo\":\"BR\"", "{}", 0, RWD_RULE_COUNTED},
        {"geo = 'TR'", ",\"geo\":\"TR\"", "", "{}", 0, RWD_RULE_COUNTED},
        {"geo = 'TR'", ",\"geo\":\"TR\"", ",\"geo\":\"DE\"", "{}", 0, RWD_RULE_WHERE_GEO},
        {"geo = 'TR'", ",\"geo\":\"DE\"", ",\"geo\":\"TR\"", "{}", 0, RWD_RULE_COUNTED},
        /* A late event speaks for itself, not for the player. */
        {"geo = 'TR'", ",\"geo\":\"DE\"", ",\"geo\":\"TR\"", "{}", -HOUR_MS, RWD_RULE_COUNTED},
        {"platform = 'ios'", NULL, ",\"platform\":\"ios\"", "{}", 0, RWD_RULE_COUNTED},
        {"platform = 'ios'", NULL, "", "{}", 0, RWD_RULE_WHERE_PLATFORM},
        {"platform = { 'web', 'ios' }", ",\"platform\":\"web\"", "", "{}", 0, RWD_RULE_COUNTED},
        {"platform = 'ios'", ",\"platform\":\"ios\"", ",\"platform\":\"web\"", "{}", 0,
            RWD_RULE_WHERE_PLATFORM},
        {"payer = true", NULL, ",\"payer_flag\":true", "{}", 0, RWD_RULE_COUNTED},
        {"payer = true", NULL, "", "{}", 0, RWD_RULE_WHERE_PAYER},
        {"payer = false", NULL, "", "{}", 0, RWD_RULE_WHERE_PAYER},
        {"payer = false", NULL, ",\"payer_flag\":false", "{}", 0, RWD_RULE_COUNTED},
        {"payer = true", ",\"payer_flag\":true", "", "{}", 0, RWD_RULE_COUNTED},
        {"payer = true", ",\"payer_flag\":true", ",\"payer_flag\":false", "{}", 0,
            RWD_RULE_WHERE_PAYER},
        {"segment = 'vip'", NULL, ",\"segments\":[\"new\",\"vip\"]", "{}", 0, RWD_RULE_COUNTED},
        {"segment = { 'a', 'vip' }", ",\"segments\":[\"vip\"]", "", "{}", 0, RWD_RULE_COUNTED},
        {"segment = 'vip'", ",\"segments\":[\"vip\"]", ",\"segments\":[]", "{}", 0,
            RWD_RULE_WHERE_SEGMENT},
        {"segment = 'vip'", NULL, "", "{}", 0, RWD_RULE_WHERE_SEGMENT},
        {"currency = 'EUR'", NULL, "", "{\"currency\":\"EUR\"}", 0, RWD_RULE_COUNTED},
        {"currency = { 'EUR', 'TRY' }", NULL, "", "{\"currency\":\"TRY\"}", 0, RWD_RULE_COUNTED},
        {"currency = 'EUR'", NULL, "", "{\"currency\":\"USD\"}", 0, RWD_RULE_WHERE_CURRENCY},
        {"currency = 'EUR'", NULL, "", "{}", 0, RWD_RULE_WHERE_CURRENCY},
        {"currency = 'EUR'", NULL, "", "{\"currency\":5}", 0, RWD_RULE_WHERE_CURRENCY},
        /* noon_ms is a Saturday, 12:00 UTC. */
        {"weekday = 'sat'", NULL, "", "{}", 0, RWD_RULE_COUNTED},
        {"weekday = { 'sun', 6 }", NULL, "", "{}", 12 * HOUR_MS - 1, RWD_RULE_COUNTED},
        {"weekday = 'sat'", NULL, "", "{}", 12 * HOUR_MS, RWD_RULE_WHERE_WEEKDAY},
        {"weekday = 'sat'", NULL, "", "{}", -12 * HOUR_MS - 1, RWD_RULE_WHERE_WEEKDAY},
        {"hour = 12", NULL, "", "{}", HOUR_MS - 1, RWD_RULE_COUNTED},
        {"hour = 12", NULL, "", "{}", HOUR_MS, RWD_RULE_WHERE_HOUR},
        {"hour = { 0, 23 }", NULL, "", "{}", 12 * HOUR_MS, RWD_RULE_COUNTED},
        {"hour = { 0, 23 }", NULL, "", "{}", 11 * HOUR_MS, RWD_RULE_COUNTED},
        {"hour = { 0, 23 }", NULL, "", "{}", 13 * HOUR_MS, RWD_RULE_WHERE_HOUR},
        /* The first key that refuses, in their order. */
        {"geo = 'TR', hour = 1", NULL, "", "{}", 0, RWD_RULE_WHERE_GEO},
        {"currency = 'EUR', weekday = 'mon', hour = 1", NULL, "", "{\"currency\":\"EUR\"}", 0,
            RWD_RULE_WHERE_WEEKDAY},
        {"geo = 'TR', platform = 'ios', payer = true, segment = 'v', currency = 'EUR', weekday = "
         "'sat', hour = 12",
            NULL, ",\"geo\":\"TR\",\"platform\":\"ios\",\"payer_flag\":true,\"segments\":[\"v\"]",
            "{\"currency\":\"EUR\"}", 0, RWD_RULE_COUNTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        char fields[256];
        world_open(&w);
        (void)snprintf(fields, sizeof fields, "where = { %s }, when = function() return true end",
            rows[i].where);
        world_rule_of(&w, fields);
        w.player->profile.geo[0] = '\0';
        if (rows[i].known != NULL) {
            assert_int_equal(
                world_send(&w, "known", "login", noon_ms, rows[i].known, "{}"), RWD_OK);
        }
        assert_int_equal(world_send(&w, "asked", "bet", noon_ms + rows[i].after_ms, rows[i].user,
                             rows[i].payload),
            RWD_OK);
        if (world_verdict(&w, 0) != rows[i].verdict) {
            fail_msg("row %zu: where { %s }: %s", i, rows[i].where,
                rwd_rule_verdict_name(world_verdict(&w, 0)));
        }
        world_close(&w);
    }
}

/* What where refuses never reaches Lua. */
static void refused_before_lua(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    w.player->profile.geo[0] = '\0';
    world_rule_of(&w, "where = { geo = 'TR' }, when = function() error('entered') end");
    world_bet(&w, noon_ms, "{}");
    assert_int_equal(w.failures, 0);
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_WHERE_GEO);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key),
        cmocka_unit_test(refused_before_lua),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
