/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_influx_line [seconds per row] - lines per second of one core that parse Influx's line
 * protocol: 1000 lines of about 130 bytes, 5 tags, one field, times in nanoseconds; and lines of
 * 10 fields, where the samples count. Each key and field is hashed, as the collector's cache does. CPU
 * time of the thread; the median and the extremes of 5 rounds are printed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/id.h"
#include "model/influx_line.h"

#define LINES  1000
#define ROUNDS 5

static volatile uint64_t sink; /* keeps the work from being optimised away */
static struct hale_influx_parser parser;

static void render(struct hale_buf *b, int fields)
{
    for (int i = 0; i < LINES; i++) {
        hale_buf_printf(b,
                        "net.metric_%02d,hostname=host-%05d,service=compute,"
                        "tenant=tenant-%02d,region=RegionOne,device=eth%d ",
                        i % 20, i / 100, i % 7, i % 5);
        for (int f = 0; f < fields; f++)
            hale_buf_printf(b, "%sfield_%d=%d.%02d", f > 0 ? "," : "", f, 100 + i % 900,
                            (i + f) % 100);
        hale_buf_printf(b, " %" PRId64 "\n", INT64_C(1795254982691000000) + i);
    }
    HALE_ASSERT(!b->failed);
}

static unsigned parse(struct hale_str body)
{
    uint64_t sum = 0;
    unsigned n = 0;

    hale_influx_init(&parser, body, HALE_INFLUX_NS);
    while (hale_influx_next(&parser) == HALE_INFLUX_LINE) {
        uint64_t h = hale_id_hash64(parser.key.p, parser.key.len);
        for (unsigned i = 0; i < parser.n_fields; i++) {
            const struct hale_influx_field *f = &parser.fields[i];
            sum += hale_id_hash64_seed(f->name.p, f->name.len, h) + (uint64_t)f->value;
        }
        sum += (uint64_t)parser.time_ms;
        n += parser.n_fields;
    }
    sink += sum;
    return n;
}

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void row(const char *name, int fields, double seconds)
{
    struct hale_buf body;
    double rates[ROUNDS];

    hale_buf_init(&body, 16u << 20);
    render(&body, fields);
    HALE_ASSERT(parse(hale_buf_str(&body)) == (unsigned)(LINES * fields));
    for (int r = 0; r < ROUNDS; r++) {
        double start = cpu_seconds();
        double used = 0;
        double lines = 0;
        while (used < seconds) {
            (void)parse(hale_buf_str(&body));
            used = cpu_seconds() - start;
            lines += LINES;
        }
        rates[r] = lines / used / 1e6;
    }
    qsort(rates, ROUNDS, sizeof(rates[0]), by_value);
    printf("%-22s %3zu bytes a line  %6.2f M lines/s [%.2f-%.2f]  %6.2f M samples/s\n",
           name, body.len / LINES, rates[ROUNDS / 2], rates[0], rates[ROUNDS - 1],
           rates[ROUNDS / 2] * fields);
    hale_buf_fini(&body);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;

    row("one field", 1, seconds);
    row("ten fields", 10, seconds);
    return 0;
}
