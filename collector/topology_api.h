/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_TOPOLOGY_API_H
#define HALE_COLLECTOR_TOPOLOGY_API_H
/*
 * topology_api - what stands on what (docs/formats/topology.md). Reading is from the copy of the
 * correlator's rows (topology_view.h). A change is checked whole, cut into entries of the stream
 * and written in one transaction; it is answered when it is durable, or when the correlator has
 * applied it. Threads: query and change threads.
 */
#include "collector/app.h"

/* topology_api.c */
void collector_topology_get(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_topology_get_one(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_topology_dependents_get(struct collector *c, struct hale_redis *redis,
                                       struct hale_http_req *req);
void collector_topology_supports_get(struct collector *c, struct hale_redis *redis,
                                     struct hale_http_req *req);
void collector_topology_sources_get(struct collector *c, struct hale_redis *redis,
                                    struct hale_http_req *req);
/* topology_change.c */
void collector_topology_post(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
void collector_topology_put_one(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);
void collector_topology_patch_one(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
void collector_topology_delete_one(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req);
/* topology_check.c */
void collector_topology_check_post(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req);
#endif
