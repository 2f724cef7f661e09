/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "model/topology.h"

struct actuator_watch {
    struct hale_map *alarms; /* id -> struct actuator_watched, owned */
    uint64_t version;
    bool full;
};

static void watched_free(void *entry)
{
    struct actuator_watched *x = entry;
    if (x == NULL)
        return;
    free(x->tenant);
    free(x->entity);
    free(x);
}

struct actuator_watch *actuator_watch_new(void)
{
    struct actuator_watch *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->alarms = hale_map_new(ACTUATOR_WATCHED_MAX, watched_free);
    if (w->alarms == NULL) {
        free(w);
        return NULL;
    }
    return w;
}

void actuator_watch_free(struct actuator_watch *w)
{
    if (w == NULL)
        return;
    hale_map_free(w->alarms);
    free(w);
}

unsigned actuator_watch_mutes(const json_t *life)
{
    unsigned mask = 0;
    json_t *one;
    size_t i;
    json_array_foreach (json_object_get(life, "suppressed_by"), i, one) {
        const char *kind = json_string_value(json_object_get(one, "kind"));
        if (kind == NULL)
            continue;
        if (strcmp(kind, "cause") == 0 || strcmp(kind, "hold") == 0)
            mask |= ACTUATOR_MUTE_CAUSE;
        else if (strcmp(kind, "silence") == 0 || strcmp(kind, "maintenance") == 0 ||
                 strcmp(kind, "shelve") == 0)
            mask |= ACTUATOR_MUTE_MAINTENANCE;
        else
            mask |= ACTUATOR_MUTE_OTHER;
    }
    return mask;
}

const char *actuator_watch_entity(const json_t *life, char *dst)
{
    const json_t *entity = json_object_get(life, "entity");
    const char *type = json_string_value(json_object_get(entity, "type"));
    const char *id = json_string_value(json_object_get(entity, "id"));
    dst[0] = '\0';
    if (type != NULL && id != NULL)
        (void)snprintf(dst, HALE_TOPOLOGY_REF_MAX, "%s/%s", type, id);
    return dst;
}

static struct actuator_watched *entry_new(const struct hale_alarm *a, const char *entity)
{
    struct actuator_watched *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return NULL;
    x->tenant = strdup(a->tenant);
    x->entity = strdup(entity);
    if (x->tenant == NULL || x->entity == NULL) {
        watched_free(x);
        return NULL;
    }
    x->state = a->state;
    x->severity = a->severity;
    const char *impact = json_string_value(json_object_get(a->life, "impact"));
    x->down = impact != NULL && strcmp(impact, "down") == 0;
    x->mutes = actuator_watch_mutes(a->life);
    return x;
}

bool actuator_watch_put(struct actuator_watch *w, const struct hale_alarm *a, bool gone,
                        int64_t data_us)
{
    char entity[HALE_TOPOLOGY_REF_MAX];
    struct hale_str id = hale_str_from(a->id);
    const struct actuator_watched *old = hale_map_get(w->alarms, id);
    if (gone || a->state == HALE_STATE_OK) {
        if (old == NULL)
            return false;
        hale_map_del(w->alarms, id);
        w->version++;
        return true;
    }
    struct actuator_watched *x = entry_new(a, actuator_watch_entity(a->life, entity));
    bool same = old != NULL && x != NULL && old->state == x->state &&
                old->severity == x->severity && old->down == x->down &&
                old->mutes == x->mutes && strcmp(old->entity, x->entity) == 0;
    if (x != NULL)
        x->born_mutes =
            old != NULL && old->state == x->state ? old->born_mutes : x->mutes;
    if (x != NULL)
        x->data_us = data_us > 0 ? data_us : old != NULL ? old->data_us : 0;
    if (x == NULL || hale_map_put(w->alarms, id, x) != HALE_OK) {
        watched_free(x);
        if (!w->full)
            hale_warn("event=alarms_not_watched max=%d", ACTUATOR_WATCHED_MAX);
        w->full = true;
        return false;
    }
    w->version += same ? 0 : 1;
    return !same;
}

const struct actuator_watched *actuator_watch_find(const struct actuator_watch *w,
                                                   const char *alarm_id)
{
    return hale_map_get(w->alarms, hale_str_from(alarm_id));
}

const struct actuator_watched *actuator_watch_next(const struct actuator_watch *w,
                                                   size_t *it)
{
    return hale_map_next(w->alarms, it, NULL);
}

bool actuator_watch_full(const struct actuator_watch *w)
{
    return w->full;
}

uint64_t actuator_watch_version(const struct actuator_watch *w)
{
    return w->version;
}
