/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

#define PATH_BYTES 32768

void cli_history_init(struct cli_history *h)
{
    *h = (struct cli_history){
        .series = json_array(), .index = json_object(), .asked = json_object()};
}

void cli_history_fini(struct cli_history *h)
{
    json_decref(h->series);
    json_decref(h->index);
    json_decref(h->asked);
    free(h->samples);
}

/* --- an answer --------------------------------------------------------------------- */

static enum hale_rc add_sample(struct cli_history *h, struct cli_history_sample sample,
                               struct hale_err *err)
{
    if (h->n == CLI_HISTORY_SAMPLES_MAX)
        return hale_err_set(err, HALE_E_LIMIT,
                            "more than %d samples: ask for a shorter time",
                            CLI_HISTORY_SAMPLES_MAX);
    if (h->n == h->cap) {
        size_t cap = h->cap == 0 ? 4096 : h->cap * 2;
        struct cli_history_sample *grown = realloc(h->samples, cap * sizeof(*grown));
        if (grown == NULL)
            return hale_err_set(err, HALE_E_NOMEM, "out of memory");
        h->samples = grown;
        h->cap = cap;
    }
    h->samples[h->n++] = sample;
    return HALE_OK;
}

/* The number of the element's series; *old: it was read before, for another metric of a definition. */
static unsigned series_of(struct cli_history *h, const json_t *element, bool *old,
                          size_t first)
{
    json_t *series = json_pack("{s:O,s:O}", "name", json_object_get(element, "name"),
                               "dimensions", json_object_get(element, "dimensions"));
    char *text = json_dumps(series, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *known = text != NULL ? json_object_get(h->index, text) : NULL;
    size_t number =
        known != NULL ? (size_t)json_integer_value(known) : json_array_size(h->series);
    if (known == NULL && text != NULL) {
        (void)json_array_append(h->series, series);
        (void)json_object_set_new(h->index, text, json_integer((json_int_t)number));
    }
    *old = known != NULL && number < first; /* else: it goes on from the page before */
    free(text);
    json_decref(series);
    return (unsigned)number;
}

static enum hale_rc add_page(struct cli_history *h, const json_t *page, size_t first,
                             size_t *rows, struct hale_err *err)
{
    const json_t *element, *row;
    size_t i, k;
    enum hale_rc rc = HALE_OK;
    *rows = 0;
    json_array_foreach (json_object_get(page, "elements"), i, element) {
        bool old;
        unsigned series = series_of(h, element, &old, first);
        json_array_foreach (json_object_get(element, "measurements"), k, row) {
            struct cli_history_sample s = {
                .series = series, .value = json_number_value(json_array_get(row, 1))};
            ++*rows;
            if (rc != HALE_OK || old)
                continue;
            const char *when = json_string_value(json_array_get(row, 0));
            rc = hale_clock_parse_iso(hale_str_from(when), &s.time_ms);
            rc = rc == HALE_OK ? add_sample(h, s, err)
                               : hale_err_set(err, rc, "a time that is none: %.60s",
                                              when != NULL ? when : "");
        }
    }
    return rc;
}

/* --- asking ------------------------------------------------------------------------ */

static void add_dims(struct hale_buf *path, const struct hale_term *t)
{
    struct hale_buf dims;
    hale_buf_init(&dims, PATH_BYTES);
    for (unsigned i = 0; i < t->n_dims; i++)
        hale_buf_printf(&dims, "%s%.*s:%.*s", i > 0 ? "," : "", (int)t->dims[i].key.len,
                        t->dims[i].key.p, (int)t->dims[i].value.len, t->dims[i].value.p);
    cli_api_query(path, "dimensions", t->n_dims > 0 ? dims.p : NULL);
    path->failed = path->failed || dims.failed;
    hale_buf_fini(&dims);
}

static enum hale_rc read_pages(struct cli_history *h, const struct cli_api *api,
                               const char *path, struct hale_err *err)
{
    struct cli_api asking = *api;
    size_t first = json_array_size(h->series), rows = 1;
    char *next = strdup(path);
    enum hale_rc rc =
        next != NULL ? HALE_OK : hale_err_set(err, HALE_E_NOMEM, "out of memory");
    asking.resolution = &h->resolution;
    while (rc == HALE_OK && next != NULL && rows > 0) {
        json_t *page = NULL;
        rc = cli_api_call(&asking, "GET", next, NULL, &page, err);
        if (rc == HALE_OK)
            rc = add_page(h, page, first, &rows, err);
        const char *more = rc == HALE_OK ? cli_api_next(page) : NULL;
        free(next);
        next = more != NULL ? strdup(more) : NULL;
        json_decref(page);
    }
    free(next);
    return rc;
}

static enum hale_rc read_term(struct cli_history *h, const struct cli_api *api,
                              const struct hale_term *t, int64_t start_ms, int64_t end_ms,
                              struct hale_err *err)
{
    char start[HALE_CLOCK_ISO_MAX], end[HALE_CLOCK_ISO_MAX], name[4 * 255 + 1];
    struct hale_buf path;
    enum hale_rc rc = HALE_OK;
    (void)snprintf(name, sizeof(name), "%.*s", (int)t->name.len, t->name.p);
    hale_buf_init(&path, PATH_BYTES);
    hale_buf_add_c(&path, "/v2.0/metrics/measurements");
    cli_api_query(&path, "name", name);
    add_dims(&path, t);
    cli_api_query(&path, "start_time", hale_clock_iso_ms(start_ms, start));
    cli_api_query(&path, "end_time", hale_clock_iso_ms(end_ms, end));
    cli_api_query(&path, "group_by", "*");
    if (path.failed)
        rc = hale_err_set(err, HALE_E_LIMIT, "the selector of %.100s is too long", name);
    else if (json_object_get(h->asked, path.p) == NULL)
        rc = read_pages(h, api, path.p, err);
    if (rc == HALE_OK && json_object_set_new(h->asked, path.p, json_true()) != 0)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    hale_buf_fini(&path);
    return rc;
}

enum hale_rc cli_history_read(struct cli_history *h, const struct cli_api *api,
                              const struct hale_expr *expr, int64_t start_ms,
                              int64_t end_ms, struct hale_err *err)
{
    enum hale_rc rc = HALE_OK;
    for (unsigned s = 0; s < expr->n_subs; s++)
        for (unsigned i = 0; rc == HALE_OK && i < hale_subexpr_terms(&expr->subs[s]);
             i++) {
            struct hale_term t = hale_subexpr_term(&expr->subs[s], i);
            rc = read_term(h, api, &t, start_ms, end_ms, err);
        }
    return rc;
}

static int by_time(const void *a, const void *b)
{
    const struct cli_history_sample *x = a, *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    return (x->series > y->series) - (x->series < y->series);
}

void cli_history_sort(struct cli_history *h)
{
    if (h->n > 0)
        qsort(h->samples, h->n, sizeof(*h->samples), by_time);
}
