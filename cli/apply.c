/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "cli/definitions.h"
#include "cli/table.h"
#include "net/http_client.h"

#define NAMESAKES_MAX 1000

/* What a body leaves out, as the collector fills it in: apply makes the server equal the file. */
static json_t *with_defaults(const json_t *body)
{
    json_t *full = json_pack("{s:s, s:s, s:b, s:[], s:[], s:[], s:[]}", "description", "",
                             "severity", "LOW", "actions_enabled", 1, "match_by",
                             "ok_actions", "alarm_actions", "undetermined_actions");
    if (full != NULL && json_object_update(full, (json_t *)(uintptr_t)body) != 0) {
        json_decref(full);
        full = NULL;
    }
    return full;
}

/* What an answer leaves out. */
static bool is_default(const char *key, const json_t *value)
{
    if (strcmp(key, "semantics") == 0)
        return strcasecmp(json_string_value(value), "hale") == 0;
    return json_is_null(value) || json_is_true(value);
}

static bool same(const json_t *wanted, const json_t *there)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)wanted, key, value) {
        const json_t *other = json_object_get(there, key);
        if (strcmp(key, "severity") == 0) {
            if (strcasecmp(cli_text(wanted, key), cli_text(there, key)) != 0)
                return false;
        } else if (other == NULL ? !is_default(key, value) : !json_equal(value, other)) {
            return false;
        }
    }
    return true;
}

/* The definition of that name on the server, or NULL (a new reference). */
static enum hale_rc find(const struct cli_options *o, const char *name, json_t **out,
                         struct hale_err *err)
{
    struct hale_buf path;
    json_t *found = NULL, *definition;
    size_t i;
    *out = NULL;
    hale_buf_init(&path, 8192);
    hale_buf_add_c(&path, "/v2.0/alarm-definitions");
    cli_api_query(&path, "name", name);
    enum hale_rc rc = path.failed
                          ? hale_err_set(err, HALE_E_LIMIT, "the name is too long")
                          : cli_api_list(&o->api, path.p, NAMESAKES_MAX, &found, err);
    hale_buf_fini(&path);
    json_array_foreach (found, i, definition)
        if (strcmp(cli_text(definition, "name"), name) == 0 && *out == NULL)
            *out = json_incref(definition);
    json_decref(found);
    return rc;
}

static enum hale_rc apply_one(const struct cli_options *o, const json_t *wanted,
                              struct hale_err *err)
{
    const char *name = cli_text(wanted, "name"), *did = "unchanged";
    json_t *there = NULL, *answer = NULL;
    enum hale_rc rc = find(o, name, &there, err);

    if (rc == HALE_OK && there == NULL) {
        did = o->dry_run ? "would create" : "created";
        if (!o->dry_run)
            rc = cli_api_call(&o->api, "POST", "/v2.0/alarm-definitions", wanted, &answer,
                              err);
    } else if (rc == HALE_OK && !same(wanted, there)) {
        struct hale_buf path;
        did = o->dry_run ? "would change" : "changed";
        hale_buf_init(&path, 4096);
        hale_buf_add_c(&path, "/v2.0/alarm-definitions/");
        hale_http_quote(&path, hale_str_from(cli_text(there, "id")));
        if (path.failed)
            rc = hale_err_set(err, HALE_E_NOMEM, "out of memory");
        else if (!o->dry_run)
            rc = cli_api_call(&o->api, "PATCH", path.p, wanted, &answer, err);
        hale_buf_fini(&path);
    }
    if (rc == HALE_OK)
        printf("%-13s %s\n", did, name);
    else
        (void)fprintf(stderr, "hale: %s: %s\n", name, cli_table_clean(err->text));
    json_decref(answer);
    json_decref(there);
    return rc;
}

int cli_apply(const struct cli_options *o)
{
    struct hale_err err = {0};
    json_t *bodies = NULL, *body;
    size_t i, failed = 0;

    if (o->file == NULL) {
        (void)hale_err_set(&err, HALE_E_INVAL,
                           "apply wants a file: hale apply -f definitions.yaml");
        (void)cli_fail(&err);
        return CLI_USAGE;
    }
    if (cli_definitions_load(o->file, &bodies, &err) != HALE_OK) {
        (void)cli_fail(&err);
        return CLI_USAGE;
    }
    json_array_foreach (bodies, i, body) {
        json_t *wanted = with_defaults(body);
        enum hale_rc rc = wanted != NULL
                              ? apply_one(o, wanted, &err)
                              : hale_err_set(&err, HALE_E_NOMEM, "out of memory");
        json_decref(wanted);
        if (rc != HALE_OK)
            failed++;
        if (rc == HALE_E_IO || rc == HALE_E_DENIED)
            break; /* the next ones would fail alike */
    }
    json_decref(bodies);
    return failed == 0 ? CLI_OK : CLI_FAILED;
}
