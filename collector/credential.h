/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_CREDENTIAL_H
#define HALE_COLLECTOR_CREDENTIAL_H
/*
 * credential - where a request carries its token: header X-Auth-Token; else Authorization with
 * "Token T", "Bearer T" or "Basic" (the password is the token, the user name does not matter);
 * else, on Influx's paths /write and /query only, the parameter p.
 * Threads:   stateless.
 */
#include "net/http_server.h"

#define COLLECTOR_CREDENTIAL_MAX 4096 /* of a Basic one, decoded */

/* The token, in the request's memory or in space; NULL when there is none. */
const char *collector_credential(const struct hale_http_req *req,
                                 char space[COLLECTOR_CREDENTIAL_MAX]);
/* The same of the value of an Authorization header. */
const char *collector_credential_parse(const char *authorization,
                                       char space[COLLECTOR_CREDENTIAL_MAX]);
#endif
