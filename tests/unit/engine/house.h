/*
 * house: a whole shard in its thread, for the tests of shards: the test plays io, journal,
 * projector and the crash.
 */
#ifndef RWD_TESTS_ENGINE_HOUSE_H
#define RWD_TESTS_ENGINE_HOUSE_H

#include "../decide/support.h"
#include "engine/records.h"
#include "engine/shard.h"
#include "runtime/thread.h"
#include "support.h"

enum { HOME_KIND = 77, RECORD_COUNT_MAX = 20000, USER_COUNT = 40, STEP = 64 };

static const char *const rule_ids[] = {"a", "b", "c"};
static const char *const rule_sources[] = {
    "return rule { id = 'a', version = '1.0.0', on = 'bet', guards = { budget = 'season', "
    "kyc_min_level = 0 },\n"
    "aggregates = { n = count('1h') }, state = { k = 0 },\n"
    "score = function(event) return event.payload.s end, caps = { per_minute = 500, per_day = "
    "2000 },\n"
    "milestones = { { at = 50, reward = freespins { count = 3, game = 'g' } },\n"
    "{ at = 200, reward = bonus_cash { amount = '1.50', currency = 'EUR' } } } }",
    "return rule { id = 'b', version = '1.0.0', on = 'bet', guards = { budget = 'season', "
    "kyc_min_level = 1 },\n"
    "state = { n = 0 }, grant = function(event, player, state) state.n = "
    "state.n + 1\n"
    "if state.n % 4 == 0 then return freespins { count = 1, game = 'g' } end end }",
    /* In event time: points for each bet that is larger than the one before. */
    "return rule { id = 'c', version = '1.0.0', on = 'bet', order = 'event_time',\n"
    "state = { last = 0 }, caps = { per_day = 100 },\n"
    "milestones = { { at = 20, reward = badge { name = 'climber' } } },\n"
    "score = function(event, player, state) local last = state.last\n"
    "state.last = event.payload.s return event.payload.s > last and 3 or 0 end }",
};
enum { RULE_COUNT = sizeof rule_ids / sizeof rule_ids[0] };

struct kept_record {
    struct rwd_record record;
    char *body;
};

struct house {
    struct shelf shelf; /* what the projector writes */
    struct shelf old;   /* stops being written at the crash */
    bool old_stopped;
    struct rwd_config *config;
    struct rwd_gates gates;
    struct rwd_pools *pools;
    struct rwd_directory *directory;
    struct rwd_mailbox *journal;
    struct rwd_mailbox *home;
    _Atomic uint64_t sequence;
    _Atomic uint64_t journal_end;
    struct rwd_shard *shard;
    struct rwd_thread thread;
    struct rwd_rulebook *rulebook;
    struct rwd_shared_rule *rules[RULE_COUNT];
    struct kept_record *records;
    size_t record_count;
    size_t checkpoint_count;
    struct rwd_checkpoint_message *parked; /* a checkpoint the projector sits on */
    bool park;
    struct rwd_error error;
};

/* What the wall clock says, which a test may move. */
static _Atomic int64_t wall_now_ms = noon_ms + 10;

static inline int64_t wall_ms(void *context)
{
    (void)context;
    return atomic_load(&wall_now_ms);
}

static inline int64_t monotonic_ns(void *context)
{
    (void)context;
    const struct rwd_clock system = rwd_clock_system();
    return rwd_clock_monotonic_ns(&system);
}

static inline struct rwd_shard *new_shard(
    struct house *house, const char *store_url, struct rwd_pools *pools, uint64_t position)
{
    const struct rwd_shard_options options = {.config = house->config,
        .gates = &house->gates,
        .pools = pools,
        .directory = house->directory,
        .store_url = store_url,
        .clock = {.wall_ms = wall_ms, .monotonic_ns = monotonic_ns},
        .journal = house->journal,
        .keeper = house->home,
        .sequence = &house->sequence,
        .journal_end = &house->journal_end,
        .replay_position = position};
    struct rwd_shard *shard = NULL;
    SHELF_OK(house, rwd_shard_create(&options, &shard, &house->error));
    return shard;
}

static inline struct rwd_pools *new_pools(void)
{
    return rwd_pools_create();
}

static inline void house_start(struct house *house)
{
    struct rwd_rulebook_message *message = rwd_new(sizeof *message);
    message->message.kind = RWD_SHARD_RULEBOOK;
    message->rulebook = rwd_rulebook_acquire(house->rulebook);
    rwd_mailbox_return(rwd_shard_mailbox(house->shard), &message->message);
    SHELF_OK(house, rwd_thread_start(&house->thread, "shard", RWD_SANDBOX_STACK_SIZE, rwd_shard_run,
                        house->shard, &house->error));
}

static inline void house_open(
    struct house *house, const char *const *overrides, size_t override_count)
{
    memset(house, 0, sizeof *house);
    shelf_open(&house->shelf);
    shelf_open(&house->old);
    SHELF_OK(
        house, rwd_config_load(NULL, overrides, override_count, &house->config, &house->error));
    house->gates = rwd_gates_of(house->config);
    house->gates.prices = world_prices;
    house->gates.price_count = sizeof world_prices / sizeof world_prices[0];
    house->pools = new_pools();
    house->directory = directory_of(rule_ids, RULE_COUNT);
    house->journal = rwd_mailbox_create(4096);
    house->home = rwd_mailbox_create(4096);
    house->records = rwd_new(RECORD_COUNT_MAX * sizeof house->records[0]);
    house->journal_end = STEP;
    const struct rwd_sandbox_limits limits = world_limits().sandbox;
    for (uint32_t i = 0; i < RULE_COUNT; i++) {
        struct rwd_rule *rule = NULL;
        SHELF_OK(house,
            rwd_rule_load(rwd_text_of(rule_sources[i]), "r.lua", &limits, &rule, &house->error));
        rule->rule_no = i + 1;
        rule->version_no = i + 1;
        house->rules[i] = rwd_shared_rule_create(&rule);
    }
    house->rulebook = rwd_rulebook_create(1, house->rules, RULE_COUNT);
    house->shard = new_shard(house, house->shelf.url, house->pools, STEP);
    house_start(house);
}

/* ---- the journal's and the projector's part ---- */

static inline void append_record(
    struct house *house, const struct rwd_record *record, const struct rwd_text *parts)
{
    assert_true(house->record_count < RECORD_COUNT_MAX);
    struct kept_record *kept = &house->records[house->record_count++];
    struct rwd_buffer body = {0};
    rwd_buffer_put_text(&body, parts[0]);
    rwd_buffer_put_text(&body, parts[1]);
    kept->record = *record;
    kept->body = rwd_copy(body.data, body.size);
    kept->record.body = (struct rwd_text){.data = kept->body, .size = body.size};
    kept->record.position = atomic_fetch_add(&house->journal_end, STEP);
    rwd_buffer_finish(&body);
}

static inline void append(struct house *house, const struct rwd_input *input)
{
    if (input->record.type != 0) {
        append_record(house, &input->record, input->parts);
    }
    for (const struct rwd_followup *at = input->followups; at != NULL; at = at->next) {
        append_record(house, &at->record, at->parts);
    }
}

static inline void commit(struct house *house, struct rwd_checkpoint_message *message)
{
    uint64_t position = message->replay_position != RWD_CHECKPOINT_AT_STAMP
                            ? message->replay_position
                            : message->stamp;
    assert_true(position <= message->stamp);
    message->rows.journal_position = position;
    SHELF_OK(house, rwd_store_checkpoint(house->shelf.store, &message->rows, &house->error));
    if (!house->old_stopped) {
        SHELF_OK(house, rwd_store_checkpoint(house->old.store, &message->rows, &house->error));
    }
    house->checkpoint_count++;
    message->taken_ns = 1;
    rwd_mailbox_return(message->home, &message->message);
}

/* Handles what came to the journal; batches go home. */
static inline void tend_journal(struct house *house, int timeout_ms)
{
    struct rwd_message *message = rwd_mailbox_wait(house->journal, timeout_ms);
    while (message != NULL) {
        struct rwd_message *next = message->next;
        if (message->kind == RWD_SHARD_BATCH) {
            struct rwd_batch *batch = (struct rwd_batch *)message;
            for (size_t i = 0; i < batch->count; i++) {
                append(house, &batch->inputs[i]);
            }
            message->kind = batch->home_kind;
            rwd_mailbox_return(batch->home, message);
        } else {
            assert_int_equal(message->kind, RWD_SHARD_CHECKPOINT);
            struct rwd_checkpoint_message *checkpoint = (struct rwd_checkpoint_message *)message;
            checkpoint->stamp = atomic_load(&house->journal_end);
            if (house->park) {
                house->parked = checkpoint;
            } else {
                commit(house, checkpoint);
            }
        }
        message = next;
    }
}

static inline void unpark(struct house *house)
{
    house->park = false;
    if (house->parked != NULL) {
        struct rwd_checkpoint_message *parked = house->parked;
        house->parked = NULL;
        commit(house, parked);
    }
}

/* ---- the io thread's part ---- */

static inline struct rwd_batch *new_batch(struct house *house, size_t capacity)
{
    struct rwd_batch *batch = rwd_batch_create(capacity);
    batch->message.kind = RWD_SHARD_BATCH;
    batch->home = house->home;
    batch->home_kind = HOME_KIND;
    return batch;
}

static inline struct rwd_batch *through(struct house *house, struct rwd_batch *batch)
{
    struct rwd_message *message = &batch->message;
    assert_int_equal(rwd_mailbox_post(rwd_shard_mailbox(house->shard), &message), RWD_OK);
    for (int i = 0; i < 10000; i++) {
        message = rwd_mailbox_take(house->home);
        if (message != NULL) {
            assert_int_equal(message->kind, HOME_KIND);
            assert_null(message->next);
            return (struct rwd_batch *)message;
        }
        tend_journal(house, 10); /* it may be on its last way, from shard to home */
    }
    fail_msg("the batch never came home");
    return NULL;
}

static inline uint64_t user_fingerprint(struct rwd_text user_id)
{
    return rwd_fingerprint(world_key, user_id);
}

static inline struct rwd_input *add_event(struct rwd_batch *batch, const char *id, uint32_t user,
    const char *name, int64_t time_ms, const char *payload)
{
    static const struct rwd_json_limits limits = {
        .depth_max = 32, .node_count_max = 20000, .size_max = 1 << 20};
    char time_text[RWD_TIME_TEXT_SIZE];
    char raw[1024];
    struct rwd_json json;
    struct rwd_json_fault fault;
    struct rwd_problem problem;
    size_t consumed = 0;
    rwd_time_format(time_ms, time_text);
    int size = snprintf(raw, sizeof raw,
        "{\"event_id\":\"%s\",\"event_name\":\"%s\",\"version\":\"1.0.0\",\"ts\":\"%s\","
        "\"user\":{\"id\":\"u%u\",\"geo\":\"TR\"},\"payload\":%s}",
        id, name, time_text, user, payload);
    struct rwd_text text = {
        .data = rwd_arena_copy(&batch->arena, raw, (size_t)size), .size = (size_t)size};
    struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_EVENT);
    assert_int_equal(rwd_json_scan(text, &limits, &batch->arena, &json, &consumed, &fault), RWD_OK);
    assert_int_equal(
        rwd_event_read(text, &json, world_key, noon_ms + 10, &input->event, &problem), RWD_OK);
    input->user_fingerprint = input->event.user_fingerprint;
    return input;
}

static inline void put_budget(struct house *house, int64_t hard_minor)
{
    struct rwd_batch *batch = new_batch(house, 1);
    struct rwd_budget_row row = {.pool_id = RWD_TEXT("season"),
        .currency = RWD_TEXT("EUR"),
        .period = RWD_TEXT("season"),
        .hard_cap_minor = hard_minor,
        .soft_cap_minor = hard_minor / 10 * 9};
    rwd_batch_add(batch, RWD_INPUT_BUDGET)->budget = &row;
    batch = through(house, batch);
    assert_int_equal(batch->inputs[0].outcome, RWD_OUTCOME_ACCEPTED);
    assert_int_equal(batch->inputs[0].record.type, RWD_RECORD_BUDGET);
    rwd_batch_destroy(batch);
}

static inline void house_stop(struct house *house)
{
    struct rwd_message *stop = rwd_new(sizeof *stop);
    stop->kind = RWD_SHARD_STOP;
    rwd_mailbox_return(rwd_shard_mailbox(house->shard), stop);
    while (pthread_tryjoin_np(house->thread.id, NULL) != 0) {
        tend_journal(house, 5);
    }
}

static inline void house_close(struct house *house)
{
    rwd_shard_destroy(house->shard);
    rwd_rulebook_release(house->rulebook);
    for (size_t i = 0; i < RULE_COUNT; i++) {
        rwd_shared_rule_release(house->rules[i]);
    }
    for (size_t i = 0; i < house->record_count; i++) {
        rwd_free(house->records[i].body);
    }
    rwd_free(house->records);
    rwd_mailbox_destroy(house->journal);
    rwd_mailbox_destroy(house->home);
    rwd_directory_destroy(house->directory);
    rwd_pools_destroy(house->pools);
    rwd_config_destroy(house->config);
    shelf_close(&house->shelf);
    shelf_close(&house->old);
}

static const char *const quick[] = {
    "engine.shards=1", "engine.checkpoint_interval_ms=10", "engine.hot_player_count_max=64"};

#endif
