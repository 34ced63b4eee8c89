#include "domain/task.h"

#include "domain/player_codec.h"

#include <stdio.h>
#include <string.h>

/* The guards' byte: the KYC level in its low bits. */
enum {
    GUARD_KYC_LEVEL = 3,
    GUARD_RG_WAIVED = 4,
    GUARD_GEO = 8, /* the countries follow */
    GUARD_SENT_BEFORE = 16,
    GUARD_APPROVED = 32,
    GUARD_SCHEMA = 64, /* schema and arm stand behind all else; tasks of older records have none */
    GUARDS_KNOWN = 127,
};

static const char *const status_names[RWD_TASK_STATUS_COUNT] = {
    "pending", "held", "dispatching", "succeeded", "failed", "denied", "expired", "cancelled"};

static const char *const reason_names[RWD_TASK_REASON_COUNT] = {"", "self_excluded", "cool_off",
    "deposit_limit", "kyc_level", "geo_unknown", "geo_not_allowed", "budget_hard_cap",
    "budget_review", "budget_unknown", "budget_currency", "price_unknown", "payout_mismatch",
    "partner_refused", "attempts_used_up", "rejected", "approved", "retry", "hold_expired"};

const char *rwd_task_status_name(enum rwd_task_status status)
{
    return (unsigned)status < RWD_TASK_STATUS_COUNT ? status_names[status] : "unknown";
}

enum rwd_status rwd_task_status_parse(struct rwd_text name, enum rwd_task_status *status)
{
    for (int i = 0; i < RWD_TASK_STATUS_COUNT; i++) {
        if (rwd_text_is(name, status_names[i])) {
            *status = (enum rwd_task_status)i;
            return RWD_OK;
        }
    }
    return RWD_INVALID;
}

const char *rwd_task_reason_name(enum rwd_task_reason reason)
{
    return (unsigned)reason < RWD_TASK_REASON_COUNT ? reason_names[reason] : "unknown";
}

bool rwd_task_status_allowed(enum rwd_task_status from, enum rwd_task_status to)
{
#define TO(status) (1U << RWD_TASK_##status)
    static const unsigned allowed[RWD_TASK_STATUS_COUNT] = {
        [RWD_TASK_PENDING] = TO(HELD) | TO(DISPATCHING) | TO(DENIED) | TO(CANCELLED),
        [RWD_TASK_HELD] = TO(PENDING) | TO(HELD) | TO(DENIED) | TO(EXPIRED) | TO(CANCELLED),
        /* Dispatching again: a crash lost the answer, and the next claim repeats the same request.
         */
        [RWD_TASK_DISPATCHING] =
            TO(PENDING) | TO(HELD) | TO(DISPATCHING) | TO(SUCCEEDED) | TO(FAILED),
        [RWD_TASK_FAILED] = TO(PENDING) | TO(CANCELLED),
    };
#undef TO
    return (allowed[from] >> to & 1U) != 0;
}

enum rwd_task_budget rwd_task_budget_of(const struct rwd_task *task)
{
    if (task->pool_no == 0) {
        return RWD_BUDGET_NOTHING;
    }
    switch (task->status) {
    case RWD_TASK_PENDING:
    case RWD_TASK_HELD:
    case RWD_TASK_DISPATCHING:
        return RWD_BUDGET_RESERVED;
    case RWD_TASK_SUCCEEDED:
        return RWD_BUDGET_SPENT;
    case RWD_TASK_FAILED:
        return rwd_task_may_be_paid(task) ? RWD_BUDGET_RESERVED : RWD_BUDGET_NOTHING;
    case RWD_TASK_DENIED:
    case RWD_TASK_EXPIRED:
    case RWD_TASK_CANCELLED:
        break;
    }
    return RWD_BUDGET_NOTHING;
}

struct rwd_task_known rwd_task_known_of(const struct rwd_task *task)
{
    return (struct rwd_task_known){.budget = (uint8_t)rwd_task_budget_of(task),
        .given = !rwd_task_settled(task) || task->status == RWD_TASK_SUCCEEDED,
        .held = task->status == RWD_TASK_HELD};
}

bool rwd_task_settled(const struct rwd_task *task)
{
    return task->status >= RWD_TASK_SUCCEEDED && rwd_task_budget_of(task) != RWD_BUDGET_RESERVED;
}

bool rwd_task_may_be_paid(const struct rwd_task *task)
{
    /* A refusal of the only request ever sent is a clear no. One that follows attempts nobody heard
     * of may mean the repetition alone, or our signature. */
    bool refused = task->status == RWD_TASK_FAILED && task->reason == RWD_REASON_PARTNER_REFUSED;
    return task->attempts > (refused ? 1 : 0) || task->sent_before;
}

static struct rwd_task_id task_id(
    struct rwd_text rule_id, struct rwd_text user_id, struct rwd_text cause)
{
    static const char nul = '\0';
    const struct rwd_text separator = {.data = &nul, .size = 1};
    const struct rwd_text parts[] = {
        RWD_TEXT("rewardd.task"), separator, rule_id, separator, user_id, separator, cause};
    uint8_t hash[RWD_SHA256_SIZE];
    rwd_sha256_parts(parts, sizeof parts / sizeof parts[0], hash);
    struct rwd_task_id id;
    memcpy(id.bytes, hash, sizeof id.bytes);
    return id;
}

struct rwd_task_id rwd_task_id_of_milestone(
    struct rwd_text rule_id, struct rwd_text user_id, uint64_t threshold)
{
    char cause[24];
    int size = snprintf(cause, sizeof cause, "m%llu", (unsigned long long)threshold);
    return task_id(rule_id, user_id, (struct rwd_text){.data = cause, .size = (size_t)size});
}

struct rwd_task_id rwd_task_id_of_event(
    struct rwd_text rule_id, struct rwd_text user_id, struct rwd_text event_id, int64_t event_ms)
{
    char cause[32 + RWD_EVENT_ID_SIZE_MAX];
    size_t at = (size_t)snprintf(cause, sizeof cause, "e%lld:", (long long)event_ms);
    size_t size = event_id.size < RWD_EVENT_ID_SIZE_MAX ? event_id.size : RWD_EVENT_ID_SIZE_MAX;
    memcpy(cause + at, event_id.data, size);
    return task_id(rule_id, user_id, (struct rwd_text){.data = cause, .size = at + size});
}

void rwd_task_id_format(struct rwd_task_id id, char out[RWD_TASK_ID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(out, "rt_", 3);
    for (size_t i = 0; i < RWD_TASK_ID_SIZE; i++) {
        out[3 + 2 * i] = digits[id.bytes[i] >> 4];
        out[4 + 2 * i] = digits[id.bytes[i] & 15];
    }
    out[RWD_TASK_ID_TEXT_SIZE - 1] = '\0';
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

enum rwd_status rwd_task_id_parse(struct rwd_text text, struct rwd_task_id *id)
{
    if (text.size != RWD_TASK_ID_TEXT_SIZE - 1 || memcmp(text.data, "rt_", 3) != 0) {
        return RWD_INVALID;
    }
    for (size_t i = 0; i < RWD_TASK_ID_SIZE; i++) {
        int high = hex_digit(text.data[3 + 2 * i]);
        int low = hex_digit(text.data[4 + 2 * i]);
        if (high < 0 || low < 0) {
            return RWD_INVALID;
        }
        id->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return RWD_OK;
}

static void put_money(struct rwd_buffer *out, struct rwd_money money)
{
    rwd_wire_put_signed(out, money.minor);
    rwd_buffer_put(out, money.currency.code, 3);
}

static struct rwd_money read_money(struct rwd_wire *wire)
{
    struct rwd_money money = {.minor = rwd_wire_signed(wire)};
    for (size_t i = 0; i < 3; i++) {
        money.currency.code[i] = (char)rwd_wire_u8(wire);
    }
    return money;
}

static void encode_reward(const struct rwd_reward *reward, struct rwd_buffer *out)
{
    rwd_wire_put_u8(out, (uint8_t)reward->kind);
    put_money(out, reward->money);
    rwd_wire_put_u8(out, reward->has_cost);
    put_money(out, reward->cost);
    rwd_wire_put_varint(out, reward->count);
    rwd_wire_put_varint(out, reward->wagering);
    rwd_wire_put_varint(out, reward->expires_in_s);
    rwd_wire_put_text(out, rwd_text_of(reward->label));
}

static void decode_reward(struct rwd_wire *wire, struct rwd_reward *reward)
{
    uint8_t kind = rwd_wire_u8(wire);
    wire->failed |= kind >= RWD_REWARD_KIND_COUNT;
    reward->kind = (enum rwd_reward_kind)kind;
    reward->money = read_money(wire);
    reward->has_cost = rwd_wire_u8(wire) != 0;
    reward->cost = read_money(wire);
    reward->count = (uint32_t)rwd_wire_varint(wire);
    reward->wagering = (uint32_t)rwd_wire_varint(wire);
    reward->expires_in_s = (uint32_t)rwd_wire_varint(wire);
    rwd_wire__string(wire, reward->label, sizeof reward->label);
}

static void encode_guards(const struct rwd_task *task, struct rwd_buffer *out)
{
    bool has_geo = !rwd_country_set_empty(&task->geo_allowed);
    rwd_wire_put_u8(
        out, (uint8_t)((task->kyc_min_level & GUARD_KYC_LEVEL) |
                       (task->rg_waived ? GUARD_RG_WAIVED : 0) | (has_geo ? GUARD_GEO : 0) |
                       (task->sent_before ? GUARD_SENT_BEFORE : 0) |
                       (task->approved ? GUARD_APPROVED : 0) |
                       (task->schema_id[0] != '\0' ? GUARD_SCHEMA : 0)));
    if (has_geo) {
        rwd_country_set_encode(&task->geo_allowed, out);
    }
}

/* Tells whether schema and arm come. */
static bool decode_guards(struct rwd_wire *wire, struct rwd_task *task)
{
    uint8_t guards = rwd_wire_u8(wire);
    wire->failed |= guards > GUARDS_KNOWN;
    task->kyc_min_level = guards & GUARD_KYC_LEVEL;
    task->rg_waived = (guards & GUARD_RG_WAIVED) != 0;
    task->approved = (guards & GUARD_APPROVED) != 0;
    task->sent_before = (guards & GUARD_SENT_BEFORE) != 0;
    if ((guards & GUARD_GEO) != 0) {
        rwd_country_set_decode(wire, &task->geo_allowed);
    }
    return (guards & GUARD_SCHEMA) != 0;
}

void rwd_task_encode(const struct rwd_task *task, struct rwd_buffer *out)
{
    rwd_buffer_put(out, task->id.bytes, sizeof task->id.bytes);
    rwd_wire_put_varint(out, task->rule_no);
    rwd_wire_put_varint(out, task->version_no);
    rwd_wire_put_varint(out, task->threshold);
    rwd_wire_put_text(out, rwd_text_of(task->event_id));
    encode_reward(&task->reward, out);
    rwd_wire_put_varint(out, task->pool_no);
    rwd_wire_put_signed(out, task->pool_period);
    encode_guards(task, out);
    rwd_wire_put_u8(out, (uint8_t)task->status);
    rwd_wire_put_u8(out, (uint8_t)task->reason);
    rwd_wire_put_varint(out, task->attempts);
    rwd_wire_put_signed(out, task->next_attempt_ms);
    rwd_wire_put_signed(out, task->created_ms);
    rwd_wire_put_signed(out, task->updated_ms);
    rwd_wire_put_text(out, rwd_text_of(task->payout_id));
    if (task->schema_id[0] != '\0') {
        rwd_wire_put_text(out, rwd_text_of(task->schema_id));
        rwd_wire_put_varint(out, task->experiment_version_no);
        rwd_wire_put_text(out, rwd_text_of(task->arm));
    }
}

void rwd_task_decode(struct rwd_wire *wire, struct rwd_task *task)
{
    *task = (struct rwd_task){0};
    for (size_t i = 0; i < RWD_TASK_ID_SIZE; i++) {
        task->id.bytes[i] = rwd_wire_u8(wire);
    }
    task->rule_no = (uint32_t)rwd_wire_varint(wire);
    task->version_no = (uint32_t)rwd_wire_varint(wire);
    task->threshold = rwd_wire_varint(wire);
    rwd_wire__string(wire, task->event_id, sizeof task->event_id);
    decode_reward(wire, &task->reward);
    task->pool_no = (uint32_t)rwd_wire_varint(wire);
    task->pool_period = (int32_t)rwd_wire_signed(wire);
    bool has_schema = decode_guards(wire, task);
    uint8_t status = rwd_wire_u8(wire);
    uint8_t reason = rwd_wire_u8(wire);
    wire->failed |= status >= RWD_TASK_STATUS_COUNT || reason >= RWD_TASK_REASON_COUNT;
    task->status = (enum rwd_task_status)status;
    task->reason = (enum rwd_task_reason)reason;
    task->attempts = (uint32_t)rwd_wire_varint(wire);
    task->next_attempt_ms = rwd_wire_signed(wire);
    task->created_ms = rwd_wire_signed(wire);
    task->updated_ms = rwd_wire_signed(wire);
    rwd_wire__string(wire, task->payout_id, sizeof task->payout_id);
    if (has_schema) {
        rwd_wire__string(wire, task->schema_id, sizeof task->schema_id);
        task->experiment_version_no = (uint32_t)rwd_wire_varint(wire);
        rwd_wire__string(wire, task->arm, sizeof task->arm);
        wire->failed |= task->schema_id[0] == '\0'; /* encode would not have said it comes */
    }
}
