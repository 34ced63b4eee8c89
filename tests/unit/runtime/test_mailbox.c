/* Bounded, in order, woken when there is something, by however many senders. */
#include "base/memory.h"
#include "runtime/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

static struct rwd_message *message_of(uint32_t kind)
{
    struct rwd_message *message = rwd_new(sizeof *message);
    message->kind = kind;
    return message;
}

static bool readable(const struct rwd_mailbox *mailbox)
{
    struct pollfd poll_fd = {.fd = rwd_mailbox_fd(mailbox), .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void first_in_first_out(void **state)
{
    (void)state;
    struct rwd_mailbox *mailbox = rwd_mailbox_create(4);
    assert_null(rwd_mailbox_take(mailbox));
    assert_false(readable(mailbox));
    for (uint32_t i = 0; i < 4; i++) {
        struct rwd_message *message = message_of(i);
        assert_int_equal(rwd_mailbox_post(mailbox, &message), RWD_OK);
        assert_null(message);
        assert_int_equal(rwd_mailbox_depth(mailbox), i + 1);
    }
    assert_true(readable(mailbox));
    /* Full: the caller keeps it. */
    struct rwd_message *fifth = message_of(4);
    struct rwd_message *kept = fifth;
    assert_int_equal(rwd_mailbox_post(mailbox, &fifth), RWD_BUSY);
    assert_ptr_equal(fifth, kept);
    /* A return cannot be full. */
    rwd_mailbox_return(mailbox, fifth);
    assert_int_equal(rwd_mailbox_depth(mailbox), 5);
    struct rwd_message *message = rwd_mailbox_take(mailbox);
    assert_int_equal(rwd_mailbox_depth(mailbox), 0);
    assert_false(readable(mailbox));
    for (uint32_t i = 0; i < 5; i++) {
        struct rwd_message *next = message->next;
        assert_int_equal(message->kind, i);
        rwd_free(message);
        message = next;
    }
    assert_null(message);
    struct rwd_message *again = message_of(9);
    assert_int_equal(rwd_mailbox_post(mailbox, &again), RWD_OK);
    message = rwd_mailbox_wait(mailbox, -1);
    assert_int_equal(message->kind, 9);
    assert_null(message->next);
    rwd_free(message);
    assert_null(rwd_mailbox_wait(mailbox, 0));
    assert_null(rwd_mailbox_wait(mailbox, 1));
    rwd_mailbox_destroy(mailbox);
    rwd_mailbox_destroy(NULL);
}

enum { SENDERS = 4, EACH = 50000, DEPTH_MAX = 64 };

struct sender {
    struct rwd_mailbox *mailbox;
    uint32_t no;
};

static void *send_many(void *context)
{
    const struct sender *sender = context;
    for (uint32_t i = 0; i < EACH; i++) {
        struct rwd_message *message = message_of(sender->no << 24 | i);
        while (rwd_mailbox_post(sender->mailbox, &message) == RWD_BUSY) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void many_senders_each_in_order(void **state)
{
    (void)state;
    struct rwd_mailbox *mailbox = rwd_mailbox_create(DEPTH_MAX);
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    uint32_t expected[SENDERS] = {0};
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.mailbox = mailbox, .no = i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
    }
    for (size_t received = 0; received < (size_t)SENDERS * EACH;) {
        struct rwd_message *message = rwd_mailbox_wait(mailbox, 60000);
        size_t taken = 0;
        while (message != NULL) {
            struct rwd_message *next = message->next;
            uint32_t no = message->kind >> 24;
            assert_int_equal(message->kind & 0xffffff, expected[no]);
            expected[no]++;
            rwd_free(message);
            message = next;
            received++;
            taken++;
        }
        assert_true(taken <= DEPTH_MAX);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(expected[i], EACH);
    }
    assert_int_equal(rwd_mailbox_depth(mailbox), 0);
    rwd_mailbox_destroy(mailbox);
}

struct pair {
    struct rwd_mailbox *there;
    struct rwd_mailbox *back;
};

static void *echo(void *context)
{
    const struct pair *pair = context;
    for (;;) {
        struct rwd_message *message = rwd_mailbox_wait(pair->there, -1);
        while (message != NULL) {
            struct rwd_message *next = message->next;
            bool last = message->kind == 0;
            rwd_mailbox_return(pair->back, message);
            if (last) {
                return NULL;
            }
            message = next;
        }
    }
}

/* To and fro: a wake-up that is lost stops this for ever. */
static void no_wake_up_is_lost(void **state)
{
    (void)state;
    struct pair pair = {.there = rwd_mailbox_create(1), .back = rwd_mailbox_create(1)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, echo, &pair), 0);
    struct rwd_message *message = message_of(0);
    for (uint32_t i = 20000; i > 0; i--) {
        message->kind = i - 1;
        assert_int_equal(rwd_mailbox_post(pair.there, &message), RWD_OK);
        while (message == NULL) {
            message = rwd_mailbox_wait(pair.back, 60000);
        }
        assert_int_equal(message->kind, i - 1);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    rwd_free(message);
    rwd_mailbox_destroy(pair.there);
    rwd_mailbox_destroy(pair.back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out),
        cmocka_unit_test(many_senders_each_in_order),
        cmocka_unit_test(no_wake_up_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
