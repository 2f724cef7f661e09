/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_RUNS_API_H
#define HALE_COLLECTOR_RUNS_API_H
/*
 * runs_api - what the actuator does and would do: /v1/runs, and what people decide about it. A
 * decision is durable when it is answered; the actuator follows a moment later, and its journal
 * says so. Secrets never leave (collector/run_view.h). Threads: query and change threads.
 */
#include "collector/app.h"

void collector_runs_get(struct collector *c, struct hale_redis *redis,
                        struct hale_http_req *req);
void collector_run_get(struct collector *c, struct hale_redis *redis,
                       struct hale_http_req *req);
void collector_run_approve(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_run_reject(struct collector *c, struct hale_redis *redis,
                          struct hale_http_req *req);
void collector_run_acknowledge(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_run_abort(struct collector *c, struct hale_redis *redis,
                         struct hale_http_req *req);
#endif
