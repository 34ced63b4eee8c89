#include "engine/keeper_deploy.h"

#include "base/memory.h"
#include "engine/keeper_intake.h"

#include <stdio.h>
#include <string.h>

/* One rule file of a deploy on its way. */
struct parcel {
    const struct rwd_inquiry_file *file;
    struct rwd_keeper_candidate candidate;
    char *name;
    char *test_name;
    char rule_id[RWD_RULE_ID_SIZE_MAX];
    char version[RWD_RULE_VERSION_SIZE_MAX];
    struct rwd_rule *rule; /* NULL: known before, or wrong */
    uint32_t version_no;
};

static bool ends_with(struct rwd_text text, const char *end)
{
    size_t size = strlen(end);
    return text.size > size && memcmp(text.data + text.size - size, end, size) == 0;
}

/* "points/1.0.0.lua" -> the id and the version. False: it is not written so. */
static bool read_name(struct parcel *parcel)
{
    struct rwd_text name = parcel->file->name;
    const char *slash = memchr(name.data, '/', name.size);
    size_t id_size = slash != NULL ? (size_t)(slash - name.data) : 0;
    size_t version_size = name.size - id_size - 1 - strlen(".lua");
    if (id_size == 0 || id_size >= sizeof parcel->rule_id || version_size == 0 ||
        version_size >= sizeof parcel->version ||
        memchr(slash + 1, '/', name.size - id_size - 1) != NULL) {
        return false;
    }
    (void)snprintf(parcel->rule_id, sizeof parcel->rule_id, "%.*s", (int)id_size, name.data);
    (void)snprintf(parcel->version, sizeof parcel->version, "%.*s", (int)version_size, slash + 1);
    return true;
}

static void find_test(const struct rwd_keeper_deploy *deploy, struct parcel *parcel)
{
    char name[RWD_RULE_ID_SIZE_MAX + RWD_RULE_VERSION_SIZE_MAX + 16];
    (void)snprintf(name, sizeof name, "%s/%s_test.lua", parcel->rule_id, parcel->version);
    for (size_t i = 0; i < deploy->file_count; i++) {
        if (rwd_text_is(deploy->files[i].name, name)) {
            parcel->test_name = rwd_copy(name, strlen(name));
            parcel->candidate.test = deploy->files[i].source;
            parcel->candidate.test_name = parcel->test_name;
        }
    }
}

/* A rule's canary belongs to whoever tries it: a deploy of another version must not end it. */
static enum rwd_status check_canary(const struct rwd_keeper_versions *versions,
    const struct parcel *parcel, struct rwd_error *error)
{
    uint32_t rule_no = rwd_keeper_rule_no(versions, rwd_text_of(parcel->rule_id));
    const struct rwd_keeper_version *canary =
        rule_no != 0 ? rwd_keeper_in_role(versions, rule_no, RWD_RULEBOOK_CANARY) : NULL;
    if (canary != NULL && strcmp(canary->names.version, parcel->version) != 0) {
        return rwd_fail(error, RWD_CONFLICT,
            "%s: %s@%s is a canary; roll it back or activate it first", parcel->name,
            canary->names.rule_id, canary->names.version);
    }
    return RWD_OK;
}

static enum rwd_status examine(const struct rwd_keeper_options *options,
    const struct rwd_keeper_versions *versions, const struct rwd_keeper_deploy *deploy,
    struct parcel *parcel, struct rwd_error *error)
{
    struct rwd_text name = parcel->file->name;
    parcel->name = rwd_copy(name.data, name.size);
    if (!ends_with(name, ".lua") || !read_name(parcel)) {
        return rwd_fail(error, RWD_INVALID,
            "%s: a rule's file is named <id>/<version>.lua, its test <id>/<version>_test.lua",
            parcel->name);
    }
    if (parcel->file->source.size > RWD_KEEPER_SOURCE_SIZE_MAX) {
        return rwd_fail(error, RWD_LIMIT, "%s: a rule has at most %d bytes", parcel->name,
            RWD_KEEPER_SOURCE_SIZE_MAX);
    }
    parcel->candidate = (struct rwd_keeper_candidate){.source = parcel->file->source,
        .name = parcel->name,
        .rule_id = parcel->rule_id,
        .version = parcel->version};
    find_test(deploy, parcel);
    struct rwd_keeper_version *known = NULL;
    enum rwd_status status =
        rwd_keeper_examine(options, versions, &parcel->candidate, &parcel->rule, &known, error);
    if (status == RWD_OK && known != NULL) {
        parcel->version_no = known->names.version_no;
    }
    return status == RWD_OK ? check_canary(versions, parcel, error) : status;
}

/* The first fault decides what kind of answer it is; all of them are named. */
static void add_fault(struct rwd_buffer *faults, enum rwd_status *worst, enum rwd_status status,
    const struct rwd_error *error)
{
    *worst = *worst == RWD_OK ? status : *worst;
    rwd_buffer_put_string(faults, faults->size > 0 ? "; " : "");
    rwd_buffer_put_string(faults, error->text);
}

static enum rwd_status examine_all(const struct rwd_keeper_options *options,
    const struct rwd_keeper_versions *versions, const struct rwd_keeper_deploy *deploy,
    struct parcel *parcels, size_t *count, struct rwd_error *error)
{
    struct rwd_buffer faults = {0};
    enum rwd_status worst = RWD_OK;
    for (size_t i = 0; i < deploy->file_count; i++) {
        if (ends_with(deploy->files[i].name, "_test.lua")) {
            continue;
        }
        struct parcel *parcel = &parcels[(*count)++];
        parcel->file = &deploy->files[i];
        enum rwd_status status = examine(options, versions, deploy, parcel, error);
        for (struct parcel *other = parcels; status == RWD_OK && other != parcel; other++) {
            if (rwd_text_equal(other->file->name, parcel->file->name)) {
                status = rwd_fail(error, RWD_INVALID, "%s: is sent twice", parcel->name);
            }
        }
        if (status != RWD_OK) {
            add_fault(&faults, &worst, status, error);
        }
    }
    if (*count == 0 && worst == RWD_OK) {
        worst = rwd_fail(error, RWD_INVALID, "there is no rule's file among those sent");
    } else if (worst != RWD_OK) {
        worst = rwd_fail(error, worst, "nothing was deployed: %s", rwd_buffer_c_string(&faults));
    }
    rwd_buffer_finish(&faults);
    return worst;
}

/* Whether a newer version of the same rule is among them. */
static bool is_outdone(const struct parcel *parcels, size_t count, const struct parcel *parcel)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(parcels[i].rule_id, parcel->rule_id) == 0 &&
            rwd_rule_version_compare(parcels[i].version, parcel->version) > 0) {
            return true;
        }
    }
    return false;
}

static void activate_all(struct rwd_keeper_versions *versions, struct rwd_keeper_deploy *deploy,
    const struct parcel *parcels, size_t count, const struct rwd_keeper_cause *cause)
{
    struct rwd_error error;
    deploy->activated = rwd_new((count + 1) * sizeof deploy->activated[0]);
    for (size_t i = 0; i < count; i++) {
        if (is_outdone(parcels, count, &parcels[i])) {
            continue;
        }
        struct rwd_keeper_version *version = &versions->all[parcels[i].version_no - 1];
        deploy->activated[deploy->activated_count++] = parcels[i].version_no;
        if (version->state != RWD_KEEPER_ACTIVE) {
            /* For all players, and no canary is in its way: that cannot fail. */
            (void)!rwd_keeper_activate(versions, version, 100, cause, &error);
        }
    }
}

enum rwd_status rwd_keeper_deploy(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, struct rwd_keeper_deploy *deploy,
    const struct rwd_keeper_cause *cause, struct rwd_error *error)
{
    struct parcel *parcels = rwd_new((deploy->file_count + 1) * sizeof parcels[0]);
    size_t count = 0;
    enum rwd_status status = examine_all(options, versions, deploy, parcels, &count, error);
    for (size_t i = 0; status == RWD_OK && i < count; i++) {
        if (parcels[i].rule != NULL) {
            parcels[i].version_no =
                rwd_keeper_register(options, versions, &parcels[i].rule, &parcels[i].candidate)
                    ->names.version_no;
        }
    }
    if (status == RWD_OK) {
        activate_all(versions, deploy, parcels, count, cause);
    }
    for (size_t i = 0; i < count; i++) {
        rwd_rule_destroy(parcels[i].rule);
        rwd_free(parcels[i].name);
        rwd_free(parcels[i].test_name);
    }
    rwd_free(parcels);
    return status;
}

void rwd_keeper_deploy_finish(struct rwd_keeper_deploy *deploy)
{
    rwd_free(deploy->activated);
    deploy->activated = NULL;
}

void rwd_keeper_put_deployed(const struct rwd_keeper_versions *versions,
    const struct rwd_keeper_deploy *deploy, struct rwd_buffer *out)
{
    rwd_buffer_put_string(out, "{\"activated\":[");
    for (size_t i = 0; i < deploy->activated_count; i++) {
        const struct rwd_directory_entry *names = &versions->all[deploy->activated[i] - 1].names;
        rwd_buffer_put_format(out,
            "%s{\"rule_id\":\"%s\",\"version\":\"%s\",\"content_hash\":\"%s\"}", i == 0 ? "" : ",",
            names->rule_id, names->version, names->content_hash);
    }
    rwd_buffer_put_format(out, "],\"files\":%zu}", deploy->file_count);
}
