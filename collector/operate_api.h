/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_OPERATE_API_H
#define HALE_COLLECTOR_OPERATE_API_H
/*
 * operate_api - what people do to alarms: acknowledge, assign, comment, shelve, one or many at once. Each is
 * a control record with the caller's name; the answer comes when the alarm log shows it, at most 5 s later (then
 * 503: it stays on its way). Threads: change threads.
 */
#include "collector/app.h"

void collector_operate_ack(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_operate_unack(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
void collector_operate_assign(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
void collector_operate_comment(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_operate_shelve(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
void collector_operate_unshelve(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_operate_many(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req); /* {"action","ids",...} */
#endif
