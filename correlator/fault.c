/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault - alarms from fault events. An alarm is (tenant, type, dimensions); raise and clear move it
 * between OK and ALARM. Event times are compared only with each other: the monitor's clock need
 * not agree with ours. Cleared alarms stay until somebody deletes them or room is needed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/parts.h"

/* Refreshes of one alarm that are logged per window of stream time. A monitor that sends its
 * counters as details with each repeat would fill the log otherwise. */
#define RATION_WINDOW_MS 60000
#define RATION_MAX       10
#define SUMMARY_MAX      1024

void cor_fault_free(struct cor_fault *f)
{
    if (f == NULL)
        return;
    free(f->tenant);
    free(f->type);
    free(f->dims);
    free(f->evidence);
    free(f);
}

bool cor_fault_is_own(const struct cor_fault *f)
{
    return strcmp(f->type, COR_STORM_TYPE) == 0;
}

void cor_fault_key(const char *tenant, const char *type, const char *dims,
                   struct hale_buf *out)
{
    hale_buf_printf(out, "%zu:%s%zu:%s%s", strlen(tenant), tenant, strlen(type), type,
                    dims);
}

/* --- cleared alarms, oldest first ---------------------------------------------------- */

void cor_fault_uncleared(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_fault *f = a->fault;
    if (f->older == NULL && f->newer == NULL && e->oldest_cleared != a)
        return;
    if (f->older != NULL)
        f->older->fault->newer = f->newer;
    else
        e->oldest_cleared = f->newer;
    if (f->newer != NULL)
        f->newer->fault->older = f->older;
    else
        e->newest_cleared = f->older;
    f->older = f->newer = NULL;
}

void cor_fault_cleared(struct correlator_engine *e, struct cor_alarm *a)
{
    HALE_ASSERT(a->fault->older == NULL && a->fault->newer == NULL &&
                e->oldest_cleared != a);
    a->fault->older = e->newest_cleared;
    if (e->newest_cleared != NULL)
        e->newest_cleared->fault->newer = a;
    else
        e->oldest_cleared = a;
    e->newest_cleared = a;
}

bool cor_fault_evict(struct correlator_engine *e)
{
    if (e->oldest_cleared == NULL)
        return false;
    e->stats.evicted++;
    cor_alarm_delete(e, e->oldest_cleared);
    return true;
}

/* --- texts --------------------------------------------------------------------------- */

static void add_summary(const json_t *details, struct hale_buf *out)
{
    /* Sorted by going through the canonical text: order of keys in details says nothing. */
    char *text = cor_json_text(details);
    json_t *sorted = text != NULL ? json_loads(text, 0, NULL) : NULL;
    const char *key, *sep = ": ";
    json_t *value;
    json_object_foreach (sorted, key, value) {
        if (out->len > SUMMARY_MAX) {
            hale_buf_add_c(out, ", ...");
            break;
        }
        hale_buf_printf(out, "%s%s=", sep, key);
        sep = ", ";
        if (json_is_string(value)) {
            hale_buf_printf(out, "%.256s", json_string_value(value));
            continue;
        }
        char *inner = cor_json_text(value);
        if (inner != NULL)
            hale_buf_printf(out, "%.256s", inner);
        free(inner);
    }
    json_decref(sorted);
    free(text);
}

static char *reason_of(struct correlator_engine *e, const struct hale_event *ev)
{
    struct hale_buf out;
    hale_buf_init(&out, COR_RECORD_MAX);
    hale_buf_printf(&out, "Fault event %s%s", ev->type, ev->clear ? " cleared" : "");
    add_summary(json_object_size(ev->details) > 0 ? ev->details : ev->dimensions, &out);
    char *text = out.failed ? NULL : hale_buf_take(&out);
    hale_buf_fini(&out);
    return cor_got(e, text);
}

static char *evidence_of(struct correlator_engine *e, const struct hale_event *ev)
{
    json_t *o = json_pack("{s:s, s:I, s:s, s:O?}", "type", ev->type, "time_ms",
                          (json_int_t)ev->time_ms, "status",
                          ev->clear ? "clear" : "raise", "details", ev->details);
    char *text = o != NULL ? cor_json_text(o) : NULL;
    json_decref(o);
    return cor_got(e, text);
}

/* What makes a repeat a change. Of an alert only the annotations: where it comes from and since when
 * differ between the two Prometheus of a pair, which would be a change with each repeat. */
static uint64_t details_hash(struct correlator_engine *e, const struct hale_event *ev)
{
    const json_t *alert =
        ev->expires_ms > 0 ? json_object_get(ev->details, "annotations") : NULL;
    const json_t *told = alert != NULL ? alert : ev->details;
    char *text = told != NULL ? cor_json_text(told) : strdup("");
    uint64_t hash = text != NULL ? hale_id_hash64(text, strlen(text)) : 0;
    cor_got(e, text);
    free(text);
    return hash;
}

/* --- life ---------------------------------------------------------------------------- */

static struct cor_fault *fault_new(struct correlator_engine *e,
                                   const struct hale_event *ev, const char *dims)
{
    struct cor_fault *f = cor_got(e, calloc(1, sizeof(*f)));
    if (f == NULL)
        return NULL;
    f->tenant = cor_strdup(e, ev->tenant);
    f->type = cor_strdup(e, ev->type);
    f->dims = cor_strdup(e, dims);
    f->severity = ev->severity;
    if (e->nomem) {
        cor_fault_free(f);
        return NULL;
    }
    return f;
}

/* Of several senders of one alert the one that lasts longest counts. */
static int64_t expiry_of(const struct cor_alarm *a, const struct hale_event *ev)
{
    int64_t now = cor_expiry_of(a);
    if (ev->clear || ev->expires_ms == 0)
        return 0;
    return now > ev->expires_ms ? now : ev->expires_ms;
}

/* A repeat that is not logged still says that the fault is there. */
static void extend(struct correlator_engine *e, struct cor_alarm *a,
                   const struct hale_event *ev)
{
    int64_t to = expiry_of(a, ev);
    if (to == cor_expiry_of(a))
        return;
    cor_expiry_set(e, a, to);
    cor_alarm_dirty(e, a);
}

/* What this event changed: reason, evidence, severity. */
static void take_event(struct correlator_engine *e, struct cor_alarm *a,
                       const struct hale_event *ev)
{
    char *reason = reason_of(e, ev), *text = evidence_of(e, ev);
    if (reason != NULL) {
        free(a->reason);
        a->reason = reason;
    }
    if (text != NULL) {
        free(a->fault->evidence);
        a->fault->evidence = text;
    }
    if (!ev->clear)
        a->fault->severity = ev->severity;
    a->fault->details_hash = details_hash(e, ev);
    a->fault->changed_ms = ev->time_ms;
    cor_expiry_set(e, a, expiry_of(a, ev));
    a->updated_ms = cor_now_ms(e);
    a->manual = false;
}

static void move_to(struct correlator_engine *e, struct cor_alarm *a,
                    const struct hale_event *ev, enum hale_state to)
{
    enum hale_state from = a->state;
    take_event(e, a, ev);
    cor_fault_uncleared(e, a);
    cor_alarm_set_state(e, a, to);
    a->state_updated_ms = cor_now_ms(e);
    cor_emit(e, a, HALE_ALARM_TRANSITION, from);
    if (to == HALE_STATE_OK)
        cor_fault_cleared(e, a);
}

static void create(struct correlator_engine *e, const struct hale_event *ev,
                   const char *dims)
{
    char id[HALE_UUID_TEXT];
    struct hale_buf key;
    hale_buf_init(&key, COR_RECORD_MAX);
    cor_fault_key(ev->tenant, ev->type, dims, &key);
    size_t len = key.len;
    hale_buf_printf(&key, "\n%s", e->in->entry_id);
    if (key.failed)
        e->nomem = true;
    else
        hale_id_uuid_from(key.p, key.len, id);
    struct cor_alarm *a = e->nomem ? NULL : cor_alarm_new(e, id, HALE_STATE_OK);
    struct cor_fault *f = a != NULL ? fault_new(e, ev, dims) : NULL;
    if (a != NULL)
        a->fault = f;
    if (f != NULL && hale_map_put(e->faults, (struct hale_str){key.p, len}, a) != HALE_OK)
        e->nomem = true;
    hale_buf_fini(&key);
    if (a == NULL && !e->nomem)
        cor_storm_refused(e, ev->tenant, ev->type, ev->severity);
    if (f == NULL || e->nomem)
        return;
    e->own_alarms += cor_fault_is_own(f);
    take_event(e, a, ev);
    a->created_ms = a->state_updated_ms = cor_now_ms(e);
    cor_emit(e, a, HALE_ALARM_CREATED, HALE_STATE_OK);
    move_to(e, a, ev, HALE_STATE_ALARM);
}

static void refresh(struct correlator_engine *e, struct cor_alarm *a,
                    const struct hale_event *ev)
{
    struct cor_fault *f = a->fault;
    bool severity = ev->severity != f->severity;
    if (!severity && details_hash(e, ev) == f->details_hash) {
        e->stats.events_repeated++;
        extend(e, a, ev);
        return;
    }
    if (e->in->entry_ms - f->ration_ms >= RATION_WINDOW_MS ||
        e->in->entry_ms < f->ration_ms) {
        f->ration_ms = e->in->entry_ms;
        f->ration_used = 0;
    }
    if (!severity && f->ration_used >= RATION_MAX) {
        e->stats.events_rationed++;
        extend(e, a, ev);
        return;
    }
    f->ration_used++;
    take_event(e, a, ev);
    cor_emit(e, a, HALE_ALARM_UPDATED, a->state);
}

/* Whether it is logged or not: the monitor looked, and it still fails. */
static void repeat(struct correlator_engine *e, struct cor_alarm *a,
                   const struct hale_event *ev)
{
    refresh(e, a, ev);
    cor_cause_evaluated(e, a, e->in->entry_ms, e->in->entry_ms);
}

static struct cor_alarm *find(struct correlator_engine *e, const struct hale_event *ev,
                              const char *dims)
{
    hale_buf_reset(&e->scratch);
    cor_fault_key(ev->tenant, ev->type, dims, &e->scratch);
    if (e->scratch.failed) {
        e->nomem = true;
        return NULL;
    }
    return hale_map_get(e->faults, hale_buf_str(&e->scratch));
}

static void handle(struct correlator_engine *e, const struct hale_event *ev,
                   const char *dims)
{
    struct cor_alarm *a = find(e, ev, dims);
    if (e->nomem)
        return;
    if (a == NULL && ev->clear)
        e->stats.events_clear_idle++;
    else if (a == NULL)
        create(e, ev, dims);
    else if (ev->time_ms < a->fault->changed_ms)
        e->stats.events_old++;
    else if (ev->clear && a->state == HALE_STATE_OK)
        e->stats.events_clear_idle++;
    else if (ev->clear)
        move_to(e, a, ev, HALE_STATE_OK);
    else if (a->state == HALE_STATE_ALARM)
        repeat(e, a, ev);
    else
        move_to(e, a, ev, HALE_STATE_ALARM);
}

struct cor_alarm *cor_fault_deduce(struct correlator_engine *e, struct hale_event *ev,
                                   bool quiet)
{
    char *dims = cor_got(e, cor_json_text(ev->dimensions));
    struct cor_alarm *a = dims != NULL ? find(e, ev, dims) : NULL;
    struct cor_fault *f = a != NULL ? a->fault : NULL;
    bool same = f != NULL && !ev->clear && a->state == HALE_STATE_ALARM && f->deduced &&
                f->severity == ev->severity && details_hash(e, ev) == f->details_hash;
    /* Not older than what it follows: a correlator that reads late is not a reason to ignore it. */
    ev->time_ms =
        f != NULL && f->changed_ms > cor_stream_ms(e) ? f->changed_ms : cor_stream_ms(e);
    if (!same && quiet) {
        a = NULL;
    } else if (dims != NULL && !same && !e->nomem) {
        handle(e, ev, dims);
        a = find(e, ev, dims);
    }
    if (a != NULL && a->fault != NULL) {
        a->fault->asked = !ev->clear;
        a->fault->deduced |= !ev->clear;
    }
    free(dims);
    return a;
}

void cor_fault_undeduce(struct correlator_engine *e, struct cor_alarm *a)
{
    cor_fault_end(e, a, cor_strdup(e, "No rule asks for it any more"), "clear",
                  cor_stream_ms(e));
}

enum hale_rc correlator_engine_event(struct correlator_engine *e,
                                     const struct hale_event *ev,
                                     const struct correlator_input *in)
{
    cor_begin(e, in, ev->accepted_us, ev->accepted_us);
    char *dims = cor_got(e, cor_json_text(ev->dimensions));
    if (dims != NULL)
        handle(e, ev, dims);
    free(dims);
    return cor_result(e, HALE_OK);
}

void cor_fault_own(struct correlator_engine *e, const struct hale_event *ev,
                   int64_t at_ms)
{
    const struct correlator_input *outer = e->in;
    int64_t accepted_us = e->accepted_us, decided_us = e->decided_us;
    struct correlator_input in = *outer;
    char id[32];
    (void)snprintf(id, sizeof(id), "%" PRId64 "-own", at_ms);
    in.entry_id = id; /* of the clock's input it would always be the same */
    char *dims = cor_got(e, cor_json_text(ev->dimensions));
    e->in = &in;
    e->accepted_us = 0;
    e->decided_us = in.now_us;
    e->own_event = true;
    if (dims != NULL)
        handle(e, ev, dims);
    free(dims);
    e->own_event = false;
    e->in = outer;
    e->accepted_us = accepted_us;
    e->decided_us = decided_us;
}
