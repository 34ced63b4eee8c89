#include "engine/recovery.h"

#include "base/log.h"
#include "engine/records.h"
#include "engine/shard_inputs.h"

#include <inttypes.h>

enum {
    /* Records between two checkpoints of a long replay: some hundred MB of dirty players at the
       most. */
    ARENA_CHUNK = 256 << 10,
    ARENA_MAX = 1 << 30,
};

static enum rwd_status recover_pools(
    const struct rwd_recovery *recovery, struct rwd_arena *arena, struct rwd_error *error)
{
    struct rwd_budget_row *budgets = NULL;
    struct rwd_budget_sum *sums = NULL;
    size_t budget_count = 0;
    size_t sum_count = 0;
    enum rwd_status status = rwd_store_budgets(
        recovery->reader, arena, &budgets, &budget_count, &sums, &sum_count, error);
    /* In the order of their numbers, which is the order they were made in. */
    for (uint32_t no = 1; status == RWD_OK && no <= budget_count; no++) {
        for (size_t i = 0; status == RWD_OK && i < budget_count; i++) {
            if (budgets[i].pool_no == no) {
                status = rwd_engine__put_budget(recovery->pools, &budgets[i], error);
            }
        }
    }
    for (size_t i = 0; status == RWD_OK && i < sum_count; i++) {
        uint32_t pool_no = rwd_pools_find(recovery->pools, sums[i].pool_id);
        int32_t period = (int32_t)sums[i].period;
        rwd_pool_account(recovery->pools, pool_no, period, sums[i].reserved_minor,
            RWD_BUDGET_NOTHING, RWD_BUDGET_RESERVED);
        rwd_pool_account(recovery->pools, pool_no, period, sums[i].spent_minor, RWD_BUDGET_NOTHING,
            RWD_BUDGET_SPENT);
    }
    return status;
}

static enum rwd_status recover_rules(
    const struct rwd_recovery *recovery, struct rwd_arena *arena, struct rwd_error *error)
{
    struct rwd_rule_version_row *rows = NULL;
    size_t count = 0;
    enum rwd_status status = rwd_store_rule_versions(recovery->reader, arena, &rows, &count, error);
    for (uint32_t no = 1; status == RWD_OK && no <= count; no++) {
        for (size_t i = 0; status == RWD_OK && i < count; i++) {
            if (rows[i].version_no == no) {
                status = rwd_keeper_restore(recovery->keeper, &rows[i], error);
            }
        }
    }
    struct rwd_rulebook_row rulebook;
    if (status == RWD_OK) {
        status = rwd_store_rulebook(recovery->reader, 0, arena, &rulebook, error);
        if (status == RWD_OK) {
            rwd_keeper_restore_rulebook(recovery->keeper, &rulebook);
        }
        status = status == RWD_NOT_FOUND ? RWD_OK : status;
    }
    return status;
}

/* Players are loaded when they are needed; that some of their events are due must be known before.
 */
static enum rwd_status recover_waiting(
    const struct rwd_recovery *recovery, struct rwd_arena *arena, struct rwd_error *error)
{
    struct rwd_waiting_row *rows = NULL;
    size_t count = 0;
    enum rwd_status status = rwd_store_waiting(recovery->reader, arena, &rows, &count, error);
    for (size_t i = 0; status == RWD_OK && i < count; i++) {
        uint64_t fingerprint = rwd_fingerprint(recovery->fingerprint_key, rows[i].user_id);
        rwd_shard_replay_waiting(
            recovery->shards[fingerprint % recovery->shard_count], &rows[i], fingerprint);
    }
    return status;
}

enum rwd_status rwd_recover_tables(const struct rwd_recovery *recovery, struct rwd_error *error)
{
    struct rwd_arena arena;
    rwd_arena_init(&arena, ARENA_CHUNK, ARENA_MAX);
    enum rwd_status status = recover_pools(recovery, &arena, error);
    if (status == RWD_OK) {
        status = recover_rules(recovery, &arena, error);
    }
    if (status == RWD_OK) {
        status = recover_waiting(recovery, &arena, error);
    }
    rwd_arena_finish(&arena);
    return status;
}

/* The record says what is new of a version; the store keeps it whole. */
static enum rwd_status replay_changes(const struct rwd_recovery *recovery,
    const struct rwd_rulebook_row *row, struct rwd_error *error)
{
    struct rwd_text changes = row->changes;
    struct rwd_rulebook_change change;
    struct rwd_buffer ramp = {0};
    enum rwd_status status = rwd_rulebook_next_change(&changes, &change);
    while (status == RWD_OK) {
        struct rwd_rule_version_row version;
        status = rwd_keeper_restore_change(recovery->keeper, &change, row, &ramp, &version, error);
        if (status == RWD_OK) {
            rwd_shard_replay_rule_version(recovery->shards[0], &version);
            status = rwd_rulebook_next_change(&changes, &change);
        }
    }
    rwd_buffer_finish(&ramp);
    return status == RWD_NOT_FOUND ? RWD_OK : status;
}

/* Who has a player's, also what a person made of the letter of a failed delivery: the letter itself
 * comes from the player's task. All else keeps its order in the first shard. */
static uint32_t shard_of(const struct rwd_recovery *recovery, const struct rwd_record *record)
{
    struct rwd_dead_letter_row row;
    bool is_players = record->type == RWD_RECORD_EVENT || record->type == RWD_RECORD_TASK ||
                      record->type == RWD_RECORD_RELEASE ||
                      (record->type == RWD_RECORD_DEAD_LETTER_CHANGE &&
                          rwd_dead_letter_decode(record->body, &row) == RWD_OK &&
                          rwd_text_is(row.lane, "deliveries"));
    return is_players ? (uint32_t)(record->user_fingerprint % recovery->shard_count) : 0;
}

static enum rwd_status replay(
    const struct rwd_recovery *recovery, const struct rwd_record *record, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    if (record->type == RWD_RECORD_RULE) {
        struct rwd_rule_version_row row;
        status = rwd_rule_version_decode(record->body, &row);
        if (status == RWD_OK) {
            status = rwd_keeper_restore(recovery->keeper, &row, error);
        }
    } else if (record->type == RWD_RECORD_RULEBOOK) {
        struct rwd_rulebook_row row;
        status = rwd_rulebook_decode(record->body, &row);
        if (status == RWD_OK) {
            status = replay_changes(recovery, &row, error);
        }
        if (status == RWD_OK) {
            rwd_keeper_restore_rulebook(recovery->keeper, &row);
        }
    }
    struct rwd_shard *shard = recovery->shards[shard_of(recovery, record)];
    return status == RWD_OK ? rwd_shard_replay(shard, record, error) : status;
}

/* Everything replayed so far goes into the store; then the store stands at position, and so do all
 * who count from there. */
static enum rwd_status store_all(
    const struct rwd_recovery *recovery, uint64_t position, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    for (uint32_t i = 0; status == RWD_OK && i < recovery->shard_count; i++) {
        status = rwd_shard_store_replayed(recovery->shards[i], recovery->store, error);
    }
    if (status == RWD_OK) {
        const struct rwd_checkpoint empty = {.journal_position = position};
        status = rwd_store_checkpoint(recovery->store, &empty, error);
    }
    for (uint32_t i = 0; status == RWD_OK && i < recovery->shard_count; i++) {
        rwd_shard_stored_to(recovery->shards[i], position);
    }
    return status;
}

enum rwd_status rwd_recover_tail(const struct rwd_recovery *recovery, uint64_t *record_count,
    uint64_t *position, struct rwd_error *error)
{
    *record_count = 0;
    *position = recovery->position;
    if (recovery->position > recovery->journal_end) {
        return rwd_fail(error, RWD_CORRUPT,
            "the store stands at position %" PRIu64 ", the journal ends at %" PRIu64
            ": they do not belong together, or the journal's end was lost",
            recovery->position, recovery->journal_end);
    }
    struct rwd_journal_reader *reader = NULL;
    enum rwd_status status =
        rwd_journal_reader_open(recovery->journal_dir, recovery->position, &reader, error);
    if (status != RWD_OK) {
        return status == RWD_NOT_FOUND ? RWD_OK : status;
    }
    while (status == RWD_OK) {
        struct rwd_record record;
        status = rwd_journal_reader_next(reader, &record, error);
        if (status != RWD_OK) {
            break;
        }
        status = replay(recovery, &record, error);
        (*record_count)++;
        if (status == RWD_OK && *record_count % recovery->checkpoint_record_count == 0) {
            *position = record.position + record.size_on_disk;
            rwd_log(RWD_LOG_INFO, "recovery", "records=%" PRIu64 " position=%" PRIu64,
                *record_count, *position);
            status = store_all(recovery, *position, error);
        }
    }
    rwd_journal_reader_close(reader);
    return status == RWD_NOT_FOUND ? RWD_OK : status;
}
