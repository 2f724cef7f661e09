/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_WHY_API_H
#define HALE_COLLECTOR_WHY_API_H
/*
 * why_api - GET /v1/alarms/{id}/why and GET /v1/alarm-definitions/{id}/why (docs/formats/why.md).
 * Threads: query threads.
 */
#include "collector/app.h"

void collector_alarm_why_get(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
void collector_definition_why_get(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
#endif
