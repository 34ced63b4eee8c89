#include "engine/dispatcher.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/wire.h"
#include "engine/endpoint.h"
#include "engine/shard.h"
#include "engine/task_text.h"
#include "runtime/loop.h"
#include "transport/http_client.h"
#include "transport/webhook_signature.h"

#include <stdio.h>
#include <string.h>

enum {
    MAILBOX_COUNT_MAX = 1 << 20,
    BUCKET_COUNT = 4096,
    BATCH_CAPACITY = 64,
    CLAIM_COUNT_MAX = 512, /* a look into the store */
    /* How long a settled delivery is remembered: its row in the store may show it due until the
     * next checkpoint. */
    SETTLED_KEEP_MS = 60000,
    NOTE_SIZE_MAX = 160,
};

enum delivery_state {
    DELIVERY_CLAIMING,
    DELIVERY_SENDING,
    DELIVERY_REPORTING,
    DELIVERY_SETTLED,
};

/* One task under way, or just settled. */
struct delivery {
    struct delivery *next_in_bucket;
    struct rwd_dispatcher *dispatcher;
    struct rwd_endpoint *endpoint; /* NULL: a hold that time looks at again */
    enum delivery_state state;
    struct rwd_task task;
    char *user_id;
    uint64_t user_fingerprint;
    uint8_t kyc_level;
    int64_t begun_ns;
    int64_t settled_ms; /* journal time of what settled it: older rows are stale */
};

struct rwd_dispatcher {
    struct rwd_dispatcher_options options;
    struct rwd_mailbox *mailbox;
    struct rwd_loop *loop;
    struct rwd_watch *watch;
    struct rwd_timer *timer;
    struct rwd_http_client *client;
    struct rwd_store_reader *reader;
    struct rwd_arena arena;
    struct rwd_endpoint *endpoints;
    size_t endpoint_count;
    struct delivery *buckets[BUCKET_COUNT];
    size_t delivery_count;
    struct rwd_batch **open; /* by shard: being filled in this turn */
    struct rwd_batch *free_batches;
    size_t batches_out;
    struct rwd_dispatcher_metrics metrics;
    uint64_t random_state[2];
    bool stopping;
};

static void look_for_due(struct rwd_dispatcher *dispatcher);

/* ---- deliveries ---- */

static struct delivery **bucket_of(struct rwd_dispatcher *dispatcher, struct rwd_task_id id)
{
    uint32_t hash;
    memcpy(&hash, id.bytes, sizeof hash);
    return &dispatcher->buckets[hash % BUCKET_COUNT];
}

static struct delivery *find_delivery(struct rwd_dispatcher *dispatcher, struct rwd_task_id id)
{
    struct delivery *at = *bucket_of(dispatcher, id);
    while (at != NULL && !rwd_task_id_equal(at->task.id, id)) {
        at = at->next_in_bucket;
    }
    return at;
}

static void remove_delivery(struct rwd_dispatcher *dispatcher, struct delivery *delivery)
{
    struct delivery **link = bucket_of(dispatcher, delivery->task.id);
    while (*link != delivery) {
        link = &(*link)->next_in_bucket;
    }
    *link = delivery->next_in_bucket;
    dispatcher->delivery_count--;
    rwd_free(delivery->user_id);
    rwd_free(delivery);
}

static void settle(struct delivery *delivery, int64_t journal_ms)
{
    if (delivery->endpoint != NULL) {
        delivery->endpoint->running--;
        rwd_count(&delivery->dispatcher->metrics.in_flight, (uint64_t)-1);
    }
    delivery->state = DELIVERY_SETTLED;
    delivery->settled_ms = journal_ms;
}

static void forget_settled(struct rwd_dispatcher *dispatcher, int64_t now_ms)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        struct delivery *at = dispatcher->buckets[i];
        while (at != NULL) {
            struct delivery *next = at->next_in_bucket;
            if (at->state == DELIVERY_SETTLED && now_ms - at->settled_ms > SETTLED_KEEP_MS) {
                remove_delivery(dispatcher, at);
            }
            at = next;
        }
    }
}

/* ---- commands to shards ---- */

static struct rwd_batch *batch_for(struct rwd_dispatcher *dispatcher, uint32_t shard)
{
    struct rwd_batch **open = &dispatcher->open[shard];
    if (*open != NULL && (*open)->count == (*open)->capacity) {
        rwd_mailbox_return(dispatcher->options.shards[shard], &(*open)->message);
        *open = NULL;
    }
    if (*open == NULL) {
        struct rwd_batch *batch = dispatcher->free_batches;
        if (batch != NULL) {
            dispatcher->free_batches = batch->next;
            rwd_batch_reset(batch);
        } else {
            batch = rwd_batch_create(BATCH_CAPACITY);
        }
        batch->message.kind = RWD_SHARD_BATCH;
        batch->home = dispatcher->mailbox;
        batch->home_kind = RWD_DISPATCHER_BATCH;
        batch->shard = shard;
        dispatcher->batches_out++;
        *open = batch;
    }
    return *open;
}

static void post_open_batches(struct rwd_dispatcher *dispatcher)
{
    for (uint32_t i = 0; i < dispatcher->options.shard_count; i++) {
        if (dispatcher->open[i] != NULL) {
            rwd_mailbox_return(dispatcher->options.shards[i], &dispatcher->open[i]->message);
            dispatcher->open[i] = NULL;
        }
    }
}

/* texts of the command are copied. */
static void command(struct delivery *delivery, const struct rwd_task_command *given)
{
    struct rwd_dispatcher *dispatcher = delivery->dispatcher;
    uint32_t shard = (uint32_t)(delivery->user_fingerprint % dispatcher->options.shard_count);
    struct rwd_batch *batch = batch_for(dispatcher, shard);
    struct rwd_task_command *kept = rwd_arena_alloc(&batch->arena, sizeof *kept);
    RWD_REQUIRE(kept != NULL);
    *kept = *given;
    kept->id = delivery->task.id;
    kept->attempt = delivery->task.attempts;
    kept->attempt_count_max = (uint32_t)dispatcher->options.config->dispatcher_attempt_count_max;
    struct rwd_text *texts[] = {&kept->user_id, &kept->payout_id, &kept->note, &kept->endpoint};
    kept->user_id = rwd_text_of(delivery->user_id);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        texts[i]->data = rwd_arena_copy(&batch->arena, texts[i]->data, texts[i]->size);
        RWD_REQUIRE(texts[i]->data != NULL);
    }
    struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_TASK);
    input->origin = delivery;
    input->user_fingerprint = delivery->user_fingerprint;
    input->command = kept;
}

/* ---- sending ---- */

static void put_reason(
    const struct rwd_dispatcher *dispatcher, const struct rwd_task *task, struct rwd_buffer *out)
{
    const struct rwd_directory_entry *entry =
        rwd_directory_version(dispatcher->options.directory, task->version_no);
    RWD_REQUIRE(entry != NULL);
    struct rwd_buffer reason = {0};
    if (task->threshold > 0) {
        rwd_buffer_put_format(&reason, "milestone %llu of %s %s",
            (unsigned long long)task->threshold, entry->rule_id, entry->version);
    } else {
        rwd_buffer_put_format(
            &reason, "%s %s on event %s", entry->rule_id, entry->version, task->event_id);
    }
    rwd_buffer_put_json(out, rwd_buffer_text(&reason));
    rwd_buffer_finish(&reason);
}

/* Spec 6: {request_id, user_id, reward, reason, kyc_level, constraints}; the same on every try. */
static void put_body(const struct delivery *delivery, struct rwd_buffer *out)
{
    char task_id[RWD_TASK_ID_TEXT_SIZE];
    rwd_task_id_format(delivery->task.id, task_id);
    rwd_buffer_put_format(out, "{\"request_id\":\"%s\",\"user_id\":", task_id);
    rwd_buffer_put_json(out, rwd_text_of(delivery->user_id));
    rwd_buffer_put_string(out, ",\"reward\":");
    rwd_reward_put_json(&delivery->task.reward, out);
    rwd_buffer_put_string(out, ",\"reason\":");
    put_reason(delivery->dispatcher, &delivery->task, out);
    rwd_buffer_put_format(out, ",\"kyc_level\":%u,\"constraints\":", delivery->kyc_level);
    rwd_constraints_put_json(&delivery->task.reward, out);
    rwd_buffer_put_char(out, '}');
}

static enum rwd_status sign(const struct rwd_endpoint_config *endpoint,
    const struct rwd_webhook *webhook, struct rwd_buffer *headers, struct rwd_error *error)
{
    /* Two secrets are live during a rotation: the next one first, for whoever already has it. */
    struct rwd_text secrets[2];
    size_t count = 0;
    if (endpoint->secret_next[0] != '\0') {
        secrets[count++] = rwd_text_of(endpoint->secret_next);
    }
    secrets[count++] = rwd_text_of(endpoint->secret);
    enum rwd_status status = RWD_OK;
    if (endpoint->signature != RWD_SIGNATURE_X) {
        status = rwd_webhook_sign(webhook, secrets, count, headers, error);
    }
    if (status == RWD_OK && endpoint->signature != RWD_SIGNATURE_STANDARD) {
        status = rwd_webhook_sign_body(webhook, rwd_text_of(endpoint->secret), headers, error);
    }
    return status;
}

/* xorshift128+ (S. Vigna, 2014), seeded by the system: jitter needs no more. */
static uint64_t next_random(struct rwd_dispatcher *dispatcher)
{
    uint64_t a = dispatcher->random_state[0];
    const uint64_t b = dispatcher->random_state[1];
    dispatcher->random_state[0] = b;
    a ^= a << 23;
    dispatcher->random_state[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
    return dispatcher->random_state[1] + b;
}

static struct rwd_text payout_id_of(struct rwd_text body, struct rwd_arena *arena)
{
    static const struct rwd_json_limits limits = {
        .depth_max = 16, .node_count_max = 1024, .size_max = 64 << 10};
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    if (body.size == 0 || rwd_json_scan(body, &limits, arena, &json, &consumed, &fault) != RWD_OK) {
        return (struct rwd_text){0};
    }
    const struct rwd_json_node *node =
        rwd_json_member(&json, &json.nodes[0], RWD_TEXT("payout_id"));
    bool usable = node != NULL && node->type == RWD_JSON_STRING && node->size > 0 &&
                  node->size <= RWD_PAYOUT_ID_SIZE_MAX;
    return usable ? rwd_json_text(node) : (struct rwd_text){0};
}

static void report(struct delivery *delivery, int http_status, struct rwd_text body,
    int64_t retry_after_ms, const char *why)
{
    struct rwd_dispatcher *dispatcher = delivery->dispatcher;
    const struct rwd_config *config = dispatcher->options.config;
    int64_t now_ms = rwd_clock_wall_ms(&dispatcher->options.clock);
    enum rwd_delivery_outcome outcome = rwd_delivery_outcome_of(http_status);
    /* 429 is a partner that works and says so. */
    rwd_endpoint_note(delivery->endpoint,
        outcome != RWD_DELIVERY_RETRY || http_status == 429 || http_status == 409, now_ms);
    char note[NOTE_SIZE_MAX];
    (void)snprintf(note, sizeof note, "%s", why);
    struct rwd_task_command result = {
        .kind = outcome == RWD_DELIVERY_DONE    ? RWD_TASK_SUCCESS
                : outcome == RWD_DELIVERY_RETRY ? RWD_TASK_RETRY
                                                : RWD_TASK_REFUSED,
        .payout_id = payout_id_of(body, &dispatcher->arena),
        .note = rwd_text_of(note),
        .http_status = http_status,
        .endpoint = rwd_text_of(delivery->endpoint->config->name),
        .retry_at_ms = now_ms + rwd_delivery_pause_ms(config->dispatcher_retry_base_ms,
                                    config->dispatcher_retry_max_ms, delivery->task.attempts,
                                    retry_after_ms, next_random(dispatcher)),
    };
    delivery->state = DELIVERY_REPORTING;
    RWD_FAULT_POINT("result.journaled.before");
    command(delivery, &result);
    rwd_arena_reset(&dispatcher->arena, 64 << 10);
}

static void answered(void *context, const struct rwd_http_result *result)
{
    struct delivery *delivery = context;
    struct rwd_dispatcher *dispatcher = delivery->dispatcher;
    if (dispatcher->stopping) {
        return; /* the claim stands; the next start repeats the request */
    }
    RWD_FAULT_POINT("partner.answer.before");
    int64_t taken_ns = rwd_clock_monotonic_ns(&dispatcher->options.clock) - delivery->begun_ns;
    rwd_histogram_add(&dispatcher->metrics.delivery_ns, (uint64_t)taken_ns, 1);
    /* An answer's head came: its status counts, even where the body was too long. A target that is
     * not allowed is refused like a 4xx: trying again does not help. */
    int http_status = result->status == RWD_DENIED ? 403 : result->http_status;
    if (result->status == RWD_TIMEOUT || result->status == RWD_UNAVAILABLE) {
        http_status = 0;
    }
    report(delivery, http_status, result->body, result->retry_after_ms, result->error);
    RWD_FAULT_POINT("partner.answer.after");
}

static void send_delivery(struct delivery *delivery)
{
    struct rwd_dispatcher *dispatcher = delivery->dispatcher;
    const struct rwd_endpoint_config *endpoint = delivery->endpoint->config;
    char task_id[RWD_TASK_ID_TEXT_SIZE];
    rwd_task_id_format(delivery->task.id, task_id);
    struct rwd_buffer body = {0};
    struct rwd_buffer headers = {0};
    put_body(delivery, &body);
    struct rwd_webhook webhook = {.id = rwd_text_of(task_id),
        .timestamp_s = rwd_clock_wall_ms(&dispatcher->options.clock) / 1000,
        .body = rwd_buffer_text(&body)};
    struct rwd_error error;
    enum rwd_status status = sign(endpoint, &webhook, &headers, &error);
    delivery->state = DELIVERY_SENDING;
    delivery->begun_ns = rwd_clock_monotonic_ns(&dispatcher->options.clock);
    RWD_FAULT_POINT("partner.send.before");
    if (status == RWD_OK) {
        const struct rwd_http_call call = {.url = endpoint->url,
            .header_lines = rwd_buffer_text(&headers),
            .body = rwd_buffer_text(&body),
            .timeout_ms = endpoint->timeout_ms,
            .connect_timeout_ms = endpoint->connect_timeout_ms,
            .response_size_max = (size_t)endpoint->response_size_max,
            .allow_private = endpoint->allow_private};
        status = rwd_http_client_post(dispatcher->client, &call, answered, delivery, &error);
    }
    RWD_FAULT_POINT("partner.send.after");
    if (status != RWD_OK) {
        rwd_log(RWD_LOG_ERROR, "dispatcher", "endpoint=%s task=%s msg=\"%s\"", endpoint->name,
            task_id, error.text);
        report(delivery, 0, (struct rwd_text){0}, -1, error.text);
    }
    rwd_buffer_finish(&headers);
    rwd_buffer_finish(&body);
}

/* ---- batches that come home ---- */

static void count_result(struct rwd_dispatcher *dispatcher, const struct rwd_task *task)
{
    struct rwd_dispatcher_metrics *metrics = &dispatcher->metrics;
    char task_id[RWD_TASK_ID_TEXT_SIZE];
    rwd_task_id_format(task->id, task_id);
    if (task->status == RWD_TASK_SUCCEEDED) {
        rwd_count(&metrics->succeeded, 1);
    } else if (task->status == RWD_TASK_PENDING) {
        rwd_count(&metrics->retried, 1);
    } else if (task->status == RWD_TASK_FAILED) {
        rwd_count(&metrics->failed, 1);
        rwd_log(RWD_LOG_WARN, "dispatcher",
            "task=%s reason=%s attempts=%u msg=\"not delivered: it stands in the dead letters\"",
            task_id, rwd_task_reason_name(task->reason), task->attempts);
    } else if (task->reason == RWD_REASON_PAYOUT_MISMATCH) {
        rwd_count(&metrics->mismatched, 1);
        rwd_log(RWD_LOG_ERROR, "dispatcher",
            "task=%s payout_id=%s msg=\"ALERT: the partner named another payout for the same "
            "request; held for review\"",
            task_id, task->payout_id);
    } else {
        rwd_count(&metrics->held, 1);
    }
}

static void input_home(struct rwd_dispatcher *dispatcher, struct rwd_input *input)
{
    struct delivery *delivery = input->origin;
    bool claimed = delivery->state == DELIVERY_CLAIMING;
    if (claimed) {
        RWD_FAULT_POINT("claim.after");
    } else {
        RWD_FAULT_POINT("result.journaled.after");
    }
    if (input->outcome != RWD_OUTCOME_ACCEPTED) {
        /* Settled meanwhile, and the row we saw was older: nothing to do. */
        rwd_log(RWD_LOG_DEBUG, "dispatcher", "msg=\"%s\"", input->error->text);
        settle(delivery, rwd_clock_wall_ms(&dispatcher->options.clock));
        return;
    }
    delivery->task = *input->task;
    delivery->kyc_level = input->kyc_level;
    if (claimed && input->task->status == RWD_TASK_DISPATCHING && !dispatcher->stopping) {
        send_delivery(delivery);
        return;
    }
    if (!claimed || delivery->endpoint != NULL) {
        count_result(dispatcher, input->task);
    }
    settle(delivery, input->record.time_ms);
}

static void batch_home(struct rwd_dispatcher *dispatcher, struct rwd_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        input_home(dispatcher, &batch->inputs[i]);
    }
    dispatcher->batches_out--;
    batch->next = dispatcher->free_batches;
    dispatcher->free_batches = batch;
}

static void on_mail(void *context, int fd, unsigned ready)
{
    (void)fd;
    (void)ready;
    struct rwd_dispatcher *dispatcher = context;
    struct rwd_message *messages = rwd_mailbox_take(dispatcher->mailbox);
    while (messages != NULL) {
        struct rwd_message *message = messages;
        messages = message->next;
        if (message->kind == RWD_DISPATCHER_BATCH) {
            batch_home(dispatcher, (struct rwd_batch *)message);
            continue;
        }
        dispatcher->stopping |= message->kind == RWD_DISPATCHER_STOP;
        rwd_free(message);
    }
    look_for_due(dispatcher);
    post_open_batches(dispatcher);
    if (dispatcher->stopping && dispatcher->batches_out == 0) {
        rwd_loop_stop(dispatcher->loop);
    }
}

/* ---- looking for work ---- */

static struct rwd_endpoint *endpoint_for(
    struct rwd_dispatcher *dispatcher, enum rwd_reward_kind kind)
{
    for (size_t i = 0; i < dispatcher->endpoint_count; i++) {
        if (dispatcher->endpoints[i].config->kinds[kind]) {
            return &dispatcher->endpoints[i];
        }
    }
    return NULL;
}

/* A row of the store that may be stale: what we did with it since is remembered. */
static void take_up(
    struct rwd_dispatcher *dispatcher, const struct rwd_task_row *row, int64_t now_ms)
{
    struct rwd_task task;
    struct rwd_wire wire = rwd_wire_of(row->state.data, row->state.size);
    rwd_task_decode(&wire, &task);
    if (!rwd_wire_done(&wire)) {
        rwd_log(RWD_LOG_ERROR, "dispatcher", "task=%.*s msg=\"its row cannot be read\"",
            RWD_TEXT_ARGS(row->task_id));
        return;
    }
    struct delivery *known = find_delivery(dispatcher, task.id);
    if (known != NULL &&
        (known->state != DELIVERY_SETTLED || row->updated_ms < known->settled_ms)) {
        return;
    }
    bool held = task.status == RWD_TASK_HELD;
    struct rwd_endpoint *endpoint = held ? NULL : endpoint_for(dispatcher, task.reward.kind);
    if (!held && (endpoint == NULL || rwd_endpoint_room(endpoint, now_ms) == 0)) {
        return;
    }
    if (known != NULL) {
        remove_delivery(dispatcher, known);
    }
    struct delivery *delivery = rwd_new(sizeof *delivery);
    delivery->dispatcher = dispatcher;
    delivery->endpoint = endpoint;
    delivery->task = task;
    delivery->user_id = rwd_copy(row->user_id.data, row->user_id.size);
    delivery->user_fingerprint = rwd_fingerprint(dispatcher->options.fingerprint_key, row->user_id);
    struct delivery **bucket = bucket_of(dispatcher, task.id);
    delivery->next_in_bucket = *bucket;
    *bucket = delivery;
    dispatcher->delivery_count++;
    if (endpoint != NULL) {
        endpoint->running++;
        rwd_count(&dispatcher->metrics.in_flight, 1);
    }
    RWD_FAULT_POINT("claim.before");
    const struct rwd_task_command claim = {.kind = held ? RWD_TASK_TICK : RWD_TASK_CLAIM};
    command(delivery, &claim);
}

/* Kinds some endpoint has room for: what a dead partner parks is not even read. */
static size_t kinds_with_room(
    struct rwd_dispatcher *dispatcher, int64_t now_ms, struct rwd_text *kinds, size_t *room)
{
    size_t count = 0;
    uint64_t open = 0;
    for (size_t i = 0; i < dispatcher->endpoint_count; i++) {
        const struct rwd_endpoint *endpoint = &dispatcher->endpoints[i];
        int64_t endpoint_room = rwd_endpoint_room(endpoint, now_ms);
        open += rwd_endpoint_is_open(endpoint, now_ms);
        *room += (size_t)endpoint_room;
        for (int kind = 0; endpoint_room > 0 && kind < RWD_REWARD_KIND_COUNT; kind++) {
            if (endpoint_for(dispatcher, (enum rwd_reward_kind)kind) == endpoint) {
                kinds[count++] = rwd_text_of(rwd_reward_kind_name((enum rwd_reward_kind)kind));
            }
        }
    }
    atomic_store_explicit(&dispatcher->metrics.breakers_open, open, memory_order_relaxed);
    return count;
}

static void take_up_all(struct rwd_dispatcher *dispatcher, enum rwd_status status,
    const struct rwd_task_row *rows, size_t count, const struct rwd_error *error)
{
    if (status != RWD_OK) {
        rwd_log(RWD_LOG_ERROR, "dispatcher", "msg=\"%s\"", error->text);
        count = 0;
    }
    int64_t now_ms = rwd_clock_wall_ms(&dispatcher->options.clock);
    for (size_t i = 0; i < count; i++) {
        take_up(dispatcher, &rows[i], now_ms);
    }
    rwd_arena_reset(&dispatcher->arena, 1 << 20);
}

static void look_for_due(struct rwd_dispatcher *dispatcher)
{
    int64_t now_ms = rwd_clock_wall_ms(&dispatcher->options.clock);
    struct rwd_text kinds[RWD_REWARD_KIND_COUNT];
    size_t room = 0;
    size_t kind_count = kinds_with_room(dispatcher, now_ms, kinds, &room);
    if (dispatcher->stopping || kind_count == 0) {
        return;
    }
    struct rwd_task_row *rows = NULL;
    size_t count = 0;
    struct rwd_error error;
    enum rwd_status status = rwd_store_tasks_due(dispatcher->reader, now_ms, kinds, kind_count,
        dispatcher->delivery_count + (room < CLAIM_COUNT_MAX ? room : CLAIM_COUNT_MAX),
        &dispatcher->arena, &rows, &count, &error);
    take_up_all(dispatcher, status, rows, count, &error);
}

/* A task in dispatching that we do not know is one whose answer a crash lost: the claim repeats its
 * request. It may show only now, when the checkpoint after the recovery has stored the claim. */
static void look_for_orphans(struct rwd_dispatcher *dispatcher)
{
    struct rwd_task_row *rows = NULL;
    size_t count = 0;
    struct rwd_error error;
    enum rwd_status status =
        rwd_store_tasks_dispatching(dispatcher->reader, &dispatcher->arena, &rows, &count, &error);
    take_up_all(dispatcher, status, rows, count, &error);
}

static void on_timer(void *context)
{
    struct rwd_dispatcher *dispatcher = context;
    forget_settled(dispatcher, rwd_clock_wall_ms(&dispatcher->options.clock));
    if (!dispatcher->stopping) {
        look_for_orphans(dispatcher);
    }
    look_for_due(dispatcher);
}

static void on_turn_end(void *context)
{
    post_open_batches(context);
}

/* ---- life ---- */

enum rwd_status rwd_dispatcher_create(const struct rwd_dispatcher_options *options,
    struct rwd_dispatcher **dispatcher, struct rwd_error *error)
{
    struct rwd_dispatcher *made = rwd_new(sizeof *made);
    const struct rwd_config *config = options->config;
    made->options = *options;
    made->mailbox = rwd_mailbox_create(MAILBOX_COUNT_MAX);
    made->open = rwd_new(options->shard_count * sizeof(struct rwd_batch *));
    made->endpoint_count = config->endpoint_count;
    made->endpoints = rwd_new((config->endpoint_count + 1) * sizeof made->endpoints[0]);
    int64_t calls = 1;
    for (size_t i = 0; i < config->endpoint_count; i++) {
        made->endpoints[i].config = &config->endpoints[i];
        calls += config->endpoints[i].concurrency_max;
    }
    rwd_arena_init(&made->arena, 64 << 10, 256 << 20);
    rwd_random_bytes(made->random_state, sizeof made->random_state);
    struct rwd_http_client_options client = rwd_http_client_defaults();
    client.call_count_max = (size_t)calls;
    client.connection_count_max = (size_t)calls;
    client.clock = options->clock;
    enum rwd_status status = rwd_store_reader_open(options->store_url, &made->reader, error);
    if (status == RWD_OK) {
        status = rwd_loop_create(&made->loop, error);
    }
    if (status == RWD_OK) {
        status = rwd_http_client_create(made->loop, &client, &made->client, error);
    }
    if (status != RWD_OK) {
        rwd_dispatcher_destroy(made);
        return status;
    }
    made->watch =
        rwd_watch_create(made->loop, rwd_mailbox_fd(made->mailbox), RWD_WATCH_READ, on_mail, made);
    made->timer = rwd_timer_create(made->loop, on_timer, made);
    rwd_timer_start_periodic(made->timer, config->dispatcher_poll_interval_ms);
    rwd_loop_at_turn_end(made->loop, on_turn_end, made);
    *dispatcher = made;
    return RWD_OK;
}

void rwd_dispatcher_destroy(struct rwd_dispatcher *dispatcher)
{
    if (dispatcher == NULL) {
        return;
    }
    dispatcher->stopping = true;
    rwd_http_client_destroy(dispatcher->client);
    rwd_timer_destroy(dispatcher->timer);
    rwd_watch_destroy(dispatcher->watch);
    rwd_loop_destroy(dispatcher->loop);
    rwd_store_reader_close(dispatcher->reader);
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        while (dispatcher->buckets[i] != NULL) {
            remove_delivery(dispatcher, dispatcher->buckets[i]);
        }
    }
    while (dispatcher->free_batches != NULL) {
        struct rwd_batch *next = dispatcher->free_batches->next;
        rwd_batch_destroy(dispatcher->free_batches);
        dispatcher->free_batches = next;
    }
    /* The projector may have told of due tasks after the last turn. */
    struct rwd_message *unread = rwd_mailbox_take(dispatcher->mailbox);
    while (unread != NULL) {
        struct rwd_message *next = unread->next;
        rwd_free(unread);
        unread = next;
    }
    rwd_mailbox_destroy(dispatcher->mailbox);
    rwd_arena_finish(&dispatcher->arena);
    rwd_free(dispatcher->open);
    rwd_free(dispatcher->endpoints);
    rwd_free(dispatcher);
}

struct rwd_mailbox *rwd_dispatcher_mailbox(struct rwd_dispatcher *dispatcher)
{
    return dispatcher->mailbox;
}

struct rwd_dispatcher_metrics *rwd_dispatcher_metrics(struct rwd_dispatcher *dispatcher)
{
    return &dispatcher->metrics;
}

void rwd_dispatcher_run(void *context)
{
    struct rwd_dispatcher *dispatcher = context;
    rwd_loop_run(dispatcher->loop);
}
