/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_DEFINITIONS_API_H
#define HALE_COLLECTOR_DEFINITIONS_API_H
/*
 * definitions_api - Monasca's alarm definitions. Redis holds the truth; every change is
 * one transaction of the definition, its name and the control record that tells thresholds
 * and correlator, guarded by WATCH. Threads: query and change threads.
 */
#include "collector/app.h"

void collector_definitions_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_definitions_post(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_definition_get(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
void collector_definition_put(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
void collector_definition_patch(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_definition_delete(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req);
#endif
