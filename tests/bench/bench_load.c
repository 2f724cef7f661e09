/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_load - offers a collector samples over HTTP and reports what it acknowledged, as one line of JSON.
 *   bench_load --port N --token T [--series 10000] [--batch 1000] [--connections 4] [--rate 0]
 *              [--seconds 10] [--format json|influx|remote-write]
 * Series and bodies: load_body.h. rate 0 = as fast as the collector takes them, else samples/s; then a
 * request's latency counts from the time it was due (no coordinated omission). 503 and 429 are counted
 * and the batch is sent again after Retry-After's shortest form, 50 ms. cpu_seconds is the generator's own.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "load_body.h"

#define LATENCIES_MAX 1000000

struct options {
    int port;
    const char *token;
    enum load_format format;
    long series, batch, connections, rate, seconds;
};
struct worker {
    pthread_t thread;
    const struct options *o;
    struct load_body *bodies;
    long n_bodies;
    int fd;
    int64_t acked, refused, errors;
    int64_t *latencies_us;
    size_t n_latencies;
    uint32_t noise;
};

static atomic_int_fast64_t next_body;
static int64_t start_us;
static double start_cpu;

static double cpu_seconds(void)
{
    struct timespec t;
    HALE_ASSERT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void render(struct load_body *b, const struct options *o, long first)
{
    b->format = o->format;
    load_body_render(b, o->token, first,
                     first + o->batch <= o->series ? o->batch : o->series - first);
}

static int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        perror("connect");
        exit(1);
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* Sends the body and returns the status, or 0 when the connection broke. */
static int post(struct worker *w, const struct load_body *b)
{
    char answer[4096];
    size_t done = 0, got = 0;
    while (done < b->text.len) {
        ssize_t n = send(w->fd, b->text.p + done, b->text.len - done, MSG_NOSIGNAL);
        if (n <= 0)
            return 0;
        done += (size_t)n;
    }
    for (;;) {
        ssize_t n = recv(w->fd, answer + got, sizeof(answer) - 1 - got, 0);
        if (n <= 0)
            return 0;
        got += (size_t)n;
        answer[got] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        if (end == NULL)
            continue;
        const char *length = strcasestr(answer, "Content-Length:");
        size_t body = length != NULL && length < end ? strtoul(length + 15, NULL, 10) : 0;
        if (got >= (size_t)(end + 4 - answer) + body)
            return (int)strtol(answer + 9, NULL, 10);
        if (got == sizeof(answer) - 1)
            return 0;
    }
}

static void pause_us(int64_t us)
{
    const struct timespec t = {us / 1000000, us % 1000000 * 1000};
    (void)nanosleep(&t, NULL);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    const struct options *o = w->o;
    w->fd = dial(o->port);
    for (;;) {
        int64_t k = atomic_fetch_add(&next_body, 1);
        /* A worker owns every n-th body, so that no two patch the same bytes. */
        struct load_body *b = &w->bodies[(k / o->connections) % w->n_bodies];
        int64_t due_us = start_us;
        if (o->rate > 0)
            due_us += k * o->batch * 1000000 / o->rate;
        int64_t now_us = hale_clock_mono_us();
        if (due_us > now_us)
            pause_us(due_us - now_us);
        else if (o->rate == 0)
            due_us = now_us;
        if (hale_clock_mono_us() - start_us >= o->seconds * 1000000)
            return NULL;
        load_body_patch(b, hale_clock_wall_ms(), &w->noise);
        int status = post(w, b);
        while (status == 503 || status == 429) {
            w->refused++;
            pause_us(50000);
            status = post(w, b);
        }
        if (status != 204) {
            w->errors++;
            (void)close(w->fd);
            w->fd = dial(o->port);
            continue;
        }
        w->acked += b->n;
        if (w->n_latencies < LATENCIES_MAX)
            w->latencies_us[w->n_latencies++] = hale_clock_mono_us() - due_us;
    }
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The value below which percent of the sorted values lie, in milliseconds; 0 when there is none. */
static double percentile_ms(const int64_t *sorted, size_t n, size_t percent)
{
    size_t i = n * percent / 100;
    return n == 0 ? 0 : (double)sorted[i < n ? i : n - 1] / 1e3;
}

static void report(struct worker *workers, const struct options *o, int64_t took_us)
{
    int64_t acked = 0, refused = 0, errors = 0;
    size_t n = 0;
    for (long i = 0; i < o->connections; i++)
        n += workers[i].n_latencies;
    int64_t *all = hale_xcalloc(n + 1, sizeof(*all));
    n = 0;
    for (long i = 0; i < o->connections; i++) {
        acked += workers[i].acked;
        refused += workers[i].refused;
        errors += workers[i].errors;
        memcpy(all + n, workers[i].latencies_us, workers[i].n_latencies * sizeof(*all));
        n += workers[i].n_latencies;
    }
    qsort(all, n, sizeof(*all), by_value);
    printf("{\"acked\":%" PRId64
           ",\"seconds\":%.3f,\"samples_per_second\":%.0f,\"refused\":%" PRId64
           ",\"errors\":%" PRId64
           ",\"cpu_seconds\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
           acked, (double)took_us / 1e6, (double)acked * 1e6 / (double)took_us, refused,
           errors, cpu_seconds() - start_cpu, percentile_ms(all, n, 50),
           percentile_ms(all, n, 99), percentile_ms(all, n, 100));
    free(all);
}

static long number(const char *text)
{
    char *end;
    long v = strtol(text, &end, 10);
    if (end == text || *end != '\0' || v < 0) {
        (void)fprintf(stderr, "bench_load: '%s' is not a number\n", text);
        exit(2);
    }
    return v;
}

static struct options read_options(int argc, char **argv)
{
    static const struct option longs[] = {{"port", 1, NULL, 'p'},
                                          {"token", 1, NULL, 't'},
                                          {"series", 1, NULL, 's'},
                                          {"batch", 1, NULL, 'b'},
                                          {"connections", 1, NULL, 'c'},
                                          {"rate", 1, NULL, 'r'},
                                          {"seconds", 1, NULL, 'd'},
                                          {"format", 1, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    struct options o = {.series = 10000, .batch = 1000, .connections = 4, .seconds = 10};
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'p': o.port = (int)number(optarg); break;
        case 't': o.token = optarg; break;
        case 's': o.series = number(optarg); break;
        case 'b': o.batch = number(optarg); break;
        case 'c': o.connections = number(optarg); break;
        case 'r': o.rate = number(optarg); break;
        case 'd': o.seconds = number(optarg); break;
        case 'f': o.format = load_format_of(optarg); break;
        default: exit(2);
        }
    }
    if (o.port == 0 || o.token == NULL || o.series == 0 || o.batch == 0 ||
        o.connections == 0 || o.format == LOAD_FORMATS) {
        (void)fprintf(stderr,
                      "usage: bench_load --port N --token T [--series N] [--batch N] "
                      "[--connections N] [--rate SAMPLES_PER_S] [--seconds N] "
                      "[--format json|influx|remote-write]\n");
        exit(2);
    }
    return o;
}

int main(int argc, char **argv)
{
    const struct options o = read_options(argc, argv);
    struct worker *workers = hale_xcalloc((unsigned long)o.connections, sizeof(*workers));
    long n_bodies = (o.series + o.batch - 1) / o.batch;

    for (long i = 0; i < o.connections; i++) {
        struct worker *w = &workers[i];
        *w = (struct worker){.o = &o, .noise = (uint32_t)i + 1};
        w->latencies_us = hale_xcalloc(LATENCIES_MAX, sizeof(int64_t));
        w->bodies = hale_xcalloc((unsigned long)n_bodies, sizeof(struct load_body));
        for (long k = i; k < n_bodies; k += o.connections)
            render(&w->bodies[w->n_bodies++], &o, k * o.batch);
        if (w->n_bodies ==
            0) /* fewer batches than connections: share the last one's series */
            render(&w->bodies[w->n_bodies++], &o, (n_bodies - 1) * o.batch);
    }
    start_cpu = cpu_seconds();
    start_us = hale_clock_mono_us();
    for (long i = 0; i < o.connections; i++)
        HALE_ASSERT(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    for (long i = 0; i < o.connections; i++)
        (void)pthread_join(workers[i].thread, NULL);
    report(workers, &o, hale_clock_mono_us() - start_us);
    return 0;
}
