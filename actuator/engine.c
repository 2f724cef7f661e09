/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/engine_private.h"
#include "base/assert.h"
#include "base/log.h"
#include "model/topology.h"

#define ROW_MAX_BYTES   (256u << 10)
#define SWITCHES_MAX    4096
#define EVENT_MAX_BYTES (16u << 10)
#define GUARDS_MAX      100000

static void free_run(void *run)
{
    actuator_run_free(run);
}

static void free_json(void *json)
{
    json_decref(json);
}

struct actuator_engine *actuator_engine_new(const struct actuator_engine_io *io,
                                            const struct actuator_policies *policies)
{
    struct actuator_engine *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->magic = ENGINE_MAGIC;
    e->io = *io;
    e->policies = policies;
    e->runs = hale_map_new(ACTUATOR_RUNS_MAX + 16, free_run);
    e->leases = hale_map_new(ACTUATOR_RUNS_MAX + 16, NULL);
    e->turns = hale_map_new(ACTUATOR_RUNS_MAX + 16, NULL);
    e->guards = hale_map_new(GUARDS_MAX, free_json);
    e->done = hale_map_new(ACTUATOR_DONE_KEPT + 16, NULL);
    e->done_ring = calloc(ACTUATOR_DONE_KEPT, sizeof(*e->done_ring));
    e->forget = calloc(ENGINE_FORGET_MAX, sizeof(*e->forget));
    e->timers = hale_timers_new(ACTUATOR_RUNS_MAX + 16);
    e->watch = actuator_watch_new();
    e->switches = hale_map_new(SWITCHES_MAX, free_json);
    e->fleets = hale_map_new(ENGINE_FLEETS_MAX, storms_free);
    for (unsigned i = 0; i < ENGINE_ROWS_MAX; i++)
        hale_buf_init(&e->row_buf[i], ROW_MAX_BYTES);
    for (unsigned i = 0; i < ACTUATOR_EVENTS_MAX; i++)
        hale_buf_init(&e->event_buf[i], EVENT_MAX_BYTES);
    if (e->runs == NULL || e->leases == NULL || e->turns == NULL || e->guards == NULL ||
        e->done == NULL || e->done_ring == NULL || e->forget == NULL ||
        e->timers == NULL || e->watch == NULL || e->switches == NULL ||
        e->fleets == NULL) {
        actuator_engine_free(e);
        return NULL;
    }
    memory_set_policies(e);
    return e;
}

void actuator_engine_free(struct actuator_engine *e)
{
    if (e == NULL)
        return;
    hale_map_free(e->leases);
    hale_map_free(e->turns);
    hale_map_free(e->runs);
    hale_map_free(e->guards);
    hale_map_free(e->done);
    hale_timers_free(e->timers);
    actuator_watch_free(e->watch);
    hale_map_free(e->switches);
    hale_map_free(e->fleets);
    for (unsigned i = 0; i < ENGINE_ROWS_MAX; i++)
        hale_buf_fini(&e->row_buf[i]);
    for (unsigned i = 0; i < ACTUATOR_EVENTS_MAX; i++)
        hale_buf_fini(&e->event_buf[i]);
    free(e->done_ring);
    free(e->forget);
    free(e);
}

void actuator_engine_set_policies(struct actuator_engine *e,
                                  const struct actuator_policies *policies)
{
    HALE_CHECK(e, ENGINE_MAGIC);
    e->policies = policies;
    memory_set_policies(e);
    if (e->started)
        latch_check(e);
}

bool actuator_engine_wants_topology(const struct actuator_policies *policies)
{
    for (unsigned i = 0; i < actuator_policies_count(policies); i++)
        if (actuator_policies_at(policies, i)->guards.fleet.type != NULL)
            return true;
    return false;
}

void actuator_engine_set_collector(struct actuator_engine *e,
                                   const struct actuator_collector *collector)
{
    HALE_CHECK(e, ENGINE_MAGIC);
    e->collector = collector;
}

/* --- tables ------------------------------------------------------------------------ */

struct actuator_run *engine_find(const struct actuator_engine *e, const char *run_id)
{
    return hale_map_get(e->runs, hale_str_from(run_id));
}

void engine_forget_record(struct actuator_engine *e, const char *run_id)
{
    if (e->forget_n < ENGINE_FORGET_MAX)
        memcpy(e->forget[e->forget_n++], run_id, HALE_UUID_TEXT);
}

static void remember_done(struct actuator_engine *e, const struct actuator_run *r)
{
    struct done_run *slot = &e->done_ring[e->done_at];
    if (e->done_n == ACTUATOR_DONE_KEPT) {
        hale_map_del(e->done, hale_str_from(slot->id));
        engine_forget_record(e, slot->id);
    } else {
        e->done_n++;
    }
    memcpy(slot->id, r->id, sizeof(slot->id));
    memcpy(slot->op_occ, r->op_occ, sizeof(slot->op_occ));
    memcpy(slot->outcome, r->outcome, sizeof(slot->outcome));
    (void)snprintf(slot->why, sizeof(slot->why), "%s", r->ended);
    if (hale_map_put(e->done, hale_str_from(slot->id), slot) != HALE_OK)
        hale_error("event=out_of_memory what=done_runs");
    e->done_at = (e->done_at + 1) % ACTUATOR_DONE_KEPT;
}

void engine_release_lease(struct actuator_engine *e, struct actuator_run *r)
{
    if (hale_map_get(e->leases, hale_str_from(r->target)) == r)
        hale_map_del(e->leases, hale_str_from(r->target));
    turn_over(e, r);
}

void engine_forget_run(struct actuator_engine *e, struct actuator_run *r)
{
    engine_release_lease(e, r);
    hale_timers_disarm(e->timers, &r->timer);
    remember_done(e, r);
    hale_map_del(e->runs, hale_str_from(r->id));
}

bool engine_op_taken(const char *op_id, void *engine)
{
    const struct actuator_engine *e = engine;
    const struct actuator_run *r;
    size_t it = 0;
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (strcmp(r->op_occ, op_id) == 0)
            return true;
    for (unsigned i = 0; i < e->done_n; i++)
        if (strcmp(e->done_ring[i].op_occ, op_id) == 0)
            return true;
    return false;
}

bool engine_known(const struct actuator_engine *e, const char *run_id)
{
    return engine_find(e, run_id) != NULL ||
           hale_map_get(e->done, hale_str_from(run_id)) != NULL;
}

/* --- records ----------------------------------------------------------------------- */

static void alarm_changed(struct actuator_engine *e, struct actuator_run *r, bool gone,
                          enum hale_state state, int64_t at_us)
{
    if (r->state == ACTUATOR_DONE)
        return;
    if (gone)
        r->alarm_gone = true;
    else if (state == HALE_STATE_OK && r->cleared_us == 0)
        r->cleared_us = at_us;
    else if (state == HALE_STATE_ALARM && r->alarm_state != HALE_STATE_OK)
        r->cleared_us = 0;
    r->withdrawn = r->withdrawn || (int)state != r->alarm_state;
    if (r->state == ACTUATOR_WAITING && (gone || (int)state != r->alarm_state) &&
        r->busy == 0) {
        engine_forget_record(e, r->id);
        engine_forget_run(e, r);
    } else if (r->state == ACTUATOR_WAITING && (gone || (int)state != r->alarm_state)) {
        r->after = AFTER_FORGET;
    }
}

void actuator_engine_alarm_now(struct actuator_engine *e, const char *alarm_id, bool gone,
                               enum hale_state state, int64_t seq, int64_t changed_us)
{
    struct actuator_run *r;
    size_t it = 0;
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (strcmp(r->alarm_id, alarm_id) == 0 && (gone || seq > r->alarm_seq))
            alarm_changed(e, r, gone, state, changed_us);
}

/* When the newest data came that decided about the alarm; 0: the record is about other things. */
static int64_t data_us(const struct hale_log_record *rec)
{
    bool decided = rec->kind == HALE_ALARM_TRANSITION || rec->kind == HALE_ALARM_CREATED;
    if (rec->accepted_us > 0 || !decided)
        return rec->accepted_us;
    return rec->decided_us > 0 ? rec->decided_us : rec->logged_us;
}

void actuator_engine_load_watch(struct actuator_engine *e, const struct hale_alarm *a)
{
    (void)actuator_watch_put(e->watch, a, false, 0); /* nothing was asked yet */
}

/* Does the policy act on alarms that are muted like this? */
static bool acts_on_muted(const struct actuator_policy *p, unsigned mutes)
{
    return mutes != 0 && (mutes & ACTUATOR_MUTE_OTHER) == 0 &&
           ((mutes & ACTUATOR_MUTE_MAINTENANCE) == 0 || p->guards.ignore_maintenance) &&
           ((mutes & ACTUATOR_MUTE_CAUSE) == 0 || !p->root_cause);
}

/* Is the record for the policy? A muted alarm's is for those that ignore what mutes it; when that
 * ends and the others are told, they have acted already. */
static bool concerns(const struct actuator_engine *e, const struct actuator_policy *p,
                     const struct hale_log_record *rec)
{
    const struct actuator_watched *x = actuator_watch_find(e->watch, rec->alarm.id);
    if (strncmp(rec->alarm.definition_name, "hale.loop.", 10) == 0 &&
        p->definition.n == 0)
        return false; /* a loop does not follow loops unless it is told to */
    if (rec->announce)
        return rec->kind != HALE_ALARM_UPDATED || x == NULL ||
               !acts_on_muted(p, x->born_mutes);
    return rec->kind == HALE_ALARM_TRANSITION && x != NULL && acts_on_muted(p, x->mutes);
}

static json_t *vars_of(const struct hale_log_record *rec)
{
    char entity[HALE_TOPOLOGY_REF_MAX];
    json_t *vars = actuator_policy_vars(rec);
    if (vars != NULL && actuator_watch_entity(rec->alarm.life, entity)[0] != '\0' &&
        json_object_set_new(vars, "alarm.entity", json_string(entity)) != 0) {
        json_decref(vars);
        return NULL;
    }
    return vars;
}

void actuator_engine_record(struct actuator_engine *e, const struct hale_log_record *rec,
                            bool superseded, int64_t now_us)
{
    struct actuator_run *r;
    size_t it = 0;
    HALE_CHECK(e, ENGINE_MAGIC);
    e->now_us = now_us;
    if (actuator_watch_put(e->watch, &rec->alarm, rec->kind == HALE_ALARM_DELETED,
                           data_us(rec)))
        storms_check(e);
    actuator_engine_alarm_now(e, rec->alarm.id, rec->kind == HALE_ALARM_DELETED,
                              rec->alarm.state, rec->seq,
                              rec->logged_us > 0 ? rec->logged_us : now_us);
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (strcmp(r->alarm_id, rec->alarm.id) == 0)
            life_alarm_moved(e, r);

    if ((!rec->announce && rec->kind != HALE_ALARM_TRANSITION) ||
        rec->kind == HALE_ALARM_DELETED)
        return; /* nothing that there is a plan for */
    json_t *vars = vars_of(rec);
    struct engine_trigger t = {.tenant = rec->alarm.tenant,
                               .alarm_id = rec->alarm.id,
                               .alarm_name = rec->alarm.definition_name,
                               .vars = vars,
                               .seq = rec->seq,
                               .accepted_us = rec->accepted_us,
                               .logged_us = rec->logged_us,
                               .since_us = rec->alarm.state_updated_ms * 1000,
                               .state = (int)rec->alarm.state};
    if (superseded) {
        t.refused = "superseded";
        t.why = "the alarm has changed again since: this is old news";
    } else if (!rec->alarm.actions_enabled) {
        t.refused = "actions_disabled";
        t.why = "the alarm definition has actions_enabled: false";
    }
    unsigned selected = 0;
    for (unsigned i = 0; vars != NULL && i < e->policies->n; i++) {
        const struct actuator_policy *p = &e->policies->v[i];
        if (!concerns(e, p, rec) || !actuator_policy_selects(p, rec, vars))
            continue;
        if (selected++ > 0)
            engine_fire(e, &t);
        t.policy = p;
    }
    t.position =
        rec->seq; /* with the last one: after a crash before it the record is read again */
    if (selected > 0)
        engine_fire(e, &t);
    json_decref(vars);
}

/* --- the rest of the interface ----------------------------------------------------- */

enum hale_rc actuator_engine_load_run(struct actuator_engine *e, struct hale_str json)
{
    struct actuator_run *r = NULL;
    enum hale_rc rc = actuator_run_decode(json, &r);
    if (rc != HALE_OK)
        return rc;
    if (r->state == ACTUATOR_DONE || engine_known(e, r->id)) {
        if (!engine_known(e, r->id))
            remember_done(e, r);
        actuator_run_free(r);
        return HALE_OK;
    }
    r->timer.owner = r;
    rc = hale_map_put(e->runs, hale_str_from(r->id), r);
    if (rc != HALE_OK) {
        actuator_run_free(r);
        return rc;
    }
    if (r->state == ACTUATOR_WAITING || r->state == ACTUATOR_PROPOSED)
        return HALE_OK;
    turn_loaded(e, r);
    return hale_map_put(e->leases, hale_str_from(r->target), r);
}

enum hale_rc actuator_engine_load_guard(struct actuator_engine *e, struct hale_str target,
                                        struct hale_str json)
{
    json_t *memory = json_loadb(json.p != NULL ? json.p : "", json.len, 0, NULL);
    if (!json_is_object(memory)) {
        json_decref(memory);
        return HALE_E_INVAL;
    }
    enum hale_rc rc = hale_map_put(e->guards, target, memory);
    if (rc != HALE_OK)
        json_decref(memory);
    return rc;
}

void actuator_engine_each_alarm(struct actuator_engine *e,
                                void (*each)(const char *alarm_id, void *arg), void *arg)
{
    const struct actuator_run *r;
    char **ids = calloc(hale_map_count(e->runs) + 1, sizeof(*ids));
    size_t it = 0, n = 0;
    while (ids != NULL && (r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if (!engine_no_alarm(r))            /* there is no such alarm, and never was */
            ids[n++] = strdup(r->alarm_id); /* each may change the table */
    for (size_t i = 0; i < n; i++) {
        if (ids[i] != NULL)
            each(ids[i], arg);
        free(ids[i]);
    }
    free(ids);
}

void actuator_engine_set_back(struct actuator_engine *e, int64_t by_us, int64_t now_us)
{
    struct actuator_run *r;
    size_t it = 0;
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        actuator_run_set_back(r, by_us, now_us);
}

void actuator_engine_start(struct actuator_engine *e, int64_t now_us)
{
    struct actuator_run *r;
    size_t it = 0;
    e->now_us = now_us;
    e->renew_us = now_us + RENEW_US;
    e->prune_us = now_us;
    storms_load(e);
    e->started = true;
    latch_check(e);
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL) {
        if (r->state == ACTUATOR_WAITING && r->verdict[ACTUATOR_VERDICT_ABORT] == NULL)
            life_arm(e, r, r->again_us);
        else
            life_arm(e, r, now_us); /* token 0: takes its lease first */
    }
}

void actuator_engine_committed(struct actuator_engine *e, const char *run_id,
                               enum actuator_commit_result result, int64_t token,
                               const char *holder, int64_t now_us)
{
    struct actuator_run *r = engine_find(e, run_id);
    e->now_us = now_us;
    if (r != NULL)
        life_committed(e, r, result, token, holder);
    r = engine_find(e, run_id);
    if (r == NULL || !r->ask_again || r->busy > 0)
        return;
    r->ask_again = false;
    if (e->io.verdicts != NULL)
        e->io.verdicts(e->io.arg, run_id);
}

void actuator_engine_answered(struct actuator_engine *e, const char *run_id,
                              const struct actuator_answer *a, int64_t now_us)
{
    struct actuator_run *r = engine_find(e, run_id);
    e->now_us = now_us;
    if (r != NULL)
        life_answered(e, r, a);
}

void actuator_engine_tick(struct actuator_engine *e, int64_t now_us)
{
    struct hale_timer *timer;
    struct actuator_run *r;
    size_t it = 0;
    e->now_us = now_us;
    if (e->n_storms > 0 && now_us >= e->storms_us)
        storms_check(e);
    if (now_us >= e->prune_us)
        memory_prune(e);
    while ((timer = hale_timers_pop(e->timers, now_us)) != NULL)
        life_wake(e, timer->owner);
    if (now_us < e->renew_us)
        return;
    e->renew_us = now_us + RENEW_US;
    while ((r = hale_map_next(e->runs, &it, NULL)) != NULL)
        if ((r->state == ACTUATOR_OPEN || r->state == ACTUATOR_VERIFYING) &&
            r->busy == 0 && r->token > 0)
            life_commit(e, r, ACTUATOR_OP_KEEP, AFTER_NOTHING, 0);
}

int64_t actuator_engine_next_us(const struct actuator_engine *e)
{
    int64_t timer = hale_timers_next(e->timers);
    if (e->n_storms > 0 && e->storms_us < timer)
        timer = e->storms_us;
    return hale_map_count(e->runs) > 0 && e->renew_us < timer ? e->renew_us : timer;
}

struct actuator_engine_stats actuator_engine_stats(const struct actuator_engine *e)
{
    struct actuator_engine_stats s = e->stats;
    s.open = (int64_t)hale_map_count(e->runs);
    return s;
}
