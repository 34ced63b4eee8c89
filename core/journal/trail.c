#include "journal/trail.h"

#include "base/memory.h"
#include "journal/segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* What followers and the index read, which are rarely further behind. */
    KEPT_SIZE = 64 << 20,
    /* At a time: two thousand pages. */
    STEP_SIZE = 8 << 20,
};

struct rwd_journal_trail {
    const char *dir;
    uint64_t base; /* of the segment it is in */
    uint64_t size; /* 0: not opened yet */
    uint64_t offset;
    int fd;
};

struct rwd_journal_trail *rwd_journal__trail_create(
    const char *dir, uint64_t segment_base, uint64_t offset)
{
    struct rwd_journal_trail *trail = rwd_new(sizeof *trail);
    *trail =
        (struct rwd_journal_trail){.dir = dir, .base = segment_base, .offset = offset, .fd = -1};
    return trail;
}

static void close_segment(struct rwd_journal_trail *trail)
{
    if (trail->fd >= 0) {
        (void)close(trail->fd);
    }
    trail->fd = -1;
    trail->size = 0;
}

void rwd_journal__trail_destroy(struct rwd_journal_trail *trail)
{
    if (trail != NULL) {
        close_segment(trail);
        rwd_free(trail);
    }
}

static bool open_segment(struct rwd_journal_trail *trail)
{
    if (trail->fd < 0) {
        trail->fd = rwd_segment__open(trail->dir, trail->base, O_RDONLY);
        struct stat status;
        if (trail->fd >= 0 && fstat(trail->fd, &status) == 0) {
            trail->size = (uint64_t)status.st_size;
        }
    }
    return trail->size > 0;
}

bool rwd_journal__trail_follow(struct rwd_journal_trail *trail, uint64_t durable)
{
    if (durable < trail->base + trail->offset + KEPT_SIZE + STEP_SIZE || !open_segment(trail)) {
        return false;
    }
    uint64_t rest = trail->size - trail->offset;
    uint64_t step = rest < STEP_SIZE ? rest : STEP_SIZE;
    (void)posix_fadvise(trail->fd, (off_t)trail->offset, (off_t)step, POSIX_FADV_DONTNEED);
    trail->offset += step;
    if (trail->offset == trail->size) {
        uint64_t next = trail->base + trail->size;
        close_segment(trail);
        trail->base = next;
        trail->offset = 0;
    }
    return true;
}
