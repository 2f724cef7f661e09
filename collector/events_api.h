/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_EVENTS_API_H
#define HALE_COLLECTOR_EVENTS_API_H
/*
 * events_api - the requests that bring fault events: POST|PUT /v1/events and /events, POST
 * /api/v2/alerts (Prometheus) and /eventListener/v7 (VES). Fault events have their own writer thread
 * and connection, so that they never queue behind sample batches.
 * Threads: the handler on the network thread.
 */
#include "collector/app.h"

struct collector_events;

HALE_MUST_CHECK enum hale_rc collector_events_start(struct collector *c,
                                                    struct collector_events **out);
void collector_events_stop(struct collector_events *e); /* writes what waits */
void collector_events_post(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_events_alerts_post(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
void collector_events_ves_post(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_events_ves_batch_post(struct collector *c, struct hale_redis *redis,
                                     struct hale_http_req *req);
#endif
