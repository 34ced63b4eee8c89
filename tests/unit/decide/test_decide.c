/* From event to decision: caps, milestones, order, lateness, state, failures, limits, purity. */
#include "support.h"

/* ---- caps and points ---- */

static void caps_clip_in_their_order(void **state)
{
    (void)state;
    static const struct {
        const char *caps;
        int64_t minute;
        const char *score;
        uint64_t points;
        enum rwd_cap cap;
    } steps[] = {
        /* One line of steps shares a player; a row with caps begins anew. */
        {"per_event = 50, per_minute = 70, per_hour = 100, per_day = 120", 0, "10", 10,
            RWD_CAP_NONE},
        {NULL, 0, "51", 50, RWD_CAP_EVENT},
        {NULL, 0, "51", 10, RWD_CAP_MINUTE}, /* clipped by the event's, then by the minute's */
        {NULL, 0, "1", 0, RWD_CAP_MINUTE},
        {NULL, 1, "40", 30, RWD_CAP_HOUR},
        {NULL, 1, "40", 0, RWD_CAP_HOUR},
        {NULL, 60, "40", 20, RWD_CAP_DAY},
        {NULL, 61, "1", 0, RWD_CAP_DAY},
        {NULL, 24 * 60, "5", 5, RWD_CAP_NONE},
        {"per_day = 7", 0, "3.99", 3, RWD_CAP_NONE},
        {NULL, 0, "100", 4, RWD_CAP_DAY},
        {"per_event = 0", 0, "3", 0, RWD_CAP_EVENT},
        {"per_minute = 5", 0, "5", 5, RWD_CAP_NONE},
        {NULL, 0, "5", 0, RWD_CAP_MINUTE},
        {NULL, 1, "6", 5, RWD_CAP_MINUTE},
        {"per_event = 1000000000", 0, "1000000000", 1000000000, RWD_CAP_NONE},
        {NULL, 0, "0.99", 0, RWD_CAP_NONE},
    };
    struct world w;
    world_open(&w);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].caps != NULL) {
            char fields[256];
            (void)snprintf(fields, sizeof fields,
                "caps = { %s }, score = function(event) return event.payload.s end", steps[i].caps);
            world_close(&w);
            world_open(&w);
            world_rule_of(&w, fields);
        }
        char payload[64];
        (void)snprintf(payload, sizeof payload, "{\"s\":%s}", steps[i].score);
        uint64_t before = world_total(&w, "r");
        world_bet(&w, noon_ms + steps[i].minute * MINUTE_MS, payload);
        uint64_t raw = (uint64_t)strtod(steps[i].score, NULL);
        if (world_total(&w, "r") - before != steps[i].points) {
            fail_msg("step %zu gave %llu points", i,
                (unsigned long long)(world_total(&w, "r") - before));
        }
        if (raw > 0) {
            assert_int_equal(w.decision.effects[0].points_raw, raw);
            assert_int_equal(w.decision.effects[0].cap, steps[i].cap);
        }
        assert_int_equal(world_verdict(&w, 0), steps[i].points > 0 ? RWD_RULE_FIRED
                                               : raw > 0           ? RWD_RULE_CAPPED
                                                                   : RWD_RULE_SCORE_ZERO);
    }
    world_close(&w);
}

/* A late event finds the bucket of its own time. */
static void caps_hold_in_the_bucket_of_the_event(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "caps = { per_day = 10 }, score = function(event) return 6 end");
    world_bet(&w, noon_ms, "{}");
    world_bet(&w, noon_ms + DAY_MS, "{}");
    world_bet(&w, noon_ms + HOUR_MS, "{}");
    assert_true(w.decision.late);
    assert_int_equal(world_total(&w, "r"), 16);
    world_bet(&w, noon_ms + DAY_MS + 1, "{}");
    assert_int_equal(world_total(&w, "r"), 20);
    world_close(&w);
}

/* An event so late that its minute is no longer counted gives nothing rather than too much. */
static void a_minute_no_longer_kept_gives_nothing_more(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "caps = { per_minute = 10 }, score = function(event) return 10 end");
    for (int64_t minute = 10; minute < 10 + RWD_SERIES_MINUTE_COUNT_MAX; minute++) {
        world_bet(&w, noon_ms + minute * MINUTE_MS, "{}");
        rwd_arena_reset(&w.arena, 1 << 16);
    }
    uint64_t before = world_total(&w, "r");
    for (int i = 0; i < 5; i++) {
        world_bet(&w, noon_ms, "{}");
    }
    assert_true(world_total(&w, "r") - before <= 10);
    world_close(&w);
}

/* ---- order ---- */

/* Rules whose points follow from the event alone, under all kinds of nested caps. */
static const char *const order_rules[] = {
    "return rule { id = 'a', version = '1.0.0', on = 'bet', guards = { budget = 'season', "
    "kyc_min_level = 0 },\n"
    "score = function(event) return event.payload.s end,\n"
    "caps = { per_event = 40, per_minute = 90, per_hour = 150, per_day = 400 },\n"
    "milestones = { { at = 50, reward = freespins { count = 1, game = 'g' } },\n"
    "  { at = 120, reward = bonus_cash { amount = '1.00', currency = 'EUR', wagering = 1 } },\n"
    "  { at = 121, reward = badge { name = 'b' } },\n"
    "  { at = 390, reward = freespins { count = 2, game = 'g' } } } }",
    "return rule { id = 'b', version = '1.0.0', on = { 'bet', 'win' }, guards = { budget = "
    "'season', kyc_min_level = 0 },\n"
    "when = function(event) return event.payload.s % 2 == 0 end,\n"
    "score = function(event) return event.payload.s / 3 end, caps = { per_minute = 25 },\n"
    "milestones = { { at = 30, reward = loot { rarity = 'rare' } },\n"
    "  { at = 60, reward = loot { rarity = 'rare' } } } }",
    "return rule { id = 'c', version = '1.0.0', on = 'win', score = function(event) return "
    "event.payload.s end,\n"
    "caps = { per_hour = 33, per_day = 70 }, milestones = { { at = 5, reward = badge { name = 'x' "
    "} } } }",
    "return rule { id = 'd', version = '1.0.0', on = 'bet', where = { hour = { 0, 23 } },\n"
    "guards = { budget = 'season', kyc_min_level = 0 },\n"
    "grant = function(event) if event.payload.s > 30 then return freespins { count = 1, game = 'g' "
    "} end end }",
    "return rule { id = 'e', version = '1.0.0', on = 'bet', aggregates = { n = count('1h'), s = "
    "sum('payload.s', '7d'),\n"
    "lo = min('payload.s', '1d'), hi = max('payload.s', 'all'), l = last('payload.s', '1d') } }",
};

struct sent {
    int64_t time_ms;
    const char *name;
    int score;
    char id[24];
};

static void send_all(
    struct world *w, const struct sent *sent, const size_t *order, size_t count, bool repeats)
{
    for (size_t i = 0; i < count; i++) {
        const struct sent *one = &sent[order[i]];
        char payload[32];
        (void)snprintf(payload, sizeof payload, "{\"s\":%d}", one->score);
        assert_int_equal(world_send(w, one->id, one->name, one->time_ms, "", payload), RWD_OK);
        assert_false(w->decision.late);
        if (repeats && i % 3 == 0) {
            const struct sent *again = &sent[order[i / 2]];
            struct rwd_buffer before = world_bytes(w->player);
            (void)snprintf(payload, sizeof payload, "{\"s\":%d}", again->score);
            assert_int_equal(
                world_send(w, again->id, again->name, again->time_ms, "", payload), RWD_CONFLICT);
            struct rwd_buffer after = world_bytes(w->player);
            assert_int_equal(before.size, after.size);
            assert_memory_equal(before.data, after.data, before.size);
            rwd_buffer_finish(&before);
            rwd_buffer_finish(&after);
        }
        rwd_arena_reset(&w->arena, 1 << 16);
    }
}

static int compare_tasks(const void *left, const void *right)
{
    return memcmp(left, right, RWD_TASK_ID_SIZE);
}

static void assert_same_outcome(struct world *a, struct world *b)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(world_total(a, ids[i]), world_total(b, ids[i]));
    }
    assert_int_equal(a->player->task_count, b->player->task_count);
    struct rwd_task_id left[512];
    struct rwd_task_id right[512];
    assert_true(a->player->task_count <= 512);
    for (uint32_t i = 0; i < a->player->task_count; i++) {
        left[i] = a->player->tasks[i].id;
        right[i] = b->player->tasks[i].id;
    }
    qsort(left, a->player->task_count, sizeof left[0], compare_tasks);
    qsort(right, a->player->task_count, sizeof left[0], compare_tasks);
    assert_memory_equal(left, right, a->player->task_count * sizeof left[0]);
    assert_int_equal(world_sums(a).reserved_minor, world_sums(b).reserved_minor);
}

static const struct rwd_player_aggregate *aggregates_of(struct world *w, uint32_t *count)
{
    const struct rwd_player_rule *rule = rwd_player_rule_find(w->player, world_rule_no(w, "e"));
    *count = rule != NULL ? rule->aggregate_count : 0;
    return rule != NULL ? rule->aggregates : NULL;
}

/* Spec 3: up to 60 s behind, a shuffled window gives the same totals and tasks as a sorted one. */
static void shuffled_is_as_good_as_sorted(void **state)
{
    (void)state;
    enum { COUNT = 160 };
    static struct sent sent[COUNT];
    static const int64_t starts_ms[] = {
        0, 11 * (int64_t)HOUR_MS + 58 * MINUTE_MS, 12 * (int64_t)HOUR_MS - 30 * SECOND_MS};
    for (uint32_t seed = 1; seed <= 40; seed++) {
        struct chance chance = {seed};
        size_t sorted[COUNT];
        size_t shuffled[COUNT];
        int64_t keys_ms[COUNT];
        int64_t time_ms = noon_ms + starts_ms[seed % 3];
        int64_t step_ms = chance_one_in(&chance, 2) ? 4000 : 40000;
        for (size_t i = 0; i < COUNT; i++) {
            /* Times of their own: the last of two at one time is the one that came last. */
            time_ms += chance_between(&chance, 1, step_ms);
            sent[i] = (struct sent){.time_ms = time_ms,
                .name = chance_one_in(&chance, 3) ? "win" : "bet",
                .score = (int)chance_below(&chance, 60)};
            (void)snprintf(sent[i].id, sizeof sent[i].id, "s%u-%zu", seed, i);
            keys_ms[i] = time_ms + chance_between(&chance, 0, 59999);
            sorted[i] = i;
            shuffled[i] = i;
        }
        /* By time plus up to a minute: nobody comes more than 60 s behind the newest. */
        for (size_t i = 1; i < COUNT; i++) {
            for (size_t j = i; j > 0 && keys_ms[shuffled[j - 1]] > keys_ms[shuffled[j]]; j--) {
                size_t kept = shuffled[j];
                shuffled[j] = shuffled[j - 1];
                shuffled[j - 1] = kept;
            }
        }
        struct world a;
        struct world b;
        world_open(&a);
        world_open(&b);
        world_rules(&a, order_rules, 5);
        world_rules(&b, order_rules, 5);
        send_all(&a, sent, sorted, COUNT, false);
        send_all(&b, sent, shuffled, COUNT, true);
        assert_same_outcome(&a, &b);
        uint32_t a_count = 0;
        uint32_t b_count = 0;
        const struct rwd_player_aggregate *left = aggregates_of(&a, &a_count);
        const struct rwd_player_aggregate *right = aggregates_of(&b, &b_count);
        assert_int_equal(a_count, b_count);
        for (uint32_t i = 0; i < a_count; i++) {
            assert_int_equal(left[i].key, right[i].key);
            assert_int_equal(left[i].value, right[i].value);
            assert_int_equal(left[i].last_ms, right[i].last_ms);
            assert_true(left[i].last_number == right[i].last_number);
            assert_int_equal(left[i].series.count, right[i].series.count);
            assert_memory_equal(left[i].series.points, right[i].series.points,
                left[i].series.count * sizeof left[i].series.points[0]);
        }
        assert_true(a.player->task_count > 4);
        world_close(&a);
        world_close(&b);
    }
}

static void duplicate_late_and_refused(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "score = function(event) return 1 end");
    assert_int_equal(world_send(&w, "a", "bet", noon_ms, "", "{}"), RWD_OK);
    assert_false(w.decision.late);
    /* The same id is a duplicate whatever else it says. */
    assert_int_equal(world_send(&w, "a", "win", noon_ms + 5, "", "{\"x\":1}"), RWD_CONFLICT);
    assert_int_equal(world_send(&w, "b", "bet", noon_ms - MINUTE_MS, "", "{}"), RWD_OK);
    assert_false(w.decision.late);
    assert_int_equal(world_send(&w, "c", "bet", noon_ms - MINUTE_MS - 1, "", "{}"), RWD_OK);
    assert_true(w.decision.late);
    int64_t edge_ms = noon_ms - (int64_t)RWD_DEDUPE_WINDOW_HOURS * HOUR_MS;
    assert_int_equal(world_send(&w, "d", "bet", edge_ms, "", "{}"), RWD_OK);
    assert_true(w.decision.late);
    assert_int_equal(world_send(&w, "d", "bet", edge_ms, "", "{}"), RWD_CONFLICT);
    struct rwd_buffer before = world_bytes(w.player);
    assert_int_equal(world_send(&w, "e", "bet", edge_ms - 1, "", "{}"), RWD_INVALID);
    assert_string_equal(w.problem.type, "late");
    assert_string_equal(w.problem.pointer, "/ts");
    struct rwd_buffer after = world_bytes(w.player);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    rwd_buffer_finish(&before);
    rwd_buffer_finish(&after);
    assert_int_equal(world_total(&w, "r"), 4);
    /* A name no rule asks for is remembered all the same. */
    assert_int_equal(world_send(&w, "f", "feedback", noon_ms, "", "{}"), RWD_OK);
    assert_int_equal(w.decision.verdict_count, 0);
    assert_int_equal(world_send(&w, "f", "feedback", noon_ms, "", "{}"), RWD_CONFLICT);
    world_close(&w);
}

/* ---- milestones and grants ---- */

static void milestones_once_over_versions(void **state)
{
    (void)state;
    static const char *const format =
        "return rule { id = 'm', version = '%d.0.0', on = 'bet',\n"
        "score = function(event) return event.payload.s end, milestones = { %s } }";
    char source[512];
    struct world w;
    world_open(&w);
    (void)snprintf(source, sizeof source, format, 1,
        "{ at = 30, reward = badge { name = 'c' } }, { at = 10, reward = badge { name = 'a' } }, "
        "{ at = 20, reward = badge { name = 'b' } }");
    world_rule(&w, source);
    world_bet(&w, noon_ms, "{\"s\":9}");
    assert_int_equal(w.player->task_count, 0);
    /* Several in one event fire in order. */
    world_bet(&w, noon_ms, "{\"s\":16}");
    assert_int_equal(w.decision.task_count, 2);
    assert_int_equal(w.decision.tasks[0].threshold, 10);
    assert_int_equal(w.decision.tasks[1].threshold, 20);
    assert_true(rwd_task_id_equal(
        w.decision.tasks[0].id, rwd_task_id_of_milestone(RWD_TEXT("m"), RWD_TEXT("u1"), 10)));
    assert_int_equal(w.decision.tasks[0].version_no, 1);
    /* Another version: its old thresholds stay fired, a new one below the total fires. */
    (void)snprintf(source, sizeof source, format, 2,
        "{ at = 10, reward = badge { name = 'z' } }, { at = 15, reward = badge { name = 'n' } }, "
        "{ at = 30, reward = badge { name = 'c' } }");
    world_rule(&w, source);
    world_bet(&w, noon_ms, "{\"s\":0}");
    assert_int_equal(w.decision.task_count, 0);
    world_bet(&w, noon_ms, "{\"s\":1}");
    assert_int_equal(w.decision.task_count, 1);
    assert_int_equal(w.decision.tasks[0].threshold, 15);
    assert_int_equal(w.decision.tasks[0].version_no, 2);
    world_bet(&w, noon_ms, "{\"s\":100}");
    assert_int_equal(w.decision.task_count, 1);
    assert_int_equal(w.decision.tasks[0].threshold, 30);
    world_bet(&w, noon_ms, "{\"s\":100}");
    assert_int_equal(w.decision.task_count, 0);
    assert_int_equal(w.player->task_count, 4);
    world_close(&w);
}

static void a_grant_once_an_event(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "score = function(event) return 10 end, caps = { per_day = 10 },\n"
                      "milestones = { { at = 10, reward = badge { name = 'm' } } },\n"
                      "grant = function(event) if event.payload.g then return badge { name = 'g' "
                      "} end end");
    assert_int_equal(world_send(&w, "a", "bet", noon_ms, "", "{\"g\":true}"), RWD_OK);
    assert_int_equal(w.decision.task_count, 2);
    assert_int_equal(w.decision.tasks[0].threshold, 10);
    assert_int_equal(w.decision.tasks[1].threshold, 0);
    assert_true(rwd_task_id_equal(w.decision.tasks[1].id,
        rwd_task_id_of_event(RWD_TEXT("r"), RWD_TEXT("u1"), RWD_TEXT("a"), noon_ms)));
    assert_int_equal(world_send(&w, "a", "bet", noon_ms, "", "{\"g\":true}"), RWD_CONFLICT);
    assert_int_equal(w.player->task_count, 2);
    /* Capped, but granted: it fired. */
    assert_int_equal(world_send(&w, "b", "bet", noon_ms, "", "{\"g\":true}"), RWD_OK);
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_FIRED);
    assert_int_equal(w.player->task_count, 3);
    assert_int_equal(world_send(&w, "c", "bet", noon_ms, "", "{}"), RWD_OK);
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_CAPPED);
    world_close(&w);
}

/* An id that comes again long after its window is another event: it must not undo the task that
 * the first one made, nor leave its money reserved for ever. */
static void an_id_reused_after_the_window_is_another_cause(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "guards = { budget = 'season', kyc_min_level = 3 },\n"
                      "grant = function() return freespins { count = 1, game = 'g' } end");
    assert_int_equal(world_send(&w, "a", "bet", noon_ms, "", "{}"), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_KYC_LEVEL);
    assert_int_equal(world_send(&w, "x", "win", noon_ms + 5 * (int64_t)DAY_MS, "", "{}"), RWD_OK);
    assert_int_equal(world_send(&w, "a", "bet", noon_ms + 5 * (int64_t)DAY_MS, "", "{}"), RWD_OK);
    int64_t cost = 0;
    for (uint32_t i = 0; i < w.player->task_count; i++) {
        cost += w.player->tasks[i].reward.cost.minor;
    }
    assert_int_equal(world_sums(&w).reserved_minor, cost);
    world_close(&w);
}

/* ---- state, failures ---- */

static void state_begins_is_kept_and_rolls_back(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    static const char *const sources[] = {
        "return rule { id = 's', version = '1.0.0', on = 'bet', state = { n = 5, t = 'x', b = true "
        "},\n"
        "grant = function(event, player, state)\n"
        "  state.n = state.n + 1; state.t = state.t .. 'y'; state.b = not state.b\n"
        "  if event.payload.bad then error('no') end\n"
        "  if state.n == 7 and state.t == 'xyy' and state.b then return badge { name = 'seven' } "
        "end\n"
        "end }",
        "return rule { id = 'p', version = '1.0.0', on = 'bet', score = function() return 3 end }"};
    world_rules(&w, sources, 2);
    world_bet(&w, noon_ms, "{}");
    assert_int_equal(w.player->task_count, 0);
    struct rwd_buffer kept = {0};
    const struct rwd_player_rule *rule = rwd_player_rule_find(w.player, world_rule_no(&w, "s"));
    rwd_buffer_put(&kept, rule->state, rule->state_size);
    /* A failure leaves its state as it was, and the other rule's points stand. */
    world_bet(&w, noon_ms, "{\"bad\":true}");
    assert_int_equal(w.failures, 1);
    assert_non_null(strstr(w.failure.text, "no"));
    assert_int_equal(world_total(&w, "p"), 6);
    rule = rwd_player_rule_find(w.player, world_rule_no(&w, "s"));
    assert_int_equal(rule->state_size, kept.size);
    assert_memory_equal(rule->state, kept.data, kept.size);
    world_bet(&w, noon_ms, "{}");
    assert_int_equal(w.player->task_count, 1);
    rwd_buffer_finish(&kept);
    world_close(&w);
}

/* Whatever a failing rule did in this event is gone: points, aggregates, grants, money. */
static void a_failure_takes_all_its_effects_with_it(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    static const char *const sources[] = {
        "return rule { id = 'z_bad', version = '1.0.0', on = 'bet', priority = 10,\n"
        "guards = { budget = 'season', kyc_min_level = 0 },\n"
        "aggregates = { n = count('all') }, score = function() return 50 end,\n"
        "milestones = { { at = 10, reward = freespins { count = 1, game = 'g' } } },\n"
        "grant = function(event) if event.payload.bad then return event.payload.no.way.x + 1 end "
        "end }",
        "return rule { id = 'good', version = '1.0.0', on = 'bet', score = function() return 2 "
        "end,\n"
        "milestones = { { at = 2, reward = badge { name = 'b' } } } }"};
    world_rules(&w, sources, 2);
    world_bet(&w, noon_ms, "{\"bad\":1}");
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_ERROR);
    assert_int_equal(world_verdict(&w, 1), RWD_RULE_FIRED);
    assert_int_equal(world_total(&w, "z_bad"), 0);
    assert_null(rwd_player_rule_find(w.player, world_rule_no(&w, "z_bad")));
    assert_int_equal(world_total(&w, "good"), 2);
    assert_int_equal(w.player->task_count, 1);
    assert_int_equal(world_sums(&w).reserved_minor, 0);
    /* After enough of it the rule is suspended, and says so in its verdict. */
    for (int i = 0; i < 5; i++) {
        world_bet(&w, noon_ms, "{\"bad\":1}");
    }
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_SUSPENDED);
    assert_int_equal(world_total(&w, "good"), 12);
    world_close(&w);
}

static void scores_that_are_nonsense_are_failures(void **state)
{
    (void)state;
    static const char *const scores[] = {"0/0", "1/0", "-1", "1e9 + 1", "'5'", "nil", "{}"};
    for (size_t i = 0; i < sizeof scores / sizeof scores[0]; i++) {
        struct world w;
        char fields[128];
        world_open(&w);
        (void)snprintf(fields, sizeof fields, "score = function() return %s end", scores[i]);
        world_rule_of(&w, fields);
        world_bet(&w, noon_ms, "{}");
        if (world_verdict(&w, 0) != RWD_RULE_ERROR || world_total(&w, "r") != 0) {
            fail_msg("%s", scores[i]);
        }
        world_close(&w);
    }
}

static void verdicts_say_why(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "active = { from = '2025-11-15T12:00:00Z', to = '2025-11-15T12:01:00Z' },\n"
                      "when = function(event) return event.payload.w end");
    world_bet(&w, noon_ms - 1, "{\"w\":true}");
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_NOT_ACTIVE);
    world_bet(&w, noon_ms, "{\"w\":true}");
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_COUNTED);
    world_bet(&w, noon_ms, "{\"w\":false}");
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_WHEN_FALSE);
    world_bet(&w, noon_ms + MINUTE_MS, "{\"w\":true}");
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_NOT_ACTIVE);
    world_rule_of(&w, "grant = function() return nil end");
    world_bet(&w, noon_ms, "{}");
    assert_int_equal(world_verdict(&w, 0), RWD_RULE_GRANT_NIL);
    assert_int_equal(w.decision.rulebook_no, 2);
    world_close(&w);
}

/* ---- limits and purity ---- */

/* Whatever place the arena gives out at, nothing stays reserved, and an empty one is enough. */
static void a_full_arena_leaves_nothing_reserved(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    char source[4096];
    int size = snprintf(source, sizeof source,
        "return rule { id = 'r', version = '1.0.0', on = 'bet', guards = { budget = 'season', "
        "kyc_min_level = 0 },\n"
        "state = { n = 0, t = 'long enough to take some room in the arena' }, aggregates = { n = "
        "count('1h') },\n"
        "score = function() return 100 end, grant = function(e, p, state) state.n = state.n + 1 "
        "return freespins { count = 1, game = 'g' } end, milestones = {\n");
    for (int at = 1; at <= 20; at++) {
        size += snprintf(source + size, sizeof source - (size_t)size,
            "{ at = %d, reward = freespins { count = 1, game = 'g' } },", at);
    }
    (void)snprintf(source + size, sizeof source - (size_t)size, "} }");
    world_rule(&w, source);
    world_event(&w, "a", "bet", noon_ms, ",\"geo\":\"TR\"", "{}");
    struct rwd_decide_facts facts = world_facts(&w, noon_ms);
    size_t limited = 0;
    enum rwd_status status = RWD_LIMIT;
    for (size_t room = 0; status != RWD_OK; room += 16) {
        struct rwd_arena small;
        rwd_arena_init(&small, 16, room);
        status = rwd_decide(&facts, &w.event, w.player, &small, &w.decision, &w.problem);
        if (status == RWD_LIMIT) {
            limited++;
            assert_int_equal(world_sums(&w).reserved_minor, 0);
        } else {
            assert_int_equal(status, RWD_OK);
            assert_int_equal(world_sums(&w).reserved_minor, 21 * 10);
            rwd_decide_undo(&facts, &w.decision);
            assert_int_equal(world_sums(&w).reserved_minor, 0);
        }
        rwd_arena_finish(&small);
    }
    assert_true(limited > 100);
    assert_int_equal(w.player->sequence, 0);
    world_close(&w);
}

/* The same inputs give the same bytes, on another player, another VM, another day. */
static void the_same_inputs_give_the_same_bytes(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "return rule { id = 'r', version = '1.0.0', on = 'bet', state = { last = 0, seen = '' },\n"
        "guards = { budget = 'season', kyc_min_level = 0 },\n"
        "aggregates = { n = count('1h'), s = sum('payload.s', '1d'), l = last('payload.g') },\n"
        "score = function(event, player) return math.random(50) + player.agg.n + "
        "player.points('q') end,\n"
        "caps = { per_minute = 120, per_day = 900 },\n"
        "grant = function(event, player, state)\n"
        "  local keys = ''\n"
        "  for k, v in pairs({ a = 1, b = 2, zeta = 3, [1] = 4, eta = 5 }) do keys = keys .. k "
        "end\n"
        "  state.seen = keys; state.last = math.random(1000000)\n"
        "  if state.last % 3 == 0 then return freespins { count = math.random(5), game = 'g' } "
        "end\n"
        "end, milestones = { { at = 99, reward = badge { name = 'b' } } } }",
        "return rule { id = 'q', version = '1.0.0', on = 'bet', score = function(event, player) "
        "return player.points('r') % 7 end }"};
    struct chance chance = {11};
    struct world w[2];
    for (int i = 0; i < 2; i++) {
        world_open(&w[i]);
        world_rules(&w[i], sources, 2);
    }
    for (int round = 0; round < 300; round++) {
        char id[24];
        char payload[64];
        struct rwd_buffer bytes[2] = {{0}, {0}};
        (void)snprintf(id, sizeof id, "e%d", round);
        (void)snprintf(payload, sizeof payload, "{\"s\":%u.%02u,\"g\":\"g%u\"}",
            chance_below(&chance, 100), chance_below(&chance, 100), chance_below(&chance, 3));
        int64_t time_ms = noon_ms + round * 700000LL - chance_between(&chance, 0, DAY_MS);
        for (int i = 0; i < 2; i++) {
            world_event(&w[i], id, "bet", time_ms, ",\"geo\":\"TR\"", payload);
            /* Twice on the same player: deciding changes nothing. */
            for (int twice = 0; twice <= i; twice++) {
                assert_int_equal(world_decide_at(&w[i], noon_ms), RWD_OK);
                if (twice < i) {
                    const struct rwd_decide_facts facts = world_facts(&w[i], noon_ms);
                    rwd_decide_undo(&facts, &w[i].decision);
                }
            }
            rwd_decision_encode(&w[i].decision, &bytes[i]);
            world_apply(&w[i]);
            rwd_arena_reset(&w[i].arena, 1 << 16);
        }
        assert_int_equal(w[0].failures, 0);
        assert_int_equal(bytes[0].size, bytes[1].size);
        assert_memory_equal(bytes[0].data, bytes[1].data, bytes[0].size);
        rwd_buffer_finish(&bytes[0]);
        rwd_buffer_finish(&bytes[1]);
        if (round % 50 == 0) {
            /* The second goes on in new VMs and as a player loaded anew. */
            world_rules(&w[1], sources, 2);
            w[0].rulebook_count = w[1].rulebook_count - 1;
            w[0].version_count = w[1].version_count - 2;
            world_rules(&w[0], sources, 2);
            struct rwd_buffer stored = world_bytes(w[1].player);
            struct rwd_player *read = NULL;
            struct rwd_buffer row = {0};
            uint64_t sequence = 0;
            bool spilled = rwd_player_seen_spill(w[1].player, &row, &sequence);
            assert_int_equal(
                rwd_player_decode(RWD_TEXT("u1"), 1, rwd_buffer_text(&stored), &read), RWD_OK);
            if (spilled) {
                assert_int_equal(rwd_player_seen_load(read, rwd_buffer_text(&row)), RWD_OK);
            }
            rwd_player_destroy(w[1].player);
            w[1].player = read;
            rwd_buffer_finish(&stored);
            rwd_buffer_finish(&row);
        }
        assert_players_equal(w[0].player, w[1].player);
    }
    world_close(&w[0]);
    world_close(&w[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caps_clip_in_their_order),
        cmocka_unit_test(caps_hold_in_the_bucket_of_the_event),
        cmocka_unit_test(a_minute_no_longer_kept_gives_nothing_more),
        cmocka_unit_test(shuffled_is_as_good_as_sorted),
        cmocka_unit_test(duplicate_late_and_refused),
        cmocka_unit_test(milestones_once_over_versions),
        cmocka_unit_test(a_grant_once_an_event),
        cmocka_unit_test(an_id_reused_after_the_window_is_another_cause),
        cmocka_unit_test(state_begins_is_kept_and_rolls_back),
        cmocka_unit_test(a_failure_takes_all_its_effects_with_it),
        cmocka_unit_test(scores_that_are_nonsense_are_failures),
        cmocka_unit_test(verdicts_say_why),
        cmocka_unit_test(a_full_arena_leaves_nothing_reserved),
        cmocka_unit_test(the_same_inputs_give_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
