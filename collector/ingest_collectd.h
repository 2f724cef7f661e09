/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_INGEST_COLLECTD_H
#define HALE_COLLECTOR_INGEST_COLLECTD_H
/*
 * ingest_collectd - POST /collectd: the JSON of collectd's write_http into the intake. Good values
 * are stored, bad ones are told with 422, once the good ones are durable
 * (docs/formats/ingest.md). Threads: any.
 */
#include "collector/app.h"

void collector_ingest_collectd_post(struct collector *c, struct hale_redis *redis,
                                    struct hale_http_req *req);
#endif
