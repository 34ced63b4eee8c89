/* Which files are rules, in which order; what changed. */
#include "engine/formula_folder.h"
#include "engine/rule_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>
#include <poll.h>

static char dir[64];

static void write_file(const char *path, const char *text)
{
    char full[256];
    (void)snprintf(full, sizeof full, "%s/%s", dir, path);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void make_dir(const char *path)
{
    char full[256];
    (void)snprintf(full, sizeof full, "%s/%s", dir, path);
    assert_int_equal(mkdir(full, 0700), 0);
}

static int open_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/rewardd-rules-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static int close_dir(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void versions_compare_as_numbers(void **state)
{
    (void)state;
    static const char *const ascending[] = {"0.0.0", "0.0.1", "0.1.0", "1.0.0", "1.0.1", "1.0.2",
        "1.0.10", "1.9.0", "1.10.0", "1.10.1", "2.0.0", "10.0.0", "999999.0.0"};
    enum { COUNT = sizeof ascending / sizeof ascending[0] };
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            int order = rwd_rule_version_compare(ascending[i], ascending[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void only_rules_are_listed(void **state)
{
    (void)state;
    static const char *const folders[] = {
        "b", "a", "schemas", "formulas", "experiments", ".git", "empty"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        make_dir(folders[i]);
    }
    static const char *const files[] = {"b/1.10.0.lua", "b/1.9.0.lua", "b/1.9.0_test.lua",
        "b/2.0.0_test.lua", "b/.hidden.lua", "b/notes.txt", "b/lua", "a/1.0.0.lua", "1.0.0.lua",
        "schemas/1.0.0.lua", "formulas/1.0.0.lua", "experiments/1.0.0.lua", ".git/1.0.0.lua",
        "a/a_version_far_too_long_for_this.lua", "a/1.0.0.lua~", "a/1.0.1.lua.tmp"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        write_file(files[i], "x");
    }
    struct rwd_rule_file *found = NULL;
    size_t count = 0;
    struct rwd_error error;
    assert_int_equal(rwd_rule_folder_list(dir, &found, &count, &error), RWD_OK);
    assert_int_equal(count, 3);
    assert_string_equal(found[0].rule_id, "a");
    assert_string_equal(found[1].rule_id, "b");
    assert_string_equal(found[1].version, "1.9.0");
    assert_string_equal(found[2].version, "1.10.0");
    assert_null(found[0].test_path);
    assert_null(found[2].test_path);
    assert_non_null(strstr(found[1].test_path, "/b/1.9.0_test.lua"));
    assert_non_null(strstr(found[1].path, "/b/1.9.0.lua"));
    rwd_rule_files_free(found, count);
    assert_int_equal(
        rwd_rule_folder_list("/nowhere/rules", &found, &count, &error), RWD_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/nowhere/rules"));
}

/* What rules name comes before them. */
static void each_kind_has_its_folder(void **state)
{
    (void)state;
    static const char *const folders[] = {"kinds", "kinds/zebra", "kinds/formulas",
        "kinds/formulas/half", "kinds/formulas/formulas", "kinds/experiments",
        "kinds/experiments/ab"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        make_dir(folders[i]);
    }
    static const char *const files[] = {"kinds/zebra/1.0.0.lua", "kinds/formulas/half/1.1.0.lua",
        "kinds/formulas/half/1.0.0.lua", "kinds/formulas/half/1.0.0_test.lua",
        "kinds/formulas/formulas/1.0.0.lua", "kinds/experiments/ab/1.0.0.lua"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        write_file(files[i], "x");
    }
    static const char *const ids[] = {
        "formulas/formulas", "formulas/half", "formulas/half", "experiments/ab", "zebra"};
    char kinds[128];
    struct rwd_rule_file *found = NULL;
    size_t count = 0;
    struct rwd_error error;
    (void)snprintf(kinds, sizeof kinds, "%s/kinds", dir);
    assert_int_equal(rwd_rule_folder_list(kinds, &found, &count, &error), RWD_OK);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(found[i].rule_id, ids[i]);
    }
    assert_string_equal(found[1].version, "1.0.0");
    assert_non_null(strstr(found[1].test_path, "/formulas/half/1.0.0_test.lua"));
    rwd_rule_files_free(found, count);

    /* The shelf of tools reads them, or says what there is. */
    struct rwd_formula_folder folder;
    struct rwd_text source = {0};
    rwd_formula_folder_init(&folder, dir, kinds);
    const struct rwd_formula_shelf shelf = rwd_formula_folder_shelf(&folder);
    assert_int_equal(
        shelf.find(shelf.context, RWD_TEXT("half"), RWD_TEXT("1.1.0"), &source, &error), RWD_OK);
    assert_true(rwd_text_is(source, "x"));
    assert_int_equal(
        shelf.find(shelf.context, RWD_TEXT("half"), RWD_TEXT("2.0.0"), &source, &error),
        RWD_NOT_FOUND);
    assert_string_equal(
        error.text, "there is no formula half@2.0.0; of half there are 1.0.0, 1.1.0");
    assert_int_equal(
        shelf.find(shelf.context, RWD_TEXT("hafl"), RWD_TEXT("1.0.0"), &source, &error),
        RWD_NOT_FOUND);
    rwd_formula_folder_finish(&folder);
}

static void files_are_read_up_to_a_size(void **state)
{
    (void)state;
    char path[128];
    struct rwd_buffer bytes = {0};
    struct rwd_error error;
    write_file("file", "12345678");
    (void)snprintf(path, sizeof path, "%s/file", dir);
    assert_int_equal(rwd_rule_file_read(path, 8, &bytes, &error), RWD_OK);
    assert_true(rwd_text_is(rwd_buffer_text(&bytes), "12345678"));
    bytes.size = 0;
    assert_int_equal(rwd_rule_file_read(path, 7, &bytes, &error), RWD_LIMIT);
    assert_non_null(strstr(error.text, path));
    assert_int_equal(rwd_rule_file_read("/nowhere/x", 7, &bytes, &error), RWD_UNAVAILABLE);
    assert_int_equal(rwd_rule_file_read(dir, 7, &bytes, &error), RWD_INVALID);
    rwd_buffer_finish(&bytes);
}

static void full_path(char full[256], const char *path)
{
    (void)snprintf(full, 256, "%s/%s", dir, path);
}

static void link_to(const char *target, const char *path)
{
    char full[256];
    full_path(full, path);
    assert_int_equal(symlink(target, full), 0);
}

/* Whatever stands where a rule file should be: an answer at once, with the path in it. */
static void only_files_of_the_folder_are_read(void **state)
{
    (void)state;
    char full[256];
    make_dir("odd");
    make_dir("odd/1.0.0.lua");
    full_path(full, "odd/1.0.1.lua");
    assert_int_equal(mkfifo(full, 0600), 0);
    link_to("/nowhere/at/all.lua", "odd/1.0.2.lua");
    link_to("/etc/passwd", "odd/1.0.3.lua");
    link_to("/dev/zero", "odd/1.0.4.lua");
    link_to("1.0.5.lua", "odd/1.0.5.lua");
    make_dir("..data");
    write_file("..data/real.lua", "x");
    link_to("../..data/real.lua", "odd/1.0.6.lua");
    link_to("/nowhere/test.lua", "odd/1.0.6_test.lua");
    static const struct {
        enum rwd_status status;
        const char *says;
    } expected[] = {{RWD_INVALID, "folder"}, {RWD_INVALID, "FIFO"},
        {RWD_UNAVAILABLE, "link to nothing"}, {RWD_DENIED, "/etc/passwd"},
        {RWD_DENIED, "/dev/zero"}, {RWD_UNAVAILABLE, "symbolic links"}, {RWD_OK, ""}};
    struct rwd_rule_file *found = NULL;
    struct rwd_buffer bytes = {0};
    struct rwd_error error;
    size_t count = 0;
    size_t seen = 0;
    assert_int_equal(rwd_rule_folder_list(dir, &found, &count, &error), RWD_OK);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(found[i].rule_id, "odd") == 0) {
            assert_int_equal(
                rwd_rule_file_read(found[i].path, 8, &bytes, &error), expected[seen].status);
            if (expected[seen].status != RWD_OK) {
                assert_non_null(strstr(error.text, found[i].path));
                assert_non_null(strstr(error.text, expected[seen].says));
            }
            seen++;
        }
    }
    assert_int_equal(seen, sizeof expected / sizeof expected[0]);
    assert_true(rwd_text_is(rwd_buffer_text(&bytes), "x"));
    /* Tests that are not to be had are not the same as none. */
    assert_non_null(found[count - 1].test_path);
    assert_int_equal(
        rwd_rule_file_read(found[count - 1].test_path, 8, &bytes, &error), RWD_UNAVAILABLE);
    rwd_rule_files_free(found, count);
    rwd_buffer_finish(&bytes);
}

static bool readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void changes_are_noticed(void **state)
{
    (void)state;
    make_dir("watched");
    int fd = rwd_rule_folder_watch(dir);
    assert_true(fd >= 0);
    assert_false(readable(fd));
    write_file("watched/1.0.0.lua", "x");
    assert_true(readable(fd));
    rwd_rule_folder_changed(fd, dir);
    assert_false(readable(fd));
    /* A folder that is new is watched from then on. */
    make_dir("newcomer");
    assert_true(readable(fd));
    rwd_rule_folder_changed(fd, dir);
    write_file("newcomer/1.0.0.lua", "x");
    assert_true(readable(fd));
    rwd_rule_folder_changed(fd, dir);
    char full[256];
    full_path(full, "newcomer/1.0.0.lua");
    assert_int_equal(chmod(full, 0), 0);
    assert_true(readable(fd));
    rwd_rule_folder_changed(fd, dir);
    assert_int_equal(unlink(full), 0);
    assert_true(readable(fd));
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_compare_as_numbers),
        cmocka_unit_test(only_rules_are_listed),
        cmocka_unit_test(each_kind_has_its_folder),
        cmocka_unit_test(files_are_read_up_to_a_size),
        cmocka_unit_test(only_files_of_the_folder_are_read),
        cmocka_unit_test(changes_are_noticed),
    };
    return cmocka_run_group_tests(tests, open_dir, close_dir);
}
