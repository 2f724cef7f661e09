/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_TESTS_UNIT_NET_RAW_SOCKET_H
#define HALE_TESTS_UNIT_NET_RAW_SOCKET_H
/*
 * raw_socket - TCP on 127.0.0.1 byte by byte, for tests that speak bad HTTP. Header-only.
 * Every wait has a deadline of 10 s; a test that would hang fails instead.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RAW_DEADLINE_MS 10000

static inline int raw_connect(unsigned port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)(const void *)&sa, sizeof(sa)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* A listener on a free port. */
static inline int raw_listen(unsigned *port_out)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)(const void *)&sa, sizeof(sa)) != 0 ||
        listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *)(void *)&sa, &len) != 0)
        return -1;
    *port_out = ntohs(sa.sin_port);
    return fd;
}

static inline bool raw_send(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

static inline bool raw_text(int fd, const char *text)
{
    return raw_send(fd, text, strlen(text));
}

/* Reads until `until` has come (NULL: until the end) or the buffer is full. Returns the bytes in
 * dst, NUL-terminated; -1 on a deadline or a reset. */
static inline ssize_t raw_read(int fd, char *dst, size_t size, const char *until)
{
    size_t at = 0;
    dst[0] = '\0';
    while (at + 1 < size) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, RAW_DEADLINE_MS) <= 0)
            return -1;
        ssize_t n = recv(fd, dst + at, size - at - 1, 0);
        if (n < 0)
            return -1;
        if (n == 0)
            return until == NULL ? (ssize_t)at : -1;
        at += (size_t)n;
        dst[at] = '\0';
        if (until != NULL && strstr(dst, until) != NULL)
            break;
    }
    return (ssize_t)at;
}
#endif
