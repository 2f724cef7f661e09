/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_NOTIFIER_API_H
#define HALE_COLLECTOR_NOTIFIER_API_H
/*
 * notifier_api - the Server Notifier that Tacker registers its VMs at (docs/formats/tacker.md). Registrations are the
 * caller's tenant's, whatever project the path names. Threads: query and change threads.
 */
#include "collector/app.h"

void collector_notifier_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_notifier_post(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
void collector_notifier_delete(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
#endif
