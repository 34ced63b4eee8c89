#include "engine/rule_folder.h"

#include "base/log.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE_MAX = 4096 };

/* Where the rules stand, the folders of other things are none of theirs. */
static bool is_reserved(const char *name)
{
    size_t size = strlen(name);
    bool reserved = strcmp(name, "schemas") == 0;
    for (int kind = 0; kind < RWD_KIND_RULE; kind++) {
        const char *prefix = rwd_rule_kind_prefix((enum rwd_rule_kind)kind);
        reserved |= strncmp(prefix, name, size) == 0 && strcmp(prefix + size, "/") == 0;
    }
    return reserved;
}

static bool is_rule_folder(const char *dir, const char *name, enum rwd_rule_kind kind)
{
    char path[PATH_SIZE_MAX];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return name[0] != '.' && !(kind == RWD_KIND_RULE && is_reserved(name)) &&
           strlen(rwd_rule_kind_prefix(kind)) + strlen(name) < RWD_RULE_ID_SIZE_MAX &&
           stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name);
    size_t end_size = strlen(end);
    return size > end_size && strcmp(name + size - end_size, end) == 0;
}

int rwd_rule_version_compare(const char *a, const char *b)
{
    char *a_end = NULL;
    char *b_end = NULL;
    for (int part = 0; part < 3; part++) {
        unsigned long a_number = strtoul(a, &a_end, 10);
        unsigned long b_number = strtoul(b, &b_end, 10);
        if (a_number != b_number) {
            return a_number < b_number ? -1 : 1;
        }
        a = a_end + (*a_end == '.');
        b = b_end + (*b_end == '.');
    }
    return strcmp(a, b);
}

static int compare_files(const void *left, const void *right)
{
    const struct rwd_rule_file *a = left;
    const struct rwd_rule_file *b = right;
    int order = (int)rwd_rule_kind_of(rwd_text_of(a->rule_id)) -
                (int)rwd_rule_kind_of(rwd_text_of(b->rule_id));
    order = order != 0 ? order : strcmp(a->rule_id, b->rule_id);
    return order != 0 ? order : rwd_rule_version_compare(a->version, b->version);
}

struct listing {
    struct rwd_rule_file *files;
    size_t count;
    size_t capacity;
};

static void add_file(struct listing *listing, const char *folder, const char *id, const char *name)
{
    size_t version_size = strlen(name) - strlen(".lua");
    if (version_size >= RWD_RULE_VERSION_SIZE_MAX) {
        return;
    }
    listing->files =
        rwd_room_for(listing->files, listing->count, &listing->capacity, sizeof *listing->files);
    struct rwd_rule_file *file = &listing->files[listing->count++];
    *file = (struct rwd_rule_file){0};
    (void)snprintf(file->rule_id, sizeof file->rule_id, "%s", id);
    (void)snprintf(file->version, sizeof file->version, "%.*s", (int)version_size, name);
    char path[PATH_SIZE_MAX];
    int size = snprintf(path, sizeof path, "%s/%s", folder, name);
    file->path = rwd_copy(path, (size_t)size);
    size = snprintf(path, sizeof path, "%s/%.*s_test.lua", folder, (int)version_size, name);
    struct stat status;
    /* Also a link to nothing: tests that cannot be read are not the same as none. */
    if (lstat(path, &status) == 0) {
        file->test_path = rwd_copy(path, (size_t)size);
    }
}

static void list_versions(struct listing *listing, const char *dir, const char *id)
{
    char folder[PATH_SIZE_MAX / 2];
    (void)snprintf(folder, sizeof folder, "%s/%s", dir, id);
    DIR *open = opendir(folder);
    for (struct dirent *entry = open != NULL ? readdir(open) : NULL; entry != NULL;
         entry = readdir(open)) {
        if (entry->d_name[0] != '.' && ends_with(entry->d_name, ".lua") &&
            !ends_with(entry->d_name, "_test.lua")) {
            add_file(listing, folder, id, entry->d_name);
        }
    }
    if (open != NULL) {
        (void)closedir(open);
    }
}

/* Where there are none of a kind, there is no such folder. False: it cannot be read. */
static bool list_kind(struct listing *listing, const char *dir, enum rwd_rule_kind kind)
{
    char folder[PATH_SIZE_MAX / 2];
    const char *prefix = rwd_rule_kind_prefix(kind);
    (void)snprintf(folder, sizeof folder, "%s/%s", dir, prefix);
    DIR *open = opendir(folder);
    if (open == NULL) {
        return false;
    }
    for (struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        if (is_rule_folder(folder, entry->d_name, kind)) {
            char id[RWD_RULE_ID_SIZE_MAX];
            (void)snprintf(
                id, sizeof id, "%s%.*s", prefix, RWD_RULE_ID_SIZE_MAX - 1, entry->d_name);
            list_versions(listing, dir, id);
        }
    }
    (void)closedir(open);
    return true;
}

enum rwd_status rwd_rule_folder_list(
    const char *dir, struct rwd_rule_file **files, size_t *count, struct rwd_error *error)
{
    struct listing listing = {0};
    if (!list_kind(&listing, dir, RWD_KIND_RULE)) {
        return rwd_fail(
            error, RWD_UNAVAILABLE, "rules.dir: cannot read %s: %s", dir, strerror(errno));
    }
    for (int kind = 0; kind < RWD_KIND_RULE; kind++) {
        (void)list_kind(&listing, dir, (enum rwd_rule_kind)kind);
    }
    if (listing.count > 0) {
        qsort(listing.files, listing.count, sizeof *listing.files, compare_files);
    }
    *files = listing.files;
    *count = listing.count;
    return RWD_OK;
}

void rwd_rule_files_free(struct rwd_rule_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rwd_free(files[i].path);
        rwd_free(files[i].test_path);
    }
    rwd_free(files);
}

/* What stands there is no file to read: said in words. */
static const char *name_of_kind(mode_t mode)
{
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

/* real: where path leads to; it must not lead out of <dir>, which stands two levels above. */
static bool is_in_folder(const char *path, const char *real)
{
    char dir[PATH_SIZE_MAX];
    char real_dir[PATH_SIZE_MAX];
    (void)snprintf(dir, sizeof dir, "%s", path);
    for (int level = 0; level < 2; level++) {
        char *slash = strrchr(dir, '/');
        if (slash == NULL) {
            return true; /* not a file of a rule folder */
        }
        *slash = '\0';
    }
    if (realpath(dir[0] != '\0' ? dir : "/", real_dir) == NULL) {
        return false;
    }
    size_t size = strlen(real_dir);
    return size == 1 || (strncmp(real, real_dir, size) == 0 && real[size] == '/');
}

/* Opens path for reading where it is a file of the folder. Never waits: a FIFO has no end. */
static enum rwd_status open_file(const char *path, int *fd, struct rwd_error *error)
{
    char real[PATH_SIZE_MAX];
    struct stat status;
    if (realpath(path, real) == NULL) {
        bool is_link = errno == ENOENT && lstat(path, &status) == 0;
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: %s", path,
            is_link ? "is a link to nothing" : strerror(errno));
    }
    if (!is_in_folder(path, real)) {
        return rwd_fail(error, RWD_DENIED,
            "%s: is a link that leads out of rules.dir, to %s; copy the file there", path, real);
    }
    *fd = open(real, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: %s", path, strerror(errno));
    }
    if (fstat(*fd, &status) == 0 && S_ISREG(status.st_mode)) {
        return RWD_OK;
    }
    (void)close(*fd);
    return rwd_fail(
        error, RWD_INVALID, "%s: is %s, not a file", path, name_of_kind(status.st_mode));
}

enum rwd_status rwd_rule_file_read(
    const char *path, size_t size_max, struct rwd_buffer *bytes, struct rwd_error *error)
{
    int fd = -1;
    enum rwd_status status = open_file(path, &fd, error);
    if (status != RWD_OK) {
        return status;
    }
    rwd_buffer_reserve(bytes, size_max + 1);
    bytes->size = 0;
    ssize_t got = 1;
    while (got > 0 && bytes->size <= size_max) {
        got = read(fd, bytes->data + bytes->size, size_max + 1 - bytes->size);
        bytes->size += got > 0 ? (size_t)got : 0;
    }
    int code = errno;
    (void)close(fd);
    if (got < 0) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: cannot be read: %s", path, strerror(code));
    }
    if (bytes->size > size_max) {
        return rwd_fail(error, RWD_LIMIT, "%s: larger than %zu bytes", path, size_max);
    }
    return RWD_OK;
}

static void watch_kind(int fd, const char *rules_dir, enum rwd_rule_kind kind)
{
    /* A file that is written is looked at again when its writer closes it, one that was refused
     * also when it goes away or becomes readable. */
    const uint32_t what =
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_ATTRIB;
    char dir[PATH_SIZE_MAX / 2];
    (void)snprintf(dir, sizeof dir, "%s/%s", rules_dir, rwd_rule_kind_prefix(kind));
    (void)inotify_add_watch(fd, dir, what);
    DIR *open = opendir(dir);
    for (struct dirent *entry = open != NULL ? readdir(open) : NULL; entry != NULL;
         entry = readdir(open)) {
        if (is_rule_folder(dir, entry->d_name, kind)) {
            char path[PATH_SIZE_MAX];
            (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
            (void)inotify_add_watch(fd, path, what);
        }
    }
    if (open != NULL) {
        (void)closedir(open);
    }
}

static void watch_folders(int fd, const char *dir)
{
    for (int kind = 0; kind < RWD_KIND_COUNT; kind++) {
        watch_kind(fd, dir, (enum rwd_rule_kind)kind);
    }
}

int rwd_rule_folder_watch(const char *dir)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        rwd_log(RWD_LOG_WARN, "keeper",
            "dir=%s msg=\"not watched: %s; send SIGHUP after a change\"", dir, strerror(errno));
        return -1;
    }
    watch_folders(fd, dir);
    return fd;
}

void rwd_rule_folder_changed(int fd, const char *dir)
{
    char events[4096];
    while (read(fd, events, sizeof events) > 0) {
    }
    watch_folders(fd, dir);
}
