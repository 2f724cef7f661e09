/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SILENCES_API_H
#define HALE_COLLECTOR_SILENCES_API_H
/*
 * silences_api - silences and maintenance windows: /v1/silences, /v1/maintenance, and silences in
 * Alertmanager's form (amtool). The author is who calls. A change is durable when it is answered; the correlator
 * has it a moment later. Threads: query and change threads.
 */
#include "collector/app.h"

void collector_silences_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_silences_post(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
void collector_silence_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_silence_put_one(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_silence_delete(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
void collector_maintenances_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_maintenances_post(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req);
void collector_maintenance_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_maintenance_put(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_maintenance_delete(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
/* Alertmanager's: /api/v2/silences, /api/v2/silence/{id}. */
void collector_am_silences_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_am_silences_post(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_am_silence_get(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
void collector_am_silence_delete(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req);
#endif
