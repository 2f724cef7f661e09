/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_AODH_API_H
#define HALE_COLLECTOR_AODH_API_H
/*
 * aodh_api - Aodh's API of alarms, for those of type event (docs/formats/aodh.md): consumers of OPNFV Doctor create
 * their alarms here. The project is the caller's tenant. Errors have Aodh's shape. Threads: query and change threads.
 */
#include "collector/app.h"

void collector_aodh_get(struct collector *c, struct hale_redis *redis,
                        struct hale_http_req *req);
void collector_aodh_post(struct collector *c, struct hale_redis *redis,
                         struct hale_http_req *req);
void collector_aodh_get_one(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_aodh_put_one(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_aodh_delete(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_aodh_state_get(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
void collector_aodh_state_put(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
#endif
