#include "domain/event.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void rwd_problem_set(
    struct rwd_problem *problem, const char *type, const char *pointer, const char *format, ...)
{
    problem->type = type;
    (void)snprintf(problem->pointer, sizeof problem->pointer, "%s", pointer);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem->detail, sizeof problem->detail, format, arguments);
    va_end(arguments);
}

uint64_t rwd_fingerprint(const uint8_t key[RWD_SIPHASH_KEY_SIZE], struct rwd_text text)
{
    return rwd_siphash(key, text.data, text.size);
}

/* What the envelope's members are, by place; NULL: not given. */
struct envelope {
    const struct rwd_json_node *event_id;
    const struct rwd_json_node *event_name;
    const struct rwd_json_node *version;
    const struct rwd_json_node *ts;
    const struct rwd_json_node *user;
    const struct rwd_json_node *context;
    const struct rwd_json_node *payload;
    const struct rwd_json_node *user_id;
    const struct rwd_json_node *geo;
    const struct rwd_json_node *platform;
    const struct rwd_json_node *payer_flag;
};

#define KEY_IS(node, literal)                                                                      \
    ((node)->key_size == sizeof(literal) - 1 &&                                                    \
        memcmp((node)->key, literal, sizeof(literal) - 1) == 0)

/* One walk over the members, in whatever order they came. */
static void find_event_members(
    const struct rwd_json *json, const struct rwd_json_node *object, struct envelope *found)
{
    const struct rwd_json_node *node = object + 1;
    for (uint32_t i = 0; i < object->size; i++, node = &json->nodes[node->next]) {
        if (KEY_IS(node, "ts")) {
            found->ts = node;
        } else if (KEY_IS(node, "user")) {
            found->user = node;
        } else if (KEY_IS(node, "version")) {
            found->version = node;
        } else if (KEY_IS(node, "context")) {
            found->context = node;
        } else if (KEY_IS(node, "payload")) {
            found->payload = node;
        } else if (KEY_IS(node, "event_id")) {
            found->event_id = node;
        } else if (KEY_IS(node, "event_name")) {
            found->event_name = node;
        }
    }
}

static void find_user_members(
    const struct rwd_json *json, const struct rwd_json_node *object, struct envelope *found)
{
    const struct rwd_json_node *node = object + 1;
    for (uint32_t i = 0; i < object->size; i++, node = &json->nodes[node->next]) {
        if (KEY_IS(node, "id")) {
            found->user_id = node;
        } else if (KEY_IS(node, "geo")) {
            found->geo = node;
        } else if (KEY_IS(node, "platform")) {
            found->platform = node;
        } else if (KEY_IS(node, "payer_flag")) {
            found->payer_flag = node;
        }
    }
}

#undef KEY_IS

static const char type_invalid[] = "invalid_event";

static enum rwd_status read_id(const struct rwd_json_node *node, size_t size_max,
    const char *pointer, struct rwd_text *text, struct rwd_problem *problem)
{
    if (node == NULL) {
        rwd_problem_set(problem, type_invalid, pointer, "is required");
        return RWD_INVALID;
    }
    if (node->type != RWD_JSON_STRING || node->size == 0) {
        rwd_problem_set(problem, type_invalid, pointer, "must be a string that is not empty");
        return RWD_INVALID;
    }
    if (node->size > size_max) {
        rwd_problem_set(problem, type_invalid, pointer,
            "must be at most %zu bytes long, is %u bytes", size_max, node->size);
        return RWD_INVALID;
    }
    if (memchr(node->data, '\0', node->size) != NULL) {
        rwd_problem_set(problem, type_invalid, pointer, "must not contain a NUL character");
        return RWD_INVALID;
    }
    *text = rwd_json_text(node);
    return RWD_OK;
}

static enum rwd_status read_object(const struct rwd_json_node *node, const char *pointer,
    const struct rwd_json_node **object, struct rwd_problem *problem)
{
    if (node != NULL && node->type != RWD_JSON_OBJECT) {
        rwd_problem_set(problem, type_invalid, pointer, "must be an object");
        return RWD_INVALID;
    }
    *object = node;
    return RWD_OK;
}

static enum rwd_status read_time(
    const struct rwd_json_node *node, int64_t *time_ms, struct rwd_problem *problem)
{
    if (node == NULL) {
        rwd_problem_set(problem, type_invalid, "/ts", "is required");
        return RWD_INVALID;
    }
    if (node->type != RWD_JSON_STRING || !rwd_time_parse(rwd_json_text(node), time_ms)) {
        rwd_problem_set(problem, type_invalid, "/ts",
            "must be an RFC 3339 date-time string from 1970 on, as in \"2025-10-24T11:37:21Z\"");
        return RWD_INVALID;
    }
    return RWD_OK;
}

/* geo, platform and payer_flag: optional, but what is given must be right. */
static enum rwd_status read_user_facts(
    const struct envelope *found, struct rwd_event *event, struct rwd_problem *problem)
{
    if (found->geo != NULL) {
        const struct rwd_json_node *geo = found->geo;
        if (geo->type != RWD_JSON_STRING || geo->size != 2 || geo->data[0] < 'A' ||
            geo->data[0] > 'Z' || geo->data[1] < 'A' || geo->data[1] > 'Z') {
            rwd_problem_set(problem, type_invalid, "/user/geo",
                "must be an ISO 3166-1 country code of two capital letters");
            return RWD_INVALID;
        }
        event->geo = rwd_json_text(geo);
    }
    if (found->platform != NULL) {
        enum rwd_status status = read_id(
            found->platform, RWD_PLATFORM_SIZE_MAX, "/user/platform", &event->platform, problem);
        if (status != RWD_OK) {
            return status;
        }
    }
    if (found->payer_flag != NULL) {
        unsigned type = found->payer_flag->type;
        if (type != RWD_JSON_TRUE && type != RWD_JSON_FALSE) {
            rwd_problem_set(problem, type_invalid, "/user/payer_flag", "must be true or false");
            return RWD_INVALID;
        }
        event->payer = type == RWD_JSON_TRUE ? RWD_YES : RWD_NO;
    }
    return RWD_OK;
}

static enum rwd_status read_user(const struct rwd_json *json, struct envelope *found,
    struct rwd_event *event, struct rwd_problem *problem)
{
    enum rwd_status status = read_object(found->user, "/user", &event->user, problem);
    if (status != RWD_OK) {
        return status;
    }
    if (event->user == NULL) {
        rwd_problem_set(problem, type_invalid, "/user", "is required");
        return RWD_INVALID;
    }
    find_user_members(json, event->user, found);
    status = read_id(found->user_id, RWD_USER_ID_SIZE_MAX, "/user/id", &event->user_id, problem);
    return status == RWD_OK ? read_user_facts(found, event, problem) : status;
}

enum rwd_status rwd_event_read(struct rwd_text raw, const struct rwd_json *json,
    const uint8_t key[RWD_SIPHASH_KEY_SIZE], int64_t ingest_ms, struct rwd_event *event,
    struct rwd_problem *problem)
{
    *event = (struct rwd_event){.raw = raw, .json = *json, .ingest_ms = ingest_ms};
    if (json->count == 0 || json->nodes[0].type != RWD_JSON_OBJECT) {
        rwd_problem_set(problem, type_invalid, "", "an event must be an object");
        return RWD_INVALID;
    }
    struct envelope found = {0};
    find_event_members(json, &json->nodes[0], &found);
    enum rwd_status status =
        read_id(found.event_id, RWD_EVENT_ID_SIZE_MAX, "/event_id", &event->event_id, problem);
    if (status == RWD_OK) {
        status = read_id(
            found.event_name, RWD_EVENT_NAME_SIZE_MAX, "/event_name", &event->name, problem);
    }
    if (status == RWD_OK) {
        status = read_id(
            found.version, RWD_EVENT_VERSION_SIZE_MAX, "/version", &event->version, problem);
    }
    if (status == RWD_OK) {
        status = read_time(found.ts, &event->time_ms, problem);
    }
    if (status == RWD_OK) {
        status = read_user(json, &found, event, problem);
    }
    if (status == RWD_OK) {
        status = read_object(found.context, "/context", &event->context, problem);
    }
    if (status == RWD_OK) {
        status = read_object(found.payload, "/payload", &event->payload, problem);
    }
    if (status == RWD_OK) {
        event->user_fingerprint = rwd_fingerprint(key, event->user_id);
        event->event_fingerprint = rwd_fingerprint(key, event->event_id);
    }
    return status;
}
