#include "ctl/record_text.h"

#include "engine/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char raw_event[] =
    "{\"event_id\":\"e1\",\r\n \"event_name\":\"bet\",\"user\":{\"id\":\"u_1\"}}";

/* A journal as a test sees it: records one after the other through one reader. */
struct story {
    struct rwd_record_text *text;
    struct rwd_buffer body;
    struct rwd_buffer out;
};

static void begin(struct story *story, const struct rwd_record_filter *filter)
{
    *story = (struct story){.text = rwd_record_text_create(filter)};
}

static void end(struct story *story)
{
    rwd_record_text_destroy(story->text);
    rwd_buffer_finish(&story->body);
    rwd_buffer_finish(&story->out);
}

static enum rwd_status put(struct story *story, uint8_t type, int64_t time_ms)
{
    struct rwd_error error = {0};
    struct rwd_record record = {.type = type,
        .time_ms = time_ms,
        .position = 64,
        .sequence = 7,
        .body = rwd_buffer_text(&story->body)};
    enum rwd_status status = rwd_record_text_put(story->text, &record, &story->out, &error);
    story->body.size = 0;
    return status;
}

static void put_rules(struct story *story)
{
    struct rwd_rule_version_row version = {.rule_id = RWD_TEXT("win"),
        .version = RWD_TEXT("2.0.0"),
        .rule_no = 1,
        .version_no = 1,
        .state = RWD_TEXT("active")};
    rwd_rule_version_encode(&version, &story->body);
    assert_int_equal(put(story, RWD_RECORD_RULE, 1000), RWD_OK);
    struct rwd_rulebook_row rulebook = {.rulebook_no = 1, .versions = RWD_TEXT("{\"bet\":[1]}")};
    rwd_rulebook_encode(&rulebook, &story->body);
    assert_int_equal(put(story, RWD_RECORD_RULEBOOK, 1000), RWD_OK);
}

static void put_event(struct story *story, struct rwd_task *task)
{
    const uint8_t verdicts[] = {RWD_RULE_FIRED};
    uint64_t milestones[] = {100};
    struct rwd_rule_effect effect = {.rule_no = 1,
        .version_no = 1,
        .points_raw = 70,
        .points = 10,
        .cap = RWD_CAP_DAY,
        .milestones = milestones,
        .milestone_count = 1};
    struct rwd_decision decision = {.has_event = true,
        .rulebook_no = 1,
        .verdicts = verdicts,
        .verdict_count = 1,
        .effects = &effect,
        .effect_count = 1,
        .tasks = task,
        .task_count = task != NULL};
    rwd_event_body_encode(RWD_TEXT("u_1"), &decision, &story->body);
    rwd_buffer_put_string(&story->body, raw_event);
    assert_int_equal(put(story, RWD_RECORD_EVENT, 1761305841000), RWD_OK);
}

static void put_approval(struct story *story, struct rwd_task_id id)
{
    struct rwd_decision decision = {0};
    struct rwd_task_command command = {.kind = RWD_TASK_APPROVE,
        .id = id,
        .user_id = RWD_TEXT("u_1"),
        .actor = RWD_TEXT("ann"),
        .note = RWD_TEXT("looks \"fine\"")};
    rwd_task_body_encode(&command, &decision, &story->body);
    assert_int_equal(put(story, RWD_RECORD_TASK, 1761305842000), RWD_OK);
}

static size_t line_count(const struct story *story)
{
    size_t count = 0;
    for (size_t i = 0; i < story->out.size; i++) {
        count += story->out.data[i] == '\n';
    }
    return count;
}

static void test_event_with_names_from_the_journal(void **state)
{
    (void)state;
    struct story story;
    begin(&story, &(struct rwd_record_filter){0});
    put_rules(&story);
    story.out.size = 0;
    put_event(&story, NULL);
    assert_string_equal(rwd_buffer_c_string(&story.out),
        "{\"position\":64,\"sequence\":7,\"type\":\"event\",\"time\":\"2025-10-24T11:37:21Z\","
        "\"user_id\":\"u_1\",\"event\":{\"event_id\":\"e1\",   \"event_name\":\"bet\","
        "\"user\":{\"id\":\"u_1\"}},\"rulebook\":1,\"points\":[{\"rule_id\":\"win\","
        "\"version\":\"2.0.0\",\"points_raw\":70,\"points\":10,\"clipped_by\":\"per_day\","
        "\"milestones\":[100]}],\"verdicts\":[{\"rule_id\":\"win\",\"version\":\"2.0.0\","
        "\"verdict\":\"fired\"}],\"reward_tasks\":[],\"changes\":[]}\n");
    end(&story);
}

static void test_a_release_says_why(void **state)
{
    (void)state;
    struct story story;
    const struct rwd_decision decision = {.has_event = true, .release = RWD_RELEASE_FULL};
    begin(&story, &(struct rwd_record_filter){.event_id = "e1"});
    rwd_event_body_encode(RWD_TEXT("u_1"), &decision, &story.body);
    rwd_buffer_put_string(&story.body, raw_event);
    assert_int_equal(put(&story, RWD_RECORD_RELEASE, 1761305841000), RWD_OK);
    const char *line = rwd_buffer_c_string(&story.out);
    assert_non_null(strstr(line, "\"type\":\"release\",\"time\":\"2025-10-24T11:37:21Z\""));
    assert_non_null(strstr(line, "\"cause\":\"full\""));
    end(&story);
}

static void test_numbers_where_names_are_not_kept(void **state)
{
    (void)state;
    struct story story;
    begin(&story, &(struct rwd_record_filter){0});
    put_event(&story, NULL);
    assert_non_null(strstr(rwd_buffer_c_string(&story.out), "{\"version_no\":1,"));
    end(&story);
}

static void test_an_event_brings_the_story_of_its_tasks(void **state)
{
    (void)state;
    struct story story;
    struct rwd_task task = {.id = {.bytes = {1}},
        .rule_no = 1,
        .version_no = 1,
        .schema_id = "bet/1.0.0",
        .experiment_version_no = 1,
        .arm = "treatment"};
    struct rwd_task_id other = {.bytes = {2}};
    begin(&story, &(struct rwd_record_filter){.event_id = "e1"});
    put_rules(&story);
    put_event(&story, &task);
    assert_non_null(strstr(rwd_buffer_c_string(&story.out),
        "\"schema_id\":\"bet/1.0.0\",\"experiment\":\"win\",\"arm\":\"treatment\""));
    put_approval(&story, task.id);
    put_approval(&story, other);
    assert_int_equal(line_count(&story), 2);
    assert_non_null(strstr(rwd_buffer_c_string(&story.out),
        "\"command\":\"approve\",\"attempt\":0,\"who\":\"ann\",\"why\":\"looks \\\"fine\\\"\""));
    end(&story);
}

static void test_filters(void **state)
{
    (void)state;
    static const struct rwd_record_filter others[] = {
        {.user_id = "u_2"}, {.event_id = "e2"}, {.since_ms = 1761305841001}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct story story;
        begin(&story, &others[i]);
        put_event(&story, NULL);
        assert_int_equal(story.out.size, 0);
        end(&story);
    }
}

static void test_damage_is_named_and_prints_nothing(void **state)
{
    (void)state;
    static const uint8_t types[] = {RWD_RECORD_EVENT, RWD_RECORD_TASK, RWD_RECORD_DEAD_LETTER,
        RWD_RECORD_BUDGET, RWD_RECORD_RULE, RWD_RECORD_RULEBOOK};
    for (size_t i = 0; i < sizeof types; i++) {
        struct story story;
        begin(&story, &(struct rwd_record_filter){0});
        rwd_buffer_put_string(&story.body, "\xff\xff");
        assert_int_equal(put(&story, types[i], 0), RWD_CORRUPT);
        assert_int_equal(story.out.size, 0);
        end(&story);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_with_names_from_the_journal),
        cmocka_unit_test(test_a_release_says_why),
        cmocka_unit_test(test_numbers_where_names_are_not_kept),
        cmocka_unit_test(test_an_event_brings_the_story_of_its_tasks),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_damage_is_named_and_prints_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
