#include "edge/cloudevents.h"

#include "edge/events_body.h"

#include <string.h>

static struct rwd_text attribute(const struct rwd_json *json, const char *name)
{
    const struct rwd_json_node *node = rwd_json_member(json, &json->nodes[0], rwd_text_of(name));
    return node != NULL && node->type == RWD_JSON_STRING ? rwd_json_text(node)
                                                         : (struct rwd_text){0};
}

/* What stands behind the last of that character; all of it where there is none. */
static struct rwd_text last_part(struct rwd_text text, char separator)
{
    for (size_t at = text.size; at > 0; at--) {
        if (text.data[at - 1] == separator) {
            return (struct rwd_text){.data = text.data + at, .size = text.size - at};
        }
    }
    return text;
}

/* "https://schemas.example/bet/1.2.0.json" -> "1.2.0" */
static struct rwd_text version_of(const struct rwd_json *json)
{
    struct rwd_text version = attribute(json, "eventversion");
    if (version.size == 0) {
        static const char ending[] = ".json";
        version = last_part(attribute(json, "dataschema"), '/');
        if (version.size > sizeof ending - 1 &&
            memcmp(version.data + version.size - (sizeof ending - 1), ending, sizeof ending - 1) ==
                0) {
            version.size -= sizeof ending - 1;
        }
    }
    return version;
}

static struct rwd_text span_of(struct rwd_text text, const struct rwd_json_node *node)
{
    const char *begin = node->type == RWD_JSON_STRING ? node->data - 1 : node->data;
    const char *end = rwd_events_body_value_end(begin, text.data + text.size);
    return (struct rwd_text){.data = begin, .size = (size_t)(end - begin)};
}

static void put_member(
    struct rwd_buffer *out, const char *before, struct rwd_text value, const char *after)
{
    rwd_buffer_put_string(out, before);
    rwd_buffer_put_json(out, value);
    rwd_buffer_put_string(out, after);
}

static enum rwd_status convert(const struct rwd_json *json, struct rwd_text payload,
    struct rwd_arena *arena, struct rwd_text *event, struct rwd_problem *problem)
{
    static const char *const needed[] = {"id", "type", "time", "subject"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (attribute(json, needed[i]).size == 0) {
            rwd_problem_set(problem, "invalid_event", "",
                "a CloudEvent whose data is a payload needs the attribute '%s'", needed[i]);
            return RWD_INVALID;
        }
    }
    struct rwd_buffer out = {0};
    put_member(&out, "{\"event_id\":", attribute(json, "id"), "");
    put_member(&out, ",\"event_name\":", last_part(attribute(json, "type"), '.'), "");
    put_member(&out, ",\"version\":", version_of(json), "");
    put_member(&out, ",\"ts\":", attribute(json, "time"), "");
    put_member(&out, ",\"user\":{\"id\":", attribute(json, "subject"), "},\"payload\":");
    rwd_buffer_put_text(&out, payload);
    rwd_buffer_put_char(&out, '}');
    const char *copy = rwd_arena_copy(arena, out.data, out.size);
    *event = (struct rwd_text){.data = copy, .size = out.size};
    rwd_buffer_finish(&out);
    if (copy == NULL) {
        rwd_problem_set(problem, "limit", "", "the request's CloudEvents take too much memory");
        return RWD_LIMIT;
    }
    return RWD_OK;
}

enum rwd_status rwd_cloudevent_convert(struct rwd_text text, const struct rwd_json_limits *limits,
    struct rwd_arena *arena, struct rwd_text *event, struct rwd_problem *problem)
{
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    enum rwd_status status = rwd_json_scan(text, limits, arena, &json, &consumed, &fault);
    if (status != RWD_OK || consumed != text.size) {
        rwd_problem_set(problem, status == RWD_LIMIT ? "limit" : "invalid_json", "",
            "%s (at byte %zu)", status != RWD_OK ? fault.detail : "something stands behind it",
            status != RWD_OK ? fault.offset : consumed);
        return status != RWD_OK ? status : RWD_INVALID;
    }
    const struct rwd_json_node *content = rwd_json_member(&json, &json.nodes[0], RWD_TEXT("data"));
    if (!rwd_text_is(attribute(&json, "specversion"), "1.0") || content == NULL ||
        content->type != RWD_JSON_OBJECT) {
        rwd_problem_set(problem, "invalid_event", "",
            "a CloudEvent has specversion \"1.0\" and an object in data");
        return RWD_INVALID;
    }
    struct rwd_text span = span_of(text, content);
    if (rwd_json_member(&json, content, RWD_TEXT("event_name")) != NULL) {
        *event = span;
        return RWD_OK;
    }
    return convert(&json, span, arena, event, problem);
}
