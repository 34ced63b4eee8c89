#include "decide/aggregate.h"

#include "base/memory.h"

#include <string.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS, WEEK_DAYS = 7 };

static const double scale = 1e6;

uint32_t rwd_window_bucket(enum rwd_window window, int64_t time_ms)
{
    switch (window) {
    case RWD_WINDOW_MINUTE:
        return (uint32_t)(time_ms / MINUTE_MS);
    case RWD_WINDOW_HOUR:
        return (uint32_t)(time_ms / HOUR_MS);
    case RWD_WINDOW_DAY:
    case RWD_WINDOW_WEEK:
        return (uint32_t)(time_ms / DAY_MS);
    case RWD_WINDOW_ALL:
        break;
    }
    return 0;
}

static uint32_t count_max_of(enum rwd_window window)
{
    return window == RWD_WINDOW_MINUTE ? RWD_SERIES_MINUTE_COUNT_MAX
           : window == RWD_WINDOW_HOUR ? RWD_SERIES_HOUR_COUNT_MAX
                                       : RWD_SERIES_DAY_COUNT_MAX;
}

static struct rwd_player_aggregate *find(const struct rwd_player_rule *rule, uint64_t key)
{
    for (uint32_t i = 0; rule != NULL && i < rule->aggregate_count; i++) {
        if (rule->aggregates[i].key == key) {
            return &rule->aggregates[i];
        }
    }
    return NULL;
}

static int64_t add_saturating(int64_t a, int64_t b)
{
    int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

static int64_t combine(enum rwd_aggregate_operation operation, int64_t a, int64_t b)
{
    switch (operation) {
    case RWD_AGGREGATE_MIN:
        return a < b ? a : b;
    case RWD_AGGREGATE_MAX:
        return a > b ? a : b;
    case RWD_AGGREGATE_COUNT:
    case RWD_AGGREGATE_SUM:
    case RWD_AGGREGATE_LAST:
        break;
    }
    return add_saturating(a, b);
}

/* What the window holds already. False: nothing. */
static bool window_value(const struct rwd_player_aggregate *aggregate,
    enum rwd_aggregate_operation operation, enum rwd_window window, int64_t event_ms,
    int64_t *value)
{
    if (aggregate == NULL) {
        return false;
    }
    if (window == RWD_WINDOW_ALL) {
        *value = aggregate->value;
        return aggregate->has_value;
    }
    uint32_t to = rwd_window_bucket(window, event_ms);
    uint32_t reach = window == RWD_WINDOW_WEEK ? WEEK_DAYS - 1 : 0;
    uint32_t from = to > reach ? to - reach : 0;
    bool found = false;
    for (uint32_t i = aggregate->series.count; i > 0; i--) {
        const struct rwd_series_point *point = &aggregate->series.points[i - 1];
        if (point->bucket < from) {
            break;
        }
        if (point->bucket <= to) {
            *value = found ? combine(operation, *value, point->value) : point->value;
            found = true;
        }
    }
    return found;
}

static struct rwd_scalar number(double value)
{
    return (struct rwd_scalar){.type = RWD_SCALAR_NUMBER, .number = value};
}

static struct rwd_scalar scalar_of(const struct rwd_json_node *node)
{
    switch ((enum rwd_json_type)node->type) {
    case RWD_JSON_TRUE:
    case RWD_JSON_FALSE:
        return (struct rwd_scalar){
            .type = RWD_SCALAR_BOOLEAN, .boolean = node->type == RWD_JSON_TRUE};
    case RWD_JSON_NUMBER:
        return number(rwd_json_number(node));
    case RWD_JSON_STRING:
        if (node->size <= RWD_STATE_TEXT_SIZE_MAX) {
            return (struct rwd_scalar){.type = RWD_SCALAR_TEXT, .text = rwd_json_text(node)};
        }
        break;
    case RWD_JSON_NULL:
    case RWD_JSON_ARRAY:
    case RWD_JSON_OBJECT:
        break;
    }
    return (struct rwd_scalar){0};
}

static struct rwd_scalar last_of(
    const struct rwd_player_aggregate *aggregate, enum rwd_window window, int64_t event_ms)
{
    if (aggregate == NULL || aggregate->last_type == RWD_SCALAR_NIL) {
        return (struct rwd_scalar){0};
    }
    uint32_t here = rwd_window_bucket(window, event_ms);
    uint32_t there = rwd_window_bucket(window, aggregate->last_ms);
    uint32_t reach = window == RWD_WINDOW_WEEK ? WEEK_DAYS - 1 : 0;
    if (there > here || here - there > reach) {
        return (struct rwd_scalar){0};
    }
    return (struct rwd_scalar){.type = aggregate->last_type,
        .boolean = aggregate->last_number != 0,
        .number = aggregate->last_number,
        .text = rwd_text_of(aggregate->last_text)};
}

/* The event's own contribution; false where it has none. */
static bool event_value(const struct rwd_rule_aggregate *declared, const struct rwd_event *event,
    struct rwd_aggregate_update *update)
{
    if (declared->operation == RWD_AGGREGATE_COUNT) {
        update->value = 1;
        return true;
    }
    const struct rwd_json_node *node =
        rwd_json_path(&event->json, &event->json.nodes[0], rwd_text_of(declared->path));
    if (node == NULL) {
        return false;
    }
    if (declared->operation == RWD_AGGREGATE_LAST) {
        update->scalar = scalar_of(node);
        return update->scalar.type != RWD_SCALAR_NIL;
    }
    return (node->type == RWD_JSON_NUMBER || node->type == RWD_JSON_STRING) &&
           rwd_decimal_scaled(rwd_json_text(node), 6, &update->value) == RWD_OK;
}

void rwd_aggregate_read(const struct rwd_rule_aggregate *declared, const struct rwd_event *event,
    const struct rwd_player_rule *rule, struct rwd_aggregate_update *update, bool *has_update,
    struct rwd_scalar *value)
{
    *update = (struct rwd_aggregate_update){
        .key = declared->key, .operation = declared->operation, .window = declared->window};
    const struct rwd_player_aggregate *aggregate = find(rule, declared->key);
    *has_update = event_value(declared, event, update);
    *value = (struct rwd_scalar){0};
    if (declared->operation == RWD_AGGREGATE_LAST) {
        *value = last_of(aggregate, declared->window, event->time_ms);
        return;
    }
    int64_t sum = 0;
    bool has_value =
        window_value(aggregate, declared->operation, declared->window, event->time_ms, &sum);
    if (*has_update) {
        sum = has_value ? combine(declared->operation, sum, update->value) : update->value;
        has_value = true;
    }
    if (declared->operation == RWD_AGGREGATE_COUNT) {
        *value = number((double)sum);
    } else if (has_value || declared->operation == RWD_AGGREGATE_SUM) {
        *value = number((double)sum / scale);
    }
}

static void apply_last(struct rwd_player_aggregate *aggregate,
    const struct rwd_aggregate_update *update, int64_t event_ms)
{
    if (aggregate->last_type != RWD_SCALAR_NIL && event_ms < aggregate->last_ms) {
        return;
    }
    aggregate->last_ms = event_ms;
    aggregate->last_type = update->scalar.type;
    aggregate->last_number = update->scalar.type == RWD_SCALAR_BOOLEAN
                                 ? (double)update->scalar.boolean
                                 : update->scalar.number;
    size_t size = update->scalar.text.size <= RWD_STATE_TEXT_SIZE_MAX ? update->scalar.text.size
                                                                      : RWD_STATE_TEXT_SIZE_MAX;
    if (size > 0) {
        memcpy(aggregate->last_text, update->scalar.text.data, size);
    }
    aggregate->last_text[size] = '\0';
}

void rwd_aggregate_apply(
    struct rwd_player_rule *rule, const struct rwd_aggregate_update *update, int64_t event_ms)
{
    struct rwd_player_aggregate *aggregate = find(rule, update->key);
    if (aggregate == NULL) {
        rule->aggregates =
            rwd_grow(rule->aggregates, (rule->aggregate_count + 1) * sizeof rule->aggregates[0]);
        aggregate = &rule->aggregates[rule->aggregate_count++];
        *aggregate = (struct rwd_player_aggregate){.key = update->key};
    }
    if (update->operation == RWD_AGGREGATE_LAST) {
        apply_last(aggregate, update, event_ms);
        return;
    }
    if (update->window == RWD_WINDOW_ALL) {
        aggregate->value = aggregate->has_value
                               ? combine(update->operation, aggregate->value, update->value)
                               : update->value;
        aggregate->has_value = true;
        return;
    }
    uint32_t bucket = rwd_window_bucket(update->window, event_ms);
    bool is_new = false;
    int64_t *place =
        rwd_series_at(&aggregate->series, bucket, count_max_of(update->window), &is_new);
    if (place == NULL) {
        return; /* older than all that is kept: no window reaches there any more */
    }
    *place = is_new ? update->value : combine(update->operation, *place, update->value);
}
