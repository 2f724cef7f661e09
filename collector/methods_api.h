/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_METHODS_API_H
#define HALE_COLLECTOR_METHODS_API_H
/*
 * methods_api - Monasca's notification methods. Faults of a body are 400 here (Monasca's rule),
 * those of parameters 422. Threads: query and change threads.
 */
#include "collector/app.h"

void collector_methods_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_methods_post(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_method_types_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_method_get(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req);
void collector_method_put(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req);
void collector_method_patch(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_method_delete(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
/* The key that the webhook is signed with: for those who may change the method. */
void collector_method_secret_get(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req);
#endif
