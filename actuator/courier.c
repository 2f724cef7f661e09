/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/courier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/dispatch.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/map.h"
#include "model/limits.h"

#define BACKOFF_FIRST_US 500000
#define BACKOFF_MAX_US   60000000
#define S_US             1000000

struct repeat {
    enum hale_state state, old_state;
    int64_t next_us;
};
struct target {
    struct actuator_courier *owner;
    struct hale_method *method;
    int64_t queue[ACTUATOR_COURIER_QUEUE]; /* ring of sequence numbers */
    unsigned head, n;
    int64_t done;    /* all up to here is done, or did not concern it */
    int64_t read_to; /* behind: all up to here is in the queue or done */
    bool behind;
    bool failing;             /* the last try failed: one log line per change */
    uint64_t call;            /* under way, or 0 */
    char telling[64];         /* the alarm of the call */
    bool repeating;           /* the call is a repeat */
    enum hale_state told[2];  /* state and old state of the call */
    int64_t tries, retry_us;  /* next try, 0 = at once */
    struct hale_map *repeats; /* alarm id -> struct repeat; NULL until needed */
    int64_t repeat_us;        /* the earliest of them, or before it */
};
struct actuator_courier {
    struct actuator_courier_io io;
    const struct actuator_conf *conf;
    const struct actuator_contacts *contacts;
    struct hale_http_client *http;
    struct hale_map *targets; /* method id -> struct target */
    int64_t seen;
    int64_t log_end; /* at the start: marks beyond it are of another log */
    size_t n_repeats;
};

static void count(enum actuator_stat which, int64_t n)
{
    hale_counter_add(actuator_stat(which), n);
}

/* --- life ---------------------------------------------------------------------------- */

static void forget_repeats(struct target *t)
{
    if (t->repeats == NULL)
        return;
    t->owner->n_repeats -= hale_map_count(t->repeats);
    count(ACTUATOR_STAT_METHOD_REPEATS, -(int64_t)hale_map_count(t->repeats));
    hale_map_free(t->repeats);
    t->repeats = NULL;
    t->repeat_us = INT64_MAX;
}

static void target_free(void *arg)
{
    struct target *t = arg;
    hale_http_client_cancel(t->owner->http, t->call);
    count(ACTUATOR_STAT_METHOD_QUEUED, -(int64_t)t->n);
    count(ACTUATOR_STAT_METHODS, -1);
    forget_repeats(t);
    hale_method_free(t->method);
    free(t);
}

struct actuator_courier *actuator_courier_new(const struct actuator_courier_io *io,
                                              const struct actuator_conf *conf,
                                              const struct actuator_contacts *contacts,
                                              struct hale_http_client *http, int64_t seen,
                                              int64_t log_end)
{
    struct actuator_courier *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    *c = (struct actuator_courier){.io = *io,
                                   .conf = conf,
                                   .contacts = contacts,
                                   .http = http,
                                   .seen = seen,
                                   .log_end = log_end};
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
    c->conf = conf;
}

/* "p<seq>" or "d<seq>"; anything else: as new. */
static void read_mark(struct target *t, struct hale_str mark)
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
    struct target *t = hale_map_get(c->targets, hale_str_from(m->id));
    if (t != NULL) {
        hale_method_free(t->method);
        t->method = m;
        t->retry_us = 0; /* a new address is tried at once */
        if (m->period_s == 0)
            forget_repeats(t);
        return HALE_OK;
    }
    t = calloc(1, sizeof(*t));
    if (t == NULL) {
        hale_method_free(m);
        return HALE_E_NOMEM;
    }
    t->owner = c;
    t->method = m;
    t->repeat_us = INT64_MAX;
    read_mark(t, mark);
    count(ACTUATOR_STAT_METHODS, 1);
    enum hale_rc rc = hale_map_put(c->targets, hale_str_from(m->id), t);
    if (rc != HALE_OK)
        target_free(t);
    return rc;
}

void actuator_courier_drop(struct actuator_courier *c, struct hale_str method_id)
{
    struct target *t = hale_map_get(c->targets, method_id);
    if (t == NULL)
        return;
    c->io.mark(c->io.arg, t->method->id, NULL);
    hale_map_del(c->targets, method_id);
}

/* --- queue --------------------------------------------------------------------------- */

static void mark(struct target *t)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%c%lld", t->n > 0 || t->behind ? 'p' : 'd',
                   (long long)t->done);
    t->owner->io.mark(t->owner->io.arg, t->method->id, text);
}

static void push(struct target *t, int64_t seq)
{
    bool first = t->n == 0 && !t->behind;
    if (first)
        t->done = seq - 1;
    t->queue[(t->head + t->n++) % ACTUATOR_COURIER_QUEUE] = seq;
    count(ACTUATOR_STAT_METHOD_QUEUED, 1);
    if (first)
        mark(t);
}

/* The first of the queue is dealt with, one way or the other. */
static void pop(struct target *t)
{
    t->done = t->queue[t->head];
    t->head = (t->head + 1) % ACTUATOR_COURIER_QUEUE;
    t->n--;
    t->tries = 0;
    t->retry_us = 0;
    count(ACTUATOR_STAT_METHOD_QUEUED, -1);
    mark(t);
}

/* --- repeats ------------------------------------------------------------------------- */

static void repeat_from(struct target *t, const char *alarm_id, enum hale_state state,
                        enum hale_state old_state, int64_t next_us)
{
    struct actuator_courier *c = t->owner;
    struct hale_str id = hale_str_from(alarm_id);
    if (t->method->period_s == 0)
        return;
    if (t->repeats == NULL)
        t->repeats = hale_map_new(ACTUATOR_COURIER_REPEATS, free);
    struct repeat *r = t->repeats != NULL ? hale_map_get(t->repeats, id) : NULL;
    if (r == NULL) {
        r = t->repeats != NULL && c->n_repeats < ACTUATOR_COURIER_REPEATS
                ? calloc(1, sizeof(*r))
                : NULL;
        if (r == NULL || hale_map_put(t->repeats, id, r) != HALE_OK) {
            free(r);
            count(ACTUATOR_STAT_METHOD_REPEATS_LOST, 1);
            return;
        }
        c->n_repeats++;
        count(ACTUATOR_STAT_METHOD_REPEATS, 1);
    }
    *r = (struct repeat){state, old_state, next_us};
    t->repeat_us = next_us < t->repeat_us ? next_us : t->repeat_us;
}

static void forget_repeat(struct target *t, struct hale_str alarm_id)
{
    hale_map_del(t->repeats, alarm_id);
    t->owner->n_repeats--;
    count(ACTUATOR_STAT_METHOD_REPEATS, -1);
}

bool actuator_courier_repeats(const struct actuator_courier *c)
{
    size_t it = 0;
    const struct target *t;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL)
        if (t->method->period_s > 0)
            return true;
    return false;
}

void actuator_courier_resume(struct actuator_courier *c, const struct hale_alarm *a,
                             int64_t now_us)
{
    const struct hale_strings *ids =
        actuator_contacts_get(c->contacts, a->definition_id, a->state);
    for (unsigned i = 0; a->actions_enabled && ids != NULL && i < ids->n; i++) {
        struct target *t = hale_map_get(c->targets, hale_str_from(ids->v[i]));
        struct hale_log_record rec;
        if (t == NULL || t->method->period_s == 0)
            continue;
        enum hale_state old = a->state;
        if (c->io.record(c->io.arg, a->seq, &rec) == HALE_OK) {
            old = rec.old_state;
            hale_log_record_fini(&rec);
        }
        repeat_from(t, a->id, a->state, old, now_us + t->method->period_s * S_US);
    }
}

/* --- sending ------------------------------------------------------------------------- */

static void send_next(struct target *t, const struct hale_log_record *rec,
                      int64_t now_us);

static void retry_later(struct target *t, int64_t now_us)
{
    int64_t us = BACKOFF_FIRST_US;
    uint32_t dice;
    for (int64_t i = 0; i < t->tries && us < BACKOFF_MAX_US; i++)
        us *= 2;
    us = us > BACKOFF_MAX_US ? BACKOFF_MAX_US : us;
    hale_id_random(&dice, sizeof(dice));
    t->tries++;
    t->retry_us = now_us + us / 2 + (int64_t)(dice % (uint32_t)(us / 2 + 1));
    count(ACTUATOR_STAT_METHOD_ERRORS, 1);
}

static void complain(struct target *t, unsigned status, const char *detail)
{
    char name[96], why[160];
    if (!t->failing)
        hale_warn("event=method_failing id=%s name=%s type=%s status=%u detail=%s",
                  t->method->id, hale_log_quote(t->method->name, name, sizeof(name)),
                  hale_method_type_text(t->method->type), status,
                  hale_log_quote(detail, why, sizeof(why)));
    t->failing = true;
}

static void taken(struct target *t, int64_t now_us)
{
    if (t->failing)
        hale_info("event=method_back id=%s", t->method->id);
    t->failing = false;
    count(t->repeating ? ACTUATOR_STAT_METHOD_REPEATED : ACTUATOR_STAT_METHOD_SENT, 1);
    repeat_from(t, t->telling, t->told[0], t->told[1],
                now_us + t->method->period_s * S_US);
    if (!t->repeating)
        pop(t);
}

static void on_done(const struct hale_http_result *r, void *arg)
{
    struct target *t = arg;
    int64_t now_us = hale_clock_wall_us();
    t->call = 0;
    if (actuator_dispatch_taken(t->method, r)) {
        taken(t, now_us);
    } else {
        complain(t, r->status, r->error);
        if (r->rc == HALE_E_DENIED) {
            count(ACTUATOR_STAT_METHOD_DENIED, 1);
            if (t->repeating)
                forget_repeats(t);
            else
                pop(t);
        } else if (t->repeating) { /* the next one will be the next try */
            count(ACTUATOR_STAT_METHOD_ERRORS, 1);
        } else {
            retry_later(t, now_us);
        }
    }
    send_next(t, NULL, now_us);
}

/* True when the call was started, or waits for its time; false when it never will. */
static bool tell(struct target *t, const struct hale_alarm *a, enum hale_state old_state,
                 int64_t time_ms, int64_t seq)
{
    char key[128], id[HALE_UUID_TEXT];
    const char *why = "";
    int len = snprintf(key, sizeof(key), "%s\n%lld", t->method->id, (long long)seq);
    hale_id_uuid_from(key, (size_t)len, id);
    struct actuator_message m = {a, old_state, time_ms, id, NULL, 0};
    (void)snprintf(t->telling, sizeof(t->telling), "%s", a->id);
    t->told[0] = a->state;
    t->told[1] = old_state;
    const struct actuator_send send = {t->owner->http, &t->owner->conf->methods,
                                       t->method, on_done, t};
    enum hale_rc rc = actuator_dispatch(&send, &m, &t->call, &why);
    if (rc == HALE_OK)
        return true;
    t->call = 0;
    if (rc == HALE_E_DENIED || rc == HALE_E_INVAL) {
        complain(t, 0, why);
        count(ACTUATOR_STAT_METHOD_DENIED, 1);
        return false;
    }
    retry_later(t, hale_clock_wall_us());
    return true;
}

static bool too_old(const struct target *t, const struct hale_log_record *rec,
                    int64_t now_us)
{
    if (now_us / 1000 - rec->time_ms <= t->owner->conf->notify_max_age_ms)
        return false;
    count(ACTUATOR_STAT_METHOD_EXPIRED, 1);
    hale_warn("event=method_expired id=%s seq=%lld", t->method->id, (long long)rec->seq);
    return true;
}

/* rec: the record of the first in the queue if it is at hand. */
static void send_first(struct target *t, const struct hale_log_record *rec,
                       int64_t now_us)
{
    struct hale_log_record own;
    int64_t seq = t->queue[t->head];
    bool fetched = rec == NULL || rec->seq != seq;
    if (fetched) {
        enum hale_rc rc = t->owner->io.record(t->owner->io.arg, seq, &own);
        if (rc == HALE_E_NOTFOUND) { /* trimmed away: nothing is left to tell */
            count(ACTUATOR_STAT_METHOD_EXPIRED, 1);
            pop(t);
            return;
        }
        if (rc != HALE_OK) {
            retry_later(t, now_us);
            return;
        }
        own.seq = seq;
        rec = &own;
    }
    t->repeating = false;
    if (too_old(t, rec, now_us) ||
        !tell(t, &rec->alarm, rec->old_state, rec->time_ms, seq))
        pop(t);
    if (fetched)
        hale_log_record_fini(&own);
}

static bool suppressed(const struct hale_alarm *a)
{
    return json_array_size(json_object_get(a->life, "suppressed_by")) > 0;
}

/* One due repeat, if there is one. */
static void send_repeat(struct target *t, int64_t now_us)
{
    struct actuator_courier *c = t->owner;
    struct hale_str id;
    struct repeat *r;
    size_t it = 0;
    int64_t earliest = INT64_MAX;
    while (t->call == 0 && (r = hale_map_next(t->repeats, &it, &id)) != NULL) {
        struct hale_alarm a;
        char alarm_id[64];
        if (r->next_us > now_us) {
            earliest = r->next_us < earliest ? r->next_us : earliest;
            continue;
        }
        (void)snprintf(alarm_id, sizeof(alarm_id), "%.*s", (int)id.len, id.p);
        enum hale_rc rc = c->io.alarm(c->io.arg, alarm_id, &a);
        if (rc != HALE_OK && rc != HALE_E_NOTFOUND)
            return;
        bool lasts =
            rc == HALE_OK && a.state == r->state && a.actions_enabled &&
            actuator_contacts_names(c->contacts, a.definition_id, a.state, t->method->id);
        r->next_us = now_us + t->method->period_s * S_US;
        t->repeating = true;
        if (lasts && suppressed(&a)) {
            hale_alarm_fini(&a);
            continue; /* until that ends, or the alarm */
        }
        if (!lasts || !tell(t, &a, r->old_state, a.state_updated_ms, now_us)) {
            forget_repeat(t, hale_str_from(alarm_id));
            it = 0; /* the map has moved */
        }
        if (rc == HALE_OK)
            hale_alarm_fini(&a);
    }
    t->repeat_us = t->call != 0 ? now_us : earliest;
}

static void send_next(struct target *t, const struct hale_log_record *rec, int64_t now_us)
{
    while (t->n > 0 && t->call == 0 && t->retry_us <= now_us)
        send_first(t, rec, now_us);
    if (t->n == 0 && t->call == 0 && !t->behind && t->repeat_us <= now_us)
        send_repeat(t, now_us);
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
        concerns(rec) ? actuator_contacts_get(c->contacts, rec->alarm.definition_id,
                                              rec->alarm.state)
                      : NULL;
    c->seen = rec->seq > c->seen ? rec->seq : c->seen;
    for (unsigned i = 0; ids != NULL && i < ids->n; i++) {
        struct target *t = hale_map_get(c->targets, hale_str_from(ids->v[i]));
        if (t == NULL || t->behind || rec->seq <= t->done ||
            strcmp(t->method->tenant, rec->alarm.tenant) != 0)
            continue;
        if (t->n == ACTUATOR_COURIER_QUEUE) {
            t->read_to = t->queue[(t->head + t->n - 1) % ACTUATOR_COURIER_QUEUE];
            t->behind = true;
            continue;
        }
        push(t, rec->seq);
        send_next(t, rec, now_us);
    }
}

const char *actuator_courier_wanting(const struct actuator_courier *c, int64_t *after_out)
{
    size_t it = 0;
    const struct target *t;
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
    struct target *t = hale_map_get(c->targets, hale_str_from(method_id));
    if (t == NULL || rec->seq <= t->read_to || t->n == ACTUATOR_COURIER_QUEUE)
        return;
    t->read_to = rec->seq;
    if (concerns(rec) && strcmp(t->method->tenant, rec->alarm.tenant) == 0 &&
        actuator_contacts_names(c->contacts, rec->alarm.definition_id, rec->alarm.state,
                                method_id)) {
        push(t, rec->seq);
        send_next(t, rec, now_us);
    }
}

void actuator_courier_offered(struct actuator_courier *c, const char *method_id,
                              int64_t seq, bool read_all)
{
    struct target *t = hale_map_get(c->targets, hale_str_from(method_id));
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
    struct target *t;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL)
        send_next(t, NULL, now_us);
}

int64_t actuator_courier_next_us(const struct actuator_courier *c)
{
    int64_t next = INT64_MAX;
    size_t it = 0;
    const struct target *t;
    while ((t = hale_map_next(c->targets, &it, NULL)) != NULL) {
        if (t->call != 0)
            continue;
        if (t->n > 0 && t->retry_us < next)
            next = t->retry_us;
        if (t->n == 0 && t->behind)
            next = 0;
        if (t->n == 0 && t->repeat_us < next)
            next = t->repeat_us;
    }
    return next;
}
