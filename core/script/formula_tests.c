/*
 * Runs a formula's tests: the formula's file and then the tests' in one VM, so that arguments and
 * results stay the Lua values they are.
 */
#include "base/memory.h"
#include "script/dsl.h"
#include "script/formula.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Only exact limits: time is no part of what is compared. */
enum { RUN_COUNT = 4, OUTCOME_SIZE_MAX = 300, DEADLINE_MS = 1000 };

/* Numbers this near, as a part of the larger, are the same: 0.1 + 0.2 is 0.3. */
#define NEAR 1e-9

/* What a formula without tests is asked: whether it answers the same, not what. */
static const char samples[] = "return tests { { name = '-', args = {}, expect = 0 }, { name = '-', "
                              "args = { 1.5 }, expect = 0 "
                              "},"
                              " { name = '-', args = { 250, 4 }, expect = 0 }, { name = '-', args "
                              "= { 0, 7, 3 }, expect = 0 },"
                              " { name = '-', args = { { 3, 1, 2 }, 2 }, expect = 0 } }";

/* One run over all cases; each has a VM of its own. */
struct trial {
    const struct rwd_rule *formula;
    struct rwd_text test;
    const char *test_name;
    struct rwd_sandbox_limits limits;
    struct rwd_rule_tests *tests; /* names and lines */
    size_t index;
    bool as_expected;
    char outcome[OUTCOME_SIZE_MAX];
};

/* ---- a case, inside the VM ---- */

static bool is_near(double a, double b)
{
    return a == b || fabs(a - b) <= NEAR * fmax(fabs(a), fabs(b));
}

/* In words; what is no data is told by its type. */
static void put_value(lua_State *L, int index, struct rwd_buffer *out)
{
    int type = lua_type(L, index);
    bool is_data = type == LUA_TSTRING || type == LUA_TBOOLEAN || type == LUA_TNIL ||
                   (type == LUA_TNUMBER && isfinite(lua_tonumber(L, index)));
    const struct rwd_object *object = rwd_vm_object(L, index);
    if (type == LUA_TTABLE || (object != NULL && object->kind == RWD_OBJECT_READ_ONLY)) {
        rwd_vm_push_table(L, index, NULL);
        rwd_dsl_put_json(L, lua_gettop(L), out);
        lua_pop(L, 1);
    } else if (is_data) {
        rwd_dsl_put_json(L, index, out);
    } else if (type == LUA_TNUMBER) {
        rwd_buffer_put_format(out, "%g", lua_tonumber(L, index));
    } else {
        rwd_buffer_put_format(out, "a %s", rwd_vm_type_name(L, index));
    }
}

/* result, expect and error stand on the stack in this order. The VM's scratch holds the words. */
static void compare(lua_State *L, struct trial *trial, int result)
{
    struct rwd_buffer *scratch = &rwd_vm_of(L)->scratch;
    int expect = result + 1;
    scratch->size = 0;
    put_value(L, result, scratch);
    (void)snprintf(
        trial->outcome, sizeof trial->outcome, "returned %.120s", rwd_buffer_c_string(scratch));
    size_t size = strlen(trial->outcome);
    if (!lua_isnil(L, result + 2)) {
        (void)snprintf(trial->outcome + size, sizeof trial->outcome - size,
            ", expected the error '%.80s'", lua_tostring(L, result + 2));
        return;
    }
    size_t told = scratch->size;
    put_value(L, expect, scratch);
    struct rwd_text first = {.data = scratch->data, .size = told};
    struct rwd_text second = {.data = scratch->data + told, .size = scratch->size - told};
    bool numbers = lua_type(L, result) == LUA_TNUMBER && lua_type(L, expect) == LUA_TNUMBER;
    trial->as_expected =
        numbers ? is_near(lua_tonumber(L, result), lua_tonumber(L, expect))
                : lua_type(L, result) != LUA_TFUNCTION && rwd_text_equal(first, second);
    if (!trial->as_expected) {
        (void)snprintf(trial->outcome + size, sizeof trial->outcome - size, ", expected %.*s",
            (int)(second.size < 120 ? second.size : 120), second.data);
    }
}

static int run_case(lua_State *L)
{
    struct trial *trial = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_CASES);
    lua_rawgeti(L, -1, (int)trial->index + 1);
    int test = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_COMPUTE);
    lua_getfield(L, test, "args");
    int arguments = lua_gettop(L);
    int count = (int)lua_objlen(L, arguments);
    luaL_checkstack(L, count + 8, "args: too many");
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, arguments, i);
    }
    lua_remove(L, arguments);
    lua_call(L, count, 1);
    int result = lua_gettop(L);
    lua_getfield(L, test, "expect");
    lua_getfield(L, test, "error");
    compare(L, trial, result);
    return 0;
}

/* The words that an error is to have, as the case says; they end with the VM. */
static int read_error(lua_State *L)
{
    struct trial *trial = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_CASES);
    lua_rawgeti(L, -1, (int)trial->index + 1);
    lua_getfield(L, -1, "error");
    trial->as_expected = !lua_isnil(L, -1) && strstr(trial->outcome, lua_tostring(L, -1)) != NULL;
    return 0;
}

/* ---- a run, from outside ---- */

static enum rwd_status open_vm(struct trial *trial, struct rwd_vm **out, struct rwd_error *error)
{
    const struct rwd_rule *formula = trial->formula;
    struct rwd_vm *vm = NULL;
    struct rwd_dsl dsl = {.source = {.data = formula->source, .size = formula->source_size}};
    struct rwd_dsl cases = {.source = trial->test, .want_tests = true, .of_formula = true};
    enum rwd_status status = rwd_vm_create(&trial->limits, formula->source_name, &vm, error);
    if (status != RWD_OK) {
        return status;
    }
    status = rwd_dsl_run(vm, &dsl, error);
    if (status == RWD_OK) {
        rwd_rule_tests_destroy(trial->tests);
        trial->tests = rwd_new(sizeof *trial->tests);
        cases.tests = trial->tests;
        vm->name = trial->test_name;
        vm->limits.coverage = NULL;
        status = rwd_dsl_run(vm, &cases, error);
        vm->name = formula->source_name;
        vm->limits.coverage = trial->limits.coverage;
    }
    if (status != RWD_OK) {
        rwd_vm_destroy(vm);
        return status;
    }
    *out = vm;
    return RWD_OK;
}

/* An error is an outcome too. */
static void run_one(struct trial *trial, struct rwd_vm *vm, struct rwd_buffer *trace)
{
    struct rwd_error error;
    trial->as_expected = false;
    if (rwd_vm_run(vm, run_case, trial, true, &error) != RWD_OK) {
        (void)snprintf(
            trial->outcome, sizeof trial->outcome, "%.*s", OUTCOME_SIZE_MAX - 1, error.text);
        uint32_t used = vm->used;
        if (vm->stop == RWD_VM_RUNS) {
            (void)!rwd_vm_run(vm, read_error, trial, false, &error);
        }
        vm->used = used;
    }
    rwd_buffer_put_format(trace, "%s %u;", trial->outcome, vm->used);
}

static enum rwd_status run_all(struct trial *trial, struct rwd_buffer *trace,
    rwd_formula_case_told *told, void *context, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    for (trial->index = 0; status == RWD_OK; trial->index++) {
        struct rwd_vm *vm = NULL;
        status = open_vm(trial, &vm, error);
        if (status != RWD_OK || trial->index == trial->tests->case_count) {
            rwd_vm_destroy(vm);
            break;
        }
        run_one(trial, vm, trace);
        rwd_vm_destroy(vm);
        const struct rwd_rule_test_case *test = &trial->tests->cases[trial->index];
        char what[RWD_ERROR_TEXT_SIZE_MAX + OUTCOME_SIZE_MAX];
        (void)snprintf(what, sizeof what, "%s:%d: %s: %s", trial->test_name, test->line, test->name,
            trial->outcome);
        if (told != NULL) {
            told(context, test->name, trial->as_expected, trial->as_expected ? "" : what);
        }
    }
    return status;
}

enum rwd_status rwd_formula_test(const struct rwd_rule *formula, struct rwd_text test,
    const char *test_name, const struct rwd_sandbox_limits *limits, rwd_formula_case_told *told,
    void *context, struct rwd_error *error)
{
    struct trial trial = {
        .formula = formula, .test = test, .test_name = test_name, .limits = *limits};
    struct rwd_buffer first = {0};
    struct rwd_buffer again = {0};
    trial.limits.deadline_ms = DEADLINE_MS;
    trial.limits.deadline_hard_ms = DEADLINE_MS;
    if (test.data == NULL) {
        trial.test = (struct rwd_text){.data = samples, .size = sizeof samples - 1};
        trial.test_name = "samples";
        told = NULL;
    }
    enum rwd_status status = run_all(&trial, &first, told, context, error);
    for (int run = 2; status == RWD_OK && run <= RUN_COUNT; run++) {
        again.size = 0;
        status = run_all(&trial, &again, NULL, NULL, error);
        if (status == RWD_OK && !rwd_text_equal(rwd_buffer_text(&first), rwd_buffer_text(&again))) {
            status = rwd_fail(error, RWD_SCRIPT,
                "%s: the same arguments get different answers in different runs: something depends "
                "on how a table lies in memory. Look for # of a list with holes",
                formula->source_name);
        }
    }
    rwd_rule_tests_destroy(trial.tests);
    rwd_buffer_finish(&first);
    rwd_buffer_finish(&again);
    return status;
}
