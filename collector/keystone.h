/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_KEYSTONE_H
#define HALE_COLLECTOR_KEYSTONE_H
/*
 * keystone - who a token belongs to, asked of OpenStack's identity service as its own services do
 * (keystonemiddleware): GET /v3/auth/tokens, judgements cached, one question per token however many
 * requests bring it.
 * Failing:   nobody is let in that Keystone has not vouched for. Unreachable, slow, answering
 *            nonsense, or refusing ourselves: HALE_E_IO (the caller says 503), health component
 *            "keystone" fails; tokens in the cache go on until their time is over.
 * Ourselves: with credentials the collector has a token of its own, renewed before it ends, got anew
 *            once when Keystone refuses it. Without, a caller's token vouches for itself.
 * Threads:   check, forget from any; one thread of its own calls Keystone and calls back.
 */
#include "collector/app.h"
#include "collector/token.h"

struct collector_keystone;

/* One question, kept with the request; zeroed by the caller but for the first four. */
struct collector_ask {
    const char *method, *path; /* of the request: access rules look at them */
    /* Before check returns HALE_E_AGAIN, with a lock held: must not call back. */
    void (*waits)(struct collector_ask *ask);
    /* Once after HALE_E_AGAIN, in Keystone's thread; the question is not touched any more. */
    void (*done)(struct collector_ask *ask);
    bool answered;
    enum hale_rc verdict; /* HALE_OK, HALE_E_DENIED or HALE_E_IO */
    struct collector_identity who;
    struct collector_ask *next; /* keystone's */
};

HALE_MUST_CHECK enum hale_rc collector_keystone_start(struct collector *c,
                                                      struct collector_keystone **out);
/* Ends the thread and answers every open question with HALE_E_IO; later ones at once. */
void collector_keystone_stop(struct collector_keystone *k); /* NULL allowed */
void collector_keystone_free(struct collector_keystone *k);

/* HALE_OK (ask->who), HALE_E_DENIED: known already. HALE_E_AGAIN: ask->done will be called.
 * HALE_E_LIMIT: max_waiting requests wait. HALE_E_IO: stopped, or no memory. */
HALE_MUST_CHECK enum hale_rc collector_keystone_check(struct collector_keystone *k,
                                                      struct hale_str token,
                                                      struct collector_ask *ask);
/* Empties the cache: what was revoked is out at once. */
void collector_keystone_forget(struct collector_keystone *k);
#endif
