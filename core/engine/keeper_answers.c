#include "engine/keeper_answers.h"

#include "base/clock.h"

#include <string.h>

void rwd_keeper_put_version(const struct rwd_keeper_version *version, struct rwd_buffer *out)
{
    char since[RWD_TIME_TEXT_SIZE];
    char registered[RWD_TIME_TEXT_SIZE];
    rwd_time_format(version->since_ms, since);
    rwd_time_format(version->registered_ms, registered);
    rwd_buffer_put_format(out,
        "{\"rule_id\":\"%s\",\"version\":\"%s\",\"state\":\"%s\",\"share\":%d,"
        "\"content_hash\":\"%s\",\"since\":\"%s\",\"registered_at\":\"%s\",\"file\":",
        version->names.rule_id, version->names.version, rwd_keeper_state_name(version->state),
        version->state == RWD_KEEPER_ACTIVE ? 100 : 0, version->names.content_hash, since,
        registered);
    rwd_buffer_put_json(out, rwd_text_of(version->source_name));
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

bool rwd_keeper_put_rule(
    const struct rwd_keeper_versions *versions, struct rwd_text rule_id, struct rwd_buffer *out)
{
    const char *active = NULL;
    size_t found = 0;
    size_t begin = out->size;
    rwd_buffer_put_string(out, "{\"rule_id\":");
    rwd_buffer_put_json(out, rule_id);
    rwd_buffer_put_string(out, ",\"versions\":[");
    for (size_t i = 0; i < versions->count; i++) {
        if (rwd_text_is(rule_id, versions->all[i].names.rule_id)) {
            rwd_buffer_put_string(out, found++ == 0 ? "" : ",");
            rwd_keeper_put_version(&versions->all[i], out);
            if (rwd_keeper_in_force(versions->all[i].state)) {
                active = versions->all[i].names.version;
            }
        }
    }
    if (found == 0) {
        out->size = begin;
        return false;
    }
    rwd_buffer_put_string(out, "],\"active_version\":");
    if (active != NULL) {
        rwd_buffer_put_format(out, "\"%s\"}", active);
    } else {
        rwd_buffer_put_string(out, "null}");
    }
    return true;
}

void rwd_keeper_put_rules(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_error *errors, size_t error_count, struct rwd_buffer *out)
{
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
            (void)rwd_keeper_put_rule(versions, rwd_text_of(versions->all[i].names.rule_id), out);
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
    rwd_buffer_put_string(out, "],\"next_cursor\":null}");
}
