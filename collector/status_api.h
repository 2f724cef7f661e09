/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_STATUS_API_H
#define HALE_COLLECTOR_STATUS_API_H
/*
 * status_api - what tells about the collector and the house: versions, /healthz,
 * /healthcheck, /metrics, /v1/status. Threads: as the routes say.
 */
#include "collector/app.h"

void collector_versions_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req); /* / */
void collector_version_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req); /* /v2.0 */
void collector_healthz_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_healthcheck_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_own_metrics_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_status_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req);
#endif
