/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/digest.h"
#include "actuator/notify_private.h"
#include "actuator/profile.h"
#include "actuator/stats.h"
#include "base/log.h"

/* false: no memory. */
static bool find_managers(struct actuator_notify *n)
{
    bool any = false;
    for (unsigned i = 0; i < n->n; i++)
        any |= n->p.conf->subscribers.v[i].profile == ACTUATOR_PROFILE_SNMP;
    if (any)
        n->out.managers = actuator_managers_new();
    return !any || n->out.managers != NULL;
}

static bool make_groups(struct actuator_notify_target *t,
                        const struct actuator_grouping *conf)
{
    t->groups = actuator_groups_new(conf, t->conf->name, t->owner->p.arg,
                                    t->owner->p.store_group);
    return t->groups != NULL;
}

struct actuator_notify *actuator_notify_new(const struct actuator_notify_parts *parts,
                                            int64_t seen)
{
    struct actuator_notify *n = calloc(1, sizeof(*n));
    if (n == NULL)
        return NULL;
    n->p = *parts;
    n->out = (struct actuator_outlet){parts->http, parts->conf, NULL};
    n->seen = seen;
    n->n = parts->conf->subscribers.n;
    n->target = calloc(n->n > 0 ? n->n : 1, sizeof(*n->target));
    if (n->target == NULL || !find_managers(n)) {
        free(n->target);
        free(n);
        return NULL;
    }
    for (unsigned i = 0; i < n->n; i++) {
        struct actuator_notify_target *t = &n->target[i];
        t->conf = &parts->conf->subscribers.v[i];
        t->owner = n;
        t->cursor = t->read_to = seen;
        (void)snprintf(t->recipient, sizeof(t->recipient), "subscriber/%s",
                       t->conf->name);
        if (t->conf->grouping.on && !make_groups(t, &t->conf->grouping)) {
            actuator_notify_free(n);
            return NULL;
        }
    }
    return n;
}

bool actuator_notify_has(const struct actuator_notify *n, const char *recipient)
{
    for (unsigned i = 0; i < n->n; i++)
        if (strcmp(n->target[i].recipient, recipient) == 0)
            return true;
    return false;
}

void actuator_notify_drop_first(struct actuator_notify_target *t)
{
    actuator_note_put(t->queue[t->head]);
    t->head = (t->head + 1) % ACTUATOR_NOTIFY_QUEUE;
    t->n--;
    hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_QUEUED), -1);
}

void actuator_notify_free(struct actuator_notify *n)
{
    if (n == NULL)
        return;
    for (unsigned i = 0; i < n->n; i++) {
        struct actuator_notify_target *t = &n->target[i];
        if (t->call != 0)
            actuator_outlet_cancel(&n->out, t->conf, t->call);
        actuator_note_put(t->replay);
        actuator_note_put(t->group);
        actuator_groups_free(t->groups);
        while (t->n > 0)
            actuator_notify_drop_first(t);
    }
    actuator_managers_free(n->out.managers);
    free(n->target);
    free(n);
}

void actuator_notify_set_cursor(struct actuator_notify *n, unsigned i, int64_t cursor,
                                int64_t log_end)
{
    struct actuator_notify_target *t = &n->target[i];
    t->cursor = t->read_to = cursor <= log_end ? cursor : n->seen;
    t->behind = t->cursor < n->seen;
}

bool actuator_notify_load_group(struct actuator_notify *n, struct hale_str field,
                                struct hale_str value)
{
    const char *end = field.p != NULL ? memchr(field.p, '\n', field.len) : NULL;
    struct hale_str owner = {field.p, end != NULL ? (size_t)(end - field.p) : 0};
    for (unsigned i = 0; i < n->n; i++) {
        struct actuator_notify_target *t = &n->target[i];
        if (hale_str_eq(owner, hale_str_from(t->conf->name)))
            return (t->groups != NULL || make_groups(t, &actuator_grouping_at_once)) &&
                   actuator_groups_load(t->groups, field, value);
    }
    return false;
}

void actuator_notify_groups_loaded(struct actuator_notify *n)
{
    for (unsigned i = 0; i < n->n; i++) {
        struct actuator_notify_target *t = &n->target[i];
        if (t->groups == NULL)
            continue;
        actuator_groups_loaded(t->groups);
        if (!t->conf->grouping.on)
            actuator_notify_drain(t);
    }
}

int64_t actuator_notify_cursor(const struct actuator_notify *n, unsigned i)
{
    return n->target[i].cursor;
}

bool actuator_notify_moved(struct actuator_notify *n, unsigned i)
{
    bool moved = n->target[i].moved;
    n->target[i].moved = false;
    return moved;
}

/* --- records ----------------------------------------------------------------------- */

/* What began in a group that is being drained ends there. */
static bool is_grouped(const struct actuator_notify_target *t,
                       const struct hale_log_record *rec)
{
    return t->groups != NULL &&
           (!t->draining || actuator_groups_knows(t->groups, rec->alarm.id));
}

/* Groups know of whom they were told. */
static void take_into_group(struct actuator_notify_target *t,
                            const struct hale_log_record *rec, int64_t now_us)
{
    const struct hale_alarm *a = &rec->alarm;
    bool raised = a->state == HALE_STATE_ALARM;
    if (!rec->announce || !a->actions_enabled || a->state == HALE_STATE_UNDETERMINED ||
        (raised && (t->conf->severities & 1u << a->severity) == 0))
        return;
    json_t *labels = actuator_profile_labels(a);
    char *show = actuator_digest_show(rec);
    if (labels != NULL && show != NULL)
        actuator_groups_take(t->groups,
                             &(struct actuator_group_alarm){.tenant = a->tenant,
                                                            .id = a->id,
                                                            .labels = labels,
                                                            .raised = raised,
                                                            .seq = rec->seq,
                                                            .show = hale_str_from(show)},
                             now_us / 1000);
    free(show);
    json_decref(labels);
}

bool actuator_notify_hears_ends(const struct actuator_notify_target *t)
{
    return (t->conf->states & 1u << HALE_STATE_OK) != 0 &&
           actuator_profile_tells(t->conf->profile, HALE_STATE_OK);
}

/* Whoever is told that it began is told of its end, whatever its severity is then. */
static bool concerns(const struct actuator_notify_target *t,
                     const struct hale_log_record *rec)
{
    const struct hale_alarm *a = &rec->alarm;
    if (!rec->announce || !a->actions_enabled ||
        !actuator_profile_tells(t->conf->profile, a->state) ||
        (t->conf->states & 1u << a->state) == 0 ||
        (a->state == HALE_STATE_ALARM && rec->seq <= t->drained_to))
        return false;
    if (t->conf->severities == ACTUATOR_ALL_SEVERITIES)
        return true;
    if ((t->conf->severities & 1u << a->severity) != 0) {
        if (a->state == HALE_STATE_ALARM && actuator_notify_hears_ends(t))
            actuator_raised_queued(t->owner->p.raised, t->recipient, a->id);
        return true;
    }
    return a->state == HALE_STATE_OK &&
           actuator_raised_get(t->owner->p.raised, t->recipient, a->id) !=
               ACTUATOR_RAISED_UNKNOWN;
}

/* NULL: it cannot be written, and will not be told. */
static struct actuator_note *make_note(struct actuator_notify_target *t,
                                       const struct hale_log_record *rec)
{
    struct actuator_note *note = actuator_note_new(t->conf, rec);
    if (note == NULL) {
        hale_error("event=notification_lost subscriber=%s seq=%lld", t->conf->name,
                   (long long)rec->seq);
        hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_EXPIRED), 1);
    }
    return note;
}

/* Takes one reference. */
static void push(struct actuator_notify_target *t, struct actuator_note *note)
{
    note->refs++;
    t->queue[(t->head + t->n++) % ACTUATOR_NOTIFY_QUEUE] = note;
    hale_counter_add(actuator_stat(ACTUATOR_STAT_NOTIFY_QUEUED), 1);
}

static void settle_cursor(struct actuator_notify_target *t)
{
    if (t->n == 0 && !t->behind && t->read_to > t->cursor) {
        t->cursor = t->read_to;
        t->moved = true;
    }
}

void actuator_notify_record(struct actuator_notify *n, const struct hale_log_record *rec,
                            int64_t now_us)
{
    struct actuator_note *shared[ACTUATOR_PROFILES] = {NULL};
    n->seen = rec->seq > n->seen ? rec->seq : n->seen;
    for (unsigned i = 0; i < n->n; i++) {
        struct actuator_notify_target *t = &n->target[i];
        if (t->behind || rec->seq <= t->read_to)
            continue;
        bool grouped = is_grouped(t, rec);
        if (grouped)
            take_into_group(t, rec, now_us);
        if (grouped || !concerns(t, rec)) {
            t->read_to = rec->seq;
            settle_cursor(t);
            if (grouped)
                actuator_notify_send(t, now_us);
            continue;
        }
        if (t->n == ACTUATOR_NOTIFY_QUEUE) {
            t->behind = true;
            continue;
        }
        struct actuator_note *note = shared[t->conf->profile];
        if (note == NULL && (note = make_note(t, rec)) == NULL) {
            t->read_to = rec->seq;
            continue;
        }
        push(t, note);
        if (actuator_profile_shared(t->conf->profile))
            shared[t->conf->profile] = note;
        else
            actuator_note_put(note);
        t->read_to = rec->seq;
        actuator_notify_send(t, now_us);
    }
    for (unsigned i = 0; i < ACTUATOR_PROFILES; i++)
        actuator_note_put(shared[i]);
}

bool actuator_notify_wants(const struct actuator_notify *n, unsigned i,
                           int64_t *after_out)
{
    const struct actuator_notify_target *t = &n->target[i];
    *after_out = t->read_to;
    return t->behind && t->n == 0;
}

void actuator_notify_offer(struct actuator_notify *n, unsigned i,
                           const struct hale_log_record *rec, int64_t now_us)
{
    struct actuator_notify_target *t = &n->target[i];
    if (rec->seq <= t->read_to || t->n == ACTUATOR_NOTIFY_QUEUE)
        return;
    if (is_grouped(t, rec)) {
        take_into_group(t, rec, now_us);
    } else if (concerns(t, rec)) {
        struct actuator_note *note = make_note(t, rec);
        if (note == NULL)
            return;
        push(t, note);
        actuator_note_put(note);
    }
    t->read_to = rec->seq;
    actuator_notify_send(t, now_us);
}

void actuator_notify_offered(struct actuator_notify *n, unsigned i, int64_t seq,
                             bool read_all)
{
    struct actuator_notify_target *t = &n->target[i];
    t->read_to = seq > t->read_to ? seq : t->read_to;
    if (read_all && t->read_to < n->seen)
        t->read_to = n->seen; /* trimmed away: nothing is left to tell */
    if (t->read_to >= n->seen)
        t->behind = false;
    settle_cursor(t);
}

bool actuator_notify_pollfd(const struct actuator_notify *n, struct pollfd *out)
{
    if (n->out.managers != NULL)
        actuator_managers_pollfd(n->out.managers, out);
    return n->out.managers != NULL;
}

void actuator_notify_tick(struct actuator_notify *n, int64_t now_us)
{
    if (n->out.managers != NULL)
        actuator_managers_tick(n->out.managers);
    for (unsigned i = 0; i < n->n; i++)
        actuator_notify_send(&n->target[i], now_us);
}

int64_t actuator_notify_next_us(const struct actuator_notify *n)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < n->n; i++) {
        const struct actuator_notify_target *t = &n->target[i];
        bool replays = t->n == 0 && actuator_deadletters_waiting(n->p.dead, t->recipient);
        if (t->call != 0)
            continue;
        if ((t->n > 0 || replays) && t->retry_us < next)
            next = t->retry_us;
        if (t->groups != NULL) {
            int64_t due_ms = actuator_groups_next_ms(t->groups);
            int64_t due_us = due_ms < INT64_MAX / 1000 ? due_ms * 1000 : INT64_MAX;
            due_us = due_us > t->retry_us ? due_us : t->retry_us;
            next = due_us < next ? due_us : next;
        }
    }
    return next;
}
