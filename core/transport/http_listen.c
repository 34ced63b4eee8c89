#include "transport/http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOST_SIZE_MAX = 256, BACKLOG = 4096 };

static enum rwd_status split(
    const char *address, char host[HOST_SIZE_MAX], const char **port, struct rwd_error *error)
{
    const char *colon = strrchr(address, ':');
    size_t size = colon != NULL ? (size_t)(colon - address) : 0;
    if (colon == NULL || size == 0 || size >= HOST_SIZE_MAX || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
        strtol(colon + 1, NULL, 10) > 65535) {
        return rwd_fail(error, RWD_INVALID, "\"%s\" is not host:port", address);
    }
    const char *from = address;
    if (from[0] == '[') {
        if (size < 3 || from[size - 1] != ']') {
            return rwd_fail(error, RWD_INVALID, "\"%s\" is not [address]:port", address);
        }
        from++;
        size -= 2;
    } else if (memchr(from, ':', size) != NULL) {
        return rwd_fail(error, RWD_INVALID, "\"%s\": an IPv6 address goes in [ ]", address);
    }
    memcpy(host, from, size);
    host[size] = '\0';
    *port = colon + 1;
    return RWD_OK;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static int bound_port(int fd)
{
    /* An IPv6 address is cut short here; its port lies at the same place. */
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return -1;
    }
    return ntohs(address.sin_port);
}

static int open_listener(const struct addrinfo *info, bool reuse_port)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Accepted sockets inherit it. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if ((reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int reason = errno;
        (void)close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

enum rwd_status rwd_http_listen(const char *address, bool reuse_port,
    struct rwd_http_listener *listener, struct rwd_error *error)
{
    char host[HOST_SIZE_MAX];
    const char *port = NULL;
    enum rwd_status status = split(address, host, &port, error);
    if (status != RWD_OK) {
        return status;
    }
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found);
    if (code != 0) {
        return rwd_fail(
            error, RWD_INVALID, "cannot listen on \"%s\": %s", address, gai_strerror(code));
    }
    int fd = -1;
    for (const struct addrinfo *info = found; info != NULL && fd < 0; info = info->ai_next) {
        fd = open_listener(info, reuse_port);
        if (fd >= 0) {
            *listener = (struct rwd_http_listener){
                .fd = fd, .port = bound_port(fd), .is_loopback = is_loopback(info->ai_addr)};
        }
    }
    if (fd < 0) {
        status = rwd_fail(
            error, RWD_UNAVAILABLE, "cannot listen on \"%s\": %s", address, strerror(errno));
    }
    freeaddrinfo(found);
    return status;
}
