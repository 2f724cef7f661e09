/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/otlp_json.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "model/protobuf.h"

enum kind { TEXT, BOOL, VARINT, FIXED64, DOUBLE, MESSAGE, OPAQUE };

struct message;

struct row { /* of a message */
    const char *key;
    uint32_t number;
    enum kind kind;
    bool repeated;
    const struct message *inner; /* of MESSAGE */
};

struct message {
    const struct row *rows;
    size_t n;
};

#define MESSAGE_OF(name)                                                                 \
    {                                                                                    \
        name, sizeof(name) / sizeof((name)[0])                                           \
    }

/* --- the messages, innermost first --------------------------------------------------------------- */

static const struct row ANY_ROWS[] = {
    {"stringValue", 1, TEXT, false, NULL},  {"boolValue", 2, BOOL, false, NULL},
    {"intValue", 3, VARINT, false, NULL},   {"doubleValue", 4, DOUBLE, false, NULL},
    {"arrayValue", 5, OPAQUE, false, NULL}, {"kvlistValue", 6, OPAQUE, false, NULL},
    {"bytesValue", 7, OPAQUE, false, NULL},
};
static const struct message ANY = MESSAGE_OF(ANY_ROWS);

static const struct row KEY_VALUE_ROWS[] = {
    {"key", 1, TEXT, false, NULL},
    {"value", 2, MESSAGE, false, &ANY},
};
static const struct message KEY_VALUE = MESSAGE_OF(KEY_VALUE_ROWS);

static const struct row NUMBER_ROWS[] = {
    {"timeUnixNano", 3, FIXED64, false, NULL},
    {"asDouble", 4, DOUBLE, false, NULL},
    {"asInt", 6, FIXED64, false, NULL},
    {"attributes", 7, MESSAGE, true, &KEY_VALUE},
    {"flags", 8, VARINT, false, NULL},
};
static const struct message NUMBER = MESSAGE_OF(NUMBER_ROWS);

static const struct row HISTOGRAM_ROWS[] = {
    {"timeUnixNano", 3, FIXED64, false, NULL},
    {"count", 4, FIXED64, false, NULL},
    {"sum", 5, DOUBLE, false, NULL},
    {"bucketCounts", 6, FIXED64, true, NULL},
    {"explicitBounds", 7, DOUBLE, true, NULL},
    {"attributes", 9, MESSAGE, true, &KEY_VALUE},
    {"flags", 10, VARINT, false, NULL},
    {"min", 11, DOUBLE, false, NULL},
    {"max", 12, DOUBLE, false, NULL},
};
static const struct message HISTOGRAM = MESSAGE_OF(HISTOGRAM_ROWS);

static const struct row BUCKETS_ROWS[] = {{"bucketCounts", 2, OPAQUE, false, NULL}};
static const struct message BUCKETS = MESSAGE_OF(BUCKETS_ROWS);

static const struct row EXPONENTIAL_ROWS[] = {
    {"attributes", 1, MESSAGE, true, &KEY_VALUE},
    {"timeUnixNano", 3, FIXED64, false, NULL},
    {"count", 4, FIXED64, false, NULL},
    {"sum", 5, DOUBLE, false, NULL},
    {"positive", 8, MESSAGE, false, &BUCKETS},
    {"negative", 9, MESSAGE, false, &BUCKETS},
    {"flags", 10, VARINT, false, NULL},
    {"min", 12, DOUBLE, false, NULL},
    {"max", 13, DOUBLE, false, NULL},
};
static const struct message EXPONENTIAL = MESSAGE_OF(EXPONENTIAL_ROWS);

static const struct row QUANTILE_ROWS[] = {
    {"quantile", 1, DOUBLE, false, NULL},
    {"value", 2, DOUBLE, false, NULL},
};
static const struct message QUANTILE = MESSAGE_OF(QUANTILE_ROWS);

static const struct row SUMMARY_ROWS[] = {
    {"timeUnixNano", 3, FIXED64, false, NULL},
    {"count", 4, FIXED64, false, NULL},
    {"sum", 5, DOUBLE, false, NULL},
    {"quantileValues", 6, MESSAGE, true, &QUANTILE},
    {"attributes", 7, MESSAGE, true, &KEY_VALUE},
    {"flags", 8, VARINT, false, NULL},
};
static const struct message SUMMARY = MESSAGE_OF(SUMMARY_ROWS);

#define DATA(points)                                                                     \
    {                                                                                    \
        "dataPoints", 1, MESSAGE, true, &(points)                                        \
    }
static const struct row NUMBERS_ROWS[] = {DATA(NUMBER)};
static const struct row HISTOGRAMS_ROWS[] = {DATA(HISTOGRAM)};
static const struct row EXPONENTIALS_ROWS[] = {DATA(EXPONENTIAL)};
static const struct row SUMMARIES_ROWS[] = {DATA(SUMMARY)};
static const struct message NUMBERS = MESSAGE_OF(NUMBERS_ROWS);
static const struct message HISTOGRAMS = MESSAGE_OF(HISTOGRAMS_ROWS);
static const struct message EXPONENTIALS = MESSAGE_OF(EXPONENTIALS_ROWS);
static const struct message SUMMARIES = MESSAGE_OF(SUMMARIES_ROWS);

static const struct row METRIC_ROWS[] = {
    {"name", 1, TEXT, false, NULL},
    {"gauge", 5, MESSAGE, false, &NUMBERS},
    {"sum", 7, MESSAGE, false, &NUMBERS},
    {"histogram", 9, MESSAGE, false, &HISTOGRAMS},
    {"exponentialHistogram", 10, MESSAGE, false, &EXPONENTIALS},
    {"summary", 11, MESSAGE, false, &SUMMARIES},
};
static const struct message METRIC = MESSAGE_OF(METRIC_ROWS);

static const struct row SCOPE_ROWS[] = {{"metrics", 2, MESSAGE, true, &METRIC}};
static const struct message SCOPE = MESSAGE_OF(SCOPE_ROWS);

static const struct row RESOURCE_ROWS[] = {{"attributes", 1, MESSAGE, true, &KEY_VALUE}};
static const struct message RESOURCE = MESSAGE_OF(RESOURCE_ROWS);

static const struct row RESOURCE_METRICS_ROWS[] = {
    {"resource", 1, MESSAGE, false, &RESOURCE},
    {"scopeMetrics", 2, MESSAGE, true, &SCOPE},
};
static const struct message RESOURCE_METRICS = MESSAGE_OF(RESOURCE_METRICS_ROWS);

static const struct row REQUEST_ROWS[] = {
    {"resourceMetrics", 1, MESSAGE, true, &RESOURCE_METRICS}};
static const struct message REQUEST = MESSAGE_OF(REQUEST_ROWS);

/* --- values ---------------------------------------------------------------------------------------- */

struct reading {
    struct hale_buf *out;
    struct hale_err *err;
};

static struct hale_str text_of(const json_t *v)
{
    return (struct hale_str){json_string_value(v), json_string_length(v)};
}

/* Signed and unsigned alike: the wire has the same bits. */
static bool integer(const json_t *v, uint64_t *bits)
{
    int64_t i;
    if (json_is_integer(v)) {
        *bits = (uint64_t)json_integer_value(v);
        return true;
    }
    if (!json_is_string(v))
        return false;
    if (hale_str_u64(text_of(v), bits) == HALE_OK)
        return true;
    if (hale_str_i64(text_of(v), &i) != HALE_OK)
        return false;
    *bits = (uint64_t)i;
    return true;
}

static bool decimal(const json_t *v, double *out)
{
    static const struct {
        const char *text;
        double v;
    } WORDS[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    if (json_is_number(v)) {
        *out = json_number_value(v);
        return true;
    }
    for (size_t i = 0; json_is_string(v) && i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (hale_str_eq_c(text_of(v), WORDS[i].text)) {
            *out = WORDS[i].v;
            return true;
        }
    }
    return json_is_string(v) && hale_str_double(text_of(v), out) == HALE_OK;
}

static bool put_message(struct reading *r, const struct message *m, const json_t *object);

/* An array, a map or bytes: only that it is there, and not empty if it is a list. */
static void put_opaque(struct reading *r, const struct row *row, const json_t *v)
{
    if (!json_is_array(v) || json_array_size(v) > 0)
        hale_pb_put_bytes(r->out, row->number, HALE_STR(""));
}

static bool put_value(struct reading *r, const struct row *row, const json_t *v)
{
    uint64_t bits;
    double d;
    switch (row->kind) {
    case TEXT:
        if (!json_is_string(v))
            return false;
        hale_pb_put_bytes(r->out, row->number, text_of(v));
        return true;
    case BOOL:
        if (!json_is_boolean(v))
            return false;
        hale_pb_put_varint(r->out, row->number, json_is_true(v) ? 1 : 0);
        return true;
    case VARINT:
    case FIXED64:
        if (!integer(v, &bits))
            return false;
        if (row->kind == VARINT)
            hale_pb_put_varint(r->out, row->number, bits);
        else
            hale_pb_put_fixed64(r->out, row->number, bits);
        return true;
    case DOUBLE:
        if (!decimal(v, &d))
            return false;
        hale_pb_put_double(r->out, row->number, d);
        return true;
    case OPAQUE: put_opaque(r, row, v); return true;
    case MESSAGE:
        if (!json_is_object(v))
            return false;
        size_t begun = hale_pb_begin(r->out, row->number);
        if (!put_message(r, row->inner, v))
            return false;
        hale_pb_end(r->out, begun);
        return true;
    }
    return false;
}

static bool put_row(struct reading *r, const struct row *row, const json_t *v)
{
    size_t i;
    const json_t *one;
    bool good = true;
    if (!row->repeated)
        good = put_value(r, row, v);
    else if (!json_is_array(v))
        good = false;
    else
        json_array_foreach (v, i, one)
            good = good && put_value(r, row, one);
    if (!good && r->err->text[0] == '\0')
        (void)hale_err_set(r->err, HALE_E_INVAL, "'%s' is not what OTLP has there",
                           row->key);
    return good;
}

static bool put_message(struct reading *r, const struct message *m, const json_t *object)
{
    for (size_t i = 0; i < m->n; i++) {
        const json_t *v = json_object_get(object, m->rows[i].key);
        if (v != NULL && !json_is_null(v) && !put_row(r, &m->rows[i], v))
            return false;
    }
    return true;
}

enum hale_rc collector_otlp_json_read(struct hale_str text, struct hale_buf *out,
                                      struct hale_err *err)
{
    json_error_t where;
    struct reading r = {out, err};
    err->text[0] = '\0';
    json_t *root = json_loadb(text.p, text.len, 0, &where);
    if (root == NULL)
        return hale_err_set(err, HALE_E_INVAL, "the body is not JSON: line %d: %s",
                            where.line, where.text);
    bool good = json_is_object(root) && put_message(&r, &REQUEST, root);
    json_decref(root);
    if (out->failed)
        return hale_err_set(err, HALE_E_LIMIT, "the message is too long");
    if (!good && err->text[0] == '\0')
        return hale_err_set(err, HALE_E_INVAL, "the body is not a JSON object");
    return good ? HALE_OK : HALE_E_INVAL;
}
