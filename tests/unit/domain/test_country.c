/* Sets of countries: what is in them, and their bytes. */
#include "domain/country.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_pair_of_capitals(void **state)
{
    (void)state;
    for (char a = 'A'; a <= 'Z'; a++) {
        for (char b = 'A'; b <= 'Z'; b++) {
            struct rwd_country_set set = {0};
            const char code[] = {a, b, '\0'};
            const char other[] = {b == 'Z' ? 'A' : a, b == 'Z' ? 'A' : (char)(b + 1), '\0'};
            assert_true(rwd_country_set_empty(&set));
            assert_false(rwd_country_set_has(&set, code));
            assert_true(rwd_country_set_add(&set, rwd_text_of(code)));
            assert_false(rwd_country_set_empty(&set));
            assert_true(rwd_country_set_has(&set, code));
            assert_int_equal(rwd_country_set_has(&set, other), strcmp(code, other) == 0);
        }
    }
}

static void what_is_no_code(void **state)
{
    (void)state;
    static const char *const codes[] = {"", "T", "TUR", "tr", "T1", "T ", "[A", "@A"};
    struct rwd_country_set set = {0};
    memset(&set, 255, sizeof set);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct rwd_country_set none = {0};
        assert_false(rwd_country_set_has(&set, codes[i]));
        assert_false(rwd_country_set_add(&none, rwd_text_of(codes[i])));
        assert_true(rwd_country_set_empty(&none));
    }
}

static void bytes_there_and_back(void **state)
{
    (void)state;
    static const char *const lists[] = {"", "TR", "BRTR", "AAAZZAZZ"};
    for (size_t i = 0; i < 4; i++) {
        struct rwd_country_set set = {0};
        struct rwd_country_set read;
        struct rwd_buffer bytes = {0};
        for (const char *at = lists[i]; *at != '\0'; at += 2) {
            assert_true(rwd_country_set_add(&set, (struct rwd_text){.data = at, .size = 2}));
        }
        rwd_country_set_encode(&set, &bytes);
        assert_int_equal(bytes.size, 1 + strlen(lists[i]));
        struct rwd_wire wire = rwd_wire_of(bytes.data, bytes.size);
        rwd_country_set_decode(&wire, &read);
        assert_true(rwd_wire_done(&wire));
        assert_memory_equal(&set, &read, sizeof set);
        rwd_buffer_finish(&bytes);
    }
    static const char *const damaged[] = {"\003TRB", "\002tr", "\004TR", "\001T"};
    for (size_t i = 0; i < 4; i++) {
        struct rwd_country_set read;
        struct rwd_wire wire = rwd_wire_of(damaged[i], strlen(damaged[i]));
        rwd_country_set_decode(&wire, &read);
        assert_true(wire.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_capitals),
        cmocka_unit_test(what_is_no_code),
        cmocka_unit_test(bytes_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
