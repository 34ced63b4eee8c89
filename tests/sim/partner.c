#include "sim.h"

#include <string.h>

enum { ATTEMPT_COUNT_MAX = 4 };

struct request *sim_request_of(struct sim *sim, struct rwd_task_id id)
{
    for (size_t i = 0; i < sim->request_count; i++) {
        if (rwd_task_id_equal(sim->requests[i].id, id)) {
            return &sim->requests[i];
        }
    }
    MUST(sim, sim->request_count < TASK_COUNT_MAX, "too many requests");
    sim->requests[sim->request_count] = (struct request){.id = id};
    return &sim->requests[sim->request_count++];
}

/* Pays and says so; pays and is not heard; is down; refuses for good. In the end it works. */
static enum rwd_task_command_kind send_to_partner(struct sim *sim, struct rwd_task_id id)
{
    struct request *request = sim_request_of(sim, id);
    uint32_t dice = chance_below(&sim->chance, 10);
    sim->sent++;
    if (request->refused || (++request->times == 1 && dice == 0)) {
        request->refused = true;
        return RWD_TASK_REFUSED;
    }
    if (request->times < 4 && dice < 3) {
        return RWD_TASK_RETRY;
    }
    request->paid = true;
    return request->times < 4 && dice < 5 ? RWD_TASK_RETRY : RWD_TASK_SUCCESS;
}

static void command(struct sim *sim, struct delivery *delivery, enum rwd_task_command_kind kind)
{
    char user_id[8];
    uint64_t fingerprint = sim_fingerprint_of(sim, delivery->user, user_id);
    struct rwd_batch *batch =
        sim_new_batch(sim, rwd_engine_shard_of(sim->engine, fingerprint), sim->desk);
    struct rwd_task_command *given = rwd_arena_alloc(&batch->arena, sizeof *given);
    char *kept = rwd_arena_copy(&batch->arena, user_id, strlen(user_id));
    MUST(sim, given != NULL && kept != NULL, "no memory");
    *given = (struct rwd_task_command){.kind = kind,
        .id = delivery->id,
        .user_id = {.data = kept, .size = strlen(user_id)},
        .attempt = delivery->attempts,
        .attempt_count_max = ATTEMPT_COUNT_MAX,
        .retry_at_ms = sim_wall_ms(sim) + chance_between(&sim->chance, 0, 2000),
        .payout_id = kind == RWD_TASK_SUCCESS ? RWD_TEXT("p") : (struct rwd_text){0},
        .note = RWD_TEXT("simulated"),
        .http_status = kind == RWD_TASK_SUCCESS ? 200 : 500,
        .endpoint = RWD_TEXT("wallet")};
    struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_TASK);
    input->origin = delivery;
    input->user_fingerprint = fingerprint;
    input->command = given;
    sim_submit(sim, batch);
}

static void command_home(struct sim *sim, const struct rwd_input *input)
{
    struct delivery *delivery = input->origin;
    const struct sim_user *who = &sim->users[delivery->user];
    bool may_send = delivery->state == CLAIMING && input->outcome == RWD_OUTCOME_ACCEPTED &&
                    input->task->status == RWD_TASK_DISPATCHING;
    if (!may_send) {
        delivery->state = FREE;
        return;
    }
    /* Excluded from before the claim to after it: nothing may leave. */
    MUST(sim, !(delivery->excluded && who->excluded), "u%u is excluded and would be paid",
        delivery->user);
    delivery->attempts = input->task->attempts;
    delivery->result = send_to_partner(sim, delivery->id);
    delivery->state = SENDING;
}

static struct delivery *delivery_of(struct sim *sim, struct rwd_task_id id)
{
    struct delivery *found = NULL;
    for (size_t i = 0; i < DELIVERY_COUNT_MAX; i++) {
        struct delivery *at = &sim->deliveries[i];
        if (at->state != FREE && rwd_task_id_equal(at->id, id)) {
            return NULL; /* under way */
        }
        found = at->state == FREE ? at : found;
    }
    return found;
}

static void take_up(struct sim *sim, const struct rwd_task_row *rows, size_t count)
{
    for (size_t i = 0; i < count && sim->batch_count < BATCH_COUNT_MAX / 2; i++) {
        struct rwd_task_id id;
        MUST_OK(sim, rwd_task_id_parse(rows[i].task_id, &id));
        struct delivery *delivery = delivery_of(sim, id);
        if (delivery == NULL) {
            continue;
        }
        char user_id[8] = "";
        memcpy(user_id, rows[i].user_id.data, rows[i].user_id.size);
        *delivery = (struct delivery){
            .state = CLAIMING, .id = id, .user = (uint32_t)strtoul(user_id + 1, NULL, 10)};
        delivery->excluded = sim->users[delivery->user].excluded;
        bool held = rwd_text_is(rows[i].status, "held");
        command(sim, delivery, held ? RWD_TASK_TICK : RWD_TASK_CLAIM);
    }
}

static void look_for_due(struct sim *sim)
{
    struct rwd_text kinds[RWD_REWARD_KIND_COUNT];
    for (int i = 0; i < RWD_REWARD_KIND_COUNT; i++) {
        kinds[i] = rwd_text_of(rwd_reward_kind_name((enum rwd_reward_kind)i));
    }
    struct rwd_task_row *rows = NULL;
    size_t count = 0;
    MUST_OK(sim,
        rwd_store_tasks_due(sim->engine->reader, sim_wall_ms(sim), kinds, RWD_REWARD_KIND_COUNT,
            DELIVERY_COUNT_MAX, &sim->arena, &rows, &count, &sim->error));
    take_up(sim, rows, count);
    MUST_OK(sim,
        rwd_store_tasks_dispatching(sim->engine->reader, &sim->arena, &rows, &count, &sim->error));
    take_up(sim, rows, count);
    rwd_arena_reset(&sim->arena, 1 << 20);
}

void sim_dispatch(struct sim *sim)
{
    struct rwd_message *message = rwd_mailbox_take(sim->desk);
    while (message != NULL) {
        struct rwd_message *next = message->next;
        struct rwd_batch *batch = (struct rwd_batch *)message;
        command_home(sim, &batch->inputs[0]);
        sim_free_batch(sim, batch);
        message = next;
    }
    for (size_t i = 0; i < DELIVERY_COUNT_MAX; i++) {
        struct delivery *delivery = &sim->deliveries[i];
        if (delivery->state == SENDING && chance_one_in(&sim->chance, 2)) {
            delivery->state = REPORTING;
            command(sim, delivery, delivery->result);
        }
    }
    if (chance_one_in(&sim->chance, 4)) {
        look_for_due(sim);
    }
}
