/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_ALERTS_API_H
#define HALE_COLLECTOR_ALERTS_API_H
/*
 * alerts_api - what clients of an Alertmanager (amtool, Karma) read: GET /api/v2/alerts, the raised
 * event alarms as alerts, and GET /api/v2/status. Threads: the handlers on a query thread.
 */
#include "collector/app.h"

void collector_alerts_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req);
void collector_alerts_status_get(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req);
#endif
