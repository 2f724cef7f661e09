/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/params.h"

#include <string.h>

#include "base/clock.h"

enum hale_rc collector_params_dims(const char *text, struct collector_dims *out,
                                   struct hale_err *err)
{
    struct hale_str rest = hale_str_from(text);

    out->n = 0;
    while (rest.p != NULL && text[0] != '\0') {
        struct hale_str value = hale_str_split(&rest, ',');
        struct hale_str key = hale_str_split(&value, ':');
        if (out->n == HALE_DIMS_MAX)
            return hale_err_set(err, HALE_E_INVAL, "more than %d dimensions",
                                HALE_DIMS_MAX);
        if (value.len == 0) /* "k:" is taken as "k" */
            value = (struct hale_str){NULL, 0};
        struct hale_str alternatives = value;
        do {
            struct hale_str one = hale_str_split(&alternatives, '|');
            if (value.p == NULL)
                one = HALE_STR("x");
            enum hale_rc rc = hale_series_check_dim(key, one, err);
            if (rc != HALE_OK)
                return rc;
        } while (alternatives.p != NULL);
        out->v[out->n].key = key;
        out->v[out->n++].value = value;
    }
    return HALE_OK;
}

bool collector_alternative(struct hale_str alternatives, struct hale_str value)
{
    if (alternatives.p == NULL)
        return true;
    while (alternatives.p != NULL) {
        if (hale_str_eq(hale_str_split(&alternatives, '|'), value))
            return true;
    }
    return false;
}

bool collector_dims_match(const struct collector_dims *f, const struct hale_series *s)
{
    for (unsigned i = 0; i < f->n; i++) {
        struct hale_str v = hale_series_dim(s, f->v[i].key);
        if (v.p == NULL || !collector_alternative(f->v[i].value, v))
            return false;
    }
    return true;
}

enum hale_rc collector_params_list(const char *text, const char *name,
                                   struct collector_list *out, struct hale_err *err)
{
    struct hale_str rest = hale_str_from(text);

    out->n = 0;
    while (rest.p != NULL) {
        struct hale_str item = hale_str_trim(hale_str_split(&rest, ','));
        if (item.len == 0)
            return hale_err_set(err, HALE_E_INVAL, "%s has an empty item", name);
        if (out->n == COLLECTOR_LIST_MAX)
            return hale_err_set(err, HALE_E_INVAL, "%s has more than %d items", name,
                                COLLECTOR_LIST_MAX);
        out->v[out->n++] = item;
    }
    return HALE_OK;
}

/* ISO 8601. A '+' that was not encoded arrives as a blank: "09:00:00 02:00". */
static enum hale_rc parse_time(struct hale_str s, int64_t *out_ms)
{
    char text[HALE_CLOCK_ISO_MAX + 32];
    const size_t date = sizeof("2015-03-12T") - 1;

    if (s.len <= date || s.len > sizeof(text))
        return hale_clock_parse_iso(s, out_ms);
    memcpy(text, s.p, s.len);
    char *zone = memchr(text + date, ' ', s.len - date);
    if (zone != NULL)
        *zone = '+';
    return hale_clock_parse_iso((struct hale_str){text, s.len}, out_ms);
}

enum hale_rc collector_params_time(const char *text, const char *name, int64_t *out_ms,
                                   struct hale_err *err)
{
    if (text == NULL)
        return HALE_OK;
    if (parse_time(hale_str_from(text), out_ms) != HALE_OK)
        return hale_err_set(err, HALE_E_INVAL,
                            "%s must be a time such as 2015-03-12T09:00:00Z", name);
    return HALE_OK;
}

enum hale_rc collector_params_limit(const char *text, size_t *out, struct hale_err *err)
{
    uint64_t n;

    *out = HALE_LIST_LIMIT;
    if (text == NULL)
        return HALE_OK;
    enum hale_rc rc = hale_str_u64(hale_str_from(text), &n);
    if (rc == HALE_E_LIMIT && text[0] != '-')
        return HALE_OK;
    if (rc != HALE_OK || n == 0)
        return hale_err_set(err, HALE_E_INVAL, COLLECTOR_PARAMS_LIMIT_TEXT);
    if (n < HALE_LIST_LIMIT)
        *out = (size_t)n;
    return HALE_OK;
}

enum hale_rc collector_params_row(const char *text, size_t *out, struct hale_err *err)
{
    uint64_t n = 0;

    *out = 0;
    if (text != NULL && hale_str_u64(hale_str_from(text), &n) != HALE_OK)
        return hale_err_set(err, HALE_E_INVAL, "offset must be an integer from 0");
    *out = (size_t)n;
    return HALE_OK;
}

bool collector_params_bool(const char *text)
{
    struct hale_str s = hale_str_from(text);

    return hale_str_ieq_c(s, "true") || hale_str_ieq_c(s, "1") ||
           hale_str_ieq_c(s, "yes") || hale_str_ieq_c(s, "t");
}

enum hale_rc collector_params_period(const char *text, int64_t *out_s,
                                     struct hale_err *err)
{
    uint64_t n = 0;

    *out_s = 300;
    if (text == NULL)
        return HALE_OK;
    if (hale_str_u64(hale_str_from(text), &n) != HALE_OK || n > 1000000000u)
        return hale_err_set(err, HALE_E_INVAL, "period must be whole seconds from 1");
    if (n > 0)
        *out_s = (int64_t)n;
    return HALE_OK;
}

static enum hale_rc cursor_time(struct hale_str s, int64_t *out_ms)
{
    if (hale_str_i64(s, out_ms) == HALE_OK)
        return HALE_OK;
    return parse_time(s, out_ms);
}

static bool looks_like_id(struct hale_str s)
{
    return s.len == 17 && (s.p[0] == 's' || s.p[0] == 'm' || s.p[0] == 'g') &&
           memchr(s.p, ':', s.len) == NULL;
}

enum hale_rc collector_params_cursor(const char *text, struct collector_cursor *out,
                                     struct hale_err *err)
{
    struct hale_str s = hale_str_from(text);

    memset(out, 0, sizeof(*out));
    if (text == NULL)
        return HALE_OK;
    out->set = true;
    const char *bar = memchr(s.p, '_', s.len);
    struct hale_str id = bar != NULL ? (struct hale_str){s.p, (size_t)(bar - s.p)} : s;
    if (looks_like_id(id)) {
        out->id = id;
        if (bar == NULL)
            return HALE_OK;
    }
    if (bar != NULL)
        s = (struct hale_str){bar + 1, s.len - id.len - 1};
    if (cursor_time(s, &out->time_ms) != HALE_OK)
        return hale_err_set(err, HALE_E_INVAL,
                            "offset must be a cursor of this list or a time");
    out->has_time = true;
    return HALE_OK;
}

static enum hale_rc sort_item(struct hale_str item, const char *const *fields,
                              struct collector_sort *out, struct hale_err *err)
{
    struct hale_str dir = item;
    struct hale_str name = hale_str_split(&dir, ' ');
    unsigned f = 0;

    dir = hale_str_trim(dir);
    while (fields[f] != NULL && !hale_str_ieq_c(name, fields[f]))
        f++;
    if (fields[f] == NULL)
        return hale_err_set(err, HALE_E_INVAL, "sort_by: unknown field %.*s",
                            (int)(name.len < 100 ? name.len : 100), name.p);
    bool desc = hale_str_ieq_c(dir, "desc");
    if (dir.len > 0 && !desc && !hale_str_ieq_c(dir, "asc"))
        return hale_err_set(err, HALE_E_INVAL, "sort_by: direction must be asc or desc");
    if (out->n == COLLECTOR_SORT_MAX)
        return hale_err_set(err, HALE_E_INVAL, "sort_by has more than %d fields",
                            COLLECTOR_SORT_MAX);
    out->v[out->n].field = f;
    out->v[out->n++].desc = desc;
    return HALE_OK;
}

enum hale_rc collector_params_sort(const char *text, const char *const *fields,
                                   struct collector_sort *out, struct hale_err *err)
{
    struct collector_list list;

    out->n = 0;
    enum hale_rc rc = collector_params_list(text, "sort_by", &list, err);
    for (unsigned i = 0; rc == HALE_OK && i < list.n; i++)
        rc = sort_item(list.v[i], fields, out, err);
    return rc;
}
