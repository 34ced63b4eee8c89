/*
 * The scanner: what it takes, what it refuses, and that the tape says what the text said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "domain/json.h"
#include "json_cases.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct rwd_json_limits usual = {
    .depth_max = 32, .node_count_max = 4096, .size_max = 1 << 20};

struct scanned {
    struct rwd_arena arena;
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed;
    enum rwd_status status;
    char *copy; /* of exactly the text's size, so that a sanitizer sees a read past it */
};

static struct scanned *scan_with(struct rwd_text text, const struct rwd_json_limits *limits)
{
    struct scanned *scanned = calloc(1, sizeof *scanned);
    scanned->copy = malloc(text.size + 1);
    char *copy = realloc(scanned->copy, text.size == 0 ? 1 : text.size);
    scanned->copy = copy;
    memcpy(copy, text.data, text.size);
    rwd_arena_init(&scanned->arena, 4096, 64 << 20);
    struct rwd_text exact = {.data = copy, .size = text.size};
    scanned->status = rwd_json_scan(
        exact, limits, &scanned->arena, &scanned->json, &scanned->consumed, &scanned->fault);
    return scanned;
}

static struct scanned *scan(struct rwd_text text)
{
    return scan_with(text, &usual);
}

static void drop(struct scanned *scanned)
{
    rwd_arena_finish(&scanned->arena);
    free(scanned->copy);
    free(scanned);
}

static void must_reject(void **state)
{
    (void)state;
    assert_true(COUNT_OF(rejects) >= 150);
    for (size_t i = 0; i < COUNT_OF(rejects); i++) {
        struct scanned *scanned = scan(rejects[i]);
        if (scanned->status == RWD_OK && scanned->consumed == rejects[i].size) {
            fail_msg("case %zu is taken: %.*s", i, RWD_TEXT_ARGS(rejects[i]));
        }
        if (scanned->status != RWD_OK) {
            assert_int_equal(scanned->status, RWD_INVALID);
            assert_int_equal(scanned->fault.status, RWD_INVALID);
            assert_non_null(scanned->fault.detail);
            assert_true(scanned->fault.offset <= rejects[i].size);
            assert_int_equal(scanned->json.count, 0);
        }
        drop(scanned);
    }
}

static void must_accept(void **state)
{
    (void)state;
    assert_true(COUNT_OF(accepts) >= 80);
    for (size_t i = 0; i < COUNT_OF(accepts); i++) {
        struct scanned *scanned = scan(accepts[i]);
        if (scanned->status != RWD_OK || scanned->consumed != accepts[i].size) {
            fail_msg("case %zu is refused (%s): %.*s", i,
                scanned->status != RWD_OK ? scanned->fault.detail : "garbage behind",
                RWD_TEXT_ARGS(accepts[i]));
        }
        drop(scanned);
    }
}

/* Whatever is taken is refused, or taken as something shorter, when it is torn anywhere. */
static void torn_text_never_reads_as_the_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(accepts); i++) {
        for (size_t size = 0; size < accepts[i].size; size++) {
            struct scanned *scanned =
                scan((struct rwd_text){.data = accepts[i].data, .size = size});
            assert_true(scanned->status != RWD_OK || scanned->consumed <= size);
            drop(scanned);
        }
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
        bool object = node->type == RWD_JSON_OBJECT;
        uint32_t count = 0;
        rwd_buffer_put_char(out, object ? '{' : '[');
        const struct rwd_json_node *child = rwd_json_first(json, node);
        for (; child != NULL; child = rwd_json_next(json, node, child)) {
            if (count++ > 0) {
                rwd_buffer_put_char(out, ',');
            }
            write_value(json, child, out);
        }
        assert_int_equal(count, node->size);
        rwd_buffer_put_char(out, object ? '}' : ']');
    }
}

/* Written out and scanned again, a tape gives the same text again: nothing is lost on the way. */
static void round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(accepts); i++) {
        struct rwd_buffer first = {0};
        struct rwd_buffer second = {0};
        struct scanned *scanned = scan(accepts[i]);
        write_value(&scanned->json, &scanned->json.nodes[0], &first);
        struct scanned *again = scan(rwd_buffer_text(&first));
        assert_int_equal(again->status, RWD_OK);
        assert_int_equal(again->json.count, scanned->json.count);
        write_value(&again->json, &again->json.nodes[0], &second);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        for (uint32_t n = 0; n < scanned->json.count; n++) {
            assert_int_equal(scanned->json.nodes[n].next, again->json.nodes[n].next);
            assert_int_equal(scanned->json.nodes[n].type, again->json.nodes[n].type);
        }
        drop(again);
        drop(scanned);
        rwd_buffer_finish(&first);
        rwd_buffer_finish(&second);
    }
}

static void strings_are_unescaped(void **state)
{
    (void)state;
    static const struct {
        struct rwd_text text;
        struct rwd_text value;
    } cases[] = {
        {CASE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), CASE("\"\\/\b\f\n\r\t")},
        {CASE("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\""),
            CASE("A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")},
        {CASE("\"a\\u0000b\""), CASE("a\0b")},
        {CASE("\"plain, long, then an escape\\n\""), CASE("plain, long, then an escape\n")},
        {CASE("\"\xc3\xa9\\u00e9\xc3\xa9\""), CASE("\xc3\xa9\xc3\xa9\xc3\xa9")},
        {CASE("\"\\udbff\\udfff\""), CASE("\xf4\x8f\xbf\xbf")},
        {CASE("\"\\u07ff\\u0800\\u007F\\u0080\""), CASE("\xdf\xbf\xe0\xa0\x80\x7f\xc2\x80")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scanned *scanned = scan(cases[i].text);
        assert_int_equal(scanned->status, RWD_OK);
        assert_true(rwd_text_equal(rwd_json_text(scanned->json.nodes), cases[i].value));
        drop(scanned);
    }
}

static void faults_say_where(void **state)
{
    (void)state;
    static const struct {
        struct rwd_text text;
        size_t offset;
    } cases[] = {{CASE("[1,2,x]"), 5}, {CASE("{\"a\":1,\"a\":2}"), 8}, {CASE("  [1,]"), 5},
        {CASE("[\"ab\x01\"]"), 4}, {CASE("[\"ab\\q\"]"), 4}, {CASE("{\"a\" 1}"), 5},
        {CASE("[1"), 2}, {CASE("[1e400]"), 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scanned *scanned = scan(cases[i].text);
        assert_int_equal(scanned->fault.offset, cases[i].offset);
        drop(scanned);
    }
}

static enum rwd_status status_with(struct rwd_text text, struct rwd_json_limits limits)
{
    struct scanned *scanned = scan_with(text, &limits);
    enum rwd_status status = scanned->status;
    assert_true(status == RWD_OK || scanned->fault.status == status);
    drop(scanned);
    return status;
}

static void limits_are_limits(void **state)
{
    (void)state;
    struct rwd_json_limits tight = usual;
    tight.depth_max = 3;
    assert_int_equal(status_with(RWD_TEXT("[[[1]],{\"a\":[]}]"), tight), RWD_OK);
    assert_int_equal(status_with(RWD_TEXT("[[[[]]]]"), tight), RWD_LIMIT);
    assert_int_equal(status_with(RWD_TEXT("[[{\"a\":{}}]]"), tight), RWD_LIMIT);
    tight.depth_max = 0;
    assert_int_equal(status_with(RWD_TEXT("1"), tight), RWD_OK);
    assert_int_equal(status_with(RWD_TEXT("[]"), tight), RWD_LIMIT);
    tight = usual;
    tight.node_count_max = 4;
    assert_int_equal(status_with(RWD_TEXT("[1,2,3]"), tight), RWD_OK);
    assert_int_equal(status_with(RWD_TEXT("[1,2,3,4]"), tight), RWD_LIMIT);
    tight.node_count_max = 0;
    assert_int_equal(status_with(RWD_TEXT("1"), tight), RWD_LIMIT);
    tight = usual;
    tight.size_max = 7;
    assert_int_equal(status_with(RWD_TEXT("[1,2,3]"), tight), RWD_OK);
    assert_int_equal(status_with(RWD_TEXT("  [1,2,3]  "), tight), RWD_OK);
    assert_int_equal(status_with(RWD_TEXT("[1,2,34]"), tight), RWD_LIMIT);
    assert_int_equal(status_with(RWD_TEXT("\"abcdefgh\""), tight), RWD_LIMIT);
    assert_int_equal(status_with(RWD_TEXT("12345678"), tight), RWD_LIMIT);
    assert_int_equal(status_with(RWD_TEXT("[[1,true]]"), tight), RWD_LIMIT);
    assert_int_equal(status_with(RWD_TEXT("1234567"), tight), RWD_OK);
}

static void deep_nesting_needs_no_stack(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    struct rwd_json_limits limits = {
        .depth_max = DEPTH, .node_count_max = DEPTH + 1, .size_max = 2 * DEPTH};
    struct rwd_buffer text = {0};
    for (int i = 0; i < DEPTH; i++) {
        rwd_buffer_put_char(&text, '[');
    }
    assert_int_equal(status_with(rwd_buffer_text(&text), limits), RWD_INVALID);
    for (int i = 0; i < DEPTH; i++) {
        rwd_buffer_put_char(&text, ']');
    }
    assert_int_equal(status_with(rwd_buffer_text(&text), limits), RWD_OK);
    assert_int_equal(status_with(rwd_buffer_text(&text), usual), RWD_LIMIT);
    rwd_buffer_finish(&text);
}

static void a_full_arena_is_a_limit(void **state)
{
    (void)state;
    struct rwd_arena arena;
    struct rwd_json json;
    struct rwd_json_fault fault;
    size_t consumed = 0;
    rwd_arena_init(&arena, 256, 4096);
    struct rwd_buffer text = {0};
    rwd_buffer_put_char(&text, '[');
    for (int i = 0; i < 500; i++) {
        rwd_buffer_put_string(&text, "\"\\n\",");
    }
    rwd_buffer_put_string(&text, "0]");
    assert_int_equal(
        rwd_json_scan(rwd_buffer_text(&text), &usual, &arena, &json, &consumed, &fault), RWD_LIMIT);
    assert_int_equal(rwd_json_scan(RWD_TEXT("[1]"), &usual, &arena, &json, &consumed, &fault),
        RWD_OK); /* what the failed scan took is given back */
    rwd_arena_finish(&arena);
    rwd_buffer_finish(&text);
}

/* Objects and arrays that grow past every first guess, with escapes in between. */
static void large_documents(void **state)
{
    (void)state;
    struct rwd_json_limits limits = {.depth_max = 4, .node_count_max = 100000, .size_max = 8 << 20};
    for (int escaped = 0; escaped < 2; escaped++) {
        struct rwd_buffer text = {0};
        rwd_buffer_put_char(&text, '{');
        for (int i = 0; i < 10000; i++) {
            rwd_buffer_put_format(&text,
                escaped != 0 && i % 3 == 0 ? "\"k\\u005f%d\":[%d,\"\\n\"],"
                                           : "\"k_%d\":[%d,\"v\"],",
                i, i);
        }
        rwd_buffer_put_string(&text, "\"last\":null");
        size_t body = text.size;
        rwd_buffer_put_char(&text, '}');
        struct scanned *scanned = scan_with(rwd_buffer_text(&text), &limits);
        assert_int_equal(scanned->status, RWD_OK);
        assert_int_equal(scanned->json.count, 30002);
        assert_int_equal(scanned->json.nodes[0].size, 10001);
        const struct rwd_json_node *member =
            rwd_json_member(&scanned->json, scanned->json.nodes, RWD_TEXT("k_9999"));
        assert_non_null(member);
        int64_t value = 0;
        assert_true(rwd_json_integer(member + 1, &value));
        assert_int_equal(value, 9999);
        drop(scanned);
        text.size = body;
        rwd_buffer_put_string(&text, ",\"k_1234\":1}");
        assert_int_equal(status_with(rwd_buffer_text(&text), limits), RWD_INVALID);
        rwd_buffer_finish(&text);
    }
}

static void members_and_paths(void **state)
{
    (void)state;
    struct scanned *scanned = scan(RWD_TEXT("{\"user\":{\"id\":\"u\",\"tags\":[1,{\"x\":2}]},\"\":{"
                                            "\"\":7},\"p\":{\"b\":0.5},\"z\":3}"));
    const struct rwd_json *json = &scanned->json;
    const struct rwd_json_node *root = json->nodes;
    assert_true(rwd_text_is(rwd_json_text(rwd_json_path(json, root, RWD_TEXT("user.id"))), "u"));
    assert_true(rwd_text_is(rwd_json_text(rwd_json_path(json, root, RWD_TEXT("p.b"))), "0.5"));
    assert_true(rwd_text_is(rwd_json_text(rwd_json_path(json, root, RWD_TEXT("."))), "7"));
    assert_null(rwd_json_path(json, root, RWD_TEXT("user.nope")));
    assert_null(rwd_json_path(json, root, RWD_TEXT("user.id.more")));
    assert_null(rwd_json_path(json, root, RWD_TEXT("z.")));
    assert_null(rwd_json_path(json, NULL, RWD_TEXT("z")));
    assert_null(rwd_json_member(json, root, RWD_TEXT("x")));
    assert_null(rwd_json_member(json, rwd_json_member(json, root, RWD_TEXT("z")), RWD_TEXT("x")));
    assert_null(rwd_json_first(json, NULL));
    assert_null(rwd_json_first(json, rwd_json_member(json, root, RWD_TEXT("z"))));
    int count = 0;
    for (const struct rwd_json_node *at = rwd_json_first(json, root); at != NULL;
         at = rwd_json_next(json, root, at)) {
        count++;
    }
    assert_int_equal(count, 4);
    drop(scanned);
}

static void documents_follow_one_another(void **state)
{
    (void)state;
    struct rwd_text text = RWD_TEXT("{\"a\":1}\n [2] \"x\" ");
    const size_t consumed[] = {9, 4, 4};
    for (size_t i = 0; i < COUNT_OF(consumed); i++) {
        struct scanned *scanned = scan(text);
        assert_int_equal(scanned->status, RWD_OK);
        assert_int_equal(scanned->consumed, consumed[i]);
        text.data += scanned->consumed;
        text.size -= scanned->consumed;
        drop(scanned);
    }
    assert_int_equal(text.size, 0);
}

static struct rwd_json_node number_node(const char *text)
{
    return (struct rwd_json_node){
        .data = text, .size = (uint32_t)strlen(text), .type = RWD_JSON_NUMBER};
}

/* Against strtod, over texts of every shape that the fast way may take. */
static void numbers_are_correctly_rounded(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int i = 0; i < 300000; i++) {
        char text[64];
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        unsigned long long whole = (seed >> 20) % (i % 2 == 0 ? 1000ULL : 10000000000000ULL);
        unsigned long long fraction = (seed >> 3) % (i % 3 == 0 ? 100ULL : 100000000ULL);
        int exponent = (int)((seed >> 40) % 60) - 30;
        const char *sign = (seed >> 63) != 0 ? "-" : "";
        if (i % 4 == 0) {
            (void)snprintf(text, sizeof text, "%s%llu", sign, whole);
        } else if (i % 4 == 1) {
            (void)snprintf(text, sizeof text, "%s%llu.%llu", sign, whole, fraction);
        } else if (i % 4 == 2) {
            (void)snprintf(text, sizeof text, "%s%llue%d", sign, whole, exponent);
        } else {
            (void)snprintf(text, sizeof text, "%s%llu.%02lluE%+d", sign, whole, fraction, exponent);
        }
        struct rwd_json_node node = number_node(text);
        double value = rwd_json_number(&node);
        double expected = strtod(text, NULL);
        assert_memory_equal(&value, &expected, sizeof value);
    }
    static const char *const ends[] = {"0", "-0", "-0.0", "9007199254740992", "9007199254740993",
        "1e22", "1e23", "1e-22", "1.7976931348623157e308", "4.9e-324", "1e-400", "0.1", "0e99",
        "123456789012345678", "1234567890123456789", "0.000000000000000001", "1e-99999999999"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct rwd_json_node node = number_node(ends[i]);
        double value = rwd_json_number(&node);
        double expected = strtod(ends[i], NULL);
        assert_memory_equal(&value, &expected, sizeof value);
    }
}

/* The finite check looks at digits and exponent only; strtod says who is right. */
static void finite_means_what_strtod_says(void **state)
{
    (void)state;
    static const char *const heads[] = {"1", "9", "1.7976931348623157", "1.7976931348623158",
        "1.7976931348623159", "17976931348623157", "0.00017976931348623157", "1.8", "0.1", "0",
        "99", "0.0000000000000000000000000000000000001",
        "100000000000000000000000000000000000000000"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        for (int exponent = 260; exponent <= 350; exponent++) {
            char text[128];
            (void)snprintf(text, sizeof text, "%se%d", heads[i], exponent);
            struct scanned *scanned = scan(rwd_text_of(text));
            assert_int_equal(scanned->status == RWD_OK, isfinite(strtod(text, NULL)) != 0);
            drop(scanned);
        }
    }
    char digits[RWD_JSON_NUMBER_SIZE_MAX + 2];
    memset(digits, '1', sizeof digits);
    struct rwd_text number = {.data = digits, .size = 309};
    assert_int_equal(status_with(number, usual), RWD_OK);
    number.size = 310;
    assert_int_equal(status_with(number, usual), RWD_INVALID);
    digits[1] = '.';
    number.size = RWD_JSON_NUMBER_SIZE_MAX;
    assert_int_equal(status_with(number, usual), RWD_OK);
    number.size = RWD_JSON_NUMBER_SIZE_MAX + 1;
    assert_int_equal(status_with(number, usual), RWD_LIMIT);
}

static void integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool whole;
        bool fits;
        int64_t value;
    } cases[] = {{"0", true, true, 0}, {"-0", true, true, 0}, {"42", true, true, 42},
        {"1.0", true, true, 1}, {"1e2", true, true, 100}, {"12.50e1", true, true, 125},
        {"1.5", false, false, 0}, {"1e-1", false, false, 0}, {"100e-2", true, true, 1},
        {"9223372036854775807", true, true, INT64_MAX},
        {"-9223372036854775808", true, true, INT64_MIN}, {"9223372036854775808", true, false, 0},
        {"1e30", true, false, 0}, {"0.0e99", true, true, 0}, {"1e400", true, false, 0},
        {"1e-400", false, false, 0}, {"0.5e1", true, true, 5}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rwd_json_node node = number_node(cases[i].text);
        node.integer = strpbrk(cases[i].text, ".eE") == NULL;
        int64_t value = 0;
        assert_int_equal(rwd_json_is_whole(&node), cases[i].whole);
        assert_int_equal(rwd_json_integer(&node, &value), cases[i].fits);
        if (cases[i].fits) {
            assert_int_equal(value, cases[i].value);
        }
        node.type = RWD_JSON_STRING;
        assert_false(rwd_json_integer(&node, &value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(must_reject),
        cmocka_unit_test(must_accept),
        cmocka_unit_test(torn_text_never_reads_as_the_whole),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(faults_say_where),
        cmocka_unit_test(limits_are_limits),
        cmocka_unit_test(deep_nesting_needs_no_stack),
        cmocka_unit_test(a_full_arena_is_a_limit),
        cmocka_unit_test(large_documents),
        cmocka_unit_test(members_and_paths),
        cmocka_unit_test(documents_follow_one_another),
        cmocka_unit_test(numbers_are_correctly_rounded),
        cmocka_unit_test(finite_means_what_strtod_says),
        cmocka_unit_test(integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
