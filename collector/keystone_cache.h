/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_KEYSTONE_CACHE_H
#define HALE_COLLECTOR_KEYSTONE_CACHE_H
/*
 * keystone_cache - which tokens Keystone has judged lately. Keyed by SHA-256 over a random salt of
 * the process and the token, so no token's text is in memory for longer than its request.
 * Good and bad tokens have a ceiling each, so a flood of bad ones cannot push good ones out; the
 * one used longest ago goes first.
 * Time:      monotonic milliseconds for how long a judgement is believed, wall for expiry.
 * Threads:   any; a lock inside, held for one look-up.
 */
#include "collector/keystone_token.h"

#define COLLECTOR_TOKEN_KEY_BYTES 32

struct collector_keystone_cache;

struct collector_now {
    int64_t mono_ms, wall_ms;
};

/* NULL on memory failure. */
struct collector_keystone_cache *
collector_keystone_cache_new(const struct collector_keystone_config *conf);
void collector_keystone_cache_free(struct collector_keystone_cache *c);
/* The token's key; false: the library failed. */
bool collector_keystone_cache_key(const struct collector_keystone_cache *c,
                                  struct hale_str token,
                                  unsigned char key[COLLECTOR_TOKEN_KEY_BYTES]);
/* HALE_OK: *out is set; HALE_E_DENIED: bad, expired, or the access rules forbid this; HALE_E_NOTFOUND. */
HALE_MUST_CHECK enum hale_rc collector_keystone_cache_get(
    struct collector_keystone_cache *c,
    const unsigned char key[COLLECTOR_TOKEN_KEY_BYTES], const char *method,
    const char *path, const struct collector_now *now, struct collector_identity *out);
/* Remembers a judgement; good is taken (and empty after), NULL: the token is bad. */
void collector_keystone_cache_put(struct collector_keystone_cache *c,
                                  const unsigned char key[COLLECTOR_TOKEN_KEY_BYTES],
                                  struct collector_keystone_token *good,
                                  const struct collector_now *now);
void collector_keystone_cache_clear(struct collector_keystone_cache *c);
size_t collector_keystone_cache_count(struct collector_keystone_cache *c);
#endif
