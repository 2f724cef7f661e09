/* SPDX-License-Identifier: Apache-2.0 */
/* alarm - alarms as objects: made, changed, taken out; and writing what changed (flush). */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

/* --- alarms -------------------------------------------------------------------------- */

/* About how long its record is. */
static size_t size_of(const struct cor_alarm *a)
{
    size_t metrics = 0;
    if (a->node == NULL)
        return 2048 + 2 * strlen(a->reason);
    for (unsigned i = 0; i < a->node->def->d->expr->n_subs; i++) {
        const struct cor_sub *s = a->node->bind[i];
        if (s != NULL)
            metrics += 512 + (s->node == a->node ? s->metric_bytes : 2048);
    }
    return 1024 + (metrics < COR_METRICS_BYTES ? metrics : COR_METRICS_BYTES);
}

void cor_alarm_dirty(struct correlator_engine *e, struct cor_alarm *a)
{
    if (a->dirty)
        return;
    a->dirty = true;
    a->behind = false;
    e->dirty_bytes += size_of(a);
    a->next_dirty = e->dirty_alarms;
    e->dirty_alarms = a;
}

void cor_sub_dirty(struct correlator_engine *e, struct cor_sub *s)
{
    if (s->dirty)
        return;
    s->dirty = true;
    e->dirty_bytes += 512 + 10 * (size_t)s->n_values;
    s->next_dirty = e->dirty_subs;
    e->dirty_subs = s;
}

void cor_alarm_free(struct cor_alarm *a)
{
    cor_fault_free(a->fault);
    cor_life_fini(&a->life);
    cor_about_fini(&a->about);
    free(a->reason);
    free(a->lifecycle_state);
    free(a->link);
    free(a->sub_alarms);
    free(a);
}

struct cor_alarm *cor_alarm_new(struct correlator_engine *e, const char *id,
                                enum hale_state state)
{
    if (!e->loading && !e->own_event &&
        hale_map_count(e->alarms) - e->own_alarms >= e->limits.max_alarms &&
        !cor_fault_evict(e)) {
        e->stats.refused_alarms++;
        return NULL;
    }
    struct cor_alarm *a = cor_got(e, calloc(1, sizeof(*a)));
    if (a == NULL)
        return NULL;
    HALE_ASSERT(strlen(id) < sizeof(a->id));
    memcpy(a->id, id, strlen(id) + 1);
    a->state = state;
    a->reason = cor_strdup(e, "");
    if (a->reason == NULL || hale_map_put(e->alarms, hale_str_from(id), a) != HALE_OK) {
        cor_alarm_free(a);
        return cor_got(e, NULL);
    }
    e->stats.by_state[state]++;
    cor_life_init(a);
    return a;
}

void cor_alarm_set_state(struct correlator_engine *e, struct cor_alarm *a,
                         enum hale_state state)
{
    e->stats.by_state[a->state]--;
    e->stats.by_state[state]++;
    a->state = state;
}

void cor_alarm_unlink(struct correlator_engine *e, struct cor_alarm *a)
{
    cor_cause_forget(e, a);
    e->stats.by_state[a->state]--;
    void *taken = hale_map_take(e->alarms, hale_str_from(a->id));
    HALE_ASSERT(taken == a);
    if (a->node != NULL) {
        a->node->alarm = NULL;
        a->node = NULL;
    } else {
        cor_fault_uncleared(e, a);
        e->own_alarms -= cor_fault_is_own(a->fault);
        cor_expiry_set(e, a, 0);
        hale_buf_reset(&e->scratch);
        cor_fault_key(a->fault->tenant, a->fault->type, a->fault->dims, &e->scratch);
        if (e->scratch.failed)
            e->nomem = true;
        else
            hale_map_del(e->faults, hale_buf_str(&e->scratch));
    }
    cor_life_disarm(e, &a->life);
    a->gone = true;
    cor_alarm_dirty(e, a);
}

void cor_alarm_delete(struct correlator_engine *e, struct cor_alarm *a)
{
    a->updated_ms = cor_now_ms(e);
    cor_emit(e, a, HALE_ALARM_DELETED, a->state);
    e->sink.del(e->sink.arg, CORRELATOR_ALARMS, hale_str_from(a->id));
    if (a->fault != NULL) {
        hale_buf_reset(&e->scratch);
        cor_fault_row(a, &e->scratch);
        if (e->scratch.failed)
            e->nomem = true;
        else
            e->sink.del(e->sink.arg, CORRELATOR_SUBS, hale_buf_str(&e->scratch));
    }
    cor_alarm_unlink(e, a);
}

/* --- flush --------------------------------------------------------------------------- */

void cor_free_gone(struct correlator_engine *e)
{
    struct cor_sub *s = e->dirty_subs, *next_s;
    for (; s != NULL; s = next_s) {
        next_s = s->next_dirty;
        s->dirty = false;
        if (s->gone)
            cor_sub_free_gone(s);
    }
    struct cor_alarm *a = e->dirty_alarms, *next_a;
    for (; a != NULL; a = next_a) {
        next_a = a->next_dirty;
        a->dirty = false;
        if (a->gone)
            cor_alarm_free(a);
    }
    e->dirty_bytes = 0;
    e->dirty_subs = NULL;
    e->dirty_alarms = NULL;
}

size_t correlator_engine_dirty_bytes(const struct correlator_engine *e)
{
    return e->dirty_bytes;
}

static void put(struct correlator_engine *e, enum correlator_table table,
                const struct hale_buf *field, const struct hale_buf *value)
{
    if (field->failed || value->failed)
        e->nomem = true;
    else
        e->sink.put(e->sink.arg, table, hale_buf_str(field), hale_buf_str(value));
}

static void flush_sub(struct correlator_engine *e, struct cor_sub *s,
                      struct hale_buf *field, struct hale_buf *value)
{
    for (; s->n_written < s->n_metrics; s->n_written++) {
        hale_buf_reset(field);
        hale_buf_reset(value);
        cor_metric_row(s, s->n_written, field);
        hale_buf_add_c(value, s->metrics[s->n_written].json);
        put(e, CORRELATOR_SUBS, field, value);
    }
    hale_buf_reset(field);
    hale_buf_reset(value);
    cor_sub_row(s, field);
    cor_sub_value(s, value);
    put(e, CORRELATOR_SUBS, field, value);
}

static void flush_alarm(struct correlator_engine *e, struct cor_alarm *a,
                        struct hale_buf *field, struct hale_buf *value)
{
    hale_buf_reset(field);
    hale_buf_reset(value);
    hale_buf_add_c(field, a->id);
    if (cor_alarm_encode(e, a, value) != HALE_OK)
        e->nomem = true;
    put(e, CORRELATOR_ALARMS, field, value);
    if (a->fault == NULL)
        return;
    hale_buf_reset(field);
    hale_buf_reset(value);
    cor_fault_row(a, field);
    cor_fault_value(a, value);
    put(e, CORRELATOR_SUBS, field, value);
}

enum hale_rc correlator_engine_flush(struct correlator_engine *e)
{
    struct hale_buf field, value;
    hale_buf_init(&field, COR_RECORD_MAX);
    hale_buf_init(&value, COR_RECORD_MAX);
    for (struct cor_sub *s = e->dirty_subs; s != NULL; s = s->next_dirty) {
        if (!s->gone)
            flush_sub(e, s, &field, &value);
    }
    for (struct cor_alarm *a = e->dirty_alarms; a != NULL; a = a->next_dirty) {
        if (!a->gone)
            flush_alarm(e, a, &field, &value);
    }
    hale_buf_fini(&field);
    hale_buf_fini(&value);
    cor_storm_flush(e);
    cor_free_gone(e);
    return e->nomem ? HALE_E_NOMEM : HALE_OK;
}
