/* SPDX-License-Identifier: Apache-2.0 */
/* Hot store, archive and reader together, against a list of all samples: a real Redis, real files,
 * days of virtual time, late, doubled, future and out-of-order samples, crashes in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "collector/archive.h"
#include "collector/buckets.h"
#include "collector/hot.h"
#include "collector/reader.h"
#include "collector/stats.h"
#include "collector/storage_model.h"
#include "collector/store_load.h"
#include "collector/tiers.h"
#include "store/keys.h"
#include "store/redis_fixture.h"

#define SERIES    21
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   INT64_C(3600000)
#define ENTRY_MAX 64

static struct redis_fixture fixture;
static uint64_t seed;

static uint64_t roll(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

struct entry { /* of the stream */
    struct hale_stream_id id;
    struct hale_buf bytes;
};
struct world {
    char dir[64];
    struct collector c;
    struct collector_config conf;
    struct collector_series *series[SERIES];
    struct hale_redis *redis;
    struct entry *stream;
    size_t n_stream, cap_stream;
    struct hale_stream_id read[HALE_SHARDS_MAX];
    int64_t drained_ms[HALE_SHARDS_MAX];
    struct collector_lateness lateness;
    struct model model;
    struct hale_batch *batch;
    int64_t now_ms; /* virtual wall clock */
    uint64_t seq;
};

static void series_text(unsigned i, struct hale_buf *out)
{
    char host[16];
    char name[16];
    struct hale_series s = {
        .tenant = HALE_STR("t"),
        .region = HALE_STR("r"),
        .n_dims = 1,
    };

    (void)snprintf(host, sizeof(host), "h%u", i % 3);
    (void)snprintf(name, sizeof(name), i == 20 ? "raw.%u" : "m.%u", i);
    s.name = hale_str_from(name);
    s.dims[0] = (struct hale_dim){HALE_STR("hostname"), hale_str_from(host)};
    hale_buf_init(out, 1000);
    assert_int_equal(hale_series_encode(&s, out), HALE_OK);
}

static void unknown(struct collector_series *s, const struct hale_series *text, void *arg)
{
    (void)text;
    atomic_store(&s->first_ms, INT64_MIN + 1);
    atomic_store(&s->last_ms, ((struct world *)arg)->now_ms + 3 * HOUR_MS);
}

/* Everything a start makes and loads; what was in memory before is gone. */
static void start(struct world *w)
{
    w->c = (struct collector){.conf = &w->conf};
    w->c.catalog = collector_catalog_new(1000, 1);
    assert_non_null(w->c.catalog);
    for (unsigned i = 0; i < SERIES; i++) {
        struct hale_buf text;
        series_text(i, &text);
        assert_int_equal(collector_catalog_put(w->c.catalog, hale_buf_str(&text),
                                               COLLECTOR_SERIES_STORED, &w->series[i]),
                         HALE_OK);
        hale_buf_fini(&text);
    }
    w->c.hot = collector_hot_new(&w->c, w->now_ms);
    w->c.archive = collector_archive_new(&w->c);
    assert_int_equal(collector_load_position(w->redis, 0, "hot", &w->read[0]), HALE_OK);
    collector_hot_set_done(w->c.hot, 0, w->read[0]);
    assert_int_equal(collector_archive_load(w->c.archive, w->redis, w->now_ms), HALE_OK);
    if (roll(2) == 0) /* series.seen is lost in half of the cases */
        collector_load_seen(&w->c, w->now_ms);
    else if (w->n_stream > 0)
        collector_catalog_all(w->c.catalog, unknown, w);
}

static void crash(struct world *w)
{
    collector_archive_free(w->c.archive);
    collector_hot_free(w->c.hot);
    collector_catalog_free(w->c.catalog);
}

static struct collector_series *resolve(void *arg, unsigned shard, uint64_t id)
{
    (void)shard;
    return collector_catalog_find(arg, id);
}

/* The store thread's reading: everything behind the position. */
static void read_stream(struct world *w)
{
    for (size_t i = 0; i < w->n_stream; i++) {
        struct hale_batch_view v;
        if (hale_stream_id_cmp(w->stream[i].id, w->read[0]) <= 0)
            continue;
        assert_int_equal(hale_batch_open(hale_buf_str(&w->stream[i].bytes), &v), HALE_OK);
        struct collector_hot_entry e = {.arrival_ms = (int64_t)w->stream[i].id.ms,
                                        .view = &v,
                                        .resolve = resolve,
                                        .arg = w->c.catalog};
        assert_int_equal(collector_hot_take(w->c.hot, &e), HALE_OK);
        assert_int_equal(e.orphans, 0);
        w->read[0] = w->stream[i].id;
    }
    w->drained_ms[0] = w->now_ms;
}

static void post(struct world *w)
{
    if (w->n_stream == w->cap_stream) {
        w->cap_stream = w->cap_stream > 0 ? 2 * w->cap_stream : 1024;
        w->stream = realloc(w->stream, w->cap_stream * sizeof(w->stream[0]));
        assert_non_null(w->stream);
    }
    struct entry *e = &w->stream[w->n_stream++];
    e->id = (struct hale_stream_id){(uint64_t)w->now_ms, w->seq++};
    hale_buf_init(&e->bytes, 1u << 20);
    assert_int_equal(hale_batch_encode(w->batch, w->now_ms * 1000, &e->bytes), HALE_OK);
    hale_batch_reset(w->batch);
}

static void add(struct world *w, unsigned series, int64_t time_ms, double value)
{
    const struct model_sample s = {series, time_ms, w->now_ms, value,
                                   collector_chunk_of(time_ms) <
                                       collector_lateness_first(&w->lateness, w->now_ms)};

    assert_int_equal(hale_batch_add(w->batch, w->series[series]->id, time_ms, value,
                                    (struct hale_str){NULL, 0}),
                     HALE_OK);
    model_add(&w->model, &s);
}

/* Mostly regular; late within the delay, too late, in the future, the same time twice. */
static void send_some(struct world *w)
{
    for (unsigned i = 0; i < 30; i++) {
        unsigned s = (unsigned)roll(SERIES);
        int64_t t = w->now_ms - (int64_t)roll(3 * (uint64_t)MINUTE_MS);
        if (s == 3 && w->now_ms / HOUR_MS % 3 != 0)
            continue; /* falls silent for hours */
        switch (roll(20)) {
        case 0: t -= (int64_t)roll(30 * (uint64_t)MINUTE_MS); break;
        case 1: t -= (int64_t)roll(9 * (uint64_t)HOUR_MS); break;
        case 2: t += (int64_t)roll(2 * (uint64_t)HOUR_MS); break;
        case 3: t = t / 60000 * 60000; break;
        case 4: t = t / 600000 * 600000; break;
        case 5: t = t / 600000 * 600000 - 1; break;
        case 6: t = -(int64_t)roll(1000000); break;
        default: break;
        }
        add(w, s, t, (double)(int64_t)roll(4000) / 4 - 500);
    }
    if (hale_batch_n(w->batch) > 0)
        post(w);
}

static void flush(struct world *w, bool whole)
{
    const struct collector_hot_input in = {w->read, w->drained_ms, w->now_ms};

    assert_int_equal(collector_hot_flush(w->c.hot, w->redis, &in, whole), HALE_OK);
}

static void archive(struct world *w, unsigned steps)
{
    while (steps-- > 0 && collector_archive_step(w->c.archive, w->redis, w->now_ms) == 0)
        ;
}

/* Redis keeps real time, so what has expired by virtual time is removed by hand. */
static void expire(struct world *w)
{
    struct hale_reply *reply = NULL;

    assert_int_equal(HALE_REDIS_CMD(w->redis, &reply, HALE_STR("KEYS"),
                                    HALE_STR("hale:{s0}:[hl]*:*:*")),
                     HALE_OK);
    for (size_t i = 0; i < hale_reply_n(reply); i++) {
        struct hale_str key = hale_reply_str(hale_reply_at(reply, i));
        const char *colon = strrchr(key.p, ':');
        int64_t end_ms = (strtoll(colon + 1, NULL, 10) + 1) * COLLECTOR_CHUNK_MS;
        bool late = strstr(key.p, ":late:") != NULL;
        if (end_ms + w->conf.hot_retention_ms > w->now_ms ||
            (!late && end_ms > collector_archive_end_ms(w->c.archive, 0)))
            continue;
        struct hale_reply *one = NULL;
        assert_int_equal(HALE_REDIS_CMD(w->redis, &one, HALE_STR("DEL"), key), HALE_OK);
        hale_reply_free(one);
    }
    hale_reply_free(reply);
}

static int64_t cut(const struct world *w, unsigned series)
{
    int64_t window_ms = (collector_chunk_of(w->now_ms - w->conf.hot_retention_ms) + 1) *
                        COLLECTOR_CHUNK_MS;
    int64_t archived_ms = collector_archive_end_ms(w->c.archive, 0);

    return archived_ms < window_ms && series != 20 ? archived_ms : window_ms;
}

/* The series' points, read alone or among all others. */
static void read_among(struct world *w, unsigned series, const struct collector_range *r,
                       struct collector_points *out)
{
    struct collector_series *some[4 * SERIES];
    size_t n = roll(3) == 0 ? 1 : 1 + (size_t)roll(4 * SERIES);
    size_t at = (size_t)roll(n);

    for (size_t i = 0; i < n; i++)
        some[i] = w->series[i == at ? series : roll(SERIES)];
    struct collector_reading *reading =
        collector_reading_new(&w->c, w->redis, some, n, r, w->now_ms);
    assert_non_null(reading);
    for (size_t i = 0; i <= at; i++) /* what follows is left unread */
        assert_int_equal(collector_reading_next(reading, out), HALE_OK);
    collector_reading_free(reading);
}

/* Asks for [start, end) by periods and compares every bucket; returns how many had samples. */
static size_t compare(struct world *w, unsigned series, int64_t start_ms, int64_t end_ms,
                      int64_t period_s)
{
    struct collector_points p;
    struct collector_buckets b;
    const struct collector_range r = {start_ms, end_ms, period_s, roll(2) == 0};
    size_t k = 0;

    collector_points_init(&p, 1000000);
    read_among(w, series, &r, &p);
    if (p.step_s > period_s)
        period_s = p.step_s;
    collector_buckets_init(&b, period_s);
    collector_buckets_add(&b, &p);
    collector_buckets_settle(&b);
    int64_t cut_ms = cut(w, series);
    for (int64_t t = collector_chunk_of(start_ms) * COLLECTOR_CHUNK_MS / 1000 / period_s *
                     period_s;
         t * 1000 < end_ms; t += period_s) {
        struct model_question q = {
            series,   t * 1000, (t + period_s) * 1000, cut_ms, w->conf.hot_retention_ms,
            w->now_ms};
        if (q.start_ms < start_ms)
            q.start_ms = start_ms;
        if (q.end_ms > end_ms)
            q.end_ms = end_ms;
        if (series == 20 && q.start_ms < cut_ms)
            continue; /* not archived: gone, but for late ones */
        while (series == 20 && k < b.n && b.v[k].start_s < t)
            k++;
        struct model_bucket want = model_ask(&w->model, &q);
        if (want.n == 0) {
            assert_true(k == b.n || b.v[k].start_s != t);
            continue;
        }
        assert_true(k < b.n);
        if (b.v[k].start_s != t || b.v[k].weight != want.n)
            print_message(
                "series %u period %lld at %lld cut %lld now %lld: %lld has %g, want "
                "%g\n",
                series, (long long)period_s, (long long)t, (long long)(cut_ms / 1000),
                (long long)(w->now_ms / 1000), (long long)b.v[k].start_s, b.v[k].weight,
                want.n);
        assert_true(b.v[k].start_s == t);
        assert_true(b.v[k].weight == want.n);
        /* Coarse rows keep sums as averages over steps: rounding, nothing more. */
        assert_true(fabs(b.v[k].sum - want.sum) <= 1e-9 * want.n);
        assert_true((r.sums && p.step_s > 0) ||
                    (b.v[k].min == want.min && b.v[k].max == want.max));
        k++;
    }
    if (series != 20)
        assert_int_equal(k, b.n);
    assert_true((p.step_s == 0) == (p.coarse_until_ms == INT64_MIN));
    assert_true(p.coarse_until_ms <= cut_ms);
    collector_buckets_fini(&b);
    collector_points_fini(&p);
    return k;
}

static size_t compare_some(struct world *w, int64_t begin_ms, unsigned n)
{
    static const int64_t PERIODS[] = {10, 60, 300, 600, 3600, 7200};
    size_t found = 0;

    expire(w);
    for (unsigned i = 0; i < n; i++) {
        unsigned s = (unsigned)roll(SERIES);
        int64_t a = begin_ms + (int64_t)roll((uint64_t)(w->now_ms - begin_ms));
        int64_t len = HOUR_MS + (int64_t)roll(6 * (uint64_t)HOUR_MS);
        a = a / HOUR_MS * HOUR_MS;
        found += compare(w, s, a, (a + len) / HOUR_MS * HOUR_MS, PERIODS[roll(6)]);
        /* Raw samples: any boundary. */
        a = cut(w, s) + (int64_t)roll(100 * (uint64_t)MINUTE_MS);
        found += compare(w, s, a, a + 1 + (int64_t)roll(3 * (uint64_t)HOUR_MS),
                         PERIODS[roll(6)]);
    }
    return found;
}

static void begin(struct world *w, uint64_t s, const char *tiers)
{
    struct hale_yaml *doc = NULL;
    struct hale_err err = {0};

    memset(w, 0, sizeof(*w));
    seed = s;
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/hale-storage-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->conf = (struct collector_config){
        .redis = fixture.url,
        .state_dir = w->dir,
        .shards = 1,
        .max_series = 1000,
        .hot_retention_ms = HOUR_MS,
        .hot_flush_ms = MINUTE_MS,
        .hot_memory = 1 << 20,
        .archive = true,
        .archive_delay_ms = 10 * MINUTE_MS,
        .archive_backlog_ms = 24 * HOUR_MS,
        .redis_timeout_ms = 5000,
    };
    assert_int_equal(hale_yaml_load(hale_str_from(tiers), "tiers", &doc, &err), HALE_OK);
    assert_int_equal(
        collector_tiers_read(hale_yaml_root(doc), HOUR_MS, &w->conf.tiers, &err),
        HALE_OK);
    hale_yaml_free(doc);
    w->batch = hale_batch_new();
    w->redis = hale_redis_new(fixture.url, 5000);
    assert_true(w->batch != NULL && w->redis != NULL);
    assert_int_equal(HALE_REDIS_CMD(w->redis, NULL, HALE_STR("FLUSHALL")), HALE_OK);
    w->now_ms = (hale_clock_wall_ms() / HOUR_MS + 1) * HOUR_MS;
    start(w);
    w->lateness = (struct collector_lateness){w->conf.archive_delay_ms, w->now_ms,
                                              collector_chunk_of(w->now_ms - HOUR_MS)};
}

static void finish(struct world *w)
{
    char command[128];

    crash(w);
    for (size_t i = 0; i < w->n_stream; i++)
        hale_buf_fini(&w->stream[i].bytes);
    free(w->stream);
    free(w->model.v);
    hale_batch_free(w->batch);
    collector_tiers_free(w->conf.tiers);
    hale_redis_free(w->redis);
    (void)snprintf(command, sizeof(command), "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
}

static const char TIERS[] = "- match: raw.*\n  tiers: none\n"
                            "- match: m.1*\n  tiers: [1m:3h, 10m:1d, 1h:20d]\n"
                            "- match: '*'\n  tiers: [10s:3h, 1m:12h, 10m:2d, 1h:20d]\n";

static void random_days(uint64_t from)
{
    struct world w;
    size_t found = 0;

    begin(&w, from, TIERS);
    int64_t begin_ms = w.now_ms;
    while (w.now_ms < begin_ms + 30 * HOUR_MS) {
        w.now_ms += (int64_t)roll(4 * (uint64_t)MINUTE_MS);
        send_some(&w);
        if (roll(40) == 0) {
            crash(&w);
            start(&w);
        }
        read_stream(&w);
        flush(&w, roll(4) == 0);
        archive(&w, roll(10) == 0 ? 3 : 1000);
        if (roll(30) == 0)
            expire(&w);
        if (roll(25) == 0)
            found += compare_some(&w, begin_ms - HOUR_MS, 4);
    }
    assert_true(found > 1000);
    assert_true(collector_archive_end_ms(w.c.archive, 0) > w.now_ms - 50 * MINUTE_MS);
    expire(&w);
    found = 0;
    for (unsigned s = 0; s < SERIES; s++)
        found += compare(&w, s, begin_ms - HOUR_MS, w.now_ms + 3 * HOUR_MS, 3600);
    assert_true(found > 20 * 30);
    finish(&w);
}

static void same_as_model(void **state)
{
    static const uint64_t SEEDS[] = {88172645463325252u, 1, 2026};

    if (*state == NULL)
        skip();
    for (size_t i = 0; i < sizeof(SEEDS) / sizeof(SEEDS[0]); i++)
        random_days(SEEDS[i]);
}

/* What senders kept while the collector was away is archived, unlike what simply comes late. */
static void after_an_outage(void **state)
{
    struct world w;

    if (*state == NULL)
        skip();
    begin(&w, 5, TIERS);
    int64_t begin_ms = w.now_ms;
    while (w.now_ms < begin_ms + 2 * HOUR_MS) {
        w.now_ms += MINUTE_MS;
        add(&w, 4, w.now_ms, 1);
        post(&w);
        read_stream(&w);
        flush(&w, false);
        archive(&w, 1000);
    }
    crash(&w);
    w.now_ms += 5 * HOUR_MS;
    start(&w);
    w.lateness.grace_ms = w.now_ms;
    w.lateness.grace_chunk =
        collector_archive_end_ms(w.c.archive, 0) / COLLECTOR_CHUNK_MS - 1;
    for (int64_t t = begin_ms + 2 * HOUR_MS; t < w.now_ms; t += MINUTE_MS)
        add(&w, 4, t, 2);
    post(&w);
    for (int64_t end_ms = w.now_ms + 3 * HOUR_MS; w.now_ms < end_ms;
         w.now_ms += MINUTE_MS) {
        read_stream(&w);
        flush(&w, false);
        archive(&w, 1000);
    }
    expire(&w);
    assert_int_equal(compare(&w, 4, begin_ms, begin_ms + 7 * HOUR_MS, 3600), 7);
    finish(&w);
}

/* Files that cannot be written cost nothing but time. */
static void failing_disk(void **state)
{
    struct world w;
    char path[96];

    if (*state == NULL)
        skip();
    begin(&w, 7, TIERS);
    int64_t begin_ms = w.now_ms;
    (void)snprintf(path, sizeof(path), "%s/archive", w.dir);
    FILE *f = fopen(path, "w"); /* where the directory would be */
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    while (w.now_ms < begin_ms + 13 * HOUR_MS) {
        w.now_ms += 4 * MINUTE_MS;
        send_some(&w);
        read_stream(&w);
        flush(&w, false);
        archive(&w, 1000);
    }
    assert_true(collector_archive_end_ms(w.c.archive, 0) < begin_ms);
    expire(&w);
    assert_true(compare_some(&w, begin_ms, 20) > 0); /* the raw samples are still there */
    for (unsigned s = 0; s < SERIES; s++) /* more chunks than one question has */
        (void)compare(&w, s, begin_ms, w.now_ms, 3600);
    assert_int_equal(remove(path), 0);
    for (unsigned i = 0; i < 10; i++) {
        w.now_ms += 10000;
        read_stream(&w);
        flush(&w, true);
        archive(&w, 100000);
    }
    assert_true(collector_archive_end_ms(w.c.archive, 0) > w.now_ms - HOUR_MS);
    expire(&w);
    assert_true(compare_some(&w, begin_ms, 40) > 0);
    finish(&w);
}

/* A deleted series leaves nothing behind, and comes back empty. */
static void forgetting(void **state)
{
    struct world w;
    struct hale_reply *reply = NULL;
    char command[128];

    if (*state == NULL)
        skip();
    begin(&w, 99, TIERS);
    int64_t begin_ms = w.now_ms;
    while (w.now_ms < begin_ms + 2 * HOUR_MS) {
        w.now_ms += MINUTE_MS;
        for (unsigned s = 0; s < SERIES; s++)
            add(&w, s, w.now_ms, s);
        post(&w);
        read_stream(&w);
        flush(&w, false);
        archive(&w, 1000);
    }
    (void)snprintf(command, sizeof(command), "test $(find %s -name '*.rrd' | wc -l) = 6",
                   w.dir);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    for (unsigned s = 0; s < SERIES; s++) {
        assert_int_equal(collector_hot_forget(w.c.hot, w.redis, w.series[s]), HALE_OK);
        assert_int_equal(collector_archive_forget(&w.c, w.redis, w.series[s]), HALE_OK);
    }
    assert_int_equal(collector_hot_bytes(w.c.hot), 0);
    (void)snprintf(command, sizeof(command), "test $(find %s -name '*.rrd' | wc -l) = 0",
                   w.dir);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    assert_int_equal(
        HALE_REDIS_CMD(w.redis, &reply, HALE_STR("KEYS"), HALE_STR("hale:{s0}:hot*")),
        HALE_OK);
    assert_int_equal(hale_reply_n(reply), 0);
    hale_reply_free(reply);
    w.model.n = 0;
    while (w.now_ms < begin_ms + 5 * HOUR_MS) {
        w.now_ms += MINUTE_MS;
        add(&w, 5, w.now_ms, 1);
        post(&w);
        read_stream(&w);
        flush(&w, false);
        archive(&w, 1000);
    }
    expire(&w);
    assert_int_equal(compare(&w, 5, begin_ms, w.now_ms + HOUR_MS, 3600), 4);
    assert_int_equal(compare(&w, 6, begin_ms, w.now_ms + HOUR_MS, 3600), 0);
    finish(&w);
}

static int setup(void **state)
{
    if (fixture.pid == 0 && redis_fixture_present() && !redis_fixture_start(&fixture))
        return -1;
    *state = fixture.pid != 0 ? &fixture : NULL;
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    redis_fixture_remove(&fixture);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(same_as_model, setup),
        cmocka_unit_test_setup(after_an_outage, setup),
        cmocka_unit_test_setup(failing_disk, setup),
        cmocka_unit_test_setup(forgetting, setup),
    };
    return cmocka_run_group_tests(tests, NULL, group_teardown);
}
