#include "decide/rule_test.h"

#include "base/clock.h"
#include "decide/apply.h"
#include "decide/release.h"
#include "script/formula.h"

#include <stdio.h>
#include <string.h>

enum {
    MINUTE_MS = 60 * 1000,
    DAY_MS = 24 * 60 * MINUTE_MS,
    ARENA_CHUNK = 64 << 10,
    ARENA_MAX = 64 << 20,
    TRACE_DEADLINE_MS = 1000,
    WAITING_COUNT_MAX = 4096, /* what engine.conf may say at most */
};

static const struct rwd_json_limits json_limits = {
    .depth_max = 32, .node_count_max = 65536, .size_max = 1 << 20};

/* One case under way. */
struct trial {
    const struct rwd_rule *rule;
    const struct rwd_rule_test_case *test;
    struct rwd_buffer *report;
    struct rwd_coverage *coverage; /* NULL: nobody asks */
    struct rwd_buffer *trace;      /* NULL: nobody compares */
    struct rwd_arena *arena;
    struct rwd_ruleset *ruleset;
    struct rwd_pools *pools;
    struct rwd_gates gates;
    struct rwd_player *player;
    struct rwd_text arm; /* of the rule's experiment, as the case says */
    uint64_t errors;
    struct rwd_error last_error;
    bool failed;
};

/* The tests of a/1.0.0.lua are in a/1.0.0_test.lua. */
static void complain(struct trial *trial, const char *what)
{
    const char *file = trial->rule->source_name;
    const char *end = strrchr(file, '.');
    trial->failed = true;
    rwd_buffer_put_format(trial->report, "%.*s_test.lua:%d: %s: %s\n",
        (int)(end != NULL ? (size_t)(end - file) : strlen(file)), file, trial->test->line,
        trial->test->name, what);
}

static void rule_failed(
    void *context, const struct rwd_rule *rule, const struct rwd_error *error, bool suspended)
{
    (void)rule;
    (void)suspended;
    struct trial *trial = context;
    trial->errors++;
    trial->last_error = *error;
}

static struct rwd_text arm_of(void *context, struct rwd_text experiment)
{
    (void)experiment; /* a rule can ask for its own only */
    return ((const struct trial *)context)->arm;
}

static bool scan(struct trial *trial, struct rwd_text text, struct rwd_json *json)
{
    struct rwd_json_fault fault;
    size_t consumed = 0;
    if (rwd_json_scan(text, &json_limits, trial->arena, json, &consumed, &fault) == RWD_OK) {
        return true;
    }
    complain(trial, fault.detail);
    return false;
}

static void copy_field(const struct rwd_json_node *node, char *out, size_t capacity)
{
    if (node->size < capacity) {
        memcpy(out, node->data, node->size);
        out[node->size] = '\0';
    }
}

static void set_player_field(
    struct trial *trial, const struct rwd_json_node *field, struct rwd_profile *profile)
{
    struct rwd_text key = rwd_json_key(field);
    int64_t number = 0;
    if (rwd_text_is(key, "kyc_level") && field->type == RWD_JSON_NUMBER &&
        rwd_json_integer(field, &number) && number >= 0 && number <= 3) {
        profile->kyc_level = (uint8_t)number;
    } else if (rwd_text_is(key, "geo") && field->type == RWD_JSON_STRING) {
        copy_field(field, profile->geo, sizeof profile->geo);
    } else if (rwd_text_is(key, "platform") && field->type == RWD_JSON_STRING) {
        copy_field(field, profile->platform, sizeof profile->platform);
    } else if (rwd_text_is(key, "payer")) {
        profile->payer = field->type == RWD_JSON_TRUE ? RWD_YES : RWD_NO;
    } else if (rwd_text_is(key, "self_excluded")) {
        profile->self_excluded_until_ms = field->type == RWD_JSON_TRUE ? INT64_MAX : 0;
    } else if (rwd_text_is(key, "arm") && field->type == RWD_JSON_STRING) {
        trial->arm = rwd_json_text(field);
    } else {
        complain(trial, "player takes kyc_level 0..3, geo, platform, payer, self_excluded, arm");
    }
}

/* Nothing that costs money goes to a player whose geo nobody knows. */
static void set_default_geo(struct trial *trial)
{
    const struct rwd_rule *rule = trial->rule;
    struct rwd_text geo = rule->where.geo_count > 0     ? rule->where.geos[0]
                          : rule->geo_allowed_count > 0 ? rule->geo_allowed[0]
                                                        : RWD_TEXT("DE");
    (void)snprintf(
        trial->player->profile.geo, sizeof trial->player->profile.geo, "%.*s", RWD_TEXT_ARGS(geo));
}

static void set_player(struct trial *trial)
{
    set_default_geo(trial);
    struct rwd_json json;
    if (trial->test->player == NULL || !scan(trial, rwd_text_of(trial->test->player), &json)) {
        return;
    }
    for (const struct rwd_json_node *field = rwd_json_first(&json, &json.nodes[0]); field != NULL;
         field = rwd_json_next(&json, &json.nodes[0], field)) {
        set_player_field(trial, field, &trial->player->profile);
    }
}

static int64_t first_time_ms(const struct rwd_rule *rule)
{
    /* 2025-11-15, a day like any other. */
    int64_t day_ms = (int64_t)20407 * DAY_MS;
    if (rule->active_from_ms > day_ms || rule->active_to_ms <= day_ms + DAY_MS) {
        day_ms = rule->active_from_ms / DAY_MS * DAY_MS;
    }
    return day_ms + DAY_MS / 2;
}

/* The event's own fields, and what it leaves out before them. */
static struct rwd_text complete(
    struct trial *trial, struct rwd_text text, size_t index, struct rwd_json *json)
{
    if (!scan(trial, text, json) || json->nodes[0].type != RWD_JSON_OBJECT) {
        return (struct rwd_text){0};
    }
    char time_text[RWD_TIME_TEXT_SIZE];
    rwd_time_format(first_time_ms(trial->rule) + (int64_t)index * MINUTE_MS, time_text);
    char fields[4][64];
    (void)snprintf(fields[0], sizeof fields[0], "\"event_id\":\"test-%zu\"", index + 1);
    (void)snprintf(fields[1], sizeof fields[1], "\"version\":\"1.0.0\"");
    (void)snprintf(fields[2], sizeof fields[2], "\"ts\":\"%s\"", time_text);
    (void)snprintf(fields[3], sizeof fields[3], "\"user\":{\"id\":\"u_test\"}");
    static const char *const names[] = {"event_id", "version", "ts", "user"};
    struct rwd_buffer full = {0};
    rwd_buffer_put_char(&full, '{');
    for (size_t i = 0; i < 4; i++) {
        if (rwd_json_member(json, &json->nodes[0], rwd_text_of(names[i])) == NULL) {
            rwd_buffer_put_string(&full, fields[i]);
            rwd_buffer_put_char(&full, ',');
        }
    }
    const char *open = memchr(text.data, '{', text.size);
    if (json->nodes[0].size == 0 && full.size > 1) {
        full.size--;
    }
    rwd_buffer_put(&full, open + 1, text.size - (size_t)(open + 1 - text.data));
    const char *copy = rwd_arena_copy(trial->arena, full.data, full.size);
    struct rwd_text completed = {.data = copy, .size = full.size};
    rwd_buffer_finish(&full);
    return completed;
}

static void put_trace(const struct trial *trial, const struct rwd_decision *decision)
{
    const struct rwd_sandbox *sandbox = rwd_ruleset_sandbox(trial->ruleset, 0);
    rwd_decision_encode(decision, trial->trace);
    rwd_buffer_put_format(trial->trace, "%u;", rwd_sandbox_instructions_used(sandbox));
}

/* False: it is no event, which was told. */
static bool read_event(struct trial *trial, size_t index, struct rwd_event *event)
{
    static const uint8_t no_key[RWD_SIPHASH_KEY_SIZE] = {0};
    struct rwd_json json;
    struct rwd_problem problem;
    struct rwd_text text = complete(trial, rwd_text_of(trial->test->events[index]), index, &json);
    if (text.data == NULL || !scan(trial, text, &json)) {
        complain(trial, "an event must be a table of fields");
        return false;
    }
    if (rwd_event_read(text, &json, no_key, 0, event, &problem) != RWD_OK) {
        complain(trial, problem.detail);
        return false;
    }
    return true;
}

static struct rwd_decide_facts facts_at(struct trial *trial, int64_t now_ms)
{
    return (struct rwd_decide_facts){.ruleset = trial->ruleset,
        .pools = trial->pools,
        .gates = &trial->gates,
        .now_ms = now_ms,
        .rule_failed = rule_failed,
        .context = trial,
        .arm = arm_of,
        .arm_context = trial};
}

static void apply(struct trial *trial, const struct rwd_decision *decision)
{
    if (trial->trace != NULL) {
        put_trace(trial, decision);
    }
    rwd_apply(trial->player, decision, trial->player->sequence + 1, trial->pools, false);
}

/* Of a rule in event time: what is due at now_ms, in the order of the events. */
static void release(struct trial *trial, int64_t now_ms)
{
    enum rwd_release cause = RWD_RELEASE_NONE;
    while ((cause = rwd_release_due(&trial->gates, trial->player, now_ms)) != RWD_RELEASE_NONE) {
        const struct rwd_waiting_event *waiting = &trial->player->waiting->events[0];
        const struct rwd_decide_facts facts = facts_at(trial, trial->player->newest_event_ms);
        struct rwd_event event;
        struct rwd_decision decision;
        enum rwd_status status = rwd_release_read(waiting, waiting->raw, trial->arena, &event);
        if (status == RWD_OK) {
            status = rwd_decide_release(
                &facts, waiting, &event, cause, trial->player, trial->arena, &decision);
        }
        if (status != RWD_OK) {
            complain(trial, "the event is too large");
            return;
        }
        apply(trial, &decision);
    }
}

static void run_event(struct trial *trial, size_t index)
{
    struct rwd_event event;
    struct rwd_problem problem;
    struct rwd_decision decision;
    if (!read_event(trial, index, &event)) {
        return;
    }
    const struct rwd_decide_facts facts = facts_at(trial, event.time_ms);
    enum rwd_status status =
        rwd_decide(&facts, &event, trial->player, trial->arena, &decision, &problem);
    if (status == RWD_OK) {
        apply(trial, &decision);
        release(trial, RWD_RELEASE_NO_CLOCK);
    } else if (status != RWD_CONFLICT) {
        complain(trial, status == RWD_INVALID ? problem.detail : "the event is too large");
    }
}

static uint64_t count_tasks(const struct rwd_player *player, bool held_only)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < player->task_count; i++) {
        enum rwd_task_status status = player->tasks[i].status;
        count += held_only ? status == RWD_TASK_HELD : status != RWD_TASK_DENIED;
    }
    return count;
}

static void expect_number(
    struct trial *trial, const struct rwd_json_node *field, const char *name, uint64_t actual)
{
    int64_t wanted = 0;
    if (field->type != RWD_JSON_NUMBER || !rwd_json_integer(field, &wanted)) {
        complain(trial, "expect takes whole numbers");
        return;
    }
    if ((uint64_t)wanted != actual) {
        char text[RWD_ERROR_TEXT_SIZE_MAX + 96];
        (void)snprintf(text, sizeof text, "%s is %llu, expected %lld%s%s", name,
            (unsigned long long)actual, (long long)wanted, trial->errors > 0 ? "; " : "",
            trial->errors > 0 ? trial->last_error.text : "");
        complain(trial, text);
    }
}

static void check_expectations(struct trial *trial)
{
    const struct rwd_player_rule *known = rwd_player_rule_find(trial->player, trial->rule->rule_no);
    const struct {
        const char *name;
        uint64_t actual;
    } facts[] = {
        {"points", known != NULL ? known->total : 0},
        {"milestones", known != NULL ? known->fired_count : 0},
        {"rewards", count_tasks(trial->player, false)},
        {"held", count_tasks(trial->player, true)},
        {"errors", trial->errors},
    };
    enum { FACT_COUNT = sizeof facts / sizeof facts[0] };
    struct rwd_json json;
    if (!scan(trial, rwd_text_of(trial->test->expect), &json)) {
        return;
    }
    bool errors_expected = false;
    for (const struct rwd_json_node *field = rwd_json_first(&json, &json.nodes[0]); field != NULL;
         field = rwd_json_next(&json, &json.nodes[0], field)) {
        size_t i = 0;
        while (i < FACT_COUNT && !rwd_text_is(rwd_json_key(field), facts[i].name)) {
            i++;
        }
        if (i == FACT_COUNT) {
            complain(trial, "expect takes points, milestones, rewards, held, errors");
            return;
        }
        errors_expected |= strcmp(facts[i].name, "errors") == 0;
        expect_number(trial, field, facts[i].name, facts[i].actual);
    }
    if (trial->errors > 0 && !errors_expected) {
        complain(trial, trial->last_error.text);
    }
}

static struct rwd_currency currency_of(const struct rwd_rule *rule)
{
    struct rwd_currency euro = {"EUR"};
    for (size_t i = 0; i < rule->milestone_count; i++) {
        if (rule->milestones[i].reward.money.currency.code[0] != '\0') {
            return rule->milestones[i].reward.money.currency;
        }
    }
    return euro;
}

static void run_case(struct trial *trial, struct rwd_rulebook *rulebook)
{
    const struct rwd_currency currency = currency_of(trial->rule);
    const struct rwd_money unit = {.minor = 1, .currency = currency};
    const struct rwd_price_config prices[] = {
        {.kind = RWD_REWARD_FREESPINS, .label = (char[]){""}, .cost = unit},
        {.kind = RWD_REWARD_COUPON, .label = (char[]){""}, .cost = unit},
        {.kind = RWD_REWARD_LOOT, .label = (char[]){""}, .cost = unit},
    };
    struct rwd_pool_terms terms = {.currency = currency,
        .period = RWD_POOL_SEASON,
        .hard_cap_minor = INT64_MAX / 2,
        .soft_cap_minor = INT64_MAX / 2};
    trial->gates = (struct rwd_gates){.large_reward = RWD_TEXT("50"),
        .hold_expires_ms = (int64_t)90 * DAY_MS,
        .reorder_window_ms = MINUTE_MS,
        .waiting_event_count_max = WAITING_COUNT_MAX,
        .prices = prices,
        .price_count = sizeof prices / sizeof prices[0]};
    struct rwd_ruleset_limits limits = rwd_ruleset_limits_default();
    limits.sandbox.coverage = trial->coverage;
    if (trial->trace != NULL) {
        /* Time is no part of what is compared. */
        limits.sandbox.deadline_ms = TRACE_DEADLINE_MS;
        limits.sandbox.deadline_hard_ms = TRACE_DEADLINE_MS;
    }
    struct rwd_ruleset *none = NULL;
    struct rwd_error error;
    trial->pools = rwd_pools_create();
    uint32_t pool_no = 0;
    (void)snprintf(terms.id, sizeof terms.id, "%s", trial->rule->budget);
    enum rwd_status status = rwd_pools_put(trial->pools, &terms, 0, &pool_no, &error);
    if (status == RWD_OK) {
        status = rwd_ruleset_create(rulebook, &limits, &none, &trial->ruleset, &error);
    }
    if (status != RWD_OK) {
        complain(trial, error.text);
    } else {
        struct rwd_arena arena;
        rwd_arena_init(&arena, ARENA_CHUNK, ARENA_MAX);
        trial->arena = &arena;
        trial->player = rwd_player_create(RWD_TEXT("u_test"), 0);
        set_player(trial);
        for (size_t i = 0; i < trial->test->event_count; i++) {
            run_event(trial, i);
        }
        release(trial, INT64_MAX);
        if (trial->trace == NULL) {
            check_expectations(trial);
        }
        rwd_player_destroy(trial->player);
        rwd_arena_finish(&arena);
        trial->arena = NULL;
        rwd_ruleset_destroy(trial->ruleset);
    }
    rwd_pools_destroy(trial->pools);
}

/* Where what the cases come to goes; NULL: nobody asks. */
struct sinks {
    struct rwd_buffer *report;
    struct rwd_coverage *coverage;
    struct rwd_buffer *trace;
};

static enum rwd_status run_cases(const struct rwd_rule *rule, const struct rwd_rule_tests *tests,
    const struct sinks *sinks, size_t *failed, struct rwd_error *error)
{
    /* A copy of its own: a rulebook shares its rules by count. */
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    limits.coverage = sinks->coverage;
    const struct rwd_formula_shelf shelf = rwd_formula_shelf_of(rule);
    struct rwd_rule *copy = NULL;
    enum rwd_status status =
        rwd_rule_load_with((struct rwd_text){.data = rule->source, .size = rule->source_size},
            rule->source_name, &shelf, &limits, &copy, error);
    if (status != RWD_OK) {
        return status;
    }
    struct rwd_shared_rule *shared = rwd_shared_rule_create(&copy);
    struct rwd_rulebook *rulebook = rwd_rulebook_create(1, &shared, 1);
    for (size_t i = 0; i < tests->case_count; i++) {
        struct trial trial = {.rule = rwd_shared_rule_get(shared),
            .test = &tests->cases[i],
            .report = sinks->report,
            .coverage = sinks->coverage,
            .trace = sinks->trace};
        run_case(&trial, rulebook);
        *failed += trial.failed;
    }
    rwd_rulebook_release(rulebook);
    rwd_shared_rule_release(shared);
    return RWD_OK;
}

enum rwd_status rwd_rule_test_run(const struct rwd_rule *rule, const struct rwd_rule_tests *tests,
    struct rwd_buffer *report, size_t *failed)
{
    return rwd_rule_test_cover(rule, tests, NULL, report, failed);
}

enum rwd_status rwd_rule_test_cover(const struct rwd_rule *rule, const struct rwd_rule_tests *tests,
    struct rwd_coverage *coverage, struct rwd_buffer *report, size_t *failed)
{
    struct rwd_error error;
    *failed = 0;
    const struct sinks sinks = {.report = report, .coverage = coverage};
    enum rwd_status status = run_cases(rule, tests, &sinks, failed, &error);
    if (status != RWD_OK) {
        rwd_buffer_put_format(report, "%s\n", error.text);
    }
    return status;
}

enum rwd_status rwd_rule_test_trace(const struct rwd_rule *rule, const struct rwd_rule_tests *tests,
    struct rwd_buffer *trace, struct rwd_error *error)
{
    struct rwd_buffer complaints = {0}; /* of cases that the test run has told of already */
    size_t failed = 0;
    const struct sinks sinks = {.report = &complaints, .trace = trace};
    enum rwd_status status = run_cases(rule, tests, &sinks, &failed, error);
    rwd_buffer_finish(&complaints);
    return status;
}

bool rwd_rule_test_event(const struct rwd_rule *rule, const struct rwd_rule_test_case *test,
    size_t index, struct rwd_arena *arena, struct rwd_event *event, struct rwd_buffer *report)
{
    struct trial trial = {.rule = rule, .test = test, .report = report, .arena = arena};
    return read_event(&trial, index, event);
}
