/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_DEAD_LETTERS_API_H
#define HALE_COLLECTOR_DEAD_LETTERS_API_H
/*
 * dead_letters_api - /api/v2/dead-letters: notifications that were given up, to be looked at, sent
 * again by the actuator, or dropped. A tenant sees those about its own alarms. Threads: query and
 * change threads.
 */
#include "collector/app.h"

void collector_dead_letters_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_dead_letters_replay(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req); /* all of ?recipient= */
void collector_dead_letters_delete(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req); /* the same */
void collector_dead_letter_get(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_dead_letter_replay(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
void collector_dead_letter_delete(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
#endif
