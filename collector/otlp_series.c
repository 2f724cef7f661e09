/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/otlp_series.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "collector/labels.h"
#include "model/metric_json_scan.h"
#include "model/protobuf.h"

#define NAME_MAX_BYTES (4 * HALE_NAME_MAX_CHARS)
#define TEXT_BYTES     40 /* of a number */
#define SHOW_BYTES     100
#define NS_PER_MS      1000000
#define TIME_MAX_MS    INT64_C(8640000000000000)

enum { RESOURCE_ATTRIBUTES = 1 };
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 };
enum { ANY_STRING = 1, ANY_BOOL = 2, ANY_INT = 3, ANY_DOUBLE = 4 };

/* --- points to samples ----------------------------------------------------------------------------- */

static bool buckets_fit(const struct collector_otlp_point *p)
{
    size_t counts = p->counts.len / 8, bounds = p->bounds.len / 8;
    return counts == 0 ? bounds == 0 : counts == bounds + 1;
}

enum collector_otlp_fault collector_otlp_check(const struct collector_otlp_point *p)
{
    if (p->name.len == 0 || p->name.len > NAME_MAX_BYTES ||
        memchr(p->name.p, '\0', p->name.len) != NULL)
        return COLLECTOR_OTLP_BAD_NAME;
    if (p->resource.len > COLLECTOR_OTLP_RESOURCE_MAX)
        return COLLECTOR_OTLP_BAD_RESOURCE;
    if (p->time_ns == 0 || p->time_ns / NS_PER_MS > TIME_MAX_MS)
        return COLLECTOR_OTLP_BAD_TIME;
    if ((p->kind == COLLECTOR_OTLP_NUMBER && !p->value.given) || !buckets_fit(p))
        return COLLECTOR_OTLP_BAD_VALUE;
    return COLLECTOR_OTLP_GOOD;
}

const char *collector_otlp_fault_text(enum collector_otlp_fault f)
{
    switch (f) {
    case COLLECTOR_OTLP_GOOD: return "good";
    case COLLECTOR_OTLP_BAD_NAME: return "a metric without name, or one that is too long";
    case COLLECTOR_OTLP_BAD_RESOURCE: return "a resource of more than 16384 bytes";
    case COLLECTOR_OTLP_BAD_TIME: return "a data point without time, or out of range";
    case COLLECTOR_OTLP_BAD_VALUE:
        return "a data point without value, or with counts that do not go with its "
               "bounds";
    case COLLECTOR_OTLP_FULL: return "the data points take too much memory";
    }
    return "";
}

struct expansion {
    const struct collector_otlp_point *p;
    struct collector_arena *arena;
    bool (*each)(const struct collector_otlp_sample *s, void *arg);
    void *arg;
};

/* The shortest text of a number as Prometheus' libraries write it: "5", "0.25", "+Inf". */
static void number_text(double v, char dst[TEXT_BYTES])
{
    struct hale_buf b;
    if (isinf(v)) {
        (void)snprintf(dst, TEXT_BYTES, "%s", v > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (isnan(v)) {
        (void)snprintf(dst, TEXT_BYTES, "NaN");
        return;
    }
    hale_buf_init(&b, TEXT_BYTES);
    hale_buf_add_double(&b, v);
    if (b.len > 2 && strcmp(b.p + b.len - 2, ".0") == 0)
        b.p[b.len - 2] = '\0';
    (void)snprintf(dst, TEXT_BYTES, "%s", b.p != NULL ? b.p : "");
    hale_buf_fini(&b);
}

/* A part is the name, or name NUL suffix NUL, or name NUL suffix NUL key NUL value. */
static bool give(const struct expansion *x, const char *suffix, const char *key,
                 const char *text, double value)
{
    size_t name = x->p->name.len, n_suffix = strlen(suffix), n_key = strlen(key),
           n_text = strlen(text);
    size_t len = name + n_suffix + n_key + n_text + (n_key > 0 ? 3 : 2);
    char *p = collector_arena_get(x->arena, len);
    if (p == NULL)
        return false;
    const struct collector_otlp_sample s = {{p, len}, value};
    memcpy(p, x->p->name.p, name);
    p += name;
    *p++ = '\0';
    memcpy(p, suffix, n_suffix + 1);
    p += n_suffix + 1;
    if (n_key > 0) {
        memcpy(p, key, n_key + 1);
        memcpy(p + n_key + 1, text, n_text);
    }
    return x->each(&s, x->arg);
}

static bool give_if(const struct expansion *x, const char *suffix,
                    struct collector_otlp_number n)
{
    return !n.given || give(x, suffix, "", "", n.v);
}

static bool give_buckets(const struct expansion *x)
{
    const struct collector_otlp_point *p = x->p;
    size_t n = p->counts.len / 8, n_bounds = p->bounds.len / 8;
    uint64_t count = 0;
    char le[TEXT_BYTES];
    for (size_t i = 0; i < n; i++) {
        count += hale_pb_packed64(p->counts, i);
        number_text(i < n_bounds ? hale_pb_packed_double(p->bounds, i) : INFINITY, le);
        if (!give(x, ".bucket", "le", le, (double)count))
            return false;
    }
    return true;
}

static bool give_quantiles(const struct expansion *x)
{
    struct hale_str rest = x->p->quantiles;
    struct collector_otlp_quantile q;
    char text[TEXT_BYTES];
    while (collector_otlp_quantile(&rest, &q)) {
        number_text(q.quantile, text);
        if (!give(x, "", "quantile", text, q.value))
            return false;
    }
    return true;
}

enum collector_otlp_fault
collector_otlp_expand(const struct collector_otlp_point *p, struct collector_arena *arena,
                      bool (*each)(const struct collector_otlp_sample *s, void *arg),
                      void *arg)
{
    const struct expansion x = {p, arena, each, arg};
    bool good;
    if (p->kind == COLLECTOR_OTLP_NUMBER) {
        const struct collector_otlp_sample s = {p->name, p->value.v};
        good = each(&s, arg);
    } else {
        good = give(&x, ".count", "", "", (double)p->count) &&
               give_if(&x, ".sum", p->sum) && give_if(&x, ".min", p->min) &&
               give_if(&x, ".max", p->max) && give_buckets(&x) && give_quantiles(&x);
    }
    return good ? COLLECTOR_OTLP_GOOD : COLLECTOR_OTLP_FULL;
}

/* --- the slow path ----------------------------------------------------------------------------------- */

struct canon {
    struct collector_labels labels;
    char numbers[HALE_DIMS_MAX][TEXT_BYTES]; /* texts of values that are not strings */
    unsigned n_numbers;
    char name[NAME_MAX_BYTES + 8]; /* with its suffix */
};

/* The text of an AnyValue; empty when it has none. False: it is an array, a map or bytes. */
static bool any_text(struct canon *c, struct hale_str message, struct hale_str *out)
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    char *text = c->numbers[c->n_numbers < HALE_DIMS_MAX ? c->n_numbers : 0];
    *out = (struct hale_str){NULL, 0};
    while (hale_pb_next(&r, &f)) {
        *out = hale_str_from(text);
        if (hale_pb_is(&f, ANY_STRING, HALE_PB_BYTES))
            *out = f.bytes;
        else if (hale_pb_is(&f, ANY_BOOL, HALE_PB_VARINT))
            (void)snprintf(text, TEXT_BYTES, "%s", f.bits != 0 ? "true" : "false");
        else if (hale_pb_is(&f, ANY_INT, HALE_PB_VARINT))
            (void)snprintf(text, TEXT_BYTES, "%" PRId64, (int64_t)f.bits);
        else if (hale_pb_is(&f, ANY_DOUBLE, HALE_PB_FIXED64))
            number_text(hale_pb_double(&f), text);
        else
            return false;
    }
    if (out->p == text) {
        out->len = strlen(text);
        c->n_numbers++;
    }
    return !r.damaged;
}

static void put_attribute(struct canon *c, struct hale_str message)
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    struct hale_str key = {NULL, 0}, any = {NULL, 0}, text;
    char show[SHOW_BYTES];
    while (hale_pb_next(&r, &f)) {
        if (hale_pb_is(&f, KEY_VALUE_KEY, HALE_PB_BYTES))
            key = f.bytes;
        else if (hale_pb_is(&f, KEY_VALUE_VALUE, HALE_PB_BYTES))
            any = f.bytes;
    }
    if (r.damaged)
        collector_labels_refuse(&c->labels, "a damaged attribute");
    else if (!any_text(c, any, &text))
        collector_labels_refuse(&c->labels,
                                "attribute %s is neither text nor a number nor a boolean",
                                hale_scan_show(key, show, sizeof(show)));
    else
        collector_labels_put(&c->labels,
                             hale_str_eq_c(key, "host.name") ? HALE_STR("hostname") : key,
                             text);
}

static void put_attributes(struct canon *c, struct hale_str message, uint32_t number)
{
    struct hale_pb r = hale_pb_open(message);
    struct hale_pb_field f;
    while (c->labels.rc == HALE_OK && hale_pb_next(&r, &f)) {
        if (f.kind == HALE_PB_BYTES && (number == 0 || f.number == number))
            put_attribute(c, f.bytes);
    }
    if (r.damaged)
        collector_labels_refuse(&c->labels, "a damaged resource");
}

static void put_part(struct canon *c, struct hale_str part)
{
    struct hale_str name = hale_str_split(&part, '\0');
    struct hale_str suffix = hale_str_split(&part, '\0');
    struct hale_str key = hale_str_split(&part, '\0');
    if (suffix.len > 0) {
        int n = snprintf(c->name, sizeof(c->name), "%.*s%.*s", (int)name.len, name.p,
                         (int)suffix.len, suffix.p);
        name = (struct hale_str){c->name, (size_t)n};
    }
    collector_labels_name(&c->labels, name);
    if (key.len > 0)
        collector_labels_put(&c->labels, key, part);
}

enum hale_rc collector_otlp_canon(const struct hale_str spelling[3],
                                  struct hale_str tenant, struct hale_str region,
                                  struct hale_buf *out, struct hale_err *err)
{
    struct canon c;
    c.n_numbers = 0;
    collector_labels_begin(&c.labels, tenant, region, err);
    put_part(&c, spelling[1]);
    put_attributes(&c, spelling[0], RESOURCE_ATTRIBUTES);
    put_attributes(&c, spelling[2], 0);
    return collector_labels_finish(&c.labels, out);
}
