/* Bodies of journal records: read as written; damage is CORRUPT or harmless. */
#include "engine/records.h"

#include "../chance.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define assert_text(text, expected) assert_true(rwd_text_is(text, expected))

static void events(void **state)
{
    (void)state;
    struct rwd_buffer body = {0};
    struct rwd_buffer decision_bytes = {0};
    struct rwd_event_body read;
    const struct rwd_decision decision = {
        .has_event = true, .event_ms = 5, .now_ms = 6, .event_fingerprint = 7};
    rwd_event_body_encode(RWD_TEXT("u1"), &decision, &body);
    size_t head = body.size;
    rwd_buffer_put_string(&body, "{\"raw\":1}");
    assert_int_equal(rwd_event_body_decode(rwd_buffer_text(&body), &read), RWD_OK);
    assert_text(read.user_id, "u1");
    assert_text(read.raw, "{\"raw\":1}");
    rwd_decision_encode(&decision, &decision_bytes);
    assert_true(rwd_text_equal(read.decision, rwd_buffer_text(&decision_bytes)));
    for (size_t cut = 0; cut < head; cut++) {
        char *copy = rwd_copy(body.data, cut);
        assert_int_equal(rwd_event_body_decode((struct rwd_text){.data = copy, .size = cut}, &read),
            RWD_CORRUPT);
        rwd_free(copy);
    }
    rwd_buffer_finish(&body);
    rwd_buffer_finish(&decision_bytes);
}

static void tasks(void **state)
{
    (void)state;
    struct rwd_buffer body = {0};
    struct rwd_task_body read;
    const struct rwd_decision decision = {.now_ms = 6};
    struct rwd_task_command command = {.kind = RWD_TASK_REFUSED,
        .user_id = RWD_TEXT("u1"),
        .attempt = 3,
        .actor = RWD_TEXT("ann"),
        .note = RWD_TEXT("no such user"),
        .http_status = 404,
        .endpoint = RWD_TEXT("wallet")};
    memset(command.id.bytes, 0x5a, sizeof command.id.bytes);
    rwd_task_body_encode(&command, &decision, &body);
    assert_int_equal(rwd_task_body_decode(rwd_buffer_text(&body), &read), RWD_OK);
    assert_int_equal(read.command.kind, RWD_TASK_REFUSED);
    assert_true(rwd_task_id_equal(read.command.id, command.id));
    assert_int_equal(read.command.attempt, 3);
    assert_int_equal(read.command.http_status, 404);
    assert_text(read.user_id, "u1");
    assert_text(read.command.user_id, "u1");
    assert_text(read.command.actor, "ann");
    assert_text(read.command.note, "no such user");
    assert_text(read.command.endpoint, "wallet");
    for (size_t cut = 0; cut < body.size; cut++) {
        char *copy = rwd_copy(body.data, cut);
        assert_int_equal(
            rwd_task_body_decode((struct rwd_text){.data = copy, .size = cut}, &read), RWD_CORRUPT);
        rwd_free(copy);
    }
    rwd_buffer_put_char(&body, 'x');
    assert_int_equal(rwd_task_body_decode(rwd_buffer_text(&body), &read), RWD_CORRUPT);
    rwd_buffer_finish(&body);
}

static void rows(void **state)
{
    (void)state;
    struct rwd_buffer body = {0};
    const struct rwd_dead_letter_row letter = {RWD_TEXT("dl_1"), RWD_TEXT("events"),
        RWD_TEXT("late"), RWD_TEXT("/ts"), RWD_TEXT("words"), RWD_TEXT("u"), RWD_TEXT("e"),
        {"\0\xff", 2}, 4, RWD_TEXT("open"), INT64_MAX, INT64_MIN};
    struct rwd_dead_letter_row letter_read;
    rwd_dead_letter_encode(&letter, &body);
    assert_int_equal(rwd_dead_letter_decode(rwd_buffer_text(&body), &letter_read), RWD_OK);
    assert_text(letter_read.letter_id, "dl_1");
    assert_text(letter_read.lane, "events");
    assert_text(letter_read.reason, "late");
    assert_text(letter_read.pointer, "/ts");
    assert_text(letter_read.detail, "words");
    assert_text(letter_read.user_id, "u");
    assert_text(letter_read.reference, "e");
    assert_true(rwd_text_equal(letter_read.body, letter.body));
    assert_int_equal(letter_read.attempts, 4);
    assert_text(letter_read.status, "open");
    assert_true(letter_read.created_ms == INT64_MAX && letter_read.updated_ms == INT64_MIN);

    const struct rwd_budget_row budget = {RWD_TEXT("p"), 7, RWD_TEXT("EUR"), RWD_TEXT("week"),
        INT64_MAX, 0, RWD_TEXT("ann"), RWD_TEXT("more")};
    struct rwd_budget_row budget_read;
    body.size = 0;
    rwd_budget_encode(&budget, &body);
    assert_int_equal(rwd_budget_decode(rwd_buffer_text(&body), &budget_read), RWD_OK);
    assert_text(budget_read.pool_id, "p");
    assert_int_equal(budget_read.pool_no, 7);
    assert_text(budget_read.currency, "EUR");
    assert_text(budget_read.period, "week");
    assert_true(budget_read.hard_cap_minor == INT64_MAX && budget_read.soft_cap_minor == 0);
    assert_text(budget_read.actor, "ann");
    assert_text(budget_read.reason, "more");
    /* As it was written before it said who and why; anything between the two is damage. */
    const size_t audit_size = 4 + 5;
    for (size_t cut = 0; cut < body.size; cut++) {
        struct rwd_text text = {.data = body.data, .size = cut};
        bool whole = cut == body.size - audit_size || cut == body.size - 5;
        assert_int_equal(rwd_budget_decode(text, &budget_read), whole ? RWD_OK : RWD_CORRUPT);
        if (whole) {
            assert_text(budget_read.period, "week");
            assert_text(budget_read.reason, "");
        }
    }

    const struct rwd_rule_version_row version = {RWD_TEXT("r"), RWD_TEXT("1.0.0"), 3, UINT32_MAX,
        RWD_TEXT("hash"), RWD_TEXT("canary"), RWD_TEXT("return rule {}"), RWD_TEXT("r.lua"), 1, 2,
        RWD_TEXT("bob"), RWD_TEXT(""), 10, INT64_MAX, RWD_TEXT("{}")};
    struct rwd_rule_version_row version_read;
    body.size = 0;
    rwd_rule_version_encode(&version, &body);
    assert_int_equal(rwd_rule_version_decode(rwd_buffer_text(&body), &version_read), RWD_OK);
    assert_text(version_read.rule_id, "r");
    assert_text(version_read.version, "1.0.0");
    assert_int_equal(version_read.rule_no, 3);
    assert_int_equal(version_read.version_no, UINT32_MAX);
    assert_text(version_read.content_hash, "hash");
    assert_text(version_read.state, "canary");
    assert_text(version_read.source, "return rule {}");
    assert_text(version_read.source_name, "r.lua");
    assert_true(version_read.registered_ms == 1 && version_read.since_ms == 2);
    assert_text(version_read.actor, "bob");
    assert_text(version_read.reason, "");
    assert_int_equal(version_read.share, 10);
    assert_true(version_read.active_ms == INT64_MAX);
    assert_text(version_read.ramp, "{}");
    for (size_t cut = 0; cut < body.size; cut++) {
        struct rwd_text text = {.data = body.data, .size = cut};
        assert_int_equal(rwd_rule_version_decode(text, &version_read), RWD_CORRUPT);
    }

    struct rwd_buffer changes = {0};
    struct rwd_rule_version_row other = version;
    other.version_no = 7;
    other.share = 0;
    other.ramp = (struct rwd_text){0};
    rwd_rulebook_put_change(&version, &changes);
    rwd_rulebook_put_change(&other, &changes);
    const struct rwd_rulebook_row rulebook = {.rulebook_no = 9,
        .versions = RWD_TEXT("{\"bet\":[1,2]}"),
        .since_ms = 5,
        .actor = RWD_TEXT("ann"),
        .reason = RWD_TEXT("try it"),
        .changes = rwd_buffer_text(&changes)};
    struct rwd_rulebook_row rulebook_read;
    body.size = 0;
    rwd_rulebook_encode(&rulebook, &body);
    assert_int_equal(rwd_rulebook_decode(rwd_buffer_text(&body), &rulebook_read), RWD_OK);
    assert_int_equal(rulebook_read.rulebook_no, 9);
    assert_text(rulebook_read.versions, "{\"bet\":[1,2]}");
    assert_int_equal(rulebook_read.since_ms, 5);
    assert_text(rulebook_read.actor, "ann");
    assert_text(rulebook_read.reason, "try it");
    struct rwd_rulebook_change change;
    struct rwd_text rest = rulebook_read.changes;
    assert_int_equal(rwd_rulebook_next_change(&rest, &change), RWD_OK);
    assert_int_equal(change.version_no, UINT32_MAX);
    assert_text(change.state, "canary");
    assert_int_equal(change.share, 10);
    assert_true(change.since_ms == 2 && change.active_ms == INT64_MAX);
    assert_text(change.ramp, "{}");
    assert_int_equal(rwd_rulebook_next_change(&rest, &change), RWD_OK);
    assert_int_equal(change.version_no, 7);
    assert_text(change.ramp, "");
    assert_int_equal(rwd_rulebook_next_change(&rest, &change), RWD_NOT_FOUND);
    for (size_t cut = 1; cut < changes.size / 2; cut++) {
        rest = (struct rwd_text){.data = changes.data, .size = cut};
        assert_int_equal(rwd_rulebook_next_change(&rest, &change), RWD_CORRUPT);
    }
    rwd_buffer_finish(&changes);
    for (size_t cut = 0; cut < body.size; cut++) {
        struct rwd_text text = {.data = body.data, .size = cut};
        assert_int_equal(rwd_rulebook_decode(text, &rulebook_read), RWD_CORRUPT);
    }
    rwd_buffer_finish(&body);
}

static void noise_never_crashes(void **state)
{
    (void)state;
    struct chance chance = {1};
    for (int round = 0; round < 20000; round++) {
        uint32_t size = chance_below(&chance, 80);
        char *bytes = rwd_new(size);
        for (uint32_t i = 0; i < size; i++) {
            bytes[i] =
                (char)(chance_one_in(&chance, 2) ? chance_below(&chance, 8) : chance_u64(&chance));
        }
        struct rwd_text text = {.data = bytes, .size = size};
        struct rwd_event_body event;
        struct rwd_task_body task;
        struct rwd_dead_letter_row letter;
        struct rwd_rule_version_row version;
        (void)!rwd_event_body_decode(text, &event);
        (void)!rwd_task_body_decode(text, &task);
        (void)!rwd_dead_letter_decode(text, &letter);
        (void)!rwd_rule_version_decode(text, &version);
        rwd_free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events),
        cmocka_unit_test(tasks),
        cmocka_unit_test(rows),
        cmocka_unit_test(noise_never_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
