/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/keystone_cache.h"

static const struct collector_keystone_config CONF = {
    .cache_max = 4, .cache_time_ms = 1000, .negative_cache_time_ms = 100};

static void key_of(const struct collector_keystone_cache *c, const char *token,
                   unsigned char *key)
{
    assert_true(collector_keystone_cache_key(c, hale_str_from(token), key));
}

static void put(struct collector_keystone_cache *c, const char *token, int64_t expires_ms,
                int64_t now_ms)
{
    unsigned char key[COLLECTOR_TOKEN_KEY_BYTES];
    struct collector_now now = {now_ms, now_ms};
    struct collector_keystone_token t = {.who = {"t", "n", COLLECTOR_AGENT},
                                         .expires_ms = expires_ms};

    key_of(c, token, key);
    collector_keystone_cache_put(c, key, expires_ms > 0 ? &t : NULL, &now);
}

static enum hale_rc get(struct collector_keystone_cache *c, const char *token,
                        int64_t now_ms)
{
    unsigned char key[COLLECTOR_TOKEN_KEY_BYTES];
    struct collector_now now = {now_ms, now_ms};
    struct collector_identity who = {0};

    key_of(c, token, key);
    enum hale_rc rc = collector_keystone_cache_get(c, key, "GET", "/", &now, &who);
    assert_int_equal(rc == HALE_OK, strcmp(who.name, "n") == 0);
    return rc;
}

static void remembers_for_its_time(void **state)
{
    struct collector_keystone_cache *c = collector_keystone_cache_new(&CONF);
    (void)state;
    put(c, "good", 500, 0);
    put(c, "long", 1 << 30, 0);
    put(c, "bad", 0, 0);
    assert_int_equal(get(c, "good", 499), HALE_OK);
    assert_int_equal(get(c, "good", 500), HALE_E_DENIED); /* its own end */
    assert_int_equal(get(c, "bad", 99), HALE_E_DENIED);
    assert_int_equal(get(c, "bad", 100), HALE_E_NOTFOUND);
    assert_int_equal(get(c, "long", 999), HALE_OK);
    assert_int_equal(get(c, "long", 1000), HALE_E_NOTFOUND);
    assert_int_equal(get(c, "other", 0), HALE_E_NOTFOUND);
    assert_int_equal(collector_keystone_cache_count(c), 1);
    put(c, "good", 0, 0); /* judged again, now bad */
    assert_int_equal(get(c, "good", 0), HALE_E_DENIED);
    assert_int_equal(collector_keystone_cache_count(c), 1);
    collector_keystone_cache_clear(c);
    assert_int_equal(get(c, "good", 0), HALE_E_NOTFOUND);
    collector_keystone_cache_free(c);
}

static void drops_the_least_used(void **state)
{
    struct collector_keystone_cache *c = collector_keystone_cache_new(&CONF);
    char name[16];
    (void)state;
    for (int i = 0; i < 4; i++) {
        (void)snprintf(name, sizeof(name), "g%d", i);
        put(c, name, 1 << 30, 0);
    }
    assert_int_equal(get(c, "g0", 1), HALE_OK);
    put(c, "g4", 1 << 30, 1);
    assert_int_equal(get(c, "g1", 1), HALE_E_NOTFOUND);
    assert_int_equal(get(c, "g0", 1), HALE_OK);
    for (int i = 0; i < 100; i++) { /* bad ones have a ceiling of their own */
        (void)snprintf(name, sizeof(name), "b%d", i);
        put(c, name, 0, 1);
    }
    assert_int_equal(collector_keystone_cache_count(c), 8);
    assert_int_equal(get(c, "g0", 1), HALE_OK);
    assert_int_equal(get(c, "b95", 1), HALE_E_NOTFOUND);
    assert_int_equal(get(c, "b96", 1), HALE_E_DENIED);
    collector_keystone_cache_free(c);
}

static void salts_differ(void **state)
{
    struct collector_keystone_cache *a = collector_keystone_cache_new(&CONF);
    struct collector_keystone_cache *b = collector_keystone_cache_new(&CONF);
    unsigned char x[COLLECTOR_TOKEN_KEY_BYTES], y[COLLECTOR_TOKEN_KEY_BYTES];
    (void)state;
    key_of(a, "token", x);
    key_of(b, "token", y);
    assert_memory_not_equal(x, y, sizeof(x));
    key_of(a, "token", y);
    assert_memory_equal(x, y, sizeof(x));
    collector_keystone_cache_free(a);
    collector_keystone_cache_free(b);
}

static void *user(void *arg)
{
    struct collector_keystone_cache *c = arg;
    char name[16];
    for (int i = 0; i < 2000; i++) {
        unsigned char key[COLLECTOR_TOKEN_KEY_BYTES];
        struct collector_now now = {i, i};
        struct collector_identity who;
        struct collector_keystone_token t = {.who = {"t", "n", COLLECTOR_AGENT},
                                             .expires_ms = 1 << 30};
        (void)snprintf(name, sizeof(name), "g%d", i % 9);
        if (!collector_keystone_cache_key(c, hale_str_from(name), key))
            return arg;
        if (collector_keystone_cache_get(c, key, "GET", "/", &now, &who) == HALE_OK &&
            strcmp(who.name, "n") != 0)
            return arg;
        collector_keystone_cache_put(c, key, i % 3 == 0 ? NULL : &t, &now);
        if (i % 500 == 499)
            collector_keystone_cache_clear(c);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    struct collector_keystone_cache *c = collector_keystone_cache_new(&CONF);
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, user, c), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_true(collector_keystone_cache_count(c) <= 8);
    collector_keystone_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers_for_its_time),
        cmocka_unit_test(drops_the_least_used),
        cmocka_unit_test(salts_differ),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
