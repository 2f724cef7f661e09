/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"

#define TEXT_MAX 2048

/* The path with name, dimensions and idle; CLI_USAGE when an option is wrong. */
static int series_path(const struct cli_options *o, struct hale_buf *path)
{
    struct hale_err err = {0};
    char dims[4096];
    int64_t ms;

    if (cli_dims_query(o, dims, sizeof(dims), &err) == HALE_OK && o->idle != NULL &&
        (hale_str_duration_ms(hale_str_from(o->idle), &ms) != HALE_OK || ms <= 0))
        (void)hale_err_set(&err, HALE_E_INVAL,
                           "--idle '%s' is not a duration: write 1h, 30d", o->idle);
    if (err.rc == HALE_OK) {
        hale_buf_add_c(path, "/v1/series");
        cli_api_query(path, "name", o->name);
        cli_api_query(path, "dimensions", dims[0] != '\0' ? dims : NULL);
        cli_api_query(path, "idle", o->idle);
        if (path->failed)
            (void)hale_err_set(&err, HALE_E_LIMIT, "the query is too long");
    }
    if (err.rc == HALE_OK)
        return CLI_OK;
    (void)cli_fail(&err);
    return CLI_USAGE;
}

/* "3d4h", "12m", "-" when unknown. */
static const char *idle_text(const json_t *seconds, char *dst, size_t size)
{
    long long s = json_integer_value(seconds);

    if (!json_is_integer(seconds))
        return "-";
    if (s >= 86400)
        (void)snprintf(dst, size, "%lldd%lldh", s / 86400, s % 86400 / 3600);
    else if (s >= 3600)
        (void)snprintf(dst, size, "%lldh%lldm", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        (void)snprintf(dst, size, "%lldm", s / 60);
    else
        (void)snprintf(dst, size, "%llds", s);
    return dst;
}

static void print_series(const json_t *elements)
{
    static const char *const titles[] = {"NAME", "LAST SAMPLE", "IDLE", "DIMENSIONS",
                                         "ID"};
    struct cli_table *table = cli_table_new(5, titles);
    const json_t *e;
    size_t i;

    json_array_foreach (elements, i, e) {
        char dims[TEXT_MAX], idle[32], when[HALE_CLOCK_ISO_MAX];
        const json_t *last = json_object_get(e, "last_ms");
        cli_table_row(
            table,
            (const char *const[]){
                cli_text(e, "name"),
                json_is_integer(last) ? hale_clock_iso_s(json_integer_value(last), when)
                                      : "-",
                idle_text(json_object_get(e, "idle_s"), idle, sizeof(idle)),
                cli_dims_text(json_object_get(e, "dimensions"), dims, sizeof(dims)),
                cli_text(e, "id")});
    }
    cli_table_print(table);
}

int cli_series_list(const struct cli_options *o)
{
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *elements = NULL;

    hale_buf_init(&path, 16384);
    int code = series_path(o, &path);
    enum hale_rc rc =
        code == CLI_OK ? cli_api_list(&o->api, path.p, (size_t)o->limit, &elements, &err)
                       : HALE_OK;
    hale_buf_fini(&path);
    if (code != CLI_OK)
        return code;
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json)
        (void)cli_print_json(elements);
    else
        print_series(elements);
    json_decref(elements);
    return CLI_OK;
}

int cli_series_delete(const struct cli_options *o)
{
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *answer = NULL;

    if (o->name == NULL && o->n_dims == 0) {
        (void)fprintf(stderr, "hale: series delete wants --name or --dim\n");
        return CLI_USAGE;
    }
    hale_buf_init(&path, 16384);
    int code = series_path(o, &path);
    cli_api_query(&path, "dry_run", o->dry_run ? "true" : NULL);
    enum hale_rc rc = code == CLI_OK
                          ? cli_api_call(&o->api, "DELETE", path.p, NULL, &answer, &err)
                          : HALE_OK;
    hale_buf_fini(&path);
    if (code != CLI_OK)
        return code;
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json)
        (void)cli_print_json(answer);
    else if (o->dry_run)
        printf("%lld series would be deleted\n",
               (long long)json_integer_value(json_object_get(answer, "matching")));
    else
        printf("%lld series deleted\n",
               (long long)json_integer_value(json_object_get(answer, "deleted")));
    json_decref(answer);
    return CLI_OK;
}
