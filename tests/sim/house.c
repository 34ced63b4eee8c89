#include "sim.h"

#include "base/memory.h"
#include "engine/dispatcher.h"
#include "engine/journal_thread.h"
#include "engine/projector.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR_SIZE = 512 };

/* ---- the clock ---- */

int64_t sim_wall_ms(void *context)
{
    const struct sim *sim = context;
    return noon_ms + sim->passed_ns / 1000000;
}

static int64_t monotonic_ns(void *context)
{
    const struct sim *sim = context;
    return sim->passed_ns;
}

void sim_pass_ms(struct sim *sim, int64_t ms)
{
    sim->passed_ns += ms * 1000000;
}

/* ---- the house ---- */

static struct rwd_mailbox *shard_mailbox(const struct sim *sim, uint32_t shard)
{
    return sim->engine->shard_mailboxes[shard];
}

void sim_open_house(struct sim *sim)
{
    const struct rwd_clock clock = {
        .wall_ms = sim_wall_ms, .monotonic_ns = monotonic_ns, .context = sim};
    MUST_OK(sim, rwd_engine_create(sim->config, clock, &sim->engine, &sim->error));
}

static void drop_messages(struct rwd_mailbox *mailbox, uint32_t checkpoint_kind)
{
    struct rwd_message *message = rwd_mailbox_take(mailbox);
    while (message != NULL) {
        struct rwd_message *next = message->next;
        if (message->kind == checkpoint_kind) {
            rwd_checkpoint_message_destroy((struct rwd_checkpoint_message *)message);
        }
        message = next; /* batches are known by sim->batches */
    }
}

void sim_lose_memory(struct sim *sim)
{
    struct rwd_engine *engine = sim->engine;
    for (uint32_t i = 0; i < engine->shard_count; i++) {
        drop_messages(engine->shard_mailboxes[i], RWD_SHARD_CHECKPOINT);
    }
    drop_messages(rwd_journal_thread_mailbox(engine->journal), RWD_SHARD_CHECKPOINT);
    drop_messages(rwd_projector_mailbox(engine->projector), RWD_SHARD_CHECKPOINT);
    struct rwd_mailbox *dispatcher = rwd_dispatcher_mailbox(engine->dispatcher);
    for (struct rwd_message *wake = rwd_mailbox_take(dispatcher); wake != NULL;) {
        struct rwd_message *next = wake->next;
        rwd_free(wake);
        wake = next;
    }
    drop_messages(sim->client, UINT32_MAX);
    drop_messages(sim->desk, UINT32_MAX);
    drop_messages(sim->office, UINT32_MAX);
    rwd_engine_destroy(engine);
    sim->engine = NULL;
    for (size_t i = 0; i < sim->batch_count; i++) {
        rwd_batch_destroy(sim->batches[i]);
    }
    sim->batch_count = 0;
    for (size_t i = 0; i < sim->event_count; i++) {
        sim->events[i].under_way = false;
    }
    memset(sim->deliveries, 0, sizeof sim->deliveries);
    sim->cap_under_way = false;
}

/* Of the commit that was being written some sectors have reached the disk and some have not. */
static void tear(struct sim *sim, uint64_t before, uint64_t after)
{
    uint64_t base = before / SEGMENT_SIZE * SEGMENT_SIZE;
    char path[160];
    (void)snprintf(path, sizeof path, "%s/data/journal/%016llx.journal", sim->folder,
        (unsigned long long)base);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    MUST(sim, fd >= 0, "%s", path);
    for (uint64_t at = before; at < after;) {
        uint64_t end = (at / SECTOR_SIZE + 1) * SECTOR_SIZE;
        end = end < after ? end : after;
        static const char zeros[SECTOR_SIZE];
        if (chance_one_in(&sim->chance, 2)) {
            MUST(sim, pwrite(fd, zeros, end - at, (off_t)(at - base)) == (ssize_t)(end - at), "%s",
                path);
        }
        at = end;
    }
    (void)close(fd);
    sim->torn++;
}

void sim_lose_store(struct sim *sim)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[160];
        (void)snprintf(path, sizeof path, "%s/data/rewardd.sqlite3%s", sim->folder, ends[i]);
        (void)unlink(path);
    }
}

void sim_walk(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->engine->shard_count; i++) {
        int wait_ms = 0;
        MUST(sim, rwd_shard_turn(sim->engine->shards[i], &wait_ms), "shard %u has ended", i);
    }
    MUST(sim, rwd_journal_thread_turn(sim->engine->journal, false), "the journal has ended");
    MUST(sim, rwd_projector_turn(sim->engine->projector, false), "the projector has ended");
}

/* A shard that has much to store takes nothing else before it is stored. */
static bool is_choked(const struct sim *sim)
{
    bool choked = false;
    for (uint32_t i = 0; i < sim->engine->shard_count; i++) {
        struct rwd_shard_metrics *metrics = rwd_shard_metrics(sim->engine->shards[i]);
        choked = choked || atomic_load(&metrics->dirty_players) > SHARD_HOT_COUNT_MAX;
    }
    return choked;
}

void sim_tell_shards(struct sim *sim)
{
    do {
        sim_pass_ms(sim, 10);
        sim_walk(sim);
    } while (is_choked(sim));
    struct rwd_rulebook *rulebook = rwd_rulebook_create(1, sim->rules, RULE_COUNT);
    for (uint32_t i = 0; i < sim->engine->shard_count; i++) {
        struct rwd_rulebook_message *message = rwd_new(sizeof *message);
        message->message.kind = RWD_SHARD_RULEBOOK;
        message->rulebook = rwd_rulebook_acquire(rulebook);
        rwd_mailbox_return(shard_mailbox(sim, i), &message->message);
        int wait_ms = 0;
        MUST(sim, rwd_shard_turn(sim->engine->shards[i], &wait_ms), "shard %u ended", i);
    }
    rwd_rulebook_release(rulebook);
}

void sim_crash(struct sim *sim, bool with_store)
{
    uint64_t before = rwd_journal_durable(sim->engine->writer);
    uint64_t after = before;
    if (chance_one_in(&sim->chance, 2)) {
        MUST(sim, rwd_journal_thread_turn(sim->engine->journal, false), "the journal has ended");
        after = rwd_journal_durable(sim->engine->writer);
    }
    sim_lose_memory(sim);
    bool in_one_segment = before / SEGMENT_SIZE == (after - 1) / SEGMENT_SIZE;
    if (after > before && in_one_segment) {
        tear(sim, before, after);
    }
    if (with_store) {
        sim_lose_store(sim);
        sim->stores_lost++;
    }
    sim->crashes++;
    sim_open_house(sim);
    sim_tell_shards(sim);
}

/* ---- batches ---- */

struct rwd_batch *sim_new_batch(struct sim *sim, uint32_t shard, struct rwd_mailbox *home)
{
    MUST(sim, sim->batch_count < BATCH_COUNT_MAX, "too many batches under way");
    struct rwd_batch *batch = rwd_batch_create(BATCH_EVENT_COUNT_MAX);
    batch->home = home;
    batch->shard = shard;
    sim->batches[sim->batch_count++] = batch;
    return batch;
}

void sim_free_batch(struct sim *sim, struct rwd_batch *batch)
{
    for (size_t i = 0; i < sim->batch_count; i++) {
        if (sim->batches[i] == batch) {
            sim->batches[i] = sim->batches[--sim->batch_count];
            rwd_batch_destroy(batch);
            return;
        }
    }
    MUST(sim, false, "a batch came home twice");
}

void sim_submit(struct sim *sim, struct rwd_batch *batch)
{
    MUST(sim, rwd_engine_submit(sim->engine, batch) == RWD_OK, "a shard's mailbox is full");
}
