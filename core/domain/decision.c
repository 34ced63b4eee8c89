#include "domain/decision.h"

#include "base/wire.h"
#include "domain/player_codec.h"
#include "domain/waiting.h"

#include <string.h>

enum {
    ENCODING = 2,
    FLAG_LATE = 1,
    FLAG_EVENT = 2,
    FLAG_PROFILE = 4,
    FLAG_WAITS = 8,
    FLAG_RELEASE = 16,
};

const char *rwd_rule_verdict_name(enum rwd_rule_verdict verdict)
{
    static const char *const names[RWD_RULE_VERDICT_COUNT] = {"fired", "not_active", "where.geo",
        "where.platform", "where.payer", "where.segment", "where.currency", "where.weekday",
        "where.hour", "when_false", "score_zero", "capped", "grant_nil", "error", "suspended",
        "counted", "other_version", "waiting", "not_waiting"};
    return (unsigned)verdict < RWD_RULE_VERDICT_COUNT ? names[verdict] : "unknown";
}

const char *rwd_release_name(enum rwd_release release)
{
    static const char *const names[RWD_RELEASE_COUNT] = {"", "order", "time", "full"};
    return (unsigned)release < RWD_RELEASE_COUNT ? names[release] : "unknown";
}

const char *rwd_cap_name(enum rwd_cap cap)
{
    static const char *const names[] = {"", "per_event", "per_minute", "per_hour", "per_day"};
    return (unsigned)cap < sizeof names / sizeof names[0] ? names[cap] : "unknown";
}

static void put_scalar(struct rwd_buffer *out, const struct rwd_scalar *scalar)
{
    rwd_wire_put_u8(out, (uint8_t)scalar->type);
    switch (scalar->type) {
    case RWD_SCALAR_NIL:
        break;
    case RWD_SCALAR_BOOLEAN:
        rwd_wire_put_u8(out, scalar->boolean);
        break;
    case RWD_SCALAR_NUMBER: {
        uint64_t bits;
        memcpy(&bits, &scalar->number, sizeof bits);
        rwd_wire_put_u64(out, bits);
        break;
    }
    case RWD_SCALAR_TEXT:
        rwd_wire_put_text(out, scalar->text);
        break;
    }
}

static struct rwd_scalar read_scalar(struct rwd_wire *wire)
{
    struct rwd_scalar scalar = {0};
    uint8_t type = rwd_wire_u8(wire);
    scalar.type = (enum rwd_scalar_type)type;
    if (type == RWD_SCALAR_BOOLEAN) {
        scalar.boolean = rwd_wire_u8(wire) != 0;
    } else if (type == RWD_SCALAR_NUMBER) {
        uint64_t bits = rwd_wire_u64(wire);
        memcpy(&scalar.number, &bits, sizeof bits);
    } else if (type == RWD_SCALAR_TEXT) {
        scalar.text = rwd_wire_text(wire);
    } else if (type != RWD_SCALAR_NIL) {
        wire->failed = true;
    }
    return scalar;
}

static void encode_effect(const struct rwd_rule_effect *effect, struct rwd_buffer *out)
{
    rwd_wire_put_varint(out, effect->rule_no);
    rwd_wire_put_varint(out, effect->version_no);
    rwd_wire_put_varint(out, effect->points_raw);
    rwd_wire_put_varint(out, effect->points);
    rwd_wire_put_u8(out, (uint8_t)effect->cap);
    rwd_wire_put_u8(out, effect->counted);
    rwd_wire_put_u8(out, effect->has_state);
    if (effect->has_state) {
        rwd_wire_put_text(out, effect->state);
    }
    rwd_wire_put_varint(out, effect->update_count);
    for (size_t i = 0; i < effect->update_count; i++) {
        const struct rwd_aggregate_update *update = &effect->updates[i];
        rwd_wire_put_u64(out, update->key);
        rwd_wire_put_u8(out, (uint8_t)update->operation);
        rwd_wire_put_u8(out, (uint8_t)update->window);
        rwd_wire_put_signed(out, update->value);
        put_scalar(out, &update->scalar);
    }
    rwd_wire_put_varint(out, effect->milestone_count);
    for (size_t i = 0; i < effect->milestone_count; i++) {
        rwd_wire_put_varint(out, effect->milestones[i]);
    }
    rwd_wire_put_text(out, effect->arm);
}

/* NULL where the arena is full: the wire then fails without a place, which tells it from damage. */
static void *room(struct rwd_wire *wire, struct rwd_arena *arena, size_t count, size_t size)
{
    if (count == 0 || wire->failed) {
        return NULL;
    }
    void *memory = rwd_arena_alloc(arena, count * size);
    if (memory == NULL) {
        *wire = (struct rwd_wire){.failed = true};
    }
    return memory;
}

static void decode_effect(
    struct rwd_wire *wire, struct rwd_arena *arena, struct rwd_rule_effect *effect)
{
    *effect = (struct rwd_rule_effect){.rule_no = (uint32_t)rwd_wire_varint(wire)};
    effect->version_no = (uint32_t)rwd_wire_varint(wire);
    effect->points_raw = rwd_wire_varint(wire);
    effect->points = rwd_wire_varint(wire);
    effect->cap = (enum rwd_cap)rwd_wire_u8(wire);
    effect->counted = rwd_wire_u8(wire);
    effect->has_state = rwd_wire_u8(wire) != 0;
    if (effect->has_state) {
        effect->state = rwd_wire_text(wire);
    }
    size_t update_count = rwd_wire_count(wire, sizeof(uint64_t));
    effect->updates = room(wire, arena, update_count, sizeof effect->updates[0]);
    for (; effect->update_count < update_count && !wire->failed; effect->update_count++) {
        struct rwd_aggregate_update *update = &effect->updates[effect->update_count];
        update->key = rwd_wire_u64(wire);
        update->operation = (enum rwd_aggregate_operation)rwd_wire_u8(wire);
        update->window = (enum rwd_window)rwd_wire_u8(wire);
        update->value = rwd_wire_signed(wire);
        update->scalar = read_scalar(wire);
        wire->failed |= update->operation > RWD_AGGREGATE_LAST || update->window > RWD_WINDOW_ALL;
    }
    size_t milestone_count = rwd_wire_count(wire, 1);
    effect->milestones = room(wire, arena, milestone_count, sizeof effect->milestones[0]);
    for (; effect->milestone_count < milestone_count && !wire->failed; effect->milestone_count++) {
        effect->milestones[effect->milestone_count] = rwd_wire_varint(wire);
    }
    effect->arm = rwd_wire_text(wire);
}

static void encode_change(const struct rwd_task_change *change, struct rwd_buffer *out)
{
    rwd_buffer_put(out, change->id.bytes, sizeof change->id.bytes);
    rwd_wire_put_u8(out, (uint8_t)change->status);
    rwd_wire_put_u8(out, (uint8_t)change->reason);
    rwd_wire_put_varint(out, change->attempts);
    rwd_wire_put_signed(out, change->next_attempt_ms);
    rwd_wire_put_text(out, rwd_text_of(change->payout_id));
}

static void decode_change(struct rwd_wire *wire, struct rwd_task_change *change)
{
    *change = (struct rwd_task_change){0};
    for (size_t i = 0; i < RWD_TASK_ID_SIZE; i++) {
        change->id.bytes[i] = rwd_wire_u8(wire);
    }
    uint8_t status = rwd_wire_u8(wire);
    uint8_t reason = rwd_wire_u8(wire);
    wire->failed |= status >= RWD_TASK_STATUS_COUNT || reason >= RWD_TASK_REASON_COUNT;
    change->status = (enum rwd_task_status)status;
    change->reason = (enum rwd_task_reason)reason;
    change->attempts = (uint32_t)rwd_wire_varint(wire);
    change->next_attempt_ms = rwd_wire_signed(wire);
    struct rwd_text payout_id = rwd_wire_text(wire);
    if (payout_id.size > RWD_PAYOUT_ID_SIZE_MAX) {
        wire->failed = true;
    } else if (payout_id.size > 0) {
        memcpy(change->payout_id, payout_id.data, payout_id.size);
    }
}

static void encode_waits(const struct rwd_waiting_event *waits, struct rwd_buffer *out)
{
    rwd_wire_put_text(out, waits->event_id);
    rwd_wire_put_varint(out, waits->rule_count);
    for (size_t i = 0; i < waits->rule_count; i++) {
        rwd_wire_put_varint(out, waits->rule_nos[i]);
    }
}

static void decode_waits(
    struct rwd_wire *wire, struct rwd_arena *arena, struct rwd_decision *decision)
{
    struct rwd_text event_id = rwd_wire_text(wire);
    size_t count = rwd_wire_count(wire, 1);
    wire->failed |= count == 0;
    struct rwd_waiting_event *waits = room(wire, arena, 1, sizeof *waits);
    uint32_t *rule_nos = room(wire, arena, count, sizeof rule_nos[0]);
    if (waits == NULL || rule_nos == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        rule_nos[i] = (uint32_t)rwd_wire_varint(wire);
    }
    *waits = (struct rwd_waiting_event){.event_ms = decision->event_ms,
        .ingest_ms = decision->now_ms,
        .fingerprint = decision->event_fingerprint,
        .event_id = event_id,
        .rule_nos = rule_nos,
        .rule_count = count};
    decision->waits = waits;
}

static uint8_t flags_of(const struct rwd_decision *decision)
{
    return (uint8_t)((decision->late ? FLAG_LATE : 0) | (decision->has_event ? FLAG_EVENT : 0) |
                     (decision->profile != NULL ? FLAG_PROFILE : 0) |
                     (decision->waits != NULL ? FLAG_WAITS : 0) |
                     (decision->release != RWD_RELEASE_NONE ? FLAG_RELEASE : 0));
}

bool rwd_decision_waits(struct rwd_text bytes)
{
    return bytes.size > 1 && ((uint8_t)bytes.data[1] & FLAG_WAITS) != 0;
}

void rwd_decision_encode(const struct rwd_decision *decision, struct rwd_buffer *out)
{
    rwd_wire_put_u8(out, ENCODING);
    rwd_wire_put_u8(out, flags_of(decision));
    rwd_wire_put_signed(out, decision->now_ms);
    if (decision->has_event) {
        rwd_wire_put_signed(out, decision->event_ms - decision->now_ms);
        rwd_wire_put_u64(out, decision->event_fingerprint);
        rwd_wire_put_varint(out, decision->rulebook_no);
        rwd_wire_put_text(out, (struct rwd_text){.data = (const char *)decision->verdicts,
                                   .size = decision->verdict_count});
        if (decision->waits != NULL) {
            encode_waits(decision->waits, out);
        }
        if (decision->release != RWD_RELEASE_NONE) {
            rwd_wire_put_u8(out, (uint8_t)decision->release);
        }
    }
    if (decision->profile != NULL) {
        rwd_profile__encode(decision->profile, out);
    }
    rwd_wire_put_varint(out, decision->effect_count);
    for (size_t i = 0; i < decision->effect_count; i++) {
        encode_effect(&decision->effects[i], out);
    }
    rwd_wire_put_varint(out, decision->task_count);
    for (size_t i = 0; i < decision->task_count; i++) {
        rwd_task_encode(&decision->tasks[i], out);
    }
    rwd_wire_put_varint(out, decision->change_count);
    for (size_t i = 0; i < decision->change_count; i++) {
        encode_change(&decision->changes[i], out);
    }
    rwd_wire_put_varint(out, decision->exposure_count);
    for (size_t i = 0; i < decision->exposure_count; i++) {
        rwd_wire_put_varint(out, decision->exposures[i].experiment_no);
        rwd_wire_put_varint(out, decision->exposures[i].version_no);
        rwd_wire_put_text(out, decision->exposures[i].arm);
        rwd_wire_put_text(out, decision->exposures[i].stratum);
    }
}

static void decode_exposures(
    struct rwd_wire *wire, struct rwd_arena *arena, struct rwd_decision *decision)
{
    size_t count = rwd_wire_count(wire, 4);
    decision->exposures = room(wire, arena, count, sizeof decision->exposures[0]);
    for (; decision->exposure_count < count && !wire->failed; decision->exposure_count++) {
        struct rwd_exposure *exposure = &decision->exposures[decision->exposure_count];
        exposure->experiment_no = (uint32_t)rwd_wire_varint(wire);
        exposure->version_no = (uint32_t)rwd_wire_varint(wire);
        exposure->arm = rwd_wire_text(wire);
        exposure->stratum = rwd_wire_text(wire);
        wire->failed |= exposure->arm.size == 0 || exposure->arm.size >= RWD_ARM_NAME_SIZE_MAX;
    }
}

static void decode_lists(
    struct rwd_wire *wire, struct rwd_arena *arena, struct rwd_decision *decision)
{
    size_t effect_count = rwd_wire_count(wire, 1);
    decision->effects = room(wire, arena, effect_count, sizeof decision->effects[0]);
    for (; decision->effect_count < effect_count && !wire->failed; decision->effect_count++) {
        decode_effect(wire, arena, &decision->effects[decision->effect_count]);
    }
    size_t task_count = rwd_wire_count(wire, RWD_TASK_ID_SIZE);
    decision->tasks = room(wire, arena, task_count, sizeof decision->tasks[0]);
    for (; decision->task_count < task_count && !wire->failed; decision->task_count++) {
        rwd_task_decode(wire, &decision->tasks[decision->task_count]);
    }
    size_t change_count = rwd_wire_count(wire, RWD_TASK_ID_SIZE);
    decision->changes = room(wire, arena, change_count, sizeof decision->changes[0]);
    for (; decision->change_count < change_count && !wire->failed; decision->change_count++) {
        decode_change(wire, &decision->changes[decision->change_count]);
    }
    decode_exposures(wire, arena, decision);
}

enum rwd_status rwd_decision_decode(
    struct rwd_text bytes, struct rwd_arena *arena, struct rwd_decision *decision)
{
    struct rwd_wire wire = rwd_wire_of(bytes.data, bytes.size);
    *decision = (struct rwd_decision){0};
    if (rwd_wire_u8(&wire) != ENCODING) {
        return RWD_CORRUPT;
    }
    uint8_t flags = rwd_wire_u8(&wire);
    decision->late = (flags & FLAG_LATE) != 0;
    decision->has_event = (flags & FLAG_EVENT) != 0;
    decision->now_ms = rwd_wire_signed(&wire);
    if (decision->has_event) {
        decision->event_ms = decision->now_ms + rwd_wire_signed(&wire);
        decision->event_fingerprint = rwd_wire_u64(&wire);
        decision->rulebook_no = (uint32_t)rwd_wire_varint(&wire);
        struct rwd_text verdicts = rwd_wire_text(&wire);
        decision->verdicts = (const uint8_t *)verdicts.data;
        decision->verdict_count = verdicts.size;
        if ((flags & FLAG_WAITS) != 0) {
            decode_waits(&wire, arena, decision);
        }
        if ((flags & FLAG_RELEASE) != 0) {
            uint8_t release = rwd_wire_u8(&wire);
            wire.failed |= release == RWD_RELEASE_NONE || release >= RWD_RELEASE_COUNT;
            decision->release = (enum rwd_release)release;
        }
    }
    if ((flags & FLAG_PROFILE) != 0) {
        struct rwd_profile *profile = room(&wire, arena, 1, sizeof *profile);
        if (profile != NULL) {
            rwd_profile__decode(&wire, profile);
        }
        decision->profile = profile;
    }
    decode_lists(&wire, arena, decision);
    if (wire.failed && wire.at == NULL) {
        return RWD_LIMIT;
    }
    return rwd_wire_done(&wire) ? RWD_OK : RWD_CORRUPT;
}

void rwd_state_encode(
    const struct rwd_rule *rule, const struct rwd_scalar *values, struct rwd_buffer *out)
{
    rwd_wire_put_varint(out, rule->state_count);
    for (size_t i = 0; i < rule->state_count; i++) {
        rwd_wire_put_text(out, rwd_text_of(rule->states[i].name));
        put_scalar(out, &values[i]);
    }
}

enum rwd_status rwd_state_decode(
    const struct rwd_rule *rule, struct rwd_text bytes, struct rwd_scalar *values)
{
    for (size_t i = 0; i < rule->state_count; i++) {
        values[i] = rule->states[i].initial;
    }
    if (bytes.size == 0) {
        return RWD_OK;
    }
    struct rwd_wire wire = rwd_wire_of(bytes.data, bytes.size);
    size_t count = rwd_wire_count(&wire, 2);
    size_t next = 0;
    for (size_t i = 0; i < count && !wire.failed; i++) {
        struct rwd_text name = rwd_wire_text(&wire);
        struct rwd_scalar value = read_scalar(&wire);
        /* Both sides are ascending by name. */
        while (next < rule->state_count &&
               rwd_text_compare(rwd_text_of(rule->states[next].name), name) < 0) {
            next++;
        }
        if (next < rule->state_count && rwd_text_is(name, rule->states[next].name)) {
            values[next] = value;
        }
    }
    return rwd_wire_done(&wire) ? RWD_OK : RWD_CORRUPT;
}
