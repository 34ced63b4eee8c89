#include "ctl/record_text.h"

#include "base/clock.h"
#include "base/memory.h"
#include "ctl/api.h"
#include "domain/rule_kind.h"
#include "engine/directory.h"
#include "engine/records.h"
#include "engine/task_text.h"

#include <cjson/cJSON.h>
#include <string.h>

enum { ARENA_CHUNK_SIZE = 64 << 10, ARENA_SIZE_MAX = 64 << 20 };

struct rwd_record_text {
    struct rwd_record_filter filter;
    struct rwd_directory *names;
    struct rwd_arena arena;       /* of one record */
    struct rwd_task_id *task_ids; /* made by the event of the filter */
    size_t task_id_count;
    size_t task_id_capacity;
};

struct rwd_record_text *rwd_record_text_create(const struct rwd_record_filter *filter)
{
    struct rwd_record_text *text = rwd_new(sizeof *text);
    text->filter = *filter;
    text->names = rwd_directory_create();
    rwd_arena_init(&text->arena, ARENA_CHUNK_SIZE, ARENA_SIZE_MAX);
    return text;
}

void rwd_record_text_destroy(struct rwd_record_text *text)
{
    if (text == NULL) {
        return;
    }
    rwd_directory_destroy(text->names);
    rwd_arena_finish(&text->arena);
    rwd_free(text->task_ids);
    rwd_free(text);
}

static const char *type_name(uint8_t type)
{
    static const char *const names[] = {[RWD_RECORD_SEAL] = "seal",
        [RWD_RECORD_EVENT] = "event",
        [RWD_RECORD_TASK] = "task",
        [RWD_RECORD_DEAD_LETTER] = "dead_letter",
        [RWD_RECORD_DEAD_LETTER_CHANGE] = "dead_letter_change",
        [RWD_RECORD_BUDGET] = "budget",
        [RWD_RECORD_RULE] = "rule",
        [RWD_RECORD_RULEBOOK] = "rulebook",
        [RWD_RECORD_RELEASE] = "release"};
    return type < sizeof names / sizeof names[0] && names[type] != NULL ? names[type] : "unknown";
}

/* ---- filter ---- */

static bool wants_user(const struct rwd_record_text *text, struct rwd_text user_id)
{
    return text->filter.user_id == NULL || rwd_text_is(user_id, text->filter.user_id);
}

static bool wants_all(const struct rwd_record_text *text)
{
    return text->filter.user_id == NULL && text->filter.event_id == NULL;
}

static void remember_tasks(struct rwd_record_text *text, const struct rwd_decision *decision)
{
    for (size_t i = 0; i < decision->task_count; i++) {
        text->task_ids = rwd_room_for(
            text->task_ids, text->task_id_count, &text->task_id_capacity, sizeof text->task_ids[0]);
        text->task_ids[text->task_id_count++] = decision->tasks[i].id;
    }
}

static bool remembers_task(const struct rwd_record_text *text, struct rwd_task_id id)
{
    for (size_t i = 0; i < text->task_id_count; i++) {
        if (rwd_task_id_equal(text->task_ids[i], id)) {
            return true;
        }
    }
    return false;
}

/* ---- pieces ---- */

static void put_name(struct rwd_buffer *out, const char *name)
{
    rwd_buffer_put_format(out, ",\"%s\":", name);
}

static void put_text(struct rwd_buffer *out, const char *name, struct rwd_text value)
{
    put_name(out, name);
    rwd_buffer_put_json(out, value);
}

static void put_string(struct rwd_buffer *out, const char *name, const char *value)
{
    put_text(out, name, rwd_text_of(value));
}

static void put_number(struct rwd_buffer *out, const char *name, int64_t value)
{
    put_name(out, name);
    rwd_buffer_put_i64(out, value);
}

static void put_time(struct rwd_buffer *out, const char *name, int64_t time_ms)
{
    char text[RWD_TIME_TEXT_SIZE];
    rwd_time_format(time_ms, text);
    put_string(out, name, text);
}

static void put_head(const struct rwd_record *record, struct rwd_buffer *out)
{
    rwd_buffer_put_format(out, "{\"position\":%llu,\"sequence\":%llu",
        (unsigned long long)record->position, (unsigned long long)record->sequence);
    put_string(out, "type", type_name(record->type));
    put_time(out, "time", record->time_ms);
}

/* JSON that came from outside on one line: it holds line ends between its tokens only. */
static void put_raw_json(struct rwd_buffer *out, struct rwd_text raw)
{
    for (size_t i = 0; i < raw.size; i++) {
        bool is_line_end = raw.data[i] == '\n' || raw.data[i] == '\r';
        rwd_buffer_put_char(out, is_line_end ? ' ' : raw.data[i]);
    }
}

/* "rule_id":..,"version":.. where the journal named them, else the numbers. */
static void put_version(
    const struct rwd_record_text *text, uint32_t version_no, struct rwd_buffer *out)
{
    const struct rwd_directory_entry *entry = rwd_directory_version(text->names, version_no);
    if (entry == NULL) {
        rwd_buffer_put_format(out, "\"version_no\":%u", version_no);
        return;
    }
    rwd_buffer_put_string(out, "\"rule_id\":");
    rwd_buffer_put_json(out, rwd_text_of(entry->rule_id));
    put_string(out, "version", entry->version);
}

/* ---- decision ---- */

static void put_effects(
    const struct rwd_record_text *text, const struct rwd_decision *decision, struct rwd_buffer *out)
{
    put_name(out, "points");
    rwd_buffer_put_char(out, '[');
    for (size_t i = 0; i < decision->effect_count; i++) {
        const struct rwd_rule_effect *effect = &decision->effects[i];
        rwd_buffer_put_string(out, i > 0 ? ",{" : "{");
        put_version(text, effect->version_no, out);
        put_number(out, "points_raw", (int64_t)effect->points_raw);
        put_number(out, "points", (int64_t)effect->points);
        if (effect->cap != RWD_CAP_NONE) {
            put_string(out, "clipped_by", rwd_cap_name(effect->cap));
        }
        if (effect->arm.size > 0) {
            put_text(out, "arm", effect->arm);
        }
        rwd_buffer_put_string(out, ",\"milestones\":[");
        for (size_t k = 0; k < effect->milestone_count; k++) {
            rwd_buffer_put_string(out, k > 0 ? "," : "");
            rwd_buffer_put_u64(out, effect->milestones[k]);
        }
        rwd_buffer_put_string(out, "]}");
    }
    rwd_buffer_put_char(out, ']');
}

/* Whose verdict each byte is: the rulebook in force says, by event name. */
static void put_verdicts(const struct rwd_record_text *text, const struct rwd_decision *decision,
    const char *event_name, struct rwd_buffer *out)
{
    struct rwd_text versions = rwd_directory_rulebook(text->names, decision->rulebook_no);
    struct cJSON *rulebook =
        versions.data != NULL ? cJSON_ParseWithLength(versions.data, versions.size) : NULL;
    const struct cJSON *asked = rwd_ctl_member(rulebook, event_name);
    put_name(out, "verdicts");
    rwd_buffer_put_char(out, '[');
    for (size_t i = 0; i < decision->verdict_count; i++) {
        const struct cJSON *version_no = cJSON_GetArrayItem(asked, (int)i);
        rwd_buffer_put_string(out, i > 0 ? ",{" : "{");
        if (cJSON_IsNumber(version_no)) {
            put_version(text, (uint32_t)cJSON_GetNumberValue(version_no), out);
        } else {
            rwd_buffer_put_format(out, "\"place\":%zu", i);
        }
        put_string(
            out, "verdict", rwd_rule_verdict_name((enum rwd_rule_verdict)decision->verdicts[i]));
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_char(out, ']');
    cJSON_Delete(rulebook);
}

static void put_exposures(
    const struct rwd_record_text *text, const struct rwd_decision *decision, struct rwd_buffer *out)
{
    put_name(out, "exposures");
    rwd_buffer_put_char(out, '[');
    for (size_t i = 0; i < decision->exposure_count; i++) {
        const struct rwd_exposure *exposure = &decision->exposures[i];
        const struct rwd_directory_entry *entry =
            rwd_directory_version(text->names, exposure->version_no);
        rwd_buffer_put_string(out, i > 0 ? ",{" : "{");
        rwd_buffer_put_format(out, "\"version_no\":%u", exposure->version_no);
        if (entry != NULL) {
            put_text(out, "experiment", rwd_rule_bare_id(entry->rule_id));
            put_string(out, "version", entry->version);
        }
        put_text(out, "arm", exposure->arm);
        put_text(out, "stratum", exposure->stratum);
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_char(out, ']');
}

static void put_tasks(
    const struct rwd_record_text *text, const struct rwd_decision *decision, struct rwd_buffer *out)
{
    put_name(out, "reward_tasks");
    rwd_buffer_put_char(out, '[');
    for (size_t i = 0; i < decision->task_count; i++) {
        const struct rwd_task *task = &decision->tasks[i];
        char id[RWD_TASK_ID_TEXT_SIZE];
        rwd_task_id_format(task->id, id);
        rwd_buffer_put_format(out, "%s{\"reward_task_id\":\"%s\",", i > 0 ? "," : "", id);
        put_version(text, task->version_no, out);
        put_number(out, "threshold", (int64_t)task->threshold);
        if (task->schema_id[0] != '\0') {
            put_string(out, "schema_id", task->schema_id);
        }
        if (task->arm[0] != '\0') {
            put_text(out, "experiment",
                rwd_directory_experiment(text->names, task->experiment_version_no));
            put_string(out, "arm", task->arm);
        }
        put_name(out, "reward");
        rwd_reward_put_json(&task->reward, out);
        put_name(out, "cost");
        rwd_buffer_put_char(out, '"');
        rwd_cost_put(&task->reward, out);
        rwd_buffer_put_char(out, '"');
        put_string(out, "status", rwd_task_status_name(task->status));
        put_string(out, "reason", rwd_task_reason_name(task->reason));
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_char(out, ']');
}

static void put_changes(const struct rwd_decision *decision, struct rwd_buffer *out)
{
    put_name(out, "changes");
    rwd_buffer_put_char(out, '[');
    for (size_t i = 0; i < decision->change_count; i++) {
        const struct rwd_task_change *change = &decision->changes[i];
        char id[RWD_TASK_ID_TEXT_SIZE];
        rwd_task_id_format(change->id, id);
        rwd_buffer_put_format(out, "%s{\"reward_task_id\":\"%s\"", i > 0 ? "," : "", id);
        put_string(out, "status", rwd_task_status_name(change->status));
        put_string(out, "reason", rwd_task_reason_name(change->reason));
        put_number(out, "attempts", change->attempts);
        if (change->next_attempt_ms > 0) {
            put_time(out, "next_attempt_at", change->next_attempt_ms);
        }
        if (change->payout_id[0] != '\0') {
            put_string(out, "payout_id", change->payout_id);
        }
        rwd_buffer_put_char(out, '}');
    }
    rwd_buffer_put_char(out, ']');
}

/* ---- records ---- */

static enum rwd_status put_event(
    struct rwd_record_text *text, const struct rwd_record *record, struct rwd_buffer *out)
{
    struct rwd_event_body body;
    struct rwd_decision decision;
    if (rwd_event_body_decode(record->body, &body) != RWD_OK) {
        return RWD_CORRUPT;
    }
    if (!wants_user(text, body.user_id)) {
        return RWD_OK;
    }
    if (rwd_decision_decode(body.decision, &text->arena, &decision) != RWD_OK) {
        return RWD_CORRUPT;
    }
    struct cJSON *event = cJSON_ParseWithLength(body.raw.data, body.raw.size);
    const char *event_id = rwd_ctl_string(event, "event_id");
    if (text->filter.event_id == NULL || strcmp(event_id, text->filter.event_id) == 0) {
        if (text->filter.event_id != NULL) {
            remember_tasks(text, &decision);
        }
        put_head(record, out);
        put_text(out, "user_id", body.user_id);
        put_name(out, "event");
        if (event != NULL) {
            put_raw_json(out, body.raw);
        } else {
            rwd_buffer_put_json(out, body.raw);
        }
        if (decision.late) {
            rwd_buffer_put_string(out, ",\"late\":true");
        }
        if (decision.release != RWD_RELEASE_NONE) {
            put_string(out, "cause", rwd_release_name(decision.release));
        }
        put_number(out, "rulebook", decision.rulebook_no);
        put_effects(text, &decision, out);
        put_verdicts(text, &decision, rwd_ctl_string(event, "event_name"), out);
        if (decision.exposure_count > 0) {
            put_exposures(text, &decision, out);
        }
        put_tasks(text, &decision, out);
        put_changes(&decision, out);
        rwd_buffer_put_string(out, "}\n");
    }
    cJSON_Delete(event);
    return RWD_OK;
}

static enum rwd_status put_task(
    struct rwd_record_text *text, const struct rwd_record *record, struct rwd_buffer *out)
{
    struct rwd_task_body body;
    struct rwd_decision decision;
    if (rwd_task_body_decode(record->body, &body) != RWD_OK ||
        rwd_decision_decode(body.decision, &text->arena, &decision) != RWD_OK) {
        return RWD_CORRUPT;
    }
    const struct rwd_task_command *command = &body.command;
    if (!wants_user(text, body.user_id) ||
        (text->filter.event_id != NULL && !remembers_task(text, command->id))) {
        return RWD_OK;
    }
    char id[RWD_TASK_ID_TEXT_SIZE];
    rwd_task_id_format(command->id, id);
    put_head(record, out);
    put_text(out, "user_id", body.user_id);
    put_string(out, "reward_task_id", id);
    put_string(out, "command", rwd_task_command_name(command->kind));
    put_number(out, "attempt", command->attempt);
    put_text(out, "who", command->actor);
    put_text(out, "why", command->note);
    if (command->endpoint.size > 0) {
        put_text(out, "endpoint", command->endpoint);
        put_number(out, "http_status", command->http_status);
    }
    put_changes(&decision, out);
    rwd_buffer_put_string(out, "}\n");
    return RWD_OK;
}

static enum rwd_status put_dead_letter(
    struct rwd_record_text *text, const struct rwd_record *record, struct rwd_buffer *out)
{
    struct rwd_dead_letter_row row = {0};
    if (rwd_dead_letter_decode(record->body, &row) != RWD_OK) {
        return RWD_CORRUPT;
    }
    if (!wants_user(text, row.user_id) ||
        (text->filter.event_id != NULL && !rwd_text_is(row.reference, text->filter.event_id))) {
        return RWD_OK;
    }
    put_head(record, out);
    put_text(out, "user_id", row.user_id);
    put_text(out, "dead_letter_id", row.letter_id);
    put_text(out, "lane", row.lane);
    put_text(out, "reason", row.reason);
    put_text(out, "pointer", row.pointer);
    put_text(out, "detail", row.detail);
    put_text(out, "reference", row.reference);
    put_text(out, "status", row.status);
    put_number(out, "attempts", row.attempts);
    put_text(out, "body", row.body);
    rwd_buffer_put_string(out, "}\n");
    return RWD_OK;
}

static enum rwd_status put_budget(
    struct rwd_record_text *text, const struct rwd_record *record, struct rwd_buffer *out)
{
    struct rwd_budget_row row = {0};
    if (rwd_budget_decode(record->body, &row) != RWD_OK) {
        return RWD_CORRUPT;
    }
    if (!wants_all(text)) {
        return RWD_OK;
    }
    struct rwd_currency currency = {0};
    char caps[2][RWD_MONEY_TEXT_SIZE];
    if (rwd_currency_parse(row.currency, &currency) != RWD_OK) {
        return RWD_CORRUPT;
    }
    rwd_money_format(row.hard_cap_minor, currency, caps[0]);
    rwd_money_format(row.soft_cap_minor, currency, caps[1]);
    put_head(record, out);
    put_text(out, "pool_id", row.pool_id);
    put_text(out, "currency", row.currency);
    put_text(out, "period", row.period);
    put_string(out, "hard_cap", caps[0]);
    put_string(out, "soft_cap", caps[1]);
    put_text(out, "who", row.actor);
    put_text(out, "why", row.reason);
    rwd_buffer_put_string(out, "}\n");
    return RWD_OK;
}

/* Learns the name behind a version's number; a later record of it only changes its state. */
static void learn_version(struct rwd_record_text *text, const struct rwd_rule_version_row *row)
{
    struct rwd_directory_entry entry = {.rule_no = row->rule_no, .version_no = row->version_no};
    bool fits = row->rule_id.size < sizeof entry.rule_id &&
                row->version.size < sizeof entry.version &&
                row->content_hash.size < sizeof entry.content_hash;
    if (!fits || row->version_no != rwd_directory_count(text->names) + 1) {
        return;
    }
    memcpy(entry.rule_id, row->rule_id.data, row->rule_id.size);
    memcpy(entry.version, row->version.data, row->version.size);
    memcpy(entry.content_hash, row->content_hash.data, row->content_hash.size);
    /* LIMIT: more versions than it holds; then their numbers are printed. */
    if (rwd_directory_add(text->names, &entry) != RWD_OK) {
        return;
    }
}

static enum rwd_status put_rule(
    struct rwd_record_text *text, const struct rwd_record *record, struct rwd_buffer *out)
{
    struct rwd_rule_version_row row = {0};
    if (rwd_rule_version_decode(record->body, &row) != RWD_OK) {
        return RWD_CORRUPT;
    }
    learn_version(text, &row);
    if (!wants_all(text)) {
        return RWD_OK;
    }
    put_head(record, out);
    put_text(out, "rule_id", row.rule_id);
    put_text(out, "version", row.version);
    put_text(out, "state", row.state);
    put_number(out, "version_no", row.version_no);
    put_text(out, "content_hash", row.content_hash);
    put_text(out, "source_name", row.source_name);
    put_text(out, "who", row.actor);
    put_text(out, "why", row.reason);
    rwd_buffer_put_string(out, "}\n");
    return RWD_OK;
}

/* Whose state is new, and what it is. */
static enum rwd_status put_new_states(
    struct rwd_record_text *text, struct rwd_text changes, struct rwd_buffer *out)
{
    struct rwd_rulebook_change change;
    bool first = true;
    put_name(out, "changes");
    rwd_buffer_put_char(out, '[');
    enum rwd_status status = rwd_rulebook_next_change(&changes, &change);
    while (status == RWD_OK) {
        rwd_buffer_put_string(out, first ? "{" : ",{");
        first = false;
        put_version(text, change.version_no, out);
        put_text(out, "state", change.state);
        put_number(out, "share", change.share);
        if (change.ramp.size > 0) {
            put_name(out, "ramp");
            rwd_buffer_put_text(out, change.ramp);
        }
        rwd_buffer_put_char(out, '}');
        status = rwd_rulebook_next_change(&changes, &change);
    }
    rwd_buffer_put_char(out, ']');
    return status == RWD_NOT_FOUND ? RWD_OK : status;
}

static enum rwd_status put_rulebook(
    struct rwd_record_text *text, const struct rwd_record *record, struct rwd_buffer *out)
{
    struct rwd_rulebook_row row = {0};
    if (rwd_rulebook_decode(record->body, &row) != RWD_OK) {
        return RWD_CORRUPT;
    }
    rwd_directory_add_rulebook(text->names, row.rulebook_no, row.versions);
    if (!wants_all(text)) {
        return RWD_OK;
    }
    struct cJSON *versions = cJSON_ParseWithLength(row.versions.data, row.versions.size);
    const struct cJSON *event = NULL;
    put_head(record, out);
    put_number(out, "rulebook", row.rulebook_no);
    rwd_buffer_put_string(out, ",\"rules\":{");
    cJSON_ArrayForEach(event, versions)
    {
        rwd_buffer_put_string(out, event == versions->child ? "" : ",");
        rwd_buffer_put_json(out, rwd_text_of(event->string));
        rwd_buffer_put_string(out, ":[");
        const struct cJSON *version_no = NULL;
        cJSON_ArrayForEach(version_no, event)
        {
            rwd_buffer_put_string(out, version_no == event->child ? "{" : ",{");
            put_version(text, (uint32_t)cJSON_GetNumberValue(version_no), out);
            rwd_buffer_put_char(out, '}');
        }
        rwd_buffer_put_char(out, ']');
    }
    rwd_buffer_put_char(out, '}');
    cJSON_Delete(versions);
    enum rwd_status status = put_new_states(text, row.changes, out);
    put_text(out, "who", row.actor);
    put_text(out, "why", row.reason);
    rwd_buffer_put_string(out, "}\n");
    return status;
}

static enum rwd_status put_record(
    struct rwd_record_text *text, const struct rwd_record *record, struct rwd_buffer *out)
{
    switch ((enum rwd_record_type)record->type) {
    case RWD_RECORD_EVENT:
    case RWD_RECORD_RELEASE:
        return put_event(text, record, out);
    case RWD_RECORD_TASK:
        return put_task(text, record, out);
    case RWD_RECORD_DEAD_LETTER:
    case RWD_RECORD_DEAD_LETTER_CHANGE:
        return put_dead_letter(text, record, out);
    case RWD_RECORD_BUDGET:
        return put_budget(text, record, out);
    case RWD_RECORD_RULE:
        return put_rule(text, record, out);
    case RWD_RECORD_RULEBOOK:
        return put_rulebook(text, record, out);
    case RWD_RECORD_SEAL:
        break;
    }
    if (wants_all(text)) {
        put_head(record, out);
        put_number(out, "type_no", record->type);
        rwd_buffer_put_string(out, "}\n");
    }
    return RWD_OK;
}

enum rwd_status rwd_record_text_put(struct rwd_record_text *text, const struct rwd_record *record,
    struct rwd_buffer *out, struct rwd_error *error)
{
    size_t before = out->size;
    rwd_arena_reset(&text->arena, ARENA_CHUNK_SIZE);
    enum rwd_status status = put_record(text, record, out);
    if (status != RWD_OK || record->time_ms < text->filter.since_ms) {
        out->size = before;
    }
    if (status != RWD_OK) {
        return rwd_fail(error, RWD_CORRUPT,
            "the record at position %llu is no %s as this rewardctl knows it: was the journal "
            "written by another version?",
            (unsigned long long)record->position, type_name(record->type));
    }
    return RWD_OK;
}
