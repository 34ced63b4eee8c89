#include "engine/projector.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/shard.h"
#include "runtime/thread.h"

#include <poll.h>
#include <unistd.h>

enum {
    MAILBOX_COUNT_MAX = 1 << 16, /* one checkpoint a shard is on its way */
    RETRY_MS = 200,
    EXIT_STORE_CORRUPT = 71, /* EX_OSERR of sysexits.h */
};

struct rwd_projector {
    struct rwd_store *store;
    struct rwd_clock clock;
    struct rwd_mailbox *mailbox;
    struct rwd_mailbox *wake;
    uint32_t wake_kind;
    uint32_t shard_count;
    uint64_t *positions; /* by shard: everything of it before there is stored */
    uint64_t *stamps; /* by shard: where the journal stood when its last stored checkpoint passed */
    struct rwd_projector_metrics metrics;
};

struct rwd_projector *rwd_projector_create(struct rwd_store *store, struct rwd_clock clock,
    uint32_t shard_count, uint64_t position, struct rwd_mailbox *wake, uint32_t wake_kind)
{
    struct rwd_projector *projector = rwd_new(sizeof *projector);
    projector->store = store;
    projector->clock = clock;
    projector->wake = wake;
    projector->wake_kind = wake_kind;
    projector->shard_count = shard_count;
    projector->mailbox = rwd_mailbox_create(MAILBOX_COUNT_MAX);
    projector->positions = rwd_new(shard_count * sizeof projector->positions[0]);
    projector->stamps = rwd_new(shard_count * sizeof projector->stamps[0]);
    rwd_projector_stored_to(projector, position);
    return projector;
}

void rwd_projector_stored_to(struct rwd_projector *projector, uint64_t position)
{
    for (uint32_t i = 0; i < projector->shard_count; i++) {
        projector->positions[i] = position;
        projector->stamps[i] = position;
    }
    atomic_store(&projector->metrics.position, position);
    atomic_store(&projector->metrics.stored_end, position);
}

void rwd_projector_destroy(struct rwd_projector *projector)
{
    if (projector != NULL) {
        rwd_mailbox_destroy(projector->mailbox);
        rwd_free(projector->positions);
        rwd_free(projector->stamps);
        rwd_free(projector);
    }
}

struct rwd_mailbox *rwd_projector_mailbox(struct rwd_projector *projector)
{
    return projector->mailbox;
}

struct rwd_projector_metrics *rwd_projector_metrics(struct rwd_projector *projector)
{
    return &projector->metrics;
}

static uint64_t least(const struct rwd_projector *projector, const uint64_t *positions)
{
    uint64_t smallest = UINT64_MAX;
    for (uint32_t i = 0; i < projector->shard_count; i++) {
        smallest = positions[i] < smallest ? positions[i] : smallest;
    }
    return smallest;
}

static void write_checkpoint(
    struct rwd_projector *projector, struct rwd_checkpoint_message *message)
{
    uint64_t position = message->replay_position != RWD_CHECKPOINT_AT_STAMP
                            ? message->replay_position
                            : message->stamp;
    RWD_REQUIRE(position >= projector->positions[message->shard]);
    projector->positions[message->shard] = position;
    message->rows.journal_position = least(projector, projector->positions);

    int64_t begin_ns = rwd_clock_monotonic_ns(&projector->clock);
    struct rwd_error error;
    for (;;) {
        enum rwd_status status = rwd_store_checkpoint(projector->store, &message->rows, &error);
        if (status == RWD_OK) {
            break;
        }
        rwd_count(&projector->metrics.failures, 1);
        rwd_log(RWD_LOG_ERROR, "projector", "status=%s msg=\"%s\"", rwd_status_name(status),
            error.text);
        if (status != RWD_UNAVAILABLE && status != RWD_BUSY && status != RWD_TIMEOUT) {
            rwd_log(RWD_LOG_ERROR, "projector",
                "msg=\"the store contradicts itself; stopping. The journal has everything: move "
                "the store's file away and start again to rebuild it\"");
            _exit(EXIT_STORE_CORRUPT);
        }
        (void)poll(NULL, 0, RETRY_MS);
    }
    int64_t end_ns = rwd_clock_monotonic_ns(&projector->clock);
    message->taken_ns = end_ns - begin_ns;
    if (message->has_all_tasks) {
        projector->stamps[message->shard] = message->stamp;
    }
    atomic_store(&projector->metrics.stored_end, least(projector, projector->stamps));
    struct rwd_projector_metrics *metrics = &projector->metrics;
    rwd_histogram_add(&metrics->checkpoint_ns, (uint64_t)message->taken_ns, 1);
    rwd_count(&metrics->checkpoints, 1);
    rwd_count(&metrics->players, message->rows.player_count);
    atomic_store_explicit(&metrics->position, message->rows.journal_position, memory_order_relaxed);
    atomic_store_explicit(&metrics->last_ns, (uint64_t)message->taken_ns, memory_order_relaxed);
    atomic_store_explicit(
        &metrics->last_at_ms, rwd_clock_wall_ms(&projector->clock), memory_order_relaxed);
}

bool rwd_projector_turn(struct rwd_projector *projector, bool wait)
{
    bool stopping = false;
    struct rwd_message *messages = rwd_mailbox_wait(projector->mailbox, wait ? -1 : 0);
    while (messages != NULL) {
        struct rwd_message *message = messages;
        messages = message->next;
        if (message->kind == RWD_PROJECTOR_STOP) {
            stopping = true;
            rwd_free(message);
            continue;
        }
        struct rwd_checkpoint_message *checkpoint = (struct rwd_checkpoint_message *)message;
        write_checkpoint(projector, checkpoint);
        if (checkpoint->has_due_tasks) {
            struct rwd_message *wake = rwd_new(sizeof *wake);
            wake->kind = projector->wake_kind;
            rwd_mailbox_return(projector->wake, wake);
        }
        rwd_mailbox_return(checkpoint->home, &checkpoint->message);
    }
    return !stopping;
}

void rwd_projector_run(void *context)
{
    rwd_thread_step_back();
    while (rwd_projector_turn(context, true)) {
    }
}
