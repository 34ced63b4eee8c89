/* The arena's limit, marks, and that a recycled one answers like a new one. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void gives_aligned_memory_up_to_the_limit(void **state)
{
    (void)state;
    struct rwd_arena arena;
    rwd_arena_init(&arena, 256, 1024);
    size_t got = 0;
    for (unsigned char *memory = rwd_arena_alloc(&arena, 100); memory != NULL;
         memory = rwd_arena_alloc(&arena, 100)) {
        assert_int_equal((uintptr_t)memory % 16, 0);
        memset(memory, 0xab, 100);
        got += 100;
    }
    assert_true(got >= 700 && got <= 1024);
    assert_null(rwd_arena_alloc(&arena, SIZE_MAX));
    assert_null(rwd_arena_alloc(&arena, SIZE_MAX - 8));
    rwd_arena_finish(&arena);
}

static void rewinds_and_trims(void **state)
{
    (void)state;
    struct rwd_arena arena;
    rwd_arena_init(&arena, 128, 4096);
    struct rwd_arena_mark empty = rwd_arena_mark(&arena);
    char *first = rwd_arena_copy(&arena, "hello", 5);
    assert_string_equal(first, "hello");
    struct rwd_arena_mark mark = rwd_arena_mark(&arena);
    char *second = rwd_arena_alloc(&arena, 10);
    assert_non_null(rwd_arena_alloc(&arena, 500));
    rwd_arena_rewind(&arena, mark);
    assert_ptr_equal(rwd_arena_alloc(&arena, 10), second);
    assert_string_equal(first, "hello");
    rwd_arena_rewind(&arena, mark);
    char *long_one = rwd_arena_alloc(&arena, 64);
    rwd_arena_trim(&arena, long_one, 64, 5);
    assert_ptr_equal(rwd_arena_alloc(&arena, 1), long_one + 16);
    rwd_arena_rewind(&arena, empty);
    assert_ptr_equal(rwd_arena_alloc(&arena, 6), first);
    rwd_arena_finish(&arena);
}

static void keeps_chunks_over_a_reset(void **state)
{
    (void)state;
    struct rwd_arena arena;
    rwd_arena_init(&arena, 128, 1024);
    void *first = rwd_arena_alloc(&arena, 100);
    assert_non_null(rwd_arena_alloc(&arena, 100));
    rwd_arena_reset(&arena, 128);
    assert_int_equal(arena.size, 128);
    assert_ptr_equal(rwd_arena_alloc(&arena, 100), first);
    rwd_arena_reset(&arena, 0);
    assert_int_equal(arena.size, 0);
    rwd_arena_finish(&arena);
}

/* What an arena was used for before must not decide whether something fits into it now. */
static void a_recycled_arena_has_the_room_of_a_new_one(void **state)
{
    (void)state;
    struct rwd_arena arena;
    rwd_arena_init(&arena, 64, 1024);
    for (int i = 0; i < 16; i++) {
        assert_non_null(rwd_arena_alloc(&arena, 64));
    }
    rwd_arena_reset(&arena, 1024);
    char *all = rwd_arena_alloc(&arena, 1024);
    assert_non_null(all);
    memset(all, 1, 1024);
    assert_null(rwd_arena_alloc(&arena, 1));
    rwd_arena_reset(&arena, 1024);
    struct rwd_arena_mark mark = rwd_arena_mark(&arena);
    for (int i = 0; i < 16; i++) {
        assert_non_null(rwd_arena_alloc(&arena, 64));
    }
    rwd_arena_rewind(&arena, mark);
    assert_non_null(rwd_arena_alloc(&arena, 1000));
    rwd_arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_aligned_memory_up_to_the_limit),
        cmocka_unit_test(rewinds_and_trims),
        cmocka_unit_test(keeps_chunks_over_a_reset),
        cmocka_unit_test(a_recycled_arena_has_the_room_of_a_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
