#include "store/house.h"

#include <string.h>

static const struct rwd_store_house *const houses[] = {&rwd_store__sqlite};

static const struct rwd_store_house *house_of(
    const char *url, const char **location, struct rwd_error *error)
{
    for (size_t i = 0; i < sizeof houses / sizeof houses[0]; i++) {
        size_t size = strlen(houses[i]->scheme);
        if (strncmp(url, houses[i]->scheme, size) == 0 && url[size] != '\0') {
            *location = url + size;
            return houses[i];
        }
    }
    (void)rwd_fail(error, RWD_INVALID, "store url \"%s\" is not sqlite:<path>", url);
    return NULL;
}

enum rwd_status rwd_store_open(const char *url, struct rwd_store **store, struct rwd_error *error)
{
    const char *location = NULL;
    const struct rwd_store_house *house = house_of(url, &location, error);
    return house == NULL ? RWD_INVALID : house->open(location, store, error);
}

void rwd_store_close(struct rwd_store *store)
{
    if (store != NULL) {
        store->house->close(store);
    }
}

enum rwd_status rwd_store_reader_open(
    const char *url, struct rwd_store_reader **reader, struct rwd_error *error)
{
    const char *location = NULL;
    const struct rwd_store_house *house = house_of(url, &location, error);
    return house == NULL ? RWD_INVALID : house->reader_open(location, reader, error);
}

void rwd_store_reader_close(struct rwd_store_reader *reader)
{
    if (reader != NULL) {
        reader->house->reader_close(reader);
    }
}

enum rwd_status rwd_store_checkpoint(
    struct rwd_store *store, const struct rwd_checkpoint *checkpoint, struct rwd_error *error)
{
    return store->house->checkpoint(store, checkpoint, error);
}

void rwd_store_reader_hold(struct rwd_store_reader *reader)
{
    reader->house->hold(reader);
}

void rwd_store_reader_release(struct rwd_store_reader *reader)
{
    reader->house->release(reader);
}

enum rwd_status rwd_store_position(struct rwd_store_reader *reader, uint64_t *journal_position,
    uint64_t *sequence, struct rwd_error *error)
{
    return reader->house->position(reader, journal_position, sequence, error);
}

enum rwd_status rwd_store_player(struct rwd_store_reader *reader, struct rwd_text user_id,
    struct rwd_arena *arena, struct rwd_player_row *player, struct rwd_seen_row **seen,
    size_t *seen_count, struct rwd_error *error)
{
    return reader->house->player(reader, user_id, arena, player, seen, seen_count, error);
}

enum rwd_status rwd_store_tasks_due(struct rwd_store_reader *reader, int64_t now_ms,
    const struct rwd_text *kinds, size_t kind_count, size_t count_max, struct rwd_arena *arena,
    struct rwd_task_row **tasks, size_t *count, struct rwd_error *error)
{
    return reader->house->tasks_due(
        reader, now_ms, kinds, kind_count, count_max, arena, tasks, count, error);
}

enum rwd_status rwd_store_tasks_dispatching(struct rwd_store_reader *reader,
    struct rwd_arena *arena, struct rwd_task_row **tasks, size_t *count, struct rwd_error *error)
{
    return reader->house->tasks_dispatching(reader, arena, tasks, count, error);
}

enum rwd_status rwd_store_task(struct rwd_store_reader *reader, struct rwd_text task_id,
    struct rwd_arena *arena, struct rwd_task_row *task, struct rwd_error *error)
{
    return reader->house->task(reader, task_id, arena, task, error);
}

enum rwd_status rwd_store_tasks(struct rwd_store_reader *reader,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, struct rwd_task_row **tasks,
    size_t *count, struct rwd_text *next_cursor, struct rwd_error *error)
{
    return reader->house->tasks(reader, filter, arena, tasks, count, next_cursor, error);
}

enum rwd_status rwd_store_ledger(struct rwd_store_reader *reader,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, struct rwd_ledger_row **rows,
    size_t *count, struct rwd_text *next_cursor, struct rwd_error *error)
{
    return reader->house->ledger(reader, filter, arena, rows, count, next_cursor, error);
}

enum rwd_status rwd_store_dead_letters(struct rwd_store_reader *reader,
    const struct rwd_store_filter *filter, struct rwd_arena *arena,
    struct rwd_dead_letter_row **rows, size_t *count, struct rwd_text *next_cursor,
    struct rwd_error *error)
{
    return reader->house->dead_letters(reader, filter, arena, rows, count, next_cursor, error);
}

enum rwd_status rwd_store_dead_letter(struct rwd_store_reader *reader, struct rwd_text letter_id,
    struct rwd_arena *arena, struct rwd_dead_letter_row *row, struct rwd_error *error)
{
    return reader->house->dead_letter(reader, letter_id, arena, row, error);
}

enum rwd_status rwd_store_deliveries(struct rwd_store_reader *reader, struct rwd_text task_id,
    struct rwd_arena *arena, struct rwd_delivery_row **rows, size_t *count, struct rwd_error *error)
{
    return reader->house->deliveries(reader, task_id, arena, rows, count, error);
}

enum rwd_status rwd_store_waiting(struct rwd_store_reader *reader, struct rwd_arena *arena,
    struct rwd_waiting_row **rows, size_t *count, struct rwd_error *error)
{
    return reader->house->waiting(reader, arena, rows, count, error);
}

enum rwd_status rwd_store_budgets(struct rwd_store_reader *reader, struct rwd_arena *arena,
    struct rwd_budget_row **budgets, size_t *budget_count, struct rwd_budget_sum **sums,
    size_t *sum_count, struct rwd_error *error)
{
    return reader->house->budgets(reader, arena, budgets, budget_count, sums, sum_count, error);
}

enum rwd_status rwd_store_rule_versions(struct rwd_store_reader *reader, struct rwd_arena *arena,
    struct rwd_rule_version_row **rows, size_t *count, struct rwd_error *error)
{
    return reader->house->rule_versions(reader, arena, rows, count, error);
}

enum rwd_status rwd_store_version_sums(struct rwd_store_reader *reader, struct rwd_arena *arena,
    struct rwd_version_sum **sums, size_t *count, struct rwd_error *error)
{
    return reader->house->version_sums(reader, arena, sums, count, error);
}

enum rwd_status rwd_store_rulebook(struct rwd_store_reader *reader, uint32_t rulebook_no,
    struct rwd_arena *arena, struct rwd_rulebook_row *row, struct rwd_error *error)
{
    return reader->house->rulebook(reader, rulebook_no, arena, row, error);
}

enum rwd_status rwd_store_count(
    struct rwd_store_reader *reader, struct rwd_store_counts *counts, struct rwd_error *error)
{
    return reader->house->count(reader, counts, error);
}
