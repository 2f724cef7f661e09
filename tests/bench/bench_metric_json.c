/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_metric_json [seconds per row] - objects per second of one core that parse Monasca's
 * POST body: our AVX2 walker, our portable one, jansson (json_loadb, the fields read, freed), and
 * simdjson (on demand) where it is installed when this is built.
 * Body: 1000 objects of about 200 bytes, 5 dimensions, values with two decimals, as the agent's
 * compact and as json.dumps's spaced spelling. Each object's name and dimensions are hashed, as
 * the collector's cache does. The median and the extremes of 5 rounds are printed.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "model/metric_json.h"
#include "model/metric_json_scan.h"

#define OBJECTS 1000
#define ROUNDS  5

static volatile uint64_t sink; /* keeps the work from being optimised away */

static void render(struct hale_buf *b, bool spaced, bool long_values)
{
    const char *comma = spaced ? ", " : ",", *colon = spaced ? ": " : ":";
    hale_buf_add_char(b, '[');
    for (int i = 0; i < OBJECTS; i++) {
        if (i > 0)
            hale_buf_add_c(b, comma);
        hale_buf_printf(b, "{\"name\"%s\"net.metric_%02d\"%s\"dimensions\"%s{", colon,
                        i % 20, comma, colon);
        hale_buf_printf(b, "\"hostname\"%s\"host-%05d\"%s\"service\"%s\"compute\"%s",
                        colon, i / 100, comma, colon, comma);
        hale_buf_printf(b, "\"tenant\"%s\"tenant-%02d\"%s\"region\"%s\"RegionOne\"%s",
                        colon, i % 7, comma, colon, comma);
        hale_buf_printf(b, "\"device\"%s\"eth%d\"}%s\"timestamp\"%s%" PRId64 "%s", colon,
                        i % 5, comma, colon, INT64_C(1795254982691) + i, comma);
        if (long_values)
            hale_buf_printf(b, "\"value\"%s%.15f}", colon, 100.0 + i * 0.8123456789);
        else
            hale_buf_printf(b, "\"value\"%s%d.%02d}", colon, 100 + i % 900, i % 100);
    }
    hale_buf_add_char(b, ']');
    HALE_ASSERT(!b->failed);
}

static void parse_ours(struct hale_str body)
{
    struct hale_metric_parser p;
    struct hale_metric_view v;
    uint64_t sum = 0;
    unsigned n = 0;
    hale_metric_parser_init(&p, body);
    while (hale_metric_parser_next(&p, &v) == HALE_METRIC_OK) {
        uint64_t h = hale_id_hash64(v.name_raw.p, v.name_raw.len);
        sum += hale_id_hash64_seed(v.dims_raw.p, v.dims_raw.len, h);
        sum += (uint64_t)v.time_ms + (uint64_t)v.value;
        n++;
    }
    HALE_ASSERT(p.fault == HALE_METRIC_END && n == OBJECTS);
    sink += sum;
}

static void parse_jansson(struct hale_str body)
{
    json_t *root = json_loadb(body.p, body.len, 0, NULL);
    uint64_t sum = 0;
    HALE_ASSERT(json_array_size(root) == OBJECTS);
    for (size_t i = 0; i < OBJECTS; i++) {
        const json_t *o = json_array_get(root, i);
        const json_t *name = json_object_get(o, "name");
        json_t *dims = json_object_get(o, "dimensions");
        const char *key;
        json_t *value;
        uint64_t h = hale_id_hash64(json_string_value(name), json_string_length(name));
        json_object_foreach (dims, key, value) {
            h = hale_id_hash64_seed(key, strlen(key), h);
            h = hale_id_hash64_seed(json_string_value(value), json_string_length(value),
                                    h);
        }
        sum += h + (uint64_t)json_number_value(json_object_get(o, "timestamp"));
        sum += (uint64_t)json_number_value(json_object_get(o, "value"));
    }
    json_decref(root);
    sink += sum;
}

#ifdef HALE_BENCH_SIMDJSON
#define PADDING 64 /* simdjson reads this far behind a body */
uint64_t bench_simdjson(const char *body, size_t len, size_t capacity,
                        size_t *objects_out); /* peer_simdjson.cc */

static void parse_simdjson(struct hale_str body)
{
    size_t n = 0;

    sink += bench_simdjson(body.p, body.len, body.len + PADDING, &n);
    HALE_ASSERT(n == OBJECTS);
}
#endif

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(const char *name, void (*parse)(struct hale_str),
                    struct hale_str body, double seconds)
{
    double rate[ROUNDS];
    int64_t span_us = (int64_t)(seconds * 1e6 / ROUNDS);
    for (int r = 0; r < ROUNDS; r++) {
        int64_t start = hale_clock_mono_us(), now = start;
        uint64_t bodies = 0;
        while (now - start < span_us) {
            parse(body);
            bodies++;
            now = hale_clock_mono_us();
        }
        rate[r] = (double)bodies * OBJECTS / (double)(now - start);
    }
    qsort(rate, ROUNDS, sizeof(rate[0]), by_size);
    printf("  %-14s %6.3f M objects/s [%.3f-%.3f]  %5.0f ns/object  %5.0f MB/s\n", name,
           rate[ROUNDS / 2], rate[0], rate[ROUNDS - 1], 1e3 / rate[ROUNDS / 2],
           rate[ROUNDS / 2] * (double)body.len / OBJECTS);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *title;
        bool spaced, long_values;
    } cases[] = {
        {"compact, two decimals", false, false},
        {"spaced (json.dumps), two decimals", true, false},
        {"compact, 15 decimals", false, true},
    };
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2.0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hale_buf b;
        hale_buf_init(&b, 1u << 20);
        render(&b, cases[i].spaced, cases[i].long_values);
        printf("%s: %zu bytes an object\n", cases[i].title, b.len / OBJECTS);
        if (hale_scan_choose(true))
            measure("hale avx2", parse_ours, hale_buf_str(&b), seconds);
        else
            printf("  hale avx2: this processor has none\n");
        (void)hale_scan_choose(false);
        measure("hale portable", parse_ours, hale_buf_str(&b), seconds);
        measure("jansson", parse_jansson, hale_buf_str(&b), seconds);
#ifdef HALE_BENCH_SIMDJSON
        HALE_ASSERT(hale_buf_reserve(&b, PADDING) != NULL);
        measure("simdjson", parse_simdjson, hale_buf_str(&b), seconds);
#endif
        hale_buf_fini(&b);
    }
    return 0;
}
