/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_IDENTITY_H
#define HALE_COLLECTOR_IDENTITY_H
/*
 * identity - who a request comes from: the file of local tokens first, then Keystone where it is
 * configured. Nothing else of a request says who it is: headers such as X-Roles, X-Project-Id or
 * X-Tenant-Id, which Keystone's middleware would set, are never read.
 * Threads: the network thread, in the head callback.
 */
#include "collector/app.h"
#include "collector/request.h"

/* HALE_OK: r->who is set. HALE_E_AGAIN: return false from head; it is called again and then this
 * function knows. HALE_E_DENIED: nobody. HALE_E_LIMIT, HALE_E_IO: it cannot be known now. */
HALE_MUST_CHECK enum hale_rc collector_identity_check(struct collector *c,
                                                      struct hale_http_req *req,
                                                      struct collector_request *r,
                                                      const char *token);
/* The answer for what _check returned, but for HALE_OK and HALE_E_AGAIN: 401, or 503 with Retry-After. */
void collector_identity_refuse(struct collector *c, struct hale_http_req *req,
                               enum hale_rc why);
#endif
