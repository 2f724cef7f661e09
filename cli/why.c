/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "net/http_client.h"

#define PATH_MAX_BYTES 65536

static void print_dims(const json_t *dims)
{
    char text[4096];
    (void)cli_dims_text(dims, text, sizeof(text));
    cli_table_text(text[0] != '\0' ? text : "(all)");
}

static void print_groups(const json_t *groups)
{
    size_t i;
    const json_t *v;
    if (json_array_size(groups) == 0)
        return;
    puts("groups");
    json_array_foreach (groups, i, v) {
        printf("  ");
        print_dims(json_object_get(v, "group"));
        putchar('\n');
    }
}

static void print_why(const json_t *answer)
{
    const json_t *definition = json_object_get(answer, "definition");
    const json_t *alarm = json_object_get(answer, "alarm"), *v;
    const json_t *group = json_object_get(answer, "group");
    size_t i;
    cli_table_text(json_is_object(alarm) ? cli_text(alarm, "definition_name")
                                         : cli_text(definition, "name"));
    if (json_is_object(group)) {
        printf(" of ");
        print_dims(group);
    }
    if (json_is_object(alarm)) {
        printf(", alarm ");
        cli_table_text(cli_text(alarm, "id"));
    }
    putchar('\n');
    if (json_is_object(definition)) {
        printf("  ");
        cli_table_text(cli_text(definition, "expression"));
        putchar('\n');
    }
    json_array_foreach (json_object_get(answer, "answers"), i, v) {
        printf("- ");
        cli_table_text(cli_text(v, "text"));
        putchar('\n');
    }
    print_groups(json_object_get(answer, "groups"));
}

static int ask(const struct cli_options *o, struct hale_buf *path, const char *what)
{
    struct hale_err err = {0};
    json_t *answer = NULL;
    enum hale_rc rc = path->failed
                          ? hale_err_set(&err, HALE_E_INVAL, "the question is too long")
                          : cli_api_call(&o->api, "GET", path->p, NULL, &answer, &err);
    hale_buf_fini(path);
    if (rc == HALE_E_NOTFOUND)
        (void)hale_err_set(&err, rc, "there is no %s", what);
    if (rc != HALE_OK)
        return cli_fail(&err);
    if (o->json)
        (void)cli_print_json(answer);
    else
        print_why(answer);
    json_decref(answer);
    return CLI_OK;
}

/* The id of the definition of that name; an id is taken as it is. */
static enum hale_rc find_definition(const struct cli_options *o, const char *name,
                                    struct hale_buf *id, struct hale_err *err)
{
    struct hale_buf path;
    json_t *found = NULL;
    const json_t *v;
    size_t i;
    hale_buf_init(&path, PATH_MAX_BYTES);
    hale_buf_add_c(&path, "/v2.0/alarm-definitions");
    cli_api_query(&path, "name", name);
    enum hale_rc rc = path.failed ? hale_err_set(err, HALE_E_INVAL, "that is no name")
                                  : cli_api_list(&o->api, path.p, 10, &found, err);
    hale_buf_fini(&path);
    json_array_foreach (found, i, v) {
        if (strcmp(cli_text(v, "name"), name) == 0 && id->len == 0)
            hale_buf_add_c(id, cli_text(v, "id"));
    }
    json_decref(found);
    if (rc == HALE_OK && id->len == 0)
        hale_buf_add_c(id, name);
    return rc;
}

/* "k=v,k=v" as "k:v,k:v". HALE_E_INVAL: an item without '='. */
static enum hale_rc group_query(const char *text, struct hale_buf *out,
                                struct hale_err *err)
{
    struct hale_str rest = hale_str_from(text);
    while (rest.p != NULL) {
        struct hale_str value = hale_str_split(&rest, ',');
        struct hale_str item = value;
        struct hale_str key = hale_str_split(&value, '=');
        if (key.len == 0 || value.len == 0)
            return hale_err_set(err, HALE_E_INVAL, "--group wants key=value, got '%.*s'",
                                (int)item.len, item.p);
        if (out->len > 0)
            hale_buf_add_char(out, ',');
        hale_buf_add_str(out, key);
        hale_buf_add_char(out, ':');
        hale_buf_add_str(out, value);
    }
    return out->failed ? hale_err_set(err, HALE_E_INVAL, "--group is too long") : HALE_OK;
}

int cli_alarm_why(const struct cli_options *o, const char *id)
{
    struct hale_buf path;
    char what[256];
    hale_buf_init(&path, PATH_MAX_BYTES);
    hale_buf_add_c(&path, "/v1/alarms/");
    hale_http_quote(&path, hale_str_from(id));
    hale_buf_add_c(&path, "/why");
    (void)snprintf(what, sizeof(what), "alarm %s (`hale alarm list` shows the ids)", id);
    return ask(o, &path, what);
}

int cli_definition_why(const struct cli_options *o)
{
    struct hale_err err = {0};
    struct hale_buf path, id, group;
    char what[256];
    hale_buf_init(&id, 4096);
    hale_buf_init(&group, PATH_MAX_BYTES);
    hale_buf_init(&path, PATH_MAX_BYTES);
    enum hale_rc rc = o->group != NULL ? group_query(o->group, &group, &err) : HALE_OK;
    bool usage = rc != HALE_OK;
    if (rc == HALE_OK)
        rc = find_definition(o, o->definition, &id, &err);
    if (rc == HALE_OK) {
        hale_buf_add_c(&path, "/v1/alarm-definitions/");
        hale_http_quote(&path, hale_buf_str(&id));
        hale_buf_add_c(&path, "/why");
        cli_api_query(&path, "group", o->group != NULL ? group.p : NULL);
    }
    hale_buf_fini(&id);
    hale_buf_fini(&group);
    if (rc != HALE_OK) {
        hale_buf_fini(&path);
        (void)cli_fail(&err);
        return usage ? CLI_USAGE : CLI_FAILED;
    }
    (void)snprintf(what, sizeof(what), "alarm definition %s", o->definition);
    return ask(o, &path, what);
}
