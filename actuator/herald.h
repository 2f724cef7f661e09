/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_HERALD_H
#define HALE_ACTUATOR_HERALD_H
/*
 * herald - posts to the addresses of very many small subscribers (a hundred thousand alarms with an
 * address each), where courier.h has few with a log position each.
 * Order:     per key one call at a time: what it has to say next is asked of io.next when its turn
 *            comes, so the owner's queue is the only one.
 * Places:    keys are lined up by the address' authority (host:port). A place that does not answer
 *            is asked with one call, after 0.1 s doubling to 60 s, with jitter; one that does not take
 *            what a key says (404, 500) delays that key only. At once to one place: 4 calls, and one more for each that
 *            was taken up to ACTUATOR_HERALD_PLACE_CALLS, as small servers queue few connections.
 * Reach:     tenants' addresses: as dispatch.h (notification_methods: reach, allow).
 * Limits:    ACTUATOR_HERALD_PLACES; beyond, keys share the last place.
 * Threads:   one. Callbacks of the HTTP client run inside its poll.
 */
#include <stdbool.h>
#include <stdint.h>

#include "actuator/conf_methods.h"
#include "base/buf.h"
#include "net/http_client.h"

#define ACTUATOR_HERALD_PLACES      4096
#define ACTUATOR_HERALD_PLACE_CALLS 16
#define ACTUATOR_HERALD_CALLS       256

enum actuator_herald_end {
    ACTUATOR_HERALD_TAKEN,   /* a 2xx */
    ACTUATOR_HERALD_DENIED,  /* may never be sent there */
    ACTUATOR_HERALD_REFUSED, /* it will never be taken: receipt.h */
    ACTUATOR_HERALD_FAILED   /* will be tried again */
};
struct actuator_herald_io {
    void *arg;
    /* What the key has to say: its address and body (both initialised, empty). False: nothing. */
    bool (*next)(void *arg, const char *key, struct hale_buf *url, struct hale_buf *body);
    /* The call is over; detail says how in words. */
    void (*done)(void *arg, const char *key, enum actuator_herald_end end,
                 const char *detail);
};
struct actuator_herald;
/* All borrowed. NULL on memory failure. */
struct actuator_herald *actuator_herald_new(const struct actuator_herald_io *io,
                                            struct hale_http_client *http,
                                            const struct actuator_methods_conf *conf);
void actuator_herald_free(struct actuator_herald *h); /* cancels what is under way */
void actuator_herald_set_conf(struct actuator_herald *h,
                              const struct actuator_methods_conf *conf);
/* The key has something to say to url; it is asked when its turn comes. Nothing if it is waiting
 * already. HALE_E_NOMEM, HALE_E_LIMIT. */
HALE_MUST_CHECK enum hale_rc actuator_herald_add(struct actuator_herald *h,
                                                 const char *key, const char *url,
                                                 int64_t now_us);
void actuator_herald_drop(struct actuator_herald *h, const char *key); /* cancels */
void actuator_herald_tick(struct actuator_herald *h, int64_t now_us);
int64_t actuator_herald_next_us(const struct actuator_herald *h);
#endif
