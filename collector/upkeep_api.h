/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_UPKEEP_API_H
#define HALE_COLLECTOR_UPKEEP_API_H
/*
 * upkeep_api - what OPNFV Doctor's maintenance tool (Fenix) tells an inspector about a host, in the body that Aodh's notifier
 * posts: event maintenance.host, traits host and state. While a host is IN_MAINTENANCE it has a maintenance window, so
 * nobody is told of it or of what stands on it and nothing heals it; MAINTENANCE_COMPLETE ends it. Threads: change threads.
 */
#include "collector/app.h"

void collector_upkeep_post(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
#endif
