/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_METRICS_API_H
#define HALE_COLLECTOR_METRICS_API_H
/*
 * metrics_api - listings from the catalogue: GET /v2.0/metrics, /metrics/names,
 * /metrics/dimensions/names, /metrics/dimensions/names/values. Threads: query threads.
 */
#include "collector/app.h"

void collector_metrics_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_metric_names_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_dimension_names_get(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req);
void collector_dimension_values_get(struct collector *c, struct hale_redis *redis,
                                    struct hale_http_req *req);
#endif
