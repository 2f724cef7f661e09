/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SWITCHES_API_H
#define HALE_COLLECTOR_SWITCHES_API_H
/*
 * switches_api - kill switches, /v1/switches: everything, one site, one policy. They belong to the
 * house, not to a tenant: every reader sees them, every operator may stop a policy; for everything
 * and for a site the role delegate is needed, too, which is the administrator's.
 * Threads: query and change threads.
 */
#include "collector/app.h"

void collector_switches_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_switch_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req);
void collector_switch_put(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req);
void collector_switch_delete(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
#endif
