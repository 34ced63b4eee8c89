// room: script
/*
 * What the sandbox costs: a refused when, a score, a VM, the self-test.
 *     bench_sandbox [calls]
 * In one thread, on a warm rule; the best of five rounds, since what is above it is the machine's.
 */
#include "script/self_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static const char source[] =
    "return rule { id = 'bench', version = '1.0.0', on = 'bet', state = { n = 0 },\n"
    "when = function(event, player) return event.payload.bet >= 20 end,\n"
    "score = function(event, player) return event.payload.win / event.payload.bet * 3 end,\n"
    "grant = function(event, player, state)\n"
    "  state.n = state.n + 1\n"
    "  if player.kyc_level > 2 then return badge { name = 'x' } end end }\n";

static const char raw[] =
    "{\"event_id\":\"d9e8-5c2\",\"event_name\":\"bet\",\"version\":\"1.2.0\","
    "\"ts\":\"2025-10-24T11:37:21Z\",\"user\":{\"id\":\"u_123\",\"geo\":\"TR\","
    "\"platform\":\"android\",\"payer_flag\":true,\"risk_flags\":[\"vp_nightly\"]},"
    "\"context\":{\"session_id\":\"s_789\",\"device_fp\":\"fp_1\",\"ip\":\"203.0.113.24\"},"
    "\"payload\":{\"game_id\":\"slot_wolf\",\"bet\":0.5,\"win\":1.25,\"currency\":\"EUR\","
    "\"provider\":\"GameCo\"}}";

static struct rwd_sandbox *sandbox;
static struct rwd_sandbox_call call;
static struct rwd_error error;

static void check(enum rwd_status status)
{
    if (status != RWD_OK) {
        (void)fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
}

static void run_when(void)
{
    bool holds = true;
    check(rwd_sandbox_when(sandbox, &call, &holds, &error));
}

static void run_score(void)
{
    uint64_t points = 0;
    check(rwd_sandbox_score(sandbox, &call, &points, &error));
}

static void run_grant(void)
{
    bool has_reward = false;
    struct rwd_reward reward;
    check(rwd_sandbox_grant(sandbox, &call, &has_reward, &reward, &error));
}

static double best(void (*run)(void), int count)
{
    double least = 1e18;
    for (int round = 0; round < 5; round++) {
        double start = now_ns();
        for (int i = 0; i < count; i++) {
            run();
        }
        double took = (now_ns() - start) / count;
        least = took < least ? took : least;
    }
    return least;
}

static struct rwd_rule *rule;
static struct rwd_sandbox_limits limits;

static void run_create(void)
{
    struct rwd_sandbox *made = NULL;
    check(rwd_sandbox_create(rule, &limits, &made, &error));
    rwd_sandbox_destroy(made);
}

static void run_self_test(void)
{
    check(rwd_sandbox_self_test(&error));
}

int main(int argc, char **argv)
{
    static const struct rwd_json_limits json_limits = {
        .depth_max = 32, .node_count_max = 256, .size_max = 65536};
    static struct rwd_event event;
    static struct rwd_profile profile = {.kyc_level = 2};
    static struct rwd_scalar state;
    static struct rwd_arena arena;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 200000;
    limits = rwd_sandbox_limits_default();
    rwd_arena_init(&arena, 65536, 1 << 20);
    check(rwd_json_scan((struct rwd_text){.data = raw, .size = sizeof raw - 1}, &json_limits,
        &arena, &event.json, &consumed, &fault));
    event.user = rwd_json_member(&event.json, event.json.nodes, RWD_TEXT("user"));
    event.context = rwd_json_member(&event.json, event.json.nodes, RWD_TEXT("context"));
    event.payload = rwd_json_member(&event.json, event.json.nodes, RWD_TEXT("payload"));
    check(rwd_rule_load((struct rwd_text){.data = source, .size = sizeof source - 1}, "bench.lua",
        &limits, &rule, &error));
    check(rwd_sandbox_create(rule, &limits, &sandbox, &error));
    state = rule->states[0].initial;
    call = (struct rwd_sandbox_call){.event = &event,
        .profile = &profile,
        .user_id = RWD_TEXT("u_123"),
        .state = &state,
        .arena = &arena};
    (void)printf("when, refused     %8.0f ns (goal 220)\n", best(run_when, count));
    (void)printf("score             %8.0f ns\n", best(run_score, count));
    (void)printf("grant with state  %8.0f ns\n", best(run_grant, count));
    (void)printf("VM create+destroy %8.0f ns\n", best(run_create, count / 500 + 1));
    (void)printf("self-test of %zu    %7.1f ms (goal 100)\n", rwd_attack_count,
        best(run_self_test, 1) / 1e6);
    rwd_sandbox_destroy(sandbox);
    rwd_rule_destroy(rule);
    rwd_arena_finish(&arena);
    return 0;
}
