/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/upkeep_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "collector/request.h"
#include "collector/sessions_api.h"
#include "collector/silence_store.h"
#include "model/topology.h"

#define EVENT   "maintenance.host"
#define AT_MOST "24h" /* a tool that went away must not blind us for ever */

/* A trait's text: traits are [name, type, value]. NULL: it is not there. */
static const char *trait(const json_t *traits, const char *name)
{
    for (size_t i = 0; i < json_array_size(traits); i++) {
        const json_t *t = json_array_get(traits, i);
        const char *key = json_string_value(json_array_get(t, 0));
        if (key != NULL && strcmp(key, name) == 0)
            return json_string_value(json_array_get(t, 2));
    }
    return NULL;
}

/* "host/<name>" into dst. HALE_E_INVAL with the text of the 400. */
static enum hale_rc read_event(const json_t *body, char *ref, size_t size, bool *begins,
                               struct hale_err *err)
{
    const json_t *event = json_object_get(json_object_get(body, "reason_data"), "event");
    const json_t *traits = json_object_get(event, "traits");
    const char *type = json_string_value(json_object_get(event, "event_type"));
    const char *host = trait(traits, "host");
    const char *state = trait(traits, "state");
    struct hale_str t, id;

    if (type == NULL || strcmp(type, EVENT) != 0)
        return hale_err_set(err, HALE_E_INVAL,
                            "reason_data.event.event_type must be " EVENT);
    if (host == NULL || snprintf(ref, size, "host/%s", host) >= (int)size ||
        !hale_topology_ref(hale_str_from(ref), &t, &id))
        return hale_err_set(err, HALE_E_INVAL, "the trait host must name a host");
    *begins = state != NULL && strcmp(state, "IN_MAINTENANCE") == 0;
    if (!*begins && (state == NULL || strcmp(state, "MAINTENANCE_COMPLETE") != 0))
        return hale_err_set(err, HALE_E_INVAL,
                            "the trait state must be IN_MAINTENANCE or "
                            "MAINTENANCE_COMPLETE");
    return HALE_OK;
}

/* The window of a host has always the same id, so a repeat is harmless. */
static void window_id(const struct collector_request *r, const char *ref, char *dst)
{
    char key[HALE_TENANT_MAX_BYTES + HALE_TOPOLOGY_REF_MAX + 16];
    int n = snprintf(key, sizeof(key), "upkeep\n%s\n%s", r->tenant, ref);

    hale_id_uuid_from(key, (size_t)n, dst);
}

static enum hale_rc begin(struct hale_redis *redis, const struct collector_request *r,
                          const char *ref, const char *id, struct hale_err *err)
{
    struct hale_silence *s = NULL, *before = NULL;
    int64_t now_ms = hale_clock_wall_ms();
    json_t *body = json_pack("{s:s, s:s, s:s}", "entity", ref, "for", AT_MOST, "reason",
                             EVENT " IN_MAINTENANCE");
    enum hale_rc rc =
        body != NULL ? hale_silence_from_api(body, true, now_ms, &s, err) : HALE_E_NOMEM;

    json_decref(body);
    if (rc != HALE_OK)
        return rc;
    rc = collector_silence_load(redis, true, r->tenant, id, &before);
    bool create = rc == HALE_E_NOTFOUND;
    hale_silence_free(before);
    s->id = strdup(id);
    s->tenant = strdup(r->tenant);
    s->author = strdup(r->who.name);
    s->created_ms = s->updated_ms = now_ms;
    if (s->id == NULL || s->tenant == NULL || s->author == NULL)
        rc = HALE_E_NOMEM;
    else if (rc == HALE_OK || create)
        rc = collector_silence_put(redis, s, create, now_ms);
    hale_silence_free(s);
    return rc;
}

static enum hale_rc end(struct hale_redis *redis, const struct collector_request *r,
                        const char *id)
{
    struct hale_silence *s = NULL;
    int64_t now_ms = hale_clock_wall_ms();
    enum hale_rc rc = collector_silence_load(redis, true, r->tenant, id, &s);

    if (rc == HALE_E_NOTFOUND)
        return HALE_OK;
    if (rc == HALE_OK && hale_silence_end(s, now_ms)) {
        s->updated_ms = now_ms;
        rc = collector_silence_put(redis, s, false, now_ms);
    }
    hale_silence_free(s);
    return rc;
}

void collector_upkeep_post(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req)
{
    const struct collector_request *r = collector_request_of(req);
    char ref[HALE_TOPOLOGY_REF_MAX], id[HALE_UUID_TEXT];
    struct hale_err err = {0};
    bool begins = false;
    json_t *body = collector_request_json(req);

    (void)c;
    if (body == NULL)
        return;
    if (json_object_get(body, "reason_data") == NULL &&
        json_object_get(body, "state") != NULL) { /* of Doctor's tool: a session */
        collector_session_begin(redis, req, body);
        return;
    }
    enum hale_rc rc = read_event(body, ref, sizeof(ref), &begins, &err);
    json_decref(body);
    if (rc == HALE_OK) {
        window_id(r, ref, id);
        rc = begins ? begin(redis, r, ref, id, &err) : end(redis, r, id);
    }
    if (rc == HALE_OK)
        collector_reply_none(req, 200);
    else if (rc == HALE_E_INVAL && err.text[0] != '\0')
        collector_reply_error(req, 400, "Bad request", "%s", err.text);
    else if (rc == HALE_E_LIMIT)
        collector_reply_error(req, 409, "TooManyWindows",
                              "At most %d maintenance windows can be kept",
                              HALE_SILENCES_MAX);
    else
        collector_reply_busy(req, 2, "the store does not answer; send again");
}
