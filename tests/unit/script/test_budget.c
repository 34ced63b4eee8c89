/*
 * The budget of a call: the same count and the same stopping place on every run and in every VM,
 * and the two deadlines.
 */
#include "support.h"

#include "script/ruleset.h"
#include "script/vm.h"

enum { VM_COUNT = 40 };

/* player.points("mark") from a rule: how far it got before it was stopped. */
struct marks {
    uint64_t count;
};

static uint64_t count_mark(void *context, struct rwd_text rule_id)
{
    struct marks *marks = context;
    (void)rule_id;
    marks->count++;
    return marks->count;
}

/* Every kind of work: calls, tables with and without a hash part, texts that are new and old,
 * sorting, patterns, errors caught, views, closures, and garbage enough for several collections. */
static const char mixed[] =
    "local t, names, total = {}, {}, 0\n"
    "for i = 1, 400 do\n"
    "  local name = 'k' .. i * 7919 % 401\n"
    "  t[name] = (t[name] or 0) + i\n"
    "  names[#names + 1] = name\n"
    "  if i % 9 == 0 then t[name] = nil end\n"
    "  if i % 50 == 0 then player.points('mark') end\n"
    "end\n"
    "table.sort(names, function(a, b) return a < b end)\n"
    "for k, v in pairs(t) do total = total + v * #k end\n"
    "for i = 1, 60 do pcall(function() error(names[i]) end) end\n"
    "for w in table.concat(names, ' ', 1, 40):gmatch('%w+') do total = total + #w end\n"
    "for i, v in ipairs(event.payload.list) do total = total + i * v end\n"
    "for k in pairs(event.payload) do total = total + #k end\n"
    /* Small ones: by chance their hash order is sorted in some VMs. */
    "for k, v in pairs({ a = 1, b = 2 }) do total = total + v end\n"
    "for k, v in pairs({ x = 1, y = 2, z = 3 }) do total = total + v end\n"
    "for i = 1, 300 do names[i] = { i, tostring(i), function() return i end } end\n"
    "total = total + math.random(1000)\n"
    "return points { count = total % 1000000 + 1 }";

/* The same endless work as a rule would do it by mistake. */
static const char *const endless[] = {
    "local n = 0\nwhile true do\nn = n + 1\nif n % 3 == 0 then\nplayer.points('mark')\nend\nend",
    "local function f(n)\nplayer.points('mark')\nlocal ok = pcall(f, n + 1)\nreturn f(n + 1)\nend\n"
    "f(1)",
    "local t = {}\nwhile true do\nt[#t + 1] = 'x' .. #t\nplayer.points('mark')\ntable.sort(t)\nend",
    "while true do\nfor k in pairs(event.payload) do\nplayer.points('mark')\nlocal s = "
    "k:rep(20)\nend\nend",
    "local s = ''\nwhile true do\ns = ('%d'):format(#s):rep(50)\nplayer.points('mark')\n"
    "pcall(string.rep, s, -1)\nend",
};

static void a_count_is_the_same_in_every_vm(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_reward reward;
    struct marks marks;
    uint32_t first_used = 0;
    uint32_t first_count = 0;
    open_fixture(&f);
    f.call.points = count_mark;
    f.call.points_context = &marks;
    for (int vm = 0; vm < VM_COUNT; vm++) {
        open_grant(&f, "", mixed);
        for (int round = 0; round < 3; round++) {
            marks.count = 0;
            if (run_grant(&f, &reward) != RWD_OK) {
                fail_msg("%s", f.error.text);
            }
            uint32_t used = rwd_sandbox_instructions_used(f.sandbox);
            assert_true(used > 5000);
            assert_int_equal(marks.count, 8);
            if (first_used == 0) {
                first_used = used;
                first_count = reward.count;
            }
            assert_int_equal(used, first_used);
            assert_int_equal(reward.count, first_count);
        }
    }
    close_fixture(&f);
}

static void a_call_is_stopped_at_the_same_place(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_reward reward;
    struct marks marks;
    open_fixture(&f);
    f.call.points = count_mark;
    f.call.points_context = &marks;
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        struct rwd_error first_error = {{0}};
        uint64_t first_marks = 0;
        uint32_t first_used = 0;
        for (int vm = 0; vm < VM_COUNT; vm++) {
            open_grant(&f, "", endless[i]);
            for (int round = 0; round < 2; round++) {
                marks.count = 0;
                assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
                uint32_t used = rwd_sandbox_instructions_used(f.sandbox);
                if (first_used == 0) {
                    first_used = used;
                    first_marks = marks.count;
                    first_error = f.error;
                    assert_non_null(strstr(f.error.text, "stopped: "));
                    assert_true(marks.count > 10);
                }
                assert_int_equal(used, first_used);
                assert_int_equal(marks.count, first_marks);
                assert_string_equal(f.error.text, first_error.text);
            }
        }
    }
    close_fixture(&f);
}

/* What a call may use is what the limit says, to the hook's grain: one more or one less round of
 * the loop decides. */
static void the_limit_is_the_limit(void **state)
{
    (void)state;
    enum { GRAIN = 100 };
    struct fixture f;
    struct rwd_reward reward;
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    limits.deadline_ms = 1000;
    open_fixture(&f);
    open_grant(&f, "", "local n = 0 for i = 1, 20000 do n = n + i end");
    assert_int_equal(run_grant(&f, &reward), RWD_NOT_FOUND);
    uint32_t used = rwd_sandbox_instructions_used(f.sandbox);
    assert_true(used > GRAIN);
    for (int less = 0; less < 2; less++) {
        limits.instruction_count_max = less ? used - GRAIN : used;
        rwd_sandbox_destroy(f.sandbox);
        f.sandbox = NULL;
        assert_int_equal(rwd_sandbox_create(f.rule, &limits, &f.sandbox, &f.error), RWD_OK);
        assert_int_equal(run_grant(&f, &reward), less ? RWD_SCRIPT : RWD_NOT_FOUND);
    }
    close_fixture(&f);
}

/* The keys of one table, as the hash has them and as pairs gives them. */
struct orders {
    char raw[512];
    char sorted[512];
};

static int read_orders(lua_State *L)
{
    struct orders *orders = lua_touserdata(L, 1);
    char *out = orders->raw;
    lua_newtable(L);
    int table = lua_gettop(L);
    for (int i = 0; i < 20; i++) {
        lua_pushfstring(L, "key%d", i * 7 % 20);
        lua_pushboolean(L, 1);
        lua_rawset(L, table);
    }
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        out += snprintf(out, 16, "%s ", lua_tostring(L, -2));
        lua_pop(L, 1);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_ENVIRONMENT);
    lua_getfield(L, -1, "pairs");
    lua_pushvalue(L, table);
    lua_call(L, 1, 1);
    out = orders->sorted;
    for (;;) {
        lua_pushvalue(L, -1);
        lua_call(L, 0, 1);
        if (lua_isnil(L, -1)) {
            return 0;
        }
        out += snprintf(out, 16, "%s ", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
}

/* Each VM draws a seed of its own for its hashes, and pairs does not let on. */
static void pairs_has_one_order_whatever_the_seed(void **state)
{
    (void)state;
    const struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    struct orders first;
    int raw_differs = 0;
    for (int i = 0; i < VM_COUNT; i++) {
        struct orders orders = {{0}, {0}};
        struct rwd_vm *vm = NULL;
        struct rwd_error error;
        assert_int_equal(rwd_vm_create(&limits, "r.lua", &vm, &error), RWD_OK);
        assert_int_equal(rwd_vm_run(vm, read_orders, &orders, false, &error), RWD_OK);
        rwd_vm_destroy(vm);
        if (i == 0) {
            first = orders;
        }
        raw_differs += strcmp(orders.raw, first.raw) != 0;
        assert_string_equal(orders.sorted, first.sorted);
    }
    assert_true(raw_differs > 0);
}

static void run_endless(struct fixture *f, uint32_t soft_ms, uint32_t hard_ms)
{
    struct rwd_reward reward;
    const struct rwd_sandbox_limits limits = {.instruction_count_max = UINT32_MAX,
        .memory_size_max = 16 << 20,
        .deadline_ms = soft_ms,
        .deadline_hard_ms = hard_ms};
    open_grant(f, "", "while true do end");
    rwd_sandbox_destroy(f->sandbox);
    f->sandbox = NULL;
    assert_int_equal(rwd_sandbox_create(f->rule, &limits, &f->sandbox, &f->error), RWD_OK);
    assert_int_equal(run_grant(f, &reward), RWD_SCRIPT);
}

static void a_loop_meets_the_soft_deadline(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    run_endless(&f, 5, 20);
    assert_string_equal(f.error.text, "r.lua:2: stopped: more than 5 ms in one call");
    assert_false(rwd_sandbox_stopped_hard(f.sandbox));
    run_endless(&f, 2, 2);
    assert_string_equal(
        f.error.text, "r.lua:2: stopped: more than 2 ms in one call, the hard limit");
    assert_true(rwd_sandbox_stopped_hard(f.sandbox));
    close_fixture(&f);
}

static void one_hard_stop_suspends(void **state)
{
    (void)state;
    struct rwd_ruleset_limits limits = rwd_ruleset_limits_default();
    struct fixture f;
    struct rwd_ruleset *set = NULL;
    struct rwd_error error;
    uint64_t points = 0;
    limits.sandbox.instruction_count_max = UINT32_MAX;
    limits.sandbox.deadline_ms = 2;
    limits.sandbox.deadline_hard_ms = 2;
    open_fixture(&f);
    assert_int_equal(try_rule(&f, "return rule { id = 'r', version = '1.0.0', on = 'bet', score = "
                                  "function(event) while event.payload.bet > 0.1 do end return 1 "
                                  "end }"),
        RWD_OK);
    struct rwd_shared_rule *shared = rwd_shared_rule_create(&f.rule);
    struct rwd_rulebook *book = rwd_rulebook_create(1, &shared, 1);
    assert_int_equal(rwd_ruleset_create(book, &limits, NULL, &set, &error), RWD_OK);
    assert_int_equal(
        rwd_sandbox_score(rwd_ruleset_sandbox(set, 0), &f.call, &points, &f.error), RWD_SCRIPT);
    assert_true(rwd_ruleset_note(set, 0, true));
    assert_true(rwd_ruleset_suspended(set, 0));
    /* Resumed, it begins anew: the stop of long ago does not count again. */
    rwd_ruleset_resume(set, 0);
    set_event(&f, "{\"event_id\":\"e\",\"event_name\":\"bet\",\"version\":\"1.0.0\",\"ts\":"
                  "\"2025-11-10T11:37:21Z\",\"user\":{\"id\":\"u\"},\"payload\":{\"bet\":0.1}}");
    assert_int_equal(
        rwd_sandbox_score(rwd_ruleset_sandbox(set, 0), &f.call, &points, &f.error), RWD_OK);
    assert_int_equal(points, 1);
    assert_false(rwd_ruleset_note(set, 0, false));
    assert_false(rwd_ruleset_note(set, 0, true));
    rwd_ruleset_destroy(set);
    rwd_rulebook_release(book);
    rwd_shared_rule_release(shared);
    close_fixture(&f);
}

#if defined(RWD_FAULTS)
/* C that comes back too late comes back for nothing. */
static void a_late_answer_is_dropped(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_reward reward;
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    limits.deadline_hard_ms = 8;
    open_fixture(&f);
    open_grant(&f, "state = { n = 0 },",
        "state.n = 1 local x = 0 for i = 1, 1000 do x = x + i end return badge { name = 'late' }");
    rwd_sandbox_destroy(f.sandbox);
    f.sandbox = NULL;
    assert_int_equal(rwd_sandbox_create(f.rule, &limits, &f.sandbox, &f.error), RWD_OK);
    /* The first call of this process stalls: see main. */
    assert_int_equal(run_grant(&f, &reward), RWD_SCRIPT);
    assert_string_equal(f.error.text, "r.lua: stopped: more than 8 ms in one call, the hard limit");
    assert_true(rwd_sandbox_stopped_hard(f.sandbox));
    assert_true(f.state[0].number == 0);
    assert_int_equal(run_grant(&f, &reward), RWD_OK);
    assert_false(rwd_sandbox_stopped_hard(f.sandbox));
    assert_true(f.state[0].number == 1);
    close_fixture(&f);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(RWD_FAULTS)
        cmocka_unit_test(a_late_answer_is_dropped),
#endif
        cmocka_unit_test(a_count_is_the_same_in_every_vm),
        cmocka_unit_test(a_call_is_stopped_at_the_same_place),
        cmocka_unit_test(the_limit_is_the_limit),
        cmocka_unit_test(pairs_has_one_order_whatever_the_seed),
        cmocka_unit_test(a_loop_meets_the_soft_deadline),
        cmocka_unit_test(one_hard_stop_suspends),
    };
    (void)setenv("REWARDD_FAULT", "script.stall:error:1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
