/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_SESSIONS_API_H
#define HALE_COLLECTOR_SESSIONS_API_H
/*
 * sessions_api - maintenance sessions as Fenix and OPNFV Doctor's maintenance tool have them
 * (docs/formats/maintenance.md), below /fenix/v1 and below /maintenance.
 * Who:       operator and delegate begin one; the operators of its tenant see it, end it, and say that a host's work is
 *            done. A project sees and answers its own part. Everybody else is told that there is nothing.
 * Threads:   query and change threads.
 */
#include <jansson.h>

#include "collector/app.h"

/* POST: begins a session. body: taken. */
void collector_session_begin(struct hale_redis *redis, struct hale_http_req *req,
                             json_t *body);
/* .../maintenance */
void collector_sessions_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_sessions_post(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
/* .../maintenance/{session} */
void collector_session_get(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_session_put(struct collector *c, struct hale_redis *redis,
                           struct hale_http_req *req);
void collector_session_delete(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
/* .../maintenance/{session}/{project} and .../{instance} */
void collector_session_part_get(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_session_part_put(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
/* .../instance/{id}, .../instance_group/{id} */
void collector_constraint_get(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
void collector_constraint_put(struct collector *c, struct hale_redis *redis,
                              struct hale_http_req *req);
void collector_constraint_delete(struct collector *c, struct hale_redis *redis,
                                 struct hale_http_req *req);
#endif
