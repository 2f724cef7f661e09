/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_INGEST_H
#define HALE_COLLECTOR_INGEST_H
/*
 * ingest - POST /v2.0/metrics: JSON text to encoded batches, handed to the writer. All or
 * nothing: a fault anywhere refuses the request before anything is remembered of it.
 * Threads: the network thread only.
 */
#include "collector/app.h"

struct collector_ingest;

struct collector_ingest *
collector_ingest_new(struct collector *c); /* exits on no memory */
void collector_ingest_free(struct collector_ingest *i);
void collector_ingest_post(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
#endif
