#include "sim.h"

#include <string.h>

/* As the API does it: the letter as a whole, in its new state, through its player's shard. */
static void drop(struct sim *sim, const struct rwd_dead_letter_row *letter)
{
    uint64_t fingerprint = rwd_fingerprint(sim->engine->fingerprint_key, letter->user_id);
    struct rwd_batch *batch =
        sim_new_batch(sim, rwd_engine_shard_of(sim->engine, fingerprint), sim->office);
    struct rwd_dead_letter_row *row = rwd_arena_alloc(&batch->arena, sizeof *row);
    MUST(sim, row != NULL, "no memory");
    *row = *letter;
    struct rwd_text *texts[] = {&row->letter_id, &row->lane, &row->reason, &row->pointer,
        &row->detail, &row->user_id, &row->reference, &row->body};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        texts[i]->data = rwd_arena_copy(&batch->arena, texts[i]->data, texts[i]->size);
        MUST(sim, texts[i]->data != NULL, "no memory");
    }
    row->status = RWD_TEXT("dropped");
    row->updated_ms = sim_wall_ms(sim);
    struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_DEAD_LETTER_CHANGE);
    input->user_fingerprint = fingerprint;
    input->dead_letter = row;
    sim_submit(sim, batch);
}

/* Large rewards above the soft cap wait for a person, who lets most of them go, and always what may
 * have been paid before. */
static void review(struct sim *sim, const struct rwd_task_row *task)
{
    uint64_t fingerprint = rwd_fingerprint(sim->engine->fingerprint_key, task->user_id);
    struct rwd_batch *batch =
        sim_new_batch(sim, rwd_engine_shard_of(sim->engine, fingerprint), sim->office);
    struct rwd_task_command *command = rwd_arena_alloc(&batch->arena, sizeof *command);
    char *user_id = rwd_arena_copy(&batch->arena, task->user_id.data, task->user_id.size);
    MUST(sim, command != NULL && user_id != NULL, "no memory");
    *command = (struct rwd_task_command){
        .kind = task->attempts == 0 && chance_one_in(&sim->chance, 3) ? RWD_TASK_REJECT
                                                                      : RWD_TASK_APPROVE,
        .user_id = {.data = user_id, .size = task->user_id.size},
        .actor = RWD_TEXT("ann"),
        .note = RWD_TEXT("seen")};
    MUST_OK(sim, rwd_task_id_parse(task->task_id, &command->id));
    struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_TASK);
    input->user_fingerprint = fingerprint;
    input->command = command;
    sim_submit(sim, batch);
}

static void look_at_letters(struct sim *sim)
{
    const struct rwd_store_filter filter = {.status = RWD_TEXT("open"), .limit = 8};
    struct rwd_dead_letter_row *letters = NULL;
    struct rwd_text cursor;
    size_t count = 0;
    MUST_OK(sim, rwd_store_dead_letters(sim->engine->reader, &filter, &sim->arena, &letters, &count,
                     &cursor, &sim->error));
    if (count > 0) {
        drop(sim, &letters[chance_below(&sim->chance, (uint32_t)count)]);
    }
}

static void look_at_holds(struct sim *sim)
{
    const struct rwd_store_filter filter = {.status = RWD_TEXT("held"), .limit = 64};
    struct rwd_task_row *tasks = NULL;
    struct rwd_text cursor;
    size_t count = 0;
    MUST_OK(sim, rwd_store_tasks(sim->engine->reader, &filter, &sim->arena, &tasks, &count, &cursor,
                     &sim->error));
    for (size_t i = 0; i < count; i++) {
        if (rwd_text_is(tasks[i].reason, "budget_review")) {
            review(sim, &tasks[i]);
            return;
        }
    }
}

/* The budget that is used up grows by one reward at a time. */
static void raise_cap(struct sim *sim)
{
    struct rwd_batch *batch = sim_new_batch(sim, 0, sim->office);
    struct rwd_budget_row *row = rwd_arena_alloc(&batch->arena, sizeof *row);
    MUST(sim, row != NULL, "no memory");
    *row = (struct rwd_budget_row){.pool_id = RWD_TEXT("tight"),
        .currency = RWD_TEXT("EUR"),
        .period = RWD_TEXT("season"),
        .hard_cap_minor = sim->tight_cap_minor + 10,
        .soft_cap_minor = sim->tight_cap_minor + 10,
        .actor = RWD_TEXT("ann")};
    rwd_batch_add(batch, RWD_INPUT_BUDGET)->budget = row;
    sim->cap_under_way = true;
    sim_submit(sim, batch);
}

static void read_office(struct sim *sim)
{
    struct rwd_message *message = rwd_mailbox_take(sim->office);
    while (message != NULL) {
        struct rwd_message *next = message->next;
        struct rwd_batch *batch = (struct rwd_batch *)message;
        const struct rwd_input *input = &batch->inputs[0];
        if (input->kind == RWD_INPUT_BUDGET) {
            MUST(sim, input->outcome == RWD_OUTCOME_ACCEPTED, "a cap is not raised");
            sim->tight_cap_minor = input->budget->hard_cap_minor;
            sim->cap_under_way = false;
        }
        sim_free_batch(sim, batch);
        message = next;
    }
}

void sim_people(struct sim *sim)
{
    read_office(sim);
    if (sim->batch_count < BATCH_COUNT_MAX / 2) {
        look_at_letters(sim);
        look_at_holds(sim);
        if (!sim->cap_under_way && chance_one_in(&sim->chance, 8)) {
            raise_cap(sim);
        }
    }
    rwd_arena_reset(&sim->arena, 1 << 20);
}

struct rwd_buffer sim_letter_bytes(struct sim *sim)
{
    struct rwd_buffer bytes = {0};
    const struct rwd_store_filter filter = {.limit = RWD_STORE_LIST_COUNT_MAX};
    struct rwd_dead_letter_row *letters = NULL;
    struct rwd_text cursor;
    size_t count = 0;
    MUST_OK(sim, rwd_store_dead_letters(sim->engine->reader, &filter, &sim->arena, &letters, &count,
                     &cursor, &sim->error));
    MUST(sim, cursor.size == 0, "more dead letters than a page takes");
    for (size_t i = 0; i < count; i++) {
        rwd_dead_letter_encode(&letters[i], &bytes);
    }
    return bytes;
}
