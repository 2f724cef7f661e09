/* SPDX-License-Identifier: Apache-2.0 */
/* engine - creation, evaluation, sub-alarm records. */
#include "correlator/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

/* --- small helpers ------------------------------------------------------------------- */

void *cor_got(struct correlator_engine *e, void *p)
{
    if (p == NULL)
        e->nomem = true;
    return p;
}

char *cor_strdup(struct correlator_engine *e, const char *s)
{
    return cor_got(e, strdup(s));
}

int64_t cor_now_ms(const struct correlator_engine *e)
{
    return e->in->now_us / 1000;
}

int64_t cor_stream_ms(const struct correlator_engine *e)
{
    return e->in != NULL ? e->in->entry_ms : 0;
}

void cor_checkpoint(struct correlator_engine *e)
{
    if (e->sink.checkpoint != NULL)
        e->sink.checkpoint(e->sink.arg);
}

void cor_settle_rows(struct correlator_engine *e)
{
    if (e->dirty_alarms != NULL && correlator_engine_flush(e) != HALE_OK)
        e->nomem = true;
}

enum hale_rc cor_result(struct correlator_engine *e, enum hale_rc rc)
{
    cor_cause_settle(e);
    return e->nomem ? HALE_E_NOMEM : rc;
}

void cor_begin(struct correlator_engine *e, const struct correlator_input *in,
               int64_t accepted_us, int64_t decided_us)
{
    HALE_CHECK(e, COR_MAGIC);
    HALE_ASSERT(in != NULL);
    e->in = in;
    e->accepted_us = accepted_us;
    e->decided_us = decided_us;
    cor_cause_settle(e);
}

/* --- creation ------------------------------------------------------------------------ */

struct correlator_engine *correlator_engine_new(const struct correlator_limits *limits,
                                                const struct correlator_sink *sink)
{
    HALE_ASSERT(limits->max_alarms > 0 && limits->max_subs > 0 &&
                limits->max_metrics > 0);
    struct correlator_engine *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->magic = COR_MAGIC;
    e->limits = *limits;
    e->sink = *sink;
    e->loading = true;
    hale_buf_init(&e->scratch, COR_RECORD_MAX);
    /* The alarms' ceiling can be changed while running, so the tables are made for the most. */
    e->defs = hale_map_new(1u << 20, NULL);
    e->alarms = hale_map_new(1u << 24, NULL);
    e->faults = hale_map_new(1u << 24, NULL);
    e->loading_faults = hale_map_new(1u << 24, NULL);
    e->loading_alarms = hale_map_new(1u << 24, NULL);
    e->unreadable = hale_map_new(1u << 20, NULL);
    e->storms = hale_map_new(1u << 17, NULL);
    if (!cor_windows_init(&e->windows) || e->storms == NULL || e->unreadable == NULL ||
        e->defs == NULL || e->alarms == NULL || e->faults == NULL ||
        e->loading_faults == NULL || e->loading_alarms == NULL ||
        !cor_topology_attach(e) || !cor_cause_attach(e) ||
        !cor_rules_attach(e, limits->rules)) {
        correlator_engine_free(e);
        return NULL;
    }
    return e;
}

void correlator_engine_free(struct correlator_engine *e)
{
    if (e == NULL)
        return;
    HALE_CHECK(e, COR_MAGIC);
    cor_free_gone(e);
    cor_rules_free(e);
    cor_cause_free(e);
    size_t it = 0, def_it = 0;
    void *v;
    while (e->alarms != NULL && (v = hale_map_next(e->alarms, &it, NULL)) != NULL)
        cor_alarm_free(v);
    while (e->defs != NULL && (v = hale_map_next(e->defs, &def_it, NULL)) != NULL)
        cor_def_free(v);
    cor_loading_free(e);
    hale_map_free(e->defs);
    hale_map_free(e->unreadable);
    hale_map_free(e->alarms);
    hale_map_free(e->faults);
    cor_windows_fini(&e->windows);
    cor_storm_free_all(e);
    cor_due_free(&e->due);
    cor_topology_free(e->topology);
    hale_buf_fini(&e->scratch);
    e->magic = 0;
    free(e);
}

const struct correlator_stats *correlator_engine_stats(const struct correlator_engine *e)
{
    HALE_CHECK(e, COR_MAGIC);
    return &e->stats;
}

int64_t correlator_engine_seq(const struct correlator_engine *e)
{
    HALE_CHECK(e, COR_MAGIC);
    return e->seq;
}

/* --- state changes ----------------------------------------------------------------- */

static void set_reason(struct cor_alarm *a, char *owned)
{
    if (owned == NULL)
        return; /* no memory, latched: this engine is thrown away */
    free(a->reason);
    a->reason = owned;
}

void cor_transition(struct correlator_engine *e, struct cor_alarm *a, enum hale_state to,
                    char *reason)
{
    enum hale_state from = a->state;
    cor_alarm_set_state(e, a, to);
    set_reason(a, reason);
    a->updated_ms = cor_now_ms(e);
    a->state_updated_ms = to != from ? a->updated_ms : a->state_updated_ms;
    cor_emit(e, a, to != from ? HALE_ALARM_TRANSITION : HALE_ALARM_UPDATED, from);
}

/* --- evaluation ---------------------------------------------------------------------- */

void cor_evaluate(struct correlator_engine *e, struct cor_node *n)
{
    const struct hale_definition *d = n->def->d;
    enum hale_state states[HALE_EXPR_MAX_SUBS];
    HALE_ASSERT(d->expr->n_subs <= HALE_EXPR_MAX_SUBS);
    for (unsigned i = 0; i < d->expr->n_subs; i++) {
        const struct cor_sub *s = n->bind[i];
        if (s == NULL || (!s->reported && !hale_subexpr_is_last(&d->expr->subs[i])))
            return;
        states[i] = s->state;
    }
    enum hale_state to = hale_expr_eval(d->expr, states, d->semantics);
    struct cor_alarm *a = n->alarm;
    if (cor_delay_waits(e, a, to))
        return;
    enum hale_severity severity = cor_severity(n, to);
    if ((to == a->state && severity == a->severity) || e->nomem)
        return;
    enum hale_state from = a->state;
    a->manual = false;
    a->severity = severity;
    a->state = to; /* the reason speaks of the new state */
    char *reason = cor_reason(e, a);
    a->state = from;
    cor_transition(e, a, to, reason);
}

static void birth(struct correlator_engine *e, struct cor_node *n)
{
    const struct hale_definition *d = n->def->d;
    char id[HALE_UUID_TEXT];
    if (n->alarm != NULL || !cor_node_complete(n))
        return;
    struct hale_buf *seed = &e->scratch;
    hale_buf_reset(seed);
    hale_buf_printf(seed, "%s\n%s\n%s", d->id, n->json, e->in->entry_id);
    if (seed->failed) {
        e->nomem = true;
        return;
    }
    hale_id_uuid_from(seed->p, seed->len, id);
    struct cor_alarm *a = cor_alarm_new(
        e, id, d->expr->deterministic ? HALE_STATE_OK : HALE_STATE_UNDETERMINED);
    if (a == NULL && !e->nomem && !n->refused)
        cor_storm_refused(e, d->tenant, d->name, d->severity);
    n->refused = a == NULL;
    if (a == NULL)
        return;
    a->node = n;
    n->alarm = a;
    a->severity = d->severity;
    a->created_ms = a->updated_ms = a->state_updated_ms = cor_now_ms(e);
    set_reason(a, cor_strdup(e, "Alarm created"));
    cor_emit(e, a, HALE_ALARM_CREATED, a->state);
}

/* After a record about s: alarms that can exist now do, all that use s are evaluated. */
static void settle(struct correlator_engine *e, struct cor_node *n, struct cor_sub *s)
{
    if (e->nomem)
        return;
    birth(e, n);
    if (n->alarm != NULL) {
        cor_evaluate(e, n);
        cor_cause_sub_evaluated(e, n->alarm, s);
        cor_cause_settle(e);
        cor_checkpoint(e);
    }
}

/* A new sub-alarm took the place of a less fitting one: the alarm has other series now. */
static void tell_replaced(struct correlator_engine *e, struct cor_node *n,
                          struct cor_sub *s)
{
    if (n->alarm == NULL || e->nomem)
        return;
    n->alarm->updated_ms = cor_now_ms(e);
    if (s->n_metrics > 0)
        cor_emit(e, n->alarm, HALE_ALARM_UPDATED, n->alarm->state);
    else
        cor_alarm_dirty(e, n->alarm);
    cor_checkpoint(e);
}

/* The same for those alarms that the record did not reach when it was given first, known by their
 * series: where these are the same, nothing is missing but a log record without news. */
static void tell_replaced_rest(struct correlator_engine *e, struct cor_node *n,
                               struct cor_sub *s)
{
    if (n->alarm != NULL && n->alarm->behind)
        tell_replaced(e, n, s);
}

/* --- sub-alarm records --------------------------------------------------------------- */

/* The series s->told joined s. Not each one is worth a log record: a definition without match_by
 * would write its whole list of metrics once per series. One that the alarm shows already through
 * another sub-alarm is none, but may move in its list. */
static void metric_joined(struct correlator_engine *e, struct cor_node *n,
                          struct cor_sub *s)
{
    struct cor_alarm *a = n->alarm;
    unsigned nth = s->told + 1;
    if (a == NULL || e->nomem || (s->node != n && nth > COR_SHARED_METRICS))
        return;
    uint64_t hash = s->metrics[s->told].hash;
    bool shown = false;
    for (unsigned i = 0; i < n->def->d->expr->n_subs && !shown; i++)
        shown =
            n->bind[i] != NULL && n->bind[i] != s && cor_sub_shows(n, n->bind[i], hash);
    if (!shown)
        a->updated_ms = cor_now_ms(e);
    if (!shown && (nth <= COR_LOG_JOINS_TO || (nth & (nth - 1)) == 0))
        cor_emit(e, a, HALE_ALARM_UPDATED, a->state);
    else
        cor_alarm_dirty(e, a);
    cor_checkpoint(e);
}

static void metric_joined_rest(struct correlator_engine *e, struct cor_node *n,
                               struct cor_sub *s)
{
    if (n->alarm != NULL && n->alarm->behind)
        metric_joined(e, n, s);
}

static void add_metrics(struct correlator_engine *e, struct cor_sub *s, json_t *metrics,
                        bool tell)
{
    size_t i;
    json_t *metric;
    if (tell && cor_node_containers(s->node) > 1)
        cor_settle_rows(e);
    json_array_foreach (metrics, i, metric) {
        enum hale_rc rc = cor_sub_add_metric(e, s, metric);
        if (rc == HALE_OK)
            cor_sub_dirty(e, s);
        if (tell && rc == HALE_OK)
            cor_sub_each_node(e, s, metric_joined);
        else if (tell && rc == HALE_E_EXISTS)
            cor_sub_each_node(e, s, metric_joined_rest);
    }
}

static void take_state(struct correlator_engine *e, struct cor_sub *s,
                       const struct hale_sub_record *r)
{
    if (!cor_sub_values(e, s, r->values, r->operands))
        return;
    s->state = r->state;
    s->at_ms = r->at_ms;
    s->window_start_ms = r->window_start_ms;
    s->window_end_ms = r->window_end_ms;
    s->severity = r->severity;
    s->since_ms = r->since_ms, s->missing = r->missing, s->learning = r->learning;
    cor_sub_dirty(e, s);
}

static struct cor_sub *sub_created(struct correlator_engine *e, struct cor_def *def,
                                   const char *const *values,
                                   const struct hale_sub_record *r)
{
    if (e->stats.subs >= e->limits.max_subs) {
        e->stats.refused_subs++;
        return NULL;
    }
    struct cor_node *n = cor_node_make(e, def, values);
    if (n == NULL)
        return NULL;
    if (cor_node_containers(n) > 1)
        cor_settle_rows(e);
    struct cor_sub *s = cor_sub_new(e, n, r->sub);
    if (s == NULL)
        cor_node_release(e, n);
    else
        s->stored = true;
    return s;
}

enum hale_rc correlator_engine_sub(struct correlator_engine *e,
                                   const struct hale_sub_record *r,
                                   const struct correlator_input *in)
{
    cor_begin(e, in, r->accepted_us, r->decided_us);
    struct cor_def *def = hale_map_get(e->defs, hale_str_from(r->definition_id));
    if (def == NULL) {
        e->stats.no_definition++;
        return HALE_OK;
    }
    const char *values[COR_KEYS_MAX];
    if (r->sub >= def->d->expr->n_subs ||
        cor_group_read(def, r->group, values) != HALE_OK) {
        e->stats.invalid++;
        return HALE_E_INVAL;
    }
    struct cor_node *n = cor_node_find(e, def, values);
    struct cor_sub *s = n != NULL ? n->own[r->sub] : NULL;
    bool is_new = s == NULL;
    if (is_new && r->kind != HALE_SUB_CREATE) {
        e->stats.unknown_sub++;
        return cor_result(e, HALE_OK);
    }
    if (is_new && (s = sub_created(e, def, values, r)) == NULL)
        return cor_result(e, HALE_OK);
    switch (r->kind) {
    case HALE_SUB_CREATE:
        take_state(e, s, r);
        s->reported = false; /* also when thresholds begins anew with one that we know */
        add_metrics(e, s, r->metrics, !is_new);
        cor_sub_each_node(e, s, is_new ? tell_replaced : tell_replaced_rest);
        break;
    case HALE_SUB_METRIC: add_metrics(e, s, r->metrics, true); break;
    case HALE_SUB_STATE:
        take_state(e, s, r);
        s->reported = true;
        break;
    }
    cor_sub_each_node(e, s, settle);
    return cor_result(e, HALE_OK);
}
