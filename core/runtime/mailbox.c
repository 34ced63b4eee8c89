#include "runtime/mailbox.h"

#include "base/check.h"
#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct rwd_mailbox {
    pthread_mutex_t mutex;
    struct rwd_message *first;
    struct rwd_message *last;
    size_t count;
    size_t count_max;
    int fd;
};

struct rwd_mailbox *rwd_mailbox_create(size_t message_count_max)
{
    struct rwd_mailbox *mailbox = rwd_new(sizeof *mailbox);
    RWD_REQUIRE(pthread_mutex_init(&mailbox->mutex, NULL) == 0);
    mailbox->count_max = message_count_max;
    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    RWD_REQUIRE(mailbox->fd >= 0 && "out of file descriptors");
    return mailbox;
}

void rwd_mailbox_destroy(struct rwd_mailbox *mailbox)
{
    if (mailbox != NULL) {
        RWD_REQUIRE(mailbox->first == NULL);
        (void)close(mailbox->fd);
        (void)pthread_mutex_destroy(&mailbox->mutex);
        rwd_free(mailbox);
    }
}

/* Under the mutex. */
static bool append(struct rwd_mailbox *mailbox, struct rwd_message *message)
{
    bool was_empty = mailbox->first == NULL;
    message->next = NULL;
    if (was_empty) {
        mailbox->first = message;
    } else {
        mailbox->last->next = message;
    }
    mailbox->last = message;
    mailbox->count++;
    return was_empty;
}

static void wake(const struct rwd_mailbox *mailbox)
{
    const uint64_t one = 1;
    /* EAGAIN: the counter is full, so the receiver is to be woken anyway. */
    ssize_t written = write(mailbox->fd, &one, sizeof one);
    RWD_REQUIRE(written == sizeof one || errno == EAGAIN);
}

enum rwd_status rwd_mailbox_post(struct rwd_mailbox *mailbox, struct rwd_message **message)
{
    (void)pthread_mutex_lock(&mailbox->mutex);
    if (mailbox->count >= mailbox->count_max) {
        (void)pthread_mutex_unlock(&mailbox->mutex);
        return RWD_BUSY;
    }
    bool was_empty = append(mailbox, *message);
    (void)pthread_mutex_unlock(&mailbox->mutex);
    *message = NULL;
    if (was_empty) {
        wake(mailbox);
    }
    return RWD_OK;
}

void rwd_mailbox_return(struct rwd_mailbox *mailbox, struct rwd_message *message)
{
    (void)pthread_mutex_lock(&mailbox->mutex);
    bool was_empty = append(mailbox, message);
    (void)pthread_mutex_unlock(&mailbox->mutex);
    if (was_empty) {
        wake(mailbox);
    }
}

struct rwd_message *rwd_mailbox_take(struct rwd_mailbox *mailbox)
{
    uint64_t woken = 0;
    ssize_t size = read(mailbox->fd, &woken, sizeof woken);
    RWD_REQUIRE(size == sizeof woken || errno == EAGAIN);
    (void)pthread_mutex_lock(&mailbox->mutex);
    struct rwd_message *first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = NULL;
    mailbox->count = 0;
    (void)pthread_mutex_unlock(&mailbox->mutex);
    return first;
}

struct rwd_message *rwd_mailbox_wait(struct rwd_mailbox *mailbox, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = mailbox->fd, .events = POLLIN};
    int ready = poll(&poll_fd, 1, timeout_ms);
    RWD_REQUIRE(ready >= 0 || errno == EINTR);
    return ready > 0 ? rwd_mailbox_take(mailbox) : NULL;
}

int rwd_mailbox_fd(const struct rwd_mailbox *mailbox)
{
    return mailbox->fd;
}

size_t rwd_mailbox_depth(struct rwd_mailbox *mailbox)
{
    (void)pthread_mutex_lock(&mailbox->mutex);
    size_t count = mailbox->count;
    (void)pthread_mutex_unlock(&mailbox->mutex);
    return count;
}
