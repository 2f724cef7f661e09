/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/aodh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/aodh_private.h"
#include "actuator/stats.h"
#include "base/id.h"
#include "base/log.h"

#define EVENT   "compute.instance.update"
#define KEY_MAX (HALE_AODH_TEXT_MAX + 80)

struct actuator_aodh *actuator_aodh_new(const struct actuator_aodh_io *io,
                                        const struct actuator_conf *conf,
                                        struct hale_http_client *http,
                                        const struct actuator_outages *outages,
                                        struct actuator_deadletters *dead)
{
    struct actuator_aodh *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return NULL;
    const struct actuator_herald_io herald = {x, aodh_row_next, aodh_row_done};
    x->io = *io;
    x->conf = conf;
    x->outages = outages;
    x->dead = dead;
    x->letters = aodh_letters_new();
    x->herald = actuator_herald_new(&herald, http, &conf->methods);
    x->entries = hale_map_new(HALE_AODH_MAX, aodh_entry_free);
    x->by_vm = hale_map_new(HALE_AODH_MAX, NULL);
    x->others = hale_map_new(HALE_AODH_MAX, NULL);
    if (x->herald == NULL || x->letters == NULL || x->entries == NULL ||
        x->by_vm == NULL || x->others == NULL) {
        actuator_aodh_free(x);
        return NULL;
    }
    return x;
}

void actuator_aodh_free(struct actuator_aodh *x)
{
    if (x == NULL)
        return;
    actuator_herald_free(x->herald);
    if (x->entries != NULL)
        hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_ALARMS),
                         -(int64_t)hale_map_count(x->entries));
    hale_map_free(x->by_vm);
    hale_map_free(x->others);
    hale_map_free(x->entries);
    aodh_letters_free(x->letters);
    free(x);
}

void actuator_aodh_set_conf(struct actuator_aodh *x, const struct actuator_conf *conf)
{
    x->conf = conf;
    actuator_herald_set_conf(x->herald, &conf->methods);
}

/* --- index --------------------------------------------------------------------------- */

/* The list that the alarm belongs to. */
static struct hale_map *list_of(struct actuator_aodh *x, const struct hale_aodh *a,
                                char *key)
{
    const char *vm = hale_aodh_instance(a);
    if (vm != NULL)
        (void)snprintf(key, KEY_MAX, "%s\n%s", a->tenant, vm);
    else
        (void)snprintf(key, KEY_MAX, "%s", a->tenant);
    return vm != NULL ? x->by_vm : x->others;
}

static enum hale_rc index_add(struct actuator_aodh *x, struct aodh_entry *n)
{
    char key[KEY_MAX];
    struct hale_map *list = list_of(x, n->a, key);
    n->next = hale_map_get(list, hale_str_from(key));
    return hale_map_put(list, hale_str_from(key), n);
}

static void index_remove(struct actuator_aodh *x, struct aodh_entry *n)
{
    char key[KEY_MAX];
    struct hale_map *list = list_of(x, n->a, key);
    struct aodh_entry *first = hale_map_get(list, hale_str_from(key));
    if (first == n) {
        hale_map_del(list, hale_str_from(key));
        if (n->next != NULL && hale_map_put(list, hale_str_from(key), n->next) != HALE_OK)
            hale_error("event=aodh_alarms_lost what=index");
        return;
    }
    while (first != NULL && first->next != n)
        first = first->next;
    if (first != NULL)
        first->next = n->next;
}

/* --- alarms -------------------------------------------------------------------------- */

/* A state that was given by hand counts if it is newer than ours. */
static bool apply_set(struct aodh_entry *n)
{
    if (n->a->set_ms <= n->since_ms)
        return false;
    n->state = n->a->set;
    n->since_ms = n->a->set_ms;
    n->source[0] = '\0';
    free(n->reason);
    n->reason = NULL;
    return true;
}

enum hale_rc actuator_aodh_alarm(struct actuator_aodh *x, struct hale_aodh *a)
{
    struct hale_str id = hale_str_from(a->id);
    struct aodh_entry *n = hale_map_get(x->entries, id);
    if (n != NULL) {
        index_remove(x, n);
        hale_aodh_free(n->a);
        n->a = a;
        if (apply_set(n))
            aodh_row_write(x, n);
        return index_add(x, n);
    }
    n = calloc(1, sizeof(*n));
    if (n == NULL) {
        hale_aodh_free(a);
        return HALE_E_NOMEM;
    }
    n->a = a;
    n->state = HALE_STATE_UNDETERMINED;
    (void)apply_set(n);
    enum hale_rc rc = hale_map_put(x->entries, id, n);
    if (rc != HALE_OK) {
        aodh_entry_free(n);
        return rc;
    }
    hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_ALARMS), 1);
    return index_add(x, n);
}

void actuator_aodh_drop(struct actuator_aodh *x, struct hale_str alarm_id)
{
    struct aodh_entry *n = hale_map_get(x->entries, alarm_id);
    if (n == NULL)
        return;
    actuator_herald_drop(x->herald, n->a->id);
    x->io.row(x->io.arg, n->a->id, (struct hale_str){NULL, 0});
    index_remove(x, n);
    hale_map_del(x->entries, alarm_id);
    hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_ALARMS), -1);
}

enum hale_rc actuator_aodh_load(struct actuator_aodh *x, struct hale_str alarm_id,
                                struct hale_str json, int64_t now_us)
{
    struct aodh_entry *n = hale_map_get(x->entries, alarm_id);
    if (n == NULL) {
        char id[HALE_UUID_TEXT];
        (void)snprintf(id, sizeof(id), "%.*s", (int)alarm_id.len, alarm_id.p);
        x->io.row(x->io.arg, id, (struct hale_str){NULL, 0});
        return HALE_OK;
    }
    enum hale_rc rc = aodh_row_read(n, json);
    if (rc != HALE_OK)
        return rc;
    if (apply_set(n))
        aodh_row_write(x, n);
    aodh_row_tell(x, n, now_us);
    return HALE_OK;
}

/* --- events -------------------------------------------------------------------------- */

static bool after(struct actuator_aodh_place a, struct actuator_aodh_place b)
{
    return a.seq > b.seq || (a.seq == b.seq && a.sub > b.sub);
}

static void evaluate(struct actuator_aodh *x, struct aodh_entry *n,
                     const struct hale_aodh_event *e, const char *source,
                     struct actuator_aodh_place at, int64_t now_us)
{
    if (!n->a->enabled || !after(at, n->met) ||
        !hale_aodh_matches(n->a, e->type, e->traits))
        return;
    n->met = at;
    if (n->state == HALE_STATE_ALARM && !n->a->repeat)
        return;
    (void)snprintf(n->source, sizeof(n->source), "%s", source);
    aodh_row_change(x, n, HALE_STATE_ALARM, e, now_us);
}

/* An event that is no outage. */
static void hear(struct actuator_aodh *x, struct aodh_entry *n,
                 const struct hale_aodh_event *e, struct actuator_aodh_place at,
                 int64_t now_us)
{
    for (; n != NULL; n = n->next) {
        if (!n->a->enabled || !after(at, n->heard) ||
            !hale_aodh_matches(n->a, e->type, e->traits))
            continue;
        n->heard = at;
        if (n->state == HALE_STATE_ALARM && !n->a->repeat)
            continue;
        n->source[0] = '\0';
        aodh_row_change(x, n, HALE_STATE_ALARM, e, now_us);
    }
}

static struct aodh_entry *of_vm(const struct actuator_aodh *x, const char *tenant,
                                const char *vm)
{
    char key[KEY_MAX];
    (void)snprintf(key, sizeof(key), "%s\n%s", tenant, vm);
    return hale_map_get(x->by_vm, hale_str_from(key));
}

static struct aodh_entry *others_of(const struct actuator_aodh *x, const char *tenant)
{
    return hale_map_get(x->others, hale_str_from(tenant));
}

void actuator_aodh_event(struct actuator_aodh *x, const char *tenant,
                         const struct hale_aodh_event *e, struct actuator_aodh_place at,
                         int64_t now_us)
{
    const char *vm = json_string_value(json_object_get(e->traits, "instance_id"));
    if (vm != NULL)
        hear(x, of_vm(x, tenant, vm), e, at, now_us);
    hear(x, others_of(x, tenant), e, at, now_us);
}

/* --- outages ------------------------------------------------------------------------- */

/* As Ceilometer's event of a state that Nova has changed. */
static json_t *traits_of(const struct actuator_outage *o,
                         const struct actuator_affected *vm, bool out)
{
    const char *id = actuator_affected_vm(vm);
    const char *project = *vm->project != '\0' ? vm->project : o->tenant;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "state",
                     out ? "error" : "active", "old_state", out ? "active" : "error",
                     "instance_id", id, "resource_id", id, "tenant_id", project,
                     "project_id", project, "host", vm->host, "display_name", vm->name,
                     "hale_alarm_id", o->alarm_id, "hale_entity", o->ref);
}

/* The tenants whose alarms hear of the VM: at most two. */
static unsigned tenants_of(const struct actuator_aodh *x, const struct actuator_outage *o,
                           const struct actuator_affected *vm, const char **out)
{
    const struct hale_strings *infra = &x->conf->infrastructure;
    out[0] = o->tenant;
    if (*vm->project == '\0' || strcmp(vm->project, o->tenant) == 0)
        return 1;
    for (unsigned i = 0; i < infra->n; i++) {
        if (strcmp(infra->v[i], o->tenant) == 0) {
            out[1] = vm->project;
            return 2;
        }
    }
    return 1;
}

/* Is a VM that the alarm matches still out? */
static bool still_out(const struct actuator_aodh *x, const struct aodh_entry *n,
                      const struct actuator_outage *but)
{
    const struct actuator_outage *o;
    size_t it = 0;
    while ((o = actuator_outages_next(x->outages, &it)) != NULL) {
        for (unsigned i = 0; o != but && i < o->n; i++) {
            const char *tenants[2] = {"", ""};
            if (actuator_affected_vm(&o->v[i]) == NULL)
                continue;
            unsigned k = tenants_of(x, o, &o->v[i], tenants);
            if (strcmp(tenants[0], n->a->tenant) != 0 &&
                (k < 2 || strcmp(tenants[1], n->a->tenant) != 0))
                continue;
            json_t *traits = traits_of(o, &o->v[i], true);
            bool hit = hale_aodh_matches(n->a, EVENT, traits);
            json_decref(traits);
            if (hit)
                return true;
        }
    }
    return false;
}

/* What an outage's error raised is ok; true: it was. */
static bool end_one(struct actuator_aodh *x, struct aodh_entry *n,
                    const struct hale_aodh_event *e, struct actuator_aodh_place at,
                    int64_t now_us)
{
    if (n->state != HALE_STATE_ALARM || n->source[0] == '\0' || !after(at, n->met))
        return false;
    n->met = at;
    n->source[0] = '\0';
    aodh_row_change(x, n, HALE_STATE_OK, e, now_us);
    return true;
}

static void end_vm(struct actuator_aodh *x, struct aodh_entry *n,
                   const struct hale_aodh_event *e, struct actuator_aodh_place at,
                   int64_t now_us)
{
    for (; n != NULL; n = n->next)
        if (!end_one(x, n, e, at, now_us))
            evaluate(x, n, e, "", at, now_us);
}

/* Alarms without a VM of their own: over when nothing that they match is out. Asked once a record. */
static void end_others(struct actuator_aodh *x, const struct actuator_outage *o,
                       const char *tenant, const struct hale_aodh_event *e,
                       struct actuator_aodh_place at, int64_t now_us)
{
    for (struct aodh_entry *n = others_of(x, tenant); n != NULL; n = n->next) {
        if (n->state != HALE_STATE_ALARM || n->source[0] == '\0') {
            evaluate(x, n, e, "", at, now_us);
        } else if (n->looked != at.seq) {
            n->looked = at.seq;
            if (!still_out(x, n, o))
                (void)end_one(x, n, e, at, now_us);
        }
    }
}

struct telling {
    const struct actuator_outage *o;
    bool begins;
    int64_t seq, now_us;
    const char *only; /* catching up: one alarm, or "" for all that no event has met */
};

static bool concerns(const struct telling *t, const struct aodh_entry *n)
{
    return t->only == NULL ||
           (!n->known && (*t->only == '\0' || strcmp(t->only, n->a->id) == 0));
}

static void tell_vm(struct actuator_aodh *x, const struct telling *t, unsigned i,
                    const char *tenant, const struct hale_aodh_event *e)
{
    const char *vm = actuator_affected_vm(&t->o->v[i]);
    const struct actuator_aodh_place at = {t->seq, (int64_t)i + 1};
    struct aodh_entry *n = of_vm(x, tenant, vm);
    if (!t->begins) {
        if (actuator_outages_of(x->outages, t->o->tenant, vm) == 0)
            end_vm(x, n, e, at, t->now_us);
        end_others(x, t->o, tenant, e, at, t->now_us);
        return;
    }
    for (; n != NULL; n = n->next)
        if (concerns(t, n))
            evaluate(x, n, e, t->o->alarm_id, at, t->now_us);
    for (n = others_of(x, tenant); n != NULL; n = n->next)
        if (concerns(t, n))
            evaluate(x, n, e, t->o->alarm_id, at, t->now_us);
}

static void tell(struct actuator_aodh *x, const struct telling *t)
{
    for (unsigned i = 0; i < t->o->n; i++) {
        char key[192], message_id[HALE_UUID_TEXT];
        const char *tenants[2];
        if (actuator_affected_vm(&t->o->v[i]) == NULL)
            continue;
        int len = snprintf(key, sizeof(key), "%s\n%lld\n%u", t->o->alarm_id,
                           (long long)t->seq, i);
        hale_id_uuid_from(key, (size_t)len, message_id);
        const struct hale_aodh_event e = {message_id, EVENT, t->now_us / 1000,
                                          traits_of(t->o, &t->o->v[i], t->begins)};
        unsigned n = tenants_of(x, t->o, &t->o->v[i], tenants);
        for (unsigned k = 0; k < n && e.traits != NULL; k++)
            tell_vm(x, t, i, tenants[k], &e);
        json_decref(e.traits);
    }
}

void actuator_aodh_outage(struct actuator_aodh *x, const struct actuator_outage *o,
                          bool begins, int64_t seq, int64_t now_us)
{
    const struct telling t = {o, begins, seq, now_us, NULL};
    tell(x, &t);
}

void actuator_aodh_catch_up(struct actuator_aodh *x, const char *alarm_id, int64_t now_us)
{
    const struct actuator_outage *o;
    size_t it = 0;
    while ((o = actuator_outages_next(x->outages, &it)) != NULL) {
        const struct telling t = {o, true, o->seq, now_us,
                                  alarm_id != NULL ? alarm_id : ""};
        tell(x, &t);
    }
}

void actuator_aodh_tick(struct actuator_aodh *x, int64_t now_us)
{
    aodh_letters_look(x, now_us);
    actuator_herald_tick(x->herald, now_us);
}

int64_t actuator_aodh_next_us(const struct actuator_aodh *x)
{
    return aodh_letters_waiting(x) ? 0 : actuator_herald_next_us(x->herald);
}
