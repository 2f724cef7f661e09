/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_KEYSTONE_PRIVATE_H
#define HALE_COLLECTOR_KEYSTONE_PRIVATE_H
/*
 * keystone_private - what keystone.c (questions about callers' tokens) and keystone_own.c (the
 * collector's own token) share. Threads: what is not marked with lock is Keystone's thread's.
 */
#include <pthread.h>

#include "base/map.h"
#include "base/queue.h"
#include "collector/keystone.h"
#include "collector/keystone_cache.h"
#include "net/http_client.h"

#define COLLECTOR_KEYSTONE_TOKEN_MAX  8192 /* bytes; longer ones are nobody's */
#define COLLECTOR_KEYSTONE_ANSWER_MAX ((size_t)1 << 20)
#define COLLECTOR_KEYSTONE_URL_MAX    2048
#define COLLECTOR_KEYSTONE_PROBE_MS   2000 /* while something is wrong */

enum collector_keystone_trouble {
    COLLECTOR_TROUBLE_UNKNOWN, /* nothing asked yet */
    COLLECTOR_TROUBLE_NONE,
    COLLECTOR_TROUBLE_UNREACHABLE,
    COLLECTOR_TROUBLE_NONSENSE, /* answers, but not as Keystone does */
    COLLECTOR_TROUBLE_REFUSED,  /* our credentials are bad */
    COLLECTOR_TROUBLE_FORBIDDEN /* they may not validate */
};

struct collector_flight { /* one token on its way to Keystone and back */
    struct collector_keystone *k;
    unsigned char key[COLLECTOR_TOKEN_KEY_BYTES];
    char *token;
    struct collector_ask *waiters; /* k->lock */
    uint64_t login;                /* the own token it went with */
    bool login_again, call_again;  /* each once */
    int64_t started_us;
    struct collector_flight *next;
};

struct collector_own_token { /* of Keystone's thread */
    char *text;              /* NULL: none */
    int64_t expires_ms, renew_mono_ms, retry_mono_ms, pause_ms;
    uint64_t login; /* counts them */
    bool asking;
};

struct collector_keystone {
    const struct collector_keystone_config *conf;
    struct hale_daemon *daemon;
    struct collector_keystone_cache *cache;
    pthread_mutex_t lock;
    struct hale_map *flights; /* lock; by key */
    size_t n_waiting;         /* lock; requests */
    bool stopped;             /* lock */
    struct hale_queue *queue; /* flights to start */
    pthread_t thread;
    bool running;
    /* Keystone's thread */
    struct hale_http_client *client;
    struct collector_flight *ready, **ready_end; /* taken from the queue, not started */
    unsigned n_calls;
    struct collector_own_token own;
    enum collector_keystone_trouble trouble;
    int64_t probe_mono_ms;
    bool probing;
};

/* Says it in the log, in /metrics and in the daemon's health. */
void collector_keystone_feel(struct collector_keystone *k,
                             enum collector_keystone_trouble now, const char *detail);

/* --- keystone_own.c: the collector's own token; nothing to do when callers' vouch for themselves --- */
/* Gets one, or renews it in time; the old token serves meanwhile. */
void collector_keystone_own_keep(struct collector_keystone *k, int64_t now_mono_ms);
/* Keystone has refused it: forget it, get another. */
void collector_keystone_own_drop(struct collector_keystone *k);
/* Keystone refuses what it has just given: wait before the next login. */
void collector_keystone_own_bad(struct collector_keystone *k);
/* Overwritten before it is freed. NULL allowed. */
void collector_keystone_free_secret(char *text);
#endif
