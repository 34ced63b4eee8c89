/*
 * rule{...} -> struct rwd_rule, field by field. See bind_dsl.c for the author's view.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "domain/experiment.h"
#include "script/dsl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIST_COUNT_MAX = 256,
    TITLE_SIZE_MAX = 200,
    CAP_MAX = 1000000000,
    PRIORITY_MAX = 1000000,
};

bool rwd_dsl_is_id(struct rwd_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool letter = c >= 'a' && c <= 'z';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_' || c == '-'))) {
            return false;
        }
    }
    return text.size > 0;
}

static void check_id(const struct rwd_fields *fields, const char *key, struct rwd_text text)
{
    if (!rwd_dsl_is_id(text)) {
        rwd_fields_fail(fields, key,
            "'%.*s' must be a lower-case letter, then letters, digits, _ or -",
            RWD_TEXT_ARGS(text));
    }
}

void rwd_dsl_read_id(
    const struct rwd_fields *fields, const char *key, bool required, char *out, size_t size)
{
    rwd_fields_copy(fields, key, required, out, size);
    if (out[0] != '\0') {
        check_id(fields, key, rwd_text_of(out));
    }
}

bool rwd_dsl_is_version(const char *text)
{
    for (int part = 0; part < 3; part++) {
        size_t digits = strspn(text, "0123456789");
        if (digits == 0 || digits > 6 || (digits > 1 && text[0] == '0')) {
            return false;
        }
        text += digits;
        if (part < 2 && *text++ != '.') {
            return false;
        }
    }
    return *text == '\0';
}

static char *read_line(const struct rwd_fields *fields, const char *key)
{
    struct rwd_text text = {0};
    (void)rwd_fields_text(fields, key, TITLE_SIZE_MAX, &text);
    return rwd_copy(text.data, text.size);
}

static struct rwd_text visited_text(
    const struct rwd_fields *fields, const char *key, size_t size_max)
{
    struct rwd_text text = {0};
    if (lua_type(fields->L, -1) != LUA_TSTRING) {
        rwd_fields_fail(fields, key, "must be a text or a list of texts, not a %s",
            rwd_vm_type_name(fields->L, -1));
    }
    text.data = lua_tolstring(fields->L, -1, &text.size);
    if (text.size == 0 || text.size > size_max) {
        rwd_fields_fail(fields, key, "must be texts of 1 to %zu bytes", size_max);
    }
    return text;
}

static void check_event_name(const struct rwd_fields *fields, const char *key, struct rwd_text name)
{
    for (size_t c = 0; c < name.size; c++) {
        char letter = name.data[c];
        bool good = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                    (letter >= '0' && letter <= '9') || letter == '_' || letter == '.' ||
                    letter == '-';
        if (!good) {
            rwd_fields_fail(fields, key, "'%.*s' is no event name", RWD_TEXT_ARGS(name));
        }
    }
}

void rwd_dsl_read_event_name(const struct rwd_fields *fields, const char *key, char *out)
{
    rwd_fields_copy(fields, key, true, out, RWD_RULE_ID_SIZE_MAX);
    check_event_name(fields, key, rwd_text_of(out));
}

static void visit_on(const struct rwd_fields *fields, const char *key, size_t i, void *context)
{
    struct rwd_rule *rule = context;
    struct rwd_text name = visited_text(fields, key, RWD_RULE_ID_SIZE_MAX - 1);
    check_event_name(fields, key, name);
    for (size_t other = 0; other < i; other++) {
        if (rwd_text_is(name, rule->on[other])) {
            rwd_fields_fail(fields, key, "'%s' stands there twice", rule->on[other]);
        }
    }
    memcpy(rule->on[i], name.data, name.size);
    rule->on[i][name.size] = '\0';
    rule->on_count = i + 1;
}

void rwd_dsl_read_active(const struct rwd_fields *parent, struct rwd_rule *rule)
{
    static const char *const keys[] = {"from", "to", NULL};
    static const char *const names[] = {"from", "to"};
    struct rwd_fields fields;
    rule->active_from_ms = 0;
    rule->active_to_ms = INT64_MAX;
    if (!rwd_fields_enter(parent, "active", keys, &fields)) {
        return;
    }
    int64_t *times[] = {&rule->active_from_ms, &rule->active_to_ms};
    for (size_t i = 0; i < 2; i++) {
        struct rwd_text text = {0};
        if (rwd_fields_text(&fields, names[i], 64, &text) && !rwd_time_parse(text, times[i])) {
            rwd_fields_fail(&fields, names[i], "'%.*s' is no time like \"2025-11-01T00:00:00Z\"",
                RWD_TEXT_ARGS(text));
        }
    }
    if (rule->active_from_ms >= rule->active_to_ms) {
        rwd_fields_fail(&fields, "to", "must be later than from");
    }
    lua_pop(fields.L, 1);
}

/* A list of texts that grows with the rule as its owner, so that an error leaks nothing. */
struct text_list {
    struct rwd_text **texts;
    size_t *count;
    bool (*good)(struct rwd_text text);
    const char *what;
};

static void visit_text(const struct rwd_fields *fields, const char *key, size_t i, void *context)
{
    const struct text_list *list = context;
    struct rwd_text text = visited_text(fields, key, RWD_PLAYER_SEGMENT_SIZE_MAX);
    if (!list->good(text)) {
        rwd_fields_fail(fields, key, "'%.*s' is no %s", RWD_TEXT_ARGS(text), list->what);
    }
    *list->texts = rwd_grow(*list->texts, (i + 1) * sizeof(struct rwd_text));
    (*list->texts)[i] =
        (struct rwd_text){.data = rwd_copy(text.data, text.size), .size = text.size};
    *list->count = i + 1;
}

static bool is_any(struct rwd_text text)
{
    return memchr(text.data, '\0', text.size) == NULL;
}

static bool is_country(struct rwd_text text)
{
    return text.size == 2 && text.data[0] >= 'A' && text.data[0] <= 'Z' && text.data[1] >= 'A' &&
           text.data[1] <= 'Z';
}

static bool is_currency(struct rwd_text text)
{
    struct rwd_currency currency;
    return rwd_currency_parse(text, &currency) == RWD_OK;
}

static void read_texts(const struct rwd_fields *fields, const char *key, struct rwd_text **texts,
    size_t *count, bool (*good)(struct rwd_text text), const char *what)
{
    struct text_list list = {.texts = texts, .count = count, .good = good, .what = what};
    (void)rwd_fields_each(fields, key, LIST_COUNT_MAX, visit_text, &list);
}

#define COUNTRY "ISO 3166 country of two capitals, like \"TR\""

static void visit_weekday(const struct rwd_fields *fields, const char *key, size_t i, void *context)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    uint8_t *mask = context;
    (void)i;
    double number = lua_type(fields->L, -1) == LUA_TNUMBER ? lua_tonumber(fields->L, -1) : 0;
    for (unsigned day = 0; day < 7; day++) {
        if (number == day + 1 || (lua_type(fields->L, -1) == LUA_TSTRING &&
                                     strcmp(lua_tostring(fields->L, -1), days[day]) == 0)) {
            *mask |= (uint8_t)(1U << day);
            return;
        }
    }
    rwd_fields_fail(fields, key, "must be \"mon\" to \"sun\", or 1 (Monday) to 7");
}

static void visit_hour(const struct rwd_fields *fields, const char *key, size_t i, void *context)
{
    uint32_t *mask = context;
    (void)i;
    double number = lua_type(fields->L, -1) == LUA_TNUMBER ? lua_tonumber(fields->L, -1) : -1;
    if (!(number >= 0 && number <= 23) || number != (double)(unsigned)number) {
        rwd_fields_fail(fields, key, "must be hours from 0 to 23 (UTC)");
    }
    *mask |= 1U << (unsigned)number;
}

void rwd_dsl_read_where(
    const struct rwd_fields *parent, const char *key, struct rwd_rule_where *where)
{
    static const char *const keys[] = {
        "geo", "platform", "payer", "segment", "currency", "weekday", "hour", NULL};
    struct rwd_fields fields;
    bool payer = false;
    if (!rwd_fields_enter(parent, key, keys, &fields)) {
        return;
    }
    read_texts(&fields, "geo", &where->geos, &where->geo_count, is_country, COUNTRY);
    read_texts(&fields, "platform", &where->platforms, &where->platform_count, is_any, "platform");
    read_texts(&fields, "segment", &where->segments, &where->segment_count, is_any, "segment");
    read_texts(&fields, "currency", &where->currencies, &where->currency_count, is_currency,
        "ISO 4217 currency");
    if (rwd_fields_boolean(&fields, "payer", &payer)) {
        where->payer = payer ? RWD_YES : RWD_NO;
    }
    (void)rwd_fields_each(&fields, "weekday", 7, visit_weekday, &where->weekday_mask);
    (void)rwd_fields_each(&fields, "hour", 24, visit_hour, &where->hour_mask);
    lua_pop(fields.L, 1);
}

static void read_caps(const struct rwd_fields *parent, struct rwd_rule *rule)
{
    static const char *const keys[] = {"per_event", "per_minute", "per_hour", "per_day", NULL};
    int64_t *caps[] = {
        &rule->cap_per_event, &rule->cap_per_minute, &rule->cap_per_hour, &rule->cap_per_day};
    struct rwd_fields fields;
    for (size_t i = 0; i < 4; i++) {
        *caps[i] = RWD_CAP_NONE_SET;
    }
    if (!rwd_fields_enter(parent, "caps", keys, &fields)) {
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        (void)rwd_fields_integer(&fields, keys[i], 0, CAP_MAX, caps[i]);
    }
    if (!rule->has_score) {
        rwd_fields_fail(parent, "caps", "says nothing without score");
    }
    lua_pop(fields.L, 1);
}

static int compare_milestones(const void *left, const void *right)
{
    uint64_t a = ((const struct rwd_rule_milestone *)left)->at;
    uint64_t b = ((const struct rwd_rule_milestone *)right)->at;
    return a < b ? -1 : a > b;
}

static void visit_milestone(
    const struct rwd_fields *parent, const char *key, size_t i, void *context)
{
    static const char *const keys[] = {"at", "reward", NULL};
    struct rwd_rule *rule = context;
    lua_State *L = parent->L;
    char path[40];
    (void)snprintf(path, sizeof path, "milestones[%zu]", i + 1);
    if (lua_type(L, -1) != LUA_TTABLE) {
        rwd_fields_fail(parent, key, "must be a list of { at = ..., reward = ... }");
    }
    struct rwd_fields fields = rwd_fields_open(L, lua_gettop(L), path, keys);
    fields.source = parent->source;
    fields.offset = rwd_source_find_key(parent->source, parent->offset, rwd_text_of(key));
    for (size_t n = 0; n < i; n++) {
        size_t at = rwd_source_find_key(parent->source, fields.offset, RWD_TEXT("at"));
        fields.offset = at < parent->source.size ? at + 2 : fields.offset;
    }
    rwd_fields_check(&fields);
    int64_t at = 0;
    rwd_fields_require(&fields, "at");
    (void)rwd_fields_integer(&fields, "at", 1, (int64_t)1 << 53, &at);
    lua_getfield(L, fields.table, "reward");
    const struct rwd_object *object = rwd_vm_object(L, -1);
    if (object == NULL || object->kind != RWD_OBJECT_REWARD) {
        rwd_fields_fail(&fields, "reward", "must be a reward like freespins { ... }, not a %s",
            rwd_vm_type_name(L, -1));
    }
    for (size_t other = 0; other < i; other++) {
        if (rule->milestones[other].at == (uint64_t)at) {
            rwd_fields_fail(&fields, "at", "%lld stands there twice", (long long)at);
        }
    }
    rule->milestones[i] = (struct rwd_rule_milestone){.at = (uint64_t)at,
        .reward = ((const struct rwd_reward_object *)(const void *)object)->reward};
    rule->milestone_count = i + 1;
    lua_pop(L, 1);
}

static void read_guards(const struct rwd_fields *parent, struct rwd_rule *rule)
{
    static const char *const keys[] = {"kyc_min_level", "rg", "budget", "geo", NULL};
    struct rwd_fields fields;
    int64_t level = -1;
    rule->kyc_min_level = -1;
    rule->rg = true;
    if (!rwd_fields_enter(parent, "guards", keys, &fields)) {
        return;
    }
    (void)rwd_fields_integer(&fields, "kyc_min_level", 0, 3, &level);
    rule->kyc_min_level = (int)level;
    (void)rwd_fields_boolean(&fields, "rg", &rule->rg);
    rwd_dsl_read_id(&fields, "budget", false, rule->budget, sizeof rule->budget);
    read_texts(&fields, "geo", &rule->geo_allowed, &rule->geo_allowed_count, is_country, COUNTRY);
    lua_pop(fields.L, 1);
}

static int compare_states(const void *left, const void *right)
{
    return strcmp(
        ((const struct rwd_rule_state *)left)->name, ((const struct rwd_rule_state *)right)->name);
}

static void read_initial(
    const struct rwd_fields *fields, const char *name, struct rwd_scalar *initial)
{
    lua_State *L = fields->L;
    switch (lua_type(L, -1)) {
    case LUA_TBOOLEAN:
        initial->type = RWD_SCALAR_BOOLEAN;
        initial->boolean = lua_toboolean(L, -1) != 0;
        return;
    case LUA_TNUMBER:
        initial->type = RWD_SCALAR_NUMBER;
        initial->number = lua_tonumber(L, -1);
        if (!isfinite(initial->number)) {
            rwd_fields_fail(fields, name, "must be a finite number");
        }
        return;
    case LUA_TSTRING: {
        struct rwd_text text = {0};
        text.data = lua_tolstring(L, -1, &text.size);
        if (text.size > RWD_STATE_TEXT_SIZE_MAX) {
            rwd_fields_fail(
                fields, name, "a text in state is at most %d bytes long", RWD_STATE_TEXT_SIZE_MAX);
        }
        initial->text =
            (struct rwd_text){.data = rwd_copy(text.data, text.size), .size = text.size};
        initial->type = RWD_SCALAR_TEXT;
        return;
    }
    default:
        rwd_fields_fail(fields, name, "must begin as true, false, a number or a text, not a %s",
            rwd_vm_type_name(L, -1));
    }
}

static bool is_variable(const char *name)
{
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return size > 0 && size < RWD_RULE_PATH_SIZE_MAX && name[size] == '\0' &&
           !(name[0] >= '0' && name[0] <= '9');
}

static void read_state(const struct rwd_fields *parent, struct rwd_rule *rule)
{
    struct rwd_fields fields;
    if (!rwd_fields_enter(parent, "state", NULL, &fields)) {
        return;
    }
    lua_State *L = fields.L;
    lua_pushnil(L);
    while (lua_next(L, fields.table) != 0) {
        const char *name = lua_tostring(L, -2);
        if (!is_variable(name)) {
            rwd_fields_fail(&fields, NULL, "'%.40s' is no name for a field", name);
        }
        if (rule->state_count == RWD_RULE_STATE_COUNT_MAX) {
            rwd_fields_fail(&fields, NULL, "has more than %d fields", RWD_RULE_STATE_COUNT_MAX);
        }
        struct rwd_rule_state *state = &rule->states[rule->state_count++];
        (void)snprintf(state->name, sizeof state->name, "%s", name);
        read_initial(&fields, state->name, &state->initial);
        lua_pop(L, 1);
    }
    qsort(rule->states, rule->state_count, sizeof rule->states[0], compare_states);
    lua_pop(L, 1);
}

static int compare_aggregates(const void *left, const void *right)
{
    return strcmp(((const struct rwd_rule_aggregate *)left)->name,
        ((const struct rwd_rule_aggregate *)right)->name);
}

static void name_key(struct rwd_rule_aggregate *aggregate)
{
    static const char *const operations[] = {"count", "sum", "min", "max", "last"};
    static const char *const windows[] = {"1m", "1h", "1d", "7d", "all"};
    static const uint8_t zero[RWD_SIPHASH_KEY_SIZE];
    char line[2 * RWD_RULE_PATH_SIZE_MAX];
    int size = snprintf(line, sizeof line, "%s:%s:%s", operations[aggregate->operation],
        aggregate->path, windows[aggregate->window]);
    aggregate->key = rwd_siphash(zero, line, (size_t)size);
}

static void read_aggregates(const struct rwd_fields *parent, struct rwd_rule *rule)
{
    struct rwd_fields fields;
    if (!rwd_fields_enter(parent, "aggregates", NULL, &fields)) {
        return;
    }
    lua_State *L = fields.L;
    lua_pushnil(L);
    while (lua_next(L, fields.table) != 0) {
        const char *name = lua_tostring(L, -2);
        const struct rwd_object *object = rwd_vm_object(L, -1);
        if (!is_variable(name)) {
            rwd_fields_fail(&fields, NULL, "'%.40s' is no name for an aggregate", name);
        }
        if (object == NULL || object->kind != RWD_OBJECT_AGGREGATE) {
            rwd_fields_fail(&fields, name,
                "must be count, sum, min, max or last, like sum(\"payload.bet\", \"1d\"), not a %s",
                rwd_vm_type_name(L, -1));
        }
        if (rule->aggregate_count == RWD_RULE_AGGREGATE_COUNT_MAX) {
            rwd_fields_fail(&fields, NULL, "are more than %d", RWD_RULE_AGGREGATE_COUNT_MAX);
        }
        const struct rwd_aggregate_object *made = (const void *)object;
        struct rwd_rule_aggregate *aggregate = &rule->aggregates[rule->aggregate_count++];
        (void)snprintf(aggregate->name, sizeof aggregate->name, "%s", name);
        memcpy(aggregate->path, made->path, sizeof aggregate->path);
        aggregate->operation = made->operation;
        aggregate->window = made->window;
        name_key(aggregate);
        lua_pop(L, 1);
    }
    qsort(rule->aggregates, rule->aggregate_count, sizeof rule->aggregates[0], compare_aggregates);
    lua_pop(L, 1);
}

void rwd_dsl_read_version(const struct rwd_fields *fields, struct rwd_rule *rule)
{
    rwd_fields_copy(fields, "version", true, rule->version, sizeof rule->version);
    if (!rwd_dsl_is_version(rule->version)) {
        rwd_fields_fail(
            fields, "version", "'%s' must be three numbers like \"2.0.0\"", rule->version);
    }
    rule->title = read_line(fields, "title");
    rule->owner = read_line(fields, "owner");
}

void rwd_dsl_decides_nothing(struct rwd_rule *rule)
{
    rule->active_to_ms = rule->active_to_ms != 0 ? rule->active_to_ms : INT64_MAX;
    rule->kyc_min_level = -1;
    rule->rg = true;
    rule->cap_per_event = rule->cap_per_minute = RWD_CAP_NONE_SET;
    rule->cap_per_hour = rule->cap_per_day = RWD_CAP_NONE_SET;
}

static void read_order(const struct rwd_fields *fields, struct rwd_rule *rule)
{
    struct rwd_text order = {0};
    if (!rwd_fields_text(fields, "order", RWD_RULE_ID_SIZE_MAX, &order) ||
        rwd_text_is(order, "arrival")) {
        return;
    }
    if (!rwd_text_is(order, "event_time")) {
        rwd_fields_fail(
            fields, "order", "'%.*s' must be \"arrival\" or \"event_time\"", RWD_TEXT_ARGS(order));
    }
    rule->order = RWD_ORDER_EVENT_TIME;
}

void rwd_dsl_read_rule(const struct rwd_fields *fields, struct rwd_rule *rule)
{
    int64_t priority = 0;
    rwd_dsl_read_id(fields, "id", true, rule->id, sizeof rule->id);
    rwd_dsl_read_version(fields, rule);
    rwd_fields_require(fields, "on");
    (void)rwd_fields_each(fields, "on", RWD_RULE_EVENT_COUNT_MAX, visit_on, rule);
    rwd_dsl_read_active(fields, rule);
    rwd_dsl_read_where(fields, "where", &rule->where);
    read_caps(fields, rule);
    if (rwd_fields_each(fields, "milestones", RWD_RULE_MILESTONE_COUNT_MAX, visit_milestone, rule) >
            0 &&
        !rule->has_score) {
        rwd_fields_fail(fields, "milestones", "says nothing without score");
    }
    qsort(rule->milestones, rule->milestone_count, sizeof rule->milestones[0], compare_milestones);
    read_guards(fields, rule);
    rwd_dsl_read_id(fields, "experiment", false, rule->experiment, RWD_EXPERIMENT_KEY_SIZE_MAX);
    read_state(fields, rule);
    read_aggregates(fields, rule);
    (void)rwd_fields_integer(fields, "priority", -PRIORITY_MAX, PRIORITY_MAX, &priority);
    rule->priority = (int32_t)priority;
    read_order(fields, rule);
}
