// room: domain
/*
 * fuzz_schema: the first line of the input is a schema, the rest a document. A schema compiles or
 * is refused with words; a check ends, and a refusal points somewhere.
 */
#include "domain/schema.h"

#include "base/check.h"
#include "domain/schema_program.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_document(const struct rwd_schema *schema, struct rwd_text text)
{
    static const struct rwd_json_limits limits = {
        .depth_max = 32, .node_count_max = 4096, .size_max = 64 * 1024};
    struct rwd_arena arena;
    struct rwd_json json;
    struct rwd_json_fault fault;
    struct rwd_problem problem = {0};
    size_t consumed = 0;
    rwd_arena_init(&arena, 16, 4 << 20);
    if (rwd_json_scan(text, &limits, &arena, &json, &consumed, &fault) == RWD_OK) {
        enum rwd_status status = rwd_schema_check(schema, &json, &problem);
        RWD_REQUIRE(status == RWD_OK || status == RWD_INVALID);
        if (status == RWD_INVALID) {
            RWD_REQUIRE(problem.type != NULL && problem.detail[0] != '\0');
            RWD_REQUIRE(problem.pointer[0] == '\0' || problem.pointer[0] == '/');
            RWD_REQUIRE(strlen(problem.pointer) < sizeof problem.pointer);
        }
    }
    rwd_arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line_end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t schema_size = line_end != NULL ? (size_t)(line_end - data) : size;
    struct rwd_text text = {.data = (const char *)data, .size = schema_size};
    struct rwd_text document = {
        .data = (const char *)data + schema_size, .size = size - schema_size};
    struct rwd_schema *schema = NULL;
    struct rwd_error error = {.text = ""};
    if (rwd_schema_compile(text, "fuzz", &schema, &error) != RWD_OK) {
        RWD_REQUIRE(schema == NULL && error.text[0] != '\0');
        return 0;
    }
    struct rwd_schema *twin = NULL;
    RWD_REQUIRE(rwd_schema_compile(text, "fuzz", &twin, &error) == RWD_OK);
    /* A schema never breaks with one that says the same. */
    RWD_REQUIRE(rwd_schema__compare(schema, twin, "fuzz", &error) == RWD_OK);
    rwd_schema_destroy(twin);
    check_document(schema, document);
    check_document(schema, text);
    rwd_schema_destroy(schema);
    return 0;
}
