/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bucket is one number: the time at which it will be full again (the generic cell rate
 * algorithm). A sample moves it by the time one sample needs; a request passes if it is then at
 * most a burst ahead of now.
 */
#include "collector/tenant_limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define SECOND_NS 1000000000.0

struct bucket {
    int64_t full_at_ns;
};

struct collector_tenant_limits {
    pthread_mutex_t lock;
    struct collector_limit each;
    struct hale_map *rows;    /* tenant -> struct collector_limit; NULL: none */
    struct hale_map *buckets; /* tenant -> struct bucket */
    struct bucket shared;
};

struct collector_tenant_limits *collector_tenant_limits_new(void)
{
    struct collector_tenant_limits *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->buckets = hale_map_new(COLLECTOR_LIMITED_TENANTS_MAX, free);
    if (l->buckets == NULL || pthread_mutex_init(&l->lock, NULL) != 0) {
        hale_map_free(l->buckets);
        free(l);
        return NULL;
    }
    return l;
}

void collector_tenant_limits_free(struct collector_tenant_limits *l)
{
    if (l == NULL)
        return;
    hale_map_free(l->rows);
    hale_map_free(l->buckets);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

static enum hale_rc copy_rows(const struct collector_limits_config *conf,
                              struct hale_map **out)
{
    enum hale_rc rc = HALE_OK;

    *out = hale_map_new(COLLECTOR_LIMITS_TENANTS_MAX, free);
    if (*out == NULL)
        return HALE_E_NOMEM;
    for (size_t i = 0; rc == HALE_OK && i < conf->n_rows; i++) {
        struct collector_limit *limit = malloc(sizeof(*limit));
        if (limit == NULL)
            return HALE_E_NOMEM;
        *limit = conf->rows[i].limit;
        rc = hale_map_put(*out, hale_str_from(conf->rows[i].tenant), limit);
        if (rc != HALE_OK)
            free(limit);
    }
    return rc;
}

enum hale_rc collector_tenant_limits_set(struct collector_tenant_limits *l,
                                         const struct collector_limits_config *conf)
{
    struct hale_map *rows = NULL;
    enum hale_rc rc = copy_rows(conf, &rows);

    if (rc != HALE_OK) {
        hale_map_free(rows);
        return rc;
    }
    (void)pthread_mutex_lock(&l->lock);
    struct hale_map *old = l->rows;
    l->rows = rows;
    l->each = conf->each;
    (void)pthread_mutex_unlock(&l->lock);
    hale_map_free(old);
    return HALE_OK;
}

/* Lock held. */
static struct collector_limit limit_of(const struct collector_tenant_limits *l,
                                       struct hale_str tenant)
{
    const struct collector_limit *own =
        l->rows != NULL ? hale_map_get(l->rows, tenant) : NULL;

    return own != NULL ? *own : l->each;
}

struct collector_limit collector_tenant_limits_of(struct collector_tenant_limits *l,
                                                  struct hale_str tenant)
{
    (void)pthread_mutex_lock(&l->lock);
    struct collector_limit limit = limit_of(l, tenant);
    (void)pthread_mutex_unlock(&l->lock);
    return limit;
}

static void forget_full(struct collector_tenant_limits *l, int64_t now_ns)
{
    size_t it = 0;
    struct hale_str tenant;

    for (const struct bucket *b; (b = hale_map_next(l->buckets, &it, &tenant)) != NULL;) {
        if (b->full_at_ns <= now_ns)
            hale_map_del(l->buckets, tenant);
    }
}

/* Lock held. */
static struct bucket *bucket_of(struct collector_tenant_limits *l, struct hale_str tenant,
                                int64_t now_ns)
{
    struct bucket *b = hale_map_get(l->buckets, tenant);

    if (b != NULL)
        return b;
    if (hale_map_count(l->buckets) >= COLLECTOR_LIMITED_TENANTS_MAX)
        forget_full(l, now_ns);
    b = calloc(1, sizeof(*b));
    if (b == NULL || hale_map_put(l->buckets, tenant, b) != HALE_OK) {
        free(b);
        return &l->shared;
    }
    b->full_at_ns = now_ns;
    return b;
}

enum hale_rc collector_tenant_limits_take(struct collector_tenant_limits *l,
                                          struct hale_str tenant, size_t n,
                                          int64_t now_ns, int64_t *wait_ns)
{
    enum hale_rc rc = HALE_OK;

    *wait_ns = 0;
    (void)pthread_mutex_lock(&l->lock);
    const struct collector_limit limit = limit_of(l, tenant);
    if (limit.samples_per_second > 0 && (double)n > (double)limit.samples_burst) {
        rc = HALE_E_LIMIT;
    } else if (limit.samples_per_second > 0) {
        double each_ns = SECOND_NS / (double)limit.samples_per_second;
        struct bucket *b = bucket_of(l, tenant, now_ns);
        int64_t from_ns = b->full_at_ns > now_ns ? b->full_at_ns : now_ns;
        int64_t then_ns = from_ns + (int64_t)((double)n * each_ns);
        int64_t ahead_ns = (int64_t)((double)limit.samples_burst * each_ns);
        if (then_ns - now_ns > ahead_ns) {
            *wait_ns = then_ns - now_ns - ahead_ns;
            rc = HALE_E_AGAIN;
        } else {
            b->full_at_ns = then_ns;
        }
    }
    (void)pthread_mutex_unlock(&l->lock);
    return rc;
}
