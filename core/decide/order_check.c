#include "decide/order_check.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum { SAMPLE_SIZE_MAX = 512, SAMPLE_COUNT = 4 };

/* What an event of any name may carry; the house's schemas name these fields. */
static const char *const samples[SAMPLE_COUNT] = {
    "\"bet\":1.5,\"win\":4,\"amount\":\"12.50\",\"currency\":\"EUR\",\"game_id\":\"slot_wolf\"",
    "\"bet\":250,\"win\":0,\"amount\":100,\"currency\":\"EUR\",\"score\":1234,\"rank\":1",
    "\"bet\":0.1,\"win\":99,\"amount\":\"0.01\",\"currency\":\"USD\",\"level\":2,\"progress\":1",
    "\"list\":[3,1,2],\"parts\":{\"a\":1,\"b\":2,\"c\":3},\"level\":3,\"rating\":5",
};

struct sample {
    char texts[RWD_RULE_EVENT_COUNT_MAX * SAMPLE_COUNT][SAMPLE_SIZE_MAX];
    char *events[RWD_RULE_EVENT_COUNT_MAX * SAMPLE_COUNT];
    char name[16];
    char player[24];
    char nothing[4];
};

/* One case that has every sample under every name. */
static struct rwd_rule_test_case make_case(const struct rwd_rule *rule, struct sample *sample)
{
    struct rwd_rule_test_case test = {.name = sample->name,
        .player = sample->player,
        .events = sample->events,
        .expect = sample->nothing,
        .line = 1};
    (void)snprintf(sample->name, sizeof sample->name, "sample events");
    (void)snprintf(sample->player, sizeof sample->player, "{\"kyc_level\":3}");
    (void)snprintf(sample->nothing, sizeof sample->nothing, "{}");
    for (size_t on = 0; on < rule->on_count; on++) {
        for (size_t i = 0; i < SAMPLE_COUNT; i++) {
            char *text = sample->texts[test.event_count];
            (void)snprintf(text, SAMPLE_SIZE_MAX, "{\"event_name\":\"%s\",\"payload\":{%s}}",
                rule->on[on], samples[i]);
            sample->events[test.event_count++] = text;
        }
    }
    return test;
}

/* Runs all cases, and once more and more, until one run differs. */
static enum rwd_status compare_runs(
    const struct rwd_rule *rule, const struct rwd_rule_tests *tests, struct rwd_error *error)
{
    struct rwd_buffer first = {0};
    struct rwd_buffer again = {0};
    enum rwd_status status = rwd_rule_test_trace(rule, tests, &first, error);
    for (int run = 2; status == RWD_OK && run <= RWD_ORDER_RUN_COUNT; run++) {
        again.size = 0;
        status = rwd_rule_test_trace(rule, tests, &again, error);
        if (status == RWD_OK && !rwd_text_equal(rwd_buffer_text(&first), rwd_buffer_text(&again))) {
            status = rwd_fail(error, RWD_SCRIPT,
                "%s: the same events get different answers in different runs: something depends "
                "on how a table lies in memory. Look for # of a list with holes: keep lists dense "
                "(table.insert, table.remove), or count by hand",
                rule->source_name);
        }
    }
    rwd_buffer_finish(&again);
    rwd_buffer_finish(&first);
    return status;
}

enum rwd_status rwd_order_check(
    const struct rwd_rule *rule, const struct rwd_rule_tests *tests, struct rwd_error *error)
{
    if (tests != NULL) {
        return compare_runs(rule, tests, error);
    }
    struct sample *sample = rwd_new(sizeof *sample);
    struct rwd_rule_test_case test = make_case(rule, sample);
    const struct rwd_rule_tests made = {.cases = &test, .case_count = 1};
    enum rwd_status status = compare_runs(rule, &made, error);
    rwd_free(sample);
    return status;
}
