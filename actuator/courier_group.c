/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/courier_private.h"
#include "actuator/digest.h"
#include "actuator/dispatch.h"
#include "actuator/profile.h"
#include "base/clock.h"
#include "base/log.h"

/* --- whose alarms come in groups ----------------------------------------------------- */

static const struct actuator_grouping *
grouping_of(const struct actuator_courier_target *t)
{
    const struct actuator_methods_conf *conf = &t->owner->p.conf->methods;
    const struct actuator_grouping *g = NULL;
    switch (t->method->type) {
    case HALE_METHOD_EMAIL: g = &conf->email; break;
    case HALE_METHOD_PAGERDUTY: g = &conf->pagerduty; break;
    case HALE_METHOD_WEBHOOK: break;
    }
    return g != NULL && g->on ? g : NULL;
}

static bool make(struct actuator_courier_target *t, const struct actuator_grouping *conf)
{
    t->groups =
        actuator_groups_new(conf, t->recipient, t->owner->p.io.arg, t->owner->p.io.group);
    return t->groups != NULL;
}

static void drain(struct actuator_courier_target *t)
{
    actuator_groups_set_conf(t->groups, &actuator_grouping_at_once);
    actuator_groups_drain(t->groups);
    t->draining = true;
    t->drained_to = actuator_groups_upto(t->groups);
}

bool actuator_courier_group_conf(struct actuator_courier_target *t)
{
    const struct actuator_grouping *conf = grouping_of(t);
    if (conf == NULL) {
        if (t->groups != NULL && !t->draining)
            drain(t);
        return true;
    }
    t->draining = false;
    if (t->groups == NULL)
        return make(t, conf);
    actuator_groups_set_conf(t->groups, conf);
    return true;
}

/* Of methods that came in groups before a restart and do not now, too. */
bool actuator_courier_load_group(struct actuator_courier *c, struct hale_str field,
                                 struct hale_str value)
{
    static const char kind[] = "method/";
    const char *end = field.p != NULL ? memchr(field.p, '\n', field.len) : NULL;
    if (end == NULL || field.len < sizeof(kind) - 1 ||
        memcmp(field.p, kind, sizeof(kind) - 1) != 0)
        return false;
    const char *id = field.p + sizeof(kind) - 1;
    struct actuator_courier_target *t =
        hale_map_get(c->targets, (struct hale_str){id, (size_t)(end - id)});
    if (t == NULL || (t->groups == NULL && !make(t, &actuator_grouping_at_once)))
        return false;
    return actuator_groups_load(t->groups, field, value);
}

void actuator_courier_groups_loaded(struct actuator_courier *c)
{
    size_t it = 0;
    struct actuator_courier_target *t;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL) {
        if (t->groups == NULL)
            continue;
        actuator_groups_loaded(t->groups);
        if (grouping_of(t) == NULL)
            drain(t);
    }
    actuator_courier_contacts_changed(c, NULL);
}

/* --- records ------------------------------------------------------------------------- */

struct review {
    const struct actuator_courier_target *t;
    const char *definition_id; /* NULL: any */
};

static bool still_named(void *arg, const char *show)
{
    const struct review *r = arg;
    const struct actuator_courier_target *t = r->t;
    if (r->definition_id != NULL && strstr(show, r->definition_id) == NULL)
        return true;
    json_t *o = json_loads(show, 0, NULL);
    const char *definition = json_string_value(json_object_get(o, "definition"));
    bool named =
        definition == NULL || actuator_contacts_names(t->owner->p.contacts, definition,
                                                      HALE_STATE_ALARM, t->method->id);
    json_decref(o);
    return named;
}

void actuator_courier_contacts_changed(struct actuator_courier *c,
                                       const char *definition_id)
{
    size_t it = 0;
    struct actuator_courier_target *t;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL) {
        struct review r = {t, definition_id};
        if (t->groups != NULL)
            actuator_groups_keep(t->groups, &r, still_named);
    }
}

static void take(struct actuator_courier_target *t, const struct hale_log_record *rec,
                 int64_t now_us)
{
    const struct hale_alarm *a = &rec->alarm;
    json_t *labels = actuator_profile_labels(a);
    char *show = actuator_digest_show(rec);
    if (labels != NULL && show != NULL)
        actuator_groups_take(
            t->groups,
            &(struct actuator_group_alarm){.tenant = a->tenant,
                                           .id = a->id,
                                           .labels = labels,
                                           .raised = a->state == HALE_STATE_ALARM,
                                           .seq = rec->seq,
                                           .show = hale_str_from(show)},
            now_us / 1000);
    free(show);
    json_decref(labels);
}

bool actuator_courier_group_takes(struct actuator_courier_target *t,
                                  const struct hale_log_record *rec, bool named,
                                  int64_t now_us)
{
    if (rec->alarm.state == HALE_STATE_ALARM && rec->seq <= t->drained_to)
        return true;
    if (t->groups == NULL || !rec->announce)
        return false;
    bool knows = actuator_groups_knows(t->groups, rec->alarm.id);
    switch (rec->alarm.state) {
    case HALE_STATE_UNDETERMINED: return false;
    case HALE_STATE_ALARM:
        if (!named || (t->draining && !knows))
            return false;
        take(t, rec, now_us);
        return true;
    case HALE_STATE_OK: break;
    }
    if (!knows) /* one of those that are only a number comes to its end as one */
        return actuator_groups_full(t->groups);
    if (named)
        take(t, rec, now_us);
    else
        actuator_groups_forget(t->groups, rec->alarm.id);
    return true;
}

void actuator_courier_group_ends(struct actuator_courier *c,
                                 const struct hale_log_record *rec)
{
    const struct hale_alarm *a = &rec->alarm;
    size_t it = 0;
    struct actuator_courier_target *t;
    if (!rec->announce || a->state != HALE_STATE_OK)
        return;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL)
        if (t->groups != NULL && !t->behind && actuator_groups_knows(t->groups, a->id) &&
            !(a->actions_enabled &&
              actuator_contacts_names(c->p.contacts, a->definition_id, a->state,
                                      t->method->id)))
            actuator_groups_forget(t->groups, a->id);
}

/* --- messages ------------------------------------------------------------------------ */

void actuator_courier_group_end(struct actuator_courier_target *t,
                                enum actuator_group_end end, int64_t now_us)
{
    actuator_groups_done(t->groups, end, now_us / 1000, t->retry_us / 1000);
    json_decref(t->digest);
    t->digest = NULL;
    if (end != ACTUATOR_GROUP_LATER) {
        t->tries = 0;
        t->retry_us = 0;
        t->group_since_us = 0;
    } else if (t->group_since_us == 0) {
        t->group_since_us = now_us;
    }
}

void actuator_courier_group_bury(struct actuator_courier_target *t,
                                 enum actuator_dead_reason reason, const char *detail,
                                 int64_t now_us)
{
    const json_t *first = json_array_get(json_object_get(t->digest, "alarms"), 0);
    const char *name = json_string_value(json_object_get(first, "name"));
    bool raised = json_integer_value(json_object_get(t->digest, "raised")) > 0;
    char *text = json_dumps(t->digest, JSON_COMPACT);
    const struct actuator_letter letter = {
        .id = t->group_id,
        .recipient = t->recipient,
        .name = t->method->name,
        .tenant = t->method->tenant,
        .alarm_id = "",
        .alarm_name = name != NULL ? name : "",
        .state = raised ? HALE_STATE_ALARM : HALE_STATE_OK,
        .severity = HALE_SEV_LOW,
        .logged_ms = json_integer_value(json_object_get(t->digest, "time_ms")),
        .reason = reason,
        .detail = detail,
        .tries = t->tries,
        .group = hale_str_from(text != NULL ? text : "{}")};
    actuator_deadletters_bury(t->owner->p.dead, &letter, now_us / 1000);
    free(text);
}

enum hale_rc actuator_courier_group_tell(struct actuator_courier_target *t,
                                         const char *id, const json_t *digest,
                                         const char **why)
{
    const struct actuator_send send = {t->owner->p.http, &t->owner->p.conf->methods,
                                       t->method, actuator_courier_done, t};
    t->telling[0] = '\0';
    t->told[0] = t->told[1] = HALE_STATE_UNDETERMINED; /* of no alarm */
    t->repeating = false;
    enum hale_rc rc = actuator_dispatch_group(&send, id, digest, &t->call, why);
    if (rc == HALE_OK)
        return rc;
    t->call = 0;
    if (rc == HALE_E_DENIED || rc == HALE_E_INVAL) {
        actuator_courier_complain(t, 0, *why);
        actuator_courier_count(ACTUATOR_STAT_METHOD_DENIED, 1);
        return rc;
    }
    actuator_courier_retry_later(t, hale_clock_wall_us());
    return HALE_E_AGAIN;
}

/* What is given up goes; false: it is under way, or t->retry_us says when to try again. */
static bool give_up(struct actuator_courier_target *t, int64_t now_us)
{
    const char *why = "";
    if (t->group_since_us != 0 &&
        now_us - t->group_since_us > t->owner->p.conf->notify_max_age_ms * 1000) {
        actuator_courier_count(ACTUATOR_STAT_METHOD_EXPIRED, 1);
        actuator_courier_group_bury(t, ACTUATOR_DEAD_EXPIRED,
                                    "not taken within notify_max_age", now_us);
        return true;
    }
    enum hale_rc rc = actuator_courier_group_tell(t, t->group_id, t->digest, &why);
    if (rc == HALE_E_AGAIN) {
        actuator_courier_group_end(t, ACTUATOR_GROUP_LATER, now_us);
    } else if (rc != HALE_OK) {
        actuator_courier_group_bury(t, ACTUATOR_DEAD_DENIED, why, now_us);
        return true;
    }
    return false;
}

void actuator_courier_group_send(struct actuator_courier_target *t, int64_t now_us)
{
    while (t->call == 0 && t->retry_us <= now_us) {
        const struct actuator_group_message *m =
            actuator_groups_due(t->groups, now_us / 1000);
        if (m == NULL)
            break;
        t->digest = actuator_digest_of(m, now_us / 1000);
        memcpy(t->group_id, m->id, sizeof(t->group_id));
        if (t->digest == NULL) {
            hale_error("event=notification_lost method=%s", t->method->id);
            actuator_courier_count(ACTUATOR_STAT_METHOD_EXPIRED, 1);
        }
        if (t->digest == NULL || give_up(t, now_us))
            actuator_courier_group_end(t, ACTUATOR_GROUP_GIVEN_UP, now_us);
    }
    if (t->draining && t->call == 0 && actuator_groups_next_ms(t->groups) == INT64_MAX) {
        actuator_groups_free(t->groups);
        t->groups = NULL;
        t->draining = false;
    }
}
