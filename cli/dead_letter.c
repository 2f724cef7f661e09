/* SPDX-License-Identifier: Apache-2.0 */
/* dead-letter - hale dead-letter list|replay|drop. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "net/http_client.h"

#define PATH "/api/v2/dead-letters"

static int misses(const char *what)
{
    (void)fprintf(stderr, "hale: dead-letter %s\n", what);
    return CLI_USAGE;
}

/* A time, or a duration before now, as ISO 8601 into dst. */
static const char *moment(const char *text, char *dst)
{
    int64_t ms;
    if (text == NULL || hale_str_duration_ms(hale_str_from(text), &ms) != HALE_OK)
        return text;
    return hale_clock_iso_ms(hale_clock_wall_ms() - ms, dst);
}

static void print_row(struct cli_table *table, const json_t *letter)
{
    char when[HALE_CLOCK_ISO_MAX], what[512], why[512];
    const json_t *replay = json_object_get(letter, "replay");
    int64_t ms = json_integer_value(json_object_get(letter, "died_ms"));
    (void)snprintf(what, sizeof(what), "%s %s %.300s", cli_text(letter, "state"),
                   cli_text(letter, "severity"), cli_text(letter, "alarm_name"));
    (void)snprintf(why, sizeof(why), "%s: %.300s%s", cli_text(letter, "reason"),
                   cli_text(letter, "detail"), replay != NULL ? " (to be replayed)" : "");
    cli_table_row(table, (const char *const[]){hale_clock_iso_s(ms, when),
                                               cli_text(letter, "recipient"), what, why,
                                               cli_text(letter, "id")});
}

static int list(const struct cli_options *o)
{
    static const char *const titles[] = {"GIVEN UP", "RECIPIENT", "WHAT", "WHY", "ID"};
    char from[HALE_CLOCK_ISO_MAX], to[HALE_CLOCK_ISO_MAX];
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *letters = NULL, *letter;
    size_t i;

    hale_buf_init(&path, 8192);
    hale_buf_add_c(&path, PATH);
    cli_api_query(&path, "recipient", o->recipient);
    cli_api_query(&path, "from", moment(o->from, from));
    cli_api_query(&path, "to", moment(o->to, to));
    enum hale_rc rc =
        path.failed ? hale_err_set(&err, HALE_E_LIMIT, "the query is too long")
                    : cli_api_list(&o->api, path.p, (size_t)o->limit, &letters, &err);
    hale_buf_fini(&path);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        (void)cli_print_json(letters);
    } else {
        struct cli_table *table = cli_table_new(5, titles);
        json_array_foreach (letters, i, letter)
            print_row(table, letter);
        cli_table_print(table);
    }
    json_decref(letters);
    return CLI_OK;
}

static int call(const struct cli_options *o, const char *method,
                const struct hale_buf *path, const char *what)
{
    struct hale_err err = {0};
    json_t *answer = NULL;
    enum hale_rc rc = path->failed
                          ? hale_err_set(&err, HALE_E_INVAL, "that is too long")
                          : cli_api_call(&o->api, method, path->p, NULL, &answer, &err);
    if (rc == HALE_E_NOTFOUND)
        (void)hale_err_set(&err, rc, "there is no dead letter %.64s", what);
    if (rc == HALE_OK && json_object_get(answer, "letters") != NULL)
        printf("%" JSON_INTEGER_FORMAT " letters\n",
               json_integer_value(json_object_get(answer, "letters")));
    json_decref(answer);
    return rc == HALE_OK ? CLI_OK : cli_fail(&err);
}

static int change(const struct cli_options *o, bool replay, int n, char **ids)
{
    int code = CLI_OK;
    struct hale_buf path;
    if (n == 0 && o->recipient == NULL)
        return misses(replay ? "replay wants ids or --recipient"
                             : "drop wants ids or --recipient");
    hale_buf_init(&path, 4096);
    if (n == 0) {
        hale_buf_printf(&path, "%s%s", PATH, replay ? "/replay" : "");
        cli_api_query(&path, "recipient", o->recipient);
        code = call(o, replay ? "POST" : "DELETE", &path, o->recipient);
    }
    for (int i = 0; i < n; i++) {
        hale_buf_reset(&path);
        hale_buf_add_c(&path, PATH "/");
        hale_http_quote(&path, hale_str_from(ids[i]));
        hale_buf_add_c(&path, replay ? "/replay" : "");
        if (call(o, replay ? "POST" : "DELETE", &path, ids[i]) != CLI_OK)
            code = CLI_FAILED;
    }
    hale_buf_fini(&path);
    return code;
}

int cli_dead_letter(const struct cli_options *o, const char *verb, int n, char **words)
{
    if (strcmp(verb, "list") == 0 && n == 0)
        return list(o);
    if (strcmp(verb, "replay") == 0 || strcmp(verb, "drop") == 0)
        return change(o, verb[0] == 'r', n, words);
    return misses("wants list, replay or drop");
}
