/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_POLICIES_API_H
#define HALE_COLLECTOR_POLICIES_API_H
/*
 * policies_api - the actuator's policies as it has published them (HALE_KEYS_POLICIES), each with
 * its switch, its latch and its runs by state; opening a latch. Policies belong to the house: every reader
 * sees them; the runs counted are the tenant's. Threads: query and change threads.
 */
#include "collector/app.h"

void collector_policies_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_policy_unlatch(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
#endif
