#include "engine/query_decision.h"

#include "domain/waiting.h"
#include "engine/query_text.h"
#include "engine/records.h"
#include "engine/task_text.h"

#include <inttypes.h>

/* What an event may be at most (see config.c's ingest limits); a rulebook is ours. */
static const struct rwd_json_limits event_limits = {64, 1 << 16, RWD_RECORD_BODY_SIZE_MAX};
static const struct rwd_json_limits rulebook_limits = {4, 1 << 20, 64 << 20};

/* ---- words ---- */

static const char *words_of(enum rwd_rule_verdict verdict)
{
    switch (verdict) {
    case RWD_RULE_FIRED:
        return "the rule counted this event";
    case RWD_RULE_NOT_ACTIVE:
        return "the event's time lies outside the rule's active period";
    case RWD_RULE_WHERE_GEO:
        return "the player's geo is not one that the rule's where names";
    case RWD_RULE_WHERE_PLATFORM:
        return "the player's platform is not one that the rule's where names";
    case RWD_RULE_WHERE_PAYER:
        return "the rule's where asks for another payer flag";
    case RWD_RULE_WHERE_SEGMENT:
        return "the player is in no segment that the rule's where names";
    case RWD_RULE_WHERE_CURRENCY:
        return "the event's currency is not one that the rule's where names";
    case RWD_RULE_WHERE_WEEKDAY:
        return "the event's weekday (UTC) is not one that the rule's where names";
    case RWD_RULE_WHERE_HOUR:
        return "the event's hour (UTC) is not one that the rule's where names";
    case RWD_RULE_WHEN_FALSE:
        return "the rule's when function said no";
    case RWD_RULE_SCORE_ZERO:
        return "the rule's score for this event rounds down to 0 points";
    case RWD_RULE_CAPPED:
        return "a cap had nothing left for this event";
    case RWD_RULE_GRANT_NIL:
        return "the rule's grant function gave no reward for this event";
    case RWD_RULE_ERROR:
        return "the rule failed on this event; its effects were dropped";
    case RWD_RULE_SUSPENDED:
        return "the rule was suspended after too many failures and was not asked";
    case RWD_RULE_COUNTED:
        return "the rule gives no points of its own; it took the event into its aggregates or "
               "state";
    case RWD_RULE_OTHER_VERSION:
        return "another version of the rule is this player's";
    case RWD_RULE_WAITING:
        return "the rule decides in event time: it waits for what may still come before this event";
    case RWD_RULE_NOT_WAITING:
        return "the rule had not waited for this event";
    }
    return "unknown";
}

void rwd_query__put_explanation(enum rwd_rule_verdict verdict, const struct rwd_rule_effect *effect,
    struct rwd_text event_name, struct rwd_buffer *out)
{
    struct rwd_buffer text = {0};
    if (verdict == RWD_RULE_FIRED && effect != NULL && effect->points_raw > 0) {
        rwd_buffer_put_format(&text, "gave %" PRIu64 " points", effect->points);
        if (effect->cap != RWD_CAP_NONE) {
            rwd_buffer_put_format(&text, " of %" PRIu64 ": %s left no more", effect->points_raw,
                rwd_cap_name(effect->cap));
        }
    } else if (verdict == RWD_RULE_CAPPED && effect != NULL) {
        rwd_buffer_put_format(&text, "scored %" PRIu64 " points, but %s had nothing left",
            effect->points_raw, rwd_cap_name(effect->cap));
    } else {
        rwd_buffer_put_string(&text, words_of(verdict));
        if (verdict == RWD_RULE_WHEN_FALSE) {
            rwd_buffer_put_format(&text, " to this %.*s", RWD_TEXT_ARGS(event_name));
        }
    }
    for (size_t i = 0; effect != NULL && i < effect->milestone_count; i++) {
        rwd_buffer_put_format(&text, "%s%" PRIu64,
            i == 0 ? "; the total reached milestone " : " and ", effect->milestones[i]);
    }
    rwd_buffer_put_json(out, rwd_buffer_text(&text));
    rwd_buffer_finish(&text);
}

/* Which gate a reason belongs to; NULL: none. */
static const char *gate_of(enum rwd_task_reason reason)
{
    switch (reason) {
    case RWD_REASON_SELF_EXCLUDED:
    case RWD_REASON_COOL_OFF:
    case RWD_REASON_DEPOSIT_LIMIT:
        return "rg";
    case RWD_REASON_KYC_LEVEL:
        return "kyc";
    case RWD_REASON_GEO_UNKNOWN:
    case RWD_REASON_GEO_NOT_ALLOWED:
        return "geo";
    case RWD_REASON_BUDGET_HARD_CAP:
    case RWD_REASON_BUDGET_REVIEW:
    case RWD_REASON_BUDGET_UNKNOWN:
    case RWD_REASON_BUDGET_CURRENCY:
    case RWD_REASON_PRICE_UNKNOWN:
        return "budget";
    default:
        return NULL;
    }
}

static void put_field(const char *name, struct rwd_text text, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, ",\"%s\":", name);
    rwd_query__put_text(text, out);
}

static void put_string(const char *name, const char *text, struct rwd_buffer *out)
{
    put_field(name, text != NULL ? rwd_text_of(text) : (struct rwd_text){0}, out);
}

static void put_time(const char *name, int64_t time_ms, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, ",\"%s\":", name);
    rwd_query__put_time(time_ms, out);
}

/* ---- rules ---- */

struct telling {
    const struct rwd_query__teller *teller;
    const struct rwd_query__wanted *wanted;
    const struct rwd_decision *decision;
    struct rwd_text event_name;
    struct rwd_buffer *out;
    size_t rule_count;
};

static const struct rwd_rule_effect *effect_of(
    const struct rwd_decision *decision, uint32_t version_no)
{
    for (size_t i = 0; i < decision->effect_count; i++) {
        if (decision->effects[i].version_no == version_no) {
            return &decision->effects[i];
        }
    }
    return NULL;
}

static bool is_matched(enum rwd_rule_verdict verdict)
{
    return verdict == RWD_RULE_FIRED || verdict == RWD_RULE_CAPPED || verdict == RWD_RULE_COUNTED ||
           verdict == RWD_RULE_ERROR || verdict == RWD_RULE_WAITING;
}

static void put_rule(struct telling *telling, uint32_t version_no, enum rwd_rule_verdict verdict)
{
    const struct rwd_rule_effect *effect = effect_of(telling->decision, version_no);
    if (verdict == RWD_RULE_OTHER_VERSION || verdict == RWD_RULE_NOT_WAITING) {
        return; /* the player's own version, or the event's own decision, has it: named once */
    }
    if (!telling->wanted->whole && effect == NULL && !is_matched(verdict)) {
        return;
    }
    struct rwd_buffer *out = telling->out;
    const struct rwd_directory_entry *entry =
        rwd_directory_version(telling->teller->directory, version_no);
    rwd_buffer_put_string(out, telling->rule_count++ > 0 ? ",{\"rule_id\":" : "{\"rule_id\":");
    rwd_query__put_text(rwd_text_of(entry != NULL ? entry->rule_id : ""), out);
    put_string("version", entry != NULL ? entry->version : NULL, out);
    put_string("content_hash", entry != NULL ? entry->content_hash : NULL, out);
    put_string("verdict", rwd_rule_verdict_name(verdict), out);
    rwd_buffer_put_format(out, ",\"points_raw\":%" PRIu64 ",\"points\":%" PRIu64,
        effect != NULL ? effect->points_raw : 0, effect != NULL ? effect->points : 0);
    put_string("clipped_by",
        effect != NULL && effect->cap != RWD_CAP_NONE ? rwd_cap_name(effect->cap) : NULL, out);
    rwd_buffer_put_string(out, ",\"milestones\":[");
    for (size_t i = 0; effect != NULL && i < effect->milestone_count; i++) {
        rwd_buffer_put_format(out, "%s%" PRIu64, i > 0 ? "," : "", effect->milestones[i]);
    }
    rwd_buffer_put_char(out, ']');
    put_field("arm", effect != NULL ? effect->arm : (struct rwd_text){0}, out);
    rwd_buffer_put_string(out, ",\"explanation\":");
    rwd_query__put_explanation(verdict, effect, telling->event_name, out);
    rwd_buffer_put_char(out, '}');
}

/* The version numbers behind the verdicts, in their order; false: nobody knows them any more. */
static bool asked_versions(
    const struct telling *telling, struct rwd_json *json, const struct rwd_json_node **versions)
{
    const struct rwd_query__teller *teller = telling->teller;
    uint32_t rulebook_no = telling->decision->rulebook_no;
    struct rwd_text text = rwd_directory_rulebook(teller->directory, rulebook_no);
    if (text.data == NULL && rulebook_no != 0) {
        struct rwd_rulebook_row row;
        if (rwd_store_rulebook(teller->store, rulebook_no, teller->arena, &row, teller->error) ==
            RWD_OK) {
            text = row.versions;
        }
    }
    size_t consumed = 0;
    struct rwd_json_fault fault;
    if (text.size == 0 ||
        rwd_json_scan(text, &rulebook_limits, teller->arena, json, &consumed, &fault) != RWD_OK) {
        return false;
    }
    *versions = rwd_json_member(json, &json->nodes[0], telling->event_name);
    return *versions != NULL && (*versions)->type == RWD_JSON_ARRAY &&
           (*versions)->size == telling->decision->verdict_count;
}

static void put_rules(struct telling *telling)
{
    const struct rwd_decision *decision = telling->decision;
    struct rwd_json json;
    const struct rwd_json_node *versions = NULL;
    rwd_buffer_put_string(telling->out, ",\"rules\":[");
    if (asked_versions(telling, &json, &versions)) {
        const struct rwd_json_node *node = rwd_json_first(&json, versions);
        for (size_t i = 0; i < decision->verdict_count && node != NULL; i++) {
            int64_t version_no = 0;
            if (rwd_json_integer(node, &version_no) && version_no > 0 && version_no <= UINT32_MAX) {
                put_rule(
                    telling, (uint32_t)version_no, (enum rwd_rule_verdict)decision->verdicts[i]);
            }
            node = rwd_json_next(&json, versions, node);
        }
    } else {
        /* What was given is known from the record itself. */
        for (size_t i = 0; i < decision->effect_count; i++) {
            const struct rwd_rule_effect *effect = &decision->effects[i];
            bool capped = effect->points_raw > 0 && effect->points == 0;
            put_rule(telling, effect->version_no, capped ? RWD_RULE_CAPPED : RWD_RULE_FIRED);
        }
    }
    rwd_buffer_put_char(telling->out, ']');
}

/* ---- experiments ---- */

static void put_exposures(const struct telling *telling)
{
    struct rwd_buffer *out = telling->out;
    rwd_buffer_put_string(out, ",\"exposures\":[");
    for (size_t i = 0; i < telling->decision->exposure_count; i++) {
        const struct rwd_exposure *exposure = &telling->decision->exposures[i];
        const struct rwd_directory_entry *entry =
            rwd_directory_version(telling->teller->directory, exposure->version_no);
        rwd_buffer_put_string(out, i > 0 ? ",{\"experiment\":" : "{\"experiment\":");
        rwd_query__put_text(
            rwd_directory_experiment(telling->teller->directory, exposure->version_no), out);
        put_string("version", entry != NULL ? entry->version : NULL, out);
        put_field("arm", exposure->arm, out);
        put_field("stratum", exposure->stratum, out);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_char(out, ']');
}

/* ---- reward tasks ---- */

/* Pools are known by number in the journal and by name in the store. */
static void put_pool(
    const struct rwd_query__teller *teller, uint32_t pool_no, struct rwd_buffer *out)
{
    struct rwd_budget_row *budgets = NULL;
    struct rwd_budget_sum *sums = NULL;
    size_t budget_count = 0;
    size_t sum_count = 0;
    struct rwd_text pool_id = {0};
    if (pool_no != 0 && rwd_store_budgets(teller->store, teller->arena, &budgets, &budget_count,
                            &sums, &sum_count, teller->error) == RWD_OK) {
        for (size_t i = 0; i < budget_count; i++) {
            if (budgets[i].pool_no == pool_no) {
                pool_id = budgets[i].pool_id;
            }
        }
    }
    put_field("pool_id", pool_id, out);
}

static void put_state(
    enum rwd_task_status status, enum rwd_task_reason reason, struct rwd_buffer *out)
{
    put_string("status", rwd_task_status_name(status), out);
    put_string("reason", rwd_task_reason_name(reason), out);
    put_string("gate", gate_of(reason), out);
}

static void put_tasks(const struct telling *telling)
{
    struct rwd_buffer *out = telling->out;
    rwd_buffer_put_string(out, ",\"reward_tasks\":[");
    for (size_t i = 0; i < telling->decision->task_count; i++) {
        const struct rwd_task *task = &telling->decision->tasks[i];
        const struct rwd_directory_entry *entry =
            rwd_directory_version(telling->teller->directory, task->version_no);
        char id[RWD_TASK_ID_TEXT_SIZE];
        rwd_task_id_format(task->id, id);
        rwd_buffer_put_format(out, "%s{\"reward_task_id\":\"%s\"", i > 0 ? "," : "", id);
        put_string("rule_id", entry != NULL ? entry->rule_id : NULL, out);
        put_string("version", entry != NULL ? entry->version : NULL, out);
        if (task->threshold > 0) {
            rwd_buffer_put_format(out, ",\"threshold\":%" PRIu64, task->threshold);
        } else {
            rwd_buffer_put_string(out, ",\"threshold\":null");
        }
        put_string("schema_id", task->schema_id, out);
        put_field("experiment",
            rwd_directory_experiment(telling->teller->directory, task->experiment_version_no), out);
        put_string("arm", task->arm, out);
        rwd_buffer_put_string(out, ",\"reward\":");
        rwd_reward_put_json(&task->reward, out);
        put_pool(telling->teller, task->pool_no, out);
        rwd_buffer_put_string(out, ",\"cost\":\"");
        rwd_cost_put(&task->reward, out);
        rwd_buffer_put_char(out, '"');
        put_string("currency", task->reward.cost.currency.code, out);
        put_state(task->status, task->reason, out);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_string(out, "],\"task_changes\":[");
    for (size_t i = 0; i < telling->decision->change_count; i++) {
        const struct rwd_task_change *change = &telling->decision->changes[i];
        char id[RWD_TASK_ID_TEXT_SIZE];
        rwd_task_id_format(change->id, id);
        rwd_buffer_put_format(out, "%s{\"reward_task_id\":\"%s\"", i > 0 ? "," : "", id);
        put_state(change->status, change->reason, out);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_char(out, ']');
}

/* ---- records ---- */

static void put_until(const char *name, int64_t until_ms, struct rwd_buffer *out)
{
    if (until_ms == INT64_MAX) {
        /* No end was given: the last time RFC 3339 can write, as the player's own page has it. */
        put_string(name, "9999-12-31T23:59:59Z", out);
    } else {
        put_time(name, until_ms, out);
    }
}

static void put_profile(const struct rwd_profile *profile, struct rwd_buffer *out)
{
    if (profile == NULL) {
        rwd_buffer_put_string(out, ",\"profile_change\":null");
        return;
    }
    rwd_buffer_put_format(out, ",\"profile_change\":{\"kyc_level\":%u", profile->kyc_level);
    put_until("self_excluded_until", profile->self_excluded_until_ms, out);
    put_until("cool_off_until", profile->cool_off_until_ms, out);
    put_until("deposit_limit_until", profile->deposit_limit_until_ms, out);
    put_string("geo", profile->geo, out);
    put_string("platform", profile->platform, out);
    rwd_buffer_put_char(out, '}');
}

static bool is_other(struct rwd_text wanted, struct rwd_text found)
{
    return wanted.size > 0 && !rwd_text_equal(wanted, found);
}

/* An accepted event is a JSON document already; a refused one may be anything and is then text. */
static void put_raw(
    const struct rwd_query__teller *teller, struct rwd_text raw, struct rwd_buffer *out)
{
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    rwd_buffer_put_string(out, ",\"raw\":");
    if (rwd_json_scan(raw, &event_limits, teller->arena, &json, &consumed, &fault) == RWD_OK &&
        consumed == raw.size) {
        rwd_buffer_put_text(out, raw);
    } else {
        rwd_buffer_put_json(out, raw);
    }
}

/* The envelope, where the raw bytes are one; else what the record itself knows. */
static void read_envelope(const struct rwd_query__teller *teller, struct rwd_text raw,
    const struct rwd_query__wanted *wanted, struct rwd_event *event)
{
    struct rwd_json json;
    struct rwd_json_fault fault;
    struct rwd_problem problem;
    size_t consumed = 0;
    *event = (struct rwd_event){0};
    if (rwd_json_scan(raw, &event_limits, teller->arena, &json, &consumed, &fault) != RWD_OK ||
        rwd_event_read(raw, &json, teller->fingerprint_key, 0, event, &problem) != RWD_OK) {
        *event = (struct rwd_event){.event_id = wanted->event_id};
    }
}

/* As the tasks of the decision have it: schemas are known by both. */
static void put_schema_id(const struct rwd_event *event, struct rwd_buffer *out)
{
    struct rwd_buffer id = {0};
    if (event->name.size > 0) {
        rwd_buffer_put_format(
            &id, "%.*s/%.*s", RWD_TEXT_ARGS(event->name), RWD_TEXT_ARGS(event->version));
    }
    put_field("schema_id", rwd_buffer_text(&id), out);
    rwd_buffer_finish(&id);
}

static enum rwd_status put_event(const struct rwd_query__teller *teller,
    const struct rwd_record *record, const struct rwd_query__wanted *wanted, struct rwd_buffer *out)
{
    struct rwd_event_body body;
    struct rwd_decision decision;
    struct rwd_event event;
    enum rwd_status status = rwd_event_body_decode(record->body, &body);
    if (status != RWD_OK) {
        return status;
    }
    read_envelope(teller, body.raw, wanted, &event);
    if (is_other(wanted->event_id, event.event_id) || is_other(wanted->user_id, body.user_id)) {
        return RWD_NOT_FOUND;
    }
    status = rwd_decision_decode(body.decision, teller->arena, &decision);
    if (status != RWD_OK) {
        return status;
    }
    bool release = decision.release != RWD_RELEASE_NONE;
    rwd_buffer_put_format(out, "{\"type\":\"%s\",\"status\":\"%s\"", release ? "release" : "event",
        release ? "released" : "accepted");
    put_field("event_id", event.event_id, out);
    put_field("user_id", body.user_id, out);
    put_field("event_name", event.name, out);
    put_field("event_version", event.version, out);
    put_schema_id(&event, out);
    put_time("ts", decision.event_ms, out);
    if (release) {
        put_time("released_at", record->time_ms, out);
        put_string("cause", rwd_release_name(decision.release), out);
    } else {
        put_time("ingested_at", record->time_ms, out);
        rwd_buffer_put_format(out, ",\"late\":%s", decision.late ? "true" : "false");
    }
    rwd_buffer_put_format(out, ",\"rulebook_no\":%" PRIu32 ",\"sequence\":%" PRIu64,
        decision.rulebook_no, record->sequence);
    if (!release) {
        put_time("waits_until",
            decision.waits != NULL ? record->time_ms + teller->reorder_window_ms : 0, out);
    }
    struct telling telling = {.teller = teller,
        .wanted = wanted,
        .decision = &decision,
        .event_name = event.name,
        .out = out};
    put_rules(&telling);
    put_exposures(&telling);
    put_tasks(&telling);
    if (!release) {
        put_profile(decision.profile, out);
    }
    if (wanted->whole && !release) {
        put_raw(teller, body.raw, out);
    }
    rwd_buffer_put_char(out, '}');
    return RWD_OK;
}

static enum rwd_status put_refused(const struct rwd_query__teller *teller,
    const struct rwd_record *record, const struct rwd_query__wanted *wanted, struct rwd_buffer *out)
{
    struct rwd_dead_letter_row row;
    enum rwd_status status = rwd_dead_letter_decode(record->body, &row);
    if (status != RWD_OK) {
        return status;
    }
    if (is_other(wanted->event_id, row.reference) || is_other(wanted->user_id, row.user_id)) {
        return RWD_NOT_FOUND;
    }
    struct rwd_event event;
    read_envelope(teller, row.body, wanted, &event);
    rwd_buffer_put_string(out, "{\"type\":\"event\",\"status\":\"rejected\"");
    put_field("event_id", row.reference, out);
    put_field("user_id", row.user_id, out);
    put_field("event_name", event.name, out);
    put_field("event_version", event.version, out);
    put_string("schema_id", NULL, out);
    put_time("ts", event.time_ms, out);
    put_time("ingested_at", row.created_ms, out);
    rwd_buffer_put_format(out, ",\"late\":%s,\"rulebook_no\":null,\"sequence\":%" PRIu64,
        rwd_text_is(row.reason, "late") ? "true" : "false", record->sequence);
    put_field("dead_letter_id", row.letter_id, out);
    rwd_buffer_put_string(out, ",\"problem\":{\"type\":");
    rwd_buffer_put_json(out, row.reason);
    rwd_buffer_put_string(out, ",\"title\":\"Event rejected\",\"status\":422");
    put_field("detail", row.detail, out);
    rwd_buffer_put_string(out, ",\"errors\":[{\"pointer\":");
    rwd_buffer_put_json(out, row.pointer);
    put_field("detail", row.detail, out);
    rwd_buffer_put_string(out,
        "}]},\"rules\":[],\"exposures\":[],\"reward_tasks\":[],\"task_changes\":[],"
        "\"profile_change\":null");
    if (wanted->whole) {
        put_raw(teller, row.body, out);
    }
    rwd_buffer_put_char(out, '}');
    return RWD_OK;
}

static enum rwd_status put_command(const struct rwd_query__teller *teller,
    const struct rwd_record *record, const struct rwd_query__wanted *wanted, struct rwd_buffer *out)
{
    struct rwd_task_body body;
    struct rwd_decision decision;
    enum rwd_status status = rwd_task_body_decode(record->body, &body);
    if (status == RWD_OK &&
        (wanted->event_id.size > 0 || is_other(wanted->user_id, body.user_id))) {
        return RWD_NOT_FOUND;
    }
    if (status == RWD_OK) {
        status = rwd_decision_decode(body.decision, teller->arena, &decision);
    }
    if (status != RWD_OK) {
        return status;
    }
    char id[RWD_TASK_ID_TEXT_SIZE];
    rwd_task_id_format(body.command.id, id);
    rwd_buffer_put_format(out, "{\"type\":\"task\",\"reward_task_id\":\"%s\"", id);
    put_field("user_id", body.user_id, out);
    put_string("command", rwd_task_command_name(body.command.kind), out);
    put_time("at", record->time_ms, out);
    rwd_buffer_put_format(out, ",\"sequence\":%" PRIu64, record->sequence);
    if (decision.change_count > 0) {
        put_state(decision.changes[0].status, decision.changes[0].reason, out);
        rwd_buffer_put_format(out, ",\"attempts\":%" PRIu32, decision.changes[0].attempts);
    } else if (decision.task_count > 0) {
        put_state(decision.tasks[0].status, decision.tasks[0].reason, out);
        rwd_buffer_put_format(out, ",\"attempts\":%" PRIu32, decision.tasks[0].attempts);
    }
    put_field("actor", body.command.actor, out);
    put_field("note", body.command.note, out);
    put_field("endpoint", body.command.endpoint, out);
    if (body.command.http_status > 0) {
        rwd_buffer_put_format(out, ",\"http_status\":%" PRId64, body.command.http_status);
    } else {
        rwd_buffer_put_string(out, ",\"http_status\":null");
    }
    rwd_buffer_put_char(out, '}');
    return RWD_OK;
}

static enum rwd_status put_letter_change(
    const struct rwd_record *record, const struct rwd_query__wanted *wanted, struct rwd_buffer *out)
{
    struct rwd_dead_letter_row row;
    enum rwd_status status = rwd_dead_letter_decode(record->body, &row);
    if (status == RWD_OK && (wanted->event_id.size > 0 || is_other(wanted->user_id, row.user_id))) {
        status = RWD_NOT_FOUND;
    }
    if (status != RWD_OK) {
        return status;
    }
    rwd_buffer_put_string(out, "{\"type\":\"dead_letter\",\"dead_letter_id\":");
    rwd_buffer_put_json(out, row.letter_id);
    put_field("user_id", row.user_id, out);
    put_time("at", record->time_ms, out);
    rwd_buffer_put_format(out, ",\"sequence\":%" PRIu64, record->sequence);
    put_field("status", row.status, out);
    put_field("detail", row.detail, out);
    rwd_buffer_put_char(out, '}');
    return RWD_OK;
}

enum rwd_status rwd_query__put_record(const struct rwd_query__teller *teller,
    const struct rwd_record *record, const struct rwd_query__wanted *wanted, struct rwd_buffer *out)
{
    switch (record->type) {
    case RWD_RECORD_EVENT:
    case RWD_RECORD_RELEASE:
        return put_event(teller, record, wanted, out);
    case RWD_RECORD_DEAD_LETTER:
        return put_refused(teller, record, wanted, out);
    case RWD_RECORD_TASK:
        return put_command(teller, record, wanted, out);
    case RWD_RECORD_DEAD_LETTER_CHANGE:
        return put_letter_change(record, wanted, out);
    default:
        return RWD_NOT_FOUND;
    }
}
