#include "journal/filler.h"

#include "base/check.h"
#include "base/memory.h"
#include "journal/segment.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

enum {
    /* Longer than this, a commit's own conversion of extents does not count. */
    SMALL_COMMIT_SIZE = 64 << 10,
    /* Before so much is written since the start, nobody knows whether more will come. */
    USED_SIZE_MIN = 1 << 20,
    /* Half a millisecond's work for a disk, which a commit that meets it waits for. */
    PIECE_SIZE = 1 << 20,
    WRITE_SIZE = 256 << 10,
    /* So far ahead of the commits at least, where they need not wait for a piece in the making. */
    DISTANCE_MIN = 1 << 20,
};

static const uint64_t no_segment = UINT64_MAX;

struct part {
    uint64_t base; /* no_segment: none */
    uint64_t size;
    uint64_t at; /* where the next piece goes */
};

struct rwd_journal_filler {
    const char *dir;
    pthread_mutex_t mutex; /* never held over a write: the filling thread is the last to be run */
    pthread_cond_t piece_done;
    struct part current;
    struct part next;
    struct part piece; /* being written just now, from at; base no_segment: none */
    uint64_t claimed;  /* end of the last commit in current */
    uint64_t used_size;
    bool wanted;

    /* The filling thread's own. */
    int fd;
    uint64_t fd_base;
};

struct rwd_journal_filler *rwd_journal__filler_create(const char *dir)
{
    struct rwd_journal_filler *filler = rwd_new(sizeof *filler);
    RWD_REQUIRE(pthread_mutex_init(&filler->mutex, NULL) == 0);
    RWD_REQUIRE(pthread_cond_init(&filler->piece_done, NULL) == 0);
    filler->dir = dir;
    filler->piece.base = no_segment;
    filler->current.base = no_segment;
    filler->next.base = no_segment;
    filler->fd = -1;
    filler->fd_base = no_segment;
    return filler;
}

void rwd_journal__filler_destroy(struct rwd_journal_filler *filler)
{
    if (filler == NULL) {
        return;
    }
    if (filler->fd >= 0) {
        (void)close(filler->fd);
    }
    (void)pthread_cond_destroy(&filler->piece_done);
    (void)pthread_mutex_destroy(&filler->mutex);
    rwd_free(filler);
}

void rwd_journal__filler_claim(
    struct rwd_journal_filler *filler, uint64_t base, uint64_t size, uint64_t offset, size_t commit)
{
    (void)pthread_mutex_lock(&filler->mutex);
    if (filler->next.base == base) {
        filler->current = filler->next;
        filler->next.base = no_segment;
    } else if (filler->current.base != base) {
        filler->current = (struct part){.base = base, .size = size};
    }
    filler->claimed = offset + commit;
    while (filler->piece.base == base && filler->piece.at < filler->claimed) {
        (void)pthread_cond_wait(&filler->piece_done, &filler->mutex);
    }
    filler->used_size += commit;
    filler->wanted = commit < SMALL_COMMIT_SIZE && filler->used_size >= USED_SIZE_MIN;
    (void)pthread_mutex_unlock(&filler->mutex);
}

void rwd_journal__filler_offer(struct rwd_journal_filler *filler, uint64_t base, uint64_t size)
{
    (void)pthread_mutex_lock(&filler->mutex);
    filler->next = (struct part){.base = base, .size = size};
    (void)pthread_mutex_unlock(&filler->mutex);
}

/* The piece to be written next; base no_segment: none is due. */
static struct part begin_piece(struct rwd_journal_filler *filler)
{
    (void)pthread_mutex_lock(&filler->mutex);
    if (filler->current.base != no_segment) {
        uint64_t from = (filler->claimed + DISTANCE_MIN) & ~(uint64_t)(RWD_BLOCK_SIZE - 1);
        filler->current.at = filler->current.at > from ? filler->current.at : from;
    }
    struct part *parts[] = {&filler->current, &filler->next};
    for (size_t i = 0; i < 2 && filler->wanted && filler->piece.base == no_segment; i++) {
        if (parts[i]->base != no_segment && parts[i]->at < parts[i]->size) {
            filler->piece = *parts[i];
            parts[i]->at += PIECE_SIZE;
        }
    }
    struct part piece = filler->piece;
    (void)pthread_mutex_unlock(&filler->mutex);
    return piece;
}

static void end_piece(struct rwd_journal_filler *filler)
{
    (void)pthread_mutex_lock(&filler->mutex);
    filler->piece.base = no_segment;
    (void)pthread_cond_signal(&filler->piece_done);
    (void)pthread_mutex_unlock(&filler->mutex);
}

static void open_segment(struct rwd_journal_filler *filler, uint64_t base)
{
    if (filler->fd_base != base || filler->fd < 0) {
        if (filler->fd >= 0) {
            (void)close(filler->fd);
        }
        filler->fd = rwd_segment__open(filler->dir, base, O_RDWR);
        filler->fd_base = base;
        rwd_segment__go_direct(filler->fd);
    }
}

static bool write_zeros(int fd, const struct part *piece)
{
    static const _Alignas(RWD_BLOCK_SIZE) char zeros[WRITE_SIZE];
    uint64_t rest = piece->size - piece->at;
    uint64_t end = piece->at + (rest < PIECE_SIZE ? rest : PIECE_SIZE);
    bool good = true;
    for (uint64_t at = piece->at; good && at < end; at += WRITE_SIZE) {
        good = rwd_segment__write(fd, at, zeros, end - at < WRITE_SIZE ? end - at : WRITE_SIZE);
    }
    return good;
}

bool rwd_journal__filler_fill(struct rwd_journal_filler *filler)
{
    struct part piece = begin_piece(filler);
    if (piece.base == no_segment) {
        return false;
    }
    open_segment(filler, piece.base);
    bool good = filler->fd >= 0 && write_zeros(filler->fd, &piece);
    end_piece(filler);
    /* What could not be filled is left as it is. */
    return good && fdatasync(filler->fd) == 0;
}
