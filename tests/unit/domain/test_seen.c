/* No event counts twice inside the window, whatever jumps, spills and reloads come between. */
#include "base/wire.h"
#include "domain/player.h"

#include "../chance.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { HOUR_MS = 3600 * 1000, WINDOW_MS = RWD_DEDUPE_WINDOW_HOURS * HOUR_MS };
/* 2025-11-15T12:00:00Z */
static const int64_t noon_ms = 1763208000000;

static struct rwd_player *new_player(void)
{
    return rwd_player_create(RWD_TEXT("u"), 7);
}

static void saw(struct rwd_player *player, uint64_t fingerprint, int64_t event_ms)
{
    player->sequence++;
    rwd_player_saw(player, fingerprint, event_ms);
    if (event_ms > player->newest_event_ms) {
        player->newest_event_ms = event_ms;
    }
}

static void a_repeat_is_known(void **state)
{
    (void)state;
    struct chance chance = {4};
    struct rwd_player *player = new_player();
    uint64_t ids[1000];
    assert_false(rwd_player_has_seen(player, 1));
    assert_int_equal(rwd_player_seen_count(player), 0);
    for (size_t i = 0; i < 1000; i++) {
        ids[i] = chance_u64(&chance);
        assert_false(rwd_player_has_seen(player, ids[i]));
        saw(player, ids[i], noon_ms + (int64_t)i);
        assert_true(rwd_player_has_seen(player, ids[i]));
    }
    for (size_t i = 0; i < 1000; i++) {
        assert_true(rwd_player_has_seen(player, ids[i]));
    }
    assert_int_equal(rwd_player_seen_count(player), 1000);
    rwd_player_destroy(player);
}

/* The set's own marks for "free" and "hour" must not hide an id. */
static void every_fingerprint_at_every_hour(void **state)
{
    (void)state;
    static const uint64_t odd[] = {0, 1, 254, 255, 256, 511, 512, UINT64_MAX, UINT64_MAX - 255};
    for (uint32_t hour = 0; hour < 300; hour++) {
        for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
            struct rwd_player *player = new_player();
            saw(player, odd[i], noon_ms + (int64_t)hour * HOUR_MS);
            assert_true(rwd_player_has_seen(player, odd[i]));
            rwd_player_destroy(player);
        }
    }
}

/* Whatever steps time takes, an id of the last 72 hours is known. */
static void walk(uint32_t seed, const int64_t *steps_ms, size_t step_count, int length)
{
    struct chance chance = {seed};
    struct rwd_player *player = new_player();
    enum { KEPT_MAX = 4000 };
    static struct {
        uint64_t id;
        int64_t event_ms;
    } kept[KEPT_MAX];
    int64_t now_ms = noon_ms;
    assert_true(length <= KEPT_MAX);
    for (int i = 0; i < length; i++) {
        now_ms += steps_ms[chance_below(&chance, (uint32_t)step_count)];
        int64_t event_ms = now_ms;
        if (chance_one_in(&chance, 3)) {
            event_ms -= chance_between(&chance, 0, WINDOW_MS);
        }
        if (player->newest_event_ms - event_ms > WINDOW_MS) {
            event_ms = player->newest_event_ms;
        }
        kept[i].id = chance_u64(&chance);
        kept[i].event_ms = event_ms;
        assert_false(rwd_player_has_seen(player, kept[i].id));
        saw(player, kept[i].id, event_ms);
        for (int j = i; j >= 0 && j > i - 600; j--) {
            if (player->newest_event_ms - kept[j].event_ms <= WINDOW_MS) {
                assert_true(rwd_player_has_seen(player, kept[j].id));
            }
        }
    }
    rwd_player_destroy(player);
}

static void the_window_holds_over_jumps(void **state)
{
    (void)state;
    static const int64_t dense[] = {0, 1, 1000, 60 * 1000};
    static const int64_t hours[] = {0, HOUR_MS, 3 * HOUR_MS, 7 * HOUR_MS};
    static const int64_t edges[] = {0, 63LL * HOUR_MS, 64LL * HOUR_MS, 65LL * HOUR_MS,
        72LL * HOUR_MS, 73LL * HOUR_MS, 74LL * HOUR_MS};
    static const int64_t wraps[] = {0, HOUR_MS, 255LL * HOUR_MS, 256LL * HOUR_MS, 257LL * HOUR_MS,
        512LL * HOUR_MS, 8766LL * HOUR_MS, 87660LL * HOUR_MS};
    for (uint32_t seed = 0; seed < 5; seed++) {
        walk(seed, dense, 4, 2000);
        walk(seed, hours, 4, 2000);
        walk(seed, edges, 7, 1500);
        walk(seed, wraps, 8, 1500);
    }
}

/* 256 hours later the hour reads the same modulo 256; what is that old must still go. */
static void old_ids_are_forgotten(void **state)
{
    (void)state;
    static const int64_t gaps[] = {200, 255, 256, 257, 329, 512, 1024, 100000};
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
        struct rwd_player *player = new_player();
        for (uint64_t id = 1; id <= 500; id++) {
            saw(player, id << 32, noon_ms);
        }
        saw(player, 1ULL << 60, noon_ms + gaps[i] * HOUR_MS);
        assert_int_equal(rwd_player_seen_count(player), 1);
        assert_false(rwd_player_has_seen(player, 5ULL << 32));
        rwd_player_destroy(player);
    }
    /* And over small steps: memory follows the window, not the life. */
    struct rwd_player *player = new_player();
    struct chance chance = {5};
    for (int64_t hour = 0; hour < 3000; hour++) {
        for (int i = 0; i < 4; i++) {
            saw(player, chance_u64(&chance), noon_ms + hour * HOUR_MS);
        }
        assert_true(rwd_player_seen_count(player) <= 4 * (RWD_DEDUPE_WINDOW_HOURS + 2 + 65));
    }
    rwd_player_destroy(player);
}

/* A store of spilled rows, as far as a player sees one. */
struct rows {
    struct row {
        uint64_t sequence;
        struct rwd_buffer bytes;
    } rows[256];
    size_t count;
};

static void store_rows(struct rows *rows, struct rwd_player *player)
{
    struct row row = {0};
    while (rwd_player_seen_spill(player, &row.bytes, &row.sequence)) {
        for (size_t i = 0; i < rows->count; i++) {
            assert_int_not_equal(rows->rows[i].sequence, row.sequence);
        }
        assert_true(rows->count < 256);
        rows->rows[rows->count++] = row;
        row = (struct row){0};
    }
    uint64_t below = rwd_player_seen_drop_below(player);
    assert_int_equal(rwd_player_seen_drop_below(player), 0);
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->rows[i].sequence < below) {
            rwd_buffer_finish(&rows->rows[i].bytes);
        } else {
            rows->rows[kept++] = rows->rows[i];
        }
    }
    rows->count = kept;
}

static void finish_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        rwd_buffer_finish(&rows->rows[i].bytes);
    }
}

static struct rwd_player *through_the_store(
    struct rwd_player *player, struct rows *rows, struct chance *chance)
{
    struct rwd_buffer bytes = {0};
    struct rwd_player *loaded = NULL;
    store_rows(rows, player);
    rwd_player_encode(player, &bytes);
    assert_int_equal(rwd_player_decode(RWD_TEXT("u"), 7, rwd_buffer_text(&bytes), &loaded), RWD_OK);
    size_t order[256];
    for (size_t i = 0; i < rows->count; i++) {
        order[i] = i;
    }
    chance_shuffle(chance, order, rows->count);
    for (size_t i = 0; i < rows->count; i++) {
        assert_int_equal(
            rwd_player_seen_load(loaded, rwd_buffer_text(&rows->rows[order[i]].bytes)), RWD_OK);
    }
    rwd_buffer_finish(&bytes);
    rwd_player_destroy(player);
    return loaded;
}

static void assert_same_bytes(const struct rwd_player *a, const struct rwd_player *b)
{
    struct rwd_buffer left = {0};
    struct rwd_buffer right = {0};
    rwd_player_encode(a, &left);
    rwd_player_encode(b, &right);
    assert_int_equal(left.size, right.size);
    assert_memory_equal(left.data, right.data, left.size);
    rwd_buffer_finish(&left);
    rwd_buffer_finish(&right);
}

/* Two players live through the same events; one of them is stored, spilled and loaded at moments
 * of its own. They answer alike and encode alike, also where an id comes again after the window. */
static void live_and_loaded_never_differ(void **state)
{
    (void)state;
    static const int64_t steps_ms[] = {0, 1000, 60000, HOUR_MS, 5LL * HOUR_MS, 30LL * HOUR_MS,
        80LL * HOUR_MS, 256LL * HOUR_MS, 9000LL * HOUR_MS};
    for (uint32_t seed = 1; seed <= 30; seed++) {
        struct chance chance = {seed};
        struct rows rows = {0};
        struct rows of_live = {0};
        struct rwd_player *live = new_player();
        struct rwd_player *loaded = new_player();
        uint64_t recent[512] = {0};
        int64_t now_ms = noon_ms;
        uint32_t jumps = 1 + chance_below(&chance, 9);
        for (uint32_t i = 0; i < 3000; i++) {
            if (chance_one_in(&chance, 40)) {
                now_ms += steps_ms[chance_below(&chance, jumps)];
            }
            uint64_t id = chance_one_in(&chance, 4) ? recent[chance_below(&chance, 512)]
                                                    : chance_u64(&chance);
            int64_t event_ms =
                now_ms - (chance_one_in(&chance, 3) ? chance_between(&chance, 0, WINDOW_MS) : 0);
            recent[i % 512] = id;
            assert_int_equal(rwd_player_has_seen(live, id), rwd_player_has_seen(loaded, id));
            if (live->newest_event_ms - event_ms <= WINDOW_MS && !rwd_player_has_seen(live, id)) {
                saw(live, id, event_ms);
                saw(loaded, id, event_ms);
            }
            if (chance_one_in(&chance, 100)) {
                loaded = through_the_store(loaded, &rows, &chance);
            }
            if (chance_one_in(&chance, 500)) {
                store_rows(&of_live, live);
                assert_same_bytes(live, loaded);
            }
        }
        assert_same_bytes(live, loaded);
        rwd_player_destroy(live);
        rwd_player_destroy(loaded);
        finish_rows(&rows);
        finish_rows(&of_live);
    }
}

static void a_damaged_row_is_refused(void **state)
{
    (void)state;
    struct rwd_player *player = new_player();
    struct rwd_buffer row = {0};
    uint64_t sequence = 0;
    assert_int_equal(rwd_player_seen_load(player, RWD_TEXT("")), RWD_CORRUPT);
    for (uint64_t i = 0; i < RWD_SEEN_TAIL_COUNT_MAX; i++) {
        assert_false(rwd_player_seen_spill(player, &row, &sequence));
        saw(player, (i + 1) << 20, noon_ms);
    }
    assert_true(rwd_player_seen_spill(player, &row, &sequence));
    assert_int_equal(sequence, RWD_SEEN_TAIL_COUNT_MAX);
    assert_false(rwd_player_seen_spill(player, &row, &sequence));
    struct rwd_player *other = new_player();
    saw(other, 1, noon_ms);
    assert_int_equal(
        rwd_player_seen_load(other, (struct rwd_text){row.data, row.size - 1}), RWD_CORRUPT);
    assert_int_equal(rwd_player_seen_load(other, rwd_buffer_text(&row)), RWD_OK);
    assert_true(rwd_player_has_seen(other, 17ULL << 20));
    rwd_buffer_finish(&row);
    rwd_player_destroy(player);
    rwd_player_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeat_is_known),
        cmocka_unit_test(every_fingerprint_at_every_hour),
        cmocka_unit_test(the_window_holds_over_jumps),
        cmocka_unit_test(old_ids_are_forgotten),
        cmocka_unit_test(live_and_loaded_never_differ),
        cmocka_unit_test(a_damaged_row_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
