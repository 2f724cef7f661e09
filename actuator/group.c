/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/group.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/stats.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/map.h"

#define FIELD_MAX 320
#define VALUE_MAX 65536

struct alarm {
    char *show;
    int64_t raised, ended, last; /* sequence numbers; ended 0: it is raised */
};
struct group {
    char id[17];
    char *tenant;
    json_t *labels;
    int64_t next_ms, last_ms; /* due; last message, 0: none yet */
    int64_t n;                /* messages */
    int64_t told, seen;       /* alarms up to here were told; were in a message */
    unsigned more;
    struct hale_map *alarms; /* id -> struct alarm */
};
struct actuator_groups {
    const struct actuator_grouping *conf;
    char owner[72];
    void *arg;
    void (*write)(void *arg, const char *field, struct hale_str value);
    struct hale_map *groups; /* id -> struct group */
    struct hale_map *where;  /* alarm id -> struct group, not owned */
    struct group *out;       /* whose message is out */
    int64_t upto;
    bool draining;
    struct actuator_group_message message;
};

void actuator_grouping_fini(struct actuator_grouping *g)
{
    for (unsigned i = 0; i < g->n_by; i++)
        free(g->by[i]);
    g->n_by = 0;
}

static void alarm_free(void *arg)
{
    struct alarm *a = arg;
    free(a->show);
    free(a);
}

static void group_free(void *arg)
{
    struct group *g = arg;
    hale_map_free(g->alarms);
    json_decref(g->labels);
    free(g->tenant);
    free(g);
}

struct actuator_groups *
actuator_groups_new(const struct actuator_grouping *conf, const char *owner, void *arg,
                    void (*write)(void *arg, const char *field, struct hale_str value))
{
    struct actuator_groups *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return NULL;
    g->conf = conf;
    g->arg = arg;
    g->write = write;
    (void)snprintf(g->owner, sizeof(g->owner), "%s", owner);
    g->groups = hale_map_new(ACTUATOR_GROUPS_MAX, group_free);
    g->where = hale_map_new(ACTUATOR_GROUP_ALARMS_MAX, NULL);
    if (g->groups == NULL || g->where == NULL) {
        actuator_groups_free(g);
        return NULL;
    }
    return g;
}

void actuator_groups_free(struct actuator_groups *g)
{
    if (g == NULL)
        return;
    hale_map_free(g->groups);
    hale_map_free(g->where);
    free(g);
}

void actuator_groups_set_conf(struct actuator_groups *g,
                              const struct actuator_grouping *conf)
{
    g->conf = conf;
    g->draining = false;
}

/* --- storing ------------------------------------------------------------------------- */

static void store_group(struct actuator_groups *gs, const struct group *g)
{
    char field[FIELD_MAX];
    struct hale_buf b;
    char *labels = json_dumps(g->labels, JSON_COMPACT | JSON_SORT_KEYS);
    hale_buf_init(&b, VALUE_MAX);
    hale_buf_add_c(&b, "{\"v\":1,\"tenant\":");
    hale_buf_add_json(&b, hale_str_from(g->tenant));
    hale_buf_printf(&b,
                    ",\"next_ms\":%" PRId64 ",\"last_ms\":%" PRId64 ",\"n\":%" PRId64
                    ",\"told\":%" PRId64 ",\"seen\":%" PRId64 ",\"labels\":",
                    g->next_ms, g->last_ms, g->n, g->told, g->seen);
    hale_buf_add_c(&b, labels != NULL ? labels : "{}");
    hale_buf_add_char(&b, '}');
    (void)snprintf(field, sizeof(field), "%s\n%s", gs->owner, g->id);
    gs->write(gs->arg, field, hale_buf_str(&b));
    hale_buf_fini(&b);
    free(labels);
}

static void forget_group(struct actuator_groups *gs, struct group *g)
{
    char field[FIELD_MAX];
    (void)snprintf(field, sizeof(field), "%s\n%s", gs->owner, g->id);
    gs->write(gs->arg, field, (struct hale_str){NULL, 0});
    hale_map_del(gs->groups, hale_str_from(g->id));
}

static const char *alarm_field(const struct actuator_groups *gs, const struct group *g,
                               struct hale_str id, char *dst)
{
    (void)snprintf(dst, FIELD_MAX, "%s\n%s\n%.*s", gs->owner, g->id,
                   (int)(id.len < 128 ? id.len : 128), id.p);
    return dst;
}

static void store_alarm(struct actuator_groups *gs, const struct group *g,
                        struct hale_str id, const struct alarm *a)
{
    char field[FIELD_MAX];
    struct hale_buf b;
    hale_buf_init(&b, VALUE_MAX);
    hale_buf_printf(&b,
                    "{\"v\":1,\"raised\":%" PRId64 ",\"ended\":%" PRId64
                    ",\"last\":%" PRId64 ",\"show\":%s}",
                    a->raised, a->ended, a->last, a->show);
    if (!b.failed)
        gs->write(gs->arg, alarm_field(gs, g, id, field), hale_buf_str(&b));
    hale_buf_fini(&b);
}

/* id may be the map's own key. */
static void forget_alarm(struct actuator_groups *gs, struct group *g, struct hale_str id)
{
    char field[FIELD_MAX];
    gs->write(gs->arg, alarm_field(gs, g, id, field), (struct hale_str){NULL, 0});
    hale_map_del(gs->where, id);
    hale_map_del(g->alarms, id);
}

static void empty_group(struct actuator_groups *gs, struct group *g)
{
    struct hale_str id;
    size_t it = 0;
    while (hale_map_next(g->alarms, &it, &id) != NULL)
        forget_alarm(gs, g, id);
    forget_group(gs, g);
}

/* --- groups -------------------------------------------------------------------------- */

static struct group *group_make(struct actuator_groups *gs, const char *id,
                                const char *tenant, json_t *labels)
{
    struct group *g = calloc(1, sizeof(*g));
    if (g == NULL) {
        json_decref(labels);
        return NULL;
    }
    (void)snprintf(g->id, sizeof(g->id), "%s", id);
    g->labels = labels;
    g->tenant = strdup(tenant);
    g->alarms = hale_map_new(ACTUATOR_GROUP_ALARMS_MAX, alarm_free);
    if (g->tenant == NULL || g->alarms == NULL ||
        hale_map_put(gs->groups, hale_str_from(g->id), g) != HALE_OK) {
        group_free(g);
        return NULL;
    }
    return g;
}

/* The labels that make the group; alone: by all of them. */
static json_t *common_labels(const struct actuator_grouping *conf,
                             const struct actuator_group_alarm *a)
{
    json_t *labels = json_object();
    const char *key;
    json_t *value;
    if (conf->by_all) {
        json_decref(labels);
        return json_deep_copy(a->labels);
    }
    for (unsigned i = 0; i < conf->n_by; i++) {
        value = json_object_get(a->labels, conf->by[i]);
        key = conf->by[i];
        if (value != NULL && json_object_set(labels, key, value) != 0) {
            json_decref(labels);
            return NULL;
        }
    }
    return labels;
}

/* Where the alarm belongs; NULL: no room for another group. */
static struct group *group_for(struct actuator_groups *gs,
                               const struct actuator_group_alarm *a, int64_t now_ms)
{
    char id[17];
    json_t *labels = common_labels(gs->conf, a);
    char *text =
        labels != NULL ? json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (text == NULL) {
        json_decref(labels);
        return NULL;
    }
    uint64_t seed = hale_id_hash64(a->tenant, strlen(a->tenant));
    if (gs->conf->by_all)
        seed = hale_id_hash64_seed(a->id, strlen(a->id), seed);
    (void)snprintf(id, sizeof(id), "%016" PRIx64,
                   hale_id_hash64_seed(text, strlen(text), seed));
    free(text);
    struct group *g = hale_map_get(gs->groups, hale_str_from(id));
    if (g != NULL) {
        json_decref(labels);
        return g;
    }
    g = group_make(gs, id, a->tenant, labels);
    if (g != NULL)
        g->next_ms = now_ms + gs->conf->wait_ms;
    return g;
}

static struct alarm *alarm_make(struct actuator_groups *gs, struct group *g,
                                struct hale_str id)
{
    struct alarm *a = calloc(1, sizeof(*a));
    if (a == NULL || hale_map_put(gs->where, id, g) != HALE_OK) {
        free(a);
        return NULL;
    }
    if (hale_map_put(g->alarms, id, a) != HALE_OK) {
        hale_map_del(gs->where, id);
        alarm_free(a);
        return NULL;
    }
    return a;
}

static bool was_told(const struct group *g, const struct alarm *a)
{
    return a->raised <= g->told;
}

void actuator_groups_take(struct actuator_groups *gs,
                          const struct actuator_group_alarm *in, int64_t now_ms)
{
    struct hale_str id = hale_str_from(in->id);
    struct group *g = hale_map_get(gs->where, id);
    struct alarm *a = g != NULL ? hale_map_get(g->alarms, id) : NULL;
    if (a == NULL && !in->raised)
        return; /* nobody knows of it */
    bool fresh_group = false;
    if (a == NULL) {
        size_t before = hale_map_count(gs->groups);
        g = group_for(gs, in, now_ms);
        if (g == NULL)
            hale_counter_add(actuator_stat(ACTUATOR_STAT_GROUPS_LOST), 1);
        if (g == NULL || in->seq <= g->told || in->seq <= g->seen)
            return;
        fresh_group = hale_map_count(gs->groups) > before;
        a = alarm_make(gs, g, id);
        if (a == NULL)
            g->more++;
    } else if (in->seq <= a->last) {
        return;
    }
    if (a != NULL) {
        char *show = strndup(in->show.p, in->show.len);
        if (show == NULL)
            return;
        free(a->show);
        a->show = show;
        if (in->raised && (a->raised == 0 || (a->ended != 0 && !was_told(g, a))))
            a->raised = in->seq;
        a->ended = in->raised ? 0 : in->seq;
        a->last = in->seq;
    }
    gs->upto = in->seq > gs->upto ? in->seq : gs->upto;
    if (fresh_group)
        store_group(gs, g);
    if (a != NULL)
        store_alarm(gs, g, id, a);
}

bool actuator_groups_knows(const struct actuator_groups *gs, const char *alarm_id)
{
    return hale_map_get(gs->where, hale_str_from(alarm_id)) != NULL;
}

bool actuator_groups_full(const struct actuator_groups *gs)
{
    return hale_map_count(gs->where) >= ACTUATOR_GROUP_ALARMS_MAX ||
           hale_map_count(gs->groups) >= ACTUATOR_GROUPS_MAX;
}

void actuator_groups_forget(struct actuator_groups *gs, const char *alarm_id)
{
    struct group *g = hale_map_get(gs->where, hale_str_from(alarm_id));
    if (g != NULL)
        forget_alarm(gs, g, hale_str_from(alarm_id));
}

void actuator_groups_keep(struct actuator_groups *gs, void *arg,
                          bool (*keep)(void *arg, const char *show))
{
    struct group *g;
    struct alarm *a;
    struct hale_str id;
    size_t it = 0;
    while ((g = hale_map_next(gs->groups, &it, NULL)) != NULL) {
        size_t k = 0;
        while ((a = hale_map_next(g->alarms, &k, &id)) != NULL)
            if (!keep(arg, a->show))
                forget_alarm(gs, g, id);
    }
}

const struct actuator_grouping actuator_grouping_at_once = {.on = true};

int64_t actuator_groups_upto(const struct actuator_groups *gs)
{
    return gs->upto;
}

void actuator_groups_drain(struct actuator_groups *gs)
{
    struct group *g;
    size_t it = 0;
    gs->draining = true;
    while ((g = hale_map_next(gs->groups, &it, NULL)) != NULL)
        g->next_ms = 0;
}

void actuator_groups_clear(struct actuator_groups *gs)
{
    struct group *g;
    size_t it = 0;
    HALE_ASSERT(gs->out == NULL);
    while ((g = hale_map_next(gs->groups, &it, NULL)) != NULL)
        empty_group(gs, g);
}

/* --- messages ------------------------------------------------------------------------ */

static int compare(const void *x, const void *y)
{
    const struct actuator_group_shown *a = x, *b = y;
    if (a->raised != b->raised)
        return a->raised ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

/* Keeps the first ones in order: the list is full of better ones, or the last yields. */
static void show(struct actuator_group_message *m, const struct actuator_group_shown *s)
{
    unsigned at = m->n;
    while (at > 0 && compare(&m->v[at - 1], s) > 0)
        at--;
    if (at == ACTUATOR_GROUP_SHOWN_MAX)
        return;
    unsigned last = m->n < ACTUATOR_GROUP_SHOWN_MAX ? m->n : ACTUATOR_GROUP_SHOWN_MAX - 1;
    memmove(&m->v[at + 1], &m->v[at], (last - at) * sizeof(m->v[0]));
    m->v[at] = *s;
    m->n = last + 1;
}

/* What would be said now. false: nothing. */
static bool build(struct actuator_groups *gs, struct group *g, int64_t now_ms)
{
    struct actuator_group_message *m = &gs->message;
    struct hale_str id;
    struct alarm *a;
    size_t it = 0;
    bool fresh = g->more > 0;
    memset(m, 0, offsetof(struct actuator_group_message, v));
    m->upto = g->told;
    while ((a = hale_map_next(g->alarms, &it, &id)) != NULL) {
        if (a->ended != 0 && !was_told(g, a)) {
            forget_alarm(gs, g, id);
            continue;
        }
        fresh = fresh || (a->ended == 0 && !was_told(g, a) && a->raised > g->seen);
        m->n_raised += a->ended == 0;
        m->n_ended += a->ended != 0;
        m->upto = a->last > m->upto ? a->last : m->upto;
        show(m, &(struct actuator_group_shown){a->ended == 0, a->last, a->show});
    }
    m->repeat = !fresh && m->n_ended == 0;
    if (m->repeat && (m->n_raised == 0 || g->last_ms == 0 || gs->draining ||
                      now_ms - g->last_ms < gs->conf->repeat_ms))
        return false;
    char key[160];
    int len = snprintf(key, sizeof(key), "%s\n%s\n%" PRId64 "\n%" PRId64, gs->owner,
                       g->id, g->n + 1, m->upto);
    hale_id_uuid_from(key, (size_t)len, m->id);
    memcpy(m->group, g->id, sizeof(m->group));
    m->tenant = g->tenant;
    m->labels = g->labels;
    m->more = g->more;
    return true;
}

const struct actuator_group_message *actuator_groups_due(struct actuator_groups *gs,
                                                         int64_t now_ms)
{
    HALE_ASSERT(gs->out == NULL);
    struct group *g, *first = NULL;
    do {
        size_t it = 0;
        first = NULL;
        while ((g = hale_map_next(gs->groups, &it, NULL)) != NULL)
            if (g->next_ms <= now_ms &&
                (first == NULL || g->next_ms < first->next_ms ||
                 (g->next_ms == first->next_ms && strcmp(g->id, first->id) < 0)))
                first = g;
        if (first == NULL)
            return NULL;
        if (build(gs, first, now_ms)) {
            gs->out = first;
            return &gs->message;
        }
        if (gs->draining || hale_map_count(first->alarms) == 0) {
            empty_group(gs, first);
        } else {
            first->next_ms = now_ms + gs->conf->interval_ms;
            store_group(gs, first);
        }
    } while (true);
}

/* Ends that are over: told, or given up. */
static void sweep(struct actuator_groups *gs, struct group *g)
{
    int64_t upto = g->told > g->seen ? g->told : g->seen;
    struct hale_str id;
    struct alarm *a;
    size_t it = 0;
    while ((a = hale_map_next(g->alarms, &it, &id)) != NULL)
        if (a->ended != 0 && a->ended <= upto)
            forget_alarm(gs, g, id);
}

void actuator_groups_done(struct actuator_groups *gs, enum actuator_group_end end,
                          int64_t now_ms, int64_t at_ms)
{
    struct group *g = gs->out;
    HALE_ASSERT(g != NULL);
    gs->out = NULL;
    if (end == ACTUATOR_GROUP_LATER) {
        g->next_ms = at_ms;
        return;
    }
    if (end == ACTUATOR_GROUP_TOLD)
        g->told = gs->message.upto;
    g->seen = gs->message.upto;
    g->n++;
    g->more = 0;
    g->last_ms = now_ms;
    g->next_ms = now_ms + gs->conf->interval_ms;
    store_group(gs, g); /* counts it: what goes now was told */
    if (gs->draining)
        empty_group(gs, g);
    else
        sweep(gs, g);
}

int64_t actuator_groups_next_ms(const struct actuator_groups *gs)
{
    const struct group *g;
    int64_t next = INT64_MAX;
    size_t it = 0;
    while ((g = hale_map_next(gs->groups, &it, NULL)) != NULL)
        next = g->next_ms < next ? g->next_ms : next;
    return next;
}

/* --- loading ------------------------------------------------------------------------- */

/* What follows "<owner>\n" is "<group>" or "<group>\n<alarm>". */
static bool split(const struct actuator_groups *gs, struct hale_str field, char group[17],
                  struct hale_str *alarm)
{
    size_t n = strlen(gs->owner);
    if (field.len < n + 17 || memcmp(field.p, gs->owner, n) != 0 || field.p[n] != '\n')
        return false;
    memcpy(group, field.p + n + 1, 16);
    group[16] = '\0';
    *alarm = (struct hale_str){NULL, 0};
    if (field.len == n + 17)
        return true;
    *alarm = (struct hale_str){field.p + n + 18, field.len - n - 18};
    return field.p[n + 17] == '\n' && alarm->len > 0;
}

static int64_t number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* An alarm may come before its group. */
static struct group *group_at(struct actuator_groups *gs, const char *id)
{
    struct group *g = hale_map_get(gs->groups, hale_str_from(id));
    return g != NULL ? g : group_make(gs, id, "", json_object());
}

bool actuator_groups_load(struct actuator_groups *gs, struct hale_str field,
                          struct hale_str value)
{
    char id[17];
    struct hale_str alarm;
    if (!split(gs, field, id, &alarm))
        return false;
    json_t *o = json_loadb(value.p, value.len, 0, NULL);
    struct group *g = json_is_object(o) ? group_at(gs, id) : NULL;
    if (g != NULL && alarm.len > 0) {
        struct alarm *a = alarm_make(gs, g, alarm);
        if (a != NULL) {
            a->raised = number(o, "raised");
            a->ended = number(o, "ended");
            a->last = number(o, "last");
            gs->upto = a->last > gs->upto ? a->last : gs->upto;
            a->show = json_dumps(json_object_get(o, "show"), JSON_COMPACT);
        }
    } else if (g != NULL) {
        const char *tenant = json_string_value(json_object_get(o, "tenant"));
        free(g->tenant);
        g->tenant = strdup(tenant != NULL ? tenant : "");
        g->next_ms = number(o, "next_ms");
        g->last_ms = number(o, "last_ms");
        g->n = number(o, "n");
        g->told = number(o, "told");
        g->seen = number(o, "seen");
        json_decref(g->labels);
        g->labels = json_incref(json_object_get(o, "labels"));
    }
    json_decref(o);
    return true;
}

void actuator_groups_loaded(struct actuator_groups *gs)
{
    struct group *g;
    struct hale_str id;
    struct alarm *a;
    size_t it = 0;
    while ((g = hale_map_next(gs->groups, &it, NULL)) != NULL) {
        size_t k = 0;
        while ((a = hale_map_next(g->alarms, &k, &id)) != NULL)
            if (a->show == NULL || a->raised == 0)
                forget_alarm(gs, g, id);
        sweep(gs, g);
        if (g->tenant == NULL || g->labels == NULL)
            forget_group(gs, g);
    }
}
