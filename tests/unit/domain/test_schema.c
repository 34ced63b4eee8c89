/*
 * Schemas: each keyword, what a compiler must refuse, what a registry must refuse, and every schema
 * that ships against its fixtures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "domain/schema.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct rwd_json_limits limits = {
    .depth_max = 32, .node_count_max = 1024, .size_max = 64 * 1024};
static const uint8_t key[RWD_SIPHASH_KEY_SIZE] = "0123456789abcde";

static enum rwd_status check(
    const struct rwd_schema *schema, struct rwd_text text, struct rwd_problem *problem)
{
    struct rwd_arena arena;
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    rwd_arena_init(&arena, 4096, 1 << 20);
    if (rwd_json_scan(text, &limits, &arena, &json, &consumed, &fault) != RWD_OK) {
        fail_msg("%.*s: %s", RWD_TEXT_ARGS(text), fault.detail);
    }
    memset(problem, 0, sizeof *problem);
    enum rwd_status status = rwd_schema_check(schema, &json, problem);
    rwd_arena_finish(&arena);
    return status;
}

struct check_case {
    const char *schema;
    const char *document;
    const char *pointer; /* NULL: accepted */
    const char *detail;  /* part of it */
};

static const struct check_case check_cases[] = {
    {"true", "1", NULL, NULL},
    {"{}", "[1,{\"a\":null}]", NULL, NULL},
    {"false", "1", "", "is not allowed here"},
    {"{\"type\":\"string\"}", "\"\"", NULL, NULL},
    {"{\"type\":\"string\"}", "1", "", "must be a string, is a number"},
    {"{\"type\":\"null\"}", "null", NULL, NULL},
    {"{\"type\":\"null\"}", "false", "", "must be null, is boolean"},
    {"{\"type\":\"boolean\"}", "false", NULL, NULL},
    {"{\"type\":\"boolean\"}", "true", NULL, NULL},
    {"{\"type\":\"boolean\"}", "0", "", "must be boolean"},
    {"{\"type\":\"array\"}", "{}", "", "an array"},
    {"{\"type\":\"object\"}", "[]", "", "an object"},
    {"{\"type\":[\"string\",\"null\"]}", "null", NULL, NULL},
    {"{\"type\":[\"string\",\"null\"]}", "1", "", "must be null or a string, is a number"},
    {"{\"type\":\"integer\"}", "1", NULL, NULL},
    {"{\"type\":\"integer\"}", "1.0", NULL, NULL},
    {"{\"type\":\"integer\"}", "1e3", NULL, NULL},
    {"{\"type\":\"integer\"}", "1e300", NULL, NULL},
    {"{\"type\":\"integer\"}", "1.5", "", "must be an integer"},
    {"{\"type\":\"integer\"}", "\"1\"", "", "must be an integer"},
    {"{\"type\":[\"integer\",\"number\"]}", "1.5", NULL, NULL},
    {"{\"enum\":[\"a\",1,null,true]}", "\"a\"", NULL, NULL},
    {"{\"enum\":[\"a\",1,null,true]}", "1.0", NULL, NULL},
    {"{\"enum\":[\"a\",1,null,true]}", "null", NULL, NULL},
    {"{\"enum\":[\"a\",1,null,true]}", "true", NULL, NULL},
    {"{\"enum\":[\"a\",1,null,true]}", "false", "", "must be one of \"a\", 1, null, true"},
    {"{\"enum\":[\"a\",1]}", "\"A\"", "", "must be one of"},
    {"{\"enum\":[\"a\",1]}", "\"1\"", "", "must be one of"},
    {"{\"enum\":[\"a\",1]}", "[1]", "", "must be one of"},
    {"{\"const\":\"bet\"}", "\"bet\"", NULL, NULL},
    {"{\"const\":\"bet\"}", "\"bets\"", "", "must be \"bet\""},
    {"{\"minimum\":0}", "-0", NULL, NULL},
    {"{\"minimum\":0}", "\"text\"", NULL, NULL},
    {"{\"minimum\":0}", "-0.001", "", "must be at least 0"},
    {"{\"maximum\":3}", "3", NULL, NULL},
    {"{\"maximum\":3}", "3.01", "", "must be at most 3"},
    {"{\"exclusiveMinimum\":0}", "0", "", "must be above 0"},
    {"{\"exclusiveMinimum\":0}", "0.1", NULL, NULL},
    {"{\"exclusiveMaximum\":10}", "10", "", "must be below 10"},
    {"{\"minimum\":0,\"maximum\":3}", "4", "", "must be at least 0 and at most 3"},
    {"{\"minLength\":2}", "\"a\"", "", "at least 2 characters"},
    {"{\"minLength\":2}", "\"\xc3\xa9\"", "", "at least 2 characters"},
    {"{\"minLength\":2}", "\"\xc3\xa9\xc3\xa9\"", NULL, NULL},
    {"{\"maxLength\":2}", "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"", NULL, NULL},
    {"{\"maxLength\":2}", "\"abc\"", "", "0 to 2 characters"},
    {"{\"maxLength\":2.0}", "\"\\u00e9\\n\"", NULL, NULL},
    {"{\"format\":\"date-time\"}", "\"2025-10-24T11:37:21.5+02:00\"", NULL, NULL},
    {"{\"format\":\"date-time\"}", "\"2025-10-24\"", "", "format date-time"},
    {"{\"format\":\"date-time\"}", "7", NULL, NULL},
    {"{\"format\":\"uuid\"}", "\"2EB8AA08-aa98-11ea-b4aa-73b441d16380\"", NULL, NULL},
    {"{\"format\":\"uuid\"}", "\"2eb8aa08-aa98-11ea-b4aa-73b441d1638\"", "", "uuid"},
    {"{\"format\":\"uuid\"}", "\"2eb8aa08aa98-11ea-b4aa-73b441d163800\"", "", "uuid"},
    {"{\"format\":\"uuid\"}", "\"2eb8aa08-aa98-11ea-b4ga-73b441d16380\"", "", "uuid"},
    {"{\"format\":\"ipv4\"}", "\"203.0.113.24\"", NULL, NULL},
    {"{\"format\":\"ipv4\"}", "\"0.0.0.0\"", NULL, NULL},
    {"{\"format\":\"ipv4\"}", "\"256.0.0.1\"", "", "ipv4"},
    {"{\"format\":\"ipv4\"}", "\"01.0.0.1\"", "", "ipv4"},
    {"{\"format\":\"ipv4\"}", "\"1.2.3\"", "", "ipv4"},
    {"{\"format\":\"ipv4\"}", "\"1.2.3.4.5\"", "", "ipv4"},
    {"{\"format\":\"ipv4\"}", "\"1.2.3.\"", "", "ipv4"},
    {"{\"format\":\"ipv4\"}", "\"1.2.3.4 \"", "", "ipv4"},
    {"{\"format\":\"amount\"}", "\"0.50\"", NULL, NULL},
    {"{\"format\":\"amount\"}", "\"-0.50\"", "", "amount"},
    {"{\"format\":\"amount\"}", "\"\"", "", "amount"},
    {"{\"format\":\"amount\"}", "\"1,5\"", "", "amount"},
    {"{\"minItems\":1}", "[]", "", "at least 1 items"},
    {"{\"maxItems\":1}", "[1,2]", "", "0 to 1 items"},
    {"{\"items\":{\"type\":\"string\"}}", "[\"a\",\"b\"]", NULL, NULL},
    {"{\"items\":{\"type\":\"string\"}}", "[\"a\",[1,2],\"b\"]", "/1", "must be a string"},
    {"{\"items\":false}", "[]", NULL, NULL},
    {"{\"items\":false}", "[1]", "/0", "is not allowed here"},
    {"{\"required\":[\"a\",\"b\"]}", "{\"b\":1,\"a\":null}", NULL, NULL},
    {"{\"required\":[\"a\",\"b\"]}", "{\"a\":1}", "/b", "is required"},
    {"{\"required\":[\"a\",\"b\"]}", "{}", "/a", "is required"},
    {"{\"required\":[\"a\"]}", "[]", NULL, NULL},
    {"{\"required\":[]}", "{}", NULL, NULL},
    {"{\"properties\":{\"a\":{\"type\":\"number\"}}}", "{\"b\":\"x\"}", NULL, NULL},
    {"{\"properties\":{\"a\":{\"type\":\"number\"}}}", "{\"b\":\"x\",\"\\u0061\":\"x\"}", "/a",
        "must be a number"},
    {"{\"properties\":{\"a\":false}}", "{\"a\":1}", "/a", "is not allowed here"},
    {"{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1}", NULL, NULL},
    {"{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1,\"b~/\":1}",
        "/b~0~1", "is not allowed here"},
    {"{\"additionalProperties\":{\"type\":\"number\"}}", "{\"x\":1,\"y\":\"2\"}", "/y", "a number"},
    {"{\"additionalProperties\":false,\"required\":[\"a\"]}", "{\"a\":1}", "/a", "is not allowed"},
    {"{\"properties\":{\"a\":{\"items\":{\"required\":[\"b\"]}}}}", "{\"a\":[{\"b\":1},{}]}",
        "/a/1/b", "is required"},
    {"{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"minimum\":5}}}", "4", "", "at least 5"},
    {"{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"minimum\":5}}}", "5", NULL, NULL},
    {"{\"$ref\":\"#/$defs/n\",\"maximum\":6,\"$defs\":{\"n\":{\"minimum\":5}}}", "4", "",
        "at least 5"},
    {"{\"$ref\":\"#/$defs/n\",\"maximum\":6,\"$defs\":{\"n\":{\"minimum\":5}}}", "7", "",
        "at most 6"},
    {"{\"$ref\":\"#/$defs/n\",\"maximum\":6,\"$defs\":{\"n\":{\"minimum\":5}}}", "6", NULL, NULL},
    {"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"const\":1}}}", "2",
        "", "must be 1"},
    {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$id\":\"x\",\"title\":\"t\","
     "\"description\":\"d\",\"$comment\":\"c\",\"examples\":[1],\"default\":{\"a\":1}}",
        "{}", NULL, NULL},
};

static void keywords(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(check_cases); i++) {
        const struct check_case *expected = &check_cases[i];
        struct rwd_schema *schema = NULL;
        struct rwd_error error;
        struct rwd_problem problem;
        if (rwd_schema_compile(rwd_text_of(expected->schema), "s", &schema, &error) != RWD_OK) {
            fail_msg("%s: %s", expected->schema, error.text);
        }
        enum rwd_status status = check(schema, rwd_text_of(expected->document), &problem);
        if (status != (expected->pointer == NULL ? RWD_OK : RWD_INVALID)) {
            fail_msg("%s with %s: %s", expected->schema, expected->document, problem.detail);
        }
        if (expected->pointer != NULL) {
            assert_string_equal(problem.type, "schema");
            assert_string_equal(problem.pointer, expected->pointer);
            if (strstr(problem.detail, expected->detail) == NULL) {
                fail_msg("%s with %s: %s", expected->schema, expected->document, problem.detail);
            }
        }
        rwd_schema_destroy(schema);
    }
}

/* A schema that is refused, and the place its error names. */
static void must_not_compile(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        const char *named;
    } cases[] = {
        {"", "byte 0"},
        {"{", "byte 1"},
        {"{} x", "byte 3"},
        {"{\"type\":\"string\",\"type\":\"string\"}", "doubled key"},
        {"7", "object or a boolean"},
        {"{\"pattern\":\"^a\"}", "\"/pattern\": is no supported keyword"},
        {"{\"properties\":{\"a\":{\"anyOf\":[]}}}", "\"/properties/a/anyOf\""},
        {"{\"items\":{\"multipleOf\":1}}", "\"/items/multipleOf\""},
        {"{\"$defs\":{\"x\":{\"oneOf\":[]}}}", "\"/$defs/x/oneOf\""},
        {"{\"Type\":\"string\"}", "\"/Type\""},
        {"{\"type\":\"text\"}", "\"/type\""},
        {"{\"type\":[]}", "\"/type\""},
        {"{\"type\":[\"string\",5]}", "\"/type/1\""},
        {"{\"type\":null}", "\"/type\""},
        {"{\"minimum\":\"0\"}", "\"/minimum\""},
        {"{\"minLength\":-1}", "\"/minLength\""},
        {"{\"maxItems\":1.5}", "\"/maxItems\""},
        {"{\"maxLength\":1e30}", "\"/maxLength\""},
        {"{\"format\":\"email\"}", "\"/format\""},
        {"{\"enum\":[]}", "\"/enum\""},
        {"{\"enum\":[[1]]}", "\"/enum/0\""},
        {"{\"enum\":\"a\"}", "\"/enum\""},
        {"{\"const\":{}}", "\"/const\""},
        {"{\"const\":1,\"enum\":[1]}", "\"/enum\""},
        {"{\"required\":\"a\"}", "\"/required\""},
        {"{\"required\":[1]}", "\"/required/0\""},
        {"{\"required\":[\"a\",\"a\"]}", "\"/required/1\""},
        {"{\"properties\":[]}", "\"/properties\""},
        {"{\"properties\":{\"a\":\"string\"}}", "\"/properties/a\""},
        {"{\"additionalProperties\":null}", "\"/additionalProperties\""},
        {"{\"items\":[]}", "\"/items\""},
        {"{\"title\":1}", "\"/title\""},
        {"{\"examples\":{}}", "\"/examples\""},
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}", "\"/$schema\""},
        {"{\"properties\":{\"a\":{\"$id\":\"x\"}}}", "\"/properties/a/$id\""},
        {"{\"properties\":{\"a\":{\"$defs\":{}}}}", "\"/properties/a/$defs\""},
        {"{\"$defs\":[]}", "\"/$defs\""},
        {"{\"$ref\":\"other.json\"}", "\"/$ref\""},
        {"{\"$ref\":\"#\"}", "\"/$ref\""},
        {"{\"$ref\":\"#/$defs/x\"}", "\"/$ref\""},
        {"{\"$ref\":5}", "\"/$ref\""},
        {"{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/a\"}}}", "\"/$defs/a/$ref\""},
        {"{\"$defs\":{\"a\":{\"items\":{\"$ref\":\"#/$defs/b\"}},\"b\":{\"properties\":{\"x\":{"
         "\"$ref\":\"#/$defs/a\"}}}}}",
            "\"/$defs/b/properties/x/$ref\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rwd_schema *schema = NULL;
        struct rwd_error error = {.text = ""};
        assert_int_equal(
            rwd_schema_compile(rwd_text_of(cases[i].schema), "file.json", &schema, &error),
            RWD_INVALID);
        assert_null(schema);
        if (strstr(error.text, cases[i].named) == NULL || strstr(error.text, "file.json") == NULL) {
            fail_msg("%s: %s", cases[i].schema, error.text);
        }
    }
}

static void a_large_object_has_all_its_properties(void **state)
{
    (void)state;
    struct rwd_buffer text = {0};
    struct rwd_buffer document = {0};
    rwd_buffer_put_string(&text, "{\"additionalProperties\":false,\"properties\":{");
    rwd_buffer_put_char(&document, '{');
    for (int i = 0; i < 500; i++) {
        rwd_buffer_put_format(&text, "%s\"p%d\":{\"const\":%d}", i > 0 ? "," : "", i, i);
        rwd_buffer_put_format(&document, "%s\"p%d\":%d", i > 0 ? "," : "", i, i);
    }
    rwd_buffer_put_string(&text, "}}");
    rwd_buffer_put_char(&document, '}');
    struct rwd_schema *schema = NULL;
    struct rwd_error error;
    struct rwd_problem problem;
    assert_int_equal(rwd_schema_compile(rwd_buffer_text(&text), "s", &schema, &error), RWD_OK);
    assert_int_equal(check(schema, rwd_buffer_text(&document), &problem), RWD_OK);
    assert_int_equal(check(schema, RWD_TEXT("{\"p499\":498}"), &problem), RWD_INVALID);
    assert_int_equal(check(schema, RWD_TEXT("{\"p500\":500}"), &problem), RWD_INVALID);
    rwd_schema_destroy(schema);
    rwd_buffer_finish(&text);
    rwd_buffer_finish(&document);
}

/* A pointer that does not fit ends at a whole step. */
static void long_pointers_are_cut(void **state)
{
    (void)state;
    struct rwd_schema *schema = NULL;
    struct rwd_error error;
    struct rwd_problem problem;
    assert_int_equal(rwd_schema_compile(RWD_TEXT("{\"additionalProperties\":{"
                                                 "\"additionalProperties\":{\"type\":\"null\"}}}"),
                         "s", &schema, &error),
        RWD_OK);
    struct rwd_buffer document = {0};
    rwd_buffer_put_format(&document, "{\"first\\n\":{\"%0200d\":1}}", 7);
    assert_int_equal(check(schema, rwd_buffer_text(&document), &problem), RWD_INVALID);
    assert_string_equal(problem.pointer, "/first?");
    rwd_schema_destroy(schema);
    rwd_buffer_finish(&document);
}

/* A folder of schemas, written for one test. */
struct folder {
    char path[64];
};

static struct folder make_folder(void)
{
    struct folder folder = {.path = "/tmp/rewardd_schema_XXXXXX"};
    assert_non_null(mkdtemp(folder.path));
    return folder;
}

static void put_file(const struct folder *folder, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder->path, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    (void)mkdir(path, 0700);
    *slash = '/';
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static int remove_entry(const char *path, const struct stat *facts, int type, struct FTW *walk)
{
    (void)facts;
    (void)type;
    (void)walk;
    return remove(path);
}

static void drop_folder(const struct folder *folder)
{
    assert_int_equal(nftw(folder->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void registry_finds_versions(void **state)
{
    (void)state;
    struct folder folder = make_folder();
    put_file(&folder, "bet/1.0.0.json", "{\"required\":[\"a\",\"b\"]}");
    put_file(&folder, "bet/1.2.0.json", "{\"required\":[\"a\"]}");
    put_file(&folder, "bet/1.10.0.json", "{}");
    put_file(&folder, "bet/2.0.0.json", "{\"required\":[\"z\"]}");
    put_file(&folder, "win/0.1.0.json", "true");
    put_file(&folder, "win/.0.1.0.json.swp", "garbage");
    struct rwd_schema_registry *registry = NULL;
    struct rwd_error error;
    assert_int_equal(rwd_schema_registry_load(folder.path, &registry, &error), RWD_OK);
    assert_int_equal(rwd_schema_registry_count(registry), 5);
    bool known = false;
    struct rwd_problem problem;
    const struct rwd_schema *oldest =
        rwd_schema_find(registry, RWD_TEXT("bet"), RWD_TEXT("1.0.0"), &known);
    assert_non_null(oldest);
    assert_true(known);
    assert_int_equal(check(oldest, RWD_TEXT("{\"a\":1}"), &problem), RWD_INVALID);
    const struct rwd_schema *tenth =
        rwd_schema_find(registry, RWD_TEXT("bet"), RWD_TEXT("1.10.0"), &known);
    assert_int_equal(check(tenth, RWD_TEXT("{}"), &problem), RWD_OK);
    assert_null(rwd_schema_find(registry, RWD_TEXT("bet"), RWD_TEXT("1.1.0"), &known));
    assert_true(known);
    assert_null(rwd_schema_find(registry, RWD_TEXT("bet"), RWD_TEXT("1.0"), &known));
    assert_null(rwd_schema_find(registry, RWD_TEXT("bets"), RWD_TEXT("1.0.0"), &known));
    assert_false(known);
    assert_null(rwd_schema_find(registry, RWD_TEXT(""), RWD_TEXT(""), &known));
    assert_false(known);
    rwd_schema_registry_destroy(registry);
    drop_folder(&folder);
}

static void registry_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *text;
        const char *named;
    } cases[] = {
        {"Bet/1.0.0.json", "{}", "/Bet: only folders"},
        {"b t/1.0.0.json", "{}", "/b t: only folders"},
        {"1bet/1.0.0.json", "{}", "/1bet: only folders"},
        {"bet.json", "{}", "/bet.json: only folders"},
        {"bet/1.0.json", "{}", "/bet/1.0.json"},
        {"bet/1.0.0", "{}", "/bet/1.0.0:"},
        {"bet/v1.0.0.json", "{}", "/bet/v1.0.0.json"},
        {"bet/01.0.0.json", "{}", "/bet/01.0.0.json"},
        {"bet/1.0.0.0.json", "{}", "/bet/1.0.0.0.json"},
        {"bet/1.0.0-rc1.json", "{}", "/bet/1.0.0-rc1.json"},
        {"bet/1..0.json", "{}", "/bet/1..0.json"},
        {"bet/1.0.9999999999.json", "{}", "9999999999"},
        {"bet/1.0.0.json~", "{}", "1.0.0.json~"},
        {"bet/1.0.0.json", "{\"tpye\":1}", "/bet/1.0.0.json: \"/tpye\""},
        {"bet/1.0.0.json", "not json", "/bet/1.0.0.json: byte 0"},
        {"bet/1.0.0.json", "", "/bet/1.0.0.json: byte 0"},
        {"bet/1.0.0.json", "\xef\xbb\xbf{}", "/bet/1.0.0.json: byte 0"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct folder folder = make_folder();
        struct rwd_schema_registry *registry = NULL;
        struct rwd_error error = {.text = ""};
        put_file(&folder, cases[i].file, cases[i].text);
        assert_int_equal(rwd_schema_registry_load(folder.path, &registry, &error), RWD_INVALID);
        assert_null(registry);
        if (strstr(error.text, cases[i].named) == NULL) {
            fail_msg("%s: %s", cases[i].file, error.text);
        }
        drop_folder(&folder);
    }
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct rwd_schema_registry *registry = NULL;
    struct rwd_error error = {.text = ""};
    assert_int_equal(
        rwd_schema_registry_load("/nowhere/at/all", &registry, &error), RWD_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
    struct folder folder = make_folder();
    char path[128];
    put_file(&folder, "bet/1.0.0.json", "{}");
    (void)snprintf(path, sizeof path, "%s/bet/1.1.0.json", folder.path);
    assert_int_equal(symlink("gone.json", path), 0); /* unreadable, for root too */
    assert_int_equal(rwd_schema_registry_load(folder.path, &registry, &error), RWD_UNAVAILABLE);
    assert_non_null(strstr(error.text, path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(rwd_schema_registry_load(folder.path, &registry, &error), RWD_INVALID);
    assert_non_null(strstr(error.text, path));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(rwd_schema_registry_load(folder.path, &registry, &error), RWD_INVALID);
    drop_folder(&folder);
    folder = make_folder();
    assert_int_equal(rwd_schema_registry_load(folder.path, &registry, &error), RWD_OK);
    assert_int_equal(rwd_schema_registry_count(registry), 0);
    bool known = true;
    assert_null(rwd_schema_find(registry, RWD_TEXT("bet"), RWD_TEXT("1.0.0"), &known));
    rwd_schema_registry_destroy(registry);
    drop_folder(&folder);
}

#define P(x) "{\"properties\":{\"a\":" x "}}"

/* Two versions of one major: may the second follow the first? NULL: yes; else what the error names.
 * Across majors anything may follow anything. */
static const struct {
    const char *earlier;
    const char *next;
    const char *named;
} version_cases[] = {
    {"{}", "{}", NULL},
    {P("{\"type\":\"string\"}"), P("{\"type\":[\"string\",\"null\"]}"), NULL},
    {P("{\"type\":[\"string\",\"null\"]}"), P("{\"type\":\"string\"}"), "/properties/a"},
    {P("{\"type\":\"integer\"}"), P("{\"type\":\"number\"}"), NULL},
    {P("{\"type\":\"number\"}"), P("{\"type\":\"integer\"}"), "integer"},
    {P("true"), P("{\"type\":\"string\"}"), "type"},
    {P("{\"type\":\"string\"}"), P("true"), NULL},
    {P("{\"type\":\"string\"}"), P("false"), "no longer allowed"},
    {P("false"), P("{\"type\":\"string\"}"), NULL},
    {"{}", P("{\"type\":\"string\"}"), NULL}, /* a new optional property */
    {"{}", P("false"), "no longer allowed"},
    {"{}", "{\"required\":[\"a\"]}", "required"},
    {"{\"required\":[\"a\"]}", "{}", NULL},
    {"{\"required\":[\"a\"]}", "{\"required\":[\"a\",\"b\"]}", "/properties/b"},
    {P("{\"type\":\"object\"}"), P("{\"type\":\"object\",\"required\":[\"b\"]}"), "required"},
    {P("{\"enum\":[1,2]}"), P("{\"enum\":[2,1,3]}"), NULL},
    {P("{\"enum\":[1,2]}"), P("{\"enum\":[1]}"), "listed is refused"},
    {P("{\"enum\":[\"x\"]}"), P("{\"const\":\"x\"}"), NULL},
    {P("{\"const\":\"x\"}"), P("{\"const\":\"y\"}"), "listed is refused"},
    {P("{\"type\":\"string\"}"), P("{\"enum\":[\"x\"]}"), "enum"},
    {P("{\"enum\":[\"x\"]}"), P("{\"type\":\"string\"}"), NULL},
    {P("{\"enum\":[\"x\"]}"), P("{\"type\":\"string\",\"minLength\":1}"), NULL},
    {P("{\"enum\":[\"x\",5]}"), P("{\"type\":\"string\"}"), "listed is refused"},
    {P("{\"type\":\"string\",\"enum\":[\"x\",5]}"), P("{\"type\":\"string\"}"), NULL},
    {P("{\"minimum\":0}"), P("{\"minimum\":-1}"), NULL},
    {P("{\"minimum\":0}"), P("{\"minimum\":1}"), "bound"},
    {P("{\"minimum\":0}"), P("{\"exclusiveMinimum\":0}"), "bound"},
    {P("{\"exclusiveMinimum\":0}"), P("{\"minimum\":0}"), NULL},
    {P("{\"maximum\":9}"), P("{\"maximum\":8}"), "bound"},
    {P("{\"maximum\":9}"), P("{\"exclusiveMaximum\":9}"), "bound"},
    {P("{\"exclusiveMaximum\":9}"), P("{\"maximum\":9}"), NULL},
    {P("{\"type\":\"number\"}"), P("{\"type\":\"number\",\"maximum\":9}"), "bound"},
    {P("{\"type\":\"string\"}"), P("{\"type\":[\"string\",\"number\"],\"minimum\":5}"), NULL},
    {P("{\"minLength\":1}"), P("{}"), NULL},
    {P("{\"minLength\":1}"), P("{\"minLength\":2}"), "length"},
    {P("{\"type\":\"string\"}"), P("{\"type\":\"string\",\"maxLength\":5}"), "length"},
    {P("{\"maxLength\":5}"), P("{\"maxLength\":6}"), NULL},
    {P("{\"type\":\"string\"}"), P("{\"type\":\"string\",\"format\":\"uuid\"}"), "format"},
    {P("{\"format\":\"uuid\"}"),
        P("{\"type\":[\"string\",\"number\",\"null\",\"boolean\","
          "\"array\",\"object\"]}"),
        NULL},
    {P("{\"maxItems\":5}"), P("{\"maxItems\":4}"), "item count"},
    {P("{\"items\":{\"minimum\":0}}"), P("{\"items\":{\"minimum\":1}}"), "/items"},
    {P("{\"type\":\"array\"}"), P("{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"),
        "/items"},
    {P("{\"items\":{\"type\":\"string\"}}"), P("{}"), NULL},
    {"{}", "{\"additionalProperties\":false}", "/additionalProperties"},
    {"{\"additionalProperties\":false}", "{}", NULL},
    {"{\"additionalProperties\":false}", "{\"additionalProperties\":{\"minimum\":1}}", NULL},
    {"{\"additionalProperties\":{\"minimum\":1}}", "{\"additionalProperties\":{\"minimum\":2}}",
        "bound"},
    {P("{\"type\":\"string\"}"), "{\"additionalProperties\":{\"type\":\"number\"}}",
        "/properties/a"},
    {P("{\"type\":\"string\"}"), "{}", NULL},
    {P("{\"minimum\":1}"),
        "{\"$defs\":{\"n\":{\"minimum\":1}},\"properties\":{\"a\":{\"$ref\":"
        "\"#/$defs/n\"}}}",
        NULL},
    {P("{\"minimum\":1}"),
        "{\"$defs\":{\"n\":{\"minimum\":2}},\"properties\":{\"a\":{\"$ref\":"
        "\"#/$defs/n\",\"maximum\":1e9}}}",
        "bound"},
    {P("{\"title\":\"x\",\"minimum\":1}"), P("{\"description\":\"y\",\"minimum\":1}"), NULL},
};

static void versions_of_a_major_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(version_cases); i++) {
        struct folder folder = make_folder();
        struct rwd_schema_registry *registry = NULL;
        struct rwd_error error = {.text = ""};
        put_file(&folder, "bet/1.9.0.json", version_cases[i].earlier);
        put_file(&folder, "bet/1.10.0.json", version_cases[i].next);
        enum rwd_status status = rwd_schema_registry_load(folder.path, &registry, &error);
        const char *named = version_cases[i].named;
        if (status != (named == NULL ? RWD_OK : RWD_INVALID)) {
            fail_msg("%s then %s: %s", version_cases[i].earlier, version_cases[i].next, error.text);
        }
        if (named != NULL && strstr(error.text, named) == NULL) {
            fail_msg("%s then %s: %s", version_cases[i].earlier, version_cases[i].next, error.text);
        }
        assert_true(named == NULL || strstr(error.text, "bet/1.10.0.json") != NULL);
        rwd_schema_registry_destroy(registry);
        drop_folder(&folder);
        folder = make_folder();
        put_file(&folder, "bet/1.0.0.json", version_cases[i].earlier);
        put_file(&folder, "bet/2.0.0.json", version_cases[i].next);
        assert_int_equal(rwd_schema_registry_load(folder.path, &registry, &error), RWD_OK);
        rwd_schema_registry_destroy(registry);
        drop_folder(&folder);
    }
}

/* "bad2-payload-bet.json" expects its problem at /payload/bet. */
static void expected_pointer(const char *file_name, char out[RWD_PROBLEM_POINTER_SIZE_MAX])
{
    const char *dash = strchr(file_name, '-');
    const char *end = strstr(file_name, ".json");
    assert_true(dash != NULL && end != NULL && dash < end);
    size_t size = (size_t)(end - dash);
    memcpy(out, dash, size);
    out[size] = '\0';
    for (char *at = out; *at != '\0'; at++) {
        *at = *at == '-' ? '/' : *at;
    }
}

static bool check_fixture(
    const struct rwd_schema_registry *registry, const char *folder, const char *file_name)
{
    char path[2048];
    static char text[16 * 1024];
    (void)snprintf(path, sizeof path, "%s/%s", folder, file_name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    struct rwd_text raw = {.data = text, .size = fread(text, 1, sizeof text, file)};
    (void)fclose(file);
    struct rwd_arena arena;
    struct rwd_json json;
    struct rwd_json_fault fault;
    struct rwd_event event;
    struct rwd_problem problem = {0};
    size_t consumed = 0;
    bool known = false;
    rwd_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(rwd_json_scan(raw, &limits, &arena, &json, &consumed, &fault), RWD_OK);
    assert_int_equal(consumed, raw.size);
    const struct rwd_json_node *name = rwd_json_member(&json, json.nodes, RWD_TEXT("event_name"));
    const struct rwd_json_node *version = rwd_json_member(&json, json.nodes, RWD_TEXT("version"));
    const struct rwd_schema *schema =
        rwd_schema_find(registry, rwd_json_text(name), rwd_json_text(version), &known);
    assert_non_null(schema);
    assert_string_equal(strrchr(folder, '/') + 1, rwd_arena_copy(&arena, name->data, name->size));
    enum rwd_status status = rwd_schema_check(schema, &json, &problem);
    bool good = strncmp(file_name, "good", 4) == 0;
    if (good) {
        if (status != RWD_OK) {
            fail_msg("%s: \"%s\" %s", path, problem.pointer, problem.detail);
        }
        assert_int_equal(rwd_event_read(raw, &json, key, 0, &event, &problem), RWD_OK);
    } else {
        char pointer[RWD_PROBLEM_POINTER_SIZE_MAX];
        assert_int_equal(strncmp(file_name, "bad", 3), 0);
        expected_pointer(file_name, pointer);
        if (status != RWD_INVALID || strcmp(problem.pointer, pointer) != 0) {
            fail_msg("%s: \"%s\" %s", path, problem.pointer, problem.detail);
        }
    }
    rwd_arena_finish(&arena);
    return good;
}

static const char *const shipped[] = {"login", "session_start", "session_end", "bet", "spin", "win",
    "deposit", "withdraw_request", "kyc_status_changed", "mission_view", "mission_join",
    "mission_progress", "mission_complete", "tournament_join", "tournament_score",
    "tournament_update", "tournament_reward", "reward_issued", "rg_event", "purchase", "refund",
    "feedback"};

static void shipped_schemas_and_their_fixtures(void **state)
{
    (void)state;
    struct rwd_schema_registry *registry = NULL;
    struct rwd_error error = {.text = ""};
    if (rwd_schema_registry_load(RWD_SOURCE_DIR "/rules/schemas", &registry, &error) != RWD_OK) {
        fail_msg("%s", error.text);
    }
    assert_true(rwd_schema_registry_count(registry) >= COUNT_OF(shipped) + 1);
    for (size_t i = 0; i < COUNT_OF(shipped); i++) {
        char path[1024];
        int counts[2] = {0, 0};
        (void)snprintf(
            path, sizeof path, "%s/tests/unit/domain/fixtures/%s", RWD_SOURCE_DIR, shipped[i]);
        DIR *folder = opendir(path);
        if (folder == NULL) {
            fail_msg("%s: no fixtures", path);
        }
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            if (entry->d_name[0] != '.') {
                counts[check_fixture(registry, path, entry->d_name)]++;
            }
        }
        (void)closedir(folder);
        assert_true(counts[0] >= 2 && counts[1] >= 1);
    }
    rwd_schema_registry_destroy(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keywords),
        cmocka_unit_test(must_not_compile),
        cmocka_unit_test(a_large_object_has_all_its_properties),
        cmocka_unit_test(long_pointers_are_cut),
        cmocka_unit_test(registry_finds_versions),
        cmocka_unit_test(registry_refuses),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(versions_of_a_major_agree),
        cmocka_unit_test(shipped_schemas_and_their_fixtures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
