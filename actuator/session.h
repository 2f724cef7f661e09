/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_SESSION_H
#define HALE_ACTUATOR_SESSION_H
/*
 * session - calls to the services of a cloud: one token for each cloud, got once however many
 * calls wait for it, renewed before it ends and once when a service refuses it (401: that
 * service has done nothing, so the call is made again); endpoints from the catalogue, if the
 * allow-list names their host.
 * Errors:    what Keystone refuses is HALE_E_DENIED and not tried again (a locked account must
 *            not be the end of it); that it cannot be reached is HALE_E_IO and not sent.
 * Ownership: tokens live in memory only and are wiped.
 * Limits:    ACTUATOR_SESSION_CALLS_MAX calls at once.
 * Threads:   one.
 */
#include "actuator/conf.h"
#include "actuator/step.h"
#include "net/http_client.h"

#define ACTUATOR_SESSION_CALLS_MAX 1024

struct actuator_sessions;
typedef void (*actuator_session_done)(const struct actuator_answer *a, void *arg);

/* http and conf are borrowed. NULL on memory failure. */
struct actuator_sessions *actuator_sessions_new(struct hale_http_client *http,
                                                const struct actuator_conf *conf);
void actuator_sessions_free(struct actuator_sessions *s); /* no callbacks */
/* Tokens are forgotten: names may mean other clouds now. Calls under way go on, those that wait
 * for a token are answered with HALE_E_IO. */
void actuator_sessions_set_conf(struct actuator_sessions *s,
                                const struct actuator_conf *conf);
/* Starts q (q->cloud, q->service; q->url is the path below the endpoint). done is called once,
 * possibly before this returns; then *id_out is 0. */
void actuator_session_call(struct actuator_sessions *s, const struct actuator_request *q,
                           actuator_session_done done, void *arg, uint64_t *id_out);
void actuator_session_cancel(struct actuator_sessions *s, uint64_t id); /* no callback */
#endif
