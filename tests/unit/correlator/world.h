/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_CORRELATOR_WORLD_H
#define TEST_CORRELATOR_WORLD_H
/*
 * world - an engine with a sink that keeps the log and both tables as JSON in memory, and inputs
 * written as short JSON with defaults filled in. world_restart loads a new engine from the tables,
 * as the daemon does. Time and entry ids are given by the test.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/engine.h"

struct world {
    struct correlator_engine *e;
    struct correlator_limits limits;
    json_t *definitions; /* id -> stored JSON value */
    json_t *tables[3];   /* field (\1 for NUL) -> text */
    json_t *log;         /* records */
    int64_t ms;          /* of the current input; also its entry id */
    int64_t due_ms;      /* as the daemon stores it with the positions */
    json_t *windows[2];  /* id -> stored silence, maintenance window */
    char id[32];
    struct correlator_input in;
    bool checkpoint_flushes;
    /* At that checkpoint (1 = the next) flush and keep copies of tables and log: what is found after
     * a kill there. 0: never. */
    unsigned cut_at;
    json_t *cut[4]; /* tables, log */
};

static inline void world_log(void *arg, const struct hale_log_record *r)
{
    struct world *w = arg;
    struct hale_buf b;
    hale_buf_init(&b, 8u << 20);
    enum hale_rc rc = hale_log_record_encode(r, &b);
    HALE_ASSERT(rc == HALE_OK);
    json_t *v = json_loadb(b.p, b.len, 0, NULL);
    HALE_ASSERT(v != NULL);
    HALE_ASSERT(json_integer_value(json_object_get(v, "seq")) ==
                (json_int_t)json_array_size(w->log) + 1);
    json_array_append_new(w->log, v);
    hale_buf_fini(&b);
}

/* Fields of entities have NULs, keys of JSON cannot. */
static inline char *world_field(struct hale_str field)
{
    char *key = malloc(field.len + 1);
    HALE_ASSERT(key != NULL);
    for (size_t i = 0; i < field.len; i++)
        key[i] = field.p[i] == '\0' ? '\1' : field.p[i];
    key[field.len] = '\0';
    return key;
}

static inline void world_put(void *arg, enum correlator_table t, struct hale_str field,
                             struct hale_str value)
{
    struct world *w = arg;
    char *key = world_field(field);
    json_object_set_new(w->tables[t], key, json_stringn(value.p, value.len));
    free(key);
}

static inline void world_del(void *arg, enum correlator_table t, struct hale_str field)
{
    struct world *w = arg;
    char *key = world_field(field);
    (void)json_object_del(w->tables[t], key);
    free(key);
}

static inline void world_checkpoint(void *arg)
{
    struct world *w = arg;
    bool cut = w->cut_at == 1;
    w->cut_at -= w->cut_at > 0;
    if (w->checkpoint_flushes || cut) {
        enum hale_rc rc = correlator_engine_flush(w->e);
        HALE_ASSERT(rc == HALE_OK);
    }
    if (!cut)
        return;
    for (unsigned i = 0; i < 4; i++)
        w->cut[i] = json_copy(i < 3 ? w->tables[i] : w->log);
}

static inline void world_flush(struct world *w)
{
    enum hale_rc rc = correlator_engine_flush(w->e);
    HALE_ASSERT(rc == HALE_OK);
    w->due_ms = correlator_engine_stream_ms(w->e);
}

static inline struct hale_definition *world_decode(const json_t *d)
{
    char *text = json_dumps(d, 0);
    struct hale_definition *out = NULL;
    struct hale_err err = {0};
    enum hale_rc rc = hale_definition_decode(hale_str_from(text), &out, &err);
    if (rc != HALE_OK)
        fprintf(stderr, "%s: %s\n", text, err.text);
    HALE_ASSERT(rc == HALE_OK);
    free(text);
    return out;
}

static inline void world_load_table(struct world *w, enum correlator_table t)
{
    const char *field;
    json_t *value;
    json_object_foreach (w->tables[t], field, value) {
        char *text = strdup(field);
        size_t len = strlen(text);
        for (size_t i = 0; t == CORRELATOR_ENTITIES && i < len; i++)
            text[i] = text[i] == '\1' ? '\0' : text[i];
        enum hale_rc rc = correlator_engine_load(w->e, t, (struct hale_str){text, len},
                                                 hale_str_from(json_string_value(value)));
        free(text);
        HALE_ASSERT(rc == HALE_OK);
    }
}

static inline void world_give_silence(struct world *w, bool maintenance,
                                      const json_t *stored,
                                      const struct correlator_input *in)
{
    struct hale_silence *s = NULL;
    struct hale_err err = {0};
    char *text = json_dumps(stored, 0);
    enum hale_rc rc = hale_silence_decode(hale_str_from(text), maintenance, &s, &err);
    if (rc != HALE_OK)
        fprintf(stderr, "%s: %s\n", text, err.text);
    HALE_ASSERT(rc == HALE_OK);
    free(text);
    rc = correlator_engine_silence(w->e, s, in);
    HALE_ASSERT(rc == HALE_OK);
}

static inline void world_boot(struct world *w)
{
    const struct correlator_sink sink = {w, world_log, world_put, world_del,
                                         world_checkpoint};
    const char *id;
    json_t *d;
    w->e = correlator_engine_new(&w->limits, &sink);
    HALE_ASSERT(w->e != NULL);
    json_object_foreach (w->definitions, id, d) {
        enum hale_rc rc = correlator_engine_define(w->e, world_decode(d), NULL);
        HALE_ASSERT(rc == HALE_OK);
    }
    /* Loading deletes rows: iterate over copies. */
    json_t *kept[3];
    struct world view = *w;
    for (unsigned i = 0; i < 3; i++) {
        kept[i] = view.tables[i] = w->tables[i];
        w->tables[i] = json_copy(kept[i]);
    }
    world_load_table(&view, CORRELATOR_ENTITIES);
    world_load_table(&view, CORRELATOR_SUBS);
    world_load_table(&view, CORRELATOR_ALARMS);
    for (unsigned i = 0; i < 3; i++)
        json_decref(kept[i]);
    for (unsigned k = 0; k < 2; k++) {
        json_object_foreach (w->windows[k], id, d)
            world_give_silence(w, k == 1, d, NULL);
    }
    w->in = (struct correlator_input){"0-0", w->due_ms, w->ms * 1000};
    enum hale_rc rc =
        correlator_engine_loaded(w->e, (int64_t)json_array_size(w->log), &w->in);
    HALE_ASSERT(rc == HALE_OK);
    world_flush(w);
}

static inline void world_init(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->limits =
        (struct correlator_limits){.max_alarms = 1000,
                                   .max_subs = 10000,
                                   .max_metrics = 20,
                                   .cause_window_ms = CORRELATOR_CAUSE_WINDOW_MS,
                                   .hold_max_ms = CORRELATOR_HOLD_MAX_MS,
                                   .clear_hold_ms = CORRELATOR_CLEAR_HOLD_MS,
                                   .clear_hold_max_ms = CORRELATOR_CLEAR_HOLD_MAX_MS};
    w->definitions = json_object();
    for (unsigned i = 0; i < 3; i++)
        w->tables[i] = json_object();
    w->log = json_array();
    w->windows[0] = json_object();
    w->windows[1] = json_object();
    w->ms = 1000000;
    world_boot(w);
}

static inline void world_fini(struct world *w)
{
    correlator_engine_free(w->e);
    json_decref(w->definitions);
    for (unsigned i = 0; i < 3; i++)
        json_decref(w->tables[i]);
    json_decref(w->log);
    json_decref(w->windows[0]);
    json_decref(w->windows[1]);
}

static inline void world_restart(struct world *w)
{
    correlator_engine_free(w->e);
    world_boot(w);
}

/* Killed at the cut: the world is as it was there, before the input that it was in. */
static inline void world_restart_at_cut(struct world *w)
{
    for (unsigned i = 0; i < 3; i++) {
        json_decref(w->tables[i]);
        w->tables[i] = w->cut[i];
    }
    json_decref(w->log);
    w->log = w->cut[3];
    memset(w->cut, 0, sizeof(w->cut));
    w->ms--;
    world_restart(w);
}

/* --- inputs; each advances time by 1 ms ---------------------------------------------- */

static inline const struct correlator_input *world_next(struct world *w)
{
    w->ms++;
    (void)snprintf(w->id, sizeof(w->id), "%" PRId64 "-0", w->ms);
    w->in = (struct correlator_input){w->id, w->ms, w->ms * 1000};
    return &w->in;
}

/* Value of given over defaults. Steals defaults. */
static inline json_t *world_fill(json_t *defaults, const json_t *given)
{
    HALE_ASSERT(defaults != NULL);
    json_object_update(defaults, (json_t *)(uintptr_t)given);
    return defaults;
}

static inline enum hale_rc world_define(struct world *w, const json_t *given)
{
    const char *id = json_string_value(json_object_get(given, "id"));
    json_t *d = world_fill(
        json_pack("{s:i,s:s,s:s,s:s,s:[],s:s,s:b,s:[],s:[],s:[],s:s,s:i,s:i,s:i}", "v", 1,
                  "tenant", "t", "name", id, "description", "", "match_by", "severity",
                  "HIGH", "actions_enabled", 1, "ok_actions", "alarm_actions",
                  "undetermined_actions", "semantics", "hale", "version", 1, "created_ms",
                  1, "updated_ms", 1),
        given);
    json_object_set(w->definitions, id, d);
    enum hale_rc rc = correlator_engine_define(w->e, world_decode(d), world_next(w));
    json_decref(d);
    return rc;
}

static inline enum hale_rc world_undefine(struct world *w, const char *id)
{
    (void)json_object_del(w->definitions, id);
    return correlator_engine_undefine(w->e, id, world_next(w));
}

static inline enum hale_rc world_sub(struct world *w, const json_t *given)
{
    struct hale_sub_record r;
    json_t *j = world_fill(
        json_pack("{s:i,s:i,s:i,s:{},s:s,s:i,s:[],s:{s:i,s:i},s:[],s:i,s:i}", "v", 1,
                  "definition_version", 1, "sub", 0, "group", "state", "UNDETERMINED",
                  "at_ms", 5, "values", "window", "start_ms", 1, "end_ms", 2, "metrics",
                  "accepted_us", 7, "decided_us", 8),
        given);
    char *text = json_dumps(j, 0);
    enum hale_rc rc = hale_sub_record_decode(hale_str_from(text), &r);
    HALE_ASSERT(rc == HALE_OK);
    rc = correlator_engine_sub(w->e, &r, world_next(w));
    hale_sub_record_fini(&r);
    free(text);
    json_decref(j);
    return rc;
}

static inline enum hale_rc world_event(struct world *w, const json_t *given)
{
    struct hale_event ev;
    json_t *j = world_fill(
        json_pack("{s:i,s:s,s:s,s:i,s:s,s:s,s:{s:s},s:{},s:i}", "v", 1, "tenant", "t",
                  "type", "link.down", "time_ms", 100, "severity", "CRITICAL", "status",
                  "raise", "dimensions", "host", "h1", "details", "accepted_us", 9),
        given);
    char *text = json_dumps(j, 0);
    enum hale_rc rc = hale_event_decode(hale_str_from(text), &ev);
    HALE_ASSERT(rc == HALE_OK);
    const struct correlator_input *in = world_next(w);
    rc = correlator_engine_due(w->e, in->entry_ms, in);
    HALE_ASSERT(rc == HALE_OK);
    rc = correlator_engine_event(w->e, &ev, in);
    hale_event_fini(&ev);
    free(text);
    json_decref(j);
    return rc;
}

/* The stream is read to its end, and this is its time. */
static inline enum hale_rc world_idle(struct world *w)
{
    const struct correlator_input *in = world_next(w);
    return correlator_engine_due(w->e, in->entry_ms, in);
}

/* A silence (or window) as stored; missing keys are filled in. NULL: deleted. */
static inline void world_silence(struct world *w, bool maintenance, const char *id,
                                 const json_t *given)
{
    const struct correlator_input *in = world_next(w);
    enum hale_rc rc = correlator_engine_due(w->e, in->entry_ms, in);
    HALE_ASSERT(rc == HALE_OK);
    if (given == NULL) {
        (void)json_object_del(w->windows[maintenance], id);
        rc = correlator_engine_unsilence(w->e, maintenance, id, in);
        HALE_ASSERT(rc == HALE_OK);
        return;
    }
    json_t *s = world_fill(json_pack("{s:i,s:s,s:s,s:[],s:I,s:i,s:s,s:s,s:i,s:i,s:i,s:s}",
                                     "v", 1, "id", id, "tenant", "t", "matchers",
                                     "starts_ms", (json_int_t)w->ms, "ends_ms", 0,
                                     "author", "ann", "reason", "", "created_ms", 1,
                                     "updated_ms", 1, "duration_s", 1, "zone", "UTC"),
                           given);
    json_object_set(w->windows[maintenance], id, s);
    world_give_silence(w, maintenance, s, in);
    json_decref(s);
}

/* "alarm": n instead of "id": the alarm of the n-th log record (from 1). */
static inline enum hale_rc world_control(struct world *w, const json_t *given)
{
    struct hale_control c;
    json_t *j = world_fill(
        json_pack("{s:i,s:s,s:{}}", "v", 1, "definition_id", "d", "group"), given);
    json_t *nth = json_object_get(j, "alarm");
    if (nth != NULL)
        json_object_set(
            j, "id",
            json_object_get(
                json_object_get(
                    json_array_get(w->log, (size_t)json_integer_value(nth) - 1), "alarm"),
                "id"));
    char *text = json_dumps(j, 0);
    enum hale_rc rc = hale_control_decode(hale_str_from(text), &c);
    if (rc == HALE_OK)
        rc = correlator_engine_control(w->e, &c, world_next(w));
    hale_control_fini(&c);
    free(text);
    json_decref(j);
    return rc;
}

/* An update of the topology; tenant, source and time are filled in. */
static inline enum hale_rc world_topology(struct world *w, const json_t *given)
{
    struct hale_topology_update u;
    struct hale_err err = {0};
    json_t *j = world_fill(json_pack("{s:i,s:s,s:s,s:i}", "v", 1, "tenant", "t", "source",
                                     "test", "at_ms", 1),
                           given);
    char *text = json_dumps(j, 0);
    enum hale_rc rc = hale_topology_update_decode(hale_str_from(text), &u, &err);
    if (rc != HALE_OK)
        fprintf(stderr, "%s: %s\n", text, err.text);
    HALE_ASSERT(rc == HALE_OK);
    rc = correlator_engine_topology(w->e, &u, world_next(w));
    hale_topology_update_fini(&u);
    free(text);
    json_decref(j);
    return rc;
}
#endif
