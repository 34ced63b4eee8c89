#include "engine/records.h"

#include "base/wire.h"

#include <stdio.h>

/* A decision with its size before it, without a second buffer: the size is filled in afterwards. */
static void put_decision(const struct rwd_decision *decision, struct rwd_buffer *out)
{
    size_t at = out->size;
    rwd_wire_put_u32(out, 0);
    rwd_decision_encode(decision, out);
    uint32_t size = (uint32_t)(out->size - at - sizeof size);
    __builtin_memcpy(out->data + at, &size, sizeof size);
}

static struct rwd_text read_decision(struct rwd_wire *wire)
{
    uint32_t size = rwd_wire_u32(wire);
    if (wire->failed || size > (size_t)(wire->end - wire->at)) {
        wire->failed = true;
        return (struct rwd_text){0};
    }
    struct rwd_text text = {.data = (const char *)wire->at, .size = size};
    wire->at += size;
    return text;
}

void rwd_event_body_encode(
    struct rwd_text user_id, const struct rwd_decision *decision, struct rwd_buffer *out)
{
    rwd_wire_put_text(out, user_id);
    put_decision(decision, out);
}

enum rwd_status rwd_event_body_decode(struct rwd_text body, struct rwd_event_body *decoded)
{
    struct rwd_wire wire = rwd_wire_of(body.data, body.size);
    decoded->user_id = rwd_wire_text(&wire);
    decoded->decision = read_decision(&wire);
    decoded->raw =
        (struct rwd_text){.data = (const char *)wire.at, .size = (size_t)(wire.end - wire.at)};
    return wire.failed ? RWD_CORRUPT : RWD_OK;
}

void rwd_task_body_encode(const struct rwd_task_command *command,
    const struct rwd_decision *decision, struct rwd_buffer *out)
{
    rwd_wire_put_text(out, command->user_id);
    put_decision(decision, out);
    rwd_wire_put_u8(out, (uint8_t)command->kind);
    rwd_buffer_put(out, command->id.bytes, sizeof command->id.bytes);
    rwd_wire_put_varint(out, command->attempt);
    rwd_wire_put_text(out, command->actor);
    rwd_wire_put_text(out, command->note);
    rwd_wire_put_signed(out, command->http_status);
    rwd_wire_put_text(out, command->endpoint);
}

enum rwd_status rwd_task_body_decode(struct rwd_text body, struct rwd_task_body *decoded)
{
    struct rwd_wire wire = rwd_wire_of(body.data, body.size);
    *decoded = (struct rwd_task_body){.user_id = rwd_wire_text(&wire)};
    decoded->decision = read_decision(&wire);
    struct rwd_task_command *command = &decoded->command;
    command->user_id = decoded->user_id;
    command->kind = (enum rwd_task_command_kind)rwd_wire_u8(&wire);
    for (size_t i = 0; i < sizeof command->id.bytes; i++) {
        command->id.bytes[i] = rwd_wire_u8(&wire);
    }
    command->attempt = (uint32_t)rwd_wire_varint(&wire);
    command->actor = rwd_wire_text(&wire);
    command->note = rwd_wire_text(&wire);
    command->http_status = rwd_wire_signed(&wire);
    command->endpoint = rwd_wire_text(&wire);
    return rwd_wire_done(&wire) ? RWD_OK : RWD_CORRUPT;
}

/* A row is its fields in order; one list of them serves both directions. */
#define DEAD_LETTER_FIELDS(TEXT, NUMBER)                                                           \
    TEXT(letter_id)                                                                                \
    TEXT(lane)                                                                                     \
    TEXT(reason)                                                                                   \
    TEXT(pointer)                                                                                  \
    TEXT(detail)                                                                                   \
    TEXT(user_id)                                                                                  \
    TEXT(reference)                                                                                \
    TEXT(body)                                                                                     \
    NUMBER(attempts)                                                                               \
    TEXT(status)                                                                                   \
    NUMBER(created_ms)                                                                             \
    NUMBER(updated_ms)

#define BUDGET_FIELDS(TEXT, NUMBER)                                                                \
    TEXT(pool_id)                                                                                  \
    NUMBER(pool_no)                                                                                \
    TEXT(currency)                                                                                 \
    TEXT(period)                                                                                   \
    NUMBER(hard_cap_minor)                                                                         \
    NUMBER(soft_cap_minor)

#define RULE_VERSION_FIELDS(TEXT, NUMBER)                                                          \
    TEXT(rule_id)                                                                                  \
    TEXT(version)                                                                                  \
    NUMBER(rule_no)                                                                                \
    NUMBER(version_no)                                                                             \
    TEXT(content_hash)                                                                             \
    TEXT(state)                                                                                    \
    TEXT(source)                                                                                   \
    TEXT(source_name)                                                                              \
    NUMBER(registered_ms)                                                                          \
    NUMBER(since_ms)                                                                               \
    TEXT(actor)                                                                                    \
    TEXT(reason)                                                                                   \
    NUMBER(share)                                                                                  \
    NUMBER(active_ms)                                                                              \
    TEXT(ramp)

#define RULEBOOK_FIELDS(TEXT, NUMBER)                                                              \
    NUMBER(rulebook_no)                                                                            \
    TEXT(versions)                                                                                 \
    NUMBER(since_ms)                                                                               \
    TEXT(actor)                                                                                    \
    TEXT(reason)                                                                                   \
    TEXT(changes)

/* Who brought it about, and why: behind the row, and absent in records of before. */
#define AUDIT_FIELDS(TEXT)                                                                         \
    TEXT(actor)                                                                                    \
    TEXT(reason)

#define NO_FIELDS(TEXT)

#define PUT_TEXT(field) rwd_wire_put_text(out, row->field);
#define PUT_NUMBER(field) rwd_wire_put_signed(out, (int64_t)row->field);
#define READ_TEXT(field) row->field = rwd_wire_text(&wire);
#define READ_NUMBER(field) row->field = (__typeof__(row->field))rwd_wire_signed(&wire);

#define READ_LATER_TEXT(field)                                                                     \
    row->field = wire.at < wire.end ? rwd_wire_text(&wire) : (struct rwd_text){0};

#define ROW_CODEC(name, fields, later_fields)                                                      \
    void rwd_##name##_encode(const struct rwd_##name##_row *row, struct rwd_buffer *out)           \
    {                                                                                              \
        fields(PUT_TEXT, PUT_NUMBER) later_fields(PUT_TEXT)                                        \
    }                                                                                              \
    enum rwd_status rwd_##name##_decode(struct rwd_text body, struct rwd_##name##_row *row)        \
    {                                                                                              \
        struct rwd_wire wire = rwd_wire_of(body.data, body.size);                                  \
        fields(READ_TEXT, READ_NUMBER) later_fields(READ_LATER_TEXT) return rwd_wire_done(&wire)   \
            ? RWD_OK                                                                               \
            : RWD_CORRUPT;                                                                         \
    }

ROW_CODEC(dead_letter, DEAD_LETTER_FIELDS, NO_FIELDS)
ROW_CODEC(budget, BUDGET_FIELDS, AUDIT_FIELDS)
ROW_CODEC(rule_version, RULE_VERSION_FIELDS, NO_FIELDS)
ROW_CODEC(rulebook, RULEBOOK_FIELDS, NO_FIELDS)
#undef ROW_CODEC
#undef READ_LATER_TEXT
#undef READ_NUMBER
#undef READ_TEXT
#undef PUT_NUMBER
#undef PUT_TEXT
#undef NO_FIELDS
#undef AUDIT_FIELDS
#undef DEAD_LETTER_FIELDS
#undef BUDGET_FIELDS
#undef RULE_VERSION_FIELDS
#undef RULEBOOK_FIELDS

void rwd_rulebook_put_change(const struct rwd_rule_version_row *row, struct rwd_buffer *changes)
{
    rwd_wire_put_signed(changes, row->version_no);
    rwd_wire_put_text(changes, row->state);
    rwd_wire_put_signed(changes, row->share);
    rwd_wire_put_signed(changes, row->since_ms);
    rwd_wire_put_signed(changes, row->active_ms);
    rwd_wire_put_text(changes, row->ramp);
}

enum rwd_status rwd_rulebook_next_change(
    struct rwd_text *changes, struct rwd_rulebook_change *change)
{
    if (changes->size == 0) {
        return RWD_NOT_FOUND;
    }
    struct rwd_wire wire = rwd_wire_of(changes->data, changes->size);
    change->version_no = (uint32_t)rwd_wire_signed(&wire);
    change->state = rwd_wire_text(&wire);
    change->share = (uint32_t)rwd_wire_signed(&wire);
    change->since_ms = rwd_wire_signed(&wire);
    change->active_ms = rwd_wire_signed(&wire);
    change->ramp = rwd_wire_text(&wire);
    if (wire.failed) {
        return RWD_CORRUPT;
    }
    *changes = (struct rwd_text){.data = (const char *)wire.at,
        .size = (size_t)((const char *)wire.end - (const char *)wire.at)};
    return RWD_OK;
}

enum rwd_status rwd_budget_terms(
    const struct rwd_budget_row *row, struct rwd_pool_terms *terms, struct rwd_error *error)
{
    *terms = (struct rwd_pool_terms){
        .hard_cap_minor = row->hard_cap_minor, .soft_cap_minor = row->soft_cap_minor};
    if (row->pool_id.size == 0 || row->pool_id.size >= sizeof terms->id) {
        return rwd_fail(
            error, RWD_INVALID, "a budget's id has 1 to %zu bytes", sizeof terms->id - 1);
    }
    (void)snprintf(terms->id, sizeof terms->id, "%.*s", RWD_TEXT_ARGS(row->pool_id));
    if (rwd_currency_parse(row->currency, &terms->currency) != RWD_OK ||
        rwd_pool_period_parse(row->period, &terms->period) != RWD_OK) {
        return rwd_fail(error, RWD_INVALID,
            "a budget needs an ISO 4217 currency and a period of day, week or season");
    }
    return RWD_OK;
}
