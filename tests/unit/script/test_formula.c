/* Formulas: what a rule takes and keeps of them, what they may, and their own tests. */
#include "script/formula.h"
#include "support.h"

#include "script/vm.h"

#define RULE "return rule { id = 'r', version = '1.0.0', on = 'bet',\n"
#define MULTIPLE                                                                                   \
    "return formula { id = 'multiple', version = '1.0.0', title = 'Win by stake', owner = 'o',\n"  \
    "compute = function(win, bet)\n"                                                               \
    "if bet == 0 then error('no stake') end\n"                                                     \
    "return win / bet end }"

/* A shelf of two: any source may stand there for multiple@1.0.0. */
static enum rwd_status find(void *context, struct rwd_text id, struct rwd_text version,
    struct rwd_text *source, struct rwd_error *error)
{
    if (!rwd_text_is(id, "multiple")) {
        return rwd_formula_unknown(id, version, (struct rwd_text){0}, error);
    }
    if (!rwd_text_is(version, "1.0.0")) {
        return rwd_formula_unknown(id, version, RWD_TEXT("1.0.0, 1.1.0"), error);
    }
    *source = text_of(context);
    return RWD_OK;
}

static enum rwd_status try_with(struct fixture *f, const char *formula, const char *source)
{
    const struct rwd_formula_shelf shelf = {.find = find, .context = (void *)formula};
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    limits.deadline_ms = 1000;
    close_rule(f);
    f->error.text[0] = '\0';
    return rwd_rule_load_with(text_of(source), "r.lua", &shelf, &limits, &f->rule, &f->error);
}

static void open_with(struct fixture *f, const char *formula, const char *source)
{
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    limits.deadline_ms = 1000;
    assert_loads(try_with(f, formula, source), f->error);
    assert_int_equal(rwd_sandbox_create(f->rule, &limits, &f->sandbox, &f->error), RWD_OK);
}

static uint64_t score(struct fixture *f)
{
    uint64_t points = 0;
    enum rwd_status status = rwd_sandbox_score(f->sandbox, &f->call, &points, &f->error);
    return status == RWD_OK ? points : UINT64_MAX;
}

static void a_rule_calls_what_it_takes(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    open_with(&f, MULTIPLE,
        "local multiple = formula \"multiple@1.0.0\"\n" RULE "score = function(event)\n"
        "return 4 * multiple(event.payload.win, event.payload.bet) end }");
    assert_int_equal(score(&f), 10);
    assert_int_equal(f.rule->formula_count, 1);
    assert_string_equal(f.rule->formulas[0].id, "formulas/multiple");
    assert_string_equal(f.rule->formulas[0].version, "1.0.0");
    assert_int_equal(f.rule->formulas[0].source_size, strlen(MULTIPLE));
    close_fixture(&f);
}

/* The rule holds the bytes it was loaded with: what becomes of the shelf is nothing to it. */
static void new_vms_are_made_of_the_same_bytes(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    char *formula = strdup(MULTIPLE);
    open_with(&f, formula,
        "local m = formula 'multiple@1.0.0'\n" RULE
        "score = function(event) return m(event.payload.win, 0) end }");
    memset(formula, ' ', strlen(formula));
    free(formula);
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(score(&f), UINT64_MAX);
        assert_non_null(strstr(f.error.text, "formulas/multiple/1.0.0.lua:3: no stake"));
        rwd_sandbox_destroy(f.sandbox);
        assert_int_equal(rwd_sandbox_create(f.rule, &limits, &f.sandbox, &f.error), RWD_OK);
    }
    close_fixture(&f);
}

static void taken_twice_is_taken_once(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    open_with(&f, MULTIPLE,
        "local a, b = formula 'multiple@1.0.0', formula 'multiple@1.0.0'\n" RULE
        "score = function() return a == b and a(6, 2) or 0 end }");
    assert_int_equal(score(&f), 3);
    assert_int_equal(f.rule->formula_count, 1);
    close_fixture(&f);
}

/* What a formula does is the rule's work: the same count as if it stood in the rule. */
static void it_counts_in_the_rules_call(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    open_with(&f,
        "return formula { id = 'multiple', version = '1.0.0',\n"
        "compute = function(n) local s = 0 for i = 1, n do s = s + i end return s end }",
        "local m = formula 'multiple@1.0.0'\n" RULE "score = function() return m(10000) end }");
    assert_int_equal(score(&f), 50005000);
    uint32_t used = rwd_sandbox_instructions_used(f.sandbox);
    assert_true(used > 10000 && used < 100000);
    close_fixture(&f);
}

struct mistake {
    const char *formula;
    const char *head;
    const char *says;
};

static void mistakes_are_told(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {MULTIPLE, "local m = formula 'multiple@2.0.0'",
            "r.lua:1: there is no formula multiple@2.0.0; of multiple there are 1.0.0, 1.1.0"},
        {MULTIPLE, "\nlocal m = formula 'multipel@1.0.0'",
            "r.lua:2: there is no formula 'multipel'; it belongs in "
            "formulas/multipel/1.0.0.lua"},
        {MULTIPLE, "local m = formula 'multiple'", "r.lua:1: a formula is named with its exact"},
        {MULTIPLE, "local m = formula 'multiple@1'", "with its exact version, like formula"},
        {MULTIPLE, "local m = formula '../up@1.0.0'", "with its exact version"},
        {MULTIPLE, "local m = formula(1)", "formula must be a text"},
        {MULTIPLE, "local m = formula { id = 'x' }", "a file of its own, formulas/<id>"},
        {MULTIPLE, "local function f() return formula 'multiple@1.0.0' end local m = f()",
            "r.lua:1: formula \"id@version\" belongs at the top of the file"},
        {"return formula { id = 'multiple', version = '1.0.1', compute = function() end }",
            "local m = formula 'multiple@1.0.0'",
            "r.lua:1: multiple@1.0.0: formulas/multiple/1.0.0.lua:1: id: declares multiple@1.0.1 "
            "in the place of multiple@1.0.0"},
        {"return formula { id = 'multiple', version = '1.0.0' }",
            "local m = formula 'multiple@1.0.0'", "compute: is missing"},
        {"return formula { id = 'multiple', version = '1.0.0', compute = 4 }",
            "local m = formula 'multiple@1.0.0'", "compute: must be a function, not a number"},
        {"return formula { id = 'multiple', version = '1.0.0', compute = math.floor }",
            "local m = formula 'multiple@1.0.0'", "must be a function written in this file"},
        {"return formula { id = 'multiple', version = '1.0.0', compuet = 4 }",
            "local m = formula 'multiple@1.0.0'", "did you mean 'compute'?"},
        {"return 4", "local m = formula 'multiple@1.0.0'",
            "the file must end with return formula { ... }"},
        {"return formula {", "local m = formula 'multiple@1.0.0'",
            "r.lua:1: multiple@1.0.0: formulas/multiple/1.0.0.lua:1: "},
    };
    struct fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        char source[1024];
        (void)snprintf(source, sizeof source, "%s\n" RULE "score = function() return 1 end }",
            mistakes[i].head);
        assert_int_equal(try_with(&f, mistakes[i].formula, source), RWD_SCRIPT);
        if (strstr(f.error.text, mistakes[i].says) == NULL) {
            fail_msg("%zu: '%s' does not say '%s'", i, f.error.text, mistakes[i].says);
        }
    }
    close_fixture(&f);
}

enum { ROOM_SIZE = 40000 };

/* A shelf on which every version stands; id "large" is a large file. context: room for it. */
static enum rwd_status find_any(void *context, struct rwd_text id, struct rwd_text version,
    struct rwd_text *source, struct rwd_error *error)
{
    (void)error;
    (void)snprintf(context, ROOM_SIZE,
        "return formula { id = '%.*s', version = '%.*s', compute = function() return 1 end } --%*s",
        RWD_TEXT_ARGS(id), RWD_TEXT_ARGS(version), rwd_text_is(id, "large") ? 30000 : 1, "");
    *source = text_of(context);
    return RWD_OK;
}

static void eight_are_enough(void **state)
{
    (void)state;
    struct fixture f;
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    static char room[ROOM_SIZE];
    const struct rwd_formula_shelf shelf = {.find = find_any, .context = room};
    open_fixture(&f);
    for (int count = 8; count <= 9; count++) {
        char source[1024] = "";
        size_t size = 0;
        for (int i = 0; i < count; i++) {
            size += (size_t)snprintf(
                source + size, sizeof source - size, "local f%d = formula 'f@1.0.%d'\n", i, i);
        }
        (void)snprintf(
            source + size, sizeof source - size, RULE "score = function() return 1 end }");
        enum rwd_status status =
            rwd_rule_load_with(text_of(source), "r.lua", &shelf, &limits, &f.rule, &f.error);
        assert_int_equal(status, count == 8 ? RWD_OK : RWD_SCRIPT);
        if (status == RWD_OK) {
            assert_int_equal(f.rule->formula_count, 8);
            close_rule(&f);
        }
    }
    assert_non_null(strstr(f.error.text, "r.lua:9: a rule takes at most 8 formulas"));
    assert_int_equal(
        rwd_rule_load_with(
            text_of("local a = formula 'large@1.0.0'\nlocal b = formula 'large@1.0.1'\n"
                    "local c = formula 'large@1.0.2'\n"),
            "r.lua", &shelf, &limits, &f.rule, &f.error),
        RWD_SCRIPT);
    assert_non_null(strstr(f.error.text, "r.lua:3: a rule's formulas have at most 65536 bytes"));
    close_fixture(&f);
}

/* The formula's names are its own, and so are the rule's: it pays, so it needs a budget. */
static void a_formula_hides_no_reward(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    assert_int_equal(try_with(&f, MULTIPLE,
                         "local give = { freespins } local m = formula 'multiple@1.0.0'\n" RULE
                         "grant = function() return give[1] { count = m(4, 2), game = 'g' } end }"),
        RWD_SCRIPT);
    assert_non_null(strstr(f.error.text, "must name guards.budget"));
    close_fixture(&f);
}

static void the_file_alone_is_read(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    assert_loads(try_rule(&f, MULTIPLE), f.error);
    assert_string_equal(f.rule->id, "formulas/multiple");
    assert_string_equal(f.rule->version, "1.0.0");
    assert_string_equal(f.rule->title, "Win by stake");
    assert_int_equal(f.rule->on_count, 0);
    assert_int_equal(rwd_rule_kind_of(text_of(f.rule->id)), RWD_KIND_FORMULA);
    assert_int_equal(try_rule(&f, "local n = 0\nreturn formula { id = 'a', version = '1.0.0',\n"
                                  "compute = function() n = n + 1\nreturn n end }"),
        RWD_SCRIPT);
    assert_non_null(strstr(f.error.text, "r.lua:3: 'n' is assigned in a function"));
    close_fixture(&f);
}

/* ---- its tests ---- */

struct told {
    size_t passed;
    size_t failed;
    char what[2048];
};

static void tell(void *context, const char *name, bool passed, const char *what)
{
    struct told *told = context;
    told->passed += passed;
    told->failed += !passed;
    (void)snprintf(told->what + strlen(told->what), sizeof told->what - strlen(told->what),
        "%s%s\n", what, passed ? name : "");
}

static enum rwd_status try_tests(struct fixture *f, const char *tests, struct told *told)
{
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    *told = (struct told){0};
    return rwd_formula_test(f->rule, tests != NULL ? text_of(tests) : (struct rwd_text){0}, "t.lua",
        &limits, tell, told, &f->error);
}

static void its_tests_are_run(void **state)
{
    (void)state;
    struct fixture f;
    struct told told;
    open_fixture(&f);
    assert_loads(try_rule(&f, MULTIPLE), f.error);
    assert_loads(try_tests(&f,
                     "return tests {\n"
                     "{ name = 'a', args = { 4, 2 }, expect = 2 },\n"
                     "{ name = 'b', args = { 0.3, 1 }, expect = 0.1 + 0.2 },\n"
                     "{ name = 'c', args = { 1, 0 }, error = 'no stake' },\n"
                     "{ name = 'd', args = { 1, 3 }, expect = 0.3333 },\n"
                     "{ name = 'e', args = { 1, 0 }, expect = 1 },\n"
                     "{ name = 'f', args = { 1, 2 }, error = 'no stake' },\n"
                     "{ name = 'g', args = { 1, 2 }, expect = '0.5' },\n"
                     "}",
                     &told),
        f.error);
    assert_int_equal(told.passed, 3);
    assert_int_equal(told.failed, 4);
    assert_non_null(
        strstr(told.what, "t.lua:5: d: returned 0.3333333333333333, expected 0.3333\n"));
    assert_non_null(strstr(told.what, "t.lua:6: e: r.lua:3: no stake\n"));
    assert_non_null(strstr(told.what, "t.lua:7: f: returned 0.5, expected the error 'no stake'\n"));
    assert_non_null(strstr(told.what, "t.lua:8: g: returned 0.5, expected \"0.5\"\n"));
    close_fixture(&f);
}

static void tables_and_ends_are_outcomes_too(void **state)
{
    (void)state;
    struct fixture f;
    struct told told;
    open_fixture(&f);
    assert_loads(try_rule(&f, "local TIERS = { gold = 3 }\n"
                              "return formula { id = 'a', version = '1.0.0',\n"
                              "compute = function(what, x)\n"
                              "if what == 'tiers' then return TIERS end\n"
                              "if what == 'loop' then while true do end end\n"
                              "if what == 'nan' then return 0 / 0 end\n"
                              "if what == 'random' then return math.random end\n"
                              "return { x, { x } } end }"),
        f.error);
    assert_loads(try_tests(&f,
                     "return tests {\n"
                     "{ name = 'a', args = { 'tiers' }, expect = { gold = 3 } },\n"
                     "{ name = 'b', args = { '', 1 }, expect = { 1, { 1 } } },\n"
                     "{ name = 'c', args = { 'loop' }, expect = 1 },\n"
                     "{ name = 'd', args = { 'nan' }, expect = 0 },\n"
                     "{ name = 'e', args = { '', 2 }, expect = { 2, { 2, 2 } } },\n"
                     "}",
                     &told),
        f.error);
    assert_int_equal(told.passed, 2);
    assert_non_null(strstr(told.what, "c: r.lua:5: stopped: more than 100000 instructions"));
    assert_non_null(strstr(told.what, "d: returned "));
    assert_non_null(strstr(told.what, "e: returned [2,[2]], expected [2,[2,2]]"));
    close_fixture(&f);
}

static void bad_tests_are_told(void **state)
{
    (void)state;
    static const char *const tests[][2] = {
        {"return 1", "t.lua:1: the file must end with return tests { ... }"},
        {"return tests { { name = 'a', args = 4, expect = 2 } }", "args: must be a list"},
        {"return tests { { name = 'a', args = {} } }", "takes one of expect = value and error"},
        {"return tests { { name = 'a', args = {}, expect = 1, error = 'x' } }", "takes one of"},
        {"return tests { { name = 'a', events = {}, expect = {} } }", "events"},
        {"return tests { { args = {}, expect = 1 } }", "name: is missing"},
    };
    struct fixture f;
    struct told told;
    open_fixture(&f);
    assert_loads(try_rule(&f, MULTIPLE), f.error);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        assert_int_equal(try_tests(&f, tests[i][0], &told), RWD_SCRIPT);
        if (strstr(f.error.text, tests[i][1]) == NULL) {
            fail_msg("%zu: '%s' does not say '%s'", i, f.error.text, tests[i][1]);
        }
    }
    close_fixture(&f);
}

/* # of a list with holes: where it ends follows from where the keys lie. */
static void what_differs_from_vm_to_vm_is_found(void **state)
{
    (void)state;
    static const char holes[] =
        "return formula { id = 'a', version = '1.0.0', compute = function(n)\n"
        "if n == 77 then\n"
        "  local sum = 0\n"
        "  for round = 1, 40 do\n"
        "    local t = {}\n"
        "    for i = 1, 11 do\n"
        "      t[round .. 'k' .. i] = i\n"
        "      if i % 2 == 0 then t[round .. 'k' .. (i - 1)] = nil end\n"
        "      if i % 3 ~= 0 then t[i] = i end\n"
        "    end\n"
        "    sum = sum * 3 % 1000003 + #t\n"
        "  end\n"
        "  return sum\n"
        "end return 1 end }";
    struct fixture f;
    struct told told;
    open_fixture(&f);
    assert_loads(try_rule(&f, holes), f.error);
    assert_loads(try_tests(&f, NULL, &told), f.error);
    assert_int_equal(told.passed + told.failed, 0);
    assert_int_equal(
        try_tests(&f, "return tests { { name = 'a', args = { 77 }, expect = 1 } }", &told),
        RWD_SCRIPT);
    assert_non_null(strstr(f.error.text, "r.lua: the same arguments get different answers"));
    close_fixture(&f);
}

/* Coverage is the formula's own lines, not its tests'. */
static void coverage_is_of_the_formula(void **state)
{
    (void)state;
    struct fixture f;
    struct told told;
    struct rwd_coverage *coverage = calloc(1, sizeof *coverage);
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    open_fixture(&f);
    assert_loads(try_rule(&f, MULTIPLE), f.error);
    limits.coverage = coverage;
    told = (struct told){0};
    assert_int_equal(rwd_formula_test(f.rule,
                         text_of("\n\n\n\n\n\n\nlocal x = 1\nreturn tests {\n"
                                 "{ name = 'a', args = { 4, x }, expect = 4 } }"),
                         "t.lua", &limits, tell, &told, &f.error),
        RWD_OK);
    assert_int_equal(told.passed, 1);
    assert_int_equal(coverage->lines[4], RWD_COVERAGE_CODE | RWD_COVERAGE_RAN);
    for (int line = 5; line < 20; line++) {
        assert_int_equal(coverage->lines[line], 0);
    }
    free(coverage);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_calls_what_it_takes),
        cmocka_unit_test(new_vms_are_made_of_the_same_bytes),
        cmocka_unit_test(taken_twice_is_taken_once),
        cmocka_unit_test(it_counts_in_the_rules_call),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(eight_are_enough),
        cmocka_unit_test(a_formula_hides_no_reward),
        cmocka_unit_test(the_file_alone_is_read),
        cmocka_unit_test(its_tests_are_run),
        cmocka_unit_test(tables_and_ends_are_outcomes_too),
        cmocka_unit_test(bad_tests_are_told),
        cmocka_unit_test(what_differs_from_vm_to_vm_is_found),
        cmocka_unit_test(coverage_is_of_the_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
