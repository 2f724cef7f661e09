/* SPDX-License-Identifier: Apache-2.0 */
/* The slow path of metric_json: run once for each new spelling of a series. */
#include <stdlib.h>
#include <string.h>

#include "model/metric_json.h"
#include "model/metric_json_scan.h"

#define SHOW_BYTES                                                                       \
    150 /* of the name at the end of a message; the text before it has 157 */

/* Appends ": for metric <name>" to what err says. */
static enum hale_rc refuse(struct hale_err *err, const char *text, struct hale_str name)
{
    char show[SHOW_BYTES];
    return hale_err_set(err, HALE_E_INVAL, "%.155s: for metric %s", text,
                        hale_scan_show(name, show, sizeof(show)));
}

/* The decoded dimensions; of equal keys the last one counts, as in a Python dict. */
struct dims {
    struct hale_series *series;
    bool wrong[HALE_DIMS_MAX]; /* the value is not a string */
    bool too_many;
    char *space; /* decoded strings go here */
};

static struct hale_str decode(struct hale_str raw, char **space)
{
    struct hale_str s = {*space, hale_scan_unescape(raw, *space)};
    *space += s.len;
    return s;
}

static void put_dim(struct dims *d, struct hale_str key, struct hale_str value,
                    bool wrong)
{
    struct hale_series *s = d->series;
    unsigned i = 0;
    while (i < s->n_dims && !hale_str_eq(s->dims[i].key, key))
        i++;
    if (i == HALE_DIMS_MAX) {
        d->too_many = true;
        return;
    }
    if (i == s->n_dims)
        s->n_dims++;
    s->dims[i] = (struct hale_dim){key, value};
    d->wrong[i] = wrong;
}

/* Reads the pairs of raw, an object. False: it is not one. */
static bool read_dims(struct hale_str raw, struct dims *d)
{
    struct hale_scan s = {.end = raw.p + raw.len};
    if (!hale_scan_is_object(raw))
        return false;
    const char *p = hale_scan_ws(raw.p + 1, s.end);
    while (*p != '}') {
        struct hale_str key_raw, value = {NULL, 0};
        p = hale_scan_key(&s, p, &key_raw);
        struct hale_str key = decode(key_raw, &d->space);
        bool wrong = *p != '"';
        const char *behind = hale_scan_value(&s, p);
        if (!wrong)
            value = decode((struct hale_str){p + 1, (size_t)(behind - p - 2)}, &d->space);
        put_dim(d, key, value, wrong);
        p = hale_scan_ws(behind, s.end);
        if (*p == ',')
            p = hale_scan_ws(p + 1, s.end);
    }
    return true;
}

/* Everything but the memory: space has room for all decoded strings. */
static enum hale_rc build(const struct hale_metric_view *v, struct dims *d,
                          struct hale_buf *out, struct hale_err *err)
{
    struct hale_series *s = d->series;
    struct hale_err why = {0};
    struct hale_scan scan = {.end = v->name_raw.p + v->name_raw.len};
    /* the view lacks the closing quote: what is valid up to there is faulted at its end */
    if (hale_scan_string(&scan, v->name_raw.p) != NULL || scan.fault_at != scan.end)
        return refuse(err, "metric name is not a JSON string", v->name_raw);
    s->name = decode(v->name_raw, &d->space);
    if (hale_series_check_name(s->name, &why) != HALE_OK)
        return refuse(err, why.text, s->name);
    if (v->dims_raw.p != NULL && !read_dims(v->dims_raw, d))
        return refuse(err, "dimensions must be an object", s->name);
    if (d->too_many)
        return refuse(err, "more than 64 dimensions", s->name);
    for (unsigned i = 0; i < s->n_dims; i++) {
        if (d->wrong[i])
            return refuse(err, "dimension values must be strings", s->name);
        if (hale_series_check_dim(s->dims[i].key, s->dims[i].value, &why) != HALE_OK)
            return refuse(err, why.text, s->name);
    }
    if (hale_series_sort(s, &why) != HALE_OK)
        return refuse(err, why.text, s->name);
    enum hale_rc rc = hale_series_encode(s, out);
    if (rc != HALE_OK && !out->failed)
        return refuse(err, "name and dimensions are longer than 65000 bytes", s->name);
    if (rc != HALE_OK)
        return hale_err_set(err, rc, "no room for the canonical form");
    return HALE_OK;
}

enum hale_rc hale_metric_series(const struct hale_metric_view *v, struct hale_str tenant,
                                struct hale_str region, struct hale_buf *out,
                                struct hale_err *err)
{
    struct hale_series series = {.tenant = tenant, .region = region};
    struct dims d = {.series = &series};
    if (v->name_raw.p == NULL)
        return refuse(err, "name is required", HALE_STR("(no name)"));
    char *space = malloc(v->name_raw.len + v->dims_raw.len + 1);
    if (space == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    d.space = space;
    enum hale_rc rc = build(v, &d, out, err);
    free(space);
    return rc;
}
