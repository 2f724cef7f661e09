/* SPDX-License-Identifier: Apache-2.0 */
/* silence - hale silence add|list|expire and hale maintenance add|list|end. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "net/http_client.h"

static const char *path_of(bool maintenance)
{
    return maintenance ? "/v1/maintenance" : "/v1/silences";
}

static int misses(bool maintenance, const char *what)
{
    (void)fprintf(stderr, "hale: %s %s\n", maintenance ? "maintenance" : "silence", what);
    return CLI_USAGE;
}

/* --- add ----------------------------------------------------------------------------- */

/* "day", "week:mon,thu", "month:-1" */
static json_t *repeat_of(const char *text)
{
    const char *rest = strchr(text, ':');
    size_t n = rest != NULL ? (size_t)(rest - text) : strlen(text);
    json_t *o = json_pack("{s:s%}", "every", text, n);
    if (rest == NULL || o == NULL)
        return o;
    rest++;
    if (n == 5 && memcmp(text, "month", n) == 0) {
        (void)json_object_set_new(o, "day", json_integer(strtol(rest, NULL, 10)));
        return o;
    }
    json_t *days = json_array();
    struct hale_str list = hale_str_from(rest);
    while (list.p != NULL) {
        struct hale_str day = hale_str_split(&list, ',');
        (void)json_array_append_new(days, json_stringn(day.p, day.len));
    }
    (void)json_object_set_new(o, "days", days);
    return o;
}

static void set_text(json_t *body, const char *key, const char *value)
{
    if (value != NULL)
        (void)json_object_set_new(body, key, json_string(value));
}

static json_t *body_of(const struct cli_options *o, int n, char **matchers)
{
    json_t *body = json_object(), *list = json_array();
    for (int i = 0; i < n; i++)
        (void)json_array_append_new(list, json_string(matchers[i]));
    if (n > 0)
        (void)json_object_set(body, "matchers", list);
    json_decref(list);
    set_text(body, "for", o->duration);
    set_text(body, "reason", o->comment);
    set_text(body, "starts", o->starts);
    set_text(body, "entity", o->entity);
    set_text(body, "zone", o->zone);
    if (o->repeat != NULL)
        (void)json_object_set_new(body, "repeat", repeat_of(o->repeat));
    return body;
}

static int add(const struct cli_options *o, bool maintenance, int n, char **matchers)
{
    struct hale_err err = {0};
    json_t *answer = NULL;

    if (o->duration == NULL)
        return misses(maintenance, "add wants --for, how long");
    if (n == 0 && o->entity == NULL)
        return misses(maintenance, maintenance
                                       ? "add wants name=value ... or --entity TYPE/ID"
                                       : "add wants name=value ...");
    json_t *body = body_of(o, n, matchers);
    enum hale_rc rc =
        cli_api_call(&o->api, "POST", path_of(maintenance), body, &answer, &err);
    json_decref(body);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        (void)cli_print_json(answer);
    } else {
        cli_table_text(cli_text(answer, "id"));
        putchar('\n');
    }
    json_decref(answer);
    return CLI_OK;
}

/* --- list ---------------------------------------------------------------------------- */

static void add_matchers(const json_t *s, struct hale_buf *b)
{
    size_t i;
    json_t *m;
    if (json_object_get(s, "entity") != NULL)
        hale_buf_printf(b, "%s", cli_text(s, "entity"));
    json_array_foreach (json_object_get(s, "matchers"), i, m)
        hale_buf_printf(b, "%s%s%s%s", b->len > 0 ? " " : "", cli_text(m, "name"),
                        cli_text(m, "op"), cli_text(m, "value"));
}

static const char *time_text(const json_t *s, const char *key, char *dst)
{
    const json_t *v = json_object_get(s, key);
    return json_is_integer(v) && json_integer_value(v) > 0
               ? hale_clock_iso_s(json_integer_value(v), dst)
               : "-";
}

static void print_row(struct cli_table *table, const json_t *s)
{
    char change[HALE_CLOCK_ISO_MAX];
    struct hale_buf b;
    hale_buf_init(&b, 65536);
    add_matchers(s, &b);
    cli_table_row(table, (const char *const[]){
                             cli_text(s, "state"), time_text(s, "changes_ms", change),
                             b.failed || b.p == NULL ? "?" : b.p, cli_text(s, "author"),
                             cli_text(s, "reason"), cli_text(s, "id")});
    hale_buf_fini(&b);
}

static int list(const struct cli_options *o, bool maintenance)
{
    static const char *const titles[] = {"STATE", "UNTIL", "MATCHES", "BY", "WHY", "ID"};
    struct hale_err err = {0};
    json_t *answer = NULL, *s;
    size_t i;

    if (cli_api_call(&o->api, "GET", path_of(maintenance), NULL, &answer, &err) !=
        HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        (void)cli_print_json(json_object_get(answer, "elements"));
    } else {
        struct cli_table *table = cli_table_new(6, titles);
        json_array_foreach (json_object_get(answer, "elements"), i, s)
            print_row(table, s);
        cli_table_print(table);
    }
    json_decref(answer);
    return CLI_OK;
}

/* --- end ----------------------------------------------------------------------------- */

static int end(const struct cli_options *o, bool maintenance, int n, char **ids)
{
    int code = CLI_OK;
    if (n == 0)
        return misses(maintenance, maintenance ? "end wants ids" : "expire wants ids");
    for (int i = 0; i < n; i++) {
        struct hale_err err = {0};
        struct hale_buf path;
        json_t *answer = NULL;
        hale_buf_init(&path, 4096);
        hale_buf_printf(&path, "%s/", path_of(maintenance));
        hale_http_quote(&path, hale_str_from(ids[i]));
        enum hale_rc rc =
            path.failed ? hale_err_set(&err, HALE_E_INVAL, "that is not an id")
                        : cli_api_call(&o->api, "DELETE", path.p, NULL, &answer, &err);
        if (rc == HALE_E_NOTFOUND)
            (void)hale_err_set(&err, rc, "there is no %s %.64s",
                               maintenance ? "maintenance window" : "silence", ids[i]);
        if (rc != HALE_OK)
            code = cli_fail(&err);
        json_decref(answer);
        hale_buf_fini(&path);
    }
    return code;
}

int cli_silence(const struct cli_options *o, bool maintenance, const char *verb, int n,
                char **words)
{
    if (strcmp(verb, "add") == 0)
        return add(o, maintenance, n, words);
    if (strcmp(verb, "list") == 0 && n == 0)
        return list(o, maintenance);
    if (strcmp(verb, maintenance ? "end" : "expire") == 0)
        return end(o, maintenance, n, words);
    return misses(maintenance,
                  maintenance ? "wants add, list or end" : "wants add, list or expire");
}
