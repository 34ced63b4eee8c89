/* Players in memory: found, loaded from a real store, stored in order, evicted when it is safe. */
#include "../chance.h"
#include "engine/checkpoint.h"
#include "engine/players.h"
#include "support.h"

#include "base/memory.h"

enum { HOUR_MS = 3600 * 1000 };
static const int64_t noon_ms = 1763208000000;

static uint64_t fingerprint_of(struct rwd_text user_id)
{
    static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = {1};
    return rwd_fingerprint(key, user_id);
}

static struct rwd_text name_of(char buffer[16], uint32_t number)
{
    (void)snprintf(buffer, 16, "u%u", number);
    return rwd_text_of(buffer);
}

static struct rwd_player *get(struct rwd_players *players, uint32_t number)
{
    char name[16];
    struct rwd_player *player = NULL;
    struct rwd_error error;
    struct rwd_text user_id = name_of(name, number);
    assert_int_equal(
        rwd_players_get(players, user_id, fingerprint_of(user_id), &player, &error), RWD_OK);
    assert_true(rwd_text_equal(rwd_player_user_id(player), user_id));
    return player;
}

static bool is_known(struct rwd_players *players, uint32_t number)
{
    char name[16];
    struct rwd_player *player = NULL;
    struct rwd_error error;
    struct rwd_text user_id = name_of(name, number);
    enum rwd_status status =
        rwd_players_find(players, user_id, fingerprint_of(user_id), &player, &error);
    assert_true(status == RWD_OK || status == RWD_NOT_FOUND);
    return status == RWD_OK;
}

static void found_loaded_or_made(void **state)
{
    (void)state;
    struct shelf shelf;
    shelf_open(&shelf);
    struct rwd_players *players = rwd_players_create(shelf.reader);
    assert_false(is_known(players, 1));
    assert_int_equal(rwd_players_count(players), 0);
    struct rwd_player *first = get(players, 1);
    assert_ptr_equal(get(players, 1), first);
    /* Past the point where the table widens. */
    for (uint32_t i = 0; i < 5000; i++) {
        (void)get(players, i);
    }
    assert_int_equal(rwd_players_count(players), 5000);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_true(is_known(players, i));
    }
    assert_ptr_equal(get(players, 1), first);
    /* The same fingerprint with another name is another player. */
    struct rwd_player *twin = NULL;
    assert_int_equal(
        rwd_players_get(players, RWD_TEXT("twin"), first->fingerprint, &twin, &shelf.error),
        RWD_OK);
    assert_ptr_not_equal(twin, first);
    assert_int_equal(rwd_players_loaded_count(players), 0);
    rwd_players_destroy(players);
    rwd_players_destroy(NULL);
    shelf_close(&shelf);
}

static void dirty_in_order_urgent_first(void **state)
{
    (void)state;
    struct shelf shelf;
    shelf_open(&shelf);
    struct rwd_players *players = rwd_players_create(shelf.reader);
    struct rwd_player *p[6];
    for (uint32_t i = 0; i < 6; i++) {
        p[i] = get(players, i);
    }
    assert_null(rwd_players_take_dirty(players, 1));
    assert_int_equal(rwd_players_dirty_since(players, 77), 77);
    rwd_players_mark_dirty(players, p[3], 5, false);
    rwd_players_mark_dirty(players, p[0], 6, false);
    rwd_players_mark_dirty(players, p[1], 6, true);
    rwd_players_mark_dirty(players, p[0], 7, false); /* again: keeps its place and its epoch */
    rwd_players_mark_dirty(players, p[2], 8, true);
    rwd_players_mark_dirty(players, p[1], 9, false); /* urgent once is urgent */
    assert_int_equal(rwd_players_dirty_count(players), 4);
    assert_int_equal(rwd_players_dirty_since(players, 77), 5);
    rwd_players_mark_dirty(players, p[3], 9, true); /* becomes urgent; dirty since then still */
    assert_int_equal(rwd_players_dirty_since(players, 77), 5);
    static const size_t order[] = {1, 2, 3, 0};
    for (size_t i = 0; i < 4; i++) {
        struct rwd_player *taken = rwd_players_take_dirty(players, 10);
        assert_ptr_equal(taken, p[order[i]]);
        assert_false(taken->dirty);
        assert_false(taken->urgent);
        assert_int_equal(taken->saved_epoch, 10);
    }
    assert_null(rwd_players_take_dirty(players, 10));
    assert_int_equal(rwd_players_dirty_count(players), 0);
    rwd_players_mark_dirty(players, p[1], 11, false);
    assert_int_equal(p[1]->dirty_epoch, 11);
    assert_int_equal(rwd_players_dirty_since(players, 77), 11);
    rwd_players_destroy(players);
    shelf_close(&shelf);
}

static void evicted_only_when_stored(void **state)
{
    (void)state;
    struct shelf shelf;
    shelf_open(&shelf);
    struct rwd_players *players = rwd_players_create(shelf.reader);
    for (uint32_t i = 0; i < 10; i++) {
        rwd_players_mark_dirty(players, get(players, i), 0, false);
    }
    /* Dirty ones stay, whatever the limit. */
    assert_int_equal(rwd_players_evict(players, 0, 100), 0);
    for (uint32_t i = 0; i < 5; i++) {
        (void)rwd_players_take_dirty(players, 1);
    }
    for (uint32_t i = 5; i < 8; i++) {
        (void)rwd_players_take_dirty(players, 2);
    }
    /* Clean, but the checkpoint that has them is not committed. */
    assert_int_equal(rwd_players_evict(players, 0, 0), 0);
    (void)get(players, 0); /* used last */
    assert_int_equal(rwd_players_evict(players, 7, 1), 3);
    assert_int_equal(rwd_players_count(players), 7);
    assert_true(is_known(players, 0));
    for (uint32_t i = 1; i <= 3; i++) {
        assert_false(is_known(players, i));
    }
    assert_true(is_known(players, 4));
    assert_int_equal(rwd_players_evict(players, 0, 1), 2);
    assert_int_equal(rwd_players_evict(players, 0, 2), 3);
    assert_int_equal(rwd_players_count(players), 2);
    assert_int_equal(rwd_players_dirty_count(players), 2);
    rwd_players_destroy(players);
    shelf_close(&shelf);
}

static void save(struct shelf *shelf, struct rwd_players *players, uint64_t epoch)
{
    static const char *const ids[] = {"r"};
    struct rwd_directory *directory = directory_of(ids, 1);
    struct rwd_pools *pools = rwd_pools_create();
    struct rwd_checkpoint_message *message = rwd_checkpoint_message_create();
    for (struct rwd_player *player = rwd_players_take_dirty(players, epoch); player != NULL;
         player = rwd_players_take_dirty(players, epoch)) {
        rwd_checkpoint_add_player(message, player, directory, pools);
    }
    message->rows.sequence = 1000000;
    message->rows.journal_position = epoch;
    SHELF_OK(shelf, rwd_store_checkpoint(shelf->store, &message->rows, &shelf->error));
    rwd_checkpoint_message_destroy(message);
    rwd_pools_destroy(pools);
    rwd_directory_destroy(directory);
}

/* Through memory and store at random, against players that never leave memory. */
static void what_comes_back_is_what_left(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    struct shelf shelf;
    struct chance chance = {1};
    uint64_t recent[COUNT][256] = {{0}};
    struct rwd_player *model[COUNT];
    int64_t now_ms = noon_ms;
    uint64_t epoch = 1;
    uint64_t sequence = 0;
    shelf_open(&shelf);
    struct rwd_players *players = rwd_players_create(shelf.reader);
    for (uint32_t i = 0; i < COUNT; i++) {
        char name[16];
        struct rwd_text user_id = name_of(name, i);
        model[i] = rwd_player_create(user_id, fingerprint_of(user_id));
    }
    for (int step = 0; step < 12000; step++) {
        uint32_t who = chance_below(&chance, COUNT);
        now_ms += chance_one_in(&chance, 500) ? chance_between(&chance, 0, 100LL * HOUR_MS) : 9000;
        uint64_t id = chance_one_in(&chance, 4) ? recent[who][chance_below(&chance, 256)]
                                                : chance_u64(&chance);
        struct rwd_player *player = get(players, who);
        assert_int_equal(rwd_player_has_seen(player, id), rwd_player_has_seen(model[who], id));
        if (!rwd_player_has_seen(player, id)) {
            player->sequence = ++sequence;
            model[who]->sequence = sequence;
            rwd_player_saw(player, id, now_ms);
            rwd_player_saw(model[who], id, now_ms);
            rwd_players_mark_dirty(players, player, epoch, chance_one_in(&chance, 10));
        }
        recent[who][step % 256] = id;
        if (chance_one_in(&chance, 50)) {
            save(&shelf, players, ++epoch);
            (void)rwd_players_evict(players, chance_below(&chance, COUNT), epoch);
        }
    }
    assert_true(rwd_players_loaded_count(players) > 100);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct rwd_buffer left = {0};
        struct rwd_buffer right = {0};
        rwd_player_encode(get(players, i), &left);
        rwd_player_encode(model[i], &right);
        assert_int_equal(left.size, right.size);
        assert_memory_equal(left.data, right.data, left.size);
        rwd_buffer_finish(&left);
        rwd_buffer_finish(&right);
        rwd_player_destroy(model[i]);
    }
    rwd_players_destroy(players);
    shelf_close(&shelf);
}

static void a_row_that_cannot_be_read(void **state)
{
    (void)state;
    struct shelf shelf;
    struct rwd_player *player = NULL;
    shelf_open(&shelf);
    const struct rwd_player_row row = {.user_id = RWD_TEXT("u1"),
        .geo = RWD_TEXT(""),
        .platform = RWD_TEXT(""),
        .sequence = 1,
        .state = RWD_TEXT("\x01nonsense")};
    const struct rwd_checkpoint rows = {
        .players = &row, .player_count = 1, .sequence = 1, .journal_position = 1};
    SHELF_OK(&shelf, rwd_store_checkpoint(shelf.store, &rows, &shelf.error));
    struct rwd_players *players = rwd_players_create(shelf.reader);
    assert_int_equal(rwd_players_get(players, RWD_TEXT("u1"), fingerprint_of(RWD_TEXT("u1")),
                         &player, &shelf.error),
        RWD_CORRUPT);
    assert_non_null(strstr(shelf.error.text, "u1"));
    assert_int_equal(rwd_players_count(players), 0);
    rwd_players_destroy(players);
    shelf_close(&shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_loaded_or_made),
        cmocka_unit_test(dirty_in_order_urgent_first),
        cmocka_unit_test(evicted_only_when_stored),
        cmocka_unit_test(what_comes_back_is_what_left),
        cmocka_unit_test(a_row_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
