/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/courier_private.h"
#include "base/log.h"
#include "model/limits.h"

/* --- life ---------------------------------------------------------------------------- */

static void target_free(void *arg)
{
    struct actuator_courier_target *t = arg;
    hale_http_client_cancel(t->owner->p.http, t->call);
    actuator_courier_count(ACTUATOR_STAT_METHOD_QUEUED, -(int64_t)t->n);
    actuator_courier_count(ACTUATOR_STAT_METHODS, -1);
    actuator_courier_forget_repeats(t);
    actuator_groups_free(t->groups);
    json_decref(t->digest);
    hale_method_free(t->method);
    free(t);
}

struct actuator_courier *actuator_courier_new(const struct actuator_courier_parts *parts,
                                              int64_t seen, int64_t log_end)
{
    struct actuator_courier *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    *c = (struct actuator_courier){.p = *parts, .seen = seen, .log_end = log_end};
    c->targets = hale_map_new(HALE_METHODS_MAX, target_free);
    if (c->targets == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

void actuator_courier_free(struct actuator_courier *c)
{
    if (c == NULL)
        return;
    hale_map_free(c->targets);
    free(c);
}

void actuator_courier_set_conf(struct actuator_courier *c,
                               const struct actuator_conf *conf)
{
    size_t it = 0;
    struct actuator_courier_target *t;
    c->p.conf = conf;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL)
        if (!actuator_courier_group_conf(t))
            hale_error("event=method_not_grouped id=%s", t->method->id);
}

bool actuator_courier_has(const struct actuator_courier *c, const char *recipient)
{
    return strncmp(recipient, "method/", 7) == 0 &&
           hale_map_get(c->targets, hale_str_from(recipient + 7)) != NULL;
}

/* "p<seq>" or "d<seq>"; anything else: as new. */
static void read_mark(struct actuator_courier_target *t, struct hale_str mark)
{
    int64_t seq = 0;
    bool good =
        mark.len > 1 && (mark.p[0] == 'p' || mark.p[0] == 'd') &&
        hale_str_i64((struct hale_str){mark.p + 1, mark.len - 1}, &seq) == HALE_OK;
    t->done = t->owner->seen;
    if (!good)
        return;
    if (mark.p[0] == 'd') { /* what follows the log's position is read anyway */
        t->done = seq <= t->owner->log_end ? seq : t->owner->seen;
        return;
    }
    t->done = seq < t->owner->seen ? seq : t->owner->seen;
    t->read_to = t->done;
    t->behind = true;
}

enum hale_rc actuator_courier_method(struct actuator_courier *c, struct hale_method *m,
                                     struct hale_str mark)
{
    struct actuator_courier_target *t = hale_map_get(c->targets, hale_str_from(m->id));
    if (t != NULL) {
        hale_method_free(t->method);
        t->method = m;
        t->retry_us = 0; /* a new address is tried at once */
        if (m->period_s == 0)
            actuator_courier_forget_repeats(t);
        return actuator_courier_group_conf(t) ? HALE_OK : HALE_E_NOMEM;
    }
    t = calloc(1, sizeof(*t));
    if (t == NULL) {
        hale_method_free(m);
        return HALE_E_NOMEM;
    }
    t->owner = c;
    t->method = m;
    t->repeat_us = INT64_MAX;
    (void)snprintf(t->recipient, sizeof(t->recipient), "method/%.40s", m->id);
    read_mark(t, mark);
    actuator_courier_count(ACTUATOR_STAT_METHODS, 1);
    enum hale_rc rc = actuator_courier_group_conf(t)
                          ? hale_map_put(c->targets, hale_str_from(m->id), t)
                          : HALE_E_NOMEM;
    if (rc != HALE_OK)
        target_free(t);
    return rc;
}

void actuator_courier_drop(struct actuator_courier *c, struct hale_str method_id)
{
    struct actuator_courier_target *t = hale_map_get(c->targets, method_id);
    if (t == NULL)
        return;
    c->p.io.mark(c->p.io.arg, t->method->id, NULL);
    if (t->digest != NULL)
        actuator_courier_group_end(t, ACTUATOR_GROUP_LATER, 0);
    if (t->groups != NULL)
        actuator_groups_clear(t->groups);
    hale_map_del(c->targets, method_id);
}

/* --- queue --------------------------------------------------------------------------- */

static void mark(struct actuator_courier_target *t)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%c%lld", t->n > 0 || t->behind ? 'p' : 'd',
                   (long long)t->done);
    t->owner->p.io.mark(t->owner->p.io.arg, t->method->id, text);
}

static void push(struct actuator_courier_target *t, int64_t seq)
{
    bool first = t->n == 0 && !t->behind;
    if (first)
        t->done = seq - 1;
    t->queue[(t->head + t->n++) % ACTUATOR_COURIER_QUEUE] = seq;
    actuator_courier_count(ACTUATOR_STAT_METHOD_QUEUED, 1);
    if (first)
        mark(t);
}

void actuator_courier_pop(struct actuator_courier_target *t)
{
    t->done = t->queue[t->head];
    t->head = (t->head + 1) % ACTUATOR_COURIER_QUEUE;
    t->n--;
    t->tries = 0;
    t->retry_us = 0;
    actuator_courier_count(ACTUATOR_STAT_METHOD_QUEUED, -1);
    mark(t);
}

/* --- records ------------------------------------------------------------------------- */

static bool concerns(const struct hale_log_record *rec)
{
    return rec->announce && rec->alarm.actions_enabled;
}

void actuator_courier_record(struct actuator_courier *c,
                             const struct hale_log_record *rec, int64_t now_us)
{
    const struct hale_strings *ids =
        concerns(rec) ? actuator_contacts_get(c->p.contacts, rec->alarm.definition_id,
                                              rec->alarm.state)
                      : NULL;
    c->seen = rec->seq > c->seen ? rec->seq : c->seen;
    for (unsigned i = 0; ids != NULL && i < ids->n; i++) {
        struct actuator_courier_target *t =
            hale_map_get(c->targets, hale_str_from(ids->v[i]));
        if (t == NULL || t->behind || rec->seq <= t->done ||
            strcmp(t->method->tenant, rec->alarm.tenant) != 0)
            continue;
        if (actuator_courier_group_takes(t, rec, true, now_us)) {
            actuator_courier_send(t, rec, now_us);
            continue;
        }
        if (t->n == ACTUATOR_COURIER_QUEUE) {
            t->read_to = t->queue[(t->head + t->n - 1) % ACTUATOR_COURIER_QUEUE];
            t->behind = true;
            continue;
        }
        push(t, rec->seq);
        actuator_courier_send(t, rec, now_us);
    }
    actuator_courier_group_ends(c, rec);
}

const char *actuator_courier_wanting(const struct actuator_courier *c, int64_t *after_out)
{
    size_t it = 0;
    const struct actuator_courier_target *t;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL) {
        if (!t->behind || t->n > 0)
            continue;
        *after_out = t->read_to;
        return t->method->id;
    }
    return NULL;
}

void actuator_courier_offer(struct actuator_courier *c, const char *method_id,
                            const struct hale_log_record *rec, int64_t now_us)
{
    struct actuator_courier_target *t =
        hale_map_get(c->targets, hale_str_from(method_id));
    if (t == NULL || rec->seq <= t->read_to || t->n == ACTUATOR_COURIER_QUEUE)
        return;
    t->read_to = rec->seq;
    if (strcmp(t->method->tenant, rec->alarm.tenant) != 0)
        return;
    bool named =
        concerns(rec) && actuator_contacts_names(c->p.contacts, rec->alarm.definition_id,
                                                 rec->alarm.state, method_id);
    if (!actuator_courier_group_takes(t, rec, named, now_us) && named) {
        push(t, rec->seq);
        actuator_courier_send(t, rec, now_us);
    }
}

void actuator_courier_offered(struct actuator_courier *c, const char *method_id,
                              int64_t seq, bool read_all)
{
    struct actuator_courier_target *t =
        hale_map_get(c->targets, hale_str_from(method_id));
    if (t == NULL)
        return;
    t->read_to = seq > t->read_to ? seq : t->read_to;
    if (!read_all && t->read_to < c->seen)
        return;
    t->behind = false;
    if (t->n == 0) {
        t->done = t->read_to > t->done ? t->read_to : t->done;
        mark(t);
    }
}

void actuator_courier_tick(struct actuator_courier *c, int64_t now_us)
{
    size_t it = 0;
    struct actuator_courier_target *t;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL)
        actuator_courier_send(t, NULL, now_us);
}

int64_t actuator_courier_next_us(const struct actuator_courier *c)
{
    int64_t next = INT64_MAX;
    size_t it = 0;
    const struct actuator_courier_target *t;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL) {
        if (t->call != 0)
            continue;
        bool replays = t->n == 0 && actuator_deadletters_waiting(c->p.dead, t->recipient);
        if ((t->n > 0 || replays) && t->retry_us < next)
            next = t->retry_us;
        if (t->n == 0 && t->behind)
            next = 0;
        if (t->n == 0 && t->repeat_us < next)
            next = t->repeat_us;
        if (t->n == 0 && t->groups != NULL) {
            int64_t due_ms = actuator_groups_next_ms(t->groups);
            int64_t due_us = due_ms < INT64_MAX / 1000 ? due_ms * 1000 : INT64_MAX;
            due_us = due_us > t->retry_us ? due_us : t->retry_us;
            next = due_us < next ? due_us : next;
        }
    }
    return next;
}
