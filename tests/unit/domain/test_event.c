/*
 * The envelope: lifted out as it is, or refused with a pointer to what is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "domain/event.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct rwd_json_limits limits = {
    .depth_max = 32, .node_count_max = 1024, .size_max = 64 * 1024};
static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = "0123456789abcde";

struct world {
    struct rwd_arena arena;
    struct rwd_event event;
    struct rwd_problem problem;
};

static enum rwd_status read_event(struct world *world, struct rwd_text text)
{
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    rwd_arena_reset(&world->arena, 0);
    assert_int_equal(rwd_json_scan(text, &limits, &world->arena, &json, &consumed, &fault), RWD_OK);
    memset(&world->problem, 0, sizeof world->problem);
    return rwd_event_read(text, &json, key, 1234, &world->event, &world->problem);
}

static int setup(void **state)
{
    static struct world world;
    rwd_arena_init(&world.arena, 4096, 1 << 20);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    rwd_arena_finish(&world->arena);
    return 0;
}

static void the_sample(void **state)
{
    struct world *world = *state;
    struct rwd_text text = RWD_TEXT(
        "{\"event_id\":\"d9e8-5c2\",\"event_name\":\"bet\",\"version\":\"1.2.0\","
        "\"ts\":\"2025-10-24T11:37:21Z\",\"user\":{\"id\":\"u_123\",\"geo\":\"TR\","
        "\"platform\":\"android\",\"payer_flag\":true,\"risk_flags\":[\"vp_nightly\"]},"
        "\"context\":{\"session_id\":\"s_789\",\"device_fp\":\"fp_1\",\"ip\":\"203.0.113.24\"},"
        "\"payload\":{\"game_id\":\"slot_wolf\",\"bet\":0.5,\"win\":1.25,\"currency\":\"EUR\","
        "\"provider\":\"GameCo\"}}");
    assert_int_equal(read_event(world, text), RWD_OK);
    const struct rwd_event *event = &world->event;
    assert_true(rwd_text_equal(event->raw, text));
    assert_true(rwd_text_is(event->event_id, "d9e8-5c2"));
    assert_true(rwd_text_is(event->name, "bet"));
    assert_true(rwd_text_is(event->version, "1.2.0"));
    assert_true(rwd_text_is(event->user_id, "u_123"));
    assert_true(rwd_text_is(event->geo, "TR"));
    assert_true(rwd_text_is(event->platform, "android"));
    assert_int_equal(event->payer, RWD_YES);
    assert_int_equal(event->time_ms, INT64_C(1761305841000));
    assert_int_equal(event->ingest_ms, 1234);
    assert_true(rwd_text_is(
        rwd_json_text(rwd_json_member(&event->json, event->payload, RWD_TEXT("win"))), "1.25"));
    assert_non_null(rwd_json_member(&event->json, event->context, RWD_TEXT("ip")));
    assert_non_null(rwd_json_member(&event->json, event->user, RWD_TEXT("risk_flags")));
    assert_true(event->user_fingerprint == rwd_fingerprint(key, RWD_TEXT("u_123")));
    assert_true(event->event_fingerprint == rwd_fingerprint(key, RWD_TEXT("d9e8-5c2")));
    assert_true(event->user_fingerprint == rwd_siphash(key, "u_123", 5));
}

#define HEAD "\"event_id\":\"e\",\"event_name\":\"n\",\"version\":\"1.0.0\""
#define TS ",\"ts\":\"2025-10-24T11:37:21Z\""
#define USER ",\"user\":{\"id\":\"u\"}"

static void the_least(void **state)
{
    struct world *world = *state;
    assert_int_equal(read_event(world, RWD_TEXT("{" HEAD TS USER "}")), RWD_OK);
    assert_int_equal(world->event.geo.size, 0);
    assert_int_equal(world->event.platform.size, 0);
    assert_int_equal(world->event.payer, RWD_UNKNOWN);
    assert_null(world->event.context);
    assert_null(world->event.payload);
    assert_non_null(world->event.user);
    /* unknown members stay, any order will do, escapes are seen through */
    assert_int_equal(read_event(world,
                         RWD_TEXT("{\"x\":[{}],\"user\":{\"payer_flag\":false,\"y\":1,\"\\u0069d\":"
                                  "\"u\\n\"},\"ts\":\"2025-10-24T13:37:21.5+02:00\"," HEAD "}")),
        RWD_OK);
    assert_true(rwd_text_is(world->event.user_id, "u\n"));
    assert_int_equal(world->event.payer, RWD_NO);
    assert_int_equal(world->event.time_ms, INT64_C(1761305841500));
}

static void refused(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *text;
        const char *pointer;
    } cases[] = {
        {"[]", ""},
        {"\"event\"", ""},
        {"null", ""},
        {"{}", "/event_id"},
        {"{\"event_name\":\"n\",\"version\":\"1.0.0\"" TS USER "}", "/event_id"},
        {"{\"event_id\":\"e\",\"version\":\"1.0.0\"" TS USER "}", "/event_name"},
        {"{\"event_id\":\"e\",\"event_name\":\"n\"" TS USER "}", "/version"},
        {"{" HEAD USER "}", "/ts"},
        {"{" HEAD TS "}", "/user"},
        {"{\"event_id\":7,\"event_name\":\"n\",\"version\":\"1.0.0\"" TS USER "}", "/event_id"},
        {"{\"event_id\":null,\"event_name\":\"n\",\"version\":\"1.0.0\"" TS USER "}", "/event_id"},
        {"{\"event_id\":\"\",\"event_name\":\"n\",\"version\":\"1.0.0\"" TS USER "}", "/event_id"},
        {"{\"event_id\":\"a\\u0000b\",\"event_name\":\"n\",\"version\":\"1.0.0\"" TS USER "}",
            "/event_id"},
        {"{\"event_id\":\"e\",\"event_name\":[],\"version\":\"1.0.0\"" TS USER "}", "/event_name"},
        {"{\"event_id\":\"e\",\"event_name\":\"n\",\"version\":1" TS USER "}", "/version"},
        {"{" HEAD ",\"ts\":1761305841" USER "}", "/ts"},
        {"{" HEAD ",\"ts\":null" USER "}", "/ts"},
        {"{" HEAD ",\"ts\":\"\"" USER "}", "/ts"},
        {"{" HEAD ",\"ts\":\"yesterday\"" USER "}", "/ts"},
        {"{" HEAD ",\"ts\":\"2025-02-30T00:00:00Z\"" USER "}", "/ts"},
        {"{" HEAD ",\"ts\":\"2025-10-24T11:37:21\"" USER "}", "/ts"},
        {"{" HEAD ",\"ts\":\"1761305841\"" USER "}", "/ts"},
        {"{" HEAD TS ",\"user\":\"u\"}", "/user"},
        {"{" HEAD TS ",\"user\":[\"u\"]}", "/user"},
        {"{" HEAD TS ",\"user\":null}", "/user"},
        {"{" HEAD TS ",\"user\":{}}", "/user/id"},
        {"{" HEAD TS ",\"user\":{\"id\":\"\"}}", "/user/id"},
        {"{" HEAD TS ",\"user\":{\"id\":123}}", "/user/id"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\\u0000\"}}", "/user/id"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"geo\":\"tr\"}}", "/user/geo"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"geo\":\"TUR\"}}", "/user/geo"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"geo\":\"\"}}", "/user/geo"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"geo\":\"T1\"}}", "/user/geo"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"geo\":\"\xc3\x89\"}}", "/user/geo"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"geo\":null}}", "/user/geo"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"platform\":5}}", "/user/platform"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"platform\":\"\"}}", "/user/platform"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"platform\":\"a\\u0000\"}}", "/user/platform"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"platform\":\"012345678901234567890123456789012\"}}",
            "/user/platform"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"payer_flag\":\"true\"}}", "/user/payer_flag"},
        {"{" HEAD TS ",\"user\":{\"id\":\"u\",\"payer_flag\":1}}", "/user/payer_flag"},
        {"{" HEAD TS USER ",\"context\":[]}", "/context"},
        {"{" HEAD TS USER ",\"context\":null}", "/context"},
        {"{" HEAD TS USER ",\"payload\":\"x\"}", "/payload"},
        {"{" HEAD TS USER ",\"payload\":[1]}", "/payload"},
        {"{" HEAD TS USER ",\"payload\":null}", "/payload"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (read_event(world, rwd_text_of(cases[i].text)) != RWD_INVALID) {
            fail_msg("taken: %s", cases[i].text);
        }
        assert_string_equal(world->problem.pointer, cases[i].pointer);
        assert_string_equal(world->problem.type, "invalid_event");
        assert_true(world->problem.detail[0] != '\0');
    }
}

/* Each text is taken at its limit and refused one byte past it. */
static void sizes(void **state)
{
    struct world *world = *state;
    static const struct {
        size_t max;
        const char *before;
        const char *behind;
    } cases[] = {
        {RWD_EVENT_ID_SIZE_MAX, "{\"event_id\":\"",
            "\",\"event_name\":\"n\",\"version\":\"1.0.0\"" TS USER "}"},
        {RWD_EVENT_NAME_SIZE_MAX, "{\"event_id\":\"e\",\"event_name\":\"",
            "\",\"version\":\"1.0.0\"" TS USER "}"},
        {RWD_EVENT_VERSION_SIZE_MAX, "{\"event_id\":\"e\",\"event_name\":\"n\",\"version\":\"",
            "\"" TS USER "}"},
        {RWD_USER_ID_SIZE_MAX, "{" HEAD TS ",\"user\":{\"id\":\"", "\"}}"},
        {RWD_PLATFORM_SIZE_MAX, "{" HEAD TS ",\"user\":{\"id\":\"u\",\"platform\":\"", "\"}}"},
    };
    static char filler[10 * 1024];
    memset(filler, 'x', sizeof filler);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const size_t tried[] = {1, cases[i].max, cases[i].max + 1, sizeof filler};
        for (size_t j = 0; j < COUNT_OF(tried); j++) {
            struct rwd_buffer text = {0};
            rwd_buffer_put_string(&text, cases[i].before);
            rwd_buffer_put(&text, filler, tried[j]);
            rwd_buffer_put_string(&text, cases[i].behind);
            enum rwd_status status = read_event(world, rwd_buffer_text(&text));
            assert_int_equal(status, tried[j] <= cases[i].max ? RWD_OK : RWD_INVALID);
            rwd_buffer_finish(&text);
        }
    }
}

static void fingerprints_are_keyed(void **state)
{
    (void)state;
    static const uint8_t other[RWD_SIPHASH_KEY_SIZE] = "fedcba987654321";
    assert_true(rwd_fingerprint(key, RWD_TEXT("u")) == rwd_fingerprint(key, RWD_TEXT("u")));
    assert_true(rwd_fingerprint(key, RWD_TEXT("u")) != rwd_fingerprint(other, RWD_TEXT("u")));
    assert_true(rwd_fingerprint(key, RWD_TEXT("u")) != rwd_fingerprint(key, RWD_TEXT("v")));
}

static void problems_are_cut_to_fit(void **state)
{
    (void)state;
    struct rwd_problem problem;
    char large[1024];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    rwd_problem_set(&problem, "limit", large, "%s %d", large, 7);
    assert_string_equal(problem.type, "limit");
    assert_int_equal(strlen(problem.pointer), sizeof problem.pointer - 1);
    assert_int_equal(strlen(problem.detail), sizeof problem.detail - 1);
    rwd_problem_set(&problem, "limit", "/a", "%s %d", "seven is", 7);
    assert_string_equal(problem.pointer, "/a");
    assert_string_equal(problem.detail, "seven is 7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample),
        cmocka_unit_test(the_least),
        cmocka_unit_test(refused),
        cmocka_unit_test(sizes),
        cmocka_unit_test(fingerprints_are_keyed),
        cmocka_unit_test(problems_are_cut_to_fit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
