/* rules diff: what differs between two versions of a rule. Reads files; no daemon is asked. */
#include "base/clock.h"
#include "base/memory.h"
#include "ctl/options.h"
#include "ctl/rule_commands.h"
#include "ctl/table.h"
#include "engine/formula_folder.h"
#include "engine/rule_folder.h"
#include "engine/task_text.h"
#include "runtime/thread.h"
#include "script/sandbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FILE_SIZE_MAX = 1 << 20, FIELD_COUNT_MAX = 32, CONTEXT_COUNT = 2, LINE_COUNT_MAX = 4000 };

static const char usage[] =
    "usage: rewardctl rules diff ID@A ID@B [--rules DIR]\n"
    "\n"
    "Tells what differs between two versions of a rule (or formula, as in formulas/ID@A; or two\n"
    "rules, or two files): first the\n"
    "declared fields, as the daemon reads them, then the lines of the source: - only in the "
    "first,\n"
    "+ only in the second. A field that is written another way and means the same is not told.\n"
    "\n"
    "  --rules DIR  where ID@VERSION is looked for; default rules.dir of engine.conf\n"
    "\n"
    "Exit code 0: compared, the same or not; 1: a file does not load; 2: not understood.\n";

struct field {
    const char *name;
    struct rwd_buffer text;
};

/* One version: what it declares, in words. */
struct version {
    struct rwd_buffer path;
    struct rwd_buffer source;
    struct rwd_rule *rule;
    struct field fields[FIELD_COUNT_MAX];
    size_t field_count;
};

struct comparing {
    struct version versions[2];
    const char *rules_dir;
    struct rwd_sandbox_limits limits;
    struct rwd_error error;
    enum rwd_status status;
};

/* ---- fields ---- */

static struct rwd_buffer *field(struct version *version, const char *name)
{
    struct field *added = &version->fields[version->field_count++];
    added->name = name;
    return &added->text;
}

static void put_texts(struct rwd_buffer *out, const struct rwd_text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rwd_buffer_put_string(out, i > 0 ? ", " : "");
        rwd_buffer_put_text(out, texts[i]);
    }
}

static void put_bits(struct rwd_buffer *out, uint32_t mask)
{
    for (unsigned i = 0; i < 32; i++) {
        if ((mask & (uint32_t)1 << i) != 0) {
            rwd_buffer_put_format(out, "%s%u", out->size > 0 ? ", " : "", i);
        }
    }
}

static void put_time(struct rwd_buffer *out, int64_t time_ms)
{
    char text[RWD_TIME_TEXT_SIZE];
    if (time_ms > 0 && time_ms < INT64_MAX) {
        rwd_time_format(time_ms, text);
        rwd_buffer_put_string(out, text);
    }
}

static void put_cap(struct version *version, const char *name, int64_t cap)
{
    struct rwd_buffer *out = field(version, name);
    if (cap != RWD_CAP_NONE_SET) {
        rwd_buffer_put_i64(out, cap);
    }
}

static void put_scalar(struct rwd_buffer *out, const struct rwd_scalar *scalar)
{
    switch (scalar->type) {
    case RWD_SCALAR_BOOLEAN:
        rwd_buffer_put_string(out, scalar->boolean ? "true" : "false");
        break;
    case RWD_SCALAR_NUMBER:
        rwd_buffer_put_format(out, "%.14g", scalar->number);
        break;
    case RWD_SCALAR_TEXT:
        rwd_buffer_put_json(out, scalar->text);
        break;
    case RWD_SCALAR_NIL:
        rwd_buffer_put_string(out, "nil");
        break;
    }
}

static void describe_where(struct version *version, const struct rwd_rule_where *where)
{
    put_texts(field(version, "where.geo"), where->geos, where->geo_count);
    put_texts(field(version, "where.platform"), where->platforms, where->platform_count);
    put_texts(field(version, "where.segment"), where->segments, where->segment_count);
    put_texts(field(version, "where.currency"), where->currencies, where->currency_count);
    rwd_buffer_put_string(field(version, "where.payer"), where->payer == RWD_YES  ? "true"
                                                         : where->payer == RWD_NO ? "false"
                                                                                  : "");
    put_bits(field(version, "where.weekday (0 Monday)"), where->weekday_mask);
    put_bits(field(version, "where.hour"), where->hour_mask);
}

static void describe_counters(struct version *version, const struct rwd_rule *rule)
{
    static const char *const operations[] = {"count", "sum", "min", "max", "last"};
    static const char *const windows[] = {"1m", "1h", "1d", "7d", "all"};
    struct rwd_buffer *out = field(version, "aggregates");
    for (size_t i = 0; i < rule->aggregate_count; i++) {
        const struct rwd_rule_aggregate *aggregate = &rule->aggregates[i];
        rwd_buffer_put_format(out, "%s%s = %s(%s%s%s)", i > 0 ? ", " : "", aggregate->name,
            operations[aggregate->operation], aggregate->path,
            aggregate->path[0] != '\0' ? " " : "", windows[aggregate->window]);
    }
    out = field(version, "state");
    for (size_t i = 0; i < rule->state_count; i++) {
        rwd_buffer_put_format(out, "%s%s = ", i > 0 ? ", " : "", rule->states[i].name);
        put_scalar(out, &rule->states[i].initial);
    }
}

static void describe_rewards(struct version *version, const struct rwd_rule *rule)
{
    put_cap(version, "caps.per_event", rule->cap_per_event);
    put_cap(version, "caps.per_minute", rule->cap_per_minute);
    put_cap(version, "caps.per_hour", rule->cap_per_hour);
    put_cap(version, "caps.per_day", rule->cap_per_day);
    struct rwd_buffer *out = field(version, "milestones");
    for (size_t i = 0; i < rule->milestone_count; i++) {
        rwd_buffer_put_format(out, "%s%" PRIu64 " ", i > 0 ? "; " : "", rule->milestones[i].at);
        rwd_reward_put_json(&rule->milestones[i].reward, out);
    }
    out = field(version, "guards.kyc_min_level");
    if (rule->kyc_min_level >= 0) {
        rwd_buffer_put_i64(out, rule->kyc_min_level);
    }
    rwd_buffer_put_string(field(version, "guards.rg"), rule->rg ? "true" : "false");
    rwd_buffer_put_string(field(version, "guards.budget"), rule->budget);
    put_texts(field(version, "guards.geo"), rule->geo_allowed, rule->geo_allowed_count);
}

static void describe(struct version *version)
{
    const struct rwd_rule *rule = version->rule;
    rwd_buffer_put_string(field(version, "title"), rule->title != NULL ? rule->title : "");
    rwd_buffer_put_string(field(version, "owner"), rule->owner != NULL ? rule->owner : "");
    struct rwd_buffer *out = field(version, "on");
    for (size_t i = 0; i < rule->on_count; i++) {
        rwd_buffer_put_format(out, "%s%s", i > 0 ? ", " : "", rule->on[i]);
    }
    put_time(field(version, "active.from"), rule->active_from_ms);
    put_time(field(version, "active.to"), rule->active_to_ms);
    describe_where(version, &rule->where);
    out = field(version, "functions");
    rwd_buffer_put_format(out, "%s%s%s", rule->has_when ? "when " : "",
        rule->has_score ? "score " : "", rule->has_grant ? "grant" : "");
    describe_counters(version, rule);
    describe_rewards(version, rule);
    rwd_buffer_put_format(field(version, "priority"), "%d", rule->priority);
    rwd_buffer_put_string(
        field(version, "order"), rule->order == RWD_ORDER_EVENT_TIME ? "event_time" : "arrival");
    rwd_buffer_put_string(field(version, "experiment"), rule->experiment);
    out = field(version, "formulas");
    for (size_t i = 0; i < rule->formula_count; i++) {
        rwd_buffer_put_format(out, "%s%.*s@%s", i > 0 ? ", " : "",
            RWD_TEXT_ARGS(rwd_rule_bare_id(rule->formulas[i].id)), rule->formulas[i].version);
    }
}

static void put_fields(struct comparing *comparing, struct rwd_buffer *out)
{
    struct version *versions = comparing->versions;
    size_t different = 0;
    for (size_t i = 0; i < versions[0].field_count; i++) {
        struct rwd_text a = rwd_buffer_text(&versions[0].fields[i].text);
        struct rwd_text b = rwd_buffer_text(&versions[1].fields[i].text);
        if (rwd_text_equal(a, b)) {
            continue;
        }
        different++;
        rwd_buffer_put_format(out, "%s\n  - ", versions[0].fields[i].name);
        rwd_ctl_put_plain(out, a.size > 0 ? a : RWD_TEXT("(not said)"));
        rwd_buffer_put_string(out, "\n  + ");
        rwd_ctl_put_plain(out, b.size > 0 ? b : RWD_TEXT("(not said)"));
        rwd_buffer_put_char(out, '\n');
    }
    if (different == 0) {
        rwd_buffer_put_string(out, "the declared fields are the same\n");
    }
}

/* ---- lines ---- */

struct lines {
    struct rwd_text items[LINE_COUNT_MAX];
    size_t count;
};

static void split(struct rwd_text source, struct lines *lines)
{
    size_t begin = 0;
    for (size_t at = 0; at <= source.size && lines->count < LINE_COUNT_MAX; at++) {
        if (at == source.size ? at > begin : source.data[at] == '\n') {
            lines->items[lines->count++] =
                (struct rwd_text){.data = source.data + begin, .size = at - begin};
            begin = at + 1;
        }
    }
}

/* common[i * (b + 1) + j]: how long the longest common run of lines behind i and j is. */
static uint16_t *common_of(const struct lines *a, const struct lines *b)
{
    size_t width = b->count + 1;
    uint16_t *common = rwd_new((a->count + 1) * width * sizeof common[0]);
    for (size_t i = a->count; i-- > 0;) {
        for (size_t j = b->count; j-- > 0;) {
            uint16_t below = common[(i + 1) * width + j];
            uint16_t right = common[i * width + j + 1];
            common[i * width + j] = rwd_text_equal(a->items[i], b->items[j])
                                        ? (uint16_t)(common[(i + 1) * width + j + 1] + 1)
                                        : (below > right ? below : right);
        }
    }
    return common;
}

struct shown {
    char sign;
    size_t line;
    struct rwd_text text;
};

static size_t align(const struct lines *a, const struct lines *b, struct shown *shown)
{
    uint16_t *common = common_of(a, b);
    size_t width = b->count + 1;
    size_t count = 0;
    size_t i = 0;
    size_t j = 0;
    while (i < a->count || j < b->count) {
        if (i < a->count && j < b->count && rwd_text_equal(a->items[i], b->items[j])) {
            shown[count++] = (struct shown){' ', j + 1, b->items[j]};
            i++;
            j++;
        } else if (j == b->count ||
                   (i < a->count && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
            shown[count++] = (struct shown){'-', i + 1, a->items[i]};
            i++;
        } else {
            shown[count++] = (struct shown){'+', j + 1, b->items[j]};
            j++;
        }
    }
    rwd_free(common);
    return count;
}

/* A change within CONTEXT_COUNT lines of it. */
static bool is_near(const struct shown *shown, size_t count, size_t at)
{
    size_t from = at > CONTEXT_COUNT ? at - CONTEXT_COUNT : 0;
    for (size_t i = from; i < count && i <= at + CONTEXT_COUNT; i++) {
        if (shown[i].sign != ' ') {
            return true;
        }
    }
    return false;
}

static void put_lines(struct comparing *comparing, struct rwd_buffer *out)
{
    struct lines *sides = rwd_new(2 * sizeof sides[0]);
    for (size_t i = 0; i < 2; i++) {
        split(rwd_buffer_text(&comparing->versions[i].source), &sides[i]);
    }
    struct shown *shown = rwd_new((sides[0].count + sides[1].count + 1) * sizeof shown[0]);
    size_t count = align(&sides[0], &sides[1], shown);
    bool told = false;
    for (size_t i = 0; i < count; i++) {
        if (!is_near(shown, count, i)) {
            continue;
        }
        if (!told || !is_near(shown, count, i - 1)) {
            rwd_buffer_put_string(out, told ? "   ...\n" : "\nsource\n");
            told = true;
        }
        rwd_buffer_put_format(out, "%c %4zu  ", shown[i].sign, shown[i].line);
        rwd_ctl_put_plain(out, shown[i].text);
        rwd_buffer_put_char(out, '\n');
    }
    if (!told) {
        rwd_buffer_put_string(out, "the sources are the same\n");
    }
    if (sides[0].count == LINE_COUNT_MAX || sides[1].count == LINE_COUNT_MAX) {
        rwd_buffer_put_format(out, "only the first %d lines were compared\n", LINE_COUNT_MAX);
    }
    rwd_free(shown);
    rwd_free(sides);
}

/* ---- the command ---- */

/* On a thread with the stack that rule code needs. */
static void load(void *context)
{
    struct comparing *comparing = context;
    for (size_t i = 0; comparing->status == RWD_OK && i < 2; i++) {
        struct version *version = &comparing->versions[i];
        const char *path = rwd_buffer_c_string(&version->path);
        comparing->status =
            rwd_rule_file_read(path, FILE_SIZE_MAX, &version->source, &comparing->error);
        if (comparing->status == RWD_OK) {
            comparing->status = rwd_rule_load_beside(rwd_buffer_text(&version->source), path,
                comparing->rules_dir, &comparing->limits, &version->rule, &comparing->error);
        }
    }
}

static void finish(struct comparing *comparing)
{
    for (size_t i = 0; i < 2; i++) {
        struct version *version = &comparing->versions[i];
        for (size_t f = 0; f < version->field_count; f++) {
            rwd_buffer_finish(&version->fields[f].text);
        }
        rwd_rule_destroy(version->rule);
        rwd_buffer_finish(&version->source);
        rwd_buffer_finish(&version->path);
    }
}

static int compare(struct comparing *comparing)
{
    struct rwd_thread thread;
    enum rwd_status status = rwd_thread_start(
        &thread, "rules", RWD_SANDBOX_STACK_SIZE, load, comparing, &comparing->error);
    if (status == RWD_OK) {
        rwd_thread_join(&thread);
        status = comparing->status;
    }
    if (status != RWD_OK) {
        return rwd_ctl_fail(RWD_CTL_FAILED, "%s", comparing->error.text);
    }
    struct rwd_buffer out = {0};
    const struct rwd_rule *a = comparing->versions[0].rule;
    const struct rwd_rule *b = comparing->versions[1].rule;
    describe(&comparing->versions[0]);
    describe(&comparing->versions[1]);
    rwd_buffer_put_format(&out, "- %s %s\n+ %s %s\n\n", a->id, a->version, b->id, b->version);
    put_fields(comparing, &out);
    put_lines(comparing, &out);
    (void)fwrite(out.data, 1, out.size, stdout);
    rwd_buffer_finish(&out);
    return RWD_CTL_OK;
}

int rwd_ctl_rules_diff(struct rwd_ctl *ctl, int argc, char **argv)
{
    struct rwd_ctl_option options[] = {{.name = "rules"}};
    struct rwd_ctl_line line = {.usage = usage,
        .options = options,
        .option_count = 1,
        .word_count_min = 2,
        .word_count_max = 2};
    int code = rwd_ctl_options(argc, argv, &line);
    if (code != RWD_CTL_GO_ON) {
        return code;
    }
    const struct rwd_config *config = ctl->config;
    struct comparing comparing = {
        .limits = {.instruction_count_max = (uint32_t)config->sandbox_instruction_count_max,
            .memory_size_max = (uint32_t)(config->sandbox_memory_size_max_mib << 20),
            .deadline_ms = (uint32_t)config->sandbox_deadline_ms}};
    comparing.rules_dir = options[0].value != NULL ? options[0].value : config->rules_dir;
    for (size_t i = 0; i < 2; i++) {
        rwd_ctl_rule_path(comparing.rules_dir, line.words[i], &comparing.versions[i].path);
    }
    code = compare(&comparing);
    finish(&comparing);
    return code;
}
