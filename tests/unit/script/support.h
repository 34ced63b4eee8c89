/*
 * support: a rule, an event and a call in a few lines, for the tests of script/.
 */
#ifndef RWD_TESTS_SCRIPT_SUPPORT_H
#define RWD_TESTS_SCRIPT_SUPPORT_H

#include "script/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct rwd_arena arena;
    struct rwd_event event;
    struct rwd_profile profile;
    struct rwd_rule *rule;
    struct rwd_sandbox *sandbox;
    struct rwd_scalar aggregates[RWD_RULE_AGGREGATE_COUNT_MAX];
    struct rwd_scalar state[RWD_RULE_STATE_COUNT_MAX];
    struct rwd_sandbox_call call;
    struct rwd_error error;
};

#define BET                                                                                        \
    "{\"event_id\":\"e1\",\"event_name\":\"bet\",\"version\":\"1.2.0\","                           \
    "\"ts\":\"2025-11-10T11:37:21Z\",\"user\":{\"id\":\"u_123\",\"geo\":\"TR\","                   \
    "\"attributes\":{\"tier\":\"gold\"}},\"extra\":{\"deep\":{\"er\":[1,[2,3],{\"x\":null}]}},"    \
    "\"payload\":{\"game_id\":\"slot_wolf\",\"bet\":0.5,\"win\":1.25,\"currency\":\"EUR\","        \
    "\"list\":[10,20,30],\"yes\":true,\"no\":false,\"none\":null}}"

static inline struct rwd_text text_of(const char *c_string)
{
    return rwd_text_of(c_string);
}

static inline void set_event(struct fixture *fixture, const char *raw)
{
    static const struct rwd_json_limits limits = {
        .depth_max = 32, .node_count_max = 20000, .size_max = 1 << 20};
    static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = {1};
    struct rwd_json json;
    struct rwd_json_fault fault;
    struct rwd_problem problem;
    size_t consumed = 0;
    assert_int_equal(
        rwd_json_scan(text_of(raw), &limits, &fixture->arena, &json, &consumed, &fault), RWD_OK);
    assert_int_equal(
        rwd_event_read(text_of(raw), &json, key, 1762774641000 + 5000, &fixture->event, &problem),
        RWD_OK);
}

static inline uint64_t points_of(void *context, struct rwd_text rule_id)
{
    (void)context;
    return rwd_text_is(rule_id, "other") ? 42 : 0;
}

static inline void open_fixture(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    rwd_arena_init(&fixture->arena, 65536, 4 << 20);
    set_event(fixture, BET);
    fixture->profile = (struct rwd_profile){.kyc_level = 2,
        .geo = "TR",
        .platform = "android",
        .payer = RWD_YES,
        .segment_count = 2,
        .segments = {"vip", "night"}};
    fixture->call = (struct rwd_sandbox_call){.event = &fixture->event,
        .profile = &fixture->profile,
        .user_id = RWD_TEXT("u_123"),
        .aggregates = fixture->aggregates,
        .state = fixture->state,
        .points = points_of,
        .seed = 7,
        .arena = &fixture->arena};
}

static inline void close_rule(struct fixture *fixture)
{
    rwd_sandbox_destroy(fixture->sandbox);
    rwd_rule_destroy(fixture->rule);
    fixture->sandbox = NULL;
    fixture->rule = NULL;
}

static inline void close_fixture(struct fixture *fixture)
{
    close_rule(fixture);
    rwd_arena_finish(&fixture->arena);
}

/* A load that must go well, with its words where it does not. */
#define assert_loads(load, error)                                                                  \
    do {                                                                                           \
        if ((load) != RWD_OK) {                                                                    \
            fail_msg("%s", (error).text);                                                          \
        }                                                                                          \
    } while (0)

static inline enum rwd_status try_rule(struct fixture *fixture, const char *source)
{
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    limits.deadline_ms = 1000;
    close_rule(fixture);
    fixture->error.text[0] = '\0';
    return rwd_rule_load(text_of(source), "r.lua", &limits, &fixture->rule, &fixture->error);
}

static inline void open_rule(struct fixture *fixture, const char *source)
{
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    limits.deadline_ms = 1000; /* only exact limits in tests */
    assert_loads(try_rule(fixture, source), fixture->error);
    assert_int_equal(
        rwd_sandbox_create(fixture->rule, &limits, &fixture->sandbox, &fixture->error), RWD_OK);
    for (size_t i = 0; i < fixture->rule->state_count; i++) {
        fixture->state[i] = fixture->rule->states[i].initial;
    }
}

/* A rule whose grant has this body; the body is on line 2. */
static inline void open_grant(struct fixture *fixture, const char *head, const char *body)
{
    char source[8192];
    (void)snprintf(source, sizeof source,
        "return rule { id = 'r', version = '1.0.0', on = 'bet', %s grant = function(event, player, "
        "state)\n%s\nend }\n",
        head, body);
    open_rule(fixture, source);
}

static inline enum rwd_status run_grant(struct fixture *fixture, struct rwd_reward *reward)
{
    bool has_reward = false;
    fixture->error.text[0] = '\0';
    enum rwd_status status =
        rwd_sandbox_grant(fixture->sandbox, &fixture->call, &has_reward, reward, &fixture->error);
    return status == RWD_OK && !has_reward ? RWD_NOT_FOUND : status;
}

/* The body runs without an error. */
static inline void expect_good(struct fixture *fixture, const char *body)
{
    struct rwd_reward reward;
    open_grant(fixture, "", body);
    enum rwd_status status = run_grant(fixture, &reward);
    if (status != RWD_NOT_FOUND) {
        print_error("%s: %s\n", body, fixture->error.text);
    }
    assert_int_equal(status, RWD_NOT_FOUND);
}

/* The body raises exactly this. */
static inline void expect_error(struct fixture *fixture, const char *body, const char *text)
{
    struct rwd_reward reward;
    open_grant(fixture, "", body);
    assert_int_equal(run_grant(fixture, &reward), RWD_SCRIPT);
    assert_string_equal(fixture->error.text, text);
}

#endif
