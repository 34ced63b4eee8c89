#include "engine/shard_waiting.h"

#include "base/check.h"
#include "base/log.h"
#include "decide/release.h"
#include "engine/records.h"

#include <inttypes.h>

enum {
    /* Players released by time in one batch: a fraction of a millisecond, like any batch. */
    DUE_PLAYER_COUNT = 64,
    /* The wall clock may be set: it is looked at this often where anybody waits. */
    LOOK_MS_MAX = 1000,
    STORE_RETRY_MS = 200,
    ARENA_KEEP_SIZE = 1 << 20,
};

static void put_guest(struct rwd_shard *shard, const struct rwd_waiting_guest *guest)
{
    rwd_waiting_room_put(shard->waiting_room, guest);
    atomic_store_explicit(&shard->metrics.waiting_events,
        rwd_waiting_room_event_count(shard->waiting_room), memory_order_relaxed);
}

void rwd_shard_replay_waiting(
    struct rwd_shard *shard, const struct rwd_waiting_row *row, uint64_t user_fingerprint)
{
    const struct rwd_waiting_guest guest = {.user_id = row->user_id,
        .fingerprint = user_fingerprint,
        .since_ms = row->waiting_since_ms,
        .count = (size_t)row->waiting_count};
    put_guest(shard, &guest);
}

void rwd_shard__note_waiting(struct rwd_shard *shard, const struct rwd_player *player)
{
    const struct rwd_waiting_guest guest = {.user_id = rwd_player_user_id(player),
        .fingerprint = player->fingerprint,
        .since_ms = rwd_waiting_since_ms(player),
        .count = rwd_waiting_count(player)};
    put_guest(shard, &guest);
}

/* Where the record's bytes are; NULL: the batch's memory is used up. */
static struct rwd_followup *new_followup(struct rwd_input *input, struct rwd_text raw)
{
    struct rwd_arena *arena = &input->batch->arena;
    struct rwd_followup *followup = rwd_arena_alloc(arena, sizeof *followup);
    char *copy = followup != NULL ? rwd_arena_copy(arena, raw.data, raw.size) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    *followup = (struct rwd_followup){0};
    followup->parts[1] = (struct rwd_text){.data = copy, .size = raw.size};
    return followup;
}

/* Into the scratch buffer. False: it is longer than a record may be. */
static bool encode(struct rwd_shard *shard, const struct rwd_player *player,
    const struct rwd_decision *decision, size_t raw_size)
{
    shard->scratch.size = 0;
    rwd_event_body_encode(rwd_player_user_id(player), decision, &shard->scratch);
    return shard->scratch.size <= RWD_SHARD_RECORD_SIZE_MAX - raw_size;
}

/* Decides the foremost event into the shard's own arena, so that what comes behind it in the batch
 * keeps the batch's. False: its record cannot be made now; it waits on. */
static bool release_first(struct rwd_shard *shard, struct rwd_input *input,
    struct rwd_player *player, enum rwd_release release, int64_t now_ms)
{
    const struct rwd_waiting_event *waiting = &player->waiting->events[0];
    const struct rwd_decide_facts facts = rwd_shard__facts(shard, now_ms);
    struct rwd_followup *followup = new_followup(input, waiting->raw);
    struct rwd_event event;
    struct rwd_decision decision = {0};
    if (followup == NULL) {
        return false;
    }
    enum rwd_status status =
        rwd_release_read(waiting, followup->parts[1], &shard->release_arena, &event);
    if (status == RWD_OK) {
        status = rwd_decide_release(
            &facts, waiting, &event, release, player, &shard->release_arena, &decision);
    }
    bool decided = status == RWD_OK && encode(shard, player, &decision, followup->parts[1].size);
    if (!decided) {
        /* Only monsters get here. They must not keep those behind them waiting for ever. */
        rwd_decide_undo(&facts, &decision);
        rwd_log(RWD_LOG_ERROR, "shard",
            "shard=%u status=%s msg=\"what the rules make of a waiting event cannot be recorded: "
            "it "
            "gives nothing\"",
            shard->options.index, rwd_status_name(status == RWD_OK ? RWD_LIMIT : status));
        rwd_decide_release_nothing(&facts, waiting, release, &decision);
        RWD_REQUIRE(encode(shard, player, &decision, followup->parts[1].size));
    }
    char *copy = rwd_arena_copy(&input->batch->arena, shard->scratch.data, shard->scratch.size);
    if (copy == NULL) {
        rwd_decide_undo(&facts, &decision);
        return false;
    }
    followup->parts[0] = (struct rwd_text){.data = copy, .size = shard->scratch.size};
    uint64_t sequence = atomic_fetch_add(shard->options.sequence, 1) + 1;
    followup->record = (struct rwd_record){.type = RWD_RECORD_RELEASE,
        .sequence = sequence,
        .time_ms = now_ms,
        .user_fingerprint = player->fingerprint,
        .event_fingerprint = waiting->fingerprint};
    *(input->followup_last != NULL ? &input->followup_last->next : &input->followups) = followup;
    input->followup_last = followup;
    if (decided) {
        rwd_rule_watch_decided(
            shard->watch, &facts, &event, player->fingerprint, player, &decision);
    }
    rwd_shard__apply(shard, player, &decision, sequence);
    rwd_count(&shard->metrics.released[release], 1);
    rwd_count(&shard->metrics.tasks_created, decision.task_count);
    return true;
}

void rwd_shard__release_due(struct rwd_shard *shard, struct rwd_input *input,
    struct rwd_player *player, int64_t now_ms, int64_t clock_ms)
{
    enum rwd_release release = RWD_RELEASE_NONE;
    bool going = true;
    while (going && (release = rwd_release_due(shard->options.gates, player, clock_ms)) !=
                        RWD_RELEASE_NONE) {
        going = release_first(shard, input, player, release, now_ms);
        rwd_arena_reset(&shard->release_arena, ARENA_KEEP_SIZE);
    }
}

void rwd_shard__handle_release(struct rwd_shard *shard, struct rwd_input *input, int64_t now_ms)
{
    struct rwd_player *player = NULL;
    struct rwd_error error;
    enum rwd_status status =
        rwd_players_find(shard->players, input->user_id, input->user_fingerprint, &player, &error);
    if (status == RWD_OK) {
        rwd_shard__release_due(shard, input, player, now_ms, now_ms);
        input->outcome = RWD_OUTCOME_ACCEPTED;
        return;
    }
    /* The store is away: they wait on. */
    rwd_log(RWD_LOG_ERROR, "shard", "shard=%u status=%s msg=\"a player whose events are due: %s\"",
        shard->options.index, rwd_status_name(status), error.text);
    input->outcome = RWD_OUTCOME_FAILED;
    shard->due_retry_ms = now_ms + STORE_RETRY_MS;
}

struct rwd_batch *rwd_shard__due_batch(struct rwd_shard *shard, int *timeout_ms)
{
    const struct rwd_waiting_guest *first = rwd_waiting_room_first(shard->waiting_room);
    *timeout_ms = -1;
    /* Its return, or the first rulebook, wakes us. */
    if (first == NULL || shard->due_out || shard->ruleset == NULL || shard->stopping) {
        return NULL;
    }
    int64_t now_ms = rwd_clock_wall_ms(&shard->options.clock);
    int64_t since_max_ms = now_ms - shard->options.gates->reorder_window_ms;
    int64_t left_ms = first->since_ms - since_max_ms;
    int64_t retry_ms = shard->due_retry_ms - now_ms;
    left_ms = retry_ms > left_ms && retry_ms <= STORE_RETRY_MS ? retry_ms : left_ms;
    if (left_ms > 0) {
        *timeout_ms = (int)(left_ms < LOOK_MS_MAX ? left_ms : LOOK_MS_MAX);
        return NULL;
    }
    const struct rwd_waiting_guest *guests[DUE_PLAYER_COUNT];
    size_t count =
        rwd_waiting_room_due(shard->waiting_room, since_max_ms, guests, DUE_PLAYER_COUNT);
    if (shard->due_batch == NULL) {
        shard->due_batch = rwd_batch_create(DUE_PLAYER_COUNT);
    }
    struct rwd_batch *batch = shard->due_batch;
    rwd_batch_reset(batch);
    batch->message.kind = RWD_SHARD_BATCH;
    batch->home = shard->mailbox;
    batch->home_kind = RWD_SHARD_RELEASED;
    batch->shard = shard->options.index;
    for (size_t i = 0; i < count; i++) {
        struct rwd_text user_id = guests[i]->user_id;
        struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_RELEASE);
        input->user_fingerprint = guests[i]->fingerprint;
        /* A copy: the guest leaves the room while its events are released. */
        input->user_id =
            (struct rwd_text){.data = rwd_arena_copy(&batch->arena, user_id.data, user_id.size),
                .size = user_id.size};
        if (input->user_id.data == NULL) {
            batch->count--;
            break;
        }
    }
    shard->due_out = true;
    return batch;
}

void rwd_shard__due_batch_home(struct rwd_shard *shard)
{
    shard->due_out = false;
}
