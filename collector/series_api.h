/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SERIES_API_H
#define HALE_COLLECTOR_SERIES_API_H
/*
 * series_api - /v1/series: series with their times, those that no longer report, and removing
 * them. Threads: query threads (list), threads that may wait (delete).
 */
#include "collector/app.h"

void collector_series_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req);
void collector_series_delete(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
#endif
