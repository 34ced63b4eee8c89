#include "engine/keeper.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/keeper_answers.h"
#include "engine/keeper_experiments.h"
#include "engine/keeper_intake.h"
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
    /* Files that failed for want of a budget are tried again this often. */
    RETRY_MS = 1000,
};

struct rwd_keeper {
    struct rwd_keeper_options options;
    struct rwd_mailbox *mailbox;
    struct rwd_message *waiting; /* came while a batch of ours was under way */
    struct rwd_keeper_versions versions;
    struct rwd_text actor; /* who brings about what is published next, and why: for the journal */
    struct rwd_text reason;
    uint32_t rulebook_no;
    struct rwd_keeper_error *errors; /* of the last look at the folder */
    size_t error_count;
    size_t error_capacity;
    uint32_t pools_seen;
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

static void forget_errors(struct rwd_keeper *keeper)
{
    for (size_t i = 0; i < keeper->error_count; i++) {
        rwd_free(keeper->errors[i].file);
        rwd_free(keeper->errors[i].text);
    }
    keeper->error_count = 0;
}

void rwd_keeper_destroy(struct rwd_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    forget_errors(keeper);
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

static int64_t now_ms(const struct rwd_keeper *keeper)
{
    return rwd_clock_wall_ms(&keeper->options.clock);
}

static void remember_error(struct rwd_keeper *keeper, const char *file, const char *text)
{
    rwd_log(RWD_LOG_ERROR, "keeper", "file=%s msg=\"%s\"", file, text);
    keeper->errors = rwd_room_for(
        keeper->errors, keeper->error_count, &keeper->error_capacity, sizeof *keeper->errors);
    keeper->errors[keeper->error_count++] = (struct rwd_keeper_error){
        .file = rwd_copy(file, strlen(file)), .text = rwd_copy(text, strlen(text))};
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

static enum rwd_status load_version(
    struct rwd_keeper *keeper, struct rwd_keeper_version *version, struct rwd_error *error)
{
    const struct rwd_sandbox_limits limits = rwd_engine__sandbox_limits(keeper->options.config);
    return rwd_keeper_version_load(version, &limits, error);
}

static struct rwd_rulebook *make_rulebook(struct rwd_keeper *keeper, uint32_t rulebook_no)
{
    struct rwd_shared_rule **rules =
        rwd_new((keeper->versions.count + 1) * sizeof(struct rwd_shared_rule *));
    size_t count = 0;
    for (size_t i = 0; i < keeper->versions.count; i++) {
        struct rwd_keeper_version *version = &keeper->versions.all[i];
        if (rwd_keeper_in_force(version->state) && version->shared != NULL) {
            rules[count++] = version->shared;
        }
    }
    struct rwd_rulebook *rulebook = rwd_rulebook_create(rulebook_no, rules, count);
    rwd_free(rules);
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
    for (size_t i = 0; i < keeper->versions.count; i++) {
        struct rwd_keeper_version *version = &keeper->versions.all[i];
        struct rwd_error error;
        if (rwd_keeper_in_force(version->state) &&
            load_version(keeper, version, &error) != RWD_OK) {
            remember_error(keeper, version->source_name, error.text);
            all = false;
        }
    }
    return all;
}

/* Journals the versions that have changed and the rulebook that follows, then switches all shards.
 */
static void publish(struct rwd_keeper *keeper)
{
    uint32_t rulebook_no = keeper->rulebook_no + 1;
    (void)load_in_force(keeper);
    struct rwd_rulebook *rulebook = make_rulebook(keeper, rulebook_no);
    struct rwd_buffer versions = {0};
    put_versions(rulebook, &versions);
    struct rwd_batch *batch = rwd_batch_create(keeper->versions.count + 1);
    struct rwd_rule_version_row *rows =
        rwd_new((keeper->versions.count + 1) * sizeof(struct rwd_rule_version_row));
    for (size_t i = 0; i < keeper->versions.count; i++) {
        if (keeper->versions.all[i].changed) {
            keeper->versions.all[i].changed = false;
            rwd_keeper_version_row(&keeper->versions.all[i], &rows[i]);
            rows[i].actor = keeper->actor;
            rows[i].reason = keeper->reason;
            rwd_batch_add(batch, RWD_INPUT_RULE_VERSION)->rule_version = &rows[i];
        }
    }
    const struct rwd_rulebook_row row = {.rulebook_no = rulebook_no,
        .versions = rwd_buffer_text(&versions),
        .since_ms = now_ms(keeper)};
    rwd_batch_add(batch, RWD_INPUT_RULEBOOK)->rulebook = &row;
    submit_and_wait(keeper, batch);
    keeper->rulebook_no = rulebook_no;
    rwd_directory_add_rulebook(keeper->options.directory, rulebook_no, row.versions);
    tell_shards(keeper, rulebook);
    rwd_rulebook_release(rulebook);
    rwd_batch_destroy(batch);
    rwd_free(rows);
    rwd_buffer_finish(&versions);
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

/* ---- the folder and engine.conf ---- */

/* What was taken in goes into the journal and, where it may, into force. */
static void switch_to_new(struct rwd_keeper *keeper, uint32_t rule_count_before)
{
    if (keeper->options.config->rules_auto_activate) {
        rwd_keeper_activate_new_rules(&keeper->versions, rule_count_before, now_ms(keeper));
    }
    publish(keeper);
}

static void act_for(struct rwd_keeper *keeper, struct rwd_text actor, struct rwd_text reason)
{
    keeper->actor = actor;
    keeper->reason = reason;
}

static void scan(struct rwd_keeper *keeper)
{
    act_for(keeper, RWD_TEXT("rules folder"), (struct rwd_text){0});
    const char *dir = keeper->options.config->rules_dir;
    struct rwd_rule_file *files = NULL;
    size_t file_count = 0;
    struct rwd_error error;
    forget_errors(keeper);
    keeper->pools_seen = rwd_pools_count(keeper->options.pools);
    if (rwd_rule_folder_list(dir, &files, &file_count, &error) != RWD_OK) {
        remember_error(keeper, dir, error.text);
        return;
    }
    size_t version_count_before = keeper->versions.count;
    uint32_t rule_count_before = keeper->versions.rule_count;
    for (size_t i = 0; i < file_count; i++) {
        if (rwd_keeper_take_in_file(&keeper->options, &keeper->versions, &files[i], &error) !=
            RWD_OK) {
            remember_error(keeper, files[i].path, error.text);
        }
    }
    rwd_rule_files_free(files, file_count);
    if (keeper->versions.count > version_count_before) {
        switch_to_new(keeper, rule_count_before);
    }
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

static enum rwd_status change_state(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    bool rollback = inquiry->kind == RWD_INQUIRY_RULE_ROLLBACK;
    struct rwd_keeper_version *version =
        rollback ? rwd_keeper_rollback_target(&keeper->versions, inquiry->id)
                 : rwd_keeper_version_find(&keeper->versions, inquiry->id, inquiry->version);
    if (version == NULL) {
        bool rule_known = rwd_keeper_rule_no(&keeper->versions, inquiry->id) != 0;
        return rwd_fail(&inquiry->error, rollback && rule_known ? RWD_CONFLICT : RWD_NOT_FOUND,
            rollback ? "rule '%.*s' has no version that was active before%.*s"
                     : "there is no rule '%.*s' with version '%.*s'",
            RWD_TEXT_ARGS(inquiry->id), RWD_TEXT_ARGS(inquiry->version));
    }
    if (inquiry->kind == RWD_INQUIRY_RULE_ACTIVATE && inquiry->share != 100) {
        return rwd_fail(&inquiry->error, RWD_INVALID,
            "a version is activated for everybody: share must be 100, not %u", inquiry->share);
    }
    enum rwd_status status = load_version(keeper, version, &inquiry->error);
    if (status == RWD_OK) {
        status = rwd_keeper_check_house(
            &keeper->options, rwd_shared_rule_get(version->shared), &inquiry->error);
    }
    if (status == RWD_OK) {
        status = inquiry->kind == RWD_INQUIRY_RULE_RETIRE
                     ? rwd_keeper_check_unused(&keeper->versions, version, &inquiry->error)
                     : rwd_keeper_check_experiments(&keeper->versions,
                           rwd_shared_rule_get(version->shared), &inquiry->error);
    }
    if (status != RWD_OK) {
        return status;
    }
    if (inquiry->kind == RWD_INQUIRY_RULE_RETIRE) {
        rwd_keeper_set_state(version, RWD_KEEPER_RETIRED, now_ms(keeper));
    } else {
        rwd_keeper_activate(&keeper->versions, version, now_ms(keeper));
    }
    publish(keeper);
    rwd_keeper_put_version(version, &inquiry->json);
    return RWD_OK;
}

static enum rwd_status upload(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    struct rwd_keeper_version *version = NULL;
    bool is_new = false;
    if (inquiry->body.size > RWD_KEEPER_SOURCE_SIZE_MAX) {
        return rwd_fail(
            &inquiry->error, RWD_LIMIT, "a rule has at most %d bytes", RWD_KEEPER_SOURCE_SIZE_MAX);
    }
    uint32_t rule_count_before = keeper->versions.rule_count;
    enum rwd_status status = rwd_keeper_take_in(&keeper->options, &keeper->versions, inquiry->body,
        NULL, &version, &is_new, &inquiry->error);
    if (status == RWD_OK && is_new) {
        switch_to_new(keeper, rule_count_before);
    }
    if (status == RWD_OK) {
        rwd_keeper_put_version(version, &inquiry->json);
    }
    return status;
}

static enum rwd_status answer(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    act_for(keeper, inquiry->actor, inquiry->reason);
    switch (inquiry->kind) {
    case RWD_INQUIRY_RULE_ACTIVATE:
    case RWD_INQUIRY_RULE_RETIRE:
    case RWD_INQUIRY_RULE_ROLLBACK:
        return change_state(keeper, inquiry);
    case RWD_INQUIRY_RULE_UPLOAD:
        return upload(keeper, inquiry);
    case RWD_INQUIRY_RULE:
        return rwd_keeper_put_rule(&keeper->versions, inquiry->id, &inquiry->json)
                   ? RWD_OK
                   : rwd_fail(&inquiry->error, RWD_NOT_FOUND, "there is no rule '%.*s'",
                         RWD_TEXT_ARGS(inquiry->id));
    default:
        rwd_keeper_put_rules(
            &keeper->versions, keeper->errors, keeper->error_count, &inquiry->json);
        return RWD_OK;
    }
}

static void suspend(struct rwd_keeper *keeper, uint32_t version_no)
{
    struct rwd_keeper_version *version = &keeper->versions.all[version_no - 1];
    if (version->state != RWD_KEEPER_ACTIVE) {
        return; /* another shard was first, or it was retired meanwhile */
    }
    act_for(keeper, RWD_TEXT("breaker"), RWD_TEXT("too many errors"));
    rwd_keeper_set_state(version, RWD_KEEPER_SUSPENDED, now_ms(keeper));
    publish(keeper);
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
        suspend(keeper, ((struct rwd_suspension_message *)message)->version_no);
    } else if (message->kind == RWD_KEEPER_STOP) {
        keeper->stopping = true;
    } else {
        scan(keeper);
    }
    rwd_free(message);
}

static void handle_mail(struct rwd_keeper *keeper, struct rwd_message *messages)
{
    while (messages != NULL) {
        struct rwd_message *message = messages;
        messages = message->next;
        handle(keeper, message);
    }
    while (keeper->waiting != NULL) {
        struct rwd_message *message = keeper->waiting;
        keeper->waiting = message->next;
        handle(keeper, message);
    }
}

/* ---- the thread ---- */

/* Some files wait for a budget, and budgets have been made since. */
static bool retry_wanted(const struct rwd_keeper *keeper)
{
    return keeper->error_count > 0 && rwd_pools_count(keeper->options.pools) != keeper->pools_seen;
}

void rwd_keeper_run(void *context)
{
    struct rwd_keeper *keeper = context;
    const char *dir = keeper->options.config->rules_dir;
    rwd_thread_step_back();
    resume(keeper);
    make_budgets(keeper);
    keeper->watch_fd = rwd_rule_folder_watch(dir);
    scan(keeper);
    atomic_store(keeper->options.ready, true);
    bool changed = false;
    while (!keeper->stopping) {
        struct pollfd fds[] = {{.fd = rwd_mailbox_fd(keeper->mailbox), .events = POLLIN},
            {.fd = keeper->watch_fd, .events = POLLIN}};
        int ready = poll(fds, 2, changed ? QUIET_MS : RETRY_MS);
        if (ready > 0 && (fds[1].revents & POLLIN) != 0) {
            rwd_rule_folder_changed(keeper->watch_fd, dir);
            changed = true;
        } else if (ready == 0 && (changed || retry_wanted(keeper))) {
            changed = false;
            scan(keeper);
        }
        /* Also what came while a batch of the scan's was under way: nothing else would wake us. */
        bool mail = ready > 0 && (fds[0].revents & POLLIN) != 0;
        handle_mail(keeper, mail ? rwd_mailbox_take(keeper->mailbox) : NULL);
    }
}
