/*
 * Assignment: GrowthBook's public test vectors, and what they do not say: nobody moves when the
 * coverage grows, shares are met, experiments and namespaces are independent of each other.
 *
 * The vectors are ../shared/data/experiment-vectors.json, which is no part of the project;
 * REWARDD_SHARED_DATA names another folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "domain/json.h"
#include "experiment/assign.h"
#include "experiment/statistics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARM_COUNT_MAX = 8, USER_COUNT = 100000 };

static const struct rwd_json_limits limits = {
    .depth_max = 8, .node_count_max = 4096, .size_max = 1 << 20};

struct vectors {
    struct rwd_arena arena;
    struct rwd_json json;
    char *text;
};

static bool read_vectors(struct vectors *vectors)
{
    char path[4096];
    const char *folder = getenv("REWARDD_SHARED_DATA");
    (void)snprintf(path, sizeof path, "%s/experiment-vectors.json",
        folder != NULL ? folder : RWD_SOURCE_DIR "/../shared/data");
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        print_message("skipped: %s is not there: the vectors are not part of the project\n", path);
        return false;
    }
    vectors->text = calloc(1, limits.size_max);
    size_t size = fread(vectors->text, 1, limits.size_max, file);
    assert_int_equal(fclose(file), 0);
    rwd_arena_init(&vectors->arena, 4096, 16 << 20);
    size_t consumed = 0;
    struct rwd_json_fault fault;
    struct rwd_text text = {.data = vectors->text, .size = size};
    assert_int_equal(
        rwd_json_scan(text, &limits, &vectors->arena, &vectors->json, &consumed, &fault), RWD_OK);
    return true;
}

static void drop_vectors(struct vectors *vectors)
{
    rwd_arena_finish(&vectors->arena);
    free(vectors->text);
}

static const struct rwd_json_node *list_of(const struct vectors *vectors, const char *name)
{
    const struct rwd_json_node *list =
        rwd_json_member(&vectors->json, &vectors->json.nodes[0], rwd_text_of(name));
    assert_non_null(list);
    assert_true(list->size > 0);
    return list;
}

/* The children of one case. */
static void spread(const struct vectors *vectors, const struct rwd_json_node *list,
    const struct rwd_json_node **nodes, size_t count)
{
    const struct rwd_json_node *node = rwd_json_first(&vectors->json, list);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(node);
        nodes[i] = node;
        node = rwd_json_next(&vectors->json, list, node);
    }
}

static size_t read_ranges(const struct vectors *vectors, const struct rwd_json_node *list,
    struct rwd_bucket_range *ranges)
{
    size_t count = 0;
    for (const struct rwd_json_node *node = rwd_json_first(&vectors->json, list); node != NULL;
         node = rwd_json_next(&vectors->json, list, node)) {
        const struct rwd_json_node *ends[2];
        spread(vectors, node, ends, 2);
        assert_true(count < ARM_COUNT_MAX);
        ranges[count++] = (struct rwd_bucket_range){
            .begin = rwd_json_number(ends[0]), .end = rwd_json_number(ends[1])};
    }
    return count;
}

static void hash_vectors(void **state)
{
    (void)state;
    struct vectors vectors = {0};
    if (!read_vectors(&vectors)) {
        skip();
    }
    const struct rwd_json_node *list = list_of(&vectors, "hash");
    for (const struct rwd_json_node *node = rwd_json_first(&vectors.json, list); node != NULL;
         node = rwd_json_next(&vectors.json, list, node)) {
        const struct rwd_json_node *parts[4];
        spread(&vectors, node, parts, 4);
        int64_t version = 0;
        double n = -1;
        assert_true(rwd_json_integer(parts[2], &version));
        bool known =
            rwd_assign_hash(rwd_json_text(parts[0]), rwd_json_text(parts[1]), (int)version, &n);
        assert_int_equal(known, parts[3]->type == RWD_JSON_NUMBER);
        if (known) {
            assert_true(n == rwd_json_number(parts[3]));
        }
    }
    drop_vectors(&vectors);
}

static void range_vectors(void **state)
{
    (void)state;
    struct vectors vectors = {0};
    if (!read_vectors(&vectors)) {
        skip();
    }
    const struct rwd_json_node *list = list_of(&vectors, "getBucketRange");
    for (const struct rwd_json_node *node = rwd_json_first(&vectors.json, list); node != NULL;
         node = rwd_json_next(&vectors.json, list, node)) {
        const struct rwd_json_node *parts[3];
        const struct rwd_json_node *arguments[3];
        spread(&vectors, node, parts, 3);
        spread(&vectors, parts[1], arguments, 3);
        double weights[ARM_COUNT_MAX];
        size_t weight_count = 0;
        bool given = arguments[2]->type == RWD_JSON_ARRAY;
        for (const struct rwd_json_node *weight =
                 given ? rwd_json_first(&vectors.json, arguments[2]) : NULL;
             weight != NULL; weight = rwd_json_next(&vectors.json, arguments[2], weight)) {
            weights[weight_count++] = rwd_json_number(weight);
        }
        struct rwd_bucket_range wanted[ARM_COUNT_MAX];
        struct rwd_bucket_range ranges[ARM_COUNT_MAX];
        size_t count = read_ranges(&vectors, parts[2], wanted);
        assert_true(rwd_json_number(arguments[0]) == (double)count);
        rwd_assign_bucket_ranges(
            count, rwd_json_number(arguments[1]), given ? weights : NULL, weight_count, ranges);
        for (size_t i = 0; i < count; i++) {
            /* The vectors are rounded, the SDKs' own tests round too. */
            assert_true(fabs(ranges[i].begin - wanted[i].begin) < 1e-9);
            assert_true(fabs(ranges[i].end - wanted[i].end) < 1e-9);
        }
    }
    drop_vectors(&vectors);
}

static void choice_vectors(void **state)
{
    (void)state;
    struct vectors vectors = {0};
    if (!read_vectors(&vectors)) {
        skip();
    }
    const struct rwd_json_node *list = list_of(&vectors, "chooseVariation");
    for (const struct rwd_json_node *node = rwd_json_first(&vectors.json, list); node != NULL;
         node = rwd_json_next(&vectors.json, list, node)) {
        const struct rwd_json_node *parts[4];
        struct rwd_bucket_range ranges[ARM_COUNT_MAX];
        spread(&vectors, node, parts, 4);
        size_t count = read_ranges(&vectors, parts[2], ranges);
        int64_t wanted = 0;
        assert_true(rwd_json_integer(parts[3], &wanted));
        assert_int_equal(rwd_assign_choose(rwd_json_number(parts[1]), ranges, count), wanted);
    }
    drop_vectors(&vectors);
}

static void namespace_vectors(void **state)
{
    (void)state;
    struct vectors vectors = {0};
    if (!read_vectors(&vectors)) {
        skip();
    }
    const struct rwd_json_node *list = list_of(&vectors, "inNamespace");
    for (const struct rwd_json_node *node = rwd_json_first(&vectors.json, list); node != NULL;
         node = rwd_json_next(&vectors.json, list, node)) {
        const struct rwd_json_node *parts[4];
        const struct rwd_json_node *slice[3];
        spread(&vectors, node, parts, 4);
        spread(&vectors, parts[2], slice, 3);
        assert_int_equal(rwd_assign_in_namespace(rwd_json_text(parts[1]), rwd_json_text(slice[0]),
                             rwd_json_number(slice[1]), rwd_json_number(slice[2])),
            parts[3]->type == RWD_JSON_TRUE);
    }
    drop_vectors(&vectors);
}

static void weight_vectors(void **state)
{
    (void)state;
    struct vectors vectors = {0};
    if (!read_vectors(&vectors)) {
        skip();
    }
    const struct rwd_json_node *list = list_of(&vectors, "getEqualWeights");
    for (const struct rwd_json_node *node = rwd_json_first(&vectors.json, list); node != NULL;
         node = rwd_json_next(&vectors.json, list, node)) {
        const struct rwd_json_node *parts[2];
        int64_t count = 0;
        spread(&vectors, node, parts, 2);
        assert_true(rwd_json_integer(parts[0], &count));
        if (count <= 0) {
            assert_int_equal(parts[1]->size, 0); /* a count of ours is never negative */
            continue;
        }
        double weights[ARM_COUNT_MAX];
        rwd_assign_equal_weights((size_t)count, weights);
        size_t i = 0;
        for (const struct rwd_json_node *weight = rwd_json_first(&vectors.json, parts[1]);
             weight != NULL; weight = rwd_json_next(&vectors.json, parts[1], weight)) {
            assert_true(fabs(weights[i++] - rwd_json_number(weight)) < 1e-8);
        }
        assert_int_equal(i, count);
    }
    drop_vectors(&vectors);
}

static struct rwd_text user_of(unsigned i, char *buffer, size_t size)
{
    int length = snprintf(buffer, size, "u_%u", i);
    return (struct rwd_text){.data = buffer, .size = (size_t)length};
}

static int arm_of(
    unsigned user, struct rwd_text seed, const struct rwd_bucket_range *ranges, size_t count)
{
    char buffer[32];
    double n = 0;
    assert_true(rwd_assign_hash(seed, user_of(user, buffer, sizeof buffer), 2, &n));
    return rwd_assign_choose(n, ranges, count);
}

static void growing_coverage_moves_nobody(void **state)
{
    (void)state;
    const double weights[] = {0.2, 0.3, 0.5};
    const double coverages[] = {0, 0.01, 0.1, 0.5, 0.9, 1};
    unsigned assigned_before = 0;
    for (size_t step = 0; step + 1 < sizeof coverages / sizeof coverages[0]; step++) {
        struct rwd_bucket_range before[3];
        struct rwd_bucket_range after[3];
        unsigned assigned = 0;
        rwd_assign_bucket_ranges(3, coverages[step], weights, 3, before);
        rwd_assign_bucket_ranges(3, coverages[step + 1], weights, 3, after);
        for (unsigned user = 0; user < USER_COUNT; user++) {
            int arm = arm_of(user, RWD_TEXT("scoring"), before, 3);
            int then = arm_of(user, RWD_TEXT("scoring"), after, 3);
            assert_true(arm == RWD_ASSIGN_NOWHERE || arm == then);
            assigned += then != RWD_ASSIGN_NOWHERE;
        }
        assert_true(assigned > assigned_before);
        assigned_before = assigned;
    }
    assert_int_equal(assigned_before, USER_COUNT);
}

static void shares_are_met(void **state)
{
    (void)state;
    const double weights[] = {0.1, 0.2, 0.7};
    struct rwd_bucket_range ranges[3];
    uint64_t counts[3] = {0};
    rwd_assign_bucket_ranges(3, 1, weights, 3, ranges);
    for (unsigned user = 0; user < USER_COUNT; user++) {
        counts[arm_of(user, RWD_TEXT("shares"), ranges, 3)]++;
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(fabs((double)counts[i] / USER_COUNT - weights[i]) < 0.01);
    }
    assert_true(rwd_stat_srm(counts, weights, 3).p > 0.001);
}

/* Knowing one experiment's arm tells nothing about another's. */
static void experiments_are_independent(void **state)
{
    (void)state;
    struct rwd_bucket_range ranges[2];
    uint64_t cells[4] = {0};
    const double even[] = {0.25, 0.25, 0.25, 0.25};
    rwd_assign_bucket_ranges(2, 1, NULL, 0, ranges);
    for (unsigned user = 0; user < USER_COUNT; user++) {
        int a = arm_of(user, RWD_TEXT("a_week_45"), ranges, 2);
        int b = arm_of(user, RWD_TEXT("a_week_46"), ranges, 2);
        cells[2 * a + b]++;
    }
    assert_true(rwd_stat_srm(cells, even, 4).p > 0.001);
}

static void slices_of_a_namespace_exclude_each_other(void **state)
{
    (void)state;
    unsigned members[3] = {0};
    for (unsigned user = 0; user < USER_COUNT; user++) {
        char buffer[32];
        struct rwd_text id = user_of(user, buffer, sizeof buffer);
        int first = rwd_assign_in_namespace(id, RWD_TEXT("season"), 0, 0.3);
        int second = rwd_assign_in_namespace(id, RWD_TEXT("season"), 0.3, 0.7);
        int third = rwd_assign_in_namespace(id, RWD_TEXT("season"), 0.7, 1);
        assert_int_equal(first + second + third, 1);
        members[0] += (unsigned)first;
        members[1] += (unsigned)second;
        members[2] += (unsigned)third;
    }
    assert_true(fabs(members[0] / (double)USER_COUNT - 0.3) < 0.01);
    assert_true(fabs(members[1] / (double)USER_COUNT - 0.4) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_vectors),
        cmocka_unit_test(range_vectors),
        cmocka_unit_test(choice_vectors),
        cmocka_unit_test(namespace_vectors),
        cmocka_unit_test(weight_vectors),
        cmocka_unit_test(growing_coverage_moves_nobody),
        cmocka_unit_test(shares_are_met),
        cmocka_unit_test(experiments_are_independent),
        cmocka_unit_test(slices_of_a_namespace_exclude_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
