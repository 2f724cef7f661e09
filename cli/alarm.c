/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "net/http_client.h"

#define TEXT_MAX 1024

static int compare_text(const json_t *a, const json_t *b, const char *key)
{
    return strcmp(cli_text(a, key), cli_text(b, key));
}

/* What needs a person first: ALARM, UNDETERMINED, OK; then the newest change. */
static int by_urgency(const void *pa, const void *pb)
{
    static const char *const order[] = {"ALARM", "UNDETERMINED", "OK"};
    const json_t *a = *(json_t *const *)pa, *b = *(json_t *const *)pb;
    int rank_a = 3, rank_b = 3;
    for (int i = 0; i < 3; i++) {
        if (strcmp(cli_text(a, "state"), order[i]) == 0)
            rank_a = i;
        if (strcmp(cli_text(b, "state"), order[i]) == 0)
            rank_b = i;
    }
    if (rank_a != rank_b)
        return rank_a - rank_b;
    int newest = compare_text(b, a, "state_updated_timestamp");
    return newest != 0 ? newest : compare_text(a, b, "id");
}

int cli_alarm_list(const struct cli_options *o)
{
    static const char *const titles[] = {"STATE", "SEVERITY", "DEFINITION",
                                         "OF",    "SINCE",    "ID"};
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *alarms = NULL;
    char dims[4096];

    if (cli_dims_query(o, dims, sizeof(dims), &err) != HALE_OK) {
        (void)cli_fail(&err);
        return CLI_USAGE;
    }
    hale_buf_init(&path, 16384);
    hale_buf_add_c(&path, "/v2.0/alarms");
    cli_api_query(&path, "state", o->state);
    cli_api_query(&path, "severity", o->severity);
    cli_api_query(&path, "metric_name", o->name);
    cli_api_query(&path, "metric_dimensions", dims[0] != '\0' ? dims : NULL);
    enum hale_rc rc =
        path.failed ? hale_err_set(&err, HALE_E_LIMIT, "the query is too long")
                    : cli_api_list(&o->api, path.p, (size_t)o->limit, &alarms, &err);
    hale_buf_fini(&path);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json) {
        (void)cli_print_json(alarms);
        json_decref(alarms);
        return CLI_OK;
    }
    size_t n = json_array_size(alarms);
    json_t **sorted = calloc(n + 1, sizeof(json_t *));
    if (sorted == NULL) {
        json_decref(alarms);
        (void)hale_err_set(&err, HALE_E_NOMEM, "out of memory");
        return cli_fail(&err);
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_array_get(alarms, i);
    qsort(sorted, n, sizeof(json_t *), by_urgency);
    struct cli_table *table = cli_table_new(6, titles);
    for (size_t i = 0; i < n; i++) {
        const json_t *definition = json_object_get(sorted[i], "alarm_definition");
        const json_t *metric = json_array_get(json_object_get(sorted[i], "metrics"), 0);
        char text[TEXT_MAX];
        cli_table_row(
            table,
            (const char *const[]){
                cli_text(sorted[i], "state"), cli_text(definition, "severity"),
                cli_text(definition, "name"),
                cli_dims_text(json_object_get(metric, "dimensions"), text, sizeof(text)),
                cli_text(sorted[i], "state_updated_timestamp"),
                cli_text(sorted[i], "id")});
    }
    cli_table_print(table);
    free(sorted);
    json_decref(alarms);
    return CLI_OK;
}

static void print_line(const char *label, const char *text)
{
    printf("%-13s", label);
    cli_table_text(text[0] != '\0' ? text : "-");
    putchar('\n');
}

static void print_padded(const char *text, size_t width)
{
    cli_table_text(text);
    for (size_t n = strlen(text); n < width; n++)
        putchar(' ');
}

static const char *time_text(const json_t *object, const char *key, char *dst)
{
    return hale_clock_iso_ms(json_integer_value(json_object_get(object, key)), dst);
}

static void print_evidence(const json_t *evidence)
{
    size_t i, j;
    json_t *sub, *value;
    json_array_foreach (json_object_get(evidence, "subs"), i, sub) {
        printf("  ");
        print_padded(cli_text(sub, "state"), 13);
        cli_table_text(cli_text(sub, "expression"));
        printf("  values [");
        json_array_foreach (json_object_get(sub, "values"), j, value)
            printf("%s%.6g", j > 0 ? ", " : "", json_number_value(value));
        puts("]");
    }
    const json_t *event = json_object_get(evidence, "event");
    if (event != NULL) {
        char *text = json_dumps(event, JSON_COMPACT | JSON_ENCODE_ANY);
        printf("  event        ");
        cli_table_text(text != NULL ? text : "?");
        putchar('\n');
        free(text);
    }
}

static void print_word(const char *label, const json_t *word)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof(text), "by %s: %s", cli_text(word, "by"),
                   cli_text(word, "text"));
    if (word != NULL)
        print_line(label, text);
}

/* Who takes care of it, and why nobody is told. */
static void print_life(const json_t *life)
{
    char text[TEXT_MAX];
    size_t i;
    json_t *item;

    if (json_object_get(life, "owner") != NULL)
        print_line("owner", cli_text(life, "owner"));
    print_word("acknowledged", json_object_get(life, "ack"));
    json_array_foreach (json_object_get(life, "comments"), i, item)
        print_word("comment", item);
    json_array_foreach (json_object_get(life, "suppressed_by"), i, item) {
        (void)snprintf(text, sizeof(text), "%s %s: %s", cli_text(item, "kind"),
                       cli_text(item, "id"), cli_text(item, "text"));
        print_line("suppressed by", text);
    }
}

static void print_alarm(const json_t *answer)
{
    const json_t *alarm = json_object_get(answer, "alarm");
    char text[TEXT_MAX], iso[HALE_CLOCK_ISO_MAX];
    size_t i;
    json_t *row;

    print_line("id", cli_text(alarm, "id"));
    print_line("definition", cli_text(alarm, "definition_name"));
    print_line("description", cli_text(alarm, "description"));
    print_line("state", cli_text(alarm, "state"));
    print_line("severity", cli_text(alarm, "severity"));
    print_line("since", time_text(alarm, "state_updated_ms", iso));
    print_line("of", cli_dims_text(json_object_get(alarm, "group"), text, sizeof(text)));
    print_line("reason", cli_text(alarm, "reason"));
    print_life(json_object_get(alarm, "life"));
    puts("evidence");
    print_evidence(json_object_get(json_object_get(answer, "last"), "evidence"));
    puts("actions");
    const json_t *journal = json_object_get(answer, "journal");
    if (json_array_size(journal) == 0)
        puts("  none");
    json_array_foreach (journal, i, row) {
        printf("  %s  ", time_text(row, "time_ms", iso));
        print_padded(cli_text(row, "kind"), 12);
        cli_table_text(cli_text(row, "policy"));
        printf(": ");
        cli_table_text(cli_text(row, "text"));
        putchar('\n');
    }
}

int cli_alarm_show(const struct cli_options *o, const char *id)
{
    struct hale_err err = {0};
    struct hale_buf path;
    json_t *answer = NULL;

    hale_buf_init(&path, 4096);
    hale_buf_add_c(&path, "/v1/alarms/");
    hale_http_quote(&path, hale_str_from(id));
    enum hale_rc rc = path.failed
                          ? hale_err_set(&err, HALE_E_INVAL, "that is not an alarm id")
                          : cli_api_call(&o->api, "GET", path.p, NULL, &answer, &err);
    hale_buf_fini(&path);
    if (rc == HALE_E_NOTFOUND)
        (void)hale_err_set(&err, rc,
                           "there is no alarm %s (`hale alarm list` shows the ids)", id);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json)
        (void)cli_print_json(answer);
    else
        print_alarm(answer);
    json_decref(answer);
    return CLI_OK;
}
