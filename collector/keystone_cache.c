/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/keystone_cache.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/id.h"
#include "base/map.h"

#define SALT_BYTES 32

struct entry {
    unsigned char key[COLLECTOR_TOKEN_KEY_BYTES];
    bool good;
    struct collector_keystone_token token; /* when good */
    int64_t until_mono_ms;
    struct entry *newer, *older; /* in its list */
};

struct list { /* entries of one kind by their last use */
    struct entry *newest, *oldest;
    size_t n;
};

struct collector_keystone_cache {
    pthread_mutex_t lock;
    struct hale_map *entries; /* lock */
    struct list lists[2];     /* lock; bad, good */
    size_t max;               /* of each list */
    int64_t keep_ms[2];       /* bad, good */
    unsigned char salt[SALT_BYTES];
};

struct collector_keystone_cache *
collector_keystone_cache_new(const struct collector_keystone_config *conf)
{
    struct collector_keystone_cache *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->max = (size_t)conf->cache_max;
    c->keep_ms[0] = conf->negative_cache_time_ms;
    c->keep_ms[1] = conf->cache_time_ms;
    c->entries = hale_map_new(2 * c->max, NULL);
    if (c->entries == NULL) {
        free(c);
        return NULL;
    }
    HALE_ASSERT(pthread_mutex_init(&c->lock, NULL) == 0);
    hale_id_random(c->salt, sizeof(c->salt));
    return c;
}

static void unlink_entry(struct list *l, struct entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &l->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &l->oldest) = e->newer;
    e->newer = e->older = NULL;
    l->n--;
}

static void link_newest(struct list *l, struct entry *e)
{
    e->older = l->newest;
    *(l->newest != NULL ? &l->newest->newer : &l->oldest) = e;
    l->newest = e;
    l->n++;
}

static struct hale_str key_str(const unsigned char *key)
{
    return (struct hale_str){(const char *)key, COLLECTOR_TOKEN_KEY_BYTES};
}

/* Caller holds the lock. */
static void drop(struct collector_keystone_cache *c, struct entry *e)
{
    unlink_entry(&c->lists[e->good], e);
    (void)hale_map_take(c->entries, key_str(e->key));
    collector_keystone_token_fini(&e->token);
    free(e);
}

void collector_keystone_cache_clear(struct collector_keystone_cache *c)
{
    (void)pthread_mutex_lock(&c->lock);
    for (int good = 0; good < 2; good++) {
        while (c->lists[good].oldest != NULL)
            drop(c, c->lists[good].oldest);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

void collector_keystone_cache_free(struct collector_keystone_cache *c)
{
    if (c == NULL)
        return;
    collector_keystone_cache_clear(c);
    hale_map_free(c->entries);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

bool collector_keystone_cache_key(const struct collector_keystone_cache *c,
                                  struct hale_str token,
                                  unsigned char key[COLLECTOR_TOKEN_KEY_BYTES])
{
    unsigned n = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, c->salt, sizeof(c->salt)) == 1 &&
              EVP_DigestUpdate(ctx, token.p, token.len) == 1 &&
              EVP_DigestFinal_ex(ctx, key, &n) == 1 && n == COLLECTOR_TOKEN_KEY_BYTES;

    EVP_MD_CTX_free(ctx);
    return ok;
}

enum hale_rc collector_keystone_cache_get(
    struct collector_keystone_cache *c,
    const unsigned char key[COLLECTOR_TOKEN_KEY_BYTES], const char *method,
    const char *path, const struct collector_now *now, struct collector_identity *out)
{
    enum hale_rc rc = HALE_E_NOTFOUND;

    (void)pthread_mutex_lock(&c->lock);
    struct entry *e = hale_map_get(c->entries, key_str(key));
    if (e != NULL && now->mono_ms >= e->until_mono_ms) {
        drop(c, e);
    } else if (e != NULL) {
        unlink_entry(&c->lists[e->good], e);
        link_newest(&c->lists[e->good], e);
        rc = HALE_E_DENIED;
        if (e->good &&
            collector_keystone_token_allows(&e->token, method, path, now->wall_ms)) {
            *out = e->token.who;
            rc = HALE_OK;
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
    return rc;
}

void collector_keystone_cache_put(struct collector_keystone_cache *c,
                                  const unsigned char key[COLLECTOR_TOKEN_KEY_BYTES],
                                  struct collector_keystone_token *good,
                                  const struct collector_now *now)
{
    struct list *l = &c->lists[good != NULL];
    int64_t keep_ms = c->keep_ms[good != NULL];
    struct entry *e = keep_ms > 0 ? calloc(1, sizeof(*e)) : NULL;

    (void)pthread_mutex_lock(&c->lock);
    struct entry *old = hale_map_get(c->entries, key_str(key));
    if (old != NULL)
        drop(c, old);
    if (e != NULL && l->n == c->max)
        drop(c, l->oldest);
    if (e != NULL && hale_map_put(c->entries, key_str(key), e) == HALE_OK) {
        memcpy(e->key, key, sizeof(e->key));
        e->until_mono_ms = now->mono_ms + keep_ms;
        e->good = good != NULL;
        if (good != NULL) {
            e->token = *good;
            memset(good, 0, sizeof(*good));
        }
        link_newest(l, e);
        e = NULL;
    }
    (void)pthread_mutex_unlock(&c->lock);
    free(e); /* no memory: asked again next time */
    if (good != NULL)
        collector_keystone_token_fini(good);
}

size_t collector_keystone_cache_count(struct collector_keystone_cache *c)
{
    (void)pthread_mutex_lock(&c->lock);
    size_t n = hale_map_count(c->entries);
    (void)pthread_mutex_unlock(&c->lock);
    return n;
}
