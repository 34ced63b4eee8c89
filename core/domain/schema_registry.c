/*
 * schema_registry: the folder of schemas, and finding one in it.
 */
#include "base/memory.h"
#include "domain/schema_program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_SIZE_MAX = 1024 * 1024,
    FAMILY_COUNT_MAX = 4096,
    VERSION_DIGITS_MAX = 9, /* fits uint32 */
};

struct version {
    struct rwd_text text; /* owned by name */
    char *name;
    uint32_t parts[3];
    struct rwd_schema *schema;
};

/* All versions of one event, oldest first. */
struct family {
    char *name;
    size_t name_size;
    struct version *versions;
    size_t version_count;
    size_t version_capacity;
};

struct rwd_schema_registry {
    struct family *families; /* by name */
    size_t family_count;
    size_t family_capacity;
    uint16_t *slots; /* hash of the name, then upwards -> family, plus one; 0: none */
    size_t slot_mask;
};

struct names {
    char **items;
    size_t count;
    size_t capacity;
};

static void names_finish(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        rwd_free(names->items[i]);
    }
    rwd_free(names->items);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is in a folder, sorted, so that the same folder always gives the same answer. Dot files are
 * left out: editors and version control put them there. */
static enum rwd_status list_folder(const char *path, struct names *names, struct rwd_error *error)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: cannot be read: %s", path, strerror(errno));
    }
    errno = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            names->items =
                rwd_room_for(names->items, names->count, &names->capacity, sizeof names->items[0]);
            names->items[names->count++] = rwd_copy(entry->d_name, strlen(entry->d_name));
        }
        errno = 0;
    }
    int failure = errno;
    (void)closedir(folder);
    if (failure != 0) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: cannot be read: %s", path, strerror(failure));
    }
    if (names->count > 0) {
        qsort(names->items, names->count, sizeof names->items[0], compare_names);
    }
    return RWD_OK;
}

static enum rwd_status read_file(
    const char *path, struct rwd_buffer *buffer, struct rwd_error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not stop the start */
    struct stat facts;
    if (file < 0 || fstat(file, &facts) != 0) {
        enum rwd_status status =
            rwd_fail(error, RWD_UNAVAILABLE, "%s: cannot be read: %s", path, strerror(errno));
        if (file >= 0) {
            (void)close(file);
        }
        return status;
    }
    if (!S_ISREG(facts.st_mode) || facts.st_size > FILE_SIZE_MAX) {
        (void)close(file);
        return rwd_fail(error, RWD_INVALID, "%s: is no file, or larger than 1 MiB", path);
    }
    ssize_t got = 1;
    while (got > 0 && buffer->size <= FILE_SIZE_MAX) {
        enum { BLOCK_SIZE = 16 * 1024 };
        rwd_buffer_reserve(buffer, BLOCK_SIZE);
        got = read(file, buffer->data + buffer->size, BLOCK_SIZE);
        buffer->size += got > 0 ? (size_t)got : 0;
    }
    int failure = errno;
    (void)close(file);
    if (got < 0) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: cannot be read: %s", path, strerror(failure));
    }
    return RWD_OK;
}

static bool is_event_name(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > RWD_EVENT_NAME_SIZE_MAX || name[0] < 'a' || name[0] > 'z') {
        return false;
    }
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == size;
}

/* "1.20.3.json" -> 1, 20, 3 and the size of "1.20.3". */
static bool parse_file_name(const char *name, uint32_t parts[3], size_t *version_size)
{
    const char *at = name;
    for (int part = 0; part < 3; part++) {
        if (part > 0 && *at++ != '.') {
            return false;
        }
        size_t digits = strspn(at, "0123456789");
        uint64_t value = 0;
        struct rwd_text number = {.data = at, .size = digits};
        if (digits > VERSION_DIGITS_MAX || (*at == '0' && digits > 1) ||
            !rwd_text_to_u64(number, &value)) {
            return false;
        }
        parts[part] = (uint32_t)value;
        at += digits;
    }
    *version_size = (size_t)(at - name);
    return strcmp(at, ".json") == 0;
}

static int compare_versions(const void *a, const void *b)
{
    const struct version *left = a;
    const struct version *right = b;
    for (int part = 0; part < 3; part++) {
        if (left->parts[part] != right->parts[part]) {
            return left->parts[part] < right->parts[part] ? -1 : 1;
        }
    }
    return 0;
}

static enum rwd_status load_version(
    struct family *family, const char *folder, const char *file_name, struct rwd_error *error)
{
    struct version version = {0};
    size_t version_size = 0;
    if (!parse_file_name(file_name, version.parts, &version_size)) {
        return rwd_fail(error, RWD_INVALID,
            "%s/%s: a schema's file name is its version, as in 1.0.0.json", folder, file_name);
    }
    struct rwd_buffer path = {0};
    struct rwd_buffer text = {0};
    rwd_buffer_put_format(&path, "%s/%s", folder, file_name);
    enum rwd_status status = read_file(rwd_buffer_c_string(&path), &text, error);
    if (status == RWD_OK) {
        status = rwd_schema_compile(
            rwd_buffer_text(&text), rwd_buffer_c_string(&path), &version.schema, error);
    }
    rwd_buffer_finish(&text);
    rwd_buffer_finish(&path);
    if (status == RWD_OK) {
        version.name = rwd_copy(file_name, version_size);
        version.text = (struct rwd_text){.data = version.name, .size = version_size};
        family->versions = rwd_room_for(family->versions, family->version_count,
            &family->version_capacity, sizeof family->versions[0]);
        family->versions[family->version_count++] = version;
    }
    return status;
}

/* Accepting is transitive: comparing neighbours compares all. */
static enum rwd_status compare_neighbours(
    struct family *family, const char *folder, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    if (family->version_count == 0) {
        return RWD_OK;
    }
    qsort(family->versions, family->version_count, sizeof family->versions[0], compare_versions);
    for (size_t i = 1; i < family->version_count && status == RWD_OK; i++) {
        const struct version *earlier = &family->versions[i - 1];
        const struct version *next = &family->versions[i];
        if (earlier->parts[0] == next->parts[0]) {
            struct rwd_buffer path = {0};
            rwd_buffer_put_format(&path, "%s/%s.json", folder, next->name);
            status = rwd_schema__compare(
                earlier->schema, next->schema, rwd_buffer_c_string(&path), error);
            rwd_buffer_finish(&path);
        }
    }
    return status;
}

static enum rwd_status load_family(struct rwd_schema_registry *registry, const char *folder,
    const char *name, struct rwd_error *error)
{
    struct stat facts;
    if (stat(folder, &facts) != 0) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: cannot be read: %s", folder, strerror(errno));
    }
    if (!is_event_name(name) || !S_ISDIR(facts.st_mode)) {
        return rwd_fail(error, RWD_INVALID,
            "%s: only folders belong here, named like events: lower case, digits, '_', '-', '.', "
            "at most 64",
            folder);
    }
    registry->families = rwd_room_for(registry->families, registry->family_count,
        &registry->family_capacity, sizeof registry->families[0]);
    struct family *family = &registry->families[registry->family_count++];
    *family = (struct family){.name = rwd_copy(name, strlen(name)), .name_size = strlen(name)};
    struct names files = {0};
    enum rwd_status status = list_folder(folder, &files, error);
    for (size_t i = 0; i < files.count && status == RWD_OK; i++) {
        status = load_version(family, folder, files.items[i], error);
    }
    if (status == RWD_OK && files.count == 0) {
        status = rwd_fail(error, RWD_INVALID, "%s: holds no schema", folder);
    }
    names_finish(&files);
    return status == RWD_OK ? compare_neighbours(family, folder, error) : status;
}

static void build_slots(struct rwd_schema_registry *registry)
{
    size_t slot_count = 4;
    while (slot_count < registry->family_count * 4) {
        slot_count *= 2;
    }
    registry->slots = rwd_new(slot_count * sizeof registry->slots[0]);
    registry->slot_mask = slot_count - 1;
    for (size_t i = 0; i < registry->family_count; i++) {
        const struct family *family = &registry->families[i];
        struct rwd_text name = {.data = family->name, .size = family->name_size};
        size_t slot = rwd_json_key_hash(name) & registry->slot_mask;
        while (registry->slots[slot] != 0) {
            slot = (slot + 1) & registry->slot_mask;
        }
        registry->slots[slot] = (uint16_t)(i + 1);
    }
}

enum rwd_status rwd_schema_registry_load(
    const char *dir, struct rwd_schema_registry **result, struct rwd_error *error)
{
    struct rwd_schema_registry *registry = rwd_new(sizeof *registry);
    struct names names = {0};
    enum rwd_status status = list_folder(dir, &names, error);
    if (status == RWD_OK && names.count > FAMILY_COUNT_MAX) {
        status = rwd_fail(error, RWD_INVALID, "%s: more than 4096 events", dir);
    }
    for (size_t i = 0; i < names.count && status == RWD_OK; i++) {
        struct rwd_buffer folder = {0};
        rwd_buffer_put_format(&folder, "%s/%s", dir, names.items[i]);
        status = load_family(registry, rwd_buffer_c_string(&folder), names.items[i], error);
        rwd_buffer_finish(&folder);
    }
    names_finish(&names);
    if (status != RWD_OK) {
        rwd_schema_registry_destroy(registry);
        registry = NULL;
    } else {
        build_slots(registry);
    }
    *result = registry;
    return status;
}

void rwd_schema_registry_destroy(struct rwd_schema_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    for (size_t i = 0; i < registry->family_count; i++) {
        struct family *family = &registry->families[i];
        for (size_t j = 0; j < family->version_count; j++) {
            rwd_schema_destroy(family->versions[j].schema);
            rwd_free(family->versions[j].name);
        }
        rwd_free(family->versions);
        rwd_free(family->name);
    }
    rwd_free(registry->families);
    rwd_free(registry->slots);
    rwd_free(registry);
}

size_t rwd_schema_registry_count(const struct rwd_schema_registry *registry)
{
    size_t count = 0;
    for (size_t i = 0; i < registry->family_count; i++) {
        count += registry->families[i].version_count;
    }
    return count;
}

static const struct family *find_family(
    const struct rwd_schema_registry *registry, struct rwd_text name)
{
    size_t slot = rwd_json_key_hash(name) & registry->slot_mask;
    for (; registry->slots[slot] != 0; slot = (slot + 1) & registry->slot_mask) {
        const struct family *family = &registry->families[registry->slots[slot] - 1];
        if (family->name_size == name.size && memcmp(family->name, name.data, name.size) == 0) {
            return family;
        }
    }
    return NULL;
}

const struct rwd_schema *rwd_schema_find(const struct rwd_schema_registry *registry,
    struct rwd_text event_name, struct rwd_text version, bool *name_known)
{
    const struct family *family = find_family(registry, event_name);
    *name_known = family != NULL;
    /* From the newest on, which most senders use. */
    for (size_t i = family != NULL ? family->version_count : 0; i > 0; i--) {
        if (rwd_text_equal(family->versions[i - 1].text, version)) {
            return family->versions[i - 1].schema;
        }
    }
    return NULL;
}
