/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_COLLECTOR_PROMQL_API_H
#define HALE_COLLECTOR_PROMQL_API_H
/*
 * promql_api - Prometheus' HTTP query interface over the tenant's series
 * (docs/formats/promql.md): what Grafana's data source and promtool ask for.
 * promql_api.c: query and query_range; promql_lists.c: the rest.
 * Threads: query threads.
 */
#include "collector/app.h"
#include "collector/promql_params.h"

/* Handlers. */
void collector_promql_query(struct collector *c, struct hale_redis *redis,
                            struct hale_http_req *req);
void collector_promql_query_range(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
void collector_promql_series(struct collector *c, struct hale_redis *redis,
                             struct hale_http_req *req);
void collector_promql_label_names(struct collector *c, struct hale_redis *redis,
                                  struct hale_http_req *req);
void collector_promql_label_values(struct collector *c, struct hale_redis *redis,
                                   struct hale_http_req *req);
void collector_promql_metadata(struct collector *c, struct hale_redis *redis,
                               struct hale_http_req *req);
void collector_promql_buildinfo(struct collector *c, struct hale_redis *redis,
                                struct hale_http_req *req);

/* --- shared by both files ---------------------------------------------------------------------- */

/* {"status":"error","errorType":type,"error":...} */
void collector_promql_reply_error(struct hale_http_req *req, unsigned status,
                                  const char *type, const char *fmt, ...)
    HALE_PRINTF(4, 5);
/* 400 invalid parameter "name": why */
void collector_promql_reply_parameter(struct hale_http_req *req, const char *name,
                                      const char *fmt, ...) HALE_PRINTF(3, 4);
/* Of body and URL. False: answered. Fini in any case. */
bool collector_promql_read_params(struct hale_http_req *req,
                                  struct collector_promql_params *p);
/* *out unchanged when the parameter is absent or empty. False: answered. */
bool collector_promql_time_param(struct hale_http_req *req,
                                 const struct collector_promql_params *p,
                                 const char *name, int64_t *out_ms);
/* When the query's time is over, on the monotonic clock: timeout=, at most promql_timeout. */
bool collector_promql_deadline(struct collector *c, struct hale_http_req *req,
                               const struct collector_promql_params *p, int64_t *out_ms);
#endif
