/* A shard from end to end: batches, crashes and replay, damage, a store that is away. */
#include "domain/waiting.h"
#include "house.h"

/* A cap that is raised before its record is durable could be spent by a decision that stands before
 * it in the journal. */
static void a_cap_rises_behind_the_journal(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, quick, 3);
    put_budget(&house, 1000);
    struct rwd_batch *batch = new_batch(&house, 1);
    struct rwd_budget_row row = {.pool_id = RWD_TEXT("season"),
        .currency = RWD_TEXT("EUR"),
        .period = RWD_TEXT("season"),
        .hard_cap_minor = 5000,
        .soft_cap_minor = 400};
    rwd_batch_add(batch, RWD_INPUT_BUDGET)->budget = &row;
    rwd_mailbox_return(rwd_shard_mailbox(house.shard), &batch->message);
    /* The journal has it, and has not synced it yet. */
    struct rwd_message *message = NULL;
    while (message == NULL) {
        struct rwd_message *came = rwd_mailbox_wait(house.journal, 1000);
        while (came != NULL) {
            struct rwd_message *next = came->next;
            if (came->kind == RWD_SHARD_BATCH) {
                message = came;
            } else {
                struct rwd_checkpoint_message *checkpoint = (struct rwd_checkpoint_message *)came;
                checkpoint->stamp = atomic_load(&house.journal_end);
                commit(&house, checkpoint);
            }
            came = next;
        }
    }
    struct rwd_pool_sums sums = rwd_pool_read(house.pools, 1, 0);
    assert_int_equal(sums.hard_cap_minor, 1000);
    assert_int_equal(sums.soft_cap_minor, 400);
    message->next = NULL;
    rwd_mailbox_return(house.journal, message);
    for (message = NULL; message == NULL; message = rwd_mailbox_take(house.home)) {
        tend_journal(&house, 10);
    }
    assert_ptr_equal(message, &batch->message);
    assert_int_equal(message->kind, HOME_KIND);
    assert_int_equal(rwd_pool_read(house.pools, 1, 0).hard_cap_minor, 5000);
    rwd_batch_destroy(batch);
    house_stop(&house);
    house_close(&house);
}

static void a_batch_from_end_to_end(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, quick, 3);
    put_budget(&house, 1000000);
    struct rwd_batch *batch = new_batch(&house, 16);
    (void)add_event(batch, "e1", 1, "bet", noon_ms, "{\"s\":60}");
    (void)add_event(batch, "e1", 1, "bet", noon_ms, "{\"s\":60}");
    (void)add_event(batch, "e2", 2, "bet", noon_ms, "{\"s\":5}");
    (void)add_event(batch, "e3", 1, "bet", noon_ms - 80LL * HOUR_MS, "{\"s\":5}");
    struct rwd_problem problem = {.type = "schema", .pointer = "/payload/s", .detail = "words"};
    struct rwd_input *refused = rwd_batch_add(batch, RWD_INPUT_REFUSED);
    refused->event.raw = RWD_TEXT("{\"bad\":1}");
    refused->problem = &problem;
    struct rwd_input *retried = rwd_batch_add(batch, RWD_INPUT_REFUSED);
    retried->event.raw = RWD_TEXT("{\"bad\":2}");
    retried->problem = &problem;
    retried->is_retry = true;
    struct rwd_input *player = rwd_batch_add(batch, RWD_INPUT_PLAYER);
    player->user_id = RWD_TEXT("u1");
    player->user_fingerprint = user_fingerprint(RWD_TEXT("u1"));
    struct rwd_input *nobody = rwd_batch_add(batch, RWD_INPUT_PLAYER);
    nobody->user_id = RWD_TEXT("u9");
    nobody->user_fingerprint = user_fingerprint(RWD_TEXT("u9"));
    batch = through(&house, batch);
    static const enum rwd_outcome outcomes[] = {RWD_OUTCOME_ACCEPTED, RWD_OUTCOME_DUPLICATE,
        RWD_OUTCOME_ACCEPTED, RWD_OUTCOME_REJECTED, RWD_OUTCOME_REJECTED, RWD_OUTCOME_REJECTED,
        RWD_OUTCOME_ACCEPTED, RWD_OUTCOME_FAILED};
    static const uint8_t types[] = {RWD_RECORD_EVENT, 0, RWD_RECORD_EVENT, RWD_RECORD_DEAD_LETTER,
        RWD_RECORD_DEAD_LETTER, 0, 0, 0};
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(batch->inputs[i].outcome, outcomes[i]);
        assert_int_equal(batch->inputs[i].record.type, types[i]);
    }
    assert_int_equal(batch->inputs[0].decision.task_count, 1);
    assert_int_equal(batch->inputs[0].decision.waits->rule_count, 1);
    assert_string_equal(batch->inputs[3].problem->type, "late");
    assert_int_equal(batch->inputs[7].status, RWD_NOT_FOUND);
    char *json = rwd_copy(batch->inputs[6].json.data, batch->inputs[6].json.size);
    assert_non_null(strstr(json, "\"points\":{\"a\":60}"));
    assert_non_null(strstr(json, "\"milestones\":{\"a\":[50]}"));
    rwd_free(json);
    rwd_batch_destroy(batch);
    house_stop(&house);
    /* All of it is in the store. */
    struct rwd_player_row row;
    struct rwd_seen_row *seen = NULL;
    size_t seen_count = 0;
    uint64_t position = 0;
    uint64_t sequence = 0;
    struct rwd_store_counts counts;
    struct shelf *shelf = &house.shelf;
    SHELF_OK(shelf, rwd_store_player(shelf->reader, RWD_TEXT("u1"), &shelf->arena, &row, &seen,
                        &seen_count, &shelf->error));
    SHELF_OK(shelf, rwd_store_position(shelf->reader, &position, &sequence, &shelf->error));
    SHELF_OK(shelf, rwd_store_count(shelf->reader, &counts, &shelf->error));
    assert_int_equal(position, atomic_load(&house.journal_end));
    assert_int_equal(counts.players, 2);
    assert_int_equal(counts.tasks_by_status[RWD_TASK_PENDING], 1);
    assert_int_equal(counts.dead_letters_events, 2);
    const struct rwd_shard_metrics *metrics = rwd_shard_metrics(house.shard);
    assert_int_equal(metrics->accepted, 2);
    assert_int_equal(metrics->duplicates, 1);
    house_close(&house);
}

/* Ids of tasks as they are met, to send commands about. */
struct tasks {
    struct {
        struct rwd_task_id id;
        char user_id[8];
        uint32_t attempts;
        struct rwd_task failed;
    } tasks[4096];
    size_t count;
};

static void random_batch(struct house *house, struct chance *chance, struct tasks *tasks,
    uint32_t *next_id, int64_t *now_ms)
{
    size_t count = 1 + chance_below(chance, 24);
    struct rwd_batch *batch = new_batch(house, count);
    struct rwd_task_command commands[32];
    *now_ms += chance_one_in(chance, 40) ? chance_between(chance, 0, 100LL * HOUR_MS)
                                         : chance_between(chance, 0, 20000);
    for (size_t i = 0; i < count; i++) {
        if (tasks->count > 0 && chance_one_in(chance, 3)) {
            size_t at = chance_below(chance, (uint32_t)tasks->count);
            commands[i] = (struct rwd_task_command){
                .kind = (enum rwd_task_command_kind)chance_below(chance, RWD_TASK_DROP + 1),
                .id = tasks->tasks[at].id,
                .user_id = rwd_text_of(tasks->tasks[at].user_id),
                .attempt = tasks->tasks[at].attempts,
                .attempt_count_max = 2,
                .retry_at_ms = noon_ms,
                .endpoint = RWD_TEXT("wallet"),
                .note = RWD_TEXT("n"),
                .actor = RWD_TEXT("a")};
            struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_TASK);
            input->command = &commands[i];
            input->user_fingerprint = user_fingerprint(commands[i].user_id);
            continue;
        }
        char id[24];
        char payload[64];
        (void)snprintf(id, sizeof id, "e%u",
            chance_one_in(chance, 10) ? chance_below(chance, *next_id + 1) : (*next_id)++);
        uint32_t user = chance_below(chance, USER_COUNT);
        bool kyc = chance_one_in(chance, 15);
        (void)snprintf(payload, sizeof payload, kyc ? "{\"level\":%u}" : "{\"s\":%u}",
            kyc ? chance_below(chance, 3) : chance_below(chance, 60));
        (void)add_event(batch, id, user, kyc ? "kyc_status_changed" : "bet",
            *now_ms - (chance_one_in(chance, 5) ? chance_between(chance, 0, 80LL * HOUR_MS) : 0),
            payload);
    }
    batch = through(house, batch);
    for (size_t i = 0; i < batch->count; i++) {
        const struct rwd_input *input = &batch->inputs[i];
        if (input->kind == RWD_INPUT_EVENT && input->outcome == RWD_OUTCOME_ACCEPTED) {
            for (size_t t = 0; t < input->decision.task_count && tasks->count < 4096; t++) {
                tasks->tasks[tasks->count].id = input->decision.tasks[t].id;
                tasks->tasks[tasks->count].attempts = 0;
                (void)snprintf(tasks->tasks[tasks->count].user_id, 8, "%.*s",
                    RWD_TEXT_ARGS(input->event.user_id));
                tasks->count++;
            }
        } else if (input->kind == RWD_INPUT_TASK && input->outcome == RWD_OUTCOME_ACCEPTED) {
            for (size_t t = 0; t < tasks->count; t++) {
                if (rwd_task_id_equal(tasks->tasks[t].id, input->task->id)) {
                    tasks->tasks[t].attempts = input->task->attempts;
                }
            }
        }
    }
    rwd_batch_destroy(batch);
}

static void assert_same_stores(struct shelf *a, struct shelf *b)
{
    struct rwd_store_counts left;
    struct rwd_store_counts right;
    SHELF_OK(a, rwd_store_count(a->reader, &left, &a->error));
    SHELF_OK(b, rwd_store_count(b->reader, &right, &b->error));
    /* The checkpoint that finds a task failed writes its dead letter. Here some are taken up before
     * there is one, which people cannot: they go by the letter. */
    left.dead_letters_deliveries = right.dead_letters_deliveries;
    assert_memory_equal(&left, &right, sizeof left);
    for (uint32_t i = 0; i < USER_COUNT; i++) {
        char name[8];
        struct rwd_player_row rows[2];
        struct rwd_seen_row *seen[2];
        size_t seen_count[2];
        struct shelf *shelves[] = {a, b};
        enum rwd_status status[2];
        (void)snprintf(name, sizeof name, "u%u", i);
        for (int s = 0; s < 2; s++) {
            status[s] = rwd_store_player(shelves[s]->reader, rwd_text_of(name), &shelves[s]->arena,
                &rows[s], &seen[s], &seen_count[s], &shelves[s]->error);
        }
        assert_int_equal(status[0], status[1]);
        if (status[0] == RWD_OK) {
            assert_true(rwd_text_equal(rows[0].state, rows[1].state));
            assert_int_equal(rows[0].sequence, rows[1].sequence);
            assert_int_equal(seen_count[0], seen_count[1]);
        }
    }
    struct rwd_store_filter filter = {.limit = 1000};
    struct rwd_ledger_row *ledgers[2];
    size_t counts[2];
    struct rwd_text cursor;
    SHELF_OK(a, rwd_store_ledger(
                    a->reader, &filter, &a->arena, &ledgers[0], &counts[0], &cursor, &a->error));
    SHELF_OK(b, rwd_store_ledger(
                    b->reader, &filter, &b->arena, &ledgers[1], &counts[1], &cursor, &b->error));
    assert_int_equal(counts[0], counts[1]);
    struct rwd_budget_row *budgets;
    struct rwd_budget_sum *sums[2];
    size_t budget_count = 0;
    SHELF_OK(a, rwd_store_budgets(a->reader, &a->arena, &budgets, &budget_count, &sums[0],
                    &counts[0], &a->error));
    SHELF_OK(b, rwd_store_budgets(b->reader, &b->arena, &budgets, &budget_count, &sums[1],
                    &counts[1], &b->error));
    assert_int_equal(counts[0], counts[1]);
    for (size_t i = 0; i < counts[0]; i++) {
        assert_int_equal(sums[0][i].reserved_minor, sums[1][i].reserved_minor);
        assert_int_equal(sums[0][i].spent_minor, sums[1][i].spent_minor);
    }
}

/* The pools as the store has them, as at a start. */
static struct rwd_pools *pools_of(struct shelf *shelf)
{
    struct rwd_pools *pools = new_pools();
    struct rwd_budget_row *budgets = NULL;
    struct rwd_budget_sum *sums = NULL;
    size_t budget_count = 0;
    size_t sum_count = 0;
    SHELF_OK(shelf, rwd_store_budgets(shelf->reader, &shelf->arena, &budgets, &budget_count, &sums,
                        &sum_count, &shelf->error));
    for (size_t i = 0; i < budget_count; i++) {
        struct rwd_pool_terms terms = {.currency = {"EUR"},
            .period = RWD_POOL_SEASON,
            .hard_cap_minor = budgets[i].hard_cap_minor,
            .soft_cap_minor = budgets[i].soft_cap_minor};
        uint32_t no = 0;
        (void)snprintf(terms.id, sizeof terms.id, "%.*s", RWD_TEXT_ARGS(budgets[i].pool_id));
        SHELF_OK(shelf, rwd_pools_put(pools, &terms, budgets[i].pool_no, &no, &shelf->error));
    }
    for (size_t i = 0; i < sum_count; i++) {
        uint32_t no = rwd_pools_find(pools, sums[i].pool_id);
        rwd_pool_account(pools, no, (int32_t)sums[i].period, sums[i].reserved_minor,
            RWD_BUDGET_NOTHING, RWD_BUDGET_RESERVED);
        rwd_pool_account(pools, no, (int32_t)sums[i].period, sums[i].spent_minor,
            RWD_BUDGET_NOTHING, RWD_BUDGET_SPENT);
    }
    return pools;
}

/* Whatever checkpoint was the last before a crash, the journal's tail on top of it gives the store
 * that would have been, byte for byte, and the same money. */
static void crash_and_replay(void **state)
{
    (void)state;
    static const char *const small[] = {"engine.shards=1", "engine.checkpoint_interval_ms=10",
        "engine.hot_player_count_max=64", "engine.checkpoint_player_count_max=16"};
    static struct tasks tasks;
    for (uint32_t seed = 1; seed <= 6; seed++) {
        struct house house;
        struct chance chance = {seed};
        uint32_t next_id = 0;
        int64_t now_ms = noon_ms;
        tasks.count = 0;
        house_open(&house, small, 4);
        put_budget(&house, 3000);
        size_t crash_at = seed == 1 ? 0 : chance_below(&chance, 250);
        for (size_t i = 0; i < 300 || house.checkpoint_count <= 3; i++) {
            house.old_stopped |= i >= crash_at;
            if (i < 300 && chance_one_in(&chance, 30)) {
                house.park = true;
            } else if (chance_one_in(&chance, 10)) {
                unpark(&house);
            }
            random_batch(&house, &chance, &tasks, &next_id, &now_ms);
        }
        unpark(&house);
        house_stop(&house);
        assert_true(tasks.count > 20);

        uint64_t position = 0;
        uint64_t sequence = 0;
        struct shelf *old = &house.old;
        SHELF_OK(old, rwd_store_position(old->reader, &position, &sequence, &old->error));
        struct rwd_pools *pools = pools_of(old);
        struct rwd_shard *shard = new_shard(&house, old->url, pools, position);
        size_t replayed = 0;
        for (size_t i = 0; i < house.record_count; i++) {
            if (house.records[i].record.position >= position) {
                SHELF_OK(old, rwd_shard_replay(shard, &house.records[i].record, &old->error));
                replayed++;
            }
        }
        assert_true(replayed > 0);
        struct rwd_pool_sums left = rwd_pool_read(house.pools, 1, 0);
        struct rwd_pool_sums right = rwd_pool_read(pools, 1, 0);
        assert_int_equal(left.reserved_minor, right.reserved_minor);
        assert_int_equal(left.spent_minor, right.spent_minor);
        assert_true(left.reserved_minor + left.spent_minor <= 3000);
        assert_true(left.spent_minor > 0);
        SHELF_OK(old, rwd_shard_store_replayed(shard, old->store, &old->error));
        assert_same_stores(&house.shelf, old);
        /* Again: nothing applies twice. */
        for (size_t i = 0; i < house.record_count; i++) {
            uint8_t type = house.records[i].record.type;
            if (type == RWD_RECORD_EVENT || type == RWD_RECORD_TASK || type == RWD_RECORD_RELEASE) {
                SHELF_OK(old, rwd_shard_replay(shard, &house.records[i].record, &old->error));
            }
        }
        right = rwd_pool_read(pools, 1, 0);
        assert_int_equal(left.reserved_minor, right.reserved_minor);
        assert_int_equal(left.spent_minor, right.spent_minor);
        SHELF_OK(old, rwd_shard_store_replayed(shard, old->store, &old->error));
        assert_same_stores(&house.shelf, old);
        rwd_shard_destroy(shard);
        rwd_pools_destroy(pools);
        house_close(&house);
    }
}

static void a_damaged_record_is_named(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, quick, 3);
    house_stop(&house);
    static const uint8_t types[] = {RWD_RECORD_EVENT, RWD_RECORD_TASK, RWD_RECORD_DEAD_LETTER,
        RWD_RECORD_BUDGET, RWD_RECORD_RULE, RWD_RECORD_RULEBOOK, RWD_RECORD_RELEASE};
    for (size_t i = 0; i < sizeof types; i++) {
        const struct rwd_record record = {
            .type = types[i], .sequence = 1234, .position = 777, .body = RWD_TEXT("\x02u1\x05")};
        assert_int_equal(rwd_shard_replay(house.shard, &record, &house.error), RWD_CORRUPT);
        assert_non_null(strstr(house.error.text, "777"));
        assert_non_null(strstr(house.error.text, "1234"));
    }
    house_close(&house);
}

/* With the store away the shard takes what its limits allow, then waits, and goes on after. */
static void a_store_that_is_away(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, quick, 3);
    put_budget(&house, 1000000);
    house.park = true;
    /* More than one and a half times the hot limit of 64 players. */
    struct rwd_batch *batches[20];
    for (uint32_t b = 0; b < 20; b++) {
        batches[b] = new_batch(&house, 16);
        for (uint32_t i = 0; i < 16; i++) {
            char id[16];
            (void)snprintf(id, sizeof id, "x%u", b * 16 + i);
            (void)add_event(batches[b], id, 1000 + b * 16 + i, "bet", noon_ms, "{\"s\":1}");
        }
        struct rwd_message *message = &batches[b]->message;
        assert_int_equal(rwd_mailbox_post(rwd_shard_mailbox(house.shard), &message), RWD_OK);
        /* The first goes away with a checkpoint, which stays away. */
        while (b == 0 && house.parked == NULL) {
            tend_journal(&house, 10);
        }
    }
    size_t home = 0;
    while (rwd_shard_metrics(house.shard)->dirty_players <= 96) {
        tend_journal(&house, 10);
    }
    /* The limit is met: what waits is not taken. */
    for (int i = 0; i < 3; i++) {
        tend_journal(&house, 10);
    }
    assert_true(rwd_shard_metrics(house.shard)->accepted < 320);
    unpark(&house);
    while (home < 20) {
        tend_journal(&house, 10);
        for (struct rwd_message *message = rwd_mailbox_take(house.home); message != NULL;) {
            struct rwd_message *next = message->next;
            struct rwd_batch *batch = (struct rwd_batch *)message;
            for (size_t i = 0; i < batch->count; i++) {
                assert_int_equal(batch->inputs[i].outcome, RWD_OUTCOME_ACCEPTED);
            }
            rwd_batch_destroy(batch);
            home++;
            message = next;
        }
    }
    house_stop(&house);
    struct rwd_store_counts counts;
    SHELF_OK(&house.shelf, rwd_store_count(house.shelf.reader, &counts, &house.shelf.error));
    assert_int_equal(counts.players, 320);
    assert_true(rwd_shard_metrics(house.shard)->hot_players <= 320);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_from_end_to_end),
        cmocka_unit_test(a_cap_rises_behind_the_journal),
        cmocka_unit_test(crash_and_replay),
        cmocka_unit_test(a_damaged_record_is_named),
        cmocka_unit_test(a_store_that_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
