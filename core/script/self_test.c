#include "script/self_test.h"
#include "base/memory.h"
#include "script/formula.h"

#include <stdio.h>
#include <string.h>

static const char formula_mark[] = "@formula ";
static const char rule_mark[] = "@rule ";

/* The file of its formula; empty: it has none. */
static struct rwd_text formula_of(const struct rwd_attack *attack)
{
    const char *chunk = attack->chunk != NULL ? attack->chunk : "";
    if (strncmp(chunk, formula_mark, sizeof formula_mark - 1) != 0) {
        return (struct rwd_text){0};
    }
    const char *begin = chunk + sizeof formula_mark - 1;
    return (struct rwd_text){.data = begin, .size = (size_t)(strstr(begin, rule_mark) - begin)};
}

static enum rwd_status find_formula(void *context, struct rwd_text id, struct rwd_text version,
    struct rwd_text *source, struct rwd_error *error)
{
    *source = formula_of(context);
    return source->size > 0 && rwd_text_is(id, "f")
               ? RWD_OK
               : rwd_formula_unknown(id, version, (struct rwd_text){0}, error);
}

/* The file of an attack. "@repeat..." stands for its text repeated past every limit of a parser. */
static void put_source(const struct rwd_attack *attack, struct rwd_buffer *out)
{
    enum { REPEAT_SIZE = 40000 };
    static const char repeat[] = "@repeat";
    const char *chunk = attack->chunk != NULL ? attack->chunk : "";
    struct rwd_text formula = formula_of(attack);
    if (formula.size > 0) {
        chunk = formula.data + formula.size + sizeof rule_mark - 1;
    }
    if (strncmp(chunk, repeat, sizeof repeat - 1) == 0) {
        bool comment = chunk[sizeof repeat - 1] == '-';
        rwd_buffer_put_string(out, "local x, and_y = 1 x = ");
        while (out->size < (comment ? 2 * REPEAT_SIZE : REPEAT_SIZE)) {
            rwd_buffer_put_string(out, chunk + sizeof repeat - 1);
        }
        return;
    }
    rwd_buffer_put_string(out, chunk);
    if (attack->body != NULL) {
        rwd_buffer_put_string(out, "\nreturn rule { id = 'attack', version = '1.0.0', on = 'bet',\n"
                                   "state = { s = '' }, grant = function(event, player, state)\n");
        rwd_buffer_put_string(out, attack->body);
        rwd_buffer_put_string(out, "\nend }\n");
    }
}

static enum rwd_status call(
    const struct rwd_rule *rule, const struct rwd_sandbox_limits *limits, struct rwd_error *error)
{
    static const char raw[] =
        "{\"event_id\":\"e\",\"user\":{\"id\":\"u\"},\"payload\":{\"bet\":1,\"list\":[1,2,3]}}";
    static const struct rwd_json_limits json_limits = {
        .depth_max = 8, .node_count_max = 32, .size_max = sizeof raw};
    struct rwd_arena arena;
    struct rwd_event event = {.raw = {.data = raw, .size = sizeof raw - 1}};
    struct rwd_profile profile = {.kyc_level = 1};
    struct rwd_json_fault fault;
    struct rwd_reward reward;
    struct rwd_sandbox *sandbox = NULL;
    size_t consumed = 0;
    bool has_reward = false;
    rwd_arena_init(&arena, 4096, 65536);
    enum rwd_status status = rwd_json_scan((struct rwd_text){.data = raw, .size = sizeof raw - 1},
        &json_limits, &arena, &event.json, &consumed, &fault);
    if (status != RWD_OK) {
        (void)rwd_fail(error, status, "%s", fault.detail);
        goto finish;
    }
    event.user = rwd_json_member(&event.json, event.json.nodes, RWD_TEXT("user"));
    event.payload = rwd_json_member(&event.json, event.json.nodes, RWD_TEXT("payload"));
    struct rwd_scalar state = rule->states[0].initial;
    struct rwd_sandbox_call arguments = {.event = &event,
        .profile = &profile,
        .user_id = RWD_TEXT("u"),
        .state = &state,
        .arena = &arena};
    status = rwd_sandbox_create(rule, limits, &sandbox, error);
    if (status == RWD_OK) {
        status = rwd_sandbox_grant(sandbox, &arguments, &has_reward, &reward, error);
    }
    rwd_sandbox_destroy(sandbox);
finish:
    rwd_arena_finish(&arena);
    return status;
}

enum rwd_status rwd_attack_run(const struct rwd_attack *attack, struct rwd_error *error)
{
    const struct rwd_formula_shelf shelf = {.find = find_formula, .context = (void *)attack};
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    struct rwd_buffer source = {0};
    struct rwd_rule *rule = NULL;
    struct rwd_error said = {{0}};
    /* Twice the usual: a slow machine must not end early what is meant to end by itself. */
    limits.deadline_ms *= 2;
    put_source(attack, &source);
    enum rwd_attack_end end = RWD_ATTACK_REFUSED;
    if (rwd_rule_load_with(rwd_buffer_text(&source), "attack.lua", &shelf, &limits, &rule, &said) ==
        RWD_OK) {
        if (call(rule, &limits, &said) == RWD_OK) {
            end = RWD_ATTACK_HARMLESS;
        } else {
            end = strstr(said.text, "stopped:") != NULL ? RWD_ATTACK_STOPPED : RWD_ATTACK_RAISES;
        }
    }
    rwd_rule_destroy(rule);
    rwd_buffer_finish(&source);
    if (end != attack->end || strstr(said.text, attack->says) == NULL) {
        static const char *const ends[] = {"refused", "stopped", "an error", "harmless"};
        return rwd_fail(error, RWD_SCRIPT,
            "sandbox self-test: attack '%s' must end %s, ended %s: %.200s", attack->name,
            ends[attack->end], ends[end], said.text);
    }
    return RWD_OK;
}

enum rwd_status rwd_sandbox_self_test(struct rwd_error *error)
{
    for (size_t i = 0; i < rwd_attack_count; i++) {
        enum rwd_status status = rwd_attack_run(&rwd_attacks[i], error);
        if (status != RWD_OK) {
            return status;
        }
    }
    return RWD_OK;
}
