/* SPDX-License-Identifier: Apache-2.0 */
/* operate - what people do to alarms: hale alarm ack|unack|assign|comment|shelve|unshelve ID... */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"

static const struct {
    const char *verb, *done;
    bool takes_for, takes_comment, takes_owner, needs_comment, needs_owner;
} actions[] = {
    {"ack", "acknowledged", true, true, true, false, false},
    {"unack", "no longer acknowledged", false, false, false, false, false},
    {"assign", "assigned", false, false, true, false, true},
    {"comment", "commented", false, true, false, true, false},
    {"shelve", "shelved", true, true, false, false, false},
    {"unshelve", "no longer shelved", false, false, false, false, false},
};
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

static int misses(const char *verb, const char *what)
{
    (void)fprintf(stderr, "hale: alarm %s wants %s\n", verb, what);
    return CLI_USAGE;
}

static json_t *body_of(const struct cli_options *o, const char *verb, int n, char **ids)
{
    json_t *body = json_pack("{s:s,s:[]}", "action", verb, "ids");
    for (int i = 0; i < n; i++)
        (void)json_array_append_new(json_object_get(body, "ids"), json_string(ids[i]));
    if (o->duration != NULL)
        (void)json_object_set_new(body, "for", json_string(o->duration));
    if (o->comment != NULL)
        (void)json_object_set_new(body, "comment", json_string(o->comment));
    if (o->owner != NULL)
        (void)json_object_set_new(body, "owner", json_string(o->owner));
    return body;
}

/* A line per alarm; CLI_FAILED when one of them could not be done. */
static int print_answer(const json_t *answer, const char *done)
{
    size_t i;
    json_t *e;
    int code = CLI_OK;

    json_array_foreach (json_object_get(answer, "elements"), i, e) {
        long long status = json_integer_value(json_object_get(e, "status"));
        cli_table_text(cli_text(e, "id"));
        printf(": %s\n", status == 200   ? done
                         : status == 404 ? "there is no such alarm"
                                         : "is OK, there is nothing to acknowledge");
        if (status != 200)
            code = CLI_FAILED;
    }
    return code;
}

bool cli_alarm_can(const char *verb)
{
    for (size_t i = 0; i < ACTIONS; i++) {
        if (strcmp(actions[i].verb, verb) == 0)
            return true;
    }
    return false;
}

int cli_alarm_operate(const struct cli_options *o, const char *verb, int n, char **ids)
{
    struct hale_err err = {0};
    json_t *answer = NULL;
    size_t k = 0;

    while (k + 1 < ACTIONS && strcmp(actions[k].verb, verb) != 0)
        k++;
    if (n == 0)
        return misses(verb, "the ids of alarms");
    if (actions[k].needs_comment && o->comment == NULL)
        return misses(verb, "--comment TEXT");
    if (actions[k].needs_owner && o->owner == NULL)
        return misses(verb, "--owner NAME (\"\" for nobody)");
    if ((o->duration != NULL && !actions[k].takes_for) ||
        (o->comment != NULL && !actions[k].takes_comment) ||
        (o->owner != NULL && !actions[k].takes_owner))
        return misses(verb, "fewer options: hale --help shows them");
    json_t *body = body_of(o, verb, n, ids);
    enum hale_rc rc = body != NULL ? cli_api_call(&o->api, "POST", "/v1/alarms/actions",
                                                  body, &answer, &err)
                                   : hale_err_set(&err, HALE_E_NOMEM, "out of memory");
    json_decref(body);
    if (rc != HALE_OK)
        return cli_fail(&err);
    int code = CLI_OK;
    if (o->json)
        (void)cli_print_json(answer);
    else
        code = print_answer(answer, actions[k].done);
    json_decref(answer);
    return code;
}
