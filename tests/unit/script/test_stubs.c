/*
 * The editor's stubs and luacheck's list name what the sandbox has: no name more, none less.
 */
#include "support.h"

#include "script/vm.h"

enum { NAME_COUNT_MAX = 256, NAME_SIZE = 64, FILE_SIZE_MAX = 64 << 10 };

struct names {
    char all[NAME_COUNT_MAX][NAME_SIZE];
    size_t count;
};

static void add_name(struct names *names, const char *name, size_t size)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strlen(names->all[i]) == size && memcmp(names->all[i], name, size) == 0) {
            return;
        }
    }
    assert_true(names->count < NAME_COUNT_MAX && size < NAME_SIZE);
    (void)snprintf(names->all[names->count++], NAME_SIZE, "%.*s", (int)size, name);
}

static bool has_name(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->all[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Both ways, and all differences at once. */
static void assert_same_names(
    const struct names *there, const struct names *told, const char *where)
{
    int wrong = 0;
    for (size_t i = 0; i < there->count; i++) {
        if (!has_name(told, there->all[i])) {
            print_error("%s does not name %s, which rules see\n", where, there->all[i]);
            wrong++;
        }
    }
    for (size_t i = 0; i < told->count; i++) {
        if (!has_name(there, told->all[i])) {
            print_error("%s names %s, which rules do not see\n", where, told->all[i]);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* ---- what is there ---- */

struct walk {
    struct names names;
    bool fields_too; /* math.floor, not only math */
};

/* The names of the table on top of the stack, and of the tables in it. */
static void walk_table(lua_State *L, const char *prefix, struct walk *walk)
{
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof name, "%s%s", prefix, lua_tostring(L, -2));
        add_name(&walk->names, name, strlen(name));
        const struct rwd_object *object = rwd_vm_object(L, -1);
        if (walk->fields_too && object != NULL && object->kind == RWD_OBJECT_READ_ONLY) {
            lua_getfenv(L, -1);
            char inner[NAME_SIZE];
            (void)snprintf(inner, sizeof inner, "%.40s.", name);
            walk_table(L, inner, walk);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
}

static int walk_environment(lua_State *L)
{
    struct walk *walk = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, RWD_SLOT_ENVIRONMENT);
    walk_table(L, "", walk);
    return 0;
}

static void read_environment(struct walk *walk)
{
    const struct rwd_sandbox_limits limits = rwd_sandbox_limits_default();
    struct rwd_vm *vm = NULL;
    struct rwd_error error;
    assert_int_equal(rwd_vm_create(&limits, "r.lua", &vm, &error), RWD_OK);
    assert_int_equal(rwd_vm_run(vm, walk_environment, walk, false, &error), RWD_OK);
    rwd_vm_destroy(vm);
    assert_true(walk->names.count > 20);
}

/* ---- what is told ---- */

static char *read_file(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", RWD_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = malloc(FILE_SIZE_MAX);
    size_t size = fread(text, 1, FILE_SIZE_MAX - 1, file);
    (void)fclose(file);
    assert_true(size < FILE_SIZE_MAX - 1);
    text[size] = '\0';
    return text;
}

static size_t name_size(const char *at)
{
    return strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
}

/* "function math.abs(x) end" and "math.pi = 3", at the beginning of a line. */
static void read_stub(const char *file, struct names *told)
{
    char *text = read_file(file);
    for (const char *line = text; *line != '\0';) {
        const char *at = strncmp(line, "function ", 9) == 0 ? line + 9 : line;
        size_t size = name_size(at);
        bool assigns = at == line && size > 0 && strncmp(at + size, " = ", 3) == 0;
        if ((at != line && at[size] == '(') || assigns) {
            add_name(told, at, size);
        }
        const char *end = strchr(line, '\n');
        line = end != NULL ? end + 1 : line + strlen(line);
    }
    free(text);
}

static void stubs_name_what_rules_see(void **state)
{
    (void)state;
    struct walk walk = {.fields_too = true};
    struct names told = {.count = 0};
    read_environment(&walk);
    read_stub("scripts/stubs/sandbox.d.lua", &told);
    read_stub("scripts/stubs/rules.d.lua", &told);
    assert_same_names(&walk.names, &told, "scripts/stubs");
}

static void luacheck_names_what_rules_see(void **state)
{
    (void)state;
    struct walk walk = {.fields_too = false};
    struct names told = {.count = 0};
    read_environment(&walk);
    char *text = read_file(".luacheckrc");
    const char *begin = strstr(text, "local sandbox = {");
    assert_non_null(begin);
    const char *end = strchr(begin, '}');
    for (const char *quote = strchr(begin, '"'); quote != NULL && quote < end;
         quote = strchr(quote + 1, '"')) {
        size_t size = name_size(quote + 1);
        add_name(&told, quote + 1, size);
        quote += size + 1;
    }
    free(text);
    assert_same_names(&walk.names, &told, ".luacheckrc");
}

/* ---- fields ---- */

/* "---@field name? type" of a class. */
static void read_class(const char *class_name, struct names *fields)
{
    char head[128];
    char *text = read_file("scripts/stubs/rules.d.lua");
    (void)snprintf(head, sizeof head, "---@class %s\n", class_name);
    const char *line = strstr(text, head);
    assert_non_null(line);
    line += strlen(head);
    while (strncmp(line, "---@field ", 10) == 0) {
        size_t size = name_size(line + 10);
        if (size > 0) {
            add_name(fields, line + 10, size);
        }
        line = strchr(line, '\n') + 1;
    }
    free(text);
    assert_true(fields->count > 0);
}

static void the_events_and_players_fields_are_there(void **state)
{
    (void)state;
    struct fixture f;
    struct names event = {.count = 0};
    struct names player = {.count = 0};
    open_fixture(&f);
    read_class("rewardd.Event", &event);
    read_class("rewardd.Player", &player);
    for (size_t i = 0; i < event.count; i++) {
        char body[256];
        (void)snprintf(
            body, sizeof body, "assert(event.%s ~= nil, 'event.%s')", event.all[i], event.all[i]);
        expect_good(&f, body);
    }
    for (size_t i = 0; i < player.count; i++) {
        char body[256];
        (void)snprintf(body, sizeof body, "local x = player.%s", player.all[i]);
        expect_good(&f, body);
    }
    /* The counter-check: a player's field that is not there says so. */
    expect_error(&f, "local x = player.kyc", "r.lua:2: player has no field 'kyc'");
    close_fixture(&f);
}

/* Each field is known to the DSL: 0 has the wrong type for most, but is no unknown field. */
static void a_class_fits_its_table(const char *class_name, const char *before, const char *after)
{
    struct fixture f;
    struct names fields = {.count = 0};
    open_fixture(&f);
    read_class(class_name, &fields);
    (void)snprintf(fields.all[fields.count++], NAME_SIZE, "zzz");
    for (size_t i = 0; i < fields.count; i++) {
        char source[512];
        (void)snprintf(source, sizeof source,
            "return rule { id = 'r', version = '1.0.0', on = 'bet', %s%s = 0%s }", before,
            fields.all[i], after);
        bool unknown =
            try_rule(&f, source) != RWD_OK && strstr(f.error.text, "unknown field") != NULL;
        if (unknown != (i + 1 == fields.count)) {
            fail_msg("%s.%s: %s", class_name, fields.all[i], f.error.text);
        }
    }
    close_fixture(&f);
}

static void the_dsl_knows_the_fields(void **state)
{
    (void)state;
    a_class_fits_its_table("rewardd.Rule", "", "");
    a_class_fits_its_table("rewardd.Where", "where = { ", " }");
    a_class_fits_its_table("rewardd.Active", "active = { ", " }");
    a_class_fits_its_table("rewardd.Caps", "caps = { ", " }");
    a_class_fits_its_table("rewardd.Guards", "guards = { ", " }");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stubs_name_what_rules_see),
        cmocka_unit_test(luacheck_names_what_rules_see),
        cmocka_unit_test(the_events_and_players_fields_are_there),
        cmocka_unit_test(the_dsl_knows_the_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
