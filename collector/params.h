/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_PARAMS_H
#define HALE_COLLECTOR_PARAMS_H
/*
 * params - Monasca's query parameters, decoded text in, values out. All errors are
 * HALE_E_INVAL with a message for a 422. Views point into the text given.
 * Threads: stateless.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"
#include "base/str.h"
#include "model/limits.h"
#include "model/series.h"

/* dimensions=k1:v1,k2,k3:a|b */
struct collector_dim_filter {
    struct hale_str key;
    struct hale_str value; /* alternatives separated by '|'; {NULL,0}: any */
};
struct collector_dims {
    unsigned n;
    struct collector_dim_filter v[HALE_DIMS_MAX];
};
/* text may be NULL (no filter). */
HALE_MUST_CHECK enum hale_rc
collector_params_dims(const char *text, struct collector_dims *out, struct hale_err *err);
bool collector_dims_match(const struct collector_dims *f, const struct hale_series *s);
/* value equals one of the alternatives, or alternatives.p is NULL. */
bool collector_alternative(struct hale_str alternatives, struct hale_str value);

/* Comma list; every item non-empty after trimming. text may be NULL (n = 0). */
#define COLLECTOR_LIST_MAX 64
struct collector_list {
    unsigned n;
    struct hale_str v[COLLECTOR_LIST_MAX];
};
HALE_MUST_CHECK enum hale_rc collector_params_list(const char *text, const char *name,
                                                   struct collector_list *out,
                                                   struct hale_err *err);
/* ISO 8601, with a blank for the '+' of a zone too; *out unchanged and HALE_OK when text is NULL. */
HALE_MUST_CHECK enum hale_rc collector_params_time(const char *text, const char *name,
                                                   int64_t *out_ms, struct hale_err *err);
#define COLLECTOR_PARAMS_LIMIT_TEXT "limit must be an integer from 1"
/* 1..HALE_LIST_LIMIT (larger is clamped); NULL gives HALE_LIST_LIMIT. */
HALE_MUST_CHECK enum hale_rc collector_params_limit(const char *text, size_t *out,
                                                    struct hale_err *err);
/* Row number; NULL gives 0. */
HALE_MUST_CHECK enum hale_rc collector_params_row(const char *text, size_t *out,
                                                  struct hale_err *err);
/* true, 1, yes in any case. */
bool collector_params_bool(const char *text);
/* Seconds of period=; NULL and "0" give 300. */
HALE_MUST_CHECK enum hale_rc collector_params_period(const char *text, int64_t *out_s,
                                                     struct hale_err *err);

/* Cursor of measurements and statistics: "<id>_<time>", "<id>", a time or epoch ms. */
struct collector_cursor {
    bool set;
    struct hale_str id; /* {NULL,0}: none */
    bool has_time;
    int64_t time_ms;
};
HALE_MUST_CHECK enum hale_rc collector_params_cursor(const char *text,
                                                     struct collector_cursor *out,
                                                     struct hale_err *err);

/* sort_by=field [asc|desc],... ; fields is NULL-terminated. */
#define COLLECTOR_SORT_MAX 8
struct collector_sort {
    unsigned n;
    struct {
        unsigned field; /* index into fields */
        bool desc;
    } v[COLLECTOR_SORT_MAX];
};
HALE_MUST_CHECK enum hale_rc collector_params_sort(const char *text,
                                                   const char *const *fields,
                                                   struct collector_sort *out,
                                                   struct hale_err *err);
#endif
