/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_INFLUX_API_H
#define HALE_COLLECTOR_INFLUX_API_H
/*
 * influx_api - what Influx's clients ask before they write: GET /ping, and on /query the statements
 * that senders begin with. Hale has no databases: each one that is created or used exists, and the
 * token's tenant is what counts. Threads: any.
 */
#include "collector/app.h"

/* GET, HEAD: 204 with X-Influxdb-Version. */
void collector_influx_ping_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
/* GET and POST /query?q= (or q in a form body): CREATE DATABASE and SHOW DATABASES; 400 otherwise. */
void collector_influx_query(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);

/* {"error":text,"code":"invalid","message":text}: the shapes of Influx 1 and 2 in one. body is
 * initialised here. */
void collector_influx_error_body(struct hale_buf *body, const char *fmt, ...)
    HALE_PRINTF(2, 3);
/* Answers with that. text is a literal. */
void collector_influx_error(struct hale_http_req *req, unsigned status, const char *text);
#endif
