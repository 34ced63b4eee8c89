/*
 * rule{...} and tests{...}: every field read, every mistake named with file and line.
 */
#include "support.h"

/* The whole file must be refused with exactly this text. */
static void refuse(const char *source, const char *text)
{
    struct fixture f;
    open_fixture(&f);
    assert_int_equal(try_rule(&f, source), RWD_SCRIPT);
    assert_string_equal(f.error.text, text);
    assert_null(f.rule);
    close_fixture(&f);
}

/* A field on line 3 of an otherwise good rule with a score. */
static void refuse_field(const char *field, const char *text)
{
    char source[2048];
    (void)snprintf(source, sizeof source,
        "return rule {\n  id = 'r', version = '1.0.0', on = 'bet',\n  %s,\n"
        "  score = function() return 1 end }",
        field);
    refuse(source, text);
}

static void every_field_is_read(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    open_rule(&f,
        "return rule { id = 'full-rule_1', version = '10.20.30', title = 'Title', owner = 'me',\n"
        "on = { 'bet', 'win' }, active = { from = '2025-11-01T00:00:00Z', to = "
        "'2025-12-01T00:00:00Z' },\n"
        "where = { geo = { 'TR', 'BR' }, platform = 'ios', payer = true, segment = 'vip',\n"
        "currency = { 'EUR' }, weekday = { 'sat', 7 }, hour = { 0, 23 } },\n"
        "when = function() return true end, score = function() return 1 end,\n"
        "caps = { per_event = 1, per_minute = 2, per_hour = 3, per_day = 4 },\n"
        "milestones = { { at = 300, reward = bonus_cash { amount = '2.00', currency = 'EUR', "
        "wagering = 15 } },\n"
        "{ at = 100, reward = freespins { count = 10, game = 'wolf', expires_in = '12h' } },\n"
        "{ at = 800, reward = coupon { percent = 15, cost = '1.20', currency = 'EUR' } } },\n"
        "guards = { kyc_min_level = 2, rg = true, budget = 'nov', geo = { 'TR' } },\n"
        "experiment = 'ab', priority = -5, order = 'event_time', state = { streak = 0, day = '', "
        "on = false },\n"
        "aggregates = { w = sum('payload.bet', '1d'), c = count('1h'), l = "
        "last('payload.game_id'),\n"
        "lo = min('payload.bet', '7d'), hi = max('payload.bet', '1m'), la = last('a', '1h') } }");
    const struct rwd_rule *r = f.rule;
    assert_string_equal(r->id, "full-rule_1");
    assert_string_equal(r->version, "10.20.30");
    assert_string_equal(r->title, "Title");
    assert_string_equal(r->owner, "me");
    assert_int_equal(r->on_count, 2);
    assert_string_equal(r->on[1], "win");
    assert_int_equal(r->active_from_ms, 1761955200000);
    assert_int_equal(r->active_to_ms, 1764547200000);
    assert_int_equal(r->where.geo_count, 2);
    assert_true(rwd_text_is(r->where.geos[1], "BR"));
    assert_true(rwd_text_is(r->where.platforms[0], "ios"));
    assert_true(rwd_text_is(r->where.segments[0], "vip"));
    assert_true(rwd_text_is(r->where.currencies[0], "EUR"));
    assert_int_equal(r->where.payer, RWD_YES);
    assert_int_equal(r->where.weekday_mask, 0x60);
    assert_int_equal(r->where.hour_mask, 0x800001);
    assert_true(r->has_when && r->has_score && !r->has_grant);
    assert_int_equal(r->cap_per_event, 1);
    assert_int_equal(r->cap_per_minute, 2);
    assert_int_equal(r->cap_per_hour, 3);
    assert_int_equal(r->cap_per_day, 4);
    assert_int_equal(r->milestone_count, 3);
    assert_int_equal(r->milestones[0].at, 100);
    assert_int_equal(r->milestones[0].reward.kind, RWD_REWARD_FREESPINS);
    assert_int_equal(r->milestones[0].reward.count, 10);
    assert_int_equal(r->milestones[0].reward.expires_in_s, 43200);
    assert_false(r->milestones[0].reward.has_cost);
    assert_string_equal(r->milestones[0].reward.label, "wolf");
    assert_int_equal(r->milestones[1].reward.money.minor, 200);
    assert_int_equal(r->milestones[1].reward.cost.minor, 200);
    assert_int_equal(r->milestones[1].reward.wagering, 15);
    assert_int_equal(r->milestones[2].reward.cost.minor, 120);
    assert_int_equal(r->milestones[2].reward.count, 15);
    assert_int_equal(r->kyc_min_level, 2);
    assert_true(r->rg);
    assert_string_equal(r->budget, "nov");
    assert_int_equal(r->geo_allowed_count, 1);
    assert_string_equal(r->experiment, "ab");
    assert_int_equal(r->priority, -5);
    assert_int_equal(r->order, RWD_ORDER_EVENT_TIME);
    assert_int_equal(r->state_count, 3);
    assert_string_equal(r->states[0].name, "day");
    assert_int_equal(r->states[0].initial.type, RWD_SCALAR_TEXT);
    assert_int_equal(r->states[1].initial.type, RWD_SCALAR_BOOLEAN);
    assert_int_equal(r->states[2].initial.type, RWD_SCALAR_NUMBER);
    assert_int_equal(r->aggregate_count, 6);
    assert_string_equal(r->aggregates[0].name, "c");
    assert_string_equal(r->aggregates[0].path, "");
    assert_int_equal(r->aggregates[0].window, RWD_WINDOW_HOUR);
    assert_int_equal(r->aggregates[5].operation, RWD_AGGREGATE_SUM);
    assert_int_equal(r->aggregates[4].window, RWD_WINDOW_WEEK);
    assert_int_equal(r->aggregates[2].window, RWD_WINDOW_ALL);
    static const uint8_t zero[RWD_SIPHASH_KEY_SIZE];
    assert_true(r->aggregates[5].key == rwd_siphash(zero, "sum:payload.bet:1d", 18));
    assert_string_equal(r->source_name, "r.lua");
    assert_int_equal(r->source_size, strlen(r->source));
    uint8_t hash[RWD_SHA256_SIZE];
    rwd_sha256((struct rwd_text){.data = r->source, .size = r->source_size}, hash);
    assert_memory_equal(hash, r->content_hash, sizeof hash);
    close_fixture(&f);
}

static void a_small_rule_has_the_defaults(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    open_rule(&f, "return rule { id = 'r', version = '0.0.1', on = 'bet' }");
    assert_string_equal(f.rule->title, "");
    assert_int_equal(f.rule->active_from_ms, 0);
    assert_true(f.rule->active_to_ms == INT64_MAX);
    assert_int_equal(f.rule->where.payer, RWD_UNKNOWN);
    assert_int_equal(f.rule->cap_per_day, RWD_CAP_NONE_SET);
    assert_int_equal(f.rule->kyc_min_level, -1);
    assert_true(f.rule->rg);
    assert_int_equal(f.rule->version_no, 0);
    assert_int_equal(f.rule->order, RWD_ORDER_ARRIVAL);
    close_fixture(&f);
}

static void mistakes_in_a_field_name_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        const char *text;
    } bad[] = {
        {"prioritty = 1", "r.lua:3: prioritty: unknown field; did you mean 'priority'?"},
        {"zzz = 1", "r.lua:3: zzz: unknown field"},
        {"title = 5", "r.lua:3: title: must be a text, not a number"},
        {"priority = 1.5", "r.lua:3: priority: must be a whole number from -1000000 to 1000000"},
        {"experiment = 'A b'",
            "r.lua:3: experiment: 'A b' must be a lower-case letter, then letters, digits, _ or -"},
        {"order = 'time'", "r.lua:3: order: 'time' must be \"arrival\" or \"event_time\""},
        {"order = 1", "r.lua:3: order: must be a text, not a number"},
        {"when = true", "r.lua:3: when: must be a function, not a boolean"},
        {"when = assert", "r.lua:3: when: must be a function written in this file"},
        {"active = 5", "r.lua:3: active: must be a table { ... }, not a number"},
        {"active = { form = '' }", "r.lua:3: active.form: unknown field; did you mean 'from'?"},
        {"active = { from = 'tomorrow' }",
            "r.lua:3: active.from: 'tomorrow' is no time like \"2025-11-01T00:00:00Z\""},
        {"active = { from = '2025-11-01T00:00:00Z',\nto = '2025-11-01T00:00:00Z' }",
            "r.lua:4: active.to: must be later than from"},
        {"where = { geo = 'Turkey' }", "r.lua:3: where.geo: 'Turkey' is no ISO 3166 country of two "
                                       "capitals, like \"TR\""},
        {"where = { geo = {} }", "r.lua:3: where.geo: must be a list of 1 to 256 values"},
        {"where = { geo = { a = 1 } }", "r.lua:3: where.geo: must be a list of 1 to 256 values"},
        {"where = { currency = 'EURO' }",
            "r.lua:3: where.currency: 'EURO' is no ISO 4217 currency"},
        {"where = { payer = 1 }", "r.lua:3: where.payer: must be true or false, not a number"},
        {"where = { weekday = 8 }",
            "r.lua:3: where.weekday: must be \"mon\" to \"sun\", or 1 (Monday) to 7"},
        {"where = { hour = 24 }", "r.lua:3: where.hour: must be hours from 0 to 23 (UTC)"},
        {"where = { platfrom = 'x' }",
            "r.lua:3: where.platfrom: unknown field; did you mean 'platform'?"},
        {"caps = {\nper_dya = 3 }",
            "r.lua:4: caps.per_dya: unknown field; did you mean 'per_day'?"},
        {"caps = { per_day = -1 }",
            "r.lua:3: caps.per_day: must be a whole number from 0 to 1000000000"},
        {"caps = { 5 }", "r.lua:3: caps: has an element without a name; only name = value"},
        {"milestones = { 5 }", "r.lua:3: milestones: must be a list of { at = ..., reward = ... }"},
        {"milestones = {\n{ at = 1, reward = badge { name = 'a' } },\n{ at = 1, reward = badge { "
         "name = 'b' } } }",
            "r.lua:5: milestones[2].at: 1 stands there twice"},
        {"milestones = { { at = 0, reward = badge { name = 'a' } } }",
            "r.lua:3: milestones[1].at: must be a whole number from 1 to 9007199254740992"},
        {"milestones = { { at = 1, reward = 'x' } }",
            "r.lua:3: milestones[1].reward: must be a reward like freespins { ... }, not a string"},
        {"milestones = { { reward = badge { name = 'a' } } }",
            "r.lua:3: milestones[1].at: is missing"},
        {"guards = { kyc_min_level = 4 }",
            "r.lua:3: guards.kyc_min_level: must be a whole number from 0 to 3"},
        {"guards = { kyc = 2 }", "r.lua:3: guards.kyc: unknown field"},
        {"guards = { rg = 'yes' }", "r.lua:3: guards.rg: must be true or false, not a string"},
        {"state = { t = {} }",
            "r.lua:3: state.t: must begin as true, false, a number or a text, not a table"},
        {"state = { t = 0/0 }", "r.lua:3: state.t: must be a finite number"},
        {"state = { ['a b'] = 1 }", "r.lua:3: state: 'a b' is no name for a field"},
        {"aggregates = { a = 5 }", "r.lua:3: aggregates.a: must be count, sum, min, max or last, "
                                   "like sum(\"payload.bet\", "
                                   "\"1d\"), not a number"},
        {"aggregates = { a = sum('payload..bet', '1d') }",
            "r.lua:3: sum: the path must be names joined by dots, like \"payload.bet\""},
        {"aggregates = { a = sum('payload.bet') }",
            "r.lua:3: sum: a window is needed: \"1m\", \"1h\", \"1d\", \"7d\" or \"all\""},
        {"aggregates = { a = count('2d') }",
            "r.lua:3: count: the window must be \"1m\", \"1h\", \"1d\", \"7d\" or \"all\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuse_field(bad[i].field, bad[i].text);
    }
}

static void mistakes_in_a_reward_name_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *reward;
        const char *text;
    } bad[] = {
        {"cash { amount = 2, currency = 'EUR' }",
            "cash.amount: must be a decimal text like \"2.00\", not a number; money(number, "
            "currency) or percent_of(number, percent, currency) makes one"},
        {"cash { amount = '2.001', currency = 'EUR' }",
            "cash.amount: '2.001' is no amount in EUR with at most 2 decimals"},
        {"cash { amount = '-1', currency = 'EUR' }", "cash.amount: must be more than zero"},
        {"cash { amount = '1' }", "cash.currency: is missing"},
        {"cash { currency = 'EUR' }", "cash.amount: is missing"},
        {"cash { amount = '1', currency = 'EURO' }",
            "cash.currency: 'EURO' is no ISO 4217 currency"},
        {"bonus_cash { amount = '1', currency = 'EUR', wager = 5 }",
            "bonus_cash.wager: unknown field"},
        {"bonus_cash { amount = '1', currency = 'EUR', waggering = 5 }",
            "bonus_cash.waggering: unknown field; did you mean 'wagering'?"},
        {"freespins { count = 0, game = 'x' }",
            "freespins.count: must be a whole number from 1 to 1000000"},
        {"freespins { count = 1 }", "freespins.game: is missing"},
        {"freespins 'x'", "freespins: needs a table { ... }, not a string"},
        {"coupon { }", "coupon: needs code or percent"},
        {"coupon { percent = 101 }", "coupon.percent: must be a whole number from 1 to 100"},
        {"loot { rarity = '' }", "loot.rarity: must be 1 to 63 bytes long"},
        {"badge { name = 'x', currency = 'EUR' }", "badge.currency: says nothing without cost"},
        {"notify { text = 'x', expires_in = '7w' }", "notify.expires_in: must be a number and d, "
                                                     "h, m or s, like \"7d\", of at most 366 days"},
        {"points { count = 1e10 }", "points.count: must be a whole number from 1 to 1000000000"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char field[512];
        char text[512];
        (void)snprintf(
            field, sizeof field, "milestones = { { at = 1, reward =\n%s } }", bad[i].reward);
        (void)snprintf(text, sizeof text, "r.lua:4: %s", bad[i].text);
        refuse_field(field, text);
    }
}

static void the_file_itself(void **state)
{
    (void)state;
    refuse("return rule {\n  version = '1.0.0', on = 'bet' }", "r.lua:1: id: is missing");
    refuse("return rule { id = 'r', on = 'bet' }", "r.lua:1: version: is missing");
    refuse("return rule { id = 'r', version = '1.0.0' }", "r.lua:1: on: is missing");
    refuse("return rule {\nid = 'R', version = '1.0.0', on = 'bet' }",
        "r.lua:2: id: 'R' must be a lower-case letter, then letters, digits, _ or -");
    refuse("return rule { id = '../x', version = '1.0.0', on = 'bet' }",
        "r.lua:1: id: '../x' must be a lower-case letter, then letters, digits, _ or -");
    refuse("return rule { id = 'r',\nversion = '1.0', on = 'bet' }",
        "r.lua:2: version: '1.0' must be three numbers like \"2.0.0\"");
    refuse("return rule { id = 'r', version = '01.0.0', on = 'bet' }",
        "r.lua:1: version: '01.0.0' must be three numbers like \"2.0.0\"");
    refuse("return rule { id = 'r', version = '1.0.0', on = {} }",
        "r.lua:1: on: must be a list of 1 to 16 values");
    refuse("return rule { id = 'r', version = '1.0.0', on = { 'a', 'a' } }",
        "r.lua:1: on: 'a' stands there twice");
    refuse("return rule { id = 'r', version = '1.0.0', on = 'a b' }",
        "r.lua:1: on: 'a b' is no event name");
    refuse("local x = \n", "r.lua:2: unexpected symbol near '<eof>'");
    refuse("return rule(5)", "r.lua:1: rule: needs a table { ... }, not a number");
    refuse("local x = 1\nreturn x\n", "r.lua:3: the file must end with return rule { ... }");
    refuse("return tests {}", "r.lua:1: tests { ... } belongs, once, to a test file");
    refuse("local n = 0\nreturn rule { id = 'r', version = '1.0.0', on = 'bet',\n"
           "when = function()\n  n = n + 1\nend }",
        "r.lua:4: 'n' is assigned in a function but made outside of it; a rule remembers nothing "
        "between calls: use state");
    refuse(
        "return rule { id = 'r', version = '1.0.0', on = 'bet',\nwhen = function()\n  n = 1\nend }",
        "r.lua:3: a rule has no globals between calls: make 'n' local");
    refuse("return rule { id = 'r', version = '1.0.0', on = 'bet',\nwhen = function()\n  return "
           "evnt.x\nend }",
        "r.lua:3: unknown name 'evnt': the sandbox has no such function or library");
    refuse("local x = 'a' .. {}", "r.lua:1: attempt to concatenate a table value");
    refuse("\n\nerror('mine')", "r.lua:3: mine");
    refuse("while true do end", "r.lua:1: stopped: more than 100000 instructions in one call");
}

static void comments_and_strings_do_not_mislead_the_line(void **state)
{
    (void)state;
    refuse("-- caps = 1\n--[[ caps =\n2 ]] local s = 'caps = '\nreturn rule { id = 'r', version = "
           "'1.0.0', on = 'bet',\nscore = function() return 1 end,\ncaps = 5 }",
        "r.lua:6: caps: must be a table { ... }, not a number");
}

static void who_pays_names_a_budget_and_a_level(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    refuse_field("milestones = { { at = 1, reward = loot { rarity = 'x' } } }",
        "r.lua:3: milestones: a rule that pays must name guards.budget");
    refuse_field(
        "milestones = { { at = 1, reward = badge { name = 'x', cost = '1', currency = 'EUR' "
        "} } }",
        "r.lua:3: milestones: a rule that pays must name guards.budget");
    refuse_field(
        "guards = { budget = 'b' },\nmilestones = { { at = 1, reward = cash { amount = '1', "
        "currency = 'EUR' } } }",
        "r.lua:4: milestones: a rule that pays cash must name guards.kyc_min_level, at least 1");
    refuse_field("guards = { budget = 'b', rg = false },\nmilestones = { { at = 1, reward = loot { "
                 "rarity = 'x' } } }",
        "r.lua:4: milestones: guards.rg = false is only for rules that pay nothing");
    refuse_field(
        "guards = { budget = 'b' },\ngrant = function() return cash { amount = '1', currency "
        "= 'EUR' } end",
        "r.lua:4: grant: a rule that pays cash must name guards.kyc_min_level, at least 1");
    refuse_field("grant = function() return freespins { count = 1, game = 'x' } end",
        "r.lua:3: grant: a rule that pays must name guards.budget");
    open_rule(&f,
        "return rule { id = 'r', version = '1.0.0', on = 'bet', guards = { rg = false },\n"
        "score = function() return 1 end, milestones = { { at = 1, reward = badge { name = "
        "'x' } } } }");
    assert_false(f.rule->rg);
    refuse("return rule { id = 'r', version = '1.0.0', on = 'bet',\ncaps = { per_day = 1 } }",
        "r.lua:2: caps: says nothing without score");
    close_fixture(&f);
}

static enum rwd_status load_tests(
    const char *source, struct rwd_rule_tests **tests, struct rwd_error *error)
{
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    return rwd_rule_tests_load(text_of(source), "r_test.lua", &limits, tests, error);
}

static void tests_become_json(void **state)
{
    (void)state;
    struct rwd_rule_tests *tests = NULL;
    struct rwd_error error;
    assert_int_equal(
        load_tests(
            "local function bet(n) return { event_name = 'bet', payload = { win = n, bet = 0.1 } "
            "} end\n"
            "return tests {\n  { name = 'first \"one\"', player = { kyc_level = 2, geo = 'TR' },\n"
            "    events = { bet(1), bet(1e15), bet(-0.25) },\n"
            "    expect = { points = 6, tasks = { { kind = 'cash' }, true }, none = {} } },\n"
            "  { name = 'second', events = { bet(2) }, expect = {} },\n}",
            &tests, &error),
        RWD_OK);
    assert_int_equal(tests->case_count, 2);
    assert_string_equal(tests->cases[0].name, "first \"one\"");
    assert_string_equal(tests->cases[0].player, "{\"geo\":\"TR\",\"kyc_level\":2}");
    assert_int_equal(tests->cases[0].event_count, 3);
    assert_string_equal(
        tests->cases[0].events[0], "{\"event_name\":\"bet\",\"payload\":{\"bet\":0.1,\"win\":1}}");
    assert_string_equal(tests->cases[0].events[1],
        "{\"event_name\":\"bet\",\"payload\":{\"bet\":0.1,\"win\":1e+15}}");
    assert_string_equal(
        tests->cases[0].expect, "{\"none\":{},\"points\":6,\"tasks\":[{\"kind\":\"cash\"},true]}");
    assert_int_equal(tests->cases[0].line, 3);
    assert_string_equal(tests->cases[1].player, "{}");
    assert_int_equal(tests->cases[1].line, 6);
    rwd_rule_tests_destroy(tests);
}

static void bad_tests_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        const char *text;
    } bad[] = {
        {"return tests {}", "r_test.lua:1: tests: must be a list of 1 to 256 cases"},
        {"return tests { 5 }", "r_test.lua:1: tests: must be a list of cases { name = ... }"},
        {"return tests {\n{ nam = 'x' } }",
            "r_test.lua:2: tests[1].nam: unknown field; did you mean 'name'?"},
        {"return tests {\n{ name = 'x', expect = {} } }",
            "r_test.lua:1: tests[1].events: is missing"},
        {"return tests {\n{ name = 'x', events = { 1 }, expect = {} } }",
            "r_test.lua:2: tests[1].events: must be a list of events { { event_name = ... }, ... "
            "}"},
        {"return tests { { name = 'x', events = { { f = error } }, expect = {} } }",
            "r_test.lua:1: tests: a function is no data"},
        {"return tests { { name = 'x', events = { { [true] = 1 } }, expect = {} } }",
            "r_test.lua:1: tests: a table is either a list or has names for keys"},
        {"return rule { id = 'r', version = '1.0.0', on = 'bet' }",
            "r_test.lua:1: rule { ... } belongs to a rule's file"},
        {"local t = {} t.t = t return tests { { name = 'x', events = { t }, expect = {} } }",
            "r_test.lua:1: tests: a value is larger than 65536 bytes or deeper than 16"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rwd_rule_tests *tests = NULL;
        struct rwd_error error;
        assert_int_equal(load_tests(bad[i].source, &tests, &error), RWD_SCRIPT);
        assert_string_equal(error.text, bad[i].text);
    }
}

static char *read_file(const char *path)
{
    char *data = calloc(1, 1 << 16);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(fread(data, 1, (1 << 16) - 1, file) > 0);
    (void)fclose(file);
    return data;
}

static void the_shipped_rules_load(void **state)
{
    (void)state;
    static const char *const shipped[] = {"points_winmult/2.0.0", "login_streak/1.0.0",
        "first_deposit_bonus/1.0.0", "daily_wager_mission/1.0.0", "retail_cashback/1.0.0"};
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    for (size_t i = 0; i < sizeof shipped / sizeof shipped[0]; i++) {
        char path[512];
        struct rwd_error error = {{0}};
        struct rwd_rule *rule = NULL;
        struct rwd_rule_tests *tests = NULL;
        (void)snprintf(path, sizeof path, RWD_SOURCE_DIR "/rules/%s.lua", shipped[i]);
        char *source = read_file(path);
        assert_loads(rwd_rule_load(text_of(source), shipped[i], &limits, &rule, &error), error);
        assert_string_equal(rule->budget, "nov_season");
        free(source);
        (void)snprintf(path, sizeof path, RWD_SOURCE_DIR "/rules/%s_test.lua", shipped[i]);
        source = read_file(path);
        assert_loads(
            rwd_rule_tests_load(text_of(source), shipped[i], &limits, &tests, &error), error);
        assert_true(tests->case_count >= 2);
        free(source);
        rwd_rule_tests_destroy(tests);
        rwd_rule_destroy(rule);
    }
}

static void luacheck_knows_the_same_names(void **state)
{
    (void)state;
    /* Every name in .luacheckrc is one of the sandbox's: a file that reads it loads. */
    struct fixture f;
    char *config = read_file(RWD_SOURCE_DIR "/.luacheckrc");
    char *at = strstr(config, "local sandbox = {");
    open_fixture(&f);
    assert_non_null(at);
    char *end = strchr(at, '}');
    size_t count = 0;
    for (at = strchr(at, '"'); at != NULL && at < end; at = strchr(at, '"')) {
        char source[256];
        char *close = strchr(at + 1, '"');
        (void)snprintf(source, sizeof source,
            "local x = %.*s return rule { id = 'r', version = '1.0.0', on = 'bet', "
            "experiment = 'e' }",
            (int)(close - at - 1), at + 1);
        open_rule(&f, source);
        count++;
        at = close + 1;
    }
    assert_int_equal(count, 33);
    free(config);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(a_small_rule_has_the_defaults),
        cmocka_unit_test(mistakes_in_a_field_name_its_line),
        cmocka_unit_test(mistakes_in_a_reward_name_its_line),
        cmocka_unit_test(the_file_itself),
        cmocka_unit_test(comments_and_strings_do_not_mislead_the_line),
        cmocka_unit_test(who_pays_names_a_budget_and_a_level),
        cmocka_unit_test(tests_become_json),
        cmocka_unit_test(bad_tests_are_refused),
        cmocka_unit_test(the_shipped_rules_load),
        cmocka_unit_test(luacheck_knows_the_same_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
