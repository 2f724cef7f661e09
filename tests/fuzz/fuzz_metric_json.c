/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_metric_json - the metric parser against an oracle on top of jansson: the same accept, 400
 * or 422, and the same values; the AVX2 walker against the portable one.
 * Intended differences, each checked to be one of these:
 *   - numbers that overflow a double are JSON for us (422 in value and timestamp, skipped
 *     elsewhere) and not for jansson;
 *   - NaN, Infinity and -Infinity as value or timestamp give 422 as Monasca does, not 400;
 *   - values nested deeper than HALE_SCAN_MAX_DEPTH are refused, jansson allows 2048;
 *   - keys with \u0000 are allowed where they are skipped, jansson refuses them anywhere;
 *   - a NUL byte in the text is a fault, jansson swallows one behind a word or a number;
 *   - names and dimensions with \u0000, more than 64 of them, or over 65000 bytes give 422.
 */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "model/metric_json.h"
#include "model/metric_json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool contains(struct hale_str body, const char *what)
{
    return memmem(body.p, body.len, what, strlen(what)) != NULL;
}

static struct hale_str text_of(const json_t *string)
{
    return (struct hale_str){json_string_value(string), json_string_length(string)};
}

static bool same_view(const struct hale_metric_view *a, const struct hale_metric_view *b)
{
    return a->name_raw.p == b->name_raw.p && a->name_raw.len == b->name_raw.len &&
           a->dims_raw.p == b->dims_raw.p && a->dims_raw.len == b->dims_raw.len &&
           a->meta_raw.p == b->meta_raw.p && a->meta_raw.len == b->meta_raw.len &&
           a->time_ms == b->time_ms &&
           memcmp(&a->value, &b->value, sizeof(a->value)) == 0;
}

/* Runs the parser to its end. Returns the fault (END: none); *n is the number of good ones. */
static enum hale_metric_fault run(struct hale_str body, bool avx2,
                                  struct hale_metric_view *views, size_t max, size_t *n,
                                  struct hale_err *err)
{
    struct hale_metric_parser p;
    struct hale_metric_view v;
    enum hale_metric_fault f;
    *n = 0;
    if (!hale_scan_choose(avx2))
        (void)hale_scan_choose(false);
    hale_metric_parser_init(&p, body);
    while ((f = hale_metric_parser_next(&p, &v)) == HALE_METRIC_OK) {
        if (*n < max)
            views[*n] = v;
        *n += 1;
    }
    HALE_ASSERT(hale_metric_parser_next(&p, &v) == f); /* it stays that way */
    HALE_ASSERT((f == HALE_METRIC_END) == (p.err.text[0] == '\0'));
    if (f == HALE_METRIC_BAD_SCHEMA)
        HALE_ASSERT(strstr(p.err.text, ": for metric ") != NULL);
    *err = p.err;
    return f;
}

/* The parser's part of Monasca's rules: presence and types. */
static bool types_ok(const json_t *o)
{
    const json_t *dims = json_object_get(o, "dimensions");
    const json_t *time = json_object_get(o, "timestamp");
    const json_t *value = json_object_get(o, "value");
    const json_t *meta = json_object_get(o, "value_meta");
    return json_is_object(o) && json_is_string(json_object_get(o, "name")) &&
           (dims == NULL || json_is_object(dims)) && json_is_number(time) &&
           fabs(json_number_value(time)) <= 8.64e15 &&
           (json_is_number(value) || json_is_boolean(value)) &&
           (meta == NULL || json_is_object(meta) || json_is_null(meta));
}

static bool text_ok(struct hale_str s, const char *forbidden)
{
    size_t chars;
    if (hale_str_utf8_count(s, &chars) != HALE_OK || chars < 1 || chars > 255)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\0' || strchr(forbidden, s.p[i]) != NULL)
            return false;
    }
    return true;
}

/* The slow path's part: what is in the name and the dimensions. */
static bool series_ok(json_t *o)
{
    const char *key;
    json_t *value, *dims = json_object_get(o, "dimensions");
    struct hale_str name = text_of(json_object_get(o, "name"));
    size_t bytes = 1 + 8 + 1 + 1 + name.len;
    if (!text_ok(name, "<>={}(),\"\\;& ") || json_object_size(dims) > HALE_DIMS_MAX)
        return false;
    json_object_foreach (dims, key, value) {
        struct hale_str k = hale_str_from(key);
        if (!text_ok(k, "<>={},\"\\;&") || key[0] == '_' || !json_is_string(value) ||
            !text_ok(text_of(value), "<>={},\"\\;&"))
            return false;
        bytes += 4 + k.len + json_string_length(value);
    }
    return bytes <= HALE_SERIES_MAX_BYTES;
}

static void compare_series(const struct hale_metric_view *v, json_t *o)
{
    struct hale_buf out;
    struct hale_err err = {0};
    struct hale_series s;
    hale_buf_init(&out, 1u << 20);
    enum hale_rc rc = hale_metric_series(v, HALE_STR("t"), HALE_STR("r"), &out, &err);
    HALE_ASSERT((rc == HALE_OK) == series_ok(o));
    if (rc != HALE_OK) {
        HALE_ASSERT(rc == HALE_E_INVAL && out.len == 0);
        HALE_ASSERT(strstr(err.text, ": for metric ") != NULL);
    } else {
        json_t *dims = json_object_get(o, "dimensions");
        HALE_ASSERT(hale_series_decode(hale_buf_str(&out), &s) == HALE_OK);
        HALE_ASSERT(hale_str_eq(s.name, text_of(json_object_get(o, "name"))));
        HALE_ASSERT(s.n_dims == json_object_size(dims));
        for (unsigned i = 0; i < s.n_dims; i++) {
            char key[4 * HALE_DIM_KEY_MAX_CHARS + 1];
            memcpy(key, s.dims[i].key.p, s.dims[i].key.len);
            key[s.dims[i].key.len] = '\0';
            const json_t *value = json_object_get(dims, key);
            HALE_ASSERT(hale_str_eq(s.dims[i].value, text_of(value)));
        }
    }
    hale_buf_fini(&out);
}

static void compare_view(const struct hale_metric_view *v, json_t *o)
{
    const json_t *value = json_object_get(o, "value");
    json_t *meta = json_object_get(o, "value_meta");
    double expected = json_is_number(value) ? json_number_value(value)
                                            : (json_is_true(value) ? 1.0 : 0.0);
    HALE_ASSERT(memcmp(&v->value, &expected, sizeof(expected)) == 0);
    HALE_ASSERT(v->time_ms ==
                (int64_t)json_number_value(json_object_get(o, "timestamp")));
    HALE_ASSERT((v->dims_raw.p != NULL) == (json_object_get(o, "dimensions") != NULL));
    HALE_ASSERT((v->meta_raw.p != NULL) == (json_object_size(meta) > 0));
    if (v->meta_raw.p != NULL) {
        json_t *again = json_loadb(v->meta_raw.p, v->meta_raw.len,
                                   JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
        HALE_ASSERT(json_equal(again, meta));
        json_decref(again);
        struct hale_err err = {0};
        bool good = hale_metric_check_meta(v->meta_raw, &err) == HALE_OK;
        HALE_ASSERT(good == (err.text[0] == '\0'));
        if (good)
            HALE_ASSERT(json_object_size(meta) <= HALE_META_MAX_KEYS);
    }
    compare_series(v, o);
}

/* The body is not JSON for jansson. */
static void compare_refused(struct hale_str body, const json_error_t *error,
                            enum hale_metric_fault f)
{
    enum json_error_code code = json_error_code(error);
    if (f == HALE_METRIC_BAD_JSON)
        return;
    bool not_finite = f == HALE_METRIC_BAD_SCHEMA &&
                      (contains(body, "NaN") || contains(body, "Infinity"));
    HALE_ASSERT(code == json_error_numeric_overflow || not_finite ||
                code == json_error_null_byte_in_key);
}

#define MAX_VIEWS 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hale_metric_view fast[MAX_VIEWS], slow[MAX_VIEWS];
    struct hale_str body = {size > 0 ? (const char *)data : "", size};
    struct hale_err err, slow_err;
    size_t n, n_slow;
    enum hale_metric_fault f = run(body, true, fast, MAX_VIEWS, &n, &err);
    HALE_ASSERT(run(body, false, slow, MAX_VIEWS, &n_slow, &slow_err) == f);
    HALE_ASSERT(n == n_slow && strcmp(err.text, slow_err.text) == 0);
    for (size_t i = 0; i < n && i < MAX_VIEWS; i++)
        HALE_ASSERT(same_view(&fast[i], &slow[i]));

    if (size > 0 && memchr(data, 0, size) != NULL) {
        HALE_ASSERT(f == HALE_METRIC_BAD_JSON);
        return 0;
    }
    json_error_t error;
    json_t *root = json_loadb(
        body.p, size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
    if (root == NULL) {
        compare_refused(body, &error, f);
        return 0;
    }
    if (f == HALE_METRIC_BAD_JSON) {
        HALE_ASSERT(strstr(err.text, "too deep") != NULL);
    } else {
        size_t items = json_is_array(root) ? json_array_size(root) : 1, good = 0;
        while (good < items &&
               types_ok(json_is_array(root) ? json_array_get(root, good) : root))
            good++;
        HALE_ASSERT(good == n);
        HALE_ASSERT((good == items) == (f == HALE_METRIC_END));
        for (size_t i = 0; i < n && i < MAX_VIEWS; i++)
            compare_view(&fast[i], json_is_array(root) ? json_array_get(root, i) : root);
    }
    json_decref(root);
    return 0;
}
