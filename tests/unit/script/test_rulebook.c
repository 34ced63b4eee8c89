/*
 * Order and lookup of a rulebook, its references, and a ruleset's take-over and breaker.
 */
#include "support.h"

#include "script/ruleset.h"

static struct rwd_shared_rule *make(
    const char *id, const char *version, int priority, const char *on, uint32_t version_no)
{
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    struct rwd_rule *rule = NULL;
    struct rwd_error error = {{0}};
    char source[512];
    (void)snprintf(source, sizeof source,
        "for _ = 1, 300 do end "
        "return rule { id = '%s', version = '%s', priority = %d, on = %s,\n"
        "score = function() return 1 end }",
        id, version, priority, on);
    assert_loads(rwd_rule_load(text_of(source), "r.lua", &limits, &rule, &error), error);
    rule->version_no = version_no;
    return rwd_shared_rule_create(&rule);
}

static void rules_are_in_order_by_event(void **state)
{
    (void)state;
    struct rwd_shared_rule *rules[] = {make("c", "1.0.0", 0, "'bet'", 1),
        make("a", "1.0.0", 0, "{ 'bet', 'win' }", 2), make("z", "1.0.0", 9, "'bet'", 3),
        make("b", "1.0.0", -1, "{ 'win', 'bet' }", 4)};
    struct rwd_rulebook *book = rwd_rulebook_create(7, rules, 4);
    for (size_t i = 0; i < 4; i++) {
        rwd_shared_rule_release(rules[i]);
    }
    size_t count = 0;
    assert_int_equal(rwd_rulebook_no(book), 7);
    assert_int_equal(rwd_rulebook_count(book), 4);
    const struct rwd_rulebook_entry *entries = rwd_rulebook_for(book, RWD_TEXT("bet"), &count);
    static const char *const order[] = {"z", "a", "c", "b"};
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(entries[i].rule->id, order[i]);
        assert_ptr_equal(rwd_rulebook_at(book, entries[i].index), entries[i].rule);
    }
    entries = rwd_rulebook_for(book, RWD_TEXT("win"), &count);
    assert_int_equal(count, 2);
    assert_string_equal(entries[0].rule->id, "a");
    assert_string_equal(entries[1].rule->id, "b");
    assert_null(rwd_rulebook_for(book, RWD_TEXT("login"), &count));
    assert_int_equal(count, 0);
    assert_string_equal(rwd_rulebook_find(book, RWD_TEXT("z"))->id, "z");
    assert_null(rwd_rulebook_find(book, RWD_TEXT("y")));
    assert_ptr_equal(rwd_rulebook_acquire(book), book);
    rwd_rulebook_release(book);
    rwd_rulebook_release(book);
}

static void many_names_find_their_rules(void **state)
{
    (void)state;
    struct rwd_shared_rule *rules[40];
    char name[32];
    size_t count = 0;
    for (int i = 0; i < 40; i++) {
        char on[32];
        (void)snprintf(name, sizeof name, "r%d", i);
        (void)snprintf(on, sizeof on, "{ 'e%d', 'e%d' }", i, i + 1);
        rules[i] = make(name, "1.0.0", 0, on, (uint32_t)i + 1);
    }
    struct rwd_rulebook *book = rwd_rulebook_create(1, rules, 40);
    for (int i = 0; i <= 40; i++) {
        (void)snprintf(name, sizeof name, "e%d", i);
        assert_non_null(rwd_rulebook_for(book, text_of(name), &count));
        assert_int_equal(count, i == 0 || i == 40 ? 1 : 2);
    }
    rwd_rulebook_release(book);
    for (int i = 0; i < 40; i++) {
        rwd_shared_rule_release(rules[i]);
    }
}

static void an_empty_book_is_a_book(void **state)
{
    (void)state;
    struct rwd_ruleset_limits limits = rwd_ruleset_limits_default();
    struct rwd_ruleset *set = NULL;
    struct rwd_error error;
    size_t count = 1;
    struct rwd_rulebook *book = rwd_rulebook_create(1, NULL, 0);
    assert_null(rwd_rulebook_for(book, RWD_TEXT("bet"), &count));
    assert_int_equal(count, 0);
    assert_int_equal(rwd_ruleset_create(book, &limits, NULL, &set, &error), RWD_OK);
    rwd_ruleset_destroy(set);
    rwd_rulebook_release(book);
}

static void versions_that_stay_keep_their_vm(void **state)
{
    (void)state;
    struct rwd_ruleset_limits limits = rwd_ruleset_limits_default();
    struct rwd_shared_rule *a = make("a", "1.0.0", 0, "'bet'", 1);
    struct rwd_shared_rule *a_again = make("a", "1.0.0", 0, "'bet'", 1); /* same bytes, read anew */
    struct rwd_shared_rule *b = make("b", "1.0.0", 0, "'bet'", 2);
    struct rwd_shared_rule *b_next = make("b", "2.0.0", 0, "'bet'", 3);
    struct rwd_rulebook *old_book = rwd_rulebook_create(1, (struct rwd_shared_rule *[]){a, b}, 2);
    struct rwd_rulebook *new_book =
        rwd_rulebook_create(2, (struct rwd_shared_rule *[]){b_next, a_again}, 2);
    struct rwd_ruleset *set = NULL;
    struct rwd_ruleset *next = NULL;
    struct rwd_error error;
    rwd_shared_rule_release(a);
    rwd_shared_rule_release(a_again);
    rwd_shared_rule_release(b);
    rwd_shared_rule_release(b_next);
    assert_int_equal(rwd_ruleset_create(old_book, &limits, NULL, &set, &error), RWD_OK);
    rwd_rulebook_release(old_book);
    struct rwd_sandbox *of_a = rwd_ruleset_sandbox(set, 0);
    (void)rwd_ruleset_note(set, 0, true);
    assert_int_equal(rwd_ruleset_create(new_book, &limits, &set, &next, &error), RWD_OK);
    rwd_rulebook_release(new_book);
    assert_null(set);
    assert_ptr_equal(rwd_ruleset_sandbox(next, 0), of_a);
    assert_int_equal(rwd_ruleset_health(next, 0).error_count, 1);
    assert_int_equal(rwd_ruleset_health(next, 1).call_count, 0);
    assert_int_equal(rwd_rulebook_no(rwd_ruleset_rulebook(next)), 2);
    /* The VM that was taken over works though its book is gone. */
    struct fixture f;
    uint64_t points = 0;
    open_fixture(&f);
    assert_int_equal(
        rwd_sandbox_score(rwd_ruleset_sandbox(next, 0), &f.call, &points, &f.error), RWD_OK);
    assert_int_equal(points, 1);
    close_fixture(&f);
    rwd_ruleset_destroy(next);
}

static void five_errors_in_a_hundred_calls_suspend(void **state)
{
    (void)state;
    struct rwd_ruleset_limits limits = rwd_ruleset_limits_default();
    struct rwd_shared_rule *a = make("a", "1.0.0", 0, "'bet'", 1);
    struct rwd_rulebook *book = rwd_rulebook_create(1, &a, 1);
    struct rwd_ruleset *set = NULL;
    struct rwd_error error;
    assert_int_equal(rwd_ruleset_create(book, &limits, NULL, &set, &error), RWD_OK);
    /* One in twenty-five: four in any hundred. */
    for (int i = 0; i < 1000; i++) {
        assert_false(rwd_ruleset_note(set, 0, i % 25 == 0));
    }
    assert_false(rwd_ruleset_suspended(set, 0));
    assert_int_equal(rwd_ruleset_health(set, 0).call_count, 1000);
    assert_int_equal(rwd_ruleset_health(set, 0).error_count, 40);
    rwd_ruleset_resume(set, 0);
    for (int i = 0; i < 4; i++) {
        assert_false(rwd_ruleset_note(set, 0, true));
    }
    assert_int_equal(rwd_ruleset_health(set, 0).consecutive_error_count, 4);
    for (int i = 0; i < 95; i++) {
        assert_false(rwd_ruleset_note(set, 0, false));
    }
    assert_int_equal(rwd_ruleset_health(set, 0).consecutive_error_count, 0);
    assert_true(rwd_ruleset_note(set, 0, true)); /* the fifth, within a hundred */
    assert_true(rwd_ruleset_suspended(set, 0));
    assert_false(rwd_ruleset_note(set, 0, true)); /* told once */
    rwd_ruleset_resume(set, 0);
    assert_false(rwd_ruleset_suspended(set, 0));
    for (int i = 0; i < 4; i++) {
        assert_false(rwd_ruleset_note(set, 0, true));
    }
    for (int i = 0; i < 96; i++) {
        assert_false(rwd_ruleset_note(set, 0, false));
    }
    assert_false(rwd_ruleset_note(set, 0, true)); /* the first has left the window */
    rwd_ruleset_destroy(set);
    rwd_rulebook_release(book);
    rwd_shared_rule_release(a);
}

static void a_vm_that_cannot_be_made_changes_nothing(void **state)
{
    (void)state;
    struct rwd_ruleset_limits limits = rwd_ruleset_limits_default();
    struct rwd_shared_rule *a = make("a", "1.0.0", 0, "'bet'", 1);
    struct rwd_shared_rule *b = make("b", "1.0.0", 0, "'bet'", 2);
    struct rwd_rulebook *old_book = rwd_rulebook_create(1, &a, 1);
    struct rwd_rulebook *new_book = rwd_rulebook_create(2, (struct rwd_shared_rule *[]){a, b}, 2);
    struct rwd_ruleset *set = NULL;
    struct rwd_ruleset *next = NULL;
    struct rwd_error error;
    assert_int_equal(rwd_ruleset_create(old_book, &limits, NULL, &set, &error), RWD_OK);
    struct rwd_sandbox *of_a = rwd_ruleset_sandbox(set, 0);
    limits.sandbox.instruction_count_max = 100;
    assert_int_equal(rwd_ruleset_create(new_book, &limits, &set, &next, &error), RWD_SCRIPT);
    assert_null(next);
    assert_ptr_equal(rwd_ruleset_sandbox(set, 0), of_a);
    rwd_ruleset_destroy(set);
    rwd_rulebook_release(old_book);
    rwd_rulebook_release(new_book);
    rwd_shared_rule_release(a);
    rwd_shared_rule_release(b);
}

/* Of active and canary each player has exactly one; a shadow is asked for nobody. */
static void a_player_has_one_version_of_a_rule(void **state)
{
    (void)state;
    struct rwd_shared_rule *old = make("a", "1.0.0", 0, "'bet'", 1);
    struct rwd_shared_rule *new = make("a", "2.0.0", 5, "{ 'bet', 'win' }", 2);
    struct rwd_shared_rule *next = make("a", "3.0.0", 9, "'bet'", 3);
    struct rwd_shared_rule *other = make("b", "1.0.0", 0, "'bet'", 4);
    const struct rwd_rulebook_seat seats[] = {{old, RWD_RULEBOOK_ACTIVE, 0},
        {new, RWD_RULEBOOK_CANARY, 10}, {next, RWD_RULEBOOK_SHADOW, 0},
        {other, RWD_RULEBOOK_ACTIVE, 0}};
    struct rwd_rulebook *book = rwd_rulebook_create_seated(1, seats, 4);
    size_t count = 0;
    const struct rwd_rulebook_entry *shadows = rwd_rulebook_shadows(book, &count);
    assert_int_equal(count, 1);
    assert_ptr_equal(shadows[0].rule, rwd_shared_rule_get(next));
    assert_ptr_equal(rwd_rulebook_at(book, shadows[0].index), shadows[0].rule);
    assert_ptr_equal(rwd_rulebook_find(book, RWD_TEXT("a")), rwd_shared_rule_get(new));
    const struct rwd_rulebook_entry *entries = rwd_rulebook_for(book, RWD_TEXT("bet"), &count);
    assert_int_equal(count, 3);
    unsigned canaries = 0;
    enum { USER_COUNT = 20000 };
    for (unsigned user = 0; user < USER_COUNT; user++) {
        char id[32];
        (void)snprintf(id, sizeof id, "u_%u", user);
        unsigned versions = 0;
        for (size_t i = 0; i < count; i++) {
            bool takes = rwd_rulebook_takes(&entries[i], rwd_text_of(id));
            if (entries[i].rule == rwd_shared_rule_get(other)) {
                assert_true(takes);
            } else {
                versions += takes;
                canaries += takes && entries[i].rule == rwd_shared_rule_get(new);
            }
        }
        assert_int_equal(versions, 1);
    }
    assert_in_range(canaries, USER_COUNT * 9 / 100, USER_COUNT * 11 / 100);
    /* An event that only the canary wants is still only its players'. */
    entries = rwd_rulebook_for(book, RWD_TEXT("win"), &count);
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].to, 1000);
    rwd_rulebook_release(book);
    rwd_shared_rule_release(old);
    rwd_shared_rule_release(new);
    rwd_shared_rule_release(next);
    rwd_shared_rule_release(other);
}

/* The bytes the process holds, by the kernel's word. A sanitizer keeps freed memory back, and looks
 * for leaks by itself. */
static size_t resident_size(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %zu", &pages), 1);
    assert_int_equal(fclose(file), 0);
    return pages * 4096;
#endif
}

/* A reload for ever: versions come and go, one stays, and memory is what it was. */
/* Whatever stands first: a rule's players are all of one version of an experiment. */
static void an_experiment_is_its_active_version(void **state)
{
    (void)state;
    struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    struct rwd_shared_rule *versions[3];
    for (size_t i = 0; i < 3; i++) {
        struct rwd_rule *rule = NULL;
        struct rwd_error error = {{0}};
        char source[256];
        (void)snprintf(source, sizeof source,
            "return experiment { key = 'ab', version = '%zu.0.0', arms = { control = 1, b = 1 },\n"
            "metrics = { primary = { event = 'bet' } } }",
            i + 1);
        assert_loads(rwd_rule_load(text_of(source), "r.lua", &limits, &rule, &error), error);
        versions[i] = rwd_shared_rule_create(&rule);
    }
    const struct rwd_rulebook_seat seats[] = {{versions[0], RWD_RULEBOOK_CANARY, 50},
        {versions[1], RWD_RULEBOOK_SHADOW, 0}, {versions[2], RWD_RULEBOOK_ACTIVE, 100}};
    for (size_t count = 2; count <= 3; count++) {
        struct rwd_rulebook *book = rwd_rulebook_create_seated(1, seats, count);
        const struct rwd_rule *found = rwd_rulebook_experiment(book, RWD_TEXT("ab"));
        assert_ptr_equal(found, count == 3 ? rwd_shared_rule_get(versions[2]) : NULL);
        rwd_rulebook_release(book);
    }
    for (size_t i = 0; i < 3; i++) {
        rwd_shared_rule_release(versions[i]);
    }
}

static void memory_is_flat_over_reloads(void **state)
{
    (void)state;
    const char *wish = getenv("REWARDD_LONG");
    const int count = wish != NULL && strcmp(wish, "1") == 0 ? 10000 : 1000;
    struct rwd_ruleset_limits limits = rwd_ruleset_limits_default();
    struct rwd_shared_rule *stays = make("a", "1.0.0", 0, "'bet'", 1);
    struct rwd_ruleset *set = NULL;
    struct rwd_error error = {{0}};
    size_t before = 0;
    for (int i = 0; i < count; i++) {
        struct rwd_shared_rule *comes = make("b", "1.0.0", 0, "'bet'", 2 + (uint32_t)i);
        struct rwd_shared_rule *shadow = make("c", "1.0.0", 0, "'bet'", 100000 + (uint32_t)i);
        const struct rwd_rulebook_seat seats[] = {{stays, RWD_RULEBOOK_ACTIVE, 0},
            {comes, i % 2 == 0 ? RWD_RULEBOOK_ACTIVE : RWD_RULEBOOK_CANARY, 50},
            {shadow, RWD_RULEBOOK_SHADOW, 0}};
        struct rwd_rulebook *book = rwd_rulebook_create_seated((uint32_t)i + 1, seats, 3);
        assert_int_equal(rwd_ruleset_create(book, &limits, &set, &set, &error), RWD_OK);
        rwd_rulebook_release(book);
        rwd_shared_rule_release(comes);
        rwd_shared_rule_release(shadow);
        if (i == count / 10) {
            before = resident_size();
        }
    }
    /* A tenth of it was warming up; what the allocator keeps by chance is below a megabyte or two.
     * A leak of one VM a reload would be a hundred. */
    assert_true(resident_size() < before + (4 << 20));
    rwd_ruleset_destroy(set);
    rwd_shared_rule_release(stays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_player_has_one_version_of_a_rule),
        cmocka_unit_test(rules_are_in_order_by_event),
        cmocka_unit_test(many_names_find_their_rules),
        cmocka_unit_test(an_empty_book_is_a_book),
        cmocka_unit_test(versions_that_stay_keep_their_vm),
        cmocka_unit_test(five_errors_in_a_hundred_calls_suspend),
        cmocka_unit_test(a_vm_that_cannot_be_made_changes_nothing),
        cmocka_unit_test(an_experiment_is_its_active_version),
        cmocka_unit_test(memory_is_flat_over_reloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
