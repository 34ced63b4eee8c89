#include "sim.h"

#include <string.h>

struct sim_event *sim_new_event(struct sim *sim, enum kind kind, uint32_t user)
{
    MUST(sim, sim->event_count < EVENT_COUNT_MAX, "too many events");
    struct sim_event *event = &sim->events[sim->event_count++];
    *event = (struct sim_event){.kind = kind, .user = user, .time_ms = sim_wall_ms(sim)};
    return event;
}

/* A user does something new: mostly a bet, out of order within the reorder window. */
void sim_act(struct sim *sim)
{
    uint32_t user = chance_below(&sim->chance, USER_COUNT);
    struct sim_user *who = &sim->users[user];
    uint32_t dice = chance_below(&sim->chance, 40);
    if (dice == 0 && !who->verified) {
        who->verified = true;
        (void)sim_new_event(sim, KYC, user);
    } else if (dice <= 2 && who->rg_event == NULL) {
        who->rg_event = sim_new_event(sim, who->excluded ? LIFTED : EXCLUSION, user);
        who->excluded = false;
    } else {
        struct sim_event *bet = sim_new_event(sim, BET, user);
        bet->time_ms -= chance_between(&sim->chance, 0, 50000);
        bet->stake = chance_between(&sim->chance, 0, 80);
    }
}

uint64_t sim_fingerprint_of(const struct sim *sim, uint32_t user, char id[8])
{
    (void)snprintf(id, 8, "u%u", user);
    return rwd_fingerprint(sim->engine->fingerprint_key, rwd_text_of(id));
}

static void add_event(struct sim *sim, struct rwd_batch *batch, struct sim_event *event)
{
    static const struct rwd_json_limits limits = {
        .depth_max = 32, .node_count_max = 1000, .size_max = 1 << 16};
    static const char *const names[] = {"bet", "kyc_status_changed", "rg_event", "rg_event"};
    char payload[64];
    char time_text[RWD_TIME_TEXT_SIZE];
    char raw[512];
    rwd_time_format(event->time_ms, time_text);
    static const char *const payloads[] = {NULL, "{\"level\":2}",
        "{\"type\":\"self_exclusion\",\"until\":null}", "{\"type\":\"lifted\",\"until\":null}"};
    (void)snprintf(payload, sizeof payload, "{\"stake\":%lld}", (long long)event->stake);
    int size = snprintf(raw, sizeof raw,
        "{\"event_id\":\"e%zu\",\"event_name\":\"%s\",\"version\":\"1.0.0\",\"ts\":\"%s\","
        "\"user\":{\"id\":\"u%u\",\"geo\":\"TR\"},\"payload\":%s}",
        (size_t)(event - sim->events), names[event->kind], time_text, event->user,
        event->kind == BET ? payload : payloads[event->kind]);
    struct rwd_text text = {
        .data = rwd_arena_copy(&batch->arena, raw, (size_t)size), .size = (size_t)size};
    struct rwd_json json;
    struct rwd_json_fault fault;
    struct rwd_problem problem;
    size_t consumed = 0;
    struct rwd_input *input = rwd_batch_add(batch, RWD_INPUT_EVENT);
    MUST(sim,
        rwd_json_scan(text, &limits, &batch->arena, &json, &consumed, &fault) == RWD_OK &&
            rwd_event_read(text, &json, sim->engine->fingerprint_key, sim_wall_ms(sim),
                &input->event, &problem) == RWD_OK,
        "%s", raw);
    input->user_fingerprint = input->event.user_fingerprint;
    input->origin = event;
    event->under_way = true;
}

/* Some of what one shard has not answered yet, in any order, now and then what it has. */
void sim_send_events(struct sim *sim)
{
    if (sim->event_count == 0 || sim->batch_count > BATCH_COUNT_MAX / 2) {
        return;
    }
    uint32_t shard = chance_below(&sim->chance, sim->engine->shard_count);
    struct rwd_batch *batch = NULL;
    size_t first = chance_below(&sim->chance, (uint32_t)sim->event_count);
    for (size_t i = 0; i < sim->event_count; i++) {
        struct sim_event *event = &sim->events[(first + i) % sim->event_count];
        char id[8];
        bool again = event->answered && chance_one_in(&sim->chance, 500);
        if (event->under_way || (event->answered && !again) ||
            rwd_engine_shard_of(sim->engine, sim_fingerprint_of(sim, event->user, id)) != shard) {
            continue;
        }
        if (batch == NULL) {
            batch = sim_new_batch(sim, shard, sim->client);
        }
        add_event(sim, batch, event);
        if (batch->count == BATCH_EVENT_COUNT_MAX) {
            break;
        }
    }
    if (batch != NULL) {
        sim_submit(sim, batch);
    }
}

static void answered(struct sim *sim, const struct rwd_input *input)
{
    struct sim_event *event = input->origin;
    event->under_way = false;
    MUST(sim,
        input->outcome == RWD_OUTCOME_DUPLICATE ||
            (input->outcome == RWD_OUTCOME_ACCEPTED && !event->answered),
        "event e%zu got outcome %d%s", (size_t)(event - sim->events), (int)input->outcome,
        event->answered ? " though it had been answered" : "");
    event->answered = true;
    struct sim_user *who = &sim->users[event->user];
    if (who->rg_event == event) {
        who->excluded = event->kind == EXCLUSION;
        who->rg_event = NULL;
    }
}

void sim_read_answers(struct sim *sim)
{
    struct rwd_message *message = rwd_mailbox_take(sim->client);
    while (message != NULL) {
        struct rwd_message *next = message->next;
        struct rwd_batch *batch = (struct rwd_batch *)message;
        for (size_t i = 0; i < batch->count; i++) {
            answered(sim, &batch->inputs[i]);
        }
        sim_free_batch(sim, batch);
        message = next;
    }
}
