#include "edge/cloudevents.h"

#include "edge/events_body.h"
#include "transport/http_server.h"

#include <string.h>

/* What makes an event of a payload. */
struct attributes {
    struct rwd_text id;
    struct rwd_text type;
    struct rwd_text time;
    struct rwd_text subject;
    struct rwd_text version;
    struct rwd_text data_schema; /* tells the version where nothing else does */
};

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
static struct rwd_text version_of(const struct attributes *attributes)
{
    static const char ending[] = ".json";
    const size_t ending_size = sizeof ending - 1;
    if (attributes->version.size > 0) {
        return attributes->version;
    }
    struct rwd_text version = last_part(attributes->data_schema, '/');
    if (version.size > ending_size &&
        memcmp(version.data + version.size - ending_size, ending, ending_size) == 0) {
        version.size -= ending_size;
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

static enum rwd_status convert(const struct attributes *attributes, struct rwd_text payload,
    struct rwd_arena *arena, struct rwd_text *event, struct rwd_problem *problem)
{
    const struct {
        const char *name;
        struct rwd_text value;
    } needed[] = {{"id", attributes->id}, {"type", attributes->type}, {"time", attributes->time},
        {"subject", attributes->subject}};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (needed[i].value.size == 0) {
            rwd_problem_set(problem, "invalid_event", "",
                "a CloudEvent whose data is a payload needs the attribute '%s'", needed[i].name);
            return RWD_INVALID;
        }
    }
    struct rwd_buffer out = {0};
    put_member(&out, "{\"event_id\":", attributes->id, "");
    put_member(&out, ",\"event_name\":", last_part(attributes->type, '.'), "");
    put_member(&out, ",\"version\":", version_of(attributes), "");
    put_member(&out, ",\"ts\":", attributes->time, "");
    put_member(&out, ",\"user\":{\"id\":", attributes->subject, "},\"payload\":");
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
    const struct attributes attributes = {attribute(&json, "id"), attribute(&json, "type"),
        attribute(&json, "time"), attribute(&json, "subject"), attribute(&json, "eventversion"),
        attribute(&json, "dataschema")};
    return convert(&attributes, span, arena, event, problem);
}

/* ---- binary mode ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Header values are percent-encoded (CloudEvents HTTP binding, 3.1.3.2). What no longer is UTF-8
 * then is refused where the event is read. */
static struct rwd_text header(
    const struct rwd_http_request *request, const char *name, struct rwd_arena *arena)
{
    struct rwd_text value = rwd_http_request_header(request, name);
    char *copy = value.size > 0 ? rwd_arena_copy(arena, value.data, value.size) : NULL;
    if (copy == NULL) {
        return (struct rwd_text){0};
    }
    size_t out = 0;
    for (size_t i = 0; i < value.size; i++) {
        int high = copy[i] == '%' && i + 2 < value.size ? hex_digit(copy[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(copy[i + 2]) : -1;
        copy[out++] = low >= 0 ? (char)(high * 16 + low) : copy[i];
        i += low >= 0 ? 2 : 0;
    }
    return (struct rwd_text){.data = copy, .size = out};
}

enum rwd_status rwd_cloudevent_convert_binary(const struct rwd_http_request *request,
    struct rwd_text body, const struct rwd_json_limits *limits, struct rwd_arena *arena,
    struct rwd_text *event, struct rwd_problem *problem)
{
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    *event = body;
    if (rwd_json_scan(body, limits, arena, &json, &consumed, &fault) != RWD_OK ||
        consumed != body.size || json.nodes[0].type != RWD_JSON_OBJECT ||
        rwd_json_member(&json, &json.nodes[0], RWD_TEXT("event_name")) != NULL) {
        return RWD_OK;
    }
    const struct attributes attributes = {header(request, "ce-id", arena),
        header(request, "ce-type", arena), header(request, "ce-time", arena),
        header(request, "ce-subject", arena), header(request, "ce-eventversion", arena),
        header(request, "ce-dataschema", arena)};
    return convert(&attributes, body, arena, event, problem);
}
