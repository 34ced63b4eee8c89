#include "experiment/tally.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOT_COUNT_MIN = 64,
    NUMBER_SIZE_MAX = 64,
    COMPLAINT_RATING_MAX = 2,
    STRUCT_FORMAT = 2, /* another number when what is encoded changes its meaning */
};
static const int64_t before_ms = (int64_t)RWD_TALLY_BEFORE_DAYS * 24 * 3600 * 1000;

struct rwd_tally {
    struct rwd_tally_experiment *experiments[RWD_TALLY_EXPERIMENT_COUNT_MAX];
    size_t count;
};

/* ---- tables ---- */

static struct rwd_tally_user *row_at(const struct rwd_tally_table *table, size_t slot)
{
    return (void *)(table->rows + slot * table->row_size);
}

static size_t row_size_of(size_t metric_count)
{
    return sizeof(struct rwd_tally_user) + metric_count * sizeof(struct rwd_tally_sum);
}

/* The slot it is in, or the free one where it would be. */
static size_t slot_of(const struct rwd_tally_table *table, uint64_t fingerprint)
{
    size_t mask = table->slot_count - 1;
    size_t slot = (size_t)(fingerprint * 0x9e3779b97f4a7c15U >> 20) & mask;
    while (
        row_at(table, slot)->fingerprint != 0 && row_at(table, slot)->fingerprint != fingerprint) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

static void grow(struct rwd_tally_table *table)
{
    struct rwd_tally_table wider = *table;
    wider.slot_count = table->slot_count == 0 ? SLOT_COUNT_MIN : 2 * table->slot_count;
    wider.rows = rwd_new(wider.slot_count * table->row_size);
    for (size_t slot = 0; slot < table->slot_count; slot++) {
        const struct rwd_tally_user *row = row_at(table, slot);
        if (row->fingerprint != 0) {
            memcpy(row_at(&wider, slot_of(&wider, row->fingerprint)), row, table->row_size);
        }
    }
    rwd_free(table->rows);
    *table = wider;
}

const struct rwd_tally_user *rwd_tally_user(
    const struct rwd_tally_table *table, uint64_t user_fingerprint)
{
    if (table->slot_count == 0) {
        return NULL;
    }
    const struct rwd_tally_user *row = row_at(table, slot_of(table, user_fingerprint));
    return row->fingerprint != 0 ? row : NULL;
}

/* NULL: no more fit. */
static struct rwd_tally_user *user_of(struct rwd_tally_table *table, uint64_t fingerprint)
{
    if (rwd_tally_user(table, fingerprint) == NULL) {
        if (table->count == RWD_TALLY_USER_COUNT_MAX) {
            table->cut = true;
            return NULL;
        }
        if (2 * (table->count + 1) > table->slot_count) {
            grow(table);
        }
        row_at(table, slot_of(table, fingerprint))->fingerprint = fingerprint;
        table->count++;
    }
    return row_at(table, slot_of(table, fingerprint));
}

const struct rwd_tally_user *rwd_tally_next(const struct rwd_tally_table *table, size_t *slot)
{
    while (*slot < table->slot_count) {
        const struct rwd_tally_user *row = row_at(table, (*slot)++);
        if (row->fingerprint != 0) {
            return row;
        }
    }
    return NULL;
}

/* ---- experiments ---- */

struct rwd_tally *rwd_tally_create(void)
{
    return rwd_new(sizeof(struct rwd_tally));
}

static void drop_rows(struct rwd_tally_experiment *experiment)
{
    rwd_free(experiment->users.rows);
    rwd_free(experiment->before.rows);
    experiment->users = (struct rwd_tally_table){.row_size = row_size_of(experiment->metric_count)};
    experiment->before = (struct rwd_tally_table){.row_size = row_size_of(1)};
}

void rwd_tally_destroy(struct rwd_tally *tally)
{
    for (size_t i = 0; tally != NULL && i < tally->count; i++) {
        drop_rows(tally->experiments[i]);
        rwd_free(tally->experiments[i]);
    }
    rwd_free(tally);
}

size_t rwd_tally_count(const struct rwd_tally *tally)
{
    return tally->count;
}

const struct rwd_tally_experiment *rwd_tally_at(const struct rwd_tally *tally, size_t index)
{
    RWD_REQUIRE(index < tally->count);
    return tally->experiments[index];
}

uint64_t rwd_tally_held_out(const struct rwd_tally_experiment *experiment)
{
    for (size_t i = 0; i < experiment->arm_count; i++) {
        if (strcmp(experiment->arms[i], RWD_EXPERIMENT_HOLDOUT) == 0) {
            return experiment->whole.counts[i];
        }
    }
    return 0;
}

const struct rwd_tally_experiment *rwd_tally_find(
    const struct rwd_tally *tally, struct rwd_text key)
{
    for (size_t i = 0; i < tally->count; i++) {
        if (rwd_text_is(key, tally->experiments[i]->terms.key) &&
            tally->experiments[i]->version[0] != '\0') {
            return tally->experiments[i];
        }
    }
    return NULL;
}

static struct rwd_tally_experiment *by_number(const struct rwd_tally *tally, uint32_t experiment_no)
{
    for (size_t i = 0; i < tally->count; i++) {
        if (tally->experiments[i]->experiment_no == experiment_no) {
            return tally->experiments[i];
        }
    }
    return NULL;
}

/* The arm's place over all versions, the holdout's too; RWD_TALLY_ARM_COUNT_MAX: no more fit. */
static size_t arm_place(struct rwd_tally_experiment *experiment, struct rwd_text name)
{
    size_t place = 0;
    while (place < experiment->arm_count && !rwd_text_is(name, experiment->arms[place])) {
        place++;
    }
    if (place == experiment->arm_count && place < RWD_TALLY_ARM_COUNT_MAX) {
        (void)snprintf(
            experiment->arms[place], sizeof experiment->arms[place], "%.*s", RWD_TEXT_ARGS(name));
        experiment->arm_count++;
    }
    return place;
}

static void set_weight(struct rwd_tally_experiment *experiment, struct rwd_tally_weights *weights,
    const char *name, double weight)
{
    size_t place = arm_place(experiment, rwd_text_of(name));
    if (place < RWD_TALLY_ARM_COUNT_MAX) {
        weights->weights[place] = weight;
    }
}

/* Of those who are recorded at all: the arms share what the holdout leaves. */
static void learn_weights(struct rwd_tally_experiment *experiment, const struct rwd_rule *rule)
{
    const struct rwd_experiment *terms = rule->declares;
    for (size_t i = 0; i < experiment->version_count; i++) {
        if (experiment->versions[i].version_no == rule->version_no) {
            return;
        }
    }
    if (experiment->version_count == RWD_TALLY_VERSION_COUNT_MAX) {
        memmove(experiment->versions, experiment->versions + 1,
            (RWD_TALLY_VERSION_COUNT_MAX - 1) * sizeof experiment->versions[0]);
        experiment->version_count--;
    }
    struct rwd_tally_weights *weights = &experiment->versions[experiment->version_count++];
    *weights = (struct rwd_tally_weights){.version_no = rule->version_no};
    for (size_t i = 0; i < terms->arm_count; i++) {
        set_weight(
            experiment, weights, terms->arms[i].name, terms->arms[i].weight * (1 - terms->holdout));
    }
    if (terms->holdout > 0) {
        set_weight(experiment, weights, RWD_EXPERIMENT_HOLDOUT, terms->holdout);
    }
}

static bool same_metric(const struct rwd_metric *a, const struct rwd_metric *b)
{
    return a->kind == b->kind && strcmp(a->event_name, b->event_name) == 0 &&
           strcmp(a->path, b->path) == 0 && strcmp(a->per_path, b->per_path) == 0;
}

static bool same_metrics(const struct rwd_experiment *a, const struct rwd_experiment *b)
{
    bool same = a->guardrail_count == b->guardrail_count && same_metric(&a->primary, &b->primary);
    for (size_t i = 0; same && i < a->guardrail_count; i++) {
        same = same_metric(&a->guardrails[i], &b->guardrails[i]);
    }
    return same;
}

enum rwd_status rwd_tally_version(
    struct rwd_tally *tally, const struct rwd_rule *rule, bool in_force, int64_t registered_ms)
{
    struct rwd_tally_experiment *experiment = by_number(tally, rule->rule_no);
    if (experiment == NULL) {
        if (tally->count == RWD_TALLY_EXPERIMENT_COUNT_MAX) {
            return RWD_LIMIT;
        }
        experiment = rwd_new(sizeof *experiment);
        experiment->experiment_no = rule->rule_no;
        experiment->registered_ms = registered_ms;
        experiment->users.row_size = row_size_of(0);
        experiment->before.row_size = row_size_of(1);
        tally->experiments[tally->count++] = experiment;
    }
    learn_weights(experiment, rule);
    if (in_force) {
        int64_t begin_ms =
            rule->active_from_ms > 0 ? rule->active_from_ms : experiment->registered_ms;
        experiment->missed |= experiment->version[0] == '\0' || begin_ms != experiment->begin_ms ||
                              !same_metrics(&experiment->terms, rule->declares);
        experiment->begin_ms = begin_ms;
        experiment->terms = *rule->declares;
        (void)snprintf(experiment->version, sizeof experiment->version, "%s", rule->version);
    }
    return RWD_OK;
}

struct rwd_tally_experiment *rwd_tally_missed(struct rwd_tally *tally)
{
    for (size_t i = 0; i < tally->count; i++) {
        struct rwd_tally_experiment *experiment = tally->experiments[i];
        if (experiment->missed) {
            experiment->missed = false;
            experiment->metric_count =
                1 + experiment->terms.guardrail_count + RWD_TALLY_HOUSE_COUNT;
            drop_rows(experiment);
            experiment->exposures = 0;
            experiment->whole = (struct rwd_tally_stratum){0};
            experiment->stratum_count = 0;
            experiment->strata_cut = false;
            return experiment;
        }
    }
    return NULL;
}

/* ---- events ---- */

static bool is_before(const struct rwd_tally_experiment *experiment, int64_t event_ms)
{
    return event_ms < experiment->begin_ms && event_ms >= experiment->begin_ms - before_ms;
}

bool rwd_tally_wants(
    const struct rwd_tally *tally, uint64_t user_fingerprint, const struct rwd_decision *decision)
{
    for (size_t i = 0; i < tally->count; i++) {
        const struct rwd_tally_experiment *experiment = tally->experiments[i];
        if (is_before(experiment, decision->event_ms) ||
            rwd_tally_user(&experiment->users, user_fingerprint) != NULL) {
            return true;
        }
    }
    return decision->exposure_count > 0;
}

static void count_in(struct rwd_tally_stratum *stratum, size_t arm, const double *weights)
{
    stratum->counts[arm]++;
    for (size_t i = 0; i < RWD_TALLY_ARM_COUNT_MAX; i++) {
        stratum->expected[i] += weights[i];
    }
}

static struct rwd_tally_stratum *stratum_of(
    struct rwd_tally_experiment *experiment, struct rwd_text name)
{
    for (size_t i = 0; i < experiment->stratum_count; i++) {
        if (rwd_text_is(name, experiment->strata[i].name)) {
            return &experiment->strata[i];
        }
    }
    if (name.size == 0 || name.size >= RWD_TALLY_STRATUM_SIZE_MAX ||
        experiment->stratum_count == RWD_TALLY_STRATUM_COUNT_MAX) {
        experiment->strata_cut |= name.size > 0;
        return NULL;
    }
    struct rwd_tally_stratum *stratum = &experiment->strata[experiment->stratum_count++];
    *stratum = (struct rwd_tally_stratum){0};
    memcpy(stratum->name, name.data, name.size);
    return stratum;
}

static const double *weights_of(const struct rwd_tally_experiment *experiment, uint32_t version_no)
{
    for (size_t i = 0; i < experiment->version_count; i++) {
        if (experiment->versions[i].version_no == version_no) {
            return experiment->versions[i].weights;
        }
    }
    return NULL;
}

static void expose(struct rwd_tally_experiment *experiment, uint64_t user_fingerprint,
    const struct rwd_exposure *exposure, int64_t event_ms)
{
    const double *weights = weights_of(experiment, exposure->version_no);
    size_t arm = arm_place(experiment, exposure->arm);
    experiment->exposures += !rwd_text_is(exposure->arm, RWD_EXPERIMENT_HOLDOUT);
    if (weights == NULL || arm == RWD_TALLY_ARM_COUNT_MAX ||
        rwd_tally_user(&experiment->users, user_fingerprint) != NULL) {
        return;
    }
    struct rwd_tally_user *user = user_of(&experiment->users, user_fingerprint);
    if (user != NULL) {
        user->arm = (uint32_t)arm;
        user->exposed_ms = event_ms;
        count_in(&experiment->whole, arm, weights);
        struct rwd_tally_stratum *stratum = stratum_of(experiment, exposure->stratum);
        if (stratum != NULL) {
            count_in(stratum, arm, weights);
        }
    }
}

/* A JSON number, or a decimal string like an amount; 0 where it is neither. */
static double value_at(const struct rwd_event *event, const char *path)
{
    const struct rwd_json_node *node =
        rwd_json_path(&event->json, &event->json.nodes[0], rwd_text_of(path));
    if (node == NULL || (node->type != RWD_JSON_NUMBER && node->type != RWD_JSON_STRING)) {
        return 0;
    }
    if (node->type == RWD_JSON_NUMBER) {
        return rwd_json_number(node);
    }
    char text[NUMBER_SIZE_MAX];
    char *end = NULL;
    if (node->size == 0 || node->size >= sizeof text) {
        return 0;
    }
    memcpy(text, node->data, node->size);
    text[node->size] = '\0';
    double value = strtod(text, &end);
    return *end == '\0' && isfinite(value) ? value : 0;
}

static void sum_metric(
    const struct rwd_metric *metric, const struct rwd_event *event, struct rwd_tally_sum *sum)
{
    if (!rwd_text_is(event->name, metric->event_name)) {
        return;
    }
    if (metric->kind == RWD_METRIC_CONVERSION) {
        sum->y = 1;
        return;
    }
    sum->y += value_at(event, metric->path);
    if (metric->kind == RWD_METRIC_RATIO) {
        sum->x += value_at(event, metric->per_path);
    }
}

static void sum_house(const struct rwd_event *event, struct rwd_tally_sum *sums)
{
    const struct rwd_json_node *rating =
        rwd_json_member(&event->json, event->payload, RWD_TEXT("rating"));
    const struct rwd_json_node *type =
        rwd_json_member(&event->json, event->payload, RWD_TEXT("type"));
    const struct rwd_json_node *flags =
        rwd_json_member(&event->json, event->user, RWD_TEXT("risk_flags"));
    if (rwd_text_is(event->name, "feedback") && rating != NULL && rating->type == RWD_JSON_NUMBER &&
        rwd_json_number(rating) <= COMPLAINT_RATING_MAX) {
        sums[RWD_TALLY_COMPLAINTS].y += 1;
    }
    if (flags != NULL && flags->type == RWD_JSON_ARRAY && flags->size > 0) {
        sums[RWD_TALLY_FRAUD].y = 1;
    }
    if (rwd_text_is(event->name, "rg_event") && type != NULL && type->type == RWD_JSON_STRING &&
        !rwd_text_is(rwd_json_text(type), "lifted")) {
        sums[RWD_TALLY_RG].y += 1;
    }
}

/* What an arm may have brought about is no covariate: only events from before the exposure get
 * here, which matters where an experiment takes events of a time before it was registered. */
static void sum_before(struct rwd_tally_experiment *experiment, uint64_t user_fingerprint,
    int64_t event_ms, const struct rwd_event *event)
{
    if (is_before(experiment, event_ms) &&
        rwd_text_is(event->name, experiment->terms.primary.event_name)) {
        struct rwd_tally_user *user = user_of(&experiment->before, user_fingerprint);
        if (user != NULL) {
            sum_metric(&experiment->terms.primary, event, &user->sums[0]);
        }
    }
}

static void expose_all(struct rwd_tally_experiment *experiment, uint64_t user_fingerprint,
    const struct rwd_decision *decision)
{
    for (size_t i = 0; i < decision->exposure_count; i++) {
        if (decision->exposures[i].experiment_no == experiment->experiment_no) {
            expose(experiment, user_fingerprint, &decision->exposures[i], decision->event_ms);
        }
    }
}

/* What one who counts did. */
static void sum_up(struct rwd_tally_experiment *experiment, uint64_t user_fingerprint,
    const struct rwd_event *event)
{
    struct rwd_tally_user *user = user_of(&experiment->users, user_fingerprint);
    size_t guardrail_count = experiment->terms.guardrail_count;
    sum_metric(&experiment->terms.primary, event, &user->sums[0]);
    for (size_t i = 0; i < guardrail_count; i++) {
        sum_metric(&experiment->terms.guardrails[i], event, &user->sums[1 + i]);
    }
    sum_house(event, &user->sums[1 + guardrail_count]);
}

static void feed(struct rwd_tally_experiment *experiment, uint64_t user_fingerprint,
    const struct rwd_decision *decision, const struct rwd_event *event)
{
    expose_all(experiment, user_fingerprint, decision);
    const struct rwd_tally_user *known = rwd_tally_user(&experiment->users, user_fingerprint);
    if (known == NULL || decision->event_ms < known->exposed_ms) {
        sum_before(experiment, user_fingerprint, decision->event_ms, event);
        return;
    }
    sum_up(experiment, user_fingerprint, event);
}

static bool is_fed(
    const struct rwd_tally_experiment *experiment, const struct rwd_tally_experiment *only)
{
    return only != NULL ? experiment == only
                        : experiment->version[0] != '\0' && !experiment->missed;
}

void rwd_tally_event(struct rwd_tally *tally, struct rwd_tally_experiment *only,
    uint64_t user_fingerprint, const struct rwd_decision *decision, const struct rwd_event *event)
{
    for (size_t i = 0; i < tally->count; i++) {
        if (is_fed(tally->experiments[i], only)) {
            feed(tally->experiments[i], user_fingerprint, decision, event);
        }
    }
}

void rwd_tally_release(struct rwd_tally *tally, struct rwd_tally_experiment *only,
    uint64_t user_fingerprint, const struct rwd_decision *decision, const struct rwd_event *event)
{
    for (size_t i = 0; i < tally->count; i++) {
        struct rwd_tally_experiment *experiment = tally->experiments[i];
        bool known = rwd_tally_user(&experiment->users, user_fingerprint) != NULL;
        if (!is_fed(experiment, only)) {
            continue;
        }
        expose_all(experiment, user_fingerprint, decision);
        if (!known && rwd_tally_user(&experiment->users, user_fingerprint) != NULL) {
            sum_up(experiment, user_fingerprint, event);
        }
    }
}

/* ---- to a file and back ---- */

static void put_table(const struct rwd_tally_table *table, struct rwd_buffer *out)
{
    rwd_wire_put_u64(out, table->count);
    size_t slot = 0;
    for (const struct rwd_tally_user *row = rwd_tally_next(table, &slot); row != NULL;
         row = rwd_tally_next(table, &slot)) {
        rwd_buffer_put(out, row, table->row_size);
    }
}

void rwd_tally_encode(const struct rwd_tally *tally, struct rwd_buffer *out)
{
    rwd_wire_put_u32(out, STRUCT_FORMAT);
    rwd_wire_put_u32(out, (uint32_t)sizeof(struct rwd_tally_experiment));
    rwd_wire_put_u32(out, (uint32_t)tally->count);
    for (size_t i = 0; i < tally->count; i++) {
        rwd_buffer_put(out, tally->experiments[i], sizeof *tally->experiments[i]);
        put_table(&tally->experiments[i]->users, out);
        put_table(&tally->experiments[i]->before, out);
    }
}

static const void *take(struct rwd_wire *wire, size_t size)
{
    if (wire->failed || (size_t)(wire->end - wire->at) < size) {
        wire->failed = true;
        return NULL;
    }
    const void *bytes = wire->at;
    wire->at += size;
    return bytes;
}

static void take_table(
    struct rwd_wire *wire, struct rwd_tally_table *table, size_t row_size, uint32_t arm_count)
{
    *table = (struct rwd_tally_table){.row_size = row_size, .cut = table->cut};
    uint64_t count = rwd_wire_u64(wire);
    wire->failed |= count > RWD_TALLY_USER_COUNT_MAX;
    for (uint64_t i = 0; i < count && !wire->failed; i++) {
        const void *bytes = take(wire, row_size);
        uint64_t fingerprint = 0;
        if (bytes != NULL) {
            memcpy(&fingerprint, bytes, sizeof fingerprint);
            struct rwd_tally_user *row = user_of(table, fingerprint);
            memcpy(row, bytes, row_size);
            wire->failed |= fingerprint == 0 || row->arm >= arm_count;
        }
    }
}

enum rwd_status rwd_tally_decode(struct rwd_text bytes, struct rwd_tally **out)
{
    struct rwd_wire wire = rwd_wire_of(bytes.data, bytes.size);
    struct rwd_tally *tally = rwd_tally_create();
    wire.failed |= rwd_wire_u32(&wire) != STRUCT_FORMAT;
    wire.failed |= rwd_wire_u32(&wire) != sizeof(struct rwd_tally_experiment);
    uint32_t count = rwd_wire_u32(&wire);
    wire.failed |= count > RWD_TALLY_EXPERIMENT_COUNT_MAX;
    for (uint32_t i = 0; i < count && !wire.failed; i++) {
        struct rwd_tally_experiment *experiment = rwd_new(sizeof *experiment);
        const void *whole = take(&wire, sizeof *experiment);
        if (whole != NULL) {
            memcpy(experiment, whole, sizeof *experiment);
        }
        experiment->users.rows = NULL;
        experiment->before.rows = NULL;
        tally->experiments[tally->count++] = experiment;
        bool good = experiment->metric_count <= RWD_TALLY_METRIC_COUNT_MAX &&
                    experiment->arm_count <= RWD_TALLY_ARM_COUNT_MAX;
        wire.failed |= !good;
        if (!wire.failed) {
            take_table(&wire, &experiment->users, row_size_of(experiment->metric_count),
                (uint32_t)experiment->arm_count);
            take_table(&wire, &experiment->before, row_size_of(1), 1);
        }
    }
    if (!rwd_wire_done(&wire)) {
        rwd_tally_destroy(tally);
        return RWD_CORRUPT;
    }
    *out = tally;
    return RWD_OK;
}
