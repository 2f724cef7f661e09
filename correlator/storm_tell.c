/* SPDX-License-Identifier: Apache-2.0 */
/* storm_tell - what is told of a storm: counts, the alarm "hale.storm", the row. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "correlator/parts.h"
#include "correlator/storm_parts.h"

#define REPORT_MS 10000
#define CALM_MS   60000

/* --- counts ---------------------------------------------------------------------------- */

void cor_storm_count(struct correlator_engine *e, struct cor_storm_counts *c,
                     const char *name, enum hale_severity severity)
{
    c->by_severity[severity]++;
    for (unsigned i = 0; i < c->n_names; i++) {
        if (strcmp(c->names[i].name, name) == 0) {
            c->names[i].n++;
            return;
        }
    }
    if (c->n_names == COR_STORM_NAMES) {
        c->others++;
        return;
    }
    c->names[c->n_names].name = cor_strdup(e, name);
    c->names[c->n_names].n = 1;
    c->n_names += c->names[c->n_names].name != NULL;
}

static void counts_fini(struct cor_storm_counts *c)
{
    for (unsigned i = 0; i < c->n_names; i++)
        free(c->names[i].name);
    *c = (struct cor_storm_counts){0};
}

/* Steals v; latches when it could not be stored. */
static void set(struct correlator_engine *e, json_t *object, const char *key, json_t *v)
{
    if (object == NULL || v == NULL || json_object_set_new(object, key, v) != 0)
        e->nomem = true;
}

static json_t *counts_json(struct correlator_engine *e, const struct cor_storm_counts *c)
{
    json_t *severities = json_object(), *names = json_object();
    for (unsigned i = 0; i <= HALE_SEV_CRITICAL; i++) {
        if (c->by_severity[i] > 0)
            set(e, severities, hale_severity_text((enum hale_severity)i),
                json_integer(c->by_severity[i]));
    }
    for (unsigned i = 0; i < c->n_names; i++)
        set(e, names, c->names[i].name, json_integer(c->names[i].n));
    return cor_got(e, json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "held",
                                (json_int_t)c->held, "announced",
                                (json_int_t)c->announced, "cleared",
                                (json_int_t)c->cleared, "refused", (json_int_t)c->refused,
                                "other_definitions", (json_int_t)c->others, "by_severity",
                                severities, "by_definition", names));
}

static int64_t int_of(const json_t *o, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(o, key));
}

static void counts_load(struct correlator_engine *e, struct cor_storm_counts *c,
                        const json_t *o)
{
    const char *key;
    json_t *v;
    c->held = int_of(o, "held");
    c->announced = int_of(o, "announced");
    c->cleared = int_of(o, "cleared");
    c->refused = int_of(o, "refused");
    c->others = int_of(o, "other_definitions");
    for (unsigned i = 0; i <= HALE_SEV_CRITICAL; i++)
        c->by_severity[i] = int_of(json_object_get(o, "by_severity"),
                                   hale_severity_text((enum hale_severity)i));
    json_object_foreach (json_object_get(o, "by_definition"), key, v) {
        if (c->n_names == COR_STORM_NAMES)
            break;
        c->names[c->n_names].name = cor_strdup(e, key);
        c->names[c->n_names].n = (int64_t)json_integer_value(v);
        c->n_names += c->names[c->n_names].name != NULL;
    }
}

/* --- the alarm ------------------------------------------------------------------------- */

static void report(struct correlator_engine *e, struct cor_storm *s, int64_t at_ms,
                   bool over)
{
    char type[] = COR_STORM_TYPE;
    json_t *details = counts_json(e, &s->counts), *dims = cor_got(e, json_object());
    set(e, details, "waiting", json_integer((json_int_t)s->waiting.n));
    set(e, details, "since_ms", json_integer(s->since_ms));
    const struct hale_event ev = {.tenant = s->tenant,
                                  .type = type,
                                  .time_ms = at_ms,
                                  .severity = HALE_SEV_HIGH,
                                  .clear = over,
                                  .dimensions = dims,
                                  .details = details};
    if (!e->nomem)
        cor_fault_own(e, &ev, at_ms);
    json_decref(details);
    json_decref(dims);
    s->told = true;
}

void cor_storm_tell(struct correlator_engine *e, struct cor_storm *s, int64_t at_ms)
{
    if (s->since_ms == 0 || at_ms < s->report_ms)
        return;
    bool over = s->waiting.n == 0 && at_ms - s->last_ms >= CALM_MS;
    if (over || !s->told)
        report(e, s, at_ms, over);
    s->report_ms = at_ms + REPORT_MS;
    if (!over)
        return;
    s->since_ms = s->last_ms = s->report_ms = 0;
    counts_fini(&s->counts);
}

/* --- rows -------------------------------------------------------------------------------- */

void cor_storm_dirty(struct correlator_engine *e, struct cor_storm *s)
{
    if (s->dirty)
        return;
    s->dirty = true;
    e->dirty_bytes += 1024 + 64 * (size_t)s->counts.n_names;
    s->next_dirty = e->dirty_storms;
    e->dirty_storms = s;
}

void cor_storm_free(struct cor_storm *s)
{
    counts_fini(&s->counts);
    cor_due_free(&s->waiting);
    free(s->tenant);
    free(s);
}

static void put_row(struct correlator_engine *e, struct cor_storm *s,
                    struct hale_str field)
{
    json_t *o = cor_got(
        e,
        json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "v", 1, "level",
                  (json_int_t)s->level, "reserve", (json_int_t)s->reserve, "level_ms",
                  (json_int_t)s->level_ms, "since_ms", (json_int_t)s->since_ms, "last_ms",
                  (json_int_t)s->last_ms, "report_ms", (json_int_t)s->report_ms, "told",
                  s->told, "counts", counts_json(e, &s->counts)));
    char *text = o != NULL ? cor_got(e, cor_json_text(o)) : NULL;
    if (text != NULL)
        e->sink.put(e->sink.arg, CORRELATOR_SUBS, field, hale_str_from(text));
    free(text);
    json_decref(o);
}

void cor_storm_flush(struct correlator_engine *e)
{
    struct hale_buf field;
    struct cor_storm *s = e->dirty_storms, *next;
    hale_buf_init(&field, COR_RECORD_MAX);
    for (; s != NULL; s = next) {
        next = s->next_dirty;
        s->dirty = false;
        hale_buf_reset(&field);
        hale_buf_printf(&field, "b:%s", s->tenant);
        if (field.failed)
            e->nomem = true;
        else if (!s->gone)
            put_row(e, s, hale_buf_str(&field));
        else if (hale_map_get(e->storms, hale_str_from(s->tenant)) == NULL)
            e->sink.del(e->sink.arg, CORRELATOR_SUBS, hale_buf_str(&field));
        if (s->gone)
            cor_storm_free(s);
    }
    e->dirty_storms = NULL;
    hale_buf_fini(&field);
}

enum hale_rc cor_storm_load(struct correlator_engine *e, struct hale_str tenant,
                            struct hale_str value)
{
    json_t *o = json_loadb(value.p != NULL ? value.p : "", value.len, 0, NULL);
    if (!json_is_object(o) || tenant.len == 0) {
        json_decref(o);
        return HALE_E_INVAL;
    }
    struct cor_storm *s = cor_storm_of(e, tenant);
    if (s != NULL) {
        counts_fini(&s->counts); /* a scan may give a row twice */
        s->level = int_of(o, "level");
        s->reserve = int_of(o, "reserve");
        s->level_ms = int_of(o, "level_ms");
        s->since_ms = int_of(o, "since_ms");
        s->last_ms = int_of(o, "last_ms");
        s->report_ms = int_of(o, "report_ms");
        s->told = json_is_true(json_object_get(o, "told"));
        counts_load(e, &s->counts, json_object_get(o, "counts"));
    }
    json_decref(o);
    return e->nomem ? HALE_E_NOMEM : HALE_OK;
}

void cor_storm_free_all(struct correlator_engine *e)
{
    struct cor_storm *s = e->dirty_storms, *next;
    size_t it = 0;
    for (; s != NULL; s = next) {
        next = s->next_dirty;
        if (s->gone)
            cor_storm_free(s);
    }
    while (e->storms != NULL && (s = hale_map_next(e->storms, &it, NULL)) != NULL)
        cor_storm_free(s);
    hale_map_free(e->storms);
}
