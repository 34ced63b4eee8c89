/* The life of rule versions: each command is the keeper's to judge; here it is read. */
#include "edge/api_call.h"

enum { SHARE_ALL = 100, FILE_COUNT_MAX = 4000, SOURCE_SIZE_MAX = 64 << 10, NAME_SIZE_MAX = 128 };

/* A whole number; what is not there keeps *value. False, and answered: it is none, or outside. */
static bool read_number(struct rwd_api__call *call, const struct rwd_json *json,
    const struct rwd_json_node *object, const char *name, int64_t min, int64_t max, int64_t *value)
{
    const struct rwd_json_node *node = rwd_json_member(json, object, rwd_text_of(name));
    int64_t read = 0;
    if (node == NULL) {
        return true;
    }
    if (node->type != RWD_JSON_NUMBER || !rwd_json_integer(node, &read) || read < min ||
        read > max) {
        rwd_api__answer_problem(call, 400, "/%s must be a whole number from %lld to %lld", name,
            (long long)min, (long long)max);
        return false;
    }
    *value = read;
    return true;
}

static bool read_flag(struct rwd_api__call *call, const struct rwd_json *json,
    const struct rwd_json_node *object, const char *name, bool *value)
{
    const struct rwd_json_node *node = rwd_json_member(json, object, rwd_text_of(name));
    if (node != NULL && node->type != RWD_JSON_TRUE && node->type != RWD_JSON_FALSE) {
        rwd_api__answer_problem(call, 400, "/%s must be true or false", name);
        return false;
    }
    *value = node != NULL ? node->type == RWD_JSON_TRUE : *value;
    return true;
}

/* The body, with its reason. */
static bool read_command(
    struct rwd_api__call *call, const char *const *names, struct rwd_json *json)
{
    return rwd_api__can_write(call) && rwd_api__read_object(call, names, json) &&
           rwd_api__read_text(call, json, "reason", RWD_API_REASON_SIZE_MAX, &call->reason);
}

static struct rwd_inquiry *inquiry_of(struct rwd_api__call *call, enum rwd_inquiry_kind kind)
{
    struct rwd_inquiry *inquiry = rwd_api__inquiry(call, kind);
    inquiry->id = rwd_api__keep(inquiry, call->parameters[0]);
    inquiry->version = rwd_api__keep(inquiry, call->parameters[1]);
    inquiry->reason = rwd_api__keep(inquiry, call->reason);
    return inquiry;
}

/* Commands that say nothing but which version, and why. */
static void change_version(struct rwd_api__call *call, enum rwd_inquiry_kind kind)
{
    static const char *const names[] = {"reason", NULL};
    struct rwd_json json;
    if (read_command(call, names, &json)) {
        rwd_api__ask(call, inquiry_of(call, kind), rwd_api__answer_inquiry);
    }
}

void rwd_api__retire_rule(struct rwd_api__call *call)
{
    change_version(call, RWD_INQUIRY_RULE_RETIRE);
}

void rwd_api__rollback_rule(struct rwd_api__call *call)
{
    change_version(call, RWD_INQUIRY_RULE_ROLLBACK);
}

void rwd_api__shadow_rule(struct rwd_api__call *call)
{
    change_version(call, RWD_INQUIRY_RULE_SHADOW);
}

void rwd_api__activate_rule(struct rwd_api__call *call)
{
    static const char *const names[] = {"share", "shadow", "reason", NULL};
    struct rwd_json json;
    int64_t share = SHARE_ALL;
    bool shadow = false;
    if (!read_command(call, names, &json) ||
        !read_number(call, &json, &json.nodes[0], "share", 1, SHARE_ALL, &share) ||
        !read_flag(call, &json, &json.nodes[0], "shadow", &shadow)) {
        return;
    }
    if (shadow && rwd_json_member(&json, &json.nodes[0], RWD_TEXT("share")) != NULL) {
        rwd_api__answer_problem(
            call, 400, "/share: a shadow gives nothing to anybody; leave one of the two out");
        return;
    }
    struct rwd_inquiry *inquiry =
        inquiry_of(call, shadow ? RWD_INQUIRY_RULE_SHADOW : RWD_INQUIRY_RULE_ACTIVATE);
    inquiry->share = (uint32_t)share;
    rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
}

/* ---- ramps ---- */

static bool read_guards(
    struct rwd_api__call *call, const struct rwd_json *json, struct rwd_ramp_guards *guards)
{
    const struct rwd_json_node *object = rwd_json_member(json, &json->nodes[0], RWD_TEXT("guards"));
    const struct {
        const char *name;
        uint32_t *value;
        int64_t max;
    } fields[] = {
        {"calls_min", &guards->call_count_min, 1000000000},
        {"errors_per_mille", &guards->error_per_mille_max, 1000},
        {"money_percent", &guards->money_percent_max, 1000000},
        {"cost_percent", &guards->cost_percent_max, 1000000},
        {"held_points", &guards->held_points_max, 100},
    };
    size_t known = 0;
    if (object != NULL && object->type != RWD_JSON_OBJECT) {
        rwd_api__answer_problem(call, 400, "/guards must be an object");
        return false;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int64_t value = *fields[i].value;
        if (!read_number(call, json, object, fields[i].name, 0, fields[i].max, &value)) {
            return false;
        }
        *fields[i].value = (uint32_t)value;
        known += rwd_json_member(json, object, rwd_text_of(fields[i].name)) != NULL;
    }
    if (!read_flag(call, json, object, "srm", &guards->srm)) {
        return false;
    }
    known += rwd_json_member(json, object, RWD_TEXT("srm")) != NULL;
    if (object != NULL && known != object->size) {
        rwd_api__answer_problem(call, 400,
            "/guards knows calls_min, errors_per_mille, money_percent, cost_percent, held_points "
            "and srm");
        return false;
    }
    return true;
}

static bool read_plan(
    struct rwd_api__call *call, const struct rwd_json *json, struct rwd_ramp *ramp)
{
    const struct rwd_json_node *steps = rwd_json_member(json, &json->nodes[0], RWD_TEXT("steps"));
    int64_t shares[RWD_RAMP_STEP_COUNT_MAX] = {0};
    int64_t every_ms = 0;
    size_t count = 0;
    struct rwd_error error;
    if (!read_number(
            call, json, &json->nodes[0], "every_ms", 1, (int64_t)366 * 86400000, &every_ms)) {
        return false;
    }
    bool good =
        steps != NULL && steps->type == RWD_JSON_ARRAY && steps->size <= RWD_RAMP_STEP_COUNT_MAX;
    const struct rwd_json_node *node = good ? rwd_json_first(json, steps) : NULL;
    while (node != NULL && good) {
        good = node->type == RWD_JSON_NUMBER && rwd_json_integer(node, &shares[count++]);
        node = rwd_json_next(json, steps, node);
    }
    if (rwd_ramp_plan(shares, good ? count : 0, every_ms, ramp, &error) != RWD_OK) {
        rwd_api__answer_problem(call, 400, "%s", error.text);
        return false;
    }
    return read_guards(call, json, &ramp->guards);
}

void rwd_api__ramp_rule(struct rwd_api__call *call)
{
    static const char *const names[] = {"steps", "every_ms", "guards", "reason", NULL};
    struct rwd_json json;
    struct rwd_ramp ramp;
    if (!read_command(call, names, &json) || !read_plan(call, &json, &ramp)) {
        return;
    }
    struct rwd_inquiry *inquiry = inquiry_of(call, RWD_INQUIRY_RULE_RAMP);
    inquiry->ramp = ramp;
    rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
}

/* ---- many at once ---- */

static bool read_file(struct rwd_api__call *call, const struct rwd_json *json,
    const struct rwd_json_node *object, struct rwd_inquiry_file *file)
{
    const struct rwd_json_node *name = rwd_json_member(json, object, RWD_TEXT("name"));
    const struct rwd_json_node *source = rwd_json_member(json, object, RWD_TEXT("source"));
    if (name == NULL || name->type != RWD_JSON_STRING || name->size == 0 ||
        name->size > NAME_SIZE_MAX || source == NULL || source->type != RWD_JSON_STRING ||
        source->size > SOURCE_SIZE_MAX || object->size != 2) {
        rwd_api__answer_problem(call, 400,
            "/files must be a list of {\"name\":\"<id>/<version>.lua\",\"source\":\"...\"}, a "
            "source of at most %d bytes",
            SOURCE_SIZE_MAX);
        return false;
    }
    file->name = rwd_json_text(name);
    file->source = rwd_json_text(source);
    return true;
}

void rwd_api__deploy_rules(struct rwd_api__call *call)
{
    static const char *const names[] = {"files", "reason", NULL};
    struct rwd_json json;
    if (!read_command(call, names, &json)) {
        return;
    }
    const struct rwd_json_node *list = rwd_json_member(&json, &json.nodes[0], RWD_TEXT("files"));
    if (list == NULL || list->type != RWD_JSON_ARRAY || list->size == 0 ||
        list->size > FILE_COUNT_MAX) {
        rwd_api__answer_problem(
            call, 400, "/files must be a list of 1 to %d files", FILE_COUNT_MAX);
        return;
    }
    struct rwd_inquiry_file *files = rwd_api__alloc(call, list->size * sizeof files[0]);
    size_t count = 0;
    for (const struct rwd_json_node *node = rwd_json_first(&json, list); node != NULL;
         node = rwd_json_next(&json, list, node)) {
        if (!read_file(call, &json, node, &files[count++])) {
            return;
        }
    }
    struct rwd_inquiry *inquiry = inquiry_of(call, RWD_INQUIRY_RULE_DEPLOY);
    inquiry->files = rwd_inquiry_files(inquiry, files, count);
    inquiry->file_count = count;
    rwd_api__ask(call, inquiry, rwd_api__answer_inquiry);
}
