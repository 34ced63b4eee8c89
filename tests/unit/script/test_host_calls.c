/*
 * No call of a host function, and no single instruction, keeps the processor long, whatever it is
 * given: hooks, and with them every limit, come between them only.
 */
#include "support.h"

#include "script/vm.h"

#include <time.h>

/* Of this thread, so that what else runs does not count; a sanitizer makes all of it slower. */
static double cpu_ms(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* player.points("x") from a rule: when the call that is measured begins, and when it is over. */
struct watch {
    double begin_ms;
    double end_ms;
};

static uint64_t note_time(void *context, struct rwd_text name)
{
    struct watch *watch = context;
    *(rwd_text_is(name, "begin") ? &watch->begin_ms : &watch->end_ms) = cpu_ms();
    return 0;
}

/* 60,000 bytes for next to nothing: doubling a text is not charged for. */
#define LONG "local s = 'x' for i = 1, 15 do s = s .. s end s = s .. s:sub(1, 27232) "
/* 240,000, about the longest that a VM makes. */
#define LONGEST LONG "s = s .. s s = s .. s "

struct item {
    const char *name;
    const char *setup;
    const char *call;
};
static const struct item items[] = {
    {"rep of one byte", "", "local s = ('x'):rep(65536)"},
    {"rep with a separator", "", "local s = ('x'):rep(32768, 'y')"},
    {"upper", LONG, "s:upper()"},
    {"reverse", LONG, "s:reverse()"},
    {"plain find", LONG "local n = s:sub(1, 20000) .. 'y'", "s:find(n, 1, true)"},
    {"plain find, periodic", "local s, n = ('ab'):rep(32000), ('ab'):rep(15000) .. 'b'",
        "s:find(n, 1, true)"},
    {"find", "local s = ('x'):rep(256)", "pcall(s.find, s, 'x*x*y')"},
    {"find, sets", "local s = ('x'):rep(256)", "pcall(s.find, s, '[%w_]-[^y]-[yz]$')"},
    {"gmatch", "local s = ('x'):rep(256)",
        "pcall(function() for w in s:gmatch('x-x-y') do end end)"},
    {"gsub", "local s, r = ('x'):rep(256), ('y'):rep(256)", "s:gsub('x', r)"},
    {"gsub with captures", "local s, r = ('x'):rep(256), ('%1'):rep(128)", "s:gsub('(x)', r)"},
    {"gsub with a table", "local s, r = ('x'):rep(256), { x = ('y'):rep(255) }", "s:gsub('x', r)"},
    {"format of large numbers",
        "local t, f = {}, ('%99.99f'):rep(150) for i = 1, 150 do t[i] = 1e308 end",
        "f:format(unpack(t))"},
    {"format of small numbers",
        "local t, f = {}, ('%99.99e'):rep(250) for i = 1, 250 do t[i] = 4.9e-324 * i end",
        "f:format(unpack(t))"},
    {"format of a text", LONG, "local f = ('%s'):format(s)"},
    {"format of a quoted text", "local s = ('\\0'):rep(16000)", "local f = ('%q'):format(s)"},
    {"format of percents", "local f = ('%%'):rep(30000)", "f:format()"},
    {"format of blanks", "local t, f = {}, ('%99s'):rep(250) for i = 1, 250 do t[i] = '' end",
        "f:format(unpack(t))"},
    {"concat of many", "local t = {} for i = 1, 16000 do t[i] = '' end", "table.concat(t)"},
    {"concat of numbers", "local t = {} for i = 1, 1900 do t[i] = i + 0.123456789 end",
        "table.concat(t)"},
    {"concat of texts", "local t, s = {}, ('x'):rep(1000) for i = 1, 60 do t[i] = s end",
        "table.concat(t, 'y')"},
    {"unpack", "local t = {} for i = 1, 256 do t[i] = i end", "select('#', unpack(t))"},
    {"tonumber", "local s = ('1'):rep(64)", "tonumber(s)"},
    {"tonumber of a long text", LONG, "tonumber(s)"},
    {"pairs", "local t = {} for i = 1, 4000 do t[i * 7919 % 4001] = i end", "pairs(t)"},
    {"pairs of texts", "local t = {} for i = 1, 4000 do t['name' .. i * 7919 % 4001] = i end",
        "pairs(t)"},
    {"pairs of long texts that begin alike",
        LONG "local t = {} for i = 1, 200 do t[s .. i * 7919 % 211] = i end", "pairs(t)"},
    {"pairs of the longest texts",
        LONGEST "local t = {} for i = 1, 50 do t[s .. i * 7919 % 53] = i end", "pairs(t)"},
    {"a field that is not there", LONG, "pcall(function() return player[s] end)"},
    {"a reward's field that is not there", LONG "local f = { [s] = 1 }", "pcall(points, f)"},
    {"money", "local s = ('1'):rep(60000)", "pcall(money, s, 'EUR')"},
    {"an error with a long text", LONGEST, "pcall(error, s)"},
    {"assert", LONGEST, "pcall(assert, false, s)"},
    /* Instructions. */
    {"comparing texts", LONGEST "local a, b = s .. 'a', s .. 'b'", "local c = a < b"},
    {"joining texts", LONGEST, "local c = s .. 'a'"},
    {"a text that is a number", "local s = '1' for i = 1, 17 do s = s .. s end",
        "pcall(function() return s + 1 end)"},
    {"a text that is a fraction",
        "local s = '9' for i = 1, 17 do s = s .. s end s = '0.' .. s .. 'e99'",
        "pcall(function() return s + 1 end)"},
    {"a text that is a hexadecimal number",
        "local s = 'f' for i = 1, 17 do s = s .. s end s = '0x' .. s",
        "pcall(function() return s + 1 end)"},
};
enum { ITEM_COUNT = sizeof items / sizeof items[0], ROUND_COUNT = 5 };

/* Runs setup and call; how long the call took, or all behind its beginning where it was stopped:
 * the VM is then thrown away. */
static double run(
    struct fixture *f, const struct item *item, const char *call, uint32_t *used, bool *stopped)
{
    struct watch watch = {0};
    struct rwd_reward reward;
    char body[4096];
    (void)snprintf(body, sizeof body, "%s\nplayer.points('begin')\n%s\nplayer.points('end')",
        item->setup, call);
    open_grant(f, "", body);
    f->call.points_context = &watch;
    enum rwd_status status = run_grant(f, &reward);
    double end_ms = watch.end_ms > 0 ? watch.end_ms : cpu_ms();
    if (watch.begin_ms == 0 ||
        (status != RWD_NOT_FOUND && strstr(f->error.text, "stopped") == NULL)) {
        fail_msg("%s: %s", item->name, f->error.text);
    }
    *used = rwd_sandbox_instructions_used(f->sandbox);
    *stopped = status != RWD_NOT_FOUND;
    return end_ms - watch.begin_ms;
}

static double least_of(
    struct fixture *f, const struct item *item, const char *call, uint32_t *used, bool *stopped)
{
    double least = 1e9;
    for (int round = 0; round < ROUND_COUNT; round++) {
        double took = run(f, item, call, used, stopped);
        least = took < least ? took : least;
    }
    return least;
}

static void no_call_takes_long(void **state)
{
    (void)state;
    /* The most between two looks at the clock, and what may be called without one: thirty times
     * between two hooks. */
    double ms_max = 2;
    double free_ms_max = 0.3;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    ms_max *= 20;
    free_ms_max *= 20;
#endif
    struct fixture f;
    int wrong = 0;
    open_fixture(&f);
    f.call.points = note_time;
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        uint32_t used_before = 0;
        uint32_t used = 0;
        bool stopped = false;
        (void)run(&f, &items[i], "", &used_before, &stopped);
        double took = least_of(&f, &items[i], items[i].call, &used, &stopped);
        if (stopped) {
            took -= least_of(&f, &items[i], "while true do end", &used, &stopped);
        }
        uint32_t charged = stopped ? used : used - used_before;
        if (took > ms_max || (charged < RWD_VM_GRAIN && took > free_ms_max)) {
            print_error("%s: %.3f ms for %u units\n", items[i].name, took, charged);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
    close_fixture(&f);
}

/* Nor does a row of the longest instructions: the soft deadline ends it before the hard one comes.
 */
static void a_row_of_long_instructions_is_stopped(void **state)
{
    (void)state;
    static const char *const kinds[] = {
        "local s = '0x' .. t", /* made by the call */
        "local s = kept",      /* made by the file */
    };
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    char source[8192] = "";
    char row[4096] = "";
    struct fixture f;
    open_fixture(&f);
    for (size_t used = 0; used + sizeof "n = s + s " < 1500;) {
        used += (size_t)snprintf(row + used, sizeof row - used, "n = s + s ");
    }
    for (size_t kind = 0; kind < 2; kind++) {
        double least = 1e9;
        (void)snprintf(source, sizeof source,
            "local kept = ('f'):rep(62500) kept = '0x' .. kept .. kept .. kept .. kept\n"
            "return rule { id = 'r', version = '1.0.0', on = 'bet', score = function()\n"
            "local t, n = 'f', 0 for i = 1, 16 do t = t .. t end t = t .. t .. t\n%s\n%s return 1 "
            "end }",
            kinds[kind], row);
        for (int round = 0; round < ROUND_COUNT; round++) {
            uint64_t points = 0;
            assert_loads(try_rule(&f, source), f.error);
            assert_int_equal(rwd_sandbox_create(f.rule, &limits, &f.sandbox, &f.error), RWD_OK);
            double begin_ms = cpu_ms();
            assert_int_equal(rwd_sandbox_score(f.sandbox, &f.call, &points, &f.error), RWD_SCRIPT);
            double took = cpu_ms() - begin_ms;
            assert_non_null(strstr(f.error.text, "more than 5 ms"));
            least = took < least ? took : least;
        }
        assert_true(least < 15);
    }
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_call_takes_long),
        cmocka_unit_test(a_row_of_long_instructions_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
