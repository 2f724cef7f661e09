/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/metadata.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/utf8.h"
#include "collector/stats.h"
#include "model/series.h"

struct collector_metadata {
    pthread_mutex_t lock;
    struct hale_map *tenants; /* of struct hale_map * of entries */
};

static void free_names(void *names)
{
    hale_map_free(names);
}

struct collector_metadata *collector_metadata_new(void)
{
    struct collector_metadata *m = hale_xcalloc(1, sizeof(*m));
    HALE_ASSERT(pthread_mutex_init(&m->lock, NULL) == 0);
    m->tenants = hale_map_new(COLLECTOR_METADATA_TENANTS, free_names);
    HALE_ASSERT(m->tenants != NULL);
    return m;
}

void collector_metadata_free(struct collector_metadata *m)
{
    if (m == NULL)
        return;
    hale_map_free(m->tenants);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

/* Empty when it is not UTF-8, else cut between code points. */
static struct hale_str cut(struct hale_str s)
{
    size_t n = 0;
    while (n < s.len) {
        size_t step = hale_utf8_step(s.p + n, s.len - n);
        if (step == 0)
            return (struct hale_str){NULL, 0};
        if (n + step > COLLECTOR_METADATA_TEXT)
            break;
        n += step;
    }
    return (struct hale_str){s.p, n};
}

static struct hale_str copy(char **space, struct hale_str s)
{
    char *p = *space;
    if (s.len > 0)
        memcpy(p, s.p, s.len);
    *space += s.len;
    return (struct hale_str){p, s.len};
}

/* One block of memory; the name is the map's. */
static struct collector_metadata_entry *
entry_new(const struct collector_metadata_entry *e)
{
    struct collector_metadata_entry *n =
        malloc(sizeof(*n) + e->type.len + e->help.len + e->unit.len);
    if (n == NULL)
        return NULL;
    char *space = (char *)(n + 1);
    n->name = (struct hale_str){NULL, 0};
    n->type = copy(&space, e->type);
    n->help = copy(&space, e->help);
    n->unit = copy(&space, e->unit);
    return n;
}

static struct hale_map *names_of(struct collector_metadata *m, struct hale_str tenant)
{
    struct hale_map *names = hale_map_get(m->tenants, tenant);
    if (names != NULL)
        return names;
    names = hale_map_new(COLLECTOR_METADATA_NAMES, free);
    if (names == NULL || hale_map_put(m->tenants, tenant, names) == HALE_OK)
        return names;
    hale_map_free(names);
    return NULL;
}

static bool put(struct collector_metadata *m, struct hale_str tenant,
                const struct collector_metadata_entry *e)
{
    struct hale_map *names = names_of(m, tenant);
    if (names == NULL)
        return false;
    const struct collector_metadata_entry *old = hale_map_get(names, e->name);
    if (old != NULL && hale_str_eq(old->type, e->type) &&
        hale_str_eq(old->help, e->help) && hale_str_eq(old->unit, e->unit))
        return true;
    struct collector_metadata_entry *n = entry_new(e);
    if (n != NULL && hale_map_put(names, e->name, n) == HALE_OK)
        return true;
    free(n);
    return false;
}

void collector_metadata_put(struct collector_metadata *m, struct hale_str tenant,
                            const struct collector_metadata_entry *e)
{
    struct collector_metadata_entry fit = {.name = e->name,
                                           .type = cut(e->type),
                                           .help = cut(e->help),
                                           .unit = cut(e->unit)};
    struct hale_err err;
    if (hale_series_check_name(e->name, &err) != HALE_OK)
        return;
    (void)pthread_mutex_lock(&m->lock);
    bool kept = put(m, tenant, &fit);
    (void)pthread_mutex_unlock(&m->lock);
    if (!kept)
        collector_count(METADATA_DROPPED, 1);
}

void collector_metadata_each(struct collector_metadata *m, struct hale_str tenant,
                             struct hale_str name, collector_metadata_each_fn each,
                             void *arg)
{
    (void)pthread_mutex_lock(&m->lock);
    struct hale_map *names = hale_map_get(m->tenants, tenant);
    struct collector_metadata_entry e;
    const struct collector_metadata_entry *found;
    size_t it = 0;
    if (names != NULL && name.len > 0) {
        found = hale_map_get(names, name);
        if (found != NULL) {
            e = *found;
            e.name = name;
            (void)each(&e, arg);
        }
    } else if (names != NULL) {
        while ((found = hale_map_next(names, &it, &name)) != NULL) {
            e = *found;
            e.name = name;
            if (!each(&e, arg))
                break;
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
}
