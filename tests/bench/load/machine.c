/*
 * machine: what the machine gives by itself, to read the other figures by.
 *
 *     machine bare        an epoll loop that answers each request unread with what the daemon says
 * to one accepted event; prints its port, serves until its input ends. What load makes of it is
 * what TCP alone leaves of the cores. machine stalls 5    spins on each core for so many seconds
 * and prints, as JSON, how long cores stood still for more than a millisecond: time that a
 * hypervisor gave to others. No program answers in it.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CORE_COUNT_MAX = 64, EVENT_COUNT = 256, REQUEST_SIZE_MAX = 1 << 16 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- bare ---- */

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 56\r\n\r\n"
    "{\"accepted\":1,\"duplicates\":0,\"rejected\":0,\"results\":[]} ";

static void watch(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl");
    }
}

static int listen_somewhere(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, SOMAXCONN) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        die("listen");
    }
    (void)printf("%d\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    return fd;
}

static int bare(void)
{
    static char request[REQUEST_SIZE_MAX];
    struct epoll_event events[EVENT_COUNT];
    const int one = 1;
    int listen_fd = listen_somewhere();
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll_fd, listen_fd);
    watch(epoll_fd, STDIN_FILENO);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENT_COUNT, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO) {
                return 0;
            }
            if (fd == listen_fd) {
                int accepted = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                (void)setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                watch(epoll_fd, accepted);
            } else if (recv(fd, request, sizeof request, 0) <= 0 ||
                       send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) {
                (void)close(fd);
            }
        }
    }
}

/* ---- stalls ---- */

static const int64_t stall_ns = 1000000;

struct core {
    pthread_t thread;
    int number;
    int64_t seconds;
    int64_t stalled_ns;
    int64_t longest_ns;
    int64_t count;
};

static int64_t now_ns(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static void *spin(void *context)
{
    struct core *core = context;
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(core->number, &own);
    (void)pthread_setaffinity_np(pthread_self(), sizeof own, &own);
    int64_t last = now_ns();
    for (int64_t end = last + core->seconds * 1000000000; last < end;) {
        int64_t now = now_ns();
        int64_t gap = now - last;
        if (gap > stall_ns) {
            core->stalled_ns += gap;
            core->longest_ns = gap > core->longest_ns ? gap : core->longest_ns;
            core->count++;
        }
        last = now;
    }
    return NULL;
}

static int stalls(int64_t seconds)
{
    struct core cores[CORE_COUNT_MAX];
    struct core sum = {.number = 0};
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int count = online < CORE_COUNT_MAX ? (int)online : CORE_COUNT_MAX;
    for (int i = 0; i < count; i++) {
        cores[i] = (struct core){.number = i, .seconds = seconds};
        if (pthread_create(&cores[i].thread, NULL, spin, &cores[i]) != 0) {
            die("thread");
        }
    }
    for (int i = 0; i < count; i++) {
        (void)pthread_join(cores[i].thread, NULL);
        sum.stalled_ns += cores[i].stalled_ns;
        sum.count += cores[i].count;
        sum.longest_ns =
            cores[i].longest_ns > sum.longest_ns ? cores[i].longest_ns : sum.longest_ns;
    }
    (void)printf("{\"stalls\":%lld,\"longest_ms\":%.1f,\"percent\":%.3f}\n", (long long)sum.count,
        (double)sum.longest_ns / 1e6, 100.0 * (double)sum.stalled_ns / 1e9 / (double)seconds);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "bare") == 0) {
        return bare();
    }
    if (argc == 3 && strcmp(argv[1], "stalls") == 0 && atol(argv[2]) > 0) {
        return stalls(atol(argv[2]));
    }
    (void)fprintf(stderr, "usage: machine bare | machine stalls SECONDS\n");
    return 2;
}
