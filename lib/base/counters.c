/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters - the registry is one list kept sorted by name (then by order of
 * registration), so that rendering needs no memory of its own.
 */
#include "base/counters.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"

#ifndef HALE_VERSION
#define HALE_VERSION "unknown"
#endif

static const int64_t bounds_us[HALE_HISTOGRAM_BUCKETS] = HALE_HISTOGRAM_BOUNDS_US;

static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct hale_counter
    *registry; /* guarded by registry_mutex, as are the next fields */

void hale_counter_register(struct hale_counter *c)
{
    HALE_ASSERT(c->name != NULL && c->help != NULL);
    (void)pthread_mutex_lock(&registry_mutex);
    struct hale_counter **at = &registry;
    while (*at != NULL && *at != c && strcmp((*at)->name, c->name) <= 0)
        at = &(*at)->next;
    if (*at != c) {
        c->next = *at;
        *at = c;
    }
    (void)pthread_mutex_unlock(&registry_mutex);
}

void hale_counter_register_all(struct hale_counter *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hale_counter_register(&c[i]);
}

void hale_counter_add(struct hale_counter *c, int64_t n)
{
    (void)atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

void hale_counter_set(struct hale_counter *c, int64_t v)
{
    atomic_store_explicit(&c->value, v, memory_order_relaxed);
}

int64_t hale_counter_get(struct hale_counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

void hale_counter_observe_us(struct hale_counter *c, int64_t us)
{
    unsigned i = 0;
    if (us < 0)
        us = 0;
    while (i < HALE_HISTOGRAM_BUCKETS && us > bounds_us[i])
        i++;
    if (i < HALE_HISTOGRAM_BUCKETS)
        (void)atomic_fetch_add_explicit(&c->bucket[i], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&c->sum_us, us, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&c->value, 1, memory_order_relaxed);
}

static void render_head(struct hale_buf *out, const char *name, const char *type,
                        const char *help)
{
    hale_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const char *type_name(enum hale_counter_type type)
{
    switch (type) {
    case HALE_COUNTER: return "counter";
    case HALE_GAUGE: return "gauge";
    case HALE_HISTOGRAM: return "histogram";
    }
    return "untyped";
}

static void render_seconds(struct hale_buf *out, int64_t us)
{
    hale_buf_printf(out, "%lld.%06lld\n", (long long)(us / 1000000),
                    (long long)(us % 1000000));
}

/* name<suffix>{labels} and a blank */
static void render_series(struct hale_buf *out, const struct hale_counter *c,
                          const char *suffix)
{
    if (c->labels != NULL)
        hale_buf_printf(out, "%s%s{%s} ", c->name, suffix, c->labels);
    else
        hale_buf_printf(out, "%s%s ", c->name, suffix);
}

static void render_bucket(struct hale_buf *out, const struct hale_counter *c,
                          const char *le, int64_t count)
{
    hale_buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %lld\n", c->name,
                    c->labels != NULL ? c->labels : "", c->labels != NULL ? "," : "", le,
                    (long long)count);
}

static void render_histogram(struct hale_buf *out, struct hale_counter *c)
{
    int64_t below = 0;
    for (unsigned i = 0; i < HALE_HISTOGRAM_BUCKETS; i++) {
        char le[32];
        (void)snprintf(le, sizeof(le), "%.9g", (double)bounds_us[i] / 1e6);
        below += atomic_load_explicit(&c->bucket[i], memory_order_relaxed);
        render_bucket(out, c, le, below);
    }
    /* An observation may be half in; buckets must not fall. */
    int64_t count = hale_counter_get(c);
    if (count < below)
        count = below;
    render_bucket(out, c, "+Inf", count);
    render_series(out, c, "_sum");
    render_seconds(out, atomic_load_explicit(&c->sum_us, memory_order_relaxed));
    render_series(out, c, "_count");
    hale_buf_printf(out, "%lld\n", (long long)count);
}

/* Second number of /proc/self/statm, in pages. */
static int64_t resident_bytes(void)
{
    char line[128];
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return 0;
    const char *text = fgets(line, sizeof(line), f);
    (void)fclose(f);
    const char *second = text != NULL ? strchr(text, ' ') : NULL;
    return second != NULL ? strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

static int64_t cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void render_process(struct hale_buf *out, const char *daemon_name)
{
    render_head(out, "process_resident_memory_bytes", "gauge",
                "Resident memory size in bytes.");
    hale_buf_printf(out, "process_resident_memory_bytes %lld\n",
                    (long long)resident_bytes());
    render_head(out, "process_cpu_seconds_total", "counter",
                "User and system processor time spent in seconds.");
    hale_buf_add_c(out, "process_cpu_seconds_total ");
    render_seconds(out, cpu_us());
    render_head(out, "hale_build_info", "gauge", "Always 1; the labels say what runs.");
    hale_buf_printf(out, "hale_build_info{version=\"%s\",daemon=\"%s\"} 1\n",
                    HALE_VERSION, daemon_name);
}

void hale_counter_render(struct hale_buf *out, const char *daemon_name)
{
    const char *last = NULL;

    (void)pthread_mutex_lock(&registry_mutex);
    for (struct hale_counter *c = registry; c != NULL; c = c->next) {
        if (last == NULL || strcmp(last, c->name) != 0)
            render_head(out, c->name, type_name(c->type), c->help);
        last = c->name;
        if (c->type == HALE_HISTOGRAM) {
            render_histogram(out, c);
        } else {
            render_series(out, c, "");
            hale_buf_printf(out, "%lld\n", (long long)hale_counter_get(c));
        }
    }
    (void)pthread_mutex_unlock(&registry_mutex);
    render_process(out, daemon_name);
}
