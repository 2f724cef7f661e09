/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_HISTORY_API_H
#define HALE_COLLECTOR_HISTORY_API_H
/*
 * history_api - reading back what happened: Monasca's state history (through the index of
 * transitions in alarm_table), the alarm log, the actuator's journal, one alarm with all
 * about it. Threads: query threads.
 */
#include <jansson.h>

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
/* The journal's rows of one run, ascending, at most 1000 and the newest: a new array. */
HALE_MUST_CHECK enum hale_rc collector_history_of_run(struct hale_redis *redis,
                                                      const char *tenant,
                                                      const char *run_id, json_t **out);
#endif
