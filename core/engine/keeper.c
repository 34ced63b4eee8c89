#include "engine/keeper.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "decide/rule_test.h"
#include "engine/keeper_answers.h"
#include "engine/rule_folder.h"
#include "engine/shard.h"
#include "engine/shard_inputs.h"
#include "runtime/thread.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MAILBOX_COUNT_MAX = 1024,
    SOURCE_SIZE_MAX = 64 << 10,
    /* A folder is looked at when it has been quiet this long: an editor or a deploy writes in
       bursts. */
    QUIET_MS = 50,
    /* Files that failed for want of a budget are tried again this often. */
    RETRY_MS = 1000,
};

struct rwd_keeper {
    struct rwd_keeper_options options;
    struct rwd_mailbox *mailbox;
    struct rwd_message *waiting;         /* came while a batch of ours was under way */
    struct rwd_keeper_version *versions; /* by version number */
    size_t version_count;
    size_t version_capacity;
    uint32_t rule_count;
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
    for (size_t i = 0; i < keeper->version_count; i++) {
        rwd_shared_rule_release(keeper->versions[i].shared);
        rwd_free(keeper->versions[i].source);
        rwd_free(keeper->versions[i].source_name);
    }
    if (keeper->watch_fd >= 0) {
        (void)close(keeper->watch_fd);
    }
    rwd_mailbox_destroy(keeper->mailbox);
    rwd_free(keeper->versions);
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

static struct rwd_keeper_version *find_version(
    struct rwd_keeper *keeper, struct rwd_text rule_id, struct rwd_text version)
{
    for (size_t i = 0; i < keeper->version_count; i++) {
        if (rwd_text_is(rule_id, keeper->versions[i].names.rule_id) &&
            rwd_text_is(version, keeper->versions[i].names.version)) {
            return &keeper->versions[i];
        }
    }
    return NULL;
}

static uint32_t rule_no_of(const struct rwd_keeper *keeper, const char *rule_id)
{
    for (size_t i = 0; i < keeper->version_count; i++) {
        if (strcmp(keeper->versions[i].names.rule_id, rule_id) == 0) {
            return keeper->versions[i].names.rule_no;
        }
    }
    return 0;
}

static struct rwd_keeper_version *add_version(struct rwd_keeper *keeper)
{
    keeper->versions = rwd_room_for(keeper->versions, keeper->version_count,
        &keeper->version_capacity, sizeof *keeper->versions);
    struct rwd_keeper_version *version = &keeper->versions[keeper->version_count++];
    *version = (struct rwd_keeper_version){0};
    return version;
}

/* ---- recovery ---- */

enum rwd_status rwd_keeper_restore(
    struct rwd_keeper *keeper, const struct rwd_rule_version_row *row, struct rwd_error *error)
{
    struct rwd_keeper_version *version = find_version(keeper, row->rule_id, row->version);
    if (version == NULL) {
        if (row->version_no != keeper->version_count + 1 || row->rule_no == 0 ||
            row->rule_id.size >= sizeof version->names.rule_id ||
            row->version.size >= sizeof version->names.version) {
            return rwd_fail(error, RWD_CORRUPT, "rule version %.*s@%.*s does not fit the others",
                RWD_TEXT_ARGS(row->rule_id), RWD_TEXT_ARGS(row->version));
        }
        version = add_version(keeper);
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
        if (row->rule_no > keeper->rule_count) {
            keeper->rule_count = row->rule_no;
        }
        enum rwd_status status = rwd_directory_add(keeper->options.directory, names);
        if (status != RWD_OK) {
            return rwd_fail(error, status, "there are too many rule versions");
        }
    }
    version->state = rwd_keeper_state_parse(row->state);
    version->since_ms = row->since_ms;
    return RWD_OK;
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

static void row_of(const struct rwd_keeper_version *version, struct rwd_rule_version_row *row)
{
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
    };
}

/* ---- rulebooks ---- */

static enum rwd_status load_version(
    struct rwd_keeper *keeper, struct rwd_keeper_version *version, struct rwd_error *error)
{
    if (version->shared != NULL) {
        return RWD_OK;
    }
    const struct rwd_sandbox_limits limits = rwd_engine__sandbox_limits(keeper->options.config);
    struct rwd_rule *rule = NULL;
    enum rwd_status status =
        rwd_rule_load((struct rwd_text){.data = version->source, .size = version->source_size},
            version->source_name, &limits, &rule, error);
    if (status == RWD_OK) {
        rule->rule_no = version->names.rule_no;
        rule->version_no = version->names.version_no;
        rule->suspended = version->state == RWD_KEEPER_SUSPENDED;
        version->shared = rwd_shared_rule_create(&rule);
    }
    return status;
}

static struct rwd_rulebook *make_rulebook(struct rwd_keeper *keeper, uint32_t rulebook_no)
{
    struct rwd_shared_rule **rules =
        rwd_new((keeper->version_count + 1) * sizeof(struct rwd_shared_rule *));
    size_t count = 0;
    for (size_t i = 0; i < keeper->version_count; i++) {
        struct rwd_keeper_version *version = &keeper->versions[i];
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
    for (size_t i = 0; i < keeper->version_count; i++) {
        struct rwd_keeper_version *version = &keeper->versions[i];
        struct rwd_error error;
        if (rwd_keeper_in_force(version->state) &&
            load_version(keeper, version, &error) != RWD_OK) {
            remember_error(keeper, version->source_name, error.text);
            all = false;
        }
    }
    return all;
}

/* Journals the versions from `changed` on that have changed, and the rulebook that follows, then
 * switches all shards. */
static void publish(struct rwd_keeper *keeper, const bool *changed)
{
    uint32_t rulebook_no = keeper->rulebook_no + 1;
    (void)load_in_force(keeper);
    struct rwd_rulebook *rulebook = make_rulebook(keeper, rulebook_no);
    struct rwd_buffer versions = {0};
    put_versions(rulebook, &versions);
    struct rwd_batch *batch = rwd_batch_create(keeper->version_count + 1);
    struct rwd_rule_version_row *rows =
        rwd_new((keeper->version_count + 1) * sizeof(struct rwd_rule_version_row));
    for (size_t i = 0; i < keeper->version_count; i++) {
        if (changed[i]) {
            row_of(&keeper->versions[i], &rows[i]);
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
    bool *none = rwd_new(keeper->version_count + 1);
    publish(keeper, none);
    rwd_free(none);
}

/* ---- new versions ---- */

/* What a rule needs of the house before it may decide about money. */
static enum rwd_status check_house(
    struct rwd_keeper *keeper, const struct rwd_rule *rule, struct rwd_error *error)
{
    uint32_t pool_no = rule->budget[0] != '\0'
                           ? rwd_pools_find(keeper->options.pools, rwd_text_of(rule->budget))
                           : 0;
    if (rule->budget[0] != '\0' && pool_no == 0) {
        return rwd_fail(error, RWD_NOT_FOUND,
            "%s: there is no budget '%s'; add it to engine.conf or PUT /v1/budgets/%s",
            rule->source_name, rule->budget, rule->budget);
    }
    for (size_t i = 0; i < rule->milestone_count; i++) {
        struct rwd_reward reward = rule->milestones[i].reward;
        bool large = false;
        enum rwd_task_reason reason = rwd_gate_price(
            keeper->options.gates, rwd_pool_terms(keeper->options.pools, pool_no), &reward, &large);
        if (reason != RWD_REASON_NONE) {
            return rwd_fail(error, RWD_INVALID,
                "%s: the milestone at %llu cannot be paid from budget '%s': %s (a price is given "
                "in engine.conf: price \"%s\" { cost = \"0.10\" currency = \"EUR\" })",
                rule->source_name, (unsigned long long)rule->milestones[i].at, rule->budget,
                rwd_task_reason_name(reason), rwd_reward_kind_name(reward.kind));
        }
    }
    return RWD_OK;
}

static enum rwd_status run_tests(struct rwd_keeper *keeper, const struct rwd_rule *rule,
    const char *test_path, struct rwd_error *error)
{
    if (test_path == NULL) {
        return RWD_OK;
    }
    const struct rwd_sandbox_limits limits = rwd_engine__sandbox_limits(keeper->options.config);
    struct rwd_buffer source = {0};
    struct rwd_buffer report = {0};
    struct rwd_rule_tests *tests = NULL;
    size_t failed = 0;
    enum rwd_status status = rwd_rule_file_read(test_path, SOURCE_SIZE_MAX, &source, error);
    if (status == RWD_OK) {
        status = rwd_rule_tests_load(rwd_buffer_text(&source), test_path, &limits, &tests, error);
    }
    if (status == RWD_OK) {
        status = rwd_rule_test_run(rule, tests, &report, &failed);
        if (status != RWD_OK || failed > 0) {
            status = rwd_fail(error, RWD_SCRIPT, "%zu of its tests failed: %s", failed,
                rwd_buffer_c_string(&report));
        }
    }
    rwd_rule_tests_destroy(tests);
    rwd_buffer_finish(&report);
    rwd_buffer_finish(&source);
    return status;
}

/* Registers a source that is new. *version: its place. CONFLICT: registered before with other
 * bytes; OK with *is_new false: registered before with the same. */
static enum rwd_status take_in(struct rwd_keeper *keeper, struct rwd_text source, const char *name,
    const char *test_path, const struct rwd_rule_file *file, struct rwd_keeper_version **version,
    bool *is_new, struct rwd_error *error)
{
    const struct rwd_sandbox_limits limits = rwd_engine__sandbox_limits(keeper->options.config);
    struct rwd_rule *rule = NULL;
    *is_new = false;
    enum rwd_status status = rwd_rule_load(source, name, &limits, &rule, error);
    if (status == RWD_OK && file != NULL &&
        (strcmp(rule->id, file->rule_id) != 0 || strcmp(rule->version, file->version) != 0)) {
        status = rwd_fail(error, RWD_INVALID,
            "%s: declares %s %s; the file's place says %s %s, and both must agree", name, rule->id,
            rule->version, file->rule_id, file->version);
    }
    if (status == RWD_OK) {
        *version = find_version(keeper, rwd_text_of(rule->id), rwd_text_of(rule->version));
        if (*version != NULL) {
            bool same = (*version)->source_size == source.size &&
                        memcmp((*version)->source, source.data, source.size) == 0;
            rwd_rule_destroy(rule);
            return same ? RWD_OK
                        : rwd_fail(error, RWD_CONFLICT,
                              "%s: this version was registered with other bytes; a version never "
                              "changes: give the file a new version",
                              name);
        }
        status = check_house(keeper, rule, error);
    }
    if (status == RWD_OK) {
        status = run_tests(keeper, rule, test_path, error);
    }
    if (status != RWD_OK) {
        rwd_rule_destroy(rule);
        return status;
    }
    uint32_t rule_no = rule_no_of(keeper, rule->id);
    *version = add_version(keeper);
    struct rwd_directory_entry *names = &(*version)->names;
    names->rule_no = rule_no != 0 ? rule_no : ++keeper->rule_count;
    names->version_no = (uint32_t)keeper->version_count;
    (void)snprintf(names->rule_id, sizeof names->rule_id, "%s", rule->id);
    (void)snprintf(names->version, sizeof names->version, "%s", rule->version);
    struct rwd_buffer hash = {0};
    rwd_buffer_put_hex(&hash, rule->content_hash, sizeof rule->content_hash);
    (void)snprintf(
        names->content_hash, sizeof names->content_hash, "%s", rwd_buffer_c_string(&hash));
    rwd_buffer_finish(&hash);
    (*version)->source = rwd_copy(source.data, source.size);
    (*version)->source_size = source.size;
    (*version)->source_name = rwd_copy(name, strlen(name));
    (*version)->registered_ms = now_ms(keeper);
    (*version)->since_ms = (*version)->registered_ms;
    (*version)->state = RWD_KEEPER_REGISTERED;
    rule->rule_no = names->rule_no;
    rule->version_no = names->version_no;
    (*version)->shared = rwd_shared_rule_create(&rule);
    *is_new = true;
    status = rwd_directory_add(keeper->options.directory, names);
    RWD_REQUIRE(status == RWD_OK);
    return RWD_OK;
}

static struct rwd_keeper_version *active_of(struct rwd_keeper *keeper, uint32_t rule_no)
{
    for (size_t i = 0; i < keeper->version_count; i++) {
        if (keeper->versions[i].names.rule_no == rule_no &&
            rwd_keeper_in_force(keeper->versions[i].state)) {
            return &keeper->versions[i];
        }
    }
    return NULL;
}

static void set_state(struct rwd_keeper *keeper, struct rwd_keeper_version *version,
    enum rwd_keeper_state state, bool *changed)
{
    /* Whether it rests is said in the rule itself, which never changes: it is made anew. */
    if (version->state == RWD_KEEPER_SUSPENDED || state == RWD_KEEPER_SUSPENDED) {
        rwd_shared_rule_release(version->shared);
        version->shared = NULL;
    }
    version->state = state;
    version->since_ms = now_ms(keeper);
    changed[version - keeper->versions] = true;
    rwd_log(RWD_LOG_INFO, "keeper", "rule=%s version=%s state=%s hash=%.12s",
        version->names.rule_id, version->names.version, rwd_keeper_state_name(state),
        version->names.content_hash);
}

/* The one that was active before retires. */
static void activate(struct rwd_keeper *keeper, struct rwd_keeper_version *version, bool *changed)
{
    struct rwd_keeper_version *before = active_of(keeper, version->names.rule_no);
    if (before != NULL && before != version) {
        set_state(keeper, before, RWD_KEEPER_RETIRED, changed);
    }
    set_state(keeper, version, RWD_KEEPER_ACTIVE, changed);
}

/* Of every rule that is new with this look, its newest version. */
static void activate_new_rules(struct rwd_keeper *keeper, uint32_t rule_count_before, bool *changed)
{
    for (uint32_t rule_no = rule_count_before + 1; rule_no <= keeper->rule_count; rule_no++) {
        struct rwd_keeper_version *newest = NULL;
        for (size_t i = 0; i < keeper->version_count; i++) {
            struct rwd_keeper_version *version = &keeper->versions[i];
            if (version->names.rule_no == rule_no &&
                (newest == NULL ||
                    rwd_rule_version_compare(version->names.version, newest->names.version) > 0)) {
                newest = version;
            }
        }
        if (newest != NULL) {
            activate(keeper, newest, changed);
        }
    }
}

static void take_in_file(struct rwd_keeper *keeper, const struct rwd_rule_file *file)
{
    struct rwd_buffer source = {0};
    struct rwd_error error;
    struct rwd_keeper_version *version = NULL;
    bool is_new = false;
    enum rwd_status status = rwd_rule_file_read(file->path, SOURCE_SIZE_MAX, &source, &error);
    if (status == RWD_OK) {
        version = find_version(keeper, rwd_text_of(file->rule_id), rwd_text_of(file->version));
        bool known = version != NULL && version->source_size == source.size &&
                     memcmp(version->source, source.data, source.size) == 0;
        if (!known) {
            status = take_in(keeper, rwd_buffer_text(&source), file->path, file->test_path, file,
                &version, &is_new, &error);
        }
    }
    if (status != RWD_OK) {
        remember_error(keeper, file->path, error.text);
    }
    rwd_buffer_finish(&source);
}

static void scan(struct rwd_keeper *keeper)
{
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
    size_t version_count_before = keeper->version_count;
    uint32_t rule_count_before = keeper->rule_count;
    for (size_t i = 0; i < file_count; i++) {
        take_in_file(keeper, &files[i]);
    }
    rwd_rule_files_free(files, file_count);
    if (keeper->version_count == version_count_before) {
        return;
    }
    bool *changed = rwd_new(keeper->version_count);
    for (size_t i = version_count_before; i < keeper->version_count; i++) {
        changed[i] = true;
    }
    if (keeper->options.config->rules_auto_activate) {
        activate_new_rules(keeper, rule_count_before, changed);
    }
    publish(keeper, changed);
    rwd_free(changed);
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
                .soft_cap_minor = terms->soft_cap_minor};
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

/* The last one that was active before the one that is. */
static struct rwd_keeper_version *rollback_target(
    struct rwd_keeper *keeper, struct rwd_text rule_id)
{
    struct rwd_keeper_version *target = NULL;
    for (size_t i = 0; i < keeper->version_count; i++) {
        struct rwd_keeper_version *version = &keeper->versions[i];
        if (rwd_text_is(rule_id, version->names.rule_id) && version->state == RWD_KEEPER_RETIRED &&
            (target == NULL || version->since_ms >= target->since_ms)) {
            target = version;
        }
    }
    return target;
}

static bool find_rule(const struct rwd_keeper *keeper, struct rwd_text rule_id)
{
    for (size_t i = 0; i < keeper->version_count; i++) {
        if (rwd_text_is(rule_id, keeper->versions[i].names.rule_id)) {
            return true;
        }
    }
    return false;
}

static enum rwd_status change_state(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    bool rollback = inquiry->kind == RWD_INQUIRY_RULE_ROLLBACK;
    struct rwd_keeper_version *version = rollback
                                             ? rollback_target(keeper, inquiry->id)
                                             : find_version(keeper, inquiry->id, inquiry->version);
    if (version == NULL) {
        bool rule_known = find_rule(keeper, inquiry->id);
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
        status = check_house(keeper, rwd_shared_rule_get(version->shared), &inquiry->error);
    }
    if (status != RWD_OK) {
        return status;
    }
    bool *changed = rwd_new(keeper->version_count);
    if (inquiry->kind == RWD_INQUIRY_RULE_RETIRE) {
        set_state(keeper, version, RWD_KEEPER_RETIRED, changed);
    } else {
        activate(keeper, version, changed);
    }
    publish(keeper, changed);
    rwd_free(changed);
    rwd_keeper_put_version(version, &inquiry->json);
    return RWD_OK;
}

static enum rwd_status upload(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    struct rwd_keeper_version *version = NULL;
    bool is_new = false;
    if (inquiry->body.size > SOURCE_SIZE_MAX) {
        return rwd_fail(&inquiry->error, RWD_LIMIT, "a rule has at most %d bytes", SOURCE_SIZE_MAX);
    }
    uint32_t rule_count_before = keeper->rule_count;
    enum rwd_status status = take_in(
        keeper, inquiry->body, "upload.lua", NULL, NULL, &version, &is_new, &inquiry->error);
    if (status == RWD_OK && is_new) {
        size_t index = (size_t)(version - keeper->versions);
        bool *changed = rwd_new(keeper->version_count);
        changed[index] = true;
        if (keeper->options.config->rules_auto_activate) {
            activate_new_rules(keeper, rule_count_before, changed);
        }
        publish(keeper, changed);
        rwd_free(changed);
        version = &keeper->versions[index];
    }
    if (status == RWD_OK) {
        rwd_keeper_put_version(version, &inquiry->json);
    }
    return status;
}

static enum rwd_status answer(struct rwd_keeper *keeper, struct rwd_inquiry *inquiry)
{
    switch (inquiry->kind) {
    case RWD_INQUIRY_RULE_ACTIVATE:
    case RWD_INQUIRY_RULE_RETIRE:
    case RWD_INQUIRY_RULE_ROLLBACK:
        return change_state(keeper, inquiry);
    case RWD_INQUIRY_RULE_UPLOAD:
        return upload(keeper, inquiry);
    case RWD_INQUIRY_RULE:
        return rwd_keeper_put_rule(
                   keeper->versions, keeper->version_count, inquiry->id, &inquiry->json)
                   ? RWD_OK
                   : rwd_fail(&inquiry->error, RWD_NOT_FOUND, "there is no rule '%.*s'",
                         RWD_TEXT_ARGS(inquiry->id));
    default:
        rwd_keeper_put_rules(keeper->versions, keeper->version_count, keeper->errors,
            keeper->error_count, &inquiry->json);
        return RWD_OK;
    }
}

static void suspend(struct rwd_keeper *keeper, uint32_t version_no)
{
    struct rwd_keeper_version *version = &keeper->versions[version_no - 1];
    if (version->state != RWD_KEEPER_ACTIVE) {
        return; /* another shard was first, or it was retired meanwhile */
    }
    bool *changed = rwd_new(keeper->version_count);
    set_state(keeper, version, RWD_KEEPER_SUSPENDED, changed);
    publish(keeper, changed);
    rwd_free(changed);
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
        if (ready > 0 && (fds[0].revents & POLLIN) != 0) {
            handle_mail(keeper, rwd_mailbox_take(keeper->mailbox));
        }
    }
}
