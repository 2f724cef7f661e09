/* SPDX-License-Identifier: Apache-2.0 */
/* run - what the actuator does and would do: hale run list|show|approve|reject|acknowledge|abort */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "net/http_client.h"

#define PATH_MAX_BYTES 8192
#define AGE_MAX        32

static int misses(const char *verb, const char *what)
{
    (void)fprintf(stderr, "hale: run %s %s\n", verb, what);
    return CLI_USAGE;
}

static int64_t number(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

/* --- list ---------------------------------------------------------------------------- */

static const char *span_text(int64_t ms, char dst[AGE_MAX])
{
    long long s = ms > 0 ? (long long)ms / 1000 : 0;
    if (s < 120)
        (void)snprintf(dst, AGE_MAX, "%llds", s);
    else if (s < 7200)
        (void)snprintf(dst, AGE_MAX, "%lldm", s / 60);
    else if (s < 172800)
        (void)snprintf(dst, AGE_MAX, "%lldh", s / 3600);
    else
        (void)snprintf(dst, AGE_MAX, "%lldd", s / 86400);
    return dst;
}

/* "proposed, 12m left", "done verified", "open held" */
static const char *state_text(const json_t *run, int64_t now_ms, char *dst, size_t size)
{
    char left[AGE_MAX];
    const char *state = cli_text(run, "state"), *outcome = cli_text(run, "outcome");
    int64_t expires_ms = number(run, "expires_us") / 1000;
    if (strcmp(state, "proposed") == 0 && expires_ms > 0)
        (void)snprintf(dst, size, "%s, %s left", state,
                       span_text(expires_ms - now_ms, left));
    else if (json_is_true(json_object_get(run, "held")) && strcmp(state, "done") != 0)
        (void)snprintf(dst, size, "%s, waits", state);
    else
        (void)snprintf(dst, size, "%s%s%s", state, outcome[0] != '\0' ? " " : "",
                       outcome);
    return dst;
}

/* The step that is next or under way. */
static const char *what_of(const json_t *run)
{
    const json_t *step =
        json_array_get(json_object_get(run, "steps"),
                       (size_t)(number(run, "step") > 0 ? number(run, "step") : 0));
    const char *what = cli_text(step, "what");
    return what[0] != '\0' ? what : "-";
}

static void print_runs(const json_t *runs)
{
    static const char *const titles[] = {"STATE",  "AGE",   "POLICY", "MODE",
                                         "TARGET", "ALARM", "ID",     "CALL"};
    int64_t now_ms = hale_clock_wall_ms();
    struct cli_table *table = cli_table_new(8, titles);
    size_t i;
    json_t *run;
    json_array_foreach (runs, i, run) {
        char state[128], age[AGE_MAX];
        cli_table_row(table, (const char *const[]){
                                 state_text(run, now_ms, state, sizeof(state)),
                                 span_text(now_ms - number(run, "born_us") / 1000, age),
                                 cli_text(run, "policy"), cli_text(run, "mode"),
                                 cli_text(run, "target"), cli_text(run, "alarm_name"),
                                 cli_text(run, "id"), what_of(run)});
    }
    cli_table_print(table);
}

static int list(const struct cli_options *o)
{
    char since[HALE_CLOCK_ISO_MAX];
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *runs = NULL;
    int64_t from_ms = 0;
    enum hale_rc rc = HALE_OK;
    hale_buf_init(&path, PATH_MAX_BYTES);
    hale_buf_add_c(&path, "/v1/runs");
    cli_api_query(&path, "state", o->state);
    cli_api_query(&path, "policy", o->policy);
    cli_api_query(&path, "target", o->target);
    cli_api_query(&path, "alarm", o->alarm);
    if (o->from != NULL) {
        rc = cli_time(o->from, "from", hale_clock_wall_ms(), &from_ms, &err);
        if (rc != HALE_OK) {
            hale_buf_fini(&path);
            (void)cli_fail(&err);
            return CLI_USAGE;
        }
        cli_api_query(&path, "since", hale_clock_iso_ms(from_ms, since));
    }
    cli_api_query(&path, "limit", "1000");
    rc = path.failed ? hale_err_set(&err, HALE_E_LIMIT, "that is too long to ask")
                     : cli_api_list(&o->api, path.p, (size_t)o->limit, &runs, &err);
    hale_buf_fini(&path);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json)
        (void)cli_print_json(runs);
    else
        print_runs(runs);
    json_decref(runs);
    return CLI_OK;
}

/* --- one ----------------------------------------------------------------------------- */

/* verb NULL: GET, else POST with the body. */
static enum hale_rc call(const struct cli_options *o, const char *id, const char *verb,
                         const json_t *body, json_t **answer, struct hale_err *err)
{
    const char *method = verb == NULL ? "GET" : "POST";
    struct hale_buf path;
    hale_buf_init(&path, PATH_MAX_BYTES);
    hale_buf_add_c(&path, "/v1/runs/");
    hale_http_quote(&path, hale_str_from(id));
    if (verb != NULL)
        hale_buf_printf(&path, "/%s", verb);
    enum hale_rc rc = path.failed
                          ? hale_err_set(err, HALE_E_INVAL, "that is not an id")
                          : cli_api_call(&o->api, method, path.p, body, answer, err);
    hale_buf_fini(&path);
    if (rc == HALE_E_NOTFOUND)
        (void)hale_err_set(err, rc, "there is no run %.64s", id);
    return rc;
}

static void line(const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    printf("%-10s", name);
    cli_table_text(value);
    putchar('\n');
}

static void time_line(const char *name, int64_t us)
{
    char iso[HALE_CLOCK_ISO_MAX];
    if (us > 0)
        line(name, hale_clock_iso_ms(us / 1000, iso));
}

static void print_steps(const json_t *run)
{
    static const char *const titles[] = {"", "STEP", "TYPE", "CALL"};
    const json_t *steps = json_object_get(run, "steps");
    bool over = strcmp(cli_text(run, "state"), "done") == 0;
    size_t i;
    json_t *step;
    if (json_array_size(steps) == 0)
        return;
    struct cli_table *table = cli_table_new(4, titles);
    json_array_foreach (steps, i, step)
        cli_table_row(table, (const char *const[]){
                                 !over && (int64_t)i == number(run, "step") ? ">" : " ",
                                 cli_text(step, "name"), cli_text(step, "type"),
                                 cli_text(step, "what")});
    putchar('\n');
    cli_table_print(table);
}

/* What each guard said when the run was born. */
static void print_guards(const json_t *rows)
{
    static const char *const titles[] = {"GUARD", "SAYS", "WHY"};
    size_t i, k;
    json_t *row, *g;
    struct cli_table *table = cli_table_new(3, titles);
    json_array_foreach (rows, i, row)
        json_array_foreach (json_object_get(json_object_get(row, "detail"), "guards"), k,
                            g)
            cli_table_row(table,
                          (const char *const[]){
                              cli_text(g, "guard"),
                              json_is_true(json_object_get(g, "allowed")) ? "yes" : "no",
                              cli_text(g, "text")});
    if (cli_table_count(table) == 0) {
        cli_table_free(table);
        return;
    }
    putchar('\n');
    cli_table_print(table);
}

static void print_rows(const json_t *rows)
{
    static const char *const titles[] = {"TIME", "KIND", "STEP", "BY", "WHAT"};
    size_t i;
    json_t *row;
    if (json_array_size(rows) == 0)
        return;
    struct cli_table *table = cli_table_new(5, titles);
    json_array_foreach (rows, i, row) {
        char iso[HALE_CLOCK_ISO_MAX], step[24] = "";
        if (number(row, "step") >= 0)
            (void)snprintf(step, sizeof(step), "%lld", (long long)number(row, "step"));
        cli_table_row(
            table, (const char *const[]){hale_clock_iso_ms(number(row, "time_ms"), iso),
                                         cli_text(row, "kind"), step,
                                         cli_text(json_object_get(row, "detail"), "by"),
                                         cli_text(row, "text")});
    }
    putchar('\n');
    cli_table_print(table);
}

static void print_run(const json_t *answer)
{
    char state[128];
    const json_t *run = json_object_get(answer, "run");
    line("run", cli_text(run, "id"));
    line("state", state_text(run, hale_clock_wall_ms(), state, sizeof(state)));
    line("policy", cli_text(run, "policy"));
    line("mode", cli_text(run, "mode"));
    line("target", cli_text(run, "target"));
    line("site", cli_text(run, "site"));
    line("alarm", cli_text(run, "alarm_name"));
    line("alarm id", cli_text(run, "alarm_id"));
    time_line("born", number(run, "born_us"));
    time_line("expires", number(run, "expires_us"));
    print_steps(run);
    print_guards(json_object_get(answer, "journal"));
    print_rows(json_object_get(answer, "journal"));
}

static int show(const struct cli_options *o, const char *id)
{
    struct hale_err err = {0};
    json_t *answer = NULL;
    if (call(o, id, NULL, NULL, &answer, &err) != HALE_OK)
        return cli_fail(&err);
    if (o->json)
        (void)cli_print_json(answer);
    else
        print_run(answer);
    json_decref(answer);
    return CLI_OK;
}

/* --- decisions ----------------------------------------------------------------------- */

static const char *done_word(const char *verb)
{
    static const char *const words[][2] = {{"approve", "approved"},
                                           {"reject", "rejected"},
                                           {"acknowledge", "acknowledged"},
                                           {"abort", "to be aborted"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i][0], verb) == 0)
            return words[i][1];
    return NULL;
}

static int decide(const struct cli_options *o, const char *verb, int n, char **ids)
{
    int code = CLI_OK;
    json_t *body = json_pack("{s:s*}", "comment", o->comment);
    for (int i = 0; i < n; i++) {
        struct hale_err err = {0};
        json_t *answer = NULL;
        if (call(o, ids[i], verb, body, &answer, &err) != HALE_OK) {
            code = cli_fail(&err);
        } else if (o->json) {
            (void)cli_print_json(answer);
        } else {
            cli_table_text(ids[i]);
            printf(": %s\n", done_word(verb));
        }
        json_decref(answer);
    }
    json_decref(body);
    return code;
}

int cli_run(const struct cli_options *o, const char *verb, int n, char **words)
{
    if (strcmp(verb, "list") == 0 && n == 0)
        return list(o);
    if (strcmp(verb, "show") == 0)
        return n == 1 ? show(o, words[0]) : misses(verb, "wants one run's id");
    if (done_word(verb) != NULL)
        return n > 0 ? decide(o, verb, n, words) : misses(verb, "wants the ids of runs");
    return misses(verb, "is unknown: it is list, show, approve, reject, acknowledge or "
                        "abort");
}
