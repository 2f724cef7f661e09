/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_ACTUATOR_LOOKUP_H
#define HALE_ACTUATOR_LOOKUP_H
/*
 * lookup - addresses of names, without waiting for name servers. (HTTP calls need it not: libcurl has
 * its own.) Each name is looked up by a short-lived thread, which shares nothing with us but a queue for its
 * answer; one that a name server keeps waiting outlives even the lookup.
 * Limits:    ACTUATOR_LOOKUPS_MAX under way, ACTUATOR_LOOKUP_ADDRESSES an answer; the rest is left out.
 * Threads:   one caller.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/rc.h"

#define ACTUATOR_LOOKUPS_MAX      64
#define ACTUATOR_LOOKUP_ADDRESSES 8

struct actuator_lookup;
struct actuator_address {
    struct sockaddr_storage addr;
    socklen_t len;
};
struct actuator_addresses {
    uint64_t id; /* of the lookup */
    unsigned n;
    struct actuator_address v[ACTUATOR_LOOKUP_ADDRESSES];
    char error[128]; /* why there is none, for a person */
};

struct actuator_lookup *actuator_lookup_new(void); /* NULL: no memory */
void actuator_lookup_free(struct actuator_lookup *l);
/* An address that is written as a number: at once. false: it is a name. */
HALE_MUST_CHECK bool actuator_lookup_number(const char *host, unsigned port,
                                            struct actuator_address *out);
/* HALE_E_LIMIT; HALE_E_NOMEM: no thread. The answer comes with *id_out through _next. */
HALE_MUST_CHECK enum hale_rc actuator_lookup_start(struct actuator_lookup *l,
                                                   const char *host, unsigned port,
                                                   uint64_t *id_out);
int actuator_lookup_fd(const struct actuator_lookup *l); /* readable: _next has one */
bool actuator_lookup_next(struct actuator_lookup *l, struct actuator_addresses *out);
#endif
