/*
 * The sandbox from the caller's side: what functions see and answer, that a call is the same on
 * every run, that nothing is left of one that failed, and the library functions' results.
 */
#include "support.h"

static void the_issue_example_scores(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    open_rule(&f,
        "return rule { id = 'r', version = '1.0.0', on = 'bet',\n"
        "when = function(event, player) return event.payload.bet >= 0.2 end,\n"
        "score = function(event, player) return event.payload.win / event.payload.bet * 3 "
        "end }");
    bool holds = false;
    uint64_t points = 0;
    assert_int_equal(rwd_sandbox_when(f.sandbox, &f.call, &holds, &f.error), RWD_OK);
    assert_true(holds);
    assert_int_equal(rwd_sandbox_score(f.sandbox, &f.call, &points, &f.error), RWD_OK);
    assert_int_equal(points, 7); /* 7.5, floored */
    close_fixture(&f);
}

static void functions_that_are_not_there_answer_the_neutral(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_reward reward;
    open_fixture(&f);
    open_rule(&f, "return rule { id = 'r', version = '1.0.0', on = 'bet' }");
    bool holds = false;
    uint64_t points = 9;
    assert_int_equal(rwd_sandbox_when(f.sandbox, &f.call, &holds, &f.error), RWD_OK);
    assert_true(holds);
    assert_int_equal(rwd_sandbox_score(f.sandbox, &f.call, &points, &f.error), RWD_OK);
    assert_int_equal(points, 0);
    assert_int_equal(run_grant(&f, &reward), RWD_NOT_FOUND);
    close_fixture(&f);
}

static void a_score_is_a_number_of_points(void **state)
{
    (void)state;
    static const struct {
        const char *score;
        const char *got;
    } bad[] = {{"0/0", "nan"}, {"1/0", "inf"}, {"-0.5", "-0.5"}, {"1e9 + 1", "1000000001"},
        {"'7'", "a string"}, {"nil", "a nil"}, {"{}", "a table"}, {"true", "a boolean"}};
    struct fixture f;
    char source[256];
    char text[256];
    uint64_t points = 0;
    open_fixture(&f);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(source, sizeof source,
            "return rule { id = 'r', version = '1.0.0', on = 'bet',\nscore = function() return %s "
            "end }",
            bad[i].score);
        open_rule(&f, source);
        assert_int_equal(rwd_sandbox_score(f.sandbox, &f.call, &points, &f.error), RWD_SCRIPT);
        (void)snprintf(text, sizeof text,
            "r.lua:2: score must return a number from 0 to 1e9, not %s", bad[i].got);
        if (strstr(f.error.text, "nan") == NULL) {
            assert_string_equal(f.error.text, text);
        }
    }
    open_rule(&f, "return rule { id = 'r', version = '1.0.0', on = 'bet', when = function() return "
                  "1 end, score = function() return 1e9 end }");
    bool holds = false;
    assert_int_equal(rwd_sandbox_score(f.sandbox, &f.call, &points, &f.error), RWD_OK);
    assert_int_equal(points, 1000000000);
    assert_int_equal(rwd_sandbox_when(f.sandbox, &f.call, &holds, &f.error), RWD_SCRIPT);
    assert_string_equal(f.error.text, "r.lua:1: when must return true or false, not 1");
    close_fixture(&f);
}

static void the_event_is_read_at_any_depth(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    expect_good(&f,
        "assert(event.event_id == 'e1' and event.event_name == 'bet' and event.version == "
        "'1.2.0')\n"
        "assert(event.ts == '2025-11-10T11:37:21Z' and event.day == '2025-11-10')\n"
        "assert(event.hour == 11 and event.weekday == 1 and event.day_no == 20402)\n"
        "assert(event.time_ms == 1762774641000 and event.late_ms == 5000)\n"
        "assert(event.payload.bet == 0.5 and event.payload.yes == true and event.payload.no == "
        "false)\n"
        "assert(event.payload.none == nil and event.payload.missing == nil)\n"
        "assert(event.payload.a.b.c.d == nil and event.context.device_fp == nil)\n"
        "assert(event.payload.bet.x.y == nil and event.payload.yes.x == nil)\n"
        "assert(event.nothing.at.all == nil)\n"
        "assert(event.extra.deep.er[1] == 1 and event.extra.deep.er[2][2] == 3)\n"
        "assert(event.extra.deep.er[3].x == nil and event.extra.deep.er[4] == nil)\n"
        "assert(event.extra.deep.er[0] == nil and event.extra.deep.er[1.5] == nil)\n"
        "assert(#event.payload.list == 3 and #event.payload == 0)\n"
        "assert(event.payload.list == event.payload.list)\n"
        "assert(type(event) == 'table' and type(event.payload.list) == 'table')");
    expect_good(&f,
        "local keys = {} for k, v in pairs(event.payload) do keys[#keys + 1] = k end\n"
        "assert(table.concat(keys, ' ') == 'bet currency game_id list no win yes')\n"
        "local sum = 0 for i, v in ipairs(event.payload.list) do sum = sum + i * v end\n"
        "assert(sum == 140)\n"
        "local n = 0 for i, v in pairs(event.payload.list) do n = n + i * v end\n"
        "assert(n == 140)\n"
        "for k in pairs(event.context) do error('context is empty') end");
    expect_error(&f, "return event.payload.missing.bet + 1",
        "r.lua:2: attempt to perform arithmetic on field 'bet' (a nil value)");
    close_fixture(&f);
}

static void many_containers_in_one_call(void **state)
{
    (void)state;
    struct fixture f;
    char raw[8192] = "{\"event_id\":\"e\",\"event_name\":\"bet\",\"version\":\"1.0.0\",\"ts\":"
                     "\"2025-11-10T11:37:21Z\",\"user\":{\"id\":\"u\"},\"payload\":{\"list\":[";
    open_fixture(&f);
    size_t size = strlen(raw);
    for (int i = 1; i <= 100; i++) {
        size +=
            (size_t)snprintf(raw + size, sizeof raw - size, "%s{\"n\":%d}", i > 1 ? "," : "", i);
    }
    (void)snprintf(raw + size, sizeof raw - size, "]}}");
    set_event(&f, raw);
    /* More than the pool holds, all alive at once, twice over. */
    open_grant(&f, "",
        "local all, sum = {}, 0\n"
        "for i, item in ipairs(event.payload.list) do all[i] = item end\n"
        "for i = 100, 1, -1 do assert(all[i].n == i) sum = sum + all[i].n end\n"
        "assert(sum == 5050)");
    struct rwd_reward reward;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run_grant(&f, &reward), RWD_NOT_FOUND);
    }
    /* The next call's views speak of the next call's event. */
    set_event(&f, "{\"event_id\":\"e\",\"event_name\":\"bet\",\"version\":\"1.0.0\",\"ts\":"
                  "\"2025-11-10T11:37:21Z\",\"user\":{\"id\":\"u\"}}");
    assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    assert_non_null(strstr(f.error.text, "r.lua:3:"));
    close_fixture(&f);
}

static void the_player_is_read(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    f.aggregates[0] = (struct rwd_scalar){.type = RWD_SCALAR_TEXT, .text = RWD_TEXT("slot_wolf")};
    f.aggregates[1] = (struct rwd_scalar){.type = RWD_SCALAR_NUMBER, .number = 12.5};
    struct rwd_reward reward;
    open_grant(&f,
        "experiment = 'ab', aggregates = { wager = sum('payload.bet', '1d'), game = "
        "last('payload.game_id') },",
        "assert(player.id == 'u_123' and player.geo == 'TR' and player.platform == 'android')\n"
        "assert(player.payer == true and player.kyc_level == 2)\n"
        "assert(#player.segments == 2 and player.segments[1] == 'vip' and player.segments[3] == "
        "nil)\n"
        "assert(player.segments.has('night') and not player.segments:has('day'))\n"
        "local n = 0 for i, s in ipairs(player.segments) do n = n + #s end assert(n == 8)\n"
        "n = 0 for i, s in pairs(player.segments) do n = n + #s end assert(n == 8)\n"
        "assert(player.attributes.tier == 'gold' and player.attributes.x == nil)\n"
        "assert(player.points('other') == 42 and player:points('none') == 0)\n"
        "assert(player.arm('ab') == nil and player:arm() == nil)\n"
        "assert(player.agg.wager == 12.5 and player.agg.game == 'slot_wolf')");
    if (run_grant(&f, &reward) != RWD_NOT_FOUND) {
        fail_msg("%s", f.error.text);
    }
    expect_error(&f, "local x = player.kyc_lvl",
        "r.lua:2: player has no field 'kyc_lvl'; did you mean 'kyc_level'?");
    expect_error(&f, "local x = player.agg.wager", "r.lua:2: player.agg has no field 'wager'");
    f.profile = (struct rwd_profile){0};
    expect_good(&f, "assert(player.geo == nil and player.platform == nil and player.payer == nil)\n"
                    "assert(player.kyc_level == 0 and #player.segments == 0)");
    close_fixture(&f);
}

static void state_is_kept_or_rolled_back(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_reward reward;
    open_fixture(&f);
    open_grant(&f, "state = { n = 1, day = 'mon', on = true },",
        "state.n = state.n + 1 state.day = state.day .. '!' state.on = nil\n"
        "local names = '' for k, v in pairs(state) do names = names .. k end\n"
        "assert(names == 'dayn')\n"
        "if state.n > 3 then error('enough') end");
    assert_int_equal(run_grant(&f, &reward), RWD_NOT_FOUND);
    assert_int_equal(run_grant(&f, &reward), RWD_NOT_FOUND);
    /* By name: day, n, on. */
    assert_string_equal(f.state[0].text.data, "mon!!");
    assert_true(f.state[1].number == 3);
    assert_int_equal(f.state[2].type, RWD_SCALAR_NIL);
    assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    assert_string_equal(f.error.text, "r.lua:5: enough");
    assert_string_equal(f.state[0].text.data, "mon!!");
    assert_true(f.state[1].number == 3);
    open_grant(&f, "state = { n = 1 },", "state.n = 5 while true do end");
    assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    assert_true(f.state[0].number == 1);
    open_grant(&f, "state = { n = 1 },", "state.n = 5 return 'x'");
    assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    assert_true(f.state[0].number == 1);
    close_fixture(&f);
}

static void a_full_arena_is_a_limit(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_arena small;
    struct rwd_reward reward;
    open_fixture(&f);
    rwd_arena_init(&small, 64, 64);
    while (rwd_arena_alloc(&small, 16) != NULL) {
    }
    f.call.arena = &small;
    open_grant(&f, "state = { day = '' },", "state.day = 'tue'");
    assert_int_equal(run_grant(&f, &reward), RWD_LIMIT);
    assert_int_equal(f.state[0].text.size, 0);
    rwd_arena_finish(&small);
    close_fixture(&f);
}

static void instructions_are_the_same_on_every_run(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_reward reward;
    uint32_t first = 0;
    open_fixture(&f);
    const char *body = "local t = {}\n"
                       "for k, v in pairs(event.payload) do t[#t + 1] = k end\n"
                       "for i = 1, 300 do t[#t + 1] = ('%d'):format(i * 7919 % 211) end\n"
                       "table.sort(t)\n"
                       "for i = 1, 50 do pcall(error, 'x') end\n"
                       "for w in ('a b c d'):gmatch('%a') do t[#t + 1] = w end\n"
                       "local s = table.concat(t, ',') .. tostring(math.random(1000))";
    for (int vm = 0; vm < 3; vm++) {
        open_grant(&f, "", body);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(run_grant(&f, &reward), RWD_NOT_FOUND);
            uint32_t used = rwd_sandbox_instructions_used(f.sandbox);
            assert_true(used > 1000);
            if (first == 0) {
                first = used;
            }
            assert_int_equal(used, first);
        }
    }
    /* The budget too: the same call stops at the same place. */
    open_grant(&f, "state = { n = 0 },", "local n = 0 while true do n = n + 1 end");
    assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    assert_string_equal(
        f.error.text, "r.lua:2: stopped: more than 100000 instructions in one call");
    assert_int_equal(rwd_sandbox_instructions_used(f.sandbox), 100100);
    close_fixture(&f);
}

static void random_follows_the_seed(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_reward first;
    struct rwd_reward again;
    open_fixture(&f);
    const char *body =
        "local r = math.random() assert(r >= 0 and r < 1)\n"
        "for i = 1, 100 do local n = math.random(3, 5) assert(n >= 3 and n <= 5) end\n"
        "return points { count = math.random(1000000) }";
    open_grant(&f, "", body);
    assert_int_equal(run_grant(&f, &first), RWD_OK);
    assert_int_equal(run_grant(&f, &again), RWD_OK);
    assert_int_equal(first.count, again.count);
    f.call.seed = 8;
    assert_int_equal(run_grant(&f, &again), RWD_OK);
    assert_int_not_equal(first.count, again.count);
    f.call.seed = 7;
    open_grant(&f, "", body);
    assert_int_equal(run_grant(&f, &again), RWD_OK);
    assert_int_equal(first.count, again.count);
    close_fixture(&f);
}

static void a_vm_comes_back_after_it_was_dropped(void **state)
{
    (void)state;
    static const char *const ends[] = {"while true do end",
        "local s = 'x' while true do s = s .. s end", "local function f() return 1 + f() end f()",
        "error('plain')", "local t = {} for i = 1, 1e9 do t[i] = { i } end"};
    struct fixture f;
    struct rwd_reward reward;
    open_fixture(&f);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char body[512];
        (void)snprintf(body, sizeof body,
            "if event.payload.bet > 0.4 then %s end\nreturn badge { name = 'fine' }", ends[i]);
        open_grant(&f, "", body);
        for (int round = 0; round < 3; round++) {
            set_event(&f, BET);
            assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
            set_event(&f,
                "{\"event_id\":\"e\",\"event_name\":\"bet\",\"version\":\"1.0.0\",\"ts\":"
                "\"2025-11-10T11:37:21Z\",\"user\":{\"id\":\"u\"},\"payload\":{\"bet\":0.1}}");
            assert_int_equal(run_grant(&f, &reward), RWD_OK);
            assert_string_equal(reward.label, "fine");
        }
    }
    close_fixture(&f);
}

static void the_deadline_is_of_cpu_time(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_reward reward;
    struct rwd_sandbox_limits limits = {
        .instruction_count_max = UINT32_MAX, .memory_size_max = 16 << 20, .deadline_ms = 5};
    open_fixture(&f);
    open_grant(&f, "", "while true do end");
    rwd_sandbox_destroy(f.sandbox);
    assert_int_equal(rwd_sandbox_create(f.rule, &limits, &f.sandbox, &f.error), RWD_OK);
    assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    assert_string_equal(f.error.text, "r.lua:2: stopped: more than 5 ms in one call");
    close_fixture(&f);
}

static void money_helpers_are_exact(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    expect_good(&f,
        "assert(money(12.349, 'EUR') == '12.34' and money(0.29, 'EUR') == '0.29')\n"
        "assert(money(1.1 + 2.2, 'EUR') == '3.30' and money(4.35 * 100, 'EUR') == '435.00')\n"
        "assert(money(1234.9, 'JPY') == '1234' and money(1.2345, 'KWD') == '1.234')\n"
        "assert(money('19.99', 'EUR') == '19.99' and money(0, 'EUR') == '0.00')\n"
        "assert(percent_of(19.99, 5, 'EUR') == '0.99' and percent_of(100, 2.5, 'EUR') == '2.50')\n"
        "assert(percent_of(0.29, 100, 'EUR') == '0.29' and percent_of(1.15, 100, 'EUR') == "
        "'1.15')\n"
        "assert(percent_of('999999999999.99', 100, 'EUR') == '999999999999.99')\n"
        "assert(percent_of(33.33, 33.3333, 'EUR') == '11.10' and percent_of(5, 0, 'EUR') == "
        "'0.00')\n"
        "for cents = 1, 2000 do\n"
        "  local text = string.format('%d.%02d', math.floor(cents / 100), cents % 100)\n"
        "  assert(percent_of(cents / 100, 100, 'EUR') == text)\n"
        "end");
    expect_error(&f, "local x = percent_of(-1, 5, 'EUR')",
        "r.lua:2: percent_of: amount must be a decimal of at least 0 and below 10^12");
    expect_error(&f, "local x = percent_of(1, 5, 'XXX')", "r.lua:2: 'XXX' is no ISO 4217 currency");
    expect_error(&f, "local x = percent_of(0/0, 5, 'EUR')",
        "r.lua:2: percent_of: amount is not finite or not below 10^12");
    expect_error(&f, "local x = percent_of(nil, 5, 'EUR')",
        "r.lua:2: percent_of: amount must be a number, not a nil");
    close_fixture(&f);
}

static void rewards_are_checked_when_granted(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_reward reward;
    const char *guards = "guards = { budget = 'b', kyc_min_level = 2 },";
    open_fixture(&f);
    open_grant(&f, guards,
        "return cash { amount = percent_of(event.payload.win, 10, 'EUR'), currency = 'EUR', "
        "expires_in = '7d' }");
    assert_int_equal(run_grant(&f, &reward), RWD_OK);
    assert_int_equal(reward.kind, RWD_REWARD_CASH);
    assert_int_equal(reward.money.minor, 12);
    assert_true(reward.has_cost);
    assert_int_equal(reward.cost.minor, 12);
    assert_int_equal(reward.expires_in_s, 7 * 86400);
    open_grant(&f, guards, "\nreturn cash { amount = 0.5, currency = 'EUR' }");
    assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    assert_string_equal(f.error.text,
        "r.lua:3: cash.amount: must be a decimal text like \"2.00\", not a number; money(number, "
        "currency) or percent_of(number, percent, currency) makes one");
    open_grant(&f, guards, "\nreturn cash { amount = '0.00', currency = 'EUR' }");
    assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    assert_string_equal(f.error.text, "r.lua:3: cash.amount: must be more than zero");
    open_grant(&f, "", "return notify { text = 'hello', cost = '1.00', currency = 'EUR' }");
    assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    assert_string_equal(f.error.text, "r.lua: grant: a rule that pays must name guards.budget");
    open_grant(&f, "", "return nil, 5");
    assert_int_equal(run_grant(&f, &reward), RWD_NOT_FOUND);
    open_grant(&f, "", "return false");
    assert_int_equal(run_grant(&f, &reward), RWD_NOT_FOUND);
    close_fixture(&f);
}

static void texts(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    expect_good(&f,
        "assert(('Hello'):upper() == 'HELLO' and ('HeLLo'):lower() == 'hello')\n"
        "assert(('abc'):reverse() == 'cba' and ('abc'):len() == 3 and ('ab'):rep(3, '-') == "
        "'ab-ab-ab')\n"
        "assert(('abcdef'):sub(2, 3) == 'bc' and ('abc'):sub(-2) == 'bc' and ('abc'):sub(0) == "
        "'abc')\n"
        "assert(('abc'):sub(3, 2) == '' and ('abc'):sub(-100, 100) == 'abc' and (''):sub(1) == "
        "'')\n"
        "assert(('A'):byte() == 65 and select('#', ('abc'):byte(1, -1)) == 3)\n"
        "assert(string.char(72, 105) == 'Hi' and string.char() == '')\n"
        "assert(string.format('%5.1f|%-5d|%05d|%x|%s|%q|%%|%c', 3.14159, 42, 42, 255, 'x', 'a\"b', "
        "65) "
        "== '  3.1|42   |00042|ff|x|\"a\\\\\"b\"|%|A')\n"
        "assert(string.format('%s %s %s', 1.5, true, nil) == '1.5 true nil')\n"
        "assert(string.format('%.3s|%5s', 'abcdef', 'ab') == 'abc|   ab')\n"
        "assert(string.format('%d', -3) == '-3' and string.format('%+d', 3) == '+3')\n"
        "assert(#('x'):rep(65536) == 65536)");
    expect_error(&f, "local x = string.format('%d', 1.5)",
        "r.lua:2: string.format: %d must be a whole number");
    expect_error(&f, "local x = string.format('%d')", "r.lua:2: string.format: too few values");
    expect_error(&f, "local x = ('x'):rep('3')",
        "r.lua:2: string.rep: count must be a number, not a string");
    expect_error(
        &f, "local x = string.upper(5)", "r.lua:2: string: text must be a text, not a number");
    close_fixture(&f);
}

static void patterns(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    expect_good(&f, "assert(('slot_wolf'):match('^(%a+)_(%a+)$') == 'slot')\n"
                    "assert(select(2, ('slot_wolf'):match('^(%a+)_(%a+)$')) == 'wolf')\n"
                    "assert(('key=value'):find('=') == 4 and ('a.b'):find('.', 1, true) == 2)\n"
                    "assert(('abc'):find('b', -1) == nil and ('abc'):find('', 10) == nil and "
                    "(''):find('') == 1)");
    expect_error(&f, "local x = (' trim '):match('^%s*(.-)%s*$')",
        "r.lua:2: a pattern has at most 2 of * + - ?");
    expect_good(&f,
        "assert(('2025-11-10'):match('%d%d%d%d') == '2025' and ('x12y'):match('%d+') == '12')\n"
        "assert(('[tag]'):match('%[(.-)%]') == 'tag' and ('a-b'):match('[a%-]+') == 'a-')\n"
        "assert(('abc'):match('[^a]+') == 'bc' and ('A1_'):match('[%w_]+') == 'A1_')\n"
        "assert(('color colour'):match('colou?r', 3) == 'colour' and (']'):match('[]]') == ']')\n"
        "assert(('a$'):match('a$') == nil and ('a$'):match('a%$') == 'a$' and ('a$b'):match('$b') "
        "== "
        "'$b')\n"
        "assert(('hello world'):gsub('o', '0') == 'hell0 w0rld')\n"
        "assert(select(2, ('aaa'):gsub('a', 'b', 2)) == 2)\n"
        "assert(('abc'):gsub('%w', '%0%0') == 'aabbcc' and ('abc'):gsub('', '-') == '-a-b-c-')\n"
        "assert(('$name is $age'):gsub('$(%a+)', { name = 'Bo', age = 7 }) == 'Bo is 7')\n"
        "assert(('a b'):gsub('(%a) (%a)', '%2 %1') == 'b a' and ('abc'):gsub('^a', 'x') == 'xbc')\n"
        "local t = {} for k, v in ('a=1,b=2'):gmatch('(%a)=(%d)') do t[#t + 1] = k .. v end\n"
        "assert(table.concat(t) == 'a1b2')");
    close_fixture(&f);
}

static void tables_and_basics(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    expect_good(&f,
        "local t = { 3, 1, 2 } table.sort(t) assert(table.concat(t, ' ') == '1 2 3')\n"
        "table.sort(t, function(a, b) return a > b end) assert(table.concat(t, ' ') == '3 2 1')\n"
        "table.insert(t, 9) table.insert(t, 1, 8) assert(table.concat(t, ' ') == '8 3 2 1 9')\n"
        "assert(table.remove(t) == 9 and table.remove(t, 1) == 8 and table.remove({}) == nil)\n"
        "assert(table.concat(t, ',', 2, 3) == '2,1' and table.concat({}) == '')\n"
        "local s = { { k = 1, n = 'a' }, { k = 0, n = 'b' }, { k = 1, n = 'c' }, { k = 0, n = 'd' "
        "} }\n"
        "table.sort(s, function(a, b) return a.k < b.k end)\n"
        "assert(s[1].n .. s[2].n .. s[3].n .. s[4].n == 'bdac')\n"
        "assert(select('#', unpack({ 1, nil, 3 }, 1, 3)) == 3 and select(-1, 1, 2) == 2)\n"
        "assert(table.unpack({ 7 }) == 7)");
    expect_good(&f,
        "local out = {} for k in pairs({ b = 1, a = 2, [10] = 3, [-1] = 4, [true] = 5, [2.5] = 6 "
        "}) do\n"
        "out[#out + 1] = tostring(k) end\n"
        "assert(table.concat(out, ' ') == '-1 2.5 10 a b true')\n"
        "assert(tonumber('0x10') == 16 and tonumber('z', 36) == 35 and tonumber('1e2') == 100)\n"
        "assert(tonumber('x') == nil and tonumber({}) == nil and tonumber('12', 2) == nil)\n"
        "assert(tostring(1.5) == '1.5' and tostring(nil) == 'nil' and tostring({}) == 'table')\n"
        "local ok, e = pcall(error, 'x', 0) assert(ok == false and e == 'x')\n"
        "assert(select('#', pcall(function() return 1, 2 end)) == 3)\n"
        "assert(type(badge { name = 'x' }) == 'reward' and type(math) == 'table')\n"
        "assert(math.floor(-0.5) == -1 and math.max(1, 3, 2) == 3 and math.min(2, 1) == 1)\n"
        "assert(math.round(2.5) == 3 and math.round(-2.5) == -3 and math.round(1.005, 1) == 1)\n"
        "assert(math.fmod(7, 3) == 1 and math.pow(2, 10) == 1024 and math.huge > 1e308)\n"
        "assert(select(2, math.modf(3.25)) == 0.25)");
    expect_error(&f, "error('two', 1)", "r.lua:2: two");
    expect_error(&f, "return error('tail')", "r.lua:1: tail");
    expect_error(&f, "assert(nil, 'told')", "r.lua:1: told");
    expect_error(&f, "table.sort({ 1, 'x' })",
        "r.lua:2: table.sort: needs only numbers or only texts, or a function that compares");
    expect_error(&f, "table.insert({}, 5, 1)",
        "r.lua:2: table.insert: position must be a whole number from 1 to 1");
    close_fixture(&f);
}

/* The ways out of a call that have been thought of: all shut, so a view cannot go stale. */
static void no_view_outlives_its_call(void **state)
{
    (void)state;
    static const char *const keep[] = {"state.s = event.payload", "box.x = event.payload",
        "box[1][1] = player", "math.x = event", "string.x = event.payload.list",
        "event.payload.kept = event.payload", "player.agg.x = event",
        "state = event error('local')", "table.insert(box, event)",
        "table.insert(box[1], event.payload)", "box.f(event)"};
    struct fixture f;
    struct rwd_reward reward;
    open_fixture(&f);
    for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++) {
        char source[1024];
        (void)snprintf(source, sizeof source,
            "local box = { {} } box.f = function(v) box[1].v = v end return rule { id = 'r', "
            "version "
            "= '1.0.0', on = 'bet', state = { s = '' },\ngrant = function(event, player, state) %s "
            "end }",
            keep[i]);
        open_rule(&f, source);
        assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    }
    assert_int_equal(
        try_rule(&f, "local kept return rule { id = 'r', version = '1.0.0', on = 'bet', "
                     "grant = function(event) kept = event end }"),
        RWD_SCRIPT);
    assert_int_equal(try_rule(&f, "return rule { id = 'r', version = '1.0.0', on = 'bet', grant = "
                                  "function(event) kept = event end }"),
        RWD_SCRIPT);
    close_fixture(&f);
}

static void constants_of_the_chunk_can_be_read(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_reward reward;
    open_fixture(&f);
    open_rule(&f,
        "local RATES = { EUR = 2, list = { 5, 6, 7 } }\n"
        "local function rate(c) return RATES[c] or 0 end\n"
        "local total = 0\n"
        "for _, v in pairs(RATES.list) do total = total + v end\n"
        "return rule { id = 'r', version = '1.0.0', on = 'bet', grant = function(event)\n"
        "  assert(rate('EUR') == 2 and rate('X') == 0 and total == 18)\n"
        "  assert(#RATES.list == 3 and RATES.list[2] == 6 and type(RATES) == 'table')\n"
        "  local n = 0 for i, v in ipairs(RATES.list) do n = n + v end\n"
        "  for k, v in pairs(RATES) do n = n + 1 end assert(n == 20)\n"
        "  assert(table.concat(RATES.list, '') == '567' and select('#', unpack(RATES.list)) "
        "== 3)\n"
        "  local each = 0\n"
        "  local function add(x) each = each + x end\n"
        "  add(1) add(2) assert(each == 3)\n"
        "end }");
    for (int i = 0; i < 2; i++) {
        if (run_grant(&f, &reward) != RWD_NOT_FOUND) {
            fail_msg("%s", f.error.text);
        }
    }
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_issue_example_scores),
        cmocka_unit_test(functions_that_are_not_there_answer_the_neutral),
        cmocka_unit_test(a_score_is_a_number_of_points),
        cmocka_unit_test(the_event_is_read_at_any_depth),
        cmocka_unit_test(many_containers_in_one_call),
        cmocka_unit_test(the_player_is_read),
        cmocka_unit_test(state_is_kept_or_rolled_back),
        cmocka_unit_test(a_full_arena_is_a_limit),
        cmocka_unit_test(instructions_are_the_same_on_every_run),
        cmocka_unit_test(random_follows_the_seed),
        cmocka_unit_test(a_vm_comes_back_after_it_was_dropped),
        cmocka_unit_test(the_deadline_is_of_cpu_time),
        cmocka_unit_test(money_helpers_are_exact),
        cmocka_unit_test(rewards_are_checked_when_granted),
        cmocka_unit_test(texts),
        cmocka_unit_test(patterns),
        cmocka_unit_test(tables_and_basics),
        cmocka_unit_test(no_view_outlives_its_call),
        cmocka_unit_test(constants_of_the_chunk_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
