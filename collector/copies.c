/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/copies.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/map.h"
#include "model/alarm.h"
#include "model/limits.h"
#include "model/series.h"
#include "store/keys.h"

#define NAMES_MAX  1000000 /* of definitions, and of metrics */
#define KEY_BYTES  (HALE_TENANT_MAX_BYTES + 4 * HALE_NAME_MAX_CHARS + 16)
#define FOLLOW_MAX 256 /* control records at once */
#define TEXT_SHOWN 120

struct need { /* one metric of one definition */
    uint64_t mask;
    size_t len;
    char key[KEY_BYTES]; /* tenant \0 name */
};
struct needs {
    size_t n;
    struct need v[];
};

struct collector_copies {
    unsigned n_shards;
    pthread_mutex_t lock;
    struct hale_map *defs;  /* id -> struct needs */
    struct hale_map *masks; /* tenant \0 name -> uint64_t * */
    uint32_t changes;
    _Atomic uint32_t epoch;
    struct hale_stream_id control; /* followed up to here */
};

struct collector_copies *collector_copies_new(unsigned n_shards)
{
    struct collector_copies *c = hale_xcalloc(1, sizeof(*c));

    c->n_shards = n_shards;
    c->defs = hale_map_new(NAMES_MAX, free);
    c->masks = hale_map_new(NAMES_MAX, free);
    HALE_ASSERT(c->defs != NULL && c->masks != NULL);
    HALE_ASSERT(pthread_mutex_init(&c->lock, NULL) == 0);
    return c;
}

void collector_copies_free(struct collector_copies *c)
{
    if (c == NULL)
        return;
    hale_map_free(c->defs);
    hale_map_free(c->masks);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

/* --- what a definition needs ------------------------------------------------------------- */

static bool key_of(struct hale_str tenant, struct hale_str name, char *dst, size_t *len)
{
    *len = tenant.len + 1 + name.len;
    if (*len > KEY_BYTES)
        return false;
    memcpy(dst, tenant.p, tenant.len);
    dst[tenant.len] = '\0';
    memcpy(dst + tenant.len + 1, name.p, name.len);
    return true;
}

static size_t terms_of(const struct hale_definition *d)
{
    size_t n = 0;

    for (unsigned i = 0; i < d->expr->n_subs; i++)
        n += hale_subexpr_terms(&d->expr->subs[i]) - 1;
    return n;
}

/* NULL: no memory. */
static struct needs *needs_of(const struct collector_copies *c,
                              const struct hale_definition *d)
{
    struct needs *out = calloc(1, sizeof(*out) + terms_of(d) * sizeof(out->v[0]));
    struct hale_str tenant = hale_str_from(d->tenant);

    for (unsigned i = 0; out != NULL && i < d->expr->n_subs; i++) {
        const struct hale_subexpr *x = &d->expr->subs[i];
        unsigned home = hale_series_shard(tenant, x->name, c->n_shards);
        for (unsigned t = 1; t < hale_subexpr_terms(x); t++) {
            const struct hale_term term = hale_subexpr_term(x, t);
            struct need *n = &out->v[out->n];
            n->mask = UINT64_C(1) << home;
            if (hale_series_shard(tenant, term.name, c->n_shards) != home &&
                key_of(tenant, term.name, n->key, &n->len))
                out->n++;
        }
    }
    return out;
}

/* known may be NULL: nothing. Both are in the order of the expression. */
static bool same(const struct needs *a, const struct needs *known)
{
    size_t n = known != NULL ? known->n : 0;
    bool equal = a->n == n;

    for (size_t i = 0; equal && i < n; i++)
        equal = a->v[i].mask == known->v[i].mask && a->v[i].len == known->v[i].len &&
                memcmp(a->v[i].key, known->v[i].key, a->v[i].len) == 0;
    return equal;
}

/* --- the table --------------------------------------------------------------------------- */

static enum hale_rc add_need(struct hale_map *masks, const struct need *n)
{
    const struct hale_str key = {n->key, n->len};
    uint64_t *mask = hale_map_get(masks, key);

    if (mask == NULL) {
        mask = calloc(1, sizeof(*mask));
        if (mask == NULL || hale_map_put(masks, key, mask) != HALE_OK) {
            free(mask);
            return HALE_E_NOMEM;
        }
    }
    *mask |= n->mask;
    return HALE_OK;
}

/* Lock held. The masks of all definitions. */
static enum hale_rc rebuild(struct collector_copies *c)
{
    struct hale_map *masks = hale_map_new(NAMES_MAX, free);
    enum hale_rc rc = masks != NULL ? HALE_OK : HALE_E_NOMEM;
    struct needs *of;
    size_t it = 0;

    while (rc == HALE_OK && (of = hale_map_next(c->defs, &it, NULL)) != NULL) {
        for (size_t i = 0; rc == HALE_OK && i < of->n; i++)
            rc = add_need(masks, &of->v[i]);
    }
    if (rc != HALE_OK) {
        hale_map_free(masks);
        return rc;
    }
    hale_map_free(c->masks);
    c->masks = masks;
    if (++c->changes == 0)
        c->changes = 1;
    atomic_store(&c->epoch, hale_map_count(masks) > 0 ? c->changes : 0);
    return HALE_OK;
}

enum hale_rc collector_copies_set(struct collector_copies *c,
                                  const struct hale_definition *d)
{
    struct hale_str id = hale_str_from(d->id);

    if (c->n_shards < 2)
        return HALE_OK;
    (void)pthread_mutex_lock(&c->lock);
    struct needs *of = needs_of(c, d);
    const struct needs *known = hale_map_get(c->defs, id);
    enum hale_rc rc = of != NULL ? HALE_OK : HALE_E_NOMEM;
    /* Mostly nothing: the metrics of a definition do not change. */
    if (rc == HALE_OK && !same(of, known)) {
        hale_map_del(c->defs, id);
        rc = hale_map_put(c->defs, id, of);
        if (rc == HALE_OK) {
            of = NULL; /* the map's */
            rc = rebuild(c);
        }
    }
    free(of);
    (void)pthread_mutex_unlock(&c->lock);
    return rc;
}

void collector_copies_drop(struct collector_copies *c, const char *id)
{
    (void)pthread_mutex_lock(&c->lock);
    if (hale_map_get(c->defs, hale_str_from(id)) != NULL) {
        hale_map_del(c->defs, hale_str_from(id));
        if (rebuild(c) !=
            HALE_OK) /* more is copied than is needed, until the next change */
            hale_warn("event=copies_unchanged detail=\"out of memory\"");
    }
    (void)pthread_mutex_unlock(&c->lock);
}

uint32_t collector_copies_epoch(const struct collector_copies *c)
{
    return atomic_load_explicit(&c->epoch, memory_order_acquire);
}

uint64_t collector_copies_mask(struct collector_copies *c, struct hale_str tenant,
                               struct hale_str name)
{
    char key[KEY_BYTES];
    size_t len;

    if (!key_of(tenant, name, key, &len))
        return 0;
    (void)pthread_mutex_lock(&c->lock);
    const uint64_t *mask = hale_map_get(c->masks, (struct hale_str){key, len});
    uint64_t out = mask != NULL ? *mask : 0;
    (void)pthread_mutex_unlock(&c->lock);
    return out;
}

/* --- from Redis -------------------------------------------------------------------------- */

static enum hale_rc take(struct collector_copies *c, struct hale_str json)
{
    struct hale_definition *d = NULL;
    struct hale_err err = {0};

    if (hale_definition_decode(json, &d, &err) != HALE_OK) {
        char quoted[2 * TEXT_SHOWN];
        hale_warn("event=definition_unreadable detail=\"%s\"",
                  hale_log_quote(err.text, quoted, sizeof(quoted)));
        return HALE_OK;
    }
    enum hale_rc rc = collector_copies_set(c, d);
    hale_definition_free(d);
    return rc;
}

static int note_id(unsigned stream, struct hale_stream_id id, struct hale_str field,
                   struct hale_str value, void *arg)
{
    (void)stream;
    (void)field;
    (void)value;
    *(struct hale_stream_id *)arg = id;
    return 1;
}

enum hale_rc collector_copies_load(struct collector_copies *c, struct hale_redis *r)
{
    struct hale_reply *reply = NULL;

    if (c->n_shards < 2)
        return HALE_OK;
    enum hale_rc rc =
        HALE_REDIS_CMD(r, &reply, HALE_STR("XREVRANGE"), HALE_STR(HALE_KEYS_CONTROL),
                       HALE_STR("+"), HALE_STR("-"), HALE_STR("COUNT"), HALE_STR("1"));
    if (rc != HALE_OK)
        return rc;
    (void)hale_reply_range(reply, note_id, &c->control);
    hale_reply_free(reply);
    rc = HALE_REDIS_CMD(r, &reply, HALE_STR("HVALS"), HALE_STR(HALE_KEYS_DEFINITIONS));
    if (rc != HALE_OK)
        return rc;
    for (size_t i = 0; rc == HALE_OK && i < hale_reply_n(reply); i++)
        rc = take(c, hale_reply_str(hale_reply_at(reply, i)));
    hale_reply_free(reply);
    return rc;
}

struct follow {
    struct collector_copies *c;
    struct hale_redis *r;
    enum hale_rc rc;
};

static enum hale_rc look(struct follow *f, const char *id)
{
    struct hale_reply *reply = NULL;
    enum hale_rc rc = HALE_REDIS_CMD(f->r, &reply, HALE_STR("HGET"),
                                     HALE_STR(HALE_KEYS_DEFINITIONS), hale_str_from(id));

    if (rc != HALE_OK)
        return rc;
    if (hale_reply_is_nil(reply))
        collector_copies_drop(f->c, id);
    else
        rc = take(f->c, hale_reply_str(reply));
    hale_reply_free(reply);
    return rc;
}

static int on_record(unsigned stream, struct hale_stream_id id, struct hale_str field,
                     struct hale_str value, void *arg)
{
    struct follow *f = arg;
    struct hale_control record;

    (void)stream;
    (void)field;
    if (hale_control_decode(value, &record) == HALE_OK) {
        if (record.op == HALE_CONTROL_DEFINITION)
            f->rc = look(f, record.id);
        hale_control_fini(&record);
    }
    if (f->rc == HALE_OK)
        f->c->control = id;
    return f->rc == HALE_OK ? 0 : 1;
}

enum hale_rc collector_copies_follow(struct collector_copies *c, struct hale_redis *r)
{
    const char *keys[] = {HALE_KEYS_CONTROL};
    struct follow f = {c, r, HALE_OK};
    struct hale_reply *reply = NULL;

    if (c->n_shards < 2)
        return HALE_OK;
    enum hale_rc rc = hale_redis_xread(r, 1, keys, &c->control, FOLLOW_MAX, -1);
    if (rc == HALE_OK)
        rc = hale_redis_reply(r, &reply);
    if (rc == HALE_OK && hale_reply_is_error(reply))
        rc = HALE_E_IO;
    if (rc == HALE_OK && !hale_reply_is_nil(reply))
        (void)hale_reply_entries(reply, 1, keys, on_record, &f);
    hale_reply_free(reply);
    return rc == HALE_OK ? f.rc : rc;
}
