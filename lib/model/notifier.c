/* SPDX-License-Identifier: Apache-2.0 */
#include "model/notifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 128
#define NO_FAULT       "0000" /* of a registration that names none */
#define PHYSICAL       "10"   /* fault_type: physical server fault */
#define INCONSISTENT   "20"   /* fault_type: VM status inconsistency */

static enum hale_rc nomem(struct hale_err *err)
{
    return hale_err_set(err, HALE_E_NOMEM, "out of memory");
}

static bool server_ok(struct hale_str server)
{
    for (size_t i = 0; i < server.len; i++) {
        char c = server.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                     (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
        if (!plain)
            return false;
    }
    return server.len > 0 && server.len <= HALE_NOTIFIER_SERVER_MAX && server.p[0] != '.';
}

/* Tacker's own: .../vnf_instances/<id>/servers/<server>/notify. Nothing else is ever called for it. */
static bool is_tackers(const char *url, struct hale_str server)
{
    char end[HALE_NOTIFIER_SERVER_MAX + 32];
    (void)snprintf(end, sizeof(end), "/servers/%.*s/notify", (int)server.len, server.p);
    size_t len = strlen(url), n = strlen(end);
    const char *vnf = strstr(url, "/vnf_instances/");
    return hale_aodh_is_address(url) && strpbrk(url, "?#@") == NULL && len > n &&
           strcmp(url + len - n, end) == 0 && vnf != NULL &&
           vnf + strlen("/vnf_instances/") < url + len - n;
}

static enum hale_rc take_action(const json_t *body, struct hale_str server,
                                struct hale_aodh *a, struct hale_err *err)
{
    json_t *action = json_object_get(body, "fault_action");
    const char *url = json_string_value(action);
    if (url == NULL || strlen(url) != json_string_length(action) ||
        !is_tackers(url, server))
        return hale_err_set(err, HALE_E_INVAL,
                            "fault_action must be Tacker's address: "
                            "http(s)://.../vnf_instances/<id>/servers/%.*s/notify",
                            (int)server.len, server.p);
    for (size_t i = 0; i < 3; i++)
        a->actions[i] = json_array();
    return a->actions[HALE_STATE_OK] != NULL &&
                   a->actions[HALE_STATE_UNDETERMINED] != NULL &&
                   json_array_append(a->actions[HALE_STATE_ALARM], action) == 0
               ? HALE_OK
               : nomem(err);
}

static bool fault_ok(const json_t *fault)
{
    const char *text = json_string_value(fault);
    if (text == NULL || json_string_length(fault) != HALE_NOTIFIER_FAULT_LEN)
        return false;
    for (size_t i = 0; i < HALE_NOTIFIER_FAULT_LEN; i++)
        if (text[i] < '!' || text[i] > '~')
            return false;
    return true;
}

static enum hale_rc take_faults(const json_t *body, struct hale_aodh *a,
                                struct hale_err *err)
{
    json_t *faults = json_object_get(body, "fault_id");
    if (faults == NULL || json_is_null(faults)) {
        a->faults = json_array();
        return a->faults != NULL ? HALE_OK : nomem(err);
    }
    bool ok =
        json_is_array(faults) && json_array_size(faults) <= HALE_NOTIFIER_FAULTS_MAX;
    for (size_t i = 0; ok && i < json_array_size(faults); i++)
        ok = fault_ok(json_array_get(faults, i));
    if (!ok)
        return hale_err_set(err, HALE_E_INVAL,
                            "fault_id must be a list of at most %d ids of %d characters",
                            HALE_NOTIFIER_FAULTS_MAX, HALE_NOTIFIER_FAULT_LEN);
    a->faults = json_incref(faults);
    return HALE_OK;
}

static enum hale_rc fill(const json_t *body, struct hale_str server, struct hale_aodh *a,
                         struct hale_err *err)
{
    char name[NAME_MAX_BYTES];
    (void)snprintf(name, sizeof(name), "server-notifier/%.*s", (int)server.len, server.p);
    a->name = strdup(name);
    a->description = strdup("");
    a->event_type = strdup("compute.instance.update");
    a->enabled = true;
    a->severity = HALE_AODH_CRITICAL;
    a->query = json_pack("[{s:s, s:s, s:s, s:s%}, {s:s, s:s, s:s, s:s}]", "field",
                         "traits.instance_id", "op", "eq", "type", "", "value", server.p,
                         server.len, "field", "traits.state", "op", "eq", "type", "",
                         "value", "error");
    if (a->name == NULL || a->description == NULL || a->event_type == NULL ||
        a->query == NULL)
        return nomem(err);
    enum hale_rc rc = take_action(body, server, a, err);
    return rc == HALE_OK ? take_faults(body, a, err) : rc;
}

enum hale_rc hale_notifier_from_api(const json_t *body, struct hale_str server,
                                    struct hale_aodh **out, struct hale_err *err)
{
    *out = NULL;
    if (!server_ok(server))
        return hale_err_set(err, HALE_E_INVAL,
                            "the server's id must have 1 to %d of the characters "
                            "A-Za-z0-9_.-",
                            HALE_NOTIFIER_SERVER_MAX);
    if (!json_is_object(body))
        return hale_err_set(err, HALE_E_INVAL, "the body must be an object");
    struct hale_aodh *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return nomem(err);
    enum hale_rc rc = fill(body, server, a, err);
    if (rc == HALE_OK)
        *out = a;
    else
        hale_aodh_free(a);
    return rc;
}

json_t *hale_notifier_to_api(const struct hale_aodh *a)
{
    return json_pack("{s:s, s:O, s:O}", "alarm_id", a->id, "fault_action",
                     json_array_get(a->actions[HALE_STATE_ALARM], 0), "fault_id",
                     a->faults);
}

json_t *hale_notifier_body(const struct hale_aodh *a, const struct hale_aodh_event *e)
{
    const char *fault = json_string_value(json_array_get(a->faults, 0));
    const char *entity = json_string_value(json_object_get(e->traits, "hale_entity"));
    const char *host = json_string_value(json_object_get(e->traits, "host"));
    json_t *alarm = json_object_get(e->traits, "hale_alarm_id");
    bool physical = entity != NULL && strncmp(entity, "vm/", 3) != 0;
    char message[HALE_AODH_TEXT_MAX];
    (void)snprintf(message, sizeof(message), "%.*s is out of order", 255,
                   entity != NULL ? entity : a->name);
    return json_pack("{s:{s:s, s:s, s:s, s:s*, s:{s:s, s:O*}}}", "notification",
                     "alarm_id", a->id, "fault_id", fault != NULL ? fault : NO_FAULT,
                     "fault_type", physical ? PHYSICAL : INCONSISTENT, "host_id",
                     host != NULL && *host != '\0' ? host : NULL, "fault_option",
                     "message", message, "hale_alarm_id", alarm);
}
