/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_correlator_causes - the topology alone: match, fail and unfail of a host with 1,000 VMs, put; and the
 * engine with 100,000 entities and 10,000 live alarms: from the event of a host with 1,000 VMs, all of them
 * in ALARM, to the records and rows of all its symptoms, encoded as the daemon gives them to Redis (without
 * Redis). CPU time, median and maximum of the rounds.
 * bench_correlator_causes [entities [live [rounds]]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "correlator/engine.h"
#include "model/graph.h"

#define PER_HOST   50
#define BIG_HOST   1000
#define ROUNDS_MAX 1000

struct sink {
    struct hale_buf scratch;
    uint64_t records, rows, bytes, marked;
};

static double cpu_s(void)
{
    struct timespec t;
    HALE_ASSERT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_log(void *arg, const struct hale_log_record *r)
{
    struct sink *s = arg;
    hale_buf_reset(&s->scratch);
    enum hale_rc rc = hale_log_record_encode(r, &s->scratch);
    HALE_ASSERT(rc == HALE_OK);
    s->records++;
    s->bytes += s->scratch.len;
    s->marked += json_object_get(r->alarm.life, "causes") != NULL;
}

static void on_put(void *arg, enum correlator_table table, struct hale_str field,
                   struct hale_str value)
{
    struct sink *s = arg;
    (void)table;
    s->rows++;
    s->bytes += field.len + value.len;
}

static void on_del(void *arg, enum correlator_table table, struct hale_str field)
{
    (void)arg;
    (void)table;
    (void)field;
}

/* --- entities: host/0 has BIG_HOST VMs, the others PER_HOST ---------------------------- */

static unsigned host_of(unsigned vm)
{
    return vm < BIG_HOST ? 0 : 1 + (vm - BIG_HOST) / PER_HOST;
}

static void each_entity(unsigned n, void (*fn)(const struct hale_entity *e, void *arg),
                        void *arg)
{
    char id[32], ref[48];
    struct hale_entity e;
    json_t *o;
    unsigned vms = n - n / PER_HOST, hosts = host_of(vms - 1) + 1;
    for (unsigned i = 0; i < hosts + vms; i++) {
        (void)snprintf(id, sizeof(id), "%s-%u", i < hosts ? "host" : "vm",
                       i < hosts ? i : i - hosts);
        (void)snprintf(ref, sizeof(ref), "host/host-%u",
                       i < hosts ? 0 : host_of(i - hosts));
        o = i < hosts
                ? json_pack("{s:s,s:s}", "type", "host", "id", id)
                : json_pack("{s:s,s:s,s:[s]}", "type", "vm", "id", id, "hosted_by", ref);
        enum hale_rc rc = hale_entity_from_json(o, &e, NULL);
        HALE_ASSERT(rc == HALE_OK);
        fn(&e, arg);
        hale_entity_fini(&e);
        json_decref(o);
    }
}

static void put_graph(const struct hale_entity *e, void *arg)
{
    enum hale_rc rc = hale_graph_put(arg, e);
    HALE_ASSERT(rc == HALE_OK);
}

static void bench_graph(unsigned n)
{
    struct hale_graph *g = hale_graph_new(2 * (size_t)n);
    double t = cpu_s();
    each_entity(n, put_graph, g);
    t = cpu_s() - t;
    printf("graph: %zu entities; read and put %.0f ns", hale_graph_count(g),
           t * 1e9 / (double)hale_graph_count(g));
    json_t *o = json_pack("{s:s,s:s,s:s}", "hostname", "host-7", "resource_id", "vm-1300",
                          "device", "sda");
    const struct hale_vertex *found = NULL;
    t = cpu_s();
    for (unsigned i = 0; i < 100000; i++)
        found = hale_graph_match(g, o);
    t = cpu_s() - t;
    HALE_ASSERT(found != NULL);
    printf(", match of 3 dimensions %.0f ns", t * 1e9 / 100000);
    struct hale_vertex *h = hale_graph_find(g, HALE_STR("host/host-0")), *out[8];
    t = cpu_s();
    for (unsigned i = 0; i < 100; i++) {
        hale_graph_claim(g, h, HALE_GRAPH_DOWN);
        hale_graph_unclaim(g, h, HALE_GRAPH_DOWN);
    }
    printf(", host with %u VMs down and up %.0f us", BIG_HOST, (cpu_s() - t) * 1e6 / 100);
    hale_graph_claim(g, h, HALE_GRAPH_DOWN);
    const struct hale_vertex *vm = hale_graph_find(g, HALE_STR("vm/vm-77"));
    t = cpu_s();
    for (unsigned i = 0; i < 100000; i++) {
        size_t n_causes = hale_graph_causes(g, vm, HALE_GRAPH_DOWN, out, 8);
        HALE_ASSERT(n_causes == 1);
    }
    printf(", causes of a VM %.0f ns\n", (cpu_s() - t) * 1e9 / 100000);
    json_decref(o);
    hale_graph_free(g);
}

/* --- the engine ---------------------------------------------------------------------- */

struct house {
    struct correlator_engine *e;
    struct sink sink;
    int64_t ms;
    char id[32];
};

static const struct correlator_input *next(struct house *h, struct correlator_input *in)
{
    h->ms++;
    (void)snprintf(h->id, sizeof(h->id), "%" PRId64 "-0", h->ms);
    *in = (struct correlator_input){h->id, h->ms, h->ms * 1000};
    return in;
}

static void put_house(const struct hale_entity *e, void *arg)
{
    struct house *h = arg;
    struct correlator_input in;
    struct hale_entity one = *e;
    struct hale_topology_update u = {
        .tenant = (char[]){"t"}, .source = (char[]){"s"}, .n_put = 1, .put = &one};
    enum hale_rc rc = correlator_engine_topology(h->e, &u, next(h, &in));
    HALE_ASSERT(rc == HALE_OK);
}

static void event(struct house *h, const char *type, const char *key, const char *id,
                  enum hale_severity severity, bool clear)
{
    struct correlator_input in;
    char tenant[] = "t", name[32];
    (void)snprintf(name, sizeof(name), "%s", type);
    struct hale_event ev = {.tenant = tenant,
                            .type = name,
                            .time_ms = h->ms,
                            .severity = severity,
                            .clear = clear,
                            .dimensions = json_pack("{s:s}", key, id),
                            .details = json_object(),
                            .accepted_us = 1};
    enum hale_rc rc = correlator_engine_event(h->e, &ev, next(h, &in));
    HALE_ASSERT(rc == HALE_OK);
    json_decref(ev.dimensions);
    json_decref(ev.details);
}

static void flush(struct house *h)
{
    enum hale_rc rc = correlator_engine_flush(h->e);
    HALE_ASSERT(rc == HALE_OK);
}

static int by_value(const void *x, const void *y)
{
    const double *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

static void print(const char *what, double *t, unsigned n)
{
    qsort(t, n, sizeof(*t), by_value);
    printf("%s: median %.2f ms, max %.2f ms of %u\n", what, t[n / 2] * 1e3,
           t[n - 1] * 1e3, n);
}

static void bench_engine(unsigned n, unsigned live, unsigned rounds)
{
    static struct house h = {.ms = 1000000};
    static double down[ROUNDS_MAX], up[ROUNDS_MAX];
    char id[32];
    const struct correlator_limits limits = {.max_alarms = CORRELATOR_MAX_ALARMS,
                                             .max_subs = CORRELATOR_MAX_SUBS,
                                             .max_metrics = CORRELATOR_MAX_METRICS,
                                             .cause_window_ms = INT64_C(1) << 40,
                                             .hold_max_ms = CORRELATOR_HOLD_MAX_MS,
                                             .clear_hold_ms = INT64_C(1) << 40,
                                             .clear_hold_max_ms = INT64_C(1) << 40};
    const struct correlator_sink sink = {
        .arg = &h.sink, .log = on_log, .put = on_put, .del = on_del};
    hale_buf_init(&h.sink.scratch, 16u << 20);
    h.e = correlator_engine_new(&limits, &sink);
    HALE_ASSERT(h.e != NULL);
    struct correlator_input in;
    enum hale_rc rc = correlator_engine_loaded(h.e, 0, next(&h, &in));
    HALE_ASSERT(rc == HALE_OK);
    double t = cpu_s();
    each_entity(n, put_house, &h);
    flush(&h);
    printf("engine: %u entities in %.2f s", n, cpu_s() - t);
    t = cpu_s();
    for (unsigned i = 0; i < live; i++) {
        (void)snprintf(id, sizeof(id), "vm-%u", i);
        event(&h, "ping", "vm_id", id, HALE_SEV_HIGH, false);
    }
    flush(&h);
    printf("; an alarm %.1f us\n", (cpu_s() - t) * 1e6 / live);
    for (unsigned i = 0; i < rounds; i++) {
        h.sink.marked = h.sink.records = h.sink.bytes = 0;
        t = cpu_s();
        event(&h, "host.down", "hostname", "host-0", HALE_SEV_CRITICAL, false);
        flush(&h);
        down[i] = cpu_s() - t;
        HALE_ASSERT(h.sink.marked == BIG_HOST);
        t = cpu_s();
        event(&h, "host.down", "hostname", "host-0", HALE_SEV_CRITICAL, true);
        flush(&h);
        up[i] = cpu_s() - t;
    }
    print("host alarm to 1,000 symptoms marked", down, rounds);
    print("its clear, symptoms wait", up, rounds);
    correlator_engine_free(h.e);
    hale_buf_fini(&h.sink.scratch);
}

int main(int argc, char **argv)
{
    uint64_t v[3] = {100000, 10000, 20};
    for (int i = 1; i < argc && i <= 3; i++) {
        if (hale_str_u64(hale_str_from(argv[i]), &v[i - 1]) != HALE_OK || v[i - 1] == 0) {
            (void)fprintf(stderr,
                          "usage: bench_correlator_causes [entities [live [rounds]]]\n");
            return 2;
        }
    }
    HALE_ASSERT(v[0] >= 2 * BIG_HOST && v[1] >= BIG_HOST && v[1] <= v[0] / 2 &&
                v[2] <= ROUNDS_MAX);
    bench_graph((unsigned)v[0]);
    bench_engine((unsigned)v[0], (unsigned)v[1], (unsigned)v[2]);
    return 0;
}
