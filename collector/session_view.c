/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/session_view.h"

#include <string.h>

#include "base/clock.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static bool is(const json_t *o, const char *key, const char *value)
{
    return strcmp(text_of(o, key), value) == 0;
}

static void put(json_t *out, const char *key, json_t *value)
{
    if (value != NULL)
        (void)json_object_set(out, key, value);
}

static void put_time(json_t *out, const char *key, const json_t *o, const char *from)
{
    char iso[HALE_CLOCK_ISO_MAX];
    int64_t ms = (int64_t)json_integer_value(json_object_get(o, from));
    if (ms > 0)
        (void)json_object_set_new(out, key, json_string(hale_clock_iso_s(ms, iso)));
}

bool collector_session_ended(const json_t *session)
{
    return is(session, "phase", "ended");
}

static bool failed_or_done(const json_t *session)
{
    return is(session, "state", "MAINTENANCE_DONE") ||
           is(session, "state", "MAINTENANCE_FAILED");
}

static int percent(const json_t *session)
{
    const json_t *hosts = json_object_get(session, "hosts"), *host;
    size_t i, n = 0;
    if (is(session, "state", "MAINTENANCE_DONE"))
        return 100;
    json_array_foreach (hosts, i, host)
        n += is(host, "state", "maintained") ? 2 : is(host, "state", "work") ? 1 : 0;
    return json_array_size(hosts) > 0 ? (int)(n * 99 / (2 * json_array_size(hosts))) : 0;
}

static bool open_question(const json_t *q)
{
    return is(q, "answer", "");
}

static json_t *waiting_for(const json_t *session)
{
    json_t *list = json_array(), *q, *act;
    size_t i;
    json_array_foreach (json_object_get(session, "questions"), i, q) {
        if (!open_question(q))
            continue;
        json_t *one = json_object();
        put(one, "state", json_object_get(q, "state"));
        put(one, "project", json_object_get(q, "project"));
        put(one, "instance", json_object_get(q, "instance"));
        put(one, "host", json_object_get(q, "host"));
        put_time(one, "until", q, "until_ms");
        (void)json_array_append_new(list, one);
    }
    json_array_foreach (json_object_get(session, "acts"), i, act) {
        if (!is(act, "state", "open") && !is(act, "state", "again"))
            continue;
        json_t *one = json_object();
        put(one, "action", json_object_get(act, "kind"));
        put(one, "host", json_object_get(act, "host"));
        put(one, "instance", json_object_get(act, "instance"));
        put(one, "run_id", json_object_get(act, "run"));
        put(one, "text", json_object_get(act, "text"));
        put_time(one, "since", act, "since_ms");
        (void)json_array_append_new(list, one);
    }
    return list;
}

static json_t *instances_of(const json_t *session)
{
    static const char *const keys[] = {"id",     "name",  "project", "host",
                                       "action", "state", "group",   NULL};
    json_t *list = json_array(), *x;
    size_t i;
    json_array_foreach (json_object_get(session, "instances"), i, x) {
        json_t *one = json_object();
        for (size_t k = 0; keys[k] != NULL; k++)
            put(one, keys[k], json_object_get(x, keys[k]));
        (void)json_array_append_new(list, one);
    }
    return list;
}

json_t *collector_session_line(const json_t *session)
{
    json_t *out = json_object();
    put(out, "session_id", json_object_get(session, "id"));
    put(out, "state", json_object_get(session, "state"));
    (void)json_object_set_new(out, "percent_done", json_integer(percent(session)));
    (void)json_object_set_new(
        out, "hosts",
        json_integer((json_int_t)json_array_size(json_object_get(session, "hosts"))));
    put_time(out, "maintenance_at", session, "at_ms");
    put_time(out, "created_at", session, "created_ms");
    put(out, "by", json_object_get(session, "by"));
    put(out, "reason", json_object_get(session, "reason"));
    return out;
}

json_t *collector_session_shown(const json_t *session)
{
    json_t *out = collector_session_line(session), *hosts = json_array(), *h;
    size_t i;
    json_array_foreach (json_object_get(session, "hosts"), i, h) {
        json_t *one = json_object();
        put(one, "host", json_object_get(h, "name"));
        put(one, "state", json_object_get(h, "state"));
        put(one, "disabled", json_object_get(h, "disabled"));
        (void)json_array_append_new(hosts, one);
    }
    (void)json_object_set_new(out, "hosts", hosts);
    put(out, "workflow", json_object_get(session, "workflow"));
    put(out, "metadata", json_object_get(session, "metadata"));
    put_time(out, "updated_at", session, "updated_ms");
    (void)json_object_set_new(out, "instances", instances_of(session));
    (void)json_object_set_new(out, "waiting_for", waiting_for(session));
    (void)json_object_set_new(
        out, "rolling_back",
        json_boolean(failed_or_done(session) && !collector_session_ended(session)));
    return out;
}

bool collector_session_has_project(const json_t *session, const char *project)
{
    const json_t *name;
    size_t i;
    json_array_foreach (json_object_get(session, "projects"), i, name)
        if (json_is_string(name) && strcmp(json_string_value(name), project) == 0)
            return true;
    return false;
}

const json_t *collector_session_question(const json_t *session, const char *project,
                                         const char *instance)
{
    const json_t *q;
    size_t i;
    json_array_foreach (json_object_get(session, "questions"), i, q)
        if (open_question(q) && is(q, "project", project) &&
            (instance == NULL || is(q, "instance", instance)))
            return q;
    return NULL;
}

const json_t *collector_session_work(const json_t *session, const char *host)
{
    const json_t *q;
    size_t i;
    json_array_foreach (json_object_get(session, "questions"), i, q)
        if (open_question(q) && is(q, "project", "") &&
            (host == NULL || is(q, "host", host)))
            return q;
    return NULL;
}

json_t *collector_session_instances(const json_t *session, const char *project,
                                    const char *instance)
{
    const json_t *q = collector_session_question(session, project, instance);
    json_t *ids = json_object_get(q, "ids"), *x;
    size_t i;
    if (instance != NULL)
        return json_pack("{s:[s]}", "instance_ids", instance);
    if (ids != NULL)
        return json_pack("{s:O}", "instance_ids", ids);
    ids = json_array();
    json_array_foreach (json_object_get(session, "instances"), i, x)
        if (is(x, "project", project) && !is(x, "state", "gone"))
            (void)json_array_append(ids, json_object_get(x, "id"));
    return json_pack("{s:o}", "instance_ids", ids);
}
