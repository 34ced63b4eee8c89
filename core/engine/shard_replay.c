#include "engine/shard_private.h"

#include "base/log.h"
#include "base/wire.h"
#include "decide/apply.h"
#include "domain/waiting.h"
#include "engine/records.h"
#include "engine/shard_inputs.h"
#include "engine/shard_waiting.h"

#include <inttypes.h>

/* raw: of an event, whose bytes stand behind its decision; empty for others. */
static enum rwd_status replay_decision(struct rwd_shard *shard, const struct rwd_record *record,
    struct rwd_text user_id, struct rwd_text bytes, struct rwd_text raw, bool *applied,
    struct rwd_error *error)
{
    struct rwd_player *player = NULL;
    struct rwd_decision decision;
    enum rwd_status status =
        rwd_players_get(shard->players, user_id, record->user_fingerprint, &player, error);
    if (status != RWD_OK || record->sequence <= player->sequence) {
        return status;
    }
    status = rwd_decision_decode(bytes, &shard->replay_arena, &decision);
    if (status == RWD_OK) {
        if (decision.waits != NULL) {
            decision.waits->raw = raw;
        }
        rwd_apply(player, &decision, record->sequence, shard->options.pools, true);
        rwd_players_mark_dirty(
            shard->players, player, shard->epoch, rwd_shard__has_open_change(&decision));
        if (decision.waits != NULL || decision.release != RWD_RELEASE_NONE) {
            rwd_shard__note_waiting(shard, player);
        }
        *applied = true;
    }
    return status;
}

/* Live, the letter of a failed delivery was in the store before anybody could change it; so the
 * task that it is made from goes before the change here, too. */
static enum rwd_status put_letter_first(struct rwd_shard *shard, const struct rwd_record *record,
    const struct rwd_dead_letter_row *row, struct rwd_error *error)
{
    struct rwd_player *player = NULL;
    if (!rwd_text_is(row->lane, "deliveries")) {
        return RWD_OK;
    }
    enum rwd_status status =
        rwd_players_find(shard->players, row->user_id, record->user_fingerprint, &player, error);
    if (status == RWD_OK && player->dirty) {
        rwd_checkpoint_add_player(
            shard->filling, player, shard->options.directory, shard->options.pools);
    }
    return status == RWD_NOT_FOUND ? RWD_OK : status;
}

static enum rwd_status replay_event(
    struct rwd_shard *shard, const struct rwd_record *record, struct rwd_error *error)
{
    struct rwd_event_body body;
    bool applied = false;
    enum rwd_status status = rwd_event_body_decode(record->body, &body);
    return status == RWD_OK ? replay_decision(shard, record, body.user_id, body.decision, body.raw,
                                  &applied, error)
                            : status;
}

static enum rwd_status replay_task(
    struct rwd_shard *shard, const struct rwd_record *record, struct rwd_error *error)
{
    struct rwd_task_body body;
    bool applied = false;
    enum rwd_status status = rwd_task_body_decode(record->body, &body);
    if (status == RWD_OK) {
        status = replay_decision(
            shard, record, body.user_id, body.decision, (struct rwd_text){0}, &applied, error);
    }
    if (status == RWD_OK && applied) {
        rwd_shard__add_delivery(shard, &body.command, body.command.attempt, record->time_ms);
    }
    return status;
}

static enum rwd_status replay_letter(
    struct rwd_shard *shard, const struct rwd_record *record, struct rwd_error *error)
{
    struct rwd_dead_letter_row row;
    enum rwd_status status = rwd_dead_letter_decode(record->body, &row);
    if (status == RWD_OK && record->type == RWD_RECORD_DEAD_LETTER_CHANGE) {
        status = put_letter_first(shard, record, &row, error);
    }
    if (status == RWD_OK) {
        rwd_checkpoint_add_dead_letter(shard->filling, &row);
    }
    return status;
}

static enum rwd_status replay_budget(
    struct rwd_shard *shard, const struct rwd_record *record, struct rwd_error *error)
{
    struct rwd_budget_row row;
    enum rwd_status status = rwd_budget_decode(record->body, &row);
    if (status == RWD_OK) {
        status = rwd_engine__put_budget(shard->options.pools, &row, error);
        rwd_checkpoint_add_budget(shard->filling, &row);
    }
    return status;
}

static enum rwd_status replay_rule(struct rwd_shard *shard, const struct rwd_record *record)
{
    struct rwd_rule_version_row row;
    enum rwd_status status = rwd_rule_version_decode(record->body, &row);
    if (status == RWD_OK) {
        rwd_checkpoint_add_rule_version(shard->filling, &row);
    }
    return status;
}

static enum rwd_status replay_rulebook(struct rwd_shard *shard, const struct rwd_record *record)
{
    struct rwd_rulebook_row row;
    enum rwd_status status = rwd_rulebook_decode(record->body, &row);
    if (status == RWD_OK) {
        rwd_checkpoint_add_rulebook(shard->filling, &row);
    }
    return status;
}

static enum rwd_status replay_record(
    struct rwd_shard *shard, const struct rwd_record *record, struct rwd_error *error)
{
    switch ((enum rwd_record_type)record->type) {
    case RWD_RECORD_EVENT:
    case RWD_RECORD_RELEASE:
        return replay_event(shard, record, error);
    case RWD_RECORD_TASK:
        return replay_task(shard, record, error);
    case RWD_RECORD_DEAD_LETTER:
    case RWD_RECORD_DEAD_LETTER_CHANGE:
        return replay_letter(shard, record, error);
    case RWD_RECORD_BUDGET:
        return replay_budget(shard, record, error);
    case RWD_RECORD_RULE:
        return replay_rule(shard, record);
    case RWD_RECORD_RULEBOOK:
        return replay_rulebook(shard, record);
    case RWD_RECORD_SEAL:
        break;
    }
    return RWD_OK;
}

enum rwd_status rwd_shard_replay(
    struct rwd_shard *shard, const struct rwd_record *record, struct rwd_error *error)
{
    error->text[0] = '\0';
    enum rwd_status status = replay_record(shard, record, error);
    rwd_arena_reset(&shard->replay_arena, 1 << 20);
    if (status != RWD_OK && error->text[0] == '\0') {
        return rwd_fail(error, RWD_CORRUPT,
            "the record at position %" PRIu64 " (sequence %" PRIu64 ") cannot be read",
            record->position, record->sequence);
    }
    return status;
}

void rwd_shard_replay_rule_version(struct rwd_shard *shard, const struct rwd_rule_version_row *row)
{
    rwd_checkpoint_add_rule_version(shard->filling, row);
}

enum rwd_status rwd_shard_store_replayed(
    struct rwd_shard *shard, struct rwd_store *store, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    while (status == RWD_OK &&
           (rwd_players_dirty_count(shard->players) > 0 || shard->filling->size > 0)) {
        (void)rwd_shard__add_dirty_players(
            shard, shard->filling, shard->options.config->engine_checkpoint_player_count_max);
        /* The position stays where it is until all shards are through. */
        shard->filling->rows.journal_position = shard->options.replay_position;
        status = rwd_store_checkpoint(store, &shard->filling->rows, error);
        rwd_checkpoint_message_reset(shard->filling);
    }
    /* A checkpoint like any other: who is dirty from here on belongs to the next. */
    shard->epoch++;
    shard->committed_epoch = shard->epoch;
    shard->stamps[0].epoch = shard->epoch;
    (void)rwd_players_evict(shard->players, shard->hot_count_max, shard->committed_epoch);
    return status;
}

void rwd_shard_stored_to(struct rwd_shard *shard, uint64_t position)
{
    shard->options.replay_position = position;
    shard->last_stamp = position;
    shard->stamps[0].position = position;
}
