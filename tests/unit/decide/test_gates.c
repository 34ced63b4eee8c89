/* RG -> KYC -> geo -> budget: every combination, and holds that go exactly once. */
#include "support.h"

/* A rule that gives one reward on every bet, under these guards. */
static void give(struct world *w, const char *guards, const char *reward)
{
    char fields[512];
    (void)snprintf(fields, sizeof fields,
        "guards = { budget = 'season', %s }, grant = function() return %s end", guards, reward);
    world_rule_of(w, fields);
}

static void set_pool(struct world *w, int64_t hard_minor, int64_t soft_minor)
{
    world_pool(w, "season", RWD_POOL_SEASON, hard_minor, soft_minor);
}

static void every_combination(void **state)
{
    (void)state;
    static const enum rwd_task_reason rg_reasons[] = {RWD_REASON_NONE, RWD_REASON_DEPOSIT_LIMIT,
        RWD_REASON_COOL_OFF, RWD_REASON_COOL_OFF, RWD_REASON_SELF_EXCLUDED,
        RWD_REASON_SELF_EXCLUDED, RWD_REASON_SELF_EXCLUDED, RWD_REASON_SELF_EXCLUDED};
    static const char *const geos[] = {"TR", "", "DE"};
    static const enum rwd_task_reason geo_reasons[] = {
        RWD_REASON_NONE, RWD_REASON_GEO_UNKNOWN, RWD_REASON_GEO_NOT_ALLOWED};
    /* Budget: enough, over the soft cap, over the hard cap. */
    static const int64_t hards[] = {10000, 10000, 4999};
    static const int64_t softs[] = {9000, 4999, 4999};
    for (int i = 0; i < 8 * 2 * 3 * 2 * 3; i++) {
        int rg = i % 8;
        bool kyc = i / 8 % 2 == 0;
        int geo = i / 16 % 3;
        bool house = i / 48 % 2 == 0; /* whose geo list: the house's or the rule's */
        int budget = i / 96 % 3;
        struct world w;
        world_open(&w);
        set_pool(&w, hards[budget], softs[budget]);
        w.gates.geo_allowed = house ? RWD_TEXT("BR,TR") : RWD_TEXT("");
        struct rwd_profile *profile = &w.player->profile;
        profile->deposit_limit_until_ms = (rg & 1) != 0 ? noon_ms + 3 : 0;
        profile->cool_off_until_ms = (rg & 2) != 0 ? noon_ms + 2 : noon_ms;
        profile->self_excluded_until_ms = (rg & 4) != 0 ? noon_ms + 1 : noon_ms - 1;
        profile->kyc_level = kyc ? 2 : 1;
        (void)snprintf(profile->geo, sizeof profile->geo, "%s", geos[geo]);
        give(&w, house ? "kyc_min_level = 2" : "kyc_min_level = 2, geo = { 'TR', 'BR' }",
            "bonus_cash { amount = '50.00', currency = 'EUR', wagering = 1 }");
        world_bet(&w, noon_ms, "{}");
        const struct rwd_task *task = world_task(&w);
        bool lifts = rg != 0 || !kyc;
        enum rwd_task_reason expected = rg != 0 ? rg_reasons[rg]
                                        : !kyc  ? RWD_REASON_KYC_LEVEL
                                                : geo_reasons[geo];
        enum rwd_task_status status = lifts      ? RWD_TASK_HELD
                                      : geo != 0 ? RWD_TASK_DENIED
                                                 : RWD_TASK_PENDING;
        if (status != RWD_TASK_DENIED && budget == 2) {
            status = RWD_TASK_DENIED;
            expected = RWD_REASON_BUDGET_HARD_CAP;
        } else if (status == RWD_TASK_PENDING && budget == 1) {
            status = RWD_TASK_HELD;
            expected = RWD_REASON_BUDGET_REVIEW;
        }
        if (task->status != status || task->reason != expected) {
            fail_msg("rg %d kyc %d geo %d house %d budget %d: %s (%s), expected %s (%s)", rg, kyc,
                geo, house, budget, rwd_task_status_name(task->status),
                rwd_task_reason_name(task->reason), rwd_task_status_name(status),
                rwd_task_reason_name(expected));
        }
        assert_int_equal(world_sums(&w).reserved_minor, status == RWD_TASK_DENIED ? 0 : 5000);
        assert_int_equal(task->pool_no, status == RWD_TASK_DENIED ? 0 : 1);
        world_close(&w);
    }
}

/* Spec 5: what a rule does not say. */
static void kyc_defaults_by_kind(void **state)
{
    (void)state;
    assert_int_equal(rwd_gate_kyc_default(RWD_REWARD_CASH, false), 2);
    assert_int_equal(rwd_gate_kyc_default(RWD_REWARD_BONUS_CASH, false), 2);
    assert_int_equal(rwd_gate_kyc_default(RWD_REWARD_FREESPINS, false), 1);
    assert_int_equal(rwd_gate_kyc_default(RWD_REWARD_FREESPINS, true), 2);
    assert_int_equal(rwd_gate_kyc_default(RWD_REWARD_COUPON, false), 0);
    assert_int_equal(rwd_gate_kyc_default(RWD_REWARD_LOOT, true), 2);
    struct world w;
    world_open(&w);
    give(&w, "rg = true", "freespins { count = 499, game = 'g' }");
    world_bet(&w, noon_ms, "{}");
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_KYC_LEVEL);
    assert_int_equal(world_task(&w)->kyc_min_level, 1);
    give(&w, "rg = true", "freespins { count = 500, game = 'g' }");
    world_bet(&w, noon_ms, "{}");
    assert_int_equal(world_task(&w)->kyc_min_level, 2);
    world_close(&w);
}

static void prices(void **state)
{
    (void)state;
    static const struct {
        const char *reward;
        int64_t cost_minor;
        enum rwd_task_status status;
        enum rwd_task_reason reason;
    } rows[] = {
        {"freespins { count = 7, game = 'g' }", 70, RWD_TASK_PENDING, RWD_REASON_NONE},
        {"loot { rarity = 'rare' }", 500, RWD_TASK_PENDING, RWD_REASON_NONE},
        {"loot { rarity = 'common' }", 100, RWD_TASK_PENDING, RWD_REASON_NONE},
        {"loot { rarity = 'x', cost = '1.20', currency = 'EUR' }", 120, RWD_TASK_PENDING,
            RWD_REASON_NONE},
        {"coupon { code = 'c' }", 0, RWD_TASK_DENIED, RWD_REASON_PRICE_UNKNOWN},
        {"coupon { code = 'yen' }", 100, RWD_TASK_DENIED, RWD_REASON_BUDGET_CURRENCY},
        {"badge { name = 'b' }", 0, RWD_TASK_PENDING, RWD_REASON_NONE},
        {"notify { text = 'n' }", 0, RWD_TASK_PENDING, RWD_REASON_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        world_open(&w);
        give(&w, "kyc_min_level = 0", rows[i].reward);
        world_bet(&w, noon_ms, "{}");
        if (w.player->task_count == 0) {
            fail_msg("%s: %s", rows[i].reward, w.failure.text);
        }
        assert_task(world_task(&w), rows[i].status, rows[i].reason);
        assert_int_equal(world_task(&w)->reward.cost.minor, rows[i].cost_minor);
        assert_int_equal(world_sums(&w).reserved_minor,
            rows[i].status == RWD_TASK_PENDING ? rows[i].cost_minor : 0);
        world_close(&w);
    }
    /* A budget nobody made. */
    struct world w;
    world_open(&w);
    world_rule_of(&w, "guards = { budget = 'nowhere', kyc_min_level = 0 }, grant = function() "
                      "return freespins { count = 1, game = 'g' } end");
    world_bet(&w, noon_ms, "{}");
    assert_task(world_task(&w), RWD_TASK_DENIED, RWD_REASON_BUDGET_UNKNOWN);
    world_close(&w);
}

/* The period is the event's. */
static void a_day_has_its_own_sum(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_pool(&w, "daily", RWD_POOL_DAY, 25, 25);
    world_rule_of(&w, "guards = { budget = 'daily', kyc_min_level = 0 }, grant = function() return "
                      "freespins { count = 1, game = 'g' } end");
    static const int64_t days[] = {0, 0, 0, 1, 1, 1, 0};
    for (size_t i = 0; i < 7; i++) {
        world_bet(&w, noon_ms + days[i] * DAY_MS, "{}");
        assert_task(world_task(&w), i % 3 == 2 || i == 6 ? RWD_TASK_DENIED : RWD_TASK_PENDING,
            i % 3 == 2 || i == 6 ? RWD_REASON_BUDGET_HARD_CAP : RWD_REASON_NONE);
    }
    int32_t day = (int32_t)(noon_ms / DAY_MS);
    assert_int_equal(rwd_pool_read(w.pools, 2, day).reserved_minor, 20);
    assert_int_equal(rwd_pool_read(w.pools, 2, day + 1).reserved_minor, 20);
    world_close(&w);
}

static void geo_list(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *geo;
        enum rwd_task_reason reason;
    } rows[] = {
        {"", "", RWD_REASON_GEO_UNKNOWN},
        {"", "TR", RWD_REASON_NONE},
        {"TR", "TR", RWD_REASON_NONE},
        {"TR,BR", "BR", RWD_REASON_NONE},
        {"TR, BR", "BR", RWD_REASON_NONE},
        {"TR,BR", "RB", RWD_REASON_GEO_NOT_ALLOWED},
        {"TR,BR", "R,", RWD_REASON_GEO_NOT_ALLOWED},
        {"TRBR", "BR", RWD_REASON_GEO_NOT_ALLOWED},
        {"TR,BR", "", RWD_REASON_GEO_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rwd_gates gates = {.geo_allowed = rwd_text_of(rows[i].list)};
        struct rwd_profile profile = {0};
        struct rwd_task paid = {.reward = {.cost = {1, {"EUR"}}}};
        const struct rwd_task free = {0};
        int64_t until_ms = -1;
        (void)snprintf(profile.geo, sizeof profile.geo, "%s", rows[i].geo);
        assert_int_equal(rwd_gate_player(&gates, &profile, &paid, 1, &until_ms), rows[i].reason);
        assert_int_equal(rwd_gate_player(&gates, &profile, &free, 1, &until_ms), RWD_REASON_NONE);
        assert_int_equal(until_ms, 0);
        /* The rule's own list allows no more than the house's. */
        assert_true(rwd_country_set_add(&paid.geo_allowed, RWD_TEXT("TR")));
        enum rwd_task_reason both = rows[i].reason == RWD_REASON_NONE && rows[i].geo[0] != 'T'
                                        ? RWD_REASON_GEO_NOT_ALLOWED
                                        : rows[i].reason;
        assert_int_equal(rwd_gate_player(&gates, &profile, &paid, 1, &until_ms), both);
    }
}

static struct rwd_task_command claim_of(const struct world *w)
{
    return (struct rwd_task_command){.kind = RWD_TASK_CLAIM, .id = world_task(w)->id};
}

/* guards.geo holds at delivery too: the player may have moved since, and the rule be gone. */
static void a_rules_countries_are_asked_at_delivery(void **state)
{
    (void)state;
    static const struct {
        const char *reward;
        const char *geo;
        enum rwd_task_status status;
        enum rwd_task_reason reason;
    } rows[] = {
        {"freespins { count = 1, game = 'g' }", "BR", RWD_TASK_DISPATCHING, RWD_REASON_NONE},
        {"freespins { count = 1, game = 'g' }", "DE", RWD_TASK_DENIED, RWD_REASON_GEO_NOT_ALLOWED},
        {"freespins { count = 1, game = 'g' }", "", RWD_TASK_DENIED, RWD_REASON_GEO_UNKNOWN},
        {"badge { name = 'b' }", "TR", RWD_TASK_DISPATCHING, RWD_REASON_NONE},
        {"badge { name = 'b' }", "DE", RWD_TASK_DENIED, RWD_REASON_GEO_NOT_ALLOWED},
        {"badge { name = 'b' }", "", RWD_TASK_DENIED, RWD_REASON_GEO_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        world_open(&w);
        give(&w, "kyc_min_level = 0, geo = { 'TR', 'BR' }", rows[i].reward);
        world_bet(&w, noon_ms, "{}");
        assert_task(world_task(&w), RWD_TASK_PENDING, RWD_REASON_NONE);
        world_rule_of(&w, "score = function() return 0 end");
        (void)snprintf(w.player->profile.geo, 3, "%s", rows[i].geo);
        struct rwd_task_command claim = claim_of(&w);
        assert_int_equal(world_command(&w, &claim, noon_ms), RWD_OK);
        assert_task(world_task(&w), rows[i].status, rows[i].reason);
        if (rows[i].status == RWD_TASK_DENIED) {
            assert_int_equal(world_sums(&w).reserved_minor, 0);
        }
        world_close(&w);
    }
}

/* guards.rg = false waives RG, and nothing else, at the decision and at delivery alike. */
static void what_is_free_may_waive_rg(void **state)
{
    (void)state;
    static const struct {
        const char *guards;
        int kyc_level;
        enum rwd_task_reason reason;
    } rows[] = {
        {"rg = false", 0, RWD_REASON_NONE},
        {"rg = true", 0, RWD_REASON_SELF_EXCLUDED},
        {"rg = false, kyc_min_level = 1", 0, RWD_REASON_KYC_LEVEL},
        {"rg = false, kyc_min_level = 1", 1, RWD_REASON_NONE},
        {"rg = false, geo = 'BR'", 0, RWD_REASON_GEO_NOT_ALLOWED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        char fields[256];
        world_open(&w);
        (void)snprintf(fields, sizeof fields,
            "guards = { %s }, milestones = { { at = 1, reward = notify { text = 'help' } } }, "
            "score = function() return 1 end",
            rows[i].guards);
        world_rule_of(&w, fields);
        w.player->profile.self_excluded_until_ms = INT64_MAX;
        w.player->profile.kyc_level = (uint8_t)rows[i].kyc_level;
        world_bet(&w, noon_ms, "{}");
        enum rwd_task_reason reason = rows[i].reason;
        assert_task(world_task(&w),
            reason == RWD_REASON_NONE ? RWD_TASK_PENDING
            : rwd_gate_lifts(reason)  ? RWD_TASK_HELD
                                      : RWD_TASK_DENIED,
            reason);
        if (reason == RWD_REASON_NONE) {
            struct rwd_task_command claim = claim_of(&w);
            assert_int_equal(world_command(&w, &claim, noon_ms), RWD_OK);
            assert_task(world_task(&w), RWD_TASK_DISPATCHING, RWD_REASON_NONE);
        }
        world_close(&w);
    }
}

static void rg_event(
    struct world *w, const char *id, int64_t time_ms, const char *type, const char *until)
{
    char payload[128];
    (void)snprintf(payload, sizeof payload, "{\"type\":\"%s\",\"until\":%s}", type, until);
    assert_int_equal(world_send(w, id, "rg_event", time_ms, "", payload), RWD_OK);
}

static void kyc_event(struct world *w, const char *id, int64_t time_ms, int level)
{
    char payload[32];
    (void)snprintf(payload, sizeof payload, "{\"level\":%d}", level);
    assert_int_equal(world_send(w, id, "kyc_status_changed", time_ms, "", payload), RWD_OK);
}

/* From one hold to the next until the way is free; then never again. */
static void holds_go_exactly_once(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    give(&w, "kyc_min_level = 2", "freespins { count = 1, game = 'g' }");
    rg_event(&w, "x1", noon_ms, "self_exclusion", "null");
    world_bet(&w, noon_ms + 1, "{}");
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_SELF_EXCLUDED);
    assert_int_equal(world_task(&w)->next_attempt_ms, noon_ms + 1 + w.gates.hold_expires_ms);
    /* KYC comes while excluded: still held. */
    kyc_event(&w, "k1", noon_ms + 2, 1);
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_SELF_EXCLUDED);
    /* Lifted: now the KYC level stops it. */
    rg_event(&w, "x2", noon_ms + 3, "lifted", "null");
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_KYC_LEVEL);
    assert_int_equal(w.decision.change_count, 1);
    kyc_event(&w, "k2", noon_ms + 4, 2);
    assert_int_equal(w.decision.change_count, 1);
    assert_task(world_task(&w), RWD_TASK_PENDING, RWD_REASON_NONE);
    assert_int_equal(world_task(&w)->next_attempt_ms, noon_ms + 4);
    kyc_event(&w, "k3", noon_ms + 5, 3);
    assert_int_equal(w.decision.change_count, 0);
    rg_event(&w, "x3", noon_ms + 6, "lifted", "null");
    assert_int_equal(w.decision.change_count, 0);
    assert_int_equal(w.player->task_count, 1);
    assert_int_equal(world_sums(&w).reserved_minor, 10);
    /* A plain event reviews nothing. */
    world_bet(&w, noon_ms + 7, "{}");
    assert_int_equal(w.decision.change_count, 0);
    world_close(&w);
}

/* The geo gate is asked when a hold goes, and refuses for good. */
static void a_hold_that_meets_the_geo_gate(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    w.gates.geo_allowed = RWD_TEXT("TR");
    give(&w, "kyc_min_level = 2", "freespins { count = 1, game = 'g' }");
    assert_int_equal(world_send(&w, "b", "bet", noon_ms, ",\"geo\":\"DE\"", "{}"), RWD_OK);
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_KYC_LEVEL);
    assert_int_equal(world_sums(&w).reserved_minor, 10);
    kyc_event(&w, "k", noon_ms + 1, 2);
    assert_task(world_task(&w), RWD_TASK_DENIED, RWD_REASON_GEO_NOT_ALLOWED);
    assert_int_equal(world_sums(&w).reserved_minor, 0);
    world_close(&w);
}

/* A large reward above the soft cap waits for a person also when something else held it first. */
static void a_lifted_hold_does_not_slip_past_the_review(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    set_pool(&w, 10000, 4000);
    give(&w, "kyc_min_level = 2", "bonus_cash { amount = '50.00', currency = 'EUR' }");
    world_bet(&w, noon_ms, "{}");
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_KYC_LEVEL);
    kyc_event(&w, "k", noon_ms + 1, 2);
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_BUDGET_REVIEW);
    world_close(&w);
}

/* Approved, then excluded, then free again: a person has decided already. */
static void an_approval_outlives_a_hold(void **state)
{
    (void)state;
    for (int by_tick = 0; by_tick < 2; by_tick++) {
        struct world w;
        world_open(&w);
        set_pool(&w, 10000, 4000);
        give(&w, "kyc_min_level = 2", "bonus_cash { amount = '50.00', currency = 'EUR' }");
        kyc_event(&w, "k", noon_ms, 2);
        world_bet(&w, noon_ms + 1, "{}");
        assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_BUDGET_REVIEW);
        struct rwd_task_command approve = {.kind = RWD_TASK_APPROVE, .id = world_task(&w)->id};
        assert_int_equal(world_command(&w, &approve, noon_ms + 2), RWD_OK);
        assert_task(world_task(&w), RWD_TASK_PENDING, RWD_REASON_APPROVED);
        rg_event(&w, "x", noon_ms + 3, "cool_off", "\"2025-11-15T13:00:00Z\"");
        struct rwd_task_command claim = claim_of(&w);
        assert_int_equal(world_command(&w, &claim, noon_ms + 4), RWD_OK);
        assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_COOL_OFF);
        /* As a restart reads it. */
        struct rwd_buffer bytes = {0};
        struct rwd_task read;
        rwd_task_encode(world_task(&w), &bytes);
        struct rwd_wire wire = rwd_wire_of(bytes.data, bytes.size);
        rwd_task_decode(&wire, &read);
        read.dirty = true;
        *world_task(&w) = read;
        rwd_buffer_finish(&bytes);
        if (by_tick != 0) {
            struct rwd_task_command tick = {.kind = RWD_TASK_TICK, .id = read.id};
            assert_int_equal(world_command(&w, &tick, noon_ms + HOUR_MS), RWD_OK);
        } else {
            rg_event(&w, "l", noon_ms + 5, "lifted", "null");
        }
        assert_task(world_task(&w), RWD_TASK_PENDING, RWD_REASON_NONE);
        world_close(&w);
    }
}

/* What nobody has set a limit for is large: above the soft cap a person looks, and KYC is 2. */
static void a_currency_without_a_limit(void **state)
{
    (void)state;
    static const struct {
        const char *large_reward;
        enum rwd_task_status status;
        int kyc_level;
    } rows[] = {{"50.00", RWD_TASK_HELD, 2}, {"49.99", RWD_TASK_HELD, 2},
        {"EUR:50.00", RWD_TASK_HELD, 2}, {"EUR:50.00,JPY:8000", RWD_TASK_PENDING, 0},
        {"EUR:50.00,JPY:100", RWD_TASK_HELD, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world w;
        world_open(&w);
        w.gates.large_reward = rwd_text_of(rows[i].large_reward);
        w.player->profile.kyc_level = 2;
        struct rwd_pool_terms terms = {.id = "yen",
            .currency = {"JPY"},
            .period = RWD_POOL_SEASON,
            .hard_cap_minor = 1000,
            .soft_cap_minor = 10};
        uint32_t pool_no = 0;
        assert_int_equal(rwd_pools_put(w.pools, &terms, 0, &pool_no, &w.error), RWD_OK);
        world_rule_of(&w, "guards = { budget = 'yen' }, grant = function() return coupon { code = "
                          "'yen' } end");
        world_bet(&w, noon_ms, "{}");
        assert_task(world_task(&w), rows[i].status,
            rows[i].status == RWD_TASK_HELD ? RWD_REASON_BUDGET_REVIEW : RWD_REASON_NONE);
        assert_int_equal(world_task(&w)->kyc_min_level, rows[i].kyc_level);
        world_close(&w);
    }
}

static void exclusions_end_at_their_time(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    give(&w, "kyc_min_level = 0", "freespins { count = 1, game = 'g' }");
    rg_event(&w, "x", noon_ms, "cool_off", "\"2025-11-15T13:00:00Z\"");
    world_bet(&w, noon_ms + HOUR_MS - 1, "{}");
    assert_task(world_task(&w), RWD_TASK_HELD, RWD_REASON_COOL_OFF);
    assert_int_equal(world_task(&w)->next_attempt_ms, noon_ms + HOUR_MS);
    world_bet(&w, noon_ms + HOUR_MS, "{}");
    assert_task(world_task(&w), RWD_TASK_PENDING, RWD_REASON_NONE);
    /* The hold itself goes by a tick at that time, not before. */
    struct rwd_task_command tick = {.kind = RWD_TASK_TICK, .id = w.player->tasks[0].id};
    assert_int_equal(world_command(&w, &tick, noon_ms + HOUR_MS - 1), RWD_CONFLICT);
    assert_int_equal(world_command(&w, &tick, noon_ms + HOUR_MS), RWD_OK);
    assert_task(&w.player->tasks[0], RWD_TASK_PENDING, RWD_REASON_NONE);
    /* An end nobody can read ends nothing. */
    rg_event(&w, "y", noon_ms + 2 * HOUR_MS, "self_exclusion", "\"soon\"");
    assert_int_equal(w.player->profile.self_excluded_until_ms, INT64_MAX);
    world_close(&w);
}

/* ---- what events say about the player ---- */

static void geo_and_platform_of_the_newest_event(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "score = function() return 0 end");
    const struct rwd_profile *profile = &w.player->profile;
    assert_int_equal(world_send(&w, "a", "bet", noon_ms,
                         ",\"geo\":\"TR\",\"platform\":\"ios\",\"payer_flag\":true,"
                         "\"segments\":[\"vip\",\"night\"]",
                         "{}"),
        RWD_OK);
    assert_string_equal(profile->geo, "TR");
    assert_string_equal(profile->platform, "ios");
    assert_int_equal(profile->payer, RWD_YES);
    assert_int_equal(profile->segment_count, 2);
    assert_int_equal(
        world_send(&w, "b", "bet", noon_ms - 1, ",\"geo\":\"DE\",\"platform\":\"web\"", "{}"),
        RWD_OK);
    assert_string_equal(profile->geo, "TR");
    assert_string_equal(profile->platform, "ios");
    assert_int_equal(world_send(&w, "c", "bet", noon_ms + 2, "", "{}"), RWD_OK);
    assert_string_equal(profile->geo, "TR");
    assert_int_equal(
        world_send(&w, "d", "bet", noon_ms + 3, ",\"geo\":\"BR\",\"segments\":[]", "{}"), RWD_OK);
    assert_string_equal(profile->geo, "BR");
    assert_string_equal(profile->platform, "ios");
    assert_int_equal(profile->segment_count, 0);
    world_close(&w);
}

/* Shuffled, the event that names the country may come second: it is known from then on. */
static void a_late_event_fills_what_nobody_said(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "score = function() return 0 end");
    struct rwd_profile *profile = &w.player->profile;
    profile->geo[0] = '\0';
    assert_int_equal(world_send(&w, "a", "bet", noon_ms, "", "{}"), RWD_OK);
    assert_string_equal(profile->geo, "");
    assert_int_equal(world_send(&w, "b", "login", noon_ms - 1000,
                         ",\"geo\":\"TR\",\"platform\":\"ios\",\"payer_flag\":false", "{}"),
        RWD_OK);
    assert_string_equal(profile->geo, "TR");
    assert_string_equal(profile->platform, "ios");
    assert_int_equal(profile->payer, RWD_NO);
    assert_int_equal(world_send(&w, "c", "login", noon_ms - 500, ",\"geo\":\"DE\"", "{}"), RWD_OK);
    assert_string_equal(profile->geo, "TR");
    world_close(&w);
}

static void kyc_levels(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    world_rule_of(&w, "score = function() return 0 end");
    kyc_event(&w, "a", noon_ms, 2);
    assert_int_equal(w.player->profile.kyc_level, 2);
    kyc_event(&w, "b", noon_ms - 1, 3); /* older news */
    assert_int_equal(w.player->profile.kyc_level, 2);
    static const char *const bad[] = {"{\"level\":4}", "{\"level\":-1}", "{\"level\":\"2\"}",
        "{\"level\":1.5}", "{}", "{\"level\":null}"};
    for (size_t i = 0; i < 6; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "x%zu", i);
        assert_int_equal(world_send(&w, id, "kyc_status_changed", noon_ms + 1, "", bad[i]), RWD_OK);
        assert_int_equal(w.player->profile.kyc_level, 2);
    }
    kyc_event(&w, "c", noon_ms + 2, 0);
    assert_int_equal(w.player->profile.kyc_level, 0);
    world_close(&w);
}

/* Exclusions of different kinds do not undo each other, in whatever order they come; only a later
 * `lifted` does. */
static void rg_events_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    static const struct {
        const char *type;
        const char *until;
    } kinds[] = {{"self_exclusion", "null"}, {"self_exclusion", "\"2025-12-01T00:00:00Z\""},
        {"cool_off", "\"2025-11-20T00:00:00Z\""}, {"cool_off", "null"},
        {"deposit_limit_reached", "\"2025-11-16T00:00:00Z\""}, {"lifted", "null"},
        {"something_else", "null"}};
    for (uint32_t seed = 1; seed <= 500; seed++) {
        struct chance chance = {seed};
        size_t kind[COUNT];
        size_t order[COUNT];
        struct rwd_profile profiles[2];
        for (size_t i = 0; i < COUNT; i++) {
            kind[i] = chance_below(&chance, 7);
            order[i] = i;
        }
        for (int pass = 0; pass < 2; pass++) {
            struct world w;
            world_open(&w);
            world_rule_of(&w, "score = function() return 0 end");
            for (size_t i = 0; i < COUNT; i++) {
                char id[16];
                (void)snprintf(id, sizeof id, "r%zu", order[i]);
                rg_event(&w, id, noon_ms + (int64_t)order[i] * 1000, kinds[kind[order[i]]].type,
                    kinds[kind[order[i]]].until);
            }
            profiles[pass] = w.player->profile;
            world_close(&w);
            chance_shuffle(&chance, order, COUNT);
        }
        assert_int_equal(profiles[0].self_excluded_until_ms, profiles[1].self_excluded_until_ms);
        assert_int_equal(profiles[0].cool_off_until_ms, profiles[1].cool_off_until_ms);
        assert_int_equal(profiles[0].deposit_limit_until_ms, profiles[1].deposit_limit_until_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination),
        cmocka_unit_test(kyc_defaults_by_kind),
        cmocka_unit_test(prices),
        cmocka_unit_test(a_day_has_its_own_sum),
        cmocka_unit_test(geo_list),
        cmocka_unit_test(a_rules_countries_are_asked_at_delivery),
        cmocka_unit_test(what_is_free_may_waive_rg),
        cmocka_unit_test(holds_go_exactly_once),
        cmocka_unit_test(a_hold_that_meets_the_geo_gate),
        cmocka_unit_test(a_lifted_hold_does_not_slip_past_the_review),
        cmocka_unit_test(an_approval_outlives_a_hold),
        cmocka_unit_test(a_currency_without_a_limit),
        cmocka_unit_test(exclusions_end_at_their_time),
        cmocka_unit_test(geo_and_platform_of_the_newest_event),
        cmocka_unit_test(a_late_event_fills_what_nobody_said),
        cmocka_unit_test(kyc_levels),
        cmocka_unit_test(rg_events_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
