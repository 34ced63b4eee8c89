#include "engine/shard_inputs.h"

#include "base/check.h"
#include "base/clock.h"
#include "domain/rule_kind.h"
#include "engine/records.h"

#include <stdio.h>

struct rwd_sandbox_limits rwd_engine__sandbox_limits(const struct rwd_config *config)
{
    return (struct rwd_sandbox_limits){
        .instruction_count_max = (uint32_t)config->sandbox_instruction_count_max,
        .memory_size_max = (uint32_t)config->sandbox_memory_size_max_mib << 20,
        .deadline_ms = (uint32_t)config->sandbox_deadline_ms,
        .deadline_hard_ms = (uint32_t)config->sandbox_deadline_hard_ms,
    };
}

struct rwd_ruleset_limits rwd_engine__ruleset_limits(const struct rwd_config *config)
{
    struct rwd_ruleset_limits limits = rwd_ruleset_limits_default();
    limits.sandbox = rwd_engine__sandbox_limits(config);
    limits.breaker_error_count = (uint32_t)config->sandbox_error_count_max;
    limits.breaker_call_count = (uint32_t)config->sandbox_error_call_count;
    return limits;
}

static void put_until(struct rwd_buffer *out, int64_t until_ms)
{
    char text[RWD_TIME_TEXT_SIZE];
    if (until_ms == 0) {
        rwd_buffer_put_string(out, "null");
    } else if (until_ms == INT64_MAX) {
        /* No end was given: the last time RFC 3339 can write. */
        rwd_buffer_put_string(out, "\"9999-12-31T23:59:59Z\"");
    } else {
        rwd_time_format(until_ms, text);
        rwd_buffer_put_format(out, "\"%s\"", text);
    }
}

static void put_rules(const struct rwd_player *player, const struct rwd_directory *directory,
    bool milestones, struct rwd_buffer *out)
{
    bool first = true;
    for (uint32_t i = 0; i < player->rule_count; i++) {
        const struct rwd_player_rule *rule = &player->rules[i];
        const struct rwd_directory_entry *entry = rwd_directory_rule(directory, rule->rule_no);
        if (entry == NULL || (milestones ? rule->fired_count == 0 : rule->total == 0)) {
            continue;
        }
        rwd_buffer_put_format(out, "%s\"%s\":", first ? "" : ",", entry->rule_id);
        first = false;
        if (!milestones) {
            rwd_buffer_put_u64(out, rule->total);
            continue;
        }
        for (uint32_t fired = 0; fired < rule->fired_count; fired++) {
            rwd_buffer_put_char(out, fired == 0 ? '[' : ',');
            rwd_buffer_put_u64(out, rule->fired[fired]);
        }
        rwd_buffer_put_char(out, ']');
    }
}

/* The experiments the player was exposed to, by key. */
static void put_arms(
    const struct rwd_player *player, const struct rwd_directory *directory, struct rwd_buffer *out)
{
    bool first = true;
    for (uint32_t i = 0; i < player->exposure_count; i++) {
        const struct rwd_directory_entry *entry =
            rwd_directory_rule(directory, player->exposures[i].experiment_no);
        if (entry != NULL) {
            rwd_buffer_put_format(out, "%s\"%s\":\"%s\"", first ? "" : ",",
                rwd_rule_bare_id(entry->rule_id).data, player->exposures[i].arm);
            first = false;
        }
    }
}

void rwd_engine__put_player(
    const struct rwd_player *player, const struct rwd_directory *directory, struct rwd_buffer *out)
{
    const struct rwd_profile *profile = &player->profile;
    rwd_buffer_put_string(out, "{\"user_id\":");
    rwd_buffer_put_json(out, rwd_player_user_id(player));
    rwd_buffer_put_format(out,
        ",\"kyc_level\":%u,\"rg\":{\"self_excluded\":%s,\"cool_off_until\":", profile->kyc_level,
        profile->self_excluded_until_ms != 0 ? "true" : "false");
    put_until(out, profile->cool_off_until_ms);
    rwd_buffer_put_format(out, ",\"deposit_limit_reached\":%s},\"geo\":",
        profile->deposit_limit_until_ms != 0 ? "true" : "false");
    if (profile->geo[0] != '\0') {
        rwd_buffer_put_format(out, "\"%s\"", profile->geo);
    } else {
        rwd_buffer_put_string(out, "null");
    }
    rwd_buffer_put_string(out, ",\"points\":{");
    put_rules(player, directory, false, out);
    rwd_buffer_put_string(out, "},\"milestones\":{");
    put_rules(player, directory, true, out);
    rwd_buffer_put_string(out, "},\"arms\":{");
    put_arms(player, directory, out);
    rwd_buffer_put_string(out, "}}");
}

enum rwd_status rwd_engine__put_budget(
    struct rwd_pools *pools, struct rwd_budget_row *row, struct rwd_error *error)
{
    struct rwd_pool_terms terms;
    enum rwd_status status = rwd_budget_terms(row, &terms, error);
    uint32_t wanted = rwd_pools_find(pools, row->pool_id) == 0 ? row->pool_no : 0;
    return status == RWD_OK ? rwd_pools_put(pools, &terms, wanted, &row->pool_no, error) : status;
}

enum rwd_status rwd_engine__announce_budget(
    struct rwd_pools *pools, struct rwd_budget_row *row, struct rwd_error *error)
{
    struct rwd_pool_terms terms;
    enum rwd_status status = rwd_budget_terms(row, &terms, error);
    return status == RWD_OK ? rwd_pools_announce(pools, &terms, &row->pool_no, error) : status;
}

void rwd_engine__settle_budgets(struct rwd_pools *pools, const struct rwd_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct rwd_input *input = &batch->inputs[i];
        struct rwd_pool_terms terms;
        struct rwd_error error;
        if (input->kind == RWD_INPUT_BUDGET && input->outcome == RWD_OUTCOME_ACCEPTED) {
            RWD_REQUIRE(rwd_budget_terms(input->budget, &terms, &error) == RWD_OK);
            rwd_pools_settle(pools, &terms);
        }
    }
}
