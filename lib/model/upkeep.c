/* SPDX-License-Identifier: Apache-2.0 */
#include "model/upkeep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/str.h"

#define ID_MAX  128 /* bytes of an instance's or project's id */
#define N(list) (sizeof(list) / sizeof((list)[0]))

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

/* A name that may stand in a path, a target and a trait. */
static bool name_ok(const json_t *v, size_t max)
{
    const char *text = json_string_value(v);
    size_t n = json_string_length(v);
    if (text == NULL || n == 0 || n > max || strlen(text) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f || text[i] == '/' ||
            text[i] == ':')
            return false;
    return true;
}

static bool known(const char *key, const char *const *keys)
{
    for (size_t i = 0; keys[i] != NULL; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static enum hale_rc check_keys(const json_t *body, const char *const *keys,
                               struct hale_err *err)
{
    const char *key;
    json_t *v;
    if (!json_is_object(body))
        return hale_err_set(err, HALE_E_INVAL, "the body must be an object");
    json_object_foreach ((json_t *)(uintptr_t)body, key, v)
        if (!known(key, keys))
            return hale_err_set(err, HALE_E_INVAL, "unknown key '%.64s'", key);
    return HALE_OK;
}

const char *hale_upkeep_action(const char *word)
{
    static const char *const words[][2] = {
        {"MIGRATE", "MIGRATE"},           {"MIGRATION", "MIGRATE"},
        {"LIVE_MIGRATE", "LIVE_MIGRATE"}, {"LIVE_MIGRATION", "LIVE_MIGRATE"},
        {"OWN_ACTION", "OWN_ACTION"},     {"OWN", "OWN_ACTION"}};
    for (size_t i = 0; word != NULL && i < N(words); i++)
        if (strcasecmp(word, words[i][0]) == 0)
            return words[i][1];
    return NULL;
}

/* --- start --------------------------------------------------------------------------- */

/* "2026-11-22 06:00:00" is UTC, and ISO 8601 is taken, too. */
static enum hale_rc read_time(const json_t *v, int64_t *out, struct hale_err *err)
{
    char text[48];
    const char *given = json_string_value(v);
    (void)snprintf(text, sizeof(text), "%s", given != NULL ? given : "");
    if (given != NULL && strlen(given) < sizeof(text)) {
        if (text[0] != '\0' && strlen(text) > 10 && text[10] == ' ')
            text[10] = 'T';
        if (hale_clock_parse_iso(hale_str_from(text), out) == HALE_OK)
            return HALE_OK;
    }
    return hale_err_set(err, HALE_E_INVAL,
                        "maintenance_at must be a time (UTC) like \"2026-11-22 "
                        "06:00:00\"");
}

static enum hale_rc read_hosts(const json_t *v, json_t **out, struct hale_err *err)
{
    json_t *seen = json_object(), *list = json_array();
    enum hale_rc rc = HALE_OK;
    if (!json_is_array(v) || json_array_size(v) > HALE_UPKEEP_HOSTS_MAX)
        rc = hale_err_set(err, HALE_E_INVAL,
                          "hosts must be a list of at most %d names of hosts; empty: "
                          "all that run nova-compute",
                          HALE_UPKEEP_HOSTS_MAX);
    for (size_t i = 0; rc == HALE_OK && i < json_array_size(v); i++) {
        json_t *host = json_array_get(v, i);
        if (!name_ok(host, HALE_UPKEEP_HOST_MAX))
            rc = hale_err_set(err, HALE_E_INVAL,
                              "hosts[%zu] must be a host's name: 1 to %d bytes, no "
                              "blank, colon or slash",
                              i, HALE_UPKEEP_HOST_MAX);
        else if (json_object_get(seen, json_string_value(host)) != NULL)
            rc = hale_err_set(err, HALE_E_INVAL, "hosts names '%.100s' twice",
                              json_string_value(host));
        else if (json_object_set_new(seen, json_string_value(host), json_true()) != 0 ||
                 json_array_append(list, host) != 0)
            rc = nomem(err);
    }
    json_decref(seen);
    if (rc != HALE_OK) {
        json_decref(list);
        list = NULL;
    }
    *out = list;
    return rc;
}

/* What the trait will be: an object that fits into it. */
static enum hale_rc check_metadata(const json_t *v, struct hale_err *err)
{
    size_t chars = 0;
    if (v == NULL)
        return HALE_OK;
    char *text = json_is_object(v) ? json_dumps(v, 0) : NULL;
    bool ok = text != NULL &&
              hale_str_utf8_count(hale_str_from(text), &chars) == HALE_OK &&
              chars <= HALE_UPKEEP_TRAIT_MAX;
    free(text);
    return ok ? HALE_OK
              : hale_err_set(err, HALE_E_INVAL,
                             "metadata must be an object of at most %d characters: it "
                             "is told in one trait",
                             HALE_UPKEEP_TRAIT_MAX);
}

static bool is_empty(const json_t *v)
{
    return v == NULL || (json_is_array(v) && json_array_size(v) == 0);
}

enum hale_rc hale_upkeep_start(const json_t *body, json_t **out, struct hale_err *err)
{
    static const char *const keys[] = {"state", "maintenance_at", "metadata", "workflow",
                                       "hosts", "actions",        "download", NULL};
    const char *state = json_string_value(json_object_get(body, "state"));
    const char *workflow = json_string_value(json_object_get(body, "workflow"));
    json_t *hosts = NULL, *metadata = json_object_get(body, "metadata");
    int64_t at_ms = 0;
    *out = NULL;
    enum hale_rc rc = check_keys(body, keys, err);
    if (rc == HALE_OK && (state == NULL || strcmp(state, "MAINTENANCE") != 0))
        rc = hale_err_set(err, HALE_E_INVAL,
                          "state must be \"MAINTENANCE\": a session begins with it");
    if (rc == HALE_OK && json_object_get(body, "workflow") != NULL &&
        (workflow == NULL ||
         (strcmp(workflow, "default") != 0 && strcmp(workflow, "vnf") != 0)))
        rc = hale_err_set(err, HALE_E_INVAL,
                          "workflow must be \"default\" (a project answers for all its "
                          "instances of a host) or \"vnf\" (for each)");
    if (rc == HALE_OK && (!is_empty(json_object_get(body, "actions")) ||
                          !is_empty(json_object_get(body, "download"))))
        rc = hale_err_set(err, HALE_E_INVAL,
                          "plug-ins (actions, download) are not run: configure "
                          "`maintenance: {hook: [...]}` in the policies");
    if (rc == HALE_OK)
        rc = check_metadata(metadata, err);
    if (rc == HALE_OK)
        rc = read_time(json_object_get(body, "maintenance_at"), &at_ms, err);
    if (rc == HALE_OK)
        rc = read_hosts(json_object_get(body, "hosts"), &hosts, err);
    if (rc != HALE_OK)
        return rc;
    metadata = metadata != NULL ? json_incref(metadata) : json_object();
    *out = json_pack("{s:i, s:o, s:I, s:s, s:o}", "v", 1, "hosts", hosts, "at_ms",
                     (json_int_t)at_ms, "workflow",
                     workflow != NULL ? workflow : "default", "metadata", metadata);
    return *out != NULL ? HALE_OK : nomem(err);
}

/* --- reply --------------------------------------------------------------------------- */

static enum hale_rc set_action(json_t *actions, const char *id, const json_t *word,
                               struct hale_err *err)
{
    const char *action = hale_upkeep_action(json_string_value(word));
    if (action == NULL)
        return hale_err_set(err, HALE_E_INVAL,
                            "an instance's action must be MIGRATE, LIVE_MIGRATE or "
                            "OWN_ACTION");
    return json_object_set_new(actions, id, json_string(action)) == 0 ? HALE_OK
                                                                      : nomem(err);
}

static enum hale_rc read_actions(const json_t *body, json_t *actions,
                                 struct hale_err *err)
{
    json_t *many = json_object_get(body, "instance_actions");
    const json_t *one = json_object_get(body, "instance_action");
    enum hale_rc rc = HALE_OK;
    const char *id;
    json_t *word;
    if (many != NULL &&
        (!json_is_object(many) || json_object_size(many) > HALE_UPKEEP_ACTION_MAX))
        return hale_err_set(err, HALE_E_INVAL,
                            "instance_actions must be an object of instance ids, at "
                            "most %d",
                            HALE_UPKEEP_ACTION_MAX);
    json_object_foreach (many, id, word)
        if (rc == HALE_OK)
            rc = strlen(id) > ID_MAX
                     ? hale_err_set(err, HALE_E_INVAL, "an instance's id is too long")
                     : set_action(actions, id, word, err);
    if (rc == HALE_OK && one != NULL && !json_is_null(one))
        rc = set_action(actions, "*", one, err);
    return rc;
}

enum hale_rc hale_upkeep_reply(const json_t *body, json_t **out, struct hale_err *err)
{
    static const char *const keys[] = {
        "session_id", "state", "instance_ids", "instance_actions", "instance_action",
        "reason",     NULL};
    const char *state = json_string_value(json_object_get(body, "state"));
    bool ack = state != NULL && strncmp(state, "ACK_", 4) == 0;
    bool nack = state != NULL && strncmp(state, "NACK_", 5) == 0;
    json_t *actions = json_object();
    *out = NULL;
    enum hale_rc rc = actions != NULL ? check_keys(body, keys, err) : nomem(err);
    if (rc == HALE_OK && ((!ack && !nack) || strlen(state) > 64))
        rc = hale_err_set(err, HALE_E_INVAL,
                          "state must be ACK_ or NACK_ with the state that was told, "
                          "like \"ACK_MAINTENANCE\"");
    if (rc == HALE_OK)
        rc = read_actions(body, actions, err);
    if (rc == HALE_OK)
        *out = json_pack("{s:i, s:b, s:s, s:O}", "v", 1, "ack", ack, "state",
                         state + (ack ? 4 : 5), "actions", actions);
    json_decref(actions);
    return rc == HALE_OK && *out == NULL ? nomem(err) : rc;
}

/* --- constraints (ETSI NFV FEAT03) ----------------------------------------------------- */

enum kind { ID, TEXT, FLAG, COUNT, ACTION };
static const struct field {
    const char *key;
    enum kind kind;
    bool of_group, of_instance;
} FIELDS[] = {{"instance_id", ID, false, true},
              {"group_id", ID, true, true},
              {"project_id", ID, true, true},
              {"instance_name", TEXT, false, true},
              {"group_name", TEXT, true, false},
              {"max_interruption_time", COUNT, false, true},
              {"migration_type", ACTION, false, true},
              {"lead_time", COUNT, false, true},
              {"resource_mitigation", FLAG, true, true},
              {"anti_affinity_group", FLAG, true, false},
              {"max_instances_per_host", COUNT, true, false},
              {"max_impacted_members", COUNT, true, false},
              {"recovery_time", COUNT, true, false}};

static enum hale_rc check_field(const struct field *f, const json_t *v,
                                struct hale_err *err)
{
    static const char *const wants[] = {[ID] = "an id",
                                        [TEXT] = "a text of at most 255 bytes",
                                        [FLAG] = "true or false",
                                        [COUNT] = "a whole number of 0 to 86400",
                                        [ACTION] = "MIGRATE, LIVE_MIGRATE or OWN_ACTION"};
    bool ok = true;
    if (f->kind == ID)
        ok = name_ok(v, ID_MAX);
    else if (f->kind == TEXT)
        ok = json_is_string(v) && json_string_length(v) <= 255;
    else if (f->kind == FLAG)
        ok = json_is_boolean(v);
    else if (f->kind == COUNT)
        ok = json_is_integer(v) && json_integer_value(v) >= 0 &&
             json_integer_value(v) <= 86400;
    else
        ok = hale_upkeep_action(json_string_value(v)) != NULL;
    return ok ? HALE_OK
              : hale_err_set(err, HALE_E_INVAL, "%s must be %s", f->key, wants[f->kind]);
}

enum hale_rc hale_upkeep_constraint(const json_t *body, bool group, const char *id,
                                    json_t **out, struct hale_err *err)
{
    const char *keys[N(FIELDS) + 1] = {NULL};
    const char *own = group ? "group_id" : "instance_id";
    size_t n = 0;
    *out = NULL;
    for (size_t i = 0; i < N(FIELDS); i++)
        if (group ? FIELDS[i].of_group : FIELDS[i].of_instance)
            keys[n++] = FIELDS[i].key;
    enum hale_rc rc = check_keys(body, keys, err);
    for (size_t i = 0; rc == HALE_OK && i < N(FIELDS); i++) {
        const json_t *v = json_object_get(body, FIELDS[i].key);
        if (v != NULL && !json_is_null(v))
            rc = check_field(&FIELDS[i], v, err);
    }
    const char *said = json_string_value(json_object_get(body, own));
    if (rc == HALE_OK && (said == NULL || strcmp(said, id) != 0))
        rc = hale_err_set(err, HALE_E_INVAL, "%s must be the one of the path", own);
    if (rc == HALE_OK && json_string_value(json_object_get(body, "project_id")) == NULL)
        rc = hale_err_set(err, HALE_E_INVAL, "project_id is missing");
    if (rc != HALE_OK)
        return rc;
    *out = json_copy((json_t *)(uintptr_t)body);
    if (*out == NULL || json_object_set_new(*out, "v", json_integer(1)) != 0) {
        json_decref(*out);
        *out = NULL;
        return nomem(err);
    }
    return HALE_OK;
}
