/*
 * support: a journal in a temporary folder, and hands that damage it.
 */
#ifndef RWD_TEST_JOURNAL_SUPPORT_H
#define RWD_TEST_JOURNAL_SUPPORT_H

#include "journal/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEGMENT_SIZE = 1 << 20, PATH_SIZE = 512 };

struct rig {
    char dir[64];
    struct rwd_journal_writer *writer;
    struct rwd_error error;
    uint64_t sequence;
};

static inline void rig_make(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    (void)snprintf(rig->dir, sizeof rig->dir, "/tmp/rwd_journal_XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
}

static inline enum rwd_status rig_try_open(struct rig *rig)
{
    const struct rwd_journal_options options = {.dir = rig->dir, .segment_size = SEGMENT_SIZE};
    rig->error.text[0] = '\0';
    return rwd_journal_open(&options, &rig->writer, &rig->error);
}

static inline void rig_open(struct rig *rig)
{
    if (rig_try_open(rig) != RWD_OK) {
        fail_msg("%s", rig->error.text);
    }
}

static inline void rig_close(struct rig *rig)
{
    rwd_journal_close(rig->writer);
    rig->writer = NULL;
}

static inline void rig_empty(const char *dir)
{
    DIR *folder = opendir(dir);
    char path[PATH_SIZE];
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
            assert_int_equal(unlink(path), 0);
        }
    }
    (void)closedir(folder);
}

static inline void rig_remove(struct rig *rig)
{
    rig_close(rig);
    rig_empty(rig->dir);
    assert_int_equal(rmdir(rig->dir), 0);
}

/* The body that belongs to a sequence: a size and bytes of its own. */
static inline size_t body_of(uint64_t sequence, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (char)(1 + (sequence * 31 + i * 7 + i / 200) % 250);
    }
    return size;
}

static inline enum rwd_status rig_try_append(struct rig *rig, size_t size, uint64_t *position)
{
    static char body[RWD_RECORD_BODY_SIZE_MAX + 1];
    uint64_t sequence = rig->sequence + 1;
    struct rwd_record record = {.type = RWD_RECORD_EVENT,
        .sequence = sequence,
        .time_ms = 1700000000000 + (int64_t)sequence,
        .user_fingerprint = sequence % 5,
        .event_fingerprint = sequence * 1000003};
    size_t half = body_of(sequence, size, body) / 2;
    const struct rwd_text parts[] = {
        {.data = body, .size = half}, {.data = body + half, .size = size - half}};
    enum rwd_status status = rwd_journal_append(rig->writer, &record, parts, 2);
    if (status == RWD_OK) {
        rig->sequence = sequence;
        if (position != NULL) {
            *position = record.position;
        }
    }
    return status;
}

static inline void rig_append(struct rig *rig, size_t size)
{
    assert_int_equal(rig_try_append(rig, size, NULL), RWD_OK);
}

static inline void rig_commit(struct rig *rig)
{
    if (rwd_journal_commit(rig->writer, &rig->error) != RWD_OK) {
        fail_msg("%s", rig->error.text);
    }
}

static inline void rig_prepare(struct rig *rig)
{
    if (rwd_journal_prepare(rig->writer, &rig->error) != RWD_OK) {
        fail_msg("%s", rig->error.text);
    }
}

/* Commits of `each` records of that size until `count` records are in, rolling as it comes. */
static inline void rig_fill(struct rig *rig, size_t count, size_t each, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        rig_prepare(rig);
        if (rig_try_append(rig, size, NULL) == RWD_BUSY) {
            rig_commit(rig);
            rig_prepare(rig);
            rig_append(rig, size);
        }
        if ((i + 1) % each == 0) {
            rig_commit(rig);
        }
    }
    rig_commit(rig);
}

/* Reads on to the end; every record must be the next one, whole. Answers how it ended. */
static inline enum rwd_status read_on(
    struct rwd_journal_reader *reader, uint64_t *sequence, struct rwd_error *error)
{
    static char expected[RWD_RECORD_BODY_SIZE_MAX];
    struct rwd_record record;
    enum rwd_status status = RWD_OK;
    while ((status = rwd_journal_reader_next(reader, &record, error)) == RWD_OK) {
        assert_int_equal(record.sequence, *sequence + 1);
        assert_int_equal(record.event_fingerprint, record.sequence * 1000003);
        (void)body_of(record.sequence, record.body.size, expected);
        assert_memory_equal(expected, record.body.data, record.body.size);
        *sequence = record.sequence;
    }
    return status;
}

static inline uint64_t read_all(struct rig *rig)
{
    struct rwd_journal_reader *reader = NULL;
    uint64_t sequence = 0;
    assert_int_equal(rwd_journal_reader_open(rig->dir, 0, &reader, &rig->error), RWD_OK);
    if (read_on(reader, &sequence, &rig->error) != RWD_NOT_FOUND) {
        fail_msg("%s", rig->error.text);
    }
    rwd_journal_reader_close(reader);
    return sequence;
}

static inline enum rwd_status verify(struct rig *rig, struct rwd_journal_verdict *verdict)
{
    rig->error.text[0] = '\0';
    return rwd_journal_verify(rig->dir, verdict, &rig->error);
}

static inline void path_of_segment(const struct rig *rig, uint64_t base, char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "%s/%016llx.journal", rig->dir, (unsigned long long)base);
}

static inline int segment_fd(const struct rig *rig, uint64_t base)
{
    char path[PATH_SIZE];
    path_of_segment(rig, base, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    return fd;
}

static inline uint8_t byte_at(int fd, uint64_t offset)
{
    uint8_t byte = 0;
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    return byte;
}

static inline void put_byte(int fd, uint64_t offset, uint8_t byte)
{
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
}

#endif
