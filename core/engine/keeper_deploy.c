#include "engine/keeper_deploy.h"

#include "base/memory.h"
#include "engine/keeper_intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One file of a deploy on its way, but for tests. */
struct parcel {
    const struct rwd_inquiry_file *file;
    struct rwd_keeper_candidate candidate;
    char *name;
    char *test_name;
    char rule_id[RWD_RULE_ID_SIZE_MAX]; /* "": its name is none */
    char version[RWD_RULE_VERSION_SIZE_MAX];
    struct rwd_rule *rule; /* NULL: not examined yet, or wrong */
    uint32_t version_no;   /* 0: it is new */
};

/* All of them, and what there will be when they are in. */
struct load {
    const struct rwd_keeper_options *options;
    struct rwd_keeper_versions *versions;
    struct rwd_keeper_deploy *deploy;
    struct parcel *parcels; /* in the order in which they are taken in */
    size_t count;
    struct rwd_keeper_arrival *arrivals; /* one for each parcel */
    struct rwd_buffer faults;
    enum rwd_status worst;
};

static bool ends_with(struct rwd_text text, const char *end)
{
    size_t size = strlen(end);
    return text.size > size && memcmp(text.data + text.size - size, end, size) == 0;
}

/* ---- names ---- */

/* "points/1.0.0.lua", "formulas/half/1.0.0.lua" -> the id and the version. False: it is not written
 * so. */
static bool read_name(struct parcel *parcel)
{
    struct rwd_text name = parcel->file->name;
    const char *slash = memrchr(name.data, '/', name.size);
    struct rwd_text id = {
        .data = name.data, .size = slash != NULL ? (size_t)(slash - name.data) : 0};
    if (!ends_with(name, ".lua") || id.size == 0 || id.size >= sizeof parcel->rule_id) {
        return false;
    }
    (void)snprintf(parcel->rule_id, sizeof parcel->rule_id, "%.*s", RWD_TEXT_ARGS(id));
    size_t version_size = name.size - id.size - 1 - strlen(".lua");
    bool good = version_size > 0 && version_size < sizeof parcel->version &&
                memchr(rwd_rule_bare_id(parcel->rule_id).data, '/',
                    rwd_rule_bare_id(parcel->rule_id).size) == NULL;
    if (good) {
        (void)snprintf(
            parcel->version, sizeof parcel->version, "%.*s", (int)version_size, slash + 1);
    } else {
        parcel->rule_id[0] = '\0';
    }
    return good;
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

/* Who is named goes before those who name it, whatever the order they were sent in. */
static int compare_parcels(const void *left, const void *right)
{
    const struct parcel *a = left;
    const struct parcel *b = right;
    int order = (int)rwd_rule_kind_of(rwd_text_of(a->rule_id)) -
                (int)rwd_rule_kind_of(rwd_text_of(b->rule_id));
    order = order != 0 ? order : strcmp(a->rule_id, b->rule_id);
    order = order != 0 ? order : rwd_rule_version_compare(a->version, b->version);
    return order != 0 ? order : rwd_text_compare(a->file->name, b->file->name);
}

/* Of a rule or experiment the newest among them, which is the last in order; of a formula all. */
static bool comes_into_force(const struct load *load, size_t i)
{
    const char *rule_id = load->parcels[i].rule_id;
    return i + 1 == load->count || strcmp(load->parcels[i + 1].rule_id, rule_id) != 0 ||
           rwd_rule_kind_of(rwd_text_of(rule_id)) == RWD_KIND_FORMULA;
}

static void unpack(struct load *load)
{
    const struct rwd_keeper_deploy *deploy = load->deploy;
    load->parcels = rwd_new((deploy->file_count + 1) * sizeof load->parcels[0]);
    load->arrivals = rwd_new((deploy->file_count + 1) * sizeof load->arrivals[0]);
    for (size_t i = 0; i < deploy->file_count; i++) {
        struct rwd_text name = deploy->files[i].name;
        if (!ends_with(name, "_test.lua")) {
            struct parcel *parcel = &load->parcels[load->count++];
            parcel->file = &deploy->files[i];
            parcel->name = rwd_copy(name.data, name.size);
            if (read_name(parcel)) {
                find_test(deploy, parcel);
            }
        }
    }
    qsort(load->parcels, load->count, sizeof load->parcels[0], compare_parcels);
    for (size_t i = 0; i < load->count; i++) {
        struct parcel *parcel = &load->parcels[i];
        load->arrivals[i] = (struct rwd_keeper_arrival){.rule_id = parcel->rule_id,
            .version = parcel->version,
            .activates = comes_into_force(load, i)};
    }
}

/* ---- examining ---- */

static struct rwd_keeper_outlook outlook_of(const struct load *load)
{
    return (struct rwd_keeper_outlook){
        .versions = load->versions, .arrivals = load->arrivals, .arrival_count = load->count};
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

static enum rwd_status examine(
    const struct load *load, struct parcel *parcel, struct rwd_error *error)
{
    if (parcel->rule_id[0] == '\0') {
        return rwd_fail(error, RWD_INVALID,
            "%s: a rule's file is named <id>/<version>.lua, its test <id>/<version>_test.lua; "
            "before formulas and experiments stands formulas/ and experiments/",
            parcel->name);
    }
    if (parcel->file->source.size > RWD_KEEPER_SOURCE_SIZE_MAX) {
        return rwd_fail(error, RWD_LIMIT, "%s: a file has at most %d bytes", parcel->name,
            RWD_KEEPER_SOURCE_SIZE_MAX);
    }
    if (parcel > load->parcels && rwd_text_equal(parcel->file->name, parcel[-1].file->name)) {
        return rwd_fail(error, RWD_INVALID, "%s: is sent twice", parcel->name);
    }
    parcel->candidate.source = parcel->file->source;
    parcel->candidate.name = parcel->name;
    parcel->candidate.rule_id = parcel->rule_id;
    parcel->candidate.version = parcel->version;
    const struct rwd_keeper_outlook outlook = outlook_of(load);
    struct rwd_keeper_version *known = NULL;
    enum rwd_status status = rwd_keeper_examine(
        load->options, &outlook, &parcel->candidate, &parcel->rule, &known, error);
    if (status == RWD_OK && known != NULL) {
        parcel->version_no = known->names.version_no;
    }
    return status == RWD_OK ? check_canary(load->versions, parcel, error) : status;
}

/* What they name, when all are there: experiments may take one another's places. */
static enum rwd_status check_named(const struct load *load, size_t i, struct rwd_error *error)
{
    const struct rwd_keeper_outlook outlook = outlook_of(load);
    const struct rwd_rule *rule = load->parcels[i].rule;
    enum rwd_status status = rule != NULL ? rwd_keeper_check_uses(&outlook, rule, error) : RWD_OK;
    if (status == RWD_OK && rule != NULL && load->arrivals[i].activates) {
        status = rwd_keeper_check_group(&outlook, rule, error);
    }
    return status;
}

/* The first fault decides what kind of answer it is; all of them are named. */
static void add_fault(struct load *load, enum rwd_status status, const struct rwd_error *error)
{
    if (status != RWD_OK) {
        load->worst = load->worst == RWD_OK ? status : load->worst;
        rwd_buffer_put_string(&load->faults, load->faults.size > 0 ? "; " : "");
        rwd_buffer_put_string(&load->faults, error->text);
    }
}

static enum rwd_status examine_all(struct load *load, struct rwd_error *error)
{
    for (size_t i = 0; i < load->count; i++) {
        add_fault(load, examine(load, &load->parcels[i], error), error);
        load->arrivals[i].rule = load->parcels[i].rule;
    }
    for (size_t i = 0; i < load->count; i++) {
        add_fault(load, check_named(load, i, error), error);
    }
    if (load->count == 0) {
        return rwd_fail(error, RWD_INVALID, "there is no rule's file among those sent");
    }
    if (load->worst != RWD_OK) {
        return rwd_fail(
            error, load->worst, "nothing was deployed: %s", rwd_buffer_c_string(&load->faults));
    }
    return RWD_OK;
}

/* ---- and in ---- */

static void take_in_all(struct load *load, const struct rwd_keeper_cause *cause)
{
    struct rwd_keeper_versions *versions = load->versions;
    struct rwd_keeper_deploy *deploy = load->deploy;
    struct rwd_error error;
    deploy->activated = rwd_new((load->count + 1) * sizeof deploy->activated[0]);
    for (size_t i = 0; i < load->count; i++) {
        struct parcel *parcel = &load->parcels[i];
        if (parcel->version_no == 0) {
            parcel->version_no =
                rwd_keeper_register(load->options, versions, &parcel->rule, &parcel->candidate)
                    ->names.version_no;
        }
        struct rwd_keeper_version *version = &versions->all[parcel->version_no - 1];
        if (load->arrivals[i].activates) {
            deploy->activated[deploy->activated_count++] = parcel->version_no;
        }
        if (load->arrivals[i].activates && version->state != RWD_KEEPER_ACTIVE) {
            /* For all players, and no canary is in its way: that cannot fail. */
            (void)!rwd_keeper_activate(versions, version, 100, cause, &error);
        }
    }
}

enum rwd_status rwd_keeper_deploy(const struct rwd_keeper_options *options,
    struct rwd_keeper_versions *versions, struct rwd_keeper_deploy *deploy,
    const struct rwd_keeper_cause *cause, struct rwd_error *error)
{
    struct load load = {.options = options, .versions = versions, .deploy = deploy};
    unpack(&load);
    enum rwd_status status = examine_all(&load, error);
    if (status == RWD_OK) {
        take_in_all(&load, cause);
    }
    for (size_t i = 0; i < load.count; i++) {
        rwd_rule_destroy(load.parcels[i].rule);
        rwd_free(load.parcels[i].name);
        rwd_free(load.parcels[i].test_name);
    }
    rwd_free(load.parcels);
    rwd_free(load.arrivals);
    rwd_buffer_finish(&load.faults);
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
