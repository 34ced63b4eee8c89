/*
 * fixture: a store in a folder of its own, and rows that are all different from each other.
 */
#ifndef RWD_TESTS_STORE_FIXTURE_H
#define RWD_TESTS_STORE_FIXTURE_H

#include "base/memory.h"
#include "store/sqlite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    char path[96];
    char url[112];
    struct rwd_store *store;
    struct rwd_store_reader *reader;
    struct rwd_arena arena; /* what the reader returns */
    struct rwd_arena rows;  /* what the test writes */
    struct rwd_error error;
};

#define ASSERT_OK(fixture, call)                                                                   \
    do {                                                                                           \
        enum rwd_status assert_status = (call);                                                    \
        if (assert_status != RWD_OK) {                                                             \
            print_error("%s: %s\n", rwd_status_name(assert_status), (fixture)->error.text);        \
        }                                                                                          \
        assert_int_equal(assert_status, RWD_OK);                                                   \
    } while (0)

static inline void fixture_folder(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/rewardd-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof f->path, "%s/store.db", f->folder);
    (void)snprintf(f->url, sizeof f->url, "sqlite:%s", f->path);
    rwd_arena_init(&f->arena, 1 << 16, 64 << 20);
    rwd_arena_init(&f->rows, 1 << 16, 64 << 20);
}

static inline void fixture_init(struct fixture *f)
{
    fixture_folder(f);
    ASSERT_OK(f, rwd_store_open(f->url, &f->store, &f->error));
    ASSERT_OK(f, rwd_store_reader_open(f->url, &f->reader, &f->error));
}

static inline void fixture_close(struct fixture *f)
{
    rwd_store_reader_close(f->reader);
    rwd_store_close(f->store);
    f->reader = NULL;
    f->store = NULL;
}

static inline void fixture_reopen(struct fixture *f)
{
    fixture_close(f);
    ASSERT_OK(f, rwd_store_open(f->url, &f->store, &f->error));
    ASSERT_OK(f, rwd_store_reader_open(f->url, &f->reader, &f->error));
}

static inline void fixture_finish(struct fixture *f)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    fixture_close(f);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char path[112];
        (void)snprintf(path, sizeof path, "%s%s", f->path, ends[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(f->folder), 0);
    rwd_arena_finish(&f->arena);
    rwd_arena_finish(&f->rows);
}

static inline sqlite3 *fixture_db(struct fixture *f)
{
    return ((struct rwd_sqlite_store *)f->store)->db;
}

/* One number of the tables, read on the writer's own connection. */
static inline int64_t fixture_number(struct fixture *f, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    ASSERT_OK(f, rwd_store__prepare(fixture_db(f), sql, &statement, &f->error));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return number;
}

/* ---- rows ---- */

static inline struct rwd_text text_of(struct fixture *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline struct rwd_text text_of(struct fixture *f, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return (struct rwd_text){rwd_arena_copy(&f->rows, text, (size_t)size), (size_t)size};
}

/* Fills every field of a row by its number, so that no two fields are alike; texts may be set to
 * something meaningful after. */
static inline void fill_row(
    struct fixture *f, const struct rwd_store__table *table, unsigned number, void *row)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct rwd_store__field *field = &table->fields[i];
        char *member = (char *)row + field->offset;
        if (field->kind == RWD_STORE__U32) {
            uint32_t value = 1000 * number + (uint32_t)i + 1;
            memcpy(member, &value, sizeof value);
        } else if (field->kind == RWD_STORE__I64) {
            int64_t value = 1000000007LL * number + (int64_t)i + 1;
            memcpy(member, &value, sizeof value);
        } else {
            struct rwd_text text = text_of(f, "%s-%u \xc3\xa4'\"", field->name, number);
            if (field->kind == RWD_STORE__BLOB) {
                ((char *)(uintptr_t)text.data)[1] = '\0';
                ((char *)(uintptr_t)text.data)[2] = (char)0xff;
            }
            memcpy(member, &text, sizeof text);
        }
    }
}

static inline struct rwd_task_row task_row(struct fixture *f, unsigned number, const char *status)
{
    struct rwd_task_row row = {0};
    fill_row(f, &rwd_store__tasks, number, &row);
    row.task_id = text_of(f, "rt_%032x", number * 2654435761U);
    row.status = text_of(f, "%s", status);
    row.currency = RWD_TEXT("EUR");
    return row;
}

static inline struct rwd_dead_letter_row letter_row(
    struct fixture *f, unsigned number, const char *lane, const char *status)
{
    struct rwd_dead_letter_row row = {0};
    fill_row(f, &rwd_store__dead_letters, number, &row);
    row.letter_id = text_of(f, "dl_%u", number);
    row.lane = text_of(f, "%s", lane);
    row.status = text_of(f, "%s", status);
    return row;
}

static inline void assert_row_equal(
    const struct rwd_store__table *table, const void *a, const void *b)
{
    for (size_t i = 0; i < table->field_count; i++) {
        const struct rwd_store__field *field = &table->fields[i];
        const char *left = (const char *)a + field->offset;
        const char *right = (const char *)b + field->offset;
        bool same = false;
        if (field->kind == RWD_STORE__TEXT || field->kind == RWD_STORE__BLOB) {
            struct rwd_text x;
            struct rwd_text y;
            memcpy(&x, left, sizeof x);
            memcpy(&y, right, sizeof y);
            same = rwd_text_equal(x, y);
        } else {
            same = memcmp(left, right, field->kind == RWD_STORE__U32 ? 4 : 8) == 0;
        }
        if (!same) {
            print_error("%s.%s differs\n", table->name, field->name);
        }
        assert_true(same);
    }
}

#endif
