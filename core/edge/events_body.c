#include "edge/events_body.h"

#include "transport/http_server.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(struct rwd_events_body *body)
{
    while (body->at < body->end && is_blank(*body->at)) {
        body->at++;
    }
}

/* "application/json; charset=utf-8" is application/json. */
static bool is_type(struct rwd_text content_type, const char *name)
{
    size_t size = strlen(name);
    return content_type.size >= size && strncasecmp(content_type.data, name, size) == 0 &&
           (content_type.size == size || content_type.data[size] == ';' ||
               content_type.data[size] == ' ');
}

/* Behind the element that begins at at: strings are jumped over, brackets counted. Ends at the
 * comma or bracket that follows it in the array, or at the end of a body that is cut short. */
static const char *element_end(const char *at, const char *end)
{
    size_t depth = 0;
    for (; at < end; at++) {
        switch (*at) {
        case '"':
            for (at++; at < end && *at != '"'; at++) {
                at += *at == '\\';
            }
            break;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0) {
                return at;
            }
            depth--;
            break;
        case ',':
            if (depth == 0) {
                return at;
            }
            break;
        default:
            break;
        }
    }
    return end;
}

const char *rwd_events_body_value_end(const char *begin, const char *end)
{
    size_t depth = 0;
    for (const char *at = begin; at < end; at++) {
        if (*at == '"') {
            for (at++; at < end && *at != '"'; at++) {
                at += *at == '\\';
            }
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if ((*at == '}' || *at == ']') && --depth == 0) {
            return at + 1;
        }
    }
    return end;
}

static bool next_line(struct rwd_events_body *body, struct rwd_text *event)
{
    skip_blanks(body);
    if (body->at == body->end) {
        return false;
    }
    const char *line_end = memchr(body->at, '\n', (size_t)(body->end - body->at));
    line_end = line_end != NULL ? line_end : body->end;
    *event = (struct rwd_text){.data = body->at, .size = (size_t)(line_end - body->at)};
    body->at = line_end;
    while (is_blank(event->data[event->size - 1])) {
        event->size--;
    }
    return true;
}

/* At the array's end, or the body's: an array that is cut short, or is not all of the body, was not
 * read whole, which its sender must hear. */
static bool end_array(struct rwd_events_body *body, struct rwd_text *event)
{
    bool closed = body->at < body->end;
    body->array = false;
    if (closed) {
        body->at++;
        skip_blanks(body);
        closed = body->at == body->end;
    }
    *event = (struct rwd_text){.data = body->at};
    body->at = body->end;
    return !closed;
}

static bool next_element(struct rwd_events_body *body, struct rwd_text *event)
{
    skip_blanks(body);
    if (body->at == body->end || *body->at == ']') {
        return end_array(body, event);
    }
    const char *element = element_end(body->at, body->end);
    *event = (struct rwd_text){.data = body->at, .size = (size_t)(element - body->at)};
    while (event->size > 0 && is_blank(event->data[event->size - 1])) {
        event->size--;
    }
    body->at = element;
    if (body->at < body->end && *body->at == ',') {
        body->at++;
        /* "[1,]": the element after the last comma is missing, and is refused as an empty one. */
        struct rwd_events_body rest = *body;
        skip_blanks(&rest);
        if (rest.at < rest.end && *rest.at == ']') {
            event->size = 0;
        }
    }
    return true;
}

static bool next_single(struct rwd_events_body *body, struct rwd_text *event)
{
    skip_blanks(body);
    *event = (struct rwd_text){.data = body->at, .size = (size_t)(body->end - body->at)};
    body->at = body->end;
    return event->size > 0;
}

bool rwd_events_body_next(struct rwd_events_body *body, struct rwd_text *event)
{
    return body->lines   ? next_line(body, event)
           : body->array ? next_element(body, event)
                         : next_single(body, event);
}

/* Counted before anything is taken in: a request over the limit is refused whole. */
static bool over_limit(const struct rwd_events_body *body, size_t event_count_max)
{
    struct rwd_events_body copy = *body;
    struct rwd_text event;
    size_t count = 0;
    while (count <= event_count_max && rwd_events_body_next(&copy, &event)) {
        count++;
    }
    return count > event_count_max;
}

int rwd_events_body_open(struct rwd_events_body *body, const struct rwd_http_request *request,
    size_t event_count_max, struct rwd_error *error)
{
    struct rwd_text content_type = rwd_http_request_content_type(request);
    struct rwd_text text = rwd_http_request_body(request);
    *body = (struct rwd_events_body){.at = text.data, .end = text.data + text.size};
    body->lines = is_type(content_type, "application/x-ndjson");
    body->cloudevents = is_type(content_type, "application/cloudevents+json") ||
                        is_type(content_type, "application/cloudevents-batch+json");
    if (!body->lines && !body->cloudevents && content_type.size > 0 &&
        !is_type(content_type, "application/json")) {
        (void)rwd_fail(error, RWD_INVALID,
            "content type '%.*s' is not taken; send application/json, application/x-ndjson or "
            "application/cloudevents+json",
            RWD_TEXT_ARGS(content_type));
        return 415;
    }
    skip_blanks(body);
    if (body->at == body->end) {
        (void)rwd_fail(error, RWD_INVALID, "the body holds no event");
        return 400;
    }
    if (!body->lines && *body->at == '[') {
        body->array = true;
        body->at++;
    }
    body->binary = !body->lines && !body->cloudevents && !body->array &&
                   rwd_http_request_header(request, "ce-specversion").data != NULL;
    /* A line or an element takes at least two bytes. */
    if ((size_t)(body->end - body->at) / 2 >= event_count_max &&
        over_limit(body, event_count_max)) {
        (void)rwd_fail(error, RWD_LIMIT,
            "more than %zu events in one request (ingest.event_count_max)", event_count_max);
        return 413;
    }
    return 200;
}
