/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/herald.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/receipt.h"
#include "actuator/stats.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/map.h"
#include "model/aodh.h"

#define BACKOFF_FIRST_US 100000
#define ROOM_FIRST       4
#define BACKOFF_MAX_US   60000000
#define ANSWER_MAX       65536
#define BODY_MAX         (1u << 20)
#define PLACE_TEXT       300

struct place;
struct waiter { /* a key with something to say */
    struct place *place;
    struct waiter *next, *previous; /* of the place's line */
    uint64_t call;                  /* under way, or 0 */
    int64_t tries, retry_us;
    char key[];
};
struct place { /* one authority */
    struct actuator_herald *owner;
    struct waiter *first, *last;
    unsigned calls, room; /* under way; as many may be */
    bool failing;
    int64_t tries, retry_us; /* while failing: the next try */
    int64_t next_us;         /* a waiter may go; INT64_MAX: none can */
    char name[];
};
struct actuator_herald {
    struct actuator_herald_io io;
    struct hale_http_client *http;
    const struct actuator_methods_conf *conf;
    struct hale_map *places;  /* authority -> struct place */
    struct hale_map *waiters; /* key -> struct waiter */
    struct waiter *movers;    /* by next: the next address is at another place */
    unsigned calls;
};

struct actuator_herald *actuator_herald_new(const struct actuator_herald_io *io,
                                            struct hale_http_client *http,
                                            const struct actuator_methods_conf *conf)
{
    struct actuator_herald *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return NULL;
    h->io = *io;
    h->http = http;
    h->conf = conf;
    h->places = hale_map_new(ACTUATOR_HERALD_PLACES + 1, free);
    h->waiters = hale_map_new(HALE_AODH_MAX, free);
    if (h->places == NULL || h->waiters == NULL) {
        hale_map_free(h->places);
        hale_map_free(h->waiters);
        free(h);
        return NULL;
    }
    return h;
}

void actuator_herald_free(struct actuator_herald *h)
{
    size_t it = 0;
    struct waiter *w;
    if (h == NULL)
        return;
    while ((w = hale_map_next(h->waiters, &it, NULL)) != NULL)
        hale_http_client_cancel(h->http, w->call);
    hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_WAITING),
                     -(int64_t)hale_map_count(h->waiters));
    hale_map_free(h->waiters);
    hale_map_free(h->places);
    free(h);
}

void actuator_herald_set_conf(struct actuator_herald *h,
                              const struct actuator_methods_conf *conf)
{
    h->conf = conf;
}

/* --- lines --------------------------------------------------------------------------- */

/* Everything up to the path: scheme, host and port. */
static struct hale_str authority(const char *url)
{
    const char *host = strstr(url, "://");
    size_t n = host != NULL ? (size_t)(host - url) + 3 : 0;
    n += strcspn(url + n, "/?#");
    return (struct hale_str){url, n < PLACE_TEXT ? n : PLACE_TEXT};
}

static struct place *place_of(struct actuator_herald *h, const char *url)
{
    struct hale_str name = authority(url);
    struct place *p = hale_map_get(h->places, name);
    if (p == NULL && hale_map_count(h->places) >= ACTUATOR_HERALD_PLACES) {
        name = HALE_STR("");
        p = hale_map_get(h->places, name);
    }
    if (p != NULL)
        return p;
    p = calloc(1, sizeof(*p) + name.len + 1);
    if (p == NULL)
        return NULL;
    p->owner = h;
    p->next_us = INT64_MAX;
    p->room = ROOM_FIRST;
    memcpy(p->name, name.p, name.len);
    if (hale_map_put(h->places, name, p) != HALE_OK) {
        free(p);
        return NULL;
    }
    return p;
}

static void line_up(struct place *p, struct waiter *w)
{
    w->place = p;
    w->next = NULL;
    w->previous = p->last;
    if (p->last != NULL)
        p->last->next = w;
    else
        p->first = w;
    p->last = w;
    p->next_us = 0;
}

static void leave(struct waiter *w)
{
    struct place *p = w->place;
    if (w->previous != NULL)
        w->previous->next = w->next;
    else
        p->first = w->next;
    if (w->next != NULL)
        w->next->previous = w->previous;
    else
        p->last = w->previous;
}

/* Those whose next address is elsewhere get in line there. Not inside a walk over the places. */
static void settle(struct actuator_herald *h)
{
    while (h->movers != NULL) {
        struct waiter *w = h->movers;
        struct hale_buf url, body;
        h->movers = w->next;
        hale_buf_init(&url, HALE_AODH_URL_MAX + 1);
        hale_buf_init(&body, BODY_MAX);
        struct place *p =
            h->io.next(h->io.arg, w->key, &url, &body) ? place_of(h, url.p) : NULL;
        hale_buf_fini(&url);
        hale_buf_fini(&body);
        if (p != NULL) {
            line_up(p, w);
        } else { /* it has nothing to say any more; without memory: until it has again */
            hale_map_del(h->waiters, hale_str_from(w->key));
            hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_WAITING), -1);
        }
    }
}

/* Frees w. */
static void forget(struct actuator_herald *h, struct waiter *w)
{
    struct place *p = w->place;
    leave(w);
    hale_map_del(h->waiters, hale_str_from(w->key));
    hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_WAITING), -1);
    if (p->first == NULL && p->calls == 0)
        hale_map_del(h->places, hale_str_from(p->name));
}

/* --- calls --------------------------------------------------------------------------- */

static int64_t backoff_us(int64_t tries)
{
    int64_t us = BACKOFF_FIRST_US;
    uint32_t dice;
    for (int64_t i = 1; i < tries && us < BACKOFF_MAX_US; i++)
        us *= 2;
    us = us > BACKOFF_MAX_US ? BACKOFF_MAX_US : us;
    hale_id_random(&dice, sizeof(dice));
    return us / 2 + (int64_t)(dice % (uint32_t)(us / 2 + 1));
}

/* The place itself does not work, whoever asks. */
static bool place_fails(const struct hale_http_result *r)
{
    return r->rc == HALE_E_IO || r->rc == HALE_E_AGAIN || r->status == 429 ||
           (r->status >= 502 && r->status <= 504);
}

static void place_failed(struct place *p, const struct hale_http_result *r,
                         int64_t now_us)
{
    char name[PLACE_TEXT + 8], why[160];
    if (!p->failing)
        hale_warn("event=aodh_consumer_failing place=%s status=%u detail=%s",
                  hale_log_quote(p->name, name, sizeof(name)), r->status,
                  hale_log_quote(r->error, why, sizeof(why)));
    p->failing = true;
    p->room = 1;
    p->tries++;
    p->retry_us = now_us + backoff_us(p->tries);
}

static void place_works(struct place *p)
{
    char name[PLACE_TEXT + 8];
    if (p->failing)
        hale_info("event=aodh_consumer_back place=%s",
                  hale_log_quote(p->name, name, sizeof(name)));
    p->failing = false;
    p->tries = 0;
    p->retry_us = 0;
}

static void place_turn(struct place *p, int64_t now_us);

static void again(struct waiter *w, const struct hale_http_result *r, int64_t now_us)
{
    struct place *p = w->place;
    w->tries++;
    w->retry_us = now_us + backoff_us(w->tries);
    if (place_fails(r)) {
        place_failed(p, r, now_us);
        w->retry_us = p->retry_us;
    } else {
        place_works(p);
    }
}

static void on_done(const struct hale_http_result *r, void *arg)
{
    struct waiter *w = arg;
    struct place *p = w->place;
    struct actuator_herald *h = p->owner;
    char text[256];
    int64_t now_us = hale_clock_wall_us();
    enum actuator_receipt receipt = actuator_receipt_http(r);
    enum actuator_herald_end end = ACTUATOR_HERALD_FAILED;
    w->call = 0;
    p->calls--;
    h->calls--;
    p->next_us = 0;
    switch (receipt) {
    case ACTUATOR_TAKEN:
        place_works(p);
        p->room += p->room < ACTUATOR_HERALD_PLACE_CALLS;
        end = ACTUATOR_HERALD_TAKEN;
        hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_TOLD), 1);
        break;
    case ACTUATOR_FORBIDDEN:
        end = ACTUATOR_HERALD_DENIED;
        hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_DENIED), 1);
        break;
    case ACTUATOR_REFUSED:
        place_works(p);
        end = ACTUATOR_HERALD_REFUSED;
        hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_ERRORS), 1);
        break;
    case ACTUATOR_AGAIN:
        hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_ERRORS), 1);
        again(w, r, now_us);
        break;
    }
    if (end != ACTUATOR_HERALD_FAILED)
        w->tries = w->retry_us = 0;
    h->io.done(h->io.arg, w->key, end, actuator_receipt_text(r, text, sizeof(text)));
    if (end == ACTUATOR_HERALD_FAILED) {
        leave(w); /* another one is the next to try */
        line_up(p, w);
    }
    place_turn(p, now_us);
    settle(h);
}

static enum hale_rc post(struct waiter *w, const char *url, struct hale_str body)
{
    struct actuator_herald *h = w->place->owner;
    char id[HALE_UUID_TEXT], line[96];
    enum actuator_allow_word word = actuator_allow_match(&h->conf->allow, url);
    if (word == ACTUATOR_ALLOW_NO && h->conf->listed_only)
        return HALE_E_DENIED;
    hale_id_uuid_random(id);
    (void)snprintf(line, sizeof(line), "x-openstack-request-id: req-%s", id);
    const char *const headers[] = {"Content-Type: application/json", line, NULL};
    const struct hale_http_call call = {.method = "POST",
                                        .url = url,
                                        .headers = headers,
                                        .body = body,
                                        .timeout_ms = h->conf->timeout_ms,
                                        .max_response_bytes = ANSWER_MAX,
                                        .only_remote = word != ACTUATOR_ALLOW_EXACT,
                                        .repeatable = true,
                                        .often = true};
    return hale_http_client_start(h->http, &call, on_done, w, &w->call);
}

/* Does the address belong to the line that w stands in? */
static bool in_line(const struct waiter *w, const char *url)
{
    const struct place *p = w->place;
    return p->name[0] == '\0' || hale_str_eq_c(authority(url), p->name);
}

/* False: w is in the line no more. */
static bool say(struct waiter *w, int64_t now_us)
{
    struct actuator_herald *h = w->place->owner;
    struct hale_buf url, body;
    bool stays = false, moves = false;
    hale_buf_init(&url, HALE_AODH_URL_MAX + 1);
    hale_buf_init(&body, BODY_MAX);
    while (!stays && !moves && h->io.next(h->io.arg, w->key, &url, &body)) {
        enum hale_rc rc = HALE_E_INVAL;
        moves = !url.failed && !in_line(w, url.p);
        if (moves)
            break;
        if (!url.failed && !body.failed)
            rc = post(w, url.p, hale_buf_str(&body));
        stays = true;
        if (rc == HALE_OK) {
            w->place->calls++;
            h->calls++;
        } else if (rc == HALE_E_DENIED || rc == HALE_E_INVAL) {
            hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_DENIED), 1);
            hale_warn(
                "event=aodh_denied alarm=%s detail=\"the address may not be called: "
                "see notification_methods\"",
                w->key);
            h->io.done(h->io.arg, w->key, ACTUATOR_HERALD_DENIED,
                       "the address may not be called: see notification_methods");
            hale_buf_reset(&url);
            hale_buf_reset(&body);
            stays = false;
        } else {
            w->tries++;
            w->retry_us = now_us + backoff_us(w->tries);
        }
    }
    hale_buf_fini(&url);
    hale_buf_fini(&body);
    if (moves) {
        leave(w);
        w->place = NULL;
        w->next = h->movers;
        h->movers = w;
    } else if (!stays) {
        forget(h, w);
    }
    return stays;
}

/* Frees p when its line is empty. */
static void place_turn(struct place *p, int64_t now_us)
{
    struct actuator_herald *h = p->owner;
    int64_t next_us = INT64_MAX;
    if (p->failing && p->retry_us > now_us) {
        p->next_us = p->calls == 0 && p->first != NULL ? p->retry_us : INT64_MAX;
        return;
    }
    p->calls++; /* holds the place */
    for (struct waiter *w = p->first, *next; w != NULL && p->calls - 1 < p->room;
         w = next) {
        next = w->next;
        if (w->call != 0)
            continue;
        if (h->calls >= ACTUATOR_HERALD_CALLS) {
            next_us = now_us + BACKOFF_FIRST_US / 2;
            break;
        }
        if (w->retry_us > now_us)
            next_us = w->retry_us < next_us ? w->retry_us : next_us;
        else if (say(w, now_us) && w->call == 0)
            next_us = w->retry_us < next_us ? w->retry_us : next_us;
    }
    p->calls--;
    p->next_us = next_us;
    if (p->first == NULL && p->calls == 0)
        hale_map_del(h->places, hale_str_from(p->name));
}

/* --- in and out ---------------------------------------------------------------------- */

enum hale_rc actuator_herald_add(struct actuator_herald *h, const char *key,
                                 const char *url, int64_t now_us)
{
    struct waiter *w = hale_map_get(h->waiters, hale_str_from(key));
    if (w != NULL)
        return HALE_OK;
    struct place *p = place_of(h, url);
    w = p != NULL ? calloc(1, sizeof(*w) + strlen(key) + 1) : NULL;
    if (w == NULL)
        return HALE_E_NOMEM;
    memcpy(w->key, key, strlen(key) + 1);
    enum hale_rc rc = hale_map_put(h->waiters, hale_str_from(key), w);
    if (rc != HALE_OK) {
        free(w);
        return rc;
    }
    hale_counter_add(actuator_stat(ACTUATOR_STAT_AODH_WAITING), 1);
    line_up(p, w);
    if (p->calls < p->room && !p->failing && h->calls < ACTUATOR_HERALD_CALLS)
        (void)say(w, now_us);
    settle(h);
    return HALE_OK;
}

void actuator_herald_drop(struct actuator_herald *h, const char *key)
{
    struct waiter *w = hale_map_get(h->waiters, hale_str_from(key));
    if (w == NULL)
        return;
    if (w->call != 0) {
        hale_http_client_cancel(h->http, w->call);
        w->place->calls--;
        h->calls--;
        w->place->next_us = 0;
    }
    forget(h, w);
}

void actuator_herald_tick(struct actuator_herald *h, int64_t now_us)
{
    size_t it = 0;
    struct place *p;
    while ((p = hale_map_next(h->places, &it, NULL)) != NULL)
        if (p->next_us <= now_us)
            place_turn(p, now_us);
    settle(h);
}

int64_t actuator_herald_next_us(const struct actuator_herald *h)
{
    int64_t next = INT64_MAX;
    size_t it = 0;
    const struct place *p;
    while ((p = hale_map_next(h->places, &it, NULL)) != NULL)
        next = p->next_us < next ? p->next_us : next;
    return next;
}
