/* SPDX-License-Identifier: Apache-2.0 */
/* import_policy - conditions of descriptors become a definition and the policy that acts on it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/policy.h"
#include "cli/cli.h"
#include "cli/import.h"

#define NAMESAKES 100

struct hale_str cli_import_text(const struct hale_yaml_node *map, const char *key)
{
    const struct hale_yaml_node *n =
        hale_yaml_kind(map) == HALE_YAML_MAP ? hale_yaml_get(map, key) : NULL;
    return n != NULL && hale_yaml_kind(n) == HALE_YAML_SCALAR
               ? hale_yaml_text(n)
               : (struct hale_str){NULL, 0};
}

void cli_import_leave_out(struct cli_import *i, const char *place, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    cli_import_note(i, place, "left out: %s", text);
    i->left_out++;
}

/* A policy's name has A-Z a-z 0-9 _ . - and at most 64 of them. */
static void fit(const char *name, unsigned n, char dst[ACTUATOR_POLICY_NAME_MAX + 1])
{
    static const char fine[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t len = 0;
    char tail[16] = "";
    if (n > 1)
        (void)snprintf(tail, sizeof(tail), "-%u", n);
    while (name[len] != '\0' && len + strlen(tail) < ACTUATOR_POLICY_NAME_MAX) {
        dst[len] = strchr(fine, name[len]) != NULL ? name[len] : '-';
        len++;
    }
    (void)snprintf(dst + len, ACTUATOR_POLICY_NAME_MAX + 1 - len, "%s", tail);
}

static bool is_taken(const struct cli_import *i, const char *name)
{
    const json_t *p;
    size_t k;
    json_array_foreach (i->policies, k, p)
        if (strcmp(cli_text(p, "name"), name) == 0)
            return true;
    return false;
}

enum hale_rc cli_import_add_policy(struct cli_import *i, const char *place, json_t *body)
{
    char name[ACTUATOR_POLICY_NAME_MAX + 1], wanted[256];
    struct actuator_policies *checked = NULL;
    struct hale_err err = {0};
    unsigned n = 1;
    (void)snprintf(wanted, sizeof(wanted), "%s", cli_text(body, "name"));
    do
        fit(wanted, n, name);
    while (is_taken(i, name) && ++n < NAMESAKES);
    json_t *file = json_pack("{s:[O]}", "policies", body);
    char *text = json_object_set_new(body, "name", json_string(name)) == 0 && file != NULL
                     ? json_dumps(file, 0)
                     : NULL;
    json_decref(file);
    if (text == NULL)
        return HALE_E_NOMEM;
    enum hale_rc rc = actuator_policies_load(hale_str_from(text), place, &checked, &err);
    actuator_policies_free(checked);
    free(text);
    if (rc == HALE_E_NOMEM)
        return rc;
    if (rc != HALE_OK || is_taken(i, name)) {
        cli_import_leave_out(i, place, "%s",
                             rc != HALE_OK ? err.text : "too many of this name");
        return HALE_OK;
    }
    return json_array_append(i->policies, body) == 0 ? HALE_OK : HALE_E_NOMEM;
}

/* {label: "*"} for each that tells alarms apart. */
static json_t *present(const json_t *labels)
{
    json_t *o = json_object();
    const json_t *label;
    size_t k;
    json_array_foreach (labels, k, label)
        if (json_object_set_new(o, json_string_value(label), json_string("*")) != 0) {
            json_decref(o);
            return NULL;
        }
    return o;
}

static enum hale_rc add_both(struct cli_import *i, const struct cli_import_action *a)
{
    json_t *definition = json_pack("{s:s,s:s,s:O,s:s}", "name", a->name, "expression",
                                   a->expression, "match_by", a->match_by, "severity",
                                   a->severity != NULL ? a->severity : "HIGH");
    size_t before = json_array_size(i->definitions);
    enum hale_rc rc =
        definition != NULL ? cli_import_add(i, a->place, definition) : HALE_E_NOMEM;
    json_t *policy = NULL;
    if (rc == HALE_OK && a->step != NULL && json_array_size(i->definitions) > before) {
        char cooldown[32];
        (void)snprintf(cooldown, sizeof(cooldown), "%llds", (long long)a->cooldown_s);
        policy = json_pack(
            "{s:s,s:s,s:{s:s,s:o},s:s,s:s,s:[O],s:{s:s,s:s}}", "name", a->name, "mode",
            "observe", "alarm", "definition", cli_text(definition, "name"), "dimensions",
            present(a->match_by), "target", a->target, "cooldown", cooldown, "steps",
            a->step, "verify", "alarm", "cleared", "within", "15m");
        rc = policy != NULL ? cli_import_add_policy(i, a->place, policy) : HALE_E_NOMEM;
    }
    json_decref(policy);
    json_decref(definition);
    return rc;
}

enum hale_rc cli_import_take_action(struct cli_import *i,
                                    const struct cli_import_action *a)
{
    enum hale_rc rc = a->match_by != NULL ? add_both(i, a) : HALE_E_NOMEM;
    json_decref(a->match_by);
    json_decref(a->step);
    return rc;
}
