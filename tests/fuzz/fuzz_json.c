// room: domain
/*
 * fuzz_json: whatever the bytes are, the scanner ends, and a tape that it hands out holds together.
 */
#include "domain/event.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_SIZE_MAX = 4 << 20 };

static void require_text(struct rwd_text text)
{
    /* Touches every byte: a sanitizer sees a slice that reaches past its memory. */
    unsigned sum = 0;
    for (size_t i = 0; i < text.size; i++) {
        sum += (unsigned char)text.data[i];
    }
    RWD_REQUIRE(text.size > 0 || sum == 0);
}

static void require_scalar(const struct rwd_json_node *node)
{
    int64_t integer = 0;
    if (node->type == RWD_JSON_NUMBER) {
        double value = rwd_json_number(node);
        RWD_REQUIRE(node->size > 0 && node->size <= RWD_JSON_NUMBER_SIZE_MAX && isfinite(value));
        char copy[RWD_JSON_NUMBER_SIZE_MAX + 1];
        memcpy(copy, node->data, node->size);
        copy[node->size] = '\0';
        char *end = NULL;
        double expected = strtod(copy, &end);
        RWD_REQUIRE(*end == '\0' && memcmp(&value, &expected, sizeof value) == 0);
        if (rwd_json_integer(node, &integer)) {
            RWD_REQUIRE(rwd_json_is_whole(node) && (double)integer == value);
        }
        RWD_REQUIRE(!node->integer || rwd_json_is_whole(node));
    } else {
        RWD_REQUIRE(!node->integer && !rwd_json_integer(node, &integer));
    }
}

/* Children lie one behind the other and end where their container ends; depth by an explicit walk
 * would need a stack, so each container is looked at for itself. */
static void require_tape(const struct rwd_json *json)
{
    RWD_REQUIRE(json->count > 0 && json->nodes[0].next == json->count);
    RWD_REQUIRE(json->nodes[0].key == NULL);
    for (uint32_t i = 0; i < json->count; i++) {
        const struct rwd_json_node *node = &json->nodes[i];
        RWD_REQUIRE(node->type <= RWD_JSON_OBJECT);
        RWD_REQUIRE(node->next > i && node->next <= json->count);
        require_text(rwd_json_key(node));
        RWD_REQUIRE(
            node->key_hash == (node->key == NULL ? 0 : rwd_json_key_hash(rwd_json_key(node))));
        if (node->type < RWD_JSON_ARRAY) {
            RWD_REQUIRE(node->next == i + 1);
            require_text(rwd_json_text(node));
            require_scalar(node);
            continue;
        }
        uint32_t count = 0;
        const struct rwd_json_node *child = rwd_json_first(json, node);
        for (; child != NULL; child = rwd_json_next(json, node, child)) {
            RWD_REQUIRE((child->key != NULL) == (node->type == RWD_JSON_OBJECT));
            RWD_REQUIRE(child->next <= node->next);
            if (child->key != NULL && node->size <= 64) {
                RWD_REQUIRE(rwd_json_member(json, node, rwd_json_key(child)) == child);
            }
            count++;
        }
        RWD_REQUIRE(count == node->size);
        RWD_REQUIRE(*node->data == (node->type == RWD_JSON_OBJECT ? '{' : '['));
    }
}

static void write_value(
    const struct rwd_json *json, const struct rwd_json_node *node, struct rwd_buffer *out)
{
    static const char *const words[] = {"null", "false", "true"};
    if (node->key != NULL) {
        rwd_buffer_put_json(out, rwd_json_key(node));
        rwd_buffer_put_char(out, ':');
    }
    if (node->type == RWD_JSON_STRING) {
        rwd_buffer_put_json(out, rwd_json_text(node));
    } else if (node->type == RWD_JSON_NUMBER) {
        rwd_buffer_put_text(out, rwd_json_text(node));
    } else if (node->type < RWD_JSON_NUMBER) {
        rwd_buffer_put_string(out, words[node->type]);
    } else {
        rwd_buffer_put_char(out, node->type == RWD_JSON_OBJECT ? '{' : '[');
        const struct rwd_json_node *child = rwd_json_first(json, node);
        for (; child != NULL; child = rwd_json_next(json, node, child)) {
            write_value(json, child, out);
            if (rwd_json_next(json, node, child) != NULL) {
                rwd_buffer_put_char(out, ',');
            }
        }
        rwd_buffer_put_char(out, node->type == RWD_JSON_OBJECT ? '}' : ']');
    }
}

/* What was taken once is taken again when written out, as the same tape. */
static void require_round_trip(const struct rwd_json *json, const struct rwd_json_limits *limits)
{
    struct rwd_buffer out = {0};
    struct rwd_arena arena;
    struct rwd_json again;
    struct rwd_json_fault fault;
    struct rwd_json_limits wide = *limits;
    size_t consumed = 0;
    wide.size_max = UINT32_MAX; /* an escape may be longer than what it was written as */
    rwd_arena_init(&arena, 16, 16 << 20);
    write_value(json, json->nodes, &out);
    RWD_REQUIRE(
        rwd_json_scan(rwd_buffer_text(&out), &wide, &arena, &again, &consumed, &fault) == RWD_OK);
    RWD_REQUIRE(consumed == out.size && again.count == json->count);
    for (uint32_t i = 0; i < json->count; i++) {
        RWD_REQUIRE(again.nodes[i].type == json->nodes[i].type);
        RWD_REQUIRE(again.nodes[i].next == json->nodes[i].next);
        RWD_REQUIRE(rwd_text_equal(rwd_json_key(&again.nodes[i]), rwd_json_key(&json->nodes[i])));
        RWD_REQUIRE(json->nodes[i].type >= RWD_JSON_ARRAY ||
                    rwd_text_equal(rwd_json_text(&again.nodes[i]), rwd_json_text(&json->nodes[i])));
    }
    rwd_arena_finish(&arena);
    rwd_buffer_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = {1};
    static const struct rwd_json_limits sets[] = {
        {.depth_max = 32, .node_count_max = 4096, .size_max = 64 * 1024},
        {.depth_max = 3, .node_count_max = 7, .size_max = 40}};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct rwd_arena arena;
        struct rwd_json json = {0};
        struct rwd_json_fault fault = {0};
        struct rwd_text text = {.data = (const char *)data, .size = size};
        size_t consumed = 0;
        rwd_arena_init(&arena, 16, ARENA_SIZE_MAX); /* an allocation each: nothing to hide behind */
        enum rwd_status status = rwd_json_scan(text, &sets[i], &arena, &json, &consumed, &fault);
        if (status == RWD_OK) {
            RWD_REQUIRE(consumed > 0 && consumed <= size);
            RWD_REQUIRE(json.count <= sets[i].node_count_max);
            require_tape(&json);
            require_round_trip(&json, &sets[i]);
            struct rwd_event event;
            struct rwd_problem problem = {0};
            if (rwd_event_read(text, &json, key, 0, &event, &problem) == RWD_OK) {
                require_text(event.user_id);
                RWD_REQUIRE(event.user != NULL && event.event_id.size > 0);
            } else {
                RWD_REQUIRE(problem.type != NULL && problem.detail[0] != '\0');
            }
        } else {
            RWD_REQUIRE(status == RWD_INVALID || status == RWD_LIMIT);
            RWD_REQUIRE(fault.status == status && fault.detail != NULL && fault.offset <= size);
        }
        rwd_arena_finish(&arena);
    }
    return 0;
}
