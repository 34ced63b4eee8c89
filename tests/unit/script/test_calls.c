/*
 * The fuzz target of all that a rule can call, driven for so many calls by chance from a fixed
 * seed: in every test run, and under the sanitizers, where ./dev fuzz looks further.
 */
#include "../../fuzz/fuzz_call.c"

#include "../chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { CALL_COUNT = 20000, EACH_COUNT = 50, INPUT_SIZE = 700 };

static void every_function_takes_any_values(void **state)
{
    (void)state;
    uint8_t bytes[INPUT_SIZE];
    struct chance chance = {20000};
    while (calls_made < CALL_COUNT) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)chance_u64(&chance);
        }
        (void)LLVMFuzzerTestOneInput(bytes, sizeof bytes);
    }
    assert_true(known.count > 40);
    for (size_t i = 0; i < known.count; i++) {
        if (known.all[i].call_count < EACH_COUNT) {
            fail_msg("%s was called %llu times", known.all[i].name,
                (unsigned long long)known.all[i].call_count);
        }
    }
    print_message("%llu calls of %zu functions\n", (unsigned long long)calls_made, known.count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_function_takes_any_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
