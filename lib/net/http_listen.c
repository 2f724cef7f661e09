/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

#define LISTEN_BACKLOG 1024

static enum hale_rc split_listen(const char *listen_text, char *host, size_t host_size,
                                 char *port, struct hale_err *err)
{
    const char *colon = strrchr(listen_text, ':');
    uint64_t number = 0;
    size_t len = colon != NULL ? (size_t)(colon - listen_text) : 0;
    const char *start = listen_text;
    if (len >= 2 && start[0] == '[' && start[len - 1] == ']') {
        start++;
        len -= 2;
    } else if (colon != NULL && memchr(start, ':', len) != NULL) {
        len = 0; /* an IPv6 address without brackets */
    }
    if (len == 0 || len >= host_size || strlen(colon + 1) > 5 ||
        hale_str_u64(hale_str_from(colon + 1), &number) != HALE_OK || number > 65535)
        return hale_err_set(
            err, HALE_E_INVAL,
            "\"%s\" is no listen address; write 127.0.0.1:8070 or [::1]:8070",
            listen_text);
    memcpy(host, start, len);
    host[len] = '\0';
    (void)snprintf(port, 6, "%u", (unsigned)number);
    return HALE_OK;
}

static enum hale_rc listen_failed(const char *listen_text, int saved,
                                  struct hale_err *err)
{
    if (saved == EADDRINUSE)
        return hale_err_set(
            err, HALE_E_EXISTS,
            "%s is in use by another process; stop it or set another listen "
            "address",
            listen_text);
    enum hale_rc rc = hale_rc_from_errno(saved);
    return hale_err_set(err, rc == HALE_OK ? HALE_E_IO : rc, "cannot listen on %s: %s",
                        listen_text, strerrordesc_np(saved));
}

enum hale_rc hale_http_listen(const char *listen_text, int *fd_out, bool *v6_out,
                              struct hale_err *err)
{
    char host[256];
    char port[6];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *a = NULL;
    int one = 1;
    enum hale_rc rc = split_listen(listen_text, host, sizeof(host), port, err);
    if (rc != HALE_OK)
        return rc;
    int gai = getaddrinfo(host, port, &hints, &a);
    if (gai != 0)
        return hale_err_set(err, HALE_E_INVAL, "cannot listen on %s: %s", listen_text,
                            gai_strerror(gai));
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        rc = listen_failed(listen_text, errno, err);
        if (fd >= 0)
            (void)close(fd);
        fd = -1;
    }
    *v6_out = a->ai_family == AF_INET6;
    *fd_out = fd;
    freeaddrinfo(a);
    return rc;
}

unsigned hale_http_listen_port(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    memset(&sa, 0, sizeof(sa));
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return 0;
    if (sa.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&sa)->sin6_port);
    return ntohs(((const struct sockaddr_in *)(const void *)&sa)->sin_port);
}
