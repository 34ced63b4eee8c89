#include "ctl/http.h"
#include "ctl/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const headings[] = {"ID", "STATUS"};

static void test_columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct rwd_ctl_table *table = rwd_ctl_table_create(headings, 2);
    struct rwd_buffer out = {0};
    /* Three characters of six bytes: width is what a terminal shows. */
    rwd_ctl_table_put(table, RWD_TEXT("\xc3\xa4\xc3\xb6\xc3\xbc"));
    rwd_ctl_table_put(table, RWD_TEXT("held"));
    rwd_ctl_table_put(table, RWD_TEXT("abcd"));
    rwd_ctl_table_put(table, RWD_TEXT(""));
    assert_int_equal(rwd_ctl_table_row_count(table), 2);
    rwd_ctl_table_write(table, &out);
    assert_string_equal(rwd_buffer_c_string(&out), "ID    STATUS\n"
                                                   "\xc3\xa4\xc3\xb6\xc3\xbc   held\n"
                                                   "abcd  \n");
    rwd_buffer_finish(&out);
    rwd_ctl_table_destroy(table);
}

static void test_a_long_cell_is_cut_between_characters(void **state)
{
    (void)state;
    char text[301];
    for (size_t i = 0; i < 300; i += 2) {
        memcpy(text + i, "\xc3\xa4", 2);
    }
    struct rwd_ctl_table *table = rwd_ctl_table_create(headings, 1);
    struct rwd_buffer out = {0};
    rwd_ctl_table_put(table, (struct rwd_text){.data = text, .size = 300});
    rwd_ctl_table_write(table, &out);
    const char *cell = strchr(rwd_buffer_c_string(&out), '\n') + 1;
    assert_true(strlen(cell) <= RWD_CTL_CELL_SIZE_MAX + 1);
    assert_string_equal(cell + strlen(cell) - 6, "\xc3\xa4...\n");
    rwd_buffer_finish(&out);
    rwd_ctl_table_destroy(table);
}

static void test_control_characters_are_shown_not_obeyed(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    rwd_ctl_put_plain(&out, RWD_TEXT("a\x1b[31m\n\x7f\xc2\x9b\xc2"));
    assert_string_equal(rwd_buffer_c_string(&out), "a?[31m???\xc2");
    rwd_buffer_finish(&out);
}

static void test_url_parts(void **state)
{
    (void)state;
    struct rwd_buffer out = {0};
    rwd_ctl_url_put(&out, "a-Z_9.~/?&=% \xc3\xa4");
    assert_string_equal(rwd_buffer_c_string(&out), "a-Z_9.~%2F%3F%26%3D%25%20%C3%A4");
    rwd_buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(test_a_long_cell_is_cut_between_characters),
        cmocka_unit_test(test_control_characters_are_shown_not_obeyed),
        cmocka_unit_test(test_url_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
