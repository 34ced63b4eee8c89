/* engine.conf: defaults, bounds, words with file and line, and -D. */
#include "domain/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];
static struct rwd_error error;

static int make_path(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/rewardd-conf-XXXXXX");
    int fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

static enum rwd_status load(const char *text, struct rwd_config **config)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
    error.text[0] = '\0';
    return rwd_config_load(path, NULL, 0, config, &error);
}

static struct rwd_config *loaded(const char *text)
{
    struct rwd_config *config = NULL;
    if (load(text, &config) != RWD_OK) {
        fail_msg("%s", error.text);
    }
    return config;
}

/* Refused, and the words hold both the place and the thing. */
static void assert_refused(const char *text, int line, const char *what)
{
    struct rwd_config *config = NULL;
    char place[96];
    (void)snprintf(place, sizeof place, "%s:%d:", path, line);
    if (load(text, &config) != RWD_INVALID) {
        fail_msg("accepted: %s", text);
    }
    assert_null(config);
    if (strncmp(error.text, place, strlen(place)) != 0 || strstr(error.text, what) == NULL) {
        fail_msg("'%s' names not %s %s", error.text, place, what);
    }
}

static void without_a_file_all_is_default(void **state)
{
    (void)state;
    struct rwd_config *config = NULL;
    assert_int_equal(rwd_config_load(NULL, NULL, 0, &config, &error), RWD_OK);
    assert_string_equal(config->server_listen, "127.0.0.1:8080");
    assert_string_equal(config->data_dir, "data");
    assert_string_equal(config->rules_dir, "rules");
    assert_string_equal(config->store_url, "");
    assert_true(config->rules_auto_activate);
    assert_false(config->schemas_allow_unknown);
    /* Spec 3, 4, 6, 10. */
    assert_int_equal(config->ingest_reorder_window_s, 60);
    assert_int_equal(config->ingest_future_max_s, 300);
    assert_int_equal(config->dispatcher_attempt_count_max, 8);
    assert_int_equal(config->engine_checkpoint_interval_ms, 100);
    assert_int_equal(config->endpoint_count, 0);
    assert_int_equal(config->price_count, 0);
    assert_int_equal(config->budget_count, 0);
    rwd_config_destroy(config);
    config = loaded("");
    assert_string_equal(config->server_listen, "127.0.0.1:8080");
    rwd_config_destroy(config);
    rwd_config_destroy(NULL);
}

static void a_file_says_otherwise(void **state)
{
    (void)state;
    struct rwd_config *config =
        loaded("# a comment\n"
               "server { listen = \"0.0.0.0:1\" connection_count_max = 7 }\n"
               "rules { auto_activate = false }\n"
               "engine {\n  shards = 3\n}\n");
    assert_string_equal(config->server_listen, "0.0.0.0:1");
    assert_int_equal(config->server_connection_count_max, 7);
    assert_false(config->rules_auto_activate);
    assert_int_equal(config->engine_shards, 3);
    assert_int_equal(config->engine_batch_event_count_max, 256);
    rwd_config_destroy(config);
}

static void wrong_lines_are_named(void **state)
{
    (void)state;
    assert_refused("server { listen = \"a\" }\n\nserver { lisen = \"b\" }\n", 3, "lisen");
    assert_refused("sever { listen = \"a\" }\n", 1, "sever");
    assert_refused("\n\nengine { shards = 65 }\n", 3, "engine.shards");
    assert_refused("engine {\n shards = -1\n}\n", 2, "from 0 to 64");
    assert_refused("engine { shards = many }\n", 1, "shards");
    assert_refused("engine { shards = 1.5 }\n", 1, "shards");
    assert_refused("rules { auto_activate = perhaps }\n", 1, "auto_activate");
    assert_refused("ingest { depth_max = 1 }\n", 1, "depth_max");
    assert_refused("gates { large_reward = \"\" }\n", 1, "gates.large_reward");
    assert_refused("\ngates { large_reward = \"much\" }\n", 2, "EUR:50.00,JPY:8000");
    assert_refused("gates { large_reward = \"JPY:0.5\" }\n", 1, "gates.large_reward");
    assert_refused("ingest { depth_max = 99999999999999999999 }\n", 1, "depth_max");
}

static void half_a_file_is_named(void **state)
{
    (void)state;
    assert_refused("server {", 1, "section");
    assert_refused("server { listen = \"a\"\n", 1, "add the }");
    assert_refused("# one\n\nserver {\n listen = \"a\"\n", 3, "section");
    assert_refused("server {\n listen = a", 1, "put the file back whole");
    /* The brace is missing in the middle: the section that lacks it, not the last one. */
    assert_refused(
        "engine { shards = 1 }\nserver {\n listen = \"a\"\ndata { dir = \"b\" }\n", 2, "section");
    assert_refused("server {\n listen = \"a }\n", 2, "add the \"");
    assert_refused("server {\n listen = 'a\\' }\n", 2, "add the '");
    assert_refused("server {\n listen = \"a\\", 2, "text");
    assert_refused("server { listen = \"${HOME\" }\n", 1, "text");
    assert_refused("server { listen = a }\n/* engine {\n shards = 1 }\n", 2, "comment");
    assert_refused("/*/", 1, "comment");
    assert_refused(
        "endpoint \"w\" {\n url = \"http://a\" secret = \"s\"\n kinds = { cash,", 1, "section");
    /* Nothing is open, but something is to follow. */
    assert_refused("server", 1, "put it back whole");
    assert_refused("engine { shards = 1 }\nendpoint \"w\"", 2, "put it back whole");
    assert_refused("server { } }\n", 1, "brace");
}

static void what_only_looks_open_is_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {"# { \" '\n", "// { \" '", "/* { \" ' # */", "/***/",
        "server { listen = \"{ ' # /* //\" }", "server { listen = '{ \" ${ # /*' }",
        "server { listen = \"a\\\"{\" }", "server { listen = 'a\\'{' }",
        "server { listen = \"a\\\\\" }", "server { listen = a//b }",
        "server { listen = \"a\nb\" } # {", "server { listen = \"${NOT_THERE:-{\"}\" }",
        "server { listen = ${NOT_THERE:-{} }", "endpoint \"{\" { url = \"http://a\" secret = s }"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rwd_config_destroy(loaded(texts[i]));
    }
}

/* After a text that was left open, the next file is read from its beginning. */
static void a_refused_file_leaves_nothing_behind(void **state)
{
    (void)state;
    struct rwd_config *config = NULL;
    assert_refused("server { listen = \"a", 1, "text");
    config = loaded("server { listen = \"b\" }\n");
    assert_string_equal(config->server_listen, "b");
    rwd_config_destroy(config);
}

static size_t count(const char *text, char wanted)
{
    size_t found = 0;
    bool comment = false;
    for (; *text != '\0'; text++) {
        comment = *text == '#' || (comment && *text != '\n');
        found += !comment && *text == wanted;
    }
    return found;
}

/* Wherever the shipped file is cut: refused, or whole sections and nothing else. */
static void every_cut_is_refused_or_whole(void **state)
{
    (void)state;
    char text[8192];
    FILE *file = fopen(RWD_SOURCE_DIR "/deploy/demo/engine.conf", "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_true(size > 500 && size < sizeof text - 1);
    size_t taken = 0;
    for (; size > 0; size--) {
        text[size] = '\0';
        struct rwd_config *config = NULL;
        if (load(text, &config) != RWD_OK) {
            assert_memory_equal(error.text, path, strlen(path));
            assert_true(error.text[strlen(path)] == ':' && error.text[strlen(path) + 1] != '0');
            continue;
        }
        taken++;
        assert_int_equal(count(text, '{'), count(text, '}'));
        assert_int_equal(count(text, '"') % 2, 0);
        /* Of the named ones each that begins has come whole. */
        size_t named = config->endpoint_count + config->price_count + config->budget_count;
        size_t begun = 0;
        for (const char *at = text; (at = strstr(at, "\" {")) != NULL; at++) {
            begun++;
        }
        assert_int_equal(named, begun);
        rwd_config_destroy(config);
    }
    assert_true(taken > 8);
}

static void a_nul_is_no_end(void **state)
{
    (void)state;
    static const char text[] = "engine { shards = 1 }\n\0\nserver { listen = \"a\" }\n";
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fwrite(text, 1, sizeof text - 1, file);
    assert_int_equal(fclose(file), 0);
    struct rwd_config *config = NULL;
    assert_int_equal(rwd_config_load(path, NULL, 0, &config, &error), RWD_INVALID);
    assert_non_null(strstr(error.text, ":2: there is a NUL"));
}

static void a_folder_is_no_file(void **state)
{
    (void)state;
    struct rwd_config *config = NULL;
    assert_int_equal(rwd_config_load("/tmp", NULL, 0, &config, &error), RWD_NOT_FOUND);
    assert_non_null(strstr(error.text, "cannot read /tmp"));
}

static void a_file_that_is_not_there(void **state)
{
    (void)state;
    struct rwd_config *config = NULL;
    assert_int_equal(
        rwd_config_load("/nowhere/engine.conf", NULL, 0, &config, &error), RWD_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/engine.conf"));
}

static enum rwd_status override(const char *text, struct rwd_config **config)
{
    return rwd_config_load(NULL, &text, 1, config, &error);
}

static void overrides(void **state)
{
    (void)state;
    struct rwd_config *config = NULL;
    static const char *const several[] = {"server.listen=[::1]:80=x", "engine.shards=2",
        "rules.auto_activate=false", "engine.shards=5", "data.dir="};
    assert_int_equal(rwd_config_load(NULL, several, 5, &config, &error), RWD_OK);
    assert_string_equal(config->server_listen, "[::1]:80=x");
    assert_int_equal(config->engine_shards, 5);
    assert_false(config->rules_auto_activate);
    assert_string_equal(config->data_dir, "");
    rwd_config_destroy(config);
    static const char *const bad[] = {"", "engine", "engine.shards", "engine=3", "=1", ".=1",
        "engine.shards=", "engine.shards=65", "engine.shards=-1", "engine.shards=2x",
        "engine.shards=99999999999999999999", "engine.shard=2", "rules.auto_activate=1",
        "rules.auto_activate=TRUE", "budget.x=1", "listen.server=1", "engine.shards.x=1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config = NULL;
        assert_int_equal(override(bad[i], &config), RWD_INVALID);
        assert_null(config);
        assert_non_null(strstr(error.text, bad[i]));
    }
    assert_int_equal(override("gates.large_reward=much", &config), RWD_INVALID);
    assert_non_null(strstr(error.text, "gates.large_reward"));
    assert_int_equal(override("gates.large_reward=JPY:8000", &config), RWD_OK);
    rwd_config_destroy(config);
}

/* A -D beats the file. */
static void an_override_beats_the_file(void **state)
{
    (void)state;
    struct rwd_config *config = NULL;
    const char *const shards = "engine.shards=9";
    rwd_config_destroy(loaded("engine { shards = 3 }\n"));
    assert_int_equal(rwd_config_load(path, &shards, 1, &config, &error), RWD_OK);
    assert_int_equal(config->engine_shards, 9);
    rwd_config_destroy(config);
}

static void endpoints(void **state)
{
    (void)state;
    struct rwd_config *config =
        loaded("endpoint \"wallet\" { url = \"https://w/pay\" secret = \"s1\" }\n"
               "endpoint \"coupons\" {\n url = \"http://c\" secret = \"s2\" secret_next = \"s3\"\n"
               " signature = x kinds = {coupon, badge} allow_private = true timeout_ms = 9\n"
               " connect_timeout_ms = 8 concurrency = 7 breaker_failures = 6\n"
               " breaker_open_ms = 4 response_size_max_kib = 1 }\n");
    assert_int_equal(config->endpoint_count, 2);
    const struct rwd_endpoint_config *wallet = &config->endpoints[0];
    assert_string_equal(wallet->name, "wallet");
    assert_string_equal(wallet->url, "https://w/pay");
    assert_string_equal(wallet->secret_next, "");
    assert_int_equal(wallet->signature, RWD_SIGNATURE_BOTH);
    assert_false(wallet->allow_private);
    const struct rwd_endpoint_config *coupons = &config->endpoints[1];
    for (int kind = 0; kind < RWD_REWARD_KIND_COUNT; kind++) {
        assert_true(wallet->kinds[kind]);
        assert_int_equal(
            coupons->kinds[kind], kind == RWD_REWARD_COUPON || kind == RWD_REWARD_BADGE);
    }
    assert_int_equal(coupons->signature, RWD_SIGNATURE_X);
    assert_string_equal(coupons->secret_next, "s3");
    assert_true(coupons->allow_private);
    assert_int_equal(coupons->timeout_ms, 9);
    assert_int_equal(coupons->concurrency_max, 7);
    assert_int_equal(coupons->breaker_failure_count, 6);
    assert_int_equal(coupons->breaker_open_ms, 4);
    assert_int_equal(coupons->response_size_max, 1024);
    rwd_config_destroy(config);
    assert_refused("endpoint \"w\" { secret = \"s\" }\n", 1, "\"w\"");
    assert_refused("endpoint \"w\" { url = \"http://a\" }\n", 1, "secret");
    assert_refused("endpoint \"w\" { url = \"http://a\" secret = \"\" }\n", 1, "secret");
    assert_refused("endpoint \"w\" { url = \"http://a\" secret = \"whsec_...\" }\n", 1, "whsec_");
    assert_refused("endpoint \"w\" { url = \"http://a\" secret = \"whsec_\" }\n", 1, "base64");
    assert_refused(
        "endpoint \"w\" { url = \"http://a\" secret = \"s\" secret_next = \"whsec_a\" }\n", 1,
        "base64");
    assert_refused("\nendpoint \"w\" { url = \"ftp://a\" secret = \"s\" }\n", 2, "http");
    assert_refused(
        "endpoint \"w\" { url = \"http://a\" secret = \"s\" signature = y }\n", 1, "signature");
    assert_refused(
        "endpoint \"w\" { url = \"http://a\" secret = \"s\" kinds = {gold} }\n", 1, "gold");
    assert_refused(
        "endpoint \"w\" { url = \"http://a\" secret = \"s\" timeout_ms = 0 }\n", 1, "timeouts");
    assert_refused("endpoint \"w\" { uri = \"http://a\" }\n", 1, "uri");
    assert_refused("endpoint \"w\" { url = \"http://a\" secret = \"s\" }\n"
                   "endpoint \"w\" { url = \"http://a\" secret = \"s\" }\n",
        2, "w");
}

static void prices(void **state)
{
    (void)state;
    struct rwd_config *config =
        loaded("price \"freespins\" { cost = \"0.10\" currency = \"EUR\" }\n"
               "price \"loot:rare\" { cost = \"500\" currency = \"JPY\" }\n");
    assert_int_equal(config->price_count, 2);
    assert_int_equal(config->prices[0].kind, RWD_REWARD_FREESPINS);
    assert_string_equal(config->prices[0].label, "");
    assert_int_equal(config->prices[0].cost.minor, 10);
    assert_int_equal(config->prices[1].kind, RWD_REWARD_LOOT);
    assert_string_equal(config->prices[1].label, "rare");
    assert_int_equal(config->prices[1].cost.minor, 500);
    rwd_config_destroy(config);
    assert_refused("price \"gold\" { cost = \"1\" currency = \"EUR\" }\n", 1, "gold");
    assert_refused("price \"loot\" { cost = \"1\" }\n", 1, "loot");
    assert_refused("price \"loot\" { currency = \"EUR\" }\n", 1, "cost");
    assert_refused("price \"loot\" { cost = \"0.001\" currency = \"EUR\" }\n", 1, "cost");
    assert_refused("price \"loot\" { cost = \"-1\" currency = \"EUR\" }\n", 1, "cost");
    assert_refused("\n\nprice \"loot\" { cost = \"1\" currency = \"EUX\" }\n", 3, "currency");
}

static void budgets(void **state)
{
    (void)state;
    struct rwd_config *config = loaded(
        "budget \"a\" { currency = \"EUR\" hard_cap = \"1000.00\" }\n"
        "budget \"b\" { currency = \"JPY\" hard_cap = \"99\" soft_cap = \"50\" period = \"day\" }\n"
        "budget \"c\" { currency = \"EUR\" hard_cap = \"10.05\" }\n"
        "budget \"d\" { currency = \"JPY\" hard_cap = \"5\" }\n");
    assert_int_equal(config->budget_count, 4);
    assert_string_equal(config->budgets[0].id, "a");
    assert_int_equal(config->budgets[0].hard_cap_minor, 100000);
    assert_int_equal(config->budgets[0].soft_cap_minor, 90000);
    assert_int_equal(config->budgets[0].period, RWD_POOL_SEASON);
    assert_int_equal(config->budgets[1].soft_cap_minor, 50);
    assert_int_equal(config->budgets[1].period, RWD_POOL_DAY);
    /* 90 %, whatever the last digit. */
    assert_int_equal(config->budgets[2].soft_cap_minor, 904);
    assert_int_equal(config->budgets[3].soft_cap_minor, 4);
    rwd_config_destroy(config);
    assert_refused("budget \"a\" { hard_cap = \"1\" }\n", 1, "\"a\"");
    assert_refused("budget \"a\" { currency = \"EUR\" }\n", 1, "hard_cap");
    assert_refused("budget \"\" { currency = \"EUR\" hard_cap = \"1\" }\n", 1, "name");
    assert_refused("budget \"a\" { currency = \"EUR\" hard_cap = \"1.005\" }\n", 1, "hard_cap");
    assert_refused(
        "budget \"a\" { currency = \"EUR\" hard_cap = \"1\" soft_cap = \"x\" }\n", 1, "soft_cap");
    assert_refused(
        "budget \"a\" { currency = \"EUR\" hard_cap = \"1\" soft_cap = \"2\" }\n", 1, "soft_cap");
    assert_refused("budget \"a\" { currency = \"EUR\" hard_cap = \"-1\" }\n", 1, "cap");
    assert_refused(
        "\nbudget \"a\" { currency = \"EUR\" hard_cap = \"1\" period = \"year\" }\n", 2, "period");
    char text[256];
    (void)snprintf(text, sizeof text, "budget \"%.*s\" { currency = \"EUR\" hard_cap = \"1\" }\n",
        RWD_REWARD_LABEL_SIZE_MAX,
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_refused(text, 1, "too long");
}

/* Every option of the table is described, and what is described loads. */
static void described(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    rwd_config_describe(&out);
    const char *text = rwd_buffer_c_string(&out);
    assert_non_null(strstr(text, "server.listen = \"127.0.0.1:8080\""));
    assert_non_null(strstr(text, "engine.shards = 0 (0..64)"));
    assert_non_null(strstr(text, "budget \"id\""));
    size_t options = 0;
    for (const char *at = text; (at = strstr(at, " = ")) != NULL; at++) {
        options++;
    }
    assert_true(options > 30);
    rwd_buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_all_is_default),
        cmocka_unit_test(a_file_says_otherwise),
        cmocka_unit_test(wrong_lines_are_named),
        cmocka_unit_test(half_a_file_is_named),
        cmocka_unit_test(what_only_looks_open_is_taken),
        cmocka_unit_test(a_refused_file_leaves_nothing_behind),
        cmocka_unit_test(every_cut_is_refused_or_whole),
        cmocka_unit_test(a_nul_is_no_end),
        cmocka_unit_test(a_folder_is_no_file),
        cmocka_unit_test(a_file_that_is_not_there),
        cmocka_unit_test(overrides),
        cmocka_unit_test(an_override_beats_the_file),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(prices),
        cmocka_unit_test(budgets),
        cmocka_unit_test(described),
    };
    return cmocka_run_group_tests(tests, make_path, drop_path);
}
