/* What rewardctl makes of an id that goes into a path or a query. */
#include "ctl/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void ids_are_percent_encoded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *put;
    } cases[] = {{"", ""}, {"aZ09-._~", "aZ09-._~"}, {"a b", "a%20b"},
        {"a/b?c=d&e#f", "a%2Fb%3Fc%3Dd%26e%23f"}, {"50%", "50%25"}, {"%41", "%2541"},
        {"a+b", "a%2Bb"}, {"\r\n\t\x7f", "%0D%0A%09%7F"},
        {"\xc3\xbc\xf0\x9f\x98\x80", "%C3%BC%F0%9F%98%80"},
        {"\"'\\;:@!*()", "%22%27%5C%3B%3A%40%21%2A%28%29"}};
    struct rwd_buffer out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        out.size = 0;
        rwd_ctl_url_put(&out, cases[i].text);
        assert_string_equal(rwd_buffer_c_string(&out), cases[i].put);
    }
    rwd_buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_percent_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
