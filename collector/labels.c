/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/labels.h"

#include <stdarg.h>
#include <stdio.h>

#include "model/metric_json_scan.h"

#define SHOW_BYTES 120 /* of a name in a message */

void collector_labels_begin(struct collector_labels *l, struct hale_str tenant,
                            struct hale_str region, struct hale_err *err)
{
    l->series.tenant = tenant;
    l->series.region = region;
    l->series.name = (struct hale_str){NULL, 0};
    l->series.n_dims = 0;
    l->err = err;
    l->rc = HALE_OK;
}

void collector_labels_name(struct collector_labels *l, struct hale_str name)
{
    l->series.name = name;
}

void collector_labels_put(struct collector_labels *l, struct hale_str key,
                          struct hale_str value)
{
    struct hale_series *s = &l->series;
    if (l->rc != HALE_OK || value.len == 0)
        return;
    if (s->n_dims == HALE_DIMS_MAX) {
        collector_labels_refuse(l, "more than %d dimensions", HALE_DIMS_MAX);
        return;
    }
    l->rc = hale_series_check_dim(key, value, l->err);
    s->dims[s->n_dims++] = (struct hale_dim){key, value};
}

void collector_labels_refuse(struct collector_labels *l, const char *fmt, ...)
{
    char text[sizeof(l->err->text)];
    va_list ap;
    if (l->rc != HALE_OK)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    l->rc = hale_err_set(l->err, HALE_E_INVAL, "%s", text);
}

/* Appends which metric it is to the reason. */
static enum hale_rc with_name(struct collector_labels *l)
{
    char show[SHOW_BYTES], why[sizeof(l->err->text)];
    if (l->series.name.len == 0 || l->rc != HALE_E_INVAL)
        return l->rc;
    (void)snprintf(why, sizeof(why), "%s", l->err->text);
    return hale_err_set(l->err, l->rc, "%.180s: for metric %s", why,
                        hale_scan_show(l->series.name, show, sizeof(show)));
}

enum hale_rc collector_labels_finish(struct collector_labels *l, struct hale_buf *out)
{
    if (l->rc == HALE_OK && l->series.name.len == 0)
        collector_labels_refuse(l, "a series without a metric name");
    if (l->rc == HALE_OK)
        l->rc = hale_series_check_name(l->series.name, l->err);
    if (l->rc == HALE_OK)
        l->rc = hale_series_sort(&l->series, l->err);
    if (l->rc != HALE_OK)
        return with_name(l);
    if (hale_series_encode(&l->series, out) == HALE_OK)
        return HALE_OK;
    if (out->failed)
        return hale_err_set(l->err, HALE_E_NOMEM, "no room for the canonical form");
    collector_labels_refuse(l, "name and dimensions are longer than %d bytes",
                            HALE_SERIES_MAX_BYTES);
    return with_name(l);
}
