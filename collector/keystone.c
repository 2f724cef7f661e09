/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/keystone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "collector/keystone_login.h"
#include "collector/keystone_private.h"
#include "collector/stats.h"

static bool self_validating(const struct collector_keystone *k)
{
    return k->conf->auth == COLLECTOR_KEYSTONE_SELF;
}

static void flight_free(void *p)
{
    struct collector_flight *f = p;

    collector_keystone_free_secret(f->token);
    free(f);
}

/* --- how Keystone feels ------------------------------------------------------------------ */

void collector_keystone_feel(struct collector_keystone *k,
                             enum collector_keystone_trouble now, const char *detail)
{
    char quoted[320];

    if (now == COLLECTOR_TROUBLE_NONE && k->trouble != COLLECTOR_TROUBLE_NONE)
        hale_info("event=keystone_up url=%s", k->conf->url);
    else if (now != COLLECTOR_TROUBLE_NONE)
        hale_warn("event=keystone_failing detail=%s",
                  hale_log_quote(detail, quoted, sizeof(quoted)));
    if (now != COLLECTOR_TROUBLE_NONE && k->trouble != now)
        k->probe_mono_ms = hale_clock_mono_ms() + COLLECTOR_KEYSTONE_PROBE_MS;
    k->trouble = now;
    collector_gauge(KEYSTONE_UP, now == COLLECTOR_TROUBLE_NONE);
    hale_daemon_health_set(k->daemon, "keystone", now == COLLECTOR_TROUBLE_NONE, detail);
}

static void set_unreachable(struct collector_keystone *k,
                            const struct hale_http_result *r)
{
    char text[256];

    if (r->rc != HALE_OK)
        (void)snprintf(text, sizeof(text), "no answer: %.200s", r->error);
    else
        (void)snprintf(text, sizeof(text), "answered %u", r->status);
    collector_keystone_feel(k, COLLECTOR_TROUBLE_UNREACHABLE, text);
}

/* --- the end of a question ----------------------------------------------------------------- */

/* Takes the flight off the map and its waiters off the flight. */
static struct collector_ask *land(struct collector_keystone *k,
                                  struct collector_flight *f)
{
    struct hale_str key = {(const char *)f->key, sizeof(f->key)};

    (void)pthread_mutex_lock(&k->lock);
    (void)hale_map_take(k->flights, key);
    struct collector_ask *waiters = f->waiters;
    f->waiters = NULL;
    for (const struct collector_ask *a = waiters; a != NULL; a = a->next)
        k->n_waiting--;
    collector_gauge(KEYSTONE_WAITING, k->n_waiting);
    (void)pthread_mutex_unlock(&k->lock);
    return waiters;
}

static void tell(struct collector_ask *waiters)
{
    while (waiters != NULL) {
        struct collector_ask *a = waiters;
        waiters = a->next; /* a may be gone after done */
        a->answered = true;
        a->done(a);
    }
}

/* Frees f. verdict is HALE_E_DENIED or HALE_E_IO. */
static void refuse(struct collector_keystone *k, struct collector_flight *f,
                   enum hale_rc verdict)
{
    struct collector_now now = {hale_clock_mono_ms(), hale_clock_wall_ms()};
    struct collector_ask *waiters = land(k, f);

    for (struct collector_ask *a = waiters; a != NULL; a = a->next)
        a->verdict = verdict;
    if (verdict == HALE_E_DENIED) {
        collector_count(KEYSTONE_BAD, 1);
        collector_keystone_cache_put(k->cache, f->key, NULL, &now);
    } else {
        collector_count(KEYSTONE_FAILED, 1);
    }
    collector_gauge(KEYSTONE_CACHED, collector_keystone_cache_count(k->cache));
    flight_free(f);
    tell(waiters);
}

static void accept_token(struct collector_keystone *k, struct collector_flight *f,
                         struct collector_keystone_token *t)
{
    struct collector_now now = {hale_clock_mono_ms(), hale_clock_wall_ms()};
    struct collector_ask *waiters = land(k, f);

    for (struct collector_ask *a = waiters; a != NULL; a = a->next) {
        bool allowed =
            collector_keystone_token_allows(t, a->method, a->path, now.wall_ms);
        a->verdict = allowed ? HALE_OK : HALE_E_DENIED;
        a->who = t->who;
    }
    collector_count(KEYSTONE_GOOD, 1);
    collector_keystone_cache_put(k->cache, f->key, t, &now);
    collector_gauge(KEYSTONE_CACHED, collector_keystone_cache_count(k->cache));
    flight_free(f);
    tell(waiters);
}

/* --- asking about a token -------------------------------------------------------------------- */

static void push_ready(struct collector_keystone *k, struct collector_flight *f)
{
    f->next = NULL;
    *k->ready_end = f;
    k->ready_end = &f->next;
}

static struct collector_flight *pop_ready(struct collector_keystone *k)
{
    struct collector_flight *f = k->ready;

    if (f != NULL && (k->ready = f->next) == NULL)
        k->ready_end = &k->ready;
    return f;
}

/* 401 or 403 to us: the caller's token when it vouches for itself, else our credentials. */
static void judged_ourselves(struct collector_keystone *k, struct collector_flight *f,
                             unsigned status)
{
    if (self_validating(k) && status == 401) {
        collector_keystone_feel(k, COLLECTOR_TROUBLE_NONE, "answers");
        refuse(k, f, HALE_E_DENIED);
    } else if (status == 403) {
        collector_keystone_feel(
            k, COLLECTOR_TROUBLE_FORBIDDEN,
            self_validating(k)
                ? "Keystone's policy keeps tokens from validating themselves: "
                  "give the section keystone a user with the role service"
                : "the collector's user may not validate tokens: give it the "
                  "role service in its project");
        refuse(k, f, HALE_E_IO);
    } else if (!f->login_again) {
        f->login_again = true;
        if (f->login == k->own.login)
            collector_keystone_own_drop(k);
        push_ready(k, f);
    } else {
        collector_keystone_own_bad(k);
        refuse(k, f, HALE_E_IO);
    }
}

static void answered(struct collector_keystone *k, struct collector_flight *f,
                     const struct hale_http_result *r)
{
    struct collector_keystone_token t;
    struct hale_err err = {0};

    if (r->status == 404) {
        collector_keystone_feel(k, COLLECTOR_TROUBLE_NONE, "answers");
        refuse(k, f, HALE_E_DENIED);
    } else if (r->status == 401 || r->status == 403) {
        judged_ourselves(k, f, r->status);
    } else if (r->status != 200) {
        set_unreachable(k, r);
        refuse(k, f, HALE_E_IO);
    } else {
        enum hale_rc rc = collector_keystone_token_read(k->conf, r->body, &t, &err);
        if (rc == HALE_E_INVAL) {
            collector_keystone_feel(k, COLLECTOR_TROUBLE_NONSENSE, err.text);
            refuse(k, f, HALE_E_IO);
        } else if (rc != HALE_OK) {
            collector_keystone_feel(k, COLLECTOR_TROUBLE_NONE, "answers");
            refuse(k, f, rc == HALE_E_DENIED ? rc : HALE_E_IO);
        } else {
            collector_keystone_feel(k, COLLECTOR_TROUBLE_NONE, "answers");
            accept_token(k, f, &t);
        }
        collector_keystone_token_fini(&t);
    }
}

static void flight_done(const struct hale_http_result *r, void *arg)
{
    struct collector_flight *f = arg;
    struct collector_keystone *k = f->k;

    k->n_calls--;
    hale_counter_observe_us(COLLECTOR_STAT(KEYSTONE_LATENCY),
                            hale_clock_mono_us() - f->started_us);
    if (r->rc == HALE_OK) {
        answered(k, f, r);
    } else if (r->rc == HALE_E_IO && !f->call_again) {
        f->call_again = true; /* a server that has just been restarted */
        push_ready(k, f);
    } else {
        set_unreachable(k, r);
        refuse(k, f, HALE_E_IO);
    }
}

static bool start_call(struct collector_keystone *k, const char *auth,
                       const char *subject, hale_http_done done, void *arg)
{
    char url[COLLECTOR_KEYSTONE_URL_MAX];
    struct hale_buf a, s;
    bool ok = false;

    (void)snprintf(url, sizeof(url), "%s/auth/tokens?nocatalog", k->conf->url);
    hale_buf_init(&a, COLLECTOR_KEYSTONE_TOKEN_MAX + 64);
    hale_buf_init(&s, COLLECTOR_KEYSTONE_TOKEN_MAX + 64);
    hale_buf_printf(&a, "X-Auth-Token: %s", auth);
    hale_buf_printf(&s, "X-Subject-Token: %s", subject);
    if (!a.failed && !s.failed) {
        /* The last says that we enforce access rules (keystone_token.h). */
        const char *headers[] = {a.p, s.p, "Accept: application/json",
                                 "OpenStack-Identity-Access-Rules: 1.0", NULL};
        struct hale_http_call call = {.method = "GET",
                                      .url = url,
                                      .headers = headers,
                                      .ca_file = k->conf->ca_file,
                                      .insecure = k->conf->insecure,
                                      .connect_timeout_ms = k->conf->timeout_ms,
                                      .timeout_ms = k->conf->timeout_ms,
                                      .max_response_bytes =
                                          COLLECTOR_KEYSTONE_ANSWER_MAX};
        ok = hale_http_client_start(k->client, &call, done, arg, NULL) == HALE_OK;
    }
    collector_keystone_wipe(&a);
    collector_keystone_wipe(&s);
    return ok;
}

static void start_flight(struct collector_keystone *k, struct collector_flight *f)
{
    f->started_us = hale_clock_mono_us();
    f->login = k->own.login;
    if (start_call(k, self_validating(k) ? f->token : k->own.text, f->token, flight_done,
                   f))
        k->n_calls++;
    else
        refuse(k, f, HALE_E_IO);
}

static void start_flights(struct collector_keystone *k)
{
    while (k->ready != NULL && k->n_calls < (unsigned)k->conf->max_calls) {
        if (!self_validating(k) && k->own.text == NULL) {
            if (k->own.asking)
                return;
            refuse(k, pop_ready(k), HALE_E_IO); /* the login was refused or has failed */
        } else {
            start_flight(k, pop_ready(k));
        }
    }
}

/* --- while something is wrong ------------------------------------------------------------------ */

static void probed(const struct hale_http_result *r, void *arg)
{
    struct collector_keystone *k = arg;

    k->probing = false;
    if (k->trouble == COLLECTOR_TROUBLE_NONE || k->trouble == COLLECTOR_TROUBLE_REFUSED ||
        k->trouble == COLLECTOR_TROUBLE_FORBIDDEN)
        return; /* asked meanwhile; or nothing that a probe can see */
    if (r->rc != HALE_OK || r->status != 200)
        set_unreachable(k, r);
    else
        collector_keystone_feel(k, COLLECTOR_TROUBLE_NONE, "answers");
}

/* Without requests nobody would notice that Keystone is back. */
static void probe(struct collector_keystone *k, int64_t now_mono_ms)
{
    struct hale_http_call call = {.method = "GET",
                                  .url = k->conf->url,
                                  .ca_file = k->conf->ca_file,
                                  .insecure = k->conf->insecure,
                                  .connect_timeout_ms = k->conf->timeout_ms,
                                  .timeout_ms = k->conf->timeout_ms,
                                  .max_response_bytes = COLLECTOR_KEYSTONE_ANSWER_MAX};

    if (k->trouble == COLLECTOR_TROUBLE_NONE || k->probing ||
        now_mono_ms < k->probe_mono_ms || (!self_validating(k) && k->own.text == NULL))
        return; /* a login tells as much */
    k->probe_mono_ms = now_mono_ms + COLLECTOR_KEYSTONE_PROBE_MS;
    k->probing = hale_http_client_start(k->client, &call, probed, k, NULL) == HALE_OK;
}

/* --- the thread -------------------------------------------------------------------------------- */

static void take_flights(struct collector_keystone *k)
{
    void *items[64];
    size_t n;

    while ((n = hale_queue_drain(k->queue, items, 64)) > 0) {
        for (size_t i = 0; i < n; i++)
            push_ready(k, items[i]);
    }
}

static bool is_stopped(struct collector_keystone *k)
{
    (void)pthread_mutex_lock(&k->lock);
    bool stopped = k->stopped;
    (void)pthread_mutex_unlock(&k->lock);
    return stopped;
}

static void *run(void *arg)
{
    struct collector_keystone *k = arg;

    while (!is_stopped(k)) {
        struct pollfd wake = {.fd = hale_queue_fd(k->queue), .events = POLLIN};
        int64_t now_mono_ms = hale_clock_mono_ms();
        take_flights(k);
        if (!self_validating(k))
            collector_keystone_own_keep(k, now_mono_ms);
        probe(k, now_mono_ms);
        start_flights(k);
        if (hale_http_client_poll(k->client, &wake, 1, 500) != HALE_OK)
            hale_error("event=keystone_poll_failed");
    }
    return NULL;
}

enum hale_rc collector_keystone_start(struct collector *c,
                                      struct collector_keystone **out)
{
    const struct collector_keystone_config *conf = &c->conf->keystone;
    struct collector_keystone *k = hale_xcalloc(1, sizeof(*k));

    k->conf = conf;
    k->daemon = c->daemon;
    k->ready_end = &k->ready;
    HALE_ASSERT(pthread_mutex_init(&k->lock, NULL) == 0);
    k->cache = collector_keystone_cache_new(conf);
    k->flights = hale_map_new((size_t)conf->max_waiting, NULL);
    k->queue = hale_queue_new((size_t)conf->max_waiting, NULL);
    k->client = hale_http_client_new((unsigned)conf->max_calls + 2); /* login, probe */
    if (k->cache != NULL && k->flights != NULL && k->queue != NULL && k->client != NULL &&
        pthread_create(&k->thread, NULL, run, k) == 0) {
        k->running = true;
        *out = k;
        return HALE_OK;
    }
    collector_keystone_free(k);
    return HALE_E_LIMIT;
}

void collector_keystone_stop(struct collector_keystone *k)
{
    if (k == NULL || !k->running)
        return;
    (void)pthread_mutex_lock(&k->lock);
    k->stopped = true;
    (void)pthread_mutex_unlock(&k->lock);
    hale_queue_close(k->queue);
    (void)pthread_join(k->thread, NULL);
    k->running = false;
    /* From here this thread is Keystone's: no new flight can come. */
    hale_http_client_free(k->client);
    k->client = NULL;
    for (;;) {
        size_t it = 0;
        (void)pthread_mutex_lock(&k->lock);
        struct collector_flight *f = hale_map_next(k->flights, &it, NULL);
        (void)pthread_mutex_unlock(&k->lock);
        if (f == NULL)
            return;
        refuse(k, f, HALE_E_IO);
    }
}

void collector_keystone_free(struct collector_keystone *k)
{
    if (k == NULL)
        return;
    collector_keystone_stop(k);
    collector_keystone_own_drop(k);
    hale_http_client_free(k->client);
    hale_queue_free(k->queue);
    hale_map_free(k->flights);
    collector_keystone_cache_free(k->cache);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

/* --- from any thread ------------------------------------------------------------------------------ */

/* What can be a token: anything else would only be trouble in a header. */
static bool token_ok(struct hale_str token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.p[i] <= ' ' || token.p[i] >= 0x7f)
            return false;
    }
    return token.len > 0 && token.len <= COLLECTOR_KEYSTONE_TOKEN_MAX;
}

static struct collector_flight *
flight_new(struct collector_keystone *k, const unsigned char *key, struct hale_str token)
{
    struct hale_str name = {(const char *)key, COLLECTOR_TOKEN_KEY_BYTES};
    struct collector_flight *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->k = k;
    memcpy(f->key, key, sizeof(f->key));
    f->token = strndup(token.p, token.len);
    if (f->token != NULL && hale_map_put(k->flights, name, f) == HALE_OK) {
        if (hale_queue_push(k->queue, f) == HALE_OK)
            return f;
        (void)hale_map_take(k->flights, name);
    }
    flight_free(f);
    return NULL;
}

static enum hale_rc join(struct collector_keystone *k, const unsigned char *key,
                         struct hale_str token, struct collector_ask *ask)
{
    struct hale_str name = {(const char *)key, COLLECTOR_TOKEN_KEY_BYTES};

    if (k->stopped)
        return HALE_E_IO;
    if (k->n_waiting >= (size_t)k->conf->max_waiting)
        return HALE_E_LIMIT;
    struct collector_flight *f = hale_map_get(k->flights, name);
    if (f == NULL)
        f = flight_new(k, key, token);
    if (f == NULL)
        return HALE_E_IO;
    ask->waits(ask);
    ask->next = f->waiters;
    f->waiters = ask;
    k->n_waiting++;
    collector_gauge(KEYSTONE_WAITING, k->n_waiting);
    return HALE_E_AGAIN;
}

enum hale_rc collector_keystone_check(struct collector_keystone *k, struct hale_str token,
                                      struct collector_ask *ask)
{
    struct collector_now now = {hale_clock_mono_ms(), hale_clock_wall_ms()};
    unsigned char key[COLLECTOR_TOKEN_KEY_BYTES];

    if (!token_ok(token))
        return HALE_E_DENIED;
    if (!collector_keystone_cache_key(k->cache, token, key))
        return HALE_E_IO;
    enum hale_rc rc = collector_keystone_cache_get(k->cache, key, ask->method, ask->path,
                                                   &now, &ask->who);
    if (rc != HALE_E_NOTFOUND) {
        collector_count(KEYSTONE_HITS, 1);
        return rc;
    }
    (void)pthread_mutex_lock(&k->lock);
    rc = join(k, key, token, ask);
    (void)pthread_mutex_unlock(&k->lock);
    return rc;
}

void collector_keystone_forget(struct collector_keystone *k)
{
    collector_keystone_cache_clear(k->cache);
}
