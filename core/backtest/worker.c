#include "backtest/worker.h"

#include "base/memory.h"
#include "decide/apply.h"
#include "decide/release.h"
#include "engine/records.h"

#include <inttypes.h>
#include <sched.h>
#include <string.h>

enum {
    MAILBOX_COUNT_MAX = 64,
    ARENA_CHUNK = 256 << 10,
    ARENA_MAX = 256 << 20,
    /* Inputs between two steps of foreseeing. */
    FORESEE_DISTANCE = 2,
};

/* One book, as this worker runs it. */
struct side {
    struct rwd_ruleset *ruleset;
    struct rwd_pools *free_pools; /* the same pools without a limit; NULL: of one worker */
    struct rwd_backtest_tally tally;
};

struct rwd_backtest_worker {
    struct rwd_backtest_course *course;
    uint32_t index;
    struct rwd_mailbox *mailbox;
    struct rwd_arena arena;
    struct rwd_rulebook *no_rules;
    struct rwd_ruleset *nothing; /* of no_rules: before since */
    struct side sides[RWD_BACKTEST_SIDE_COUNT_MAX];
    struct rwd_backtest_crowd *crowd;
    struct rwd_backtest_counts counts;
    struct rwd_buffer spilled;
    uint64_t rule_errors; /* of the rule, in the decision at hand */
    struct rwd_error rule_error;
    enum rwd_status status;
    struct rwd_error error;
};

struct rwd_backtest_worker *rwd_backtest_worker_create(
    struct rwd_backtest_course *course, uint32_t index)
{
    struct rwd_backtest_worker *worker = rwd_new(sizeof *worker);
    worker->course = course;
    worker->index = index;
    worker->mailbox = rwd_mailbox_create(MAILBOX_COUNT_MAX);
    worker->crowd = rwd_backtest_crowd_create(course->side_count);
    worker->no_rules = rwd_rulebook_create(0, NULL, 0);
    worker->counts.first_event_ms = worker->counts.seen_first_ms = INT64_MAX;
    worker->counts.last_event_ms = worker->counts.seen_last_ms = INT64_MIN;
    rwd_arena_init(&worker->arena, ARENA_CHUNK, ARENA_MAX);
    for (size_t i = 0; i < course->side_count; i++) {
        rwd_backtest_tally_init(&worker->sides[i].tally, &course->books[i], course->pools[i]);
    }
    return worker;
}

void rwd_backtest_worker_destroy(struct rwd_backtest_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    for (size_t i = 0; i < worker->course->side_count; i++) {
        rwd_ruleset_destroy(worker->sides[i].ruleset);
        rwd_pools_destroy(worker->sides[i].free_pools);
        rwd_backtest_tally_finish(&worker->sides[i].tally);
    }
    rwd_ruleset_destroy(worker->nothing);
    rwd_rulebook_release(worker->no_rules);
    rwd_backtest_crowd_destroy(worker->crowd);
    rwd_mailbox_destroy(worker->mailbox);
    rwd_buffer_finish(&worker->spilled);
    rwd_arena_finish(&worker->arena);
    rwd_free(worker);
}

struct rwd_mailbox *rwd_backtest_worker_mailbox(struct rwd_backtest_worker *worker)
{
    return worker->mailbox;
}

enum rwd_status rwd_backtest_worker_status(
    const struct rwd_backtest_worker *worker, struct rwd_error *error)
{
    if (worker->status != RWD_OK) {
        *error = worker->error;
    }
    return worker->status;
}

const struct rwd_backtest_counts *rwd_backtest_worker_counts(
    const struct rwd_backtest_worker *worker)
{
    return &worker->counts;
}

const struct rwd_backtest_tally *rwd_backtest_worker_tally(
    const struct rwd_backtest_worker *worker, size_t side)
{
    return &worker->sides[side].tally;
}

const struct rwd_backtest_crowd *rwd_backtest_worker_crowd(const struct rwd_backtest_worker *worker)
{
    return worker->crowd;
}

static enum rwd_status put_without_limits(
    struct rwd_pools *pools, const struct rwd_pool_terms *of, struct rwd_error *error)
{
    struct rwd_pool_terms terms = *of;
    uint32_t pool_no = 0;
    terms.hard_cap_minor = INT64_MAX;
    terms.soft_cap_minor = INT64_MAX;
    return rwd_pools_put(pools, &terms, 0, &pool_no, error);
}

/* The same pools under the same numbers, with room for everything. */
static struct rwd_pools *without_limits(const struct rwd_pools *pools)
{
    struct rwd_pools *made = rwd_pools_create();
    for (uint32_t no = 1; no <= rwd_pools_count(pools); no++) {
        struct rwd_error error;
        /* What was a pool's terms once is so again. */
        if (put_without_limits(made, rwd_pool_terms(pools, no), &error) != RWD_OK) {
            break;
        }
    }
    return made;
}

/* On the worker's own thread, whose VMs they are. */
static enum rwd_status make_rules(struct rwd_backtest_worker *worker)
{
    struct rwd_backtest_course *course = worker->course;
    enum rwd_status status = rwd_ruleset_create(
        worker->no_rules, &course->limits, NULL, &worker->nothing, &worker->error);
    for (size_t i = 0; status == RWD_OK && i < course->side_count; i++) {
        status = rwd_ruleset_create(course->books[i].rulebook, &course->limits, NULL,
            &worker->sides[i].ruleset, &worker->error);
        if (course->worker_count > 1) {
            worker->sides[i].free_pools = without_limits(course->pools[i]);
        }
    }
    return status;
}

static void rule_failed(
    void *context, const struct rwd_rule *rule, const struct rwd_error *error, bool suspended)
{
    (void)suspended;
    struct rwd_backtest_worker *worker = context;
    if (rule->rule_no == worker->course->books[0].rule->rule_no) {
        worker->rule_errors++;
        worker->rule_error = *error;
    }
}

/* Until every input before this one is done. False: the run has failed. */
static bool wait_for_turn(const struct rwd_backtest_worker *worker, uint64_t no)
{
    struct rwd_backtest_course *course = worker->course;
    for (uint32_t i = 0; i < course->worker_count; i++) {
        while (i != worker->index &&
               atomic_load_explicit(&course->places[i].done, memory_order_acquire) < no) {
            if (atomic_load_explicit(&course->failed, memory_order_relaxed)) {
                return false;
            }
            (void)sched_yield();
        }
    }
    return true;
}

/* ---- one event on one side ---- */

static bool asks_a_pool(const struct rwd_decision *decision)
{
    return decision->task_count > 0 || decision->change_count > 0;
}

/* What is to be decided of an event. */
struct question {
    uint64_t no;
    int64_t now_ms;
    bool before; /* since: no rules yet */
    const struct rwd_event *event;
    const struct rwd_waiting_event *waiting; /* NULL: it has just come */
};

static enum rwd_status decide_once(const struct rwd_decide_facts *facts,
    const struct question *question, const struct rwd_player *player, struct rwd_arena *arena,
    struct rwd_decision *decision)
{
    struct rwd_problem problem;
    return question->waiting == NULL
               ? rwd_decide(facts, question->event, player, arena, decision, &problem)
               : rwd_decide_release(facts, question->waiting, question->event, RWD_RELEASE_TIME,
                     player, arena, decision);
}

static enum rwd_status decide_event(struct rwd_backtest_worker *worker, size_t side_index,
    const struct question *question, const struct rwd_player *player, struct rwd_decision *decision)
{
    struct side *side = &worker->sides[side_index];
    bool in_order = side->free_pools == NULL;
    struct rwd_decide_facts facts = {.ruleset = question->before ? worker->nothing : side->ruleset,
        .pools = in_order ? worker->course->pools[side_index] : side->free_pools,
        .gates = &worker->course->gates,
        .now_ms = question->now_ms,
        .rule_failed = rule_failed,
        .context = worker};
    worker->rule_errors = 0;
    enum rwd_status status = decide_once(&facts, question, player, &worker->arena, decision);
    if (status != RWD_OK || in_order || !asks_a_pool(decision)) {
        return status;
    }
    rwd_decide_undo(&facts, decision);
    if (!wait_for_turn(worker, question->no)) {
        return RWD_UNAVAILABLE;
    }
    worker->rule_errors = 0;
    facts.pools = worker->course->pools[side_index];
    return decide_once(&facts, question, player, &worker->arena, decision);
}

/* What became of the rule. What it waits for is told when it is decided. */
static int verdict_of(const struct rwd_backtest_tally *tally, const struct rwd_event *event,
    const struct rwd_decision *decision)
{
    bool wanted = false;
    for (size_t i = 0; !wanted && i < tally->rule->on_count; i++) {
        wanted = rwd_text_is(event->name, tally->rule->on[i]);
    }
    size_t count = 0;
    const struct rwd_rulebook_entry *entries =
        wanted ? rwd_rulebook_for(tally->rulebook, event->name, &count) : NULL;
    for (size_t i = 0; i < count && i < decision->verdict_count; i++) {
        if (entries[i].rule == tally->rule) {
            uint8_t verdict = decision->verdicts[i];
            return verdict == RWD_RULE_WAITING || verdict == RWD_RULE_NOT_WAITING
                       ? RWD_BACKTEST_NOT_ASKED
                       : verdict;
        }
    }
    return RWD_BACKTEST_NOT_ASKED;
}

/* Settled tasks are nobody's any more, but for a failed one: it may be taken up again. */
static void drop_settled(struct rwd_player *player)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < player->task_count; i++) {
        const struct rwd_task *task = &player->tasks[i];
        if (task->status == RWD_TASK_FAILED || !rwd_task_settled(task)) {
            if (kept != i) {
                player->tasks[kept] = *task;
            }
            kept++;
        }
    }
    player->task_count = kept;
}

static bool gives_back(const struct rwd_task *task, const struct rwd_task_change *change)
{
    struct rwd_task after = *task;
    after.status = change->status;
    after.reason = change->reason;
    after.attempts = change->attempts;
    return rwd_task_budget_of(task) != RWD_BUDGET_NOTHING &&
           rwd_task_budget_of(&after) == RWD_BUDGET_NOTHING;
}

static void apply(struct rwd_backtest_worker *worker, size_t side_index, struct rwd_player *player,
    const struct rwd_decision *decision, int64_t time_ms)
{
    for (size_t i = 0; i < decision->change_count; i++) {
        const struct rwd_task *task = rwd_player_task_find(player, decision->changes[i].id);
        if (task != NULL && gives_back(task, &decision->changes[i])) {
            rwd_backtest_tally_returned(&worker->sides[side_index].tally, task, time_ms);
        }
    }
    rwd_apply(player, decision, player->sequence + 1, worker->course->pools[side_index], false);
    if (asks_a_pool(decision)) {
        drop_settled(player);
    }
    uint64_t row_sequence = 0;
    while (rwd_player_seen_spill(player, &worker->spilled, &row_sequence)) {
        worker->spilled.size = 0; /* there is no store to keep it for */
    }
}

static enum rwd_status settle(struct rwd_backtest_worker *worker, size_t side_index,
    const struct question *question, struct rwd_backtest_user *user)
{
    struct rwd_player *player = user->players[side_index];
    struct rwd_backtest_tally *tally = &worker->sides[side_index].tally;
    struct rwd_decision decision;
    enum rwd_status status = decide_event(worker, side_index, question, player, &decision);
    if (status != RWD_OK) {
        return status;
    }
    if (!question->before) {
        if (worker->rule_errors > 0) {
            rwd_backtest_tally_error(tally, question->no, &worker->rule_error);
        }
        rwd_backtest_tally_decision(tally, question->no, question->event, &decision,
            verdict_of(tally, question->event, &decision), &user->reward_count[side_index],
            &user->cost_minor[side_index]);
    }
    apply(worker, side_index, player, &decision, question->event->time_ms);
    return RWD_OK;
}

/* The foremost waiting event of a player who has one. */
static enum rwd_status release_first(struct rwd_backtest_worker *worker, size_t side_index,
    uint64_t no, int64_t now_ms, struct rwd_backtest_user *user)
{
    const struct rwd_waiting_event *waiting = &user->players[side_index]->waiting->events[0];
    struct rwd_event event;
    struct question question = {.no = no, .now_ms = now_ms, .event = &event, .waiting = waiting};
    enum rwd_status status = rwd_release_read(waiting, waiting->raw, &worker->arena, &event);
    return status == RWD_OK ? settle(worker, side_index, &question, user) : status;
}

static enum rwd_status release_due(struct rwd_backtest_worker *worker, size_t side_index,
    uint64_t no, int64_t now_ms, int64_t clock_ms, struct rwd_backtest_user *user)
{
    enum rwd_status status = RWD_OK;
    while (status == RWD_OK && rwd_release_due(&worker->course->gates, user->players[side_index],
                                   clock_ms) != RWD_RELEASE_NONE) {
        status = release_first(worker, side_index, no, now_ms, user);
    }
    return status;
}

/* waited: when it happened, too. Its release has a record then, and no clock has a say in it. */
static void hold(
    const struct rwd_backtest_user *user, size_t side_index, const struct rwd_event *event)
{
    rwd_waiting_hold(user->players[side_index], event->time_ms, event->event_fingerprint);
}

static enum rwd_status handle_side(struct rwd_backtest_worker *worker, size_t side_index,
    const struct question *question, bool waited, struct rwd_backtest_user *user)
{
    enum rwd_status status = settle(worker, side_index, question, user);
    if (status == RWD_OK && waited) {
        hold(user, side_index, question->event);
    }
    return status == RWD_OK ? release_due(worker, side_index, question->no, question->now_ms,
                                  RWD_RELEASE_NO_CLOCK, user)
                            : status;
}

/* ---- inputs ---- */

static enum rwd_status fail_at(struct rwd_backtest_worker *worker, enum rwd_status status,
    const struct rwd_backtest_item *item, const char *what)
{
    return rwd_fail(
        &worker->error, status, "the record at position %" PRIu64 ": %s", item->position, what);
}

static enum rwd_status read_event(struct rwd_backtest_worker *worker,
    const struct rwd_backtest_item *item, struct rwd_event *event)
{
    /* What a journal holds was within the limits of its day. */
    static const struct rwd_json_limits limits = {64, 1 << 16, RWD_RECORD_BODY_SIZE_MAX};
    static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = {0};
    struct rwd_json json;
    struct rwd_json_fault fault;
    struct rwd_problem problem;
    size_t consumed = 0;
    if (rwd_json_scan(item->body, &limits, &worker->arena, &json, &consumed, &fault) != RWD_OK) {
        return fail_at(worker, RWD_CORRUPT, item, fault.detail);
    }
    if (rwd_event_read(item->body, &json, key, item->now_ms, event, &problem) != RWD_OK) {
        return fail_at(worker, RWD_CORRUPT, item, problem.detail);
    }
    return RWD_OK;
}

static enum rwd_status user_of(struct rwd_backtest_worker *worker,
    const struct rwd_backtest_item *item, struct rwd_text user_id, struct rwd_backtest_user **user)
{
    size_t before = rwd_backtest_crowd_count(worker->crowd);
    *user = rwd_backtest_crowd_get(worker->crowd, user_id, item->user_fingerprint);
    if (rwd_backtest_crowd_count(worker->crowd) > before &&
        atomic_fetch_add(&worker->course->player_count, 1) >= RWD_BACKTEST_PLAYER_COUNT_MAX) {
        return rwd_fail(&worker->error, RWD_LIMIT,
            "more than %d players: look at a shorter range, or at a part of the events",
            RWD_BACKTEST_PLAYER_COUNT_MAX);
    }
    return RWD_OK;
}

static void widen(int64_t *first_ms, int64_t *last_ms, int64_t time_ms)
{
    *first_ms = time_ms < *first_ms ? time_ms : *first_ms;
    *last_ms = time_ms > *last_ms ? time_ms : *last_ms;
}

static enum rwd_status handle_event(
    struct rwd_backtest_worker *worker, const struct rwd_backtest_item *item, uint64_t no)
{
    struct rwd_backtest_counts *counts = &worker->counts;
    struct rwd_event own = {0};
    const struct rwd_event *event = item->event;
    enum rwd_status status = RWD_OK;
    if (event == NULL) {
        status = read_event(worker, item, &own);
        event = &own;
    }
    if (status != RWD_OK) {
        return status;
    }
    widen(&counts->seen_first_ms, &counts->seen_last_ms, event->time_ms);
    if (event->time_ms >= worker->course->until_ms) {
        counts->after++;
        return RWD_OK;
    }
    bool before = event->time_ms < worker->course->since_ms;
    struct rwd_backtest_user *user = NULL;
    status = user_of(worker, item, event->user_id, &user);
    const struct question question = {
        .no = no, .now_ms = item->now_ms, .before = before, .event = event};
    for (size_t i = 0; status == RWD_OK && i < worker->course->side_count; i++) {
        status = handle_side(worker, i, &question, item->waited, user);
    }
    /* Both sides have seen the same events of a player: they agree on these two. */
    if (status == RWD_CONFLICT || status == RWD_INVALID) {
        *(status == RWD_CONFLICT ? &counts->duplicates : &counts->late) += 1;
        return RWD_OK;
    }
    if (status == RWD_OK && before) {
        counts->before++;
    } else if (status == RWD_OK) {
        counts->events++;
        widen(&counts->first_event_ms, &counts->last_event_ms, event->time_ms);
    } else if (status == RWD_LIMIT && worker->error.text[0] == '\0') {
        return fail_at(worker, status, item, "what the rules make of this event is too large");
    }
    return status;
}

/* The recorded change, where this side's task can take it. */
static enum rwd_status change_task(struct rwd_backtest_worker *worker, size_t side,
    const struct rwd_backtest_item *item, const struct rwd_task_body *body,
    struct rwd_player *player, bool *done)
{
    struct rwd_decision decision;
    if (rwd_decision_decode(body->decision, &worker->arena, &decision) != RWD_OK) {
        return fail_at(worker, RWD_CORRUPT, item, "the task command cannot be read");
    }
    struct rwd_decision part = {.now_ms = item->now_ms, .changes = decision.changes};
    for (size_t i = 0; i < decision.change_count; i++) {
        const struct rwd_task *task = rwd_player_task_find(player, decision.changes[i].id);
        if (task != NULL && rwd_task_status_allowed(task->status, decision.changes[i].status)) {
            part.changes[part.change_count++] = decision.changes[i];
        }
    }
    *done = part.change_count > 0;
    if (*done) {
        apply(worker, side, player, &part, item->now_ms);
    }
    return RWD_OK;
}

static enum rwd_status take_up_failed(struct rwd_backtest_worker *worker, size_t side,
    const struct rwd_backtest_item *item, const struct rwd_task_body *body,
    struct rwd_player *player, bool *done)
{
    struct rwd_task_command command = body->command;
    struct rwd_decision decision;
    struct rwd_error error;
    const struct rwd_task *known = rwd_player_task_find(player, command.id);
    command.task = known;
    *done = known != NULL &&
            rwd_decide_task(&worker->course->gates, worker->course->pools[side], &command, player,
                item->now_ms, &worker->arena, &decision, &error) == RWD_OK;
    if (*done) {
        apply(worker, side, player, &decision, item->now_ms);
    }
    return RWD_OK;
}

static enum rwd_status handle_command(
    struct rwd_backtest_worker *worker, const struct rwd_backtest_item *item, uint64_t no)
{
    struct rwd_task_body body;
    if (rwd_task_body_decode(item->body, &body) != RWD_OK) {
        return fail_at(worker, RWD_CORRUPT, item, "the task command cannot be read");
    }
    struct rwd_backtest_user *user =
        rwd_backtest_crowd_find(worker->crowd, body.user_id, item->user_fingerprint);
    bool matched = false;
    enum rwd_status status = RWD_OK;
    for (size_t i = 0; status == RWD_OK && user != NULL && i < worker->course->side_count; i++) {
        struct rwd_player *player = user->players[i];
        bool done = false;
        if (rwd_player_task_find(player, body.command.id) == NULL) {
            continue;
        }
        if (worker->course->worker_count > 1 && !wait_for_turn(worker, no)) {
            return RWD_UNAVAILABLE;
        }
        status = body.command.kind == RWD_TASK_REPROCESS || body.command.kind == RWD_TASK_DROP
                     ? take_up_failed(worker, i, item, &body, player, &done)
                     : change_task(worker, i, item, &body, player, &done);
        matched |= done && i == 0;
    }
    *(matched ? &worker->counts.commands : &worker->counts.commands_unmatched) += 1;
    return status;
}

/* Numbers of pools are the same for all; the first worker gives those that count their caps, when
 * all inputs before are done. */
static enum rwd_status handle_budget(
    struct rwd_backtest_worker *worker, const struct rwd_backtest_item *item, uint64_t no)
{
    struct rwd_backtest_course *course = worker->course;
    if (!wait_for_turn(worker, no)) {
        return RWD_UNAVAILABLE;
    }
    for (size_t i = 0; i < course->side_count; i++) {
        struct rwd_error error;
        uint32_t pool_no = 0;
        if (rwd_pools_put(course->pools[i], item->terms, 0, &pool_no, &error) != RWD_OK) {
            return fail_at(worker, RWD_INVALID, item, error.text);
        }
    }
    return RWD_OK;
}

/* The journal's word that this event was decided: it is here, too, with all that is before it. */
static enum rwd_status handle_release(
    struct rwd_backtest_worker *worker, const struct rwd_backtest_item *item, uint64_t no)
{
    struct rwd_event event = {0};
    enum rwd_status status = read_event(worker, item, &event);
    struct rwd_backtest_user *user = status == RWD_OK ? rwd_backtest_crowd_find(worker->crowd,
                                                            event.user_id, item->user_fingerprint)
                                                      : NULL;
    for (size_t i = 0; user != NULL && i < worker->course->side_count; i++) {
        while (status == RWD_OK &&
               rwd_waiting_find(user->players[i], event.time_ms, event.event_fingerprint) != NULL) {
            status = release_first(worker, i, no, item->now_ms, user);
        }
    }
    return status;
}

static enum rwd_status handle_tick(
    struct rwd_backtest_worker *worker, const struct rwd_backtest_item *item, uint64_t no)
{
    enum rwd_status status = RWD_OK;
    struct rwd_backtest_user *user =
        rwd_backtest_crowd_find(worker->crowd, item->body, item->user_fingerprint);
    for (size_t i = 0; user != NULL && i < worker->course->side_count; i++) {
        status = status == RWD_OK ? release_due(worker, i, no, item->now_ms, item->now_ms, user)
                                  : status;
        while (status == RWD_OK && item->waited && user->players[i]->waiting != NULL) {
            status = release_first(worker, i, no, item->now_ms, user);
        }
    }
    return status;
}

static enum rwd_status handle_item(
    struct rwd_backtest_worker *worker, const struct rwd_backtest_item *item, uint64_t no)
{
    switch (item->kind) {
    case RWD_BACKTEST_EVENT:
        return handle_event(worker, item, no);
    case RWD_BACKTEST_COMMAND:
        return handle_command(worker, item, no);
    case RWD_BACKTEST_BUDGET:
        return handle_budget(worker, item, no);
    case RWD_BACKTEST_RELEASE:
        return handle_release(worker, item, no);
    case RWD_BACKTEST_TICK:
        return handle_tick(worker, item, no);
    }
    return RWD_CORRUPT;
}

/* ---- blocks ---- */

static void foresee(const struct rwd_backtest_worker *worker,
    const struct rwd_backtest_block *block, const struct rwd_backtest_item *item)
{
    for (unsigned i = 0; i < 2 * FORESEE_DISTANCE && item->next != RWD_BACKTEST_NO_ITEM; i++) {
        item = &block->items[item->next];
        if (i == FORESEE_DISTANCE - 1) {
            rwd_backtest_crowd_foresee(worker->crowd, item->user_fingerprint, 1);
        }
    }
    rwd_backtest_crowd_foresee(worker->crowd, item->user_fingerprint, 0);
}

/* Those without limits refuse nothing, so they may know of a pool early. What cannot be put here
 * cannot be put where it counts either, which ends the run. */
static void foresee_pools(
    struct rwd_backtest_worker *worker, const struct rwd_backtest_block *block)
{
    for (size_t n = 0; n < block->count; n++) {
        const struct rwd_backtest_item *item = &block->items[n];
        for (size_t i = 0; item->kind == RWD_BACKTEST_BUDGET && i < worker->course->side_count;
             i++) {
            struct rwd_error error;
            (void)!put_without_limits(worker->sides[i].free_pools, item->terms, &error);
        }
    }
}

static void handle_block(struct rwd_backtest_worker *worker, const struct rwd_backtest_block *block)
{
    struct rwd_backtest_course *course = worker->course;
    _Atomic uint64_t *done = &course->places[worker->index].done;
    if (block->has_budgets && course->worker_count > 1) {
        foresee_pools(worker, block);
    }
    for (int32_t i = block->first[worker->index]; i != RWD_BACKTEST_NO_ITEM;
         i = block->items[i].next) {
        const struct rwd_backtest_item *item = &block->items[i];
        uint64_t no = block->first_no + (uint64_t)i;
        if (worker->status != RWD_OK ||
            atomic_load_explicit(&course->failed, memory_order_relaxed)) {
            return;
        }
        atomic_store_explicit(done, no, memory_order_release);
        foresee(worker, block, item);
        worker->status = handle_item(worker, item, no);
        rwd_arena_reset(&worker->arena, 1 << 20);
        if (worker->status != RWD_OK) {
            atomic_store(&course->failed, true);
            return;
        }
    }
    atomic_store_explicit(done, block->first_no + block->count, memory_order_release);
}

void rwd_backtest_worker_run(void *context)
{
    struct rwd_backtest_worker *worker = context;
    worker->status = make_rules(worker);
    if (worker->status != RWD_OK) {
        atomic_store(&worker->course->failed, true);
    }
    for (bool stopped = false; !stopped;) {
        struct rwd_message *message = rwd_mailbox_wait(worker->mailbox, -1);
        while (message != NULL) {
            struct rwd_message *next = message->next;
            if (message->kind == RWD_BACKTEST_STOP) {
                stopped = true;
            } else {
                struct rwd_backtest_block *block = ((struct rwd_backtest_handover *)message)->block;
                handle_block(worker, block);
                rwd_backtest_block_done(block);
            }
            message = next;
        }
    }
}
