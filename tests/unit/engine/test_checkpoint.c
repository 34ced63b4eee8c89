/* What a checkpoint carries: each change once, and sums that follow from the tasks. */
#include "../decide/life.h"
#include "engine/checkpoint.h"
#include "support.h"

static const char *const rule_ids[] = {"a", "b"};

struct sums {
    int64_t reserved;
    int64_t spent;
};

/* The store as a plain table of sums: by pool, then by day from 300 days before noon on. */
enum { DAY_COUNT = 40000 };
static struct sums season;
static struct sums daily[DAY_COUNT];

static void add_differences(const struct rwd_checkpoint *rows)
{
    for (size_t i = 0; i < rows->difference_count; i++) {
        const struct rwd_budget_difference *row = &rows->differences[i];
        bool is_season = rwd_text_is(row->pool_id, "season");
        assert_true(is_season || rwd_text_is(row->pool_id, "daily"));
        assert_in_range(row->period, 0, DAY_COUNT - 1);
        struct sums *sums = is_season ? &season : &daily[row->period];
        sums->reserved += row->reserved_minor;
        sums->spent += row->spent_minor;
    }
}

static void assert_sums(const struct rwd_pools *pools)
{
    struct rwd_pool_sums sums = rwd_pool_read(pools, 1, 0);
    assert_int_equal(season.reserved, sums.reserved_minor);
    assert_int_equal(season.spent, sums.spent_minor);
    int32_t from = (int32_t)(noon_ms / DAY_MS) - 10;
    for (int32_t day = from; day < from + 3000; day++) {
        sums = rwd_pool_read(pools, 2, day);
        assert_int_equal(daily[day].reserved, sums.reserved_minor);
        assert_int_equal(daily[day].spent, sums.spent_minor);
    }
}

/* By version number: rule a has 1, b has 2. */
static struct rwd_version_sum versions[3];

static void add_version_sums(const struct rwd_checkpoint *rows)
{
    for (size_t i = 0; i < rows->version_sum_count; i++) {
        const struct rwd_version_sum *row = &rows->version_sums[i];
        assert_int_equal(row->version_no, i);
        assert_in_range(i, 0, 2);
        versions[i].points += row->points;
        versions[i].tasks += row->tasks;
        versions[i].tasks_held += row->tasks_held;
        versions[i].reserved_minor += row->reserved_minor;
        versions[i].spent_minor += row->spent_minor;
    }
}

/* What versions gave is what the player has of them, and their money is the budgets': each has one
 * of its own. */
static void assert_version_sums(const struct rwd_player *player, size_t paid_count)
{
    int64_t open = 0;
    int64_t held = 0;
    struct sums all_days = {0};
    for (uint32_t i = 0; i < player->task_count; i++) {
        open += !rwd_task_settled(&player->tasks[i]);
        held += player->tasks[i].status == RWD_TASK_HELD;
    }
    for (size_t day = 0; day < DAY_COUNT; day++) {
        all_days.reserved += daily[day].reserved;
        all_days.spent += daily[day].spent;
    }
    for (uint32_t i = 0; i < player->rule_count; i++) {
        assert_int_equal(versions[player->rules[i].rule_no].points, player->rules[i].total);
    }
    assert_int_equal(versions[1].tasks + versions[2].tasks, open + (int64_t)paid_count);
    assert_int_equal(versions[1].tasks_held + versions[2].tasks_held, held);
    assert_int_equal(versions[1].reserved_minor, season.reserved);
    assert_int_equal(versions[1].spent_minor, season.spent);
    assert_int_equal(versions[2].reserved_minor, all_days.reserved);
    assert_int_equal(versions[2].spent_minor, all_days.spent);
    assert_true(versions[1].points > 0 && season.spent > 0);
}

/* Which tasks have a ledger row, and how many of each. */
static struct {
    char id[RWD_TASK_ID_TEXT_SIZE];
    size_t rows;
} ledger[4096];
static size_t ledger_count;

static void add_ledger(const struct rwd_checkpoint *rows)
{
    for (size_t i = 0; i < rows->ledger_count; i++) {
        size_t at = 0;
        while (at < ledger_count && !rwd_text_is(rows->ledger[i].task_id, ledger[at].id)) {
            at++;
        }
        assert_true(at < 4096);
        if (at == ledger_count) {
            (void)snprintf(ledger[ledger_count++].id, sizeof ledger[0].id, "%.*s",
                RWD_TEXT_ARGS(rows->ledger[i].task_id));
        }
        ledger[at].rows++;
    }
}

static void put_budgets(struct rwd_checkpoint_message *message, const struct rwd_pools *pools)
{
    for (uint32_t no = 1; no <= rwd_pools_count(pools); no++) {
        const struct rwd_pool_terms *terms = rwd_pool_terms(pools, no);
        const struct rwd_budget_row row = {.pool_id = rwd_text_of(terms->id),
            .pool_no = no,
            .currency = rwd_text_of(terms->currency.code),
            .period = rwd_text_of(rwd_pool_period_name(terms->period)),
            .hard_cap_minor = 1000000,
            .soft_cap_minor = 1000};
        rwd_checkpoint_add_budget(message, &row);
    }
}

/* A random life, checkpointed into a real store at random moments: nothing is written twice,
 * nothing contradicts what is there, and the sums are the pools'. */
static void a_life_in_checkpoints(void **state)
{
    (void)state;
    struct rwd_directory *directory = directory_of(rule_ids, 2);
    for (uint32_t seed = 1; seed <= 8; seed++) {
        struct shelf shelf;
        struct life life;
        struct chance chance = {seed * 31};
        struct rwd_checkpoint_message *message = rwd_checkpoint_message_create();
        uint64_t position = 0;
        size_t succeeded = 0;
        size_t letters = 0;
        size_t failures = 0;
        shelf_open(&shelf);
        life_open(&life, seed);
        season = (struct sums){0};
        memset(versions, 0, sizeof versions);
        memset(daily, 0, sizeof daily);
        ledger_count = 0;
        memset(ledger, 0, sizeof ledger);
        put_budgets(message, life.w.pools);
        for (int step = 0; step < 2500; step++) {
            if (life_step(&life)) {
                for (size_t i = 0; i < life.w.decision.change_count; i++) {
                    const struct rwd_task_change *change = &life.w.decision.changes[i];
                    succeeded += change->status == RWD_TASK_SUCCEEDED;
                    failures += change->status == RWD_TASK_FAILED;
                }
            }
            if (!chance_one_in(&chance, 12)) {
                continue;
            }
            struct rwd_buffer before = world_bytes(life.w.player);
            rwd_checkpoint_add_player(message, life.w.player, directory, life.w.pools);
            assert_players_equal(life.w.player, life.w.player);
            struct rwd_buffer after = world_bytes(life.w.player);
            assert_true(rwd_text_equal(rwd_buffer_text(&before), rwd_buffer_text(&after)));
            rwd_buffer_finish(&before);
            rwd_buffer_finish(&after);
            assert_true(message->size > 0);
            add_differences(&message->rows);
            add_version_sums(&message->rows);
            add_ledger(&message->rows);
            letters += message->rows.dead_letter_count;
            if (step % 10 == 0) {
                assert_sums(life.w.pools);
            }
            message->rows.journal_position = ++position;
            message->rows.sequence = life.w.sequence;
            SHELF_OK(&shelf, rwd_store_checkpoint(shelf.store, &message->rows, &shelf.error));
            rwd_checkpoint_message_reset(message);
            assert_int_equal(message->size, 0);
            /* Taken again without a change: the player's row alone. */
            rwd_checkpoint_add_player(message, life.w.player, directory, life.w.pools);
            assert_int_equal(message->rows.player_count, 1);
            assert_int_equal(message->rows.task_count, 0);
            assert_int_equal(message->rows.ledger_count, 0);
            assert_int_equal(message->rows.difference_count, 0);
            assert_int_equal(message->rows.version_sum_count, 0);
            assert_int_equal(message->rows.points_count, 0);
            assert_int_equal(message->rows.seen_count, 0);
            rwd_checkpoint_message_reset(message);
            for (uint32_t i = 0; i < life.w.player->task_count; i++) {
                assert_false(rwd_task_settled(&life.w.player->tasks[i]));
            }
        }
        rwd_checkpoint_add_player(message, life.w.player, directory, life.w.pools);
        add_differences(&message->rows);
        add_version_sums(&message->rows);
        add_ledger(&message->rows);
        letters += message->rows.dead_letter_count;
        assert_sums(life.w.pools);
        assert_version_sums(life.w.player, succeeded);
        /* One ledger row for every payout, one dead letter at least for failures that lasted. */
        assert_int_equal(ledger_count, succeeded);
        for (size_t i = 0; i < ledger_count; i++) {
            assert_int_equal(ledger[i].rows, 1);
        }
        assert_true(letters <= failures && (failures == 0 || letters > 0));
        assert_true(succeeded > 0);
        rwd_checkpoint_message_destroy(message);
        life_close(&life);
        shelf_close(&shelf);
    }
    rwd_directory_destroy(directory);
}

static struct rwd_task *only_task(struct world *w)
{
    assert_int_equal(w->player->task_count, 1);
    return &w->player->tasks[0];
}

static enum rwd_status command(struct world *w, enum rwd_task_command_kind kind)
{
    struct rwd_task_command command = {.kind = kind,
        .id = only_task(w)->id,
        .attempt = only_task(w)->attempts,
        .attempt_count_max = 1,
        .payout_id = RWD_TEXT("p1")};
    return world_command(w, &command, noon_ms + 9);
}

static void rows_of_one_task(void **state)
{
    (void)state;
    static const char *const ids[] = {"r"};
    for (int fails = 0; fails < 2; fails++) {
        struct rwd_directory *directory = directory_of(ids, 1);
        struct rwd_checkpoint_message *message = rwd_checkpoint_message_create();
        struct world w;
        world_open(&w);
        world_rule_of(&w, "guards = { budget = 'season', kyc_min_level = 0 }, grant = function() "
                          "return bonus_cash { amount = '2.00', currency = 'EUR', wagering = 15 } "
                          "end");
        assert_int_equal(world_send(&w, "e1", "bet", noon_ms, "", "{}"), RWD_OK);
        rwd_checkpoint_add_player(message, w.player, directory, w.pools);
        assert_int_equal(message->rows.task_count, 1);
        const struct rwd_task_row *row = &message->rows.tasks[0];
        assert_true(rwd_text_is(row->status, "pending"));
        assert_true(rwd_text_is(row->rule_id, "r"));
        assert_true(rwd_text_is(row->version, "1.0.0"));
        assert_true(rwd_text_is(row->event_id, "e1"));
        assert_true(rwd_text_is(row->kind, "bonus_cash"));
        assert_true(rwd_text_is(row->pool_id, "season"));
        assert_true(rwd_text_is(row->currency, "EUR"));
        assert_true(rwd_text_is(row->reward,
            "{\"type\":\"bonus_cash\",\"amount\":\"2.00\",\"currency\":\"EUR\",\"wagering\":15}"));
        assert_int_equal(row->cost_minor, 200);
        assert_int_equal(row->next_attempt_ms, noon_ms);
        assert_true(message->has_due_tasks);
        assert_int_equal(message->rows.differences[0].reserved_minor, 200);
        assert_int_equal(message->rows.differences[0].spent_minor, 0);
        assert_int_equal(message->rows.ledger_count, 0);
        rwd_checkpoint_message_reset(message);
        assert_int_equal(command(&w, RWD_TASK_CLAIM), RWD_OK);
        assert_int_equal(command(&w, fails != 0 ? RWD_TASK_RETRY : RWD_TASK_SUCCESS), RWD_OK);
        rwd_checkpoint_add_player(message, w.player, directory, w.pools);
        assert_false(message->has_due_tasks);
        /* What may have been paid keeps its money. */
        assert_int_equal(message->rows.difference_count, fails != 0 ? 0 : 1);
        if (fails == 0) {
            assert_int_equal(message->rows.differences[0].reserved_minor, -200);
            assert_int_equal(message->rows.differences[0].spent_minor, 200);
        }
        assert_int_equal(message->rows.ledger_count, fails != 0 ? 0 : 1);
        assert_int_equal(message->rows.dead_letter_count, fails != 0 ? 1 : 0);
        row = &message->rows.tasks[0];
        if (fails != 0) {
            const struct rwd_dead_letter_row *letter = message->rows.dead_letters;
            assert_true(rwd_text_is(row->status, "failed"));
            assert_true(rwd_text_is(letter->lane, "deliveries"));
            assert_true(rwd_text_is(letter->reason, "attempts_used_up"));
            assert_true(rwd_text_is(letter->status, "open"));
            assert_true(rwd_text_equal(letter->reference, row->task_id));
            assert_memory_equal(letter->letter_id.data, "dl_", 3);
            assert_memory_equal(letter->letter_id.data + 3, row->task_id.data + 3, 32);
            assert_int_equal(letter->attempts, 1);
        } else {
            const struct rwd_ledger_row *posted = message->rows.ledger;
            assert_true(rwd_text_equal(posted->task_id, row->task_id));
            assert_true(rwd_text_is(posted->payout_id, "p1"));
            assert_int_equal(posted->cost_minor, 200);
            assert_int_equal(posted->posted_ms, noon_ms + 9);
        }
        rwd_checkpoint_message_destroy(message);
        rwd_directory_destroy(directory);
        world_close(&w);
    }
}

/* What the rule was told goes from the decision into the task, its row and the ledger. */
static void rows_name_schema_and_arm(void **state)
{
    (void)state;
    static const char *const ids[] = {"experiments/ab", "r"};
    static const char *const sources[] = {
        "return experiment { key = 'ab', version = '1.0.0', arms = { control = 1, treatment = 1 },"
        " metrics = { primary = { event = 'deposit' } } }",
        "return rule { id = 'r', version = '1.0.0', on = 'bet', experiment = 'ab',"
        " guards = { budget = 'season', kyc_min_level = 0 }, grant = function(event, player)"
        " if player.arm() then return bonus_cash { amount = '2.00', currency = 'EUR' } end end }"};
    struct rwd_directory *directory = directory_of(ids, 2);
    struct rwd_checkpoint_message *message = rwd_checkpoint_message_create();
    struct world w;
    world_open(&w);
    world_rules(&w, sources, 2);
    assert_int_equal(world_rule_no(&w, "experiments/ab"), 1);
    assert_int_equal(world_send(&w, "e1", "bet", noon_ms, "", "{}"), RWD_OK);
    const char *arm = rwd_player_arm(w.player, 1);
    assert_int_equal(command(&w, RWD_TASK_CLAIM), RWD_OK);
    assert_int_equal(command(&w, RWD_TASK_SUCCESS), RWD_OK);
    rwd_checkpoint_add_player(message, w.player, directory, w.pools);
    const struct rwd_task_row *row = &message->rows.tasks[0];
    assert_true(rwd_text_is(row->schema_id, "bet/1.0.0"));
    assert_true(rwd_text_is(row->experiment, "ab"));
    assert_true(arm[0] != '\0' && rwd_text_is(row->arm, arm));
    const struct rwd_ledger_row *posted = &message->rows.ledger[0];
    assert_true(rwd_text_equal(posted->content_hash, row->content_hash));
    assert_true(rwd_text_is(posted->schema_id, "bet/1.0.0"));
    assert_true(rwd_text_is(posted->experiment, "ab"));
    assert_true(rwd_text_is(posted->arm, arm));
    rwd_checkpoint_message_destroy(message);
    rwd_directory_destroy(directory);
    world_close(&w);
}

/* Texts are copies: what they were made from may go. */
static void rows_of_nobody(void **state)
{
    (void)state;
    struct rwd_checkpoint_message *message = rwd_checkpoint_message_create();
    char text[] = "text";
    for (uint32_t i = 0; i < 100; i++) {
        memcpy(text, "text", 4);
        const struct rwd_text t = {.data = text, .size = 4};
        const struct rwd_dead_letter_row letter = {t, t, t, t, t, t, t, t, i, t, 1, 2};
        const struct rwd_delivery_row delivery = {t, i, 2, t, 200, t, t};
        const struct rwd_budget_row budget = {t, i, t, t, 3, 4, t, t};
        const struct rwd_rule_version_row version = {t, t, i, 1, t, t, t, t, 5, 6, t, t, 10, 4, t};
        const struct rwd_rulebook_row rulebook = {i, t, 7, t, t, t, &version, 1};
        rwd_checkpoint_add_dead_letter(message, &letter);
        rwd_checkpoint_add_delivery(message, &delivery);
        rwd_checkpoint_add_budget(message, &budget);
        rwd_checkpoint_add_rule_version(message, &version);
        rwd_checkpoint_add_rulebook(message, &rulebook);
        memset(text, 'X', 4);
    }
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(rwd_text_is(message->rows.dead_letters[i].body, "text"));
        assert_true(rwd_text_is(message->rows.dead_letters[i].status, "text"));
        assert_int_equal(message->rows.dead_letters[i].attempts, i);
        assert_true(rwd_text_is(message->rows.deliveries[i].detail, "text"));
        assert_true(rwd_text_is(message->rows.budgets[i].pool_id, "text"));
        assert_int_equal(message->rows.budgets[i].pool_no, i);
        assert_true(rwd_text_is(message->rows.rule_versions[i].source, "text"));
        assert_true(rwd_text_is(message->rows.rulebooks[i].versions, "text"));
        assert_int_equal(message->rows.rulebooks[i].rulebook_no, i);
    }
    rwd_checkpoint_message_reset(message);
    assert_int_equal(message->rows.dead_letter_count + message->rows.rulebook_count, 0);
    rwd_checkpoint_message_destroy(message);
    rwd_checkpoint_message_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life_in_checkpoints),
        cmocka_unit_test(rows_of_one_task),
        cmocka_unit_test(rows_name_schema_and_arm),
        cmocka_unit_test(rows_of_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
