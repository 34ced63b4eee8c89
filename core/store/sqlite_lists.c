/*
 * The lists of the admin API: newest first, filtered, by pages. Each is answered from an index that
 * leads with one filter and ends with (time, id), so a page costs what it shows; what other filters
 * ask is checked row by row. Statements are made per call: these are for people, not for events.
 */
#include "store/sqlite.h"

enum { FILTER_COUNT_MAX = 5 };

/* One filter of a list: its column, what is asked, and the index that leads with it (NULL: none).
 * The first one with a value chooses the index. */
struct filter_field {
    const char *column;
    struct rwd_text value;
    const char *index;
};

struct list {
    enum rwd_store__list list;
    const struct rwd_store__table *table;
    const char *time_column;
    const char *id_column;
    const char *index; /* without a filter */
    struct filter_field fields[FILTER_COUNT_MAX];
    size_t field_count;
};

static const char *index_of(const struct list *list)
{
    for (size_t i = 0; i < list->field_count; i++) {
        if (list->fields[i].value.size > 0 && list->fields[i].index != NULL) {
            return list->fields[i].index;
        }
    }
    return list->index;
}

/* Parameters: the filters with a value in turn, then time and id of the cursor, then the limit. */
static void put_sql(const struct list *list, bool has_cursor, struct rwd_buffer *sql)
{
    rwd_buffer_put_string(sql, "SELECT ");
    rwd_store__put_columns(list->table, sql);
    rwd_buffer_put_format(sql, " FROM %s INDEXED BY %s", list->table->name, index_of(list));
    const char *separator = " WHERE ";
    for (size_t i = 0; i < list->field_count; i++) {
        if (list->fields[i].value.size > 0) {
            rwd_buffer_put_format(sql, "%s%s = ?", separator, list->fields[i].column);
            separator = " AND ";
        }
    }
    if (has_cursor) {
        rwd_buffer_put_format(
            sql, "%s(%s, %s) < (?, ?)", separator, list->time_column, list->id_column);
    }
    rwd_buffer_put_format(
        sql, " ORDER BY %s DESC, %s DESC LIMIT ?", list->time_column, list->id_column);
}

static void bind(sqlite3_stmt *statement, const struct list *list, bool has_cursor,
    struct rwd_store__key key, size_t limit)
{
    int parameter = 1;
    for (size_t i = 0; i < list->field_count; i++) {
        if (list->fields[i].value.size > 0) {
            rwd_store__bind_text(statement, parameter++, list->fields[i].value);
        }
    }
    if (has_cursor) {
        (void)sqlite3_bind_int64(statement, parameter++, key.at_ms);
        rwd_store__bind_text(statement, parameter++, key.id);
    }
    /* One more than the page, which tells whether there is a next one. */
    (void)sqlite3_bind_int64(statement, parameter, (int64_t)limit + 1);
}

/* A page of rows. *more: there is another. */
static enum rwd_status read_page(struct rwd_sqlite_reader *reader, const struct list *list,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, void **rows, size_t *count,
    bool *more, struct rwd_error *error)
{
    struct rwd_store__key key = {0};
    bool has_cursor = filter->cursor.size > 0;
    *rows = NULL;
    *count = 0;
    if (has_cursor) {
        enum rwd_status status = rwd_store__cursor_read(list->list, filter, arena, &key, error);
        if (status != RWD_OK) {
            return status;
        }
    }
    size_t limit = filter->limit;
    limit = limit < 1 ? 1 : limit > RWD_STORE_LIST_COUNT_MAX ? RWD_STORE_LIST_COUNT_MAX : limit;
    struct rwd_buffer sql = {0};
    put_sql(list, has_cursor, &sql);
    sqlite3_stmt *statement = NULL;
    enum rwd_status status =
        rwd_store__prepare(reader->db, rwd_buffer_c_string(&sql), &statement, error);
    rwd_buffer_finish(&sql);
    if (status == RWD_OK) {
        bind(statement, list, has_cursor, key, limit);
        status = rwd_store__collect(
            reader->db, statement, list->table, limit, arena, rows, count, more, error);
    }
    (void)sqlite3_finalize(statement);
    return status;
}

static enum rwd_status next_of(const struct list *list, const struct rwd_store_filter *filter,
    bool more, struct rwd_store__key last, struct rwd_arena *arena, struct rwd_text *next_cursor,
    struct rwd_error *error)
{
    *next_cursor = (struct rwd_text){.data = "", .size = 0};
    return more ? rwd_store__cursor_write(list->list, filter, last, arena, next_cursor, error)
                : RWD_OK;
}

/* Open tasks are few whatever the table's size, so their status leads before a rule does. */
static bool is_open(struct rwd_text status)
{
    return rwd_text_is(status, "pending") || rwd_text_is(status, "held") ||
           rwd_text_is(status, "dispatching");
}

enum rwd_status rwd_store__list_tasks(struct rwd_store_reader *base,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, struct rwd_task_row **tasks,
    size_t *count, struct rwd_text *next_cursor, struct rwd_error *error)
{
    const struct filter_field status_field = {"status", filter->status, "reward_tasks_status"};
    const struct filter_field rule_field = {"rule_id", filter->rule_id, "reward_tasks_rule"};
    bool open = is_open(filter->status);
    const struct list list = {
        .list = RWD_STORE__TASKS,
        .table = &rwd_store__tasks,
        .time_column = "created_ms",
        .id_column = "task_id",
        .index = "reward_tasks_created",
        .fields = {{"user_id", filter->user_id, "reward_tasks_user"},
            open ? status_field : rule_field, open ? rule_field : status_field,
            {"pool_id", filter->pool_id, NULL}, {"reason", filter->reason, NULL}},
        .field_count = 5,
    };
    void *rows = NULL;
    bool more = false;
    enum rwd_status status = read_page(
        (struct rwd_sqlite_reader *)base, &list, filter, arena, &rows, count, &more, error);
    *tasks = rows;
    if (status != RWD_OK) {
        return status;
    }
    struct rwd_store__key last = {0};
    if (*count > 0) {
        last =
            (struct rwd_store__key){(*tasks)[*count - 1].created_ms, (*tasks)[*count - 1].task_id};
    }
    return next_of(&list, filter, more, last, arena, next_cursor, error);
}

enum rwd_status rwd_store__list_ledger(struct rwd_store_reader *base,
    const struct rwd_store_filter *filter, struct rwd_arena *arena, struct rwd_ledger_row **rows,
    size_t *count, struct rwd_text *next_cursor, struct rwd_error *error)
{
    const struct list list = {
        .list = RWD_STORE__LEDGER,
        .table = &rwd_store__ledger_rows,
        .time_column = "posted_ms",
        .id_column = "task_id",
        .index = "reward_ledger_posted",
        .fields = {{"user_id", filter->user_id, "reward_ledger_user"},
            {"pool_id", filter->pool_id, "reward_ledger_pool"}, {"rule_id", filter->rule_id, NULL}},
        .field_count = 3,
    };
    void *page = NULL;
    bool more = false;
    enum rwd_status status = read_page(
        (struct rwd_sqlite_reader *)base, &list, filter, arena, &page, count, &more, error);
    *rows = page;
    if (status != RWD_OK) {
        return status;
    }
    struct rwd_store__key last = {0};
    if (*count > 0) {
        last = (struct rwd_store__key){(*rows)[*count - 1].posted_ms, (*rows)[*count - 1].task_id};
    }
    return next_of(&list, filter, more, last, arena, next_cursor, error);
}

enum rwd_status rwd_store__list_dead_letters(struct rwd_store_reader *base,
    const struct rwd_store_filter *filter, struct rwd_arena *arena,
    struct rwd_dead_letter_row **rows, size_t *count, struct rwd_text *next_cursor,
    struct rwd_error *error)
{
    const struct list list = {
        .list = RWD_STORE__DEAD_LETTERS,
        .table = &rwd_store__dead_letters,
        .time_column = "created_ms",
        .id_column = "letter_id",
        .index = "dead_letters_created",
        .fields = {{"user_id", filter->user_id, "dead_letters_user"},
            {"reason", filter->reason, "dead_letters_reason"},
            {"status", filter->status, "dead_letters_status"},
            {"lane", filter->lane, "dead_letters_lane"}},
        .field_count = 4,
    };
    void *page = NULL;
    bool more = false;
    enum rwd_status status = read_page(
        (struct rwd_sqlite_reader *)base, &list, filter, arena, &page, count, &more, error);
    *rows = page;
    if (status != RWD_OK) {
        return status;
    }
    struct rwd_store__key last = {0};
    if (*count > 0) {
        last =
            (struct rwd_store__key){(*rows)[*count - 1].created_ms, (*rows)[*count - 1].letter_id};
    }
    return next_of(&list, filter, more, last, arena, next_cursor, error);
}
