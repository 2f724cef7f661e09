/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/alarm_table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/map.h"
#include "base/u64map.h"
#include "collector/stats.h"

#define ALARMS_MAX 5000000

struct collector_table {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct hale_map *alarms; /* id -> struct collector_alarm */
    struct collector_transition *ring;
    size_t ring_max, first, n; /* oldest at first, by ascending seq */
    bool closed;
};

struct collector_alarm *collector_alarm_get(struct collector_alarm *a)
{
    atomic_fetch_add(&a->refs, 1);
    return a;
}

void collector_alarm_put(struct collector_alarm *a)
{
    if (a == NULL || atomic_fetch_sub(&a->refs, 1) != 1)
        return;
    hale_alarm_fini(&a->a);
    free(a->metrics);
    free(a);
}

static void alarm_drop(void *p)
{
    collector_alarm_put(p);
}

void collector_alarm_list_fini(struct collector_alarm_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        collector_alarm_put(l->v[i]);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

struct collector_table *collector_table_new(size_t history_max)
{
    struct collector_table *t = hale_xcalloc(1, sizeof(*t));
    pthread_condattr_t attr;

    HALE_ASSERT(history_max > 0);
    t->ring_max = history_max;
    t->ring = hale_xcalloc(history_max, sizeof(t->ring[0]));
    t->alarms = hale_map_new(ALARMS_MAX, alarm_drop);
    HALE_ASSERT(t->alarms != NULL && pthread_mutex_init(&t->lock, NULL) == 0);
    HALE_ASSERT(pthread_condattr_init(&attr) == 0 &&
                pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&t->changed, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
    return t;
}

void collector_table_free(struct collector_table *t)
{
    if (t == NULL)
        return;
    hale_map_free(t->alarms);
    free(t->ring);
    (void)pthread_cond_destroy(&t->changed);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

void collector_table_clear(struct collector_table *t)
{
    (void)pthread_mutex_lock(&t->lock);
    hale_map_clear(t->alarms);
    t->first = t->n = 0;
    (void)pthread_mutex_unlock(&t->lock);
}

size_t collector_table_count(struct collector_table *t)
{
    (void)pthread_mutex_lock(&t->lock);
    size_t n = hale_map_count(t->alarms);
    (void)pthread_mutex_unlock(&t->lock);
    return n;
}

/* Takes *a; NULL on memory failure (a stays the caller's). */
static struct collector_alarm *wrap(struct hale_alarm *a)
{
    struct collector_alarm *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->metrics = json_dumps(a->metrics, JSON_COMPACT);
    if (w->metrics == NULL) {
        free(w);
        return NULL;
    }
    atomic_init(&w->refs, 1);
    w->a = *a;
    memset(a, 0, sizeof(*a));
    return w;
}

enum hale_rc collector_table_load(struct collector_table *t, struct hale_alarm *a)
{
    struct collector_alarm *w = wrap(a);

    if (w == NULL)
        return HALE_E_NOMEM;
    (void)pthread_mutex_lock(&t->lock);
    enum hale_rc rc = hale_map_put(t->alarms, hale_str_from(w->a.id), w);
    (void)pthread_mutex_unlock(&t->lock);
    if (rc != HALE_OK)
        collector_alarm_put(w);
    return rc;
}

static uint64_t id_hash(const char *id)
{
    return hale_id_hash64(id, strlen(id));
}

static void add_transition(struct collector_table *t, struct collector_transition row)
{
    HALE_ASSERT(t->ring_max > 0);
    if (t->n > 0 && t->ring[(t->first + t->n - 1) % t->ring_max].seq >= row.seq)
        return;
    if (t->n == t->ring_max) {
        t->first = (t->first + 1) % t->ring_max;
        t->n--;
    }
    t->ring[(t->first + t->n++) % t->ring_max] = row;
}

bool collector_table_load_transition(struct collector_table *t,
                                     const struct hale_log_record *r)
{
    (void)pthread_mutex_lock(&t->lock);
    HALE_ASSERT(t->ring_max > 0);
    bool room = t->n < t->ring_max;
    if (room && (t->n == 0 || r->seq < t->ring[t->first].seq)) {
        t->first = (t->first + t->ring_max - 1) % t->ring_max;
        t->ring[t->first] =
            (struct collector_transition){r->seq, r->time_ms, id_hash(r->alarm.id)};
        t->n++;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return room;
}

void collector_table_apply(struct collector_table *t, struct hale_log_record *r)
{
    struct hale_str id = hale_str_from(r->alarm.id);

    (void)pthread_mutex_lock(&t->lock);
    const struct collector_alarm *old = hale_map_get(t->alarms, id);
    if (r->kind == HALE_ALARM_TRANSITION)
        add_transition(
            t, (struct collector_transition){r->seq, r->time_ms, id_hash(r->alarm.id)});
    if (old == NULL || old->a.seq < r->seq) {
        if (r->kind == HALE_ALARM_DELETED) {
            hale_map_del(t->alarms, id);
        } else {
            struct collector_alarm *w = wrap(&r->alarm);
            if (w != NULL && w->a.seq < r->seq)
                w->a.seq = r->seq;
            if (w == NULL ||
                hale_map_put(t->alarms, hale_str_from(w->a.id), w) != HALE_OK) {
                collector_count(LOG_BAD, 1);
                collector_alarm_put(w);
            }
        }
    }
    collector_gauge(ALARMS, hale_map_count(t->alarms));
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}

struct collector_alarm *collector_table_get(struct collector_table *t, const char *tenant,
                                            const char *id)
{
    (void)pthread_mutex_lock(&t->lock);
    struct collector_alarm *a = hale_map_get(t->alarms, hale_str_from(id));
    if (a != NULL && strcmp(a->a.tenant, tenant) != 0)
        a = NULL;
    if (a != NULL)
        (void)collector_alarm_get(a);
    (void)pthread_mutex_unlock(&t->lock);
    return a;
}

static void list_add(struct collector_alarm_list *l, struct collector_alarm *a)
{
    if (l->n == l->cap) {
        size_t cap = l->cap > 0 ? 2 * l->cap : 64;
        struct collector_alarm **v = realloc(l->v, cap * sizeof(v[0]));
        if (v == NULL) {
            l->failed = true;
            return;
        }
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = collector_alarm_get(a);
}

void collector_table_list(struct collector_table *t, const char *tenant,
                          struct collector_alarm_list *out)
{
    size_t it = 0;

    memset(out, 0, sizeof(*out));
    (void)pthread_mutex_lock(&t->lock);
    for (struct collector_alarm *a;
         !out->failed && (a = hale_map_next(t->alarms, &it, NULL)) != NULL;) {
        if (strcmp(a->a.tenant, tenant) == 0)
            list_add(out, a);
    }
    (void)pthread_mutex_unlock(&t->lock);
}

void collector_table_counts(struct collector_table *t, const char *tenant,
                            struct collector_alarm_counts *out)
{
    size_t it = 0;

    memset(out, 0, sizeof(*out));
    (void)pthread_mutex_lock(&t->lock);
    for (const struct collector_alarm *a;
         (a = hale_map_next(t->alarms, &it, NULL)) != NULL;) {
        if (strcmp(a->a.tenant, tenant) != 0)
            continue;
        switch (a->a.state) {
        case HALE_STATE_OK: out->ok++; break;
        case HALE_STATE_ALARM: out->alarm++; break;
        case HALE_STATE_UNDETERMINED: out->undetermined++; break;
        }
    }
    (void)pthread_mutex_unlock(&t->lock);
}

size_t collector_table_transitions(struct collector_table *t,
                                   const struct collector_alarm_list *l,
                                   const struct collector_period *p,
                                   struct collector_transition *out, size_t max)
{
    static int present;
    struct hale_u64map *wanted = hale_u64map_new(l->n + 1);
    size_t n = 0;
    bool good = wanted != NULL;

    for (size_t i = 0; good && i < l->n; i++)
        good = hale_u64map_put(wanted, id_hash(l->v[i]->a.id), &present) == HALE_OK;
    (void)pthread_mutex_lock(&t->lock);
    for (size_t i = 0; good && i < t->n && n < max; i++) {
        const struct collector_transition *row = &t->ring[(t->first + i) % t->ring_max];
        if (row->time_ms >= p->start_ms && row->time_ms <= p->end_ms &&
            row->time_ms > p->after_ms && hale_u64map_get(wanted, row->alarm) != NULL)
            out[n++] = *row;
    }
    (void)pthread_mutex_unlock(&t->lock);
    hale_u64map_free(wanted);
    return n;
}

bool collector_table_wait(struct collector_table *t, const char *id,
                          bool (*done)(const struct collector_alarm *a, void *arg),
                          void *arg, int64_t timeout_ms)
{
    int64_t until = hale_clock_mono_ms() + timeout_ms;
    struct timespec at = {until / 1000, (long)(until % 1000) * 1000000};
    bool is_done;

    (void)pthread_mutex_lock(&t->lock);
    while (!(is_done = done(hale_map_get(t->alarms, hale_str_from(id)), arg)) &&
           !t->closed) {
        if (pthread_cond_timedwait(&t->changed, &t->lock, &at) != 0) {
            is_done = done(hale_map_get(t->alarms, hale_str_from(id)), arg);
            break;
        }
    }
    (void)pthread_mutex_unlock(&t->lock);
    return is_done;
}

void collector_table_close(struct collector_table *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->closed = true;
    (void)pthread_cond_broadcast(&t->changed);
    (void)pthread_mutex_unlock(&t->lock);
}
