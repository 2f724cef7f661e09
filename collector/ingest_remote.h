/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_INGEST_REMOTE_H
#define HALE_COLLECTOR_INGEST_REMOTE_H
/*
 * ingest_remote - POST /api/v1/write: Prometheus remote write v1. 204 when all samples are durable; 400
 * with the number and the first reason when some were refused (the others are stored, and Prometheus
 * does not send the request again). docs/formats/ingest.md has the mapping. Threads: any.
 */
#include "collector/app.h"

void collector_ingest_remote_post(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
#endif
