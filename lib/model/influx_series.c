/* SPDX-License-Identifier: Apache-2.0 */
/* The slow path of influx_line: run once for each new spelling of a series. */
#include <stdlib.h>
#include <string.h>

#include "model/influx_line.h"
#include "model/metric_json_scan.h"
#include "model/series.h"

#define SHOW_BYTES 150 /* of the name at the end of a message */

static enum hale_rc refuse(struct hale_err *err, const char *text, struct hale_str name)
{
    char show[SHOW_BYTES];
    return hale_err_set(err, HALE_E_INVAL, "%.155s: for metric %s", text,
                        hale_scan_show(name, show, sizeof(show)));
}

/* The part before the first unescaped sep, off *rest, as hale_str_split does it. */
static struct hale_str split(struct hale_str *rest, char sep)
{
    struct hale_str part = *rest;

    for (size_t i = 0; i < rest->len; i++) {
        if (rest->p[i] == sep && (i == 0 || rest->p[i - 1] != '\\')) {
            part.len = i;
            *rest = (struct hale_str){rest->p + i + 1, rest->len - i - 1};
            return part;
        }
    }
    *rest = (struct hale_str){NULL, 0};
    return part;
}

/* Appends text without its escapes to *space. */
static struct hale_str decode(struct hale_str text, const char *escapable, char **space)
{
    struct hale_str out = {*space, 0};

    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '\\' && i + 1 < text.len && text.p[i + 1] != '\0' &&
            strchr(escapable, text.p[i + 1]) != NULL)
            i++;
        *(*space)++ = text.p[i];
        out.len++;
    }
    return out;
}

/* measurement "." field into *space, which decode has left behind the measurement. */
static struct hale_str make_name(struct hale_str measurement, struct hale_str field,
                                 char **space)
{
    if (hale_str_eq_c(field, "value"))
        return measurement;
    *(*space)++ = '.';
    struct hale_str rest = decode(field, ",= ", space);
    return (struct hale_str){measurement.p, measurement.len + 1 + rest.len};
}

static enum hale_rc add_tag(struct hale_series *s, struct hale_str tag, char **space,
                            struct hale_err *err)
{
    struct hale_err why = {0};
    struct hale_str value = tag;
    struct hale_str key = decode(split(&value, '='), ",= ", space);

    if (value.p == NULL || value.len == 0)
        return refuse(err, "a tag must be key=value", s->name);
    struct hale_str more = value;
    (void)split(&more, '=');
    if (more.p != NULL)
        return refuse(err, "a tag has two values; write '=' as '\\='", s->name);
    value = decode(value, ",= ", space);
    if (hale_series_check_dim(key, value, &why) != HALE_OK)
        return refuse(err, why.text, s->name);
    if (s->n_dims == HALE_DIMS_MAX)
        return refuse(err, "more than 64 dimensions", s->name);
    s->dims[s->n_dims++] = (struct hale_dim){key, value};
    return HALE_OK;
}

/* Everything but the memory: space has room for all decoded strings. */
static enum hale_rc build(struct hale_series *s, struct hale_str key,
                          struct hale_str field, char *space, struct hale_buf *out,
                          struct hale_err *err)
{
    struct hale_err why = {0};
    struct hale_str rest = key;
    enum hale_rc rc = HALE_OK;

    struct hale_str measurement = decode(split(&rest, ','), ", ", &space);
    s->name = make_name(measurement, field, &space);
    if (hale_series_check_name(s->name, &why) != HALE_OK)
        return refuse(err, why.text, s->name);
    while (rc == HALE_OK && rest.p != NULL)
        rc = add_tag(s, split(&rest, ','), &space, err);
    if (rc != HALE_OK)
        return rc;
    if (hale_series_sort(s, &why) != HALE_OK)
        return refuse(err, why.text, s->name);
    rc = hale_series_encode(s, out);
    if (rc != HALE_OK && !out->failed)
        return refuse(err, "name and dimensions are longer than 65000 bytes", s->name);
    if (rc != HALE_OK)
        return hale_err_set(err, rc, "no room for the canonical form");
    return HALE_OK;
}

enum hale_rc hale_influx_series(struct hale_str key, struct hale_str field,
                                struct hale_str tenant, struct hale_str region,
                                struct hale_buf *out, struct hale_err *err)
{
    struct hale_series series = {.tenant = tenant, .region = region};
    char *space = malloc(key.len + field.len + 2);

    if (space == NULL)
        return hale_err_set(err, HALE_E_NOMEM, "out of memory");
    enum hale_rc rc = build(&series, key, field, space, out, err);
    free(space);
    return rc;
}
