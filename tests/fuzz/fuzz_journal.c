// room: journal
/*
 * fuzz_journal: bytes from outside as a segment, through reader, verify, index and the writer's
 * recovery. The first byte chooses what is made good around the rest, so that the fuzzer gets past
 * the checksums: a valid segment header before it, CRCs of the records mended.
 */
#include "base/log.h"
#include "base/memory.h"
#include "journal/index.h"
#include "journal/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZED_SIZE_MAX = 1 << 16, STEP_COUNT_MAX = 1 << 16 };

enum { WITH_HEADER = 1, MEND_CRCS = 2, WITH_NEXT = 4 };

static char dir[64];

static void empty_folder(void)
{
    DIR *folder = opendir(dir);
    for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
         entry = readdir(folder)) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0);
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

static void remove_folder(void)
{
    empty_folder();
    (void)rmdir(dir);
}

static void make_folder(void)
{
    if (dir[0] == '\0') {
        rwd_log_set_level(RWD_LOG_ERROR);
        (void)snprintf(dir, sizeof dir, "/tmp/rwd_fuzz_journal_XXXXXX");
        if (mkdtemp(dir) == NULL || atexit(remove_folder) != 0) {
            abort();
        }
    }
    empty_folder();
}

static void write_segment(uint64_t base, const char *bytes, size_t size)
{
    char name[RWD_SEGMENT_NAME_SIZE];
    char path[128];
    rwd_segment__name(base, "journal", name);
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || !rwd_segment__write(fd, 0, bytes, size) ||
        ftruncate(fd, RWD_SEGMENT_SIZE_MIN) != 0) {
        abort();
    }
    (void)close(fd);
}

/* Gives each frame the CRC that its bytes ask for, as far as sizes make sense. */
static void mend(char *bytes, size_t size)
{
    struct rwd_record record;
    size_t at = RWD_SEGMENT_HEADER_SIZE;
    while (at + RWD_RECORD_HEADER_SIZE <= size && rwd_frame__get_header(bytes + at, &record) &&
           record.size_on_disk <= size - at) {
        struct rwd_record same = record;
        size_t body_size = record.body.size;
        rwd_frame__put(bytes + at, &same, body_size);
        at += record.size_on_disk;
    }
}

static void read_through(uint64_t position)
{
    struct rwd_journal_reader *reader = NULL;
    struct rwd_record record;
    if (rwd_journal_reader_open(dir, position, &reader, NULL) != RWD_OK) {
        return;
    }
    size_t steps = 0;
    while (rwd_journal_reader_next(reader, &record, NULL) == RWD_OK) {
        if (++steps > STEP_COUNT_MAX || record.body.size > RWD_RECORD_BODY_SIZE_MAX) {
            abort();
        }
    }
    (void)!rwd_journal_reader_at(reader, position, &record, NULL);
    rwd_journal_reader_close(reader);
}

static void use_all(uint64_t position)
{
    struct rwd_journal_verdict verdict;
    struct rwd_journal_index *index = NULL;
    struct rwd_journal_writer *writer = NULL;
    uint64_t found[4];
    size_t count = 0;
    const struct rwd_journal_options options = {.dir = dir, .segment_size = RWD_SEGMENT_SIZE_MIN};
    read_through(0);
    read_through(position);
    (void)!rwd_journal_verify(dir, &verdict, NULL);
    if (rwd_journal_index_open(dir, &index, NULL) == RWD_OK) {
        (void)!rwd_journal_index_follow(index, NULL);
        rwd_journal_index_by_event(index, position, found, 4, &count);
        rwd_journal_index_close(index);
    }
    if (rwd_journal_open(&options, &writer, NULL) == RWD_OK) {
        /* What recovery takes must verify, and go on. */
        struct rwd_record record = {.type = RWD_RECORD_EVENT, .sequence = 1};
        const struct rwd_text body = RWD_TEXT("after");
        if (rwd_journal_prepare(writer, NULL) != RWD_OK ||
            rwd_journal_append(writer, &record, &body, 1) != RWD_OK ||
            rwd_journal_commit(writer, NULL) != RWD_OK ||
            rwd_journal_verify(dir, &verdict, NULL) != RWD_OK || verdict.torn_bytes != 0) {
            abort();
        }
        rwd_journal_close(writer);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 9 || size > FUZZED_SIZE_MAX) {
        return 0;
    }
    make_folder();
    uint8_t how = data[0];
    uint64_t position = 0;
    memcpy(&position, data + 1, sizeof position);
    data += 9;
    size -= 9;
    char *bytes = rwd_new(RWD_SEGMENT_HEADER_SIZE + size);
    size_t header_size = 0;
    struct rwd_segment_header header = {.size = RWD_SEGMENT_SIZE_MIN, .base = 0};
    if (how & WITH_HEADER) {
        rwd_segment__put_header(&header, bytes);
        header_size = RWD_SEGMENT_HEADER_SIZE;
    }
    memcpy(bytes + header_size, data, size);
    if (how & MEND_CRCS) {
        mend(bytes, header_size + size);
    }
    write_segment(0, bytes, header_size + size);
    if (how & WITH_NEXT) {
        header.base = RWD_SEGMENT_SIZE_MIN;
        header.previous_end = position % RWD_SEGMENT_SIZE_MIN;
        rwd_segment__put_header(&header, bytes);
        write_segment(RWD_SEGMENT_SIZE_MIN, bytes, header_size + size);
    }
    use_all(position % (4 * RWD_SEGMENT_SIZE_MIN));
    rwd_free(bytes);
    return 0;
}
