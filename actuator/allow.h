/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_ALLOW_H
#define HALE_ACTUATOR_ALLOW_H
/*
 * allow - which hosts the actuator may call (against server-side request forgery: parts
 * of a URL may come from an alarm).
 * Names:     what is checked here is text; that a name has no address of this machine is checked by the
 *            HTTP client, at the connection itself (only_remote): for all that is not named exactly.
 * Patterns:  "host" (any port), "host:port", "*.example.org" (any name below it),
 *            "[::1]:8080". Loopback addresses are always allowed. Names are compared
 *            without case.
 * Strict:    a URL with user information, a backslash, blanks or control bytes in the
 *            authority is refused, since parsers disagree about its host.
 * Ownership: a list owns its patterns. Threads: read-only after filling.
 */
#include <stdbool.h>

#include "base/rc.h"
#include "base/str.h"

#define ACTUATOR_ALLOW_MAX 512

struct actuator_allow {
    unsigned n;
    char *pattern[ACTUATOR_ALLOW_MAX];
};

/* Host (brackets of IPv6 taken off) and port (80 or 443 when absent) of an http(s) URL.
 * */
HALE_MUST_CHECK enum hale_rc
actuator_allow_split(const char *url, struct hale_str *host_out, unsigned *port_out);
/* HALE_E_INVAL: not a pattern; HALE_E_LIMIT, HALE_E_NOMEM. */
HALE_MUST_CHECK enum hale_rc actuator_allow_add(struct actuator_allow *a,
                                                struct hale_str pattern);
/* Adds host:port of url, unless its authority has variables: those need a written
 * pattern. */
HALE_MUST_CHECK enum hale_rc actuator_allow_add_url(struct actuator_allow *a,
                                                    const char *url);
bool actuator_allow_url(const struct actuator_allow *a, const char *url);
/* How a pattern names the host: loopback must be written, too. A host that is named by "*." only has a
 * name that others may give an address: whoever calls it asks for only_remote (net/http_client.h). */
enum actuator_allow_word { ACTUATOR_ALLOW_NO, ACTUATOR_ALLOW_WILD, ACTUATOR_ALLOW_EXACT };
enum actuator_allow_word actuator_allow_match(const struct actuator_allow *a,
                                              const char *url);
/* Named in any way. */
bool actuator_allow_listed(const struct actuator_allow *a, const char *url);
void actuator_allow_fini(struct actuator_allow *a);
#endif
