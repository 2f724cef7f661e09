/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_receiver - webhook receivers for notify_fanout.py: one thread, epoll, no parsing beyond what is
 * needed, so that it is not what is measured.
 *
 *   bench_receiver PORTS   opens that many ports of 127.0.0.1 and one that never answers, prints them as one
 *                          line; at the end of its input prints one line: notifications, p50 and p99 of the time
 *                          from the correlator's stamp (logged_us) to here in microseconds, its own CPU seconds
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define PORTS_MAX   256
#define BUF_BYTES   65536
#define SAMPLES_MAX 4000000
#define ANSWER      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

struct conn {
    int fd;
    size_t len;
    char buf[BUF_BYTES];
};
static int32_t *samples;
static size_t n_samples;
static int listeners[PORTS_MAX];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int open_port(unsigned *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        die("listen");
    *port = ntohs(a.sin_port);
    return fd;
}

static void count(const char *body)
{
    const char *at = strstr(body, "\"logged_us\":");
    int64_t us = at != NULL ? hale_clock_wall_us() - strtoll(at + 12, NULL, 10) : 0;
    if (n_samples < SAMPLES_MAX)
        samples[n_samples++] = us < INT32_MAX ? (int32_t)us : INT32_MAX;
}

/* Takes every whole request out of the buffer. false: the connection is over. */
static bool serve(struct conn *c)
{
    ssize_t got = read(c->fd, c->buf + c->len, BUF_BYTES - 1 - c->len);
    if (got <= 0)
        return false;
    c->len += (size_t)got;
    c->buf[c->len] = '\0';
    for (;;) {
        const char *end = strstr(c->buf, "\r\n\r\n");
        const char *length = strcasestr(c->buf, "Content-Length:");
        if (end == NULL || length == NULL)
            return true;
        size_t whole = (size_t)(end + 4 - c->buf) + strtoul(length + 15, NULL, 10);
        if (c->len < whole)
            return true;
        count(end + 4);
        if (write(c->fd, ANSWER, sizeof(ANSWER) - 1) != (ssize_t)sizeof(ANSWER) - 1)
            return false;
        memmove(c->buf, c->buf + whole, c->len - whole + 1);
        c->len -= whole;
    }
}

static int compare(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;
    return (a > b) - (a < b);
}

static void report(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    qsort(samples, n_samples, sizeof(samples[0]), compare);
    printf("%zu %d %d %.2f\n", n_samples, n_samples > 0 ? samples[n_samples / 2] : 0,
           n_samples > 0 ? samples[n_samples * 99 / 100] : 0,
           (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
               (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
}

static void accept_one(int epoll, int fd)
{
    struct conn *c = malloc(sizeof(*c));
    int on = 1;
    if (c == NULL)
        die("malloc");
    c->len = 0;
    c->fd = accept(fd, NULL, NULL);
    if (c->fd < 0) {
        free(c);
        return;
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
        die("epoll_ctl");
} /* NOLINT(clang-analyzer-unix.Malloc): epoll holds it */

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0, port;
    int epoll = epoll_create1(0);
    static int input;
    struct epoll_event events[64];
    if (n == 0 || n > PORTS_MAX || epoll < 0)
        return 2;
    samples = calloc(SAMPLES_MAX, sizeof(samples[0]));
    if (samples == NULL)
        die("calloc");
    for (unsigned i = 0; i < n; i++) {
        listeners[i] = open_port(&port);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &listeners[i]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, listeners[i], &e) != 0)
            die("epoll_ctl");
        printf("%u ", port);
    }
    (void)open_port(&port); /* takes connections, and never answers */
    printf("%u\n", port);
    (void)fflush(stdout);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &input};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &e) != 0)
        die("epoll_ctl");
    for (;;) {
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int *which = events[i].data.ptr;
            if (which == &input) {
                report();
                return 0;
            }
            if (which >= listeners && which < listeners + n) {
                accept_one(epoll, *which);
                continue;
            }
            struct conn *c = events[i].data.ptr;
            if (!serve(c)) {
                (void)close(c->fd);
                free(c);
            }
        }
    }
}
