/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_collector_remote_write [CPU seconds per row] - CPU time of one sample of Prometheus' remote write: Snappy,
 * the walk of collector/remote_write.c, and the same walk over nanopb (model/protobuf). Body: 1000 series with one sample each, 7 labels (name, job, and the dimensions of
 * bench_load), as Prometheus sends them; the label bytes of each series are hashed, as the intake does.
 * The median and the extremes of 5 rounds are printed. Time is the process' CPU time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/id.h"
#include "base/snappy.h"
#include "collector/remote_write.h"
#include "model/protobuf.h"

#define SERIES 1000
#define ROUNDS 5

static volatile uint64_t sink; /* keeps the work from being optimised away */

struct bodies {
    struct hale_buf plain, block, scratch;
};

/* With the shortest lengths, as other people's encoders write them. */
static void put_message(struct hale_buf *out, uint32_t number, struct hale_buf *message)
{
    hale_pb_put_bytes(out, number, hale_buf_str(message));
    hale_buf_reset(message);
}

static void put_pair(struct hale_buf *out, uint32_t number, const char *key,
                     const char *format, long n)
{
    struct hale_buf pair;
    char value[64];
    (void)snprintf(value, sizeof(value), "%s%0*ld", format, format[0] == 'c' ? 6 : 1, n);
    hale_buf_init(&pair, 4096);
    hale_pb_put_bytes(&pair, 1, hale_str_from(key));
    hale_pb_put_bytes(&pair, 2, hale_str_from(value));
    put_message(out, number, &pair);
    hale_buf_fini(&pair);
}

static void put_series(struct hale_buf *out, long i)
{
    struct hale_buf series, sample;
    hale_buf_init(&series, 1u << 16);
    hale_buf_init(&sample, 4096);
    put_pair(&series, 1, "__name__", "bench_metric_", i % 20);
    put_pair(&series, 1, "device", "dev", i / 20 % 5);
    put_pair(&series, 1, "hostname", "compute-", i / 100);
    put_pair(&series, 1, "job", "node-exporter-", 1);
    put_pair(&series, 1, "region", "RegionOne", 1);
    put_pair(&series, 1, "service", "compute", 1);
    put_pair(&series, 1, "tenant", "tenant-", i / 100 % 7);
    hale_pb_put_double(&sample, 1, 100.0 + (double)i / 7);
    hale_pb_put_varint(&sample, 2, 1795254982691u + (uint64_t)i);
    put_message(&series, 2, &sample);
    put_message(out, 1, &series);
    hale_buf_fini(&series);
    hale_buf_fini(&sample);
}

static void use(struct hale_str labels, uint64_t bits, uint64_t time_ms)
{
    sink += hale_id_hash64(labels.p, labels.len) + bits + time_ms;
}

static void snappy(struct bodies *b)
{
    hale_buf_reset(&b->scratch);
    HALE_ASSERT(hale_snappy_decode(hale_buf_str(&b->block), 1u << 20, &b->scratch) ==
                HALE_OK);
    sink += (uint64_t)b->scratch.p[b->scratch.len - 1];
}

static void by_hand(struct bodies *b)
{
    struct collector_rw r;
    struct collector_rw_view v;
    struct collector_rw_sample s;
    size_t n = 0;
    collector_rw_open(&r, hale_buf_str(&b->plain));
    while (collector_rw_next(&r, &v) == COLLECTOR_RW_SERIES) {
        while (collector_rw_sample(&v.series, &s) == 1) {
            use(v.series.labels[0], s.bits, (uint64_t)s.time_ms);
            n++;
        }
    }
    HALE_ASSERT(n == SERIES);
}

static void nanopb_sample(struct hale_str labels, struct hale_str message)
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    uint64_t bits = 0, time_ms = 0;
    while (hale_pb_next(&r, &f)) {
        if (hale_pb_is(&f, 1, HALE_PB_FIXED64))
            bits = f.bits;
        else if (hale_pb_is(&f, 2, HALE_PB_VARINT))
            time_ms = f.bits;
    }
    use(labels, bits, time_ms);
}

static void by_nanopb(struct bodies *b)
{
    struct hale_pb r = hale_pb_open(hale_buf_str(&b->plain));
    struct hale_pb_field f, inner;
    size_t n = 0;
    while (hale_pb_next(&r, &f)) {
        struct hale_pb s = hale_pb_open(f.bytes);
        struct hale_str labels = {f.bytes.p, 0};
        while (hale_pb_next(&s, &inner)) {
            if (inner.number == 1)
                labels.len += inner.whole.len;
            else if (inner.number == 2)
                nanopb_sample(labels, inner.bytes);
            n += inner.number == 2;
        }
    }
    HALE_ASSERT(n == SERIES);
}

/* --- measuring ------------------------------------------------------------------------------------- */

static double cpu_seconds(void)
{
    struct timespec t;
    HALE_ASSERT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(const char *name, void (*work)(struct bodies *), struct bodies *b,
                    double seconds)
{
    double ns[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        double start = cpu_seconds(), now = start;
        uint64_t bodies = 0;
        while (now - start < seconds / ROUNDS) {
            work(b);
            bodies++;
            now = cpu_seconds();
        }
        ns[r] = (now - start) * 1e9 / ((double)bodies * SERIES);
    }
    qsort(ns, ROUNDS, sizeof(ns[0]), by_size);
    printf("  %-24s %6.1f ns/sample [%.1f-%.1f]  %.4f CPU-s per million\n", name,
           ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1], ns[ROUNDS / 2] / 1e3);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2.0;
    struct bodies b;
    hale_buf_init(&b.plain, 1u << 22);
    hale_buf_init(&b.block, 1u << 22);
    hale_buf_init(&b.scratch, 1u << 22);
    for (long i = 0; i < SERIES; i++)
        put_series(&b.plain, i);
    HALE_ASSERT(hale_snappy_encode(hale_buf_str(&b.plain), &b.block) == HALE_OK);
    printf("remote write: %zu bytes a sample, %zu after Snappy\n", b.plain.len / SERIES,
           b.block.len / SERIES);
    measure("snappy", snappy, &b, seconds);
    measure("walk by hand", by_hand, &b, seconds);
    measure("walk over nanopb", by_nanopb, &b, seconds);
    hale_buf_fini(&b.plain);
    hale_buf_fini(&b.block);
    hale_buf_fini(&b.scratch);
    return 0;
}
