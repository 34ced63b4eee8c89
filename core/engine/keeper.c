#include "engine/keeper.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/keeper_answers.h"
#include "engine/keeper_deploy.h"
#include "engine/keeper_intake.h"
#include "engine/keeper_life.h"
#include "engine/keeper_ramps.h"
#include "engine/shard.h"
#include "engine/shard_inputs.h"
#include "runtime/thread.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MAILBOX_COUNT_MAX = 1024,
    /* A folder is looked at when it has been quiet this long: an editor or a deploy writes in
       bursts. */
    QUIET_MS = 50,
    /* Files that failed for want of something are tried again this often, once there is more. */
    RETRY_MS = 1000,
    /* Ramps are looked at this often: a guard is as fast as this. */
    RAMP_LOOK_MS = 50,
    /* Of a rulebook's text, which goes into one record of the journal beside what has changed: two
     * rows of 30 bytes for each of RWD_KEEPER_FILE_COUNT_MAX files. */
    RULEBOOK_TEXT_SIZE_MAX = 640 << 10,
};

struct rwd_keeper {
    struct rwd_keeper_options options;
    struct rwd_mailbox *mailbox;
    struct rwd_message *waiting; /* came while a batch of ours was under way */
    struct rwd_keeper_versions versions;
    struct rwd_keeper_cause cause; /* of what is published next: for the journal */
    uint32_t rulebook_no;
    struct rwd_keeper_error
        *errors; /* of the last look at the folder, and the last rulebook made */
    size_t error_count;
    size_t error_capacity;
    uint32_t pools_seen; /* then, and the rulebook: what a file lacked may have come since */
    uint32_t rulebook_seen;
    int64_t ramps_due_ns; /* when they are looked at next */
    int64_t look_due_ns;  /* the same for the folder, where it has changed or budgets have come */
    bool changed;         /* the folder has, since it was looked at */
    int watch_fd;
    bool stopping;
};

struct rwd_keeper *rwd_keeper_create(const struct rwd_keeper_options *options)
{
    struct rwd_keeper *keeper = rwd_new(sizeof *keeper);
    keeper->options = *options;
    keeper->mailbox = rwd_mailbox_create(MAILBOX_COUNT_MAX);
    keeper->watch_fd = -1;
    return keeper;
}

static void forget_errors(struct rwd_keeper *keeper, bool in_force)
{
    size_t kept = 0;
    for (size_t i = 0; i < keeper->error_count; i++) {
        if (keeper->errors[i].in_force != in_force) {
            keeper->errors[kept++] = keeper->errors[i];
            continue;
        }
        rwd_free(keeper->errors[i].file);
        rwd_free(keeper->errors[i].text);
    }
    keeper->error_count = kept;
}

void rwd_keeper_destroy(struct rwd_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    forget_errors(keeper, false);
    forget_errors(keeper, true);
    rwd_keeper_versions_finish(&keeper->versions);
    if (keeper->watch_fd >= 0) {
        (void)close(keeper->watch_fd);
    }
    rwd_mailbox_destroy(keeper->mailbox);
    rwd_free(keeper->errors);
    rwd_free(keeper);
}

struct rwd_mailbox *rwd_keeper_mailbox(struct rwd_keeper *keeper)
{
    return keeper->mailbox;
}

static int64_t now_ns(const struct rwd_keeper *keeper)
{
    return rwd_clock_monotonic_ns(&keeper->options.clock);
}

static int64_t now_ms(const struct rwd_keeper *keeper)
{
    return rwd_clock_wall_ms(&keeper->options.clock);
}

static void remember_error(
    struct rwd_keeper *keeper, bool in_force, const char *file, const char *text)
{
    rwd_log(RWD_LOG_ERROR, "keeper", "file=%s msg=\"%s\"", file, text);
    keeper->errors = rwd_room_for(
        keeper->errors, keeper->error_count, &keeper->error_capacity, sizeof *keeper->errors);
    keeper->errors[keeper->error_count++] = (struct rwd_keeper_error){.in_force = in_force,
        .file = rwd_copy(file, strlen(file)),
        .text = rwd_copy(text, strlen(text))};
}

/* ---- recovery ---- */

enum rwd_status rwd_keeper_restore(
    struct rwd_keeper *keeper, const struct rwd_rule_version_row *row, struct rwd_error *error)
{
    const struct rwd_keeper_version *version = NULL;
    bool is_new = false;
    enum rwd_status status =
        rwd_keeper_version_restore(&keeper->versions, row, &version, &is_new, error);
    if (status == RWD_OK && is_new &&
        rwd_directory_add(keeper->options.directory, &version->names) != RWD_OK) {
        return rwd_fail(error, RWD_LIMIT, "there are too many rule versions");
    }
    return status;
}

void rwd_keeper_restore_rulebook(struct rwd_keeper *keeper, const struct rwd_rulebook_row *row)
{
    keeper->rulebook_no = row->rulebook_no;
    rwd_directory_add_rulebook(keeper->options.directory, row->rulebook_no, row->versions);
}

enum rwd_status rwd_keeper_restore_change(struct rwd_keeper *keeper,
    const struct rwd_rulebook_change *change, const struct rwd_rulebook_row *row,
    struct rwd_buffer *ramp, struct rwd_rule_version_row *version, struct rwd_error *error)
{
    enum rwd_status status =
        rwd_keeper_version_restore_change(&keeper->versions, change, row, error);
    if (status == RWD_OK) {
        rwd_keeper_version_row(&keeper->versions.all[change->version_no - 1], ramp, version);
    }
    return status;
}

/* ---- batches ---- */

/* Walks the batch through shard 0 and the journal, and waits for it; other mail is kept for later.
 */
static void submit_and_wait(struct rwd_keeper *keeper, struct rwd_batch *batch)
{
    batch->home = keeper->mailbox;
    batch->home_kind = RWD_KEEPER_BATCH;
    batch->message.kind = RWD_SHARD_BATCH;
    rwd_mailbox_return(keeper->options.shards[0], &batch->message);
    for (bool home = false; !home;) {
        struct rwd_message *messages = rwd_mailbox_wait(keeper->mailbox, -1);
        while (messages != NULL) {
            struct rwd_message *message = messages;
            messages = message->next;
            if (message->kind == RWD_KEEPER_BATCH) {
                home = true;
                continue;
            }
            struct rwd_message **last = &keeper->waiting;
            while (*last != NULL) {
                last = &(*last)->next;
            }
            message->next = NULL;
            *last = message;
        }
    }
}

/* ---- rulebooks ---- */

static void act_for(struct rwd_keeper *keeper, struct rwd_text actor, struct rwd_text reason)
{
    keeper->cause =
        (struct rwd_keeper_cause){.actor = actor, .reason = reason, .now_ms = now_ms(keeper)};
}

static enum rwd_status load_version(
    struct rwd_keeper *keeper, struct rwd_keeper_version *version, struct rwd_error *error)
{
    const struct rwd_sandbox_limits limits = rwd_engine__sandbox_limits(keeper->options.config);
    const struct rwd_keeper_outlook outlook = {.versions = &keeper->versions};
    const struct rwd_formula_shelf shelf = rwd_keeper_shelf(&outlook);
    return rwd_keeper_version_load(version, &shelf, &limits, error);
}

/* What a loaded version names is there, and may be used. */
static enum rwd_status check_named(
    struct rwd_keeper *keeper, const struct rwd_keeper_version *version, struct rwd_error *error)
{
    const struct rwd_keeper_outlook outlook = {.versions = &keeper->versions};
    const struct rwd_rule *rule = rwd_shared_rule_get(version->shared);
    enum rwd_status status = rwd_keeper_check_uses(&outlook, rule, error);
    return status == RWD_OK ? rwd_keeper_check_group(&outlook, rule, error) : status;
}

/* Everything a version needs before it may decide. */
static enum rwd_status make_fit(
    struct rwd_keeper *keeper, struct rwd_keeper_version *version, struct rwd_error *error)
{
    enum rwd_status status = load_version(keeper, version, error);
    if (status == RWD_OK) {
        status =
            rwd_keeper_check_house(&keeper->options, rwd_shared_rule_get(version->shared), error);
    }
    return status == RWD_OK ? check_named(keeper, version, error) : status;
}

/* What a rule takes of the rulebook's text, at most: see put_versions. */
static size_t text_size_of(const struct rwd_rule *rule)
{
    static const char around_name[] = ",\"\":[]";
    static const char around_no[] = ",4294967295";
    size_t size = 0;
    for (size_t on = 0; on < rule->on_count; on++) {
        size += strlen(rule->on[on]) + sizeof around_name + sizeof around_no;
    }
    return size;
}

/* What has no room any more is left out and said so: the newest versions. */
static struct rwd_rulebook *make_rulebook(struct rwd_keeper *keeper, uint32_t rulebook_no)
{
    struct rwd_rulebook_seat *seats =
        rwd_new((keeper->versions.count + 1) * sizeof(struct rwd_rulebook_seat));
    size_t count = 0;
    size_t text_size = 0;
    for (size_t i = 0; i < keeper->versions.count; i++) {
        const struct rwd_keeper_version *version = &keeper->versions.all[i];
        if (rwd_keeper_in_force(version) && version->shared != NULL &&
            rwd_keeper_kind(version) != RWD_KIND_FORMULA) {
            text_size += text_size_of(rwd_shared_rule_get(version->shared));
            if (text_size > RULEBOOK_TEXT_SIZE_MAX) {
                remember_error(keeper, true, version->source_name,
                    "left out: the rules in force are on more events than can be kept; retire some "
                    "and activate it again");
                continue;
            }
            seats[count++] = (struct rwd_rulebook_seat){
                .rule = version->shared, .role = rwd_keeper_role(version), .share = version->share};
        }
    }
    struct rwd_rulebook *rulebook = rwd_rulebook_create_seated(rulebook_no, seats, count);
    rwd_free(seats);
    return rulebook;
}

/* {"bet":[3,1],"login":[2]}: for each event name the versions asked, in order. */
static void put_versions(const struct rwd_rulebook *rulebook, struct rwd_buffer *out)
{
    rwd_buffer_put_char(out, '{');
    bool first_name = true;
    for (size_t i = 0; i < rwd_rulebook_count(rulebook); i++) {
        const struct rwd_rule *rule = rwd_rulebook_at(rulebook, i);
        for (size_t on = 0; on < rule->on_count; on++) {
            size_t count = 0;
            const struct rwd_rulebook_entry *entries =
                rwd_rulebook_for(rulebook, rwd_text_of(rule->on[on]), &count);
            /* Each name once: when its first rule comes by. */
            if (count == 0 || entries[0].rule != rule) {
                continue;
            }
            rwd_buffer_put_format(out, "%s\"%s\":[", first_name ? "" : ",", rule->on[on]);
            first_name = false;
            for (size_t entry = 0; entry < count; entry++) {
                rwd_buffer_put_format(
                    out, "%s%u", entry == 0 ? "" : ",", entries[entry].rule->version_no);
            }
            rwd_buffer_put_char(out, ']');
        }
    }
    rwd_buffer_put_char(out, '}');
}

static void tell_shards(struct rwd_keeper *keeper, struct rwd_rulebook *rulebook)
{
    for (uint32_t i = 0; i < keeper->options.shard_count; i++) {
        struct rwd_rulebook_message *message = rwd_new(sizeof *message);
        message->message.kind = RWD_SHARD_RULEBOOK;
        message->rulebook = rwd_rulebook_acquire(rulebook);
        rwd_mailbox_return(keeper->options.shards[i], &message->message);
    }
}

/* All that is in force loads, or is left out and said so: false. */
static bool load_in_force(struct rwd_keeper *keeper)
{
    bool all = true;
    forget_errors(keeper, true);
    for (size_t i = 0; i < keeper->versions.count; i++) {
        struct rwd_keeper_version *version = &keeper->versions.all[i];
        struct rwd_error error;
        if (rwd_keeper_in_force(version) && load_version(keeper, version, &error) != RWD_OK) {
            remember_error(keeper, true, version->source_name, error.text);
            all = false;
        }
    }
    return all;
}

/* What one switch writes: texts and rows that live until it is durable. */
struct writing {
    struct rwd_batch *batch;
    struct rwd_rule_version_row *drafts;
    struct rwd_rule_version_row *changed;
    size_t changed_count;
    struct rwd_buffer *ramps; /* one for each changed version */
    struct rwd_buffer versions;
    struct rwd_buffer changes;
    struct rwd_rulebook_row row;
};

/* Versions the journal does not know yet go before the switch, as the drafts they were. */
static void write_versions(struct rwd_keeper *keeper, struct writing *writing)
{
    size_t count = keeper->versions.count;
    size_t draft_count = 0;
    struct rwd_buffer none = {0};
    writing->batch = rwd_batch_create(count + 1);
    writing->drafts = rwd_new((count + 1) * sizeof writing->drafts[0]);
    writing->changed = rwd_new((count + 1) * sizeof writing->changed[0]);
    writing->ramps = rwd_new((count + 1) * sizeof writing->ramps[0]);
    for (size_t i = 0; i < count; i++) {
        struct rwd_keeper_version *version = &keeper->versions.all[i];
        if (!version->registered) {
            struct rwd_rule_version_row *draft = &writing->drafts[draft_count++];
            rwd_keeper_version_row(version, &none, draft);
            draft->state = rwd_text_of(rwd_keeper_state_name(RWD_KEEPER_DRAFT));
            draft->share = 0;
            draft->active_ms = 0;
            draft->since_ms = version->registered_ms;
            draft->ramp = (struct rwd_text){0};
            draft->actor = keeper->cause.actor;
            draft->reason = keeper->cause.reason;
            rwd_batch_add(writing->batch, RWD_INPUT_RULE_VERSION)->rule_version = draft;
            version->registered = true;
        }
        if (version->changed) {
            size_t at = writing->changed_count++;
            rwd_keeper_version_row(version, &writing->ramps[at], &writing->changed[at]);
            rwd_rulebook_put_change(&writing->changed[at], &writing->changes);
            version->changed = false;
        }
    }
    rwd_buffer_finish(&none);
}

/* Journals what is new of the versions and the rulebook that follows, then switches all shards. */
static void publish(struct rwd_keeper *keeper)
{
    uint32_t rulebook_no = keeper->rulebook_no + 1;
    struct writing writing = {0};
    (void)load_in_force(keeper);
    struct rwd_rulebook *rulebook = make_rulebook(keeper, rulebook_no);
    put_versions(rulebook, &writing.versions);
    write_versions(keeper, &writing);
    writing.row = (struct rwd_rulebook_row){.rulebook_no = rulebook_no,
        .versions = rwd_buffer_text(&writing.versions),
        .since_ms = now_ms(keeper),
        .actor = keeper->cause.actor,
        .reason = keeper->cause.reason,
        .changes = rwd_buffer_text(&writing.changes),
        .changed = writing.changed,
        .changed_count = writing.changed_count};
    rwd_batch_add(writing.batch, RWD_INPUT_RULEBOOK)->rulebook = &writing.row;
    RWD_FAULT_POINT("rules.switch.before");
    submit_and_wait(keeper, writing.batch);
    RWD_FAULT_POINT("rules.switch.after");
    keeper->rulebook_no = rulebook_no;
    rwd_directory_add_rulebook(keeper->options.directory, rulebook_no, writing.row.versions);
    tell_shards(keeper, rulebook);
    rwd_rulebook_release(rulebook);
    for (size_t i = 0; i < writing.changed_count; i++) {
        rwd_buffer_finish(&writing.ramps[i]);
    }
    rwd_batch_destroy(writing.batch);
    rwd_free(writing.drafts);
    rwd_free(writing.changed);
    rwd_free(writing.ramps);
    rwd_buffer_finish(&writing.versions);
    rwd_buffer_finish(&writing.changes);
}

static void resume(struct rwd_keeper *keeper)
{
    if (load_in_force(keeper)) {
        struct rwd_rulebook *rulebook = make_rulebook(keeper, keeper->rulebook_no);
        tell_shards(keeper, rulebook);
        rwd_rulebook_release(rulebook);
        return;
    }
    /* Verdicts must not be read against a rulebook that was not asked. */
    publish(keeper);
}

/* What killed the process too often rests before it is asked again. */
static bool quarantine(struct rwd_keeper *keeper)
{
    bool any = false;
    struct rwd_in_flight *in_flight = *keeper->options.in_flight;
    for (uint32_t no = rwd_in_flight_next(in_flight, 0); no != 0;
         no = rwd_in_flight_next(in_flight, no)) {
        struct rwd_keeper_version *version =
            no <= keeper->versions.count ? &keeper->versions.all[no - 1] : NULL;
        act_for(keeper, RWD_TEXT("quarantine"),
            RWD_TEXT("the process died twice within ten minutes while this rule ran"));
        if (version == NULL || !rwd_keeper_suspend(version, &keeper->cause)) {
            continue;
        }
        rwd_log(RWD_LOG_ERROR, "keeper",
            "rule=%s version=%s msg=\"ALERT: quarantined: the process died %d times within %d "
            "minutes while it ran; other rules go on. Activate another version, or this one "
            "again\"",
            version->names.rule_id, version->names.version, (int)RWD_IN_FLIGHT_CRASH_COUNT,
            (int)RWD_IN_FLIGHT_WINDOW_MS / 60000);
        any = true;
    }
    return any;
}

/* The rules that were in force last are so again, but for those in quarantine. */
static void come_back(struct rwd_keeper *keeper)
{
    struct rwd_in_flight *in_flight = *keeper->options.in_flight;
    if (quarantine(keeper)) {
        publish(keeper);
    } else {
        resume(keeper);
    }
    /* Only now, when it is in the journal: a start that is cut short here does it again. */
    for (uint32_t no = rwd_in_flight_next(in_flight, 0); no != 0;
         no = rwd_in_flight_next(in_flight, no)) {
        rwd_in_flight_settle(in_flight, no);
    }
}

/* ---- the folder and engine.conf ---- */

/* A rule that was registered may have lost since what it names. */
static bool may_activate(void *context, struct rwd_keeper_version *version)
{
    struct rwd_keeper *keeper = context;
    struct rwd_error error;
    if (!keeper->options.config->rules_auto_activate) {
        return false;
    }
    if (make_fit(keeper, version, &error) != RWD_OK) {
        remember_error(keeper, false, version->source_name, error.text);
        return false;
    }
    return true;
}

/* Of what is registered and was never switched on, what goes into force by itself. */
static bool activate_new(struct rwd_keeper *keeper)
{
    return rwd_keeper_activate_new(&keeper->versions, may_activate, keeper, &keeper->cause);
}

/* What was taken in goes into the journal and, where it may, into force. */
static void switch_to_new(struct rwd_keeper *keeper)
{
    (void)activate_new(keeper);
    publish(keeper);
}

static void scan(struct rwd_keeper *keeper)
{
    act_for(keeper, RWD_TEXT("rules folder"), (struct rwd_text){0});
    const char *dir = keeper->options.config->rules_dir;
    struct rwd_rule_file *files = NULL;
    size_t file_count = 0;
    struct rwd_error error;
    forget_errors(keeper, false);
    keeper->pools_seen = rwd_pools_count(keeper->options.pools);
    keeper->rulebook_seen = keeper->rulebook_no;
    if (rwd_rule_folder_list(dir, &files, &file_count, &error) != RWD_OK) {
        remember_error(keeper, false, dir, error.text);
        return;
    }
    size_t version_count_before = keeper->versions.count;
    for (size_t i = 0; i < file_count; i++) {
        if (rwd_keeper_take_in_file(&keeper->options, &keeper->versions, &files[i], &error) !=
            RWD_OK) {
            remember_error(keeper, false, files[i].path, error.text);
        }
    }
    rwd_rule_files_free(files, file_count);
    /* Also what was registered and not switched on, because a crash came between. */
    if (activate_new(keeper) || keeper->versions.count > version_count_before) {
        publish(keeper);
    }
    keeper->rulebook_seen = keeper->rulebook_no;
}

/* engine.conf's budgets are made when they are not there yet; from then on the API's word holds. */
static void make_budgets(struct rwd_keeper *keeper)
{
    const struct rwd_config *config = keeper->options.config;
    struct rwd_batch *batch = rwd_batch_create(config->budget_count + 1);
    struct rwd_budget_row *rows =
        rwd_new((config->budget_count + 1) * sizeof(struct rwd_budget_row));
    for (size_t i = 0; i < config->budget_count; i++) {
        const struct rwd_pool_terms *terms = &config->budgets[i];
        if (rwd_pools_find(keeper->options.pools, rwd_text_of(terms->id)) == 0) {
            rows[i] = (struct rwd_budget_row){.pool_id = rwd_text_of(terms->id),
                .currency = rwd_text_of(terms->currency.code),
                .period = rwd_text_of(rwd_pool_period_name(terms->period)),
                .hard_cap_minor = terms->hard_cap_minor,
                .soft_cap_minor = terms->soft_cap_minor,
                .actor = RWD_TEXT("engine.conf")};
            rwd_batch_add(batch, RWD_INPUT_BUDGET)->budget = &rows[i];
        }
    }
    if (batch->count > 0) {
        submit_and_wait(keeper, batch);
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->inputs[i].outcome == RWD_OUTCOME_FAILED) {
            rwd_log(
                RWD_LOG_ERROR, "keeper", "msg=\"engine.conf: %s\"", batch->inputs[i].error->text);
        }
    }
    rwd_batch_destroy(batch);
    rwd_free(rows);
}

/* ---- inquiries ---- */

static enum rwd_status change_version(
    struct rwd_keeper *keeper, struct rwd_inquiry *inquiry, struct rwd_keeper_version *version)
{
    struct rwd_keeper_versions *versions = &keeper->versions;
    if (inquiry->kind == RWD_INQUIRY_RULE_RETIRE) {
        enum rwd_status unused = rwd_keeper_check_unused(versions, version, &inquiry->error);
        if (unused == RWD_OK) {
            rwd_keeper_retire(version, &keeper->cause);
        }
        return unused;
    }
    enum rwd_status status = make_fit(keeper, version, &inquiry->error);
    if (status != RWD_OK) {
        return status;
    }
    switch (inquiry->kind) {
    case RWD_INQUIRY_RULE_SHADOW:
        return rwd_keeper_shadow(versions, version, &keeper->cause, &inquiry->error);
    case RWD_INQUIRY_RULE_RAMP:
        return rwd_keeper_ramp(versions, version, &inquiry->ramp, &keeper->cause, &inquiry->error);
    default:
        return rwd_keeper_activate(
            versions, version, inquiry->share, &keeper->cause, &inquiry->error);
    }
}

static enum rwd_status change_state(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    struct rwd_keeper_version *version =
        rwd_keeper_version_find(&keeper->versions, inquiry->id, inquiry->version);
    if (version == NULL) {
        return rwd_fail(&inquiry->error, RWD_NOT_FOUND,
            "there is no rule '%.*s' with version '%.*s'", RWD_TEXT_ARGS(inquiry->id),
            RWD_TEXT_ARGS(inquiry->version));
    }
    enum rwd_status status = change_version(keeper, inquiry, version);
    if (status == RWD_OK) {
        publish(keeper);
        rwd_keeper_put_version(&keeper->versions, version, &inquiry->json);
    }
    return status;
}

/* A version that a stricter program no longer loads is left out by publish, which says so: going
 * back must not fail for that. */
static enum rwd_status roll_back(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    struct rwd_keeper_version *version = rwd_keeper_rollback_target(&keeper->versions, inquiry->id);
    enum rwd_status status = RWD_OK;
    if (version != NULL && load_version(keeper, version, &inquiry->error) == RWD_OK) {
        status = check_named(keeper, version, &inquiry->error);
    }
    if (status == RWD_OK) {
        status = rwd_keeper_rollback(
            &keeper->versions, inquiry->id, &keeper->cause, &version, &inquiry->error);
    }
    if (status == RWD_OK) {
        publish(keeper);
        rwd_keeper_put_version(&keeper->versions, version, &inquiry->json);
    }
    return status;
}

static enum rwd_status deploy(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    struct rwd_keeper_deploy deploy = {.files = inquiry->files, .file_count = inquiry->file_count};
    enum rwd_status status = rwd_keeper_deploy(
        &keeper->options, &keeper->versions, &deploy, &keeper->cause, &inquiry->error);
    if (status == RWD_OK) {
        publish(keeper);
        rwd_keeper_put_deployed(&keeper->versions, &deploy, &inquiry->json);
    }
    rwd_keeper_deploy_finish(&deploy);
    return status;
}

static enum rwd_status upload(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    struct rwd_keeper_version *version = NULL;
    bool is_new = false;
    if (inquiry->body.size > RWD_KEEPER_SOURCE_SIZE_MAX) {
        return rwd_fail(
            &inquiry->error, RWD_LIMIT, "a rule has at most %d bytes", RWD_KEEPER_SOURCE_SIZE_MAX);
    }
    const struct rwd_keeper_candidate candidate = {.source = inquiry->body, .name = "upload.lua"};
    enum rwd_status status = rwd_keeper_take_in(
        &keeper->options, &keeper->versions, &candidate, &version, &is_new, &inquiry->error);
    if (status == RWD_OK && is_new) {
        switch_to_new(keeper);
    }
    if (status == RWD_OK) {
        rwd_keeper_put_version(&keeper->versions, version, &inquiry->json);
    }
    return status;
}

static enum rwd_status answer(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    act_for(keeper, inquiry->actor, inquiry->reason);
    switch (inquiry->kind) {
    case RWD_INQUIRY_RULE_ACTIVATE:
    case RWD_INQUIRY_RULE_RETIRE:
    case RWD_INQUIRY_RULE_SHADOW:
    case RWD_INQUIRY_RULE_RAMP:
        return change_state(keeper, inquiry);
    case RWD_INQUIRY_RULE_ROLLBACK:
        return roll_back(keeper, inquiry);
    case RWD_INQUIRY_RULE_DEPLOY:
        return deploy(keeper, inquiry);
    case RWD_INQUIRY_RULE_UPLOAD:
        return upload(keeper, inquiry);
    case RWD_INQUIRY_RULE:
        return rwd_keeper_put_rule(&keeper->options, &keeper->versions, inquiry->id, inquiry)
                   ? RWD_OK
                   : rwd_fail(&inquiry->error, RWD_NOT_FOUND, "there is no rule '%.*s'",
                         RWD_TEXT_ARGS(inquiry->id));
    default:
        rwd_keeper_put_rules(
            &keeper->options, &keeper->versions, keeper->errors, keeper->error_count, inquiry);
        return RWD_OK;
    }
}

static void suspend(struct rwd_keeper *keeper, const struct rwd_suspension_message *message)
{
    act_for(keeper, RWD_TEXT("breaker"), rwd_text_of(message->error.text));
    /* Else another shard was first, or it was retired meanwhile. */
    if (rwd_keeper_suspend(&keeper->versions.all[message->version_no - 1], &keeper->cause)) {
        publish(keeper);
    }
}

/* Each ramp's step is a switch and a record of its own: its cause is its guard's. How long until
 * they are to be looked at again, at most patience_ms. */
static int tend_ramps(struct rwd_keeper *keeper, int patience_ms)
{
    if (!rwd_keeper_has_ramps(&keeper->versions)) {
        return patience_ms;
    }
    int64_t begin_ns = now_ns(keeper);
    if (begin_ns >= keeper->ramps_due_ns) {
        char why[RWD_RAMP_WHY_SIZE_MAX];
        act_for(keeper, RWD_TEXT("ramp"), (struct rwd_text){0});
        while (rwd_keeper_ramps_tend(&keeper->options, &keeper->versions, &keeper->cause, why)) {
            publish(keeper);
        }
        keeper->ramps_due_ns = begin_ns + (int64_t)RAMP_LOOK_MS * 1000000;
    }
    return patience_ms < RAMP_LOOK_MS ? patience_ms : RAMP_LOOK_MS;
}

static void handle(struct rwd_keeper *keeper, struct rwd_message *message)
{
    if (message->kind == RWD_KEEPER_INQUIRY) {
        struct rwd_inquiry *inquiry = (struct rwd_inquiry *)message;
        inquiry->status = answer(keeper, inquiry);
        message->kind = inquiry->home_kind;
        rwd_mailbox_return(inquiry->home, message);
        return;
    }
    if (message->kind == RWD_KEEPER_SUSPEND) {
        suspend(keeper, (const struct rwd_suspension_message *)message);
    } else if (message->kind == RWD_KEEPER_STOP) {
        keeper->stopping = true;
    } else {
        scan(keeper);
    }
    rwd_free(message);
}

/* What came while a batch of ours was under way, whoever published it. */
static void handle_waiting(struct rwd_keeper *keeper)
{
    while (keeper->waiting != NULL) {
        struct rwd_message *message = keeper->waiting;
        keeper->waiting = message->next;
        handle(keeper, message);
    }
}

static void handle_mail(struct rwd_keeper *keeper, struct rwd_message *messages)
{
    while (messages != NULL) {
        struct rwd_message *message = messages;
        messages = message->next;
        handle(keeper, message);
    }
    handle_waiting(keeper);
}

/* ---- the thread ---- */

/* Some files wait for a budget, or for a formula or experiment that they name, and there is more of
 * these since. */
static bool retry_wanted(const struct rwd_keeper *keeper)
{
    return keeper->error_count > 0 &&
           (rwd_pools_count(keeper->options.pools) != keeper->pools_seen ||
               keeper->rulebook_no != keeper->rulebook_seen);
}

/* Looks at the folder when it is time, however much mail there is; how long until the next time. */
static int tend_folder(struct rwd_keeper *keeper)
{
    int64_t begin_ns = now_ns(keeper);
    if (begin_ns < keeper->look_due_ns) {
        return (int)((keeper->look_due_ns - begin_ns) / 1000000) + 1;
    }
    keeper->look_due_ns = begin_ns + (int64_t)RETRY_MS * 1000000;
    if (keeper->changed || retry_wanted(keeper)) {
        keeper->changed = false;
        scan(keeper);
    }
    return RETRY_MS;
}

static void folder_changed(struct rwd_keeper *keeper)
{
    rwd_rule_folder_changed(keeper->watch_fd, keeper->options.config->rules_dir);
    keeper->changed = true;
    keeper->look_due_ns = now_ns(keeper) + (int64_t)QUIET_MS * 1000000;
}

void rwd_keeper_run(void *context)
{
    struct rwd_keeper *keeper = context;
    rwd_thread_step_back();
    come_back(keeper);
    make_budgets(keeper);
    keeper->watch_fd = rwd_rule_folder_watch(keeper->options.config->rules_dir);
    scan(keeper);
    atomic_store(keeper->options.ready, true);
    while (!keeper->stopping) {
        struct pollfd fds[] = {{.fd = rwd_mailbox_fd(keeper->mailbox), .events = POLLIN},
            {.fd = keeper->watch_fd, .events = POLLIN}};
        int patience_ms = tend_ramps(keeper, tend_folder(keeper));
        if (keeper->waiting != NULL) {
            handle_waiting(keeper);
            continue;
        }
        int ready = poll(fds, 2, patience_ms);
        if (ready > 0 && (fds[1].revents & POLLIN) != 0) {
            folder_changed(keeper);
        }
        bool has_mail = ready > 0 && (fds[0].revents & POLLIN) != 0;
        /* Also what came while a look at the folder waited for its batch: nothing wakes us for it.
         */
        handle_mail(keeper, has_mail ? rwd_mailbox_take(keeper->mailbox) : NULL);
    }
}
