/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_BODY_H
#define HALE_COLLECTOR_BODY_H
/*
 * body - undoes a request's Content-Encoding, once for all endpoints, before the handler sees the
 * body: gzip, x-gzip, deflate, identity. snappy is left as it is: only remote write has it, and
 * undoes it itself. Threads: the one that handles the request.
 */
#include "net/http_server.h"

/* False: answered. 413 when the plain body has more than max_bytes, 400 when it is damaged, 415
 * for a coding we do not know. */
HALE_MUST_CHECK bool collector_body_open(struct hale_http_req *req, size_t max_bytes);
#endif
