#include "engine/shard_private.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/wire.h"
#include "decide/apply.h"
#include "decide/release.h"
#include "engine/keeper.h"
#include "engine/records.h"
#include "engine/shard_inputs.h"
#include "engine/shard_waiting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MAILBOX_COUNT_MAX = 4096,
    /* Rows that wait for the next checkpoint; past it the shard takes no batch until one is home.
     */
    WAITING_SIZE_MAX = 64 << 20,
    /* Of a refused event its dead letter keeps so much; the largest event is no longer. */
    DEAD_LETTER_BODY_SIZE_MAX = 512 << 10,
    /* Players may pile up dirty while the store is away, to so much of the hot limit. */
    DIRTY_PERCENT_MAX = 150,
    /* The projector is busy one part in twelve of the time at most, so that its writes leave the
     * cores and the disk to acks; the slower the store, the rarer the checkpoints. One part in six
     * while there are rewards that wait to be stored, for only then are they delivered. */
    CHECKPOINT_PAUSE_FACTOR = 11,
    CHECKPOINT_PAUSE_FACTOR_TASKS = 5,
    /* Where more players are dirty than should be in memory at all, checkpoints are this much
     * larger, and without a pause: the events behind them wait for nothing else. */
    PRESSED_FACTOR = 8,
    /* Players serialised between two batches: half a millisecond's work. */
    CHECKPOINT_SLICE_COUNT = 64,
    /* Events between two steps of foreseeing: a microsecond or two, some memory accesses. */
    FORESEE_DISTANCE = 2,
};

enum rwd_status rwd_shard_create(
    const struct rwd_shard_options *options, struct rwd_shard **shard, struct rwd_error *error)
{
    struct rwd_shard *made = rwd_new(sizeof *made);
    made->options = *options;
    enum rwd_status status = rwd_store_reader_open(options->store_url, &made->reader, error);
    if (status != RWD_OK) {
        rwd_free(made);
        return status;
    }
    made->mailbox = rwd_mailbox_create(MAILBOX_COUNT_MAX);
    made->watch = rwd_rule_watch_create();
    made->players = rwd_players_create(made->reader);
    made->filling = rwd_checkpoint_message_create();
    made->spare = rwd_checkpoint_message_create();
    made->last_stamp = options->replay_position;
    made->stamps = rwd_new(sizeof made->stamps[0]);
    made->stamps[0] = (struct stamp){.epoch = 0, .position = options->replay_position};
    made->stamp_count = 1;
    made->stamp_capacity = 1;
    made->waiting_room = rwd_waiting_room_create();
    rwd_arena_init(&made->replay_arena, 64 << 10, 64 << 20);
    rwd_arena_init(&made->release_arena, 64 << 10, 64 << 20);
    made->hot_count_max = (size_t)options->config->engine_hot_player_count_max /
                          (size_t)options->config->engine_shards;
    *shard = made;
    return RWD_OK;
}

void rwd_shard_destroy(struct rwd_shard *shard)
{
    if (shard == NULL) {
        return;
    }
    rwd_rule_watch_destroy(shard->watch);
    rwd_ruleset_destroy(shard->ruleset);
    rwd_players_destroy(shard->players);
    rwd_store_reader_close(shard->reader);
    rwd_checkpoint_message_destroy(shard->filling);
    rwd_checkpoint_message_destroy(shard->spare);
    rwd_mailbox_destroy(shard->mailbox);
    rwd_arena_finish(&shard->replay_arena);
    rwd_arena_finish(&shard->release_arena);
    rwd_waiting_room_destroy(shard->waiting_room);
    rwd_batch_destroy(shard->due_batch);
    rwd_buffer_finish(&shard->scratch);
    rwd_free(shard->stamps);
    rwd_free(shard);
}

struct rwd_mailbox *rwd_shard_mailbox(struct rwd_shard *shard)
{
    return shard->mailbox;
}

struct rwd_shard_metrics *rwd_shard_metrics(struct rwd_shard *shard)
{
    return &shard->metrics;
}

const struct rwd_rule_counters *rwd_shard_rule_counters(const struct rwd_shard *shard)
{
    return rwd_rule_watch_counters(shard->watch);
}

static void publish_rules(struct rwd_shard *shard)
{
    if (shard->ruleset != NULL) {
        rwd_rule_watch_publish(
            shard->watch, shard->ruleset, rwd_clock_monotonic_ns(&shard->options.clock));
    }
}

static int64_t cost_clock_ns(void *context)
{
    const struct rwd_shard *shard = context;
    return rwd_clock_monotonic_ns(&shard->options.clock);
}

static void rule_failed(
    void *context, const struct rwd_rule *rule, const struct rwd_error *error, bool suspended)
{
    const struct rwd_shard *shard = context;
    rwd_log(RWD_LOG_WARN, "rule", "rule=%s version=%s shard=%u msg=\"%s\"", rule->id, rule->version,
        shard->options.index, error->text);
    if (suspended) {
        rwd_log(RWD_LOG_ERROR, "rule",
            "rule=%s version=%s shard=%u msg=\"ALERT: suspended, the last error being: %s; other "
            "rules go on. Activate another version, or this one again\"",
            rule->id, rule->version, shard->options.index, error->text);
        struct rwd_suspension_message *message = rwd_new(sizeof *message);
        message->message.kind = RWD_KEEPER_SUSPEND;
        message->version_no = rule->version_no;
        message->error = *error;
        rwd_mailbox_return(shard->options.keeper, &message->message);
    }
}

/* ---- one input ---- */

/* The record's own part of an input: the scratch buffer's bytes, kept with the batch. False: it is
 * too long for the journal, or the batch's memory is used up. */
static bool set_record(struct rwd_shard *shard, struct rwd_input *input, enum rwd_record_type type,
    uint64_t sequence, int64_t time_ms)
{
    size_t raw_size = type == RWD_RECORD_EVENT ? input->event.raw.size : 0;
    if (shard->scratch.size > RWD_SHARD_RECORD_SIZE_MAX - raw_size) {
        return false;
    }
    char *copy = rwd_arena_copy(&input->batch->arena, shard->scratch.data, shard->scratch.size);
    if (copy == NULL) {
        return false;
    }
    input->parts[0] = (struct rwd_text){.data = copy, .size = shard->scratch.size};
    input->record = (struct rwd_record){.type = (uint8_t)type,
        .sequence = sequence,
        .time_ms = time_ms,
        .user_fingerprint = input->user_fingerprint,
        .event_fingerprint = input->event.event_fingerprint};
    return true;
}

static void refuse(struct rwd_input *input, const char *type, const char *detail)
{
    static const struct rwd_problem no_memory = {
        .type = "limit", .detail = "the batch's memory is used up; send the event again"};
    struct rwd_problem *problem = rwd_arena_alloc(&input->batch->arena, sizeof *problem);
    if (problem != NULL) {
        rwd_problem_set(problem, type, "", "%s", detail);
    }
    input->problem = problem != NULL ? problem : &no_memory;
    input->outcome = RWD_OUTCOME_REJECTED;
}

static void fail(struct rwd_input *input, enum rwd_status status, const struct rwd_error *error)
{
    static const struct rwd_error no_memory = {.text = "the batch's memory is used up; ask again"};
    struct rwd_error *copy = rwd_arena_alloc(&input->batch->arena, sizeof *copy);
    if (copy != NULL) {
        *copy = *error;
    }
    input->error = copy != NULL ? copy : &no_memory;
    input->status = status;
    input->outcome = RWD_OUTCOME_FAILED;
}

bool rwd_shard__has_open_change(const struct rwd_decision *decision)
{
    return decision->task_count > 0 || decision->change_count > 0;
}

void rwd_shard__apply(struct rwd_shard *shard, struct rwd_player *player,
    const struct rwd_decision *decision, uint64_t sequence)
{
    rwd_apply(player, decision, sequence, shard->options.pools, false);
    rwd_players_mark_dirty(
        shard->players, player, shard->epoch, rwd_shard__has_open_change(decision));
    if (decision->waits != NULL || decision->release != RWD_RELEASE_NONE) {
        rwd_shard__note_waiting(shard, player);
    }
}

struct rwd_decide_facts rwd_shard__facts(struct rwd_shard *shard, int64_t now_ms)
{
    return (struct rwd_decide_facts){.ruleset = shard->ruleset,
        .pools = shard->options.pools,
        .gates = shard->options.gates,
        .now_ms = now_ms,
        .rule_failed = rule_failed,
        .cost_clock_ns = cost_clock_ns,
        .context = shard};
}

static void put_dead_letter(
    struct rwd_shard *shard, struct rwd_input *input, uint64_t sequence, int64_t now_ms)
{
    rwd_count(&shard->metrics.rejected, 1);
    if (input->is_retry) {
        return;
    }
    char letter_id[32];
    (void)snprintf(letter_id, sizeof letter_id, "dl_%016" PRIx64, sequence);
    struct rwd_dead_letter_row row = {
        .letter_id = rwd_text_of(letter_id),
        .lane = RWD_TEXT("events"),
        .reason = rwd_text_of(input->problem->type),
        .pointer = rwd_text_of(input->problem->pointer),
        .detail = rwd_text_of(input->problem->detail),
        .user_id = input->event.user_id,
        .reference = input->event.event_id,
        .body = {.data = input->event.raw.data,
            .size = input->event.raw.size < (size_t)DEAD_LETTER_BODY_SIZE_MAX
                        ? input->event.raw.size
                        : (size_t)DEAD_LETTER_BODY_SIZE_MAX},
        .status = RWD_TEXT("open"),
        .created_ms = now_ms,
        .updated_ms = now_ms,
    };
    shard->scratch.size = 0;
    rwd_dead_letter_encode(&row, &shard->scratch);
    if (set_record(shard, input, RWD_RECORD_DEAD_LETTER, sequence, now_ms)) {
        rwd_checkpoint_add_dead_letter(shard->filling, &row);
    }
}

static void handle_event(
    struct rwd_shard *shard, struct rwd_input *input, uint64_t sequence, int64_t now_ms)
{
    struct rwd_player *player = NULL;
    struct rwd_error error;
    enum rwd_status status = rwd_players_get(
        shard->players, input->event.user_id, input->user_fingerprint, &player, &error);
    if (status != RWD_OK) {
        rwd_log(RWD_LOG_ERROR, "shard", "shard=%u msg=\"%s\"", shard->options.index, error.text);
        refuse(input, "store_unavailable", "the player could not be loaded; send the event again");
        return;
    }
    const struct rwd_decide_facts facts = rwd_shard__facts(shard, now_ms);
    struct rwd_problem problem;
    struct rwd_arena_mark mark = rwd_arena_mark(&input->batch->arena);
    status =
        rwd_decide(&facts, &input->event, player, &input->batch->arena, &input->decision, &problem);
    if (status == RWD_CONFLICT) {
        input->outcome = RWD_OUTCOME_DUPLICATE;
        rwd_count(&shard->metrics.duplicates, 1);
        return;
    }
    if (status == RWD_INVALID) {
        refuse(input, problem.type, problem.detail);
        put_dead_letter(shard, input, sequence, now_ms);
        return;
    }
    shard->scratch.size = 0;
    if (status == RWD_OK) {
        rwd_event_body_encode(input->event.user_id, &input->decision, &shard->scratch);
    }
    if (status != RWD_OK || !set_record(shard, input, RWD_RECORD_EVENT, sequence, now_ms)) {
        /* Only monsters get here: the batch's memory is used up, which must not take that of the
         * events behind this one too, or the decision is longer than a record. */
        bool too_long = status == RWD_OK;
        rwd_decide_undo(&facts, &input->decision);
        input->decision = (struct rwd_decision){0};
        rwd_arena_rewind(&input->batch->arena, mark);
        refuse(input, "limit",
            too_long ? "what the rules make of this event is longer than a record may be"
                     : "the batch's memory is used up; send the event again in a smaller request");
        return;
    }
    input->parts[1] = input->event.raw;
    input->outcome = RWD_OUTCOME_ACCEPTED;
    rwd_rule_watch_decided(
        shard->watch, &facts, &input->event, input->user_fingerprint, player, &input->decision);
    rwd_shard__apply(shard, player, &input->decision, sequence);
    rwd_count(&shard->metrics.accepted, 1);
    rwd_count(&shard->metrics.late, input->decision.late);
    rwd_count(&shard->metrics.tasks_created, input->decision.task_count);
    if (player->waiting != NULL) {
        rwd_shard__release_due(shard, input, player, now_ms, RWD_RELEASE_NO_CLOCK);
    }
}

void rwd_shard__add_delivery(struct rwd_shard *shard, const struct rwd_task_command *command,
    uint32_t attempt, int64_t now_ms)
{
    if (command->kind != RWD_TASK_SUCCESS && command->kind != RWD_TASK_RETRY &&
        command->kind != RWD_TASK_REFUSED) {
        return;
    }
    char task_id[RWD_TASK_ID_TEXT_SIZE];
    rwd_task_id_format(command->id, task_id);
    const struct rwd_delivery_row row = {.task_id = rwd_text_of(task_id),
        .attempt = attempt,
        .at_ms = now_ms,
        .endpoint = command->endpoint,
        .http_status = command->http_status,
        .outcome = rwd_text_of(rwd_task_command_name(command->kind)),
        .detail = command->note};
    rwd_checkpoint_add_delivery(shard->filling, &row);
}

/* The failed task itself, from the player or the store: what the asker saw may be old, and a task
 * that was paid meanwhile must not start anew. */
static enum rwd_status read_failed_task(struct rwd_shard *shard, struct rwd_input *input,
    const struct rwd_player *player, const struct rwd_task_command **command,
    struct rwd_error *error)
{
    struct rwd_arena *arena = &input->batch->arena;
    struct rwd_task *task = rwd_arena_alloc(arena, sizeof *task);
    struct rwd_task_command *own = rwd_arena_alloc(arena, sizeof *own);
    if (task == NULL || own == NULL) {
        return rwd_fail(error, RWD_LIMIT, "the batch's memory is used up");
    }
    const struct rwd_task *known = rwd_player_task_find(player, (*command)->id);
    if (known != NULL) {
        *task = *known;
    } else {
        char task_id[RWD_TASK_ID_TEXT_SIZE];
        rwd_task_id_format((*command)->id, task_id);
        struct rwd_task_row row;
        enum rwd_status status =
            rwd_store_task(shard->reader, rwd_text_of(task_id), arena, &row, error);
        if (status != RWD_OK) {
            return status;
        }
        struct rwd_wire wire = rwd_wire_of(row.state.data, row.state.size);
        rwd_task_decode(&wire, task);
        if (!rwd_wire_done(&wire)) {
            return rwd_fail(error, RWD_CORRUPT, "the stored task %s cannot be read", task_id);
        }
    }
    *own = **command;
    own->task = task;
    *command = own;
    return RWD_OK;
}

static void handle_task(
    struct rwd_shard *shard, struct rwd_input *input, uint64_t sequence, int64_t now_ms)
{
    const struct rwd_task_command *command = input->command;
    struct rwd_player *player = NULL;
    struct rwd_error error;
    enum rwd_status status = rwd_players_find(
        shard->players, command->user_id, input->user_fingerprint, &player, &error);
    if (status == RWD_OK &&
        (command->kind == RWD_TASK_REPROCESS || command->kind == RWD_TASK_DROP)) {
        status = read_failed_task(shard, input, player, &command, &error);
    }
    if (status == RWD_OK) {
        status = rwd_decide_task(shard->options.gates, shard->options.pools, command, player,
            now_ms, &input->batch->arena, &input->decision, &error);
    }
    if (status != RWD_OK) {
        fail(input, status, &error);
        return;
    }
    shard->scratch.size = 0;
    rwd_task_body_encode(command, &input->decision, &shard->scratch);
    RWD_REQUIRE(set_record(shard, input, RWD_RECORD_TASK, sequence, now_ms));
    rwd_shard__apply(shard, player, &input->decision, sequence);
    rwd_shard__add_delivery(shard, command, command->attempt, now_ms);
    struct rwd_task *task = rwd_arena_alloc(&input->batch->arena, sizeof *task);
    RWD_REQUIRE(task != NULL);
    *task = *rwd_player_task_find(player, command->id);
    input->task = task;
    input->kyc_level = player->profile.kyc_level;
    input->outcome = RWD_OUTCOME_ACCEPTED;
}

static void handle_player(struct rwd_shard *shard, struct rwd_input *input)
{
    struct rwd_player *player = NULL;
    struct rwd_error error;
    enum rwd_status status =
        rwd_players_find(shard->players, input->user_id, input->user_fingerprint, &player, &error);
    if (status != RWD_OK) {
        if (status == RWD_NOT_FOUND) {
            (void)rwd_fail(&error, status, "no event of player '%.*s' was ever accepted",
                RWD_TEXT_ARGS(input->user_id));
        }
        fail(input, status, &error);
        return;
    }
    shard->scratch.size = 0;
    rwd_engine__put_player(player, shard->options.directory, &shard->scratch);
    char *copy = rwd_arena_copy(&input->batch->arena, shard->scratch.data, shard->scratch.size);
    if (copy == NULL) {
        (void)rwd_fail(&error, RWD_LIMIT, "the batch's memory is used up; ask again");
        fail(input, RWD_LIMIT, &error);
        return;
    }
    input->json = (struct rwd_text){.data = copy, .size = shard->scratch.size};
    input->outcome = RWD_OUTCOME_ACCEPTED;
}

/* A row as it stands: journaled and stored, no player involved. */
static void handle_row(
    struct rwd_shard *shard, struct rwd_input *input, uint64_t sequence, int64_t now_ms)
{
    struct rwd_error error;
    shard->scratch.size = 0;
    enum rwd_record_type type = RWD_RECORD_RULE;
    if (input->kind == RWD_INPUT_BUDGET) {
        struct rwd_budget_row row = *input->budget;
        enum rwd_status status = rwd_engine__announce_budget(shard->options.pools, &row, &error);
        if (status != RWD_OK) {
            fail(input, status, &error);
            return;
        }
        rwd_budget_encode(&row, &shard->scratch);
        rwd_checkpoint_add_budget(shard->filling, &row);
        type = RWD_RECORD_BUDGET;
    } else if (input->kind == RWD_INPUT_RULE_VERSION) {
        rwd_rule_version_encode(input->rule_version, &shard->scratch);
        rwd_checkpoint_add_rule_version(shard->filling, input->rule_version);
    } else if (input->kind == RWD_INPUT_RULEBOOK) {
        const struct rwd_rulebook_row *rulebook = input->rulebook;
        rwd_rulebook_encode(rulebook, &shard->scratch);
        rwd_checkpoint_add_rulebook(shard->filling, rulebook);
        for (size_t i = 0; i < rulebook->changed_count; i++) {
            rwd_checkpoint_add_rule_version(shard->filling, &rulebook->changed[i]);
        }
        type = RWD_RECORD_RULEBOOK;
    } else {
        type = RWD_RECORD_DEAD_LETTER_CHANGE;
        rwd_dead_letter_encode(input->dead_letter, &shard->scratch);
        if (shard->scratch.size > RWD_SHARD_RECORD_SIZE_MAX) {
            (void)rwd_fail(&error, RWD_LIMIT,
                "the body is too long: with the rest of its letter at most %d bytes",
                RWD_SHARD_RECORD_SIZE_MAX);
            fail(input, RWD_LIMIT, &error);
            return;
        }
        rwd_checkpoint_add_dead_letter(shard->filling, input->dead_letter);
    }
    RWD_REQUIRE(set_record(shard, input, type, sequence, now_ms));
    input->outcome = RWD_OUTCOME_ACCEPTED;
}

static void handle_input(
    struct rwd_shard *shard, struct rwd_input *input, uint64_t sequence, int64_t now_ms)
{
    switch (input->kind) {
    case RWD_INPUT_EVENT:
        handle_event(shard, input, sequence, input->event.ingest_ms);
        break;
    case RWD_INPUT_REFUSED:
        input->outcome = RWD_OUTCOME_REJECTED;
        put_dead_letter(shard, input, sequence, now_ms);
        break;
    case RWD_INPUT_TASK:
        handle_task(shard, input, sequence, now_ms);
        break;
    case RWD_INPUT_PLAYER:
        handle_player(shard, input);
        break;
    case RWD_INPUT_RELEASE:
        rwd_shard__handle_release(shard, input, now_ms);
        break;
    case RWD_INPUT_BUDGET:
    case RWD_INPUT_RULE_VERSION:
    case RWD_INPUT_RULEBOOK:
    case RWD_INPUT_DEAD_LETTER_CHANGE:
        handle_row(shard, input, sequence, now_ms);
        break;
    }
}

/* Players are far apart in memory, and an event spends most of its time waiting for its own. */
static void foresee(const struct rwd_shard *shard, const struct rwd_batch *batch, size_t at)
{
    for (unsigned step = 0; step < RWD_PLAYERS_FORESEE_STEPS; step++) {
        size_t i = at + (size_t)(RWD_PLAYERS_FORESEE_STEPS - step) * FORESEE_DISTANCE;
        if (i < batch->count) {
            const struct rwd_input *input = &batch->inputs[i];
            rwd_players_foresee(
                shard->players, input->user_fingerprint, input->event.event_fingerprint, step);
        }
    }
}

static void handle_batch(struct rwd_shard *shard, struct rwd_batch *batch)
{
    shard->idle = false;
    RWD_REQUIRE(batch->count > 0);
    int64_t begin_ns = rwd_clock_monotonic_ns(&shard->options.clock);
    int64_t now_ms = rwd_clock_wall_ms(&shard->options.clock);
    uint64_t sequence = atomic_fetch_add(shard->options.sequence, batch->count);
    rwd_store_reader_hold(shard->reader);
    for (size_t i = 0; i < batch->count; i++) {
        foresee(shard, batch, i);
        handle_input(shard, &batch->inputs[i], ++sequence, now_ms);
        if (batch->inputs[i].followups != NULL) {
            /* They took numbers, and what comes behind them has larger ones. */
            sequence = atomic_fetch_add(shard->options.sequence, batch->count - i - 1);
        }
    }
    rwd_store_reader_release(shard->reader);
    batch->decided_ns = rwd_clock_monotonic_ns(&shard->options.clock);
    rwd_histogram_add(&shard->metrics.decide_ns,
        (uint64_t)(batch->decided_ns - begin_ns) / batch->count, batch->count);
    if (batch->inputs[0].kind == RWD_INPUT_BUDGET) {
        batch->onward = batch->home;
        batch->onward_kind = batch->home_kind;
        batch->home = shard->mailbox;
        batch->home_kind = RWD_SHARD_DURABLE;
        shard->unsettled_count++;
    }
    rwd_mailbox_return(shard->options.journal, &batch->message);
}

/* Budgets are durable: from here on decisions may rest on caps that they raised, since whatever any
 * shard decides now stands behind them in the journal. */
static void settle_batch(struct rwd_shard *shard, struct rwd_batch *batch)
{
    rwd_engine__settle_budgets(shard->options.pools, batch);
    shard->unsettled_count--;
    batch->home = batch->onward;
    batch->home_kind = batch->onward_kind;
    batch->message.kind = batch->home_kind;
    rwd_mailbox_return(batch->home, &batch->message);
}

/* ---- checkpoints ---- */

static uint64_t position_of_epoch(const struct rwd_shard *shard, uint64_t epoch)
{
    for (size_t i = shard->stamp_count; i > 0; i--) {
        if (shard->stamps[i - 1].epoch == epoch) {
            return shard->stamps[i - 1].position;
        }
    }
    return RWD_CHECKPOINT_AT_STAMP; /* this very checkpoint's: the journal will tell */
}

static void forget_stamps_before(struct rwd_shard *shard, uint64_t epoch)
{
    size_t old = 0;
    while (old < shard->stamp_count && shard->stamps[old].epoch < epoch) {
        old++;
    }
    memmove(
        shard->stamps, shard->stamps + old, (shard->stamp_count - old) * sizeof shard->stamps[0]);
    shard->stamp_count -= old;
}

int64_t rwd_shard__add_dirty_players(
    struct rwd_shard *shard, struct rwd_checkpoint_message *message, int64_t count)
{
    int64_t added = 0;
    while (added < count) {
        struct rwd_player *player = rwd_players_take_dirty(shard->players, shard->epoch + 1);
        if (player == NULL) {
            break;
        }
        rwd_checkpoint_add_player(message, player, shard->options.directory, shard->options.pools);
        added++;
    }
    return added;
}

static void post_checkpoint(struct rwd_shard *shard)
{
    struct rwd_checkpoint_message *message = shard->filling;
    shard->filling = shard->spare;
    shard->spare = NULL;
    shard->epoch++;
    shard->taken = 0;
    shard->idle = true;
    uint64_t since = rwd_players_dirty_since(shard->players, shard->epoch);
    forget_stamps_before(shard, since);
    message->message.kind = RWD_SHARD_CHECKPOINT;
    message->shard = shard->options.index;
    message->epoch = shard->epoch;
    message->replay_position = position_of_epoch(shard, since);
    message->rows.sequence = atomic_load(shard->options.sequence);
    message->has_all_tasks = rwd_players_urgent_count(shard->players) == 0;
    message->home = shard->mailbox;
    rwd_mailbox_return(shard->options.journal, &message->message);
}

/* Anything to store, or a journal that went on without us and whose position is to move? */
static bool checkpoint_wanted(const struct rwd_shard *shard)
{
    return rwd_players_dirty_count(shard->players) > 0 || shard->filling->size > 0 ||
           atomic_load(shard->options.journal_end) != shard->last_stamp;
}

static bool pressed(const struct rwd_shard *shard)
{
    return rwd_players_dirty_count(shard->players) > shard->hot_count_max;
}

static void checkpoint_home(struct rwd_shard *shard, struct rwd_checkpoint_message *message)
{
    shard->committed_epoch = message->epoch;
    shard->last_stamp = message->stamp;
    size_t capacity = shard->stamp_capacity;
    shard->stamps =
        rwd_room_for(shard->stamps, shard->stamp_count, &capacity, sizeof shard->stamps[0]);
    shard->stamp_capacity = capacity;
    shard->stamps[shard->stamp_count++] =
        (struct stamp){.epoch = message->epoch, .position = message->stamp};
    /* The interval is between rounds, and a round is as many checkpoints as it takes. */
    int64_t factor =
        message->has_all_tasks ? CHECKPOINT_PAUSE_FACTOR : CHECKPOINT_PAUSE_FACTOR_TASKS;
    int64_t pause_ns = shard->idle || pressed(shard) ? 0 : message->taken_ns * factor;
    if (rwd_players_dirty_since(shard->players, UINT64_MAX) > shard->round_epoch) {
        int64_t interval_ns = shard->options.config->engine_checkpoint_interval_ms * 1000000;
        pause_ns = pause_ns > interval_ns ? pause_ns : interval_ns;
        shard->round_epoch = shard->epoch;
    }
    shard->next_checkpoint_ns = rwd_clock_monotonic_ns(&shard->options.clock) + pause_ns;
    rwd_checkpoint_message_reset(message);
    shard->spare = message;
    rwd_count(&shard->metrics.players_evicted,
        rwd_players_evict(shard->players, shard->hot_count_max, shard->committed_epoch));
}

/* Posts a checkpoint when one is due; returns how long to wait for messages at most. */
static int tend_checkpoint(struct rwd_shard *shard)
{
    if (shard->spare == NULL) {
        return -1; /* one is on its way; its return wakes us */
    }
    int64_t now_ns = rwd_clock_monotonic_ns(&shard->options.clock);
    int64_t left_ns = shard->next_checkpoint_ns - now_ns;
    if (left_ns > 0 && !shard->stopping) {
        return (int)(left_ns / 1000000) + 1;
    }
    if (checkpoint_wanted(shard)) {
        /* A slice at a time, with batches in between: a checkpoint must not keep an ack waiting. */
        int64_t most = shard->options.config->engine_checkpoint_player_count_max *
                       (pressed(shard) ? PRESSED_FACTOR : 1);
        int64_t room = most > shard->taken ? most - shard->taken : 0;
        int64_t slice = room < CHECKPOINT_SLICE_COUNT ? room : CHECKPOINT_SLICE_COUNT;
        int64_t added = rwd_shard__add_dirty_players(shard, shard->filling, slice);
        shard->taken += added;
        if (added == slice && added < room) {
            return 0;
        }
        post_checkpoint(shard);
        return -1;
    }
    shard->next_checkpoint_ns =
        now_ns + shard->options.config->engine_checkpoint_interval_ms * 1000000;
    return (int)shard->options.config->engine_checkpoint_interval_ms;
}

/* ---- the thread ---- */

/* A version that was activated again begins with a clean slate, though its VM and counters go on.
 */
static void resume_rules(struct rwd_shard *shard)
{
    const struct rwd_rulebook *rulebook = rwd_ruleset_rulebook(shard->ruleset);
    for (size_t i = 0; i < rwd_rulebook_count(rulebook); i++) {
        if (!rwd_rulebook_at(rulebook, i)->suspended && rwd_ruleset_suspended(shard->ruleset, i)) {
            rwd_ruleset_resume(shard->ruleset, i);
        }
    }
}

static void switch_rulebook(struct rwd_shard *shard, struct rwd_rulebook_message *message)
{
    struct rwd_ruleset_limits limits = rwd_engine__ruleset_limits(shard->options.config);
    struct rwd_in_flight *in_flight = shard->options.in_flight;
    if (in_flight != NULL) {
        limits.in_flight = rwd_in_flight_cell(in_flight, shard->options.index);
    }
    struct rwd_ruleset *next = NULL;
    struct rwd_error error;
    publish_rules(shard); /* of versions that leave, too */
    /* The keeper has loaded every rule of it before; a VM that fails here all the same leaves the
     * old rules in force. */
    if (rwd_ruleset_create(message->rulebook, &limits, &shard->ruleset, &next, &error) == RWD_OK) {
        shard->ruleset = next;
        resume_rules(shard);
        rwd_rule_watch_switched(shard->watch, next);
    } else {
        rwd_log(RWD_LOG_ERROR, "shard", "shard=%u rulebook=%u msg=\"%s; the old rules go on\"",
            shard->options.index, rwd_rulebook_no(message->rulebook), error.text);
    }
    rwd_rulebook_release(message->rulebook);
    rwd_free(message);
}

/* Too much waits for the store: batches stay where they are until a checkpoint is home. */
static bool choked(const struct rwd_shard *shard)
{
    return shard->filling->size > WAITING_SIZE_MAX ||
           rwd_players_dirty_count(shard->players) * 100 > shard->hot_count_max * DIRTY_PERCENT_MAX;
}

static void enqueue(struct rwd_shard *shard, struct rwd_message *messages)
{
    while (messages != NULL) {
        struct rwd_message *message = messages;
        messages = message->next;
        /* A checkpoint that comes home is what unchokes us: it does not queue. */
        if (message->kind == RWD_SHARD_CHECKPOINT) {
            checkpoint_home(shard, (struct rwd_checkpoint_message *)message);
            continue;
        }
        if (message->kind == RWD_SHARD_DURABLE) {
            settle_batch(shard, (struct rwd_batch *)message);
            continue;
        }
        if (message->kind == RWD_SHARD_RELEASED) {
            rwd_shard__due_batch_home(shard);
            continue;
        }
        message->next = NULL;
        if (shard->waiting == NULL) {
            shard->waiting = message;
        } else {
            shard->waiting_last->next = message;
        }
        shard->waiting_last = message;
    }
}

static void handle_waiting(struct rwd_shard *shard)
{
    while (shard->waiting != NULL && !choked(shard)) {
        struct rwd_message *message = shard->waiting;
        shard->waiting = message->next;
        if (message->kind == RWD_SHARD_BATCH) {
            handle_batch(shard, (struct rwd_batch *)message);
        } else if (message->kind == RWD_SHARD_RULEBOOK) {
            switch_rulebook(shard, (struct rwd_rulebook_message *)message);
        } else {
            RWD_REQUIRE(message->kind == RWD_SHARD_STOP);
            shard->stopping = true;
            rwd_free(message);
        }
    }
}

/* Releases what time made due; returns how long to wait at most. */
static int tend_due(struct rwd_shard *shard)
{
    int timeout_ms = -1;
    struct rwd_batch *batch = choked(shard) ? NULL : rwd_shard__due_batch(shard, &timeout_ms);
    if (batch != NULL) {
        handle_batch(shard, batch);
    }
    return timeout_ms;
}

bool rwd_shard_turn(struct rwd_shard *shard, int *wait_ms)
{
    enqueue(shard, rwd_mailbox_wait(shard->mailbox, *wait_ms));
    handle_waiting(shard);
    int due_ms = tend_due(shard);
    *wait_ms = tend_checkpoint(shard);
    *wait_ms = due_ms >= 0 && (*wait_ms < 0 || due_ms < *wait_ms) ? due_ms : *wait_ms;
    publish_rules(shard);
    atomic_store_explicit(
        &shard->metrics.hot_players, rwd_players_count(shard->players), memory_order_relaxed);
    atomic_store_explicit(&shard->metrics.dirty_players, rwd_players_dirty_count(shard->players),
        memory_order_relaxed);
    atomic_store_explicit(&shard->metrics.players_loaded, rwd_players_loaded_count(shard->players),
        memory_order_relaxed);
    return !shard->stopping || shard->waiting != NULL || shard->spare == NULL ||
           shard->unsettled_count > 0 || rwd_players_dirty_count(shard->players) > 0 ||
           shard->filling->size > 0;
}

void rwd_shard_run(void *context)
{
    struct rwd_shard *shard = context;
    struct rwd_in_flight *in_flight = shard->options.in_flight;
    if (in_flight != NULL) {
        rwd_in_flight_guard(in_flight, shard->options.index);
    }
    for (int wait_ms = 0; rwd_shard_turn(shard, &wait_ms);) {
    }
    if (in_flight != NULL) {
        rwd_in_flight_unguard(in_flight, shard->options.index);
    }
}
