#include "domain/player.h"

#include "base/check.h"
#include "base/memory.h"
#include "domain/player_codec.h"
#include "domain/seen.h"
#include "domain/waiting.h"

#include <string.h>

/* The first byte of an encoded player; another number when the encoding changes. One with waiting
 * events is the same, and those at its end. */
enum { ENCODING = 2, ENCODING_WAITING = 3 };

struct rwd_player *rwd_player_create(struct rwd_text user_id, uint64_t fingerprint)
{
    struct rwd_player *player = rwd_new(sizeof *player);
    player->user_id = rwd_copy(user_id.data, user_id.size);
    player->user_id_size = (uint32_t)user_id.size;
    player->fingerprint = fingerprint;
    return player;
}

void rwd_player_rule_finish(struct rwd_player_rule *rule)
{
    rwd_free(rule->minutes.points);
    rwd_free(rule->hours.points);
    rwd_free(rule->days.points);
    rwd_free(rule->unsaved);
    rwd_free(rule->fired);
    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        rwd_free(rule->aggregates[i].series.points);
    }
    rwd_free(rule->aggregates);
    rwd_free(rule->state);
}

static void *copy_of(const void *items, size_t count, size_t size)
{
    void *copy = NULL;
    if (count > 0) {
        copy = rwd_new(count * size);
        memcpy(copy, items, count * size);
    }
    return copy;
}

static void copy_series(struct rwd_series *series)
{
    series->points = copy_of(series->points, series->count, sizeof series->points[0]);
    series->capacity = series->count;
}

void rwd_player_rule_copy(const struct rwd_player_rule *from, struct rwd_player_rule *to)
{
    *to = *from;
    to->unsaved = NULL;
    to->unsaved_count = 0;
    to->unsaved_capacity = 0;
    copy_series(&to->minutes);
    copy_series(&to->hours);
    copy_series(&to->days);
    to->fired = copy_of(from->fired, from->fired_count, sizeof from->fired[0]);
    to->fired_capacity = from->fired_count;
    to->aggregates = copy_of(from->aggregates, from->aggregate_count, sizeof from->aggregates[0]);
    for (uint32_t i = 0; i < to->aggregate_count; i++) {
        copy_series(&to->aggregates[i].series);
    }
    to->state = copy_of(from->state, from->state_size, 1);
}

void rwd_player_destroy(struct rwd_player *player)
{
    if (player == NULL) {
        return;
    }
    for (uint32_t i = 0; i < player->rule_count; i++) {
        rwd_player_rule_finish(&player->rules[i]);
    }
    rwd_free(player->rules);
    rwd_free(player->exposures);
    rwd_free(player->tasks);
    rwd_seen__destroy(player->seen);
    rwd_waiting__destroy(player->waiting);
    rwd_free(player->user_id);
    rwd_free(player);
}

/* Index of the rule, or of where it would stand. */
static uint32_t rule_index(const struct rwd_player *player, uint32_t rule_no)
{
    uint32_t at = 0;
    while (at < player->rule_count && player->rules[at].rule_no < rule_no) {
        at++;
    }
    return at;
}

const struct rwd_player_rule *rwd_player_rule_find(
    const struct rwd_player *player, uint32_t rule_no)
{
    uint32_t at = rule_index(player, rule_no);
    return at < player->rule_count && player->rules[at].rule_no == rule_no ? &player->rules[at]
                                                                           : NULL;
}

struct rwd_player_rule *rwd_player_rule_of(struct rwd_player *player, uint32_t rule_no)
{
    uint32_t at = rule_index(player, rule_no);
    if (at < player->rule_count && player->rules[at].rule_no == rule_no) {
        return &player->rules[at];
    }
    /* Exactly as many as there are: a player meets a new rule a few times in its life. */
    player->rules = rwd_grow(player->rules, (player->rule_count + 1) * sizeof player->rules[0]);
    memmove(player->rules + at + 1, player->rules + at,
        (player->rule_count - at) * sizeof player->rules[0]);
    player->rule_count++;
    player->rules[at] = (struct rwd_player_rule){.rule_no = rule_no};
    return &player->rules[at];
}

struct rwd_task *rwd_player_task_find(const struct rwd_player *player, struct rwd_task_id id)
{
    for (uint32_t i = 0; i < player->task_count; i++) {
        if (rwd_task_id_equal(player->tasks[i].id, id)) {
            return &player->tasks[i];
        }
    }
    return NULL;
}

bool rwd_player_rule_fired(const struct rwd_player_rule *rule, uint64_t at)
{
    for (uint32_t i = 0; rule != NULL && i < rule->fired_count; i++) {
        if (rule->fired[i] == at) {
            return true;
        }
    }
    return false;
}

const char *rwd_player_arm(const struct rwd_player *player, uint32_t experiment_no)
{
    for (uint32_t i = 0; i < player->exposure_count; i++) {
        if (player->exposures[i].experiment_no == experiment_no) {
            return player->exposures[i].arm;
        }
    }
    return "";
}

void rwd_player_expose(struct rwd_player *player, uint32_t experiment_no, struct rwd_text arm)
{
    RWD_REQUIRE(arm.size > 0 && arm.size < RWD_ARM_NAME_SIZE_MAX);
    if (rwd_player_arm(player, experiment_no)[0] != '\0') {
        return;
    }
    if (player->exposure_count == RWD_PLAYER_EXPOSURE_COUNT_MAX) {
        player->exposure_count--;
        memmove(player->exposures, player->exposures + 1,
            player->exposure_count * sizeof player->exposures[0]);
    }
    /* Exactly as many as there are: a player is in a few experiments at a time. */
    player->exposures =
        rwd_grow(player->exposures, (player->exposure_count + 1) * sizeof player->exposures[0]);
    struct rwd_player_exposure *exposure = &player->exposures[player->exposure_count++];
    *exposure = (struct rwd_player_exposure){.experiment_no = experiment_no};
    memcpy(exposure->arm, arm.data, arm.size);
}

static void encode_series(const struct rwd_series *series, struct rwd_buffer *out)
{
    rwd_wire_put_varint(out, series->count);
    rwd_wire_put_u8(out, series->cut);
    uint32_t before = 0;
    for (uint32_t i = 0; i < series->count; i++) {
        rwd_wire_put_varint(out, series->points[i].bucket - before);
        rwd_wire_put_signed(out, series->points[i].value);
        before = series->points[i].bucket;
    }
}

static void decode_series(struct rwd_wire *wire, struct rwd_series *series)
{
    uint32_t count = (uint32_t)rwd_wire_count(wire, 2);
    series->cut = rwd_wire_u8(wire) != 0;
    if (wire->failed || count == 0) {
        return;
    }
    series->points = rwd_grow(NULL, count * sizeof series->points[0]);
    series->capacity = count;
    uint32_t before = 0;
    for (; series->count < count; series->count++) {
        before += (uint32_t)rwd_wire_varint(wire);
        series->points[series->count] =
            (struct rwd_series_point){.bucket = before, .value = rwd_wire_signed(wire)};
    }
}

void rwd_wire__string(struct rwd_wire *wire, char *out, size_t capacity)
{
    struct rwd_text text = rwd_wire_text(wire);
    if (text.size >= capacity) {
        wire->failed = true;
        return;
    }
    if (text.size > 0) {
        memcpy(out, text.data, text.size);
    }
    out[text.size] = '\0';
}

void rwd_profile__encode(const struct rwd_profile *profile, struct rwd_buffer *out)
{
    rwd_wire_put_u8(out, profile->kyc_level);
    rwd_wire_put_signed(out, profile->self_excluded_until_ms);
    rwd_wire_put_signed(out, profile->cool_off_until_ms);
    rwd_wire_put_signed(out, profile->deposit_limit_until_ms);
    rwd_wire_put_text(out, rwd_text_of(profile->geo));
    rwd_wire_put_text(out, rwd_text_of(profile->platform));
    rwd_wire_put_u8(out, (uint8_t)profile->payer);
    rwd_wire_put_u8(out, profile->segment_count);
    for (size_t i = 0; i < profile->segment_count; i++) {
        rwd_wire_put_text(out, rwd_text_of(profile->segments[i]));
    }
    rwd_wire_put_signed(out, profile->kyc_ms);
    rwd_wire_put_signed(out, profile->self_excluded_ms);
    rwd_wire_put_signed(out, profile->cool_off_ms);
    rwd_wire_put_signed(out, profile->deposit_limit_ms);
    rwd_wire_put_signed(out, profile->lifted_ms);
}

void rwd_profile__decode(struct rwd_wire *wire, struct rwd_profile *profile)
{
    *profile = (struct rwd_profile){.kyc_level = rwd_wire_u8(wire)};
    profile->self_excluded_until_ms = rwd_wire_signed(wire);
    profile->cool_off_until_ms = rwd_wire_signed(wire);
    profile->deposit_limit_until_ms = rwd_wire_signed(wire);
    rwd_wire__string(wire, profile->geo, sizeof profile->geo);
    rwd_wire__string(wire, profile->platform, sizeof profile->platform);
    profile->payer = (enum rwd_tristate)rwd_wire_u8(wire);
    profile->segment_count = rwd_wire_u8(wire);
    if (profile->segment_count > RWD_PLAYER_SEGMENT_COUNT_MAX) {
        wire->failed = true;
        profile->segment_count = 0;
    }
    for (size_t i = 0; i < profile->segment_count; i++) {
        rwd_wire__string(wire, profile->segments[i], sizeof profile->segments[i]);
    }
    profile->kyc_ms = rwd_wire_signed(wire);
    profile->self_excluded_ms = rwd_wire_signed(wire);
    profile->cool_off_ms = rwd_wire_signed(wire);
    profile->deposit_limit_ms = rwd_wire_signed(wire);
    profile->lifted_ms = rwd_wire_signed(wire);
}

static void encode_aggregate(const struct rwd_player_aggregate *aggregate, struct rwd_buffer *out)
{
    rwd_wire_put_u64(out, aggregate->key);
    rwd_wire_put_signed(out, aggregate->value);
    rwd_wire_put_u8(out, aggregate->has_value);
    encode_series(&aggregate->series, out);
    rwd_wire_put_u8(out, (uint8_t)aggregate->last_type);
    if (aggregate->last_type != RWD_SCALAR_NIL) {
        uint64_t bits;
        memcpy(&bits, &aggregate->last_number, sizeof bits);
        rwd_wire_put_signed(out, aggregate->last_ms);
        rwd_wire_put_u64(out, bits);
        rwd_wire_put_text(out, rwd_text_of(aggregate->last_text));
    }
}

static void decode_aggregate(struct rwd_wire *wire, struct rwd_player_aggregate *aggregate)
{
    aggregate->key = rwd_wire_u64(wire);
    aggregate->value = rwd_wire_signed(wire);
    aggregate->has_value = rwd_wire_u8(wire) != 0;
    decode_series(wire, &aggregate->series);
    aggregate->last_type = (enum rwd_scalar_type)rwd_wire_u8(wire);
    wire->failed |= aggregate->last_type > RWD_SCALAR_TEXT;
    if (aggregate->last_type != RWD_SCALAR_NIL) {
        aggregate->last_ms = rwd_wire_signed(wire);
        uint64_t bits = rwd_wire_u64(wire);
        memcpy(&aggregate->last_number, &bits, sizeof bits);
        rwd_wire__string(wire, aggregate->last_text, sizeof aggregate->last_text);
    }
}

static void encode_rule(const struct rwd_player_rule *rule, struct rwd_buffer *out)
{
    rwd_wire_put_varint(out, rule->rule_no);
    rwd_wire_put_varint(out, rule->total);
    encode_series(&rule->minutes, out);
    encode_series(&rule->hours, out);
    encode_series(&rule->days, out);
    rwd_wire_put_varint(out, rule->fired_count);
    for (uint32_t i = 0; i < rule->fired_count; i++) {
        rwd_wire_put_varint(out, rule->fired[i]);
    }
    rwd_wire_put_varint(out, rule->aggregate_count);
    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        encode_aggregate(&rule->aggregates[i], out);
    }
    rwd_wire_put_text(out, (struct rwd_text){.data = rule->state, .size = rule->state_size});
}

static void decode_rule(struct rwd_wire *wire, struct rwd_player_rule *rule)
{
    rule->rule_no = (uint32_t)rwd_wire_varint(wire);
    rule->total = rwd_wire_varint(wire);
    decode_series(wire, &rule->minutes);
    decode_series(wire, &rule->hours);
    decode_series(wire, &rule->days);
    uint32_t fired_count = (uint32_t)rwd_wire_count(wire, 1);
    if (fired_count > 0) {
        rule->fired = rwd_new(fired_count * sizeof rule->fired[0]);
        rule->fired_capacity = fired_count;
    }
    for (; rule->fired_count < fired_count; rule->fired_count++) {
        rule->fired[rule->fired_count] = rwd_wire_varint(wire);
    }
    uint32_t aggregate_count = (uint32_t)rwd_wire_count(wire, sizeof(uint64_t));
    if (aggregate_count > 0) {
        rule->aggregates = rwd_new(aggregate_count * sizeof rule->aggregates[0]);
    }
    for (; rule->aggregate_count < aggregate_count; rule->aggregate_count++) {
        decode_aggregate(wire, &rule->aggregates[rule->aggregate_count]);
    }
    struct rwd_text state = rwd_wire_text(wire);
    if (state.size > 0) {
        rule->state = rwd_copy(state.data, state.size);
        rule->state_size = (uint32_t)state.size;
    }
}

void rwd_player_encode(const struct rwd_player *player, struct rwd_buffer *out)
{
    rwd_wire_put_u8(out, player->waiting != NULL ? ENCODING_WAITING : ENCODING);
    rwd_wire_put_varint(out, player->sequence);
    rwd_wire_put_signed(out, player->newest_event_ms);
    rwd_profile__encode(&player->profile, out);
    rwd_wire_put_varint(out, player->rule_count);
    for (uint32_t i = 0; i < player->rule_count; i++) {
        encode_rule(&player->rules[i], out);
    }
    /* Settled tasks stand in the store's own table and leave the player with the checkpoint. */
    uint32_t open = 0;
    for (uint32_t i = 0; i < player->task_count; i++) {
        open += !rwd_task_settled(&player->tasks[i]);
    }
    rwd_wire_put_varint(out, open);
    for (uint32_t i = 0; i < player->task_count; i++) {
        if (!rwd_task_settled(&player->tasks[i])) {
            rwd_task_encode(&player->tasks[i], out);
        }
    }
    rwd_wire_put_varint(out, player->exposure_count);
    for (uint32_t i = 0; i < player->exposure_count; i++) {
        rwd_wire_put_varint(out, player->exposures[i].experiment_no);
        rwd_wire_put_text(out, rwd_text_of(player->exposures[i].arm));
    }
    rwd_seen__encode(player->seen, out);
    if (player->waiting != NULL) {
        rwd_waiting__encode(player->waiting, out);
    }
}

static void decode_body(struct rwd_wire *wire, struct rwd_player *player)
{
    player->sequence = rwd_wire_varint(wire);
    player->newest_event_ms = rwd_wire_signed(wire);
    rwd_profile__decode(wire, &player->profile);
    uint32_t rule_count = (uint32_t)rwd_wire_count(wire, 1);
    if (rule_count > 0) {
        player->rules = rwd_new(rule_count * sizeof player->rules[0]);
    }
    for (; player->rule_count < rule_count && !wire->failed; player->rule_count++) {
        decode_rule(wire, &player->rules[player->rule_count]);
    }
    uint32_t task_count = (uint32_t)rwd_wire_count(wire, RWD_TASK_ID_SIZE);
    if (task_count > 0) {
        player->tasks = rwd_new(task_count * sizeof player->tasks[0]);
        player->task_capacity = task_count;
    }
    for (; player->task_count < task_count && !wire->failed; player->task_count++) {
        struct rwd_task *task = &player->tasks[player->task_count];
        rwd_task_decode(wire, task);
        task->known = rwd_task_known_of(task);
    }
    uint32_t exposure_count = (uint32_t)rwd_wire_count(wire, 2);
    if (exposure_count > 0) {
        player->exposures = rwd_new(exposure_count * sizeof player->exposures[0]);
    }
    for (; player->exposure_count < exposure_count && !wire->failed; player->exposure_count++) {
        struct rwd_player_exposure *exposure = &player->exposures[player->exposure_count];
        exposure->experiment_no = (uint32_t)rwd_wire_varint(wire);
        rwd_wire__string(wire, exposure->arm, sizeof exposure->arm);
    }
    player->seen = rwd_seen__decode(wire);
}

enum rwd_status rwd_player_decode(struct rwd_text user_id, uint64_t fingerprint,
    struct rwd_text bytes, struct rwd_player **player)
{
    struct rwd_wire wire = rwd_wire_of(bytes.data, bytes.size);
    uint8_t encoding = rwd_wire_u8(&wire);
    if (encoding != ENCODING && encoding != ENCODING_WAITING) {
        return RWD_CORRUPT;
    }
    struct rwd_player *decoded = rwd_player_create(user_id, fingerprint);
    decode_body(&wire, decoded);
    if (encoding == ENCODING_WAITING) {
        rwd_waiting__decode(&wire, decoded);
    }
    if (!rwd_wire_done(&wire)) {
        rwd_player_destroy(decoded);
        return RWD_CORRUPT;
    }
    *player = decoded;
    return RWD_OK;
}
