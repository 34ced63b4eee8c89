/*
 * sim_engine: the engine in one thread, from one seed, with faults; then the books are checked.
 *
 *     sim_engine [first seed [how many [steps each]]]      a failure prints the seed that repeats
 * it
 *
 * The rooms are the real ones, opened and recovered by the supervisor: shards, journal, projector,
 * SQLite, files. Played here: clients who repeat what was not answered, the dispatcher and its
 * partner, people at their desks, the keeper's one switch, the clock, and power cuts, which
 * may tear the commit under way sector by sector. A roll of the dice says whose turn it is, so each
 * seed is another order of events, and the same on every run.
 *
 * At the end everything that was answered must be there once: points, milestones, tasks, payments,
 * ledger, budgets, and what rules in event time waited for. And a store that is thrown away comes
 * back the same, to the byte, from the journal.
 */
#include "sim.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/journal_thread.h"
#include "engine/projector.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

enum { SEED_COUNT = 12, STEP_COUNT = 3000, SETTLE_STEP_COUNT_MAX = 200000 };

/* ---- turns ---- */

static void turn(struct sim *sim)
{
    struct rwd_engine *engine = sim->engine;
    int wait_ms = 0;
    bool goes_on = true;
    switch (chance_below(&sim->chance, 9)) {
    case 0:
    case 1:
        sim_send_events(sim);
        break;
    case 2:
    case 3:
        goes_on = rwd_shard_turn(
            engine->shards[chance_below(&sim->chance, engine->shard_count)], &wait_ms);
        break;
    case 4:
        goes_on = rwd_journal_thread_turn(engine->journal, false);
        break;
    case 5:
        goes_on = rwd_projector_turn(engine->projector, false);
        break;
    case 6:
        sim_read_answers(sim);
        break;
    case 7:
        sim_dispatch(sim);
        if (chance_one_in(&sim->chance, 4)) {
            sim_people(sim);
        }
        break;
    default:
        sim_pass_ms(
            sim, chance_one_in(&sim->chance, 50) ? 5000 : chance_between(&sim->chance, 0, 20));
        break;
    }
    MUST(sim, goes_on, "a room has ended by itself");
    sim_check_caps(sim);
}

/* ---- the end ---- */

static bool all_answered(const struct sim *sim)
{
    for (size_t i = 0; i < sim->event_count; i++) {
        if (!sim->events[i].answered) {
            return false;
        }
    }
    return true;
}

static bool all_settled(struct sim *sim)
{
    struct rwd_store_counts counts;
    MUST_OK(sim, rwd_store_count(sim->engine->reader, &counts, &sim->error));
    bool clean = counts.tasks_by_status[RWD_TASK_PENDING] == 0 &&
                 counts.tasks_by_status[RWD_TASK_HELD] == 0 &&
                 counts.tasks_by_status[RWD_TASK_DISPATCHING] == 0;
    for (uint32_t i = 0; i < sim->engine->shard_count; i++) {
        const struct rwd_shard_metrics *metrics = rwd_shard_metrics(sim->engine->shards[i]);
        clean = clean && atomic_load(&metrics->dirty_players) == 0 &&
                atomic_load(&metrics->waiting_events) == 0;
    }
    uint64_t stored = atomic_load(&rwd_projector_metrics(sim->engine->projector)->position);
    return clean && stored == rwd_journal_durable(sim->engine->writer);
}

static void settle(struct sim *sim)
{
    for (int i = 0; i < SETTLE_STEP_COUNT_MAX && !all_answered(sim); i++) {
        turn(sim);
    }
    MUST(sim, all_answered(sim), "some events are never answered");
    for (uint32_t user = 0; user < USER_COUNT; user++) {
        sim_pass_ms(sim, 1);
        (void)sim_new_event(sim, KYC, user);
        sim->users[user].excluded = false;
        sim->users[user].rg_event = sim_new_event(sim, LIFTED, user);
    }
    for (int i = 0; i < SETTLE_STEP_COUNT_MAX; i++) {
        turn(sim);
        if (i % 100 == 0 && all_answered(sim) && sim->batch_count == 0 && all_settled(sim)) {
            return;
        }
    }
    MUST(sim, false, "it never comes to rest");
}

static void check_same(
    struct sim *sim, const char *what, struct rwd_buffer *before, struct rwd_buffer *after)
{
    MUST(sim, rwd_text_equal(rwd_buffer_text(before), rwd_buffer_text(after)),
        "%s of a store made anew from the journal differ", what);
    rwd_buffer_finish(before);
    rwd_buffer_finish(after);
}

static void check_rebuild(struct sim *sim)
{
    struct rwd_buffer players_before = sim_player_bytes(sim);
    struct rwd_buffer letters_before = sim_letter_bytes(sim);
    sim_lose_memory(sim);
    sim_lose_store(sim);
    sim_open_house(sim);
    sim_tell_shards(sim);
    for (int i = 0; i < SETTLE_STEP_COUNT_MAX && !all_settled(sim); i++) {
        sim_pass_ms(sim, 10);
        sim_walk(sim);
    }
    struct rwd_buffer players_after = sim_player_bytes(sim);
    struct rwd_buffer letters_after = sim_letter_bytes(sim);
    check_same(sim, "players", &players_before, &players_after);
    check_same(sim, "dead letters", &letters_before, &letters_after);
    sim_check_books(sim);
}

/* ---- one seed ---- */

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
         entry = readdir(folder)) {
        char inner[512];
        (void)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(inner) != 0) {
            remove_folder(inner);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    (void)rmdir(path);
}

static void simulate(uint64_t seed, int step_count)
{
    struct sim *sim = rwd_new(sizeof *sim);
    *sim = (struct sim){.seed = seed, .chance = {.state = seed}};
    (void)snprintf(sim->folder, sizeof sim->folder, "/tmp/rewardd-sim-XXXXXX");
    MUST(sim, mkdtemp(sim->folder) != NULL, "no folder");
    sim->events = rwd_new(EVENT_COUNT_MAX * sizeof sim->events[0]);
    sim->requests = rwd_new(TASK_COUNT_MAX * sizeof sim->requests[0]);
    sim->client = rwd_mailbox_create(BATCH_COUNT_MAX);
    sim->desk = rwd_mailbox_create(BATCH_COUNT_MAX);
    sim->office = rwd_mailbox_create(BATCH_COUNT_MAX);
    rwd_arena_init(&sim->arena, 1 << 16, 64 << 20);
    sim_load_config(sim);
    sim_load_rules(sim);
    sim_open_house(sim);
    sim_put_budget(sim, RWD_TEXT("wide"), 1000000, WIDE_SOFT_CAP_MINOR);
    sim_put_budget(sim, RWD_TEXT("tight"), TIGHT_CAP_MINOR, TIGHT_CAP_MINOR);
    sim->tight_cap_minor = TIGHT_CAP_MINOR;
    sim_put_rules(sim);
    sim_tell_shards(sim);
    for (int i = 0; i < step_count; i++) {
        if (chance_one_in(&sim->chance, 6)) {
            sim_act(sim);
        }
        turn(sim);
        if (chance_one_in(&sim->chance, 200)) {
            sim_crash(sim, chance_one_in(&sim->chance, 6));
        }
    }
    settle(sim);
    sim_check_books(sim);
    check_rebuild(sim);
    (void)printf("seed %llu: %zu events, %zu rewards, %llu requests, %llu crashes, %llu torn, %llu "
                 "stores lost\n",
        (unsigned long long)seed, sim->event_count, sim->request_count,
        (unsigned long long)sim->sent, (unsigned long long)sim->crashes,
        (unsigned long long)sim->torn, (unsigned long long)sim->stores_lost);
    sim_lose_memory(sim);
    for (uint32_t i = 0; i < RULE_COUNT; i++) {
        rwd_shared_rule_release(sim->rules[i]);
    }
    rwd_config_destroy(sim->config);
    rwd_mailbox_destroy(sim->client);
    rwd_mailbox_destroy(sim->desk);
    rwd_mailbox_destroy(sim->office);
    rwd_arena_finish(&sim->arena);
    rwd_free(sim->events);
    rwd_free(sim->requests);
    remove_folder(sim->folder);
    rwd_free(sim);
}

struct job {
    uint64_t first;
    uint64_t count;
    int steps;
};

static void run(void *context)
{
    const struct job *job = context;
    for (uint64_t i = 0; i < job->count; i++) {
        simulate(job->first + i, job->steps);
    }
}

int main(int argc, char **argv)
{
    rwd_log_set_level(RWD_LOG_ERROR);
    struct job job = {.first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1,
        .count = argc > 2 ? strtoull(argv[2], NULL, 10) : SEED_COUNT,
        .steps = argc > 3 ? (int)strtol(argv[3], NULL, 10) : STEP_COUNT};
    /* Rules run in here: they want the sandbox's stack. */
    struct rwd_thread thread;
    struct rwd_error error;
    RWD_REQUIRE(
        rwd_thread_start(&thread, "sim", RWD_SANDBOX_STACK_SIZE, run, &job, &error) == RWD_OK);
    rwd_thread_join(&thread);
    return 0;
}
