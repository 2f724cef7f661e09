/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_ACCESS_H
#define HALE_ACTUATOR_ACCESS_H
/*
 * access - calls with credentials of the configuration (credential.h): with a token that is got
 * once however many calls wait for it, renewed before it ends and once when it is refused (401: the
 * server has done nothing, so the call is made again); with user and password; with our
 * certificate.
 * Errors:    what the token endpoint refuses is HALE_E_DENIED and not tried again; that it cannot
 *            be reached is HALE_E_IO and not sent.
 * Ownership: tokens live in memory only and are wiped.
 * Limits:    ACTUATOR_ACCESS_CALLS_MAX calls at once.
 * Threads:   one.
 */
#include "actuator/conf.h"
#include "actuator/session.h"
#include "actuator/step.h"
#include "net/http_client.h"

#define ACTUATOR_ACCESS_CALLS_MAX 1024

struct actuator_access;

/* http and conf are borrowed. NULL on memory failure. */
struct actuator_access *actuator_access_new(struct hale_http_client *http,
                                            const struct actuator_conf *conf);
void actuator_access_free(struct actuator_access *a); /* no callbacks */
/* Tokens are forgotten: names may mean others now. Calls under way go on, those that wait for a
 * token are answered with HALE_E_IO. */
void actuator_access_set_conf(struct actuator_access *a,
                              const struct actuator_conf *conf);
/* Starts q (q->url is a whole one, which is allowed) with q->credentials. done is called once,
 * possibly before this returns; then *id_out is 0. */
void actuator_access_call(struct actuator_access *a, const struct actuator_request *q,
                          actuator_session_done done, void *arg, uint64_t *id_out);
void actuator_access_cancel(struct actuator_access *a, uint64_t id); /* no callback */
#endif
