/* What an id says of its kind. */
#include "domain/rule_kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void an_id_tells_its_kind(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        enum rwd_rule_kind kind;
        const char *bare;
    } ids[] = {
        {"points", RWD_KIND_RULE, "points"},
        {"formulas", RWD_KIND_RULE, "formulas"},
        {"formulas/", RWD_KIND_RULE, "formulas/"},
        {"formulas/points", RWD_KIND_FORMULA, "points"},
        {"experiments/ab", RWD_KIND_EXPERIMENT, "ab"},
        {"", RWD_KIND_RULE, ""},
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        enum rwd_rule_kind kind = rwd_rule_kind_of(rwd_text_of(ids[i].id));
        assert_int_equal(kind, ids[i].kind);
        assert_true(rwd_text_is(rwd_rule_bare_id(ids[i].id), ids[i].bare));
        size_t prefix_size = strlen(rwd_rule_kind_prefix(kind));
        assert_memory_equal(ids[i].id, rwd_rule_kind_prefix(kind), prefix_size);
        assert_string_equal(ids[i].id + prefix_size, ids[i].bare);
    }
    assert_string_equal(rwd_rule_kind_name(RWD_KIND_FORMULA), "formula");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_id_tells_its_kind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
