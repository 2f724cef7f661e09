/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_INGEST_INFLUX_H
#define HALE_COLLECTOR_INGEST_INFLUX_H
/*
 * ingest_influx - POST /write and POST /api/v2/write: Influx's line protocol into the intake. Good
 * lines are stored, bad ones are told in Influx's shape, once the good ones are durable
 * (docs/formats/ingest.md). Threads: any.
 */
#include "collector/app.h"

void collector_ingest_influx_post(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
#endif
