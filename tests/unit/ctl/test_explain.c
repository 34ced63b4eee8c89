#include "ctl/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *explained(const char *decision, struct rwd_buffer *out)
{
    struct rwd_error error = {0};
    assert_int_equal(rwd_explain_put(rwd_text_of(decision), out, &error), RWD_OK);
    return rwd_buffer_c_string(out);
}

static void test_every_rule_gets_its_reason(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    const char *text = explained(
        "{\"event_id\":\"e1\",\"event_name\":\"bet\",\"user_id\":\"u_1\",\"rules\":["
        "{\"rule_id\":\"win\",\"version\":\"2.0.0\",\"verdict\":\"fired\",\"points_raw\":70,"
        "\"points\":10,\"clipped_by\":\"per_day\",\"milestones\":[100,300],\"explanation\":\"\"},"
        "{\"rule_id\":\"br\",\"version\":\"1.0.0\",\"verdict\":\"where.geo\",\"points\":0,"
        "\"explanation\":\"event geo TR, rule wants BR\"},"
        "{\"rule_id\":\"full\",\"version\":\"1.0.0\",\"verdict\":\"capped\",\"points_raw\":7,"
        "\"points\":0,\"clipped_by\":\"per_minute\"}],"
        "\"reward_tasks\":[{\"reward_task_id\":\"rt_1\",\"reward\":{\"type\":\"cash\"},"
        "\"status\":\"held\",\"reason\":\"self_excluded\"}]}",
        &out);
    assert_non_null(strstr(text, "event e1 bet of player u_1\n"));
    assert_non_null(strstr(text, "  win 2.0.0\n      +10 points (70 before the cap per_day); "
                                 "reached the milestone 100, 300\n"));
    assert_non_null(strstr(text, "  br 1.0.0\n      nothing: event geo TR, rule wants BR\n"));
    assert_non_null(strstr(text, "nothing: its cap was already used up\n"));
    assert_non_null(strstr(text, "held: the player has excluded themselves\n"));
    rwd_buffer_finish(&out);
}

static void test_a_rule_in_event_time(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    const char *text =
        explained("{\"event_id\":\"e1\",\"waits_until\":\"2025-10-24T11:38:22Z\",\"released\":null,"
                  "\"rules\":[{\"rule_id\":\"r\",\"version\":\"1.0.0\",\"verdict\":\"waiting\"}]}",
            &out);
    assert_non_null(strstr(text, "decide it by 2025-10-24T11:38:22Z\n"));
    assert_non_null(
        strstr(text, "nothing yet: waits for events that may still come before this one\n"));
    out.size = 0;
    text = explained(
        "{\"event_id\":\"e1\",\"waits_until\":\"2025-10-24T11:38:22Z\",\"rules\":["
        "{\"rule_id\":\"r\",\"version\":\"1.0.0\",\"verdict\":\"waiting\"}],\"released\":{"
        "\"released_at\":\"2025-10-24T11:38:20Z\",\"cause\":\"order\",\"rules\":["
        "{\"rule_id\":\"r\",\"version\":\"1.0.0\",\"verdict\":\"fired\",\"points_raw\":5,"
        "\"points\":5}],\"reward_tasks\":[{\"reward_task_id\":\"rt_1\",\"status\":\"pending\"}]}}",
        &out);
    assert_null(strstr(text, "decide it by"));
    assert_non_null(strstr(text, "decided in event time at 2025-10-24T11:38:20Z: what came since"));
    assert_non_null(strstr(text, "  r 1.0.0\n      +5 points\n"));
    assert_non_null(strstr(text, "rt_1"));
    rwd_buffer_finish(&out);
}

static void test_reads_what_it_does_not_know(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    const char *text = explained("{\"event\":{\"event_id\":\"e2\",\"user\":{\"id\":\"u_2\"}},"
                                 "\"rules\":[{\"rule_id\":\"x\",\"verdict\":\"moon_phase\"}],"
                                 "\"reward_tasks\":[\"rt_2\"]}",
        &out);
    assert_non_null(strstr(text, "event e2 of player u_2\n"));
    assert_non_null(strstr(text, "nothing: moon_phase\n"));
    assert_non_null(strstr(text, "  rt_2\n"));
    rwd_buffer_finish(&out);
}

static void test_no_escape_reaches_the_terminal(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    const char *text =
        explained("{\"user_id\":\"\\u001b[2J\",\"rules\":[{\"rule_id\":\"\\u009bm\"}]}", &out);
    assert_null(strchr(text, '\x1b'));
    assert_null(strstr(text, "\xc2\x9b"));
    assert_non_null(strstr(text, "?[2J"));
    rwd_buffer_finish(&out);
}

static void test_refuses_another_answer(void **state)
{
    (void)state;
    static const char *const others[] = {"", "[]", "{}", "{\"rules\":7}", "not json"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct rwd_buffer out = {0};
        struct rwd_error error = {0};
        assert_int_equal(rwd_explain_put(rwd_text_of(others[i]), &out, &error), RWD_INVALID);
        assert_int_equal(out.size, 0);
        rwd_buffer_finish(&out);
    }
}

static void test_an_event_no_rule_listens_to(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    assert_non_null(strstr(explained("{\"rules\":[]}", &out), "no rule listens to this event\n"));
    rwd_buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rule_gets_its_reason),
        cmocka_unit_test(test_a_rule_in_event_time),
        cmocka_unit_test(test_reads_what_it_does_not_know),
        cmocka_unit_test(test_no_escape_reaches_the_terminal),
        cmocka_unit_test(test_refuses_another_answer),
        cmocka_unit_test(test_an_event_no_rule_listens_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
