/*
 * support: a real store in a folder of its own, for the tests of engine/.
 */
#ifndef RWD_TESTS_ENGINE_SUPPORT_H
#define RWD_TESTS_ENGINE_SUPPORT_H

#include "engine/directory.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct shelf {
    char folder[64];
    char url[96];
    struct rwd_store *store;
    struct rwd_store_reader *reader;
    struct rwd_arena arena;
    struct rwd_error error;
};

#define SHELF_OK(shelf, call)                                                                      \
    do {                                                                                           \
        enum rwd_status shelf_status = (call);                                                     \
        if (shelf_status != RWD_OK) {                                                              \
            fail_msg("%s: %s", rwd_status_name(shelf_status), (shelf)->error.text);                \
        }                                                                                          \
    } while (0)

static inline void shelf_open(struct shelf *shelf)
{
    memset(shelf, 0, sizeof *shelf);
    (void)snprintf(shelf->folder, sizeof shelf->folder, "/tmp/rewardd-engine-XXXXXX");
    assert_non_null(mkdtemp(shelf->folder));
    (void)snprintf(shelf->url, sizeof shelf->url, "sqlite:%s/store.db", shelf->folder);
    rwd_arena_init(&shelf->arena, 1 << 16, 64 << 20);
    SHELF_OK(shelf, rwd_store_open(shelf->url, &shelf->store, &shelf->error));
    SHELF_OK(shelf, rwd_store_reader_open(shelf->url, &shelf->reader, &shelf->error));
}

static inline void shelf_close(struct shelf *shelf)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    rwd_store_reader_close(shelf->reader);
    rwd_store_close(shelf->store);
    for (size_t i = 0; i < 3; i++) {
        char path[112];
        (void)snprintf(path, sizeof path, "%s/store.db%s", shelf->folder, ends[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(shelf->folder), 0);
    rwd_arena_finish(&shelf->arena);
}

/* Rule ids as version and rule numbers 1, 2, ... */
static inline struct rwd_directory *directory_of(const char *const *ids, uint32_t count)
{
    struct rwd_directory *directory = rwd_directory_create();
    for (uint32_t i = 0; i < count; i++) {
        struct rwd_directory_entry entry = {.rule_no = i + 1, .version_no = i + 1};
        (void)snprintf(entry.rule_id, sizeof entry.rule_id, "%s", ids[i]);
        (void)snprintf(entry.version, sizeof entry.version, "1.0.0");
        (void)snprintf(entry.content_hash, sizeof entry.content_hash, "%064u", i);
        assert_int_equal(rwd_directory_add(directory, &entry), RWD_OK);
    }
    return directory;
}

#endif
