/* SPDX-License-Identifier: Apache-2.0 */
/* session - maintenance sessions: hale session start|list|show|done|failed|cancel */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "net/http_client.h"

#define PATH "/fenix/v1/maintenance"

static int misses(const char *what)
{
    (void)fprintf(stderr, "hale: session %s\n", what);
    return CLI_USAGE;
}

/* The path of a session; free it. NULL: no memory. */
static char *path_of(const char *id)
{
    struct hale_buf path;
    hale_buf_init(&path, 4096);
    hale_buf_add_c(&path, PATH "/");
    hale_http_quote(&path, hale_str_from(id));
    char *text = path.failed ? NULL : hale_buf_take(&path);
    hale_buf_fini(&path);
    return text;
}

static int call(const struct cli_options *o, const char *method, const char *id,
                json_t *body, json_t **answer)
{
    struct hale_err err = {0};
    char *path = path_of(id);
    enum hale_rc rc = path != NULL
                          ? cli_api_call(&o->api, method, path, body, answer, &err)
                          : hale_err_set(&err, HALE_E_INVAL, "that is not an id");
    if (rc == HALE_E_NOTFOUND)
        (void)hale_err_set(&err, rc, "there is no session %.64s", id);
    free(path);
    return rc == HALE_OK ? CLI_OK : cli_fail(&err);
}

static int start(const struct cli_options *o, int n, char **hosts)
{
    struct hale_err err = {0};
    char now[HALE_CLOCK_ISO_MAX];
    json_t *answer = NULL, *list = json_array();
    for (int i = 0; i < n; i++)
        (void)json_array_append_new(list, json_string(hosts[i]));
    (void)hale_clock_iso_s(hale_clock_wall_ms(), now);
    json_t *body = json_pack("{s:s, s:s, s:s, s:o, s:{s:s*}}", "state", "MAINTENANCE",
                             "maintenance_at", o->starts != NULL ? o->starts : now,
                             "workflow", o->workflow != NULL ? o->workflow : "default",
                             "hosts", list, "metadata", "comment", o->comment);
    enum hale_rc rc = cli_api_call(&o->api, "POST", PATH, body, &answer, &err);
    json_decref(body);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        (void)cli_print_json(answer);
    } else {
        cli_table_text(cli_text(answer, "session_id"));
        putchar('\n');
    }
    json_decref(answer);
    return CLI_OK;
}

static int list(const struct cli_options *o)
{
    static const char *const titles[] = {"STATE", "DONE", "HOSTS", "AT",
                                         "BY",    "ID",   "REASON"};
    struct hale_err err = {0};
    json_t *answer = NULL, *s;
    size_t i;
    if (cli_api_call(&o->api, "GET", PATH, NULL, &answer, &err) != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        (void)cli_print_json(json_object_get(answer, "sessions"));
    } else {
        struct cli_table *table = cli_table_new(7, titles);
        json_array_foreach (json_object_get(answer, "sessions"), i, s) {
            char done[24], hosts[24];
            (void)snprintf(
                done, sizeof(done), "%lld%%",
                (long long)json_integer_value(json_object_get(s, "percent_done")));
            (void)snprintf(hosts, sizeof(hosts), "%lld",
                           (long long)json_integer_value(json_object_get(s, "hosts")));
            cli_table_row(table, (const char *const[]){
                                     cli_text(s, "state"), done, hosts,
                                     cli_text(s, "maintenance_at"), cli_text(s, "by"),
                                     cli_text(s, "session_id"), cli_text(s, "reason")});
        }
        cli_table_print(table);
    }
    json_decref(answer);
    return CLI_OK;
}

static void line(const char *name, const char *value)
{
    if (*value == '\0')
        return;
    printf("%-14s ", name);
    cli_table_text(value);
    putchar('\n');
}

static void print_table(const json_t *rows, const char *const *keys,
                        const char *const *titles, unsigned n)
{
    const json_t *x;
    size_t i;
    if (json_array_size(rows) == 0)
        return;
    putchar('\n');
    struct cli_table *table = cli_table_new(n, titles);
    json_array_foreach (rows, i, x) {
        const char *cells[8] = {NULL};
        for (unsigned k = 0; k < n; k++)
            cells[k] = cli_text(x, keys[k]);
        cli_table_row(table, cells);
    }
    cli_table_print(table);
}

static void print_session(const json_t *s)
{
    static const char *const host_keys[] = {"host", "state"};
    static const char *const hosts[] = {"HOST", "STATE"};
    static const char *const vm_keys[] = {"state",   "action", "host",
                                          "project", "name",   "id"};
    static const char *const vms[] = {"STATE", "ACTION", "HOST", "PROJECT", "NAME", "ID"};
    static const char *const wait_keys[] = {"state",    "action", "host", "project",
                                            "instance", "until",  "text"};
    static const char *const waits[] = {"WAITS FOR", "ACTION", "HOST",  "PROJECT",
                                        "INSTANCE",  "UNTIL",  "REASON"};
    printf("%-14s %lld%%\n", "done",
           (long long)json_integer_value(json_object_get(s, "percent_done")));
    line("state", cli_text(s, "state"));
    if (json_is_true(json_object_get(s, "rolling_back")))
        line("", "what was taken is being given back");
    line("reason", cli_text(s, "reason"));
    line("at", cli_text(s, "maintenance_at"));
    line("workflow", cli_text(s, "workflow"));
    line("by", cli_text(s, "by"));
    print_table(json_object_get(s, "hosts"), host_keys, hosts, 2);
    print_table(json_object_get(s, "instances"), vm_keys, vms, 6);
    print_table(json_object_get(s, "waiting_for"), wait_keys, waits, 7);
}

static int show(const struct cli_options *o, const char *id)
{
    json_t *answer = NULL;
    int code = call(o, "GET", id, NULL, &answer);
    if (code == CLI_OK && o->json)
        (void)cli_print_json(answer);
    else if (code == CLI_OK)
        print_session(answer);
    json_decref(answer);
    return code;
}

static int worked(const struct cli_options *o, const char *state, int n, char **words)
{
    json_t *answer = NULL;
    json_t *body =
        json_pack("{s:s, s:s*}", "state", state, "host", n > 1 ? words[1] : NULL);
    int code = call(o, "PUT", words[0], body, &answer);
    json_decref(body);
    json_decref(answer);
    return code;
}

static int cancel(const struct cli_options *o, int n, char **ids)
{
    int code = CLI_OK;
    for (int i = 0; i < n; i++) {
        json_t *answer = NULL;
        if (call(o, "DELETE", ids[i], NULL, &answer) != CLI_OK)
            code = CLI_FAILED;
        json_decref(answer);
    }
    return code;
}

int cli_session(const struct cli_options *o, const char *verb, int n, char **words)
{
    if (strcmp(verb, "start") == 0)
        return start(o, n, words);
    if (strcmp(verb, "list") == 0 && n == 0)
        return list(o);
    if (strcmp(verb, "show") == 0)
        return n == 1 ? show(o, words[0]) : misses("show wants one id");
    if (strcmp(verb, "done") == 0 || strcmp(verb, "failed") == 0)
        return n == 1 || n == 2
                   ? worked(o,
                            verb[0] == 'd' ? "MAINTENANCE_COMPLETE"
                                           : "MAINTENANCE_FAILED",
                            n, words)
                   : misses("done and failed want an id, and a host perhaps");
    if (strcmp(verb, "cancel") == 0)
        return n > 0 ? cancel(o, n, words) : misses("cancel wants ids");
    return misses("wants start, list, show, done, failed or cancel");
}
