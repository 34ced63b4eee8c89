#include "journal/index.h"

#include "journal/reader.h"

#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A sidecar is blocks of 4096 bytes in the machine's own byte order (it never travels): one of
 * header, then entries by event, then entries by user, each block with a CRC of its own, which is
 * checked when the block is touched. So opening a thousand sidecars reads a thousand headers.
 */
enum {
    BLOCK_SIZE = 4096,
    BLOCK_ENTRY_COUNT = 255,
    SIDECAR_VERSION = 1,
};

static const char magic[8] = {'R', 'W', 'D', 'I', 'N', 'D', 'X', '\n'};

struct entry {
    uint64_t fingerprint;
    uint64_t position;
};

struct block {
    struct entry entries[BLOCK_ENTRY_COUNT];
    uint64_t number; /* in the file */
    uint32_t count;
    uint32_t crc; /* over all before it */
};

struct header {
    char magic[8];
    uint32_t version;
    uint32_t reserved;
    uint64_t base;
    uint64_t end; /* position behind the segment's last commit, as the next one's header has it */
    uint64_t event_block_count;
    uint64_t user_block_count;
    char unused[BLOCK_SIZE - 52];
    uint32_t crc;
};

_Static_assert(sizeof(struct block) == BLOCK_SIZE, "a block is a page");
_Static_assert(sizeof(struct header) == BLOCK_SIZE, "the header is a block");

enum order { BY_EVENT, BY_USER, ORDER_COUNT };

struct sidecar {
    uint64_t base;
    uint64_t end;
    const struct block *blocks; /* mapped; NULL: not there */
    uint64_t block_count[ORDER_COUNT];
    size_t mapped_size;
};

struct rwd_journal_index {
    char *dir;
    struct rwd_journal_reader *reader; /* NULL: there is no journal yet */
    struct sidecar *sidecars;          /* of finished segments, by base */
    size_t sidecar_count;
    size_t sidecar_capacity;

    /* The segment that is being written; 24 bytes a record. */
    uint64_t base;
    uint64_t *fingerprints[ORDER_COUNT];
    uint64_t *positions;
    size_t count;
    size_t capacity;
};

static uint32_t block_crc(const void *block)
{
    return rwd_crc32c(0, block, BLOCK_SIZE - sizeof(uint32_t));
}

/* ---- writing a sidecar ---- */

static int by_fingerprint(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    if (left->fingerprint != right->fingerprint) {
        return left->fingerprint < right->fingerprint ? -1 : 1;
    }
    return left->position < right->position ? -1 : left->position > right->position;
}

/* Appends the entries' blocks to the image; records without that fingerprint are left out. */
static uint64_t put_entries(const struct rwd_journal_index *index, enum order order,
    uint64_t number, struct rwd_buffer *image)
{
    struct entry *entries = rwd_grow(NULL, (index->count + 1) * sizeof *entries);
    size_t count = 0;
    for (size_t i = 0; i < index->count; i++) {
        if (index->fingerprints[order][i] != 0) {
            entries[count++] = (struct entry){
                .fingerprint = index->fingerprints[order][i], .position = index->positions[i]};
        }
    }
    qsort(entries, count, sizeof *entries, by_fingerprint);
    uint64_t blocks = 0;
    for (size_t at = 0; at < count; at += BLOCK_ENTRY_COUNT) {
        struct block block = {.number = number + blocks++};
        size_t some = count - at < BLOCK_ENTRY_COUNT ? count - at : BLOCK_ENTRY_COUNT;
        memcpy(block.entries, entries + at, some * sizeof *entries);
        block.count = (uint32_t)some;
        block.crc = block_crc(&block);
        rwd_buffer_put(image, &block, sizeof block);
    }
    rwd_free(entries);
    return blocks;
}

static void path_of(
    const struct rwd_journal_index *index, uint64_t base, const char *suffix, char path[PATH_MAX])
{
    char name[RWD_SEGMENT_NAME_SIZE];
    rwd_segment__name(base, suffix, name);
    (void)snprintf(path, PATH_MAX, "%s/%s", index->dir, name);
}

/* Not synced: what a crash leaves half written fails its CRC and is made anew. */
static enum rwd_status write_sidecar(
    const struct rwd_journal_index *index, uint64_t end, struct rwd_error *error)
{
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    path_of(index, index->base, "index", path);
    path_of(index, index->base, "index.temp", temporary);
    struct header header = {.version = SIDECAR_VERSION, .base = index->base, .end = end};
    memcpy(header.magic, magic, sizeof magic);
    struct rwd_buffer image = {.data = NULL};
    rwd_buffer_put(&image, &header, sizeof header);
    header.event_block_count = put_entries(index, BY_EVENT, 1, &image);
    header.user_block_count = put_entries(index, BY_USER, 1 + header.event_block_count, &image);
    header.crc = block_crc(&header);
    memcpy(image.data, &header, sizeof header);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool good = fd >= 0 && rwd_segment__write(fd, 0, image.data, image.size);
    good = good && rename(temporary, path) == 0;
    int failed = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    rwd_buffer_finish(&image);
    if (!good) {
        (void)unlink(temporary);
        return rwd_fail(error, RWD_UNAVAILABLE, "%s: %s", path, strerror(failed));
    }
    return RWD_OK;
}

/* ---- opening one ---- */

static void unmap(struct sidecar *sidecar)
{
    if (sidecar->blocks != NULL) {
        (void)munmap((void *)(uintptr_t)sidecar->blocks, sidecar->mapped_size);
        sidecar->blocks = NULL;
    }
}

/* False: it is not there, not whole, or of a segment that ended elsewhere (a power cut can undo a
 * roll that a follower has seen). */
static bool map_sidecar(
    const struct rwd_journal_index *index, uint64_t base, uint64_t end, struct sidecar *sidecar)
{
    char path[PATH_MAX];
    struct stat status;
    *sidecar = (struct sidecar){.base = base, .end = end};
    path_of(index, base, "index", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    void *mapped = MAP_FAILED;
    if (fstat(fd, &status) == 0 && status.st_size >= BLOCK_SIZE &&
        status.st_size % BLOCK_SIZE == 0) {
        sidecar->mapped_size = (size_t)status.st_size;
        mapped = mmap(NULL, sidecar->mapped_size, PROT_READ, MAP_SHARED, fd, 0);
    }
    (void)close(fd);
    if (mapped == MAP_FAILED) {
        return false;
    }
    const struct header *header = mapped;
    sidecar->blocks = mapped;
    uint64_t blocks = sidecar->mapped_size / BLOCK_SIZE - 1;
    if (memcmp(header->magic, magic, sizeof magic) != 0 || header->crc != block_crc(header) ||
        header->version != SIDECAR_VERSION || header->base != base || header->end != end ||
        header->event_block_count > blocks ||
        header->user_block_count != blocks - header->event_block_count) {
        unmap(sidecar);
        return false;
    }
    sidecar->block_count[BY_EVENT] = header->event_block_count;
    sidecar->block_count[BY_USER] = header->user_block_count;
    return true;
}

static void add_sidecar(struct rwd_journal_index *index, struct sidecar sidecar)
{
    index->sidecars = rwd_room_for(
        index->sidecars, index->sidecar_count, &index->sidecar_capacity, sizeof index->sidecars[0]);
    index->sidecars[index->sidecar_count++] = sidecar;
}

/* ---- taking records in ---- */

static void take(struct rwd_journal_index *index, const struct rwd_record *record)
{
    if (index->count == index->capacity) {
        index->capacity = index->capacity == 0 ? 1024 : index->capacity * 2;
        size_t size = index->capacity * sizeof(uint64_t);
        for (size_t i = 0; i < ORDER_COUNT; i++) {
            index->fingerprints[i] = rwd_grow(index->fingerprints[i], size);
        }
        index->positions = rwd_grow(index->positions, size);
    }
    index->fingerprints[BY_EVENT][index->count] = record->event_fingerprint;
    index->fingerprints[BY_USER][index->count] = record->user_fingerprint;
    index->positions[index->count++] = record->position;
}

static void forget_active(struct rwd_journal_index *index)
{
    for (size_t i = 0; i < ORDER_COUNT; i++) {
        rwd_free(index->fingerprints[i]);
        index->fingerprints[i] = NULL;
    }
    rwd_free(index->positions);
    index->positions = NULL;
    index->count = 0;
    index->capacity = 0;
}

/* The segment in memory is finished: its entries go to the sidecar. */
static enum rwd_status finish_segment(
    struct rwd_journal_index *index, uint64_t next, struct rwd_error *error)
{
    struct sidecar sidecar;
    struct rwd_segment_header header;
    char in[RWD_SEGMENT_HEADER_SIZE];
    int fd = rwd_segment__open(index->dir, next, O_RDONLY);
    bool read = fd >= 0 && rwd_segment__read(fd, 0, in, sizeof in) &&
                rwd_segment__get_header(in, &header) == RWD_HEADER_VALID;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (!read) {
        return rwd_fail(error, RWD_UNAVAILABLE, "%s/%016llx.journal cannot be read", index->dir,
            (unsigned long long)next);
    }
    enum rwd_status status = write_sidecar(index, header.previous_end, error);
    if (status == RWD_OK && !map_sidecar(index, index->base, header.previous_end, &sidecar)) {
        status = rwd_fail(error, RWD_UNAVAILABLE, "%s/%016llx.index cannot be mapped", index->dir,
            (unsigned long long)index->base);
    }
    if (status == RWD_OK) {
        add_sidecar(index, sidecar);
        forget_active(index);
        index->base = next;
    }
    return status;
}

static enum rwd_status start_reading(struct rwd_journal_index *index, struct rwd_error *error)
{
    enum rwd_status status =
        rwd_journal_reader_open(index->dir, index->base, &index->reader, error);
    if (status == RWD_OK) {
        index->base = rwd_journal__reader_segment(index->reader);
    }
    return status == RWD_NOT_FOUND ? RWD_OK : status;
}

enum rwd_status rwd_journal_index_follow(struct rwd_journal_index *index, struct rwd_error *error)
{
    enum rwd_status status = RWD_OK;
    if (index->reader == NULL) {
        status = start_reading(index, error);
        if (index->reader == NULL) {
            return status;
        }
    }
    struct rwd_record record;
    for (;;) {
        /* A sidecar that could not be written keeps its entries here; they are tried again. */
        uint64_t base = rwd_journal__reader_segment(index->reader);
        if (base != index->base) {
            status = RWD_UNAVAILABLE;
            break;
        }
        status = rwd_journal_reader_next(index->reader, &record, error);
        base = rwd_journal__reader_segment(index->reader);
        if (base != index->base && (status == RWD_OK || status == RWD_NOT_FOUND)) {
            enum rwd_status finished = finish_segment(index, base, error);
            if (finished != RWD_OK) {
                status = finished;
                break;
            }
        }
        if (status != RWD_OK) {
            break;
        }
        take(index, &record);
    }
    if (status == RWD_OK || status == RWD_NOT_FOUND) {
        return RWD_OK;
    }
    /* Begin this segment again next time. */
    forget_active(index);
    rwd_journal_reader_close(index->reader);
    index->reader = NULL;
    return status;
}

/* ---- opening ---- */

/* Makes the sidecar of a finished segment by reading it. */
static enum rwd_status rebuild(
    const struct rwd_journal_index *index, uint64_t base, uint64_t end, struct rwd_error *error)
{
    struct rwd_journal_index made = {.dir = index->dir, .base = base};
    struct rwd_record record;
    enum rwd_status status = rwd_journal_reader_open(made.dir, base, &made.reader, error);
    while (status == RWD_OK) {
        status = rwd_journal_reader_next(made.reader, &record, error);
        if (status != RWD_OK || rwd_journal__reader_segment(made.reader) != base) {
            break;
        }
        take(&made, &record);
    }
    rwd_journal_reader_close(made.reader);
    if (status == RWD_OK || status == RWD_NOT_FOUND) {
        status = write_sidecar(&made, end, error);
    }
    forget_active(&made);
    return status;
}

enum rwd_status rwd_journal_index_open(
    const char *dir, struct rwd_journal_index **index, struct rwd_error *error)
{
    struct rwd_segment_list list = {.files = NULL};
    struct rwd_journal_index *opened = rwd_new(sizeof *opened);
    opened->dir = rwd_copy(dir, strlen(dir));
    enum rwd_status status = rwd_segment__list(dir, false, &list, error);
    size_t begun = list.count;
    while (begun > 0 && list.files[begun - 1].state != RWD_HEADER_VALID) {
        begun--;
    }
    for (size_t i = 0; status == RWD_OK && i + 1 < begun; i++) {
        uint64_t base = list.files[i].base;
        uint64_t end = list.files[i + 1].header.previous_end;
        struct sidecar sidecar;
        bool mapped = map_sidecar(opened, base, end, &sidecar);
        if (!mapped) {
            status = rebuild(opened, base, end, error);
            mapped = status == RWD_OK && map_sidecar(opened, base, end, &sidecar);
        }
        if (mapped) {
            add_sidecar(opened, sidecar);
        }
    }
    if (begun > 0) {
        opened->base = list.files[begun - 1].base;
    }
    rwd_segment__list_finish(&list);
    if (status == RWD_OK || status == RWD_NOT_FOUND) {
        status = start_reading(opened, error);
    }
    if (status != RWD_OK) {
        rwd_journal_index_close(opened);
        return status;
    }
    *index = opened;
    return RWD_OK;
}

void rwd_journal_index_close(struct rwd_journal_index *index)
{
    if (index == NULL) {
        return;
    }
    for (size_t i = 0; i < index->sidecar_count; i++) {
        unmap(&index->sidecars[i]);
    }
    forget_active(index);
    rwd_journal_reader_close(index->reader);
    rwd_free(index->sidecars);
    rwd_free(index->dir);
    rwd_free(index);
}

/* ---- looking up ---- */

struct search {
    uint64_t fingerprint;
    uint64_t before;
    uint64_t *positions;
    size_t count_max;
    size_t count;
};

static const struct block *whole_block(const struct sidecar *sidecar, enum order order, uint64_t at)
{
    uint64_t number = 1 + at + (order == BY_USER ? sidecar->block_count[BY_EVENT] : 0);
    const struct block *block = &sidecar->blocks[number];
    bool whole = block->crc == block_crc(block) && block->number == number && block->count > 0 &&
                 block->count <= BLOCK_ENTRY_COUNT;
    return whole ? block : NULL;
}

static bool entry_before(const struct entry *entry, const struct search *search)
{
    return entry->fingerprint < search->fingerprint ||
           (entry->fingerprint == search->fingerprint && entry->position < search->before);
}

/* False: a block is damaged. */
static bool search_sidecar(const struct sidecar *sidecar, enum order order, struct search *search)
{
    /* The last block whose first entry is before what we look for, then back from there. */
    uint64_t low = 0;
    uint64_t high = sidecar->block_count[order];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const struct block *block = whole_block(sidecar, order, middle);
        if (block == NULL) {
            return false;
        }
        if (entry_before(&block->entries[0], search)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (uint64_t at = low; at > 0; at--) {
        const struct block *block = whole_block(sidecar, order, at - 1);
        if (block == NULL) {
            return false;
        }
        for (uint32_t i = block->count; i > 0; i--) {
            const struct entry *entry = &block->entries[i - 1];
            if (!entry_before(entry, search)) {
                continue;
            }
            if (entry->fingerprint != search->fingerprint || search->count == search->count_max) {
                return true;
            }
            search->positions[search->count++] = entry->position;
        }
    }
    return true;
}

static void search_active(
    const struct rwd_journal_index *index, enum order order, struct search *search)
{
    const uint64_t *fingerprints = index->fingerprints[order];
    for (size_t i = index->count; i > 0 && search->count < search->count_max; i--) {
        if (fingerprints[i - 1] == search->fingerprint &&
            index->positions[i - 1] < search->before) {
            search->positions[search->count++] = index->positions[i - 1];
        }
    }
}

static void search_all(struct rwd_journal_index *index, enum order order, struct search *search)
{
    if (search->fingerprint == 0) {
        return;
    }
    search_active(index, order, search);
    for (size_t i = index->sidecar_count; i > 0 && search->count < search->count_max; i--) {
        struct sidecar *sidecar = &index->sidecars[i - 1];
        size_t count = search->count;
        if (sidecar->base >= search->before ||
            (sidecar->blocks != NULL && search_sidecar(sidecar, order, search))) {
            continue;
        }
        /* Damaged: made anew from its segment. */
        struct rwd_error error = {.text = ""};
        search->count = count;
        unmap(sidecar);
        if (rebuild(index, sidecar->base, sidecar->end, &error) != RWD_OK ||
            !map_sidecar(index, sidecar->base, sidecar->end, sidecar) ||
            !search_sidecar(sidecar, order, search)) {
            rwd_log(RWD_LOG_ERROR, "journal",
                "segment=%016llx.index msg=\"damaged and cannot be made anew; look-ups miss it\" "
                "error=\"%s\"",
                (unsigned long long)sidecar->base, error.text);
        }
    }
}

void rwd_journal_index_by_event(struct rwd_journal_index *index, uint64_t event_fingerprint,
    uint64_t *positions, size_t count_max, size_t *count)
{
    struct search search = {.fingerprint = event_fingerprint,
        .before = UINT64_MAX,
        .positions = positions,
        .count_max = count_max};
    search_all(index, BY_EVENT, &search);
    *count = search.count;
}

void rwd_journal_index_by_user(struct rwd_journal_index *index, uint64_t user_fingerprint,
    uint64_t before, uint64_t *positions, size_t count_max, size_t *count)
{
    struct search search = {.fingerprint = user_fingerprint,
        .before = before,
        .positions = positions,
        .count_max = count_max};
    search_all(index, BY_USER, &search);
    *count = search.count;
}
