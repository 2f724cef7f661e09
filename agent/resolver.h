/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_AGENT_RESOLVER_H
#define HALE_AGENT_RESOLVER_H
/*
 * resolver - host names to addresses without blocking the loop: getaddrinfo runs on one worker
 * thread. Numeric addresses are answered at once. Answers are kept for AGENT_RESOLVER_TTL_MS; while a
 * name is being looked up anew the old answer serves.
 * Ownership: an entry belongs to the resolver; entries live as long as it does.
 * Threads:   the loop's, but for the worker inside.
 */
#include <stdint.h>
#include <sys/socket.h>

#include "agent/loop.h"

#define AGENT_RESOLVER_TTL_MS 60000

struct agent_resolver;
struct agent_name; /* a name under watch */

struct agent_resolver *
agent_resolver_new(struct agent_loop *loop); /* NULL: no memory or thread */
/* Waits at most a second for a look-up under way; then its memory is left to the end of the process. */
void agent_resolver_free(struct agent_resolver *r);
/* Registers host (looked up with the numeric port). NULL on memory failure. */
struct agent_name *agent_resolver_name(struct agent_resolver *r, const char *host,
                                       unsigned port);
/* Address of the name into *out and its length. HALE_E_AGAIN: not known yet; HALE_E_NOTFOUND: the
 * look-up failed (text in *why, valid until the next call). Starts a look-up when one is due. */
HALE_MUST_CHECK enum hale_rc agent_resolver_get(struct agent_name *n, int64_t now_mono_ms,
                                                struct sockaddr_storage *out,
                                                socklen_t *len_out, const char **why);
#endif
