/* Events that wait for rules in event time: what a shard journals of them, and when. */
#include "house.h"

static void send(struct house *house, const char *id, uint32_t user, const char *name,
    int64_t time_ms, const char *payload)
{
    struct rwd_batch *batch = new_batch(house, 1);
    (void)add_event(batch, id, user, name, time_ms, payload);
    batch = through(house, batch);
    assert_int_equal(batch->inputs[0].outcome, RWD_OUTCOME_ACCEPTED);
    rwd_batch_destroy(batch);
}

static void assert_points(struct house *house, const char *user, const char *points)
{
    struct rwd_batch *batch = new_batch(house, 1);
    struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_PLAYER);
    input->user_id = rwd_text_of(user);
    input->user_fingerprint = user_fingerprint(input->user_id);
    batch = through(house, batch);
    char *json = rwd_copy(batch->inputs[0].json.data, batch->inputs[0].json.size);
    if (strstr(json, points) == NULL) {
        fail_msg("no %s in %s", points, json);
    }
    rwd_free(json);
    rwd_batch_destroy(batch);
}

static size_t count_releases(const struct house *house)
{
    size_t count = 0;
    for (size_t i = 0; i < house->record_count; i++) {
        count += house->records[i].record.type == RWD_RECORD_RELEASE;
    }
    return count;
}

/* The release stands behind the event that made it due, before the player's next one. */
static void a_release_is_journaled_where_it_happened(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, quick, 3);
    struct rwd_batch *batch = new_batch(&house, 4);
    (void)add_event(batch, "e2", 1, "bet", noon_ms + 2000, "{\"s\":9}");
    (void)add_event(batch, "e1", 1, "bet", noon_ms, "{\"s\":4}");
    (void)add_event(batch, "e3", 1, "login", noon_ms + 62001, "{}");
    (void)add_event(batch, "e4", 1, "login", noon_ms + 62002, "{}");
    batch = through(&house, batch);
    rwd_batch_destroy(batch);
    static const uint8_t types[] = {RWD_RECORD_EVENT, RWD_RECORD_EVENT, RWD_RECORD_EVENT,
        RWD_RECORD_RELEASE, RWD_RECORD_RELEASE, RWD_RECORD_EVENT};
    assert_int_equal(house.record_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(house.records[i].record.type, types[i]);
        assert_true(
            i == 0 || house.records[i].record.sequence > house.records[i - 1].record.sequence);
    }
    assert_int_equal(
        house.records[3].record.event_fingerprint, rwd_fingerprint(world_key, RWD_TEXT("e1")));
    assert_points(&house, "u1", "\"c\":6");
    house_stop(&house);
    house_close(&house);
}

/* What waits of a player who is neither in memory nor heard of again is decided all the same, in
 * time, and by the process that comes after this one. */
static void a_timer_outlives_eviction_and_restart(void **state)
{
    (void)state;
    struct house house;
    house_open(&house, quick, 3);
    const struct rwd_shard_metrics *metrics = rwd_shard_metrics(house.shard);
    send(&house, "e2", 1, "bet", noon_ms + 2000, "{\"s\":9}");
    send(&house, "e1", 1, "bet", noon_ms, "{\"s\":4}");
    for (uint32_t user = 100; user < 300; user++) {
        char id[16];
        (void)snprintf(id, sizeof id, "l%u", user);
        send(&house, id, user, "login", noon_ms, "{}");
    }
    while (atomic_load(&metrics->players_evicted) < 137) {
        tend_journal(&house, 10);
    }
    assert_int_equal(metrics->waiting_events, 2);
    atomic_store(&wall_now_ms, noon_ms + 10 + MINUTE_MS);
    while (count_releases(&house) < 2) {
        tend_journal(&house, 10);
    }
    while (atomic_load(&metrics->players_loaded) == 0) {
        tend_journal(&house, 10);
    }
    assert_int_equal(metrics->released[RWD_RELEASE_TIME], 2);
    assert_int_equal(metrics->waiting_events, 0);
    assert_points(&house, "u1", "\"c\":6");

    atomic_store(&wall_now_ms, noon_ms + 10);
    send(&house, "e4", 1, "bet", noon_ms + 9000, "{\"s\":20}");
    send(&house, "e3", 1, "bet", noon_ms + 8000, "{\"s\":10}");
    house_stop(&house);
    rwd_shard_destroy(house.shard);
    struct shelf *shelf = &house.shelf;
    struct rwd_waiting_row *rows = NULL;
    size_t count = 0;
    SHELF_OK(shelf, rwd_store_waiting(shelf->reader, &shelf->arena, &rows, &count, &shelf->error));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].waiting_count, 2);
    house.shard = new_shard(&house, shelf->url, house.pools, atomic_load(&house.journal_end));
    rwd_shard_replay_waiting(house.shard, &rows[0], user_fingerprint(rows[0].user_id));
    house_start(&house);
    atomic_store(&wall_now_ms, noon_ms + 10 + 3 * MINUTE_MS);
    while (count_releases(&house) < 4) {
        tend_journal(&house, 10);
    }
    assert_points(&house, "u1", "\"c\":12");
    house_stop(&house);
    house_close(&house);
    atomic_store(&wall_now_ms, noon_ms + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_is_journaled_where_it_happened),
        cmocka_unit_test(a_timer_outlives_eviction_and_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
