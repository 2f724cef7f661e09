/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_collector_store - what a collector finds after days of work, written by its own code before it
 * starts: series of bench_load, raw samples of the last hours, and a real archive.
 *   bench_collector_store --config FILE --tenant T --series N [--hosts 100] [--days 1] [--step 10]
 * Of each of the first `hosts` hosts the series of its first device (20) have one sample every step
 * seconds for all days: chunk by chunk they go to Redis and from there through the archive's passes into
 * files. All series have them for hot_retention, in chunks. Prints one line of JSON. Redis has to be empty.
 */
#include <endian.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "collector/archive.h"
#include "collector/catalog.h"
#include "collector/config.h"
#include "collector/hot.h"
#include "collector/store_load.h"
#include "model/series.h"
#include "store/keys.h"

#define PER_HOST   100 /* as load_body.c has them */
#define PER_DEVICE 20
#define PIPELINE   5000

struct options {
    const char *config, *tenant;
    long series, hosts, days, step;
};
struct world {
    struct options o;
    struct collector c;
    struct hale_redis *redis;
    struct collector_series **series; /* all */
    unsigned pending;
    size_t chunks;
    int64_t now_ms;
};

static void must(enum hale_rc rc, const char *what)
{
    if (rc == HALE_OK)
        return;
    (void)fprintf(stderr, "bench_collector_store: %s: %s\n", what, hale_rc_text(rc));
    exit(1);
}

static double cpu_seconds(void)
{
    struct timespec t;
    HALE_ASSERT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void drain(struct world *w)
{
    for (; w->pending > 0; w->pending--) {
        struct hale_reply *reply = NULL;
        must(hale_redis_reply(w->redis, &reply), "Redis");
        HALE_ASSERT(!hale_reply_is_error(reply));
        hale_reply_free(reply);
    }
}

static void sent(struct world *w, enum hale_rc rc)
{
    must(rc, "Redis");
    if (++w->pending == PIPELINE)
        drain(w);
}

/* --- series ----------------------------------------------------------------------------- */

static void make_series(struct world *w, long i)
{
    char host[48], tenant[16], device[16], name[32], key[HALE_KEY_MAX];
    struct hale_buf text;

    (void)snprintf(host, sizeof(host), "compute-%06ld.example.net", i / PER_HOST);
    (void)snprintf(tenant, sizeof(tenant), "tenant-%02ld", i / PER_HOST % 7);
    (void)snprintf(device, sizeof(device), "dev%ld", i / PER_DEVICE % 5);
    (void)snprintf(name, sizeof(name), "bench.metric_%02ld", i % PER_DEVICE);
    struct hale_series s = {
        .tenant = hale_str_from(w->o.tenant),
        .region = hale_str_from(w->c.conf->region),
        .name = hale_str_from(name),
        .n_dims = 5,
        .dims = {{HALE_STR("device"), hale_str_from(device)},
                 {HALE_STR("hostname"), hale_str_from(host)},
                 {HALE_STR("region"), HALE_STR("RegionOne")},
                 {HALE_STR("service"), HALE_STR("compute")},
                 {HALE_STR("tenant"), hale_str_from(tenant)}},
    };
    hale_buf_init(&text, 4096);
    must(hale_series_encode(&s, &text), "series");
    must(collector_catalog_put(w->c.catalog, hale_buf_str(&text), COLLECTOR_SERIES_STORED,
                               &w->series[i]),
         "catalogue");
    hale_buf_fini(&text);
    uint64_t id = htobe64(w->series[i]->id);
    sent(w, HALE_REDIS(w->redis, HALE_STR("HSETNX"),
                       hale_str_from(hale_keys_series(w->series[i]->shard, key)),
                       ((struct hale_str){(const char *)&id, sizeof(id)}),
                       collector_series_text(w->series[i])));
}

/* --- samples ---------------------------------------------------------------------------- */

/* A chunk of one series as a flush leaves it. Only series with samples in [first, last) of the wall
 * clock are archived, so both are noted. */
static void put_chunk(struct world *w, struct collector_series *s, int64_t chunk)
{
    static char
        block[COLLECTOR_FRAME_MAX + COLLECTOR_SAMPLE_MAX * (COLLECTOR_CHUNK_MS / 1000)];
    struct collector_hot_coder coder;
    char key[HALE_KEY_MAX], when[32];
    char *end = block + COLLECTOR_FRAME_MAX;
    int64_t base_ms = chunk * COLLECTOR_CHUNK_MS;
    uint32_t noise = (uint32_t)(s->id ^ (uint64_t)chunk);
    int64_t last_ms = base_ms;

    collector_hot_coder_init(&coder, base_ms);
    for (int64_t t = base_ms; t < base_ms + COLLECTOR_CHUNK_MS && t < w->now_ms;
         t += w->o.step * 1000) {
        noise = noise * 1664525u + 1013904223u;
        end += collector_hot_sample_put(end, &coder, t,
                                        (double)(10000 + (noise >> 8) % 90000) / 100);
        last_ms = t;
    }
    char *body = block + COLLECTOR_FRAME_MAX;
    if (end == body)
        return;
    char *framed = collector_hot_frame(body, (uint32_t)(end - body));
    collector_series_seen(s, base_ms);
    collector_series_seen(s, last_ms);
    struct hale_str name = hale_str_from(hale_keys_hot(s->shard, s->id, chunk, key));
    sent(w, HALE_REDIS(w->redis, HALE_STR("APPEND"), name,
                       ((struct hale_str){framed, (size_t)(end - framed)})));
    (void)snprintf(when, sizeof(when), "%" PRId64,
                   (w->now_ms + w->c.conf->archive_backlog_ms) / 1000);
    sent(w, HALE_REDIS(w->redis, HALE_STR("EXPIREAT"), name, hale_str_from(when)));
    w->chunks++;
}

static bool in_archive(const struct world *w, long i)
{
    return i / PER_HOST < w->o.hosts && i % PER_HOST < PER_DEVICE;
}

/* Lets the archive do what is due at a time, as its thread would. */
static void archive(struct world *w, int64_t now_ms)
{
    const struct hale_stream_id read[HALE_SHARDS_MAX] = {{0, 0}};
    int64_t drained_ms[HALE_SHARDS_MAX];
    int64_t pace_ms = now_ms; /* the thread spreads a chunk over its length */

    for (unsigned s = 0; s < HALE_SHARDS_MAX; s++)
        drained_ms[s] = now_ms;
    const struct collector_hot_input in = {read, drained_ms, now_ms};
    must(collector_hot_flush(w->c.hot, w->redis, &in, true), "flush");
    int64_t due_ms = now_ms - w->c.conf->archive_delay_ms;
    for (unsigned s = 0; s < (unsigned)w->c.conf->shards; s++) {
        while (collector_archive_end_ms(w->c.archive, s) + COLLECTOR_CHUNK_MS <= due_ms) {
            pace_ms += collector_archive_step(w->c.archive, w->redis, pace_ms);
            if (pace_ms > now_ms + INT64_C(86400000))
                must(HALE_E_IO, "the archive makes no progress; see its log lines");
        }
    }
}

static void fill_archive(struct world *w)
{
    int64_t begin_ms = w->now_ms - w->o.days * INT64_C(86400000);
    int64_t begin = collector_chunk_of(begin_ms);
    int64_t hot = collector_chunk_of(w->now_ms - w->c.conf->hot_retention_ms);

    w->c.hot = collector_hot_new(&w->c, begin_ms);
    w->c.archive = collector_archive_new(&w->c);
    must(collector_archive_load(w->c.archive, w->redis, begin_ms), "archive");
    for (int64_t chunk = begin; chunk <= collector_chunk_of(w->now_ms); chunk++) {
        for (long i = 0; i < w->o.series; i++)
            if (in_archive(w, i))
                put_chunk(w, w->series[i], chunk);
        drain(w);
        /* Before archive_delay has passed, senders are thought to bring what they kept. */
        if ((chunk + 1) * COLLECTOR_CHUNK_MS <= w->now_ms &&
            (chunk + 1) * COLLECTOR_CHUNK_MS >= begin_ms + w->c.conf->archive_delay_ms)
            archive(w, (chunk + 1) * COLLECTOR_CHUNK_MS);
    }
    archive(w, w->now_ms);
    for (int64_t chunk = hot; chunk <= collector_chunk_of(w->now_ms); chunk++)
        for (long i = 0; i < w->o.series; i++)
            if (!in_archive(w, i))
                put_chunk(w, w->series[i], chunk);
    drain(w);
}

static void read_options(int argc, char **argv, struct options *o)
{
    static const struct option LONG[] = {{"config", required_argument, NULL, 'c'},
                                         {"tenant", required_argument, NULL, 't'},
                                         {"series", required_argument, NULL, 's'},
                                         {"hosts", required_argument, NULL, 'h'},
                                         {"days", required_argument, NULL, 'd'},
                                         {"step", required_argument, NULL, 'p'},
                                         {NULL, 0, NULL, 0}};
    int c;

    *o = (struct options){.hosts = 100, .days = 1, .step = 10};
    while ((c = getopt_long(argc, argv, "", LONG, NULL)) != -1) {
        switch (c) {
        case 'c': o->config = optarg; break;
        case 't': o->tenant = optarg; break;
        case 's': o->series = strtol(optarg, NULL, 10); break;
        case 'h': o->hosts = strtol(optarg, NULL, 10); break;
        case 'd': o->days = strtol(optarg, NULL, 10); break;
        case 'p': o->step = strtol(optarg, NULL, 10); break;
        default: exit(2);
        }
    }
    if (o->config == NULL || o->tenant == NULL || o->series < 1 || o->step < 1 ||
        o->days < 1) {
        (void)fprintf(stderr,
                      "bench_collector_store: --config, --tenant and --series are "
                      "required; --step and --days are at least 1\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct world w;
    struct hale_err err = {0};
    void *conf = NULL;
    char text[512];

    read_options(argc, argv, &w.o);
    if (collector_config_load(w.o.config, &conf, &err) != HALE_OK) {
        (void)fprintf(stderr, "%s\n", hale_err_str(&err, text, sizeof(text)));
        return 1;
    }
    w.c.conf = conf;
    w.now_ms = hale_clock_wall_ms();
    w.c.catalog =
        collector_catalog_new((size_t)w.c.conf->max_series, (unsigned)w.c.conf->shards);
    w.redis = hale_redis_new(w.c.conf->redis, 60000);
    w.series = hale_xcalloc((size_t)w.o.series, sizeof(struct collector_series *));
    HALE_ASSERT(w.c.catalog != NULL && w.redis != NULL);
    double began = cpu_seconds();
    for (long i = 0; i < w.o.series; i++)
        make_series(&w, i);
    drain(&w);
    fill_archive(&w);
    collector_save_seen(&w.c);
    (void)printf("{\"series\": %ld, \"chunks\": %zu, \"archived_until_ms\": %" PRId64
                 ", \"cpu_seconds\": %.1f}\n",
                 w.o.series, w.chunks, collector_archive_end_ms(w.c.archive, 0),
                 cpu_seconds() - began);
    collector_archive_free(w.c.archive);
    collector_hot_free(w.c.hot);
    collector_catalog_free(w.c.catalog);
    hale_redis_free(w.redis);
    free(w.series);
    collector_config_free(conf);
    return 0;
}
