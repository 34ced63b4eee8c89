/* rules bench: what a call of a rule costs. Reads files; no daemon is asked. */
#include "base/clock.h"
#include "base/memory.h"
#include "ctl/options.h"
#include "ctl/rule_commands.h"
#include "ctl/table.h"
#include "decide/aggregate.h"
#include "decide/rule_test.h"
#include "engine/formula_folder.h"
#include "engine/rule_folder.h"
#include "runtime/thread.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_SIZE_MAX = 1 << 20,
    CALL_COUNT_DEFAULT = 20000,
    CALL_COUNT_MAX = 10000000,
    ARENA_CHUNK = 64 << 10,
    ARENA_MAX = 64 << 20,
    KYC_LEVEL = 3,
    WARM_COUNT = 200,
};

static const char usage[] =
    "usage: rewardctl rules bench ID@VERSION|FILE [--calls N] [--rules DIR]\n"
    "\n"
    "Calls each function of a rule in the real sandbox, on the events of its own tests\n"
    "(<version>_test.lua) in turn, for a verified player without a past, and tells what a call\n"
    "costs: instructions of the budget (in steps of 100: 0 is fewer; the same on every run)\n"
    "and microseconds (of this machine, with some 0.05 for looking at the clock).\n"
    "\n"
    "  --calls N    of each function; default 20000\n"
    "  --rules DIR  where ID@VERSION is looked for; default rules.dir of engine.conf\n"
    "\n"
    "Exit code 0: measured; 1: it could not be, or a call failed; 2: not understood.\n";

/* What the functions are called with, one for each event of the tests. */
struct sample {
    struct rwd_event event;
    struct rwd_scalar aggregates[RWD_RULE_AGGREGATE_COUNT_MAX];
};

struct bench {
    const char *path;
    const char *rules_dir;
    struct rwd_sandbox_limits limits;
    size_t call_count;
    struct rwd_rule *rule;
    struct rwd_sandbox *sandbox;
    struct rwd_arena arena;
    struct rwd_profile profile;
    struct sample *samples;
    size_t sample_count;
    size_t sample_capacity;
    uint64_t *nanoseconds;
    uint64_t *instructions;
    uint64_t failed_count;
    struct rwd_error error;
    int code;
};

static int fail(struct bench *bench, const char *text)
{
    bench->code = rwd_ctl_fail(RWD_CTL_FAILED, "%s", text);
    return bench->code;
}

static uint64_t no_points(void *context, struct rwd_text rule_id)
{
    (void)context;
    (void)rule_id;
    return 0;
}

static void add_sample(struct bench *bench, const struct rwd_event *event)
{
    bench->samples = rwd_room_for(
        bench->samples, bench->sample_count, &bench->sample_capacity, sizeof bench->samples[0]);
    struct sample *sample = &bench->samples[bench->sample_count++];
    *sample = (struct sample){.event = *event};
    for (size_t i = 0; i < bench->rule->aggregate_count; i++) {
        struct rwd_aggregate_update update;
        bool has_update = false;
        rwd_aggregate_read(
            &bench->rule->aggregates[i], event, NULL, &update, &has_update, &sample->aggregates[i]);
    }
}

/* Events that the rule takes, from the tests beside it. */
static int load_samples(struct bench *bench)
{
    struct rwd_buffer path = {0};
    struct rwd_buffer source = {0};
    struct rwd_buffer report = {0};
    struct rwd_rule_tests *tests = NULL;
    rwd_buffer_put(&path, bench->path, strlen(bench->path) - strlen(".lua"));
    rwd_buffer_put_string(&path, "_test.lua");
    const char *name = rwd_buffer_c_string(&path);
    enum rwd_status status = rwd_rule_file_read(name, FILE_SIZE_MAX, &source, &bench->error);
    if (status == RWD_OK) {
        status = rwd_rule_tests_load(
            rwd_buffer_text(&source), name, &bench->limits, &tests, &bench->error);
    }
    for (size_t i = 0; status == RWD_OK && i < tests->case_count; i++) {
        for (size_t e = 0; e < tests->cases[i].event_count; e++) {
            struct rwd_event event;
            bool good = rwd_rule_test_event(
                bench->rule, &tests->cases[i], e, &bench->arena, &event, &report);
            for (size_t on = 0; good && on < bench->rule->on_count; on++) {
                if (rwd_text_is(event.name, bench->rule->on[on])) {
                    add_sample(bench, &event);
                }
            }
        }
    }
    if (status != RWD_OK) {
        (void)fail(bench, bench->error.text);
    } else if (report.size > 0) {
        (void)fail(bench, rwd_buffer_c_string(&report));
    } else if (bench->sample_count == 0) {
        (void)rwd_fail(&bench->error, RWD_NOT_FOUND,
            "%s has no event that the rule takes: there is nothing to call it with", name);
        (void)fail(bench, bench->error.text);
    }
    rwd_rule_tests_destroy(tests);
    rwd_buffer_finish(&path);
    rwd_buffer_finish(&source);
    rwd_buffer_finish(&report);
    return bench->code;
}

enum function { WHEN, SCORE, GRANT, FUNCTION_COUNT };

static enum rwd_status call_function(
    struct bench *bench, enum function function, struct rwd_sandbox_call *call)
{
    bool yes = false;
    uint64_t points = 0;
    struct rwd_reward reward;
    switch (function) {
    case WHEN:
        return rwd_sandbox_when(bench->sandbox, call, &yes, &bench->error);
    case SCORE:
        return rwd_sandbox_score(bench->sandbox, call, &points, &bench->error);
    default:
        return rwd_sandbox_grant(bench->sandbox, call, &yes, &reward, &bench->error);
    }
}

static void call_once(struct bench *bench, enum function function, size_t serial, size_t at)
{
    const struct sample *sample = &bench->samples[serial % bench->sample_count];
    const struct rwd_clock clock = rwd_clock_system();
    struct rwd_scalar state[RWD_RULE_STATE_COUNT_MAX];
    for (size_t i = 0; i < bench->rule->state_count; i++) {
        state[i] = bench->rule->states[i].initial;
    }
    struct rwd_arena_mark mark = rwd_arena_mark(&bench->arena);
    struct rwd_sandbox_call call = {.event = &sample->event,
        .profile = &bench->profile,
        .user_id = sample->event.user_id,
        .aggregates = sample->aggregates,
        .state = state,
        .points = no_points,
        .seed = serial,
        .arena = &bench->arena};
    int64_t begun_ns = rwd_clock_monotonic_ns(&clock);
    enum rwd_status status = call_function(bench, function, &call);
    bench->nanoseconds[at] = (uint64_t)(rwd_clock_monotonic_ns(&clock) - begun_ns);
    bench->instructions[at] = rwd_sandbox_instructions_used(bench->sandbox);
    bench->failed_count += status != RWD_OK;
    rwd_arena_rewind(&bench->arena, mark);
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static uint64_t quantile(const uint64_t *sorted, size_t count, size_t percent)
{
    size_t rank = (count * percent + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

static void put_number(struct rwd_ctl_table *table, int decimals, double value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.*f", decimals, value);
    rwd_ctl_table_put(table, rwd_text_of(text));
}

static void measure(struct bench *bench, enum function function, struct rwd_ctl_table *table)
{
    static const char *const names[] = {"when", "score", "grant"};
    for (size_t i = 0; i < WARM_COUNT; i++) {
        call_once(bench, function, i, 0);
    }
    bench->failed_count = 0;
    for (size_t i = 0; i < bench->call_count; i++) {
        call_once(bench, function, i, i);
    }
    size_t count = bench->call_count;
    qsort(bench->nanoseconds, count, sizeof bench->nanoseconds[0], compare_u64);
    qsort(bench->instructions, count, sizeof bench->instructions[0], compare_u64);
    rwd_ctl_table_put(table, rwd_text_of(names[function]));
    put_number(table, 0, (double)count);
    put_number(table, 0, (double)quantile(bench->instructions, count, 50));
    put_number(table, 0, (double)quantile(bench->instructions, count, 99));
    put_number(table, 0, (double)bench->limits.instruction_count_max);
    put_number(table, 2, (double)quantile(bench->nanoseconds, count, 50) / 1000);
    put_number(table, 2, (double)quantile(bench->nanoseconds, count, 99) / 1000);
    put_number(table, 0, (double)bench->failed_count);
    if (bench->failed_count > 0) {
        bench->code = RWD_CTL_FAILED;
    }
}

static void measure_all(struct bench *bench)
{
    static const char *const headings[] = {"FUNCTION", "CALLS", "INSTRUCTIONS P50", "P99",
        "ALLOWED", "MICROSECONDS P50", "P99", "FAILED"};
    const bool has[] = {bench->rule->has_when, bench->rule->has_score, bench->rule->has_grant};
    struct rwd_ctl_table *table =
        rwd_ctl_table_create(headings, sizeof headings / sizeof headings[0]);
    bench->nanoseconds = rwd_new(bench->call_count * sizeof bench->nanoseconds[0]);
    bench->instructions = rwd_new(bench->call_count * sizeof bench->instructions[0]);
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        if (has[i]) {
            measure(bench, (enum function)i, table);
        }
    }
    struct rwd_buffer text = {0};
    rwd_buffer_put_format(&text, "%s %s on %zu events of its tests\n", bench->rule->id,
        bench->rule->version, bench->sample_count);
    rwd_ctl_table_write(table, &text);
    (void)fwrite(text.data, 1, text.size, stdout);
    if (bench->code != RWD_CTL_OK) {
        (void)rwd_ctl_fail(RWD_CTL_FAILED, "calls failed, the last with: %s", bench->error.text);
    }
    rwd_buffer_finish(&text);
    rwd_ctl_table_destroy(table);
    rwd_free(bench->nanoseconds);
    rwd_free(bench->instructions);
}

/* On a thread with the stack that rule code needs. */
static void run(void *context)
{
    struct bench *bench = context;
    struct rwd_buffer source = {0};
    enum rwd_status status = rwd_rule_file_read(bench->path, FILE_SIZE_MAX, &source, &bench->error);
    if (status == RWD_OK) {
        status = rwd_rule_load_beside(rwd_buffer_text(&source), bench->path, bench->rules_dir,
            &bench->limits, &bench->rule, &bench->error);
    }
    if (status == RWD_OK && rwd_rule_kind_of(rwd_text_of(bench->rule->id)) != RWD_KIND_RULE) {
        status = rwd_fail(&bench->error, RWD_INVALID,
            "%s is no rule: what it costs is measured in the rules that name it", bench->path);
    }
    if (status == RWD_OK) {
        status = rwd_sandbox_create(bench->rule, &bench->limits, &bench->sandbox, &bench->error);
    }
    rwd_buffer_finish(&source);
    if (status != RWD_OK) {
        (void)fail(bench, bench->error.text);
        rwd_rule_destroy(bench->rule);
        return;
    }
    rwd_arena_init(&bench->arena, ARENA_CHUNK, ARENA_MAX);
    if (load_samples(bench) == RWD_CTL_OK) {
        measure_all(bench);
    }
    rwd_arena_finish(&bench->arena);
    rwd_free(bench->samples);
    rwd_sandbox_destroy(bench->sandbox);
    rwd_rule_destroy(bench->rule);
}

void rwd_ctl_rule_path(const char *rules_dir, const char *word, struct rwd_buffer *path)
{
    const char *at = strrchr(word, '@');
    if (at == NULL) {
        rwd_buffer_put_string(path, word);
    } else {
        rwd_buffer_put_format(path, "%s/%.*s/%s.lua", rules_dir, (int)(at - word), word, at + 1);
    }
}

int rwd_ctl_rules_bench(struct rwd_ctl *ctl, int argc, char **argv)
{
    struct rwd_ctl_option options[] = {{.name = "calls"}, {.name = "rules"}};
    struct rwd_ctl_line line = {.usage = usage,
        .options = options,
        .option_count = 2,
        .word_count_min = 1,
        .word_count_max = 1};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    uint64_t calls = CALL_COUNT_DEFAULT;
    if (options[0].value != NULL && (!rwd_text_to_u64(rwd_text_of(options[0].value), &calls) ||
                                        calls < 1 || calls > CALL_COUNT_MAX)) {
        return rwd_ctl_fail(
            RWD_CTL_USAGE, "--calls %s: from 1 to %d", options[0].value, CALL_COUNT_MAX);
    }
    struct rwd_buffer path = {0};
    const struct rwd_config *config = ctl->config;
    const char *rules_dir = options[1].value != NULL ? options[1].value : config->rules_dir;
    rwd_ctl_rule_path(rules_dir, line.words[0], &path);
    struct bench bench = {.path = rwd_buffer_c_string(&path),
        .rules_dir = rules_dir,
        .call_count = (size_t)calls,
        .profile = {.kyc_level = KYC_LEVEL, .geo = "TR", .platform = "web"},
        .limits = {.instruction_count_max = (uint32_t)config->sandbox_instruction_count_max,
            .memory_size_max = (uint32_t)(config->sandbox_memory_size_max_mib << 20),
            .deadline_ms = (uint32_t)config->sandbox_deadline_ms}};
    size_t size = strlen(bench.path);
    if (size < 5 || strcmp(bench.path + size - 4, ".lua") != 0) {
        code = rwd_ctl_fail(RWD_CTL_USAGE,
            "%s: write it as ID@VERSION, or name a rule's file (.lua)", line.words[0]);
        rwd_buffer_finish(&path);
        return code;
    }
    struct rwd_thread thread;
    if (rwd_thread_start(&thread, "bench", RWD_SANDBOX_STACK_SIZE, run, &bench, &bench.error) !=
        RWD_OK) {
        code = rwd_ctl_fail(RWD_CTL_FAILED, "%s", bench.error.text);
    } else {
        rwd_thread_join(&thread);
        code = bench.code;
    }
    rwd_buffer_finish(&path);
    return code;
}
