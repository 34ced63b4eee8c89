#include "engine/keeper_answers.h"

#include "base/clock.h"
#include "engine/keeper_uses.h"

#include <inttypes.h>
#include <string.h>

/* The budget it pays from; NULL: it is not loaded, or pays nothing. */
static const struct rwd_pool_terms *pool_of(
    const struct rwd_keeper_options *options, const struct rwd_keeper_version *version)
{
    const struct rwd_rule *rule =
        version->shared != NULL ? rwd_shared_rule_get(version->shared) : NULL;
    uint32_t pool_no = rule != NULL && rule->budget[0] != '\0'
                           ? rwd_pools_find(options->pools, rwd_text_of(rule->budget))
                           : 0;
    return pool_no != 0 ? rwd_pool_terms(options->pools, pool_no) : NULL;
}

/* What it has given from its first event on, over restarts. */
static void put_given(const struct rwd_keeper_version *version, const struct rwd_inquiry *inquiry,
    struct rwd_buffer *out)
{
    struct rwd_version_sum sum = {0};
    struct rwd_currency currency;
    for (size_t i = 0; i < inquiry->version_sum_count; i++) {
        if (inquiry->version_sums[i].version_no == version->names.version_no) {
            sum = inquiry->version_sums[i];
        }
    }
    rwd_buffer_put_format(out,
        ",\"given\":{\"points\":%" PRId64 ",\"reward_tasks\":%" PRId64 ",\"held\":%" PRId64,
        sum.points, sum.tasks, sum.tasks_held);
    if (rwd_currency_parse(sum.currency, &currency) == RWD_OK) {
        char money[RWD_MONEY_TEXT_SIZE];
        char paid[RWD_MONEY_TEXT_SIZE];
        rwd_money_format(sum.reserved_minor + sum.spent_minor, currency, money);
        rwd_money_format(sum.spent_minor, currency, paid);
        rwd_buffer_put_format(out, ",\"money\":\"%s\",\"paid\":\"%s\",\"currency\":\"%s\"}", money,
            paid, currency.code);
    } else {
        rwd_buffer_put_string(out, ",\"money\":null,\"paid\":null,\"currency\":null}");
    }
}

static void put_since(const char *name, int64_t since_ms, struct rwd_buffer *out)
{
    char since[RWD_TIME_TEXT_SIZE];
    rwd_time_format(since_ms, since);
    rwd_buffer_put_format(out, ",\"%s\":{\"since\":\"%s\"", name, since);
}

/* How it runs, in this process. */
static void put_health(const struct rwd_keeper_options *options,
    const struct rwd_keeper_version *version, struct rwd_buffer *out)
{
    const struct rwd_rule_sums sums =
        rwd_rule_stats_sum(options->rule_counters, options->shard_count, version->names.version_no);
    bool is_newer = version->registered_ms > options->started_ms;
    put_since("health", is_newer ? version->registered_ms : options->started_ms, out);
    rwd_buffer_put_format(out,
        ",\"calls\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"cost_p99_us\":%.1f}", sums.calls,
        sums.errors, (double)sums.cost_p99_ns / 1000);
}

static void put_amount(
    const struct rwd_pool_terms *terms, const char *name, uint64_t minor, struct rwd_buffer *out)
{
    char amount[RWD_MONEY_TEXT_SIZE];
    rwd_money_format((int64_t)minor, terms->currency, amount);
    rwd_buffer_put_format(out, ",\"%s\":\"%s\"", name, amount);
}

/* Per budget: what players got by the rule from the active version's, and what they would have from
 * the shadow's; often the same one. */
static void put_shadow_pools(const struct rwd_pool_terms *would, const struct rwd_pool_terms *got,
    const struct rwd_shadow_sums *sums, struct rwd_buffer *out)
{
    const char *separator = "";
    rwd_buffer_put_string(out, ",\"pools\":[");
    for (int i = 0; i < 2; i++) {
        const struct rwd_pool_terms *terms = i == 0 ? would : got;
        if (terms == NULL || (i == 1 && would == got)) {
            continue;
        }
        uint64_t given = terms == would ? sums->money_would : 0;
        uint64_t received = terms == got ? sums->money_got : 0;
        rwd_buffer_put_format(out, "%s{\"pool_id\":\"%s\",\"currency\":\"%s\"", separator,
            terms->id, terms->currency.code);
        put_amount(terms, "would", given, out);
        put_amount(terms, "got", received, out);
        put_amount(terms, "difference", given - received, out);
        rwd_buffer_put_char(out, '}');
        separator = ",";
    }
    rwd_buffer_put_char(out, ']');
}

static void put_shadow(const struct rwd_keeper_options *options,
    const struct rwd_keeper_versions *versions, const struct rwd_keeper_version *version,
    struct rwd_buffer *out)
{
    const struct rwd_shadow_sums sums = rwd_rule_stats_shadow(
        options->rule_counters, options->shard_count, version->names.version_no);
    rwd_buffer_put_string(out, ",\"shadow\":");
    if (sums.sample == 0) {
        rwd_buffer_put_string(out, "null");
        return;
    }
    char since[RWD_TIME_TEXT_SIZE];
    const struct rwd_keeper_version *active =
        rwd_keeper_in_role(versions, version->names.rule_no, RWD_RULEBOOK_ACTIVE);
    /* A shadow that became something else shows its last sums, of whatever time they were. */
    int64_t since_ms =
        version->since_ms > options->started_ms ? version->since_ms : options->started_ms;
    rwd_time_format(since_ms, since);
    bool is_shadow = version->state == RWD_KEEPER_SHADOW;
    rwd_buffer_put_format(out, "{\"since\":%s%s%s,", is_shadow ? "\"" : "",
        is_shadow ? since : "null", is_shadow ? "\"" : "");
    rwd_buffer_put_format(out,
        "\"one_player_of\":%" PRIu64 ",\"players\":%" PRIu64 ",\"winners\":%" PRIu64
        ",\"losers\":%" PRIu64 ",\"points_would\":%" PRIu64 ",\"points_got\":%" PRIu64
        ",\"points_difference\":%" PRId64 ",\"reward_tasks_would\":%" PRIu64
        ",\"reward_tasks_got\":%" PRIu64 ",\"reward_tasks_difference\":%" PRId64,
        sums.sample, sums.users, sums.winners, sums.losers, sums.points_would, sums.points_got,
        (int64_t)(sums.points_would - sums.points_got), sums.tasks_would, sums.tasks_got,
        (int64_t)(sums.tasks_would - sums.tasks_got));
    put_shadow_pools(
        pool_of(options, version), active != NULL ? pool_of(options, active) : NULL, &sums, out);
    rwd_buffer_put_char(out, '}');
}

static void put_reference(
    struct rwd_buffer *out, const char **separator, const char *rule_id, const char *version)
{
    rwd_buffer_put_format(
        out, "%s\"%s%s%s\"", *separator, rule_id, version[0] != '\0' ? "@" : "", version);
    *separator = ",";
}

/* What a version names, and by which in force it is named. */
static void put_uses(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_version *version, struct rwd_buffer *out)
{
    const char *separator = "";
    if (version->shared != NULL) {
        const struct rwd_rule *rule = rwd_shared_rule_get(version->shared);
        rwd_buffer_put_string(out, ",\"uses\":[");
        for (size_t i = 0; i < rule->formula_count; i++) {
            put_reference(out, &separator, rule->formulas[i].id, rule->formulas[i].version);
        }
        if (rule->experiment[0] != '\0') {
            rwd_buffer_put_format(
                out, "%s\"" RWD_EXPERIMENT_ID_PREFIX "%s\"", separator, rule->experiment);
        }
        rwd_buffer_put_char(out, ']');
        separator = "";
    }
    rwd_buffer_put_string(out, ",\"used_by\":[");
    bool is_named = rwd_keeper_kind(version) != RWD_KIND_RULE;
    for (size_t i = 0; i < versions->count && is_named; i++) {
        const struct rwd_keeper_version *user = &versions->all[i];
        if (rwd_keeper_uses(user, version)) {
            put_reference(out, &separator, user->names.rule_id, user->names.version);
        }
    }
    rwd_buffer_put_char(out, ']');
}

void rwd_keeper_put_version(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_version *version, struct rwd_buffer *out)
{
    char since[RWD_TIME_TEXT_SIZE];
    char registered[RWD_TIME_TEXT_SIZE];
    rwd_time_format(version->since_ms, since);
    rwd_time_format(version->registered_ms, registered);
    rwd_buffer_put_format(out,
        "{\"rule_id\":\"%s\",\"kind\":\"%s\",\"version\":\"%s\",\"state\":\"%s\",\"share\":%u,"
        "\"content_hash\":\"%s\",\"since\":\"%s\",\"registered_at\":\"%s\",\"file\":",
        version->names.rule_id, rwd_rule_kind_name(rwd_keeper_kind(version)),
        version->names.version, rwd_keeper_state_name(version->state), version->share,
        version->names.content_hash, since, registered);
    rwd_buffer_put_json(out, rwd_text_of(version->source_name));
    rwd_buffer_put_string(out, ",\"actor\":");
    rwd_buffer_put_json(out, rwd_text_of(version->actor != NULL ? version->actor : ""));
    rwd_buffer_put_string(out, ",\"reason\":");
    rwd_buffer_put_json(out, rwd_text_of(version->reason != NULL ? version->reason : ""));
    rwd_buffer_put_string(out, ",\"ramp\":");
    size_t before = out->size;
    rwd_ramp_encode(&version->ramp, out);
    if (out->size == before) {
        rwd_buffer_put_string(out, "null");
    }
    put_uses(versions, version, out);
    if (version->shared != NULL) {
        const struct rwd_rule *rule = rwd_shared_rule_get(version->shared);
        rwd_buffer_put_string(out, ",\"title\":");
        rwd_buffer_put_json(out, rwd_text_of(rule->title));
        rwd_buffer_put_string(out, ",\"owner\":");
        rwd_buffer_put_json(out, rwd_text_of(rule->owner));
        rwd_buffer_put_string(out, ",\"on\":[");
        for (size_t i = 0; i < rule->on_count; i++) {
            rwd_buffer_put_format(out, "%s\"%s\"", i == 0 ? "" : ",", rule->on[i]);
        }
        rwd_buffer_put_format(out, "],\"budget\":\"%s\"", rule->budget);
    }
    rwd_buffer_put_char(out, '}');
}

static void put_watched(const struct rwd_keeper_options *options,
    const struct rwd_keeper_versions *versions, const struct rwd_keeper_version *version,
    struct rwd_inquiry *inquiry)
{
    struct rwd_buffer *out = &inquiry->json;
    rwd_keeper_put_version(versions, version, out);
    out->size--; /* the object goes on */
    put_given(version, inquiry, out);
    put_health(options, version, out);
    put_shadow(options, versions, version, out);
    rwd_buffer_put_char(out, '}');
}

static void put_in_role(const struct rwd_keeper_versions *versions, uint32_t rule_no,
    enum rwd_rulebook_role role, const char *name, struct rwd_buffer *out)
{
    const struct rwd_keeper_version *version = rwd_keeper_in_role(versions, rule_no, role);
    rwd_buffer_put_format(out, ",\"%s\":", name);
    /* Of a formula several are active: none is the one. */
    if (version != NULL && rwd_keeper_kind(version) != RWD_KIND_FORMULA) {
        rwd_buffer_put_format(out, "\"%s\"", version->names.version);
    } else {
        rwd_buffer_put_string(out, "null");
    }
}

static bool put_rule(const struct rwd_keeper_options *options,
    const struct rwd_keeper_versions *versions, struct rwd_text rule_id,
    struct rwd_inquiry *inquiry)
{
    struct rwd_buffer *out = &inquiry->json;
    size_t found = 0;
    uint32_t rule_no = 0;
    size_t begin = out->size;
    rwd_buffer_put_string(out, "{\"rule_id\":");
    rwd_buffer_put_json(out, rule_id);
    rwd_buffer_put_format(
        out, ",\"kind\":\"%s\",\"versions\":[", rwd_rule_kind_name(rwd_rule_kind_of(rule_id)));
    for (size_t i = 0; i < versions->count; i++) {
        if (rwd_text_is(rule_id, versions->all[i].names.rule_id)) {
            rwd_buffer_put_string(out, found++ == 0 ? "" : ",");
            put_watched(options, versions, &versions->all[i], inquiry);
            rule_no = versions->all[i].names.rule_no;
        }
    }
    if (found == 0) {
        out->size = begin;
        return false;
    }
    rwd_buffer_put_char(out, ']');
    put_in_role(versions, rule_no, RWD_RULEBOOK_ACTIVE, "active_version", out);
    put_in_role(versions, rule_no, RWD_RULEBOOK_CANARY, "canary_version", out);
    put_in_role(versions, rule_no, RWD_RULEBOOK_SHADOW, "shadow_version", out);
    rwd_buffer_put_char(out, '}');
    return true;
}

bool rwd_keeper_put_rule(const struct rwd_keeper_options *options,
    const struct rwd_keeper_versions *versions, struct rwd_text rule_id,
    struct rwd_inquiry *inquiry)
{
    bool found = put_rule(options, versions, rule_id, inquiry);
    if (found) {
        inquiry->json.size--; /* the object goes on */
        rwd_buffer_put_format(
            &inquiry->json, ",\"behind_bytes\":%" PRIu64 "}", inquiry->behind_bytes);
    }
    return found;
}

void rwd_keeper_put_rules(const struct rwd_keeper_options *options,
    const struct rwd_keeper_versions *versions, const struct rwd_keeper_error *errors,
    size_t error_count, struct rwd_inquiry *inquiry)
{
    struct rwd_buffer *out = &inquiry->json;
    bool first = true;
    rwd_buffer_put_string(out, "{\"items\":[");
    for (size_t i = 0; i < versions->count; i++) {
        bool seen = false;
        for (size_t before = 0; before < i && !seen; before++) {
            seen = versions->all[before].names.rule_no == versions->all[i].names.rule_no;
        }
        if (!seen) {
            rwd_buffer_put_string(out, first ? "" : ",");
            first = false;
            (void)put_rule(options, versions, rwd_text_of(versions->all[i].names.rule_id), inquiry);
        }
    }
    rwd_buffer_put_string(out, "],\"errors\":[");
    for (size_t i = 0; i < error_count; i++) {
        rwd_buffer_put_string(out, i == 0 ? "{\"file\":" : ",{\"file\":");
        rwd_buffer_put_json(out, rwd_text_of(errors[i].file));
        rwd_buffer_put_string(out, ",\"error\":");
        rwd_buffer_put_json(out, rwd_text_of(errors[i].text));
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_format(
        out, "],\"behind_bytes\":%" PRIu64 ",\"next_cursor\":null}", inquiry->behind_bytes);
}
