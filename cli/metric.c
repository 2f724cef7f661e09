/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "model/limits.h"

#define TEXT_MAX 2048

int cli_metric_list(const struct cli_options *o)
{
    static const char *const titles[] = {"NAME", "DIMENSIONS", "ID"};
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *metrics = NULL, *metric;
    char dims[4096];
    size_t i;

    if (cli_dims_query(o, dims, sizeof(dims), &err) != HALE_OK) {
        (void)cli_fail(&err);
        return CLI_USAGE;
    }
    hale_buf_init(&path, 16384);
    hale_buf_add_c(&path, "/v2.0/metrics");
    cli_api_query(&path, "name", o->name);
    cli_api_query(&path, "dimensions", dims[0] != '\0' ? dims : NULL);
    enum hale_rc rc =
        path.failed ? hale_err_set(&err, HALE_E_LIMIT, "the query is too long")
                    : cli_api_list(&o->api, path.p, (size_t)o->limit, &metrics, &err);
    hale_buf_fini(&path);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        (void)cli_print_json(metrics);
    } else {
        struct cli_table *table = cli_table_new(3, titles);
        json_array_foreach (metrics, i, metric) {
            char text[TEXT_MAX];
            cli_table_row(table, (const char *const[]){
                                     cli_text(metric, "name"),
                                     cli_dims_text(json_object_get(metric, "dimensions"),
                                                   text, sizeof(text)),
                                     cli_text(metric, "id")});
        }
        cli_table_print(table);
    }
    json_decref(metrics);
    return CLI_OK;
}

/* Rows of an element of measurements or statistics. */
static json_t *rows_of(const json_t *element)
{
    json_t *rows = json_object_get(element, "statistics");
    return rows != NULL ? rows : json_object_get(element, "measurements");
}

/* One element of measurements or statistics: its dimensions, then its rows. */
static void print_series(const json_t *element)
{
    char text[TEXT_MAX];
    const char *titles[CLI_TABLE_COLUMNS];
    const json_t *columns = json_object_get(element, "columns");
    const json_t *rows = rows_of(element);
    size_t n_columns = json_array_size(columns), i;
    json_t *row;

    if (n_columns == 0 || n_columns > CLI_TABLE_COLUMNS)
        return;
    printf("# ");
    cli_table_text(cli_text(element, "name"));
    printf("  ");
    cli_table_text(
        cli_dims_text(json_object_get(element, "dimensions"), text, sizeof(text)));
    putchar('\n');
    for (size_t c = 0; c < n_columns; c++)
        titles[c] = json_string_value(json_array_get(columns, c));
    struct cli_table *table = cli_table_new((unsigned)n_columns, titles);
    json_array_foreach (rows, i, row) {
        char numbers[CLI_TABLE_COLUMNS][TEXT_MAX / 4];
        const char *cells[CLI_TABLE_COLUMNS];
        for (size_t c = 0; c < n_columns; c++) {
            const json_t *cell = json_array_get(row, c);
            cells[c] = numbers[c];
            if (json_is_string(cell))
                cells[c] = json_string_value(cell);
            else if (json_is_number(cell))
                (void)snprintf(numbers[c], sizeof(numbers[c]), "%.10g",
                               json_number_value(cell));
            else
                (void)cli_dims_text(cell, numbers[c], sizeof(numbers[c]));
        }
        cli_table_row(table, cells);
    }
    cli_table_print(table);
}

/* Adds a page's elements to all until *left rows are there; a series that was cut by the end of the page
 * before goes on in its element. HALE_E_NOMEM. */
static enum hale_rc add_page(json_t *all, const json_t *page, size_t *left)
{
    size_t i;
    json_t *element;
    json_array_foreach (json_object_get(page, "elements"), i, element) {
        json_t *rows = rows_of(element);
        json_t *last = json_array_get(all, json_array_size(all) - 1);
        if (*left == 0)
            break;
        while (json_array_size(rows) > *left)
            if (json_array_remove(rows, json_array_size(rows) - 1) != 0)
                return HALE_E_NOMEM;
        *left -= json_array_size(rows);
        bool goes_on =
            i == 0 && last != NULL &&
            json_equal(json_object_get(last, "id"), json_object_get(element, "id")) == 1;
        if (goes_on ? json_array_extend(rows_of(last), rows) != 0
                    : json_array_append(all, element) != 0)
            return HALE_E_NOMEM;
    }
    return HALE_OK;
}

/* GETs path (which has a query) and what follows it, o->limit rows in all; *out is a new array. */
static enum hale_rc fetch_rows(const struct cli_options *o, const char *path,
                               json_t **out, struct hale_err *err)
{
    json_t *all = json_array();
    char *next = strdup(path);
    size_t left = (size_t)o->limit;
    enum hale_rc rc = HALE_OK;

    *out = NULL;
    if (all == NULL || next == NULL)
        rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
    while (rc == HALE_OK && next != NULL && left > 0) {
        json_t *page = NULL;
        size_t before = left;
        rc = cli_api_call(&o->api, "GET", next, NULL, &page, err);
        if (rc == HALE_OK && add_page(all, page, &left) != HALE_OK)
            rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
        const char *more = rc == HALE_OK && left < before ? cli_api_next(page) : NULL;
        free(next);
        next = more != NULL ? strdup(more) : NULL;
        json_decref(page);
    }
    free(next);
    if (rc == HALE_OK)
        *out = all;
    else
        json_decref(all);
    return rc;
}

int cli_metric_query(const struct cli_options *o, const char *name)
{
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *elements = NULL, *element;
    char dims[4096], start[HALE_CLOCK_ISO_MAX], limit[24];
    int64_t since_ms = 0;
    size_t i;

    if (hale_str_duration_ms(hale_str_from(o->since), &since_ms) != HALE_OK ||
        since_ms <= 0)
        (void)hale_err_set(&err, HALE_E_INVAL,
                           "--since '%s' is not a duration: write 30s, 10m, 1h30m",
                           o->since);
    if (err.rc != HALE_OK || cli_dims_query(o, dims, sizeof(dims), &err) != HALE_OK) {
        (void)cli_fail(&err);
        return CLI_USAGE;
    }
    hale_buf_init(&path, 16384);
    hale_buf_add_c(&path, o->stat != NULL ? "/v2.0/metrics/statistics"
                                          : "/v2.0/metrics/measurements");
    cli_api_query(&path, "name", name);
    cli_api_query(&path, "dimensions", dims[0] != '\0' ? dims : NULL);
    cli_api_query(&path, "start_time",
                  hale_clock_iso_ms(hale_clock_wall_ms() - since_ms, start));
    cli_api_query(&path, o->merge ? "merge_metrics" : "group_by",
                  o->merge ? "true" : "*");
    (void)snprintf(limit, sizeof(limit), "%ld",
                   o->limit < HALE_LIST_LIMIT ? o->limit : HALE_LIST_LIMIT);
    cli_api_query(&path, "limit", limit);
    cli_api_query(&path, "statistics", o->stat);
    cli_api_query(&path, "period", o->stat != NULL ? o->period : NULL);
    enum hale_rc rc = path.failed
                          ? hale_err_set(&err, HALE_E_LIMIT, "the query is too long")
                          : fetch_rows(o, path.p, &elements, &err);
    hale_buf_fini(&path);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        (void)cli_print_json(elements);
    } else {
        json_array_foreach (elements, i, element)
            print_series(element);
        if (json_array_size(elements) == 0)
            (void)fprintf(stderr, "hale: no samples of %s in the last %s\n", name,
                          o->since);
    }
    json_decref(elements);
    return CLI_OK;
}
