/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_HISTORY_API_H
#define HALE_COLLECTOR_HISTORY_API_H
/*
 * history_api - reading back what happened: Monasca's state history (through the index of
 * transitions in alarm_table), the alarm log, the actuator's journal, one alarm with all
 * about it. Threads: query threads.
 */
#include "collector/app.h"

void collector_state_history_get(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req);
void collector_alarm_history_get(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req);
void collector_alarm_log_get(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
void collector_journal_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_alarm_story_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req); /* /v1/alarms/{id} */
#endif
