/* SPDX-License-Identifier: Apache-2.0 */
/* record - what an alarm looks like to others: its record, sub-alarms, evidence, reason, log. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

static char nothing[] = "";

char *cor_json_text(const json_t *v)
{
    return json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

/* Value of JSON text that this engine wrote; latches when there is none. */
static json_t *parse(struct correlator_engine *e, const char *text)
{
    return cor_got(e, json_loads(text, JSON_DECODE_ANY, NULL));
}

static json_t *string_of(struct correlator_engine *e, struct hale_str s)
{
    return cor_got(e, json_stringn(s.p != NULL ? s.p : "", s.len));
}

/* Steals v; latches when it could not be stored. */
static void set(struct correlator_engine *e, json_t *object, const char *key, json_t *v)
{
    if (object == NULL || v == NULL || json_object_set_new(object, key, v) != 0)
        e->nomem = true;
}

static void append(struct correlator_engine *e, json_t *array, json_t *v)
{
    if (array == NULL || v == NULL || json_array_append_new(array, v) != 0)
        e->nomem = true;
}

/* --- series -------------------------------------------------------------------------- */

static bool seen_before(const struct cor_node *n, unsigned sub, uint64_t hash)
{
    for (unsigned i = 0; i < sub; i++) {
        if (n->bind[i] != NULL && cor_sub_shows(n, n->bind[i], hash))
            return true;
    }
    return false;
}

static json_t *node_metrics(struct correlator_engine *e, const struct cor_node *n)
{
    json_t *list = cor_got(e, json_array());
    size_t bytes = 0;
    for (unsigned i = 0; i < n->def->d->expr->n_subs; i++) {
        const struct cor_sub *s = n->bind[i];
        for (unsigned j = 0; s != NULL && j < s->n_metrics; j++) {
            if (s->node != n && j == COR_SHARED_METRICS)
                break;
            if (json_array_size(list) >= e->limits.max_metrics ||
                bytes > COR_METRICS_BYTES)
                return list;
            if (seen_before(n, i, s->metrics[j].hash))
                continue;
            bytes += strlen(s->metrics[j].json);
            append(e, list, parse(e, s->metrics[j].json));
        }
    }
    return list;
}

uint64_t cor_json_hash(struct correlator_engine *e, const json_t *v)
{
    char *text = v != NULL ? cor_got(e, cor_json_text(v)) : NULL;
    uint64_t hash = text != NULL ? hale_id_hash64(text, strlen(text)) : 0;
    free(text);
    return hash;
}

uint64_t cor_metrics_hash(struct correlator_engine *e, const struct cor_node *n)
{
    json_t *list = node_metrics(e, n);
    uint64_t hash = cor_json_hash(e, list);
    json_decref(list);
    return hash;
}

static json_t *fault_metrics(struct correlator_engine *e, const struct cor_fault *f)
{
    json_t *list = cor_got(e, json_array()), *metric = cor_got(e, json_object());
    set(e, metric, "name", string_of(e, hale_str_from(f->type)));
    set(e, metric, "dimensions", parse(e, f->dims));
    append(e, list, metric);
    return list;
}

/* --- sub-alarms ---------------------------------------------------------------------- */

static json_t *numbers(struct correlator_engine *e, const double *v, unsigned n)
{
    json_t *list = cor_got(e, json_array());
    for (unsigned i = 0; i < n; i++)
        append(e, list, isfinite(v[i]) ? json_real(v[i]) : json_null());
    return list;
}

static json_t *values_of(struct correlator_engine *e, const struct cor_sub *s)
{
    return numbers(e, s != NULL ? s->values : NULL, s != NULL ? s->n_values : 0);
}

/* Arithmetic has no metric of its own: its text takes the place of the name. */
static json_t *left_of(struct correlator_engine *e, const struct hale_subexpr *x)
{
    struct hale_buf text;
    hale_buf_init(&text, COR_RECORD_MAX);
    hale_subexpr_format_left(x, &text);
    json_t *o = text.failed ? NULL : string_of(e, hale_buf_str(&text));
    hale_buf_fini(&text);
    return o;
}

static json_t *subexpr_json(struct correlator_engine *e, const struct hale_subexpr *x)
{
    json_t *o = cor_got(e, json_object()), *dims = cor_got(e, json_object());
    for (unsigned i = 0; x->arith == NULL && i < x->n_dims; i++) {
        char *key = cor_got(e, strndup(x->dims[i].key.p, x->dims[i].key.len));
        if (key != NULL)
            set(e, dims, key, string_of(e, x->dims[i].value));
        free(key);
    }
    set(e, o, "function", string_of(e, hale_str_from(hale_func_text(x->func))));
    set(e, o, "metric_name", x->arith != NULL ? left_of(e, x) : string_of(e, x->name));
    set(e, o, "dimensions", dims);
    set(e, o, "operator", string_of(e, hale_str_from(hale_op_text(x->op))));
    set(e, o, "threshold", json_real(x->threshold));
    set(e, o, "period", json_integer(x->period_s));
    set(e, o, "periods", json_integer(x->times));
    set(e, o, "deterministic", json_boolean(x->deterministic));
    return o;
}

static enum hale_state sub_state(const struct cor_sub *s)
{
    return s != NULL ? s->state : HALE_STATE_UNDETERMINED;
}

static json_t *sub_alarms(struct correlator_engine *e, const struct cor_node *n)
{
    const struct hale_expr *x = n->def->d->expr;
    json_t *list = cor_got(e, json_array());
    for (unsigned i = 0; i < x->n_subs; i++) {
        json_t *o = cor_got(e, json_object());
        set(e, o, "sub_alarm_expression", subexpr_json(e, &x->subs[i]));
        set(e, o, "sub_alarm_state",
            string_of(e, hale_str_from(hale_state_text(sub_state(n->bind[i])))));
        set(e, o, "current_values", values_of(e, n->bind[i]));
        append(e, list, o);
    }
    return list;
}

static json_t *evidence_sub(struct correlator_engine *e, const struct cor_node *n,
                            unsigned i)
{
    const struct cor_sub *s = n->bind[i];
    json_t *o = cor_got(e, json_object()), *window = cor_got(e, json_object());
    struct hale_buf text;
    hale_buf_init(&text, COR_RECORD_MAX);
    hale_subexpr_format(&n->def->d->expr->subs[i], &text);
    set(e, o, "sub", json_integer(i));
    set(e, o, "expression", text.failed ? NULL : string_of(e, hale_buf_str(&text)));
    set(e, o, "state", string_of(e, hale_str_from(hale_state_text(sub_state(s)))));
    set(e, o, "values", values_of(e, s));
    if (s != NULL && s->n_operands > 0)
        set(e, o, "operands", numbers(e, s->values + s->n_values, s->n_operands));
    set(e, window, "start_ms", json_integer(s != NULL ? s->window_start_ms : 0));
    set(e, window, "end_ms", json_integer(s != NULL ? s->window_end_ms : 0));
    set(e, o, "window", window);
    set(e, o, "group", s != NULL ? parse(e, s->node->json) : json_object());
    if (s != NULL && s->severity >= 0)
        set(e, o, "severity",
            string_of(
                e, hale_str_from(hale_severity_text((enum hale_severity)s->severity))));
    if (s != NULL && s->missing)
        set(e, o, "missing", json_true());
    if (s != NULL && s->learning)
        set(e, o, "learning", json_true());
    if (s != NULL && s->since_ms != 0)
        set(e, o, "since_ms", json_integer(s->since_ms));
    hale_buf_fini(&text);
    return o;
}

static json_t *evidence(struct correlator_engine *e, const struct cor_alarm *a)
{
    json_t *o = cor_got(e, json_object());
    if (a->fault != NULL) {
        set(e, o, "event", parse(e, a->fault->evidence));
        return o;
    }
    const struct hale_definition *d = a->node->def->d;
    json_t *subs = cor_got(e, json_array());
    for (unsigned i = 0; i < d->expr->n_subs; i++)
        append(e, subs, evidence_sub(e, a->node, i));
    set(e, o, "definition_version", json_integer(d->version));
    set(e, o, "expression", string_of(e, hale_str_from(d->expression)));
    set(e, o, "subs", subs);
    return o;
}

/* --- reason -------------------------------------------------------------------------- */

static void reason_item(const struct hale_subexpr *x, const struct cor_sub *s,
                        bool values, struct hale_buf *out)
{
    hale_buf_add_c(out, x->negated ? "not (" : "");
    hale_subexpr_format(x, out);
    hale_buf_add_c(out, x->negated ? ")" : "");
    if (s->learning)
        hale_buf_add_c(out, " (not enough history yet)");
    if (!values)
        return;
    if (s->missing) {
        hale_buf_add_c(out, " without any data");
        return;
    }
    hale_buf_add_c(out, " with the values: [");
    for (unsigned i = 0; i < s->n_values; i++) {
        if (i > 0)
            hale_buf_add_c(out, ", ");
        if (isfinite(s->values[i]))
            hale_buf_add_double(out, s->values[i]);
        else
            hale_buf_add_c(out, "NaN");
    }
    hale_buf_add_char(out, ']');
    for (unsigned i = 0; i < s->n_operands; i++) {
        hale_buf_add_c(out, i == 0 ? " (operands: " : ", ");
        hale_buf_add_double(out, s->values[s->n_values + i]);
    }
    hale_buf_add_c(out, s->n_operands > 0 ? ")" : "");
}

/* What the comparison contributes: below a NOT the opposite of its state. */
static enum hale_state says(const struct hale_definition *d, unsigned i,
                            const struct cor_sub *s)
{
    return d->expr->subs[i].negated ? (enum hale_state)(HALE_STATE_ALARM - s->state)
                                    : s->state;
}

char *cor_reason(struct correlator_engine *e, const struct cor_alarm *a)
{
    static const char *const words[] = {
        [HALE_STATE_OK] =
            "The alarm threshold(s) have not been exceeded for the sub-alarms: ",
        [HALE_STATE_UNDETERMINED] = "No data was present for the sub-alarms: ",
        [HALE_STATE_ALARM] = "Thresholds were exceeded for the sub-alarms: ",
    };
    const struct cor_node *n = a->node;
    struct hale_buf out;
    bool first = true;
    hale_buf_init(&out, COR_RECORD_MAX);
    hale_buf_add_c(&out, words[a->state]);
    for (unsigned i = 0; i < n->def->d->expr->n_subs; i++) {
        if (n->bind[i] == NULL || says(n->def->d, i, n->bind[i]) != a->state)
            continue;
        if (out.len > COR_REASON_MAX) {
            hale_buf_add_c(&out, ", ...");
            break;
        }
        if (!first)
            hale_buf_add_c(&out, ", ");
        first = false;
        reason_item(&n->def->d->expr->subs[i], n->bind[i],
                    a->state != HALE_STATE_UNDETERMINED, &out);
    }
    char *text = out.failed ? NULL : hale_buf_take(&out);
    hale_buf_fini(&out);
    return cor_got(e, text);
}

/* --- severity ------------------------------------------------------------------------ */

/* A level lasts beyond the ALARM: whoever was told of a critical one is told of its end. */
enum hale_severity cor_severity(const struct cor_node *n, enum hale_state state)
{
    const struct hale_definition *d = n->def->d;
    enum hale_state states[HALE_EXPR_MAX_SUBS];
    int severities[HALE_EXPR_MAX_SUBS];
    if (!d->expr->levels)
        return d->severity;
    if (state != HALE_STATE_ALARM)
        return n->alarm != NULL ? n->alarm->severity : d->severity;
    for (unsigned i = 0; i < d->expr->n_subs; i++) {
        const struct cor_sub *s = n->bind[i];
        states[i] = sub_state(s);
        severities[i] = s != NULL ? s->severity : -1;
    }
    return hale_expr_severity(d->expr, states, severities, d->severity);
}

const char *cor_alarm_tenant(const struct cor_alarm *a)
{
    return a->fault != NULL ? a->fault->tenant : a->node->def->d->tenant;
}

const char *cor_alarm_name(const struct cor_alarm *a)
{
    return a->fault != NULL ? a->fault->type : a->node->def->d->name;
}

enum hale_severity cor_severity_of(const struct cor_alarm *a)
{
    return a->fault != NULL ? a->fault->severity : a->severity;
}

/* --- the records --------------------------------------------------------------------- */

/* The record as a value: strings are borrowed, JSON is new. Free with drop_json. def_id: storage
 * for the ids. */
static void fill(struct correlator_engine *e, const struct cor_alarm *a,
                 struct hale_buf *def_id, struct hale_alarm *out)
{
    *out = (struct hale_alarm){.state = a->state,
                               .reason = a->reason,
                               .lifecycle_state = a->lifecycle_state,
                               .link = a->link,
                               .created_ms = a->created_ms,
                               .updated_ms = a->updated_ms,
                               .state_updated_ms = a->state_updated_ms,
                               .seq = a->seq};
    /* One buffer holds the texts: the definition id, NUL, the alarm id, NUL, the reason. */
    hale_buf_reset(def_id);
    if (a->fault != NULL)
        hale_buf_printf(def_id, "event:%s", a->fault->type);
    hale_buf_add_char(def_id, '\0');
    size_t at = def_id->len;
    hale_buf_add_c(def_id, a->id);
    hale_buf_add_char(def_id, '\0');
    size_t reason_at = def_id->len;
    if (a->life.surfaced != NULL)
        hale_buf_printf(def_id, "%s" COR_SURFACED, a->reason, a->life.surfaced);
    if (def_id->failed) {
        e->nomem = true;
        return;
    }
    out->id = def_id->p + at;
    if (a->life.surfaced != NULL)
        out->reason = def_id->p + reason_at;
    out->life = cor_life_json(e, a);
    if (a->fault != NULL) {
        out->from_event = true;
        out->tenant = a->fault->tenant;
        out->definition_id = def_id->p;
        out->definition_name = a->fault->type;
        out->description = nothing;
        out->severity = a->fault->severity;
        out->actions_enabled = true;
        out->group = parse(e, a->fault->dims);
        out->metrics = fault_metrics(e, a->fault);
        out->sub_alarms = cor_got(e, json_array());
        return;
    }
    const struct hale_definition *d = a->node->def->d;
    out->tenant = d->tenant;
    out->definition_id = d->id;
    out->definition_name = d->name;
    out->description = d->description;
    out->severity = a->severity;
    out->actions_enabled = d->actions_enabled;
    out->group = parse(e, a->node->json);
    out->metrics = node_metrics(e, a->node);
    out->sub_alarms = parse(e, a->sub_alarms);
}

static void drop_json(struct hale_alarm *a)
{
    json_decref(a->group);
    json_decref(a->metrics);
    json_decref(a->sub_alarms);
    json_decref(a->life);
}

enum hale_rc cor_alarm_encode(struct correlator_engine *e, const struct cor_alarm *a,
                              struct hale_buf *out)
{
    struct hale_alarm record;
    struct hale_buf def_id;
    hale_buf_init(&def_id, COR_RECORD_MAX);
    fill(e, a, &def_id, &record);
    enum hale_rc rc = e->nomem ? HALE_E_NOMEM : hale_alarm_encode(&record, out);
    drop_json(&record);
    hale_buf_fini(&def_id);
    return rc;
}

static void count(struct correlator_engine *e, enum hale_log_kind kind)
{
    switch (kind) {
    case HALE_ALARM_CREATED: e->stats.created++; break;
    case HALE_ALARM_TRANSITION: e->stats.transitions++; break;
    case HALE_ALARM_UPDATED: e->stats.updated++; break;
    case HALE_ALARM_DELETED: e->stats.deleted++; break;
    }
}

/* Their values in the alarm's record are those of its last log record, so that the record does not
 * depend on when it was written, and a report that changes no alarm has none written again. */
static void keep_sub_alarms(struct correlator_engine *e, struct cor_alarm *a)
{
    if (a->fault != NULL)
        return;
    json_t *list = a->manual ? cor_got(e, json_array()) : sub_alarms(e, a->node);
    free(a->sub_alarms);
    a->sub_alarms = list != NULL ? cor_got(e, cor_json_text(list)) : NULL;
    json_decref(list);
}

void cor_emit(struct correlator_engine *e, struct cor_alarm *a, enum hale_log_kind kind,
              enum hale_state old_state)
{
    cor_emit_op(e, a, kind, old_state, NULL, NULL);
}

void cor_emit_op(struct correlator_engine *e, struct cor_alarm *a,
                 enum hale_log_kind kind, enum hale_state old_state, const char *op,
                 const char *by)
{
    struct hale_buf def_id;
    struct hale_log_record r = {.kind = kind,
                                .time_ms = cor_now_ms(e),
                                .old_state = old_state,
                                .op = (char *)(uintptr_t)op,
                                .by = (char *)(uintptr_t)by,
                                .accepted_us = e->accepted_us,
                                .decided_us = e->decided_us,
                                .logged_us = e->in->now_us};
    if (e->nomem)
        return;
    if (kind == HALE_ALARM_TRANSITION)
        cor_gate_ask(e, a, old_state);
    else if (kind == HALE_ALARM_CREATED)
        cor_cause_born(e, a);
    else if (kind == HALE_ALARM_UPDATED)
        cor_cause_refresh(e, a);
    cor_life_severity(e, a);
    r.announce = cor_gate_announce(e, a, kind);
    a->stale = false;
    a->seq = r.seq = ++e->seq;
    a->about.told = a->about.backs[COR_LINK_CAUSE].n;
    keep_sub_alarms(e, a);
    hale_buf_init(&def_id, COR_RECORD_MAX);
    fill(e, a, &def_id, &r.alarm);
    r.evidence = evidence(e, a);
    if (!e->nomem) {
        e->sink.log(e->sink.arg, &r);
        count(e, kind);
    }
    json_decref(r.evidence);
    drop_json(&r.alarm);
    hale_buf_fini(&def_id);
    cor_alarm_dirty(e, a);
}
