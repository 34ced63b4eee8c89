#include "engine/keeper_versions.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {
    "draft", "shadow", "canary", "active", "retired", "suspended"};

const char *rwd_keeper_state_name(enum rwd_keeper_state state)
{
    return (unsigned)state <= RWD_KEEPER_SUSPENDED ? state_names[state] : "unknown";
}

/* What is not known is a draft: it decides nothing. */
static enum rwd_keeper_state parse_state(struct rwd_text name)
{
    for (int i = RWD_KEEPER_DRAFT; i <= RWD_KEEPER_SUSPENDED; i++) {
        if (rwd_text_is(name, state_names[i])) {
            return (enum rwd_keeper_state)i;
        }
    }
    return RWD_KEEPER_DRAFT;
}

bool rwd_keeper_in_force(const struct rwd_keeper_version *version)
{
    return version->state == RWD_KEEPER_SHADOW || version->state == RWD_KEEPER_CANARY ||
           version->state == RWD_KEEPER_ACTIVE ||
           (version->state == RWD_KEEPER_SUSPENDED && version->share > 0);
}

enum rwd_rulebook_role rwd_keeper_role(const struct rwd_keeper_version *version)
{
    return version->state == RWD_KEEPER_SHADOW   ? RWD_RULEBOOK_SHADOW
           : version->state == RWD_KEEPER_CANARY ? RWD_RULEBOOK_CANARY
                                                 : RWD_RULEBOOK_ACTIVE;
}

void rwd_keeper_versions_finish(struct rwd_keeper_versions *versions)
{
    for (size_t i = 0; i < versions->count; i++) {
        rwd_shared_rule_release(versions->all[i].shared);
        rwd_free(versions->all[i].source);
        rwd_free(versions->all[i].source_name);
        rwd_free(versions->all[i].actor);
        rwd_free(versions->all[i].reason);
    }
    rwd_free(versions->all);
    *versions = (struct rwd_keeper_versions){0};
}

/* ---- finding ---- */

struct rwd_keeper_version *rwd_keeper_version_find(
    const struct rwd_keeper_versions *versions, struct rwd_text rule_id, struct rwd_text version)
{
    for (size_t i = 0; i < versions->count; i++) {
        if (rwd_text_is(rule_id, versions->all[i].names.rule_id) &&
            rwd_text_is(version, versions->all[i].names.version)) {
            return &versions->all[i];
        }
    }
    return NULL;
}

uint32_t rwd_keeper_rule_no(const struct rwd_keeper_versions *versions, struct rwd_text rule_id)
{
    for (size_t i = 0; i < versions->count; i++) {
        if (rwd_text_is(rule_id, versions->all[i].names.rule_id)) {
            return versions->all[i].names.rule_no;
        }
    }
    return 0;
}

struct rwd_keeper_version *rwd_keeper_in_role(
    const struct rwd_keeper_versions *versions, uint32_t rule_no, enum rwd_rulebook_role role)
{
    for (size_t i = 0; i < versions->count; i++) {
        struct rwd_keeper_version *version = &versions->all[i];
        if (version->names.rule_no == rule_no && rwd_keeper_in_force(version) &&
            rwd_keeper_role(version) == role) {
            return version;
        }
    }
    return NULL;
}

/* ---- adding ---- */

static struct rwd_keeper_version *add(struct rwd_keeper_versions *versions)
{
    versions->all =
        rwd_room_for(versions->all, versions->count, &versions->capacity, sizeof *versions->all);
    struct rwd_keeper_version *version = &versions->all[versions->count++];
    *version = (struct rwd_keeper_version){0};
    return version;
}

struct rwd_keeper_version *rwd_keeper_version_add(struct rwd_keeper_versions *versions,
    struct rwd_rule **rule, struct rwd_text source, const char *source_name, int64_t now_ms)
{
    uint32_t rule_no = rwd_keeper_rule_no(versions, rwd_text_of((*rule)->id));
    struct rwd_keeper_version *version = add(versions);
    struct rwd_directory_entry *names = &version->names;
    names->rule_no = rule_no != 0 ? rule_no : ++versions->rule_count;
    names->version_no = (uint32_t)versions->count;
    (void)snprintf(names->rule_id, sizeof names->rule_id, "%s", (*rule)->id);
    (void)snprintf(names->version, sizeof names->version, "%s", (*rule)->version);
    struct rwd_buffer hash = {0};
    rwd_buffer_put_hex(&hash, (*rule)->content_hash, sizeof(*rule)->content_hash);
    (void)snprintf(
        names->content_hash, sizeof names->content_hash, "%s", rwd_buffer_c_string(&hash));
    rwd_buffer_finish(&hash);
    version->source = rwd_copy(source.data, source.size);
    version->source_size = source.size;
    version->source_name = rwd_copy(source_name, strlen(source_name));
    version->registered_ms = now_ms;
    version->since_ms = now_ms;
    version->state = RWD_KEEPER_DRAFT;
    (*rule)->rule_no = names->rule_no;
    (*rule)->version_no = names->version_no;
    version->shared = rwd_shared_rule_create(rule);
    return version;
}

enum rwd_status rwd_keeper_version_load(struct rwd_keeper_version *version,
    const struct rwd_formula_shelf *shelf, const struct rwd_sandbox_limits *limits,
    struct rwd_error *error)
{
    if (version->shared != NULL) {
        return RWD_OK;
    }
    struct rwd_rule *rule = NULL;
    enum rwd_status status =
        rwd_rule_load_with((struct rwd_text){.data = version->source, .size = version->source_size},
            version->source_name, shelf, limits, &rule, error);
    if (status == RWD_OK) {
        rule->rule_no = version->names.rule_no;
        rule->version_no = version->names.version_no;
        rule->suspended = version->state == RWD_KEEPER_SUSPENDED;
        version->shared = rwd_shared_rule_create(&rule);
    }
    return status;
}

/* ---- rows ---- */

static void set_text(char **text, struct rwd_text value)
{
    rwd_free(*text);
    *text = rwd_copy(value.size > 0 ? value.data : "", value.size);
}

enum rwd_status rwd_keeper_version_restore(struct rwd_keeper_versions *versions,
    const struct rwd_rule_version_row *row, const struct rwd_keeper_version **restored,
    bool *is_new, struct rwd_error *error)
{
    struct rwd_keeper_version *version =
        rwd_keeper_version_find(versions, row->rule_id, row->version);
    *is_new = version == NULL;
    if (version == NULL) {
        if (row->version_no != versions->count + 1 || row->rule_no == 0 ||
            row->rule_id.size >= sizeof version->names.rule_id ||
            row->version.size >= sizeof version->names.version) {
            return rwd_fail(error, RWD_CORRUPT, "rule version %.*s@%.*s does not fit the others",
                RWD_TEXT_ARGS(row->rule_id), RWD_TEXT_ARGS(row->version));
        }
        version = add(versions);
        struct rwd_directory_entry *names = &version->names;
        names->rule_no = row->rule_no;
        names->version_no = row->version_no;
        (void)snprintf(names->rule_id, sizeof names->rule_id, "%.*s", RWD_TEXT_ARGS(row->rule_id));
        (void)snprintf(names->version, sizeof names->version, "%.*s", RWD_TEXT_ARGS(row->version));
        (void)snprintf(names->content_hash, sizeof names->content_hash, "%.*s",
            RWD_TEXT_ARGS(row->content_hash));
        version->source = rwd_copy(row->source.data, row->source.size);
        version->source_size = row->source.size;
        version->source_name = rwd_copy(row->source_name.data, row->source_name.size);
        version->registered_ms = row->registered_ms;
        if (row->rule_no > versions->rule_count) {
            versions->rule_count = row->rule_no;
        }
    }
    version->registered = true;
    *restored = version;
    const struct rwd_rulebook_change change = {.version_no = row->version_no,
        .state = row->state,
        .share = row->share,
        .since_ms = row->since_ms,
        .active_ms = row->active_ms,
        .ramp = row->ramp};
    const struct rwd_rulebook_row who = {.actor = row->actor, .reason = row->reason};
    return rwd_keeper_version_restore_change(versions, &change, &who, error);
}

enum rwd_status rwd_keeper_version_restore_change(struct rwd_keeper_versions *versions,
    const struct rwd_rulebook_change *change, const struct rwd_rulebook_row *row,
    struct rwd_error *error)
{
    if (change->version_no == 0 || change->version_no > versions->count) {
        return rwd_fail(
            error, RWD_CORRUPT, "there is no rule version with number %u", change->version_no);
    }
    struct rwd_keeper_version *version = &versions->all[change->version_no - 1];
    version->state = parse_state(change->state);
    version->share = change->share;
    version->since_ms = change->since_ms;
    version->active_ms = change->active_ms;
    set_text(&version->actor, row->actor);
    set_text(&version->reason, row->reason);
    if (rwd_ramp_decode(change->ramp, &version->ramp) != RWD_OK) {
        return rwd_fail(error, RWD_CORRUPT, "the ramp of rule version %s@%s cannot be read",
            version->names.rule_id, version->names.version);
    }
    return RWD_OK;
}

void rwd_keeper_version_row(const struct rwd_keeper_version *version, struct rwd_buffer *ramp,
    struct rwd_rule_version_row *row)
{
    ramp->size = 0;
    rwd_ramp_encode(&version->ramp, ramp);
    *row = (struct rwd_rule_version_row){
        .rule_id = rwd_text_of(version->names.rule_id),
        .version = rwd_text_of(version->names.version),
        .rule_no = version->names.rule_no,
        .version_no = version->names.version_no,
        .content_hash = rwd_text_of(version->names.content_hash),
        .state = rwd_text_of(rwd_keeper_state_name(version->state)),
        .source = {.data = version->source, .size = version->source_size},
        .source_name = rwd_text_of(version->source_name),
        .registered_ms = version->registered_ms,
        .since_ms = version->since_ms,
        .actor = rwd_text_of(version->actor != NULL ? version->actor : ""),
        .reason = rwd_text_of(version->reason != NULL ? version->reason : ""),
        .share = version->share,
        .active_ms = version->active_ms,
        .ramp = rwd_buffer_text(ramp),
    };
}
