/* SPDX-License-Identifier: Apache-2.0 */
/* switch - kill switches and policies: hale switch list|on|off, hale policy list|unlatch */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "net/http_client.h"

#define PATH_MAX_BYTES 8192
#define RUNS_TEXT      256

static int misses(const char *noun, const char *what)
{
    (void)fprintf(stderr, "hale: %s %s\n", noun, what);
    return CLI_USAGE;
}

static const char *time_text(const json_t *o, const char *key, char *dst)
{
    int64_t ms = (int64_t)json_integer_value(json_object_get(o, key));
    return ms > 0 ? hale_clock_iso_s(ms, dst) : "-";
}

static json_t *get(const struct cli_options *o, const char *path)
{
    struct hale_err err = {0};
    json_t *answer = NULL;
    if (cli_api_call(&o->api, "GET", path, NULL, &answer, &err) == HALE_OK)
        return answer;
    (void)cli_fail(&err);
    return NULL;
}

/* --- switches ------------------------------------------------------------------------ */

static int list(const struct cli_options *o)
{
    static const char *const titles[] = {"SCOPE", "SINCE", "UNTIL", "BY", "WHY"};
    size_t i;
    json_t *s, *answer = get(o, "/v1/switches");
    if (answer == NULL)
        return CLI_FAILED;
    if (o->json) {
        (void)cli_print_json(json_object_get(answer, "elements"));
    } else {
        struct cli_table *table = cli_table_new(5, titles);
        json_array_foreach (json_object_get(answer, "elements"), i, s) {
            char since[HALE_CLOCK_ISO_MAX], until[HALE_CLOCK_ISO_MAX];
            cli_table_row(table, (const char *const[]){
                                     cli_text(s, "scope"), time_text(s, "at_ms", since),
                                     time_text(s, "expires_ms", until), cli_text(s, "by"),
                                     cli_text(s, "reason")});
        }
        cli_table_print(table);
    }
    json_decref(answer);
    return CLI_OK;
}

/* "/v1/switches/site/NAME", the name quoted; false: none of the scopes. */
static bool path_of(const char *scope, struct hale_buf *path)
{
    static const char *const kinds[] = {"site/", "policy/"};
    hale_buf_add_c(path, "/v1/switches/");
    if (strcmp(scope, "all") == 0) {
        hale_buf_add_c(path, scope);
        return true;
    }
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(kinds[i]);
        if (strncmp(scope, kinds[i], len) != 0 || scope[len] == '\0')
            continue;
        hale_buf_add_c(path, kinds[i]);
        hale_http_quote(path, hale_str_from(scope + len));
        return !path->failed;
    }
    return false;
}

static int turn(const struct cli_options *o, bool on, const char *scope)
{
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *answer = NULL;
    if (on && o->reason == NULL)
        return misses("switch on", "wants --reason TEXT: why automation is stopped");
    hale_buf_init(&path, PATH_MAX_BYTES);
    if (!path_of(scope, &path)) {
        hale_buf_fini(&path);
        return misses("switch", "wants a scope: all, site/NAME or policy/NAME");
    }
    json_t *body =
        json_pack("{s:s*,s:s*}", "reason", o->reason, "for", on ? o->duration : NULL);
    enum hale_rc rc =
        cli_api_call(&o->api, on ? "PUT" : "DELETE", path.p, body, &answer, &err);
    if (rc == HALE_E_NOTFOUND)
        (void)hale_err_set(&err, rc, "the switch %.140s is not on", scope);
    json_decref(body);
    hale_buf_fini(&path);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json && answer != NULL) {
        (void)cli_print_json(answer);
    } else {
        cli_table_text(scope);
        printf(": %s\n", on ? "stopped" : "goes on");
    }
    json_decref(answer);
    return CLI_OK;
}

int cli_switch(const struct cli_options *o, const char *verb, int n, char **words)
{
    if (strcmp(verb, "list") == 0 && n == 0)
        return list(o);
    if (strcmp(verb, "on") == 0 || strcmp(verb, "off") == 0)
        return n == 1 ? turn(o, verb[1] == 'n', words[0])
                      : misses("switch", "wants a scope: all, site/NAME or policy/NAME");
    return misses("switch", "wants list, on or off");
}

/* --- policies ------------------------------------------------------------------------ */

static const char *runs_text(const json_t *runs, char dst[RUNS_TEXT])
{
    const char *state;
    json_t *n;
    size_t used = 0;
    dst[0] = '\0';
    json_object_foreach ((json_t *)(uintptr_t)runs, state, n) {
        int len = snprintf(dst + used, RUNS_TEXT - used, "%s%lld %.20s",
                           used > 0 ? ", " : "", (long long)json_integer_value(n), state);
        if (len < 0 || used + (size_t)len >= RUNS_TEXT)
            break;
        used += (size_t)len;
    }
    return dst;
}

static int list_policies(const struct cli_options *o)
{
    static const char *const titles[] = {"POLICY", "MODE",   "LATCH",
                                         "SWITCH", "TARGET", "RUNS"};
    size_t i;
    json_t *p, *answer = get(o, "/v1/policies");
    if (answer == NULL)
        return CLI_FAILED;
    if (o->json) {
        (void)cli_print_json(json_object_get(answer, "elements"));
    } else {
        struct cli_table *table = cli_table_new(6, titles);
        json_array_foreach (json_object_get(answer, "elements"), i, p) {
            char runs[RUNS_TEXT];
            const json_t *latch = json_object_get(p, "latch");
            const char *why = cli_text(latch, "why");
            cli_table_row(
                table,
                (const char *const[]){
                    cli_text(p, "name"), cli_text(p, "mode"),
                    !json_is_object(latch) ? "-"
                    : why[0] != '\0'       ? why
                                           : "latched",
                    json_is_object(json_object_get(p, "switch")) ? "stopped" : "-",
                    cli_text(p, "target"), runs_text(json_object_get(p, "runs"), runs)});
        }
        cli_table_print(table);
    }
    json_decref(answer);
    return CLI_OK;
}

static int unlatch(const struct cli_options *o, const char *name)
{
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *answer = NULL;
    hale_buf_init(&path, PATH_MAX_BYTES);
    hale_buf_add_c(&path, "/v1/policies/");
    hale_http_quote(&path, hale_str_from(name));
    hale_buf_add_c(&path, "/unlatch");
    enum hale_rc rc = path.failed
                          ? hale_err_set(&err, HALE_E_INVAL, "that is not a name")
                          : cli_api_call(&o->api, "POST", path.p, NULL, &answer, &err);
    hale_buf_fini(&path);
    if (rc == HALE_E_NOTFOUND)
        (void)hale_err_set(&err, rc, "there is no policy %.64s", name);
    json_decref(answer);
    if (rc != HALE_OK)
        return cli_fail(&err);
    cli_table_text(name);
    puts(": no longer latched");
    return CLI_OK;
}

int cli_policy(const struct cli_options *o, const char *verb, int n, char **words)
{
    if (strcmp(verb, "list") == 0 && n == 0)
        return list_policies(o);
    if (strcmp(verb, "unlatch") == 0)
        return n == 1 ? unlatch(o, words[0])
                      : misses("policy unlatch", "wants one policy's name");
    return misses("policy", "wants list or unlatch");
}
