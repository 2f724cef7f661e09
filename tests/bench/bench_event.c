/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_event - from a fault event's POST to the subscriber's and to the VNFM's socket.
 *   bench_event --port N --token T --subscriber-port N --vnfm-port N [--n 300] [--gap-ms 20]
 * Plays the monitor (one kept-alive connection that POSTs to /v1/events), a webhook subscriber and a VNFM that
 * answers 202 and COMPLETED at once. Each event names its own VNFC, so every arrival is matched to its cause.
 * Times are wall microseconds of this process, taken before the POST is written and after the first
 * bytes of a request are read: they include the collector's HTTP. The next event leaves gap-ms after
 * both arrivals of the former. Prints one line of JSON.
 */
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

#define EVENTS_MAX 100000
#define WAIT_US    5000000

enum { SUBSCRIBER, VNFM, N_PEERS };

struct options {
    int port, peer_port[N_PEERS];
    const char *token;
    long n, gap_ms;
};
static struct options o = {.n = 300, .gap_ms = 20};
static int64_t sent_us[EVENTS_MAX];
static _Atomic int64_t arrived_us[N_PEERS][EVENTS_MAX];
static _Atomic int64_t extra[N_PEERS]; /* arrivals beyond the first of an event */

static int listen_on(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(fd, 64) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

/* Reads one HTTP message into buf; *first_us gets the time of its first bytes. False at the end. */
static bool read_message(int fd, char *buf, size_t size, int64_t *first_us)
{
    size_t got = 0;
    for (;;) {
        ssize_t n = recv(fd, buf + got, size - 1 - got, 0);
        if (n <= 0)
            return false;
        if (got == 0)
            *first_us = hale_clock_wall_us();
        got += (size_t)n;
        buf[got] = '\0';
        const char *end = strstr(buf, "\r\n\r\n");
        if (end != NULL) {
            const char *length = strcasestr(buf, "\r\nContent-Length:");
            size_t body =
                length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
            if (got >= (size_t)(end + 4 - buf) + body)
                return true;
        }
        if (got == size - 1)
            return false;
    }
}

/* The event a request is about, from "bench-<n>" in its body, or -1. */
static long event_of(const char *message)
{
    const char *p = strstr(message, "bench-");
    long k = p != NULL ? strtol(p + 6, NULL, 10) : -1;
    return k >= 0 && k < EVENTS_MAX ? k : -1;
}

static void note(int peer, long k, int64_t at_us)
{
    int64_t none = 0;
    if (k >= 0 && !atomic_compare_exchange_strong(&arrived_us[peer][k], &none, at_us))
        atomic_fetch_add(&extra[peer], 1);
}

static int answer_vnfm(const char *message, long k, char *dst, size_t size)
{
    char body[512];
    if (strncmp(message, "POST", 4) == 0)
        return snprintf(dst, size,
                        "HTTP/1.1 202 Accepted\r\nVersion: 2.0.0\r\nLocation: "
                        "http://127.0.0.1:%d/vnflcm/v2/vnf_lcm_op_occs/op-%ld\r\n"
                        "Content-Length: 0\r\n\r\n",
                        o.peer_port[VNFM], k);
    (void)snprintf(body, sizeof(body),
                   "{\"id\":\"op\",\"operationState\":\"COMPLETED\",\"stateEnteredTime\":"
                   "\"2026-01-01T00:00:00Z\",\"startTime\":\"2026-01-01T00:00:00Z\","
                   "\"vnfInstanceId\":"
                   "\"bench\",\"operation\":\"HEAL\",\"isAutomaticInvocation\":false,"
                   "\"isCancelPending\":false}");
    return snprintf(
        dst, size,
        "HTTP/1.1 200 OK\r\nVersion: 2.0.0\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        strlen(body), body);
}

struct connection {
    int fd, peer;
};

static void *serve(void *arg)
{
    struct connection c = *(struct connection *)arg;
    static _Thread_local char message[1 << 20];
    char reply[2048];
    int64_t at_us = 0;
    free(arg);
    while (read_message(c.fd, message, sizeof(message), &at_us)) {
        const char *body = strstr(message, "\r\n\r\n");
        long k = event_of(body);
        int n;
        if (c.peer == VNFM) {
            if (strncmp(message, "POST", 4) == 0)
                note(VNFM, k, at_us);
            n = answer_vnfm(message, k, reply, sizeof(reply));
        } else {
            if (strstr(body, "\"ALARM\"") != NULL)
                note(SUBSCRIBER, k, at_us);
            n = snprintf(reply, sizeof(reply),
                         "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
        if (send(c.fd, reply, (size_t)n, MSG_NOSIGNAL) != n)
            break;
    }
    (void)close(c.fd);
    return NULL;
}

struct listener {
    int fd, peer;
};

static void *accept_all(void *arg)
{
    const struct listener *l = arg;
    for (;;) {
        int one = 1, fd = accept(l->fd, NULL, NULL);
        pthread_t thread;
        if (fd < 0)
            return NULL;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct connection *c = hale_xcalloc(1, sizeof(*c));
        *c = (struct connection){fd, l->peer};
        HALE_ASSERT(pthread_create(&thread, NULL, serve, c) == 0);
        (void)pthread_detach(thread);
    }
}

static void post_event(int fd, long k)
{
    char body[512], message[1024], answer[4096];
    int64_t ignored;
    int n = snprintf(
        body, sizeof(body),
        "{\"type\":\"bench.down\",\"severity\":\"CRITICAL\",\"dimensions\":{\"vnf_id\":"
        "\"bench\",\"vnfc_id\":\"bench-%ld\"}}",
        k);
    n = snprintf(message, sizeof(message),
                 "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: %s\r\n"
                 "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                 o.token, n, body);
    sent_us[k] = hale_clock_wall_us();
    if (send(fd, message, (size_t)n, MSG_NOSIGNAL) != n ||
        !read_message(fd, answer, sizeof(answer), &ignored) ||
        strtol(answer + 9, NULL, 10) != 200) {
        (void)fprintf(stderr, "bench_event: the collector refused event %ld: %.200s\n", k,
                      answer);
        exit(1);
    }
}

static void pause_us(int64_t us)
{
    const struct timespec t = {us / 1000000, us % 1000000 * 1000};
    (void)nanosleep(&t, NULL);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The value below which percent of the sorted values lie, in milliseconds. */
static double percentile_ms(const int64_t *sorted, long n, long percent)
{
    long i = n * percent / 100;
    return (double)sorted[i < n ? i : n - 1] / 1e3;
}

static void report(const char *name, int peer, long n)
{
    int64_t *took = hale_xcalloc((unsigned long)n, sizeof(*took));
    long found = 0;
    for (long k = 0; k < n; k++)
        if (arrived_us[peer][k] != 0)
            took[found++] = arrived_us[peer][k] - sent_us[k];
    qsort(took, (size_t)found, sizeof(*took), by_value);
    printf("\"%s\":{\"n\":%ld,\"lost\":%ld,\"doubled\":%" PRId64, name, found, n - found,
           (int64_t)extra[peer]);
    if (found > 0)
        printf(",\"min_ms\":%.3f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"max_"
               "ms\":%.3f",
               percentile_ms(took, found, 0), percentile_ms(took, found, 50),
               percentile_ms(took, found, 90), percentile_ms(took, found, 99),
               percentile_ms(took, found, 100));
    putchar('}');
    free(took);
}

static void read_options(int argc, char **argv)
{
    static const struct option longs[] = {{"port", 1, NULL, 'p'},
                                          {"token", 1, NULL, 't'},
                                          {"subscriber-port", 1, NULL, 's'},
                                          {"vnfm-port", 1, NULL, 'v'},
                                          {"n", 1, NULL, 'n'},
                                          {"gap-ms", 1, NULL, 'g'},
                                          {NULL, 0, NULL, 0}};
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'p': o.port = (int)strtol(optarg, NULL, 10); break;
        case 't': o.token = optarg; break;
        case 's': o.peer_port[SUBSCRIBER] = (int)strtol(optarg, NULL, 10); break;
        case 'v': o.peer_port[VNFM] = (int)strtol(optarg, NULL, 10); break;
        case 'n': o.n = strtol(optarg, NULL, 10); break;
        case 'g': o.gap_ms = strtol(optarg, NULL, 10); break;
        default: exit(2);
        }
    }
    if (o.port <= 0 || o.token == NULL || o.peer_port[SUBSCRIBER] <= 0 ||
        o.peer_port[VNFM] <= 0 || o.n <= 0 || o.n > EVENTS_MAX) {
        (void)fprintf(stderr, "usage: bench_event --port N --token T --subscriber-port N "
                              "--vnfm-port N [--n 300] [--gap-ms 20]\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct listener listeners[N_PEERS];
    pthread_t thread;
    int one = 1;

    read_options(argc, argv);
    for (int p = 0; p < N_PEERS; p++) {
        listeners[p] = (struct listener){listen_on(o.peer_port[p]), p};
        HALE_ASSERT(pthread_create(&thread, NULL, accept_all, &listeners[p]) == 0);
    }
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)o.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        perror("connect");
        return 1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (long k = 0; k < o.n; k++) {
        post_event(fd, k);
        while ((arrived_us[SUBSCRIBER][k] == 0 || arrived_us[VNFM][k] == 0) &&
               hale_clock_wall_us() - sent_us[k] < WAIT_US)
            pause_us(1000);
        pause_us(o.gap_ms * 1000);
    }
    putchar('{');
    report("subscriber", SUBSCRIBER, o.n);
    putchar(',');
    report("vnfm", VNFM, o.n);
    puts("}");
    return 0;
}
