/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows - the engine's state as rows of two tables, and back.
 *   alarms  <alarm id>                           the alarm record (model/alarm.h)
 *   subs    s:<definition>:<sub>:<group>         {"v":1,"state":s,"reported":b,"at_ms":n,
 *                                                 "values":[x|null],"window":[start_ms,end_ms]}
 *           m:<definition>:<sub>:<n>:<group>     n-th series of that sub-alarm: {"dimensions","name"}
 *           e:<alarm id>                         memory of an event alarm: {"v":1,"hash":hex,
 *                                                 "changed_ms":n,"ration_ms":n,"ration_used":n,
 *                                                 "expires_ms":n,"deduced":b?,"evidence":{...}}
 *           b:<tenant>                         its storm and bucket of raises (storm_parts.h)
 * group is its canonical JSON. Series have rows of their own so that a state report of a sub-alarm
 * with a thousand series stays small.
 */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

/* --- series of a sub-alarm ----------------------------------------------------------- */

/* Index of the series, UINT_MAX when it is not among the first n. */
static unsigned find_metric(const struct cor_sub *s, uint64_t hash, unsigned n)
{
    for (unsigned i = 0; i < s->n_metrics && i < n; i++) {
        if (s->metrics[i].hash == hash)
            return i;
    }
    return UINT_MAX;
}

bool cor_sub_shows(const struct cor_node *n, const struct cor_sub *s, uint64_t hash)
{
    return find_metric(s, hash, s->node == n ? UINT_MAX : COR_SHARED_METRICS) != UINT_MAX;
}

/* Room for metrics[n]; n may be past the end, the gap is empty. */
static bool metrics_grow(struct correlator_engine *e, struct cor_sub *s, unsigned n)
{
    if (n >= s->cap_metrics) {
        unsigned cap = s->cap_metrics == 0 ? 1 : s->cap_metrics;
        while (cap <= n)
            cap *= 2;
        struct cor_metric *grown = cor_got(e, realloc(s->metrics, cap * sizeof(*grown)));
        if (grown == NULL)
            return false;
        s->metrics = grown;
        s->cap_metrics = cap;
    }
    while (s->n_metrics <= n)
        s->metrics[s->n_metrics++] = (struct cor_metric){0};
    return true;
}

enum hale_rc cor_sub_add_metric(struct correlator_engine *e, struct cor_sub *s,
                                const json_t *metric)
{
    json_t *name = json_object_get(metric, "name");
    json_t *dims = json_object_get(metric, "dimensions");
    json_t *clean = json_pack("{s:O, s:O}", "name", name, "dimensions", dims);
    char *text = clean != NULL ? cor_json_text(clean) : NULL;
    json_decref(clean);
    if (cor_got(e, text) == NULL)
        return HALE_E_NOMEM;
    uint64_t hash = hale_id_hash64(text, strlen(text));
    unsigned at = find_metric(s, hash, UINT_MAX);
    enum hale_rc rc = HALE_OK;
    if (at != UINT_MAX) {
        s->told = at;
        rc = HALE_E_EXISTS;
    } else if (s->n_metrics >= e->limits.max_metrics) {
        e->stats.refused_metrics++;
        rc = HALE_E_LIMIT;
    } else if (!metrics_grow(e, s, s->n_metrics)) {
        rc = HALE_E_NOMEM;
    }
    if (rc != HALE_OK) {
        free(text);
        return rc;
    }
    s->told = s->n_metrics - 1;
    s->metrics[s->told] = (struct cor_metric){.hash = hash, .json = text};
    s->metric_bytes += strlen(text);
    return HALE_OK;
}

/* --- writing ------------------------------------------------------------------------- */

void cor_sub_row(const struct cor_sub *s, struct hale_buf *out)
{
    hale_buf_printf(out, "s:%s:%u:%s", s->node->def->d->id, s->index, s->node->json);
}

void cor_metric_row(const struct cor_sub *s, unsigned n, struct hale_buf *out)
{
    hale_buf_printf(out, "m:%s:%u:%u:%s", s->node->def->d->id, s->index, n,
                    s->node->json);
}

void cor_fault_row(const struct cor_alarm *a, struct hale_buf *out)
{
    hale_buf_printf(out, "e:%s", a->id);
}

void cor_sub_value(const struct cor_sub *s, struct hale_buf *out)
{
    hale_buf_printf(out, "{\"v\":1,\"state\":\"%s\",\"reported\":%s,\"at_ms\":%" PRId64,
                    hale_state_text(s->state), s->reported ? "true" : "false", s->at_ms);
    hale_buf_add_c(out, ",\"values\":[");
    for (unsigned i = 0; i < s->n_values; i++) {
        if (i > 0)
            hale_buf_add_char(out, ',');
        hale_buf_add_double(out, s->values[i]);
    }
    for (unsigned i = 0; i < s->n_operands; i++) {
        hale_buf_add_c(out, i == 0 ? "],\"operands\":[" : ",");
        hale_buf_add_double(out, s->values[s->n_values + i]);
    }
    hale_buf_printf(out, "],\"window\":[%" PRId64 ",%" PRId64 "]", s->window_start_ms,
                    s->window_end_ms);
    if (s->severity >= 0)
        hale_buf_printf(out, ",\"severity\":\"%s\"",
                        hale_severity_text((enum hale_severity)s->severity));
    if (s->since_ms != 0)
        hale_buf_printf(out, ",\"since_ms\":%" PRId64, s->since_ms);
    if (s->learning)
        hale_buf_add_c(out, ",\"learning\":true");
    hale_buf_add_c(out, s->missing ? ",\"missing\":true}" : "}");
}

void cor_fault_value(const struct cor_alarm *a, struct hale_buf *out)
{
    const struct cor_fault *f = a->fault;
    hale_buf_printf(out,
                    "{\"v\":1,\"hash\":\"%016" PRIx64 "\",\"changed_ms\":%" PRId64
                    ",\"ration_ms\":%" PRId64 ",\"ration_used\":%" PRId64
                    ",\"expires_ms\":%" PRId64 "%s,\"evidence\":%s}",
                    f->details_hash, f->changed_ms, f->ration_ms, f->ration_used,
                    cor_expiry_of(a), f->deduced ? ",\"deduced\":true" : "",
                    f->evidence != NULL ? f->evidence : "{}");
}

/* --- reading the rows of subs -------------------------------------------------------- */

static json_t *object_of(struct hale_str text)
{
    json_t *o = json_loadb(text.p != NULL ? text.p : "", text.len, 0, NULL);
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}

static int64_t int_of(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

static struct cor_sub *sub_of(struct correlator_engine *e, struct cor_def *def,
                              uint64_t index, struct hale_str group)
{
    const char *values[COR_KEYS_MAX];
    struct cor_sub *s = NULL;
    json_t *o = object_of(group);
    if (o != NULL && index < def->d->expr->n_subs &&
        cor_group_read(def, o, values) == HALE_OK) {
        struct cor_node *n = cor_node_make(e, def, values);
        s = n != NULL ? n->own[index] : NULL;
        if (n != NULL && s == NULL)
            s = cor_sub_new(e, n, (unsigned)index);
    }
    json_decref(o);
    return s;
}

static void numbers(const json_t *list, double *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        out[i] = json_is_number(v) ? json_number_value(v) : (double)NAN;
    }
}

bool cor_sub_values(struct correlator_engine *e, struct cor_sub *s, const json_t *values,
                    const json_t *operands)
{
    size_t n = json_array_size(values), m = json_array_size(operands);
    n = n < COR_VALUES_MAX ? n : COR_VALUES_MAX;
    m = m < HALE_ARITH_MAX_TERMS ? m : HALE_ARITH_MAX_TERMS;
    if (n + m > s->n_values + s->n_operands) {
        double *grown = cor_got(e, realloc(s->values, (n + m) * sizeof(*grown)));
        if (grown == NULL)
            return false;
        s->values = grown;
    }
    if (n > 0)
        numbers(values, s->values, n);
    if (m > 0)
        numbers(operands, s->values + n, m);
    s->n_values = (unsigned)n;
    s->n_operands = (unsigned)m;
    return true;
}

static enum hale_rc load_sub(struct correlator_engine *e, struct cor_sub *s,
                             struct hale_str value)
{
    json_t *o = object_of(value);
    const char *state = json_string_value(json_object_get(o, "state"));
    const json_t *window = json_object_get(o, "window");
    if (o == NULL || hale_state_parse(hale_str_from(state), &s->state) != HALE_OK) {
        json_decref(o);
        return HALE_E_INVAL;
    }
    s->stored = true;
    s->reported = json_is_true(json_object_get(o, "reported"));
    s->at_ms = int_of(o, "at_ms");
    s->window_start_ms = (int64_t)json_integer_value(json_array_get(window, 0));
    s->window_end_ms = (int64_t)json_integer_value(json_array_get(window, 1));
    s->since_ms = int_of(o, "since_ms");
    s->missing = json_is_true(json_object_get(o, "missing"));
    s->learning = json_is_true(json_object_get(o, "learning"));
    enum hale_severity severity;
    const char *level = json_string_value(json_object_get(o, "severity"));
    bool has = hale_severity_parse(hale_str_from(level), &severity) == HALE_OK;
    s->severity = has ? (int)severity : -1;
    (void)cor_sub_values(e, s, json_object_get(o, "values"),
                         json_object_get(o, "operands"));
    json_decref(o);
    return HALE_OK;
}

static enum hale_rc load_metric(struct correlator_engine *e, struct cor_sub *s,
                                uint64_t n, struct hale_str value)
{
    if (n >= COR_METRICS_ROW_MAX)
        return HALE_E_INVAL;
    if (n < s->n_metrics && s->metrics[n].json != NULL)
        return HALE_OK; /* a scan may give a row twice */
    json_t *o = object_of(value);
    char *text = o != NULL ? cor_json_text(o) : NULL;
    json_decref(o);
    if (text == NULL)
        return HALE_E_INVAL;
    if (n >= s->n_metrics && !metrics_grow(e, s, (unsigned)n)) {
        free(text);
        return HALE_E_NOMEM;
    }
    s->metrics[n] =
        (struct cor_metric){.hash = hale_id_hash64(text, strlen(text)), .json = text};
    return HALE_OK;
}

static enum hale_rc load_fault_row(struct correlator_engine *e, struct hale_str id,
                                   struct hale_str value)
{
    json_t *o = object_of(value);
    if (o == NULL)
        return HALE_E_INVAL;
    if (hale_map_get(e->loading_faults, id) != NULL) {
        json_decref(o);
        return HALE_OK;
    }
    if (hale_map_put(e->loading_faults, id, o) != HALE_OK) {
        json_decref(o);
        return HALE_E_NOMEM;
    }
    return HALE_OK;
}

static enum hale_rc load_subs_row(struct correlator_engine *e, struct hale_str field,
                                  struct hale_str value)
{
    struct hale_str rest = field;
    struct hale_str kind = hale_str_split(&rest, ':');
    uint64_t index, n = 0;
    if (hale_str_eq_c(kind, "e"))
        return load_fault_row(e, rest, value);
    if (hale_str_eq_c(kind, "b"))
        return cor_storm_load(e, rest, value);
    bool metric = hale_str_eq_c(kind, "m");
    if (!metric && !hale_str_eq_c(kind, "s"))
        return HALE_E_INVAL;
    struct hale_str id = hale_str_split(&rest, ':');
    if (hale_str_u64(hale_str_split(&rest, ':'), &index) != HALE_OK ||
        (metric && hale_str_u64(hale_str_split(&rest, ':'), &n) != HALE_OK))
        return HALE_E_INVAL;
    struct cor_def *def = hale_map_get(e->defs, id);
    if (def == NULL) {
        if (hale_map_get(e->unreadable, id) == NULL)
            e->sink.del(e->sink.arg, CORRELATOR_SUBS, field);
        return HALE_OK;
    }
    struct cor_sub *s = sub_of(e, def, index, rest);
    if (s == NULL)
        return e->nomem ? HALE_E_NOMEM : HALE_E_INVAL;
    return metric ? load_metric(e, s, n, value) : load_sub(e, s, value);
}

/* --- reading the rows of alarms ------------------------------------------------------ */

static bool load_fault_alarm(struct correlator_engine *e, struct cor_alarm *a,
                             const struct hale_alarm *r)
{
    struct cor_fault *f = a->fault = cor_got(e, calloc(1, sizeof(*f)));
    if (f == NULL)
        return false;
    f->tenant = cor_strdup(e, r->tenant);
    f->type = cor_strdup(e, r->definition_name);
    f->dims = cor_got(e, cor_json_text(r->group));
    f->evidence = cor_strdup(e, "{}");
    f->severity = r->severity;
    if (e->nomem)
        return false;
    hale_buf_reset(&e->scratch);
    cor_fault_key(f->tenant, f->type, f->dims, &e->scratch);
    if (e->scratch.failed ||
        hale_map_put(e->faults, hale_buf_str(&e->scratch), a) != HALE_OK)
        e->nomem = true;
    e->own_alarms += cor_fault_is_own(f);
    return !e->nomem;
}

static bool load_metric_alarm(struct correlator_engine *e, struct cor_alarm *a,
                              struct cor_node *n, const struct hale_alarm *r)
{
    const struct hale_definition *d = n->def->d;
    a->node = n;
    n->alarm = a;
    a->severity = r->severity;
    a->stale = strcmp(d->name, r->definition_name) != 0 ||
               strcmp(d->description, r->description) != 0 ||
               (!d->expr->levels && d->severity != r->severity) ||
               d->actions_enabled != r->actions_enabled;
    a->sub_alarms = cor_got(e, cor_json_text(r->sub_alarms));
    a->loaded_metrics = cor_json_hash(e, r->metrics);
    return !e->nomem;
}

/* The alarm of a definition that is gone is kept as a record until loaded logs its end. */
static enum hale_rc load_orphan(struct correlator_engine *e, struct hale_alarm *r)
{
    if (hale_map_get(e->unreadable, hale_str_from(r->definition_id)) != NULL) {
        hale_alarm_fini(r);
        return HALE_OK;
    }
    struct hale_alarm *copy = cor_got(e, malloc(sizeof(*copy)));
    if (copy != NULL) {
        *copy = *r;
        if (hale_map_put(e->loading_alarms, hale_str_from(copy->id), copy) == HALE_OK)
            return HALE_OK;
        free(copy);
        e->nomem = true;
    }
    hale_alarm_fini(r);
    return HALE_E_NOMEM;
}

/* Takes off what the record's reason says of a late announcement. */
static void unsurface(char *reason, const char *surfaced)
{
    struct hale_buf tail;
    if (surfaced == NULL)
        return;
    hale_buf_init(&tail, COR_RECORD_MAX);
    hale_buf_printf(&tail, COR_SURFACED, surfaced);
    size_t len = strlen(reason);
    if (!tail.failed && len >= tail.len &&
        memcmp(reason + len - tail.len, tail.p, tail.len) == 0)
        reason[len - tail.len] = '\0';
    hale_buf_fini(&tail);
}

static enum hale_rc load_alarm(struct correlator_engine *e, struct hale_alarm *r)
{
    const char *values[COR_KEYS_MAX];
    struct cor_node *n = NULL;
    if (!r->from_event) {
        struct cor_def *def = hale_map_get(e->defs, hale_str_from(r->definition_id));
        if (def == NULL || cor_group_read(def, r->group, values) != HALE_OK)
            return load_orphan(e, r);
        n = cor_node_make(e, def, values);
        if (n == NULL || n->alarm != NULL) {
            hale_alarm_fini(r);
            return e->nomem ? HALE_E_NOMEM : HALE_E_INVAL;
        }
    }
    struct cor_alarm *a = cor_alarm_new(e, r->id, r->state);
    bool good = a != NULL && (r->from_event ? load_fault_alarm(e, a, r)
                                            : load_metric_alarm(e, a, n, r));
    if (good) {
        cor_life_load(e, a, r->life);
        unsurface(r->reason, a->life.surfaced);
        a->manual = a->node != NULL && strcmp(r->reason, COR_API_REASON) == 0;
        free(a->reason);
        a->reason = r->reason;
        a->lifecycle_state = r->lifecycle_state;
        a->link = r->link;
        r->reason = r->lifecycle_state = r->link = NULL;
        a->created_ms = r->created_ms;
        a->updated_ms = r->updated_ms;
        a->state_updated_ms = r->state_updated_ms;
        a->seq = r->seq;
    }
    hale_alarm_fini(r);
    return good ? HALE_OK : HALE_E_NOMEM;
}

enum hale_rc correlator_engine_load(struct correlator_engine *e,
                                    enum correlator_table table, struct hale_str field,
                                    struct hale_str value)
{
    HALE_ASSERT(e->loading);
    struct hale_alarm r;
    enum hale_rc rc;
    if (table == CORRELATOR_ENTITIES) {
        rc = cor_topology_load(e->topology, field, value);
    } else if (table == CORRELATOR_SUBS) {
        rc = load_subs_row(e, field, value);
    } else {
        rc = hale_alarm_decode(value, &r);
        if (rc == HALE_OK &&
            (strlen(r.id) >= HALE_UUID_TEXT || !hale_str_eq_c(field, r.id))) {
            hale_alarm_fini(&r);
            rc = HALE_E_INVAL;
        }
        if (rc == HALE_OK && hale_map_get(e->alarms, field) != NULL)
            hale_alarm_fini(&r); /* a scan may give a row twice */
        else if (rc == HALE_OK)
            rc = load_alarm(e, &r);
    }
    return e->nomem ? HALE_E_NOMEM : rc;
}

/* --- after the last row -------------------------------------------------------------- */

void cor_loading_free(struct correlator_engine *e)
{
    size_t it = 0;
    struct hale_alarm *r;
    while (e->loading_alarms != NULL &&
           (r = hale_map_next(e->loading_alarms, &it, NULL)) != NULL) {
        hale_alarm_fini(r);
        free(r);
    }
    json_t *o;
    it = 0;
    while (e->loading_faults != NULL &&
           (o = hale_map_next(e->loading_faults, &it, NULL)) != NULL)
        json_decref(o);
    hale_map_free(e->loading_alarms);
    hale_map_free(e->loading_faults);
    e->loading_alarms = NULL;
    e->loading_faults = NULL;
}

static void finish_fault(struct correlator_engine *e, struct hale_str id, const json_t *o)
{
    struct cor_alarm *a = hale_map_get(e->alarms, id);
    if (a == NULL || a->fault == NULL) {
        hale_buf_reset(&e->scratch);
        hale_buf_add_c(&e->scratch, "e:");
        hale_buf_add_str(&e->scratch, id);
        if (!e->scratch.failed)
            e->sink.del(e->sink.arg, CORRELATOR_SUBS, hale_buf_str(&e->scratch));
        return;
    }
    struct cor_fault *f = a->fault;
    const char *hash = json_string_value(json_object_get(o, "hash"));
    const json_t *evidence = json_object_get(o, "evidence");
    char *text = json_is_object(evidence) ? cor_json_text(evidence) : NULL;
    f->details_hash = hash != NULL ? strtoull(hash, NULL, 16) : 0;
    f->changed_ms = int_of(o, "changed_ms");
    f->ration_ms = int_of(o, "ration_ms");
    f->ration_used = int_of(o, "ration_used");
    f->deduced = json_is_true(json_object_get(o, "deduced"));
    cor_expiry_set(e, a, int_of(o, "expires_ms"));
    if (text != NULL) {
        free(f->evidence);
        f->evidence = text;
    }
}

static int by_seq(const void *x, const void *y)
{
    const struct cor_alarm *a = *(struct cor_alarm *const *)x;
    const struct cor_alarm *b = *(struct cor_alarm *const *)y;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Event alarms that are OK, in the order of their last change. */
static void order_cleared(struct correlator_engine *e)
{
    size_t n = 0, it = 0, max = hale_map_count(e->faults);
    struct cor_alarm *a, **list = cor_got(e, calloc(max + 1, sizeof(*list)));
    if (list == NULL)
        return;
    while ((a = hale_map_next(e->faults, &it, NULL)) != NULL) {
        if (a->state == HALE_STATE_OK)
            list[n++] = a;
    }
    qsort(list, n, sizeof(*list), by_seq);
    for (size_t i = 0; i < n; i++)
        cor_fault_cleared(e, list[i]);
    free(list);
}

static void bury(struct correlator_engine *e, struct hale_alarm *r)
{
    struct hale_log_record log = {.kind = HALE_ALARM_DELETED,
                                  .time_ms = cor_now_ms(e),
                                  .old_state = r->state,
                                  .decided_us = e->in->now_us,
                                  .logged_us = e->in->now_us};
    log.evidence = cor_got(e, json_pack("{s:i, s:s, s:[]}", "definition_version", 0,
                                        "expression", "", "subs"));
    const char *told = json_string_value(json_object_get(r->life, "announced"));
    log.announce = told != NULL ? strcmp(told, hale_state_text(HALE_STATE_ALARM)) == 0
                                : r->state == HALE_STATE_ALARM && r->life == NULL;
    r->updated_ms = log.time_ms;
    r->seq = log.seq = ++e->seq;
    log.alarm = *r;
    if (!e->nomem) {
        e->sink.log(e->sink.arg, &log);
        e->sink.del(e->sink.arg, CORRELATOR_ALARMS, hale_str_from(r->id));
        e->stats.deleted++;
    }
    json_decref(log.evidence);
}

/* Sub-alarms without a row of their own go; series end before the first missing one. */
static void tidy_def(struct correlator_engine *e, struct cor_def *def)
{
    size_t it = 0;
    struct cor_node *n;
    while ((n = hale_map_next(def->nodes, &it, NULL)) != NULL) {
        unsigned owned = 0;
        for (unsigned i = 0; i < def->d->expr->n_subs; i++) {
            struct cor_sub *s = n->own[i];
            if (s == NULL)
                continue;
            s->n_written = s->n_metrics;
            if (!s->stored) {
                cor_sub_remove(e, s);
                continue;
            }
            owned++;
            unsigned good = 0;
            while (good < s->n_metrics && s->metrics[good].json != NULL)
                good++;
            for (unsigned k = good; k < s->n_metrics; k++)
                free(s->metrics[k].json);
            s->n_metrics = s->n_written = good;
            s->metric_bytes = 0;
            for (unsigned k = 0; k < good; k++)
                s->metric_bytes += strlen(s->metrics[k].json);
        }
        if (owned == 0 && n->alarm != NULL && !n->joined) {
            n->joined = true; /* as it was before, or its sub-alarms are lost */
            e->n_joined++;
        }
        if (owned == 0)
            cor_node_release(e, n);
    }
}

/* An input that was written in part left alarms whose record lacks it; it will be repeated. */
static void find_behind(struct correlator_engine *e)
{
    size_t it = 0;
    struct cor_alarm *a;
    while ((a = hale_map_next(e->alarms, &it, NULL)) != NULL) {
        if (a->node != NULL)
            a->behind = cor_metrics_hash(e, a->node) != a->loaded_metrics;
    }
}

enum hale_rc correlator_engine_loaded(struct correlator_engine *e, int64_t seq,
                                      const struct correlator_input *in)
{
    HALE_ASSERT(e->loading && in != NULL && seq >= 0);
    e->in = in;
    e->accepted_us = 0;
    e->decided_us = in->now_us;
    e->seq = seq;
    e->due_ms = in->entry_ms;
    e->loading = false;
    size_t it = 0;
    struct hale_str id;
    json_t *o;
    struct cor_def *def;
    struct hale_alarm *orphan;
    while ((o = hale_map_next(e->loading_faults, &it, &id)) != NULL)
        finish_fault(e, id, o);
    it = 0;
    while ((def = hale_map_next(e->defs, &it, NULL)) != NULL)
        tidy_def(e, def);
    find_behind(e);
    it = 0;
    while ((orphan = hale_map_next(e->loading_alarms, &it, NULL)) != NULL) {
        bury(e, orphan);
        cor_checkpoint(e);
    }
    order_cleared(e);
    cor_cause_loaded(e);
    cor_storm_loaded(e);
    cor_rules_loaded(e);
    cor_loading_free(e);
    cor_windows_loaded(e);
    return e->nomem ? HALE_E_NOMEM : HALE_OK;
}
