/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ROUTER_H
#define HALE_COLLECTOR_ROUTER_H
/*
 * router - path and method to handler. A pattern segment "{id}" takes any one segment and
 * static segments win over it; one trailing slash is ignored. Pure: no request object, so
 * the table is tested alone. Threads: stateless.
 */
#include "collector/app.h"

enum collector_place {
    COLLECTOR_ON_NETWORK, /* in the HTTP thread: must not block */
    COLLECTOR_ON_INTAKE,  /* the same, for samples: bodies up to max_body, ?tenant_id= */
    COLLECTOR_ON_QUERY,   /* in a query thread */
    COLLECTOR_ON_CHANGE   /* in a thread that may wait for the correlator */
};

struct collector_route {
    const char *method;
    const char *path; /* pattern */
    unsigned roles;   /* any of these; 0: nobody is asked */
    enum collector_place place;
    collector_handler handler;
};

#define COLLECTOR_ALLOW_MAX 64

struct collector_match {
    const struct collector_route *route; /* NULL: no such path, or not this method */
    bool path_known;
    char param[128];                 /* {id}, "" when the pattern has none */
    char allow[COLLECTOR_ALLOW_MAX]; /* "GET, POST" when path_known */
};

/* HEAD is served by the GET route. */
void collector_router_match(const struct collector_route *routes, size_t n,
                            const char *method, const char *path,
                            struct collector_match *out);
/* Paths that answer nobody without a token, whether they exist or not. */
bool collector_router_is_api(const char *path);
/* "/v3", "/v2.1/" and the like: a version of the API, whether there is one or not. */
bool collector_router_is_version(const char *path);
/* Roles that may use method on an API path that is not in the table. */
unsigned collector_router_default_roles(const char *method);

/* The collector's table (routes.c). */
extern const struct collector_route collector_routes[];
extern const size_t collector_routes_n;
#endif
