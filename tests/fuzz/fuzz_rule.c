// room: script
/*
 * Any bytes as a rule's or formula's file and as a test file: they load, or are refused in words.
 * What loads is also called once, with a small event or sample numbers; it may fail, but it ends.
 */
#include "script/formula.h"

#include "base/check.h"

static const char raw[] =
    "{\"event_id\":\"e\",\"event_name\":\"bet\",\"user\":{\"id\":\"u\",\"attributes\":{\"a\":1}},"
    "\"payload\":{\"bet\":1,\"win\":2,\"currency\":\"EUR\",\"list\":[1,{\"x\":null},[true]]}}";

static void call(const struct rwd_rule *rule, const struct rwd_sandbox_limits *limits)
{
    static const struct rwd_json_limits json_limits = {
        .depth_max = 8, .node_count_max = 64, .size_max = sizeof raw};
    struct rwd_arena arena;
    struct rwd_event event = {.raw = {.data = raw, .size = sizeof raw - 1}};
    struct rwd_profile profile = {.kyc_level = 2, .segment_count = 1, .segments = {"vip"}};
    struct rwd_scalar aggregates[RWD_RULE_AGGREGATE_COUNT_MAX] = {0};
    struct rwd_scalar state[RWD_RULE_STATE_COUNT_MAX] = {0};
    struct rwd_json_fault fault;
    struct rwd_error error;
    struct rwd_sandbox *sandbox = NULL;
    struct rwd_reward reward;
    size_t consumed = 0;
    uint64_t points = 0;
    bool answer = false;
    rwd_arena_init(&arena, 4096, 65536);
    RWD_REQUIRE(
        rwd_json_scan(event.raw, &json_limits, &arena, &event.json, &consumed, &fault) == RWD_OK);
    event.user = rwd_json_member(&event.json, event.json.nodes, RWD_TEXT("user"));
    event.payload = rwd_json_member(&event.json, event.json.nodes, RWD_TEXT("payload"));
    for (size_t i = 0; i < rule->state_count; i++) {
        state[i] = rule->states[i].initial;
    }
    struct rwd_sandbox_call arguments = {.event = &event,
        .profile = &profile,
        .user_id = RWD_TEXT("u"),
        .aggregates = aggregates,
        .state = state,
        .seed = 1,
        .arena = &arena};
    if (rwd_sandbox_create(rule, limits, &sandbox, &error) == RWD_OK) {
        for (int i = 0; i < 2; i++) {
            if (rwd_sandbox_when(sandbox, &arguments, &answer, &error) != RWD_OK ||
                rwd_sandbox_score(sandbox, &arguments, &points, &error) != RWD_OK ||
                rwd_sandbox_grant(sandbox, &arguments, &answer, &reward, &error) != RWD_OK) {
                RWD_REQUIRE(error.text[0] != '\0');
            }
        }
        rwd_sandbox_destroy(sandbox);
    }
    rwd_arena_finish(&arena);
}

static enum rwd_status find_formula(void *context, struct rwd_text id, struct rwd_text version,
    struct rwd_text *source, struct rwd_error *error)
{
    *source = RWD_TEXT("return formula { id = 'f', version = '1.0.0', compute = function(a, b) "
                       "return (a or 1) * (b or 2) end }");
    (void)context;
    (void)error;
    RWD_REQUIRE(id.size > 0 && version.size > 0);
    return RWD_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rwd_sandbox_limits limits = {
        .instruction_count_max = 20000, .memory_size_max = 4 << 20, .deadline_ms = 5};
    struct rwd_text source = {.data = (const char *)data, .size = size};
    const struct rwd_formula_shelf shelf = {.find = find_formula};
    const struct rwd_text no_tests = {0};
    struct rwd_rule *rule = NULL;
    struct rwd_rule_tests *tests = NULL;
    struct rwd_error error = {{0}};
    if (rwd_rule_load_with(source, "fuzz.lua", &shelf, &limits, &rule, &error) == RWD_OK) {
        call(rule, &limits);
        if (rwd_rule_kind_of(rwd_text_of(rule->id)) == RWD_KIND_FORMULA) {
            (void)!rwd_formula_test(rule, no_tests, NULL, &limits, NULL, NULL, &error);
        }
        rwd_rule_destroy(rule);
    } else {
        RWD_REQUIRE(error.text[0] != '\0');
    }
    if (rwd_rule_tests_load(source, "fuzz_test.lua", &limits, &tests, &error) == RWD_OK) {
        rwd_rule_tests_destroy(tests);
    }
    return 0;
}
