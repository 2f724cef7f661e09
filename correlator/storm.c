/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/storm.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "correlator/gate.h"
#include "correlator/parts.h"
#include "correlator/storm_parts.h"

#define ID          "rate"
#define TEXT        "too many alarms at once: waits for its turn"
#define RANK_SHIFT  50 /* times in ms fit below */
#define TENANTS_MAX (1u << 16)

static bool is_on(const struct correlator_engine *e)
{
    return e->limits.storm_rate > 0;
}

/* --- the bucket ------------------------------------------------------------------------ */

static int64_t cap_of(const struct correlator_engine *e, int64_t percent)
{
    int64_t cap = e->limits.storm_burst * (COR_STORM_ONE / 100) * percent;
    return cap > COR_STORM_ONE || percent == 0 ? cap : COR_STORM_ONE;
}

static int64_t fill(const struct correlator_engine *e, int64_t level, int64_t percent,
                    int64_t passed_ms)
{
    int64_t cap = cap_of(e, percent), speed = e->limits.storm_rate * percent;
    if (level >= cap || speed <= 0)
        return level < cap ? level : cap;
    return (cap - level) / speed < passed_ms ? cap : level + speed * passed_ms;
}

static int64_t reserved(const struct correlator_engine *e)
{
    return e->limits.storm_reserve;
}

static void accrue(const struct correlator_engine *e, struct cor_storm *s, int64_t now_ms)
{
    if (now_ms <= s->level_ms)
        return;
    s->level = fill(e, s->level, 100 - reserved(e), now_ms - s->level_ms);
    s->reserve = fill(e, s->reserve, reserved(e), now_ms - s->level_ms);
    s->level_ms = now_ms;
}

/* How long until there is so much. */
static int64_t wait_ms(const struct correlator_engine *e, int64_t level, int64_t wanted,
                       int64_t percent)
{
    int64_t speed = e->limits.storm_rate * percent;
    if (level >= wanted)
        return 0;
    return speed > 0 ? (wanted - level + speed - 1) / speed : INT64_MAX / 2;
}

static bool take(int64_t *level)
{
    if (*level < COR_STORM_ONE)
        return false;
    *level -= COR_STORM_ONE;
    return true;
}

/* --- tenants --------------------------------------------------------------------------- */

struct cor_storm *cor_storm_of(struct correlator_engine *e, struct hale_str tenant)
{
    struct cor_storm *s = hale_map_get(e->storms, tenant);
    if (s != NULL)
        return s;
    if (hale_map_count(e->storms) >= TENANTS_MAX) {
        e->stats.refused_storms++;
        return NULL;
    }
    s = cor_got(e, calloc(1, sizeof(*s)));
    if (s == NULL)
        return NULL;
    s->tenant = cor_got(e, strndup(tenant.p, tenant.len));
    if (s->tenant == NULL || hale_map_put(e->storms, tenant, s) != HALE_OK) {
        e->nomem = true;
        cor_storm_free(s);
        return NULL;
    }
    s->due = (struct cor_due){.kind = COR_DUE_STORM, .id = s->tenant, .owner = s};
    s->level = cap_of(e, 100 - reserved(e));
    s->reserve = cap_of(e, reserved(e));
    s->level_ms = cor_stream_ms(e);
    s->told = true;
    return s;
}

static const char *tenant_of(const struct cor_alarm *a)
{
    return a->fault != NULL ? a->fault->tenant : a->node->def->d->tenant;
}

static const char *name_of(const struct cor_alarm *a)
{
    return a->fault != NULL ? a->fault->type : a->node->def->d->name;
}

static struct cor_alarm *first_of(const struct cor_storm *s)
{
    return s->waiting.n > 0 ? s->waiting.heap[1]->owner : NULL;
}

static bool first_is_critical(const struct cor_storm *s)
{
    return s->waiting.n > 0 && cor_severity_of(first_of(s)) == HALE_SEV_CRITICAL;
}

/* When something is to be done for it; 0: it can go. */
static int64_t next_ms(const struct correlator_engine *e, const struct cor_storm *s)
{
    int64_t rest = 100 - reserved(e), at;
    if (s->waiting.n > 0) {
        int64_t wait = wait_ms(e, s->level, COR_STORM_ONE, rest);
        int64_t spare = wait_ms(e, s->reserve, COR_STORM_ONE, reserved(e));
        if (first_is_critical(s) && spare < wait)
            wait = spare;
        at = s->level_ms + (is_on(e) ? wait : 0);
        return s->since_ms != 0 && s->report_ms < at ? s->report_ms : at;
    }
    if (s->since_ms != 0)
        return s->report_ms;
    int64_t full = wait_ms(e, s->level, cap_of(e, rest), rest);
    int64_t spare = wait_ms(e, s->reserve, cap_of(e, reserved(e)), reserved(e));
    if (spare > full && reserved(e) > 0)
        full = spare;
    return is_on(e) && full > 0 ? s->level_ms + full : 0;
}

void cor_storm_rearm(struct correlator_engine *e, struct cor_storm *s)
{
    int64_t at_ms = next_ms(e, s);
    cor_storm_dirty(e, s);
    if (at_ms == 0) { /* as if it had never been */
        cor_due_set(e, &s->due, 0);
        hale_map_del(e->storms, hale_str_from(s->tenant));
        s->gone = true;
        return;
    }
    cor_due_set(e, &s->due, at_ms);
}

/* --- who waits -------------------------------------------------------------------------- */

/* The most severe first, then the oldest. */
static int64_t rank_of(const struct cor_alarm *a)
{
    const struct cor_mute *m = cor_mute_get(a, COR_MUTE_STORM, NULL);
    int64_t since_ms = m != NULL && m->since_ms > 0 ? m->since_ms : 1;
    return ((int64_t)(HALE_SEV_CRITICAL - cor_severity_of(a)) << RANK_SHIFT) + since_ms;
}

static void enqueue(struct correlator_engine *e, struct cor_storm *s, struct cor_alarm *a)
{
    a->life.storm_at = s;
    cor_dues_set(e, &s->waiting, &a->life.storm, rank_of(a));
    e->stats.storm_waiting++;
}

static void dequeue(struct correlator_engine *e, struct cor_life *l)
{
    cor_dues_set(e, &l->storm_at->waiting, &l->storm, 0);
    l->storm_at = NULL;
    e->stats.storm_waiting--;
}

void cor_storm_leave(struct correlator_engine *e, struct cor_life *life)
{
    struct cor_storm *s = life->storm_at;
    if (s == NULL)
        return;
    dequeue(e, life);
    s->counts.cleared++;
    s->told = false;
    cor_storm_rearm(e, s);
}

void cor_storm_moved(struct correlator_engine *e, struct cor_alarm *a)
{
    struct cor_storm *s = a->life.storm_at;
    if (s == NULL || a->life.storm.at_ms == rank_of(a))
        return;
    cor_dues_set(e, &s->waiting, &a->life.storm, rank_of(a));
    cor_storm_rearm(e, s);
}

static void begin(struct cor_storm *s, int64_t now_ms)
{
    if (now_ms < s->level_ms)
        now_ms = s->level_ms; /* streams are not read in one order of time */
    if (s->since_ms == 0) {
        s->since_ms = s->report_ms = now_ms > 0 ? now_ms : 1;
    }
    s->last_ms = now_ms;
    s->told = false;
}

/* Not the storm's own alarm. */
static bool concerned(const struct correlator_engine *e, const struct cor_alarm *a)
{
    return is_on(e) && (a->fault == NULL || !cor_fault_is_own(a->fault));
}

void cor_storm_ask(struct correlator_engine *e, struct cor_alarm *a)
{
    if (!concerned(e, a) || e->storm_pass == a)
        return;
    struct cor_storm *s = cor_storm_of(e, hale_str_from(tenant_of(a)));
    if (s == NULL)
        return;
    accrue(e, s, cor_stream_ms(e));
    bool room = s->waiting.n == 0 && take(&s->level);
    if (!room && cor_severity_of(a) == HALE_SEV_CRITICAL)
        room = take(&s->reserve);
    if (!room) {
        cor_mute_set(e, a, COR_MUTE_STORM, ID, 0, TEXT);
        begin(s, cor_stream_ms(e));
        s->counts.held++;
        cor_storm_count(e, &s->counts, name_of(a), cor_severity_of(a));
        e->stats.storm_held++;
        enqueue(e, s, a);
    }
    cor_storm_rearm(e, s);
}

void cor_storm_source(struct correlator_engine *e, struct cor_alarm *a,
                      enum hale_state from)
{
    struct cor_life *l = &a->life;
    (void)from;
    if (a->state == HALE_STATE_OK) {
        cor_storm_leave(e, l);
        cor_mute_end(e, a, COR_MUTE_STORM, NULL);
        return;
    }
    bool told = l->n_mutes == (l->flap.begins ? 1 : 0) &&
                !(l->ended_id != NULL && a->state == l->announced);
    if (told)
        cor_storm_ask(e, a);
}

void cor_storm_refused(struct correlator_engine *e, const char *tenant, const char *name,
                       enum hale_severity severity)
{
    struct cor_storm *s = is_on(e) ? cor_storm_of(e, hale_str_from(tenant)) : NULL;
    if (s == NULL)
        return;
    begin(s, cor_stream_ms(e));
    s->counts.refused++;
    cor_storm_count(e, &s->counts, name, severity);
    cor_storm_rearm(e, s);
}

/* --- by time ------------------------------------------------------------------------------ */

/* The first in the queue may go. One that something else mutes by now needs no room. */
static bool let_go(const struct correlator_engine *e, struct cor_storm *s)
{
    return !is_on(e) || first_of(s)->life.n_mutes > 1 || take(&s->level) ||
           (first_is_critical(s) && take(&s->reserve));
}

void cor_storm_due(struct correlator_engine *e, void *storm, int64_t at_ms)
{
    struct cor_storm *s = storm;
    accrue(e, s, at_ms);
    while (s->waiting.n > 0 && !e->nomem && let_go(e, s)) {
        struct cor_alarm *a = first_of(s);
        dequeue(e, &a->life);
        cor_mute_end(e, a, COR_MUTE_STORM, NULL);
        s->counts.announced += a->life.n_mutes == 0;
        s->told = false;
        cor_storm_rearm(e, s);
        e->storm_pass = a;
        cor_gate_settle(e, a, cor_mute_text(COR_MUTE_STORM), NULL);
        e->storm_pass = NULL;
        if (s->gone)
            return;
        cor_checkpoint(e);
    }
    cor_storm_tell(e, s, at_ms);
    cor_storm_rearm(e, s);
}

void cor_storm_loaded(struct correlator_engine *e)
{
    size_t it = 0;
    struct cor_alarm *a;
    while (!e->nomem && (a = hale_map_next(e->alarms, &it, NULL)) != NULL) {
        if (cor_mute_get(a, COR_MUTE_STORM, NULL) == NULL)
            continue;
        struct cor_storm *s = cor_storm_of(e, hale_str_from(tenant_of(a)));
        if (s != NULL)
            enqueue(e, s, a);
        else
            cor_mute_end(e, a, COR_MUTE_STORM, NULL);
    }
    struct cor_storm *s;
    it = 0;
    while ((s = hale_map_next(e->storms, &it, NULL)) != NULL) {
        int64_t at_ms = next_ms(e, s);
        cor_due_set(e, &s->due, at_ms > 0 ? at_ms : 1);
    }
}
