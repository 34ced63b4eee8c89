#include "engine/ramp.h"

#include "base/arena.h"
#include "domain/json.h"
#include "experiment/statistics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SRM_USER_COUNT_MIN = 100, SHARE_ALL = 100 };

static const char *const state_names[] = {
    "none", "running", "held", "done", "rolled_back", "stopped"};

const char *rwd_ramp_state_name(enum rwd_ramp_state state)
{
    return (unsigned)state <= RWD_RAMP_STOPPED ? state_names[state] : "unknown";
}

struct rwd_ramp_guards rwd_ramp_guards_default(void)
{
    return (struct rwd_ramp_guards){.call_count_min = 100,
        .error_per_mille_max = 10,
        .money_percent_max = 150,
        .cost_percent_max = 200,
        .held_points_max = 10,
        .srm = true};
}

enum rwd_status rwd_ramp_plan(const int64_t *steps, size_t count, int64_t every_ms,
    struct rwd_ramp *ramp, struct rwd_error *error)
{
    *ramp = (struct rwd_ramp){
        .state = RWD_RAMP_RUNNING, .every_ms = every_ms, .guards = rwd_ramp_guards_default()};
    bool good = count >= 1 && count <= RWD_RAMP_STEP_COUNT_MAX;
    for (size_t i = 0; good && i < count; i++) {
        good = steps[i] > (i > 0 ? steps[i - 1] : 0) && steps[i] <= SHARE_ALL;
        ramp->steps[ramp->step_count++] = (uint32_t)steps[i];
    }
    if (!good) {
        return rwd_fail(error, RWD_INVALID,
            "/steps must be 1 to %d shares from 1 to 100, each larger than the one before, as in "
            "10, 50, 100",
            RWD_RAMP_STEP_COUNT_MAX);
    }
    if (every_ms < RWD_RAMP_EVERY_MS_MIN) {
        return rwd_fail(
            error, RWD_INVALID, "/every_ms: a step lasts %d ms at least", RWD_RAMP_EVERY_MS_MIN);
    }
    return RWD_OK;
}

/* ---- guards ---- */

static bool too_many_errors(
    const struct rwd_ramp *ramp, const struct rwd_ramp_side *canary, char *why)
{
    uint32_t limit = ramp->guards.error_per_mille_max;
    if (limit == 0 || canary->errors * 1000 <= canary->calls * limit) {
        return false;
    }
    (void)snprintf(why, RWD_RAMP_WHY_SIZE_MAX,
        "errors: %" PRIu64 " of %" PRIu64 " calls failed, more than %u in 1000", canary->errors,
        canary->calls, limit);
    return true;
}

/* Both over the same time: what a hundredth of the players got, in one and the other version. */
static bool too_much_money(const struct rwd_ramp *ramp, const struct rwd_ramp_side *canary,
    const struct rwd_ramp_side *base, int64_t now_ms, char *why)
{
    uint32_t limit = ramp->guards.money_percent_max;
    uint32_t share = ramp->steps[ramp->step];
    if (limit == 0 || share >= SHARE_ALL || canary->tasks < RWD_RAMP_TASK_COUNT_MIN ||
        canary->money_minor <= 0) {
        return false;
    }
    double given = (double)canary->money_minor / share;
    double given_before = (double)base->money_minor / (SHARE_ALL - share);
    if (given <= given_before * limit / 100) {
        return false;
    }
    double hours = (double)(now_ms - ramp->since_ms) / 3600e3;
    hours = hours > 0 ? hours : 1e-6;
    (void)snprintf(why, RWD_RAMP_WHY_SIZE_MAX,
        "money: %.0f minor units an hour if all had it, %.0f with the version it replaces; more "
        "than %u per cent of it",
        given * SHARE_ALL / hours, given_before * SHARE_ALL / hours, limit);
    return true;
}

static bool too_slow(const struct rwd_ramp *ramp, const struct rwd_ramp_side *canary,
    const struct rwd_ramp_side *base, char *why)
{
    uint32_t limit = ramp->guards.cost_percent_max;
    if (limit == 0 || base->cost_p99_ns == 0 || canary->cost_p99_ns <= RWD_RAMP_COST_FLOOR_NS ||
        canary->cost_p99_ns * 100 <= base->cost_p99_ns * limit) {
        return false;
    }
    (void)snprintf(why, RWD_RAMP_WHY_SIZE_MAX,
        "cost: p99 of a call is %" PRIu64 " us, %" PRIu64
        " us in the version it replaces; more than %u per cent of it",
        canary->cost_p99_ns / 1000, base->cost_p99_ns / 1000, limit);
    return true;
}

static bool too_many_held(const struct rwd_ramp *ramp, const struct rwd_ramp_side *canary,
    const struct rwd_ramp_side *base, char *why)
{
    uint32_t limit = ramp->guards.held_points_max;
    if (limit == 0 || canary->tasks < RWD_RAMP_TASK_COUNT_MIN) {
        return false;
    }
    double held = 100.0 * (double)canary->tasks_held / (double)canary->tasks;
    double held_before =
        base->tasks > 0 ? 100.0 * (double)base->tasks_held / (double)base->tasks : 0;
    if (held <= held_before + limit) {
        return false;
    }
    (void)snprintf(why, RWD_RAMP_WHY_SIZE_MAX,
        "held: %.1f per cent of its rewards are held, %.1f of those of the version it replaces",
        held, held_before);
    return true;
}

/* Sample ratio mismatch: players seen do not divide as they were told to. */
static bool badly_divided(const struct rwd_ramp *ramp, const struct rwd_ramp_side *canary,
    const struct rwd_ramp_side *base, char *why)
{
    uint32_t share = ramp->steps[ramp->step];
    const uint64_t users[] = {canary->users, base->users};
    const double weights[] = {share, SHARE_ALL - (double)share};
    uint64_t all = users[0] + users[1];
    if (!ramp->guards.srm || share >= SHARE_ALL || all < SRM_USER_COUNT_MIN) {
        return false;
    }
    struct rwd_srm srm = rwd_stat_srm(users, weights, 2);
    if (!srm.valid || srm.p >= RWD_STAT_SRM_P_MIN) {
        return false;
    }
    (void)snprintf(why, RWD_RAMP_WHY_SIZE_MAX,
        "srm: %" PRIu64 " of %" PRIu64 " players seen have it, %.0f were to (p = %.2g)", users[0],
        all, (double)all * share / SHARE_ALL, srm.p);
    return true;
}

enum rwd_ramp_verdict rwd_ramp_judge(const struct rwd_ramp *ramp,
    const struct rwd_ramp_side *canary, const struct rwd_ramp_side *base, int64_t now_ms,
    char why[RWD_RAMP_WHY_SIZE_MAX])
{
    bool alive = ramp->state == RWD_RAMP_RUNNING || ramp->state == RWD_RAMP_HELD;
    if (!alive || canary->calls < ramp->guards.call_count_min) {
        return RWD_RAMP_WAIT;
    }
    if (too_many_errors(ramp, canary, why) ||
        (base != NULL && too_much_money(ramp, canary, base, now_ms, why))) {
        return RWD_RAMP_ROLL_BACK;
    }
    if (ramp->state == RWD_RAMP_HELD) {
        return RWD_RAMP_WAIT;
    }
    if (base != NULL &&
        (too_slow(ramp, canary, base, why) || too_many_held(ramp, canary, base, why) ||
            badly_divided(ramp, canary, base, why))) {
        return RWD_RAMP_HOLD;
    }
    return now_ms - ramp->since_ms >= ramp->every_ms ? RWD_RAMP_GROW : RWD_RAMP_WAIT;
}

/* ---- as text ---- */

void rwd_ramp_encode(const struct rwd_ramp *ramp, struct rwd_buffer *out)
{
    if (ramp->state == RWD_RAMP_NONE) {
        return;
    }
    char since[24];
    (void)snprintf(since, sizeof since, "%" PRId64, ramp->since_ms);
    rwd_buffer_put_format(out, "{\"state\":\"%s\",\"steps\":[", rwd_ramp_state_name(ramp->state));
    for (uint32_t i = 0; i < ramp->step_count; i++) {
        rwd_buffer_put_format(out, "%s%u", i == 0 ? "" : ",", ramp->steps[i]);
    }
    const struct rwd_ramp_guards *guards = &ramp->guards;
    rwd_buffer_put_format(out,
        "],\"step\":%u,\"every_ms\":%" PRId64 ",\"since_ms\":%s,\"guards\":{\"calls_min\":%u,"
        "\"errors_per_mille\":%u,\"money_percent\":%u,\"cost_percent\":%u,\"held_points\":%u,"
        "\"srm\":%s},\"why\":",
        ramp->step, ramp->every_ms, since, guards->call_count_min, guards->error_per_mille_max,
        guards->money_percent_max, guards->cost_percent_max, guards->held_points_max,
        guards->srm ? "true" : "false");
    rwd_buffer_put_json(out, rwd_text_of(ramp->why));
    rwd_buffer_put_char(out, '}');
}

static int64_t number_of(
    const struct rwd_json *json, const struct rwd_json_node *object, const char *name, bool *good)
{
    int64_t value = -1;
    const struct rwd_json_node *node =
        object != NULL ? rwd_json_member(json, object, rwd_text_of(name)) : NULL;
    *good &= node != NULL && node->type == RWD_JSON_NUMBER && rwd_json_integer(node, &value) &&
             value >= 0;
    return value;
}

static bool read_state(const struct rwd_json *json, struct rwd_ramp *ramp)
{
    const struct rwd_json_node *state = rwd_json_member(json, &json->nodes[0], RWD_TEXT("state"));
    for (int i = RWD_RAMP_RUNNING; state != NULL && i <= RWD_RAMP_STOPPED; i++) {
        if (rwd_text_is(rwd_json_text(state), state_names[i])) {
            ramp->state = (enum rwd_ramp_state)i;
            return true;
        }
    }
    return false;
}

static bool read_steps(const struct rwd_json *json, struct rwd_ramp *ramp)
{
    const struct rwd_json_node *steps = rwd_json_member(json, &json->nodes[0], RWD_TEXT("steps"));
    if (steps == NULL || steps->type != RWD_JSON_ARRAY || steps->size == 0 ||
        steps->size > RWD_RAMP_STEP_COUNT_MAX) {
        return false;
    }
    for (const struct rwd_json_node *node = rwd_json_first(json, steps); node != NULL;
         node = rwd_json_next(json, steps, node)) {
        int64_t share = 0;
        if (!rwd_json_integer(node, &share) || share < 1 || share > SHARE_ALL) {
            return false;
        }
        ramp->steps[ramp->step_count++] = (uint32_t)share;
    }
    return true;
}

static bool read_ramp(const struct rwd_json *json, struct rwd_ramp *ramp)
{
    const struct rwd_json_node *root = &json->nodes[0];
    const struct rwd_json_node *guards = rwd_json_member(json, root, RWD_TEXT("guards"));
    const struct rwd_json_node *why = rwd_json_member(json, root, RWD_TEXT("why"));
    bool good = read_state(json, ramp) && read_steps(json, ramp);
    ramp->step = (uint32_t)number_of(json, root, "step", &good);
    ramp->every_ms = number_of(json, root, "every_ms", &good);
    ramp->since_ms = number_of(json, root, "since_ms", &good);
    ramp->guards = (struct rwd_ramp_guards){
        .call_count_min = (uint32_t)number_of(json, guards, "calls_min", &good),
        .error_per_mille_max = (uint32_t)number_of(json, guards, "errors_per_mille", &good),
        .money_percent_max = (uint32_t)number_of(json, guards, "money_percent", &good),
        .cost_percent_max = (uint32_t)number_of(json, guards, "cost_percent", &good),
        .held_points_max = (uint32_t)number_of(json, guards, "held_points", &good)};
    if (!good || why == NULL || ramp->step >= ramp->step_count) {
        return false;
    }
    const struct rwd_json_node *srm = rwd_json_member(json, guards, RWD_TEXT("srm"));
    ramp->guards.srm = srm != NULL && srm->type == RWD_JSON_TRUE;
    (void)snprintf(ramp->why, sizeof ramp->why, "%.*s", RWD_TEXT_ARGS(rwd_json_text(why)));
    return true;
}

enum rwd_status rwd_ramp_decode(struct rwd_text text, struct rwd_ramp *ramp)
{
    static const struct rwd_json_limits limits = {
        .depth_max = 4, .node_count_max = 128, .size_max = 4096};
    *ramp = (struct rwd_ramp){0};
    if (text.size == 0) {
        return RWD_OK;
    }
    struct rwd_arena arena;
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    rwd_arena_init(&arena, 16 << 10, 64 << 10);
    bool good = rwd_json_scan(text, &limits, &arena, &json, &consumed, &fault) == RWD_OK &&
                consumed == text.size && json.nodes[0].type == RWD_JSON_OBJECT &&
                read_ramp(&json, ramp);
    rwd_arena_finish(&arena);
    return good ? RWD_OK : RWD_CORRUPT;
}
