/* SPDX-License-Identifier: Apache-2.0 */
/* hale query: PromQL through the collector's Prometheus interface. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"

#define TEXT_MAX 4096

/* cpu.idle_perc{host="h1",..}, as PromQL would select it. */
static const char *series_text(const json_t *labels, char *dst)
{
    json_t *name = json_object_get(labels, "__name__");
    struct hale_buf b;
    const char *key;
    json_t *value;
    bool any = false;

    hale_buf_init(&b, TEXT_MAX - 1);
    hale_buf_add_c(&b, json_is_string(name) ? json_string_value(name) : "");
    hale_buf_add_char(&b, '{');
    json_object_foreach ((json_t *)(uintptr_t)labels, key, value) {
        if (strcmp(key, "__name__") == 0 || !json_is_string(value))
            continue;
        hale_buf_printf(&b, "%s%s=", any ? ", " : "", key);
        hale_buf_add_json(&b, hale_str_from(json_string_value(value)));
        any = true;
    }
    hale_buf_add_char(&b, '}');
    (void)snprintf(dst, TEXT_MAX, "%s", b.p != NULL ? b.p : "");
    hale_buf_fini(&b);
    return dst;
}

static const char *time_text(const json_t *point, char *dst)
{
    double seconds = json_number_value(json_array_get(point, 0));
    return hale_clock_iso_ms((int64_t)(seconds * 1000 + 0.5), dst);
}

static const char *value_text(const json_t *point)
{
    const char *text = json_string_value(json_array_get(point, 1));
    return text != NULL ? text : "?";
}

/* A scalar or string: [time, "value"]. */
static void print_single(const json_t *point)
{
    char when[HALE_CLOCK_ISO_MAX];
    struct cli_table *table = cli_table_new(2, (const char *const[]){"TIME", "VALUE"});
    cli_table_row(table,
                  (const char *const[]){time_text(point, when), value_text(point)});
    cli_table_print(table);
}

static void print_vector(const json_t *result)
{
    struct cli_table *table = cli_table_new(2, (const char *const[]){"VALUE", "SERIES"});
    char text[TEXT_MAX];
    json_t *row;
    size_t i;

    json_array_foreach (result, i, row)
        cli_table_row(table, (const char *const[]){
                                 value_text(json_object_get(row, "value")),
                                 series_text(json_object_get(row, "metric"), text)});
    cli_table_print(table);
}

static void print_matrix(const json_t *result)
{
    char text[TEXT_MAX], when[HALE_CLOCK_ISO_MAX];
    json_t *row, *point;
    size_t i, k;

    json_array_foreach (result, i, row) {
        printf("# ");
        cli_table_text(series_text(json_object_get(row, "metric"), text));
        putchar('\n');
        struct cli_table *table =
            cli_table_new(2, (const char *const[]){"TIME", "VALUE"});
        json_array_foreach (json_object_get(row, "values"), k, point)
            cli_table_row(
                table, (const char *const[]){time_text(point, when), value_text(point)});
        cli_table_print(table);
    }
}

static void print_answer(const json_t *answer)
{
    const json_t *data = json_object_get(answer, "data");
    const json_t *result = json_object_get(data, "result");
    const char *type = cli_text(data, "resultType");
    json_t *warning;
    size_t i;

    json_array_foreach (json_object_get(answer, "warnings"), i, warning) {
        char text[TEXT_MAX];
        (void)snprintf(text, sizeof(text), "%s",
                       json_is_string(warning) ? json_string_value(warning) : "");
        (void)fprintf(stderr, "hale: %s\n", cli_table_clean(text));
    }
    if (strcmp(type, "vector") == 0 && json_array_size(result) > 0)
        print_vector(result);
    else if (strcmp(type, "matrix") == 0 && json_array_size(result) > 0)
        print_matrix(result);
    else if (strcmp(type, "scalar") == 0 || strcmp(type, "string") == 0)
        print_single(result);
    else
        (void)fprintf(stderr, "hale: no series has a value here\n");
}

/* "/api/v1/query?..." or, with --range, "/api/v1/query_range?...". False: a usage error was said. */
static bool make_path(const struct cli_options *o, const char *expression,
                      struct hale_buf *path)
{
    int64_t now_ms = hale_clock_wall_ms();
    int64_t range_ms = 0, step_ms;
    char number[32];

    if (o->range == NULL) {
        hale_buf_add_c(path, "/api/v1/query");
        cli_api_query(path, "query", expression);
        return true;
    }
    if (hale_str_duration_ms(hale_str_from(o->range), &range_ms) != HALE_OK ||
        range_ms <= 0 ||
        hale_str_duration_ms(hale_str_from(o->step), &step_ms) != HALE_OK ||
        step_ms <= 0) {
        (void)fprintf(stderr,
                      "hale: --range and --step want durations: write 30s, 10m, 1h30m\n");
        return false;
    }
    int64_t end_ms = now_ms - now_ms % step_ms; /* steps that do not move between calls */
    hale_buf_add_c(path, "/api/v1/query_range");
    cli_api_query(path, "query", expression);
    (void)snprintf(number, sizeof(number), "%.3f", (double)(end_ms - range_ms) / 1000);
    cli_api_query(path, "start", number);
    (void)snprintf(number, sizeof(number), "%.3f", (double)end_ms / 1000);
    cli_api_query(path, "end", number);
    (void)snprintf(number, sizeof(number), "%.3f", (double)step_ms / 1000);
    cli_api_query(path, "step", number);
    return true;
}

int cli_query(const struct cli_options *o, const char *expression)
{
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *answer = NULL;
    enum hale_rc rc;

    hale_buf_init(&path, 65536);
    if (!make_path(o, expression, &path)) {
        hale_buf_fini(&path);
        return CLI_USAGE;
    }
    rc = path.failed ? hale_err_set(&err, HALE_E_LIMIT, "the query is too long")
                     : cli_api_call(&o->api, "GET", path.p, NULL, &answer, &err);
    hale_buf_fini(&path);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json)
        (void)cli_print_json(answer);
    else
        print_answer(answer);
    json_decref(answer);
    return CLI_OK;
}
