/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SERVER_H
#define HALE_COLLECTOR_SERVER_H
/*
 * server - from an HTTP request to its handler: token, role, route, body ceiling. The
 * token is checked before anything is said about the path or taken of the body.
 * Threads: callbacks run in the network thread.
 */
#include "collector/app.h"

HALE_MUST_CHECK enum hale_rc collector_server_start(struct collector *c,
                                                    struct hale_http_server **out,
                                                    struct hale_err *err);
#endif
