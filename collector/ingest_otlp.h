/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_INGEST_OTLP_H
#define HALE_COLLECTOR_INGEST_OTLP_H
/*
 * ingest_otlp - POST /v1/metrics and /otlp/v1/metrics: OTLP/HTTP metrics, protobuf and JSON. 200 with an
 * ExportMetricsServiceResponse in the request's encoding when the samples are durable; partial_success
 * tells what was refused. Errors of the body are a google.rpc.Status in that encoding; those of all
 * endpoints (401, 429, 503) are in the common shape. docs/formats/ingest.md has the mapping.
 * Threads:   any.
 */
#include "collector/app.h"

void collector_ingest_otlp_post(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
#endif
