/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"

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

/* One element of measurements or statistics: its dimensions, then its rows. */
static void print_series(const json_t *element)
{
    char text[TEXT_MAX];
    const char *titles[CLI_TABLE_COLUMNS];
    const json_t *columns = json_object_get(element, "columns");
    const json_t *rows = json_object_get(element, "statistics");
    size_t n_columns = json_array_size(columns), i;
    json_t *row;

    if (rows == NULL)
        rows = json_object_get(element, "measurements");
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

int cli_metric_query(const struct cli_options *o, const char *name)
{
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *elements = NULL, *element;
    char dims[4096], start[HALE_CLOCK_ISO_MAX];
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
    cli_api_query(&path, "statistics", o->stat);
    cli_api_query(&path, "period", o->stat != NULL ? o->period : NULL);
    enum hale_rc rc =
        path.failed ? hale_err_set(&err, HALE_E_LIMIT, "the query is too long")
                    : cli_api_list(&o->api, path.p, (size_t)o->limit, &elements, &err);
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
