/* What a checkpoint writes is what readers find; all of it, once, or nothing. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static int setup(void **state)
{
    *state = rwd_new(sizeof(struct fixture));
    fixture_init(*state);
    return 0;
}

static int teardown(void **state)
{
    fixture_finish(*state);
    rwd_free(*state);
    return 0;
}

static struct rwd_store_counts counts_of(struct fixture *f)
{
    struct rwd_store_counts counts;
    ASSERT_OK(f, rwd_store_count(f->reader, &counts, &f->error));
    return counts;
}

static void test_new_store_is_empty(void **state)
{
    struct fixture *f = *state;
    uint64_t position = 1;
    uint64_t sequence = 1;
    ASSERT_OK(f, rwd_store_position(f->reader, &position, &sequence, &f->error));
    assert_int_equal(position, 0);
    assert_int_equal(sequence, 0);
    struct rwd_player_row player;
    struct rwd_seen_row *seen = NULL;
    size_t count = 7;
    assert_int_equal(rwd_store_player(f->reader, RWD_TEXT("nobody"), &f->arena, &player, &seen,
                         &count, &f->error),
        RWD_NOT_FOUND);
    assert_int_equal(count, 0);
    struct rwd_task_row task;
    assert_int_equal(
        rwd_store_task(f->reader, RWD_TEXT("rt_0"), &f->arena, &task, &f->error), RWD_NOT_FOUND);
    struct rwd_rulebook_row book;
    assert_int_equal(rwd_store_rulebook(f->reader, 0, &f->arena, &book, &f->error), RWD_NOT_FOUND);
    struct rwd_store_counts counts = counts_of(f);
    assert_memory_equal(&counts, &(struct rwd_store_counts){0}, sizeof counts);
}

/* ---- round trips ---- */

static void test_players(void **state)
{
    struct fixture *f = *state;
    struct rwd_player_row rows[3] = {0};
    for (unsigned i = 0; i < 3; i++) {
        fill_row(f, &rwd_store__players, 3 - i, &rows[i]); /* not in the order of keys */
    }
    rows[1].geo = (struct rwd_text){0};
    rows[1].state = (struct rwd_text){0};
    rows[1].self_excluded_until_ms = INT64_MAX;
    struct rwd_seen_row seen[3] = {0};
    for (unsigned i = 0; i < 3; i++) {
        fill_row(f, &rwd_store__seen, i + 1, &seen[i]);
        seen[i].user_id = rows[1].user_id;
    }
    struct rwd_checkpoint checkpoint = {.journal_position = 10,
        .sequence = 20,
        .players = rows,
        .player_count = 3,
        .seen = seen,
        .seen_count = 3};
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    for (size_t i = 0; i < 3; i++) {
        struct rwd_player_row found;
        struct rwd_seen_row *found_seen = NULL;
        size_t count = 0;
        ASSERT_OK(f, rwd_store_player(f->reader, rows[i].user_id, &f->arena, &found, &found_seen,
                         &count, &f->error));
        assert_row_equal(&rwd_store__players, &rows[i], &found);
        assert_int_equal(count, i == 1 ? 3 : 0);
        for (size_t j = 0; j < count; j++) {
            assert_row_equal(&rwd_store__seen, &seen[j], &found_seen[j]);
        }
    }
    /* A set without fingerprints is dropped, the others stay; a player is written over. */
    seen[0].fingerprints.size = 0;
    rows[1].kyc_level = 3;
    checkpoint.seen_count = 1;
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    struct rwd_player_row found;
    struct rwd_seen_row *found_seen = NULL;
    size_t count = 0;
    ASSERT_OK(f, rwd_store_player(f->reader, rows[1].user_id, &f->arena, &found, &found_seen,
                     &count, &f->error));
    assert_row_equal(&rwd_store__players, &rows[1], &found);
    assert_int_equal(count, 2);
    assert_int_equal(counts_of(f).players, 3);
    uint64_t position = 0;
    uint64_t sequence = 0;
    ASSERT_OK(f, rwd_store_position(f->reader, &position, &sequence, &f->error));
    assert_int_equal(position, 10);
    assert_int_equal(sequence, 20);
}

static void test_points(void **state)
{
    struct fixture *f = *state;
    struct rwd_points_row rows[300];
    for (unsigned i = 0; i < 300; i++) {
        rows[i] = (struct rwd_points_row){.user_id = text_of(f, "u%u", (i * 7) % 100),
            .rule_id = RWD_TEXT("loyalty"),
            .day = 20000 + i % 3,
            .points = i};
    }
    struct rwd_checkpoint checkpoint = {.points = rows, .points_count = 300};
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM points"), 300);
    assert_int_equal(fixture_number(f, "SELECT sum(points) FROM points"), 299 * 300 / 2);
    /* The same key twice: the later row stays, sorted or not. */
    struct rwd_points_row twice[3] = {rows[1], rows[0], rows[0]};
    twice[1].points = 1000;
    twice[2].points = 2000;
    checkpoint.points = twice;
    checkpoint.points_count = 3;
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    assert_int_equal(fixture_number(f, "SELECT points FROM points WHERE user_id = 'u0' AND day = "
                                       "20000"),
        2000);
}

static void test_tasks_ledger_and_deliveries(void **state)
{
    struct fixture *f = *state;
    struct rwd_task_row tasks[2] = {task_row(f, 1, "pending"), task_row(f, 2, "held")};
    tasks[1].threshold = (uint64_t)1 << 53;
    tasks[1].payout_id = (struct rwd_text){0};
    struct rwd_ledger_row ledger = {0};
    fill_row(f, &rwd_store__ledger_rows, 1, &ledger);
    struct rwd_delivery_row deliveries[3] = {0};
    for (unsigned i = 0; i < 3; i++) {
        fill_row(f, &rwd_store__deliveries, 3 - i, &deliveries[i]);
        deliveries[i].task_id = tasks[0].task_id;
        deliveries[i].attempt = 3 - i;
    }
    struct rwd_checkpoint checkpoint = {.tasks = tasks,
        .task_count = 2,
        .ledger = &ledger,
        .ledger_count = 1,
        .deliveries = deliveries,
        .delivery_count = 3};
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    /* A later state of a task goes over the earlier one. */
    tasks[0].status = RWD_TEXT("succeeded");
    tasks[0].attempts = 4;
    tasks[0].payout_id = RWD_TEXT("p-1");
    checkpoint.tasks = tasks;
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    for (size_t i = 0; i < 2; i++) {
        struct rwd_task_row found;
        ASSERT_OK(f, rwd_store_task(f->reader, tasks[i].task_id, &f->arena, &found, &f->error));
        assert_row_equal(&rwd_store__tasks, &tasks[i], &found);
    }
    struct rwd_delivery_row *found = NULL;
    size_t count = 0;
    ASSERT_OK(
        f, rwd_store_deliveries(f->reader, tasks[0].task_id, &f->arena, &found, &count, &f->error));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_row_equal(&rwd_store__deliveries, &deliveries[2 - i], &found[i]);
    }
    struct rwd_ledger_row *rows = NULL;
    struct rwd_text cursor;
    ASSERT_OK(f, rwd_store_ledger(f->reader, &(struct rwd_store_filter){.limit = 10}, &f->arena,
                     &rows, &count, &cursor, &f->error));
    assert_int_equal(count, 1);
    assert_row_equal(&rwd_store__ledger_rows, &ledger, &rows[0]);
    struct rwd_store_counts counts = counts_of(f);
    assert_int_equal(counts.tasks_by_status[1], 1);
    assert_int_equal(counts.tasks_by_status[3], 1);
    assert_int_equal(counts.tasks_by_status[0], 0);
}

static void test_dead_letters(void **state)
{
    struct fixture *f = *state;
    struct rwd_dead_letter_row rows[3] = {letter_row(f, 1, "events", "open"),
        letter_row(f, 2, "events", "open"), letter_row(f, 3, "deliveries", "open")};
    struct rwd_checkpoint checkpoint = {.dead_letters = rows, .dead_letter_count = 3};
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    assert_int_equal(counts_of(f).dead_letters_events, 2);
    rows[0].status = RWD_TEXT("reprocessed");
    rows[0].body = RWD_TEXT("{\"fixed\":true}");
    rows[2].attempts++;
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    assert_int_equal(counts_of(f).dead_letters_events, 1);
    assert_int_equal(counts_of(f).dead_letters_deliveries, 1);
    for (size_t i = 0; i < 3; i++) {
        struct rwd_dead_letter_row found;
        ASSERT_OK(
            f, rwd_store_dead_letter(f->reader, rows[i].letter_id, &f->arena, &found, &f->error));
        assert_row_equal(&rwd_store__dead_letters, &rows[i], &found);
    }
}

static void test_small_tables(void **state)
{
    struct fixture *f = *state;
    struct rwd_budget_row budgets[2] = {0};
    struct rwd_rule_version_row versions[2] = {0};
    struct rwd_rulebook_row books[2] = {0};
    for (unsigned i = 0; i < 2; i++) {
        fill_row(f, &rwd_store__budgets, i + 1, &budgets[i]);
        fill_row(f, &rwd_store__rule_versions, i + 1, &versions[i]);
        fill_row(f, &rwd_store__rulebooks, i + 1, &books[i]);
    }
    struct rwd_budget_difference differences[2] = {
        {.pool_id = budgets[0].pool_id, .period = 5, .reserved_minor = 700, .spent_minor = 10},
        {.pool_id = budgets[0].pool_id, .period = 5, .reserved_minor = -200, .spent_minor = 200},
    };
    const struct rwd_version_sum version_sums[3] = {
        {.version_no = 0},
        {1, 50, 2, 1, 700, 10, RWD_TEXT("EUR")},
        {2, 7, 0, 0, 0, 0, RWD_TEXT("")},
    };
    const struct rwd_version_sum later_sums[1] = {{1, 0, 0, -1, -200, 200, RWD_TEXT("")}};
    struct rwd_checkpoint checkpoint = {.budgets = budgets,
        .budget_count = 2,
        .version_sums = version_sums,
        .version_sum_count = 3,
        .differences = differences,
        .difference_count = 2,
        .rule_versions = versions,
        .rule_version_count = 2,
        .rulebooks = books,
        .rulebook_count = 2};
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
    versions[0].state = RWD_TEXT("retired");
    budgets[1].hard_cap_minor = 1;
    checkpoint.difference_count = 0;
    checkpoint.version_sums = later_sums;
    checkpoint.version_sum_count = 1;
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));

    struct rwd_budget_row *found_budgets = NULL;
    struct rwd_budget_sum *sums = NULL;
    struct rwd_rule_version_row *found_versions = NULL;
    struct rwd_rulebook_row book;
    size_t count = 0;
    size_t sum_count = 0;
    ASSERT_OK(f, rwd_store_budgets(
                     f->reader, &f->arena, &found_budgets, &count, &sums, &sum_count, &f->error));
    assert_int_equal(count, 2);
    assert_int_equal(sum_count, 1);
    assert_int_equal(sums[0].reserved_minor, 500);
    assert_int_equal(sums[0].spent_minor, 210);
    for (size_t i = 0; i < 2; i++) {
        assert_row_equal(&rwd_store__budgets, &budgets[i], &found_budgets[i]);
    }
    ASSERT_OK(f, rwd_store_rule_versions(f->reader, &f->arena, &found_versions, &count, &f->error));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_row_equal(&rwd_store__rule_versions, &versions[i], &found_versions[i]);
    }
    const struct rwd_version_sum expected_sums[2] = {
        {1, 50, 2, 0, 500, 210, RWD_TEXT("EUR")}, version_sums[2]};
    struct rwd_version_sum *found_sums = NULL;
    ASSERT_OK(f, rwd_store_version_sums(f->reader, &f->arena, &found_sums, &count, &f->error));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_row_equal(&rwd_store__version_sums, &expected_sums[i], &found_sums[i]);
    }
    ASSERT_OK(f, rwd_store_rulebook(f->reader, books[0].rulebook_no, &f->arena, &book, &f->error));
    assert_row_equal(&rwd_store__rulebooks, &books[0], &book);
    ASSERT_OK(f, rwd_store_rulebook(f->reader, 0, &f->arena, &book, &f->error));
    assert_row_equal(&rwd_store__rulebooks, &books[1], &book);
    assert_int_equal(rwd_store_rulebook(f->reader, 77, &f->arena, &book, &f->error), RWD_NOT_FOUND);
}

/* ---- all or nothing, and again ---- */

static void test_same_checkpoint_again(void **state)
{
    struct fixture *f = *state;
    struct rwd_player_row player = {0};
    struct rwd_seen_row seen = {0};
    struct rwd_ledger_row ledger = {0};
    struct rwd_delivery_row delivery = {0};
    struct rwd_points_row points = {0};
    fill_row(f, &rwd_store__players, 1, &player);
    fill_row(f, &rwd_store__seen, 1, &seen);
    fill_row(f, &rwd_store__ledger_rows, 1, &ledger);
    fill_row(f, &rwd_store__deliveries, 1, &delivery);
    fill_row(f, &rwd_store__points, 1, &points);
    struct rwd_task_row task = task_row(f, 1, "held");
    struct rwd_dead_letter_row letter = letter_row(f, 1, "events", "open");
    struct rwd_checkpoint checkpoint = {.journal_position = 9,
        .players = &player,
        .player_count = 1,
        .seen = &seen,
        .seen_count = 1,
        .points = &points,
        .points_count = 1,
        .tasks = &task,
        .task_count = 1,
        .ledger = &ledger,
        .ledger_count = 1,
        .deliveries = &delivery,
        .delivery_count = 1,
        .dead_letters = &letter,
        .dead_letter_count = 1};
    static const char sum_of_rows[] =
        "SELECT (SELECT count(*) FROM players) + (SELECT count(*) FROM player_seen) + "
        "(SELECT count(*) FROM points) + (SELECT count(*) FROM reward_tasks) + "
        "(SELECT count(*) FROM reward_ledger) + (SELECT count(*) FROM deliveries) + "
        "(SELECT count(*) FROM dead_letters)";
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
        assert_int_equal(fixture_number(f, sum_of_rows), 7);
        struct rwd_store_counts counts = counts_of(f);
        assert_int_equal(counts.players, 1);
        assert_int_equal(counts.tasks_by_status[1], 1);
        assert_int_equal(counts.dead_letters_events, 1);
        fixture_reopen(f);
    }
}

/* Everything of a refused checkpoint is gone, and the next good one goes through. */
static void expect_refused(struct fixture *f, struct rwd_checkpoint checkpoint, const char *word)
{
    struct rwd_player_row player = {0};
    fill_row(f, &rwd_store__players, 500, &player);
    checkpoint.journal_position = 1000;
    checkpoint.players = &player;
    checkpoint.player_count = 1;
    assert_int_equal(rwd_store_checkpoint(f->store, &checkpoint, &f->error), RWD_CORRUPT);
    assert_non_null(strstr(f->error.text, word));
    assert_int_equal(fixture_number(f, "SELECT count(*) FROM players WHERE sequence > 1000000"), 0);
    assert_int_equal(
        fixture_number(f, "SELECT value FROM meta WHERE name = 'journal_position'"), 100);
}

static void test_refused_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct rwd_task_row task = task_row(f, 1, "pending");
    struct rwd_ledger_row ledger = {0};
    fill_row(f, &rwd_store__ledger_rows, 1, &ledger);
    struct rwd_budget_difference difference = {.pool_id = RWD_TEXT("p"), .reserved_minor = 5};
    struct rwd_checkpoint good = {.journal_position = 100,
        .tasks = &task,
        .task_count = 1,
        .ledger = &ledger,
        .ledger_count = 1,
        .differences = &difference,
        .difference_count = 1};
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &good, &f->error));

    struct rwd_ledger_row other = ledger;
    other.cost_minor++;
    expect_refused(f, (struct rwd_checkpoint){.ledger = &other, .ledger_count = 1}, "cost_minor");
    struct rwd_task_row changed = task;
    changed.user_id = RWD_TEXT("somebody else");
    expect_refused(f, (struct rwd_checkpoint){.tasks = &changed, .task_count = 1}, "user_id");
    changed = task;
    changed.status = RWD_TEXT("paid");
    expect_refused(f, (struct rwd_checkpoint){.tasks = &changed, .task_count = 1}, "paid");
    struct rwd_budget_difference below = {.pool_id = RWD_TEXT("p"), .reserved_minor = -6};
    expect_refused(
        f, (struct rwd_checkpoint){.differences = &below, .difference_count = 1}, "reserved_minor");
    below = (struct rwd_budget_difference){.pool_id = RWD_TEXT("new"), .spent_minor = -1};
    expect_refused(
        f, (struct rwd_checkpoint){.differences = &below, .difference_count = 1}, "spent_minor");
    struct rwd_budget_difference over = {.pool_id = RWD_TEXT("p"), .reserved_minor = INT64_MAX};
    expect_refused(
        f, (struct rwd_checkpoint){.differences = &over, .difference_count = 1}, "reserved_minor");
    const struct rwd_version_sum none = {.version_no = 1, .tasks_held = -1};
    expect_refused(
        f, (struct rwd_checkpoint){.version_sums = &none, .version_sum_count = 1}, "tasks_held");
    struct rwd_dead_letter_row letter = letter_row(f, 1, "somewhere", "open");
    expect_refused(
        f, (struct rwd_checkpoint){.dead_letters = &letter, .dead_letter_count = 1}, "lane");

    ASSERT_OK(f, rwd_store_checkpoint(f->store, &good, &f->error));
    assert_int_equal(counts_of(f).tasks_by_status[0], 1);
    assert_int_equal(fixture_number(f, "SELECT reserved_minor FROM budget_periods"), 10);
}

static void test_position_never_goes_back(void **state)
{
    struct fixture *f = *state;
    ASSERT_OK(f, rwd_store_checkpoint(
                     f->store, &(struct rwd_checkpoint){.journal_position = 50}, &f->error));
    ASSERT_OK(f, rwd_store_checkpoint(
                     f->store, &(struct rwd_checkpoint){.journal_position = 50}, &f->error));
    assert_int_equal(
        rwd_store_checkpoint(f->store, &(struct rwd_checkpoint){.journal_position = 49}, &f->error),
        RWD_CORRUPT);
}

/* ---- readers beside the writer ---- */

struct watch {
    struct fixture *f;
    atomic_bool stop;
    uint64_t looks;
    uint64_t torn;
};

/* Both players are always written together, with the same sequence. */
static void *watch_players(void *context)
{
    struct watch *watch = context;
    struct rwd_store_reader *reader = NULL;
    struct rwd_arena arena;
    struct rwd_error error;
    rwd_arena_init(&arena, 1 << 16, 1 << 22);
    if (rwd_store_reader_open(watch->f->url, &reader, &error) != RWD_OK) {
        watch->torn = UINT64_MAX;
        return NULL;
    }
    uint64_t newest = 0;
    while (!atomic_load(&watch->stop)) {
        struct rwd_player_row player[2];
        for (size_t i = 0; i < 2; i++) {
            struct rwd_seen_row *seen = NULL;
            size_t count = 0;
            struct rwd_text id = i == 0 ? RWD_TEXT("a") : RWD_TEXT("b");
            enum rwd_status status =
                rwd_store_player(reader, id, &arena, &player[i], &seen, &count, &error);
            /* Later looks see later commits, and a player's row fits its spilled sets. */
            bool good = status == RWD_OK && player[i].sequence >= newest && count == 1 &&
                        seen[0].fingerprints.size == 8 &&
                        memcmp(seen[0].fingerprints.data, &player[i].sequence, 8) == 0;
            watch->torn += !good;
            newest = good ? player[i].sequence : newest;
        }
        watch->looks++;
        rwd_arena_reset(&arena, 1 << 16);
    }
    rwd_store_reader_close(reader);
    rwd_arena_finish(&arena);
    return NULL;
}

static void write_pair(struct fixture *f, uint64_t sequence)
{
    struct rwd_player_row players[2] = {
        {.user_id = RWD_TEXT("a"), .sequence = sequence}, {.user_id = RWD_TEXT("b")}};
    players[1].sequence = sequence;
    struct rwd_seen_row seen[2];
    for (size_t i = 0; i < 2; i++) {
        seen[i] = (struct rwd_seen_row){.user_id = players[i].user_id,
            .sequence = 1,
            .fingerprints = {.data = (const char *)&sequence, .size = sizeof sequence}};
    }
    struct rwd_checkpoint checkpoint = {.journal_position = sequence,
        .players = players,
        .player_count = 2,
        .seen = seen,
        .seen_count = 2};
    ASSERT_OK(f, rwd_store_checkpoint(f->store, &checkpoint, &f->error));
}

static void test_reader_sees_whole_commits(void **state)
{
    struct fixture *f = *state;
    write_pair(f, 1);
    struct watch watches[2] = {{.f = f}, {.f = f}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, watch_players, &watches[i]), 0);
    }
    for (uint64_t i = 2; i < 1500; i++) {
        write_pair(f, i);
    }
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&watches[i].stop, true);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(watches[i].torn, 0);
        assert_true(watches[i].looks > 0);
    }
}

static uint64_t sequence_of_a(struct fixture *f)
{
    struct rwd_player_row player;
    struct rwd_seen_row *seen = NULL;
    size_t count = 0;
    ASSERT_OK(f,
        rwd_store_player(f->reader, RWD_TEXT("a"), &f->arena, &player, &seen, &count, &f->error));
    return player.sequence;
}

static void test_held_reads_see_one_picture(void **state)
{
    struct fixture *f = *state;
    write_pair(f, 1);
    rwd_store_reader_hold(f->reader);
    assert_int_equal(sequence_of_a(f), 1);
    write_pair(f, 2);
    assert_int_equal(sequence_of_a(f), 1);
    rwd_store_reader_release(f->reader);
    assert_int_equal(sequence_of_a(f), 2);
    rwd_store_reader_hold(f->reader);
    assert_int_equal(sequence_of_a(f), 2);
    rwd_store_reader_release(f->reader);
}

/* An open transaction of the writer is nobody's business. */
static void test_reader_is_apart_from_the_open_transaction(void **state)
{
    struct fixture *f = *state;
    write_pair(f, 1);
    ASSERT_OK(f, rwd_store__run(fixture_db(f), "BEGIN IMMEDIATE; DELETE FROM players", &f->error));
    struct rwd_player_row player;
    struct rwd_seen_row *seen = NULL;
    size_t count = 0;
    ASSERT_OK(f,
        rwd_store_player(f->reader, RWD_TEXT("a"), &f->arena, &player, &seen, &count, &f->error));
    ASSERT_OK(f, rwd_store__run(fixture_db(f), "ROLLBACK", &f->error));
}

static void test_full_arena_is_a_limit(void **state)
{
    struct fixture *f = *state;
    write_pair(f, 1);
    struct rwd_arena small;
    rwd_arena_init(&small, 64, 64);
    struct rwd_player_row player;
    struct rwd_seen_row *seen = NULL;
    size_t count = 0;
    assert_int_equal(
        rwd_store_player(f->reader, RWD_TEXT("a"), &small, &player, &seen, &count, &f->error),
        RWD_LIMIT);
    rwd_arena_finish(&small);
    write_pair(f, 2); /* the reader let go of its picture */
}

static void test_urls(void **state)
{
    struct fixture *f = *state;
    struct rwd_store *store = NULL;
    struct rwd_store_reader *reader = NULL;
    assert_int_equal(rwd_store_open("oracle:x", &store, &f->error), RWD_INVALID);
    assert_int_equal(rwd_store_open("sqlite:", &store, &f->error), RWD_INVALID);
    assert_int_equal(
        rwd_store_open("sqlite:/nowhere/at/all/store.db", &store, &f->error), RWD_UNAVAILABLE);
    assert_non_null(strstr(f->error.text, "folder"));
    assert_int_equal(
        rwd_store_reader_open("sqlite:/nowhere/store.db", &reader, &f->error), RWD_UNAVAILABLE);
    rwd_store_close(NULL);
    rwd_store_reader_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new_store_is_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_players, setup, teardown),
        cmocka_unit_test_setup_teardown(test_points, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tasks_ledger_and_deliveries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_letters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_small_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_checkpoint_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_position_never_goes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_sees_whole_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_reader_is_apart_from_the_open_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_held_reads_see_one_picture, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_arena_is_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_urls, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
