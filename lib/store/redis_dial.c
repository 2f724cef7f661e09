/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "store/redis_private.h"

#define SOCKET_BUFFER_BYTES                                                              \
    (4 * 1024 * 1024) /* asked for on unix sockets; the kernel caps it */

/* --- address ---------------------------------------------------------------------------------- */

struct address {
    bool is_unix;
    char host[256]; /* or the path */
    char port[6];
};

static enum hale_rc parse_url(const char *url, struct address *out, struct hale_err *err)
{
    struct address a = {.is_unix = false, .port = "6379"};
    const char *port = NULL;
    size_t host_len;
    if (strncmp(url, "unix:", 5) == 0) {
        struct sockaddr_un un;
        size_t len = strlen(url + 5);
        if (url[5] != '/' || len >= sizeof(un.sun_path) || len >= sizeof(a.host))
            return hale_err_set(
                err, HALE_E_INVAL,
                "\"%s\": after unix: comes an absolute path of at most %zu bytes", url,
                sizeof(un.sun_path) - 1);
        a.is_unix = true;
        memcpy(a.host, url + 5, len + 1);
        *out = a;
        return HALE_OK;
    }
    if (strchr(url, '/') != NULL)
        return hale_err_set(
            err, HALE_E_INVAL,
            "\"%s\" is no Redis address; write unix:/path, host:port or host", url);
    if (url[0] == '[') {
        const char *end = strchr(url, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return hale_err_set(err, HALE_E_INVAL, "\"%s\": write [IPv6 address]:port",
                                url);
        url++;
        host_len = (size_t)(end - url);
        port = end[1] == ':' ? end + 2 : NULL;
    } else {
        host_len = strcspn(url, ":");
        port = url[host_len] == ':' ? url + host_len + 1 : NULL;
    }
    if (host_len == 0 || host_len >= sizeof(a.host))
        return hale_err_set(err, HALE_E_INVAL,
                            "\"%s\" names no host; write unix:/path, host:port or host",
                            url);
    memcpy(a.host, url, host_len);
    a.host[host_len] = '\0';
    if (port != NULL) {
        uint64_t number = 0;
        if (strlen(port) >= sizeof(a.port) ||
            hale_str_u64(hale_str_from(port), &number) != HALE_OK || number == 0 ||
            number > 65535)
            return hale_err_set(err, HALE_E_INVAL, "\"%s\": the port must be 1..65535",
                                url);
        (void)snprintf(a.port, sizeof(a.port), "%s", port);
    }
    *out = a;
    return HALE_OK;
}

enum hale_rc hale_redis_check_url(const char *url, struct hale_err *err)
{
    struct address ignored;
    return parse_url(url, &ignored, err);
}

/* Waits for events on the socket until deadline. HALE_E_AGAIN: time is up. */
enum hale_rc hale_redis_wait_fd(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - hale_clock_mono_ms();
        if (left <= 0)
            left = 0;
        if (left > INT32_MAX)
            left = INT32_MAX;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, (int)left);
        if (n > 0)
            return HALE_OK;
        if (n == 0 && left == 0)
            return HALE_E_AGAIN;
        if (n < 0 && errno != EINTR)
            return HALE_E_IO;
    }
}

/* One non-blocking connect. Returns the descriptor, or -1 with errno set. */
static int connect_to(const struct sockaddr *sa, socklen_t len, int64_t deadline_ms)
{
    int one = 1;
    int size = SOCKET_BUFFER_BYTES;
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int saved;
    if (fd < 0)
        return -1;
    if (sa->sa_family == AF_UNIX) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    } else {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    }
    if (connect(fd, sa, len) == 0)
        return fd;
    saved = errno;
    if (saved == EINPROGRESS) {
        socklen_t n = sizeof(saved);
        if (hale_redis_wait_fd(fd, POLLOUT, deadline_ms) != HALE_OK)
            saved = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &saved, &n) != 0)
            saved = errno;
        if (saved == 0)
            return fd;
    }
    (void)close(fd);
    errno = saved;
    return -1;
}

static int connect_tcp(const struct address *a, int64_t deadline_ms, struct hale_err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int fd = -1;
    int rc = getaddrinfo(a->host, a->port, &hints, &list);
    if (rc != 0) {
        (void)hale_err_set(err, HALE_E_IO, "cannot resolve the name: %s",
                           gai_strerror(rc));
        return -1;
    }
    for (struct addrinfo *i = list; i != NULL && fd < 0; i = i->ai_next)
        fd = connect_to(i->ai_addr, i->ai_addrlen, deadline_ms);
    if (fd < 0)
        (void)hale_err_set(err, HALE_E_IO, "connect: %s", strerrordesc_np(errno));
    freeaddrinfo(list);
    return fd;
}

static int connect_unix(const struct address *a, int64_t deadline_ms,
                        struct hale_err *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t len = strlen(a->host);
    HALE_ASSERT(len < sizeof(sa.sun_path));
    memcpy(sa.sun_path, a->host, len);
    int fd =
        connect_to((const struct sockaddr *)(const void *)&sa, sizeof(sa), deadline_ms);
    if (fd < 0)
        (void)hale_err_set(err, HALE_E_IO, "connect: %s", strerrordesc_np(errno));
    return fd;
}

enum hale_rc hale_redis_dial(const char *url, int64_t timeout_ms, int *fd_out,
                             struct hale_err *err)
{
    struct address a = {.is_unix = false};
    int64_t deadline = hale_clock_mono_ms() + timeout_ms;
    *fd_out = -1;
    enum hale_rc rc = parse_url(url, &a, err);
    if (rc != HALE_OK)
        return rc;
    *fd_out =
        a.is_unix ? connect_unix(&a, deadline, err) : connect_tcp(&a, deadline, err);
    return *fd_out < 0 ? HALE_E_IO : HALE_OK;
}
