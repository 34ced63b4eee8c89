/* Names behind numbers: added in order, found for ever, also while more are added. */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

static struct rwd_directory_entry entry_of(uint32_t rule_no, uint32_t version_no)
{
    struct rwd_directory_entry entry = {.rule_no = rule_no, .version_no = version_no};
    (void)snprintf(entry.rule_id, sizeof entry.rule_id, "rule-%u", rule_no);
    (void)snprintf(entry.version, sizeof entry.version, "%u.0.0", version_no);
    return entry;
}

static void numbers_to_names(void **state)
{
    (void)state;
    struct rwd_directory *directory = rwd_directory_create();
    assert_null(rwd_directory_version(directory, 1));
    assert_null(rwd_directory_rule(directory, 1));
    for (uint32_t i = 1; i <= 3000; i++) {
        struct rwd_directory_entry entry = entry_of(1 + (i - 1) / 3, i);
        assert_int_equal(rwd_directory_add(directory, &entry), RWD_OK);
    }
    assert_int_equal(rwd_directory_count(directory), 3000);
    assert_null(rwd_directory_version(directory, 0));
    assert_null(rwd_directory_version(directory, 3001));
    assert_null(rwd_directory_rule(directory, 0));
    assert_null(rwd_directory_rule(directory, 1001));
    assert_null(rwd_directory_rule(directory, UINT32_MAX));
    assert_string_equal(rwd_directory_version(directory, 1025)->version, "1025.0.0");
    assert_string_equal(rwd_directory_rule(directory, 1000)->rule_id, "rule-1000");
    struct rwd_directory_entry experiment = {
        .rule_no = 1001, .version_no = 3001, .rule_id = "experiments/ab"};
    assert_int_equal(rwd_directory_add(directory, &experiment), RWD_OK);
    assert_true(rwd_text_is(rwd_directory_experiment(directory, 3001), "ab"));
    assert_int_equal(rwd_directory_experiment(directory, 0).size, 0);
    rwd_directory_destroy(directory);
    rwd_directory_destroy(NULL);
}

static void rulebooks(void **state)
{
    (void)state;
    struct rwd_directory *directory = rwd_directory_create();
    assert_null(rwd_directory_rulebook(directory, 1).data);
    char text[] = "{\"bet\":[1]}";
    rwd_directory_add_rulebook(directory, 1, rwd_text_of(text));
    text[2] = 'X'; /* a copy was taken */
    rwd_directory_add_rulebook(directory, 2, RWD_TEXT("{}"));
    assert_true(rwd_text_is(rwd_directory_rulebook(directory, 1), "{\"bet\":[1]}"));
    assert_true(rwd_text_is(rwd_directory_rulebook(directory, 2), "{}"));
    assert_null(rwd_directory_rulebook(directory, 3).data);
    rwd_directory_destroy(directory);
}

static void full_is_an_answer(void **state)
{
    (void)state;
    struct rwd_directory *directory = rwd_directory_create();
    for (uint32_t i = 1; i <= RWD_DIRECTORY_VERSION_COUNT_MAX; i++) {
        struct rwd_directory_entry entry = entry_of(1, i);
        assert_int_equal(rwd_directory_add(directory, &entry), RWD_OK);
    }
    struct rwd_directory_entry entry = entry_of(1, RWD_DIRECTORY_VERSION_COUNT_MAX + 1);
    assert_int_equal(rwd_directory_add(directory, &entry), RWD_LIMIT);
    rwd_directory_destroy(directory);
}

static _Atomic bool wrong;

static void *read_along(void *context)
{
    const struct rwd_directory *directory = context;
    for (uint32_t count = 0; count < 20000;) {
        count = rwd_directory_count(directory);
        const struct rwd_directory_entry *newest = rwd_directory_version(directory, count);
        const struct rwd_directory_entry *rule = rwd_directory_rule(directory, count);
        bool good = (count == 0) == (newest == NULL) &&
                    (newest == NULL || newest->version_no == count) &&
                    (rule == NULL || rule->rule_no == count);
        if (!good) {
            atomic_store(&wrong, true);
        }
    }
    return NULL;
}

static void read_while_it_grows(void **state)
{
    (void)state;
    struct rwd_directory *directory = rwd_directory_create();
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_along, directory), 0);
    for (uint32_t i = 1; i <= 20000; i++) {
        struct rwd_directory_entry entry = entry_of(i, i);
        assert_int_equal(rwd_directory_add(directory, &entry), RWD_OK);
    }
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_false(atomic_load(&wrong));
    rwd_directory_destroy(directory);
}

/* Switching to and fro takes no memory: the last many are known, and the same texts are shared. */
static void rulebooks_for_ever(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"bet\":[1]}", "{\"bet\":[2]}"};
    struct rwd_directory *directory = rwd_directory_create();
    enum { COUNT = 3 * RWD_DIRECTORY_RULEBOOK_COUNT_MAX };
    for (uint32_t no = 1; no <= COUNT; no++) {
        rwd_directory_add_rulebook(directory, no, rwd_text_of(texts[no % 2]));
    }
    const char *first = rwd_directory_rulebook(directory, COUNT).data;
    for (uint32_t no = 1; no <= COUNT; no++) {
        struct rwd_text text = rwd_directory_rulebook(directory, no);
        if (no <= COUNT - RWD_DIRECTORY_RULEBOOK_COUNT_MAX) {
            assert_null(text.data);
        } else {
            assert_true(rwd_text_is(text, texts[no % 2]));
            assert_true((text.data == first) == (no % 2 == COUNT % 2));
        }
    }
    rwd_directory_destroy(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_to_names),
        cmocka_unit_test(rulebooks),
        cmocka_unit_test(rulebooks_for_ever),
        cmocka_unit_test(full_is_an_answer),
        cmocka_unit_test(read_while_it_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
