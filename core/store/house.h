/*
 * house: what a database has to bring to be a store. One table of functions a database.
 *
 * store.c picks the house by the url's scheme and knows no more of it; each function keeps the
 * contract of the function of the same name in store.h. A house embeds struct rwd_store and struct
 * rwd_store_reader as the first member of its own.
 */
#ifndef RWD_STORE_HOUSE_H
#define RWD_STORE_HOUSE_H

#include "store/store.h"

struct rwd_store_house {
    const char *scheme; /* "sqlite:" */
    enum rwd_status (*open)(
        const char *location, struct rwd_store **store, struct rwd_error *error);
    void (*close)(struct rwd_store *store);
    enum rwd_status (*checkpoint)(
        struct rwd_store *store, const struct rwd_checkpoint *checkpoint, struct rwd_error *error);

    enum rwd_status (*reader_open)(
        const char *location, struct rwd_store_reader **reader, struct rwd_error *error);
    void (*reader_close)(struct rwd_store_reader *reader);
    void (*hold)(struct rwd_store_reader *reader);
    void (*release)(struct rwd_store_reader *reader);
    enum rwd_status (*position)(struct rwd_store_reader *reader, uint64_t *journal_position,
        uint64_t *sequence, struct rwd_error *error);
    enum rwd_status (*player)(struct rwd_store_reader *reader, struct rwd_text user_id,
        struct rwd_arena *arena, struct rwd_player_row *player, struct rwd_seen_row **seen,
        size_t *seen_count, struct rwd_error *error);
    enum rwd_status (*tasks_due)(struct rwd_store_reader *reader, int64_t now_ms,
        const struct rwd_text *kinds, size_t kind_count, size_t count_max, struct rwd_arena *arena,
        struct rwd_task_row **tasks, size_t *count, struct rwd_error *error);
    enum rwd_status (*tasks_dispatching)(struct rwd_store_reader *reader, struct rwd_arena *arena,
        struct rwd_task_row **tasks, size_t *count, struct rwd_error *error);
    enum rwd_status (*task)(struct rwd_store_reader *reader, struct rwd_text task_id,
        struct rwd_arena *arena, struct rwd_task_row *task, struct rwd_error *error);
    enum rwd_status (*tasks)(struct rwd_store_reader *reader, const struct rwd_store_filter *filter,
        struct rwd_arena *arena, struct rwd_task_row **tasks, size_t *count,
        struct rwd_text *next_cursor, struct rwd_error *error);
    enum rwd_status (*ledger)(struct rwd_store_reader *reader,
        const struct rwd_store_filter *filter, struct rwd_arena *arena,
        struct rwd_ledger_row **rows, size_t *count, struct rwd_text *next_cursor,
        struct rwd_error *error);
    enum rwd_status (*dead_letters)(struct rwd_store_reader *reader,
        const struct rwd_store_filter *filter, struct rwd_arena *arena,
        struct rwd_dead_letter_row **rows, size_t *count, struct rwd_text *next_cursor,
        struct rwd_error *error);
    enum rwd_status (*dead_letter)(struct rwd_store_reader *reader, struct rwd_text letter_id,
        struct rwd_arena *arena, struct rwd_dead_letter_row *row, struct rwd_error *error);
    enum rwd_status (*deliveries)(struct rwd_store_reader *reader, struct rwd_text task_id,
        struct rwd_arena *arena, struct rwd_delivery_row **rows, size_t *count,
        struct rwd_error *error);
    enum rwd_status (*waiting)(struct rwd_store_reader *reader, struct rwd_arena *arena,
        struct rwd_waiting_row **rows, size_t *count, struct rwd_error *error);
    enum rwd_status (*budgets)(struct rwd_store_reader *reader, struct rwd_arena *arena,
        struct rwd_budget_row **budgets, size_t *budget_count, struct rwd_budget_sum **sums,
        size_t *sum_count, struct rwd_error *error);
    enum rwd_status (*rule_versions)(struct rwd_store_reader *reader, struct rwd_arena *arena,
        struct rwd_rule_version_row **rows, size_t *count, struct rwd_error *error);
    enum rwd_status (*version_sums)(struct rwd_store_reader *reader, struct rwd_arena *arena,
        struct rwd_version_sum **sums, size_t *count, struct rwd_error *error);
    enum rwd_status (*rulebook)(struct rwd_store_reader *reader, uint32_t rulebook_no,
        struct rwd_arena *arena, struct rwd_rulebook_row *row, struct rwd_error *error);
    enum rwd_status (*count)(
        struct rwd_store_reader *reader, struct rwd_store_counts *counts, struct rwd_error *error);
};

struct rwd_store {
    const struct rwd_store_house *house;
};

struct rwd_store_reader {
    const struct rwd_store_house *house;
};

extern const struct rwd_store_house rwd_store__sqlite;

#endif
