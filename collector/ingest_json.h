/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_INGEST_JSON_H
#define HALE_COLLECTOR_INGEST_JSON_H
/*
 * ingest_json - POST /v2.0/metrics: Monasca's JSON into the intake. All or nothing: a fault
 * anywhere refuses the request before anything is remembered of it. Threads: any.
 */
#include "collector/app.h"

void collector_ingest_json_post(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
#endif
