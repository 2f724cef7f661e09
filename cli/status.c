/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/table.h"

/* The daemons of a whole Hale; an agent lives on each host and answers for itself. */
static const char *const expected[] = {"collector", "thresholds", "correlator",
                                       "actuator",  "actuator-2", NULL};
#define OPTIONAL "actuator-2" /* where two share the work */

/* The first failing component as "name: detail", or "". */
static const char *trouble(const json_t *health, char *dst, size_t dst_size)
{
    const char *name;
    json_t *component;
    dst[0] = '\0';
    json_object_foreach (json_object_get(health, "components"), name, component) {
        if (!json_is_true(json_object_get(component, "ok"))) {
            (void)snprintf(dst, dst_size, "%s: %s", name, cli_text(component, "detail"));
            break;
        }
    }
    return dst;
}

static void print_counts(const json_t *answer)
{
    const json_t *alarms = json_object_get(answer, "alarms");
    printf("series %lld   alarms: ALARM %lld, UNDETERMINED %lld, OK %lld\n",
           (long long)json_integer_value(json_object_get(answer, "series")),
           (long long)json_integer_value(json_object_get(alarms, "ALARM")),
           (long long)json_integer_value(json_object_get(alarms, "UNDETERMINED")),
           (long long)json_integer_value(json_object_get(alarms, "OK")));
}

int cli_status(const struct cli_options *o)
{
    static const char *const titles[] = {"DAEMON", "STATE", "VERSION", "TROUBLE"};
    struct hale_err err = {0};
    json_t *answer = NULL;
    int code = CLI_OK;

    if (cli_api_call(&o->api, "GET", "/v1/status", NULL, &answer, &err) != HALE_OK)
        return cli_fail(&err);
    const json_t *daemons = json_object_get(answer, "daemons");
    struct cli_table *table = cli_table_new(4, titles);
    for (int i = 0; expected[i] != NULL; i++) {
        char text[256];
        const json_t *health = json_object_get(daemons, expected[i]);
        if (health == NULL && strcmp(expected[i], OPTIONAL) == 0)
            continue;
        const char *state = health != NULL ? cli_text(health, "status") : "absent";
        if (strcmp(state, "ok") != 0)
            code = CLI_FAILED;
        cli_table_row(table, (const char *const[]){
                                 expected[i], state, cli_text(health, "version"),
                                 health != NULL ? trouble(health, text, sizeof(text))
                                                : "has not reported for 10 s"});
    }
    if (o->json) {
        cli_table_free(table);
        (void)cli_print_json(answer);
    } else {
        cli_table_print(table);
        print_counts(answer);
    }
    json_decref(answer);
    return code;
}
